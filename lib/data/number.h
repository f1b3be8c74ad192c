/* data: numbers of the files' fields, read and written the same way in every locale. */
#ifndef SQ_NUMBER_H
#define SQ_NUMBER_H
#include <stddef.h>
#include <stdint.h>

/* 1 when the whole text is an int64 in canonical form (no plus sign, no leading zero, no "-0"), so that text and number are
 * one to one. Inline: readers spend their time here. */
static inline int32_t sq_scan_id(const char *text, size_t bytes, int64_t *out)
{
    const char *end = text + bytes;
    uint32_t negative = bytes > 0 && *text == '-';
    text += negative;
    if (text == end || end - text > 19) return 0;
    if (*text == '0') {
        *out = 0;
        return negative == 0 && end - text == 1;
    }
    uint64_t value = 0; /* 19 digits fit */
    for (; text < end; text++) {
        uint32_t digit = (uint32_t)(unsigned char)*text - '0';
        if (digit > 9) return 0;
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX + negative) return 0;
    *out = (int64_t)(negative ? 0 - value : value);
    return 1;
}

/* 1 when the whole text is a decimal number whose floor is an int64; exact when it has no exponent. */
int32_t sq_scan_seconds(const char *text, size_t bytes, int64_t *out);
/* Canonical text of value in out[20], not terminated; returns its length. */
size_t sq_write_integer(char *out, int64_t value);
#endif
