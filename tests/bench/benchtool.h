/* bench: what the programs share: the clock, medians, a process per row. */
#ifndef BENCHTOOL_H
#define BENCHTOOL_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "seqrec.h"

static seqrec_error bench_failure; /* of the last call given to bench_must */

/* Ends the program when a call failed. */
static inline void bench_must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "bench: %s: %s\n", seqrec_status_name(status), bench_failure.message);
    exit(EXIT_FAILURE);
}

static inline void *bench_alloc(size_t bytes)
{
    void *block = malloc(bytes);
    if (block) return block;
    fprintf(stderr, "bench: no memory for %zu bytes\n", bytes);
    exit(EXIT_FAILURE);
}

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int bench_rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_median(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, bench_rising);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/* Most memory this process ever had resident. */
static inline int64_t bench_peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

/* Bytes in memory now, pages of files included; *shared: of these, pages of files. */
static inline int64_t bench_resident(int64_t *shared)
{
    long pages[3] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld %ld", &pages[0], &pages[1], &pages[2]) != 3) pages[1] = pages[2] = 0;
    if (file != NULL) fclose(file);
    *shared = (int64_t)pages[2] * sysconf(_SC_PAGESIZE);
    return (int64_t)pages[1] * sysconf(_SC_PAGESIZE);
}

/* Runs body(arg) in a process of its own, so that its peak memory is its own; ends the program when it fails. */
static inline void bench_child(void (*body)(const void *arg), const void *arg)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        body(arg);
        fflush(NULL);
        _exit(EXIT_SUCCESS);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "bench: a row ended with status %d\n", child < 0 ? -1 : status);
        exit(EXIT_FAILURE);
    }
}
#endif
