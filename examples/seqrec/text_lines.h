/* seqrec tool: small text files, line by line. */
#ifndef SEQREC_TOOL_TEXT_LINES_H
#define SEQREC_TOOL_TEXT_LINES_H
#include <stdint.h>

enum { TEXT_LINE_BYTES = 8192 }; /* the longest line: names have half of it at most */

/* Takes line `number` (from 1), which it may write into; returns 0 to go on, or the exit code. */
typedef int (*text_line_fn)(void *context, char *line, int64_t number);

/* Hands over each line of the file, ended by a zero and without its line end. A line that is longer or has a byte of value 0 is
 * refused by file and number. Returns 0 or the exit code, with the reason told. */
int read_text_lines(const char *path, text_line_fn take, void *context);
#endif
