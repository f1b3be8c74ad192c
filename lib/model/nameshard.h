/* model: one bucket of the tables of names: hash -> (id, text), immutable once other threads can see it. */
#ifndef SQ_NAMESHARD_H
#define SQ_NAMESHARD_H
#include "base/memory.h"

#define SQ_NAME_FREE UINT32_MAX

typedef struct sq_name_cell {
    int64_t id;
    uint32_t tag; /* low half of the hash */
    uint32_t at;  /* where the text starts, 0 in a shard without texts, SQ_NAME_FREE in a free cell */
} sq_name_cell;

typedef struct sq_name_shard {
    _Atomic int32_t references;
    int32_t count;
    size_t mask;
    sq_name_cell *cells; /* [mask + 1], at most three quarters in use */
    char *text;          /* terminated texts one behind the other, NULL in a shard without texts */
    size_t used;
} sq_name_shard;

/* An empty shard with room for `expected` entries, with texts or without; NULL when memory fails. */
sq_name_shard *sq_name_shard_create(const sq_memory *memory, int64_t expected, int32_t with_text);
/* A private copy with room for `extra` more that leaves texts of erased entries behind; NULL when memory fails. */
sq_name_shard *sq_name_shard_copy(const sq_memory *memory, const sq_name_shard *like, int64_t extra);
sq_name_shard *sq_name_shard_retain(sq_name_shard *shard);
void sq_name_shard_release(const sq_memory *memory, sq_name_shard *shard);
int32_t sq_name_shard_shared(const sq_name_shard *shard);

/* The entry of id under `hash`, or NULL. */
const sq_name_cell *sq_name_shard_find(const sq_name_shard *shard, uint64_t hash, int64_t id);
/* On a private shard only: adds an entry whose id is not there yet; returns 0 when memory fails. */
int32_t sq_name_shard_add(const sq_memory *memory, sq_name_shard *shard, uint64_t hash, int64_t id, const char *text,
                          size_t bytes);
/* On a private shard only. An entry that is not there is left out. */
void sq_name_shard_erase(sq_name_shard *shard, uint64_t hash, int64_t id);
#endif
