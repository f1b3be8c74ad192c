/* unit: the network over packed sequences: what batches, micro-batches, the future and kept probabilities may not change. */
#include "network_pass.h"
#include "run_suite.h"

typedef struct shape {
    int64_t wiring, dim, heads, attention_output, activation, mask;
    int64_t bert; /* norm on the embedding, residual dropout, a head and no final norm */
    int64_t relative, clip, position;
    int64_t block; /* 1: HSTU, 2: gated residuals, 3: FuXi */
    int64_t window; /* of a spectral filter */
    int64_t span;   /* of attention */
    int64_t head_dim;
    int64_t time;   /* 1: bias, 2: intervals, 3: and positions beside them */
} shape;

#define CAUSAL SQ_MASK_CAUSAL
#define BOTH_WAYS SQ_MASK_BIDIRECTIONAL

/* Heads of whole and of odd width; dimensions that are and are not multiples of 16. */
static const shape shapes[] = {
    {SQ_WIRING_POST_NORM, 50, 1, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 5, 1, SQ_ACTIVATION_GELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 64, 2, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 48, 3, 1, SQ_ACTIVATION_GELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 7, 7, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 1, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 5, 0, SQ_ACTIVATION_GELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_ORIGINAL, 34, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 64, 2, 1, SQ_ACTIVATION_GELU, BOTH_WAYS, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, BOTH_WAYS, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 5, 1, SQ_ACTIVATION_GELU, BOTH_WAYS, 1, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 34, 2, 0, SQ_ACTIVATION_RELU, CAUSAL, 1, 0, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_SHAW, 20, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 48, 3, 1, SQ_ACTIVATION_RELU, BOTH_WAYS, 1, SQ_RELATIVE_T5, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 1, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_ROTARY, 0, 0, 0, 0, 0, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 5, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED, 0, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, 0, 1, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 2, 1, SQ_ACTIVATION_SWIGLU, CAUSAL, 0, SQ_RELATIVE_NONE, 0, 0, 2, 0, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 1, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 20, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 64, 1, 1, SQ_ACTIVATION_GELU, CAUSAL, 1, 0, 0, 0, 0, 75, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 7, 1, 1, SQ_ACTIVATION_RELU, BOTH_WAYS, 0, 0, 0, 0, 0, 13, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 80, 1, 1, SQ_ACTIVATION_GELU, BOTH_WAYS, 1, 0, 0, 0, 0, 16, 0, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 5, 1, SQ_ACTIVATION_GELU, CAUSAL, 0, 0, 0, 0, 0, 0, 7, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 1, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 1, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 1, SQ_RELATIVE_SHAW, 20, 0, 0, 0, 33, 0, 0},
    {SQ_WIRING_POST_NORM, 48, 3, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_T5, 0, 0, 0, 0, 24, 0, 0},
    {SQ_WIRING_POST_NORM, 48, 3, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_ALIBI, 0, 0, 0, 0, 25, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 1, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_ROTARY, 0, 0, 0, 0, 16, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 5, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED, 0, 0, 17, 0, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, 0, 1, 0, 12, 0, 0},
    {SQ_WIRING_PRE_NORM, 34, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_SHAW, 0, 0, 1, 0, 40, 0, 0},
    {SQ_WIRING_POST_NORM, 50, 3, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 20, 0},
    {SQ_WIRING_ORIGINAL, 34, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 1, SQ_RELATIVE_SHAW, 20, 0, 0, 0, 0, 5, 0},
    {SQ_WIRING_ORIGINAL, 48, 3, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED, 0, 0, 0, 16, 0},
    {SQ_WIRING_PRE_NORM, 20, 2, 1, SQ_ACTIVATION_SWIGLU, BOTH_WAYS, 0, SQ_RELATIVE_ROTARY, 0, 0, 2, 0, 0, 32, 0},
    {SQ_WIRING_PRE_NORM, 20, 3, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, 0, 1, 0, 0, 16, 0},
    {SQ_WIRING_PRE_NORM, 50, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_NONE, 0, 0, 1, 0, 0, 7, 0},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START, 1, 0, 0, 0, 1},
    {SQ_WIRING_POST_NORM, 48, 3, 1, SQ_ACTIVATION_RELU, BOTH_WAYS, 1, 0, 0, 0, 0, 0, 0, 0, 1},
    {SQ_WIRING_PRE_NORM, 50, 5, 1, SQ_ACTIVATION_SWIGLU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START, 3, 0, 0, 0, 1},
    {SQ_WIRING_PRE_NORM, 34, 1, 1, SQ_ACTIVATION_RELU, BOTH_WAYS, 0, SQ_RELATIVE_BIAS, 9, 0, 3, 0, 0, 0, 0},
    {SQ_WIRING_PRE_NORM, 34, 2, 1, SQ_ACTIVATION_SWIGLU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, 0, 3, 0, 20, 0, 0},
    {SQ_WIRING_ORIGINAL, 50, 5, 0, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 0, 3},
    {SQ_WIRING_POST_NORM, 48, 3, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START, 0, 0, 0, 0, 1},
    {SQ_WIRING_POST_NORM, 50, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_SHAW, 20, SQ_POSITION_START, 0, 0, 0, 0, 2},
    {SQ_WIRING_PRE_NORM, 50, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START, 1, 0, 12, 0, 1},
    {SQ_WIRING_POST_NORM, 50, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, 0, 0, SQ_POSITION_START, 0, 0, 30, 9, 3},
    {SQ_WIRING_PRE_NORM, 34, 2, 1, SQ_ACTIVATION_RELU, CAUSAL, 0, SQ_RELATIVE_T5, 0, SQ_POSITION_START, 0, 0, 0, 0, 5},
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))
#define RUNS (3 * SHAPES) /* with each table of kernels */
#define ITEMS 90

static sq_options options_of(const shape *h)
{
    sq_options o = small_options("sasrec");
    o.wiring = h->wiring;
    o.dim = h->dim;
    o.heads = h->heads;
    o.attention_output = h->attention_output;
    o.activation = h->activation;
    small_time(&o, h->time);
    if (h->block == 1 || h->block == 3) o.attention = SQ_ATTENTION_HSTU;
    if (h->block == 3) o.channels = SQ_CHANNELS_APART;
    o.residual_gate = h->block == 2;
    o.relative = h->relative;
    o.position = h->position;
    o.relative_clip = sq_options_scheme(&o)->clips ? h->clip : 0;
    o.mask = h->mask;
    o.objective = h->mask == SQ_MASK_BIDIRECTIONAL ? SQ_OBJECTIVE_CLOZE : SQ_OBJECTIVE_NEXT;
    o.embedding_norm = h->bert;
    o.final_norm = !h->bert;
    o.head = h->bert ? SQ_HEAD_TRANSFORM : SQ_HEAD_NONE;
    o.dropout_residual = h->bert ? 0.3 : -1;
    if (h->window) o.mixer = SQ_MIXER_SPECTRAL;
    o.spectral_window = h->window;
    o.attention_span = h->span;
    o.head_dim = h->head_dim;
    o.seen = SQ_SEEN_EXCLUDE_TARGET;
    return o;
}

/* 0 when this processor lacks the instruction set of the run. */
static int open_long(int run, int64_t max_length, small_model *s)
{
    sq_options o = options_of(&shapes[run % SHAPES]);
    o.max_length = max_length;
    if (!sq_kernels_variant(run / SHAPES)) return 0;
    *s = small_open(&o, 0, ITEMS);
    s->model->kernels = sq_kernels_variant(run / SHAPES);
    small_weights(s);
    return 1;
}

static int open_run(int run, small_model *s) { return open_long(run, 160, s); }

static void expect_bits(const char *what, int64_t row, size_t n, const float *a, const float *b)
{
    for (size_t i = 0; i < n; i++) /* Check writes to a pipe for every assertion that holds */
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            ck_abort_msg("%s, row %lld, element %zu: %.9g and %.9g", what, (long long)row, i, (double)a[i], (double)b[i]);
}

static void expect_near(const char *what, size_t n, const float *a, const float *b)
{
    double square = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        square += (double)a[i] * (double)a[i];
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    ck_assert_msg(square > 0 && difference < 1e-12 * square, "%s: off by %g of %g", what, sqrt(difference), sqrt(square));
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

START_TEST(a_batch_gives_what_each_sequence_gives_alone)
{
    small_model s;
    small_batch b;
    if (!open_run(_i, &s)) return;
    small_draw(&b, 3, 12, 1, 70, ITEMS);
    size_t dp = (size_t)s.model->layout.dp;
    network_pass *all = pass_open(s.model, &b, 0.3, 40, 1);
    pass_forward(all);
    for (int64_t q = 0; q < b.sequences; q++) {
        small_batch one = batch_of_one(&b, q);
        network_pass *alone = pass_open(s.model, &one, 0.3, 40 + b.offsets[q], 1);
        expect_bits("sequence", q, (size_t)one.offsets[1] * dp, all->u + (size_t)b.offsets[q] * dp,
                    pass_forward(alone));
        pass_close(alone);
    }
    pass_close(all);
    small_close(&s);
}
END_TEST

START_TEST(the_last_vector_alone_is_that_of_the_whole_pass)
{
    static const int64_t lengths[] = {1, 2, 15, 16, 17, 23, 24, 25, 48, 49, 130};
    small_model s;
    small_batch b;
    if (!open_run(_i, &s)) return;
    size_t dp = (size_t)s.model->layout.dp;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        small_draw(&b, 5 + i, 1, lengths[i], lengths[i], ITEMS);
        network_pass *whole = pass_open(s.model, &b, 0, 0, 1), *last = pass_open(s.model, &b, 0, 0, 0);
        pass_forward(whole);
        pass_embed(last);
        sq_network_last(&last->net, (int32_t)lengths[i], last->times, last->asks, &last->work, last->u);
        expect_bits("length", lengths[i], dp, whole->u + (size_t)(lengths[i] - 1) * dp, last->u);
        pass_close(whole);
        pass_close(last);
    }
    small_close(&s);
}
END_TEST

START_TEST(padding_of_a_vector_is_zero)
{
    small_model s;
    small_batch b;
    if (!open_run(_i, &s)) return;
    small_draw(&b, 8, 5, 1, 60, ITEMS);
    size_t dp = (size_t)s.model->layout.dp, d = (size_t)s.model->layout.d;
    network_pass *p = pass_open(s.model, &b, 0.3, 0, 1);
    pass_forward(p);
    for (int32_t t = 0; t < p->batch.tokens; t++)
        for (size_t i = d; i < dp; i++)
            if (p->u[(size_t)t * dp + i] != 0) ck_abort_msg("token %d, column %zu", (int)t, i);
    pass_close(p);
    small_close(&s);
}
END_TEST

/* ---- causality --------------------------------------------------------------------------------------------------- */

/* With positions counted from the window's start, or none, an event's past is all that a vector may depend on. */
START_TEST(the_future_never_changes_an_earlier_vector)
{
    sq_options o = options_of(&shapes[_i % SHAPES]);
    if (o.mask == SQ_MASK_BIDIRECTIONAL) return;
    if (o.position != SQ_POSITION_REVERSED) o.position = _i / SHAPES || o.position_place ? SQ_POSITION_START : SQ_POSITION_NONE;
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    small_batch b, other;
    small_draw(&b, 9, 1, 75, 75, ITEMS);
    size_t dp = (size_t)s.model->layout.dp;
    network_pass *p = pass_open(s.model, &b, 0.2, 0, 1);
    pass_forward(p);
    for (int32_t at = 1; at < 75; at += at < 30 ? 1 : 11) {
        other = b;
        for (int32_t i = at; i < 75; i++) other.slots[i] = (b.slots[i] + 1) % ITEMS;
        int late = o.time == SQ_TIME_BIAS || o.time_unit == SQ_UNIT_SEEN; /* else the unit of intervals is the window's */
        for (int32_t i = at; i < 75 && late; i++) other.times[i] += 3000 * (i - at + 1);
        if (o.time_unit == SQ_UNIT_SEEN && at + 1 < 75) other.times[at + 1] = other.times[at] + 1; /* a new smallest gap */
        network_pass *q = pass_open(s.model, &other, 0.2, 0, 1);
        pass_forward(q);
        expect_bits("before", at, (size_t)at * dp, p->u, q->u);
        ck_assert_msg(memcmp(p->u + (size_t)at * dp, q->u + (size_t)at * dp, dp * sizeof *p->u) != 0,
                      "event %d does not matter to its own vector", (int)at);
        pass_close(q);
    }
    pass_close(p);
    small_close(&s);
}
END_TEST

/* ---- micro-batches ----------------------------------------------------------------------------------------------- */

/* User vectors [targets][dp] and gradients of the input embeddings [tokens][dp] of one training step, and their floats. */
typedef struct vectors {
    float *u, *dx;
    size_t u_floats, dx_floats;
} vectors;

#define WHOLE 4096 /* tokens of a micro-batch that takes all of them */

static int step_vectors(int run, int64_t objective, int64_t micro_batch, vectors *out)
{
    small_model s;
    small_batch b;
    if (!open_run(run, &s)) return 0;
    sq_options o = s.model->options;
    o.dropout = 0.3;
    o.micro_batch = micro_batch;
    if (objective == SQ_OBJECTIVE_PREFIX) o.objective = s.model->options.objective = objective;
    small_train(&s, &o);
    small_draw(&b, 4, objective == SQ_OBJECTIVE_PREFIX ? 4 : 20, 2, objective == SQ_OBJECTIVE_PREFIX ? 40 : 60, ITEMS);
    small_step(s.trainer, &b);
    out->u_floats = (size_t)s.trainer->plan.target_count * (size_t)s.model->layout.dp;
    out->dx_floats = (size_t)s.trainer->plan.tokens * (size_t)s.model->layout.dp;
    int64_t micro = s.trainer->plan.micro_count;
    out->u = malloc(out->u_floats * sizeof(float));
    out->dx = malloc(out->dx_floats * sizeof(float));
    memcpy(out->u, s.trainer->u, out->u_floats * sizeof(float));
    memcpy(out->dx, s.trainer->dx, out->dx_floats * sizeof(float));
    ck_assert_int_eq(micro == 1, micro_batch == WHOLE);
    small_close(&s);
    return 1;
}

/* One of three sizes: the runs of a shape take them by turns. */
static void compare_micro_batches(int run, int64_t objective)
{
    static const int64_t sizes[] = {32, 100, 333};
    const int64_t size = sizes[(run / SHAPES + run) % 3];
    vectors one, other;
    if (!step_vectors(run, objective, WHOLE, &one)) return;
    step_vectors(run, objective, size, &other);
    ck_assert_uint_eq(other.u_floats, one.u_floats);
    expect_bits("vectors with micro-batches of", size, one.u_floats, one.u, other.u);
    expect_bits("gradients with micro-batches of", size, one.dx_floats, one.dx, other.dx);
    free(other.u);
    free(other.dx);
    free(one.u);
    free(one.dx);
}

START_TEST(the_size_of_micro_batches_changes_no_vector_mask_or_input_gradient)
{
    compare_micro_batches(_i, SQ_OBJECTIVE_NEXT);
}
END_TEST

START_TEST(nor_does_it_where_prefixes_are_trained)
{
    const shape *h = &shapes[_i];
    if (h->mask == CAUSAL && h->block != 1 && h->block != 3 && !h->window) compare_micro_batches(_i, SQ_OBJECTIVE_PREFIX);
}
END_TEST

/* ---- newest states ----------------------------------------------------------------------------------------------- */

/* The whole pass with a gradient of nothing but at the newest rows. */
static void whole_and_newest(small_model *s, const small_batch *b)
{
    network_pass *whole = pass_open(s->model, b, 0, 0, 1), *newest;
    size_t dp = (size_t)s->model->layout.dp, sequences = (size_t)b->sequences, n = (size_t)whole->batch.tokens * dp;
    s->model->options.objective = SQ_OBJECTIVE_PREFIX;
    newest = pass_open(s->model, b, 0, 0, 1);
    ck_assert_int_eq(newest->batch.newest, 1);
    pass_forward(whole);
    pass_forward(newest);
    memset(whole->dx, 0, n * sizeof *whole->dx);
    for (size_t i = 0; i < sequences; i++) {
        size_t row = (size_t)b->offsets[i + 1] - 1;
        expect_bits("newest state", (int64_t)i, dp, whole->u + row * dp, newest->u + i * dp);
        for (size_t j = 0; j < (size_t)s->model->layout.d; j++)
            whole->dx[row * dp + j] = newest->dx[i * dp + j] = wave(78, (int64_t)(i * dp + j));
    }
    pass_backward(whole);
    pass_backward(newest);
    expect_near("input gradients", n, whole->dx, newest->dx);
    expect_near("gradients", s->model->layout.floats, whole->grads, newest->grads);
    pass_close(whole);
    pass_close(newest);
}

START_TEST(the_newest_states_alone_have_the_bits_and_gradients_of_the_whole_pass)
{
    small_model s;
    small_batch b;
    if (!open_run(_i, &s)) return;
    s.model->options.objective = SQ_OBJECTIVE_PREFIX;
    if (s.model->layout.bidirectional || !sq_network_newest(&s.model->layout, &s.model->options)) {
        small_close(&s);
        return;
    }
    s.model->options.objective = SQ_OBJECTIVE_NEXT;
    small_draw(&b, 4, 9, 1, 80, ITEMS);
    whole_and_newest(&s, &b);
    small_close(&s);
}
END_TEST

/* ---- kept probabilities ------------------------------------------------------------------------------------------ */

static void gradient_of(network_pass *p, int forget)
{
    for (int32_t b = 0; forget && b < p->model->layout.blocks; b++) p->work.saved[b].kept = NULL;
    pass_forward(p);
    size_t dp = (size_t)p->model->layout.dp, d = (size_t)p->model->layout.d;
    for (int32_t t = 0; t < p->batch.tokens; t++)
        for (size_t i = 0; i < dp; i++) p->dx[(size_t)t * dp + i] = i < d ? wave(77, (int64_t)(t * d + i)) : 0;
    pass_backward(p);
}

static void compare_kept(const small_model *s, const small_batch *b)
{
    network_pass *kept = pass_open(s->model, b, 0.2, 0, 1), *redone = pass_open(s->model, b, 0.2, 0, 1);
    gradient_of(kept, 0);
    gradient_of(redone, 1);
    size_t n = (size_t)kept->batch.tokens * (size_t)s->model->layout.dp;
    expect_bits("vectors of length", b->offsets[1], n, kept->u, redone->u);
    expect_bits("input gradients of length", b->offsets[1], n, kept->dx, redone->dx);
    expect_bits("gradients of length", b->offsets[1], s->model->layout.floats, kept->grads, redone->grads);
    pass_close(kept);
    pass_close(redone);
}

START_TEST(kept_and_redone_probabilities_give_the_same_bits)
{
    small_model s;
    small_batch b;
    if (shapes[_i % SHAPES].window || !open_run(_i, &s)) return;
    small_draw(&b, 6, 9, 1, 80, ITEMS);
    ck_assert_uint_gt(sq_kept_floats(&s.model->layout, 70), 0);
    compare_kept(&s, &b);
    small_close(&s);
}
END_TEST

START_TEST(a_sequence_too_long_to_keep_gives_what_it_gives_among_short_ones)
{
    const int32_t longest = 512 / (int32_t)shapes[_i].heads;
    small_model s;
    small_batch b;
    if (shapes[_i].window || shapes[_i].span) return; /* a span keeps all, or as without one */
    ck_assert(open_long(_i, 520, &s));
    ck_assert_uint_gt(sq_kept_floats(&s.model->layout, longest), 0);
    ck_assert_uint_eq(sq_kept_floats(&s.model->layout, longest + 1), 0);
    small_draw(&b, 6, 1, longest, longest, ITEMS);
    compare_kept(&s, &b);
    small_draw(&b, 6, 3, longest + 1, longest + 1, ITEMS);
    b.offsets[1] = 40; /* short, long, short */
    b.offsets[2] = 40 + longest + 1;
    b.offsets[3] = b.offsets[2] + longest;
    compare_kept(&s, &b);
    small_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *tests = tcase_create("network");
    tcase_add_loop_test(tests, a_batch_gives_what_each_sequence_gives_alone, 0, RUNS);
    tcase_add_loop_test(tests, the_last_vector_alone_is_that_of_the_whole_pass, 0, RUNS);
    tcase_add_loop_test(tests, padding_of_a_vector_is_zero, 0, RUNS);
    tcase_add_loop_test(tests, the_future_never_changes_an_earlier_vector, 0, 2 * SHAPES);
    tcase_add_loop_test(tests, the_size_of_micro_batches_changes_no_vector_mask_or_input_gradient, 0, RUNS);
    tcase_add_loop_test(tests, nor_does_it_where_prefixes_are_trained, 0, SHAPES);
    tcase_add_loop_test(tests, the_newest_states_alone_have_the_bits_and_gradients_of_the_whole_pass, 0, RUNS);
    tcase_add_loop_test(tests, kept_and_redone_probabilities_give_the_same_bits, 0, RUNS);
    tcase_add_loop_test(tests, a_sequence_too_long_to_keep_gives_what_it_gives_among_short_ones, 0, SHAPES);
    suite_add_tcase(suite, tests);
    /* A thousand short cases: copies of the process took half of the time. */
    return run_suite_as(suite, CK_NOFORK);
}
