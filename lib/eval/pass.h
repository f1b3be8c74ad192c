/* eval: one scorer over all cases of a protocol. */
#ifndef SQ_PASS_H
#define SQ_PASS_H
#include "eval/candidates.h"
#include "eval/lists.h"
#include "eval/metrics.h"
#include "eval/scorer.h"

/* What full rankings may be measured by beside the target's place; each out array may be NULL. */
typedef struct sq_beyond {
    double *nll, *confidence; /* out: [cases] (sq_outlook_of); NaN for a scorer whose scores are no logits */
    const sq_item_vectors *vectors;
    const float *inverse_norms; /* [items] of these vectors, 0 for a zero vector */
    const int64_t *cutoffs;     /* rising, above 1 */
    int64_t cutoff_count;
    double *diversity; /* out: [cutoff_count][cases] mean of 1 - cosine over pairs of the list, 0 without a pair */
    const int32_t *by_popularity; /* [items] the most popular first */
    int64_t depth;
    double
        *apart_popular; /* out: [cases] share of the first `depth` places whose item popularity does not show there */
} sq_beyond;

typedef struct sq_pass {
    seqrec_context *context;
    const seqrec_dataset *dataset;
    const sq_protocol *protocol;
    const sq_cases *cases;
    const sq_candidates *candidates; /* of sampled protocols */
    int32_t hide_request_time; /* 1: asked at the newest event's time, not at the target's */
    seqrec_progress_fn progress;     /* may be NULL; counts cases over all passes */
    void *progress_context;
    int64_t done, total;
    sq_place *places; /* out: [cases] */
    sq_lists lists;   /* out; items NULL: not wanted (sampled protocols), length at most the items of the dataset */
    sq_beyond beyond; /* of full rankings with lists */
    _Atomic int64_t users_short; /* out: users with fewer negatives than wanted */
} sq_pass;

/* Scores and ranks every case; bounded memory: per worker one block of users by the catalogue. The result is the same at any
 * thread count. E_CANCELLED when progress says so, else what the scorer answers. */
int32_t sq_pass_run(sq_pass *pass, const sq_scorer *scorer, seqrec_error *error);
#endif
