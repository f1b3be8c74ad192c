/* bench: how many of the best ten a scan of few bits finds, on vectors that were trained: a table of a million items from the generator,
 * trained shortly with sampled negatives (about 2 GB), or a model file. One JSON object per line on stdout. */
#include <string.h>
#include "benchtool.h"

enum { BEST = 10, BATCH = 128, PUT = 65536, WINDOW = 50, MOST_QUERIES = 100000 };

static struct {
    const char *model, *data; /* model NULL: train one; data NULL: generated events */
    int64_t items, users, epochs, queries, threads;
} run = {.items = 1000000, .users = 200000, .epochs = 3, .queries = 2000, .threads = 2};

static seqrec_context *context;
static int64_t queries, offsets[MOST_QUERIES + 1];

/* ---- events and vectors ----------------------------------------------------------------------------------------------- */

static seqrec_dataset *open_events(void)
{
    seqrec_dataset *events = NULL;
    seqrec_reader reader = {.struct_size = sizeof reader};
    const seqrec_synth like = {.struct_size = sizeof like,
                               .users = run.users,
                               .items = run.items,
                               .clusters = run.items / 1000 + 1,
                               .shortest = 20,
                               .longest = WINDOW,
                               .zipf = 0.5,
                               .seed = 1};
    if (run.data != NULL)
        bench_must(seqrec_dataset_read(context, run.data, &reader, &events, &bench_failure));
    else
        bench_must(seqrec_dataset_synthesize(context, &like, &events, NULL, &bench_failure));
    return events;
}

static int32_t log_epoch(void *unused, const seqrec_epoch_stats *stats)
{
    (void)unused;
    fprintf(stderr, "bench: epoch %lld: loss %.4f, %.1f s\n", (long long)stats->epoch, stats->loss, stats->seconds);
    return 0;
}

static void set_number(seqrec_config *config, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    bench_must(seqrec_config_set(config, name, text, &bench_failure));
}

static seqrec_model *train(const seqrec_dataset *events)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    seqrec_model *model = NULL;
    const seqrec_fit how = {.struct_size = sizeof how, .split = "none", .epoch = log_epoch};
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_preset(config, "sasrec-sampled-softmax", &bench_failure));
    bench_must(seqrec_config_set(config, "negative_sharing", "batch", &bench_failure));
    set_number(config, "dim", 64);
    set_number(config, "max_length", WINDOW);
    set_number(config, "epochs", run.epochs);
    set_number(config, "valid_every", 0);
    set_number(config, "average_epochs", 0);
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    bench_must(seqrec_trainer_create(model, config, &trainer, &bench_failure));
    bench_must(seqrec_trainer_fit(trainer, events, &how, NULL, &bench_failure));
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
    return model;
}

/* ---- queries ---------------------------------------------------------------------------------------------------------- */

/* The last WINDOW events of every so many-th user, to a block of the caller's. */
static int64_t *ask(const seqrec_dataset *events)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    queries = run.queries < stats.users ? run.queries : stats.users;
    int64_t *histories = bench_alloc((size_t)queries * WINDOW * sizeof *histories);
    for (int64_t q = 0; q < queries; q++) {
        const int64_t *items = NULL;
        int64_t count = 0;
        bench_must(seqrec_dataset_sequence(events, q * stats.users / queries, NULL, &items, NULL, &count, &bench_failure));
        const int64_t kept = count < WINDOW ? count : WINDOW;
        memcpy(histories + offsets[q], items + count - kept, (size_t)kept * sizeof *items);
        offsets[q + 1] = offsets[q] + kept;
    }
    return histories;
}

/* The best ten of every query, one user a call when `ones`: batches are screened by another kernel. */
static void answer(const seqrec_model *model, const int64_t *histories, int64_t ones, int64_t *best)
{
    int64_t own[BATCH + 1], found[BATCH], each = ones ? 1 : BATCH;
    float scores[BATCH * BEST];
    for (int64_t first = 0; first < queries; first += each) {
        const int64_t n = queries - first < each ? queries - first : each;
        for (int64_t b = 0; b <= n; b++) own[b] = offsets[first + b] - offsets[first];
        const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = n, .offsets = own, .items = histories + offsets[first]};
        const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
        bench_must(seqrec_topk(model, &batch, BEST, &filter, best + first * BEST, scores, found, &bench_failure));
        for (int64_t b = 0; b < n; b++) {
            if (found[b] == BEST) continue;
            fprintf(stderr, "bench: a query has %lld of %d items\n", (long long)found[b], BEST);
            exit(EXIT_FAILURE);
        }
    }
}

static int64_t shared(const int64_t *a, const int64_t *b)
{
    int64_t n = 0;
    for (int32_t i = 0; i < BEST; i++)
        for (int32_t j = 0; j < BEST; j++) n += a[i] == b[j];
    return n;
}

static void compare(const char *name, const int64_t *exact, const int64_t *best, int64_t items, int64_t trained)
{
    int64_t same = 0, worst = BEST;
    for (int64_t q = 0; q < queries; q++) {
        const int64_t n = shared(exact + q * BEST, best + q * BEST);
        same += n;
        if (n < worst) worst = n;
    }
    printf("{\"bench\":\"recall\",\"name\":\"%s\",\"items\":%lld,\"items_with_events\":%lld,\"k\":%d,\"queries\":%lld,\"recall\":%.5f,"
           "\"worst\":%lld,\"peak_rss_bytes\":%lld}\n",
           name, (long long)items, (long long)trained, BEST, (long long)queries, (double)same / (double)(queries * BEST),
           (long long)worst, (long long)bench_peak_rss());
    fflush(stdout);
}

static void measure(seqrec_model *model, const seqrec_dataset *events)
{
    static const struct {
        const char *name;
        int32_t table;
        int64_t ones;
    } tables[] = {{"bf16", SEQREC_TABLE_BF16, 1}, {"int8", SEQREC_TABLE_INT8, 1}, {"int8-batches", SEQREC_TABLE_INT8, 0}};
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    int64_t *histories = ask(events);
    const size_t bytes = (size_t)queries * BEST * sizeof(int64_t);
    int64_t *exact = bench_alloc(bytes), *best = bench_alloc(bytes);
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    bench_must(seqrec_model_quantise(model, SEQREC_TABLE_FLOAT32, &bench_failure));
    answer(model, histories, 0, exact);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        bench_must(seqrec_model_quantise(model, tables[i].table, &bench_failure));
        answer(model, histories, tables[i].ones, best);
        compare(tables[i].name, exact, best, seqrec_items_count(model), stats.items);
    }
    free(best);
    free(exact);
    free(histories);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static const char usage[] = "usage: bench_recall [--items N] [--users N] [--epochs N] [--queries N] [--threads N]\n"
                            "       bench_recall --data FILE [--model FILE] [--queries N]   of users' histories, trained on them or a file\n";

static void parse(int count, char **words)
{
    const struct {
        const char *name;
        int64_t *value, most;
    } numbers[] = {{"--items", &run.items, 100000000}, {"--users", &run.users, 100000000}, {"--epochs", &run.epochs, 1000},
                   {"--queries", &run.queries, MOST_QUERIES}, {"--threads", &run.threads, 256}};
    int good = 1;
    for (int i = 1; i < count; i += 2) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        const long long number = atoll(value);
        int known = 0;
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            if (strcmp(words[i], numbers[n].name) != 0 || number < 1 || number > numbers[n].most) continue;
            *numbers[n].value = number;
            known = 1;
        }
        if (strcmp(words[i], "--model") == 0 && *value) run.model = value, known = 1;
        if (strcmp(words[i], "--data") == 0 && *value) run.data = value, known = 1;
        good &= known;
    }
    if (good && (run.model == NULL || run.data != NULL)) return;
    fputs(usage, stderr);
    exit(2);
}

int main(int count, char **words)
{
    seqrec_model *model = NULL;
    parse(count, words);
    bench_must(seqrec_context_create(NULL, NULL, (int32_t)run.threads, NULL, NULL, &context, &bench_failure));
    seqrec_dataset *events = open_events();
    if (run.model != NULL)
        bench_must(seqrec_model_load(context, run.model, &model, &bench_failure));
    else
        model = train(events);
    measure(model, events);
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_context_release(context);
    return EXIT_SUCCESS;
}
