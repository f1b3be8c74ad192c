/* bench: training, evaluation and reading through the public interface, and the peak they are held against. One JSON
 * object per row on stdout, each row measured in a process of its own. */
#include <math.h>
#include <string.h>
#include "benchtool.h"
#include "fmapeak.h"

typedef struct settings {
    const char *data, *only; /* only: rows whose name begins so */
    int32_t threads, repeats, steps;
    int64_t items; /* of the large catalogue */
} settings;

static settings run = {.only = "", .threads = 2, .repeats = 5, .steps = 20, .items = 10000000};

static int chosen(const char *name)
{
    if (strncmp(name, run.only, strlen(run.only)) != 0) return 0;
    fprintf(stderr, "bench: %s\n", name);
    return 1;
}

/* ---- common to rows ---------------------------------------------------------------------------------------------- */

static seqrec_context *open_context(const seqrec_allocator *allocator)
{
    seqrec_context *context = NULL;
    bench_must(seqrec_context_create(allocator, NULL, run.threads, NULL, NULL, &context, &bench_failure));
    return context;
}

static seqrec_dataset *read_events(seqrec_context *context, const char *path)
{
    seqrec_dataset *events = NULL;
    seqrec_reader reader = {.struct_size = sizeof reader};
    bench_must(seqrec_dataset_read(context, path, &reader, &events, &bench_failure));
    return events;
}

static void set_number(seqrec_config *config, const char *name, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.10g", value);
    bench_must(seqrec_config_set(config, name, text, &bench_failure));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- the useful arithmetic of an epoch --------------------------------------------------------------------------- */

typedef struct train_row {
    const char *name, *preset, *loss, *sharing;
    int32_t dim, negatives;
    double dropout;
    int32_t repeats;    /* 0: as asked for */
    int32_t squares;    /* d^2 multiply-adds of a token and block; 0: 6 */
    int32_t both_ways;  /* attention to the whole window, and a share of the events as targets (Cloze) */
    int32_t window;     /* max_length; 0: 200 */
    int32_t stride;     /* objective = prefix with this stride; 0: every target in one pass */
    const char *settings[4]; /* more options: name, value, ... */
} train_row;

static int64_t window_of(const train_row *row) { return row->window ? row->window : 200; }

/* Training events of a user under leave-one-out that count: the last `window` + 1. */
static int64_t trained_tokens(int64_t events, int64_t window)
{
    int64_t n = events >= 3 ? events - 2 : events;
    n = n > window + 1 ? window : n - 1;
    return n > 0 ? n : 0;
}

/* Tokens and pairs of a user's events that count, up to the last `n` targets of `count` training events. */
static void add_user(const train_row *row, int64_t count, int64_t n, double *tokens, double *pairs)
{
    const int64_t window = window_of(row), share = row->stride ? row->stride : 1;
    for (int64_t at = count - n; row->stride && at < count; at++) { /* each target behind a prefix of its own */
        const double length = (double)(at < window ? at : window);
        *tokens += length / (double)share;
        *pairs += length * (length + 1) / 2 / (double)share;
    }
    if (row->stride) return;
    *tokens += (double)n;
    *pairs += (double)n * (row->both_ways ? (double)n : (double)(n + 1) / 2.0);
}

/* Floating-point operations that the model itself asks for, on real positions only, a causal pair counted once:
 *   a token and block: 3 d^2 (Q, K, V) + d^2 (output projection) + 2 d f (feed-forward, f = d) multiply-adds, or as the row
 *   says (without projection 5 d^2, with f = 4 d 12 d^2),
 *   a pair (position, position it sees) and block: 2 d (score and weighted sum),
 *   the last block of a prefix: 2 d^2 a token (K, V), all else of its newest position alone,
 *   a token with a target in the loss: V d for the full softmax, (1 + k) d for one target and k negatives (sce: those of one
 *   bucket, without what chooses them);
 * two operations a multiply-add; the backward pass twice the forward pass. */
static double useful_operations(const train_row *row, const seqrec_dataset *events, int64_t *tokens)
{
    const double d = row->dim, blocks = 2;
    double pairs = 0, inputs = 0;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    *tokens = 0;
    for (int64_t u = 0; u < stats.users; u++) {
        int64_t count = 0;
        bench_must(seqrec_dataset_sequence(events, u, NULL, NULL, NULL, &count, &bench_failure));
        const int64_t n = trained_tokens(count, window_of(row));
        *tokens += n;
        add_user(row, count >= 3 ? count - 2 : count, n, &inputs, &pairs);
    }
    const double candidates = row->negatives ? 1 + row->negatives : (double)stats.items;
    const double squares = row->squares ? row->squares : 6, share = row->stride ? row->stride : 1;
    const double targets = (double)*tokens / share * (row->both_ways ? 0.2 : 1);
    const double whole = inputs * squares * d * d + pairs * 2 * d;
    const double last = row->stride ? inputs * 2 * d * d + targets * (squares - 2) * d * d + inputs * 2 * d : whole;
    const double forward = (blocks - 1) * whole + last + targets * candidates * d;
    return forward * 2 * 3;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static seqrec_config *config_of(const train_row *row)
{
    seqrec_config *config = NULL;
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_preset(config, row->preset, &bench_failure));
    bench_must(seqrec_config_set(config, "item_bias", "false", &bench_failure)); /* bench_torch.py's models have none */
    bench_must(seqrec_config_set(config, "loss", row->loss, &bench_failure));
    bench_must(seqrec_config_set(config, "negative_sharing", row->sharing, &bench_failure));
    if (row->negatives) set_number(config, "negatives", row->negatives);
    set_number(config, "dim", row->dim);
    set_number(config, "dropout", row->dropout);
    set_number(config, "max_length", (double)window_of(row));
    set_number(config, "valid_every", 0);
    set_number(config, "batch", 128); /* as bench_torch.py's, and all maskings at one probability */
    if (row->both_ways) set_number(config, "mask_last_share", 0);
    if (row->stride) bench_must(seqrec_config_set(config, "objective", "prefix", &bench_failure));
    if (row->stride) set_number(config, "prefix_stride", row->stride);
    for (int i = 0; i < 4 && row->settings[i]; i += 2)
        bench_must(seqrec_config_set(config, row->settings[i], row->settings[i + 1], &bench_failure));
    return config;
}

#define MOST_EPOCHS 100
typedef struct epoch_log {
    double seconds[MOST_EPOCHS];
    int64_t epochs, targets;
} epoch_log;

static int32_t log_epoch(void *context, const seqrec_epoch_stats *stats)
{
    epoch_log *log = context;
    log->seconds[log->epochs++] = stats->seconds;
    log->targets = stats->targets;
    return log->epochs == MOST_EPOCHS;
}

static void fit(const train_row *row, int32_t epochs, seqrec_context *context, const seqrec_dataset *events,
                seqrec_model **model, epoch_log *log)
{
    seqrec_config *config = config_of(row);
    seqrec_trainer *trainer = NULL;
    seqrec_fit how = {.struct_size = sizeof how, .epoch = log_epoch, .epoch_context = log};
    set_number(config, "epochs", epochs);
    bench_must(seqrec_model_create(context, config, model, &bench_failure));
    bench_must(seqrec_trainer_create(*model, config, &trainer, &bench_failure));
    bench_must(seqrec_trainer_fit(trainer, events, &how, NULL, &bench_failure));
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
}

/* Of the training histories, cut to 200 events. */
static double mean_window(const seqrec_dataset *events)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    int64_t sum = 0;
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    for (int64_t u = 0; u < stats.users; u++) {
        int64_t count = 0;
        bench_must(seqrec_dataset_sequence(events, u, NULL, NULL, NULL, &count, &bench_failure));
        sum += trained_tokens(count, 200);
    }
    return (double)sum / (double)stats.users;
}

static void measure_training(const void *arg)
{
    const train_row *row = arg;
    const double peak = fma_best_peak(run.threads);
    epoch_log log = {.epochs = 0};
    seqrec_context *context = open_context(NULL);
    seqrec_dataset *events = read_events(context, run.data);
    seqrec_model *model = NULL;
    int64_t tokens = 0;
    fit(row, row->repeats && row->repeats < run.repeats ? row->repeats : run.repeats, context, events, &model, &log);
    const double operations = useful_operations(row, events, &tokens);
    const double seconds = bench_median(log.seconds, log.epochs), rate = operations / seconds;
    if (!row->both_ways && !row->stride && tokens != log.targets) {
        fprintf(stderr, "bench: %lld targets counted, %lld trained\n", (long long)tokens, (long long)log.targets);
        exit(EXIT_FAILURE);
    }
    printf("{\"bench\":\"train\",\"name\":\"%s\",\"data\":\"%s\",\"threads\":%d,\"epochs\":%lld,"
           "\"seconds_per_epoch\":%.4f,\"fastest_epoch\":%.4f,\"targets\":%lld,\"targets_per_second\":%.0f,"
           "\"window\":%.1f,\"stride\":%d,\"gflop_per_epoch\":%.1f,\"gflops\":%.1f,\"peak_gflops\":%.1f,\"share_of_peak\":%.4f,"
           "\"peak_rss_bytes\":%lld}\n",
           row->name, base_name(run.data), (int)run.threads, (long long)log.epochs, seconds, log.seconds[0],
           (long long)tokens, (double)log.targets / seconds, mean_window(events), (int)row->stride, operations * 1e-9, rate * 1e-9, peak * 1e-9, rate / peak,
           (long long)bench_peak_rss());
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_context_release(context);
}

/* The first six do the work of bench_torch.py's variants: SASRec.pytorch's wiring. */
#define ABSOLUTE 0, 0, {NULL}
#define DRAWN "sasrec-sampled-softmax", "sampled_softmax", "position", 64, 256, 0.2, 1, 5, 0, 0, 0
#define BUT_HISTORY "seen", "exclude_history"
static const train_row train_rows[] = {
    {"bce-d50-p0.2", "sasrec", "bce", "position", 50, 1, 0.2, 0, 0, 0, ABSOLUTE},
    {"bce-d50-p0", "sasrec", "bce", "position", 50, 1, 0, 0, 0, 0, ABSOLUTE},
    {"bce-d64-p0.2", "sasrec", "bce", "position", 64, 1, 0.2, 0, 0, 0, ABSOLUTE},
    {"bce-d64-p0", "sasrec", "bce", "position", 64, 1, 0, 0, 0, 0, ABSOLUTE},
    {"softmax-d64-p0.2", "sasrec", "softmax", "position", 64, 0, 0.2, 3, 0, 0, ABSOLUTE},
    {"softmax-d64-p0", "sasrec", "softmax", "position", 64, 0, 0, 3, 0, 0, ABSOLUTE},
    {"sampled-shared-d64-p0.2", "sasrec-sampled-softmax", "sampled_softmax", "batch", 64, 256, 0.2, 3, 5, 0, ABSOLUTE},
    {"sampled-position-d64-p0.2", "sasrec-sampled-softmax", "sampled_softmax", "position", 64, 256, 0.2, 1, 5, 0, ABSOLUTE},
    {"bce-d128-p0.2", "sasrec", "bce", "position", 128, 1, 0.2, 1, 0, 0, ABSOLUTE},
    {"sampled-shared-d128-p0.2", "sasrec", "sampled_softmax", "batch", 128, 256, 0.2, 1, 0, 0, ABSOLUTE},
    {"sampled-same-d64-p0.2", "sasrec", "sampled_softmax", "batch", 64, 256, 0.2, 1, 0, 0, ABSOLUTE},
    {"gbce-d128-p0.5", "gsasrec", "gbce", "position", 128, 256, 0.5, 1, 5, 0, ABSOLUTE},
    {"cloze-d64-p0.2", "bert4rec", "softmax", "position", 64, 0, 0.2, 1, 12, 1, ABSOLUTE},
    {"hstu-d50-p0.2", "hstu", "sampled_softmax", "position", 50, 128, 0.2, 3, 5, 0, ABSOLUTE},
    {"shaw-d64-p0.2", "sasrec", "bce", "position", 64, 1, 0.2, 0, 0, 0, 0, 0, {"relative", "shaw", "relative_clip", "64"}},
    {"long-d64-p0.2", "sasrec", "bce", "position", 64, 1, 0.2, 3, 0, 0, 2277, 0, {NULL}},
    {"literal-d64-p0.2", "sasrec", "bce", "position", 64, 1, 0.2, 1, 0, 0, 0, 8, {NULL}},
    {"sce-d64-p0.2", "sasrec", "sce", "position", 64, 256, 0.2, 1, 0, 0, ABSOLUTE},
    {"drawn-popularity-d64-p0.2", DRAWN, {"sampler", "popularity"}},
    {"drawn-log-uniform-d64-p0.2", DRAWN, {"sampler", "log_uniform"}},
    {"drawn-in-batch-d64-p0.2", DRAWN, {"sampler", "in_batch"}},
    {"drawn-mixed-d64-p0.2", DRAWN, {"sampler", "mixed"}},
    {"drawn-history-d64-p0.2", DRAWN, {BUT_HISTORY}},
    {"drawn-history-popularity-d64-p0.2", DRAWN, {BUT_HISTORY, "sampler", "popularity"}},
    {"drawn-history-log-uniform-d64-p0.2", DRAWN, {BUT_HISTORY, "sampler", "log_uniform"}},
    {"drawn-history-in-batch-d64-p0.2", DRAWN, {BUT_HISTORY, "sampler", "in_batch"}},
    {"drawn-history-mixed-d64-p0.2", DRAWN, {BUT_HISTORY, "sampler", "mixed"}},
};

static void train_all(void)
{
    for (size_t i = 0; i < sizeof train_rows / sizeof *train_rows; i++)
        if (chosen(train_rows[i].name)) bench_child(measure_training, &train_rows[i]);
}

/* ---- a step's cost and the size of the catalogue ----------------------------------------------------------------- */

enum { SEQUENCES = 128, EVENTS = 200, WARM_STEPS = 3 };

/* Model, trainer's copy, two moments, and what is kept beside a row. */
#define BYTES_PER_ITEM (4 * 64 * sizeof(float) + 112)

typedef struct flat_row {
    const char *name, *sharing;
    int64_t items;
} flat_row;

static int64_t requests; /* to the allocator, by the thread that steps or any other */

static void *counted_allocate(void *context, size_t bytes, size_t alignment)
{
    void *block = NULL;
    __atomic_add_fetch((int64_t *)context, 1, __ATOMIC_RELAXED);
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static void counted_release(void *context, void *block, size_t bytes, size_t alignment)
{
    (void)context;
    (void)bytes;
    (void)alignment;
    free(block);
}

static int64_t available_bytes(void)
{
    char line[128];
    long long kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lld", &kilobytes) == 1) break;
    fclose(file);
    return (int64_t)kilobytes * 1024;
}

static int64_t items_that_fit(int64_t wanted)
{
    int64_t most = (int64_t)(0.85 * (double)available_bytes() / (double)BYTES_PER_ITEM);
    if (wanted <= most) return wanted;
    fprintf(stderr, "bench: memory for %lld items only, not %lld\n", (long long)most, (long long)wanted);
    return most;
}

static void put_items(seqrec_model *model, int64_t items)
{
    int64_t *ids = bench_alloc((size_t)items * sizeof *ids);
    for (int64_t i = 0; i < items; i++) ids[i] = i + 1;
    bench_must(seqrec_items_put(model, ids, items, NULL, &bench_failure));
    free(ids);
}

/* Events drawn uniformly from the whole catalogue: the least locality there can be. */
static void draw_events(int64_t *events, int64_t items, uint64_t *state)
{
    for (int32_t i = 0; i < SEQUENCES * EVENTS; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        events[i] = 1 + (int64_t)((*state >> 32) * (uint64_t)items >> 32);
    }
}

/* Median seconds of a step on batches it has not seen; *fresh: allocations in the timed steps. */
static double time_steps(seqrec_trainer *trainer, int64_t items, int32_t steps, int64_t *fresh)
{
    static int64_t offsets[SEQUENCES + 1], events[SEQUENCES * EVENTS];
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = SEQUENCES, .offsets = offsets, .items = events};
    double *seconds = bench_alloc((size_t)steps * sizeof *seconds);
    uint64_t state = 1;
    for (int64_t i = 0; i <= SEQUENCES; i++) offsets[i] = i * EVENTS;
    for (int32_t i = -WARM_STEPS; i < steps; i++) {
        if (i == 0) *fresh = requests;
        draw_events(events, items, &state);
        const double start = bench_now();
        bench_must(seqrec_trainer_step(trainer, &batch, NULL, &bench_failure));
        if (i >= 0) seconds[i] = bench_now() - start;
    }
    *fresh = requests - *fresh;
    const double median = bench_median(seconds, steps);
    free(seconds);
    return median;
}

static void measure_flat(const void *arg)
{
    const flat_row *row = arg;
    const train_row like = {"", "sasrec-sampled-softmax", "sampled_softmax", row->sharing, 64, 256, 0.2, 0, 0, 0, ABSOLUTE};
    const int32_t steps = strcmp(row->sharing, "batch") == 0 || run.steps < 5 ? run.steps : 5;
    const int64_t items = items_that_fit(row->items);
    const seqrec_allocator allocator = {sizeof allocator, &requests, counted_allocate, counted_release};
    seqrec_context *context = open_context(&allocator);
    seqrec_config *config = config_of(&like);
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    int64_t fresh = 0;
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    put_items(model, items);
    bench_must(seqrec_trainer_create(model, config, &trainer, &bench_failure));
    const double seconds = time_steps(trainer, items, steps, &fresh);
    printf("{\"bench\":\"flat\",\"name\":\"%s\",\"items\":%lld,\"threads\":%d,\"steps\":%d,\"seconds_per_step\":%.6f,"
           "\"allocations_in_warm_steps\":%lld,\"peak_rss_bytes\":%lld}\n",
           row->name, (long long)items, (int)run.threads, (int)steps, seconds, (long long)fresh,
           (long long)bench_peak_rss());
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_config_release(config);
    seqrec_context_release(context);
}

static void flat_all(void)
{
    const flat_row rows[] = {
        {"flat-shared-small", "batch", 100000},
        {"flat-shared-large", "batch", run.items},
        {"flat-position-small", "position", 100000},
        {"flat-position-large", "position", run.items},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (chosen(rows[i].name)) bench_child(measure_flat, &rows[i]);
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

static double time_evaluation(seqrec_context *context, const seqrec_model *model, const seqrec_dataset *events,
                              int64_t bootstrap, double *users)
{
    seqrec_evaluation how = {.struct_size = sizeof how, .protocol = "E4", .bootstrap = bootstrap};
    double seconds[3];
    for (int32_t i = 0; i < 3; i++) {
        seqrec_report *report = NULL;
        const double start = bench_now();
        bench_must(seqrec_evaluate(context, model, events, &how, &report, &bench_failure));
        seconds[i] = bench_now() - start;
        bench_must(seqrec_report_get(report, "model", "users", users, NULL, NULL, &bench_failure));
        seqrec_report_release(report);
    }
    return bench_median(seconds, 3);
}

static void measure_evaluation(const void *arg)
{
    const train_row *row = arg;
    const int64_t bootstraps[] = {-1, 1000};
    epoch_log log = {.epochs = 0};
    seqrec_context *context = open_context(NULL);
    seqrec_dataset *events = read_events(context, run.data);
    seqrec_model *model = NULL;
    double users = 0;
    fit(row, 1, context, events, &model, &log);
    for (int32_t i = 0; i < 2; i++) {
        const double seconds = time_evaluation(context, model, events, bootstraps[i], &users);
        printf("{\"bench\":\"evaluate\",\"name\":\"%s\",\"data\":\"%s\",\"protocol\":\"E4\",\"threads\":%d,"
               "\"resamples\":%lld,\"users\":%.0f,\"seconds\":%.4f,\"peak_rss_bytes\":%lld}\n",
               row->name, base_name(run.data), (int)run.threads, (long long)(i ? bootstraps[i] : 0), users, seconds,
               (long long)bench_peak_rss());
    }
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_context_release(context);
}

static void evaluate_all(void)
{
    const train_row rows[] = {{"evaluate-d50", "sasrec", "bce", "position", 50, 1, 0.2, 1, 0, 0, ABSOLUTE},
                              {"evaluate-d64", "sasrec", "bce", "position", 64, 1, 0.2, 1, 0, 0, ABSOLUTE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (chosen(rows[i].name)) bench_child(measure_evaluation, &rows[i]);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The events of run.data once more, with ratings and times, `format` having places for the four numbers. */
/* prefix: what makes ids names, "" for numbers. */
static void write_events(FILE *file, const char *header, const char *separator, const char *prefix)
{
    seqrec_context *context = open_context(NULL);
    seqrec_dataset *events = read_events(context, run.data);
    int64_t user = 0, count = 0;
    const int64_t *items = NULL;
    fputs(header, file);
    for (int64_t u = 0; seqrec_dataset_sequence(events, u, &user, &items, NULL, &count, NULL) == SEQREC_OK; u++)
        for (int64_t i = 0; i < count; i++)
            fprintf(file, "%s%lld%s%s%lld%s%d%s%lld\n", prefix, (long long)user, separator, prefix, (long long)items[i], separator,
                    1 + (int)(items[i] % 5), separator, (long long)(956703932 + 60 * i));
    seqrec_dataset_release(events);
    seqrec_context_release(context);
}

typedef struct read_row {
    const char *name, *header, *separator, *prefix; /* separator NULL: run.data itself */
} read_row;

static void measure_reading(const void *arg)
{
    const read_row *row = arg;
    char path[] = "/tmp/seqrec-bench-XXXXXX";
    double seconds[MOST_EPOCHS];
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    if (row->separator) {
        int descriptor = mkstemp(path);
        FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
        if (!file) exit(EXIT_FAILURE);
        write_events(file, row->header, row->separator, row->prefix);
        if (fclose(file) != 0) exit(EXIT_FAILURE);
    }
    seqrec_context *context = open_context(NULL);
    for (int32_t i = -1; i < run.repeats; i++) {
        const double start = bench_now();
        seqrec_dataset *events = read_events(context, row->separator ? path : run.data);
        if (i >= 0) seconds[i] = bench_now() - start;
        bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
        seqrec_dataset_release(events);
    }
    const double median = bench_median(seconds, run.repeats);
    printf("{\"bench\":\"read\",\"name\":\"%s\",\"threads\":%d,\"lines\":%lld,\"seconds\":%.4f,"
           "\"lines_per_second\":%.0f,\"peak_rss_bytes\":%lld}\n",
           row->name, (int)run.threads, (long long)stats.events, median, (double)stats.events / median,
           (long long)bench_peak_rss());
    if (row->separator) unlink(path);
    seqrec_context_release(context);
}

static void read_all(void)
{
    const char *header = "user_id,item_id,rating,timestamp\n";
    const read_row rows[] = {{"read-pairs", NULL, NULL, ""}, {"read-csv", header, ",", ""}, {"read-csv-names", header, ",", "name-"},
                             {"read-movielens", "", "::", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (chosen(rows[i].name)) bench_child(measure_reading, &rows[i]);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static void peaks(void)
{
    fma_isa isas[FMA_ISAS];
    const int32_t n = fma_isas(isas);
    if (!chosen("peak")) return;
    for (int32_t i = 0; i < n; i++)
        for (int32_t threads = 1; threads <= 2; threads++)
            printf("{\"bench\":\"peak\",\"name\":\"peak-%s\",\"threads\":%d,\"gflops\":%.1f}\n", isas[i].name,
                   (int)threads, fma_peak(&isas[i], threads) * 1e-9);
}

/* Events with ml-1m's counts and lengths (its quantiles in steps of 5 %), items without its order. */
static void write_lookalike(const char *path)
{
    static const double lengths[] = {18,  23,  27,  32,  37,  44,  51,  60,  70,  81,  96,
                                     109, 126, 148, 173, 207, 253, 309, 400, 556, 1000};
    const int64_t users = 6040, items = 3416;
    uint64_t state = 1;
    FILE *file = fopen(path, "w");
    for (int64_t u = 0; file && u < users; u++) {
        const double place = 20 * (double)(u * 1237 % users) / (double)users; /* 1237 shares no factor with 6040 */
        const int32_t step = (int32_t)place;
        const int64_t count = (int64_t)(lengths[step] + (place - step) * (lengths[step + 1] - lengths[step]));
        for (int64_t i = 0; i < count; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const double r = (double)(state >> 40) / 16777216.0;
            fprintf(file, "%lld %lld\n", (long long)u + 1, (long long)(r * r * (double)items) + 1);
        }
    }
    if (file && fclose(file) == 0) exit(EXIT_SUCCESS);
    perror(path);
    exit(EXIT_FAILURE);
}

static const char usage[] =
    "usage: bench_train --data FILE [--threads N] [--repeats N] [--steps N] [--items N] [--only PREFIX]\n"
    "       bench_train --lookalike FILE   writes events of ml-1m's counts and lengths\n"
    "rows: peak, bce-, softmax-, sampled-, flat-, evaluate-, read-\n";

static void parse(int count, char **words)
{
    int good = 1;
    for (int i = 1; i < count; i += 2) {
        const char *name = words[i], *value = i + 1 < count ? words[i + 1] : "";
        const long long number = atoll(value);
        if (strcmp(name, "--data") == 0)
            run.data = value;
        else if (strcmp(name, "--only") == 0)
            run.only = value;
        else if (strcmp(name, "--lookalike") == 0 && *value)
            write_lookalike(value);
        else if (strcmp(name, "--threads") == 0 && number > 0)
            run.threads = (int32_t)number;
        else if (strcmp(name, "--repeats") == 0 && number > 0 && number <= MOST_EPOCHS)
            run.repeats = (int32_t)number;
        else if (strcmp(name, "--steps") == 0 && number > 0)
            run.steps = (int32_t)number;
        else if (strcmp(name, "--items") == 0 && number > 0)
            run.items = number;
        else
            good = 0;
    }
    if (good && run.data) return;
    fputs(usage, stderr);
    exit(2);
}

int main(int count, char **words)
{
    parse(count, words);
    peaks();
    train_all();
    flat_all();
    evaluate_all();
    read_all();
    return EXIT_SUCCESS;
}
