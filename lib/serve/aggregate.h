/* serve: several paths made one list. */
#ifndef SQ_AGGREGATE_H
#define SQ_AGGREGATE_H
#include "base/memory.h"

typedef struct sq_paths {
    const int64_t *items; /* [width][steps], below 2^31 in all */
    int64_t width, steps;
    const double *log_probabilities; /* [width], or NULL: equal weights; by relevance [width][steps], of each item; at most about 0 */
} sq_paths;

/* how: SEQREC_AGGREGATE_*; items [k], scores [k] or NULL, found: as in seqrec.h. */
int32_t sq_aggregate(const sq_memory *memory, const sq_paths *paths, int32_t how, int64_t k, int64_t *items, double *scores,
                     int64_t *found, seqrec_error *error);
#endif
