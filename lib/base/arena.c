/* base: the bump allocator. Under AddressSanitizer the gaps between pieces are poisoned. */
#include "base/arena.h"

#define ALIGNMENT ((size_t)64)
#define GAP ((size_t)64)

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#define FORBID(at, bytes) __asan_poison_memory_region((at), (bytes))
#define ALLOW(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#else
#define FORBID(at, bytes) ((void)(at), (void)(bytes))
#define ALLOW(at, bytes) ((void)(at), (void)(bytes))
#endif

/* End of a piece of count * size bytes at `start`, its gap included and aligned; SIZE_MAX when that does not fit. */
static size_t piece_end(size_t start, size_t count, size_t size)
{
    const size_t most = SIZE_MAX - start - GAP - ALIGNMENT;
    if (start > SIZE_MAX / 2 || (size != 0 && count > most / size)) return SIZE_MAX;
    return (start + count * size + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *sq_take(sq_arena *arena, size_t count, size_t size)
{
    const size_t start = arena->used;
    const size_t end = start == SIZE_MAX ? SIZE_MAX : piece_end(start, count, size);
    if (arena->base != NULL && end > arena->capacity) return NULL;
    arena->used = end;
    if (end > arena->peak) arena->peak = end;
    if (arena->base == NULL) return NULL;
    char *piece = arena->base + start;
    ALLOW(piece, count * size);
    FORBID(piece + count * size, end - start - count * size);
    return piece;
}

int32_t sq_arena_reserve(sq_arena *arena, const sq_memory *memory, size_t bytes, seqrec_error *error)
{
    if (arena->base != NULL && arena->capacity >= bytes) return SEQREC_OK;
    char *base = sq_alloc(memory, bytes, 1);
    SQ_CHECK(base != NULL, error, SEQREC_E_MEMORY, "cannot allocate %zu bytes of working memory", bytes);
    sq_arena_free(arena, memory);
    arena->base = base;
    arena->capacity = bytes;
    return SEQREC_OK;
}

void sq_arena_free(sq_arena *arena, const sq_memory *memory)
{
    if (arena->base != NULL) ALLOW(arena->base, arena->capacity);
    sq_free(memory, arena->base);
    *arena = (sq_arena){NULL, 0, 0, 0};
}
