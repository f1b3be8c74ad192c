/* unit: evaluation and comparison on several threads, for ThreadSanitizer: every protocol, with intervals, to the bits of one. */
#include <pthread.h>
#include "run_suite.h"
#include "train_world.h"

enum { MOST_THREADS = 4, BESIDE = 3 };

/* More cases than a thread takes at once, and than a wave of resamples. */
static const struct {
    const char *protocol, *division;
    int32_t beyond, breakdown, instant_sets;
} ways[] = {{"E1", NULL, 0, 1, 0},    {"E2", NULL, 0, 0, 0}, {"E3", NULL, 0, 0, 0},    {"E4", NULL, 1, 1, 0},
            {"E4", BY_TIME, 0, 0, 1}, {"E5", NULL, 1, 0, 0}, {"E9", BY_TIME, 1, 1, 0}};
enum { WAYS = sizeof ways / sizeof *ways };

static seqrec_evaluation way(int which)
{
    return (seqrec_evaluation){.struct_size = sizeof(seqrec_evaluation),
                               .protocol = ways[which].protocol,
                               .division = ways[which].division,
                               .beyond = ways[which].beyond,
                               .breakdown = ways[which].breakdown,
                               .instant_sets = ways[which].instant_sets,
                               .bootstrap = 150,
                               .allow_trained = 1,
                               .seed = 3};
}

/* 200 users in step, on so few items that not all have 100 negatives. */
static train_world open_large(int32_t threads)
{
    seqrec_synth synth = world_synth();
    train_world w = world_open((world_options){"epochs", "1", "valid_every", "0"}, threads);
    seqrec_dataset_release(w.data);
    synth.users = 200;
    synth.items = 108;
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(w.context, &synth, &w.data, NULL, &api.error));
    seqrec_dataset *plain = w.data;
    w.data = in_step(&w);
    seqrec_dataset_release(plain);
    return w;
}

/* A model after one epoch in "one", and after two in "two". */
static void fit_two(void)
{
    train_world w = open_large(0);
    world_fit(&w, NULL);
    world_save(&w, "one");
    set(&w, "epochs", "2");
    world_fit(&w, NULL);
    world_save(&w, "two");
    world_close(&w);
}

static seqrec_model *load(const train_world *w, const char *name)
{
    seqrec_model *model = NULL;
    EXPECT(SEQREC_OK, seqrec_model_load(w->context, scratch_path(name), &model, &api.error));
    return model;
}

/* By `threads` threads: the figures of model "one", and it beside "two". */
static void ask(int which, int32_t threads, seqrec_report **alone, seqrec_report **pair)
{
    train_world w = open_large(threads);
    seqrec_model *one = load(&w, "one"), *two = load(&w, "two");
    seqrec_evaluation how = way(which);
    how.baselines = 1;
    EXPECT(SEQREC_OK, seqrec_evaluate(w.context, one, w.data, &how, alone, &api.error));
    how = way(which);
    EXPECT(SEQREC_OK, seqrec_compare(w.context, one, two, w.data, &how, pair, &api.error));
    seqrec_model_release(one);
    seqrec_model_release(two);
    world_close(&w);
}

START_TEST(several_threads_evaluate_and_compare_to_the_bits_of_one)
{
    static const char *const rows[] = {"model", "popularity", "markov", "model/decile-2", "model/quintile-3", "markov/warm"};
    static const char *const pairs[] = {"a", "b", "difference", "p", "wins", "losses", "ties", "difference/decile-2", "p/quintile-3"};
    seqrec_report *alone[2] = {NULL}, *pair[2] = {NULL};
    fit_two();
    for (int k = 0; k < 2; k++) ask(_i, k ? MOST_THREADS : 1, &alone[k], &pair[k]);
    for (int r = 0; r < (ways[_i].breakdown ? 6 : 3); r++) expect_same_row(alone[0], alone[1], rows[r]);
    for (int r = 0; r < (ways[_i].breakdown ? 9 : 7); r++) expect_same_row(pair[0], pair[1], pairs[r]);
    ck_assert_str_eq(seqrec_report_protocol(alone[0]), seqrec_report_protocol(alone[1]));
    ck_assert_str_eq(seqrec_report_protocol(pair[0]), seqrec_report_protocol(pair[1]));
    const char *few = strstr(seqrec_report_protocol(alone[0]), "users had fewer than 100 eligible negatives");
    ck_assert((few != NULL) == (strcmp(ways[_i].protocol, "E2") == 0 || strcmp(ways[_i].protocol, "E3") == 0));
    for (int k = 0; k < 2; k++) {
        seqrec_report_release(alone[k]);
        seqrec_report_release(pair[k]);
    }
}
END_TEST

/* ---- Evaluations beside one another. ---- */

typedef struct asking {
    const train_world *world;
    int which;
    int32_t status;
    seqrec_report *report;
} asking;

static void *evaluate(void *arg)
{
    asking *a = arg;
    const seqrec_evaluation how = way(a->which);
    a->status = seqrec_evaluate(a->world->context, a->world->model, a->world->data, &how, &a->report, NULL);
    return NULL;
}

START_TEST(evaluations_beside_one_another_are_those_that_run_alone)
{
    train_world w = open_large(BESIDE);
    pthread_t threads[WAYS];
    asking alone[WAYS], beside[WAYS];
    world_fit(&w, NULL);
    for (int i = 0; i < WAYS; i++) {
        alone[i] = beside[i] = (asking){.world = &w, .which = i, .status = 1};
        evaluate(&alone[i]);
    }
    for (int i = 0; i < WAYS; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, evaluate, &beside[i]), 0);
    for (int i = 0; i < WAYS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < WAYS; i++) {
        ck_assert(alone[i].status == SEQREC_OK && beside[i].status == SEQREC_OK);
        expect_same_row(alone[i].report, beside[i].report, "model");
        seqrec_report_release(alone[i].report);
        seqrec_report_release(beside[i].report);
    }
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("evalthreads");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, several_threads_evaluate_and_compare_to_the_bits_of_one, 0, WAYS);
    tcase_add_test(tests, evaluations_beside_one_another_are_those_that_run_alone);
    Suite *suite = suite_create("evalthreads");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
