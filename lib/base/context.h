/* base: what every handle shares: allocator, pool, log; reference counted. */
#ifndef SQ_CONTEXT_H
#define SQ_CONTEXT_H
#include "base/pool.h"

struct seqrec_context {
    sq_memory memory;
    sq_pool *pool;
    seqrec_log_fn log;
    void *log_context;
    _Atomic int64_t references;
};

int32_t sq_context_create(const seqrec_allocator *allocator, const seqrec_executor *executor, int32_t threads,
                          seqrec_log_fn log, void *log_context, seqrec_context **out, seqrec_error *error);
seqrec_context *sq_context_retain(seqrec_context *context);
void sq_context_release(seqrec_context *context);
void sq_log(const seqrec_context *context, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif
