/* serve: the best items of one user by the model's index. It names candidates; whether they may be recommended, and their scores, are
 * found out here, as are those of the items beside it. */
#ifndef SQ_INDEXED_H
#define SQ_INDEXED_H
#include "serve/request.h"
#include "serve/topheap.h"

/* How a call uses the index. */
typedef struct sq_indexed {
    const sq_cover *cover; /* NULL: it does not */
    const sq_scoring *scoring;
    const seqrec_filter *filter; /* without an allow list */
    const int32_t *deny;         /* [denied] rising slots; set when they are known */
    int64_t denied;
    int64_t best; /* items that a list may have at most */
    int64_t want; /* candidates asked for first */
    int64_t most; /* and at the very most */
} sq_indexed;

/* Counts n lists that are made of all items without asking. cover may be NULL. */
void sq_indexed_pass(const sq_cover *cover, const seqrec_filter *filter, int64_t n);
/* Whether lists of `best` items are worth asking the index for, and how. cover may be NULL. */
sq_indexed sq_indexed_plan(const sq_cover *cover, const sq_scoring *scoring, const seqrec_filter *filter, int64_t best);

/* Fills `heap`, fresh and of at least `best` items, for a user vector [scoring->width] whose history has the rising slots seen[n].
 * slots: room for `most`. 0: the index cannot say, the heap is fresh again and all items are to be scored. */
int32_t sq_indexed_fill(const sq_indexed *indexed, const float *user, const int32_t *seen, int64_t n, sq_seat *seat, int32_t *slots,
                        sq_topk *heap);
#endif
