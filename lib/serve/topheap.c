/* serve: the k best of a stream of scores by a heap whose root is the worst of the kept. */
#include "serve/topheap.h"

#define STRIDE 16

void sq_topk_init(sq_topk *heap, int32_t k, float *scores, int32_t *slots)
{
    heap->scores = scores;
    heap->slots = slots;
    heap->k = k;
    heap->count = 0;
}

static int32_t worse(float score, int32_t slot, float than_score, int32_t than_slot)
{
    return score < than_score || (score == than_score && slot > than_slot);
}

/* Puts (score, slot) at or below the hole `at` of the first `count` elements. */
static void sink(sq_topk *heap, int32_t at, int32_t count, float score, int32_t slot)
{
    float *scores = heap->scores;
    int32_t *slots = heap->slots;
    while (at < count / 2) {
        int32_t child = 2 * at + 1;
        if (child + 1 < count && worse(scores[child + 1], slots[child + 1], scores[child], slots[child])) child++;
        if (!worse(scores[child], slots[child], score, slot)) break;
        scores[at] = scores[child];
        slots[at] = slots[child];
        at = child;
    }
    scores[at] = score;
    slots[at] = slot;
}

/* Puts (score, slot) at or above the hole `at`. */
static void rise(sq_topk *heap, int32_t at, float score, int32_t slot)
{
    while (at > 0) {
        int32_t parent = (at - 1) / 2;
        if (!worse(score, slot, heap->scores[parent], heap->slots[parent])) break;
        heap->scores[at] = heap->scores[parent];
        heap->slots[at] = heap->slots[parent];
        at = parent;
    }
    heap->scores[at] = score;
    heap->slots[at] = slot;
}

void sq_topk_push(sq_topk *heap, float score, int32_t slot)
{
    if (score != score) return;
    if (heap->count < heap->k) {
        rise(heap, heap->count++, score, slot);
    } else if (heap->k > 0 && worse(heap->scores[0], heap->slots[0], score, slot)) {
        sink(heap, 0, heap->k, score, slot);
    }
}

/* Whether one of 16 scores reaches the threshold; a NaN does not. Of fixed length, so that it becomes a few vector compares. */
static int32_t any_reaches(const float *scores, float threshold)
{
    int32_t reached = 0;
    for (int32_t i = 0; i < STRIDE; i++) reached += scores[i] >= threshold;
    return reached;
}

int32_t sq_topk_reached(const sq_topk *heap, const float *scores, int32_t n)
{
    if (heap->count < heap->k) return 1;
    for (int32_t i = 0; i < n; i += STRIDE)
        if (any_reaches(scores + i, heap->scores[0])) return 1;
    return 0;
}

static void push_some(sq_topk *heap, const float *scores, int32_t first_slot, int32_t from, int32_t to,
                      const uint8_t *allowed)
{
    for (int32_t i = from; i < to; i++) {
        if (heap->count == heap->k && !(scores[i] >= heap->scores[0])) continue;
        if (!allowed || allowed[i]) sq_topk_push(heap, scores[i], first_slot + i);
    }
}

void sq_topk_push_block(sq_topk *heap, const float *scores, int32_t first_slot, int32_t n, const uint8_t *allowed)
{
    if (heap->k <= 0) return;
    int32_t i = 0;
    for (; n - i >= STRIDE; i += STRIDE) {
        if (heap->count == heap->k && !any_reaches(scores + i, heap->scores[0])) continue;
        push_some(heap, scores, first_slot, i, i + STRIDE, allowed);
    }
    push_some(heap, scores, first_slot, i, n, allowed);
}

int32_t sq_topk_finish(sq_topk *heap)
{
    for (int32_t last = heap->count - 1; last > 0; last--) {
        float score = heap->scores[last];
        int32_t slot = heap->slots[last];
        heap->scores[last] = heap->scores[0];
        heap->slots[last] = heap->slots[0];
        sink(heap, 0, last, score, slot);
    }
    return heap->count;
}
