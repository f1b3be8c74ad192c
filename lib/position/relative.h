/* position: relative schemes: how a distance picks a bias, and the angles of rotary positions. */
#ifndef SQ_RELATIVE_H
#define SQ_RELATIVE_H
#include <stdint.h>

/* T5's bucket of key - query = `offset` (Raffel et al. 2020): half of the buckets for exact distances, the others by its logarithm up
 * to `distance`, beyond which all share the last. With both_ways the upper half of the buckets is for keys behind the query;
 * without, those count as distance 0. */
int32_t sq_t5_bucket(int64_t offset, int32_t buckets, int64_t distance, int32_t both_ways);

/* ALiBi's slope of head `head` of `heads` (Press, Smith, Lewis 2022): 2^(-8 (head + 1) / heads); the bias is -slope * distance. */
double sq_alibi_slope(int32_t head, int32_t heads);

/* Angle by which rotary positions turn pair `pair` of `half` of the event at place t (Su et al. 2021): t * base^(-pair / half). */
double sq_rotary_angle(int64_t t, int32_t pair, int32_t half, double base);
#endif
