/* model: constants and tables that stand beside the parameters. */
#include "model/derived.h"
#include "layer/filter.h"
#include <string.h>

/* ---- position = reversed -------------------------------------------------------------------------------------------- */

static void derive_reversed(const sq_kernels *k, const sq_layout *l, float *w)
{
    size_t rows = (size_t)l->columns, dp = (size_t)l->dp, hp = (size_t)l->hp;
    for (int32_t b = 0; b < l->blocks; b++)
        sq_reversed_fwd(k, rows, dp, hp, w + l->position, w + l->block[b].qkv + hp, 3 * hp, w + l->block[b].relative_keys);
}

static void reversed_bwd(const sq_kernels *k, const sq_layout *l, const float *weights, const float *transposed, float *grads)
{
    size_t rows = (size_t)l->columns, dp = (size_t)l->dp, hp = (size_t)l->hp;
    for (int32_t b = 0; b < l->blocks; b++) {
        const sq_block_at *at = &l->block[b];
        sq_reversed_bwd(k, rows, dp, hp, weights + l->position, transposed + at->qkv + hp * dp, 3 * hp, grads + at->relative_keys,
                        grads + l->position, grads + at->qkv + hp);
    }
}

/* ---- filters -------------------------------------------------------------------------------------------------------- */

static void derive_taps(const sq_kernels *k, const sq_layout *l, float *w)
{
    for (int32_t b = 0; b < l->blocks; b++)
        sq_filter_taps_fwd(k, (size_t)l->window, (size_t)l->ahead, (size_t)l->dp, w + l->block[b].spectrum, w + l->block[b].taps);
}

static void taps_bwd(const sq_kernels *k, const sq_layout *l, float *grads)
{
    for (int32_t b = 0; b < l->blocks; b++) {
        float *dtaps = grads + l->block[b].taps;
        sq_filter_taps_bwd(k, (size_t)l->window, (size_t)l->ahead, (size_t)l->dp, dtaps, grads + l->block[b].spectrum);
        memset(dtaps, 0, (size_t)l->window * (size_t)l->dp * sizeof *dtaps);
    }
}

/* ---- all ------------------------------------------------------------------------------------------------------------ */

static int has_constants(const sq_layout *l) { return l->zeros > l->ones; }

/* What norms without parameters multiply and add: of width d, and of the heads' in attention = hstu. */
static void clear_constants(const sq_layout *l, float *w)
{
    memset(w + l->ones, 0, (size_t)l->dp * sizeof *w);
    memset(w + l->head_ones, 0, (size_t)(l->head_ones == l->ones ? l->dp : l->mp) * sizeof *w);
    memset(w + l->zeros, 0, (size_t)(l->mp > l->dp ? l->mp : l->dp) * sizeof *w);
}

static void derive_constants(const sq_layout *l, float *w)
{
    clear_constants(l, w);
    for (int32_t i = 0; i < l->d; i++) w[l->ones + (size_t)i] = 1;
    for (int32_t i = 0; i < l->m && l->head_ones != l->ones; i++) w[l->head_ones + (size_t)i] = 1;
}

void sq_derive(const sq_kernels *k, const sq_layout *l, float *w)
{
    if (has_constants(l)) derive_constants(l, w);
    if (l->scheme->made) derive_reversed(k, l, w);
    if (l->window) derive_taps(k, l, w);
}

void sq_derive_bwd(const sq_kernels *k, const sq_layout *l, const float *w, const float *transposed, float *grads)
{
    if (has_constants(l)) clear_constants(l, grads);
    if (l->scheme->made) reversed_bwd(k, l, w, transposed, grads);
    if (l->window) taps_bwd(k, l, grads);
}
