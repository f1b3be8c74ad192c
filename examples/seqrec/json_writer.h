/* seqrec tool: JSON on one line, written as it comes. */
#ifndef SEQREC_TOOL_JSON_WRITER_H
#define SEQREC_TOOL_JSON_WRITER_H
#include <stdint.h>
#include <stdio.h>

/* Zero it and set `to`. `key` is NULL inside an array and for the outermost value. */
typedef struct json_writer {
    FILE *to;
    int depth;
    int filled[16]; /* by depth: 1 once it has a member */
} json_writer;

void emit_object(json_writer *json, const char *key);
void emit_array(json_writer *json, const char *key);
/* Ends an object with '}' or an array with ']'; the outermost one also ends the line. */
void emit_end(json_writer *json, char bracket);
/* NULL is null; bytes that are no UTF-8 become U+FFFD. */
void emit_text(json_writer *json, const char *key, const char *value);
/* NaN and infinities are null. */
void emit_real(json_writer *json, const char *key, double value);
/* With as many digits as it takes to read the same value back. */
void emit_exact(json_writer *json, const char *key, double value);
void emit_count(json_writer *json, const char *key, int64_t value);
void emit_truth(json_writer *json, const char *key, int value);
#endif
