/* unit: gates through the public interface: how many are open, in memory and in files, and what is refused. */
#include <math.h>
#include "run_suite.h"
#include "train_world.h"

static const char *const *const kinds[] = {
    (world_options){"gates", "position", "gate_l0", "1", "learning_rate", "0.05", "epochs", "20", "blocks", "2"},
    (world_options){"gates", "position", "gate_estimator", "hard_concrete", "gate_l0", "0", "blocks", "2"},
    (world_options){"gates", "position", "gate_estimator", "ar", "gate_l0", "0", "learning_rate", "1e-9", "blocks", "2"},
};

/* A strong sparsity term closes all gates, none leaves most of them open. */
START_TEST(the_share_of_open_gates_is_told_by_block_and_kept_in_files)
{
    train_world w = world_open(kinds[_i], 0);
    double open[2] = {7, 7}, again[2] = {8, 8};
    int64_t blocks = 0;
    world_fit(&w, NULL);
    EXPECT(SEQREC_OK, seqrec_model_gates(w.model, NULL, 0, &blocks, &api.error));
    ck_assert_int_eq(blocks, 2);
    EXPECT(SEQREC_OK, seqrec_model_gates(w.model, open, 2, NULL, &api.error));
    for (int b = 0; b < 2; b++) ck_assert_msg(_i == 0 ? open[b] < 0.5 : open[b] > 0.9, "block %d: %g", b, open[b]);
    world_save(&w, "gated");
    seqrec_model_release(w.model);
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("gated"), &w.model, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_gates(w.model, again, 2, &blocks, &api.error));
    ck_assert_mem_eq(open, again, sizeof open);
    world_save(&w, "again");
    ck_assert(world_same("gated", "again"));
    world_close(&w);
}
END_TEST

START_TEST(a_loaded_model_gives_the_vectors_of_the_saved_one)
{
    const char *const *const models[] = {(world_options){"gates", "position"},
                                         (world_options){"gates", "content", "gate_estimator", "hard_concrete"}};
    train_world w = world_open(models[_i], 0);
    float before[SEQUENCES * WORLD_WIDTH], after[SEQUENCES * WORLD_WIDTH];
    host_batch b;
    world_fit(&w, NULL);
    EXPECT(SEQREC_OK, seqrec_encode(w.model, walk(&b), NULL, before, &api.error));
    world_save(&w, "model");
    seqrec_model_release(w.model);
    EXPECT(SEQREC_OK, seqrec_model_load(w.context, scratch_path("model"), &w.model, &api.error));
    EXPECT(SEQREC_OK, seqrec_encode(w.model, &b.view, NULL, after, &api.error));
    ck_assert_mem_eq(before, after, sizeof before);
    world_close(&w);
}
END_TEST

static seqrec_batch one_of(const host_batch *b, const int64_t *offsets, int64_t sequence)
{
    return (seqrec_batch){.struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = offsets,
                          .items = b->view.items + b->view.offsets[sequence]};
}

/* Of a window of n events there are n (n + 1) / 2 gates in the first block, and n in the last. */
START_TEST(the_share_of_open_content_gates_is_told_for_a_batch)
{
    train_world w = world_open((world_options){"gates", "content", "gate_estimator", "hard_concrete", "gate_l0", _i ? "0" : "0.02",
                                               "learning_rate", _i ? "1e-9" : "0.05", "epochs", "10", "blocks", "2"}, _i ? 2 : 0);
    host_batch b;
    double open[2] = {7, 7}, each[2], sum[2] = {0}, all[2] = {0};
    int64_t blocks = 0;
    world_fit(&w, NULL);
    walk(&b);
    EXPECT(SEQREC_OK, seqrec_model_gates_on(w.model, &b.view, NULL, 0, &blocks, &api.error));
    ck_assert_int_eq(blocks, 2);
    EXPECT(SEQREC_OK, seqrec_model_gates_on(w.model, &b.view, open, 2, NULL, &api.error));
    for (int64_t s = 0; s < b.view.sequences; s++) {
        const int64_t events = b.view.offsets[s + 1] - b.view.offsets[s], offsets[] = {0, events};
        const double n = (double)(events < 8 ? events : 8), gates[] = {n * (n + 1) / 2, n};
        seqrec_batch one = one_of(&b, offsets, s);
        EXPECT(SEQREC_OK, seqrec_model_gates_on(w.model, &one, each, 2, NULL, &api.error));
        for (int k = 0; k < 2; k++) sum[k] += each[k] * gates[k], all[k] += gates[k];
    }
    for (int k = 0; k < 2; k++) {
        ck_assert_msg(fabs(sum[k] / all[k] - open[k]) < 1e-12, "block %d: %g and %g", k, sum[k] / all[k], open[k]);
        ck_assert_msg(_i ? open[k] > 0.9 : open[k] < 0.5, "block %d: %g", k, open[k]);
    }
    const int64_t none[] = {0, 0};
    seqrec_batch empty = one_of(&b, none, 0);
    EXPECT(SEQREC_OK, seqrec_model_gates_on(w.model, &empty, open, 2, NULL, &api.error));
    ck_assert(isnan(open[0]) && isnan(open[1]));
    world_close(&w);
}
END_TEST

START_TEST(a_model_without_gates_has_no_blocks_with_them)
{
    train_world w = world_open(NULL, 0);
    int64_t blocks = 7;
    double open[1] = {7};
    EXPECT(SEQREC_OK, seqrec_model_gates(w.model, open, 1, &blocks, &api.error));
    ck_assert_int_eq(blocks, 0);
    host_batch b;
    blocks = 7;
    EXPECT(SEQREC_OK, seqrec_model_gates_on(w.model, walk(&b), open, 1, &blocks, &api.error));
    ck_assert_int_eq(blocks, 0);
    ck_assert(open[0] == 7);
    world_close(&w);
}
END_TEST

START_TEST(wrong_arguments_are_refused_by_name)
{
    train_world w = world_open(kinds[0], 0);
    train_world c = world_open((world_options){"gates", "content", "gate_estimator", "hard_concrete"}, 0);
    double open[2] = {7, 7};
    int64_t blocks = 7;
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_model_gates(NULL, open, 2, &blocks, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "open is NULL", seqrec_model_gates(w.model, NULL, 2, &blocks, &api.error));
    REFUSED(SEQREC_E_RANGE, "capacity 1 is below the 2 blocks", seqrec_model_gates(w.model, open, 1, &blocks, &api.error));
    REFUSED(SEQREC_E_UNSUPPORTED, "depend on the history", seqrec_model_gates(c.model, open, 2, &blocks, &api.error));
    host_batch b;
    walk(&b);
    REFUSED(SEQREC_E_UNSUPPORTED, "see seqrec_model_gates", seqrec_model_gates_on(w.model, &b.view, open, 2, &blocks, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "batch is NULL", seqrec_model_gates_on(c.model, NULL, open, 2, &blocks, &api.error));
    REFUSED(SEQREC_E_RANGE, "capacity 0 is below the 1 blocks", seqrec_model_gates_on(c.model, &b.view, open, 0, &blocks, &api.error));
    ck_assert(open[0] == 7 && blocks == 7);
    world_close(&w);
    world_close(&c);
}
END_TEST

START_TEST(options_that_make_no_gates_make_no_model)
{
    train_world w = world_open_without_trainer(NULL, 0);
    seqrec_model *model = NULL;
    world_set(&w, (world_options){"gates", "content"});
    REFUSED(SEQREC_E_ARGUMENT, "needs gate_estimator = hard_concrete",
            seqrec_model_create(w.context, w.config, &model, &api.error));
    world_set(&w, (world_options){"gates", "position", "max_length", "1025"});
    REFUSED(SEQREC_E_ARGUMENT, "max_length of at most 1024",
            seqrec_model_create(w.context, w.config, &model, &api.error));
    ck_assert_ptr_null(model);
    world_close(&w);
}
END_TEST

START_TEST(creating_a_model_with_gates_survives_failing_allocations)
{
    train_world w = world_open_without_trainer(kinds[0], 0);
    seqrec_model *model = NULL;
    EACH_ALLOCATION_FAILS(seqrec_model_create(w.context, w.config, &model, &api.error), ck_assert_ptr_null(model),
                          seqrec_model_release(model));
    world_close(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_gates");
    TCase *tests = tcase_create("gates");
    tcase_add_checked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, the_share_of_open_gates_is_told_by_block_and_kept_in_files, 0, 3);
    tcase_add_loop_test(tests, a_loaded_model_gives_the_vectors_of_the_saved_one, 0, 2);
    tcase_add_loop_test(tests, the_share_of_open_content_gates_is_told_for_a_batch, 0, 2);
    tcase_add_test(tests, a_model_without_gates_has_no_blocks_with_them);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_test(tests, options_that_make_no_gates_make_no_model);
    tcase_add_test(tests, creating_a_model_with_gates_survives_failing_allocations);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
