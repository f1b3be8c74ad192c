/* base: radix sort by bytes from the lowest, insertion sort for a few keys. */
#include "base/sort.h"
#include <string.h>

enum { FEW = 48, FEW_PACKED = 24, DIGITS = 256 };

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

/* start[d]: where the keys with digit d at `shift` begin. Returns how many have the first key's digit. */
static size_t find_starts(const uint64_t *keys, size_t n, int32_t shift, size_t mask, size_t *start)
{
    memset(start, 0, DIGITS * sizeof *start);
    for (size_t i = 0; i < n; i++) start[(keys[i] >> shift) & mask]++;
    const size_t first = n > 0 ? start[(keys[0] >> shift) & mask] : 0;
    size_t before = 0;
    for (int32_t d = 0; d < DIGITS; d++) {
        const size_t count = start[d];
        start[d] = before;
        before += count;
    }
    return first;
}

/* One pass by the byte at `shift`; returns 0, having moved nothing, when all keys agree in it. */
static int sort_byte(pairs from, pairs to, size_t n, int32_t shift)
{
    size_t start[DIGITS];
    if (find_starts(from.keys, n, shift, 255, start) == n) return 0;
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

int sq_sort_is_odd(int32_t bits) { return (bits + 7) / 8 % 2; }

/* From `from` to `to`, which may be the same. */
static void sort_few_packed(const uint64_t *from, uint64_t *to, size_t n, uint64_t mask)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t value = from[i];
        size_t j = i;
        for (; j > 0 && (to[j - 1] & mask) > (value & mask); j--) to[j] = to[j - 1];
        to[j] = value;
    }
}

void sq_sort_packed(uint64_t *packed, size_t n, uint64_t *packed_scratch, int32_t low, int32_t bits)
{
    uint64_t *from = sq_sort_is_odd(bits) ? packed_scratch : packed, *to = from == packed ? packed_scratch : packed;
    size_t start[DIGITS];
    if (n <= FEW_PACKED) {
        sort_few_packed(from, packed, n, (((uint64_t)1 << bits) - 1) << low);
        return;
    }
    for (int32_t shift = 0; shift < bits; shift += 8) {
        const size_t mask = bits - shift < 8 ? ((size_t)1 << (bits - shift)) - 1 : 255;
        find_starts(from, n, low + shift, mask, start);
        for (size_t i = 0; i < n; i++) to[start[(from[i] >> (low + shift)) & mask]++] = from[i];
        uint64_t *const swap = from;
        from = to;
        to = swap;
    }
}

int32_t sq_key_bits(uint64_t largest)
{
    int32_t bits = 0;
    for (; largest != 0; largest >>= 1) bits++;
    return bits;
}
