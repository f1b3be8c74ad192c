/* model: the stack of blocks over one micro-batch, forward and backward, and its working memory. */
#include "model/blockpass.h"
#include "base/rng.h"
#include "position/interval.h"
#include <string.h>

/* Most keys of a row (times heads) whose probabilities are kept instead of redone: keeps a pass's memory linear. */
#define LONGEST_KEPT 512

typedef sq_block_pass at;

size_t sq_kept_floats(const sq_layout *layout, int32_t length)
{
    int32_t seen = layout->span && layout->span < length ? layout->span : length;
    if ((int64_t)seen * layout->heads > LONGEST_KEPT || layout->window) return 0;
    return (size_t)layout->heads * sq_head_kept((size_t)length, layout->bidirectional, (size_t)layout->span);
}

/* ---- working memory --------------------------------------------------------------------------------------------- */

/* Most floats of kept probabilities that sequences of together `tokens` tokens can need. */
static size_t most_kept(const sq_layout *l, int32_t tokens, int32_t longest)
{
    int32_t limit = LONGEST_KEPT / l->heads, banded = l->span > 0 && l->span <= limit;
    size_t length = (size_t)(longest < limit || banded ? longest : limit), band = (size_t)l->span + 2 * SQ_ATTENTION_ROWS + 16;
    if (length == 0 || l->window) return 0;
    size_t per_token = l->bidirectional ? length + 16 : (length + SQ_ATTENTION_ROWS) / 2 + 16 + SQ_ATTENTION_ROWS;
    if (banded && band < per_token) per_token = band;
    return (size_t)l->heads * per_token * (size_t)tokens;
}

/* Row of what stands between the heads and a block's output: in HSTU's layer as wide as the heads. */
static size_t mixed_width(const sq_layout *l) { return (size_t)(l->pointwise > 0 && l->mp > l->dp ? l->mp : l->dp); }

/* HSTU's layer joins its heads and is done with them: where there are gradients of heads, all blocks have them in that place. */
static int shares_heads(const sq_layout *l, int32_t training) { return training && l->pointwise > 0; }

static void take_saved(sq_arena *arena, const sq_layout *l, const sq_options *o, size_t n, size_t kept, int32_t training, sq_saved *s)
{
    size_t dp = (size_t)l->dp, hp = l->window ? 0 : (size_t)l->hp, fp = (size_t)l->fp, mp = (size_t)l->mp;
    size_t mixed = mixed_width(l);
    s->norm1 = SQ_TAKE(arena, float, n * dp);
    s->qkv = SQ_TAKE(arena, float, n * 3 * hp);
    s->heads = shares_heads(l, training) ? NULL : SQ_TAKE(arena, float, n * hp * (size_t)l->channels);
    s->middle = SQ_TAKE(arena, float, n * mixed);
    s->norm2 = SQ_TAKE(arena, float, n * mixed);
    s->hidden = SQ_TAKE(arena, float, n * fp);
    s->before = NULL;
    if (o->activation == SQ_ACTIVATION_GELU) s->before = SQ_TAKE(arena, float, n * fp);
    if (o->activation == SQ_ACTIVATION_SWIGLU) s->before = SQ_TAKE(arena, float, n * 2 * fp);
    for (size_t i = 0; i < 2; i++) {
        s->gated[i].z = l->residual_gate ? SQ_TAKE(arena, float, n * dp) : NULL;
        s->gated[i].branch = l->residual_gate ? SQ_TAKE(arena, float, n * dp) : NULL;
    }
    s->unit = l->pointwise > 0 ? SQ_TAKE(arena, float, n * mp) : NULL;
    s->units = l->pointwise > 0 ? SQ_TAKE(arena, float, n * 3 * hp) : NULL;
    s->product = l->pointwise > 0 ? SQ_TAKE(arena, float, n * mp) : NULL;
    s->stream = l->pointwise > 0 && l->f ? SQ_TAKE(arena, float, n * dp) : NULL;
    s->norm3 = l->pointwise > 0 && l->f ? SQ_TAKE(arena, float, n * dp) : NULL;
    s->mean3 = l->pointwise > 0 && l->f ? SQ_TAKE(arena, float, n) : NULL;
    s->rstd3 = l->pointwise > 0 && l->f ? SQ_TAKE(arena, float, n) : NULL;
    s->mean1 = SQ_TAKE(arena, float, n);
    s->rstd1 = SQ_TAKE(arena, float, n);
    s->mean2 = SQ_TAKE(arena, float, n);
    s->rstd2 = SQ_TAKE(arena, float, n);
    s->kept = kept ? SQ_TAKE(arena, float, kept) : NULL;
    s->sides = SQ_TAKE(arena, float, n * 2 * (size_t)l->rp);
}

int32_t sq_network_newest(const sq_layout *l, const sq_options *o)
{
    return o->objective == SQ_OBJECTIVE_PREFIX && l->blocks > 0 && !l->window && !(l->pointwise > 0) && o->gates == SQ_GATES_NONE &&
           !(o->gate_jacobian > 0);
}

/* What a block keeps of the newest rows lies where it keeps that of all tokens, but for what it has of both. */
static void take_newest(sq_arena *arena, const sq_layout *l, size_t n, const sq_saved *last, sq_newest *out)
{
    size_t dp = (size_t)l->dp, hp = (size_t)l->hp;
    if (last) out->saved = *last;
    out->saved.norm1 = SQ_TAKE(arena, float, n * dp);
    out->saved.mean1 = SQ_TAKE(arena, float, n);
    out->saved.rstd1 = SQ_TAKE(arena, float, n);
    out->saved.qkv = SQ_TAKE(arena, float, n * 3 * hp);
    out->saved.heads = SQ_TAKE(arena, float, n * hp);
    out->x = SQ_TAKE(arena, float, n * dp);
    out->dx = SQ_TAKE(arena, float, n * dp);
}

void sq_workspace_take(sq_arena *arena, const sq_layout *l, const sq_options *o, int32_t tokens, int32_t longest,
                       int32_t training, sq_workspace *out)
{
    size_t n = (size_t)tokens, dp = (size_t)l->dp;
    sq_saved measured;
    float *unused;
    out->x = SQ_TAKE(arena, float *, (size_t)l->blocks + 1);
    out->saved = SQ_TAKE(arena, sq_saved, (size_t)l->blocks + 1);
    for (int32_t b = 0; b <= l->blocks; b++) {
        float **x = arena->base ? &out->x[b] : &unused;
        *x = training || b < 2 ? SQ_TAKE(arena, float, n * dp) : out->x ? out->x[b - 2] : NULL;
    }
    for (int32_t b = 0; b < l->blocks; b++) {
        sq_saved *s = arena->base ? &out->saved[b] : &measured;
        if (training || b == 0)
            take_saved(arena, l, o, n, training ? most_kept(l, tokens, longest) : 0, training, s);
        else if (arena->base)
            *s = out->saved[0];
    }
    out->mean = SQ_TAKE(arena, float, n);
    out->rstd = SQ_TAKE(arena, float, n);
    out->embedded = (sq_embedding_saved){0};
    if (o->embedding_norm) {
        out->embedded.sum = training ? SQ_TAKE(arena, float, n * dp) : NULL;
        out->embedded.mean = SQ_TAKE(arena, float, n);
        out->embedded.rstd = SQ_TAKE(arena, float, n);
    }
    sq_readout_take(arena, l, training ? n : 1, training, &out->readout);
    if (training) {
        size_t hp = l->window ? 0 : (size_t)l->hp;
        out->t1 = SQ_TAKE(arena, float, n * mixed_width(l));
        out->t2 = SQ_TAKE(arena, float, n * mixed_width(l));
        out->dqkv = SQ_TAKE(arena, float, n * 3 * hp);
        out->dheads = SQ_TAKE(arena, float, n * hp * (size_t)l->channels);
        for (int32_t b = 0; shares_heads(l, training) && arena->base && b < l->blocks; b++) out->saved[b].heads = out->dheads;
        out->dhidden = o->activation == SQ_ACTIVATION_RELU ? SQ_TAKE(arena, float, n * (size_t)l->fp) : NULL;
        out->dz = l->residual_gate ? SQ_TAKE(arena, float, n * dp) : NULL;
        out->dbranch = l->residual_gate ? SQ_TAKE(arena, float, n * dp) : NULL;
    }
    if (training && o->gate_jacobian > 0) {
        take_saved(arena, l, o, n, most_kept(l, tokens, longest), training, &out->near);
        if (shares_heads(l, training)) out->near.heads = out->dheads;
        out->near_x = SQ_TAKE(arena, float, n * dp);
        out->near_y = SQ_TAKE(arena, float, n * dp);
        out->near_dx = SQ_TAKE(arena, float, n * dp);
    }
    if (training && sq_network_newest(l, o))
        take_newest(arena, l, n, arena->base ? &out->saved[l->blocks - 1] : NULL, &out->newest);
    const int32_t columns = l->columns > l->time_columns ? l->columns : l->time_columns;
    if (!l->window) sq_head_scratch_take(arena, (size_t)longest, (size_t)l->dhp, (size_t)columns, l->timed, &out->head);
    sq_relations_take(arena, l, training, &out->relations);
    out->tau = l->timed == SQ_TIME_INTERVALS ? SQ_TAKE(arena, double, n) : NULL;
    if (!l->rp) return;
    sq_content_scratch_take(arena, (size_t)longest, (size_t)l->rp, training, &out->gates);
    out->dsides = SQ_TAKE(arena, float, training ? n * 2 * (size_t)l->rp : 0);
}

static at block_at(const sq_network *net, const sq_micro_batch *batch, sq_workspace *work, int32_t block)
{
    const sq_layout *l = net->layout;
    at a = {.net = net, .k = net->kernels, .l = l, .offset = &l->block[block], .batch = batch, .work = work};
    a.s = &work->saved[block];
    a.block = block;
    a.wiring = (int32_t)net->options->wiring;
    a.n = (size_t)batch->tokens;
    a.d = (size_t)l->d;
    a.dp = (size_t)l->dp;
    a.hp = (size_t)l->hp;
    a.m = (size_t)l->m;
    a.mp = (size_t)l->mp;
    a.f = (size_t)l->f;
    a.fp = (size_t)l->fp;
    a.x = work->x[block];
    a.next = work->x[block + 1];
    return a;
}

/* ---- the Jacobian term ------------------------------------------------------------------------------------------ */

#define NUDGE 0.03125f

/* to = x + NUDGE * signs, those of (key, block, token, element). */
static void nudge(const at *a, float *to)
{
    uint64_t key = sq_mix64(a->net->jacobian_key + (uint64_t)(uint32_t)a->block), words = (a->d + 63) / 64;
    memcpy(to, a->x, a->n * a->dp * sizeof *to);
    for (size_t t = 0; t < a->n; t++)
        for (size_t i = 0; i < a->d; i += 64) {
            uint64_t signs = sq_random64(key, ((uint64_t)a->batch->first + t) * words + i / 64);
            for (size_t e = i; e < a->d && e < i + 64; e++, signs >>= 1)
                to[t * a->dp + e] += signs & 1 ? NUDGE : -NUDGE;
        }
}

/* The way back through the block beside its input; leaves the gradient of that input in near_dx and takes the term's share of the
 * block's own output to dy. */
static void jacobian_bwd(const at *a, float *dy, float *grads)
{
    sq_workspace *w = a->work;
    at near = *a;
    near.s = &w->near;
    near.x = w->near_x;
    near.next = w->near_y;
    nudge(a, near.x);
    sq_block_fwd(&near, 0);
    a->k->axpy(a->n * a->dp, -1, a->next, w->near_y);
    for (size_t t = 0; t < a->n; t++)
        w->stretch += (double)a->k->dot(a->dp, w->near_y + t * a->dp, w->near_y + t * a->dp) / (double)(NUDGE * NUDGE);
    a->k->scale(a->n * a->dp, 2 * a->net->jacobian / (NUDGE * NUDGE), w->near_y, w->near_dx);
    a->k->axpy(a->n * a->dp, -1, w->near_dx, dy);
    sq_network quiet = *a->net;
    quiet.gate_l0 = 0; /* the block itself adds the expected number of open gates */
    near.net = &quiet;
    sq_block_bwd(&near, w->near_dx, grads);
}

/* ---- the whole stack -------------------------------------------------------------------------------------------- */

/* States of n rows of the last block's output. */
static void final_fwd(const sq_network *net, size_t n, const float *x, sq_workspace *work, float *out)
{
    const sq_layout *l = net->layout;
    if (l->final_norm)
        net->kernels->norm_fwd(n, (size_t)l->d, (size_t)l->dp, (float)net->options->norm_epsilon, x,
                               net->weights + l->final_gain, net->weights + l->final_bias, out, work->mean, work->rstd);
    else
        memcpy(out, x, n * (size_t)l->dp * sizeof *out);
}

void sq_network_read(const sq_network *net, size_t n, const float *x, sq_workspace *work, float *u)
{
    sq_readout_fwd(net->kernels, net->layout, (float)net->options->norm_epsilon, net->weights, n, x, &work->readout, u);
}

void sq_network_read_bwd(const sq_network *net, size_t n, const float *x, sq_workspace *work, const float *du, float *dx,
                         float *grads)
{
    sq_readout_bwd(net->kernels, net->layout, net->weights, net->transposed, n, x, &work->readout, du, dx, grads);
}

/* Where on its own scale of time each event of a sequence is, or what its scale is, for all blocks and both passes. */
static void place_times(const sq_options *o, const sq_micro_batch *batch, sq_workspace *work)
{
    for (int32_t i = 0; i < batch->sequences && work->tau; i++) {
        const int64_t *times = batch->times + batch->starts[i];
        size_t n = (size_t)(batch->starts[i + 1] - batch->starts[i]);
        if (o->time_unit == SQ_UNIT_SEEN)
            sq_time_units(times, n, work->tau + batch->starts[i]);
        else
            sq_time_places(times, n, sq_time_unit(times, n), work->tau + batch->starts[i]);
    }
}

void sq_network_fwd(const sq_network *net, const sq_micro_batch *batch, sq_workspace *work, float *out)
{
    const sq_layout *l = net->layout;
    place_times(net->options, batch, work);
    for (int32_t b = 0; b < l->blocks; b++) {
        at a = block_at(net, batch, work, b);
        a.newest = batch->newest && b + 1 == l->blocks;
        if (a.newest)
            sq_block_newest_fwd(&a);
        else
            sq_block_fwd(&a, 0);
    }
    final_fwd(net, sq_micro_batch_states(batch), work->x[l->blocks], work, out);
}

void sq_network_bwd(const sq_network *net, const sq_micro_batch *batch, sq_workspace *work, float *dout, float *grads)
{
    const sq_layout *l = net->layout;
    work->stretch = 0;
    if (l->final_norm)
        net->kernels->norm_bwd(sq_micro_batch_states(batch), (size_t)l->d, (size_t)l->dp, work->x[l->blocks],
                               net->weights + l->final_gain, work->mean, work->rstd, dout, dout, 0,
                               grads + l->final_gain, grads + l->final_bias);
    for (int32_t b = l->blocks - 1; b >= 0; b--) {
        at a = block_at(net, batch, work, b);
        a.newest = batch->newest && b + 1 == l->blocks;
        if (net->jacobian > 0) jacobian_bwd(&a, dout, grads);
        if (a.newest)
            sq_block_newest_bwd(&a, dout, grads);
        else
            sq_block_bwd(&a, dout, grads);
        if (net->jacobian > 0) a.k->add(a.n * a.dp, work->near_dx, dout);
    }
}

#define WHOLE_BLOCKS 48 /* rows of attention's blocks and lanes of its sums, of which this is a multiple, stay as they are */

/* Tokens of a sequence that its last vector does not depend on, as many as can be left out without changing a bit of it: each
 * block reaches back a span. Angles of relative = rotary, positions of keys and the unit of intervals are those of the whole window, which
 * leaving out would change. */
static int32_t beyond_reach(const sq_layout *l, int32_t length)
{
    if (l->placed || l->timed == SQ_TIME_INTERVALS) return 0;
    int64_t reach = (int64_t)l->blocks * (l->span - 1) + 1;
    if (!l->span || l->scheme->rotates || reach >= length) return 0;
    return (int32_t)((length - reach) / WHOLE_BLOCKS * WHOLE_BLOCKS);
}

void sq_network_last(const sq_network *net, int32_t length, const int64_t *times, const int64_t *asks, sq_workspace *work,
                     float *out)
{
    const sq_layout *l = net->layout;
    const int32_t skip = beyond_reach(l, length);
    if (skip) memmove(work->x[0], work->x[0] + (size_t)skip * (size_t)l->dp, (size_t)(length - skip) * (size_t)l->dp * sizeof(float));
    length -= skip;
    int32_t starts[2] = {0, length};
    sq_micro_batch batch = {.tokens = length, .sequences = 1, .longest = length, .starts = starts};
    batch.times = l->timed ? times + skip : NULL;
    batch.asks = l->timed ? asks + skip : NULL;
    place_times(net->options, &batch, work);
    for (int32_t b = 0; b < l->blocks; b++) {
        at a = block_at(net, &batch, work, b);
        sq_block_fwd(&a, b + 1 < l->blocks ? 0 : (size_t)length - 1);
    }
    final_fwd(net, 1, work->x[l->blocks] + (size_t)(length - 1) * (size_t)l->dp, work, out);
    sq_network_read(net, 1, out, work, out);
}

void sq_network_extend(const sq_network *net, int32_t n, sq_extension *extension, sq_workspace *work, float *out)
{
    const sq_layout *l = net->layout;
    int32_t starts[2] = {0, n}, rows = extension->apart ? n : 1;
    sq_micro_batch batch = {.tokens = n, .sequences = 1, .longest = n, .starts = starts};
    sq_extension_turn(l, net->options, n, extension);
    for (int32_t b = 0; b < l->blocks; b++) {
        at a = block_at(net, &batch, work, b);
        a.extension = extension;
        sq_block_fwd(&a, b + 1 < l->blocks ? 0 : (size_t)(n - rows));
    }
    if (!extension->apart) extension->cache->next += n;
    final_fwd(net, (size_t)rows, work->x[l->blocks] + (size_t)(n - rows) * (size_t)l->dp, work, out);
}

/* ---- transposed matrices ---------------------------------------------------------------------------------------- */

static void transpose_ffn(const sq_kernels *k, const sq_layout *l, const sq_options *o, const sq_block_at *p, const float *w, float *to)
{
    size_t dp = (size_t)l->dp, fp = (size_t)l->fp, inner = o->activation == SQ_ACTIVATION_SWIGLU ? 2 * fp : fp;
    k->transpose(dp, inner, w + p->ffn_in, inner, to + p->ffn_in, dp);
    k->transpose(fp, dp, w + p->ffn_out, dp, to + p->ffn_out, fp);
}

static void transpose_block(const sq_kernels *k, const sq_layout *l, const sq_options *o, const sq_block_at *p, const float *w,
                            float *to)
{
    const size_t dp = (size_t)l->dp, hp = (size_t)l->hp, mp = (size_t)l->mp, mixed = l->pointwise > 0 ? mp : hp;
    if (!l->window) k->transpose(dp, 3 * hp, w + p->qkv, 3 * hp, to + p->qkv, dp);
    if (l->pointwise > 0) k->transpose(dp, mp, w + p->unit, mp, to + p->unit, dp);
    if (!l->window && o->attention_output) k->transpose(mixed, dp, w + p->output, dp, to + p->output, mixed);
    if (l->rp) k->transpose(dp, 2 * (size_t)l->rp, w + p->gate_sides, 2 * (size_t)l->rp, to + p->gate_sides, dp);
    if (l->f) transpose_ffn(k, l, o, p, w, to);
    for (size_t i = 0; i < 2 && l->residual_gate; i++)
        k->transpose(dp, dp, w + p->residual_gate[i], dp, to + p->residual_gate[i], dp);
}

void sq_network_transpose(const sq_kernels *k, const sq_layout *l, const sq_options *o, const float *w, float *to)
{
    for (int32_t b = 0; b < l->blocks; b++) transpose_block(k, l, o, &l->block[b], w, to);
    if (l->transform) k->transpose((size_t)l->dp, (size_t)l->dp, w + l->head, (size_t)l->dp, to + l->head, (size_t)l->dp);
}
