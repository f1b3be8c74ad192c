/* model: from a token's state to its user vector: nothing, or BERT's transform (option head). */
#ifndef SQ_READOUT_H
#define SQ_READOUT_H
#include "base/arena.h"
#include "model/parameters.h"
#include "tensor/gemm.h"

/* What the transform keeps of n tokens; all NULL without it. */
typedef struct sq_readout {
    float *before, *active, *dactive; /* [n][dp]: input and output of GELU, and a gradient */
    float *mean, *rstd;               /* [n] */
} sq_readout;
void sq_readout_take(sq_arena *arena, const sq_layout *layout, size_t tokens, int32_t training, sq_readout *out);

/* u [n][dp] = norm(gelu(x W + b)) of states x (Devlin et al. 2019, the transform before the output layer; BERT4Rec, eq. 7), or x.
 * u may be x where no backward pass comes. weights: a parameter block. */
void sq_readout_fwd(const sq_kernels *kernels, const sq_layout *layout, float epsilon, const float *weights, size_t n,
                    const float *x, const sq_readout *saved, float *u);
/* dx [n][dp] = gradient of x from du, which it may be where there is no transform; grads (a parameter block) += . transposed as in sq_network. */
void sq_readout_bwd(const sq_kernels *kernels, const sq_layout *layout, const float *weights, const float *transposed,
                    size_t n, const float *x, const sq_readout *saved, const float *du, float *dx, float *grads);
#endif
