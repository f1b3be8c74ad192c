/* model: the transform between states and user vectors, forward and backward. */
#include "model/readout.h"
#include <string.h>

void sq_readout_take(sq_arena *arena, const sq_layout *l, size_t tokens, int32_t training, sq_readout *out)
{
    size_t floats = tokens * (size_t)l->dp;
    *out = (sq_readout){0};
    if (!l->transform) return;
    out->before = SQ_TAKE(arena, float, floats);
    out->active = SQ_TAKE(arena, float, floats);
    out->dactive = training ? SQ_TAKE(arena, float, floats) : NULL;
    out->mean = SQ_TAKE(arena, float, tokens);
    out->rstd = SQ_TAKE(arena, float, tokens);
}

void sq_readout_fwd(const sq_kernels *k, const sq_layout *l, float epsilon, const float *weights, size_t n, const float *x,
                    const sq_readout *saved, float *u)
{
    size_t d = (size_t)l->d, dp = (size_t)l->dp;
    if (!l->transform) {
        if (u != x) memcpy(u, x, n * dp * sizeof *u);
        return;
    }
    sq_gemm_from(k, n, dp, d, x, dp, 1, weights + l->head, dp, weights + l->head_bias, saved->before, dp);
    k->gelu_fwd(n, dp, dp, saved->before, saved->active);
    k->norm_fwd(n, d, dp, epsilon, saved->active, weights + l->head_norm_gain, weights + l->head_norm_bias, u, saved->mean,
                saved->rstd);
}

void sq_readout_bwd(const sq_kernels *k, const sq_layout *l, const float *weights, const float *transposed, size_t n,
                    const float *x, const sq_readout *saved, const float *du, float *dx, float *grads)
{
    size_t d = (size_t)l->d, dp = (size_t)l->dp;
    if (!l->transform) {
        if (dx != du) memcpy(dx, du, n * dp * sizeof *dx);
        return;
    }
    k->norm_bwd(n, d, dp, saved->active, weights + l->head_norm_gain, saved->mean, saved->rstd, du, saved->dactive, 0,
                grads + l->head_norm_gain, grads + l->head_norm_bias);
    k->gelu_bwd(n, dp, dp, saved->before, saved->dactive);
    sq_gemm(k, d, dp, n, x, 1, dp, saved->dactive, dp, grads + l->head, dp, 1);
    k->column_sums(n, dp, saved->dactive, dp, grads + l->head_bias);
    sq_gemm(k, n, dp, d, saved->dactive, dp, 1, transposed + l->head, dp, dx, dp, 0);
}
