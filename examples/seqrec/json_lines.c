/* seqrec tool: files of JSON objects, one a line, that are appended to as things happen. */
#include "json_lines.h"
#include "terminal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int read_json_lines(const char *path, json_line_fn take, void *context)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length = 0;
    int outcome = 0;
    FILE *from = fopen(path, "r");
    if (!from) return errno == ENOENT ? 0 : fail("%s: %s", path, strerror(errno));
    for (int64_t number = 1; !outcome && (length = getline(&line, &room, from)) >= 0; number++) {
        json_t *object = json_loadb(line, (size_t)length, 0, NULL);
        if (json_is_object(object)) outcome = take(context, object, number);
        json_decref(object);
    }
    if (!outcome && ferror(from)) outcome = fail("%s: cannot be read", path);
    free(line);
    fclose(from);
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
