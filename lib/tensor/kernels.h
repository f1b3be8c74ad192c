/* tensor: the table of vector kernels, one per instruction set.
 *
 * Common rules. Rows are `ld` floats apart; `width` and `ld` are multiples of 16 and rows are zero from the true width d on, so
 * loops have no tails. Reductions run in 16 fixed lanes and one fixed tree, products sum over k in order with one rounding per
 * step in v3 and v4: a row's bits depend on neither its batch nor the number of threads, and v3 and v4 agree in every bit. Pointers
 * do not alias unless said. Nothing is read or written outside the extents given, neither between rows nor behind the last row's
 * `width`. NaN, infinities and denormals go through as IEEE arithmetic has it, unless said; n may be 0. */
#ifndef SQ_KERNELS_H
#define SQ_KERNELS_H
#include <stddef.h>
#include <stdint.h>

static inline size_t sq_round16(size_t n) { return (n + 15) / 16 * 16; }

/* A dropout mask: element e of row r is kept when 16 hashed bits of (key, r, e) are at or above `threshold`. Every table draws the
 * same bits. The row's length is part of r for the kernels on rows: masks of different `width` (rounded up to 32) are not cuts of
 * one another; those of attend_fwd do not depend on the width and repeat in the next row from key 65536 on. */
typedef struct sq_dropout {
    uint64_t key;       /* of (seed, step, place) */
    uint32_t threshold; /* round(p * 65536); 0 = keep all */
    float scale;        /* 65536 / (65536 - threshold) */
} sq_dropout;

typedef struct sq_adam {
    float rate;      /* learning rate / (1 - beta1^t) */
    float root;      /* 1 / sqrt(1 - beta2^t) */
    float beta1, beta2, epsilon;
    float decay;     /* AdamW: weights are multiplied by this first; 1 = none */
    float l2;        /* Adam: l2 * w is added to the gradient */
    float clip;      /* the gradient is multiplied by this first */
} sq_adam;

typedef struct sq_kernels {
    const char *name;
    int32_t fused; /* 1: `product` is tuned and rounds once per step; 0: sq_gemm goes to BLIS */

    /* C [M][N] (=, or += with accumulate) A [M][K] * B [K][N]; A(i,k) at i * rs + k * cs; N a multiple of 16. */
    void (*product)(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                    float *C, size_t ldc, int accumulate);
    /* C [M][N] = A * B + start, a row [N] that every row of C begins with: the bits of fill_rows and accumulate. */
    void (*product_from)(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                         const float *start, float *C, size_t ldc);

    /* out[r] = <u, rows + r * stride> over width, r < n. */
    void (*dots)(size_t n, size_t width, const float *u, const float *rows, size_t stride, float *out);
    /* out[r] = <u, rows[r]>; y += sum_r a[r] * rows[r], in order of r. */
    void (*gather_dots)(size_t n, size_t width, const float *u, const float *const *rows, float *out);
    void (*gather_axpy)(size_t n, size_t width, const float *a, const float *const *rows, float *y);
    /* row index[r] of y [][width] += a[r] * x, one after another, for those whose index is not negative */
    void (*spread_axpy)(size_t n, size_t width, const float *a, const float *x, const int32_t *index, float *y);
    float (*dot)(size_t width, const float *a, const float *b);
    /* y += a * x; y = a * x; y += x */
    void (*axpy)(size_t width, float a, const float *x, float *y);
    void (*scale)(size_t width, float a, const float *x, float *y); /* x may be y */
    void (*add)(size_t width, const float *x, float *y);
    /* Any n; NaN is skipped, -Inf of nothing. x is read up to round16(n). The sign of a zero is any. */
    float (*max)(size_t n, const float *x);
    float (*max_abs)(size_t width, const float *x); /* +Inf if any element is NaN or infinite */
    /* Which of x [n] are `value`, rising, to places [n]; returns how many. */
    size_t (*find)(size_t n, const int32_t *x, int32_t value, int32_t *places);
    /* Which of x [n], all >= 0, have their bit in `bits` set (x % 64 of word x / 64); places has room for round16(n). */
    size_t (*find_marked)(size_t n, const int32_t *x, const uint64_t *bits, int32_t *places);
    /* out[i] = sq_random64(key, first + i * step), i < n; out has room for round16(n). */
    void (*random)(size_t n, uint64_t key, uint64_t first, uint64_t step, uint64_t *out);
    /* out[i] = sq_random64(key, first + index[i] * step), index >= 0; index and out have room for round16(n). */
    void (*random_at)(size_t n, uint64_t key, uint64_t first, uint64_t step, const int32_t *index, uint64_t *out);
    /* to [cols][ld_to] = transpose of from [rows][ld_from]; columns rows..round16(rows) of `to` are zeroed. */
    void (*transpose)(size_t rows, size_t cols, const float *from, size_t ld_from, float *to, size_t ld_to);
    /* n copies of row[width] */
    void (*fill_rows)(size_t n, size_t width, const float *row, float *to, size_t ld);
    /* sum[width] += column sums of x[n][width] */
    void (*column_sums)(size_t n, size_t width, const float *x, size_t ld, float *sum);
    /* y[width] += sum_r a_r * b_r, column by column, in order of r; row r of a is at a + r * lda, of b at b + r * ldb: either may run
     * backwards. */
    void (*column_dots)(size_t n, size_t width, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float *y);

    /* y = (x - mean) / sqrt(var + eps) * gain + bias over the first d columns; mean, rstd: [n], kept for bwd. y may be x. Where
     * var overflows (|x| from about 1e19) rstd is 0 and y the bias; where it is 0, as in a row that dropout emptied, likewise: its
     * slope of 1 / sqrt(eps), in each norm on the way back, would drown all other gradients, and such a row has nothing to say. */
    void (*norm_fwd)(size_t n, size_t d, size_t ld, float epsilon, const float *x, const float *gain,
                     const float *bias, float *y, float *mean, float *rstd);
    /* dx (= or +=), dgain += , dbias += ; x as given to fwd. dx may be dy when not accumulating. */
    void (*norm_bwd)(size_t n, size_t d, size_t ld, const float *x, const float *gain, const float *mean,
                     const float *rstd, const float *dy, float *dx, int accumulate, float *dgain, float *dbias);

    /* x[r] *= mask of (dropout, first + r); what is dropped becomes +0, NaN too. */
    void (*dropout)(size_t n, size_t width, size_t ld, const sq_dropout *dropout, uint64_t first, float *x);
    /* In place: x = dropout(relu(x)), with dropout's mask; relu(NaN) = 0. bwd: dx *= scale where y > 0, y = what fwd left, and 0
     * elsewhere. */
    void (*relu_fwd)(size_t n, size_t width, size_t ld, const sq_dropout *dropout, uint64_t first, float *x);
    void (*relu_bwd)(size_t n, size_t width, size_t ld, const sq_dropout *dropout, const float *y, float *dx);
    /* y = x * Phi(x), Phi the normal distribution function; bwd: dx *= derivative at x. NaN at -Inf. */
    void (*gelu_fwd)(size_t n, size_t width, size_t ld, const float *x, float *y);
    void (*gelu_bwd)(size_t n, size_t width, size_t ld, const float *x, float *dx);

    /* y = silu(x) = x / (1 + exp(-x)); bwd: dx *= derivative at x. NaN at -Inf. y may be x. */
    void (*silu_fwd)(size_t n, size_t width, size_t ld, const float *x, float *y);
    void (*silu_bwd)(size_t n, size_t width, size_t ld, const float *x, float *dx);
    /* Gated units: y [n][width] = f(z) * a. swiglu: f = silu, sigmoid: f the logistic function. z and a [n][ld]; bwd: dz, da
     * [n][ld] from dy [n][width]; dy may be da when ld = width. */
    void (*swiglu_fwd)(size_t n, size_t width, size_t ld, const float *z, const float *a, float *y);
    void (*swiglu_bwd)(size_t n, size_t width, size_t ld, const float *z, const float *a, const float *dy, float *dz, float *da);
    void (*sigmoid_fwd)(size_t n, size_t width, size_t ld, const float *z, const float *a, float *y);
    void (*sigmoid_bwd)(size_t n, size_t width, size_t ld, const float *z, const float *a, const float *dy, float *dz, float *da);

    /* Pointwise attention (HSTU) of n rows, in place: s_rj = factor * silu(s_rj) for the first v = seen + r * more keys, 0 up to
     * `width`; kept (if not NULL, same ld): s as it came, 0 behind v. */
    void (*pointwise_fwd)(size_t n, size_t seen, size_t more, size_t width, size_t ld, float factor, float *s, float *kept);
    /* From kept [n][ld] and da in d [n][ldd], which may be anything finite behind the keys that a row sees: p = factor * silu, d = ds. */
    void (*pointwise_bwd)(size_t n, size_t seen, size_t more, size_t width, size_t ld, size_t ldd, float factor, const float *kept,
                          float *p, float *d);

    /* Softmax of n rows of one sequence and head, in place, over `width` columns. Row r sees the first v = seen + r * more keys
     * (0 < v <= width; more = 1: causal rows, one key further each; 0: all see the same): p_rj = softmax_j<v(scale * s_rj), zero
     * for j >= v. s becomes p after dropout; kept (if not NULL, same ld) becomes p with the sign turned where dropout drops it.
     * Mask row of r: mask_row + r. Scores of j >= v may be anything, a score of -Inf closes its key (not all of a row's), and
     * scale > 0, |scale * s| < 1e8 of the others; NaN or +Inf makes its row NaN, up to column round16(v). */
    void (*attend_fwd)(size_t n, size_t seen, size_t more, size_t width, size_t ld, float scale,
                       const sq_dropout *dropout, uint64_t mask_row, float *s, float *kept);
    /* From kept [n][ld] (as above), dp = dO V^T in `d` [n][ldd] and delta [n] = <dO, O>: p (may be NULL) = p after dropout
     * [n][ldd], d = ds * scale. Where dp is not finite, d is not either, also for keys that a row does not see. */
    void (*attend_bwd)(size_t n, size_t width, size_t ld, size_t ldd, float scale, float keep_scale,
                       const float *kept, const float *delta, float *p, float *d);

    /* s *= z [n][ldz], the gates of these probabilities; z need not be aligned. */
    void (*gate_fwd)(size_t n, size_t width, size_t ld, size_t ldz, const float *z, float *s);
    /* From kept [n][ld] (as above): dz (may be NULL) += d * p after dropout, then d *= z; dz as z, d [n][ld]. */
    void (*gate_bwd)(size_t n, size_t width, size_t ld, size_t ldz, float keep_scale, const float *kept, const float *z,
                     float *dz, float *d);

    /* Terms by distance, of n rows of one sequence and head. Row r is the query at column `at` + r of s and sees the first
     * v = seen + r * more columns (v <= width of s); its column j has the term r[x], x = j - (at + r) + past, cut to
     * 0 .. columns - 1. spread: s += r; collect: r [n][columns] = sum over the columns of s with that term, 0 where there is
     * none, zero up to round16(columns). Rows of r are ldr apart, with ldr = 0 (spread only) the same for all. */
    void (*spread)(size_t n, size_t at, size_t seen, size_t more, size_t ld, size_t past, size_t columns, size_t ldr,
                   const float *r, float *s);
    void (*collect)(size_t n, size_t at, size_t seen, size_t more, size_t ld, size_t past, size_t columns, size_t ldr,
                    const float *s, float *r);
    /* The same where each pair has a term of its own choice: column j of row r has the term r[x], x = index[r * ldi + j].
     * pick: s += r; tally: r [n][ldr] = sums. */
    void (*pick)(size_t n, size_t seen, size_t more, size_t ld, size_t ldi, const uint16_t *index, size_t ldr, const float *r,
                 float *s);
    void (*tally)(size_t n, size_t seen, size_t more, size_t ld, size_t ldi, const uint16_t *index, size_t ldr, const float *s,
                  float *r);
    /* Rotates the pairs (e, half + e) of each of n rows of x by the angles whose cosines and sines stand in rows [half], ldt
     * apart; sign -1 turns backwards. Nothing beyond 2 * half columns is touched. */
    void (*rotate)(size_t n, size_t half, size_t ld, size_t ldt, const float *cosines, const float *sines, float sign, float *x);

    /* x = exp(x - shift), returns the sum of x[0..n) in 16 lanes; x[n..round16(n)) = 0. */
    float (*exp_shift)(size_t n, float shift, float *x);
    /* As exp_shift, but -Inf becomes -0; *live: how many of x[0..n) are not -Inf, *sum: the sum of these as they were. */
    float (*exp_live)(size_t n, float shift, float *x, float *live, float *sum);
    /* x = factor * x - part, 0 where x is -0 and in x[n..round16(n)). */
    void (*scale_live)(size_t n, float factor, float part, float *x);
    /* y = exp(x) for any n, within 1.01 units in the last place; 0 below -87.33 (no denormals), exp(88.37) above that, also at
     * +Inf; NaN stays NaN. */
    void (*exp)(size_t n, const float *x, float *y);

    /* x = weight / (1 + exp(-x)), returns the sum over x[0..n) of log(1 + exp(x)), each within 2e-7 of its value or 1e-7; 0 and 0 at
     * -Inf. x is read and written up to round16(n), where it gets 0. */
    double (*logistic)(size_t n, float weight, float *x);

    /* One Adam step of n floats (any n). g NULL: zero gradient, with the same bits as n zeros (clip finite). */
    void (*adam)(size_t n, const sq_adam *rule, const float *g, float *w, float *m, float *v);

    /* The bits of `count` calls of adam without gradient, under rules[0], rules[1], ..., none with decay or l2 (any n; w finite). */
    void (*adam_idle)(size_t n, size_t count, const sq_adam *rules, float *w, float *m, float *v);

    /* x = factor * x + 0, count times: what steps without gradient or decay make of a moment. 0 <= factor < 1, n a multiple of 16. */
    void (*fade)(size_t n, int64_t count, float factor, float *x);
} sq_kernels;

/* The best table for this processor; variant i for tests (0 base, 1 v3, 2 v4), NULL when the processor lacks it. */
const sq_kernels *sq_kernels_best(void);
const sq_kernels *sq_kernels_variant(int32_t index);
#endif
