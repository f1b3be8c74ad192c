/* tensor: the length of a vector that is divided by it. */
#include "tensor/length.h"
#include <math.h>

/* For a vector whose square is beyond float. */
static float long_one(size_t width, const float *x)
{
    double square = 0;
    for (size_t i = 0; i < width; i++) square += (double)x[i] * (double)x[i];
    return (float)sqrt(square);
}

float sq_length(const sq_kernels *kernels, size_t width, const float *x)
{
    const float square = kernels->dot(width, x, x);
    if (square < SQ_NO_SQUARE) return 0;
    return isinf(square) ? long_one(width, x) : sqrtf(square);
}

float sq_inverse_length(const sq_kernels *kernels, size_t width, const float *x)
{
    const float length = sq_length(kernels, width, x);
    return length > 0 ? 1.0f / length : 0;
}
