/* unit: sessions against passes over whole histories, for every scheme of places, whatever way the events came. */
#include "failing_allocator.h"
#include "run_suite.h"
#include "session_world.h"

enum { AHEAD = 70 };

/* ---- what a session is ---------------------------------------------------------------------------------------------- */

static int64_t window_start(int32_t rule, int64_t length, int64_t n)
{
    if (rule != HALVES) return n > length ? n - length : 0;
    int64_t first = 0;
    for (int64_t i = 1; i <= n; i++)
        if (i - first > length) first = i - 1 - length / 2; /* the newest half of the full window, and the new event */
    return first;
}

START_TEST(a_session_is_a_pass_over_its_window)
{
    const scheme *c = &schemes[_i];
    small_model s = open_model(c->settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    seqrec_session *session = session_of(pool, NULL, 0);
    seqrec_session_info info = {.struct_size = sizeof info};
    const int64_t length = s.model->layout.length, blocks = s.model->layout.blocks;
    int64_t items[MOST];
    float got[WIDEST], expected[WIDEST];
    fill_items(items);
    encode(session, got);
    vector_of(&s, items, 0, expected);
    ck_assert_mem_eq(got, expected, (size_t)dim_of(&s) * sizeof *got);
    for (int64_t n = 1; n <= 3 * length + 4; n++) {
        const int64_t first = window_start(c->rule, length, n);
        append(session, items + n - 1, 1);
        encode(session, got);
        if (c->rule == SLIDES && first > 0 && blocks > 1) continue; /* goes back further: the next test */
        vector_of(&s, items + first, n - first, expected);
        expect_near(got, expected, dim_of(&s), c->settings, n);
        if (c->rule == RECOMPUTES) ck_assert_mem_eq(got, expected, (size_t)dim_of(&s) * sizeof *got);
    }
    good(seqrec_session_describe(session, &info, &failure));
    ck_assert_int_eq(info.rule, c->rule);
    ck_assert_int_eq(info.events, 3 * length + 4);
    ck_assert_int_eq(info.waiting, 0);
    if (c->rule == SLIDES) ck_assert_int_eq(info.cached, s.model->layout.span ? s.model->layout.span : length);
    if (c->rule == RECOMPUTES) ck_assert_int_eq(info.cached, 0);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* One block goes back no further than its window. */
START_TEST(with_one_block_a_sliding_session_is_a_pass_over_the_last_events)
{
    const scheme *c = &schemes[_i];
    char settings[256];
    if (c->rule != SLIDES || strstr(c->settings, "blocks=")) return;
    snprintf(settings, sizeof settings, "%s blocks=1", c->settings);
    small_model s = open_model(settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    seqrec_session *session = session_of(pool, NULL, 0);
    int64_t items[MOST];
    float got[WIDEST], expected[WIDEST];
    fill_items(items);
    for (int64_t n = 1; n <= 40; n++) {
        append(session, items + n - 1, 1);
        encode(session, got);
        vector_of(&s, items + (n > 9 ? n - 9 : 0), n > 9 ? 9 : n, expected);
        expect_near(got, expected, dim_of(&s), settings, n);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* What attention_span trains is what a session computes: the whole history under the same band. */
START_TEST(a_session_of_a_spanned_model_is_a_pass_over_the_whole_history)
{
    static const char *const kinds[] = {"relative=shaw heads=2 blocks=3", "relative=rotary heads=2", "relative=alibi wiring=pre_norm",
                                        "relative=bias attention=hstu wiring=pre_norm blocks=3 head_dim=7"};
    char settings[256];
    snprintf(settings, sizeof settings, "position=none max_length=60 attention_span=6 %s", kinds[_i]);
    small_model s = open_model(settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    seqrec_session *session = session_of(pool, NULL, 0);
    int64_t items[MOST];
    float got[WIDEST], expected[WIDEST];
    fill_items(items);
    for (int64_t n = 1; n <= 60; n++) {
        append(session, items + n - 1, 1);
        encode(session, got);
        vector_of(&s, items, n, expected);
        expect_near(got, expected, dim_of(&s), settings, n);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* The weights of `narrow` in a model of the same options but those of lengths. Tables of other lengths have their first rows and columns
 * alike, and `change` may still put others there. */
static void give_weights(small_model *wide, const small_model *narrow,
                         void (*change)(const sq_layout *to, float *weights, const small_model *from))
{
    const sq_layout *l = &narrow->model->layout, *w = &wide->model->layout;
    const float *from = narrow->model->current->parts.weights->at;
    sq_change made = {.parts.weights = sq_weights_create(&wide->context->memory, w->floats)};
    ck_assert_int_eq(l->count, w->count);
    for (int32_t p = 0; p < w->count; p++)
        for (int64_t r = 0; r < w->parameters[p].rows; r++)
            for (int64_t i = 0; i < w->parameters[p].cols; i++) {
                const sq_parameter *a = &l->parameters[p], *b = &w->parameters[p];
                ck_assert_str_eq(a->name, b->name);
                if (i < a->cols && r < a->rows) made.parts.weights->at[sq_parameter_index(b, r, i)] = from[sq_parameter_index(a, r, i)];
            }
    if (change) change(w, made.parts.weights->at, narrow);
    sq_lock_take(&wide->model->writing);
    EXPECT_OK(sq_model_publish(wide->model, made, error));
    sq_lock_give(&wide->model->writing);
}

/* Sessions of `narrow` against passes of `wide` over the whole history; returns how far those of `narrow` over its last events are off. */
static double expect_whole_histories(const small_model *narrow, const small_model *wide, const char *what)
{
    seqrec_sessions *pool = pool_on(narrow, SIZE_MAX);
    seqrec_session *session = session_of(pool, NULL, 0);
    int64_t items[MOST];
    float got[WIDEST], expected[WIDEST], rerun[WIDEST];
    double apart = 0;
    fill_items(items);
    for (int64_t n = 1; n <= MOST; n++) {
        append(session, items + n - 1, 1);
        encode(session, got);
        vector_of(wide, items, n, expected);
        expect_near(got, expected, dim_of(wide), what, n);
        vector_of(narrow, items, n, rerun);
        for (int64_t i = 0; i < dim_of(wide); i++) apart = fmax(apart, fabs((double)rerun[i] - (double)got[i]));
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    return apart;
}

/* Of the model that sees max_length events and one that sees as many of MOST (attention_span), with the same weights. */
START_TEST(a_sliding_session_is_a_spanned_pass_over_the_whole_history)
{
    const scheme *c = &schemes[_i / 2];
    char settings[200], more[256];
    if (c->rule != SLIDES || (_i % 2 && strstr(c->settings, "blocks="))) return;
    snprintf(settings, sizeof settings, "%s%s", c->settings, _i % 2 ? " blocks=3" : "");
    small_model narrow = open_model(settings, NULL);
    const sq_layout *l = &narrow.model->layout;
    const int32_t span = l->span ? l->span : l->length;
    snprintf(more, sizeof more, "%s max_length=%d attention_span=%d%s", settings, MOST, (int)span, l->pointwise > 0 ? " hstu_length=9" : "");
    small_model wide = open_model(more, NULL);
    give_weights(&wide, &narrow, NULL);
    const double apart = expect_whole_histories(&narrow, &wide, settings);
    if (l->blocks * (span - 1) >= l->length) ck_assert_double_gt(apart, 1e-3); /* a pass over the last events is something else */
    small_close(&narrow);
    small_close(&wide);
}
END_TEST

/* Biases so low that no probability is left close the keys beyond the band. Column x is the distance past - x. */
static void close_the_band(const sq_layout *w, float *weights, const small_model *narrow)
{
    const sq_layout *l = &narrow->model->layout;
    const float *from = narrow->model->current->parts.weights->at;
    for (int32_t b = 0; b < w->blocks; b++)
        for (int32_t x = 0; x < w->columns; x++) {
            const int32_t distance = w->past - x;
            weights[w->block[b].relative_bias + (size_t)x] =
                distance <= l->past ? from[l->block[b].relative_bias + (size_t)(l->past - distance)] : -1e5f;
        }
}

/* The same band without attention_span. */
START_TEST(a_sliding_session_is_a_banded_pass_over_the_whole_history)
{
    static const char *const kinds[] = {"position=none relative=bias blocks=3 heads=2",
                                        "position=none relative=bias blocks=3 attention=hstu wiring=pre_norm hstu_length=9"};
    char settings[256];
    snprintf(settings, sizeof settings, "%s max_length=%d", kinds[_i], MOST);
    small_model narrow = open_model(kinds[_i], NULL), wide = open_model(settings, NULL);
    give_weights(&wide, &narrow, close_the_band);
    ck_assert_double_gt(expect_whole_histories(&narrow, &wide, settings), 1e-3);
    small_close(&narrow);
    small_close(&wide);
}
END_TEST

/* ---- whatever way the events came ----------------------------------------------------------------------------------- */

START_TEST(a_session_has_the_same_bits_whatever_way_its_events_came)
{
    small_model s = open_model(schemes[_i].settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX), *poor = pool_on(&s, 0);
    int64_t items[MOST];
    float expected[WIDEST], got[WIDEST];
    const size_t bytes = (size_t)dim_of(&s) * sizeof *got;
    fill_items(items);
    seqrec_session *single = session_of(pool, NULL, 0), *runs = session_of(pool, NULL, 0), *dropped = session_of(poor, NULL, 0);
    for (int64_t n = 1; n <= 40; n++) {
        append(single, items + n - 1, 1);
        append(dropped, items + n - 1, 1);
        encode(single, expected);
        encode(dropped, got);
        ck_assert_mem_eq(got, expected, bytes);
        seqrec_session *at_once = session_of(pool, items, n), *restored = copy_of(pool, single);
        encode(at_once, got);
        ck_assert_mem_eq(got, expected, bytes);
        encode(restored, got);
        ck_assert_mem_eq(got, expected, bytes);
        if (n % 6 == 0) {
            append(runs, items + n - 6, 6);
            encode(runs, got);
            ck_assert_mem_eq(got, expected, bytes);
        }
        seqrec_session_release(at_once);
        seqrec_session_release(restored);
    }
    seqrec_session_release(single);
    seqrec_session_release(runs);
    seqrec_session_release(dropped);
    seqrec_sessions_release(pool);
    seqrec_sessions_release(poor);
    small_close(&s);
}
END_TEST

/* More events than a pass has rows, and a ring that has come round several times. */
START_TEST(long_runs_of_events_are_taken_in_as_single_ones_are)
{
    small_model s = open_model("position=none relative=rotary max_length=100", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    seqrec_session *single = session_of(pool, NULL, 0);
    int64_t items[700];
    float expected[WIDEST], got[WIDEST];
    for (int64_t e = 0; e < 700; e++) {
        items[e] = item_at(e);
        append(single, items + e, 1);
        encode(single, expected);
        if (e % 131 != 30 && e != 699) continue;
        seqrec_session *at_once = session_of(pool, items, e / 2);
        encode(at_once, got);
        append(at_once, items + e / 2, e + 1 - e / 2);
        encode(at_once, got);
        ck_assert_mem_eq(got, expected, (size_t)dim_of(&s) * sizeof *got);
        seqrec_session_release(at_once);
    }
    seqrec_session_release(single);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

START_TEST(candidates_in_one_pass_are_candidates_appended_one_by_one)
{
    small_model s = open_model(schemes[_i].settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    const int64_t d = dim_of(&s), length = s.model->layout.length;
    int64_t items[MOST], candidates[AHEAD];
    static float out[AHEAD * WIDEST];
    float before[WIDEST], after[WIDEST];
    fill_items(items);
    for (int64_t i = 0; i < AHEAD; i++) candidates[i] = (i * 31 + 5) % ITEMS;
    for (int64_t n = 0; n <= 2 * length + 2; n++) {
        seqrec_session *session = session_of(pool, items, n);
        encode(session, before);
        good(seqrec_session_ahead(session, candidates, AHEAD, out, &failure));
        encode(session, after);
        ck_assert_mem_eq(before, after, (size_t)d * sizeof *after); /* nothing was appended */
        for (int64_t i = 0; i < AHEAD; i += 23) {
            seqrec_session *one = copy_of(pool, session);
            append(one, candidates + i, 1);
            encode(one, after);
            ck_assert_mem_eq(out + i * d, after, (size_t)d * sizeof *after);
            seqrec_session_release(one);
        }
        append(session, candidates + 69, 1); /* and the session goes on as it would have */
        encode(session, after);
        ck_assert_mem_eq(out + 69 * d, after, (size_t)d * sizeof *after);
        seqrec_session_release(session);
    }
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* ---- items and scores ----------------------------------------------------------------------------------------------- */

START_TEST(the_best_items_and_scores_are_those_of_the_session_s_vector)
{
    small_model s = open_model(schemes[_i].settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], best[ITEMS], found, all[ITEMS], deny[] = {1, 2, 3};
    float scores[ITEMS], every[ITEMS];
    fill_items(items);
    for (int64_t i = 0; i < ITEMS; i++) all[i] = i;
    seqrec_session *session = session_of(pool, items, 7);
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1, .deny = deny, .deny_count = 3};
    good(seqrec_session_score(session, all, ITEMS, every, &failure));
    good(seqrec_session_topk(session, ITEMS, &filter, best, scores, &found, &failure));
    for (int64_t i = 0; i < found; i++) {
        ck_assert_float_eq(scores[i], every[best[i]]);
        ck_assert(i == 0 || scores[i] <= scores[i - 1]);
        for (int64_t e = 0; e < 7; e++) ck_assert_int_ne(best[i], items[e]);
        ck_assert_int_gt(best[i] < 1 || best[i] > 3, 0);
    }
    ck_assert_int_ge(found, ITEMS - 10);
    const int64_t offsets[] = {0, 7};
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items, .users = &user_two};
    if (s.model->layout.length >= 7) {
        good(seqrec_score(s.model, &batch, all, NULL, ITEMS, NULL, scores, &failure));
        expect_near(every, scores, ITEMS, schemes[_i].settings, 7);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* ---- a model that changes ------------------------------------------------------------------------------------------- */

/* A session with a cache from before is what a new one is. */
static void expect_fresh(seqrec_sessions *pool, seqrec_session *session, int64_t d)
{
    float got[WIDEST], expected[WIDEST];
    seqrec_session *fresh = copy_of(pool, session);
    encode(session, got);
    encode(fresh, expected);
    ck_assert_mem_eq(got, expected, (size_t)d * sizeof *got);
    seqrec_session_release(fresh);
}

static int32_t same(seqrec_session *session, const float *before, int64_t d)
{
    float now[WIDEST];
    encode(session, now);
    return memcmp(now, before, (size_t)d * sizeof *now) == 0;
}

START_TEST(a_session_follows_items_and_users_that_change)
{
    small_model s = open_model(_i ? "position=start user_embedding=added" : "position=none user_embedding=concatenated", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    const int64_t d = dim_of(&s), history[] = {5, 6, 700, 7, 8}, other = 80, six = 6, late = 700;
    float vector[WIDEST] = {0}, before[WIDEST];
    seqrec_session *session = session_of(pool, history, 5);
    encode(session, before);
    good(seqrec_items_put(s.model, &(int64_t){900}, 1, NULL, &failure));
    good(seqrec_items_update(s.model, &other, 1, vector, &failure));
    ck_assert(same(session, before, d)); /* items that it has not seen */
    good(seqrec_items_update(s.model, &six, 1, vector, &failure));
    ck_assert(!same(session, before, d));
    expect_fresh(pool, session, d);
    encode(session, before);
    good(seqrec_items_remove(s.model, &six, 1, &failure));
    ck_assert(!same(session, before, d));
    expect_fresh(pool, session, d);
    encode(session, before);
    good(seqrec_items_put(s.model, &late, 1, NULL, &failure)); /* it takes the slot of the one that went */
    ck_assert(!same(session, before, d));
    expect_fresh(pool, session, d);
    encode(session, before);
    good(seqrec_users_put(s.model, &(int64_t){9}, 1, NULL, &failure));
    ck_assert(same(session, before, d));
    good(seqrec_users_update(s.model, &user_two, 1, vector, &failure));
    ck_assert(!same(session, before, d));
    expect_fresh(pool, session, d);
    encode(session, before);
    good(seqrec_users_forget(s.model, &user_two, 1, &failure));
    ck_assert(!same(session, before, d));
    expect_fresh(pool, session, d);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

START_TEST(a_session_follows_training_and_another_model)
{
    small_model s = open_model("position=none relative=t5", NULL), other = {.context = s.context};
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST];
    float before[WIDEST], expected[WIDEST], got[WIDEST];
    small_batch b;
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 9);
    encode(session, before);
    sq_options o = options_of("position=none relative=t5");
    small_train(&s, &o);
    small_draw(&b, 3, 8, 5, 9, ITEMS);
    (void)small_step(s.trainer, &b);
    ck_assert(same(session, before, 20)); /* not published yet */
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    ck_assert(!same(session, before, 20));
    vector_of(&s, items, 9, expected);
    encode(session, got);
    expect_near(got, expected, 20, "after a step", 9);
    o = options_of("position=start dim=36 heads=2 max_length=5");
    EXPECT_OK(sq_model_create(s.context, &o, "sasrec", &other.model, error));
    small_put(&other, 0, ITEMS, NULL);
    good(seqrec_sessions_swap(pool, other.model, &failure));
    encode(session, got);
    vector_of(&other, items + window_start(HALVES, 5, 9), 9 - window_start(HALVES, 5, 9), expected);
    expect_near(got, expected, 36, "of the other model", 9);
    good(seqrec_sessions_swap(pool, s.model, &failure));
    encode(session, got);
    vector_of(&s, items, 9, expected);
    expect_near(got, expected, 20, "of the first model again", 9);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    sq_model_release(other.model);
    small_close(&s);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------------------------------- */

START_TEST(the_longest_unused_caches_go_when_the_budget_is_reached)
{
    small_model s = open_model("position=none", NULL);
    int64_t items[MOST];
    float expected[4][WIDEST];
    seqrec_session *sessions[4];
    seqrec_sessions_info info = {.struct_size = sizeof info};
    seqrec_session_info one = {.struct_size = sizeof one};
    fill_items(items);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    sessions[0] = session_of(pool, items, 9);
    encode(sessions[0], expected[0]);
    good(seqrec_sessions_describe(pool, &info, &failure));
    const size_t each = info.cache_bytes;
    seqrec_session_release(sessions[0]);
    good(seqrec_sessions_describe(pool, &info, &failure));
    ck_assert(info.sessions == 0 && info.cached == 0 && info.cache_bytes == 0 && info.event_bytes == 0);
    seqrec_sessions_release(pool);
    pool = pool_on(&s, 3 * each);
    for (int64_t i = 0; i < 4; i++) {
        sessions[i] = session_of(pool, items + i, 9);
        encode(sessions[i], expected[i]);
        if (i == 2) encode(sessions[0], expected[0]); /* now 1 is the one that was not used for longest */
    }
    good(seqrec_sessions_describe(pool, &info, &failure));
    ck_assert(info.sessions == 4 && info.cached == 3 && info.dropped == 1 && info.cache_bytes == 3 * each);
    static const int64_t left[] = {9, 0, 9, 9};
    for (int64_t i = 0; i < 4; i++) {
        good(seqrec_session_describe(sessions[i], &one, &failure));
        ck_assert_int_eq(one.cached, left[i]);
        ck_assert_int_eq(one.waiting, 9 - left[i]);
        ck_assert_int_eq(one.events, 9);
    }
    for (int64_t round = 0; round < 5; round++)
        for (int64_t i = 0; i < 4; i++) ck_assert(same(sessions[i], expected[i], 20));
    for (int64_t i = 0; i < 4; i++) seqrec_session_release(sessions[i]);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* The room of a window of 16 is taken at once; events have room for 16 first. */
START_TEST(an_event_takes_no_memory)
{
    failing_allocator memory;
    const seqrec_allocator host = failing_allocator_of(&memory);
    small_model s = open_model(_i ? "position=start max_length=16 relative=rotary" : "position=none max_length=16 relative=t5", &host);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], best[5], found;
    float vector[WIDEST], ahead[3 * WIDEST];
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 1);
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    good(seqrec_session_topk(session, 5, &filter, best, NULL, &found, &failure));
    good(seqrec_session_ahead(session, items, 3, ahead, &failure));
    atomic_store(&memory.to_fail, 0);
    for (int64_t e = 1; e < 15; e++) {
        append(session, items + e, 1);
        good(seqrec_session_topk(session, 5, &filter, best, NULL, &found, &failure));
        good(seqrec_session_ahead(session, items, 3, ahead, &failure));
        encode(session, vector);
    }
    ck_assert_int_eq(atomic_load(&memory.to_fail), 0); /* nobody asked */
    atomic_store(&memory.to_fail, -1);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
    ck_assert_int_eq(atomic_load(&memory.blocks), 0);
}
END_TEST

/* What a session without cache holds stays small: 100,000 of 200 events are below 0.5 GB, which leaves the budget the rest of 2. */
START_TEST(thousands_of_sessions_share_a_budget)
{
    enum { SESSIONS = 3000 };
    small_model s = open_model("position=none dim=64 max_length=200", NULL);
    seqrec_sessions *pool = pool_on(&s, (size_t)4 << 20);
    static seqrec_session *sessions[SESSIONS];
    static int64_t items[200];
    seqrec_sessions_info info = {.struct_size = sizeof info};
    float first[WIDEST], now[WIDEST];
    for (int64_t e = 0; e < 200; e++) items[e] = item_at(e);
    for (int64_t i = 0; i < SESSIONS; i++) {
        sessions[i] = session_of(pool, items + i % 7, 190);
        if (i % 10 == 0) encode(sessions[i], now);
        if (i == 0) memcpy(first, now, sizeof first);
    }
    good(seqrec_sessions_describe(pool, &info, &failure));
    ck_assert_int_eq(info.sessions, SESSIONS);
    ck_assert_uint_le(info.cache_bytes, (size_t)4 << 20);
    ck_assert_int_ge(info.cached, 10);
    ck_assert_uint_le(info.event_bytes / SESSIONS, 4900);
    encode(sessions[2990], now);
    ck_assert(same(sessions[0], first, 64));
    for (int64_t i = 0; i < SESSIONS; i++) seqrec_session_release(sessions[i]);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("session");
    tcase_add_loop_test(tests, a_session_is_a_pass_over_its_window, 0, SCHEMES);
    tcase_add_loop_test(tests, with_one_block_a_sliding_session_is_a_pass_over_the_last_events, 0, SCHEMES);
    tcase_add_loop_test(tests, a_session_of_a_spanned_model_is_a_pass_over_the_whole_history, 0, 4);
    tcase_add_loop_test(tests, a_sliding_session_is_a_spanned_pass_over_the_whole_history, 0, 2 * SCHEMES);
    tcase_add_loop_test(tests, a_sliding_session_is_a_banded_pass_over_the_whole_history, 0, 2);
    tcase_add_loop_test(tests, a_session_has_the_same_bits_whatever_way_its_events_came, 0, SCHEMES);
    tcase_add_test(tests, long_runs_of_events_are_taken_in_as_single_ones_are);
    tcase_add_loop_test(tests, candidates_in_one_pass_are_candidates_appended_one_by_one, 0, SCHEMES);
    tcase_add_loop_test(tests, the_best_items_and_scores_are_those_of_the_session_s_vector, 0, SCHEMES);
    tcase_add_loop_test(tests, a_session_follows_items_and_users_that_change, 0, 2);
    tcase_add_test(tests, a_session_follows_training_and_another_model);
    tcase_add_test(tests, the_longest_unused_caches_go_when_the_budget_is_reached);
    tcase_add_loop_test(tests, an_event_takes_no_memory, 0, 2);
    tcase_add_test(tests, thousands_of_sessions_share_a_budget);
    Suite *suite = suite_create("session");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
