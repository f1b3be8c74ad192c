/* bench: every kernel of lib/tensor on one core, for each instruction set, beside the multiply-add peak of the same run.
 * Operands are the size of a micro-batch and stay in the second-level cache. `--json`: one line per figure, not a table. */
#include <string.h>
#include "fmapeak.h"
#include "tensor/gemm.h"

#define TOKENS 600
#define WIDTH 64
#define FLOATS (TOKENS * WIDTH)
#define ROWS 24      /* of a block of attention */
#define KEYS 208     /* columns of it */
#define ITEMS 512    /* of a block of logits */
#define GATHERED 256 /* negatives */
#define ROOM (TOKENS * ITEMS)

static _Alignas(64) float a[ROOM + 144], b[ROOM + 144], c[ROOM + 144], d[ROOM + 144];
static const float *gathered[GATHERED];
static volatile float sink;

static const sq_dropout dropout = {0x0123456789abcdef, 13107, 65536.0f / (65536 - 13107)}, none = {0, 0, 1};
static const sq_adam rule = {1e-3f, 1, 0.9f, 0.999f, 1e-8f, 1, 0, 1};

/* Between 1 and 2: no kernel that is run again on its own result comes near denormals. */
static void fill(void)
{
    for (size_t i = 0; i < ROOM + 144; i++) {
        a[i] = 1 + (float)(i * 2654435761u % 1000) / 1000;
        b[i] = 1 + (float)(i * 2246822519u % 1000) / 1000;
        c[i] = d[i] = 1;
    }
    for (size_t i = 0; i < GATHERED; i++) gathered[i] = a + i * 797 % ITEMS * WIDTH;
}

#define RUN(name, call)                                                                                                \
    static void run_##name(const sq_kernels *k)                                                                        \
    {                                                                                                                  \
        call;                                                                                                          \
    }

RUN(linear, k->product(TOKENS, WIDTH, WIDTH, a, WIDTH, 1, b, WIDTH, c, WIDTH, 0))
RUN(narrow, k->product(TOKENS, 48, 50, a, WIDTH, 1, b, 48, c, 48, 0))
RUN(gradient, k->product(WIDTH, WIDTH, TOKENS, a, 1, WIDTH, b, WIDTH, c, WIDTH, 0))
RUN(scores, k->product(ROWS, KEYS, WIDTH, a, WIDTH, 1, b, KEYS, c, KEYS, 0))
RUN(values, k->product(ROWS, WIDTH, KEYS, a, KEYS, 1, b, WIDTH, c, WIDTH, 0))
RUN(logits, k->product(TOKENS, ITEMS, WIDTH, a, WIDTH, 1, b, ITEMS, c, ITEMS, 0))
RUN(single, k->product(1, ITEMS, WIDTH, a, WIDTH, 1, b, ITEMS, c, ITEMS, 0))
RUN(blis, (void)k; sq_gemm_blis(TOKENS, WIDTH, WIDTH, a, WIDTH, 1, b, WIDTH, c, WIDTH, 0))
RUN(dots, k->dots(TOKENS, WIDTH, b, a, WIDTH, c))
RUN(gather_dots, k->gather_dots(GATHERED, WIDTH, b, gathered, c))
RUN(gather_axpy, k->gather_axpy(GATHERED, WIDTH, b, gathered, c))
RUN(axpy, k->axpy(FLOATS, 1e-3f, a, c))
RUN(scale, k->scale(FLOATS, 0.5f, a, c))
RUN(add, k->add(FLOATS, a, c))
RUN(max, sink = k->max(FLOATS, a))
RUN(max_abs, sink = k->max_abs(FLOATS, a))
RUN(transpose, k->transpose(200, WIDTH, a, WIDTH, c, KEYS))
RUN(fill_rows, k->fill_rows(TOKENS, WIDTH, a, c, WIDTH))
RUN(column_sums, k->column_sums(TOKENS, WIDTH, a, WIDTH, c))
RUN(norm_fwd, k->norm_fwd(TOKENS, WIDTH, WIDTH, 1e-5f, a, b, b, c, d, d + TOKENS))
RUN(norm_bwd, k->norm_bwd(TOKENS, WIDTH, WIDTH, a, b, d, d + TOKENS, b, c, 0, d + 2 * TOKENS, d + 3 * TOKENS))
RUN(dropout, k->dropout(TOKENS, WIDTH, WIDTH, &dropout, 0, c))
RUN(relu_fwd, k->relu_fwd(TOKENS, WIDTH, WIDTH, &dropout, 0, c))
RUN(relu_plain, k->relu_fwd(TOKENS, WIDTH, WIDTH, &none, 0, c))
RUN(relu_bwd, k->relu_bwd(TOKENS, WIDTH, WIDTH, &none, a, c))
RUN(gelu_fwd, k->gelu_fwd(TOKENS, WIDTH, WIDTH, a, c))
RUN(gelu_bwd, k->gelu_bwd(TOKENS, WIDTH, WIDTH, a, c))
RUN(attend_fwd, k->attend_fwd(ROWS, 177, 1, KEYS, KEYS, 0.125f, &dropout, 0, c, d))
RUN(attend_plain, k->attend_fwd(ROWS, 177, 1, KEYS, KEYS, 0.125f, &none, 0, c, d))
RUN(attend_bwd, k->attend_bwd(ROWS, KEYS, KEYS, KEYS, 0.125f, 1.25f, a, b, c, d))
RUN(gate_fwd, k->gate_fwd(ROWS, KEYS, KEYS, KEYS, a, c))
RUN(gate_bwd, k->gate_bwd(ROWS, KEYS, KEYS, KEYS, 1.25f, a, b, d, c))
RUN(exp, k->exp(FLOATS, a, c))
RUN(exp_shift, sink = k->exp_shift(FLOATS, 1, c))
RUN(adam, k->adam(FLOATS, &rule, a, b, c, d))
RUN(adam_still, k->adam(FLOATS, &rule, NULL, b, c, d))

typedef struct row {
    const char *name;
    void (*run)(const sq_kernels *kernels);
    double work; /* operations of a run, or bytes read and written */
    int32_t arithmetic;
} row;

#define PRODUCT(name, text, M, N, K)                                                                                   \
    {                                                                                                                  \
        text, run_##name, 2.0 * (M) * (N) * (K), 1                                                                     \
    }
#define STREAM(name, floats, per)                                                                                      \
    {                                                                                                                  \
#name, run_##name, 4.0 * (floats) * (per), 0                                                                   \
    }

static const row rows[] = {
    PRODUCT(linear, "product 600x64x64", TOKENS, WIDTH, WIDTH),
    PRODUCT(narrow, "product 600x48x50", TOKENS, 48, 50),
    PRODUCT(gradient, "product 64x64x600 (A by columns)", WIDTH, WIDTH, TOKENS),
    PRODUCT(scores, "product 24x208x64", ROWS, KEYS, WIDTH),
    PRODUCT(values, "product 24x64x208", ROWS, WIDTH, KEYS),
    PRODUCT(logits, "product 600x512x64", TOKENS, ITEMS, WIDTH),
    PRODUCT(single, "product 1x512x64", 1, ITEMS, WIDTH),
    PRODUCT(blis, "BLIS 600x64x64", TOKENS, WIDTH, WIDTH),
    PRODUCT(dots, "dots 600 x 64", TOKENS, WIDTH, 1),
    PRODUCT(gather_dots, "gather_dots 256 x 64", GATHERED, WIDTH, 1),
    PRODUCT(gather_axpy, "gather_axpy 256 x 64", GATHERED, WIDTH, 1),
    STREAM(axpy, FLOATS, 3),
    STREAM(scale, FLOATS, 2),
    STREAM(add, FLOATS, 3),
    STREAM(max, FLOATS, 1),
    STREAM(max_abs, FLOATS, 1),
    STREAM(transpose, 200 * WIDTH, 2),
    STREAM(fill_rows, FLOATS, 1),
    STREAM(column_sums, FLOATS, 1),
    STREAM(norm_fwd, FLOATS, 2),
    STREAM(norm_bwd, FLOATS, 3),
    STREAM(dropout, FLOATS, 2),
    STREAM(relu_fwd, FLOATS, 2),
    STREAM(relu_plain, FLOATS, 2),
    STREAM(relu_bwd, FLOATS, 3),
    STREAM(gelu_fwd, FLOATS, 2),
    STREAM(gelu_bwd, FLOATS, 3),
    STREAM(attend_fwd, ROWS *KEYS, 3),
    STREAM(attend_plain, ROWS *KEYS, 3),
    STREAM(attend_bwd, ROWS *KEYS, 4),
    STREAM(gate_fwd, ROWS *KEYS, 3),
    STREAM(gate_bwd, ROWS *KEYS, 6),
    STREAM(exp, FLOATS, 2),
    STREAM(exp_shift, FLOATS, 2),
    STREAM(adam, FLOATS, 7),
    STREAM(adam_still, FLOATS, 6),
};
#define COUNT (sizeof rows / sizeof *rows)

static double seconds_of(const row *r, const sq_kernels *kernels, int64_t times)
{
    double start = bench_now();
    for (int64_t i = 0; i < times; i++) r->run(kernels);
    return (bench_now() - start) / (double)times;
}

/* The best of several bursts of a millisecond: what the core does when nothing disturbs it. */
static double rate_of(const row *r, const sq_kernels *kernels)
{
    fill();
    int64_t times = 1 + (int64_t)(1e-3 / (seconds_of(r, kernels, 3) + 1e-9));
    double best = 1e300;
    for (int32_t burst = 0; burst < 12; burst++) {
        double seconds = seconds_of(r, kernels, times);
        if (seconds < best) best = seconds;
    }
    return r->work / best * 1e-9;
}

static void print_json(const row *r, const sq_kernels *kernels, double peak)
{
    printf(
        "{\"bench\":\"kernel\",\"name\":\"%s\",\"table\":\"%s\",\"rate\":%.2f,\"unit\":\"%s\",\"peak_gflops\":%.1f}\n",
        r->name, kernels->name, rate_of(r, kernels), r->arithmetic ? "GFLOP/s" : "GB/s", peak);
}

static void print_row(const row *r, const sq_kernels *const *tables, const double *peaks)
{
    printf("%-34s %-8s", r->name, r->arithmetic ? "GFLOP/s" : "GB/s");
    for (int32_t i = 0; i < 3; i++) {
        if (!tables[i] || (r->run == run_blis && i > 0)) continue;
        double rate = rate_of(r, tables[i]);
        printf(" %8.1f", rate);
        if (r->arithmetic)
            printf(" %4.0f%%", 100 * rate / peaks[i]);
        else
            printf("      ");
    }
    printf("\n");
    fflush(stdout);
}

/* The best of many short bursts: a busy machine leaves some of them alone. */
static double core_peak(const fma_isa *isa)
{
    volatile float factor = 0.999f, term = 0.001f; /* unknown to the compiler */
    const int64_t rounds = 200000;
    double best = 1e300;
    for (int32_t burst = 0; burst < 60; burst++) {
        double start = bench_now();
        sink = isa->loop(rounds, factor, term);
        double seconds = bench_now() - start;
        if (seconds < best) best = seconds;
    }
    return (double)rounds * FMA_CHAINS * isa->lanes * 2 / best * 1e-9;
}

int main(int argc, char **argv)
{
    const sq_kernels *tables[3];
    fma_isa isas[FMA_ISAS] = {{0}};
    double peaks[3] = {0};
    int32_t json = argc > 1 && strcmp(argv[1], "--json") == 0, found = fma_isas(isas);
    for (int32_t i = 0; i < 3; i++) {
        tables[i] = sq_kernels_variant(i);
        if (i < found) peaks[i] = core_peak(&isas[i]);
    }
    for (int32_t i = 0; json && i < 3; i++)
        for (size_t r = 0; tables[i] && r < COUNT; r++)
            if (rows[r].run != run_blis || i == 0) print_json(&rows[r], tables[i], peaks[i]);
    if (json) return 0;
    printf("%-43s", "peak of one core, GFLOP/s");
    for (int32_t i = 0; i < 3; i++)
        if (tables[i]) printf(" %8.1f %-5s", peaks[i], tables[i]->name);
    printf("\n");
    for (size_t r = 0; r < COUNT; r++) print_row(&rows[r], tables, peaks);
    return 0;
}
