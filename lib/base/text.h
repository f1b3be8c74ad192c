/* base: numbers, names and the reasons of file errors as text, the same under every locale. */
#ifndef SQ_TEXT_H
#define SQ_TEXT_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number sq_format_double writes, terminator included. */
#define SQ_NUMBER_BYTES 32

/* The whole of text[0, n) (not necessarily terminated) as a decimal integer: [+-]digits, no blanks. SEQREC_OK,
 * SEQREC_E_FORMAT when it is none, SEQREC_E_RANGE when it does not fit; *out changes only on SEQREC_OK. */
int32_t sq_parse_int64(const char *text, size_t n, int64_t *out);
/* The whole of text[0, n) as [+-]digits[.digits][e[+-]digits] (one digit at least), rounded to the nearest double. No blanks,
 * hexadecimal, "inf" or "nan" (SEQREC_E_FORMAT); SEQREC_E_RANGE when it exceeds the largest double. Tiny values become
 * subnormal or 0. *out changes only on SEQREC_OK. */
int32_t sq_parse_double(const char *text, size_t n, double *out);
/* Writes few digits that read back as the same double, always with '.'; "nan", "inf" and "-inf" otherwise. Returns the
 * length. */
size_t sq_format_double(double value, char out[SQ_NUMBER_BYTES]);

/* vsnprintf as in the "C" locale, cut to `bytes` at a whole character; bytes that are not UTF-8 and control characters become
 * '?', so that the result is one printable line. errno is kept. */
void sq_format_text(char *out, size_t bytes, const char *format, va_list arguments);

/* Bytes of a terminated text before the first that is not well-formed UTF-8: its length when all is. */
size_t sq_utf8_prefix(const char *text);

/* What an errno means, as an English phrase, whatever the locale. Never NULL. */
const char *sq_errno_text(int code);
/* The last 100 bytes of a path or less, from the start of a UTF-8 character: what fits a message. NULL gives "". */
const char *sq_path_tail(const char *path);

/* Insertions, deletions and replacements between two names, upper and lower case being equal; only the first 63 bytes of
 * each count. */
int32_t sq_name_distance(const char *a, const char *b);
/* The nearest of names[count] by that distance, the first of equals; NULL when count is 0. */
const char *sq_nearest_name(const char *name, const char *const *names, size_t count);
#endif
