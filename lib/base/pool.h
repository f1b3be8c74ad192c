/* base: parallel loops on own workers or on the host's executor. */
#ifndef SQ_POOL_H
#define SQ_POOL_H
#include "base/memory.h"

typedef struct sq_pool sq_pool;

/* One task of a loop. task is in [0, tasks) and each is run once; worker is in [0, sq_pool_width) and, within one call of
 * sq_parallel, never held by two bodies at once: it is the index of scratch memory that belongs to this call. Two calls on
 * one pool use the same worker indices at the same time, so scratch reached through `arg` must not be shared between calls. */
typedef void (*sq_body)(void *arg, int32_t task, int32_t worker);

/* threads 0 or 1 and no executor: no thread is made and loops run on the caller; n in [2, 256]: n - 1 threads. With an
 * executor threads must be 0 (E_ARGUMENT) and its width is in [1, 256]. E_RANGE outside the bounds, E_MEMORY when the system
 * refuses a thread. */
int32_t sq_pool_create(const sq_memory *memory, int32_t threads, const seqrec_executor *executor, sq_pool **out,
                       seqrec_error *error);
/* Ends and joins the workers; no loop may be running. NULL is allowed. In a forked child, which has no workers, only frees. */
void sq_pool_destroy(sq_pool *pool);
/* Scratch places a loop may need: 1 without threads and executor, at most 256. */
int32_t sq_pool_width(const sq_pool *pool);
/* E_STATE in a forked child of the process that made the pool. */
int32_t sq_pool_check(const sq_pool *pool, seqrec_error *error);
/* Runs all tasks and returns when they are done; tasks are handed out in index order. Any number of threads may call this on
 * one pool at once: one of them gets the workers, the others, a body that starts a loop of its own, and a forked child run all
 * their tasks themselves as worker 0. Bodies see the caller's floating-point rounding and flushing modes on every thread. */
void sq_parallel(sq_pool *pool, int32_t tasks, sq_body body, void *arg);
#endif
