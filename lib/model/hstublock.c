/* model: HSTU's layer (Zhai et al. 2024): [U, V, Q, K] = silu(norm(x) W), y = W_o dropout(U * norm(attention)) + b_o + x. Attention is
 * pointwise, and norms have no parameters. With channels apart and gated feed-forward layers behind it is FuXi's (Ye et al. 2025, sections
 * 3.2 and 3.3, with HSTU's norms). */
#include "model/blockpass.h"
#include <string.h>

/* Rows row .. n - 1 of y = norm(x), of the stream. */
static void norm(const sq_block_pass *a, size_t row, const float *x, float *y, float *mean, float *rstd)
{
    a->k->norm_fwd(a->n - row, a->d, a->dp, (float)a->net->options->norm_epsilon, x + row * a->dp, sq_param(a, a->l->ones),
                   sq_param(a, a->l->zeros), y + row * a->dp, mean + row, rstd + row);
}

/* Of the heads. */
static void head_norm(const sq_block_pass *a, size_t row, const float *x, float *y, float *mean, float *rstd)
{
    a->k->norm_fwd(a->n - row, a->m, a->mp, (float)a->net->options->norm_epsilon, x + row * a->mp, sq_param(a, a->l->head_ones),
                   sq_param(a, a->l->zeros), y + row * a->mp, mean + row, rstd + row);
}

/* s->units and s->unit: q, k, v and u before SiLU. */
static void project(const sq_block_pass *a)
{
    size_t ld = 3 * a->hp;
    sq_linear(a, a->n, a->s->norm1, a->dp, a->d, sq_param(a, a->offset->qkv), ld, NULL, a->s->units, ld, ld);
    sq_linear(a, a->n, a->s->norm1, a->dp, a->d, sq_param(a, a->offset->unit), a->mp, NULL, a->s->unit, a->mp, a->mp);
    a->k->silu_fwd(a->n, ld, ld, a->s->units, a->s->qkv);
}

/* Feed-forward layers have place 1. */
static sq_dropout output_mask(const sq_block_pass *a) { return sq_block_mask(a->net->ffn, a->block, a->f ? 3 : 1); }

/* next = stream + layers of its norm. */
static void feed_forward(const sq_block_pass *a, size_t from)
{
    norm(a, from, a->s->stream, a->s->norm3, a->s->mean3, a->s->rstd3);
    sq_block_ffn(a, a->s->norm3, from, a->n - from, a->next);
    a->k->add((a->n - from) * a->dp, a->s->stream + from * a->dp, a->next + from * a->dp);
}

/* dx: gradient of next on entry, of the stream on exit. */
static void feed_forward_bwd(const sq_block_pass *a, float *dx, float *grads)
{
    float *t = a->work->t2;
    sq_block_ffn_bwd(a, a->s->norm3, dx, t, 0, grads);
    a->k->norm_bwd(a->n, a->d, a->dp, a->s->stream, sq_param(a, a->l->ones), a->s->mean3, a->s->rstd3, t, dx, 1, grads + a->l->ones,
                   grads + a->l->zeros);
}

void sq_hstu_fwd(const sq_block_pass *a, size_t from)
{
    size_t rows = a->n - from, skip = from * a->dp, wide = from * a->mp;
    sq_dropout dropped = output_mask(a);
    norm(a, 0, a->x, a->s->norm1, a->s->mean1, a->s->rstd1);
    project(a);
    sq_block_attend(a, from);
    sq_join_heads(a, from, rows, a->s->heads, a->s->middle);
    head_norm(a, from, a->s->middle, a->s->norm2, a->s->mean2, a->s->rstd2);
    a->k->swiglu_fwd(rows, a->mp, a->mp, a->s->unit + wide, a->s->norm2 + wide, a->s->product + wide);
    a->k->dropout(rows, a->mp, a->mp, &dropped, (uint64_t)a->batch->first + from, a->s->product + wide);
    float *stream = a->f ? a->s->stream : a->next;
    sq_linear(a, rows, a->s->product + wide, a->mp, a->m, sq_param(a, a->offset->output), a->dp,
              sq_param(a, a->offset->output_bias), stream + skip, a->dp, a->dp);
    a->k->add(rows * a->dp, a->x + skip, stream + skip);
    if (a->f) feed_forward(a, from);
}

/* Gradient of x's norm, dx (=), from dqkv and du. */
static void project_bwd(const sq_block_pass *a, const float *du, float *dx, float *grads)
{
    size_t ld = 3 * a->hp;
    a->k->silu_bwd(a->n, ld, ld, a->s->units, a->work->dqkv);
    sq_linear_bwd(a, a->s->norm1, a->dp, a->d, a->work->dqkv, ld, ld, grads + a->offset->qkv, ld, NULL);
    sq_linear_bwd(a, a->s->norm1, a->dp, a->d, du, a->mp, a->mp, grads + a->offset->unit, a->mp, NULL);
    sq_gemm(a->k, a->n, a->dp, a->m, du, a->mp, 1, a->net->transposed + a->offset->unit, a->dp, dx, a->dp, 0);
    sq_qkv_input_bwd(a, 0, 3 * (size_t)a->l->heads, dx, 1);
}

void sq_hstu_bwd(const sq_block_pass *a, float *dx, float *grads)
{
    float *t = a->work->t1, *du = a->work->t2, *gain = grads + a->l->ones, *bias = grads + a->l->zeros;
    sq_dropout dropped = output_mask(a);
    if (a->f) feed_forward_bwd(a, dx, grads);
    sq_linear_bwd(a, a->s->product, a->mp, a->m, dx, a->dp, a->dp, grads + a->offset->output, a->dp, grads + a->offset->output_bias);
    sq_gemm(a->k, a->n, a->mp, a->d, dx, a->dp, 1, a->net->transposed + a->offset->output, a->mp, t, a->mp, 0);
    a->k->dropout(a->n, a->mp, a->mp, &dropped, (uint64_t)a->batch->first, t);
    a->k->swiglu_bwd(a->n, a->mp, a->mp, a->s->unit, a->s->norm2, t, du, t);
    a->k->norm_bwd(a->n, a->m, a->mp, a->s->middle, sq_param(a, a->l->head_ones), a->s->mean2, a->s->rstd2, t, t, 0,
                   grads + a->l->head_ones, bias);
    sq_part_heads(a, t, a->work->dheads);
    sq_block_attend_bwd(a, grads);
    project_bwd(a, du, t, grads);
    a->k->norm_bwd(a->n, a->d, a->dp, a->x, sq_param(a, a->l->ones), a->s->mean1, a->s->rstd1, t, dx, 1, gain, bias);
}
