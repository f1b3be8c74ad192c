/* unit: training through the public interface: steps on the host's batches, and fits. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include "run_suite.h"
#include "train_world.h"

/* ---- Steps. ---- */

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
    const seqrec_batch single = {
        .struct_size = sizeof single, .sequences = 3, .offsets = (int64_t[]){0, 1, 1, 2}, .items = (int64_t[]){1, 2}};
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

START_TEST(options_of_the_model_cannot_be_changed_on_a_trainer)
{
    seqrec_option_info info = {.struct_size = sizeof info};
    seqrec_config *stored = NULL;
    char now[64];
    int32_t of_model = 0;
    train_world w = world_open(NULL, 0);
    EXPECT(SEQREC_OK, seqrec_model_config(w.model, &stored, &api.error));
    for (int32_t i = 0; seqrec_option_describe(i, &info) == SEQREC_OK; i++) {
        if (strcmp(info.scope, "model") != 0) {
            set(&w, info.name, info.initial);
            continue;
        }
        of_model++;
        EXPECT(SEQREC_OK, seqrec_config_get(stored, info.name, now, sizeof now, NULL, &api.error));
        set(&w, info.name, now);
        if (strcmp(now, info.initial) != 0) REFUSED(SEQREC_E_ARGUMENT, info.name, seqrec_trainer_set(w.trainer, info.name, info.initial, &api.error));
    }
    ck_assert_int_gt(of_model, 5);
    REFUSED(SEQREC_E_ARGUMENT, "belongs to the model and cannot change in training: it is ", seqrec_trainer_set(w.trainer, "dim", "77", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "blocks", seqrec_trainer_set(w.trainer, "blocks", "9", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "position", seqrec_trainer_set(w.trainer, "position", "reversed", &api.error));
    REFUSED(SEQREC_E_RANGE, "4097", seqrec_trainer_set(w.trainer, "dim", "4097", &api.error));
    seqrec_config_release(stored);
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

static const char *const by_counts[] = {"sampler",   "popularity", "loss", "sampled_softmax", "logq",   "classic",
                                        "negatives", "4",          "seen", "exclude_target",  "epochs", "3", NULL};

START_TEST(an_item_whose_vector_is_changed_keeps_its_count)
{
    static float vectors[ITEMS * WORLD_WIDTH];
    int64_t ids[ITEMS];
    host_batch b;
    train_world w = open_with_items(by_counts);
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    for (int32_t i = 0; i < ITEMS * WORLD_WIDTH; i++) vectors[i] = 0.01f * (float)(i % 7);
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, ids, NULL, ITEMS, &api.error));
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_items_update(w.model, ids, ITEMS, vectors, &api.error));
    step(&w, &b.view);
    world_close(&w);
}
END_TEST

/* Changes an item's vector, and puts another anew, after the first epoch; stops there when asked to. */
typedef struct editor {
    const train_world *world;
    int32_t stops;
} editor;

static int32_t edit_items(void *context, const seqrec_epoch_stats *stats)
{
    const editor *e = context;
    const int64_t changed = 2, anew = 3;
    const float vector[WORLD_WIDTH] = {0.5f};
    if (stats->epoch != 1) return 0;
    EXPECT(SEQREC_OK, seqrec_items_update(e->world->model, &changed, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(e->world->model, &anew, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(e->world->model, &anew, 1, vector, &api.error));
    return e->stops;
}

START_TEST(a_fit_whose_items_are_changed_goes_on_as_one_that_stopped_there)
{
    for (int32_t stops = 0; stops < 2; stops++) {
        train_world w = world_open(by_counts, 0);
        editor e = {&w, stops};
        const seqrec_fit how = {.struct_size = sizeof how, .epoch = edit_items, .epoch_context = &e};
        world_fit(&w, &how);
        if (stops) ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
        world_save(&w, stops ? "stopped" : "whole");
        world_close(&w);
    }
    ck_assert(world_same("whole", "stopped"));
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
    REFUSED(SEQREC_E_ARGUMENT, "counts[0] of item 2 is -1",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){-1}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids[2]: item 2 is there twice",
            seqrec_trainer_set_popularity(t, (int64_t[]){2, 1, 2}, (double[]){0, 3, 1}, 3, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "item 2",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){(double)NAN}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "item 2",
            seqrec_trainer_set_popularity(t, (int64_t[]){2}, (double[]){(double)INFINITY}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids is NULL", seqrec_trainer_set_popularity(t, NULL, (double[]){2}, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "-1", seqrec_trainer_set_popularity(t, NULL, NULL, -1, &api.error));
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(t, NULL, NULL, 0, &api.error));
    REFUSED(SEQREC_E_STATE, "popularity", seqrec_trainer_step(t, &b.view, NULL, &api.error));
    world_close(&w);
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

/* ---- What is kept and when it ends. ---- */

static double valid_metric(const train_world *w, const char *name, int64_t cutoff)
{
    double value = NAN;
    seqrec_report *report = NULL;
    const seqrec_evaluation how = {
        .struct_size = sizeof how, .split = "valid", .cutoffs = &cutoff, .cutoff_count = 1, .bootstrap = -1, .beyond = 1};
    EXPECT(SEQREC_OK, seqrec_evaluate(w->context, w->model, w->data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", name, &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    return value;
}

typedef struct epoch_log {
    int64_t epochs, best;
    double best_metric;
    int falls; /* 1: lower is better */
} epoch_log;

static int32_t log_epoch(void *context, const seqrec_epoch_stats *stats)
{
    epoch_log *log = context;
    ck_assert_int_eq(stats->epoch, ++log->epochs);
    ck_assert_int_gt(stats->targets, 0);
    ck_assert(stats->loss > 0 && stats->seconds >= 0);
    const int better =
        log->best == 0 || (log->falls ? stats->metric < log->best_metric : stats->metric > log->best_metric);
    ck_assert_int_eq(stats->improved, better);
    if (!better) return 0;
    log->best = stats->epoch;
    log->best_metric = stats->metric;
    return 0;
}

static const struct {
    const char *kind, *cutoff, *name, *average;
    int falls;
} metrics[] = {{"ndcg", "10", "ndcg@10", "0", 0},
               {"hr", "5", "hr@5", "3", 0},
               {"mrr", "10", "mrr", "0", 0},
               {"coverage", "3", "coverage@3", "0", 0},
               {"gini", "5", "gini@5", "2", 1},
               {"loss", "10", "nll", "0", 1},
               {"ece", "10", "ece", "0", 1},
               {"ece_mass", "10", "ece_mass", "2", 1},
               {"novelty", "4", "novelty@4", "0", 0},
               {"diversity", "5", "diversity@5", "0", 0},
               {"apart_popular", "1", "apart_popular", "0", 0}};

START_TEST(the_weights_of_the_best_epoch_are_published)
{
    epoch_log log = {.falls = metrics[_i].falls};
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = log_epoch, .epoch_context = &log};
    train_world w =
        world_open((world_options){"epochs", "9", "learning_rate", "0.05", "metric_kind", metrics[_i].kind,
                                   "metric_cutoff", metrics[_i].cutoff, "average_epochs", metrics[_i].average},
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

START_TEST(another_metric_begins_the_search_for_the_best_anew)
{
    train_world w = world_open((world_options){"learning_rate", "0.05"}, 0);
    ck_assert_double_gt(world_fit(&w, NULL).best_metric, 0);
    set(&w, "metric_kind", "ndcg");
    ck_assert_int_gt(world_fit(&w, NULL).best_epoch, 0);
    set(&w, "metric_kind", "gini");
    const seqrec_fit_stats none = world_fit(&w, NULL);
    ck_assert_int_eq(none.best_epoch, 0);
    ck_assert_double_nan(none.best_metric);
    set(&w, "epochs", "4");
    const seqrec_fit_stats stats = world_fit(&w, NULL);
    ck_assert_int_eq(stats.best_epoch, 4);
    ck_assert_double_eq(valid_metric(&w, "gini@10", 10), stats.best_metric);
    ck_assert_int_eq(seqrec_trainer_set(w.trainer, "metric_kind", "surprise", &api.error), SEQREC_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(api.error.message, "ndcg|hr|mrr|coverage|gini|loss|ece|"));
    set(&w, "metric_kind", "diversity");
    set(&w, "metric_cutoff", "1");
    EXPECT(SEQREC_E_ARGUMENT, seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    ck_assert_ptr_nonnull(strstr(api.error.message, "metric_kind = diversity needs metric_cutoff of at least 2, not 1"));
    set(&w, "metric_kind", "hr");
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    world_close(&w);
}
END_TEST

START_TEST(a_cut_off_that_the_metric_does_not_read_leaves_the_best_as_it_is)
{
    train_world w = world_open((world_options){"learning_rate", "0.05", "metric_kind", "mrr"}, 0);
    const seqrec_fit_stats before = world_fit(&w, NULL);
    ck_assert_int_gt(before.best_epoch, 0);
    set(&w, "metric_cutoff", "20");
    ck_assert_int_eq(world_fit(&w, NULL).best_epoch, before.best_epoch);
    world_close(&w);
}
END_TEST

/* Whether what a fit published are the last weights, which are published then. */
static int publishes_the_last(const train_world *w)
{
    float published[WORLD_WIDTH], last[WORLD_WIDTH];
    world_vector(w, 1, published);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w->trainer, &api.error));
    world_vector(w, 1, last);
    return !memcmp(published, last, sizeof last);
}

START_TEST(without_validation_a_fit_goes_on_and_publishes_the_last_weights)
{
    train_world w = world_open((world_options){"learning_rate", "0.5", "epochs", "10", "valid_every", "1", "patience", "1", "average_epochs", "0"}, 0);
    const seqrec_fit_stats stopped = world_fit(&w, NULL);
    ck_assert_int_lt(stopped.epochs, 10);
    ck_assert_int_lt(stopped.best_epoch, stopped.epochs);
    set(&w, "valid_every", "0");
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 10); /* patience is not read */
    ck_assert(publishes_the_last(&w));
    world_close(&w);
}
END_TEST

/* Targets of an epoch by the rule of BERT4Rec's program: windows of `span` events that begin at n - span, n - span - step, ...
 * while that is above 0, and one at 0; a whole history that is no longer than that. Users have two events less to train on. */
static int64_t targets_by_the_rule(const train_world *w, int64_t span, int64_t step)
{
    int64_t targets = 0, users = 48;
    for (int64_t u = 0; u < users; u++) {
        int64_t n = 0;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, NULL, NULL, NULL, &n, &api.error));
        n -= 2;
        if (n < 2) continue;
        if (step == 0 || n <= span) {
            targets += (n < span ? n : span) - 1;
            continue;
        }
        for (int64_t begin = n - span; begin > 0; begin -= step) targets += span - 1;
        targets += span - 1;
    }
    return targets;
}

static int32_t keep_targets(void *context, const seqrec_epoch_stats *stats)
{
    *(int64_t *)context = stats->targets;
    return 0;
}

static int32_t keep_loss(void *context, const seqrec_epoch_stats *stats)
{
    *(double *)context = stats->loss;
    return 0;
}

/* Weights that differ: of a short history's targets, all newest, each weighs more. Once in two parts, with a checkpoint between. */
START_TEST(the_loss_of_an_epoch_is_the_weighted_mean_however_its_users_are_batched)
{
    static const char *const batches[] = {"48", "5", "1"};
    double loss[3] = {0};
    for (int i = 0; i < 3; i++) {
        train_world w = world_open((world_options){"loss", "softmax", "position_decay", "0.5", "learning_rate", "0", "dropout", "0", "epochs",
                                                   "2", "batch", batches[i]}, 0);
        const seqrec_fit how = {.struct_size = sizeof how, .epoch = keep_loss, .epoch_context = &loss[i]};
        if (i == 1) {
            world_fit_steps(&w, 14);
            world_checkpoint(&w, "half");
            world_load(&w, "half");
        }
        world_fit(&w, &how);
        world_close(&w);
    }
    ck_assert_msg(fabs(loss[1] - loss[0]) < 1e-6 && fabs(loss[2] - loss[0]) < 1e-6, "%.9g, %.9g, %.9g", loss[0], loss[1], loss[2]);
}
END_TEST

START_TEST(windows_in_steps_cover_whole_histories)
{
    static const char *const steps[] = {"0", "1", "2", "3", "4"};
    int64_t targets[5], counted;
    for (int i = 0; i < 5; i++) {
        train_world w = world_open((world_options){"max_length", "4", "epochs", "1", "window_step", steps[i]}, 0);
        const seqrec_fit how = {.struct_size = sizeof how, .epoch = keep_targets, .epoch_context = &counted};
        world_fit(&w, &how);
        targets[i] = counted;
        ck_assert_int_eq(counted, targets_by_the_rule(&w, 5, i));
        world_close(&w);
    }
    ck_assert_int_gt(targets[4], targets[0]);
    ck_assert_int_gt(targets[1], targets[2]);
}
END_TEST

START_TEST(prefixes_in_steps_have_the_targets_of_windows_in_steps)
{
    for (int i = 0; i < 3; i++) {
        static const char *const steps[] = {"0", "2", "4"};
        int64_t counted = 0;
        train_world w = world_open(
            (world_options){"max_length", "4", "epochs", "1", "objective", "prefix", "window_step", steps[i]}, 0);
        const seqrec_fit how = {.struct_size = sizeof how, .epoch = keep_targets, .epoch_context = &counted};
        world_fit(&w, &how);
        ck_assert_int_eq(counted, targets_by_the_rule(&w, 5, steps[i][0] - '0'));
        world_close(&w);
    }
}
END_TEST

/* Windows as long as the longest history: there is one of each. */
START_TEST(windows_that_hold_all_events_need_no_steps)
{
    fit_whole((world_options){"max_length", "12", "window_step", "0"});
    train_world w = world_open((world_options){"max_length", "12", "window_step", "5"}, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    set(&w, "window_step", "0");
    world_checkpoint(&w, "stepped.state");
    world_close(&w);
    ck_assert(world_same("whole.state", "stepped.state"));
}
END_TEST

START_TEST(steps_that_leave_gaps_are_refused)
{
    seqrec_trainer *trainer = NULL;
    train_world w = world_open((world_options){"max_length", "4", "window_step", "4"}, 0);
    REFUSED(SEQREC_E_ARGUMENT, "window_step = 5 is above max_length = 4",
            seqrec_trainer_set(w.trainer, "window_step", "5", &api.error));
    EXPECT(SEQREC_OK, seqrec_config_set(w.config, "window_step", "9", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "window_step = 9 is above max_length = 4",
            seqrec_trainer_create(w.model, w.config, &trainer, &api.error));
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

/* Takes away the folder of the checkpoint in the second epoch: writing it fails. */
static int32_t lose_folder(void *context, const seqrec_epoch_stats *stats)
{
    const char *folder = context;
    if (stats->epoch != 2) return 0;
    unlink(scratch_path("folder/state"));
    ck_assert_int_eq(rmdir(folder), 0);
    return 0;
}

static void fail_in_the_second_epoch(const train_world *w)
{
    char folder[512], checkpoint[512];
    snprintf(folder, sizeof folder, "%s", scratch_path("folder"));
    snprintf(checkpoint, sizeof checkpoint, "%s", scratch_path("folder/state"));
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    const seqrec_fit how = {
        .struct_size = sizeof how, .checkpoint = checkpoint, .epoch = lose_folder, .epoch_context = folder};
    REFUSED(SEQREC_E_IO, "folder", seqrec_trainer_fit(w->trainer, w->data, &how, NULL, &api.error));
}

static int published_notes(const train_world *w)
{
    return seqrec_model_note(w->model, "split", NULL, 0, NULL, NULL) != SEQREC_E_NOT_FOUND;
}

START_TEST(a_fit_that_failed_leaves_its_best_weights_to_be_published)
{
    static const int which[] = {0, 7, 10, 4}; /* validated; with a mean; a mean without validation; popularity */
    const char *const *changes = recipes[which[_i]];
    world_stopper stopper = {.stop_at = 2};
    const seqrec_fit stopped = {.struct_size = sizeof stopped, .epoch = world_stop_epoch, .epoch_context = &stopper};
    train_world w = world_open(changes, 0);
    world_fit(&w, &stopped);
    world_save(&w, "stopped");
    world_close(&w);
    fit_whole(changes);
    w = world_open(changes, 0);
    fail_in_the_second_epoch(&w);
    ck_assert(!published_notes(&w));
    EACH_ALLOCATION_FAILS(seqrec_trainer_publish_best(w.trainer, &api.error), ck_assert(!published_notes(&w)), (void)0);
    world_save(&w, "rescued");
    ck_assert(world_same("stopped", "rescued"));
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    world_save(&w, "finished");
    ck_assert(world_same("whole", "finished"));
    world_close(&w);
}
END_TEST

/* Gives an item a vector in the second epoch with which no loss is finite. */
static int32_t poison(void *context, const seqrec_epoch_stats *stats)
{
    const train_world *w = context;
    float huge[WORLD_WIDTH];
    for (int i = 0; i < WORLD_WIDTH; i++) huge[i] = 3e38f;
    if (stats->epoch == 2) EXPECT(SEQREC_OK, seqrec_items_update(w->model, (int64_t[]){1}, 1, huge, &api.error));
    return 0;
}

START_TEST(after_a_loss_that_is_not_finite_the_best_weights_are_those_before)
{
    float wanted[WORLD_WIDTH], got[WORLD_WIDTH];
    world_stopper stopper = {.stop_at = 2};
    seqrec_fit how = {.struct_size = sizeof how, .epoch = world_stop_epoch, .epoch_context = &stopper};
    train_world w = world_open(recipes[2], 0);
    world_fit(&w, &how);
    world_vector(&w, 2, wanted);
    world_close(&w);
    w = world_open(recipes[2], 0);
    how.epoch = poison;
    how.epoch_context = &w;
    REFUSED(SEQREC_E_NUMERIC, "finite", seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    world_vector(&w, 2, got);
    ck_assert_mem_ne(wanted, got, sizeof got);
    EXPECT(SEQREC_OK, seqrec_trainer_publish_best(w.trainer, &api.error));
    world_vector(&w, 2, got);
    ck_assert_mem_eq(wanted, got, sizeof got);
    world_close(&w);
}
END_TEST

static int32_t fit_call(train_world *w)
{
    const seqrec_fit how = {.struct_size = sizeof how, .checkpoint = scratch_path("run")};
    return seqrec_trainer_fit(w->trainer, w->data, &how, NULL, &api.error);
}

/* Neither rows for what the model lacks, nor counts in place of the host's, nor an end of its schedule. */
START_TEST(a_fit_that_is_refused_changes_nothing)
{
    static const char *const ends[][4] = {{"schedule_steps", "3", "9", "the rate is 0 from step schedule_steps = 3 on"},
                                          {"warmup_steps", "400", "3", "not more than warmup_steps = 400"}};
    train_world w = open_with_items((world_options){"sampler", "popularity", "loss", "sampled_softmax", "schedule", "linear",
                                                    ends[_i][0], ends[_i][1], "epochs", ends[_i][2]});
    const int64_t few = seqrec_items_count(w.model) - 5, all[] = {1, 2, 3, 4, 5};
    EXPECT(SEQREC_OK, seqrec_items_remove(w.model, all, 5, &api.error));
    count_one(&w);
    world_checkpoint(&w, "before");
    REFUSED(SEQREC_E_ARGUMENT, ends[_i][3], fit_call(&w));
    ck_assert_int_eq(seqrec_items_count(w.model), few);
    world_checkpoint(&w, "after");
    ck_assert(world_same("before", "after"));
    world_close(&w);
}
END_TEST

/* An input row that dropout empties is zero through all blocks while their biases are: each norm would multiply its gradient by 10^4. */
START_TEST(rows_that_dropout_empties_do_not_end_a_training)
{
    static const char *const widths[][2] = {{"dim", "8"}, {"dim", "2"}};
    train_world w = world_open((world_options){"wiring", "post_norm", "norm_epsilon", "1e-8", "blocks", "2", "heads", "1", "dropout", "0.9",
                                               "clip_norm", "5", widths[_i][0], widths[_i][1]}, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    world_close(&w);
}
END_TEST

/* What only the sampler refuses; afterwards another fit goes its own way. */
START_TEST(a_fit_that_its_sampler_refuses_changes_nothing)
{
    static const struct {
        const char *sampler, *negatives, *rule;
        int32_t status;
    } cases[] = {{"uniform", "41", "negatives = 41 are more than the 40 items", SEQREC_E_RANGE},
                 {"host", "3", "sampler = host needs a function", SEQREC_E_STATE},
                 {"weights", "3", "sampler = weights needs weights", SEQREC_E_STATE}};
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    const world_options changes = {"user_embedding", "added", "loss", "sampled_softmax", "schedule", "linear",
                                   "sampler", cases[_i].sampler, "negatives", cases[_i].negatives, "valid_every", "0"};
    train_world w = world_open(changes, 0);
    world_checkpoint(&w, "before");
    REFUSED(cases[_i].status, cases[_i].rule, seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    world_checkpoint(&w, "after");
    ck_assert(world_same("before", "after"));
    ck_assert_int_eq(seqrec_items_count(w.model), 0);
    EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "sampler", "uniform", &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "negatives", "3", &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "epochs", "5", &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, w.data, &how, NULL, &api.error));
    world_close(&w);
}
END_TEST

/* Two trainers of one model: what it says it was trained with is of one of them, never a mixture that no trainer takes. */
START_TEST(a_model_of_two_trainers_says_what_one_of_them_was_told)
{
    train_world w = world_open((world_options){"loss", "softmax", "schedule", "cosine"}, 0);
    seqrec_trainer *other = NULL;
    seqrec_config *config = NULL;
    seqrec_model *back = NULL;
    EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &config, &api.error));
    world_set(&w, (world_options){"loss", "bce", "schedule", "constant", "warmup_steps", "1000", NULL});
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &other, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "label_smoothing", "0.1", &api.error));
    if (_i) world_fit(&w, NULL);
    world_save(&w, "both");
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("both"), &back, &api.error));
    seqrec_config_release(config);
    EXPECT(SEQREC_OK, seqrec_model_config(back, &config, &api.error));
    seqrec_trainer_release(other);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, config, &other, &api.error));
    seqrec_trainer_release(other);
    seqrec_config_release(config);
    seqrec_model_release(back);
    world_close(&w);
}
END_TEST

/* As if the event had not been there, also where another item has its number by now. */
START_TEST(an_event_whose_item_is_removed_while_it_waits_is_passed_over)
{
    const int64_t offsets[] = {0, 4}, with[] = {1, 7, 2, 3}, without[] = {1, 2, 3}, gone = 7;
    const float vector[WORLD_WIDTH] = {.5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f};
    seqrec_step_stats all[2];
    for (int32_t removed = 0; removed < 2; removed++) {
        train_world w = open_with_items((world_options){"accumulate", "2", "item_updates", "lazy"});
        const seqrec_batch first = {.struct_size = sizeof first, .sequences = 1, .offsets = removed ? offsets : (int64_t[]){0, 3},
                                    .items = removed ? with : without};
        const seqrec_batch second = {.struct_size = sizeof second, .sequences = 1, .offsets = (int64_t[]){0, 3}, .items = without};
        all[removed].struct_size = sizeof *all;
        EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, &first, NULL, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_remove(w.model, &gone, 1, &api.error));
        if (_i) EXPECT(SEQREC_OK, seqrec_items_put(w.model, &gone, 1, vector, &api.error));
        EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, &second, &all[removed], &api.error));
        world_close(&w);
    }
    ck_assert_int_eq(all[1].targets, 4);
    ck_assert_int_eq(all[0].targets, 4);
    ck_assert_double_eq(all[0].loss, all[1].loss);
}
END_TEST

START_TEST(without_a_step_there_are_no_best_weights)
{
    host_batch b;
    train_world w = open_with_items(NULL);
    REFUSED(SEQREC_E_STATE, "no step", seqrec_trainer_publish_best(w.trainer, &api.error));
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_trainer_publish_best(w.trainer, &api.error));
    world_save(&w, "best");
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    world_save(&w, "last");
    ck_assert(world_same("best", "last"));
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

START_TEST(a_model_full_of_the_hosts_notes_is_fitted_saved_and_loaded)
{
    char key[16];
    train_world w = world_open(NULL, 0);
    for (int i = 0; i < 64; i++) {
        snprintf(key, sizeof key, "%d", i);
        EXPECT(SEQREC_OK, seqrec_model_set_note(w.model, key, "of the host", &api.error));
    }
    world_fit(&w, NULL);
    ck_assert_str_eq(note_of(w.model, "epochs"), "3");
    world_checkpoint(&w, "state");
    world_load(&w, "state");
    ck_assert_str_eq(note_of(w.model, "epochs"), "3");
    ck_assert_str_eq(note_of(w.model, "63"), "of the host");
    REFUSED(SEQREC_E_RANGE, "64", seqrec_model_set_note(w.model, "another", "", &api.error));
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

START_TEST(adding_an_item_leaves_the_mean_of_the_others)
{
    const int64_t id = 500;
    train_world w = world_open((world_options){"average_epochs", "50", "valid_every", "0"}, 0);
    world_fit_steps(&w, 10);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, &id, 1, NULL, &api.error));
    world_fit(&w, NULL);
    ck_assert(!publishes_the_last(&w));
    world_close(&w);
}
END_TEST

static int32_t fit_one_epoch(const train_world *w)
{
    world_stopper stopper = {.stop_at = 1};
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = world_stop_epoch, .epoch_context = &stopper};
    return world_fit(w, &how).cancelled;
}

START_TEST(the_mean_of_a_row_that_comes_late_begins_with_it)
{
    enum { LATE = 2, USUAL = 1 };
    const int64_t late = LATE;
    for (int saved = 0; saved < 2; saved++) {
        float mean[3][WORLD_WIDTH], last[3][WORLD_WIDTH], both[WORLD_WIDTH];
        train_world w = world_open((world_options){"average_epochs", "50", "epochs", "9", "valid_every", "0"}, 0);
        for (int e = 0; e < 4; e++) ck_assert_int_eq(fit_one_epoch(&w), 1);
        EXPECT(SEQREC_OK, seqrec_items_remove(w.model, &late, 1, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_put(w.model, &late, 1, NULL, &api.error));
        for (int e = 0; e < 2; e++) {
            fit_one_epoch(&w);
            world_vector(&w, LATE, mean[e]);
            if (saved) {
                world_checkpoint(&w, "late");
                world_load(&w, "late");
            }
            EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
            world_vector(&w, LATE, last[e]);
            world_vector(&w, USUAL, last[2]);
            EXPECT(SEQREC_OK, seqrec_trainer_publish_best(w.trainer, &api.error));
            world_vector(&w, USUAL, mean[2]);
            ck_assert_mem_ne(mean[2], last[2], sizeof last[2]);
        }
        ck_assert_mem_eq(mean[0], last[0], sizeof mean[0]);
        for (int i = 0; i < WORLD_WIDTH; i++) both[i] = mean[0][i] + 0.5f * (last[1][i] - mean[0][i]);
        ck_assert_mem_eq(mean[1], both, sizeof both);
        world_close(&w);
    }
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

/* Four of eleven items are left, whose ids go up to 11. */
static seqrec_dataset *cut_names(const train_world *w)
{
    seqrec_dataset *all = NULL, *cut = NULL;
    FILE *file = fopen(scratch_path("names"), "w");
    fputs("user,item\nu0,a\nu0,b\nu0,fig\n", file);
    for (int i = 0; i < 5; i++) fprintf(file, "u0,rare%d\n", i);
    for (int u = 0; u < 5; u++) fprintf(file, "u%d,grape\nu%d,honey\nu%d,ice\nu%d,fig\n", u, u, u, u);
    fclose(file);
    EXPECT(SEQREC_OK, seqrec_dataset_read(w->context, scratch_path("names"), NULL, &all, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_kcore(all, 2, 2, &cut, &api.error));
    seqrec_dataset_release(all);
    return cut;
}

START_TEST(names_whose_ids_are_taken_get_ids_that_the_dataset_does_not_use)
{
    static const char *const held[] = {"apple", "bread", "cheese", "dates", "eggs"}, *const added[] = {"fig", "grape", "honey", "ice"};
    const int64_t ids[] = {1, 2, 3, 4, 5}, expected[] = {12, 9, 10, 11};
    int64_t id;
    train_world w = world_open((world_options){"valid_every", "0"}, 0);
    seqrec_dataset *cut = cut_names(&w);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, 5, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_set_names(w.model, ids, held, 5, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, cut, NULL, NULL, &api.error));
    seqrec_dataset_release(cut);
    ck_assert_int_eq(seqrec_items_count(w.model), 9);
    for (int i = 0; i < 4; i++) {
        EXPECT(SEQREC_OK, seqrec_items_find(w.model, added[i], &id, &api.error));
        ck_assert_int_eq(id, expected[i]);
    }
    world_close(&w);
}
END_TEST

/* After the first epoch: removes the first items of the dataset, and puts one with a vector of its own in a freed slot. */
static int32_t change_items(void *context, const seqrec_epoch_stats *stats)
{
    const train_world *w = context;
    const float given[2 * (WORLD_WIDTH + 1)] = {1, 2, 3};
    if (stats->epoch != 1) return 0;
    EXPECT(SEQREC_OK, seqrec_items_remove(w->model, (int64_t[]){1, 2, 3}, 3, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(w->model, (int64_t[]){500}, 1, given, &api.error));
    return 0;
}

static void expect_changed_items(const seqrec_model *model, int64_t count)
{
    float vector[2 * (WORLD_WIDTH + 1)]; /* with a bias */
    ck_assert_int_eq(seqrec_items_count(model), count);
    for (int64_t id = 1; id <= 3; id++) EXPECT(SEQREC_E_NOT_FOUND, seqrec_items_get(model, &id, 1, vector, &api.error));
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

/* ---- Wrong arguments, forked children, failing memory. ---- */

START_TEST(wrong_arguments_are_refused_by_name)
{
    host_batch b;
    train_world w = open_with_items(NULL);
    seqrec_trainer *t = w.trainer, *made = NULL;
    seqrec_model *model = NULL;
    seqrec_error *e = &api.error;
    seqrec_step_stats stats = {.struct_size = sizeof(size_t)};
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
    REFUSED(SEQREC_E_ARGUMENT, "trainer", seqrec_trainer_publish_best(NULL, e));
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
        seqrec_trainer_publish_best(parents.trainer, NULL),
        seqrec_trainer_set(parents.trainer, "seed", "1", NULL),
        seqrec_trainer_set_popularity(parents.trainer, NULL, NULL, 0, NULL),
        seqrec_trainer_set_negatives(parents.trainer, NULL, NULL, NULL),
        seqrec_trainer_fit(parents.trainer, parents.data, NULL, NULL, NULL),
        seqrec_trainer_save(parents.trainer, scratch_path("child"), NULL),
        seqrec_trainer_load(parents.context, scratch_path("state"), &made, &model, NULL),
    };
    world_close(&parents);
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
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
        set(&w, "known_items", "none"); /* they need a fit */
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

static void remember(const train_world *w)
{
    world_save(w, "before");
    world_checkpoint(w, "before.state");
}

static int has_changed(const train_world *w)
{
    world_save(w, "after");
    world_checkpoint(w, "after.state");
    return !world_same("before", "after") || !world_same("before.state", "after.state");
}

/* `call` changes nothing while it fails, and something when it succeeds. */
#define CHANGES_WHEN_IT_SUCCEEDS(w, call)                                                                              \
    do {                                                                                                               \
        remember(w);                                                                                                   \
        EACH_ALLOCATION_FAILS(call, ck_assert(!has_changed(w)), ck_assert(has_changed(w)));                            \
    } while (0)

START_TEST(publishing_and_setting_survive_failing_allocations)
{
    const char *const *const which[] = {
        (world_options){"loss", "sampled_softmax", "sampler", "popularity", "user_embedding", "added"},
        (world_options){"loss", "sampled_softmax", "sampler", "mixed", "logq", "corrected", "item_updates", "lazy"},
        (world_options){"loss", "softmax", "item_updates", "exact"}};
    host_batch b;
    train_world w = open_with_items(which[_i]);
    count_one(&w);
    for (int i = 0; i < 3; i++) step(&w, walk(&b));
    CHANGES_WHEN_IT_SUCCEEDS(&w, seqrec_trainer_publish(w.trainer, &api.error));
    CHANGES_WHEN_IT_SUCCEEDS(&w, seqrec_trainer_set(w.trainer, "negatives", "5", &api.error));
    CHANGES_WHEN_IT_SUCCEEDS(
        &w, seqrec_trainer_set_popularity(w.trainer, (int64_t[]){3, 20}, (double[]){2, 5}, 2, &api.error));
    step(&w, &b.view);
    world_close(&w);
}
END_TEST

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
    static const int which[] = {4, 7, RECIPES - 3};
    const char *const *changes = recipes[which[_i]];
    int64_t failing = 0;
    train_world whole = open_for_fit(changes);
    world_save(&whole, "before");
    EXPECT(SEQREC_OK, fit_call(&whole));
    world_save(&whole, "whole");
    rename(scratch_path("run"), scratch_path("whole.state"));
    world_close(&whole);
    for (int done = 0; !done; failing += failing < 100 ? 1 : 5 + failing % 4) { /* later ones repeat, epoch by epoch */
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

/* ---- Options that are not read. ---- */

/* Another value than the usual one that the option may have. */
static const char *another_value(const seqrec_option_info *option, char out[64])
{
    const double low = option->lowest, initial = strtod(option->initial, NULL);
    const int whole = strcmp(option->kind, "integer") == 0;
    if (strcmp(option->kind, "boolean") == 0) return strcmp(option->initial, "true") == 0 ? "false" : "true";
    if (strcmp(option->kind, "choice") == 0) {
        const char *from = option->choices;
        if (strncmp(from, option->initial, strlen(option->initial)) == 0) from = strchr(from, '|') + 1;
        snprintf(out, 64, "%.*s", (int)strcspn(from, "|"), from);
        return out;
    }
    const double value = low != initial ? low : whole ? low + 1 : low + 0.5 * (option->highest < 1 ? option->highest - low : 1);
    snprintf(out, 64, "%.17g", value);
    return out;
}

/* User vectors and items after a fit with one option changed, where what it needs does not hold: of what only losses with negatives read, by
 * the full softmax; of validation, without. */
static void fitted_with(const char *name, const char *value, const char *needs, float *vectors, float *rows)
{
    train_world w = world_open((world_options){"loss", strncmp(needs, "loss=bce", 8) == 0 ? "softmax" : "bce", "valid_every",
                                               strncmp(needs, "valid_every", 11) == 0 ? "0" : "1", "metric_kind",
                                               strncmp(needs, "metric_kind", 11) == 0 ? "mrr" : "ndcg", "epochs", "3", name, value}, 0);
    host_batch b;
    int64_t ids[40];
    for (int i = 0; i < 40; i++) ids[i] = i + 1;
    world_fit(&w, NULL);
    EXPECT(SEQREC_OK, seqrec_encode(w.model, walk(&b), NULL, vectors, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(w.model, ids, ITEMS, rows, &api.error));
    world_close(&w);
}

START_TEST(options_that_are_said_not_to_be_read_change_nothing)
{
    float vectors[2][SEQUENCES * WORLD_WIDTH], rows[2][ITEMS * WORLD_WIDTH];
    seqrec_option_info option = {.struct_size = sizeof option};
    char room[64];
    int asked = 0;
    for (int32_t i = 0; seqrec_option_describe(i, &option) == SEQREC_OK; i++) {
        if (!option.needs) continue;
        fitted_with(option.name, another_value(&option, room), option.needs, vectors[0], rows[0]);
        fitted_with("seed", "42", option.needs, vectors[1], rows[1]);
        ck_assert_msg(memcmp(vectors[0], vectors[1], sizeof vectors[0]) == 0 && memcmp(rows[0], rows[1], sizeof rows[0]) == 0,
                      "%s = %s changes a model although it needs %s", option.name, another_value(&option, room), option.needs);
        asked++;
    }
    ck_assert_int_gt(asked, 30);
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
    tcase_add_test(tests, options_of_the_model_cannot_be_changed_on_a_trainer);
    tcase_add_test(tests, an_option_set_on_a_trainer_holds_from_the_next_step_and_is_stored);
    tcase_add_test(tests, a_trainer_whose_options_are_not_the_models_is_refused);
    tcase_add_test(tests, popular_negatives_need_counts);
    tcase_add_test(tests, an_item_whose_vector_is_changed_keeps_its_count);
    tcase_add_test(tests, a_fit_whose_items_are_changed_goes_on_as_one_that_stopped_there);
    tcase_add_test(tests, counts_that_cannot_be_are_refused_and_leave_those_before);
    tcase_add_test(tests, items_come_and_go_between_steps);
    suite_add_tcase(suite, tests);
}

static void add_fits(Suite *suite)
{
    TCase *tests = tcase_create("fits");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, any_number_of_threads_fits_the_same_bits, 0, RECIPES);
    tcase_add_test(tests, the_loss_of_an_epoch_is_the_weighted_mean_however_its_users_are_batched);
    tcase_add_test(tests, windows_in_steps_cover_whole_histories);
    tcase_add_test(tests, prefixes_in_steps_have_the_targets_of_windows_in_steps);
    tcase_add_test(tests, windows_that_hold_all_events_need_no_steps);
    tcase_add_test(tests, steps_that_leave_gaps_are_refused);
    tcase_add_loop_test(tests, the_weights_of_the_best_epoch_are_published, 0, sizeof metrics / sizeof *metrics);
    tcase_add_test(tests, another_metric_begins_the_search_for_the_best_anew);
    tcase_add_test(tests, a_cut_off_that_the_metric_does_not_read_leaves_the_best_as_it_is);
    tcase_add_test(tests, without_validation_a_fit_goes_on_and_publishes_the_last_weights);
    tcase_add_test(tests, patience_ends_a_fit_that_no_longer_improves);
    tcase_add_test(tests, without_validation_the_last_weights_are_published);
    tcase_add_test(tests, the_epoch_callback_ends_a_fit_in_good_order);
    tcase_add_loop_test(tests, a_fit_that_failed_leaves_its_best_weights_to_be_published, 0, 4);
    tcase_add_test(tests, after_a_loss_that_is_not_finite_the_best_weights_are_those_before);
    tcase_add_loop_test(tests, a_fit_that_is_refused_changes_nothing, 0, 2);
    tcase_add_loop_test(tests, a_fit_that_its_sampler_refuses_changes_nothing, 0, 3);
    tcase_add_loop_test(tests, rows_that_dropout_empties_do_not_end_a_training, 0, 2);
    tcase_add_loop_test(tests, a_model_of_two_trainers_says_what_one_of_them_was_told, 0, 2);
    tcase_add_loop_test(tests, an_event_whose_item_is_removed_while_it_waits_is_passed_over, 0, 2);
    tcase_add_test(tests, without_a_step_there_are_no_best_weights);
    tcase_add_test(tests, a_fit_notes_what_it_trained_on_in_the_model_and_in_every_checkpoint);
    tcase_add_test(tests, a_model_full_of_the_hosts_notes_is_fitted_saved_and_loaded);
    tcase_add_test(tests, a_checkpoint_in_the_middle_of_a_fit_says_what_it_saw);
    tcase_add_test(tests, a_trainer_stays_with_its_data_and_split);
    tcase_add_test(tests, adding_an_item_leaves_the_mean_of_the_others);
    tcase_add_test(tests, the_mean_of_a_row_that_comes_late_begins_with_it);
    tcase_add_test(tests, removed_items_of_the_dataset_are_added_again);
    tcase_add_test(tests, names_whose_ids_are_taken_get_ids_that_the_dataset_does_not_use);
    tcase_add_loop_test(tests, items_may_come_and_go_during_a_fit, 0, RECIPES);
    tcase_add_loop_test(tests, even_all_items_may_go_during_a_fit, 0, RECIPES);
    tcase_add_test(tests, options_that_are_said_not_to_be_read_change_nothing);
    suite_add_tcase(suite, tests);
}

static void add_failures(Suite *suite)
{
    TCase *tests = tcase_create("failures");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_test(tests, a_forked_child_is_refused_but_may_release);
    tcase_add_loop_test(tests, publishing_and_setting_survive_failing_allocations, 0, 3);
    tcase_add_loop_test(tests, a_step_whose_memory_fails_changes_nothing_and_can_be_repeated, 0, RECIPES);
    tcase_add_loop_test(tests, a_fit_whose_memory_fails_shows_nothing_and_goes_on_when_called_again, 0, 3);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_train");
    add_steps(suite);
    add_fits(suite);
    add_failures(suite);
    return run_suite(suite);
}
