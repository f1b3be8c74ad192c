/* loss: softmax over the targets and the negatives of one position. A logQ correction is in the scores already. */
#include "loss/losses.h"
#include "loss/severaltargets.h"
#include <float.h>
#include <math.h>

#define TOGETHER 1024 /* scores that are summed in single precision */

/* One target with label smoothing e: log(exp(x+) + sum_j exp(x_j)) - (1 - e) x+ - e mean(x), the mean over all candidates, of which
 * those at -Inf are none. */
static double smoothed(const sq_loss_rule *rule, float weight, float *target, size_t n, float *negatives)
{
    const sq_kernels *k = rule->kernels;
    float e = rule->smoothing, x = *target, top = k->max(n, negatives), all, live = 1;
    double sum = (double)x;
    if (x > top) top = x;
    all = expf(x - top);
    for (size_t j = 0; j < n; j += TOGETHER) {
        float count, scores;
        all += k->exp_live(n - j < TOGETHER ? n - j : TOGETHER, top, negatives + j, &count, &scores);
        live += count;
        sum += (double)scores;
    }
    k->scale_live(n, weight / all, weight * e / live, negatives);
    *target = weight * (expf(x - top) / all - (1 - e) - e / live);
    return log((double)all) + (double)top - (1 - (double)e) * (double)x - (double)e * sum / (double)live;
}

/* log(exp(x+) + sum_j exp(x-_j)) - x+ */
double sq_sampled_softmax(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    if (rule->smoothing > 0) return smoothed(rule, weight, targets, n, negatives);
    if (m == 1 && !(*targets > -INFINITY)) return -(double)*targets; /* of several some may be none */
    const float top = fmaxf(rule->kernels->max(n, negatives), -FLT_MAX); /* all may be left out */
    float share;
    double others = 0;
    for (size_t j = 0; j < n; j += TOGETHER)
        others += (double)rule->kernels->exp_shift(n - j < TOGETHER ? n - j : TOGETHER, top, negatives + j);
    const double loss = sq_several_targets(m > 1 && rule->joint, weight, m, rule->share, targets, top, (float)others, &share);
    rule->kernels->scale(sq_round16(n), share, negatives, negatives);
    return loss;
}
