/* base: counter-based random numbers: the bits are a function of (key, counter), so any part can be redone anywhere. These have
 * full avalanche, for sampling and initialisation; dropout has a cheaper hash of its own in tensor/kernels.c. */
#ifndef SQ_RNG_H
#define SQ_RNG_H
#include <stdint.h>

/* What a stream of numbers is for; part of the key, never renumbered (files depend on it). */
enum {
    SQ_STREAM_INIT = 1,      /* parameter and item initialisation */
    SQ_STREAM_SHUFFLE = 2,   /* order of users in an epoch */
    SQ_STREAM_NEGATIVES = 3, /* training negatives */
    SQ_STREAM_DROPOUT = 4,
    SQ_STREAM_EVALUATE = 5, /* evaluation negatives and users */
    SQ_STREAM_BOOTSTRAP = 6,
    SQ_STREAM_SYNTH = 7,
    SQ_STREAM_CLOZE = 8,      /* which events are masked */
    SQ_STREAM_CUT = 9,        /* where a training sequence is cut, and which of its prefixes are taken */
    SQ_STREAM_GATES = 12,     /* gates drawn in a step */
    SQ_STREAM_JACOBIAN = 13,  /* directions of the Jacobian term */
    SQ_STREAM_NOISE = 14,     /* training events replaced at random */
    SQ_STREAM_USER_INIT = 16, /* user initialisation */
    SQ_STREAM_SHARE = 17,     /* stochastic shared embeddings, and which users count as unknown */
    SQ_STREAM_BUCKETS = 18,   /* directions of the buckets of loss = sce */
    SQ_STREAM_TIES = 20,      /* order of events at the same instant */
    SQ_STREAM_LENGTH = 26,    /* which events of a long training sequence are left out */
    SQ_STREAM_DECODE = 30     /* paths drawn from a session */
};

/* SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection with full avalanche. */
static inline uint64_t sq_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A key for (seed, stream, step): every pair of keys gives independent-looking sequences. */
static inline uint64_t sq_random_key(uint64_t seed, uint64_t stream, uint64_t step)
{
    return sq_mix64(sq_mix64(sq_mix64(seed + 0x9e3779b97f4a7c15u) + stream * 0xd1342543de82ef95u) + step);
}

static inline uint64_t sq_random64(uint64_t key, uint64_t counter)
{
    return sq_mix64(sq_mix64(counter * 0x9e3779b97f4a7c15u + key) ^ key);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double sq_random_unit(uint64_t key, uint64_t counter)
{
    return (double)(sq_random64(key, counter) >> 11) * 0x1p-53;
}

/* The upper 64 bits of the product. */
static inline uint64_t sq_multiply_high(uint64_t x, uint64_t n)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 product;
    return (uint64_t)(((product)x * n) >> 64);
#else
    const uint64_t low = x & 0xffffffffu, high = x >> 32, n_low = n & 0xffffffffu, n_high = n >> 32;
    const uint64_t middle = high * n_low + ((low * n_low) >> 32);
    return high * n_high + (middle >> 32) + ((low * n_high + (middle & 0xffffffffu)) >> 32);
#endif
}

/* Uniform in [0, n), n > 0; bias below n / 2^64 (multiply-high, Lemire 2019 without the rejection). The low half of the product is
 * uniform for each result, to n / 2^64. */
static inline uint64_t sq_random_below(uint64_t key, uint64_t counter, uint64_t n)
{
    return sq_multiply_high(sq_random64(key, counter), n);
}

/* Standard normal by Box and Muller from counters 2 * counter and 2 * counter + 1. Defined in rng.c. */
double sq_random_normal(uint64_t key, uint64_t counter);
#endif
