/* tensor: vectors of the native width in plain C, for the files that are compiled once per instruction set. */
#ifndef SQ_VEC_H
#define SQ_VEC_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define SQ_JOIN_(a, b) a##_##b
#define SQ_JOIN(a, b) SQ_JOIN_(a, b)
#define SQ_NAME(name) SQ_JOIN(name, SQ_ISA) /* e.g. sq_product_v3 */

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
#define PARTS (16 / LANES) /* vectors in a group of 16 floats */

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float vecu __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t veci __attribute__((vector_size(LANES * 4)));
typedef int32_t veciu __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t vecn __attribute__((vector_size(LANES * 4)));
typedef uint64_t vecl __attribute__((vector_size(LANES * 4), aligned(8), may_alias));
typedef int32_t veclhalf __attribute__((vector_size(LANES * 2), aligned(4), may_alias)); /* as many as vecl has */

#define SQ_INLINE static inline __attribute__((always_inline))

SQ_INLINE vec load(const float *p) { return *(const vecu *)p; }
SQ_INLINE void store(float *p, vec x) { *(vecu *)p = x; }
SQ_INLINE vec splat(float x) { return x - (vec){0}; }
SQ_INLINE vec blend(veci mask, vec yes, vec no) { return (vec)((mask & (veci)yes) | (~mask & (veci)no)); }

/* a > b ? a : b, so b where a is NaN; one instruction, which gcc 12 does not make of the blend. */
SQ_INLINE vec larger(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return blend(a > b, a, b);
#endif
}

SQ_INLINE veci larger_integer(veci a, veci b)
{
#if defined(__AVX512F__)
    return (veci)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (veci)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    veci above = a > b;
    return (above & a) | (~above & b);
#endif
}

/* Whether any lane of a mask is set. */
SQ_INLINE int any_lane(veci mask)
{
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
    return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
#endif
}

/* 0, 1, 2, ... */
SQ_INLINE veci lane_index(void)
{
    veci r;
    for (int i = 0; i < LANES; i++) r[i] = i;
    return r;
}

/* All ones in the first `count` lanes. */
SQ_INLINE veci lanes(ptrdiff_t count) { return lane_index() < (int32_t)(count < LANES ? count : LANES); }

/* a * b + c with one rounding where the instruction set has it. By intrinsics: gcc 12 does not unroll the product's tiles around
 * a loop over __builtin_fmaf, which then run at a fifth of the speed. */
SQ_INLINE vec fused(vec a, vec b, vec c)
{
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* Every reduction runs in sixteen lanes, whatever the width, and ends in one tree: halves are folded onto each other. So v3 and
 * v4 give the same bits. */
typedef struct sixteen {
    vec part[PARTS];
} sixteen;

typedef float vec4 __attribute__((vector_size(16)));

SQ_INLINE float sum_lanes(const sixteen *s)
{
#if LANES == 16
    typedef float vec8 __attribute__((vector_size(32)));
    vec x = s->part[0];
    vec8 y = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    vec4 z = __builtin_shufflevector(y, y, 0, 1, 2, 3) + __builtin_shufflevector(y, y, 4, 5, 6, 7);
#elif LANES == 8
    vec y = s->part[0] + s->part[1];
    vec4 z = __builtin_shufflevector(y, y, 0, 1, 2, 3) + __builtin_shufflevector(y, y, 4, 5, 6, 7);
#else
    vec4 z = (s->part[0] + s->part[2]) + (s->part[1] + s->part[3]);
#endif
    return (z[0] + z[2]) + (z[1] + z[3]);
}

SQ_INLINE float max_lanes(vec x)
{
    float top = x[0];
    for (int i = 1; i < LANES; i++) top = x[i] > top ? x[i] : top;
    return top;
}
#endif
