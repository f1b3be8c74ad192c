/* data: which format a text is in, from its first records. */
#include <math.h>
#include <string.h>
#include "data/layout.h"
#include "base/text.h"

const char *const sq_user_words[] = {"user",      "userid",    "uid",       "reviewerid", "customerid",
                                     "visitorid", "sessionid", "userindex", NULL};
const char *const sq_item_words[] = {"item",    "itemid",     "iid",    "movie",  "movieid", "parentasin",
                                     "asin",    "productid",  "isbn",   "bookid", "songid",  "artistid",
                                     "trackid", "businessid", "gameid", NULL};
const char *const sq_value_words[] = {"rating", "value", "score", "stars", "overall", "bookrating", NULL};
const char *const sq_time_words[] = {"timestamp", "time", "unixtime", "unixreviewtime", "ts", "seconds", NULL};

/* Bytes of a header's name without a RecBole type. */
static size_t name_bytes(const sq_field *field)
{
    static const char *const types[] = {":token", ":float", ":token_seq", ":float_seq"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        size_t bytes = strlen(types[t]);
        if (field->bytes > bytes && memcmp(field->text + field->bytes - bytes, types[t], bytes) == 0)
            return field->bytes - bytes;
    }
    return field->bytes;
}

static int32_t is_word(const sq_field *field, const char *word)
{
    size_t bytes = name_bytes(field);
    for (size_t i = 0; i < bytes; i++) {
        char c = field->text[i];
        if (c == '_' || c == '-' || c == ' ') continue;
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (*word == 0 || *word++ != c) return 0;
    }
    return *word == 0;
}

static int64_t stored(const sq_record *record)
{
    return record->count < SQ_COLUMNS ? record->count : SQ_COLUMNS;
}

int32_t sq_column_of(const sq_record *header, const char *const *words)
{
    for (; *words != NULL; words++) {
        for (int64_t c = 0; c < stored(header); c++) {
            if (is_word(&header->fields[c], *words)) return (int32_t)c;
        }
    }
    return -1;
}

int32_t sq_column_named(const sq_record *header, const char *name)
{
    size_t bytes = strlen(name);
    for (int64_t c = 0; c < stored(header); c++) {
        const sq_field *field = &header->fields[c];
        if (field->bytes != bytes && name_bytes(field) != bytes) continue;
        if (memcmp(field->text, name, bytes) == 0) return (int32_t)c;
    }
    return -1;
}

static void look_at(sq_survey *survey, const sq_record *record)
{
    for (int64_t c = 0; c < 4 && c < record->count; c++) {
        double number = NAN;
        int32_t is_number = sq_parse_double(record->fields[c].text, record->fields[c].bytes, &number) == SEQREC_OK;
        if (survey->records == 0)
            survey->column[c].first_number = is_number;
        else
            survey->column[c].rest_numbers &= is_number;
        survey->column[c].low = fmin(survey->column[c].low, number);
        survey->column[c].high = fmax(survey->column[c].high, number);
    }
}

/* Records by their number of fields, those of SQ_COLUMNS and more together at 0; `before`: the first field of the last one. */
typedef struct lengths {
    int64_t records[SQ_COLUMNS], first_line[SQ_COLUMNS], first_fields[SQ_COLUMNS];
    sq_field before;
} lengths;

static void count_length(sq_survey *survey, lengths *seen, const sq_record *record, int64_t line)
{
    const sq_field *first = &record->fields[0];
    const int64_t at = record->count < SQ_COLUMNS ? record->count : 0;
    if (seen->records[at]++ == 0) seen->first_line[at] = line, seen->first_fields[at] = record->count;
    if (survey->records > 0 && first->bytes == seen->before.bytes && memcmp(first->text, seen->before.text, first->bytes) == 0)
        survey->together = 1;
    seen->before = *first;
}

static void find_usual(sq_survey *survey, const lengths *seen)
{
    for (int64_t n = 1; n < SQ_COLUMNS; n++)
        if (seen->records[n] > survey->usual_records) survey->usual = n, survey->usual_records = seen->records[n];
    for (int64_t n = 0; n < SQ_COLUMNS; n++) {
        if (n == survey->usual || seen->records[n] == 0) continue;
        if (survey->odd_line == 0 || seen->first_line[n] < survey->odd_line)
            survey->odd_line = seen->first_line[n], survey->odd_fields = seen->first_fields[n];
    }
}

static void survey_records(const sq_dialect *dialect, const char *at, const char *end, int32_t last, sq_survey *out, lengths *seen)
{
    sq_record record;
    int64_t line = 1;
    while (at < end && out->records < SQ_SURVEY_RECORDS) {
        out->split = sq_split(dialect, at, end, last, &record);
        if (out->split != SQ_SPLIT_DONE && out->records == 0) out->first_line = line;
        if (out->split != SQ_SPLIT_DONE) return;
        at = record.next;
        line += record.lines;
        if (record.count == 0) continue;
        look_at(out, &record);
        count_length(out, seen, &record, line - record.lines);
        if (out->records++ == 0) {
            out->first = record;
            out->first_line = line - record.lines;
            out->fewest = out->most = record.count;
        }
        if (record.count < out->fewest) out->fewest = record.count;
        if (record.count > out->most) out->most = record.count;
    }
}

void sq_survey_sample(const sq_dialect *dialect, const char *sample, size_t bytes, int32_t last, sq_survey *out)
{
    lengths seen = {0};
    memset(out, 0, sizeof *out);
    out->zeros = memchr(sample, 0, bytes) != NULL;
    for (int c = 0; c < 4; c++) {
        out->column[c].rest_numbers = 1;
        out->column[c].low = INFINITY;
        out->column[c].high = -INFINITY;
    }
    survey_records(dialect, sample, sample + bytes, last, out, &seen);
    find_usual(out, &seen);
}

int32_t sq_split_check(int32_t split, int64_t line, seqrec_error *error)
{
    SQ_CHECK(split != SQ_SPLIT_OPEN, error, SEQREC_E_FORMAT, "line %lld: a quote is opened and never closed",
             (long long)line);
    SQ_CHECK(split != SQ_SPLIT_GARBAGE, error, SEQREC_E_FORMAT,
             "line %lld: text between a closing quote and the separator", (long long)line);
    return SEQREC_OK;
}

/* The sample holds a whole line, so a record that is short spans lines. */
int32_t sq_survey_check(const sq_survey *survey, size_t bytes, seqrec_error *error)
{
    if (survey->records > 0) return SEQREC_OK;
    SQ_TRY(sq_split_check(survey->split, survey->first_line, error));
    SQ_CHECK(survey->split != SQ_SPLIT_SHORT, error, SEQREC_E_FORMAT,
             "line %lld: a quote is opened, and its record does not end within %zu bytes",
             (long long)survey->first_line, bytes);
    return sq_fail(error, SEQREC_E_FORMAT, "the file holds no events");
}

int32_t sq_survey_header(const sq_survey *survey)
{
    int32_t numbers_below = 0;
    if (survey->records == 0) return 0;
    if (sq_column_of(&survey->first, sq_user_words) >= 0 && sq_column_of(&survey->first, sq_item_words) >= 0) return 1;
    for (int64_t c = 0; c < 4 && c < survey->first.count; c++) {
        if (survey->column[c].first_number) return 0;
        numbers_below |= survey->column[c].rest_numbers;
    }
    return survey->records > 1 && numbers_below;
}

static void choose(sq_layout *out, const char *format, const char *separator, int32_t quoted)
{
    out->format = format;
    out->sequences = strcmp(format, "sequences") == 0;
    out->dialect = (sq_dialect){.separator_bytes = strlen(separator), .quoted = quoted};
    memcpy(out->dialect.separator, separator, strlen(separator));
}

/* Whether all numbers of a column can be seconds since 1970. */
static int32_t is_seconds(const sq_survey *survey, int c) { return sq_may_be_time(survey->column[c].low) && survey->column[c].high >= survey->column[c].low; }

/* Four columns of numbers, small ones in the third and seconds since 1970 in the fourth. */
static int32_t is_udata(const sq_survey *survey)
{
    if (survey->fewest != 4 || survey->most != 4) return 0;
    for (int c = 0; c < 4; c++) {
        if (!survey->column[c].first_number || !survey->column[c].rest_numbers) return 0;
    }
    return survey->column[2].low >= -1000 && survey->column[2].high <= 1000 && is_seconds(survey, 3);
}

static int32_t ambiguous(const sq_survey *survey, const char *columns, const char *between, seqrec_error *error)
{
    return sq_fail(
        error, SEQREC_E_FORMAT,
        "line %lld: %lld fields between %s fit \"sequences\" (a user and items) and \"%s\" (columns); name the "
        "format or the columns",
        (long long)survey->first_line, (long long)survey->first.count, between, columns);
}

/* Lines of different lengths: each a user's items. Where nearly all are of one, or most are and a user has several in a row or there are
 * seconds since 1970, they may be columns with a broken line. */
static int32_t choose_sequences(const sq_survey *survey, sq_layout *out, seqrec_error *error)
{
    const int32_t even = survey->usual_records * 10 >= survey->records * 9, half = survey->usual_records * 2 > survey->records;
    const int32_t timed = survey->column[1].high < 1e8 && (is_seconds(survey, 2) || is_seconds(survey, 3));
    SQ_CHECK(survey->zeros || (!even && !(half && (timed || survey->together))), error, SEQREC_E_FORMAT,
             "line %lld: %lld fields where %lld of the first %lld lines have %lld: a broken line of columns, or \"sequences\" (a user and items); "
             "mend the line or name the format",
             (long long)survey->odd_line, (long long)survey->odd_fields, (long long)survey->usual_records, (long long)survey->records,
             (long long)survey->usual);
    choose(out, "sequences", "", 0);
    return SEQREC_OK;
}

static int32_t detect_tabbed(const sq_survey *survey, int32_t explicit_columns, sq_layout *out, seqrec_error *error)
{
    if (explicit_columns || sq_survey_header(survey) || survey->most == 2) {
        choose(out, "tsv", "\t", 0);
    } else if (is_udata(survey)) {
        choose(out, "udata", "\t", 0);
    } else if (survey->fewest < survey->most) {
        return choose_sequences(survey, out, error);
    } else {
        return ambiguous(survey, "tsv", "tabs", error);
    }
    return SEQREC_OK;
}

static int32_t detect_blanks(const sq_survey *survey, int32_t explicit_columns, sq_layout *out, seqrec_error *error)
{
    SQ_CHECK(survey->records > 0, error, SEQREC_E_FORMAT, "the file holds no events");
    SQ_CHECK(survey->first.count > 1 || survey->most > 1, error, SEQREC_E_FORMAT,
             "line %lld: one field; no ::, tab, comma, semicolon or blank parts a user from an item",
             (long long)survey->first_line);
    if (explicit_columns || survey->most == 2 || sq_survey_header(survey)) {
        choose(out, "pairs", "", 0);
    } else if (survey->fewest < survey->most) {
        return choose_sequences(survey, out, error);
    } else {
        return ambiguous(survey, "csv\" with separator \" ", "blanks", error);
    }
    return SEQREC_OK;
}

/* 1 when the first line holds `text`. */
static int32_t first_line_has(const char *sample, size_t bytes, const char *text)
{
    const char *next, *stop, *end = sample + bytes;
    size_t wanted = strlen(text);
    do {
        stop = sq_line_end(sample, end, 1, &next);
        for (const char *at = sample; (size_t)(stop - at) >= wanted; at++) {
            if (memcmp(at, text, wanted) == 0) return 1;
        }
        if (stop > sample) return 0;
        sample = next;
    } while (sample < end);
    return 0;
}

/* What a text without separators is, unless `quoted`, the survey of one with them, found a first record with a wrong quote. */
static int32_t detect_rest(const char *sample, size_t bytes, int32_t last, int32_t explicit_columns,
                           const sq_survey *quoted, sq_layout *out, seqrec_error *error)
{
    sq_survey survey;
    if (quoted->split != SQ_SPLIT_DONE) SQ_TRY(sq_survey_check(quoted, bytes, error));
    choose(out, "pairs", "", 0);
    sq_survey_sample(&out->dialect, sample, bytes, last, &survey);
    return detect_blanks(&survey, explicit_columns, out, error);
}

int32_t sq_layout_detect(const char *sample, size_t bytes, int32_t last, int32_t explicit_columns, sq_layout *out,
                         seqrec_error *error)
{
    static const struct {
        const char *format, *separator;
        int32_t quoted;
    } tries[] = {{"movielens", "::", 0}, {"tsv", "\t", 0}, {"csv", ",", 1}, {"csv", ";", 1}};
    sq_survey survey, quoted = {0};
    if (first_line_has(sample, bytes, ":token")) {
        choose(out, "inter", "\t", 0);
        return SEQREC_OK;
    }
    for (size_t t = 0; t < sizeof tries / sizeof *tries; t++) {
        if (!first_line_has(sample, bytes, tries[t].separator)) continue;
        choose(out, tries[t].format, tries[t].separator, tries[t].quoted);
        sq_survey_sample(&out->dialect, sample, bytes, last, &survey);
        if (survey.records == 0 && quoted.split == SQ_SPLIT_DONE) quoted = survey; /* another separator may do */
        if (survey.first.count < 2) continue;
        return t == 1 ? detect_tabbed(&survey, explicit_columns, out, error) : SEQREC_OK;
    }
    return detect_rest(sample, bytes, last, explicit_columns, &quoted, out, error);
}
