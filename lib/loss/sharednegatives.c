/* loss: losses over candidates when all tokens of a batch share their negatives: one product instead of a gather. */
#include "loss/losses.h"
#include <math.h>

/* Scores of a token's own targets, -Inf where a row is left out. */
static void target_scores(const sq_sampled *o, size_t t, float *scores)
{
    const float *const *rows = o->rows + t * o->m;
    for (size_t p = 0; p < o->m; p++) {
        scores[p] = rows[p] ? o->rule->kernels->dot(o->width, o->u + t * o->width, rows[p]) : -INFINITY;
        if (rows[p] && o->inverse_norm) scores[p] *= o->inverse_norm[t * o->m + p];
        if (o->bias) scores[p] += o->bias[t];
        if (o->log_expected && o->rule->corrects == SQ_LOGQ_CLASSIC) scores[p] -= o->log_expected[t * o->m + p];
    }
}

static float sum_of(size_t n, const float *x)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++) sum += (double)x[j];
    return (float)sum;
}

static double token_loss(const sq_sampled *o, const sq_shared *s, size_t t)
{
    float *logits = s->logits + t * s->k, *g = o->coefficient + t * o->m;
    for (size_t j = 0; j < s->live && o->bias; j++) logits[j] += o->bias[t];
    for (size_t j = 0; j < s->live && s->log_expected; j++) logits[j] -= s->log_expected[j];
    for (size_t j = 0; j < s->live; j++) logits[j] = s->masked[t * s->k + j] ? -INFINITY : logits[j];
    target_scores(o, t, g);
    sq_loss_rule rule = *o->rule;
    rule.share = o->share ? o->share + t * o->m : NULL;
    double loss = o->loss(&rule, o->weight[t], o->m, g, s->live, logits);
    if (o->bias) o->dbias[t] = sum_of(o->m, g) + sum_of(s->live, logits);
    for (size_t p = 0; p < o->m && o->inverse_norm; p++) g[p] *= o->inverse_norm[t * o->m + p];
    for (size_t j = s->live; j < s->k; j++) logits[j] = 0;
    return (double)o->weight[t] * loss;
}

double sq_shared_negatives(const sq_sampled *o, const sq_shared *s)
{
    const sq_kernels *k = o->rule->kernels;
    double sum = o->sum;
    sq_gemm(k, o->n, s->k, o->width, o->u, o->width, 1, s->transposed, s->k, s->logits, s->k, 0);
    for (size_t t = 0; t < o->n; t++) sum += token_loss(o, s, t);
    sq_gemm(k, o->n, o->width, s->live, s->logits, s->k, 1, s->negatives, o->width, o->du, o->width, 0);
    sq_gemm(k, s->live, o->width, o->n, s->logits, 1, s->k, o->u, o->width, s->dnegatives, o->width, 1);
    for (size_t t = 0; t < o->n; t++)
        for (size_t p = 0; p < o->m; p++)
            if (o->rows[t * o->m + p])
                k->axpy(o->width, o->coefficient[t * o->m + p], o->rows[t * o->m + p], o->du + t * o->width);
    return sum;
}
