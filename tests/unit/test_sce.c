/* unit: scalable cross-entropy: what the buckets take, the loss by brute force, its gradient, full softmax as its limit,
 * memory. */
#include "base/rng.h"
#include "run_suite.h"
#include "trainer_state.h"

#define ITEMS 90
#define CASES 16

/* Kinds of model and batch that the loss meets: bits of `index`. */
static sq_options sce_options(int index)
{
    sq_options o = small_options(index & 8 ? "bert4rec" : "sasrec");
    o.loss = SQ_LOSS_SCE;
    o.dim = 14;
    o.heads = 2;
    o.max_length = 24;
    o.micro_batch = 40;
    o.dropout_residual = o.dropout_ffn = -1;
    o.score = index & 1 ? SQ_SCORE_COSINE : SQ_SCORE_DOT;
    o.temperature = 0.3;
    o.item_bias = o.item_bias && o.score == SQ_SCORE_DOT;
    o.temperature_learned = index & 1;
    o.tied_output = index & 2 ? 0 : 1;
    o.sce_mix = index & 4 ? 1 : 0;
    o.sce_buckets = 5;
    o.sce_bucket_outputs = 9;
    o.sce_bucket_items = 12;
    o.mask_probability = 0.4;
    o.learning_rate = 0.01;
    return o;
}

static small_batch batch_of(uint64_t seed)
{
    small_batch b;
    small_draw(&b, seed, 8, 3, 20, ITEMS);
    return b;
}

/* A step on sequences whose events weigh 0, 1, 2, 0, .. */
static double weighted_step(sq_trainer *t, const small_batch *batch)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    float weights[4096];
    for (int i = 0; i < 4096; i++) weights[i] = (float)(i % 3);
    sq_plan_clear(&t->plan);
    for (int64_t s = 0; s < batch->sequences; s++) {
        int64_t at = batch->offsets[s];
        EXPECT_OK(sq_trainer_plan_add(
            t, &(sq_plan_sequence){.slots = batch->slots + at, .weights = weights + at, .n = batch->offsets[s + 1] - at}, error));
    }
    EXPECT_OK(sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error));
    EXPECT_OK(sq_trainer_run(t, &stats, error));
    return stats.loss;
}

/* A trainer after one step with weights; `rows` [slots][stride] are those before it. */
typedef struct sce_case {
    small_model model;
    sq_trainer *t;
    float *rows;
    size_t vp, stride, output;
    double loss;
} sce_case;

static sce_case case_open(const sq_options *o)
{
    sce_case c = {.model = small_open(o, 2, ITEMS)};
    small_batch b = batch_of(3);
    small_train(&c.model, o);
    c.t = c.model.trainer;
    trainer_state before = state_of(c.t);
    c.rows = malloc(before.row_floats * sizeof *c.rows);
    memcpy(c.rows, before.rows, before.row_floats * sizeof *c.rows);
    c.vp = (size_t)c.t->model->layout.vp;
    c.stride = (size_t)c.t->items.catalogue->stride;
    c.output = sq_output_offset(c.t->items.catalogue);
    c.loss = weighted_step(c.t, &b);
    state_free(&before);
    return c;
}

static void case_close(sce_case *c)
{
    free(c->rows);
    small_close(&c->model);
}

static double product(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static const float *item(const sce_case *c, int32_t slot)
{
    return c->rows + (size_t)slot * c->stride + c->output;
}

static double length_of(const sce_case *c, int32_t slot)
{
    return c->t->options.score == SQ_SCORE_COSINE ? sqrt(product(c->vp, item(c, slot), item(c, slot))) : 1;
}

static const float *direction(const sce_case *c, size_t bucket)
{
    return c->t->buckets.directions + bucket * c->vp;
}

static double item_projection(const sce_case *c, size_t bucket, int32_t slot)
{
    return product(c->vp, item(c, slot), direction(c, bucket)) / length_of(c, slot);
}

static double output_projection(const sce_case *c, size_t bucket, int32_t i)
{
    return product(c->vp, c->t->u + (size_t)i * c->vp, direction(c, bucket));
}

/* ---- directions and choices ----------------------------------------------------------------------------------------- */

START_TEST(directions_are_normal_numbers_of_the_step_or_mixtures_of_the_outputs)
{
    sq_options o = sce_options(_i);
    sce_case c = case_open(&o);
    const sq_buckets *b = &c.t->buckets;
    uint64_t key = sq_random_key((uint64_t)o.seed, SQ_STREAM_BUCKETS, 0);
    size_t d = (size_t)c.t->model->layout.vd, n = (size_t)c.t->plan.target_count;
    const float *drawn = o.sce_mix ? b->drawn : b->directions;
    ck_assert_uint_eq(b->count, 5);
    for (size_t k = 0; k < b->count; k++)
        for (size_t i = 0; i < d; i++) {
            float want = (float)(sq_random_normal(key, k * d + i) / pow((double)d, 0.25)), mixed = 0;
            ck_assert(fabsf(drawn[k * c.vp + i] - want) < 1e-6f);
            for (size_t j = 0; j < d && o.sce_mix; j++) mixed += drawn[k * c.vp + j] * b->factor[j * c.vp + i];
            if (o.sce_mix) ck_assert(fabsf(mixed - b->directions[k * c.vp + i]) < 1e-4f * (1 + fabsf(mixed)));
        }
    for (size_t i = 0; i < d && o.sce_mix; i++)
        for (size_t j = 0; j < d; j++) {
            double gram = 0, made = 0;
            for (size_t r = 0; r < n; r++) gram += (double)c.t->u[r * c.vp + i] * (double)c.t->u[r * c.vp + j];
            for (size_t r = 0; r < d; r++) made += (double)b->factor[r * c.vp + i] * (double)b->factor[r * c.vp + j];
            ck_assert_msg(fabs(made - gram) < 1e-4 * (double)n, "%zu %zu: %g, not %g", i, j, made, gram);
        }
    case_close(&c);
}
END_TEST

/* Of n vectors with these projections, the chosen ones are the `most` best of those that may be chosen. */
static void check_choice(const sce_case *c, size_t bucket, const sq_bucket_choice *choice, int32_t n,
                         double (*projection)(const sce_case *c, size_t bucket, int32_t i), const uint8_t *allowed)
{
    int32_t chosen[4096] = {0}, there = 0, found = choice->found[bucket];
    const int32_t *at = choice->at + bucket * choice->most;
    double least = INFINITY;
    for (int32_t i = 0; i < n; i++) there += !allowed || allowed[i];
    ck_assert_int_eq(found, there < (int32_t)choice->most ? there : (int32_t)choice->most);
    for (int32_t j = 0; j < found; j++) {
        ck_assert_int_eq(chosen[at[j]]++, 0);
        ck_assert(!allowed || allowed[at[j]]);
        ck_assert(projection(c, bucket, at[j]) < least + 1e-5);
        least = projection(c, bucket, at[j]);
    }
    for (int32_t i = 0; i < n; i++)
        if ((!allowed || allowed[i]) && !chosen[i]) ck_assert(projection(c, bucket, i) < least + 1e-5);
}

START_TEST(each_bucket_takes_what_reaches_furthest_along_its_direction)
{
    sq_options o = sce_options(_i);
    sce_case c = case_open(&o);
    for (size_t k = 0; k < c.t->buckets.count; k++) {
        check_choice(&c, k, &c.t->buckets.items, ITEMS, item_projection, NULL);
        check_choice(&c, k, &c.t->buckets.outputs, (int32_t)c.t->plan.target_count, output_projection,
                     c.t->buckets.takes_part);
    }
    for (int64_t i = 0; i < c.t->plan.target_count; i++) {
        ck_assert_int_eq(c.t->buckets.takes_part[i], c.t->plan.weights[i] > 0);
        if (!c.t->buckets.takes_part[i]) ck_assert_int_eq(c.t->buckets.bucket[i], -1);
    }
    case_close(&c);
}
END_TEST

START_TEST(equal_projections_go_to_the_lower_number)
{
    sq_options o = sce_options(0);
    float same[ITEMS * 14];
    for (int i = 0; i < ITEMS * 14; i++) same[i] = 0.1f * (float)(i % 14);
    small_model s = small_open(&o, 2, 0);
    small_put(&s, 0, ITEMS, same);
    small_train(&s, &o);
    small_batch b = batch_of(3);
    small_step(s.trainer, &b);
    const sq_bucket_choice *items = &s.trainer->buckets.items;
    for (size_t k = 0; k < s.trainer->buckets.count; k++)
        for (size_t j = 0; j < items->most; j++) ck_assert_int_eq(items->at[k * items->most + j], (int32_t)j);
    small_close(&s);
}
END_TEST

START_TEST(the_shape_follows_the_batch_where_it_is_not_set)
{
    sq_options o = sce_options(0);
    o.sce_buckets = o.sce_bucket_outputs = 0;
    o.sce_bucket_items = 65536;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    small_batch b = batch_of(3), least = {.sequences = 1, .offsets = {0, 2}, .slots = {3, 4}};
    small_step(s.trainer, &b);
    size_t root = (size_t)(2 * sqrt((double)s.trainer->plan.target_count));
    ck_assert_uint_gt(root, 5);
    ck_assert_uint_eq(s.trainer->buckets.count, root);
    ck_assert_uint_eq(s.trainer->buckets.outputs.most, root);
    ck_assert_uint_eq(s.trainer->buckets.items.most, ITEMS);
    small_step(s.trainer, &least);
    ck_assert_uint_eq(s.trainer->buckets.count, 2);
    ck_assert_uint_eq(s.trainer->buckets.outputs.most, 1);
    small_close(&s);
}
END_TEST

START_TEST(a_factor_of_a_singular_matrix_makes_it_again)
{
    enum { N = 37, LD = 48, RANK = 20 };
    static float gram[LD * LD], factor[LD * LD], x[RANK][LD], diagonal[LD];
    memset(gram, 0, sizeof gram);
    memset(x, 0, sizeof x);
    for (int r = 0; r < RANK; r++)
        for (int i = 0; i < N; i++) x[r][i] = wave(7, r * N + i);
    for (int r = 0; r < RANK; r++) x[r][5] = 0, x[r][9] = 2 * x[r][3];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int r = 0; r < RANK; r++) gram[i * LD + j] += x[r][i] * x[r][j];
    memcpy(factor, gram, sizeof gram);
    sq_bucket_factor(sq_kernels_best(), N, LD, factor, diagonal);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double made = 0;
            for (int r = 0; r < N; r++) made += (double)factor[r * LD + i] * (double)factor[r * LD + j];
            ck_assert_msg(fabs(made - (double)gram[i * LD + j]) < 1e-3, "%d %d: %g, not %g", i, j, made,
                          (double)gram[i * LD + j]);
            if (j < i) ck_assert(factor[i * LD + j] == 0);
        }
}
END_TEST

/* ---- value ------------------------------------------------------------------------------------------------------------ */

static double score_of(const sce_case *c, int64_t i, int32_t slot)
{
    return product(c->vp, c->t->u + (size_t)i * c->vp, item(c, slot)) / length_of(c, slot);
}

/* Cross-entropy of output i over the bucket's items and its target, which among the items does not count. */
static double bucket_loss(const sce_case *c, size_t bucket, int64_t i)
{
    const sq_bucket_choice *items = &c->t->buckets.items;
    int32_t target = c->t->plan.targets[i];
    double own = score_of(c, i, target), sum = 1;
    for (int32_t j = 0; j < items->found[bucket]; j++) {
        int32_t slot = items->at[bucket * items->most + (size_t)j];
        if (slot != target) sum += exp(score_of(c, i, slot) - own);
    }
    return log(sum);
}

START_TEST(the_loss_is_the_weighted_mean_of_each_outputs_largest)
{
    sq_options o = sce_options(_i);
    o.sce_bucket_outputs = 14;
    sce_case c = case_open(&o);
    const sq_buckets *b = &c.t->buckets;
    double sum = 0, weight = 0;
    int64_t several = 0, none = 0;
    for (int64_t i = 0; i < c.t->plan.target_count; i++) {
        double largest = 0;
        int64_t in = 0;
        for (size_t k = 0; k < b->count; k++)
            for (int32_t j = 0; j < b->outputs.found[k]; j++) {
                if (b->outputs.at[k * b->outputs.most + (size_t)j] != i) continue;
                largest = fmax(largest, bucket_loss(&c, k, i));
                in++;
            }
        several += in > 1;
        none += in == 0;
        sum += in ? largest * (double)c.t->plan.weights[i] : 0;
        weight += in ? (double)c.t->plan.weights[i] : 0;
    }
    ck_assert_int_gt(several, 0);
    ck_assert_int_gt(none, 0);
    ck_assert_msg(fabs(c.loss - sum / weight) < 1e-6 * c.loss, "%.9g, not %.9g", c.loss, sum / weight);
    case_close(&c);
}
END_TEST

/* ---- full softmax ------------------------------------------------------------------------------------------------------ */

static trainer_state first_step(sq_options o, int64_t loss, double *value)
{
    o.loss = loss;
    o.beta1 = 0; /* first moments are gradients */
    o.sce_buckets = 1;
    o.sce_bucket_outputs = 1048576;
    o.sce_bucket_items = 65536;
    o.item_updates = SQ_ROWS_EXACT;
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_batch b = batch_of(3);
    *value = small_step(s.trainer, &b);
    trainer_state state = state_of(s.trainer);
    small_close(&s);
    return state;
}

static void near_floats(const char *what, const float *a, const float *b, size_t n)
{
    double square = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        square += (double)b[i] * (double)b[i];
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    }
    ck_assert_msg(square > 0 && most < 1e-6 * sqrt(square), "%s: off by %g of %g", what, most, sqrt(square));
}

START_TEST(one_bucket_of_everything_is_full_softmax)
{
    static const int64_t users[] = {SQ_USER_NONE, SQ_USER_ADDED, SQ_USER_CONCATENATED, SQ_USER_PREFIX};
    sq_options o = sce_options(_i % CASES);
    o.user_embedding = users[_i / CASES];
    o.dropout = 0.2;
    if (o.user_embedding != SQ_USER_NONE && (_i & 9)) return; /* cosine or cloze: not for all users */
    o.label_smoothing = _i & 4 ? 0.1 : 0;
    double full, value;
    trainer_state want = first_step(o, SQ_LOSS_SOFTMAX, &full), got = first_step(o, SQ_LOSS_SCE, &value);
    ck_assert_msg(fabs(value - full) < 1e-6 * full, "%.9g, not %.9g", value, full);
    near_floats("parameters", got.m, want.m, want.floats);
    near_floats("rows", got.row_m, want.row_m, want.row_floats);
    state_free(&want);
    state_free(&got);
}
END_TEST

/* ---- gradient ----------------------------------------------------------------------------------------------------------- */

/* Who is in which bucket, in whatever order, and which bucket counts. */
typedef struct choices {
    uint8_t items[5][256], outputs[5][256];
    int32_t bucket[256];
} choices;

static void mark(const sq_bucket_choice *choice, size_t bucket, uint8_t chosen[256])
{
    for (int32_t j = 0; j < choice->found[bucket]; j++) chosen[choice->at[bucket * choice->most + (size_t)j]] = 1;
}

/* A first step from weights moved by h along the direction; the gradient's first moments in `state`. */
static double loss_along(const sq_options *o, const trainer_state *along, float h, int dense, int rows, choices *chosen,
                         trainer_state *state)
{
    small_model s = small_open(o, 0, ITEMS);
    small_train(&s, o);
    sq_trainer *t = s.trainer;
    small_batch b = batch_of(4); /* no two projections of it are nearly equal where the choice ends */
    EXPECT_OK(sq_trained_own_rows(&t->items, error));
    for (size_t i = 0; along && dense && i < along->floats; i++) t->weights[i] += h * along->m[i];
    for (size_t i = 0; along && rows && i < along->row_floats; i++) t->items.rows[0]->at[i] += h * along->row_m[i];
    double loss = weighted_step(t, &b);
    memset(chosen, 0, sizeof *chosen);
    ck_assert_int_le(t->plan.target_count, 256);
    for (size_t k = 0; k < 5; k++) {
        mark(&t->buckets.items, k, chosen->items[k]);
        mark(&t->buckets.outputs, k, chosen->outputs[k]);
    }
    memcpy(chosen->bucket, t->buckets.bucket, (size_t)t->plan.target_count * sizeof *chosen->bucket);
    if (state) *state = state_of(t);
    small_close(&s);
    return loss;
}

START_TEST(the_gradient_is_the_slope_of_the_loss_while_the_choice_stays)
{
    sq_options o = sce_options(_i % CASES);
    trainer_state g;
    choices at, up, down;
    o.beta1 = 0;
    o.item_updates = SQ_ROWS_EXACT;
    o.dropout = 0.1;
    loss_along(&o, NULL, 0, 0, 0, &at, &g);
    for (int part = 0; part < 2; part++) {
        double square = 0;
        int same = 0;
        for (size_t i = 0; part == 0 && i < g.floats; i++) square += (double)g.m[i] * (double)g.m[i];
        for (size_t i = 0; part == 1 && i < g.row_floats; i++) square += (double)g.row_m[i] * (double)g.row_m[i];
        for (float h = 0.02f / (float)sqrt(square); !same && h * square > 2e-5; h /= 2) {
            double rise = loss_along(&o, &g, h, part == 0, part == 1, &up, NULL);
            rise -= loss_along(&o, &g, -h, part == 0, part == 1, &down, NULL);
            same = memcmp(&up, &at, sizeof at) == 0 && memcmp(&down, &at, sizeof at) == 0;
            if (same)
                ck_assert_msg(fabs(rise / (2 * (double)h) - square) < 0.01 * square, "part %d: %g, not %g", part,
                              rise / (2 * (double)h), square);
        }
        ck_assert_msg(same, "part %d: no step that leaves the choice", part);
    }
    state_free(&g);
}
END_TEST

START_TEST(rows_that_no_loss_meets_stay_as_they_are)
{
    sq_options o = sce_options(_i);
    o.sce_buckets = 2;
    o.weight_decay = 0.1;
    o.optimizer = SQ_OPTIMIZER_ADAMW;
    sce_case c = case_open(&o);
    const sq_buckets *b = &c.t->buckets;
    int64_t untouched = 0;
    for (int32_t slot = 0; slot < ITEMS; slot++) {
        int touched = 0;
        for (int64_t i = 0; i < c.t->plan.tokens; i++) touched |= c.t->plan.inputs[i] == slot;
        for (int64_t i = 0; i < c.t->plan.target_count; i++) {
            if (b->bucket[i] < 0) continue;
            touched |= c.t->plan.targets[i] == slot;
            for (int32_t j = 0; j < b->items.found[b->bucket[i]]; j++)
                touched |= b->items.at[(size_t)b->bucket[i] * b->items.most + (size_t)j] == slot;
        }
        int same = memcmp(sq_trainer_row(c.t, slot), c.rows + (size_t)slot * c.stride, c.stride * sizeof(float)) == 0;
        ck_assert_msg(same == !touched, "slot %d", (int)slot);
        untouched += !touched;
    }
    ck_assert_int_gt(untouched, 0);
    case_close(&c);
}
END_TEST

/* ---- gates, memory --------------------------------------------------------------------------------------------------------- */

/* Gradient of one gate by arm is (other loss - loss) (u - 1/2), where the other loss is that of its own buckets. */
START_TEST(arm_compares_the_losses_of_both_draws)
{
    sq_options o = sce_options(0);
    o.gates = SQ_GATES_POSITION;
    o.gate_estimator = SQ_GATES_BY_ARM;
    o.gate_l0 = 0;
    o.beta1 = 0;
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_batch b = batch_of(3);
    double loss = small_step(s.trainer, &b), ratio = NAN;
    const sq_layout *l = &s.model->layout;
    uint64_t key = sq_random_key((uint64_t)o.seed, SQ_STREAM_GATES, 0);
    int32_t row = l->length - 1; /* the newest event's */
    for (int32_t j = row - 1; j <= row; j++) {
        double u = (double)sq_gate_uniform(sq_random64(key, (uint64_t)(row * l->length + j)));
        double g = (double)s.trainer->m[l->block[0].gates + (size_t)row * (size_t)l->lp + (size_t)j] / (u - 0.5);
        if (j == row) ck_assert_msg(fabs(g - ratio) < 1e-4 * fabs(ratio) + 1e-9, "%g and %g", g, ratio);
        ratio = g;
    }
    ck_assert(isfinite(loss) && ratio != 0);
    small_close(&s);
}
END_TEST

START_TEST(memory_stays_far_below_outputs_by_items)
{
    enum { MANY = 20000 };
    sq_options o = sce_options(4);
    o.sce_buckets = o.sce_bucket_outputs = 0;
    o.sce_bucket_items = 64;
    small_model s = small_open(&o, 2, MANY);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 3, 64, 30, 30, MANY);
    small_step(s.trainer, &b);
    size_t bytes = s.trainer->buckets.arena.capacity;
    for (int32_t w = 0; w < s.trainer->workers; w++) bytes += s.trainer->arenas[w].capacity;
    size_t all = (size_t)s.trainer->plan.target_count * MANY * sizeof(float);
    ck_assert_msg(bytes < all / 32, "%zu bytes, outputs by items are %zu", bytes, all);
    small_close(&s);
}
END_TEST

/* 21 sequences could have 1,050 targets (64 buckets) and, with some of them masked at the end alone, have fewer: then the scratch of
 * the mixture's factor, which may not be smaller than a vector, is what `best` is there for. */
START_TEST(a_batch_with_fewer_targets_than_it_could_have_fits_in_what_was_reserved)
{
    sq_options o = small_options("bert4rec");
    o.loss = SQ_LOSS_SCE;
    o.item_bias = 0;
    o.max_length = 100;
    o.mask_probability = 0.5;
    o.mask_last_share = 0.4;
    o.sce_bucket_outputs = o.sce_bucket_items = 1;
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 3, 21, 100, 100, ITEMS);
    ck_assert(isfinite(small_step(s.trainer, &b)));
    ck_assert_int_eq(s.trainer->plan.most_targets, 1050);
    ck_assert_int_lt(s.trainer->plan.target_count, 1024);
    ck_assert_uint_lt(s.trainer->buckets.count, 64);
    ck_assert_uint_le(s.trainer->buckets.arena.used, s.trainer->buckets.arena.capacity);
    small_close(&s);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sce");
    tcase_add_test(tests, a_batch_with_fewer_targets_than_it_could_have_fits_in_what_was_reserved);
    tcase_add_loop_test(tests, directions_are_normal_numbers_of_the_step_or_mixtures_of_the_outputs, 0, CASES);
    tcase_add_loop_test(tests, each_bucket_takes_what_reaches_furthest_along_its_direction, 0, CASES);
    tcase_add_test(tests, equal_projections_go_to_the_lower_number);
    tcase_add_test(tests, the_shape_follows_the_batch_where_it_is_not_set);
    tcase_add_test(tests, a_factor_of_a_singular_matrix_makes_it_again);
    tcase_add_loop_test(tests, the_loss_is_the_weighted_mean_of_each_outputs_largest, 0, CASES);
    tcase_add_loop_test(tests, one_bucket_of_everything_is_full_softmax, 0, 4 * CASES);
    tcase_add_loop_test(tests, the_gradient_is_the_slope_of_the_loss_while_the_choice_stays, 0, CASES);
    tcase_add_loop_test(tests, rows_that_no_loss_meets_stay_as_they_are, 0, CASES / 2);
    tcase_add_test(tests, arm_compares_the_losses_of_both_draws);
    tcase_add_test(tests, memory_stays_far_below_outputs_by_items);
    Suite *suite = suite_create("sce");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
