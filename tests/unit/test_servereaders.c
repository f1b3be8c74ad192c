/* unit: serving from several threads while items come, change and go. */
#include <check.h>
#include "beside_writer.h"
#include "run_suite.h"

enum { READERS = 3, STEADY = 40, STEPS = 300, DIM = 8 };

/* Items 0 .. STEADY - 1 stay, STEADY + i is thing i of those that come and go. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
} stage;

static void must(int32_t status) { ck_assert_int_eq(status, SEQREC_OK); }

static int64_t faults_of(const int64_t *items, const float *scores, int64_t found, const int64_t *before)
{
    return (found < STEADY) + faults_of_list(items, scores, found, STEADY, STEADY + PASSING, before);
}

static int64_t recommend(int64_t round)
{
    int64_t before[PASSING], items[2 * (STEADY + PASSING)], found[2], skipped;
    const int64_t history[] = {round % STEADY, STEADY + round % PASSING, 3, STEADY + 7 * round % PASSING, 5};
    const int64_t offsets[] = {0, 2, 5};
    float scores[2 * (STEADY + PASSING)];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history};
    const seqrec_filter filter = {.struct_size = sizeof filter, .skipped = &skipped};
    turns_read(before);
    if (seqrec_topk(stage.model, &batch, STEADY + PASSING, &filter, items, scores, found, NULL) != SEQREC_OK) return 1;
    return faults_of(items, scores, found[0], before) +
           faults_of(items + STEADY + PASSING, scores + STEADY + PASSING, found[1], before);
}

/* The items that stay score the same whatever happens beside them. */
static int64_t score(const float *expected)
{
    const int64_t history[] = {1, 2, 3}, offsets[] = {0, 3};
    int64_t candidates[STEADY], faults = 0;
    float scores[STEADY];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    for (int64_t i = 0; i < STEADY; i++) candidates[i] = i;
    if (seqrec_score(stage.model, &batch, candidates, NULL, STEADY, NULL, scores, NULL) != SEQREC_OK) return 1;
    for (int64_t i = 0; expected != NULL && i < STEADY; i++) faults += scores[i] != expected[i];
    return faults;
}

static float steady_scores[STEADY];

static int64_t read_items(void *own, int64_t round)
{
    (void)own;
    return recommend(round) + score(steady_scores);
}

static void set_stage(int32_t threads, int32_t table)
{
    seqrec_config *config = NULL;
    int64_t ids[STEADY];
    const int64_t history[] = {1, 2, 3}, offsets[] = {0, 3};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL));
    must(seqrec_config_create(NULL, &config, NULL));
    must(seqrec_config_set(config, "dim", "8", NULL));
    must(seqrec_model_create(stage.context, config, &stage.model, NULL));
    seqrec_config_release(config);
    turns_begin();
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    must(seqrec_items_put(stage.model, ids, STEADY, NULL, NULL));
    must(seqrec_model_quantise(stage.model, table, NULL));
    must(seqrec_score(stage.model, &batch, ids, NULL, STEADY, NULL, steady_scores, NULL));
}

static void strike_stage(void)
{
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
}

static void put_item(int64_t i) { must(seqrec_items_put(stage.model, (int64_t[]){STEADY + i}, 1, NULL, NULL)); }

static void remove_item(int64_t i) { must(seqrec_items_remove(stage.model, (int64_t[]){STEADY + i}, 1, NULL)); }

static void write_items(void)
{
    for (int64_t step = 0; step < STEPS; step++) pass_by(step, put_item, remove_item);
}

START_TEST(recommendations_beside_a_writer_never_name_what_was_removed)
{
    static const int32_t threads[] = {0, 2};
    set_stage(threads[_i % 2], _i / 2);
    ck_assert_int_eq(alike_beside(READERS, read_items, write_items), 0);
    strike_stage();
}
END_TEST

/* ---- beside a trainer ----------------------------------------------------------------------------------------------- */

static int64_t read_on(void *own, int64_t round)
{
    (void)own;
    return recommend(round) + score(NULL);
}

static void train_on(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    for (int64_t run = 0; run < 3; run++) {
        must(seqrec_model_config(stage.model, &config, NULL));
        must(seqrec_trainer_create(stage.model, config, &trainer, NULL));
        for (int64_t step = 0; step < 10; step++) must(step_and_publish(trainer, STEADY, NULL));
        seqrec_trainer_release(trainer);
        seqrec_config_release(config);
    }
}

START_TEST(recommendations_go_on_beside_a_trainer)
{
    set_stage(2, SEQREC_TABLE_INT8);
    ck_assert_int_eq(alike_beside(READERS, read_on, train_on), 0);
    ck_assert_int_gt(score(steady_scores), 0); /* it did learn */
    strike_stage();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("servereaders");
    tcase_add_loop_test(tests, recommendations_beside_a_writer_never_name_what_was_removed, 0, 6);
    tcase_add_test(tests, recommendations_go_on_beside_a_trainer);
    Suite *suite = suite_create("servereaders");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
