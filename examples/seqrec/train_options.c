/* seqrec tool: the options of a training run, from preset, configuration file and --set, in that order. */
#include "train_options.h"
#include "option_needs.h"
#include "terminal.h"
#include "text_lines.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text without blanks around it; writes into it. */
static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1])) text[--length] = 0;
    return text;
}

/* Copies "name = value", split, into `out`, whose name is freed by the caller. Returns 0, EXIT_WORK when memory ran out, which has
 * been told, or EXIT_USAGE when there is no name or no '='. */
static int split_setting(const char *text, option_setting *out)
{
    char *copy = malloc(strlen(text) + 1), *equals;
    *out = (option_setting){.name = copy};
    if (!copy) return fail("out of memory");
    strcpy(copy, text);
    equals = strchr(copy, '=');
    if (!equals) return EXIT_USAGE;
    *equals = 0;
    const char *name = trimmed(copy);
    out->value = trimmed(equals + 1);
    memmove(copy, name, strlen(name) + 1);
    return *copy ? 0 : EXIT_USAGE;
}

/* The file as it is read. */
typedef struct file_reading {
    const char *command;
    train_options *options;
} file_reading;

/* "FILE:LINE" for messages; returns out. */
static const char *place_of(const train_options *options, int64_t line, char out[300])
{
    snprintf(out, 300, "%.250s:%lld", options->file, (long long)line);
    return out;
}

static int take_line(void *context, char *line, int64_t number)
{
    const file_reading *r = context;
    train_options *o = r->options;
    char where[300], *comment = strchr(line, '#');
    if (comment) *comment = 0;
    if (!*trimmed(line)) return 0;
    option_setting *grown = realloc(o->lines, (size_t)(o->line_count + 1) * sizeof *grown);
    if (!grown) return fail("out of memory");
    o->lines = grown;
    option_setting *setting = &o->lines[o->line_count++];
    const int outcome = split_setting(line, setting);
    setting->line = number;
    if (outcome != EXIT_USAGE) return outcome;
    return usage_error(r->command, "%s: a line is 'name = value'", place_of(o, number, where));
}

static int read_file(const char *command, train_options *options)
{
    file_reading r = {.command = command, .options = options};
    if (!options->file || options->has_read) return 0;
    options->has_read = 1;
    return read_text_lines(options->file, take_line, &r);
}

static int is_preset(const option_setting *setting)
{
    return !strcmp(setting->name, "preset");
}

static int apply_file(const char *command, const train_options *options, option_sink sink, void *target)
{
    char where[300];
    seqrec_error error = {0};
    for (int64_t i = 0; i < options->line_count; i++) {
        const option_setting *setting = &options->lines[i];
        if (!is_preset(setting) && sink(target, setting->name, setting->value, &error) != SEQREC_OK)
            return usage_error(command, "%s: %s", place_of(options, setting->line, where), error.message);
    }
    return 0;
}

static int apply_flag(const char *command, const char *flag, const char *name, const char *value, option_sink sink,
                      void *target)
{
    seqrec_error error = {0};
    if (value && sink(target, name, value, &error) != SEQREC_OK)
        return usage_error(command, "%s: %s", flag, error.message);
    return 0;
}

/* A number of epochs asked for is trained in full, unless the run's own options bring early stopping back. */
static int apply_epochs(const char *command, const train_options *options, option_sink sink, void *target)
{
    int outcome = apply_flag(command, "--epochs", "epochs", options->epochs, sink, target);
    if (!outcome && options->epochs) outcome = apply_flag(command, "--epochs", "patience", "0", sink, target);
    return outcome;
}

static int apply_set(const char *command, const char *text, option_sink sink, void *target)
{
    option_setting setting;
    int outcome = split_setting(text, &setting);
    if (outcome == EXIT_USAGE) outcome = usage_error(command, "--set %s: must be name=value", text);
    if (!outcome) outcome = apply_flag(command, "--set", setting.name, setting.value, sink, target);
    free(setting.name);
    return outcome;
}

static int apply_sets(const char *command, const train_options *options, option_sink sink, void *target)
{
    int outcome = 0;
    for (int64_t i = 0; i < options->sets.count && !outcome; i++)
        outcome = apply_set(command, options->sets.at[i], sink, target);
    return outcome;
}

/* Refuses a cut-off behind a metric of no list. Returns 0 or the exit code. */
static int check_cutoff(const char *command, const char *metric, const char *kind)
{
    seqrec_config *scratch = NULL;
    seqrec_error error = {0};
    int32_t status = seqrec_config_create(NULL, &scratch, &error);
    if (status == SEQREC_OK) status = seqrec_config_set(scratch, "metric_kind", kind, &error);
    const int has_cutoff = status == SEQREC_OK && option_is_read(scratch, "metric_cutoff");
    seqrec_config_release(scratch);
    if (status != SEQREC_OK) return fail_library("starting", &error);
    return has_cutoff ? 0 : usage_error(command, "--metric %s: %s is of no list and has no length behind @", metric, kind);
}

/* "ndcg@10" is option metric_kind and, behind the @, metric_cutoff. */
static int apply_metric(const char *command, const char *metric, option_sink sink, void *target)
{
    char kind[32];
    const char *at = metric ? strchr(metric, '@') : NULL;
    const size_t length = metric ? strcspn(metric, "@") : 0;
    if (!metric) return 0;
    snprintf(kind, sizeof kind, "%.*s", (int)(length < sizeof kind ? length : sizeof kind - 1), metric);
    int outcome = apply_flag(command, "--metric", "metric_kind", kind, sink, target);
    if (!outcome && at) outcome = check_cutoff(command, metric, kind);
    return outcome ? outcome : apply_flag(command, "--metric", "metric_cutoff", at ? at + 1 : NULL, sink, target);
}

/* Refuses what a resumed training has from its checkpoint. where: what stands before the name in the message. */
static int check_name_on_resume(const char *command, const char *where, const char *name)
{
    if (strcmp(name, "preset") != 0 && strcmp(name, "seed") != 0) return 0;
    return usage_error(command, "%s%s: --resume takes preset and seed from the checkpoint", where, name);
}

static int check_line_on_resume(const char *command, const train_options *options, const option_setting *setting)
{
    char where[300], place[304];
    snprintf(place, sizeof place, "%s: ", place_of(options, setting->line, where));
    return check_name_on_resume(command, place, setting->name);
}

/* One that is no setting is told when it is applied. */
static int check_set_on_resume(const char *command, const char *text)
{
    option_setting setting;
    int outcome = split_setting(text, &setting);
    outcome = !outcome                ? check_name_on_resume(command, "--set ", setting.name)
              : outcome == EXIT_USAGE ? 0
                                      : outcome;
    free(setting.name);
    return outcome;
}

int check_resumed_options(const char *command, train_options *options)
{
    int outcome = options->preset ? check_name_on_resume(command, "--", "preset") : 0;
    if (!outcome && options->seed) outcome = check_name_on_resume(command, "--", "seed");
    if (!outcome) outcome = read_file(command, options);
    for (int64_t i = 0; i < options->sets.count && !outcome; i++)
        outcome = check_set_on_resume(command, options->sets.at[i]);
    for (int64_t i = 0; i < options->line_count && !outcome; i++)
        outcome = check_line_on_resume(command, options, &options->lines[i]);
    return outcome;
}

int is_set(const train_options *options, const char *name)
{
    int found = 0;
    for (int64_t i = 0; i < options->sets.count && !found; i++) {
        option_setting setting;
        found = !split_setting(options->sets.at[i], &setting) && !strcmp(setting.name, name);
        free(setting.name);
    }
    return found;
}

/* What an option of its own sets is not set by --set as well: neither could be meant to lose. */
static int check_sets(const char *command, const train_options *options)
{
    const struct {
        const char *flag, *value, *name;
    } own[] = {{"--epochs", options->epochs, "epochs"}, {"--seed", options->seed, "seed"}, {"--valid-every", options->valid_every, "valid_every"},
               {"--metric", options->metric, "metric_kind"}, {"--metric", options->metric, "metric_cutoff"}};
    for (size_t f = 0; f < sizeof own / sizeof *own; f++)
        if (own[f].value && is_set(options, own[f].name))
            return usage_error(command, "%s %s and --set %s=...: one of them", own[f].flag, own[f].value, own[f].name);
    return 0;
}

int apply_options(const char *command, train_options *options, option_sink sink, void *target)
{
    int outcome = check_sets(command, options);
    if (!outcome) outcome = read_file(command, options);
    if (!outcome) outcome = apply_epochs(command, options, sink, target);
    if (!outcome) outcome = apply_file(command, options, sink, target);
    if (!outcome) outcome = apply_sets(command, options, sink, target);
    /* Again, so that --epochs itself wins over the file. */
    if (!outcome) outcome = apply_flag(command, "--epochs", "epochs", options->epochs, sink, target);
    if (!outcome) outcome = apply_flag(command, "--seed", "seed", options->seed, sink, target);
    if (!outcome) outcome = apply_flag(command, "--valid-every", "valid_every", options->valid_every, sink, target);
    if (!outcome) outcome = apply_metric(command, options->metric, sink, target);
    return outcome;
}

static int32_t set_config(void *target, const char *name, const char *value, seqrec_error *error)
{
    return seqrec_config_set(target, name, value, error);
}

/* The preset that holds: of the command line, the last of the file, or "sasrec". */
static int apply_preset(const char *command, const train_options *options, seqrec_config *config)
{
    char where[300] = "--preset";
    const char *preset = options->preset;
    seqrec_error error = {0};
    for (int64_t i = options->line_count; i > 0 && !preset; i--)
        if (is_preset(&options->lines[i - 1])) {
            preset = options->lines[i - 1].value;
            place_of(options, options->lines[i - 1].line, where);
        }
    if (seqrec_config_preset(config, preset ? preset : "sasrec", &error) == SEQREC_OK) return 0;
    return usage_error(command, "%s: %s", where, error.message);
}

static int fill_config(const char *command, train_options *options, seqrec_config *config)
{
    int outcome = read_file(command, options);
    if (!outcome) outcome = apply_preset(command, options, config);
    return outcome ? outcome : apply_options(command, options, set_config, config);
}

int build_config(const char *command, train_options *options, seqrec_config **out)
{
    seqrec_error error = {0};
    if (seqrec_config_create(NULL, out, &error) != SEQREC_OK) return fail_library("starting", &error);
    int outcome = fill_config(command, options, *out);
    if (outcome) {
        seqrec_config_release(*out);
        *out = NULL;
    }
    return outcome;
}

int find_option(const char *name, seqrec_option_info *out)
{
    *out = (seqrec_option_info){.struct_size = sizeof *out};
    for (int32_t i = 0; seqrec_option_describe(i, out) == SEQREC_OK; i++)
        if (!strcmp(out->name, name)) return 1;
    return 0;
}

void option_text(const seqrec_config *config, const char *name, char *out, size_t bytes)
{
    if (seqrec_config_get(config, name, out, bytes, NULL, NULL) != SEQREC_OK) out[0] = 0;
}

int64_t option_count(const seqrec_config *config, const char *name)
{
    char text[64];
    int64_t value = 0;
    option_text(config, name, text, sizeof text);
    return read_count(text, &value) ? value : 0;
}

void name_metric(const seqrec_config *config, char *out, size_t bytes)
{
    char kind[32];
    option_text(config, "metric_kind", kind, sizeof kind);
    if (option_is_read(config, "metric_cutoff"))
        snprintf(out, bytes, "%s@%lld", kind, (long long)option_count(config, "metric_cutoff"));
    else
        snprintf(out, bytes, "%s", kind);
}

int metric_falls(const seqrec_config *config)
{
    static const char *const falling[] = {"gini", "loss", "ece", "ece_mass"};
    char kind[32];
    option_text(config, "metric_kind", kind, sizeof kind);
    for (size_t i = 0; i < sizeof falling / sizeof *falling; i++)
        if (!strcmp(kind, falling[i])) return 1;
    return 0;
}

void free_train_options(train_options *options)
{
    for (int64_t i = 0; i < options->line_count; i++) free(options->lines[i].name);
    free(options->lines);
    free(options->sets.at);
}
