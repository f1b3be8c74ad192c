/* serve: the nucleus of a distribution, by the bits of its weights: those of numbers that are not negative rise as the numbers do. */
#include "serve/nucleus.h"
#include <string.h>

enum { ROUNDS = 3, BINS = 2048 };

/* The bits that a round looks at: from `shift` on, those above have been found. */
static const int32_t shifts[ROUNDS + 1] = {31, 20, 10, 0};

static uint32_t bits_of(float weight)
{
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return bits & 0x7fffffffu;
}

static double sum_of(const float *weights, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)weights[i];
    return sum;
}

/* Bits of the lightest weight of the nucleus; *above: the sum of the heavier ones, below `wanted`. */
static uint32_t lightest(const float *weights, int64_t n, double wanted, double *above)
{
    double sums[BINS];
    uint32_t found = 0;
    *above = 0;
    for (int32_t round = 1; round <= ROUNDS; round++) {
        const int32_t shift = shifts[round], before = shifts[round - 1];
        const uint32_t mask = (1u << (before - shift)) - 1;
        memset(sums, 0, sizeof sums);
        for (int64_t i = 0; i < n; i++) {
            const uint32_t bits = bits_of(weights[i]);
            if (bits >> before == found) sums[bits >> shift & mask] += (double)weights[i];
        }
        uint32_t bin = mask;
        while (bin > 0 && *above + sums[bin] < wanted) *above += sums[bin--];
        found = found << (before - shift) | bin;
    }
    return found;
}

double sq_nucleus_keep(float *weights, int64_t n, double share)
{
    const double wanted = share * sum_of(weights, n);
    double above;
    const uint32_t bar = lightest(weights, n, wanted, &above);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(weights[i]);
        if (bits > bar) continue;
        if (bits == bar && above < wanted)
            above += (double)weights[i];
        else
            weights[i] = 0;
    }
    return sum_of(weights, n);
}
