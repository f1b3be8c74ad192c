/* base: stable sorting of integer keys that carry a payload. */
#ifndef SQ_SORT_H
#define SQ_SORT_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sorts keys[n], all below 2^key_bits (key_bits in [0, 64]), and moves payload[n] along; equal keys keep their order. The
 * scratch arrays have n elements each and end up undefined. Time grows with n * key_bits / 8. */
void sq_sort_keys(uint64_t *keys, uint32_t *payload, size_t n, uint64_t *key_scratch, uint32_t *payload_scratch,
                  int32_t key_bits);
/* Sorts packed[n] by bits low .. low + bits - 1; equal ones keep their order. They stand in packed_scratch[n] where
 * sq_sort_is_odd(bits), else in packed, and are left in packed. */
void sq_sort_packed(uint64_t *packed, size_t n, uint64_t *packed_scratch, int32_t low, int32_t bits);
int sq_sort_is_odd(int32_t bits);
/* Bits of the largest key: what to pass as key_bits for keys in [0, largest]. */
int32_t sq_key_bits(uint64_t largest);

/* Unsigned integers that order as the doubles do (-0 below 0), and back. */
static inline uint64_t sq_code_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | (uint64_t)1 << 63;
}

static inline double sq_value_of(uint64_t code)
{
    const uint64_t bits = code >> 63 != 0 ? code & ~((uint64_t)1 << 63) : ~code;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
#endif
