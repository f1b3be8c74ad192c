/* data: numbers of the files' fields, read and written the same way in every locale. */
#include "data/number.h"
#include <math.h>
#include "base/status.h"
#include "base/text.h"

static int32_t is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* [+-]digits[.digits] without going through a double, which has no room for every int64. */
static int32_t floor_plain(const char *at, const char *end, int64_t *out)
{
    const char *first = at, *point = NULL;
    int64_t whole = 0;
    int32_t negative = *at == '-', fraction = 0;
    if (*at == '-' || *at == '+') at++;
    for (; at < end && (*at == '.' || is_digit(at, end)); at++) {
        if (*at == '.' && point != NULL) return 0;
        if (*at == '.') point = at;
        if (point != NULL && *at > '0') fraction = 1;
    }
    if (at != end) return 0;
    if (sq_parse_int64(first, (size_t)((point == NULL ? end : point) - first), &whole) != SEQREC_OK) return 0;
    if (negative && fraction && whole == INT64_MIN) return 0;
    *out = whole - (negative && fraction);
    return 1;
}

int32_t sq_scan_seconds(const char *text, size_t bytes, int64_t *out)
{
    double value;
    if (sq_scan_id(text, bytes, out)) return 1;
    if (bytes == 0) return 0;
    if (floor_plain(text, text + bytes, out)) return 1;
    if (sq_parse_double(text, bytes, &value) != SEQREC_OK) return 0;
    value = floor(value);
    if (value <= -0x1p63 || value >= 0x1p63) return 0;
    *out = (int64_t)value;
    return 1;
}

size_t sq_write_integer(char *out, int64_t value)
{
    char digits[20];
    size_t count = 0, written = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) out[written++] = '-';
    while (count > 0) out[written++] = digits[--count];
    return written;
}
