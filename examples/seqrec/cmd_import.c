/* seqrec tool: `import`, item vectors from a .npy file put into a model. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include "npy_file.h"
#include "output_check.h"
#include "serving_file.h"
#include "text_lines.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const command_text text = {
    "import", "--model MODEL --vectors X.npy --ids X.ids.txt --out MODEL2 [OPTIONS]",
    "Overwrites the vectors of items the model has, adds the others, and saves the result."};

/* One row of the files; rows are moved so that those of new items come last. */
typedef struct import_row {
    int64_t id;
    char *name; /* owned, or NULL */
    int64_t at; /* row of the matrix */
    int known;
} import_row;

typedef struct import_run {
    const char *model_path, *vectors_path, *ids_path, *out;
    int as_json;
    seqrec_context *context;
    seqrec_model *model;
    int64_t count, width, added, updated;
    float *vectors, *sorted; /* [count][width], as read and in the order of rows */
    import_row *rows;
    int64_t *ids;
} import_run;

static int read_vectors(import_run *run)
{
    FILE *from = fopen(run->vectors_path, "rb");
    if (!from) return fail("%s: %s", run->vectors_path, strerror(errno));
    const char *wrong = npy_read_header(from, &run->count, &run->width);
    int outcome = wrong ? fail("%s: %s", run->vectors_path, wrong) : 0;
    if (!outcome && run->width != seqrec_items_width(run->model))
        outcome = fail("%s: has %lld columns, the model's vectors have %lld floats", run->vectors_path,
                       (long long)run->width, (long long)seqrec_items_width(run->model));
    if (!outcome && run->count > (int64_t)(SIZE_MAX / 8) / run->width)
        outcome = fail("%s: has too many rows", run->vectors_path);
    size_t values = outcome ? 0 : (size_t)(run->count * run->width);
    struct stat about;
    if (!outcome && !fstat(fileno(from), &about) && S_ISREG(about.st_mode) && (size_t)about.st_size / sizeof *run->vectors < values)
        outcome = fail("%s: ends before its last row", run->vectors_path);
    run->vectors = outcome ? NULL : malloc(values * sizeof *run->vectors + 1);
    if (!outcome && !run->vectors) outcome = fail("out of memory");
    if (!outcome && fread(run->vectors, sizeof *run->vectors, values, from) != values)
        outcome = fail("%s: ends before its last row", run->vectors_path);
    if (!outcome && fgetc(from) != EOF) outcome = fail("%s: goes on behind its last row", run->vectors_path);
    fclose(from);
    return outcome;
}

static int read_row(import_run *run, char *line, int64_t number, import_row *row)
{
    int32_t slot = 0, generation = 0;
    char *tab = strchr(line, '\t');
    if (tab) *tab++ = 0;
    if (!read_count(line, &row->id))
        return fail("%s:%lld: '%.40s' is no id: a line is an id, and a name behind a tab", run->ids_path,
                    (long long)number, line);
    row->at = number - 1;
    row->known = seqrec_items_locate(run->model, row->id, &slot, &generation, NULL) == SEQREC_OK;
    row->name = tab && *tab ? malloc(strlen(tab) + 1) : NULL;
    if (row->name) strcpy(row->name, tab);
    return tab && *tab && !row->name ? fail("out of memory") : 0;
}

/* The ids on their way in. */
typedef struct row_reading {
    import_run *run;
    int64_t rows;
} row_reading;

static int take_row(void *context, char *line, int64_t number)
{
    row_reading *r = context;
    import_run *run = r->run;
    if (r->rows == run->count)
        return fail("%s:%lld: more ids than the %lld rows of %s", run->ids_path, (long long)number,
                    (long long)run->count, run->vectors_path);
    return read_row(run, line, number, &run->rows[r->rows++]);
}

static int read_rows(import_run *run)
{
    row_reading r = {.run = run};
    const int outcome = read_text_lines(run->ids_path, take_row, &r);
    if (outcome || r.rows == run->count) return outcome;
    return fail("%s: %lld ids for the %lld rows of %s", run->ids_path, (long long)r.rows, (long long)run->count,
                run->vectors_path);
}

static int compare_rows(const void *a, const void *b)
{
    const import_row *x = a, *y = b;
    if (x->known != y->known) return y->known - x->known;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Known items first, ids and vectors in the same order. */
static void sort_rows(import_run *run)
{
    size_t bytes = (size_t)run->width * sizeof *run->vectors;
    qsort(run->rows, (size_t)run->count, sizeof *run->rows, compare_rows);
    for (int64_t i = 0; i < run->count; i++) {
        run->ids[i] = run->rows[i].id;
        run->updated += run->rows[i].known;
        memcpy(run->sorted + i * run->width, run->vectors + run->rows[i].at * run->width, bytes);
    }
    run->added = run->count - run->updated;
}

static int name_items(import_run *run)
{
    seqrec_error error = {0};
    const char **names = malloc(((size_t)run->count + 1) * sizeof *names);
    int64_t *ids = malloc(((size_t)run->count + 1) * sizeof *ids);
    int64_t count = 0;
    int outcome = names && ids ? 0 : fail("out of memory");
    for (int64_t i = 0; i < run->count && !outcome; i++)
        if (run->rows[i].name) {
            ids[count] = run->ids[i];
            names[count++] = run->rows[i].name;
        }
    if (!outcome && count && seqrec_items_set_names(run->model, ids, names, count, &error) != SEQREC_OK)
        outcome = fail_file(run->ids_path, "naming", &error);
    free(names);
    free(ids);
    return outcome;
}

static int change_model(import_run *run)
{
    seqrec_error error = {0};
    sort_rows(run);
    if (run->updated && seqrec_items_update(run->model, run->ids, run->updated, run->sorted, &error) != SEQREC_OK)
        return fail_file(run->vectors_path, "updating", &error);
    if (run->added && seqrec_items_put(run->model, run->ids + run->updated, run->added,
                                       run->sorted + run->updated * run->width, &error) != SEQREC_OK)
        return fail_file(run->vectors_path, "adding", &error);
    if (name_items(run)) return EXIT_WORK;
    if (seqrec_model_save(run->model, run->out, &error) != SEQREC_OK) return fail_file(run->out, "saving", &error);
    return 0;
}

static int import_vectors(import_run *run)
{
    int outcome = open_context(1, &run->context);
    if (!outcome) outcome = load_model(run->context, run->model_path, 0, &run->model);
    if (!outcome) outcome = read_vectors(run);
    if (outcome) return outcome;
    run->rows = calloc((size_t)run->count + 1, sizeof *run->rows);
    run->ids = malloc(((size_t)run->count + 1) * sizeof *run->ids);
    run->sorted = malloc((size_t)(run->count * run->width) * sizeof *run->sorted + 1);
    if (!run->rows || !run->ids || !run->sorted) return fail("out of memory");
    outcome = read_rows(run);
    return outcome ? outcome : change_model(run);
}

static void print_result(const import_run *run)
{
    json_writer json = {.to = stdout};
    if (!run->as_json) {
        printf("%s: %lld items updated, %lld added, %lld in all\n", run->out, (long long)run->updated,
               (long long)run->added, (long long)seqrec_items_count(run->model));
        return;
    }
    emit_object(&json, NULL);
    emit_text(&json, "model", run->out);
    emit_count(&json, "updated", run->updated);
    emit_count(&json, "added", run->added);
    emit_count(&json, "items", seqrec_items_count(run->model));
    emit_end(&json, '}');
}

static void release(import_run *run)
{
    for (int64_t i = 0; run->rows && i < run->count; i++) free(run->rows[i].name);
    free(run->rows);
    free(run->ids);
    free(run->vectors);
    free(run->sorted);
    seqrec_model_release(run->model);
    seqrec_context_release(run->context);
}

int run_import(int argc, char **argv)
{
    import_run run = {0};
    const argument table[] = {
        {"model", ARGUMENT_TEXT, &run.model_path, "MODEL", "model file", 0, 0},
        {"vectors", ARGUMENT_TEXT, &run.vectors_path, "FILE", ".npy file, float32 [items][width]", 0, 0},
        {"ids", ARGUMENT_TEXT, &run.ids_path, "FILE", "one id per line, a name behind a tab", 0, 0},
        {"out", ARGUMENT_TEXT, &run.out, "MODEL2", "model file to write", 0, 0},
        {"json", ARGUMENT_FLAG, &run.as_json, NULL, "print one JSON object", 0, 0},
        {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome != PARSED) return outcome;
    for (int i = 0; i < 4; i++)
        if (!*(const char **)table[i].target)
            return usage_error(text.name, "--%s %s is needed", table[i].name, table[i].value);
    const named_file inputs[] = {{"model", run.model_path}, {"vectors", run.vectors_path}, {"ids", run.ids_path}, {0}};
    const named_output outputs[] = {{"out", run.out, OUTPUT_WHOLE, "model"}, {0}};
    outcome = check_outputs(text.name, outputs, inputs, NULL);
    if (outcome != PARSED) return outcome;
    outcome = import_vectors(&run);
    if (!outcome) print_result(&run);
    release(&run);
    return outcome;
}
