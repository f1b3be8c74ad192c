/* loss: the logistic function and what all sampled losses do for one token. */
#ifndef SQ_LOGISTIC_H
#define SQ_LOGISTIC_H
#include "loss/losses.h"
#include <math.h>
#include <string.h>

/* Both are exact to rounding for any finite x. */
static inline float sq_logistic(float x)
{
    float e = expf(-fabsf(x));
    return (x >= 0 ? 1.0f : e) / (1.0f + e);
}

static inline double sq_softplus(float x) { return (x > 0 ? x : 0) + log1p(exp(-fabs((double)x))); }

/* scores [1 + k] of token t; 0 where a row is left out. */
static inline void sq_token_scores(const sq_sampled *o, size_t t, float *scores)
{
    size_t c = 1 + o->k;
    const float *const *rows = o->rows + t * c;
    int whole = 1;
    for (size_t j = 0; j < c; j++) whole &= rows[j] != NULL;
    if (whole)
        o->kernels->gather_dots(c, o->width, o->u + t * o->width, rows, scores);
    else
        for (size_t j = 0; j < c; j++)
            scores[j] = rows[j] ? o->kernels->dot(o->width, o->u + t * o->width, rows[j]) : 0;
    for (size_t j = 0; j < c && o->inverse_norm; j++) scores[j] *= o->inverse_norm[t * c + j];
    for (size_t j = 0; j < c && o->bias; j++) scores[j] += o->bias[t];
}

/* du = sum_j g_j * row_j, where g gets the factor of the cosine first; g_j = 0 where a row is left out. */
static inline void sq_token_gradient(const sq_sampled *o, size_t t, float *g, float *du)
{
    size_t c = 1 + o->k;
    const float *const *rows = o->rows + t * c;
    int whole = 1;
    memset(du, 0, o->width * sizeof *du);
    if (o->bias) o->dbias[t] = 0;
    for (size_t j = 0; j < c; j++) {
        if (!rows[j]) g[j] = 0, whole = 0;
        if (o->bias) o->dbias[t] += g[j];
        if (o->inverse_norm) g[j] *= o->inverse_norm[t * c + j];
    }
    if (whole)
        o->kernels->gather_axpy(c, o->width, g, rows, du);
    else
        for (size_t j = 0; j < c; j++)
            if (rows[j]) o->kernels->axpy(o->width, g[j], rows[j], du);
}
#endif
