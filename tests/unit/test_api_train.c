/* unit: training through the public interface: steps on the host's batches, fits, checkpoints. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include "made_locale.h"
#include "rewritten_file.h"
#include "train_world.h"

/* ---- The host's batches. ---- */

enum { SEQUENCES = 8, EVENTS = 12, ITEMS = 20 };

typedef struct host_batch {
    int64_t offsets[SEQUENCES + 1], items[SEQUENCES * EVENTS];
    seqrec_batch view;
} host_batch;

/* Sequences that walk round the items 1 to 20 in steps of one. */
static seqrec_batch *walk(host_batch *b)
{
    for (int64_t s = 0; s < SEQUENCES; s++) {
        b->offsets[s + 1] = (s + 1) * EVENTS;
        for (int64_t e = 0; e < EVENTS; e++) b->items[s * EVENTS + e] = (s * 5 + e) % ITEMS + 1;
    }
    b->offsets[0] = 0;
    b->view = (seqrec_batch){
        .struct_size = sizeof b->view, .sequences = SEQUENCES, .offsets = b->offsets, .items = b->items};
    return &b->view;
}

static train_world open_with_items(const char *const *changes)
{
    train_world w = world_open(changes, 0);
    int64_t ids[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, ITEMS, NULL, &api.error));
    return w;
}

static seqrec_step_stats step(const train_world *w, const seqrec_batch *batch)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    EXPECT(SEQREC_OK, seqrec_trainer_step(w->trainer, batch, &stats, &api.error));
    return stats;
}

static void set(const train_world *w, const char *name, const char *value)
{
    EXPECT(SEQREC_OK, seqrec_trainer_set(w->trainer, name, value, &api.error));
}

START_TEST(steps_on_the_hosts_batch_lower_the_loss)
{
    host_batch b;
    train_world w = open_with_items((world_options){"dropout", "0"});
    seqrec_step_stats first = step(&w, walk(&b)), stats = first;
    for (int i = 1; i < 80; i++) stats = step(&w, &b.view);
    ck_assert_int_eq(first.step, 1);
    ck_assert_int_eq(stats.step, 80);
    ck_assert_int_eq(stats.targets, SEQUENCES * 8); /* max_length of the 11 shifted events */
    ck_assert_double_eq(stats.learning_rate, 0.01);
    ck_assert_double_eq(stats.grad_norm, 0);
    ck_assert_msg(stats.loss < 0.5 * first.loss, "%g after %g", stats.loss, first.loss);
    set(&w, "clip_norm", "1");
    ck_assert_double_gt(step(&w, &b.view).grad_norm, 0);
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, &b.view, NULL, NULL));
    world_close(&w);
}
END_TEST

START_TEST(an_unknown_id_is_refused_and_nothing_changes)
{
    host_batch b;
    train_world w = open_with_items(NULL);
    step(&w, walk(&b));
    world_checkpoint(&w, "before");
    b.items[2 * EVENTS + 3] = 999;
    REFUSED(SEQREC_E_NOT_FOUND, "event 3 of sequence 2: the model has no item 999",
            seqrec_trainer_step(w.trainer, &b.view, NULL, &api.error));
    world_checkpoint(&w, "after");
    ck_assert(world_same("before", "after"));
    world_close(&w);
}
END_TEST

START_TEST(skipping_unknown_ids_trains_as_if_they_were_not_there)
{
    host_batch b;
    train_world with = open_with_items((world_options){"unknown_items", "skip"});
    walk(&b);
    b.items[2 * EVENTS + 3] = 999;
    step(&with, &b.view);
    world_checkpoint(&with, "with");
    train_world without = open_with_items((world_options){"unknown_items", "skip"});
    memmove(b.items + 2 * EVENTS + 3, b.items + 2 * EVENTS + 4, sizeof b.items - sizeof *b.items * (2 * EVENTS + 4));
    for (int s = 3; s <= SEQUENCES; s++) b.offsets[s]--;
    step(&without, &b.view);
    world_checkpoint(&without, "without");
    ck_assert(world_same("with", "without"));
    world_close(&with);
    world_close(&without);
}
END_TEST

START_TEST(a_batch_without_a_sequence_of_two_events_is_refused)
{
    train_world w = open_with_items(NULL);
    const seqrec_batch single = {.struct_size = sizeof single,
                                 .sequences = 3,
                                 .offsets = (int64_t[]){0, 1, 1, 2},
                                 .items = (int64_t[]){1, 2}};
    const seqrec_batch none = {.struct_size = sizeof none};
    REFUSED(SEQREC_E_ARGUMENT, "two events", seqrec_trainer_step(w.trainer, &single, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "two events", seqrec_trainer_step(w.trainer, &none, NULL, &api.error));
    world_close(&w);
}
END_TEST

START_TEST(readers_see_the_weights_when_they_are_published_and_not_before)
{
    float before[WORLD_WIDTH], during[WORLD_WIDTH], after[WORLD_WIDTH];
    host_batch b;
    train_world w = open_with_items(NULL);
    world_vector(&w, 1, before);
    world_save(&w, "before");
    for (int i = 0; i < 3; i++) step(&w, walk(&b));
    world_vector(&w, 1, during);
    world_save(&w, "during");
    ck_assert_mem_eq(before, during, sizeof before);
    ck_assert(world_same("before", "during"));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_vector(&w, 1, after);
    world_save(&w, "after");
    ck_assert_mem_ne(during, after, sizeof during);
    ck_assert(!world_same("during", "after"));
    world_close(&w);
}
END_TEST

START_TEST(options_of_the_model_cannot_be_set_on_a_trainer)
{
    seqrec_option_info info = {.struct_size = sizeof info};
    int32_t of_model = 0;
    train_world w = world_open(NULL, 0);
    for (int32_t i = 0; seqrec_option_describe(i, &info) == SEQREC_OK; i++) {
        if (strcmp(info.scope, "model") != 0) {
            set(&w, info.name, info.initial);
            continue;
        }
        of_model++;
        REFUSED(SEQREC_E_ARGUMENT, info.name, seqrec_trainer_set(w.trainer, info.name, info.initial, &api.error));
    }
    ck_assert_int_gt(of_model, 5);
    REFUSED(SEQREC_E_UNSUPPORTED, "learning_rate", seqrec_trainer_set(w.trainer, "learning_rat", "1", &api.error));
    REFUSED(SEQREC_E_RANGE, "11", seqrec_trainer_set(w.trainer, "learning_rate", "11", &api.error));
    REFUSED(SEQREC_E_FORMAT, "fast", seqrec_trainer_set(w.trainer, "learning_rate", "fast", &api.error));
    world_close(&w);
}
END_TEST

START_TEST(an_option_set_on_a_trainer_holds_from_the_next_step_and_is_stored)
{
    char out[32];
    host_batch b;
    seqrec_config *stored = NULL;
    train_world w = open_with_items(NULL);
    step(&w, walk(&b));
    set(&w, "learning_rate", "0.5");
    ck_assert_double_eq(step(&w, &b.view).learning_rate, 0.5);
    EXPECT(SEQREC_OK, seqrec_model_config(w.model, &stored, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_get(stored, "learning_rate", out, sizeof out, NULL, &api.error));
    ck_assert_str_eq(out, "0.5");
    seqrec_config_release(stored);
    world_close(&w);
}
END_TEST

START_TEST(a_trainer_whose_options_are_not_the_models_is_refused)
{
    seqrec_trainer *made = NULL;
    train_world w = world_open_without_trainer(NULL, 0);
    world_set(&w, (world_options){"dim", "16"});
    REFUSED(SEQREC_E_ARGUMENT, "dim = 8", seqrec_trainer_create(w.model, w.config, &made, &api.error));
    ck_assert_ptr_null(made);
    world_close(&w);
}
END_TEST

/* Item 20, which no sequence has, is the only one that was counted. */
static void count_one(const train_world *w)
{
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w->trainer, (int64_t[]){20}, (double[]){3}, 1, &api.error));
}

static seqrec_batch *walk_without_20(host_batch *b)
{
    walk(b);
    for (int i = 0; i < SEQUENCES * EVENTS; i++)
        if (b->items[i] >= 19) b->items[i] -= 10; /* neither 19 nor 20 */
    return &b->view;
}

START_TEST(popular_negatives_need_counts)
{
    float before[2][WORLD_WIDTH], after[2][WORLD_WIDTH];
    host_batch b;
    train_world w = open_with_items((world_options){"sampler", "popularity", "item_updates", "lazy"});
    REFUSED(SEQREC_E_STATE, "seqrec_trainer_set_popularity",
            seqrec_trainer_step(w.trainer, walk_without_20(&b), NULL, &api.error));
    count_one(&w);
    world_vector(&w, 19, before[0]);
    world_vector(&w, 20, before[1]);
    step(&w, &b.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_vector(&w, 19, after[0]);
    world_vector(&w, 20, after[1]);
    ck_assert_mem_eq(before[0], after[0], sizeof before[0]);
    ck_assert_mem_ne(before[1], after[1], sizeof before[1]);
    world_close(&w);
}
END_TEST

START_TEST(counts_that_cannot_be_are_refused_and_leave_those_before)
{
    host_batch b;
    train_world w = open_with_items((world_options){"sampler", "popularity"});
    seqrec_trainer *t = w.trainer;
    count_one(&w);
    REFUSED(SEQREC_E_NOT_FOUND, "counts[1]: the model has no item 77",
            seqrec_trainer_set_popularity(t, (int64_t[]){1, 77}, (double[]){1, 1}, 2, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "counts[0] of item 2",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){-1}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "item 2",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){(double)NAN}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "item 2",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){(double)INFINITY}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "counts is NULL",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, NULL, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids is NULL", seqrec_trainer_set_popularity(t, NULL, (double[]){2}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "-1", seqrec_trainer_set_popularity(t, NULL, NULL, -1, &api.error));
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(t, NULL, NULL, 0, &api.error));
    REFUSED(SEQREC_E_STATE, "popularity", seqrec_trainer_step(t, &b.view, NULL, &api.error));
    world_close(&w);
}
END_TEST

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

START_TEST(items_come_and_go_between_steps)
{
    float given[WORLD_WIDTH] = {1, 2, 3, 4, 5, 6, 7, 8}, seen[WORLD_WIDTH];
    host_batch b;
    train_world w = open_with_items(NULL);
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, (int64_t[]){1000, 1001}, 2, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_update(w.model, (int64_t[]){1001}, 1, given, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(w.model, (int64_t[]){3}, 1, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "item 3", seqrec_trainer_step(w.trainer, &b.view, NULL, &api.error));
    for (int i = 0; i < SEQUENCES * EVENTS; i++)
        if (b.items[i] == 3) b.items[i] = 1000;
    set(&w, "negatives", "1");
    set(&w, "item_updates", "lazy");
    step(&w, &b.view);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    ck_assert_int_eq(seqrec_items_count(w.model), ITEMS + 1);
    EXPECT(SEQREC_OK, seqrec_items_get(w.model, (int64_t[]){1000}, 1, seen, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "3", seqrec_items_get(w.model, (int64_t[]){3}, 1, seen, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_update(w.model, (int64_t[]){1001}, 1, given, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_vector(&w, 1001, seen);
    ck_assert_mem_eq(given, seen, sizeof given);
    world_close(&w);
}
END_TEST

/* ---- Fits. ---- */

static const char *const *const recipes[] = {
    (world_options){"loss", "bce", "item_updates", "exact"},
    (world_options){"loss", "bce", "item_updates", "lazy", "weight_decay", "0.01"},
    (world_options){"loss", "softmax", "item_updates", "exact"},
    (world_options){"loss", "softmax", "item_updates", "lazy", "tied_output", "false"},
    (world_options){"loss", "sampled_softmax", "item_updates", "exact", "sampler", "popularity"},
    (world_options){"loss", "sampled_softmax", "item_updates", "lazy", "score", "cosine", "clip_norm", "1"},
    (world_options){"loss", "bce", "negative_sharing", "batch", "optimizer", "adamw", "weight_decay", "0.01"},
    (world_options){"loss", "bce", "average_epochs", "2", "item_updates", "exact"},
    (world_options){"loss", "bce", "average_epochs", "5", "item_updates", "lazy", "schedule", "cosine",
                    "schedule_steps", "15", "warmup_steps", "4"},
    (world_options){"loss", "softmax", "average_epochs", "2", "valid_every", "2"},
    (world_options){"loss", "softmax", "average_epochs", "3", "item_updates", "lazy", "valid_every", "0"},
    (world_options){"loss", "sampled_softmax", "schedule", "cosine", "item_updates", "exact"},
    (world_options){"loss", "sampled_softmax", "average_epochs", "2", "item_updates", "lazy"},
};
enum { RECIPES = sizeof recipes / sizeof *recipes, STEPS = 15 /* of three epochs */ };

START_TEST(any_number_of_threads_fits_the_same_bits)
{
    for (int32_t threads = 1; threads <= 4; threads *= 2) {
        train_world w = world_open(recipes[_i], threads);
        ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
        world_save(&w, threads == 1 ? "one" : "more");
        world_checkpoint(&w, threads == 1 ? "one.state" : "more.state");
        ck_assert(threads == 1 || (world_same("one", "more") && world_same("one.state", "more.state")));
        world_close(&w);
    }
}
END_TEST

static void fit_whole(const char *const *changes)
{
    train_world w = world_open(changes, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    world_save(&w, "whole");
    world_checkpoint(&w, "whole.state");
    world_close(&w);
}

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
        const int64_t told = kill_after(round < 3 ? 8 : every + 1 + round % 2, round * 300, every, pause_at), had = go_on();
        ck_assert_msg(had % every == 0 || had == KILLED_EPOCHS, "a file of epoch %lld", (long long)had);
        ck_assert_msg(had >= (told - 1) / every * every, "epoch %lld of %lld", (long long)had, (long long)told);
        ck_assert_msg(had <= told, "epoch %lld of %lld", (long long)had, (long long)told);
        ck_assert(world_same("whole", "resumed"));
    }
}
END_TEST

/* ---- What is kept and when it ends. ---- */

static double valid_metric(const train_world *w, const char *name, int64_t cutoff)
{
    double value = NAN;
    seqrec_report *report = NULL;
    const seqrec_evaluation how = {
        .struct_size = sizeof how, .split = "valid", .cutoffs = &cutoff, .cutoff_count = 1, .bootstrap = -1};
    EXPECT(SEQREC_OK, seqrec_evaluate(w->context, w->model, w->data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", name, &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    return value;
}

typedef struct epoch_log {
    int64_t epochs, best;
    double best_metric;
} epoch_log;

static int32_t log_epoch(void *context, const seqrec_epoch_stats *stats)
{
    epoch_log *log = context;
    ck_assert_int_eq(stats->epoch, ++log->epochs);
    ck_assert_int_gt(stats->targets, 0);
    ck_assert(stats->loss > 0 && stats->seconds >= 0);
    const int better = log->best == 0 || stats->metric > log->best_metric;
    ck_assert_int_eq(stats->improved, better);
    if (!better) return 0;
    log->best = stats->epoch;
    log->best_metric = stats->metric;
    return 0;
}

static const struct {
    const char *kind, *cutoff, *name, *average;
} metrics[] = {{"ndcg", "10", "ndcg@10", "0"}, {"hr", "5", "hr@5", "3"}, {"mrr", "10", "mrr", "0"}};

START_TEST(the_weights_of_the_best_epoch_are_published)
{
    epoch_log log = {0};
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = log_epoch, .epoch_context = &log};
    train_world w = world_open((world_options){"epochs", "9", "learning_rate", "0.05", "metric_kind", metrics[_i].kind,
                                               "metric_cutoff", metrics[_i].cutoff, "average_epochs",
                                               metrics[_i].average},
                               0);
    const seqrec_fit_stats stats = world_fit(&w, &how);
    ck_assert_int_eq(stats.epochs, 9);
    ck_assert_int_eq(stats.best_epoch, log.best);
    ck_assert_double_eq(stats.best_metric, log.best_metric);
    ck_assert_double_eq(valid_metric(&w, metrics[_i].name, atoi(metrics[_i].cutoff)), stats.best_metric);
    ck_assert(stats.seconds_per_epoch > 0 && stats.tokens_per_second > 0);
    world_close(&w);
}
END_TEST

START_TEST(patience_ends_a_fit_that_no_longer_improves)
{
    train_world w =
        world_open((world_options){"epochs", "50", "learning_rate", "0", "valid_every", "2", "patience", "3"}, 0);
    seqrec_fit_stats stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.epochs, 2 + 3 * 2);
    ck_assert_int_eq(stats.best_epoch, 2);
    ck_assert_int_eq(stats.cancelled, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 8);
    set(&w, "patience", "5");
    stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.epochs, 12);
    world_close(&w);
}
END_TEST

START_TEST(without_validation_the_last_weights_are_published)
{
    train_world w = world_open((world_options){"valid_every", "0"}, 0);
    const seqrec_fit_stats stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.epochs, 3);
    ck_assert_int_eq(stats.best_epoch, 0);
    ck_assert_double_nan(stats.best_metric);
    world_save(&w, "fitted");
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_save(&w, "last");
    ck_assert(world_same("fitted", "last"));
    world_close(&w);
}
END_TEST

START_TEST(the_epoch_callback_ends_a_fit_in_good_order)
{
    world_stopper stopper = {.stop_at = 2};
    const seqrec_fit how = {.struct_size = sizeof how,
                            .epoch = world_stop_epoch,
                            .epoch_context = &stopper,
                            .checkpoint = scratch_path("stopped")};
    fit_whole(NULL);
    train_world w = world_open(NULL, 0);
    seqrec_fit_stats stats = world_fit(&w, &how);
    ck_assert_int_eq(stats.cancelled, 1);
    ck_assert_int_eq(stats.epochs, 2);
    ck_assert_double_eq(valid_metric(&w, "ndcg@10", 10), stats.best_metric);
    world_load(&w, "stopped");
    stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.cancelled, 0);
    ck_assert_int_eq(stats.epochs, 3);
    world_save(&w, "resumed");
    ck_assert(world_same("whole", "resumed"));
    world_close(&w);
}
END_TEST

static const char *note_of(const seqrec_model *model, const char *key)
{
    static char out[256];
    EXPECT(SEQREC_OK, seqrec_model_note(model, key, out, sizeof out, NULL, &api.error));
    return out;
}

START_TEST(a_fit_notes_what_it_trained_on_in_the_model_and_in_every_checkpoint)
{
    char hash[32];
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    world_stopper stopper = {.stop_at = 2};
    const seqrec_fit how = {.struct_size = sizeof how,
                            .split = "none",
                            .epoch = world_stop_epoch,
                            .epoch_context = &stopper,
                            .checkpoint = scratch_path("state")};
    train_world w = world_open(NULL, 0);
    EXPECT(SEQREC_OK, seqrec_dataset_describe(w.data, &facts, &api.error));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)facts.hash);
    world_fit(&w, &how);
    ck_assert_str_eq(note_of(w.model, "split"), "none");
    ck_assert_str_eq(note_of(w.model, "data_hash"), hash);
    ck_assert_str_eq(note_of(w.model, "epochs"), "2");
    seqrec_model *loaded = NULL;
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("state"), &loaded, &api.error));
    ck_assert_str_eq(note_of(loaded, "split"), "none");
    ck_assert_str_eq(note_of(loaded, "data_hash"), hash);
    ck_assert_str_eq(note_of(loaded, "epochs"), "2");
    seqrec_model_release(loaded);
    world_close(&w);
}
END_TEST

static int32_t note_in_checkpoint(void *context, const seqrec_epoch_stats *stats)
{
    const train_world *w = context;
    seqrec_model *loaded = NULL;
    if (stats->epoch != 2) return 0;
    EXPECT(SEQREC_OK, seqrec_model_load(w->context, scratch_path("state"), &loaded, &api.error));
    ck_assert_str_eq(note_of(loaded, "split"), "none");
    ck_assert_str_eq(note_of(loaded, "epochs"), "1");
    seqrec_model_release(loaded);
    return 0;
}

START_TEST(a_checkpoint_in_the_middle_of_a_fit_says_what_it_saw)
{
    train_world w = world_open(NULL, 0);
    const seqrec_fit how = {.struct_size = sizeof how,
                            .split = "none",
                            .epoch = note_in_checkpoint,
                            .epoch_context = &w,
                            .checkpoint = scratch_path("state")};
    ck_assert_int_eq(world_fit(&w, &how).epochs, 3);
    world_close(&w);
}
END_TEST

START_TEST(a_trainer_stays_with_its_data_and_split)
{
    seqrec_synth synth = world_synth();
    seqrec_dataset *other = NULL;
    seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    train_world w = world_open(NULL, 0);
    world_fit_steps(&w, 3);
    synth.seed = 6;
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(w.context, &synth, &other, NULL, &api.error));
    REFUSED(SEQREC_E_STATE, "fitted to data", seqrec_trainer_fit(w.trainer, other, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_STATE, "not \"none\"", seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    how.split = "half";
    REFUSED(SEQREC_E_UNSUPPORTED, "half", seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    how.split = NULL;
    how.checkpoint_every = -1;
    REFUSED(SEQREC_E_RANGE, "-1", seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    how.checkpoint_every = 0;
    how.checkpoint = scratch_path("no/such/folder");
    REFUSED(SEQREC_E_IO, "such", seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    seqrec_dataset_release(other);
    world_close(&w);
}
END_TEST

/* ---- Items that come and go around and during fits. ---- */

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

START_TEST(adding_an_item_leaves_the_mean_of_the_others)
{
    float mean[WORLD_WIDTH], last[WORLD_WIDTH];
    const int64_t id = 500;
    train_world w = world_open((world_options){"average_epochs", "50", "valid_every", "0"}, 0);
    world_fit_steps(&w, 10);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, &id, 1, NULL, &api.error));
    world_fit(&w, NULL);
    world_vector(&w, 1, mean);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_vector(&w, 1, last);
    ck_assert_mem_ne(mean, last, sizeof mean);
    world_close(&w);
}
END_TEST

START_TEST(removed_items_of_the_dataset_are_added_again)
{
    const int64_t id = 1;
    int32_t slot, generation, later;
    train_world w = world_open(NULL, 0);
    world_fit_steps(&w, 7);
    const int64_t count = seqrec_items_count(w.model);
    EXPECT(SEQREC_OK, seqrec_items_locate(w.model, id, &slot, &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(w.model, &id, 1, &api.error));
    world_fit(&w, NULL);
    ck_assert_int_eq(seqrec_items_count(w.model), count);
    EXPECT(SEQREC_OK, seqrec_items_locate(w.model, id, &slot, &later, &api.error));
    ck_assert_int_ne(generation, later);
    world_close(&w);
}
END_TEST

/* After the first epoch: removes the first items of the dataset, and puts one with a vector of its own in a freed slot. */
static int32_t change_items(void *context, const seqrec_epoch_stats *stats)
{
    const train_world *w = context;
    const float given[2 * WORLD_WIDTH] = {1, 2, 3};
    if (stats->epoch != 1) return 0;
    EXPECT(SEQREC_OK, seqrec_items_remove(w->model, (int64_t[]){1, 2, 3}, 3, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(w->model, (int64_t[]){500}, 1, given, &api.error));
    return 0;
}

static void expect_changed_items(const seqrec_model *model, int64_t count)
{
    float vector[2 * WORLD_WIDTH];
    ck_assert_int_eq(seqrec_items_count(model), count);
    for (int64_t id = 1; id <= 3; id++)
        EXPECT(SEQREC_E_NOT_FOUND, seqrec_items_get(model, &id, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(model, (int64_t[]){500}, 1, vector, &api.error));
}

START_TEST(items_may_come_and_go_during_a_fit)
{
    train_world w = world_open(recipes[_i], 0);
    const seqrec_fit how = {.struct_size = sizeof how,
                            .epoch = change_items,
                            .epoch_context = &w,
                            .checkpoint = _i % 2 ? scratch_path("state") : NULL};
    int64_t count;
    EXPECT(SEQREC_OK, seqrec_dataset_items(w.data, NULL, 0, &count, &api.error));
    ck_assert_int_eq(world_fit(&w, &how).epochs, 3);
    expect_changed_items(w.model, count - 2);
    world_checkpoint(&w, "after");
    world_load(&w, "after");
    expect_changed_items(w.model, count - 2);
    world_close(&w);
}
END_TEST

static int32_t remove_all(void *context, const seqrec_epoch_stats *stats)
{
    const train_world *w = context;
    int64_t ids[64], n, cursor = 0;
    if (stats->epoch != 1) return 0;
    EXPECT(SEQREC_OK, seqrec_items_next(w->model, &cursor, ids, 64, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(w->model, ids, n, &api.error));
    return 0;
}

START_TEST(even_all_items_may_go_during_a_fit)
{
    train_world w = world_open(recipes[_i], 0);
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = remove_all, .epoch_context = &w};
    ck_assert_int_eq(world_fit(&w, &how).epochs, 3);
    ck_assert_int_eq(seqrec_items_count(w.model), 0);
    world_close(&w);
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

static train_world open_with_checkpoint(void)
{
    train_world w = world_open(recipes[7], 0);
    world_fit_steps(&w, 12);
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
    static const char *const keys[] = {"train.step",       "train.epoch", "train.batch",    "train.targets",
                                       "train.best_epoch", "train.stale", "train.averaged", "train.data_hash"};
    static const char *const values[] = {NULL, "", "-1", "x", "9223372036854775807"};
    static const char *const tensors[] = {"opt.m", "opt.v", "opt.items.m", "opt.items.v", "train.best.parameters",
                                          "train.best.items", "train.average.parameters", "train.average.items"};
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
        EXPECT(SEQREC_E_FORMAT, seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    }
    rewrite_values(scratch_path("state"), wrong, "opt.v", 5, &negative, sizeof negative);
    REFUSED(SEQREC_E_FORMAT, "opt.v", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
    rewrite_values(scratch_path("state"), wrong, "opt.items.v", 5, &negative, sizeof negative);
    REFUSED(SEQREC_E_FORMAT, "opt.items.v", seqrec_trainer_load(w.context, wrong, &trainer, &model, &api.error));
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

/* ---- Wrong arguments, forked children, failing memory. ---- */

START_TEST(wrong_arguments_are_refused_by_name)
{
    host_batch b;
    train_world w = open_with_items(NULL);
    seqrec_trainer *t = w.trainer, *made = NULL;
    seqrec_model *model = NULL;
    seqrec_error *e = &api.error;
    seqrec_step_stats stats = {.struct_size = sizeof stats - 1};
    seqrec_fit_stats fit_stats = {.struct_size = 0};
    seqrec_fit fit = {.struct_size = sizeof fit - 1};
    const char *path = scratch_path("x");
    walk(&b);
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_trainer_create(NULL, w.config, &made, e));
    REFUSED(SEQREC_E_ARGUMENT, "config", seqrec_trainer_create(w.model, NULL, &made, e));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_trainer_create(w.model, w.config, NULL, e));
    seqrec_trainer_release(NULL);
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_step(NULL, &b.view, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "batch", seqrec_trainer_step(t, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "stats.struct_size", seqrec_trainer_step(t, &b.view, &stats, e));
    b.view.struct_size = 8;
    REFUSED(SEQREC_E_ARGUMENT, "batch.struct_size", seqrec_trainer_step(t, &b.view, NULL, e));
    b.view.struct_size = sizeof b.view;
    b.view.sequences = -1;
    REFUSED(SEQREC_E_ARGUMENT, "batch.sequences", seqrec_trainer_step(t, &b.view, NULL, e));
    b.view.sequences = SEQUENCES;
    b.view.items = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "batch.items", seqrec_trainer_step(t, &b.view, NULL, e));
    b.view.offsets = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "batch.offsets", seqrec_trainer_step(t, &b.view, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_publish(NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_set(NULL, "seed", "1", e));
    REFUSED(SEQREC_E_ARGUMENT, "name", seqrec_trainer_set(t, NULL, "1", e));
    REFUSED(SEQREC_E_ARGUMENT, "value", seqrec_trainer_set(t, "seed", NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_set_popularity(NULL, NULL, NULL, 0, e));
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_fit(NULL, w.data, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "dataset", seqrec_trainer_fit(t, NULL, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "fit.struct_size", seqrec_trainer_fit(t, w.data, &fit, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "stats.struct_size", seqrec_trainer_fit(t, w.data, NULL, &fit_stats, e));
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_save(NULL, path, e));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_trainer_save(t, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_trainer_load(NULL, path, &made, &model, e));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_trainer_load(w.context, NULL, &made, &model, e));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_trainer_load(w.context, path, NULL, &model, e));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_trainer_load(w.context, path, &made, NULL, e));
    ck_assert(made == NULL && model == NULL);
    ck_assert_int_eq(step(&w, walk(&b)).step, 1);
    world_close(&w);
}
END_TEST

static train_world parents;

static int calls_of_a_child(void)
{
    host_batch b;
    seqrec_trainer *made = NULL;
    seqrec_model *model = NULL;
    const int32_t statuses[] = {
        seqrec_trainer_create(parents.model, parents.config, &made, NULL),
        seqrec_trainer_step(parents.trainer, walk(&b), NULL, NULL),
        seqrec_trainer_publish(parents.trainer, NULL),
        seqrec_trainer_set(parents.trainer, "seed", "1", NULL),
        seqrec_trainer_set_popularity(parents.trainer, NULL, NULL, 0, NULL),
        seqrec_trainer_fit(parents.trainer, parents.data, NULL, NULL, NULL),
        seqrec_trainer_save(parents.trainer, scratch_path("child"), NULL),
        seqrec_trainer_load(parents.context, scratch_path("state"), &made, &model, NULL),
    };
    for (int i = 0; i < (int)(sizeof statuses / sizeof *statuses); i++)
        if (statuses[i] != SEQREC_E_STATE) return i + 1;
    world_close(&parents);
    return 0;
}

START_TEST(a_forked_child_is_refused_but_may_release)
{
    host_batch b;
    for (int32_t threads = 0; threads <= 2; threads += 2) {
        parents = world_open(NULL, threads);
        world_fit(&parents, NULL);
        world_checkpoint(&parents, "state");
        ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
        step(&parents, walk(&b));
        world_close(&parents);
    }
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

/* Runs `call` on a world with request `failing` failing; 1 when it succeeded. */
static int one_fails(int32_t (*call)(train_world *w), train_world *w, int64_t failing)
{
    memset(&api.error, 0, sizeof api.error);
    atomic_store(&api.memory.to_fail, failing);
    const int32_t status = call(w);
    const int reached = atomic_load(&api.memory.to_fail) < 0;
    atomic_store(&api.memory.to_fail, -1);
    if (status == SEQREC_OK) {
        ck_assert_msg(!reached, "succeeded though request %lld failed", (long long)failing + 1);
        return 1;
    }
    ck_assert_msg(status == SEQREC_E_MEMORY && api.error.status == status && api.error.message[0] != 0,
                  "request %lld failed: %s %s", (long long)failing + 1, seqrec_status_name(status), api.error.message);
    return 0;
}

static int32_t step_call(train_world *w)
{
    host_batch b;
    return seqrec_trainer_step(w->trainer, walk(&b), NULL, &api.error);
}

START_TEST(a_step_whose_memory_fails_changes_nothing_and_can_be_repeated)
{
    int64_t failing = 0;
    for (int done = 0; !done; failing++) {
        train_world w = open_with_items(recipes[_i]);
        count_one(&w);
        set(&w, "schedule_steps", "100");
        world_checkpoint(&w, "before");
        done = one_fails(step_call, &w, failing);
        if (!done) {
            world_checkpoint(&w, "after");
            ck_assert(world_same("before", "after"));
            EXPECT(SEQREC_OK, step_call(&w));
        }
        world_checkpoint(&w, failing == 0 ? "first" : "stepped");
        ck_assert(failing == 0 || world_same("first", "stepped"));
        world_close(&w);
        ck_assert_int_eq(atomic_load(&api.memory.blocks), 0);
    }
    ck_assert_int_gt(failing, 10);
}
END_TEST

static int32_t fit_call(train_world *w)
{
    const seqrec_fit how = {.struct_size = sizeof how, .checkpoint = scratch_path("run")};
    return seqrec_trainer_fit(w->trainer, w->data, &how, NULL, &api.error);
}

/* The dataset's items are in the model before the fit, so that a failed one shows nothing at all. */
static train_world open_for_fit(const char *const *changes)
{
    int64_t ids[64], n;
    train_world w = world_open(changes, 0);
    EXPECT(SEQREC_OK, seqrec_dataset_items(w.data, ids, 64, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, n, NULL, &api.error));
    return w;
}

START_TEST(a_fit_whose_memory_fails_shows_nothing_and_goes_on_when_called_again)
{
    static const int which[] = {4, 7};
    const char *const *changes = recipes[which[_i]];
    int64_t failing = 0;
    train_world whole = open_for_fit(changes);
    world_save(&whole, "before");
    EXPECT(SEQREC_OK, fit_call(&whole));
    world_save(&whole, "whole");
    rename(scratch_path("run"), scratch_path("whole.state"));
    world_close(&whole);
    for (int done = 0; !done; failing++) {
        train_world w = open_for_fit(changes);
        done = one_fails(fit_call, &w, failing);
        if (!done) {
            world_save(&w, "after");
            ck_assert_msg(world_same("before", "after"), "request %lld: readers saw something", (long long)failing + 1);
            EXPECT(SEQREC_OK, fit_call(&w));
        }
        world_save(&w, "resumed");
        ck_assert_msg(world_same("whole", "resumed"), "request %lld: another model", (long long)failing + 1);
        ck_assert_msg(world_same("whole.state", "run"), "request %lld: another state", (long long)failing + 1);
        world_close(&w);
        ck_assert_int_eq(atomic_load(&api.memory.blocks), 0);
    }
    ck_assert_int_gt(failing, 50);
}
END_TEST

static void add_steps(Suite *suite)
{
    TCase *tests = tcase_create("steps");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, steps_on_the_hosts_batch_lower_the_loss);
    tcase_add_test(tests, an_unknown_id_is_refused_and_nothing_changes);
    tcase_add_test(tests, skipping_unknown_ids_trains_as_if_they_were_not_there);
    tcase_add_test(tests, a_batch_without_a_sequence_of_two_events_is_refused);
    tcase_add_test(tests, readers_see_the_weights_when_they_are_published_and_not_before);
    tcase_add_test(tests, options_of_the_model_cannot_be_set_on_a_trainer);
    tcase_add_test(tests, an_option_set_on_a_trainer_holds_from_the_next_step_and_is_stored);
    tcase_add_test(tests, a_trainer_whose_options_are_not_the_models_is_refused);
    tcase_add_test(tests, popular_negatives_need_counts);
    tcase_add_test(tests, counts_that_cannot_be_are_refused_and_leave_those_before);
    tcase_add_test(tests, a_restored_trainer_takes_the_steps_of_the_one_that_was_saved);
    tcase_add_test(tests, items_come_and_go_between_steps);
    suite_add_tcase(suite, tests);
}

static void add_fits(Suite *suite)
{
    TCase *tests = tcase_create("fits");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, any_number_of_threads_fits_the_same_bits, 0, RECIPES);
    tcase_add_loop_test(tests, a_fit_that_was_stopped_saved_and_loaded_goes_on_bit_for_bit, 0, RECIPES);
    tcase_add_test(tests, a_fit_may_be_stopped_after_any_step);
    tcase_add_test(tests, a_fit_that_was_stopped_goes_on_without_a_file_too);
    tcase_add_test(tests, a_killed_fit_loses_one_interval_at_most_and_never_a_file);
    tcase_add_loop_test(tests, the_weights_of_the_best_epoch_are_published, 0, sizeof metrics / sizeof *metrics);
    tcase_add_test(tests, patience_ends_a_fit_that_no_longer_improves);
    tcase_add_test(tests, without_validation_the_last_weights_are_published);
    tcase_add_test(tests, the_epoch_callback_ends_a_fit_in_good_order);
    tcase_add_test(tests, a_fit_notes_what_it_trained_on_in_the_model_and_in_every_checkpoint);
    tcase_add_test(tests, a_checkpoint_in_the_middle_of_a_fit_says_what_it_saw);
    tcase_add_test(tests, a_trainer_stays_with_its_data_and_split);
    tcase_add_loop_test(tests, items_that_come_between_fits_do_not_break_the_repetition, 0, 3);
    tcase_add_test(tests, adding_an_item_leaves_the_mean_of_the_others);
    tcase_add_test(tests, removed_items_of_the_dataset_are_added_again);
    tcase_add_loop_test(tests, items_may_come_and_go_during_a_fit, 0, RECIPES);
    tcase_add_loop_test(tests, even_all_items_may_go_during_a_fit, 0, RECIPES);
    suite_add_tcase(suite, tests);
}

static void add_failures(Suite *suite)
{
    TCase *tests = tcase_create("failures");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, a_checkpoint_cut_or_damaged_anywhere_is_refused);
    tcase_add_test(tests, a_model_is_not_taken_for_a_checkpoint);
    tcase_add_test(tests, a_checkpoint_with_right_checksums_and_wrong_content_is_refused);
    tcase_add_test(tests, training_does_not_depend_on_the_locale);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_test(tests, a_forked_child_is_refused_but_may_release);
    tcase_add_test(tests, creating_saving_and_loading_survive_failing_allocations);
    tcase_add_loop_test(tests, a_step_whose_memory_fails_changes_nothing_and_can_be_repeated, 0, RECIPES);
    tcase_add_loop_test(tests, a_fit_whose_memory_fails_shows_nothing_and_goes_on_when_called_again, 0, 2);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_train");
    add_steps(suite);
    add_fits(suite);
    add_failures(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
