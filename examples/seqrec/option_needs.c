/* seqrec tool: which options are read under the others, and what of them the program cannot bring. */
#include "option_needs.h"
#include "terminal.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Whether the word is one of "a|b", which ends at `end`. */
static int is_listed(const char *word, const char *list, const char *end)
{
    const size_t length = strlen(word);
    for (const char *at = list; at < end;) {
        const char *bar = memchr(at, '|', (size_t)(end - at)), *to = bar ? bar : end;
        if ((size_t)(to - at) == length && !memcmp(at, word, length)) return 1;
        at = to + 1;
    }
    return 0;
}

/* "name=a|b" or "name!=a|b", up to `end`, of an option that is read itself. */
static int holds(const seqrec_config *config, const char *term, const char *end)
{
    char name[64], value[64];
    const size_t length = strcspn(term, "!=");
    const int unlike = term[length] == '!';
    snprintf(name, sizeof name, "%.*s", (int)length, term);
    option_text(config, name, value, sizeof value);
    return is_listed(value, term + length + 1 + unlike, end) != unlike && option_is_read(config, name);
}

/* "a=b or c=d"; of NULL it does. */
static int needs_are_met(const seqrec_config *config, const char *needs)
{
    while (needs) {
        const char *next = strstr(needs, " or ");
        if (holds(config, needs, next ? next : needs + strlen(needs))) return 1;
        if (!next) return 0;
        needs = next + strlen(" or ");
    }
    return 1;
}

static const char *needs_of(const char *name)
{
    seqrec_option_info option;
    return find_option(name, &option) ? option.needs : NULL;
}

int option_is_read(const seqrec_config *config, const char *name)
{
    return needs_are_met(config, needs_of(name));
}

int refuse_host_sampler(const char *command, const seqrec_config *config)
{
    char sampler[32];
    option_text(config, "sampler", sampler, sizeof sampler);
    const int weights = !strcmp(sampler, "weights");
    if (!option_is_read(config, "sampler") || (!weights && strcmp(sampler, "host") != 0)) return 0;
    return usage_error(command, "sampler = %s: its %s are brought by a program that links the library (%s)", sampler, weights ? "weights" : "negatives",
                       weights ? "seqrec_trainer_set_popularity" : "seqrec_trainer_set_negatives");
}

static int is_of_validation(const char *name)
{
    static const char *const names[] = {"valid_every", "patience", "metric_kind", "metric_cutoff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return 1;
    return 0;
}

void remark_unread_option(const char *name, seqrec_config *const *configs, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (option_is_read(configs[i], name)) return;
    remark("%s is set, and not read: it needs %s", name, needs_of(name));
}

static void remark_on(const char *name, seqrec_config *const *configs, int64_t count, int validates)
{
    if (!validates && is_of_validation(name))
        remark("%s is set, and not read: no events are held out to validate on", name);
    else
        remark_unread_option(name, configs, count);
}

void remark_unread(const train_options *options, seqrec_config *const *configs, int64_t count, int validates)
{
    char name[64];
    for (int64_t i = 0; i < options->line_count; i++) remark_on(options->lines[i].name, configs, count, validates);
    for (int64_t i = 0; i < options->sets.count; i++) {
        const char *text = options->sets.at[i];
        while (isspace((unsigned char)*text)) text++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(text, " \t="), text);
        remark_on(name, configs, count, validates);
    }
}
