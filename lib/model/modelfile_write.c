/* model: writing a model file: metadata, then the tensors, whose rows are brought while the file is written. */
#include "model/servefile.h"
#include <stdio.h>
#include <string.h>

#define VALUE_BYTES 64 /* room for any value of an option */
#define COLUMN_BYTES 32 /* and for the name of a column */

/* ---- Metadata. ---- */

/* Adds prefix + key. */
static int32_t add_text(sq_tensor_writer *writer, const char *prefix, const char *key, const char *value,
                        seqrec_error *error)
{
    char full[16 + SQ_NOTE_BYTES + 1];
    snprintf(full, sizeof full, "%s%s", prefix, key);
    return sq_tensor_writer_text(writer, full, value, error);
}

static int32_t add_options(sq_tensor_writer *writer, const sq_options *options, int32_t scope, const char *prefix,
                           seqrec_error *error)
{
    for (int32_t i = 0; i < sq_option_count; i++) {
        const sq_option *option = &sq_option_table[i];
        char value[VALUE_BYTES];
        if (option->scope != scope) continue;
        sq_option_text(options, option, value, sizeof value);
        SQ_TRY(add_text(writer, prefix, option->name, value, error));
    }
    return SEQREC_OK;
}

static int32_t add_notes(sq_tensor_writer *writer, const sq_notes *notes, const char *prefix, seqrec_error *error)
{
    for (int32_t i = 0; notes && i < sq_notes_count(notes); i++) {
        const char *value, *key = sq_notes_at(notes, i, &value);
        SQ_TRY(add_text(writer, prefix, key, value, error));
    }
    return SEQREC_OK;
}

static int32_t add_texts(sq_tensor_writer *writer, const sq_model_source *source, const sq_options *options, sq_file_form form,
                         seqrec_error *error)
{
    char number[16];
    const int32_t plain = form.form == SQ_FORM_PLAIN && source->model->lost[0] == '\0';
    snprintf(number, sizeof number, "%d", plain ? SQ_MODEL_FORMAT_PLAIN : SQ_MODEL_FORMAT_VERSION);
    SQ_TRY(sq_tensor_writer_text(writer, "format", SQ_MODEL_FORMAT, error));
    SQ_TRY(sq_tensor_writer_text(writer, "format_version", number, error));
    snprintf(number, sizeof number, "%d.%d.%d", SEQREC_VERSION_MAJOR, SEQREC_VERSION_MINOR, SEQREC_VERSION_PATCH);
    SQ_TRY(sq_tensor_writer_text(writer, "library_version", number, error));
    SQ_TRY(sq_tensor_writer_text(writer, "preset", source->model->preset, error));
    SQ_TRY(sq_serving_add_texts(writer, source->model, form, error));
    SQ_TRY(add_options(writer, options, SQ_SCOPE_MODEL, "model.", error));
    SQ_TRY(add_options(writer, options, SQ_SCOPE_TRAINING, "training.", error));
    SQ_TRY(add_notes(writer, source->model->foreign, "training.", error));
    return add_notes(writer, source->snapshot->parts.notes, "note.", error);
}

/* ---- Items and users. Each function of type sq_tensor_rows brings one column of a table. ---- */

static const sq_slots *slots_of(const sq_table_source *source, int64_t index, int32_t *row)
{
    int32_t slot = source->slots[index];
    *row = slot % SQ_CHUNK_ROWS;
    return source->catalogue->slots[slot / SQ_CHUNK_ROWS];
}

static int32_t bring_ids(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    int64_t *ids = out;
    (void)error;
    for (int64_t i = 0; i < count; i++) {
        int32_t row;
        const sq_slots *slots = slots_of(from, first + i, &row);
        ids[i] = slots->id[row];
    }
    return SEQREC_OK;
}

static int32_t bring_slots(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    int32_t *slots = out;
    (void)error;
    for (int64_t i = 0; i < count; i++) slots[i] = source->renumbered ? (int32_t)(first + i) : source->slots[first + i];
    return SEQREC_OK;
}

static int32_t bring_generations(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    int32_t *generations = out;
    (void)error;
    for (int64_t i = 0; i < count; i++) {
        int32_t row;
        const sq_slots *slots = slots_of(source, first + i, &row);
        generations[i] = source->renumbered ? source->generation : slots->generation[row];
    }
    return SEQREC_OK;
}

static void bring_vectors(const sq_table_source *source, int64_t first, int64_t count, size_t behind, float *out)
{
    const sq_catalogue *catalogue = source->catalogue;
    size_t dim = (size_t)catalogue->dim;
    for (int64_t i = first; i < first + count; i++, out += dim)
        memcpy(out, sq_catalogue_row(catalogue, source->slots[i]) + behind, dim * sizeof *out);
}

static int32_t bring_inputs(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    (void)error;
    bring_vectors(from, first, count, 0, out);
    return SEQREC_OK;
}

static int32_t bring_outputs(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    (void)error;
    bring_vectors(source, first, count, sq_output_offset(source->catalogue), out);
    return SEQREC_OK;
}

static const char *name_of(const sq_table_source *source, int64_t index)
{
    int32_t row;
    const sq_slots *slots = slots_of(source, index, &row);
    return sq_item_names_get(source->names, slots->id[row]);
}

/* Bytes [first, first + count) of all names one behind the other. */
static int32_t bring_names(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    const int64_t *offsets = source->name_offsets;
    char *to = out;
    int64_t low = 0, high = source->count; /* the name that holds byte `first` is in [low, high) */
    (void)error;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offsets[middle] <= first)
            low = middle;
        else
            high = middle;
    }
    for (int64_t end = first + count; first < end; low++) {
        int64_t stop = offsets[low + 1] < end ? offsets[low + 1] : end;
        if (stop <= first) continue;
        memcpy(to, name_of(source, low) + (first - offsets[low]), (size_t)(stop - first));
        to += stop - first;
        first = stop;
    }
    return SEQREC_OK;
}

/* Adds <table>.<column>. */
static int32_t add_column(sq_tensor_writer *writer, const char *table, const char *column, int32_t dtype, int32_t rank,
                          const int64_t *shape, sq_tensor_rows rows, sq_table_source *source, seqrec_error *error)
{
    char name[COLUMN_BYTES];
    snprintf(name, sizeof name, "%s.%s", table, column);
    return sq_tensor_writer_add_rows(writer, name, dtype, rank, shape, rows, source, error);
}

static int32_t add_names(sq_tensor_writer *writer, const char *table, sq_table_source *source, seqrec_error *error)
{
    char name[COLUMN_BYTES];
    if (sq_item_names_count(source->names) == 0) return SEQREC_OK;
    int64_t *offsets = sq_alloc(&source->catalogue->context->memory, (size_t)source->count + 1, sizeof *offsets);
    SQ_CHECK(offsets, error, SEQREC_E_MEMORY, "no memory for the names of %lld %s", (long long)source->count, table);
    source->name_offsets = offsets;
    offsets[0] = 0;
    for (int64_t i = 0; i < source->count; i++) {
        const char *text = name_of(source, i);
        offsets[i + 1] = offsets[i] + (text ? (int64_t)strlen(text) : 0);
    }
    snprintf(name, sizeof name, "%s.name.offsets", table);
    SQ_TRY(sq_tensor_writer_add(writer, name, SQ_I64, 1, &(int64_t){source->count + 1}, offsets, error));
    return add_column(writer, table, "name.bytes", SQ_U8, 1, &offsets[source->count], bring_names, source, error);
}

static int32_t add_table(sq_tensor_writer *writer, const char *table, sq_table_source *source, seqrec_error *error)
{
    const int64_t shape[2] = {source->count, source->catalogue->dim};
    SQ_TRY(add_column(writer, table, "id", SQ_I64, 1, shape, bring_ids, source, error));
    SQ_TRY(add_column(writer, table, "slot", SQ_I32, 1, shape, bring_slots, source, error));
    SQ_TRY(add_column(writer, table, "generation", SQ_I32, 1, shape, bring_generations, source, error));
    if (source->form != SQ_FORM_PLAIN) {
        SQ_TRY(sq_serving_add(writer, source, error));
        return add_names(writer, table, source, error);
    }
    SQ_TRY(add_column(writer, table, "weight", SQ_F32, 2, shape, bring_inputs, source, error));
    if (source->catalogue->tables == 2)
        SQ_TRY(add_column(writer, table, "output", SQ_F32, 2, shape, bring_outputs, source, error));
    return add_names(writer, table, source, error);
}

/* ---- Parameters. ---- */

static int32_t add_parameters(sq_tensor_writer *writer, sq_model_source *source, seqrec_error *error)
{
    const sq_layout *layout = &source->model->layout;
    const size_t all = (size_t)sq_layout_elements(layout);
    float *flat = source->parameters = sq_alloc(&source->model->context->memory, all, sizeof *flat);
    SQ_CHECK(flat, error, SEQREC_E_MEMORY, "no memory for a copy of %zu parameters", all);
    for (int32_t i = 0; i < layout->count; i++) {
        const sq_parameter *p = &layout->parameters[i];
        int64_t shape[2];
        sq_parameter_shape(p, shape);
        sq_parameter_export(p, source->snapshot->parts.weights->at, flat);
        SQ_TRY(sq_tensor_writer_add(writer, p->name, SQ_F32, p->rank, shape, flat, error));
        flat += sq_parameter_elements(p);
    }
    return SEQREC_OK;
}

/* ---- The whole. ---- */

/* Lists the slots. A table that has shrunk so far that a reader would not believe its slots is renumbered under a generation
 * that none of its slots had; so is one whose rows are to lie without a gap. */
static int32_t list_slots(sq_table_source *source, seqrec_error *error)
{
    const sq_catalogue *catalogue = source->catalogue;
    int32_t greatest = 0;
    int64_t n = 0;
    source->slots = sq_alloc(&catalogue->context->memory, (size_t)catalogue->count, sizeof *source->slots);
    SQ_CHECK(source->slots, error, SEQREC_E_MEMORY, "no memory for a list of %lld %ss", (long long)catalogue->count,
             catalogue->kind->name);
    for (int32_t chunk = 0; chunk < catalogue->chunks; chunk++) {
        const sq_slots *slots = catalogue->slots[chunk];
        for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) {
            if (slots->generation[row] > greatest) greatest = slots->generation[row];
            if (slots->live[row]) source->slots[n++] = chunk * SQ_CHUNK_ROWS + row;
        }
    }
    source->count = n;
    source->renumbered = n > 0 && source->slots[n - 1] >= (source->form == SQ_FORM_ROWS ? n : sq_slots_most(n));
    source->generation = greatest == INT32_MAX ? 1 : greatest + 1;
    return SEQREC_OK;
}

static int32_t describe(sq_tensor_writer *writer, sq_model_source *source, const sq_options *options, sq_file_form form,
                        seqrec_error *error)
{
    const sq_parts *parts = &source->snapshot->parts;
    int personal = source->model->options.user_embedding != SQ_USER_NONE;
    source->items = (sq_table_source){.catalogue = parts->catalogue, .names = parts->names, .form = form.form};
    source->items.rule = (sq_coarse_rule){form.table, source->model->options.score == SQ_SCORE_COSINE};
    if (form.form != SQ_FORM_PLAIN) SQ_TRY(sq_serving_prepare(&source->items, error));
    SQ_TRY(list_slots(&source->items, error));
    if (personal) {
        source->users = (sq_table_source){.catalogue = parts->users, .names = parts->user_names};
        SQ_TRY(list_slots(&source->users, error));
    }
    SQ_TRY(add_texts(writer, source, options, form, error));
    SQ_TRY(add_table(writer, "items", &source->items, error));
    if (personal) SQ_TRY(add_table(writer, "users", &source->users, error));
    return add_parameters(writer, source, error);
}

int32_t sq_model_file_describe(sq_tensor_writer *writer, const seqrec_model *model, const sq_snapshot *snapshot,
                               const sq_options *options, sq_file_form form, sq_model_source **out, seqrec_error *error)
{
    sq_model_source *source = sq_alloc_zero(&model->context->memory, 1, sizeof *source);
    SQ_CHECK(source, error, SEQREC_E_MEMORY, "no memory for writing a model");
    source->model = model;
    source->snapshot = snapshot;
    int32_t status = describe(writer, source, options, form, error);
    if (status == SEQREC_OK)
        *out = source;
    else
        sq_model_source_free(source);
    return status;
}

void sq_model_source_free(sq_model_source *source)
{
    if (!source) return;
    const sq_memory *memory = &source->model->context->memory;
    sq_free(memory, source->items.slots);
    sq_free(memory, source->items.name_offsets);
    sq_free(memory, source->items.gathered);
    sq_free(memory, source->items.copied);
    sq_free(memory, source->users.slots);
    sq_free(memory, source->users.name_offsets);
    sq_free(memory, source->parameters);
    sq_free(memory, source);
}

static int32_t save_as(const seqrec_model *model, const char *path, sq_file_form form, seqrec_error *error)
{
    sq_options options;
    sq_model_source *source = NULL;
    sq_tensor_writer *writer;
    SQ_TRY(sq_tensor_writer_create(&model->context->memory, &writer, error));
    sq_model_options(model, &options);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = sq_model_file_describe(writer, model, snapshot, &options, form, &source, error);
    if (status == SEQREC_OK) status = sq_tensor_writer_save(writer, path, error);
    sq_tensor_writer_free(writer);
    sq_model_source_free(source);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t sq_model_save(const seqrec_model *model, const char *path, seqrec_error *error)
{
    return save_as(model, path, (sq_file_form){SQ_FORM_PLAIN, SQ_TABLE_FLOAT32}, error);
}

int32_t sq_model_export(const seqrec_model *model, const char *path, int32_t table, int32_t rows, seqrec_error *error)
{
    return save_as(model, path, (sq_file_form){rows ? SQ_FORM_ROWS : SQ_FORM_COPIES, table}, error);
}
