/* tensor: Adam (Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019), one step or many without gradient; compiled
 * once per instruction set. */
#include "tensor/isa.h"
#include "tensor/vec.h"
#include <math.h>

SQ_INLINE float adam_one(const sq_adam *a, float g, float w, float *m, float *v)
{
    float x = w * a->decay;
    g = g * a->clip + a->l2 * x;
    float mean = a->beta1 * *m + (1.0f - a->beta1) * g;
    float square = a->beta2 * *v + (1.0f - a->beta2) * (g * g);
    *m = mean;
    *v = square;
    return x - a->rate * mean / (sqrtf(square) * a->root + a->epsilon);
}

void SQ_NAME(sq_adam_step)(size_t n, const sq_adam *rule, const float *restrict g, float *restrict w, float *restrict m,
                           float *restrict v)
{
    const sq_adam a = *rule;
    if (g)
        for (size_t i = 0; i < n; i++) w[i] = adam_one(&a, g[i], w[i], m + i, v + i);
    else
        for (size_t i = 0; i < n; i++) w[i] = adam_one(&a, 0.0f, w[i], m + i, v + i);
}

/* adam_one for g = 0 and no decay: the moments wait for nothing but themselves. */
SQ_INLINE float adam_idle_one(const sq_adam *a, float w, float *m, float *v)
{
    *m = a->beta1 * *m + 0.0f;
    *v = a->beta2 * *v + 0.0f;
    return w - a->rate * *m / (sqrtf(*v) * a->root + a->epsilon);
}

/* Two vectors of elements stay in registers over all steps. */
void SQ_NAME(sq_adam_idle)(size_t n, size_t count, const sq_adam *restrict rules, float *restrict w, float *restrict m,
                           float *restrict v)
{
    enum { SIDE = 2 * LANES };
    size_t i = 0;
    for (; i + SIDE <= n; i += SIDE) {
        float x[SIDE], mean[SIDE], square[SIDE];
        for (size_t j = 0; j < SIDE; j++) x[j] = w[i + j], mean[j] = m[i + j], square[j] = v[i + j];
        for (size_t s = 0; s < count; s++) {
            const sq_adam a = rules[s];
            for (size_t j = 0; j < SIDE; j++) x[j] = adam_idle_one(&a, x[j], mean + j, square + j);
        }
        for (size_t j = 0; j < SIDE; j++) w[i + j] = x[j], m[i + j] = mean[j], v[i + j] = square[j];
    }
    for (size_t s = 0; i < n && s < count; s++) SQ_NAME(sq_adam_step)(n - i, rules + s, NULL, w + i, m + i, v + i);
}

/* A group of 64 ends early where a step changes nothing: so will all that follow. */
SQ_INLINE void fade_vectors(int vectors, int64_t count, float factor, float *x)
{
    vec y[4 * PARTS];
    for (int p = 0; p < vectors; p++) y[p] = load(x + p * LANES);
    while (count > 0) {
        veci changed = {0};
        for (int p = 0; p < vectors; p++) {
            vec next = splat(factor) * y[p] + splat(0);
            changed |= (veci)next ^ (veci)y[p];
            y[p] = next;
        }
        if (!any_lane(changed)) break;
        int64_t some = count - 1 < 31 ? count - 1 : 31;
        count -= some + 1;
        for (; some > 0; some--)
            for (int p = 0; p < vectors; p++) y[p] = splat(factor) * y[p] + splat(0);
    }
    for (int p = 0; p < vectors; p++) store(x + p * LANES, y[p]);
}

void SQ_NAME(sq_fade)(size_t n, int64_t count, float factor, float *x)
{
    size_t i = 0;
    for (; i + 64 <= n; i += 64) fade_vectors(4 * PARTS, count, factor, x + i);
    for (; i < n; i += 16) fade_vectors(PARTS, count, factor, x + i);
}
