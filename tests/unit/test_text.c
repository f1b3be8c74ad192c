/* unit: numbers and names as text, under locales with other decimal points too. */
#include <check.h>
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base/status.h"
#include "base/text.h"
#include "made_locale.h"
#include "run_suite.h"

static int32_t parse_int(const char *text, int64_t *out)
{
    return sq_parse_int64(text, strlen(text), out);
}

static int32_t parse_real(const char *text, double *out)
{
    return sq_parse_double(text, strlen(text), out);
}

static double random_double(uint64_t counter)
{
    const uint64_t bits = sq_random64(11, counter);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(integers_are_read_over_their_whole_range)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"-1", -1},
                {"000000000000000000000000012", 12},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"-9223372036854775807", -INT64_MAX},
                {"1000000000000000000", 1000000000000000000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 99;
        ck_assert_int_eq(parse_int(rows[i].text, &value), SEQREC_OK);
        ck_assert_int_eq(value, rows[i].value);
    }
}
END_TEST

START_TEST(integers_that_do_not_fit_are_out_of_range)
{
    static const char *const rows[] = {"9223372036854775808", "-9223372036854775809", "18446744073709551616",
                                       "99999999999999999999999999999999", "-99999999999999999999"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 99;
        ck_assert_int_eq(parse_int(rows[i], &value), SEQREC_E_RANGE);
        ck_assert_int_eq(value, 99);
    }
}
END_TEST

START_TEST(what_is_no_integer_is_refused)
{
    static const char *const rows[] = {
        "",        "-", "+", "--1", "+-1", " 1", "1 ", "1.0", "1e3", "0x10", "1,000", "1a", "99999999999999999999x",
        "\xd9\xa1"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 99;
        ck_assert_int_eq(parse_int(rows[i], &value), SEQREC_E_FORMAT);
        ck_assert_int_eq(value, 99);
    }
    int64_t value = 99;
    ck_assert_int_eq(sq_parse_int64("1\0", 2, &value), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_parse_int64("1234", 2, &value), SEQREC_OK);
    ck_assert_int_eq(value, 12);
}
END_TEST

START_TEST(reals_are_rounded_to_the_nearest_double)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = {{"0", 0},
                {"-1.5", -1.5},
                {"+.5", .5},
                {"5.", 5},
                {"1e3", 1000},
                {"1E+3", 1000},
                {"25e-2", .25},
                {"0.1", 0.1},
                {"123456789012345678", 123456789012345678.0},
                {"1e22", 1e22},
                {"1e23", 1e23},
                {"9007199254740993", 9007199254740992.0},
                {"9007199254740993.00000000000000000000000000001", 9007199254740994.0},
                {"2.2250738585072011e-308", 2.2250738585072011e-308},
                {"4.9e-324", 4.9e-324},
                {"2e-324", 0},
                {"3e-324", 4.9e-324},
                {"1e-400", 0},
                {"0e99999999999999999999", 0},
                {"1.7976931348623157e308", DBL_MAX},
                {"1.7976931348623158079e308", DBL_MAX},
                {"0.000000000000000000000000000001e30", 1},
                {"100000000000000000000000000000e-29", 1},
                {"1e-99999999999999999999", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = 99;
        ck_assert_int_eq(parse_real(rows[i].text, &value), SEQREC_OK);
        ck_assert_msg(value == rows[i].value, "%s gives %.17g", rows[i].text, value);
    }
}
END_TEST

START_TEST(minus_zero_keeps_its_sign)
{
    double value = 99;
    char text[SQ_NUMBER_BYTES];
    ck_assert_int_eq(parse_real("-0", &value), SEQREC_OK);
    ck_assert(value == 0 && signbit(value));
    ck_assert_uint_eq(sq_format_double(value, text), 2);
    ck_assert_str_eq(text, "-0");
}
END_TEST

START_TEST(what_is_no_real_is_refused)
{
    static const char *const rows[] = {"",          "-",     ".",   "-.",  "e5",   ".e5",   "1e",  "1e+",
                                       "1e5.5",     "1.2.3", "1,5", " 1",  "1 ",   "0x1p3", "nan", "inf",
                                       "-Infinity", "1d5",   "1f",  "--1", "1e5 ", "1_000"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = 99;
        ck_assert_msg(parse_real(rows[i], &value) == SEQREC_E_FORMAT, "'%s' is accepted", rows[i]);
        ck_assert_double_eq(value, 99);
    }
    double value = 99;
    ck_assert_int_eq(sq_parse_double("1\0", 2, &value), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_parse_double("1.25e7", 4, &value), SEQREC_OK);
    ck_assert_double_eq(value, 1.25);
}
END_TEST

START_TEST(reals_above_the_largest_double_are_out_of_range)
{
    static const char *const rows[] = {"1.7976931348623159e308", "-1e309", "1e99999999999999999999",
                                       "17976931348623159e292"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = 99;
        errno = 77;
        ck_assert_int_eq(parse_real(rows[i], &value), SEQREC_E_RANGE);
        ck_assert_double_eq(value, 99);
        ck_assert_int_eq(errno, 77);
    }
}
END_TEST

/* Half way between two doubles, decided by a digit a thousand places on; and numbers of which most digits are zeros. */
START_TEST(digits_far_out_still_decide)
{
    char text[3000];
    double value = 0;
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17);
    ck_assert_int_eq(sq_parse_double(text, 1500, &value), SEQREC_OK);
    ck_assert(value == 9007199254740992.0);
    text[1499] = '1';
    ck_assert_int_eq(sq_parse_double(text, 1500, &value), SEQREC_OK);
    ck_assert(value == 9007199254740994.0);
    memset(text, '0', sizeof text);
    text[1] = '.';
    memcpy(text + 2500, "25e2500", 7);
    ck_assert_int_eq(sq_parse_double(text, 2507, &value), SEQREC_OK);
    ck_assert(value == 250.0 / 10);
    memset(text, '0', sizeof text);
    text[0] = '3';
    memcpy(text + 2500, "e-2499", 6);
    ck_assert_int_eq(sq_parse_double(text, 2506, &value), SEQREC_OK);
    ck_assert(value == 3);
}
END_TEST

START_TEST(reading_agrees_with_the_c_library)
{
    char text[64];
    for (uint64_t i = 0; i < 200000; i++) {
        const int32_t digits = 1 + (int32_t)sq_random_below(12, 3 * i, 20);
        const int32_t exponent = (int32_t)sq_random_below(12, 3 * i + 1, 60) - 40;
        (void)snprintf(text, sizeof text, "%.*g", digits, random_double(i));
        if (i % 2 == 0)
            (void)snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)sq_random_below(13, i, 100000),
                           (unsigned long long)(sq_random64(14, i) >> (3 * digits)), (int)exponent);
        const double expected = strtod(text, NULL);
        double value = 99;
        if (!isfinite(expected)) continue;
        ck_assert_int_eq(parse_real(text, &value), SEQREC_OK);
        if (value != expected) ck_abort_msg("%s gives %.17g", text, value);
    }
}
END_TEST

START_TEST(few_digits_are_written)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {1, "1"},
                {-1, "-1"},
                {0.1, "0.1"},
                {0.001, "0.001"},
                {1e-8, "1e-08"},
                {200, "200"},
                {0.1 + 0.2, "0.30000000000000004"},
                {0.12345678901, "0.12345678901"},
                {DBL_MAX, "1.7976931348623157e+308"},
                {5e-324, "4.94065646e-324"},
                {123456789, "123456789"},
                {NAN, "nan"},
                {INFINITY, "inf"},
                {-INFINITY, "-inf"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SQ_NUMBER_BYTES];
        ck_assert_uint_eq(sq_format_double(rows[i].value, text), strlen(rows[i].text));
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

START_TEST(what_is_written_reads_back_the_same)
{
    char text[SQ_NUMBER_BYTES];
    for (uint64_t i = 0; i < 100000; i++) {
        const double value = i % 2 == 0 ? random_double(i) : (float)sq_random_unit(15, i);
        double back = 99;
        if (!isfinite(value)) continue;
        const size_t length = sq_format_double(value, text);
        ck_assert_uint_lt(length, sizeof text);
        ck_assert_int_eq(sq_parse_double(text, length, &back), SEQREC_OK);
        if (memcmp(&back, &value, sizeof back) != 0) ck_abort_msg("%.17g is written as %s", value, text);
    }
}
END_TEST

static void check_numbers_under_this_locale(void)
{
    char text[SQ_NUMBER_BYTES];
    seqrec_error error;
    double value = 0;
    (void)snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_ne(text, "0.5"); /* the locale is another one indeed */
    ck_assert_uint_eq(sq_format_double(0.25, text), 4);
    ck_assert_str_eq(text, "0.25");
    (void)sq_format_double(-1.7976931348623157e308, text);
    ck_assert_str_eq(text, "-1.7976931348623157e+308");
    ck_assert_int_eq(parse_real("0.1", &value), SEQREC_OK);
    ck_assert(value == 0.1);
    ck_assert_int_eq(parse_real("0.12345678901234567890", &value), SEQREC_OK);
    ck_assert(value == 1234567890123456789e-19);
    ck_assert_int_eq(parse_real("0,1", &value), SEQREC_E_FORMAT);
    (void)sq_fail(&error, SEQREC_E_RANGE, "dropout is %g", 1.5);
    ck_assert_str_eq(error.message, "dropout is 1.5");
    (void)snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_ne(text, "0.5"); /* and still is */
}

/* German has a comma; Pashto's decimal point takes two bytes. */
START_TEST(numbers_do_not_depend_on_the_locale)
{
    static const char *const sources[] = {"de_DE", "ps_AF"};
    if (use_locale(sources[_i]))
        check_numbers_under_this_locale();
    else
        (void)printf("# skipped: no locale %s and no way to make one\n", sources[_i]);
}
END_TEST

START_TEST(the_distance_of_names_counts_edits)
{
    static const struct {
        const char *a, *b;
        int32_t distance;
    } rows[] = {{"", "", 0},
                {"", "abc", 3},
                {"abc", "", 3},
                {"dim", "dim", 0},
                {"DIM", "dim", 0},
                {"kitten", "sitting", 3},
                {"learning_rate", "learningrate", 1},
                {"hed", "heads", 2},
                {"ab", "ba", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(sq_name_distance(rows[i].a, rows[i].b), rows[i].distance);
        ck_assert_int_eq(sq_name_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
    static const char *const names[] = {"dim", "blocks", "heads", "max_length", "dropout", "learning_rate", "heats"};
    const size_t n = sizeof names / sizeof names[0];
    char longer[1000];
    ck_assert_str_eq(sq_nearest_name("learning-rate", names, n), "learning_rate");
    ck_assert_str_eq(sq_nearest_name("Dropuot", names, n), "dropout");
    ck_assert_str_eq(sq_nearest_name("heas", names, n), "heads");
    ck_assert_ptr_null(sq_nearest_name("dim", names, 0));
    memset(longer, 'q', sizeof longer);
    longer[999] = 0;
    ck_assert_ptr_nonnull(sq_nearest_name(longer, names, n));
}
END_TEST

START_TEST(a_long_path_is_shown_by_its_end)
{
    char path[400];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    ck_assert_uint_eq(strlen(sq_path_tail(path)), 100);
    memcpy(path + sizeof path - 1 - 101, "\xc3\xa9", 2); /* the cut falls inside this character */
    ck_assert_uint_eq(strlen(sq_path_tail(path)), 99);
    ck_assert_str_eq(sq_path_tail("short"), "short");
    ck_assert_str_eq(sq_path_tail(NULL), "");
}
END_TEST

START_TEST(reasons_are_told_in_words)
{
    ck_assert_str_eq(sq_errno_text(ENOSPC), "no space left on the device");
    ck_assert_str_eq(sq_errno_text(123456), "error of the operating system");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, integers_are_read_over_their_whole_range);
    tcase_add_test(tests, integers_that_do_not_fit_are_out_of_range);
    tcase_add_test(tests, what_is_no_integer_is_refused);
    tcase_add_test(tests, reals_are_rounded_to_the_nearest_double);
    tcase_add_test(tests, minus_zero_keeps_its_sign);
    tcase_add_test(tests, what_is_no_real_is_refused);
    tcase_add_test(tests, reals_above_the_largest_double_are_out_of_range);
    tcase_add_test(tests, digits_far_out_still_decide);
    tcase_add_test(tests, reading_agrees_with_the_c_library);
    tcase_add_test(tests, few_digits_are_written);
    tcase_add_test(tests, what_is_written_reads_back_the_same);
    tcase_add_loop_test(tests, numbers_do_not_depend_on_the_locale, 0, 2);
    tcase_add_test(tests, the_distance_of_names_counts_edits);
    tcase_add_test(tests, the_nearest_name_is_suggested);
    tcase_add_test(tests, a_long_path_is_shown_by_its_end);
    tcase_add_test(tests, reasons_are_told_in_words);
    tcase_set_timeout(tests, 60);
    Suite *suite = suite_create("text");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
