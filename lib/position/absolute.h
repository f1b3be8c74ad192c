/* position: learned absolute positions, counted from the end of the window (0 = newest event, what left padding gives SASRec)
 * or from its start, or that of the newest event for all. */
#ifndef SQ_ABSOLUTE_H
#define SQ_ABSOLUTE_H
#include <stdint.h>

/* Row of the table for event t of a window of n events. */
static inline int32_t sq_position_from_end(int32_t t, int32_t n) { return n - 1 - t; }
static inline int32_t sq_position_from_start(int32_t t, int32_t n)
{
    (void)n;
    return t;
}
static inline int32_t sq_position_newest(int32_t t, int32_t n)
{
    (void)t;
    (void)n;
    return 0;
}
#endif
