/* model: an index of the host over the scored vectors of one table, and which items of a later table it does not know. The index never
 * changes: what changed since is a list beside it, made when a table is published and scanned by whoever asks. */
#ifndef SQ_ITEMINDEX_H
#define SQ_ITEMINDEX_H
#include "model/catalogue.h"

#define SQ_INDEX_BREADTH_MOST 65536

/* Reference counted; shared by all snapshots that it covers. */
typedef struct sq_index {
    _Atomic int64_t references;
    seqrec_index host;
    sq_catalogue *base; /* what it was built of */
    _Atomic int64_t searched, scanned, failed; /* lists it gave; lists that were scanned all the same, and of these for a failure */
} sq_index;

/* An index beside one table; immutable, reference counted. */
typedef struct sq_cover {
    _Atomic int32_t references;
    sq_index *index;
    int32_t *side; /* [side_count] rising slots of items that are not in index->base with this vector and generation */
    int64_t side_count;
} sq_cover;

/* Takes over host->context, but not on failure. */
int32_t sq_index_create(sq_catalogue *base, const seqrec_index *host, sq_index **out, seqrec_error *error);
/* With the last reference host.release is called. NULL is allowed. */
void sq_index_release(sq_index *index);

/* What `index` is beside `now`; adds a reference to it. before (may be NULL): a cover by the same index of `table`, of whose chunks
 * those that are the same are not compared again. *out is NULL when too little of the table is covered to be worth a search: more
 * than a quarter of its items are not in the index, or more than a quarter of the index's items are not in it. */
int32_t sq_cover_create(sq_index *index, const sq_cover *before, const sq_catalogue *table, const sq_catalogue *now, sq_cover **out,
                        seqrec_error *error);
sq_cover *sq_cover_retain(sq_cover *cover);
void sq_cover_release(sq_cover *cover);

/* Whether an item that lives in `slot` of `now` lives there in `base` too, with the same scored vector. */
int32_t sq_item_same(const sq_catalogue *now, const sq_catalogue *base, int32_t slot);
/* Whether a whole chunk is the same because nobody touched it. */
int32_t sq_chunk_same(const sq_catalogue *now, const sq_catalogue *base, int32_t chunk);
#endif
