/* seqrec tool: `export`, item vectors as .npy beside a text file of their ids, a file for serving, or the model with longer windows. */
#include "commands.h"
#include "json_writer.h"
#include "data_source.h"
#include "npy_file.h"
#include "output_check.h"
#include "output_file.h"
#include "ranked_items.h"
#include "serving_file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024, PATH_BYTES = 4096 };

static const command_text text = {"export", "--model MODEL (--out PREFIX | --serving FILE [--table T] | --longer FILE --max-length N) [OPTIONS]",
                                  "Writes PREFIX.npy (float32, one row per item) and PREFIX.ids.txt (one id per line,\n"
                                  "the item's name behind a tab); or a FILE for serving, with vectors in few bits; or the\n"
                                  "model as one that reads N events, where it has no table of positions."};

typedef struct export_run {
    const char *model_path, *prefix;
    int as_json;
    seqrec_context *context;
    seqrec_model *model;
    output_file vectors, ids;
    char vectors_path[PATH_BYTES], ids_path[PATH_BYTES];
    float *rows; /* [BLOCK][width] */
    int64_t width, count;
} export_run;

/* Takes n items of the model; returns 0 to go on, or the exit code. */
typedef int (*block_fn)(export_run *run, const int64_t *ids, int64_t n);

static int each_block(export_run *run, block_fn take)
{
    seqrec_error error = {0};
    int64_t ids[BLOCK], cursor = 0, n = 0;
    for (;;) {
        if (seqrec_items_next(run->model, &cursor, ids, BLOCK, &n, &error) != SEQREC_OK)
            return fail_library("exporting", &error);
        int outcome = !n ? 0 : interrupted() ? interrupted() : take(run, ids, n);
        if (outcome || !n) return outcome;
    }
}

static int check_names(export_run *run, const int64_t *ids, int64_t n)
{
    char name[NAME_BYTES];
    for (int64_t i = 0; i < n; i++)
        if (strpbrk(item_name(run->model, ids[i], name), "\r\n"))
            return fail("%s: the name of item %" PRId64 " holds a line end", run->ids_path, ids[i]);
    return 0;
}

static int write_block(export_run *run, const int64_t *ids, int64_t n)
{
    char name[NAME_BYTES];
    seqrec_error error = {0};
    if (seqrec_items_get(run->model, ids, n, run->rows, &error) != SEQREC_OK) return fail_library("exporting", &error);
    fwrite(run->rows, sizeof *run->rows, (size_t)(n * run->width), run->vectors.to);
    for (int64_t i = 0; i < n; i++) {
        const char *told = item_name(run->model, ids[i], name);
        fprintf(run->ids.to, "%" PRId64 "%s%s\n", ids[i], *told ? "\t" : "", told);
    }
    run->count += n;
    return 0;
}

/* Both files or neither: the names come when both are whole. */
static int write_files(export_run *run)
{
    catch_signals(); /* to remove the temporary files */
    int outcome = each_block(run, check_names);
    if (!outcome) outcome = output_open(&run->vectors, run->vectors_path);
    if (!outcome) outcome = output_open(&run->ids, run->ids_path);
    if (!outcome) npy_write_header(run->vectors.to, seqrec_items_count(run->model), run->width);
    if (!outcome) outcome = each_block(run, write_block);
    if (!outcome) outcome = output_seal(&run->vectors);
    if (!outcome) outcome = output_seal(&run->ids);
    if (!outcome) outcome = output_commit_both(&run->vectors, &run->ids);
    output_close(&run->vectors);
    output_close(&run->ids);
    return outcome;
}

static int export_model(export_run *run)
{
    char lost[LOST_BYTES];
    int outcome = open_context(1, &run->context);
    if (!outcome) outcome = load_model(run->context, run->model_path, 0, &run->model);
    if (outcome) return outcome;
    if (model_lost(run->model, lost) && strstr(lost, "float32")) remark("the vectors are not those of the training: the model's file has lost %s", lost);
    run->width = seqrec_items_width(run->model);
    run->rows = malloc((size_t)(BLOCK * run->width) * sizeof *run->rows);
    if (!run->rows) return fail("out of memory");
    return write_files(run);
}

static void print_result(const export_run *run)
{
    json_writer json = {.to = stdout};
    if (!run->as_json) {
        printf("%lld vectors of %lld floats in %s, ids in %s\n", (long long)run->count, (long long)run->width,
               run->vectors_path, run->ids_path);
        return;
    }
    emit_object(&json, NULL);
    emit_count(&json, "items", run->count);
    emit_count(&json, "width", run->width);
    emit_text(&json, "vectors", run->vectors_path);
    emit_text(&json, "ids", run->ids_path);
    emit_end(&json, '}');
}

static int export_serving(const export_run *run, serving_file *file, const char *table)
{
    if (table) file->table = find_table(table);
    if (file->table < 0) return usage_error(text.name, "--table: '%s' is none of float32, bf16, int8", table);
    if (file->bare && file->table == SEQREC_TABLE_FLOAT32)
        return usage_error(text.name, "--without-rows needs --table bf16 or int8: else no vectors are left");
    return write_serving(run->model_path, file, run->as_json);
}

static int export_longer(const export_run *run, const char *path, long long max_length)
{
    seqrec_context *context = NULL;
    seqrec_model *model = NULL;
    seqrec_error error = {0};
    json_writer json = {.to = stdout};
    int outcome = open_context(1, &context);
    if (!outcome && seqrec_model_load_longer(context, run->model_path, max_length, &model, &error) != SEQREC_OK)
        outcome = fail_file(run->model_path, "loading", &error);
    if (!outcome && seqrec_model_save(model, path, &error) != SEQREC_OK) outcome = fail_file(path, "writing", &error);
    seqrec_model_release(model);
    seqrec_context_release(context);
    if (outcome) return outcome;
    if (!run->as_json) {
        printf("the model with windows of %lld events in %s, without optimiser state\n", max_length, path);
        return 0;
    }
    emit_object(&json, NULL);
    emit_text(&json, "longer", path);
    emit_count(&json, "max_length", max_length);
    emit_end(&json, '}');
    return 0;
}

/* NULL, or what is wrong with the choice of what to write. */
static const char *misuse(const export_run *run, const serving_file *serving, const char *table, const char *longer, int64_t max_length)
{
    if (!run->model_path) return "--model MODEL is needed";
    if (!run->prefix && !serving->path && !longer) return "--out PREFIX is needed";
    if (run->prefix && serving->path) return "--out excludes --serving: one thing at a time";
    if (longer && (run->prefix || serving->path)) return "--longer excludes --out and --serving: one thing at a time";
    if (!longer != !max_length) return "--longer FILE and --max-length N go together";
    if (!serving->path && (table || serving->bare)) return "--table and --without-rows go with --serving";
    return NULL;
}

static int name_pair(export_run *run)
{
    if (!*run->prefix) return usage_error(text.name, "--out: must not be empty");
    if (strlen(run->prefix) + sizeof ".ids.txt" > PATH_BYTES)
        return usage_error(text.name, "--out: longer than %d bytes", PATH_BYTES - (int)sizeof ".ids.txt");
    snprintf(run->vectors_path, sizeof run->vectors_path, "%s.npy", run->prefix);
    snprintf(run->ids_path, sizeof run->ids_path, "%s.ids.txt", run->prefix);
    return PARSED;
}

/* Of the three ways one was chosen. */
static int check_files(const export_run *run, const char *serving, const char *longer)
{
    const named_file inputs[] = {{"model", run->model_path}, {0}};
    const named_output outputs[] = {{"out", run->prefix ? run->vectors_path : NULL, OUTPUT_WHOLE, NULL},
                                    {"out", run->prefix ? run->ids_path : NULL, OUTPUT_WHOLE, NULL},
                                    {"serving", serving, OUTPUT_WHOLE, NULL},
                                    {"longer", longer, OUTPUT_WHOLE, NULL},
                                    {0}};
    return check_outputs(text.name, outputs, inputs, NULL);
}

int run_export(int argc, char **argv)
{
    export_run run = {0};
    serving_file serving = {0};
    const char *longer = NULL, *wrong;
    int64_t max_length = 0;
    const char *table_name = NULL;
    const argument table[] = {{"model", ARGUMENT_TEXT, &run.model_path, "MODEL", "model file", 0, 0},
                              {"out", ARGUMENT_TEXT, &run.prefix, "PREFIX", "beginning of the files' names", 0, 0},
                              {"serving", ARGUMENT_TEXT, &serving.path, "FILE", "write a file for serving instead", 0, 0},
                              {"table", ARGUMENT_TEXT, &table_name, "T",
                               "of it: float32, bf16 or int8 vectors to scan (default: float32)", 0, 0},
                              {"without-rows", ARGUMENT_FLAG, &serving.bare, NULL,
                               "of it: no float32 vectors beside those in few bits", 0, 0},
                              {"longer", ARGUMENT_TEXT, &longer, "FILE", "write the model with longer windows instead", 0, 0},
                              {"max-length", ARGUMENT_COUNT, &max_length, "N", "of it: events of a window", 1, 1000000000},
                              {"json", ARGUMENT_FLAG, &run.as_json, NULL, "print one JSON object", 0, 0},
                              {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome != PARSED) return outcome;
    if ((wrong = misuse(&run, &serving, table_name, longer, max_length)) != NULL) return usage_error(text.name, "%s", wrong);
    if (run.prefix) outcome = name_pair(&run);
    if (outcome == PARSED) outcome = check_files(&run, serving.path, longer);
    if (outcome != PARSED) return outcome;
    if (longer) return export_longer(&run, longer, max_length);
    if (serving.path) return export_serving(&run, &serving, table_name);
    outcome = export_model(&run);
    if (!outcome) print_result(&run);
    free(run.rows);
    seqrec_model_release(run.model);
    seqrec_context_release(run.context);
    return outcome;
}
