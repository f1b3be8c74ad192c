/* eval: the negatives a target competes with under the sampled protocols. */
#ifndef SQ_CANDIDATES_H
#define SQ_CANDIDATES_H
#include "eval/protocol.h"

#define SQ_CANDIDATES 100

typedef struct sq_candidates {
    int32_t against; /* SQ_AGAINST_TRAIN, _POPULAR or _UNIFORM */
    uint64_t seed;
    int64_t items;
    uint64_t *running; /* [items + 1] running count of events by item, for SQ_AGAINST_POPULAR; else NULL */
} sq_candidates;

/* Scratch of one worker. */
typedef struct sq_candidate_scratch {
    uint32_t *mark; /* [items], zeroed once: mark[i] == stamp says that i may not be drawn */
    uint32_t stamp;
    int32_t *pool; /* [items] */
} sq_candidate_scratch;

/* Counts are over all events of the dataset, held-out ones included, as the protocol's origin does. */
int32_t sq_candidates_create(const sq_memory *memory, const seqrec_dataset *dataset, int32_t against, uint64_t seed,
                             sq_candidates *out, seqrec_error *error);
void sq_candidates_free(sq_candidates *candidates, const sq_memory *memory);

/* Draws the negatives of one user, a function of (seed, user) alone; returns how many, fewer than SQ_CANDIDATES only when
 * fewer are eligible. */
int32_t sq_candidates_draw(const sq_candidates *candidates, const sq_cases *cases, const sq_case *one,
                           sq_candidate_scratch *scratch, int32_t out[SQ_CANDIDATES]);
#endif
