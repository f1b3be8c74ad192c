/* sampler: log-uniform (Zipf's) over the items by falling weight: P(rank r) = log((r + 2) / (r + 1)) / log(V + 1), r from 0. */
#include "base/sort.h"
#include "sampler/sampler.h"
#include <math.h>

/* Equal weights keep the order of slots. */
int32_t sq_log_uniform_prepare(sq_sampler *s, const sq_memory *memory, const double *weights, seqrec_error *error)
{
    size_t n = (size_t)s->count;
    SQ_TRY(sq_weights_reserve(s, memory, error));
    uint64_t *keys = sq_alloc(memory, 2 * n, sizeof *keys);
    uint32_t *order = sq_alloc(memory, 2 * n, sizeof *order);
    int failed = !keys || !order;
    if (!failed) {
        for (size_t i = 0; i < n; i++) {
            keys[i] = ~sq_code_of((weights ? weights[i] : 0) + 0.0); /* falling; -0 becomes 0 */
            order[i] = (uint32_t)i;
        }
        sq_sort_keys(keys, order, n, keys + n, order + n, 64);
        for (size_t r = 0; r < n; r++) s->weights[order[r]] = log1p(1.0 / ((double)r + 1)) / log((double)n + 1);
    }
    sq_free(memory, keys);
    sq_free(memory, order);
    SQ_CHECK(!failed, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    return sq_alias_build(s, memory, error);
}
