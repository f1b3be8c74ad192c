/* unit: a host allocator that counts, checks what comes back and that nothing was written behind it, and can fail at the n-th request. */
#ifndef COUNTING_ALLOCATOR_H
#define COUNTING_ALLOCATOR_H
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"

typedef struct counting_allocator {
    int64_t requests;
    int64_t fail_at; /* 0 = never; 1 = the first request */
    int64_t blocks;  /* not yet released */
    size_t bytes;    /* not yet released */
    size_t most;     /* that they ever were */
    size_t offset;   /* added to every block: a host that ignores the alignment */
} counting_allocator;

typedef struct counted_block {
    void *raw;
    size_t bytes;
    size_t alignment;
} counted_block;

enum { COUNTED_GUARD = 4096, COUNTED_FILL = 0xa5 };

/* Each block has `alignment` bytes in front, which end in a counted_block, and COUNTED_GUARD behind. */
static void *counting_allocate(void *context, size_t bytes, size_t alignment)
{
    counting_allocator *self = context;
    if (++self->requests == self->fail_at) return NULL;
    char *raw = NULL;
    if (posix_memalign((void **)&raw, alignment, alignment + bytes + self->offset + COUNTED_GUARD) != 0) return NULL;
    memset(raw, COUNTED_FILL, alignment + bytes + self->offset + COUNTED_GUARD);
    char *block = raw + alignment + self->offset;
    counted_block note = {raw, bytes, alignment};
    memcpy(block - sizeof note, &note, sizeof note);
    self->blocks++;
    self->bytes += bytes;
    if (self->bytes > self->most) self->most = self->bytes;
    return block;
}

/* The library leaves the slack at the end of a block zero, and what is behind as it was. */
static void counted_end_is_untouched(const uint8_t *end)
{
    size_t written = 0;
    for (size_t i = 0; i < SQ_SLACK; i++) written += end[-1 - (ptrdiff_t)i] != 0;
    for (size_t i = 0; i < COUNTED_GUARD; i++) written += end[i] != COUNTED_FILL;
    ck_assert_uint_eq(written, 0);
}

static void counting_release(void *context, void *block, size_t bytes, size_t alignment)
{
    counting_allocator *self = context;
    counted_block note;
    memcpy(&note, (char *)block - sizeof note, sizeof note);
    ck_assert_uint_eq(note.bytes, bytes);
    ck_assert_uint_eq(note.alignment, alignment);
    if (bytes >= SQ_SLACK && self->offset == 0) counted_end_is_untouched((const uint8_t *)block + bytes);
    self->blocks--;
    self->bytes -= bytes;
    free(note.raw);
}

static seqrec_allocator counting_host(counting_allocator *self)
{
    seqrec_allocator host = {sizeof host, self, counting_allocate, counting_release};
    return host;
}

static inline sq_memory counting_memory(counting_allocator *self)
{
    sq_memory memory;
    seqrec_allocator host = counting_host(self);
    ck_assert_int_eq(sq_memory_init(&memory, &host, NULL), SEQREC_OK);
    return memory;
}
#endif
