/* unit: every loss against its formula in double, at ordinary and extreme scores, and against one another. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "loss/losses.h"
#include "run_suite.h"

#define D 20
#define LD 32
#define MOST_TOKENS 60
#define MOST_CANDIDATES 96

static float *zeros(size_t n)
{
    return calloc(n + 256, sizeof(float));
}

static float wave(uint64_t stream, size_t j)
{
    uint64_t x = (stream + 1) * 0x9e3779b97f4a7c15u + (uint64_t)j * 0xd1342543de82ef95u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (float)((double)(x >> 40) / 8388608.0 - 1.0);
}

static float *vectors(uint64_t stream, size_t n, size_t padded, float size)
{
    float *x = zeros(padded * LD);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < D; i++) x[r * LD + i] = size * wave(stream, r * D + i);
    return x;
}

static double inner(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < LD; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---- the formulas ------------------------------------------------------------------------------------------------ */

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* scores [n], the target's first; NaN is left out. g: dL / dscore. */
static double bce_formula(size_t n, const double *scores, double *g)
{
    double loss = softplus(-scores[0]);
    g[0] = -1 / (1 + exp(scores[0]));
    for (size_t j = 1; j < n; j++) {
        g[j] = isnan(scores[j]) ? 0 : 1 / (1 + exp(-scores[j]));
        loss += isnan(scores[j]) ? 0 : softplus(scores[j]);
    }
    return loss;
}

static double softmax_formula(size_t n, const double *scores, double *g)
{
    double top = scores[0], sum = 0;
    for (size_t j = 0; j < n; j++) top = scores[j] > top ? scores[j] : top;
    for (size_t j = 0; j < n; j++) sum += isnan(scores[j]) ? 0 : exp(scores[j] - top);
    for (size_t j = 0; j < n; j++) g[j] = isnan(scores[j]) ? 0 : exp(scores[j] - top) / sum;
    g[0] -= 1;
    return log(sum) + top - scores[0];
}

static double log_add(double a, double b)
{
    const double top = fmax(a, b);
    return top > -INFINITY ? top + log1p(exp(fmin(a, b) - top)) : top;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

#define BETA 0.3
#define SMOOTHING 0.2
#define PENALTY 0.6

static double gbce_formula(size_t n, const double *scores, double *g)
{
    double loss = bce_formula(n, scores, g) - (1 - BETA) * softplus(-scores[0]);
    g[0] *= BETA;
    return loss;
}

static double bpr_formula(size_t n, const double *scores, double *g)
{
    double loss = 0, live = 0;
    for (size_t j = 1; j < n; j++) live += !isnan(scores[j]);
    g[0] = 0;
    for (size_t j = 1; j < n; j++) {
        g[j] = isnan(scores[j]) ? 0 : logistic(scores[j] - scores[0]) / live;
        loss += isnan(scores[j]) ? 0 : softplus(scores[j] - scores[0]) / live;
        g[0] -= g[j];
    }
    return loss;
}

/* The value alone; slopes by central differences. */
static double bpr_max_value(size_t n, const double *scores)
{
    double top = -INFINITY, weights = 0, best = -INFINITY, hits = 0, squares = 0;
    for (size_t j = 1; j < n; j++) top = scores[j] > top ? scores[j] : top;
    for (size_t j = 1; j < n; j++) weights += isnan(scores[j]) ? 0 : exp(scores[j] - top);
    if (weights == 0) return 0;
    for (size_t j = 1; j < n; j++) {
        double a = scores[j] - top - log(weights) - softplus(scores[j] - scores[0]);
        best = a > best ? a : best;
    }
    for (size_t j = 1; j < n; j++) {
        if (isnan(scores[j])) continue;
        double w = exp(scores[j] - top) / weights;
        hits += exp(scores[j] - top - log(weights) - softplus(scores[j] - scores[0]) - best);
        squares += w * scores[j] * scores[j];
    }
    return -(best + log(hits)) + PENALTY * squares;
}

static double top1_max_value(size_t n, const double *scores)
{
    double top = -INFINITY, weights = 0, sum = 0;
    for (size_t j = 1; j < n; j++) top = scores[j] > top ? scores[j] : top;
    for (size_t j = 1; j < n; j++) weights += isnan(scores[j]) ? 0 : exp(scores[j] - top);
    for (size_t j = 1; j < n && weights > 0; j++)
        if (!isnan(scores[j]))
            sum += exp(scores[j] - top) / weights * (logistic(scores[j] - scores[0]) + logistic(scores[j] * scores[j]));
    return sum;
}

static double by_differences(double (*value)(size_t n, const double *scores), size_t n, const double *scores, double *g)
{
    double *x = malloc(n * sizeof *x);
    memcpy(x, scores, n * sizeof *x);
    for (size_t j = 0; j < n; j++) {
        double h = 1e-5 * fmax(1, fabs(scores[j]));
        x[j] = scores[j] + h;
        double up = value(n, x);
        x[j] = scores[j] - h;
        g[j] = isnan(scores[j]) ? 0 : (up - value(n, x)) / (2 * h);
        x[j] = scores[j];
    }
    free(x);
    return value(n, scores);
}

static double bpr_max_formula(size_t n, const double *scores, double *g)
{
    return by_differences(bpr_max_value, n, scores, g);
}

static double top1_max_formula(size_t n, const double *scores, double *g)
{
    return by_differences(top1_max_value, n, scores, g);
}

static double smoothed_formula(size_t n, const double *scores, double *g)
{
    double loss = softmax_formula(n, scores, g), sum = 0, live = 0;
    for (size_t j = 0; j < n; j++)
        if (!isnan(scores[j])) sum += scores[j], live++;
    for (size_t j = 0; j < n; j++) g[j] -= isnan(scores[j]) ? 0 : SMOOTHING / live;
    g[0] += SMOOTHING;
    return loss + SMOOTHING * (scores[0] - sum / live);
}

/* The losses of candidates, and how far float arithmetic may be off at scores of size 1e4. */
static const struct {
    const char *name;
    sq_score_loss loss;
    double (*formula)(size_t n, const double *scores, double *g);
    float smoothing;
    double largest; /* scores that the formula's differences still resolve */
} losses[] = {
    {"bce", sq_bce, bce_formula, 0, 1e9},
    {"sampled_softmax", sq_sampled_softmax, softmax_formula, 0, 1e9},
    {"gbce", sq_gbce, gbce_formula, 0, 1e9},
    {"bpr", sq_bpr, bpr_formula, 0, 1e9},
    {"bpr_max", sq_bpr_max, bpr_max_formula, 0, 30},
    {"top1_max", sq_top1_max, top1_max_formula, 0, 30},
    {"sampled_softmax", sq_sampled_softmax, smoothed_formula, SMOOTHING, 1e9},
};
#define LOSSES ((int)(sizeof losses / sizeof *losses))

static double formula(int loss, size_t n, const double *scores, double *g)
{
    return losses[loss].formula(n, scores, g);
}

static void near(const char *what, size_t at, double got, double want, double tolerance)
{
    /* Millions of times: Check writes down where an assertion holds. */
    if (!(fabs(got - want) <= tolerance)) ck_abort_msg("%s %zu: %.9g, not %.9g", what, at, got, want);
}

/* ---- a sampled problem ------------------------------------------------------------------------------------------- */

/* Tokens with candidates of their own, or, shared, one set for all. */
typedef struct sampled {
    size_t tokens, k, padded; /* negatives; padded for the shared kernel */
    float *u, *targets, *negatives;
    uint8_t left_out[MOST_TOKENS][MOST_CANDIDATES];
    float inverse[MOST_TOKENS * MOST_CANDIDATES];
    int cosine, shared, loss;
    float coefficient[MOST_TOKENS * MOST_CANDIDATES];
    float *du, *dnegatives, *logits;
} sampled;

static sampled *sampled_open(size_t tokens, size_t k, float size)
{
    sampled *s = calloc(1, sizeof *s);
    s->tokens = tokens;
    s->k = k;
    s->padded = (k + 15) / 16 * 16;
    s->u = vectors(1, tokens, tokens, size);
    s->targets = vectors(2, tokens, tokens, size);
    s->negatives = vectors(3, k, s->padded, size);
    s->du = zeros(tokens * LD);
    s->dnegatives = zeros(s->padded * LD);
    s->logits = zeros(tokens * s->padded);
    return s;
}

static void sampled_close(sampled *s)
{
    float *blocks[] = {s->u, s->targets, s->negatives, s->du, s->dnegatives, s->logits};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    free(s);
}

static sq_loss_rule rule_of(const sq_kernels *kernels, const sampled *s)
{
    return (sq_loss_rule){.kernels = kernels, .beta = BETA, .smoothing = losses[s->loss].smoothing, .penalty = (float)PENALTY};
}

static sq_sampled problem_of(const sq_loss_rule *rule, sampled *s, const float **rows, float *weights)
{
    for (size_t t = 0; t < s->tokens; t++) weights[t] = 0.5f;
    sq_sampled o = {.rule = rule, .loss = losses[s->loss].loss, .n = s->tokens, .m = 1, .width = LD};
    o.weight = weights;
    o.u = s->u;
    o.rows = rows;
    o.coefficient = s->coefficient;
    o.du = s->du;
    o.inverse_norm = s->cosine ? s->inverse : NULL;
    return o;
}

static double run_own(const sq_kernels *kernels, sampled *s)
{
    const float *rows[MOST_TOKENS * MOST_CANDIDATES];
    float weights[MOST_TOKENS];
    size_t c = 1 + s->k;
    for (size_t t = 0; t < s->tokens; t++) {
        rows[t * c] = s->targets + t * LD;
        for (size_t j = 0; j < s->k; j++) rows[t * c + 1 + j] = s->left_out[t][j] ? NULL : s->negatives + j * LD;
    }
    sq_loss_rule rule = rule_of(kernels, s);
    sq_sampled o = problem_of(&rule, s, rows, weights);
    o.k = s->k;
    o.scratch = zeros(sq_sampled_scratch(1, s->k));
    double loss = sq_sampled_loss(&o);
    free(o.scratch);
    return loss;
}

static double run_shared(const sq_kernels *kernels, sampled *s)
{
    const float *rows[MOST_TOKENS];
    float weights[MOST_TOKENS], *transposed = zeros(s->padded * LD);
    uint8_t *masked = calloc(s->tokens, s->padded);
    for (size_t t = 0; t < s->tokens; t++) {
        rows[t] = s->targets + t * LD;
        memcpy(masked + t * s->padded, s->left_out[t], s->k);
    }
    kernels->transpose(s->padded, LD, s->negatives, LD, transposed, s->padded);
    sq_loss_rule rule = rule_of(kernels, s);
    sq_sampled o = problem_of(&rule, s, rows, weights);
    sq_shared shared = {.negatives = s->negatives, .transposed = transposed, .k = s->padded, .live = s->k};
    shared.masked = masked;
    shared.dnegatives = s->dnegatives;
    shared.logits = s->logits;
    double loss = sq_shared_negatives(&o, &shared);
    free(transposed);
    free(masked);
    return loss;
}

/* Scores of token t; shared negatives are of unit length already, so their factor is 1. */
static void scores_of(const sampled *s, size_t t, double *scores)
{
    size_t c = s->shared ? 1 : 1 + s->k;
    const float *u = s->u + t * LD;
    scores[0] = inner(u, s->targets + t * LD) * (s->cosine ? (double)s->inverse[t * c] : 1);
    for (size_t j = 0; j < s->k; j++) {
        double factor = s->cosine && !s->shared ? (double)s->inverse[t * c + 1 + j] : 1;
        scores[1 + j] = s->left_out[t][j] ? (double)NAN : inner(u, s->negatives + j * LD) * factor;
    }
}

/* Runs the kernel and compares loss, coefficients, du and dnegatives with the formula. */
static void check_sampled(const sq_kernels *kernels, sampled *s, double tolerance)
{
    double loss = s->shared ? run_shared(kernels, s) : run_own(kernels, s), want = 0;
    double scores[MOST_CANDIDATES], g[MOST_CANDIDATES], dn[MOST_CANDIDATES][D] = {{0}}, size = 1;
    size_t c = s->shared ? 1 : 1 + s->k;
    for (size_t i = 0; i < s->padded * LD; i++) size = fmax(size, fabs((double)s->negatives[i]));
    for (size_t i = 0; i < s->tokens * LD; i++) size = fmax(size, fabs((double)s->u[i]));
    for (size_t t = 0; t < s->tokens; t++) {
        double du[D] = {0};
        scores_of(s, t, scores);
        want += 0.5 * formula(s->loss, 1 + s->k, scores, g);
        for (size_t j = 0; j <= s->k; j++) {
            double factor = !s->cosine || (s->shared && j > 0) ? 1 : (double)s->inverse[t * c + (s->shared ? 0 : j)];
            if (j < c)
                near("coefficient", t * c + j, (double)s->coefficient[t * c + j], 0.5 * g[j] * factor, tolerance);
            const float *row = j ? s->negatives + (j - 1) * LD : s->targets + t * LD;
            for (size_t i = 0; i < D; i++) du[i] += 0.5 * g[j] * factor * (double)row[i];
            for (size_t i = 0; i < D && j > 0; i++) dn[j - 1][i] += 0.5 * g[j] * (double)s->u[t * LD + i];
        }
        for (size_t i = 0; i < D; i++) near("du", t, (double)s->du[t * LD + i], du[i], tolerance * size * (double)s->k);
    }
    for (size_t j = 0; j < s->k && s->shared; j++)
        for (size_t i = 0; i < D; i++)
            near("dnegative", j, (double)s->dnegatives[j * LD + i], dn[j][i], tolerance * size * (double)s->tokens);
    near("loss", 0, loss, want, tolerance * fmax(1, want));
}

static const sq_kernels *variant_of(int run, int runs)
{
    return sq_kernels_variant(run / runs);
}

#define KINDS (4 * LOSSES)

static sampled *kind_of(int run, size_t tokens, size_t k, float size)
{
    sampled *s = sampled_open(tokens, k, size);
    s->shared = run & 1;
    s->cosine = run >> 1 & 1;
    s->loss = run >> 2;
    for (size_t i = 0; i < MOST_TOKENS * MOST_CANDIDATES; i++) s->inverse[i] = 0.5f + 0.1f * (float)(i % 7);
    return s;
}

START_TEST(sampled_losses_follow_their_formulas)
{
    static const size_t counts[] = {1, 2, 15, 16, 17, 50};
    const sq_kernels *kernels = variant_of(_i, KINDS);
    for (size_t i = 0; kernels && i < sizeof counts / sizeof *counts; i++) {
        sampled *s = kind_of(_i % KINDS, 9, counts[i], 1);
        check_sampled(kernels, s, 2e-6);
        sampled_close(s);
    }
}
END_TEST

START_TEST(negatives_that_are_left_out_take_no_part)
{
    const sq_kernels *kernels = variant_of(_i, KINDS);
    if (!kernels) return;
    sampled *s = kind_of(_i % KINDS, 9, 40, 1);
    for (size_t t = 0; t < 9; t++)
        for (size_t j = 0; j < 40; j++) s->left_out[t][j] = t == 4 || (t + j) % 3 == 0;
    check_sampled(kernels, s, 2e-6);
    sampled_close(s);
}
END_TEST

/* Scores from -size to size, each as a product of one large and one small factor. */
static void spread_scores(sampled *s, float size)
{
    memset(s->u, 0, s->tokens * LD * sizeof(float));
    memset(s->targets, 0, s->tokens * LD * sizeof(float));
    memset(s->negatives, 0, s->padded * LD * sizeof(float));
    for (size_t t = 0; t < s->tokens; t++) {
        s->u[t * LD] = 1;
        s->targets[t * LD] = size * ((float)t / (float)(s->tokens - 1) * 2 - 1);
    }
    for (size_t j = 0; j < s->k; j++) s->negatives[j * LD] = size * wave(7, j);
}

START_TEST(extreme_scores_stay_finite_and_right)
{
    static const float sizes[] = {20, 80, 87.5f, 90, 1e4f};
    const sq_kernels *kernels = variant_of(_i, KINDS);
    int sizes_done = 0;
    for (size_t i = 0; kernels && i < sizeof sizes / sizeof *sizes; i++) {
        sampled *s = kind_of(_i % KINDS, 11, 40, 1);
        if ((double)sizes[i] > losses[s->loss].largest) sizes_done = 1;
        if (sizes_done) {
            sampled_close(s);
            break;
        }
        for (size_t j = 0; j < MOST_TOKENS * MOST_CANDIDATES; j++) s->inverse[j] = 1;
        spread_scores(s, sizes[i]);
        check_sampled(kernels, s, 1e-6 * fmax(1, (double)sizes[i] / 8));
        sampled_close(s);
    }
}
END_TEST

#define SEVERAL 3

/* Scores of targets and negatives, with the formulas of several targets in double precision. */
static void check_several_sampled(const sq_kernels *kernels, int32_t joint, const float *scores, size_t k)
{
    const sq_loss_rule rule = {.kernels = kernels, .joint = joint};
    const float weight = 0.5f;
    float targets[SEVERAL], negatives[16];
    double others = -INFINITY, own = -INFINITY, loss = 0;
    for (size_t p = 0; p < SEVERAL; p++) targets[p] = scores[p];
    for (size_t j = 0; j < 16; j++) negatives[j] = j < k ? scores[SEVERAL + j] : -INFINITY;
    for (size_t j = 0; j < k; j++) others = log_add(others, (double)scores[SEVERAL + j]);
    for (size_t p = 0; p < SEVERAL; p++) own = log_add(own, (double)scores[p]);
    const double got = sq_sampled_softmax(&rule, weight, SEVERAL, targets, k, negatives);
    for (size_t p = 0; p < SEVERAL; p++) {
        const double x = (double)scores[p], from = joint ? own : x;
        const double miss = k == 0 ? 0 : exp(others - log_add(from, others));
        if (!joint && x > -INFINITY) loss += log_add(x, others) - x;
        ck_assert_double_eq_tol((double)targets[p], x > -INFINITY ? -(double)weight * miss * exp(x - from) : 0, 1e-6);
    }
    if (joint) loss = log_add(own, others) - own;
    ck_assert_double_eq_tol(got, loss, 1e-6 * fmax(1, loss));
    for (size_t j = 0; j < k; j++) {
        double slope = 0;
        for (size_t p = 0; p < SEVERAL; p++)
            if (!joint && scores[p] > -INFINITY) slope += exp((double)scores[SEVERAL + j] - log_add((double)scores[p], others));
        if (joint) slope = exp((double)scores[SEVERAL + j] - log_add(own, others));
        ck_assert_double_eq_tol((double)negatives[j], (double)weight * slope, 1e-6);
    }
}

START_TEST(several_targets_stay_finite_and_right_beside_far_negatives)
{
    static const float scores[][SEVERAL + 2] = {{1, 2, 3, 1.5f, -2},       {60, -30, -INFINITY, -31, -32},  {-200, -190, -210, 5, 4},
                                                {300, 299, -400, 100, 90}, {0, -INFINITY, -INFINITY, -120, 120}, {-1e4f, 1e4f, 0, 87.5f, -87.5f}};
    const sq_kernels *kernels = variant_of(_i, 2);
    for (size_t i = 0; kernels && i < sizeof scores / sizeof *scores; i++)
        for (size_t k = 0; k <= 2; k++) check_several_sampled(kernels, _i % 2, scores[i], k);
}
END_TEST

/* ---- full softmax ------------------------------------------------------------------------------------------------ */

typedef struct full {
    size_t tokens, items, padded;
    float *u, *rows, *panels, *du, *drows, *scratch, smoothing;
    int32_t target[MOST_TOKENS * SEVERAL];
    size_t targets; /* of a token */
    int joint;
    const float *share; /* NULL, or of each target of each token */
} full;

static full full_open(size_t tokens, size_t items, float size)
{
    full f = {.tokens = tokens, .items = items, .padded = (items + 63) / 64 * 64};
    f.u = vectors(1, tokens, tokens, size);
    f.rows = vectors(2, items, f.padded, size);
    f.panels = zeros(f.padded * D);
    f.du = zeros(tokens * LD);
    f.drows = zeros(f.padded * LD);
    f.scratch = zeros(sq_softmax_scratch(items, LD, SEVERAL));
    for (size_t t = 0; t < tokens; t++) f.target[t] = (int32_t)(t + 1 == tokens ? items - 1 : t * 7919 % items);
    return f;
}

static double full_run(const sq_kernels *kernels, full *f)
{
    for (size_t p = 0; p * 64 < f->items; p++) sq_softmax_panel(kernels, f->rows, LD, D, p, f->panels);
    float weights[MOST_TOKENS];
    for (size_t t = 0; t < f->tokens; t++) weights[t] = 0.5f;
    sq_softmax o = {kernels,   f->tokens, LD,        D,     f->items, f->smoothing, weights,    f->u,
                    f->target, f->rows,   f->panels, f->du, f->drows, f->scratch,   f->targets, f->joint, f->share};
    return sq_softmax_loss(&o);
}

static void full_close(full *f)
{
    float *blocks[] = {f->u, f->rows, f->panels, f->du, f->drows, f->scratch};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
}

/* Loss and gradients in double. */
static void check_full(const sq_kernels *kernels, full *f, double tolerance)
{
    double loss = full_run(kernels, f), want = 0;
    double *scores = calloc(f->items, sizeof *scores), *g = calloc(f->items, sizeof *g);
    double *drows = calloc(f->items * D, sizeof *drows);
    for (size_t t = 0; t < f->tokens; t++) {
        double du[D] = {0};
        size_t target = (size_t)f->target[t];
        for (size_t j = 0; j < f->items; j++) scores[j] = inner(f->u + t * LD, f->rows + j * LD);
        double swap = scores[0];
        scores[0] = scores[target];
        scores[target] = swap;
        want += 0.5 * (f->smoothing > 0 ? smoothed_formula : softmax_formula)(f->items, scores, g);
        swap = g[0];
        g[0] = g[target];
        g[target] = swap;
        for (size_t j = 0; j < f->items; j++)
            for (size_t i = 0; i < D; i++) {
                du[i] += 0.5 * g[j] * (double)f->rows[j * LD + i];
                drows[j * D + i] += 0.5 * g[j] * (double)f->u[t * LD + i];
            }
        for (size_t i = 0; i < D; i++) near("du", t, (double)f->du[t * LD + i], du[i], tolerance);
    }
    for (size_t j = 0; j < f->items; j++)
        for (size_t i = 0; i < D; i++) near("drow", j, (double)f->drows[j * LD + i], drows[j * D + i], tolerance);
    near("loss", 0, loss, want, tolerance * fmax(1, want));
    free(scores);
    free(g);
    free(drows);
}

/* One tile, several tiles, blocks of items whose logits are kept, and those too many for that; a last block that is not full. */
static const struct {
    size_t tokens, items;
} sizes[] = {{1, 1}, {5, 2}, {60, 63}, {60, 64}, {60, 65}, {60, 1000}, {33, 3700}, {60, 4778}, {60, 4801}, {49, 21900}};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

START_TEST(full_softmax_follows_its_formula)
{
    const sq_kernels *kernels = variant_of(_i, SIZES);
    if (!kernels) return;
    for (int smooth = 0; smooth < (sizes[_i % SIZES].items > 5000 ? 1 : 2); smooth++) {
        full f = full_open(sizes[_i % SIZES].tokens, sizes[_i % SIZES].items, 1);
        f.smoothing = smooth ? (float)SMOOTHING : 0;
        check_full(kernels, &f, 2e-6);
        full_close(&f);
    }
}
END_TEST

/* Of one token, whose targets count for a: N = sum of the exponentials of what is no target. g: dL / dscore. */
static double several_formula(const full *f, const int32_t *targets, const double *a, const double *scores, double *g)
{
    double top = -INFINITY, others = 0, all = 0, loss = 0, share = 0, e[SEVERAL];
    for (size_t j = 0; j < f->items; j++) top = fmax(top, scores[j]);
    for (size_t j = 0; j < f->items; j++) {
        g[j] = exp(scores[j] - top);
        for (size_t p = 0; p < SEVERAL; p++)
            if (targets[p] == (int32_t)j) g[j] = 0;
        others += g[j];
    }
    for (size_t p = 0; p < SEVERAL; p++) all += e[p] = targets[p] < 0 ? 0 : (f->joint ? a[p] : 1) * exp(scores[targets[p]] - top);
    for (size_t p = 0; p < SEVERAL && !f->joint; p++) {
        if (targets[p] < 0) continue;
        loss += a[p] * (log(e[p] + others) - log(e[p]));
        share += a[p] / (e[p] + others);
    }
    if (f->joint) loss = log(all + others) - log(all), share = 1 / (all + others);
    for (size_t j = 0; j < f->items; j++) g[j] *= share;
    for (size_t p = 0; p < SEVERAL; p++)
        if (targets[p] >= 0) g[targets[p]] += f->joint ? e[p] / (all + others) - e[p] / all : a[p] * (e[p] / (e[p] + others) - 1);
    return loss;
}

static void check_several(const sq_kernels *kernels, full *f, double tolerance)
{
    double loss = full_run(kernels, f), want = 0;
    double *scores = calloc(f->items, sizeof *scores), *g = calloc(f->items, sizeof *g), *drows = calloc(f->items * D, sizeof *drows);
    for (size_t t = 0; t < f->tokens; t++) {
        double du[D] = {0};
        for (size_t j = 0; j < f->items; j++) scores[j] = inner(f->u + t * LD, f->rows + j * LD);
        double a[SEVERAL];
        for (size_t p = 0; p < SEVERAL; p++) a[p] = f->share ? (double)f->share[t * SEVERAL + p] : 1;
        want += 0.5 * several_formula(f, f->target + t * SEVERAL, a, scores, g);
        for (size_t j = 0; j < f->items; j++)
            for (size_t i = 0; i < D; i++) {
                du[i] += 0.5 * g[j] * (double)f->rows[j * LD + i];
                drows[j * D + i] += 0.5 * g[j] * (double)f->u[t * LD + i];
            }
        for (size_t i = 0; i < D; i++) near("du", t, (double)f->du[t * LD + i], du[i], tolerance);
    }
    for (size_t j = 0; j < f->items; j++)
        for (size_t i = 0; i < D; i++) near("drow", j, (double)f->drows[j * LD + i], drows[j * D + i], tolerance);
    near("loss", 0, loss, want, tolerance * fmax(1, want));
    free(scores);
    free(g);
    free(drows);
}

/* Other targets, the same one twice, fewer than there is room for, and all items targets; at small and at large scores; that count alike,
 * and that do not. */
START_TEST(full_softmax_of_several_targets_follows_its_formula)
{
    static const size_t items[] = {3, 70, 4801, 21900};
    const sq_kernels *kernels = variant_of(_i, 32);
    float share[MOST_TOKENS * SEVERAL];
    if (!kernels) return;
    full f = full_open(items[_i % 4] > 20000 ? 3 : items[_i % 4] > 4000 ? 11 : 40, items[_i % 4], _i % 16 < 8 ? 1 : 4);
    f.targets = SEVERAL;
    f.joint = _i / 4 % 2;
    for (size_t i = 0; i < f.tokens * SEVERAL; i++) f.target[i] = (int32_t)(i * 7919 % f.items);
    for (size_t t = 0; t < f.tokens; t += 4) f.target[t * SEVERAL + 2] = -1;
    for (size_t t = 1; t < f.tokens; t += 5) f.target[t * SEVERAL + 1] = f.target[t * SEVERAL];
    for (size_t i = 0; i < f.tokens * SEVERAL; i++) share[i] = i % SEVERAL == i / SEVERAL % 2 ? 1 : 0.5f + 0.5f * wave(5, i);
    if (_i % 32 >= 16) f.share = share;
    check_several(kernels, &f, _i % 16 < 8 ? 4e-6 : 4e-5);
    full_close(&f);
}
END_TEST

START_TEST(full_softmax_stays_finite_and_right_at_extreme_scores)
{
    static const float magnitudes[] = {80, 90, 1e4f};
    static const size_t items[] = {100, 5000};
    const sq_kernels *kernels = variant_of(_i, 6);
    if (!kernels) return;
    float size = magnitudes[_i % 6 / 2];
    full f = full_open(50, items[_i % 2], 0);
    for (size_t t = 0; t < f.tokens; t++) f.u[t * LD] = t % 2 ? 1 : -1;
    for (size_t j = 0; j < f.items; j++) f.rows[j * LD] = size * wave(4, j);
    check_full(kernels, &f, 1e-6 * (double)size);
    full_close(&f);
}
END_TEST

START_TEST(gradients_of_rows_are_added_to_what_is_there)
{
    full f = full_open(50, 5000, 1), g = full_open(50, 5000, 1);
    const sq_kernels *kernels = sq_kernels_best();
    full_run(kernels, &f);
    full_run(kernels, &g);
    full_run(kernels, &g);
    for (size_t i = 0; i < f.items * LD; i++)
        near("drow", i, (double)g.drows[i], 2 * (double)f.drows[i], 1e-6 + 1e-6 * fabs((double)f.drows[i]));
    full_close(&f);
    full_close(&g);
}
END_TEST

/* Where the target leads, its slope is that of all negatives together, to rounding, and not a difference of numbers near 1. */
START_TEST(slopes_of_a_target_far_ahead_and_of_its_negatives_add_up_to_0)
{
    enum { MOST = 65536 };
    static float negatives[MOST];
    const sq_loss_rule rule = {.kernels = sq_kernels_best(), .beta = 1};
    const size_t counts[] = {1, 256, 3000, MOST};
    for (int lead = 0; lead <= 60; lead += 10)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int loss = 0; loss < 2; loss++) {
                const size_t n = counts[c];
                double others = 0, pushed = 0;
                float target = (float)lead;
                for (size_t j = 0; j < n; j++) negatives[j] = 0.01f * (float)(j % 7), others += exp((double)negatives[j] - (double)target);
                const double got = (loss ? sq_bpr : sq_sampled_softmax)(&rule, 1, 1, &target, n, negatives);
                for (size_t j = 0; j < n; j++) pushed += (double)negatives[j];
                near("the target's slope", (size_t)lead, (double)target, -pushed, 1e-5 * pushed);
                if (loss == 0) near("the loss", (size_t)lead, got, log1p(others), 1e-5 * log1p(others));
            }
}
END_TEST

/* Of one target nothing is left out: a step on it is to be refused. */
START_TEST(a_single_target_that_has_no_score_has_no_finite_loss)
{
    const sq_loss_rule rule = {.kernels = sq_kernels_best(), .beta = 1};
    const float wrong[] = {-INFINITY, NAN};
    for (int i = 0; i < 2; i++) {
        float target = wrong[i], negatives[16] = {1, 2, 3};
        ck_assert(!isfinite(sq_sampled_softmax(&rule, 1, 1, &target, 3, negatives)));
    }
}
END_TEST

/* The normaliser's largest logit and the target's are of two sums in two orders. */
START_TEST(no_full_softmax_is_below_0)
{
    for (float size = 1; size <= 64; size *= 2) {
        full f = full_open(20, 64, 1);
        for (size_t t = 0; t < 20; t++)
            for (size_t i = 0; i < LD; i++) f.u[t * LD + i] = size * f.rows[(size_t)f.target[t] * LD + i];
        const double whole = full_run(sq_kernels_best(), &f);
        ck_assert_msg(whole >= 0, "scores of size %g: %g", (double)size, whole);
        full_close(&f);
    }
}
END_TEST

START_TEST(sampled_softmax_over_all_items_is_full_softmax)
{
    const sq_kernels *kernels = variant_of(_i, 2);
    if (!kernels) return;
    full f = full_open(20, 64, 1);
    double whole = full_run(kernels, &f);
    sampled *s = sampled_open(20, 64, 1);
    s->loss = 1;
    s->shared = _i % 2;
    memcpy(s->u, f.u, 20 * LD * sizeof(float));
    memcpy(s->negatives, f.rows, 64 * LD * sizeof(float));
    for (size_t t = 0; t < 20; t++) {
        memcpy(s->targets + t * LD, f.rows + f.target[t] * LD, LD * sizeof(float));
        s->left_out[t][f.target[t]] = 1;
    }
    near("loss", 0, s->shared ? run_shared(kernels, s) : run_own(kernels, s), whole, 1e-5 * whole);
    for (size_t i = 0; i < 20 * LD; i++) near("du", i, (double)s->du[i], (double)f.du[i], 2e-6);
    sampled_close(s);
    full_close(&f);
}
END_TEST

/* ---- the hardest of a pool ----------------------------------------------------------------------------------------- */

/* The negatives that take part, by definition: the largest of those that are left, the first of equals, as often as there is room. */
static void choose_hardest(size_t n, size_t keep, const float *scores, const uint8_t *left_out, uint8_t *chosen)
{
    memset(chosen, 0, n);
    for (; keep > 0; keep--) {
        size_t best = n;
        for (size_t j = 0; j < n; j++)
            if (!chosen[j] && !left_out[j] && (best == n || scores[j] > scores[best])) best = j;
        if (best < n) chosen[best] = 1;
    }
}

static double run_pool(size_t n, size_t keep, float (*vectors_of)[16], const uint8_t *left_out, float *coefficient)
{
    static const float u[16] = {1}, target[16] = {0.5f}, weight = 1;
    const float *rows[MOST_CANDIDATES] = {target};
    float du[16];
    for (size_t j = 0; j < n; j++) rows[1 + j] = left_out[j] ? NULL : vectors_of[j];
    sq_loss_rule rule = {.kernels = sq_kernels_best(), .beta = 1};
    sq_sampled o = {.rule = &rule, .loss = sq_bce, .n = 1, .m = 1, .k = n, .width = 16, .weight = &weight, .u = u, .rows = rows};
    o.coefficient = coefficient;
    o.du = du;
    o.hardest = keep;
    o.scratch = zeros(sq_sampled_scratch(1, n));
    const double loss = sq_sampled_loss(&o);
    free(o.scratch);
    return loss;
}

/* Few different scores, so that many are equal, both zeros among them, and some candidates left out. */
START_TEST(the_hardest_of_a_pool_are_the_largest_and_of_equals_the_first)
{
    static const float some[] = {-3, -1e-30f, -0.0f, 0.0f, 1e-30f, 0.5f, 2, 40};
    for (uint64_t c = 0; c < 2000; c++) {
        float scores[60], rows[60][16] = {{0}}, coefficient[MOST_CANDIDATES];
        uint8_t left_out[60], chosen[60];
        const size_t n = 1 + sq_random64(1, c) % 60, keep = 1 + sq_random64(2, c) % (n + 2);
        for (size_t j = 0; j < n; j++) {
            scores[j] = rows[j][0] = some[sq_random64(3 + c, j) % (1 + c % 8)];
            left_out[j] = sq_random64(4000 + c, j) % 5 == 0;
        }
        choose_hardest(n, keep, scores, left_out, chosen);
        run_pool(n, keep, rows, left_out, coefficient);
        for (size_t j = 0; j < n; j++)
            ck_assert_msg((coefficient[1 + j] != 0) == chosen[j], "case %d: candidate %zu of %zu, %zu kept, score %g", (int)c, j, n, keep, (double)scores[j]);
    }
}
END_TEST

START_TEST(a_pool_hides_no_score_that_is_no_number)
{
    float rows[20][16] = {{0}}, coefficient[MOST_CANDIDATES];
    const uint8_t left_out[20] = {0};
    for (int j = 0; j < 20; j++) rows[j][0] = (float)j;
    rows[7][0] = _i ? -NAN : NAN;
    ck_assert(isnan(run_pool(20, 3, rows, left_out, coefficient)));
}
END_TEST

START_TEST(a_score_that_is_not_finite_shows_in_the_loss)
{
    for (int run = 0; run < KINDS; run++) {
        sampled *s = kind_of(run, 5, 10, 1);
        s->negatives[3 * LD + 2] = NAN;
        double loss = s->shared ? run_shared(sq_kernels_best(), s) : run_own(sq_kernels_best(), s);
        ck_assert_msg(!isfinite(loss), "run %d: %g", run, loss);
        sampled_close(s);
    }
    for (size_t items = 100; items <= 5000; items += 4900) {
        full f = full_open(5, items, 1);
        f.rows[(items - 1) * LD] = NAN;
        ck_assert(!isfinite(full_run(sq_kernels_best(), &f)));
        full_close(&f);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("losses");
    TCase *tests = tcase_create("losses");
    tcase_add_loop_test(tests, sampled_losses_follow_their_formulas, 0, 3 * KINDS);
    tcase_add_loop_test(tests, negatives_that_are_left_out_take_no_part, 0, 3 * KINDS);
    tcase_add_loop_test(tests, extreme_scores_stay_finite_and_right, 0, 3 * KINDS);
    tcase_add_loop_test(tests, several_targets_stay_finite_and_right_beside_far_negatives, 0, 3 * 2);
    tcase_add_loop_test(tests, full_softmax_follows_its_formula, 0, 3 * SIZES);
    tcase_add_loop_test(tests, full_softmax_of_several_targets_follows_its_formula, 0, 3 * 32);
    tcase_add_loop_test(tests, full_softmax_stays_finite_and_right_at_extreme_scores, 0, 3 * 6);
    tcase_add_test(tests, gradients_of_rows_are_added_to_what_is_there);
    tcase_add_loop_test(tests, sampled_softmax_over_all_items_is_full_softmax, 0, 3 * 2);
    tcase_add_test(tests, slopes_of_a_target_far_ahead_and_of_its_negatives_add_up_to_0);
    tcase_add_test(tests, a_single_target_that_has_no_score_has_no_finite_loss);
    tcase_add_test(tests, no_full_softmax_is_below_0);
    tcase_add_test(tests, the_hardest_of_a_pool_are_the_largest_and_of_equals_the_first);
    tcase_add_loop_test(tests, a_pool_hides_no_score_that_is_no_number, 0, 2);
    tcase_add_test(tests, a_score_that_is_not_finite_shows_in_the_loss);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
