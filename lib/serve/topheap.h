/* serve: the k best of a stream of scores, in memory of the caller. */
#ifndef SQ_TOPHEAP_H
#define SQ_TOPHEAP_H
#include <stdint.h>

/* Better: the higher score, among equal scores (0.0 equals -0.0) the lower slot. NaN never enters; -infinity is a score. */
typedef struct sq_topk {
    float *scores;  /* [k], a heap with the worst of the kept at 0 */
    int32_t *slots; /* [k] */
    int32_t k, count;
} sq_topk;

/* k >= 0; the buffers hold k elements and are the caller's. */
void sq_topk_init(sq_topk *heap, int32_t k, float *scores, int32_t *slots);
/* Offers scores[n] of the slots first_slot, first_slot + 1, ...; allowed[n], when given, is 0 for those that may not enter.
 * Blocks may come in any order, each slot once. */
void sq_topk_push_block(sq_topk *heap, const float *scores, int32_t first_slot, int32_t n, const uint8_t *allowed);
void sq_topk_push(sq_topk *heap, float score, int32_t slot);
/* Whether one of scores[n], n a multiple of 16, might enter. */
int32_t sq_topk_reached(const sq_topk *heap, const float *scores, int32_t n);
/* Sorts what was kept, best first, and returns how many there are. To go on, start again with sq_topk_init. */
int32_t sq_topk_finish(sq_topk *heap);
#endif
