/* unit: the nucleus against sorting. */
#include <math.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "run_suite.h"
#include "serve/nucleus.h"

enum { N = 500 };

static int heavier(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Weights of every size, with equal ones and zeros among them. */
static void fill(float *weights, uint64_t key)
{
    for (uint64_t i = 0; i < N; i++) {
        weights[i] = (float)exp(-12 * sq_random_unit(key, i));
        if (i % 7 == 3) weights[i] = weights[i - 1];
        if (i % 11 == 5) weights[i] = 0;
    }
}

START_TEST(it_is_the_fewest_of_the_heaviest)
{
    static const double shares[] = {1e-300, 1e-9, 0.1, 0.5, 0.77, 0.95, 0.9999};
    float weights[N], kept[N], sorted[N];
    for (uint64_t key = 1; key <= 20; key++)
        for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
            double total = 0, upto = 0;
            int64_t wanted = 0, found = 0;
            fill(weights, key);
            memcpy(kept, weights, sizeof kept);
            memcpy(sorted, weights, sizeof sorted);
            qsort(sorted, N, sizeof *sorted, heavier);
            for (int64_t i = 0; i < N; i++) total += (double)sorted[i];
            while (upto < shares[s] * total) upto += (double)sorted[wanted++];
            ck_assert_double_eq_tol(sq_nucleus_keep(kept, N, shares[s]), upto, 1e-9 * upto);
            for (int64_t i = 0; i < N; i++) {
                found += kept[i] > 0;
                ck_assert(kept[i] == 0 || kept[i] == weights[i]);
                ck_assert(kept[i] == 0 || kept[i] >= sorted[wanted - 1]);
            }
            ck_assert_int_eq(found, wanted);
        }
}
END_TEST

START_TEST(of_equal_weights_the_first_are_in_it)
{
    float weights[] = {1, 2, 1, 0, 1, 2, 1};
    ck_assert_double_eq(sq_nucleus_keep(weights, 7, 0.7), 6);
    const float expected[] = {1, 2, 1, 0, 0, 2, 0};
    ck_assert_mem_eq(weights, expected, sizeof expected);
    float all[] = {0.25f, 0, 0.5f};
    ck_assert_double_eq(sq_nucleus_keep(all, 3, 1), 0.75);
    ck_assert(all[0] == 0.25f && all[1] == 0 && all[2] == 0.5f);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("nucleus");
    tcase_add_test(tests, it_is_the_fewest_of_the_heaviest);
    tcase_add_test(tests, of_equal_weights_the_first_are_in_it);
    Suite *suite = suite_create("nucleus");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
