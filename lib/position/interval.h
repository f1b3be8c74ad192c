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
/* TiSASRec's relation of key j to the query at time `ask`: |tau - tau_j| cut to `span`, tau = round((t - first) / unit). */
void sq_time_intervals(const int64_t *times, size_t n, int64_t ask, int64_t first, double unit, int32_t span, uint16_t *to);
#endif
