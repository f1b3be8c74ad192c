/* seqrec tool: the record of a search: what was searched, and a line for each training that is finished. */
#include "tune_record.h"
#include "json_lines.h"
#include "json_writer.h"
#include "terminal.h"
#include "train_options.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* On its way through the file. */
typedef struct reading {
    tune_record *record;
    const char *command;
    const json_t *search;
    int begun; /* 1 once the description of the search was read */
} reading;

/* An option that the record does not name came after it: it stands for what had been done before, the default. */
static const char *initial_text(const char *key)
{
    seqrec_option_info option;
    return find_option(key, &option) ? option.initial : "nothing";
}

static const char *text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!value) return initial_text(key);
    return json_is_string(value) ? json_string_value(value) : "no text";
}

static int check_search(const reading *r, const json_t *found)
{
    const char *key;
    json_t *value;
    const json_t *sides[2] = {r->search, found};
    for (int side = 0; side < 2; side++) {
        json_object_foreach((json_t *)sides[side], key, value)
        {
            const char *then = text_of(found, key), *now = text_of(r->search, key);
            if (strcmp(then, now))
                return usage_error(r->command,
                                   "%s was begun with %s = %s, not %s: name another folder, or search as there",
                                   r->record->path, key, then, now);
        }
    }
    return 0;
}

static int keep(tune_record *record, const tune_result *result)
{
    tune_result *grown = realloc(record->at, (size_t)(record->count + 1) * sizeof *grown);
    if (!grown) return fail("out of memory");
    record->at = grown;
    record->at[record->count++] = *result;
    return 0;
}

static int take_line(void *context, const json_t *line, int64_t number)
{
    reading *r = context;
    tune_result result = {.metric = member_real(line, "metric"), .seconds = member_real(line, "seconds")};
    const json_t *search = json_object_get(line, "search");
    const char *error = json_string_value(json_object_get(line, "error"));
    if (!r->begun) {
        if (!search) return fail("%s:%lld: is no record of a search", r->record->path, (long long)number);
        r->begun = 1;
        return check_search(r, search);
    }
    result.trial = member_count(line, "trial");
    result.rung = member_count(line, "rung");
    result.epochs = member_count(line, "epochs");
    result.best_epoch = member_count(line, "best_epoch");
    snprintf(result.error, sizeof result.error, "%s", error ? error : "");
    if (result.trial < 1 || result.rung < 1 || record_find(r->record, result.trial, result.rung)) return 0;
    return keep(r->record, &result);
}

static int begin(tune_record *record, const json_t *search)
{
    json_t *line = json_pack("{s:O}", "search", search);
    if (!line) return fail("out of memory");
    int broken =
        json_dumpf(line, record->file, JSON_COMPACT) || fputc('\n', record->file) == EOF || fflush(record->file);
    int code = errno;
    json_decref(line);
    return broken ? fail("%s: cannot be written: %s", record->path, strerror(code)) : 0;
}

int name_record(const char *folder, char path[RECORD_PATH])
{
    int length = snprintf(path, RECORD_PATH, "%s/trials.jsonl", folder);
    return length < 0 || length >= RECORD_PATH ? fail("%.80s...: the name is too long", folder) : 0;
}

int record_open(tune_record *record, const char *command, const char *folder, const json_t *search)
{
    reading r = {.record = record, .command = command, .search = search};
    if (name_record(folder, record->path)) return EXIT_WORK;
    if (mkdir(folder, 0777) && errno != EEXIST) return fail("%s: %s", folder, strerror(errno));
    record->lock = open(record->path, O_RDWR | O_CREAT, 0666);
    if (record->lock < 0) return fail("%s: %s", record->path, strerror(errno));
    if (flock(record->lock, LOCK_EX | LOCK_NB)) return fail("%s: another search is at work there", record->path);
    record->file = append_json_lines(record->path);
    if (!record->file) return EXIT_WORK;
    int outcome = read_json_lines(record->path, take_line, &r);
    return outcome || r.begun ? outcome : begin(record, search);
}

const tune_result *record_find(const tune_record *record, int64_t trial, int64_t rung)
{
    for (int64_t i = 0; i < record->count; i++)
        if (record->at[i].trial == trial && record->at[i].rung == rung) return &record->at[i];
    return NULL;
}

/* A search that goes on must rank the same numbers as one that never stopped. */
static double as_read(double value)
{
    char text[32];
    double read = NAN;
    snprintf(text, sizeof text, "%.9g", value);
    return isfinite(value) && read_real(text, &read) ? read : NAN;
}

int record_add(tune_record *record, tune_result *result, const json_t *options)
{
    json_writer json = {.to = record->file};
    const char *key;
    json_t *value;
    result->metric = as_read(result->metric);
    emit_object(&json, NULL);
    emit_count(&json, "trial", result->trial);
    emit_count(&json, "rung", result->rung);
    emit_count(&json, "epochs", result->epochs);
    emit_real(&json, "metric", result->metric);
    emit_count(&json, "best_epoch", result->best_epoch);
    emit_real(&json, "seconds", result->seconds);
    emit_text(&json, "error", result->error[0] ? result->error : NULL);
    emit_object(&json, "options");
    json_object_foreach((json_t *)options, key, value) emit_text(&json, key, json_string_value(value));
    emit_end(&json, '}');
    emit_end(&json, '}');
    if (fflush(record->file) || ferror(record->file))
        return fail("%s: cannot be written: %s", record->path, strerror(errno));
    return keep(record, result);
}

void record_close(tune_record *record)
{
    if (record->file) fclose(record->file);
    if (record->lock > 0) close(record->lock);
    free(record->at);
}
