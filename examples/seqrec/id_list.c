/* seqrec tool: lists of items as they are typed: numbers or names with commas between, or @FILE with one on each line. */
#include "id_list.h"
#include "arguments.h"
#include "terminal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int append_id(id_list *list, int64_t id)
{
    if (list->count == list->capacity) {
        int64_t capacity = list->capacity ? 2 * list->capacity : 64;
        int64_t *grown = realloc(list->ids, (size_t)capacity * sizeof *grown);
        if (!grown) {
            fail("out of memory");
            return 0;
        }
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return 1;
}

int read_item(const seqrec_model *model, const char *word, int64_t *id)
{
    return seqrec_items_find(model, word, id, NULL) == SEQREC_OK || read_count(word, id);
}

/* model NULL: words are numbers. */
static int append_word(const seqrec_model *model, const char *option, const char *word, id_list *out)
{
    int64_t id = 0;
    if (!model && !read_count(word, &id)) return fail("--%s: '%s' is not a whole number", option, word);
    if (model && !read_item(model, word, &id))
        return fail("--%s: '%s' is neither the name of an item of the model nor a number", option, word);
    return append_id(out, id) ? 0 : EXIT_WORK;
}

static int read_commas(const seqrec_model *model, const char *option, const char *value, id_list *out)
{
    size_t length = strlen(value);
    char *copy = malloc(length + 1);
    if (!copy) return fail("out of memory");
    memcpy(copy, value, length + 1);
    int outcome = 0;
    for (char *at = copy, *next = copy; next && !outcome; at = next) {
        next = strchr(at, ',');
        if (next) *next++ = 0;
        at += strspn(at, " ");
        if (*at) outcome = append_word(model, option, at, out);
    }
    free(copy);
    return outcome;
}

static int read_lines(const seqrec_model *model, const char *option, const char *path, id_list *out)
{
    char line[4200];
    FILE *from = fopen(path, "r");
    if (!from) return fail("--%s: %s: %s", option, path, strerror(errno));
    int outcome = 0;
    while (!outcome && fgets(line, sizeof line, from)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0]) outcome = append_word(model, option, line, out);
    }
    if (!outcome && ferror(from)) outcome = fail("--%s: %s: cannot be read", option, path);
    fclose(from);
    return outcome;
}

int read_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out)
{
    int outcome = value[0] == '@' ? read_lines(model, option, value + 1, out) : read_commas(model, option, value, out);
    if (!outcome && !out->count) return usage_error(command, "--%s: needs at least one item", option);
    return outcome;
}

int read_numbers(const char *command, const char *option, const char *value, id_list *out)
{
    int outcome = value[0] == '@' ? read_lines(NULL, option, value + 1, out) : read_commas(NULL, option, value, out);
    if (!outcome && !out->count) return usage_error(command, "--%s: needs at least one number", option);
    return outcome;
}
