/* unit: an allocator that counts what is outstanding and fails on the n-th request. */
#ifndef FAILING_ALLOCATOR_H
#define FAILING_ALLOCATOR_H
#include <stdatomic.h>
#include <stdlib.h>
#include "seqrec.h"

typedef struct failing_allocator {
    _Atomic int64_t blocks;  /* outstanding */
    _Atomic int64_t to_fail; /* requests until one fails; below 0: none does */
    _Atomic int64_t largest; /* bytes of the largest request so far */
} failing_allocator;

static inline void *failing_allocate(void *context, size_t bytes, size_t alignment)
{
    failing_allocator *state = context;
    void *block = NULL;
    int64_t left = atomic_load(&state->to_fail);
    if (left >= 0) atomic_store(&state->to_fail, left - 1);
    if (atomic_load(&state->largest) < (int64_t)bytes) atomic_store(&state->largest, (int64_t)bytes);
    if (left == 0 || posix_memalign(&block, alignment, bytes)) return NULL;
    atomic_fetch_add(&state->blocks, 1);
    return block;
}

static inline void failing_release(void *context, void *block, size_t bytes, size_t alignment)
{
    failing_allocator *state = context;
    (void)bytes;
    (void)alignment;
    atomic_fetch_sub(&state->blocks, 1);
    free(block);
}

static inline seqrec_allocator failing_allocator_of(failing_allocator *state)
{
    atomic_init(&state->blocks, 0);
    atomic_init(&state->to_fail, -1);
    atomic_init(&state->largest, 0);
    return (seqrec_allocator){sizeof(seqrec_allocator), state, failing_allocate, failing_release};
}
#endif
