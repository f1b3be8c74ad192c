/* seqrec tool: files of JSON objects, one a line, that are appended to as things happen. */
#include "json_lines.h"
#include "line_source.h"
#include "terminal.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* The lines on their way in. */
typedef struct json_reading {
    json_line_fn take;
    void *context;
} json_reading;

static int take_line(void *context, const line_source *from, char *line, size_t bytes)
{
    const json_reading *r = context;
    json_t *object = json_loadb(line, bytes, 0, NULL);
    const int outcome = json_is_object(object) ? r->take(r->context, object, from->number) : 0;
    json_decref(object);
    return outcome;
}

/* A device has no end, or none that says anything. */
int read_json_lines(const char *path, json_line_fn take, void *context)
{
    struct stat about;
    line_source from = {.takes_zeros = 1}; /* as a machine that went down may leave them in the last line */
    if (stat(path, &about)) return errno == ENOENT ? 0 : fail("%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode)) return fail("%s: is no regular file", path);
    int outcome = lines_open(&from, path, LINE_OF_EVENTS);
    if (!outcome) outcome = lines_each(&from, take_line, &(json_reading){take, context});
    lines_close(&from);
    return outcome;
}

FILE *append_json_lines(const char *path)
{
    FILE *file = fopen(path, "a+");
    int last = '\n';
    if (file && !fseek(file, -1, SEEK_END)) last = fgetc(file);
    if (file && (fseek(file, 0, SEEK_END) || (last != '\n' && fputc('\n', file) == EOF))) {
        fclose(file);
        file = NULL;
    }
    if (!file) fail("%s: %s", path, strerror(errno));
    return file;
}

double member_real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

int64_t member_count(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
