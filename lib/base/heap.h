/* base: keys as a heap whose root is the largest, in memory of the caller. */
#ifndef SQ_HEAP_H
#define SQ_HEAP_H
#include <stdint.h>

/* Makes keys[n] a heap. */
void sq_heap_make(uint64_t *keys, int64_t n);
/* Mends a heap of n > 0 whose root alone was replaced. */
void sq_heap_sink_root(uint64_t *keys, int64_t n);
/* Sorts rising, in place, without memory of its own. */
void sq_heap_sort(uint64_t *keys, int64_t n);
#endif
