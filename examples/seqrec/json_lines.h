/* seqrec tool: files of JSON objects, one a line, that are appended to as things happen. */
#ifndef SEQREC_TOOL_JSON_LINES_H
#define SEQREC_TOOL_JSON_LINES_H
#include <jansson.h>
#include <stdio.h>

/* Takes line `number` (from 1); returns 0 to go on, or the exit code. */
typedef int (*json_line_fn)(void *context, const json_t *line, int64_t number);

/* Hands over each object of the file, or of a pipe. A line that is none, such as the last one of a process that was killed, is
 * passed over. A file that is not there has no lines. Returns 0 or the exit code, with the reason told. */
int read_json_lines(const char *path, json_line_fn take, void *context);
/* Opens the file for appending, behind a line end. NULL with the reason told. */
FILE *append_json_lines(const char *path);
/* The member's number, NaN when it is none. */
double member_real(const json_t *object, const char *key);
int64_t member_count(const json_t *object, const char *key);
#endif
