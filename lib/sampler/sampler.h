/* sampler: distributions of negatives over the live slots; a sampler is one file and one row of the table in sampler.c. */
#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H
#include "base/memory.h"

typedef struct sq_sampler {
    int32_t kind;         /* row of the table: 0 uniform, 1 popularity */
    const int32_t *slots; /* [count] live slots; borrowed */
    int64_t count;
    double *keep;   /* popularity: alias table (Walker 1974, Vose 1991) */
    int32_t *alias;
} sq_sampler;

/* Slot of draw `counter` of stream `key`. */
int32_t sq_sampler_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
/* Probability of slots[i] in one draw. */
double sq_sampler_probability(const sq_sampler *sampler, int64_t i);
/* weights [count] >= 0 (popularity: count^alpha), NULL for uniform. Replaces what the sampler held; on failure nothing changes. */
int32_t sq_sampler_build(sq_sampler *sampler, const sq_memory *memory, int32_t kind, const int32_t *slots, int64_t count,
                         const double *weights, seqrec_error *error);
void sq_sampler_free(sq_sampler *sampler, const sq_memory *memory);

/* uniform.c and popularity.c */
int32_t sq_uniform_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
double sq_uniform_probability(const sq_sampler *sampler, int64_t i);
int32_t sq_popularity_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
double sq_popularity_probability(const sq_sampler *sampler, int64_t i);
void sq_popularity_fill(sq_sampler *sampler, const double *weights, int32_t *stack);
#endif
