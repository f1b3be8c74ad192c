/* unit: the names of items: both directions, changes, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "failing_allocator.h"
#include "model/itemnames.h"
#include "run_suite.h"

static failing_allocator memory;
static seqrec_context *context;
static sq_item_names *now;
static seqrec_error error;

static void open_names(void)
{
    seqrec_allocator allocator = failing_allocator_of(&memory);
    ck_assert_int_eq(sq_context_create(&allocator, NULL, 0, NULL, NULL, &context, NULL), SEQREC_OK);
    ck_assert_int_eq(sq_item_names_create(context, &now, NULL), SEQREC_OK);
}

static void close_names(void)
{
    sq_item_names_release(now);
    sq_context_release(context);
    ck_assert_int_eq(atomic_load(&memory.blocks), 0);
}

static int32_t keep(int32_t status, sq_item_names **made)
{
    if (status != SEQREC_OK) return status;
    sq_item_names_release(now);
    now = *made;
    return SEQREC_OK;
}

static int32_t with(const int64_t *ids, const char *const *names, int64_t n)
{
    sq_item_names *made = NULL;
    return keep(sq_item_names_with(now, ids, names, n, &made, &error), &made);
}

static int32_t with_one(int64_t id, const char *name)
{
    return with(&id, &name, 1);
}

static int32_t without_one(int64_t id)
{
    sq_item_names *made = NULL;
    return keep(sq_item_names_without(now, &id, 1, &made, &error), &made);
}

/* Holds in both directions. */
static int32_t named(const sq_item_names *names, int64_t id, const char *name)
{
    int64_t other = ~id;
    const char *found = sq_item_names_get(names, id);
    return found && strcmp(found, name) == 0 && sq_item_names_find(names, name, &other) && other == id;
}

static int32_t unused(const char *name)
{
    int64_t id;
    return !sq_item_names_find(now, name, &id);
}

START_TEST(a_name_is_found_in_both_directions)
{
    const int64_t ids[] = {INT64_MIN, -1, 0, INT64_MAX};
    const char *const names[] = {"a", "tt0111161", "12345678", "Am\xc3\xa9lie \xe6\x97\xa5\xe6\x9c\xac"};
    ck_assert_int_eq(with(ids, names, 4), SEQREC_OK);
    for (int32_t i = 0; i < 4; i++) ck_assert(named(now, ids[i], names[i]));
    ck_assert_int_eq(sq_item_names_count(now), 4);
    ck_assert(unused("b") && unused("1234567") && unused("123456789"));
    ck_assert_ptr_null(sq_item_names_get(now, 5));
}
END_TEST

START_TEST(a_new_name_takes_the_place_of_the_old_one)
{
    ck_assert_int_eq(with_one(1, "old"), SEQREC_OK);
    ck_assert_int_eq(with_one(1, "new"), SEQREC_OK);
    ck_assert(named(now, 1, "new") && unused("old"));
    ck_assert_int_eq(sq_item_names_count(now), 1);
    ck_assert_int_eq(with_one(2, "old"), SEQREC_OK);
    ck_assert_int_eq(with_one(2, "old"), SEQREC_OK);
    ck_assert(named(now, 2, "old"));
}
END_TEST

START_TEST(two_items_can_swap_their_names_in_one_call)
{
    const int64_t ids[] = {1, 2};
    const char *const names[] = {"x", "y"}, *const swapped[] = {"y", "x"};
    ck_assert_int_eq(with(ids, names, 2), SEQREC_OK);
    ck_assert_int_eq(with(ids, swapped, 2), SEQREC_OK);
    ck_assert(named(now, 1, "y") && named(now, 2, "x"));
}
END_TEST

START_TEST(a_name_that_another_item_has_is_refused_and_nothing_changes)
{
    const int64_t ids[] = {5, 6};
    const char *const taken[] = {"free", "taken"}, *const same[] = {"same", "same"};
    ck_assert_int_eq(with_one(1, "taken"), SEQREC_OK);
    ck_assert_int_eq(with(ids, taken, 2), SEQREC_E_EXISTS);
    ck_assert_ptr_nonnull(strstr(error.message, "\"taken\" for item 6"));
    ck_assert_ptr_nonnull(strstr(error.message, "of item 1"));
    ck_assert_int_eq(with(ids, same, 2), SEQREC_E_EXISTS);
    ck_assert_int_eq(sq_item_names_count(now), 1);
    ck_assert(unused("free") && unused("same") && named(now, 1, "taken"));
}
END_TEST

START_TEST(an_id_twice_in_one_call_is_refused)
{
    const int64_t ids[] = {5, 5};
    const char *const names[] = {"a", "b"};
    ck_assert_int_eq(with(ids, names, 2), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_item_names_count(now), 0);
}
END_TEST

START_TEST(names_have_one_to_4096_bytes)
{
    char longest[SQ_NAME_BYTES + 2];
    memset(longest, 'n', sizeof longest);
    longest[SQ_NAME_BYTES] = 0;
    ck_assert_int_eq(with_one(1, longest), SEQREC_OK);
    ck_assert(named(now, 1, longest));
    longest[SQ_NAME_BYTES] = 'n';
    longest[SQ_NAME_BYTES + 1] = 0;
    ck_assert_int_eq(with_one(2, longest), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(with_one(2, ""), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(with_one(2, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(with(NULL, NULL, -1), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_item_names_count(now), 1);
}
END_TEST

START_TEST(a_name_that_is_not_utf8_is_refused_with_the_byte)
{
    static const char *const bad[] = {"ab\xff", "ab\xc3", "ab\xed\xa0\x80", "ab\xc0\x80", "ab\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(with_one(77, bad[i]), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(error.message, "77") && strstr(error.message, "byte 2"), "%s", error.message);
    }
}
END_TEST

START_TEST(a_removed_name_is_not_found_and_can_be_given_again)
{
    ck_assert_int_eq(with_one(1, "one"), SEQREC_OK);
    ck_assert_int_eq(with_one(2, "two"), SEQREC_OK);
    ck_assert_int_eq(without_one(1), SEQREC_OK);
    ck_assert_int_eq(without_one(50), SEQREC_OK);
    ck_assert(unused("one") && named(now, 2, "two"));
    ck_assert_ptr_null(sq_item_names_get(now, 1));
    ck_assert_int_eq(sq_item_names_count(now), 1);
    ck_assert_int_eq(with_one(3, "one"), SEQREC_OK);
    ck_assert(named(now, 3, "one"));
}
END_TEST

START_TEST(an_old_table_keeps_its_names)
{
    ck_assert_int_eq(with_one(1, "one"), SEQREC_OK);
    sq_item_names *old = sq_item_names_retain(now);
    const char *text = sq_item_names_get(old, 1);
    ck_assert_int_eq(with_one(1, "uno"), SEQREC_OK);
    ck_assert_int_eq(with_one(2, "one"), SEQREC_OK);
    ck_assert_str_eq(text, "one");
    ck_assert(named(old, 1, "one") && named(now, 1, "uno") && named(now, 2, "one"));
    ck_assert_int_eq(sq_item_names_count(old), 1);
    sq_item_names_release(old);
}
END_TEST

enum { KEYS = 6000 };

static const char *text_of(char *text, int32_t id, int32_t version)
{
    snprintf(text, 40, version % 3 ? "n%d.%d" : "a longer name %d.%d", (int)id, (int)version);
    return text;
}

/* Gives ids first..first+n the names of `version`. */
static void name_range(int32_t first, int32_t n, int32_t version)
{
    int64_t *ids = malloc((size_t)n * sizeof *ids);
    const char **names = malloc((size_t)n * sizeof *names);
    char *texts = malloc((size_t)n * 40);
    for (int32_t i = 0; i < n; i++) {
        ids[i] = first + i;
        names[i] = text_of(texts + i * 40, first + i, version);
    }
    ck_assert_int_eq(with(ids, names, n), SEQREC_OK);
    free(ids);
    free(names);
    free(texts);
}

START_TEST(random_changes_agree_with_a_simple_model)
{
    int32_t versions[KEYS], count = 0;
    char text[40];
    memset(versions, -1, sizeof versions);
    for (int32_t step = 0; step < 400; step++) {
        uint64_t key = sq_random_key(3, 0, (uint64_t)step);
        int32_t n = 1 + (int32_t)sq_random_below(key, 0, step % 40 == 0 ? 3000 : 20);
        int32_t first = (int32_t)sq_random_below(key, 1, (uint64_t)(KEYS - n + 1));
        int32_t removing = sq_random_below(key, 2, 3) == 0;
        if (!removing) name_range(first, n, step);
        for (int32_t id = first; id < first + n; id++) {
            if (removing && n <= 20) ck_assert_int_eq(without_one(id), SEQREC_OK);
            if (!removing || n <= 20) versions[id] = removing ? -1 : step;
        }
    }
    for (int32_t id = 0; id < KEYS; id++) {
        count += versions[id] >= 0;
        if (versions[id] >= 0)
            ck_assert(named(now, id, text_of(text, id, versions[id])));
        else
            ck_assert_ptr_null(sq_item_names_get(now, id));
    }
    ck_assert_int_eq(sq_item_names_count(now), count);
    ck_assert_int_gt(count, 1000);
}
END_TEST

START_TEST(a_walk_meets_every_name_once)
{
    uint8_t seen[KEYS] = {0};
    name_range(0, KEYS, 1);
    sq_name_cursor cursor = {0, 0};
    int64_t id, count = 0;
    const char *name;
    char text[40];
    while (sq_item_names_next(now, &cursor, &id, &name)) {
        ck_assert_str_eq(name, text_of(text, (int32_t)id, 1));
        ck_assert_int_eq(seen[id]++, 0);
        count++;
    }
    ck_assert_int_eq(count, KEYS);
}
END_TEST

static int32_t change(int32_t kind)
{
    const int64_t ids[] = {1, 500, 7000};
    const char *const names[] = {"new one", "new two", "n1.1"};
    sq_item_names *made = NULL;
    if (kind == 0) return with(ids, names, 3);
    if (kind == 1) return keep(sq_item_names_without(now, ids, 3, &made, &error), &made);
    if (kind == 2) return keep(sq_item_names_create(context, &made, &error), &made);
    int64_t *many = malloc(4000 * sizeof *many);
    const char **texts = malloc(4000 * sizeof *texts);
    char *bytes = malloc(4000 * 40);
    for (int32_t i = 0; i < 4000; i++) {
        many[i] = 10000 + i;
        texts[i] = text_of(bytes + i * 40, i, 2);
    }
    int32_t status = with(many, texts, 4000);
    free(many);
    free(texts);
    free(bytes);
    return status;
}

START_TEST(a_change_that_runs_out_of_memory_changes_nothing_and_leaks_nothing)
{
    name_range(0, 1000, 1);
    int64_t blocks = atomic_load(&memory.blocks), n = 0;
    for (;; n++) {
        const sq_item_names *before = now;
        atomic_store(&memory.to_fail, n);
        int32_t status = change(_i);
        atomic_store(&memory.to_fail, -1);
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_ptr_eq(now, before);
        ck_assert_int_eq(atomic_load(&memory.blocks), blocks);
        ck_assert(named(now, 1, "n1.1"));
    }
    ck_assert_int_ge(n, 5);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("itemnames");
    tcase_add_checked_fixture(tests, open_names, close_names);
    tcase_add_test(tests, a_name_is_found_in_both_directions);
    tcase_add_test(tests, a_new_name_takes_the_place_of_the_old_one);
    tcase_add_test(tests, two_items_can_swap_their_names_in_one_call);
    tcase_add_test(tests, a_name_that_another_item_has_is_refused_and_nothing_changes);
    tcase_add_test(tests, an_id_twice_in_one_call_is_refused);
    tcase_add_test(tests, names_have_one_to_4096_bytes);
    tcase_add_test(tests, a_name_that_is_not_utf8_is_refused_with_the_byte);
    tcase_add_test(tests, a_removed_name_is_not_found_and_can_be_given_again);
    tcase_add_test(tests, an_old_table_keeps_its_names);
    tcase_add_test(tests, random_changes_agree_with_a_simple_model);
    tcase_add_test(tests, a_walk_meets_every_name_once);
    tcase_add_loop_test(tests, a_change_that_runs_out_of_memory_changes_nothing_and_leaks_nothing, 0, 4);
    Suite *suite = suite_create("itemnames");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
