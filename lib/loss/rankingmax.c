/* loss: BPR-max and TOP1-max (Hidasi and Karatzoglou 2018): negatives weighted by their own softmax. */
#include "loss/losses.h"
#include <math.h>

static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* log sum_j exp(x_j + f(target - x_j)), f = log s or 0; -Inf when nothing is there. */
static double log_sum(size_t n, const float *x, int with_logistic, double target)
{
    double top = -INFINITY, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t j = 0; j < n; j++) {
            if (x[j] == -INFINITY) continue;
            double a = (double)x[j] - (with_logistic ? softplus((double)x[j] - target) : 0);
            if (pass)
                sum += exp(a - top);
            else if (!(a <= top))
                top = a;
        }
    return sum > 0 || isnan(sum) ? top + log(sum) : -INFINITY;
}

/* Nothing to rank against. */
static double none(size_t n, float *negatives)
{
    for (size_t j = 0; j < n; j++) negatives[j] = 0;
    return 0;
}

/* sum_j w_j x_j^2 */
static double weighted_squares(size_t n, const float *x, double log_weights)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        if (x[j] > -INFINITY) sum += exp((double)x[j] - log_weights) * (double)x[j] * (double)x[j];
    return sum;
}

/* -log sum_j w_j s(x+ - x_j) + penalty * sum_j w_j x_j^2, w = softmax(x). With r_j the share of j in the first sum, its slopes are
 * w_j - r_j s(x+ - x_j) and, for the target, -sum_j r_j s(x_j - x+). */
double sq_bpr_max(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    double target = (double)targets[0], all = log_sum(n, negatives, 0, target), by_target = 0;
    (void)m;
    targets[0] = 0;
    if (all == -INFINITY) return none(n, negatives);
    double hits = log_sum(n, negatives, 1, target), squares = weighted_squares(n, negatives, all);
    for (size_t j = 0; j < n; j++) {
        double x = (double)negatives[j], w = exp(x - all), r = exp(x - softplus(x - target) - hits);
        negatives[j] = 0;
        if (x == -INFINITY) continue;
        by_target -= r * logistic(x - target);
        double slope = w - r * logistic(target - x) + (double)rule->penalty * w * (x * x - squares + 2 * x);
        negatives[j] = (float)((double)weight * slope);
    }
    targets[0] = (float)((double)weight * by_target);
    return all - hits + (double)rule->penalty * squares;
}

/* What one negative adds to TOP1 and its slopes by the target's and by its own score: s(x_j - x+) + s(x_j^2). */
typedef struct term {
    double value, by_target, by_own;
} term;

static term top1_term(double target, double x)
{
    double a = logistic(x - target), b = logistic(x * x);
    return (term){a + b, -a * (1 - a), a * (1 - a) + 2 * x * b * (1 - b)};
}

/* sum_j w_j (s(x_j - x+) + s(x_j^2)), w = softmax(x) */
double sq_top1_max(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives)
{
    double target = (double)targets[0], all = log_sum(n, negatives, 0, target), value = 0, by_target = 0;
    (void)rule;
    (void)m;
    targets[0] = 0;
    if (all == -INFINITY) return none(n, negatives);
    for (size_t j = 0; j < n; j++) {
        if (negatives[j] == -INFINITY) continue;
        double w = exp((double)negatives[j] - all);
        term t = top1_term(target, (double)negatives[j]);
        value += w * t.value;
        by_target += w * t.by_target;
    }
    for (size_t j = 0; j < n; j++) {
        double x = (double)negatives[j], w = exp(x - all);
        term t = top1_term(target, x);
        negatives[j] = x == -INFINITY ? 0 : (float)((double)weight * w * (t.value - value + t.by_own));
    }
    targets[0] = (float)((double)weight * by_target);
    return value;
}
