/* sampler: every live item alike. */
#include "base/rng.h"
#include "sampler/sampler.h"

int32_t sq_uniform_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    return s->slots[sq_random_below(key, counter, (uint64_t)s->count)];
}

/* Side by side, which calls one after the other are not. */
void sq_uniform_draw_many(const sq_sampler *s, uint64_t key, uint64_t first, uint64_t step, int64_t n, int32_t *out)
{
    const int32_t *slots = s->slots;
    const uint64_t count = (uint64_t)s->count;
    for (int64_t i = 0; i < n; i++) out[i] = slots[sq_random_below(key, first + (uint64_t)i * step, count)];
}

double sq_uniform_probability(const sq_sampler *s, int64_t i)
{
    (void)i;
    return 1.0 / (double)s->count;
}
