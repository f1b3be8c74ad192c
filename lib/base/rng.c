/* base: normal numbers of the counter-based generator. */
#include "base/rng.h"
#include <math.h>

double sq_random_normal(uint64_t key, uint64_t counter)
{
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(1.0 - sq_random_unit(key, 2 * counter))); /* the argument is in (0, 1] */
    return radius * cos(two_pi * sq_random_unit(key, 2 * counter + 1));
}
