/* unit: sessions in several threads while items come and go, weights and models change, and a budget that is too small. */
#include <check.h>
#include <string.h>
#include "beside_writer.h"
#include "run_suite.h"

enum { READERS = 3, EACH = 4, STEADY = 40, STEPS = 200, DIM = 8 };

/* Items 0 .. STEADY - 1 stay, STEADY + i is thing i of those that come and go. */
static struct {
    seqrec_context *context;
    seqrec_model *models[2];
    seqrec_sessions *pool;
} stage;

typedef struct reader {
    int64_t index;
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
    turns_begin();
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
    for (int64_t i = 0; i < EACH; i++) {
        int64_t history[12];
        for (int64_t e = 0; e < 12; e++) history[e] = (index * 5 + i * 3 + e * 7) % STEADY;
        must(seqrec_session_open(stage.pool, NULL, history, NULL, 12, SEQREC_UNKNOWN_SKIP, &r->sessions[i], NULL));
        must(seqrec_session_encode(r->sessions[i], r->expected[i], NULL));
    }
}

static void close_sessions(reader *r)
{
    for (int64_t i = 0; i < EACH; i++) seqrec_session_release(r->sessions[i]);
}

/* ---- beside a writer of items ---------------------------------------------------------------------------------------- */

static int64_t recommend(seqrec_session *session)
{
    int64_t before[PASSING], items[STEADY], found = 0;
    float scores[STEADY];
    turns_read(before);
    if (seqrec_session_topk(session, STEADY, NULL, items, scores, &found, NULL) != SEQREC_OK) return 1;
    return (found != STEADY) + faults_of_list(items, scores, found, STEADY, STEADY + PASSING, before);
}

/* All sessions of a reader in one call, on the threads that other readers' calls want, too. */
static int64_t go_on_with_all(const reader *r)
{
    enum { WIDTH = 3, LENGTH = 4 };
    const seqrec_decode how = {.struct_size = sizeof how, .method = SEQREC_DECODE_SAMPLE, .width = WIDTH, .steps = LENGTH};
    int64_t before[PASSING], items[EACH * WIDTH * LENGTH], found[EACH], faults = 0;
    double logs[EACH * WIDTH];
    turns_read(before);
    if (seqrec_sessions_decode(stage.pool, r->sessions, EACH, &how, NULL, items, logs, found, NULL) != SEQREC_OK) return 1;
    faults += faults_of_items(items, EACH * WIDTH * LENGTH, STEADY, STEADY + PASSING, before);
    for (int64_t i = 0; i < EACH * WIDTH; i++) faults += !(logs[i] < 0) || found[i / WIDTH] != WIDTH;
    return faults;
}

/* The session goes, and another of its bytes takes its place. */
static int64_t renew(seqrec_session **place)
{
    size_t size = 0;
    seqrec_session *copy = NULL;
    if (seqrec_session_save(*place, NULL, 0, &size, NULL) != SEQREC_E_RANGE) return 1;
    void *bytes = malloc(size);
    int64_t faults = seqrec_session_save(*place, bytes, size, NULL, NULL) != SEQREC_OK;
    faults += seqrec_session_restore(stage.pool, bytes, size, &copy, NULL) != SEQREC_OK;
    free(bytes);
    if (copy == NULL) return faults;
    faults += seqrec_session_evict(*place, NULL) != SEQREC_OK;
    seqrec_session_release(*place);
    *place = copy;
    return faults;
}

/* Odd sessions get events, also of items that may be gone; even ones stay, and so do their vectors. Now and then either gives its place
 * to one with its events. */
static int64_t read_items(void *own, int64_t round)
{
    reader *r = own;
    float vector[DIM];
    int64_t faults = round % 7 == 6 ? renew(&r->sessions[round % EACH]) : 0;
    seqrec_session *session = r->sessions[round % EACH];
    const int64_t event = (round + r->index) % (STEADY + PASSING);
    if (round % EACH % 2) faults += seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_SKIP, NULL) != SEQREC_OK;
    faults += recommend(session);
    faults += go_on_with_all(r);
    faults += seqrec_session_encode(session, vector, NULL) != SEQREC_OK;
    if (round % EACH % 2 == 0) faults += memcmp(vector, r->expected[round % EACH], sizeof vector) != 0;
    return faults;
}

static void put_item(int64_t i) { must(seqrec_items_put(stage.models[0], (int64_t[]){STEADY + i}, 1, NULL, NULL)); }

static void remove_item(int64_t i) { must(seqrec_items_remove(stage.models[0], (int64_t[]){STEADY + i}, 1, NULL)); }

static void write_items(void)
{
    for (int64_t step = 0; step < STEPS; step++) pass_by(step, put_item, remove_item);
}

static void run(int64_t (*round)(void *own, int64_t number), void (*write)(void), int32_t threads, size_t budget)
{
    static reader owners[READERS];
    beside_reader readers[READERS] = {{0}};
    set_stage(threads, budget);
    for (int64_t i = 0; i < READERS; i++) {
        open_sessions(&owners[i], i);
        readers[i] = (beside_reader){.round = round, .own = &owners[i]};
    }
    ck_assert_int_eq(read_beside(readers, READERS, write), 0);
    for (int64_t i = 0; i < READERS; i++) close_sessions(&owners[i]);
    clear_stage();
}

START_TEST(sessions_beside_a_writer_never_name_what_was_removed)
{
    static const size_t budgets[] = {SIZE_MAX, 20000, 0};
    run(read_items, write_items, _i % 2 ? 2 : 0, budgets[_i]);
}
END_TEST

/* ---- beside a trainer, and models that change places ------------------------------------------------------------------ */

static int64_t read_models(void *own, int64_t round)
{
    reader *r = own;
    seqrec_session *session = r->sessions[round % EACH];
    const int64_t event = (round * 3 + r->index) % STEADY;
    float ahead[2 * DIM];
    int64_t faults = seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, NULL) != SEQREC_OK;
    faults += recommend(session);
    faults += go_on_with_all(r);
    faults += seqrec_session_ahead(session, (int64_t[]){1, 2}, 2, ahead, NULL) != SEQREC_OK;
    for (int64_t i = 0; i < 2 * DIM; i++) faults += !isfinite(ahead[i]);
    return faults;
}

static void train_and_swap(void)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    must(seqrec_model_config(stage.models[0], &config, NULL));
    must(seqrec_trainer_create(stage.models[0], config, &trainer, NULL));
    for (int64_t step = 0; step < 20; step++) {
        must(step_and_publish(trainer, STEADY, NULL));
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
    return run_suite(suite);
}
