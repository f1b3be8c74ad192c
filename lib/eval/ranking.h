/* eval: scores as ordered integers, counting what beats a target, and exact top-k. */
#ifndef SQ_RANKING_H
#define SQ_RANKING_H
#include <stdint.h>
#include <string.h>
#include "eval/metrics.h"

/* Keys order as scores do, -0 equals 0; NaN is below -infinity, and an item that is no candidate below everything. */
#define SQ_KEY_EXCLUDED INT32_MIN
#define SQ_KEY_NAN (INT32_MIN + 1)

static inline int32_t sq_ranking_key(float score)
{
    const float plus = score + 0.0f; /* -0 becomes +0 */
    int32_t bits;
    memcpy(&bits, &plus, sizeof bits);
    const int32_t key = bits < 0 ? bits ^ INT32_MAX : bits;
    return score == score ? key : SQ_KEY_NAN;
}

void sq_ranking_keys(const float *scores, int64_t n, int32_t *keys);
/* Place of the item `target` among keys[n]; excluded items do not count. */
sq_place sq_ranking_place(const int32_t *keys, int64_t n, int64_t target);

/* A key and its item as one number: the better, the smaller. */
typedef uint64_t sq_ranked;

static inline sq_ranked sq_ranked_of(int32_t key, int32_t item)
{
    return (uint64_t)((uint32_t)INT32_MAX - (uint32_t)key) << 32 | (uint32_t)item;
}

static inline int32_t sq_ranked_item(sq_ranked ranked)
{
    return (int32_t)(uint32_t)ranked;
}

static inline int32_t sq_ranked_key(sq_ranked ranked)
{
    return (int32_t)((uint32_t)INT32_MAX - (uint32_t)(ranked >> 32));
}

/* The best k of keys[n] without the excluded, best first, equal keys by rising item. Returns how many (at most k); out has
 * room for min(k, n). */
int64_t sq_ranking_top(const int32_t *keys, int64_t n, int64_t k, sq_ranked *out);
#endif
