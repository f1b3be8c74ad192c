/* model: one block, forward and backward: attention or a filter and feed-forward layers, in the three wirings. */
#include "model/blockpass.h"
#include <string.h>

typedef sq_block_pass at;

static const float *query_input(const at *a) { return a->wiring == SQ_WIRING_POST_NORM ? a->x : a->s->norm1; }
static const float *key_input(const at *a) { return a->wiring == SQ_WIRING_PRE_NORM ? a->s->norm1 : a->x; }
static const float *residual1(const at *a) { return a->wiring == SQ_WIRING_ORIGINAL ? a->s->norm1 : a->x; }
static const float *ffn_input(const at *a) { return a->wiring == SQ_WIRING_POST_NORM ? a->s->norm1 : a->s->norm2; }

static const float *residual2(const at *a)
{
    if (a->wiring == SQ_WIRING_PRE_NORM) return a->s->middle;
    return a->wiring == SQ_WIRING_POST_NORM ? a->s->norm1 : a->s->norm2;
}

/* Both norm rows row .. n - 1 of x. */
static void norm1(const at *a, size_t row, const float *x)
{
    size_t skip = row * a->dp;
    a->k->norm_fwd(a->n - row, a->d, a->dp, (float)a->net->options->norm_epsilon, x + skip,
                   sq_param(a, a->offset->norm1_gain), sq_param(a, a->offset->norm1_bias), a->s->norm1 + skip,
                   a->s->mean1 + row, a->s->rstd1 + row);
}

static void norm2(const at *a, size_t row, const float *x, float *y)
{
    size_t skip = row * a->dp;
    a->k->norm_fwd(a->n - row, a->d, a->dp, (float)a->net->options->norm_epsilon, x + skip,
                   sq_param(a, a->offset->norm2_gain), sq_param(a, a->offset->norm2_bias), y + skip, a->s->mean2 + row,
                   a->s->rstd2 + row);
}

/* ---- attention sub-layer ---------------------------------------------------------------------------------------- */

static void project_qkv(const at *a)
{
    weight w = sq_param(a, a->offset->qkv), b = sq_param(a, a->offset->qkv_bias);
    size_t ld = 3 * a->hp;
    if (query_input(a) == key_input(a)) {
        sq_linear(a, a->n, key_input(a), a->dp, a->d, w, ld, b, a->s->qkv, ld, ld);
        return;
    }
    sq_linear(a, a->n, query_input(a), a->dp, a->d, w, ld, b, a->s->qkv, a->hp, ld);
    sq_linear(a, a->n, key_input(a), a->dp, a->d, w + a->hp, ld, b + a->hp, a->s->qkv + a->hp, 2 * a->hp, ld);
}

static void project_sides(const at *a)
{
    size_t both = 2 * (size_t)a->l->rp;
    if (both)
        sq_gemm(a->k, a->n, both, a->d, key_input(a), a->dp, 1, sq_param(a, a->offset->gate_sides), both, a->s->sides,
                both, 0);
}

/* dx += the share of the gates' sides, grads += that of their projections. */
static void sides_bwd(const at *a, float *dx, float *grads)
{
    size_t both = 2 * (size_t)a->l->rp, w = a->offset->gate_sides;
    if (!both) return;
    sq_gemm(a->k, a->d, both, a->n, key_input(a), 1, a->dp, a->work->dsides, both, grads + w, both, 1);
    sq_gemm(a->k, a->n, a->dp, both, a->work->dsides, both, 1, a->net->transposed + w, a->dp, dx, a->dp, 1);
}

/* sum = residual + branch, or residual + sigmoid(stream W + b) * branch: the gate reads what the norm does not (LiGR). branch is
 * where branch() says; rows row .. row + rows - 1. */
static void join_branch(const at *a, int32_t which, size_t row, size_t rows, const float *residual, float *sum)
{
    size_t skip = row * a->dp;
    if (a->l->residual_gate) {
        const sq_gated *g = &a->s->gated[which];
        sq_linear(a, rows, residual + skip, a->dp, a->d, sq_param(a, a->offset->residual_gate[which]), a->dp,
                  sq_param(a, a->offset->residual_gate_bias[which]), g->z + skip, a->dp, a->dp);
        a->k->sigmoid_fwd(rows, a->dp, a->dp, g->z + skip, g->branch + skip, sum + skip);
    }
    a->k->add(rows * a->dp, residual + skip, sum + skip);
}

/* Where the branch before that sum is to be written. */
static float *branch(const at *a, int32_t which, float *sum) { return a->l->residual_gate ? a->s->gated[which].branch : sum; }

/* From d = gradient of the sum: that of the branch; what the gate says of the stream is added to d. */
static const float *branch_bwd(const at *a, int32_t which, const float *residual, float *d, float *grads)
{
    if (!a->l->residual_gate) return d;
    const sq_gated *g = &a->s->gated[which];
    size_t w = a->offset->residual_gate[which];
    a->k->sigmoid_bwd(a->n, a->dp, a->dp, g->z, g->branch, d, a->work->dz, a->work->dbranch);
    sq_linear_bwd(a, residual, a->dp, a->d, a->work->dz, a->dp, a->dp, grads + w, a->dp,
                  grads + a->offset->residual_gate_bias[which]);
    sq_gemm(a->k, a->n, a->dp, a->d, a->work->dz, a->dp, 1, a->net->transposed + w, a->dp, d, a->dp, 1);
    return a->work->dbranch;
}

/* y = output projection of rows row .. row + rows - 1. */
static void attention_out(const at *a, size_t row, size_t rows, float *y)
{
    if (a->net->options->attention_output)
        sq_linear(a, rows, a->s->heads + row * a->hp, a->hp, a->hp, sq_param(a, a->offset->output), a->dp,
                  sq_param(a, a->offset->output_bias), y + row * a->dp, a->dp, a->dp);
    else
        sq_join_heads(a, row, rows, a->s->heads, y);
}

/* dheads from dy, the gradient of what the projection left. */
static void attention_out_bwd(const at *a, const float *dy, float *grads)
{
    if (!a->net->options->attention_output) {
        sq_part_heads(a, dy, a->work->dheads);
        return;
    }
    sq_linear_bwd(a, a->s->heads, a->hp, a->hp, dy, a->dp, a->dp, grads + a->offset->output, a->dp,
               grads + a->offset->output_bias);
    sq_gemm(a->k, a->n, a->hp, a->d, dy, a->dp, 1, a->net->transposed + a->offset->output, a->hp, a->work->dheads, a->hp,
            0);
}

void sq_qkv_input_bwd(const sq_block_pass *a, size_t first, size_t slices, float *dx, int accumulate)
{
    const float *wt = a->net->transposed + a->offset->qkv;
    size_t dh = (size_t)a->l->dh, dhp = (size_t)a->l->dhp, ld = 3 * a->hp;
    if (dh == dhp) {
        sq_gemm(a->k, a->n, a->dp, slices * dhp, a->work->dqkv + first * dhp, ld, 1, wt + first * dhp * a->dp, a->dp, dx,
                a->dp, accumulate);
        return;
    }
    for (size_t s = first; s < first + slices; s++, accumulate = 1)
        sq_gemm(a->k, a->n, a->dp, dh, a->work->dqkv + s * dhp, ld, 1, wt + s * dhp * a->dp, a->dp, dx, a->dp,
                accumulate);
}

static void qkv_weights_bwd(const at *a, float *grads)
{
    size_t ld = 3 * a->hp;
    float *dw = grads + a->offset->qkv, *db = grads + a->offset->qkv_bias;
    if (query_input(a) == key_input(a)) {
        sq_linear_bwd(a, query_input(a), a->dp, a->d, a->work->dqkv, ld, ld, dw, ld, db);
        return;
    }
    sq_linear_bwd(a, query_input(a), a->dp, a->d, a->work->dqkv, ld, a->hp, dw, ld, db);
    sq_linear_bwd(a, key_input(a), a->dp, a->d, a->work->dqkv + a->hp, ld, 2 * a->hp, dw + a->hp, ld, db + a->hp);
}

/* ---- spectral filters in the place of attention ------------------------------------------------------------------- */

static sq_filter filter_of(const at *a)
{
    return (sq_filter){.kernels = a->k,
                       .window = (size_t)a->l->window,
                       .ahead = (size_t)a->l->ahead,
                       .width = a->dp,
                       .taps = sq_param(a, a->offset->taps)};
}

/* y = the filtered rows `from` on of each sequence. */
static void filter(const at *a, size_t from, float *y)
{
    sq_filter f = filter_of(a);
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        size_t start = (size_t)a->batch->starts[i], n = (size_t)a->batch->starts[i + 1] - start;
        sq_filter_fwd(&f, n, from, key_input(a) + start * a->dp, y + start * a->dp);
    }
}

/* dx (+)= gradient of what was filtered, from dy, which dx is not. */
static void filter_bwd(const at *a, const float *dy, float *dx, int accumulate, float *grads)
{
    sq_filter f = filter_of(a);
    if (!accumulate) memset(dx, 0, a->n * a->dp * sizeof *dx);
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        size_t start = (size_t)a->batch->starts[i], n = (size_t)a->batch->starts[i + 1] - start, skip = start * a->dp;
        sq_filter_bwd(&f, n, key_input(a) + skip, dy + skip, dx + skip, grads + a->offset->taps);
    }
}

/* ---- what mixes the events of a sequence ---------------------------------------------------------------------------- */

static sq_dropout mixed_mask(const at *a) { return sq_block_mask(a->net->attention_output, a->block, 3); }

/* Of rows `from` on: y, where the branch is to be, joined to the residual behind its dropout. */
static void join_mixed(const at *a, size_t from, float *y)
{
    sq_dropout dropped = mixed_mask(a);
    a->k->dropout(a->n - from, a->dp, a->dp, &dropped, (uint64_t)a->batch->first + from, y + from * a->dp);
    join_branch(a, 0, from, a->n - from, residual1(a), a->s->middle);
}

/* middle = what attention or the filter makes of rows `from` on, after dropout, joined to the residual. */
static void mix(const at *a, size_t from)
{
    float *y = branch(a, 0, a->s->middle);
    if (a->l->window) {
        filter(a, from, y);
    } else {
        project_qkv(a);
        project_sides(a);
        sq_block_attend(a, from);
        attention_out(a, from, a->n - from, y);
    }
    join_mixed(a, from, y);
}

/* From dy, the gradient of the branch, to the heads; returns dy behind the dropout. */
static const float *mixed_bwd(const at *a, const float *dy)
{
    sq_dropout dropped = mixed_mask(a);
    if (dropped.threshold == 0 && !a->l->window) return dy;
    memcpy(a->work->t1, dy, a->n * a->dp * sizeof *dy);
    a->k->dropout(a->n, a->dp, a->dp, &dropped, (uint64_t)a->batch->first, a->work->t1);
    return a->work->t1;
}

/* dx (+)= gradient of the one tensor that is mixed, from dy, the gradient of the branch. */
static void mix_bwd(const at *a, const float *dy, float *dx, int accumulate, float *grads)
{
    dy = mixed_bwd(a, dy);
    if (a->l->window) {
        filter_bwd(a, dy, dx, accumulate, grads);
        return;
    }
    attention_out_bwd(a, dy, grads);
    sq_block_attend_bwd(a, grads);
    qkv_weights_bwd(a, grads);
    sq_qkv_input_bwd(a, 0, 3 * (size_t)a->l->heads, dx, accumulate);
    sides_bwd(a, dx, grads);
}

/* ---- one block -------------------------------------------------------------------------------------------------- */

/* sum = feed-forward layers of rows row .. row + rows - 1, plus residual. */
static void feed_forward(const at *a, size_t row, size_t rows, float *sum)
{
    sq_block_ffn(a, ffn_input(a), row, rows, branch(a, 1, sum));
    join_branch(a, 1, row, rows, residual2(a), sum);
}

/* Rows `from` on of the block's output from what they are behind attention. */
static void outer_fwd(const at *a, size_t from)
{
    size_t rows = a->n - from;
    if (a->wiring == SQ_WIRING_POST_NORM) {
        norm1(a, from, a->s->middle);
        feed_forward(a, from, rows, a->s->norm2);
        norm2(a, from, a->s->norm2, a->next);
    } else {
        norm2(a, from, a->s->middle, a->s->norm2);
        feed_forward(a, from, rows, a->next);
    }
}

void sq_block_fwd(const sq_block_pass *a, size_t from)
{
    if (a->l->pointwise > 0) {
        sq_hstu_fwd(a, from);
        return;
    }
    if (a->wiring != SQ_WIRING_POST_NORM) norm1(a, 0, a->x);
    mix(a, from);
    outer_fwd(a, from);
}

static void norm1_bwd(const at *a, const float *x, const float *dy, float *dx, int accumulate, float *grads)
{
    a->k->norm_bwd(a->n, a->d, a->dp, x, sq_param(a, a->offset->norm1_gain), a->s->mean1, a->s->rstd1, dy, dx, accumulate,
                   grads + a->offset->norm1_gain, grads + a->offset->norm1_bias);
}

static void norm2_bwd(const at *a, const float *x, const float *dy, float *dx, int accumulate, float *grads)
{
    a->k->norm_bwd(a->n, a->d, a->dp, x, sq_param(a, a->offset->norm2_gain), a->s->mean2, a->s->rstd2, dy, dx, accumulate,
                   grads + a->offset->norm2_gain, grads + a->offset->norm2_bias);
}

/* Where the branch of attention joins the residual: dx is the gradient of the block's output on entry, of the residual, but for what
 * comes through the branch, on exit; returns that of the branch. */
static const float *outer_bwd(const at *a, float *dx, float *grads)
{
    float *t = a->work->t2;
    if (a->wiring == SQ_WIRING_PRE_NORM) {
        sq_block_ffn_bwd(a, ffn_input(a), branch_bwd(a, 1, a->s->middle, dx, grads), t, 0, grads);
        norm2_bwd(a, a->s->middle, t, dx, 1, grads);
        return branch_bwd(a, 0, a->x, dx, grads);
    }
    if (a->wiring == SQ_WIRING_POST_NORM) norm2_bwd(a, a->s->norm2, dx, dx, 0, grads);
    sq_block_ffn_bwd(a, ffn_input(a), dx, dx, 1, grads);
    if (a->wiring == SQ_WIRING_POST_NORM)
        norm1_bwd(a, a->s->middle, dx, dx, 0, grads);
    else
        norm2_bwd(a, a->s->middle, dx, dx, 0, grads);
    return dx;
}

/* The way on to the block's input, dx, from the gradient of the branch. */
static void pre_norm_bwd(const at *a, const float *dy, float *dx, float *grads)
{
    float *t = a->work->t2;
    mix_bwd(a, dy, t, 0, grads);
    norm1_bwd(a, a->x, t, dx, 1, grads);
}

static void original_bwd(const at *a, const float *dy, float *dx, float *grads)
{
    float *t = a->work->t2;
    size_t heads = (size_t)a->l->heads;
    attention_out_bwd(a, mixed_bwd(a, dy), grads);
    sq_block_attend_bwd(a, grads);
    qkv_weights_bwd(a, grads);
    memcpy(t, dx, a->n * a->dp * sizeof *t);
    sq_qkv_input_bwd(a, 0, heads, t, 1);
    sq_qkv_input_bwd(a, heads, 2 * heads, dx, 0);
    sides_bwd(a, dx, grads);
    norm1_bwd(a, a->x, t, dx, 1, grads);
}

void sq_block_bwd(const sq_block_pass *a, float *dx, float *grads)
{
    if (a->l->pointwise > 0) {
        sq_hstu_bwd(a, dx, grads);
        return;
    }
    const float *dy = outer_bwd(a, dx, grads);
    if (a->wiring == SQ_WIRING_POST_NORM)
        mix_bwd(a, dy, dx, 1, grads);
    else if (a->wiring == SQ_WIRING_PRE_NORM)
        pre_norm_bwd(a, dy, dx, grads);
    else
        original_bwd(a, dy, dx, grads);
}

/* ---- where only the newest event of each sequence counts ------------------------------------------------------------ */

/* The pass over these rows alone, one behind the other. */
static at newest_of(const at *a)
{
    sq_newest *newest = &a->work->newest;
    at c = *a;
    newest->batch = (sq_micro_batch){.tokens = a->batch->sequences, .sequences = a->batch->sequences, .first = a->batch->first_sequence};
    c.batch = &newest->batch;
    c.n = (size_t)c.batch->tokens;
    c.s = &newest->saved;
    c.x = newest->x;
    return c;
}

static size_t newest_row(const at *a, size_t i) { return (size_t)a->batch->starts[i + 1] - 1; }

/* to [sequences] = the newest rows of from, which may be `to` itself; `width` floats of rows ld apart. */
static void gather(const at *a, size_t width, size_t ld, const float *from, float *to)
{
    for (size_t i = 0; i < (size_t)a->batch->sequences; i++) memmove(to + i * ld, from + newest_row(a, i) * ld, width * sizeof *to);
}

/* The way back, also in place. */
static void scatter(const at *a, size_t width, size_t ld, const float *from, float *to)
{
    for (size_t i = (size_t)a->batch->sequences; i-- > 0;) memmove(to + newest_row(a, i) * ld, from + i * ld, width * sizeof *to);
}

static void scatter_add(const at *a, const float *from, float *to)
{
    for (size_t i = 0; i < (size_t)a->batch->sequences; i++) a->k->add(a->dp, from + i * a->dp, to + newest_row(a, i) * a->dp);
}

void sq_block_newest_fwd(const sq_block_pass *a)
{
    at c = newest_of(a);
    weight w = sq_param(a, a->offset->qkv), b = sq_param(a, a->offset->qkv_bias);
    size_t ld = 3 * a->hp;
    float *y = branch(&c, 0, c.s->middle);
    gather(a, a->dp, a->dp, a->x, c.x);
    if (a->wiring == SQ_WIRING_PRE_NORM) norm1(a, 0, a->x);
    if (a->wiring != SQ_WIRING_POST_NORM) norm1(&c, 0, c.x);
    sq_linear(a, a->n, key_input(a), a->dp, a->d, w + a->hp, ld, b + a->hp, a->s->qkv + a->hp, 2 * a->hp, ld);
    sq_linear(a, c.n, query_input(&c), a->dp, a->d, w, ld, b, c.s->qkv, a->hp, ld);
    scatter(a, a->hp, ld, c.s->qkv, a->s->qkv);
    sq_block_attend(a, 0);
    gather(a, a->hp, a->hp, a->s->heads, c.s->heads);
    attention_out(&c, 0, c.n, y);
    join_mixed(&c, 0, y);
    outer_fwd(&c, 0);
}

/* dx = the keys' and values' gradient of the block's input; and the queries' and the residual's, dc, added to the newest rows. */
static void newest_input_bwd(const at *a, const at *c, float *dc, float *dx, float *grads)
{
    size_t heads = (size_t)a->l->heads;
    float *t = a->work->t2, *q = a->work->t1;
    sq_qkv_input_bwd(a, heads, 2 * heads, a->wiring == SQ_WIRING_PRE_NORM ? t : dx, 0);
    if (a->wiring == SQ_WIRING_PRE_NORM) {
        sq_qkv_input_bwd(c, 0, heads, q, 0);
        scatter_add(a, q, t);
        norm1_bwd(a, a->x, t, dx, 0, grads);
    } else {
        sq_qkv_input_bwd(c, 0, heads, dc, 1);
        if (a->wiring == SQ_WIRING_ORIGINAL) norm1_bwd(c, c->x, dc, dc, 0, grads);
    }
    scatter_add(a, dc, dx);
}

void sq_block_newest_bwd(const sq_block_pass *a, float *dx, float *grads)
{
    at c = newest_of(a);
    size_t ld = 3 * a->hp;
    float *dc = a->work->newest.dx, *dqkv = a->work->dqkv, *dw = grads + a->offset->qkv, *db = grads + a->offset->qkv_bias;
    memcpy(dc, dx, c.n * a->dp * sizeof *dc);
    attention_out_bwd(&c, mixed_bwd(&c, outer_bwd(&c, dc, grads)), grads);
    scatter(a, a->hp, a->hp, a->work->dheads, a->work->dheads);
    sq_block_attend_bwd(a, grads);
    gather(a, a->hp, ld, dqkv, dqkv);
    sq_linear_bwd(&c, query_input(&c), a->dp, a->d, dqkv, ld, a->hp, dw, ld, db);
    sq_linear_bwd(a, key_input(a), a->dp, a->d, dqkv + a->hp, ld, 2 * a->hp, dw + a->hp, ld, db + a->hp);
    newest_input_bwd(a, &c, dc, dx, grads);
}
