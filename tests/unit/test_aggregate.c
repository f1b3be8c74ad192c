/* unit: paths made one list, worked by hand. */
#include <math.h>
#include <stdio.h>
#include "counting_allocator.h"
#include "run_suite.h"
#include "seqrec.h"

static seqrec_error failure;

typedef struct list {
    int64_t items[16], found;
    double scores[16];
} list;

static list list_of(const int64_t *paths, int64_t width, int64_t steps, const double *logs, int32_t how, int64_t k)
{
    list l = {.found = -1};
    const int32_t status = seqrec_aggregate(NULL, paths, width, steps, logs, how, k, l.items, l.scores, &l.found, &failure);
    ck_assert_msg(status == SEQREC_OK, "%s", failure.message);
    return l;
}

static void expect(const list *l, int64_t n, const int64_t *items, const double *scores)
{
    ck_assert_int_eq(l->found, n);
    for (int64_t i = 0; i < n; i++) {
        ck_assert_int_eq(l->items[i], items[i]);
        ck_assert_double_eq_tol(l->scores[i], scores[i], 1e-12);
    }
}

/*  A B C      A: 1 + 1/3        B: 1/2 + 1/2 + 1     C: 1/3 + 1
 *  C B D      D: 1/3            E: 1/2 */
static const int64_t three[] = {10, -20, 30, 30, -20, 40, -20, 50, 10};

START_TEST(reciprocal_ranks_are_summed)
{
    const list l = list_of(three, 3, 3, NULL, SEQREC_AGGREGATE_RANK, 16);
    expect(&l, 5, (const int64_t[]){-20, 10, 30, 50, 40}, (const double[]){2, 4.0 / 3, 4.0 / 3, 0.5, 1.0 / 3});
    const list two = list_of(three, 3, 3, NULL, SEQREC_AGGREGATE_RANK, 2);
    expect(&two, 2, (const int64_t[]){-20, 10}, (const double[]){2, 4.0 / 3});
}
END_TEST

/* The first path is sure of 10 and then of little; 10 in the third path comes too late to say much. */
START_TEST(probabilities_of_items_are_summed)
{
    const double logs[] = {log(0.9), log(0.01), -INFINITY, log(0.25), log(0.25), log(0.5), log(0.125), log(0.5), log(0.0625)};
    const list l = list_of(three, 3, 3, logs, SEQREC_AGGREGATE_RELEVANCE, 16);
    expect(&l, 5, (const int64_t[]){10, 40, 50, -20, 30}, (const double[]){0.9625, 0.5, 0.5, 0.385, 0.25});
    const double small[] = {-2000, -2001}; /* too improbable for a double: order is kept */
    const list m = list_of(three, 1, 2, small, SEQREC_AGGREGATE_RELEVANCE, 16);
    expect(&m, 2, (const int64_t[]){10, -20}, (const double[]){0, 0});
}
END_TEST

/* Of equal sums the item that came first, path by path. */
START_TEST(occurrences_are_counted)
{
    const list l = list_of(three, 3, 3, NULL, SEQREC_AGGREGATE_COUNT, 16);
    expect(&l, 5, (const int64_t[]){-20, 10, 30, 40, 50}, (const double[]){3, 2, 2, 1, 1});
}
END_TEST

START_TEST(paths_weigh_by_their_probabilities)
{
    const double logs[] = {log(0.5), log(0.25), log(0.125)};
    const list ranks = list_of(three, 3, 3, logs, SEQREC_AGGREGATE_RANK, 16);
    expect(&ranks, 5, (const int64_t[]){10, -20, 30, 40, 50},
           (const double[]){0.5 + 0.125 / 3, 0.25 + 0.125 + 0.125, 0.5 / 3 + 0.25, 0.25 / 3, 0.0625});
    const list counts = list_of(three, 3, 3, logs, SEQREC_AGGREGATE_COUNT, 16);
    expect(&counts, 5, (const int64_t[]){-20, 30, 10, 40, 50}, (const double[]){0.875, 0.75, 0.625, 0.25, 0.125});
}
END_TEST

START_TEST(an_item_counts_once_in_a_path)
{
    const int64_t paths[] = {7, 8, 7, 8, 8, 8};
    const list ranks = list_of(paths, 2, 3, NULL, SEQREC_AGGREGATE_RANK, 16);
    expect(&ranks, 2, (const int64_t[]){8, 7}, (const double[]){1.5, 1});
    const list counts = list_of(paths, 2, 3, NULL, SEQREC_AGGREGATE_COUNT, 16);
    expect(&counts, 2, (const int64_t[]){8, 7}, (const double[]){2, 1});
}
END_TEST

/* exp of these is 0 as a double. */
START_TEST(improbable_paths_keep_their_order)
{
    const int64_t paths[] = {1, 2, 3};
    const double logs[] = {-5000, -INFINITY, -4999}, none[] = {-INFINITY, -INFINITY, -INFINITY};
    const list l = list_of(paths, 3, 1, logs, SEQREC_AGGREGATE_COUNT, 16);
    expect(&l, 3, (const int64_t[]){3, 1, 2}, (const double[]){0, 0, 0});
    const list m = list_of(paths, 3, 1, none, SEQREC_AGGREGATE_COUNT, 16);
    expect(&m, 3, (const int64_t[]){1, 2, 3}, (const double[]){0, 0, 0});
}
END_TEST

START_TEST(of_nothing_there_is_nothing)
{
    const list l = list_of(NULL, 0, 3, NULL, SEQREC_AGGREGATE_RANK, 16), m = list_of(NULL, 4, 0, NULL, SEQREC_AGGREGATE_RANK, 16);
    ck_assert(l.found == 0 && m.found == 0);
    int64_t found = -1;
    ck_assert_int_eq(seqrec_aggregate(NULL, three, 3, 3, NULL, 0, 0, NULL, NULL, &found, &failure), SEQREC_OK);
    ck_assert_int_eq(found, 0);
}
END_TEST

#define REFUSED(code, hint, call)                                                                                      \
    do {                                                                                                               \
        ck_assert_int_eq(call, code);                                                                                  \
        ck_assert_msg(strstr(failure.message, hint) != NULL, "%s", failure.message);                                   \
    } while (0)

START_TEST(bad_arguments_name_the_value_and_the_rule)
{
    int64_t items[4] = {-7}, found = -3;
    const double bad[] = {-1, NAN, 0}, above[] = {-1, -2, 0.5};
    const double last[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    seqrec_allocator small = {.struct_size = 8};
    seqrec_error *e = &failure;
    REFUSED(SEQREC_E_ARGUMENT, "allocator.struct_size is 8", seqrec_aggregate(&small, three, 3, 3, NULL, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "width = -1", seqrec_aggregate(NULL, three, -1, 3, NULL, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "steps = -1", seqrec_aggregate(NULL, three, 3, -1, NULL, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_RANGE, "are more than 2147483647 items", seqrec_aggregate(NULL, three, 1 << 20, 1 << 20, NULL, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "paths is NULL for 9", seqrec_aggregate(NULL, NULL, 3, 3, NULL, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_RANGE, "how = 3", seqrec_aggregate(NULL, three, 3, 3, NULL, 3, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "relevance needs that of each of the 9 items", seqrec_aggregate(NULL, three, 3, 3, NULL, 2, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_RANGE, "log_probabilities[8] = 1 is not", seqrec_aggregate(NULL, three, 3, 3, last, 2, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_RANGE, "log_probabilities[1] = ", seqrec_aggregate(NULL, three, 3, 3, bad, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_RANGE, "log_probabilities[2] = 0.5 is not", seqrec_aggregate(NULL, three, 3, 3, above, 0, 4, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "k = -1", seqrec_aggregate(NULL, three, 3, 3, NULL, 0, -1, items, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL for k = 4", seqrec_aggregate(NULL, three, 3, 3, NULL, 0, 4, NULL, NULL, &found, e));
    REFUSED(SEQREC_E_ARGUMENT, "found is NULL", seqrec_aggregate(NULL, three, 3, 3, NULL, 0, 4, items, NULL, NULL, e));
    ck_assert(items[0] == -7 && found == -3);
}
END_TEST

/* Many items, so that map and entries grow. */
START_TEST(whatever_allocation_fails_nothing_is_written_or_left)
{
    enum { MANY = 3000 };
    static int64_t paths[MANY], items[MANY];
    static double scores[MANY];
    int32_t status = SEQREC_E_MEMORY;
    for (int64_t i = 0; i < MANY; i++) paths[i] = i * i + 5;
    for (int64_t fail_at = 1; status != SEQREC_OK; fail_at++) {
        counting_allocator counting = {.fail_at = fail_at};
        const seqrec_allocator host = counting_host(&counting);
        int64_t found = -3;
        items[0] = -7;
        status = seqrec_aggregate(&host, paths, 3, MANY / 3, NULL, SEQREC_AGGREGATE_RANK, MANY, items, scores, &found, &failure);
        ck_assert_int_eq(counting.blocks, 0);
        if (status == SEQREC_OK) {
            ck_assert_int_gt(fail_at, 4);
            ck_assert_int_eq(found, MANY);
            for (int64_t i = 0; i < MANY; i++) ck_assert_int_eq(items[i], paths[i % 3 * (MANY / 3) + i / 3]);
            continue;
        }
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert(found == -3 && items[0] == -7);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("aggregate");
    tcase_add_test(tests, reciprocal_ranks_are_summed);
    tcase_add_test(tests, probabilities_of_items_are_summed);
    tcase_add_test(tests, occurrences_are_counted);
    tcase_add_test(tests, paths_weigh_by_their_probabilities);
    tcase_add_test(tests, an_item_counts_once_in_a_path);
    tcase_add_test(tests, improbable_paths_keep_their_order);
    tcase_add_test(tests, of_nothing_there_is_nothing);
    tcase_add_test(tests, bad_arguments_name_the_value_and_the_rule);
    tcase_add_test(tests, whatever_allocation_fails_nothing_is_written_or_left);
    Suite *suite = suite_create("aggregate");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
