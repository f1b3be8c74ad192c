/* sampler: proportional to given weights: training counts to a power, or the host's. */
#include "sampler/sampler.h"

/* All-zero weights become uniform. */
int32_t sq_popularity_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    double sum = 0;
    SQ_TRY(sq_weights_reserve(s, memory, error));
    for (int64_t i = 0; i < s->count; i++) sum += weights[i];
    for (int64_t i = 0; i < s->count; i++) s->weights[i] = sum > 0 ? weights[i] / sum : 1.0 / (double)s->count;
    return sq_alias_build(s, memory, error);
}
