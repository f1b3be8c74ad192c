/* seqrec tool: characters of UTF-8. */
#ifndef SEQREC_TOOL_UTF8_H
#define SEQREC_TOOL_UTF8_H
#include <stddef.h>

/* Bytes of the character at `at`, 0 when it is none (overlong, surrogate, cut). */
size_t utf8_length(const char *at);
/* Takes the beginning of a character off the end of a text that was cut to length. */
void utf8_mend_end(char *text);
#endif
