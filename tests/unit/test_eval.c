/* unit: metrics, draws of negatives, baselines, intervals, and each protocol against a plain re-computation. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "counting_allocator.h"
#include "eval/baselines.h"
#include "eval/bootstrap.h"
#include "eval/candidates.h"
#include "eval/evaluate.h"
#include "eval/ranking.h"

enum { MOST_ITEMS = 400 };

/* A dataset made by hand; the tests read its arrays freely. */
typedef struct world {
    seqrec_dataset data;
    int64_t *offsets, *times;
    int32_t *sequence;
} world;

static void make_world(world *w, int64_t users, int64_t items, int64_t longest, uint64_t seed)
{
    const uint64_t key = sq_random_key(seed, 99, 0);
    uint64_t counter = 0;
    w->offsets = calloc((size_t)users + 1, sizeof(int64_t));
    w->sequence = calloc((size_t)(users * longest), sizeof(int32_t));
    w->times = calloc((size_t)(users * longest), sizeof(int64_t));
    int64_t at = 0;
    for (int64_t u = 0; u < users; u++) {
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
}

static void free_world(world *w)
{
    free(w->offsets);
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
    return (sq_scorer){&w->data, score_strangely, 7};
}

static seqrec_evaluation options_for(const char *protocol)
{
    return (seqrec_evaluation){.struct_size = sizeof(seqrec_evaluation), .protocol = protocol, .bootstrap = -1};
}

static sq_division division_for(const char *protocol)
{
    const int32_t by_time = strcmp(protocol, "E9") == 0;
    return (sq_division){by_time ? SQ_DIVISION_TIME : SQ_DIVISION_LEAVE_ONE_OUT, 60, 66};
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
    const sq_place third = {2, 0};
    ck_assert_double_eq(sq_metric_hit(third, 2), 0.0);
    ck_assert_double_eq(sq_metric_hit(third, 3), 1.0);
    ck_assert_double_eq(sq_metric_ndcg(third, 2), 0.0);
    ck_assert_double_eq(sq_metric_ndcg(third, 3), 0.5);
    ck_assert_double_eq(sq_metric_reciprocal(third), 1.0 / 3.0);
}
END_TEST

START_TEST(tied_targets_get_the_mean_over_all_orders)
{
    const sq_place tied = {1, 3}; /* ranks 1, 2, 3, 4 equally likely */
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
    const sq_place all = {0, 100};
    ck_assert_double_eq_tol(sq_metric_hit(all, 10), 10.0 / 101.0, 1e-15);
    ck_assert_double_eq_tol(sq_metric_ndcg(all, 10), 0.0450, 5e-5);
}
END_TEST

START_TEST(reciprocal_rank_of_large_ties_is_the_sum_of_its_terms)
{
    static const sq_place places[] = {{0, 63},  {0, 64},  {0, 5000},    {1, 100},   {62, 70},
                                      {63, 64}, {64, 65}, {1000, 3000}, {90000, 70}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double sum = 0.0;
        for (int32_t r = places[i].equal; r >= 0; r--) sum += 1.0 / ((double)places[i].better + r + 1.0);
        sum /= (double)places[i].equal + 1.0;
        ck_assert_double_eq_tol(sq_metric_reciprocal(places[i]) / sum, 1.0, 1e-10);
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
                if (rank < found) ck_assert_int_eq(top[rank].item, i);
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
        const sq_case one = {u, 4, 5};
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
        const sq_case one = {u, 4, 5};
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
        const sq_case one = {u, 0, 1};
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
    const sq_case one = {0, 2, 3};
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
    const sq_case four = {4, 2, 3}, five = {5, 2, 3};
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
        const sq_histories histories = {1, &user, offsets, history, NULL};
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
            const sq_case one = {u, train, history};
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

START_TEST(the_number_of_threads_does_not_change_a_bit)
{
    static const int32_t threads[] = {1, 2, 4};
    world w;
    make_world(&w, 400, 53, 12, 3);
    const sq_division division = division_for(protocols[_i]);
    const sq_scorer scorer = strange(&w);
    seqrec_evaluation options = options_for(protocols[_i]);
    options.bootstrap = 130;
    options.baselines = 1;
    seqrec_report *reports[3] = {NULL};
    for (size_t t = 0; t < 3; t++) {
        seqrec_context *pool = NULL;
        ck_assert_int_eq(sq_context_create(NULL, NULL, threads[t], NULL, NULL, &pool, NULL), SEQREC_OK);
        ck_assert_int_eq(sq_evaluate(pool, &w.data, &division, &options, &scorer, &reports[t], NULL), SEQREC_OK);
        sq_context_release(pool);
        ck_assert_int_eq(reports[t]->rows, 3);
        ck_assert_mem_eq(reports[t]->at, reports[0]->at, 3 * (size_t)reports[0]->figures * sizeof(sq_figure));
        ck_assert_str_eq(seqrec_report_protocol(reports[t]), seqrec_report_protocol(reports[0]));
    }
    for (size_t t = 0; t < 3; t++) seqrec_report_release(reports[t]);
    free_world(&w);
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
    ck_assert_int_eq(sq_cases_collect(&context->memory, &small.data, &division, protocol, 0, 0, &cases, NULL),
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
    const sq_scorer scorer = {&small, check_history, 16};
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
        ck_assert_int_eq(sq_cases_collect(&context->memory, &w.data, &division, protocol, 0, s, &cases[s], NULL),
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
    const sq_division division = {SQ_DIVISION_TIME, 5, 10};
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
    ck_assert_double_nan(low);
    ck_assert_double_nan(high);
    seqrec_report_release(report);
    seqrec_report_release(NULL);
}
END_TEST

/* ---- failures ---- */

START_TEST(wrong_options_are_refused_with_the_rule)
{
    static const int64_t zero[] = {10, 0};
    static const struct {
        seqrec_evaluation options;
        sq_division division;
        int32_t status;
        const char *said;
    } rows[] = {
        {{.protocol = "E6"}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_UNSUPPORTED, "E1, E2, E3, E4, E5, E9"},
        {{.split = "train"}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_UNSUPPORTED, "neither test nor valid"},
        {{.cutoffs = zero, .cutoff_count = 2}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_RANGE, "cut-off 0"},
        {{.cutoffs = zero, .cutoff_count = -1}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_RANGE, "-1"},
        {{.cutoff_count = 2}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_ARGUMENT, "NULL"},
        {{.bootstrap = -2}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_RANGE, "bootstrap = -2"},
        {{.protocol = "E9"}, {SQ_DIVISION_LEAVE_ONE_OUT, 0, 0}, SEQREC_E_ARGUMENT, "division by time"},
        {{.protocol = "E4"}, {SQ_DIVISION_NONE, 0, 0}, SEQREC_E_ARGUMENT, "none of 150 users"},
        {{.protocol = "E9"}, {SQ_DIVISION_TIME, 9000, 9000}, SEQREC_E_ARGUMENT, "none of 150 users"},
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
    const sq_scorer scorer = {&small.data, fail_for_users_from_50, 1};
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
    const sq_division division = division_for(protocols[_i]);
    const sq_scorer scorer = strange(&small);
    counting_allocator counter = {0};
    const seqrec_allocator host = counting_host(&counter);
    seqrec_evaluation options = options_for(protocols[_i]);
    options.baselines = 1;
    options.bootstrap = 5;
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
        status = sq_evaluate(counted, &small.data, &division, &options, &scorer, &report, &error);
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
    tcase_add_test(tests, a_report_lists_its_figures_and_names_them_when_asked_for_another);
    tcase_add_test(tests, wrong_options_are_refused_with_the_rule);
    tcase_add_test(tests, a_failing_scorer_ends_the_evaluation_with_its_first_message);
    tcase_add_test(tests, progress_reaches_the_total_and_can_stop_the_evaluation_at_any_call);
    tcase_add_loop_test(tests, a_failing_allocation_is_reported_and_leaks_nothing, 0, 6);
    Suite *suite = suite_create("eval");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
