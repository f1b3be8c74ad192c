/* layer: input embedding, forward and backward. */
#include "layer/embedding.h"
#include <string.h>

static void sum_rows(const sq_embedding *e, const float *const *items, int32_t n, float *x)
{
    for (int32_t t = 0; t < n; t++) {
        float *row = x + (size_t)t * e->width;
        if (e->scale == 1.0f)
            memcpy(row, items[t], e->width * sizeof *row);
        else
            e->kernels->scale(e->width, e->scale, items[t], row);
        if (e->positions) e->kernels->add(e->width, e->positions + (size_t)e->rule(t, n) * e->width, row);
    }
}

void sq_embed_fwd(const sq_embedding *e, const float *const *items, int32_t n, uint64_t first,
                  const sq_embedding_saved *saved, float *x)
{
    float *sum = e->gain && saved->sum ? saved->sum : x;
    sum_rows(e, items, n, sum);
    if (e->gain)
        e->kernels->norm_fwd((size_t)n, e->d, e->width, e->epsilon, sum, e->gain, e->bias, x, saved->mean, saved->rstd);
    e->kernels->dropout((size_t)n, e->width, e->width, &e->dropout, first, x);
}

void sq_embed_bwd(const sq_embedding *e, int32_t n, uint64_t first, const sq_embedding_saved *saved, float *dx,
                  const sq_embedding_grads *grads)
{
    e->kernels->dropout((size_t)n, e->width, e->width, &e->dropout, first, dx);
    if (e->gain)
        e->kernels->norm_bwd((size_t)n, e->d, e->width, saved->sum, e->gain, saved->mean, saved->rstd, dx, dx, 0,
                             grads->gain, grads->bias);
    for (int32_t t = 0; t < n && grads->positions; t++)
        e->kernels->add(e->width, dx + (size_t)t * e->width, grads->positions + (size_t)e->rule(t, n) * e->width);
}
