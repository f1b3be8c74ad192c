/* model: XXH3-64 from xxhash.h, and its digits. */
#include "model/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(XXH3_state_t) <= sizeof(sq_checksum), "sq_checksum holds XXH3's state");
_Static_assert(_Alignof(XXH3_state_t) <= _Alignof(sq_checksum), "sq_checksum is aligned as XXH3's state");

void sq_checksum_start(sq_checksum *sum)
{
    XXH3_state_t *state = (XXH3_state_t *)(void *)sum->state;
    XXH3_INITSTATE(state);
    (void)XXH3_64bits_reset(state);
}

void sq_checksum_add(sq_checksum *sum, const void *bytes, size_t count)
{
    if (count > 0) (void)XXH3_64bits_update((XXH3_state_t *)(void *)sum->state, bytes, count);
}

uint64_t sq_checksum_value(const sq_checksum *sum)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)sum->state);
}

uint64_t sq_checksum_of(const void *bytes, size_t count)
{
    return XXH3_64bits(count > 0 ? bytes : "", count);
}

void sq_checksum_write(uint64_t value, char digits[SQ_CHECKSUM_DIGITS])
{
    for (int32_t i = SQ_CHECKSUM_DIGITS - 1; i >= 0; i--, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
}

int32_t sq_checksum_parse(const char *digits, uint64_t *value)
{
    uint64_t parsed = 0;
    for (int32_t i = 0; i < SQ_CHECKSUM_DIGITS; i++) {
        char digit = digits[i];
        if (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f')) return 0;
        parsed = parsed << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    *value = parsed;
    return 1;
}
