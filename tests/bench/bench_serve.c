/* bench: serving one user, batches of users and a session through the public interface. One JSON object per line on stdout. */
#include "benchtool.h"

enum { EVENTS = 200, SMALL = 3416, LARGE = 1000000, BATCH = 128, BEST = 10 };

/* An untrained model: what a read costs does not depend on the weights. */
typedef struct bench {
    seqrec_context *context;
    seqrec_model *model;
    int32_t threads, dim;
    int64_t items;
    int64_t offsets[BATCH + 1], events[BATCH * EVENTS], best[BATCH * BEST], found[BATCH];
    float scores[BATCH * BEST];
} bench;

static void put_items(bench *b)
{
    int64_t ids[4096];
    for (int64_t first = 0; first < b->items; first += 4096) {
        const int64_t n = b->items - first < 4096 ? b->items - first : 4096;
        for (int64_t i = 0; i < n; i++) ids[i] = first + i + 1;
        bench_must(seqrec_items_put(b->model, ids, n, NULL, &bench_failure));
    }
}

static void fill_histories(bench *b)
{
    uint32_t state = 1;
    for (int32_t i = 0; i < BATCH * EVENTS; i++) {
        state = state * 1664525u + 1013904223u;
        b->events[i] = 1 + (int64_t)(state >> 8) % b->items;
    }
    for (int32_t i = 0; i <= BATCH; i++) b->offsets[i] = (int64_t)i * EVENTS;
}

/* settings: names and values in turn, up to NULL; NULL: none. */
static void set_up(bench *b, int32_t threads, int32_t dim, int64_t items, const char *const *settings)
{
    seqrec_config *config = NULL;
    char text[16];
    snprintf(text, sizeof text, "%d", (int)dim);
    b->threads = threads;
    b->dim = dim;
    b->items = items;
    bench_must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &b->context, &bench_failure));
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_set(config, "dim", text, &bench_failure));
    for (; settings != NULL && *settings != NULL; settings += 2)
        bench_must(seqrec_config_set(config, settings[0], settings[1], &bench_failure));
    bench_must(seqrec_model_create(b->context, config, &b->model, &bench_failure));
    seqrec_config_release(config);
    put_items(b);
    fill_histories(b);
}

static void tear_down(bench *b)
{
    seqrec_model_release(b->model);
    seqrec_context_release(b->context);
}

/* One call for `users` users; seconds. */
static double once(bench *b, int32_t users)
{
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = users, .offsets = b->offsets, .items = b->events};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    const double start = bench_now();
    bench_must(seqrec_topk(b->model, &batch, BEST, &filter, b->best, b->scores, b->found, &bench_failure));
    return bench_now() - start;
}

static void report(bench *b, int32_t users, int32_t repeats)
{
    static double seconds[2000];
    for (int32_t i = 0; i < repeats / 10 + 1; i++) (void)once(b, users);
    for (int32_t i = 0; i < repeats; i++) seconds[i] = once(b, users);
    const double median = bench_median(seconds, repeats); /* sorts */
    printf("{\"bench\":\"topk\",\"k\":%d,\"items\":%lld,\"dim\":%d,\"events\":%d,\"users\":%d,\"threads\":%d,"
           "\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"users_per_second\":%.0f}\n",
           BEST, (long long)b->items, (int)b->dim, EVENTS, (int)users, (int)b->threads, 1e3 * median,
           1e3 * seconds[repeats * 99 / 100], users / median);
    fflush(stdout);
}

/* One event and one list for a user who is there, whose window of 200 is full and slides. */
static double append_once(bench *b, seqrec_session *session, int64_t event)
{
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    const double start = bench_now();
    bench_must(seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, &bench_failure));
    bench_must(seqrec_session_topk(session, BEST, &filter, b->best, b->scores, b->found, &bench_failure));
    return bench_now() - start;
}

static void report_session(bench *b, int32_t repeats)
{
    static double seconds[2000];
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    bench_must(seqrec_sessions_create(b->model, SIZE_MAX, &pool, &bench_failure));
    bench_must(seqrec_session_open(pool, NULL, b->events, NULL, EVENTS, SEQREC_UNKNOWN_ERROR, &session, &bench_failure));
    for (int32_t i = 0; i < repeats / 10; i++) (void)append_once(b, session, b->events[i]);
    for (int32_t i = 0; i < repeats; i++) seconds[i] = append_once(b, session, b->events[i]);
    const double median = bench_median(seconds, repeats); /* sorts */
    printf("{\"bench\":\"session-append\",\"k\":%d,\"items\":%lld,\"dim\":%d,\"events\":%d,\"users\":1,\"threads\":%d,"
           "\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"users_per_second\":%.0f}\n",
           BEST, (long long)b->items, (int)b->dim, EVENTS, (int)b->threads, 1e3 * median, 1e3 * seconds[repeats * 99 / 100],
           1 / median);
    fflush(stdout);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
}

int main(void)
{
    static bench b;
    static const char *const distances[] = {"position", "none", "relative", "t5", NULL};
    const int32_t dims[] = {50, 64};
    set_up(&b, 1, 64, SMALL, distances);
    report_session(&b, 1000);
    tear_down(&b);
    for (int32_t threads = 1; threads <= 2; threads++) {
        for (int32_t i = 0; i < 2; i++) {
            set_up(&b, threads, dims[i], SMALL, NULL);
            if (threads == 1) report(&b, 1, 1000);
            report(&b, BATCH, 10);
            tear_down(&b);
        }
        set_up(&b, threads, 64, LARGE, NULL);
        report(&b, 1, 20);
        report(&b, BATCH, 3);
        tear_down(&b);
    }
    return EXIT_SUCCESS;
}
