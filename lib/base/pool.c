/* base: parallel loops on own workers or on the host's executor. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/pool.h"
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 256, SPIN_NANOSECONDS = 20000, STACK_BYTES = 2 * 1024 * 1024 };

/* One loop: bodies take the next task until none is left. */
typedef struct loop {
    sq_body body;
    void *arg;
    int64_t tasks;
    _Atomic int64_t next; /* 64 bits: every worker may overshoot once */
} loop;

typedef struct worker {
    sq_pool *pool;
    pthread_t thread;
    int32_t index; /* from 1; the caller of a loop is 0 */
} worker;

struct sq_pool {
    sq_memory memory;
    pid_t owner;
    int32_t width;
    seqrec_executor executor; /* run NULL: own workers */
    atomic_flag busy;         /* a loop has the workers or the executor */

    /* Own workers. What follows the mutex is guarded by it; `round` and `inside` may also be read without it, for spinning. */
    int32_t workers;
    worker *worker;
    pthread_mutex_t mutex;
    pthread_cond_t start, done;
    loop *work;             /* NULL between loops */
    fenv_t modes;           /* of the thread that called the loop */
    int32_t seats;          /* workers that may still enter the loop */
    int32_t stop;           /* workers end */
    _Atomic uint64_t round; /* rises with every loop */
    _Atomic int32_t inside; /* workers that entered and have not left */
};

static void run_tasks(loop *work, int32_t index)
{
    for (;;) {
        const int64_t task = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (task >= work->tasks) return;
        work->body(work->arg, (int32_t)task, index);
    }
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Loops of some milliseconds follow one another closely: going to sleep at once would cost two context switches each. */
static void spin_while_round(const _Atomic uint64_t *round, uint64_t seen)
{
    const int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int32_t i = 0; i < 32; i++) {
            if (atomic_load_explicit(round, memory_order_relaxed) != seen) return;
            relax();
        }
    } while (nanoseconds() < end);
}

static void spin_while_inside(const _Atomic int32_t *inside)
{
    const int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int32_t i = 0; i < 32; i++) {
            if (atomic_load_explicit(inside, memory_order_acquire) == 0) return;
            relax();
        }
    } while (nanoseconds() < end);
}

/* Waits for a loop not yet seen that has a seat, and takes it; NULL when the pool ends. */
static loop *enter(sq_pool *pool, uint64_t *seen)
{
    spin_while_round(&pool->round, *seen);
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->stop && (pool->seats == 0 || atomic_load_explicit(&pool->round, memory_order_relaxed) == *seen))
        (void)pthread_cond_wait(&pool->start, &pool->mutex);
    loop *work = NULL;
    if (!pool->stop) {
        *seen = atomic_load_explicit(&pool->round, memory_order_relaxed);
        work = pool->work;
        pool->seats--;
        atomic_fetch_add_explicit(&pool->inside, 1, memory_order_relaxed);
        (void)fesetenv(&pool->modes);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return work;
}

static void leave(sq_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    if (atomic_fetch_sub_explicit(&pool->inside, 1, memory_order_release) == 1) (void)pthread_cond_signal(&pool->done);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void *work_until_stopped(void *arg)
{
    const worker *self = arg;
    char name[16];
    (void)snprintf(name, sizeof name, "seqrec-%d", (int)self->index);
    (void)pthread_setname_np(pthread_self(), name);
    uint64_t seen = 0;
    for (loop *work = enter(self->pool, &seen); work != NULL; work = enter(self->pool, &seen)) {
        run_tasks(work, self->index);
        leave(self->pool);
    }
    return NULL;
}

static void open_loop(sq_pool *pool, loop *work)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->work = work;
    pool->seats = work->tasks - 1 < pool->workers ? (int32_t)(work->tasks - 1) : pool->workers;
    (void)fegetenv(&pool->modes);
    atomic_fetch_add_explicit(&pool->round, 1, memory_order_relaxed);
    (void)pthread_cond_broadcast(&pool->start);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* Workers that have not woken by now need not: nobody enters any more, and those inside are waited for. */
static void close_loop(sq_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->seats = 0;
    pool->work = NULL;
    (void)pthread_mutex_unlock(&pool->mutex);
    spin_while_inside(&pool->inside);
    (void)pthread_mutex_lock(&pool->mutex);
    while (atomic_load_explicit(&pool->inside, memory_order_acquire) > 0)
        (void)pthread_cond_wait(&pool->done, &pool->mutex);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void run_on_workers(sq_pool *pool, loop *work)
{
    open_loop(pool, work);
    run_tasks(work, 0);
    close_loop(pool);
}

/* A loop on the host's threads, which have no index: bodies claim one and give it back. */
typedef struct hosted {
    loop work;
    fenv_t modes;
    int32_t width;
    _Atomic uint64_t taken[MOST_THREADS / 64];
} hosted;

/* Lowest free index, or -1. */
static int32_t try_claim(hosted *call)
{
    for (int32_t index = 0; index < call->width; index++) {
        const uint64_t bit = (uint64_t)1 << (index % 64);
        _Atomic uint64_t *word = &call->taken[index / 64];
        if ((atomic_load_explicit(word, memory_order_relaxed) & bit) != 0) continue;
        if ((atomic_fetch_or_explicit(word, bit, memory_order_acquire) & bit) == 0) return index;
    }
    return -1;
}

static int32_t claim(hosted *call)
{
    int32_t index = try_claim(call);
    for (; index < 0; index = try_claim(call)) (void)sched_yield(); /* more bodies at once than the host said */
    return index;
}

static void give_back(hosted *call, int32_t index)
{
    atomic_fetch_and_explicit(&call->taken[index / 64], ~((uint64_t)1 << (index % 64)), memory_order_release);
}

/* The task number the host brings is not used: taking the next one ourselves runs each once, in order, whatever it does. */
static void run_hosted(void *arg, int32_t task)
{
    hosted *call = arg;
    (void)task;
    const int32_t index = claim(call);
    const int64_t next = atomic_fetch_add_explicit(&call->work.next, 1, memory_order_relaxed);
    if (next < call->work.tasks) {
        fenv_t kept;
        (void)fegetenv(&kept);
        (void)fesetenv(&call->modes);
        call->work.body(call->work.arg, (int32_t)next, index);
        (void)fesetenv(&kept);
    }
    give_back(call, index);
}

static void run_on_executor(sq_pool *pool, sq_body body, void *arg, int32_t tasks)
{
    hosted call = {.work = {body, arg, tasks, 0}, .width = pool->width};
    (void)fegetenv(&call.modes);
    pool->executor.run(pool->executor.context, tasks, run_hosted, &call);
    run_tasks(&call.work, 0); /* nothing is left, unless the host ran too few */
}

void sq_parallel(sq_pool *pool, int32_t tasks, sq_body body, void *arg)
{
    const int alone = tasks <= 1 || pool->width == 1 || getpid() != pool->owner;
    if (alone || atomic_flag_test_and_set_explicit(&pool->busy, memory_order_acquire)) {
        for (int32_t task = 0; task < tasks; task++) body(arg, task, 0);
        return;
    }
    loop work = {body, arg, tasks, 0};
    if (pool->executor.run != NULL)
        run_on_executor(pool, body, arg, tasks);
    else
        run_on_workers(pool, &work);
    atomic_flag_clear_explicit(&pool->busy, memory_order_release);
}

/* Ends and joins the first `started` workers. */
static void stop_workers(sq_pool *pool, int32_t started)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->stop = 1;
    (void)pthread_cond_broadcast(&pool->start);
    (void)pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 0; i < started; i++) (void)pthread_join(pool->worker[i].thread, NULL);
    (void)pthread_cond_destroy(&pool->done);
    (void)pthread_cond_destroy(&pool->start);
    (void)pthread_mutex_destroy(&pool->mutex);
}

/* Signals belong to the host's threads: workers start with all of them blocked. Returns how many started. */
static int32_t start_threads(sq_pool *pool, int *cause)
{
    pthread_attr_t attributes;
    sigset_t all, kept;
    *cause = pthread_attr_init(&attributes);
    if (*cause != 0) return 0;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &kept);
    int32_t started = 0;
    for (; started < pool->workers; started++) {
        worker *next = &pool->worker[started];
        next->pool = pool;
        next->index = started + 1;
        *cause = pthread_create(&next->thread, &attributes, work_until_stopped, next);
        if (*cause != 0) break;
    }
    (void)pthread_sigmask(SIG_SETMASK, &kept, NULL);
    (void)pthread_attr_destroy(&attributes);
    return started;
}

static int32_t start_workers(sq_pool *pool, seqrec_error *error)
{
    int cause = 0;
    pool->worker = sq_alloc_zero(&pool->memory, (size_t)pool->workers, sizeof *pool->worker);
    SQ_CHECK(pool->worker != NULL, error, SEQREC_E_MEMORY, "cannot allocate %d workers", (int)pool->workers);
    (void)pthread_mutex_init(&pool->mutex, NULL); /* with default attributes these cannot fail */
    (void)pthread_cond_init(&pool->start, NULL);
    (void)pthread_cond_init(&pool->done, NULL);
    const int32_t started = start_threads(pool, &cause);
    if (started == pool->workers) return SEQREC_OK;
    stop_workers(pool, started);
    sq_free(&pool->memory, pool->worker);
    return sq_fail(error, SEQREC_E_MEMORY, "the system started %d of %d threads and refused the next (errno %d)",
                   (int)started, (int)pool->workers, cause);
}

static int32_t check_arguments(int32_t threads, const seqrec_executor *executor, seqrec_error *error)
{
    SQ_CHECK(threads >= 0 && threads <= MOST_THREADS, error, SEQREC_E_RANGE, "threads is %d; it must be in [0, %d]",
             (int)threads, MOST_THREADS);
    if (executor == NULL) return SEQREC_OK;
    const size_t least = offsetof(seqrec_executor, run) + sizeof executor->run;
    SQ_CHECK(executor->struct_size >= least, error, SEQREC_E_ARGUMENT,
             "executor.struct_size is %zu; it must be at least %zu", executor->struct_size, least);
    SQ_CHECK(executor->run != NULL, error, SEQREC_E_ARGUMENT, "executor.run is NULL");
    SQ_CHECK(threads == 0, error, SEQREC_E_ARGUMENT, "threads is %d; with an executor it must be 0", (int)threads);
    SQ_CHECK(executor->width >= 1 && executor->width <= MOST_THREADS, error, SEQREC_E_RANGE,
             "executor.width is %d; it must be in [1, %d]", (int)executor->width, MOST_THREADS);
    return SEQREC_OK;
}

int32_t sq_pool_create(const sq_memory *memory, int32_t threads, const seqrec_executor *executor, sq_pool **out,
                       seqrec_error *error)
{
    SQ_TRY(check_arguments(threads, executor, error));
    sq_pool *pool = sq_alloc_zero(memory, 1, sizeof *pool);
    SQ_CHECK(pool != NULL, error, SEQREC_E_MEMORY, "cannot allocate the thread pool");
    pool->memory = *memory;
    pool->owner = getpid();
    atomic_flag_clear(&pool->busy);
    atomic_init(&pool->round, 0);
    atomic_init(&pool->inside, 0);
    if (executor != NULL) {
        pool->executor.context = executor->context;
        pool->executor.run = executor->run;
        pool->width = executor->width;
    } else {
        pool->width = threads > 1 ? threads : 1;
        pool->workers = pool->width - 1;
    }
    const int32_t status = pool->workers == 0 ? SEQREC_OK : start_workers(pool, error);
    if (status != SEQREC_OK) {
        sq_free(memory, pool);
        return status;
    }
    *out = pool;
    return SEQREC_OK;
}

void sq_pool_destroy(sq_pool *pool)
{
    if (pool == NULL) return;
    const sq_memory memory = pool->memory;
    if (pool->workers > 0 && getpid() == pool->owner) stop_workers(pool, pool->workers);
    sq_free(&memory, pool->worker);
    sq_free(&memory, pool);
}

int32_t sq_pool_width(const sq_pool *pool)
{
    return pool->width;
}

int32_t sq_pool_check(const sq_pool *pool, seqrec_error *error)
{
    const pid_t self = getpid();
    SQ_CHECK(self == pool->owner, error, SEQREC_E_STATE,
             "the context belongs to process %ld; its forked child %ld must make its own", (long)pool->owner,
             (long)self);
    return SEQREC_OK;
}
