/* unit: attention over the latest events alone: against double precision, how far it reaches, what it leaves untouched, the same
 * bits where it cuts nothing off, and the memory of long histories. */
#include <stdio.h>
#include "kernel_check.h"
#include "network_pass.h"
#include "run_suite.h"

#define LENGTH 75
#define WIDTH 10
#define PADDED 16
#define COLUMNS 20

/* ---- one head ----------------------------------------------------------------------------------------------------- */

static const size_t spans[] = {1, 2, 15, 16, 17, 24, 25, 40, 74, 75, 200};
#define SPANS ((int)(sizeof spans / sizeof *spans))
#define KINDS 4 /* softmax and pointwise, plain and with terms by distance */

typedef struct one_head {
    matrix q, k, v, keys, values, bias, transposed;
    sq_relation relation;
    sq_head head;
    sq_arena arena;
    sq_head_scratch scratch;
    seqrec_context *context;
} one_head;

static void head_open(one_head *o, const sq_kernels *k, size_t span, int kind)
{
    matrix *tables[] = {&o->q, &o->k, &o->v, &o->keys, &o->values};
    size_t padded = sq_round16(COLUMNS);
    for (size_t i = 0; i < 5; i++) {
        *tables[i] = matrix_open_slack(i < 3 ? LENGTH : COLUMNS, PADDED, PADDED, 256);
        matrix_random(tables[i], 50 + i, WIDTH);
    }
    o->bias = matrix_of(1, padded, padded, 60);
    o->transposed = matrix_open(PADDED, padded, padded);
    k->transpose(COLUMNS, PADDED, o->keys.at, PADDED, o->transposed.at, padded);
    o->relation = (sq_relation){.past = COLUMNS - 1, .columns = COLUMNS, .ld = PADDED, .bias = o->bias.at, .keys = o->keys.at};
    o->relation.values = o->values.at;
    o->relation.keys_t = o->transposed.at;
    o->relation.ld_t = padded;
    o->head = (sq_head){.length = LENGTH, .width = WIDTH, .padded = PADDED, .ld = PADDED, .span = span};
    o->head.q = o->q.at;
    o->head.k = o->k.at;
    o->head.v = o->v.at;
    o->head.dropout.scale = 1;
    o->head.pointwise = kind % 2 ? 0.05f : 0;
    o->head.relation = kind / 2 ? &o->relation : NULL;
    EXPECT_OK(sq_context_create(NULL, NULL, 0, NULL, NULL, &o->context, error));
    o->arena = (sq_arena){0};
    sq_head_scratch_take(&o->arena, LENGTH, PADDED, COLUMNS, 0, &o->scratch);
    EXPECT_OK(sq_arena_reserve(&o->arena, &o->context->memory, o->arena.peak, error));
    sq_head_scratch_take(&o->arena, LENGTH, PADDED, COLUMNS, 0, &o->scratch);
}

static void head_close(one_head *o)
{
    matrix *all[] = {&o->q, &o->k, &o->v, &o->keys, &o->values, &o->bias, &o->transposed};
    for (size_t i = 0; i < 7; i++) matrix_close(all[i]);
    sq_arena_free(&o->arena, &o->context->memory);
    sq_context_release(o->context);
}

static double plain_dot(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static size_t table_row(size_t t, size_t j) { return t - j < COLUMNS ? COLUMNS - 1 - (t - j) : 0; }

/* The output of token t, over keys t - span + 1 .. t. */
static void plain_row(const one_head *o, size_t t, double *out)
{
    double weights[LENGTH], sum = 0;
    const int terms = o->head.relation != NULL, pointwise = o->head.pointwise > 0;
    size_t from = t + 1 > o->head.span ? t + 1 - o->head.span : 0;
    for (size_t i = 0; i < WIDTH; i++) out[i] = 0;
    for (size_t j = from; j <= t; j++) {
        double score = plain_dot(row_of(&o->q, t), row_of(&o->k, j));
        if (terms) score += plain_dot(row_of(&o->q, t), row_of(&o->keys, table_row(t, j))) + (double)o->bias.at[table_row(t, j)];
        weights[j] = pointwise ? (double)o->head.pointwise * score / (1 + exp(-score)) : exp(score / sqrt(WIDTH));
        sum += weights[j];
    }
    for (size_t j = from; j <= t; j++)
        for (size_t i = 0; i < WIDTH; i++) {
            double value = (double)row_of(&o->v, j)[i] + (terms ? (double)row_of(&o->values, table_row(t, j))[i] : 0);
            out[i] += weights[j] / (pointwise ? 1 : sum) * value;
        }
}

START_TEST(attention_with_a_span_is_over_the_latest_keys)
{
    const sq_kernels *k = sq_kernels_variant(_i / SPANS);
    float out[LENGTH * PADDED], alone[LENGTH * PADDED], *kept;
    if (!k) return;
    for (int kind = 0; kind < KINDS; kind++) {
        one_head o;
        head_open(&o, k, spans[_i % SPANS], kind);
        kept = malloc(sq_head_kept(LENGTH, 0, o.head.span) * sizeof *kept);
        sq_head_fwd(k, &o.head, 0, out, PADDED, kept, &o.scratch);
        for (size_t t = 0; t < LENGTH; t++) {
            double expected[WIDTH];
            plain_row(&o, t, expected);
            for (size_t i = 0; i < WIDTH; i++)
                MUST(fabs((double)out[t * PADDED + i] - expected[i]) < 1e-5, "kind %d, token %zu: %g and %g", kind, t,
                     (double)out[t * PADDED + i], expected[i]);
        }
        for (size_t t = 0; t < LENGTH; t++) { /* a sequence that ends there, and its last row alone */
            o.head.length = t + 1;
            sq_head_fwd(k, &o.head, t, alone, PADDED, NULL, &o.scratch);
            for (size_t i = 0; i < WIDTH; i++)
                MUST(same_bits(alone[t * PADDED + i], out[t * PADDED + i]), "kind %d, token %zu alone: %g and %g", kind, t,
                     (double)alone[t * PADDED + i], (double)out[t * PADDED + i]);
        }
        free(kept);
        head_close(&o);
    }
}
END_TEST

/* Keys and values that no row of a pass can see may hold anything; what is kept of a row does not grow with the length. */
START_TEST(what_lies_beyond_the_span_is_not_read)
{
    const sq_kernels *k = sq_kernels_best();
    one_head o;
    float out[LENGTH * PADDED];
    head_open(&o, k, 10, _i);
    for (size_t j = 0; j < 48; j++)
        for (size_t i = 0; i < WIDTH; i++) row_of(&o.k, j)[i] = row_of(&o.v, j)[i] = NAN;
    sq_head_fwd(k, &o.head, 73, out, PADDED, NULL, &o.scratch); /* keys 64 .. 74 are seen, 48 the first read */
    for (size_t t = 73; t < LENGTH; t++)
        for (size_t i = 0; i < WIDTH; i++) ck_assert(isfinite(out[t * PADDED + i]));
    head_close(&o);
    ck_assert_uint_le(sq_head_kept(65536, 0, 64), 65536u * (64 + 2 * SQ_ATTENTION_ROWS + 16));
    ck_assert_uint_gt(sq_head_kept(65536, 0, 0), (size_t)65536 * 65536 / 2);
}
END_TEST

/* ---- the network ---------------------------------------------------------------------------------------------------- */

static sq_options span_options(int64_t blocks, int64_t span)
{
    sq_options o = small_options("sasrec");
    o.position = SQ_POSITION_NONE;
    o.blocks = blocks;
    o.heads = 2;
    o.attention_span = span;
    return o;
}

/* Each block reaches back a span: the event that is just within reach matters to the last vector, the one before does not. */
START_TEST(a_vector_depends_on_the_events_in_reach)
{
    const int64_t blocks = 1 + _i, span = 9, reach = blocks * (span - 1) + 1;
    sq_options o = span_options(blocks, span);
    small_model s = small_open(&o, 0, 90);
    small_weights(&s);
    small_batch b;
    small_draw(&b, 3, 1, 70, 70, 90);
    size_t dp = (size_t)s.model->layout.dp, last = 69 * dp;
    network_pass *p = pass_open(s.model, &b, 0, 0, 1);
    pass_forward(p);
    for (int64_t back = reach; back <= reach + 1; back++) {
        small_batch other = b;
        other.slots[70 - back] = (b.slots[70 - back] + 1) % 90;
        network_pass *q = pass_open(s.model, &other, 0, 0, 1);
        pass_forward(q);
        ck_assert_msg((memcmp(p->u + last, q->u + last, dp * sizeof *p->u) == 0) == (back > reach), "%d blocks, %d events back",
                      (int)blocks, (int)back);
        pass_close(q);
    }
    pass_close(p);
    small_close(&s);
}
END_TEST

/* Old events in front, beyond the reach of the last vectors, move these to other slots: by a multiple of the 48 rows and lanes that sums are
 * laid out in, nothing changes in bits; by others, and for rotated queries, which are rounded at their angle, nothing beyond rounding. */
START_TEST(schemes_by_distance_do_not_see_where_in_the_window_an_event_lies)
{
    static const struct {
        int64_t relative, position, clip;
    } schemes[] = {{SQ_RELATIVE_NONE, SQ_POSITION_NONE, 0}, {SQ_RELATIVE_SHAW, SQ_POSITION_NONE, 0}, {SQ_RELATIVE_SHAW, SQ_POSITION_NONE, 4},
                   {SQ_RELATIVE_BIAS, SQ_POSITION_NONE, 0}, {SQ_RELATIVE_T5, SQ_POSITION_NONE, 0}, {SQ_RELATIVE_ALIBI, SQ_POSITION_NONE, 0},
                   {SQ_RELATIVE_ROTARY, SQ_POSITION_NONE, 0}, {SQ_RELATIVE_NONE, SQ_POSITION_REVERSED, 0}, {SQ_RELATIVE_NONE, SQ_POSITION_REVERSED, 3}};
    static const int64_t shifts[] = {48, 96, 1, 7, 25, 64};
    const int64_t own = 40, blocks = 2, span = 9, reach = blocks * (span - 1) + 1;
    sq_options o = span_options(blocks, span);
    o.heads = 5;
    o.relative = schemes[_i].relative;
    o.position = schemes[_i].position;
    o.relative_clip = schemes[_i].clip;
    small_model s = small_open(&o, 0, 90);
    small_weights(&s);
    small_batch whole, b;
    small_draw(&whole, 3, 1, own + 96, own + 96, 90);
    const size_t dp = (size_t)s.model->layout.dp, n = (size_t)(own - reach) * dp;
    for (size_t shift = 0; shift < sizeof shifts / sizeof *shifts; shift++) {
        network_pass *passes[2];
        for (int moved = 0; moved < 2; moved++) {
            const int64_t front = moved ? shifts[shift] : 0;
            b = whole;
            b.offsets[1] = own + front;
            memcpy(b.slots, whole.slots + 96 - front, (size_t)(own + front) * sizeof *b.slots);
            passes[moved] = pass_open(s.model, &b, 0, 0, 1);
            pass_forward(passes[moved]);
        }
        const float *here = passes[0]->u + (size_t)reach * dp, *there = passes[1]->u + (size_t)(reach + shifts[shift]) * dp;
        double most = 0;
        for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)here[i] - (double)there[i]));
        const int bits = shift < 2 && schemes[_i].relative != SQ_RELATIVE_ROTARY;
        ck_assert_msg(bits ? memcmp(here, there, n * sizeof *here) == 0 : most < 1e-5, "by %d events: %g", (int)shifts[shift], most);
        for (int moved = 0; moved < 2; moved++) pass_close(passes[moved]);
    }
    small_close(&s);
}
END_TEST

/* Weights after a few steps on sequences of at most 60 events. */
static void expect_same(sq_options a, sq_options b, int32_t threads, const char *what)
{
    a.dropout = b.dropout = 0.2;
    small_same(a, b, threads, what);
}

START_TEST(a_span_that_cuts_nothing_off_changes_no_bit)
{
    expect_same(span_options(2, 0), span_options(2, 60), 0, "the longest sequence");
    expect_same(span_options(2, 0), span_options(2, 200), 0, "the window");
    sq_options shaw = span_options(2, 0), wide = span_options(2, 500);
    shaw.relative = wide.relative = SQ_RELATIVE_SHAW;
    expect_same(shaw, wide, 0, "more than the window, by distance");
}
END_TEST

START_TEST(training_with_a_span_gives_the_same_bits_on_any_number_of_threads)
{
    sq_options o = span_options(2, 7);
    o.relative = _i ? SQ_RELATIVE_T5 : SQ_RELATIVE_NONE;
    o.attention = _i == 2 ? SQ_ATTENTION_HSTU : SQ_ATTENTION_SOFTMAX;
    if (_i == 2) o.wiring = SQ_WIRING_PRE_NORM;
    expect_same(o, o, 4, "threads");
}
END_TEST

/* ---- long histories ------------------------------------------------------------------------------------------------- */

#define LONG 4096
#define MEGABYTES ((size_t)1000 * 1000)

/* What one worker's arena holds after a step on a sequence of LONG events, width 64, two blocks. */
static size_t long_step_memory(sq_options o)
{
    static small_batch b;
    o.dim = 64;
    o.max_length = LONG;
    if (o.position != SQ_POSITION_REVERSED) o.position = SQ_POSITION_END;
    small_model s = small_open(&o, 0, 90);
    small_train(&s, &o);
    small_draw(&b, 4, 1, LONG, LONG, 90);
    double loss = small_step(s.trainer, &b);
    ck_assert(isfinite(loss));
    ck_assert_int_eq(s.trainer->plan.tokens, LONG - 1);
    size_t bytes = s.trainer->arenas[0].capacity;
    small_close(&s);
    return bytes;
}

START_TEST(a_step_on_four_thousand_events_takes_less_than_100_megabytes_a_thread)
{
    static const int64_t spans_and_heads[][2] = {{0, 1}, {64, 1}, {512, 1}, {64, 2}};
    sq_options o = span_options(2, spans_and_heads[_i][0]);
    o.heads = spans_and_heads[_i][1];
    size_t bytes = long_step_memory(o);
    ck_assert_msg(bytes < 100 * MEGABYTES, "span %d: %zu bytes", (int)o.attention_span, bytes);
    ck_assert_uint_gt(bytes, 10 * MEGABYTES);
}
END_TEST

START_TEST(and_so_does_one_that_looks_at_the_times_of_all_pairs_or_has_wide_layers)
{
    static const char *const presets[] = {"hstu-time", "tisasrec", "fuxi", "esasrec", "sasrec", "sasrec"};
    sq_options o = small_options(presets[_i]);
    if (o.channels == SQ_CHANNELS_APART) o.time = SQ_TIME_BIAS;
    if (_i == 4) o.relative = SQ_RELATIVE_SHAW;
    if (_i == 5) o.position = SQ_POSITION_REVERSED;
    o.negatives = 80;
    size_t bytes = long_step_memory(o);
    ck_assert_msg(bytes < 100 * MEGABYTES, "%s, case %d: %zu bytes", presets[_i], _i, bytes);
}
END_TEST

/* ---- rules ------------------------------------------------------------------------------------------------------------ */

static void expect_refused(const char *settings, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "attention_span=20 %s", settings);
    small_refused(text, why);
}

START_TEST(what_has_no_band_of_keys_is_refused_with_the_rule)
{
    expect_refused("mask=bidirectional objective=cloze", "attention_span = 20 counts back from an event");
    expect_refused("gates=position", "for every pair of events");
    expect_refused("gates=content gate_estimator=hard_concrete", "for every pair of events");
    expect_refused("mixer=spectral", "have spectral_window");
    expect_refused("user_embedding=prefix", "would not see their user");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("span");
    TCase *tests = tcase_create("span");
    tcase_add_loop_test(tests, attention_with_a_span_is_over_the_latest_keys, 0, 3 * SPANS);
    tcase_add_loop_test(tests, what_lies_beyond_the_span_is_not_read, 0, KINDS);
    tcase_add_loop_test(tests, a_vector_depends_on_the_events_in_reach, 0, 3);
    tcase_add_loop_test(tests, schemes_by_distance_do_not_see_where_in_the_window_an_event_lies, 0, 9);
    tcase_add_test(tests, a_span_that_cuts_nothing_off_changes_no_bit);
    tcase_add_loop_test(tests, training_with_a_span_gives_the_same_bits_on_any_number_of_threads, 0, 3);
    tcase_add_loop_test(tests, a_step_on_four_thousand_events_takes_less_than_100_megabytes_a_thread, 0, 4);
    tcase_add_loop_test(tests, and_so_does_one_that_looks_at_the_times_of_all_pairs_or_has_wide_layers, 0, 6);
    tcase_add_test(tests, what_has_no_band_of_keys_is_refused_with_the_rule);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
