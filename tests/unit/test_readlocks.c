/* unit: no call of a reader takes the lock that writers hold while they copy and compute: all are made while the test holds it. */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>
#include "model/model.h"
#include "run_suite.h"
#include "scratch_folder.h"
#include "seqrec.h"

enum { ITEMS = 30, K = 3, HELD_SECONDS = 60 };

static seqrec_context *context;
static seqrec_model *model;
static seqrec_dataset *dataset;
static const int64_t offsets[] = {0, 3, 5}, history[] = {1, 2, 3, 4, 5};
static const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history};

#define OK(call) ck_assert_int_eq((call), SEQREC_OK)

static void open_all(void)
{
    seqrec_config *config = NULL;
    int64_t ids[ITEMS], items[ITEMS];
    const int64_t starts[] = {0, 10, 20, ITEMS}, users[] = {0, 1, 2};
    const seqrec_batch events = {.struct_size = sizeof events, .sequences = 3, .offsets = starts, .items = items, .users = users};
    for (int64_t i = 0; i < ITEMS; i++) {
        ids[i] = i;
        items[i] = i * 7 % ITEMS;
    }
    OK(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, NULL));
    OK(seqrec_config_create(NULL, &config, NULL));
    OK(seqrec_config_set(config, "dim", "8", NULL));
    OK(seqrec_config_set(config, "relative", "t5", NULL));
    OK(seqrec_config_set(config, "position", "none", NULL));
    OK(seqrec_config_set(config, "user_embedding", "added", NULL));
    OK(seqrec_model_create(context, config, &model, NULL));
    seqrec_config_release(config);
    OK(seqrec_items_put(model, ids, ITEMS, NULL, NULL));
    OK(seqrec_items_set_names(model, ids, (const char *[]){"one"}, 1, NULL));
    OK(seqrec_users_put(model, ids, 4, NULL, NULL));
    OK(seqrec_model_set_note(model, "note", "text", NULL));
    OK(seqrec_dataset_create(context, &events, &dataset, NULL));
    scratch_create();
    alarm(HELD_SECONDS); /* a call that waits would wait for ever */
    sq_lock_take(&model->writing);
}

static void close_all(void)
{
    sq_lock_give(&model->writing);
    alarm(0);
    scratch_remove();
    seqrec_dataset_release(dataset);
    seqrec_model_release(model);
    seqrec_context_release(context);
}

START_TEST(lists_and_scores)
{
    int64_t items[2 * K], found[2];
    float scores[2 * K];
    OK(seqrec_topk(model, &batch, K, NULL, items, scores, found, NULL));
    OK(seqrec_score(model, &batch, history, NULL, 5, NULL, (float[10]){0}, NULL));
    const double relevance[] = {.9, .8, .7};
    int64_t order[2];
    OK(seqrec_rerank_mmr(model, history, relevance, 3, .5, 2, order, NULL, NULL));
}
END_TEST

START_TEST(sessions)
{
    seqrec_sessions *pool = NULL;
    seqrec_session *one = NULL, *two = NULL;
    seqrec_decode decode = {.struct_size = sizeof decode, .steps = 2, .width = 1};
    int64_t items[K], found = 0;
    float scores[K];
    uint8_t bytes[4096];
    size_t needed = 0;
    const int64_t event = 7;
    OK(seqrec_sessions_create(model, SIZE_MAX, &pool, NULL));
    OK(seqrec_session_open(pool, NULL, history, NULL, 3, SEQREC_UNKNOWN_ERROR, &one, NULL));
    OK(seqrec_session_append(one, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, NULL));
    OK(seqrec_session_topk(one, K, NULL, items, scores, &found, NULL));
    OK(seqrec_session_decode(one, &decode, NULL, items, NULL, &found, NULL));
    OK(seqrec_session_follow(one, history + 3, 2, 0, (double[2]){0}, NULL));
    OK(seqrec_session_save(one, bytes, sizeof bytes, &needed, NULL));
    OK(seqrec_session_restore(pool, bytes, needed, &two, NULL));
    OK(seqrec_sessions_swap(pool, model, NULL));
    OK(seqrec_session_topk(two, K, NULL, items, scores, &found, NULL));
    seqrec_session_release(one);
    seqrec_session_release(two);
    seqrec_sessions_release(pool);
}
END_TEST

START_TEST(what_a_model_says_of_itself)
{
    float vectors[2 * 64];
    char text[64];
    int64_t id, cursor = 0, ids[4], n = 0;
    int32_t slot, generation;
    seqrec_config *config = NULL;
    seqrec_vectors *opened = NULL;
    seqrec_index_info info = {.struct_size = sizeof info};
    OK(seqrec_items_get(model, history, 2, vectors, NULL));
    OK(seqrec_items_locate(model, 5, &slot, &generation, NULL));
    OK(seqrec_items_next(model, &cursor, ids, 4, &n, NULL));
    OK(seqrec_items_name(model, 0, text, sizeof text, NULL, NULL));
    OK(seqrec_items_find(model, "one", &id, NULL));
    ck_assert_int_eq(seqrec_items_count(model), ITEMS);
    OK(seqrec_users_get(model, history, 2, vectors, NULL));
    OK(seqrec_users_locate(model, 1, &slot, &generation, NULL));
    ck_assert_int_eq(seqrec_users_count(model), 4);
    OK(seqrec_model_note(model, "note", text, sizeof text, NULL, NULL));
    OK(seqrec_model_describe_index(model, &info, NULL));
    OK(seqrec_model_config(model, &config, NULL));
    OK(seqrec_vectors_open(model, &opened, NULL));
    seqrec_vectors_release(opened);
    seqrec_config_release(config);
    seqrec_model_release(seqrec_model_retain(model));
}
END_TEST

START_TEST(files_and_evaluations)
{
    char path[512];
    seqrec_evaluation evaluation = {.struct_size = sizeof evaluation};
    seqrec_report *report = NULL;
    snprintf(path, sizeof path, "%s/model", scratch);
    OK(seqrec_model_save(model, path, NULL));
    OK(seqrec_model_export(model, path, SEQREC_TABLE_INT8, 1, NULL));
    OK(seqrec_evaluate(context, model, dataset, &evaluation, &report, NULL));
    seqrec_report_release(report);
    OK(seqrec_compare(context, model, model, dataset, &evaluation, &report, NULL));
    seqrec_report_release(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readlocks");
    TCase *tests = tcase_create("readlocks");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, lists_and_scores);
    tcase_add_test(tests, sessions);
    tcase_add_test(tests, what_a_model_says_of_itself);
    tcase_add_test(tests, files_and_evaluations);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
