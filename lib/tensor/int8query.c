/* tensor: a vector as whole numbers, in the forms that the scan kernels of the instruction sets multiply by. */
#include <math.h>
#include "tensor/scankernels.h"

#define FINEST 32512 /* 127 * 256: the high byte stays one */

static float largest(size_t width, const float *u)
{
    float most = 0;
    for (size_t i = 0; i < width; i++) {
        if (!isfinite(u[i])) return 0;
        if (fabsf(u[i]) > most) most = fabsf(u[i]);
    }
    return most;
}

static int32_t halves(int32_t first, int32_t second)
{
    return (int32_t)(((uint32_t)first & 0xffff) | (uint32_t)second << 16);
}

static int32_t low_byte(int32_t v)
{
    return (v & 255) - ((v & 128) << 1);
}

static void set_words(const int32_t v[4], int32_t words[4])
{
    uint32_t low = 0, high = 0;
    for (int32_t i = 3; i >= 0; i--) {
        low = low << 8 | ((uint32_t)v[i] & 255);
        high = high << 8 | ((uint32_t)((v[i] - low_byte(v[i])) / 256) & 255);
    }
    words[0] = halves(v[0], v[2]);
    words[1] = halves(v[1], v[3]);
    words[2] = (int32_t)low;
    words[3] = (int32_t)high;
}

void sq_int8_query_set(sq_int8_query *query, size_t width, const float *u)
{
    const float most = largest(width, u);
    const int64_t fits = INT32_MAX / (128 * (int64_t)(width > 0 ? width : 1));
    const double levels = (double)(fits < FINEST ? fits : FINEST);
    int32_t v[4];
    int64_t sum = 0;
    query->step = most > 0 ? (float)((double)most / levels) : 0;
    for (size_t i = 0; i < width; i++) {
        v[i % 4] = most > 0 ? (int32_t)lrint((double)u[i] * levels / (double)most) : 0;
        sum += v[i % 4];
        if (i % 4 == 3) set_words(v, query->words[i / 4]);
    }
    query->bias = (int32_t)(128 * sum);
}
