/* model: a catalogue under construction: begins as a sharing copy of its base and owns what it touches. */
#ifndef SQ_ITEMDRAFT_H
#define SQ_ITEMDRAFT_H
#include "model/catalogue.h"

/* Most slots of a catalogue: slots are int32 and chunks are whole. */
#define SQ_SLOT_LIMIT ((int64_t)(INT32_MAX / SQ_CHUNK_ROWS) * SQ_CHUNK_ROWS)

/* The base must stay alive while the draft does: a part is private exactly when its reference count is 1. */
typedef struct sq_draft {
    sq_catalogue *made;
    int64_t shard_growth; /* entries a shard is likely to gain */
} sq_draft;

/* Starts from `base`, with at least `chunks` chunks (new ones absent until owned) and room for `adding` more ids. */
int32_t sq_draft_begin(sq_draft *draft, const sq_catalogue *base, int32_t chunks, int64_t adding, seqrec_error *error);
/* Makes slots and rows of the chunk private to the draft; its copy in few bits is dropped, and made anew at the end. */
int32_t sq_draft_own_chunk(sq_draft *draft, int32_t chunk, seqrec_error *error);
/* Makes slots of the chunk private to the draft, for a chunk whose rows are stored. */
int32_t sq_draft_own_slots(sq_draft *draft, int32_t chunk, seqrec_error *error);
/* Lets a draft without copies take the rows, and copies, of all its chunks from a file. */
int32_t sq_draft_store(sq_draft *draft, const sq_stored *stored, seqrec_error *error);
/* Lets every absent chunk share one blank whose slots have `generation`. */
int32_t sq_draft_fill_gaps(sq_draft *draft, int32_t generation, seqrec_error *error);
/* Enters id -> slot in the map; *found gets the slot now stored (another one: id was there, nothing changed). */
int32_t sq_draft_link(sq_draft *draft, int64_t id, int32_t slot, int32_t *found, seqrec_error *error);
int32_t sq_draft_unlink(sq_draft *draft, int64_t id, seqrec_error *error);
/* Drops all copies in few bits; those that `rule` asks for are made at the end. */
int32_t sq_draft_follow(sq_draft *draft, sq_coarse_rule rule, seqrec_error *error);
/* Makes the copies that are missing and hands the catalogue over when status is SEQREC_OK, else drops it; returns what failed. */
int32_t sq_draft_end(sq_draft *draft, int32_t status, sq_catalogue **out, seqrec_error *error);
#endif
