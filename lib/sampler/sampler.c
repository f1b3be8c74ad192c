/* sampler: the table of samplers and what they share. */
#include "base/rng.h"
#include "sampler/sampler.h"

enum { TOGETHER = 256 }; /* random numbers that are made at a time */

static const sq_sampler_kind kinds[] = {
    {.name = "uniform", .draw = sq_uniform_draw, .probability = sq_uniform_probability},
    {.name = "popularity", .draw = sq_alias_draw, .probability = sq_weighted_probability, .prepare = sq_popularity_prepare,
     .counts = 1, .trained = 1},
    {.name = "log_uniform", .draw = sq_alias_draw, .probability = sq_weighted_probability,
     .prepare = sq_log_uniform_prepare, .counts = 1, .trained = 1},
    {.name = "in_batch", .draw = sq_in_batch_draw, .probability = sq_weighted_probability, .prepare = sq_in_batch_prepare,
     .trained = 1, .from_batch = 1},
    {.name = "mixed", .draw = sq_mixed_draw, .probability = sq_mixed_probability, .prepare = sq_in_batch_prepare, .trained = 1,
     .from_batch = 1},
    {.name = "weights", .draw = sq_alias_draw, .probability = sq_weighted_probability, .prepare = sq_popularity_prepare,
     .counts = 1},
    {.name = "host", .host = 1},
};

const sq_sampler_kind *sq_sampler_kind_at(int64_t index)
{
    return index >= 0 && index < (int64_t)(sizeof kinds / sizeof *kinds) ? &kinds[index] : NULL;
}

double sq_weighted_probability(const sq_sampler *s, int64_t i) { return s->weights ? s->weights[i] : 0; }

int32_t sq_weights_reserve(sq_sampler *s, const sq_memory *memory, seqrec_error *error)
{
    s->weights = sq_alloc(memory, (size_t)s->count, sizeof *s->weights);
    SQ_CHECK(s->weights, error, SEQREC_E_MEMORY, "no memory for a sampler over %lld items", (long long)s->count);
    return SEQREC_OK;
}

int32_t sq_sampler_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    const uint64_t random = sq_random64(key, counter);
    int32_t slot;
    kinds[s->kind].draw(s, 1, &random, &slot);
    return slot;
}

void sq_sampler_draw_many(const sq_sampler *s, const sq_kernels *kernels, uint64_t key, uint64_t first, uint64_t step, size_t n,
                          int32_t *out)
{
    uint64_t random[TOGETHER];
    for (size_t i = 0; i < n; i += TOGETHER) {
        const size_t more = n - i < TOGETHER ? n - i : TOGETHER;
        kernels->random(more, key, first + i * step, step, random);
        kinds[s->kind].draw(s, more, random, out + i);
    }
}

double sq_sampler_probability(const sq_sampler *s, int64_t i) { return kinds[s->kind].probability(s, i); }

int32_t sq_sampler_build(sq_sampler *s, const sq_memory *memory, int32_t kind, const int32_t *slots, int64_t count,
                         const double *weights, seqrec_error *error)
{
    sq_sampler n = {.kind = kind, .slots = slots, .count = count, .share = s->share};
    int32_t status = kinds[kind].prepare ? kinds[kind].prepare(&n, memory, weights, error) : SEQREC_OK;
    if (status != SEQREC_OK) {
        sq_sampler_free(&n, memory);
        return status;
    }
    sq_sampler_free(s, memory);
    *s = n;
    return SEQREC_OK;
}

void sq_sampler_free(sq_sampler *s, const sq_memory *memory)
{
    sq_free(memory, s->columns);
    sq_free(memory, s->weights);
    *s = (sq_sampler){0};
}
