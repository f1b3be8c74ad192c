/* seqrec tool: JSON on one line; the tool never calls setlocale, so printf writes numbers of the C locale. */
#include "json_writer.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Length of the UTF-8 sequence at `at`, 0 when it is none (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *at)
{
    if (at[0] < 0x80) return 1;
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
        (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

static void write_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = utf8_length(at);
        if (!length)
            fputs("\\ufffd", to);
        else if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(to, "\\u%04x", *at);
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
