/* position: a bias that falls with the distance, by a slope of each head that nobody learns (ALiBi, Press, Smith, Lewis 2022). */
#include "position/scheme.h"
#include <math.h>

/* - 2^(-8 (head + 1) / heads) |offset| */
static double fixed(int32_t head, int32_t heads, int64_t offset)
{
    return -exp2(-8.0 * (head + 1) / heads) * (double)(offset < 0 ? -offset : offset);
}

const sq_scheme sq_scheme_alibi = {.name = "alibi", .biases = 1, .fixed = fixed};
