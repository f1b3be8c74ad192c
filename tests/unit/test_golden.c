/* unit: user vectors, scores, losses and gradients against float64 values from PyTorch. */
#include "base/rng.h"
#include "golden_values.h"
#include "network_pass.h"
#include "run_suite.h"

/* Differences are relative to the largest magnitude of their group, as golden_values.h measures float32_error; this is less
 * than three times what float32 arithmetic in PyTorch does in its worst case (3.7e-6). */
#define TOLERANCE 1e-5

#define RUNS (3 * GOLDEN_CASES) /* with each table of kernels */

typedef struct digest {
    double first, square;
} digest;

static digest digest_of(const float *x, int64_t n)
{
    digest d = {0, 0};
    for (int64_t j = 0; j < n; j++) {
        d.first += (double)x[j] * cos(0.61 * (double)j + 0.2);
        d.square += (double)x[j] * (double)x[j];
    }
    return d;
}

static int64_t choice(const char *value, const char *a, const char *b, const char *c)
{
    ck_assert(strcmp(value, a) == 0 || strcmp(value, b) == 0 || strcmp(value, c) == 0);
    return strcmp(value, a) == 0 ? 0 : strcmp(value, b) == 0 ? 1 : 2;
}

static sq_options options_of(const golden_case *g)
{
    sq_options o = small_options("sasrec");
    o.dim = g->dim;
    o.heads = g->heads;
    o.blocks = GOLDEN_BLOCKS;
    o.max_length = GOLDEN_WINDOW;
    o.wiring = choice(g->wiring, "post_norm", "pre_norm", "original");
    o.activation = choice(g->activation, "relu", "gelu", "");
    o.position = choice(g->position, "end", "start", "none");
    o.score = choice(g->score, "dot", "cosine", "");
    o.temperature = g->temperature;
    o.tied_output = g->tied_output;
    o.scale_embeddings = g->scale_embeddings;
    o.attention_output = g->output_projection;
    o.mask = g->bidirectional ? SQ_MASK_BIDIRECTIONAL : SQ_MASK_CAUSAL;
    o.objective = g->bidirectional ? SQ_OBJECTIVE_CLOZE : SQ_OBJECTIVE_NEXT;
    o.mask_probability = 0.4; /* as many of each window as golden_places has */
    o.embedding_norm = g->embedding_norm;
    o.final_norm = g->final_norm;
    o.head = g->transform ? SQ_HEAD_TRANSFORM : SQ_HEAD_NONE;
    return o;
}

static int32_t tensor_of(const char *name)
{
    for (int32_t n = 0; n < GOLDEN_TENSORS; n++)
        if (strcmp(name, golden_tensors[n]) == 0) return n;
    ck_abort_msg("no golden tensor is called %s", name);
    return -1;
}

/* A model with golden weights and items 0 .. GOLDEN_ITEMS - 1 in slots of the same number; 0 when this processor lacks the
 * instruction set. */
static int golden_model(const sq_options *o, int32_t variant, small_model *out)
{
    int64_t d = o->dim;
    if (!sq_kernels_variant(variant)) return 0;
    small_model s = small_open(o, 0, 0);
    s.model->kernels = sq_kernels_variant(variant);
    float flat[50 * 50], vectors[GOLDEN_ITEMS * 2 * 50];
    sq_change change = {.parts.weights = sq_weights_create(&s.context->memory, s.model->layout.floats)};
    ck_assert_ptr_nonnull(change.parts.weights);
    for (int32_t i = 0; i < s.model->layout.count; i++) {
        const sq_parameter *p = &s.model->layout.parameters[i];
        int32_t n = tensor_of(p->name);
        for (int64_t j = 0; j < p->rows * p->cols; j++) flat[j] = golden_weight(n, j, (int32_t)d);
        sq_parameter_import(p, flat, change.parts.weights->at);
    }
    sq_lock_take(&s.model->writing);
    EXPECT_OK(sq_model_publish(s.model, change, error));
    sq_lock_give(&s.model->writing);
    int64_t tables = o->tied_output ? 1 : 2;
    for (int64_t i = 0; i < GOLDEN_ITEMS; i++)
        for (int64_t j = 0; j < d * tables; j++)
            vectors[i * d * tables + j] = golden_weight(j < d ? 0 : 1, i * d + j % d, (int32_t)d);
    small_put(&s, 0, GOLDEN_ITEMS, vectors);
    *out = s;
    return 1;
}

static void expect_near(int32_t at, const char *what, int64_t index, double got, double want, double magnitude)
{
    ck_assert_msg(fabs(got - want) <= TOLERANCE * magnitude, "case %d, %s %lld: %.9g, not %.9g (%.2g of %.3g)", (int)at,
                  what, (long long)index, got, want, fabs(got - want) / magnitude, magnitude);
}

/* ---- user vectors and scores ------------------------------------------------------------------------------------- */

/* The windows of all sequences; last[s]: the last event of sequence s, [MASK] where the model is asked at one. */
static small_batch windows(const golden_case *g, int32_t *last)
{
    small_batch b = {.sequences = GOLDEN_SEQUENCES};
    for (int64_t q = 0; q < GOLDEN_SEQUENCES; q++) {
        int64_t n = golden_offsets[q + 1] - golden_offsets[q], window = n < GOLDEN_WINDOW ? n : GOLDEN_WINDOW;
        b.offsets[q + 1] = b.offsets[q] + window;
        last[q] = (int32_t)b.offsets[q + 1] - 1;
        memcpy(b.slots + b.offsets[q], golden_rows + golden_offsets[q + 1] - window, (size_t)window * sizeof *b.slots);
        if (g->bidirectional) b.slots[last[q]] = -1;
    }
    return b;
}

static double inner(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check_scores(int32_t at, const small_model *s, const float *u, const int32_t *last)
{
    const golden_case *g = &golden_cases[at];
    const sq_catalogue *items = s->model->current->parts.catalogue;
    double largest = 0;
    for (int32_t q = 0; q < GOLDEN_SEQUENCES; q++)
        for (int32_t i = 0; i < GOLDEN_ITEMS; i++) largest = fmax(largest, fabs(g->scores[q][i]));
    for (int32_t q = 0; q < GOLDEN_SEQUENCES; q++)
        for (int32_t i = 0; i < GOLDEN_ITEMS; i++) {
            const float *x = u + last[q] * s->model->layout.dp;
            const float *y = sq_catalogue_row(items, i) + sq_output_offset(items);
            double score = inner(x, y, g->dim);
            if (strcmp(g->score, "cosine") == 0)
                score /= sqrt(inner(x, x, g->dim) * inner(y, y, g->dim)) * g->temperature;
            expect_near(at, "score", q * GOLDEN_ITEMS + i, score, g->scores[q][i], largest);
        }
}

START_TEST(user_vectors_and_scores_are_those_of_pytorch)
{
    int32_t at = _i % GOLDEN_CASES, last[GOLDEN_SEQUENCES];
    const golden_case *g = &golden_cases[at];
    sq_options o = options_of(g);
    small_model s;
    small_batch b = windows(g, last);
    if (!golden_model(&o, _i / GOLDEN_CASES, &s)) return;
    network_pass *p = pass_open(s.model, &b, 0, 0, 1);
    const float *u = pass_forward(p);
    for (int32_t i = 0; i < GOLDEN_USERS; i++) {
        digest d = digest_of(u + i * s.model->layout.dp, g->dim);
        expect_near(at, "user", i, d.first, g->users[i][0], sqrt(g->users[i][1]));
        expect_near(at, "user's square", i, d.square, g->users[i][1], g->users[i][1]);
    }
    check_scores(at, &s, u, last);
    pass_close(p);
    small_close(&s);
}
END_TEST

/* ---- losses and gradients ---------------------------------------------------------------------------------------- */

#define SCRIPT 1048576 /* outcomes of a uniform draw, most of them unused */

/* Makes the trainer's uniform sampler answer the golden negatives: the outcomes its draws will have get their slots. */
static int32_t *script_negatives(sq_trainer *t, int32_t places)
{
    const int32_t (*negatives)[GOLDEN_NEGATIVES] = places ? golden_place_negatives : golden_negatives;
    const uint64_t targets = places ? GOLDEN_PLACES : GOLDEN_TARGETS;
    uint64_t key = sq_random_key((uint64_t)t->options.seed, SQ_STREAM_NEGATIVES, (uint64_t)t->step);
    int32_t *slots = malloc(SCRIPT * sizeof *slots);
    for (int64_t i = 0; i < SCRIPT; i++) slots[i] = -1;
    for (uint64_t j = 0; j < targets * GOLDEN_NEGATIVES; j++) {
        uint64_t at = sq_random_below(key, j * 64, SCRIPT);
        ck_assert_int_eq(slots[at], -1);
        slots[at] = negatives[j / GOLDEN_NEGATIVES][j % GOLDEN_NEGATIVES];
    }
    t->sampler.slots = slots;
    t->sampler.count = SCRIPT;
    return slots;
}

static small_batch golden_batch(void)
{
    small_batch b = {.sequences = GOLDEN_SEQUENCES};
    memcpy(b.offsets, golden_offsets, sizeof golden_offsets);
    memcpy(b.slots, golden_rows, sizeof golden_rows);
    return b;
}

/* Puts the golden places in place of those that were drawn. */
static void script_masks(sq_plan *p)
{
    ck_assert_int_eq(p->target_count, GOLDEN_PLACES);
    for (int64_t i = 0; i < p->target_count; i++) p->inputs[p->target_tokens[i]] = p->targets[i];
    for (int64_t s = 0, q = 0; q < GOLDEN_SEQUENCES; q++) {
        if (golden_offsets[q + 1] - golden_offsets[q] < 2) continue;
        ck_assert_int_eq(p->target_starts[s], golden_place_offsets[q]);
        for (int64_t i = golden_place_offsets[q]; i < golden_place_offsets[q + 1]; i++) {
            p->target_tokens[i] = p->starts[s] + golden_places[i];
            p->targets[i] = p->inputs[p->target_tokens[i]];
        }
        s++;
    }
    for (int64_t i = 0; i < p->target_count; i++) p->inputs[p->target_tokens[i]] = -1;
}

/* Beta1 = 0: after one step the first moment is the gradient. Micro-batches of one or two sequences. */
static sq_trainer *stepped(small_model *s, sq_options o, int32_t loss, double *value)
{
    small_batch batch = golden_batch();
    o.loss = loss;
    o.negatives = GOLDEN_NEGATIVES;
    o.seen = SQ_SEEN_KEEP;
    o.beta1 = 0;
    o.micro_batch = 5;
    small_train(s, &o);
    const int32_t places = o.objective == SQ_OBJECTIVE_CLOZE;
    int32_t *script = script_negatives(s->trainer, places);
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    small_plan(s->trainer, &batch);
    if (places) script_masks(&s->trainer->plan);
    EXPECT_OK(sq_trainer_run(s->trainer, &stats, error));
    *value = stats.loss;
    free(script);
    return s->trainer;
}

START_TEST(losses_are_those_of_pytorch)
{
    int32_t at = _i % GOLDEN_CASES;
    const golden_case *g = &golden_cases[at];
    sq_options o = options_of(g);
    small_model s;
    static const int32_t order[3] = {SQ_LOSS_BCE, SQ_LOSS_SOFTMAX, SQ_LOSS_SAMPLED_SOFTMAX};
    for (int32_t i = 0; i < 3 && golden_model(&o, _i / GOLDEN_CASES, &s); i++) {
        double value;
        stepped(&s, o, order[i], &value);
        expect_near(at, "loss", i, value, g->losses[i], g->losses[i]);
        small_close(&s);
    }
}
END_TEST

static void check_gradient(int32_t at, int32_t tensor, const float *x, int64_t n, double largest)
{
    const golden_case *g = &golden_cases[at];
    digest d = digest_of(x, n);
    double magnitude = fmax(sqrt(g->gradients[tensor][1]), 0.01 * largest);
    expect_near(at, golden_tensors[tensor], 0, d.first, g->gradients[tensor][0], magnitude);
    expect_near(at, golden_tensors[tensor], 1, sqrt(d.square), sqrt(g->gradients[tensor][1]), magnitude);
}

START_TEST(gradients_are_those_of_pytorch)
{
    int32_t at = _i % GOLDEN_CASES;
    const golden_case *g = &golden_cases[at];
    sq_options o = options_of(g);
    small_model s;
    double value, largest = 0;
    float flat[50 * 50], rows[2][GOLDEN_ITEMS * 50];
    if (!golden_model(&o, _i / GOLDEN_CASES, &s)) return;
    sq_trainer *t = stepped(&s, o, g->gradient_loss, &value);
    for (int32_t n = 0; n < GOLDEN_TENSORS; n++) largest = fmax(largest, sqrt(g->gradients[n][1]));
    for (int32_t i = 0; i < s.model->layout.count; i++) {
        const sq_parameter *p = &s.model->layout.parameters[i];
        sq_parameter_export(p, t->m, flat);
        check_gradient(at, tensor_of(p->name), flat, p->rows * p->cols, largest);
    }
    for (int32_t i = 0; i < GOLDEN_ITEMS; i++) {
        const float *m = t->items.state[0]->m + i * t->items.catalogue->stride;
        double size = fmax(sqrt(g->gradients[0][1]), 0.01 * largest);
        memcpy(rows[0] + i * g->dim, m, (size_t)g->dim * sizeof *m);
        if (!g->tied_output) memcpy(rows[1] + i * g->dim, m + t->items.catalogue->padded, (size_t)g->dim * sizeof *m);
        expect_near(at, "item", i, digest_of(m, g->dim).first, g->item_gradients[i], size);
    }
    for (int32_t n = 0; n < (g->tied_output ? 1 : 2); n++)
        check_gradient(at, n, rows[n], GOLDEN_ITEMS * (int64_t)g->dim, largest);
    small_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden");
    TCase *tcase = tcase_create("golden");
    tcase_add_loop_test(tcase, user_vectors_and_scores_are_those_of_pytorch, 0, RUNS);
    tcase_add_loop_test(tcase, losses_are_those_of_pytorch, 0, RUNS);
    tcase_add_loop_test(tcase, gradients_are_those_of_pytorch, 0, RUNS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
