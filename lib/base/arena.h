/* base: a bump allocator over one block, measured first with the same code that carves it. */
#ifndef SQ_ARENA_H
#define SQ_ARENA_H
#include "base/memory.h"

/* base NULL: measuring; takes return NULL and only count. */
typedef struct sq_arena {
    char *base;
    size_t used, capacity, peak;
} sq_arena;

/* Next count * size bytes at 64-byte alignment, each piece followed by 64 bytes of gap. NULL when the arena is full; a size
 * that overflows while measuring makes sq_arena_reserve fail. Reserve what `peak` says after measuring. */
void *sq_take(sq_arena *arena, size_t count, size_t size);
#define SQ_TAKE(arena, type, count) ((type *)sq_take((arena), (count), sizeof(type)))
static inline size_t sq_mark(const sq_arena *arena)
{
    return arena->used;
}
static inline void sq_rewind(sq_arena *arena, size_t mark)
{
    arena->used = mark;
}
/* Makes arena->capacity at least `bytes`; when it moves, contents are lost and used and peak restart at 0. */
int32_t sq_arena_reserve(sq_arena *arena, const sq_memory *memory, size_t bytes, seqrec_error *error);
void sq_arena_free(sq_arena *arena, const sq_memory *memory);
#endif
