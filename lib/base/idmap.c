/* base: hash map from int64 ids to int32 indices, linear probing at most two thirds full. */
#include "base/idmap.h"
#include <string.h>
#include "base/rng.h"

/* The slot that holds id, or the free slot where it belongs. */
static size_t slot_of(const sq_idmap *map, int64_t id)
{
    size_t slot = (size_t)sq_mix64((uint64_t)id ^ map->key) & (map->capacity - 1);
    while (map->values[slot] >= 0 && map->keys[slot] != id) slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

/* Smallest power of two of which `count` is at most two thirds, or 0 when there is none. */
static size_t capacity_for(size_t count)
{
    if (count > SIZE_MAX / 8) return 0;
    size_t capacity = 16;
    while (capacity / 3 * 2 < count) capacity *= 2;
    return capacity;
}

int32_t sq_idmap_reserve(sq_idmap *map, const sq_memory *memory, size_t count, seqrec_error *error)
{
    const size_t capacity = capacity_for(count);
    if (capacity != 0 && capacity <= map->capacity) return SEQREC_OK;
    int64_t *keys = capacity == 0 ? NULL : sq_alloc(memory, capacity, sizeof *keys);
    int32_t *values = keys == NULL ? NULL : sq_alloc(memory, capacity, sizeof *values);
    if (values == NULL) {
        sq_free(memory, keys);
        return sq_fail(error, SEQREC_E_MEMORY, "cannot allocate an index of %zu ids", count);
    }
    memset(values, 0xff, capacity * sizeof *values);
    const sq_idmap wider = {keys, values, capacity, map->count, memory->secret};
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->values[i] < 0) continue;
        size_t slot = slot_of(&wider, map->keys[i]);
        keys[slot] = map->keys[i];
        values[slot] = map->values[i];
    }
    sq_free(memory, map->keys);
    sq_free(memory, map->values);
    *map = wider;
    return SEQREC_OK;
}

int32_t sq_idmap_find(const sq_idmap *map, int64_t id)
{
    if (map->capacity == 0) return -1;
    return map->values[slot_of(map, id)];
}

int32_t sq_idmap_insert(sq_idmap *map, const sq_memory *memory, int64_t id, int32_t value, int32_t *found,
                        seqrec_error *error)
{
    *found = sq_idmap_find(map, id);
    if (*found >= 0) return SEQREC_OK;
    SQ_CHECK(value >= 0, error, SEQREC_E_ARGUMENT, "index %d of id %lld is negative", (int)value, (long long)id);
    SQ_TRY(sq_idmap_reserve(map, memory, map->count + 1, error));
    const size_t slot = slot_of(map, id);
    map->keys[slot] = id;
    map->values[slot] = value;
    map->count++;
    *found = value;
    return SEQREC_OK;
}

void sq_idmap_free(sq_idmap *map, const sq_memory *memory)
{
    sq_free(memory, map->keys);
    sq_free(memory, map->values);
    *map = (sq_idmap){0};
}
