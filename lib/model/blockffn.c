/* model: the feed-forward layers of one block: ReLU or GELU between two layers, or SwiGLU without biases (Shazeer 2020). */
#include "model/blockpass.h"
#include <string.h>

static int is_gated(const sq_block_pass *a) { return a->net->options->activation == SQ_ACTIVATION_SWIGLU; }
static size_t inner_width(const sq_block_pass *a) { return is_gated(a) ? 2 * a->fp : a->fp; }

/* Of the first and the second layer; NULL: none. */
static weight bias(const sq_block_pass *a, size_t offset) { return is_gated(a) ? NULL : sq_param(a, offset); }
static float *bias_grad(const sq_block_pass *a, size_t offset, float *grads) { return is_gated(a) ? NULL : grads + offset; }

static void activate(const sq_block_pass *a, size_t row, size_t rows, float *hidden)
{
    sq_dropout inner = sq_block_mask(a->net->ffn, a->block, 1);
    uint64_t first = (uint64_t)a->batch->first + row;
    const float *before = a->s->before ? a->s->before + row * inner_width(a) : NULL;
    if (!a->s->before) {
        a->k->relu_fwd(rows, a->fp, a->fp, &inner, first, hidden);
        return;
    }
    if (is_gated(a))
        a->k->swiglu_fwd(rows, a->fp, 2 * a->fp, before, before + a->fp, hidden);
    else
        a->k->gelu_fwd(rows, a->fp, a->fp, before, hidden);
    a->k->dropout(rows, a->fp, a->fp, &inner, first, hidden);
}

void sq_block_ffn(const sq_block_pass *a, const float *x, size_t row, size_t rows, float *y)
{
    size_t width = inner_width(a);
    float *hidden = a->s->hidden + row * a->fp, *before = a->s->before ? a->s->before + row * width : hidden;
    sq_dropout outer = sq_block_mask(a->net->ffn_output, a->block, 2);
    sq_linear(a, rows, x + row * a->dp, a->dp, a->d, sq_param(a, a->offset->ffn_in), width, bias(a, a->offset->ffn_in_bias), before,
              width, width);
    activate(a, row, rows, hidden);
    y += row * a->dp;
    sq_linear(a, rows, hidden, a->fp, a->f, sq_param(a, a->offset->ffn_out), a->dp, bias(a, a->offset->ffn_out_bias), y, a->dp, a->dp);
    a->k->dropout(rows, a->dp, a->dp, &outer, (uint64_t)a->batch->first + row, y);
}

/* dhidden to the gradient of what the first layer gave; returns where that is. Of SwiGLU it takes the place of what the layer gave. */
static const float *activate_bwd(const sq_block_pass *a, float *dhidden)
{
    sq_dropout inner = sq_block_mask(a->net->ffn, a->block, 1);
    float *before = a->s->before;
    if (!before) {
        a->k->relu_bwd(a->n, a->fp, a->fp, &inner, a->s->hidden, dhidden);
        return dhidden;
    }
    a->k->dropout(a->n, a->fp, a->fp, &inner, (uint64_t)a->batch->first, dhidden);
    if (!is_gated(a)) {
        a->k->gelu_bwd(a->n, a->fp, a->fp, before, dhidden);
        return dhidden;
    }
    a->k->swiglu_bwd(a->n, a->fp, 2 * a->fp, before, before + a->fp, dhidden, before, before + a->fp);
    return before;
}

void sq_block_ffn_bwd(const sq_block_pass *a, const float *x, const float *dy, float *dx, int accumulate, float *grads)
{
    size_t width = inner_width(a), depth = is_gated(a) ? width : a->f;
    sq_dropout outer = sq_block_mask(a->net->ffn_output, a->block, 2);
    float *g = a->work->t1, *dhidden = a->s->before ? a->s->hidden : a->work->dhidden; /* ReLU asks hidden for its slope */
    memcpy(g, dy, a->n * a->dp * sizeof *g);
    a->k->dropout(a->n, a->dp, a->dp, &outer, (uint64_t)a->batch->first, g);
    sq_linear_bwd(a, a->s->hidden, a->fp, a->f, g, a->dp, a->dp, grads + a->offset->ffn_out, a->dp,
                  bias_grad(a, a->offset->ffn_out_bias, grads));
    sq_gemm(a->k, a->n, a->fp, a->d, g, a->dp, 1, a->net->transposed + a->offset->ffn_out, a->fp, dhidden, a->fp, 0);
    const float *dbefore = activate_bwd(a, dhidden);
    sq_linear_bwd(a, x, a->dp, a->d, dbefore, width, width, grads + a->offset->ffn_in, width,
                  bias_grad(a, a->offset->ffn_in_bias, grads));
    sq_gemm(a->k, a->n, a->dp, depth, dbefore, width, 1, a->net->transposed + a->offset->ffn_in, a->dp, dx, a->dp, accumulate);
}
