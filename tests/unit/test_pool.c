/* unit: parallel loops: own workers, the host's executor, nesting, many callers, fork, and threads that cannot be had. */
#include <check.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dirent.h>
#include "base/pool.h"
#include "counting_allocator.h"
#include "run_suite.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { TASKS = 2000, WIDEST = 256 };

static sq_memory memory;
static seqrec_error error;

static void set_up(void)
{
    ck_assert_int_eq(sq_memory_init(&memory, NULL, NULL), SEQREC_OK);
    memset(&error, 0, sizeof error);
}

static sq_pool *new_pool(int32_t threads)
{
    sq_pool *pool = NULL;
    ck_assert_int_eq(sq_pool_create(&memory, threads, NULL, &pool, &error), SEQREC_OK);
    ck_assert_ptr_nonnull(pool);
    return pool;
}

/* What one call of sq_parallel did. Tasks note themselves and the worker they ran as; a worker index held by two bodies at
 * once, outside the width, or getting tasks out of order is counted as a fault. */
typedef struct record {
    int32_t width;
    int32_t times[TASKS];
    int32_t last[WIDEST]; /* not atomic on purpose: a thread checker sees two bodies that share an index */
    _Atomic int32_t held[WIDEST];
    _Atomic int32_t faults;
    _Atomic int32_t now, most; /* bodies at once */
} record;

static void start_record(record *r, int32_t width)
{
    memset(r, 0, sizeof *r);
    r->width = width;
    for (int32_t i = 0; i < WIDEST; i++) r->last[i] = -1;
}

static void note(void *arg, int32_t task, int32_t worker)
{
    record *r = arg;
    if (worker < 0 || worker >= r->width || task < 0 || task >= TASKS) {
        r->faults++;
        return;
    }
    if (r->held[worker]++ != 0) r->faults++;
    const int32_t now = ++r->now;
    int32_t most = r->most;
    while (now > most && !atomic_compare_exchange_weak(&r->most, &most, now)) continue;
    if (r->last[worker] >= task) r->faults++;
    r->last[worker] = task;
    r->times[task]++;
    if (task % 64 == 0) (void)sched_yield();
    r->now--;
    r->held[worker]--;
}

static void check_record(const record *r, int32_t tasks)
{
    ck_assert_int_eq(r->faults, 0);
    for (int32_t i = 0; i < TASKS; i++) ck_assert_int_eq(r->times[i], i < tasks ? 1 : 0);
}

static void check_loops(sq_pool *pool)
{
    static const int32_t counts[] = {0, 1, 2, 3, 4, 5, 17, TASKS};
    static record r;
    for (int32_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            start_record(&r, sq_pool_width(pool));
            sq_parallel(pool, counts[i], note, &r);
            check_record(&r, counts[i]);
        }
    }
    start_record(&r, sq_pool_width(pool));
    sq_parallel(pool, -1, note, &r);
    check_record(&r, 0);
}

START_TEST(every_task_runs_once_under_a_worker_index_of_its_own)
{
    static const int32_t threads[] = {0, 1, 2, 3, 4, 16};
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        sq_pool *pool = new_pool(threads[i]);
        ck_assert_int_eq(sq_pool_width(pool), threads[i] > 1 ? threads[i] : 1);
        check_loops(pool);
        sq_pool_destroy(pool);
    }
}
END_TEST

START_TEST(the_widest_pool_works)
{
    sq_pool *pool = new_pool(WIDEST);
    static record r;
    start_record(&r, WIDEST);
    sq_parallel(pool, TASKS, note, &r);
    check_record(&r, TASKS);
    sq_pool_destroy(pool);
}
END_TEST

START_TEST(a_pool_ends_whether_or_not_it_was_used)
{
    for (int32_t i = 0; i < 100; i++) sq_pool_destroy(new_pool(1 + i % 5));
    sq_pool_destroy(NULL);
}
END_TEST

/* ---- all workers at once ---- */

enum { FOUR = 4 };

typedef struct meeting {
    pthread_barrier_t barrier;
    char names[FOUR][16];
    int32_t unblocked[FOUR];
    int32_t rounding[FOUR];
} meeting;

/* Returns only when four bodies run at the same time. */
static void meet(void *arg, int32_t task, int32_t worker)
{
    meeting *m = arg;
    sigset_t blocked;
    (void)task;
    (void)pthread_getname_np(pthread_self(), m->names[worker], sizeof m->names[worker]);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    m->unblocked[worker] =
        !sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGALRM);
    m->rounding[worker] = fegetround();
    (void)pthread_barrier_wait(&m->barrier);
}

static void hold_meeting(sq_pool *pool, meeting *m)
{
    memset(m, 0, sizeof *m);
    ck_assert_int_eq(pthread_barrier_init(&m->barrier, NULL, FOUR), 0);
    sq_parallel(pool, FOUR, meet, m);
    (void)pthread_barrier_destroy(&m->barrier);
}

START_TEST(all_workers_take_part_named_and_with_signals_blocked)
{
    sq_pool *pool = new_pool(FOUR);
    meeting m;
    for (int32_t round = 0; round < 100; round++) {
        if (round % 10 == 0) (void)usleep(1000); /* past the time that workers stay awake */
        hold_meeting(pool, &m);
    }
    for (int32_t i = 1; i < FOUR; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "seqrec-%d", (int)i);
        ck_assert_str_eq(m.names[i], name);
        ck_assert_int_eq(m.unblocked[i], 0);
    }
    sigset_t blocked;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ck_assert_int_eq(sigismember(&blocked, SIGINT), 0);
    sq_pool_destroy(pool);
}
END_TEST

START_TEST(bodies_round_as_the_caller_does)
{
    sq_pool *pool = new_pool(FOUR);
    meeting m;
    static const int modes[] = {FE_UPWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        (void)fesetround(modes[i]);
        hold_meeting(pool, &m);
        (void)fesetround(FE_TONEAREST);
        for (int32_t w = 0; w < FOUR; w++) ck_assert_int_eq(m.rounding[w], modes[i]);
    }
    sq_pool_destroy(pool);
}
END_TEST

static int32_t threads_of_this_process(void)
{
    int32_t count = 0;
    DIR *folder = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

/* The kernel forgets ended threads late: the count once it stands still. */
static int32_t settled_threads(void)
{
    int32_t count = threads_of_this_process(), before = -1;
    while (count != before) {
        before = count;
        (void)usleep(10000);
        count = threads_of_this_process();
    }
    return count;
}

START_TEST(threads_are_made_only_when_asked_for)
{
    sq_pool_destroy(new_pool(2)); /* a thread checker adds a thread of its own beside the first */
    const int32_t before = settled_threads();
    sq_pool *none = new_pool(0), *one = new_pool(1);
    ck_assert_int_eq(threads_of_this_process(), before);
    sq_pool *five = new_pool(5);
    ck_assert_int_eq(threads_of_this_process(), before + 4);
    sq_pool_destroy(none);
    sq_pool_destroy(one);
    sq_pool_destroy(five);
    ck_assert_int_eq(settled_threads(), before);
}
END_TEST

/* ---- executors ---- */

typedef struct test_executor {
    int32_t threads;
    int32_t calls; /* bodies to call per task asked for, in percent */
    int32_t wrong; /* pass task numbers that mean nothing */
    int32_t runs;
} test_executor;

typedef struct host_loop {
    const test_executor *executor;
    int32_t tasks;
    void (*body)(void *arg, int32_t task);
    void *arg;
    _Atomic int32_t next;
} host_loop;

static void *host_thread(void *arg)
{
    host_loop *work = arg;
    for (int32_t task = work->next++; task < work->tasks; task = work->next++)
        work->body(work->arg, work->executor->wrong ? -task : task);
    return NULL;
}

static void host_run(void *context, int32_t tasks, void (*body)(void *arg, int32_t task), void *arg)
{
    test_executor *self = context;
    host_loop work = {self, tasks * self->calls / 100, body, arg, 0};
    pthread_t threads[32];
    self->runs++;
    for (int32_t i = 0; i < self->threads; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, host_thread, &work), 0);
    for (int32_t i = 0; i < self->threads; i++) (void)pthread_join(threads[i], NULL);
}

static sq_pool *hosted_pool(test_executor *host, int32_t width)
{
    sq_pool *pool = NULL;
    seqrec_executor executor = {sizeof executor, host, width, 0, host_run};
    ck_assert_int_eq(sq_pool_create(&memory, 0, &executor, &pool, &error), SEQREC_OK);
    return pool;
}

START_TEST(the_executor_of_the_host_runs_every_task_once)
{
    static const int32_t widths[] = {2, 3, 20};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        test_executor host = {widths[i], 100, 0, 0};
        sq_pool *pool = hosted_pool(&host, widths[i]);
        ck_assert_int_eq(sq_pool_width(pool), widths[i]);
        static record r;
        start_record(&r, widths[i]);
        sq_parallel(pool, TASKS, note, &r);
        check_record(&r, TASKS);
        ck_assert_int_eq(host.runs, 1);
        sq_pool_destroy(pool);
    }
}
END_TEST

START_TEST(the_widest_executor_works)
{
    test_executor host = {16, 100, 0, 0};
    sq_pool *pool = hosted_pool(&host, WIDEST);
    static record r;
    start_record(&r, WIDEST);
    sq_parallel(pool, TASKS, note, &r);
    check_record(&r, TASKS);
    sq_pool_destroy(pool);
}
END_TEST

/* More threads than it said, too few calls, too many, none, task numbers that mean nothing. */
START_TEST(an_executor_that_breaks_its_rules_still_gets_the_loop_done)
{
    static const test_executor hosts[] = {{16, 100, 0, 0}, {3, 40, 0, 0}, {3, 180, 0, 0}, {1, 0, 0, 0}, {3, 100, 1, 0}};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        test_executor host = hosts[i];
        sq_pool *pool = hosted_pool(&host, 3);
        static record r;
        start_record(&r, 3);
        sq_parallel(pool, TASKS, note, &r);
        check_record(&r, TASKS);
        ck_assert_int_le(r.most, 3);
        sq_pool_destroy(pool);
    }
}
END_TEST

static void note_rounding(void *arg, int32_t task, int32_t worker)
{
    (void)worker;
    ((int32_t *)arg)[task] = fegetround();
}

START_TEST(bodies_on_the_executor_round_as_the_caller_does)
{
    test_executor host = {2, 100, 0, 0};
    sq_pool *pool = hosted_pool(&host, 2);
    int32_t rounding[20];
    (void)fesetround(FE_DOWNWARD);
    sq_parallel(pool, 20, note_rounding, rounding);
    ck_assert_int_eq(fegetround(), FE_DOWNWARD);
    (void)fesetround(FE_TONEAREST);
    for (int32_t i = 0; i < 20; i++) ck_assert_int_eq(rounding[i], FE_DOWNWARD);
    sq_pool_destroy(pool);
}
END_TEST

/* ---- nesting and many callers ---- */

typedef struct outer {
    sq_pool *pool;
    _Atomic int32_t inner, elsewhere;
} outer;

static void count_inner(void *arg, int32_t task, int32_t worker)
{
    outer *o = arg;
    (void)task;
    o->inner++;
    if (worker != 0) o->elsewhere++;
}

static void start_inner(void *arg, int32_t task, int32_t worker)
{
    outer *o = arg;
    (void)task;
    (void)worker;
    sq_parallel(o->pool, 10, count_inner, o);
}

START_TEST(a_loop_inside_a_loop_runs_on_its_own_thread)
{
    test_executor host = {3, 100, 0, 0};
    for (int32_t hosted = 0; hosted < 2; hosted++) {
        outer o = {hosted ? hosted_pool(&host, 3) : new_pool(3), 0, 0};
        sq_parallel(o.pool, 100, start_inner, &o);
        ck_assert_int_eq(o.inner, 1000);
        ck_assert_int_eq(o.elsewhere, 0);
        sq_pool_destroy(o.pool);
    }
    ck_assert_int_eq(host.runs, 1);
}
END_TEST

typedef struct caller {
    sq_pool *pool;
    int32_t rounds;
    record r;
    int32_t wrong;
} caller;

static void *call_often(void *arg)
{
    caller *c = arg;
    for (int32_t round = 0; round < c->rounds; round++) {
        start_record(&c->r, sq_pool_width(c->pool));
        sq_parallel(c->pool, 100, note, &c->r);
        c->wrong += c->r.faults;
        for (int32_t i = 0; i < TASKS; i++) c->wrong += c->r.times[i] != (i < 100);
    }
    return NULL;
}

START_TEST(several_threads_share_one_pool)
{
    static caller callers[4];
    pthread_t threads[4];
    test_executor host = {3, 100, 0, 0};
    for (int32_t hosted = 0; hosted < 2; hosted++) {
        sq_pool *pool = hosted ? hosted_pool(&host, 3) : new_pool(3);
        for (int32_t i = 0; i < 4; i++) {
            callers[i] = (caller){.pool = pool, .rounds = hosted ? 20 : 200};
            ck_assert_int_eq(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
        }
        for (int32_t i = 0; i < 4; i++) {
            (void)pthread_join(threads[i], NULL);
            ck_assert_int_eq(callers[i].wrong, 0);
        }
        sq_pool_destroy(pool);
    }
}
END_TEST

/* ---- fork ---- */

static int child_uses(sq_pool *pool)
{
    static record r;
    seqrec_error why;
    (void)alarm(20);
    if (sq_pool_check(pool, &why) != SEQREC_E_STATE || strstr(why.message, "forked child") == NULL) return 2;
    start_record(&r, 1);
    sq_parallel(pool, TASKS, note, &r);
    if (r.faults != 0) return 3;
    for (int32_t i = 0; i < TASKS; i++) {
        if (r.times[i] != 1) return 4;
    }
    sq_pool_destroy(pool);
    return 0;
}

static void fork_and_check(sq_pool *pool)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(child_uses(pool));
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", (unsigned)status);
}

START_TEST(a_forked_child_is_told_and_never_hangs)
{
    test_executor host = {3, 100, 0, 0};
    for (int32_t hosted = 0; hosted < 2; hosted++) {
        sq_pool *pool = hosted ? hosted_pool(&host, 3) : new_pool(3);
        static record r;
        start_record(&r, 3);
        sq_parallel(pool, TASKS, note, &r);
        ck_assert_int_eq(sq_pool_check(pool, &error), SEQREC_OK);
        fork_and_check(pool);
        ck_assert_int_eq(sq_pool_check(pool, &error), SEQREC_OK);
        start_record(&r, 3);
        sq_parallel(pool, TASKS, note, &r);
        check_record(&r, TASKS);
        sq_pool_destroy(pool);
    }
}
END_TEST

START_TEST(a_fork_in_the_middle_of_a_loop_leaves_the_child_usable)
{
    static caller busy;
    pthread_t thread;
    sq_pool *pool = new_pool(3);
    busy = (caller){.pool = pool, .rounds = 300};
    ck_assert_int_eq(pthread_create(&thread, NULL, call_often, &busy), 0);
    for (int32_t i = 0; i < 20; i++) fork_and_check(pool);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(busy.wrong, 0);
    sq_pool_destroy(pool);
}
END_TEST

/* ---- refusals ---- */

START_TEST(arguments_out_of_bounds_are_refused)
{
    test_executor host = {1, 100, 0, 0};
    const seqrec_executor good = {sizeof good, &host, 4, 0, host_run};
    seqrec_executor small = good, idle = good, narrow = good, wide = good;
    small.struct_size = offsetof(seqrec_executor, run);
    idle.run = NULL;
    narrow.width = 0;
    wide.width = 257;
    const struct {
        int32_t threads;
        const seqrec_executor *executor;
        int32_t status;
        const char *message;
    } rows[] = {{-1, NULL, SEQREC_E_RANGE, "threads is -1; it must be in [0, 256]"},
                {257, NULL, SEQREC_E_RANGE, "threads is 257; it must be in [0, 256]"},
                {1, &good, SEQREC_E_ARGUMENT, "threads is 1; with an executor it must be 0"},
                {0, &small, SEQREC_E_ARGUMENT, "executor.struct_size is 24; it must be at least 32"},
                {0, &idle, SEQREC_E_ARGUMENT, "executor.run is NULL"},
                {0, &narrow, SEQREC_E_RANGE, "executor.width is 0; it must be in [1, 256]"},
                {0, &wide, SEQREC_E_RANGE, "executor.width is 257; it must be in [1, 256]"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sq_pool *pool = NULL;
        ck_assert_int_eq(sq_pool_create(&memory, rows[i].threads, rows[i].executor, &pool, &error), rows[i].status);
        ck_assert_str_eq(error.message, rows[i].message);
        ck_assert_ptr_null(pool);
    }
}
END_TEST

START_TEST(a_pool_that_cannot_be_allocated_leaves_nothing)
{
    counting_allocator host = {0};
    sq_memory counted = counting_memory(&host);
    for (host.fail_at = 1; host.fail_at <= 2; host.fail_at++) {
        sq_pool *pool = NULL;
        host.requests = 0;
        ck_assert_int_eq(sq_pool_create(&counted, 4, NULL, &pool, &error), SEQREC_E_MEMORY);
        ck_assert_ptr_null(pool);
        ck_assert_int_eq(host.blocks, 0);
    }
}
END_TEST

#ifndef SANITIZED
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1) return 0;
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Room for some stacks, but not for 255. */
static int fails_cleanly(void)
{
    counting_allocator host = {0};
    sq_memory counted = counting_memory(&host);
    sq_pool *pool = NULL;
    const rlim_t most = (rlim_t)(address_space() + ((size_t)100 << 20));
    const struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
    if (sq_pool_create(&counted, 256, NULL, &pool, &error) != SEQREC_E_MEMORY) return 3;
    if (strstr(error.message, "the system started ") == NULL || strstr(error.message, "started 0 ") != NULL) return 4;
    if (pool != NULL || host.blocks != 0) return 5;
    if (settled_threads() != 1) return 6;
    if (sq_pool_create(&counted, 4, NULL, &pool, &error) != SEQREC_OK) return 7;
    sq_pool_destroy(pool);
    return 0;
}

START_TEST(threads_that_the_system_refuses_are_an_error_and_none_stays)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(fails_cleanly());
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", (unsigned)status);
}
END_TEST
#endif

int main(void)
{
    TCase *tests = tcase_create("pool");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, every_task_runs_once_under_a_worker_index_of_its_own);
    tcase_add_test(tests, the_widest_pool_works);
    tcase_add_test(tests, a_pool_ends_whether_or_not_it_was_used);
    tcase_add_test(tests, all_workers_take_part_named_and_with_signals_blocked);
    tcase_add_test(tests, bodies_round_as_the_caller_does);
    tcase_add_test(tests, threads_are_made_only_when_asked_for);
    tcase_add_test(tests, the_executor_of_the_host_runs_every_task_once);
    tcase_add_test(tests, the_widest_executor_works);
    tcase_add_test(tests, an_executor_that_breaks_its_rules_still_gets_the_loop_done);
    tcase_add_test(tests, bodies_on_the_executor_round_as_the_caller_does);
    tcase_add_test(tests, a_loop_inside_a_loop_runs_on_its_own_thread);
    tcase_add_test(tests, several_threads_share_one_pool);
    tcase_add_test(tests, a_forked_child_is_told_and_never_hangs);
    tcase_add_test(tests, a_fork_in_the_middle_of_a_loop_leaves_the_child_usable);
    tcase_add_test(tests, arguments_out_of_bounds_are_refused);
    tcase_add_test(tests, a_pool_that_cannot_be_allocated_leaves_nothing);
#ifndef SANITIZED
    tcase_add_test(tests, threads_that_the_system_refuses_are_an_error_and_none_stays);
#endif
    tcase_set_timeout(tests, 60);
    Suite *suite = suite_create("pool");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
