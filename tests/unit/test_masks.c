/* unit: the kernels that hash a dropout mask (dropout, ReLU, attention's softmax) against plain C, and the hash's statistics. */
#include "kernel_check.h"
#include "run_suite.h"

static sq_dropout dropout_of(double p, uint64_t key)
{
    uint32_t threshold = (uint32_t)(p * 65536 + 0.5);
    return (sq_dropout){key, threshold, 65536.0f / (float)(65536 - threshold)};
}

/* The mask itself: what dropout leaves of ones. */
static matrix mask_of(const sq_kernels *k, size_t n, size_t width, const sq_dropout *dropout, uint64_t first)
{
    matrix x = matrix_open(n, width, width);
    for (size_t i = 0; i < n * width; i++) x.at[i] = 1;
    k->dropout(n, width, width, dropout, first, x.at);
    return x;
}

/* ---- dropout and ReLU ------------------------------------------------------------------------------------------------- */

static void dropout_case(const sq_kernels *k, size_t n, size_t width, size_t ld, double p)
{
    sq_dropout dropout = dropout_of(p, 0x123456789abcdef0u);
    matrix x = matrix_open(n, width, ld), mask = mask_of(k, n, width, &dropout, 40);
    matrix_hard(&x, n + width);
    matrix relu = matrix_copy(&x), dx = matrix_of(n, width, ld, 5), before = matrix_copy(&x), dy = matrix_copy(&dx);
    k->dropout(n, width, ld, &dropout, 40, x.at);
    k->relu_fwd(n, width, ld, &dropout, 40, relu.at);
    k->relu_bwd(n, width, ld, &dropout, relu.at, dx.at);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++) {
            float v = row_of(&before, r)[c], kept = row_of(&mask, r)[c], positive = v > 0 ? v : 0;
            HOLDS(kept == 0 || kept == dropout.scale);
            float rectified = kept == 0 ? 0 : positive * kept,
                  slope = rectified > 0 ? row_of(&dy, r)[c] * dropout.scale : 0;
            HOLDS(same_bits(row_of(&x, r)[c], kept == 0 ? 0 : v * kept));
            HOLDS(same_bits(row_of(&relu, r)[c], rectified));
            HOLDS(same_bits(row_of(&dx, r)[c], slope));
        }
    matrix *all[] = {&x, &mask, &relu, &dx, &before, &dy};
    for (size_t i = 0; i < 6; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

static void dropout_body(const sq_kernels *k)
{
    static const double rates[] = {0, 1.0 / 65536, 0.2, 0.5, 0.99};
    EACH(double, p, rates)
    EACH(size_t, n, some_counts)
    EACH(size_t, width, some_widths) dropout_case(k, *n, *width, *n % 2 ? *width : *width + 16, *p);
}

START_TEST(dropped_elements_are_zero_whatever_they_were_and_relu_uses_the_same_mask)
{
    each_variant(dropout_body);
}
END_TEST

static void split_case(const sq_kernels *k, size_t width, uint64_t first)
{
    sq_dropout dropout = dropout_of(0.5, 77);
    matrix whole = mask_of(k, 23, width, &dropout, first);
    for (size_t at = 0, n = 1; at < 23; at += n, n = n + 3 < 23 - at ? n + 3 : 23 - at) {
        matrix part = mask_of(k, n, width, &dropout, first + at);
        HOLDS(memcmp(part.at, row_of(&whole, at), n * width * sizeof(float)) == 0);
        matrix_close(&part);
    }
    matrix_note(&whole);
    matrix_close(&whole);
}

static void split_body(const sq_kernels *k)
{
    EACH(size_t, width, some_widths)
    {
        split_case(k, *width, 0);
        split_case(k, *width, 1000003);
        split_case(k, *width, ((uint64_t)1 << 28) - 7); /* rows on both sides of what 32 bits count */
        split_case(k, *width, ((uint64_t)1 << 40) - 7);
    }
}

START_TEST(a_row_has_its_mask_wherever_the_rows_are_cut)
{
    each_variant(split_body);
}
END_TEST

/* The same mask in every instruction set, base included: a model may be resumed on another machine. */
START_TEST(every_instruction_set_draws_the_same_mask)
{
    sq_dropout dropout = dropout_of(0.3, 0xfeedfacecafebeefu);
    matrix expected = mask_of(sq_kernels_variant(0), 64, 112, &dropout, 5);
    for (int32_t i = 1; i < 3; i++) {
        if (!sq_kernels_variant(i)) continue;
        matrix mask = mask_of(sq_kernels_variant(i), 64, 112, &dropout, 5);
        HOLDS(memcmp(mask.at, expected.at, 64 * 112 * sizeof(float)) == 0);
        matrix_close(&mask);
    }
    matrix_close(&expected);
}
END_TEST

/* ---- statistics of the mask ------------------------------------------------------------------------------------------- */

static void rate_body(const sq_kernels *k)
{
    static const double rates[] = {0.01, 0.1, 0.2, 0.5, 0.9, 0.99};
    EACH(double, p, rates)
    for (uint64_t key = 0; key < 8; key++) {
        sq_dropout dropout = dropout_of(*p, sq_random_key(key, SQ_STREAM_DROPOUT, 3));
        matrix mask = mask_of(k, 2000, 64, &dropout, key * 2000);
        double n = 2000 * 64, rate = dropout.threshold / 65536.0, dropped = 0;
        for (size_t i = 0; i < 2000 * 64; i++) dropped += mask.at[i] == 0;
        MUST(fabs(dropped - n * rate) < 5 * sqrt(n * rate * (1 - rate)), "p %g key %llu: %g of %g", *p,
             (unsigned long long)key, dropped, n);
        matrix_close(&mask);
    }
}

START_TEST(the_rate_is_within_five_deviations)
{
    each_variant(rate_body);
}
END_TEST

/* Chi-square with one degree of freedom of "is a dropped" against "is b dropped"; below 24 but for one case in a million. */
static double dependence(size_t n, const uint8_t *a, const uint8_t *b)
{
    double count[2][2] = {{0}}, chi = 0;
    for (size_t i = 0; i < n; i++) count[a[i]][b[i]]++;
    for (int x = 0; x < 2; x++)
        for (int y = 0; y < 2; y++) {
            double expected = (count[x][0] + count[x][1]) * (count[0][y] + count[1][y]) / (double)n;
            chi += (count[x][y] - expected) * (count[x][y] - expected) / expected;
        }
    return chi;
}

#define LONG_ROWS 4096
#define LONG_WIDTH 64
#define LONG (LONG_ROWS * LONG_WIDTH)

static uint8_t *drops(const sq_kernels *k, const sq_dropout *dropout, uint64_t first)
{
    matrix mask = mask_of(k, LONG_ROWS, LONG_WIDTH, dropout, first);
    uint8_t *dropped = malloc(LONG);
    for (size_t i = 0; i < LONG; i++) dropped[i] = mask.at[i] == 0;
    matrix_close(&mask);
    return dropped;
}

#define CHI_LIMIT 24.0

START_TEST(elements_are_independent_of_their_neighbours)
{
    static const double rates[] = {0.1, 0.2, 0.5};
    EACH(double, p, rates)
    for (uint64_t key = 0; key < 4; key++) {
        sq_dropout dropout = dropout_of(*p, sq_random_key(key, SQ_STREAM_DROPOUT, 1));
        uint8_t *mask = drops(sq_kernels_best(), &dropout, 0);
        for (size_t lag = 1; lag <= 2 * LONG_WIDTH; lag++) {
            double chi = dependence(LONG - lag, mask, mask + lag);
            MUST(chi < CHI_LIMIT, "p %g key %llu lag %zu: %g", *p, (unsigned long long)key, lag, chi);
        }
        free(mask);
    }
}
END_TEST

static void keys_case(double p, uint64_t key, uint64_t other, uint64_t first, uint64_t other_first)
{
    sq_dropout a = dropout_of(p, key), b = dropout_of(p, other);
    uint8_t *x = drops(sq_kernels_best(), &a, first), *y = drops(sq_kernels_best(), &b, other_first);
    double chi = dependence(LONG, x, y);
    MUST(chi < CHI_LIMIT, "p %g keys %llx %llx rows %llu %llu: %g", p, (unsigned long long)key,
         (unsigned long long)other, (unsigned long long)first, (unsigned long long)other_first, chi);
    free(x);
    free(y);
}

START_TEST(keys_one_bit_apart_give_independent_masks)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t key = sq_random_key(9, SQ_STREAM_DROPOUT, 8);
        keys_case(bit % 2 ? 0.5 : 0.2, key, key ^ (uint64_t)1 << bit, 0, 0);
        keys_case(0.5, 0, (uint64_t)1 << bit, 0, 0);
    }
    for (uint64_t step = 0; step < 20; step++)
        keys_case(0.2, sq_random_key(1, SQ_STREAM_DROPOUT, step), sq_random_key(1, SQ_STREAM_DROPOUT, step + 1), 0, 0);
}
END_TEST

START_TEST(rows_far_apart_have_independent_masks)
{
    uint64_t key = sq_random_key(4, SQ_STREAM_DROPOUT, 2);
    for (int bit = 12; bit < 60; bit++) keys_case(0.5, key, key, 3, 3 + ((uint64_t)1 << bit));
}
END_TEST

/* All 16-bit halves occur equally often: 256 classes of the hash's top bits by 256 thresholds. */
START_TEST(thresholds_cut_the_hash_evenly)
{
    double counts[17] = {0}, chi = 0;
    for (uint32_t i = 0; i <= 16; i++) {
        sq_dropout dropout = {sq_random_key(2, SQ_STREAM_DROPOUT, 5), i * 4096, 1};
        matrix mask = mask_of(sq_kernels_best(), 1000, 64, &dropout, 0);
        for (size_t j = 0; j < 64000; j++) counts[i] += mask.at[j] == 0;
        matrix_close(&mask);
    }
    HOLDS(counts[0] == 0);
    HOLDS(counts[16] == 64000);
    for (int i = 0; i < 16; i++) {
        HOLDS(counts[i + 1] > counts[i]); /* one hash, growing thresholds: what is dropped stays dropped */
        chi += (counts[i + 1] - counts[i] - 4000) * (counts[i + 1] - counts[i] - 4000) / 4000;
    }
    MUST(chi < 50, "%g", chi); /* 15 degrees of freedom: one case in 100,000 */
}
END_TEST

/* ---- attention softmax --------------------------------------------------------------------------------------------------- */

/* Row r sees seen + r * more keys. */
typedef struct attend_case {
    size_t n, seen, more, width, ld;
    float scale;
    sq_dropout dropout;
    uint64_t mask_row;
    matrix scores, s, kept;
} attend_case;

/* Scores in -6..6; what a row must not see is NaN, infinite or large. */
static attend_case attend_open(size_t n, size_t seen, size_t more, size_t width, size_t ld, double p)
{
    attend_case c = {.n = n, .seen = seen, .more = more, .width = width, .ld = ld, .scale = 0.7f};
    c.dropout = dropout_of(p, 4241 + seen);
    c.mask_row = 999 + n + seen;
    c.scores = matrix_open(n, width, ld);
    static const float unseen[] = {NAN, INFINITY, 3e38f, -INFINITY, 100};
    for (size_t r = 0; r < n; r++)
        for (size_t j = 0; j < width; j++)
            row_of(&c.scores, r)[j] = j < seen + r * more ? 6 * uniform(n + seen, r * width + j) : unseen[(r + j) % 5];
    c.s = matrix_copy(&c.scores);
    c.kept = matrix_open(n, width, ld);
    return c;
}

static void attend_run(const sq_kernels *k, attend_case *c, int keep)
{
    k->attend_fwd(c->n, c->seen, c->more, c->width, c->ld, c->scale, &c->dropout, c->mask_row, c->s.at,
                  keep ? c->kept.at : NULL);
}

static void attend_close(attend_case *c)
{
    matrix_close(&c->scores);
    matrix_close(&c->s);
    matrix_close(&c->kept);
}

static size_t seen_by(const attend_case *c, size_t r)
{
    return c->seen + r * c->more;
}

static void plain_softmax(const attend_case *c, size_t r, double *p)
{
    double top = -INFINITY, sum = 0;
    const float *s = row_of(&c->scores, r);
    for (size_t j = 0; j < seen_by(c, r); j++) top = fmax(top, (double)s[j] * c->scale);
    for (size_t j = 0; j < c->width; j++) sum += p[j] = j < seen_by(c, r) ? exp((double)s[j] * c->scale - top) : 0;
    for (size_t j = 0; j < c->width; j++) p[j] /= sum;
}

static void attend_row_check(const attend_case *c, size_t r, size_t *dropped)
{
    double p[512];
    plain_softmax(c, r, p);
    for (size_t j = 0; j < c->width; j++) {
        float s = row_of(&c->s, r)[j], kept = row_of(&c->kept, r)[j];
        if (j >= seen_by(c, r)) {
            MUST(s == 0 && kept == 0, "row %zu sees column %zu", r, j);
            continue;
        }
        HOLDS(fabs(fabsf(kept) - p[j]) < 1e-6 * p[j] + 1e-12);
        MUST(kept > 0 ? same_bits(s, kept * c->dropout.scale) : same_bits(s, 0), "kept %g, p %g", (double)kept,
             (double)s);
        *dropped += kept < 0;
    }
}

static void attend_fwd_case(const sq_kernels *k, size_t n, size_t seen, size_t more, size_t extra, double p)
{
    size_t width = (seen + more * n + 15) / 16 * 16 + extra, dropped = 0;
    attend_case c = attend_open(n, seen, more, width, width + extra, p);
    attend_case without = attend_open(n, seen, more, width, width + extra, p);
    attend_run(k, &c, 1);
    attend_run(k, &without, 0);
    for (size_t r = 0; r < n; r++) {
        attend_row_check(&c, r, &dropped);
        HOLDS(memcmp(row_of(&c.s, r), row_of(&without.s, r), width * sizeof(float)) == 0);
    }
    double pairs = (double)(n * seen + more * (n * (n - 1) / 2) * (n > 0)), rate = c.dropout.threshold / 65536.0;
    HOLDS(fabs((double)dropped - pairs * rate) <= 5 * sqrt(pairs * rate * (1 - rate)) + 1);
    matrix_note(&c.s);
    matrix_note(&c.kept);
    attend_close(&c);
    attend_close(&without);
}

static void attend_fwd_body(const sq_kernels *k)
{
    static const size_t starts[] = {0, 1, 7, 15, 16, 31, 48, 177, 240};
    static const double rates[] = {0, 0.2, 0.5};
    EACH(double, p, rates)
    EACH(size_t, n, some_counts)
    EACH(size_t, i0, starts)
    for (size_t more = 0; more < 2; more++) {
        attend_fwd_case(k, *n, *i0 + 1, more, 0, *p);
        attend_fwd_case(k, *n, *i0 + 1, more, 16, *p);
    }
}

START_TEST(softmax_agrees_with_double_and_turns_the_sign_of_what_it_drops)
{
    each_variant(attend_fwd_body);
}
END_TEST

/* A row's result is the same in any block of rows and at any width. */
static void attend_cut_case(const sq_kernels *k, size_t more)
{
    attend_case whole = attend_open(40, 10, more, 64, 64, 0.2);
    matrix parts = matrix_copy(&whole.scores);
    attend_run(k, &whole, 1);
    for (size_t r = 0; r < 40; r++) {
        size_t seen = seen_by(&whole, r), width = (seen + 15) / 16 * 16;
        k->attend_fwd(1, seen, more, width, 64, whole.scale, &whole.dropout, whole.mask_row + r, row_of(&parts, r), NULL);
        HOLDS(memcmp(row_of(&parts, r), row_of(&whole.s, r), width * sizeof(float)) == 0);
    }
    matrix_close(&parts);
    attend_close(&whole);
}

static void attend_cut_body(const sq_kernels *k)
{
    attend_cut_case(k, 0);
    attend_cut_case(k, 1);
}

START_TEST(a_row_of_attention_does_not_depend_on_its_block)
{
    each_variant(attend_cut_body);
}
END_TEST

#define SIDE 256

/* drops[row][key] of attention in one place of one step. */
static uint8_t *attention_drops(void)
{
    uint8_t *drops = malloc(SIDE * SIDE);
    attend_case c = attend_open(SIDE, SIDE + 1, 1, 2 * SIDE, 2 * SIDE, 0.5);
    attend_run(sq_kernels_best(), &c, 1);
    for (size_t r = 0; r < SIDE; r++)
        for (size_t j = 0; j < SIDE; j++) drops[r * SIDE + j] = row_of(&c.kept, r)[j] < 0;
    attend_close(&c);
    return drops;
}

/* Every element against the one `rows` below and `keys` to the right. */
static double attention_dependence(const uint8_t *drops, size_t rows, size_t keys)
{
    static uint8_t a[SIDE * SIDE], b[SIDE * SIDE];
    size_t n = 0;
    for (size_t r = 0; r + rows < SIDE; r++)
        for (size_t j = 0; j + keys < SIDE; j++, n++) {
            a[n] = drops[r * SIDE + j + keys];
            b[n] = drops[(r + rows) * SIDE + j];
        }
    return dependence(n, a, b);
}

START_TEST(attention_masks_are_independent_of_neighbouring_rows_and_keys)
{
    uint8_t *drops = attention_drops();
    for (size_t rows = 0; rows < 4; rows++)
        for (size_t keys = 0; keys < 200; keys++) {
            if (rows == 0 && keys == 0) continue;
            double chi = attention_dependence(drops, rows, keys);
            MUST(chi < CHI_LIMIT, "%zu rows, %zu keys: %g", rows, keys, chi);
        }
    free(drops);
}
END_TEST

static void attend_hard_body(const sq_kernels *k)
{
    attend_case c = attend_open(4, 21, 1, 32, 32, 0);
    row_of(&c.s, 0)[3] = NAN;
    row_of(&c.s, 1)[3] = INFINITY;
    row_of(&c.s, 2)[3] = -INFINITY;
    for (size_t j = 0; j <= 23; j++) row_of(&c.s, 3)[j] = j == 5 ? 1e8f : -1e8f;
    attend_run(k, &c, 1);
    for (size_t j = 0; j <= 20; j++) HOLDS(isnan(row_of(&c.s, 0)[j]));
    for (size_t j = 0; j <= 21; j++) HOLDS(isnan(row_of(&c.s, 1)[j]));
    HOLDS(row_of(&c.s, 2)[3] == 0 && row_of(&c.s, 2)[2] > 0);
    for (size_t j = 0; j < 32; j++) HOLDS(row_of(&c.s, 3)[j] == (j == 5));
    matrix_note(&c.s);
    attend_close(&c);
}

START_TEST(an_infinite_score_is_a_closed_key_and_nan_stays_in_its_row)
{
    each_variant(attend_hard_body);
}
END_TEST

/* sum_j dp_j * dropped probability_j of row r with score `at` moved by h. */
static double attend_value(attend_case *c, size_t r, size_t at, double h, const float *dp)
{
    double p[512], sum = 0, value = 0;
    const float *s = row_of(&c->scores, r);
    for (size_t j = 0; j < seen_by(c, r); j++) sum += p[j] = exp(((double)s[j] + (j == at ? h : 0)) * c->scale);
    for (size_t j = 0; j < seen_by(c, r); j++)
        if (row_of(&c->kept, r)[j] > 0) value += dp[j] * p[j] / sum * c->dropout.scale;
    return value;
}

static void attend_bwd_row(attend_case *c, size_t r, const matrix *dp, const matrix *d, const matrix *p)
{
    for (size_t j = 0; j < c->width; j++) {
        const float *at = row_of(dp, r);
        double slope = 0;
        if (j < seen_by(c, r)) slope = (attend_value(c, r, j, 1e-5, at) - attend_value(c, r, j, -1e-5, at)) / 2e-5;
        MUST(fabs(row_of(d, r)[j] - slope) < 2e-6, "row %zu key %zu: %g, not %g", r, j, (double)row_of(d, r)[j], slope);
        HOLDS(row_of(p, r)[j] == row_of(&c->s, r)[j]);
    }
}

static void attend_bwd_case(const sq_kernels *k, size_t n, size_t seen, size_t more, double rate)
{
    size_t width = (seen + more * n + 15) / 16 * 16;
    attend_case c = attend_open(n, seen, more, width, width, rate);
    attend_run(k, &c, 1);
    matrix dp = matrix_of(n, width, width + 16, 3), delta = row_open(n), p = matrix_open(n, width, width + 16);
    for (size_t r = 0; r < n; r++) {
        double sum = 0;
        for (size_t j = 0; j < seen_by(&c, r); j++) sum += (double)row_of(&dp, r)[j] * row_of(&c.s, r)[j];
        delta.at[r] = (float)sum;
    }
    matrix d = matrix_copy(&dp), without = matrix_copy(&dp);
    k->attend_bwd(n, width, width, width + 16, c.scale, c.dropout.scale, c.kept.at, delta.at, p.at, d.at);
    k->attend_bwd(n, width, width, width + 16, c.scale, c.dropout.scale, c.kept.at, delta.at, NULL, without.at);
    for (size_t r = 0; r < n; r++) {
        attend_bwd_row(&c, r, &dp, &d, &p);
        HOLDS(memcmp(row_of(&d, r), row_of(&without, r), width * sizeof(float)) == 0);
    }
    matrix *all[] = {&d, &p, &dp, &delta, &without};
    for (size_t i = 0; i < 5; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
    attend_close(&c);
}

static void attend_bwd_body(const sq_kernels *k)
{
    static const size_t starts[] = {0, 1, 16, 45}, counts[] = {0, 1, 3, 17};
    static const double rates[] = {0, 0.2, 0.5};
    EACH(double, rate, rates)
    EACH(size_t, n, counts)
    EACH(size_t, i0, starts)
    {
        attend_bwd_case(k, *n, *i0 + 1, 1, *rate);
        attend_bwd_case(k, *n, *i0 + 1, 0, *rate);
    }
}

START_TEST(attention_gradient_agrees_with_finite_differences)
{
    each_variant(attend_bwd_body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("masks");
    TCase *c = tcase_create("masks");
    tcase_add_test(c, dropped_elements_are_zero_whatever_they_were_and_relu_uses_the_same_mask);
    tcase_add_test(c, a_row_has_its_mask_wherever_the_rows_are_cut);
    tcase_add_test(c, every_instruction_set_draws_the_same_mask);
    tcase_add_test(c, the_rate_is_within_five_deviations);
    tcase_add_test(c, elements_are_independent_of_their_neighbours);
    tcase_add_test(c, keys_one_bit_apart_give_independent_masks);
    tcase_add_test(c, rows_far_apart_have_independent_masks);
    tcase_add_test(c, thresholds_cut_the_hash_evenly);
    tcase_add_test(c, softmax_agrees_with_double_and_turns_the_sign_of_what_it_drops);
    tcase_add_test(c, a_row_of_attention_does_not_depend_on_its_block);
    tcase_add_test(c, attention_masks_are_independent_of_neighbouring_rows_and_keys);
    tcase_add_test(c, an_infinite_score_is_a_closed_key_and_nan_stays_in_its_row);
    tcase_add_test(c, attention_gradient_agrees_with_finite_differences);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
