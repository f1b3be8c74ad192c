/* model: relative terms of a block's heads, by distance and by time. */
#include "model/relationtable.h"
#include <math.h>
#include <string.h>

static size_t padded_columns(const sq_layout *l) { return sq_round16((size_t)l->columns); }

/* Tables of keys and values that differ between the heads. */
static size_t table_heads(const sq_layout *l) { return l->scheme->made ? (size_t)l->heads : 1; }

static int has_bias(const sq_layout *l) { return l->scheme->biases; }

static int has_tables(const sq_layout *l) { return l->scheme->tables; }

static int learns_bias(const sq_layout *l) { return l->scheme->biases && !l->scheme->fixed; }

static size_t padded_times(const sq_layout *l) { return sq_round16((size_t)l->time_columns); }

static void take_timed(sq_arena *arena, const sq_layout *l, int32_t training, sq_relations *out)
{
    size_t padded = padded_times(l), table = (size_t)l->hp * padded;
    if (l->timed == SQ_TIME_BIAS) out->time_bias = SQ_TAKE(arena, float, padded);
    if (l->timed == SQ_TIME_BIAS && training) out->dtime_bias = SQ_TAKE(arena, float, padded);
    if (l->timed == SQ_TIME_INTERVALS) out->time_keys_t = SQ_TAKE(arena, float, table);
    if (l->timed == SQ_TIME_INTERVALS && training) out->time_values_t = SQ_TAKE(arena, float, table);
}

void sq_relations_take(sq_arena *arena, const sq_layout *l, int32_t training, sq_relations *out)
{
    size_t padded = padded_columns(l), heads = (size_t)l->heads, table = table_heads(l) * (size_t)l->dhp * padded;
    *out = (sq_relations){0};
    if (has_bias(l)) out->bias = SQ_TAKE(arena, float, heads * padded);
    if (has_bias(l) && training) out->dbias = SQ_TAKE(arena, float, heads * padded);
    if (has_tables(l)) out->keys_t = SQ_TAKE(arena, float, table);
    if (has_tables(l) && training) out->values_t = SQ_TAKE(arena, float, table);
    take_timed(arena, l, training, out);
}

/* ---- biases --------------------------------------------------------------------------------------------------------- */

/* Place of the parameter of a bias: by distance, shared by heads, or by bucket and head. */
static size_t bias_place(const sq_layout *l, const sq_options *o, const sq_block_at *at, int32_t head, int64_t x)
{
    const sq_scheme_shape shape = {l->bidirectional, (int32_t)o->relative_buckets, o->relative_distance};
    if (!l->scheme->bucket) return at->relative_bias + (size_t)x;
    return at->relative_bias + (size_t)l->scheme->bucket(&shape, x - l->past) * (size_t)l->bias_ld + (size_t)head;
}

static float bias_of(const sq_layout *l, const sq_options *o, const sq_block_at *at, const float *weights, int32_t head, int64_t x)
{
    if (l->scheme->fixed) return (float)l->scheme->fixed(head, l->heads, x - l->past);
    return weights[bias_place(l, o, at, head, x)];
}

/* Biases are added behind the division by sqrt(width), which pointwise attention does not have; terms before it. */
static float bias_factor(const sq_layout *l) { return l->pointwise > 0 ? 1 : sqrtf((float)l->dh); }

static void open_biases(const sq_layout *l, const sq_options *o, const sq_block_at *at, const float *weights, sq_relations *r)
{
    size_t padded = padded_columns(l);
    for (int32_t h = 0; h < l->heads; h++)
        for (int64_t x = (int64_t)r->first; x < (int64_t)padded; x++)
            r->bias[(size_t)h * padded + (size_t)x] = x < l->columns ? bias_factor(l) * bias_of(l, o, at, weights, h, x) : 0;
}

/* ---- a pass through a block ----------------------------------------------------------------------------------------- */

/* Of head h: where its rows begin, in a block of parameters or gradients. */
static size_t keys_at(const sq_layout *l, const sq_block_at *at, int32_t head)
{
    return at->relative_keys + (table_heads(l) > 1 ? (size_t)head * (size_t)l->dhp : 0);
}

static size_t values_at(const sq_layout *l, const sq_block_at *at, int32_t head)
{
    return at->relative_values + (table_heads(l) > 1 ? (size_t)head * (size_t)l->dhp : 0);
}

static void transpose_tables(const sq_kernels *k, const sq_layout *l, const sq_block_at *at, const float *weights, int backward,
                             sq_relations *r)
{
    size_t padded = padded_columns(l), columns = (size_t)l->columns - r->first, width = (size_t)l->dhp;
    size_t ld = (size_t)l->relative_ld, skip = r->first * ld;
    for (size_t h = 0; h < table_heads(l); h++) {
        size_t to = h * width * padded + r->first;
        k->transpose(columns, width, weights + keys_at(l, at, (int32_t)h) + skip, ld, r->keys_t + to, padded);
        if (backward) k->transpose(columns, width, weights + values_at(l, at, (int32_t)h) + skip, ld, r->values_t + to, padded);
    }
}

/* ---- by time -------------------------------------------------------------------------------------------------------- */

static void open_timed(const sq_kernels *k, const sq_layout *l, const sq_block_at *at, const float *weights, int backward,
                       sq_relations *r)
{
    size_t padded = padded_times(l), columns = (size_t)l->time_columns, hp = (size_t)l->hp;
    if (l->timed == SQ_TIME_BIAS) {
        k->scale(padded, bias_factor(l), weights + at->time_bias, r->time_bias);
        if (backward) memset(r->dtime_bias, 0, padded * sizeof *r->dtime_bias);
    }
    if (l->timed != SQ_TIME_INTERVALS) return;
    k->transpose(columns, hp, weights + l->time_keys, hp, r->time_keys_t, padded);
    if (backward) k->transpose(columns, hp, weights + l->time_values, hp, r->time_values_t, padded);
}

sq_relation sq_timed_relation_of_head(const sq_layout *l, const float *weights, int32_t head, const sq_relations *r, float *grads)
{
    size_t own = (size_t)head * (size_t)l->dhp, padded = padded_times(l);
    sq_relation n = {.columns = (size_t)l->time_columns, .ld = (size_t)l->hp, .ld_t = padded};
    n.bias = r->time_bias;
    n.dbias = grads ? r->dtime_bias : NULL;
    if (l->timed != SQ_TIME_INTERVALS) return n;
    n.keys = weights + l->time_keys + own;
    n.values = weights + l->time_values + own;
    n.keys_t = r->time_keys_t + own * padded;
    if (!grads) return n;
    n.values_t = r->time_values_t + own * padded;
    n.dkeys = grads + l->time_keys + own;
    n.dvalues = grads + l->time_values + own;
    return n;
}

/* ---- a pass --------------------------------------------------------------------------------------------------------- */

void sq_relations_open(const sq_kernels *k, const sq_layout *l, const sq_options *o, const float *weights,
                       int32_t block, int32_t longest, const float *grads, sq_relations *r)
{
    const sq_block_at *at = &l->block[block];
    r->first = l->past >= longest ? (size_t)(l->past - longest + 1) / 16 * 16 : 0;
    if (has_bias(l)) open_biases(l, o, at, weights, r);
    if (has_bias(l) && grads) memset(r->dbias, 0, (size_t)l->heads * padded_columns(l) * sizeof *r->dbias);
    if (has_tables(l)) transpose_tables(k, l, at, weights, grads != NULL, r);
    open_timed(k, l, at, weights, grads != NULL, r);
}

sq_relation sq_relation_of_head(const sq_layout *l, const float *weights, int32_t block, int32_t head, const sq_relations *r,
                                float *grads)
{
    const sq_block_at *at = &l->block[block];
    size_t padded = padded_columns(l), own = table_heads(l) > 1 ? (size_t)head * (size_t)l->dhp * padded : 0;
    sq_relation n = {.past = (size_t)l->past, .columns = (size_t)l->columns, .ld = (size_t)l->relative_ld, .ld_t = padded};
    if (has_bias(l)) n.bias = r->bias + (size_t)head * padded;
    if (learns_bias(l) && grads) n.dbias = r->dbias + (size_t)head * padded;
    if (!has_tables(l)) return n;
    n.keys = weights + keys_at(l, at, head);
    n.values = weights + values_at(l, at, head);
    n.keys_t = r->keys_t + own;
    if (!grads) return n;
    n.values_t = r->values_t + own;
    n.dkeys = grads + keys_at(l, at, head);
    n.dvalues = grads + values_at(l, at, head);
    return n;
}

void sq_relations_close(const sq_layout *l, const sq_options *o, int32_t block, const sq_relations *r, float *grads)
{
    for (int32_t x = 0; x < l->time_columns && r->dtime_bias; x++)
        grads[l->block[block].time_bias + (size_t)x] += bias_factor(l) * r->dtime_bias[x];
    if (!learns_bias(l)) return;
    for (int32_t h = 0; h < l->heads; h++)
        for (int64_t x = (int64_t)r->first; x < l->columns; x++)
            grads[bias_place(l, o, &l->block[block], h, x)] +=
                bias_factor(l) * r->dbias[(size_t)h * padded_columns(l) + (size_t)x];
}
