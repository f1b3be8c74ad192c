/* bench: serving beside a busy writer against serving alone, in one process and by turns, so that noise meets both: a thread that
 * puts, updates and removes items without a pause, and now and then publishes weights and exchanges the sessions' model. One JSON
 * object per line on stdout. */
#include <pthread.h>
#include <stdatomic.h>
#include "serveworld.h"

enum { BLOCK = 250, PASSING = 64, FIRST_PASSING = 1000000, CHANGES_LATER = 8 };

static windows users;
static double beside_seconds[MOST_CALLS];

/* ---- the writer ------------------------------------------------------------------------------------------------------- */

static const double publish_every = 0.1, swap_every = 0.5; /* seconds of writing */

/* The reader lets it write and stops it; `writes` moves while it does. */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int may_write, idle, ends;
    _Atomic int64_t writes;
    int64_t publishes, swaps;
    seqrec_model *models[2]; /* of equal weights at first; what the sessions are answered by is the one that is written */
    int32_t live;
    const int64_t *known; /* ids [knowns] that are updated as well; none: only items of the writer's own */
    int64_t knowns;
    seqrec_trainer *trainer;
    seqrec_sessions *pool; /* NULL: nothing to exchange */
    double published, swapped;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* One item comes, changes, and an older one goes; and one that users know changes. */
static void change_items(int64_t step)
{
    seqrec_model *model = writer.models[writer.live];
    float vector[DIM];
    const int64_t id = FIRST_PASSING + step, old = id - CHANGES_LATER;
    for (int32_t i = 0; i < DIM; i++) vector[i] = (float)((step + 31 * i) % 97) / 970.0f;
    bench_must(seqrec_items_put(model, &id, 1, vector, &bench_failure));
    vector[0] += 0.01f;
    bench_must(seqrec_items_update(model, &id, 1, vector, &bench_failure));
    if (step % PASSING >= CHANGES_LATER) bench_must(seqrec_items_remove(model, &old, 1, &bench_failure));
    atomic_fetch_add(&writer.writes, 3);
    if (writer.knowns == 0) return;
    const int64_t *known = &writer.known[atomic_load(&writer.writes) * 7919 % writer.knowns];
    bench_must(seqrec_items_get(model, known, 1, vector, &bench_failure));
    bench_must(seqrec_items_update(model, known, 1, vector, &bench_failure));
    atomic_fetch_add(&writer.writes, 1);
}

/* What the last turns of a round have left goes, so that the next round finds none of its items. */
static void end_round(int64_t step)
{
    for (int64_t i = 0; i < CHANGES_LATER; i++) {
        const int64_t id = FIRST_PASSING + step - i;
        bench_must(seqrec_items_remove(writer.models[writer.live], &id, 1, &bench_failure));
    }
    atomic_fetch_add(&writer.writes, CHANGES_LATER);
}

static void publish(void)
{
    const int64_t offsets[] = {0, EVENTS};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = full_window(&users, writer.publishes)};
    bench_must(seqrec_trainer_step(writer.trainer, &batch, NULL, &bench_failure));
    bench_must(seqrec_trainer_publish(writer.trainer, &bench_failure));
    writer.publishes++;
}

static void swap(void)
{
    writer.live = 1 - writer.live;
    bench_must(seqrec_sessions_swap(writer.pool, writer.models[writer.live], &bench_failure));
    writer.swaps++;
}

/* wrote: seconds of writing so far. */
static void now_and_then(double wrote)
{
    if (wrote - writer.published >= publish_every) {
        publish();
        writer.published = wrote;
    }
    if (writer.pool == NULL || wrote - writer.swapped < swap_every) return;
    swap();
    writer.swapped = wrote;
}

/* Waits until it may write; 0: it is to end. */
static int wait_for_leave(void)
{
    pthread_mutex_lock(&writer.lock);
    while (!writer.may_write && !writer.ends) {
        writer.idle = 1;
        pthread_cond_broadcast(&writer.changed);
        pthread_cond_wait(&writer.changed, &writer.lock);
    }
    const int goes_on = !writer.ends;
    writer.idle = 0;
    pthread_mutex_unlock(&writer.lock);
    return goes_on;
}

static void *write_on(void *unused)
{
    double wrote = 0;
    (void)unused;
    while (wait_for_leave()) {
        const double start = bench_now();
        for (int64_t step = 0; step < PASSING; step++) change_items(step);
        end_round(PASSING - 1);
        wrote += bench_now() - start;
        now_and_then(wrote);
    }
    return NULL;
}

/* Returns when it does write, or has stopped. */
static void let_write(int may)
{
    pthread_mutex_lock(&writer.lock);
    writer.may_write = may;
    pthread_cond_broadcast(&writer.changed);
    while (!may && !writer.idle) pthread_cond_wait(&writer.changed, &writer.lock);
    pthread_mutex_unlock(&writer.lock);
    const int64_t before = atomic_load(&writer.writes);
    while (may && atomic_load(&writer.writes) == before) sched_yield();
}

/* known: ids [knowns] of items that change too. */
static void start_writer(const int64_t *known, int64_t knowns, int sessions)
{
    seqrec_config *config = NULL;
    seqrec_context *context = NULL; /* of both: sessions are exchanged within one */
    bench_must(seqrec_context_create(NULL, NULL, 1, NULL, NULL, &context, &bench_failure));
    for (int32_t m = 0; m < 2; m++) writer.models[m] = open_served_in(context, "t5");
    seqrec_context_release(context);
    writer.live = writer.may_write = writer.idle = writer.ends = 0;
    writer.publishes = writer.swaps = 0;
    writer.published = writer.swapped = 0;
    atomic_store(&writer.writes, 0);
    writer.known = known;
    writer.knowns = knowns;
    writer.pool = NULL;
    bench_must(seqrec_model_config(writer.models[0], &config, &bench_failure));
    bench_must(seqrec_trainer_create(writer.models[0], config, &writer.trainer, &bench_failure));
    seqrec_config_release(config);
    if (sessions) bench_must(seqrec_sessions_create(writer.models[0], SIZE_MAX, &writer.pool, &bench_failure));
    if (pthread_create(&writer.thread, NULL, write_on, NULL) != 0) exit(EXIT_FAILURE);
}

static void end_writer(void)
{
    pthread_mutex_lock(&writer.lock);
    writer.ends = 1;
    pthread_cond_broadcast(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
    pthread_join(writer.thread, NULL);
    seqrec_sessions_release(writer.pool);
    seqrec_trainer_release(writer.trainer);
    for (int32_t m = 0; m < 2; m++) seqrec_model_release(writer.models[m]);
}

/* ---- the reader ------------------------------------------------------------------------------------------------------- */

typedef struct beside_row {
    const char *name;
    int sessions;     /* appends to a session; else whole calls */
    int known_change; /* the writer updates items of the whole catalogue too, those that users have seen among them */
} beside_row;

/* A block of calls, behind one that is not timed. */
static void time_block(const beside_row *row, int64_t block, int32_t calls, double *out)
{
    seqrec_session *session = row->sessions ? open_warm(writer.pool, full_window(&users, block)) : NULL;
    const int64_t *coming = full_window(&users, block + 1);
    for (int32_t i = -1; i < calls; i++) {
        const double took = row->sessions ? time_append(session, coming[(i + EVENTS) % EVENTS])
                                          : time_cold(writer.models[0], full_window(&users, block * BLOCK + i + 1));
        if (i >= 0) out[i] = took;
    }
    seqrec_session_release(session);
}

static void report(const beside_row *row, int32_t calls)
{
    const double alone = bench_p99(seconds, calls), beside = bench_p99(beside_seconds, calls);
    printf("{\"bench\":\"beside\",\"name\":\"%s\",\"threads\":1,\"calls\":%d,\"alone_p50_ms\":%.4f,\"alone_p99_ms\":%.4f,"
           "\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"ratio\":%.3f,\"writes\":%lld,\"publishes\":%lld,\"swaps\":%lld}\n",
           row->name, (int)calls, 1e3 * bench_median(seconds, calls), 1e3 * alone, 1e3 * bench_median(beside_seconds, calls), 1e3 * beside,
           beside / alone, (long long)atomic_load(&writer.writes), (long long)writer.publishes, (long long)writer.swaps);
    fflush(stdout);
}

static void measure(const beside_row *row, const int64_t *known, int64_t knowns)
{
    start_writer(known, row->known_change ? knowns : 0, row->sessions);
    for (int32_t done = 0; done < run.calls; done += BLOCK) {
        const int32_t calls = run.calls - done < BLOCK ? run.calls - done : BLOCK;
        let_write(0);
        time_block(row, done / BLOCK, calls, seconds + done);
        let_write(1);
        time_block(row, done / BLOCK, calls, beside_seconds + done);
    }
    let_write(0);
    report(row, run.calls);
    end_writer();
}

/* The ids of all items; *n: how many. */
static int64_t *known_items(int64_t *n)
{
    seqrec_model *model = open_served("t5", 1);
    const int64_t items = seqrec_items_count(model);
    int64_t *ids = bench_alloc((size_t)items * sizeof *ids), cursor = 0;
    bench_must(seqrec_items_next(model, &cursor, ids, items, n, &bench_failure));
    seqrec_model_release(model);
    return ids;
}

static const beside_row rows[] = {
    {"append", 1, 0},
    {"append-known", 1, 1},
    {"cold", 0, 1},
};

int main(int count, char **words)
{
    parse_serving(count, words,
                  "usage: bench_beside [--data FILE] [--only PREFIX] [--calls N] [--folder FOLDER]\n"
                  "rows: append, append-known, cold; events are generated without --data\n");
    const int keep = run.folder != NULL;
    make_models(&users);
    int64_t knowns = 0, *known = known_items(&knowns);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (chosen(rows[i].name)) measure(&rows[i], known, knowns);
    remove_models(keep);
    free_windows(&users);
    free(known);
    return EXIT_SUCCESS;
}
