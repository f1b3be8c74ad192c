/* position: how the time between two events picks a term of attention. */
#ifndef SQ_INTERVAL_H
#define SQ_INTERVAL_H
#include <stddef.h>
#include <stdint.h>

#define SQ_TIME_BUCKETS 129

/* HSTU's bucket of the interval between `ask` and each of n events (Zhai et al. 2024): floor(ln(max(s, 1)) / 0.301) of its s seconds, cut
 * to 128. */
void sq_time_buckets(const int64_t *times, size_t n, int64_t ask, uint16_t *to);

/* The unit of a sequence's intervals (TiSASRec, Li, Wang, McAuley 2020): the smallest gap between neighbours that is not 0; 1 when
 * there is none. */
double sq_time_unit(const int64_t *times, size_t n);
/* tau = round((t - first) / unit) of each of n events. */
void sq_time_places(const int64_t *times, size_t n, double unit, double *tau);
/* The unit of events 0 .. i, for each i. */
void sq_time_units(const int64_t *times, size_t n, double *unit);

/* Which row of a table by time a pair of query and key of one sequence has. */
typedef struct sq_intervals {
    const int64_t *times, *asks; /* HSTU: asks are the times from which queries look back */
    const double *tau;           /* TiSASRec: |tau_i - tau_j| cut to `span` */
    const double *unit;          /* the same with the unit of each query, from which both tau follow; of both NULL: HSTU's buckets */
    int32_t span;
} sq_intervals;
/* Of query i: to[0] for key `first` up to that for key end - 1. */
void sq_interval_row(const sq_intervals *intervals, size_t i, size_t first, size_t end, uint16_t *to);
#endif
