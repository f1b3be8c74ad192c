/* unit: negatives and weights that the host brings, waiting batches, and options that do not go together. */
#include <math.h>
#include "run_suite.h"
#include "train_world.h"

/* ---- negatives of the host ------------------------------------------------------------------------------------------ */

typedef struct host {
    int64_t calls, tokens, rows, k;
    int64_t item;       /* what it brings */
    float log_probability;
    int32_t answer;
} host;

static int32_t bring(void *context, const seqrec_negatives *request)
{
    host *h = context;
    h->calls++;
    h->tokens = request->tokens;
    h->rows = request->rows;
    h->k = request->k;
    for (int64_t i = 0; i < request->rows * request->k; i++) {
        request->items[i] = h->item + i % 3;
        request->log_probabilities[i] = h->log_probability;
    }
    return h->answer;
}

static train_world open_host(host *h, const char *sharing, const char *logq)
{
    train_world w = open_with_items((world_options){"loss", "sampled_softmax", "sampler", "host", "negatives", "3",
                                                    "negative_sharing", sharing, "logq", logq, "seen", "keep"});
    EXPECT(SEQREC_OK, seqrec_trainer_set_negatives(w.trainer, bring, h, &api.error));
    return w;
}

START_TEST(the_host_is_asked_once_a_step_for_all_negatives)
{
    host h = {.item = 4, .log_probability = -1.5f};
    host_batch b;
    train_world w = open_host(&h, _i ? "batch" : "position", "corrected");
    step(&w, walk(&b));
    step(&w, walk(&b));
    ck_assert_int_eq(h.calls, 2);
    ck_assert_int_eq(h.tokens, SEQUENCES * 8);
    ck_assert_int_eq(h.rows, _i ? 1 : h.tokens);
    ck_assert_int_eq(h.k, 3);
    world_close(&w);
}
END_TEST

/* Item vectors by id, before and after a step on one sequence. */
static void rows_around_a_step(train_world *w, host_batch *b, float rows[2][ITEMS][WORLD_WIDTH])
{
    int64_t ids[ITEMS];
    seqrec_batch *batch = walk(b);
    batch->sequences = 1; /* items 1 to 12, window 9: 4 to 12 */
    for (int i = 0; i < ITEMS; i++) ids[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_items_get(w->model, ids, ITEMS, rows[0][0], &api.error));
    step(w, batch);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w->trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(w->model, ids, ITEMS, rows[1][0], &api.error));
}

START_TEST(the_host_s_negatives_are_those_that_train)
{
    float rows[2][ITEMS][WORLD_WIDTH];
    host h = {.item = 14}; /* 14 to 16, which the sequence does not have */
    host_batch b;
    train_world w = open_host(&h, _i ? "batch" : "position", "none");
    rows_around_a_step(&w, &b, rows);
    for (int64_t id = 1; id <= ITEMS; id++)
        ck_assert_msg((memcmp(rows[0][id - 1], rows[1][id - 1], sizeof rows[0][0]) != 0) == ((id >= 4 && id <= 12) || (id >= 14 && id <= 16)),
                      "item %d", (int)id);
    world_close(&w);
}
END_TEST

/* Of items that are not in the history nothing is turned away; of those of before the window everything is, and a softmax over the target alone
 * has nothing to learn. */
START_TEST(the_rule_of_seen_items_holds_for_what_the_host_brings)
{
    float rows[2][ITEMS][WORLD_WIDTH];
    host h = {.item = _i == 2 ? 1 : 13};
    host_batch b;
    train_world w = open_host(&h, "position", "none");
    set(&w, "seen", _i ? "exclude_history" : "keep");
    rows_around_a_step(&w, &b, rows);
    for (int64_t id = 1; id <= ITEMS; id++)
        ck_assert_msg((memcmp(rows[0][id - 1], rows[1][id - 1], sizeof rows[0][0]) != 0) == (_i < 2 && id >= 4 && id <= 15),
                      "item %d", (int)id);
    world_close(&w);
}
END_TEST

/* Each position its own target. */
static int32_t bring_targets(void *context, const seqrec_negatives *request)
{
    (void)context;
    for (int64_t i = 0; i < request->rows; i++)
        for (int64_t j = 0; j < request->k; j++) request->items[i * request->k + j] = request->targets[i];
    return 0;
}

/* With stochastic shared embeddings the target is often none of the history. */
START_TEST(a_target_that_was_exchanged_is_no_negative_of_itself)
{
    host h = {0};
    host_batch b;
    train_world w = open_host(&h, "position", "none");
    set(&w, "seen", "exclude_history");
    set(&w, "sse_item", "1");
    EXPECT(SEQREC_OK, seqrec_trainer_set_negatives(w.trainer, bring_targets, NULL, &api.error));
    const seqrec_step_stats stats = step(&w, walk(&b));
    ck_assert_double_eq(stats.loss, 0);
    world_close(&w);
}
END_TEST

/* Items alone. */
static int32_t bring_no_probabilities(void *context, const seqrec_negatives *request)
{
    for (int64_t i = 0; i < request->rows * request->k; i++) request->items[i] = *(const int64_t *)context;
    return 0;
}

START_TEST(a_host_that_leaves_the_probabilities_is_refused_where_they_count)
{
    host h = {.item = 7};
    host_batch b;
    for (int i = 0; i < 2; i++) {
        train_world w = open_host(&h, "position", i ? "corrected" : "none");
        EXPECT(SEQREC_OK, seqrec_trainer_set_negatives(w.trainer, bring_no_probabilities, &h.item, &api.error));
        if (i) REFUSED(SEQREC_E_ARGUMENT, "log_probabilities[0]", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
        else step(&w, walk(&b));
        world_close(&w);
    }
}
END_TEST

START_TEST(what_the_host_brings_is_checked_before_the_step)
{
    static const struct {
        int64_t item;
        float log_probability;
        int32_t answer, wanted;
        const char *hint;
    } wrong[] = {{400, -1, 0, SEQREC_E_NOT_FOUND, "no item 400"},
                 {4, NAN, 0, SEQREC_E_ARGUMENT, "log_probabilities[0]"},
                 {4, 0.5f, 0, SEQREC_E_ARGUMENT, "logarithm of a probability"},
                 {4, -INFINITY, 0, SEQREC_E_ARGUMENT, "log_probabilities[0]"},
                 {4, -1, 1, SEQREC_E_CANCELLED, "asked to stop"}};
    host h = {0};
    host_batch b;
    train_world w = open_host(&h, "position", "corrected");
    world_checkpoint(&w, "before");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        h = (host){.item = wrong[i].item, .log_probability = wrong[i].log_probability, .answer = wrong[i].answer};
        REFUSED(wrong[i].wanted, wrong[i].hint, seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
        world_checkpoint(&w, "after");
        ck_assert(world_same("before", "after"));
    }
    EXPECT(SEQREC_OK, seqrec_trainer_set_negatives(w.trainer, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_STATE, "seqrec_trainer_set_negatives", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "trainer is NULL", seqrec_trainer_set_negatives(NULL, bring, &h, &api.error));
    world_close(&w);
}
END_TEST

START_TEST(a_fixed_list_draws_from_itself_alone)
{
    float before[ITEMS][WORLD_WIDTH], after[WORLD_WIDTH];
    host_batch b;
    train_world w = open_with_items((world_options){"loss", "gbce", "sampler", "weights", "negatives", "4", "seen", "keep", "max_length", "12"});
    REFUSED(SEQREC_E_STATE, "needs weights", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, (int64_t[]){15, 16}, NULL, 2, &api.error));
    for (int64_t id = 1; id <= ITEMS; id++) EXPECT(SEQREC_OK, seqrec_items_get(w.model, &id, 1, before[id - 1], &api.error));
    seqrec_batch *batch = walk(&b);
    batch->sequences = 1;
    step(&w, batch);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    for (int64_t id = 1; id <= ITEMS; id++) {
        int used = id == 15 || id == 16;
        for (int64_t e = 0; e < batch->offsets[1]; e++) used |= batch->items[e] == id;
        EXPECT(SEQREC_OK, seqrec_items_get(w.model, &id, 1, after, &api.error));
        ck_assert_msg(used == (memcmp(before[id - 1], after, sizeof after) != 0), "item %lld", (long long)id);
    }
    world_close(&w);
}
END_TEST

/* ---- weights --------------------------------------------------------------------------------------------------------- */

static void state_after(const char *name, const char *const *options, const float *weights, int as_values)
{
    host_batch b;
    train_world w = open_with_items(options);
    seqrec_batch *batch = walk(&b);
    if (as_values)
        batch->values = weights;
    else
        batch->weights = weights;
    step(&w, batch);
    EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_set_note(w.model, "preset", NULL, &api.error));
    set(&w, "event_weights", "none");
    world_save(&w, name);
    world_close(&w);
}

START_TEST(equal_weights_change_nothing_and_others_do)
{
    static const char *const losses[] = {"bce", "softmax", "sampled_softmax", "sce"};
    float ones[SEQUENCES * EVENTS], others[SEQUENCES * EVENTS];
    for (int i = 0; i < SEQUENCES * EVENTS; i++) ones[i] = 1, others[i] = (float)(i % 4);
    world_options options = {"loss", losses[_i]};
    state_after("plain", options, NULL, 0);
    state_after("ones", options, ones, 0);
    state_after("others", options, others, 0);
    ck_assert(world_same("plain", "ones"));
    ck_assert(!world_same("plain", "others"));
    world_options values = {"loss", losses[_i], "event_weights", "values"};
    state_after("values", values, others, 1);
    ck_assert(world_same("values", "others"));
}
END_TEST

/* Weights that leave one target of each sequence: the loss is the mean of those alone. */
START_TEST(the_loss_is_the_weighted_mean)
{
    float weights[SEQUENCES * EVENTS] = {0};
    double parts[SEQUENCES], sum = 0;
    host_batch b;
    for (int64_t s = 0; s < SEQUENCES; s++) {
        train_world w = open_with_items((world_options){"loss", "softmax", "dropout", "0"});
        seqrec_batch *batch = walk(&b);
        memset(weights, 0, sizeof weights);
        weights[s * EVENTS + EVENTS - 1] = 2;
        batch->weights = weights;
        const seqrec_step_stats stats = step(&w, batch);
        ck_assert_int_eq(stats.targets, 1);
        parts[s] = stats.loss;
        sum += (double)(s + 1) * parts[s] / (SEQUENCES * (SEQUENCES + 1) / 2);
        world_close(&w);
    }
    train_world w = open_with_items((world_options){"loss", "softmax", "dropout", "0"});
    seqrec_batch *batch = walk(&b);
    for (int64_t s = 0; s < SEQUENCES; s++) weights[s * EVENTS + EVENTS - 1] = (float)(s + 1);
    batch->weights = weights;
    double loss = step(&w, batch).loss;
    ck_assert_msg(fabs(loss - sum) < 1e-5 * sum, "%g, not %g", loss, sum);
    world_close(&w);
}
END_TEST

/* Of a batch of one user: items 1, 2, 3, `last` under these weights. */
static double loss_of_four(const char *const *options, int64_t last, const float weights[4])
{
    const int64_t offsets[] = {0, 4}, items[] = {1, 2, 3, last};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items, .weights = weights};
    train_world w = open_with_items(options);
    const double loss = step(&w, &batch).loss;
    world_close(&w);
    return loss;
}

/* Which item it is of makes no difference; what it weighs does. */
START_TEST(an_event_of_weight_0_is_no_target_of_any_position)
{
    static const char *const losses[] = {"bce", "gbce", "softmax", "sampled_softmax"}, *const counts[] = {"1", "2", "3"};
    const char *const options[] = {"loss",  losses[_i % 4], "target_form", _i / 8 ? "separate" : "joint", "negative_sharing",
                                   _i / 4 % 2 ? "batch" : "position", "seen", "keep", "negatives", "7", "targets", counts[_i % 3],
                                   "dropout", "0", NULL};
    const float without[] = {1, 1, 1, 0}, with[] = {1, 1, 1, .5f};
    const double other = loss_of_four(options, 9, without), same = loss_of_four(options, 4, without);
    ck_assert_msg(other == same, "%.9g and %.9g", other, same);
    ck_assert(loss_of_four(options, 9, with) != loss_of_four(options, 4, with));
}
END_TEST

/* All scores are 0, so that N items that are no target of a position count N, and k negatives k. Positions 1 to 3 have the targets {2, 3},
 * {3, 4} and {4}, and weigh what the heavier of them weighs. */
START_TEST(each_of_several_targets_weighs_by_itself)
{
    static const float cases[][3] = {{1, 1, 1}, {1, 0, 1}, {0, 1, 0}, {.5f, .25f, 2}, {0, 0, 3}, {2e-30f, 1e-30f, 4e-30f}};
    static const char *const losses[] = {"bce", "softmax", "softmax", "sampled_softmax", "sampled_softmax"};
    const float zeros[5 * WORLD_WIDTH] = {0}, *own = cases[_i / 5], weights[] = {7, own[0], own[1], own[2]};
    const int64_t ids[] = {1, 2, 3, 4, 5}, offsets[] = {0, 4};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = ids, .weights = weights};
    const int joint = _i % 5 % 2, full = _i % 5 == 1 || _i % 5 == 2;
    train_world w = world_open((world_options){"loss", losses[_i % 5], "targets", "2", "target_form", joint ? "joint" : "separate", "seen",
                                               "exclude_target", "negatives", "4", NULL}, 0);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, 5, zeros, &api.error));
    double sum = 0, all = 0;
    for (int i = 0; i < 3; i++) {
        const double a = (double)own[i], b = i < 2 ? (double)own[i + 1] : 0, heaviest = fmax(a, b);
        const double others = full ? 5 - (a > 0) - (b > 0) : 4, counted = heaviest > 0 ? (a + b) / heaviest : 1;
        all += heaviest;
        if (_i % 5 == 0) sum += (a + b + 4 * heaviest) * log(2);
        else sum += joint ? heaviest * log((counted + others) / counted) : (a + b) * log(1 + others);
    }
    const double loss = step(&w, &batch).loss;
    ck_assert_msg(fabs(loss - sum / all) < 1e-5, "%g, not %g", loss, sum / all);
    world_close(&w);
}
END_TEST

START_TEST(weights_that_are_none_are_refused_and_nothing_changes)
{
    static const float wrong[] = {NAN, INFINITY, -1};
    float weights[SEQUENCES * EVENTS] = {0};
    host_batch b;
    train_world w = open_with_items(NULL);
    world_checkpoint(&w, "before");
    seqrec_batch *batch = walk(&b);
    batch->weights = weights;
    REFUSED(SEQREC_E_ARGUMENT, "add up to 0", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    weights[5] = 1e-39f;
    REFUSED(SEQREC_E_ARGUMENT, "add up to 1e-39: at least 1.17549e-38", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weights[5] = wrong[i];
        REFUSED(SEQREC_E_ARGUMENT, "batch.weights[5]", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    }
    world_checkpoint(&w, "after");
    ck_assert(world_same("before", "after"));
    set(&w, "event_weights", "values");
    batch->weights = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "needs batch.values", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "no values", seqrec_trainer_fit(w.trainer, w.data, NULL, NULL, &api.error));
    world_close(&w);
}
END_TEST

/* ---- accumulation ------------------------------------------------------------------------------------------------------ */

START_TEST(waiting_batches_make_the_step_of_one_large_batch)
{
    host_batch b;
    const char *const options[] = {"loss", _i ? "sce" : "softmax", NULL};
    train_world whole = open_with_items(options), parts = open_with_items(options);
    step(&whole, walk(&b));
    set(&parts, "accumulate", "4");
    for (int64_t i = 0; i < 4; i++) {
        seqrec_batch *batch = walk(&b);
        int64_t first = i * 2, offsets[3] = {0, EVENTS, 2 * EVENTS};
        seqrec_batch part = {.struct_size = sizeof part, .sequences = 2, .offsets = offsets};
        part.items = batch->items + first * EVENTS;
        seqrec_step_stats stats = step(&parts, &part);
        ck_assert_int_eq(stats.waiting, i < 3 ? i + 1 : 0);
        ck_assert_int_eq(stats.step, i < 3 ? 0 : 1);
        ck_assert_int_eq(isnan(stats.loss) != 0, i < 3);
    }
    set(&parts, "accumulate", "1");
    world_checkpoint(&whole, "whole");
    world_checkpoint(&parts, "parts");
    ck_assert(world_same("whole", "parts"));
    world_close(&whole);
    world_close(&parts);
}
END_TEST

START_TEST(a_batch_that_is_refused_leaves_those_that_wait)
{
    host_batch b;
    train_world w = open_with_items((world_options){"accumulate", "2"});
    step(&w, walk(&b));
    seqrec_batch *batch = walk(&b);
    b.items[3] = 999;
    REFUSED(SEQREC_E_NOT_FOUND, "no item 999", seqrec_trainer_step(w.trainer, batch, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(w.model, (int64_t[]){2}, 1, &api.error)); /* waits in the first */
    REFUSED(SEQREC_E_NOT_FOUND, "no item 2", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    set(&w, "unknown_items", "skip");
    seqrec_step_stats stats = step(&w, walk(&b));
    ck_assert_int_eq(stats.step, 1);
    ck_assert_int_eq(stats.waiting, 0);
    world_close(&w);
}
END_TEST

/* ---- options ------------------------------------------------------------------------------------------------------------ */

START_TEST(options_that_do_not_go_together_are_refused_with_the_rule)
{
    static const struct {
        const char *const options[10], *hint;
    } wrong[] = {
        {{"loss", "bpr", "targets", "2"}, "targets = 2: loss = bpr takes one"},
        {{"loss", "bce", "label_smoothing", "0.1"}, "label_smoothing needs a softmax loss"},
        {{"loss", "bce", "logq", "classic"}, "logq corrects loss = sampled_softmax, not bce"},
        {{"loss", "sampled_softmax", "logq", "classic", "sampler", "host"}, "probabilities of targets"},
        {{"loss", "sampled_softmax", "logq", "corrected", "hard_pool", "9"}, "does not leave known"},
        {{"loss", "sampled_softmax", "logq", "classic", "sampler", "popularity", "sse_item", "0.1"}, "puts any item in their place"},
        {{"loss", "sce", "hard_pool", "9"}, "hard_pool = 9 chooses among drawn negatives, and loss = sce draws none"},
        {{"loss", "sce", "targets", "2"}, "targets = 2: loss = sce takes one"},
        {{"loss", "sce", "logq", "corrected"}, "logq corrects loss = sampled_softmax, not sce"},
        {{"loss", "gbce", "hard_pool", "2", "negatives", "3"}, "at least negatives = 3"},
        {{"loss", "gbce", "hard_pool", "20", "negative_sharing", "batch"}, "negative_sharing = position"},
    };
    train_world w = world_open_without_trainer(NULL, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EXPECT(SEQREC_OK, seqrec_config_preset(w.config, "sasrec", &api.error));
        world_set(&w, world_usual);
        world_set(&w, wrong[i].options);
        REFUSED(SEQREC_E_ARGUMENT, wrong[i].hint, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    }
    seqrec_model *model = NULL;
    EXPECT(SEQREC_OK, seqrec_config_preset(w.config, "sasrec", &api.error));
    world_set(&w, (world_options){"temperature_learned", "true"});
    REFUSED(SEQREC_E_ARGUMENT, "needs score = cosine", seqrec_model_create(w.context, w.config, &model, &api.error));
    world_set(&w, (world_options){"score", "cosine", "temperature_lowest", "0.5"});
    REFUSED(SEQREC_E_ARGUMENT, "is above temperature", seqrec_model_create(w.context, w.config, &model, &api.error));
    REFUSED(SEQREC_E_RANGE, "calibration", seqrec_config_set(w.config, "calibration", "1.5", &api.error));
    REFUSED(SEQREC_E_RANGE, "16384", seqrec_config_set(w.config, "sce_buckets", "16385", &api.error));
    REFUSED(SEQREC_E_RANGE, "1048576", seqrec_config_set(w.config, "sce_bucket_outputs", "-1", &api.error));
    REFUSED(SEQREC_E_RANGE, "1 .. 65536", seqrec_config_set(w.config, "sce_bucket_items", "0", &api.error));
    REFUSED(SEQREC_E_FORMAT, "sce_mix", seqrec_config_set(w.config, "sce_mix", "maybe", &api.error));
    world_close(&w);
}
END_TEST

START_TEST(known_items_need_a_fit)
{
    host_batch b;
    train_world w = open_with_items((world_options){"known_items", "predicted"});
    REFUSED(SEQREC_E_UNSUPPORTED, "bring batch.weights", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    world_close(&w);
}
END_TEST

START_TEST(more_negatives_than_items_are_refused)
{
    host_batch b;
    train_world w = open_with_items((world_options){"loss", "gbce", "negatives", "21", "seen", "keep"});
    REFUSED(SEQREC_E_RANGE, "negatives = 21 are more than the 20 items", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    set(&w, "negatives", "20");
    ck_assert_int_eq(step(&w, walk(&b)).step, 1);
    set(&w, "hard_pool", "21");
    REFUSED(SEQREC_E_RANGE, "hard_pool = 21 are more than the 20 items", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    set(&w, "hard_pool", "20");
    ck_assert_int_eq(step(&w, walk(&b)).step, 2);
    world_close(&w);
}
END_TEST

/* All scores are 0, and those that the rule of seen items leaves come equally often: every draw stands for as many items, and the sum over
 * them is exact. Weights .4, .3 and three of .1: item 1 behind item 2. */
START_TEST(logq_knows_that_seen_items_are_drawn_again)
{
    static const struct {
        const char *seen, *logq;
        double weights[5], sum; /* exp(loss) */
    } cases[] = {
        {"exclude_history", "corrected", {.4, .3, .1, .1, .1}, 1 + 3},
        {"exclude_target", "corrected", {.8, .05, .05, .05, .05}, 1 + 4},
        {"exclude_target", "classic", {.8, .05, .05, .05, .05}, 1 + 4 * (5 * .8)},
        {"keep", "classic", {.2, .2, .2, .2, .2}, 0}, /* some draws are the target and fall away: known only on average */
    };
    float zeros[5 * WORLD_WIDTH] = {0};
    int64_t ids[] = {1, 2, 3, 4, 5}, items[] = {2, 1}, offsets[] = {0, 2};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items};
    train_world w = world_open((world_options){"loss", "sampled_softmax", "sampler", "weights", "negatives", "5", "seen", cases[_i].seen, "logq",
                                               cases[_i].logq}, 0);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, 5, zeros, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, ids, cases[_i].weights, 5, &api.error));
    const double sum = exp(step(&w, &batch).loss);
    if (cases[_i].sum > 0) ck_assert_msg(fabs(sum - cases[_i].sum) < 1e-4, "%g, not %g", sum, cases[_i].sum);
    else ck_assert_msg(fabs(sum - rint(sum)) < 1e-4 && sum <= 6.001, "%g", sum);
    world_close(&w);
}
END_TEST

/* Of items 1 to 4 one count each, of 5 and 6 a hundred, all times a power of 2. */
static double loss_of_counts(int power, const char *alpha)
{
    const int64_t ids[] = {1, 2, 3, 4, 5, 6}, items[] = {2, 1, 3, 2}, offsets[] = {0, 4};
    double counts[6];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items};
    train_world w = world_open((world_options){"loss", "sampled_softmax", "sampler", "popularity", "sampler_alpha", alpha, "negatives", "3",
                                               "seen", "keep", "dropout", "0", "init", "normal", "init_std", "1"}, 0);
    for (int i = 0; i < 6; i++) counts[i] = ldexp(i < 4 ? 1 : 100, power);
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, 6, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, ids, counts, 6, &api.error));
    const double loss = step(&w, &batch).loss;
    world_close(&w);
    return loss;
}

START_TEST(counts_whose_powers_are_beyond_a_number_still_weigh)
{
    const double loss = loss_of_counts(0, "4");
    ck_assert(loss != loss_of_counts(0, "0"));
    ck_assert_double_eq(loss_of_counts(-300, "4"), loss);
    ck_assert_double_eq(loss_of_counts(-900, "4"), loss);
}
END_TEST

/* An item that comes first in every history is no target: in a batch it is never met. */
START_TEST(a_fit_counts_for_a_batch_sampler_what_is_a_target)
{
    int64_t items[SEQUENCES * EVENTS], offsets[SEQUENCES + 1], users[SEQUENCES];
    train_world w = open_with_items((world_options){"loss", "sampled_softmax", "sampler", "in_batch", "logq", "classic", "valid_every", "0"});
    for (int64_t s = 0; s <= SEQUENCES; s++) offsets[s] = s * EVENTS;
    for (int64_t i = 0; i < SEQUENCES * EVENTS; i++) items[i] = i % EVENTS < 3 ? 1 + i % EVENTS : 4 + i % (ITEMS - 3);
    for (int64_t s = 0; s < SEQUENCES; s++) users[s] = s;
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = SEQUENCES, .offsets = offsets, .items = items, .users = users};
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none"};
    seqrec_dataset *data = NULL;
    EXPECT(SEQREC_OK, seqrec_dataset_create(w.context, &batch, &data, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, &how, NULL, &api.error));
    seqrec_trainer_release(w.trainer); /* with random_end any event but the first can be a target */
    EXPECT(SEQREC_OK, seqrec_config_set(w.config, "random_end", "0.5", &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w.trainer, data, &how, NULL, &api.error));
    const int64_t pair[] = {0, 2};
    batch = (seqrec_batch){.struct_size = sizeof batch, .sequences = 1, .offsets = pair, .items = (const int64_t[]){5, 1}};
    REFUSED(SEQREC_E_STATE, "never draws item 1", seqrec_trainer_step(w.trainer, &batch, NULL, &api.error));
    seqrec_dataset_release(data);
    world_close(&w);
}
END_TEST

/* The counts come with a fit; on batches of the host they must be set. */
START_TEST(logq_of_a_batch_sampler_needs_counts)
{
    host_batch b;
    int64_t ids[ITEMS];
    train_world w = open_with_items((world_options){"loss", "sampled_softmax", "sampler", "in_batch", "logq", "classic"});
    REFUSED(SEQREC_E_STATE, "needs training counts", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, ids, NULL, 6, &api.error));
    REFUSED(SEQREC_E_STATE, "never draws item", seqrec_trainer_step(w.trainer, walk(&b), NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w.trainer, ids, NULL, ITEMS, &api.error));
    step(&w, walk(&b));
    world_close(&w);
}
END_TEST

/* t = 0 is BCE; the two differ in nothing but their defaults. */
START_TEST(gbce_without_calibration_is_bce)
{
    host_batch b;
    const char *const common[] = {"negatives", "5", "seen", "keep", "item_updates", "exact", "calibration", "0", NULL};
    double loss[2];
    for (int i = 0; i < 2; i++) {
        train_world w = world_open_without_trainer(common, 0);
        world_set(&w, (world_options){"loss", i ? "gbce" : "bce"});
        EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
        int64_t ids[ITEMS];
        for (int64_t j = 0; j < ITEMS; j++) ids[j] = j + 1;
        EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, ITEMS, NULL, &api.error));
        for (int s = 0; s < 5; s++) loss[i] = step(&w, walk(&b)).loss;
        EXPECT(SEQREC_OK, seqrec_trainer_publish(w.trainer, &api.error));
        set(&w, "loss", "bce");
        world_save(&w, i ? "gbce" : "bce");
        world_close(&w);
    }
    ck_assert(loss[0] == loss[1]);
    ck_assert(world_same("gbce", "bce"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_negatives");
    TCase *tests = tcase_create("api_negatives");
    tcase_add_unchecked_fixture(tests, worlds_begin, worlds_end);
    tcase_add_loop_test(tests, the_host_is_asked_once_a_step_for_all_negatives, 0, 2);
    tcase_add_loop_test(tests, the_host_s_negatives_are_those_that_train, 0, 2);
    tcase_add_loop_test(tests, the_rule_of_seen_items_holds_for_what_the_host_brings, 0, 3);
    tcase_add_test(tests, a_target_that_was_exchanged_is_no_negative_of_itself);
    tcase_add_test(tests, what_the_host_brings_is_checked_before_the_step);
    tcase_add_test(tests, a_host_that_leaves_the_probabilities_is_refused_where_they_count);
    tcase_add_test(tests, known_items_need_a_fit);
    tcase_add_test(tests, more_negatives_than_items_are_refused);
    tcase_add_loop_test(tests, logq_knows_that_seen_items_are_drawn_again, 0, 4);
    tcase_add_test(tests, counts_whose_powers_are_beyond_a_number_still_weigh);
    tcase_add_test(tests, a_fit_counts_for_a_batch_sampler_what_is_a_target);
    tcase_add_test(tests, a_fixed_list_draws_from_itself_alone);
    tcase_add_loop_test(tests, equal_weights_change_nothing_and_others_do, 0, 4);
    tcase_add_test(tests, the_loss_is_the_weighted_mean);
    tcase_add_loop_test(tests, an_event_of_weight_0_is_no_target_of_any_position, 0, 16);
    tcase_add_loop_test(tests, each_of_several_targets_weighs_by_itself, 0, 30);
    tcase_add_test(tests, weights_that_are_none_are_refused_and_nothing_changes);
    tcase_add_loop_test(tests, waiting_batches_make_the_step_of_one_large_batch, 0, 2);
    tcase_add_test(tests, a_batch_that_is_refused_leaves_those_that_wait);
    tcase_add_test(tests, options_that_do_not_go_together_are_refused_with_the_rule);
    tcase_add_test(tests, logq_of_a_batch_sampler_needs_counts);
    tcase_add_test(tests, gbce_without_calibration_is_bce);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
