/* unit: several datasets joined into one are the dataset of one file with all their lines. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "counting_allocator.h"
#include "data/reader.h"
#include "dataset_text.h"
#include "run_suite.h"

enum { PARTS = 3 };

static counting_allocator host;
static seqrec_context *context;
static seqrec_error error;
static seqrec_dataset *parts[PARTS], *joined, *whole;

static void set_up(void)
{
    host = (counting_allocator){0};
    seqrec_allocator allocator = counting_host(&host);
    memset(&error, 0, sizeof error);
    ck_assert_int_eq(seqrec_context_create(&allocator, NULL, 0, NULL, NULL, &context, &error), SEQREC_OK);
}

static void release(seqrec_dataset **held)
{
    seqrec_dataset_release(*held);
    *held = NULL;
}

static void release_all(void)
{
    for (int p = 0; p < PARTS; p++) release(&parts[p]);
    release(&joined);
    release(&whole);
}

static void tear_down(void)
{
    release_all();
    seqrec_context_release(context);
    ck_assert_int_eq(host.blocks, 0);
}

static void read_text(const char *text, seqrec_dataset **out)
{
    ck_assert_msg(sq_read_memory(context, text, strlen(text), NULL, SQ_BLOCK_BYTES, out, &error) == SEQREC_OK, "%s",
                  error.message);
}

static int32_t join(int64_t count, int32_t apart)
{
    return seqrec_dataset_join((const seqrec_dataset *const *)parts, count, apart, &joined, &error);
}

static void expect_joined(int64_t count, int32_t apart, const char *text)
{
    ck_assert_msg(join(count, apart) == SEQREC_OK, "%s", error.message);
    ck_assert_str_eq(dataset_text(joined), text);
}

static void expect_refused(const char *message)
{
    ck_assert_int_eq(join(2, 0), SEQREC_E_ARGUMENT);
    ck_assert_msg(strstr(error.message, message) != NULL, "%s", error.message);
    ck_assert_ptr_null(joined);
}

#define HEADER "user,item,rating,timestamp\n"

START_TEST(users_and_items_are_matched_by_id)
{
    read_text("7 1\n7 2\n8 1\n", &parts[0]);
    read_text("9 3\n7 1\n", &parts[1]);
    expect_joined(2, 0, "7: 1 2 1; 8: 1; 9: 3");
}
END_TEST

START_TEST(users_kept_apart_are_numbered_in_the_order_of_the_parts)
{
    read_text("7 1\n7 2\n8 1\n", &parts[0]);
    read_text("9 3\n7 1\n", &parts[1]);
    expect_joined(2, 1, "1: 1 2; 2: 1; 3: 3; 4: 1");
}
END_TEST

START_TEST(named_users_and_items_are_matched_by_name)
{
    read_text(HEADER "ann,x,1,5\nbob,y,2,4\n", &parts[0]);
    read_text(HEADER "bob,x,3,3\ncat,z,4,2\n", &parts[1]);
    expect_joined(2, 0, "1(ann): 1(x)@5*1; 2(bob): 1(x)@3*3 2(y)@4*2; 3(cat): 3(z)@2*4");
}
END_TEST

START_TEST(named_users_kept_apart_keep_their_names)
{
    read_text(HEADER "ann,x,1,5\nbob,y,2,4\n", &parts[0]);
    read_text(HEADER "bob,x,3,3\ncat,z,4,2\n", &parts[1]);
    expect_joined(2, 1, "1(ann): 1(x)@5*1; 2(bob): 2(y)@4*2; 3(bob): 1(x)@3*3; 4(cat): 3(z)@2*4");
}
END_TEST

START_TEST(what_is_made_of_users_kept_apart_keeps_them_apart)
{
    seqrec_dataset *made = NULL, *copy = NULL;
    read_text(HEADER "ann,x,1,5\nann,y,1,5\n", &parts[0]);
    parts[1] = seqrec_dataset_retain(parts[0]);
    expect_joined(2, 0, "1(ann): 1(x)@5*1 2(y)@5*1 1(x)@5*1 2(y)@5*1");
    ck_assert_int_eq(joined->users_apart, 0);
    release(&joined);
    ck_assert_int_eq(join(2, 1), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_kcore(joined, 2, 2, &made, &error), SEQREC_OK);
    ck_assert_int_eq(made->users_apart, 1);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(made, 1, &copy, &error), SEQREC_OK);
    ck_assert_int_eq(copy->users_apart, 1);
    release(&copy);
    release(&parts[0]);
    release(&joined);
    parts[0] = made;
    expect_refused("users of parts[0] are apart");
    ck_assert_int_eq(join(1, 0), SEQREC_E_ARGUMENT);
    expect_joined(2, 1, "1(ann): 1(x)@5*1 2(y)@5*1; 2(ann): 1(x)@5*1 2(y)@5*1; 3(ann): 1(x)@5*1 2(y)@5*1");
}
END_TEST

START_TEST(names_that_look_like_numbers_stay_names)
{
    seqrec_dataset *all = NULL;
    read_text("ann 7\nann 7\nbob x\n", &all);
    ck_assert_int_eq(seqrec_dataset_kcore(all, 2, 2, &parts[0], &error), SEQREC_OK);
    release(&all);
    expect_joined(1, 0, "1(ann): 1(7) 1(7)");
}
END_TEST

START_TEST(one_part_is_itself_and_a_part_given_twice_counts_twice)
{
    read_text("7 1\n7 2\n8 1\n", &parts[0]);
    expect_joined(1, 0, "7: 1 2; 8: 1");
    ck_assert_uint_eq(joined->hash, parts[0]->hash);
    release(&joined);
    parts[1] = seqrec_dataset_retain(parts[0]);
    expect_joined(2, 0, "7: 1 2 1 2; 8: 1 1");
}
END_TEST

START_TEST(values_are_kept_where_all_parts_have_them)
{
    read_text(HEADER "1,2,3,5\n", &parts[0]);
    read_text("user,item,timestamp\n1,3,4\n", &parts[1]);
    expect_joined(2, 0, "1: 3@4 2@5");
}
END_TEST

START_TEST(an_empty_part_adds_nothing)
{
    const seqrec_batch nothing = {.struct_size = sizeof nothing};
    ck_assert_int_eq(seqrec_dataset_create(context, &nothing, &parts[0], &error), SEQREC_OK);
    read_text(HEADER "ann,x,1,5\n", &parts[1]);
    expect_joined(2, 0, "1(ann): 1(x)@5*1");
    release(&joined);
    expect_joined(2, 1, "1(ann): 1(x)@5*1");
    release(&joined);
    expect_joined(1, 1, "");
}
END_TEST

START_TEST(mixtures_that_cannot_be_matched_are_refused)
{
    read_text("1 2\n", &parts[0]);
    read_text("1 x\n", &parts[1]);
    expect_refused("parts[1] has names of items and parts[0] has numbers");
    release(&parts[1]);
    read_text("ann 2\n", &parts[1]);
    expect_refused("parts[1] has names of users and parts[0] has numbers");
    release(&parts[1]);
    read_text("user,item,timestamp\n1,3,4\n", &parts[1]);
    expect_refused("parts[1] has timestamps and parts[0] has none");
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    read_text("1 2\n", &parts[0]);
    ck_assert_int_eq(seqrec_dataset_join(NULL, 1, 0, &joined, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_join((const seqrec_dataset *const *)parts, 1, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(join(0, 0), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(join(2, 0), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "parts[1] is NULL"));
    ck_assert_int_eq(join(1, 2), SEQREC_E_RANGE);
    ck_assert_ptr_null(joined);
}
END_TEST

/* Lines of 40 events with few users, items and times; as texts when `named`. */
static void write_lines(uint64_t key, int named, int timed, char *lines, size_t room, size_t ends[40])
{
    size_t used = 0;
    for (uint64_t e = 0; e < 40; e++) {
        append_text(lines, room, &used, "%s%d,%s%d", named ? "u" : "", (int)sq_random_below(key, 3 * e, 9),
                    named ? "i" : "", (int)sq_random_below(key, 3 * e + 1, 12));
        if (timed) append_text(lines, room, &used, ",%d", (int)sq_random_below(key, 3 * e + 2, 6));
        append_text(lines, room, &used, "\n");
        ends[e] = used;
    }
}

static void read_lines(int timed, const char *lines, size_t bytes, seqrec_dataset **out)
{
    char text[2048];
    snprintf(text, sizeof text, "user,item%s\n%.*s", timed ? ",timestamp" : "", (int)bytes, lines);
    read_text(text, out);
}

START_TEST(joined_files_are_one_file_with_all_lines)
{
    for (uint64_t round = 0; round < 200; round++) {
        const uint64_t key = sq_random_key(23, 0, round);
        const int named = round & 1, timed = round >> 1 & 1;
        char lines[1024];
        size_t ends[40];
        write_lines(key, named, timed, lines, sizeof lines, ends);
        const size_t cut = ends[sq_random_below(key, 1000, 20)], next = ends[20 + sq_random_below(key, 1001, 19)];
        read_lines(timed, lines, ends[39], &whole);
        read_lines(timed, lines, cut, &parts[0]);
        read_lines(timed, lines + cut, next - cut, &parts[1]);
        read_lines(timed, lines + next, ends[39] - next, &parts[2]);
        char expected[4096];
        snprintf(expected, sizeof expected, "%s", dataset_text(whole));
        expect_joined(PARTS, 0, expected);
        ck_assert_uint_eq(joined->hash, whole->hash);
        release_all();
    }
}
END_TEST

START_TEST(any_failing_allocation_leaves_nothing_behind)
{
    read_text(HEADER "ann,x,1,5\nbob,y,2,4\n", &parts[0]);
    read_text(HEADER "bob,x,3,3\ncat,z,4,2\n", &parts[1]);
    for (int32_t apart = 0; apart < 2; apart++) {
        const int64_t blocks = host.blocks;
        int64_t failed = 0;
        for (int64_t n = 1;; n++, failed++) {
            host.requests = 0;
            host.fail_at = n;
            const int32_t status = join(2, apart);
            host.fail_at = 0;
            if (status == SEQREC_OK) break;
            ck_assert_int_eq(status, SEQREC_E_MEMORY);
            ck_assert_ptr_null(joined);
            ck_assert_int_eq(host.blocks, blocks);
        }
        ck_assert_int_ge(failed, 15);
        release(&joined);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("join");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, users_and_items_are_matched_by_id);
    tcase_add_test(tests, users_kept_apart_are_numbered_in_the_order_of_the_parts);
    tcase_add_test(tests, named_users_and_items_are_matched_by_name);
    tcase_add_test(tests, named_users_kept_apart_keep_their_names);
    tcase_add_test(tests, what_is_made_of_users_kept_apart_keeps_them_apart);
    tcase_add_test(tests, names_that_look_like_numbers_stay_names);
    tcase_add_test(tests, one_part_is_itself_and_a_part_given_twice_counts_twice);
    tcase_add_test(tests, values_are_kept_where_all_parts_have_them);
    tcase_add_test(tests, an_empty_part_adds_nothing);
    tcase_add_test(tests, mixtures_that_cannot_be_matched_are_refused);
    tcase_add_test(tests, wrong_arguments_are_refused);
    tcase_add_test(tests, joined_files_are_one_file_with_all_lines);
    tcase_add_test(tests, any_failing_allocation_leaves_nothing_behind);
    Suite *suite = suite_create("join");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
