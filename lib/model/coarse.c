/* model: copies of one chunk of rows in few bits. */
#include "model/coarse.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include "tensor/length.h"
#include "tensor/scankernels.h"

#define LEVELS 127 /* whole numbers on each side of 0 */

/* The nearest float of 16 bits, ties to even; finite floats beyond all of those become infinite. */
uint16_t sq_coarse_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float largest(const float *x, size_t width)
{
    float most = 0;
    for (size_t i = 0; i < width; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* What a vector is multiplied by before it is copied. */
static double factor_of(sq_coarse_rule rule, const float *x, size_t width)
{
    double square = 0;
    if (!rule.cosine) return 1;
    for (size_t i = 0; i < width; i++) square += (double)x[i] * (double)x[i];
    return square >= SQ_NO_SQUARE ? 1 / sqrt(square) : 0;
}

static void copy_halves(sq_coarse_rule rule, const float *x, size_t width, uint16_t *to)
{
    const float factor = (float)factor_of(rule, x, width);
    for (size_t i = 0; i < width; i++) to[i] = sq_coarse_half(rule.cosine ? x[i] * factor : x[i]);
}

/* What a vector of whole numbers is multiplied by before rounding; 0 for one that is as good as zero, or not finite. */
static float levels_of(float most)
{
    return most >= 1e-30f && most <= FLT_MAX ? LEVELS / most : 0;
}

static uint8_t whole(float x, float levels)
{
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it leaves the rounded integer in the low bits */
    const float shifted = x * levels + shifter;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (uint8_t)bits;
}

/* The quotient is rounded, and its multiples are to stay finite. */
float sq_coarse_wholes(const float *x, size_t width, int8_t *to)
{
    const float most = largest(x, width), levels = levels_of(most), scale = most / LEVELS;
    for (size_t i = 0; i < width; i++) to[i] = (int8_t)whole(x[i], levels);
    if (levels == 0) return 0;
    return scale * LEVELS <= FLT_MAX ? scale : nextafterf(scale, 0);
}

/* Row `row` of its block of 16 at `to`; returns its scale. */
static float copy_bytes(sq_coarse_rule rule, const float *x, size_t width, size_t row, uint8_t *to)
{
    const float most = largest(x, width), levels = levels_of(most);
    for (size_t i = 0; i < width; i++) to[(i / 4 * SQ_INT8_ROWS + row) * 4 + i % 4] = (uint8_t)(whole(x[i], levels) + 128);
    return levels > 0 ? (float)(factor_of(rule, x, width) * (double)most / LEVELS) : 0;
}

void sq_coarse_fill(sq_coarse_rule rule, size_t count, size_t width, size_t stride, const float *vectors, uint8_t *at, float *scales)
{
    for (size_t r = 0; r < count; r++) {
        const float *x = vectors + r * stride;
        if (rule.kind == SQ_TABLE_INT8)
            scales[r] = copy_bytes(rule, x, width, r % SQ_INT8_ROWS, at + r / SQ_INT8_ROWS * SQ_INT8_ROWS * width);
        else
            copy_halves(rule, x, width, (uint16_t *)(void *)at + r * width);
    }
}

sq_coarse *sq_coarse_blank(const sq_memory *memory, int32_t kind, size_t count, size_t width)
{
    const int32_t scaled = kind == SQ_TABLE_INT8;
    sq_coarse *made = sq_alloc_zero(memory, 1, sizeof *made);
    if (!made) return NULL;
    atomic_init(&made->references, 1);
    made->at = sq_alloc(memory, count, sq_coarse_bytes(kind, width) + (scaled ? sizeof *made->scales : 0));
    if (!made->at) {
        sq_free(memory, made);
        return NULL;
    }
    if (scaled) made->scales = (float *)(void *)(made->at + count * width);
    return made;
}

sq_coarse *sq_coarse_create(const sq_memory *memory, sq_coarse_rule rule, size_t count, size_t width, size_t stride,
                            const float *vectors)
{
    sq_coarse *made = sq_coarse_blank(memory, rule.kind, count, width);
    if (made) sq_coarse_fill(rule, count, width, stride, vectors, made->at, made->scales);
    return made;
}

sq_coarse *sq_coarse_map(const sq_memory *memory, sq_mapping *mapping, const uint8_t *at, const float *scales)
{
    sq_coarse *made = sq_alloc_zero(memory, 1, sizeof *made);
    if (!made) return NULL;
    atomic_init(&made->references, 1);
    made->at = (uint8_t *)at;
    made->scales = (float *)scales;
    made->mapping = sq_mapping_retain(mapping);
    return made;
}

sq_coarse *sq_coarse_retain(sq_coarse *coarse)
{
    atomic_fetch_add_explicit(&coarse->references, 1, memory_order_relaxed);
    return coarse;
}

void sq_coarse_release(const sq_memory *memory, sq_coarse *coarse)
{
    if (!coarse || atomic_fetch_sub_explicit(&coarse->references, 1, memory_order_acq_rel) != 1) return;
    if (coarse->mapping)
        sq_mapping_release(coarse->mapping);
    else
        sq_free(memory, coarse->at);
    sq_free(memory, coarse);
}
