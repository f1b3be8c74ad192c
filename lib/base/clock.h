/* base: seconds of a clock that never goes back; for figures only, never for results. */
#ifndef SQ_CLOCK_H
#define SQ_CLOCK_H
#include <time.h>

static inline double sq_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif
