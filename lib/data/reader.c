/* data: text into a dataset: blocks of bytes, records, columns of events. */
#include <math.h>
#include <float.h>
#include <string.h>
#include "data/reader.h"
#include "data/layout.h"
#include "data/names.h"
#include "data/number.h"
#include "base/text.h"

#define RECORD_LIMIT ((size_t)64 << 20) /* a longer line is no line of events */

/* Everything one read holds. */
typedef struct parse {
    const sq_memory *memory;
    const sq_source *source;
    const seqrec_reader *reader;
    char *buffer;
    size_t used;
    size_t block;
    int64_t bytes_read;
    int32_t ended;
    sq_layout layout;
    int32_t header_left; /* 1: the next record is the header */
    int64_t line;        /* of the record at hand, from 1 */
    sq_record record;
    char scratch[2][SQ_NAME_BYTES + 1]; /* unquoted ids */
    sq_interner users, items;
    int64_t events;
    int32_t *user, *item;
    int64_t *times;
    float *values;
} parse;

/* Text of a field for a message: its start. */
static int shown(size_t bytes)
{
    return bytes > 40 ? 40 : (int)bytes;
}

static int32_t widen_columns(parse *p, seqrec_error *error)
{
    SQ_CHECK(p->events < INT32_MAX, error, SEQREC_E_RANGE, "line %lld: more than %d events", (long long)p->line,
             INT32_MAX);
    SQ_TRY(SQ_GROW(p->memory, p->user, p->events, p->events + 1, error));
    SQ_TRY(SQ_GROW(p->memory, p->item, p->events, p->events + 1, error));
    if (p->layout.time >= 0) SQ_TRY(SQ_GROW(p->memory, p->times, p->events, p->events + 1, error));
    if (p->layout.value >= 0) SQ_TRY(SQ_GROW(p->memory, p->values, p->events, p->events + 1, error));
    return SEQREC_OK;
}

/* The least room of the columns that are filled. */
static int32_t reserve_event(parse *p, seqrec_error *error)
{
    size_t n = (size_t)p->events;
    if (n < SQ_ROOM(p->user) && n < SQ_ROOM(p->item) && (p->layout.time < 0 || n < SQ_ROOM(p->times)) &&
        (p->layout.value < 0 || n < SQ_ROOM(p->values)) && p->events < INT32_MAX)
        return SEQREC_OK;
    return widen_columns(p, error);
}

static int32_t intern(parse *p, sq_interner *interner, const sq_field *raw, const char *what, int32_t *index,
                      seqrec_error *error)
{
    int64_t id;
    if (!interner->textual && sq_scan_id(raw->text, raw->bytes, &id)) return sq_intern_id(interner, id, index, error);
    sq_field field = sq_unquote(raw, p->scratch[interner == &p->items], SQ_NAME_BYTES + 1);
    SQ_CHECK(field.bytes > 0, error, SEQREC_E_FORMAT, "line %lld: the %s is empty", (long long)p->line, what);
    SQ_CHECK(field.bytes <= SQ_NAME_BYTES, error, SEQREC_E_FORMAT, "line %lld: the %s has more than %d bytes: %.*s...",
             (long long)p->line, what, SQ_NAME_BYTES, shown(field.bytes), field.text);
    SQ_CHECK(memchr(field.text, 0, field.bytes) == NULL, error, SEQREC_E_FORMAT, "line %lld: the %s holds a NUL byte",
             (long long)p->line, what);
    const int64_t before = interner->names.count;
    SQ_TRY(sq_intern_text(interner, field.text, field.bytes, index, error));
    if (interner->names.count == before) return SEQREC_OK; /* looked at when it came first */
    size_t good = sq_utf8_prefix(sq_names_at(&interner->names, *index));
    SQ_CHECK(good == field.bytes, error, SEQREC_E_FORMAT, "line %lld: the %s is not UTF-8 at its byte %zu: %.*s", (long long)p->line, what, good + 1,
             shown(field.bytes), field.text);
    return SEQREC_OK;
}

static int32_t read_value(parse *p, double *out, seqrec_error *error)
{
    const sq_field *field = &p->record.fields[p->layout.value];
    if (sq_parse_double(field->text, field->bytes, out) != SEQREC_OK || !(fabs(*out) <= FLT_MAX))
        return sq_fail(error, SEQREC_E_FORMAT, "line %lld: the value \"%.*s\" is not a finite number",
                       (long long)p->line, shown(field->bytes), field->text);
    return SEQREC_OK;
}

static int32_t read_time(parse *p, int64_t *out, seqrec_error *error)
{
    const sq_field *field = &p->record.fields[p->layout.time];
    if (!sq_scan_seconds(field->text, field->bytes, out))
        return sq_fail(error, SEQREC_E_FORMAT, "line %lld: the timestamp \"%.*s\" is not a number of seconds in 64 bits",
                       (long long)p->line, shown(field->bytes), field->text);
    return SEQREC_OK;
}

/* A third column without a name is what all of its numbers can be. */
static int32_t check_guess(const parse *p, double value, int64_t time, seqrec_error *error)
{
    const sq_field *field = &p->record.fields[2];
    const int32_t fits = p->layout.time >= 0 ? sq_may_be_time((double)time) : sq_may_be_value(value);
    SQ_CHECK(fits, error, SEQREC_E_ARGUMENT, "line %lld: \"%.*s\" is no %s, as the third field of lines before it was taken for; say which columns are "
             "value and timestamp", (long long)p->line, shown(field->bytes), field->text, p->layout.time >= 0 ? "time since 1970" : "value within 10,000 of 0");
    return SEQREC_OK;
}

/* The record at hand as an event, unless its value is below the minimum. */
static int32_t take_event(parse *p, seqrec_error *error)
{
    double value = 0;
    int64_t time = 0;
    int32_t user, item;
    if (p->layout.value >= 0) {
        SQ_TRY(read_value(p, &value, error));
        if (p->reader->has_minimum && value < p->reader->minimum_value) return SEQREC_OK;
    }
    if (p->layout.time >= 0) SQ_TRY(read_time(p, &time, error));
    if (p->layout.guessed) SQ_TRY(check_guess(p, value, time, error));
    SQ_TRY(reserve_event(p, error));
    SQ_TRY(intern(p, &p->users, &p->record.fields[p->layout.user], "user", &user, error));
    SQ_TRY(intern(p, &p->items, &p->record.fields[p->layout.item], "item", &item, error));
    p->user[p->events] = user;
    p->item[p->events] = item;
    if (p->layout.time >= 0) p->times[p->events] = time;
    if (p->layout.value >= 0) p->values[p->events] = (float)value;
    p->events++;
    return SEQREC_OK;
}

static int32_t wrong_columns(const parse *p, seqrec_error *error)
{
    const char *hint = strcmp(p->layout.format, "pairs") == 0 && p->record.count > 2
                           ? "; a file of \"sequences\" must be called so by its format"
                           : "";
    return sq_fail(error, SEQREC_E_FORMAT, "line %lld: %lld field%s where format \"%s\" has %lld%s", (long long)p->line,
                   (long long)p->record.count, p->record.count == 1 ? "" : "s", p->layout.format,
                   (long long)p->layout.columns, hint);
}

static int32_t take_records(parse *p, size_t *taken, seqrec_error *error)
{
    const char *at = p->buffer, *end = p->buffer + p->used;
    while (at < end) {
        int32_t split = sq_split(&p->layout.dialect, at, end, p->ended, &p->record);
        if (split == SQ_SPLIT_SHORT) break;
        SQ_TRY(sq_split_check(split, p->line, error));
        if (p->record.count > 0 && p->record.count != p->layout.columns) return wrong_columns(p, error);
        if (p->record.count > 0 && !p->header_left) SQ_TRY(take_event(p, error));
        if (p->record.count > 0) p->header_left = 0;
        at = p->record.next;
        p->line += p->record.lines;
    }
    *taken = (size_t)(at - p->buffer);
    return SEQREC_OK;
}

/* A user and items between blanks, of any number. */
static int32_t take_sequence(parse *p, const char *at, const char *stop, seqrec_error *error)
{
    int32_t user = -1, item = -1;
    int64_t before = p->events;
    while (at < stop) {
        while (at < stop && (*at == ' ' || *at == '\t')) at++;
        sq_field field = {at, 0, 0};
        while (at < stop && *at != ' ' && *at != '\t') at++;
        field.bytes = (size_t)(at - field.text);
        if (field.bytes == 0) break;
        if (user < 0) {
            SQ_TRY(intern(p, &p->users, &field, "user", &user, error));
            continue;
        }
        SQ_TRY(reserve_event(p, error));
        SQ_TRY(intern(p, &p->items, &field, "item", &item, error));
        p->user[p->events] = user;
        p->item[p->events++] = item;
    }
    SQ_CHECK(user < 0 || p->events > before, error, SEQREC_E_FORMAT, "line %lld: a user without items",
             (long long)p->line);
    return SEQREC_OK;
}

static int32_t take_sequences(parse *p, size_t *taken, seqrec_error *error)
{
    const char *at = p->buffer, *end = p->buffer + p->used, *next;
    while (at < end) {
        const char *stop = sq_line_end(at, end, p->ended, &next);
        if (next == NULL) break;
        SQ_TRY(take_sequence(p, at, stop, error));
        p->line++;
        at = next;
    }
    *taken = (size_t)(at - p->buffer);
    return SEQREC_OK;
}

int32_t sq_report_bytes(const seqrec_reader *reader, int64_t done, int64_t total, seqrec_error *error)
{
    if (reader == NULL || reader->progress == NULL) return SEQREC_OK;
    SQ_CHECK(reader->progress(reader->progress_context, "read", done, total) == 0, error, SEQREC_E_CANCELLED,
             "reading was cancelled after %lld bytes", (long long)done);
    return SEQREC_OK;
}

/* Adds up to a block behind the bytes in the buffer, which grows when they fill it: a record longer than it is at hand. */
static int32_t fill(parse *p, seqrec_error *error)
{
    size_t got = 0;
    SQ_TRY(SQ_GROW(p->memory, p->buffer, p->used, p->used + p->block, error));
    SQ_TRY(p->source->read(p->source->context, p->buffer + p->used, p->block, &got, error));
    p->used += got;
    p->bytes_read += (int64_t)got;
    p->ended = got == 0;
    return sq_report_bytes(p->reader, p->bytes_read, p->source->total, error);
}

/* Doubles the bytes in the buffer, which hold no whole record: one that was split again after every block would take time by the
 * square of its length. */
static int32_t fill_for_record(parse *p, seqrec_error *error)
{
    const size_t wanted = p->used < RECORD_LIMIT / 2 ? 2 * p->used : RECORD_LIMIT;
    SQ_CHECK(p->used <= RECORD_LIMIT, error, SEQREC_E_FORMAT, "line %lld: longer than %zu bytes", (long long)p->line,
             RECORD_LIMIT);
    do {
        SQ_TRY(fill(p, error));
    } while (!p->ended && p->used < wanted);
    return SEQREC_OK;
}

static int32_t refuse_other_files(const parse *p, seqrec_error *error)
{
    static const struct {
        const char *start;
        size_t bytes;
        const char *what;
    } others[] = {{"\xff\xfe", 2, "UTF-16"}, {"\xfe\xff", 2, "UTF-16"}, {"\x1f\x8b", 2, "gzip"},
                  {"PK\x03\x04", 4, "zip"},  {"PAR1", 4, "Parquet"},    {"\x28\xb5\x2f\xfd", 4, "zstd"}};
    for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
        SQ_CHECK(p->used < others[o].bytes || memcmp(p->buffer, others[o].start, others[o].bytes) != 0, error,
                 SEQREC_E_FORMAT, "line 1: this looks like %s; text is read, in UTF-8 or another code that holds ASCII",
                 others[o].what);
    }
    return SEQREC_OK;
}

static void skip_byte_order_mark(parse *p)
{
    if (p->used < 3 || memcmp(p->buffer, "\xef\xbb\xbf", 3) != 0) return;
    p->used -= 3;
    memmove(p->buffer, p->buffer + 3, p->used);
}

/* 1 when the buffer holds a line that is not blank. */
static int32_t has_line(const parse *p)
{
    const char *at = p->buffer, *end = p->buffer + p->used, *next;
    while (at < end) {
        const char *stop = sq_line_end(at, end, p->ended, &next);
        if (next == NULL) return 0;
        for (; at < stop; at++) {
            if (*at != ' ' && *at != '\t') return 1;
        }
        at = next;
    }
    return 0;
}

/* As old systems had them; where there is no other line end, since a CR may stand in quotes. */
static int32_t refuse_bare_returns(const parse *p, seqrec_error *error)
{
    const char *at = p->used < SQ_BLOCK_BYTES && !p->ended ? NULL : memchr(p->buffer, '\r', p->used);
    SQ_CHECK(!at || at + 1 == p->buffer + p->used || memchr(p->buffer, '\n', p->used), error, SEQREC_E_FORMAT,
             "line 1: a CR at byte %zu and no LF: lines end in LF or CR LF", (size_t)(at - p->buffer) + 1);
    return SEQREC_OK;
}

/* More bytes may tell more: a header may span lines in quotes, and be no header after all. */
static int32_t resolve(parse *p, seqrec_error *error)
{
    seqrec_error ignored;
    while (!p->ended && p->used < SQ_BLOCK_BYTES) {
        const int32_t status = sq_layout_resolve(p->reader, p->buffer, p->used, 0, &p->layout, &ignored);
        if (status != SEQREC_E_FORMAT && status != SEQREC_E_ARGUMENT) break;
        SQ_TRY(fill(p, error));
    }
    return sq_layout_resolve(p->reader, p->buffer, p->used, p->ended, &p->layout, error);
}

static int32_t begin(parse *p, seqrec_error *error)
{
    while (!p->ended && p->used < 4) SQ_TRY(fill(p, error));
    SQ_TRY(refuse_other_files(p, error));
    skip_byte_order_mark(p);
    while (!p->ended && (!has_line(p) || (p->used < SQ_BLOCK_BYTES && p->block >= SQ_BLOCK_BYTES))) {
        SQ_TRY(refuse_bare_returns(p, error));
        SQ_TRY(fill_for_record(p, error));
    }
    SQ_TRY(refuse_bare_returns(p, error));
    SQ_CHECK(has_line(p), error, SEQREC_E_FORMAT, "the file holds no events");
    SQ_TRY(resolve(p, error));
    p->header_left = p->layout.header;
    return SEQREC_OK;
}

static int32_t parse_all(parse *p, seqrec_error *error)
{
    SQ_TRY(begin(p, error));
    for (;;) {
        size_t taken = 0;
        SQ_TRY(p->layout.sequences ? take_sequences(p, &taken, error) : take_records(p, &taken, error));
        p->used -= taken;
        if (taken > 0) memmove(p->buffer, p->buffer + taken, p->used);
        if (p->ended) break;
        SQ_TRY(taken > 0 ? fill(p, error) : fill_for_record(p, error));
    }
    SQ_CHECK(p->events > 0, error, SEQREC_E_FORMAT, "none of %lld lines holds an event%s", (long long)p->line - 1,
             p->reader->has_minimum ? " with the minimum value" : "");
    return SEQREC_OK;
}

static int32_t build(seqrec_context *context, const parse *p, seqrec_dataset **out, seqrec_error *error)
{
    sq_build from = {.users = p->users.count,
                     .items = p->items.count,
                     .events = p->events,
                     .user_ids = p->users.ids,
                     .item_ids = p->items.ids,
                     .user_names = &p->users.names,
                     .item_names = &p->items.names,
                     .user = p->user,
                     .item = p->item,
                     .timestamps = p->layout.time >= 0 ? p->times : NULL,
                     .values = p->layout.value >= 0 ? p->values : NULL};
    return sq_dataset_build(context, &from, out, error);
}

static void free_parse(parse *p)
{
    sq_free(p->memory, p->buffer);
    sq_interner_free(&p->users);
    sq_interner_free(&p->items);
    sq_free(p->memory, p->user);
    sq_free(p->memory, p->item);
    sq_free(p->memory, p->times);
    sq_free(p->memory, p->values);
    sq_free(p->memory, p);
}

int32_t sq_read_source(seqrec_context *context, const sq_source *source, const seqrec_reader *reader, size_t block,
                       seqrec_dataset **out, seqrec_error *error)
{
    static const seqrec_reader all_detected = {.struct_size = sizeof all_detected};
    const sq_memory *memory = &context->memory;
    parse *p = sq_alloc_zero(memory, 1, sizeof *p);
    SQ_CHECK(p != NULL, error, SEQREC_E_MEMORY, "no memory for a reader");
    p->memory = p->users.memory = p->items.memory = memory;
    p->source = source;
    p->reader = reader == NULL ? &all_detected : reader;
    p->block = block;
    p->line = 1;
    int32_t status = parse_all(p, error);
    if (status == SEQREC_OK) status = build(context, p, out, error);
    if (status == SEQREC_OK && p->layout.unread[0])
        sq_log(context, 2, "no column of the header has a usual name of times, so that events stay in the order of the file; not read: %s",
               p->layout.unread);
    free_parse(p);
    return status;
}
