/* unit: models that read times, through the public interface: what they need, what they refuse, and how they are evaluated. */
#include <math.h>
#include "run_suite.h"
#include "train_world.h"

static const char *const timed[] = {"time", "bias", "wiring", "pre_norm", "attention", "hstu", "dropout", "0", NULL};
static const char *const hidden[] = {"time", "bias", "time_request", "false", NULL};
static const char *const dated[] = {"calendar", "true", NULL};
static const char *const apart[] = {"time", "bias", "wiring", "pre_norm", "attention", "hstu", "relative", "bias", "channels", "apart",
                                    "dropout", "0", NULL};
static const char *const spans[] = {"time", "intervals", "time_span", "40", NULL};

typedef struct timed_batch {
    host_batch host;
    int64_t times[SEQUENCES * EVENTS], asks[SEQUENCES];
} timed_batch;

static seqrec_batch *walk_in_time(timed_batch *b)
{
    walk(&b->host);
    for (int64_t s = 0; s < SEQUENCES; s++) {
        for (int64_t e = 0; e < EVENTS; e++) b->times[s * EVENTS + e] = 1000000 + 500 * e * e * (s + 1);
        b->asks[s] = b->times[s * EVENTS + EVENTS - 1] + 90000;
    }
    b->host.view.timestamps = b->times;
    b->host.view.request_times = b->asks;
    return &b->host.view;
}

START_TEST(a_timed_model_trains_on_times_and_refuses_to_without)
{
    timed_batch b;
    const char *const *kinds[] = {timed, hidden, spans, dated};
    train_world w = open_with_items(kinds[_i]);
    walk_in_time(&b);
    const double first = step(&w, &b.host.view).loss;
    world_checkpoint(&w, "before");
    b.host.view.timestamps = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "batch.timestamps is NULL", seqrec_trainer_step(w.trainer, &b.host.view, NULL, &api.error));
    b.host.view.timestamps = b.times;
    b.times[EVENTS + 3] -= 1000000;
    REFUSED(SEQREC_E_ARGUMENT, "event 3 of sequence 1 is at", seqrec_trainer_step(w.trainer, &b.host.view, NULL, &api.error));
    walk_in_time(&b);
    b.asks[2] = 5;
    REFUSED(SEQREC_E_ARGUMENT, "batch.request_times[2] = 5 is before",
            seqrec_trainer_step(w.trainer, &b.host.view, NULL, &api.error));
    world_checkpoint(&w, "after");
    ck_assert(world_same("before", "after"));
    walk_in_time(&b);
    double last = first;
    for (int i = 0; i < 40; i++) last = step(&w, &b.host.view).loss;
    ck_assert_msg(last < 0.8 * first, "%g after %g", last, first);
    world_close(&w);
}
END_TEST

START_TEST(batches_that_wait_keep_their_times)
{
    timed_batch b;
    train_world whole = open_with_items(timed), halves = open_with_items(timed);
    set(&halves, "accumulate", "2");
    step(&whole, walk_in_time(&b));
    seqrec_batch half = b.host.view;
    half.sequences = SEQUENCES / 2;
    step(&halves, &half);
    memmove(b.times, b.times + SEQUENCES / 2 * EVENTS, sizeof b.times / 2);
    memmove(b.host.items, b.host.items + SEQUENCES / 2 * EVENTS, sizeof b.host.items / 2);
    half.request_times = NULL;
    step(&halves, &half);
    set(&halves, "accumulate", "1");
    seqrec_trainer_publish(whole.trainer, NULL);
    seqrec_trainer_publish(halves.trainer, NULL);
    float one[WORLD_WIDTH], other[WORLD_WIDTH];
    for (int64_t id = 1; id <= ITEMS; id++) {
        world_vector(&whole, id, one);
        world_vector(&halves, id, other);
        ck_assert(memcmp(one, other, sizeof one) == 0);
    }
    world_close(&whole);
    world_close(&halves);
}
END_TEST

static void encode(const train_world *w, const seqrec_batch *batch, float out[SEQUENCES * WORLD_WIDTH])
{
    EXPECT(SEQREC_OK, seqrec_encode(w->model, batch, NULL, out, &api.error));
}

START_TEST(the_time_of_the_request_is_that_of_the_newest_event_when_it_is_not_given)
{
    timed_batch b;
    float at_request[SEQUENCES * WORLD_WIDTH], unknown[SEQUENCES * WORLD_WIDTH], newest[SEQUENCES * WORLD_WIDTH];
    train_world w = open_with_items(timed);
    walk_in_time(&b);
    for (int i = 0; i < 20; i++) step(&w, &b.host.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    encode(&w, &b.host.view, at_request);
    b.host.view.request_times = NULL;
    encode(&w, &b.host.view, unknown);
    for (int s = 0; s < SEQUENCES; s++) b.asks[s] = b.times[s * EVENTS + EVENTS - 1];
    b.host.view.request_times = b.asks;
    encode(&w, &b.host.view, newest);
    ck_assert(memcmp(unknown, newest, sizeof newest) == 0);
    ck_assert(memcmp(unknown, at_request, sizeof newest) != 0);
    b.host.view.timestamps = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "needs the times of the events", seqrec_encode(w.model, &b.host.view, NULL, newest, &api.error));
    ck_assert(memcmp(unknown, newest, sizeof newest) == 0);
    world_close(&w);
}
END_TEST

/* Unknown items leave the history, and their times with them. */
START_TEST(an_unknown_item_takes_its_time_with_it)
{
    timed_batch b;
    float with[SEQUENCES * WORLD_WIDTH], without[SEQUENCES * WORLD_WIDTH];
    train_world w = open_with_items(timed);
    walk_in_time(&b);
    for (int i = 0; i < 20; i++) step(&w, &b.host.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    b.host.items[6] = 999;
    encode(&w, &b.host.view, with);
    memmove(b.host.items + 6, b.host.items + 7, sizeof b.host.items - 7 * sizeof *b.host.items);
    memmove(b.times + 6, b.times + 7, sizeof b.times - 7 * sizeof *b.times);
    for (int s = 1; s <= SEQUENCES; s++) b.host.offsets[s]--;
    encode(&w, &b.host.view, without);
    ck_assert(memcmp(with, without, sizeof with) == 0);
    world_close(&w);
}
END_TEST

/* Hits among the first ten of all items, the target's own time or the newest event's being that of the request. */
static double hits(const train_world *w, int32_t hide)
{
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    double hit = 0;
    EXPECT(SEQREC_OK, seqrec_dataset_describe(w->data, &facts, &api.error));
    for (int64_t u = 0; u < facts.users; u++) {
        const int64_t *items, *times;
        int64_t user, count, best[5], found;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, &user, &items, &times, &count, &api.error));
        int64_t offsets[] = {0, count - 1}, ask = times[count - 1 - hide];
        seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = items, .timestamps = times};
        one.request_times = &ask;
        EXPECT(SEQREC_OK, seqrec_topk(w->model, &one, 5, NULL, best, NULL, &found, &api.error));
        for (int64_t i = 0; i < found; i++) hit += best[i] == items[count - 1];
    }
    return hit / (double)facts.users;
}

START_TEST(an_evaluation_asks_at_the_targets_time_or_hides_it)
{
    static const int64_t cutoffs[] = {5};
    train_world w = world_open(timed, 0);
    seqrec_evaluation how = {.struct_size = sizeof how, .protocol = "E5", .cutoffs = cutoffs, .cutoff_count = 1, .bootstrap = -1};
    double told, told_twice, untold;
    seqrec_report *report = NULL;
    world_fit(&w, NULL);
    for (int32_t hide = 0; hide < 2; hide++) {
        how.hide_request_time = hide;
        EXPECT(SEQREC_OK, seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
        EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "hr@5", hide ? &untold : &told, NULL, NULL, &api.error));
        seqrec_report_release(report);
    }
    told_twice = hits(&w, 0);
    ck_assert_double_eq_tol(told, told_twice, 1e-12);
    ck_assert_double_eq_tol(untold, hits(&w, 1), 1e-12);
    how.hide_request_time = 2;
    REFUSED(SEQREC_E_RANGE, "hide_request_time = 2", seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    world_close(&w);
}
END_TEST

/* Times a sixth as fine: events of a user share instants. */
static seqrec_dataset *coarse(const train_world *w)
{
    static int64_t offsets[64], users[64], items[1024], times[1024];
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    seqrec_dataset *made = NULL;
    EXPECT(SEQREC_OK, seqrec_dataset_describe(w->data, &facts, &api.error));
    for (int64_t u = 0; u < facts.users; u++) {
        const int64_t *from, *when;
        int64_t count;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, &users[u], &from, &when, &count, &api.error));
        offsets[u + 1] = offsets[u] + count;
        for (int64_t e = 0; e < count; e++) {
            items[offsets[u] + e] = from[e];
            times[offsets[u] + e] = (e + u) / 3;
        }
    }
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = facts.users, .offsets = offsets, .items = items,
                                .timestamps = times, .users = users};
    EXPECT(SEQREC_OK, seqrec_dataset_create(w->context, &batch, &made, &api.error));
    return made;
}

/* The same by the interface alone: the best of the held-out events at the last event's instant, from what was before. */
static double set_hits(const train_world *w, const seqrec_dataset *data, int32_t valid, int64_t *counted, int64_t *several)
{
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    double hit = 0;
    EXPECT(SEQREC_OK, seqrec_dataset_describe(data, &facts, &api.error));
    *counted = *several = 0;
    for (int64_t u = 0; u < facts.users; u++) {
        const int64_t *items, *times;
        int64_t user, count, best[5], found, any = 0;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(data, u, &user, &items, &times, &count, &api.error));
        int64_t last = count - 1 - valid, first = last;
        if (first - 1 >= count - 2 && times[first - 1] == times[last]) first--;
        int64_t offsets[] = {0, first};
        const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = items};
        EXPECT(SEQREC_OK, seqrec_topk(w->model, &one, 5, NULL, best, NULL, &found, &api.error));
        for (int64_t i = 0; i < found; i++)
            for (int64_t e = first; e <= last; e++) any |= best[i] == items[e];
        hit += (double)any;
        *several += first < last;
        ++*counted;
    }
    return hit / (double)*counted;
}

START_TEST(held_out_events_at_one_instant_may_be_a_set)
{
    static const int64_t cutoffs[] = {5};
    train_world w = world_open(NULL, 0);
    seqrec_evaluation how = {.struct_size = sizeof how, .protocol = "E5", .cutoffs = cutoffs, .cutoff_count = 1, .bootstrap = -1};
    seqrec_report *report = NULL;
    seqrec_dataset *data = coarse(&w);
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, NULL, NULL, &api.error));
    how.instant_sets = 1;
    for (int32_t valid = 0; valid < 2; valid++) {
        double got, users;
        int64_t counted, several;
        how.split = valid ? "valid" : "test";
        EXPECT(SEQREC_OK, seqrec_evaluate(w.context, w.model, data, &how, &report, &api.error));
        EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "hr@5", &got, NULL, NULL, &api.error));
        EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "users", &users, NULL, NULL, &api.error));
        ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), "as a set"));
        ck_assert_double_eq_tol(got, set_hits(&w, data, valid, &counted, &several), 1e-12);
        ck_assert_double_eq(users, (double)counted);
        ck_assert(valid ? several == 0 : several > 10);
        seqrec_report_release(report);
    }
    report = NULL;
    how.beyond = 1;
    REFUSED(SEQREC_E_UNSUPPORTED, "instant_sets gives a user several targets", seqrec_evaluate(w.context, w.model, data, &how, &report, &api.error));
    how.beyond = 0;
    how.protocol = "E2";
    REFUSED(SEQREC_E_UNSUPPORTED, "protocol E2 samples", seqrec_evaluate(w.context, w.model, data, &how, &report, &api.error));
    how.instant_sets = 5;
    REFUSED(SEQREC_E_RANGE, "instant_sets = 5", seqrec_evaluate(w.context, w.model, data, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

START_TEST(a_dataset_without_times_is_refused_by_a_timed_model)
{
    host_batch b;
    seqrec_dataset *untimed = NULL;
    seqrec_report *report = NULL;
    train_world w = world_open(timed, 0);
    EXPECT(SEQREC_OK, seqrec_dataset_create(w.context, walk(&b), &untimed, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "time = bias needs the times of the events",
            seqrec_trainer_fit(w.trainer, untimed, NULL, NULL, &api.error));
    train_world other = world_open(dated, 0);
    REFUSED(SEQREC_E_ARGUMENT, "calendar = true needs the times of the events",
            seqrec_trainer_fit(other.trainer, untimed, NULL, NULL, &api.error));
    world_close(&other);
    world_fit(&w, NULL);
    const seqrec_evaluation how = {.struct_size = sizeof how, .allow_trained = 1};
    REFUSED(SEQREC_E_ARGUMENT, "this dataset has no times", seqrec_evaluate(w.context, w.model, untimed, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    const seqrec_evaluation sets = {.struct_size = sizeof sets, .instant_sets = 1};
    REFUSED(SEQREC_E_ARGUMENT, "instant_sets: events at the same instant", seqrec_evaluate(w.context, NULL, untimed, &sets, &report, &api.error));
    seqrec_dataset_release(untimed);
    world_close(&w);
}
END_TEST

/* The file has all that serving needs. */
START_TEST(a_timed_model_comes_back_from_its_file)
{
    timed_batch b;
    float before[SEQUENCES * WORLD_WIDTH], after[SEQUENCES * WORLD_WIDTH];
    const char *const *kinds[] = {timed, hidden, spans, dated};
    train_world w = open_with_items(kinds[_i]);
    walk_in_time(&b);
    for (int i = 0; i < 3; i++) step(&w, &b.host.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    encode(&w, &b.host.view, before);
    world_save(&w, "timed");
    seqrec_model *loaded = NULL;
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("timed"), &loaded, &api.error));
    EXPECT(SEQREC_OK, seqrec_encode(loaded, &b.host.view, NULL, after, &api.error));
    ck_assert(memcmp(before, after, sizeof before) == 0);
    seqrec_model_release(loaded);
    world_close(&w);
}
END_TEST

static const int64_t walked[] = {1, 5, 9, 2, 7, 11, 4, 8, 3, 6, 12, 10}, clock_of[] = {10, 50, 50, 900, 901, 5000, 5001, 5002, 9000, 9100, 9999, 20000};

/* The best five of n events, asked at `ask`. */
static void best_of(const train_world *w, int64_t n, int64_t ask, int64_t best[5], float scores[5])
{
    const int64_t offsets[] = {0, n};
    int64_t found;
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = walked, .timestamps = clock_of,
                              .request_times = &ask};
    EXPECT(SEQREC_OK, seqrec_topk(w->model, &one, 5, NULL, best, scores, &found, &api.error));
    ck_assert_int_eq(found, 5);
}

START_TEST(a_session_keeps_times_and_is_asked_at_one)
{
    timed_batch b;
    const char *const *kinds[] = {timed, hidden, spans, dated, apart};
    train_world w = open_with_items(kinds[_i]);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    walk_in_time(&b);
    for (int i = 0; i < 20; i++) step(&w, &b.host.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, NULL, NULL, 0, 0, &session, &api.error));
    for (int64_t n = 1; n <= 12; n++) {
        int64_t best[5], expected[5], found;
        float scores[5], wanted[5];
        EXPECT(SEQREC_OK, seqrec_session_append(session, walked + n - 1, clock_of + n - 1, 1, 0, &api.error));
        for (int later = 0; later < 2; later++) {
            const int64_t ask = clock_of[n - 1] + later * 700;
            if (later) EXPECT(SEQREC_OK, seqrec_session_ask_at(session, ask, &api.error));
            EXPECT(SEQREC_OK, seqrec_session_topk(session, 5, NULL, best, scores, &found, &api.error));
            best_of(&w, n, ask, expected, wanted);
            ck_assert(memcmp(best, expected, sizeof best) == 0 && memcmp(scores, wanted, sizeof scores) == 0);
        }
    }
    const int64_t past = 19999;
    REFUSED(SEQREC_E_ARGUMENT, "timestamps is NULL", seqrec_session_append(session, walked, NULL, 1, 0, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "timestamps[0] = 19999 is before", seqrec_session_append(session, walked, &past, 1, 0, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "time = 19999 is before", seqrec_session_ask_at(session, past, &api.error));
    seqrec_session_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_session_describe(session, &info, &api.error));
    ck_assert_int_eq(info.events, 12);
    ck_assert_int_eq(info.rule, SEQREC_SESSION_RECOMPUTES);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

static const char *const slides[] = {"time", "bias", "position", "none", "relative", "bias", "attention_span", "4", NULL};
static const char *const slides_hstu[] = {"time", "bias", "position", "none", "attention", "hstu", "wiring", "pre_norm", "blocks", "2",
                                          "attention_span", "4", NULL};
static const char *const slides_own[] = {"time", "bias", "time_request", "false", "position", "none", "heads", "1", "blocks", "2",
                                         "attention_span", "3", NULL};
static const char *const halves[] = {"time", "bias", "position", "start", "attention", "hstu", "wiring", "pre_norm", "blocks", "2", NULL};
static const char *const both_ways[] = {"time", "intervals", "mask", "bidirectional", "objective", "cloze", "time_span", "40", NULL};
static const char *const dated_slides[] = {"calendar", "true", "position", "none", "relative", "shaw", "attention_span", "4", NULL};
static const char *const dated_halves[] = {"calendar", "true", "position", "start", "time", "bias", "blocks", "2", NULL};
static const char *const dated_own[] = {"calendar", "true", "position", "none", "attention_span", "4", "time_request", "false", NULL};
static const char *const layered[] = {"time", "bias", "position", "none", "attention", "hstu", "wiring", "pre_norm", "activation",
                                      "swiglu", "attention_span", "4", NULL};
static const char *const *const cached[] = {layered, slides, slides_hstu, slides_own, halves, dated_slides, dated_halves, dated_own};
#define CACHED ((int)(sizeof cached / sizeof *cached))

static train_world trained_world(const char *const *options)
{
    timed_batch b;
    train_world w = open_with_items(options);
    walk_in_time(&b);
    for (int i = 0; i < 20; i++) step(&w, &b.host.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    return w;
}

static void session_vector(seqrec_sessions *pool, int64_t n, const int64_t *one_more, int64_t ask, float out[WORLD_WIDTH])
{
    seqrec_session *fresh = NULL;
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, clock_of, n, 0, &fresh, &api.error));
    if (one_more) EXPECT(SEQREC_OK, seqrec_session_append(fresh, one_more, &ask, 1, 0, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_ask_at(fresh, ask, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(fresh, out, &api.error));
    seqrec_session_release(fresh);
}

/* The newest event is made again for every request; those before it stay. */
START_TEST(a_cached_session_with_time_is_a_pass_over_its_window)
{
    train_world w = trained_world(cached[_i]);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, NULL, NULL, 0, 0, &session, &api.error));
    for (int64_t n = 1; n <= 12; n++) {
        EXPECT(SEQREC_OK, seqrec_session_append(session, walked + n - 1, clock_of + n - 1, 1, 0, &api.error));
        for (int later = 0; later < 3; later++) {
            float got[WORLD_WIDTH], expected[WORLD_WIDTH], fresh[WORLD_WIDTH], ahead[2 * WORLD_WIDTH];
            const int64_t ask = clock_of[n - 1] + (later == 1) * 700, offsets[] = {0, n}, next[] = {3, 14};
            const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = walked,
                                      .timestamps = clock_of, .request_times = &ask};
            if (later) EXPECT(SEQREC_OK, seqrec_session_ask_at(session, ask, &api.error));
            EXPECT(SEQREC_OK, seqrec_session_encode(session, got, &api.error));
            session_vector(pool, n, NULL, ask, fresh);
            ck_assert_msg(memcmp(got, fresh, sizeof got) == 0, "%d events, asked %d: not what all at once give", (int)n, later);
            EXPECT(SEQREC_OK, seqrec_encode(w.model, &one, NULL, expected, &api.error));
            for (int i = 0; i < WORLD_WIDTH && (n <= 8 || (cached[_i] != halves && cached[_i] != dated_halves)); i++)
                ck_assert_msg(fabsf(got[i] - expected[i]) < 1e-5f, "%d events, asked %d: %g and %g", (int)n, later, (double)got[i],
                              (double)expected[i]);
            EXPECT(SEQREC_OK, seqrec_session_ahead(session, next, 2, ahead, &api.error));
            for (int i = 0; i < 2; i++) {
                session_vector(pool, n, &next[i], ask, fresh);
                ck_assert_msg(memcmp(ahead + i * WORLD_WIDTH, fresh, sizeof fresh) == 0, "%d events, ahead of %d", (int)n, i);
            }
        }
    }
    seqrec_session_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_session_describe(session, &info, &api.error));
    ck_assert_int_ne(info.rule, SEQREC_SESSION_RECOMPUTES);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

/* A path's items come `interval` seconds apart, the first when the session is asked. */
START_TEST(a_path_behind_a_timed_session_is_appending_its_items)
{
    train_world w = trained_world(_i == 0 ? timed : cached[_i - 1]);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL, *other = NULL;
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, clock_of, 4, 0, &session, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, clock_of, 4, 0, &other, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_ask_at(session, 1000, &api.error));
    const seqrec_decode how = {.struct_size = sizeof how, .steps = 10, .repeats = 1, .interval = 600};
    int64_t path[10], found, all[ITEMS];
    double total, shares[10];
    float scores[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) all[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_session_decode(session, &how, NULL, path, &total, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_follow(session, path, 10, 600, shares, &api.error));
    for (int64_t i = 0; i < 10; i++) total -= shares[i];
    ck_assert_double_eq_tol(total, 0, 1e-9);
    for (int64_t i = 0; i < 10; i++) {
        int64_t best, some;
        const int64_t now = 1000 + 600 * i;
        EXPECT(SEQREC_OK, seqrec_session_ask_at(other, now, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_topk(other, 1, NULL, &best, NULL, &some, &api.error));
        ck_assert_int_eq(best, path[i]);
        EXPECT(SEQREC_OK, seqrec_session_score(other, all, ITEMS, scores, &api.error));
        double sum = 0;
        for (int64_t j = 0; j < ITEMS; j++) sum += exp((double)scores[j] - (double)scores[best - 1]);
        ck_assert_double_eq_tol(shares[i], -log(sum), 1e-5);
        EXPECT(SEQREC_OK, seqrec_session_append(other, &best, &now, 1, 0, &api.error));
    }
    seqrec_session_release(session);
    seqrec_session_release(other);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

/* Events that came without times are told of when a model needs them. */
/* [MASK] stands at the time of the request, and takes part in the unit of intervals. */
START_TEST(a_session_that_masks_answers_for_the_time_it_is_asked_at)
{
    train_world w = trained_world(both_ways);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    float early[WORLD_WIDTH], late[WORLD_WIDTH], expected[WORLD_WIDTH];
    const int64_t ask = 9900, offsets[] = {0, 4};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = walked, .timestamps = clock_of,
                              .request_times = &ask};
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, clock_of, 4, 0, &session, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(session, early, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_ask_at(session, ask, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(session, late, &api.error));
    EXPECT(SEQREC_OK, seqrec_encode(w.model, &one, NULL, expected, &api.error));
    ck_assert(memcmp(late, expected, sizeof late) == 0);
    ck_assert(memcmp(late, early, sizeof late) != 0);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

/* Two sessions answer with the same bits, untold when they are asked (asked < 0) or at that time. */
static void expect_alike(seqrec_session *a, seqrec_session *b, int64_t asked)
{
    float one[WORLD_WIDTH], other[WORLD_WIDTH], scores[5], others[5];
    int64_t best[5], bests[5], found, many;
    if (asked >= 0) EXPECT(SEQREC_OK, seqrec_session_ask_at(a, asked, &api.error));
    if (asked >= 0) EXPECT(SEQREC_OK, seqrec_session_ask_at(b, asked, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(a, one, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_encode(b, other, &api.error));
    ck_assert_mem_eq(one, other, sizeof one);
    EXPECT(SEQREC_OK, seqrec_session_topk(a, 5, NULL, best, scores, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(b, 5, NULL, bests, others, &many, &api.error));
    ck_assert(found == 5 && many == 5);
    ck_assert_mem_eq(best, bests, sizeof best);
    ck_assert_mem_eq(scores, others, sizeof scores);
}

/* Times come back with the events, though not when the session was asked. */
START_TEST(a_timed_session_comes_back_from_its_bytes)
{
    static const char *const *const whole[] = {timed, hidden, spans, dated, apart, both_ways};
    enum { WHOLE = sizeof whole / sizeof *whole, BYTES = 48 + 16 * 12 };
    train_world w = trained_world(_i < WHOLE ? whole[_i] : cached[_i - WHOLE]);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, NULL, NULL, 0, 0, &session, &api.error));
    for (int64_t n = 1; n <= 12; n++) {
        unsigned char bytes[BYTES], again[BYTES];
        size_t needed;
        seqrec_session *back = NULL, *later = NULL;
        EXPECT(SEQREC_OK, seqrec_session_append(session, walked + n - 1, clock_of + n - 1, 1, 0, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_save(session, bytes, sizeof bytes, &needed, &api.error));
        EXPECT(SEQREC_OK, seqrec_session_restore(pool, bytes, needed, &back, &api.error));
        expect_alike(session, back, -1);
        expect_alike(session, back, clock_of[n - 1] + 700);
        EXPECT(SEQREC_OK, seqrec_session_save(session, again, sizeof again, &needed, &api.error));
        ck_assert_mem_eq(bytes, again, needed);
        EXPECT(SEQREC_OK, seqrec_session_restore(pool, again, needed, &later, &api.error));
        expect_alike(later, back, clock_of[n - 1]);
        if (n < 12) EXPECT(SEQREC_OK, seqrec_session_append(back, walked + n, clock_of + n, 1, 0, &api.error));
        if (n < 12) EXPECT(SEQREC_OK, seqrec_session_append(later, walked + n, clock_of + n, 1, 0, &api.error));
        expect_alike(later, back, -1);
        REFUSED(SEQREC_E_ARGUMENT, "is before", seqrec_session_append(back, walked, &(int64_t){9}, 1, 0, &api.error));
        seqrec_session_release(back);
        seqrec_session_release(later);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

START_TEST(an_interval_beyond_what_a_time_can_be_is_refused)
{
    train_world w = trained_world(slides);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    const int64_t late = INT64_MAX - 10;
    int64_t path[3], found;
    const seqrec_decode how = {.struct_size = sizeof how, .steps = 3, .interval = 100};
    EXPECT(SEQREC_OK, seqrec_sessions_create(w.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, &late, 1, 0, &session, &api.error));
    REFUSED(SEQREC_E_RANGE, "interval = 100", seqrec_session_decode(session, &how, NULL, path, NULL, &found, &api.error));
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    world_close(&w);
}
END_TEST

START_TEST(a_swap_to_a_timed_model_asks_for_times)
{
    train_world w = open_with_items(timed), plain = open_with_items(NULL);
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    int64_t best[5], found;
    seqrec_model *model = NULL;
    int64_t ids[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_model_create(plain.context, w.config, &model, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(model, ids, ITEMS, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_create(plain.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, walked, NULL, 3, 0, &session, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(session, 5, NULL, best, NULL, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_swap(pool, model, &api.error));
    REFUSED(SEQREC_E_STATE, "event 0 of the session has no time", seqrec_session_topk(session, 5, NULL, best, NULL, &found, &api.error));
    EXPECT(SEQREC_OK, seqrec_sessions_swap(pool, plain.model, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(session, 5, NULL, best, NULL, &found, &api.error));
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    seqrec_model_release(model);
    world_close(&plain);
    world_close(&w);
}
END_TEST

START_TEST(rules_between_options_are_told)
{
    static const struct {
        const char *const pairs[8];
        const char *rule;
    } wrong[] = {{{"time", "intervals", "gates", "position", NULL}, "which time = intervals has"},
                 {{"time", "intervals", "user_embedding", "prefix", NULL}, "has no time"},
                 {{"position_place", "attention", "position", "none", NULL}, "is a place for"},
                 {{"position_place", "attention", "user_embedding", "prefix", NULL}, "has no position"},
                 {{"mixer", "spectral", "heads", "1", "time", "bias", NULL}, "ways of attention"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        seqrec_model *model = NULL;
        train_world w = world_open_without_trainer(NULL, 0);
        world_set(&w, wrong[i].pairs);
        REFUSED(SEQREC_E_ARGUMENT, wrong[i].rule, seqrec_model_create(w.context, w.config, &model, &api.error));
        ck_assert_ptr_null(model);
        world_close(&w);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_time");
    TCase *tests = tcase_create("api_time");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, a_timed_model_trains_on_times_and_refuses_to_without, 0, 4);
    tcase_add_test(tests, batches_that_wait_keep_their_times);
    tcase_add_test(tests, the_time_of_the_request_is_that_of_the_newest_event_when_it_is_not_given);
    tcase_add_test(tests, an_unknown_item_takes_its_time_with_it);
    tcase_add_test(tests, an_evaluation_asks_at_the_targets_time_or_hides_it);
    tcase_add_test(tests, held_out_events_at_one_instant_may_be_a_set);
    tcase_add_test(tests, a_dataset_without_times_is_refused_by_a_timed_model);
    tcase_add_loop_test(tests, a_timed_model_comes_back_from_its_file, 0, 4);
    tcase_add_loop_test(tests, a_session_keeps_times_and_is_asked_at_one, 0, 5);
    tcase_add_loop_test(tests, a_cached_session_with_time_is_a_pass_over_its_window, 0, CACHED);
    tcase_add_loop_test(tests, a_path_behind_a_timed_session_is_appending_its_items, 0, CACHED + 1);
    tcase_add_test(tests, a_session_that_masks_answers_for_the_time_it_is_asked_at);
    tcase_add_loop_test(tests, a_timed_session_comes_back_from_its_bytes, 0, 6 + CACHED);
    tcase_add_test(tests, an_interval_beyond_what_a_time_can_be_is_refused);
    tcase_add_test(tests, a_swap_to_a_timed_model_asks_for_times);
    tcase_add_test(tests, rules_between_options_are_told);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
