/* sampler: proportional to given weights, by an alias table: one number per draw whatever the catalogue. */
#include "base/rng.h"
#include "sampler/sampler.h"

int32_t sq_popularity_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    double at = sq_random_unit(key, counter) * (double)s->count;
    int64_t i = (int64_t)at;
    if (i >= s->count) i = s->count - 1;
    return s->slots[at - (double)i < s->keep[i] ? i : s->alias[i]];
}

double sq_weighted_probability(const sq_sampler *s, int64_t i) { return s->weights ? s->weights[i] : 0; }

/* Vose's construction: columns below the mean are filled up from those above it. The stack holds small columns from the left
 * and large ones from the right. */
static void fill(sq_sampler *s, int32_t *stack)
{
    int64_t n = s->count, small = 0, large = n;
    for (int64_t i = 0; i < n; i++) {
        s->keep[i] = s->weights[i] * (double)n;
        s->alias[i] = (int32_t)i;
        if (s->keep[i] < 1)
            stack[small++] = (int32_t)i;
        else
            stack[--large] = (int32_t)i;
    }
    while (small > 0 && large < n) {
        int32_t low = stack[--small], high = stack[large];
        s->alias[low] = high;
        s->keep[high] -= 1 - s->keep[low];
        if (s->keep[high] < 1) {
            large++;
            stack[small++] = high;
        }
    }
    while (small > 0) s->keep[stack[--small]] = 1;
    while (large < n) s->keep[stack[large++]] = 1;
}

/* All-zero weights become uniform. */
static void normalise(sq_sampler *s, const double *weights)
{
    double sum = 0;
    for (int64_t i = 0; i < s->count; i++) sum += weights[i];
    for (int64_t i = 0; i < s->count; i++) s->weights[i] = sum > 0 ? weights[i] / sum : 1.0 / (double)s->count;
}

int32_t sq_popularity_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    int32_t *stack = sq_alloc(memory, (size_t)s->count, sizeof *stack);
    s->keep = sq_alloc(memory, (size_t)s->count, sizeof *s->keep);
    s->alias = sq_alloc(memory, (size_t)s->count, sizeof *s->alias);
    s->weights = sq_alloc(memory, (size_t)s->count, sizeof *s->weights);
    int failed = !stack || !s->keep || !s->alias || !s->weights;
    if (!failed) {
        normalise(s, weights);
        fill(s, stack);
    }
    sq_free(memory, stack);
    SQ_CHECK(!failed, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    return SEQREC_OK;
}
