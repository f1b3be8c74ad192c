/* position: queries and keys turned by their places, so that their product knows the distance (Su et al. 2021). */
#include "position/scheme.h"
#include <math.h>

double sq_rotary_angle(int64_t t, int32_t pair, int32_t half, double base)
{
    return (double)t * pow(base, -(double)pair / half);
}

const sq_scheme sq_scheme_rotary = {.name = "rotary", .rotates = 1};
