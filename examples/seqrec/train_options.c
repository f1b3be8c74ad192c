/* seqrec tool: the options of a training run, from preset, configuration file and --set, in that order. */
#include "train_options.h"
#include "terminal.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 1024 };

/* The text without blanks around it; writes into it. */
static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1])) text[--length] = 0;
    return text;
}

/* Splits "name = value" in place; 0 when there is no name or no '='. */
static int split_setting(char *line, char **name, char **value)
{
    char *equals = strchr(line, '=');
    if (!equals) return 0;
    *equals = 0;
    *name = trimmed(line);
    *value = trimmed(equals + 1);
    return **name != 0;
}

static int keep_preset(train_options *options, const char *where, const char *preset)
{
    if (strlen(preset) >= sizeof options->file_preset)
        return usage_error("train", "%s: preset '%s' is not known", where, preset);
    snprintf(options->file_preset, sizeof options->file_preset, "%s", preset);
    return 0;
}

/* A line of the file. The first pass (sink NULL) only looks for the preset, which every option builds on. */
static int apply_line(const char *command, train_options *options, char *line, const char *where, option_sink sink,
                      void *target)
{
    seqrec_error error = {0};
    char *name = NULL, *value = NULL;
    char *comment = strchr(line, '#');
    if (comment) *comment = 0;
    if (!*trimmed(line)) return 0;
    if (!split_setting(line, &name, &value)) return usage_error(command, "%s: a line is 'name = value'", where);
    if (!strcmp(name, "preset")) return sink ? 0 : keep_preset(options, where, value);
    if (sink && sink(target, name, value, &error) != SEQREC_OK)
        return usage_error(command, "%s: %s", where, error.message);
    return 0;
}

static int apply_file(const char *command, train_options *options, option_sink sink, void *target)
{
    char line[LINE_BYTES], where[300];
    FILE *from = options->file ? fopen(options->file, "r") : NULL;
    if (!options->file) return 0;
    if (!from) return fail("%s: %s", options->file, strerror(errno));
    int outcome = 0;
    for (int64_t number = 1; !outcome && fgets(line, sizeof line, from); number++) {
        snprintf(where, sizeof where, "%.250s:%lld", options->file, (long long)number);
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n')
            outcome = usage_error(command, "%s: longer than %d bytes", where, LINE_BYTES - 2);
        else
            outcome = apply_line(command, options, line, where, sink, target);
    }
    if (!outcome && ferror(from)) outcome = fail("%s: cannot be read", options->file);
    fclose(from);
    return outcome;
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

static int apply_sets(const char *command, const train_options *options, option_sink sink, void *target)
{
    char copy[LINE_BYTES];
    for (int64_t i = 0; i < options->sets.count; i++) {
        char *name = NULL, *value = NULL;
        snprintf(copy, sizeof copy, "%s", options->sets.at[i]);
        if (!split_setting(copy, &name, &value))
            return usage_error(command, "--set %s: must be name=value", options->sets.at[i]);
        int outcome = apply_flag(command, "--set", name, value, sink, target);
        if (outcome) return outcome;
    }
    return 0;
}

/* "ndcg@10" is option metric_kind and, behind the @, metric_cutoff. */
static int apply_metric(const char *command, const char *metric, option_sink sink, void *target)
{
    char kind[32];
    const char *at = metric ? strchr(metric, '@') : NULL;
    if (!metric) return 0;
    snprintf(kind, sizeof kind, "%.*s", at ? (int)(at - metric) : (int)sizeof kind, metric);
    int outcome = apply_flag(command, "--metric", "metric_kind", kind, sink, target);
    return outcome ? outcome : apply_flag(command, "--metric", "metric_cutoff", at ? at + 1 : NULL, sink, target);
}

int apply_options(const char *command, train_options *options, option_sink sink, void *target)
{
    int outcome = apply_epochs(command, options, sink, target);
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

/* The preset that holds: of the command line, of the file, or "sasrec". */
static const char *chosen_preset(const train_options *options)
{
    if (options->preset) return options->preset;
    return options->file_preset[0] ? options->file_preset : "sasrec";
}

static int fill_config(const char *command, train_options *options, seqrec_config *config)
{
    seqrec_error error = {0};
    int outcome = apply_file(command, options, NULL, NULL);
    if (outcome) return outcome;
    if (seqrec_config_preset(config, chosen_preset(options), &error) != SEQREC_OK)
        return usage_error(command, "--preset: %s", error.message);
    return apply_options(command, options, set_config, config);
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

/* list: ends with NULL. */
static int is_one_of(const char *word, const char *const *list)
{
    while (*list && strcmp(word, *list) != 0) list++;
    return *list != NULL;
}

void name_metric(const seqrec_config *config, char *out, size_t bytes)
{
    static const char *const whole[] = {"mrr", "loss", "ece", "ece_mass", "apart_popular", NULL};
    char kind[32];
    option_text(config, "metric_kind", kind, sizeof kind);
    if (is_one_of(kind, whole))
        snprintf(out, bytes, "%s", kind);
    else
        snprintf(out, bytes, "%s@%lld", kind, (long long)option_count(config, "metric_cutoff"));
}

int metric_falls(const seqrec_config *config)
{
    static const char *const falling[] = {"gini", "loss", "ece", "ece_mass", NULL};
    char kind[32];
    option_text(config, "metric_kind", kind, sizeof kind);
    return is_one_of(kind, falling);
}
