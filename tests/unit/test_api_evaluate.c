/* unit: evaluation, its reports and the synthetic generator through the public interface. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include "run_suite.h"
#include "train_world.h"

static seqrec_report *evaluate(const train_world *w, const seqrec_dataset *data, const seqrec_evaluation *how)
{
    seqrec_report *report = NULL;
    EXPECT(SEQREC_OK, seqrec_evaluate(w->context, w->model, data, how, &report, &api.error));
    return report;
}

static double figure(const seqrec_report *report, const char *row, const char *metric)
{
    double value = NAN;
    EXPECT(SEQREC_OK, seqrec_report_get(report, row, metric, &value, NULL, NULL, &api.error));
    return value;
}

/* A model fitted to the data of `w` under `split`. */
static train_world open_fitted(const char *split)
{
    const seqrec_fit how = {.struct_size = sizeof how, .split = split};
    train_world w = world_open(NULL, 0);
    world_fit(&w, &how);
    return w;
}

/* ---- Protocols. ---- */

START_TEST(a_protocols_sentence_begins_with_its_name)
{
    static const char *const names[] = {"E1", "E2", "E3", "E4", "E5", "E9"};
    train_world w = open_fitted(NULL);
    seqrec_dataset *data = in_step(&w);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char begin[8];
        const seqrec_evaluation how = {
            .struct_size = sizeof how, .protocol = names[i], .division = i == 5 ? BY_TIME : NULL, .bootstrap = -1};
        seqrec_report *report = evaluate(&w, data, &how);
        snprintf(begin, sizeof begin, "%s: ", names[i]);
        ck_assert_msg(strncmp(seqrec_report_protocol(report), begin, 4) == 0, "%s", seqrec_report_protocol(report));
        ck_assert_double_gt(figure(report, "model", "users"), 0);
        const double hr1 = figure(report, "model", "hr@1"), hr20 = figure(report, "model", "hr@20");
        ck_assert(hr1 >= 0 && hr1 <= hr20 && hr20 <= 1);
        seqrec_report_release(report);
    }
    seqrec_report *plain = evaluate(&w, w.data, NULL);
    ck_assert_ptr_eq(strstr(seqrec_report_protocol(plain), "E4: full ranking, history filtered, ties by expectation"),
                     seqrec_report_protocol(plain));
    seqrec_report_release(plain);
    ck_assert_ptr_nonnull(seqrec_report_protocol(NULL));
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

START_TEST(what_cannot_be_evaluated_is_refused_by_name)
{
    const struct {
        int32_t status;
        seqrec_evaluation how;
        const char *hint;
    } rows[] = {
        {SEQREC_E_UNSUPPORTED, {.protocol = "E7"}, "E1, E2, E3, E4, E5, E9"},
        {SEQREC_E_UNSUPPORTED, {.split = "train"}, "train"},
        {SEQREC_E_UNSUPPORTED, {.division = "halves"}, "halves"},
        {SEQREC_E_FORMAT, {.division = "time:1"}, "time:1"},
        {SEQREC_E_ARGUMENT, {.division = "time:2:1"}, "time:2:1"},
        {SEQREC_E_ARGUMENT, {.protocol = "E9"}, "division by time"},
        {SEQREC_E_ARGUMENT, {.division = "none"}, "test event"},
        {SEQREC_E_RANGE, {.cutoffs = (int64_t[]){5, 0}, .cutoff_count = 2}, "cut-off 0"},
        {SEQREC_E_RANGE, {.cutoffs = (int64_t[]){5}, .cutoff_count = -1}, "-1"},
        {SEQREC_E_ARGUMENT, {.cutoff_count = 2}, "cutoffs"},
        {SEQREC_E_RANGE, {.bootstrap = -2}, "bootstrap = -2"},
    };
    seqrec_report *report = NULL;
    train_world w = world_open(NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seqrec_evaluation how = rows[i].how;
        how.struct_size = sizeof how;
        REFUSED(rows[i].status, rows[i].hint, seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    }
    ck_assert_ptr_null(report);
    world_close(&w);
}
END_TEST

static const struct {
    const char *trained, *asked;
    int32_t status;
} divisions[] = {
    {"leave-one-out", NULL, SEQREC_OK},
    {"leave-one-out", "leave-one-out", SEQREC_OK},
    {"leave-one-out", BY_TIME, SEQREC_E_STATE},
    {"none", NULL, SEQREC_E_STATE},
    {"none", "leave-one-out", SEQREC_E_STATE},
    {"none", BY_TIME, SEQREC_E_STATE},
    {BY_TIME, NULL, SEQREC_OK},
    {BY_TIME, BY_TIME, SEQREC_OK},
    {BY_TIME, "time:550:751", SEQREC_E_STATE},
    {BY_TIME, "leave-one-out", SEQREC_E_STATE},
    {"last:2:5", NULL, SEQREC_OK},
    {"last:2:5", "last:2:5", SEQREC_OK},
    {"last:2:5", "last:3:5", SEQREC_E_STATE},
    {"last:2:5", "last:2:6", SEQREC_E_STATE},
    {"last:2:5", "leave-one-out", SEQREC_E_STATE},
    {"leave-one-out", "last:1:3", SEQREC_OK},
    {"leave-one-out", "last:1:4", SEQREC_E_STATE},
};

START_TEST(events_that_were_trained_on_are_refused_unless_allowed)
{
    train_world w = world_open(NULL, 0);
    seqrec_dataset *data = in_step(&w);
    seqrec_report *report = NULL;
    const seqrec_fit fit = {.struct_size = sizeof fit, .split = divisions[_i].trained};
    seqrec_evaluation how = {.struct_size = sizeof how, .division = divisions[_i].asked, .bootstrap = -1};
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, &fit, NULL, &api.error));
    EXPECT(divisions[_i].status, seqrec_evaluate(w.context, w.model, data, &how, &report, &api.error));
    if (divisions[_i].status != SEQREC_OK) ck_assert_ptr_nonnull(strstr(api.error.message, "allow_trained"));
    ck_assert_int_eq(report != NULL, divisions[_i].status == SEQREC_OK);
    seqrec_report_release(report);
    how.allow_trained = 1;
    seqrec_report_release(evaluate(&w, data, &how));
    how.allow_trained = 0;
    how.division = "leave-one-out";
    seqrec_report_release(evaluate(&w, w.data, &how)); /* other data */
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

START_TEST(what_was_trained_on_is_still_known_after_saving_and_loading)
{
    seqrec_report *report = NULL;
    train_world w = open_fitted("none");
    world_save(&w, "model");
    seqrec_model_release(w.model);
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("model"), &w.model, &api.error));
    REFUSED(SEQREC_E_STATE, "\"none\"", seqrec_evaluate(w.context, w.model, w.data, NULL, &report, &api.error));
    ck_assert_ptr_null(report);
    world_close(&w);
}
END_TEST

/* The events of `w` without the last user's. */
static seqrec_dataset *without_one_user(const train_world *w)
{
    enum { MOST = 1000 };
    static int64_t offsets[MOST], ids[MOST];
    seqrec_dataset *made = NULL;
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    EXPECT(SEQREC_OK, seqrec_dataset_describe(w->data, &facts, &api.error));
    for (int64_t u = 0; u < facts.users - 1; u++) {
        const int64_t *items;
        int64_t count;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, NULL, &items, NULL, &count, &api.error));
        offsets[u + 1] = offsets[u] + count;
        memcpy(ids + offsets[u], items, (size_t)count * sizeof *ids);
    }
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = facts.users - 1, .offsets = offsets, .items = ids};
    EXPECT(SEQREC_OK, seqrec_dataset_create(w->context, &batch, &made, &api.error));
    return made;
}

START_TEST(a_changed_copy_of_the_training_data_is_evaluated_with_a_warning)
{
    char hash[32];
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1, .division = "leave-one-out"};
    train_world w = open_fitted("none");
    seqrec_dataset *changed = without_one_user(&w);
    seqrec_report *report = evaluate(&w, changed, &how);
    EXPECT(SEQREC_OK, seqrec_model_note(w.model, "data_hash", hash, sizeof hash, NULL, &api.error));
    ck_assert_ptr_nonnull(seqrec_report_warning(report, 0));
    ck_assert_ptr_nonnull(strstr(seqrec_report_warning(report, 0), hash));
    ck_assert_ptr_null(seqrec_report_warning(report, 1));
    ck_assert_ptr_null(seqrec_report_warning(report, -1));
    seqrec_report_release(report);
    seqrec_dataset_release(changed);
    world_close(&w);
}
END_TEST

START_TEST(on_its_own_data_and_without_a_training_there_is_no_warning)
{
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1, .baselines = 1};
    train_world w = open_fitted(NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    ck_assert_ptr_null(seqrec_report_warning(report, 0));
    ck_assert_ptr_null(seqrec_report_warning(NULL, 0));
    seqrec_report_release(report);
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, NULL, w.data, &how, &report, &api.error));
    ck_assert_ptr_null(seqrec_report_warning(report, 0));
    seqrec_report_release(report);
    EXPECT(SEQREC_OK, seqrec_model_set_note(w.model, "data_hash", NULL, &api.error));
    report = evaluate(&w, w.data, &how);
    ck_assert_ptr_null(seqrec_report_warning(report, 0));
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

/* ---- Reports. ---- */

START_TEST(a_report_lists_what_it_has)
{
    double value;
    const seqrec_evaluation how = {.struct_size = sizeof how,
                                   .cutoffs = (int64_t[]){10, 3, 10},
                                   .cutoff_count = 3,
                                   .baselines = 1,
                                   .bootstrap = -1};
    static const char *const metrics[] = {"users", "hr@3",       "hr@10",       "ndcg@3", "ndcg@10",
                                          "mrr",   "coverage@3", "coverage@10", "gini@3", "gini@10"};
    static const char *const rows[] = {"model", "popularity", "markov"};
    train_world w = open_fitted(NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    for (int r = 0; r < 3; r++) {
        for (int32_t i = 0; i < 10; i++) {
            ck_assert_str_eq(seqrec_report_metric(report, rows[r], i), metrics[i]);
            ck_assert(isfinite(figure(report, rows[r], metrics[i])));
        }
        ck_assert_ptr_null(seqrec_report_metric(report, rows[r], 10));
        ck_assert_ptr_null(seqrec_report_metric(report, rows[r], -1));
    }
    ck_assert_ptr_null(seqrec_report_metric(report, "oracle", 0));
    REFUSED(SEQREC_E_NOT_FOUND, "model, popularity, markov",
            seqrec_report_get(report, "oracle", "mrr", &value, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "users, hr@3, hr@10, ndcg@3, ndcg@10, mrr",
            seqrec_report_get(report, "model", "hr@5", &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

START_TEST(intervals_hold_their_value_and_are_absent_when_not_asked_for)
{
    double value, low, high;
    seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = 200, .seed = 3};
    train_world w = open_fitted(NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "mrr", &value, &low, &high, &api.error));
    ck_assert(low < value && value < high);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "coverage@10", &value, &low, &high, &api.error));
    ck_assert(low < value && value < high);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "users", &value, &low, &high, &api.error));
    ck_assert(isnan(low) && isnan(high));
    seqrec_report_release(report);
    how.bootstrap = -1;
    report = evaluate(&w, w.data, &how);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "mrr", &value, &low, &high, &api.error));
    ck_assert(isnan(low) && isnan(high) && value > 0);
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

START_TEST(without_a_model_there_are_the_baselines)
{
    seqrec_report *report = NULL;
    double value;
    train_world w = world_open(NULL, 0);
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, NULL, w.data, NULL, &report, &api.error));
    ck_assert_double_gt(figure(report, "markov", "hr@10"), figure(report, "popularity", "hr@1"));
    REFUSED(SEQREC_E_NOT_FOUND, "it has popularity, markov",
            seqrec_report_get(report, "model", "mrr", &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_figures)
{
    const seqrec_evaluation how = {.struct_size = sizeof how, .protocol = _i ? "E3" : "E4", .baselines = 1};
    static const char *const rows[] = {"model", "popularity", "markov"};
    seqrec_report *reports[2] = {NULL, NULL};
    train_world worlds[2];
    for (int k = 0; k < 2; k++) {
        worlds[k] = world_open(NULL, 3 * k);
        world_fit(&worlds[k], NULL);
        reports[k] = evaluate(&worlds[k], worlds[k].data, &how);
    }
    for (int r = 0; r < 3; r++) expect_same_row(reports[0], reports[1], rows[r]);
    for (int k = 0; k < 2; k++) {
        seqrec_report_release(reports[k]);
        world_close(&worlds[k]);
    }
}
END_TEST

static int32_t stop_evaluation(void *context, const char *stage, int64_t done, int64_t total)
{
    ck_assert_str_eq(stage, "evaluate");
    ck_assert(done >= 0 && done <= total);
    return ++*(int *)context == 1;
}

START_TEST(the_progress_callback_cancels_an_evaluation)
{
    int calls = 0;
    seqrec_report *report = NULL;
    seqrec_evaluation how = {.struct_size = sizeof how, .progress = stop_evaluation, .progress_context = &calls};
    train_world w = open_fitted(NULL);
    EXPECT(SEQREC_E_CANCELLED, seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    ck_assert_int_eq(calls, 1);
    seqrec_report_release(evaluate(&w, w.data, &how));
    ck_assert_int_gt(calls, 1);
    world_close(&w);
}
END_TEST

/* ---- Beyond ranking, chosen users, two models. ---- */

START_TEST(metrics_beyond_ranking_and_groups_come_when_asked_for)
{
    static const char *const metrics[] = {"nll",         "confidence",   "ece",         "ece_mass",      "novelty@10",
                                          "diversity@5", "differ_last1", "apart_last3", "apart_popular", "pairs_last2"};
    double value, low, high;
    seqrec_evaluation how = {.struct_size = sizeof how, .baselines = 1, .bootstrap = 50};
    train_world w = open_fitted(NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    REFUSED(SEQREC_E_NOT_FOUND, "gini@20", seqrec_report_get(report, "model", "nll", &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    how.beyond = how.breakdown = 1;
    report = evaluate(&w, w.data, &how);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        EXPECT(SEQREC_OK, seqrec_report_get(report, "model", metrics[i], &value, NULL, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "nll", &value, &low, &high, &api.error));
    ck_assert(0 < low && low < value && value < high);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "ece", &value, &low, &high, &api.error));
    ck_assert(0 <= low && low <= value && value <= high && high <= 1);
    ck_assert(isnan(figure(report, "markov", "nll")));
    ck_assert_double_eq(figure(report, "popularity", "apart_popular"), 0);
    double users = 0;
    for (int i = 1; i <= 10; i++) {
        char row[40];
        snprintf(row, sizeof row, "model/decile-%d", i);
        users += figure(report, row, "users");
    }
    ck_assert_double_eq(users, figure(report, "model", "users"));
    ck_assert_double_eq(figure(report, "markov/cold", "users") + figure(report, "markov/warm", "users"), users);
    seqrec_report_release(report);
    report = NULL;
    how.protocol = "E3";
    REFUSED(SEQREC_E_UNSUPPORTED, "E4, E5 or E9",
            seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    world_close(&w);
}
END_TEST

START_TEST(only_chosen_users_are_evaluated_when_there_are_some)
{
    int64_t ids[3] = {0};
    double value;
    train_world w = open_fitted(NULL);
    seqrec_report *report = NULL;
    seqrec_evaluation how = {.struct_size = sizeof how, .users = ids, .user_count = 3, .bootstrap = -1};
    for (int64_t u = 0; u < 3; u++)
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w.data, 5 * u, &ids[u], NULL, NULL, NULL, &api.error));
    report = evaluate(&w, w.data, &how);
    ck_assert_double_eq(figure(report, "model", "users"), 3);
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), "only 3 chosen users"));
    seqrec_report_release(report);
    report = NULL;
    ids[1] = 123456789;
    REFUSED(SEQREC_E_NOT_FOUND, "123456789", seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    /* A host of the first release does not know the field. */
    how.struct_size = offsetof(seqrec_evaluation, users);
    report = evaluate(&w, w.data, &how);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "users", &value, NULL, NULL, &api.error));
    ck_assert_double_gt(value, 3);
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

START_TEST(two_models_are_compared_on_the_same_users)
{
    double value, low, high;
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = 500, .beyond = 1};
    train_world a = world_open(NULL, 0), b = world_open((const char *const[]){"epochs", "12", NULL}, 3);
    world_fit(&a, NULL);
    world_fit(&b, NULL);
    seqrec_report *report = NULL, *alone = evaluate(&a, a.data, &how);
    EXPECT(SEQREC_OK, seqrec_compare(a.context, a.model, b.model, a.data, &how, &report, &api.error));
    ck_assert_double_eq(figure(report, "a", "ndcg@10"), figure(alone, "model", "ndcg@10"));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "difference", "ndcg@10", &value, &low, &high, &api.error));
    ck_assert_double_eq(value, figure(report, "a", "ndcg@10") - figure(report, "b", "ndcg@10"));
    ck_assert(low < value && value < high);
    ck_assert(figure(report, "p", "ndcg@10") > 0 && figure(report, "p", "ndcg@10") <= 1);
    ck_assert_double_eq(figure(report, "wins", "mrr") + figure(report, "losses", "mrr") + figure(report, "ties", "mrr"),
                        figure(report, "a", "users"));
    seqrec_report_release(report);
    seqrec_report_release(alone);
    report = NULL;
    const seqrec_evaluation wrong = {.struct_size = sizeof wrong, .baselines = 1};
    REFUSED(SEQREC_E_ARGUMENT, "baselines",
            seqrec_compare(a.context, a.model, b.model, a.data, &wrong, &report, &api.error));
    ck_assert_ptr_null(report);
    world_close(&a);
    world_close(&b);
}
END_TEST

/* Lists that are the whole catalogue have the same novelty and diversity in whatever order they are summed. */
START_TEST(lists_of_the_same_items_are_ties)
{
    static const char *const figures[] = {"novelty", "diversity"};
    train_world a = world_open(NULL, 0), b = world_open((const char *const[]){"epochs", "12", NULL}, 0);
    world_fit(&a, NULL);
    world_fit(&b, NULL);
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    EXPECT(SEQREC_OK, seqrec_dataset_describe(a.data, &stats, &api.error));
    const seqrec_evaluation how = {.struct_size = sizeof how, .protocol = "E5", .bootstrap = 300, .beyond = 1, .cutoffs = &stats.items, .cutoff_count = 1};
    seqrec_report *report = NULL;
    EXPECT(SEQREC_OK, seqrec_compare(a.context, a.model, a.model, a.data, &how, &report, &api.error));
    seqrec_report_release(report);
    EXPECT(SEQREC_OK, seqrec_compare(a.context, a.model, b.model, a.data, &how, &report, &api.error));
    for (int f = 0; f < 2; f++) {
        char name[32];
        snprintf(name, sizeof name, "%s@%d", figures[f], (int)stats.items);
        ck_assert_double_eq(figure(report, "ties", name), figure(report, "a", "users"));
        ck_assert_double_eq(figure(report, "difference", name), 0);
        ck_assert_double_eq(figure(report, "p", name), 1);
    }
    seqrec_report_release(report);
    world_close(&a);
    world_close(&b);
}
END_TEST

START_TEST(flags_are_0_or_1)
{
    const seqrec_evaluation wrong[] = {{.struct_size = sizeof *wrong, .baselines = 2},      {.struct_size = sizeof *wrong, .beyond = -5},
                                       {.struct_size = sizeof *wrong, .breakdown = 77},     {.struct_size = sizeof *wrong, .allow_trained = -7},
                                       {.struct_size = sizeof *wrong, .instant_sets = 2},   {.struct_size = sizeof *wrong, .hide_request_time = 3}};
    train_world w = world_open(NULL, 0);
    seqrec_report *report = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        REFUSED(SEQREC_E_RANGE, "is neither 0 nor 1", seqrec_evaluate(w.context, w.model, w.data, &wrong[i], &report, &api.error));
    ck_assert_ptr_null(report);
    world_close(&w);
}
END_TEST

START_TEST(what_a_report_has_not_is_told_with_what_it_has)
{
    const seqrec_evaluation how = {.struct_size = sizeof how, .baselines = 1, .breakdown = 1, .beyond = 1};
    double value;
    train_world w = world_open(NULL, 0);
    world_fit(&w, NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    REFUSED(SEQREC_E_NOT_FOUND, "it has model, popularity, markov, model/decile-1, ", seqrec_report_get(report, "x", "mrr", &value, NULL, NULL, &api.error));
    ck_assert(strstr(api.error.message, ", ...") != NULL);
    REFUSED(SEQREC_E_NOT_FOUND, ", ...", seqrec_report_get(report, "model", "x", &value, NULL, NULL, &api.error));
    seqrec_report_release(report);
    world_close(&w);
}
END_TEST

/* Gives the model the items of its data but the first user's target. */
static void put_all_but_a_target(const train_world *w)
{
    const int64_t *events;
    int64_t ids[64], n, items, kept = 0;
    EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, 0, NULL, &events, NULL, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_items(w->data, ids, 64, &items, &api.error));
    for (int64_t i = 0; i < items; i++)
        if (ids[i] != events[n - 1]) ids[kept++] = ids[i];
    EXPECT(SEQREC_OK, seqrec_items_put(w->model, ids, kept, NULL, &api.error));
}

START_TEST(an_infinite_likelihood_is_compared_without_nan)
{
    double value, low, high;
    const seqrec_evaluation how = {.struct_size = sizeof how, .beyond = 1, .bootstrap = 400, .division = "leave-one-out"};
    train_world w = world_open(NULL, 0), whole = world_open(NULL, 0);
    put_all_but_a_target(&w);
    world_fit(&whole, NULL);
    seqrec_report *report = evaluate(&w, w.data, &how);
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "nll", &value, &low, &high, &api.error));
    ck_assert_double_eq(value, INFINITY);
    ck_assert(low > 0 && high == INFINITY);
    seqrec_report_release(report);
    EXPECT(SEQREC_OK, seqrec_compare(w.context, w.model, w.model, w.data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "difference", "nll", &value, &low, &high, &api.error));
    ck_assert(value == 0 && low == 0 && high == 0);
    ck_assert_double_eq(figure(report, "p", "nll"), 1);
    seqrec_report_release(report);
    seqrec_evaluation mixed = how;
    mixed.allow_trained = 1;
    EXPECT(SEQREC_OK, seqrec_compare(w.context, whole.model, w.model, w.data, &mixed, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "difference", "nll", &value, &low, &high, &api.error));
    ck_assert(value == -INFINITY && low == -INFINITY && !isnan(high));
    ck_assert_double_le(figure(report, "p", "nll"), 1);
    seqrec_report_release(report);
    world_close(&w);
    world_close(&whole);
}
END_TEST

START_TEST(models_that_saw_different_events_are_not_compared_unless_allowed)
{
    static const char *const splits[][2] = {
        {NULL, BY_TIME}, {NULL, "none"}, {"none", "none"}, {BY_TIME, "time:550:751"}};
    seqrec_report *report = NULL;
    seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1, .division = "leave-one-out"};
    train_world a = world_open(NULL, 0), b = world_open(NULL, 0), fresh = world_open(NULL, 0);
    seqrec_dataset *data = in_step(&a);
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        train_world one = world_open(NULL, 0), two = world_open(NULL, 0);
        const seqrec_fit first = {.struct_size = sizeof first, .split = splits[i][0]};
        const seqrec_fit second = {.struct_size = sizeof second, .split = splits[i][1]};
        EXPECT(SEQREC_OK, seqrec_trainer_fit(one.trainer, data, &first, NULL, &api.error));
        EXPECT(SEQREC_OK, seqrec_trainer_fit(two.trainer, data, &second, NULL, &api.error));
        how.allow_trained = 0;
        REFUSED(SEQREC_E_STATE, "allow_trained",
                seqrec_compare(one.context, one.model, two.model, data, &how, &report, &api.error));
        ck_assert_ptr_null(report);
        how.allow_trained = 1;
        EXPECT(SEQREC_OK, seqrec_compare(one.context, one.model, two.model, data, &how, &report, &api.error));
        seqrec_report_release(report);
        report = NULL;
        world_close(&one);
        world_close(&two);
    }
    world_fit(&a, NULL);
    EXPECT(SEQREC_OK, seqrec_trainer_fit(b.trainer, data, NULL, NULL, &api.error));
    how.allow_trained = 0;
    REFUSED(SEQREC_E_STATE, "was trained on data",
            seqrec_compare(a.context, a.model, b.model, a.data, &how, &report, &api.error));
    REFUSED(SEQREC_E_STATE, "model b does not say",
            seqrec_compare(a.context, a.model, fresh.model, a.data, &how, &report, &api.error));
    ck_assert_ptr_null(report);
    EXPECT(SEQREC_OK, seqrec_compare(a.context, fresh.model, fresh.model, a.data, &how, &report, &api.error));
    seqrec_report_release(report);
    seqrec_dataset_release(data);
    world_close(&fresh);
    world_close(&b);
    world_close(&a);
}
END_TEST

/* Compares on `data` and checks that the report has these warnings and no more; a NULL ends them. */
static void check_warnings(const train_world *a, const train_world *b, const seqrec_dataset *data, const char *const *wanted)
{
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1, .division = "leave-one-out", .allow_trained = 1};
    seqrec_report *report = NULL;
    int32_t told = 0;
    EXPECT(SEQREC_OK, seqrec_compare(a->context, a->model, b->model, data, &how, &report, &api.error));
    for (; wanted[told]; told++) {
        const char *warning = seqrec_report_warning(report, told);
        ck_assert_msg(warning && strstr(warning, wanted[told]), "%s is not in: %s", wanted[told], warning ? warning : "nothing");
    }
    ck_assert_msg(!seqrec_report_warning(report, told), "%s", seqrec_report_warning(report, told));
    seqrec_report_release(report);
}

START_TEST(models_of_other_data_are_compared_with_a_warning)
{
    char hash[17], both[64];
    train_world a = open_fitted("none"), b = open_fitted("none");
    seqrec_dataset *changed = without_one_user(&a);
    check_warnings(&a, &b, a.data, (const char *const[]){"model a was trained on this data with split \"none\": events ranked here may have been seen",
                                                         "model b was trained on this data with split \"none\"", NULL});
    EXPECT(SEQREC_OK, seqrec_model_note(a.model, "data_hash", hash, sizeof hash, NULL, &api.error));
    snprintf(both, sizeof both, "both models were trained on data %s", hash);
    check_warnings(&a, &b, changed, (const char *const[]){both, NULL});
    EXPECT(SEQREC_OK, seqrec_model_set_note(b.model, "data_hash", "0123456789abcdef", &api.error));
    check_warnings(&a, &b, a.data, (const char *const[]){"model b was trained on data 0123456789abcdef", "model a was trained on this data", NULL});
    check_warnings(&a, &b, changed, (const char *const[]){"model a was trained on data", "model b was trained on data", NULL});
    EXPECT(SEQREC_OK, seqrec_model_set_note(b.model, "data_hash", NULL, &api.error));
    check_warnings(&a, &b, changed, (const char *const[]){"model a was trained on data", NULL});
    const int64_t item = 2;
    EXPECT(SEQREC_OK, seqrec_items_remove(b.model, &item, 1, &api.error));
    check_warnings(&a, &b, changed, (const char *const[]){"model a was trained on data", "model b lacks 1 of the ", NULL});
    seqrec_dataset_release(changed);
    world_close(&b);
    world_close(&a);
}
END_TEST

START_TEST(where_one_model_notes_no_division_that_of_the_other_is_taken)
{
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1, .allow_trained = 1};
    const seqrec_fit fit = {.struct_size = sizeof fit, .split = BY_TIME};
    train_world noted = world_open(NULL, 0), fresh = world_open(NULL, 0);
    seqrec_dataset *data = in_step(&noted);
    seqrec_report *report = NULL;
    EXPECT(SEQREC_OK, seqrec_trainer_fit(noted.trainer, data, &fit, NULL, &api.error));
    for (int32_t first = 0; first < 2; first++) {
        const seqrec_model *a = first ? noted.model : fresh.model, *b = first ? fresh.model : noted.model;
        EXPECT(SEQREC_OK, seqrec_compare(noted.context, a, b, data, &how, &report, &api.error));
        ck_assert_msg(strstr(seqrec_report_protocol(report), "division by time") != NULL, "%s", seqrec_report_protocol(report));
        seqrec_report_release(report);
        report = NULL;
    }
    EXPECT(SEQREC_OK, seqrec_compare(noted.context, fresh.model, fresh.model, data, &how, &report, &api.error));
    ck_assert_ptr_nonnull(strstr(seqrec_report_protocol(report), "leave-one-out"));
    seqrec_report_release(report);
    seqrec_dataset_release(data);
    world_close(&fresh);
    world_close(&noted);
}
END_TEST

/* ---- Names across files. ---- */

enum { PEOPLE = 12, FRUITS = 10 };
static const char *const fruits[FRUITS] = {"apple", "banana", "cherry", "date", "elder",
                                           "fig",   "grape",  "haw",    "imbe", "jambu"};

/* Everybody's seven fruits, people from `first` on in steps of `by`; more is written behind. */
static seqrec_dataset *read_fruits(const train_world *w, int first, int by, const char *more)
{
    char text[4096];
    int used = 0;
    const seqrec_reader reader = {.struct_size = sizeof reader, .format = "pairs"};
    seqrec_dataset *made = NULL;
    for (int n = 0; n < PEOPLE; n++) {
        const int person = (first + n * by) % PEOPLE;
        for (int e = 0; e < 7; e++)
            used += snprintf(text + used, sizeof text - (size_t)used, "person%d %s\n", person,
                             fruits[(person * 3 + e * (1 + person % 2 * 2)) % FRUITS]);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "%s", more);
    scratch_write("fruits", text, (size_t)used);
    EXPECT(SEQREC_OK, seqrec_dataset_read(w->context, scratch_path("fruits"), &reader, &made, &api.error));
    return made;
}

START_TEST(items_with_names_are_the_same_in_files_that_number_them_otherwise)
{
    const char *one, *two;
    int64_t before, after;
    train_world w = world_open(NULL, 0);
    seqrec_dataset *a = read_fruits(&w, 0, 1, ""), *b = read_fruits(&w, 3, 5, "");
    EXPECT(SEQREC_OK, seqrec_dataset_item_name(a, 1, &one, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_item_name(b, 1, &two, &api.error));
    ck_assert_str_ne(one, two);
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, a, NULL, NULL, &api.error));
    ck_assert_int_eq(seqrec_items_count(w.model), FRUITS);
    seqrec_report *reports[2] = {evaluate(&w, a, NULL), evaluate(&w, b, NULL)};
    const char *metric;
    for (int32_t i = 0; (metric = seqrec_report_metric(reports[0], "model", i)) != NULL; i++)
        ck_assert_double_eq_tol(figure(reports[0], "model", metric), figure(reports[1], "model", metric), 1e-12);
    seqrec_report_release(reports[0]);
    seqrec_report_release(reports[1]);
    EXPECT(SEQREC_OK, seqrec_items_find(w.model, "cherry", &before, &api.error));
    seqrec_dataset_release(b);
    b = read_fruits(&w, 3, 5, "person1 kiwi\nperson2 kiwi\n");
    seqrec_trainer_release(w.trainer);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, b, NULL, NULL, &api.error));
    ck_assert_int_eq(seqrec_items_count(w.model), FRUITS + 1);
    EXPECT(SEQREC_OK, seqrec_items_find(w.model, "cherry", &after, &api.error));
    ck_assert_int_eq(before, after);
    EXPECT(SEQREC_OK, seqrec_items_find(w.model, "kiwi", &after, &api.error));
    for (int i = 0; i < FRUITS; i++) {
        EXPECT(SEQREC_OK, seqrec_items_find(w.model, fruits[i], &before, &api.error));
        ck_assert_int_ne(before, after);
    }
    seqrec_dataset_release(a);
    seqrec_dataset_release(b);
    world_close(&w);
}
END_TEST

START_TEST(a_resumed_fit_finds_the_items_by_name)
{
    train_world w = world_open(NULL, 0);
    for (int half = 0; half < 2; half++) {
        world_stopper stopper = {.stop_at = half ? 0 : 3};
        const seqrec_fit how = {
            .struct_size = sizeof how, .progress = world_stop_progress, .progress_context = &stopper};
        seqrec_dataset *data = read_fruits(&w, 0, 1, "");
        EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, &how, NULL, &api.error));
        seqrec_dataset_release(data);
        world_checkpoint(&w, "state");
        world_load(&w, "state");
        ck_assert_int_eq(seqrec_items_count(w.model), FRUITS);
    }
    world_close(&w);
}
END_TEST

/* ---- The generator. ---- */

static uint64_t hash_of(const train_world *w, const seqrec_synth *synth)
{
    seqrec_dataset *made = NULL;
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(w->context, synth, &made, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_describe(made, &facts, &api.error));
    seqrec_dataset_release(made);
    return facts.hash;
}

START_TEST(the_generator_repeats_itself_and_follows_its_seed)
{
    seqrec_synth synth = world_synth();
    train_world w = world_open(NULL, 0);
    const uint64_t first = hash_of(&w, &synth);
    ck_assert_uint_eq(hash_of(&w, &synth), first);
    synth.seed++;
    ck_assert_uint_ne(hash_of(&w, &synth), first);
    world_close(&w);
}
END_TEST

START_TEST(no_baseline_beats_the_ceiling)
{
    seqrec_dataset *made = NULL;
    seqrec_report *report = NULL;
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    const seqrec_synth synth = {.struct_size = sizeof synth, .users = 400, .items = 60, .clusters = 4, .longest = 20};
    train_world w = world_open(NULL, 0);
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(w.context, &synth, &made, &ceiling, &api.error));
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, NULL, made, NULL, &report, &api.error));
    ck_assert_int_eq(ceiling.users, 400);
    ck_assert(ceiling.hit10 <= 1 && ceiling.ndcg10 <= ceiling.hit10);
    ck_assert_double_gt(ceiling.hit10, figure(report, "markov", "hr@10"));
    ck_assert_double_gt(ceiling.ndcg10, figure(report, "markov", "ndcg@10"));
    ck_assert_double_gt(ceiling.hit10, figure(report, "popularity", "hr@10"));
    seqrec_report_release(report);
    seqrec_dataset_release(made);
    world_close(&w);
}
END_TEST

START_TEST(a_world_that_cannot_be_is_refused_by_name)
{
    static const struct {
        seqrec_synth synth;
        const char *hint;
    } rows[] = {
        {{.users = -1}, "synth.users = -1"},
        {{.items = 1}, "synth.items = 1"},
        {{.clusters = 501}, "synth.clusters"},
        {{.shortest = 60}, "synth.longest"},
        {{.drift = 1.5}, "synth.drift"},
        {{.markov = -0.1}, "synth.markov"},
        {{.zipf = 11}, "synth.zipf"},
        {{.successors = 65}, "synth.successors"},
        {{.drift = (double)NAN}, "synth.drift"},
        {{.items = 20, .clusters = 20}, "successors"},
        {{.users = INT32_MAX, .longest = INT32_MAX}, "events"},
    };
    seqrec_dataset *made = NULL;
    train_world w = world_open(NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seqrec_synth synth = rows[i].synth;
        synth.struct_size = sizeof synth;
        REFUSED(SEQREC_E_RANGE, rows[i].hint, seqrec_dataset_synthesize(w.context, &synth, &made, NULL, &api.error));
    }
    ck_assert_ptr_null(made);
    world_close(&w);
}
END_TEST

/* ---- Wrong arguments, forked children, failing memory. ---- */

START_TEST(wrong_arguments_are_refused_by_name)
{
    double value;
    train_world w = open_fitted(NULL);
    seqrec_error *e = &api.error;
    seqrec_dataset *made = NULL;
    seqrec_report *report = NULL;
    const seqrec_evaluation how = {.struct_size = offsetof(seqrec_evaluation, users) - 1};
    const seqrec_synth synth = {.struct_size = 8};
    seqrec_ceiling ceiling = {.struct_size = 0};
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_evaluate(NULL, w.model, w.data, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "dataset", seqrec_evaluate(w.context, w.model, NULL, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_evaluate(w.context, w.model, w.data, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "evaluation.struct_size", seqrec_evaluate(w.context, w.model, w.data, &how, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_compare(NULL, w.model, w.model, w.data, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "model a", seqrec_compare(w.context, NULL, w.model, w.data, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "model b", seqrec_compare(w.context, w.model, NULL, w.data, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "dataset", seqrec_compare(w.context, w.model, w.model, NULL, NULL, &report, e));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_compare(w.context, w.model, w.model, w.data, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "evaluation.struct_size",
            seqrec_compare(w.context, w.model, w.model, w.data, &how, &report, e));
    ck_assert_ptr_null(report);
    report = evaluate(&w, w.data, NULL);
    REFUSED(SEQREC_E_ARGUMENT, "report", seqrec_report_get(NULL, "model", "mrr", &value, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "row", seqrec_report_get(report, NULL, "mrr", &value, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "metric", seqrec_report_get(report, "model", NULL, &value, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "value", seqrec_report_get(report, "model", "mrr", NULL, NULL, NULL, e));
    ck_assert_ptr_null(seqrec_report_metric(NULL, "model", 0));
    ck_assert_ptr_null(seqrec_report_metric(report, NULL, 0));
    seqrec_report_release(report);
    seqrec_report_release(NULL);
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_dataset_synthesize(NULL, NULL, &made, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_dataset_synthesize(w.context, NULL, NULL, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "synth.struct_size", seqrec_dataset_synthesize(w.context, &synth, &made, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "ceiling.struct_size", seqrec_dataset_synthesize(w.context, NULL, &made, &ceiling, e));
    ck_assert_ptr_null(made);
    world_close(&w);
}
END_TEST

static train_world parents;
static seqrec_report *parents_report;

static int calls_of_a_child(void)
{
    const int64_t offsets[] = {0, 2}, items[] = {1, 2};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items};
    seqrec_report *report = NULL;
    seqrec_dataset *made = NULL;
    int64_t known_as;
    uint8_t known;
    const int32_t statuses[] = {
        seqrec_dataset_match_items(parents.data, parents.model, items, 1, &known_as, &known, NULL),
        seqrec_evaluate(parents.context, parents.model, parents.data, NULL, &report, NULL),
        seqrec_evaluate(parents.context, NULL, parents.data, NULL, &report, NULL),
        seqrec_compare(parents.context, parents.model, parents.model, parents.data, NULL, &report, NULL),
        seqrec_dataset_synthesize(parents.context, NULL, &made, NULL, NULL),
        seqrec_dataset_create(parents.context, &batch, &made, NULL),
        seqrec_dataset_read(parents.context, "/dev/null", NULL, &made, NULL),
    };
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

/* What needs neither threads nor locks. */
static int reads_of_a_child(void)
{
    double value;
    const int64_t *items;
    int64_t count;
    const char *name;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    seqrec_dataset *made[4] = {NULL};
    const seqrec_dataset *both[] = {parents.data, parents.data};
    const int32_t statuses[] = {
        seqrec_report_get(parents_report, "model", "mrr", &value, NULL, NULL, NULL),
        seqrec_dataset_describe(parents.data, &stats, NULL),
        seqrec_dataset_sequence(parents.data, 0, NULL, &items, NULL, &count, NULL),
        seqrec_dataset_items(parents.data, NULL, 0, &count, NULL),
        seqrec_dataset_kcore(parents.data, 2, 2, &made[0], NULL),
        seqrec_dataset_corrupt(parents.data, 0.5, NULL, 1, &made[1], NULL),
        seqrec_dataset_shuffle_ties(parents.data, 1, &made[2], NULL),
        seqrec_dataset_join(both, 2, 1, &made[3], NULL),
    };
    for (int i = 0; i < 4; i++) seqrec_dataset_release(made[i]);
    if (seqrec_dataset_item_name(parents.data, items[0], &name, NULL) != SEQREC_E_NOT_FOUND) return 100;
    if (seqrec_dataset_user_name(parents.data, 0, &name, NULL) != SEQREC_E_NOT_FOUND) return 101;
    seqrec_report_release(parents_report);
    world_close(&parents);
    return FIRST_OTHER(statuses, SEQREC_OK);
}

START_TEST(a_forked_child_is_refused_but_may_read_reports_and_data_and_release)
{
    parents = world_open(NULL, 2 * _i);
    world_fit(&parents, NULL);
    parents_report = evaluate(&parents, parents.data, NULL);
    ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
    ck_assert_int_eq(api_in_child(reads_of_a_child), 0);
    seqrec_report_release(parents_report);
    world_close(&parents);
}
END_TEST

START_TEST(evaluating_and_generating_survive_failing_allocations)
{
    static const char *const protocols[] = {"E1", "E2", "E3", "E4", "E5"};
    const seqrec_synth synth = world_synth();
    seqrec_report *report = NULL;
    seqrec_dataset *made = NULL;
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    train_world w = open_fitted(NULL);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        const seqrec_evaluation how = {
            .struct_size = sizeof how, .protocol = protocols[i], .baselines = 1, .bootstrap = 20};
        seqrec_report_release(
            evaluate(&w, w.data, &how)); /* working memory that the model keeps is there from now on */
        report = NULL;
        EACH_ALLOCATION_FAILS(seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error),
                              ck_assert_ptr_null(report), seqrec_report_release(report));
    }
    const seqrec_evaluation pair = {.struct_size = sizeof pair, .beyond = 1, .bootstrap = 20};
    report = NULL;
    EACH_ALLOCATION_FAILS(seqrec_compare(w.context, w.model, w.model, w.data, &pair, &report, &api.error),
                          ck_assert_ptr_null(report), seqrec_report_release(report));
    EACH_ALLOCATION_FAILS(seqrec_dataset_synthesize(w.context, &synth, &made, &ceiling, &api.error),
                          ck_assert_ptr_null(made), seqrec_dataset_release(made));
    world_close(&w);
}
END_TEST

static void add_evaluations(Suite *suite)
{
    TCase *tests = tcase_create("evaluations");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, a_protocols_sentence_begins_with_its_name);
    tcase_add_test(tests, what_cannot_be_evaluated_is_refused_by_name);
    tcase_add_loop_test(tests, events_that_were_trained_on_are_refused_unless_allowed, 0,
                        sizeof divisions / sizeof *divisions);
    tcase_add_test(tests, what_was_trained_on_is_still_known_after_saving_and_loading);
    tcase_add_test(tests, a_changed_copy_of_the_training_data_is_evaluated_with_a_warning);
    tcase_add_test(tests, on_its_own_data_and_without_a_training_there_is_no_warning);
    tcase_add_test(tests, a_report_lists_what_it_has);
    tcase_add_test(tests, intervals_hold_their_value_and_are_absent_when_not_asked_for);
    tcase_add_test(tests, without_a_model_there_are_the_baselines);
    tcase_add_loop_test(tests, any_number_of_threads_gives_the_same_figures, 0, 2);
    tcase_add_test(tests, the_progress_callback_cancels_an_evaluation);
    tcase_add_test(tests, metrics_beyond_ranking_and_groups_come_when_asked_for);
    tcase_add_test(tests, only_chosen_users_are_evaluated_when_there_are_some);
    tcase_add_test(tests, two_models_are_compared_on_the_same_users);
    tcase_add_test(tests, lists_of_the_same_items_are_ties);
    tcase_add_test(tests, flags_are_0_or_1);
    tcase_add_test(tests, what_a_report_has_not_is_told_with_what_it_has);
    tcase_add_test(tests, an_infinite_likelihood_is_compared_without_nan);
    tcase_add_test(tests, models_that_saw_different_events_are_not_compared_unless_allowed);
    tcase_add_test(tests, models_of_other_data_are_compared_with_a_warning);
    tcase_add_test(tests, where_one_model_notes_no_division_that_of_the_other_is_taken);
    tcase_add_test(tests, items_with_names_are_the_same_in_files_that_number_them_otherwise);
    tcase_add_test(tests, a_resumed_fit_finds_the_items_by_name);
    suite_add_tcase(suite, tests);
}

static void add_others(Suite *suite)
{
    TCase *tests = tcase_create("others");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_test(tests, the_generator_repeats_itself_and_follows_its_seed);
    tcase_add_test(tests, no_baseline_beats_the_ceiling);
    tcase_add_test(tests, a_world_that_cannot_be_is_refused_by_name);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_loop_test(tests, a_forked_child_is_refused_but_may_read_reports_and_data_and_release, 0, 2);
    tcase_add_test(tests, evaluating_and_generating_survive_failing_allocations);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_evaluate");
    add_evaluations(suite);
    add_others(suite);
    return run_suite(suite);
}
