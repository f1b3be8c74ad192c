/* eval: probabilities of the next item, and how well they hold. */
#include "eval/calibration.h"
#include <inttypes.h>
#include <math.h>
#include "base/sort.h"
#include "eval/bootstrap.h"
#include "eval/ranking.h"

enum { LANES = 16 };

/* Writes the scores of the candidates, -infinity for the rest up to a multiple of 16; returns how many have a number. */
static int64_t take_scores(const float *scores, const int32_t *keys, int64_t items, float *weights)
{
    int64_t numbers = 0;
    for (int64_t i = 0; i < items; i++) {
        const int32_t counts = keys[i] > SQ_KEY_NAN;
        weights[i] = counts ? scores[i] : -INFINITY;
        numbers += counts;
    }
    for (int64_t i = items; i % LANES != 0; i++) weights[i] = -INFINITY;
    return numbers;
}

static double sum_of(const float *weights, int64_t n)
{
    double lanes[LANES] = {0}, sum = 0.0;
    for (int64_t i = 0; i < n; i += LANES) {
        for (int64_t j = 0; j < LANES; j++) lanes[j] += (double)weights[i + j];
    }
    for (int64_t j = 0; j < LANES; j++) sum += lanes[j];
    return sum;
}

static int64_t count_equal(const int32_t *keys, int64_t items, int32_t key)
{
    int64_t n = 0;
    for (int64_t i = 0; i < items; i++) n += keys[i] == key;
    return n;
}

sq_outlook sq_outlook_of(const sq_kernels *kernels, const float *scores, const int32_t *keys, int64_t items,
                         int64_t target, float *weights)
{
    sq_outlook outlook = {INFINITY, 0.0};
    if (take_scores(scores, keys, items, weights) == 0) return outlook;
    const float greatest = kernels->max((size_t)items, weights);
    double sum;
    if (isinf(greatest)) {
        sum = (double)count_equal(keys, items, sq_ranking_key(greatest));
    } else {
        (void)kernels->exp_shift((size_t)items, greatest, weights);
        sum = sum_of(weights, items);
    }
    outlook.confidence = 1.0 / sum;
    if (keys[target] <= SQ_KEY_NAN) return outlook;
    const double behind = scores[target] == greatest ? 0.0 : (double)greatest - (double)scores[target];
    outlook.nll = log(sum) + behind;
    return outlook;
}

/* The error of a division into bins, and of the same without each user. */
static double error_of(const double *confidence, const sq_place *places, const uint8_t *bin, int64_t n, double *column)
{
    double gap[SQ_CALIBRATION_BINS] = {0}, sum = 0.0;
    for (int64_t u = 0; u < n; u++) gap[bin[u]] += sq_metric_hit(places[u], 1) - confidence[u];
    for (int32_t b = 0; b < SQ_CALIBRATION_BINS; b++) sum += fabs(gap[b]);
    const double error = sum / (double)n;
    if (column == NULL) return error;
    for (int64_t u = 0; u < n; u++) {
        const double own = sq_metric_hit(places[u], 1) - confidence[u];
        const double left = sum - fabs(gap[bin[u]]) + fabs(gap[bin[u]] - own);
        column[u] = n > 1 ? left / (double)(n - 1) : error;
    }
    sq_spread_of(column, n, error);
    return error;
}

static void bins_by_width(const double *confidence, int64_t n, uint8_t *bin)
{
    for (int64_t u = 0; u < n; u++) {
        const int32_t at = (int32_t)ceil(confidence[u] * SQ_CALIBRATION_BINS) - 1;
        bin[u] = (uint8_t)(at < 0 ? 0 : at >= SQ_CALIBRATION_BINS ? SQ_CALIBRATION_BINS - 1 : at);
    }
}

typedef struct sorting {
    uint64_t *keys, *key_scratch;
    uint32_t *users, *user_scratch;
} sorting;

static void bins_by_mass(const double *confidence, int64_t n, const sorting *s, uint8_t *bin)
{
    for (int64_t u = 0; u < n; u++) {
        s->keys[u] = sq_code_of(confidence[u]);
        s->users[u] = (uint32_t)u;
    }
    sq_sort_keys(s->keys, s->users, (size_t)n, s->key_scratch, s->user_scratch, 64);
    for (int64_t r = 0; r < n; r++) bin[s->users[r]] = (uint8_t)(r * SQ_CALIBRATION_BINS / n);
}

int32_t sq_calibrate(const sq_memory *memory, const double *confidence, const sq_place *places, int64_t n,
                     sq_calibration *out, seqrec_error *error)
{
    const size_t users = (size_t)n;
    sorting s = {.keys = sq_alloc(memory, users, sizeof(uint64_t)),
                 .key_scratch = sq_alloc(memory, users, sizeof(uint64_t)),
                 .users = sq_alloc(memory, users, sizeof(uint32_t)),
                 .user_scratch = sq_alloc(memory, users, sizeof(uint32_t))};
    uint8_t *bin = sq_alloc(memory, users, 1);
    const int32_t whole =
        s.keys != NULL && s.key_scratch != NULL && s.users != NULL && s.user_scratch != NULL && bin != NULL;
    if (whole) {
        bins_by_width(confidence, n, bin);
        out->width = error_of(confidence, places, bin, n, out->width_of);
        bins_by_mass(confidence, n, &s, bin);
        out->mass = error_of(confidence, places, bin, n, out->mass_of);
    }
    sq_free(memory, bin);
    sq_free(memory, s.user_scratch);
    sq_free(memory, s.users);
    sq_free(memory, s.key_scratch);
    sq_free(memory, s.keys);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory for the calibration of %" PRId64 " users", n);
    return SEQREC_OK;
}
