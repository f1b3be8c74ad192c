/* serve: scores of a block of items for many users at once, by a matrix product. */
#include "serve/screen.h"
#include <float.h>
#include <math.h>
#include "tensor/gemm.h"

#define ROUNDING 6e-8f /* a little more than half a unit of a float in [1, 2) */
#define LOST_SQUARE 1e-30f /* below this a part of a sum of squares may be gone */
#define HUGE_PRODUCT 1e36f /* beyond this a sum might overflow on its way */

void sq_screen_take(sq_arena *arena, size_t width, size_t users, sq_screen *out)
{
    const size_t ld = sq_round16(users);
    out->columns = SQ_TAKE(arena, float, width *ld);
    out->lengths = SQ_TAKE(arena, float, ld);
    out->floors = SQ_TAKE(arena, float, ld);
    out->scores = SQ_TAKE(arena, float, SQ_SCREEN_ITEMS *ld);
    out->reached = SQ_TAKE(arena, int32_t, SQ_SCREEN_ITEMS);
}

/* A little more than the length; infinite, so that nothing is screened by it, where squares are lost to underflow. */
static float length_of(const sq_scoring *scoring, const float *u)
{
    const float square = scoring->kernels->dot(scoring->width, u, u);
    if (square < LOST_SQUARE && scoring->kernels->max_abs(scoring->width, u) > 0) return INFINITY;
    return 1.001f * sqrtf(square);
}

void sq_screen_begin(sq_screen *screen, const sq_scoring *scoring, const float *users, size_t count)
{
    const size_t width = scoring->width;
    screen->count = count;
    screen->ld = sq_round16(count);
    scoring->kernels->transpose(count, width, users, width, screen->columns, screen->ld);
    for (size_t q = 0; q < screen->ld; q++) {
        const float *u = q < count ? users + q * width : users;
        screen->lengths[q] = q < count ? length_of(scoring, u) : 0;
        screen->floors[q] = INFINITY;
    }
}

/* A sum of n products, in whatever order and however often rounded, is off by at most n roundings of the product of the two
 * lengths; a product and a dot take no more than `width` each, and the factor of a cosine two more. */
float sq_screen_margin(const sq_screen *screen, const sq_scoring *scoring, int32_t chunk)
{
    const sq_catalogue *catalogue = scoring->catalogue;
    const float largest = scoring->kernels->max_abs(SQ_CHUNK_ROWS * (size_t)catalogue->stride, catalogue->rows[chunk]->at);
    const float length = largest * sqrtf((float)scoring->width) * 1.001f;
    float longest = 0;
    for (size_t q = 0; q < screen->count; q++) {
        if (!(screen->lengths[q] * length < HUGE_PRODUCT)) return INFINITY;
        longest = fmaxf(longest, screen->lengths[q]);
    }
    if (scoring->cosine && !(longest < HUGE_PRODUCT)) return INFINITY;
    return (float)(2 * scoring->width + 16) * ROUNDING * (scoring->cosine ? 1.001f : length);
}

/* The slack is for underflow, which the margin knows nothing of. Every score of a zero vector is 0, and the slots rise, so that none
 * enters behind others of 0. */
static void set_floors(sq_screen *screen, const sq_topk *heaps, size_t step, float margin, float slack)
{
    for (size_t q = 0; q < screen->count; q++) {
        const float worst = heaps[q * step].scores[0];
        screen->floors[q] = screen->lengths[q] > 0 ? worst - (margin * screen->lengths[q] + slack) : nextafterf(worst, INFINITY);
    }
}

size_t sq_screen_run(sq_screen *screen, const sq_scoring *scoring, const sq_topk *heaps, size_t step, float margin, int32_t first, size_t n,
                     sq_scoring_scratch *scratch)
{
    const size_t ld = screen->ld, stride = (size_t)scoring->catalogue->stride;
    const float *rows = sq_scoring_row(scoring, first);
    set_floors(screen, heaps, step, margin, scoring->cosine ? 1e-18f : FLT_MIN);
    sq_gemm(scoring->kernels, n, ld, scoring->width, rows, stride, 1, screen->columns, ld, screen->scores, ld, 0);
    for (size_t i = 0; scoring->cosine && i < n; i++) {
        const float *row = rows + i * stride;
        float *scores = screen->scores + i * ld;
        sq_inverse_norms(scoring, &row, 1, scratch->inverse_norms);
        scoring->kernels->scale(ld, scratch->inverse_norms[0], scores, scores);
    }
    return scoring->scan->reach(n, ld, ld, screen->scores, screen->floors, screen->reached);
}
