/* unit: stochastic length: which inputs of a long sequence are kept, what they predict, and how often. */
#include <stdio.h>
#include "run_suite.h"
#include "small_model.h"

#define N 100   /* max_length */
#define KEPT 25 /* floor(100^0.7) */
#define EVENTS 93

static int32_t events[EVENTS];
static float weights[EVENTS];
static int64_t times[EVENTS];

static sq_options length_options(void)
{
    sq_options o = small_options("sasrec");
    o.max_length = N;
    o.length_alpha = 1.4;
    for (int i = 0; i < EVENTS; i++) events[i] = i, weights[i] = (float)(i + 1), times[i] = 100 + i;
    return o;
}

static void add(sq_trainer *t, int64_t n)
{
    EXPECT_OK(sq_trainer_plan_add(t, &(sq_plan_sequence){.slots = events, .n = n}, error));
}

/* Item i of the sequence is i: the plan says which events are inputs. */
START_TEST(kept_inputs_stay_in_order_and_predict_the_event_behind_them)
{
    sq_options o = length_options();
    small_model s = small_open(&o, 0, 120);
    int whole = 0, some = 0;
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    for (int i = 0; i < 200; i++) {
        sq_plan_sequence sequence = {.slots = events, .weights = weights, .times = times, .n = EVENTS, .behind = 3};
        EXPECT_OK(sq_trainer_plan_add(s.trainer, &sequence, error));
        int64_t from = p->starts[i], n = p->starts[i + 1] - from;
        ck_assert(n == KEPT || n == EVENTS - 4);
        *(n == KEPT ? &some : &whole) += 1;
        for (int64_t t = from; t < from + n; t++) {
            if ((t > from && p->inputs[t] <= p->inputs[t - 1]) || p->targets[t] != p->inputs[t] + 1 || p->target_tokens[t] != t ||
                p->inputs[t] > EVENTS - 5 || p->weights[t] != weights[p->targets[t]] ||
                p->times[t] != 100 + p->inputs[t] || p->asks[t] != 100 + p->targets[t])
                ck_abort_msg("sequence %d, input %d: target %d of weight %g", i, (int)p->inputs[t], (int)p->targets[t],
                             (double)p->weights[t]);
        }
        ck_assert_int_eq(p->seen_ends[i] - p->seen_starts[i], EVENTS); /* what is left out is no negative */
    }
    ck_assert(whole > 0 && some > 0);
    small_close(&s);
}
END_TEST

/* N^alpha / n^2 of the sequences are whole, and in the others every input is kept as often as every other. */
START_TEST(every_input_is_kept_alike_and_some_sequences_are_whole)
{
    sq_options o = length_options();
    const int64_t draws = 20000, inputs = EVENTS - 1;
    int64_t whole = 0, kept[EVENTS] = {0};
    small_model s = small_open(&o, 0, 120);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    for (int64_t i = 0; i < draws; i++) {
        add(s.trainer, EVENTS);
        if (p->starts[i + 1] - p->starts[i] == inputs)
            whole++;
        else
            for (int64_t t = p->starts[i]; t < p->starts[i + 1]; t++) kept[p->inputs[t]]++;
    }
    double share = pow(N, 1.4) / (double)(inputs * inputs), deviation = sqrt(share * (1 - share) / (double)draws);
    ck_assert_msg(fabs((double)whole / (double)draws - share) < 4 * deviation, "%g of the sequences, not %g",
                  (double)whole / (double)draws, share);
    double part = (double)KEPT / (double)inputs, expected = part * (double)(draws - whole), square = 0;
    for (int64_t i = 0; i < inputs; i++) square += pow((double)kept[i] - expected, 2) / (expected * (1 - part));
    ck_assert_msg(square < 143, "chi-square %g of %d degrees", square, (int)inputs - 1); /* one case in 2,000 */
    small_close(&s);
}
END_TEST

START_TEST(short_sequences_stay_whole_and_the_newest_can_be_chosen)
{
    sq_options o = length_options();
    o.length_choice = SQ_LENGTH_NEWEST;
    small_model s = small_open(&o, 0, 120);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    int cut = 0;
    for (int i = 0; i < 50; i++) add(s.trainer, KEPT + 1);
    for (int i = 0; i < 50; i++) ck_assert_int_eq(p->starts[i + 1] - p->starts[i], KEPT);
    for (int i = 50; i < 100; i++) {
        add(s.trainer, EVENTS);
        int64_t n = p->starts[i + 1] - p->starts[i];
        cut += n == KEPT;
        ck_assert_int_eq(p->inputs[p->starts[i]], EVENTS - 1 - n);
        ck_assert_int_eq(p->targets[p->starts[i + 1] - 1], EVENTS - 1);
    }
    ck_assert_int_gt(cut, 25);
    add(s.trainer, 1); /* nothing to predict */
    ck_assert_int_eq(p->sequences, 100);
    small_close(&s);
}
END_TEST

/* A few steps, which follow the seed and the step alone. */
static small_model trained(double alpha, int32_t threads, int64_t *tokens)
{
    sq_options o = length_options();
    o.length_alpha = alpha;
    o.micro_batch = 64;
    small_model s = small_open(&o, threads, 120);
    static small_batch b;
    small_train(&s, &o);
    small_draw(&b, 4, 20, 20, 120, 120);
    *tokens = 0;
    for (int i = 0; i < 6; i++) {
        ck_assert(isfinite(small_step(s.trainer, &b)));
        *tokens += s.trainer->plan.tokens;
    }
    return s;
}

START_TEST(leaving_out_saves_tokens_and_does_not_depend_on_threads)
{
    int64_t few, same, all;
    small_model one = trained(1.4, 0, &few), four = trained(1.4, 4, &same), whole = trained(2, 0, &all);
    size_t bytes = one.model->layout.floats * sizeof(float);
    ck_assert_int_eq(few, same);
    ck_assert_msg(few < all * 5 / 8, "%d of %d tokens", (int)few, (int)all);
    ck_assert(memcmp(one.trainer->weights, four.trainer->weights, bytes) == 0);
    ck_assert(memcmp(one.trainer->weights, whole.trainer->weights, bytes) != 0);
    small_close(&one);
    small_close(&four);
    small_close(&whole);
}
END_TEST

START_TEST(what_needs_neighbours_is_refused_with_the_rule)
{
    static const char *const refused[][4] = {{"mask", "bidirectional", "objective", "cloze"},
                                             {"objective", "prefix", "targets", "1"},
                                             {"targets", "2", "loss", "sampled_softmax"},
                                             {"sse_item", "0.1", "targets", "1"}};
    static const char *const why[] = {"objective = next", "objective = next", "not the next events", "must be the target"};
    for (size_t i = 0; i < 4; i++) {
        sq_options o = length_options();
        seqrec_error e = {0};
        EXPECT_OK(sq_options_check(&o, error));
        EXPECT_OK(sq_options_set(&o, refused[i][0], refused[i][1], error));
        EXPECT_OK(sq_options_set(&o, refused[i][2], refused[i][3], error));
        ck_assert_int_eq(sq_options_check(&o, &e), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(e.message, why[i]), "%s", e.message);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("length");
    TCase *tests = tcase_create("length");
    tcase_add_test(tests, kept_inputs_stay_in_order_and_predict_the_event_behind_them);
    tcase_add_test(tests, every_input_is_kept_alike_and_some_sequences_are_whole);
    tcase_add_test(tests, short_sequences_stay_whole_and_the_newest_can_be_chosen);
    tcase_add_test(tests, leaving_out_saves_tokens_and_does_not_depend_on_threads);
    tcase_add_test(tests, what_needs_neighbours_is_refused_with_the_rule);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
