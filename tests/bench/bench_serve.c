/* bench: serving one user, batches of users and a session through the public interface, on models that were trained for an epoch;
 * very many sessions at once; and large catalogues, untrained. One JSON object per line on stdout. With --folder the models stay there, and so do the windows
 * of all users with the ten that this library recommends (users.tsv), for what bench_serve is held against. */
#include "serveworld.h"

enum { SMALL = 3416, LARGE = 1000000, VISIT = 100, PASSES = 5, STEPS = 20, BEAM = 10, CANDIDATES = 100, LONG = 2 * EVENTS, OPEN = 100000, BUDGET_EACH = 7500 };

static windows users;

/* ---- rows of the trained models --------------------------------------------------------------------------------------- */

typedef struct serve_row {
    const char *name, *model;
    int32_t threads;
    int64_t (*measure)(seqrec_model *model, int32_t calls); /* fills in seconds; users a call. NULL: `once`, in visits */
    double (*once)(seqrec_session *session, int64_t event);
    int32_t passes;                                         /* 0: as many calls as asked for */
    int32_t events;                                         /* of a history */
} serve_row;

static int64_t measure_cold(seqrec_model *model, int32_t calls)
{
    for (int32_t i = -calls / 10; i < calls; i++) {
        const double took = time_cold(model, full_window(&users, i < 0 ? -i : i));
        if (i >= 0) seconds[i] = took;
    }
    return 1;
}

/* Visits one after another: VISIT events come to a session whose window is full, and then the next user's turn is. */
static void visit(seqrec_model *model, int32_t calls, double (*once)(seqrec_session *session, int64_t event))
{
    seqrec_sessions *pool = NULL;
    bench_must(seqrec_sessions_create(model, SIZE_MAX, &pool, &bench_failure));
    for (int32_t done = -VISIT; done < calls; done += VISIT) {
        seqrec_session *session = open_warm(pool, full_window(&users, done / VISIT + 1));
        const int64_t *coming = full_window(&users, done / VISIT + 2);
        for (int32_t i = 0; i < VISIT && done + i < calls; i++) {
            const double took = once(session, coming[i]);
            if (done >= 0) seconds[done + i] = took;
        }
        seqrec_session_release(session);
    }
    seqrec_sessions_release(pool);
}

/* Of the i-th user's window and of those of the users behind him, `parts` windows in all. */
static seqrec_session *open_parts(seqrec_sessions *pool, int64_t i, int64_t parts)
{
    seqrec_session *session = open_warm(pool, full_window(&users, i));
    for (int64_t p = 1; p < parts; p++)
        bench_must(seqrec_session_append(session, full_window(&users, i + p), NULL, EVENTS, SEQREC_UNKNOWN_ERROR, &bench_failure));
    return session;
}

/* VISIT sessions in turn, so that none finds its cache in that of the processor. */
static void turns(seqrec_model *model, int32_t calls, size_t budget, int64_t parts, double (*once)(seqrec_session *session, int64_t event))
{
    seqrec_sessions *pool = NULL;
    seqrec_session *sessions[VISIT];
    bench_must(seqrec_sessions_create(model, budget, &pool, &bench_failure));
    for (int32_t i = 0; i < VISIT; i++) sessions[i] = open_parts(pool, i, parts);
    for (int32_t i = 0; i < calls; i++)
        seconds[i] = once(sessions[i % VISIT], full_window(&users, i % VISIT + 1)[i / VISIT % EVENTS]);
    for (int32_t i = 0; i < VISIT; i++) seqrec_session_release(sessions[i]);
    seqrec_sessions_release(pool);
}

static int64_t measure_turns(seqrec_model *model, int32_t calls)
{
    turns(model, calls, SIZE_MAX, 1, time_append);
    return 1;
}

static double time_read(seqrec_session *session, int64_t event)
{
    (void)event;
    return time_session_topk(session);
}

/* The budget of 0 has dropped the cache behind the last call. */
static int64_t measure_rebuild(seqrec_model *model, int32_t calls)
{
    turns(model, calls, 0, 1, time_read);
    return 1;
}

static int64_t measure_rebuild_long(seqrec_model *model, int32_t calls)
{
    turns(model, calls, 0, LONG / EVENTS, time_read);
    return 1;
}

static double time_evict(seqrec_session *session)
{
    const double start = bench_now();
    bench_must(seqrec_session_evict(session, &bench_failure));
    return bench_now() - start;
}

/* Of VISIT sessions that are open at a time. */
static int64_t measure_evict(seqrec_model *model, int32_t calls)
{
    seqrec_sessions *pool = NULL;
    seqrec_session *sessions[VISIT];
    bench_must(seqrec_sessions_create(model, SIZE_MAX, &pool, &bench_failure));
    for (int32_t done = -VISIT; done < calls; done += VISIT) {
        for (int32_t i = 0; i < VISIT; i++) sessions[i] = open_warm(pool, full_window(&users, i));
        for (int32_t i = 0; i < VISIT; i++) {
            const double took = time_evict(sessions[i]);
            if (done >= 0 && done + i < calls) seconds[done + i] = took;
            seqrec_session_release(sessions[i]);
        }
    }
    seqrec_sessions_release(pool);
    return 1;
}

/* How the session, which is read before, goes on. The event comes when the time is taken. */
static double time_decode(seqrec_session *session, int64_t event, const seqrec_decode *how)
{
    int64_t items[BEAM * STEPS], found = 0;
    double log_probabilities[BEAM];
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    const double start = bench_now();
    bench_must(seqrec_session_decode(session, how, &filter, items, log_probabilities, &found, &bench_failure));
    const double took = bench_now() - start;
    (void)time_append(session, event);
    return took;
}

static double time_greedy(seqrec_session *session, int64_t event)
{
    return time_decode(session, event, &(seqrec_decode){.struct_size = sizeof(seqrec_decode), .steps = STEPS});
}

static double time_beam(seqrec_session *session, int64_t event)
{
    return time_decode(session, event,
                       &(seqrec_decode){
                           .struct_size = sizeof(seqrec_decode), .method = SEQREC_DECODE_BEAM, .steps = STEPS, .width = BEAM});
}

/* The vectors behind each of CANDIDATES items, `each` a call. The session is read before, and the event comes when the time is taken. */
static double time_ahead(seqrec_session *session, int64_t event, int64_t each)
{
    static float out[CANDIDATES * DIM];
    const int64_t *candidates = full_window(&users, 0);
    const double start = bench_now();
    for (int64_t i = 0; i < CANDIDATES; i += each)
        bench_must(seqrec_session_ahead(session, candidates + i, each, out + i * DIM, &bench_failure));
    const double took = bench_now() - start;
    (void)time_append(session, event);
    return took;
}

static double time_ahead_all(seqrec_session *session, int64_t event) { return time_ahead(session, event, CANDIDATES); }

static double time_ahead_single(seqrec_session *session, int64_t event) { return time_ahead(session, event, 1); }

/* The same vectors by appending each item to a copy of the session. */
static double time_copies(seqrec_sessions *pool, seqrec_session *session)
{
    static char bytes[48 + 16 * EVENTS];
    float out[DIM];
    const int64_t *candidates = full_window(&users, 0);
    const double start = bench_now();
    bench_must(seqrec_session_save(session, bytes, sizeof bytes, NULL, &bench_failure));
    for (int64_t i = 0; i < CANDIDATES; i++) {
        seqrec_session *copy = NULL;
        bench_must(seqrec_session_restore(pool, bytes, sizeof bytes, &copy, &bench_failure));
        bench_must(seqrec_session_append(copy, candidates + i, NULL, 1, SEQREC_UNKNOWN_ERROR, &bench_failure));
        bench_must(seqrec_session_encode(copy, out, &bench_failure));
        seqrec_session_release(copy);
    }
    return bench_now() - start;
}

static int64_t measure_copies(seqrec_model *model, int32_t calls)
{
    seqrec_sessions *pool = NULL;
    bench_must(seqrec_sessions_create(model, SIZE_MAX, &pool, &bench_failure));
    for (int32_t i = -1; i < calls; i++) {
        seqrec_session *session = open_warm(pool, full_window(&users, i + 1));
        const double took = time_copies(pool, session);
        if (i >= 0) seconds[i] = took;
        seqrec_session_release(session);
    }
    seqrec_sessions_release(pool);
    return 1;
}

/* A call's seconds for users first .. first + n - 1. */
static double time_users(const seqrec_model *model, int64_t first, int64_t n, int64_t *items)
{
    int64_t offsets[BATCH + 1];
    for (int64_t b = 0; b <= n; b++) offsets[b] = users.offsets[first + b] - users.offsets[first];
    return time_topk(model, offsets, users.items + users.offsets[first], n, items);
}

/* All users, BATCH a call; seconds of each pass over them. */
static int64_t measure_batches(seqrec_model *model, int32_t passes)
{
    static int64_t items[BATCH * BEST];
    for (int32_t pass = -1; pass < passes; pass++) {
        double took = 0;
        for (int64_t u = 0; u < users.users; u += BATCH)
            took += time_users(model, u, users.users - u < BATCH ? users.users - u : BATCH, items);
        if (pass >= 0) seconds[pass] = took;
    }
    return users.users;
}

static void report(const char *name, int64_t items, int32_t dim, int32_t events, int64_t each, int32_t threads, int32_t calls)
{
    double sum = 0;
    for (int32_t i = 0; i < calls; i++) sum += seconds[i];
    const double median = bench_median(seconds, calls); /* sorts */
    printf("{\"bench\":\"serve\",\"name\":\"%s\",\"k\":%d,\"items\":%lld,\"dim\":%d,\"events\":%d,\"users\":%lld,\"threads\":%d,"
           "\"calls\":%d,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"mean_ms\":%.4f,\"users_per_second\":%.0f}\n",
           name, BEST, (long long)items, (int)dim, (int)events, (long long)each, (int)threads, (int)calls, 1e3 * median,
           1e3 * seconds[(int64_t)calls * 99 / 100], 1e3 * seconds[calls - 1], 1e3 * sum / calls, (double)each / median);
    fflush(stdout);
}

static const serve_row rows[] = {
    {"append-t5", "t5", 1, NULL, time_append, 0, EVENTS},
    {"turns-t5", "t5", 1, measure_turns, NULL, 0, EVENTS},
    {"rebuild-t5", "t5", 1, measure_rebuild, NULL, 0, EVENTS},
    {"rebuild-t5-long", "t5", 1, measure_rebuild_long, NULL, 0, LONG},
    {"evict-t5", "t5", 1, measure_evict, NULL, 0, EVENTS},
    {"append-start", "start", 1, NULL, time_append, 0, EVENTS},
    {"append-end", "end", 1, NULL, time_append, 0, EVENTS},
    {"cold-t5", "t5", 1, measure_cold, NULL, 0, EVENTS},
    {"cold-end", "end", 1, measure_cold, NULL, 0, EVENTS},
    {"greedy-t5", "t5", 1, NULL, time_greedy, 0, EVENTS},
    {"beam-t5", "t5", 1, NULL, time_beam, 0, EVENTS},
    {"ahead-t5", "t5", 1, NULL, time_ahead_all, 1000, EVENTS},
    {"ahead-t5-single", "t5", 1, NULL, time_ahead_single, 1000, EVENTS},
    {"ahead-t5-copies", "t5", 1, measure_copies, NULL, 20, EVENTS},
    {"batch-t5-1", "t5", 1, measure_batches, NULL, PASSES, EVENTS},
    {"batch-t5-2", "t5", 2, measure_batches, NULL, PASSES, EVENTS},
};

static void measure(const serve_row *row)
{
    seqrec_model *model = open_served(row->model, row->threads);
    const int32_t calls = row->passes == 0 || row->passes > run.calls ? run.calls : row->passes;
    const int64_t each = row->measure != NULL ? row->measure(model, calls) : 1;
    if (row->measure == NULL) visit(model, calls, row->once);
    report(row->name, seqrec_items_count(model), DIM, row->events, each, row->threads, calls);
    seqrec_model_release(model);
}

/* ---- many sessions ---------------------------------------------------------------------------------------------------- */

static void report_sessions(seqrec_sessions *pool, double took, int64_t before)
{
    int64_t shared;
    seqrec_sessions_info info = {.struct_size = sizeof info};
    bench_must(seqrec_sessions_describe(pool, &info, &bench_failure));
    printf("{\"bench\":\"sessions\",\"name\":\"sessions-%lld\",\"sessions\":%lld,\"dim\":%d,\"events\":%d,\"threads\":1,\"seconds\":%.2f,"
           "\"cached\":%lld,\"dropped\":%lld,\"budget\":%zu,\"cache_bytes\":%zu,\"event_bytes\":%zu,\"resident_before\":%lld,"
           "\"resident_bytes\":%lld,\"peak_rss_bytes\":%lld}\n",
           (long long)info.sessions, (long long)info.sessions, DIM, EVENTS, took, (long long)info.cached, (long long)info.dropped, info.budget,
           info.cache_bytes, info.event_bytes, (long long)before, (long long)bench_resident(&shared), (long long)bench_peak_rss());
}

/* Sessions that stay open, each of a full window and read once, in a pool whose budget holds the caches of a few in a hundred. */
static void hold_sessions(const void *count)
{
    const int64_t n = *(const int64_t *)count;
    int64_t shared;
    seqrec_sessions *pool = NULL;
    seqrec_session **sessions = bench_alloc((size_t)n * sizeof(seqrec_session *));
    seqrec_model *model = open_served("t5", 1);
    const int64_t before = bench_resident(&shared);
    bench_must(seqrec_sessions_create(model, (size_t)n * BUDGET_EACH, &pool, &bench_failure));
    const double start = bench_now();
    for (int64_t i = 0; i < n; i++) sessions[i] = open_warm(pool, full_window(&users, i));
    report_sessions(pool, bench_now() - start, before);
    for (int64_t i = 0; i < n; i++) seqrec_session_release(sessions[i]);
    seqrec_sessions_release(pool);
    seqrec_model_release(model);
    free(sessions);
}

/* Ten for each call of the other rows. */
static void measure_sessions(void)
{
    const int64_t n = run.calls < OPEN / 10 ? 10 * (int64_t)run.calls : OPEN;
    bench_child(hold_sessions, &n);
}

/* ---- for what is held against it -------------------------------------------------------------------------------------- */

/* A line for each user: the window, oldest event first, a tab, and the best ten. */
static void write_users(void)
{
    static int64_t items[BATCH * BEST];
    char path[512];
    snprintf(path, sizeof path, "%s/users.tsv", run.folder);
    FILE *file = fopen(path, "w");
    seqrec_model *model = open_served("t5", 1);
    for (int64_t u = 0; file != NULL && u < users.users; u++) {
        (void)time_users(model, u, 1, items);
        for (int64_t e = users.offsets[u]; e < users.offsets[u + 1]; e++)
            fprintf(file, "%s%lld", e > users.offsets[u] ? " " : "", (long long)users.items[e]);
        for (int32_t i = 0; i < BEST; i++) fprintf(file, "%s%lld", i > 0 ? " " : "\t", (long long)items[i]);
        fputc('\n', file);
    }
    seqrec_model_release(model);
    if (file != NULL && fclose(file) == 0) return;
    perror(path);
    exit(EXIT_FAILURE);
}

/* ---- catalogues of two sizes, untrained: what a read costs does not depend on the weights -------------------------------- */

typedef struct topk_row {
    const char *name;
    int32_t dim, threads;
    int64_t items;
    int32_t users, calls;
} topk_row;

static void put_items(seqrec_model *model, int64_t items)
{
    int64_t ids[4096];
    for (int64_t first = 0; first < items; first += 4096) {
        const int64_t n = items - first < 4096 ? items - first : 4096;
        for (int64_t i = 0; i < n; i++) ids[i] = first + i + 1;
        bench_must(seqrec_items_put(model, ids, n, NULL, &bench_failure));
    }
}

static seqrec_model *open_untrained(const topk_row *row)
{
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    char text[16];
    snprintf(text, sizeof text, "%d", (int)row->dim);
    bench_must(seqrec_context_create(NULL, NULL, row->threads, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_set(config, "dim", text, &bench_failure));
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    seqrec_config_release(config);
    seqrec_context_release(context);
    put_items(model, row->items);
    return model;
}

static void measure_topk(const topk_row *row)
{
    static int64_t offsets[BATCH + 1], events[BATCH * EVENTS], items[BATCH * BEST];
    seqrec_model *model = open_untrained(row);
    const int32_t calls = row->calls < run.calls ? row->calls : run.calls;
    uint32_t state = 1;
    for (int32_t i = 0; i < BATCH * EVENTS; i++) {
        state = state * 1664525u + 1013904223u;
        events[i] = 1 + (int64_t)(state >> 8) % row->items;
    }
    for (int32_t i = 0; i <= BATCH; i++) offsets[i] = (int64_t)i * EVENTS;
    for (int32_t i = -calls / 10 - 1; i < calls; i++) {
        const double took = time_topk(model, offsets, events, row->users, items);
        if (i >= 0) seconds[i] = took;
    }
    report(row->name, row->items, row->dim, EVENTS, row->users, row->threads, calls);
    seqrec_model_release(model);
}

static const topk_row topk_rows[] = {
    {"topk-d50", 50, 1, SMALL, 1, 1000},
    {"topk-d50-batch", 50, 1, SMALL, BATCH, 10},
    {"topk-d64", 64, 1, SMALL, 1, 1000},
    {"topk-d64-batch", 64, 1, SMALL, BATCH, 10},
    {"topk-d64-million", 64, 1, LARGE, 1, 20},
    {"topk-d64-million-batch", 64, 1, LARGE, BATCH, 3},
    {"topk-d50-batch-2", 50, 2, SMALL, BATCH, 10},
    {"topk-d64-batch-2", 64, 2, SMALL, BATCH, 10},
    {"topk-d64-million-2", 64, 2, LARGE, 1, 20},
    {"topk-d64-million-batch-2", 64, 2, LARGE, BATCH, 3},
};

int main(int count, char **words)
{
    parse_serving(count, words,
                  "usage: bench_serve [--data FILE] [--only PREFIX] [--calls N] [--folder FOLDER]\n"
                  "rows: append-, turns-, rebuild-, evict-, cold-, greedy-, beam-, ahead-, batch-, sessions-, topk-; events are generated without --data\n");
    const int keep = run.folder != NULL;
    make_models(&users);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (chosen(rows[i].name)) measure(&rows[i]);
    if (chosen("sessions-100000")) measure_sessions();
    if (keep) write_users();
    remove_models(keep);
    for (size_t i = 0; i < sizeof topk_rows / sizeof *topk_rows; i++)
        if (chosen(topk_rows[i].name)) measure_topk(&topk_rows[i]);
    free_windows(&users);
    return EXIT_SUCCESS;
}
