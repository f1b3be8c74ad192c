/* bench: the best ten of a large table: one user and 128, from float32, bf16 and int8, beside what memory and the matrix product
 * give in the same process; and a table of ten million in a mapped file. One JSON object per line on stdout.
 * `bench_retrieval [FILE]`: with FILE, which is written and removed, the mapped table too. */
#include <string.h>
#include "benchtool.h"
#include "tensor/kernels.h"

enum { DIM = 64, MILLION = 1000000, BATCH = 128, BEST = 10, EVENTS = 3, PUT = 65536, SINGLES = 100 };

static seqrec_context *context;
static seqrec_model *model;
static int64_t events[BATCH * EVENTS], best[BATCH * BEST], exact[BATCH * BEST], found[BATCH];
static float scores[BATCH * BEST];

/* ---- what the machine gives ------------------------------------------------------------------------------------------- */

/* Bytes a second of reading a block that no cache holds. */
static double bandwidth(void)
{
    enum { WORDS = 32 << 20 };
    uint64_t *block = bench_alloc(WORDS * sizeof *block), sum[8] = {0};
    double most = 0;
    memset(block, 1, WORDS * sizeof *block);
    for (int32_t round = 0; round < 7; round++) {
        const double start = bench_now();
        for (int64_t i = 0; i < WORDS; i += 8)
            for (int32_t l = 0; l < 8; l++) sum[l] += block[i + l];
        const double rate = (double)WORDS * sizeof *block / (bench_now() - start);
        if (rate > most) most = rate;
    }
    volatile uint64_t sink = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
    (void)sink;
    free(block);
    return most;
}

/* Operations a second of the product that a batch is screened by, on operands in the cache. */
static double ceiling(void)
{
    static _Alignas(64) float rows[256 * DIM + 144], users[DIM * BATCH + 144], out[256 * BATCH + 144];
    const sq_kernels *k = sq_kernels_best();
    double most = 0;
    for (int32_t round = 0; round < 50; round++) {
        const double start = bench_now();
        for (int32_t i = 0; i < 20; i++) k->product(256, BATCH, DIM, rows, DIM, 1, users, BATCH, out, BATCH, 0);
        const double rate = 20.0 * 2 * 256 * BATCH * DIM / (bench_now() - start);
        if (rate > most) most = rate;
    }
    return most;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

static void put_items(int64_t items)
{
    float *vectors = bench_alloc(PUT * DIM * sizeof *vectors);
    int64_t *ids = bench_alloc(PUT * sizeof *ids);
    uint64_t state = 1;
    for (int64_t first = 0; first < items; first += PUT) {
        const int64_t n = items - first < PUT ? items - first : PUT;
        for (int64_t i = 0; i < n; i++) ids[i] = first + i;
        for (int64_t i = 0; i < n * DIM; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            vectors[i] = (float)((double)(state >> 40) / 8388608 - 1);
        }
        bench_must(seqrec_items_put(model, ids, n, vectors, &bench_failure));
    }
    free(vectors);
    free(ids);
}

static void ask(int64_t items)
{
    uint64_t state = 7;
    for (int64_t e = 0; e < BATCH * EVENTS; e++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        events[e] = (int64_t)(state >> 33) % items;
    }
}

static void open_model(int64_t items)
{
    seqrec_config *config = NULL;
    bench_must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_set(config, "dim", "64", &bench_failure));
    bench_must(seqrec_config_set(config, "blocks", "1", &bench_failure));
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    seqrec_config_release(config);
    put_items(items);
}

static void close_model(void)
{
    seqrec_model_release(model);
    seqrec_context_release(context);
}

/* One call for `users` users from `first` on; seconds. */
static double once(int64_t first, int64_t users, int64_t *to)
{
    int64_t own[BATCH + 1];
    for (int64_t b = 0; b <= users; b++) own[b] = b * EVENTS;
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = users, .offsets = own, .items = events + first * EVENTS};
    const double start = bench_now();
    bench_must(seqrec_topk(model, &batch, BEST, NULL, to, scores, found, &bench_failure));
    return bench_now() - start;
}

static double singles(int64_t *to)
{
    static double seconds[SINGLES];
    for (int64_t i = 0; i < SINGLES; i++) seconds[i] = once(i, 1, to + i * BEST);
    return bench_median(seconds, SINGLES);
}

static double batches(void)
{
    double seconds[5];
    for (int32_t i = 0; i < 5; i++) seconds[i] = once(0, BATCH, best);
    return bench_median(seconds, 5);
}

static double recall(void)
{
    int64_t shared = 0;
    for (int64_t u = 0; u < SINGLES; u++)
        for (int64_t i = 0; i < BEST; i++)
            for (int64_t j = 0; j < BEST; j++) shared += best[u * BEST + i] == exact[u * BEST + j];
    return (double)shared / (SINGLES * BEST);
}

/* Bytes that a scan reads of an item. */
static const double item_bytes[] = {4 * DIM, 2 * DIM, DIM + 4};
static const char *const names[] = {"float32", "bf16", "int8"};

static void run_million(const void *unused)
{
    (void)unused;
    open_model(MILLION);
    ask(MILLION);
    for (int32_t table = SEQREC_TABLE_FLOAT32; table <= SEQREC_TABLE_INT8; table++) {
        bench_must(seqrec_model_quantise(model, table, &bench_failure));
        (void)singles(best);
        const double memory = bandwidth(), one = singles(table == SEQREC_TABLE_FLOAT32 ? exact : best);
        if (table == SEQREC_TABLE_FLOAT32) memcpy(best, exact, sizeof best);
        const double found_again = recall(), product = ceiling(), many = batches();
        printf("{\"bench\":\"retrieval\",\"name\":\"%s\",\"items\":%d,\"dim\":%d,\"k\":%d,\"threads\":1,\"p50_ms\":%.4f,\"recall\":%.4f,"
               "\"gb_per_second\":%.2f,\"bandwidth\":%.2f,\"batch\":%d,\"batch_ms\":%.2f,\"gflops\":%.1f,\"product_gflops\":%.1f}\n",
               names[table], MILLION, DIM, BEST, 1e3 * one, found_again, 1e-9 * item_bytes[table] * MILLION / one, 1e-9 * memory, BATCH,
               1e3 * many, 1e-9 * 2 * BATCH * DIM * MILLION / many, 1e-9 * product);
        fflush(stdout);
    }
    close_model();
}

/* ---- ten million in a file ------------------------------------------------------------------------------------------------ */

static void write_large(const void *path)
{
    open_model(10 * MILLION);
    bench_must(seqrec_model_export(model, path, SEQREC_TABLE_INT8, 1, &bench_failure));
    close_model();
}

static void run_large(const void *path)
{
    const double start = bench_now();
    bench_must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_model_map(context, path, 0, &model, &bench_failure));
    const double loading = bench_now() - start;
    ask(10 * MILLION);
    int64_t shared, shared_later;
    (void)once(0, 1, best);
    const int64_t held = bench_resident(&shared); /* each query re-scores rows of the file, whose pages stay until others need the memory */
    const double one = singles(best);
    const int64_t held_later = bench_resident(&shared_later);
    printf("{\"bench\":\"retrieval\",\"name\":\"int8-mapped\",\"items\":%d,\"dim\":%d,\"k\":%d,\"threads\":1,\"p50_ms\":%.4f,"
           "\"gb_per_second\":%.2f,\"bandwidth\":%.2f,\"map_seconds\":%.2f,\"resident_bytes\":%lld,"
           "\"shared_bytes\":%lld,\"resident_later\":%lld,\"shared_later\":%lld}\n",
           10 * MILLION, DIM, BEST, 1e3 * one, 1e-9 * item_bytes[2] * 10 * MILLION / one, 1e-9 * bandwidth(), loading,
           (long long)held, (long long)shared, (long long)held_later, (long long)shared_later);
    close_model();
}

int main(int argc, char **argv)
{
    bench_child(run_million, NULL);
    if (argc < 2) return EXIT_SUCCESS;
    bench_child(write_large, argv[1]);
    bench_child(run_large, argv[1]);
    remove(argv[1]);
    return EXIT_SUCCESS;
}
