/* loss: cross-entropy over the whole catalogue, tiled. */
#include "loss/losses.h"
#include <math.h>
#include <string.h>

#define PANEL 64             /* items of a panel */
#define TILE_FLOATS 114688   /* logits of a tile: 448 KiB, within a second-level cache of 512 KiB */
#define LARGEST_TILE 48      /* tokens */
#define SMALLEST_TILE 24     /* below this, items are blocked and logits computed twice */

static size_t round_panel(size_t items) { return (items + PANEL - 1) / PANEL * PANEL; }

/* Tokens of a tile and items of a block: the whole catalogue when SMALLEST_TILE tokens of it fit. */
static void tile_shape(size_t items, size_t *tokens, size_t *block)
{
    size_t padded = round_panel(items);
    *block = padded;
    *tokens = TILE_FLOATS / padded;
    if (*tokens > LARGEST_TILE) *tokens = LARGEST_TILE;
    if (*tokens >= SMALLEST_TILE) return;
    *tokens = LARGEST_TILE;
    *block = TILE_FLOATS / LARGEST_TILE / PANEL * PANEL;
}

size_t sq_softmax_scratch(size_t items, size_t width)
{
    size_t tokens, block;
    tile_shape(items, &tokens, &block);
    return tokens * (block + width + 3 * 16) + width;
}

void sq_softmax_panel(const sq_kernels *k, const float *rows, size_t width, size_t d, size_t panel, float *panels)
{
    k->transpose(PANEL, d, rows + panel * PANEL * width, width, panels + panel * PANEL * d, PANEL);
}

/* One tile of tokens. */
typedef struct tile {
    const sq_softmax *o;
    size_t n, block;        /* tokens; items of a block */
    const float *u, *weight;
    const int32_t *target;
    float *du, *logits, *scaled, *top, *sum, *mean;
} tile;

static size_t items_of(const tile *t, size_t first)
{
    return t->o->items - first < t->block ? t->o->items - first : t->block;
}

/* logits [n][block] of items first .. */
static void compute_logits(const tile *t, size_t first)
{
    const sq_softmax *o = t->o;
    size_t panels = (items_of(t, first) + PANEL - 1) / PANEL;
    for (size_t p = 0; p < panels; p++)
        sq_gemm(o->kernels, t->n, PANEL, o->d, t->u, o->width, 1, o->panels + (first / PANEL + p) * PANEL * o->d, PANEL,
                t->logits + p * PANEL, t->block, 0);
}

/* Largest logit and sum of exp(logit - largest) of each token, block by block; with one block, logits become the
 * exponentials. */
static void normaliser(const tile *t)
{
    const sq_kernels *k = t->o->kernels;
    for (size_t r = 0; r < t->n; r++) t->top[r] = -INFINITY, t->sum[r] = 0;
    for (size_t first = 0; first < t->o->items; first += t->block) {
        size_t items = items_of(t, first);
        compute_logits(t, first);
        for (size_t r = 0; r < t->n; r++) {
            float *row = t->logits + r * t->block, top = k->max(items, row);
            if (top > t->top[r]) {
                t->sum[r] *= expf(t->top[r] - top);
                t->top[r] = top;
            }
            t->sum[r] += k->exp_shift(items, t->top[r], row);
        }
    }
}

/* Label smoothing: sum * (p - smoothing / V) in place of the exponentials sum * p. */
static void smooth(const tile *t, size_t items)
{
    float part = t->o->smoothing / (float)t->o->items;
    for (size_t r = 0; r < t->n && part > 0; r++)
        for (size_t j = 0; j < items; j++) t->logits[r * t->block + j] -= part * t->sum[r];
}

/* du = weight / sum * (exponentials * rows) - weight (1 - smoothing) * target row; drows += exponentials^T * (u * weight / sum). */
static void gradients(const tile *t)
{
    const sq_softmax *o = t->o;
    for (size_t r = 0; r < t->n; r++)
        o->kernels->scale(o->width, t->weight[r] / t->sum[r], t->u + r * o->width, t->scaled + r * o->width);
    for (size_t first = 0; first < o->items; first += t->block) {
        size_t items = items_of(t, first);
        if (t->block < o->items) {
            compute_logits(t, first);
            for (size_t r = 0; r < t->n; r++) o->kernels->exp_shift(items, t->top[r], t->logits + r * t->block);
        }
        smooth(t, items);
        sq_gemm(o->kernels, t->n, o->width, items, t->logits, t->block, 1, o->rows + first * o->width, o->width, t->du,
                o->width, first > 0);
        sq_gemm(o->kernels, items, o->width, t->n, t->logits, 1, t->block, t->scaled, o->width,
                o->drows + first * o->width, o->width, 1);
    }
    for (size_t r = 0; r < t->n; r++) {
        size_t target = (size_t)t->target[r] * o->width;
        float *du = t->du + r * o->width, own = t->weight[r] * (1 - o->smoothing);
        o->kernels->scale(o->width, t->weight[r] / t->sum[r], du, du);
        o->kernels->axpy(o->width, -own, o->rows + target, du);
        o->kernels->axpy(o->width, -own, t->u + r * o->width, o->drows + target);
    }
}

/* Mean of all rows, whose product with u is the mean score. */
static void mean_row(const sq_softmax *o, float *mean)
{
    memset(mean, 0, o->width * sizeof *mean);
    for (size_t i = 0; i < o->items; i++) o->kernels->axpy(o->width, 1.0f / (float)o->items, o->rows + i * o->width, mean);
}

static double token_loss(const tile *t, size_t r)
{
    const sq_softmax *o = t->o;
    double e = (double)o->smoothing;
    double mean = e > 0 ? (double)o->kernels->dot(o->width, t->u + r * o->width, t->mean) : 0;
    float score = o->kernels->dot(o->width, t->u + r * o->width, o->rows + (size_t)t->target[r] * o->width);
    return log((double)t->sum[r]) + (double)t->top[r] - (1 - e) * (double)score - e * mean;
}

/* Tokens first .. of the softmax, without what gradients need. */
static tile tile_at(const sq_softmax *o, size_t tokens, size_t block, size_t first)
{
    tile t = {.o = o, .block = block, .u = o->u + first * o->width, .target = o->target + first};
    t.n = o->n - first < tokens ? o->n - first : tokens;
    t.logits = o->scratch;
    t.scaled = t.logits + tokens * block;
    t.top = t.scaled + tokens * o->width;
    t.sum = t.top + tokens;
    t.mean = o->scratch + tokens * (block + o->width + 3 * 16);
    return t;
}

double sq_softmax_loss(const sq_softmax *o)
{
    double loss = 0;
    size_t tokens, block;
    tile_shape(o->items, &tokens, &block);
    for (size_t first = 0; first < o->n; first += tokens) {
        tile t = tile_at(o, tokens, block, first);
        t.weight = o->weight + first;
        t.du = o->du + first * o->width;
        if (first == 0 && o->smoothing > 0) mean_row(o, t.mean);
        normaliser(&t);
        for (size_t r = 0; r < t.n; r++) loss += (double)t.weight[r] * token_loss(&t, r);
        gradients(&t);
    }
    return loss;
}

void sq_softmax_losses(const sq_softmax *o, float *loss)
{
    sq_softmax plain = *o;
    size_t tokens, block;
    plain.smoothing = 0;
    tile_shape(o->items, &tokens, &block);
    for (size_t first = 0; first < o->n; first += tokens) {
        tile t = tile_at(&plain, tokens, block, first);
        normaliser(&t);
        for (size_t r = 0; r < t.n; r++) loss[first + r] = (float)token_loss(&t, r);
    }
}
