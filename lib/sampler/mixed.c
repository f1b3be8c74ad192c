/* sampler: a share of the draws from the targets of the batch, the others from all items alike. */
#include "base/rng.h"
#include "sampler/sampler.h"

/* Which of the two is told by the lowest 24 bits, which the place takes note of with a share of count / 2^40 at most. */
void sq_mixed_draw(const sq_sampler *s, size_t n, const uint64_t *random, int32_t *out)
{
    const int32_t *const from[] = {s->slots, s->batch};
    const uint64_t count[] = {(uint64_t)s->count, (uint64_t)s->batch_count};
    const uint32_t share = (uint32_t)(s->share * 0x1p24);
    for (size_t i = 0; i < n; i++) {
        const size_t batch = ((uint32_t)random[i] & 0xffffff) < share; /* an index, not a branch */
        out[i] = from[batch][sq_multiply_high(random[i], count[batch])];
    }
}

double sq_mixed_probability(const sq_sampler *s, int64_t i)
{
    return s->share * sq_weighted_probability(s, i) + (1 - s->share) * sq_uniform_probability(s, i);
}
