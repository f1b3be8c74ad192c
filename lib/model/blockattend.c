/* model: attention of one block over the packed sequences, with its gates, positions and relative terms. */
#include "model/blockpass.h"
#include "position/absolute.h"
#include <stdatomic.h>
#include <string.h>

/* Turns queries and keys of x [tokens][3 * hp], or their gradients back again, by the places of their events. */
static void rotate(const sq_block_pass *a, float sign, float *x)
{
    size_t half = (size_t)a->l->dh / 2, ld = 3 * a->hp, dhp = (size_t)a->l->dhp;
    const float *cosines = a->extension ? a->extension->cosines : a->l->cosines;
    const float *sines = a->extension ? a->extension->sines : a->l->sines;
    if (!a->l->scheme->rotates) return;
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        size_t start = (size_t)a->batch->starts[i], n = (size_t)a->batch->starts[i + 1] - start;
        for (size_t h = 0; h < 2 * (size_t)a->l->heads; h++)
            a->k->rotate(n, half, ld, half, cosines, sines, sign, x + start * ld + h * dhp);
    }
}

/* The position of token t of n. */
static size_t position_of(const sq_block_pass *a, size_t t, size_t n)
{
    sq_position_rule rule = a->net->options->position == SQ_POSITION_START ? sq_position_from_start : sq_position_from_end;
    return (size_t)rule((int32_t)t, (int32_t)n);
}

/* position_place = attention: keys and values get their positions' vectors; or these the gradients of x [tokens][3 * hp]. */
static void add_positions(const sq_block_pass *a, float *x, float *grads)
{
    if (!a->l->placed) return;
    const size_t tables[2] = {a->l->position_keys, a->l->position_values};
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        size_t start = (size_t)a->batch->starts[i], n = (size_t)a->batch->starts[i + 1] - start;
        for (size_t t = 0; t < 2 * n; t++) {
            float *row = x + (start + t / 2) * 3 * a->hp + (1 + t % 2) * a->hp;
            size_t at = tables[t % 2] + position_of(a, t / 2, n) * a->hp;
            if (grads)
                a->k->add(a->hp, row, grads + at);
            else
                a->k->add(a->hp, sq_param(a, at), row);
        }
    }
}

static sq_head head_of(const sq_block_pass *a, int32_t sequence, int32_t head)
{
    int32_t start = a->batch->starts[sequence];
    const float *q = a->s->qkv + (size_t)start * 3 * a->hp + (size_t)head * (size_t)a->l->dhp;
    sq_head h = {.length = (size_t)(a->batch->starts[sequence + 1] - start),
                 .width = (size_t)a->l->dh,
                 .padded = (size_t)a->l->dhp,
                 .ld = 3 * a->hp,
                 .bidirectional = a->l->bidirectional,
                 .span = (size_t)a->l->span,
                 .q = q,
                 .k = q + a->hp,
                 .v = q + 2 * a->hp,
                 .pointwise = a->l->pointwise,
                 .dropout = sq_block_mask(a->net->attention, a->block, 0),
                 .mask_row = (uint64_t)a->batch->first + (uint64_t)start};
    h.dropout.key += (uint64_t)(uint32_t)head * 0xd1342543de82ef95u;
    return h;
}

static sq_content_gates content_gates_of(const sq_block_pass *a, int32_t sequence)
{
    int32_t start = a->batch->starts[sequence];
    sq_content_gates g = {.length = (size_t)(a->batch->starts[sequence + 1] - start),
                          .rank = (size_t)a->l->rank,
                          .padded = (size_t)a->l->rp,
                          .sides = a->s->sides + (size_t)start * 2 * (size_t)a->l->rp,
                          .bias = *sq_param(a, a->offset->gate_open),
                          .drawn = a->net->draws_gates,
                          .key = sq_block_mask((sq_dropout){.key = a->net->gate_key}, a->block, 3).key,
                          .row = (uint64_t)a->batch->first + (uint64_t)start};
    return g;
}

static void count_gates(const sq_block_pass *a, const sq_content_gates *g, size_t from)
{
    _Atomic int64_t *counts = a->net->gate_counts + 2 * (size_t)a->block;
    const size_t all = g->length * (g->length + 1) / 2 - from * (from + 1) / 2;
    atomic_fetch_add(&counts[0], sq_content_gates_open(g, from, &a->work->gates));
    atomic_fetch_add(&counts[1], (int64_t)all);
}

/* The gates of tokens `from` on of a sequence, in `to`; NULL when the model has none. grads: for the backward pass, or NULL. */
static const sq_gates *gates_of(const sq_block_pass *a, int32_t sequence, size_t from, float *grads, sq_gates *to)
{
    int32_t length = a->batch->starts[sequence + 1] - a->batch->starts[sequence];
    if (a->l->rp) {
        sq_content_gates g = content_gates_of(a, sequence);
        *to = grads ? sq_content_gates_again(a->k, &g, &a->work->gates)
                    : sq_content_gates_fwd(a->k, &g, from, &a->work->gates);
        if (a->net->gate_counts) count_gates(a, &g, from);
        return to;
    }
    if (!a->net->gates) return NULL;
    *to =
        sq_gate_table_view(a->net->gates, a->l, a->net->options, a->block, length, a->net->learns_gates ? grads : NULL);
    return to;
}

const sq_relation *sq_block_relation(const sq_block_pass *a, const sq_relations *relations, int32_t head, float *grads,
                                     sq_relation *to)
{
    if (!a->l->columns) return NULL;
    *to = sq_relation_of_head(a->l, a->net->weights, a->block, head, relations, grads);
    return to;
}

/* Channels apart: the biases of a head's are their weights, one after the other behind the head's own, with a row of `wide` for all
 * channels of all heads. */
static size_t wide(const sq_block_pass *a) { return a->hp * (size_t)a->l->channels; }

static size_t channels_of(sq_head *head, sq_head channels[2])
{
    size_t n = 0;
    if (head->relation) {
        channels[n] = *head;
        channels[n++].timed = NULL;
    }
    if (head->timed) {
        channels[n] = *head;
        channels[n++].relation = NULL;
    }
    head->relation = head->timed = NULL;
    return n;
}

/* What a head adds by distance and by time. */
typedef struct terms {
    sq_relation by_distance, by_time;
    sq_intervals intervals;
} terms;

/* grads: for the backward pass, or NULL. */
static void relate(const sq_block_pass *a, const sq_relations *relations, int32_t sequence, int32_t head, float *grads,
                   terms *to, sq_head *h)
{
    size_t start = (size_t)a->batch->starts[sequence];
    h->relation = sq_block_relation(a, relations, head, grads, &to->by_distance);
    if (!a->l->timed) return;
    to->intervals = (sq_intervals){.times = a->batch->times + start, .span = a->l->time_columns - 1};
    if (!a->work->tau)
        to->intervals.asks = a->batch->asks + start;
    else if (a->net->options->time_unit == SQ_UNIT_SEEN)
        to->intervals.unit = a->work->tau + start;
    else
        to->intervals.tau = a->work->tau + start;
    to->by_time = sq_timed_relation_of_head(a->l, a->net->weights, head, relations, grads);
    to->by_time.intervals = &to->intervals;
    h->timed = &to->by_time;
}

/* Of the forward pass: those that were made with the weights, or made now. */
static const sq_relations *relations_of(const sq_block_pass *a)
{
    if (a->net->relations) return &a->net->relations[a->block];
    sq_relations_open(a->k, a->l, a->net->options, a->net->weights, a->block, a->batch->longest, NULL,
                      &a->work->relations);
    return &a->work->relations;
}

/* The first row that has a query. */
static size_t first_query(const sq_block_pass *a, const sq_head *h, size_t from) { return a->newest ? h->length - 1 : from; }

/* Leaves the head its own. */
static void channels_fwd(const sq_block_pass *a, sq_head *head, size_t from, float *out)
{
    sq_head channels[2];
    for (size_t c = 0, n = channels_of(head, channels); c < n; c++)
        sq_channel_fwd(a->k, &channels[c], from, out + (c + 1) * a->hp, wide(a), &a->work->head);
}

void sq_block_attend(const sq_block_pass *a, size_t from)
{
    float *kept = a->s->kept;
    add_positions(a, a->s->qkv, NULL);
    const sq_relations *relations = relations_of(a);
    rotate(a, 1, a->s->qkv);
    if (a->extension) {
        sq_cached_attend(a, relations, from);
        return;
    }
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        sq_gates values;
        const sq_gates *gates = gates_of(a, i, from, NULL, &values);
        size_t floats = kept ? sq_kept_floats(a->l, a->batch->starts[i + 1] - a->batch->starts[i]) : 0;
        for (int32_t h = 0; h < a->l->heads; h++) {
            sq_head head = head_of(a, i, h);
            float *out = a->s->heads + (size_t)a->batch->starts[i] * wide(a) + (size_t)h * head.padded;
            terms own;
            head.gates = gates;
            relate(a, relations, i, h, NULL, &own, &head);
            if (a->l->channels > 1) channels_fwd(a, &head, from, out);
            sq_head_fwd(a->k, &head, first_query(a, &head, from), out, wide(a), floats ? kept : NULL, &a->work->head);
            kept = floats ? kept + floats / (size_t)a->l->heads : kept;
        }
    }
}

/* The heads of a sequence have left the gradient of its gates in the scratch. */
static void content_gates_bwd(const sq_block_pass *a, int32_t sequence, float *grads)
{
    sq_content_gates g = content_gates_of(a, sequence);
    float *dsides = a->work->dsides + (size_t)a->batch->starts[sequence] * 2 * g.padded;
    sq_content_gates_bwd(a->k, &g, a->net->gate_l0, &a->work->gates, dsides, grads + a->offset->gate_open);
}

void sq_block_attend_bwd(const sq_block_pass *a, float *grads)
{
    const float *kept = a->s->kept;
    sq_relations_open(a->k, a->l, a->net->options, a->net->weights, a->block, a->batch->longest, grads,
                      &a->work->relations);
    for (int32_t i = 0; i < a->batch->sequences; i++) {
        sq_gates values;
        const sq_gates *gates = gates_of(a, i, 0, grads, &values);
        size_t floats = kept ? sq_kept_floats(a->l, a->batch->starts[i + 1] - a->batch->starts[i]) : 0;
        for (int32_t h = 0; h < a->l->heads; h++) {
            sq_head head = head_of(a, i, h);
            size_t out = (size_t)a->batch->starts[i] * wide(a) + (size_t)h * head.padded;
            float *dq = a->work->dqkv + (head.q - a->s->qkv);
            terms own;
            sq_head channels[2];
            head.gates = gates;
            relate(a, &a->work->relations, i, h, grads, &own, &head);
            size_t apart = a->l->channels > 1 ? channels_of(&head, channels) : 0;
            sq_head_bwd(a->k, &head, first_query(a, &head, 0), a->s->heads + out, a->work->dheads + out, wide(a), floats ? kept : NULL,
                        dq, dq + a->hp, dq + 2 * a->hp, &a->work->head);
            for (size_t c = 0; c < apart; c++)
                sq_channel_bwd(a->k, &channels[c], a->work->dheads + out + (c + 1) * a->hp, wide(a), dq + 2 * a->hp, &a->work->head);
            kept = floats ? kept + floats / (size_t)a->l->heads : kept;
        }
        if (a->l->rp) content_gates_bwd(a, i, grads);
    }
    sq_relations_close(a->l, a->net->options, a->block, &a->work->relations, grads);
    rotate(a, -1, a->work->dqkv);
    add_positions(a, a->work->dqkv, grads);
}

/* Where a layer has the heads side by side, or there is no output projection. */
void sq_join_heads(const sq_block_pass *a, size_t row, size_t rows, const float *from, float *to)
{
    size_t dh = (size_t)a->l->dh, dhp = (size_t)a->l->dhp, heads = a->m / dh;
    for (size_t t = row; t < row + rows; t++) {
        memset(to + t * a->mp, 0, a->mp * sizeof *to);
        for (size_t h = 0; h < heads; h++) memcpy(to + t * a->mp + h * dh, from + (t * heads + h) * dhp, dh * sizeof *to);
    }
}

void sq_part_heads(const sq_block_pass *a, const float *from, float *to)
{
    size_t dh = (size_t)a->l->dh, dhp = (size_t)a->l->dhp, heads = a->m / dh;
    memset(to, 0, a->n * heads * dhp * sizeof *to);
    for (size_t t = 0; t < a->n; t++)
        for (size_t h = 0; h < heads; h++) memcpy(to + (t * heads + h) * dhp, from + t * a->mp + h * dh, dh * sizeof *to);
}
