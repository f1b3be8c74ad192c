/* seqrec tool: lists of items as they are typed: numbers or names with commas between, or @FILE with one on each line. */
#include "id_list.h"
#include "arguments.h"
#include "terminal.h"
#include "text_lines.h"
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

/* A list on its way in. */
typedef struct list_reading {
    const seqrec_model *model; /* NULL: words are numbers */
    const char *option, *path; /* path NULL: the words are typed */
    id_list *out;
} list_reading;

static int refuse_word(const list_reading *list, const char *word, int64_t line)
{
    const char *rule =
        list->model ? "is neither the name of an item of the model nor a number" : "is not a whole number";
    if (!list->path) return fail("--%s: '%s' %s", list->option, word, rule);
    return fail("--%s: %s: line %lld: '%s' %s", list->option, list->path, (long long)line, word, rule);
}

static int append_word(const list_reading *list, const char *word, int64_t line)
{
    int64_t id = 0;
    const int known = list->model ? read_item(list->model, word, &id) : read_count(word, &id);
    if (!known) return refuse_word(list, word, line);
    return append_id(list->out, id) ? 0 : EXIT_WORK;
}

static int read_commas(const list_reading *list, const char *value)
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
        if (*at) outcome = append_word(list, at, 0);
    }
    free(copy);
    return outcome;
}

static int take_line(void *context, char *line, int64_t number)
{
    return *line ? append_word(context, line, number) : 0;
}

static int read_list(const seqrec_model *model, const char *option, const char *value, id_list *out)
{
    list_reading list = {.model = model, .option = option, .path = value[0] == '@' ? value + 1 : NULL, .out = out};
    return list.path ? read_text_lines(list.path, take_line, &list) : read_commas(&list, value);
}

int read_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out)
{
    int outcome = read_list(model, option, value, out);
    if (!outcome && !out->count) return usage_error(command, "--%s: needs at least one item", option);
    return outcome;
}

int read_numbers(const char *command, const char *option, const char *value, id_list *out)
{
    int outcome = read_list(NULL, option, value, out);
    if (!outcome && !out->count) return usage_error(command, "--%s: needs at least one number", option);
    return outcome;
}
