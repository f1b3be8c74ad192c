/* eval: means over users and their percentile intervals by resampling users. */
#include "eval/bootstrap.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/heap.h"
#include "base/rng.h"
#include "base/sort.h"

enum { LANES = 8, WAVE = 64 };

typedef struct resampling {
    const double *values;
    int64_t columns, n, resamples;
    uint64_t seed;
    double *weights; /* [width][n] how often each user was drawn */
    uint64_t *means; /* [columns][resamples] codes */
    int64_t first;   /* resample of task 0 */
} resampling;

static double fold(const double lanes[LANES])
{
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

static double weighted_sum(const double *values, const double *weights, int64_t n)
{
    double lanes[LANES] = {0}, rest = 0.0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t j = 0; j < LANES; j++) lanes[j] += values[i + j] * weights[i + j];
    }
    for (; i < n; i++) rest += values[i] * weights[i];
    return fold(lanes) + rest;
}

/* The same over the users that were drawn: an infinite value times a weight of 0 is no number. A value that is none itself counts. */
static double sum_of_drawn(const double *values, const double *weights, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (weights[i] > 0.0 || isnan(values[i])) sum += values[i] * weights[i];
    return sum;
}

double sq_mean(const double *values, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += values[i];
    return sum / (double)n;
}

void sq_spread_of(double *without, int64_t n, double value)
{
    const double mean = sq_mean(without, n);
    for (int64_t i = 0; i < n; i++) without[i] = value + (double)(n - 1) * (mean - without[i]);
}

static void resample(void *arg, int32_t task, int32_t worker)
{
    const resampling *r = arg;
    const int64_t b = r->first + task;
    const uint64_t key = sq_random_key(r->seed, SQ_STREAM_BOOTSTRAP, (uint64_t)b);
    double *weights = r->weights + (size_t)worker * (size_t)r->n;
    memset(weights, 0, (size_t)r->n * sizeof(double));
    for (int64_t i = 0; i < r->n; i++) weights[sq_random_below(key, (uint64_t)i, (uint64_t)r->n)] += 1.0;
    for (int64_t c = 0; c < r->columns; c++) {
        double sum = weighted_sum(r->values + c * r->n, weights, r->n);
        if (isnan(sum)) sum = sum_of_drawn(r->values + c * r->n, weights, r->n);
        r->means[c * r->resamples + b] = sq_code_of(sum / (double)r->n);
    }
}

static int32_t run_waves(resampling *r, seqrec_context *context, int32_t (*stop)(void *arg), void *arg,
                         seqrec_error *error)
{
    for (r->first = 0; r->first < r->resamples; r->first += WAVE) {
        const int64_t left = r->resamples - r->first;
        SQ_CHECK(stop == NULL || stop(arg) == 0, error, SEQREC_E_CANCELLED, "the caller stopped the bootstrap");
        sq_parallel(context->pool, (int32_t)(left < WAVE ? left : WAVE), resample, r);
    }
    return SEQREC_OK;
}

int32_t sq_resample(seqrec_context *context, const double *values, int64_t columns, int64_t n, int64_t resamples,
                    uint64_t seed, int32_t (*stop)(void *arg), void *arg, uint64_t *means, seqrec_error *error)
{
    const size_t width = (size_t)sq_pool_width(context->pool);
    resampling r = {.values = values, .columns = columns, .n = n, .resamples = resamples, .seed = seed, .means = means};
    r.weights = sq_alloc(&context->memory, width * (size_t)n, sizeof(double));
    SQ_CHECK(r.weights != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " resamples of %" PRId64 " users",
             resamples, n);
    const int32_t status = run_waves(&r, context, stop, arg, error);
    sq_free(&context->memory, r.weights);
    return status;
}

/* Between the two order statistics around share * (n - 1), in proportion. */
static double quantile(const uint64_t *sorted, int64_t n, double share)
{
    const double at = share * (double)(n - 1);
    const int64_t below = (int64_t)at;
    const double low = sq_value_of(sorted[below]), part = at - (double)below;
    if (below + 1 >= n || isinf(low)) return low;
    const double next = sq_value_of(sorted[below + 1]);
    return isinf(next) && part == 0.0 ? low : low + part * (next - low);
}

sq_interval sq_interval_of(uint64_t *means, int64_t resamples)
{
    for (int64_t b = 0; b < resamples; b++) {
        if (isnan(sq_value_of(means[b]))) return (sq_interval){NAN, NAN};
    }
    sq_heap_sort(means, resamples);
    return (sq_interval){quantile(means, resamples, 0.025), quantile(means, resamples, 0.975)};
}

int32_t sq_bootstrap(seqrec_context *context, const double *values, int64_t columns, int64_t n, int64_t resamples,
                     uint64_t seed, int32_t (*stop)(void *arg), void *arg, sq_interval *out, seqrec_error *error)
{
    uint64_t *means = sq_alloc(&context->memory, (size_t)columns * (size_t)resamples, sizeof(uint64_t));
    SQ_CHECK(means != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " resamples of %" PRId64 " users",
             resamples, n);
    const int32_t status = sq_resample(context, values, columns, n, resamples, seed, stop, arg, means, error);
    for (int64_t c = 0; c < columns && status == SEQREC_OK; c++)
        out[c] = sq_interval_of(means + c * resamples, resamples);
    sq_free(&context->memory, means);
    return status;
}
