/* seqrec tool: random numbers as functions of a seed and a counter, so that any of them can be drawn again alone. */
#ifndef SEQREC_TOOL_RANDOM_DRAW_H
#define SEQREC_TOOL_RANDOM_DRAW_H
#include <stdint.h>

/* SplitMix64's finaliser (Steele, Lea, Flood 2014). */
static inline uint64_t mixed_bits(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A seed for the draws of one purpose. */
static inline uint64_t draw_key(uint64_t seed, uint64_t purpose)
{
    return mixed_bits(mixed_bits(seed + 0x9e3779b97f4a7c15u) + purpose);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double draw_unit(uint64_t key, uint64_t counter)
{
    return (double)(mixed_bits(mixed_bits(counter * 0x9e3779b97f4a7c15u + key) ^ key) >> 11) * 0x1p-53;
}

/* Uniform in [0, n) for 0 < n < 2^53. */
static inline int64_t draw_below(uint64_t key, uint64_t counter, int64_t n)
{
    return (int64_t)(draw_unit(key, counter) * (double)n);
}
#endif
