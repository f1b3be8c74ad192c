/* eval: means over users and their percentile intervals by resampling users. */
#ifndef SQ_BOOTSTRAP_H
#define SQ_BOOTSTRAP_H
#include "base/context.h"

typedef struct sq_interval {
    double low, high;
} sq_interval;

/* Mean of values[n], n > 0, summed in their order. */
double sq_mean(const double *values, int64_t n);

/* Turns what a statistic of n users is without each of them into one value a user: their mean is `value`, the statistic, and
 * they spread as the jackknife's pseudo-values do, value + (n - 1) (mean - without). Resampling their mean gives an interval
 * to statistics that are no means (Efron and Stein 1981: its variance is rather too large than too small). */
void sq_spread_of(double *without, int64_t n, double value);

/* Means of `columns` metrics, values[columns][n] by user, in each of `resamples` draws of n users with replacement, as
 * codes to means[columns][resamples]; the same draw serves all columns. A function of (values, seed) at any thread count. `stop` (may be
 * NULL) is asked now and then on the calling thread; when it returns other than 0 the result is E_CANCELLED. */
int32_t sq_resample(seqrec_context *context, const double *values, int64_t columns, int64_t n, int64_t resamples,
                    uint64_t seed, int32_t (*stop)(void *arg), void *arg, uint64_t *means, seqrec_error *error);
/* 95 % percentile interval of the resampled means, which it sorts; NaN when one of them is. Means, and so ends, may be infinite. */
sq_interval sq_interval_of(uint64_t *means, int64_t resamples);

/* The intervals of all columns. */
int32_t sq_bootstrap(seqrec_context *context, const double *values, int64_t columns, int64_t n, int64_t resamples,
                     uint64_t seed, int32_t (*stop)(void *arg), void *arg, sq_interval *out, seqrec_error *error);
#endif
