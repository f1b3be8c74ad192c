/* unit: matrix products, by the tiled kernel of every instruction set, through the shim and by BLIS, against double loops. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/memory.h"
#include "kernel_check.h"
#include "run_suite.h"
#include "tensor/gemm.h"

#define HASWELL "3" /* what BLIS_ARCH_TYPE calls these kernels in 0.9 to 2.1 */

/* A product by one of the paths; kernels is not used by BLIS. */
typedef void (*product)(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
                        const float *B, size_t ldb, float *C, size_t ldc, int accumulate);

static void by_kernel(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
                      const float *B, size_t ldb, float *C, size_t ldc, int accumulate)
{
    kernels->product(M, N, K, A, rs, cs, B, ldb, C, ldc, accumulate);
}

static void by_blis(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
                    const float *B, size_t ldb, float *C, size_t ldc, int accumulate)
{
    (void)kernels;
    sq_gemm_blis(M, N, K, A, rs, cs, B, ldb, C, ldc, accumulate);
}

/* BLIS may read SQ_SLACK bytes behind an operand; the tiled kernel may not read one. */
static size_t slack_of(product path, const sq_kernels *kernels)
{
    if (path == by_kernel || (path == sq_gemm && kernels->fused)) return 0;
    return SQ_SLACK;
}

/* One product of operands that end where reading is an error (or would be wrong: the slack is NaN). */
typedef struct operands {
    product path;
    const sq_kernels *kernels;
    size_t M, N, K, rs, cs;
    matrix A, B, C, before;
    int accumulate;
} operands;

typedef struct shape {
    size_t M, N, K, gap; /* gap: how much longer than it must be a row is; 16s */
    int by_columns;      /* A(i,k) at i + k * lda, as in the transposed products of the backward pass */
    int accumulate;
} shape;

static operands operands_open(product path, const sq_kernels *kernels, const shape *s)
{
    operands o = {.path = path, .kernels = kernels, .M = s->M, .N = s->N, .K = s->K, .accumulate = s->accumulate};
    size_t slack = slack_of(path, kernels), rows = s->by_columns ? s->K : s->M, columns = s->by_columns ? s->M : s->K;
    size_t lda = (columns + 15) / 16 * 16 + s->gap;
    o.A = matrix_open_slack(rows, columns, lda, slack);
    o.B = matrix_open_slack(s->K, s->N, s->N + s->gap, slack);
    o.C = matrix_open_slack(s->M, s->N, s->N + s->gap, slack);
    o.rs = s->by_columns ? 1 : lda;
    o.cs = s->by_columns ? lda : 1;
    matrix_random(&o.A, s->M * 1000 + s->K, columns);
    matrix_random(&o.B, s->N * 1000 + s->K, s->N);
    matrix_random(&o.C, s->N * 1000 + s->M, s->N);
    o.before = matrix_copy(&o.C);
    return o;
}

static void operands_run(operands *o)
{
    o->path(o->kernels, o->M, o->N, o->K, o->A.at, o->rs, o->cs, o->B.at, o->B.ld, o->C.at, o->C.ld, o->accumulate);
}

static void operands_close(operands *o)
{
    matrix_close(&o->A);
    matrix_close(&o->B);
    matrix_close(&o->C);
    matrix_close(&o->before);
}

static float a_of(const operands *o, size_t i, size_t k)
{
    return o->A.at[i * o->rs + k * o->cs];
}

static void element_check(const operands *o, size_t i, size_t j)
{
    double sum = o->accumulate ? row_of(&o->before, i)[j] : 0, size = fabs(sum);
    for (size_t k = 0; k < o->K; k++) {
        double term = (double)a_of(o, i, k) * row_of(&o->B, k)[j];
        sum += term;
        size += fabs(term);
    }
    float got = row_of(&o->C, i)[j];
    MUST(fabs(got - sum) <= size * 6e-8 * (1 + sqrt((double)o->K)) + 1e-12,
         "M %zu N %zu K %zu: (%zu, %zu) is %g, not %g", o->M, o->N, o->K, i, j, (double)got, sum);
}

static void product_check(const operands *o)
{
    for (size_t i = 0; i < o->M; i++)
        for (size_t j = 0; j < o->N; j++) element_check(o, i, j);
    matrix_note(&o->C);
}

static void shape_case(product path, const sq_kernels *kernels, const shape *s)
{
    operands o = operands_open(path, kernels, s);
    operands_run(&o);
    product_check(&o);
    operands_close(&o);
}

/* Every M to 50 and every N to 128, K drawn from 1..300, all layouts in turn. */
static void shapes(product path, const sq_kernels *kernels)
{
    uint64_t draw = 0;
    for (size_t M = 0; M <= 50; M++)
        for (size_t N = 16; N <= 128; N += 16, draw++) {
            shape s = {.M = M, .N = N, .gap = draw % 3 * 16, .by_columns = draw / 3 % 2, .accumulate = draw / 6 % 2};
            s.K = 1 + sq_random_below(5, draw, draw % 4 ? 70 : 300);
            shape_case(path, kernels, &s);
        }
}

static void kernel_shapes(const sq_kernels *kernels)
{
    shapes(by_kernel, kernels);
}
static void shim_shapes(const sq_kernels *kernels)
{
    shapes(sq_gemm, kernels);
}

START_TEST(the_tiled_kernel_agrees_with_double_and_reads_nothing_behind_its_operands)
{
    each_variant(kernel_shapes);
}
END_TEST

START_TEST(the_shim_agrees_with_double_for_every_table)
{
    each_variant(shim_shapes);
}
END_TEST

START_TEST(blis_agrees_with_double_and_reads_no_further_than_the_slack)
{
    shapes(by_blis, sq_kernels_best());
}
END_TEST

static void all_layouts(product path, const sq_kernels *kernels, shape s)
{
    for (int layout = 0; layout < 8; layout++) {
        s.by_columns = layout & 1;
        s.accumulate = layout >> 1 & 1;
        s.gap = layout & 4 ? 48 : 0;
        shape_case(path, kernels, &s);
    }
}

static const shape large_shapes[] = {
    {.M = 7, .N = 64, .K = 2048}, {.M = 3, .N = 16, .K = 4099}, {.M = 9, .N = 48, .K = 2500},
    {.M = 2, .N = 1024, .K = 40}, {.M = 301, .N = 32, .K = 64}, {.M = 13, .N = 528, .K = 3},
    {.M = 1, .N = 2048, .K = 1},  {.M = 1, .N = 16, .K = 1},    {.M = 33, .N = 272, .K = 130}};

static void large_body(const sq_kernels *kernels)
{
    EACH(shape, s, large_shapes) all_layouts(by_kernel, kernels, *s);
    EACH(shape, s, large_shapes) all_layouts(sq_gemm, kernels, *s);
}

START_TEST(long_wide_and_tall_products_agree_with_double)
{
    each_variant(large_body);
    EACH(shape, s, large_shapes) all_layouts(by_blis, sq_kernels_best(), *s);
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

/* Redoes rows in calls of 1, 2, 3, ... rows: every bit as in the whole product. */
static void rows_case(product path, const sq_kernels *kernels, const shape *s)
{
    operands o = operands_open(path, kernels, s);
    operands_run(&o);
    matrix parts = matrix_open_slack(o.M, o.N, o.C.ld, SQ_SLACK);
    for (size_t i = 0; i < o.M; i++) memcpy(row_of(&parts, i), row_of(&o.before, i), o.N * sizeof(float));
    for (size_t i = 0, step = 1; i < o.M; i += step, step++) {
        if (step > o.M - i) step = o.M - i;
        path(kernels, step, o.N, o.K, o.A.at + i * o.rs, o.rs, o.cs, o.B.at, o.B.ld, row_of(&parts, i), parts.ld,
             o.accumulate);
    }
    for (size_t i = 0; i < o.M; i++)
        MUST(memcmp(row_of(&parts, i), row_of(&o.C, i), o.N * sizeof(float)) == 0, "row %zu of M %zu N %zu K %zu", i,
             o.M, o.N, o.K);
    matrix_close(&parts);
    operands_close(&o);
}

static void rows_cases(product path, const sq_kernels *kernels)
{
    static const size_t all_M[] = {1, 2, 5, 6, 7, 12, 13, 24, 50, 97}, all_N[] = {16, 48, 64, 112, 272},
                        all_K[] = {1, 50, 129, 300};
    EACH(size_t, M, all_M)
    EACH(size_t, N, all_N)
    EACH(size_t, K, all_K)
    {
        shape s = {.M = *M, .N = *N, .K = *K, .by_columns = (*M + *K) % 2, .accumulate = *N % 32 != 0};
        rows_case(path, kernels, &s);
    }
    shape s = {.M = 61, .N = 80, .K = 2200};
    rows_case(path, kernels, &s);
}

static void kernel_rows(const sq_kernels *kernels)
{
    rows_cases(by_kernel, kernels);
}

START_TEST(a_row_of_the_tiled_kernel_does_not_depend_on_the_other_rows)
{
    each_variant(kernel_rows);
}
END_TEST

START_TEST(a_row_by_blis_does_not_depend_on_the_other_rows)
{
    const char *asked = getenv("BLIS_ARCH_TYPE");
    ck_assert(asked == NULL || strcmp(asked, HASWELL) != 0 || strcmp(sq_blis_kernels(), "haswell") == 0);
    rows_cases(by_blis, sq_kernels_best());
    shape s = {.M = 530, .N = 208, .K = 300}; /* above the sizes for which BLIS would take its small-matrix path */
    rows_case(by_blis, sq_kernels_best(), &s);
}
END_TEST

#if defined(__x86_64__)
/* Not every set of kernels that BLIS has shows which path a product took, and the machine's own may be one that does not. Those
 * for Haswell do; BLIS chooses once in a process, so this program runs again for the test above. A BLIS that was built without
 * them aborts. */
START_TEST(a_row_by_blis_does_not_depend_on_the_other_rows_where_the_small_matrix_path_would_show)
{
    int status = -1;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    const pid_t child = fork();
    ck_assert(child >= 0);
    if (child == 0) {
        (void)setenv("BLIS_ARCH_TYPE", HASWELL, 1);
        (void)setenv("CK_RUN_CASE", "rows by blis", 1);
        (void)setenv("CK_FORK", "no", 1);
        (void)unsetenv("CK_TAP_LOG_FILE_NAME");
        (void)execl("/proc/self/exe", "test_gemm", (char *)NULL);
        _exit(127);
    }
    ck_assert(waitpid(child, &status, 0) == child);
    ck_assert((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
END_TEST
#endif

/* Columns too: the width of the block of items that a score is computed in must not show. */
static void columns_case(product path, const sq_kernels *kernels, size_t N, size_t K)
{
    shape s = {.M = 11, .N = N, .K = K, .gap = 16};
    operands o = operands_open(path, kernels, &s);
    operands_run(&o);
    for (size_t j = 0; j < N; j += 16) {
        matrix part = matrix_open_slack(o.M, 16, 16, SQ_SLACK);
        path(kernels, o.M, 16, K, o.A.at, o.rs, o.cs, o.B.at + j, o.B.ld, part.at, 16, 0);
        for (size_t i = 0; i < o.M; i++)
            MUST(memcmp(row_of(&part, i), row_of(&o.C, i) + j, 16 * sizeof(float)) == 0, "columns %zu of %zu, K %zu", j,
                 N, K);
        matrix_close(&part);
    }
    operands_close(&o);
}

static void columns_body(const sq_kernels *kernels)
{
    for (size_t N = 16; N <= 272; N += 16) {
        columns_case(by_kernel, kernels, N, 50);
        columns_case(by_kernel, kernels, N, 300);
    }
}

START_TEST(a_column_of_the_tiled_kernel_does_not_depend_on_the_other_columns)
{
    each_variant(columns_body);
}
END_TEST

/* ---- bits, hard values, empty shapes ---------------------------------------------------------------------------------- */

static void chain_case(const sq_kernels *kernels, size_t M, size_t N, size_t K, int hard)
{
    shape s = {.M = M, .N = N, .K = K, .accumulate = (int)(M % 2), .by_columns = (int)(K % 2)};
    operands o = operands_open(by_kernel, kernels, &s);
    if (hard) {
        matrix_hard(&o.A, K);
        matrix_hard(&o.B, N);
    }
    operands_run(&o);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            float x = s.accumulate ? row_of(&o.before, i)[j] : 0;
            for (size_t k = 0; k < K; k++) x = chain(kernels, a_of(&o, i, k), row_of(&o.B, k)[j], x);
            MUST(same_bits(row_of(&o.C, i)[j], x), "M %zu N %zu K %zu: (%zu, %zu)", M, N, K, i, j);
        }
    operands_close(&o);
}

static void chain_body(const sq_kernels *kernels)
{
    static const size_t all_K[] = {1, 2, 7, 64, 127, 128, 129, 256, 300};
    EACH(size_t, K, all_K)
    for (size_t M = 1; M < 15; M += 3) {
        chain_case(kernels, M, 16 * (M % 7 + 1), *K, 0);
        chain_case(kernels, M, 16 * (M % 7 + 1), *K % 8 + 1, 1);
    }
}

START_TEST(an_element_of_the_tiled_kernel_is_one_chain_over_k_whatever_the_values)
{
    each_variant(chain_body);
}
END_TEST

static void strides_body(const sq_kernels *kernels)
{
    shape s = {.M = 9, .N = 48, .K = 20};
    operands o = operands_open(by_kernel, kernels, &s), spread = operands_open(by_kernel, kernels, &s);
    matrix A = matrix_open(9, 58, 64); /* A(i, k) at i * 64 + k * 3 */
    for (size_t i = 0; i < 9; i++)
        for (size_t k = 0; k < 20; k++) row_of(&A, i)[3 * k] = a_of(&o, i, k);
    operands_run(&o);
    kernels->product(9, 48, 20, A.at, 64, 3, spread.B.at, spread.B.ld, spread.C.at, spread.C.ld, 0);
    for (size_t i = 0; i < 9; i++) HOLDS(memcmp(row_of(&o.C, i), row_of(&spread.C, i), 48 * sizeof(float)) == 0);
    matrix_close(&A);
    operands_close(&o);
    operands_close(&spread);
}

START_TEST(the_tiled_kernel_takes_a_at_any_strides)
{
    each_variant(strides_body);
}
END_TEST

static void what_c_held(product path, const sq_kernels *kernels, size_t K)
{
    shape s = {.M = 13, .N = 48, .K = K};
    operands o = operands_open(path, kernels, &s);
    for (size_t i = 0; i < 13; i++)
        for (size_t j = 0; j < 48; j++) row_of(&o.C, i)[j] = j % 2 ? NAN : INFINITY;
    operands_run(&o);
    product_check(&o);
    operands_close(&o);
}

static void empty_case(product path, const sq_kernels *kernels)
{
    what_c_held(path, kernels, 5);
    what_c_held(path, kernels, 0); /* the sum of nothing */
    shape s = {.M = 6, .N = 32, .K = 0, .accumulate = 1};
    shape_case(path, kernels, &s);
    s = (shape){.M = 0, .N = 32, .K = 4};
    shape_case(path, kernels, &s);
    s = (shape){.M = 4, .N = 0, .K = 4};
    shape_case(path, kernels, &s);
}

static void empty_body(const sq_kernels *kernels)
{
    empty_case(by_kernel, kernels);
    empty_case(sq_gemm, kernels);
}

START_TEST(what_c_held_counts_only_when_accumulating_and_empty_products_are_zero)
{
    each_variant(empty_body);
    empty_case(by_blis, sq_kernels_best());
}
END_TEST

START_TEST(the_loaded_blis_is_accepted_and_says_what_it_is)
{
    seqrec_error error;
    ck_assert_int_eq(sq_gemm_check(&error), SEQREC_OK);
    ck_assert_int_gt((int)strlen(sq_blis_version()), 2);
    ck_assert_int_gt((int)strlen(sq_blis_kernels()), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *c = tcase_create("gemm");
    tcase_add_test(c, the_tiled_kernel_agrees_with_double_and_reads_nothing_behind_its_operands);
    tcase_add_test(c, the_shim_agrees_with_double_for_every_table);
    tcase_add_test(c, blis_agrees_with_double_and_reads_no_further_than_the_slack);
    tcase_add_test(c, long_wide_and_tall_products_agree_with_double);
    tcase_add_test(c, a_row_of_the_tiled_kernel_does_not_depend_on_the_other_rows);
#if defined(__x86_64__)
    tcase_add_test(c, a_row_by_blis_does_not_depend_on_the_other_rows_where_the_small_matrix_path_would_show);
#endif
    tcase_add_test(c, a_column_of_the_tiled_kernel_does_not_depend_on_the_other_columns);
    tcase_add_test(c, an_element_of_the_tiled_kernel_is_one_chain_over_k_whatever_the_values);
    tcase_add_test(c, the_tiled_kernel_takes_a_at_any_strides);
    tcase_add_test(c, what_c_held_counts_only_when_accumulating_and_empty_products_are_zero);
    tcase_add_test(c, the_loaded_blis_is_accepted_and_says_what_it_is);
    suite_add_tcase(suite, c);
    c = tcase_create("rows by blis");
    tcase_add_test(c, a_row_by_blis_does_not_depend_on_the_other_rows);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
