/* sampler: distributions of negatives over the live slots; a sampler is one file and one row of the table in sampler.c. */
#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H
#include "base/memory.h"

/* Everything a distribution may draw from. */
typedef struct sq_sampler {
    int32_t kind;         /* row of the table; the value of option `sampler` */
    const int32_t *slots; /* [count] live slots; borrowed */
    int64_t count;
    double *keep;   /* alias table of weights (Walker 1974, Vose 1991) */
    int32_t *alias;
    int32_t *ranked;      /* log-uniform: [count] slots by falling weight */
    double *weights;      /* [count] probabilities of weighted draws; in a batch: how often each item is a target. NULL: unknown */
    double share;         /* mixed: of draws that come from the batch */
    const int32_t *batch; /* [batch_count] targets of the batch, for this step; borrowed */
    int64_t batch_count;
} sq_sampler;

/* A row of the table. */
typedef struct sq_sampler_kind {
    const char *name;
    int32_t (*draw)(const sq_sampler *sampler, uint64_t key, uint64_t counter);
    /* Draws `first`, first + step, ... of the stream to out [n], or NULL: one by one. */
    void (*draw_many)(const sq_sampler *sampler, uint64_t key, uint64_t first, uint64_t step, int64_t n, int32_t *out);
    /* Probability of slots[i] in one draw. In a batch: over the batches that may come, so it needs weights. NULL: only the host knows. */
    double (*probability)(const sq_sampler *sampler, int64_t i);
    int32_t (*prepare)(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error); /* or NULL */
    int32_t counts;       /* 1: nothing can be drawn without weights that are not all zero */
    int32_t trained;      /* 1: weights are training counts, which a fit brings; 0: the host's */
    int32_t from_batch;   /* 1: draws from the targets of the batch */
    int32_t host;         /* 1: the host fills in the negatives */
} sq_sampler_kind;
/* NULL past the last. */
const sq_sampler_kind *sq_sampler_kind_at(int64_t index);

/* Slot of draw `counter` of stream `key`. */
int32_t sq_sampler_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
/* Slots of draws first, first + step, ... to out [n]. */
void sq_sampler_draw_many(const sq_sampler *sampler, uint64_t key, uint64_t first, uint64_t step, int64_t n, int32_t *out);
double sq_sampler_probability(const sq_sampler *sampler, int64_t i);
/* weights [count] >= 0 in the order of slots, or NULL: see the kinds. Replaces what the sampler held; on failure nothing changes. */
int32_t sq_sampler_build(sq_sampler *sampler, const sq_memory *memory, int32_t kind, const int32_t *slots, int64_t count,
                         const double *weights, seqrec_error *error);
void sq_sampler_free(sq_sampler *sampler, const sq_memory *memory);

/* uniform.c, popularity.c, loguniform.c, inbatch.c */
int32_t sq_uniform_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
void sq_uniform_draw_many(const sq_sampler *sampler, uint64_t key, uint64_t first, uint64_t step, int64_t n, int32_t *out);
double sq_uniform_probability(const sq_sampler *sampler, int64_t i);
int32_t sq_popularity_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
double sq_weighted_probability(const sq_sampler *sampler, int64_t i); /* popularity, log-uniform and in-batch */
int32_t sq_popularity_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
int32_t sq_log_uniform_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
int32_t sq_log_uniform_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
int32_t sq_in_batch_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
int32_t sq_in_batch_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
int32_t sq_mixed_draw(const sq_sampler *sampler, uint64_t key, uint64_t counter);
double sq_mixed_probability(const sq_sampler *sampler, int64_t i);
#endif
