/* unit: gates on attention: what they multiply, what closed ones save, how their parameters are learned. */
#include <float.h>
#include "base/rng.h"
#include "counting_allocator.h"
#include "network_pass.h"
#include "run_suite.h"
#include "trainer_state.h"

#define ITEMS 60

/* ---- one head ---------------------------------------------------------------------------------------------------- */

enum { MOST = 130, WIDTH = 10, PADDED = 16, WINDOW = 140, LD = 144 };

typedef struct head_world {
    const sq_kernels *k;
    sq_head head;
    sq_gates gates;
    sq_arena arena;
    sq_head_scratch scratch;
    sq_memory memory;
    float *q, *key, *v, *out, *z;
    uint64_t *open;
} head_world;

/* A sequence of n tokens that begins at slot `first` of the window; a gate is open with probability `share`. */
static head_world *head_open(const sq_kernels *k, size_t n, size_t first, double share)
{
    head_world *w = calloc(1, sizeof *w);
    w->k = k;
    EXPECT_OK(sq_memory_init(&w->memory, NULL, error));
    w->q = calloc(MOST * PADDED, sizeof(float));
    w->key = calloc(MOST * PADDED, sizeof(float));
    w->v = calloc(MOST * PADDED, sizeof(float));
    w->out = calloc(MOST * PADDED, sizeof(float));
    w->z = calloc(WINDOW * LD + 16, sizeof(float));
    w->open = calloc(WINDOW, sizeof *w->open);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < WIDTH; i++) {
            w->q[t * PADDED + i] = wave(1, (int64_t)(t * WIDTH + i));
            w->key[t * PADDED + i] = wave(2, (int64_t)(t * WIDTH + i));
            w->v[t * PADDED + i] = wave(3, (int64_t)(t * WIDTH + i));
        }
    for (size_t i = 0; i < WINDOW; i++) {
        for (size_t j = 0; j <= i; j++) {
            double draw = 0.5 + 0.5 * (double)wave(4, (int64_t)((i / 8) * 64 + j / 8)); /* in patches: panels close */
            w->z[i * LD + j] = draw < share ? 0.75f + 0.25f * wave(5, (int64_t)(i * LD + j)) : 0;
        }
        w->open[i] = sq_gate_panels(i + 1, w->z + i * LD);
    }
    w->gates = (sq_gates){.z = w->z + first * LD + first, .ld = LD, .open = w->open + first, .first = first};
    w->head = (sq_head){.length = n, .width = WIDTH, .padded = PADDED, .ld = PADDED, .q = w->q, .k = w->key, .v = w->v};
    w->head.dropout.scale = 1;
    w->head.gates = &w->gates;
    sq_head_scratch_take(&w->arena, MOST, PADDED, 0, 0, &w->scratch);
    EXPECT_OK(sq_arena_reserve(&w->arena, &w->memory, w->arena.peak, error));
    w->arena.used = 0;
    sq_head_scratch_take(&w->arena, MOST, PADDED, 0, 0, &w->scratch);
    return w;
}

static const float *head_run(head_world *w)
{
    sq_head_fwd(w->k, &w->head, 0, w->out, PADDED, NULL, &w->scratch);
    return w->out;
}

static void head_close(head_world *w)
{
    sq_arena_free(&w->arena, &w->memory);
    float *blocks[] = {w->q, w->key, w->v, w->out, w->z};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    free(w->open);
    free(w);
}

/* sum_j z_tj softmax_j(q_t k_j / sqrt(width)) v_j in double. */
static double gated_value(const head_world *w, size_t t, size_t i)
{
    double sum = 0, value = 0;
    for (size_t j = 0; j <= t; j++) {
        double s = 0;
        for (size_t c = 0; c < WIDTH; c++) s += (double)w->q[t * PADDED + c] * (double)w->key[j * PADDED + c];
        double e = exp(s / sqrt(WIDTH));
        sum += e;
        value += e * (double)w->gates.z[t * LD + j] * (double)w->v[j * PADDED + i];
    }
    return value / sum;
}

static const size_t lengths[] = {1, 7, 24, 25, 63, 130};
static const double shares[] = {0, 0.1, 0.5, 1};
#define CASES (6 * 4)

START_TEST(a_gate_multiplies_its_probability_and_nothing_is_normalised_again)
{
    const sq_kernels *k = sq_kernels_variant(_i / CASES);
    size_t n = lengths[_i % 6];
    if (!k) return;
    for (size_t first = 0; first <= 10; first += 5) {
        head_world *w = head_open(k, n, first, shares[_i % CASES / 6]);
        head_run(w);
        for (size_t t = 0; t < n; t++)
            for (size_t i = 0; i < WIDTH; i++)
                ck_assert_msg(fabs((double)w->out[t * PADDED + i] - gated_value(w, t, i)) < 2e-6, "token %zu", t);
        head_close(w);
    }
}
END_TEST

/* In the tables with fused products the same bits: a closed gate's share is a zero in a chain of sums. */
START_TEST(skipping_closed_gates_changes_nothing)
{
    const sq_kernels *k = sq_kernels_variant(_i / CASES);
    size_t n = lengths[_i % 6];
    if (!k) return;
    for (size_t first = 0; first <= 10; first += 5) {
        head_world *skips = head_open(k, n, first, shares[_i % CASES / 6]);
        head_world *all = head_open(k, n, first, shares[_i % CASES / 6]);
        all->gates.open = NULL;
        head_run(skips);
        head_run(all);
        for (size_t i = 0; i < n * PADDED; i++) {
            if (k->fused) ck_assert(skips->out[i] == all->out[i]);
            ck_assert(fabsf(skips->out[i] - all->out[i]) < 1e-6f);
        }
        head_close(skips);
        head_close(all);
    }
}
END_TEST

START_TEST(panels_are_open_where_a_gate_is)
{
    float z[100] = {0};
    ck_assert_uint_eq(sq_gate_panels(100, z), 0);
    z[0] = 1;
    z[31] = 0.5f;
    z[99] = 1;
    ck_assert_uint_eq(sq_gate_panels(100, z), 1 | 2 | 64);
    ck_assert_uint_eq(sq_gate_panels(99, z), 1 | 2);
}
END_TEST

/* A closed key keeps its share of the softmax, as published, so that its score still matters; its value does not. */
START_TEST(what_a_closed_key_holds_does_not_matter)
{
    head_world *w = head_open(sq_kernels_best(), 60, 3, 1);
    float before[60 * PADDED];
    for (size_t t = 20; t < 60; t++) w->z[(t + 3) * LD + 20 + 3] = 0;
    memcpy(before, head_run(w), sizeof before);
    for (size_t i = 0; i < WIDTH; i++) w->v[20 * PADDED + i] = 100;
    ck_assert_mem_eq(before, head_run(w), sizeof before);
    w->z[(40 + 3) * LD + 20 + 3] = 1;
    head_run(w);
    ck_assert(memcmp(before, w->out, 40 * PADDED * sizeof(float)) == 0);
    ck_assert(before[40 * PADDED] != w->out[40 * PADDED]);
    head_close(w);
}
END_TEST

START_TEST(hard_concrete_gates_follow_their_formula)
{
    const sq_kernels *k = sq_kernels_best();
    float phi[40], u[40], z[40], slope[40], settled[40], work[40];
    int closed = 0, open = 0, between = 0;
    for (int i = 0; i < 40; i++) {
        phi[i] = 4 * wave(1, i);
        u[i] = sq_gate_uniform(sq_mix64((uint64_t)i + 1));
        ck_assert(u[i] > 0 && u[i] < 1);
    }
    ck_assert(sq_gate_uniform(0) > 0 && sq_gate_uniform(~(uint64_t)0) < 1);
    sq_gates_concrete(k, 40, phi, u, z, slope, work);
    sq_gates_concrete_settled(k, 40, phi, settled, work);
    for (int i = 0; i < 40; i++) {
        double s = 1 / (1 + exp(-(log(u[i]) - log(1 - (double)u[i]) + phi[i]) * 1.5)), wide = 1.2 * s - 0.1;
        double value = wide < 0 ? 0 : wide > 1 ? 1 : wide, calm = 1.2 / (1 + exp(-(double)phi[i])) - 0.1;
        ck_assert(fabs((double)z[i] - value) < 1e-5);
        ck_assert(fabs((double)settled[i] - (calm < 0 ? 0 : calm > 1 ? 1 : calm)) < 1e-6);
        ck_assert(fabs((double)slope[i] - (wide > 0 && wide < 1 ? 1.8 * s * (1 - s) : 0)) < 1e-5);
        closed += value == 0;
        open += value == 1;
        between += value > 0 && value < 1;
    }
    ck_assert(closed > 0 && open > 0 && between > 0);
}
END_TEST

START_TEST(a_binary_gate_is_its_probability_above_a_half_and_closed_below)
{
    ck_assert(sq_gate_settled(0) == 0);
    ck_assert(sq_gate_settled(-3) == 0);
    ck_assert(fabs((double)sq_gate_settled(1) - 1 / (1 + exp(-1.0))) < 1e-7);
    ck_assert(sq_gate_settled(80) == 1);
}
END_TEST

/* ---- the network ------------------------------------------------------------------------------------------------- */

static sq_options gated(int64_t gates, int64_t estimator)
{
    sq_options o = small_options("sasrec");
    o.dim = 14;
    o.heads = 2;
    o.max_length = 24;
    o.micro_batch = 40;
    o.gates = gates;
    o.gate_estimator = estimator;
    return o;
}

/* Publishes the weights with one value in all position gates. */
static void fill_gates(small_model *s, float (*value)(int32_t query, int32_t key))
{
    const sq_layout *l = &s->model->layout;
    sq_change change = {.parts.weights = sq_weights_create(&s->context->memory, l->floats)};
    memcpy(change.parts.weights->at, s->model->current->parts.weights->at, l->floats * sizeof(float));
    for (int32_t b = 0; b < l->blocks; b++)
        for (int32_t i = 0; i < l->length; i++)
            for (int32_t j = 0; j <= i; j++)
                change.parts.weights->at[l->block[b].gates + (size_t)i * (size_t)l->lp + (size_t)j] = value(i, j);
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}

static float all_open(int32_t query, int32_t key)
{
    (void)query;
    (void)key;
    return 80;
}

static float own_only(int32_t query, int32_t key)
{
    return query == key ? 80 : -80;
}

/* Names of parameters give their start values: the two models differ by the gates alone. */
START_TEST(open_gates_give_the_bits_of_a_model_without)
{
    small_model with, without;
    small_batch b;
    sq_options o = gated(SQ_GATES_POSITION, _i % 3), plain = gated(SQ_GATES_NONE, SQ_GATES_BY_ARM);
    o.position = plain.position = _i / 3;
    with = small_open(&o, 0, ITEMS);
    without = small_open(&plain, 0, ITEMS);
    fill_gates(&with, all_open);
    small_draw(&b, 3, 12, 1, 24, ITEMS);
    network_pass *p = pass_open(with.model, &b, 0.2, 0, 1), *q = pass_open(without.model, &b, 0.2, 0, 1);
    ck_assert_ptr_nonnull(p->net.gates);
    size_t n = (size_t)p->batch.tokens * (size_t)with.model->layout.dp;
    same_floats("vectors", pass_forward(p), pass_forward(q), n);
    for (size_t i = 0; i < n; i++) p->dx[i] = q->dx[i] = i % 16 < 14 ? wave(6, (int64_t)i) : 0;
    pass_backward(p);
    pass_backward(q);
    same_floats("gradients", p->dx, q->dx, n);
    pass_close(p);
    pass_close(q);
    small_close(&with);
    small_close(&without);
}
END_TEST

/* With every gate but that of an event on itself closed, and all closed, no other event's value counts: the vector is a
 * function of the event and the scores. A closed row takes nothing from anyone. */
START_TEST(behind_closed_gates_events_do_not_matter)
{
    sq_options o = gated(SQ_GATES_POSITION, SQ_GATES_BY_ARM);
    o.blocks = 1;
    small_model s = small_open(&o, 0, ITEMS);
    small_batch b, other;
    fill_gates(&s, own_only);
    small_draw(&b, 3, 1, 20, 20, ITEMS);
    network_pass *p = pass_open(s.model, &b, 0, 0, 0);
    pass_forward(p);
    fill_gates(&s, (_i ? all_open : own_only));
    const sq_layout *l = &s.model->layout;
    for (int32_t i = 0; i < l->length && !_i; i++) { /* close the own ones too */
        memset(sq_gate_row(&s.model->current->parts.weights->gates, l, 0, i), 0, (size_t)l->lp * sizeof(float));
        sq_gate_row_done(&s.model->current->parts.weights->gates, l, 0, i);
    }
    other = b;
    for (int i = 0; i < 19; i++) other.slots[i] = (b.slots[i] + 1) % ITEMS;
    network_pass *q = pass_open(s.model, &b, 0, 0, 0), *r = pass_open(s.model, &other, 0, 0, 0);
    const size_t dp = (size_t)l->dp;
    pass_forward(q);
    pass_forward(r);
    int same = memcmp(q->u + 19 * dp, r->u + 19 * dp, dp * sizeof(float)) == 0;
    ck_assert_int_eq(same, _i == 0);
    ck_assert(memcmp(p->u + 19 * dp, q->u + 19 * dp, dp * sizeof(float)) != 0);
    pass_close(p);
    pass_close(q);
    pass_close(r);
    small_close(&s);
}
END_TEST

/* Gates are counted as positions are: from the window's end a short history meets the last slots, from its start the first. */
START_TEST(gates_belong_to_slots_of_the_window)
{
    sq_options o = gated(SQ_GATES_POSITION, SQ_GATES_BY_ARM);
    o.position = _i;
    small_model s = small_open(&o, 0, ITEMS);
    const sq_layout *l = &s.model->layout;
    sq_gate_table *t = &s.model->current->parts.weights->gates;
    for (int32_t i = 0; i < l->length; i++)
        for (int32_t j = 0; j <= i; j++) sq_gate_row(t, l, 1, i)[j] = (float)(100 * i + j);
    sq_gates g = sq_gate_table_view(t, l, &o, 1, 7, NULL);
    int32_t first = o.position == SQ_POSITION_START ? 0 : 17;
    for (int32_t i = 0; i < 7; i++)
        for (int32_t j = 0; j <= i; j++)
            ck_assert(g.z[(size_t)i * g.ld + (size_t)j] == (float)(100 * (first + i) + first + j));
    small_close(&s);
}
END_TEST

START_TEST(the_last_vector_alone_is_that_of_the_whole_pass)
{
    small_batch b;
    sq_options o = gated(_i ? SQ_GATES_CONTENT : SQ_GATES_POSITION, _i ? SQ_GATES_BY_HARD_CONCRETE : SQ_GATES_BY_ARM);
    o.max_length = 130;
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    for (int64_t n = 1; n < 130; n += 16) {
        small_draw(&b, (uint64_t)n, 1, n, n, ITEMS);
        size_t dp = (size_t)s.model->layout.dp;
        network_pass *whole = pass_open(s.model, &b, 0, 0, 1), *last = pass_open(s.model, &b, 0, 0, 0);
        pass_forward(whole);
        pass_embed(last);
        sq_network_last(&last->net, (int32_t)n, NULL, NULL, &last->work, last->u);
        same_floats("vector", whole->u + (size_t)(n - 1) * dp, last->u, dp);
        pass_close(whole);
        pass_close(last);
    }
    small_close(&s);
}
END_TEST

/* ---- learning ---------------------------------------------------------------------------------------------------- */

static const float *summed_gradient(const sq_trainer *t)
{
    size_t s = 0;
    while (t->plan.slot_starts[s] == t->plan.slot_starts[s + 1]) s++;
    return t->grads + s * t->model->layout.floats;
}

/* The loss of one step under the random numbers of step `number`, with weights that stay as they are. */
static double loss_at(sq_trainer *t, const small_batch *b, int64_t number)
{
    t->step = number;
    return small_step(t, b);
}

static small_model still(sq_options o)
{
    o.learning_rate = 0;
    o.loss = SQ_LOSS_SOFTMAX; /* draws nothing: what differs from step to step are the gates */
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    return s;
}

START_TEST(hard_concrete_gates_have_the_gradient_of_the_loss)
{
    sq_options o = gated(SQ_GATES_POSITION, SQ_GATES_BY_HARD_CONCRETE);
    o.gate_l0 = 0;
    o.position = _i % 3;
    o.dropout = 0.2;
    if (_i == 3) o.user_embedding = SQ_USER_CONCATENATED;
    if (_i == 4) o.user_embedding = SQ_USER_ADDED;
    if (_i == 5) o.head = SQ_HEAD_TRANSFORM;
    o.position_decay = _i < 3 ? 1 : 0.8;
    small_model s = still(o);
    small_batch b;
    small_draw(&b, 5, 6, 2, 20, ITEMS);
    const sq_layout *l = &s.model->layout;
    for (int32_t block = 0; block < l->blocks; block++) {
        size_t n = (size_t)l->length * (size_t)l->lp, at = l->block[block].gates;
        float *w = s.trainer->weights + at, *g = malloc(n * sizeof *g), *saved = malloc(n * sizeof *saved);
        for (int32_t i = 0; i < l->length; i++)
            for (int32_t j = 0; j <= i; j++) w[i * l->lp + j] = wave(9, i * 100 + j);
        loss_at(s.trainer, &b, 0);
        memcpy(g, summed_gradient(s.trainer) + at, n * sizeof *g);
        memcpy(saved, w, n * sizeof *saved);
        double norm = 0, side[2];
        for (size_t i = 0; i < n; i++) norm += (double)g[i] * (double)g[i];
        norm = sqrt(norm);
        ck_assert(norm > 1e-4);
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < n; i++) w[i] = saved[i] + (k ? -0.02f : 0.02f) * (float)((double)g[i] / norm);
            side[k] = loss_at(s.trainer, &b, 0);
        }
        memcpy(w, saved, n * sizeof *saved);
        double slope = (side[0] - side[1]) / 0.04;
        ck_assert_msg(fabs(slope - norm) < 0.01 * norm, "slope %g, gradient %g", slope, norm);
        free(g);
        free(saved);
    }
    small_close(&s);
}
END_TEST

/* Sum over the used gates of the probability of being open. */
static double expected_open(const sq_layout *l, const sq_options *o, const float *weights)
{
    double sum = 0;
    for (int32_t b = 0; b < l->blocks; b++)
        for (int32_t i = 0; i < l->length; i++)
            for (int32_t j = 0; j <= i; j++) {
                double phi = (double)weights[l->block[b].gates + (size_t)(i * l->lp + j)];
                if (o->gate_estimator == SQ_GATES_BY_HARD_CONCRETE) phi -= 2.0 / 3 * log(0.1 / 1.1);
                sum += 1 / (1 + exp(-phi));
            }
    return sum;
}

START_TEST(the_sparsity_term_is_the_slope_of_the_expected_number_of_open_gates)
{
    sq_options o = gated(SQ_GATES_POSITION, _i);
    small_model s = still(o);
    small_batch b;
    small_draw(&b, 5, 6, 2, 20, ITEMS);
    const sq_layout *l = &s.model->layout;
    size_t n = l->floats;
    float *with = malloc(n * sizeof *with), *w = s.trainer->weights;
    for (int32_t k = 0; k < l->blocks; k++)
        for (int32_t i = 0; i < l->length; i++)
            for (int32_t j = 0; j <= i; j++)
                w[l->block[k].gates + (size_t)(i * l->lp + j)] = 2 * wave(8, k * 999 + i * 30 + j);
    EXPECT_OK(sq_trainer_set(s.trainer, "gate_l0", "0.25", error));
    loss_at(s.trainer, &b, 0);
    memcpy(with, summed_gradient(s.trainer), n * sizeof *with);
    EXPECT_OK(sq_trainer_set(s.trainer, "gate_l0", "0", error));
    loss_at(s.trainer, &b, 0);
    for (int32_t k = 0; k < l->blocks; k++)
        for (int32_t i = 0; i < l->length; i++)
            for (int32_t j = 0; j < l->lp; j++) {
                size_t at = l->block[k].gates + (size_t)(i * l->lp + j);
                double found = (double)with[at] - (double)summed_gradient(s.trainer)[at], slope = 0;
                if (j <= i) {
                    float keep = w[at];
                    w[at] = keep + 0.01f;
                    slope = expected_open(l, &o, w);
                    w[at] = keep - 0.01f;
                    slope = 0.25 * (slope - expected_open(l, &o, w)) / 0.02;
                    w[at] = keep;
                }
                ck_assert_msg(fabs(found - slope) < 2e-5, "gate %d %d: %g, slope %g", (int)i, (int)j, found, slope);
            }
    free(with);
    small_close(&s);
}
END_TEST

/* A window of two events has three gates. */
enum { DRAWS = 20000 };

static size_t gate_at(const sq_layout *l, int gate)
{
    return l->block[0].gates + (size_t)(gate > 0 ? l->lp : 0) + (gate == 2);
}

/* Expected loss over the eight settings of the gates, where gate `fixed` is `value`. */
static double expected_loss(small_model *s, const small_batch *b, const double *p, int fixed, int value)
{
    const sq_layout *l = &s->model->layout;
    double sum = 0;
    for (int setting = 0; setting < 8; setting++) {
        double probability = 1;
        for (int g = 0; g < 3; g++) {
            int open = setting >> g & 1;
            s->trainer->weights[gate_at(l, g)] = open ? 90 : -90;
            probability *= g == fixed ? (open == value) : open ? p[g] : 1 - p[g];
        }
        if (probability > 0) sum += probability * loss_at(s->trainer, b, 0);
    }
    return sum;
}

START_TEST(estimates_of_binary_gates_have_the_mean_of_the_exact_gradient)
{
    const float phi[3] = {0.4f, -0.7f, 1.1f};
    double p[3], exact[3], sum[3] = {0}, squares[3] = {0};
    sq_options o = gated(SQ_GATES_POSITION, _i ? SQ_GATES_BY_AR : SQ_GATES_BY_ARM);
    o.max_length = 2;
    o.blocks = 1;
    o.gate_l0 = 0;
    small_model s = still(o);
    small_batch b;
    small_draw(&b, 5, 3, 3, 3, ITEMS);
    small_weights(&s);
    memcpy(s.trainer->weights, s.model->current->parts.weights->at, s.model->layout.floats * sizeof(float));
    const sq_layout *l = &s.model->layout;
    for (size_t i = 0; i < (size_t)ITEMS * (size_t)s.trainer->items.catalogue->stride; i++)
        s.trainer->items.rows[0]->at[i] *= 8; /* far scores: much depends on a gate */
    for (int g = 0; g < 3; g++) p[g] = 1 / (1 + exp(-(double)phi[g]));
    for (int g = 0; g < 3; g++)
        exact[g] = p[g] * (1 - p[g]) * (expected_loss(&s, &b, p, g, 1) - expected_loss(&s, &b, p, g, 0));
    for (int g = 0; g < 3; g++) s.trainer->weights[gate_at(l, g)] = phi[g];
    for (int64_t i = 0; i < DRAWS; i++) {
        loss_at(s.trainer, &b, i);
        for (int g = 0; g < 3; g++) {
            double estimate = (double)summed_gradient(s.trainer)[gate_at(l, g)];
            sum[g] += estimate;
            squares[g] += estimate * estimate;
        }
    }
    double most = 0;
    for (int g = 0; g < 3; g++) {
        double mean = sum[g] / DRAWS, error = sqrt((squares[g] / DRAWS - mean * mean) / DRAWS);
        ck_assert_msg(fabs(mean - exact[g]) < 4 * error, "gate %d: mean %g, exact %g, standard error %g", g, mean,
                      exact[g], error);
        if (fabs(exact[g]) / error > most) most = fabs(exact[g]) / error;
    }
    ck_assert_msg(most > (_i ? 5 : 10), "the draws tell nothing: %g standard errors", most);
    small_close(&s);
}
END_TEST

/* ---- steps ------------------------------------------------------------------------------------------------------- */

#define KINDS 11
static sq_options kind_of(int index)
{
    sq_options o =
        gated(index < 6 ? SQ_GATES_POSITION : SQ_GATES_CONTENT, index < 6 ? index % 3 : SQ_GATES_BY_HARD_CONCRETE);
    o.loss = index % 2 ? SQ_LOSS_SOFTMAX : SQ_LOSS_BCE;
    o.position = index / 3 % 2;
    o.dropout = 0.2;
    o.learning_rate = 0.01;
    o.gate_l0 = 1e-4;
    o.gate_jacobian = index % 4 == 3 ? 0.02 : 0;
    if (index < 8) return o;
    o.gates = index == 9 ? SQ_GATES_CONTENT : SQ_GATES_POSITION;
    o.gate_estimator = index == 9 ? SQ_GATES_BY_HARD_CONCRETE : SQ_GATES_BY_ARM;
    if (index < 10) o.user_embedding = SQ_USER_CONCATENATED;
    o.loss = index == 10 ? SQ_LOSS_GBCE : o.loss;
    o.targets = index == 10 ? 2 : 1;
    o.head = index == 10 ? SQ_HEAD_TRANSFORM : SQ_HEAD_NONE;
    return o;
}

static trainer_state trained(const sq_options *o, const sq_kernels *kernels, int32_t threads, int steps, double *loss)
{
    small_model s = small_open(o, threads, ITEMS);
    if (kernels) s.model->kernels = kernels;
    small_train(&s, o);
    for (int i = 0; i < steps; i++) {
        small_batch b;
        small_draw(&b, 10 * (uint64_t)i, 10, 1, 30, ITEMS);
        *loss = small_step(s.trainer, &b);
    }
    trainer_state state = state_of(s.trainer);
    small_close(&s);
    return state;
}

START_TEST(steps_give_the_same_bits_at_any_number_of_threads)
{
    sq_options o = kind_of(_i);
    double loss, other_loss;
    trainer_state one = trained(&o, NULL, 1, 10, &loss);
    for (int32_t threads = 2; threads <= 4; threads += 2) {
        trainer_state other = trained(&o, NULL, threads, 10, &other_loss);
        same_state(&one, &other);
        ck_assert(memcmp(&loss, &other_loss, sizeof loss) == 0);
        state_free(&other);
    }
    state_free(&one);
}
END_TEST

START_TEST(avx2_and_avx512_train_to_the_same_bits)
{
    sq_options o = kind_of(_i);
    double loss;
    if (!sq_kernels_variant(1) || !sq_kernels_variant(2)) return;
    trainer_state v3 = trained(&o, sq_kernels_variant(1), 1, 6, &loss),
                  v4 = trained(&o, sq_kernels_variant(2), 1, 6, &loss);
    same_state(&v3, &v4);
    state_free(&v3);
    state_free(&v4);
}
END_TEST

/* How far apart the logits of position gates are, which all begin as one; of gates by content 1. */
static double spread(const sq_trainer *t, const sq_options *o)
{
    const sq_layout *l = &t->model->layout;
    float least = FLT_MAX, most = -FLT_MAX;
    if (o->gates == SQ_GATES_CONTENT) return 1;
    for (int32_t first = sq_gate_first(l, o, 8), i = first; i < first + 8; i++)
        for (int32_t j = first; j <= i; j++) {
            const float at = t->weights[l->block[0].gates + (size_t)(i * l->lp + j)];
            least = at < least ? at : least;
            most = at > most ? at : most;
        }
    return (double)most - (double)least;
}

START_TEST(models_with_every_kind_of_gate_learn_and_their_gates_part)
{
    sq_options o = kind_of(_i);
    o.dropout = 0;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 5, 10, 2, 12, ITEMS);
    ck_assert(o.gates == SQ_GATES_CONTENT || spread(s.trainer, &o) == 0);
    double first = small_step(s.trainer, &b), last = first;
    for (int i = 0; i < 40; i++) last = small_step(s.trainer, &b);
    ck_assert_msg(last < 0.85 * first, "from %g to %g", first, last);
    ck_assert_msg(spread(s.trainer, &o) > 0.05, "gates are %g apart", spread(s.trainer, &o));
    small_close(&s);
}
END_TEST

/* Adam moves a gate whose gradient is mostly that of the sparsity term by its rate every step, whatever the gate is good for. */
START_TEST(the_usual_weight_of_open_gates_leaves_them_to_the_data)
{
    sq_options o = small_options("rec-denoiser");
    o.dim = 16;
    o.heads = 2;
    o.max_length = 12;
    o.learning_rate = 0.01;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (int i = 0; i < 60; i++) {
        small_batch b;
        small_draw(&b, 10 * (uint64_t)i, 10, 13, 20, ITEMS);
        small_step(s.trainer, &b);
    }
    const sq_layout *l = &s.model->layout;
    double sum = 0;
    for (int32_t i = 0; i < 12; i++)
        for (int32_t j = 0; j <= i; j++) sum += (double)s.trainer->weights[l->block[0].gates + (size_t)(i * l->lp + j)];
    ck_assert_msg(fabs(sum / 78 - 2) < 0.2, "the mean logit went from 2 to %g", sum / 78);
    small_close(&s);
}
END_TEST

/* Two walks that take turns: what comes next follows from the event before the newest. */
static small_batch taking_turns(uint64_t seed, int32_t items)
{
    small_batch b = {.sequences = 16};
    for (int32_t s = 0; s < 16; s++) {
        const int64_t at = b.offsets[s];
        for (int32_t e = 0; e < 9; e++)
            b.slots[at + e] = e < 2 ? (int32_t)(sq_random64(seed, (uint64_t)(2 * s + e)) % (uint64_t)items) : (b.slots[at + e - 2] + 1) % items;
        b.offsets[s + 1] = at + 9;
    }
    return b;
}

/* Share of the gates of slots behind the first two that are open on the slot `back` before their own. */
static double open_back(const small_model *s, int32_t back)
{
    const sq_layout *l = &s->model->layout;
    double open = 0, all = 0;
    for (int32_t i = 2; i < l->length; i++)
        if (i >= back) all++, open += sq_gate_row(&s->model->current->parts.weights->gates, l, 0, i)[i - back] > 0;
    return open / all;
}

/* The estimator of the paper and the one by relaxation, each with a weight at which it has decided after 600 steps. */
START_TEST(gates_stay_open_on_what_is_of_use_and_close_on_what_is_not)
{
    enum { FEW = 24 };
    static const struct {
        int64_t estimator;
        double weight;
    } kinds[] = {{SQ_GATES_BY_ARM, 0.3}, {SQ_GATES_BY_HARD_CONCRETE, 0.03}};
    sq_options o = small_options("rec-denoiser");
    o.dim = 16;
    o.heads = 1;
    o.blocks = 1;
    o.max_length = 8;
    o.dropout = 0;
    o.gate_jacobian = 0;
    o.loss = SQ_LOSS_SOFTMAX;
    o.learning_rate = 0.01;
    o.gate_estimator = kinds[_i].estimator;
    o.gate_l0 = kinds[_i].weight;
    small_model s = small_open(&o, 0, FEW);
    double loss = 0;
    small_train(&s, &o);
    for (int i = 0; i < 600; i++) {
        small_batch b = taking_turns((uint64_t)i, FEW);
        loss = small_step(s.trainer, &b);
    }
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    ck_assert_msg(loss < 0.5, "loss %g: of eight targets one is at random", loss);
    for (int32_t back = 0; back < 7; back++)
        ck_assert_msg(open_back(&s, back) == (back == 1), "%d back: %g are open", (int)back, open_back(&s, back));
    small_close(&s);
}
END_TEST

/* Gates of the last block that are open for a history, outside training. */
static int open_for(const small_model *s, const small_batch *b)
{
    const int64_t n = b->offsets[1];
    int open = 0;
    network_pass *p = pass_open(s->model, b, 0, 0, 0);
    pass_forward(p);
    for (int64_t t = 0; t < n; t++)
        for (int64_t j = 0; j <= t; j++) open += p->work.gates.z[t * ((n + 15) / 16 * 16) + j] > 0;
    pass_close(p);
    return open;
}

START_TEST(a_strong_sparsity_term_closes_gates)
{
    sq_options o = kind_of(_i);
    o.gate_l0 = 10;
    o.learning_rate = 0.05;
    small_model s = small_open(&o, 0, ITEMS);
    const sq_layout *l = &s.model->layout;
    small_batch b;
    small_train(&s, &o);
    small_draw(&b, 77, 1, 20, 20, ITEMS);
    if (o.gates == SQ_GATES_CONTENT) ck_assert_int_eq(open_for(&s, &b), 210);
    for (int i = 0; i < 150; i++) {
        small_draw(&b, 10 * (uint64_t)i, 10, 1, 30, ITEMS);
        small_step(s.trainer, &b);
    }
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    small_draw(&b, 77, 1, 20, 20, ITEMS);
    if (o.gates == SQ_GATES_CONTENT) ck_assert_int_lt(open_for(&s, &b), 20);
    for (int32_t k = 0; k < l->blocks && o.gates == SQ_GATES_POSITION; k++)
        ck_assert_int_eq(sq_gate_table_open(&s.model->current->parts.weights->gates, l, k), 0);
    small_close(&s);
}
END_TEST

START_TEST(a_warm_step_allocates_nothing)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    sq_options o = kind_of(_i);
    small_model s = small_open_with(&host, &o, 2, ITEMS);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 3, 10, 30, 30, ITEMS);
    small_step(s.trainer, &b);
    int64_t requests = counted.requests;
    for (int i = 0; i < 5; i++) small_step(s.trainer, &b);
    ck_assert_int_eq(counted.requests, requests);
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
}
END_TEST

/* ---- the Jacobian term ------------------------------------------------------------------------------------------- */

/* The mean over many draws of the signs is the sum of the squared slopes, found here one input at a time. */
START_TEST(the_jacobian_term_has_the_mean_of_the_squared_norm)
{
    sq_options o = gated(SQ_GATES_NONE, SQ_GATES_BY_ARM);
    o.blocks = 1;
    o.gate_jacobian = 1;
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    small_batch b;
    small_draw(&b, 5, 1, 5, 5, ITEMS);
    network_pass *p = pass_open(s.model, &b, 0, 0, 1);
    const size_t d = 14, dp = (size_t)s.model->layout.dp, n = 5 * dp;
    float *base = malloc(n * sizeof *base), *side = malloc(n * sizeof *side);
    double exact = 0, sum = 0, squares = 0;
    pass_forward(p);
    memcpy(base, p->work.x[0], n * sizeof *base);
    for (size_t i = 0; i < n; i++) {
        if (i % dp >= d) continue;
        memcpy(p->work.x[0], base, n * sizeof *base);
        p->work.x[0][i] = base[i] + 1e-2f;
        sq_network_fwd(&p->net, &p->batch, &p->work, p->u);
        memcpy(side, p->work.x[1], n * sizeof *side);
        p->work.x[0][i] = base[i] - 1e-2f;
        sq_network_fwd(&p->net, &p->batch, &p->work, p->u);
        for (size_t j = 0; j < n; j++) exact += pow((double)(side[j] - p->work.x[1][j]) / 2e-2, 2);
    }
    pass_forward(p);
    p->net.jacobian = 1;
    for (int i = 0; i < 2000; i++) {
        p->net.jacobian_key = sq_mix64((uint64_t)i + 1);
        memset(p->dx, 0, n * sizeof *p->dx);
        pass_backward(p);
        sum += p->work.stretch;
        squares += p->work.stretch * p->work.stretch;
    }
    double mean = sum / 2000, error = sqrt((squares / 2000 - mean * mean) / 2000);
    ck_assert_msg(fabs(mean - exact) < 4 * error + 0.01 * exact, "mean %g, exact %g, standard error %g", mean, exact, error);
    ck_assert_msg(error < 0.05 * exact, "the draws tell nothing");
    free(base);
    free(side);
    pass_close(p);
    small_close(&s);
}
END_TEST

/* Two models from one seed: the one whose objective has the term ends with the lower one. */
START_TEST(training_with_the_term_lowers_it)
{
    double stretch[2];
    for (int with = 0; with < 2; with++) {
        sq_options o = kind_of(_i);
        o.dropout = 0;
        o.gate_jacobian = with ? 10 : 1e-9; /* working memory for it in both */
        small_model s = small_open(&o, 0, ITEMS);
        small_train(&s, &o);
        small_batch b;
        small_draw(&b, 5, 10, 2, 12, ITEMS);
        for (int i = 0; i < 60; i++) small_step(s.trainer, &b);
        EXPECT_OK(sq_trainer_publish(s.trainer, error));
        s.model->options.gate_jacobian = 1;
        network_pass *p = pass_open(s.model, &b, 0, 0, 1);
        p->net.jacobian = 1;
        p->net.draws_gates = 1;
        pass_forward(p);
        pass_backward(p);
        stretch[with] = p->work.stretch;
        pass_close(p);
        small_close(&s);
    }
    ck_assert_msg(stretch[1] < 0.9 * stretch[0], "%g with the term, %g without", stretch[1], stretch[0]);
}
END_TEST

/* The expected number of open gates is in the objective once: its gradient does not hang on whether there is a Jacobian term. */
START_TEST(the_jacobian_term_adds_no_sparsity_term_of_its_own)
{
    float slope[2];
    sq_options o = gated(SQ_GATES_CONTENT, SQ_GATES_BY_HARD_CONCRETE);
    o.gate_jacobian = 1; /* working memory for it */
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    small_batch b;
    small_draw(&b, 5, 4, 5, 12, ITEMS);
    for (int with = 0; with < 2; with++) {
        network_pass *p = pass_open(s.model, &b, 0, 0, 1);
        p->net.gate_l0 = 1;
        p->net.draws_gates = 1;
        p->net.jacobian = with ? 1e-9f : 0;
        pass_forward(p);
        pass_backward(p);
        slope[with] = p->grads[s.model->layout.block[0].gate_open];
        pass_close(p);
    }
    ck_assert_double_gt(fabs((double)slope[0]), 1e-3);
    ck_assert_double_eq_tol((double)slope[1], (double)slope[0], 1e-4 * fabs((double)slope[0]));
    small_close(&s);
}
END_TEST

/* ---- options ----------------------------------------------------------------------------------------------------- */

START_TEST(options_that_make_no_gates_are_refused_by_their_rule)
{
    seqrec_error why = {0};
    sq_options o = gated(SQ_GATES_CONTENT, SQ_GATES_BY_ARM);
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(why.message, "gate_estimator = hard_concrete"));
    o.gate_estimator = SQ_GATES_BY_HARD_CONCRETE;
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_OK);
    o.max_length = 1025;
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(why.message, "1024"));
    o.max_length = 1024;
    o.user_embedding = SQ_USER_PREFIX;
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(why.message, "user_embedding = prefix"));
    o.user_embedding = SQ_USER_NONE;
    o.mask = SQ_MASK_BIDIRECTIONAL;
    o.objective = SQ_OBJECTIVE_CLOZE;
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(why.message, "mask = causal"));
    o.gates = SQ_GATES_NONE;
    ck_assert_int_eq(sq_options_check(&o, &why), SEQREC_OK);
    ck_assert_int_eq(sq_options_set(&o, "gates", "both", &why), SEQREC_E_UNSUPPORTED);
    ck_assert_int_eq(sq_options_set(&o, "gate_l0", "-1", &why), SEQREC_E_RANGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gates");
    TCase *tests = tcase_create("gates");
    tcase_add_loop_test(tests, a_gate_multiplies_its_probability_and_nothing_is_normalised_again, 0, 3 * CASES);
    tcase_add_loop_test(tests, skipping_closed_gates_changes_nothing, 0, 3 * CASES);
    tcase_add_test(tests, panels_are_open_where_a_gate_is);
    tcase_add_test(tests, what_a_closed_key_holds_does_not_matter);
    tcase_add_test(tests, hard_concrete_gates_follow_their_formula);
    tcase_add_test(tests, a_binary_gate_is_its_probability_above_a_half_and_closed_below);
    tcase_add_loop_test(tests, open_gates_give_the_bits_of_a_model_without, 0, 9);
    tcase_add_loop_test(tests, behind_closed_gates_events_do_not_matter, 0, 2);
    tcase_add_loop_test(tests, gates_belong_to_slots_of_the_window, 0, 3);
    tcase_add_loop_test(tests, the_last_vector_alone_is_that_of_the_whole_pass, 0, 2);
    tcase_add_loop_test(tests, hard_concrete_gates_have_the_gradient_of_the_loss, 0, 6);
    tcase_add_loop_test(tests, the_sparsity_term_is_the_slope_of_the_expected_number_of_open_gates, 0, 3);
    tcase_add_loop_test(tests, estimates_of_binary_gates_have_the_mean_of_the_exact_gradient, 0, 2);
    tcase_add_loop_test(tests, steps_give_the_same_bits_at_any_number_of_threads, 0, KINDS);
    tcase_add_loop_test(tests, avx2_and_avx512_train_to_the_same_bits, 0, KINDS);
    tcase_add_test(tests, the_usual_weight_of_open_gates_leaves_them_to_the_data);
    tcase_add_loop_test(tests, models_with_every_kind_of_gate_learn_and_their_gates_part, 0, KINDS);
    tcase_add_loop_test(tests, a_strong_sparsity_term_closes_gates, 0, KINDS);
    tcase_add_loop_test(tests, gates_stay_open_on_what_is_of_use_and_close_on_what_is_not, 0, 2);
    tcase_add_loop_test(tests, a_warm_step_allocates_nothing, 0, KINDS);
    tcase_add_test(tests, the_jacobian_term_has_the_mean_of_the_squared_norm);
    tcase_add_loop_test(tests, training_with_the_term_lowers_it, 0, KINDS);
    tcase_add_test(tests, the_jacobian_term_adds_no_sparsity_term_of_its_own);
    tcase_add_test(tests, options_that_make_no_gates_are_refused_by_their_rule);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
