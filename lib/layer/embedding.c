/* layer: input embedding, forward and backward. */
#include "layer/embedding.h"
#include <string.h>

void sq_embed_fwd(const sq_embedding *e, const float *const *items, int32_t n, uint64_t first, float *x)
{
    for (int32_t t = 0; t < n; t++) {
        float *row = x + (size_t)t * e->width;
        if (e->scale == 1.0f)
            memcpy(row, items[t], e->width * sizeof *row);
        else
            e->kernels->scale(e->width, e->scale, items[t], row);
        if (e->positions) e->kernels->add(e->width, e->positions + (size_t)e->rule(t, n) * e->width, row);
    }
    e->kernels->dropout((size_t)n, e->width, e->width, &e->dropout, first, x);
}

void sq_embed_bwd(const sq_embedding *e, int32_t n, uint64_t first, float *dx, float *dpositions)
{
    e->kernels->dropout((size_t)n, e->width, e->width, &e->dropout, first, dx);
    for (int32_t t = 0; t < n && dpositions; t++)
        e->kernels->add(e->width, dx + (size_t)t * e->width, dpositions + (size_t)e->rule(t, n) * e->width);
}
