/* base: the one place that allocates. Blocks are 64-byte aligned and end in slack that vector code may read past. */
#ifndef SQ_MEMORY_H
#define SQ_MEMORY_H
#include <stdatomic.h>
#include "base/status.h"

/* Bytes behind every block that may be read (never written): a BLIS or vector kernel reads up to a row past its operand. */
#define SQ_SLACK 576

typedef struct sq_memory {
    seqrec_allocator host;
    uint64_t secret; /* key of hash tables: without it nobody can choose ids that all meet in one cell. It orders nothing that is told */
} sq_memory;

/* host NULL: the C library's allocator. E_ARGUMENT when the struct lacks a function. */
int32_t sq_memory_init(sq_memory *memory, const seqrec_allocator *host, seqrec_error *error);
/* count * size bytes, overflow checked, not cleared; NULL when it fails or overflows. count 0 gives a valid block. */
void *sq_alloc(const sq_memory *memory, size_t count, size_t size);
/* The same, zeroed (slack included). */
void *sq_alloc_zero(const sq_memory *memory, size_t count, size_t size);
/* Bytes asked for. */
size_t sq_block_bytes(const void *block);
/* NULL is allowed. */
void sq_free(const sq_memory *memory, void *block);
/* Elements of `size` bytes that a block has room for; of NULL 0. */
static inline size_t sq_block_room(const void *block, size_t size) { return block == NULL ? 0 : sq_block_bytes(block) / size; }
#define SQ_ROOM(array) sq_block_room(array, sizeof *(array))
/* Grows the block, NULL at first, to room for at least count elements, keeping the first `used`. On failure nothing changes.
 * `block` points to the pointer to it, of whatever type, which is read and written as bytes: a void ** may not stand for that. */
int32_t sq_grow(const sq_memory *memory, void *block, size_t used, size_t count, size_t size, seqrec_error *error);
#define SQ_GROW(memory, array, used, count, error)                                                                     \
    sq_grow(memory, &(array), (size_t)(used), (size_t)(count), sizeof *(array), error)
char *sq_copy_text(const sq_memory *memory, const char *text, size_t bytes);
#endif
