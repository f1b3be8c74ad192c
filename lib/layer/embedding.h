/* layer: input embedding of one packed sequence. */
#ifndef SQ_EMBEDDING_H
#define SQ_EMBEDDING_H
#include "tensor/kernels.h"

typedef int32_t (*sq_position_rule)(int32_t t, int32_t n);

/* How items and positions become the input of the first block (SASRec, eq. 1): dropout(scale * E[item] + P[rule(t, n)]). */
typedef struct sq_embedding {
    const sq_kernels *kernels;
    float scale;
    const float *positions; /* [max_length][width], or NULL */
    sq_position_rule rule;
    size_t width; /* padded d */
    sq_dropout dropout;
} sq_embedding;

/* x [n][width]; items [n]: vectors of the items; first = row of the dropout mask of token 0. */
void sq_embed_fwd(const sq_embedding *embedding, const float *const *items, int32_t n, uint64_t first, float *x);
/* dx [n][width]: gradient of x on entry, of the sum before dropout on exit; item rows get scale * dx, positions += dx. */
void sq_embed_bwd(const sq_embedding *embedding, int32_t n, uint64_t first, float *dx, float *dpositions);
#endif
