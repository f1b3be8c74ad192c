/* eval: means over users and their percentile intervals by resampling users. */
#ifndef SQ_BOOTSTRAP_H
#define SQ_BOOTSTRAP_H
#include "base/context.h"

typedef struct sq_interval {
    double low, high;
} sq_interval;

/* Mean of values[n], n > 0, summed in their order. */
double sq_mean(const double *values, int64_t n);

/* 95 % percentile intervals of the means of `columns` metrics, values[columns][n] by user (none negative), from `resamples` draws of n users
 * with replacement; the same draw serves all columns. A function of (values, seed) at any thread count. `stop` (may be NULL)
 * is asked now and then on the calling thread; when it returns other than 0 the result is E_CANCELLED. */
int32_t sq_bootstrap(seqrec_context *context, const double *values, int64_t columns, int64_t n, int64_t resamples,
                     uint64_t seed, int32_t (*stop)(void *arg), void *arg, sq_interval *out, seqrec_error *error);
#endif
