/* eval: ranking metrics of one target, and of how lists spread over the catalogue. */
#include "eval/metrics.h"
#include <math.h>

double sq_metric_hit(sq_place place, int64_t k)
{
    const int64_t room = k - place.better, tied = (int64_t)place.equal + 1;
    if (room <= 0) return 0.0;
    return room >= tied ? 1.0 : (double)room / (double)tied;
}

double sq_metric_ndcg(sq_place place, int64_t k)
{
    const int64_t tied = (int64_t)place.equal + 1, end = place.better + tied;
    double sum = 0.0;
    for (int64_t r = place.better; r < k && r < end; r++) sum += 1.0 / log2((double)r + 2.0);
    return sum / (double)tied;
}

/* 1 + 1/2 + ... + 1/n by its expansion; exact to rounding for n > 30. */
static double harmonic(double n)
{
    const double square = 1.0 / (n * n);
    return log(n) + 0.57721566490153286061 + 0.5 / n -
           square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)));
}

double sq_metric_reciprocal(sq_place place)
{
    const int64_t tied = (int64_t)place.equal + 1, first = (int64_t)place.better + 1;
    int64_t head = tied <= 64 ? tied : (first < 64 ? 64 - first : 0);
    double sum = 0.0;
    for (int64_t j = 0; j < head; j++) sum += 1.0 / (double)(first + j);
    if (head < tied) {
        /* The rest, from rank first + head on: a difference of two expansions. */
        sum += harmonic((double)(first + tied - 1)) - harmonic((double)(first + head - 1));
    }
    return sum / (double)tied;
}

double sq_metric_coverage(const uint64_t *exposure, int64_t n)
{
    int64_t shown = 0;
    for (int64_t i = 0; i < n; i++) shown += exposure[i] > 0;
    return n > 0 ? (double)shown / (double)n : NAN;
}

double sq_metric_gini(const uint64_t *sorted, int64_t n)
{
    double weighted = 0.0, total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        weighted += (double)(2 * i + 1 - n) * (double)sorted[i];
        total += (double)sorted[i];
    }
    return total > 0.0 ? weighted / ((double)n * total) : NAN;
}

static void sift_down(uint64_t *keys, int64_t root, int64_t n)
{
    const uint64_t key = keys[root];
    for (int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && keys[child + 1] > keys[child]) child++;
        if (keys[child] <= key) break;
        keys[root] = keys[child];
        root = child;
    }
    keys[root] = key;
}

void sq_heap_sort(uint64_t *keys, int64_t n)
{
    for (int64_t i = n / 2; i-- > 0;) sift_down(keys, i, n);
    for (int64_t end = n - 1; end > 0; end--) {
        const uint64_t largest = keys[0];
        keys[0] = keys[end];
        keys[end] = largest;
        sift_down(keys, 0, end);
    }
}
