/* data: where in a file's lines users, items, values and times stand, as asked for or as found out from the text. */
#include "data/layout.h"
#include <string.h>
#include "base/text.h"

/* The formats by name; columns: how many a record has when none are given, 0 = as the first record. */
static const struct format {
    const char *name, *separator;
    int32_t quoted, sequences, needs_header, columns;
} formats[] = {
    {"pairs", "", 0, 0, 0, 2},   {"movielens", "::", 0, 0, 0, 0}, {"csv", ",", 1, 0, 0, 0},
    {"tsv", "\t", 0, 0, 0, 0},   {"inter", "\t", 0, 0, 1, 0},     {"sequences", "", 0, 1, 0, 0},
    {"udata", "\t", 0, 0, 0, 4},
};

static const struct format *find_format(const char *name)
{
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        if (strcmp(formats[f].name, name) == 0) return &formats[f];
    }
    return NULL;
}

static int32_t is_given(const char *text)
{
    return text != NULL && *text != 0;
}

static int32_t choose_format(const seqrec_reader *reader, const char *sample, size_t bytes, int32_t last,
                             sq_layout *out, seqrec_error *error)
{
    const char *name = reader->format;
    if (name == NULL || strcmp(name, "auto") == 0) {
        if (reader->separator == NULL)
            return sq_layout_detect(sample, bytes, last, is_given(reader->user) && is_given(reader->item), out, error);
        name = strcmp(reader->separator, "\t") == 0 ? "tsv" : "csv";
    }
    const struct format *format = find_format(name);
    SQ_CHECK(format != NULL, error, SEQREC_E_UNSUPPORTED,
             "format \"%.40s\" is none of auto, pairs, movielens, csv, tsv, inter, sequences, udata", name);
    out->format = format->name;
    out->sequences = format->sequences;
    out->dialect = (sq_dialect){.separator_bytes = strlen(format->separator), .quoted = format->quoted};
    memcpy(out->dialect.separator, format->separator, out->dialect.separator_bytes);
    return SEQREC_OK;
}

static int32_t apply_separator(const char *separator, sq_layout *out, seqrec_error *error)
{
    if (separator == NULL) return SEQREC_OK;
    size_t bytes = strlen(separator);
    SQ_CHECK(bytes >= 1 && bytes <= SQ_SEPARATOR_BYTES, error, SEQREC_E_ARGUMENT,
             "a separator of %zu bytes; it has 1 to %d", bytes, SQ_SEPARATOR_BYTES);
    SQ_CHECK(strpbrk(separator, "\r\n\"") == NULL, error, SEQREC_E_ARGUMENT,
             "a separator holds no line end and no quote");
    SQ_CHECK(!out->sequences, error, SEQREC_E_ARGUMENT, "format \"sequences\" is separated by blanks, not by \"%s\"",
             separator);
    memset(out->dialect.separator, 0, sizeof out->dialect.separator);
    memcpy(out->dialect.separator, separator, bytes);
    out->dialect.separator_bytes = bytes;
    return SEQREC_OK;
}

/* 1 when the column is asked for by something that is not a number from 1. */
static int32_t is_name(const char *column)
{
    int64_t number;
    return is_given(column) && sq_parse_int64(column, strlen(column), &number) != SEQREC_OK;
}

static void decide_header(const seqrec_reader *reader, const sq_survey *survey, sq_layout *out)
{
    int32_t named =
        is_name(reader->user) || is_name(reader->item) || is_name(reader->value) || is_name(reader->timestamp);
    if (reader->header != 0) {
        out->header = reader->header > 0;
    } else {
        out->header = named || find_format(out->format)->needs_header || sq_survey_header(survey);
    }
}

/* Names of the header's columns but those that the layout reads (NULL: none), as many as go in. */
static void list_header(const sq_record *header, const sq_layout *reads, char *out, size_t room)
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t c = 0; c < header->count && c < 12; c++) {
        if (reads && (c == reads->user || c == reads->item || c == reads->value || c == reads->time)) continue;
        size_t bytes = header->fields[c].bytes < 24 ? header->fields[c].bytes : 24;
        if (used + bytes + 3 > room) break;
        if (used > 0) memcpy(out + used, ", ", 2);
        used += used > 0 ? 2 : 0;
        memcpy(out + used, header->fields[c].text, bytes);
        used += bytes;
        out[used] = 0;
    }
}

static int32_t missing_column(const sq_layout *layout, const sq_survey *survey, const char *what, const char *name,
                              seqrec_error *error)
{
    char names[140];
    if (!layout->header)
        return sq_fail(error, SEQREC_E_ARGUMENT, "%s column \"%.40s\" is a name, and the file has no header", what,
                       name);
    list_header(&survey->first, NULL, names, sizeof names);
    if (name != NULL)
        return sq_fail(error, SEQREC_E_NOT_FOUND, "%s column \"%.40s\" is not in the header: %s", what, name, names);
    return sq_fail(error, SEQREC_E_ARGUMENT, "line %lld: which column is the %s? name it, or its number: %s",
                   (long long)survey->first_line, what, names);
}

/* Column asked for by name or number. */
static int32_t asked_column(const sq_layout *layout, const sq_survey *survey, const char *what, const char *asked,
                            int32_t *out, seqrec_error *error)
{
    int64_t number;
    if (layout->header) {
        *out = sq_column_named(&survey->first, asked);
        if (*out >= 0) return SEQREC_OK;
    }
    if (sq_parse_int64(asked, strlen(asked), &number) != SEQREC_OK)
        return missing_column(layout, survey, what, asked, error);
    int64_t most = layout->columns < SQ_COLUMNS ? layout->columns : SQ_COLUMNS;
    SQ_CHECK(number >= 1 && number <= most, error, SEQREC_E_RANGE, "%s column %lld: columns go from 1 to %lld", what,
             (long long)number, (long long)most);
    *out = (int32_t)(number - 1);
    return SEQREC_OK;
}

/* csv and tsv go by their header where they have one; otherwise columns stand in the usual order. */
static int32_t goes_by_name(const sq_layout *layout)
{
    return layout->header && strcmp(layout->format, "pairs") != 0 && strcmp(layout->format, "movielens") != 0 &&
           strcmp(layout->format, "udata") != 0;
}

static int32_t place_ids(const seqrec_reader *reader, const sq_survey *survey, sq_layout *out, seqrec_error *error)
{
    int32_t by_name = goes_by_name(out);
    if (reader->user != NULL) {
        SQ_TRY(asked_column(out, survey, "user", reader->user, &out->user, error));
    } else {
        out->user = by_name ? sq_column_of(&survey->first, sq_user_words) : 0;
    }
    if (reader->item != NULL) {
        SQ_TRY(asked_column(out, survey, "item", reader->item, &out->item, error));
    } else {
        out->item = by_name ? sq_column_of(&survey->first, sq_item_words) : 1;
    }
    if (out->user < 0) return missing_column(out, survey, "user", NULL, error);
    if (out->item < 0) return missing_column(out, survey, "item", NULL, error);
    SQ_CHECK(out->columns > out->user && out->columns > out->item, error, SEQREC_E_FORMAT,
             "line %lld: %lld field%s; a user and an item were expected", (long long)survey->first_line,
             (long long)out->columns, out->columns == 1 ? "" : "s");
    return SEQREC_OK;
}

/* user, item[, value[, time]]; with three columns the third is a time when it looks like seconds since 1970. */
static int32_t usual_columns(const sq_survey *survey, sq_layout *out, seqrec_error *error)
{
    if (strcmp(out->format, "pairs") == 0 || out->columns == 2) return SEQREC_OK;
    if (out->columns == 4 || (out->columns == 3 && strcmp(out->format, "movielens") == 0)) {
        out->value = 2;
        out->time = out->columns == 4 ? 3 : -1;
        return SEQREC_OK;
    }
    double low = survey->column[2].low, high = survey->column[2].high;
    int32_t numbers = survey->column[2].rest_numbers && (survey->column[2].first_number || out->header);
    out->guessed = 1;
    if (out->columns == 3 && numbers && sq_may_be_time(low)) {
        out->time = 2;
    } else if (out->columns == 3 && numbers && sq_may_be_value(low) && sq_may_be_value(high)) {
        out->value = 2;
    } else {
        return sq_fail(error, SEQREC_E_ARGUMENT,
                       "line %lld: %lld fields without a header; say which columns are user, item, value and timestamp",
                       (long long)survey->first_line, (long long)out->columns);
    }
    return SEQREC_OK;
}

/* Where columns go by name, a name that is there twice tells nothing; a number does. */
static int32_t named_once(const sq_layout *layout, const sq_survey *survey, const char *what, const char *asked, int32_t column,
                          seqrec_error *error)
{
    const sq_record *header = &survey->first;
    int64_t number;
    if (column < 0 || !layout->header || (is_given(asked) && sq_parse_int64(asked, strlen(asked), &number) == SEQREC_OK)) return SEQREC_OK;
    if (!is_given(asked) && !goes_by_name(layout)) return SEQREC_OK;
    for (int64_t c = 0; c < header->count && c < SQ_COLUMNS; c++) {
        const sq_field *one = &header->fields[column], *other = &header->fields[c];
        SQ_CHECK(c == column || one->bytes != other->bytes || memcmp(one->text, other->text, one->bytes) != 0, error, SEQREC_E_ARGUMENT,
                 "columns %d and %lld are both called \"%.*s\": name the %s by its number", column + 1, (long long)c + 1,
                 (int)(one->bytes < 40 ? one->bytes : 40), one->text, what);
    }
    return SEQREC_OK;
}

/* The columns that are read are different ones, and each is told by its name or number. */
static int32_t check_places(const seqrec_reader *reader, const sq_survey *survey, const sq_layout *out, seqrec_error *error)
{
    const struct {
        const char *what, *asked;
        int32_t column;
    } parts[] = {{"user", reader->user, out->user}, {"item", reader->item, out->item}, {"value", reader->value, out->value},
                 {"timestamp", reader->timestamp, out->time}};
    for (int a = 0; a < 4; a++) {
        SQ_TRY(named_once(out, survey, parts[a].what, parts[a].asked, parts[a].column, error));
        for (int b = 0; b < a; b++)
            SQ_CHECK(parts[a].column < 0 || parts[a].column != parts[b].column, error, SEQREC_E_ARGUMENT, "%s and %s are both column %d",
                     parts[b].what, parts[a].what, parts[a].column + 1);
    }
    return SEQREC_OK;
}

/* Whether a column was asked for: what it might have been taken for otherwise gives way. */
static int32_t is_taken(const seqrec_reader *reader, const sq_layout *layout, int32_t column)
{
    return (reader->user != NULL && column == layout->user) || (reader->item != NULL && column == layout->item) ||
           (is_given(reader->value) && column == layout->value) || (is_given(reader->timestamp) && column == layout->time);
}

static int32_t place_facts(const seqrec_reader *reader, const sq_survey *survey, sq_layout *out, seqrec_error *error)
{
    if (goes_by_name(out)) {
        out->value = sq_column_of(&survey->first, sq_value_words);
        out->time = sq_column_of(&survey->first, sq_time_words);
    } else if (reader->user == NULL && reader->item == NULL && (reader->value == NULL || reader->timestamp == NULL)) {
        SQ_TRY(usual_columns(survey, out, error));
    }
    if (reader->value != NULL) out->value = -1;
    if (is_given(reader->value)) SQ_TRY(asked_column(out, survey, "value", reader->value, &out->value, error));
    if (reader->timestamp != NULL) out->time = -1;
    if (is_given(reader->timestamp))
        SQ_TRY(asked_column(out, survey, "timestamp", reader->timestamp, &out->time, error));
    if (reader->value == NULL && is_taken(reader, out, out->value)) out->value = -1;
    if (reader->timestamp == NULL && is_taken(reader, out, out->time)) out->time = -1;
    out->guessed = out->guessed && ((out->value == 2 && reader->value == NULL) || (out->time == 2 && reader->timestamp == NULL));
    return SEQREC_OK;
}

static int32_t check_sequences(const seqrec_reader *reader, seqrec_error *error)
{
    SQ_CHECK(!is_given(reader->user) && !is_given(reader->item) && !is_given(reader->value) &&
                 !is_given(reader->timestamp) && reader->header <= 0,
             error, SEQREC_E_ARGUMENT, "format \"sequences\" has neither columns nor a header");
    SQ_CHECK(!reader->has_minimum, error, SEQREC_E_ARGUMENT, "a minimum value needs values; \"sequences\" has none");
    return SEQREC_OK;
}

static int32_t check_columns(const seqrec_reader *reader, const sq_survey *survey, const sq_layout *layout,
                             seqrec_error *error)
{
    int32_t wanted = find_format(layout->format)->columns;
    int32_t free_form = is_given(reader->user) || is_given(reader->item);
    SQ_CHECK(wanted == 0 || free_form || layout->columns == wanted, error, SEQREC_E_FORMAT,
             "line %lld: %lld fields; format \"%s\" has %d", (long long)survey->first_line, (long long)layout->columns,
             layout->format, wanted);
    return SEQREC_OK;
}

int32_t sq_layout_resolve(const seqrec_reader *reader, const char *sample, size_t bytes, int32_t last, sq_layout *out,
                          seqrec_error *error)
{
    sq_layout made = {.value = -1, .time = -1};
    sq_survey survey;
    SQ_CHECK(reader->user == NULL || *reader->user != 0, error, SEQREC_E_ARGUMENT, "the user column is \"\"");
    SQ_CHECK(reader->item == NULL || *reader->item != 0, error, SEQREC_E_ARGUMENT, "the item column is \"\"");
    SQ_TRY(choose_format(reader, sample, bytes, last, &made, error));
    SQ_TRY(apply_separator(reader->separator, &made, error));
    if (made.sequences) {
        SQ_TRY(check_sequences(reader, error));
        *out = made;
        return SEQREC_OK;
    }
    sq_survey_sample(&made.dialect, sample, bytes, last, &survey);
    SQ_TRY(sq_survey_check(&survey, bytes, error));
    made.columns = survey.first.count;
    decide_header(reader, &survey, &made);
    SQ_TRY(check_columns(reader, &survey, &made, error));
    SQ_TRY(place_ids(reader, &survey, &made, error));
    SQ_TRY(place_facts(reader, &survey, &made, error));
    SQ_TRY(check_places(reader, &survey, &made, error));
    SQ_CHECK(!reader->has_minimum || made.value >= 0, error, SEQREC_E_ARGUMENT,
             "a minimum value needs a value column, and there is none");
    if (goes_by_name(&made) && made.time < 0 && reader->timestamp == NULL)
        list_header(&survey.first, &made, made.unread, sizeof made.unread);
    *out = made;
    return SEQREC_OK;
}
