/* example: the library inside a host with an allocator, a thread pool and a log of its own, which cancels a training. */
#include <seqrec.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3 };

/* ---- An allocator that counts. ---- */

typedef struct counter {
    _Atomic size_t live, peak, calls;
} counter;

static void *counted_allocate(void *context, size_t bytes, size_t alignment)
{
    counter *count = context;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *block = aligned_alloc(least, (bytes + least - 1) / least * least);
    if (!block) return NULL;
    size_t live = atomic_fetch_add(&count->live, bytes) + bytes;
    size_t peak = atomic_load(&count->peak);
    while (live > peak && !atomic_compare_exchange_weak(&count->peak, &peak, live)) {
    }
    atomic_fetch_add(&count->calls, 1);
    return block;
}

static void counted_release(void *context, void *block, size_t bytes, size_t alignment)
{
    counter *count = context;
    (void)alignment;
    atomic_fetch_sub(&count->live, bytes);
    free(block);
}

/* ---- A thread pool: the caller and WORKERS threads take the tasks of one job at a time. ---- */

typedef struct pool {
    pthread_t threads[WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    void (*body)(void *arg, int32_t task);
    void *arg;
    int32_t tasks, next, unfinished;
    int stop;
} pool;

/* Runs tasks of the current job until none is left to take. Called and left with the lock held. */
static void take_tasks(pool *p)
{
    while (p->next < p->tasks) {
        int32_t task = p->next++;
        pthread_mutex_unlock(&p->lock);
        p->body(p->arg, task);
        pthread_mutex_lock(&p->lock);
        if (--p->unfinished == 0) pthread_cond_broadcast(&p->idle);
    }
}

static void *work(void *context)
{
    pool *p = context;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        take_tasks(p);
        if (!p->stop) pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* What the library calls; it never calls this from inside a body, nor twice at once for one context. Two contexts on this pool would:
 * then each call needs a body, an argument and counts of its own, in a queue. */
static void run_tasks(void *context, int32_t tasks, void (*body)(void *arg, int32_t task), void *arg)
{
    pool *p = context;
    pthread_mutex_lock(&p->lock);
    p->body = body;
    p->arg = arg;
    p->tasks = p->unfinished = tasks;
    p->next = 0;
    pthread_cond_broadcast(&p->wake);
    take_tasks(p);
    while (p->unfinished) pthread_cond_wait(&p->idle, &p->lock);
    p->tasks = 0;
    pthread_mutex_unlock(&p->lock);
}

static void start_pool(pool *p)
{
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->idle, NULL);
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&p->threads[i], NULL, work, p)) exit(1);
}

static void stop_pool(pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < WORKERS; i++) pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->idle);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}

/* ---- Log and progress. ---- */

static void log_line(void *context, int32_t level, const char *line)
{
    static const char *const names[] = {"debug", "info", "warning"};
    (void)context;
    fprintf(stderr, "[%s] %s\n", names[level < 0 || level > 2 ? 2 : level], line);
}

/* Asks for the end after 40 reports, as a host does whose user closed the window. */
static int32_t report(void *context, const char *stage, int64_t done, int64_t total)
{
    int *reports = context;
    if (*reports % 10 == 0) printf("%s %lld of %lld\n", stage, (long long)done, (long long)total);
    return ++*reports >= 40;
}

/* ---- The host. ---- */

static int train_until_cancelled(const seqrec_allocator *allocator, const seqrec_executor *executor,
                                 seqrec_error *error)
{
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_dataset *events = NULL;
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    int reports = 0;
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 2000, .items = 300};
    seqrec_fit fit = {.struct_size = sizeof fit, .split = "none", .progress = report, .progress_context = &reports};
    seqrec_fit_stats stats = {.struct_size = sizeof stats};
    int failed = seqrec_context_create(allocator, executor, 0, log_line, NULL, &context, error) ||
                 seqrec_config_create(allocator, &config, error) || seqrec_config_set(config, "batch", "32", error) ||
                 seqrec_dataset_synthesize(context, &synth, &events, NULL, error) ||
                 seqrec_model_create(context, config, &model, error) ||
                 seqrec_trainer_create(model, config, &trainer, error) ||
                 seqrec_trainer_fit(trainer, events, &fit, &stats, error);
    if (!failed)
        printf("%s after %lld whole epochs; the model has %lld items\n", stats.cancelled ? "cancelled" : "trained",
               (long long)stats.epochs, (long long)seqrec_items_count(model));
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_config_release(config);
    seqrec_context_release(context);
    return !failed && stats.cancelled;
}

int main(void)
{
    counter count = {0};
    pool threads = {0};
    seqrec_error error = {0};
    seqrec_allocator allocator = {sizeof allocator, &count, counted_allocate, counted_release};
    seqrec_executor executor = {sizeof executor, &threads, WORKERS + 1, 0, run_tasks};
    start_pool(&threads);
    int good = train_until_cancelled(&allocator, &executor, &error);
    stop_pool(&threads);
    if (error.status) fprintf(stderr, "%s\n", error.message);
    printf("%zu allocations, at most %zu bytes at once, %zu bytes left\n", atomic_load(&count.calls),
           atomic_load(&count.peak), atomic_load(&count.live));
    return good && atomic_load(&count.live) == 0 ? 0 : 1;
}
