/* experiment: how far the gradients of sampled losses point where that of the full softmax points. For a saved model, one fixed
 * batch of training sequences, and each setting of the options: negatives are drawn several times, and the gradients, one by one
 * and their mean, are held against the gradient of loss = softmax at the same weights without dropout.
 *   gradient_cosine MODEL DATA THREADS USERS DRAWS NAME:OPTION=VALUE,OPTION=VALUE,... ...
 * USERS sequences make the batch, evenly spread over the data, without their last two events. With sampler = host the negatives are
 * the model's items in their order, from the first on, so that as many as there are items are all of them.
 * One JSON object per setting on stdout: cosine and ratio of norms to the full gradient, of the mean of the draws, of a single draw
 * (their mean), and the cosine of the expected gradient, whose squared norm is estimated without the noise that is left in a mean
 * of few draws (null where that is not above 0); of all parameters, of the items' rows and of the rest. */
#include <math.h>
#include <string.h>
#include "benchtool.h"
#include "train/trainer.h"

enum { ALL, ITEMS, NETWORK, PARTS };
static const char *const part_names[] = {"all", "items", "network"};

typedef struct world {
    seqrec_context *context;
    seqrec_dataset *data;
    seqrec_model *model;
    sq_options options; /* of the model as it was saved: a trainer changes them */
    int64_t draws, item_count;
    int64_t *item_ids; /* [item_count] of the data */
    double *counts;    /* [item_count] training events of each */
    double *met;       /* [item_count] those that a fit's windows have as targets, for samplers that draw from the batch */
    seqrec_batch batch;
    size_t network, floats; /* of a gradient: the network's parameters, then the rows */
    float *full, *one;      /* [floats] */
    double *sum;            /* [floats] */
} world;

/* ---- the data ---------------------------------------------------------------------------------------------------- */

/* Events of a user that are trained on under leave-one-out. */
static int64_t training_events(const world *w, int64_t user, const int64_t **items)
{
    int64_t n = 0;
    bench_must(seqrec_dataset_sequence(w->data, user, NULL, items, NULL, &n, &bench_failure));
    return n >= 3 ? n - 2 : n;
}

static int rising(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void count_items(world *w, int64_t users)
{
    const int64_t *items = NULL;
    bench_must(seqrec_dataset_items(w->data, w->item_ids, w->item_count, &w->item_count, &bench_failure));
    for (int64_t u = 0; u < users; u++)
        for (int64_t n = training_events(w, u, &items), i = n; i-- > 0;) {
            const int64_t *at = bsearch(&items[i], w->item_ids, (size_t)w->item_count, sizeof *at, rising);
            w->counts[at - w->item_ids]++;
            w->met[at - w->item_ids] += i > 0 && i >= n - w->model->layout.length;
        }
}

static void fill_batch(world *w, int64_t users, int64_t chosen, int64_t events)
{
    int64_t *offsets = bench_alloc((size_t)(chosen + 1) * sizeof *offsets),
            *to = bench_alloc((size_t)events * sizeof *to);
    const int64_t *items = NULL;
    offsets[0] = 0;
    for (int64_t s = 0; s < chosen; s++) {
        const int64_t n = training_events(w, s * users / chosen, &items);
        memcpy(to + offsets[s], items, (size_t)n * sizeof *to);
        offsets[s + 1] = offsets[s] + n;
    }
    w->batch = (seqrec_batch){.struct_size = sizeof w->batch, .sequences = chosen, .offsets = offsets, .items = to};
}

static void read_events(world *w, const char *path, int64_t chosen)
{
    seqrec_reader reader = {.struct_size = sizeof reader};
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    bench_must(seqrec_dataset_read(w->context, path, &reader, &w->data, &bench_failure));
    bench_must(seqrec_dataset_describe(w->data, &stats, &bench_failure));
    w->item_count = stats.items;
    w->item_ids = bench_alloc((size_t)stats.items * sizeof *w->item_ids);
    w->counts = bench_alloc((size_t)stats.items * sizeof *w->counts);
    w->met = bench_alloc((size_t)stats.items * sizeof *w->met);
    memset(w->counts, 0, (size_t)stats.items * sizeof *w->counts);
    memset(w->met, 0, (size_t)stats.items * sizeof *w->met);
    count_items(w, stats.users);
    fill_batch(w, stats.users, chosen < stats.users ? chosen : stats.users, stats.events);
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static void set(seqrec_config *config, const char *name, const char *value)
{
    bench_must(seqrec_config_set(config, name, value, &bench_failure));
}

/* A step at rate 0 changes no weight, and with beta1 = 0 Adam's first moment is the gradient. */
static seqrec_config *still(const world *w)
{
    static const char *const options[][2] = {
        {"learning_rate", "0"}, {"beta1", "0"},           {"weight_decay", "0"},       {"clip_norm", "0"},
        {"dropout", "0"},       {"dropout_ffn", "-1"},    {"dropout_embedding", "-1"}, {"dropout_attention", "-1"},
        {"accumulate", "1"},    {"schedule", "constant"}, {"item_updates", "lazy"},    {"dropout_residual", "-1"}};
    seqrec_config *config = NULL;
    bench_must(seqrec_model_config(w->model, &config, &bench_failure));
    config->options = w->options;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) set(config, options[i][0], options[i][1]);
    return config;
}

static int32_t bring_items(void *context, const seqrec_negatives *request)
{
    const world *w = context;
    for (int64_t i = 0; i < request->rows * request->k; i++)
        request->items[i] = w->item_ids[i % request->k % w->item_count];
    return 0;
}

static seqrec_trainer *open_trainer(world *w, const seqrec_config *config)
{
    seqrec_trainer *t = NULL;
    bench_must(seqrec_trainer_create(w->model, config, &t, &bench_failure));
    const double *counts = sq_sampler_kind_at(t->options.sampler)->from_batch ? w->met : w->counts;
    bench_must(seqrec_trainer_set_popularity(t, w->item_ids, counts, w->item_count, &bench_failure));
    bench_must(seqrec_trainer_set_negatives(t, bring_items, w, &bench_failure));
    return t;
}

/* The gradient of one step; rows without one would keep what they had. */
static void gradient(const world *w, seqrec_trainer *t, float *out)
{
    const size_t rows = SQ_CHUNK_ROWS * (size_t)t->items.catalogue->stride;
    for (int32_t c = 0; c < t->items.chunks; c++) memset(t->items.state[c]->m, 0, rows * sizeof *out);
    bench_must(seqrec_trainer_step(t, &w->batch, NULL, &bench_failure));
    memcpy(out, t->m, w->network * sizeof *out);
    for (int32_t c = 0; c < t->items.chunks; c++)
        memcpy(out + w->network + (size_t)c * rows, t->items.state[c]->m, rows * sizeof *out);
}

static void full_gradient(world *w)
{
    seqrec_config *config = still(w);
    set(config, "loss", "softmax");
    set(config, "logq", "none");
    set(config, "hard_pool", "0");
    seqrec_trainer *t = open_trainer(w, config);
    w->network = t->model->layout.floats;
    w->floats = w->network + (size_t)t->items.chunks * SQ_CHUNK_ROWS * (size_t)t->items.catalogue->stride;
    w->full = bench_alloc(w->floats * sizeof *w->full);
    w->one = bench_alloc(w->floats * sizeof *w->one);
    w->sum = bench_alloc(w->floats * sizeof *w->sum);
    gradient(w, t, w->full);
    seqrec_trainer_release(t);
    seqrec_config_release(config);
}

/* ---- a setting --------------------------------------------------------------------------------------------------- */

/* Sums over the draws, of one part of the parameters. */
typedef struct tally {
    double cosine, norm, squares;
} tally;

static size_t part_start(const world *w, int part)
{
    return part == ITEMS ? w->network : 0;
}

static size_t part_end(const world *w, int part)
{
    return part == NETWORK ? w->network : w->floats;
}

static void add_draw(const world *w, int part, tally *o)
{
    double product = 0, one = 0, full = 0;
    for (size_t i = part_start(w, part), end = part_end(w, part); i < end; i++) {
        product += (double)w->one[i] * (double)w->full[i];
        one += (double)w->one[i] * (double)w->one[i];
        full += (double)w->full[i] * (double)w->full[i];
    }
    o->cosine += product / sqrt(one * full);
    o->norm += sqrt(one / full);
    o->squares += one;
}

static void print_real(const char *name, double value)
{
    if (isfinite(value))
        printf("\"%s\":%.6g", name, value);
    else
        printf("\"%s\":null", name);
}

static void print_part(const world *w, int part, const tally *o)
{
    const double n = (double)w->draws;
    double product = 0, sum = 0, full = 0;
    for (size_t i = part_start(w, part), end = part_end(w, part); i < end; i++) {
        product += w->sum[i] * (double)w->full[i];
        sum += w->sum[i] * w->sum[i];
        full += (double)w->full[i] * (double)w->full[i];
    }
    const double expected =
        (sum - o->squares) / (n * (n - 1)); /* squared norm of the expectation: products of two draws */
    printf(",\"%s\":{", part_names[part]);
    print_real("cosine", product / sqrt(sum * full));
    printf(",");
    print_real("ratio", sqrt(sum / full) / n);
    printf(",");
    print_real("single_cosine", o->cosine / n);
    printf(",");
    print_real("single_ratio", o->norm / n);
    printf(",");
    print_real("expected_cosine", expected > 0 ? product / n / sqrt(expected * full) : NAN);
    printf("}");
}

static void run_setting(world *w, const char *text)
{
    seqrec_config *config = still(w);
    tally tallies[PARTS] = {{0}};
    char *copy = bench_alloc(strlen(text) + 1), *rest = strcpy(copy, text), *name = strsep(&rest, ":");
    for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
        const char *option = strsep(&item, "=");
        set(config, option, item ? item : "");
    }
    seqrec_trainer *t = open_trainer(w, config);
    memset(w->sum, 0, w->floats * sizeof *w->sum);
    for (int64_t d = 0; d < w->draws; d++) {
        gradient(w, t, w->one);
        for (size_t i = 0; i < w->floats; i++) w->sum[i] += (double)w->one[i];
        for (int part = 0; part < PARTS; part++) add_draw(w, part, &tallies[part]);
    }
    printf("{\"setting\":\"%s\",\"users\":%lld,\"draws\":%lld", name, (long long)w->batch.sequences,
           (long long)w->draws);
    for (int part = 0; part < PARTS; part++) print_part(w, part, &tallies[part]);
    printf("}\n");
    fflush(stdout);
    seqrec_trainer_release(t);
    seqrec_config_release(config);
    free(copy);
}

int main(int argc, char **argv)
{
    world w = {0};
    if (argc < 7) {
        fprintf(stderr, "usage: gradient_cosine MODEL DATA THREADS USERS DRAWS NAME:OPTION=VALUE,...\n");
        return 2;
    }
    bench_must(seqrec_context_create(NULL, NULL, (int32_t)atoi(argv[3]), NULL, NULL, &w.context, &bench_failure));
    bench_must(seqrec_model_load(w.context, argv[1], &w.model, &bench_failure));
    w.options = w.model->options;
    w.draws = atoi(argv[5]);
    read_events(&w, argv[2], atoi(argv[4]));
    full_gradient(&w);
    for (int i = 6; i < argc; i++) run_setting(&w, argv[i]);
    free((void *)(uintptr_t)w.batch.offsets);
    free((void *)(uintptr_t)w.batch.items);
    void *blocks[] = {w.item_ids, w.counts, w.met, w.full, w.one, w.sum};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    seqrec_model_release(w.model);
    seqrec_dataset_release(w.data);
    seqrec_context_release(w.context);
    return EXIT_SUCCESS;
}
