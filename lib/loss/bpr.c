/* loss: Bayesian personalised ranking (Rendle et al. 2009), the mean over the negatives. */
#include "loss/logistic.h"
#include "loss/losses.h"

/* mean_j -log s(x+ - x-_j) = mean_j softplus(x-_j - x+) */
double sq_bpr(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    size_t live = 0;
    double sum = 0;
    (void)m;
    for (size_t j = 0; j < n; j++) {
        live += negatives[j] > -INFINITY;
        negatives[j] -= targets[0];
    }
    if (live == 0) live = 1;
    double loss = rule->kernels->logistic(n, weight / (float)live, negatives) / (double)live;
    for (size_t j = 0; j < n; j++) sum += (double)negatives[j];
    targets[0] = -(float)sum;
    return loss;
}
