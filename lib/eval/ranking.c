/* eval: scores as ordered integers, counting what beats a target, and exact top-k. */
#include "eval/ranking.h"

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

static int32_t worse(sq_ranked a, sq_ranked b)
{
    return a.key != b.key ? a.key < b.key : a.item > b.item;
}

/* The root of the heap is the worst entry. */
static void heap_down(sq_ranked *heap, int64_t n, sq_ranked entry)
{
    int64_t root = 0;
    for (int64_t child = 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], entry)) break;
        heap[root] = heap[child];
        root = child;
    }
    heap[root] = entry;
}

static void heap_up(sq_ranked *heap, int64_t at, sq_ranked entry)
{
    while (at > 0 && worse(entry, heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

/* Items come in rising order, so one that only equals the worst of a full heap loses to it. */
static void offer(sq_ranked *heap, int64_t *count, int64_t k, int32_t key, int64_t item)
{
    const sq_ranked entry = {key, (int32_t)item};
    if (*count < k) {
        if (key != SQ_KEY_EXCLUDED) heap_up(heap, (*count)++, entry);
    } else if (key > heap[0].key) {
        heap_down(heap, k, entry);
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
        if (count == k && !any_above(keys + i, out[0].key)) continue;
        for (int64_t j = 0; j < LANES; j++) offer(out, &count, k, keys[i + j], i + j);
    }
    for (; i < n; i++) offer(out, &count, k, keys[i], i);
    for (int64_t end = count - 1; end > 0; end--) {
        const sq_ranked last = out[0];
        heap_down(out, end, out[end]);
        out[end] = last;
    }
    return count;
}
