/* eval: one scorer over all cases of a protocol. */
#ifndef SQ_PASS_H
#define SQ_PASS_H
#include "eval/candidates.h"
#include "eval/metrics.h"
#include "eval/scorer.h"

typedef struct sq_pass {
    seqrec_context *context;
    const seqrec_dataset *dataset;
    const sq_protocol *protocol;
    const sq_cases *cases;
    const sq_candidates *candidates; /* of sampled protocols */
    const int64_t *cutoffs;          /* rising */
    int64_t cutoff_count;
    seqrec_progress_fn progress; /* may be NULL; counts cases over all passes */
    void *progress_context;
    int64_t done, total;
    sq_place *places; /* out: [cases] */
    /* out, zeroed before, NULL for sampled protocols: [cutoff_count][items] lists that show the item at a rank from the cut-off
     * before (or 0) up to this one. */
    _Atomic uint64_t *exposure;
    _Atomic int64_t users_short; /* out: users with fewer negatives than wanted */
} sq_pass;

/* Scores and ranks every case; bounded memory: per worker one block of users by the catalogue. The result is the same at any
 * thread count. E_CANCELLED when progress says so, else what the scorer answers. */
int32_t sq_pass_run(sq_pass *pass, const sq_scorer *scorer, seqrec_error *error);
#endif
