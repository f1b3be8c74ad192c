/* unit: checkpoints through the public interface: going on bit for bit, killed processes, damaged files. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include "made_locale.h"
#include "rewritten_file.h"
#include "run_suite.h"
#include "train_world.h"

/* ---- Going on. ---- */

START_TEST(a_restored_trainer_takes_the_steps_of_the_one_that_was_saved)
{
    static const char *const samplers[] = {"uniform", "popularity"};
    host_batch b;
    walk(&b);
    for (int i = 0; i < 2; i++) {
        train_world w = open_with_items((world_options){"sampler", samplers[i]});
        count_one(&w);
        for (int n = 0; n < 3; n++) step(&w, &b.view);
        world_checkpoint(&w, "half");
        for (int n = 0; n < 3; n++) step(&w, &b.view);
        world_checkpoint(&w, "whole");
        world_load(&w, "half");
        world_checkpoint(&w, "again");
        ck_assert(world_same("half", "again"));
        for (int n = 0; n < 3; n++) step(&w, &b.view);
        world_checkpoint(&w, "resumed");
        ck_assert_msg(world_same("whole", "resumed"), "sampler = %s", samplers[i]);
        world_close(&w);
    }
}
END_TEST

/* The last places of the table are empty, and the file does not have them. */
START_TEST(a_restored_trainer_sums_as_before_where_the_last_items_are_gone)
{
    enum { MORE = 1400, LEFT = 900, TIMES = 8 };
    int64_t ids[MORE];
    double norm[TIMES];
    float weights[SEQUENCES * EVENTS];
    host_batch b;
    walk(&b);
    for (int i = 0; i < SEQUENCES * EVENTS; i++) weights[i] = powf(0.01f, (float)(i % 5)); /* sums that round */
    b.view.weights = weights;
    for (int64_t i = 0; i < MORE; i++) ids[i] = i + 1;
    train_world w = open_with_items((world_options){"clip_norm", "0.1"});
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids + ITEMS, MORE - ITEMS, NULL, &api.error));
    step(&w, &b.view);
    EXPECT(SEQREC_OK, seqrec_items_remove(w.model, ids + LEFT, MORE - LEFT, &api.error));
    step(&w, &b.view);
    world_checkpoint(&w, "half");
    for (int n = 0; n < TIMES; n++) norm[n] = step(&w, &b.view).grad_norm;
    world_checkpoint(&w, "whole");
    world_load(&w, "half");
    for (int n = 0; n < TIMES; n++) ck_assert(norm[n] == step(&w, &b.view).grad_norm);
    world_checkpoint(&w, "resumed");
    ck_assert(world_same("whole", "resumed"));
    world_close(&w);
}
END_TEST

static void fit_with_a_break(const char *const *changes, int64_t steps)
{
    train_world w = world_open(changes, 0);
    world_fit_steps(&w, steps);
    world_checkpoint(&w, "half");
    world_load(&w, "half");
    const seqrec_fit_stats stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.epochs, 3);
    ck_assert_int_eq(stats.cancelled, 0);
    world_save(&w, "resumed");
    world_checkpoint(&w, "resumed.state");
    ck_assert_msg(world_same("whole", "resumed"), "after %lld steps: another model", (long long)steps);
    ck_assert_msg(world_same("whole.state", "resumed.state"), "after %lld steps: another state", (long long)steps);
    world_close(&w);
}

START_TEST(a_fit_that_was_stopped_saved_and_loaded_goes_on_bit_for_bit)
{
    fit_whole(recipes[_i]);
    fit_with_a_break(recipes[_i], 8);
    fit_with_a_break(recipes[_i], 11);
}
END_TEST

/* The events of the world's data, each of the value `most` or, every third, of 1. */
static seqrec_dataset *with_values(const train_world *w, float most)
{
    enum { USERS = 48, MOST_EVENTS = 48 * 14 };
    int64_t users[USERS], offsets[USERS + 1] = {0}, events[MOST_EVENTS];
    float values[MOST_EVENTS];
    for (int64_t u = 0; u < USERS; u++) {
        const int64_t *items;
        int64_t n;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, &users[u], &items, NULL, &n, &api.error));
        memcpy(events + offsets[u], items, (size_t)n * sizeof *items);
        offsets[u + 1] = offsets[u] + n;
    }
    for (int64_t e = 0; e < offsets[USERS]; e++) values[e] = e % 3 ? most : 1;
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = USERS, .offsets = offsets, .items = events, .users = users,
                                .values = values};
    seqrec_dataset *out = NULL;
    EXPECT(SEQREC_OK, seqrec_dataset_create(w->context, &batch, &out, &api.error));
    return out;
}

START_TEST(a_fit_does_not_go_on_with_other_values_of_its_events)
{
    train_world w = world_open((world_options){"event_weights", "values"}, 0);
    seqrec_dataset *twos = with_values(&w, 2), *threes = with_values(&w, 3);
    seqrec_dataset_release(w.data);
    w.data = twos;
    world_fit_steps(&w, 8);
    world_checkpoint(&w, "half");
    for (int loaded = 0; loaded < 2; loaded++) {
        REFUSED(SEQREC_E_STATE, "weighed by values", seqrec_trainer_fit(w.trainer, threes, NULL, NULL, &api.error));
        world_checkpoint(&w, "after");
        ck_assert(world_same("half", "after"));
        world_load(&w, "half");
    }
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    seqrec_dataset_release(threes);
    world_close(&w);
}
END_TEST

START_TEST(a_fit_may_be_stopped_after_any_step)
{
    fit_whole(recipes[7]);
    for (int64_t steps = 1; steps <= STEPS; steps++) fit_with_a_break(recipes[7], steps);
}
END_TEST

START_TEST(a_fit_that_was_stopped_goes_on_without_a_file_too)
{
    fit_whole(recipes[8]);
    train_world w = world_open(recipes[8], 0);
    world_fit_steps(&w, 4);
    world_fit_steps(&w, 3);
    world_fit(&w, NULL);
    world_save(&w, "resumed");
    ck_assert(world_same("whole", "resumed"));
    world_close(&w);
}
END_TEST

START_TEST(items_that_come_between_fits_do_not_break_the_repetition)
{
    static const int averages[] = {2, 7, 10};
    const char *const *changes = recipes[averages[_i]];
    for (int with_file = 0; with_file < 2; with_file++) {
        train_world w = world_open(changes, 0);
        world_fit_steps(&w, 8);
        EXPECT(SEQREC_OK, seqrec_items_put(w.model, (int64_t[]){500, 501}, 2, NULL, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_remove(w.model, (int64_t[]){501}, 1, &api.error));
        if (with_file) {
            world_checkpoint(&w, "half");
            world_load(&w, "half");
        }
        world_fit(&w, NULL);
        world_save(&w, with_file ? "loaded" : "kept");
        world_close(&w);
    }
    ck_assert(world_same("kept", "loaded"));
}
END_TEST

static int32_t last_rate(void *context, const seqrec_epoch_stats *stats)
{
    *(double *)context = stats->learning_rate;
    return 0;
}

typedef struct epoch_sizes {
    int64_t targets[8], count;
} epoch_sizes;

static int32_t note_size(void *context, const seqrec_epoch_stats *stats)
{
    epoch_sizes *sizes = context;
    sizes->targets[sizes->count++] = stats->targets;
    return 0;
}

START_TEST(another_batch_after_a_break_trains_each_user_once_an_epoch_all_the_same)
{
    static const char *const batches[] = {"7", "16", "1000"};
    for (size_t i = 0; i < 3; i++) {
        epoch_sizes sizes = {0};
        const seqrec_fit how = {.struct_size = sizeof how, .epoch = note_size, .epoch_context = &sizes};
        train_world w = world_open(NULL, 0);
        world_fit_steps(&w, 7); /* two batches of ten users into the second epoch of 48 */
        world_checkpoint(&w, "half");
        world_load(&w, "half");
        set(&w, "batch", batches[i]);
        ck_assert_int_eq(world_fit(&w, &how).epochs, 3);
        ck_assert_int_eq(sizes.count, 2);
        ck_assert_msg(sizes.targets[0] == sizes.targets[1], "batch = %s: %lld targets, then %lld", batches[i],
                      (long long)sizes.targets[0], (long long)sizes.targets[1]);
        world_close(&w);
    }
}
END_TEST

START_TEST(more_epochs_than_a_cosine_has_steps_for_are_refused_before_they_train_at_rate_0)
{
    double rate = 0;
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = last_rate, .epoch_context = &rate};
    train_world w = world_open((world_options){"schedule", "cosine"}, 0);
    world_fit_steps(&w, 8);
    world_checkpoint(&w, "half");
    world_load(&w, "half");
    set(&w, "epochs", "5");
    REFUSED(SEQREC_E_ARGUMENT, "5 epochs end with step 25, but the rate is 0 from step schedule_steps = 15 on",
            seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    set(&w, "epochs", "3");
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3); /* nothing left to do is no failure */
    set(&w, "epochs", "5");
    REFUSED(SEQREC_E_ARGUMENT, "schedule_steps", seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    set(&w, "schedule_steps", "26");
    ck_assert_int_eq(world_fit(&w, &how).epochs, 5);
    ck_assert(rate > 0 && rate < 0.001);
    set(&w, "epochs", "6");
    set(&w, "schedule_steps", "0");
    ck_assert_int_eq(world_fit(&w, &how).epochs, 6);
    ck_assert_double_eq(rate, 0); /* the last step's, with which the cosine ends */
    world_close(&w);
    w = world_open((world_options){"schedule", "cosine", "schedule_steps", "100", "warmup_steps", "50"}, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3); /* a schedule may end later than the fit, even in its warm-up */
    world_close(&w);
    w = world_open((world_options){"schedule", "cosine", "schedule_steps", "14"}, 0);
    REFUSED(SEQREC_E_ARGUMENT, "step 15", seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    set(&w, "batch", "12");
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    world_close(&w);
}
END_TEST

/* Of the windows that end seven events before their sequence the targets weigh nothing, and so some batches do. */
START_TEST(a_schedule_ends_with_its_fit_though_batches_are_passed_over)
{
    static const char *const updates[] = {"exact", "lazy"}, *const schedules[] = {"linear", "cosine"};
    const char *const options[] = {"max_length", "4", "window_step", "4", "position_decay", "1e-06", "batch", "1", "valid_every", "0",
                                   "warmup_steps", "7", "item_updates", updates[_i % 2], "schedule", schedules[_i / 2], NULL};
    char end[32];
    double rate = -1;
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = last_rate, .epoch_context = &rate};
    host_batch b;
    train_world w = world_open(options, 0);
    ck_assert_int_eq(world_fit(&w, &how).epochs, 3);
    ck_assert_double_eq(rate, 0);
    world_checkpoint(&w, "fitted");
    world_load(&w, "fitted");
    seqrec_config *now = NULL;
    EXPECT(SEQREC_OK, seqrec_model_config(w.model, &now, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_get(now, "schedule_steps", end, sizeof end, NULL, &api.error));
    seqrec_config_release(now);
    set(&w, "unknown_items", "skip");
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, walk(&b), &stats, &api.error));
    ck_assert_int_lt(stats.step, strtoll(end, NULL, 10) - 3); /* some were passed over in every epoch */
    world_close(&w);
    fit_whole(options);
    fit_with_a_break(options, 40);
    fit_with_a_break(options, 130);
}
END_TEST

/* ---- Killed processes. ---- */

enum { KILLED_EPOCHS = 30 };
static world_options killed_options = {"epochs", "30", "average_epochs", "3"};

typedef struct killed_run {
    int pipe;
    int64_t pause_at; /* epoch in whose callback the process waits to be killed */
} killed_run;

static int32_t tell_epoch(void *context, const seqrec_epoch_stats *stats)
{
    const killed_run *run = context;
    const char epoch = (char)stats->epoch;
    if (write(run->pipe, &epoch, 1) != 1) _exit(1);
    while (run->pause_at == stats->epoch) pause();
    return 0;
}

static void run_to_be_killed(killed_run run, int64_t every)
{
    train_world w = world_open(killed_options, 0);
    const seqrec_fit how = {.struct_size = sizeof how,
                            .checkpoint = scratch_path("run"),
                            .checkpoint_every = every,
                            .epoch = tell_epoch,
                            .epoch_context = &run};
    world_fit(&w, &how);
    _exit(0);
}

/* Kills a fit after it told of `epoch` and a moment more; returns the last epoch it told of. */
static int64_t kill_after(int64_t epoch, unsigned moment, int64_t every, int64_t pause_at)
{
    int ends[2], status;
    char told = 0, last = 0;
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    ck_assert(child >= 0);
    if (child == 0) run_to_be_killed((killed_run){ends[1], pause_at}, every);
    close(ends[1]);
    while (last < epoch && read(ends[0], &told, 1) == 1) last = told;
    usleep(moment);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert(waitpid(child, &status, 0) == child);
    while (read(ends[0], &told, 1) == 1) last = told;
    close(ends[0]);
    ck_assert_msg(pause_at == 0 || WIFSIGNALED(status), "the process ended before it was killed");
    return last;
}

static int32_t first_epoch(void *context, const seqrec_epoch_stats *stats)
{
    int64_t *first = context;
    if (*first == 0) *first = stats->epoch;
    return 0;
}

/* Goes on from the file; returns the epoch that the file had completed. */
static int64_t go_on(void)
{
    int64_t first = 0;
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = first_epoch, .epoch_context = &first};
    train_world w = world_open_without_trainer(killed_options, 0);
    world_load(&w, "run");
    ck_assert_int_eq(world_fit(&w, &how).epochs, KILLED_EPOCHS);
    world_save(&w, "resumed");
    world_close(&w);
    return first == 0 ? KILLED_EPOCHS : first - 1;
}

START_TEST(a_killed_fit_loses_one_interval_at_most_and_never_a_file)
{
    train_world w = world_open(killed_options, 0);
    world_fit(&w, NULL);
    world_save(&w, "whole");
    world_close(&w);
    for (unsigned round = 0; round < 8; round++) {
        const int64_t every = 1 + round % 3, pause_at = round < 3 ? 8 : 0;
        unlink(scratch_path("run"));
        const int64_t told = kill_after(round < 3 ? 8 : every + 1 + round % 2, round * 300, every, pause_at),
                      had = go_on();
        ck_assert_msg(had % every == 0 || had == KILLED_EPOCHS, "a file of epoch %lld", (long long)had);
        ck_assert_msg(had >= (told - 1) / every * every, "epoch %lld of %lld", (long long)had, (long long)told);
        ck_assert_msg(had <= told, "epoch %lld of %lld", (long long)had, (long long)told);
        ck_assert(world_same("whole", "resumed"));
    }
}
END_TEST

/* An epoch with probabilities, a part of one without, and the rest with them again. */
START_TEST(probabilities_of_an_epoch_before_are_not_those_of_a_checkpoint)
{
    const char *const *options = (world_options){"loss", "bce", "known_items", "predicted"};
    for (int stored = 0; stored < 2; stored++) {
        train_world w = world_open(options, 0);
        world_fit_steps(&w, 5); /* an epoch's */
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "known_items", "none", &api.error));
        world_fit_steps(&w, 2);
        if (stored) {
            world_checkpoint(&w, "part");
            world_load(&w, "part");
        }
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "known_items", "predicted", &api.error));
        world_fit(&w, NULL);
        world_save(&w, stored ? "stored" : "whole");
        world_close(&w);
    }
    ck_assert(world_same("whole", "stored"));
}
END_TEST

/* ---- Files that are not what they should be. ---- */

static char file_bytes[WORLD_FILE];

/* Loading these bytes fails, gives a message and leaves nothing. */
static void expect_refused(const train_world *w, size_t size, const char *what, size_t where)
{
    seqrec_trainer *trainer = NULL;
    seqrec_model *model = NULL;
    const int64_t blocks = atomic_load(&api.memory.blocks);
    memset(&api.error, 0, sizeof api.error);
    scratch_write("bytes", file_bytes, size);
    const int32_t status = seqrec_trainer_load(w->context, scratch_path("bytes"), &trainer, &model, &api.error);
    ck_assert_msg(status == SEQREC_E_FORMAT && api.error.message[0] != 0, "%s %zu: %s", what, where,
                  seqrec_status_name(status));
    ck_assert(trainer == NULL && model == NULL);
    ck_assert_int_eq(atomic_load(&api.memory.blocks), blocks);
}

/* With users, a mean, rows that came late into it and probabilities of known items, so that there is everything a checkpoint can have. */
static train_world open_with_checkpoint(void)
{
    train_world w =
        world_open((world_options){"loss", "bce", "user_embedding", "added", "average_epochs", "2", "sse_user", "0.2", "known_items",
                                   "predicted"}, 0);
    world_fit_steps(&w, 12);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, (int64_t[]){500}, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, (int64_t[]){900}, 1, NULL, &api.error));
    world_checkpoint(&w, "state");
    return w;
}

START_TEST(a_checkpoint_cut_or_damaged_anywhere_is_refused)
{
    train_world w = open_with_checkpoint();
    const size_t size = scratch_read("state", file_bytes, WORLD_FILE);
    ck_assert_uint_gt(size, 10000);
    for (size_t cut = 0; cut < size; cut += 1 + size / 150) expect_refused(&w, cut, "cut at", cut);
    expect_refused(&w, size + 1, "longer by", 1);
    for (size_t i = 0; i < 400; i++) {
        const size_t bit = i < 100 ? i * 5 : (size_t)(i * 2654435761u) % (size * 8);
        file_bytes[bit / 8] = (char)(file_bytes[bit / 8] ^ 1 << bit % 8);
        expect_refused(&w, size, "bit", bit);
        file_bytes[bit / 8] = (char)(file_bytes[bit / 8] ^ 1 << bit % 8);
    }
    world_load(&w, "state");
    world_close(&w);
}
END_TEST

START_TEST(a_model_is_not_taken_for_a_checkpoint)
{
    seqrec_trainer *trainer = NULL;
    seqrec_model *model = NULL;
    train_world w = open_with_checkpoint();
    world_save(&w, "model");
    REFUSED(SEQREC_E_FORMAT, "a model, not a checkpoint",
            seqrec_trainer_load(w.context, scratch_path("model"), &trainer, &model, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "absent",
            seqrec_trainer_load(w.context, scratch_path("absent"), &trainer, &model, &api.error));
    ck_assert(trainer == NULL && model == NULL);
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("state"), &model, &api.error));
    seqrec_model_release(model);
    world_close(&w);
}
END_TEST

START_TEST(a_checkpoint_with_right_checksums_and_wrong_content_is_refused)
{
    static const char *const keys[] = {"train.step",       "train.epoch", "train.users",    "train.targets",
                                       "train.best_epoch", "train.stale", "train.averaged", "train.data_hash"};
    static const char *const values[] = {NULL, "", "-1", "x", "9223372036854775807"};
    static const char *const tensors[] = {"opt.m",
                                          "opt.v",
                                          "opt.items.m",
                                          "opt.items.v",
                                          "train.best.parameters",
                                          "train.best.items",
                                          "train.average.parameters",
                                          "train.average.items",
                                          "users.weight",
                                          "users.default",
                                          "opt.users.m",
                                          "opt.users.v",
                                          "train.best.users",
                                          "train.average.users"};
    const int32_t slots[] = {5, 5};
    static const char *const came[] = {"train.average.items.came", "train.average.users.came"};
    static const int64_t epochs[] = {-1, 3, INT64_MAX, INT64_MIN}; /* two are in the mean */
    const float nan = NAN, negative = -1;
    seqrec_trainer *trainer = NULL;
    seqrec_model *model = NULL;
    train_world w = open_with_checkpoint();
    char wrong[512];
    snprintf(wrong, sizeof wrong, "%s", scratch_path("wrong"));
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            rewrite_text(scratch_path("state"), wrong, keys[k], values[v]);
            REFUSED(SEQREC_E_FORMAT, keys[k], seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
        }
    }
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        rewrite_values(scratch_path("state"), wrong, tensors[i], 5, &nan, sizeof nan);
        REFUSED(SEQREC_E_FORMAT, tensors[i], seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
        rewrite_without(scratch_path("state"), wrong, tensors[i]);
        const int32_t status = seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error);
        ck_assert_msg(status == SEQREC_E_FORMAT, "without %s: %s", tensors[i], seqrec_status_name(status));
    }
    for (size_t i = 0; i < sizeof came / sizeof *came; i++)
        for (size_t v = 0; v < sizeof epochs / sizeof *epochs; v++) {
            rewrite_values(scratch_path("state"), wrong, came[i], 5, &epochs[v], sizeof epochs[v]);
            REFUSED(SEQREC_E_FORMAT, came[i], seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
        }
    rewrite_values(scratch_path("state"), wrong, "opt.v", 5, &negative, sizeof negative);
    REFUSED(SEQREC_E_FORMAT, "opt.v", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_values(scratch_path("state"), wrong, "opt.items.v", 5, &negative, sizeof negative);
    REFUSED(SEQREC_E_FORMAT, "opt.items.v", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_values(scratch_path("state"), wrong, "opt.users.v", 5, &negative, sizeof negative);
    REFUSED(SEQREC_E_FORMAT, "opt.users.v", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_values(scratch_path("state"), wrong, "users.slot", 5, slots, sizeof slots);
    REFUSED(SEQREC_E_FORMAT, "stored user", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_without(scratch_path("state"), wrong, "users.id");
    REFUSED(SEQREC_E_FORMAT, "users.id", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_text(scratch_path("state"), wrong, "model.user_embedding", "none");
    REFUSED(SEQREC_E_FORMAT, "sse_user", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_text(scratch_path("state"), wrong, "train.passed", "-1");
    REFUSED(SEQREC_E_FORMAT, "train.passed", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_text(scratch_path("state"), wrong, "train.loss", "nan");
    REFUSED(SEQREC_E_FORMAT, "train.loss", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    ck_assert(trainer == NULL && model == NULL);
    world_close(&w);
}
END_TEST

START_TEST(training_does_not_depend_on_the_locale)
{
    fit_whole(recipes[8]);
    if (!use_locale("de_DE")) {
        printf("# skipped: no locale de_DE and no way to make one\n");
        return;
    }
    fit_with_a_break(recipes[8], 8);
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(creating_saving_and_loading_survive_failing_allocations)
{
    seqrec_trainer *made = NULL;
    seqrec_model *model = NULL;
    train_world w = open_with_checkpoint();
    EACH_ALLOCATION_FAILS(seqrec_trainer_create(w.model, w.config, &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_trainer_release(made));
    made = NULL;
    EACH_ALLOCATION_FAILS(seqrec_trainer_load(w.context, scratch_path("state"), &made, &model, &api.error),
                          ck_assert(made == NULL && model == NULL),
                          (seqrec_trainer_release(made), seqrec_model_release(model)));
    const size_t size = scratch_read("state", world_bytes[0], WORLD_FILE);
    EACH_ALLOCATION_FAILS(seqrec_trainer_save(w.trainer, scratch_path("state"), &api.error),
                          ck_assert_uint_eq(scratch_read("state", world_bytes[1], WORLD_FILE), size);
                          ck_assert_mem_eq(world_bytes[0], world_bytes[1], size);
                          ck_assert_int_eq(scratch_count(0), 1), (void)0);
    world_fit(&w, NULL);
    world_close(&w);
}
END_TEST

static void add_resuming(Suite *suite)
{
    TCase *tests = tcase_create("going on");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, a_restored_trainer_takes_the_steps_of_the_one_that_was_saved);
    tcase_add_loop_test(tests, a_fit_that_was_stopped_saved_and_loaded_goes_on_bit_for_bit, 0, RECIPES);
    tcase_add_test(tests, a_fit_does_not_go_on_with_other_values_of_its_events);
    tcase_add_test(tests, a_fit_may_be_stopped_after_any_step);
    tcase_add_test(tests, a_fit_that_was_stopped_goes_on_without_a_file_too);
    tcase_add_loop_test(tests, items_that_come_between_fits_do_not_break_the_repetition, 0, 3);
    tcase_add_test(tests, another_batch_after_a_break_trains_each_user_once_an_epoch_all_the_same);
    tcase_add_loop_test(tests, a_schedule_ends_with_its_fit_though_batches_are_passed_over, 0, 4);
    tcase_add_test(tests, more_epochs_than_a_cosine_has_steps_for_are_refused_before_they_train_at_rate_0);
    tcase_add_test(tests, a_killed_fit_loses_one_interval_at_most_and_never_a_file);
    suite_add_tcase(suite, tests);
}

static void add_files(Suite *suite)
{
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, probabilities_of_an_epoch_before_are_not_those_of_a_checkpoint);
    tcase_add_test(tests, a_restored_trainer_sums_as_before_where_the_last_items_are_gone);
    tcase_add_test(tests, a_checkpoint_cut_or_damaged_anywhere_is_refused);
    tcase_add_test(tests, a_model_is_not_taken_for_a_checkpoint);
    tcase_add_test(tests, a_checkpoint_with_right_checksums_and_wrong_content_is_refused);
    tcase_add_test(tests, training_does_not_depend_on_the_locale);
    tcase_add_test(tests, creating_saving_and_loading_survive_failing_allocations);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_checkpoint");
    add_resuming(suite);
    add_files(suite);
    return run_suite(suite);
}
