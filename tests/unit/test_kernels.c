/* unit: the vector kernels of every instruction set against plain C: simple passes, reductions, norms, exp, GELU. */
#include "kernel_check.h"
#include "run_suite.h"

/* ---- reductions and simple passes: plain C gives the same bits -------------------------------------------------------- */

/* Sixteen lanes, halves folded onto each other. */
static float plain_tree(const float lane[16])
{
    float x[16];
    memcpy(x, lane, sizeof x);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}

static float plain_dot(const sq_kernels *k, size_t width, const float *a, const float *b)
{
    float lane[16] = {0};
    for (size_t i = 0; i < width; i++) lane[i % 16] = chain(k, a[i], b[i], lane[i % 16]);
    return plain_tree(lane);
}

static void check_dot(const sq_kernels *k, const matrix *a, const matrix *b)
{
    double exact = 0, size = 0;
    for (size_t i = 0; i < a->width; i++) {
        exact += (double)a->at[i] * b->at[i];
        size += fabs((double)a->at[i] * b->at[i]);
    }
    float got = k->dot(a->width, a->at, b->at);
    note(&got, 1);
    MUST(same_bits(got, plain_dot(k, a->width, a->at, b->at)), "width %zu", a->width);
    if (isfinite(size)) HOLDS(fabs(got - exact) <= size * 6e-8 * ((double)a->width / 16 + 5));
}

static void dot_body(const sq_kernels *k)
{
    EACH(size_t, width, some_widths)
    for (uint64_t round = 0; round < 6; round++) {
        matrix a = matrix_of(1, *width, *width, *width + round), b = matrix_of(1, *width, *width, 77 + round);
        if (round > 3) matrix_hard(&a, round);
        check_dot(k, &a, &b);
        matrix_close(&a);
        matrix_close(&b);
    }
    matrix none = row_open(0);
    HOLDS(k->dot(0, none.at, none.at) == 0);
    matrix_close(&none);
}

START_TEST(dot_sums_in_sixteen_lanes_and_one_tree)
{
    each_variant(dot_body);
}
END_TEST

/* The numbers of base/rng.h, at any counter and step. */
static void random_body(const sq_kernels *k)
{
    static const size_t few[] = {0, 1, 7, 8, 9, 256};
    static const uint64_t firsts[] = {0, 5, UINT64_MAX - 40}, steps[] = {1, 64};
    uint64_t out[256 + 16];
    int32_t index[256 + 16];
    EACH(size_t, n, few)
    EACH(uint64_t, first, firsts)
    EACH(uint64_t, step, steps)
    {
        uint64_t key = *n * 0x9e3779b97f4a7c15u + *first;
        for (size_t i = 0; i < sizeof out / sizeof *out; i++) out[i] = 1;
        k->random(*n, key, *first, *step, out);
        for (size_t i = 0; i < *n; i++) HOLDS(out[i] == sq_random64(key, *first + i * *step));
        for (size_t i = sq_round16(*n); i < sizeof out / sizeof *out; i++) HOLDS(out[i] == 1);
        for (size_t i = 0; i < sizeof index / sizeof *index; i++) index[i] = i % 5 ? (int32_t)(3 * i) : INT32_MAX - (int32_t)i;
        k->random_at(*n, key, *first, *step, index, out);
        for (size_t i = 0; i < *n; i++) HOLDS(out[i] == sq_random64(key, *first + (uint64_t)index[i] * *step));
        for (size_t i = sq_round16(*n); i < sizeof out / sizeof *out; i++) HOLDS(out[i] == 1);
    }
}

static void find_body(const sq_kernels *k)
{
    static const size_t few[] = {0, 1, 15, 16, 17, 40, 256};
    static const uint64_t kinds[] = {1, 3, 1000}; /* every one, a third, hardly any */
    EACH(size_t, n, few)
    EACH(uint64_t, kind, kinds)
    {
        int32_t x[256], places[256];
        size_t found = 0;
        for (size_t i = 0; i < *n; i++) x[i] = (int32_t)(sq_random64(*kind, i) % *kind) - 1;
        size_t count = k->find(*n, x, -1, places);
        for (size_t i = 0; i < *n; i++) {
            if (x[i] != -1) continue;
            HOLDS(found < count && places[found] == (int32_t)i);
            found++;
        }
        HOLDS(found == count);
    }
}

static void find_marked_body(const sq_kernels *k)
{
    static const size_t few[] = {0, 1, 15, 16, 17, 40, 256};
    static const uint64_t shares[] = {0, 1, 8, 15, 16}; /* sixteenths that are marked */
    EACH(size_t, n, few)
    EACH(uint64_t, share, shares)
    {
        uint64_t bits[1000 / 64 + 1] = {0};
        int32_t x[256], places[256 + 1];
        size_t found = 0;
        for (uint64_t i = 0; i < 1000; i++) bits[i / 64] |= (uint64_t)(sq_random64(7, i) % 16 < *share) << (i % 64);
        for (size_t i = 0; i < *n; i++) x[i] = (int32_t)(sq_random64(*share, i) % 1000);
        places[sq_round16(*n)] = 99;
        size_t count = k->find_marked(*n, x, bits, places);
        for (size_t i = 0; i < *n; i++) {
            if (!(bits[x[i] / 64] >> (x[i] % 64) & 1)) continue;
            HOLDS(found < count && places[found] == (int32_t)i);
            found++;
        }
        HOLDS(found == count && places[sq_round16(*n)] == 99);
    }
}

START_TEST(values_are_found_in_order)
{
    each_variant(find_body);
    each_variant(find_marked_body);
}
END_TEST

START_TEST(random_numbers_side_by_side_are_those_one_by_one)
{
    each_variant(random_body);
}
END_TEST

static void dots_case(const sq_kernels *k, size_t n, size_t width, size_t ld)
{
    matrix rows = matrix_of(n, width, ld, n + width), u = matrix_of(1, width, width, 5), out = row_open(n);
    const float *pointers[40];
    matrix gathered = row_open(n);
    k->dots(n, width, u.at, rows.at, ld, out.at);
    for (size_t r = 0; r < n; r++) pointers[r] = row_of(&rows, n - 1 - r);
    k->gather_dots(n, width, u.at, pointers, gathered.at);
    for (size_t r = 0; r < n; r++) {
        HOLDS(same_bits(out.at[r], plain_dot(k, width, u.at, row_of(&rows, r))));
        HOLDS(same_bits(gathered.at[r], out.at[n - 1 - r]));
    }
    note(out.at, n);
    matrix_close(&rows);
    matrix_close(&u);
    matrix_close(&out);
    matrix_close(&gathered);
}

static void dots_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths)
    {
        dots_case(k, *n, *width, *width);
        dots_case(k, *n, *width, *width + 16);
    }
}

START_TEST(dots_of_many_rows_are_the_dots_of_each)
{
    each_variant(dots_body);
}
END_TEST

static void gather_axpy_case(const sq_kernels *k, size_t n, size_t width)
{
    matrix rows = matrix_of(n, width, width + 16, n), y = matrix_of(1, width, width, 3), a = matrix_of(1, n, n, 9);
    if (n > 3) matrix_hard(&rows, n + width);
    matrix expected = matrix_copy(&y);
    const float *pointers[40];
    for (size_t r = 0; r < n; r++) pointers[r] = row_of(&rows, (r * 5) % n);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++) expected.at[i] = chain(k, a.at[r], pointers[r][i], expected.at[i]);
    k->gather_axpy(n, width, a.at, pointers, y.at);
    for (size_t i = 0; i < width; i++) MUST(same_bits(y.at[i], expected.at[i]), "n %zu width %zu", n, width);
    matrix_note(&y);
    matrix_close(&rows);
    matrix_close(&y);
    matrix_close(&a);
    matrix_close(&expected);
}

static void gather_axpy_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) gather_axpy_case(k, *n, *width);
}

static void spread_axpy_case(const sq_kernels *k, size_t n, size_t width)
{
    matrix y = matrix_of(5, width, width, n), x = matrix_of(1, width, width, 3), a = matrix_of(1, n, n, 9);
    matrix expected = matrix_copy(&y);
    int32_t index[40];
    for (size_t r = 0; r < n; r++) index[r] = r % 7 == 3 ? -1 : (int32_t)(r * 2 % 5); /* rows come again */
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width && index[r] >= 0; i++) {
            float *to = &expected.at[(size_t)index[r] * width + i];
            *to = chain(k, a.at[r], x.at[i], *to);
        }
    k->spread_axpy(n, width, a.at, x.at, index, y.at);
    for (size_t i = 0; i < 5 * width; i++) MUST(same_bits(y.at[i], expected.at[i]), "n %zu width %zu", n, width);
    matrix_note(&y);
    matrix_close(&y);
    matrix_close(&x);
    matrix_close(&a);
    matrix_close(&expected);
}

static void spread_axpy_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) spread_axpy_case(k, *n, *width);
}

START_TEST(a_row_is_spread_over_rows_in_order)
{
    each_variant(spread_axpy_body);
}
END_TEST

START_TEST(gathered_rows_are_added_in_order)
{
    each_variant(gather_axpy_body);
}
END_TEST

static void passes_case(const sq_kernels *k, size_t width, float a)
{
    matrix x = row_open(width), y = row_open(width);
    matrix_hard(&x, width);
    matrix_hard(&y, width + 1);
    matrix sum = matrix_copy(&y), scaled = row_open(width), in_place = matrix_copy(&x), axpy = matrix_copy(&y);
    k->axpy(width, a, x.at, axpy.at);
    k->scale(width, a, x.at, scaled.at);
    k->scale(width, a, in_place.at, in_place.at);
    k->add(width, x.at, sum.at);
    for (size_t i = 0; i < width; i++) {
        HOLDS(same_bits(axpy.at[i], chain(k, a, x.at[i], y.at[i])));
        HOLDS(same_bits(scaled.at[i], a * x.at[i]));
        HOLDS(same_bits(in_place.at[i], scaled.at[i]));
        HOLDS(same_bits(sum.at[i], y.at[i] + x.at[i]));
    }
    matrix *all[] = {&axpy, &scaled, &in_place, &sum, &x, &y};
    for (size_t i = 0; i < 6; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void passes_body(const sq_kernels *k)
{
    EACH(size_t, width, some_widths)
    {
        passes_case(k, *width, 0.37f);
        passes_case(k, *width, -3.0e38f);
        passes_case(k, *width, 0.0f);
        passes_case(k, *width, 1e-42f);
    }
    passes_case(k, 0, 1.0f);
}

START_TEST(axpy_scale_and_add_round_as_plain_c)
{
    each_variant(passes_body);
}
END_TEST

static void max_case(const sq_kernels *k, size_t n, int hard)
{
    size_t width = (n + 15) / 16 * 16;
    matrix x = row_open(width); /* behind n there are NaN and a large value, which must not count */
    for (size_t i = 0; i < n; i++) x.at[i] = uniform(n, i) - 3;
    for (size_t i = n; i < width; i++) x.at[i] = i % 2 ? 1e30f : NAN;
    for (size_t i = 0; hard && i < n; i += 3) x.at[i] = i % 2 ? NAN : -INFINITY;
    float largest = -INFINITY, got = k->max(n, x.at);
    for (size_t i = 0; i < n; i++)
        if (x.at[i] > largest) largest = x.at[i];
    MUST(same_bits(got, largest), "n %zu", n);
    note(&got, 1);
    matrix_close(&x);
}

static void max_body(const sq_kernels *k)
{
    for (size_t n = 0; n < 70; n++) {
        max_case(k, n, 0);
        max_case(k, n, 1);
    }
    float nothing[16] = {0};
    for (int i = 0; i < 16; i++) nothing[i] = NAN;
    HOLDS(k->max(16, nothing) == -INFINITY);
    nothing[11] = INFINITY;
    HOLDS(k->max(16, nothing) == INFINITY);
}

START_TEST(max_skips_nan_and_ignores_what_lies_behind)
{
    each_variant(max_body);
}
END_TEST

static void max_abs_body(const sq_kernels *k)
{
    EACH(size_t, width, some_widths)
    for (size_t at = 0; at + 1 < *width; at += 5) {
        matrix x = matrix_of(1, *width, *width, at);
        float largest = 0;
        for (size_t i = 0; i < *width; i++) largest = fmaxf(largest, fabsf(x.at[i]));
        HOLDS(same_bits(k->max_abs(*width, x.at), largest));
        x.at[at] = -1e-45f;
        x.at[*width - 1] = -3e38f;
        HOLDS(k->max_abs(*width, x.at) == 3e38f);
        EACH(float, hard, hard_values)
        {
            x.at[at] = *hard;
            float expected = !isfinite(*hard) ? INFINITY : fmaxf(fabsf(x.at[at]), fabsf(x.at[*width - 1]));
            HOLDS(same_bits(k->max_abs(*width, x.at), expected));
        }
        matrix_close(&x);
    }
    HOLDS(same_bits(k->max_abs(0, NULL), 0));
}

START_TEST(max_abs_is_infinite_when_anything_is_not_finite)
{
    each_variant(max_abs_body);
}
END_TEST

static void transpose_case(const sq_kernels *k, size_t rows, size_t cols)
{
    size_t padded = (rows + 15) / 16 * 16;
    matrix from = matrix_open(rows, cols, cols + 3), to = matrix_open(cols, padded, padded + 16);
    matrix_hard(&from, rows + cols);
    k->transpose(rows, cols, from.at, from.ld, to.at, to.ld);
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < padded; r++)
            MUST(same_bits(row_of(&to, c)[r], r < rows ? row_of(&from, r)[c] : 0), "%zu x %zu", rows, cols);
    matrix_note(&to);
    matrix_close(&from);
    matrix_close(&to);
}

static void transpose_body(const sq_kernels *k)
{
    for (size_t rows = 0; rows < 50; rows += rows < 20 ? 1 : 7)
        for (size_t cols = 0; cols < 70; cols += cols < 20 ? 1 : 11) transpose_case(k, rows, cols);
}

START_TEST(transpose_zeroes_up_to_sixteen_and_no_further)
{
    each_variant(transpose_body);
}
END_TEST

static void rows_case(const sq_kernels *k, size_t n, size_t width, size_t ld)
{
    matrix row = matrix_of(1, width, width, 1), to = matrix_open(n, width, ld), sum = matrix_of(1, width, width, 2);
    matrix_hard(&row, 3);
    k->fill_rows(n, width, row.at, to.at, ld);
    for (size_t r = 0; r < n; r++) HOLDS(memcmp(row_of(&to, r), row.at, width * sizeof(float)) == 0);
    matrix_random(&to, n + width, width);
    if (n == 8) matrix_hard(&to, n);
    matrix expected = matrix_copy(&sum);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++) expected.at[i] += row_of(&to, r)[i];
    k->column_sums(n, width, to.at, ld, sum.at);
    for (size_t i = 0; i < width; i++) HOLDS(same_bits(sum.at[i], expected.at[i]));
    matrix_note(&sum);
    matrix_close(&row);
    matrix_close(&to);
    matrix_close(&sum);
    matrix_close(&expected);
}

static void rows_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths)
    {
        rows_case(k, *n, *width, *width);
        rows_case(k, *n, *width, *width + 48);
    }
}

START_TEST(rows_are_filled_and_columns_summed_in_order)
{
    each_variant(rows_body);
}
END_TEST

/* b's rows in the order of a's, or the other way round. */
static void column_dots_case(const sq_kernels *k, size_t n, size_t width, int backwards)
{
    matrix a = matrix_of(n, width, width + 16, 1), b = matrix_of(n, width, width, 2), y = matrix_of(1, width, width, 3);
    matrix expected = matrix_copy(&y);
    ptrdiff_t step = backwards ? -(ptrdiff_t)b.ld : (ptrdiff_t)b.ld;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++) {
            float x = row_of(&a, r)[i], z = row_of(&b, backwards ? n - 1 - r : r)[i];
            expected.at[i] = k->fused ? fmaf(x, z, expected.at[i]) : x * z + expected.at[i];
        }
    k->column_dots(n, width, a.at, (ptrdiff_t)a.ld, n && backwards ? row_of(&b, n - 1) : b.at, step, y.at);
    for (size_t i = 0; i < width; i++) HOLDS(same_bits(y.at[i], expected.at[i]));
    matrix_note(&y);
    matrix_close(&a);
    matrix_close(&b);
    matrix_close(&y);
    matrix_close(&expected);
}

static void column_dots_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths)
    {
        column_dots_case(k, *n, *width, 0);
        column_dots_case(k, *n, *width, 1);
    }
}

START_TEST(columns_are_multiplied_and_summed_in_order_forwards_and_backwards)
{
    each_variant(column_dots_body);
}
END_TEST

/* ---- layer norm ------------------------------------------------------------------------------------------------------- */

static const size_t some_d[] = {1, 2, 15, 16, 17, 31, 50, 64, 100, 128};

static void plain_norm(size_t d, double epsilon, const double *x, const float *gain, const float *bias, double *y)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < d; i++) mean += x[i] / (double)d;
    for (size_t i = 0; i < d; i++) square += (x[i] - mean) * (x[i] - mean) / (double)d;
    for (size_t i = 0; i < d; i++) y[i] = (x[i] - mean) / sqrt(square + epsilon) * gain[i] + bias[i];
}

typedef struct norm_case {
    size_t n, d, width, ld;
    matrix x, gain, bias, y, mean, rstd;
} norm_case;

static norm_case norm_open(const sq_kernels *k, size_t n, size_t d, size_t gap)
{
    norm_case c = {.n = n, .d = d, .width = (d + 15) / 16 * 16};
    c.ld = c.width + gap;
    c.x = matrix_open(n, c.width, c.ld);
    c.gain = row_open(c.width);
    c.bias = row_open(c.width);
    matrix_random(&c.x, n + d, d);
    matrix_random(&c.gain, 7, d);
    matrix_random(&c.bias, 8, d);
    c.y = matrix_open(n, c.width, c.ld);
    c.mean = row_open(n);
    c.rstd = row_open(n);
    k->norm_fwd(n, d, c.ld, 1e-5f, c.x.at, c.gain.at, c.bias.at, c.y.at, c.mean.at, c.rstd.at);
    return c;
}

static void norm_close(norm_case *c)
{
    matrix *all[] = {&c->x, &c->gain, &c->bias, &c->y, &c->mean, &c->rstd};
    for (size_t i = 0; i < 6; i++) matrix_close(all[i]);
}

static void doubles(size_t n, const float *from, double *to)
{
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static void norm_fwd_case(const sq_kernels *k, size_t n, size_t d)
{
    norm_case c = norm_open(k, n, d, 16);
    double x[256], y[256];
    for (size_t r = 0; r < n; r++) {
        doubles(d, row_of(&c.x, r), x);
        plain_norm(d, (double)1e-5f, x, c.gain.at, c.bias.at, y);
        for (size_t i = 0; i < d; i++) HOLDS(fabs(row_of(&c.y, r)[i] - y[i]) < 2e-6 * (1 + fabs(y[i])));
        for (size_t i = d; i < c.width; i++) MUST(row_of(&c.y, r)[i] == 0, "d %zu column %zu", d, i);
    }
    matrix_note(&c.y);
    note(c.mean.at, n);
    note(c.rstd.at, n);
    matrix in_place = matrix_copy(&c.x);
    k->norm_fwd(n, d, c.ld, 1e-5f, in_place.at, c.gain.at, c.bias.at, in_place.at, c.mean.at, c.rstd.at);
    for (size_t r = 0; r < n; r++) HOLDS(memcmp(row_of(&in_place, r), row_of(&c.y, r), c.width * sizeof(float)) == 0);
    matrix_close(&in_place);
    norm_close(&c);
}

static void norm_fwd_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, d, some_d) norm_fwd_case(k, *n, *d);
}

START_TEST(norm_agrees_with_double_at_any_true_width)
{
    each_variant(norm_fwd_body);
}
END_TEST

/* Row r of x replaced by `value`; the outcome in y. */
static void norm_hard_row(const sq_kernels *k, size_t d, float value, float *y, float *rstd)
{
    norm_case c = norm_open(k, 3, d, 0);
    matrix before = matrix_copy(&c.y);
    for (size_t i = 0; i < d; i++) row_of(&c.x, 1)[i] = isnan(value) ? (i ? 1.0f : NAN) : i % 2 ? value : -value;
    if (value == 7)
        for (size_t i = 0; i < d; i++) row_of(&c.x, 1)[i] = 7;
    k->norm_fwd(3, d, c.ld, 1e-5f, c.x.at, c.gain.at, c.bias.at, c.y.at, c.mean.at, c.rstd.at);
    HOLDS(memcmp(row_of(&before, 0), row_of(&c.y, 0), d * sizeof(float)) == 0);
    HOLDS(memcmp(row_of(&before, 2), row_of(&c.y, 2), d * sizeof(float)) == 0);
    for (size_t i = 0; i < d; i++) y[i] = row_of(&c.y, 1)[i] - c.bias.at[i];
    *rstd = c.rstd.at[1];
    note(row_of(&c.y, 1), c.width);
    matrix_close(&before);
    norm_close(&c);
}

static void norm_hard_body(const sq_kernels *k)
{
    float y[64], rstd;
    norm_hard_row(k, 50, 7, y, &rstd); /* no variance: the bias */
    for (size_t i = 0; i < 50; i++) HOLDS(fabsf(y[i]) < 1e-3f);
    HOLDS(rstd == 0 || fabsf(rstd * sqrtf(1e-5f) - 1) < 1e-3f); /* as its mean is rounded */
    norm_hard_row(k, 50, 0, y, &rstd); /* a row that dropout emptied: the bias, and nothing on the way back */
    for (size_t i = 0; i < 50; i++) HOLDS(y[i] == 0);
    HOLDS(rstd == 0);
    norm_hard_row(k, 50, 3e25f, y, &rstd); /* the variance is infinite: the bias */
    for (size_t i = 0; i < 50; i++) HOLDS(y[i] == 0);
    HOLDS(rstd == 0);
    norm_hard_row(k, 50, 1e-40f, y, &rstd);
    for (size_t i = 0; i < 50; i++) HOLDS(fabsf(y[i]) < 1e-30f);
    norm_hard_row(k, 50, NAN, y, &rstd);
    for (size_t i = 0; i < 50; i++) HOLDS(isnan(y[i]));
    norm_hard_row(k, 50, INFINITY, y, &rstd);
    for (size_t i = 0; i < 50; i++) HOLDS(isnan(y[i]));
}

START_TEST(norm_of_hard_rows_leaves_other_rows_alone)
{
    each_variant(norm_hard_body);
}
END_TEST

/* <dy, norm(x + h e_at)> by central differences. */
static double norm_slope(const norm_case *c, size_t r, size_t at, const float *dy)
{
    double x[256], y[256], side[2];
    for (int s = 0; s < 2; s++) {
        doubles(c->d, row_of(&c->x, r), x);
        x[at] += s ? 1e-5 : -1e-5;
        plain_norm(c->d, (double)1e-5f, x, c->gain.at, c->bias.at, y);
        side[s] = 0;
        for (size_t i = 0; i < c->d; i++) side[s] += dy[i] * y[i];
    }
    return (side[1] - side[0]) / 2e-5;
}

static void norm_dx_check(const norm_case *c, const matrix *dy, const matrix *dx, const matrix *before)
{
    for (size_t r = 0; r < c->n; r++) {
        double rstd = c->rstd.at[r];
        for (size_t i = 0; i < c->d; i++) {
            double expected = norm_slope(c, r, i, row_of(dy, r)), add = before ? row_of(before, r)[i] : 0;
            MUST(fabs(row_of(dx, r)[i] - add - expected) < 1e-5 * (1 + rstd + fabs(expected)), "d %zu: %g and %g", c->d,
                 (double)row_of(dx, r)[i] - add, expected);
        }
        for (size_t i = c->d; i < c->width; i++) HOLDS(row_of(dx, r)[i] == 0);
    }
}

static void norm_parameters_check(const norm_case *c, const matrix *dy, const matrix *dgain, const matrix *dbias)
{
    for (size_t i = 0; i < c->d; i++) {
        double gain = 1, bias = 1;
        for (size_t r = 0; r < c->n; r++) {
            double hat = ((double)row_of(&c->x, r)[i] - c->mean.at[r]) * c->rstd.at[r];
            gain += row_of(dy, r)[i] * hat;
            bias += row_of(dy, r)[i];
        }
        HOLDS(fabs(dgain->at[i] - gain) < 1e-5 * (double)(c->n + 1));
        HOLDS(fabs(dbias->at[i] - bias) < 1e-6 * (double)(c->n + 1));
    }
    for (size_t i = c->d; i < c->width; i++) HOLDS(dgain->at[i] == 1 && dbias->at[i] == 1);
}

static void norm_bwd_case(const sq_kernels *k, size_t n, size_t d)
{
    norm_case c = norm_open(k, n, d, 32);
    matrix dy = matrix_open(n, c.width, c.ld), dx = matrix_open(n, c.width, c.ld), dgain = row_open(c.width);
    matrix_random(&dy, 99, d);
    matrix_random(&dx, 98, d);
    matrix before = matrix_copy(&dx), alias = matrix_copy(&dy), dbias = row_open(c.width);
    for (size_t i = 0; i < c.width; i++) dgain.at[i] = dbias.at[i] = 1;
    k->norm_bwd(n, d, c.ld, c.x.at, c.gain.at, c.mean.at, c.rstd.at, dy.at, dx.at, 1, dgain.at, dbias.at);
    norm_dx_check(&c, &dy, &dx, &before);
    norm_parameters_check(&c, &dy, &dgain, &dbias);
    matrix *put_out[] = {&dx, &dgain, &dbias};
    for (size_t i = 0; i < 3; i++) matrix_note(put_out[i]);
    k->norm_bwd(n, d, c.ld, c.x.at, c.gain.at, c.mean.at, c.rstd.at, alias.at, alias.at, 0, dgain.at, dbias.at);
    norm_dx_check(&c, &dy, &alias, NULL);
    matrix *all[] = {&dy, &dx, &dgain, &dbias, &before, &alias};
    for (size_t i = 0; i < 6; i++) matrix_close(all[i]);
    norm_close(&c);
}

static void norm_bwd_body(const sq_kernels *k)
{
    static const size_t counts[] = {0, 1, 2, 9};
    EACH(size_t, n, counts)
    EACH(size_t, d, some_d) norm_bwd_case(k, *n, *d);
}

START_TEST(norm_gradient_agrees_with_finite_differences)
{
    each_variant(norm_bwd_body);
}
END_TEST

/* ---- exp -------------------------------------------------------------------------------------------------------------- */

static double ulps(float got, double exact)
{
    float at = (float)exact;
    double ulp = (double)nextafterf(fabsf(at), INFINITY) - (double)fabsf(at);
    return fabs((double)got - exact) / ulp;
}

#define EXP_ULP 1.01 /* v3 and v4: 1.0014 at -38.4142; base: 0.9754 */

static void exp_range_body(const sq_kernels *k)
{
    float x[1024], y[1024];
    double worst = 0;
    uint32_t count = 0;
    for (uint64_t bits = 0; bits < 0x100000000u; bits += 401) { /* every exponent, both signs, all mantissa patterns */
        float value = float_of((uint32_t)bits);
        if (value >= -87.33f && value <= 88.37f) x[count++] = value;
        if (count < 1024) continue;
        k->exp(1024, x, y);
        note(y, 1024);
        for (count = 0; count < 1024; count++) worst = fmax(worst, ulps(y[count], exp((double)x[count])));
        count = 0;
    }
    MUST(worst <= EXP_ULP, "%s: %g units in the last place", k->name, worst);
}

START_TEST(exp_is_within_1_01_units_in_the_last_place_over_its_range)
{
    each_variant(exp_range_body);
}
END_TEST

static void exp_hard_body(const sq_kernels *k)
{
    const float top = 2.3911e38f;
    const float x[] = {-87.34f,  -88, -103, -1e30f, -INFINITY, 88.38f, 89,      1e30f,
                       INFINITY, NAN, -NAN, 0,      -0.0f,     1e-45f, -1e-39f, -87.33f};
    float y[16];
    k->exp(16, x, y);
    for (int i = 0; i < 5; i++) MUST(same_bits(y[i], 0), "exp(%g) = %g", (double)x[i], (double)y[i]);
    for (int i = 5; i < 9; i++) MUST(fabsf(y[i] / top - 1) < 1e-4f, "exp(%g) = %g", (double)x[i], (double)y[i]);
    for (int i = 9; i < 11; i++) HOLDS(isnan(y[i]));
    for (int i = 11; i < 15; i++) HOLDS(y[i] == 1);
    HOLDS(y[15] > 1.17e-38f);
    note(y, 16);
}

START_TEST(exp_is_zero_below_saturates_above_and_keeps_nan)
{
    each_variant(exp_hard_body);
}
END_TEST

static void exp_tail_body(const sq_kernels *k)
{
    for (size_t n = 0; n < 50; n++) {
        matrix x = matrix_of(1, n, n, n), y = row_open(n);
        k->exp(n, x.at, y.at);
        for (size_t i = 0; i < n; i++) {
            float one[16] = {0}, result[16];
            one[0] = x.at[i];
            k->exp(16, one, result);
            HOLDS(same_bits(y.at[i], result[0]));
        }
        matrix_close(&x);
        matrix_close(&y);
    }
}

START_TEST(exp_of_an_element_does_not_depend_on_its_place)
{
    each_variant(exp_tail_body);
}
END_TEST

static void exp_shift_case(const sq_kernels *k, size_t n, float shift)
{
    size_t width = (n + 15) / 16 * 16;
    matrix x = row_open(width), expected = row_open(width);
    for (size_t i = 0; i < width; i++) x.at[i] = i < n ? 4 * uniform(n, i) : i % 2 ? NAN : 1e30f;
    if (n > 20) x.at[n / 2] = -INFINITY;
    for (size_t i = 0; i < width; i++) expected.at[i] = i < n ? x.at[i] - shift : 0;
    k->exp(n, expected.at, expected.at);
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++) lane[i % 16] += expected.at[i];
    float sum = k->exp_shift(n, shift, x.at);
    MUST(same_bits(sum, plain_tree(lane)), "n %zu", n);
    for (size_t i = 0; i < width; i++) MUST(same_bits(x.at[i], expected.at[i]), "n %zu, at %zu", n, i);
    note(&sum, 1);
    matrix_note(&x);
    matrix_close(&x);
    matrix_close(&expected);
}

/* Some of the elements are -Inf, and exponentials of others are 0 too. */
static void live_case(const sq_kernels *k, size_t n, float shift)
{
    size_t width = sq_round16(n);
    matrix x = row_open(width), plain = row_open(width);
    float live, sum, count = 0;
    double all = 0, scores = 0;
    for (size_t i = 0; i < width; i++) plain.at[i] = x.at[i] = i >= n ? NAN : i % 3 == 1 ? -INFINITY : 4 * uniform(n, i);
    for (size_t i = 0; i < n; i++) scores += i % 3 == 1 ? 0 : (double)x.at[i];
    float got = k->exp_live(n, shift, x.at, &live, &sum);
    k->exp_shift(n, shift, plain.at);
    for (size_t i = 0; i < width; i++) HOLDS(same_bits(x.at[i], i < n && i % 3 == 1 ? -0.0f : plain.at[i]));
    for (size_t i = 0; i < n; i++) all += (double)plain.at[i], count += i % 3 != 1;
    HOLDS(live == count && fabs((double)got - all) <= 1e-5 * all && fabs((double)sum - scores) <= 1e-5 * (1 + fabs(scores)));
    k->scale_live(n, 2, 0.25f, x.at);
    for (size_t i = 0; i < width; i++) {
        float wanted = i < n && i % 3 != 1 ? plain.at[i] * 2 - 0.25f : 0;
        HOLDS(fabsf(x.at[i] - wanted) <= 1e-6f * (1 + fabsf(wanted)));
    }
    note(x.at, n);
    matrix_close(&x);
    matrix_close(&plain);
}

static void live_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    {
        live_case(k, *n, 0.5f);
        live_case(k, *n, 100.0f);
    }
}

START_TEST(exponentials_of_what_is_there_are_told_from_those_of_what_is_not)
{
    each_variant(live_body);
}
END_TEST

static void exp_shift_body(const sq_kernels *k)
{
    for (size_t n = 0; n < 70; n++) {
        exp_shift_case(k, n, 0.5f);
        exp_shift_case(k, n, -90.0f);
        exp_shift_case(k, n, 100.0f);
    }
}

START_TEST(shifted_exp_sums_what_it_writes_and_zeroes_to_sixteen)
{
    each_variant(exp_shift_body);
}
END_TEST

/* ---- GELU ------------------------------------------------------------------------------------------------------------- */

static double plain_cumulative(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}
static double plain_density(double x)
{
    return 0.39894228040143267794 * exp(-x * x / 2);
}

static void gelu_case(const sq_kernels *k, size_t n, size_t width, size_t ld)
{
    matrix x = matrix_of(n, width, ld, n + width), y = matrix_open(n, width, ld), dx = matrix_of(n, width, ld, 4);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) row_of(&x, r)[c] *= 8;
    matrix before = matrix_copy(&dx);
    k->gelu_fwd(n, width, ld, x.at, y.at);
    k->gelu_bwd(n, width, ld, x.at, dx.at);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) {
            double v = row_of(&x, r)[c], slope = plain_cumulative(v) + v * plain_density(v);
            HOLDS(fabs(row_of(&y, r)[c] - v * plain_cumulative(v)) < 2e-7 * (1 + fabs(v)));
            HOLDS(fabs(row_of(&dx, r)[c] - row_of(&before, r)[c] * slope) < 1e-6);
        }
    matrix *all[] = {&x, &y, &dx, &before};
    for (size_t i = 0; i < 4; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void gelu_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) gelu_case(k, *n, *width, *width + 16);
    const float x[16] = {0,       -0.0f, INFINITY, -INFINITY, NAN, 1e30f, -1e30f, 1e-40f,
                         -1e-40f, 20,    -20,      1e-20f,    3,   -3,    1,      -1};
    float y[16], dx[16];
    for (int i = 0; i < 16; i++) dx[i] = 1;
    k->gelu_fwd(1, 16, 16, x, y);
    k->gelu_bwd(1, 16, 16, x, dx);
    HOLDS(y[0] == 0 && y[1] == 0 && y[2] == INFINITY && isnan(y[3]) && isnan(y[4]));
    HOLDS(y[5] == 1e30f && y[6] == 0 && y[9] == 20 && y[10] == 0 && fabsf(y[7]) < 1e-39f);
    HOLDS(dx[5] == 1 && dx[6] == 0 && dx[9] == 1 && dx[10] == 0 && isnan(dx[4]));
    note(y, 16);
    note(dx, 16);
}

START_TEST(gelu_and_its_slope_agree_with_the_normal_distribution)
{
    each_variant(gelu_body);
}
END_TEST

/* ---- gates ------------------------------------------------------------------------------------------------------- */

static void gates_case(const sq_kernels *k, size_t n, size_t width)
{
    const float scale = 1.25f;
    matrix z = matrix_of(n, width, width + 16, 1), kept = matrix_of(n, width, width, 2),
           d = matrix_of(n, width, width, 3);
    matrix dz = matrix_of(n, width, width + 16, 4), s = matrix_of(n, width, width, 5);
    matrix old_d = matrix_copy(&d), old_dz = matrix_copy(&dz), old_s = matrix_copy(&s), d_alone = matrix_copy(&d);
    k->gate_fwd(n, width, width, width + 16, z.at, s.at);
    k->gate_bwd(n, width, width, width + 16, scale, kept.at, z.at, dz.at, d.at);
    k->gate_bwd(n, width, width, width + 16, scale, kept.at, z.at, NULL, d_alone.at);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++) {
            float p = row_of(&kept, r)[i] > 0 ? row_of(&kept, r)[i] * scale : 0, gate = row_of(&z, r)[i];
            float slope = chain(k, p, row_of(&old_d, r)[i], row_of(&old_dz, r)[i]);
            HOLDS(same_bits(row_of(&s, r)[i], row_of(&old_s, r)[i] * gate));
            HOLDS(same_bits(row_of(&d, r)[i], row_of(&old_d, r)[i] * gate));
            HOLDS(same_bits(row_of(&d, r)[i], row_of(&d_alone, r)[i]));
            HOLDS(same_bits(row_of(&dz, r)[i], slope));
        }
    matrix_note(&dz);
    matrix *all[] = {&z, &kept, &d, &dz, &s, &old_d, &old_dz, &old_s, &d_alone};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) matrix_close(all[i]);
}

static void gates_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) gates_case(k, *n, *width);
}

START_TEST(gates_multiply_and_their_slopes_add_what_was_kept)
{
    each_variant(gates_body);
}
END_TEST

/* ---- SiLU, gated units, pointwise attention ----------------------------------------------------------------------- */

static double plain_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double plain_silu_slope(double x) { return plain_sigmoid(x) * (1 + x * (1 - plain_sigmoid(x))); }
static int near_by(float x, double expected, double size) { return fabs((double)x - expected) <= 1e-6 * (1 + fabs(size)); }
static int near(float x, double expected) { return near_by(x, expected, expected); }

/* Random, up to 12 and, in the first row, up to 100 in size. */
static matrix wide_matrix(size_t n, size_t width, size_t ld, uint64_t key)
{
    matrix m = matrix_of(n, width, ld, key);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) row_of(&m, r)[c] *= r ? 12 : 100;
    return m;
}

static void units_case(const sq_kernels *k, size_t n, size_t width)
{
    matrix z = wide_matrix(n, width, width + 32, 1), a = wide_matrix(n, width, width + 32, 2), g = wide_matrix(n, width, width, 3);
    matrix s = matrix_copy(&z), ds = matrix_copy(&a), y = matrix_copy(&g), l = matrix_copy(&g);
    matrix dz = matrix_copy(&z), da = matrix_copy(&a), lz = matrix_copy(&z), la = matrix_copy(&a);
    k->silu_fwd(n, width, s.ld, s.at, s.at);
    k->silu_bwd(n, width, z.ld, z.at, ds.at);
    k->swiglu_fwd(n, width, z.ld, z.at, a.at, y.at);
    k->swiglu_bwd(n, width, z.ld, z.at, a.at, g.at, dz.at, da.at);
    k->sigmoid_fwd(n, width, z.ld, z.at, a.at, l.at);
    k->sigmoid_bwd(n, width, z.ld, z.at, a.at, g.at, lz.at, la.at);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) {
            double x = row_of(&z, r)[c], b = row_of(&a, r)[c], d = row_of(&g, r)[c], p = plain_sigmoid(x);
            HOLDS(near(row_of(&s, r)[c], x * p) && near_by(row_of(&ds, r)[c], b * plain_silu_slope(x), b * (1 + fabs(x))));
            HOLDS(near(row_of(&y, r)[c], x * p * b) && near(row_of(&da, r)[c], d * x * p));
            HOLDS(near_by(row_of(&dz, r)[c], d * b * plain_silu_slope(x), d * b * (1 + fabs(x))));
            HOLDS(near(row_of(&l, r)[c], p * b) && near(row_of(&la, r)[c], d * p) && near_by(row_of(&lz, r)[c], d * b * p * (1 - p), d * b));
        }
    matrix *all[] = {&z, &a, &g, &s, &ds, &y, &l, &dz, &da, &lz, &la};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void units_body(const sq_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) units_case(k, *n, *width);
}

START_TEST(silu_and_gated_units_agree_with_double)
{
    each_variant(units_body);
}
END_TEST

static void pointwise_case(const sq_kernels *k, size_t n, size_t seen, size_t more, size_t width)
{
    matrix s = wide_matrix(n, width, width + 16, 4), kept = matrix_open(n, width, s.ld), p = matrix_open(n, width, width);
    matrix d = wide_matrix(n, width, width, 5), before = matrix_copy(&s), da = matrix_copy(&d);
    for (size_t r = 0; r < n; r++)
        for (size_t c = seen + r * more; c < width; c++) row_of(&s, r)[c] = row_of(&d, r)[c] = NAN;
    k->pointwise_fwd(n, seen, more, width, s.ld, 0.25f, s.at, kept.at);
    k->pointwise_bwd(n, seen, more, width, s.ld, width, 0.25f, kept.at, p.at, d.at);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) {
            int sees = c < seen + r * more;
            double x = sees ? row_of(&before, r)[c] : 0;
            HOLDS(near(row_of(&s, r)[c], x * plain_sigmoid(x) / 4) && same_bits(row_of(&p, r)[c], row_of(&s, r)[c]));
            HOLDS(near_by(row_of(&d, r)[c], sees ? row_of(&da, r)[c] * plain_silu_slope(x) / 4 : 0, row_of(&da, r)[c] * (1 + fabs(x))));
            HOLDS(row_of(&kept, r)[c] == (float)x);
        }
    matrix *all[] = {&s, &kept, &p, &d, &before, &da};
    for (size_t i = 0; i < 6; i++) {
        if (i < 4) matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void pointwise_body(const sq_kernels *k)
{
    EACH(size_t, width, some_widths)
    {
        pointwise_case(k, 1, 1, 1, *width);
        pointwise_case(k, 9, *width - 8, 1, *width);
        pointwise_case(k, 7, *width - 3, 0, *width);
    }
}

START_TEST(pointwise_attention_is_zero_where_a_row_does_not_see)
{
    each_variant(pointwise_body);
}
END_TEST

START_TEST(the_best_table_is_one_of_the_variants)
{
    const sq_kernels *best = sq_kernels_best(), *last = NULL;
    for (int32_t i = 0; i < 3; i++)
        if (sq_kernels_variant(i)) last = sq_kernels_variant(i);
    ck_assert_ptr_eq(best, last);
    ck_assert_ptr_nonnull(sq_kernels_variant(0));
    ck_assert_ptr_null(sq_kernels_variant(3));
    ck_assert_ptr_null(sq_kernels_variant(-1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *c = tcase_create("kernels");
    tcase_add_test(c, the_best_table_is_one_of_the_variants);
    tcase_add_test(c, exponentials_of_what_is_there_are_told_from_those_of_what_is_not);
    tcase_add_test(c, values_are_found_in_order);
    tcase_add_test(c, random_numbers_side_by_side_are_those_one_by_one);
    tcase_add_test(c, dot_sums_in_sixteen_lanes_and_one_tree);
    tcase_add_test(c, dots_of_many_rows_are_the_dots_of_each);
    tcase_add_test(c, gathered_rows_are_added_in_order);
    tcase_add_test(c, a_row_is_spread_over_rows_in_order);
    tcase_add_test(c, axpy_scale_and_add_round_as_plain_c);
    tcase_add_test(c, max_skips_nan_and_ignores_what_lies_behind);
    tcase_add_test(c, max_abs_is_infinite_when_anything_is_not_finite);
    tcase_add_test(c, transpose_zeroes_up_to_sixteen_and_no_further);
    tcase_add_test(c, rows_are_filled_and_columns_summed_in_order);
    tcase_add_test(c, columns_are_multiplied_and_summed_in_order_forwards_and_backwards);
    tcase_add_test(c, norm_agrees_with_double_at_any_true_width);
    tcase_add_test(c, norm_of_hard_rows_leaves_other_rows_alone);
    tcase_add_test(c, norm_gradient_agrees_with_finite_differences);
    tcase_add_test(c, exp_is_within_1_01_units_in_the_last_place_over_its_range);
    tcase_add_test(c, exp_is_zero_below_saturates_above_and_keeps_nan);
    tcase_add_test(c, exp_of_an_element_does_not_depend_on_its_place);
    tcase_add_test(c, shifted_exp_sums_what_it_writes_and_zeroes_to_sixteen);
    tcase_add_test(c, gelu_and_its_slope_agree_with_the_normal_distribution);
    tcase_add_test(c, gates_multiply_and_their_slopes_add_what_was_kept);
    tcase_add_test(c, silu_and_gated_units_agree_with_double);
    tcase_add_test(c, pointwise_attention_is_zero_where_a_row_does_not_see);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
