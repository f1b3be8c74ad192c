/* base: hash map from int64 ids to int32 indices, open addressing, one writer. */
#ifndef SQ_IDMAP_H
#define SQ_IDMAP_H
#include "base/memory.h"

typedef struct sq_idmap {
    int64_t *keys;
    int32_t *values; /* -1 = free */
    size_t capacity; /* power of two, or 0 */
    size_t count;
    uint64_t key; /* the memory's secret */
} sq_idmap;

/* Makes room for `count` ids in all. Zero-initialise the struct before use. On failure the map stays as it is. */
int32_t sq_idmap_reserve(sq_idmap *map, const sq_memory *memory, size_t count, seqrec_error *error);
/* Index of id, or -1. */
int32_t sq_idmap_find(const sq_idmap *map, int64_t id);
/* Inserts id -> value (>= 0) unless it is there; *found gets the value now stored. Grows as needed. */
int32_t sq_idmap_insert(sq_idmap *map, const sq_memory *memory, int64_t id, int32_t value, int32_t *found,
                        seqrec_error *error);
void sq_idmap_free(sq_idmap *map, const sq_memory *memory);
#endif
