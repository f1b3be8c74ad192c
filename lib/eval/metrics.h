/* eval: ranking metrics of one target, and of how lists spread over the catalogue. */
#ifndef SQ_METRICS_H
#define SQ_METRICS_H
#include <stdint.h>

/* The target's place among the candidates: `better` score strictly higher, `equal` others score the same, and so do `beside` more
 * targets of a set whose best ranked counts. Each metric is the expectation over all orders of the tied: with t = beside + 1 the
 * best rank is r = better + o (from 0) with chance C(equal + t - 1 - o, t - 1) / C(equal + t, t), o = 0 .. equal; for one target
 * that is uniform. */
typedef struct sq_place {
    int32_t better, equal, beside;
} sq_place;

/* [r < k] */
double sq_metric_hit(sq_place place, int64_t k);
/* [r < k] / log2(r + 2) */
double sq_metric_ndcg(sq_place place, int64_t k);
/* 1 / (r + 1) */
double sq_metric_reciprocal(sq_place place);

/* Share of n items with exposure above 0. */
double sq_metric_coverage(const uint64_t *exposure, int64_t n);
/* Gini coefficient of n exposures, which must be sorted, rising; NaN when they sum to 0. */
double sq_metric_gini(const uint64_t *sorted, int64_t n);
#endif
