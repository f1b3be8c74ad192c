/* unit: users in a training step and in an encoding: gradients, threads, rows, stochastic shared embeddings, forgetting. */
#include "network_pass.h"
#include "run_suite.h"
#include "serve/encode.h"
#include "trainer_state.h"

enum { ITEMS = 60, USERS = 30, MODES = 3, LOSSES = 5 };

static const int64_t modes[MODES] = {SQ_USER_ADDED, SQ_USER_CONCATENATED, SQ_USER_PREFIX};

static sq_options options_of(int mode)
{
    sq_options o = small_options("sasrec");
    o.dim = 14;
    o.heads = 2;
    o.max_length = 12;
    o.micro_batch = 40;
    o.norm_epsilon = 1e-5;
    o.activation = SQ_ACTIVATION_GELU;
    o.user_embedding = modes[mode];
    o.user_dim = modes[mode] == SQ_USER_CONCATENATED ? 18 : 0;
    o.user_default_share = 0;
    o.negatives = 3;
    return o;
}

/* BCE, BCE with shared negatives, softmax, sampled softmax, the same shared. */
static void choose_loss(sq_options *o, int loss)
{
    static const int64_t losses[LOSSES] = {SQ_LOSS_BCE, SQ_LOSS_BCE, SQ_LOSS_SOFTMAX, SQ_LOSS_SAMPLED_SOFTMAX,
                                           SQ_LOSS_SAMPLED_SOFTMAX};
    o->loss = losses[loss];
    o->negative_sharing = loss == 1 || loss == 4 ? SQ_SHARE_BATCH : SQ_SHARE_POSITION;
}

/* Users base .. base + n - 1, in slots of these numbers when the table was empty. */
static void put_users(small_model *s, int64_t base, int64_t n)
{
    int64_t ids[USERS];
    for (int64_t i = 0; i < n; i++) ids[i] = base + i;
    sq_item_start start = sq_user_start_of(s->model, n);
    sq_change change = {0};
    EXPECT_OK(sq_catalogue_put(s->model->current->parts.users, ids, n, NULL, sq_item_start_fill, &start, &change.parts.users, error));
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}

static void forget_user(small_model *s, int64_t id)
{
    sq_change change = {0};
    EXPECT_OK(sq_catalogue_remove(s->model->current->parts.users, &id, 1, &change.parts.users, error));
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}

static small_model open_model(const sq_options *o, int32_t threads)
{
    small_model s = small_open(o, threads, ITEMS);
    put_users(&s, 0, USERS);
    small_weights(&s);
    small_train(&s, o);
    return s;
}

/* User of sequence s of batch `number`; some have none. */
static int32_t user_of(uint64_t number, int64_t s)
{
    int32_t user = (int32_t)((number * 7 + (uint64_t)s * 5) % (USERS + 4));
    return user < USERS ? user : -1;
}

static void plan(sq_trainer *t, const small_batch *b, uint64_t number)
{
    sq_plan_clear(&t->plan);
    for (int64_t s = 0; s < b->sequences; s++) {
        t->plan.user = user_of(number, s);
        EXPECT_OK(sq_plan_add(&t->plan, &t->context->memory,
                              &(sq_plan_sequence){.slots = b->slots + b->offsets[s], .n = b->offsets[s + 1] - b->offsets[s]},
                              t->options.max_length, 1, error));
    }
    EXPECT_OK(sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error));
}

static small_batch batch_number(uint64_t number)
{
    small_batch b;
    small_draw(&b, 10 * number + 3, 12, 1, 20, ITEMS);
    return b;
}

static double step(sq_trainer *t, uint64_t number)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    small_batch b = batch_number(number);
    plan(t, &b, number);
    EXPECT_OK(sq_trainer_run(t, &stats, error));
    return stats.loss;
}

/* ---- gradients ------------------------------------------------------------------------------------------------------ */

enum { OF_USERS, OF_DEFAULT, OF_ITEMS, OF_WEIGHTS, PLACES };

/* What a place reads before a step, and its gradient after it: first moments with beta1 = 0. */
static float *values_at(sq_trainer *t, int place, size_t *n)
{
    const sq_layout *l = &t->model->layout;
    *n = place == OF_DEFAULT ? (size_t)l->up : place == OF_WEIGHTS ? l->floats : 0;
    if (place == OF_USERS) *n = (size_t)USERS * (size_t)l->up;
    if (place == OF_ITEMS) *n = (size_t)ITEMS * (size_t)t->items.catalogue->stride;
    if (place == OF_DEFAULT) return t->weights + l->user_default;
    if (place == OF_WEIGHTS) return t->weights;
    return place == OF_USERS ? t->users.rows[0]->at : t->items.rows[0]->at;
}

static const float *gradient_at(const sq_trainer *t, int place)
{
    if (place == OF_DEFAULT) return t->m + t->model->layout.user_default;
    if (place == OF_WEIGHTS) return t->m;
    return place == OF_USERS ? t->users.state[0]->m : t->items.state[0]->m;
}

/* The first step's loss with `by` times direction added at a place; gradient, when given, gets a copy of the place's. */
static double first_loss(const sq_options *o, int place, double by, const float *direction, float **gradient)
{
    small_model s = open_model(o, 0);
    size_t n;
    EXPECT_OK(sq_trained_own_rows(&s.trainer->items, error));
    EXPECT_OK(sq_trained_own_rows(&s.trainer->users, error));
    float *values = values_at(s.trainer, place, &n);
    for (size_t i = 0; direction && i < n; i++) values[i] += (float)by * direction[i];
    double loss = step(s.trainer, 1);
    if (gradient) {
        *gradient = malloc(n * sizeof **gradient);
        memcpy(*gradient, gradient_at(s.trainer, place), n * sizeof **gradient);
    }
    small_close(&s);
    return loss;
}

static double norm_of(const sq_options *o, int place, const float *gradient)
{
    small_model s = open_model(o, 0);
    size_t n;
    double square = 0;
    (void)values_at(s.trainer, place, &n);
    for (size_t i = 0; i < n; i++) square += (double)gradient[i] * (double)gradient[i];
    small_close(&s);
    return sqrt(square);
}

START_TEST(gradients_of_a_step_with_users_are_slopes)
{
    sq_options o = options_of(_i % MODES);
    choose_loss(&o, _i / MODES);
    o.beta1 = 0;
    o.dropout = 0.2;
    o.tied_output = _i % 2;
    if (_i % 4 == 3 && o.user_embedding != SQ_USER_CONCATENATED) {
        o.score = SQ_SCORE_COSINE;
        o.temperature = 0.3;
    }
    for (int place = 0; place < PLACES; place++) {
        float *g;
        (void)first_loss(&o, place, 0, NULL, &g);
        double norm = norm_of(&o, place, g), by = 4e-3 / norm;
        ck_assert_msg(norm > 1e-4, "place %d has the gradient %g", place, norm);
        double slope = (first_loss(&o, place, by, g, NULL) - first_loss(&o, place, -by, g, NULL)) / (2 * by);
        ck_assert_msg(fabs(slope - norm * norm) < 5e-3 * norm * norm, "mode %d, loss %d, place %d: slope %g, not %g",
                      _i % MODES, _i / MODES, place, slope, norm * norm);
        free(g);
    }
}
END_TEST

/* ---- the score of SSE-PT --------------------------------------------------------------------------------------------- */

static double product(const float *a, const float *b, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* BCE of the step under <h, [E[i]; sqrt(d_u) U]> by the definition, for sequences of users without a row. */
static double joined_loss(const sq_trainer *t, const network_pass *p, const float *h)
{
    const sq_layout *l = &t->model->layout;
    const float *user = p->net.weights + l->user_default;
    double loss = 0;
    for (int64_t i = 0; i < t->plan.tokens; i++) {
        const float *at = h + (size_t)i * (size_t)l->dp;
        double own = sqrt((double)l->ud) * product(at + l->vd, user, l->ud);
        for (int64_t j = 0; j <= t->options.negatives; j++) {
            int32_t slot = j ? t->entries.slots[t->plan.tokens + i * (1 + t->options.negatives) + j] : t->plan.targets[i];
            double score = product(at, sq_catalogue_row(t->model->current->parts.catalogue, slot), l->vd) + own;
            loss += log1p(exp(j ? score : -score)) / (double)t->plan.tokens;
        }
    }
    return loss;
}

START_TEST(a_concatenated_user_is_part_of_every_score)
{
    sq_options o = options_of(1);
    small_model s = open_model(&o, 0);
    small_batch b, inputs = {0};
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    small_draw(&b, 77, 8, 2, 12, ITEMS);
    small_plan(s.trainer, &b);
    for (int64_t q = 0; q < b.sequences; q++) {
        int64_t n = b.offsets[q + 1] - b.offsets[q] - 1;
        memcpy(inputs.slots + inputs.offsets[q], b.slots + b.offsets[q], (size_t)n * sizeof *b.slots);
        inputs.offsets[++inputs.sequences] = inputs.offsets[q] + n;
    }
    network_pass *p = pass_open(s.model, &inputs, 0, 0, 1);
    const float *h = pass_forward(p);
    EXPECT_OK(sq_trainer_run(s.trainer, &stats, error));
    double loss = joined_loss(s.trainer, p, h);
    ck_assert_msg(fabs(stats.loss - loss) < 1e-5 * loss, "loss %.9g, not %.9g", stats.loss, loss);
    pass_close(p);
    small_close(&s);
}
END_TEST

/* ---- the same whatever the threads --------------------------------------------------------------------------------- */

typedef struct both {
    trainer_state items;
    float *users, *m, *v;
    size_t floats;
} both;

static both both_of(sq_trainer *t)
{
    both b = {.items = state_of(t), .floats = (size_t)SQ_CHUNK_ROWS * (size_t)t->users.catalogue->stride};
    float **to[] = {&b.users, &b.m, &b.v};
    const float *from[] = {t->users.rows[0]->at, t->users.state[0]->m, t->users.state[0]->v};
    for (int i = 0; i < 3; i++) {
        *to[i] = malloc(b.floats * sizeof(float));
        memcpy(*to[i], from[i], b.floats * sizeof(float));
    }
    return b;
}

static void both_free(both *b)
{
    state_free(&b->items);
    free(b->users);
    free(b->m);
    free(b->v);
}

static void same_both(const both *a, const both *b)
{
    same_state(&a->items, &b->items);
    same_floats("users", a->users, b->users, a->floats);
    same_floats("users' first moments", a->m, b->m, a->floats);
    same_floats("users' second moments", a->v, b->v, a->floats);
}

static both trained(const sq_options *o, int32_t threads, int catch_up)
{
    small_model s = open_model(o, threads);
    for (uint64_t i = 0; i < 15; i++) {
        step(s.trainer, i);
        if (catch_up) EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    }
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    both b = both_of(s.trainer);
    small_close(&s);
    return b;
}

static sq_options busy_options(int index)
{
    sq_options o = options_of(index % MODES);
    choose_loss(&o, index / MODES);
    o.dropout = 0.2;
    o.learning_rate = 0.01;
    o.sse_item = 0.2;
    o.sse_user = 0.3;
    o.user_default_share = 0.2;
    o.clip_norm = index % 2 ? 0.5 : 0;
    o.item_updates = index % 4 < 2 ? SQ_ROWS_EXACT : SQ_ROWS_LAZY;
    return o;
}

START_TEST(users_train_to_the_same_bits_at_any_number_of_threads)
{
    sq_options o = busy_options(_i);
    both one = trained(&o, 1, 0);
    for (int32_t threads = 2; threads <= 4; threads += 2) {
        both other = trained(&o, threads, 0);
        same_both(&one, &other);
        both_free(&other);
    }
    both_free(&one);
}
END_TEST

/* A row that is brought up to date after every step has dense Adam's bits. */
START_TEST(exact_user_rows_may_wait_for_their_replay)
{
    sq_options o = busy_options(_i);
    o.item_updates = SQ_ROWS_EXACT;
    o.weight_decay = 0.01;
    both late = trained(&o, 0, 0), always = trained(&o, 0, 1);
    same_both(&late, &always);
    both_free(&late);
    both_free(&always);
}
END_TEST

START_TEST(lazy_user_rows_without_a_sequence_stay_as_they_are)
{
    sq_options o = options_of(_i);
    o.item_updates = SQ_ROWS_LAZY;
    o.weight_decay = 0.1;
    small_model s = open_model(&o, 0);
    step(s.trainer, 0);
    both before = both_of(s.trainer);
    step(s.trainer, 1);
    both after = both_of(s.trainer);
    size_t up = (size_t)s.model->layout.up, touched = 0;
    for (int32_t u = 0; u < USERS; u++) {
        int used = 0;
        for (int64_t q = 0; q < s.trainer->plan.sequences; q++) used |= s.trainer->plan.users[q] == u;
        int same = memcmp(before.users + u * up, after.users + u * up, up * sizeof(float)) == 0;
        ck_assert_msg(same == !used, "user %d, used %d, same %d", u, used, same);
        touched += used;
    }
    ck_assert(touched > 3 && touched < USERS);
    both_free(&before);
    both_free(&after);
    small_close(&s);
}
END_TEST

START_TEST(a_gradient_of_a_user_that_is_not_finite_changes_nothing)
{
    sq_options o = options_of(_i);
    small_model s = open_model(&o, 0);
    small_batch b = batch_number(0);
    seqrec_error refused = {0};
    step(s.trainer, 0);
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    EXPECT_OK(sq_trained_own_rows(&s.trainer->users, error));
    sq_trained_row(&s.trainer->users, user_of(0, 1))[2] = NAN;
    both before = both_of(s.trainer);
    plan(s.trainer, &b, 0);
    ck_assert_int_eq(sq_trainer_run(s.trainer, NULL, &refused), SEQREC_E_NUMERIC);
    both after = both_of(s.trainer);
    same_both(&before, &after);
    both_free(&before);
    both_free(&after);
    small_close(&s);
}
END_TEST

/* ---- serving -------------------------------------------------------------------------------------------------------- */

static void encode(small_model *s, const sq_snapshot *snapshot, const int32_t *slots, int64_t n, int32_t user, float *out)
{
    sq_encoder encoder = sq_encoder_of(s->model, snapshot);
    sq_encode_scratch scratch;
    sq_arena arena = {0};
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, n), &scratch);
    EXPECT_OK(sq_arena_reserve(&arena, &s->context->memory, arena.peak, error));
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, n), &scratch);
    sq_encode(&encoder, &(sq_history){.slots = slots, .n = n, .user = user}, &scratch, out);
    sq_arena_free(&arena, &s->context->memory);
}

/* Packed with others in training, alone in serving: the vector after the newest input of each sequence. */
START_TEST(serving_gives_the_vectors_of_training_bit_for_bit)
{
    sq_options o = options_of(_i);
    small_model s = open_model(&o, 2);
    small_batch b = batch_number(2);
    float out[64];
    sq_snapshot *before = NULL;
    EXPECT_OK(sq_trainer_snapshot(s.trainer, &before, error));
    step(s.trainer, 2);
    size_t vp = (size_t)s.model->layout.vp;
    int64_t q = 0;
    for (int64_t i = 0; i < b.sequences; i++) {
        int64_t n = b.offsets[i + 1] - b.offsets[i];
        if (n < 2) continue;
        encode(&s, before, b.slots + b.offsets[i], n - 1, user_of(2, i), out);
        same_floats("vectors", out, s.trainer->u + (size_t)(s.trainer->plan.starts[++q] - 1) * vp, vp);
    }
    ck_assert_int_eq(q, s.trainer->plan.sequences);
    sq_snapshot_release(s.model, before);
    small_close(&s);
}
END_TEST

START_TEST(users_with_the_same_history_get_different_vectors_and_strangers_the_default)
{
    sq_options o = options_of(_i);
    small_model s = open_model(&o, 0);
    const int32_t history[] = {3, 1, 4, 1, 5};
    float one[64], other[64], stranger[64];
    const sq_snapshot *now = s.model->current;
    encode(&s, now, history, 5, 1, one);
    encode(&s, now, history, 5, 2, other);
    ck_assert(memcmp(one, other, 14 * sizeof(float)) != 0);
    /* Whose vector is the default one gets what a stranger gets. */
    memcpy(sq_catalogue_row(now->parts.users, 1), now->parts.weights->at + s.model->layout.user_default,
           (size_t)s.model->layout.up * sizeof(float));
    encode(&s, now, history, 5, 1, one);
    encode(&s, now, history, 5, -1, stranger);
    same_floats("vectors", one, stranger, (size_t)s.model->layout.vp);
    encode(&s, now, history, 0, 2, other);
    for (int32_t i = 0; i < s.model->layout.vp; i++) ck_assert(other[i] == 0);
    small_close(&s);
}
END_TEST

/* max_length counts events: the token in front takes the place of none, and older events change nothing. */
START_TEST(the_window_holds_as_many_events_with_users_as_without)
{
    sq_options o = options_of(_i);
    small_model s = open_model(&o, 0);
    int32_t history[20];
    float whole[64], window[64], shorter[64];
    for (int32_t i = 0; i < 20; i++) history[i] = (i * 7 + 2) % ITEMS;
    encode(&s, s.model->current, history, 20, 3, whole);
    encode(&s, s.model->current, history + 8, 12, 3, window);
    encode(&s, s.model->current, history + 9, 11, 3, shorter);
    same_floats("vectors", whole, window, (size_t)s.model->layout.vp);
    ck_assert(memcmp(window, shorter, 14 * sizeof(float)) != 0);
    small_close(&s);
}
END_TEST

/* ---- stochastic shared embeddings ------------------------------------------------------------------------------------ */

typedef struct shared {
    int64_t inputs, moved, links, users, defaults, tokens, sequences;
} shared;

/* What sharing changed in 200 plans. */
static shared share(const sq_options *o)
{
    small_model s = open_model(o, 0);
    shared n = {0};
    for (uint64_t i = 0; i < 200; i++) {
        small_batch b = batch_number(i);
        plan(s.trainer, &b, i);
        sq_plan *p = &s.trainer->plan;
        int32_t inputs[512], targets[512], users[64];
        memcpy(inputs, p->inputs, (size_t)p->tokens * sizeof *inputs);
        memcpy(targets, p->targets, (size_t)p->tokens * sizeof *targets);
        memcpy(users, p->users, (size_t)p->sequences * sizeof *users);
        s.trainer->step = (int64_t)i;
        sq_step_share(s.trainer);
        for (int64_t q = 0; q < p->sequences; q++) {
            n.users += p->users[q] != users[q] && p->users[q] >= 0;
            n.defaults += p->users[q] < 0;
            for (int64_t k = p->starts[q]; k < p->starts[q + 1]; k++) {
                int replaced = p->inputs[k] != inputs[k];
                n.inputs += replaced;
                n.moved += replaced && p->targets[k] != targets[k];
                if (!replaced && k + 1 < p->starts[q + 1]) ck_assert(p->targets[k] == p->inputs[k + 1] || o->sse_item > 0);
                n.links += k + 1 < p->starts[q + 1] && p->targets[k] == p->inputs[k + 1];
            }
        }
        n.tokens += p->tokens;
        n.sequences += p->sequences;
    }
    s.trainer->step = 0;
    small_close(&s);
    return n;
}

static void near_share(const char *what, int64_t found, int64_t of, double p)
{
    double expected = p * (double)of, deviation = sqrt(p * (1 - p) * (double)of) + 1e-9;
    ck_assert_msg(fabs((double)found - expected) <= 5 * deviation, "%s: %g of %g, not %g", what, (double)found,
                  (double)of, expected);
}

START_TEST(items_and_users_are_replaced_as_often_as_asked)
{
    sq_options o = options_of(0);
    shared none = share(&o);
    ck_assert_int_eq(none.inputs, 0);
    ck_assert_int_eq(none.users, 0);
    ck_assert_int_eq(none.links, none.tokens - none.sequences);
    o.sse_item = 0.3;
    shared items = share(&o);
    near_share("inputs", items.inputs, items.tokens, 0.3 * (ITEMS - 1) / ITEMS);
    near_share("targets with them", items.moved, items.inputs, (double)(ITEMS - 1) / ITEMS);
    /* Where an event stayed, the event behind it is still its target, replaced or not. */
    near_share("links", items.links, items.tokens - items.sequences, 0.7 + 0.3 / ITEMS);
    ck_assert_int_eq(items.users, 0);
    o.sse_item = 0;
    o.sse_user = 0.92;
    shared users = share(&o);
    ck_assert_int_eq(users.inputs, 0);
    near_share("users", users.users, users.sequences, 0.92 * (1 - 30.0 / 34 / USERS));
    o.sse_user = 0;
    o.user_default_share = 1;
    shared defaults = share(&o);
    ck_assert_int_eq(defaults.defaults, defaults.sequences);
}
END_TEST

START_TEST(an_item_of_a_shared_sequence_may_still_not_be_its_negative)
{
    sq_options o = options_of(0);
    o.sse_item = 0.5;
    small_model s = open_model(&o, 0);
    step(s.trainer, 4);
    const sq_plan *p = &s.trainer->plan;
    for (int64_t q = 0; q < p->sequences; q++)
        for (int64_t i = p->starts[q] * 4; i < p->starts[q + 1] * 4; i++)
            for (int64_t k = p->seen_starts[q]; i % 4 && k < p->seen_ends[q]; k++)
                ck_assert_int_ne(s.trainer->entries.slots[p->tokens + i], p->seen[k]);
    small_close(&s);
}
END_TEST

/* ---- the user table under a trainer ---------------------------------------------------------------------------------- */

START_TEST(a_forgotten_user_leaves_the_trainer_and_a_new_one_starts_fresh)
{
    sq_options o = options_of(_i);
    small_model s = open_model(&o, 0);
    for (uint64_t i = 0; i < 5; i++) step(s.trainer, i);
    const size_t up = (size_t)s.model->layout.up;
    const int32_t gone = user_of(1, 2);
    sq_snapshot *kept = NULL;
    EXPECT_OK(sq_trainer_snapshot(s.trainer, &kept, error));
    both before = both_of(s.trainer);
    s.trainer->fit.best = kept;
    forget_user(&s, gone);
    EXPECT_OK(sq_trainer_sync(s.trainer, error));
    const sq_row_state *state = s.trainer->users.state[0];
    for (size_t i = 0; i < up; i++) {
        ck_assert(sq_trained_row(&s.trainer->users, gone)[i] == 0);
        ck_assert(state->m[(size_t)gone * up + i] == 0 && state->v[(size_t)gone * up + i] == 0);
        ck_assert(sq_catalogue_row(s.trainer->fit.best->parts.users, gone)[i] == 0);
    }
    for (int32_t u = 0; u < USERS; u++)
        if (u != gone)
            ck_assert(memcmp(sq_trained_row(&s.trainer->users, u), before.users + (size_t)u * up, up * sizeof(float)) == 0);
    ck_assert_int_eq(s.trainer->users.live_count, USERS - 1);
    ck_assert_int_eq(s.trainer->users.compact[gone], -1);
    put_users(&s, 500, 1);
    EXPECT_OK(sq_trainer_sync(s.trainer, error));
    ck_assert_int_eq(sq_catalogue_find(s.trainer->users.catalogue, 500), gone);
    ck_assert(state->m[(size_t)gone * up] == 0);
    ck_assert(sq_trained_row(&s.trainer->users, gone)[0] != 0);
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    ck_assert_int_eq(sq_catalogue_find(s.model->current->parts.users, gone), -1);
    both_free(&before);
    small_close(&s);
}
END_TEST

START_TEST(items_that_come_and_go_leave_trained_users_alone)
{
    sq_options o = options_of(0);
    small_model s = open_model(&o, 0);
    for (uint64_t i = 0; i < 3; i++) step(s.trainer, i);
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    both before = both_of(s.trainer);
    small_put(&s, 1000, 5, NULL);
    EXPECT_OK(sq_trainer_sync(s.trainer, error));
    both after = both_of(s.trainer);
    same_floats("users", before.users, after.users, before.floats);
    same_floats("moments", before.m, after.m, before.floats);
    both_free(&before);
    both_free(&after);
    small_close(&s);
}
END_TEST

START_TEST(every_kind_of_users_lowers_the_loss)
{
    sq_options o = options_of(_i % MODES);
    choose_loss(&o, _i / MODES);
    o.learning_rate = 0.01;
    small_model s = open_model(&o, 0);
    double first = step(s.trainer, 5), last = first;
    for (int i = 0; i < 40; i++) last = step(s.trainer, 5);
    ck_assert_msg(last < 0.85 * first, "from %g to %g", first, last);
    small_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("users");
    TCase *tests = tcase_create("users");
    tcase_add_loop_test(tests, gradients_of_a_step_with_users_are_slopes, 0, MODES * LOSSES);
    tcase_add_test(tests, a_concatenated_user_is_part_of_every_score);
    tcase_add_loop_test(tests, users_train_to_the_same_bits_at_any_number_of_threads, 0, MODES * LOSSES);
    tcase_add_loop_test(tests, exact_user_rows_may_wait_for_their_replay, 0, MODES * LOSSES);
    tcase_add_loop_test(tests, lazy_user_rows_without_a_sequence_stay_as_they_are, 0, MODES);
    tcase_add_loop_test(tests, a_gradient_of_a_user_that_is_not_finite_changes_nothing, 0, MODES);
    tcase_add_loop_test(tests, serving_gives_the_vectors_of_training_bit_for_bit, 0, MODES);
    tcase_add_loop_test(tests, users_with_the_same_history_get_different_vectors_and_strangers_the_default, 0, MODES);
    tcase_add_loop_test(tests, the_window_holds_as_many_events_with_users_as_without, 0, MODES);
    tcase_add_test(tests, items_and_users_are_replaced_as_often_as_asked);
    tcase_add_test(tests, an_item_of_a_shared_sequence_may_still_not_be_its_negative);
    tcase_add_loop_test(tests, a_forgotten_user_leaves_the_trainer_and_a_new_one_starts_fresh, 0, MODES);
    tcase_add_test(tests, items_that_come_and_go_leave_trained_users_alone);
    tcase_add_loop_test(tests, every_kind_of_users_lowers_the_loss, 0, MODES * LOSSES);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
