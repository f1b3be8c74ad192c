/* unit: known items: the probabilities that the model gave them, what these weigh, and that a fit learns by it. */
#include "network_pass.h"
#include "data/synth.h"
#include "run_suite.h"
#include "serve/encode.h"
#include "train/fit.h"
#include "train/known.h"

#define ITEMS 90
#define WINDOW 20
#define USERS 6

static const int64_t offsets[USERS + 1] = {0, 1, 3, 23, 44, 65, 140};
static int32_t sequence[140], slot_of[ITEMS];
static int64_t times[140]; /* from minutes to weeks apart */
static sq_window windows[64];

/* A dataset whose items are the model's slots but for some that the model does not have, and its windows: the latest first. */
static sq_known_events events_of(seqrec_dataset *data, int64_t step)
{
    int64_t count = 0;
    for (int i = 0; i < 140; i++) sequence[i] = (int32_t)(45 * (1 + wave(5, i))) % ITEMS;
    for (int i = 0; i < 140; i++) times[i] = (i ? times[i - 1] : 1600000000) + (int64_t)(60 * exp(5 * (1 + wave(6, i))));
    for (int32_t i = 0; i < ITEMS; i++) slot_of[i] = i % 11 == 3 ? -1 : i;
    data->users = USERS;
    data->items = ITEMS;
    data->events = 140;
    data->offsets = (int64_t *)offsets;
    data->sequence = sequence;
    data->timestamps = times;
    for (int64_t u = 0; u < USERS; u++)
        for (int64_t end = offsets[u + 1] - offsets[u]; end > 0; end = step && end > WINDOW + 1 ? end - step : 0)
            windows[count++] = (sq_window){u, end};
    ck_assert_int_le(count, 64);
    return (sq_known_events){data, slot_of, NULL, windows, count};
}

/* The logarithm of the probability of `item` after the n of a context, in double precision, asked when it came. */
static double plain_probability(const small_model *s, const sq_encoder *e, sq_encode_scratch *scratch, const int32_t *context,
                                const int64_t *when, int64_t n, int32_t item)
{
    sq_history history = {.slots = context, .n = n, .user = -1};
    if (s->model->layout.dated) history.times = when, history.ask = when[n];
    float u[128];
    double sum = 0, own = 0;
    size_t offset = sq_output_offset(s->trainer->items.catalogue), width = (size_t)s->model->layout.vp;
    sq_encode(e, &history, scratch, u);
    for (int32_t i = 0; i < ITEMS; i++) {
        const float *row = sq_trainer_row(s->trainer, i) + offset;
        double score = 0, square = 0;
        for (size_t c = 0; c < width; c++) score += (double)u[c] * (double)row[c], square += (double)row[c] * (double)row[c];
        if (s->model->options.score == SQ_SCORE_COSINE) score /= sqrt(square);
        sum += exp(score);
        if (i == item) own = score;
    }
    return own - log(sum);
}

/* Every event against a pass over its own context alone: with positions from the start, or none, it is the same. */
static void compare(const small_model *s, const sq_known_events *events)
{
    int32_t kept[140], place[140], compared = 0;
    int64_t when[140];
    double found[140] = {0};
    sq_arena arena = {0};
    sq_encode_scratch scratch;
    sq_snapshot *now = sq_snapshot_acquire(s->model);
    sq_encoder e = sq_encoder_of(s->model, now);
    sq_encode_scratch_take(&arena, s->model, WINDOW, &scratch);
    EXPECT_OK(sq_arena_reserve(&arena, &s->context->memory, arena.peak, error));
    sq_encode_scratch_take(&arena, s->model, WINDOW, &scratch);
    for (int64_t w = 0; w < events->count; w++) {
        int64_t at = offsets[windows[w].user], n = 0;
        for (int64_t i = 0; i < windows[w].end; i++)
            if (slot_of[sequence[at + i]] >= 0) kept[n] = slot_of[sequence[at + i]], when[n] = times[at + i], place[n++] = (int32_t)(at + i);
        int64_t first = n - WINDOW > 1 ? n - WINDOW : 1;
        for (int64_t j = first; j < n; j++) {
            if (found[place[j]] < 0) continue; /* a later window had it */
            found[place[j]] = plain_probability(s, &e, &scratch, kept + first - 1, when + first - 1, j - first + 1, kept[j]);
            double ours = (double)s->trainer->known[place[j]];
            ck_assert_msg(fabs(ours - found[place[j]]) < 2e-5, "event %d: %g and %g", (int)place[j], ours, found[place[j]]);
            compared++;
        }
    }
    for (int i = 0; i < 140; i++)
        if (found[i] == 0) ck_assert(fabs((double)s->trainer->known[i] + log(ITEMS)) < 1e-6);
    ck_assert_int_gt(compared, 60);
    sq_snapshot_release(s->model, now);
    sq_arena_free(&arena, &s->context->memory);
}

START_TEST(probabilities_are_those_of_a_softmax_over_the_items)
{
    static const char *const presets[] = {"sasrec", "hstu", "sasrec-softmax", "sasrec", "hstu-time", "sasrec", "tisasrec"};
    sq_options o = small_options(presets[_i]);
    seqrec_dataset data = {0};
    o.dim = 30;
    o.max_length = WINDOW;
    o.position = _i == 3 ? SQ_POSITION_NONE : SQ_POSITION_START;
    o.tied_output = _i != 2;
    o.item_bias = _i == 3;
    o.calendar = _i == 5;
    if (_i == 6) o.time_unit = SQ_UNIT_SEEN; /* that of the whole window a context does not know */
    o.dropout = 0.5; /* and yet nothing is drawn */
    small_model s = small_open(&o, _i % 2 ? 3 : 0, ITEMS);
    small_weights(&s);
    small_train(&s, &o);
    for (int64_t step = 0; step <= 7; step += 7) {
        sq_known_events events = events_of(&data, step);
        EXPECT_OK(sq_known_refresh(s.trainer, &events, error));
        ck_assert_int_eq(s.trainer->known_count, 140);
        compare(&s, &events);
    }
    small_close(&s);
}
END_TEST

START_TEST(weights_are_powers_of_the_probability_or_of_what_is_left)
{
    sq_options o = small_options("sasrec");
    o.known_items = SQ_KNOWN_PREDICTED;
    o.known_power = 0.5;
    ck_assert_double_eq_tol((double)sq_known_weight(&o, logf(0.04f)), 0.2, 1e-6);
    ck_assert_double_eq_tol((double)sq_known_weight(&o, -1e30f), 1e-6, 1e-12);
    ck_assert_double_eq_tol((double)sq_known_weight(&o, 1e-7f), 1, 1e-12); /* a probability that rounding took above 1 */
    o.known_items = SQ_KNOWN_SURPRISING;
    o.known_power = 2;
    ck_assert_double_eq_tol((double)sq_known_weight(&o, logf(0.25f)), 0.5625, 1e-6);
    ck_assert_double_eq_tol((double)sq_known_weight(&o, 0), 1e-6, 1e-12);
    o.known_power = 0;
    ck_assert_double_eq_tol((double)sq_known_weight(&o, logf(0.25f)), 1, 1e-12);
}
END_TEST

static sq_options fit_options(void)
{
    sq_options o = small_options("sasrec");
    o.dim = 16;
    o.max_length = WINDOW;
    o.epochs = 2;
    o.batch = 16;
    o.valid_every = o.average_epochs = 0;
    return o;
}

/* Weights after two epochs; without gradients through them, a power of 0 is what it is without them. */
static small_model fitted(int64_t known_items, double power)
{
    sq_options o = fit_options();
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 60, .items = 40, .shortest = 4, .longest = 30};
    seqrec_fit how = {.struct_size = sizeof how};
    seqrec_dataset *data;
    o.known_items = known_items;
    o.known_power = power;
    small_model s = small_open(&o, 0, 0);
    small_train(&s, &o);
    EXPECT_OK(sq_dataset_synthesize(s.context, &synth, &data, NULL, error));
    EXPECT_OK(sq_trainer_fit(s.trainer, data, &how, NULL, error));
    sq_dataset_release(data);
    return s;
}

START_TEST(a_fit_learns_by_the_weights_and_a_power_of_nothing_changes_nothing)
{
    small_model none = fitted(SQ_KNOWN_NONE, 1), zero = fitted(SQ_KNOWN_PREDICTED, 0), one = fitted(SQ_KNOWN_PREDICTED, 1),
                two = fitted(SQ_KNOWN_SURPRISING, 1);
    size_t bytes = none.model->layout.floats * sizeof(float);
    ck_assert_ptr_null(none.trainer->known);
    ck_assert(memcmp(none.trainer->weights, zero.trainer->weights, bytes) == 0);
    ck_assert(memcmp(none.trainer->weights, one.trainer->weights, bytes) != 0);
    ck_assert(memcmp(two.trainer->weights, one.trainer->weights, bytes) != 0);
    small_close(&none);
    small_close(&zero);
    small_close(&one);
    small_close(&two);
}
END_TEST

/* A sequence that is cut at random may end at any event: behind what later windows have, too. */
START_TEST(every_event_that_can_be_a_target_is_asked_about)
{
    sq_options o = fit_options();
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 20, .items = 40, .shortest = 70, .longest = 90};
    seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    seqrec_dataset *data;
    o.random_end = 0.5;
    o.window_step = 11 * _i;
    o.known_items = SQ_KNOWN_PREDICTED;
    small_model s = small_open(&o, 0, 0);
    small_train(&s, &o);
    EXPECT_OK(sq_dataset_synthesize(s.context, &synth, &data, NULL, error));
    EXPECT_OK(sq_trainer_fit(s.trainer, data, &how, NULL, error));
    float alike = -logf((float)s.trainer->items.live_count);
    for (int64_t u = 0; u < data->users; u++)
        for (int64_t i = data->offsets[u]; i < data->offsets[u + 1]; i++)
            ck_assert_msg((s.trainer->known[i] == alike) == (i == data->offsets[u]), "event %d of user %d: %g",
                          (int)(i - data->offsets[u]), (int)u, (double)s.trainer->known[i]);
    sq_dataset_release(data);
    small_close(&s);
}
END_TEST

/* Values of nothing for every event of most users: some steps then have nothing to learn. */
static int32_t fit_on_values(small_model *s, float others, seqrec_error *e)
{
    sq_options o = fit_options();
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 60, .items = 40, .shortest = 4, .longest = 30};
    seqrec_fit how = {.struct_size = sizeof how};
    seqrec_dataset *data;
    o.batch = 2;
    o.event_weights = SQ_EVENT_WEIGHTS_VALUES;
    *s = small_open(&o, 0, 0);
    small_train(s, &o);
    EXPECT_OK(sq_dataset_synthesize(s->context, &synth, &data, NULL, error));
    data->values = sq_alloc(&s->context->memory, (size_t)data->events, sizeof *data->values);
    for (int64_t u = 0; u < data->users; u++)
        for (int64_t i = data->offsets[u]; i < data->offsets[u + 1]; i++) data->values[i] = u % 6 ? others : 1;
    int32_t status = sq_trainer_fit(s->trainer, data, &how, NULL, e);
    sq_dataset_release(data);
    return status;
}

START_TEST(a_fit_passes_over_steps_whose_targets_weigh_nothing)
{
    static const float nothing[] = {0, 1e-42f};
    small_model s;
    EXPECT_OK(fit_on_values(&s, nothing[_i], error));
    ck_assert_int_eq(s.trainer->fit.epoch, 2);
    ck_assert(s.trainer->step > 10 && s.trainer->step < 60); /* of 60 */
    for (size_t i = 0; i < s.model->layout.floats; i++) ck_assert(isfinite(s.trainer->weights[i]));
    small_close(&s);
}
END_TEST

/* Values above 0 that no step learns: of a user's first event, of held-out ones, and before the window. */
START_TEST(values_of_nothing_learned_are_refused)
{
    enum { EVENTS = 30 };
    static const int64_t users[] = {0, EVENTS}, events[] = {0, EVENTS - 2, EVENTS - 1, 3, 6};
    float values[EVENTS] = {0};
    int32_t items[EVENTS];
    seqrec_dataset data = {.users = 1, .items = ITEMS, .events = EVENTS, .offsets = (int64_t *)users, .sequence = items, .values = values};
    seqrec_fit how = {.struct_size = sizeof how};
    seqrec_error e = {0};
    sq_options o = fit_options();
    for (int32_t i = 0; i < EVENTS; i++) items[i] = i;
    o.event_weights = SQ_EVENT_WEIGHTS_VALUES;
    small_model s = small_open(&o, 0, 0);
    small_train(&s, &o);
    values[events[_i]] = 1;
    values[10] = 1e-42f;
    ck_assert_int_eq(sq_trainer_fit(s.trainer, &data, &how, NULL, &e), SEQREC_E_ARGUMENT);
    ck_assert_msg(strstr(e.message, "no event that is learned has a value above 0"), "%s", e.message);
    small_close(&s);
}
END_TEST

START_TEST(objectives_whose_events_take_a_pass_each_are_refused)
{
    static const char *const refused[][2] = {{"cloze", "bidirectional"}, {"prefix", "causal"}};
    for (size_t i = 0; i < 2; i++) {
        sq_options o = small_options("sasrec");
        seqrec_error e = {0};
        o.known_items = SQ_KNOWN_PREDICTED;
        EXPECT_OK(sq_options_set(&o, "objective", refused[i][0], error));
        EXPECT_OK(sq_options_set(&o, "mask", refused[i][1], error));
        ck_assert_int_eq(sq_options_check(&o, &e), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(e.message, "needs objective = next"), "%s", e.message);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("known");
    TCase *tests = tcase_create("known");
    tcase_add_loop_test(tests, probabilities_are_those_of_a_softmax_over_the_items, 0, 7);
    tcase_add_test(tests, weights_are_powers_of_the_probability_or_of_what_is_left);
    tcase_add_test(tests, a_fit_learns_by_the_weights_and_a_power_of_nothing_changes_nothing);
    tcase_add_loop_test(tests, every_event_that_can_be_a_target_is_asked_about, 0, 2);
    tcase_add_loop_test(tests, a_fit_passes_over_steps_whose_targets_weigh_nothing, 0, 2);
    tcase_add_loop_test(tests, values_of_nothing_learned_are_refused, 0, 5);
    tcase_add_test(tests, objectives_whose_events_take_a_pass_each_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
