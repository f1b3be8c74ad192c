/* unit: serving users from several threads while they are put and forgotten, with and without a trainer beside. */
#include <check.h>
#include <string.h>
#include "beside_writer.h"
#include "run_suite.h"

enum { READERS = 3, ITEMS = 40, STEADY = 10, STEPS = 300 };

/* Users 0 .. STEADY - 1 stay, STEADY + i is thing i of those that come and go. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
    float steady[ITEMS], stranger[ITEMS]; /* scores of user 3 and of one without a row */
} stage;

static void must(int32_t status) { ck_assert_int_eq(status, SEQREC_OK); }

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
static int64_t read_on(void *own, int64_t round)
{
    const int64_t i = round % PASSING, before = atomic_load(&crowd.turn[i]);
    float passing[ITEMS], steady[ITEMS];
    (void)own;
    int64_t faults = score(STEADY + i, passing) != SEQREC_OK;
    if (is_gone(i, before)) faults += !same(passing, stage.stranger);
    faults += score(3, steady) != SEQREC_OK;
    return faults + !same(steady, stage.steady);
}

/* Beside a trainer scores move, but stay scores. */
static int64_t read_beside_training(void *own, int64_t round)
{
    float out[ITEMS];
    (void)own;
    int64_t faults = score(round % (STEADY + PASSING), out) != SEQREC_OK;
    for (int64_t i = 0; i < ITEMS; i++) faults += isnan(out[i]);
    return faults;
}

static void set_stage(const char *mode, int32_t threads)
{
    seqrec_config *config = NULL;
    int64_t ids[ITEMS];
    must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL));
    must(seqrec_config_create(NULL, &config, NULL));
    must(seqrec_config_set(config, "dim", "8", NULL));
    must(seqrec_config_set(config, "user_embedding", mode, NULL));
    must(seqrec_model_create(stage.context, config, &stage.model, NULL));
    seqrec_config_release(config);
    turns_begin();
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    must(seqrec_items_put(stage.model, ids, ITEMS, NULL, NULL));
    must(seqrec_users_put(stage.model, ids, STEADY, NULL, NULL));
    must(score(3, stage.steady));
    must(score(12345, stage.stranger));
}

static void strike_stage(void)
{
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
}

static void put_user(int64_t i) { must(seqrec_users_put(stage.model, (int64_t[]){STEADY + i}, 1, NULL, NULL)); }

static void forget_user(int64_t i) { must(seqrec_users_forget(stage.model, (int64_t[]){STEADY + i}, 1, NULL)); }

static void write_on(void)
{
    for (int64_t step = 0; step < STEPS; step++) pass_by(step, put_user, forget_user);
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
    set_stage(modes[_i], _i);
    ck_assert_int_eq(alike_beside(READERS, read_on, write_on), 0);
    strike_stage();
}
END_TEST

static void train_on(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    int64_t users[3];
    must(seqrec_model_config(stage.model, &config, NULL));
    must(seqrec_config_set(config, "unknown_users", "default", NULL));
    must(seqrec_trainer_create(stage.model, config, &trainer, NULL));
    for (int64_t step = 0; step < 30; step++) {
        for (int64_t s = 0; s < 3; s++) users[s] = (step + 7 * s) % (STEADY + PASSING);
        must(step_and_publish(trainer, ITEMS, users));
    }
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
}

static void train_and_write(void)
{
    pthread_t writer;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_in_thread, NULL), 0);
    train_on();
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
}

START_TEST(users_may_be_forgotten_beside_readers_and_a_trainer)
{
    set_stage(modes[_i], 2);
    ck_assert_int_eq(alike_beside(READERS, read_beside_training, train_and_write), 0);
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
    return run_suite(suite);
}
