/* eval: the negatives a target competes with under the sampled protocols. */
#include "eval/candidates.h"
#include <inttypes.h>
#include "base/rng.h"

/* Draws by rejection before the eligible items are listed instead; either way gives the same distribution. */
#define PATIENCE 2000

typedef struct draw {
    const sq_candidates *plan;
    sq_candidate_scratch *scratch;
    uint64_t key, counter;
    int32_t *out;
    int32_t count;
} draw;

int32_t sq_candidates_create(const sq_memory *memory, const seqrec_dataset *dataset, int32_t against, uint64_t seed,
                             sq_candidates *out, seqrec_error *error)
{
    sq_candidates plan = {.against = against, .seed = seed, .items = dataset->items};
    if (against == SQ_AGAINST_POPULAR) {
        uint64_t *running = sq_alloc_zero(memory, (size_t)dataset->items + 1, sizeof(uint64_t));
        SQ_CHECK(running != NULL, error, SEQREC_E_MEMORY, "no memory for the counts of %" PRId64 " items",
                 dataset->items);
        for (int64_t e = 0; e < dataset->events; e++) running[dataset->sequence[e] + 1]++;
        for (int64_t i = 0; i < dataset->items; i++) running[i + 1] += running[i];
        plan.running = running;
    }
    *out = plan;
    return SEQREC_OK;
}

void sq_candidates_free(sq_candidates *candidates, const sq_memory *memory)
{
    sq_free(memory, candidates->running);
    *candidates = (sq_candidates){0};
}

static uint64_t weight_of(const sq_candidates *plan, int64_t item)
{
    return plan->running == NULL ? 1 : plan->running[item + 1] - plan->running[item];
}

/* The item whose share of [0, running[items]) holds `at`. */
static int32_t find_share(const sq_candidates *plan, uint64_t at)
{
    int64_t low = 0, high = plan->items;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (plan->running[middle] <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (int32_t)low;
}

static int32_t draw_any(draw *d)
{
    const sq_candidates *plan = d->plan;
    if (plan->running == NULL) return (int32_t)sq_random_below(d->key, d->counter++, (uint64_t)plan->items);
    return find_share(plan, sq_random_below(d->key, d->counter++, plan->running[plan->items]));
}

static void accept(draw *d, int32_t item)
{
    d->out[d->count++] = item;
    if (d->plan->against != SQ_AGAINST_TRAIN) d->scratch->mark[item] = d->scratch->stamp;
}

/* What is still eligible goes to the pool; returns how many and their weight in all. */
static int64_t list_eligible(const draw *d, uint64_t *weight)
{
    int64_t n = 0;
    *weight = 0;
    for (int64_t i = 0; i < d->plan->items; i++) {
        const uint64_t w = weight_of(d->plan, i);
        if (w == 0 || d->scratch->mark[i] == d->scratch->stamp) continue;
        d->scratch->pool[n++] = (int32_t)i;
        *weight += w;
    }
    return n;
}

static void draw_listed(draw *d)
{
    uint64_t weight;
    int64_t n = list_eligible(d, &weight);
    int32_t *pool = d->scratch->pool;
    while (d->count < SQ_CANDIDATES && n > 0) {
        uint64_t at = sq_random_below(d->key, d->counter++, weight);
        int64_t j = 0;
        while (at >= weight_of(d->plan, pool[j])) at -= weight_of(d->plan, pool[j++]);
        const int32_t item = pool[j];
        accept(d, item);
        if (d->plan->against == SQ_AGAINST_TRAIN) continue;
        weight -= weight_of(d->plan, item);
        pool[j] = pool[--n];
    }
}

int32_t sq_candidates_draw(const sq_candidates *candidates, const sq_cases *cases, const sq_case *one,
                           sq_candidate_scratch *scratch, int32_t out[SQ_CANDIDATES])
{
    const int32_t *items = sq_case_items(cases, one);
    const int64_t barred = candidates->against == SQ_AGAINST_TRAIN ? one->train : one->history + 1;
    draw d = {candidates, scratch, sq_random_key(candidates->seed, SQ_STREAM_EVALUATE, (uint64_t)one->user), 0, out, 0};
    scratch->stamp++;
    for (int64_t e = 0; e < barred; e++) scratch->mark[items[e]] = scratch->stamp;
    while (d.count < SQ_CANDIDATES && d.counter < PATIENCE) {
        const int32_t item = draw_any(&d);
        if (scratch->mark[item] != scratch->stamp) accept(&d, item);
    }
    if (d.count < SQ_CANDIDATES) draw_listed(&d);
    return d.count;
}
