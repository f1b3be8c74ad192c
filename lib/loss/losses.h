/* loss: value and gradient together. Each file has one loss; all read targets and candidates as rows of output vectors. */
#ifndef SQ_LOSSES_H
#define SQ_LOSSES_H
#include "base/arena.h"
#include "tensor/gemm.h"

/* Sampled losses over n tokens. rows[t * (1 + k)] is the target's vector, the k behind it are negatives; a NULL negative is
 * left out. Writes coefficient [n][1 + k] = dL / dscore, du [n][width], and returns the summed loss (not divided), with
 * `weight` (1 / targets of the batch) already in the gradients. */
typedef struct sq_sampled {
    const sq_kernels *kernels;
    size_t n, k, width;
    float weight;
    const float *u;             /* [n][width] */
    const float *const *rows;   /* [n][1 + k] */
    float *coefficient;         /* [n][1 + k] */
    float *du;                  /* [n][width] */
    const float *inverse_norm;  /* NULL, or [n][1 + k]: scores are <u, row> * inverse_norm (cosine) */
    const float *bias;          /* NULL, or [n]: added to all scores of a token (what its user adds whatever the item) */
    float *dbias;               /* [n], with bias: its gradient */
} sq_sampled;

/* -log s(x+) - sum_j log(1 - s(x-_j)) (SASRec, eq. 7, with k negatives). */
double sq_bce(const sq_sampled *o);
/* log(exp(x+) + sum_j exp(x-_j)) - x+ (sampled softmax without correction). */
double sq_sampled_softmax(const sq_sampled *o);
/* The same with one set of k negatives for all tokens: negatives [k][width] (k a multiple of 16; rows from `live` on are
 * padding), their transpose [width][k]; masked[t * k + j] != 0 leaves a negative out (it is the target). rows has the n targets,
 * coefficient [n] gets theirs; dnegatives [k][width] += . */
typedef struct sq_shared {
    const float *negatives, *transposed;
    size_t k, live;
    const uint8_t *masked;
    float *dnegatives;
    float *logits; /* scratch [n][k] */
    int32_t bce;   /* 1: BCE, 0: sampled softmax */
} sq_shared;
double sq_shared_negatives(const sq_sampled *o, const sq_shared *shared);

/* Full softmax cross-entropy over V items, tiled: logits exist for one tile of tokens and, for large V, a block of items. */
typedef struct sq_softmax {
    const sq_kernels *kernels;
    size_t n, width, d, items; /* items = V */
    float weight;
    const float *u;        /* [n][width] */
    const int32_t *target; /* [n] in 0 .. V - 1 */
    const float *rows;     /* [V padded to 64][width], zero behind V */
    const float *panels;   /* [V / 64][d][64]: the same transposed in panels */
    float *du;             /* [n][width] */
    float *drows;          /* [V padded][width] += */
    float *scratch;        /* sq_softmax_scratch floats */
} sq_softmax;
size_t sq_softmax_scratch(size_t items, size_t width);
double sq_softmax_loss(const sq_softmax *o);
/* Builds panels of items 64 * first .. from rows. */
void sq_softmax_panel(const sq_kernels *kernels, const float *rows, size_t width, size_t d, size_t panel, float *panels);
#endif
