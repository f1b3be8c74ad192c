/* loss: the logistic function of one score. */
#ifndef SQ_LOGISTIC_H
#define SQ_LOGISTIC_H
#include <math.h>

/* Both are exact to rounding for any finite x; at -Inf both are 0. */
static inline float sq_logistic(float x)
{
    float e = expf(-fabsf(x));
    return (x >= 0 ? 1.0f : e) / (1.0f + e);
}

static inline double sq_softplus(float x) { return (x > 0 ? x : 0) + log1p(exp(-fabs((double)x))); }
#endif
