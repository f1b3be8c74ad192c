/* loss: binary cross-entropy, plain and with the calibration of gSASRec. */
#include "loss/logistic.h"
#include "loss/losses.h"

/* sum_p -share_p log s(x+_p)^beta - sum_j log(1 - s(x-_j)) */
static double cross_entropy(const sq_loss_rule *rule, double beta, float weight, size_t m, float *targets, size_t n,
                            float *negatives)
{
    double loss = rule->kernels->logistic(n, weight, negatives);
    for (size_t p = 0; p < m; p++) {
        const int there = targets[p] > -INFINITY;
        const float share = rule->share ? rule->share[p] : 1;
        loss += there ? (double)share * beta * sq_softplus(-targets[p]) : 0;
        targets[p] = there ? -(weight * share * (float)beta) * sq_logistic(-targets[p]) : 0;
    }
    return loss;
}

/* SASRec, eq. 7, with k negatives. */
double sq_bce(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    return cross_entropy(rule, 1, weight, m, targets, n, negatives);
}

/* gBCE (Petrov and Macdonald 2023, eq. 14), times k + 1: with beta = 1 it is BCE. */
double sq_gbce(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    return cross_entropy(rule, rule->beta, weight, m, targets, n, negatives);
}
