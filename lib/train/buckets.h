/* train: the buckets of a step with a loss of batch scope (SCE, Mezentsev et al. 2024): each is a direction, the
 * outputs that reach furthest along it, and the items that do. An output is the user vector of a target as scores take it. */
#ifndef SQ_BUCKETS_H
#define SQ_BUCKETS_H
#include "base/arena.h"
#include "tensor/gemm.h"

/* For each bucket the `found` best of a set of vectors, best first; equal ones by their number. */
typedef struct sq_bucket_choice {
    size_t most;    /* of one bucket */
    int32_t *at;    /* [count][most] */
    int32_t *found; /* [count] */
} sq_bucket_choice;

/* Memory is one arena, carved anew in each step for the most targets that its plan can have. */
typedef struct sq_buckets {
    sq_arena arena;
    size_t most_count;    /* buckets of the most targets that the plan can have */
    size_t worker_bytes;  /* a worker's scratch for them */
    size_t count, padded; /* buckets, and up to the next multiple of 16 */
    size_t parts;      /* of the vectors to choose from, each with heaps of its own: how they are cut does not show */
    float *directions; /* [padded][vp] */
    float *across;     /* [vp][padded] their transpose */
    float *factor;     /* [vp][vp], sce_mix: what mixes the outputs, sq_bucket_factor */
    float *drawn;      /* [padded][vp], sce_mix: directions before */
    sq_bucket_choice outputs, items; /* places in the plan's targets; slots */
    float *heap_scores;              /* [parts][count][room]: scratch of a choice */
    int32_t *heap_at, *heap_found;   /* [parts][count] found */
    float *best;                     /* [count][most of either] scores of what was chosen */
    double *losses;                  /* [count][outputs.most] */
    /* by target */
    uint8_t *takes_part; /* 0: of weight 0, in no bucket */
    int32_t *bucket;     /* the one whose loss counts, or -1: in none */
    double *loss;
    float *weight; /* share in the loss: those of outputs in a bucket add up to 1 */
    float *score;  /* of the target itself */
    float *du;     /* [targets][vp] */
    float *drows;  /* [count][items.most][vp] */
} sq_buckets;

/* The upper triangle U of gram [n][ld] = U^T U takes its place, zeros below. What depends on rows above it, to rounding,
 * gets a row of zeros, so that gram may be singular. diagonal [n] is scratch. */
void sq_bucket_factor(const sq_kernels *kernels, size_t n, size_t ld, float *gram, float *diagonal);
#endif
