/* base: radix sort by bytes from the lowest, insertion sort for a few keys. */
#include "base/sort.h"
#include <string.h>

enum { FEW = 48, DIGITS = 256 };

typedef struct pairs {
    uint64_t *keys;
    uint32_t *payload;
} pairs;

static void sort_few(pairs at, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint64_t key = at.keys[i];
        const uint32_t payload = at.payload[i];
        size_t j = i;
        for (; j > 0 && at.keys[j - 1] > key; j--) {
            at.keys[j] = at.keys[j - 1];
            at.payload[j] = at.payload[j - 1];
        }
        at.keys[j] = key;
        at.payload[j] = payload;
    }
}

/* One pass by the byte at `shift`; returns 0, having moved nothing, when all keys agree in it. */
static int sort_byte(pairs from, pairs to, size_t n, int32_t shift)
{
    size_t start[DIGITS] = {0};
    for (size_t i = 0; i < n; i++) start[(from.keys[i] >> shift) & 255]++;
    if (start[(from.keys[0] >> shift) & 255] == n) return 0;
    size_t before = 0;
    for (int32_t d = 0; d < DIGITS; d++) {
        const size_t count = start[d];
        start[d] = before;
        before += count;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t place = start[(from.keys[i] >> shift) & 255]++;
        to.keys[place] = from.keys[i];
        to.payload[place] = from.payload[i];
    }
    return 1;
}

void sq_sort_keys(uint64_t *keys, uint32_t *payload, size_t n, uint64_t *key_scratch, uint32_t *payload_scratch,
                  int32_t key_bits)
{
    pairs from = {keys, payload}, to = {key_scratch, payload_scratch};
    if (n <= FEW) {
        sort_few(from, n);
        return;
    }
    for (int32_t shift = 0; shift < key_bits && shift < 64; shift += 8) {
        if (!sort_byte(from, to, n, shift)) continue;
        const pairs swap = from;
        from = to;
        to = swap;
    }
    if (from.keys != keys) {
        memcpy(keys, from.keys, n * sizeof *keys);
        memcpy(payload, from.payload, n * sizeof *payload);
    }
}

int32_t sq_key_bits(uint64_t largest)
{
    int32_t bits = 0;
    for (; largest != 0; largest >>= 1) bits++;
    return bits;
}
