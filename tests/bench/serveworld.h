/* bench: what the serving programs share: models trained shortly, windows of their users, samples of time. */
#ifndef SERVEWORLD_H
#define SERVEWORLD_H
#include <string.h>
#include "benchtool.h"

enum { DIM = 64, EVENTS = 200, BEST = 10, BATCH = 128, TRAINING_THREADS = 2, MOST_CALLS = 1000000 };

typedef struct serve_settings {
    const char *data, *only, *folder; /* data NULL: generated events; only: rows whose name begins so; folder NULL: a temporary one */
    int32_t calls;
} serve_settings;

static serve_settings run = {.only = "", .calls = 10000};
static double seconds[MOST_CALLS]; /* of the calls of a row */

static inline int chosen(const char *name)
{
    if (strncmp(name, run.only, strlen(run.only)) != 0) return 0;
    fprintf(stderr, "bench: %s\n", name);
    return 1;
}

static inline void parse_serving(int count, char **words, const char *usage)
{
    int good = 1;
    for (int i = 1; i < count; i += 2) {
        const char *name = words[i], *value = i + 1 < count ? words[i + 1] : "";
        const long long number = atoll(value);
        if (strcmp(name, "--data") == 0 && *value)
            run.data = value;
        else if (strcmp(name, "--only") == 0)
            run.only = value;
        else if (strcmp(name, "--folder") == 0 && *value)
            run.folder = value;
        else if (strcmp(name, "--calls") == 0 && number > 0 && number <= MOST_CALLS)
            run.calls = (int32_t)number;
        else
            good = 0;
    }
    if (good) return;
    fputs(usage, stderr);
    exit(2);
}

/* ---- users ------------------------------------------------------------------------------------------------------------ */

/* The last events of every user, EVENTS at most, one user behind the other. */
typedef struct windows {
    int64_t users, full;            /* full: users with EVENTS events */
    int64_t *offsets, *items, *one; /* one [full]: where the window of such a user begins in items */
} windows;

static inline seqrec_dataset *open_events(seqrec_context *context)
{
    seqrec_dataset *events = NULL;
    seqrec_reader reader = {.struct_size = sizeof reader};
    seqrec_synth like = {.struct_size = sizeof like, .users = 6040, .items = 3416, .shortest = 18, .longest = 400, .seed = 1};
    if (run.data != NULL)
        bench_must(seqrec_dataset_read(context, run.data, &reader, &events, &bench_failure));
    else
        bench_must(seqrec_dataset_synthesize(context, &like, &events, NULL, &bench_failure));
    return events;
}

static inline void add_window(windows *w, const int64_t *items, int64_t count)
{
    const int64_t kept = count < EVENTS ? count : EVENTS, start = w->offsets[w->users];
    memcpy(w->items + start, items + count - kept, (size_t)kept * sizeof *items);
    if (kept == EVENTS) w->one[w->full++] = start;
    w->offsets[++w->users] = start + kept;
}

static inline windows windows_of(const seqrec_dataset *events)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    windows w = {.offsets = bench_alloc((size_t)(stats.users + 1) * sizeof *w.offsets),
                 .items = bench_alloc((size_t)stats.users * EVENTS * sizeof *w.items),
                 .one = bench_alloc((size_t)stats.users * sizeof *w.one)};
    w.offsets[0] = 0;
    for (int64_t u = 0; u < stats.users; u++) {
        const int64_t *items = NULL;
        int64_t count = 0;
        bench_must(seqrec_dataset_sequence(events, u, NULL, &items, NULL, &count, &bench_failure));
        add_window(&w, items, count);
    }
    if (w.full >= 2) return w;
    fprintf(stderr, "bench: %lld users have %d events, and two are needed\n", (long long)w.full, EVENTS);
    exit(EXIT_FAILURE);
}

static inline void free_windows(windows *w)
{
    free(w->offsets);
    free(w->items);
    free(w->one);
}

/* The window of the i-th user with EVENTS events, and so on around. */
static inline const int64_t *full_window(const windows *w, int64_t i) { return w->items + w->one[i % w->full]; }

/* ---- models ----------------------------------------------------------------------------------------------------------- */

/* Preset sasrec at width 64 with settings of its own: names and values in turn, up to NULL. */
typedef struct serve_model {
    const char *name;
    const char *settings[8];
} serve_model;

static const serve_model serve_models[] = {
    {"t5", {"position", "none", "relative", "t5", NULL}}, /* sessions slide */
    {"start", {"position", "start", NULL}}, /* sessions drop the older half of a full window and take the rest in anew */
    {"end", {"position", "end", NULL}},                   /* every event moves all places: sessions compute the window anew */
};

static inline const char *model_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s.safetensors", run.folder, name);
    return path;
}

static inline seqrec_config *serve_config(const serve_model *model)
{
    seqrec_config *config = NULL;
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_set(config, "dim", "64", &bench_failure));
    bench_must(seqrec_config_set(config, "epochs", "1", &bench_failure));
    bench_must(seqrec_config_set(config, "valid_every", "0", &bench_failure));
    for (const char *const *s = model->settings; *s != NULL; s += 2)
        bench_must(seqrec_config_set(config, s[0], s[1], &bench_failure));
    return config;
}

/* Trains for an epoch and writes the file, unless it is there. */
static inline void make_model(const serve_model *like, seqrec_context *context, const seqrec_dataset *events)
{
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    if (access(model_path(like->name), R_OK) == 0) return;
    fprintf(stderr, "bench: training %s\n", like->name);
    seqrec_config *config = serve_config(like);
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    bench_must(seqrec_trainer_create(model, config, &trainer, &bench_failure));
    bench_must(seqrec_trainer_fit(trainer, events, &(seqrec_fit){.struct_size = sizeof(seqrec_fit)}, NULL, &bench_failure));
    bench_must(seqrec_model_save(model, model_path(like->name), &bench_failure));
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_config_release(config);
}

static inline void make_models(windows *w)
{
    static char own[] = "/tmp/seqrec-bench-XXXXXX";
    seqrec_context *context = NULL;
    if (run.folder == NULL && (run.folder = mkdtemp(own)) == NULL) {
        perror(own);
        exit(EXIT_FAILURE);
    }
    bench_must(seqrec_context_create(NULL, NULL, TRAINING_THREADS, NULL, NULL, &context, &bench_failure));
    seqrec_dataset *events = open_events(context);
    for (size_t i = 0; i < sizeof serve_models / sizeof *serve_models; i++) make_model(&serve_models[i], context, events);
    *w = windows_of(events);
    seqrec_dataset_release(events);
    seqrec_context_release(context);
}

/* keep: the folder is the caller's. */
static inline void remove_models(int keep)
{
    for (size_t i = 0; !keep && i < sizeof serve_models / sizeof *serve_models; i++) unlink(model_path(serve_models[i].name));
    if (!keep) rmdir(run.folder);
}

/* A model in a context of its own, which the model keeps. */
static inline seqrec_model *open_served_in(seqrec_context *context, const char *name)
{
    seqrec_model *model = NULL;
    bench_must(seqrec_model_load(context, model_path(name), &model, &bench_failure));
    return model;
}

static inline seqrec_model *open_served(const char *name, int32_t threads)
{
    seqrec_context *context = NULL;
    bench_must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &context, &bench_failure));
    seqrec_model *model = open_served_in(context, name);
    seqrec_context_release(context);
    return model;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

/* The best ten of `users` users without what they have seen, to items [users][BEST]; seconds. */
static inline double time_topk(const seqrec_model *model, const int64_t *offsets, const int64_t *events, int64_t users, int64_t *items)
{
    static float scores[BATCH * BEST];
    static int64_t found[BATCH];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = users, .offsets = offsets, .items = events};
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    const double start = bench_now();
    bench_must(seqrec_topk(model, &batch, BEST, &filter, items, scores, found, &bench_failure));
    return bench_now() - start;
}

static inline double time_cold(const seqrec_model *model, const int64_t *window)
{
    int64_t items[BEST];
    return time_topk(model, (int64_t[]){0, EVENTS}, window, 1, items);
}

/* The session's best ten without what it has seen; seconds. */
static inline double time_session_topk(seqrec_session *session)
{
    int64_t items[BEST], found = 0;
    float scores[BEST];
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    const double start = bench_now();
    bench_must(seqrec_session_topk(session, BEST, &filter, items, scores, &found, &bench_failure));
    return bench_now() - start;
}

static inline double time_append(seqrec_session *session, int64_t event)
{
    const double start = bench_now();
    bench_must(seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, &bench_failure));
    (void)time_session_topk(session);
    return bench_now() - start;
}

/* A session of that window, read once. */
static inline seqrec_session *open_warm(seqrec_sessions *pool, const int64_t *window)
{
    seqrec_session *session = NULL;
    float vector[DIM];
    bench_must(seqrec_session_open(pool, NULL, window, NULL, EVENTS, SEQREC_UNKNOWN_ERROR, &session, &bench_failure));
    bench_must(seqrec_session_encode(session, vector, &bench_failure));
    return session;
}

/* Sorts the values. */
static inline double bench_p99(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, bench_rising);
    return values[n * 99 / 100];
}
#endif
