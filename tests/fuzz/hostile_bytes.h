/* fuzz: what the targets that read files share: a demand, an allocator with a bound, and a copy with the right checksum. */
#ifndef HOSTILE_BYTES_H
#define HOSTILE_BYTES_H
#include <stdlib.h>
#include <string.h>
#include "model/safetensors.h"

#define DIGITS_AT (8 + sizeof SQ_SUM_PREFIX - 1)

static inline void demand(int holds)
{
    if (!holds) abort();
}

/* A file may ask for more than it brings: beyond `most` bytes there is no memory. */
typedef struct bounded {
    size_t bytes, most;
    int64_t blocks;
} bounded;

static inline void *bounded_allocate(void *context, size_t bytes, size_t alignment)
{
    bounded *state = context;
    void *block = NULL;
    if (bytes > state->most - state->bytes || posix_memalign(&block, alignment, bytes) != 0) return NULL;
    state->bytes += bytes;
    state->blocks++;
    return block;
}

static inline void bounded_release(void *context, void *block, size_t bytes, size_t alignment)
{
    bounded *state = context;
    (void)alignment;
    state->bytes -= bytes;
    state->blocks--;
    free(block);
}

static inline seqrec_allocator bounded_allocator(bounded *state, size_t most)
{
    *state = (bounded){.most = most};
    return (seqrec_allocator){sizeof(seqrec_allocator), state, bounded_allocate, bounded_release};
}

/* A copy whose header has the right checksum, when it begins as headers with one do; NULL otherwise. */
static inline uint8_t *signed_copy(const uint8_t *bytes, size_t size)
{
    uint64_t length = 0;
    if (size < DIGITS_AT + SQ_CHECKSUM_DIGITS || memcmp(bytes + 8, SQ_SUM_PREFIX, sizeof SQ_SUM_PREFIX - 1) != 0)
        return NULL;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    if (length > size - 8 || length < DIGITS_AT + SQ_CHECKSUM_DIGITS - 8) return NULL;
    uint8_t *copy = malloc(size);
    demand(copy != NULL);
    memcpy(copy, bytes, size);
    memset(copy + DIGITS_AT, '0', SQ_CHECKSUM_DIGITS);
    sq_checksum_write(sq_checksum_of(copy, 8 + (size_t)length), (char *)copy + DIGITS_AT);
    return copy;
}
#endif
