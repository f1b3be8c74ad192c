/* position: a learned bias for each bucket of distances and each head of a block (T5, Raffel et al. 2020). */
#include "position/scheme.h"
#include <math.h>

/* Half of the buckets are for exact distances, the others by its logarithm up to the farthest. With both_ways the upper half of
 * the buckets is for keys behind the query; without, those count as distance 0. */
static int32_t bucket(const sq_scheme_shape *shape, int64_t offset)
{
    int32_t first = 0, buckets = shape->buckets;
    int64_t n = offset < 0 ? -offset : shape->both_ways ? offset : 0;
    if (shape->both_ways) {
        buckets /= 2;
        if (offset > 0) first = buckets;
    }
    int32_t exact = buckets / 2;
    if (n < exact) return first + (int32_t)n;
    double share = log((double)n / exact) / log((double)shape->farthest / exact);
    int32_t reached = exact + (int32_t)(share * (buckets - exact));
    return first + (reached < buckets ? reached : buckets - 1);
}

const sq_scheme sq_scheme_t5 = {.name = "t5", .biases = 1, .bucket = bucket};
