/* sampler: the table of samplers and what they share. */
#include "sampler/sampler.h"

static const struct {
    int32_t (*draw)(const sq_sampler *sampler, uint64_t key, uint64_t counter);
    double (*probability)(const sq_sampler *sampler, int64_t i);
} samplers[] = {
    {sq_uniform_draw, sq_uniform_probability},
    {sq_popularity_draw, sq_popularity_probability},
};

int32_t sq_sampler_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    return samplers[s->kind].draw(s, key, counter);
}

double sq_sampler_probability(const sq_sampler *s, int64_t i) { return samplers[s->kind].probability(s, i); }

int32_t sq_sampler_build(sq_sampler *s, const sq_memory *memory, int32_t kind, const int32_t *slots, int64_t count,
                         const double *weights, seqrec_error *error)
{
    sq_sampler n = {.kind = kind, .slots = slots, .count = count};
    if (weights) {
        n.keep = sq_alloc(memory, (size_t)count, sizeof *n.keep);
        n.alias = sq_alloc(memory, (size_t)count, sizeof *n.alias);
        int32_t *stack = sq_alloc(memory, (size_t)count, sizeof *stack);
        if (!n.keep || !n.alias || !stack) {
            sq_sampler_free(&n, memory);
            sq_free(memory, stack);
            return sq_fail(error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)count);
        }
        sq_popularity_fill(&n, weights, stack);
        sq_free(memory, stack);
    }
    sq_sampler_free(s, memory);
    *s = n;
    return SEQREC_OK;
}

void sq_sampler_free(sq_sampler *s, const sq_memory *memory)
{
    sq_free(memory, s->keep);
    sq_free(memory, s->alias);
    *s = (sq_sampler){0};
}
