/* sampler: proportional to given weights, by an alias table: one number per draw whatever the catalogue. */
#include "base/rng.h"
#include "sampler/sampler.h"

int32_t sq_popularity_draw(const sq_sampler *s, uint64_t key, uint64_t counter)
{
    double at = sq_random_unit(key, counter) * (double)s->count;
    int64_t i = (int64_t)at;
    if (i >= s->count) i = s->count - 1;
    return s->slots[at - (double)i < s->keep[i] ? i : s->alias[i]];
}

double sq_popularity_probability(const sq_sampler *s, int64_t i)
{
    double p = s->keep[i];
    for (int64_t j = 0; j < s->count; j++)
        if (j != i && s->alias[j] == i) p += 1 - s->keep[j];
    return p / (double)s->count;
}

/* Vose's construction: columns below the mean are filled up from those above it. All-zero weights become uniform. The stack
 * holds small columns from the left and large ones from the right. */
void sq_popularity_fill(sq_sampler *s, const double *weights, int32_t *stack)
{
    int64_t n = s->count, small = 0, large = n;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += weights[i];
    for (int64_t i = 0; i < n; i++) {
        s->keep[i] = sum > 0 ? weights[i] * (double)n / sum : 1;
        s->alias[i] = (int32_t)i;
        if (s->keep[i] < 1)
            stack[small++] = (int32_t)i;
        else
            stack[--large] = (int32_t)i;
    }
    while (small > 0 && large < n) {
        int32_t low = stack[--small], high = stack[large];
        s->alias[low] = high;
        s->keep[high] -= 1 - s->keep[low];
        if (s->keep[high] < 1) {
            large++;
            stack[small++] = high;
        }
    }
    while (small > 0) s->keep[stack[--small]] = 1;
    while (large < n) s->keep[stack[large++]] = 1;
}
