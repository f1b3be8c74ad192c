/* unit: a model as the scorer of an evaluation, and what seqrec_evaluate refuses. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "eval/model_scorer.h"
#include "failing_allocator.h"
#include "run_suite.h"

enum { USERS = 70, ITEMS = 90, MOST_EVENTS = 30 };

static seqrec_error failure;

static void good(int32_t status)
{
    if (status != SEQREC_OK) ck_abort_msg("%s: %s", seqrec_status_name(status), failure.message);
}

typedef struct world {
    failing_allocator memory;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_model *model;
} world;

static int64_t id_of(int64_t index)
{
    return (index * 37) % ITEMS * 10 - 300;
}

/* Users of 1 to MOST_EVENTS events; every item occurs. */
static void make_dataset(world *w)
{
    static int64_t offsets[USERS + 1], items[USERS * MOST_EVENTS], times[USERS * MOST_EVENTS];
    int64_t at = 0;
    for (int64_t u = 0; u < USERS; u++) {
        const int64_t length = 1 + u * 7 % MOST_EVENTS;
        for (int64_t e = 0; e < length; e++, at++) {
            items[at] = id_of((at * 13 + u) % ITEMS);
            times[at] = e * 10;
        }
        offsets[u + 1] = at;
    }
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = USERS, .offsets = offsets, .items = items, .timestamps = times};
    good(seqrec_dataset_create(w->context, &batch, &w->dataset, &failure));
    ck_assert_int_eq(w->dataset->items, ITEMS);
}

/* The model has the items of the dataset but for every ninth, in another order, and some more; free slots between them. */
static void make_model(world *w, const char *score, const char *tied)
{
    seqrec_config *config = NULL;
    good(seqrec_config_create(NULL, &config, &failure));
    good(seqrec_config_set(config, "dim", "12", &failure));
    good(seqrec_config_set(config, "max_length", "10", &failure));
    good(seqrec_config_set(config, "score", score, &failure));
    good(seqrec_config_set(config, "tied_output", tied, &failure));
    good(seqrec_model_create(w->context, config, &w->model, &failure));
    seqrec_config_release(config);
    for (int64_t i = 0; i < 5000; i++) {
        const int64_t other = 100000 + i;
        if (i < 3000 || i >= 4990) good(seqrec_items_put(w->model, &other, 1, NULL, &failure));
        if (i < ITEMS && i % 9 != 0) {
            const int64_t id = id_of(i);
            good(seqrec_items_put(w->model, &id, 1, NULL, &failure));
        }
    }
    for (int64_t i = 10; i < 20; i++) {
        const int64_t other = 100000 + i;
        good(seqrec_items_remove(w->model, &other, 1, &failure));
    }
}

static void open_world(world *w, int32_t threads, const char *score, const char *tied)
{
    const seqrec_allocator allocator = failing_allocator_of(&w->memory);
    good(seqrec_context_create(&allocator, NULL, threads, NULL, NULL, &w->context, &failure));
    make_dataset(w);
    make_model(w, score, tied);
}

static void close_world(world *w)
{
    seqrec_model_release(w->model);
    seqrec_dataset_release(w->dataset);
    seqrec_context_release(w->context);
    ck_assert_int_eq(atomic_load(&w->memory.blocks), 0);
}

/* ---- scores --------------------------------------------------------------------------------------------------------- */

static int32_t known(const world *w, int64_t dense)
{
    int32_t slot, generation;
    return seqrec_items_locate(w->model, w->dataset->item_ids[dense], &slot, &generation, NULL) == SEQREC_OK;
}

static void expect_scores(const world *w, const sq_histories *h, int64_t q, const float *scores)
{
    int64_t history[MOST_EVENTS], offsets[2] = {0, h->offsets[q + 1] - h->offsets[q]};
    for (int64_t e = 0; e < offsets[1]; e++) history[e] = w->dataset->item_ids[h->items[h->offsets[q] + e]];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    for (int64_t i = 0; i < ITEMS; i++) {
        float expected;
        if (!known(w, i)) {
            ck_assert_float_nan(scores[i]);
            continue;
        }
        good(seqrec_score(w->model, &batch, &w->dataset->item_ids[i], NULL, 1, NULL, &expected, &failure));
        ck_assert_mem_eq(&expected, &scores[i], sizeof expected);
    }
}

static const struct {
    const char *score, *tied;
} kinds[] = {{"dot", "true"}, {"dot", "false"}, {"cosine", "true"}, {"cosine", "false"}};

START_TEST(scores_are_those_of_serving_and_nan_where_the_model_lacks_the_item)
{
    static float scores[USERS * ITEMS];
    world w;
    sq_scorer scorer;
    int64_t users[USERS];
    open_world(&w, 2, kinds[_i].score, kinds[_i].tied);
    good(sq_model_scorer_create(w.model->context, w.model, NULL, w.dataset, &scorer, &failure));
    for (int64_t first = 0; first < USERS; first += scorer.block) {
        const int64_t count = first + scorer.block < USERS ? scorer.block : USERS - first;
        int64_t offsets[USERS + 1];
        for (int64_t q = 0; q <= count; q++) offsets[q] = w.dataset->offsets[first + q] - w.dataset->offsets[first];
        for (int64_t q = 0; q < count; q++) users[q] = first + q;
        const sq_histories h = {count, users, offsets, w.dataset->sequence + w.dataset->offsets[first], NULL, NULL};
        atomic_store(&w.memory.to_fail, 0); /* scoring must not allocate */
        good(scorer.score(scorer.context, (int32_t)(first % 2), &h, scores, &failure));
        ck_assert_int_eq(atomic_load(&w.memory.to_fail), 0);
        atomic_store(&w.memory.to_fail, -1);
        for (int64_t q = 0; q < count; q++) expect_scores(&w, &h, q, scores + q * ITEMS);
    }
    sq_model_scorer_free(&scorer);
    close_world(&w);
}
END_TEST

START_TEST(a_scorer_keeps_the_snapshot_it_began_with)
{
    static float before[ITEMS], after[ITEMS];
    world w;
    sq_scorer scorer;
    const int64_t users[] = {5}, offsets[] = {0, 3};
    const int32_t items[] = {1, 2, 3};
    const sq_histories h = {1, users, offsets, items, NULL, NULL};
    float vector[12] = {1, 2, 3};
    open_world(&w, 0, "dot", "true");
    good(sq_model_scorer_create(w.model->context, w.model, NULL, w.dataset, &scorer, &failure));
    good(scorer.score(scorer.context, 0, &h, before, &failure));
    for (int64_t i = 0; i < ITEMS; i++)
        if (known(&w, i)) good(seqrec_items_update(w.model, &w.dataset->item_ids[i], 1, vector, &failure));
    good(scorer.score(scorer.context, 0, &h, after, &failure));
    for (int64_t i = 0; i < ITEMS; i++) ck_assert(before[i] == after[i] || isnan(before[i]));
    sq_model_scorer_free(&scorer);
    close_world(&w);
}
END_TEST

START_TEST(a_refused_allocation_leaves_nothing_behind)
{
    world w;
    sq_scorer scorer;
    int32_t status = SEQREC_E_MEMORY;
    int64_t refused = 0;
    open_world(&w, 2, "cosine", "true");
    const int64_t blocks = atomic_load(&w.memory.blocks);
    for (; status != SEQREC_OK; refused++) {
        atomic_store(&w.memory.to_fail, refused);
        status = sq_model_scorer_create(w.model->context, w.model, NULL, w.dataset, &scorer, &failure);
        atomic_store(&w.memory.to_fail, -1);
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_int_eq(atomic_load(&w.memory.blocks), blocks);
    }
    ck_assert_int_eq(refused, 2);
    sq_model_scorer_free(&scorer);
    close_world(&w);
}
END_TEST

/* ---- seqrec_evaluate ---------------------------------------------------------------------------------------------- */

static seqrec_evaluation full_ranking(void)
{
    return (seqrec_evaluation){.struct_size = sizeof(seqrec_evaluation), .protocol = "E5", .bootstrap = -1};
}

static double figure(const seqrec_report *report, const char *metric)
{
    double value = NAN;
    good(seqrec_report_get(report, "model", metric, &value, NULL, NULL, &failure));
    return value;
}

/* Hit rate by hand: the last event of users with three or more, among all items, nothing filtered; items the model lacks are
 * worst and tied with one another, and no scores are tied else. */
static double plain_hit_rate(const world *w, int64_t cutoff)
{
    static float scores[ITEMS];
    double hits = 0, users = 0;
    for (int64_t u = 0; u < USERS; u++) {
        const int64_t first = w->dataset->offsets[u], n = w->dataset->offsets[u + 1] - first;
        if (n < 3) continue;
        int64_t history[MOST_EVENTS], offsets[2] = {0, n - 1}, better = 0;
        for (int64_t e = 0; e < n - 1; e++) history[e] = w->dataset->item_ids[w->dataset->sequence[first + e]];
        const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
        const int32_t target = w->dataset->sequence[first + n - 1];
        for (int64_t i = 0; i < ITEMS; i++)
            if (known(w, i))
                good(seqrec_score(w->model, &batch, &w->dataset->item_ids[i], NULL, 1, NULL, &scores[i], &failure));
        for (int64_t i = 0; i < ITEMS; i++) better += known(w, i) && scores[i] > scores[target];
        users++;
        hits += known(w, target) && better < cutoff;
    }
    return hits / users;
}

START_TEST(the_figures_are_those_of_a_plain_ranking)
{
    world w;
    seqrec_report *report = NULL;
    const seqrec_evaluation how = full_ranking();
    open_world(&w, 2, kinds[_i].score, kinds[_i].tied);
    good(seqrec_evaluate(w.context, w.model, w.dataset, &how, &report, &failure));
    ck_assert_double_eq_tol(figure(report, "hr@10"), plain_hit_rate(&w, 10), 1e-12);
    ck_assert_double_eq_tol(figure(report, "hr@20"), plain_hit_rate(&w, 20), 1e-12);
    ck_assert_double_gt(figure(report, "hr@20"), 0);
    seqrec_report_release(report);
    close_world(&w);
}
END_TEST

START_TEST(the_context_of_an_evaluation_may_be_another_one)
{
    world w;
    seqrec_context *other = NULL;
    seqrec_report *here = NULL, *there = NULL;
    const seqrec_evaluation how = full_ranking();
    open_world(&w, 0, "dot", "true");
    good(seqrec_context_create(NULL, NULL, 4, NULL, NULL, &other, &failure));
    good(seqrec_evaluate(w.context, w.model, w.dataset, &how, &here, &failure));
    good(seqrec_evaluate(other, w.model, w.dataset, &how, &there, &failure));
    ck_assert_double_eq(figure(here, "ndcg@10"), figure(there, "ndcg@10"));
    seqrec_report_release(here);
    seqrec_report_release(there);
    seqrec_context_release(other);
    close_world(&w);
}
END_TEST

/* What a fit leaves on the model. */
static void note_training(world *w, int32_t this_data, const char *split)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)(w->dataset->hash + (this_data ? 0 : 1)));
    good(seqrec_model_set_note(w->model, "data_hash", hash, &failure));
    good(seqrec_model_set_note(w->model, "split", split, &failure));
}

static int32_t evaluate_as(const world *w, const char *division, int32_t allow_trained, int64_t *users)
{
    seqrec_report *report = NULL;
    seqrec_evaluation how = full_ranking();
    how.division = division;
    how.allow_trained = allow_trained;
    const int32_t status = seqrec_evaluate(w->context, w->model, w->dataset, &how, &report, &failure);
    if (status == SEQREC_OK) *users = (int64_t)figure(report, "users");
    seqrec_report_release(report);
    return status;
}

START_TEST(events_the_model_was_trained_on_are_not_evaluated)
{
    world w;
    int64_t users = 0;
    open_world(&w, 0, "dot", "true");
    static const struct {
        const char *trained, *asked;
        int32_t status;
    } cases[] = {
        {"leave-one-out", NULL, SEQREC_OK},
        {"leave-one-out", "leave-one-out", SEQREC_OK},
        {"leave-one-out", "time:50:100", SEQREC_E_STATE},
        {"time:50:100", NULL, SEQREC_OK},
        {"time:50:100", "time:50:100", SEQREC_OK},
        {"time:50:100", "time:50:090", SEQREC_E_STATE},
        {"time:50:100", "leave-one-out", SEQREC_E_STATE},
        {"none", NULL, SEQREC_E_STATE},
        {"none", "none", SEQREC_E_STATE},
        {"none", "leave-one-out", SEQREC_E_STATE},
        {NULL, "leave-one-out", SEQREC_E_STATE},
        {"something new", "leave-one-out", SEQREC_E_STATE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        note_training(&w, 1, cases[i].trained);
        ck_assert_int_eq(evaluate_as(&w, cases[i].asked, 0, &users), cases[i].status);
        if (cases[i].status == SEQREC_OK) continue;
        ck_assert_ptr_nonnull(strstr(failure.message, "allow_trained"));
        if (cases[i].asked == NULL || strcmp(cases[i].asked, "none") != 0)
            ck_assert_int_eq(evaluate_as(&w, cases[i].asked, 1, &users), SEQREC_OK);
        note_training(&w, 0, cases[i].trained); /* other data may be evaluated */
        if (cases[i].asked == NULL || strcmp(cases[i].asked, "none") != 0)
            ck_assert_int_eq(evaluate_as(&w, cases[i].asked, 0, &users), SEQREC_OK);
    }
    close_world(&w);
}
END_TEST

START_TEST(the_division_of_the_training_is_the_one_to_evaluate)
{
    world w;
    int64_t by_default = 0, alone = 0, timed = 0;
    open_world(&w, 0, "dot", "true");
    ck_assert_int_eq(evaluate_as(&w, NULL, 0, &by_default), SEQREC_OK);
    ck_assert_int_eq(evaluate_as(&w, "leave-one-out", 0, &alone), SEQREC_OK);
    ck_assert_int_eq(by_default, alone);
    ck_assert_int_eq(evaluate_as(&w, "time:50:150", 0, &timed), SEQREC_OK);
    ck_assert_int_ne(timed, alone);
    note_training(&w, 1, "time:50:150");
    ck_assert_int_eq(evaluate_as(&w, NULL, 0, &by_default), SEQREC_OK);
    ck_assert_int_eq(by_default, timed);
    close_world(&w);
}
END_TEST

START_TEST(without_a_model_the_baselines_are_evaluated)
{
    world w;
    double value = -1;
    seqrec_report *report = NULL;
    open_world(&w, 0, "dot", "true");
    good(seqrec_evaluate(w.context, NULL, w.dataset, NULL, &report, &failure));
    good(seqrec_report_get(report, "popularity", "hr@10", &value, NULL, NULL, &failure));
    ck_assert_int_eq(seqrec_report_get(report, "model", "hr@10", &value, NULL, NULL, NULL), SEQREC_E_NOT_FOUND);
    seqrec_report_release(report);
    close_world(&w);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    world w;
    seqrec_report *report = NULL;
    seqrec_evaluation how = full_ranking();
    open_world(&w, 0, "dot", "true");
    ck_assert_int_eq(seqrec_evaluate(NULL, w.model, w.dataset, &how, &report, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_evaluate(w.context, w.model, NULL, &how, &report, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_evaluate(w.context, w.model, w.dataset, &how, NULL, NULL), SEQREC_E_ARGUMENT);
    how.struct_size = 3;
    ck_assert_int_eq(seqrec_evaluate(w.context, w.model, w.dataset, &how, &report, NULL), SEQREC_E_ARGUMENT);
    how = full_ranking();
    how.protocol = "E77";
    ck_assert_int_eq(seqrec_evaluate(w.context, w.model, w.dataset, &how, &report, NULL), SEQREC_E_UNSUPPORTED);
    how = full_ranking();
    how.division = "halves";
    ck_assert_int_eq(seqrec_evaluate(w.context, w.model, w.dataset, &how, &report, NULL), SEQREC_E_UNSUPPORTED);
    ck_assert_ptr_null(report);
    close_world(&w);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("modelscorer");
    tcase_add_loop_test(tests, scores_are_those_of_serving_and_nan_where_the_model_lacks_the_item, 0, 4);
    tcase_add_test(tests, a_scorer_keeps_the_snapshot_it_began_with);
    tcase_add_test(tests, a_refused_allocation_leaves_nothing_behind);
    tcase_add_loop_test(tests, the_figures_are_those_of_a_plain_ranking, 0, 4);
    tcase_add_test(tests, the_context_of_an_evaluation_may_be_another_one);
    tcase_add_test(tests, events_the_model_was_trained_on_are_not_evaluated);
    tcase_add_test(tests, the_division_of_the_training_is_the_one_to_evaluate);
    tcase_add_test(tests, without_a_model_the_baselines_are_evaluated);
    tcase_add_test(tests, wrong_arguments_are_refused);
    Suite *suite = suite_create("modelscorer");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
