/* experiment: figures of forecasts of several steps. What they are is worked by hand in tests/unit/test_horizon.c. */
#ifndef HORIZON_FIGURES_H
#define HORIZON_FIGURES_H
#include <math.h>
#include <stdint.h>

enum { HORIZON_BINS = 15 };

/* 1 when the item is in items[0, n). */
static inline int horizon_has(const int64_t *items, int64_t n, int64_t item)
{
    for (int64_t i = 0; i < n; i++)
        if (items[i] == item) return 1;
    return 0;
}

/* 1 when place i of the list is the first with its item, and the item is among the truth. */
static inline int horizon_hits(const int64_t *list, int64_t i, const int64_t *truth, int64_t count)
{
    return horizon_has(truth, count, list[i]) && !horizon_has(list, i, list[i]);
}

static inline int64_t horizon_distinct(const int64_t *items, int64_t n)
{
    int64_t distinct = 0;
    for (int64_t i = 0; i < n; i++) distinct += !horizon_has(items, i, items[i]);
    return distinct;
}

/* The share of the different items of the truth that are in list[0, min(n, k)). */
static inline double horizon_recall(const int64_t *list, int64_t n, int64_t k, const int64_t *truth, int64_t count)
{
    int64_t hits = 0;
    for (int64_t i = 0; i < n && i < k; i++) hits += horizon_hits(list, i, truth, count);
    return (double)hits / (double)horizon_distinct(truth, count);
}

/* sum over the hits of 1 / log2(1 + place), of that of a list which begins with as many items of the truth as fit into k. */
static inline double horizon_ndcg(const int64_t *list, int64_t n, int64_t k, const int64_t *truth, int64_t count)
{
    const int64_t most = horizon_distinct(truth, count);
    double got = 0, best = 0;
    for (int64_t i = 0; i < n && i < k; i++) got += horizon_hits(list, i, truth, count) / log2((double)i + 2);
    for (int64_t i = 0; i < most && i < k; i++) best += 1 / log2((double)i + 2);
    return got / best;
}

/* Place of item `target` by falling score among those that are not out, itself in any case; equal scores share theirs. */
static inline double horizon_rank(const float *scores, const uint8_t *out, int64_t n, int64_t target)
{
    int64_t above = 0, equal = 0;
    for (int64_t i = 0; i < n; i++) {
        if (out[i] || i == target) continue;
        above += scores[i] > scores[target];
        equal += scores[i] == scores[target];
    }
    return 1 + (double)above + 0.5 * (double)equal;
}

/* The best item that is not out (the first of equal ones), and its probability by a softmax over all that are not. */
static inline int64_t horizon_best(const float *scores, const uint8_t *out, int64_t n, double *probability)
{
    int64_t best = -1;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (!out[i] && (best < 0 || scores[i] > scores[best])) best = i;
    for (int64_t i = 0; best >= 0 && i < n; i++)
        if (!out[i]) sum += exp((double)scores[i] - (double)scores[best]);
    *probability = 1 / sum;
    return best;
}

/* -log of the probability of item `target` by a softmax over all that are not out, itself in any case. */
static inline double horizon_nats(const float *scores, const uint8_t *out, int64_t n, int64_t target)
{
    double sum = 1;
    for (int64_t i = 0; i < n; i++)
        if (!out[i] && i != target) sum += exp((double)scores[i] - (double)scores[target]);
    return log(sum);
}

/* The first step of the instant of step h, and the step behind its last one. times NULL: every step is alone. */
static inline int64_t horizon_instant(const int64_t *times, int64_t steps, int64_t h, int64_t *end)
{
    int64_t from = h;
    *end = h + 1;
    while (times && from > 0 && times[from - 1] == times[h]) from--;
    while (times && *end < steps && times[*end] == times[h]) ++*end;
    return from;
}

/* Predictions by their probability, in bins of one width. */
typedef struct horizon_bins {
    int64_t count[HORIZON_BINS];
    double probability[HORIZON_BINS], right[HORIZON_BINS];
} horizon_bins;

static inline void horizon_predict(horizon_bins *bins, double probability, int right)
{
    int bin = (int)(probability * HORIZON_BINS);
    if (bin >= HORIZON_BINS) bin = HORIZON_BINS - 1;
    bins->count[bin]++;
    bins->probability[bin] += probability;
    bins->right[bin] += right;
}

/* Expected calibration error: the mean over the predictions of |mean probability - share of right ones| of their bin. */
static inline double horizon_ece(const horizon_bins *bins)
{
    double sum = 0;
    int64_t all = 0;
    for (int b = 0; b < HORIZON_BINS; b++) {
        sum += fabs(bins->probability[b] - bins->right[b]);
        all += bins->count[b];
    }
    return all ? sum / (double)all : 0;
}
#endif
