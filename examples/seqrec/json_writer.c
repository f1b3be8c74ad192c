/* seqrec tool: JSON on one line; the tool never calls setlocale, so printf writes numbers of the C locale. */
#include "json_writer.h"
#include "arguments.h"
#include "utf8.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void write_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *at = text; *at;) {
        size_t length = utf8_length(at);
        if (!length)
            fputs("\\ufffd", to);
        else if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            fprintf(to, "\\u%04x", (unsigned)*at);
        else
            fwrite(at, 1, length, to);
        at += length ? length : 1;
    }
    fputc('"', to);
}

static void begin_member(json_writer *json, const char *key)
{
    if (json->filled[json->depth]) fputc(',', json->to);
    json->filled[json->depth] = 1;
    if (key) {
        write_text(json->to, key);
        fputc(':', json->to);
    }
}

static void open_level(json_writer *json, const char *key, char bracket)
{
    begin_member(json, key);
    fputc(bracket, json->to);
    json->filled[++json->depth] = 0;
}

void emit_object(json_writer *json, const char *key)
{
    open_level(json, key, '{');
}

void emit_array(json_writer *json, const char *key)
{
    open_level(json, key, '[');
}

void emit_end(json_writer *json, char bracket)
{
    fputc(bracket, json->to);
    if (--json->depth == 0) {
        fputc('\n', json->to);
        json->filled[0] = 0;
    }
}

void emit_text(json_writer *json, const char *key, const char *value)
{
    begin_member(json, key);
    if (value)
        write_text(json->to, value);
    else
        fputs("null", json->to);
}

void emit_real(json_writer *json, const char *key, double value)
{
    begin_member(json, key);
    if (isfinite(value))
        fprintf(json->to, "%.9g", value);
    else
        fputs("null", json->to);
}

void emit_exact(json_writer *json, const char *key, double value)
{
    char number[REAL_BYTES];
    begin_member(json, key);
    fputs(isfinite(value) ? write_real(value, number) : "null", json->to);
}

void emit_count(json_writer *json, const char *key, int64_t value)
{
    begin_member(json, key);
    fprintf(json->to, "%" PRId64, value);
}

void emit_truth(json_writer *json, const char *key, int value)
{
    begin_member(json, key);
    fputs(value ? "true" : "false", json->to);
}
