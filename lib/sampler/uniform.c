/* sampler: every live item alike. */
#include "base/rng.h"
#include "sampler/sampler.h"

void sq_uniform_draw(const sq_sampler *s, size_t n, const uint64_t *random, int32_t *out)
{
    const int32_t *slots = s->slots;
    const uint64_t count = (uint64_t)s->count;
    for (size_t i = 0; i < n; i++) out[i] = slots[sq_multiply_high(random[i], count)];
}

double sq_uniform_probability(const sq_sampler *s, int64_t i)
{
    (void)i;
    return 1.0 / (double)s->count;
}
