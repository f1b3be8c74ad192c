/* loss: losses over candidates of each token's own: scores by gathering, the loss, and the gradient back. */
#include "loss/losses.h"
#include <math.h>
#include <string.h>

size_t sq_sampled_scratch(size_t m, size_t k) { return sq_round16(m) + 2 * sq_round16(k); }

/* Scores of a token's candidates, -Inf where a row is left out. */
static void scores_of(const sq_sampled *o, size_t t, size_t first, size_t n, float *scores)
{
    size_t c = o->m + o->k;
    const float *const *rows = o->rows + t * c + first;
    int whole = 1;
    for (size_t j = 0; j < n; j++) whole &= rows[j] != NULL;
    if (whole)
        o->rule->kernels->gather_dots(n, o->width, o->u + t * o->width, rows, scores);
    else
        for (size_t j = 0; j < n; j++)
            scores[j] = rows[j] ? o->rule->kernels->dot(o->width, o->u + t * o->width, rows[j]) : -INFINITY;
    for (size_t j = 0; j < n && o->inverse_norm; j++)
        if (rows[j]) scores[j] *= o->inverse_norm[t * c + first + j];
    for (size_t j = 0; j < n && o->bias; j++) scores[j] += o->bias[t];
}

static void correct(const sq_sampled *o, size_t t, size_t first, size_t n, float *scores)
{
    const float *expected = o->log_expected + t * (o->m + o->k) + first;
    for (size_t j = 0; j < n; j++) scores[j] -= expected[j];
}

/* A number that rises with the score, -0 as 0. */
static int32_t rising(float score)
{
    const float plus = score + 0.0f;
    int32_t bits;
    memcpy(&bits, &plus, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

static float score_of(int32_t rising)
{
    const int32_t bits = rising < 0 ? rising ^ INT32_MAX : rising;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* The `keep`-th largest of n >= keep scores, a bit in each round: counting takes vectors and no branch, where a heap or a list in order would
 * wait for branches that nobody can foresee. keys [n] is scratch. */
static float last_of_largest(size_t n, size_t keep, const float *scores, int32_t *keys)
{
    int32_t found = INT32_MIN;
    for (size_t j = 0; j < n; j++) keys[j] = rising(scores[j]);
    for (uint32_t bit = (uint32_t)1 << 31; bit; bit >>= 1) {
        const int32_t more = (int32_t)((uint32_t)found + bit);
        uint32_t count = 0;
        for (size_t j = 0; j < n; j++) count += keys[j] >= more;
        if (count >= keep) found = more;
    }
    return score_of(found);
}

/* Leaves the `keep` largest of n scores, the first of equals, and -Inf in place of the others; NaN stays. keys [n] is scratch. */
static void keep_hardest(size_t n, size_t keep, float *scores, int32_t *keys)
{
    size_t above = 0;
    if (n <= keep) return;
    const float last = last_of_largest(n, keep, scores, keys);
    for (size_t j = 0; j < n; j++) above += scores[j] > last;
    size_t equal = keep - above;
    for (size_t j = 0; j < n; j++) {
        const int tie = scores[j] == last;
        if (scores[j] < last || (tie && equal == 0)) scores[j] = -INFINITY;
        equal -= tie && equal > 0;
    }
}

/* du = sum_j g_j * row_j, where g gets the factor of the cosine first. */
static void gradient_of(const sq_sampled *o, size_t t, float *g)
{
    size_t c = o->m + o->k;
    const float *const *rows = o->rows + t * c;
    float *du = o->du + t * o->width;
    int whole = 1;
    memset(du, 0, o->width * sizeof *du);
    if (o->bias) o->dbias[t] = 0;
    for (size_t j = 0; j < c; j++) {
        whole &= rows[j] != NULL;
        if (o->bias) o->dbias[t] += g[j];
        if (o->inverse_norm) g[j] *= o->inverse_norm[t * c + j];
    }
    if (whole)
        o->rule->kernels->gather_axpy(c, o->width, g, rows, du);
    else
        for (size_t j = 0; j < c; j++)
            if (rows[j]) o->rule->kernels->axpy(o->width, g[j], rows[j], du);
}

double sq_sampled_loss(const sq_sampled *o)
{
    float *targets = o->scratch, *negatives = targets + sq_round16(o->m);
    int32_t *keys = (int32_t *)(void *)(negatives + sq_round16(o->k));
    sq_loss_rule rule = *o->rule;
    double sum = o->sum;
    for (size_t t = 0; t < o->n; t++) {
        float *g = o->coefficient + t * (o->m + o->k);
        scores_of(o, t, 0, o->m, targets);
        scores_of(o, t, o->m, o->k, negatives);
        if (o->log_expected && o->rule->corrects == SQ_LOGQ_CLASSIC) correct(o, t, 0, o->m, targets);
        if (o->log_expected) correct(o, t, o->m, o->k, negatives);
        if (o->hardest) keep_hardest(o->k, o->hardest, negatives, keys);
        rule.share = o->share ? o->share + t * o->m : NULL;
        sum += (double)o->weight[t] * o->loss(&rule, o->weight[t], o->m, targets, o->k, negatives);
        memcpy(g, targets, o->m * sizeof *g);
        memcpy(g + o->m, negatives, o->k * sizeof *g);
        gradient_of(o, t, g);
    }
    return sum;
}
