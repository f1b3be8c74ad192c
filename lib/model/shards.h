/* model: one bucket of the id -> slot map, an open-addressing table that is immutable once other threads can see it. */
#ifndef SQ_SHARDS_H
#define SQ_SHARDS_H
#include "base/memory.h"
#include "base/rng.h"

typedef struct sq_shard sq_shard;

/* The high bits choose the shard, the low bits the cell. */
static inline uint64_t sq_hash_id(const sq_memory *memory, int64_t id)
{
    return sq_mix64((uint64_t)id ^ memory->secret);
}

static inline size_t sq_shard_index(uint64_t hash, int32_t bits)
{
    return (size_t)((hash >> 1) >> (63 - bits));
}

/* An empty shard with room for `expected` entries; NULL when memory fails. */
sq_shard *sq_shard_create(const sq_memory *memory, int64_t expected);
/* A private copy with room for `extra` more; NULL when memory fails. */
sq_shard *sq_shard_copy(const sq_memory *memory, const sq_shard *like, int64_t extra);
sq_shard *sq_shard_retain(sq_shard *shard);
void sq_shard_release(const sq_memory *memory, sq_shard *shard);
/* True when somebody else may hold the shard: then it must be copied before it is changed. */
int32_t sq_shard_shared(const sq_shard *shard);

/* Slot of id, or -1. */
int32_t sq_shard_find(const sq_shard *shard, uint64_t hash, int64_t id);
/* Asks for the cell of hash ahead of use. */
void sq_shard_prefetch(const sq_shard *shard, uint64_t hash);

/* On a private shard only. Inserts id -> slot unless id is there; *found gets the slot now stored. The shard may move.
 * Returns 0 when memory fails, and changes nothing then. */
int32_t sq_shard_insert(const sq_memory *memory, sq_shard **shard, int64_t id, int32_t slot, int32_t *found);
/* On a private shard only. An id that is not there is left out. */
void sq_shard_erase(const sq_memory *memory, sq_shard *shard, int64_t id);

int32_t sq_shard_count(const sq_shard *shard);
/* Walks the entries: start with *cell = 0; returns 0 past the last. */
int32_t sq_shard_next(const sq_shard *shard, size_t *cell, int64_t *id, int32_t *slot);
#endif
