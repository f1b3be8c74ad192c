/* model: building the parameter layout, starting values, and the order of files. */
#include "model/parameters.h"
#include "base/rng.h"
#include "position/calendar.h"
#include "position/interval.h"
#include "layer/filter.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GATES_START 2 /* logit of a new gate: open in about 9 of 10 draws */

static int32_t round16(int64_t n) { return (int32_t)sq_round16((size_t)n); }

typedef struct builder {
    sq_layout *layout;
    int64_t block; /* -1 outside blocks */
} builder;

/* A new row of the table named blocks.<b>.<name> or <name>. */
static sq_parameter *append(builder *b, const char *name, int32_t rank, int64_t rows, int64_t cols)
{
    sq_parameter *p = &b->layout->parameters[b->layout->count++];
    memset(p, 0, sizeof *p);
    if (b->block >= 0)
        snprintf(p->name, sizeof p->name, "blocks.%d.%.40s", (int)b->block, name);
    else
        snprintf(p->name, sizeof p->name, "%.47s", name);
    p->rank = rank;
    p->rows = rows;
    p->cols = cols;
    p->row_group = p->row_group_ld = rows;
    p->col_group = p->col_group_ld = cols;
    return p;
}

static size_t reserve(builder *b, size_t floats)
{
    size_t at = b->layout->floats;
    b->layout->floats += floats;
    return at;
}

static size_t vector(builder *b, const char *name, int64_t cols, float start)
{
    sq_parameter *p = append(b, name, 1, 1, cols);
    p->offset = reserve(b, (size_t)round16(cols));
    p->start = start;
    return p->offset;
}

/* Without parameters of its own a norm reads constants, which stand in the block like parameters; see derived.h. */
static void norm(builder *b, const sq_options *o, const char *name, size_t *gain, size_t *bias)
{
    char full[40];
    if (!o->norm_affine) {
        *gain = b->layout->ones;
        *bias = b->layout->zeros;
        return;
    }
    snprintf(full, sizeof full, "%.30s.weight", name);
    *gain = vector(b, full, b->layout->d, 1);
    snprintf(full, sizeof full, "%.30s.bias", name);
    *bias = vector(b, full, b->layout->d, 0);
}

static void linear(builder *b, const char *name, int64_t rows, int64_t cols, size_t *weight, size_t *bias)
{
    char full[40];
    snprintf(full, sizeof full, "%.30s.weight", name);
    sq_parameter *p = append(b, full, 2, rows, cols);
    p->ld = (size_t)round16(cols);
    p->offset = *weight = reserve(b, (size_t)round16(rows) * p->ld);
    p->fan_in = (int32_t)rows;
    p->fan_out = (int32_t)cols;
    snprintf(full, sizeof full, "%.30s.bias", name);
    *bias = vector(b, full, cols, 0);
}

static void matrix(builder *b, const char *name, int64_t rows, int64_t cols, size_t *weight, size_t ld)
{
    sq_parameter *p = append(b, name, 2, rows, cols);
    p->ld = ld;
    p->offset = *weight;
    p->fan_in = (int32_t)rows;
    p->fan_out = (int32_t)cols;
}

/* SwiGLU: the gate's columns, then those it multiplies. */
static void feed_forward(builder *b, const sq_options *o, sq_block_at *at)
{
    const sq_layout *l = b->layout;
    size_t fp = (size_t)l->fp, up;
    if (o->activation != SQ_ACTIVATION_SWIGLU) {
        linear(b, "ffn_in", l->d, l->f, &at->ffn_in, &at->ffn_in_bias);
        linear(b, "ffn_out", l->f, l->d, &at->ffn_out, &at->ffn_out_bias);
        return;
    }
    at->ffn_in = reserve(b, (size_t)l->dp * 2 * fp);
    up = at->ffn_in + fp;
    matrix(b, "ffn_gate.weight", l->d, l->f, &at->ffn_in, 2 * fp);
    matrix(b, "ffn_in.weight", l->d, l->f, &up, 2 * fp);
    at->ffn_out = reserve(b, fp * (size_t)l->dp);
    matrix(b, "ffn_out.weight", l->f, l->d, &at->ffn_out, (size_t)l->dp);
}

static void residual_gates(builder *b, sq_block_at *at)
{
    const int32_t d = b->layout->d;
    linear(b, "attention_residual_gate", d, d, &at->residual_gate[0], &at->residual_gate_bias[0]);
    linear(b, "ffn_residual_gate", d, d, &at->residual_gate[1], &at->residual_gate_bias[1]);
}

/* Query, key and value are three parameters of files and one matrix [dp][3 * hp] here. */
static void query_key_value(builder *b, const sq_options *o, sq_block_at *at)
{
    static const char *const names[3] = {"query", "key", "value"};
    sq_layout *l = b->layout;
    at->qkv = reserve(b, (size_t)l->dp * 3 * (size_t)l->hp);
    if (!o->attention) at->qkv_bias = reserve(b, 3 * (size_t)l->hp);
    for (size_t i = 0; i < 3; i++) {
        char full[40];
        snprintf(full, sizeof full, "%.30s.weight", names[i]);
        sq_parameter *p = append(b, full, 2, l->d, l->e);
        p->col_group = l->dh;
        p->col_group_ld = l->dhp;
        p->ld = 3 * (size_t)l->hp;
        p->offset = at->qkv + i * (size_t)l->hp;
        p->fan_in = l->d;
        p->fan_out = o->wiring == SQ_WIRING_ORIGINAL ? l->e : 3 * l->e; /* one stacked matrix in PyTorch's layer */
        if (o->attention) continue;
        snprintf(full, sizeof full, "%.30s.bias", names[i]);
        p = append(b, full, 1, 1, l->e);
        p->col_group = l->dh;
        p->col_group_ld = l->dhp;
        p->offset = at->qkv_bias + i * (size_t)l->hp;
    }
}

/* The filter's taps are no parameters: passes read them here, and leave their gradient here in a block of gradients. */
static void spectrum(builder *b, sq_block_at *at)
{
    static const char *const names[2] = {"filter.real", "filter.imaginary"};
    sq_layout *l = b->layout;
    int64_t frequencies = (int64_t)sq_filter_frequencies((size_t)l->window);
    at->spectrum = reserve(b, 2 * (size_t)frequencies * (size_t)l->dp);
    at->taps = reserve(b, (size_t)l->window * (size_t)l->dp);
    for (size_t i = 0; i < 2; i++) {
        sq_parameter *p = append(b, names[i], 2, frequencies, l->d);
        p->table = 1;
        p->ld = (size_t)l->dp;
        p->offset = at->spectrum + i * (size_t)frequencies * p->ld;
        p->fan_in = 1;
    }
}

static void attention_output(builder *b, sq_block_at *at)
{
    sq_layout *l = b->layout;
    sq_parameter *p = append(b, "output.weight", 2, l->e, l->d);
    p->row_group = l->dh;
    p->row_group_ld = l->dhp;
    p->ld = (size_t)l->dp;
    p->offset = at->output = reserve(b, (size_t)l->hp * (size_t)l->dp);
    p->fan_in = l->e;
    p->fan_out = l->d;
    at->output_bias = vector(b, "output.bias", l->d, 0);
}

/* Entry (i, j): the gate of the query at slot i on the key at slot j of the window; only j <= i is used. Rows are read a panel
 * behind their end. */
static void position_gates(builder *b, sq_block_at *at)
{
    sq_layout *l = b->layout;
    sq_parameter *p = append(b, "gates.weight", 2, l->length, l->length);
    p->table = 1;
    p->ld = (size_t)l->lp;
    p->offset = at->gates = reserve(b, (size_t)l->length * p->ld + 16);
    p->start = GATES_START;
}

/* The logit of the gate of i on j is open + <x_i Q, x_j K> / sqrt(rank). */
static void content_gates(builder *b, sq_block_at *at)
{
    static const char *const names[2] = {"gate_query.weight", "gate_key.weight"};
    sq_layout *l = b->layout;
    at->gate_sides = reserve(b, (size_t)l->dp * 2 * (size_t)l->rp);
    for (size_t i = 0; i < 2; i++) {
        sq_parameter *p = append(b, names[i], 2, l->d, l->rank);
        p->ld = 2 * (size_t)l->rp;
        p->offset = at->gate_sides + i * (size_t)l->rp;
        p->fan_in = l->d;
        p->fan_out = l->rank;
    }
    at->gate_open = vector(b, "gate.bias", 1, GATES_START);
}

/* Distances that have a row of their own: up to relative_clip, or all that occur. */
static void relative_widths(sq_layout *l, const sq_options *o)
{
    int32_t tokens = l->span ? l->span : l->length + (o->user_embedding == SQ_USER_PREFIX); /* the farthest, and one */
    l->scheme = sq_options_scheme(o);
    if (!l->scheme->tables && !l->scheme->biases) return;
    l->past = l->scheme->clips && o->relative_clip && o->relative_clip < tokens - 1 ? (int32_t)o->relative_clip : tokens - 1;
    l->columns = l->bidirectional ? 2 * l->past + 1 : l->past + 1;
    l->relative_ld = l->scheme->made ? 2 * l->hp : l->dhp;
    l->bias_ld = round16(l->heads);
}

/* A table with a row for each distance (or bucket of them). */
static size_t relative_table(builder *b, const char *name, int64_t rows, int64_t cols, int32_t ld)
{
    sq_parameter *p = append(b, name, 2, rows, cols);
    p->table = 1;
    p->ld = (size_t)ld;
    p->offset = reserve(b, (size_t)rows * p->ld);
    p->fan_in = (int32_t)rows;
    p->fan_out = (int32_t)cols;
    return p->offset;
}

/* A bias for each of them, the same for all heads. */
static size_t bias_table(builder *b, const char *name, int64_t columns)
{
    size_t at = relative_table(b, name, 1, columns, round16(columns));
    b->layout->parameters[b->layout->count - 1].rank = 1;
    b->layout->parameters[b->layout->count - 1].table = 0;
    return at;
}

/* Row x of a table is for keys x - past events behind the query. Tables that are made of other parameters have only a place. */
static void relative_terms(builder *b, const sq_options *o, sq_block_at *at)
{
    const sq_layout *l = b->layout;
    if (l->scheme->tables && !l->scheme->made) {
        at->relative_keys = relative_table(b, "relative_key.weight", l->columns, l->dh, l->dhp);
        at->relative_values = relative_table(b, "relative_value.weight", l->columns, l->dh, l->dhp);
    }
    if (l->scheme->bucket)
        at->relative_bias = relative_table(b, "relative_bias.weight", o->relative_buckets, l->heads, l->bias_ld);
    else if (l->scheme->biases && !l->scheme->fixed)
        at->relative_bias = bias_table(b, "relative_bias.weight", l->columns);
    if (l->timed == SQ_TIME_BIAS) at->time_bias = bias_table(b, "time_bias.weight", SQ_TIME_BUCKETS);
    if (!l->scheme->made) return;
    at->relative_keys = reserve(b, (size_t)l->columns * (size_t)l->relative_ld);
    at->relative_values = at->relative_keys + (size_t)l->hp;
}

/* What a block of HSTU has besides q, k and v. */
static void hstu(builder *b, const sq_options *o, sq_block_at *at)
{
    const sq_layout *l = b->layout;
    at->unit = reserve(b, (size_t)l->dp * (size_t)l->mp);
    matrix(b, "unit.weight", l->d, l->m, &at->unit, (size_t)l->mp);
    linear(b, "output", l->m, l->d, &at->output, &at->output_bias);
    if (l->f) feed_forward(b, o, at);
}

static void block(builder *b, const sq_options *o, sq_block_at *at)
{
    if (b->layout->pointwise > 0) {
        query_key_value(b, o, at);
        hstu(b, o, at);
        relative_terms(b, o, at);
        return;
    }
    const int filters = b->layout->window > 0;
    norm(b, o, filters ? "filter_norm" : "attention_norm", &at->norm1_gain, &at->norm1_bias);
    if (filters) spectrum(b, at);
    if (!filters) query_key_value(b, o, at);
    if (!filters && o->attention_output) attention_output(b, at);
    norm(b, o, "ffn_norm", &at->norm2_gain, &at->norm2_bias);
    feed_forward(b, o, at);
    if (b->layout->residual_gate) residual_gates(b, at);
    if (b->layout->lp) position_gates(b, at);
    if (b->layout->rp) content_gates(b, at);
    relative_terms(b, o, at);
}

static void widths(sq_layout *l, const sq_options *o)
{
    l->d = (int32_t)sq_options_width(o);
    l->dp = round16(l->d);
    l->part = (int32_t)o->dim;
    l->bias = (int32_t)o->item_bias;
    l->vd = l->part + l->bias;
    l->vp = round16(l->vd);
    l->ud = (int32_t)sq_options_user_dim(o);
    l->up = round16(l->ud);
    l->heads = (int32_t)o->heads;
    l->dh = (int32_t)sq_options_head_dim(o);
    l->e = l->heads * l->dh;
    l->dhp = round16(l->dh);
    l->hp = l->heads * l->dhp;
    l->channels = 1;
    if (o->channels == SQ_CHANNELS_APART) l->channels += (o->relative == SQ_RELATIVE_BIAS) + (o->time == SQ_TIME_BIAS);
    l->m = l->channels * l->e;
    l->mp = round16(l->m);
    l->f = o->ffn_dim ? (int32_t)o->ffn_dim : l->d;
    if (o->attention == SQ_ATTENTION_HSTU && o->activation != SQ_ACTIVATION_SWIGLU) l->f = 0;
    l->fp = round16(l->f);
    l->blocks = (int32_t)o->blocks;
    l->length = (int32_t)o->max_length;
    if (o->gates == SQ_GATES_POSITION) l->lp = round16(o->max_length);
    if (o->gates == SQ_GATES_CONTENT) l->rank = (int32_t)o->gate_rank;
    l->rp = round16(l->rank);
    l->bidirectional = o->mask == SQ_MASK_BIDIRECTIONAL;
    l->span = o->attention_span < o->max_length ? (int32_t)o->attention_span : 0;
    relative_widths(l, o);
    l->placed = o->position_place == SQ_PLACE_ATTENTION;
    l->timed = (int32_t)o->time;
    l->dated = o->time != SQ_TIME_NONE || o->calendar;
    l->time_columns = o->time == SQ_TIME_BIAS ? SQ_TIME_BUCKETS : o->time == SQ_TIME_INTERVALS ? (int32_t)o->time_span + 1 : 0;
    l->residual_gate = (int32_t)o->residual_gate;
    if (o->attention == SQ_ATTENTION_HSTU)
        l->pointwise = 1.0f / (float)(o->hstu_length ? o->hstu_length : o->max_length);
    l->window = (int32_t)sq_options_window(o);
    l->ahead = l->bidirectional ? l->window / 2 : 0;
    l->final_norm = (int32_t)o->final_norm;
    l->transform = o->head == SQ_HEAD_TRANSFORM;
}

/* A table of vectors; each starts as a position does. */
static size_t table(builder *b, const char *name, int64_t rows)
{
    sq_parameter *p = append(b, name, 2, rows, b->layout->d);
    p->table = 1;
    p->ld = (size_t)b->layout->dp;
    p->offset = reserve(b, (size_t)rows * p->ld);
    p->fan_in = b->layout->length;
    p->fan_out = b->layout->d;
    return p->offset;
}

/* A table of what is added to keys or values of all heads. */
static size_t head_table(builder *b, const char *name, int64_t rows)
{
    const sq_layout *l = b->layout;
    size_t at = relative_table(b, name, rows, l->heads * l->dh, l->hp);
    sq_parameter *p = &b->layout->parameters[b->layout->count - 1];
    p->col_group = l->dh;
    p->col_group_ld = l->dhp;
    return at;
}

/* What all blocks add to their keys and values. */
static void shared_terms(builder *b)
{
    sq_layout *l = b->layout;
    if (l->placed) {
        l->position_keys = head_table(b, "position_key.weight", l->length);
        l->position_values = head_table(b, "position_value.weight", l->length);
    }
    if (l->timed == SQ_TIME_INTERVALS) {
        l->time_keys = head_table(b, "time_key.weight", l->time_columns);
        l->time_values = head_table(b, "time_value.weight", l->time_columns);
    }
}

/* Of reversed positions that are cut, the farthest has the last row. */
static int32_t position_rows(const sq_layout *l, const sq_options *o)
{
    return o->position == SQ_POSITION_REVERSED && o->relative_clip > 0 ? l->past + 1 : l->length;
}

static void build(sq_layout *l, const sq_options *o)
{
    builder b = {l, -1};
    if (!o->norm_affine || l->pointwise > 0) {
        l->ones = l->head_ones = reserve(&b, (size_t)l->dp);
        l->zeros = reserve(&b, (size_t)(l->mp > l->dp ? l->mp : l->dp));
        if (l->m != l->d) l->head_ones = reserve(&b, (size_t)l->mp);
    }
    shared_terms(&b);
    if (sq_options_input_positions(o)) l->position = table(&b, "position.weight", position_rows(l, o));
    if (o->calendar) l->calendar = table(&b, "calendar.weight", SQ_CALENDAR_ROWS);
    if (l->bidirectional) l->mask = table(&b, "mask.weight", 1);
    if (o->embedding_norm) norm(&b, o, "embedding_norm", &l->embedding_gain, &l->embedding_bias);
    for (b.block = 0; b.block < l->blocks; b.block++) block(&b, o, &l->block[b.block]);
    b.block = -1;
    if (l->final_norm) norm(&b, o, "final_norm", &l->final_gain, &l->final_bias);
    if (o->user_embedding != SQ_USER_NONE) l->user_default = vector(&b, "users.default", l->ud, 0);
    if (o->temperature_learned) l->log_scale = vector(&b, "score.log_scale", 1, -(float)log(o->temperature));
    if (!l->transform) return;
    linear(&b, "head", l->d, l->d, &l->head, &l->head_bias);
    norm(&b, o, "head_norm", &l->head_norm_gain, &l->head_norm_bias);
}

static void mark_run(sq_layout *l, size_t at, int64_t n) { memset(l->is_matrix + at / 16, 1, (at + (size_t)n - 1) / 16 - at / 16 + 1); }

/* Rows and vectors begin at multiples of 16, so that no line of 16 is shared. */
static void mark_matrices(sq_layout *l)
{
    for (int32_t i = 0; i < l->count; i++) {
        const sq_parameter *p = &l->parameters[i];
        for (int64_t r = 0; p->rank == 2 && r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c += p->col_group) mark_run(l, sq_parameter_index(p, r, c), p->col_group);
    }
}

/* Angles of the places of a window, made once: they do not depend on weights. */
static int32_t rotary_angles(const sq_memory *memory, const sq_options *o, sq_layout *l)
{
    int32_t half = l->dh / 2, tokens = l->length + (o->user_embedding == SQ_USER_PREFIX);
    if (!l->scheme->rotates) return 1;
    l->cosines = sq_alloc(memory, (size_t)tokens * (size_t)half, sizeof *l->cosines);
    l->sines = sq_alloc(memory, (size_t)tokens * (size_t)half, sizeof *l->sines);
    for (int32_t e = 0; e < half && l->cosines && l->sines; e++)
        for (int32_t t = 0; t < tokens; t++) {
            double angle = sq_rotary_angle(t, e, half, o->rotary_base);
            l->cosines[(size_t)t * (size_t)half + (size_t)e] = (float)cos(angle);
            l->sines[(size_t)t * (size_t)half + (size_t)e] = (float)sin(angle);
        }
    return l->cosines && l->sines;
}

static int32_t no_memory(const sq_memory *memory, sq_layout *layout, seqrec_error *error)
{
    sq_layout_free(memory, layout);
    return sq_fail(error, SEQREC_E_MEMORY, "no memory for the parameter layout");
}

int32_t sq_layout_outline(const sq_memory *memory, const sq_options *options, sq_layout *out, seqrec_error *error)
{
    memset(out, 0, sizeof *out);
    widths(out, options);
    out->block = sq_alloc_zero(memory, (size_t)options->blocks + 1, sizeof *out->block);
    out->parameters = sq_alloc_zero(memory, (size_t)options->blocks * SQ_BLOCK_PARAMETERS + SQ_OTHER_PARAMETERS,
                                    sizeof *out->parameters);
    if (!out->block || !out->parameters) return no_memory(memory, out, error);
    build(out, options);
    return SEQREC_OK;
}

int32_t sq_layout_create(const sq_memory *memory, const sq_options *options, sq_layout *out, seqrec_error *error)
{
    SQ_TRY(sq_layout_outline(memory, options, out, error));
    out->is_matrix = sq_alloc_zero(memory, out->floats / 16 + 1, sizeof *out->is_matrix);
    if (!out->is_matrix || !rotary_angles(memory, options, out)) return no_memory(memory, out, error);
    mark_matrices(out);
    return SEQREC_OK;
}

void sq_layout_free(const sq_memory *memory, sq_layout *layout)
{
    sq_free(memory, layout->block);
    sq_free(memory, layout->parameters);
    sq_free(memory, layout->is_matrix);
    sq_free(memory, layout->cosines);
    sq_free(memory, layout->sines);
    memset(layout, 0, sizeof *layout);
}

void sq_layout_item_part(const sq_layout *l, const float *out, float *u)
{
    size_t part = (size_t)l->part;
    memcpy(u, out, part * sizeof *u);
    memset(u + part, 0, ((size_t)l->vp - part) * sizeof *u);
    if (l->bias) u[part] = 1;
}

static uint64_t name_key(const char *name)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a: parameters draw from streams of their own whatever their order */
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 1099511628211u;
    return h;
}

#define DRAWS 16 /* of a value; all beyond two deviations: one case in 10^21, cut to two */

double sq_start_value(int64_t init, double deviation, uint64_t key, uint64_t counter)
{
    double z = 3;
    if (init != SQ_INIT_TRUNCATED_NORMAL) return deviation * sq_random_normal(key, counter);
    for (uint64_t i = 0; i < DRAWS && fabs(z) > 2; i++) z = sq_random_normal(key, counter * DRAWS + i);
    return deviation * (z > 2 ? 2 : z < -2 ? -2 : z);
}

static void initialise_one(const sq_parameter *p, const sq_options *o, float *values)
{
    uint64_t key = sq_random_key((uint64_t)o->seed, SQ_STREAM_INIT, name_key(p->name));
    double deviation = o->init_std;
    if (o->init == SQ_INIT_XAVIER && p->rank == 2 && p->fan_out > 0) deviation = sqrt(2.0 / (double)(p->fan_in + p->fan_out));
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->cols; c++)
            values[sq_parameter_index(p, r, c)] =
                p->fan_in > 0 ? (float)sq_start_value(o->init, deviation, key, (uint64_t)(r * p->cols + c)) : p->start;
}

float sq_temperature(const sq_layout *layout, const sq_options *options, const float *weights)
{
    if (!options->temperature_learned) return (float)options->temperature;
    float learned = expf(-weights[layout->log_scale]), lowest = (float)options->temperature_lowest;
    return learned < lowest ? lowest : learned;
}

void sq_layout_initialise(const sq_layout *layout, const sq_options *options, float *values)
{
    for (int32_t i = 0; i < layout->count; i++) initialise_one(&layout->parameters[i], options, values);
}

void sq_parameter_export(const sq_parameter *p, const float *values, float *flat)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->cols; c++)
            flat[p->table ? r * p->cols + c : c * p->rows + r] = values[sq_parameter_index(p, r, c)];
}

void sq_parameter_import(const sq_parameter *p, const float *flat, float *values)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->cols; c++)
            values[sq_parameter_index(p, r, c)] = flat[p->table ? r * p->cols + c : c * p->rows + r];
}
