/* loss: cross-entropy over the whole catalogue, tiled. */
#include "loss/losses.h"
#include "loss/severaltargets.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define PANEL SQ_SOFTMAX_PANEL
#define TILE_FLOATS 114688   /* logits of a tile: 448 KiB, within a second-level cache of 512 KiB */
#define LARGEST_TILE 48      /* tokens */
#define SMALLEST_TILE 24     /* below this, items are blocked */
#define KEPT_FLOATS 1048576  /* logits of all blocks of a tile: up to 4 MiB, of a third-level cache, are kept; else they are computed twice */

/* Tokens of a tile, items of a block, and items whose logits are kept: those of a block, or all. */
typedef struct shape {
    size_t tokens, block, kept;
} shape;

/* A block is the whole catalogue when SMALLEST_TILE tokens of it fit. */
static shape tile_shape(size_t items)
{
    size_t padded = sq_softmax_padded(items), tokens = TILE_FLOATS / padded;
    if (tokens > LARGEST_TILE) tokens = LARGEST_TILE;
    if (tokens >= SMALLEST_TILE) return (shape){tokens, padded, padded};
    size_t block = TILE_FLOATS / LARGEST_TILE / PANEL * PANEL;
    return (shape){LARGEST_TILE, block, LARGEST_TILE * padded <= KEPT_FLOATS ? padded : block};
}

size_t sq_softmax_scratch(size_t items, size_t width, size_t targets)
{
    shape s = tile_shape(items);
    return s.tokens * (s.kept + width + 3 * 16 + sq_round16(targets)) + width + s.block;
}

void sq_softmax_panel(const sq_kernels *k, const float *rows, size_t width, size_t d, size_t panel, float *panels)
{
    k->transpose(PANEL, d, rows + panel * PANEL * width, width, panels + panel * PANEL * d, PANEL);
}

/* One tile of tokens. */
typedef struct tile {
    const sq_softmax *o;
    size_t n, block, kept, targets; /* tokens; the shape's; targets of a token */
    const float *u, *weight, *counts; /* counts: NULL, or what the targets of each token count for */
    const int32_t *target;
    float *du, *logits, *scaled, *top, *sum, *mean, *passing; /* passing: a token's logits of a block that is kept */
    float *share, *own; /* what a token's exponentials and the rows of its targets count for in the gradients: [n], [n][targets] */
} tile;

static size_t items_of(const tile *t, size_t first)
{
    return t->o->items - first < t->block ? t->o->items - first : t->block;
}

static int keeps(const tile *t) { return t->kept >= t->o->items; }

/* Logits of token r for items first .. */
static float *logits_at(const tile *t, size_t r, size_t first) { return t->logits + r * t->kept + (keeps(t) ? first : 0); }

static void compute_logits(const tile *t, size_t first)
{
    const sq_softmax *o = t->o;
    size_t panels = (items_of(t, first) + PANEL - 1) / PANEL;
    for (size_t p = 0; p < panels; p++)
        sq_gemm(o->kernels, t->n, PANEL, o->d, t->u, o->width, 1, o->panels + (first / PANEL + p) * PANEL * o->d, PANEL,
                logits_at(t, 0, first) + p * PANEL, t->kept, 0);
}

static float score_of(const tile *t, size_t r, size_t p)
{
    const sq_softmax *o = t->o;
    int32_t target = t->target[r * t->targets + p];
    return target < 0 ? -INFINITY : o->kernels->dot(o->width, t->u + r * o->width, o->rows + (size_t)target * o->width);
}

/* Several targets of a token are none of its negatives. */
static void leave_out(const tile *t, size_t first)
{
    size_t items = items_of(t, first);
    for (size_t i = 0; i < t->n * t->targets && t->targets > 1; i++)
        if (t->target[i] >= (int32_t)first && (size_t)t->target[i] < first + items)
            logits_at(t, i / t->targets, first)[(size_t)t->target[i] - first] = -INFINITY;
}

/* Largest logit and sum of exp(logit - largest) of each token, block by block; with one block, logits become the
 * exponentials. With several targets the sum is that of the other items. */
static void normaliser(const tile *t)
{
    const sq_kernels *k = t->o->kernels;
    const int stay = keeps(t) && t->block < t->o->items;
    for (size_t r = 0; r < t->n; r++) t->top[r] = t->targets > 1 ? -FLT_MAX : -INFINITY, t->sum[r] = 0;
    for (size_t first = 0; first < t->o->items; first += t->block) {
        size_t items = items_of(t, first);
        compute_logits(t, first);
        leave_out(t, first);
        for (size_t r = 0; r < t->n; r++) {
            float *row = logits_at(t, r, first), top = k->max(items, row);
            if (top > t->top[r]) {
                t->sum[r] *= expf(t->top[r] - top);
                t->top[r] = top;
            }
            if (stay) row = memcpy(t->passing, row, sq_round16(items) * sizeof *row);
            t->sum[r] += k->exp_shift(items, t->top[r], row);
        }
    }
}

/* Label smoothing: sum * (p - smoothing / V) in place of the exponentials sum * p. */
static void smooth(const tile *t, size_t first)
{
    size_t items = items_of(t, first);
    float part = t->o->smoothing / (float)t->o->items;
    for (size_t r = 0; r < t->n && part > 0; r++)
        for (size_t j = 0; j < items; j++) logits_at(t, r, first)[j] -= part * t->sum[r];
}

/* du = share * (exponentials * rows) + sum own * target row; drows += exponentials^T * (u * share). */
static void gradients(const tile *t)
{
    const sq_softmax *o = t->o;
    for (size_t r = 0; r < t->n; r++)
        o->kernels->scale(o->width, t->share[r], t->u + r * o->width, t->scaled + r * o->width);
    for (size_t first = 0; first < o->items; first += t->block) {
        size_t items = items_of(t, first);
        if (t->block < o->items) {
            if (!keeps(t)) compute_logits(t, first);
            if (!keeps(t)) leave_out(t, first);
            for (size_t r = 0; r < t->n; r++) o->kernels->exp_shift(items, t->top[r], logits_at(t, r, first));
        }
        smooth(t, first);
        sq_gemm(o->kernels, t->n, o->width, items, logits_at(t, 0, first), t->kept, 1, o->rows + first * o->width, o->width, t->du,
                o->width, first > 0);
        sq_gemm(o->kernels, items, o->width, t->n, logits_at(t, 0, first), 1, t->kept, t->scaled, o->width,
                o->drows + first * o->width, o->width, 1);
    }
    for (size_t r = 0; r < t->n; r++) o->kernels->scale(o->width, t->share[r], t->du + r * o->width, t->du + r * o->width);
    for (size_t i = 0; i < t->n * t->targets; i++) {
        size_t r = i / t->targets * o->width, target = (size_t)t->target[i] * o->width;
        if (t->target[i] < 0) continue;
        o->kernels->axpy(o->width, t->own[i], o->rows + target, t->du + r);
        o->kernels->axpy(o->width, t->own[i], t->u + r, o->drows + target);
    }
}

/* Mean of all rows, whose product with u is the mean score. */
static void mean_row(const sq_softmax *o, float *mean)
{
    memset(mean, 0, o->width * sizeof *mean);
    for (size_t i = 0; i < o->items; i++) o->kernels->axpy(o->width, 1.0f / (float)o->items, o->rows + i * o->width, mean);
}

/* A target that is the largest is so by a product, and by a dot maybe a rounding more: the loss is not below 0. */
static double token_loss(const tile *t, size_t r)
{
    const sq_softmax *o = t->o;
    const double e = (double)o->smoothing, top = (double)t->top[r], score = fmin((double)score_of(t, r, 0), top);
    const double mean = e > 0 ? (double)o->kernels->dot(o->width, t->u + r * o->width, t->mean) : 0;
    return log((double)t->sum[r]) + (top - (1 - e) * score - e * mean);
}

static double one_target(const tile *t, size_t r)
{
    t->share[r] = t->weight[r] / t->sum[r];
    t->own[r] = -(t->weight[r] * (1 - t->o->smoothing));
    return token_loss(t, r);
}

static double several_targets(const tile *t, size_t r)
{
    float *own = t->own + r * t->targets;
    const float *counts = t->counts ? t->counts + r * t->targets : NULL;
    for (size_t p = 0; p < t->targets; p++) own[p] = score_of(t, r, p);
    return sq_several_targets(t->o->joint, t->weight[r], t->targets, counts, own, t->top[r], t->sum[r], &t->share[r]);
}

static double losses_of(const tile *t, size_t r) { return t->targets == 1 ? one_target(t, r) : several_targets(t, r); }

/* Tokens first .. of the softmax, without what gradients need. */
static tile tile_at(const sq_softmax *o, shape s, size_t first)
{
    size_t targets = o->targets > 1 ? o->targets : 1, tokens = s.tokens;
    tile t = {.o = o, .block = s.block, .kept = s.kept, .targets = targets, .u = o->u + first * o->width, .target = o->target + first * targets};
    t.n = o->n - first < tokens ? o->n - first : tokens;
    t.logits = o->scratch;
    t.scaled = t.logits + tokens * s.kept;
    t.top = t.scaled + tokens * o->width;
    t.sum = t.top + tokens;
    t.share = t.sum + tokens;
    t.own = o->scratch + tokens * (s.kept + o->width + 3 * 16);
    t.mean = t.own + tokens * sq_round16(targets);
    t.passing = t.mean + o->width;
    return t;
}

double sq_softmax_loss(const sq_softmax *o)
{
    double loss = 0;
    const shape s = tile_shape(o->items);
    for (size_t first = 0; first < o->n; first += s.tokens) {
        tile t = tile_at(o, s, first);
        t.weight = o->weight + first;
        t.counts = o->share ? o->share + first * t.targets : NULL;
        t.du = o->du + first * o->width;
        if (first == 0 && o->smoothing > 0) mean_row(o, t.mean);
        normaliser(&t);
        for (size_t r = 0; r < t.n; r++) loss += (double)t.weight[r] * losses_of(&t, r);
        gradients(&t);
    }
    return loss;
}

void sq_softmax_losses(const sq_softmax *o, float *loss)
{
    sq_softmax plain = *o;
    const shape s = tile_shape(o->items);
    plain.smoothing = 0;
    plain.targets = 1;
    for (size_t first = 0; first < o->n; first += s.tokens) {
        tile t = tile_at(&plain, s, first);
        normaliser(&t);
        for (size_t r = 0; r < t.n; r++) loss[first + r] = (float)token_loss(&t, r);
    }
}
