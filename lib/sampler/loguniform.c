/* sampler: log-uniform (Zipf's) over the items by falling weight: P(rank r) = log((r + 2) / (r + 1)) / log(V + 1), r from 0. */
#include "base/rng.h"
#include "base/sort.h"
#include "sampler/sampler.h"
#include <math.h>
#include <string.h>

/* The inverse of the distribution function: floor((V + 1)^x) - 1 for uniform x. */
int32_t sq_log_uniform_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    int64_t rank = (int64_t)exp(sq_random_unit(key, counter) * log((double)s->count + 1)) - 1;
    return s->ranked[rank < 0 ? 0 : rank < s->count ? rank : s->count - 1];
}

/* Bits of non-negative doubles order as the doubles do; turned over, they order them falling. */
static uint64_t falling(double weight)
{
    uint64_t bits;
    weight += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &weight, sizeof bits);
    return ~bits;
}

/* Equal weights keep the order of slots. */
int32_t sq_log_uniform_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    size_t n = (size_t)s->count;
    uint64_t *keys = sq_alloc(memory, 2 * n, sizeof *keys);
    uint32_t *order = sq_alloc(memory, 2 * n, sizeof *order);
    s->ranked = sq_alloc(memory, n, sizeof *s->ranked);
    s->weights = sq_alloc(memory, n, sizeof *s->weights);
    if (keys && order && s->ranked && s->weights) {
        for (size_t i = 0; i < n; i++) keys[i] = falling(weights ? weights[i] : 0), order[i] = (uint32_t)i;
        sq_sort_keys(keys, order, n, keys + n, order + n, 64);
        for (size_t r = 0; r < n; r++) {
            s->ranked[r] = s->slots[order[r]];
            s->weights[order[r]] = log1p(1.0 / ((double)r + 1)) / log((double)n + 1);
        }
    }
    int failed = !keys || !order || !s->ranked || !s->weights;
    sq_free(memory, keys);
    sq_free(memory, order);
    SQ_CHECK(!failed, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    return SEQREC_OK;
}
