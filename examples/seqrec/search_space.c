/* seqrec tool: the options that a search varies, their ranges checked against the option table, and the draws from them. */
#include "search_space.h"
#include "random_draw.h"
#include "terminal.h"
#include "text_lines.h"
#include "train_options.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPEC_BYTES = 1024 };

/* Where a specification stands, for messages: "--range dim=0:8", "space.txt:3: range dim=0:8". */
typedef struct place {
    const char *command;
    char where[SPEC_BYTES + 300];
} place;

/* What decides how long and by what a trial is judged is the same for all. */
static int check_name(const place *at, const search_space *space, const char *name)
{
    static const char *const fixed[] = {"epochs", "valid_every", "metric_kind", "metric_cutoff", "seed"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strcmp(name, fixed[i]))
            return usage_error(at->command, "%s: %s is the same for all trials", at->where, name);
    for (int64_t i = 0; i + 1 < space->count; i++)
        if (!strcmp(name, space->at[i].name)) return usage_error(at->command, "%s: %s is there twice", at->where, name);
    return 0;
}

/* Tries a value on the option table. */
static int check_value(const place *at, const search_space *space, const char *name, const char *value)
{
    seqrec_error error = {0};
    if (seqrec_config_set(space->scratch, name, value, &error) == SEQREC_OK) return 0;
    return usage_error(at->command, "%s: %s", at->where, error.message);
}

static const char *option_kind(const char *name)
{
    seqrec_option_info option;
    return find_option(name, &option) ? option.kind : NULL;
}

/* Cuts `text` at the first `mark`; returns what is behind it, or NULL. */
static char *cut(char *text, char mark)
{
    char *found = strchr(text, mark);
    if (found) *found++ = 0;
    return found;
}

/* "log", "int", "int:STEP" in any order behind the bounds. */
static int read_words(const place *at, space_axis *axis, char *words)
{
    for (char *next; words; words = next) {
        int64_t step = 0;
        next = cut(words, ':');
        if (!strcmp(words, "log"))
            axis->log = 1;
        else if (!strcmp(words, "int"))
            axis->step = axis->step ? axis->step : 1;
        else if (axis->step && read_count(words, &step) && step > 0)
            axis->step = step;
        else
            return usage_error(at->command, "%s: '%s' is none of log, int, and behind int a step of at least 1",
                               at->where, words);
    }
    return 0;
}

static int check_bounds(const place *at, const space_axis *axis)
{
    if (!(axis->low < axis->high))
        return usage_error(at->command, "%s: %.9g must be below %.9g", at->where, axis->low, axis->high);
    if (axis->log && !(axis->low > 0)) return usage_error(at->command, "%s: log needs a lower end above 0", at->where);
    if (axis->step && (axis->low != floor(axis->low) || axis->high != floor(axis->high)))
        return usage_error(at->command, "%s: int needs whole numbers", at->where);
    return 0;
}

/* "LOW:HIGH[:log][:int[:STEP]]"; writes into it. */
static int read_range(const place *at, const search_space *space, space_axis *axis, char *text)
{
    char *high = cut(text, ':'), *words = high ? cut(high, ':') : NULL;
    const char *kind = option_kind(axis->name);
    if (!high || !read_real(text, &axis->low) || !read_real(high, &axis->high))
        return usage_error(at->command, "%s: must be NAME=LOW:HIGH[:log][:int[:STEP]]", at->where);
    if (kind && (!strcmp(kind, "choice") || !strcmp(kind, "boolean")))
        return usage_error(at->command, "%s: %s is a %s: use --choice", at->where, axis->name, kind);
    int outcome = check_value(at, space, axis->name, text);
    if (!outcome) outcome = check_value(at, space, axis->name, high);
    axis->step = kind && !strcmp(kind, "integer");
    if (!outcome) outcome = read_words(at, axis, words);
    return outcome ? outcome : check_bounds(at, axis);
}

/* "A,B,..."; writes into it. */
static int read_choices(const place *at, const search_space *space, space_axis *axis, char *text)
{
    size_t used = 0;
    axis->values = malloc(strlen(text) + 1);
    if (!axis->values) return fail("out of memory");
    for (char *next; text; text = next) {
        next = cut(text, ',');
        int outcome = check_value(at, space, axis->name, text);
        if (outcome) return outcome;
        if (strlen(text) >= VALUE_BYTES) return usage_error(at->command, "%s: '%s' is too long", at->where, text);
        memcpy(axis->values + used, text, strlen(text) + 1);
        used += strlen(text) + 1;
        axis->value_count++;
    }
    return 0;
}

static int add_axis(const char *command, search_space *space, const char *origin, const char *kind, const char *text)
{
    place at = {.command = command};
    char copy[SPEC_BYTES];
    space_axis *grown = realloc(space->at, (size_t)(space->count + 1) * sizeof *grown);
    if (!grown) return fail("out of memory");
    space->at = grown;
    space_axis *axis = &space->at[space->count++];
    *axis = (space_axis){.text = strdup(text)};
    if (!axis->text) return fail("out of memory");
    snprintf(at.where, sizeof at.where, "%s%s %s", origin, kind, text);
    if (strlen(text) >= sizeof copy)
        return usage_error(command, "%.80s...: longer than %d bytes", at.where, SPEC_BYTES - 1);
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = cut(copy, '=');
    if (!rest || !*copy || strlen(copy) >= sizeof axis->name)
        return usage_error(command, "%s: must be NAME=VALUES", at.where);
    snprintf(axis->name, sizeof axis->name, "%s", copy);
    int outcome = check_name(&at, space, axis->name);
    if (outcome) return outcome;
    return !strcmp(kind, "range") ? read_range(&at, space, axis, rest) : read_choices(&at, space, axis, rest);
}

/* A file on its way in. */
typedef struct space_reading {
    const char *command, *path;
    search_space *space;
} space_reading;

/* Cuts the next word between blanks off *rest; "" when there is none. */
static char *next_word(char **rest)
{
    static const char blanks[] = " \t\r\v\f";
    char *word = *rest + strspn(*rest, blanks);
    *rest = word + strcspn(word, blanks);
    if (**rest) *(*rest)++ = 0;
    return word;
}

/* "range NAME=..." or "choice NAME=...", # begins a comment. */
static int take_line(void *context, char *line, int64_t number)
{
    const space_reading *r = context;
    char origin[300];
    snprintf(origin, sizeof origin, "%.250s:%lld: ", r->path, (long long)number);
    (void)cut(line, '#');
    const char *kind = next_word(&line), *spec = next_word(&line), *more = next_word(&line);
    if (!*kind) return 0;
    if (!*spec || *more || (strcmp(kind, "range") != 0 && strcmp(kind, "choice") != 0))
        return usage_error(r->command, "%sa line is 'range NAME=...' or 'choice NAME=...'", origin);
    return add_axis(r->command, r->space, origin, kind, spec);
}

static int add_file(const char *command, search_space *space, const char *path)
{
    space_reading r = {.command = command, .path = path, .space = space};
    return read_text_lines(path, take_line, &r);
}

int fill_space(const char *command, search_space *space, const char *file, const text_list *ranges,
               const text_list *choices)
{
    seqrec_error error = {0};
    if (seqrec_config_create(NULL, &space->scratch, &error) != SEQREC_OK) return fail_library("starting", &error);
    int outcome = file ? add_file(command, space, file) : 0;
    for (int64_t i = 0; i < ranges->count && !outcome; i++)
        outcome = add_axis(command, space, "--", "range", ranges->at[i]);
    for (int64_t i = 0; i < choices->count && !outcome; i++)
        outcome = add_axis(command, space, "--", "choice", choices->at[i]);
    if (!outcome && !space->count)
        outcome = usage_error(command, "nothing to search: give --range, --choice or --space");
    return outcome;
}

/* FNV-1a. */
static uint64_t name_bits(const char *name)
{
    uint64_t bits = 0xcbf29ce484222325u;
    for (; *name; name++) bits = (bits ^ (unsigned char)*name) * 0x100000001b3u;
    return bits;
}

static double draw_number(const space_axis *axis, double unit)
{
    double span = axis->high - axis->low;
    if (axis->log && !axis->step) return axis->low * pow(axis->high / axis->low, unit);
    if (!axis->step) return axis->low + unit * span;
    double steps = floor(span / (double)axis->step);
    if (!axis->log) return axis->low + floor(unit * (steps + 1)) * (double)axis->step;
    /* The number in the logarithm, to the nearest of the grid. */
    double nearest = round((axis->low * pow(axis->high / axis->low, unit) - axis->low) / (double)axis->step);
    return axis->low + fmin(nearest, steps) * (double)axis->step;
}

void draw_value(const space_axis *axis, uint64_t seed, int64_t trial, char out[VALUE_BYTES])
{
    double unit = draw_unit(draw_key(seed, (uint64_t)trial), name_bits(axis->name)), shown = 0;
    if (axis->value_count) {
        const char *value = axis->values;
        for (int64_t i = (int64_t)(unit * (double)axis->value_count); i > 0; i--) value += strlen(value) + 1;
        snprintf(out, VALUE_BYTES, "%s", value);
        return;
    }
    double number = draw_number(axis, unit);
    snprintf(out, VALUE_BYTES, axis->step ? "%.0f" : "%.6g", number);
    /* Six digits may round beyond an end that has more. */
    if (!read_real(out, &shown) || shown < axis->low || shown > axis->high)
        snprintf(out, VALUE_BYTES, "%.17g", fmin(fmax(number, axis->low), axis->high));
}

void free_space(search_space *space)
{
    for (int64_t i = 0; i < space->count; i++) {
        free(space->at[i].text);
        free(space->at[i].values);
    }
    free(space->at);
    seqrec_config_release(space->scratch);
}
