/* bench: `seqrec recommend --batch` on histories that are made while it reads them: users a second and the most memory that the program
 * had, which does not grow with their number. One JSON object per line on stdout.
 * `bench_batchusers PROGRAM MODEL USERS THREADS`: a tenth of the users, then all; MODEL, untrained, is written and removed. */
#include <string.h>
#include "benchtool.h"

enum { ITEMS = 3416, LONGEST = 40, DIM = 64, BEST = 10 };

typedef struct batch_settings {
    const char *program, *model, *threads;
} batch_settings;

static batch_settings run;

/* What a list costs does not depend on the weights. */
static void write_model(const void *path)
{
    int64_t ids[ITEMS];
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    bench_must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_set(config, "dim", "64", &bench_failure));
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    bench_must(seqrec_items_put(model, ids, ITEMS, NULL, &bench_failure));
    bench_must(seqrec_model_save(model, path, &bench_failure));
    seqrec_model_release(model);
    seqrec_config_release(config);
    seqrec_context_release(context);
}

/* ---- the program between two pipes ---------------------------------------------------------------------------------------- */

static void must(int good, const char *what)
{
    if (good) return;
    perror(what);
    exit(EXIT_FAILURE);
}

/* A process of its own whose standard input and output these are; it closes `other`, an end that is not its own. */
static pid_t split(int from, int to, int other)
{
    fflush(NULL);
    const pid_t child = fork();
    must(child >= 0, "fork");
    if (child != 0) return child;
    close(other);
    must(dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0, "dup2");
    if (from != STDIN_FILENO) close(from);
    if (to != STDOUT_FILENO) close(to);
    return 0;
}

/* A user and from one to LONGEST items on a line. */
static void write_histories(int64_t users)
{
    uint64_t state = 1;
    for (int64_t u = 1; u <= users; u++) {
        printf("%lld", (long long)u);
        for (int64_t left = 1 + u % LONGEST; left > 0; left--) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            printf(" %d", 1 + (int)((state >> 33) % ITEMS));
        }
        putchar('\n');
    }
}

static pid_t start_writer(int64_t users, int *out)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    const pid_t writer = split(STDIN_FILENO, ends[1], ends[0]);
    if (writer == 0) {
        write_histories(users);
        must(fflush(stdout) == 0, "bench: histories");
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    *out = ends[0];
    return writer;
}

static pid_t start_program(int from, int *out)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    const pid_t program = split(from, ends[1], ends[0]);
    if (program == 0) {
        execl(run.program, run.program, "recommend", "--model", run.model, "--batch", "-", "--threads", run.threads, "--quiet", (char *)NULL);
        must(0, run.program);
    }
    close(from);
    close(ends[1]);
    *out = ends[0];
    return program;
}

static int64_t count_lines(int from)
{
    static char block[65536];
    int64_t lines = 0;
    ssize_t bytes;
    while ((bytes = read(from, block, sizeof block)) > 0)
        for (const char *at = block; (at = memchr(at, '\n', (size_t)(block + bytes - at))) != NULL; at++) lines++;
    must(bytes == 0, "bench: lists");
    close(from);
    return lines;
}

/* Most bytes that the process ever had resident; ends this program when it failed. */
static int64_t await(pid_t child)
{
    int status = 0;
    struct rusage usage;
    must(wait4(child, &status, 0, &usage) == child, "wait4");
    if (status == 0) return (int64_t)usage.ru_maxrss * 1024;
    fprintf(stderr, "bench: %s ended with status %d\n", run.program, status);
    exit(EXIT_FAILURE);
}

static void measure(int64_t users)
{
    int histories, lists;
    fprintf(stderr, "bench: %lld users\n", (long long)users);
    const double start = bench_now();
    const pid_t writer = start_writer(users, &histories), program = start_program(histories, &lists);
    const int64_t found = count_lines(lists), peak = await(program);
    const double took = bench_now() - start;
    (void)await(writer);
    if (found != users) {
        fprintf(stderr, "bench: %lld lists for %lld users\n", (long long)found, (long long)users);
        exit(EXIT_FAILURE);
    }
    printf("{\"bench\":\"batchusers\",\"name\":\"batch-%lld\",\"users\":%lld,\"items\":%d,\"dim\":%d,\"k\":%d,\"longest\":%d,\"threads\":%s,"
           "\"seconds\":%.2f,\"users_per_second\":%.0f,\"peak_rss_bytes\":%lld}\n",
           (long long)users, (long long)users, ITEMS, DIM, BEST, LONGEST, run.threads, took, (double)users / took, (long long)peak);
    fflush(stdout);
}

int main(int count, char **words)
{
    const int64_t users = count == 5 ? atoll(words[3]) : 0;
    if (users < 10) {
        fputs("usage: bench_batchusers PROGRAM MODEL USERS THREADS\n", stderr);
        return 2;
    }
    run = (batch_settings){.program = words[1], .model = words[2], .threads = words[4]};
    bench_child(write_model, run.model); /* what a program has resident before its first instruction counts as its own: stay small */
    measure(users / 10);
    measure(users);
    remove(run.model);
    return EXIT_SUCCESS;
}
