/* loss: binary cross-entropy with sampled negatives. */
#include "loss/losses.h"
#include "loss/logistic.h"

double sq_bce(const sq_sampled *o)
{
    double loss = 0;
    size_t c = 1 + o->k;
    for (size_t t = 0; t < o->n; t++) {
        const float *const *rows = o->rows + t * c;
        float *g = o->coefficient + t * c, *du = o->du + t * o->width;
        sq_token_scores(o, t, g);
        loss += sq_softplus(-g[0]);
        g[0] = -o->weight * sq_logistic(-g[0]);
        for (size_t j = 1; j < c; j++) {
            if (!rows[j]) continue;
            loss += sq_softplus(g[j]);
            g[j] = o->weight * sq_logistic(g[j]);
        }
        sq_token_gradient(o, t, g, du);
    }
    return loss;
}
