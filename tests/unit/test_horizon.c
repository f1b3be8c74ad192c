/* unit: the figures of the experiment on forecasts of several steps, worked by hand. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include "experiments/horizon_figures.h"
#include "run_suite.h"

static const int64_t truth[] = {7, 3, 9, 3};

START_TEST(recall_counts_different_items)
{
    const int64_t list[] = {3, 5, 3, 9, 8, 7};
    ck_assert_double_eq_tol(horizon_recall(list, 6, 1, truth, 4), 1.0 / 3, 1e-15);
    ck_assert_double_eq_tol(horizon_recall(list, 6, 3, truth, 4), 1.0 / 3, 1e-15);
    ck_assert_double_eq_tol(horizon_recall(list, 6, 4, truth, 4), 2.0 / 3, 1e-15);
    ck_assert_double_eq_tol(horizon_recall(list, 6, 20, truth, 4), 1, 1e-15);
    ck_assert_double_eq_tol(horizon_recall(list, 4, 20, truth, 4), 2.0 / 3, 1e-15);
    ck_assert_double_eq(horizon_recall(list, 0, 20, truth, 4), 0);
}
END_TEST

START_TEST(ndcg_is_that_of_the_best_list_of_its_length)
{
    const int64_t list[] = {3, 5, 3, 9, 8, 7}, best[] = {9, 7, 3};
    const double second = 1 / log2(3), third = 0.5, fourth = 1 / log2(5), sixth = 1 / log2(7);
    ck_assert_double_eq_tol(horizon_ndcg(list, 6, 2, truth, 4), 1 / (1 + second), 1e-15);
    ck_assert_double_eq_tol(horizon_ndcg(list, 6, 20, truth, 4), (1 + fourth + sixth) / (1 + second + third), 1e-15);
    ck_assert_double_eq_tol(horizon_ndcg(best, 3, 20, truth, 4), 1, 1e-15);
    ck_assert_double_eq_tol(horizon_ndcg(best, 3, 2, truth, 4), 1, 1e-15);
}
END_TEST

START_TEST(a_rank_leaves_out_what_is_out_and_shares_ties)
{
    const float scores[] = {4, 1, 3, 3, 9, 3};
    const uint8_t out[] = {0, 0, 1, 0, 1, 0};
    ck_assert_double_eq(horizon_rank(scores, out, 6, 0), 1);
    ck_assert_double_eq(horizon_rank(scores, out, 6, 3), 2.5);
    ck_assert_double_eq(horizon_rank(scores, out, 6, 1), 4);
    ck_assert_double_eq(horizon_rank(scores, out, 6, 4), 1);
}
END_TEST

START_TEST(the_best_item_has_its_share_of_a_softmax)
{
    const float scores[] = {0, 50, 1, 1};
    const uint8_t out[] = {0, 1, 0, 0}, all[] = {1, 1, 1, 1};
    double p = 0;
    ck_assert_int_eq(horizon_best(scores, out, 4, &p), 2);
    ck_assert_double_eq_tol(p, exp(1) / (1 + 2 * exp(1)), 1e-15);
    ck_assert_double_eq_tol(horizon_nats(scores, out, 4, 0), log(1 + 2 * exp(1)), 1e-15);
    ck_assert_double_eq_tol(horizon_nats(scores, out, 4, 3), log(2 + exp(-1)), 1e-15);
    ck_assert_double_eq_tol(horizon_nats(scores, out, 4, 1), 0, 1e-15);
    ck_assert_double_eq(horizon_nats(scores, all, 4, 2), 0);
    ck_assert_int_eq(horizon_best(scores, all, 4, &p), -1);
}
END_TEST

START_TEST(steps_of_one_time_are_an_instant)
{
    const int64_t times[] = {5, 8, 8, 8, 9};
    int64_t end = 0;
    ck_assert_int_eq(horizon_instant(times, 5, 0, &end), 0);
    ck_assert_int_eq(end, 1);
    ck_assert_int_eq(horizon_instant(times, 5, 2, &end), 1);
    ck_assert_int_eq(end, 4);
    ck_assert_int_eq(horizon_instant(times, 3, 2, &end), 1);
    ck_assert_int_eq(end, 3);
    ck_assert_int_eq(horizon_instant(NULL, 5, 2, &end), 2);
    ck_assert_int_eq(end, 3);
}
END_TEST

/* Bins of 1/15: .50 and .52 are in bin 7, .99 and 1 in bin 14.
 *   bin 7: probability 1.02 of two, one right; bin 14: 1.99 of two, both right. */
START_TEST(calibration_is_by_bins)
{
    horizon_bins bins = {{0}, {0}, {0}};
    ck_assert_double_eq(horizon_ece(&bins), 0);
    horizon_predict(&bins, 0.50, 1);
    horizon_predict(&bins, 0.52, 0);
    horizon_predict(&bins, 0.99, 1);
    horizon_predict(&bins, 1, 1);
    ck_assert_double_eq_tol(horizon_ece(&bins), (0.02 + 0.01) / 4, 1e-15);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("horizon");
    TCase *figures = tcase_create("figures");
    tcase_add_test(figures, recall_counts_different_items);
    tcase_add_test(figures, ndcg_is_that_of_the_best_list_of_its_length);
    tcase_add_test(figures, a_rank_leaves_out_what_is_out_and_shares_ties);
    tcase_add_test(figures, the_best_item_has_its_share_of_a_softmax);
    tcase_add_test(figures, steps_of_one_time_are_an_instant);
    tcase_add_test(figures, calibration_is_by_bins);
    suite_add_tcase(suite, figures);
    return run_suite(suite);
}
