/* serve: lists of slots as filters use them. */
#include "serve/slotlist.h"

static void sink(int32_t *heap, int64_t at, int64_t n, int32_t slot)
{
    for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && heap[child + 1] > heap[child]) child++;
        if (heap[child] <= slot) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = slot;
}

/* Heap sort: in place, and never slow on any order. */
static void sort(int32_t *slots, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--) sink(slots, i, n, slots[i]);
    for (int64_t last = n - 1; last > 0; last--) {
        const int32_t slot = slots[last];
        slots[last] = slots[0];
        sink(slots, 0, last, slot);
    }
}

int64_t sq_slots_tidy(int32_t *slots, int64_t n)
{
    int64_t kept = 0;
    sort(slots, n);
    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || slots[kept - 1] != slots[i]) slots[kept++] = slots[i];
    }
    return kept;
}

int64_t sq_slots_from(const int32_t *slots, int64_t n, int32_t slot)
{
    int64_t low = 0;
    while (low < n) {
        const int64_t middle = low + (n - low) / 2;
        if (slots[middle] < slot)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

int64_t sq_slots_without(int32_t *slots, int64_t n, const int32_t *other, int64_t m)
{
    int64_t kept = 0, j = 0;
    for (int64_t i = 0; i < n; i++) {
        while (j < m && other[j] < slots[i]) j++;
        if (j == m || other[j] != slots[i]) slots[kept++] = slots[i];
    }
    return kept;
}
