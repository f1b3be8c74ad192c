/* unit: the counter-based random numbers: frozen values and statistics. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include "base/rng.h"
#include "run_suite.h"

/* Computed by an independent program from the definitions; files and results depend on them. */
START_TEST(the_numbers_are_the_frozen_ones)
{
    static const uint64_t bits[] = {0x6c021c65fc8f54c4, 0xd88e8360dca7726d, 0x44efdf08b371243b, 0x37b9c936f338f21c};
    static const uint64_t below[] = {1441, 2889, 919, 743};
    static const double normal[] = {0.5934766485642087, 0.15976250077446716, 0.21472709618686125, -0.21856109568899312};
    const uint64_t key = sq_random_key(42, SQ_STREAM_INIT, 7);
    ck_assert_uint_eq(sq_mix64(1), 0x5692161d100b05e5);
    ck_assert_uint_eq(sq_mix64(0x9e3779b97f4a7c15), 0xe220a8397b1dcdaf); /* first output of SplitMix64 seeded with 0 */
    ck_assert_uint_eq(sq_random_key(0, 0, 0), 0x33fe8bd4f9c57863);
    ck_assert_uint_eq(sq_random_key(42, SQ_STREAM_NEGATIVES, 0), 0xa1fd3cf210ec2e7a);
    ck_assert_uint_eq(sq_random_key(42, SQ_STREAM_NEGATIVES, 1000000), 0xfd141c82f7a7d12f);
    for (uint64_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(sq_random64(key, i), bits[i]);
        ck_assert_uint_eq(sq_random_below(key, i, 3416), below[i]);
        ck_assert_double_eq(sq_random_unit(key, i), (double)(bits[i] >> 11) / 9007199254740992.0);
        ck_assert_double_eq_tol(sq_random_normal(key, i), normal[i], 1e-15);
    }
}
END_TEST

/* Pearson's statistic of `draws` uniform values over `cells` cells. */
static double chi_square(const int32_t *counts, int32_t cells, double draws)
{
    double sum = 0;
    const double expected = draws / cells;
    for (int32_t i = 0; i < cells; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

/* Statistics of independent samples add up; fails outside 5 standard deviations on either side (too even is wrong too). */
static void check_uniform(double sum, double freedom)
{
    ck_assert_double_lt(fabs(sum - freedom), 5 * sqrt(2 * freedom));
}

START_TEST(every_byte_is_uniform)
{
    const uint64_t key = sq_random_key(1, SQ_STREAM_SHUFFLE, 3);
    for (int32_t shift = 0; shift < 64; shift += 8) {
        int32_t counts[256] = {0};
        for (uint64_t i = 0; i < 65536; i++) counts[(sq_random64(key, i) >> shift) & 255]++;
        check_uniform(chi_square(counts, 256, 65536), 255);
    }
}
END_TEST

START_TEST(numbers_below_n_are_uniform_and_below_n)
{
    static const uint64_t limits[] = {1, 2, 3, 10, 1000};
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        double sum = 0;
        for (uint64_t step = 0; step < 50; step++) {
            const uint64_t key = sq_random_key(2, SQ_STREAM_NEGATIVES, step);
            int32_t counts[1000] = {0};
            for (uint64_t i = 0; i < 10000; i++) {
                const uint64_t x = sq_random_below(key, i, limits[l]);
                if (x >= limits[l]) ck_abort_msg("%d is not below %d", (int)x, (int)limits[l]);
                counts[x]++;
            }
            sum += chi_square(counts, (int32_t)limits[l], 10000);
        }
        if (limits[l] > 1) check_uniform(sum, 50 * (double)(limits[l] - 1));
    }
}
END_TEST

START_TEST(large_limits_are_scaled_exactly)
{
    for (uint64_t i = 0; i < 1000; i++) {
        const uint64_t x = sq_random64(5, i);
        ck_assert_uint_eq(sq_random_below(5, i, (uint64_t)1 << 63), x >> 1);
        ck_assert_uint_eq(sq_random_below(5, i, UINT64_MAX), x == 0 ? 0 : x - 1);
        ck_assert_uint_eq(sq_random_below(5, i, (uint64_t)1 << 32), x >> 32);
    }
}
END_TEST

static int32_t bits_of(uint64_t x)
{
    return (int32_t)__builtin_popcountll(x);
}

/* A flipped bit of any input flips half of the output bits: no neighbour of a seed, step or counter is related to it. */
START_TEST(one_changed_bit_changes_half_of_the_output)
{
    for (int32_t bit = 0; bit < 64; bit++) {
        const uint64_t flip = (uint64_t)1 << bit;
        int32_t by_counter = 0, by_seed = 0, by_step = 0;
        for (uint64_t i = 0; i < 1000; i++) {
            const uint64_t key = sq_random_key(i, SQ_STREAM_INIT, i), plain = sq_random64(key, i);
            by_counter += bits_of(plain ^ sq_random64(key, i ^ flip));
            by_seed += bits_of(plain ^ sq_random64(sq_random_key(i ^ flip, SQ_STREAM_INIT, i), i));
            by_step += bits_of(plain ^ sq_random64(sq_random_key(i, SQ_STREAM_INIT, i ^ flip), i));
        }
        ck_assert_int_lt(abs(by_counter - 32000), 800); /* 6 standard deviations */
        ck_assert_int_lt(abs(by_seed - 32000), 800);
        ck_assert_int_lt(abs(by_step - 32000), 800);
    }
}
END_TEST

static double correlation(uint64_t a, uint64_t b, uint64_t shift)
{
    double sum = 0;
    for (uint64_t i = 0; i < 20000; i++) sum += (sq_random_unit(a, i) - 0.5) * (sq_random_unit(b, i + shift) - 0.5);
    return sum / 20000 * 12;
}

START_TEST(streams_steps_and_shifted_counters_are_uncorrelated)
{
    const double most = 5.0 / sqrt(20000.0);
    const uint64_t key = sq_random_key(9, SQ_STREAM_DROPOUT, 100);
    for (uint64_t other = 1; other <= 7; other++) {
        if (other != SQ_STREAM_DROPOUT)
            ck_assert_double_lt(fabs(correlation(key, sq_random_key(9, other, 100), 0)), most);
        ck_assert_double_lt(fabs(correlation(key, sq_random_key(9, SQ_STREAM_DROPOUT, 100 + other), 0)), most);
        ck_assert_double_lt(fabs(correlation(key, sq_random_key(9 + other, SQ_STREAM_DROPOUT, 100), 0)), most);
        ck_assert_double_lt(fabs(correlation(key, key, other)), most);
    }
}
END_TEST

START_TEST(normal_numbers_have_normal_moments)
{
    const uint64_t key = sq_random_key(3, SQ_STREAM_INIT, 0);
    const double n = 200000;
    double sum[5] = {0};
    for (uint64_t i = 0; i < 200000; i++) {
        const double x = sq_random_normal(key, i);
        if (!isfinite(x)) ck_abort_msg("number %d is not finite", (int)i);
        double power = x;
        for (int32_t k = 1; k <= 4; k++, power *= x) sum[k] += power;
    }
    ck_assert_double_lt(fabs(sum[1] / n), 5 / sqrt(n));
    ck_assert_double_lt(fabs(sum[2] / n - 1), 5 * sqrt(2 / n));
    ck_assert_double_lt(fabs(sum[3] / n), 5 * sqrt(15 / n));
    ck_assert_double_lt(fabs(sum[4] / n - 3), 5 * sqrt(96 / n));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("rng");
    tcase_add_test(tests, the_numbers_are_the_frozen_ones);
    tcase_add_test(tests, every_byte_is_uniform);
    tcase_add_test(tests, numbers_below_n_are_uniform_and_below_n);
    tcase_add_test(tests, large_limits_are_scaled_exactly);
    tcase_add_test(tests, one_changed_bit_changes_half_of_the_output);
    tcase_add_test(tests, streams_steps_and_shifted_counters_are_uncorrelated);
    tcase_add_test(tests, normal_numbers_have_normal_moments);
    Suite *suite = suite_create("rng");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
