/* data: the synthetic generator and the exact filter over what it hides.
 *
 * The world, drawn from (seed, step 0), counters as given:
 *   - V items 0 .. V-1, C tastes. Item i belongs to taste i mod C, and for C > 1 to one other taste drawn uniformly.
 *     The pool of a taste is its items by rising index; rank r = 0, 1, ... is the place in the pool, which has m items.
 *   - q(i | z) = (r + 1)^-zipf / sum over the pool, r the rank of i in the pool of z; 0 outside the pool.
 *   - S(i, z), for i in the pool of z: `successors` distinct items of that pool other than i, drawn uniformly.
 *   - Item i has the id 1 + (place of i in a random permutation), so ids tell nothing.
 * A user, drawn from (seed, step 1 + user): length n uniform in shortest..longest; then n events:
 *   - z_1 uniform over the tastes; x_1 from q(. | z_1).
 *   - Before event t > 1 the taste changes with probability drift (0 when C = 1) to one of the C - 1 others, uniformly.
 *   - When it changed, x_t is from q(. | z_t). Otherwise with probability markov x_t is uniform in S(x_t-1, z_t), else from
 *     q(. | z_t).
 *   - Users repeat items. Only an x_n that the user had before makes the whole sequence be drawn anew (with the same n, at most
 *     SQ_SYNTH_ATTEMPTS times, after which it stays): protocol E4 ranks items that are not in the history, and given the
 *     history, P(x_n = y | y new) is proportional to P(x_n = y), so that ranking by the filter below is the best there is.
 *   - Times: the first uniform in a year, then gaps of 1 s .. 1 day.
 * Items nobody had are not in the dataset.
 *
 * The filter: a_t(z) = P(z_t = z | x_1..x_t). It is 0 but for the two tastes of x_t. With c = drift / (C - 1):
 *   P(x_t, z_t = z | x_1..x_t-1) = a(z) (1 - drift) [markov [x_t in S(x_t-1, z)] / successors + (1 - markov) q(x_t | z)]
 *                                + (1 - a(z)) c q(x_t | z),   a = a_t-1
 * which, summed over z, is the predictive probability of x_t and, normalised, is a_t. */
#ifndef SQ_SYNTH_H
#define SQ_SYNTH_H
#include "data/dataset.h"

#define SQ_SYNTH_ATTEMPTS 64
#define SQ_SYNTH_SUCCESSORS 64 /* most of option successors */

/* One taste an item belongs to; rank -1: there is none. */
typedef struct sq_membership {
    int32_t taste, rank;
} sq_membership;

typedef struct sq_world {
    seqrec_synth with; /* defaults filled in */
    uint64_t key;
    int64_t *pool_starts;       /* [clusters + 1] into pool */
    int32_t *pool;              /* items of all tastes */
    sq_membership (*member)[2]; /* [items] */
    double *weight_sums;        /* [largest pool + 1]: sums of the first r weights */
    int64_t *ids;               /* [items] */
} sq_world;

/* What the visible history says: P(taste = member[last][m].taste) = posterior[m]; last -1: nothing seen. */
typedef struct sq_belief {
    int32_t last;
    double posterior[2];
} sq_belief;

/* Fills in defaults and checks: E_RANGE names the field. */
int32_t sq_synth_check(const seqrec_synth *asked, seqrec_synth *out, seqrec_error *error);
/* with: checked. E_RANGE when a pool has too few items for the successors. */
int32_t sq_world_create(const sq_memory *memory, const seqrec_synth *with, sq_world *out, seqrec_error *error);
void sq_world_free(sq_world *world, const sq_memory *memory);
/* q(item | member[item][m].taste). */
double sq_world_popularity(const sq_world *world, int32_t item, int32_t m);
/* S(item, taste of member m) into out[successors]. */
void sq_world_successors(const sq_world *world, int32_t item, int32_t m, int32_t *out);

/* Nothing seen. */
sq_belief sq_belief_start(void);
/* Takes in one more item of the history and returns its predictive probability. */
double sq_belief_see(const sq_world *world, sq_belief *belief, int32_t item);
/* P(next item = i) for all items: out[items]. */
void sq_belief_predict(const sq_world *world, const sq_belief *belief, double *out);

/* Events of one user as item indices; times[n], items[n] with n the length. */
int64_t sq_world_length(const sq_world *world, int64_t user);
void sq_world_user(const sq_world *world, int64_t user, int32_t *items, int64_t *times);

/* Expected HR@k and NDCG@k of a candidate with `better` others before it and `equal` beside it, in random order of ties. */
void sq_expected_rank(int64_t better, int64_t equal, int64_t k, double *hit, double *ndcg);
/* HR@10 and NDCG@10 of the filter on the last event of each user of a dataset made by this world, among the dataset's items that
 * are not in the user's history (the target always takes part). Users with one event are left out. */
int32_t sq_world_ceiling(const sq_world *world, const seqrec_dataset *dataset, seqrec_ceiling *out,
                         seqrec_error *error);
/* Generates the dataset; ceiling may be NULL, its struct_size is left alone. */
int32_t sq_dataset_synthesize(seqrec_context *context, const seqrec_synth *synth, seqrec_dataset **out,
                              seqrec_ceiling *ceiling, seqrec_error *error);
#endif
