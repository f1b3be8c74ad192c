/* eval: how the lists of a pass spread over the catalogue. */
#ifndef SQ_EXPOSURE_H
#define SQ_EXPOSURE_H
#include "base/memory.h"
#include "eval/lists.h"

/* Where the figures of each cut-off go. The columns, [cutoffs][lists->count] or NULL, get for each user a value whose mean is
 * the figure and whose spread is that of leaving the user out (sq_spread_of). */
typedef struct sq_exposure {
    double *coverage, *gini; /* [cutoffs] */
    double *coverage_of, *gini_of;
} sq_exposure;

/* cutoffs rising; `items` = size of the catalogue. */
int32_t sq_exposure_measure(const sq_memory *memory, const sq_lists *lists, int64_t items, const int64_t *cutoffs,
                            int64_t cutoff_count, const sq_exposure *out, seqrec_error *error);
#endif
