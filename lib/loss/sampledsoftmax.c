/* loss: softmax over the target and sampled negatives, own negatives for each token. */
#include "loss/logistic.h"

double sq_sampled_softmax(const sq_sampled *o)
{
    double loss = 0;
    size_t c = 1 + o->k;
    for (size_t t = 0; t < o->n; t++) {
        const float *const *rows = o->rows + t * c;
        float *g = o->coefficient + t * c;
        sq_token_scores(o, t, g);
        for (size_t j = 1; j < c; j++)
            if (!rows[j]) g[j] = -INFINITY;
        size_t whole = c / 16 * 16; /* the kernel reads whole vectors, and behind g lie other threads' coefficients */
        float target = g[0], top = o->kernels->max(whole, g);
        for (size_t j = whole; j < c; j++) top = g[j] > top ? g[j] : top;
        float sum = 0;
        for (size_t j = 0; j < c; j++) g[j] -= top;
        o->kernels->exp(c, g, g);
        for (size_t j = 0; j < c; j++) sum += g[j];
        loss += log((double)sum) + ((double)top - (double)target);
        for (size_t j = 0; j < c; j++) g[j] *= o->weight / sum;
        g[0] -= o->weight;
        sq_token_gradient(o, t, g, o->du + t * o->width);
    }
    return loss;
}
