/* unit: the version calls and the names of status codes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run_suite.h"
#include "seqrec.h"

START_TEST(version_of_the_library_is_the_version_of_the_header)
{
    ck_assert_int_eq(seqrec_version(), SEQREC_VERSION_NUMBER);
}
END_TEST

START_TEST(build_info_starts_with_the_version)
{
    char expected[32];
    int length = snprintf(expected, sizeof expected, "%d.%d.%d ", SEQREC_VERSION_MAJOR, SEQREC_VERSION_MINOR,
                          SEQREC_VERSION_PATCH);
    ck_assert_int_eq(strncmp(seqrec_build_info(), expected, (size_t)length), 0);
}
END_TEST

START_TEST(every_status_has_its_own_name)
{
    static const struct {
        int32_t status;
        const char *name;
    } rows[] = {
        {SEQREC_OK, "SEQREC_OK"},
        {SEQREC_E_ARGUMENT, "SEQREC_E_ARGUMENT"},
        {SEQREC_E_RANGE, "SEQREC_E_RANGE"},
        {SEQREC_E_UNSUPPORTED, "SEQREC_E_UNSUPPORTED"},
        {SEQREC_E_MEMORY, "SEQREC_E_MEMORY"},
        {SEQREC_E_NOT_FOUND, "SEQREC_E_NOT_FOUND"},
        {SEQREC_E_EXISTS, "SEQREC_E_EXISTS"},
        {SEQREC_E_STATE, "SEQREC_E_STATE"},
        {SEQREC_E_FORMAT, "SEQREC_E_FORMAT"},
        {SEQREC_E_IO, "SEQREC_E_IO"},
        {SEQREC_E_CANCELLED, "SEQREC_E_CANCELLED"},
        {SEQREC_E_NUMERIC, "SEQREC_E_NUMERIC"},
        {SEQREC_E_DEPENDENCY, "SEQREC_E_DEPENDENCY"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(seqrec_status_name(rows[i].status), rows[i].name);
}
END_TEST

START_TEST(a_number_that_is_no_status_has_a_name_too)
{
    ck_assert_str_eq(seqrec_status_name(1), "SEQREC_E_UNKNOWN");
    ck_assert_str_eq(seqrec_status_name(-13), "SEQREC_E_UNKNOWN");
    ck_assert_str_eq(seqrec_status_name(INT32_MAX), "SEQREC_E_UNKNOWN");
    ck_assert_str_eq(seqrec_status_name(INT32_MIN), "SEQREC_E_UNKNOWN");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("version");
    tcase_add_test(tests, version_of_the_library_is_the_version_of_the_header);
    tcase_add_test(tests, build_info_starts_with_the_version);
    tcase_add_test(tests, every_status_has_its_own_name);
    tcase_add_test(tests, a_number_that_is_no_status_has_a_name_too);
    Suite *suite = suite_create("version");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
