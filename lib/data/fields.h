/* data: lines of text into fields. */
#ifndef SQ_FIELDS_H
#define SQ_FIELDS_H
#include <stddef.h>
#include <stdint.h>

#define SQ_SEPARATOR_BYTES 15
#define SQ_COLUMNS 256 /* columns of a file that can be named */

/* How the fields of a record are told apart. */
typedef struct sq_dialect {
    char separator[SQ_SEPARATOR_BYTES + 1];
    size_t separator_bytes; /* 0: runs of blanks and tabs; those at the ends of a line do not count */
    int32_t quoted;         /* 1: fields may stand in double quotes and hold separators, line ends and "" for a quote */
} sq_dialect;

/* A field without the blanks around it, or what stands between the quotes. */
typedef struct sq_field {
    const char *text;
    size_t bytes;
    int32_t quotes; /* 1: was quoted; 2: holds doubled quotes */
} sq_field;

enum {
    SQ_SPLIT_DONE,
    SQ_SPLIT_SHORT,  /* the record does not end in these bytes */
    SQ_SPLIT_OPEN,   /* a quote is never closed */
    SQ_SPLIT_GARBAGE /* text between a closing quote and the separator */
};

/* One record: what sq_split found. */
typedef struct sq_record {
    sq_field fields[SQ_COLUMNS]; /* the first SQ_COLUMNS of `count` */
    int64_t count;               /* 0 for a blank line */
    int64_t lines;               /* line ends it spans, one at least */
    const char *next;            /* behind its line end */
} sq_record;

/* Splits the record at `at`. Lines end in LF or CR LF; with `last`, the end of the bytes ends a line too. */
int32_t sq_split(const sq_dialect *dialect, const char *at, const char *end, int32_t last, sq_record *out);
/* End of the line at `at`, without its CR; *next is behind its line end, NULL when there is none and not `last`. */
const char *sq_line_end(const char *at, const char *end, int32_t last, const char **next);
/* The field with doubled quotes made single: its own text, or a copy in scratch[room]; bytes past `room` are cut. */
sq_field sq_unquote(const sq_field *field, char *scratch, size_t room);
#endif
