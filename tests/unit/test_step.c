/* unit: a training step: same bits at any number of threads, exact and lazy rows, refusal, clipping, rates, memory. */
#include "counting_allocator.h"
#include "run_suite.h"
#include "trainer_state.h"

#define ITEMS 1030 /* two chunks */
#define MANY 20000

static sq_options step_options(void)
{
    sq_options o = small_options("sasrec");
    o.dim = 14;
    o.heads = 2;
    o.max_length = 24;
    o.micro_batch = 40;
    o.dropout = 0.2;
    o.learning_rate = 0.01;
    return o;
}

/* Batch `number` of a run: lengths around the window, so that some are cut. */
static small_batch batch_number(uint64_t number)
{
    small_batch b;
    small_draw(&b, 10 * number, 10, 1, 30, ITEMS);
    return b;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static trainer_state trained(const sq_options *o, int32_t threads, int steps, double *loss)
{
    small_model s = small_open(o, threads, ITEMS);
    small_train(&s, o);
    for (int i = 0; i < steps; i++) {
        small_batch b = batch_number((uint64_t)i);
        *loss = small_step(s.trainer, &b);
    }
    trainer_state state = state_of(s.trainer);
    small_close(&s);
    return state;
}

START_TEST(eight_steps_give_the_same_bits_at_any_number_of_threads)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.clip_norm = _i % 3 ? 0 : 0.5;
    double loss, other_loss;
    trainer_state one = trained(&o, 1, 8, &loss);
    for (int32_t threads = 2; threads <= 4; threads += 2) {
        trainer_state other = trained(&o, threads, 8, &other_loss);
        same_state(&one, &other);
        ck_assert(memcmp(&loss, &other_loss, sizeof loss) == 0);
        state_free(&other);
    }
    state_free(&one);
}
END_TEST

START_TEST(another_seed_gives_other_weights)
{
    sq_options o = step_options();
    double loss, other_loss;
    trainer_state one = trained(&o, 1, 2, &loss);
    o.seed++;
    trainer_state other = trained(&o, 1, 2, &other_loss);
    ck_assert(loss != other_loss);
    ck_assert(memcmp(one.weights, other.weights, one.floats * sizeof(float)) != 0);
    state_free(&one);
    state_free(&other);
}
END_TEST

START_TEST(every_kind_of_training_lowers_the_loss)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.dropout = 0;
    small_model s = small_open(&o, 0, 60);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 5, 10, 2, 12, 60);
    double first = small_step(s.trainer, &b), last = first;
    for (int i = 0; i < 40; i++) last = small_step(s.trainer, &b);
    ck_assert_msg(last < 0.85 * first, "from %g to %g", first, last);
    small_close(&s);
}
END_TEST

/* ---- what a sequence brings -------------------------------------------------------------------------------------------- */

/* A window of 3 before the 2 events behind it; the newest of all ages the targets. */
START_TEST(events_behind_a_window_are_seen_and_no_more)
{
    static const int32_t slots[] = {10, 11, 12, 13, 14, 15, 16}, cloze_inputs[] = {12, 13, -1};
    const sq_plan_sequence sequence = {.slots = slots, .n = 7, .behind = 2};
    const sq_cloze last = {.key = 5, .probability = 0.5, .last_share = 1};
    sq_options o = step_options();
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    sq_plan_clear(p);
    EXPECT_OK(sq_plan_add(p, &s.context->memory, &sequence, 3, 0.5, error));
    EXPECT_OK(sq_plan_add_cloze(p, &s.context->memory, &sequence, 3, 0.5, &last, error));
    ck_assert_mem_eq(p->inputs, slots + 1, 3 * sizeof *slots);
    ck_assert_mem_eq(p->targets, slots + 2, 3 * sizeof *slots);
    ck_assert_mem_eq(p->inputs + 3, cloze_inputs, sizeof cloze_inputs);
    ck_assert_int_eq(p->targets[3], 14);
    ck_assert(p->weights[0] == 0.0625f && p->weights[2] == 0.25f && p->weights[3] == 0.25f);
    for (int q = 0; q < 2; q++) ck_assert_mem_eq(p->seen + 7 * q, slots, sizeof slots);
    ck_assert_int_eq(p->seen_ends[1], 14);
    EXPECT_OK(sq_plan_add(p, &s.context->memory, &(sq_plan_sequence){.slots = slots, .n = 7, .behind = 6}, 3, 1, error));
    ck_assert_int_eq(p->sequences, 2);
    small_close(&s);
}
END_TEST

/* ---- exact rows -------------------------------------------------------------------------------------------------- */

/* Row gradients of the latest step by the definition, from its entries: [slots][stride]. Own negatives, scores by dot. */
static void naive_gradients(const sq_trainer *t, float *g)
{
    ck_assert(!t->dense);
    size_t dp = (size_t)t->model->layout.dp, stride = (size_t)t->items.catalogue->stride, c = t->candidates;
    size_t tokens = (size_t)t->plan.tokens, output = sq_output_offset(t->items.catalogue);
    float scale = t->options.scale_embeddings ? sqrtf((float)t->options.dim) : 1.0f;
    float *out = calloc((size_t)sq_trainer_slots(t) * dp, sizeof *out);
    float *table = calloc((size_t)sq_trainer_slots(t) * dp, sizeof *table);
    memset(g, 0, (size_t)sq_trainer_slots(t) * stride * sizeof *g);
    for (size_t i = 0; i < tokens; i++)
        t->kernels->axpy(dp, scale, t->dx + i * dp, g + (size_t)t->entries.slots[i] * stride);
    for (size_t e = 0; e < tokens * c; e++) {
        int32_t slot = t->own[e];
        if (slot >= 0) t->kernels->axpy(dp, t->coefficient[e], t->u + e / c * dp, out + (size_t)slot * dp);
    }
    for (size_t e = tokens + tokens * c; e < t->entries.count && sq_trainer_at_batch(t); e++) { /* the items of buckets */
        int32_t slot = t->entries.slots[e];
        if (slot >= 0) t->kernels->axpy(dp, 1, t->buckets.drows + (e - tokens - tokens * c) * dp, table + (size_t)slot * dp);
    }
    for (size_t r = 0; r < (size_t)sq_trainer_slots(t); r++) {
        t->kernels->add(dp, table + r * dp, out + r * dp);
        t->kernels->add(dp, out + r * dp, g + r * stride + output);
    }
    free(out);
    free(table);
}

/* Dense Adam over all rows beside the trainer. */
static void follow_densely(sq_trainer *t, trainer_state *dense, float *g)
{
    size_t stride = (size_t)t->items.catalogue->stride;
    sq_schedule schedule = sq_trainer_schedule(t);
    sq_adam rule = sq_schedule_rule(&schedule, t->step, 1);
    naive_gradients(t, g);
    for (int64_t i = 0; i < t->items.live_count; i++) {
        size_t at = (size_t)t->items.live[i] * stride;
        t->kernels->adam(stride, &rule, g + at, dense->rows + at, dense->row_m + at, dense->row_v + at);
    }
}

/* With `pass` a batch is passed over behind each of the first steps. */
static void compare_with_dense(sq_options o, int steps, small_batch (*batch)(int step), int pass)
{
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    trainer_state dense = state_of(s.trainer);
    float *g = malloc(dense.row_floats * sizeof *g);
    for (int i = 0; i < steps; i++) {
        small_batch b = batch(i);
        small_step(s.trainer, &b);
        follow_densely(s.trainer, &dense, g);
        if (i < pass) EXPECT_OK(sq_trainer_pass(s.trainer, error));
    }
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    trainer_state now = state_of(s.trainer);
    same_floats("rows", now.rows, dense.rows, now.row_floats);
    same_floats("rows' first moments", now.row_m, dense.row_m, now.row_floats);
    same_floats("rows' second moments", now.row_v, dense.row_v, now.row_floats);
    state_free(&now);
    state_free(&dense);
    free(g);
    small_close(&s);
}

static small_batch random_batch(int step)
{
    return batch_number((uint64_t)step);
}

/* Item 1 is an input and a target in the first and last steps only. */
static small_batch rare_batch(int step)
{
    small_batch b = {.sequences = 1, .offsets = {0, 3}, .slots = {3, 4, 5}};
    if (step == 0 || step == 1099) b.slots[1] = 1;
    return b;
}

START_TEST(exact_rows_equal_dense_adam_bit_for_bit)
{
    sq_options o = step_options();
    o.item_updates = SQ_ROWS_EXACT;
    o.tied_output = _i & 1;
    o.loss = _i & 16 ? SQ_LOSS_SCE : _i & 2 ? SQ_LOSS_SAMPLED_SOFTMAX : SQ_LOSS_BCE;
    o.sce_mix = _i & 2 ? 1 : 0;
    o.sce_bucket_items = 30;
    o.weight_decay = _i & 4 ? 0.01 : 0;
    o.optimizer = _i & 8 ? SQ_OPTIMIZER_ADAMW : SQ_OPTIMIZER_ADAM;
    o.negatives = 3;
    o.warmup_steps = 6;
    o.schedule = SQ_SCHEDULE_COSINE;
    o.schedule_steps = 30;
    compare_with_dense(o, 24, random_batch, 0);
}
END_TEST

START_TEST(a_row_without_gradient_for_a_thousand_steps_equals_dense_adam)
{
    sq_options o = step_options();
    o.item_updates = SQ_ROWS_EXACT;
    o.blocks = 1;
    o.weight_decay = _i & 1 ? 0.001 : 0;
    o.schedule = SQ_SCHEDULE_COSINE;
    o.schedule_steps = 2000;
    compare_with_dense(o, 1100, rare_batch, _i & 2 ? 30 : 0);
}
END_TEST

/* ---- loss and row gradients of a whole step ---------------------------------------------------------------------- */

/* What a step should have done, in double: rows before it, and the gradient of each row. */
typedef struct oracle {
    const sq_trainer *t;
    const int32_t *own; /* slots of the positions' own candidates */
    const float *rows; /* [slots][stride] before the step */
    size_t dp, stride;
    double *g; /* [slots][stride] */
    double loss;
} oracle;

static const float *output_of(const oracle *o, int32_t slot)
{
    return o->rows + (size_t)slot * o->stride + sq_output_offset(o->t->items.catalogue);
}

static double product(const oracle *o, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < o->dp; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Length of the output vector under cosine scores (the trainer's u is u / (|u| temperature) already), else 1. */
static double length_of(const oracle *o, int32_t slot)
{
    if (o->t->options.score != SQ_SCORE_COSINE) return 1;
    return sqrt(product(o, output_of(o, slot), output_of(o, slot)));
}

/* The candidates of token i, its target first. */
static size_t candidates_of(const oracle *o, int64_t i, int64_t sequence, int32_t *out)
{
    const sq_trainer *t = o->t;
    const sq_plan *p = &t->plan;
    size_t n = 1;
    out[0] = p->targets[i];
    if (t->options.loss == SQ_LOSS_SOFTMAX) {
        for (int64_t j = 0; j < t->items.live_count; j++)
            if (t->items.live[j] != out[0]) out[n++] = t->items.live[j];
        return n;
    }
    if (t->options.loss == SQ_LOSS_SCE) {
        int32_t bucket = t->buckets.bucket[i];
        for (int32_t j = 0; bucket >= 0 && j < t->buckets.items.found[bucket]; j++) {
            int32_t slot = t->buckets.items.at[(size_t)bucket * t->buckets.items.most + (size_t)j];
            if (slot != out[0]) out[n++] = slot;
        }
        return bucket < 0 ? 0 : n;
    }
    for (int64_t j = 0; j < t->options.negatives; j++) {
        int shared = t->options.negative_sharing == SQ_SHARE_BATCH, seen = 0;
        int32_t slot = shared ? t->entries.slots[sq_trainer_own_end(t) + (size_t)j] : o->own[i * (1 + t->options.negatives) + 1 + j];
        for (int64_t k = p->seen_starts[sequence]; k < p->seen_ends[sequence]; k++) seen |= slot == p->seen[k];
        if (slot < 0 || (shared && t->options.seen == SQ_SEEN_EXCLUDE_HISTORY && seen)) continue;
        if (slot == out[0] && (sq_loss_kind_at(t->options.loss)->softmax || t->options.seen != SQ_SEEN_KEEP)) continue;
        out[n++] = slot;
    }
    return n;
}

/* How many outputs have a loss. */
static double outputs_of(const sq_trainer *t)
{
    int64_t n = 0;
    if (t->options.loss != SQ_LOSS_SCE) return (double)t->plan.tokens;
    for (int64_t i = 0; i < t->plan.target_count; i++) n += t->buckets.bucket[i] >= 0;
    return (double)n;
}

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

static double logistic(double x) { return exp(-softplus(-x)); }

/* The loss of a target, score[0], among its negatives as it is published: gBCE with its calibration t (Petrov and Macdonald 2023, eq. 14), BPR as
 * the mean over negatives, BPR-max and TOP1-max (Hidasi and Karatzoglou 2018), softmax with label smoothing. */
static double published_loss(const sq_trainer *t, size_t n, const double *score)
{
    const sq_options *o = &t->options;
    const double alpha = (double)o->negatives / (double)(t->items.live_count - 1), above = softplus(-score[0]);
    double all = 0, shares = 0, mean = 0, below = 0, pairs = 0, hits = 0, squares = 0, top1 = 0;
    for (size_t j = 0; j < n; j++) all += exp(score[j]), mean += score[j] / (double)n;
    for (size_t j = 1; j < n; j++) {
        const double share = exp(score[j]), apart = score[0] - score[j];
        shares += share;
        below += softplus(score[j]);
        pairs += softplus(-apart) / (double)(n - 1);
        hits += share * logistic(apart);
        squares += share * score[j] * score[j];
        top1 += share * (logistic(-apart) + logistic(score[j] * score[j]));
    }
    switch (o->loss) {
        case SQ_LOSS_GBCE: return alpha * (o->calibration * (1 - 1 / alpha) + 1 / alpha) * above + below;
        case SQ_LOSS_BPR: return pairs;
        case SQ_LOSS_BPR_MAX: return -log(hits / shares) + o->score_penalty * squares / shares;
        case SQ_LOSS_TOP1_MAX: return top1 / shares;
        default: return log(all) - (1 - o->label_smoothing) * score[0] - o->label_smoothing * mean;
    }
}

/* Which of them have their slopes below as formulas. */
static int is_plain(const sq_options *o)
{
    return o->loss == SQ_LOSS_BCE || o->loss == SQ_LOSS_SCE || ((o->loss == SQ_LOSS_SOFTMAX || o->loss == SQ_LOSS_SAMPLED_SOFTMAX) && o->label_smoothing == 0);
}

/* Adds what a slope of candidate `slot` of u does to its output vector. */
static void oracle_row(oracle *o, const float *u, int32_t slot, double score, double slope)
{
    const double length = length_of(o, slot), along = o->t->options.score == SQ_SCORE_COSINE ? score / length : 0;
    const float *row = output_of(o, slot);
    double *to = o->g + (size_t)slot * o->stride + sq_output_offset(o->t->items.catalogue);
    for (size_t d = 0; d < o->dp; d++) to[d] += slope / length * ((double)u[d] - along * (double)row[d]);
}

/* By differences of the published loss. */
static void oracle_published(oracle *o, const float *u, double weight, size_t n, const int32_t *slots, double *score)
{
    const double h = 1e-5;
    o->loss += weight * published_loss(o->t, n, score);
    for (size_t j = 0; j < n; j++) {
        const double at = score[j];
        score[j] = at + h;
        const double more = published_loss(o->t, n, score);
        score[j] = at - h;
        const double less = published_loss(o->t, n, score);
        score[j] = at;
        oracle_row(o, u, slots[j], at, weight * (more - less) / (2 * h));
    }
}

/* Loss of token i and what it does to its candidates' output vectors. */
static void oracle_token(oracle *o, int64_t i, int64_t sequence)
{
    int32_t slots[ITEMS + 8];
    double score[ITEMS + 8], corrected[ITEMS + 8], top = 0, sum = 0, weight = 1.0 / outputs_of(o->t);
    const float *u = o->t->u + (size_t)i * o->dp;
    size_t n = candidates_of(o, i, sequence, slots);
    if (n == 0) return;
    int bce = o->t->options.loss == SQ_LOSS_BCE;
    for (size_t j = 0; j < n; j++) score[j] = product(o, u, output_of(o, slots[j])) / length_of(o, slots[j]);
    if (!is_plain(&o->t->options)) {
        oracle_published(o, u, weight, n, slots, score);
        return;
    }
    for (size_t j = 0; j < n; j++) {
        corrected[j] = score[j] - (o->t->options.logq == SQ_LOGQ_CLASSIC ? (double)o->t->log_expected[slots[j]] : 0);
        if (bce) o->loss += weight * log1p(exp(j ? score[j] : -score[j]));
        top = j == 0 || corrected[j] > top ? corrected[j] : top;
    }
    for (size_t j = 0; j < n; j++) sum += exp(corrected[j] - top);
    if (!bce) o->loss += weight * (log(sum) + top - corrected[0]);
    for (size_t j = 0; j < n; j++) {
        double positive = j == 0;
        oracle_row(o, u, slots[j], score[j], weight * ((bce ? 1 / (1 + exp(-score[j])) : exp(corrected[j] - top) / sum) - positive));
    }
}

static void oracle_step(oracle *o)
{
    const sq_plan *p = &o->t->plan;
    double scale = o->t->options.scale_embeddings ? sqrt((double)o->t->options.dim) : 1;
    for (int64_t s = 0; s < p->sequences; s++)
        for (int64_t i = p->starts[s]; i < p->starts[s + 1]; i++) {
            oracle_token(o, i, s);
            for (size_t d = 0; d < o->dp; d++)
                o->g[(size_t)p->inputs[i] * o->stride + d] += scale * (double)o->t->dx[(size_t)i * o->dp + d];
        }
}

static int32_t latest_was_dense; /* the step that check_definition made */

/* Beta1 = 0: the first moments after the first step are the gradients. An item was removed from among them, so that slots are no places in
 * a list of all items. Returns what was learned, which the caller frees. */
static trainer_state check_definition(sq_options options, int32_t threads, int32_t items, const small_batch *b)
{
    const int64_t gone = 7;
    small_batch without = *b;
    options.beta1 = 0;
    options.negatives = 19;
    small_model s = small_open(&options, threads, items + 1);
    small_remove(&s, &gone, 1);
    for (int64_t i = 0; i < b->offsets[b->sequences]; i++) without.slots[i] += without.slots[i] >= gone;
    small_train(&s, &options);
    double bought[SQ_CHUNK_ROWS];
    for (int i = 0; i < SQ_CHUNK_ROWS; i++) bought[i] = 1 + i % 7 * 3;
    if (options.logq) EXPECT_OK(sq_trainer_set_popularity(s.trainer, bought, error));
    trainer_state before = state_of(s.trainer);
    double loss = small_step(s.trainer, &without), square = 0;
    int32_t *own = small_candidates(s.trainer);
    oracle o = {.t = s.trainer, .own = own, .rows = before.rows, .dp = (size_t)s.model->layout.dp};
    o.stride = (size_t)s.trainer->items.catalogue->stride;
    o.g = calloc(before.row_floats, sizeof *o.g);
    oracle_step(&o);
    latest_was_dense = s.trainer->dense;
    ck_assert_msg(fabs(loss - o.loss) < 1e-6 * o.loss, "loss %.9g, not %.9g", loss, o.loss);
    for (size_t i = 0; i < before.row_floats; i++) square += o.g[i] * o.g[i];
    for (size_t i = 0; i < before.row_floats; i++) {
        double found = (double)s.trainer->items.state[0]->m[i];
        if (!(fabs(found - o.g[i]) < 1e-6 * sqrt(square)))
            ck_abort_msg("row %zu, element %zu: %.9g, not %.9g (of %g)", i / o.stride, i % o.stride, found, o.g[i], sqrt(square));
    }
    free(o.g);
    free(own);
    state_free(&before);
    trainer_state learned = state_of(s.trainer);
    small_close(&s);
    return learned;
}

START_TEST(loss_and_row_gradients_of_a_step_follow_their_definition)
{
    small_batch b;
    sq_options options = step_options();
    training_kind(_i % TRAINING_KINDS, &options);
    options.seen = _i / TRAINING_KINDS;
    const int32_t items = options.loss == SQ_LOSS_SOFTMAX ? 300 : 50;
    small_draw(&b, 41, 12, 1, 30, items);
    trainer_state learned = check_definition(options, 2, items, &b);
    state_free(&learned);
}
END_TEST

START_TEST(every_loss_of_a_step_is_the_published_one)
{
    static const struct {
        int64_t loss;
        double calibration, score_penalty, label_smoothing;
    } kinds[] = {{SQ_LOSS_GBCE, 0, 1, 0}, {SQ_LOSS_GBCE, .3, 1, 0}, {SQ_LOSS_GBCE, .75, 1, 0}, {SQ_LOSS_GBCE, 1, 1, 0},
                 {SQ_LOSS_BPR, .75, 1, 0}, {SQ_LOSS_BPR_MAX, .75, 0, 0}, {SQ_LOSS_BPR_MAX, .75, 2.5, 0}, {SQ_LOSS_TOP1_MAX, .75, 1, 0},
                 {SQ_LOSS_SOFTMAX, .75, 1, .1}, {SQ_LOSS_SAMPLED_SOFTMAX, .75, 1, .2}};
    small_batch b;
    sq_options options = step_options();
    options.loss = kinds[_i / 6].loss;
    options.calibration = kinds[_i / 6].calibration;
    options.score_penalty = kinds[_i / 6].score_penalty;
    options.label_smoothing = kinds[_i / 6].label_smoothing;
    options.seen = _i % 3;
    options.score = _i % 6 / 3 ? SQ_SCORE_COSINE : SQ_SCORE_DOT;
    options.init_std = 0.5; /* scores well apart from 0 */
    options.init = SQ_INIT_NORMAL;
    small_draw(&b, 41, 12, 1, 30, 50);
    trainer_state learned = check_definition(options, 2, 50, &b);
    state_free(&learned);
}
END_TEST

/* In a table of all items where that is small enough, and else as entries: so many and such wide ones that rows are summed in groups, and their
 * user vectors read in blocks (lib/train/rowgradients.c). */
START_TEST(row_gradients_of_many_positions_follow_their_definition_at_any_number_of_threads)
{
    /* BCE and sampled softmax, untied and tied, the last two with cosines and lazy rows, the last corrected too */
    static const int kinds[] = {0, 1, 32, 33 + 2 + 8, 33 + 2 + 8};
    const int dense = _i / 5;
    const int32_t items = dense ? 300 : 1000;
    small_batch b;
    sq_options options = step_options();
    training_kind(kinds[_i % 5], &options);
    if (_i % 5 == 4) {
        options.sampler = SQ_SAMPLER_LOG_UNIFORM;
        options.seen = SQ_SEEN_KEEP;
        options.logq = SQ_LOGQ_CLASSIC;
    }
    options.dim = dense ? 256 : 528;
    options.blocks = 1;
    options.max_length = 17;
    small_draw(&b, 43, 64, 18, 18, items);
    trainer_state one = check_definition(options, 0, items, &b), three = check_definition(options, 3, items, &b);
    ck_assert_int_eq(latest_was_dense, dense);
    same_state(&one, &three);
    state_free(&one);
    state_free(&three);
}
END_TEST

/* ---- lazy rows --------------------------------------------------------------------------------------------------- */

START_TEST(lazy_rows_without_gradient_stay_as_they_are)
{
    sq_options o = step_options();
    training_kind(8 + _i, &o);
    o.loss = _i & 4 ? SQ_LOSS_SAMPLED_SOFTMAX : SQ_LOSS_BCE;
    o.weight_decay = 0.1;
    o.optimizer = SQ_OPTIMIZER_ADAMW;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    size_t stride = (size_t)s.trainer->items.catalogue->stride, bytes = stride * sizeof(float);
    int64_t untouched = 0;
    for (int step = 0; step < 5; step++) {
        trainer_state before = state_of(s.trainer);
        small_batch b = batch_number((uint64_t)step);
        small_step(s.trainer, &b);
        trainer_state after = state_of(s.trainer);
        uint8_t touched[2 * SQ_CHUNK_ROWS] = {0};
        for (size_t e = 0; e < s.trainer->entries.count; e++)
            if (s.trainer->entries.slots[e] >= 0) touched[s.trainer->entries.slots[e]] = 1;
        for (size_t slot = 0; slot < ITEMS; slot++) {
            int same = memcmp(before.rows + slot * stride, after.rows + slot * stride, bytes) == 0 &&
                       memcmp(before.row_m + slot * stride, after.row_m + slot * stride, bytes) == 0 &&
                       memcmp(before.row_v + slot * stride, after.row_v + slot * stride, bytes) == 0;
            ck_assert_msg(same == !touched[slot], "slot %zu, touched %d, same %d", slot, (int)touched[slot], same);
            untouched += !touched[slot];
        }
        state_free(&before);
        state_free(&after);
    }
    ck_assert_int_gt(untouched, 100);
    small_close(&s);
}
END_TEST

/* ---- refusal ----------------------------------------------------------------------------------------------------- */

/* A place of the trainer's memory that a step reads. */
static float *place_of(sq_trainer *t, const small_batch *b, int place)
{
    const sq_layout *l = &t->model->layout;
    size_t places[] = {l->position + 2, l->block[0].qkv + 5, l->block[1].ffn_out + 3, l->block[0].norm1_gain,
                       l->final_bias};
    if (place < 5) return t->weights + places[place];
    if (place == 5) return sq_trainer_row(t, b->slots[b->offsets[1] - 2]) + 1;                  /* an input */
    return sq_trainer_row(t, b->slots[b->offsets[1] - 1]) + sq_output_offset(t->items.catalogue) + 1; /* a target */
}

START_TEST(a_step_that_is_not_finite_changes_nothing)
{
    static const float poisons[] = {NAN, INFINITY};
    sq_options o = step_options();
    training_kind(_i, &o);
    o.dropout = 0;
    small_model s = small_open(&o, 2, ITEMS), t = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_train(&t, &o);
    small_batch b;
    small_draw(&b, 7, 6, 5, 20, ITEMS);
    for (int i = 0; i < 3; i++) {
        small_step(s.trainer, &b);
        small_step(t.trainer, &b);
    }
    for (int place = 0; place < 7; place++) {
        seqrec_error refused = {0};
        float *at = place_of(s.trainer, &b, place), value = *at;
        EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
        *at = poisons[place % 2];
        trainer_state before = state_of(s.trainer);
        small_plan(s.trainer, &b);
        int32_t status = sq_trainer_run(s.trainer, NULL, &refused);
        ck_assert_msg(status == SEQREC_E_NUMERIC, "place %d: %d", place, (int)status);
        ck_assert_ptr_nonnull(strstr(refused.message, "not finite"));
        trainer_state after = state_of(s.trainer);
        same_state(&before, &after);
        state_free(&before);
        state_free(&after);
        *at = value;
        small_step(s.trainer, &b); /* as if nothing had been */
        small_step(t.trainer, &b);
    }
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    EXPECT_OK(sq_trainer_catch_up(t.trainer, error));
    trainer_state one = state_of(s.trainer), other = state_of(t.trainer);
    same_state(&one, &other);
    state_free(&one);
    state_free(&other);
    small_close(&s);
    small_close(&t);
}
END_TEST

/* Divided by its length its gradient would be beyond what Adam can square. */
START_TEST(a_vector_without_a_direction_gets_no_gradient_from_a_cosine)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.score = SQ_SCORE_COSINE;
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_batch b = batch_number(1);
    const sq_catalogue *c = s.trainer->items.catalogue;
    float *row = sq_trainer_row(s.trainer, b.slots[b.offsets[1] - 1]) + sq_output_offset(c);
    for (int32_t i = 0; i < c->dim; i++) row[i] *= 1e-20f;
    for (int i = 0; i < 3; i++) small_step(s.trainer, &b);
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    trainer_state after = state_of(s.trainer);
    for (size_t i = 0; i < after.row_floats; i++) ck_assert(isfinite(after.rows[i]) && isfinite(after.row_v[i]));
    state_free(&after);
    small_close(&s);
}
END_TEST

START_TEST(a_batch_without_targets_is_refused)
{
    sq_options o = step_options();
    small_model s = small_open(&o, 0, 20);
    small_train(&s, &o);
    small_batch b = {.sequences = 2, .offsets = {0, 1, 2}, .slots = {3, 4}};
    seqrec_error error = {0};
    small_plan(s.trainer, &b);
    ck_assert_int_eq(sq_trainer_run(s.trainer, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(s.trainer->step, 0);
    small_close(&s);
}
END_TEST

/* ---- clipping and rates ------------------------------------------------------------------------------------------ */

/* Norm of the first moments: of the gradient as it was used, when beta1 is 0 and this was the first step. */
static double moment_norm(const sq_trainer *t)
{
    trainer_state s = state_of(t);
    double sum = 0;
    for (size_t i = 0; i < s.floats; i++) sum += (double)s.m[i] * (double)s.m[i];
    for (size_t i = 0; i < s.row_floats; i++) sum += (double)s.row_m[i] * (double)s.row_m[i];
    state_free(&s);
    return sqrt(sum);
}

static double first_step(const sq_options *o, seqrec_step_stats *stats, double *norm, trainer_state *state)
{
    small_model s = small_open(o, 2, ITEMS);
    small_batch b = batch_number(1);
    small_train(&s, o);
    small_plan(s.trainer, &b);
    EXPECT_OK(sq_trainer_run(s.trainer, stats, error));
    *norm = moment_norm(s.trainer);
    *state = state_of(s.trainer);
    small_close(&s);
    return stats->loss;
}

START_TEST(clip_norm_bounds_the_gradient_that_is_used)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.beta1 = 0;
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    double norm, clipped;
    trainer_state plain, far, near;
    first_step(&o, &stats, &norm, &plain);
    ck_assert(stats.grad_norm == 0);
    o.clip_norm = 2 * norm;
    first_step(&o, &stats, &clipped, &far);
    ck_assert_msg(fabs(stats.grad_norm - norm) < 1e-5 * norm, "%g, not %g", stats.grad_norm, norm);
    same_state(&plain, &far);
    o.clip_norm = 0.1 * norm;
    first_step(&o, &stats, &clipped, &near);
    ck_assert_msg(fabs(stats.grad_norm - norm) < 1e-5 * norm, "%g, not %g", stats.grad_norm, norm);
    ck_assert_msg(fabs(clipped - o.clip_norm) < 1e-5 * o.clip_norm, "%g, not %g", clipped, o.clip_norm);
    state_free(&plain);
    state_free(&far);
    state_free(&near);
}
END_TEST

START_TEST(the_rate_warms_up_and_follows_its_schedule)
{
    sq_options o = step_options();
    o.warmup_steps = 4;
    o.schedule = _i ? SQ_SCHEDULE_LINEAR : SQ_SCHEDULE_COSINE;
    o.schedule_steps = 20;
    o.learning_rate = 0.08;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (int step = 1; step <= 23; step++) {
        double pi = acos(-1), part = (step - 4) / 16.0, down = _i ? 1 - part : 0.5 * (1 + cos(pi * part));
        double want = step <= 4 ? 0.02 * step : step >= 20 ? 0 : 0.08 * down;
        seqrec_step_stats stats = {.struct_size = sizeof stats};
        small_batch b = batch_number((uint64_t)step);
        small_plan(s.trainer, &b);
        trainer_state before = state_of(s.trainer);
        EXPECT_OK(sq_trainer_run(s.trainer, &stats, error));
        trainer_state after = state_of(s.trainer);
        ck_assert_int_eq(stats.step, step);
        ck_assert_msg(fabs(stats.learning_rate - want) < 1e-12, "step %d: %g, not %g", step, stats.learning_rate, want);
        int same = memcmp(before.weights, after.weights, before.floats * sizeof(float)) == 0;
        ck_assert_int_eq(same, step >= 20); /* a rate of 0 moves nothing */
        state_free(&before);
        state_free(&after);
    }
    small_close(&s);
}
END_TEST

/* Loss of one step from weights whose log_scale is moved by h; *slope gets the step's gradient of it. */
static double loss_at_scale(const sq_options *o, float h, float *slope)
{
    small_model s = small_open(o, 0, ITEMS);
    small_train(&s, o);
    small_batch b = batch_number(3);
    s.trainer->weights[s.model->layout.log_scale] += h;
    double loss = small_step(s.trainer, &b);
    *slope = s.trainer->m[s.model->layout.log_scale];
    small_close(&s);
    return loss;
}

START_TEST(a_learned_temperature_follows_the_slope_of_the_loss_down_to_its_lowest)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.score = SQ_SCORE_COSINE;
    o.temperature_learned = 1;
    o.temperature_lowest = 0.1;
    o.beta1 = 0;
    float slope, unused;
    loss_at_scale(&o, 0, &slope);
    double expected = (loss_at_scale(&o, 1e-2f, &unused) - loss_at_scale(&o, -1e-2f, &unused)) / 2e-2;
    ck_assert_msg(fabs((double)slope - expected) < 2e-3 * fmax(1e-2, fabs(expected)), "slope %g, not %g", (double)slope,
                  expected);
    double lowest = loss_at_scale(&o, 1.5f, &slope);
    ck_assert(slope >= 0); /* the way back alone */
    ck_assert(lowest == loss_at_scale(&o, 3, &unused));
}
END_TEST

/* Random cosines fit no target: less temperature is worse, and from its lowest it rises. */
START_TEST(a_learned_temperature_comes_back_from_its_lowest)
{
    sq_options o = step_options();
    training_kind(_i, &o);
    o.score = SQ_SCORE_COSINE;
    o.temperature_learned = 1;
    o.temperature = o.temperature_lowest = 0.01;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (uint64_t i = 0; i < 10; i++) {
        small_batch b = batch_number(3);
        small_step(s.trainer, &b);
    }
    ck_assert(sq_temperature(&s.model->layout, &o, s.trainer->weights) > 0.01001f);
    small_close(&s);
}
END_TEST

START_TEST(adam_follows_its_formula)
{
    const sq_kernels *k = sq_kernels_variant(_i / 8);
    sq_schedule s = {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-8, .weight_decay = 0.05};
    s.decoupled = _i & 1;
    s.uncorrected = _i >> 2 & 1;
    double clip = _i & 2 ? 0.25 : 1, w[37], m[37] = {0}, v[37] = {0};
    float fw[37], fm[37] = {0}, fv[37] = {0}, g[37];
    for (int i = 0; i < 37; i++) w[i] = (double)(fw[i] = wave(1, i));
    for (int64_t step = 1; k && step <= 10; step++) {
        sq_adam rule = sq_schedule_rule(&s, step, clip);
        for (int i = 0; i < 37; i++) g[i] = wave((uint64_t)step + 1, i);
        k->adam(37, &rule, g, fw, fm, fv);
        for (int i = 0; i < 37; i++) {
            double x = s.decoupled ? w[i] * (1 - 0.01 * 0.05) : w[i];
            double d = (double)g[i] * clip + (s.decoupled ? 0 : 0.05 * x);
            m[i] = 0.9 * m[i] + 0.1 * d;
            v[i] = 0.98 * v[i] + 0.02 * d * d;
            double mean = m[i] / (1 - pow(0.9, (double)step)), square = v[i] / (1 - pow(0.98, (double)step));
            w[i] = x - 0.01 * (s.uncorrected ? m[i] / (sqrt(v[i]) + 1e-8) : mean / (sqrt(square) + 1e-8));
            ck_assert_msg(fabs(w[i] - (double)fw[i]) < 1e-5, "step %d, element %d: %.9g, not %.9g", (int)step, i,
                          (double)fw[i], w[i]);
        }
    }
}
END_TEST

/* The dense parameters after one step from the same start. */
static small_model stepped_with(int64_t optimizer, double decay, int64_t decayed)
{
    sq_options o = step_options();
    o.optimizer = optimizer;
    o.weight_decay = decay;
    o.decayed = decayed;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (int32_t i = 0; i < s.model->layout.count; i++) {
        const sq_parameter *p = &s.model->layout.parameters[i];
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++) s.trainer->weights[sq_parameter_index(p, r, c)] = 0.1f;
    }
    small_batch b = batch_number(1);
    small_step(s.trainer, &b);
    return s;
}

START_TEST(decay_spares_biases_and_norms_when_asked)
{
    const int64_t optimizer = _i ? SQ_OPTIMIZER_ADAMW : SQ_OPTIMIZER_ADAM;
    small_model none = stepped_with(optimizer, 0, SQ_DECAYED_ALL), all = stepped_with(optimizer, 0.1, SQ_DECAYED_ALL);
    small_model some = stepped_with(optimizer, 0.1, SQ_DECAYED_MATRICES);
    for (int32_t i = 0; i < some.model->layout.count; i++) {
        const sq_parameter *p = &some.model->layout.parameters[i];
        const float *like = p->rank == 2 ? all.trainer->weights : none.trainer->weights;
        const float *unlike = p->rank == 2 ? none.trainer->weights : all.trainer->weights;
        int differs = 0;
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++) {
                size_t at = sq_parameter_index(p, r, c);
                ck_assert_msg(memcmp(some.trainer->weights + at, like + at, sizeof *like) == 0, "%s: %.9g, not %.9g",
                              p->name, (double)some.trainer->weights[at], (double)like[at]);
                differs |= like[at] != unlike[at];
            }
        ck_assert_msg(differs, "%s: decay makes no difference", p->name);
    }
    small_close(&none);
    small_close(&all);
    small_close(&some);
}
END_TEST

START_TEST(a_truncated_normal_start_stays_within_two_deviations)
{
    sq_options o = step_options();
    o.init = SQ_INIT_TRUNCATED_NORMAL;
    o.init_std = 0.05;
    small_model s = small_open(&o, 0, ITEMS);
    double square = 0, largest = 0;
    for (int32_t slot = 0; slot < ITEMS; slot++)
        for (int64_t i = 0; i < o.dim; i++) {
            double x = (double)sq_catalogue_row(s.model->current->parts.catalogue, slot)[i];
            square += x * x / (double)(ITEMS * o.dim);
            largest = fmax(largest, fabs(x));
        }
    ck_assert_msg(largest <= 0.1 && largest > 0.099, "%g", largest);
    /* Deviation of a normal cut at two: 0.87963. Four standard errors of the mean square. */
    ck_assert_msg(fabs(sqrt(square) / 0.05 - 0.87963) < 0.015, "%g", sqrt(square) / 0.05);
    for (int32_t i = 0; i < s.model->layout.count; i++) {
        const sq_parameter *p = &s.model->layout.parameters[i];
        for (int64_t r = 0; p->rank == 2 && r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++)
                if (!(fabsf(s.model->current->parts.weights->at[sq_parameter_index(p, r, c)]) <= 0.1f))
                    ck_abort_msg("%s, row %lld, column %lld", p->name, (long long)r, (long long)c);
    }
    small_close(&s);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------------------------ */

START_TEST(a_warm_step_allocates_nothing)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    sq_options o = step_options();
    training_kind(_i, &o);
    o.clip_norm = 1;
    small_model s = small_open_with(&host, &o, 2, ITEMS);
    small_train(&s, &o);
    small_batch largest;
    small_draw(&largest, 3, 10, 30, 30, ITEMS);
    small_step(s.trainer, &largest);
    int64_t requests = counted.requests;
    for (int i = 0; i < 4; i++) {
        small_batch b = batch_number((uint64_t)i);
        small_step(s.trainer, &b);
        small_step(s.trainer, &largest);
        ck_assert_msg(counted.requests == requests, "step %d asked %d times", i, (int)(counted.requests - requests));
    }
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
}
END_TEST

/* The most bytes that a trainer of MANY items ever takes in two steps on such sequences; *targets: of one step, *scratch: of the
 * workers. */
static size_t bytes_of_full_softmax(int64_t sequences, int64_t *targets, size_t *scratch)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    sq_options o = step_options();
    o.loss = SQ_LOSS_SOFTMAX;
    small_model s = small_open_with(&host, &o, 2, MANY);
    const size_t before = counted.most = counted.bytes;
    small_batch b;
    small_train(&s, &o);
    small_draw(&b, 3, sequences, 30, 30, MANY);
    for (int i = 0; i < 2; i++) small_step(s.trainer, &b);
    *targets = s.trainer->plan.target_count;
    *scratch = 0;
    for (int32_t w = 0; w < s.trainer->workers; w++) *scratch += s.trainer->arenas[w].capacity;
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
    return counted.most - before;
}

/* Output vectors and their gradients are there once for a step, scores of a tile only: up to 4 MiB a worker. */
START_TEST(memory_of_full_softmax_does_not_grow_by_targets_times_items)
{
    int64_t few_targets, targets;
    size_t few_scratch, scratch;
    const size_t few = bytes_of_full_softmax(4, &few_targets, &few_scratch), all = bytes_of_full_softmax(64, &targets, &scratch);
    const size_t more = (size_t)(targets - few_targets) * MANY * sizeof(float);
    ck_assert(few_targets == 4 * 24 && targets == 64 * 24);
    ck_assert_msg(all < few + more / 32, "%zu bytes for %d targets, %zu for %d", few, (int)few_targets, all, (int)targets);
    ck_assert_msg(scratch < more / 12, "%zu bytes of workers, targets by items are %zu", scratch, more);
    ck_assert_msg(all < more / 4, "%zu bytes, targets by items are %zu", all, more);
}
END_TEST

START_TEST(a_step_whose_memory_fails_changes_nothing_and_leaks_nothing)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    sq_options o = step_options();
    training_kind(_i * 4, &o);
    small_batch b;
    small_draw(&b, 3, 10, 30, 30, 60);
    small_model s = small_open_with(&host, &o, 0, 60);
    small_train(&s, &o);
    trainer_state before = state_of(s.trainer);
    int failures = 0;
    for (int32_t status = SEQREC_E_MEMORY; status != SEQREC_OK;) {
        seqrec_error refused = {0};
        counted.fail_at = counted.requests + 1 + failures; /* each failed attempt may keep what it got */
        sq_plan_clear(&s.trainer->plan);
        for (int64_t q = 0; q < b.sequences && (q == 0 || status == SEQREC_OK); q++)
            status = sq_plan_add(&s.trainer->plan, &s.context->memory,
                                 &(sq_plan_sequence){.slots = b.slots + b.offsets[q], .n = 30}, 24, 1, &refused);
        if (status == SEQREC_OK) status = sq_plan_finish(&s.trainer->plan, &s.context->memory, 40, &refused);
        if (status == SEQREC_OK) status = sq_trainer_run(s.trainer, NULL, &refused);
        counted.fail_at = 0;
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        trainer_state after = state_of(s.trainer);
        same_state(&before, &after);
        state_free(&after);
        failures++;
        ck_assert_int_lt(failures, 200);
    }
    ck_assert_int_gt(failures, 3);
    state_free(&before);
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *tests = tcase_create("step");
    tcase_add_loop_test(tests, eight_steps_give_the_same_bits_at_any_number_of_threads, 0, TRAINING_KINDS);
    tcase_add_test(tests, another_seed_gives_other_weights);
    tcase_add_test(tests, events_behind_a_window_are_seen_and_no_more);
    tcase_add_loop_test(tests, every_kind_of_training_lowers_the_loss, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, exact_rows_equal_dense_adam_bit_for_bit, 0, 32);
    tcase_add_loop_test(tests, a_row_without_gradient_for_a_thousand_steps_equals_dense_adam, 0, 4);
    tcase_add_loop_test(tests, every_loss_of_a_step_is_the_published_one, 0, 60);
    tcase_add_loop_test(tests, loss_and_row_gradients_of_a_step_follow_their_definition, 0, 3 * TRAINING_KINDS);
    tcase_add_loop_test(tests, row_gradients_of_many_positions_follow_their_definition_at_any_number_of_threads, 0, 10);
    tcase_add_loop_test(tests, lazy_rows_without_gradient_stay_as_they_are, 0, 8);
    tcase_add_loop_test(tests, a_step_that_is_not_finite_changes_nothing, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, a_vector_without_a_direction_gets_no_gradient_from_a_cosine, 0, TRAINING_KINDS);
    tcase_add_test(tests, a_batch_without_targets_is_refused);
    tcase_add_loop_test(tests, clip_norm_bounds_the_gradient_that_is_used, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, the_rate_warms_up_and_follows_its_schedule, 0, 2);
    tcase_add_loop_test(tests, a_learned_temperature_follows_the_slope_of_the_loss_down_to_its_lowest, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, a_learned_temperature_comes_back_from_its_lowest, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, adam_follows_its_formula, 0, 24);
    tcase_add_loop_test(tests, decay_spares_biases_and_norms_when_asked, 0, 2);
    tcase_add_test(tests, a_truncated_normal_start_stays_within_two_deviations);
    tcase_add_loop_test(tests, a_warm_step_allocates_nothing, 0, TRAINING_KINDS);
    tcase_add_test(tests, memory_of_full_softmax_does_not_grow_by_targets_times_items);
    tcase_add_loop_test(tests, a_step_whose_memory_fails_changes_nothing_and_leaks_nothing, 0, TRAINING_KINDS / 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
