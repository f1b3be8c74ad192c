/* unit: training on several threads, with readers beside it, for ThreadSanitizer: every loss, sampler and update of rows. */
#include <math.h>
#include <pthread.h>
#include "run_suite.h"
#include "train_world.h"

/* Ways to train that share work differently among threads. */
static const char *const *const ways[] = {
    (world_options){"loss", "bce", "item_updates", "exact"},
    (world_options){"loss", "bce", "item_updates", "lazy", "negative_sharing", "batch"},
    (world_options){"loss", "sampled_softmax", "item_updates", "lazy", "score", "cosine", "clip_norm", "1"},
    (world_options){"loss", "sampled_softmax", "item_updates", "exact", "negative_sharing", "batch"},
    (world_options){"loss", "sampled_softmax", "sampler", "popularity", "item_updates", "exact"},
    (world_options){"loss", "softmax", "item_updates", "exact", "clip_norm", "1"},
    (world_options){"loss", "softmax", "item_updates", "lazy", "tied_output", "false", "average_epochs", "2"},
    (world_options){"loss", "sce", "item_updates", "exact", "sce_bucket_items", "9", "score", "cosine", "clip_norm", "1"},
    (world_options){"loss", "sce", "item_updates", "lazy", "sce_bucket_items", "20", "sce_mix", "false"},
};
enum { WAYS = sizeof ways / sizeof *ways, MOST_THREADS = 4 };

START_TEST(a_fit_on_several_threads_gives_the_bits_of_one)
{
    for (int32_t threads = 1; threads <= MOST_THREADS; threads++) {
        train_world w = world_open(ways[_i], threads);
        ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
        world_checkpoint(&w, threads == 1 ? "one" : "more");
        ck_assert_msg(threads == 1 || world_same("one", "more"), "%d threads: another state", (int)threads);
        world_close(&w);
    }
}
END_TEST

/* ---- Readers beside a fit. ---- */

typedef struct reading {
    const train_world *world;
    atomic_int *training;
    int64_t faults, rounds;
} reading;

static void *read_on(void *arg)
{
    reading *r = arg;
    const int64_t history[] = {1, 2, 3}, offsets[] = {0, 3};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    do {
        int64_t items[5], found = 0;
        float scores[5];
        r->faults += seqrec_topk(r->world->model, &batch, 5, NULL, items, scores, &found, NULL) != SEQREC_OK;
        for (int64_t i = 0; i < found; i++) r->faults += !isfinite(scores[i]);
        r->rounds++;
    } while (atomic_load(r->training));
    return NULL;
}

static int32_t put_an_item(void *context, const seqrec_epoch_stats *stats)
{
    const int64_t id = 500 + stats->epoch;
    const train_world *w = context;
    EXPECT(SEQREC_OK, seqrec_items_put(w->model, &id, 1, NULL, &api.error));
    return 0;
}

START_TEST(readers_go_on_beside_a_fit_on_several_threads)
{
    pthread_t thread;
    atomic_int training = 1;
    train_world w = world_open(ways[_i], 3);
    reading r = {.world = &w, .training = &training};
    const seqrec_fit how = {.struct_size = sizeof how, .epoch = put_an_item, .epoch_context = &w};
    ck_assert_int_eq(pthread_create(&thread, NULL, read_on, &r), 0);
    world_fit(&w, &how);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    atomic_store(&training, 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(r.faults, 0);
    ck_assert_int_gt(r.rounds, 0);
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("trainthreads");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, a_fit_on_several_threads_gives_the_bits_of_one, 0, WAYS);
    tcase_add_loop_test(tests, readers_go_on_beside_a_fit_on_several_threads, 0, WAYS);
    Suite *suite = suite_create("trainthreads");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
