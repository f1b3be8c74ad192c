/* seqrec tool: parsing of options, their bounds, help and the nearest name. */
#include "arguments.h"
#include "terminal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int read_count(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno == ERANGE || *text == ' ' || *text == '\t') return 0;
    *out = (int64_t)value;
    return 1;
}

int read_real(const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno == ERANGE || value != value || *text == ' ' || *text == '\t') return 0;
    *out = value;
    return 1;
}

const char *write_real(double value, char out[REAL_BYTES])
{
    double back = 0;
    for (int digits = 9; digits <= 17; digits++) {
        snprintf(out, REAL_BYTES, "%.*g", digits, value);
        if (read_real(out, &back) && back == value) break;
    }
    return out;
}

/* Levenshtein distance of words below 64 bytes; longer words are far from everything. */
static size_t word_distance(const char *a, const char *b)
{
    size_t row[64];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length >= 64 || b_length >= 64) return 64;
    for (size_t j = 0; j <= b_length; j++) row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t insert = row[j - 1] + 1, erase = row[j] + 1;
            diagonal = row[j];
            row[j] = change < insert ? change : insert;
            row[j] = row[j] < erase ? row[j] : erase;
        }
    }
    return row[b_length];
}

/* The nearest so far, the first of several; one that is `distance` away or more is no longer near. */
typedef struct nearest {
    const char *to, *best;
    size_t distance;
} nearest;

static nearest nearest_start(const char *word) { return (nearest){.to = word, .distance = strlen(word) / 3 + 2}; }

static void nearest_try(nearest *so_far, const char *word)
{
    size_t distance = word_distance(so_far->to, word);
    if (distance >= so_far->distance) return;
    so_far->distance = distance;
    so_far->best = word;
}

const char *nearest_word(const char *word, const char *const *words)
{
    nearest found = nearest_start(word);
    for (; *words; words++) nearest_try(&found, *words);
    return found.best;
}

static const argument *find_argument(const argument *table, const char *name, size_t length)
{
    for (; table->name; table++)
        if (strlen(table->name) == length && !memcmp(table->name, name, length)) return table;
    return NULL;
}

static int unknown_option(const command_text *command, const argument *table, const char *name, size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), name);
    nearest found = nearest_start(word);
    for (; table->name; table++) nearest_try(&found, table->name);
    nearest_try(&found, "help");
    if (found.best) return usage_error(command->name, "unknown option --%s; did you mean --%s?", word, found.best);
    return usage_error(command->name, "unknown option --%s", word);
}

static void print_help(const command_text *command, const argument *table)
{
    printf("Usage: seqrec %s %s\n\n%s\n\nOptions:\n", command->name, command->usage, command->purpose);
    for (; table->name; table++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", table->name, table->value ? " " : "", table->value ? table->value : "");
        printf("  %-24s %s\n", left, table->help);
    }
    printf("  %-24s %s\n", "--help", "show this help");
}

static int out_of_bounds(const argument *row, double value)
{
    return (row->lowest != 0 || row->highest != 0) && (value < row->lowest || value > row->highest);
}

static int bounds_error(const command_text *command, const argument *row, const char *value)
{
    char lowest[REAL_BYTES], highest[REAL_BYTES];
    return usage_error(command->name, "--%s %s: must be from %s to %s", row->name, value,
                       write_real(row->lowest, lowest), write_real(row->highest, highest));
}

static int store_number(const command_text *command, const argument *row, const char *value)
{
    if (row->kind == ARGUMENT_COUNT) {
        int64_t count = 0;
        if (!read_count(value, &count))
            return usage_error(command->name, "--%s %s: must be a whole number", row->name, value);
        if (out_of_bounds(row, (double)count)) return bounds_error(command, row, value);
        *(int64_t *)row->target = count;
        return PARSED;
    }
    double real = 0;
    if (!read_real(value, &real)) return usage_error(command->name, "--%s %s: must be a number", row->name, value);
    if (out_of_bounds(row, real)) return bounds_error(command, row, value);
    *(double *)row->target = real;
    return PARSED;
}

static int store_listed(const argument *row, const char *value)
{
    text_list *list = row->target;
    const char **grown = realloc(list->at, (size_t)(list->count + 1) * sizeof *grown);
    if (!grown) return fail("out of memory");
    list->at = grown;
    list->at[list->count++] = value;
    return PARSED;
}

static int store_value(const command_text *command, const argument *row, const char *value)
{
    if (row->kind == ARGUMENT_LIST) return store_listed(row, value);
    if (row->kind != ARGUMENT_TEXT) return store_number(command, row, value);
    *(const char **)row->target = value;
    return PARSED;
}

static int store_flag(const command_text *command, const argument *row, const char *given)
{
    if (given) return usage_error(command->name, "--%s takes no value", row->name);
    *(int *)row->target = row->kind == ARGUMENT_FLAG ? 1 : row->kind == ARGUMENT_OFF ? 0 : -1;
    return PARSED;
}

/* One option at argv[*at]; moves *at past the option and its value. */
static int parse_one(const command_text *command, const argument *table, int argc, char **argv, int *at)
{
    const char *word = argv[(*at)++];
    if (strncmp(word, "--", 2) || !word[2])
        return usage_error(command->name, "unexpected argument '%s': every argument is an option that begins with --",
                           word);
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const argument *row = find_argument(table, word + 2, length);
    if (!row && equals && length == 4 && !strncmp(word + 2, "help", length)) return usage_error(command->name, "--help takes no value");
    if (!row) return unknown_option(command, table, word + 2, length);
    if (row->kind <= ARGUMENT_NO) return store_flag(command, row, equals);
    if (equals) return store_value(command, row, equals + 1);
    if (*at >= argc || !strncmp(argv[*at], "--", 2))
        return usage_error(command->name, "--%s needs a value: %s", row->name, row->value);
    return store_value(command, row, argv[(*at)++]);
}

int parse_arguments(const command_text *command, const argument *table, int argc, char **argv)
{
    for (int at = 0; at < argc;) {
        if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
            print_help(command, table);
            return 0;
        }
        int outcome = parse_one(command, table, argc, argv, &at);
        if (outcome != PARSED) return outcome;
    }
    return PARSED;
}
