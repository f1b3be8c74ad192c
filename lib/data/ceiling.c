/* data: exact forward filtering over the hidden taste, and how well ranking by it does; synth.h has the formulas. */
#include <math.h>
#include "data/synth.h"

sq_belief sq_belief_start(void)
{
    return (sq_belief){-1, {0, 0}};
}

/* a(z) of a taste under the belief. */
static double posterior_of(const sq_world *world, const sq_belief *belief, int32_t taste)
{
    if (belief->last < 0) return 1.0 / (double)world->with.clusters;
    for (int m = 0; m < 2; m++) {
        if (world->member[belief->last][m].taste == taste) return belief->posterior[m];
    }
    return 0;
}

static double drift_of(const sq_world *world)
{
    return world->with.clusters > 1 ? world->with.drift : 0;
}

/* Probability that the next event is drawn by popularity from a taste held with probability a. */
static double popular_share(const sq_world *world, const sq_belief *belief, double a)
{
    double drift = drift_of(world);
    if (belief->last < 0) return a;
    double changed = drift == 0 ? 0 : (1 - a) * drift / (double)(world->with.clusters - 1);
    return a * (1 - drift) * (1 - world->with.markov) + changed;
}

/* Probability that the next event is one given successor under a taste held with probability a. */
static double successor_share(const sq_world *world, double a)
{
    return a * (1 - drift_of(world)) * world->with.markov / (double)world->with.successors;
}

static int32_t follows(const sq_world *world, int32_t last, int32_t taste, int32_t item)
{
    int32_t successors[SQ_SYNTH_SUCCESSORS];
    int32_t m = world->member[last][0].taste == taste ? 0 : 1;
    if (world->member[last][m].taste != taste) return 0;
    sq_world_successors(world, last, m, successors);
    for (int64_t s = 0; s < world->with.successors; s++) {
        if (successors[s] == item) return 1;
    }
    return 0;
}

double sq_belief_see(const sq_world *world, sq_belief *belief, int32_t item)
{
    double joint[2] = {0, 0};
    for (int32_t m = 0; m < 2; m++) {
        int32_t taste = world->member[item][m].taste;
        if (taste < 0) continue;
        double a = posterior_of(world, belief, taste);
        joint[m] = popular_share(world, belief, a) * sq_world_popularity(world, item, m);
        if (belief->last >= 0 && a > 0 && follows(world, belief->last, taste, item))
            joint[m] += successor_share(world, a);
    }
    double sum = joint[0] + joint[1];
    belief->last = item;
    for (int m = 0; m < 2; m++) belief->posterior[m] = sum > 0 ? joint[m] / sum : m == 0;
    return sum;
}

void sq_belief_predict(const sq_world *world, const sq_belief *belief, double *out)
{
    for (int32_t i = 0; i < (int32_t)world->with.items; i++) {
        out[i] = 0;
        for (int32_t m = 0; m < 2; m++) {
            int32_t taste = world->member[i][m].taste;
            if (taste < 0) continue;
            double a = posterior_of(world, belief, taste);
            out[i] += popular_share(world, belief, a) * sq_world_popularity(world, i, m);
        }
    }
    for (int32_t m = 0; m < 2 && belief->last >= 0; m++) {
        int32_t successors[SQ_SYNTH_SUCCESSORS];
        if (world->member[belief->last][m].taste < 0) continue;
        sq_world_successors(world, belief->last, m, successors);
        for (int64_t s = 0; s < world->with.successors; s++)
            out[successors[s]] += successor_share(world, belief->posterior[m]);
    }
}

void sq_expected_rank(int64_t better, int64_t equal, int64_t k, double *hit, double *ndcg)
{
    int64_t places = k - better;
    if (places < 0) places = 0;
    if (places > equal + 1) places = equal + 1;
    *hit = (double)places / (double)(equal + 1);
    *ndcg = 0;
    for (int64_t r = better; r < better + places; r++) *ndcg += 1 / log2((double)r + 2);
    *ndcg /= (double)(equal + 1);
}

/* Working memory of a ceiling. */
typedef struct ranking {
    const sq_world *world;
    const seqrec_dataset *dataset;
    int32_t *to_world; /* [items of the dataset] */
    int64_t *had_by;   /* [items of the dataset] last user with the item in the history, -1 = none */
    double *scores;    /* [items of the world] */
} ranking;

static int32_t reserve(ranking *work, seqrec_error *error)
{
    const sq_memory *memory = &work->dataset->context->memory;
    const sq_world *world = work->world;
    const seqrec_dataset *dataset = work->dataset;
    work->to_world = sq_alloc(memory, (size_t)dataset->items, sizeof *work->to_world);
    work->had_by = sq_alloc(memory, (size_t)dataset->items, sizeof *work->had_by);
    work->scores = sq_alloc(memory, (size_t)world->with.items, sizeof *work->scores);
    SQ_CHECK(work->to_world != NULL && work->had_by != NULL && work->scores != NULL, error, SEQREC_E_MEMORY,
             "no memory for the ceiling of %lld items", (long long)world->with.items);
    for (int64_t i = 0; i < dataset->items; i++) work->had_by[i] = -1;
    for (int64_t i = 0; i < world->with.items; i++) {
        int32_t dense = sq_idmap_find(&dataset->item_index, world->ids[i]);
        if (dense >= 0) work->to_world[dense] = (int32_t)i;
    }
    return SEQREC_OK;
}

/* Adds what the last event of a user gives. */
static void rank_user(ranking *work, int64_t user, seqrec_ceiling *sums)
{
    const seqrec_dataset *dataset = work->dataset;
    int64_t last = dataset->offsets[user + 1] - 1, better = 0, equal = 0;
    int32_t target = dataset->sequence[last];
    double hit, ndcg;
    sq_belief belief = sq_belief_start();
    for (int64_t e = dataset->offsets[user]; e < last; e++) {
        (void)sq_belief_see(work->world, &belief, work->to_world[dataset->sequence[e]]);
        work->had_by[dataset->sequence[e]] = user;
    }
    sq_belief_predict(work->world, &belief, work->scores);
    double score = work->scores[work->to_world[target]];
    for (int64_t i = 0; i < dataset->items; i++) {
        if (i == target || work->had_by[i] == user) continue;
        double other = work->scores[work->to_world[i]];
        better += other > score;
        equal += other == score;
    }
    sq_expected_rank(better, equal, 10, &hit, &ndcg);
    sums->users++;
    sums->hit10 += hit;
    sums->ndcg10 += ndcg;
}

int32_t sq_world_ceiling(const sq_world *world, const seqrec_dataset *dataset, seqrec_ceiling *out, seqrec_error *error)
{
    const sq_memory *memory = &dataset->context->memory;
    ranking work = {.world = world, .dataset = dataset};
    seqrec_ceiling sums = {.struct_size = out->struct_size};
    int32_t status = reserve(&work, error);
    for (int64_t u = 0; u < dataset->users && status == SEQREC_OK; u++) {
        if (dataset->offsets[u + 1] - dataset->offsets[u] >= 2) rank_user(&work, u, &sums);
    }
    sq_free(memory, work.to_world);
    sq_free(memory, work.had_by);
    sq_free(memory, work.scores);
    SQ_TRY(status);
    if (sums.users > 0) {
        sums.hit10 /= (double)sums.users;
        sums.ndcg10 /= (double)sums.users;
    }
    *out = sums;
    return SEQREC_OK;
}
