/* unit: Cloze training and the [MASK] behind a history: which events are masked, what sees what, threads, memory. */
#include "base/rng.h"
#include "counting_allocator.h"
#include "network_pass.h"
#include "run_suite.h"
#include "serve/encode.h"
#include "trainer_state.h"

#define ITEMS 300

static sq_options cloze_options(void)
{
    sq_options o = small_options("bert4rec");
    o.dim = 14;
    o.ffn_dim = 20;
    o.max_length = 24;
    o.micro_batch = 40;
    o.mask_probability = 0.3;
    o.mask_last_share = 0.2;
    o.dropout = 0.2;
    o.dropout_residual = 0.3;
    o.learning_rate = 0.01;
    return o;
}

/* A kind of training; cosine scores have no bias. */
static sq_options kind_options(int index)
{
    sq_options o = cloze_options();
    training_kind(index, &o);
    o.item_bias = o.score == SQ_SCORE_DOT;
    return o;
}

/* ---- which events are masked ------------------------------------------------------------------------------------- */

#define SAMPLES 400

typedef struct planned {
    counting_allocator counted;
    seqrec_allocator host;
    sq_memory memory;
    sq_plan plan;
} planned;

/* SAMPLES times the slots 100 .. 100 + n - 1. */
static void plan_open(planned *p, const sq_cloze *c, int64_t n, int64_t max_length)
{
    int32_t slots[64];
    memset(p, 0, sizeof *p);
    p->host = counting_host(&p->counted);
    EXPECT_OK(sq_memory_init(&p->memory, &p->host, error));
    for (int32_t i = 0; i < 64; i++) slots[i] = 100 + i;
    for (int64_t s = 0; s < SAMPLES; s++)
        EXPECT_OK(sq_plan_add_cloze(&p->plan, &p->memory, &(sq_plan_sequence){.slots = slots, .n = n}, max_length, 1, c, error));
    EXPECT_OK(sq_plan_finish(&p->plan, &p->memory, 32, error));
}

static void plan_close(planned *p)
{
    sq_plan_free(&p->plan, &p->memory);
    ck_assert_int_eq(p->counted.blocks, 0);
}

/* Inputs are the window, and [MASK] where a target says what stood there; returns the number of targets. */
static int64_t check_sample(const sq_plan *p, int64_t s, int64_t n, int64_t window)
{
    int64_t at = p->target_starts[s];
    ck_assert_int_eq(p->starts[s + 1] - p->starts[s], window);
    ck_assert_int_eq(p->seen_ends[s] - p->seen_starts[s], n);
    for (int64_t i = 0; i < window; i++) {
        int32_t own = (int32_t)(100 + n - window + i), input = p->inputs[p->starts[s] + i];
        if (input == own) continue;
        ck_assert_int_eq(input, -1);
        ck_assert_int_eq(p->target_tokens[at], p->starts[s] + i);
        ck_assert_int_eq(p->targets[at++], own);
    }
    ck_assert_int_eq(at, p->target_starts[s + 1]);
    return at - p->target_starts[s];
}

START_TEST(a_share_of_the_window_is_masked_and_at_least_one_event)
{
    static const double shares[] = {1e-6, 0.2, 0.5, 0.999999};
    static const int64_t lengths[] = {2, 3, 9, 20, 21, 40};
    planned p;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 6; j++) {
            int64_t n = lengths[j], window = n < 20 ? n : 20, want = (int64_t)floor(shares[i] * (double)window + 0.5);
            plan_open(&p, &(sq_cloze){7, shares[i], 0}, n, 20);
            for (int64_t s = 0; s < SAMPLES; s++) ck_assert_int_eq(check_sample(&p.plan, s, n, window), want < 1 ? 1 : want);
            ck_assert_int_eq(p.plan.most_targets, p.plan.target_count);
            plan_close(&p);
        }
}
END_TEST

START_TEST(every_place_is_masked_as_often)
{
    double counts[20] = {0}, pairs = 0;
    planned p;
    for (uint64_t key = 0; key < 10; key++) {
        plan_open(&p, &(sq_cloze){sq_random_key(key, SQ_STREAM_CLOZE, 3), 0.25, 0}, 20, 20);
        for (int64_t i = 0; i < p.plan.tokens; i++) counts[i % 20] += p.plan.inputs[i] < 0;
        for (int64_t i = 0; i < p.plan.tokens; i += 20) pairs += p.plan.inputs[i + 3] < 0 && p.plan.inputs[i + 17] < 0;
        plan_close(&p);
    }
    for (int i = 0; i < 20; i++)
        ck_assert_msg(fabs(counts[i] - 1000) < 5 * sqrt(4000 * 0.25 * 0.75), "place %d: %g of 4000", i, counts[i]);
    double both = 4000.0 * 5 / 20 * 4 / 19; /* five of twenty without replacement */
    ck_assert_msg(fabs(pairs - both) < 5 * sqrt(both), "%g, not %g", pairs, both);
}
END_TEST

START_TEST(a_share_of_the_samples_masks_the_last_event_alone)
{
    static const double shares[] = {0, 0.3, 1};
    planned p;
    for (int i = 0; i < 3; i++) {
        double alone = 0;
        plan_open(&p, &(sq_cloze){99, 0.5, shares[i]}, 12, 20);
        for (int64_t s = 0; s < SAMPLES; s++)
            alone += check_sample(&p.plan, s, 12, 12) == 1 && p.plan.inputs[p.plan.starts[s + 1] - 1] < 0;
        ck_assert_msg(fabs(alone - SAMPLES * shares[i]) <= 5 * sqrt(SAMPLES * shares[i] * (1 - shares[i])), "%g", alone);
        plan_close(&p);
    }
}
END_TEST

START_TEST(masks_follow_the_step_and_the_seed)
{
    sq_options o = cloze_options();
    small_batch b = {.sequences = 1, .offsets = {0, 20}};
    uint32_t seen[3] = {0};
    for (int32_t i = 0; i < 20; i++) b.slots[i] = i;
    for (int run = 0; run < 3; run++) {
        o.seed = run == 2 ? 43 : 42;
        o.mask_last_share = 0;
        small_model s = small_open(&o, 0, ITEMS);
        small_train(&s, &o);
        if (run == 1) small_step(s.trainer, &b);
        small_plan(s.trainer, &b);
        for (int i = 0; i < 20; i++) seen[run] |= (uint32_t)(s.trainer->plan.inputs[i] < 0) << i;
        small_close(&s);
    }
    ck_assert(seen[0] != seen[1] && seen[0] != seen[2] && seen[1] != seen[2]);
}
END_TEST

/* ---- what sees what ---------------------------------------------------------------------------------------------- */

/* User vectors of the targets of one step. */
static sq_trainer *after_step(small_model *s, const sq_options *o, const small_batch *b)
{
    *s = small_open(o, 0, ITEMS);
    small_train(s, o);
    small_step(s->trainer, b);
    return s->trainer;
}

START_TEST(a_masked_event_does_not_see_itself_and_sees_all_others)
{
    sq_options o = cloze_options();
    o.blocks = 1;
    small_batch b, other;
    small_model s, q;
    small_draw(&b, 3, 6, 10, 24, ITEMS);
    sq_trainer *t = after_step(&s, &o, &b);
    size_t dp = (size_t)t->model->layout.dp, first = 0;
    int changed = 0;
    other = b;
    for (int64_t i = 0; i < t->plan.tokens; i++)
        if (t->plan.inputs[i] < 0) other.slots[i] = (b.slots[i] + 7) % ITEMS, changed++;
    ck_assert_int_gt(changed, 6);
    sq_trainer *u = after_step(&q, &o, &other);
    ck_assert_int_eq(u->plan.target_count, t->plan.target_count);
    same_floats("user vectors", t->u, u->u, (size_t)t->plan.target_count * dp);
    small_close(&q);
    /* The last event of the first sequence that is not masked: each of its masked ones sees it, however far before. */
    int64_t at = b.offsets[1] - 1;
    while (t->plan.inputs[at] < 0) at--;
    other = b;
    other.slots[at] = (b.slots[at] + 7) % ITEMS;
    u = after_step(&q, &o, &other);
    for (; first < (size_t)t->plan.target_starts[1]; first++)
        ck_assert_msg(memcmp(t->u + first * dp, u->u + first * dp, dp * sizeof(float)) != 0, "target %d", (int)first);
    same_floats("other sequences", t->u + first * dp, u->u + first * dp, ((size_t)t->plan.target_count - first) * dp);
    small_close(&q);
    small_close(&s);
}
END_TEST

/* The history's last max_length - 1 events and [MASK]; what is older does not matter. */
START_TEST(a_history_is_read_at_a_mask_behind_it)
{
    static const int64_t lengths[] = {1, 2, 22, 23, 24, 40};
    sq_options o = cloze_options();
    o.position = _i;
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    sq_encoder encoder = sq_encoder_of(s.model, s.model->current);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        small_batch b, masked = {.sequences = 1};
        sq_arena arena = {0};
        sq_encode_scratch scratch;
        float u[16];
        int64_t n = lengths[i], kept = n < 23 ? n : 23;
        small_draw(&b, i, 1, n, n, ITEMS);
        sq_encode_scratch_take(&arena, s.model, sq_encode_window(s.model, n), &scratch);
        EXPECT_OK(sq_arena_reserve(&arena, &s.context->memory, arena.peak, error));
        sq_encode_scratch_take(&arena, s.model, sq_encode_window(s.model, n), &scratch);
        sq_encode(&encoder, &(sq_history){.slots = b.slots, .n = n, .user = -1}, &scratch, u);
        memcpy(masked.slots, b.slots + n - kept, (size_t)kept * sizeof *b.slots);
        masked.slots[kept] = -1;
        masked.offsets[1] = kept + 1;
        network_pass *p = pass_open(s.model, &masked, 0, 0, 1);
        same_floats("user vector", pass_forward(p) + (size_t)kept * 16, u, 14);
        ck_assert(u[14] == 1 && u[15] == 0);
        pass_close(p);
        sq_arena_free(&arena, &s.context->memory);
    }
    small_close(&s);
}
END_TEST

/* ---- training ---------------------------------------------------------------------------------------------------- */

static small_batch batch_number(uint64_t number)
{
    small_batch b;
    small_draw(&b, 10 * number, 10, 1, 30, ITEMS);
    return b;
}

static trainer_state trained(const sq_options *o, int32_t threads, double *loss)
{
    small_model s = small_open(o, threads, ITEMS);
    small_train(&s, o);
    for (uint64_t i = 0; i < 8; i++) {
        small_batch b = batch_number(i);
        *loss = small_step(s.trainer, &b);
    }
    trainer_state state = state_of(s.trainer);
    small_close(&s);
    return state;
}

START_TEST(steps_give_the_same_bits_at_any_number_of_threads)
{
    sq_options o = kind_options(_i);
    double loss, other_loss;
    o.clip_norm = _i % 3 ? 0 : 0.5;
    trainer_state one = trained(&o, 1, &loss);
    for (int32_t threads = 2; threads <= 4; threads += 2) {
        trainer_state other = trained(&o, threads, &other_loss);
        same_state(&one, &other);
        ck_assert(memcmp(&loss, &other_loss, sizeof loss) == 0);
        state_free(&other);
    }
    state_free(&one);
}
END_TEST

START_TEST(every_kind_of_training_lowers_the_loss)
{
    sq_options o = kind_options(_i);
    o.dropout = o.dropout_residual = 0;
    small_model s = small_open(&o, 0, 60);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 5, 10, 4, 12, 60);
    double first = small_step(s.trainer, &b), last = 0;
    for (int i = 0; i < 120; i++) last = i < 110 ? small_step(s.trainer, &b), 0 : last + small_step(s.trainer, &b) / 10;
    ck_assert_msg(last < 0.85 * first, "from %g to %g", first, last);
    small_close(&s);
}
END_TEST

START_TEST(a_warm_step_allocates_nothing)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    sq_options o = kind_options(_i);
    o.mask_last_share = 0.7; /* most warm steps have fewer targets than they may */
    small_model s = small_open_with(&host, &o, 2, ITEMS);
    small_train(&s, &o);
    small_batch largest;
    small_draw(&largest, 3, 10, 30, 30, ITEMS);
    small_step(s.trainer, &largest);
    int64_t requests = counted.requests;
    for (int i = 0; i < 10; i++) {
        small_step(s.trainer, &largest);
        ck_assert_msg(counted.requests == requests, "step %d asked %d times", i, (int)(counted.requests - requests));
    }
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
}
END_TEST

/* ---- options ----------------------------------------------------------------------------------------------------- */

START_TEST(combinations_that_make_no_model_are_refused)
{
    static const struct {
        int64_t mask, objective, max_length, heads;
        const char *rule;
    } rows[] = {
        {SQ_MASK_CAUSAL, SQ_OBJECTIVE_CLOZE, 24, 2, "objective = cloze needs mask = bidirectional"},
        {SQ_MASK_BIDIRECTIONAL, SQ_OBJECTIVE_NEXT, 24, 2, "mask = bidirectional needs objective = cloze"},
        {SQ_MASK_BIDIRECTIONAL, SQ_OBJECTIVE_CLOZE, 1, 2, "needs max_length of at least 2, not 1"},
        {SQ_MASK_BIDIRECTIONAL, SQ_OBJECTIVE_CLOZE, 24, 3, "heads = 3 must divide dim = 14"},
    };
    sq_options o = cloze_options();
    seqrec_error error = {0};
    ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        o.mask = rows[i].mask;
        o.objective = rows[i].objective;
        o.max_length = rows[i].max_length;
        o.heads = rows[i].heads;
        ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(error.message, rows[i].rule) != NULL, "%s", error.message);
    }
    static const char *const outside[] = {"0", "1", "-0.2", "1.5"};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(sq_options_set(&o, "mask_probability", outside[i], &error), SEQREC_E_RANGE);
        ck_assert_msg(strstr(error.message, "mask_probability") != NULL, "%s", error.message);
    }
    ck_assert_int_eq(sq_options_set(&o, "maskings", "0", &error), SEQREC_E_RANGE);
    ck_assert_int_eq(sq_options_set(&o, "mask_last_share", "1.1", &error), SEQREC_E_RANGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cloze");
    TCase *tests = tcase_create("cloze");
    tcase_add_test(tests, a_share_of_the_window_is_masked_and_at_least_one_event);
    tcase_add_test(tests, every_place_is_masked_as_often);
    tcase_add_test(tests, a_share_of_the_samples_masks_the_last_event_alone);
    tcase_add_test(tests, masks_follow_the_step_and_the_seed);
    tcase_add_test(tests, a_masked_event_does_not_see_itself_and_sees_all_others);
    tcase_add_loop_test(tests, a_history_is_read_at_a_mask_behind_it, 0, 3);
    tcase_add_loop_test(tests, steps_give_the_same_bits_at_any_number_of_threads, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, every_kind_of_training_lowers_the_loss, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, a_warm_step_allocates_nothing, 0, TRAINING_KINDS);
    tcase_add_test(tests, combinations_that_make_no_model_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
