/* unit: the scan kernels of every instruction set against plain C, bit for bit. */
#include "kernel_check.h"
#include "run_suite.h"
#include "tensor/scankernels.h"

static const size_t some_blocks[] = {0, 1, 2, 3, 5, 64};
static const size_t scan_widths[] = {16, 32, 48, 64, 80, 128, 1024};

/* Whole numbers of the query, taken from the two forms it is kept in. */
static int32_t from_halves(const sq_int8_query *q, size_t i)
{
    const uint32_t pair = (uint32_t)q->words[i / 4][i % 2];
    return (int16_t)(i % 4 < 2 ? pair & 0xffff : pair >> 16);
}

static int32_t from_bytes(const sq_int8_query *q, size_t i)
{
    const int32_t shift = 8 * (int32_t)(i % 4);
    return 256 * (int8_t)((uint32_t)q->words[i / 4][3] >> shift & 255) + (int8_t)((uint32_t)q->words[i / 4][2] >> shift & 255);
}

static sq_int8_query open_query(size_t width)
{
    return (sq_int8_query){.words = malloc(width / 4 * sizeof(int32_t[4]))};
}

START_TEST(a_query_is_kept_within_half_a_step)
{
    EACH(size_t, width, scan_widths)
    for (uint64_t round = 0; round < 4; round++) {
        matrix u = matrix_of(1, *width, *width, *width + round);
        sq_int8_query q = open_query(*width);
        int64_t sum = 0;
        sq_int8_query_set(&q, *width, u.at);
        for (size_t i = 0; i < *width; i++) {
            const int32_t v = from_halves(&q, i);
            MUST(v == from_bytes(&q, i), "%d in halves, %d in bytes", v, from_bytes(&q, i));
            HOLDS(fabs((double)v * q.step - u.at[i]) <= 0.503 * q.step);
            HOLDS(llabs(v) * 128 * (int64_t)*width <= INT32_MAX);
            sum += v;
        }
        HOLDS(q.bias == 128 * sum);
        free(q.words);
        matrix_close(&u);
    }
}
END_TEST

START_TEST(a_query_of_nothing_or_not_finite_is_zero)
{
    float u[16] = {0};
    sq_int8_query q = open_query(16);
    for (int32_t round = 0; round < 3; round++) {
        u[5] = round == 0 ? 0 : round == 1 ? INFINITY : NAN;
        sq_int8_query_set(&q, 16, u);
        HOLDS(q.step == 0 && q.bias == 0);
        for (size_t i = 0; i < 16; i++) HOLDS(from_halves(&q, i) == 0);
    }
    free(q.words);
}
END_TEST

/* Runs body for every instruction set of this processor. */
static void each_scan(void (*body)(const sq_scan_kernels *kernels))
{
    HOLDS(sq_scan_kernels_variant(0) != NULL && sq_scan_kernels_best() != NULL);
    for (int32_t i = 0; i < SQ_SCAN_VARIANTS; i++)
        if (sq_scan_kernels_variant(i)) body(sq_scan_kernels_variant(i));
}

/* Bytes that end at an unreadable page: a matrix of floats holds them. */
static matrix open_bytes(size_t bytes) { return matrix_open(1, bytes / 4, bytes / 4); }

/* Edges of the range among them: sums come as large as they can. */
static int32_t whole_at(uint64_t key, size_t i)
{
    const uint64_t x = sq_random64(key, i);
    return x % 3 == 0 ? 127 : x % 3 == 1 ? -127 : (int32_t)(x >> 8) % 128;
}

static void int8_case(const sq_scan_kernels *k, size_t blocks, size_t width, uint64_t key)
{
    const size_t n = blocks * SQ_INT8_ROWS;
    matrix rows = open_bytes(n * width), scales = matrix_of(1, n, n, key), u = matrix_of(1, width, width, key + 1);
    matrix out = row_open(n);
    uint8_t *bytes = (uint8_t *)rows.at;
    sq_int8_query q = open_query(width);
    if (key % 2) /* all of one sign and size */
        for (size_t i = 0; i < width; i++) u.at[i] = u.at[i] < 0 ? -1 : 1;
    sq_int8_query_set(&q, width, u.at);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++)
            bytes[((r / 16 * width / 4 + i / 4) * 16 + r % 16) * 4 + i % 4] = (uint8_t)(whole_at(key, r * width + i) + 128);
    k->int8_scores(blocks, width, &q, bytes, bytes, scales.at, out.at);
    for (size_t r = 0; r < n; r++) {
        int64_t sum = 0;
        for (size_t i = 0; i < width; i++) sum += (int64_t)whole_at(key, r * width + i) * from_halves(&q, i);
        const float expected = scales.at[r] * ((float)sum * q.step);
        MUST(same_bits(out.at[r], expected), "%s: %zu blocks, width %zu, row %zu: %a, not %a", k->name, blocks, width, r,
             (double)out.at[r], (double)expected);
    }
    free(q.words);
    matrix_close(&rows);
    matrix_close(&scales);
    matrix_close(&u);
    matrix_close(&out);
}

static void int8_body(const sq_scan_kernels *k)
{
    EACH(size_t, blocks, some_blocks)
    EACH(size_t, width, scan_widths)
    for (uint64_t key = 0; key < 2; key++) int8_case(k, *blocks, *width, 2 * *blocks + key);
}

START_TEST(scores_of_bytes_are_exact_sums)
{
    each_scan(int8_body);
}
END_TEST

static float plain_tree(const float lane[16])
{
    float x[16];
    memcpy(x, lane, sizeof x);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}

static float upper_half(uint16_t bits) { return float_of((uint32_t)bits << 16); }

static void bf16_case(const sq_scan_kernels *k, size_t n, size_t width, int32_t hard)
{
    const sq_kernels *plain = sq_kernels_variant(strcmp(k->name, "base") == 0 ? 0 : 1);
    matrix rows = open_bytes(n * width * 2), u = matrix_of(1, width, width, n), out = row_open(n);
    uint16_t *halves = (uint16_t *)rows.at;
    if (hard) matrix_hard(&u, width);
    for (size_t i = 0; i < n * width; i++) halves[i] = (uint16_t)(bits_of(uniform(width, i)) >> 16);
    k->bf16_dots(n, width, u.at, halves, out.at);
    for (size_t r = 0; r < n; r++) {
        float lane[16] = {0};
        for (size_t i = 0; i < width; i++) lane[i % 16] = chain(plain, u.at[i], upper_half(halves[r * width + i]), lane[i % 16]);
        MUST(same_bits(out.at[r], plain_tree(lane)), "%s: width %zu, row %zu", k->name, width, r);
    }
    matrix_close(&rows);
    matrix_close(&u);
    matrix_close(&out);
}

static void bf16_body(const sq_scan_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, scan_widths)
    for (int32_t hard = 0; hard < 2; hard++) bf16_case(k, *n, *width, hard);
}

START_TEST(scores_of_halves_are_the_dots_of_their_floats)
{
    each_scan(bf16_body);
}
END_TEST

static void reach_case(const sq_scan_kernels *k, size_t n, size_t width, size_t ld)
{
    matrix scores = matrix_of(n, width, ld, n + width), floors = row_open(width);
    int32_t *found = malloc((n + 1) * sizeof *found);
    for (size_t i = 0; i < width; i++) floors.at[i] = 1.5f;
    for (size_t r = 0; r < n; r++) {
        float *at = &row_of(&scores, r)[r * 7 % width];
        if (r % 5 == 0) *at = 1.5f;
        if (r % 5 == 1) *at = nextafterf(1.5f, 0);
        if (r % 5 == 2) *at = NAN;
        if (r % 5 == 3) *at = -INFINITY;
    }
    const size_t count = k->reach(n, width, ld, scores.at, floors.at, found);
    size_t at = 0;
    for (size_t r = 0; r < n; r++)
        if (r % 5 == 0 || r % 5 == 2) MUST(at < count && found[at++] == (int32_t)r, "%s: row %zu is not listed", k->name, r);
    HOLDS(at == count);
    free(found);
    matrix_close(&scores);
    matrix_close(&floors);
}

static void reach_body(const sq_scan_kernels *k)
{
    EACH(size_t, n, some_counts)
    EACH(size_t, width, scan_widths)
    {
        reach_case(k, *n, *width, *width);
        reach_case(k, *n, *width, *width + 16);
    }
}

START_TEST(rows_that_reach_a_floor_are_listed)
{
    each_scan(reach_body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scankernels");
    TCase *tests = tcase_create("scankernels");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_query_is_kept_within_half_a_step);
    tcase_add_test(tests, a_query_of_nothing_or_not_finite_is_zero);
    tcase_add_test(tests, scores_of_bytes_are_exact_sums);
    tcase_add_test(tests, scores_of_halves_are_the_dots_of_their_floats);
    tcase_add_test(tests, rows_that_reach_a_floor_are_listed);
    return run_suite(suite);
}
