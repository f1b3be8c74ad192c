/* unit: the short texts a model carries by key. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "failing_allocator.h"
#include "model/notes.h"
#include "run_suite.h"

static failing_allocator memory;
static seqrec_context *context;
static sq_notes *now;
static seqrec_error error;

static void open_notes(void)
{
    seqrec_allocator allocator = failing_allocator_of(&memory);
    ck_assert_int_eq(sq_context_create(&allocator, NULL, 0, NULL, NULL, &context, NULL), SEQREC_OK);
    ck_assert_int_eq(sq_notes_create(context, &now, NULL), SEQREC_OK);
}

static void close_notes(void)
{
    sq_notes_release(now);
    sq_context_release(context);
    ck_assert_int_eq(atomic_load(&memory.blocks), 0);
}

static int32_t set(const char *key, const char *value)
{
    sq_notes *made = NULL;
    int32_t status = sq_notes_with(now, key, value, &made, &error);
    if (status != SEQREC_OK) return status;
    sq_notes_release(now);
    now = made;
    return SEQREC_OK;
}

START_TEST(a_note_that_was_set_is_read_back)
{
    ck_assert_int_eq(set("split", "leave-one-out"), SEQREC_OK);
    ck_assert_int_eq(set("preset", ""), SEQREC_OK);
    ck_assert_str_eq(sq_notes_get(now, "split"), "leave-one-out");
    ck_assert_str_eq(sq_notes_get(now, "preset"), "");
    ck_assert_ptr_null(sq_notes_get(now, "spli"));
    ck_assert_int_eq(sq_notes_count(now), 2);
}
END_TEST

START_TEST(a_note_can_be_replaced_and_removed)
{
    ck_assert_int_eq(set("a", "a longer value"), SEQREC_OK);
    ck_assert_int_eq(set("b", "2"), SEQREC_OK);
    ck_assert_int_eq(set("a", "1"), SEQREC_OK);
    ck_assert_str_eq(sq_notes_get(now, "a"), "1");
    ck_assert_int_eq(set("a", NULL), SEQREC_OK);
    ck_assert_int_eq(set("a", NULL), SEQREC_OK);
    ck_assert_ptr_null(sq_notes_get(now, "a"));
    ck_assert_str_eq(sq_notes_get(now, "b"), "2");
    ck_assert_int_eq(sq_notes_count(now), 1);
}
END_TEST

START_TEST(notes_are_walked_in_the_order_of_their_keys)
{
    static const char *const keys[] = {"m", "z", "a", "\xc3\xa9", "ab", "b"};
    static const char *const sorted[] = {"a", "ab", "b", "m", "z", "\xc3\xa9"};
    for (int32_t i = 0; i < 6; i++) ck_assert_int_eq(set(keys[i], keys[i]), SEQREC_OK);
    for (int32_t i = 0; i < 6; i++) {
        const char *value;
        ck_assert_str_eq(sq_notes_at(now, i, &value), sorted[i]);
        ck_assert_str_eq(value, sorted[i]);
    }
}
END_TEST

START_TEST(the_sixty_fifth_key_is_refused_but_a_new_value_is_not)
{
    char key[16];
    for (int32_t i = 0; i < SQ_NOTES_MOST; i++) {
        snprintf(key, sizeof key, "key%d", (int)i);
        ck_assert_int_eq(set(key, "v"), SEQREC_OK);
    }
    ck_assert_int_eq(set("one more", "v"), SEQREC_E_RANGE);
    ck_assert_ptr_nonnull(strstr(error.message, "one more"));
    ck_assert_int_eq(set("one more", NULL), SEQREC_OK);
    ck_assert_int_eq(set("key7", "w"), SEQREC_OK);
    ck_assert_str_eq(sq_notes_get(now, "key7"), "w");
    ck_assert_int_eq(sq_notes_count(now), SQ_NOTES_MOST);
}
END_TEST

START_TEST(what_a_training_writes_has_room_whatever_the_host_wrote)
{
    static const char *const own[] = {"data_hash", "split", "epochs", "kcore", "min_value"};
    char key[16];
    for (int32_t i = 0; i < SQ_NOTES_MOST; i++) {
        if (i < 2) ck_assert_int_eq(set(own[i], "v"), SEQREC_OK);
        snprintf(key, sizeof key, "key%d", (int)i);
        ck_assert_int_eq(set(key, "v"), SEQREC_OK);
    }
    for (int32_t i = 0; i < 5; i++) ck_assert_int_eq(set(own[i], "w"), SEQREC_OK);
    ck_assert_int_eq(sq_notes_count(now), SQ_NOTES_MOST + 5);
    ck_assert_int_eq(set("one more", "v"), SEQREC_E_RANGE);
    ck_assert_int_eq(set("epochs", NULL), SEQREC_OK);
    ck_assert_int_eq(set("one more", "v"), SEQREC_E_RANGE);
    ck_assert_int_eq(set("key9", NULL), SEQREC_OK);
    ck_assert_int_eq(set("one more", "v"), SEQREC_OK);
}
END_TEST

START_TEST(keys_and_values_have_at_most_255_bytes)
{
    char text[SQ_NOTE_BYTES + 2];
    memset(text, 'x', sizeof text);
    text[SQ_NOTE_BYTES + 1] = 0;
    ck_assert_int_eq(set(text, "v"), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(set("k", text), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(set(text, NULL), SEQREC_E_ARGUMENT);
    text[SQ_NOTE_BYTES] = 0;
    ck_assert_int_eq(set(text, text), SEQREC_OK);
    ck_assert_str_eq(sq_notes_get(now, text), text);
    ck_assert_int_eq(sq_notes_count(now), 1);
}
END_TEST

START_TEST(text_that_cannot_be_stored_is_refused)
{
    ck_assert_int_eq(set("", "v"), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(set(NULL, "v"), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(set("k\xff", "v"), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(set("k", "\xe9t\xe9"), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_notes_count(now), 0);
}
END_TEST

START_TEST(an_old_set_keeps_its_notes)
{
    ck_assert_int_eq(set("a", "1"), SEQREC_OK);
    sq_notes *old = sq_notes_retain(now);
    ck_assert_int_eq(set("a", "2"), SEQREC_OK);
    ck_assert_int_eq(set("b", "3"), SEQREC_OK);
    ck_assert_str_eq(sq_notes_get(old, "a"), "1");
    ck_assert_ptr_null(sq_notes_get(old, "b"));
    sq_notes_release(old);
}
END_TEST

START_TEST(a_change_without_memory_changes_nothing)
{
    ck_assert_int_eq(set("a", "1"), SEQREC_OK);
    const sq_notes *before = now;
    atomic_store(&memory.to_fail, 0);
    ck_assert_int_eq(set("a", "2"), SEQREC_E_MEMORY);
    sq_notes *made = NULL;
    atomic_store(&memory.to_fail, 0);
    ck_assert_int_eq(sq_notes_create(context, &made, NULL), SEQREC_E_MEMORY);
    ck_assert_ptr_eq(now, before);
    ck_assert_str_eq(sq_notes_get(now, "a"), "1");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("notes");
    tcase_add_checked_fixture(tests, open_notes, close_notes);
    tcase_add_test(tests, a_note_that_was_set_is_read_back);
    tcase_add_test(tests, a_note_can_be_replaced_and_removed);
    tcase_add_test(tests, notes_are_walked_in_the_order_of_their_keys);
    tcase_add_test(tests, the_sixty_fifth_key_is_refused_but_a_new_value_is_not);
    tcase_add_test(tests, what_a_training_writes_has_room_whatever_the_host_wrote);
    tcase_add_test(tests, keys_and_values_have_at_most_255_bytes);
    tcase_add_test(tests, text_that_cannot_be_stored_is_refused);
    tcase_add_test(tests, an_old_set_keeps_its_notes);
    tcase_add_test(tests, a_change_without_memory_changes_nothing);
    Suite *suite = suite_create("notes");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
