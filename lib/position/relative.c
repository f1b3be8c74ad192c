/* position: relative schemes. */
#include "position/relative.h"
#include <math.h>

int32_t sq_t5_bucket(int64_t offset, int32_t buckets, int64_t distance, int32_t both_ways)
{
    int32_t first = 0;
    int64_t n = offset < 0 ? -offset : both_ways ? offset : 0;
    if (both_ways) {
        buckets /= 2;
        if (offset > 0) first = buckets;
    }
    int32_t exact = buckets / 2;
    if (n < exact || exact == 0) return first + (n < buckets ? (int32_t)n : buckets - 1);
    double share = log((double)n / exact) / log((double)distance / exact);
    int32_t bucket = exact + (int32_t)(share * (buckets - exact));
    return first + (bucket < buckets ? bucket : buckets - 1);
}

double sq_alibi_slope(int32_t head, int32_t heads) { return exp2(-8.0 * (head + 1) / heads); }

double sq_rotary_angle(int64_t t, int32_t pair, int32_t half, double base)
{
    return (double)t * pow(base, -(double)pair / half);
}
