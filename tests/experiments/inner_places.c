/* experiment: a model asked before every event but the first two of the users of a file, and how much its answers hang on what is old.
 *   inner_places MODEL DATA [REFERENCE]
 * Each place has what is before it as its history (as much as the model's window holds), and the event there as its target, ranked among
 * the model's items that are not in the user's history so far; equal scores share their places, and an item that the model lacks is not
 * found. Means are over places, by the number of events before them too; intervals are of 1,000 resamples of the users, in which a user
 * comes with all places, but for those without a place. `older`: before the last event of those with enough before it, answers after the newest 50 events against
 * answers with a few older ones in front: `changed` is the root mean square of the changes of the scores of unseen items, less their
 * mean, over the standard deviation of these scores; `overlap@10` the share of the ten best items that stay. Through seqrec.h only; one
 * JSON object on stdout, of the model, and of the model minus the reference where there is one. */
#include <math.h>
#include <string.h>
#include "benchtool.h"
#include "horizon_figures.h"

enum { BATCH = 64, GROUPS = 7, RESAMPLES = 1000, RECENT = 50, AGES = 5, BEST = 10 };
static const int64_t least[GROUPS] = {2, 2, 10, 20, 50, 100, 200}, most[GROUPS] = {INT64_MAX, 9, 19, 49, 99, 199, INT64_MAX};
static const int64_t ages[AGES] = {0, 1, 10, 50, 150};

/* Sums over a user's places, by the events before them; the first group has all. */
typedef struct tally {
    double places[GROUPS], gain[GROUPS], hits[GROUPS];
} tally;

typedef struct asked {
    seqrec_context *context;
    seqrec_model *model;
    int64_t window, item_count, *items; /* [item_count] ids of the model, rising */
    float *scores;                      /* [BATCH][item_count] */
    uint8_t *seen;                      /* [item_count] */
    tally *users;
    double changed[AGES], overlap[AGES], gain[AGES];
    int64_t old_users;
} asked;

/* Histories that wait for their answers: ends of places of one user. */
typedef struct waiting {
    int64_t count, offsets[BATCH + 1], *items;
} waiting;

static int rising(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* -1: the model lacks it. */
static int64_t place_of(const asked *a, int64_t item)
{
    const int64_t *at = bsearch(&item, a->items, (size_t)a->item_count, sizeof item, rising);
    return at ? at - a->items : -1;
}

static void open_model(asked *a, seqrec_context *context, const char *path, int64_t users)
{
    char text[32];
    int64_t cursor = 0, got = 0;
    seqrec_config *config = NULL;
    a->context = context;
    bench_must(seqrec_model_load(context, path, &a->model, &bench_failure));
    bench_must(seqrec_model_config(a->model, &config, &bench_failure));
    bench_must(seqrec_config_get(config, "max_length", text, sizeof text, NULL, &bench_failure));
    seqrec_config_release(config);
    a->window = atoll(text);
    const int64_t capacity = seqrec_items_count(a->model) + 1;
    a->items = bench_alloc((size_t)capacity * sizeof *a->items);
    do {
        bench_must(seqrec_items_next(a->model, &cursor, a->items + a->item_count, capacity - a->item_count, &got, &bench_failure));
        a->item_count += got;
    } while (got > 0);
    qsort(a->items, (size_t)a->item_count, sizeof *a->items, rising);
    a->scores = bench_alloc((size_t)(BATCH * a->item_count) * sizeof *a->scores);
    a->seen = bench_alloc((size_t)a->item_count);
    a->users = calloc((size_t)users, sizeof *a->users);
    if (!a->users) exit(EXIT_FAILURE);
}

static void see(asked *a, const int64_t *items, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t place = place_of(a, items[i]);
        if (place >= 0) a->seen[place] = 1;
    }
}

/* Scores after each of the histories that wait: they do not any more. */
static void answer(asked *a, waiting *w)
{
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = w->count, .offsets = w->offsets, .items = w->items};
    const seqrec_filter filter = {.struct_size = sizeof filter, .unknown_items = SEQREC_UNKNOWN_SKIP};
    bench_must(seqrec_score(a->model, &batch, a->items, NULL, a->item_count, &filter, a->scores, &bench_failure));
    w->count = 0;
}

static void wait_for(waiting *w, const int64_t *items, int64_t n)
{
    memcpy(w->items + w->offsets[w->count], items, (size_t)n * sizeof *items);
    w->offsets[w->count + 1] = w->offsets[w->count] + n;
    w->count++;
}

/* 1 / log2(1 + rank) of a target among the ten best, else 0. */
static double gain_of(const asked *a, const float *scores, int64_t target)
{
    const int64_t place = place_of(a, target);
    const double rank = place < 0 ? INFINITY : horizon_rank(scores, a->seen, a->item_count, place);
    return rank <= BEST ? 1 / log2(1 + rank) : 0;
}

static void add_place(tally *t, int64_t before, double gain)
{
    for (int g = 0; g < GROUPS; g++) {
        if (before < least[g] || before > most[g]) continue;
        t->places[g]++;
        t->gain[g] += gain;
        t->hits[g] += gain > 0;
    }
}

static void ask_places(asked *a, waiting *w, const int64_t *items, int64_t n, tally *to)
{
    memset(a->seen, 0, (size_t)a->item_count);
    if (n > 0) see(a, items, 1);
    for (int64_t at = 2; at < n;) {
        const int64_t first = at;
        for (; at < n && w->count < BATCH; at++) wait_for(w, items + (at > a->window ? at - a->window : 0), at < a->window ? at : a->window);
        answer(a, w);
        for (int64_t i = first; i < at; i++) {
            see(a, items + i - 1, 1);
            add_place(to, i, gain_of(a, a->scores + (i - first) * a->item_count, items[i]));
        }
    }
}

/* Places of the best unseen items, best first; of equal scores the first. */
static void find_best(const asked *a, const float *scores, int64_t best[BEST])
{
    int64_t found = 0;
    for (int64_t i = 0; i < a->item_count; i++) {
        if (a->seen[i] || (found == BEST && scores[i] <= scores[best[BEST - 1]])) continue;
        int64_t at = found < BEST ? found++ : BEST - 1;
        for (; at > 0 && scores[best[at - 1]] < scores[i]; at--) best[at] = best[at - 1];
        best[at] = i;
    }
}

/* Root mean square of b - c, less their mean, over the standard deviation of b; over the unseen items. */
static double change_of(const asked *a, const float *b, const float *c)
{
    double n = 0, sum[2] = {0}, square[2] = {0};
    for (int64_t i = 0; i < a->item_count; i++) {
        if (a->seen[i]) continue;
        const double value[2] = {(double)b[i], (double)c[i] - (double)b[i]};
        n++;
        for (int j = 0; j < 2; j++) sum[j] += value[j], square[j] += value[j] * value[j];
    }
    const double spread = square[0] - sum[0] * sum[0] / n, moved = square[1] - sum[1] * sum[1] / n;
    return spread > 0 && moved > 0 ? sqrt(moved / spread) : 0;
}

/* Before the last event, with the older ones that its history has. */
static void ask_older(asked *a, waiting *w, const int64_t *items, int64_t n)
{
    const int64_t end = n - 1;
    int64_t first[BEST], best[BEST];
    if (end < RECENT + ages[AGES - 1] || RECENT + ages[AGES - 1] > a->window) return;
    memset(a->seen, 0, (size_t)a->item_count);
    see(a, items, end);
    for (int i = 0; i < AGES; i++) wait_for(w, items + end - RECENT - ages[i], RECENT + ages[i]);
    answer(a, w);
    find_best(a, a->scores, first);
    a->old_users++;
    for (int i = 0; i < AGES; i++) {
        const float *scores = a->scores + i * a->item_count;
        int64_t stay = 0;
        find_best(a, scores, best);
        for (int j = 0; j < BEST; j++) stay += horizon_has(first, BEST, best[j]);
        a->overlap[i] += (double)stay / BEST;
        a->changed[i] += change_of(a, a->scores, scores);
        a->gain[i] += gain_of(a, scores, items[end]);
    }
}

/* ---- what is printed -------------------------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Mean gain over the places of a group, less that of the reference; NAN without places. of: how often each user counts; NULL: once. */
static double mean_gain(const asked *a, const asked *b, int g, int64_t users, const int32_t *of)
{
    double places = 0, gain = 0;
    for (int64_t u = 0; u < users; u++) {
        const double times = of ? of[u] : 1;
        places += times * a->users[u].places[g];
        gain += times * (a->users[u].gain[g] - (b ? b->users[u].gain[g] : 0));
    }
    return places > 0 ? gain / places : NAN;
}

static void print_number(const char *name, double value)
{
    printf(isnan(value) ? "\"%s\":null" : "\"%s\":%.6g", name, value);
}

/* [low,high]. Of a group that has places. */
static void print_interval(const asked *a, const asked *b, int g, int64_t users)
{
    static double means[RESAMPLES];
    int32_t *of = bench_alloc((size_t)users * sizeof *of);
    uint64_t state = 0;
    for (int r = 0; r < RESAMPLES;) {
        memset(of, 0, (size_t)users * sizeof *of);
        for (int64_t u = 0; u < users; u++) of[draw(&state) % (uint64_t)users]++;
        means[r] = mean_gain(a, b, g, users, of);
        r += !isnan(means[r]);
    }
    qsort(means, RESAMPLES, sizeof *means, bench_rising);
    printf("[%.6g,%.6g]", means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]);
    free(of);
}

/* {"ndcg@10":,"ci":{"ndcg@10":[low,high]} without its end; of a group without places null and [null,null]. */
static void print_gain(const asked *a, const asked *b, int g, int64_t users)
{
    const double gain = mean_gain(a, b, g, users, NULL);
    if (isnan(gain)) {
        printf("{\"ndcg@10\":null,\"ci\":{\"ndcg@10\":[null,null]}");
        return;
    }
    putchar('{');
    print_number("ndcg@10", gain);
    printf(",\"ci\":{\"ndcg@10\":");
    print_interval(a, b, g, users);
    putchar('}');
}

static double sum_of(const asked *a, int g, int64_t users, size_t of)
{
    double sum = 0;
    for (int64_t u = 0; u < users; u++) sum += ((const double *)((const char *)&a->users[u] + of))[g];
    return sum;
}

static void print_groups(const asked *a, const asked *b, int64_t users)
{
    for (int g = 0; g < GROUPS; g++) {
        const double places = sum_of(a, g, users, offsetof(tally, places));
        if (g) putchar(g > 1 ? ',' : '[');
        print_gain(a, b, g, users);
        printf(",\"places\":%.0f,", places);
        const double hits = sum_of(a, g, users, offsetof(tally, hits)) - (b ? sum_of(b, g, users, offsetof(tally, hits)) : 0);
        print_number("hr@10", hits / places);
        printf(",\"least\":%lld", (long long)least[g]);
        if (most[g] < INT64_MAX) printf(",\"most\":%lld", (long long)most[g]);
        printf(g ? "}" : ",\"groups\":");
    }
    printf("]}");
}

static void print_older(const asked *a)
{
    const double n = a->old_users ? (double)a->old_users : 1;
    printf(",\"older\":{\"users\":%lld,\"recent\":%d,\"rows\":[", (long long)a->old_users, RECENT);
    for (int i = 0; i < AGES; i++) {
        printf("%s{\"older\":%lld,", i ? "," : "", (long long)ages[i]);
        print_number("changed", a->changed[i] / n);
        putchar(',');
        print_number("overlap@10", a->overlap[i] / n);
        putchar(',');
        print_number("ndcg@10", a->gain[i] / n);
        putchar('}');
    }
    printf("]}");
}

int main(int argc, char **argv)
{
    static asked models[2];
    seqrec_context *context = NULL;
    seqrec_dataset *data = NULL;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    const seqrec_reader reader = {.struct_size = sizeof reader};
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: inner_places MODEL DATA [REFERENCE]\n");
        return 2;
    }
    bench_must(seqrec_context_create(NULL, NULL, 1, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_dataset_read(context, argv[2], &reader, &data, &bench_failure));
    bench_must(seqrec_dataset_describe(data, &stats, &bench_failure));
    for (int m = 0; m < argc - 2; m++) {
        asked *a = &models[m];
        open_model(a, context, argv[m ? 3 : 1], stats.users);
        waiting w = {.items = bench_alloc((size_t)(BATCH * a->window) * sizeof *w.items)};
        for (int64_t u = 0; u < stats.users; u++) {
            const int64_t *items = NULL;
            int64_t n = 0;
            bench_must(seqrec_dataset_sequence(data, u, NULL, &items, NULL, &n, &bench_failure));
            ask_places(a, &w, items, n, &a->users[u]);
            ask_older(a, &w, items, n);
        }
        free(w.items);
    }
    printf("{\"users\":%lld,\"model\":", (long long)stats.users);
    print_groups(&models[0], NULL, stats.users);
    if (argc == 4) {
        printf(",\"difference\":");
        print_groups(&models[0], &models[1], stats.users);
    }
    print_older(&models[0]);
    puts("}");
    for (int m = 0; m < argc - 2; m++) {
        seqrec_model_release(models[m].model);
        free(models[m].items);
        free(models[m].scores);
        free(models[m].seen);
        free(models[m].users);
    }
    seqrec_dataset_release(data);
    seqrec_context_release(context);
    return 0;
}
