/* loss: BCE and sampled softmax when all tokens of a batch share their negatives: one product instead of a gather. */
#include "loss/logistic.h"

/* Turns the logits of token t into dL/dlogit in place and returns its loss; *g = coefficient of the target. */
static double softmax_token(const sq_sampled *o, const sq_shared *s, float target, float *logits, float *g)
{
    float top = o->kernels->max(s->live, logits);
    if (target > top) top = target;
    float sum = o->kernels->exp_shift(s->live, top, logits), own = expf(target - top);
    o->kernels->scale(s->k, o->weight / (sum + own), logits, logits);
    *g = o->weight * (own / (sum + own) - 1.0f);
    return log((double)(sum + own)) + ((double)top - (double)target);
}

static double bce_token(const sq_sampled *o, const sq_shared *s, float target, float *logits, float *g)
{
    double loss = sq_softplus(-target);
    *g = -o->weight * sq_logistic(-target);
    for (size_t j = 0; j < s->live; j++) {
        if (logits[j] == -INFINITY) {
            logits[j] = 0;
            continue;
        }
        loss += sq_softplus(logits[j]);
        logits[j] = o->weight * sq_logistic(logits[j]);
    }
    return loss;
}

double sq_shared_negatives(const sq_sampled *o, const sq_shared *s)
{
    double loss = 0;
    sq_gemm(o->kernels, o->n, s->k, o->width, o->u, o->width, 1, s->transposed, s->k, s->logits, s->k, 0);
    for (size_t t = 0; t < o->n; t++) {
        float *logits = s->logits + t * s->k, *g = o->coefficient + t;
        float target = o->kernels->dot(o->width, o->u + t * o->width, o->rows[t]);
        if (o->inverse_norm) target *= o->inverse_norm[t];
        if (o->bias) target += o->bias[t];
        for (size_t j = 0; j < s->live && o->bias; j++) logits[j] += o->bias[t];
        for (size_t j = 0; j < s->live; j++)
            if (s->masked[t * s->k + j]) logits[j] = -INFINITY;
        for (size_t j = s->live; j < s->k; j++) logits[j] = 0;
        loss += s->bce ? bce_token(o, s, target, logits, g) : softmax_token(o, s, target, logits, g);
        if (o->bias) o->dbias[t] = *g;
        for (size_t j = 0; j < s->live && o->bias; j++) o->dbias[t] += logits[j];
        if (o->inverse_norm) *g *= o->inverse_norm[t];
    }
    sq_gemm(o->kernels, o->n, o->width, s->live, s->logits, s->k, 1, s->negatives, o->width, o->du, o->width, 0);
    sq_gemm(o->kernels, s->live, o->width, o->n, s->logits, 1, s->k, o->u, o->width, s->dnegatives, o->width, 1);
    for (size_t t = 0; t < o->n; t++) o->kernels->axpy(o->width, o->coefficient[t], o->rows[t], o->du + t * o->width);
    return loss;
}
