/* sampler: distributions of negatives over the live slots; a sampler is one file and one row of the table in sampler.c. */
#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H
#include "base/memory.h"
#include "tensor/kernels.h"

/* A column of an alias table: one slot with the probability keep / 2^64, else the other. */
typedef struct sq_alias_column {
    uint64_t keep;
    int32_t slot[2];
} sq_alias_column;

/* Everything a distribution may draw from. */
typedef struct sq_sampler {
    int32_t kind;         /* row of the table; the value of option `sampler` */
    const int32_t *slots; /* [count] live slots; borrowed */
    int64_t count;
    sq_alias_column *columns; /* [count] weighted draws that are no batch's */
    double *weights;          /* [count] probabilities of weighted draws; in a batch: how often each item is a target. NULL: unknown */
    double share;             /* mixed: of draws that come from the batch */
    const int32_t *batch;     /* [batch_count] targets of the batch, for this step; borrowed */
    int64_t batch_count;
} sq_sampler;

/* A row of the table. */
typedef struct sq_sampler_kind {
    const char *name;
    /* The slots that random numbers stand for; `random` is uniform over 64 bits. */
    void (*draw)(const sq_sampler *sampler, size_t n, const uint64_t *random, int32_t *out);
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
/* Slots of draws first, first + step, ... to out [n]: those that sq_sampler_draw gives, in a fraction of the time. */
void sq_sampler_draw_many(const sq_sampler *sampler, const sq_kernels *kernels, uint64_t key, uint64_t first, uint64_t step, size_t n,
                          int32_t *out);
double sq_sampler_probability(const sq_sampler *sampler, int64_t i);
/* weights [count] >= 0 in the order of slots, or NULL: see the kinds. Replaces what the sampler held; on failure nothing changes. */
int32_t sq_sampler_build(sq_sampler *sampler, const sq_memory *memory, int32_t kind, const int32_t *slots, int64_t count,
                         const double *weights, seqrec_error *error);
void sq_sampler_free(sq_sampler *sampler, const sq_memory *memory);

/* Room for sampler->weights; probabilities that are weights. */
int32_t sq_weights_reserve(sq_sampler *sampler, const sq_memory *memory, seqrec_error *error);
double sq_weighted_probability(const sq_sampler *sampler, int64_t i);

/* uniform.c, alias.c, popularity.c, loguniform.c, inbatch.c, mixed.c */
void sq_uniform_draw(const sq_sampler *sampler, size_t n, const uint64_t *random, int32_t *out);
double sq_uniform_probability(const sq_sampler *sampler, int64_t i);
void sq_alias_draw(const sq_sampler *sampler, size_t n, const uint64_t *random, int32_t *out);
/* From slots and weights, which add up to 1. */
int32_t sq_alias_build(sq_sampler *sampler, const sq_memory *memory, seqrec_error *error);
int32_t sq_popularity_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
int32_t sq_log_uniform_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
void sq_in_batch_draw(const sq_sampler *sampler, size_t n, const uint64_t *random, int32_t *out);
int32_t sq_in_batch_prepare(sq_sampler *sampler, const sq_memory *memory, const double *weights, seqrec_error *error);
void sq_mixed_draw(const sq_sampler *sampler, size_t n, const uint64_t *random, int32_t *out);
double sq_mixed_probability(const sq_sampler *sampler, int64_t i);
#endif
