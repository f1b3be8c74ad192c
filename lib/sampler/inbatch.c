/* sampler: the targets of the batch, each as often as it occurs there. */
#include "base/rng.h"
#include "sampler/sampler.h"

void sq_in_batch_draw(const sq_sampler *s, size_t n, const uint64_t *random, int32_t *out)
{
    const int32_t *batch = s->batch;
    const uint64_t count = (uint64_t)s->batch_count;
    for (size_t i = 0; i < n; i++) out[i] = batch[sq_multiply_high(random[i], count)];
}

int32_t sq_in_batch_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    double sum = 0;
    for (int64_t i = 0; weights && i < s->count; i++) sum += weights[i];
    if (sum <= 0) return SEQREC_OK;
    SQ_TRY(sq_weights_reserve(s, memory, error));
    for (int64_t i = 0; i < s->count; i++) s->weights[i] = weights[i] / sum;
    return SEQREC_OK;
}
