/* layer: input embedding of one packed sequence. */
#ifndef SQ_EMBEDDING_H
#define SQ_EMBEDDING_H
#include "tensor/kernels.h"

typedef int32_t (*sq_position_rule)(int32_t t, int32_t n);

/* How items and positions become the input of the first block: dropout(norm(scale * E[item] + P[rule(t, n)])) (SASRec, eq. 1,
 * without the norm; BERT4Rec with it). */
typedef struct sq_embedding {
    const sq_kernels *kernels;
    float scale;
    const float *positions; /* [max_length][width], or NULL */
    sq_position_rule rule;
    const float *gain, *bias; /* of the layer norm; NULL: none */
    float epsilon;
    size_t d, width; /* true and padded */
    sq_dropout dropout;
} sq_embedding;

/* What the norm of n tokens leaves for the backward pass: sum [n][width] is its input, NULL where no backward pass comes; mean,
 * rstd [n]. Not used without a norm. */
typedef struct sq_embedding_saved {
    float *sum, *mean, *rstd;
} sq_embedding_saved;

/* The share of the tokens from `token` on. */
static inline sq_embedding_saved sq_embedding_saved_at(const sq_embedding *e, const sq_embedding_saved *s, int32_t token)
{
    if (!e->gain) return (sq_embedding_saved){0};
    return (sq_embedding_saved){s->sum ? s->sum + (size_t)token * e->width : NULL, s->mean + token, s->rstd + token};
}

/* Gradients that a pass adds to, each where the embedding has the parameter. */
typedef struct sq_embedding_grads {
    float *positions, *gain, *bias;
} sq_embedding_grads;

/* x [n][width]; items [n]: vectors of the items; first = row of the dropout mask of token 0. */
void sq_embed_fwd(const sq_embedding *embedding, const float *const *items, int32_t n, uint64_t first,
                  const sq_embedding_saved *saved, float *x);
/* dx [n][width]: gradient of x on entry, of the sum of item and position on exit; item rows get scale * dx, positions += dx. */
void sq_embed_bwd(const sq_embedding *embedding, int32_t n, uint64_t first, const sq_embedding_saved *saved, float *dx,
                  const sq_embedding_grads *grads);
#endif
