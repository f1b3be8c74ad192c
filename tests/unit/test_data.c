/* unit: datasets of arrays, divisions, the k-core, statistics, and the synthetic generator with its ceiling. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "counting_allocator.h"
#include "data/reader.h"
#include "data/synth.h"
#include "dataset_text.h"
#include "run_suite.h"

static counting_allocator host;
static seqrec_context *context;
static seqrec_error error;
static seqrec_dataset *dataset;

static void set_up(void)
{
    host = (counting_allocator){0};
    seqrec_allocator allocator = counting_host(&host);
    memset(&error, 0, sizeof error);
    dataset = NULL;
    ck_assert_int_eq(sq_context_create(&allocator, NULL, 0, NULL, NULL, &context, &error), SEQREC_OK);
}

static void tear_down(void)
{
    seqrec_dataset_release(dataset);
    sq_context_release(context);
    ck_assert_int_eq(host.blocks, 0);
}

#define BATCH(...) (&(seqrec_batch){.struct_size = sizeof(seqrec_batch), __VA_ARGS__})
#define IDS(...) ((const int64_t[]){__VA_ARGS__})

static void make(const seqrec_batch *batch)
{
    seqrec_dataset_release(dataset);
    dataset = NULL;
    ck_assert_msg(seqrec_dataset_create(context, batch, &dataset, &error) == SEQREC_OK, "%s", error.message);
}

static void read_text(const char *text, seqrec_dataset **out)
{
    ck_assert_msg(sq_read_memory(context, text, strlen(text), NULL, SQ_BLOCK_BYTES, out, &error) == SEQREC_OK, "%s",
                  error.message);
}

/* ---- from arrays ---- */

START_TEST(arrays_become_users_and_a_catalogue_of_rising_ids)
{
    make(BATCH(.sequences = 3, .offsets = IDS(0, 3, 4, 6), .items = IDS(50, -7, 50, 9, 9, 10), .users = IDS(8, 2, 5)));
    ck_assert_str_eq(dataset_text(dataset), "8: 50 -7 50; 2: 9; 5: 9 10");
    ck_assert_int_eq(dataset->items, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(dataset->item_ids[i], IDS(-7, 9, 10, 50)[i]);
        ck_assert_int_eq(sq_idmap_find(&dataset->item_index, dataset->item_ids[i]), i);
    }
    ck_assert_int_eq(sq_idmap_find(&dataset->item_index, 8), -1);
}
END_TEST

START_TEST(a_user_given_twice_is_joined)
{
    make(BATCH(.sequences = 3, .offsets = IDS(0, 2, 3, 5), .items = IDS(1, 2, 3, 4, 5), .users = IDS(8, 2, 8)));
    ck_assert_str_eq(dataset_text(dataset), "8: 1 2 4 5; 2: 3");
}
END_TEST

START_TEST(users_without_ids_are_numbered_from_0_and_empty_ones_left_out)
{
    make(BATCH(.sequences = 3, .offsets = IDS(0, 1, 1, 2), .items = IDS(1, 2)));
    ck_assert_str_eq(dataset_text(dataset), "0: 1; 2: 2");
}
END_TEST

START_TEST(events_sort_by_time_and_input_order_with_their_values)
{
    make(BATCH(.sequences = 2, .offsets = IDS(0, 4, 6), .items = IDS(1, 2, 3, 4, 5, 6), .users = IDS(7, 7),
               .timestamps = IDS(5, INT64_MAX, 5, INT64_MIN, 5, 0), .values = (const float[]){1, 2, 3, 4, 5, 6}));
    ck_assert_str_eq(dataset_text(dataset), "7: 4@-9223372036854775808*4 6@0*6 1@5*1 3@5*3 5@5*5 "
                                            "2@9223372036854775807*2");
}
END_TEST

START_TEST(sorting_many_events_is_stable_and_right)
{
    enum { USERS = 50, EVENTS = 20000 };
    static int64_t offsets[EVENTS + 1], items[EVENTS], times[EVENTS], users[EVENTS];
    const uint64_t key = sq_random_key(3, 0, 0);
    for (int64_t e = 0; e < EVENTS; e++) {
        offsets[e + 1] = e + 1;
        items[e] = e;
        users[e] = (int64_t)sq_random_below(key, 2 * (uint64_t)e, USERS);
        times[e] = (int64_t)sq_random_below(key, 2 * (uint64_t)e + 1, 100) * 1000003 - 50000000;
    }
    make(BATCH(.sequences = EVENTS, .offsets = offsets, .items = items, .timestamps = times, .users = users));
    ck_assert_int_eq(dataset->users, USERS);
    ck_assert_int_eq(dataset->offsets[USERS], EVENTS);
    for (int64_t u = 0; u < USERS; u++) {
        for (int64_t e = dataset->offsets[u]; e < dataset->offsets[u + 1]; e++) {
            int64_t input = dataset->item_ids[dataset->sequence[e]];
            ck_assert_int_eq(users[input], dataset->user_ids[u]);
            ck_assert_int_eq(times[input], dataset->timestamps[e]);
            if (e == dataset->offsets[u]) continue;
            int64_t before = dataset->item_ids[dataset->sequence[e - 1]];
            ck_assert(times[before] < times[input] || (times[before] == times[input] && before < input));
        }
    }
}
END_TEST

START_TEST(an_empty_batch_is_an_empty_dataset)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    int64_t count = 7;
    make(BATCH(.sequences = 0));
    ck_assert_int_eq(dataset->users + dataset->items + dataset->events, 0);
    ck_assert_int_eq(seqrec_dataset_describe(dataset, &stats, &error), SEQREC_OK);
    ck_assert_int_eq(stats.events, 0);
    ck_assert_int_eq(seqrec_dataset_items(dataset, NULL, 0, &count, &error), SEQREC_OK);
    ck_assert_int_eq(count, 0);
    make(BATCH(.sequences = 1, .offsets = IDS(0, 0), .timestamps = IDS(0)));
    ck_assert_int_eq(dataset->users, 0);
}
END_TEST

START_TEST(wrong_batches_are_refused)
{
    const struct {
        seqrec_batch batch;
        const char *part;
    } cases[] = {
        {{.struct_size = 8}, "batch.struct_size is 8"},
        {{.struct_size = sizeof(seqrec_batch), .sequences = -1}, "batch.sequences = -1 is negative"},
        {{.struct_size = sizeof(seqrec_batch), .sequences = 1}, "batch.offsets is NULL"},
        {{.struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = IDS(1, 2)}, "offsets start at 0"},
        {{.struct_size = sizeof(seqrec_batch), .sequences = 2, .offsets = IDS(0, 2, 1)},
         "batch.offsets[2] = 1 is below"},
        {{.struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = IDS(0, 2)}, "batch.items is NULL"},
        {{.struct_size = sizeof(seqrec_batch),
          .sequences = 1,
          .offsets = IDS(0, 2),
          .items = IDS(1, 2),
          .values = (const float[]){1, NAN}},
         "batch.values[1] is not finite"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ck_assert_int_eq(seqrec_dataset_create(context, &cases[c].batch, &dataset, &error), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(error.message, cases[c].part) != NULL, "%s", error.message);
        ck_assert_ptr_null(dataset);
    }
}
END_TEST

START_TEST(structs_of_a_later_release_are_read_when_their_new_fields_are_zero)
{
    struct {
        seqrec_batch batch;
        int64_t added;
    } later = {{.struct_size = sizeof later, .sequences = 1, .offsets = IDS(0, 1), .items = IDS(4)}, 0};
    make(&later.batch);
    ck_assert_str_eq(dataset_text(dataset), "0: 4");
    later.added = 1;
    seqrec_dataset *none = NULL;
    ck_assert_int_eq(seqrec_dataset_create(context, &later.batch, &none, &error), SEQREC_E_UNSUPPORTED);
    struct {
        seqrec_dataset_stats stats;
        int64_t added;
    } more = {{.struct_size = sizeof more}, 77};
    ck_assert_int_eq(seqrec_dataset_describe(dataset, &more.stats, &error), SEQREC_OK);
    ck_assert_int_eq(more.stats.events, 1);
    ck_assert_uint_eq(more.stats.struct_size, sizeof more);
    ck_assert_int_eq(more.added, 77);
}
END_TEST

START_TEST(null_arguments_are_refused)
{
    seqrec_dataset *out = NULL;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    const char *name;
    make(BATCH(.sequences = 1, .offsets = IDS(0, 1), .items = IDS(4)));
    const seqrec_batch *batch = BATCH(.sequences = 0);
    ck_assert_int_eq(seqrec_dataset_create(NULL, batch, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_create(context, NULL, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_create(context, batch, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_read(NULL, "x", NULL, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_read(context, NULL, NULL, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_read(context, "x", NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_kcore(NULL, 1, 1, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_kcore(dataset, 1, 1, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_kcore(dataset, -1, 1, &out, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_kcore(dataset, 1, -1, &out, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(NULL, 0, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(dataset, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(dataset, 0, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "has none"));
    ck_assert_int_eq(seqrec_dataset_corrupt(NULL, 0, NULL, 0, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, 0, NULL, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, -0.1, NULL, 0, &out, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, 1.1, NULL, 0, &out, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, NAN, NULL, 0, &out, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, 0.5, "by chance", 0, &out, &error), SEQREC_E_UNSUPPORTED);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, 0.5, "time:1:2", 0, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_corrupt(dataset, 0.5, "none", 0, &out, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "1 items"));
    ck_assert_int_eq(seqrec_dataset_describe(NULL, &stats, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_describe(dataset, NULL, &error), SEQREC_E_ARGUMENT);
    stats.struct_size = 4;
    ck_assert_int_eq(seqrec_dataset_describe(dataset, &stats, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_sequence(NULL, 0, NULL, NULL, NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_sequence(dataset, 1, NULL, NULL, NULL, NULL, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_sequence(dataset, -1, NULL, NULL, NULL, NULL, NULL), SEQREC_E_RANGE);
    ck_assert_int_eq(seqrec_dataset_items(NULL, NULL, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_items(dataset, NULL, 1, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_item_name(NULL, 1, &name, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_item_name(dataset, 4, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_item_name(dataset, 4, &name, &error), SEQREC_E_NOT_FOUND);
    ck_assert_int_eq(seqrec_dataset_user_name(NULL, 1, &name, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_user_name(dataset, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_user_name(dataset, 0, &name, &error), SEQREC_E_NOT_FOUND);
    ck_assert_int_eq(seqrec_dataset_synthesize(NULL, NULL, &out, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_synthesize(context, NULL, NULL, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_null(out);
    ck_assert_ptr_null(seqrec_dataset_retain(NULL));
    seqrec_dataset_release(NULL);
}
END_TEST

START_TEST(sequences_and_items_are_given_as_ids)
{
    int64_t user, count, ids[3] = {0};
    const int64_t *items, *times;
    make(BATCH(.sequences = 2, .offsets = IDS(0, 1, 3), .items = IDS(50, 7, 50), .timestamps = IDS(3, 1, 2)));
    ck_assert_int_eq(seqrec_dataset_sequence(dataset, 1, &user, &items, &times, &count, &error), SEQREC_OK);
    ck_assert_int_eq(user, 1);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(items[0], 7);
    ck_assert_int_eq(items[1], 50);
    ck_assert_int_eq(times[1], 2);
    const int64_t *again;
    ck_assert_int_eq(seqrec_dataset_sequence(dataset, 1, NULL, &again, NULL, NULL, &error), SEQREC_OK);
    ck_assert_ptr_eq(again, items);
    ck_assert_int_eq(seqrec_dataset_items(dataset, ids, 1, &count, &error), SEQREC_E_RANGE);
    ck_assert_int_eq(ids[0], 0);
    ck_assert_int_eq(seqrec_dataset_items(dataset, ids, 3, &count, &error), SEQREC_OK);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(ids[0], 7);
    ck_assert_int_eq(ids[1], 50);
    make(BATCH(.sequences = 1, .offsets = IDS(0, 1), .items = IDS(50)));
    ck_assert_int_eq(seqrec_dataset_sequence(dataset, 0, NULL, NULL, &times, NULL, &error), SEQREC_OK);
    ck_assert_ptr_null(times);
}
END_TEST

START_TEST(values_are_given_in_step_with_the_items)
{
    const float *values;
    make(BATCH(.sequences = 2, .offsets = IDS(0, 1, 3), .items = IDS(50, 7, 51), .timestamps = IDS(3, 2, 1), .values = (const float[]){1, 2, 3}));
    ck_assert_int_eq(seqrec_dataset_values(dataset, 1, &values, &error), SEQREC_OK);
    ck_assert(values[0] == 3 && values[1] == 2); /* by time */
    ck_assert_int_eq(seqrec_dataset_values(dataset, 2, &values, &error), SEQREC_E_RANGE);
    ck_assert_str_eq(error.message, "sequence 2 is not in [0, 2)");
    ck_assert_int_eq(seqrec_dataset_values(dataset, 0, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_dataset_values(NULL, 0, &values, &error), SEQREC_E_ARGUMENT);
    make(BATCH(.sequences = 1, .offsets = IDS(0, 1), .items = IDS(50)));
    ck_assert_int_eq(seqrec_dataset_values(dataset, 0, &values, &error), SEQREC_OK);
    ck_assert_ptr_null(values);
}
END_TEST

START_TEST(a_retained_dataset_outlives_the_first_release)
{
    make(BATCH(.sequences = 1, .offsets = IDS(0, 1), .items = IDS(4)));
    ck_assert_ptr_eq(seqrec_dataset_retain(dataset), dataset);
    seqrec_dataset_release(dataset);
    ck_assert_str_eq(dataset_text(dataset), "0: 4");
}
END_TEST

static uint64_t hash_of(const seqrec_batch *batch)
{
    make(batch);
    return dataset->hash;
}

START_TEST(the_hash_tells_ids_order_and_times_apart_and_nothing_else)
{
    const int64_t *offsets = IDS(0, 2, 3);
    uint64_t hash = hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3)));
    ck_assert(hash == hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .users = IDS(0, 1))));
    ck_assert(hash ==
              hash_of(BATCH(.sequences = 3, .offsets = IDS(0, 1, 2, 3), .items = IDS(1, 2, 3), .users = IDS(0, 0, 1))));
    ck_assert(hash != hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(2, 1, 3))));
    ck_assert(hash != hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 4))));
    ck_assert(hash != hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .users = IDS(1, 0))));
    ck_assert(hash != hash_of(BATCH(.sequences = 2, .offsets = IDS(0, 1, 3), .items = IDS(1, 2, 3))));
    ck_assert(hash !=
              hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .timestamps = IDS(1, 2, 3))));
    /* Fixed for ever: model files record it. */
    ck_assert_uint_eq(hash, UINT64_C(0x5c073c9fa9fae4a5));
}
END_TEST

static uint64_t values_hash_of(const seqrec_batch *batch)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    make(batch);
    ck_assert_int_eq(seqrec_dataset_describe(dataset, &stats, &error), SEQREC_OK);
    return stats.values_hash;
}

START_TEST(the_hash_of_the_values_tells_them_and_their_order_apart)
{
    const int64_t *offsets = IDS(0, 2, 3);
    const float values[] = {1, 2, 3}, others[] = {2, 1, 3}, edited[] = {1, 2, 3.5F};
    const uint64_t hash = values_hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .values = values));
    ck_assert_uint_ne(hash, 0);
    ck_assert(hash == values_hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(4, 5, 6), .values = values)));
    ck_assert(hash != values_hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .values = others)));
    ck_assert(hash != values_hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3), .values = edited)));
    ck_assert_uint_eq(values_hash_of(BATCH(.sequences = 2, .offsets = offsets, .items = IDS(1, 2, 3))), 0);
}
END_TEST

/* ---- division ---- */

START_TEST(divisions_are_parsed_or_refused)
{
    sq_division division;
    ck_assert_int_eq(sq_division_parse(NULL, &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_LEAVE_ONE_OUT);
    ck_assert_int_eq(sq_division_parse("leave-one-out", &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_LEAVE_ONE_OUT);
    ck_assert_int_eq(sq_division_parse("last:1:3", &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_LEAVE_ONE_OUT);
    ck_assert_int_eq(sq_division_parse("none", &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_NONE);
    ck_assert_int_eq(sq_division_parse("time:-5:1700000000", &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_TIME);
    ck_assert_int_eq(division.valid_from, -5);
    ck_assert_int_eq(division.test_from, 1700000000);
    ck_assert_int_eq(sq_division_parse("time:6:5", &division, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_division_parse("time:6", &division, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_division_parse("time:6:x", &division, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_division_parse("time:6:7:8", &division, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_division_parse("last:20:30", &division, &error), SEQREC_OK);
    ck_assert_int_eq(division.kind, SQ_DIVISION_LAST);
    ck_assert_int_eq(division.last, 20);
    ck_assert_int_eq(division.least, 30);
    static const char *const wrong[] = {"last:0:5", "last:-1:5", "last:5:6", "last:9223372036854775807:5", "last:5:-9223372036854775808"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(sq_division_parse(wrong[i], &division, &error), SEQREC_E_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, wrong[i]));
    }
    ck_assert_int_eq(sq_division_parse("last:5", &division, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_division_parse("last:5:x", &division, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(division.last, 20);
    ck_assert_int_eq(sq_division_parse("time:-5:1700000000", &division, &error), SEQREC_OK);
    ck_assert_int_eq(sq_division_parse("loo", &division, &error), SEQREC_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "leave-one-out"));
    ck_assert_int_eq(division.valid_from, -5);
}
END_TEST

static void expect_division(const char *text, int64_t user, int64_t train, int64_t valid)
{
    sq_division division;
    int64_t got_train, got_valid;
    ck_assert_int_eq(sq_division_parse(text, &division, &error), SEQREC_OK);
    ck_assert_int_eq(sq_division_check(&division, dataset, &error), SEQREC_OK);
    sq_division_user(&division, dataset, user, &got_train, &got_valid);
    ck_assert_int_eq(got_train, train);
    ck_assert_int_eq(got_valid, valid);
}

START_TEST(divisions_part_each_users_events)
{
    make(BATCH(.sequences = 3, .offsets = IDS(0, 5, 7, 10), .items = IDS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
               .timestamps = IDS(10, 20, 20, 30, 40, 1, 2, 20, 50, 60)));
    expect_division(NULL, 0, 3, 4);
    expect_division(NULL, 1, 2, 2);
    expect_division(NULL, 2, 1, 2);
    expect_division("none", 0, 5, 5);
    expect_division("time:20:30", 0, 1, 3);
    expect_division("time:20:30", 1, 2, 2);
    expect_division("time:20:30", 2, 0, 1);
    expect_division("time:20:20", 0, 1, 1);
    expect_division("time:100:200", 0, 5, 5);
    expect_division("time:-9:0", 0, 0, 0);
    expect_division("last:1:3", 0, 3, 4);
    expect_division("last:1:3", 1, 2, 2);
    expect_division("last:2:5", 0, 2, 3);
    expect_division("last:2:5", 2, 3, 3);
    expect_division("last:3:5", 0, 1, 2);
    sq_division division = {.kind = SQ_DIVISION_TIME, .valid_from = 1, .test_from = 2};
    make(BATCH(.sequences = 1, .offsets = IDS(0, 1), .items = IDS(1)));
    ck_assert_int_eq(sq_division_check(&division, dataset, &error), SEQREC_E_ARGUMENT);
}
END_TEST

/* ---- k-core and statistics ---- */

START_TEST(a_host_is_told_where_the_parts_of_a_sequence_end)
{
    int64_t train = -1, valid = -1;
    make(BATCH(.sequences = 2, .offsets = IDS(0, 5, 7), .items = IDS(1, 2, 3, 4, 5, 6, 7), .timestamps = IDS(10, 20, 20, 30, 40, 1, 2)));
    ck_assert_int_eq(seqrec_dataset_division(dataset, "time:20:30", 0, &train, &valid, &error), SEQREC_OK);
    ck_assert(train == 1 && valid == 3);
    ck_assert_int_eq(seqrec_dataset_division(dataset, NULL, 0, &train, NULL, &error), SEQREC_OK);
    ck_assert(train == 3 && valid == 3);
    ck_assert_int_eq(seqrec_dataset_division(dataset, NULL, 0, NULL, &valid, &error), SEQREC_OK);
    ck_assert(train == 3 && valid == 4);
    ck_assert_int_eq(seqrec_dataset_division(dataset, "none", 1, &train, &valid, NULL), SEQREC_OK);
    ck_assert(train == 2 && valid == 2);
}
END_TEST

START_TEST(a_division_that_a_fit_refuses_is_refused_and_nothing_told)
{
    const struct {
        const char *split;
        int64_t index;
        int32_t status;
    } wrong[] = {{"halves", 0, SEQREC_E_UNSUPPORTED}, {"time:5", 0, SEQREC_E_FORMAT},   {"time:200:100", 0, SEQREC_E_ARGUMENT},
                 {"last:2:3", 0, SEQREC_E_ARGUMENT},  {"time:1:2", 0, SEQREC_E_ARGUMENT}, {NULL, 1, SEQREC_E_RANGE},
                 {NULL, -1, SEQREC_E_RANGE}};
    int64_t train = -1, valid = -1;
    make(BATCH(.sequences = 1, .offsets = IDS(0, 3), .items = IDS(1, 2, 3)));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int32_t status = seqrec_dataset_division(dataset, wrong[i].split, wrong[i].index, &train, &valid, &error);
        ck_assert_msg(status == wrong[i].status && error.message[0] != 0, "%d: %s", (int)i, error.message);
    }
    ck_assert_int_eq(seqrec_dataset_division(NULL, NULL, 0, &train, &valid, &error), SEQREC_E_ARGUMENT);
    ck_assert_str_eq(error.message, "dataset is NULL");
    ck_assert(train == -1 && valid == -1);
}
END_TEST

START_TEST(the_k_core_is_iterated_and_keeps_names_times_and_values)
{
    seqrec_dataset *all = NULL;
    read_text(
        "user,item,rating,timestamp\nann,x,1,5\nann,y,2,4\nbob,x,3,3\nbob,y,4,2\nbob,z,5,1\ncat,z,6,1\ncat,w,7,2\n",
        &all);
    ck_assert_int_eq(seqrec_dataset_kcore(all, 2, 2, &dataset, &error), SEQREC_OK);
    /* w goes, so cat goes, so z goes. */
    ck_assert_str_eq(dataset_text(dataset), "1(ann): 2(y)@4*2 1(x)@5*1; 2(bob): 2(y)@2*4 1(x)@3*3");
    ck_assert_int_eq(dataset->items, 2);
    seqrec_dataset_release(dataset);
    dataset = NULL;
    ck_assert_int_eq(seqrec_dataset_kcore(all, 0, 0, &dataset, &error), SEQREC_OK);
    ck_assert_uint_eq(dataset->hash, all->hash);
    seqrec_dataset_release(dataset);
    dataset = NULL;
    ck_assert_int_eq(seqrec_dataset_kcore(all, 1, 3, &dataset, &error), SEQREC_OK);
    ck_assert_int_eq(dataset->users + dataset->items + dataset->events, 0);
    seqrec_dataset_release(all);
}
END_TEST

/* ---- noise ---- */

#define SYNTH(...) (&(seqrec_synth){.struct_size = sizeof(seqrec_synth), __VA_ARGS__})

START_TEST(noise_replaces_its_share_of_the_training_events_and_nothing_else)
{
    seqrec_dataset *clean = NULL, *less = NULL, *more = NULL, *other = NULL;
    int64_t train, valid, events = 0, replaced[3] = {0}, onto[60] = {0}, same = 0;
    ck_assert_int_eq(seqrec_dataset_synthesize(
                         context, SYNTH(.users = 2000, .items = 60, .clusters = 4, .shortest = 2, .longest = 30),
                         &clean, NULL, &error),
                     SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_corrupt(clean, 0.1, NULL, 3, &less, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_corrupt(clean, 0.25, "leave-one-out", 3, &more, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_corrupt(clean, 0.25, NULL, 4, &other, &error), SEQREC_OK);
    ck_assert_int_eq(more->items, clean->items);
    ck_assert_mem_eq(more->offsets, clean->offsets, (size_t)(clean->users + 1) * sizeof *clean->offsets);
    ck_assert_mem_eq(more->item_ids, clean->item_ids, (size_t)clean->items * sizeof *clean->item_ids);
    ck_assert_uint_ne(more->hash, clean->hash);
    ck_assert_uint_ne(more->hash, other->hash);
    sq_division leave = {.kind = SQ_DIVISION_LEAVE_ONE_OUT};
    for (int64_t u = 0; u < clean->users; u++) {
        sq_division_user(&leave, clean, u, &train, &valid);
        for (int64_t e = clean->offsets[u]; e < clean->offsets[u + 1]; e++) {
            int changed = more->sequence[e] != clean->sequence[e], before = less->sequence[e] != clean->sequence[e];
            if (e >= clean->offsets[u] + train) ck_assert(!changed && !before);
            if (before) ck_assert_int_eq(less->sequence[e], more->sequence[e]);
            events += e < clean->offsets[u] + train;
            replaced[0] += before;
            replaced[1] += changed;
            replaced[2] += other->sequence[e] != clean->sequence[e];
            same += changed && other->sequence[e] == more->sequence[e];
            if (changed) onto[more->sequence[e]]++;
        }
    }
    static const double shares[] = {0.1, 0.25, 0.25};
    for (int i = 0; i < 3; i++) {
        double deviation = sqrt(shares[i] * (1 - shares[i]) * (double)events);
        ck_assert_double_lt(fabs((double)replaced[i] - shares[i] * (double)events), 5 * deviation);
    }
    ck_assert_int_lt(same, replaced[1] / 50);
    for (int64_t i = 0; i < clean->items; i++) {
        double mean = (double)replaced[1] / (double)clean->items;
        ck_assert_double_lt(fabs((double)onto[i] - mean), 0.1 * mean + 5 * sqrt(mean));
    }
    seqrec_dataset_release(clean);
    seqrec_dataset_release(less);
    seqrec_dataset_release(more);
    seqrec_dataset_release(other);
}
END_TEST

START_TEST(a_noisy_copy_keeps_names_times_values_and_lookups)
{
    seqrec_dataset *clean = NULL;
    read_text("user,item,rating,timestamp\nann,x,1,5\nann,y,2,4\nbob,x,3,3\n", &clean);
    ck_assert_int_eq(seqrec_dataset_corrupt(clean, 0, "none", 3, &dataset, &error), SEQREC_OK);
    ck_assert_uint_eq(dataset->hash, clean->hash);
    seqrec_dataset_release(dataset);
    ck_assert_int_eq(seqrec_dataset_corrupt(clean, 1, "none", 3, &dataset, &error), SEQREC_OK);
    seqrec_dataset_release(clean);
    ck_assert_str_eq(dataset_text(dataset), "1(ann): 1(x)@4*2 2(y)@5*1; 2(bob): 2(y)@3*3");
    ck_assert_int_eq(sq_idmap_find(&dataset->item_index, 2), 1);
    ck_assert_str_eq(sq_dataset_user_name(dataset, 2), "bob");
}
END_TEST

/* Users whose three first events are at one instant, in that order; then two at another. */
START_TEST(the_order_of_events_at_the_same_instant_is_drawn_anew)
{
    enum { USERS = 600 };
    static int64_t offsets[USERS + 1], items[5 * USERS], times[5 * USERS];
    static float values[5 * USERS];
    int64_t orders[27] = {0}, changed = 0;
    seqrec_dataset *plain = NULL, *again = NULL, *other = NULL;
    for (int64_t u = 0; u < USERS; u++) {
        offsets[u + 1] = 5 * (u + 1);
        for (int64_t e = 0; e < 5; e++) {
            items[5 * u + e] = e;
            values[5 * u + e] = (float)e;
            times[5 * u + e] = 100 * u + (e > 2);
        }
    }
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = USERS, .offsets = offsets, .items = items,
                                .timestamps = times, .values = values};
    ck_assert_int_eq(seqrec_dataset_create(context, &batch, &plain, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(plain, 3, &dataset, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(plain, 3, &again, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_shuffle_ties(plain, 4, &other, &error), SEQREC_OK);
    ck_assert_uint_eq(dataset->hash, again->hash);
    ck_assert_uint_ne(dataset->hash, other->hash);
    ck_assert_uint_ne(dataset->hash, plain->hash);
    for (int64_t u = 0; u < USERS; u++) {
        const int32_t *at = dataset->sequence + 5 * u;
        int32_t present = 0;
        for (int64_t e = 0; e < 5; e++) {
            if (dataset->timestamps[5 * u + e] != times[5 * u + e]) ck_abort_msg("user %d: a time moved", (int)u);
            if (dataset->values[5 * u + e] != (float)at[e]) ck_abort_msg("user %d: a value stayed behind", (int)u);
            present |= 1 << at[e] << (e > 2 ? 8 : 0);
        }
        if (present != (7 | 24 << 8)) ck_abort_msg("user %d: an event went to another instant", (int)u);
        orders[at[0] * 9 + at[1] * 3 + at[2]]++;
        changed += at[3] == 4;
    }
    for (int i = 0; i < 27; i++) /* six orders, each in a sixth of the users; 40 is 4.4 deviations */
        ck_assert_msg(orders[i] == 0 || llabs(orders[i] - USERS / 6) < 40, "order %d: %d", i, (int)orders[i]);
    ck_assert_int_lt(llabs(changed - USERS / 2), 54);
    seqrec_dataset_release(plain);
    seqrec_dataset_release(again);
    seqrec_dataset_release(other);
}
END_TEST

/* Drops again and again from the whole, the slow and plain way; counts what is left. */
static int64_t plain_core(const seqrec_dataset *of, int64_t user_min, int64_t item_min, char *user_gone,
                          char *item_gone)
{
    int64_t left = -1, before;
    do {
        int64_t counts[64] = {0};
        before = left;
        left = 0;
        for (int64_t u = 0; u < of->users; u++) {
            int64_t count = 0;
            for (int64_t e = of->offsets[u]; e < of->offsets[u + 1]; e++) count += !item_gone[of->sequence[e]];
            if (count < user_min) user_gone[u] = 1;
            for (int64_t e = of->offsets[u]; e < of->offsets[u + 1] && !user_gone[u]; e++) {
                counts[of->sequence[e]]++;
                left += !item_gone[of->sequence[e]];
            }
        }
        for (int64_t i = 0; i < of->items; i++) {
            if (counts[i] < item_min) item_gone[i] = 1;
        }
    } while (left != before);
    return left;
}

START_TEST(the_k_core_is_that_of_the_plain_iteration)
{
    const uint64_t key = sq_random_key(17, 0, 0);
    for (uint64_t round = 0, draw = 0; round < 200; round++) {
        int64_t offsets[61] = {0}, items[60], users[60];
        char user_gone[64] = {0}, item_gone[64] = {0};
        for (int64_t e = 0; e < 60; e++) {
            offsets[e + 1] = e + 1;
            items[e] = (int64_t)sq_random_below(key, draw++, 5 + round % 20);
            users[e] = (int64_t)sq_random_below(key, draw++, 5 + round % 25);
        }
        make(BATCH(.sequences = 60, .offsets = offsets, .items = items, .users = users));
        int64_t user_min = (int64_t)(round % 5), item_min = (int64_t)(round / 5 % 5);
        seqrec_dataset *core = NULL;
        ck_assert_int_eq(seqrec_dataset_kcore(dataset, user_min, item_min, &core, &error), SEQREC_OK);
        ck_assert_int_eq(core->events, plain_core(dataset, user_min, item_min, user_gone, item_gone));
        for (int64_t i = 0; i < core->items; i++)
            ck_assert(!item_gone[sq_idmap_find(&dataset->item_index, core->item_ids[i])]);
        seqrec_dataset_release(core);
    }
}
END_TEST

START_TEST(statistics_count_repeats_ties_and_quantiles)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    make(BATCH(.sequences = 4, .offsets = IDS(0, 4, 5, 7, 10), .items = IDS(1, 2, 1, 1, 1, 3, 3, 1, 2, 3),
               .timestamps = IDS(1, 1, 1, 2, 5, 5, 6, 3, 3, 4), .values = (const float[10]){0}));
    ck_assert_int_eq(seqrec_dataset_describe(dataset, &stats, &error), SEQREC_OK);
    ck_assert_int_eq(stats.users, 4);
    ck_assert_int_eq(stats.items, 3);
    ck_assert_int_eq(stats.events, 10);
    ck_assert_int_eq(stats.shortest, 1);
    ck_assert_int_eq(stats.longest, 4);
    ck_assert_int_eq(stats.repeats, 3);
    ck_assert_int_eq(stats.ties, 3);
    ck_assert_double_eq(stats.density, 10.0 / 12);
    ck_assert_double_eq_tol(stats.length_quantiles[0], 1.15, 1e-12);
    ck_assert_double_eq_tol(stats.length_quantiles[1], 1.75, 1e-12);
    ck_assert_double_eq_tol(stats.length_quantiles[2], 2.5, 1e-12);
    ck_assert_double_eq_tol(stats.length_quantiles[4], 3.85, 1e-12);
    ck_assert_int_eq(stats.has_timestamps, 1);
    ck_assert_int_eq(stats.has_values, 1);
    ck_assert_int_eq(stats.has_names, 0);
    ck_assert_uint_eq(stats.hash, dataset->hash);
}
END_TEST

/* ---- the synthetic generator ---- */

static void make_world(const seqrec_synth *asked, sq_world *world)
{
    seqrec_synth with;
    ck_assert_msg(sq_synth_check(asked, &with, &error) == SEQREC_OK, "%s", error.message);
    ck_assert_msg(sq_world_create(&context->memory, &with, world, &error) == SEQREC_OK, "%s", error.message);
}

/* q(item | taste) by its definition. */
static double popularity_of(const sq_world *world, int32_t item, int64_t taste)
{
    double weight = 0, sum = 0;
    for (int64_t at = world->pool_starts[taste]; at < world->pool_starts[taste + 1]; at++) {
        double w = pow((double)(at - world->pool_starts[taste] + 1), -world->with.zipf);
        sum += w;
        if (world->pool[at] == item) weight = w;
    }
    return weight / sum;
}

/* P(item | taste stayed, last) by the definition; 0 where the taste cannot have been held. */
static double next_of(const sq_world *world, int32_t last, int32_t item, int64_t taste)
{
    int32_t successors[SQ_SYNTH_SUCCESSORS];
    double follows = 0;
    for (int32_t m = 0; m < 2; m++) {
        if (world->member[last][m].taste != taste) continue;
        sq_world_successors(world, last, m, successors);
        for (int64_t s = 0; s < world->with.successors; s++) follows += successors[s] == item;
    }
    return world->with.markov * follows / (double)world->with.successors +
           (1 - world->with.markov) * popularity_of(world, item, taste);
}

/* P(items[0 .. n)) summed over every path of tastes, by recursion. */
static double enumerate(const sq_world *world, const int32_t *items, int64_t n, int64_t t, int64_t taste)
{
    double sum = 0;
    int64_t tastes = world->with.clusters;
    if (t == n) return 1;
    for (int64_t z = 0; z < tastes; z++) {
        double drift = tastes > 1 ? world->with.drift : 0, here;
        if (t == 0) {
            here = popularity_of(world, items[0], z) / (double)tastes;
        } else if (z == taste) {
            here = (1 - drift) * next_of(world, items[t - 1], items[t], z);
        } else {
            here = drift / (double)(tastes - 1) * popularity_of(world, items[t], z);
        }
        if (here > 0) sum += here * enumerate(world, items, n, t + 1, z);
    }
    return sum;
}

static void compare_with_enumeration(const seqrec_synth *asked)
{
    enum { LENGTH = 6, MOST = 16 };
    sq_world world;
    make_world(asked, &world);
    ck_assert_int_le(world.with.items, MOST);
    for (int64_t user = 0; user < 20; user++) {
        int32_t items[LENGTH + 1];
        int64_t times[LENGTH];
        double scores[MOST], so_far = 1;
        sq_world_user(&world, user, items, times);
        sq_belief belief = sq_belief_start();
        for (int64_t t = 0; t < LENGTH; t++) {
            double sum = 0, exact = enumerate(&world, items, t, 0, 0);
            sq_belief_predict(&world, &belief, scores);
            for (int32_t i = 0; i < (int32_t)world.with.items; i++) {
                int32_t path[LENGTH];
                memcpy(path, items, (size_t)t * sizeof *path);
                path[t] = i;
                ck_assert_double_eq_tol(scores[i], enumerate(&world, path, t + 1, 0, 0) / exact, 1e-12);
                sum += scores[i];
            }
            ck_assert_double_eq_tol(sum, 1, 1e-12);
            double seen = sq_belief_see(&world, &belief, items[t]);
            ck_assert_double_eq_tol(seen, scores[items[t]], 1e-15);
            so_far *= seen;
        }
        ck_assert_double_eq_tol(so_far, enumerate(&world, items, LENGTH, 0, 0), 1e-12);
    }
    sq_world_free(&world, &context->memory);
}

START_TEST(the_filter_agrees_with_all_paths_of_the_hidden_taste)
{
    compare_with_enumeration(SYNTH(.items = 12, .clusters = 4, .shortest = 6, .longest = 6, .drift = 0.3, .markov = 0.5,
                                   .zipf = 0.7, .successors = 2, .seed = 4));
    compare_with_enumeration(SYNTH(.items = 16, .clusters = 3, .shortest = 6, .longest = 6, .drift = 1, .markov = 1,
                                   .zipf = 2, .successors = 3, .seed = 5));
    compare_with_enumeration(SYNTH(.items = 6, .clusters = 2, .shortest = 6, .longest = 6, .seed = 6));
    compare_with_enumeration(SYNTH(.items = 5, .clusters = 1, .shortest = 6, .longest = 6, .drift = 0.5, .seed = 7));
}
END_TEST

START_TEST(generation_repeats_from_its_seed_and_times_rise)
{
    seqrec_dataset *again = NULL;
    seqrec_ceiling first = {.struct_size = sizeof first}, second = {.struct_size = sizeof second};
    const seqrec_synth *synth = SYNTH(.users = 300, .seed = 42);
    ck_assert_int_eq(seqrec_dataset_synthesize(context, synth, &dataset, &first, &error), SEQREC_OK);
    ck_assert_int_eq(seqrec_dataset_synthesize(context, synth, &again, &second, &error), SEQREC_OK);
    ck_assert_uint_eq(dataset->hash, again->hash);
    ck_assert_double_eq(first.ndcg10, second.ndcg10);
    seqrec_dataset_release(again);
    again = NULL;
    ck_assert_int_eq(seqrec_dataset_synthesize(context, SYNTH(.users = 300, .seed = 43), &again, NULL, &error),
                     SEQREC_OK);
    ck_assert_uint_ne(dataset->hash, again->hash);
    seqrec_dataset_release(again);
    ck_assert_int_eq(dataset->users, 300);
    ck_assert_int_eq(first.users, 300);
    for (int64_t u = 0; u < dataset->users; u++) {
        int64_t from = dataset->offsets[u], to = dataset->offsets[u + 1];
        ck_assert_int_ge(to - from, 10);
        ck_assert_int_le(to - from, 50);
        for (int64_t e = from; e + 1 < to; e++) {
            ck_assert_int_lt(dataset->timestamps[e], dataset->timestamps[e + 1]);
            ck_assert_int_ne(dataset->sequence[e], dataset->sequence[to - 1]);
        }
    }
}
END_TEST

/* HR@10 of scores under E4 on each last event, by counting: popularity over, or transitions in, all events but the last two. */
static double counted_hits(int32_t by_transition)
{
    int64_t n = dataset->items;
    double hits = 0;
    int64_t *popular = calloc((size_t)n, sizeof *popular), *follows = calloc((size_t)(n * n), sizeof *follows);
    for (int64_t u = 0; u < dataset->users; u++) {
        for (int64_t e = dataset->offsets[u]; e + 2 < dataset->offsets[u + 1]; e++) {
            popular[dataset->sequence[e]]++;
            if (e > dataset->offsets[u]) follows[dataset->sequence[e - 1] * n + dataset->sequence[e]]++;
        }
    }
    for (int64_t u = 0; u < dataset->users; u++) {
        int64_t last = dataset->offsets[u + 1] - 1, better = 0, equal = 0;
        int32_t target = dataset->sequence[last], before = dataset->sequence[last - 1];
        const int64_t *row = by_transition ? follows + before * n : popular;
        for (int32_t i = 0; i < n; i++) {
            int32_t had = i == target;
            for (int64_t e = dataset->offsets[u]; e < last; e++) had |= dataset->sequence[e] == i;
            if (had) continue;
            better += row[i] > row[target];
            equal += row[i] == row[target];
        }
        double hit, ndcg;
        sq_expected_rank(better, equal, 10, &hit, &ndcg);
        hits += hit;
    }
    free(popular);
    free(follows);
    return hits / (double)dataset->users;
}

START_TEST(the_ceiling_is_above_counting_and_below_certainty)
{
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    ck_assert_int_eq(seqrec_dataset_synthesize(context, SYNTH(.seed = 1), &dataset, &ceiling, &error), SEQREC_OK);
    double popularity = counted_hits(0), markov = counted_hits(1);
    printf("# synthetic defaults: HR@10 popularity %.4f, Markov %.4f, ceiling %.4f (NDCG@10 %.4f)\n", popularity,
           markov, ceiling.hit10, ceiling.ndcg10);
    ck_assert_int_eq(ceiling.users, 2000);
    ck_assert_double_gt(markov, popularity + 0.1);
    ck_assert_double_gt(ceiling.hit10, markov + 0.02);
    ck_assert_double_gt(ceiling.ndcg10, 0.2);
    ck_assert_double_lt(ceiling.ndcg10, ceiling.hit10);
    ck_assert_double_lt(ceiling.hit10, 0.95);
}
END_TEST

/* What the filter expects of its own ten best, given that the target is new, is what it gets. */
START_TEST(the_ceiling_is_what_the_filter_expects_of_itself)
{
    sq_world world;
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    const seqrec_synth *synth = SYNTH(.users = 3000, .items = 200, .clusters = 8, .drift = 0.1, .seed = 9);
    ck_assert_int_eq(seqrec_dataset_synthesize(context, synth, &dataset, &ceiling, &error), SEQREC_OK);
    make_world(synth, &world);
    double expected = 0;
    for (int64_t u = 0; u < 3000; u++) {
        static double scores[200];
        int32_t items[64];
        int64_t times[64], n = sq_world_length(&world, u);
        sq_world_user(&world, u, items, times);
        sq_belief belief = sq_belief_start();
        for (int64_t t = 0; t + 1 < n; t++) (void)sq_belief_see(&world, &belief, items[t]);
        sq_belief_predict(&world, &belief, scores);
        double left = 0, top = 0;
        for (int64_t t = 0; t + 1 < n; t++) scores[items[t]] = 0;
        for (int i = 0; i < 200; i++) left += scores[i];
        for (int k = 0; k < 10; k++) {
            int best = 0;
            for (int i = 1; i < 200; i++) best = scores[i] > scores[best] ? i : best;
            top += scores[best];
            scores[best] = 0;
        }
        expected += top / left / 3000;
    }
    sq_world_free(&world, &context->memory);
    ck_assert_double_eq_tol(ceiling.hit10, expected, 0.025); /* three standard errors */
}
END_TEST

START_TEST(ties_count_by_expectation)
{
    double hit, ndcg;
    sq_expected_rank(0, 0, 10, &hit, &ndcg);
    ck_assert_double_eq(hit, 1);
    ck_assert_double_eq(ndcg, 1);
    sq_expected_rank(9, 3, 10, &hit, &ndcg);
    ck_assert_double_eq(hit, 0.25);
    ck_assert_double_eq_tol(ndcg, 0.25 / log2(11), 1e-15);
    sq_expected_rank(10, 3, 10, &hit, &ndcg);
    ck_assert_double_eq(hit, 0);
    ck_assert_double_eq(ndcg, 0);
    sq_expected_rank(0, 99, 10, &hit, &ndcg);
    ck_assert_double_eq_tol(hit, 0.1, 1e-15);
}
END_TEST

START_TEST(settings_of_the_generator_have_bounds)
{
    const struct {
        seqrec_synth synth;
        const char *part;
    } cases[] = {{{.users = -1}, "synth.users = -1"},
                 {{.items = 1}, "synth.items = 1"},
                 {{.clusters = 501}, "synth.clusters = 501"},
                 {{.clusters = 490}, "too few for 3 successors"},
                 {{.shortest = 60}, "synth.longest = 50 is not in 60"},
                 {{.shortest = -2}, "synth.shortest"},
                 {{.drift = 1.5}, "synth.drift = 1.5"},
                 {{.drift = NAN}, "synth.drift"},
                 {{.markov = -0.1}, "synth.markov"},
                 {{.zipf = 11}, "synth.zipf"},
                 {{.successors = 65}, "synth.successors"},
                 {{.users = 100000000}, "are more than 2147483647 events"}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        seqrec_synth synth = cases[c].synth;
        synth.struct_size = sizeof synth;
        ck_assert_int_eq(seqrec_dataset_synthesize(context, &synth, &dataset, NULL, &error), SEQREC_E_RANGE);
        ck_assert_msg(strstr(error.message, cases[c].part) != NULL, "%s", error.message);
        ck_assert_ptr_null(dataset);
    }
}
END_TEST

START_TEST(a_user_who_can_only_repeat_is_still_generated)
{
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    ck_assert_int_eq(
        seqrec_dataset_synthesize(context, SYNTH(.users = 5, .items = 4, .clusters = 1, .shortest = 40, .longest = 40),
                                  &dataset, &ceiling, &error),
        SEQREC_OK);
    ck_assert_int_eq(dataset->events, 200);
    ck_assert_double_eq(ceiling.hit10, 1);
}
END_TEST

/* ---- failing allocations ---- */

static int32_t call_create(seqrec_dataset **out)
{
    return seqrec_dataset_create(context,
                                 BATCH(.sequences = 2, .offsets = IDS(0, 3, 4), .items = IDS(5, 6, 5, 7),
                                       .timestamps = IDS(3, 2, 1, 0), .values = (const float[4]){0}),
                                 out, &error);
}

static int32_t call_kcore(seqrec_dataset **out)
{
    return seqrec_dataset_kcore(dataset, 1, 1, out, &error);
}

static int32_t call_corrupt(seqrec_dataset **out)
{
    return seqrec_dataset_corrupt(dataset, 0.5, NULL, 1, out, &error);
}

static int32_t call_shuffle_ties(seqrec_dataset **out)
{
    return seqrec_dataset_shuffle_ties(dataset, 1, out, &error);
}

static int32_t call_synthesize(seqrec_dataset **out)
{
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    return seqrec_dataset_synthesize(context, SYNTH(.users = 20, .items = 60, .clusters = 4), out, &ceiling, &error);
}

static int32_t call_describe(seqrec_dataset **out)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    (void)out;
    return seqrec_dataset_describe(dataset, &stats, &error);
}

static int32_t call_sequence(seqrec_dataset **out)
{
    const int64_t *items;
    (void)out;
    return seqrec_dataset_sequence(dataset, 0, NULL, &items, NULL, NULL, &error);
}

START_TEST(any_failing_allocation_leaves_nothing_behind)
{
    static int32_t (*const calls[])(seqrec_dataset **) = {call_create,   call_kcore,   call_synthesize,  call_describe,
                                                          call_sequence, call_corrupt, call_shuffle_ties};
    static const int least[] = {10, 15, 15, 3, 1, 9, 9};
    read_text("user,item,rating,timestamp\nann,x,1,5\nann,y,2,4\nbob,x,3,3\n", &dataset);
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        int64_t blocks = host.blocks, failed = 0;
        for (int64_t n = 1;; n++, failed++) {
            seqrec_dataset *out = NULL;
            host.requests = 0;
            host.fail_at = n;
            int32_t status = calls[c](&out);
            host.fail_at = 0;
            seqrec_dataset_release(out);
            if (status == SEQREC_OK) break;
            ck_assert_int_eq(status, SEQREC_E_MEMORY);
            ck_assert_ptr_null(out);
            ck_assert_int_eq(host.blocks, blocks);
        }
        ck_assert_int_ge(failed, least[c]);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("data");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, arrays_become_users_and_a_catalogue_of_rising_ids);
    tcase_add_test(tests, a_user_given_twice_is_joined);
    tcase_add_test(tests, users_without_ids_are_numbered_from_0_and_empty_ones_left_out);
    tcase_add_test(tests, events_sort_by_time_and_input_order_with_their_values);
    tcase_add_test(tests, sorting_many_events_is_stable_and_right);
    tcase_add_test(tests, an_empty_batch_is_an_empty_dataset);
    tcase_add_test(tests, wrong_batches_are_refused);
    tcase_add_test(tests, structs_of_a_later_release_are_read_when_their_new_fields_are_zero);
    tcase_add_test(tests, null_arguments_are_refused);
    tcase_add_test(tests, sequences_and_items_are_given_as_ids);
    tcase_add_test(tests, values_are_given_in_step_with_the_items);
    tcase_add_test(tests, a_retained_dataset_outlives_the_first_release);
    tcase_add_test(tests, the_hash_tells_ids_order_and_times_apart_and_nothing_else);
    tcase_add_test(tests, the_hash_of_the_values_tells_them_and_their_order_apart);
    tcase_add_test(tests, divisions_are_parsed_or_refused);
    tcase_add_test(tests, divisions_part_each_users_events);
    tcase_add_test(tests, a_host_is_told_where_the_parts_of_a_sequence_end);
    tcase_add_test(tests, a_division_that_a_fit_refuses_is_refused_and_nothing_told);
    tcase_add_test(tests, the_k_core_is_iterated_and_keeps_names_times_and_values);
    tcase_add_test(tests, the_k_core_is_that_of_the_plain_iteration);
    tcase_add_test(tests, noise_replaces_its_share_of_the_training_events_and_nothing_else);
    tcase_add_test(tests, a_noisy_copy_keeps_names_times_values_and_lookups);
    tcase_add_test(tests, the_order_of_events_at_the_same_instant_is_drawn_anew);
    tcase_add_test(tests, statistics_count_repeats_ties_and_quantiles);
    tcase_add_test(tests, the_filter_agrees_with_all_paths_of_the_hidden_taste);
    tcase_add_test(tests, generation_repeats_from_its_seed_and_times_rise);
    tcase_add_test(tests, the_ceiling_is_above_counting_and_below_certainty);
    tcase_add_test(tests, the_ceiling_is_what_the_filter_expects_of_itself);
    tcase_add_test(tests, ties_count_by_expectation);
    tcase_add_test(tests, settings_of_the_generator_have_bounds);
    tcase_add_test(tests, a_user_who_can_only_repeat_is_still_generated);
    tcase_add_test(tests, any_failing_allocation_leaves_nothing_behind);
    Suite *suite = suite_create("data");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
