/* unit: what samplers draw and which negatives a step may have. */
#include "base/rng.h"
#include "network_pass.h"
#include "run_suite.h"
#include "serve/encode.h"
#include "train/expectation.h"
#include "train/fit.h"
#include "trainer_state.h"

#define SLOTS 40
#define DRAWS 200000

static sq_memory plain_memory(void)
{
    sq_memory memory;
    EXPECT_OK(sq_memory_init(&memory, NULL, error));
    return memory;
}

/* ---- samplers ---------------------------------------------------------------------------------------------------- */

/* Chi-square of counted draws against probabilities; at most five deviations above its mean. */
static void check_counts(const int64_t *count, const double *probability, int64_t items, int64_t draws)
{
    double chi = 0, freedom = -1;
    for (int64_t i = 0; i < items; i++) {
        double expected = probability[i] * (double)draws, off = (double)count[i] - expected;
        ck_assert(expected > 0 || count[i] == 0);
        if (expected > 0) chi += off * off / expected, freedom++;
    }
    ck_assert_msg(chi <= freedom + 5 * sqrt(2 * freedom), "chi-square %g with %g degrees of freedom", chi, freedom);
}

/* Of draws side by side, which are those one by one, against the probabilities that the sampler states. */
static void check_draws(const sq_sampler *s, const double *probability)
{
    enum { TOGETHER = 1000, STEP = 5 };
    int64_t of_slot[3 * SLOTS + 8] = {0}, count[SLOTS];
    int32_t drawn[TOGETHER];
    uint64_t key = sq_random_key(7, SQ_STREAM_NEGATIVES, 3);
    for (uint64_t i = 0; i < DRAWS; i += TOGETHER) {
        sq_sampler_draw_many(s, sq_kernels_best(), key, i * STEP, STEP, TOGETHER, drawn);
        for (uint64_t j = 0; j < TOGETHER; j++) of_slot[drawn[j]]++;
        for (uint64_t j = i / TOGETHER % 7; j < TOGETHER; j += 7) ck_assert_int_eq(drawn[j], sq_sampler_draw(s, key, (i + j) * STEP));
    }
    for (int64_t i = 0; i < s->count; i++) {
        ck_assert_msg(fabs(sq_sampler_probability(s, i) - probability[i]) < 1e-12, "item %d", (int)i);
        count[i] = of_slot[s->slots[i]];
    }
    check_counts(count, probability, s->count, DRAWS);
}

static void check_sampler(int32_t kind, const double *weights)
{
    sq_memory memory = plain_memory();
    sq_sampler s = {0};
    int32_t slots[SLOTS];
    double probability[SLOTS], sum = 0;
    for (int32_t i = 0; i < SLOTS; i++) slots[i] = 3 * i + 1; /* with gaps */
    for (int32_t i = 0; i < SLOTS && weights; i++) sum += weights[i];
    for (int32_t i = 0; i < SLOTS; i++) probability[i] = sum > 0 ? weights[i] / sum : 1.0 / SLOTS;
    EXPECT_OK(sq_sampler_build(&s, &memory, kind, slots, SLOTS, weights, error));
    check_draws(&s, probability);
    sq_sampler_free(&s, &memory);
}

START_TEST(uniform_draws_are_uniform)
{
    check_sampler(SQ_SAMPLER_UNIFORM, NULL);
}
END_TEST

START_TEST(popularity_draws_follow_their_weights)
{
    double zipf[SLOTS], holes[SLOTS], one[SLOTS] = {0}, none[SLOTS] = {0}, steep[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        zipf[i] = 1.0 / (1 + i);
        holes[i] = i % 3 ? 0 : i + 1;
        steep[i] = pow(0.5, i % 12);
    }
    one[17] = 2.5;
    const double *weights[] = {zipf, holes, one, none, steep};
    check_sampler(SQ_SAMPLER_POPULARITY, weights[_i]);
}
END_TEST

START_TEST(log_uniform_draws_follow_the_ranks_of_the_weights)
{
    sq_memory memory = plain_memory();
    sq_sampler s = {0};
    int32_t slots[SLOTS];
    double weights[SLOTS], probability[SLOTS];
    for (int32_t i = 0; i < SLOTS; i++) slots[i] = 3 * i + 1;
    for (int32_t i = 0; i < SLOTS; i++) weights[i] = (double)(i * 7 % SLOTS / 2); /* pairs of equal weight */
    for (int32_t i = 0; i < SLOTS; i++) {
        int32_t rank = 0;
        for (int32_t j = 0; j < SLOTS; j++) rank += weights[j] > weights[i] || (weights[j] == weights[i] && j < i);
        probability[i] = log((rank + 2.0) / (rank + 1.0)) / log(SLOTS + 1.0);
    }
    EXPECT_OK(sq_sampler_build(&s, &memory, SQ_SAMPLER_LOG_UNIFORM, slots, SLOTS, weights, error));
    check_draws(&s, probability);
    sq_sampler_free(&s, &memory);
}
END_TEST

/* A batch whose targets occur as often as their weights say: then its draws follow the probabilities over all batches. */
START_TEST(draws_from_the_batch_and_mixed_ones_follow_their_probabilities)
{
    static const double shares[] = {1, 0.3, 0};
    int32_t kind = _i == 0 ? SQ_SAMPLER_IN_BATCH : SQ_SAMPLER_MIXED, slots[SLOTS], batch[SLOTS * SLOTS], n = 0;
    sq_memory memory = plain_memory();
    sq_sampler s = {.share = shares[_i]};
    double weights[SLOTS], probability[SLOTS];
    for (int32_t i = 0; i < SLOTS; i++) {
        slots[i] = 2 * i;
        weights[i] = i % 5;
        for (int32_t c = 0; c < i % 5; c++) batch[n++] = 2 * i;
    }
    for (int32_t i = 0; i < SLOTS; i++) probability[i] = shares[_i] * weights[i] / n + (1 - shares[_i]) / SLOTS;
    EXPECT_OK(sq_sampler_build(&s, &memory, kind, slots, SLOTS, weights, error));
    s.batch = batch;
    s.batch_count = n;
    check_draws(&s, probability);
    sq_sampler_free(&s, &memory);
}
END_TEST

START_TEST(options_and_tables_name_losses_and_samplers_alike)
{
    char loss[200] = "", sampler[200] = "";
    for (int64_t i = 0; sq_loss_kind_at(i); i++) {
        strcat(strcat(loss, i ? "|" : ""), sq_loss_kind_at(i)->name);
        ck_assert_int_eq(sq_loss_kind_at(i)->scores == NULL, i == SQ_LOSS_SOFTMAX);
    }
    for (int64_t i = 0; sq_sampler_kind_at(i); i++) strcat(strcat(sampler, i ? "|" : ""), sq_sampler_kind_at(i)->name);
    ck_assert_str_eq(loss, sq_option_find("loss")->choices);
    ck_assert_str_eq(sampler, sq_option_find("sampler")->choices);
}
END_TEST

START_TEST(draws_repeat_by_key_and_counter_and_differ_between_keys)
{
    sq_memory memory = plain_memory();
    int32_t slots[SLOTS];
    int64_t same = 0;
    for (int32_t i = 0; i < SLOTS; i++) slots[i] = i;
    sq_sampler s = {0};
    EXPECT_OK(sq_sampler_build(&s, &memory, SQ_SAMPLER_UNIFORM, slots, SLOTS, NULL, error));
    uint64_t a = sq_random_key(1, SQ_STREAM_NEGATIVES, 5), b = sq_random_key(1, SQ_STREAM_NEGATIVES, 6);
    for (uint64_t i = 0; i < 4000; i++) {
        ck_assert_int_eq(sq_sampler_draw(&s, a, i), sq_sampler_draw(&s, a, i));
        same += sq_sampler_draw(&s, a, i) == sq_sampler_draw(&s, b, i);
    }
    ck_assert_int_lt(same, 2 * 4000 / SLOTS);
    sq_sampler_free(&s, &memory);
}
END_TEST

/* ---- rules of a step --------------------------------------------------------------------------------------------- */

#define ITEMS 60
#define NEGATIVES 9

typedef struct counts {
    int64_t entries, empty, targets, history;
} counts;

/* Counts the negatives of the latest step that are their token's target, in its sequence's history, or missing. */
static counts count_entries(sq_trainer *t)
{
    const sq_plan *p = &t->plan;
    int32_t *own = small_candidates(t);
    counts n = {0};
    for (int64_t s = 0; s < p->sequences; s++)
        for (int64_t i = p->starts[s]; i < p->starts[s + 1]; i++) {
            const int32_t *slots = own + i * (1 + NEGATIVES);
            ck_assert_int_eq(slots[0], p->targets[i]);
            for (int j = 1; j <= NEGATIVES; j++) {
                int seen = 0;
                for (int64_t k = p->seen_starts[s]; k < p->seen_ends[s]; k++) seen |= p->seen[k] == slots[j];
                ck_assert_int_lt(slots[j], ITEMS);
                n.entries++;
                n.empty += slots[j] < 0;
                n.targets += slots[j] == slots[0];
                n.history += seen;
            }
        }
    free(own);
    return n;
}

static counts drawn(int64_t loss, int64_t seen, const small_batch *b)
{
    sq_options o = small_options("sasrec");
    o.dim = 8;
    o.max_length = 10;
    o.loss = loss;
    o.seen = seen;
    o.negatives = NEGATIVES;
    o.micro_batch = 32;
    small_model s = small_open(&o, 2, ITEMS);
    small_train(&s, &o);
    small_step(s.trainer, b);
    counts n = count_entries(s.trainer);
    small_close(&s);
    return n;
}

/* Histories of 25 to 30 events, of which a window of 11 trains. */
static small_batch long_histories(void)
{
    small_batch b;
    small_draw(&b, 2, 30, 25, 30, ITEMS);
    return b;
}

/* What the sampler of the trainer's options draws of each item before the rule of seen items turns some away. bought: training counts. */
static void proposal(const sq_trainer *t, const double *bought, double *q)
{
    const int64_t kind = t->options.sampler;
    const double share = kind == SQ_SAMPLER_IN_BATCH ? 1 : kind == SQ_SAMPLER_MIXED ? t->options.mixed_share : 0;
    double sum = 0;
    for (int i = 0; i < ITEMS; i++) {
        int rank = 0;
        for (int j = 0; j < ITEMS; j++) rank += bought[j] > bought[i] || (bought[j] == bought[i] && j < i);
        q[i] = kind == SQ_SAMPLER_WEIGHTS       ? bought[i]
               : kind == SQ_SAMPLER_POPULARITY  ? pow(bought[i], t->options.sampler_alpha)
               : kind == SQ_SAMPLER_LOG_UNIFORM ? log((rank + 2.0) / (rank + 1.0))
                                                : (1 - share) / ITEMS;
    }
    for (int64_t i = 0; i < t->plan.target_count; i++) q[t->plan.targets[i]] += share / (double)t->plan.target_count;
    for (int i = 0; i < ITEMS; i++) sum += q[i];
    for (int i = 0; i < ITEMS; i++) q[i] /= sum;
}

/* Adds to expected [ITEMS] what one negative of a token of sequence 0 is to be, given what the sampler proposes: what the rule turns
 * away is shared out. */
static void add_expected(const sq_trainer *t, const double *q, int32_t target, double *expected)
{
    const int64_t rule = t->options.seen;
    double turned[ITEMS] = {0}, left = 1;
    if (rule != SQ_SEEN_KEEP) turned[target] = 1;
    for (int64_t i = t->plan.seen_starts[0]; rule == SQ_SEEN_EXCLUDE_HISTORY && i < t->plan.seen_ends[0]; i++) turned[t->plan.seen[i]] = 1;
    for (int i = 0; i < ITEMS; i++) left -= turned[i] * q[i];
    for (int i = 0; i < ITEMS; i++) expected[i] += (1 - turned[i]) * q[i] / left;
}

/* Every sampler that has probabilities, under every rule: of sequence 0 of four, over many steps of the same batch. */
START_TEST(negatives_follow_the_proposal_and_share_out_what_the_rule_of_seen_items_turns_away)
{
    static const struct { int64_t sampler; double alpha; } ways[] = {{SQ_SAMPLER_UNIFORM, 1}, {SQ_SAMPLER_POPULARITY, 0.5},
        {SQ_SAMPLER_POPULARITY, 2}, {SQ_SAMPLER_LOG_UNIFORM, 1}, {SQ_SAMPLER_IN_BATCH, 1}, {SQ_SAMPLER_MIXED, 1}, {SQ_SAMPLER_WEIGHTS, 1}};
    static const int64_t rules[] = {SQ_SEEN_KEEP, SQ_SEEN_EXCLUDE_TARGET, SQ_SEEN_EXCLUDE_HISTORY};
    int64_t count[ITEMS] = {0}, negatives = 0;
    double bought[SQ_CHUNK_ROWS] = {0}, q[ITEMS], expected[ITEMS] = {0}; /* bought: by slot */
    small_batch b;
    small_draw(&b, 3, 4, 12, 12, ITEMS);
    sq_options o = small_options("sasrec");
    o.dim = 8;
    o.max_length = 12;
    o.negatives = NEGATIVES;
    o.sampler = ways[_i / 3].sampler;
    o.sampler_alpha = ways[_i / 3].alpha;
    o.mixed_share = 0.4;
    o.seen = rules[_i % 3];
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    for (int i = 0; i < ITEMS; i++) bought[i] = 1 + i % 7 * 3;
    EXPECT_OK(sq_trainer_set_popularity(s.trainer, bought, error));
    for (int step = 0; step < 400; step++) {
        small_step(s.trainer, &b);
        const sq_plan *p = &s.trainer->plan;
        if (step == 0) proposal(s.trainer, bought, q);
        int32_t *own = small_candidates(s.trainer);
        for (int64_t i = p->target_starts[0]; i < p->target_starts[1]; i++, negatives += NEGATIVES) {
            add_expected(s.trainer, q, p->targets[i], expected);
            for (int64_t j = 1; j <= NEGATIVES; j++) count[own[i * (1 + NEGATIVES) + j]]++;
        }
        free(own);
    }
    for (int i = 0; i < ITEMS; i++) expected[i] *= (double)NEGATIVES / (double)negatives;
    check_counts(count, expected, ITEMS, negatives);
    small_close(&s);
}
END_TEST

/* Loss of one target, in double precision: of logits without the logarithm of the draws that an item can be expected to have. slots: the target,
 * then its negatives, -1 where one was left out. */
static double plain_loss(const small_model *s, const float *u, const int32_t *slots, const double *q)
{
    const size_t offset = sq_output_offset(s->trainer->items.catalogue), width = (size_t)s->model->layout.vp;
    double own = 0, sum = 0;
    for (int j = 0; j <= NEGATIVES; j++) {
        double logit = 0;
        if (slots[j] < 0) continue;
        const float *row = sq_trainer_row(s->trainer, slots[j]) + offset;
        for (size_t c = 0; c < width; c++) logit += (double)u[c] * (double)row[c];
        if (s->trainer->options.logq == SQ_LOGQ_CLASSIC || (s->trainer->options.logq == SQ_LOGQ_CORRECTED && j > 0))
            logit -= log(NEGATIVES * q[slots[j]]);
        if (j == 0) own = logit;
        sum += exp(logit);
    }
    return log(sum) - own;
}

START_TEST(a_step_has_the_loss_of_the_draws_it_made_with_their_logarithms_subtracted)
{
    static const int64_t samplers[] = {SQ_SAMPLER_UNIFORM, SQ_SAMPLER_POPULARITY, SQ_SAMPLER_LOG_UNIFORM},
                         corrections[] = {SQ_LOGQ_NONE, SQ_LOGQ_CLASSIC, SQ_LOGQ_CORRECTED};
    double bought[SQ_CHUNK_ROWS] = {0}, q[ITEMS], sum = 0, found;
    float u[128];
    sq_arena arena = {0};
    sq_encode_scratch scratch;
    small_batch b;
    sq_options o = small_options("sasrec");
    o.dim = 16;
    o.max_length = 12;
    o.position = SQ_POSITION_START;
    o.loss = SQ_LOSS_SAMPLED_SOFTMAX;
    o.negatives = NEGATIVES;
    o.seen = SQ_SEEN_KEEP;
    o.sampler = samplers[_i / 3];
    o.logq = corrections[_i % 3];
    o.learning_rate = 0;
    small_model s = small_open(&o, 0, ITEMS);
    small_weights(&s);
    small_train(&s, &o);
    for (int i = 0; i < ITEMS; i++) bought[i] = 1 + i % 7 * 3;
    EXPECT_OK(sq_trainer_set_popularity(s.trainer, bought, error));
    small_draw(&b, 3, 4, 12, 12, ITEMS);
    found = small_step(s.trainer, &b);
    proposal(s.trainer, bought, q);
    sq_snapshot *now = sq_snapshot_acquire(s.model);
    sq_encoder e = sq_encoder_of(s.model, now);
    sq_encode_scratch_take(&arena, s.model, 12, &scratch);
    EXPECT_OK(sq_arena_reserve(&arena, &s.context->memory, arena.peak, error));
    sq_encode_scratch_take(&arena, s.model, 12, &scratch);
    const sq_plan *p = &s.trainer->plan;
    int32_t *own = small_candidates(s.trainer);
    for (int64_t i = 0, sequence = 0; i < p->target_count; i++) {
        while (p->target_starts[sequence + 1] <= i) sequence++;
        const int64_t from = p->starts[sequence];
        sq_encode(&e, &(sq_history){.slots = p->inputs + from, .n = p->target_tokens[i] - from + 1, .user = -1}, &scratch, u);
        sum += plain_loss(&s, u, own + i * (1 + NEGATIVES), q);
    }
    free(own);
    ck_assert_msg(fabs(found - sum / (double)p->target_count) < 1e-4, "%g and %g", found, sum / (double)p->target_count);
    sq_snapshot_release(s.model, now);
    sq_arena_free(&arena, &s.context->memory);
    small_close(&s);
}
END_TEST

static const int64_t both_losses[] = {SQ_LOSS_BCE, SQ_LOSS_SAMPLED_SOFTMAX};

START_TEST(excluded_histories_are_never_drawn_even_from_before_the_window)
{
    small_batch b = long_histories();
    counts n = drawn(both_losses[_i], SQ_SEEN_EXCLUDE_HISTORY, &b);
    ck_assert_int_eq(n.entries, 30 * 10 * NEGATIVES);
    ck_assert_int_eq(n.history, 0);
    ck_assert_int_eq(n.targets, 0);
    ck_assert_int_eq(n.empty, 0);
}
END_TEST

START_TEST(excluded_targets_are_never_drawn_and_histories_are)
{
    small_batch b = long_histories();
    counts n = drawn(both_losses[_i], SQ_SEEN_EXCLUDE_TARGET, &b);
    ck_assert_int_eq(n.targets, 0);
    ck_assert_int_eq(n.empty, 0);
    ck_assert_int_gt(n.history, n.entries / 5);
}
END_TEST

START_TEST(keep_draws_targets_too_which_a_softmax_leaves_out)
{
    small_batch b = long_histories();
    counts bce = drawn(SQ_LOSS_BCE, SQ_SEEN_KEEP, &b), softmax = drawn(SQ_LOSS_SAMPLED_SOFTMAX, SQ_SEEN_KEEP, &b);
    ck_assert_int_gt(bce.targets, 10);
    ck_assert_int_eq(bce.empty, 0);
    ck_assert_int_eq(softmax.targets, 0);
    ck_assert_int_eq(softmax.empty, bce.targets); /* the same draws */
}
END_TEST

START_TEST(a_history_of_all_items_leaves_no_negative_and_a_step_goes_on)
{
    small_batch b = {.sequences = 1};
    b.offsets[1] = ITEMS;
    for (int32_t i = 0; i < ITEMS; i++) b.slots[i] = i;
    counts n = drawn(both_losses[_i], SQ_SEEN_EXCLUDE_HISTORY, &b);
    ck_assert_int_eq(n.empty, n.entries);
}
END_TEST

/* Of a pool of draws those with the highest scores under the step's own model are used, the others not at all. */
START_TEST(a_hard_pool_uses_the_draws_that_score_highest)
{
    enum { POOL = 20, HARD = 4 };
    sq_options o = small_options("sasrec");
    o.dim = 8;
    o.loss = SQ_LOSS_GBCE;
    o.negatives = HARD;
    o.hard_pool = POOL;
    o.item_updates = _i ? SQ_ROWS_EXACT : SQ_ROWS_LAZY;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    small_batch b = long_histories();
    float *rows = malloc(ITEMS * (size_t)s.trainer->items.catalogue->stride * sizeof *rows);
    size_t stride = (size_t)s.trainer->items.catalogue->stride, dp = (size_t)s.model->layout.dp;
    memcpy(rows, s.trainer->items.rows[0]->at, ITEMS * stride * sizeof *rows);
    small_step(s.trainer, &b);
    const sq_trainer *t = s.trainer;
    for (int64_t i = 0; i < t->plan.tokens; i++) {
        const int32_t *slots = t->own + i * (1 + POOL) + 1;
        const float *g = t->coefficient + i * (1 + POOL) + 1;
        float lowest = INFINITY, left = -INFINITY;
        int used = 0;
        for (int j = 0; j < POOL; j++) {
            float score = t->kernels->dot(dp, t->u + (size_t)i * dp, rows + (size_t)slots[j] * stride);
            used += g[j] != 0;
            if (g[j] != 0) lowest = score < lowest ? score : lowest;
            if (g[j] == 0) left = score > left ? score : left;
        }
        ck_assert_int_eq(used, HARD);
        ck_assert_msg(left <= lowest, "token %d: %g is left out and %g used", (int)i, (double)left, (double)lowest);
    }
    free(rows);
    small_close(&s);
}
END_TEST

/* Of POOL draws the best is worse than r others with the probability that all draws are: ((ITEMS - r) / ITEMS)^POOL. */
START_TEST(the_hardest_of_a_pool_has_the_rank_of_the_best_of_so_many_draws)
{
    enum { POOL = 5, RANKS = 31 /* the last stands for all behind */, STEPS_OF_IT = 40 };
    int64_t count[RANKS] = {0}, tokens = 0;
    double probability[RANKS];
    sq_options o = small_options("sasrec");
    o.dim = 8;
    o.loss = SQ_LOSS_BCE;
    o.negatives = 1;
    o.hard_pool = POOL;
    o.seen = SQ_SEEN_KEEP;
    o.learning_rate = 0;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    small_batch b = long_histories();
    for (int r = 0; r < RANKS; r++)
        probability[r] = pow(1 - r / (double)ITEMS, POOL) - (r + 1 < RANKS ? pow(1 - (r + 1) / (double)ITEMS, POOL) : 0);
    for (int step = 0; step < STEPS_OF_IT; step++) {
        small_step(s.trainer, &b);
        const sq_trainer *t = s.trainer;
        const size_t stride = (size_t)t->items.catalogue->stride, dp = (size_t)s.model->layout.dp;
        for (int64_t i = 0; i < t->plan.tokens; i++, tokens++) {
            const int32_t *slots = t->own + i * (1 + POOL) + 1;
            const float *g = t->coefficient + i * (1 + POOL) + 1;
            float score[ITEMS];
            int used = 0, rank = 0;
            for (size_t k = 0; k < ITEMS; k++) score[k] = t->kernels->dot(dp, t->u + (size_t)i * dp, t->items.rows[0]->at + k * stride);
            while (used < POOL - 1 && g[used] == 0) used++;
            for (int k = 0; k < ITEMS; k++) rank += score[k] > score[slots[used]];
            count[rank < RANKS ? rank : RANKS - 1]++;
        }
    }
    check_counts(count, probability, RANKS, tokens);
    small_close(&s);
}
END_TEST

/* In expectation the corrected sum over negatives is the sum over all other items, whatever the sampler. */
START_TEST(the_corrected_sum_estimates_the_full_one)
{
    enum { DRAWN = 4000 };
    float scores[SLOTS], negatives[DRAWN + 16], target = 0.7f;
    double weights[SLOTS], full = exp(0.7);
    int32_t slots[SLOTS];
    sq_memory memory = plain_memory();
    sq_sampler s = {.share = 0.5};
    for (int32_t i = 0; i < SLOTS; i++) slots[i] = i, weights[i] = 1 + i % 7, scores[i] = 1.5f * wave(3, i);
    for (int32_t i = 0; i < SLOTS; i++) full += exp((double)scores[i]);
    EXPECT_OK(sq_sampler_build(&s, &memory, _i, slots, SLOTS, weights, error));
    int32_t batch[7 * SLOTS], n = 0;
    for (int32_t i = 0; i < SLOTS; i++)
        for (int c = 0; c < weights[i]; c++) batch[n++] = i;
    s.batch = batch;
    s.batch_count = n;
    for (uint64_t j = 0; j < DRAWN; j++) {
        int32_t slot = sq_sampler_draw(&s, 99, j);
        negatives[j] = scores[slot] - (float)log(DRAWN * sq_sampler_probability(&s, slot));
    }
    sq_loss_rule rule = {.kernels = sq_kernels_best()};
    double loss = sq_sampled_softmax(&rule, 1, 1, &target, DRAWN, negatives), want = log(full) - (double)0.7f;
    ck_assert_msg(fabs(loss - want) < 0.05, "loss %g, of all items %g", loss, want);
    sq_sampler_free(&s, &memory);
}
END_TEST

/* ---- what is expected of a batch -------------------------------------------------------------------------------------- */

enum { LONG_USERS = 12, SHORT_USERS = 20, LONGEST = 61, SHORTEST = 7 };

typedef struct tally {
    const sq_trainer *t;
    double count[SQ_CHUNK_ROWS], all; /* by slot */
} tally;

static int32_t count_targets(void *context, const char *stage, int64_t done, int64_t total)
{
    tally *of = context;
    (void)stage, (void)done, (void)total;
    for (int64_t i = 0; i < of->t->plan.target_count; i++) of->count[of->t->plan.targets[i]]++;
    of->all += (double)of->t->plan.target_count;
    return 0;
}

/* Users with one walk through 61 items, and others with 7 events on 7 more. */
static seqrec_dataset *walks(seqrec_context *context)
{
    enum { EVENTS = LONG_USERS * LONGEST + SHORT_USERS * SHORTEST };
    static int64_t offsets[LONG_USERS + SHORT_USERS + 1], items[EVENTS];
    seqrec_dataset *data = NULL;
    int64_t n = 0;
    for (int64_t u = 0; u < LONG_USERS + SHORT_USERS; u++) {
        for (int64_t i = 0; i < (u < LONG_USERS ? LONGEST : SHORTEST); i++) items[n++] = u < LONG_USERS ? 100 + i : (i + u) % SHORTEST;
        offsets[u + 1] = n;
    }
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = LONG_USERS + SHORT_USERS, .offsets = offsets, .items = items};
    EXPECT_OK(seqrec_dataset_create(context, &batch, &data, error));
    return data;
}

static const char *const ways[] = {"seed=1",
                                   "window_step=4",
                                   "targets=3",
                                   "random_end=0.1",
                                   "random_end=1 window_step=7",
                                   "length_alpha=1",
                                   "length_alpha=1.2 length_choice=newest random_end=0.5",
                                   "objective=prefix prefix_stride=3",
                                   "objective=prefix prefix_stride=30 random_end=0.3",
                                   "objective=cloze mask=bidirectional",
                                   "objective=cloze mask=bidirectional mask_last_share=0.4 window_step=5 random_end=0.2"};
enum { WAYS = sizeof ways / sizeof *ways, FIXED = 3 /* of these, without chance */ };

static sq_options way_options(int way)
{
    sq_options o = small_options("sasrec");
    small_set(&o, "loss=sampled_softmax sampler=in_batch logq=corrected negatives=4 dim=4 blocks=1 max_length=12 valid_every=0");
    small_set(&o, "learning_rate=0 average_epochs=0 batch=16 seen=keep");
    small_set(&o, ways[way]);
    EXPECT_OK(sq_options_check(&o, error));
    return o;
}

/* Within six deviations of a sum of independent events. */
START_TEST(a_fit_expects_each_item_as_often_as_it_is_a_target)
{
    sq_options o = way_options(_i);
    tally met = {0};
    seqrec_fit how = {.struct_size = sizeof how, .split = "none", .progress = count_targets, .progress_context = &met};
    o.epochs = _i < FIXED ? 2 : 60;
    small_model s = small_open(&o, 0, 0);
    small_train(&s, &o);
    met.t = s.trainer;
    seqrec_dataset *data = walks(s.context);
    EXPECT_OK(sq_trainer_fit(s.trainer, data, &how, NULL, error));
    ck_assert_int_eq(s.trainer->items.live_count, LONGEST + SHORTEST);
    for (int64_t i = 0; i < s.trainer->items.live_count; i++) {
        const int32_t slot = s.trainer->items.live[i];
        const double expected = exp((double)s.trainer->log_expected[slot]) / (double)o.negatives * met.all, found = met.count[slot];
        ck_assert_msg(fabs(found - expected) <= (_i < FIXED ? 1e-4 : 6 * sqrt(expected)), "%s: item %d, %g times, not %g", ways[_i], (int)i,
                      found, expected);
    }
    sq_dataset_release(data);
    small_close(&s);
}
END_TEST

/* Of one sequence of so many events: each is a target in a number of the plans that is five deviations off at most. */
START_TEST(events_are_targets_as_often_as_is_expected)
{
    enum { PLANS = 200, TOGETHER = 60, DRAWN = PLANS * TOGETHER, EVENTS = 40 };
    static const int64_t lengths[] = {2, 3, 9, 13, EVENTS};
    sq_options o = way_options(_i % WAYS);
    const int64_t n = lengths[_i / WAYS];
    int32_t slots[EVENTS];
    double found[EVENTS] = {0}, steps[EVENTS + 1] = {0}, expected = 0;
    small_model s = small_open(&o, 0, EVENTS);
    small_train(&s, &o);
    sq_plan *p = &s.trainer->plan;
    for (int32_t i = 0; i < EVENTS; i++) slots[i] = i;
    for (int plan = 0; plan < PLANS; plan++, s.trainer->step++) {
        sq_plan_clear(p);
        for (int i = 0; i < TOGETHER; i++) EXPECT_OK(sq_trainer_plan_add(s.trainer, &(sq_plan_sequence){.slots = slots, .n = n}, error));
        for (int64_t i = 0; i < p->target_count; i++) found[p->targets[i]]++;
    }
    sq_expect_targets(&o, n, steps);
    for (int64_t i = 0; i < n; i++) {
        expected += steps[i];
        if (!(fabs(found[i] - DRAWN * expected) <= 5 * sqrt(DRAWN * fmax(expected * (1 - expected), 0)) + 1e-6))
            ck_abort_msg("%s: event %d of %d, %g times, not %g", ways[_i % WAYS], (int)i, (int)n, found[i], DRAWN * expected);
    }
    small_close(&s);
}
END_TEST

START_TEST(each_step_draws_its_own_negatives)
{
    sq_options o = small_options("sasrec");
    o.dim = 8;
    o.negatives = NEGATIVES;
    o.negative_sharing = _i ? SQ_SHARE_BATCH : SQ_SHARE_POSITION;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    small_batch b = long_histories();
    int32_t first[NEGATIVES], second[NEGATIVES];
    for (int step = 0; step < 2; step++) {
        small_step(s.trainer, &b);
        int32_t *own = _i ? NULL : small_candidates(s.trainer);
        memcpy(step ? second : first, _i ? s.trainer->entries.slots + sq_trainer_own_end(s.trainer) : own + 1, sizeof first);
        free(own);
    }
    ck_assert(memcmp(first, second, sizeof first) != 0);
    small_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("negatives");
    TCase *tests = tcase_create("negatives");
    tcase_add_test(tests, uniform_draws_are_uniform);
    tcase_add_loop_test(tests, popularity_draws_follow_their_weights, 0, 5);
    tcase_add_test(tests, log_uniform_draws_follow_the_ranks_of_the_weights);
    tcase_add_loop_test(tests, draws_from_the_batch_and_mixed_ones_follow_their_probabilities, 0, 3);
    tcase_add_loop_test(tests, negatives_follow_the_proposal_and_share_out_what_the_rule_of_seen_items_turns_away, 0, 21);
    tcase_add_loop_test(tests, a_step_has_the_loss_of_the_draws_it_made_with_their_logarithms_subtracted, 0, 9);
    tcase_add_test(tests, the_hardest_of_a_pool_has_the_rank_of_the_best_of_so_many_draws);
    tcase_add_test(tests, options_and_tables_name_losses_and_samplers_alike);
    tcase_add_loop_test(tests, a_hard_pool_uses_the_draws_that_score_highest, 0, 2);
    tcase_add_loop_test(tests, the_corrected_sum_estimates_the_full_one, 0, 5);
    tcase_add_test(tests, draws_repeat_by_key_and_counter_and_differ_between_keys);
    tcase_add_loop_test(tests, excluded_histories_are_never_drawn_even_from_before_the_window, 0, 2);
    tcase_add_loop_test(tests, excluded_targets_are_never_drawn_and_histories_are, 0, 2);
    tcase_add_test(tests, keep_draws_targets_too_which_a_softmax_leaves_out);
    tcase_add_loop_test(tests, a_history_of_all_items_leaves_no_negative_and_a_step_goes_on, 0, 2);
    tcase_add_loop_test(tests, each_step_draws_its_own_negatives, 0, 2);
    tcase_add_loop_test(tests, events_are_targets_as_often_as_is_expected, 0, 5 * WAYS);
    tcase_add_loop_test(tests, a_fit_expects_each_item_as_often_as_it_is_a_target, 0, WAYS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
