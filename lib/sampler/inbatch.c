/* sampler: the targets of the batch, each as often as it occurs there, and a mixture of them with the uniform distribution. */
#include "base/rng.h"
#include "sampler/sampler.h"

int32_t sq_in_batch_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    return s->batch[sq_random_below(key, counter, (uint64_t)s->batch_count)];
}

/* Which of the two is drawn takes a number of its own. */
int32_t sq_mixed_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    if (sq_random_unit(sq_mix64(key), counter) < s->share) return sq_in_batch_draw(s, key, counter);
    return sq_uniform_draw(s, key, counter);
}

double sq_mixed_probability(const sq_sampler *s, int64_t i)
{
    return s->share * sq_weighted_probability(s, i) + (1 - s->share) * sq_uniform_probability(s, i);
}

int32_t sq_in_batch_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    double sum = 0;
    for (int64_t i = 0; weights && i < s->count; i++) sum += weights[i];
    if (sum <= 0) return SEQREC_OK;
    s->weights = sq_alloc(memory, (size_t)s->count, sizeof *s->weights);
    SQ_CHECK(s->weights, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    for (int64_t i = 0; i < s->count; i++) s->weights[i] = weights[i] / sum;
    return SEQREC_OK;
}
