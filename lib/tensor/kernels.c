/* tensor: the vector kernels of one instruction set, in plain C; compiled once per set with SQ_ISA naming it. */
#include "tensor/isa.h"
#include "tensor/vec.h"
#include <math.h>

/* Vector loops over a row of `width` floats, width a multiple of 16. */
#define OVER(i, width) for (size_t i = 0; i < (width); i += LANES)

/* ---- reductions and simple passes ------------------------------------------------------------------------------- */

static float dot(size_t width, const float *a, const float *b)
{
    sixteen s = {{{0}}};
    for (size_t i = 0; i < width; i += 16)
        for (int p = 0; p < PARTS; p++)
            s.part[p] = fused(load(a + i + p * LANES), load(b + i + p * LANES), s.part[p]);
    return sum_lanes(&s);
}

static void dots(size_t n, size_t width, const float *u, const float *rows, size_t stride, float *out)
{
    for (size_t r = 0; r < n; r++) out[r] = dot(width, u, rows + r * stride);
}

/* Four rows side by side, each summed as dot() does, while the lines of the four two groups later are asked for. */
static void gather_dots(size_t n, size_t width, const float *u, const float *const *rows, float *out)
{
    enum { SIDE = 4, AHEAD = 2 * SIDE };
    size_t r = 0;
    for (; r + AHEAD + SIDE <= n; r += SIDE) {
        sixteen s[SIDE] = {{{{0}}}};
        for (size_t i = 0; i < width; i += 16)
            for (int k = 0; k < SIDE; k++) {
                __builtin_prefetch(rows[r + AHEAD + (size_t)k] + i);
                for (int p = 0; p < PARTS; p++)
                    s[k].part[p] = fused(load(u + i + p * LANES), load(rows[r + (size_t)k] + i + p * LANES), s[k].part[p]);
            }
        for (int k = 0; k < SIDE; k++) out[r + (size_t)k] = sum_lanes(&s[k]);
    }
    for (; r < n; r++) out[r] = dot(width, u, rows[r]);
}

/* 64 columns of y stay in registers over all rows. */
static void gather_axpy(size_t n, size_t width, const float *a, const float *const *rows, float *y)
{
    size_t i = 0;
    for (; i + 64 <= width; i += 64) {
        vec s[4 * PARTS];
        for (int p = 0; p < 4 * PARTS; p++) s[p] = load(y + i + p * LANES);
        for (size_t r = 0; r < n; r++) {
            vec c = splat(a[r]);
            for (int p = 0; p < 4 * PARTS; p++) s[p] = fused(c, load(rows[r] + i + p * LANES), s[p]);
        }
        for (int p = 0; p < 4 * PARTS; p++) store(y + i + p * LANES, s[p]);
    }
    for (; i < width; i += LANES) {
        vec s = load(y + i);
        for (size_t r = 0; r < n; r++) s = fused(splat(a[r]), load(rows[r] + i), s);
        store(y + i, s);
    }
}

/* 64 columns of x stay in registers over all rows. */
static void spread_axpy(size_t n, size_t width, const float *a, const float *x, const int32_t *index, float *y)
{
    size_t i = 0;
    for (; i + 64 <= width; i += 64) {
        vec v[4 * PARTS];
        for (int p = 0; p < 4 * PARTS; p++) v[p] = load(x + i + p * LANES);
        for (size_t r = 0; r < n; r++) {
            if (index[r] < 0) continue;
            const vec c = splat(a[r]);
            float *to = y + (size_t)index[r] * width + i;
            for (int p = 0; p < 4 * PARTS; p++) store(to + p * LANES, fused(c, v[p], load(to + p * LANES)));
        }
    }
    for (; i < width; i += LANES)
        for (size_t r = 0; r < n; r++) {
            if (index[r] < 0) continue;
            float *to = y + (size_t)index[r] * width + i;
            store(to, fused(splat(a[r]), load(x + i), load(to)));
        }
}

/* Without a branch: which are marked nobody can foresee. */
static size_t find_marked(size_t n, const int32_t *x, const uint64_t *bits, int32_t *places)
{
    size_t i = 0, count = 0;
#if defined(__AVX512F__)
    for (__m512i place = (__m512i)lane_index(); i + 16 <= n; i += 16, place = _mm512_add_epi32(place, _mm512_set1_epi32(16))) {
        const __m512i at = _mm512_loadu_si512(x + i), words = _mm512_i32gather_epi32(_mm512_srli_epi32(at, 5), bits, 4);
        const __mmask16 marked = _mm512_test_epi32_mask(_mm512_srlv_epi32(words, _mm512_and_si512(at, _mm512_set1_epi32(31))), _mm512_set1_epi32(1));
        _mm512_storeu_si512(places + count, _mm512_maskz_compress_epi32(marked, place));
        count += (size_t)__builtin_popcount(marked);
    }
#endif
    for (; i < n; i++) {
        places[count] = (int32_t)i;
        count += bits[(uint32_t)x[i] / 64] >> ((uint32_t)x[i] % 64) & 1;
    }
    return count;
}

static vecl mix64(vecl x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#define WEYL 0x9e3779b97f4a7c15u

static void random64_at(size_t n, uint64_t key, uint64_t first, uint64_t step, const int32_t *index, uint64_t *out)
{
    const uint64_t start = first * WEYL + key, each = step * WEYL;
    for (size_t i = 0; i < n; i += LANES / 2) {
        const vecl x = __builtin_convertvector(*(const veclhalf *)(const void *)(index + i), vecl);
        *(vecl *)(void *)(out + i) = mix64(mix64(x * each + start) ^ key);
    }
}

static void random64(size_t n, uint64_t key, uint64_t first, uint64_t step, uint64_t *out)
{
    vecl x;
    for (size_t i = 0; i < LANES / 2; i++) x[i] = (first + i * step) * WEYL + key;
    for (size_t i = 0; i < n; i += LANES / 2, x += LANES / 2 * step * WEYL) *(vecl *)(void *)(out + i) = mix64(mix64(x) ^ key);
}

static size_t find(size_t n, const int32_t *x, int32_t value, int32_t *places)
{
    size_t i = 0, count = 0;
    for (; i + LANES <= n; i += LANES) {
        if (!any_lane(*(const veciu *)(x + i) == value)) continue;
        for (size_t j = i; j < i + LANES; j++)
            if (x[j] == value) places[count++] = (int32_t)j;
    }
    for (; i < n; i++)
        if (x[i] == value) places[count++] = (int32_t)i;
    return count;
}

static void axpy(size_t width, float a, const float *x, float *y)
{
    OVER(i, width) store(y + i, fused(splat(a), load(x + i), load(y + i)));
}

static void scale(size_t width, float a, const float *x, float *y)
{
    OVER(i, width) store(y + i, a * load(x + i));
}

static void add(size_t width, const float *x, float *y)
{
    OVER(i, width) store(y + i, load(y + i) + load(x + i));
}

static float max(size_t n, const float *x)
{
    vec m = splat(-INFINITY), m1 = m, m2 = m, m3 = m; /* four chains hide the latency */
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        m = larger(load(x + i), m);
        m1 = larger(load(x + i + LANES), m1);
        m2 = larger(load(x + i + 2 * LANES), m2);
        m3 = larger(load(x + i + 3 * LANES), m3);
    }
    m = larger(larger(m, m1), larger(m2, m3));
    for (; i + LANES <= n; i += LANES) m = larger(load(x + i), m);
    if (i < n) m = larger(blend(lanes((ptrdiff_t)(n - i)), load(x + i), splat(-INFINITY)), m);
    return max_lanes(m);
}

static float max_abs(size_t width, const float *x)
{
    const veci magnitude = (veci){0} + 0x7fffffff;
    veci m = {0}; /* bits of non-negative floats order as the floats do; NaN is above infinity */
    OVER(i, width) m = larger_integer((veci)load(x + i) & magnitude, m);
    int32_t top = 0;
    for (int i = 0; i < LANES; i++) top = m[i] > top ? m[i] : top;
    float value;
    memcpy(&value, &top, sizeof value);
    return top >= 0x7f800000 ? INFINITY : value;
}

typedef float vec8 __attribute__((vector_size(32)));
typedef float vec8u __attribute__((vector_size(32), aligned(4), may_alias));

/* Eight rows of eight: pairs of rows are woven, then pairs of those, then halves. */
SQ_INLINE void transpose8(const float *from, size_t ld_from, float *to, size_t ld_to)
{
    vec8 r[8], t[8], u[8];
    for (size_t i = 0; i < 8; i++) r[i] = *(const vec8u *)(from + i * ld_from);
    for (int i = 0; i < 8; i += 2) {
        t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            u[i + 2 * k] = __builtin_shufflevector(t[i + k], t[i + 2 + k], 0, 1, 8, 9, 4, 5, 12, 13);
            u[i + 2 * k + 1] = __builtin_shufflevector(t[i + k], t[i + 2 + k], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (size_t c = 0; c < 4; c++) {
        *(vec8u *)(to + c * ld_to) = __builtin_shufflevector(u[c], u[c + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        *(vec8u *)(to + (c + 4) * ld_to) = __builtin_shufflevector(u[c], u[c + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

static void transpose(size_t rows, size_t cols, const float *from, size_t ld_from, float *to, size_t ld_to)
{
    size_t whole = rows / 16 * 16, padded = sq_round16(rows), eights = cols / 8 * 8;
    for (size_t r = 0; r < whole; r += 8)
        for (size_t c = 0; c < eights; c += 8) transpose8(from + r * ld_from + c, ld_from, to + c * ld_to + r, ld_to);
    for (size_t c = eights; c < cols; c++)
        for (size_t r = 0; r < whole; r++) to[c * ld_to + r] = from[r * ld_from + c];
    for (size_t c = 0; c < cols; c++)
        for (size_t r = whole; r < padded; r++) to[c * ld_to + r] = r < rows ? from[r * ld_from + c] : 0;
}

static void fill_rows(size_t n, size_t width, const float *row, float *to, size_t ld)
{
    for (size_t r = 0; r < n; r++) OVER(i, width) store(to + r * ld + i, load(row + i));
}

static void column_sums(size_t n, size_t width, const float *x, size_t ld, float *sum)
{
    OVER(i, width)
    {
        vec s = load(sum + i);
        for (size_t r = 0; r < n; r++) s += load(x + r * ld + i);
        store(sum + i, s);
    }
}

/* As in gather_axpy: 64 columns of y stay in registers over all rows. */
static void column_dots(size_t n, size_t width, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float *y)
{
    size_t i = 0;
    for (; i + 64 <= width; i += 64) {
        vec s[4 * PARTS];
        for (int p = 0; p < 4 * PARTS; p++) s[p] = load(y + i + p * LANES);
        for (ptrdiff_t r = 0; r < (ptrdiff_t)n; r++)
            for (int p = 0; p < 4 * PARTS; p++)
                s[p] = fused(load(a + r * lda + i + p * LANES), load(b + r * ldb + i + p * LANES), s[p]);
        for (int p = 0; p < 4 * PARTS; p++) store(y + i + p * LANES, s[p]);
    }
    for (; i < width; i += LANES) {
        vec s = load(y + i);
        for (ptrdiff_t r = 0; r < (ptrdiff_t)n; r++) s = fused(load(a + r * lda + i), load(b + r * ldb + i), s);
        store(y + i, s);
    }
}

/* ---- layer norm ------------------------------------------------------------------------------------------------- */

/* Mask of the true columns among i .. i+LANES-1 of d. */
SQ_INLINE veci inside(size_t i, size_t d) { return lanes((ptrdiff_t)d - (ptrdiff_t)i); }

static void norm_fwd(size_t n, size_t d, size_t ld, float epsilon, const float *x, const float *gain, const float *bias,
                     float *y, float *mean, float *rstd)
{
    size_t width = sq_round16(d);
    float inverse = 1.0f / (float)d;
    for (size_t r = 0; r < n; r++, x += ld, y += ld) {
        sixteen s = {{{0}}}, q = {{{0}}};
        for (size_t i = 0; i < width; i += 16)
            for (int p = 0; p < PARTS; p++) s.part[p] += load(x + i + p * LANES);
        float m = sum_lanes(&s) * inverse;
        for (size_t i = 0; i < width; i += 16)
            for (int p = 0; p < PARTS; p++) {
                vec c = blend(inside(i + (size_t)(p * LANES), d), load(x + i + p * LANES) - m, (vec){0});
                q.part[p] = fused(c, c, q.part[p]);
            }
        float square = sum_lanes(&q), k = square == 0 ? 0 : 1.0f / sqrtf(square * inverse + epsilon);
        OVER(i, width) store(y + i, fused((load(x + i) - m) * k, load(gain + i), load(bias + i)));
        mean[r] = m;
        rstd[r] = k;
    }
}

static void norm_bwd(size_t n, size_t d, size_t ld, const float *x, const float *gain, const float *mean,
                     const float *rstd, const float *dy, float *dx, int accumulate, float *dgain, float *dbias)
{
    size_t width = sq_round16(d);
    float inverse = 1.0f / (float)d;
    for (size_t r = 0; r < n; r++, x += ld, dy += ld, dx += ld) {
        float m = mean[r], k = rstd[r];
        sixteen s = {{{0}}}, q = {{{0}}};
        for (size_t i = 0; i < width; i += 16)
            for (int p = 0; p < PARTS; p++) {
                size_t at = i + (size_t)(p * LANES);
                vec hat = (load(x + at) - m) * k, g = load(dy + at), scaled = g * load(gain + at);
                s.part[p] += scaled;
                q.part[p] = fused(scaled, hat, q.part[p]);
                store(dbias + at, load(dbias + at) + g);
                store(dgain + at, fused(g, hat, load(dgain + at)));
            }
        float mean_g = sum_lanes(&s) * inverse, mean_gh = sum_lanes(&q) * inverse;
        OVER(i, width)
        {
            vec hat = (load(x + i) - m) * k;
            vec v = (load(dy + i) * load(gain + i) - mean_g - hat * mean_gh) * k;
            v = blend(inside(i, d), v, (vec){0});
            store(dx + i, accumulate ? load(dx + i) + v : v);
        }
    }
}

/* ---- dropout ---------------------------------------------------------------------------------------------------- */

/* A row is cut into groups of 32 elements. One 32-bit hash per lane l of 0..15 gives element l (low half) and element 16 + l
 * (high half) of the group: the counter, made one with both halves of the key, through MurmurHash3's 32-bit finaliser (Appleby).
 * The key goes in before the mixing and in two ways (sum, xor): masks of keys that share a half are independent too. */
SQ_INLINE vecn hash(uint64_t group, int first_lane, uint64_t key)
{
    key ^= group >> 28; /* what the 32-bit counter cannot hold */
    vecn h = ((vecn)lane_index() + ((uint32_t)group * 16 + (uint32_t)first_lane)) * 0x9e3779b1u + (uint32_t)key;
    h ^= (uint32_t)(key >> 32);
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    h ^= h >> 16;
    return h;
}

SQ_INLINE veci keep_low(vecn h, const sq_dropout *o) { return (veci)(h & 0xffffu) >= (int32_t)o->threshold; }
SQ_INLINE veci keep_high(vecn h, const sq_dropout *o) { return (veci)(h >> 16) >= (int32_t)o->threshold; }

static void dropout(size_t n, size_t width, size_t ld, const sq_dropout *o, uint64_t first, float *x)
{
    if (o->threshold == 0) return;
    uint64_t groups = (width + 31) / 32;
    for (size_t r = 0; r < n; r++, x += ld)
        for (size_t i = 0; i < width; i += 32)
            for (int l = 0; l < 16; l += LANES) {
                vecn h = hash((first + r) * groups + i / 32, l, o->key);
                float *low = x + i + l, *high = low + 16;
                store(low, blend(keep_low(h, o), load(low) * o->scale, (vec){0}));
                if (i + 16 < width) store(high, blend(keep_high(h, o), load(high) * o->scale, (vec){0}));
            }
}

static void relu_fwd(size_t n, size_t width, size_t ld, const sq_dropout *o, uint64_t first, float *x)
{
    uint64_t groups = (width + 31) / 32;
    if (o->threshold == 0) {
        for (size_t r = 0; r < n; r++, x += ld) OVER(i, width) store(x + i, blend(load(x + i) > 0, load(x + i), (vec){0}));
        return;
    }
    for (size_t r = 0; r < n; r++, x += ld)
        for (size_t i = 0; i < width; i += 32)
            for (int l = 0; l < 16; l += LANES) {
                vecn h = hash((first + r) * groups + i / 32, l, o->key);
                float *low = x + i + l, *high = low + 16;
                store(low, blend(keep_low(h, o) & (load(low) > 0), load(low) * o->scale, (vec){0}));
                if (i + 16 < width)
                    store(high, blend(keep_high(h, o) & (load(high) > 0), load(high) * o->scale, (vec){0}));
            }
}

static void relu_bwd(size_t n, size_t width, size_t ld, const sq_dropout *o, const float *y, float *dx)
{
    for (size_t r = 0; r < n; r++, y += ld, dx += ld)
        OVER(i, width) store(dx + i, blend(load(y + i) > 0, load(dx + i) * o->scale, (vec){0}));
}

/* ---- exp -------------------------------------------------------------------------------------------------------- */

/* exp(x) = 2^n exp(r) with |r| <= ln 2 / 2 and a polynomial for exp(r) (coefficients: Cephes expf, Moshier); 0 below -87.33,
 * saturates at exp(88.37) above; NaN stays NaN. */
SQ_INLINE vec exponential(vec x)
{
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it leaves the rounded integer in the low bits */
    veci small = x < -87.33f;
    vec y = blend(x > 88.37f, splat(88.37f), x);
    y = blend(small, splat(-87.33f), y);
    vec t = fused(y, splat(1.44269504f), splat(shifter));
    vec n = t - shifter;
    vec r = fused(n, splat(-0.693359375f), y);
    r = fused(n, splat(2.12194440e-4f), r);
    vec p = fused(splat(1.9875691500e-4f), r, splat(1.3981999507e-3f));
    p = fused(p, r, splat(8.3334519073e-3f));
    p = fused(p, r, splat(4.1665795894e-2f));
    p = fused(p, r, splat(1.6666665459e-1f));
    p = fused(p, r, splat(5.0000001201e-1f));
    p = fused(p, r * r, r) + 1.0f;
    veci power = ((veci)t - 0x4b400000 + 127) << 23;
    return blend(small, (vec){0}, p * (vec)power);
}

static void exp_rows(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, exponential(load(x + i)));
    if (i == n) return;
    float tail[LANES] = {0};
    memcpy(tail, x + i, (n - i) * sizeof *x);
    store(tail, exponential(load(tail)));
    memcpy(y + i, tail, (n - i) * sizeof *x);
}

static float exp_shift(size_t n, float shift, float *x)
{
    sixteen s = {{{0}}};
    for (size_t i = 0; i < n; i += 16)
        for (int p = 0; p < PARTS; p++) {
            float *at = x + i + p * LANES;
            vec e = exponential(load(at) - shift);
            if (i + 16 > n) e = blend(lanes((ptrdiff_t)n - (at - x)), e, (vec){0});
            store(at, e);
            s.part[p] += e;
        }
    return sum_lanes(&s);
}

static float exp_live(size_t n, float shift, float *x, float *live, float *sum)
{
    sixteen s = {{{0}}}, count = {{{0}}}, total = {{{0}}};
    for (size_t i = 0; i < n; i += 16)
        for (int p = 0; p < PARTS; p++) {
            float *at = x + i + p * LANES;
            vec v = load(at);
            veci in = lanes((ptrdiff_t)n - (at - x)), dead = v == -INFINITY, here = in & ~dead;
            vec e = blend(here, exponential(v - shift), (vec){0});
            s.part[p] += e;
            count.part[p] += blend(here, splat(1), (vec){0});
            total.part[p] += blend(here, v, (vec){0});
            store(at, blend(in & dead, splat(-0.0f), e));
        }
    *live = sum_lanes(&count);
    *sum = sum_lanes(&total);
    return sum_lanes(&s);
}

static void scale_live(size_t n, float factor, float part, float *x)
{
    for (size_t i = 0; i < sq_round16(n); i += LANES) {
        vec v = load(x + i);
        veci here = lanes((ptrdiff_t)n - (ptrdiff_t)i) & ~((veci)v >> 31);
        store(x + i, blend(here, v * factor - part, (vec){0}));
    }
}

/* ---- logistic function ----------------------------------------------------------------------------------------------- */

#define FACTORS 60 /* of at most 2 in each of 16 lanes: their product stays below 2^1000 */

/* product[0 .. LANES) *= 1 + e */
SQ_INLINE void multiply(vec e, double *product)
{
    for (int l = 0; l < LANES; l++) product[l] *= 1.0 + (double)e[l];
}

static double log_product(double *product)
{
    double all = 1;
    for (int l = 0; l < 16; l++) {
        all *= product[l];
        product[l] = 1;
    }
    return log(all);
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + e), e = exp(-|x|); one logarithm for many factors 1 + e. */
static double logistic(size_t n, float weight, float *x)
{
    sixteen above = {{{0}}};
    double product[16], loss = 0;
    for (int l = 0; l < 16; l++) product[l] = 1;
    for (size_t i = 0; i < n; i += 16) {
        for (int p = 0; p < PARTS; p++) {
            float *at = x + i + p * LANES;
            veci live = lanes((ptrdiff_t)n - (at - x));
            vec s = load(at), a = blend(s < 0, s, -s), e = blend(live, exponential(a), (vec){0});
            store(at, blend(live, weight * (blend(s < 0, e, splat(1)) / (1.0f + e)), (vec){0}));
            above.part[p] += blend(live & (s > 0), s, (vec){0});
            multiply(e, product + p * LANES);
        }
        if (i / 16 % FACTORS == FACTORS - 1) loss += log_product(product);
    }
    return loss + (double)sum_lanes(&above) + log_product(product);
}

/* ---- GELU (Hendrycks and Gimpel 2016) ----------------------------------------------------------------------------- */

typedef struct normal {
    vec cumulative, density;
} normal;

/* The standard normal's distribution function, by Abramowitz and Stegun 7.1.26 (error below 1e-7), and its density. */
SQ_INLINE normal normal_at(vec x)
{
    vec z = blend(x < 0, -x, x) * 0.70710678f;
    vec gauss = exponential(-(z * z)), t = 1.0f / fused(z, splat(0.3275911f), splat(1.0f));
    vec p = fused(t, splat(1.061405429f), splat(-1.453152027f));
    p = fused(p, t, splat(1.421413741f));
    p = fused(p, t, splat(-0.284496736f));
    p = fused(p, t, splat(0.254829592f));
    vec tail = 0.5f * p * t * gauss;
    return (normal){blend(x < 0, tail, 1.0f - tail), gauss * 0.39894228f};
}

static void gelu_fwd(size_t n, size_t width, size_t ld, const float *x, float *y)
{
    for (size_t r = 0; r < n; r++, x += ld, y += ld)
        OVER(i, width) store(y + i, load(x + i) * normal_at(load(x + i)).cumulative);
}

static void gelu_bwd(size_t n, size_t width, size_t ld, const float *x, float *dx)
{
    for (size_t r = 0; r < n; r++, x += ld, dx += ld)
        OVER(i, width)
        {
            normal g = normal_at(load(x + i));
            store(dx + i, load(dx + i) * fused(load(x + i), g.density, g.cumulative));
        }
}

/* ---- SiLU, gated units and pointwise attention (Zhai et al. 2024) ----------------------------------------------------- */

/* 1 / (1 + exp(-x)) */
SQ_INLINE vec sigmoid(vec x)
{
    vec e = exponential(blend(x < 0, x, -x));
    return blend(x < 0, e, splat(1)) / (1.0f + e);
}

SQ_INLINE vec silu_slope(vec x, vec s) { return s * fused(x, 1.0f - s, splat(1)); }

static void silu_fwd(size_t n, size_t width, size_t ld, const float *x, float *y)
{
    for (size_t r = 0; r < n; r++, x += ld, y += ld) OVER(i, width) store(y + i, load(x + i) * sigmoid(load(x + i)));
}

static void silu_bwd(size_t n, size_t width, size_t ld, const float *x, float *dx)
{
    for (size_t r = 0; r < n; r++, x += ld, dx += ld)
        OVER(i, width) store(dx + i, load(dx + i) * silu_slope(load(x + i), sigmoid(load(x + i))));
}

static void swiglu_fwd(size_t n, size_t width, size_t ld, const float *z, const float *a, float *y)
{
    for (size_t r = 0; r < n; r++, z += ld, a += ld, y += width)
        OVER(i, width) store(y + i, load(z + i) * sigmoid(load(z + i)) * load(a + i));
}

static void swiglu_bwd(size_t n, size_t width, size_t ld, const float *z, const float *a, const float *dy, float *dz, float *da)
{
    for (size_t r = 0; r < n; r++, z += ld, a += ld, dy += width, dz += ld, da += ld)
        OVER(i, width)
        {
            vec x = load(z + i), s = sigmoid(x), g = load(dy + i);
            store(dz + i, g * load(a + i) * silu_slope(x, s));
            store(da + i, g * (x * s));
        }
}

static void sigmoid_fwd(size_t n, size_t width, size_t ld, const float *z, const float *a, float *y)
{
    for (size_t r = 0; r < n; r++, z += ld, a += ld, y += width) OVER(i, width) store(y + i, sigmoid(load(z + i)) * load(a + i));
}

static void sigmoid_bwd(size_t n, size_t width, size_t ld, const float *z, const float *a, const float *dy, float *dz, float *da)
{
    for (size_t r = 0; r < n; r++, z += ld, a += ld, dy += width, dz += ld, da += ld)
        OVER(i, width)
        {
            vec s = sigmoid(load(z + i)), g = load(dy + i);
            store(dz + i, g * load(a + i) * (s * (1.0f - s)));
            store(da + i, g * s);
        }
}

/* x over the first v columns of a row, 0 behind them. */
SQ_INLINE vec seen_only(size_t v, size_t j, vec x)
{
    return j + LANES > v ? blend(lanes((ptrdiff_t)v - (ptrdiff_t)j), x, (vec){0}) : x;
}

static void pointwise_fwd(size_t n, size_t seen, size_t more, size_t width, size_t ld, float factor, float *s, float *kept)
{
    for (size_t r = 0; r < n; r++, s += ld, kept = kept ? kept + ld : NULL)
        OVER(j, width)
        {
            vec x = seen_only(seen + r * more, j, load(s + j));
            if (kept) store(kept + j, x);
            store(s + j, x * sigmoid(x) * factor);
        }
}

static void pointwise_bwd(size_t n, size_t seen, size_t more, size_t width, size_t ld, size_t ldd, float factor, const float *kept,
                          float *p, float *d)
{
    for (size_t r = 0; r < n; r++, kept += ld, p += ldd, d += ldd)
        OVER(j, width)
        {
            vec x = load(kept + j), s = sigmoid(x);
            store(p + j, x * s * factor);
            store(d + j, seen_only(seen + r * more, j, load(d + j) * silu_slope(x, s) * factor));
        }
}

/* ---- softmax of attention ---------------------------------------------------------------------------------------- */

/* s = exp(factor * s - largest) over the first `valid` columns, 0 up to `end` (a multiple of 16); returns 1 / sum. */
SQ_INLINE float attend_exp(size_t valid, size_t end, float factor, float *s)
{
    float top = max(valid, s) * factor;
    sixteen sum = {{{0}}};
    for (size_t j = 0; j < end; j += 16)
        for (int p = 0; p < PARTS; p++) {
            size_t at = j + (size_t)(p * LANES);
            vec e = exponential(fused(load(s + at), splat(factor), splat(-top)));
            if (j + 16 > valid) e = blend(lanes((ptrdiff_t)valid - (ptrdiff_t)at), e, (vec){0});
            store(s + at, e);
            sum.part[p] += e;
        }
    return 1.0f / sum_lanes(&sum);
}

SQ_INLINE void attend_place(float *s, float *kept, veci keep, float inverse, float keep_scale)
{
    vec p = load(s) * inverse;
    if (kept) store(kept, blend(keep, p, -p));
    store(s, blend(keep, p * keep_scale, (vec){0}));
}

SQ_INLINE void attend_row(size_t valid, size_t width, float factor, const sq_dropout *o, uint64_t row, float *s,
                          float *kept)
{
    size_t end = sq_round16(valid);
    float inverse = attend_exp(valid, end, factor, s);
    for (size_t j = 0; j < end; j += 32)
        for (int l = 0; l < 16; l += LANES) {
            size_t at = j + (size_t)l;
            vecn h = {0};
            if (o->threshold) h = hash(row * 2048 + j / 32, l, o->key);
            attend_place(s + at, kept ? kept + at : NULL, keep_low(h, o), inverse, o->scale);
            if (j + 16 < end) attend_place(s + at + 16, kept ? kept + at + 16 : NULL, keep_high(h, o), inverse, o->scale);
        }
    for (size_t j = end; j < width; j += LANES) {
        store(s + j, (vec){0});
        if (kept) store(kept + j, (vec){0});
    }
}

static void attend_fwd(size_t n, size_t seen, size_t more, size_t width, size_t ld, float factor, const sq_dropout *o,
                       uint64_t mask_row, float *s, float *kept)
{
    for (size_t r = 0; r < n; r++)
        attend_row(seen + r * more, width, factor, o, mask_row + r, s + r * ld, kept ? kept + r * ld : NULL);
}

/* ds = q (mask * dp - delta) with q = |kept| and mask = keep_scale where kept > 0. */
static void attend_bwd(size_t n, size_t width, size_t ld, size_t ldd, float factor, float keep_scale, const float *kept,
                       const float *delta, float *p, float *d)
{
    for (size_t r = 0; r < n; r++)
        OVER(j, width)
        {
            vec signed_p = load(kept + r * ld + j), dp = load(d + r * ldd + j);
            veci keep = signed_p > 0;
            vec dropped = blend(keep, signed_p * keep_scale, (vec){0});
            vec q = blend(keep, signed_p, -signed_p);
            if (p) store(p + r * ldd + j, dropped);
            store(d + r * ldd + j, fused(dropped, dp, q * -delta[r]) * factor);
        }
}

/* ---- gates -------------------------------------------------------------------------------------------------------- */

static void gate_fwd(size_t n, size_t width, size_t ld, size_t ldz, const float *z, float *s)
{
    for (size_t r = 0; r < n; r++) OVER(j, width) store(s + r * ld + j, load(s + r * ld + j) * load(z + r * ldz + j));
}

static void gate_bwd(size_t n, size_t width, size_t ld, size_t ldz, float keep_scale, const float *kept, const float *z,
                     float *dz, float *d)
{
    for (size_t r = 0; r < n; r++)
        OVER(j, width)
        {
            vec signed_p = load(kept + r * ld + j), dp = load(d + r * ld + j);
            vec dropped = blend(signed_p > 0, signed_p * keep_scale, (vec){0});
            if (dz) store(dz + r * ldz + j, fused(dropped, dp, load(dz + r * ldz + j)));
            store(d + r * ld + j, dp * load(z + r * ldz + j));
        }
}

/* ---- terms by distance -------------------------------------------------------------------------------------------- */

SQ_INLINE void add_run(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + load(x + i));
    for (; i < n; i++) y[i] += x[i];
}

SQ_INLINE void add_constant(size_t n, float x, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + x);
    for (; i < n; i++) y[i] += x;
}

static float sum_run(size_t n, const float *x)
{
    float tail[16] = {0};
    sixteen s = {{{0}}};
    size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        for (int p = 0; p < PARTS; p++) s.part[p] += load(x + i + p * LANES);
    for (size_t i = whole; i < n; i++) tail[i - whole] = x[i];
    for (int p = 0; p < PARTS; p++) s.part[p] += load(tail + p * LANES);
    return sum_lanes(&s);
}

/* The columns of the query at t: before `from` all have term 0, up to `to` one each from term x on, up to v the last one. */
typedef struct run {
    size_t from, to, x;
} run;

SQ_INLINE run run_of(size_t t, size_t v, size_t past, size_t columns)
{
    run r = {.from = t > past ? t - past : 0};
    if (r.from > v) r.from = v;
    r.x = r.from + past - t;
    r.to = columns - r.x < v - r.from ? r.from + columns - r.x : v;
    return r;
}

static void spread(size_t n, size_t at, size_t seen, size_t more, size_t ld, size_t past, size_t columns, size_t ldr,
                   const float *r, float *s)
{
    for (size_t i = 0; i < n; i++, r += ldr, s += ld) {
        size_t v = seen + i * more;
        run c = run_of(at + i, v, past, columns);
        add_constant(c.from, r[0], s);
        add_run(c.to - c.from, r + c.x, s + c.from);
        add_constant(v - c.to, r[columns - 1], s + c.to);
    }
}

static void collect(size_t n, size_t at, size_t seen, size_t more, size_t ld, size_t past, size_t columns, size_t ldr,
                    const float *s, float *r)
{
    for (size_t i = 0; i < n; i++, r += ldr, s += ld) {
        size_t v = seen + i * more;
        run c = run_of(at + i, v, past, columns);
        memset(r, 0, sq_round16(columns) * sizeof *r);
        memcpy(r + c.x, s + c.from, (c.to - c.from) * sizeof *r);
        if (c.from) r[0] += sum_run(c.from, s);
        if (v > c.to) r[columns - 1] += sum_run(v - c.to, s + c.to);
    }
}

static void pick(size_t n, size_t seen, size_t more, size_t ld, size_t ldi, const uint16_t *index, size_t ldr, const float *r,
                 float *s)
{
    for (size_t i = 0; i < n; i++, r += ldr, s += ld, index += ldi)
        for (size_t j = 0; j < seen + i * more; j++) s[j] += r[index[j]];
}

static void tally(size_t n, size_t seen, size_t more, size_t ld, size_t ldi, const uint16_t *index, size_t ldr, const float *s,
                  float *r)
{
    for (size_t i = 0; i < n; i++, r += ldr, s += ld, index += ldi) {
        memset(r, 0, ldr * sizeof *r);
        for (size_t j = 0; j < seen + i * more; j++) r[index[j]] += s[j];
    }
}

static void rotate(size_t n, size_t half, size_t ld, size_t ldt, const float *cosines, const float *sines, float sign, float *x)
{
    for (size_t r = 0; r < n; r++, x += ld, cosines += ldt, sines += ldt)
        for (size_t e = 0; e < half; e++) {
            float a = x[e], b = x[half + e], c = cosines[e], d = sign * sines[e];
            x[e] = a * c - b * d;
            x[half + e] = b * c + a * d;
        }
}

#define SQ_TEXT_(x) #x
#define SQ_TEXT(x) SQ_TEXT_(x)

const sq_kernels SQ_NAME(sq_kernels) = {
    .name = SQ_TEXT(SQ_ISA),
#if defined(__FMA__)
    .fused = 1,
#endif
    .product = SQ_NAME(sq_product),
    .product_from = SQ_NAME(sq_product_from),
    .dots = dots,
    .gather_dots = gather_dots,
    .gather_axpy = gather_axpy,
    .spread_axpy = spread_axpy,
    .dot = dot,
    .axpy = axpy,
    .scale = scale,
    .add = add,
    .max = max,
    .max_abs = max_abs,
    .find = find,
    .find_marked = find_marked,
    .random = random64,
    .random_at = random64_at,
    .transpose = transpose,
    .fill_rows = fill_rows,
    .column_sums = column_sums,
    .column_dots = column_dots,
    .norm_fwd = norm_fwd,
    .norm_bwd = norm_bwd,
    .dropout = dropout,
    .relu_fwd = relu_fwd,
    .relu_bwd = relu_bwd,
    .gelu_fwd = gelu_fwd,
    .gelu_bwd = gelu_bwd,
    .silu_fwd = silu_fwd,
    .silu_bwd = silu_bwd,
    .swiglu_fwd = swiglu_fwd,
    .swiglu_bwd = swiglu_bwd,
    .sigmoid_fwd = sigmoid_fwd,
    .sigmoid_bwd = sigmoid_bwd,
    .pointwise_fwd = pointwise_fwd,
    .pointwise_bwd = pointwise_bwd,
    .attend_fwd = attend_fwd,
    .attend_bwd = attend_bwd,
    .gate_fwd = gate_fwd,
    .gate_bwd = gate_bwd,
    .spread = spread,
    .collect = collect,
    .pick = pick,
    .tally = tally,
    .rotate = rotate,
    .exp_shift = exp_shift,
    .exp_live = exp_live,
    .scale_live = scale_live,
    .exp = exp_rows,
    .logistic = logistic,
    .adam = SQ_NAME(sq_adam_step),
    .adam_idle = SQ_NAME(sq_adam_idle),
    .fade = SQ_NAME(sq_fade),
};
