/* unit: options that change between the steps of one trainer, under an allocator that sees what is written behind a block. */
#include <math.h>
#include "api_fixture.h"
#include "base/rng.h"
#include "counting_allocator.h"
#include "run_suite.h"

enum { ITEMS = 64, LONGEST = 21, MANY = 1000 };

typedef struct world {
    counting_allocator counted;
    int masked; /* Cloze, and not the next event */
    seqrec_trainer *trainer;
    int64_t offsets[MANY + 1], items[MANY * LONGEST];
    seqrec_batch batch;
} world;

/* Dot products or, of an odd kind, cosines; from kind 2 on with a table of their own for outputs. */
static void world_begin(world *w, int kind)
{
    const char *const settings[][2] = {{"dim", "16"}, {"max_length", "20"}, {"blocks", "1"}, {"negatives", "60"}, {"seen", "keep"},
                                       {"mask", w->masked ? "bidirectional" : "causal"}, {"objective", w->masked ? "cloze" : "next"},
                                       {"score", kind % 2 ? "cosine" : "dot"}, {"tied_output", kind < 2 ? "true" : "false"}};
    const seqrec_allocator host = counting_host(&w->counted);
    int64_t ids[ITEMS];
    double counts[ITEMS];
    EXPECT(SEQREC_OK, seqrec_context_create(&host, NULL, 1, NULL, NULL, &api.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(&host, &api.config, &api.error));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        EXPECT(SEQREC_OK, seqrec_config_set(api.config, settings[i][0], settings[i][1], &api.error));
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1, counts[i] = (double)(i % 7 + 1);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, ITEMS, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_create(api.model, api.config, &w->trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w->trainer, ids, counts, ITEMS, &api.error));
}

static void world_end(world *w)
{
    seqrec_trainer_release(w->trainer);
    seqrec_model_release(api.model);
    seqrec_config_release(api.config);
    seqrec_context_release(api.context);
    ck_assert_int_eq(w->counted.blocks, 0);
}

/* Sequences of up to `longest` events. */
static seqrec_batch *draw(world *w, uint64_t seed, int64_t sequences, int64_t shortest, int64_t longest)
{
    int64_t n = 0;
    w->batch = (seqrec_batch){.struct_size = sizeof w->batch, .sequences = sequences, .offsets = w->offsets, .items = w->items};
    w->offsets[0] = 0;
    for (int64_t s = 0; s < sequences; s++) {
        const int64_t length = shortest + (int64_t)sq_random_below(seed, (uint64_t)s, (uint64_t)(longest - shortest + 1));
        for (int64_t i = 0; i < length; i++, n++) w->items[n] = 1 + (int64_t)sq_random_below(seed + 1, (uint64_t)n, ITEMS);
        w->offsets[s + 1] = n;
    }
    return &w->batch;
}

/* Ten positions a negative and item: what each position draws for itself is then summed in a table, which the steps behind it, of as many
 * rows, have another use for. */
START_TEST(a_step_of_another_loss_behind_one_with_many_negatives_stays_within_its_memory)
{
    static world w;
    w = (world){0};
    world_begin(&w, 0);
    seqrec_batch *batch = draw(&w, 3, 10, LONGEST, LONGEST);
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    if (_i == 0) {
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "loss", "softmax", &api.error));
    } else {
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "negatives", "64", &api.error));
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, "negative_sharing", "batch", &api.error));
    }
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    world_end(&w);
}
END_TEST

/* How many targets a mask leaves is drawn: memory is for as many as there can be. */
START_TEST(a_warm_step_with_buckets_of_a_drawn_number_of_targets_allocates_nothing)
{
    static const char *const cloze[][2] = {{"loss", "sce"}, {"sce_bucket_items", "4"}, {"mask_last_share", "0.5"}, {"mask_probability", "0.9"}, {"micro_batch", "32"}};
    static world w;
    w = (world){.masked = 1};
    world_begin(&w, 0);
    for (size_t i = 0; i < sizeof cloze / sizeof *cloze; i++)
        EXPECT(SEQREC_OK, seqrec_trainer_set(w.trainer, cloze[i][0], cloze[i][1], &api.error));
    seqrec_batch *batch = draw(&w, 7, MANY, LONGEST, LONGEST);
    EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    const int64_t requests = w.counted.requests;
    for (int n = 0; n < 6; n++) EXPECT(SEQREC_OK, seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    ck_assert_int_eq(w.counted.requests, requests);
    world_end(&w);
}
END_TEST

static const char *const choices[][9] = {
    {"loss", "bce", "softmax", "sampled_softmax", "gbce", "bpr", "bpr_max", "top1_max", "sce"},
    {"negatives", "1", "3", "17", "60", "63"},
    {"negative_sharing", "position", "batch"},
    {"sampler", "uniform", "popularity", "log_uniform", "in_batch", "mixed"},
    {"seen", "keep", "exclude_history", "exclude_target"},
    {"hard_pool", "0", "63"},
    {"objective", "next", "prefix"},
    {"item_updates", "auto", "exact", "lazy"},
    {"clip_norm", "0", "1"},
    {"targets", "1", "2", "5"},
    {"accumulate", "1", "2"},
    {"micro_batch", "32", "100"},
    {"random_end", "0", "0.5"},
    {"length_alpha", "2", "1.3"},
    {"sse_item", "0", "0.3"},
    {"logq", "none", "classic", "corrected"},
    {"sce_mix", "true", "false"},
    {"weight_decay", "0", "0.01"},
    {"label_smoothing", "0", "0.1"},
    {"position_decay", "1", "0.9"},
    {"prefix_stride", "1", "2"},
};

/* Some option gets some value; what does not go with the others is refused, and is then as it was. */
static void set_something(world *w, uint64_t number)
{
    const char *const *row = choices[sq_random_below(91, number, sizeof choices / sizeof *choices)];
    uint64_t values = 0;
    while (values < 8 && row[values + 1]) values++;
    const int32_t status = seqrec_trainer_set(w->trainer, row[0], row[1 + sq_random_below(92, number, values)], &api.error);
    ck_assert_msg(status == SEQREC_OK || status == SEQREC_E_ARGUMENT || status == SEQREC_E_RANGE, "%s: %s", row[0], api.error.message);
}

/* Refused is what a loss needs and a batch, or a combination, has not. */
static int step_is_done(world *w, uint64_t number)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    const seqrec_batch *batch = draw(w, 5 + 2 * number, 1 + (int64_t)sq_random_below(93, number, 40), 0, LONGEST);
    const int32_t status = seqrec_trainer_step(w->trainer, batch, &stats, &api.error);
    ck_assert_msg(status == SEQREC_OK || status == SEQREC_E_ARGUMENT || status == SEQREC_E_STATE, "step %d: %s", (int)number, api.error.message);
    ck_assert_msg(status != SEQREC_OK || stats.waiting > 0 || isfinite(stats.loss), "step %d: loss %g", (int)number, stats.loss);
    return status == SEQREC_OK;
}

START_TEST(steps_between_any_changes_of_options_stay_within_their_memory)
{
    enum { STEPS = 120, CHANGES = 3 };
    static world w;
    int done = 0;
    w = (world){0};
    world_begin(&w, _i % 4);
    for (uint64_t n = (uint64_t)_i * STEPS; n < (uint64_t)(_i + 1) * STEPS; n++) {
        for (uint64_t c = 0; c < CHANGES; c++) set_something(&w, CHANGES * n + c);
        done += step_is_done(&w, n);
    }
    ck_assert_int_gt(done, STEPS / 2);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("settings");
    tcase_add_loop_test(tests, a_step_of_another_loss_behind_one_with_many_negatives_stays_within_its_memory, 0, 2);
    tcase_add_test(tests, a_warm_step_with_buckets_of_a_drawn_number_of_targets_allocates_nothing);
    tcase_add_loop_test(tests, steps_between_any_changes_of_options_stay_within_their_memory, 0, 8);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
