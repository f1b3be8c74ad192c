/* unit: a bias for each item: part of every score and of nothing else, its gradient, threads, items that come and go. */
#include "network_pass.h"
#include "run_suite.h"
#include "serve/encode.h"
#include "serve/scoring.h"
#include "trainer_state.h"

enum { ITEMS = 60, LOSSES = 7, MODES = 5 };

static sq_options options_of(int mode, int loss)
{
    static const int64_t losses[LOSSES] = {SQ_LOSS_BCE, SQ_LOSS_BCE, SQ_LOSS_SOFTMAX, SQ_LOSS_SAMPLED_SOFTMAX,
                                           SQ_LOSS_SAMPLED_SOFTMAX, SQ_LOSS_GBCE, SQ_LOSS_BPR_MAX};
    static const int64_t users[MODES] = {SQ_USER_NONE, SQ_USER_ADDED, SQ_USER_CONCATENATED, SQ_USER_PREFIX, SQ_USER_NONE};
    sq_options o = small_options(mode == 4 ? "bert4rec" : "sasrec");
    o.dim = mode % 2 ? 16 : 14; /* the bias behind a full row, and in the padding of one */
    o.heads = 2;
    o.ffn_dim = 0;
    o.max_length = 12;
    o.micro_batch = 40;
    o.norm_epsilon = 1e-5;
    o.activation = SQ_ACTIVATION_GELU;
    o.user_embedding = users[mode];
    o.user_default_share = 0;
    o.item_bias = 1;
    o.loss = losses[loss];
    o.negative_sharing = loss == 1 || loss == 4 ? SQ_SHARE_BATCH : SQ_SHARE_POSITION;
    o.negatives = 3;
    o.tied_output = loss % 2;
    return o;
}

/* Vectors of different sizes, biases included. */
static small_model open_model(const sq_options *o, int32_t threads)
{
    float vectors[ITEMS * 2 * 17];
    small_model s = small_open(o, threads, 0);
    for (int64_t i = 0; i < ITEMS * 2 * 17; i++) vectors[i] = 0.4f * wave(9, i);
    small_put(&s, 0, ITEMS, vectors);
    small_weights(&s);
    small_train(&s, o);
    return s;
}

static small_batch batch_number(uint64_t number)
{
    small_batch b;
    small_draw(&b, 10 * number + 3, 12, 2, 20, ITEMS);
    return b;
}

static float *bias_of(sq_trainer *t, int32_t slot)
{
    return sq_trainer_row(t, slot) + sq_output_offset(t->items.catalogue) + t->model->layout.part;
}

/* ---- gradients ------------------------------------------------------------------------------------------------------ */

/* The first step's loss with `by` times direction added to the biases, or to whole rows; gradient, when given, gets that of
 * all rows: first moments with beta1 = 0. */
static double first_loss(const sq_options *o, int whole, double by, const float *direction, float *gradient)
{
    small_model s = open_model(o, 0);
    sq_trainer *t = s.trainer;
    size_t stride = (size_t)t->items.catalogue->stride;
    small_batch b = batch_number(1);
    EXPECT_OK(sq_trained_own_rows(&t->items, error));
    for (int32_t i = 0; direction && i < ITEMS; i++) {
        size_t at = (size_t)i * stride, bias = (size_t)(bias_of(t, i) - sq_trainer_row(t, i));
        for (size_t c = 0; c < stride; c++)
            if (whole || c == bias) sq_trainer_row(t, i)[c] += (float)by * direction[at + c];
    }
    double loss = small_step(t, &b);
    if (gradient) memcpy(gradient, t->items.state[0]->m, ITEMS * stride * sizeof *gradient);
    small_close(&s);
    return loss;
}

START_TEST(gradients_of_rows_with_biases_are_slopes)
{
    static float g[ITEMS * 128];
    sq_options o = options_of(_i % MODES, _i / MODES);
    o.beta1 = 0;
    for (int whole = 0; whole < 2; whole++) {
        double square = 0;
        (void)first_loss(&o, 0, 0, NULL, g);
        size_t padded = o.dim == 16 ? 32 : 16, stride = o.tied_output ? padded : 2 * padded;
        for (size_t i = 0; i < ITEMS * stride; i++)
            if (whole || i % stride == stride - padded + (size_t)o.dim) square += (double)g[i] * (double)g[i];
        double by = 4e-3 / sqrt(square);
        ck_assert_msg(square > 1e-8, "the gradient is %g", sqrt(square));
        double slope = (first_loss(&o, whole, by, g, NULL) - first_loss(&o, whole, -by, g, NULL)) / (2 * by);
        ck_assert_msg(fabs(slope - square) < 5e-3 * square, "mode %d, loss %d, whole %d: slope %g, not %g", _i % MODES,
                      _i / MODES, whole, slope, square);
    }
}
END_TEST

START_TEST(biases_train_to_the_same_bits_at_any_number_of_threads)
{
    sq_options o = options_of(_i % MODES, _i / MODES);
    trainer_state states[3];
    o.dropout = 0.2;
    o.learning_rate = 0.01;
    for (int n = 0; n < 3; n++) {
        small_model s = open_model(&o, 1 << n);
        for (uint64_t i = 0; i < 6; i++) {
            small_batch b = batch_number(i);
            small_step(s.trainer, &b);
        }
        states[n] = state_of(s.trainer);
        small_close(&s);
        same_state(&states[0], &states[n]);
    }
    for (int n = 0; n < 3; n++) state_free(&states[n]);
}
END_TEST

/* ---- where a bias counts, and where it does not -------------------------------------------------------------------- */

/* The user vector after five items, and the scores of all. */
static void score_all(const small_model *s, float *u, float *scores)
{
    const int32_t history[] = {3, 50, 7, 11, 9};
    sq_arena arena = {0};
    sq_encode_scratch scratch;
    const float *rows[ITEMS];
    sq_encoder encoder = sq_encoder_of(s->model, s->model->current);
    sq_scoring scoring = sq_scoring_of(s->model, s->model->current->parts.catalogue);
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, 5), &scratch);
    EXPECT_OK(sq_arena_reserve(&arena, &s->context->memory, arena.peak, error));
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, 5), &scratch);
    sq_encode(&encoder, &(sq_history){.slots = history, .n = 5, .user = -1}, &scratch, u);
    for (int32_t i = 0; i < ITEMS; i++) rows[i] = sq_scoring_row(&scoring, i);
    sq_score_rows(&scoring, u, 1, rows, NULL, ITEMS, scores, ITEMS);
    sq_arena_free(&arena, &s->context->memory);
}

START_TEST(a_score_is_the_product_of_the_vectors_and_the_bias)
{
    sq_options o = options_of(_i % MODES, 2 + _i / MODES);
    small_model s = open_model(&o, 0);
    float u[32], scores[ITEMS];
    score_all(&s, u, scores);
    for (int32_t i = 0; i < ITEMS; i++) {
        const float *row = sq_catalogue_row(s.model->current->parts.catalogue, i);
        const float *out = row + sq_output_offset(s.model->current->parts.catalogue);
        double score = (double)out[o.dim];
        for (int64_t c = 0; c < o.dim; c++) score += (double)u[c] * (double)out[c];
        ck_assert_msg(fabs((double)scores[i] - score) < 1e-5, "item %d: %.9g, not %.9g", i, (double)scores[i], score);
    }
    small_close(&s);
}
END_TEST

START_TEST(a_bias_is_no_input)
{
    sq_options o = options_of(_i % MODES, 2 + _i / MODES);
    small_model s = open_model(&o, 0);
    float before[32], after[32], vector[2 * 17], was[ITEMS], is[ITEMS];
    score_all(&s, before, was);
    size_t width = (size_t)o.dim + 1, tables = (size_t)s.model->current->parts.catalogue->tables;
    const float *row = sq_catalogue_row(s.model->current->parts.catalogue, 7);
    for (size_t t = 0; t < tables; t++) {
        memcpy(vector + t * width, row + t * (size_t)s.model->layout.vp, width * sizeof *vector);
        vector[t * width + width - 1] += 2;
    }
    small_update(&s, 7, vector);
    score_all(&s, after, is);
    same_floats("user vector", before, after, (size_t)s.model->layout.vp);
    for (int32_t i = 0; i < ITEMS; i++)
        ck_assert(fabsf(is[i] - was[i] - (i == 7 ? 2 : 0)) < 1e-5f);
    small_close(&s);
}
END_TEST

START_TEST(without_biases_that_differ_from_zero_the_model_is_the_one_without)
{
    sq_options o = options_of(_i % MODES, 2 + _i / MODES);
    float u[2][32], scores[2][ITEMS];
    double loss[2];
    for (int n = 0; n < 2; n++) {
        o.item_bias = n;
        small_model s = small_open(&o, 0, ITEMS);
        small_weights(&s);
        small_train(&s, &o);
        small_batch b = batch_number(1);
        score_all(&s, u[n], scores[n]);
        loss[n] = small_step(s.trainer, &b);
        small_close(&s);
    }
    same_floats("user vector", u[0], u[1], (size_t)o.dim);
    for (int i = 0; i < ITEMS; i++) ck_assert(fabsf(scores[0][i] - scores[1][i]) < 1e-5f);
    ck_assert_msg(fabs(loss[0] - loss[1]) < 1e-6 * loss[0], "%.9g and %.9g", loss[0], loss[1]);
}
END_TEST

START_TEST(new_items_begin_without_a_bias_and_trained_ones_keep_theirs)
{
    sq_options o = options_of(_i, 0);
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (uint64_t i = 0; i < 3; i++) {
        small_batch b = batch_number(i);
        small_step(s.trainer, &b);
    }
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    float kept = *bias_of(s.trainer, 7);
    ck_assert(kept != 0);
    small_put(&s, 1000, 5, NULL);
    EXPECT_OK(sq_trainer_sync(s.trainer, error));
    ck_assert(*bias_of(s.trainer, 7) == kept);
    for (int32_t i = ITEMS; i < ITEMS + 5; i++) ck_assert(*bias_of(s.trainer, i) == 0);
    small_close(&s);
}
END_TEST

START_TEST(cosine_scores_have_no_bias)
{
    sq_options o = options_of(0, 0);
    seqrec_error error = {0};
    o.score = SQ_SCORE_COSINE;
    ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_E_ARGUMENT);
    ck_assert_msg(strstr(error.message, "item_bias needs score = dot") != NULL, "%s", error.message);
    o.item_bias = 0;
    ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("itembias");
    TCase *tests = tcase_create("itembias");
    tcase_add_loop_test(tests, gradients_of_rows_with_biases_are_slopes, 0, MODES * LOSSES);
    tcase_add_loop_test(tests, biases_train_to_the_same_bits_at_any_number_of_threads, 0, MODES * LOSSES);
    tcase_add_loop_test(tests, a_score_is_the_product_of_the_vectors_and_the_bias, 0, 2 * MODES);
    tcase_add_loop_test(tests, a_bias_is_no_input, 0, 2 * MODES);
    tcase_add_loop_test(tests, without_biases_that_differ_from_zero_the_model_is_the_one_without, 0, 2 * MODES);
    tcase_add_loop_test(tests, new_items_begin_without_a_bias_and_trained_ones_keep_theirs, 0, MODES);
    tcase_add_test(tests, cosine_scores_have_no_bias);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
