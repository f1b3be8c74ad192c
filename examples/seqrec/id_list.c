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

static int is_item(const seqrec_model *model, int64_t id)
{
    int32_t slot, generation;
    return seqrec_items_locate(model, id, &slot, &generation, NULL) == SEQREC_OK;
}

/* Longer names are no numbers. */
static int has_number_for_name(const seqrec_model *model, int64_t id)
{
    char name[32];
    int64_t number;
    return seqrec_items_name(model, id, name, sizeof name, NULL, NULL) == SEQREC_OK && read_count(name, &number);
}

static int numbers_are_names(item_words *words)
{
    int64_t cursor = 0, ids[256], n = 0;
    if (words->looked) return words->numbers_are_names;
    words->looked = 1;
    do {
        if (seqrec_items_next(words->model, &cursor, ids, sizeof ids / sizeof *ids, &n, NULL) != SEQREC_OK) break;
        for (int64_t i = 0; i < n && !words->numbers_are_names; i++)
            words->numbers_are_names = has_number_for_name(words->model, ids[i]);
    } while (n > 0 && !words->numbers_are_names);
    return words->numbers_are_names;
}

static int is_named(const seqrec_model *model, int64_t id)
{
    return seqrec_items_name(model, id, NULL, 0, NULL, NULL) == SEQREC_E_RANGE;
}

int read_item(item_words *words, const char *word, int64_t *id)
{
    if (seqrec_items_find(words->model, word, id, NULL) == SEQREC_OK) return 1;
    if (!read_count(word, id)) return 0;
    if (!is_named(words->model, *id) || !numbers_are_names(words)) return 1;
    for (*id = -1; is_item(words->model, *id);) --*id;
    return 1;
}

/* A list on its way in. */
typedef struct list_reading {
    item_words words; /* of a NULL model: words are numbers */
    int known_only;   /* 1: items that the model does not have are refused */
    const char *option, *path; /* path NULL: the words are typed */
    id_list *out;
} list_reading;

static int refuse_word(const list_reading *list, const char *word, int64_t line, const char *rule)
{
    if (!list->path) return fail("--%s: '%s' %s", list->option, word, rule);
    return fail("--%s: %s: line %lld: '%s' %s", list->option, list->path, (long long)line, word, rule);
}

static int append_word(list_reading *list, const char *word, int64_t line)
{
    int64_t id = 0;
    const seqrec_model *model = list->words.model;
    if (!model && !read_count(word, &id)) return refuse_word(list, word, line, "is not a whole number");
    if (model && !read_item(&list->words, word, &id))
        return refuse_word(list, word, line, "is neither the name of an item of the model nor a number");
    if (list->known_only && !is_item(model, id)) return refuse_word(list, word, line, "is no item of the model");
    return append_id(list->out, id) ? 0 : EXIT_WORK;
}

static int read_commas(list_reading *list, const char *value)
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
        if (*at)
            outcome = append_word(list, at, 0);
        else if (value[strspn(value, " ")])
            outcome = fail("--%s: '%s' has nothing before or behind a comma", list->option, value);
    }
    free(copy);
    return outcome;
}

static int take_line(void *context, char *line, int64_t number)
{
    return *line ? append_word(context, line, number) : 0;
}

static int read_list(list_reading list, const char *value)
{
    list.path = value[0] == '@' ? value + 1 : NULL;
    return list.path ? read_text_lines(list.path, take_line, &list) : read_commas(&list, value);
}

static int read_items(const char *command, list_reading list, const char *value)
{
    const int outcome = read_list(list, value);
    if (!outcome && !list.out->count) return usage_error(command, "--%s: needs at least one item", list.option);
    return outcome;
}

int read_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out)
{
    return read_items(command, (list_reading){.words.model = model, .option = option, .out = out}, value);
}

int read_known_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out)
{
    return read_items(command, (list_reading){.words.model = model, .known_only = 1, .option = option, .out = out}, value);
}

int read_numbers(const char *command, const char *option, const char *value, id_list *out)
{
    const int outcome = read_list((list_reading){.option = option, .out = out}, value);
    if (!outcome && !out->count) return usage_error(command, "--%s: needs at least one number", option);
    return outcome;
}
