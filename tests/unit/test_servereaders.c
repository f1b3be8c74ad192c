/* unit: serving from several threads while items come, change and go. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "seqrec.h"

enum { READERS = 3, STEADY = 40, PASSING = 30, STEPS = 300, DIM = 8, READS = 20 };

/* Items 0 .. STEADY - 1 stay. Item STEADY + s % PASSING is put in step s and removed PASSING / 2 steps later; its turn tells how
 * often it was put (odd: there) and changes before the put and after the removal. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
    _Atomic int64_t turn[PASSING];
    atomic_int writing;
} stage;

static void put_in_turn(int64_t i)
{
    const int64_t id = STEADY + i;
    atomic_fetch_add(&stage.turn[i], 1);
    ck_assert_int_eq(seqrec_items_put(stage.model, &id, 1, NULL, NULL), SEQREC_OK);
}

static void remove_in_turn(int64_t i)
{
    const int64_t id = STEADY + i;
    ck_assert_int_eq(seqrec_items_remove(stage.model, &id, 1, NULL), SEQREC_OK);
    atomic_fetch_add(&stage.turn[i], 1);
}

/* An item that was gone when the call began and not put again before it ended must not be in its answer. */
static int64_t faults_of(const int64_t *items, const float *scores, int64_t found, const int64_t *before)
{
    int64_t faults = found < STEADY;
    for (int64_t i = 0; i < found; i++) {
        faults += items[i] < 0 || items[i] >= STEADY + PASSING || isnan(scores[i]);
        faults += i > 0 && scores[i] > scores[i - 1];
        if (items[i] < STEADY) continue;
        const int64_t turn = before[items[i] - STEADY];
        faults += turn % 2 == 0 && atomic_load(&stage.turn[items[i] - STEADY]) == turn;
    }
    return faults;
}

static int64_t recommend(int64_t round)
{
    int64_t before[PASSING], items[2 * (STEADY + PASSING)], found[2], skipped;
    const int64_t history[] = {round % STEADY, STEADY + round % PASSING, 3, STEADY + 7 * round % PASSING, 5};
    const int64_t offsets[] = {0, 2, 5};
    float scores[2 * (STEADY + PASSING)];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history};
    const seqrec_filter filter = {.struct_size = sizeof filter, .skipped = &skipped};
    for (int64_t i = 0; i < PASSING; i++) before[i] = atomic_load(&stage.turn[i]);
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

static void *read_on(void *arg)
{
    int64_t *faults = arg, round = 0;
    do {
        *faults += recommend(round) + score(steady_scores);
        round++;
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

static void set_stage(int32_t threads, int32_t table)
{
    seqrec_config *config = NULL;
    int64_t ids[STEADY];
    const int64_t history[] = {1, 2, 3}, offsets[] = {0, 3};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    ck_assert_int_eq(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_create(NULL, &config, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "dim", "8", NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_model_create(stage.context, config, &stage.model, NULL), SEQREC_OK);
    seqrec_config_release(config);
    for (int64_t i = 0; i < PASSING; i++) atomic_store(&stage.turn[i], 0);
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    ck_assert_int_eq(seqrec_items_put(stage.model, ids, STEADY, NULL, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_model_quantise(stage.model, table, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_score(stage.model, &batch, ids, NULL, STEADY, NULL, steady_scores, NULL), SEQREC_OK);
}

static void write_on(void)
{
    for (int64_t step = 0; step < STEPS; step++) {
        put_in_turn(step % PASSING);
        if (step >= PASSING / 2) remove_in_turn((step - PASSING / 2) % PASSING);
    }
}

START_TEST(recommendations_beside_a_writer_never_name_what_was_removed)
{
    static const int32_t threads[] = {0, 2};
    pthread_t readers[READERS];
    int64_t faults[READERS] = {0};
    set_stage(threads[_i % 2], _i / 2);
    atomic_store(&stage.writing, 1);
    for (int32_t i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, &faults[i]), 0);
    write_on();
    atomic_store(&stage.writing, 0);
    for (int32_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
        ck_assert_int_eq(faults[i], 0);
    }
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
}
END_TEST

/* ---- beside a trainer ----------------------------------------------------------------------------------------------- */

static void *recommend_on(void *arg)
{
    int64_t *faults = arg, round = 0;
    do {
        *faults += recommend(round) + score(NULL);
        round++;
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

static void train_on(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    int64_t items[64], offsets[] = {0, 20, 40, 64};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = items};
    for (int64_t e = 0; e < 64; e++) items[e] = e * 7 % STEADY;
    for (int64_t run = 0; run < 3; run++) {
        ck_assert_int_eq(seqrec_model_config(stage.model, &config, NULL), SEQREC_OK);
        ck_assert_int_eq(seqrec_trainer_create(stage.model, config, &trainer, NULL), SEQREC_OK);
        for (int64_t step = 0; step < 10; step++) {
            ck_assert_int_eq(seqrec_trainer_step(trainer, &batch, NULL, NULL), SEQREC_OK);
            ck_assert_int_eq(seqrec_trainer_publish(trainer, NULL), SEQREC_OK);
        }
        seqrec_trainer_release(trainer);
        seqrec_config_release(config);
    }
}

START_TEST(recommendations_go_on_beside_a_trainer)
{
    pthread_t readers[READERS];
    int64_t faults[READERS] = {0};
    set_stage(2, SEQREC_TABLE_INT8);
    atomic_store(&stage.writing, 1);
    for (int32_t i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, recommend_on, &faults[i]), 0);
    train_on();
    atomic_store(&stage.writing, 0);
    for (int32_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
        ck_assert_int_eq(faults[i], 0);
    }
    ck_assert_int_gt(score(steady_scores), 0); /* it did learn */
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("servereaders");
    tcase_add_loop_test(tests, recommendations_beside_a_writer_never_name_what_was_removed, 0, 6);
    tcase_add_test(tests, recommendations_go_on_beside_a_trainer);
    Suite *suite = suite_create("servereaders");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
