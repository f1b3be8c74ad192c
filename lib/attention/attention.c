/* attention: softmax and pointwise attention, forward and backward, by blocks of rows. */
#include "attention/attention.h"
#include <math.h>
#include <string.h>

void sq_head_scratch_take(sq_arena *arena, size_t longest, size_t padded, size_t columns, int32_t timed, sq_head_scratch *out)
{
    size_t ld = sq_round16(longest);
    out->kt = SQ_TAKE(arena, float, padded * ld);
    out->vt = SQ_TAKE(arena, float, padded * ld);
    out->s = SQ_TAKE(arena, float, SQ_ATTENTION_ROWS * ld);
    out->p = SQ_TAKE(arena, float, SQ_ATTENTION_ROWS * ld);
    out->d = SQ_TAKE(arena, float, SQ_ATTENTION_ROWS * ld);
    out->kept = SQ_TAKE(arena, float, SQ_ATTENTION_ROWS * ld);
    out->r = SQ_TAKE(arena, float, SQ_ATTENTION_ROWS * sq_round16(columns));
    out->index = SQ_TAKE(arena, uint16_t, timed ? SQ_ATTENTION_ROWS * ld : 0);
}

void sq_head_row_take(sq_arena *arena, size_t most_seen, size_t columns, sq_head_scratch *out)
{
    *out = (sq_head_scratch){0};
    out->s = SQ_TAKE(arena, float, sq_round16(most_seen));
    out->r = SQ_TAKE(arena, float, sq_round16(columns));
}

/* The first key that scores of row i begin with: one that the first row of its block sees, or up to 15 before it. It is that of
 * whole blocks also where a pass begins within one, so that a row has the same bits in both. */
static size_t first_key(size_t i, size_t span)
{
    size_t seen = i / SQ_ATTENTION_ROWS * SQ_ATTENTION_ROWS + 1;
    return span && seen > span ? (seen - span) / 16 * 16 : 0;
}

size_t sq_head_kept(size_t length, int32_t bidirectional, size_t span)
{
    size_t floats = 0;
    if (bidirectional) return length * sq_round16(length);
    for (size_t i = 0; i < length; i += SQ_ATTENTION_ROWS) {
        size_t rows = length - i < SQ_ATTENTION_ROWS ? length - i : SQ_ATTENTION_ROWS;
        floats += rows * sq_round16(i + rows - first_key(i, span));
    }
    return floats;
}

/* Rows i .. i + rows - 1 see `end` keys from `first` on at most: `width` columns, rounded up. The first sees `seen` of them, each
 * further one `more` more; with a span both of them have lost some at the front, see shut. */
typedef struct rows {
    size_t i, rows, first, end, width, seen, more;
} rows;

static rows rows_at(const sq_head *head, size_t i)
{
    rows b = {.i = i, .rows = head->length - i < SQ_ATTENTION_ROWS ? head->length - i : SQ_ATTENTION_ROWS};
    b.first = first_key(i, head->span);
    b.end = (head->bidirectional ? head->length : i + b.rows) - b.first;
    b.seen = (head->bidirectional ? head->length : i + 1) - b.first;
    b.more = !head->bidirectional;
    b.width = sq_round16(b.end);
    return b;
}

/* A causal block is taken in two parts: its first rows see fewer keys than its last, and what lies between is not computed (what
 * stands there may be anything, and nobody reads it). Gates work on whole blocks. */
typedef struct part {
    size_t row, rows, end; /* within the block; `end` keys from its first on */
} part;

static size_t parts_of(const sq_head *h, const rows *b, part parts[2])
{
    size_t first = SQ_ATTENTION_ROWS / 2;
    parts[0] = (part){0, b->rows, b->end};
    if (h->bidirectional || h->gates || b->rows <= first) return 1;
    parts[0] = (part){0, first, b->i + first - b->first};
    parts[1] = (part){first, b->rows - first, b->end};
    return 2;
}

/* s [rows][b->width] = x kt, x rows of the block, kt [width][keys]. */
static void by_keys(const sq_kernels *k, const sq_head *h, const rows *b, const float *x, size_t ldx, const float *kt, float *s)
{
    part parts[2];
    for (size_t n = parts_of(h, b, parts), p = 0; p < n; p++)
        sq_gemm(k, parts[p].rows, sq_round16(parts[p].end), h->width, x + parts[p].row * ldx, ldx, 1, kt + b->first,
                sq_round16(h->length), s + parts[p].row * b->width, b->width, 0);
}

/* out = s v, rows of the block from rows of all keys. */
static void of_keys(const sq_kernels *k, const sq_head *h, const rows *b, const float *s, const float *v, float *out,
                    size_t ld_out)
{
    part parts[2];
    for (size_t n = parts_of(h, b, parts), p = 0; p < n; p++)
        sq_gemm(k, parts[p].rows, h->padded, parts[p].end, s + parts[p].row * b->width, b->width, 1, v + b->first * h->ld, h->ld,
                out + parts[p].row * ld_out, ld_out, 0);
}

/* to += s^T x, rows of all keys from rows of the block: the keys that only later rows see have fewer of them. */
static void to_keys(const sq_kernels *k, const sq_head *h, const rows *b, const float *s, const float *x, size_t ldx, float *to)
{
    part parts[2];
    for (size_t n = parts_of(h, b, parts), p = 0, from = 0; p < n; from = parts[p++].end)
        sq_gemm(k, parts[p].end - from, h->padded, b->rows - parts[p].row, s + parts[p].row * b->width + from, 1, b->width,
                x + parts[p].row * ldx, ldx, to + (b->first + from) * h->ld, h->ld, 1);
}

static float inverse_root(const sq_head *head) { return 1.0f / sqrtf((float)head->width); }

/* Writes `value` in the columns that rows of the block do not see any more: scores of keys beyond the span. */
static void shut(const sq_head *h, const rows *b, float value, float *s)
{
    size_t kept = h->span + b->first;
    for (size_t r = 0; h->span && r < b->rows; r++)
        for (size_t j = 0; j + kept < b->i + r + 1; j++) s[r * b->width + j] = value;
}

/* Scores of a block to probabilities or their like, and back: p and d as the kernels leave them. */
static void activate(const sq_kernels *k, const sq_head *h, const rows *b, float *s, float *kept)
{
    shut(h, b, h->pointwise > 0 ? 0 : -INFINITY, s);
    if (h->pointwise > 0)
        k->pointwise_fwd(b->rows, b->seen, b->more, b->width, b->width, h->pointwise, s, kept);
    else
        k->attend_fwd(b->rows, b->seen, b->more, b->width, b->width, inverse_root(h), &h->dropout, h->mask_row + b->i, s, kept);
}

static void activate_bwd(const sq_kernels *k, const sq_head *h, const rows *b, const float *kept, const float *delta, float *p,
                         float *d)
{
    if (h->pointwise > 0)
        k->pointwise_bwd(b->rows, b->seen, b->more, b->width, b->width, b->width, h->pointwise, kept, p, d);
    else
        k->attend_bwd(b->rows, b->width, b->width, b->width, inverse_root(h), h->dropout.scale, kept, delta, p, d);
    if (h->pointwise > 0) shut(h, b, 0, d); /* the slope of silu at 0 is not 0 */
}

/* ---- a relation's terms of a block ---------------------------------------------------------------------------------- */

/* What a block adds to: by distance, by time. */
static size_t relations_of(const sq_head *h, const rows *b, const sq_head_scratch *scratch, sq_relation to[2])
{
    size_t n = 0;
    if (h->relation) to[n++] = sq_relation_within(h->relation, b->i + b->rows - 1 - b->first);
    if (!h->timed) return n;
    to[n] = *h->timed;
    if (h->timed->intervals) {
        to[n].index = scratch->index;
        to[n].ld_index = b->width;
    }
    return n + 1;
}

/* Leaves in the scratch how far apart in time the pairs of a block are. It is made anew for each head, block and pass: a whole
 * sequence's would have the square of its length. */
static void find_intervals(const sq_head *h, const rows *b, sq_head_scratch *scratch)
{
    if (!h->timed || !h->timed->intervals) return;
    for (size_t r = 0; r < b->rows; r++)
        sq_interval_row(h->timed->intervals, b->i + r, b->first, b->first + b->seen + r * b->more, scratch->index + r * b->width);
}

/* s += r, row by row and pair by pair. */
static void spread(const sq_kernels *k, const rows *b, const sq_relation *n, size_t ldr, const float *r, float *s)
{
    if (n->index)
        k->pick(b->rows, b->seen, b->more, b->width, n->ld_index, n->index, ldr, r, s);
    else
        k->spread(b->rows, b->i - b->first, b->seen, b->more, b->width, n->past, n->columns, ldr, r, s);
}

/* r [rows][sq_round16(columns)] = sums of s over the pairs of a column. */
static size_t collect(const sq_kernels *k, const rows *b, const sq_relation *n, const float *s, float *r)
{
    size_t padded = sq_round16(n->columns);
    if (n->index)
        k->tally(b->rows, b->seen, b->more, b->width, n->ld_index, n->index, padded, s, r);
    else
        k->collect(b->rows, b->i - b->first, b->seen, b->more, b->width, n->past, n->columns, padded, s, r);
    return padded;
}

/* s += <x_i, table_x> + bias_x, x rows of the block; table_t [width][ld_t]; either may be NULL. */
static void add_terms(const sq_kernels *k, const sq_head *h, const rows *b, const sq_relation *n, const float *x, size_t ldx,
                      const float *table_t, const float *bias, float *r, float *s)
{
    size_t padded = sq_round16(n->columns);
    if (table_t && bias)
        sq_gemm_from(k, b->rows, padded, h->width, x, ldx, 1, table_t, n->ld_t, bias, r, padded);
    else if (table_t)
        sq_gemm(k, b->rows, padded, h->width, x, ldx, 1, table_t, n->ld_t, r, padded, 0);
    if (table_t || bias) spread(k, b, n, table_t ? padded : 0, table_t ? r : bias, s);
}

/* out += sum_j s_ij values_x */
static void add_values(const sq_kernels *k, const sq_head *h, const rows *b, const sq_relation *n, const float *s, float *r,
                       float *out, size_t ld_out)
{
    size_t ldr = collect(k, b, n, s, r);
    sq_gemm(k, b->rows, h->padded, n->columns, r, ldr, 1, n->values, n->ld, out, ld_out, 1);
}

/* p and d as attend_bwd leaves them: what they say of the tables, and the tables' share of dq. */
static void terms_bwd(const sq_kernels *k, const sq_head *h, const rows *b, const sq_relation *n, const float *p, const float *d,
                      const float *dout, size_t ld_out, float *r, float *dq)
{
    size_t ldr = sq_round16(n->columns);
    if (n->values) {
        collect(k, b, n, p, r);
        sq_gemm(k, n->columns, h->padded, b->rows, r, 1, ldr, dout, ld_out, n->dvalues, n->ld, 1);
    }
    if (!n->keys && !n->dbias) return;
    collect(k, b, n, d, r);
    if (n->dbias) k->column_sums(b->rows, ldr, r, ldr, n->dbias);
    if (!n->keys) return;
    sq_gemm(k, b->rows, h->padded, n->columns, r, ldr, 1, n->keys, n->ld, dq, h->ld, 1);
    sq_gemm(k, n->columns, h->padded, b->rows, r, 1, ldr, h->q + b->i * h->ld, h->ld, n->dkeys, n->ld, 1);
}

/* ---- the two passes ------------------------------------------------------------------------------------------------- */

/* s = probabilities of a block after dropout, [rows][b->width]; kept as the kernel says. */
static void probabilities(const sq_kernels *k, const sq_head *h, const rows *b, sq_head_scratch *scratch, float *kept)
{
    const float *q = h->q + b->i * h->ld;
    float *s = scratch->s;
    by_keys(k, h, b, q, h->ld, scratch->kt, s);
    sq_relation n[2];
    for (size_t i = 0, count = relations_of(h, b, scratch, n); i < count; i++)
        add_terms(k, h, b, &n[i], q, h->ld, n[i].keys_t, n[i].bias, scratch->r, s);
    activate(k, h, b, s, kept);
}

/* out = gated probabilities times V. */
static void values(const sq_kernels *k, const sq_head *h, const rows *b, sq_head_scratch *scratch, float *out, size_t ld_out)
{
    float *s = scratch->s;
    if (!h->gates) {
        sq_relation n[2];
        of_keys(k, h, b, s, h->v, out, ld_out);
        for (size_t i = 0, count = relations_of(h, b, scratch, n); i < count; i++)
            if (n[i].values) add_values(k, h, b, &n[i], s, scratch->r, out, ld_out);
        return;
    }
    if (!sq_gates_closed(h->gates, b->i, b->rows)) sq_gates_fwd(k, h->gates, b->i, b->rows, b->width, s);
    sq_gates_values(k, h->gates, b->i, b->rows, b->end, s, b->width, h->v, h->ld, h->padded, out, ld_out);
}

void sq_head_fwd(const sq_kernels *k, const sq_head *h, size_t from, float *out, size_t ld_out, float *kept,
                 sq_head_scratch *scratch)
{
    size_t first = first_key(from, h->span);
    k->transpose(h->length - first, h->width, h->k + first * h->ld, h->ld, scratch->kt + first, sq_round16(h->length));
    for (size_t i = from; i < h->length; i += SQ_ATTENTION_ROWS) {
        rows b = rows_at(h, i);
        find_intervals(h, &b, scratch);
        /* Closed gates do not change the sum under the others' probabilities: only where all are closed can scores be spared. */
        if (kept || !h->gates || !sq_gates_closed(h->gates, i, b.rows))
            probabilities(k, h, &b, scratch, kept);
        values(k, h, &b, scratch, out + i * ld_out, ld_out);
        if (kept) kept += b.rows * b.width;
    }
}

void sq_head_row(const sq_kernels *k, const sq_head *h, const float *const *keys, const float *const *values, size_t seen,
                 float *out, sq_head_scratch *scratch)
{
    rows b = {.i = seen - 1, .rows = 1, .end = seen, .width = sq_round16(seen), .seen = seen};
    sq_relation n[2];
    size_t count = relations_of(h, &b, scratch, n);
    k->gather_dots(seen, h->padded, h->q, keys, scratch->s);
    for (size_t i = 0; i < count; i++)
        add_terms(k, h, &b, &n[i], h->q, h->padded, n[i].keys_t, n[i].bias, scratch->r, scratch->s);
    activate(k, h, &b, scratch->s, NULL);
    memset(out, 0, h->padded * sizeof *out);
    k->gather_axpy(seen, h->padded, scratch->s, values, out);
    for (size_t i = 0; i < count; i++)
        if (n[i].values) add_values(k, h, &b, &n[i], scratch->s, scratch->r, out, h->padded);
}

static void clear(const sq_head *h, float *x)
{
    for (size_t t = 0; t < h->length; t++) memset(x + t * h->ld, 0, h->padded * sizeof *x);
}

/* With P = dropped probabilities: dV = P^T dO, dP = dO V^T, dS = A (M dP - <dO, O>), dQ = dS K, dK = dS^T Q. With gates Z the
 * product is Z P V: dV = (Z P)^T dO, dZ = P (dO V^T), dP = Z (dO V^T). */
void sq_head_bwd(const sq_kernels *k, const sq_head *h, size_t from, const float *out, const float *dout, size_t ld_out,
                 const float *kept, float *dq, float *dk, float *dv, sq_head_scratch *scratch)
{
    size_t ldt = sq_round16(h->length);
    k->transpose(h->length, h->width, h->v, h->ld, scratch->vt, ldt);
    if (!kept) k->transpose(h->length, h->width, h->k, h->ld, scratch->kt, ldt);
    clear(h, dk);
    clear(h, dv);
    for (size_t i = from; i < h->length; i += SQ_ATTENTION_ROWS) {
        rows b = rows_at(h, i);
        const float *block = kept, *d_out = dout + i * ld_out;
        sq_relation n[2];
        find_intervals(h, &b, scratch);
        size_t count = relations_of(h, &b, scratch, n);
        if (!kept) {
            probabilities(k, h, &b, scratch, scratch->kept);
            block = scratch->kept;
        }
        for (size_t r = 0; r < b.rows && !(h->pointwise > 0); r++)
            scratch->delta[r] = k->dot(h->padded, d_out + r * ld_out, out + (i + r) * ld_out);
        by_keys(k, h, &b, d_out, ld_out, scratch->vt, scratch->d);
        for (size_t r = 0; r < count; r++)
            if (n[r].values) add_terms(k, h, &b, &n[r], d_out, ld_out, n[r].values_t, NULL, scratch->r, scratch->d);
        if (h->gates) sq_gates_bwd(k, h->gates, i, b.rows, b.width, h->dropout.scale, block, scratch->d);
        activate_bwd(k, h, &b, block, scratch->delta, scratch->p, scratch->d);
        if (h->gates) sq_gates_fwd(k, h->gates, i, b.rows, b.width, scratch->p);
        to_keys(k, h, &b, scratch->p, d_out, ld_out, dv);
        of_keys(k, h, &b, scratch->d, h->k, dq + i * h->ld, h->ld);
        to_keys(k, h, &b, scratch->d, h->q + i * h->ld, h->ld, dk);
        for (size_t r = 0; r < count; r++)
            terms_bwd(k, h, &b, &n[r], scratch->p, scratch->d, d_out, ld_out, scratch->r, dq + i * h->ld);
        if (kept) kept += b.rows * b.width;
    }
}

/* ---- channels of a bias ---------------------------------------------------------------------------------------------- */

/* s [rows][b->width] = the biases of a block. */
static void weigh(const sq_kernels *k, const sq_head *h, const rows *b, sq_head_scratch *scratch)
{
    sq_relation n[2];
    memset(scratch->s, 0, b->rows * b->width * sizeof *scratch->s);
    for (size_t i = 0, count = relations_of(h, b, scratch, n); i < count; i++)
        add_terms(k, h, b, &n[i], NULL, 0, NULL, n[i].bias, scratch->r, scratch->s);
    shut(h, b, 0, scratch->s);
}

void sq_channel_fwd(const sq_kernels *k, const sq_head *h, size_t from, float *out, size_t ld_out, sq_head_scratch *scratch)
{
    for (size_t i = from; i < h->length; i += SQ_ATTENTION_ROWS) {
        rows b = rows_at(h, i);
        find_intervals(h, &b, scratch);
        weigh(k, h, &b, scratch);
        of_keys(k, h, &b, scratch->s, h->v, out + i * ld_out, ld_out);
    }
}

void sq_channel_bwd(const sq_kernels *k, const sq_head *h, const float *dout, size_t ld_out, float *dv, sq_head_scratch *scratch)
{
    k->transpose(h->length, h->width, h->v, h->ld, scratch->vt, sq_round16(h->length));
    for (size_t i = 0; i < h->length; i += SQ_ATTENTION_ROWS) {
        rows b = rows_at(h, i);
        const float *d_out = dout + i * ld_out;
        sq_relation n[2];
        find_intervals(h, &b, scratch);
        weigh(k, h, &b, scratch);
        to_keys(k, h, &b, scratch->s, d_out, ld_out, dv);
        by_keys(k, h, &b, d_out, ld_out, scratch->vt, scratch->d);
        shut(h, &b, 0, scratch->d);
        for (size_t r = 0, count = relations_of(h, &b, scratch, n); r < count; r++)
            terms_bwd(k, h, &b, &n[r], NULL, scratch->d, NULL, 0, scratch->r, NULL);
    }
}
