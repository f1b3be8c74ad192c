/* unit: relative positions: the kernels of terms by distance against plain C, attention with them against double precision, the
 * schemes' published values, and the paper's rule taken literally against its one-pass form. */
#include <stdio.h>
#include "kernel_check.h"
#include "network_pass.h"
#include "position/scheme.h"
#include "run_suite.h"

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

typedef struct distances {
    size_t n, at, seen, more, past, columns;
} distances;

/* Causal blocks before, at and beyond the reach of the table; both ways; one column. */
static const distances cases[] = {
    {1, 0, 1, 1, 0, 1},     {5, 0, 1, 1, 9, 10},     {7, 20, 21, 1, 9, 10},   {24, 24, 25, 1, 200, 201},
    {3, 64, 65, 1, 64, 65}, {24, 48, 49, 1, 15, 16}, {24, 24, 100, 0, 9, 19}, {9, 0, 33, 0, 40, 81},
    {8, 88, 96, 0, 3, 7},   {2, 30, 31, 1, 0, 1},
};

static size_t column_of(const distances *c, size_t r, size_t j)
{
    ptrdiff_t x = (ptrdiff_t)j - (ptrdiff_t)(c->at + r) + (ptrdiff_t)c->past;
    return x < 0 ? 0 : x >= (ptrdiff_t)c->columns ? c->columns - 1 : (size_t)x;
}

static void distances_case(const sq_kernels *k, const distances *c, int shared)
{
    size_t seen = c->seen + (c->n - 1) * c->more, width = (seen + 15) / 16 * 16, padded = (c->columns + 15) / 16 * 16;
    matrix s = matrix_of(c->n, width, width + 16, 3), before = matrix_copy(&s);
    matrix terms = matrix_of(shared ? 1 : c->n, padded, padded, 4), sums = matrix_of(c->n, padded, padded + 16, 5);
    k->spread(c->n, c->at, c->seen, c->more, s.ld, c->past, c->columns, shared ? 0 : terms.ld, terms.at, s.at);
    k->collect(c->n, c->at, c->seen, c->more, s.ld, c->past, c->columns, sums.ld, before.at, sums.at);
    for (size_t r = 0; r < c->n; r++) {
        double expected[256] = {0};
        size_t v = c->seen + r * c->more;
        for (size_t j = 0; j < width; j++) {
            float x = row_of(&before, r)[j];
            if (j < v) expected[column_of(c, r, j)] += x;
            float term = j < v ? row_of(&terms, shared ? 0 : r)[column_of(c, r, j)] : 0;
            HOLDS(same_bits(row_of(&s, r)[j], j < v ? x + term : x));
        }
        for (size_t x = 0; x < padded; x++) HOLDS(fabs(row_of(&sums, r)[x] - expected[x]) < 1e-5);
    }
    matrix *all[] = {&s, &before, &terms, &sums};
    for (size_t i = 0; i < 4; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void distances_body(const sq_kernels *k)
{
    EACH(distances, c, cases)
    for (int shared = 0; shared < 2; shared++) distances_case(k, c, shared);
}

START_TEST(terms_by_distance_are_spread_and_collected)
{
    each_variant(distances_body);
}
END_TEST

static void rotate_body(const sq_kernels *k)
{
    static const size_t halves[] = {1, 5, 8, 25, 32};
    EACH(size_t, half, halves)
    {
        matrix x = matrix_of(9, 2 * *half, 80, 6), before = matrix_copy(&x), c = matrix_of(9, *half, *half, 7),
               s = matrix_of(9, *half, *half, 8);
        k->rotate(9, *half, x.ld, *half, c.at, s.at, 1, x.at);
        for (size_t r = 0; r < 9; r++)
            for (size_t e = 0; e < *half; e++) {
                float a = row_of(&before, r)[e], b = row_of(&before, r)[*half + e];
                float p = a * row_of(&c, r)[e], q = b * row_of(&s, r)[e], t = b * row_of(&c, r)[e], u = a * row_of(&s, r)[e];
                HOLDS(same_bits(row_of(&x, r)[e], p - q));
                HOLDS(same_bits(row_of(&x, r)[*half + e], t + u));
            }
        matrix *all[] = {&x, &before, &c, &s};
        for (size_t i = 0; i < 4; i++) {
            matrix_note(all[i]);
            matrix_close(all[i]);
        }
    }
}

START_TEST(pairs_are_rotated)
{
    each_variant(rotate_body);
}
END_TEST

/* ---- attention ---------------------------------------------------------------------------------------------------- */

#define LENGTH 70
#define WIDTH 10
#define PADDED 16

typedef struct table {
    size_t past, columns;
    int32_t both_ways;
} table;
static const table tables[] = {{69, 70, 0}, {100, 101, 0}, {9, 10, 0}, {0, 1, 0}, {69, 139, 1}, {12, 25, 1}, {31, 32, 0}};
#define TABLES ((int)(sizeof tables / sizeof *tables))

static double relative_dot(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* What relation.h says, term by term. */
static void plain_attention(const table *c, const matrix *q, const matrix *key, const matrix *value, const matrix *a, const matrix *b,
                            const float *bias, size_t t, double *out)
{
    double weights[LENGTH], sum = 0;
    size_t seen = c->both_ways ? LENGTH : t + 1;
    distances d = {.at = t, .past = c->past, .columns = c->columns};
    for (size_t i = 0; i < WIDTH; i++) out[i] = 0;
    for (size_t j = 0; j < seen; j++) {
        size_t x = column_of(&d, 0, j);
        double score = relative_dot(row_of(q, t), row_of(key, j)) + relative_dot(row_of(q, t), row_of(a, x)) + (double)bias[x];
        sum += weights[j] = exp(score / sqrt(WIDTH));
    }
    for (size_t j = 0; j < seen; j++)
        for (size_t i = 0; i < WIDTH; i++)
            out[i] += weights[j] / sum * ((double)row_of(value, j)[i] + (double)row_of(b, column_of(&d, 0, j))[i]);
}

START_TEST(attention_adds_keys_values_and_biases_by_distance)
{
    const table *c = &tables[_i % TABLES];
    const sq_kernels *k = sq_kernels_variant(_i / TABLES);
    if (!k) return;
    size_t padded = (c->columns + 15) / 16 * 16, ld = (LENGTH + 15) / 16 * 16;
    matrix m[5], transposed = matrix_open(PADDED, padded, padded), bias = matrix_of(1, padded, padded, 40);
    for (size_t i = 0; i < 5; i++) {
        m[i] = matrix_open_slack(i < 3 ? LENGTH : c->columns, PADDED, PADDED, 256);
        matrix_random(&m[i], 30 + i, WIDTH);
    }
    float *scratch[6], out[LENGTH * PADDED];
    for (size_t i = 0; i < 6; i++) scratch[i] = calloc((i < 2 ? PADDED : SQ_ATTENTION_ROWS) * ld + 64, sizeof(float));
    float *r = calloc(SQ_ATTENTION_ROWS * padded + 64, sizeof *r);
    sq_head_scratch s = {scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], {0}, r, NULL};
    k->transpose(c->columns, PADDED, m[3].at, PADDED, transposed.at, padded);
    sq_relation relation = {.past = c->past, .columns = c->columns, .ld = PADDED, .bias = bias.at, .keys = m[3].at};
    relation.values = m[4].at;
    relation.keys_t = transposed.at;
    relation.ld_t = padded;
    sq_head head = {.length = LENGTH, .width = WIDTH, .padded = PADDED, .ld = PADDED, .q = m[0].at, .k = m[1].at, .v = m[2].at};
    head.bidirectional = c->both_ways;
    head.dropout.scale = 1;
    head.relation = &relation;
    sq_head_fwd(k, &head, 0, out, PADDED, NULL, &s);
    for (size_t t = 0; t < LENGTH; t++) {
        double expected[WIDTH];
        plain_attention(c, &m[0], &m[1], &m[2], &m[3], &m[4], bias.at, t, expected);
        for (size_t i = 0; i < WIDTH; i++)
            MUST(fabs((double)out[t * PADDED + i] - expected[i]) < 1e-5, "token %zu: %g and %g", t, (double)out[t * PADDED + i],
                 expected[i]);
    }
    for (size_t i = 0; i < 5; i++) matrix_close(&m[i]);
    matrix_close(&transposed);
    matrix_close(&bias);
    for (size_t i = 0; i < 6; i++) free(scratch[i]);
    free(r);
}
END_TEST

/* ---- the schemes' own values -------------------------------------------------------------------------------------- */

/* The published rule with 32 buckets and distance 128, worked out by hand. */
START_TEST(t5_buckets_are_the_published_ones)
{
    static const struct {
        int64_t offset;
        int32_t causal, both_ways;
    } known[] = {{0, 0, 0},     {-1, 1, 1},    {-7, 7, 7},     {-8, 8, 8},    {-15, 15, 9},   {-16, 16, 10}, {-20, 17, 10},
                 {-31, 21, 11}, {-32, 21, 12}, {-64, 26, 14},  {-127, 31, 15}, {-128, 31, 15}, {-5000, 31, 15},
                 {1, 0, 17},    {7, 0, 23},    {20, 0, 26},    {500, 0, 31}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const sq_scheme_shape causal = {0, 32, 128}, both_ways = {1, 32, 128};
        ck_assert_msg(sq_scheme_t5.bucket(&causal, known[i].offset) == known[i].causal, "offset %d: bucket %d",
                      (int)known[i].offset, sq_scheme_t5.bucket(&causal, known[i].offset));
        ck_assert_msg(sq_scheme_t5.bucket(&both_ways, known[i].offset) == known[i].both_ways, "offset %d both ways: bucket %d",
                      (int)known[i].offset, sq_scheme_t5.bucket(&both_ways, known[i].offset));
    }
}
END_TEST

START_TEST(alibi_slopes_halve_over_eight_heads)
{
    for (int32_t h = 0; h < 8; h++) ck_assert(fabs(sq_scheme_alibi.fixed(h, 8, -3) + 3 * ldexp(1, -(h + 1))) < 1e-15);
    ck_assert(fabs(sq_scheme_alibi.fixed(0, 16, 1) + sqrt(0.5)) < 1e-15);
}
END_TEST

/* An option's value is its place in the list of choices. */
START_TEST(the_choices_of_option_relative_are_the_rows_of_the_table)
{
    sq_options o = small_options("sasrec");
    for (int64_t i = 0; i < 6; i++) {
        EXPECT_OK(sq_options_set(&o, "relative", sq_scheme_at(i)->name, error));
        ck_assert_int_eq(o.relative, i);
        ck_assert_ptr_eq(sq_options_scheme(&o), sq_scheme_at(i));
    }
    o.position = SQ_POSITION_REVERSED;
    ck_assert_str_eq(sq_options_scheme(&o)->name, "reversed");
    ck_assert_ptr_null(sq_scheme_at(6));
    ck_assert_ptr_null(sq_scheme_at(-1));
}
END_TEST

/* <R(t) q, R(u) k> depends on t - u alone. */
START_TEST(rotary_products_depend_on_the_distance_alone)
{
    enum { HALF = 16, PLACES = 400 };
    const sq_kernels *k = sq_kernels_best();
    float c[PLACES * HALF], s[PLACES * HALF];
    for (int32_t t = 0; t < PLACES; t++)
        for (int32_t e = 0; e < HALF; e++) {
            c[t * HALF + e] = (float)cos(sq_rotary_angle(t, e, HALF, 10000));
            s[t * HALF + e] = (float)sin(sq_rotary_angle(t, e, HALF, 10000));
        }
    for (int32_t shift = 0; shift < 300; shift += 37) {
        float q[2 * HALF], key[2 * HALF];
        double expected = 0;
        for (int32_t e = 0; e < HALF; e++) {
            double angle = sq_rotary_angle(23, e, HALF, 10000), a = (double)wave(1, e), b = (double)wave(1, HALF + e);
            expected += (a * cos(angle) - b * sin(angle)) * (double)wave(2, e) + (b * cos(angle) + a * sin(angle)) * (double)wave(2, HALF + e);
        }
        for (int32_t e = 0; e < 2 * HALF; e++) q[e] = wave(1, e), key[e] = wave(2, e);
        k->rotate(1, HALF, 2 * HALF, HALF, c + (shift + 23) * HALF, s + (shift + 23) * HALF, 1, q);
        k->rotate(1, HALF, 2 * HALF, HALF, c + shift * HALF, s + shift * HALF, 1, key);
        ck_assert(fabs((double)k->dot(2 * HALF, q, key) - expected) < 1e-5);
    }
}
END_TEST

/* ---- the paper's rule ---------------------------------------------------------------------------------------------- */

static sq_options reversed_options(int64_t wiring, int64_t blocks)
{
    sq_options o = small_options("sasrec");
    o.wiring = wiring;
    o.blocks = blocks;
    o.heads = 2;
    o.max_length = 40;
    o.position = SQ_POSITION_REVERSED;
    return o;
}

/* Largest difference between the vector of each event in one packed pass, and that of the last event when the events up to it are
 * a sequence of their own, with positions counted from its end. */
static double reversed_difference(int64_t wiring, int64_t blocks)
{
    sq_options o = reversed_options(wiring, blocks);
    small_model packed = small_open(&o, 0, 90);
    o.position = SQ_POSITION_END;
    small_model literal = small_open(&o, 0, 90);
    small_weights(&packed);
    small_weights(&literal);
    small_batch b, prefix;
    small_draw(&b, 9, 1, 40, 40, 90);
    network_pass *all = pass_open(packed.model, &b, 0, 0, 1);
    size_t dp = (size_t)packed.model->layout.dp;
    double most = 0;
    pass_forward(all);
    for (int32_t n = 1; n <= 40; n++) {
        prefix = b;
        prefix.offsets[1] = n;
        network_pass *alone = pass_open(literal.model, &prefix, 0, 0, 1);
        pass_forward(alone);
        for (size_t i = 0; i < dp; i++)
            most = fmax(most, fabs((double)all->u[(size_t)(n - 1) * dp + i] - (double)alone->u[(size_t)(n - 1) * dp + i]));
        pass_close(alone);
    }
    pass_close(all);
    small_close(&packed);
    small_close(&literal);
    return most;
}

START_TEST(reversed_positions_in_one_pass_are_those_of_every_prefix_by_itself)
{
    ck_assert_double_lt(reversed_difference(SQ_WIRING_POST_NORM, 1), 1e-5);
    ck_assert_double_lt(reversed_difference(SQ_WIRING_ORIGINAL, 1), 1e-5);
}
END_TEST

/* The gradient of a step: item vectors first, then the parameter block. */
static void step_gradient(const sq_options *o, const small_batch *b, double *loss, small_model *s)
{
    *s = small_open(o, 0, 90);
    small_weights(s);
    small_train(s, o);
    *loss = small_step(s->trainer, b);
}

/* After one step with a learning rate of nothing, Adam's first moments are the gradient times 1 - beta1. */
START_TEST(training_in_one_pass_is_training_on_every_prefix)
{
    sq_options o = reversed_options(_i ? SQ_WIRING_ORIGINAL : SQ_WIRING_POST_NORM, 1);
    small_model packed, literal;
    small_batch b;
    double one, other, norm = 0, difference = 0;
    o.loss = SQ_LOSS_SOFTMAX;
    o.learning_rate = 0;
    small_draw(&b, 9, 12, 2, 41, 90);
    step_gradient(&o, &b, &one, &packed);
    o.position = SQ_POSITION_END;
    o.objective = SQ_OBJECTIVE_PREFIX;
    step_gradient(&o, &b, &other, &literal);
    ck_assert_double_eq_tol(one, other, 1e-5);
    const sq_layout *l = &literal.model->layout;
    for (int32_t i = 0; i < l->count; i++) {
        const sq_parameter *p = &l->parameters[i], *q = &packed.model->layout.parameters[i];
        ck_assert_str_eq(p->name, q->name);
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++) {
                double a = (double)literal.trainer->m[sq_parameter_index(p, r, c)];
                double e = (double)packed.trainer->m[sq_parameter_index(q, r, c)] - a;
                norm += a * a;
                difference += e * e;
            }
    }
    ck_assert_double_gt(norm, 0);
    ck_assert_msg(sqrt(difference / norm) < 1e-5, "%g of %g", sqrt(difference), sqrt(norm));
    small_close(&packed);
    small_close(&literal);
}
END_TEST

/* Every prefix of b's sequences, cut to the window, as a sequence of its own in which the last event alone has weight. */
static double brute_force(sq_trainer *t, const small_batch *b)
{
    float last[64];
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    sq_plan_clear(&t->plan);
    for (int64_t s = 0; s < b->sequences; s++)
        for (int64_t end = b->offsets[s] + 1; end < b->offsets[s + 1]; end++) {
            const int64_t inputs = end - b->offsets[s] < t->options.max_length ? end - b->offsets[s] : t->options.max_length;
            if (b->offsets[s + 1] - end > t->options.max_length) continue; /* older than the targets of a window */
            memset(last, 0, sizeof last);
            last[inputs] = 1;
            EXPECT_OK(sq_trainer_plan_add(t, &(sq_plan_sequence){.slots = b->slots + end - inputs, .weights = last, .n = inputs + 1}, error));
        }
    EXPECT_OK(sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error));
    EXPECT_OK(sq_trainer_run(t, &stats, error));
    return stats.loss;
}

/* The literal rule, whose last block computes newest events alone, against all rows of every prefix; histories longer than the window. */
START_TEST(the_literal_rule_is_every_prefix_by_itself)
{
    static const int64_t wirings[] = {SQ_WIRING_ORIGINAL, SQ_WIRING_POST_NORM, SQ_WIRING_PRE_NORM};
    sq_options o = reversed_options(wirings[_i % 3], 1 + _i / 3);
    small_model literal, brute;
    small_batch b;
    double one, norm = 0, difference = 0;
    o.loss = SQ_LOSS_SOFTMAX;
    o.learning_rate = 0;
    o.max_length = 12;
    o.position = SQ_POSITION_END;
    small_draw(&b, 9, 8, 2, 30, 90);
    o.objective = SQ_OBJECTIVE_PREFIX;
    step_gradient(&o, &b, &one, &literal);
    o.objective = SQ_OBJECTIVE_NEXT;
    brute = small_open(&o, 0, 90);
    small_weights(&brute);
    small_train(&brute, &o);
    ck_assert_double_eq_tol(one, brute_force(brute.trainer, &b), 1e-5);
    for (size_t i = 0; i < literal.model->layout.floats; i++) {
        const double a = (double)literal.trainer->m[i], e = (double)brute.trainer->m[i] - a;
        norm += a * a;
        difference += e * e;
    }
    ck_assert_double_gt(norm, 0);
    ck_assert_msg(sqrt(difference / norm) < 1e-5, "%g of %g", sqrt(difference), sqrt(norm));
    small_close(&literal);
    small_close(&brute);
}
END_TEST

/* What the one-pass form is not: keys behind a norm, and blocks whose keys have seen positions of other queries. */
START_TEST(reversed_positions_of_deeper_or_pre_normed_networks_are_an_own_scheme)
{
    ck_assert_double_gt(reversed_difference(SQ_WIRING_PRE_NORM, 1), 1e-3);
    ck_assert_double_gt(reversed_difference(SQ_WIRING_POST_NORM, 2), 1e-3);
}
END_TEST

/* ---- prefixes and random ends ---------------------------------------------------------------------------------------- */

static const int32_t events[] = {5, 6, 7, 8, 9, 10, 11, 12};

START_TEST(prefixes_are_sequences_with_one_target_that_share_what_was_seen)
{
    sq_options o = small_options("sasrec");
    small_model s = small_open(&o, 0, 90);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    sq_plan_sequence sequence = {.slots = events, .n = 8, .behind = 1};
    EXPECT_OK(sq_plan_add_prefixes(p, &s.context->memory, &sequence, 4, 0.5, 2, 0.5, error));
    EXPECT_OK(sq_plan_finish(p, &s.context->memory, 64, error));
    ck_assert_int_eq(p->sequences, 2); /* targets 10 and 8: of the last 4 every second, but for the newest */
    static const int32_t inputs[] = {6, 7, 8, 9, 5, 6, 7}, targets[] = {10, 8};
    ck_assert_int_eq(p->tokens, 7);
    ck_assert_mem_eq(p->inputs, inputs, sizeof inputs);
    ck_assert_int_eq(p->target_count, 2);
    ck_assert_mem_eq(p->targets, targets, sizeof targets);
    ck_assert_int_eq(p->target_tokens[0], 3);
    ck_assert_int_eq(p->target_tokens[1], 6);
    ck_assert_double_eq_tol((double)p->weights[1] / (double)p->weights[0], 0.25, 1e-6);
    for (int64_t i = 0; i < 2; i++) {
        ck_assert_int_eq(p->seen_starts[i], 0);
        ck_assert_int_eq(p->seen_ends[i], 8);
    }
    ck_assert_mem_eq(p->seen, events, sizeof events);
    small_close(&s);
}
END_TEST

/* Also where there are fewer than a stride of them. */
START_TEST(every_target_of_a_short_sequence_is_as_often_the_newest_of_the_prefixes)
{
    sq_options o = small_options("sasrec");
    small_model s = small_open(&o, 0, 90);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_sequence sequence = {.slots = events, .n = 6};
    int32_t times[6] = {0};
    for (int i = 0; i < 100; i++) {
        sq_plan_clear(p);
        EXPECT_OK(sq_plan_add_prefixes(p, &s.context->memory, &sequence, 8, 1, 8, (i + 0.5) / 100, error));
        ck_assert_int_eq(p->target_count, 1);
        times[p->targets[0] - events[0]]++;
    }
    for (int i = 0; i < 6; i++) ck_assert_int_eq(times[i], i == 0 ? 0 : 20);
    small_close(&s);
}
END_TEST

/* Ages count from the end that was drawn, as if the sequence had ended there. */
START_TEST(a_random_end_is_of_age_zero)
{
    sq_options o = small_options("sasrec");
    o.random_end = 1;
    o.position_decay = 0.5;
    small_model s = small_open(&o, 0, 90);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    for (int i = 0; i < 50; i++) EXPECT_OK(sq_trainer_plan_add(s.trainer, &(sq_plan_sequence){.slots = events, .n = 8}, error));
    for (int64_t i = 0; i < 50; i++)
        for (int64_t at = p->target_starts[i + 1], age = 0; at > p->target_starts[i]; at--, age++)
            ck_assert(p->weights[at - 1] == ldexpf(1, (int)-age));
    sq_plan_clear(p); /* a window of a longer history is as old as it is */
    o.random_end = s.trainer->options.random_end = 0;
    EXPECT_OK(sq_trainer_plan_add(s.trainer, &(sq_plan_sequence){.slots = events, .n = 8, .behind = 3}, error));
    ck_assert(p->weights[p->target_starts[1] - 1] == 0.125f);
    small_close(&s);
}
END_TEST

/* Every end comes as often as every other, what is cut off stays seen, and a share is left whole. */
START_TEST(a_random_end_is_uniform_over_the_events)
{
    sq_options o = small_options("sasrec");
    o.random_end = 0.75;
    int64_t ends[9] = {0}, draws = 20000;
    small_model s = small_open(&o, 0, 90);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    for (int64_t i = 0; i < draws; i++) EXPECT_OK(sq_trainer_plan_add(s.trainer, &(sq_plan_sequence){.slots = events, .n = 8}, error));
    for (int64_t i = 0; i < draws; i++) {
        ends[p->starts[i + 1] - p->starts[i] + 1]++;
        ck_assert_int_eq(p->seen_ends[i] - p->seen_starts[i], 8);
    }
    double square = 0;
    for (int n = 2; n <= 8; n++) {
        double expected = (double)draws * (0.75 / 7 + (n == 8 ? 0.25 : 0)), d = (double)ends[n] - expected;
        square += d * d / expected;
    }
    ck_assert_msg(square < 22.5, "chi-square %g of 6 degrees", square);
    small_close(&s);
}
END_TEST

/* ---- training, files, rules ---------------------------------------------------------------------------------------- */

static const char *const schemes[][2] = {{"shaw", "none"}, {"bias", "none"},   {"t5", "end"},
                                         {"alibi", "none"}, {"rotary", "start"}, {"none", "reversed"}};
#define SCHEMES ((int)(sizeof schemes / sizeof *schemes))

START_TEST(every_scheme_trains_to_the_same_bits_on_any_number_of_threads)
{
    sq_options o = small_options("sasrec");
    EXPECT_OK(sq_options_set(&o, "relative", schemes[_i][0], error));
    EXPECT_OK(sq_options_set(&o, "position", schemes[_i][1], error));
    o.heads = 5;
    if (sq_options_scheme(&o)->clips) o.relative_clip = 10;
    o.dropout = 0.2;
    small_same(o, o, 4, schemes[_i][0]);
}
END_TEST

/* Sixteen blocks of each kind that is meant for depth, on one batch: the loss falls and stays finite. On data: docs/RESULTS.md. */
START_TEST(sixteen_blocks_learn_a_batch_and_do_not_diverge)
{
    sq_options o = small_options(_i == 2 ? "hstu" : _i == 1 ? "esasrec" : "sasrec");
    o.wiring = SQ_WIRING_PRE_NORM;
    o.blocks = 16;
    o.dim = 32;
    o.ffn_dim = _i == 2 ? 0 : 32;
    o.loss = SQ_LOSS_SOFTMAX;
    o.dropout = 0.1;
    small_model s = small_open(&o, 0, 90);
    small_batch b;
    small_train(&s, &o);
    small_draw(&b, 4, 16, 20, 40, 90);
    double first = small_step(s.trainer, &b), worst = first, last = 0;
    for (int i = 0; i < 40; i++) {
        last = small_step(s.trainer, &b);
        worst = fmax(worst, last);
    }
    ck_assert_msg(last < first - 0.3 && worst < first + 1, "loss %g, then %g, at most %g", first, last, worst);
    small_close(&s);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_with_the_rule)
{
    small_refused("relative=rotary heads=2", "head width 25 must be even");
    small_refused("position=reversed relative=t5", "relative must be none");
    small_refused("position=reversed mask=bidirectional objective=cloze loss=softmax", "mask = bidirectional");
    small_refused("position=reversed user_embedding=prefix", "the user's token");
    small_refused("relative=shaw gates=position", "values, which relative = shaw has");
    small_refused("position=reversed gates=position", "values, which position = reversed has");
    small_refused("mixer=spectral relative=t5", "ways of attention");
    small_refused("attention=hstu", "needs wiring = pre_norm");
    small_refused("attention=hstu wiring=pre_norm gates=position", "which attention = hstu does not have");
    small_refused("attention=hstu wiring=pre_norm dropout_residual=0.1", "dropout_ffn is that of its gated output");
    small_refused("attention=hstu wiring=pre_norm activation=gelu", "are not those of attention = hstu");
    small_refused("attention=hstu wiring=pre_norm ffn_dim=70", "are not those of attention = hstu");
    small_refused("channels=apart", "needs attention = hstu");
    small_refused("channels=apart attention=hstu wiring=pre_norm", "there is no channel but that of the contents");
    small_refused("channels=apart attention=hstu wiring=pre_norm relative=shaw", "no other terms");
    small_refused("position=reversed embedding_norm=true", "not with embedding_norm");
    small_refused("hstu_length=5", "needs attention = hstu");
    small_refused("attention_output=false heads=3 head_dim=20", "heads = 3 times head_dim = 20 is not dim = 50");
    small_refused("heads=3", "heads = 3 must divide dim = 50");
    small_refused("relative=rotary heads=3 head_dim=5", "head width 5 must be even");
    small_refused("mixer=spectral head_dim=50", "mixer = spectral has none");
    small_refused("residual_gate=true", "needs wiring = pre_norm");
    small_refused("prefix_stride=3", "needs objective = prefix");
    small_refused("objective=prefix user_embedding=added", "users' vectors");
    small_refused("objective=prefix targets=2", "has one target");
    small_refused("objective=prefix sse_item=0.1", "has many times");
    small_refused("relative=rotary time=intervals", "by where it stands in the window");
    small_refused("mixer=spectral attention_output=false", "no output layer of attention");
    small_refused("maskings=3", "are those of objective = cloze");
    small_refused("objective=prefix mask_last_share=0.5", "are those of objective = cloze");
    small_refused("loss=softmax hard_pool=50", "loss = softmax draws none");
    small_refused("relative=t5 relative_buckets=512", "must be above the 256 distances");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relative");
    TCase *tests = tcase_create("relative");
    tcase_add_test(tests, terms_by_distance_are_spread_and_collected);
    tcase_add_test(tests, pairs_are_rotated);
    tcase_add_loop_test(tests, attention_adds_keys_values_and_biases_by_distance, 0, 3 * TABLES);
    tcase_add_test(tests, t5_buckets_are_the_published_ones);
    tcase_add_test(tests, alibi_slopes_halve_over_eight_heads);
    tcase_add_test(tests, the_choices_of_option_relative_are_the_rows_of_the_table);
    tcase_add_test(tests, rotary_products_depend_on_the_distance_alone);
    tcase_add_test(tests, reversed_positions_in_one_pass_are_those_of_every_prefix_by_itself);
    tcase_add_loop_test(tests, training_in_one_pass_is_training_on_every_prefix, 0, 2);
    tcase_add_loop_test(tests, the_literal_rule_is_every_prefix_by_itself, 0, 9);
    tcase_add_test(tests, reversed_positions_of_deeper_or_pre_normed_networks_are_an_own_scheme);
    tcase_add_test(tests, prefixes_are_sequences_with_one_target_that_share_what_was_seen);
    tcase_add_test(tests, every_target_of_a_short_sequence_is_as_often_the_newest_of_the_prefixes);
    tcase_add_test(tests, a_random_end_is_of_age_zero);
    tcase_add_test(tests, a_random_end_is_uniform_over_the_events);
    tcase_add_loop_test(tests, every_scheme_trains_to_the_same_bits_on_any_number_of_threads, 0, SCHEMES);
    tcase_add_loop_test(tests, sixteen_blocks_learn_a_batch_and_do_not_diverge, 0, 3);
    tcase_add_test(tests, what_makes_no_sense_is_refused_with_the_rule);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
