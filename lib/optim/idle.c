/* optim: when Adam steps without gradient no longer move a weight.
 *
 * Such a step makes m of beta1 * m and v of beta2 * v, and moves w by rate * m / (root * sqrt(v) + epsilon), where root >= 1.
 * With beta1^2 < beta2 the quotient m / (sqrt(v) + epsilon) falls from step to step, as long as m is a normal number; once m is
 * not, it is below 2^-126 / epsilon, and epsilon is far above the root of such a v. A move below 2^-25 |w| is rounded away: it
 * is asked to be below 2^-26 |w|, the rest pays for the rounding of m and v on their way. */
#include "optim/idle.h"
#include <math.h>

int32_t sq_idle_settled(const sq_schedule *s, int64_t step, size_t n, const float *w, const float *m, const float *v)
{
    size_t i = 0;
    while (i < n && m[i] == 0) i++;
    if (i == n) return 1;
    const double units = ldexp(1, 26), least = ldexp(1, -126);
    const double rate = s->learning_rate * units / (s->uncorrected ? 1 : 1 - pow(s->beta1, (double)(step + 1)));
    const int falls = s->epsilon >= 1e-15 && s->beta1 * s->beta1 < s->beta2 * (1 - 1e-6);
    for (; i < n; i++) {
        if (m[i] == 0) continue;
        double weight = fabs((double)w[i]), mean = fabs((double)m[i]), denominator = sqrt((double)v[i]) + s->epsilon;
        if (!(falls && rate * mean <= weight * denominator && rate * least <= weight * s->epsilon)) return 0;
    }
    return 1;
}
