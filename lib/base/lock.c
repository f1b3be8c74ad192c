/* base: a mutex. */
#include "base/lock.h"

int32_t sq_lock_init(sq_lock *lock, seqrec_error *error)
{
    SQ_CHECK(pthread_mutex_init(&lock->mutex, NULL) == 0, error, SEQREC_E_MEMORY, "no memory for a lock");
    lock->ready = 1;
    return SEQREC_OK;
}

void sq_lock_destroy(sq_lock *lock)
{
    if (lock->ready) pthread_mutex_destroy(&lock->mutex);
    lock->ready = 0;
}

void sq_lock_take(sq_lock *lock) { pthread_mutex_lock(&lock->mutex); }
void sq_lock_give(sq_lock *lock) { pthread_mutex_unlock(&lock->mutex); }
