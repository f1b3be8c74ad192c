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

/* Leaves the `keep` largest of n scores, the first of equals, and -Inf in place of the others. best [keep] is scratch. */
static void keep_hardest(size_t n, size_t keep, float *scores, float *best)
{
    size_t held = 0, above = 0;
    for (size_t j = 0; j < n; j++) {
        size_t at = held < keep ? held++ : keep - 1;
        if (j >= keep && !(scores[j] > best[at])) continue;
        for (; at > 0 && best[at - 1] < scores[j]; at--) best[at] = best[at - 1];
        best[at] = scores[j];
    }
    if (held < keep) return;
    while (above < keep && best[above] > best[keep - 1]) above++;
    size_t equal = keep - above;
    for (size_t j = 0; j < n; j++) {
        int tie = scores[j] == best[keep - 1];
        if (scores[j] < best[keep - 1] || (tie && equal == 0)) scores[j] = -INFINITY;
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
    float *targets = o->scratch, *negatives = targets + sq_round16(o->m), *best = negatives + sq_round16(o->k);
    sq_loss_rule rule = *o->rule;
    double sum = o->sum;
    for (size_t t = 0; t < o->n; t++) {
        float *g = o->coefficient + t * (o->m + o->k);
        scores_of(o, t, 0, o->m, targets);
        scores_of(o, t, o->m, o->k, negatives);
        if (o->log_expected && o->rule->corrects == SQ_LOGQ_CLASSIC) correct(o, t, 0, o->m, targets);
        if (o->log_expected) correct(o, t, o->m, o->k, negatives);
        if (o->hardest) keep_hardest(o->k, o->hardest, negatives, best);
        rule.share = o->share ? o->share + t * o->m : NULL;
        sum += (double)o->weight[t] * o->loss(&rule, o->weight[t], o->m, targets, o->k, negatives);
        memcpy(g, targets, o->m * sizeof *g);
        memcpy(g + o->m, negatives, o->k * sizeof *g);
        gradient_of(o, t, g);
    }
    return sum;
}
