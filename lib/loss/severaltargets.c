/* loss: a softmax with several targets, from their scores and the normaliser of all other candidates. */
#include "loss/severaltargets.h"
#include <math.h>

/* log(exp(x) + N) - x, N = others * exp(top). miss: N / (exp(x) + N); share: exp(top) / (exp(x) + N). None of them over- or
 * underflows where it should not. */
static double beside_others(float x, float top, float others, float *miss, float *share)
{
    float above = x - top, e = expf(-fabsf(above));
    if (above > 0) {
        *share = e / (1 + others * e);
        *miss = others * *share;
        return log1p((double)(others * e));
    }
    *share = 1 / (e + others);
    *miss = others * *share;
    return log((double)(e + others)) - (double)above;
}

static double separate(float weight, size_t m, const float *counts, float *targets, float top, float others, float *share)
{
    float miss, part;
    double loss = 0;
    *share = 0;
    for (size_t p = 0; p < m; p++) {
        const float x = targets[p], count = counts ? counts[p] : 1;
        targets[p] = 0;
        if (!(x > -INFINITY)) continue;
        loss += (double)count * beside_others(x, top, others, &miss, &part);
        targets[p] = -weight * count * miss;
        *share += weight * count * part;
    }
    return loss;
}

static double joint(float weight, size_t m, const float *counts, float *targets, float top, float others, float *share)
{
    float best = -INFINITY, sum = 0, miss, part;
    for (size_t p = 0; p < m && counts; p++) targets[p] += logf(counts[p]);
    for (size_t p = 0; p < m; p++) best = targets[p] > best ? targets[p] : best;
    for (size_t p = 0; p < m; p++) sum += targets[p] = expf(targets[p] - best);
    double loss = beside_others(best + logf(sum), top, others, &miss, &part);
    for (size_t p = 0; p < m; p++) targets[p] *= -weight * miss / sum;
    *share = weight * part;
    return loss;
}

double sq_several_targets(int32_t joined, float weight, size_t m, const float *counts, float *targets, float top, float others,
                          float *share)
{
    return (joined ? joint : separate)(weight, m, counts, targets, top, others, share);
}
