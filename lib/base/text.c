/* base: numbers, names and the reasons of file errors as text, the same under every locale. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/text.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/status.h"

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int32_t sq_parse_int64(const char *text, size_t n, int64_t *out)
{
    size_t i = 0;
    int negative = 0;
    if (n > 0 && (text[0] == '-' || text[0] == '+')) negative = text[i++] == '-';
    if (i == n) return SEQREC_E_FORMAT;
    const uint64_t limit = (uint64_t)INT64_MAX + (uint64_t)negative, tenth = limit / 10, last = limit % 10;
    uint64_t value = 0;
    int fits = 1;
    for (; i < n; i++) {
        if (!is_digit(text[i])) return SEQREC_E_FORMAT;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > tenth || (value == tenth && digit > last)) fits = 0;
        value = value * 10 + digit;
    }
    if (!fits) return SEQREC_E_RANGE;
    if (!negative)
        *out = (int64_t)value;
    else
        *out = value == limit ? INT64_MIN : -(int64_t)value;
    return SEQREC_OK;
}

/* Digits that can decide how a decimal rounds to a double (767), one more that stands for all that follow, and some room. */
#define SIGNIFICANT 780

/* value = digits * 10^exponent; `digits` without leading zeros. */
typedef struct decimal {
    char digits[SIGNIFICANT + 32]; /* the rest is room for "e", the exponent and the terminator */
    int32_t count;
    int32_t negative;
    int32_t tail; /* a digit other than 0 was left out */
    int64_t exponent;
} decimal;

static void add_digit(decimal *number, char c, int64_t shift)
{
    if (number->count == 0 && c == '0') {
        number->exponent -= shift;
    } else if (number->count < SIGNIFICANT) {
        number->digits[number->count++] = c;
        number->exponent -= shift;
    } else {
        number->tail |= c != '0';
        number->exponent += 1 - shift;
    }
}

/* Reads "[+-]digits" that ends the text; saturates far outside what any double needs. Returns 0 when it is none. */
static int read_exponent(const char *text, size_t n, int64_t *out)
{
    size_t i = 0;
    int negative = 0;
    if (n > 0 && (text[0] == '-' || text[0] == '+')) negative = text[i++] == '-';
    if (i == n) return 0;
    int64_t value = 0;
    for (; i < n; i++) {
        if (!is_digit(text[i])) return 0;
        if (value < INT64_MAX / 100) value = value * 10 + (text[i] - '0');
    }
    *out = negative ? -value : value;
    return 1;
}

static int read_decimal(const char *text, size_t n, decimal *number)
{
    size_t i = 0, seen = 0;
    number->count = number->negative = number->tail = 0;
    number->exponent = 0;
    if (n > 0 && (text[0] == '-' || text[0] == '+')) number->negative = text[i++] == '-';
    for (; i < n && is_digit(text[i]); i++, seen++) add_digit(number, text[i], 0);
    if (i < n && text[i] == '.') {
        for (i++; i < n && is_digit(text[i]); i++, seen++) add_digit(number, text[i], 1);
    }
    if (seen == 0) return 0;
    int64_t exponent = 0;
    if (i < n) {
        if (text[i] != 'e' && text[i] != 'E') return 0;
        if (!read_exponent(text + i + 1, n - i - 1, &exponent)) return 0;
    }
    number->exponent += exponent;
    return 1;
}

/* Exact when the digits are below 2^53 and the power of ten is itself a double: one correctly rounded operation. */
static int convert_exactly(const decimal *number, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (number->count > 15 || number->exponent < -22 || number->exponent > 22) return 0;
    uint64_t value = 0;
    for (int32_t i = 0; i < number->count; i++) value = value * 10 + (uint64_t)(number->digits[i] - '0');
    *out = number->exponent < 0 ? (double)value / powers[-number->exponent] : (double)value * powers[number->exponent];
    return 1;
}

/* strtod knows how to round; digits and an exponent without a decimal point read the same under every locale. */
static double convert_by_library(decimal *number)
{
    if (number->tail) number->digits[number->count - 1] = (char)(number->digits[number->count - 1] | 1);
    int64_t exponent = number->exponent;
    if (exponent > 99999) exponent = 99999;
    if (exponent < -99999) exponent = -99999;
    (void)snprintf(number->digits + number->count, 32, "e%d", (int)exponent);
    int kept = errno;
    double value = strtod(number->digits, NULL);
    errno = kept;
    return value;
}

int32_t sq_parse_double(const char *text, size_t n, double *out)
{
    decimal number;
    double value = 0;
    if (!read_decimal(text, n, &number)) return SEQREC_E_FORMAT;
    if (number.count > 0 && !convert_exactly(&number, &value)) value = convert_by_library(&number);
    if (isinf(value)) return SEQREC_E_RANGE;
    *out = number.negative ? -value : value;
    return SEQREC_OK;
}

/* %g writes digits, signs, "e" and one decimal point, which in a locale may be any character, of several bytes too. */
static size_t restore_point(char *text)
{
    size_t length = 0;
    for (const char *c = text; *c != 0; c++) {
        if (is_digit(*c) || *c == '-' || *c == '+' || *c == 'e')
            text[length++] = *c;
        else if (length > 0 && text[length - 1] != '.')
            text[length++] = '.';
    }
    text[length] = 0;
    return length;
}

size_t sq_format_double(double value, char out[SQ_NUMBER_BYTES])
{
    if (isnan(value) || isinf(value)) {
        const char *name = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
        memcpy(out, name, strlen(name) + 1);
        return strlen(name);
    }
    static const int digits[] = {9, 15, 16, 17}; /* 17 always suffice */
    size_t length = 0;
    for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++) {
        double back = 0;
        (void)snprintf(out, SQ_NUMBER_BYTES, "%.*g", digits[i], value);
        length = restore_point(out);
        if (sq_parse_double(out, length, &back) == SEQREC_OK && back == value) break;
    }
    return length;
}

/* Bytes of the well-formed UTF-8 character at s, or 0. */
static size_t character(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return length;
}

size_t sq_utf8_prefix(const char *text)
{
    size_t at = 0, bytes;
    while (text[at] != 0 && (bytes = character((const unsigned char *)text + at)) != 0) at += bytes;
    return at;
}

/* A character cut off by the end of the buffer is dropped; whatever else is not UTF-8 or not printable becomes '?'. */
static void make_printable(char *text, int was_cut)
{
    size_t length = strlen(text), start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
    if (was_cut && start > 0 && (unsigned char)text[start - 1] >= 0xc2 &&
        character((unsigned char *)text + start - 1) == 0)
        text[start - 1] = 0;
    for (unsigned char *s = (unsigned char *)text; *s != 0;) {
        size_t bytes = character(s);
        if (bytes == 0 || *s < 0x20 || *s == 0x7f) *s = '?';
        s += bytes == 0 ? 1 : bytes;
    }
}

void sq_format_text(char *out, size_t bytes, const char *format, va_list arguments)
{
    int kept = errno;
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    locale_t before = plain == (locale_t)0 ? plain : uselocale(plain);
    int wanted = vsnprintf(out, bytes, format, arguments);
    if (plain != (locale_t)0) {
        (void)uselocale(before);
        freelocale(plain);
    }
    if (wanted < 0) out[0] = 0;
    make_printable(out, wanted >= 0 && (size_t)wanted >= bytes);
    errno = kept;
}

const char *sq_errno_text(int code)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        {ENOENT, "no such file or directory"},
        {EACCES, "permission denied"},
        {EPERM, "operation not permitted"},
        {EROFS, "the file system is read-only"},
        {ENOSPC, "no space left on the device"},
        {EDQUOT, "the disk quota is used up"},
        {EFBIG, "the file would be larger than allowed"},
        {EISDIR, "it is a directory"},
        {ENOTDIR, "a part of the path is not a directory"},
        {ENAMETOOLONG, "the name is too long"},
        {ELOOP, "too many links"},
        {EMFILE, "the process has too many open files"},
        {ENFILE, "the system has too many open files"},
        {EIO, "input or output error of the device"},
        {EBUSY, "it is in use"},
        {ENOMEM, "the system is out of memory"},
        {EXDEV, "it is on another file system"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) return known[i].text;
    return "error of the operating system";
}

#define SHOWN_PATH 100

const char *sq_path_tail(const char *path)
{
    if (path == NULL) return "";
    size_t length = strlen(path);
    if (length <= SHOWN_PATH) return path;
    const char *tail = path + length - SHOWN_PATH;
    while (((unsigned char)*tail & 0xc0) == 0x80) tail++;
    return tail;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

int32_t sq_name_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    int32_t row[LONGEST + 1];
    size_t na = strnlen(a, LONGEST), nb = strnlen(b, LONGEST);
    for (size_t j = 0; j <= nb; j++) row[j] = (int32_t)j;
    for (size_t i = 1; i <= na; i++) {
        int32_t diagonal = row[0];
        row[0] = (int32_t)i;
        for (size_t j = 1; j <= nb; j++) {
            int32_t best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const char *sq_nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    int32_t least = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        int32_t distance = sq_name_distance(name, names[i]);
        if (distance < least) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
