/* seqrec tool: lines of a file or of standard input as they come, in memory that does not grow with their number. A byte-order
 * mark before the first line is left out. */
#ifndef SEQREC_TOOL_LINE_SOURCE_H
#define SEQREC_TOOL_LINE_SOURCE_H
#include <stddef.h>
#include <stdint.h>

#define LINE_OF_EVENTS ((size_t)64 << 20) /* the longest line, as of a file of events */

/* Zero it before opening, but for takes_zeros, and close it also after a failure. */
typedef struct line_source {
    int takes_zeros;   /* 1: a line may have bytes of value 0, which no text has */
    const char *title; /* for messages */
    size_t longest;    /* bytes of a line */
    int file, opened, ended;
    char *bytes; /* read and not handed over yet: [at, used) */
    size_t at, searched, used, room;
    int64_t number;       /* of the line handed over last, from 1 */
    int64_t taken, total; /* bytes of the lines so far, and of the file; total 0: not known */
} line_source;

enum {
    LINE_HERE,  /* a line */
    LINE_LATER, /* none at hand, and none was to be waited for */
    LINE_NONE,  /* the end, or a signal came */
    LINE_FAILED /* told */
};

/* Takes a line, which it may write into; returns 0 to go on, or the exit code. */
typedef int (*line_fn)(void *context, const line_source *from, char *line, size_t bytes);

/* Opens the file at `path`, or with NULL standard input. Returns 0 or the exit code, with the reason told. */
int lines_open(line_source *from, const char *path, size_t longest);
/* The next line, ended by a zero and without its line end (LF or CR LF), good until the next call; *bytes are before the zero. */
int lines_next(line_source *from, int wait, char **line, size_t *bytes);
/* Hands over the lines there are, waiting for them. Returns 0 or the exit code, with the reason told. */
int lines_each(line_source *from, line_fn take, void *context);
void lines_close(line_source *from);
#endif
