/* loss: one bucket of a batch-scope loss: some outputs against the same items, tiled over the outputs. */
#include "loss/losses.h"
#include <math.h>
#include <string.h>

#define TILE 32 /* outputs whose scores exist at a time */

size_t sq_bucket_scratch(size_t k, size_t width)
{
    return TILE * (sq_round16(k) + 2 * width);
}

/* Outputs first .. of the bucket. */
typedef struct tile {
    size_t n;
    const int32_t *outputs;
    float *scores, *u, *du; /* [TILE][sq_round16(k)], [TILE][width] */
} tile;

static tile tile_at(const sq_bucket *o, size_t first)
{
    tile t = {.n = o->n - first < TILE ? o->n - first : TILE, .outputs = o->outputs + first, .scores = o->scratch};
    t.u = t.scores + TILE * sq_round16(o->k);
    t.du = t.u + TILE * o->width;
    for (size_t r = 0; r < t.n; r++)
        memcpy(t.u + r * o->width, o->u + (size_t)t.outputs[r] * o->width, o->width * sizeof *t.u);
    return t;
}

/* Scores of the tile, -Inf where an item is the output's own target. */
static void score(const sq_bucket *o, const tile *t)
{
    size_t k = sq_round16(o->k);
    sq_gemm(o->rule->kernels, t->n, k, o->width, t->u, o->width, 1, o->transposed, k, t->scores, k, 0);
    for (size_t r = 0; r < t->n; r++)
        for (size_t j = 0; j < o->k; j++)
            if (o->items[j] == o->target[t->outputs[r]]) t->scores[r * k + j] = -INFINITY;
}

/* The loss of row r of the tile; its scores become slopes, and *own that of the target's score. */
static double row_loss(const sq_bucket *o, const tile *t, size_t r, float weight, float *own)
{
    float *scores = t->scores + r * sq_round16(o->k);
    *own = o->score[t->outputs[r]];
    return o->loss(o->rule, weight, 1, own, o->k, scores);
}

void sq_bucket_losses(const sq_bucket *o, double *loss)
{
    float own;
    for (size_t first = 0; first < o->n; first += TILE) {
        tile t = tile_at(o, first);
        score(o, &t);
        for (size_t r = 0; r < t.n; r++) loss[first + r] = row_loss(o, &t, r, 1, &own);
    }
}

void sq_bucket_gradients(const sq_bucket *o, const float *weight, float *slope, float *du, float *drows)
{
    const sq_kernels *kernels = o->rule->kernels;
    size_t k = sq_round16(o->k), width = o->width;
    for (size_t first = 0; first < o->n; first += TILE) {
        tile t = tile_at(o, first);
        score(o, &t);
        for (size_t r = 0; r < t.n; r++) row_loss(o, &t, r, weight[t.outputs[r]], &slope[t.outputs[r]]);
        sq_gemm(kernels, t.n, width, o->k, t.scores, k, 1, o->rows, width, t.du, width, 0);
        sq_gemm(kernels, o->k, width, t.n, t.scores, 1, k, t.u, width, drows, width, first > 0);
        for (size_t r = 0; r < t.n; r++)
            memcpy(du + (size_t)t.outputs[r] * width, t.du + r * width, width * sizeof *du);
    }
}
