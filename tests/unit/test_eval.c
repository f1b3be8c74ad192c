/* unit: metrics, draws of negatives, baselines, intervals, and each protocol against a plain re-computation. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/heap.h"
#include "base/rng.h"
#include "base/sort.h"
#include "counting_allocator.h"
#include "eval/baselines.h"
#include "eval/bootstrap.h"
#include "eval/calibration.h"
#include "eval/candidates.h"
#include "eval/compare.h"
#include "eval/evaluate.h"
#include "eval/exposure.h"
#include "eval/personal.h"
#include "eval/ranking.h"
#include "run_suite.h"
#include "train/fit.h"

enum { MOST_ITEMS = 400 };

/* A dataset made by hand; the tests read its arrays freely. */
typedef struct world {
    seqrec_dataset data;
    int64_t *offsets, *times, *user_ids;
    int32_t *sequence;
} world;

static void make_world(world *w, int64_t users, int64_t items, int64_t longest, uint64_t seed)
{
    const uint64_t key = sq_random_key(seed, 99, 0);
    uint64_t counter = 0;
    w->offsets = calloc((size_t)users + 1, sizeof(int64_t));
    w->sequence = calloc((size_t)(users * longest), sizeof(int32_t));
    w->times = calloc((size_t)(users * longest), sizeof(int64_t));
    w->user_ids = calloc((size_t)users, sizeof(int64_t));
    int64_t at = 0;
    for (int64_t u = 0; u < users; u++) {
        w->user_ids[u] = 7000 - 13 * u;
        const int64_t length = 1 + (int64_t)sq_random_below(key, counter++, (uint64_t)longest);
        int64_t time = (int64_t)sq_random_below(key, counter++, 60);
        for (int64_t e = 0; e < length; e++, at++) {
            /* The smaller of two draws: low indices are popular. Repeats within a user are common. */
            const uint64_t a = sq_random_below(key, counter++, (uint64_t)items);
            const uint64_t b = sq_random_below(key, counter++, (uint64_t)items);
            w->sequence[at] = (int32_t)(a < b ? a : b);
            time += (int64_t)sq_random_below(key, counter++, 10);
            w->times[at] = time;
        }
        w->offsets[u + 1] = at;
    }
    w->data = (seqrec_dataset){.users = users, .items = items, .events = at};
    w->data.offsets = w->offsets;
    w->data.sequence = w->sequence;
    w->data.timestamps = w->times;
    w->data.user_ids = w->user_ids;
}

static void free_world(world *w)
{
    free(w->offsets);
    free(w->user_ids);
    free(w->sequence);
    free(w->times);
}

static world small;
static seqrec_context *context;

static void set_up(void)
{
    make_world(&small, 150, 37, 25, 1);
    ck_assert_int_eq(sq_context_create(NULL, NULL, 1, NULL, NULL, &context, NULL), SEQREC_OK);
}

static void tear_down(void)
{
    sq_context_release(context);
    free_world(&small);
}

/* Arbitrary scores with many ties, both zeros, infinities and NaN: a function of user, history and item. */
static float strange_score(int64_t user, int64_t history, int32_t last, int64_t item)
{
    const uint64_t h =
        sq_random64(sq_random_key((uint64_t)user, 77, (uint64_t)history), (uint64_t)(item * 1000 + last));
    switch (h % 23) {
    case 0:
        return NAN;
    case 1:
        return INFINITY;
    case 2:
        return -INFINITY;
    case 3:
        return 0.0f;
    case 4:
        return -0.0f;
    default:
        return (float)(h % 11) - 5.0f;
    }
}

static int32_t score_strangely(void *arg, int32_t worker, const sq_histories *histories, float *scores,
                               seqrec_error *error)
{
    const seqrec_dataset *data = arg;
    (void)worker;
    (void)error;
    for (int64_t b = 0; b < histories->count; b++) {
        const int64_t from = histories->offsets[b], n = histories->offsets[b + 1] - from;
        for (int64_t i = 0; i < data->items; i++) {
            scores[b * data->items + i] = strange_score(histories->users[b], n, histories->items[from + n - 1], i);
        }
    }
    return SEQREC_OK;
}

static sq_scorer strange(world *w)
{
    return (sq_scorer){&w->data, score_strangely, 7, NULL};
}

static seqrec_evaluation options_for(const char *protocol)
{
    return (seqrec_evaluation){.struct_size = sizeof(seqrec_evaluation), .protocol = protocol, .bootstrap = -1};
}

static sq_division division_for(const char *protocol)
{
    const int32_t by_time = strcmp(protocol, "E9") == 0;
    return (sq_division){.kind = by_time ? SQ_DIVISION_TIME : SQ_DIVISION_LEAVE_ONE_OUT, .valid_from = 60, .test_from = 66};
}

static double figure_of(const seqrec_report *report, const char *row, const char *metric)
{
    double value = -1.0;
    seqrec_error error = {0};
    ck_assert_msg(seqrec_report_get(report, row, metric, &value, NULL, NULL, &error) == SEQREC_OK, "%s", error.message);
    return value;
}

/* ---- metrics ---- */

START_TEST(a_target_without_ties_has_the_plain_metrics)
{
    const sq_place third = {2, 0, 0};
    ck_assert_double_eq(sq_metric_hit(third, 2), 0.0);
    ck_assert_double_eq(sq_metric_hit(third, 3), 1.0);
    ck_assert_double_eq(sq_metric_ndcg(third, 2), 0.0);
    ck_assert_double_eq(sq_metric_ndcg(third, 3), 0.5);
    ck_assert_double_eq(sq_metric_reciprocal(third), 1.0 / 3.0);
}
END_TEST

START_TEST(tied_targets_get_the_mean_over_all_orders)
{
    const sq_place tied = {1, 3, 0}; /* ranks 1, 2, 3, 4 equally likely */
    ck_assert_double_eq(sq_metric_hit(tied, 1), 0.0);
    ck_assert_double_eq(sq_metric_hit(tied, 3), 0.5);
    ck_assert_double_eq(sq_metric_hit(tied, 5), 1.0);
    ck_assert_double_eq_tol(sq_metric_ndcg(tied, 3), (1.0 / log2(3.0) + 0.5) / 4.0, 1e-15);
    ck_assert_double_eq_tol(sq_metric_reciprocal(tied), (1.0 / 2 + 1.0 / 3 + 1.0 / 4 + 1.0 / 5) / 4.0, 1e-15);
}
END_TEST

START_TEST(a_constant_ranker_gets_the_random_rankers_figures)
{
    /* specs: 100 negatives give .0990 and .0450 at 10. */
    const sq_place all = {0, 100, 0};
    ck_assert_double_eq_tol(sq_metric_hit(all, 10), 10.0 / 101.0, 1e-15);
    ck_assert_double_eq_tol(sq_metric_ndcg(all, 10), 0.0450, 5e-5);
}
END_TEST

START_TEST(reciprocal_rank_of_large_ties_is_the_sum_of_its_terms)
{
    static const sq_place places[] = {{0, 63, 0},  {0, 64, 0},  {0, 5000, 0},    {1, 100, 0},   {62, 70, 0},
                                      {63, 64, 0}, {64, 65, 0}, {1000, 3000, 0}, {90000, 70, 0}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double sum = 0.0;
        for (int32_t r = places[i].equal; r >= 0; r--) sum += 1.0 / ((double)places[i].better + r + 1.0);
        sum /= (double)places[i].equal + 1.0;
        ck_assert_double_eq_tol(sq_metric_reciprocal(places[i]) / sum, 1.0, 1e-10);
    }
}
END_TEST

/* Means over all orders of `others` and `targets` that tie behind `better`: each choice of the targets' places is as likely. */
static void mean_of_orders(int32_t better, int32_t others, int32_t targets, int64_t k, double means[3])
{
    const int32_t tied = others + targets;
    double orders = 0.0;
    means[0] = means[1] = means[2] = 0.0;
    for (uint32_t places = 1; places < 1u << tied; places++) {
        int32_t first = 0, chosen = 0;
        for (int32_t r = 0; r < tied; r++) chosen += (int32_t)(places >> r & 1);
        if (chosen != targets) continue;
        while (!(places >> first & 1)) first++;
        const double rank = (double)better + first;
        means[0] += rank < (double)k;
        means[1] += rank < (double)k ? 1.0 / log2(rank + 2.0) : 0.0;
        means[2] += 1.0 / (rank + 1.0);
        orders += 1.0;
    }
    for (int32_t i = 0; i < 3; i++) means[i] /= orders;
}

START_TEST(the_best_of_several_tied_targets_has_the_mean_over_all_orders)
{
    for (int32_t better = 0; better < 40; better = better < 3 ? better + 1 : better * 3) {
        for (int32_t others = 0; others < 8; others++) {
            for (int32_t targets = 1; targets < 7; targets++) {
                const sq_place place = {better, others, targets - 1};
                for (int64_t k = 1; k < 50; k += k < 15 ? 1 : 17) {
                    double means[3];
                    mean_of_orders(better, others, targets, k, means);
                    ck_assert_double_eq_tol(sq_metric_hit(place, k), means[0], 1e-14);
                    ck_assert_double_eq_tol(sq_metric_ndcg(place, k), means[1], 1e-14);
                    ck_assert_double_eq_tol(sq_metric_reciprocal(place), means[2], 1e-14);
                }
            }
        }
    }
}
END_TEST

START_TEST(the_best_of_a_large_tie_has_the_sums_of_its_terms)
{
    static const sq_place places[] = {{0, 5000, 1},      {0, 5000, 4999},  {3, 1000000, 1},   {7, 1000000, 99999}, {1000, 3000, 1},
                                      {90000, 70, 2},    {10, 100000, 9},  {10, 100000, 9999}, {0, 2000000, 3},     {0, 5, 2000000},
                                      {500000, 500000, 1}, {2000, 500000, 250}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const sq_place p = places[i];
        const int64_t k = (int64_t)p.better + 1 + p.equal / 7;
        long double left = 1.0L, hit = 0.0L, gain = 0.0L, reciprocal = 0.0L;
        for (int64_t r = 0; r <= p.equal; r++) {
            const long double behind = (long double)(p.equal + p.beside + 1 - r), chance = left * (p.beside + 1) / behind;
            const long double rank = (long double)(p.better + r);
            if (p.better + r < k) hit += chance;
            if (p.better + r < k) gain += chance / log2l(rank + 2.0L);
            reciprocal += chance / (rank + 1.0L);
            left *= (long double)(p.equal - r) / behind;
        }
        ck_assert_double_eq_tol(sq_metric_hit(p, k) / (double)hit, 1.0, 1e-10);
        ck_assert_double_eq_tol(sq_metric_ndcg(p, k) / (double)gain, 1.0, 1e-10);
        ck_assert_double_eq_tol(sq_metric_reciprocal(p) / (double)reciprocal, 1.0, 1e-10);
        ck_assert_double_le(sq_metric_hit(p, INT64_MAX), 1.0);
        ck_assert_double_le(sq_metric_hit(p, (int64_t)p.better + p.equal), 1.0);
    }
}
END_TEST

START_TEST(gini_is_zero_when_equal_and_one_minus_one_over_n_when_one_has_all)
{
    const uint64_t equal[] = {3, 3, 3, 3}, one[] = {0, 0, 0, 8}, none[] = {0, 0};
    ck_assert_double_eq_tol(sq_metric_gini(equal, 4), 0.0, 1e-15);
    ck_assert_double_eq_tol(sq_metric_gini(one, 4), 0.75, 1e-15);
    ck_assert_double_nan(sq_metric_gini(none, 2));
    ck_assert_double_eq(sq_metric_coverage(one, 4), 0.25);
}
END_TEST

START_TEST(sorting_orders_any_length)
{
    for (int64_t n = 0; n < 70; n++) {
        uint64_t keys[70], sum = 0;
        for (int64_t i = 0; i < n; i++) sum += keys[i] = sq_random64(5, (uint64_t)(n * 100 + i)) >> (i % 3 * 31);
        sq_heap_sort(keys, n);
        for (int64_t i = 0; i < n; i++) sum -= keys[i];
        ck_assert_uint_eq(sum, 0);
        for (int64_t i = 1; i < n; i++) ck_assert_uint_le(keys[i - 1], keys[i]);
    }
}
END_TEST

/* ---- ranking ---- */

START_TEST(keys_order_as_scores_with_nan_below_everything)
{
    static const float rising[] = {-INFINITY, -3.4e38f, -1.0f, -1e-40f, 0.0f, 1e-40f, 0.5f, 3.4e38f, INFINITY};
    const size_t n = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            ck_assert_int_eq(sq_ranking_key(rising[i]) < sq_ranking_key(rising[j]), rising[i] < rising[j]);
        }
        ck_assert_int_lt(SQ_KEY_NAN, sq_ranking_key(rising[i]));
    }
    ck_assert_int_eq(sq_ranking_key(-0.0f), sq_ranking_key(0.0f));
    ck_assert_int_eq(sq_ranking_key(NAN), SQ_KEY_NAN);
    ck_assert_int_eq(sq_ranking_key(-NAN), SQ_KEY_NAN);
    ck_assert_int_lt(SQ_KEY_EXCLUDED, SQ_KEY_NAN);
}
END_TEST

START_TEST(nan_targets_lose_to_every_number_and_tie_with_nan)
{
    const float scores[] = {NAN, -INFINITY, 1.0f, NAN, 0.0f};
    int32_t keys[5];
    sq_ranking_keys(scores, 5, keys);
    sq_place place = sq_ranking_place(keys, 5, 0);
    ck_assert_int_eq(place.better, 3);
    ck_assert_int_eq(place.equal, 1);
    place = sq_ranking_place(keys, 5, 1);
    ck_assert_int_eq(place.better, 2);
    ck_assert_int_eq(place.equal, 0);
}
END_TEST

START_TEST(top_k_is_the_sorted_prefix_with_ties_by_item)
{
    int32_t keys[MOST_ITEMS];
    sq_ranked top[MOST_ITEMS];
    for (int64_t n = 1; n <= 100; n += 3) {
        for (int64_t i = 0; i < n; i++) {
            keys[i] = (int32_t)sq_random_below(8, (uint64_t)(n * 1000 + i), 9);
            if (keys[i] == 0) keys[i] = SQ_KEY_EXCLUDED;
            if (keys[i] == 1) keys[i] = SQ_KEY_NAN;
        }
        for (int64_t k = 0; k <= n + 2; k++) {
            const int64_t found = sq_ranking_top(keys, n, k, top);
            int64_t eligible = 0, rank = 0;
            for (int64_t i = 0; i < n; i++) eligible += keys[i] != SQ_KEY_EXCLUDED;
            ck_assert_int_eq(found, k < eligible ? k : eligible);
            for (int64_t i = 0; i < n; i++) {
                if (keys[i] == SQ_KEY_EXCLUDED) continue;
                rank = 0;
                for (int64_t j = 0; j < n; j++) rank += keys[j] > keys[i] || (keys[j] == keys[i] && j < i);
                if (rank < found) ck_assert_int_eq(sq_ranked_item(top[rank]), i);
            }
        }
    }
}
END_TEST

/* ---- negatives ---- */

typedef struct drawing {
    sq_candidates plan;
    sq_cases cases;
    sq_candidate_scratch scratch;
    uint32_t mark[MOST_ITEMS];
    int32_t pool[MOST_ITEMS];
} drawing;

/* Every user has the same sequence: train, then one validation item, then the target. `running` may be NULL. */
static void start_drawing(drawing *d, int32_t against, int64_t items, uint64_t *running, const int32_t *sequence,
                          const int64_t *offsets)
{
    memset(d, 0, sizeof *d);
    d->plan = (sq_candidates){against, 11, items, running};
    d->cases.sequence = sequence;
    d->cases.offsets = offsets;
    d->scratch.mark = d->mark;
    d->scratch.pool = d->pool;
}

/* Statistic against expected counts; degrees of freedom = cells - 1. Bounds below are five standard deviations above the
 * mean, sqrt(2 df). */
static double chi_square(const int64_t *seen, const double *expected, int64_t cells)
{
    double sum = 0.0;
    for (int64_t i = 0; i < cells; i++) {
        if (expected[i] > 0.0) sum += ((double)seen[i] - expected[i]) * ((double)seen[i] - expected[i]) / expected[i];
    }
    return sum;
}

static double bound(int64_t freedom)
{
    return (double)freedom + 5.0 * sqrt(2.0 * (double)freedom);
}

START_TEST(e1_draws_are_uniform_outside_training_with_repeats)
{
    enum { ITEMS = 40, USERS = 2000 };
    static const int32_t sequence[] = {1, 5, 5, 9, 20, 30}; /* 20 is the validation item, 30 the target */
    static const int64_t offsets[USERS + 1] = {0};
    drawing d;
    int64_t seen[ITEMS] = {0};
    double expected[ITEMS];
    start_drawing(&d, SQ_AGAINST_TRAIN, ITEMS, NULL, sequence, offsets);
    int32_t repeated = 0;
    for (int64_t u = 0; u < USERS; u++) {
        const sq_case one = {u, 4, 5, 1};
        int32_t out[SQ_CANDIDATES];
        ck_assert_int_eq(sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out), SQ_CANDIDATES);
        for (int64_t j = 0; j < SQ_CANDIDATES; j++) seen[out[j]]++;
        repeated += out[0] == out[1];
    }
    for (int64_t i = 0; i < ITEMS; i++) {
        const int32_t barred = i == 1 || i == 5 || i == 9;
        expected[i] = barred ? 0.0 : (double)USERS * SQ_CANDIDATES / (ITEMS - 3);
        if (barred) ck_assert_int_eq(seen[i], 0);
    }
    ck_assert_int_gt(seen[20], 0);
    ck_assert_int_gt(seen[30], 0);
    ck_assert_int_gt(repeated, 20);
    ck_assert_double_lt(chi_square(seen, expected, ITEMS), bound(ITEMS - 4));
}
END_TEST

START_TEST(e3_draws_each_eligible_item_equally_often_and_once)
{
    enum { ITEMS = 160, USERS = 3000 };
    static const int32_t sequence[] = {3, 4, 4, 5, 150, 151};
    static const int64_t offsets[USERS + 1] = {0};
    const int64_t eligible = ITEMS - 5;
    const double share = (double)SQ_CANDIDATES / (double)eligible;
    drawing d;
    int64_t seen[ITEMS] = {0}, first[ITEMS] = {0};
    double expected[ITEMS], expected_first[ITEMS];
    start_drawing(&d, SQ_AGAINST_UNIFORM, ITEMS, NULL, sequence, offsets);
    for (int64_t u = 0; u < USERS; u++) {
        const sq_case one = {u, 4, 5, 1};
        int32_t out[SQ_CANDIDATES];
        int32_t here[ITEMS] = {0};
        ck_assert_int_eq(sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out), SQ_CANDIDATES);
        for (int64_t j = 0; j < SQ_CANDIDATES; j++) {
            ck_assert_int_eq(here[out[j]]++, 0);
            seen[out[j]]++;
        }
        first[out[0]]++;
    }
    for (int64_t i = 0; i < ITEMS; i++) {
        const int32_t barred = (i >= 3 && i <= 5) || i == 150 || i == 151;
        expected[i] = barred ? 0.0 : USERS * share;
        expected_first[i] = barred ? 0.0 : (double)USERS / (double)eligible;
        if (barred) ck_assert_int_eq(seen[i], 0);
    }
    ck_assert_double_lt(chi_square(first, expected_first, ITEMS), bound(eligible - 1));
    /* Inclusions have variance share * (1 - share) per user. */
    ck_assert_double_lt(chi_square(seen, expected, ITEMS) / (1.0 - share), bound(eligible - 1));
}
END_TEST

/* First and second draw of E2 with the given weights, items 0 and 1 being history and target. */
static void check_pairs(const uint64_t *weights, int64_t items)
{
    enum { USERS = 20000 };
    static const int32_t sequence[] = {0, 1};
    static const int64_t offsets[USERS + 1] = {0};
    uint64_t running[16] = {0};
    int64_t seen[256] = {0}, cells = 0;
    double expected[256] = {0}, total = 0.0;
    drawing d;
    for (int64_t i = 0; i < items; i++) {
        running[i + 1] = running[i] + weights[i];
        if (i >= 2) total += (double)weights[i];
    }
    start_drawing(&d, SQ_AGAINST_POPULAR, items, running, sequence, offsets);
    for (int64_t u = 0; u < USERS; u++) {
        const sq_case one = {u, 0, 1, 1};
        int32_t out[SQ_CANDIDATES];
        const int32_t count = sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out);
        ck_assert_int_eq(count, items - 3); /* one weight is 0 */
        seen[out[0] * items + out[1]]++;
    }
    for (int64_t a = 2; a < items; a++) {
        for (int64_t b = 2; b < items; b++) {
            const double wa = (double)weights[a], wb = (double)weights[b];
            if (a != b) expected[a * items + b] = USERS * (wa / total) * (wb / (total - wa));
            if (expected[a * items + b] == 0.0) ck_assert_int_eq(seen[a * items + b], 0);
            cells += expected[a * items + b] > 0.0;
        }
    }
    ck_assert_double_lt(chi_square(seen, expected, items * items), bound(cells - 1));
}

START_TEST(e2_draws_follow_the_item_counts_without_replacement)
{
    const uint64_t weights[] = {40, 30, 50, 5, 20, 0, 10, 15};
    check_pairs(weights, 8);
}
END_TEST

START_TEST(e2_draws_reach_the_first_and_the_last_unit_of_weight)
{
    const uint64_t weights[] = {1, 1, 1, 1, 1, 0, 1};
    check_pairs(weights, 7);
}
END_TEST

START_TEST(e2_draws_follow_the_item_counts_when_the_history_holds_nearly_all_of_them)
{
    /* So few eligible that rejection gives up and the eligible items are listed. */
    const uint64_t weights[] = {90000000, 30, 50, 5, 20, 0, 10, 15};
    check_pairs(weights, 8);
}
END_TEST

START_TEST(e2_counts_come_from_every_event_of_the_dataset)
{
    sq_candidates plan;
    ck_assert_int_eq(sq_candidates_create(&context->memory, &small.data, SQ_AGAINST_POPULAR, 1, &plan, NULL),
                     SEQREC_OK);
    ck_assert_uint_eq(plan.running[small.data.items], (uint64_t)small.data.events);
    for (int64_t i = 0; i < small.data.items; i++) {
        uint64_t count = 0;
        for (int64_t e = 0; e < small.data.events; e++) count += small.sequence[e] == i;
        ck_assert_uint_eq(plan.running[i + 1] - plan.running[i], count);
    }
    sq_candidates_free(&plan, &context->memory);
}
END_TEST

START_TEST(a_catalogue_without_a_hundred_eligible_items_gives_them_all)
{
    static const int32_t sequence[] = {0, 1, 2, 3};
    static const int64_t offsets[2] = {0, 4};
    const sq_case one = {0, 2, 3, 1};
    int32_t out[SQ_CANDIDATES], here[50] = {0};
    drawing d;
    start_drawing(&d, SQ_AGAINST_UNIFORM, 50, NULL, sequence, offsets);
    ck_assert_int_eq(sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out), 46);
    for (int64_t j = 0; j < 46; j++) ck_assert_int_eq(here[out[j]]++, 0);
    start_drawing(&d, SQ_AGAINST_TRAIN, 2, NULL, sequence, offsets);
    ck_assert_int_eq(sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out), 0);
}
END_TEST

START_TEST(draws_depend_on_seed_and_user_only)
{
    static const int32_t sequence[] = {0, 1, 2, 3};
    static const int64_t offsets[6] = {0};
    drawing d;
    int32_t out[3][SQ_CANDIDATES];
    const sq_case four = {4, 2, 3, 1}, five = {5, 2, 3, 1};
    start_drawing(&d, SQ_AGAINST_UNIFORM, 300, NULL, sequence, offsets);
    (void)sq_candidates_draw(&d.plan, &d.cases, &four, &d.scratch, out[0]);
    (void)sq_candidates_draw(&d.plan, &d.cases, &five, &d.scratch, out[1]);
    (void)sq_candidates_draw(&d.plan, &d.cases, &four, &d.scratch, out[2]);
    ck_assert_mem_eq(out[0], out[2], sizeof out[0]);
    ck_assert_mem_ne(out[0], out[1], sizeof out[0]);
    d.plan.seed++;
    (void)sq_candidates_draw(&d.plan, &d.cases, &four, &d.scratch, out[2]);
    ck_assert_mem_ne(out[0], out[2], sizeof out[0]);
}
END_TEST

/* ---- baselines ---- */

static int64_t train_count(const world *w, const sq_division *division, int64_t user)
{
    int64_t train, valid;
    sq_division_user(division, &w->data, user, &train, &valid);
    return train;
}

START_TEST(popularity_orders_items_by_their_training_count)
{
    const sq_division division = division_for("E4");
    sq_popularity popularity;
    int64_t count[MOST_ITEMS] = {0};
    ck_assert_int_eq(sq_popularity_create(&context->memory, &small.data, &division, &popularity, NULL), SEQREC_OK);
    for (int64_t u = 0; u < small.data.users; u++) {
        const int64_t train = train_count(&small, &division, u);
        for (int64_t e = 0; e < train; e++) count[small.sequence[small.offsets[u] + e]]++;
    }
    for (int64_t i = 0; i < small.data.items; i++) {
        for (int64_t j = 0; j < small.data.items; j++) {
            ck_assert_int_eq(popularity.score[i] < popularity.score[j], count[i] < count[j]);
        }
    }
    sq_popularity_free(&popularity, &context->memory);
}
END_TEST

START_TEST(markov_orders_by_transition_count_and_then_popularity_with_real_ties_kept)
{
    const sq_division division = division_for("E4");
    const int64_t items = small.data.items;
    sq_popularity popularity;
    sq_markov markov;
    float row[MOST_ITEMS];
    ck_assert_int_eq(sq_popularity_create(&context->memory, &small.data, &division, &popularity, NULL), SEQREC_OK);
    ck_assert_int_eq(sq_markov_create(&context->memory, &small.data, &division, &popularity, &markov, NULL), SEQREC_OK);
    const sq_scorer scorer = sq_markov_scorer(&markov);
    for (int32_t last = 0; last < items; last++) {
        int64_t count[MOST_ITEMS] = {0};
        const int32_t history[] = {1, last};
        const int64_t user = 0, offsets[] = {0, 2};
        const sq_histories histories = {1, &user, offsets, history, NULL, NULL};
        for (int64_t u = 0; u < small.data.users; u++) {
            const int64_t train = train_count(&small, &division, u);
            const int32_t *at = small.sequence + small.offsets[u];
            for (int64_t e = 0; e + 1 < train; e++) count[at[e + 1]] += at[e] == last;
        }
        ck_assert_int_eq(scorer.score(scorer.context, 0, &histories, row, NULL), SEQREC_OK);
        for (int64_t i = 0; i < items; i++) {
            for (int64_t j = 0; j < items; j++) {
                const int32_t below =
                    count[i] != count[j] ? count[i] < count[j] : popularity.score[i] < popularity.score[j];
                ck_assert_int_eq(row[i] < row[j], below);
            }
        }
    }
    sq_markov_free(&markov, &context->memory);
    sq_popularity_free(&popularity, &context->memory);
}
END_TEST

/* ---- intervals ---- */

START_TEST(intervals_of_a_constant_are_that_constant)
{
    double values[300];
    sq_interval interval;
    for (int64_t i = 0; i < 300; i++) values[i] = 0.25;
    ck_assert_int_eq(sq_bootstrap(context, values, 1, 300, 50, 3, NULL, NULL, &interval, NULL), SEQREC_OK);
    ck_assert_double_eq(interval.low, 0.25);
    ck_assert_double_eq(interval.high, 0.25);
}
END_TEST

/* A resample without the infinite user has the mean of the others. */
START_TEST(intervals_of_infinite_values_are_no_nan)
{
    enum { COLUMNS = 5, N = 300 };
    static double values[COLUMNS][N];
    sq_interval interval[COLUMNS];
    for (int64_t i = 0; i < N; i++) {
        for (int64_t c = 0; c < COLUMNS; c++) values[c][i] = c == 2 ? INFINITY : 0.25;
    }
    values[0][77] = INFINITY;
    values[1][77] = -INFINITY;
    values[3][77] = NAN;
    ck_assert_int_eq(sq_bootstrap(context, values[0], COLUMNS, N, 2000, 3, NULL, NULL, interval, NULL), SEQREC_OK);
    ck_assert_double_eq(interval[0].low, 0.25);
    ck_assert_double_eq(interval[0].high, INFINITY);
    ck_assert_double_eq(interval[1].low, -INFINITY);
    ck_assert_double_eq(interval[1].high, 0.25);
    ck_assert_double_eq(interval[2].low, INFINITY);
    ck_assert_double_eq(interval[2].high, INFINITY);
    ck_assert_double_nan(interval[3].low);
    ck_assert_double_nan(interval[3].high);
    ck_assert(interval[4].low == 0.25 && interval[4].high == 0.25);
}
END_TEST

/* Of 5 means both quantiles lie between two; of 41 they are the second and the last but one. */
START_TEST(quantiles_beside_infinite_means_are_no_nan)
{
    uint64_t few[5], many[41];
    const double between[5] = {-INFINITY, -1, 0.5, 2, INFINITY};
    for (int64_t b = 0; b < 5; b++) few[b] = sq_code_of(between[b]);
    for (int64_t b = 0; b < 41; b++) many[b] = sq_code_of(b == 0 ? -INFINITY : b == 40 ? INFINITY : 0.5);
    const sq_interval outer = sq_interval_of(few, 5), inner = sq_interval_of(many, 41);
    ck_assert(outer.low == -INFINITY && outer.high == INFINITY);
    ck_assert(inner.low == 0.5 && inner.high == 0.5);
}
END_TEST

START_TEST(intervals_of_a_share_are_near_the_normal_approximation)
{
    enum { N = 2500 };
    static double values[2 * N];
    sq_interval interval[2];
    for (int64_t i = 0; i < N; i++) {
        values[i] = i % 10 < 3 ? 1.0 : 0.0;
        values[N + i] = i % 10 < 3 ? 0.0 : 1.0;
    }
    const double half = 1.96 * sqrt(0.3 * 0.7 / N);
    ck_assert_double_eq_tol(sq_mean(values, N), 0.3, 1e-12);
    ck_assert_int_eq(sq_bootstrap(context, values, 2, N, 2000, 3, NULL, NULL, interval, NULL), SEQREC_OK);
    ck_assert_double_eq_tol(interval[0].low, 0.3 - half, 0.1 * half);
    ck_assert_double_eq_tol(interval[0].high, 0.3 + half, 0.1 * half);
    /* One draw serves all columns: the shares add up to 1 in every resample. */
    ck_assert_double_eq_tol(interval[0].low + interval[1].high, 1.0, 1e-12);
}
END_TEST

/* ---- protocols against a plain re-computation ---- */

typedef struct expectation {
    double users, hit, gain, reciprocal, coverage, gini;
} expectation;

static int32_t beats(float a, float b)
{
    return !isnan(a) && (isnan(b) || a > b);
}

static int32_t occurs(const int32_t *items, int64_t n, int64_t item)
{
    for (int64_t e = 0; e < n; e++) {
        if (items[e] == item) return 1;
    }
    return 0;
}

static void add_user(expectation *sum, const float *others, int64_t n, float target, int64_t k)
{
    int64_t better = 0, tied = 1;
    double hit = 0.0, gain = 0.0, reciprocal = 0.0;
    for (int64_t j = 0; j < n; j++) {
        better += beats(others[j], target);
        tied += !beats(others[j], target) && !beats(target, others[j]);
    }
    for (int64_t r = better; r < better + tied; r++) {
        hit += r < k;
        gain += r < k ? 1.0 / log2((double)r + 2.0) : 0.0;
        reciprocal += 1.0 / ((double)r + 1.0);
    }
    sum->users += 1.0;
    sum->hit += hit / (double)tied;
    sum->gain += gain / (double)tied;
    sum->reciprocal += reciprocal / (double)tied;
}

/* One pass in the plainest way. lists[i] counts the top-k lists that show item i. */
static expectation recompute(const world *w, const char *protocol, int32_t valid, uint64_t seed, int64_t k)
{
    const sq_division division = division_for(protocol);
    const int32_t kind = protocol[1] - '0', filtered = kind == 4 || kind == 9, items = (int32_t)w->data.items;
    expectation sum = {0};
    int64_t lists[MOST_ITEMS] = {0}, shown = 0;
    drawing d;
    sq_candidates popular = {0};
    ck_assert_int_eq(sq_candidates_create(&context->memory, &w->data, SQ_AGAINST_POPULAR, seed, &popular, NULL), 0);
    static const int32_t rules[] = {0, SQ_AGAINST_TRAIN, SQ_AGAINST_POPULAR, SQ_AGAINST_UNIFORM};
    if (kind <= 3) start_drawing(&d, rules[kind], items, kind == 2 ? popular.running : NULL, w->sequence, w->offsets);
    d.plan.seed = seed;
    for (int64_t u = 0; u < w->data.users; u++) {
        const int32_t *at = w->sequence + w->offsets[u];
        const int64_t n = w->offsets[u + 1] - w->offsets[u];
        int64_t history = n >= 3 ? n - 1 - valid : n, train = n - 2, end = n >= 3 ? n - valid : n;
        if (kind == 9) {
            const int64_t *times = w->times + w->offsets[u];
            const int64_t from = valid ? division.valid_from : division.test_from;
            for (history = 0; history < n && times[history] < from;) history++;
            for (end = history; end < n && (!valid || times[end] < division.test_from);) end++;
        }
        if (history == 0 || history >= end) continue;
        float scores[MOST_ITEMS], others[MOST_ITEMS + SQ_CANDIDATES];
        int64_t others_count = 0;
        for (int64_t i = 0; i < items; i++) scores[i] = strange_score(u, history, at[history - 1], i);
        const int32_t target = at[history];
        if (kind <= 3) {
            const sq_case one = {u, train, history, 1};
            int32_t out[SQ_CANDIDATES];
            const int32_t count = sq_candidates_draw(&d.plan, &d.cases, &one, &d.scratch, out);
            for (int32_t j = 0; j < count; j++) others[others_count++] = scores[out[j]];
        } else {
            for (int64_t i = 0; i < items; i++) {
                const int32_t out = filtered && i != target && occurs(at, history, i);
                if (i != target && !out) others[others_count++] = scores[i];
                int64_t rank = 0;
                for (int64_t j = 0; j < items && !out; j++) {
                    if (filtered && j != target && occurs(at, history, j)) continue;
                    rank += beats(scores[j], scores[i]) || (!beats(scores[i], scores[j]) && j < i);
                }
                if (!out && rank < k) lists[i]++;
            }
        }
        add_user(&sum, others, others_count, scores[target], k);
    }
    double differences = 0.0, total = 0.0;
    for (int32_t i = 0; i < items; i++) {
        shown += lists[i] > 0;
        total += (double)lists[i];
        for (int32_t j = 0; j < items; j++) differences += fabs((double)(lists[i] - lists[j]));
    }
    sum.hit /= sum.users;
    sum.gain /= sum.users;
    sum.reciprocal /= sum.users;
    sum.coverage = (double)shown / items;
    sum.gini = differences / (2.0 * items * total);
    sq_candidates_free(&popular, &context->memory);
    return sum;
}

static void check_protocol(world *w, const char *protocol, int32_t valid)
{
    static const int64_t cutoffs[] = {10, 3, 1, 10, 1000};
    const sq_division division = division_for(protocol);
    const sq_scorer scorer = strange(w);
    seqrec_evaluation options = options_for(protocol);
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    options.split = valid ? "valid" : NULL;
    options.cutoffs = cutoffs;
    options.cutoff_count = 5;
    options.seed = 5;
    ck_assert_msg(sq_evaluate(context, &w->data, &division, &options, &scorer, &report, &error) == SEQREC_OK, "%s",
                  error.message);
    for (size_t c = 0; c < 5; c++) {
        const expectation expected = recompute(w, protocol, valid, 5, cutoffs[c]);
        const struct {
            const char *metric;
            double value;
        } rows[] = {
            {"hr", expected.hit}, {"ndcg", expected.gain}, {"coverage", expected.coverage}, {"gini", expected.gini}};
        const size_t known = protocol[1] <= '3' ? 2 : 4;
        ck_assert_double_eq(figure_of(report, "model", "users"), expected.users);
        ck_assert_double_eq_tol(figure_of(report, "model", "mrr"), expected.reciprocal, 1e-12);
        for (size_t r = 0; r < known; r++) {
            char metric[32];
            (void)snprintf(metric, sizeof metric, "%s@%d", rows[r].metric, (int)cutoffs[c]);
            const double got = figure_of(report, "model", metric);
            ck_assert_msg(fabs(got - rows[r].value) < 1e-12, "%s %s: %.15g, not %.15g", protocol, metric, got,
                          rows[r].value);
        }
    }
    ck_assert_int_eq(strncmp(seqrec_report_protocol(report), protocol, 2), 0);
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), valid ? "validation split" : "test split"));
    seqrec_report_release(report);
}

static const char *const protocols[] = {"E1", "E2", "E3", "E4", "E5", "E9"};

START_TEST(every_protocol_on_test_gives_what_a_plain_recomputation_gives)
{
    check_protocol(&small, protocols[_i], 0);
}
END_TEST

START_TEST(every_protocol_on_validation_gives_what_a_plain_recomputation_gives)
{
    check_protocol(&small, protocols[_i], 1);
}
END_TEST

START_TEST(sampled_protocols_on_a_larger_catalogue_give_what_a_plain_recomputation_gives)
{
    world large;
    make_world(&large, 60, MOST_ITEMS, 30, 2);
    check_protocol(&large, protocols[_i], 0);
    free_world(&large);
}
END_TEST

START_TEST(each_user_with_three_events_is_a_case_whose_target_is_the_last_event)
{
    /* E4 on test: everything but the last event, also the validation event. */
    const sq_division division = division_for("E4");
    const sq_protocol *protocol = NULL;
    sq_cases cases;
    int64_t expected = 0;
    ck_assert_int_eq(sq_protocol_find("E4", &protocol, NULL), SEQREC_OK);
    ck_assert_int_eq(sq_cases_collect(&context->memory, &small.data, &division, protocol, NULL, 0, 0, &cases, NULL),
                     SEQREC_OK);
    for (int64_t u = 0; u < small.data.users; u++) {
        const int64_t n = small.offsets[u + 1] - small.offsets[u];
        if (n < 3) continue;
        ck_assert_int_eq(cases.at[expected].user, u);
        ck_assert_int_eq(cases.at[expected].history, n - 1);
        ck_assert_int_eq(cases.at[expected].train, n - 2);
        ck_assert_int_eq(sq_case_target(&cases, &cases.at[expected]), small.sequence[small.offsets[u] + n - 1]);
        expected++;
    }
    ck_assert_int_eq(cases.count, expected);
    sq_cases_free(&cases, &context->memory);
}
END_TEST

static int32_t check_history(void *arg, int32_t worker, const sq_histories *histories, float *scores,
                             seqrec_error *error)
{
    const world *w = arg;
    (void)worker;
    for (int64_t b = 0; b < histories->count; b++) {
        const int64_t from = histories->offsets[b], n = histories->offsets[b + 1] - from;
        const int64_t at = w->offsets[histories->users[b]];
        const int32_t same = memcmp(histories->items + from, w->sequence + at, (size_t)n * sizeof(int32_t)) == 0 &&
                             memcmp(histories->times + from, w->times + at, (size_t)n * sizeof(int64_t)) == 0;
        if (!same) return sq_fail(error, SEQREC_E_STATE, "user %d has another history", (int)histories->users[b]);
        for (int64_t i = 0; i < w->data.items; i++) scores[b * w->data.items + i] = 0.0f;
    }
    return SEQREC_OK;
}

START_TEST(histories_of_a_block_hold_the_users_own_items_and_times)
{
    const sq_scorer scorer = {&small, check_history, 16, NULL};
    const seqrec_evaluation options = options_for("E4");
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    ck_assert_msg(sq_evaluate(context, &small.data, NULL, &options, &scorer, &report, &error) == SEQREC_OK, "%s",
                  error.message);
    seqrec_report_release(report);
}
END_TEST

START_TEST(e1_draws_ten_thousand_users_when_there_are_more)
{
    enum { USERS = 10400 };
    const sq_division division = division_for("E1");
    const sq_protocol *protocol = NULL;
    sq_cases cases[2];
    world w = {.offsets = calloc(USERS + 1, sizeof(int64_t)), .sequence = calloc(3 * USERS, sizeof(int32_t))};
    for (int64_t u = 0; u < USERS; u++) w.offsets[u + 1] = 3 * (u + 1);
    w.data = (seqrec_dataset){.users = USERS, .items = 5, .events = 3 * USERS};
    w.data.offsets = w.offsets;
    w.data.sequence = w.sequence;
    ck_assert_int_eq(sq_protocol_find("E1", &protocol, NULL), SEQREC_OK);
    for (size_t s = 0; s < 2; s++) {
        ck_assert_int_eq(sq_cases_collect(&context->memory, &w.data, &division, protocol, NULL, 0, s, &cases[s], NULL),
                         SEQREC_OK);
        ck_assert_int_eq(cases[s].count, 10000);
        for (int64_t i = 1; i < 10000; i++) ck_assert_int_lt(cases[s].at[i - 1].user, cases[s].at[i].user);
        /* The 400 left out are spread evenly: about half of them in the lower half. */
        ck_assert_int_lt(cases[s].at[5000].user, USERS / 2 + 60);
        ck_assert_int_gt(cases[s].at[5000].user, USERS / 2 - 60);
    }
    ck_assert_mem_ne(cases[0].at, cases[1].at, 10000 * sizeof(sq_case));
    const seqrec_evaluation options = options_for("E1");
    seqrec_report *report = NULL;
    ck_assert_int_eq(sq_evaluate(context, &w.data, NULL, &options, NULL, &report, NULL), SEQREC_OK);
    ck_assert_double_eq(figure_of(report, "popularity", "users"), 10000.0);
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), "10000 of 10400 users drawn"));
    seqrec_report_release(report);
    for (size_t s = 0; s < 2; s++) sq_cases_free(&cases[s], &context->memory);
    free_world(&w);
}
END_TEST

START_TEST(users_with_too_few_negatives_are_counted_in_the_report)
{
    const seqrec_evaluation options = options_for("E3");
    seqrec_report *report = NULL;
    ck_assert_int_eq(sq_evaluate(context, &small.data, NULL, &options, NULL, &report, NULL), SEQREC_OK);
    ck_assert_double_eq(figure_of(report, "markov", "users_short"), figure_of(report, "markov", "users"));
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), "fewer than 100 eligible"));
    seqrec_report_release(report);
}
END_TEST

START_TEST(e9_leaves_out_users_without_an_event_before_the_cut_and_says_so)
{
    const sq_division division = {.kind = SQ_DIVISION_TIME, .valid_from = 5, .test_from = 10};
    const seqrec_evaluation options = options_for("E9");
    seqrec_report *report = NULL;
    int64_t active = 0, known = 0;
    for (int64_t u = 0; u < small.data.users; u++) {
        active += small.times[small.offsets[u + 1] - 1] >= 10;
        known += small.times[small.offsets[u + 1] - 1] >= 10 && small.times[small.offsets[u]] < 10;
    }
    ck_assert_int_gt(known, 0);
    ck_assert_int_gt(active, known);
    ck_assert_int_eq(sq_evaluate(context, &small.data, &division, &options, NULL, &report, NULL), SEQREC_OK);
    ck_assert_double_eq(figure_of(report, "markov", "users"), (double)known);
    char said[80];
    (void)snprintf(said, sizeof said, "%d users with nothing to rank from left out", (int)(active - known));
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), said));
    seqrec_report_release(report);
}
END_TEST

/* ---- the report and its intervals ---- */

/* One user with `events` events: a training event, then the others at one instant. Two more have trained on item 4. */
static void make_instant(world *w, const int32_t *sequence, int64_t events, int64_t items)
{
    w->offsets = calloc(4, sizeof(int64_t));
    w->sequence = calloc((size_t)events + 2, sizeof(int32_t));
    w->times = calloc((size_t)events + 2, sizeof(int64_t));
    w->user_ids = calloc(3, sizeof(int64_t));
    for (int64_t e = 0; e < events; e++) {
        w->sequence[e] = sequence[e];
        w->times[e] = e > 0 ? 66 : 0;
    }
    w->sequence[events] = w->sequence[events + 1] = 4;
    for (int64_t u = 0; u < 3; u++) {
        w->user_ids[u] = u;
        w->offsets[u + 1] = events + u;
    }
    w->data = (seqrec_dataset){.users = 3, .items = items, .events = events + 2};
    w->data.offsets = w->offsets;
    w->data.sequence = w->sequence;
    w->data.timestamps = w->times;
    w->data.user_ids = w->user_ids;
}

START_TEST(the_best_of_a_set_of_targets_that_tie_counts_by_its_expectation)
{
    static const int32_t sequence[] = {0, 1, 2, 3, 2, 1}; /* targets 1, 2 and 3 tie with 5, 6 and 7 behind 4 */
    static const int64_t cutoffs[] = {1, 2, 3, 4, 5};
    const sq_division division = division_for("E9");
    seqrec_evaluation options = options_for("E4");
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    world w;
    make_instant(&w, sequence, 6, 8);
    options.instant_sets = 1;
    options.cutoffs = cutoffs;
    options.cutoff_count = 5;
    ck_assert_msg(sq_evaluate(context, &w.data, &division, &options, NULL, &report, &error) == SEQREC_OK, "%s", error.message);
    ck_assert_double_eq(figure_of(report, "popularity", "users"), 1.0);
    for (size_t c = 0; c < 5; c++) {
        double means[3];
        char metric[32];
        mean_of_orders(1, 3, 3, cutoffs[c], means);
        (void)snprintf(metric, sizeof metric, "hr@%d", (int)cutoffs[c]);
        ck_assert_double_eq_tol(figure_of(report, "popularity", metric), means[0], 1e-14);
        (void)snprintf(metric, sizeof metric, "ndcg@%d", (int)cutoffs[c]);
        ck_assert_double_eq_tol(figure_of(report, "popularity", metric), means[1], 1e-14);
        ck_assert_double_eq_tol(figure_of(report, "popularity", "mrr"), means[2], 1e-14);
    }
    seqrec_report_release(report);
    free_world(&w);
}
END_TEST

static int32_t score_equally(void *arg, int32_t worker, const sq_histories *histories, float *scores, seqrec_error *error)
{
    const seqrec_dataset *data = arg;
    (void)worker;
    (void)error;
    for (int64_t i = 0; i < histories->count * data->items; i++) scores[i] = 0.0f;
    return SEQREC_OK;
}

START_TEST(a_large_set_of_targets_that_tie_takes_no_square_of_its_time)
{
    enum { EVENTS = 600001, ITEMS = 800000 }; /* their square: minutes, which no test has */
    const sq_division division = division_for("E9");
    seqrec_evaluation options = options_for("E4");
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    world w;
    int32_t *sequence = calloc(EVENTS, sizeof(int32_t));
    for (int32_t e = 0; e < EVENTS; e++) sequence[e] = e < 400001 ? e : e - 100000; /* items 300001 .. 400000 twice */
    make_instant(&w, sequence, EVENTS, ITEMS);
    const sq_scorer scorer = {&w.data, score_equally, 1, NULL};
    options.instant_sets = 1;
    ck_assert_msg(sq_evaluate(context, &w.data, &division, &options, &scorer, &report, &error) == SEQREC_OK, "%s", error.message);
    ck_assert_double_eq_tol(figure_of(report, "model", "hr@1"), 500000.0 / (ITEMS - 1), 1e-12); /* item 0 is history */
    seqrec_report_release(report);
    free(sequence);
    free_world(&w);
}
END_TEST

START_TEST(a_report_lists_its_figures_and_names_them_when_asked_for_another)
{
    const seqrec_evaluation options = {.struct_size = sizeof options};
    static const char *const names[] = {"users",       "hr@1",        "hr@5",    "hr@10",  "hr@20",      "ndcg@1",
                                        "ndcg@5",      "ndcg@10",     "ndcg@20", "mrr",    "coverage@1", "coverage@5",
                                        "coverage@10", "coverage@20", "gini@1",  "gini@5", "gini@10",    "gini@20"};
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    double value = 0.0, low = 0.0, high = 0.0;
    ck_assert_int_eq(sq_evaluate(context, &small.data, NULL, &options, NULL, &report, NULL), SEQREC_OK);
    for (int32_t i = 0; i < 18; i++) ck_assert_str_eq(seqrec_report_metric(report, "markov", i), names[i]);
    ck_assert_ptr_null(seqrec_report_metric(report, "markov", 18));
    ck_assert_ptr_null(seqrec_report_metric(report, "markov", -1));
    ck_assert_ptr_null(seqrec_report_metric(report, "model", 0));
    ck_assert_int_eq(seqrec_report_get(report, "model", "mrr", &value, NULL, NULL, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "popularity, markov"));
    ck_assert_int_eq(seqrec_report_get(report, "markov", "hr@7", &value, NULL, NULL, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "hr@1, hr@5"));
    ck_assert_int_eq(seqrec_report_get(NULL, "markov", "mrr", &value, NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_report_get(report, "markov", NULL, &value, NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_report_get(report, "markov", "mrr", NULL, NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_str_eq(seqrec_report_protocol(NULL), "");
    ck_assert_int_eq(seqrec_report_get(report, "markov", "ndcg@10", &value, &low, &high, NULL), SEQREC_OK);
    ck_assert_double_lt(low, value);
    ck_assert_double_lt(value, high);
    ck_assert_int_eq(seqrec_report_get(report, "markov", "gini@10", &value, &low, &high, NULL), SEQREC_OK);
    ck_assert_double_lt(low, value);
    ck_assert_double_lt(value, high);
    ck_assert_int_eq(seqrec_report_get(report, "markov", "users", &value, &low, &high, NULL), SEQREC_OK);
    ck_assert_double_nan(low);
    ck_assert_double_nan(high);
    seqrec_report_release(report);
    seqrec_report_release(NULL);
}
END_TEST

/* ---- beyond ranking, against a plain re-computation ---- */

enum { WIDTH = 16, MOST_CASES = 400, LONGEST = 20 };

/* Scores without infinities, so that probabilities are of many sizes; now and then none, and many ties. */
static float gentle_score(int64_t user, int64_t history, int32_t last, int64_t item, int64_t turn)
{
    const uint64_t h =
        sq_random64(sq_random_key((uint64_t)(last + turn), 78, (uint64_t)(user % 3 + history % 2)), (uint64_t)item);
    return h % 37 == 0 ? NAN : (float)(h % 29) / 2.0f - 7.0f;
}

typedef struct gentle {
    world *w;
    int64_t turn;
    float rows[MOST_ITEMS][WIDTH];
    const float *row_of[MOST_ITEMS];
    sq_item_vectors vectors;
} gentle;

static int32_t score_gently(void *arg, int32_t worker, const sq_histories *histories, float *scores,
                            seqrec_error *error)
{
    const gentle *g = arg;
    const int64_t items = g->w->data.items;
    (void)worker;
    (void)error;
    for (int64_t b = 0; b < histories->count; b++) {
        const int64_t from = histories->offsets[b], n = histories->offsets[b + 1] - from;
        for (int64_t i = 0; i < items; i++) {
            scores[b * items + i] = gentle_score(histories->users[b], n, histories->items[from + n - 1], i, g->turn);
        }
    }
    return SEQREC_OK;
}

/* Item vectors at random; that of item 3 is zero. */
static sq_scorer make_gentle(gentle *g, world *w, int64_t turn)
{
    memset(g, 0, sizeof *g);
    g->w = w;
    g->turn = turn;
    for (int64_t i = 0; i < w->data.items; i++) {
        for (int64_t j = 0; j < WIDTH && i != 3; j++) {
            g->rows[i][j] = (float)sq_random_unit(sq_random_key((uint64_t)i, 79, (uint64_t)turn), (uint64_t)j) - 0.3f;
        }
        g->row_of[i] = g->rows[i];
    }
    g->vectors = (sq_item_vectors){sq_kernels_best(), WIDTH, g->row_of};
    return (sq_scorer){g, score_gently, 7, &g->vectors};
}

/* What a plain pass knows of every user. */
typedef struct plain {
    int64_t n;
    int64_t user[MOST_CASES], history[MOST_CASES], popular_first[MOST_CASES][10], length[MOST_CASES];
    int64_t list[MOST_CASES][LONGEST];
    int64_t trained[MOST_ITEMS], events;
    double nll[MOST_CASES], confidence[MOST_CASES], hit1[MOST_CASES], hit10[MOST_CASES];
} plain;

static int32_t is_candidate(const world *w, int32_t filtered, const int32_t *at, int64_t history, int64_t item)
{
    (void)w;
    return !filtered || item == at[history] || !occurs(at, history, item);
}

static void plain_user(plain *p, const world *w, int32_t filtered, const gentle *g, int64_t u, int64_t history)
{
    const int32_t *at = w->sequence + w->offsets[u];
    const int64_t items = w->data.items, c = p->n++;
    float scores[MOST_ITEMS] = {0};
    double sum = 0.0, most = -INFINITY;
    int64_t better = 0, tied = 0;
    p->user[c] = u;
    p->history[c] = history;
    for (int64_t i = 0; i < items; i++) scores[i] = gentle_score(u, history, at[history - 1], i, g->turn);
    for (int64_t i = 0; i < items; i++) {
        if (is_candidate(w, filtered, at, history, i) && scores[i] > most) most = (double)scores[i];
    }
    for (int64_t i = 0; i < items; i++) {
        int64_t rank = 0, popular_rank = 0;
        if (!is_candidate(w, filtered, at, history, i)) continue;
        if (!isnan(scores[i])) sum += exp((double)scores[i] - most);
        better += beats(scores[i], scores[at[history]]);
        tied += !beats(scores[i], scores[at[history]]) && !beats(scores[at[history]], scores[i]);
        for (int64_t j = 0; j < items; j++) {
            if (!is_candidate(w, filtered, at, history, j)) continue;
            rank += beats(scores[j], scores[i]) || (!beats(scores[i], scores[j]) && j < i);
            popular_rank += p->trained[j] > p->trained[i] || (p->trained[j] == p->trained[i] && j < i);
        }
        if (rank < LONGEST) p->list[c][rank] = i;
        if (popular_rank < 10) p->popular_first[c][popular_rank] = i;
        p->length[c]++;
    }
    if (p->length[c] > LONGEST) p->length[c] = LONGEST;
    const float target = scores[at[history]];
    p->nll[c] = isnan(target) ? INFINITY : log(sum) + most - (double)target;
    p->confidence[c] = 1.0 / sum;
    for (int64_t r = better; r < better + tied; r++) {
        p->hit1[c] += (r < 1) / (double)tied;
        p->hit10[c] += (r < 10) / (double)tied;
    }
}

static void plain_pass(plain *p, const world *w, const char *protocol, const gentle *g)
{
    const sq_division division = division_for(protocol);
    memset(p, 0, sizeof *p);
    for (int64_t u = 0; u < w->data.users; u++) {
        int64_t train, valid;
        sq_division_user(&division, &w->data, u, &train, &valid);
        for (int64_t e = 0; e < train; e++) p->trained[w->sequence[w->offsets[u] + e]]++;
        p->events += train;
    }
    for (int64_t u = 0; u < w->data.users; u++) {
        int64_t train, valid;
        sq_division_user(&division, &w->data, u, &train, &valid);
        const int64_t n = w->offsets[u + 1] - w->offsets[u];
        if (valid < n && valid > 0) plain_user(p, w, strcmp(protocol, "E5") != 0, g, u, valid);
    }
}

static int64_t common_items(const int64_t *a, int64_t n, const int64_t *b, int64_t m)
{
    int64_t common = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < m; j++) common += a[i] == b[j];
    }
    return common;
}

static int64_t up_to(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Over all pairs of users, one by one. */
static void plain_pairs(const plain *p, const world *w, int64_t last, double figures[3])
{
    double pairs = 0.0, differ = 0.0, apart = 0.0;
    for (int64_t a = 0; a < p->n; a++) {
        for (int64_t b = 0; b < a; b++) {
            const int32_t *ends[2] = {w->sequence + w->offsets[p->user[a]] + p->history[a],
                                      w->sequence + w->offsets[p->user[b]] + p->history[b]};
            int32_t same = p->history[a] >= last && p->history[b] >= last, equal = p->length[a] == p->length[b];
            for (int64_t k = 1; k <= last && same; k++) same = ends[0][-k] == ends[1][-k];
            if (!same) continue;
            const int64_t n = up_to(p->length[a], 10), m = up_to(p->length[b], 10);
            for (int64_t r = 0; r < n && equal; r++) equal = p->list[a][r] == p->list[b][r];
            pairs += 1.0;
            differ += !equal;
            apart += 1.0 - (double)common_items(p->list[a], n, p->list[b], m) / 10.0;
        }
    }
    figures[0] = pairs;
    figures[1] = differ / pairs;
    figures[2] = apart / pairs;
}

static double plain_ece(const plain *p, int32_t by_mass)
{
    double sum = 0.0;
    for (int64_t bin = 0; bin < 15; bin++) {
        double gap = 0.0;
        for (int64_t u = 0; u < p->n; u++) {
            int64_t rank = 0;
            for (int64_t v = 0; v < p->n; v++) {
                rank += p->confidence[v] < p->confidence[u] || (p->confidence[v] == p->confidence[u] && v < u);
            }
            const int32_t by_width = p->confidence[u] > (double)bin / 15.0 && p->confidence[u] <= (bin + 1.0) / 15.0;
            if (by_mass ? rank * 15 / p->n == bin : by_width) gap += p->hit1[u] - p->confidence[u];
        }
        sum += fabs(gap);
    }
    return sum / (double)p->n;
}

static double plain_cosine(const gentle *g, int64_t a, int64_t b)
{
    double dot = 0.0, x = 0.0, y = 0.0;
    for (int64_t j = 0; j < WIDTH; j++) {
        dot += (double)g->rows[a][j] * (double)g->rows[b][j];
        x += (double)g->rows[a][j] * (double)g->rows[a][j];
        y += (double)g->rows[b][j] * (double)g->rows[b][j];
    }
    return x > 0.0 && y > 0.0 ? dot / sqrt(x * y) : 0.0;
}

static double plain_diversity(const plain *p, const gentle *g, int64_t k)
{
    double sum = 0.0;
    for (int64_t u = 0; u < p->n; u++) {
        const int64_t n = up_to(p->length[u], k);
        double apart = 0.0;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < i; j++) apart += 1.0 - plain_cosine(g, p->list[u][i], p->list[u][j]);
        }
        if (n > 1) sum += apart / (double)(n * (n - 1) / 2);
    }
    return sum / (double)p->n;
}

static double plain_novelty(const plain *p, int64_t k)
{
    double sum = 0.0;
    for (int64_t u = 0; u < p->n; u++) {
        const int64_t n = up_to(p->length[u], k);
        double bits = 0.0;
        for (int64_t r = 0; r < n; r++) {
            const double count = (double)p->trained[p->list[u][r]];
            bits -= log2((count > 0.0 ? count : 1.0) / (double)p->events);
        }
        sum += bits / (double)n;
    }
    return sum / (double)p->n;
}

static double mean_of(const double *values, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += values[i];
    return sum / (double)n;
}

static void expect_figure(const seqrec_report *report, const char *row, const char *metric, double expected,
                          double tolerance)
{
    const double got = figure_of(report, row, metric);
    const int32_t same = got == expected || (isnan(got) && isnan(expected)) || fabs(got - expected) <= tolerance;
    ck_assert_msg(same, "%s %s: %.15g, not %.15g", row, metric, got, expected);
}

static const char *const full[] = {"E4", "E5", "E9"};

static seqrec_report *evaluate_gently(world *w, const char *protocol, const sq_scorer *scorer,
                                      const seqrec_evaluation *options)
{
    const sq_division division = division_for(protocol);
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    ck_assert_msg(sq_evaluate(context, &w->data, &division, options, scorer, &report, &error) == SEQREC_OK, "%s",
                  error.message);
    return report;
}

START_TEST(metrics_beyond_ranking_are_what_a_plain_recomputation_gives)
{
    static gentle g;
    static plain p;
    static const int64_t cutoffs[] = {1, 2, 7, 20};
    const sq_scorer scorer = make_gentle(&g, &small, 0);
    seqrec_evaluation options = options_for(full[_i]);
    options.cutoffs = cutoffs;
    options.cutoff_count = 4;
    options.beyond = options.baselines = 1;
    options.last_items = 2;
    seqrec_report *report = evaluate_gently(&small, full[_i], &scorer, &options);
    plain_pass(&p, &small, full[_i], &g);
    expect_figure(report, "model", "users", (double)p.n, 0.0);
    expect_figure(report, "model", "nll", mean_of(p.nll, p.n), 1e-5);
    expect_figure(report, "model", "confidence", mean_of(p.confidence, p.n), 1e-6);
    expect_figure(report, "model", "ece", plain_ece(&p, 0), 1e-6);
    expect_figure(report, "model", "ece_mass", plain_ece(&p, 1), 1e-6);
    for (int64_t c = 0; c < 4; c++) {
        char metric[32];
        (void)snprintf(metric, sizeof metric, "novelty@%d", (int)cutoffs[c]);
        expect_figure(report, "model", metric, plain_novelty(&p, cutoffs[c]), 1e-12);
        (void)snprintf(metric, sizeof metric, "diversity@%d", (int)cutoffs[c]);
        if (cutoffs[c] > 1) expect_figure(report, "model", metric, plain_diversity(&p, &g, cutoffs[c]), 1e-6);
    }
    for (int64_t k = 1; k <= 2; k++) {
        static const char *const names[] = {"pairs", "differ", "apart"};
        double figures[3];
        plain_pairs(&p, &small, k, figures);
        ck_assert_double_gt(figures[0], 0.0);
        for (int32_t i = 0; i < 3; i++) {
            char metric[32];
            (void)snprintf(metric, sizeof metric, "%s_last%d", names[i], (int)k);
            expect_figure(report, "model", metric, figures[i], 1e-12);
        }
    }
    double apart = 0.0;
    for (int64_t u = 0; u < p.n; u++)
        apart += 1.0 - (double)common_items(p.list[u], up_to(p.length[u], 10), p.popular_first[u], 10) / 10.0;
    expect_figure(report, "model", "apart_popular", apart / (double)p.n, 1e-12);
    expect_figure(report, "popularity", "apart_popular", 0.0, 0.0);
    expect_figure(report, "markov", "nll", NAN, 0.0);
    if (_i == 1) expect_figure(report, "markov", "differ_last1", 0.0, 0.0); /* E5: nothing but the last item counts */
    if (_i == 1) expect_figure(report, "markov", "apart_last1", 0.0, 0.0);
    expect_figure(report, "markov", "ece", NAN, 0.0);
    ck_assert_double_gt(figure_of(report, "markov", "diversity@7"), 0.0);
    seqrec_report_release(report);
}
END_TEST

START_TEST(targets_unknown_to_the_model_make_the_likelihood_infinite_and_nothing_else)
{
    const float scores[] = {1.0f, NAN, 1.0f, -1.0f, 5.0f};
    const int32_t barred[] = {0, 0, 0, 0, 1};
    int32_t keys[5];
    float weights[16];
    sq_ranking_keys(scores, 5, keys);
    for (int32_t i = 0; i < 5; i++) keys[i] = barred[i] ? SQ_KEY_EXCLUDED : keys[i];
    const double sum = 2.0 + exp(-2.0);
    sq_outlook outlook = sq_outlook_of(sq_kernels_best(), scores, keys, 5, 3, weights);
    ck_assert_double_eq_tol(outlook.nll, log(sum) + 2.0, 1e-6);
    ck_assert_double_eq_tol(outlook.confidence, 1.0 / sum, 1e-6);
    outlook = sq_outlook_of(sq_kernels_best(), scores, keys, 5, 1, weights);
    ck_assert_double_infinite(outlook.nll);
    ck_assert_double_eq_tol(outlook.confidence, 1.0 / sum, 1e-6);
    const float infinite[] = {INFINITY, 2.0f, INFINITY, -INFINITY};
    sq_ranking_keys(infinite, 4, keys);
    outlook = sq_outlook_of(sq_kernels_best(), infinite, keys, 4, 2, weights);
    ck_assert_double_eq_tol(outlook.nll, log(2.0), 1e-12);
    ck_assert_double_eq(outlook.confidence, 0.5);
    ck_assert_double_infinite(sq_outlook_of(sq_kernels_best(), infinite, keys, 4, 1, weights).nll);
    const float none[] = {NAN, NAN};
    sq_ranking_keys(none, 2, keys);
    outlook = sq_outlook_of(sq_kernels_best(), none, keys, 2, 0, weights);
    ck_assert_double_infinite(outlook.nll);
    ck_assert_double_eq(outlook.confidence, 0.0);
}
END_TEST

START_TEST(a_perfectly_calibrated_ranker_has_no_error_and_a_boastful_one_its_boast)
{
    enum { N = 300 };
    static double confidence[N];
    static sq_place places[N];
    sq_calibration out = {0};
    for (int64_t u = 0; u < N; u++) {
        confidence[u] = u % 3 == 0 ? 0.25 : 0.5;
        places[u].better = u % 3 == 0 ? u / 3 % 4 != 0 : u / 3 % 2 != 0;
    }
    ck_assert_int_eq(sq_calibrate(&context->memory, confidence, places, N, &out, NULL), SEQREC_OK);
    ck_assert_double_eq_tol(out.width, 0.0, 1e-15);
    for (int64_t u = 0; u < N; u++) confidence[u] = 0.9;
    ck_assert_int_eq(sq_calibrate(&context->memory, confidence, places, N, &out, NULL), SEQREC_OK);
    ck_assert_double_eq_tol(out.width, 0.9 - (25.0 + 100.0) / 300.0, 1e-12);
    ck_assert_double_eq_tol(out.mass, out.width, 0.1);
}
END_TEST

/* ---- values whose spread is that of leaving a user out ---- */

/* column[u] = value + (n - 1) (mean of without - without[u]) */
static void expect_spread(const double *column, const double *without, int64_t n, double value)
{
    const double mean = mean_of(without, n);
    for (int64_t u = 0; u < n; u++)
        ck_assert_double_eq_tol(column[u], value + (double)(n - 1) * (mean - without[u]), 1e-9);
}

enum { FEW = 40 };

/* Lists of FEW users, some short; those of user `out` are left out (-1: of nobody). */
static sq_lists some_lists(int32_t *items, int64_t catalogue, int64_t length, int64_t out)
{
    sq_lists lists = {0, length, items};
    for (int64_t u = 0; u < FEW; u++) {
        int64_t n = 0;
        int32_t *list = items + lists.count * length;
        if (u == out) continue;
        for (uint64_t at = 0; n < length - u % 3; at++) {
            const int32_t a =
                (int32_t)sq_random_below(sq_random_key((uint64_t)(u % 17), 80, 0), at, (uint64_t)catalogue);
            const int32_t item = a * a / (int32_t)catalogue;
            if (!occurs(list, n, item)) list[n++] = item;
        }
        while (n < length) list[n++] = -1;
        lists.count++;
    }
    return lists;
}

START_TEST(coverage_and_gini_spread_as_the_lists_without_each_user_say)
{
    enum { CATALOGUE = 60, LENGTH = 8 };
    static const int64_t cutoffs[] = {1, 3, 8};
    static double spread[2][3][FEW], without[2][3][FEW];
    int32_t items[FEW * LENGTH];
    double figures[2][3], left[2][3];
    sq_lists lists = some_lists(items, CATALOGUE, LENGTH, -1);
    sq_exposure out = {figures[0], figures[1], spread[0][0], spread[1][0]};
    ck_assert_int_eq(sq_exposure_measure(&context->memory, &lists, CATALOGUE, cutoffs, 3, &out, NULL), SEQREC_OK);
    for (int64_t u = 0; u < FEW; u++) {
        lists = some_lists(items, CATALOGUE, LENGTH, u);
        out = (sq_exposure){left[0], left[1], NULL, NULL};
        ck_assert_int_eq(sq_exposure_measure(&context->memory, &lists, CATALOGUE, cutoffs, 3, &out, NULL), SEQREC_OK);
        for (int32_t c = 0; c < 3; c++) {
            without[0][c][u] = left[0][c];
            without[1][c][u] = left[1][c];
        }
    }
    for (int32_t c = 0; c < 3; c++) {
        expect_spread(spread[0][c], without[0][c], FEW, figures[0][c]);
        expect_spread(spread[1][c], without[1][c], FEW, figures[1][c]);
        ck_assert_double_eq_tol(mean_of(spread[0][c], FEW), figures[0][c], 1e-12);
    }
}
END_TEST

START_TEST(lists_in_common_spread_as_the_pairs_without_each_user_say)
{
    enum { CATALOGUE = 60, LENGTH = 8 };
    static const int32_t sequence[] = {1, 2, 3, 1, 2, 9, 3, 2, 1, 2, 7, 2, 2, 2, 2};
    static int64_t offsets[FEW];
    static double spread[2][2][FEW], without[2][2][FEW];
    int32_t items[FEW * LENGTH];
    double figures[3][2], left[3][2];
    for (int64_t u = -1; u < FEW; u++) {
        sq_case at[FEW];
        sq_cases cases = {.at = at, .sequence = sequence, .offsets = offsets};
        const sq_lists lists = some_lists(items, CATALOGUE, LENGTH, u);
        for (int64_t v = 0; v < FEW; v++) {
            if (v != u) at[cases.count++] = (sq_case){v, 1, 1 + v % 14, 1};
        }
        double(*to)[2] = u < 0 ? figures : left;
        const sq_personal out = {to[0], to[1], to[2], u < 0 ? spread[0][0] : NULL, u < 0 ? spread[1][0] : NULL};
        ck_assert_int_eq(sq_personal_measure(&context->memory, &cases, &lists, LENGTH, CATALOGUE, 2, &out, NULL),
                         SEQREC_OK);
        for (int32_t k = 0; k < 2 && u >= 0; k++) {
            without[0][k][u] = left[1][k];
            without[1][k][u] = left[2][k];
        }
    }
    for (int32_t k = 0; k < 2; k++) {
        ck_assert_double_gt(figures[0][k], 1.0);
        expect_spread(spread[0][k], without[0][k], FEW, figures[1][k]);
        expect_spread(spread[1][k], without[1][k], FEW, figures[2][k]);
    }
}
END_TEST

START_TEST(calibration_spreads_as_the_error_without_each_user_says)
{
    double confidence[FEW], spread[FEW], without[FEW];
    sq_place places[FEW];
    sq_calibration out = {.width_of = spread};
    for (int64_t u = -1; u < FEW; u++) {
        int64_t n = 0;
        for (int64_t v = 0; v < FEW; v++) {
            if (v == u) continue;
            confidence[n] = sq_random_unit(81, (uint64_t)v);
            places[n++] = (sq_place){(int32_t)sq_random_below(82, (uint64_t)v, 2), 0, 0};
        }
        sq_calibration one = {0};
        ck_assert_int_eq(sq_calibrate(&context->memory, confidence, places, n, u < 0 ? &out : &one, NULL), SEQREC_OK);
        if (u >= 0) without[u] = one.width;
    }
    expect_spread(spread, without, FEW, out.width);
}
END_TEST

/* The share of the catalogue that the lists of n users drawn with replacement show. */
static double resampled_coverage(const int32_t *items, int64_t n, int64_t length, int64_t catalogue, uint64_t key)
{
    int32_t shown[MOST_ITEMS] = {0};
    int64_t covered = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t u = (int64_t)sq_random_below(key, (uint64_t)i, (uint64_t)n);
        for (int64_t r = 0; r < length; r++) covered += shown[items[u * length + r]]++ == 0;
    }
    return (double)covered / (double)catalogue;
}

START_TEST(intervals_of_coverage_hold_the_coverage_of_fresh_users_as_often_as_they_say)
{
    enum { ROUNDS = 200, USERS = 100, CATALOGUE = 120, LENGTH = 3 };
    static int32_t items[USERS * LENGTH];
    static double covered[ROUNDS], low[ROUNDS], high[ROUNDS], spread[2][USERS], plainest[ROUNDS];
    static const int64_t cutoffs[] = {LENGTH};
    const sq_lists lists = {USERS, LENGTH, items};
    int64_t held = 0, held_plainly = 0;
    for (int64_t round = 0; round < ROUNDS; round++) {
        const uint64_t key = sq_random_key((uint64_t)round, 83, 0);
        double gini;
        uint64_t at = 0;
        for (int64_t u = 0; u < USERS; u++) {
            for (int64_t r = 0; r < LENGTH;) {
                const int32_t a = (int32_t)sq_random_below(key, at++, CATALOGUE);
                const int32_t item = a * a / CATALOGUE;
                if (!occurs(items + u * LENGTH, r, item)) items[u * LENGTH + r++] = item;
            }
        }
        const sq_exposure out = {&covered[round], &gini, spread[0], spread[1]};
        sq_interval interval;
        ck_assert_int_eq(sq_exposure_measure(&context->memory, &lists, CATALOGUE, cutoffs, 1, &out, NULL), SEQREC_OK);
        ck_assert_int_eq(sq_bootstrap(context, spread[0], 1, USERS, 300, 1, NULL, NULL, &interval, NULL), SEQREC_OK);
        /* Resampling the lists themselves: the highest of 40 coverages. */
        for (uint64_t b = 0; b < 40; b++) {
            const double one =
                resampled_coverage(items, USERS, LENGTH, CATALOGUE, sq_random_key(b, 84, (uint64_t)round));
            if (b == 0 || one > plainest[round]) plainest[round] = one;
        }
        low[round] = interval.low;
        high[round] = interval.high;
    }
    for (int64_t round = 0; round < ROUNDS; round++) {
        const double truth = mean_of(covered, ROUNDS);
        held += low[round] <= truth && truth <= high[round];
        held_plainly += truth <= plainest[round];
    }
    /* Fewer distinct users show fewer items. */
    ck_assert_int_lt(held_plainly, ROUNDS / 10);
    /* At least 95 % in expectation, the variance being rather too large; four standard deviations below that. */
    ck_assert_int_ge(held, (int64_t)(ROUNDS * 0.95 - 4.0 * sqrt(ROUNDS * 0.95 * 0.05)));
}
END_TEST

/* ---- groups of users ---- */

static void expect_group(const seqrec_report *report, const char *name, const plain *p, const int32_t *in,
                         const int64_t *value)
{
    double users = 0.0, hits = 0.0, least = NAN, most = NAN;
    for (int64_t u = 0; u < p->n; u++) {
        if (!in[u]) continue;
        users += 1.0;
        hits += p->hit10[u];
        least = users > 1.0 && least < (double)value[u] ? least : (double)value[u];
        most = users > 1.0 && most > (double)value[u] ? most : (double)value[u];
    }
    expect_figure(report, name, "users", users, 0.0);
    expect_figure(report, name, "hr@10", users > 0.0 ? hits / users : NAN, 1e-12);
    expect_figure(report, name, "least", least, 0.0);
    expect_figure(report, name, "most", most, 0.0);
}

START_TEST(groups_of_users_are_what_a_plain_recomputation_gives)
{
    static gentle g;
    static plain p;
    const sq_scorer scorer = make_gentle(&g, &small, 0);
    seqrec_evaluation options = options_for(full[_i]);
    options.breakdown = options.baselines = 1;
    options.cold_events = 30;
    options.bootstrap = 50;
    seqrec_report *report = evaluate_gently(&small, full[_i], &scorer, &options);
    plain_pass(&p, &small, full[_i], &g);
    static int32_t decile[MOST_CASES], quintile[MOST_CASES], in[MOST_CASES];
    static int64_t trained[MOST_CASES];
    for (int64_t u = 0; u < p.n; u++) {
        double more = 0.0, shorter = 0.0;
        trained[u] = p.trained[small.sequence[small.offsets[p.user[u]] + p.history[u]]];
        for (int64_t i = 0; i < small.data.items; i++) {
            more += p.trained[i] > trained[u] ? (double)p.trained[i] : 0.0;
            more += p.trained[i] == trained[u] ? (double)p.trained[i] / 2.0 : 0.0;
        }
        for (int64_t v = 0; v < p.n; v++)
            shorter += p.history[v] < p.history[u] ? 1.0 : p.history[v] == p.history[u] ? 0.5 : 0.0;
        decile[u] = (int32_t)fmin(9.0, floor(10.0 * more / (double)p.events + 1e-12));
        quintile[u] = (int32_t)fmin(4.0, floor(5.0 * shorter / (double)p.n + 1e-12));
    }
    double counted = 0.0;
    for (int32_t d = 0; d < 10; d++) {
        char name[40];
        for (int64_t u = 0; u < p.n; u++) in[u] = decile[u] == d;
        (void)snprintf(name, sizeof name, "model/decile-%d", (int)d + 1);
        expect_group(report, name, &p, in, trained);
        counted += figure_of(report, name, "users");
    }
    ck_assert_double_eq(counted, (double)p.n);
    for (int32_t q = 0; q < 5; q++) {
        char name[40];
        for (int64_t u = 0; u < p.n; u++) in[u] = quintile[u] == q;
        (void)snprintf(name, sizeof name, "model/quintile-%d", (int)q + 1);
        expect_group(report, name, &p, in, p.history);
    }
    for (int64_t u = 0; u < p.n; u++) in[u] = trained[u] <= 30;
    expect_group(report, "model/cold", &p, in, trained);
    for (int64_t u = 0; u < p.n; u++) in[u] = trained[u] > 30;
    expect_group(report, "model/warm", &p, in, trained);
    ck_assert_double_gt(figure_of(report, "markov/cold", "users"), 0.0);
    double value, low, high;
    ck_assert_int_eq(seqrec_report_get(report, "model/warm", "ndcg@10", &value, &low, &high, NULL), SEQREC_OK);
    ck_assert(low < value && value < high);
    ck_assert_str_eq(seqrec_report_metric(report, "model/warm", 0), "users");
    ck_assert_str_eq(seqrec_report_metric(report, "model/warm", 11), "most");
    ck_assert_ptr_null(seqrec_report_metric(report, "model/warm", 12));
    seqrec_report_release(report);
}
END_TEST

/* ---- chosen users ---- */

START_TEST(only_the_chosen_users_are_ranked_and_the_rest_stays_as_it_is)
{
    int64_t ids[80];
    double hits = 0.0, users = 0.0;
    seqrec_evaluation options = options_for(protocols[_i]);
    const int32_t by_time = strcmp(protocols[_i], "E9") == 0;
    options.users = ids;
    for (int64_t u = 0; u < 75; u++) ids[options.user_count++] = small.user_ids[2 * u];
    ids[options.user_count++] = ids[3]; /* twice the same is once */
    seqrec_report *chosen = evaluate_gently(&small, protocols[_i], NULL, &options);
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(chosen), "only 75 chosen users"));
    /* One by one they have the same figures, the same negatives too. */
    for (int64_t u = 0; u < 75; u++) {
        const sq_division division = division_for(protocols[_i]);
        seqrec_report *one = NULL;
        options.users = &small.user_ids[2 * u];
        options.user_count = 1;
        if (sq_evaluate(context, &small.data, &division, &options, NULL, &one, NULL) != SEQREC_OK) continue;
        hits += figure_of(one, "markov", "hr@10");
        users += 1.0;
        seqrec_report_release(one);
    }
    ck_assert_double_gt(users, by_time ? 5.0 : 30.0);
    ck_assert_double_eq(figure_of(chosen, "markov", "users"), users);
    ck_assert_double_eq_tol(figure_of(chosen, "markov", "hr@10"), hits / users, 1e-12);
    seqrec_report_release(chosen);
}
END_TEST

START_TEST(an_unknown_user_is_named)
{
    const int64_t ids[] = {small.user_ids[4], -77, small.user_ids[5]};
    seqrec_evaluation options = options_for("E4");
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    options.users = ids;
    options.user_count = 3;
    ck_assert_int_eq(sq_evaluate(context, &small.data, NULL, &options, NULL, &report, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "users[1] = -77"));
    ck_assert_ptr_null(report);
}
END_TEST

/* ---- two models ---- */

static seqrec_report *compare_gently(const sq_scorer *a, const sq_scorer *b, const char *protocol,
                                     const seqrec_evaluation *options)
{
    const sq_division division = division_for(protocol);
    seqrec_report *report = NULL;
    seqrec_error error = {0};
    ck_assert_msg(sq_compare(context, &small.data, &division, options, a, b, &report, &error) == SEQREC_OK, "%s",
                  error.message);
    return report;
}

START_TEST(a_comparison_has_the_figures_of_both_and_of_their_difference)
{
    enum { RESAMPLES = 400 };
    static gentle g[2];
    static plain p[2];
    const sq_scorer a = make_gentle(&g[0], &small, 0), b = make_gentle(&g[1], &small, 1);
    seqrec_evaluation options = options_for(full[_i]);
    options.beyond = 1;
    options.bootstrap = RESAMPLES;
    options.seed = 9;
    seqrec_report *report = compare_gently(&a, &b, full[_i], &options);
    seqrec_report *alone = evaluate_gently(&small, full[_i], &a, &options);
    plain_pass(&p[0], &small, full[_i], &g[0]);
    plain_pass(&p[1], &small, full[_i], &g[1]);
    const char *metric;
    for (int32_t i = 0; (metric = seqrec_report_metric(report, "a", i)) != NULL; i++) {
        double own[3], other[3];
        ck_assert_int_eq(seqrec_report_get(report, "a", metric, &own[0], &own[1], &own[2], NULL), SEQREC_OK);
        ck_assert_int_eq(seqrec_report_get(alone, "model", metric, &other[0], &other[1], &other[2], NULL), SEQREC_OK);
        for (int32_t j = 0; j < 3; j++) ck_assert(own[j] == other[j] || (isnan(own[j]) && isnan(other[j])));
    }
    /* hr@10: the difference, its resamples and its winners, user by user. */
    const int64_t n = p[0].n;
    double down = 1.0, up = 1.0, wins = 0.0, losses = 0.0, likelier = 0.0, difference = 0.0;
    static double means[RESAMPLES];
    for (int64_t u = 0; u < n; u++) {
        wins += p[0].hit10[u] > p[1].hit10[u] + 1e-12;
        losses += p[0].hit10[u] < p[1].hit10[u] - 1e-12;
        likelier += p[0].nll[u] < p[1].nll[u];
        difference += (p[0].hit10[u] - p[1].hit10[u]) / (double)n;
    }
    expect_figure(report, "wins", "nll", likelier, 0.0);
    for (int64_t r = 0; r < RESAMPLES; r++) {
        const uint64_t key = sq_random_key(9, SQ_STREAM_BOOTSTRAP, (uint64_t)r);
        means[r] = 0.0;
        for (int64_t i = 0; i < n; i++) {
            const int64_t u = (int64_t)sq_random_below(key, (uint64_t)i, (uint64_t)n);
            means[r] += (p[0].hit10[u] - p[1].hit10[u]) / (double)n;
        }
        down += means[r] <= 1e-12;
        up += means[r] >= -1e-12;
    }
    int64_t below = 0, above = 0;
    double value, low, high;
    ck_assert_int_eq(seqrec_report_get(report, "difference", "hr@10", &value, &low, &high, NULL), SEQREC_OK);
    for (int64_t r = 0; r < RESAMPLES; r++) {
        below += means[r] < low - 1e-12;
        above += means[r] > high + 1e-12;
    }
    ck_assert_double_eq_tol(value, difference, 1e-12);
    ck_assert_int_eq(below, 10); /* 0.025 * 399 = 9.975: ten of 400 lie below, ten above */
    ck_assert_int_eq(above, 10);
    ck_assert_double_eq_tol(figure_of(report, "p", "hr@10"), fmin(1.0, 2.0 * fmin(down, up) / (RESAMPLES + 1.0)),
                            0.011);
    expect_figure(report, "wins", "hr@10", wins, 0.0);
    expect_figure(report, "losses", "hr@10", losses, 0.0);
    expect_figure(report, "ties", "hr@10", (double)n - wins - losses, 0.0);
    ck_assert_double_nan(figure_of(report, "wins", "coverage@10"));
    ck_assert(!isnan(figure_of(report, "p", "coverage@10")));
    expect_figure(report, "difference", "coverage@10",
                  figure_of(report, "a", "coverage@10") - figure_of(report, "b", "coverage@10"), 0.0);
    seqrec_report_release(alone);
    seqrec_report_release(report);
}
END_TEST

static void expect_same_figure(const seqrec_report *one, const char *row, const seqrec_report *other, const char *as, const char *metric)
{
    double own[3], same[3];
    ck_assert_int_eq(seqrec_report_get(one, row, metric, &own[0], &own[1], &own[2], NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_report_get(other, as, metric, &same[0], &same[1], &same[2], NULL), SEQREC_OK);
    for (int32_t j = 0; j < 3; j++)
        ck_assert_msg(own[j] == same[j] || (isnan(own[j]) && isnan(same[j])), "%s of %s: %g, of %s %g", metric, row, own[j], as, same[j]);
}

/* By decile and quintile the figures of either alone; with all targets cold the one group is all users, in every row. */
START_TEST(a_comparison_by_groups_is_that_of_their_users)
{
    static const char *const rows[] = {"a", "b", "difference", "p", "wins", "losses", "ties"};
    static gentle g[2];
    const sq_scorer scorers[] = {make_gentle(&g[0], &small, 0), make_gentle(&g[1], &small, 1)};
    seqrec_evaluation options = options_for(protocols[_i]);
    options.bootstrap = 60;
    options.breakdown = 1;
    options.cold_events = INT32_MAX;
    seqrec_report *report = compare_gently(&scorers[0], &scorers[1], protocols[_i], &options);
    seqrec_report *alone[] = {evaluate_gently(&small, protocols[_i], &scorers[0], &options),
                              evaluate_gently(&small, protocols[_i], &scorers[1], &options)};
    const char *metric;
    double wins = 0, users = 0;
    for (int32_t i = 0; (metric = seqrec_report_metric(report, "a/decile-1", i)) != NULL; i++) {
        for (int32_t group = 1; group <= 15; group++) {
            char name[4][40];
            const char *const of[] = {"a", "b", "model", "difference"};
            for (size_t r = 0; r < 4; r++)
                snprintf(name[r], sizeof name[r], "%s/%s-%d", of[r], group <= 10 ? "decile" : "quintile", group <= 10 ? group : group - 10);
            for (size_t m = 0; m < 2; m++) expect_same_figure(report, name[m], alone[m], name[2], metric);
            if (i == 0 || strcmp(metric, "least") == 0 || strcmp(metric, "most") == 0)
                expect_same_figure(report, name[3], report, name[0], metric);
            else if (figure_of(report, name[0], "users") > 0)
                expect_figure(report, name[3], metric, figure_of(report, name[0], metric) - figure_of(report, name[1], metric), 0.0);
        }
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            char name[40];
            snprintf(name, sizeof name, "%s/cold", rows[r]);
            if (strcmp(metric, "least") != 0 && strcmp(metric, "most") != 0) expect_same_figure(report, name, report, rows[r], metric);
        }
    }
    for (int32_t group = 1; group <= 10; group++) {
        char name[2][40];
        snprintf(name[0], sizeof name[0], "wins/decile-%d", group);
        snprintf(name[1], sizeof name[1], "a/decile-%d", group);
        if (figure_of(report, name[1], "users") > 0) wins += figure_of(report, name[0], "mrr");
        users += figure_of(report, name[1], "users");
    }
    ck_assert_double_eq(users, figure_of(report, "a", "users"));
    ck_assert_double_eq(wins, figure_of(report, "wins", "mrr"));
    ck_assert_double_eq(figure_of(report, "a/warm", "users"), 0.0);
    ck_assert_double_nan(figure_of(report, "difference/warm", "mrr"));
    for (size_t m = 0; m < 2; m++) seqrec_report_release(alone[m]);
    seqrec_report_release(report);
}
END_TEST

START_TEST(a_model_does_not_differ_from_itself)
{
    static gentle g;
    const sq_scorer scorer = make_gentle(&g, &small, 0);
    seqrec_evaluation options = options_for(protocols[_i]);
    options.bootstrap = 60;
    seqrec_report *report = compare_gently(&scorer, &scorer, protocols[_i], &options);
    const char *metric;
    for (int32_t i = 1; (metric = seqrec_report_metric(report, "difference", i)) != NULL; i++) {
        double value, low, high;
        ck_assert_int_eq(seqrec_report_get(report, "difference", metric, &value, &low, &high, NULL), SEQREC_OK);
        ck_assert_double_eq(value, 0.0);
        if (strcmp(metric, "users_short") == 0) continue;
        ck_assert(low == 0.0 && high == 0.0);
        ck_assert_double_eq(figure_of(report, "p", metric), 1.0);
    }
    ck_assert_double_eq(figure_of(report, "ties", "mrr"), figure_of(report, "a", "users"));
    seqrec_report_release(report);
}
END_TEST

START_TEST(a_clear_difference_has_a_small_p_whichever_comes_first)
{
    static gentle g;
    sq_popularity popularity;
    const sq_division division = division_for("E4");
    ck_assert_int_eq(sq_popularity_create(&context->memory, &small.data, &division, &popularity, NULL), SEQREC_OK);
    const sq_scorer scorer = make_gentle(&g, &small, 0), popular = sq_popularity_scorer(&popularity);
    seqrec_evaluation options = options_for("E4");
    options.bootstrap = 0; /* 10,000 */
    seqrec_report *reports[2] = {compare_gently(&scorer, &popular, "E4", &options),
                                 compare_gently(&popular, &scorer, "E4", &options)};
    for (int32_t i = 0; i < 2; i++)
        ck_assert_double_eq_tol(figure_of(reports[i], "p", "coverage@10"), 2.0 / 10001.0, 1e-12);
    ck_assert_double_eq(figure_of(reports[0], "difference", "mrr"), -figure_of(reports[1], "difference", "mrr"));
    ck_assert_double_eq(figure_of(reports[0], "wins", "mrr"), figure_of(reports[1], "losses", "mrr"));
    for (int32_t i = 0; i < 2; i++) seqrec_report_release(reports[i]);
    sq_popularity_free(&popularity, &context->memory);
}
END_TEST

START_TEST(the_number_of_threads_does_not_change_a_bit)
{
    static const int32_t threads[] = {1, 2, 4};
    world w;
    make_world(&w, 400, 53, 12, 3);
    const sq_division division = division_for(protocols[_i]);
    static gentle g[2];
    const sq_scorer scorer = make_gentle(&g[0], &w, 0), other = make_gentle(&g[1], &w, 1);
    seqrec_evaluation options = options_for(protocols[_i]), pair;
    options.bootstrap = 130;
    options.beyond = protocols[_i][1] > '3';
    options.breakdown = 1;
    pair = options;
    options.baselines = 1;
    seqrec_report *reports[3] = {NULL}, *pairs[3] = {NULL};
    for (size_t t = 0; t < 3; t++) {
        seqrec_context *pool = NULL;
        ck_assert_int_eq(sq_context_create(NULL, NULL, threads[t], NULL, NULL, &pool, NULL), SEQREC_OK);
        ck_assert_int_eq(sq_evaluate(pool, &w.data, &division, &options, &scorer, &reports[t], NULL), SEQREC_OK);
        ck_assert_int_eq(sq_compare(pool, &w.data, &division, &pair, &scorer, &other, &pairs[t], NULL), SEQREC_OK);
        sq_context_release(pool);
        ck_assert_int_eq(reports[t]->rows, 3 * 18);
        ck_assert_mem_eq(reports[t]->at, reports[0]->at, 54 * (size_t)reports[0]->stride * sizeof(sq_figure));
        ck_assert_int_eq(pairs[t]->rows, 7 * 18);
        ck_assert_mem_eq(pairs[t]->at, pairs[0]->at, 126 * (size_t)pairs[0]->stride * sizeof(sq_figure));
        ck_assert_str_eq(seqrec_report_protocol(reports[t]), seqrec_report_protocol(reports[0]));
    }
    for (size_t t = 0; t < 3; t++) seqrec_report_release(reports[t]);
    for (size_t t = 0; t < 3; t++) seqrec_report_release(pairs[t]);
    free_world(&w);
}
END_TEST

/* ---- failures ---- */

/* Whether the word is one of "a|b". */
static int is_listed(const char *word, const char *list)
{
    const size_t length = strlen(word);
    for (; list != NULL; list = strchr(list, '|') ? strchr(list, '|') + 1 : NULL)
        if (strcspn(list, "|") == length && memcmp(list, word, length) == 0) return 1;
    return 0;
}

START_TEST(metrics_without_a_cutoff_are_those_whose_cutoff_is_told_as_unread)
{
    static const char unlike[] = "metric_kind!=";
    const char *needs = sq_option_needs("metric_cutoff");
    sq_options options;
    ck_assert_int_eq(sq_options_preset(&options, "sasrec", NULL), SEQREC_OK);
    ck_assert_int_eq(strncmp(needs, unlike, strlen(unlike)), 0);
    for (options.metric_kind = 0; options.metric_kind <= SQ_METRIC_APART_POPULAR; options.metric_kind++) {
        char name[32];
        sq_option_text(&options, sq_option_find("metric_kind"), name, sizeof name);
        ck_assert_msg(sq_metric_has_cutoff(options.metric_kind) == !is_listed(name, needs + strlen(unlike)), "%s", name);
    }
}
END_TEST

START_TEST(wrong_options_are_refused_with_the_rule)
{
    static const int64_t zero[] = {10, 0};
    static const struct {
        seqrec_evaluation options;
        sq_division division;
        int32_t status;
        const char *said;
    } rows[] = {
        {{.protocol = "E6"}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_UNSUPPORTED, "E1, E2, E3, E4, E5, E9"},
        {{.split = "train"}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_UNSUPPORTED, "neither test nor valid"},
        {{.cutoffs = zero, .cutoff_count = 2}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "cut-off 0"},
        {{.cutoffs = zero, .cutoff_count = -1}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "-1"},
        {{.cutoff_count = 2}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_ARGUMENT, "NULL"},
        {{.bootstrap = -2}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "bootstrap = -2"},
        {{.protocol = "E9"}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_ARGUMENT, "division by time"},
        {{.protocol = "E1", .beyond = 1},
         {.kind = SQ_DIVISION_LEAVE_ONE_OUT},
         SEQREC_E_UNSUPPORTED,
         "protocol E1 samples"},
        {{.cold_events = -1}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "cold_events = -1"},
        {{.last_items = 101}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "last_items = 101"},
        {{.user_count = -1}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_RANGE, "user_count = -1"},
        {{.user_count = 1}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_ARGUMENT, "users is NULL"},
        {{.users = zero}, {.kind = SQ_DIVISION_LEAVE_ONE_OUT}, SEQREC_E_ARGUMENT, "user_count is 0"},
        {{.protocol = "E4"}, {.kind = SQ_DIVISION_NONE}, SEQREC_E_ARGUMENT, "none of 150 users"},
        {{.protocol = "E9"}, {.kind = SQ_DIVISION_TIME, .valid_from = 9000, .test_from = 9000}, SEQREC_E_ARGUMENT, "none of 150 users"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seqrec_report *report = NULL;
        seqrec_error error = {0};
        ck_assert_int_eq(sq_evaluate(context, &small.data, &rows[i].division, &rows[i].options, NULL, &report, &error),
                         rows[i].status);
        ck_assert_msg(strstr(error.message, rows[i].said) != NULL, "row %d: %s", (int)i, error.message);
        ck_assert_int_eq(error.status, rows[i].status);
        ck_assert_ptr_null(report);
    }
}
END_TEST

static int32_t fail_for_users_from_50(void *arg, int32_t worker, const sq_histories *histories, float *scores,
                                      seqrec_error *error)
{
    (void)worker;
    if (histories->users[histories->count - 1] >= 50) {
        return sq_fail(error, SEQREC_E_NUMERIC, "user %d", (int)histories->users[0]);
    }
    const seqrec_dataset *data = arg;
    for (int64_t i = 0; i < histories->count * data->items; i++) scores[i] = 1.0f;
    return SEQREC_OK;
}

START_TEST(a_failing_scorer_ends_the_evaluation_with_its_first_message)
{
    const seqrec_evaluation options = options_for("E4");
    const sq_scorer scorer = {&small.data, fail_for_users_from_50, 1, NULL};
    for (int32_t threads = 1; threads <= 4; threads += 3) {
        seqrec_context *pool = NULL;
        seqrec_report *report = NULL;
        seqrec_error error = {0};
        int64_t first = 50;
        while (small.offsets[first + 1] - small.offsets[first] < 3) first++;
        char said[32];
        (void)snprintf(said, sizeof said, "user %d", (int)first);
        ck_assert_int_eq(sq_context_create(NULL, NULL, threads, NULL, NULL, &pool, NULL), SEQREC_OK);
        ck_assert_int_eq(sq_evaluate(pool, &small.data, NULL, &options, &scorer, &report, &error), SEQREC_E_NUMERIC);
        ck_assert_str_eq(error.message, said);
        ck_assert_ptr_null(report);
        sq_context_release(pool);
    }
}
END_TEST

typedef struct patience {
    int64_t calls, stop_at, last, total;
} patience;

static int32_t count_progress(void *arg, const char *stage, int64_t done, int64_t total)
{
    patience *p = arg;
    ck_assert_str_eq(stage, "evaluate");
    ck_assert_int_ge(done, p->last);
    ck_assert_int_le(done, total);
    p->last = done;
    p->total = total;
    return ++p->calls == p->stop_at;
}

START_TEST(progress_reaches_the_total_and_can_stop_the_evaluation_at_any_call)
{
    patience p = {0};
    const sq_scorer scorer = strange(&small);
    seqrec_evaluation options = options_for("E4");
    options.baselines = 1;
    options.bootstrap = 100;
    options.progress = count_progress;
    options.progress_context = &p;
    seqrec_report *report = NULL;
    ck_assert_int_eq(sq_evaluate(context, &small.data, NULL, &options, &scorer, &report, NULL), SEQREC_OK);
    ck_assert_int_eq(p.last, p.total);
    ck_assert_int_eq(p.total, 3 * (int64_t)figure_of(report, "model", "users"));
    seqrec_report_release(report);
    const int64_t calls = p.calls;
    ck_assert_int_gt(calls, 6);
    for (int64_t stop = 1; stop <= calls; stop++) {
        seqrec_error error = {0};
        p = (patience){.stop_at = stop};
        report = NULL;
        ck_assert_int_eq(sq_evaluate(context, &small.data, NULL, &options, &scorer, &report, &error),
                         SEQREC_E_CANCELLED);
        ck_assert_int_eq(error.status, SEQREC_E_CANCELLED);
        ck_assert_int_eq(p.calls, stop);
        ck_assert_ptr_null(report);
    }
}
END_TEST

START_TEST(a_failing_allocation_is_reported_and_leaks_nothing)
{
    const sq_division division = division_for(protocols[_i % 6]);
    static gentle g;
    const sq_scorer scorer = make_gentle(&g, &small, 0);
    counting_allocator counter = {0};
    const seqrec_allocator host = counting_host(&counter);
    seqrec_evaluation options = options_for(protocols[_i % 6]);
    options.bootstrap = 5;
    options.beyond = protocols[_i % 6][1] > '3';
    options.users = small.user_ids;
    options.user_count = small.data.users;
    options.baselines = _i < 6; /* then come comparisons */
    options.breakdown = _i == 3 || _i == 6;
    seqrec_context *counted = NULL;
    ck_assert_int_eq(sq_context_create(&host, NULL, 1, NULL, NULL, &counted, NULL), SEQREC_OK);
    const int64_t before = counter.blocks;
    int32_t status = SEQREC_E_MEMORY;
    int64_t n = 0;
    while (status != SEQREC_OK) {
        seqrec_report *report = NULL;
        seqrec_error error = {0};
        counter.requests = 0;
        counter.fail_at = ++n;
        status = _i < 6 ? sq_evaluate(counted, &small.data, &division, &options, &scorer, &report, &error)
                        : sq_compare(counted, &small.data, &division, &options, &scorer, &scorer, &report, &error);
        if (status != SEQREC_OK) {
            ck_assert_int_eq(status, SEQREC_E_MEMORY);
            ck_assert_int_eq(error.status, SEQREC_E_MEMORY);
            ck_assert_ptr_null(report);
        }
        seqrec_report_release(report);
        ck_assert_int_eq(counter.blocks, before);
    }
    ck_assert_int_gt(n, 30);
    sq_context_release(counted);
    ck_assert_int_eq(counter.blocks, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("eval");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_target_without_ties_has_the_plain_metrics);
    tcase_add_test(tests, tied_targets_get_the_mean_over_all_orders);
    tcase_add_test(tests, a_constant_ranker_gets_the_random_rankers_figures);
    tcase_add_test(tests, reciprocal_rank_of_large_ties_is_the_sum_of_its_terms);
    tcase_add_test(tests, the_best_of_several_tied_targets_has_the_mean_over_all_orders);
    tcase_add_test(tests, the_best_of_a_large_tie_has_the_sums_of_its_terms);
    tcase_add_test(tests, gini_is_zero_when_equal_and_one_minus_one_over_n_when_one_has_all);
    tcase_add_test(tests, sorting_orders_any_length);
    tcase_add_test(tests, keys_order_as_scores_with_nan_below_everything);
    tcase_add_test(tests, nan_targets_lose_to_every_number_and_tie_with_nan);
    tcase_add_test(tests, top_k_is_the_sorted_prefix_with_ties_by_item);
    tcase_add_test(tests, e1_draws_are_uniform_outside_training_with_repeats);
    tcase_add_test(tests, e3_draws_each_eligible_item_equally_often_and_once);
    tcase_add_test(tests, e2_draws_follow_the_item_counts_without_replacement);
    tcase_add_test(tests, e2_draws_reach_the_first_and_the_last_unit_of_weight);
    tcase_add_test(tests, e2_draws_follow_the_item_counts_when_the_history_holds_nearly_all_of_them);
    tcase_add_test(tests, e2_counts_come_from_every_event_of_the_dataset);
    tcase_add_test(tests, a_catalogue_without_a_hundred_eligible_items_gives_them_all);
    tcase_add_test(tests, draws_depend_on_seed_and_user_only);
    tcase_add_test(tests, popularity_orders_items_by_their_training_count);
    tcase_add_test(tests, markov_orders_by_transition_count_and_then_popularity_with_real_ties_kept);
    tcase_add_test(tests, intervals_of_a_constant_are_that_constant);
    tcase_add_test(tests, intervals_of_infinite_values_are_no_nan);
    tcase_add_test(tests, quantiles_beside_infinite_means_are_no_nan);
    tcase_add_test(tests, intervals_of_a_share_are_near_the_normal_approximation);
    tcase_add_loop_test(tests, every_protocol_on_test_gives_what_a_plain_recomputation_gives, 0, 6);
    tcase_add_loop_test(tests, every_protocol_on_validation_gives_what_a_plain_recomputation_gives, 0, 6);
    tcase_add_loop_test(tests, sampled_protocols_on_a_larger_catalogue_give_what_a_plain_recomputation_gives, 0, 3);
    tcase_add_loop_test(tests, the_number_of_threads_does_not_change_a_bit, 0, 6);
    tcase_add_test(tests, each_user_with_three_events_is_a_case_whose_target_is_the_last_event);
    tcase_add_test(tests, histories_of_a_block_hold_the_users_own_items_and_times);
    tcase_add_test(tests, e1_draws_ten_thousand_users_when_there_are_more);
    tcase_add_test(tests, users_with_too_few_negatives_are_counted_in_the_report);
    tcase_add_test(tests, e9_leaves_out_users_without_an_event_before_the_cut_and_says_so);
    tcase_add_test(tests, the_best_of_a_set_of_targets_that_tie_counts_by_its_expectation);
    tcase_add_test(tests, a_large_set_of_targets_that_tie_takes_no_square_of_its_time);
    tcase_add_test(tests, a_report_lists_its_figures_and_names_them_when_asked_for_another);
    tcase_add_loop_test(tests, metrics_beyond_ranking_are_what_a_plain_recomputation_gives, 0, 3);
    tcase_add_test(tests, targets_unknown_to_the_model_make_the_likelihood_infinite_and_nothing_else);
    tcase_add_test(tests, a_perfectly_calibrated_ranker_has_no_error_and_a_boastful_one_its_boast);
    tcase_add_test(tests, coverage_and_gini_spread_as_the_lists_without_each_user_say);
    tcase_add_test(tests, lists_in_common_spread_as_the_pairs_without_each_user_say);
    tcase_add_test(tests, calibration_spreads_as_the_error_without_each_user_says);
    tcase_add_test(tests, intervals_of_coverage_hold_the_coverage_of_fresh_users_as_often_as_they_say);
    tcase_add_loop_test(tests, groups_of_users_are_what_a_plain_recomputation_gives, 0, 3);
    tcase_add_loop_test(tests, only_the_chosen_users_are_ranked_and_the_rest_stays_as_it_is, 0, 6);
    tcase_add_test(tests, an_unknown_user_is_named);
    tcase_add_loop_test(tests, a_comparison_has_the_figures_of_both_and_of_their_difference, 0, 3);
    tcase_add_loop_test(tests, a_comparison_by_groups_is_that_of_their_users, 0, 6);
    tcase_add_loop_test(tests, a_model_does_not_differ_from_itself, 0, 6);
    tcase_add_test(tests, a_clear_difference_has_a_small_p_whichever_comes_first);
    tcase_add_test(tests, metrics_without_a_cutoff_are_those_whose_cutoff_is_told_as_unread);
    tcase_add_test(tests, wrong_options_are_refused_with_the_rule);
    tcase_add_test(tests, a_failing_scorer_ends_the_evaluation_with_its_first_message);
    tcase_add_test(tests, progress_reaches_the_total_and_can_stop_the_evaluation_at_any_call);
    tcase_add_loop_test(tests, a_failing_allocation_is_reported_and_leaks_nothing, 0, 12);
    Suite *suite = suite_create("eval");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
