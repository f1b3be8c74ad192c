/* base: a mutex. */
#ifndef SQ_LOCK_H
#define SQ_LOCK_H
#include <pthread.h>
#include "base/memory.h"

typedef struct sq_lock {
    pthread_mutex_t mutex;
    int32_t ready;
} sq_lock;

int32_t sq_lock_init(sq_lock *lock, seqrec_error *error);
void sq_lock_destroy(sq_lock *lock); /* a zeroed lock is allowed */
void sq_lock_take(sq_lock *lock);
void sq_lock_give(sq_lock *lock);
#endif
