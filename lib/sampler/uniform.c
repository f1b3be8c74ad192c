/* sampler: every live item alike. */
#include "base/rng.h"
#include "sampler/sampler.h"

int32_t sq_uniform_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    return s->slots[sq_random_below(key, counter, (uint64_t)s->count)];
}

double sq_uniform_probability(const sq_sampler *s, int64_t i)
{
    (void)i;
    return 1.0 / (double)s->count;
}
