/* eval: how much lists depend on more than the last items of a history. */
#ifndef SQ_PERSONAL_H
#define SQ_PERSONAL_H
#include "eval/lists.h"
#include "eval/protocol.h"

enum { SQ_PERSONAL_LIST = 10, SQ_PERSONAL_LAST = 3, SQ_PERSONAL_MOST = 100 };

/* Over all pairs of users whose histories end with the same k items, for k = 1 .. last: how many pairs there are, the share
 * with other lists, and the mean of 1 - overlap, where overlap is the share of the first `depth` places that hold common items.
 * Both are NaN where there is no pair. Columns, [last][cases] or NULL, as in sq_exposure. Time and memory grow with the users,
 * not with the pairs. */
typedef struct sq_personal {
    double *pairs, *differ, *apart; /* [last] */
    double *differ_of, *apart_of;
} sq_personal;

/* lists->count = cases->count; depth <= lists->length. */
int32_t sq_personal_measure(const sq_memory *memory, const sq_cases *cases, const sq_lists *lists, int64_t depth,
                            int64_t items, int64_t last, const sq_personal *out, seqrec_error *error);
#endif
