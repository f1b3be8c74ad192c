/* seqrec tool: `export --serving`, a file for serving; loading a model from one with its vectors left in the file. */
#include "serving_file.h"
#include <string.h>
#include "data_source.h"
#include "json_writer.h"
#include "terminal.h"

static const char *const tables[] = {"float32", "bf16", "int8"}; /* by SEQREC_TABLE_* */

int find_table(const char *name)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, tables[i])) return i;
    return -1;
}

static void print_serving(const serving_file *file, long long items, int as_json)
{
    const char *lost = file->bare ? "optimiser state, float32 item vectors" : "optimiser state";
    json_writer json = {.to = stdout};
    if (!as_json) {
        printf("%lld items for serving in %s, table %s\nnot in it: %s; it serves, and cannot be trained\n", items, file->path,
               tables[file->table], lost);
        return;
    }
    emit_object(&json, NULL);
    emit_count(&json, "items", items);
    emit_text(&json, "serving", file->path);
    emit_text(&json, "table", tables[file->table]);
    emit_count(&json, "rows", !file->bare);
    emit_text(&json, "lost", lost);
    emit_end(&json, '}');
}

int write_serving(const char *model_path, const serving_file *file, int as_json)
{
    seqrec_context *context = NULL;
    seqrec_model *model = NULL;
    seqrec_error error = {0};
    int outcome = open_context(1, &context);
    if (!outcome) outcome = load_model(context, model_path, 0, &model);
    if (!outcome && seqrec_model_export(model, file->path, file->table, !file->bare, &error) != SEQREC_OK)
        outcome = fail_file(file->path, "writing", &error);
    if (!outcome) print_serving(file, (long long)seqrec_items_count(model), as_json);
    seqrec_model_release(model);
    seqrec_context_release(context);
    return outcome;
}

int load_model(seqrec_context *context, const char *path, int mapped, seqrec_model **out)
{
    seqrec_error error = {0};
    const int32_t status = mapped ? seqrec_model_map(context, path, 0, out, &error) : seqrec_model_load(context, path, out, &error);
    return status == SEQREC_OK ? 0 : fail_file(path, "loading", &error);
}
