/* base: heap sort and its parts. */
#include "base/heap.h"

static void sink(uint64_t *keys, int64_t root, int64_t n)
{
    const uint64_t key = keys[root];
    for (int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && keys[child + 1] > keys[child]) child++;
        if (keys[child] <= key) break;
        keys[root] = keys[child];
        root = child;
    }
    keys[root] = key;
}

void sq_heap_make(uint64_t *keys, int64_t n)
{
    for (int64_t i = n / 2; i-- > 0;) sink(keys, i, n);
}

void sq_heap_sink_root(uint64_t *keys, int64_t n)
{
    sink(keys, 0, n);
}

void sq_heap_sort(uint64_t *keys, int64_t n)
{
    sq_heap_make(keys, n);
    for (int64_t end = n - 1; end > 0; end--) {
        const uint64_t largest = keys[0];
        keys[0] = keys[end];
        keys[end] = largest;
        sink(keys, 0, end);
    }
}
