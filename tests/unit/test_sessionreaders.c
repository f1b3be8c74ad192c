/* unit: sessions in several threads while items come and go, weights and models change, and a budget that is too small. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "seqrec.h"

enum { READERS = 3, EACH = 4, STEADY = 40, PASSING = 30, STEPS = 200, DIM = 8, READS = 15 };

/* Items 0 .. STEADY - 1 stay. Item STEADY + s % PASSING is put in step s and removed PASSING / 2 steps later; its turn tells how
 * often it was put (odd: there) and changes before the put and after the removal. */
static struct {
    seqrec_context *context;
    seqrec_model *models[2];
    seqrec_sessions *pool;
    _Atomic int64_t turn[PASSING];
    atomic_int writing;
} stage;

typedef struct reader {
    pthread_t thread;
    int64_t index, faults;
    seqrec_session *sessions[EACH];
    float expected[EACH][DIM]; /* of sessions that nothing changes */
} reader;

static void must(int32_t status) { ck_assert_int_eq(status, SEQREC_OK); }

static seqrec_model *new_model(const char *position)
{
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    int64_t ids[STEADY];
    must(seqrec_config_create(NULL, &config, NULL));
    must(seqrec_config_set(config, "dim", "8", NULL));
    must(seqrec_config_set(config, "max_length", "6", NULL));
    must(seqrec_config_set(config, "relative", "t5", NULL));
    must(seqrec_config_set(config, "position", position, NULL));
    must(seqrec_model_create(stage.context, config, &model, NULL));
    seqrec_config_release(config);
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    must(seqrec_items_put(model, ids, STEADY, NULL, NULL));
    return model;
}

static void set_stage(int32_t threads, size_t budget)
{
    must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL));
    stage.models[0] = new_model("none");
    stage.models[1] = new_model("start");
    must(seqrec_sessions_create(stage.models[0], budget, &stage.pool, NULL));
    for (int64_t i = 0; i < PASSING; i++) atomic_store(&stage.turn[i], 0);
}

static void clear_stage(void)
{
    seqrec_sessions_release(stage.pool);
    seqrec_model_release(stage.models[0]);
    seqrec_model_release(stage.models[1]);
    seqrec_context_release(stage.context);
}

static void open_sessions(reader *r, int64_t index)
{
    r->index = index;
    r->faults = 0;
    for (int64_t i = 0; i < EACH; i++) {
        int64_t history[12];
        for (int64_t e = 0; e < 12; e++) history[e] = (index * 5 + i * 3 + e * 7) % STEADY;
        must(seqrec_session_open(stage.pool, NULL, history, NULL, 12, SEQREC_UNKNOWN_ERROR, &r->sessions[i], NULL));
        must(seqrec_session_encode(r->sessions[i], r->expected[i], NULL));
    }
}

static void close_sessions(reader *r)
{
    for (int64_t i = 0; i < EACH; i++) seqrec_session_release(r->sessions[i]);
}

/* ---- beside a writer of items ---------------------------------------------------------------------------------------- */

static void note_turns(int64_t *before)
{
    for (int64_t i = 0; i < PASSING; i++) before[i] = atomic_load(&stage.turn[i]);
}

/* An item that was gone when the call began and not put again before it ended must not be in its answer. */
static int64_t is_fault(int64_t item, const int64_t *before)
{
    if (item < 0 || item >= STEADY + PASSING) return 1;
    if (item < STEADY) return 0;
    const int64_t turn = before[item - STEADY];
    return turn % 2 == 0 && atomic_load(&stage.turn[item - STEADY]) == turn;
}

static int64_t recommend(seqrec_session *session)
{
    int64_t before[PASSING], items[STEADY], found = 0, faults = 0;
    float scores[STEADY];
    note_turns(before);
    if (seqrec_session_topk(session, STEADY, NULL, items, scores, &found, NULL) != SEQREC_OK) return 1;
    faults += found != STEADY;
    for (int64_t i = 0; i < found; i++)
        faults += is_fault(items[i], before) || isnan(scores[i]) || (i > 0 && scores[i] > scores[i - 1]);
    return faults;
}

/* All sessions of a reader in one call, on the threads that other readers' calls want, too. */
static int64_t go_on_with_all(const reader *r)
{
    enum { WIDTH = 3, LENGTH = 4 };
    const seqrec_decode how = {.struct_size = sizeof how, .method = SEQREC_DECODE_SAMPLE, .width = WIDTH, .steps = LENGTH};
    int64_t before[PASSING], items[EACH * WIDTH * LENGTH], found[EACH], faults = 0;
    double logs[EACH * WIDTH];
    note_turns(before);
    if (seqrec_sessions_decode(stage.pool, r->sessions, EACH, &how, NULL, items, logs, found, NULL) != SEQREC_OK) return 1;
    for (int64_t i = 0; i < EACH * WIDTH * LENGTH; i++) faults += is_fault(items[i], before);
    for (int64_t i = 0; i < EACH * WIDTH; i++) faults += !(logs[i] < 0) || found[i / WIDTH] != WIDTH;
    return faults;
}

/* Odd sessions get events, also of items that may be gone; even ones stay, and so do their vectors. */
static void *read_items(void *arg)
{
    reader *r = arg;
    int64_t round = 0;
    do {
        seqrec_session *session = r->sessions[round % EACH];
        float vector[DIM];
        const int64_t event = (round + r->index) % (STEADY + PASSING);
        if (round % EACH % 2)
            r->faults += seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_SKIP, NULL) != SEQREC_OK;
        r->faults += recommend(session);
        r->faults += go_on_with_all(r);
        r->faults += seqrec_session_encode(session, vector, NULL) != SEQREC_OK;
        if (round % EACH % 2 == 0) r->faults += memcmp(vector, r->expected[round % EACH], sizeof vector) != 0;
        round++;
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

static void write_items(void)
{
    for (int64_t step = 0; step < STEPS; step++) {
        const int64_t put = step % PASSING, gone = (step + PASSING / 2) % PASSING, put_id = STEADY + put, gone_id = STEADY + gone;
        atomic_fetch_add(&stage.turn[put], 1);
        must(seqrec_items_put(stage.models[0], &put_id, 1, NULL, NULL));
        if (step < PASSING / 2) continue;
        must(seqrec_items_remove(stage.models[0], &gone_id, 1, NULL));
        atomic_fetch_add(&stage.turn[gone], 1);
    }
}

static void run(void *(*read)(void *), void (*write)(void), int32_t threads, size_t budget)
{
    static reader readers[READERS];
    set_stage(threads, budget);
    for (int64_t i = 0; i < READERS; i++) open_sessions(&readers[i], i);
    atomic_store(&stage.writing, 1);
    for (int64_t i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read, &readers[i]), 0);
    write();
    atomic_store(&stage.writing, 0);
    for (int64_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i].thread, NULL), 0);
        ck_assert_int_eq(readers[i].faults, 0);
        close_sessions(&readers[i]);
    }
    clear_stage();
}

START_TEST(sessions_beside_a_writer_never_name_what_was_removed)
{
    static const size_t budgets[] = {SIZE_MAX, 20000, 0};
    run(read_items, write_items, _i % 2 ? 2 : 0, budgets[_i]);
}
END_TEST

/* ---- beside a trainer, and models that change places ------------------------------------------------------------------ */

static void *read_models(void *arg)
{
    reader *r = arg;
    int64_t round = 0;
    do {
        seqrec_session *session = r->sessions[round % EACH];
        const int64_t event = (round * 3 + r->index) % STEADY;
        float ahead[2 * DIM];
        r->faults += seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, NULL) != SEQREC_OK;
        r->faults += recommend(session);
        r->faults += go_on_with_all(r);
        r->faults += seqrec_session_ahead(session, (int64_t[]){1, 2}, 2, ahead, NULL) != SEQREC_OK;
        for (int64_t i = 0; i < 2 * DIM; i++) r->faults += !isfinite(ahead[i]);
        round++;
    } while (round < READS || atomic_load(&stage.writing));
    return NULL;
}

static void train_and_swap(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    int64_t items[64], offsets[] = {0, 20, 40, 64};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = items};
    for (int64_t e = 0; e < 64; e++) items[e] = e * 7 % STEADY;
    must(seqrec_model_config(stage.models[0], &config, NULL));
    must(seqrec_trainer_create(stage.models[0], config, &trainer, NULL));
    for (int64_t step = 0; step < 20; step++) {
        must(seqrec_trainer_step(trainer, &batch, NULL, NULL));
        must(seqrec_trainer_publish(trainer, NULL));
        must(seqrec_sessions_swap(stage.pool, stage.models[step / 3 % 2], NULL));
    }
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
}

START_TEST(sessions_go_on_beside_a_trainer_and_other_models)
{
    run(read_models, train_and_swap, 2, _i ? 20000 : SIZE_MAX);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sessionreaders");
    tcase_add_loop_test(tests, sessions_beside_a_writer_never_name_what_was_removed, 0, 3);
    tcase_add_loop_test(tests, sessions_go_on_beside_a_trainer_and_other_models, 0, 2);
    Suite *suite = suite_create("sessionreaders");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
