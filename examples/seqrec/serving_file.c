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

int model_lost(const seqrec_model *model, char out[LOST_BYTES])
{
    out[0] = 0;
    return seqrec_model_note(model, "lost", out, LOST_BYTES, NULL, NULL) == SEQREC_OK;
}

static void print_serving(const seqrec_model *model, const serving_file *file, int as_json)
{
    const long long items = seqrec_items_count(model);
    char lost[LOST_BYTES + 64];
    json_writer json = {.to = stdout};
    if (!model_lost(model, lost)) snprintf(lost, sizeof lost, "optimiser state");
    if (file->bare && !strstr(lost, tables[file->table]))
        snprintf(lost + strlen(lost), sizeof lost - strlen(lost), ", float32 item vectors (%s)", tables[file->table]);
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
    if (!outcome) print_serving(model, file, as_json);
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
