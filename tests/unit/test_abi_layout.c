/* unit: offsets and numbers that programs already linked were compiled with (node SEQREC_1.0). */
#include "api/structs.h"
#include "run_suite.h"
#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "seqrec.h"

typedef struct row {
    const char *name;
    long now, promised;
} row;

/* clang-format off */
#define FIELD(type, field, offset) {#type "." #field, (long)offsetof(type, field), (offset)}
#define NUMBER(name, value) {#name, (name), (value)}
/* clang-format on */

static void check_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(rows[i].now == rows[i].promised, "%s is %ld, programs have %ld", rows[i].name, rows[i].now,
                      rows[i].promised);
}

START_TEST(the_error_struct_is_frozen)
{
    static const row rows[] = {
        {"sizeof(seqrec_error)", (long)sizeof(seqrec_error), 256},
        FIELD(seqrec_error, status, 0),
        FIELD(seqrec_error, reserved, 4),
        FIELD(seqrec_error, message, 8),
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}
END_TEST

#if UINTPTR_MAX == UINT64_MAX
/* Fields are added behind; programs of the first release go on sending as many bytes as they knew. */
START_TEST(structs_of_the_first_release_stay_long_enough)
{
    static const row rows[] = {
        {"allocator", (long)SQ_ALLOCATOR_FIRST, 32}, {"executor", (long)SQ_EXECUTOR_FIRST, 32},
        {"option_info", (long)SQ_OPTION_INFO_FIRST, 80}, {"batch", (long)SQ_BATCH_FIRST, 80},
        {"filter", (long)SQ_FILTER_FIRST, 56},
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}
END_TEST

START_TEST(fields_stay_where_programs_expect_them)
{
    static const row rows[] = {
        FIELD(seqrec_allocator, struct_size, 0), FIELD(seqrec_allocator, context, 8),
        FIELD(seqrec_allocator, allocate, 16),   FIELD(seqrec_allocator, release, 24),
        FIELD(seqrec_executor, struct_size, 0),  FIELD(seqrec_executor, context, 8),
        FIELD(seqrec_executor, width, 16),       FIELD(seqrec_executor, reserved, 20),
        FIELD(seqrec_executor, run, 24),         FIELD(seqrec_option_info, struct_size, 0),
        FIELD(seqrec_option_info, name, 8),      FIELD(seqrec_option_info, scope, 16),
        FIELD(seqrec_option_info, kind, 24),     FIELD(seqrec_option_info, initial, 32),
        FIELD(seqrec_option_info, choices, 40),  FIELD(seqrec_option_info, lowest, 48),
        FIELD(seqrec_option_info, highest, 56),  FIELD(seqrec_option_info, since, 64),
        FIELD(seqrec_option_info, help, 72),     FIELD(seqrec_batch, struct_size, 0),
        FIELD(seqrec_batch, sequences, 8),       FIELD(seqrec_batch, offsets, 16),
        FIELD(seqrec_batch, items, 24),          FIELD(seqrec_batch, timestamps, 32),
        FIELD(seqrec_batch, values, 40),         FIELD(seqrec_batch, weights, 48),
        FIELD(seqrec_batch, actions, 56),        FIELD(seqrec_batch, users, 64),
        FIELD(seqrec_batch, request_times, 72),  FIELD(seqrec_filter, struct_size, 0),
        FIELD(seqrec_filter, exclude_seen, 8),   FIELD(seqrec_filter, unknown_items, 12),
        FIELD(seqrec_filter, allow, 16),         FIELD(seqrec_filter, allow_count, 24),
        FIELD(seqrec_filter, deny, 32),          FIELD(seqrec_filter, deny_count, 40),
        FIELD(seqrec_filter, skipped, 48),       FIELD(seqrec_filter, strangers, 56),
        FIELD(seqrec_filter, bits, 64),          FIELD(seqrec_filter, bits_first, 72),
        FIELD(seqrec_filter, bits_count, 80),
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}
END_TEST
#endif

START_TEST(numbers_of_names_stay)
{
    static const row rows[] = {
        NUMBER(SEQREC_OK, 0),
        NUMBER(SEQREC_E_ARGUMENT, -1),
        NUMBER(SEQREC_E_RANGE, -2),
        NUMBER(SEQREC_E_UNSUPPORTED, -3),
        NUMBER(SEQREC_E_MEMORY, -4),
        NUMBER(SEQREC_E_NOT_FOUND, -5),
        NUMBER(SEQREC_E_EXISTS, -6),
        NUMBER(SEQREC_E_STATE, -7),
        NUMBER(SEQREC_E_FORMAT, -8),
        NUMBER(SEQREC_E_IO, -9),
        NUMBER(SEQREC_E_CANCELLED, -10),
        NUMBER(SEQREC_E_NUMERIC, -11),
        NUMBER(SEQREC_E_DEPENDENCY, -12),
        NUMBER(SEQREC_UNKNOWN_SKIP, 0),
        NUMBER(SEQREC_UNKNOWN_ERROR, 1),
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("layout");
    tcase_add_test(tests, the_error_struct_is_frozen);
#if UINTPTR_MAX == UINT64_MAX
    tcase_add_test(tests, fields_stay_where_programs_expect_them);
    tcase_add_test(tests, structs_of_the_first_release_stay_long_enough);
#endif
    tcase_add_test(tests, numbers_of_names_stay);
    Suite *suite = suite_create("abi_layout");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
