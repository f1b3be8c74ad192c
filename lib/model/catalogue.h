/* model: the keyed table of items, and of users. Rows live in chunks of fixed size that never move; a chunk, once published, is never written: a
 * writer copies what it changes and publishes a new catalogue, so a reader's catalogue stays as it is. */
#ifndef SQ_CATALOGUE_H
#define SQ_CATALOGUE_H
#include "base/context.h"
#include "model/coarse.h"
#include "model/mapping.h"

#define SQ_CHUNK_ROWS 1024 /* slot = chunk * SQ_CHUNK_ROWS + row */

/* Who lives in the slots of one chunk. A stamp is the catalogue version that last put or updated a row from outside training; most
 * chunks are filled once and have one for all of their rows. */
typedef struct sq_slots {
    _Atomic int32_t references;
    int32_t live_count;
    uint64_t stamp;   /* of all rows, where stamps is NULL */
    uint64_t *stamps; /* [SQ_CHUNK_ROWS], or NULL */
    int64_t id[SQ_CHUNK_ROWS];
    int32_t generation[SQ_CHUNK_ROWS]; /* rises each time the slot gets a new item */
    uint8_t live[SQ_CHUNK_ROWS];
} sq_slots;

static inline uint64_t sq_slots_stamp(const sq_slots *slots, int32_t row) { return slots->stamps ? slots->stamps[row] : slots->stamp; }
/* Gives up one reference; NULL is left out. */
void sq_slots_release(const sq_memory *memory, sq_slots *slots);

/* The vectors of one chunk: [SQ_CHUNK_ROWS][stride] floats, zero where no item lives and in the padding of each row. */
typedef struct sq_rows {
    _Atomic int32_t references;
    int32_t wiped; /* 1: zeroed before their memory is given back */
    float *at;     /* 64-byte aligned */
    sq_mapping *mapping; /* NULL, or the file that `at` lies in: then nobody may write it, shared or not */
} sq_rows;

/* What a table holds. */
typedef struct sq_kind {
    const char *name; /* for messages */
    int32_t wiped;    /* 1: no chunk that goes leaves its vectors in free memory */
} sq_kind;
extern const sq_kind sq_kind_item, sq_kind_user;

/* One bucket of the id -> slot map: immutable open addressing (shards.h). */
typedef struct sq_shard sq_shard;

/* An immutable table; reference counted. */
typedef struct sq_catalogue {
    seqrec_context *context; /* retained */
    _Atomic int32_t references;
    const sq_kind *kind;
    int32_t dim;     /* d: floats of a vector */
    int32_t padded;  /* d rounded up to 16 */
    int32_t tables;  /* 1 tied, 2: input vector then output vector */
    int32_t stride;  /* tables * padded */
    int32_t chunks;  /* length of slots and rows */
    sq_slots **slots;
    sq_rows **rows;
    sq_coarse_rule rule; /* of the copies in few bits; users have none */
    sq_coarse **coarse;  /* [chunks], NULL where no item lives; NULL without copies */
    int64_t count;   /* live items */
    uint64_t version; /* rises with every change of membership or of a vector from outside training */
    int32_t shard_bits;
    sq_shard **shards; /* [1 << shard_bits] */
} sq_catalogue;

/* An empty catalogue. */
int32_t sq_catalogue_create(seqrec_context *context, const sq_kind *kind, int32_t dim, int32_t tables,
                            sq_catalogue **out, seqrec_error *error);
sq_catalogue *sq_catalogue_retain(sq_catalogue *catalogue);
void sq_catalogue_release(sq_catalogue *catalogue);

/* Slot of id, or -1. */
int32_t sq_catalogue_find(const sq_catalogue *catalogue, int64_t id);
static inline float *sq_catalogue_row(const sq_catalogue *catalogue, int32_t slot)
{
    return catalogue->rows[slot / SQ_CHUNK_ROWS]->at +
           (size_t)(slot % SQ_CHUNK_ROWS) * (size_t)catalogue->stride;
}
/* Of any slot of the table; id and generation of one that is free are those it had. */
static inline int64_t sq_catalogue_id(const sq_catalogue *catalogue, int32_t slot)
{
    return catalogue->slots[slot / SQ_CHUNK_ROWS]->id[slot % SQ_CHUNK_ROWS];
}
static inline int32_t sq_catalogue_generation(const sq_catalogue *catalogue, int32_t slot)
{
    return catalogue->slots[slot / SQ_CHUNK_ROWS]->generation[slot % SQ_CHUNK_ROWS];
}
static inline uint8_t sq_catalogue_live(const sq_catalogue *catalogue, int32_t slot)
{
    return catalogue->slots[slot / SQ_CHUNK_ROWS]->live[slot % SQ_CHUNK_ROWS];
}

/* Each makes a new catalogue with the change, all or nothing; `base` is not touched. vectors: [n][dim * tables].
 * put: ids must be new (E_EXISTS), distinct and their vectors finite (E_ARGUMENT names the id); freed slots are reused, lowest
 * first, under a new generation. vectors NULL: `fill` (NULL: zeros) writes each row ([stride], zeroed before).
 * update and remove: ids must be there (E_NOT_FOUND) and distinct (E_ARGUMENT). */
typedef void (*sq_row_fill)(void *arg, int64_t id, float *row);
int32_t sq_catalogue_put(const sq_catalogue *base, const int64_t *ids, int64_t n, const float *vectors,
                         sq_row_fill fill, void *arg, sq_catalogue **out, seqrec_error *error);
int32_t sq_catalogue_update(const sq_catalogue *base, const int64_t *ids, int64_t n, const float *vectors,
                            sq_catalogue **out, seqrec_error *error);
int32_t sq_catalogue_remove(const sq_catalogue *base, const int64_t *ids, int64_t n, sq_catalogue **out,
                            seqrec_error *error);
/* The same table with copies in few bits, made anew (kind FLOAT32: without any). From then on every change keeps them. */
int32_t sq_catalogue_with_copies(const sq_catalogue *base, sq_coarse_rule rule, sq_catalogue **out, seqrec_error *error);
/* The same membership and version with other row chunks (what a trainer publishes), without copies in few bits: adds a reference
 * to each of rows[chunks], the caller keeps its own. */
int32_t sq_catalogue_with_rows(const sq_catalogue *base, sq_rows *const *rows, sq_catalogue **out,
                               seqrec_error *error);
/* The parts of a table that a file holds as they are in memory, whole chunks; every part adds a reference to what it takes. */
typedef struct sq_stored {
    sq_rows *const *rows;     /* [chunks] */
    sq_coarse *const *coarse; /* [chunks], or NULL when rule asks for none */
    sq_coarse_rule rule;
} sq_stored;
/* Places items at given slots and generations (loading a file): ids[n] distinct, slots[n] strictly rising, generations[n]
 * positive; E_FORMAT otherwise. stored NULL: rows are zero and belong to the caller alone, who may fill those of the ids before anybody
 * else sees the table. The table has as many chunks as its last slot asks. */
int32_t sq_catalogue_restore(seqrec_context *context, const sq_kind *kind, int32_t dim, int32_t tables, const int64_t *ids,
                             const int32_t *slots, const int32_t *generations, int64_t n, const sq_stored *stored, sq_catalogue **out,
                             seqrec_error *error);

/* Row chunks on their own, for a trainer's private copies: a new chunk, zeroed or a copy of `like` (and wiped like it). NULL
 * when memory fails. */
sq_rows *sq_rows_create(const sq_memory *memory, int32_t stride, const sq_rows *like);
/* A chunk that lies in a mapped file; adds a reference to the mapping. */
sq_rows *sq_rows_map(const sq_memory *memory, sq_mapping *mapping, const float *at);
sq_rows *sq_rows_retain(sq_rows *rows);
void sq_rows_release(const sq_memory *memory, sq_rows *rows);
#endif
