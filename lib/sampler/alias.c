/* sampler: draws by given probabilities with one number each, whatever the catalogue: Walker's alias table (1974), built as Vose did
 * (1991). */
#include "base/rng.h"
#include "sampler/sampler.h"
#include <math.h>

/* The share of a column that is its own item's, as a threshold for the 64 bits behind the column's number. */
static uint64_t threshold(double keep) { return keep < 1 ? (uint64_t)ldexp(keep, 64) : UINT64_MAX; }

void sq_alias_draw(const sq_sampler *s, size_t n, const uint64_t *random, int32_t *out)
{
    const sq_alias_column *columns = s->columns;
    const uint64_t count = (uint64_t)s->count;
    for (size_t i = 0; i < n; i++) {
        const sq_alias_column *at = &columns[sq_multiply_high(random[i], count)];
        out[i] = at->slot[random[i] * count >= at->keep]; /* what the multiplication leaves is uniform too */
    }
}

/* Columns below the mean are filled up from those above it. The stack holds small columns from the left and large ones from the right. */
static void fill(sq_sampler *s, double *keep, int32_t *stack)
{
    int64_t n = s->count, small = 0, large = n;
    for (int64_t i = 0; i < n; i++) {
        keep[i] = s->weights[i] * (double)n;
        s->columns[i] = (sq_alias_column){.slot = {s->slots[i], s->slots[i]}};
        if (keep[i] < 1)
            stack[small++] = (int32_t)i;
        else
            stack[--large] = (int32_t)i;
    }
    while (small > 0 && large < n) {
        int32_t low = stack[--small], high = stack[large];
        s->columns[low].slot[1] = s->slots[high];
        keep[high] -= 1 - keep[low];
        if (keep[high] < 1) {
            large++;
            stack[small++] = high;
        }
    }
    while (small > 0) keep[stack[--small]] = 1;
    while (large < n) keep[stack[large++]] = 1;
    for (int64_t i = 0; i < n; i++) s->columns[i].keep = threshold(keep[i]);
}

int32_t sq_alias_build(sq_sampler *s, const sq_memory *memory, seqrec_error *error)
{
    int32_t *stack = sq_alloc(memory, (size_t)s->count, sizeof *stack);
    double *keep = sq_alloc(memory, (size_t)s->count, sizeof *keep);
    s->columns = sq_alloc(memory, (size_t)s->count, sizeof *s->columns);
    int failed = !stack || !keep || !s->columns;
    if (!failed) fill(s, keep, stack);
    sq_free(memory, stack);
    sq_free(memory, keep);
    SQ_CHECK(!failed, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    return SEQREC_OK;
}
