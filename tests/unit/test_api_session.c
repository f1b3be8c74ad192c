/* api: what seqrec.h promises of sessions: statuses, messages, failing allocations, bytes from outside. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "api_fixture.h"
#include "model/checksum.h"
#include "run_suite.h"

enum { ITEMS = 30, BYTES = 48 + 16 * 4 };

static seqrec_sessions *pool;
static seqrec_session *session;
static const int64_t history[] = {3, 5, 7, 9}, times[] = {100, 200, -300, 400};

static void make_model(const char *const *settings)
{
    int64_t ids[ITEMS];
    for (; settings && *settings; settings += 2) api_set(settings[0], settings[1]);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, ITEMS, NULL, &api.error));
}

static void open_all_on(int32_t threads)
{
    static const char *const settings[] = {"position", "none", "init", "normal", "init_std", "0.4", NULL};
    api_open_on(threads, "true");
    seqrec_model_release(api.model);
    make_model(settings);
    EXPECT(SEQREC_OK, seqrec_sessions_create(api.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK,
           seqrec_session_open(pool, NULL, history, times, 4, SEQREC_UNKNOWN_ERROR, &session, &api.error));
}

static void open_all(void)
{
    open_all_on(0);
}

static void close_all(void)
{
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    pool = NULL;
    session = NULL;
    api_close();
}

/* The session answers, and as before. */
static void expect_usable(void)
{
    static float first[3];
    static int32_t known = 0;
    float now[3];
    EXPECT(SEQREC_OK, seqrec_session_encode(session, now, &api.error));
    if (known) ck_assert_mem_eq(now, first, sizeof now);
    memcpy(first, now, sizeof now);
    known = 1;
}

START_TEST(bad_arguments_name_the_value_and_the_rule)
{
    int64_t items[ITEMS + 1], found;
    float out[ITEMS * 3];
    seqrec_session *other = NULL;
    seqrec_sessions *none = NULL;
    seqrec_session_info info = {.struct_size = 8};
    seqrec_sessions_info pool_info = {.struct_size = 8};
    expect_usable();
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_sessions_create(NULL, 0, &none, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_sessions_create(api.model, 0, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "sessions is NULL", seqrec_sessions_swap(NULL, api.model, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_sessions_swap(pool, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "struct_size is 8", seqrec_sessions_describe(pool, &pool_info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_sessions_describe(pool, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "sessions is NULL", seqrec_session_open(NULL, NULL, NULL, NULL, 0, 0, &other, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_session_open(pool, NULL, NULL, NULL, 0, 0, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_session_open(pool, NULL, history, NULL, -1, 0, &other, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL for 2", seqrec_session_append(session, NULL, NULL, 2, 0, &api.error));
    REFUSED(SEQREC_E_RANGE, "unknown_items = 7", seqrec_session_append(session, history, NULL, 1, 7, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "session is NULL", seqrec_session_append(NULL, history, NULL, 1, 0, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 77 (items[1])",
            seqrec_session_append(session, (int64_t[]){4, 77}, NULL, 2, SEQREC_UNKNOWN_ERROR, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 77",
            seqrec_session_open(pool, NULL, (int64_t[]){77}, NULL, 1, SEQREC_UNKNOWN_ERROR, &other, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "k = -1", seqrec_session_topk(session, -1, NULL, items, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL", seqrec_session_topk(session, 1, NULL, NULL, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "found is NULL", seqrec_session_topk(session, 1, NULL, items, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "k = 31 is above the 30 items",
            seqrec_session_topk(session, ITEMS + 1, NULL, items, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -2", seqrec_session_score(session, history, -2, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "candidates is NULL", seqrec_session_score(session, NULL, 2, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "scores is NULL", seqrec_session_score(session, history, 2, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 99 (candidates[0])",
            seqrec_session_score(session, (int64_t[]){99}, 1, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_session_ahead(session, history, 2, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 98 (candidates[1])",
            seqrec_session_ahead(session, (int64_t[]){1, 98}, 2, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_session_encode(session, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "struct_size is 8", seqrec_session_describe(session, &info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL for 9 bytes", seqrec_session_save(session, NULL, 9, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "bytes is NULL", seqrec_session_restore(pool, NULL, 9, &other, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "session is NULL", seqrec_session_evict(NULL, &api.error));
    seqrec_session_release(NULL);
    seqrec_sessions_release(NULL);
    EXPECT(SEQREC_OK, seqrec_session_topk(session, 0, NULL, NULL, NULL, &found, &api.error));
    ck_assert_int_eq(found, 0);
    EXPECT(SEQREC_OK, seqrec_session_score(session, NULL, 0, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_append(session, NULL, NULL, 0, 0, &api.error));
    ck_assert(other == NULL && none == NULL);
    expect_usable();
}
END_TEST

/* Answers with what the host of a test put into a mask. */
static int32_t answer_with(void *context, seqrec_decode_mask *mask)
{
    const int64_t path = mask->path, step = mask->step;
    *mask = *(const seqrec_decode_mask *)context;
    mask->path = path;
    mask->step = step;
    return 0;
}

START_TEST(bad_masks_name_the_value_and_the_rule)
{
    int64_t items[4] = {-3}, found = -3;
    seqrec_decode_mask mask = {.struct_size = sizeof mask, .deny_count = 2};
    const seqrec_decode how = {.struct_size = sizeof how, .steps = 2, .mask = answer_with, .mask_context = &mask};
    expect_usable();
    REFUSED(SEQREC_E_ARGUMENT, "the mask of path 0 in step 1 denies 2 items and lists none",
            seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    mask.deny = history;
    mask.deny_count = -2;
    REFUSED(SEQREC_E_ARGUMENT, "denies -2 items", seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    mask = (seqrec_decode_mask){.bits_count = 64};
    REFUSED(SEQREC_E_ARGUMENT, "has 64 bits and points at none",
            seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    mask.bits_count = -1;
    REFUSED(SEQREC_E_ARGUMENT, "has -1 bits", seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    ck_assert(items[0] == -3 && found == -3);
    mask = (seqrec_decode_mask){0};
    EXPECT(SEQREC_OK, seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    expect_usable();
}
END_TEST

START_TEST(bad_ways_of_decoding_name_the_value_and_the_rule)
{
    int64_t items[8], found = -3;
    const seqrec_filter filter = {.struct_size = sizeof filter, .allow = history, .allow_count = 4};
    seqrec_decode how = {.struct_size = sizeof how, .method = SEQREC_DECODE_BEAM, .steps = 2, .width = 2};
#define WITH(field, value, status, hint)                                                                               \
    do {                                                                                                               \
        seqrec_decode bad = how;                                                                                       \
        bad.field = (value);                                                                                           \
        REFUSED(status, hint, seqrec_session_decode(session, &bad, NULL, items, NULL, &found, &api.error));            \
    } while (0)
    expect_usable();
    WITH(struct_size, 16, SEQREC_E_ARGUMENT, "decode.struct_size is 16");
    WITH(method, 3, SEQREC_E_RANGE, "decode.method = 3");
    WITH(method, SEQREC_DECODE_GREEDY, SEQREC_E_ARGUMENT, "decode.width = 2");
    WITH(repeats, 2, SEQREC_E_RANGE, "decode.repeats = 2");
    WITH(steps, -1, SEQREC_E_RANGE, "decode.steps = -1");
    WITH(steps, 4097, SEQREC_E_RANGE, "decode.steps = 4097");
    WITH(steps, 31, SEQREC_E_ARGUMENT, "leaves 30 items; a path of 31 steps without repeats needs 31");
    WITH(width, 4097, SEQREC_E_RANGE, "decode.width = 4097");
    WITH(top_k, -1, SEQREC_E_RANGE, "decode.top_k = -1");
    WITH(top_k, 4, SEQREC_E_ARGUMENT, "decode.top_k = 4");
    WITH(top_p, 0.5, SEQREC_E_ARGUMENT, "decode.top_p = 0.5 is of drawn paths alone");
    WITH(top_p, -0.1, SEQREC_E_RANGE, "decode.top_p = -0.1 is not above 0 and at most 1");
    WITH(top_p, 1.5, SEQREC_E_RANGE, "decode.top_p = 1.5");
    WITH(top_p, 0.0 / 0.0, SEQREC_E_RANGE, "decode.top_p = ");
    WITH(groups, -1, SEQREC_E_RANGE, "decode.groups = -1 is not in 1 .. decode.width = 2");
    WITH(groups, 3, SEQREC_E_RANGE, "decode.groups = 3");
    WITH(diversity, 0.5, SEQREC_E_ARGUMENT, "decode.diversity = 0.5 is of several groups alone");
    WITH(diversity, -0.5, SEQREC_E_RANGE, "decode.diversity = -0.5");
    WITH(diversity, 0.0 / 0.0, SEQREC_E_RANGE, "decode.diversity = ");
    how.groups = 2;
    WITH(width, 3, SEQREC_E_ARGUMENT, "decode.width = 3 is no multiple of decode.groups = 2");
    WITH(method, SEQREC_DECODE_SAMPLE, SEQREC_E_ARGUMENT, "decode.groups = 2 are of beams alone");
    WITH(diversity, 2e6, SEQREC_E_RANGE, "decode.diversity = 2e+06");
    how.groups = 0;
    WITH(temperature, -1, SEQREC_E_RANGE, "decode.temperature = -1");
    WITH(temperature, 0.0 / 0.0, SEQREC_E_RANGE, "decode.temperature = ");
    REFUSED(SEQREC_E_ARGUMENT, "decode is NULL", seqrec_session_decode(session, NULL, NULL, items, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL", seqrec_session_decode(session, &how, NULL, NULL, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "found is NULL", seqrec_session_decode(session, &how, NULL, items, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "session is NULL", seqrec_session_decode(NULL, &how, NULL, items, NULL, &found, &api.error));
    ck_assert_int_eq(found, -3);
    EXPECT(SEQREC_OK, seqrec_session_decode(session, &how, &filter, items, NULL, &found, &api.error));
    ck_assert_int_eq(found, 2);
    for (int32_t i = 0; i < 4; i++) ck_assert(items[i] == 3 || items[i] == 5 || items[i] == 7 || items[i] == 9);
    how = (seqrec_decode){.struct_size = sizeof how}; /* zero: the best item */
    EXPECT(SEQREC_OK, seqrec_session_decode(session, &how, NULL, items, NULL, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(session, 1, NULL, items + 1, NULL, &found, &api.error));
    ck_assert_int_eq(items[0], items[1]);
    expect_usable();
}
END_TEST

START_TEST(bad_paths_to_follow_name_the_value_and_the_rule)
{
    static int64_t far[4097];
    const int64_t items[] = {3, 5, 777};
    double out[3] = {7, 7, 7};
    expect_usable();
    REFUSED(SEQREC_E_ARGUMENT, "session is NULL", seqrec_session_follow(NULL, items, 2, 0, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL for n = 2", seqrec_session_follow(session, NULL, 2, 0, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "log_probabilities is NULL", seqrec_session_follow(session, items, 2, 0, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "n = -1 is not in 0 .. 4096", seqrec_session_follow(session, items, -1, 0, out, &api.error));
    REFUSED(SEQREC_E_RANGE, "n = 4097", seqrec_session_follow(session, far, 4097, 0, out, &api.error));
    REFUSED(SEQREC_E_RANGE, "interval = -1 seconds", seqrec_session_follow(session, items, 2, -1, out, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 777 (items[2])", seqrec_session_follow(session, items, 3, 0, out, &api.error));
    ck_assert(out[0] == 7 && out[1] == 7 && out[2] == 7);
    EXPECT(SEQREC_OK, seqrec_session_follow(session, NULL, 0, 0, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_follow(session, items, 2, 0, out, &api.error));
    ck_assert(out[0] < 0 && out[1] < 0 && out[2] == 7);
    expect_usable();
}
END_TEST

START_TEST(filters_that_leave_nothing_are_refused)
{
    int64_t items[ITEMS], found = -5, all[ITEMS], skipped = -1;
    seqrec_filter filter = {.struct_size = sizeof filter, .deny = all, .deny_count = ITEMS, .skipped = &skipped};
    expect_usable();
    for (int64_t i = 0; i < ITEMS; i++) all[i] = i;
    REFUSED(SEQREC_E_ARGUMENT, "leaves none of the 30 items",
            seqrec_session_topk(session, 3, &filter, items, NULL, &found, &api.error));
    ck_assert_int_eq(found, -5);
    filter = (seqrec_filter){.struct_size = sizeof filter, .allow = history, .allow_count = 4, .exclude_seen = 1};
    REFUSED(SEQREC_E_ARGUMENT, "leaves none", seqrec_session_topk(session, 3, &filter, items, NULL, &found, &api.error));
    filter.exclude_seen = 0;
    EXPECT(SEQREC_OK, seqrec_session_topk(session, 6, &filter, items, NULL, &found, &api.error));
    ck_assert_int_eq(found, 4);
    filter.unknown_items = 5;
    REFUSED(SEQREC_E_RANGE, "unknown_items = 5", seqrec_session_topk(session, 3, &filter, items, NULL, &found, &api.error));
    expect_usable();
}
END_TEST

START_TEST(unknown_events_wait_for_their_item)
{
    int64_t items[ITEMS], found, skipped = -1, strangers = -1;
    const int64_t late = 77;
    float out[3], expected[3];
    const int64_t offsets[] = {0, 3}, seen[] = {9, 77, 2};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = seen};
    seqrec_filter filter = {
        .struct_size = sizeof filter, .exclude_seen = 1, .skipped = &skipped, .strangers = &strangers};
    seqrec_session *one = NULL;
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, seen, NULL, 3, SEQREC_UNKNOWN_SKIP, &one, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(one, 28, &filter, items, NULL, &found, &api.error));
    ck_assert(found == 28 && skipped == 1 && strangers == 0);
    filter.unknown_items = SEQREC_UNKNOWN_ERROR;
    REFUSED(SEQREC_E_NOT_FOUND, "item 77 of the session is not in the model",
            seqrec_session_topk(one, 3, &filter, items, NULL, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &late, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(one, 28, &filter, items, NULL, &found, &api.error));
    ck_assert(found == 28 && skipped == 0); /* of 31 items 3 were seen */
    EXPECT(SEQREC_OK, seqrec_session_encode(one, out, &api.error));
    EXPECT(SEQREC_OK, seqrec_encode(api.model, &batch, NULL, expected, &api.error));
    for (int32_t i = 0; i < 3; i++) ck_assert(out[i] - expected[i] < 1e-5f && expected[i] - out[i] < 1e-5f);
    seqrec_session_release(one);
}
END_TEST

START_TEST(an_evicted_session_can_only_be_released)
{
    int64_t items[3], found;
    float out[9];
    unsigned char bytes[BYTES];
    seqrec_session_info info = {.struct_size = sizeof info};
    seqrec_sessions_info pool_info = {.struct_size = sizeof pool_info};
    EXPECT(SEQREC_OK, seqrec_session_encode(session, out, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_evict(session, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_describe(pool, &pool_info, &api.error));
    ck_assert(pool_info.sessions == 1 && pool_info.cache_bytes == 0 && pool_info.event_bytes == 0);
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_append(session, history, NULL, 1, 0, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_topk(session, 3, NULL, items, NULL, &found, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_score(session, history, 3, out, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_encode(session, out, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_ahead(session, history, 3, out, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_save(session, bytes, sizeof bytes, NULL, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_describe(session, &info, &api.error));
    REFUSED(SEQREC_E_STATE, "was evicted", seqrec_session_evict(session, &api.error));
}
END_TEST

START_TEST(a_session_outlives_the_handles_of_its_pool_and_model)
{
    expect_usable();
    seqrec_sessions_release(pool);
    seqrec_model_release(api.model);
    pool = NULL;
    api.model = NULL;
    expect_usable();
}
END_TEST

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

/* The time of a request is nothing to a model without option time, whatever stands in the working memory. */
START_TEST(when_it_is_asked_does_not_matter_without_option_time)
{
    float before[3], after[3], other[3];
    seqrec_session *busy = NULL;
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, history + 1, times, 2, SEQREC_UNKNOWN_ERROR, &busy, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(session, before, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(busy, other, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_ask_at(session, 5000, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(session, after, &api.error));
    ck_assert_mem_eq(before, after, sizeof before);
    REFUSED(SEQREC_E_RANGE, "INT64_MIN stands for no time", seqrec_session_ask_at(session, INT64_MIN, &api.error));
    seqrec_session_release(busy);
}
END_TEST

START_TEST(bytes_bring_back_user_events_and_times)
{
    unsigned char bytes[BYTES], again[BYTES];
    size_t needed = 0;
    const int64_t user = -12;
    seqrec_session *one = NULL, *two = NULL;
    seqrec_session_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_session_open(pool, &user, history, times, 4, SEQREC_UNKNOWN_ERROR, &one, &api.error));
    REFUSED(SEQREC_E_RANGE, "112 bytes, room is for 111", seqrec_session_save(one, bytes, BYTES - 1, &needed, &api.error));
    ck_assert_uint_eq(needed, BYTES);
    REFUSED(SEQREC_E_RANGE, "room is for 0", seqrec_session_save(one, NULL, 0, &needed, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_save(one, bytes, BYTES, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_restore(pool, bytes, BYTES, &two, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_describe(two, &info, &api.error));
    ck_assert(info.has_user == 1 && info.user == -12 && info.events == 4 && info.waiting == 4);
    EXPECT(SEQREC_OK, seqrec_session_save(two, again, BYTES, NULL, &api.error));
    ck_assert_mem_eq(bytes, again, BYTES);
    seqrec_session_release(one);
    seqrec_session_release(two);
}
END_TEST

static void sign(unsigned char *bytes)
{
    const uint64_t sum = sq_checksum_of(bytes, BYTES - 8);
    for (size_t i = 0; i < 8; i++) bytes[BYTES - 8 + i] = (unsigned char)(sum >> (8 * i));
}

START_TEST(damaged_bytes_are_refused_and_leave_nothing)
{
    unsigned char bytes[BYTES], bad[BYTES];
    seqrec_session *other = NULL;
    EXPECT(SEQREC_OK, seqrec_session_save(session, bytes, BYTES, NULL, &api.error));
    const int64_t before = atomic_load(&api.memory.blocks);
    for (size_t n = 0; n < BYTES; n++)
        EXPECT(SEQREC_E_FORMAT, seqrec_session_restore(pool, bytes, n, &other, &api.error));
    for (size_t i = 0; i < BYTES * 8; i++) {
        memcpy(bad, bytes, BYTES);
        bad[i / 8] ^= (unsigned char)(1u << i % 8);
        EXPECT(SEQREC_E_FORMAT, seqrec_session_restore(pool, bad, BYTES, &other, &api.error));
    }
    ck_assert_ptr_null(other);
    ck_assert_int_eq(atomic_load(&api.memory.blocks), before);
    memcpy(bad, bytes, BYTES);
    bad[24] = 5; /* the session has no user */
    sign(bad);
    REFUSED(SEQREC_E_FORMAT, "byte 24", seqrec_session_restore(pool, bad, BYTES, &other, &api.error));
    bad[16] = 2;
    sign(bad);
    REFUSED(SEQREC_E_FORMAT, "byte 16", seqrec_session_restore(pool, bad, BYTES, &other, &api.error));
    REFUSED(SEQREC_E_FORMAT, "byte 0", seqrec_session_restore(pool, "nothing", 7, &other, &api.error));
}
END_TEST

START_TEST(bytes_of_another_model_are_refused)
{
    static const char *const settings[] = {"dim", "5", NULL};
    unsigned char bytes[BYTES];
    seqrec_session *other = NULL;
    seqrec_model *first = api.model;
    EXPECT(SEQREC_OK, seqrec_session_save(session, bytes, BYTES, NULL, &api.error));
    make_model(settings);
    EXPECT(SEQREC_OK, seqrec_sessions_swap(pool, api.model, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "of another model", seqrec_session_restore(pool, bytes, BYTES, &other, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_swap(pool, first, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_restore(pool, bytes, BYTES, &other, &api.error));
    seqrec_session_release(other);
    seqrec_model_release(first);
}
END_TEST

/* The option that leaves nothing to keep, or nothing. */
START_TEST(why_a_session_recomputes_is_told)
{
    static const struct {
        const char *settings[7], *reason;
    } ways[] = {
        {{NULL}, ""},
        {{"position", "start", NULL}, ""},
        {{"position", "end", NULL}, "position = end: every event moves the places"},
        {{"mask", "bidirectional", "objective", "cloze", "position", "start", NULL}, "mask = bidirectional: every event is seen"},
        {{"mixer", "spectral", NULL}, "mixer = spectral: its filters"},
        {{"gates", "position", NULL}, "gates: they go by places"},
        {{"time", "intervals", NULL}, "time = intervals: they count from the window's first event"},
    };
    seqrec_model *first = api.model;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        seqrec_session_info info = {.struct_size = sizeof info};
        seqrec_config_release(api.config);
        EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &api.config, &api.error));
        api_set("position", "none");
        make_model(ways[i].settings);
        EXPECT(SEQREC_OK, seqrec_sessions_swap(pool, api.model, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_describe(session, &info, &api.error));
        ck_assert_msg(strncmp(info.reason, ways[i].reason, strlen(ways[i].reason)) == 0, "%s", info.reason);
        ck_assert_int_eq(info.reason[0] != 0, ways[i].reason[0] != 0);
        ck_assert_int_eq(info.rule == SEQREC_SESSION_RECOMPUTES, info.reason[0] != 0);
        seqrec_model_release(api.model);
    }
    api.model = first;
}
END_TEST

START_TEST(a_model_of_another_context_is_refused)
{
    seqrec_context *context = NULL;
    seqrec_model *model = NULL;
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, 0, NULL, NULL, &context, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_create(context, api.config, &model, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "another context", seqrec_sessions_swap(pool, model, &api.error));
    seqrec_model_release(model);
    seqrec_context_release(context);
    expect_usable();
}
END_TEST

/* ---- memory that fails ---------------------------------------------------------------------------------------------- */

static int32_t fresh_read(int32_t which)
{
    seqrec_decode_mask mask = {.struct_size = sizeof mask, .deny = history, .deny_count = 4};
    const seqrec_decode how = {.struct_size = sizeof how,
                               .method = SEQREC_DECODE_SAMPLE,
                               .steps = 3,
                               .width = 2,
                               .top_k = 5,
                               .mask = answer_with,
                               .mask_context = &mask};
    int64_t items[12], found[2];
    float out[12];
    double shares[4];
    seqrec_session *one = NULL, *pair[2] = {NULL};
    seqrec_sessions *fresh = NULL;
    int32_t status = seqrec_sessions_create(api.model, SIZE_MAX, &fresh, &api.error);
    if (status == SEQREC_OK) status = seqrec_session_open(fresh, NULL, history, times, 4, 0, &one, &api.error);
    if (status == SEQREC_OK && which == 0) status = seqrec_session_topk(one, 3, NULL, items, NULL, found, &api.error);
    if (status == SEQREC_OK && which == 1) status = seqrec_session_score(one, history, 4, out, &api.error);
    if (status == SEQREC_OK && which == 2) status = seqrec_session_ahead(one, history, 4, out, &api.error);
    if (status == SEQREC_OK && which == 3) status = seqrec_session_decode(one, &how, NULL, items, NULL, found, &api.error);
    if (status == SEQREC_OK && which == 4) status = seqrec_session_follow(one, history, 4, 0, shares, &api.error);
    if (status == SEQREC_OK && which == 5) {
        status = seqrec_session_open(fresh, NULL, history, times, 2, 0, &pair[1], &api.error);
        pair[0] = one;
        if (status == SEQREC_OK) status = seqrec_sessions_decode(fresh, pair, 2, &how, NULL, items, NULL, found, &api.error);
    }
    seqrec_session_release(pair[1]);
    seqrec_session_release(one);
    seqrec_sessions_release(fresh);
    return status;
}

static int32_t restore_saved(const unsigned char *bytes)
{
    seqrec_session *one = NULL;
    const int32_t status = seqrec_session_restore(pool, bytes, BYTES, &one, &api.error);
    seqrec_session_release(one);
    return status;
}

/* Arenas that the model keeps between calls are blocks too: only the state of sessions is looked at. */
START_TEST(whatever_allocation_fails_the_call_fails_and_the_session_stays)
{
    unsigned char bytes[BYTES];
    expect_usable();
    for (int32_t which = 0; which < 6; which++)
        for (int64_t n = 0;; n++) {
            atomic_store(&api.memory.to_fail, n);
            const int32_t status = fresh_read(which);
            const int32_t reached = atomic_load(&api.memory.to_fail) < 0;
            atomic_store(&api.memory.to_fail, -1);
            ck_assert_int_eq(status, reached ? SEQREC_E_MEMORY : SEQREC_OK);
            expect_usable();
            if (!reached) break;
            ck_assert_int_lt(n, 40);
        }
    EXPECT(SEQREC_OK, seqrec_session_save(session, bytes, BYTES, NULL, &api.error));
    EACH_ALLOCATION_FAILS(restore_saved(bytes), expect_usable(), (void)0);
    EACH_ALLOCATION_FAILS(fresh_read(4), expect_usable(), (void)0);
}
END_TEST

/* A read that fails for want of memory is made good by the next. */
START_TEST(a_read_that_failed_can_be_repeated)
{
    float out[3], expected[3];
    for (int64_t n = 0; n < 30; n++) {
        seqrec_session *one = NULL, *other = NULL;
        EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, history, NULL, 2, 0, &one, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, history, NULL, 4, 0, &other, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_encode(other, expected, &api.error));
        if (n % 2) EXPECT(SEQREC_OK, seqrec_session_encode(one, out, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_append(one, history + 2, NULL, 2, 0, &api.error));
        atomic_store(&api.memory.to_fail, n / 2);
        const int32_t status = seqrec_session_encode(one, out, &api.error);
        ck_assert(status == SEQREC_OK || status == SEQREC_E_MEMORY);
        atomic_store(&api.memory.to_fail, -1);
        EXPECT(SEQREC_OK, seqrec_session_encode(one, out, &api.error));
        ck_assert_mem_eq(out, expected, sizeof out);
        seqrec_session_release(one);
        seqrec_session_release(other);
    }
}
END_TEST

/* ---- a process that forked ------------------------------------------------------------------------------------------ */

static int in_child(void)
{
    float out[3];
    char bytes[BYTES];
    size_t needed;
    int64_t items[2], found;
    double logs[2];
    seqrec_sessions *none = NULL;
    seqrec_session *other = NULL;
    seqrec_sessions_info pool_info = {.struct_size = sizeof pool_info};
    seqrec_session_info info = {.struct_size = sizeof info};
    const seqrec_decode how = {.struct_size = sizeof how, .steps = 2};
    const int32_t statuses[] = {
        seqrec_sessions_create(api.model, SIZE_MAX, &none, NULL),
        seqrec_sessions_swap(pool, api.model, NULL),
        seqrec_sessions_describe(pool, &pool_info, NULL),
        seqrec_session_open(pool, NULL, history, times, 4, 0, &other, NULL),
        seqrec_session_append(session, history, NULL, 1, 0, NULL),
        seqrec_session_ask_at(session, 500, NULL),
        seqrec_session_topk(session, 2, NULL, items, NULL, &found, NULL),
        seqrec_session_score(session, history, 2, out, NULL),
        seqrec_session_encode(session, out, NULL),
        seqrec_session_ahead(session, history, 1, out, NULL),
        seqrec_session_decode(session, &how, NULL, items, NULL, &found, NULL),
        seqrec_sessions_decode(pool, &session, 1, &how, NULL, items, NULL, &found, NULL),
        seqrec_session_follow(session, history, 2, 1, logs, NULL),
        seqrec_session_describe(session, &info, NULL),
        seqrec_session_save(session, bytes, sizeof bytes, &needed, NULL),
        seqrec_session_restore(pool, bytes, sizeof bytes, &other, NULL),
        seqrec_session_evict(session, NULL),
    };
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    seqrec_model_release(api.model);
    seqrec_context_release(api.context);
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

START_TEST(a_forked_child_is_refused_but_may_release)
{
    open_all_on(2 * _i);
    expect_usable();
    ck_assert_int_eq(api_in_child(in_child), 0);
    expect_usable();
    close_all();
}
END_TEST

/* A thread that is at work on the pool when the process forks is not there in the child, nor is whoever would give its lock back. */
static atomic_int stop;

static void *describe_on(void *unused)
{
    seqrec_sessions_info info = {.struct_size = sizeof info};
    while (!atomic_load(&stop)) (void)seqrec_sessions_describe(pool, &info, NULL);
    return unused;
}

static int release_in_child(void)
{
    alarm(20);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    return 0;
}

START_TEST(a_forked_child_may_release_while_the_parent_is_at_work)
{
    pthread_t thread;
    open_all();
    atomic_store(&stop, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, describe_on, NULL), 0);
    for (int i = 0; i < 300; i++) ck_assert_int_eq(api_in_child(release_in_child), 0);
    atomic_store(&stop, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    expect_usable();
    close_all();
}
END_TEST

START_TEST(a_history_whose_vector_is_not_finite_is_told)
{
    float vector[64];
    int64_t items[2], found = 7;
    const int64_t width = seqrec_items_width(api.model);
    for (int i = 0; i < 64; i++) vector[i] = i % 2 ? 3e38f : -3e38f;
    ck_assert(width <= 64);
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &history[3], 1, vector, &api.error));
    REFUSED(SEQREC_E_NUMERIC, "the vector of this history is not finite", seqrec_session_topk(session, 2, NULL, items, NULL, &found, &api.error));
    ck_assert_int_eq(found, 7);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("api_session");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, bad_arguments_name_the_value_and_the_rule);
    tcase_add_test(tests, bad_ways_of_decoding_name_the_value_and_the_rule);
    tcase_add_test(tests, bad_masks_name_the_value_and_the_rule);
    tcase_add_test(tests, bad_paths_to_follow_name_the_value_and_the_rule);
    tcase_add_test(tests, filters_that_leave_nothing_are_refused);
    tcase_add_test(tests, unknown_events_wait_for_their_item);
    tcase_add_test(tests, an_evicted_session_can_only_be_released);
    tcase_add_test(tests, a_session_outlives_the_handles_of_its_pool_and_model);
    tcase_add_test(tests, when_it_is_asked_does_not_matter_without_option_time);
    tcase_add_test(tests, bytes_bring_back_user_events_and_times);
    tcase_add_test(tests, damaged_bytes_are_refused_and_leave_nothing);
    tcase_add_test(tests, bytes_of_another_model_are_refused);
    tcase_add_test(tests, why_a_session_recomputes_is_told);
    tcase_add_test(tests, a_model_of_another_context_is_refused);
    tcase_add_test(tests, whatever_allocation_fails_the_call_fails_and_the_session_stays);
    tcase_add_test(tests, a_read_that_failed_can_be_repeated);
    tcase_add_test(tests, a_history_whose_vector_is_not_finite_is_told);
    TCase *forked = tcase_create("forked");
    tcase_add_loop_test(forked, a_forked_child_is_refused_but_may_release, 0, 2);
    tcase_add_test(forked, a_forked_child_may_release_while_the_parent_is_at_work);
    Suite *suite = suite_create("api_session");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, forked);
    return run_suite(suite);
}
