/* data: lines of text into fields. */
#include "data/fields.h"
#include <string.h>

static int32_t is_blank(char c)
{
    return c == ' ' || c == '\t';
}

const char *sq_line_end(const char *at, const char *end, int32_t last, const char **next)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (stop == NULL) {
        *next = last ? end : NULL;
        stop = end;
    } else {
        *next = stop + 1;
    }
    return stop > at && stop[-1] == '\r' ? stop - 1 : stop;
}

static inline void put_field(sq_record *out, const char *from, const char *to, int32_t quotes)
{
    if (out->count < SQ_COLUMNS) out->fields[out->count] = (sq_field){from, (size_t)(to - from), quotes};
    out->count++;
}

static void split_blanks(const char *at, const char *stop, sq_record *out)
{
    for (;;) {
        while (at < stop && is_blank(*at)) at++;
        if (at == stop) return;
        const char *from = at;
        while (at < stop && !is_blank(*at)) at++;
        put_field(out, from, at, 0);
    }
}

static void put_trimmed(sq_record *out, const char *from, const char *to)
{
    while (from < to && is_blank(*from)) from++;
    while (to > from && is_blank(to[-1])) to--;
    put_field(out, from, to, 0);
}

/* First separator in [at, stop), or stop. */
static const char *find_separator(const sq_dialect *dialect, const char *at, const char *stop)
{
    size_t bytes = dialect->separator_bytes;
    while ((size_t)(stop - at) >= bytes) {
        const char *hit = memchr(at, dialect->separator[0], (size_t)(stop - at) - bytes + 1);
        if (hit == NULL) return stop;
        if (bytes == 1 || memcmp(hit, dialect->separator, bytes) == 0) return hit;
        at = hit + 1;
    }
    return stop;
}

static void split_separated(const sq_dialect *dialect, const char *at, const char *stop, sq_record *out)
{
    for (;;) {
        const char *to = find_separator(dialect, at, stop);
        put_trimmed(out, at, to);
        if (to == stop) return;
        at = to + dialect->separator_bytes;
    }
}

/* The quoted field whose opening quote is at `at`: returns its closing quote, or NULL. */
static const char *find_closing(const char *at, const char *end, sq_record *out, int32_t *quotes)
{
    *quotes = 1;
    for (at++; at < end; at++) {
        if (*at == '\n') out->lines++;
        if (*at != '"') continue;
        if (at + 1 == end || at[1] != '"') return at;
        *quotes = 2;
        at++;
    }
    return NULL;
}

/* A closing quote at the very end of the bytes may be the first of two, and what follows it may still be to come. */
static int32_t split_quoted(const sq_dialect *dialect, const char *at, const char *end, int32_t last, sq_record *out)
{
    const char *stop = sq_line_end(at, end, last, &out->next);
    for (;;) {
        const char *from = at;
        while (from < stop && is_blank(*from)) from++;
        if (from == stop || *from != '"') {
            const char *to = find_separator(dialect, at, stop);
            put_trimmed(out, at, to);
            at = to;
        } else {
            int32_t quotes;
            const char *closing = find_closing(from, end, out, &quotes);
            if (closing == NULL || (closing + 1 == end && !last)) return last ? SQ_SPLIT_OPEN : SQ_SPLIT_SHORT;
            put_field(out, from + 1, closing, quotes);
            at = closing + 1;
            if (closing > stop) stop = sq_line_end(at, end, last, &out->next); /* the field held the line's end */
            const char *blank = at;
            while (blank < stop && is_blank(*blank)) blank++;
            if (blank == stop || find_separator(dialect, at, stop) != at) at = blank;
        }
        if (out->next == NULL) return SQ_SPLIT_SHORT;
        if (at == stop) return SQ_SPLIT_DONE;
        if (find_separator(dialect, at, stop) != at) return SQ_SPLIT_GARBAGE;
        at += dialect->separator_bytes;
    }
}

static int32_t is_empty_line(const sq_record *record)
{
    return record->count == 1 && record->fields[0].bytes == 0 && record->fields[0].quotes == 0;
}

int32_t sq_split(const sq_dialect *dialect, const char *at, const char *end, int32_t last, sq_record *out)
{
    int32_t status = SQ_SPLIT_DONE;
    out->count = 0;
    out->lines = 1;
    if (dialect->quoted) {
        status = split_quoted(dialect, at, end, last, out);
    } else {
        const char *stop = sq_line_end(at, end, last, &out->next);
        if (out->next == NULL) return SQ_SPLIT_SHORT;
        if (dialect->separator_bytes == 0) {
            split_blanks(at, stop, out);
        } else {
            split_separated(dialect, at, stop, out);
        }
    }
    if (status == SQ_SPLIT_DONE && is_empty_line(out)) out->count = 0;
    return status;
}

sq_field sq_unquote(const sq_field *field, char *scratch, size_t room)
{
    size_t used = 0;
    if (field->quotes < 2) return *field;
    for (size_t i = 0; i < field->bytes && used < room; i++) {
        scratch[used++] = field->text[i];
        if (field->text[i] == '"') i++;
    }
    return (sq_field){scratch, used, 1};
}
