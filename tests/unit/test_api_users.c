/* unit: users through the public interface: rows on a live model, serving, training, files, and what forgetting leaves. */
#include <math.h>
#include <stdio.h>
#include "run_suite.h"
#include "train/trainer.h"
#include "train_world.h"

static const char *const modes[] = {"added", "concatenated", "prefix"};
enum { MODES = 3, DIM = 8 };

static train_world open_users(const char *mode)
{
    return open_with_items((world_options){"user_embedding", mode, "user_default_share", "0"});
}

static const float vector_a[DIM] = {1, 2, 3, 4, 5, 6, 7, 8}, vector_b[DIM] = {-1, 0, 1, 0, -1, 0, 1, 0};

/* Scores of the 20 items for user `id` (NULL: no ids in the batch) after one history. */
static void score_for(const train_world *w, const int64_t *id, float out[ITEMS], int64_t *strangers)
{
    const int64_t history[] = {3, 7, 5}, offsets[] = {0, 3};
    int64_t candidates[ITEMS];
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history, .users = id};
    const seqrec_filter filter = {.struct_size = sizeof filter, .strangers = strangers};
    for (int64_t i = 0; i < ITEMS; i++) candidates[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_score(w->model, &batch, candidates, NULL, ITEMS, &filter, out, &api.error));
}

static int same_scores(const float *a, const float *b)
{
    return memcmp(a, b, ITEMS * sizeof *a) == 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

START_TEST(users_are_put_read_changed_and_forgotten)
{
    train_world w = open_users(modes[_i]);
    const int64_t ids[] = {100, -5}, gone = 100;
    float vectors[2 * DIM], out[2 * DIM];
    int64_t cursor = 0, found[16], n;
    int32_t slot, generation, later;
    memcpy(vectors, vector_a, sizeof vector_a);
    memcpy(vectors + DIM, vector_b, sizeof vector_b);
    ck_assert_int_eq(seqrec_users_width(w.model), DIM);
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, ids, 2, vectors, &api.error));
    ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES + 2);
    EXPECT(SEQREC_OK, seqrec_users_get(w.model, ids, 2, out, &api.error));
    ck_assert_mem_eq(out, vectors, sizeof vectors);
    EXPECT(SEQREC_OK, seqrec_users_update(w.model, &gone, 1, vector_b, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_get(w.model, &gone, 1, out, &api.error));
    ck_assert_mem_eq(out, vector_b, sizeof vector_b);
    EXPECT(SEQREC_OK, seqrec_users_locate(w.model, gone, &slot, &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &gone, 1, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 100", seqrec_users_get(w.model, &gone, 1, out, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 100", seqrec_users_forget(w.model, &gone, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, &(int64_t){101}, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_locate(w.model, 101, &slot, &later, &api.error));
    ck_assert_int_ne(later, generation);
    EXPECT(SEQREC_OK, seqrec_users_next(w.model, &cursor, found, 16, &n, &api.error));
    ck_assert_int_eq(n, SEQUENCES + 2);
    for (int64_t i = 0; i < n; i++) ck_assert_int_ne(found[i], gone);
    world_close(&w);
}
END_TEST

START_TEST(wrong_calls_are_refused_with_the_rule)
{
    train_world w = open_users("added"), without = open_with_items(NULL);
    const int64_t one = 1, twice[] = {40, 40};
    const float bad[DIM] = {NAN};
    float out[DIM];
    int64_t n, cursor = 0, ids[2];
    int32_t slot, generation;
    REFUSED(SEQREC_E_EXISTS, "user 1", seqrec_users_put(w.model, &one, 1, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "user 40 occurs twice", seqrec_users_put(w.model, twice, 2, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "user 40", seqrec_users_put(w.model, twice, 1, bad, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 40", seqrec_users_update(w.model, twice, 1, vector_a, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "vectors is NULL", seqrec_users_update(w.model, &one, 1, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "negative", seqrec_users_forget(w.model, &one, -1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids is NULL", seqrec_users_forget(w.model, NULL, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_users_get(w.model, &one, 1, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "slot is NULL", seqrec_users_locate(w.model, 1, NULL, &generation, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 99", seqrec_users_locate(w.model, 99, &slot, &generation, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "cursor", seqrec_users_next(w.model, NULL, ids, 2, &n, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "capacity", seqrec_users_next(w.model, &cursor, ids, 0, &n, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 1 has no name", seqrec_users_name(w.model, 1, NULL, 0, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "no user 99", seqrec_users_name(w.model, 99, NULL, 0, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "no user is called", seqrec_users_find(w.model, "anna", &n, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_users_put(NULL, &one, 1, NULL, &api.error));
    ck_assert_int_eq(seqrec_users_count(NULL), -1);
    ck_assert_int_eq(seqrec_users_width(NULL), -1);
    REFUSED(SEQREC_E_ARGUMENT, "user_embedding = none", seqrec_users_put(without.model, &one, 1, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "user 1", seqrec_users_get(without.model, &one, 1, out, &api.error));
    ck_assert_int_eq(seqrec_users_count(without.model), 0);
    ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES);
    world_close(&w);
    world_close(&without);
}
END_TEST

START_TEST(options_that_do_not_go_together_are_refused)
{
    static const struct {
        const char *pairs[8];
        const char *hint;
    } wrong[] = {
        {{"user_dim", "4"}, "user_dim = 4 needs user_embedding = concatenated"},
        {{"user_embedding", "added", "user_dim", "4"}, "user_dim = 4"},
        {{"user_embedding", "concatenated", "score", "cosine"}, "score = cosine"},
        {{"user_embedding", "concatenated", "user_dim", "5"}, "heads = 2 must divide dim + user_dim = 13"},
        {{"sse_user", "0.5"}, "sse_user = 0.5"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        train_world w = world_open_without_trainer(NULL, 0);
        seqrec_model *made = NULL;
        world_set(&w, wrong[i].pairs);
        REFUSED(SEQREC_E_ARGUMENT, wrong[i].hint, seqrec_model_create(w.context, w.config, &made, &api.error));
        world_close(&w);
    }
}
END_TEST

START_TEST(changes_survive_failing_allocations)
{
    train_world w = open_users("added");
    const int64_t fresh = 77;
    EACH_ALLOCATION_FAILS(seqrec_users_put(w.model, &fresh, 1, NULL, &api.error),
                          ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES),
                          EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &fresh, 1, &api.error)));
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, &fresh, 1, vector_a, &api.error));
    EACH_ALLOCATION_FAILS(seqrec_users_update(w.model, &fresh, 1, vector_b, &api.error),
                          ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES + 1),
                          EXPECT(SEQREC_OK, seqrec_users_update(w.model, &fresh, 1, vector_a, &api.error)));
    EACH_ALLOCATION_FAILS(seqrec_users_forget(w.model, &fresh, 1, &api.error),
                          ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES + 1), (void)0);
    ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES);
    world_close(&w);
}
END_TEST

static train_world parents;

static int calls_of_a_child(void)
{
    const int64_t one = 1, fresh = 77;
    float out[DIM];
    int32_t slot, generation;
    int64_t cursor = 0, ids[2], n, found;
    const int32_t statuses[] = {
        seqrec_users_put(parents.model, &fresh, 1, vector_a, NULL),
        seqrec_users_update(parents.model, &one, 1, vector_a, NULL),
        seqrec_users_forget(parents.model, &one, 1, NULL),
        seqrec_users_get(parents.model, &one, 1, out, NULL),
        seqrec_users_locate(parents.model, one, &slot, &generation, NULL),
        seqrec_users_next(parents.model, &cursor, ids, 2, &n, NULL),
        seqrec_users_find(parents.model, "anna", &found, NULL),
    };
    if (seqrec_users_count(parents.model) != -1 || seqrec_users_width(parents.model) != -1) return 100;
    world_close(&parents);
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

START_TEST(a_forked_child_is_refused_but_may_release)
{
    float out[DIM];
    parents = world_open((world_options){"user_embedding", "added"}, 2 * _i);
    EXPECT(SEQREC_OK, seqrec_users_put(parents.model, (int64_t[]){1, 2}, 2, NULL, &api.error));
    ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
    ck_assert_int_eq(seqrec_users_count(parents.model), 2);
    EXPECT(SEQREC_OK, seqrec_users_get(parents.model, (int64_t[]){1}, 1, out, &api.error));
    ck_assert_mem_ne(out, vector_a, sizeof out);
    world_close(&parents);
}
END_TEST

/* ---- serving --------------------------------------------------------------------------------------------------------- */

START_TEST(scores_follow_the_user_and_strangers_get_the_default)
{
    train_world w = open_users(modes[_i]);
    float one[ITEMS], two[ITEMS], stranger[ITEMS], nobody[ITEMS], after[ITEMS];
    int64_t strangers = -1;
    score_for(&w, &(int64_t){1}, one, &strangers);
    ck_assert_int_eq(strangers, 0);
    score_for(&w, &(int64_t){2}, two, NULL);
    ck_assert(!same_scores(one, two));
    score_for(&w, &(int64_t){12345}, stranger, &strangers);
    ck_assert_int_eq(strangers, 1);
    score_for(&w, NULL, nobody, &strangers);
    ck_assert_int_eq(strangers, 1);
    ck_assert(same_scores(stranger, nobody));
    ck_assert(!same_scores(one, stranger));
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &(int64_t){1}, 1, &api.error));
    score_for(&w, &(int64_t){1}, after, NULL);
    ck_assert(same_scores(after, stranger));
    world_close(&w);
}
END_TEST

START_TEST(a_model_without_users_ignores_them)
{
    train_world w = open_with_items(NULL);
    float one[ITEMS], nobody[ITEMS];
    int64_t strangers = -1;
    score_for(&w, &(int64_t){1}, one, &strangers);
    ck_assert_int_eq(strangers, 0);
    score_for(&w, NULL, nobody, NULL);
    ck_assert(same_scores(one, nobody));
    world_close(&w);
}
END_TEST

START_TEST(lists_scores_and_the_best_agree)
{
    train_world w = open_users(modes[_i]);
    const int64_t history[] = {3, 7, 5, 9}, offsets[] = {0, 3, 4}, users[] = {2, 4};
    int64_t items[2 * ITEMS], found[2];
    float best[2 * ITEMS], again[ITEMS];
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history, .users = users};
    EXPECT(SEQREC_OK, seqrec_topk(w.model, &batch, ITEMS, NULL, items, best, found, &api.error));
    score_for(&w, &users[0], again, NULL);
    for (int64_t i = 0; i < ITEMS; i++) ck_assert(best[i] == again[items[i] - 1]);
    world_close(&w);
}
END_TEST

/* ---- training -------------------------------------------------------------------------------------------------------- */

START_TEST(a_step_needs_users_it_knows)
{
    train_world w = open_users("added");
    host_batch b;
    seqrec_batch *batch = walk(&b);
    batch->users = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "batch.users is NULL", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    batch->users = b.users;
    b.users[3] = 4711;
    REFUSED(SEQREC_E_NOT_FOUND, "sequence 3: the model has no user 4711",
            seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    set(&w, "unknown_users", "default");
    step(&w, batch);
    world_close(&w);
}
END_TEST

/* Every sequence is the same, but each user goes on to an item of his own. */
START_TEST(training_tells_users_with_the_same_history_apart)
{
    train_world w = open_users(modes[_i]);
    int64_t offsets[SEQUENCES + 1], items[3 * SEQUENCES], users[SEQUENCES];
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = SEQUENCES, .offsets = offsets, .items = items, .users = users};
    for (int64_t s = 0; s <= SEQUENCES; s++) offsets[s] = 3 * s;
    for (int64_t s = 0; s < SEQUENCES; s++) {
        items[3 * s] = 1;
        items[3 * s + 1] = 2;
        items[3 * s + 2] = 10 + s;
        users[s] = s + 1;
    }
    set(&w, "loss", "softmax");
    set(&w, "dropout", "0");
    for (int n = 0; n < 150; n++) step(&w, &batch);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    for (int64_t s = 0; s < SEQUENCES; s++) {
        const int64_t history[] = {1, 2}, ends[] = {0, 2};
        int64_t best, found;
        const seqrec_batch one = {
            .struct_size = sizeof one, .sequences = 1, .offsets = ends, .items = history, .users = &users[s]};
        EXPECT(SEQREC_OK, seqrec_topk(w.model, &one, 1, NULL, &best, NULL, &found, &api.error));
        ck_assert_int_eq(best, 10 + s);
    }
    world_close(&w);
}
END_TEST

START_TEST(a_fit_adds_the_users_it_trains_and_evaluates_with_them)
{
    train_world w = world_open((world_options){"user_embedding", modes[_i]}, 0);
    seqrec_report *report = NULL;
    const seqrec_evaluation how = {.struct_size = sizeof how, .bootstrap = -1};
    double with, without;
    world_fit(&w, NULL);
    ck_assert_int_eq(seqrec_users_count(w.model), 48);
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "mrr", &with, NULL, NULL, &api.error));
    seqrec_report_release(report);
    int64_t ids[48], n, cursor = 0;
    EXPECT(SEQREC_OK, seqrec_users_next(w.model, &cursor, ids, 48, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, ids, n, &api.error));
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, w.model, w.data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "mrr", &without, NULL, NULL, &api.error));
    seqrec_report_release(report);
    ck_assert(with != without);
    /* A further fit of this trainer does not bring anybody back. */
    set(&w, "epochs", "4");
    world_fit(&w, NULL);
    ck_assert_int_eq(seqrec_users_count(w.model), 0);
    world_close(&w);
}
END_TEST

/* ---- files ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_saved_model_serves_its_users_as_before)
{
    train_world w = open_users(modes[_i]);
    host_batch b;
    float before[ITEMS], after[ITEMS];
    step(&w, walk(&b));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &(int64_t){3}, 1, &api.error));
    score_for(&w, &(int64_t){5}, before, NULL);
    world_save(&w, "one");
    seqrec_model *loaded = NULL;
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("one"), &loaded, &api.error));
    seqrec_model_release(w.model);
    w.model = loaded;
    score_for(&w, &(int64_t){5}, after, NULL);
    ck_assert(same_scores(before, after));
    ck_assert_int_eq(seqrec_users_count(w.model), SEQUENCES - 1);
    world_save(&w, "two");
    ck_assert(world_same("one", "two"));
    world_close(&w);
}
END_TEST

/* ---- forgetting ------------------------------------------------------------------------------------------------------ */

/* Floats that occur nowhere by chance; the first of them is looked for. */
static const float marked[DIM] = {12345.6787f, 12345.6787f, 12345.6787f, 12345.6787f,
                                  12345.6787f, 12345.6787f, 12345.6787f, 12345.6787f};

static int64_t count_marks(const char *bytes, size_t size)
{
    int64_t n = 0;
    for (size_t i = 0; i + sizeof(float) <= size; i++) n += memcmp(bytes + i, marked, sizeof(float)) == 0;
    return n;
}

static int64_t marks_in_file(const char *name)
{
    return count_marks(world_bytes[0], scratch_read(name, world_bytes[0], WORLD_FILE));
}

START_TEST(a_forgotten_user_is_in_no_file_written_afterwards)
{
    train_world w = open_users(modes[_i]);
    const int64_t id = 900;
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, &id, 1, marked, &api.error));
    world_save(&w, "with");
    world_checkpoint(&w, "with.state");
    ck_assert_int_eq(marks_in_file("with"), DIM);
    ck_assert_int_ge(marks_in_file("with.state"), DIM);
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &id, 1, &api.error));
    world_save(&w, "without");
    world_checkpoint(&w, "without.state");
    ck_assert_int_eq(marks_in_file("without"), 0);
    ck_assert_int_eq(marks_in_file("without.state"), 0);
    world_close(&w);
}
END_TEST

/* Blocks that went back with marks in them. */
static _Atomic int64_t leaked_marks;

static void watching_release(void *context, void *block, size_t bytes, size_t alignment)
{
    atomic_fetch_add(&leaked_marks, count_marks(block, bytes));
    failing_release(context, block, bytes, alignment);
}

START_TEST(publishing_the_best_weights_drops_the_trainers_row_of_who_was_forgotten)
{
    train_world w = world_open((world_options){"user_embedding", modes[_i]}, 0);
    const int64_t id = 900;
    world_fit(&w, NULL);
    const int64_t users = w.trainer->users.live_count;
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, &id, 1, marked, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish_best(w.trainer, &api.error));
    ck_assert_int_eq(w.trainer->users.live_count, users + 1);
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &id, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish_best(w.trainer, &api.error));
    ck_assert_int_eq(w.trainer->users.live_count, users);
    world_close(&w);
}
END_TEST

START_TEST(forgetting_leaves_no_vector_in_memory_that_was_given_back)
{
    const seqrec_allocator usual = api.allocator;
    api.allocator.release = watching_release;
    train_world w = world_open((world_options){"user_embedding", modes[_i], "user_default_share", "0", "learning_rate", "0"}, 0);
    host_batch b;
    seqrec_batch *batch = walk(&b);
    const int64_t id = 900;
    atomic_store(&leaked_marks, 0);
    for (int64_t i = 0; i < ITEMS; i++) EXPECT(SEQREC_OK, seqrec_items_put(w.model, &(int64_t){i + 1}, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, b.users, SEQUENCES, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_put(w.model, &id, 1, marked, &api.error));
    b.users[0] = id;
    set(&w, "micro_batch", "64");
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error)); /* rate 0: the row stays as it is */
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &id, 1, &api.error));
    b.users[0] = 1;
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    ck_assert_int_eq(atomic_load(&leaked_marks), 0);
    world_close(&w);
    ck_assert_int_eq(atomic_load(&leaked_marks), 0);
    api.allocator = usual;
}
END_TEST

/* ---- batches that wait ------------------------------------------------------------------------------------------------ */

START_TEST(a_batch_with_an_unknown_user_does_not_wait)
{
    train_world w = open_users(modes[_i]);
    host_batch b;
    seqrec_batch *batch = walk(&b);
    set(&w, "accumulate", "2");
    b.users[1] = 99;
    REFUSED(SEQREC_E_NOT_FOUND, "sequence 1: the model has no user 99", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    b.users[1] = 2;
    ck_assert_int_eq(step(&w, batch).waiting, 1);
    ck_assert_int_eq(step(&w, batch).step, 1);
    world_close(&w);
}
END_TEST

/* As if the sequence had not been there: where who is unknown has the default vector, and where somebody else has the number by now, too. */
START_TEST(the_sequence_of_a_user_who_is_forgotten_while_it_waits_is_passed_over)
{
    static const int64_t last = SEQUENCES;
    seqrec_step_stats with, without;
    for (int32_t forgets = 0; forgets < 2; forgets++) {
        train_world w = open_users(modes[_i % MODES]);
        host_batch b;
        seqrec_batch *batch = walk(&b);
        set(&w, "accumulate", "2");
        if (_i / MODES > 0) set(&w, "unknown_users", "default");
        batch->sequences = SEQUENCES - 1 + forgets;
        step(&w, batch);
        if (forgets) EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &last, 1, &api.error));
        if (forgets && _i / MODES == 2) EXPECT(SEQREC_OK, seqrec_users_put(w.model, &last, 1, NULL, &api.error));
        batch->sequences = 0;
        *(forgets ? &with : &without) = step(&w, batch);
        world_close(&w);
    }
    ck_assert_int_eq(with.step, 1);
    ck_assert_double_eq(with.loss, without.loss);
}
END_TEST

START_TEST(the_watch_sees_what_is_given_back)
{
    float block[64] = {0};
    memcpy(block + 7, marked, sizeof marked);
    ck_assert_int_eq(count_marks((const char *)block, sizeof block), DIM);
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------------------------------- */

START_TEST(users_of_a_text_file_are_found_by_name_and_forgotten_with_it)
{
    train_world w = world_open((world_options){"user_embedding", "added", "valid_every", "0"}, 0);
    seqrec_dataset *data = NULL;
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    int64_t anna, none;
    char name[8];
    FILE *file = fopen(scratch_path("texts"), "w");
    fputs("anna 1\nanna 2\nanna 3\nbert 2\nbert 3\nbert 1\ncarl 3\n", file);
    fclose(file);
    const seqrec_reader reader = {.struct_size = sizeof reader, .format = "pairs"};
    EXPECT(SEQREC_OK, seqrec_dataset_read(w.context, scratch_path("texts"), &reader, &data, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, &how, NULL, &api.error));
    seqrec_dataset_release(data);
    ck_assert_int_eq(seqrec_users_count(w.model), 2); /* carl has nothing to train on */
    EXPECT(SEQREC_OK, seqrec_users_find(w.model, "anna", &anna, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_name(w.model, anna, name, sizeof name, NULL, &api.error));
    ck_assert_str_eq(name, "anna");
    world_save(&w, "named");
    EXPECT(SEQREC_OK, seqrec_users_forget(w.model, &anna, 1, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "anna", seqrec_users_find(w.model, "anna", &none, &api.error));
    world_save(&w, "later");
    world_checkpoint(&w, "later.state");
    static const char *const files[] = {"named", "later", "later.state"};
    for (int i = 0; i < 3; i++) {
        const size_t size = scratch_read(files[i], world_bytes[0], WORLD_FILE);
        int found = 0;
        for (size_t at = 0; at + 4 <= size; at++) found |= memcmp(world_bytes[0] + at, "anna", 4) == 0;
        ck_assert_int_eq(found, i == 0);
    }
    world_close(&w);
}
END_TEST

static seqrec_dataset *read_names(const train_world *w, const char *lines)
{
    seqrec_dataset *data = NULL;
    FILE *file = fopen(scratch_path("texts"), "w");
    fputs(lines, file);
    fclose(file);
    EXPECT(SEQREC_OK, seqrec_dataset_read(w->context, scratch_path("texts"), NULL, &data, &api.error));
    return data;
}

/* Of the second file dora, 2, and gert, 5, are left: dora's number is bert's, and one more than 3 would be gert's. */
START_TEST(users_whose_ids_are_taken_get_ids_that_the_dataset_does_not_use)
{
    train_world w = world_open((world_options){"user_embedding", "added", "negatives", "1", "valid_every", "0"}, 0);
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    int64_t dora, gert;
    seqrec_dataset *first = read_names(&w, "anna 1\nanna 2\nbert 2\nbert 1\ncarl 1\ncarl 2\n"), *second = NULL;
    seqrec_dataset *all = read_names(&w, "emil 1\ndora 1\ndora 2\nfred 1\nhans 2\ngert 2\ngert 1\n");
    EXPECT(SEQREC_OK, seqrec_dataset_kcore(all, 2, 2, &second, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, first, &how, NULL, &api.error));
    seqrec_trainer_release(w.trainer);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, second, &how, NULL, &api.error));
    ck_assert_int_eq(seqrec_users_count(w.model), 5);
    EXPECT(SEQREC_OK, seqrec_users_find(w.model, "dora", &dora, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_find(w.model, "gert", &gert, &api.error));
    ck_assert_int_eq(dora, 6);
    ck_assert_int_eq(gert, 5);
    seqrec_dataset_release(first);
    seqrec_dataset_release(second);
    seqrec_dataset_release(all);
    world_close(&w);
}
END_TEST

/* A trainer that is new to the data. */
static int32_t fit_anew(train_world *w, const char *lines)
{
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    seqrec_dataset *data = read_names(w, lines);
    seqrec_trainer_release(w->trainer);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w->model, w->config, &w->trainer, &api.error));
    const int32_t status = seqrec_trainer_fit(w->trainer, data, &how, NULL, &api.error);
    seqrec_dataset_release(data);
    return status;
}

/* Items and users of texts, of which some are numbers, and data of numbers: a number is somebody's name or nobody. */
START_TEST(numbers_mean_whom_they_name_and_never_who_has_them_inside)
{
    train_world w = world_open((world_options){"user_embedding", "added", "negatives", "1", "valid_every", "0"}, 0);
    EXPECT(SEQREC_OK, fit_anew(&w, "p a\np 10\np 20\nq 20\nq a\n7 10\n7 a\n"));
    EXPECT(SEQREC_OK, fit_anew(&w, "7 10\n7 20\n7 10\n")); /* all are names */
    ck_assert_int_eq(seqrec_items_count(w.model), 3);
    ck_assert_int_eq(seqrec_users_count(w.model), 3);
    REFUSED(SEQREC_E_ARGUMENT, "user 1 of the data has the number of the model's user \"p\"", fit_anew(&w, "1 10\n1 20\n1 10\n"));
    REFUSED(SEQREC_E_ARGUMENT, "item 3 of the data has the number of the model's item \"20\"", fit_anew(&w, "7 10\n7 20\n7 3\n"));
    ck_assert_int_eq(seqrec_items_count(w.model), 3);
    seqrec_dataset *data = read_names(&w, "7 10\n7 20\n7 3\n7 30\n");
    const int64_t ids[] = {10, 20, 3, 30};
    int64_t out[4] = {-1, -1, -1, -1}, ten, twenty;
    uint8_t known[4];
    EXPECT(SEQREC_OK, seqrec_items_find(w.model, "10", &ten, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_find(w.model, "20", &twenty, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_match_items(data, w.model, ids, 4, out, known, &api.error));
    ck_assert(known[0] && known[1] && !known[2] && !known[3]);
    ck_assert(out[0] == ten && out[1] == twenty && out[2] == -1 && out[3] == -1);
    REFUSED(SEQREC_E_NOT_FOUND, "ids[1]: the dataset has no item 11",
            seqrec_dataset_match_items(data, w.model, (int64_t[]){10, 11}, 2, out, known, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "known is NULL", seqrec_dataset_match_items(data, w.model, ids, 4, out, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_dataset_match_items(data, NULL, ids, 4, out, known, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_match_items(data, w.model, NULL, 0, NULL, NULL, &api.error));
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

/* Items that came by number, and have no name, tell nothing of what the names of others are: data that brings many goes on meaning the same. */
START_TEST(numbers_that_name_items_still_do_after_many_that_name_none)
{
    const int64_t ids[] = {10, 20, 30, 60};
    int64_t out[4], ten, twenty;
    uint8_t known[4];
    train_world w = world_open((world_options){"user_embedding", "none", "negatives", "1", "valid_every", "0"}, 0);
    EXPECT(SEQREC_OK, fit_anew(&w, "p 10\np 20\nq 20\nq a\n"));
    static const char numbers[] = "7 10\n7 20\n7 30\n7 40\n7 50\n7 60\n";
    for (int i = 0; i < 2; i++) {
        EXPECT(SEQREC_OK, fit_anew(&w, numbers));
        ck_assert_int_eq(seqrec_items_count(w.model), 7);
        seqrec_dataset *data = read_names(&w, numbers);
        EXPECT(SEQREC_OK, seqrec_items_find(w.model, "10", &ten, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_find(w.model, "20", &twenty, &api.error));
        EXPECT(SEQREC_OK, seqrec_dataset_match_items(data, w.model, ids, 4, out, known, &api.error));
        for (int k = 0; k < 4; k++) ck_assert(known[k]);
        ck_assert(out[0] == ten && out[1] == twenty && out[2] == 30 && out[3] == 60);
        seqrec_dataset_release(data);
    }
    world_close(&w);
}
END_TEST

/* Titles of items that have ids of their own: one may be a number, and even another's. */
START_TEST(numbers_are_ids_where_few_names_are_numbers)
{
    const int64_t ids[] = {1, 2, 3, 4}, asked[] = {3, 1, 4};
    const char *const titles[] = {"Metropolis", "Vertigo", "4", "Alien"};
    int64_t out[3];
    uint8_t known[3];
    train_world w = world_open((world_options){"user_embedding", "none", "negatives", "1", "valid_every", "0"}, 0);
    EXPECT(SEQREC_OK, fit_anew(&w, "1 1\n1 2\n1 3\n1 4\n"));
    EXPECT(SEQREC_OK, seqrec_items_set_names(w.model, ids, titles, 4, &api.error));
    EXPECT(SEQREC_OK, fit_anew(&w, "2 4\n2 3\n2 1\n"));
    seqrec_dataset *data = read_names(&w, "2 4\n2 3\n2 1\n");
    EXPECT(SEQREC_OK, seqrec_dataset_match_items(data, w.model, asked, 3, out, known, &api.error));
    for (int i = 0; i < 3; i++) ck_assert(known[i] && out[i] == asked[i]);
    ck_assert_int_eq(seqrec_items_count(w.model), 4);
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

/* ---- users kept apart ------------------------------------------------------------------------------------------------ */

/* Two files with the same users and histories: users 1 and 3 are alice, 2 and 4 bob, who gives the lists more than one item. */
static seqrec_dataset *join_apart(const train_world *w)
{
    seqrec_dataset *parts[2], *joined = NULL;
    for (int p = 0; p < 2; p++) parts[p] = read_names(w, "user,item\nalice,1\nalice,2\nalice,3\nalice,4\nbob,5\nbob,6\nbob,7\nbob,4\n");
    EXPECT(SEQREC_OK, seqrec_dataset_join((const seqrec_dataset *const *)parts, 2, 1, &joined, &api.error));
    for (int p = 0; p < 2; p++) seqrec_dataset_release(parts[p]);
    return joined;
}

/* -log of the probability of a user's last event. */
static double surprise_of(const train_world *w, const seqrec_dataset *data, int64_t user)
{
    seqrec_report *report = NULL;
    double nll;
    const seqrec_evaluation how = {
        .struct_size = sizeof how, .bootstrap = -1, .beyond = 1, .users = &user, .user_count = 1};
    EXPECT(SEQREC_OK, seqrec_evaluate(w->context, w->model, data, &how, &report, &api.error));
    EXPECT(SEQREC_OK, seqrec_report_get(report, "model", "nll", &nll, NULL, NULL, &api.error));
    seqrec_report_release(report);
    return nll;
}

static void forget_all(const train_world *w)
{
    int64_t ids[16], n, cursor = 0;
    EXPECT(SEQREC_OK, seqrec_users_next(w->model, &cursor, ids, 16, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_forget(w->model, ids, n, &api.error));
}

START_TEST(users_kept_apart_have_rows_of_their_own_under_one_name)
{
    train_world w = world_open((world_options){"user_embedding", modes[_i], "negatives", "1", "valid_every", "0"}, 0);
    seqrec_dataset *data = join_apart(&w);
    int64_t ids[5], n, cursor = 0, alice;
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, NULL, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_next(w.model, &cursor, ids, 5, &n, &api.error));
    ck_assert_int_eq(n, 4);
    for (int64_t u = 0; u < n; u++) ck_assert_int_eq(ids[u], u + 1);
    REFUSED(SEQREC_E_NOT_FOUND, "alice", seqrec_users_find(w.model, "alice", &alice, &api.error));
    ck_assert_double_ne(surprise_of(&w, data, 1), surprise_of(&w, data, 3));
    forget_all(&w);
    ck_assert_double_eq(surprise_of(&w, data, 1), surprise_of(&w, data, 3));
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

/* anna has the number of the first alice. */
START_TEST(users_kept_apart_are_not_those_whom_the_model_knows_by_name)
{
    train_world w = world_open((world_options){"user_embedding", "added", "negatives", "1", "valid_every", "0"}, 0);
    seqrec_dataset *named = read_names(&w, "user,item\nanna,1\nanna,3\nanna,2\nanna,4\ncarl,5\n"), *data = join_apart(&w);
    int64_t anna;
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, named, NULL, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_users_find(w.model, "anna", &anna, &api.error));
    ck_assert_int_eq(anna, 1);
    seqrec_trainer_release(w.trainer);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "user 1 of the data has the number of the model's user \"anna\"",
            seqrec_trainer_fit(w.trainer, data, NULL, NULL, &api.error));
    ck_assert_int_eq(seqrec_users_count(w.model), 1);
    const double before = surprise_of(&w, data, 1);
    ck_assert_double_gt(before, 0);
    forget_all(&w);
    ck_assert_double_eq(before, surprise_of(&w, data, 1));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, NULL, NULL, &api.error));
    ck_assert_int_eq(seqrec_users_count(w.model), 4);
    seqrec_dataset_release(named);
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("users");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, users_are_put_read_changed_and_forgotten, 0, MODES);
    tcase_add_test(tests, wrong_calls_are_refused_with_the_rule);
    tcase_add_test(tests, options_that_do_not_go_together_are_refused);
    tcase_add_test(tests, changes_survive_failing_allocations);
    tcase_add_loop_test(tests, a_forked_child_is_refused_but_may_release, 0, 2);
    tcase_add_loop_test(tests, scores_follow_the_user_and_strangers_get_the_default, 0, MODES);
    tcase_add_test(tests, a_model_without_users_ignores_them);
    tcase_add_loop_test(tests, lists_scores_and_the_best_agree, 0, MODES);
    tcase_add_test(tests, a_step_needs_users_it_knows);
    tcase_add_loop_test(tests, training_tells_users_with_the_same_history_apart, 0, MODES);
    tcase_add_loop_test(tests, a_fit_adds_the_users_it_trains_and_evaluates_with_them, 0, MODES);
    tcase_add_loop_test(tests, a_saved_model_serves_its_users_as_before, 0, MODES);
    tcase_add_loop_test(tests, a_forgotten_user_is_in_no_file_written_afterwards, 0, MODES);
    tcase_add_loop_test(tests, forgetting_leaves_no_vector_in_memory_that_was_given_back, 0, MODES);
    tcase_add_loop_test(tests, publishing_the_best_weights_drops_the_trainers_row_of_who_was_forgotten, 0, MODES);
    tcase_add_loop_test(tests, a_batch_with_an_unknown_user_does_not_wait, 0, MODES);
    tcase_add_loop_test(tests, the_sequence_of_a_user_who_is_forgotten_while_it_waits_is_passed_over, 0, 3 * MODES);
    tcase_add_test(tests, the_watch_sees_what_is_given_back);
    tcase_add_test(tests, users_of_a_text_file_are_found_by_name_and_forgotten_with_it);
    tcase_add_test(tests, numbers_that_name_items_still_do_after_many_that_name_none);
    tcase_add_test(tests, numbers_are_ids_where_few_names_are_numbers);
    tcase_add_test(tests, numbers_mean_whom_they_name_and_never_who_has_them_inside);
    tcase_add_test(tests, users_whose_ids_are_taken_get_ids_that_the_dataset_does_not_use);
    tcase_add_loop_test(tests, users_kept_apart_have_rows_of_their_own_under_one_name, 0, MODES);
    tcase_add_test(tests, users_kept_apart_are_not_those_whom_the_model_knows_by_name);
    Suite *suite = suite_create("api_users");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
