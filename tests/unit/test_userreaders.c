/* unit: serving users from several threads while they are put and forgotten, with and without a trainer beside. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "seqrec.h"

enum { READERS = 3, ITEMS = 40, STEADY = 10, PASSING = 20, STEPS = 300, READS = 20 };

/* Users 0 .. STEADY - 1 stay. User STEADY + s % PASSING is put in step s and forgotten PASSING / 2 steps later; its turn tells
 * how often it was put (odd: there) and changes before the put and after the forgetting. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
    _Atomic int64_t turn[PASSING];
    atomic_int writing;
    float steady[ITEMS], stranger[ITEMS]; /* scores of user 3 and of one without a row */
} stage;

static int32_t score(int64_t user, float out[ITEMS])
{
    const int64_t history[] = {1, 2, 3}, offsets[] = {0, 3};
    int64_t items[ITEMS];
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history, .users = &user};
    for (int64_t i = 0; i < ITEMS; i++) items[i] = i;
    return seqrec_score(stage.model, &batch, items, NULL, ITEMS, NULL, out, NULL);
}

static int same(const float *a, const float *b)
{
    return memcmp(a, b, ITEMS * sizeof *a) == 0;
}

/* Who was gone when the call began, and was not put again before it ended, is a stranger. */
static int64_t faults_of_round(int64_t round)
{
    const int64_t i = round % PASSING, before = atomic_load(&stage.turn[i]);
    float passing[ITEMS], steady[ITEMS];
    int64_t faults = score(STEADY + i, passing) != SEQREC_OK;
    if (before % 2 == 0 && atomic_load(&stage.turn[i]) == before) faults += !same(passing, stage.stranger);
    faults += score(3, steady) != SEQREC_OK;
    return faults + !same(steady, stage.steady);
}

static void *read_on(void *arg)
{
    int64_t *faults = arg, round = 0;
    do {
        *faults += faults_of_round(round++);
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

/* Beside a trainer scores move, but stay scores. */
static void *read_beside_training(void *arg)
{
    int64_t *faults = arg, round = 0;
    float out[ITEMS];
    do {
        *faults += score(round++ % (STEADY + PASSING), out) != SEQREC_OK;
        for (int64_t i = 0; i < ITEMS; i++) *faults += isnan(out[i]);
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

static void set_stage(const char *mode, int32_t threads)
{
    seqrec_config *config = NULL;
    int64_t ids[ITEMS];
    ck_assert_int_eq(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_create(NULL, &config, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "dim", "8", NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "user_embedding", mode, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_model_create(stage.context, config, &stage.model, NULL), SEQREC_OK);
    seqrec_config_release(config);
    for (int64_t i = 0; i < PASSING; i++) atomic_store(&stage.turn[i], 0);
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    ck_assert_int_eq(seqrec_items_put(stage.model, ids, ITEMS, NULL, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_users_put(stage.model, ids, STEADY, NULL, NULL), SEQREC_OK);
    ck_assert_int_eq(score(3, stage.steady), SEQREC_OK);
    ck_assert_int_eq(score(12345, stage.stranger), SEQREC_OK);
    atomic_store(&stage.writing, 1);
}

static void strike_stage(void)
{
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
}

static void write_on(void)
{
    for (int64_t step = 0; step < STEPS; step++) {
        const int64_t coming = step % PASSING, going = (step + PASSING / 2) % PASSING;
        const int64_t put = STEADY + coming, gone = STEADY + going;
        atomic_fetch_add(&stage.turn[coming], 1);
        ck_assert_int_eq(seqrec_users_put(stage.model, &put, 1, NULL, NULL), SEQREC_OK);
        if (step < PASSING / 2) continue;
        ck_assert_int_eq(seqrec_users_forget(stage.model, &gone, 1, NULL), SEQREC_OK);
        atomic_fetch_add(&stage.turn[going], 1);
    }
}

static void *write_in_thread(void *arg)
{
    (void)arg;
    write_on();
    return NULL;
}

static const char *const modes[] = {"added", "concatenated", "prefix"};

START_TEST(a_forgotten_user_is_a_stranger_to_every_later_call)
{
    pthread_t readers[READERS];
    int64_t faults[READERS] = {0};
    set_stage(modes[_i], _i);
    for (int32_t i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, &faults[i]), 0);
    write_on();
    atomic_store(&stage.writing, 0);
    for (int32_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
        ck_assert_int_eq(faults[i], 0);
    }
    strike_stage();
}
END_TEST

static void train_on(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    int64_t items[64], offsets[] = {0, 20, 40, 64}, users[3];
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = items, .users = users};
    for (int64_t e = 0; e < 64; e++) items[e] = e * 7 % ITEMS;
    ck_assert_int_eq(seqrec_model_config(stage.model, &config, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "unknown_users", "default", NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_trainer_create(stage.model, config, &trainer, NULL), SEQREC_OK);
    for (int64_t step = 0; step < 30; step++) {
        for (int64_t s = 0; s < 3; s++) users[s] = (step + 7 * s) % (STEADY + PASSING);
        ck_assert_int_eq(seqrec_trainer_step(trainer, &batch, NULL, NULL), SEQREC_OK);
        ck_assert_int_eq(seqrec_trainer_publish(trainer, NULL), SEQREC_OK);
    }
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
}

START_TEST(users_may_be_forgotten_beside_readers_and_a_trainer)
{
    pthread_t readers[READERS], writer;
    int64_t faults[READERS] = {0};
    set_stage(modes[_i], 2);
    for (int32_t i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_beside_training, &faults[i]), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_in_thread, NULL), 0);
    train_on();
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    atomic_store(&stage.writing, 0);
    for (int32_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
        ck_assert_int_eq(faults[i], 0);
    }
    ck_assert_int_eq(seqrec_users_count(stage.model), STEADY + PASSING / 2);
    strike_stage();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("userreaders");
    tcase_add_loop_test(tests, a_forgotten_user_is_a_stranger_to_every_later_call, 0, 3);
    tcase_add_loop_test(tests, users_may_be_forgotten_beside_readers_and_a_trainer, 0, 3);
    Suite *suite = suite_create("userreaders");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
