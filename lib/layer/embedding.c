/* layer: input embedding, forward and backward. */
#include "layer/embedding.h"
#include <string.h>

static void join(const sq_embedding *e, const float *item, float *row)
{
    size_t i = 0;
    for (; i < e->item_width; i++) row[i] = e->scale * item[i];
    for (size_t k = 0; k < e->user_width; k++) row[i++] = e->user_scale * e->user[k];
    for (; i < e->width; i++) row[i] = 0;
}

static void event(const sq_embedding *e, const float *item, float *row)
{
    if (e->place == SQ_EMBED_JOIN_USER)
        join(e, item, row);
    else if (e->scale == 1.0f)
        memcpy(row, item, e->width * sizeof *row);
    else
        e->kernels->scale(e->width, e->scale, item, row);
    if (e->place == SQ_EMBED_ADD_USER) e->kernels->axpy(e->width, e->user_scale, e->user, row);
}

void sq_embed_fwd(const sq_embedding *e, const float *const *items, int32_t n, uint64_t first, float *x)
{
    float *events = x + (size_t)sq_embed_first(e) * e->width;
    if (e->place == SQ_EMBED_PREFIX_USER) e->kernels->scale(e->width, e->user_scale, e->user, x);
    for (int32_t t = 0; t < n; t++) {
        float *row = events + (size_t)t * e->width;
        event(e, items[t], row);
        if (e->positions) e->kernels->add(e->width, e->positions + (size_t)e->rule(t, n) * e->width, row);
    }
    e->kernels->dropout((size_t)sq_embed_tokens(e, n), e->width, e->width, &e->dropout, first, x);
}

void sq_embed_bwd(const sq_embedding *e, int32_t n, uint64_t first, float *dx, float *dpositions)
{
    const float *events = dx + (size_t)sq_embed_first(e) * e->width;
    e->kernels->dropout((size_t)sq_embed_tokens(e, n), e->width, e->width, &e->dropout, first, dx);
    for (int32_t t = 0; t < n && dpositions; t++)
        e->kernels->add(e->width, events + (size_t)t * e->width, dpositions + (size_t)e->rule(t, n) * e->width);
}

void sq_embed_user_bwd(const sq_embedding *e, int32_t n, const float *dx, float *du)
{
    const size_t padded = (e->user_width + 15) / 16 * 16, at = e->place == SQ_EMBED_JOIN_USER ? e->item_width : 0;
    const int32_t rows = e->place == SQ_EMBED_PREFIX_USER ? 1 : n;
    memset(du, 0, padded * sizeof *du);
    for (int32_t t = 0; t < rows; t++)
        for (size_t i = 0; i < e->user_width; i++) du[i] += dx[(size_t)t * e->width + at + i];
    e->kernels->scale(padded, e->user_scale, du, du);
}
