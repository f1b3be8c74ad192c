/* seqrec tool: `options`, the option table as text, JSON or the Markdown of docs/OPTIONS.md. */
#include "commands.h"
#include "json_writer.h"
#include "terminal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const command_text text = {
    "options", "[--json | --markdown]",
    "Lists every option of --set with scope, bounds and default, and what each preset changes."};

static int describe(int32_t index, seqrec_option_info *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    return seqrec_option_describe(index, out) == SEQREC_OK;
}

/* What the option takes, e.g. "1 to 4096", "a, b or c". */
static const char *domain(const seqrec_option_info *option, char *out, size_t bytes)
{
    if (option->choices) {
        size_t at = 0;
        for (const char *from = option->choices; *from && at + 3 < bytes; from++) {
            out[at++] = *from == '|' ? ',' : *from;
            if (*from == '|') out[at++] = ' ';
        }
        out[at] = 0;
    } else if (!strcmp(option->kind, "boolean")) {
        snprintf(out, bytes, "true, false");
    } else {
        char lowest[REAL_BYTES], highest[REAL_BYTES];
        snprintf(out, bytes, "%s to %s", write_real(option->lowest, lowest), write_real(option->highest, highest));
    }
    return out;
}

/* The preset's value of the option in `out` when it differs from the option's default. */
static int differs(const seqrec_config *config, const seqrec_option_info *option, char *out, size_t bytes)
{
    double value, initial;
    if (seqrec_config_get(config, option->name, out, bytes, NULL, NULL) != SEQREC_OK) return 0;
    if (read_real(out, &value) && read_real(option->initial, &initial)) return value != initial;
    return strcmp(out, option->initial) != 0;
}

static void print_text(seqrec_config *config)
{
    seqrec_option_info option;
    char room[256];
    const char *preset;
    for (int32_t i = 0; describe(i, &option); i++) {
        printf("%s%-18s%s %s, %s", bold(), option.name, plain(), option.scope, option.kind);
        printf(" (%s), default %s\n", domain(&option, room, sizeof room), option.initial);
        printf("%-18s %s\n", "", option.help);
        if (option.needs) printf("%-18s Used only with %s.\n", "", option.needs);
    }
    printf("\n%sPresets%s\n", bold(), plain());
    for (int32_t p = 0; (preset = seqrec_preset_name(p)); p++) {
        printf("%-24s", preset);
        if (seqrec_config_preset(config, preset, NULL) == SEQREC_OK)
            for (int32_t i = 0; describe(i, &option); i++)
                if (differs(config, &option, room, sizeof room)) printf(" %s=%s", option.name, room);
        putchar('\n');
    }
}

static void print_json_option(json_writer *json, const seqrec_option_info *option)
{
    emit_object(json, NULL);
    emit_text(json, "name", option->name);
    emit_text(json, "scope", option->scope);
    emit_text(json, "kind", option->kind);
    emit_text(json, "default", option->initial);
    emit_text(json, "choices", option->choices);
    emit_exact(json, "lowest", option->choices ? NAN : option->lowest);
    emit_exact(json, "highest", option->choices ? NAN : option->highest);
    emit_text(json, "since", option->since);
    emit_text(json, "help", option->help);
    emit_text(json, "needs", option->needs);
    emit_end(json, '}');
}

static void print_json(seqrec_config *config)
{
    json_writer json = {.to = stdout};
    seqrec_option_info option;
    char room[256];
    const char *preset;
    emit_object(&json, NULL);
    emit_array(&json, "options");
    for (int32_t i = 0; describe(i, &option); i++) print_json_option(&json, &option);
    emit_end(&json, ']');
    emit_object(&json, "presets");
    for (int32_t p = 0; (preset = seqrec_preset_name(p)); p++) {
        emit_object(&json, preset);
        if (seqrec_config_preset(config, preset, NULL) == SEQREC_OK)
            for (int32_t i = 0; describe(i, &option); i++)
                if (differs(config, &option, room, sizeof room)) emit_text(&json, option.name, room);
        emit_end(&json, '}');
    }
    emit_end(&json, '}');
    emit_end(&json, '}');
}

/* In a cell of a table a bar would end it. */
static void print_needs(const char *needs)
{
    fputs(" Used only with `", stdout);
    for (; *needs; needs++) fputs(*needs == '|' ? "` or `" : (char[2]){*needs, 0}, stdout);
    fputs("`.", stdout);
}

static void print_markdown_scope(const char *scope, const char *heading)
{
    seqrec_option_info option;
    char room[256];
    int rows = 0;
    for (int32_t i = 0; describe(i, &option); i++) {
        if (strcmp(option.scope, scope)) continue;
        if (rows++ == 0)
            printf("\n## %s\n\n| option | takes | default | since | what it does |\n|---|---|---|---|---|\n", heading);
        printf("| `%s` | %s: %s | `%s` | %s | %s", option.name, option.kind, domain(&option, room, sizeof room), option.initial, option.since,
               option.help);
        if (option.needs) print_needs(option.needs);
        puts(" |");
    }
}

static void print_markdown(seqrec_config *config)
{
    seqrec_option_info option;
    char room[256];
    const char *preset;
    puts("# Options\n\nWritten by `seqrec options --markdown` from the library's option table; do not edit.\n"
         "An option is set with `seqrec_config_set(config, name, value, &error)`, on the command line with\n"
         "`--set name=value`. Numbers are written as in C, whatever the locale.\n\n"
         "*Used only with* names the options that must have these values for the option to have an effect;\n"
         "*since* is the first version that has it.");
    print_markdown_scope("model", "Model (stored in the model file, fixed once the model exists)");
    print_markdown_scope("training", "Training (stored in the model file, may change between steps)");
    puts("\n## Presets\n\nWhat each preset sets apart from the defaults above.\n\n| preset | options |\n|---|---|");
    for (int32_t p = 0; (preset = seqrec_preset_name(p)); p++) {
        printf("| `%s` |", preset);
        if (seqrec_config_preset(config, preset, NULL) == SEQREC_OK)
            for (int32_t i = 0; describe(i, &option); i++)
                if (differs(config, &option, room, sizeof room)) printf(" `%s=%s`", option.name, room);
        puts(" |");
    }
}

int run_options(int argc, char **argv)
{
    int as_json = 0, as_markdown = 0;
    const argument table[] = {{"json", ARGUMENT_FLAG, &as_json, NULL, "print one JSON object", 0, 0},
                              {"markdown", ARGUMENT_FLAG, &as_markdown, NULL, "print docs/OPTIONS.md", 0, 0},
                              {0}};
    seqrec_config *config = NULL;
    seqrec_error error = {0};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome != PARSED) return outcome;
    if (as_json && as_markdown) return usage_error(text.name, "--json and --markdown exclude each other");
    if (seqrec_config_create(NULL, &config, &error) != SEQREC_OK) return fail_library("starting", &error);
    if (as_json)
        print_json(config);
    else if (as_markdown)
        print_markdown(config);
    else
        print_text(config);
    seqrec_config_release(config);
    return 0;
}
