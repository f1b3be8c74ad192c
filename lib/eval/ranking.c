/* eval: scores as ordered integers, counting what beats a target, and exact top-k. */
#include "eval/ranking.h"
#include "base/heap.h"

#define LANES 16

void sq_ranking_keys(const float *restrict scores, int64_t n, int32_t *restrict keys)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t j = 0; j < LANES; j++) keys[i + j] = sq_ranking_key(scores[i + j]);
    }
    for (; i < n; i++) keys[i] = sq_ranking_key(scores[i]);
}

sq_place sq_ranking_place(const int32_t *keys, int64_t n, int64_t target)
{
    const int32_t key = keys[target];
    int32_t better[LANES] = {0}, equal[LANES] = {0};
    sq_place place = {0, -1, 0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t j = 0; j < LANES; j++) better[j] += keys[i + j] > key;
        for (int64_t j = 0; j < LANES; j++) equal[j] += keys[i + j] == key;
    }
    for (; i < n; i++) {
        place.better += keys[i] > key;
        place.equal += keys[i] == key;
    }
    for (int64_t j = 0; j < LANES; j++) {
        place.better += better[j];
        place.equal += equal[j];
    }
    return place;
}

/* Items come in rising order, so one that only equals the worst of a full list loses to it. */
static void offer(sq_ranked *heap, int64_t *count, int64_t k, int32_t key, int64_t item)
{
    if (*count < k) {
        if (key == SQ_KEY_EXCLUDED) return;
        heap[(*count)++] = sq_ranked_of(key, (int32_t)item);
        if (*count == k) sq_heap_make(heap, k);
    } else if (key > sq_ranked_key(heap[0])) {
        heap[0] = sq_ranked_of(key, (int32_t)item);
        sq_heap_sink_root(heap, k);
    }
}

static int32_t any_above(const int32_t *keys, int32_t floor)
{
    int32_t above[LANES], any = 0;
    for (int64_t j = 0; j < LANES; j++) above[j] = keys[j] > floor;
    for (int64_t j = 0; j < LANES; j++) any |= above[j];
    return any;
}

int64_t sq_ranking_top(const int32_t *keys, int64_t n, int64_t k, sq_ranked *out)
{
    int64_t count = 0, i = 0;
    if (k > n) k = n;
    if (k <= 0) return 0;
    for (; i + LANES <= n; i += LANES) {
        if (count == k && !any_above(keys + i, sq_ranked_key(out[0]))) continue;
        for (int64_t j = 0; j < LANES; j++) offer(out, &count, k, keys[i + j], i + j);
    }
    for (; i < n; i++) offer(out, &count, k, keys[i], i);
    sq_heap_sort(out, count);
    return count;
}
