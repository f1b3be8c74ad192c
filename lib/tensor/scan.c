/* tensor: the scan kernels of one instruction set; compiled once per set with SQ_ISA naming it. */
#include "tensor/isa.h"
#include "tensor/vec.h"

typedef uint16_t half __attribute__((vector_size(LANES * 2)));
typedef uint16_t halfu __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t vecnu __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define AHEAD 8192 /* bytes, at least: what comes is asked for so far in front */

/* ---- rows of 8 bits ----------------------------------------------------------------------------------------------- */

SQ_INLINE vecn load_words(const uint8_t *p) { return *(const vecnu *)p; }
SQ_INLINE vecn splat_word(int32_t x) { return (vecn){0} + (uint32_t)x; }

/* add_group: what 4 columns of LANES rows add to their two sums. sum_of: the sums as one. */
#if defined(__AVX512VNNI__)
SQ_INLINE vecn byte_sums(vecn sum, vecn rows, vecn query)
{
    return (vecn)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)rows, (__m512i)query);
}

SQ_INLINE void add_group(const int32_t words[4], vecn rows, vecn sum[2])
{
    sum[0] = byte_sums(sum[0], rows, splat_word(words[2]));
    sum[1] = byte_sums(sum[1], rows, splat_word(words[3]));
}

SQ_INLINE vecn sum_of(const vecn sum[2]) { return sum[0] + (sum[1] << 8); }
#else
/* Sums of products of the two halves of each word, as signed numbers. */
SQ_INLINE vecn pair_sums(vecn a, vecn b)
{
#if defined(__AVX512BW__)
    return (vecn)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vecn)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    const veci x = (veci)a, y = (veci)b;
    return (vecn)(((x << 16) >> 16) * ((y << 16) >> 16)) + (vecn)((x >> 16) * (y >> 16));
#endif
}

SQ_INLINE void add_group(const int32_t words[4], vecn rows, vecn sum[2])
{
    sum[0] += pair_sums(rows & 0x00ff00ffu, splat_word(words[0]));
    sum[1] += pair_sums((rows >> 8) & 0x00ff00ffu, splat_word(words[1]));
}

SQ_INLINE vecn sum_of(const vecn sum[2]) { return sum[0] + sum[1]; }
#endif

/* Rows are read once, from memory, and faster than the processor asks for them by itself. Sums are taken modulo 2^32: with the bias
 * off they fit. */
static void int8_scores(size_t blocks, size_t width, const sq_int8_query *query, const uint8_t *rows, const uint8_t *next,
                        const float *scales, float *out)
{
    const size_t bytes = SQ_INT8_ROWS * width, lead = (AHEAD + bytes - 1) / bytes;
    for (size_t b = 0; b < blocks; b++, scales += SQ_INT8_ROWS, out += SQ_INT8_ROWS) {
        const uint8_t *coming = b + lead < blocks ? rows + lead * bytes : next + (b + lead - blocks) * bytes;
        vecn sum[PARTS][2];
        for (int p = 0; p < PARTS; p++) sum[p][0] = sum[p][1] = (vecn){0};
        for (size_t g = 0; g < width / 4; g++, rows += 4 * SQ_INT8_ROWS) {
            __builtin_prefetch(coming + g * 4 * SQ_INT8_ROWS, 0, 2);
            for (int p = 0; p < PARTS; p++) add_group(query->words[g], load_words(rows + p * LANES * 4), sum[p]);
        }
        for (int p = 0; p < PARTS; p++) {
            const veci whole = (veci)(sum_of(sum[p]) - splat_word(query->bias));
            store(out + p * LANES, load(scales + p * LANES) * (__builtin_convertvector(whole, vec) * query->step));
        }
    }
}

/* ---- rows of 16 bits ---------------------------------------------------------------------------------------------- */

SQ_INLINE vec load_halves(const uint16_t *p)
{
    const half h = *(const halfu *)p;
    return (vec)(__builtin_convertvector(h, vecn) << 16);
}

static void bf16_dots(size_t n, size_t width, const float *u, const uint16_t *rows, float *out)
{
    for (size_t r = 0; r < n; r++, rows += width) {
        sixteen s = {{{0}}};
        for (size_t i = 0; i < width; i += 16)
            for (int p = 0; p < PARTS; p++)
                s.part[p] = fused(load(u + i + p * LANES), load_halves(rows + i + p * LANES), s.part[p]);
        out[r] = sum_lanes(&s);
    }
}

/* ---- a second look ------------------------------------------------------------------------------------------------ */

/* Whether every lane is all ones. */
SQ_INLINE int all_set(veci mask)
{
#if defined(__AVX512F__)
    return _mm512_cmpneq_epi32_mask((__m512i)mask, _mm512_set1_epi32(-1)) == 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps((__m256)mask) == 255;
#else
    int32_t all = -1;
    for (int i = 0; i < LANES; i++) all &= mask[i];
    return all == -1;
#endif
}

static size_t reach(size_t n, size_t width, size_t ld, const float *scores, const float *floors, int32_t *out)
{
    size_t found = 0;
    for (size_t r = 0; r < n; r++, scores += ld) {
        veci below = (veci){0} - 1;
        for (size_t i = 0; i < width; i += LANES) below &= load(scores + i) < load(floors + i);
        out[found] = (int32_t)r;
        found += !all_set(below);
    }
    return found;
}

#define SQ_TEXT_(x) #x
#define SQ_TEXT(x) SQ_TEXT_(x)

const sq_scan_kernels SQ_NAME(sq_scan) = {
    .name = SQ_TEXT(SQ_ISA),
    .int8_scores = int8_scores,
    .bf16_dots = bf16_dots,
    .reach = reach,
};
