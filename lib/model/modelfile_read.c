/* model: reading a model file: nothing is made before every tensor is known to be there in its size. */
#include <math.h>
#include <string.h>
#include "base/text.h"
#include "model/modelfile.h"

#define BLOCK_BYTES ((size_t)256 << 10)

/* What was read so far. */
typedef struct reading {
    seqrec_context *context;
    const sq_tensor_file *file;
    sq_options options;
    char preset[32];
    sq_layout layout;
    sq_notes *foreign, *notes;
    int64_t count; /* items */
    int64_t *ids;
    int32_t *slots, *generations;
    sq_weights *weights;
    sq_catalogue *catalogue;
    sq_item_names *names;
} reading;

/* Passes a failure on as one of the file: what is a wrong argument elsewhere is a wrong format here. */
static int32_t blame(const char *what, const char *which, const seqrec_error *inner, seqrec_error *error)
{
    int32_t status = inner->status;
    if (status != SEQREC_E_MEMORY && status != SEQREC_E_UNSUPPORTED) status = SEQREC_E_FORMAT;
    return sq_fail(error, status, "%s '%.60s': %s", what, which, inner->message);
}

/* ---- Metadata. ---- */

/* What follows `prefix` in key, or NULL. */
static const char *behind(const char *key, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(key, prefix, length) == 0 ? key + length : NULL;
}

static int32_t check_format(const sq_tensor_file *file, seqrec_error *error)
{
    const char *format = sq_tensor_file_text(file, "format"), *version = sq_tensor_file_text(file, "format_version");
    int64_t number = 0;
    SQ_CHECK(format && strcmp(format, SQ_MODEL_FORMAT) == 0, error, SEQREC_E_FORMAT,
             "metadata 'format' is %s%.40s%s, not \"" SQ_MODEL_FORMAT "\": the file holds no model", format ? "\"" : "",
             format ? format : "missing", format ? "\"" : "");
    SQ_CHECK(version && sq_parse_int64(version, strlen(version), &number) == SEQREC_OK && number >= 1, error,
             SEQREC_E_FORMAT, "metadata 'format_version' is \"%.40s\", not a version", version ? version : "");
    SQ_CHECK(number <= SQ_MODEL_FORMAT_VERSION, error, SEQREC_E_UNSUPPORTED,
             "the file has format_version %lld; this build reads up to %d", (long long)number, SQ_MODEL_FORMAT_VERSION);
    return SEQREC_OK;
}

static int32_t add_note(sq_notes **notes, const char *key, const char *value, seqrec_error *error)
{
    sq_notes *more;
    SQ_TRY(sq_notes_with(*notes, key, value, &more, error));
    sq_notes_release(*notes);
    *notes = more;
    return SEQREC_OK;
}

static int32_t take_option(reading *r, int32_t scope, const char *name, const char *value, seqrec_error *error)
{
    const sq_option *option = sq_option_find(name);
    if (!option && scope == SQ_SCOPE_TRAINING) return add_note(&r->foreign, name, value, error);
    SQ_CHECK(!option || option->scope == scope, error, SEQREC_E_FORMAT, "this option has another scope");
    return sq_options_set(&r->options, name, value, error);
}

static int32_t take_text(reading *r, const char *key, const char *value, seqrec_error *error)
{
    const char *name;
    if ((name = behind(key, "model.")) != NULL) return take_option(r, SQ_SCOPE_MODEL, name, value, error);
    if ((name = behind(key, "training.")) != NULL) return take_option(r, SQ_SCOPE_TRAINING, name, value, error);
    if ((name = behind(key, "note.")) != NULL) return add_note(&r->notes, name, value, error);
    if (strcmp(key, "preset") == 0) {
        size_t bytes = strlen(value);
        SQ_CHECK(bytes < sizeof r->preset, error, SEQREC_E_FORMAT, "more than %zu bytes", sizeof r->preset - 1);
        memcpy(r->preset, value, bytes + 1);
    }
    return SEQREC_OK;
}

static int32_t read_texts(reading *r, seqrec_error *error)
{
    const char *key, *value;
    seqrec_error inner;
    SQ_TRY(check_format(r->file, error));
    SQ_TRY(sq_options_preset(&r->options, sq_preset_name(0), error));
    SQ_TRY(sq_notes_create(r->context, &r->foreign, error));
    SQ_TRY(sq_notes_create(r->context, &r->notes, error));
    for (int64_t i = 0; sq_tensor_file_text_at(r->file, i, &key, &value); i++)
        if (take_text(r, key, value, &inner) != SEQREC_OK) return blame("metadata", key, &inner, error);
    if (sq_options_check(&r->options, &inner) != SEQREC_OK) return blame("metadata", "model.*", &inner, error);
    return SEQREC_OK;
}

/* ---- Which tensors there are. ---- */

/* Tensors of items: name, type, dimensions (0 = count, 1 = dim, 2 = count + 1, -1 = any). */
static const struct {
    const char *name;
    int32_t dtype, rank, first, second;
} columns[] = {
    {"items.id", SQ_I64, 1, -1, 0},        {"items.slot", SQ_I32, 1, 0, 0},   {"items.generation", SQ_I32, 1, 0, 0},
    {"items.weight", SQ_F32, 2, 0, 1},     {"items.output", SQ_F32, 2, 0, 1}, {"items.name.offsets", SQ_I64, 1, 2, 0},
    {"items.name.bytes", SQ_U8, 1, -1, 0},
};
#define COLUMNS ((int32_t)(sizeof columns / sizeof *columns))
enum { IDS, SLOTS, GENERATIONS, WEIGHT, OUTPUT, NAME_OFFSETS, NAME_BYTES };

static int32_t has_names(const reading *r)
{
    return sq_tensor_file_find(r->file, columns[NAME_OFFSETS].name) != NULL ||
           sq_tensor_file_find(r->file, columns[NAME_BYTES].name) != NULL;
}

static int32_t wants(const reading *r, int32_t column)
{
    if (column == OUTPUT) return !r->options.tied_output;
    return column < OUTPUT || has_names(r);
}

static int32_t expect_column(const reading *r, int32_t column, const sq_tensor **out, seqrec_error *error)
{
    const int64_t sizes[3] = {r->count, r->layout.d, r->count + 1};
    int64_t shape[2];
    shape[0] = columns[column].first < 0 ? -1 : sizes[columns[column].first];
    shape[1] = sizes[columns[column].second];
    return sq_tensor_file_expect(r->file, columns[column].name, columns[column].dtype, columns[column].rank, shape, out,
                                 error);
}

static int32_t expect_parameter(const reading *r, const sq_parameter *p, const sq_tensor **out, seqrec_error *error)
{
    int64_t shape[2];
    sq_parameter_shape(p, shape);
    return sq_tensor_file_expect(r->file, p->name, SQ_F32, p->rank, shape, out, error);
}

static int32_t is_known(const reading *r, const char *name)
{
    if (behind(name, "train.") || behind(name, "opt.")) return 1;
    for (int32_t i = 0; i < COLUMNS; i++)
        if (strcmp(name, columns[i].name) == 0) return wants(r, i);
    for (int32_t i = 0; i < r->layout.count; i++)
        if (strcmp(name, r->layout.parameters[i].name) == 0) return 1;
    return 0;
}

static int32_t check_tensors(reading *r, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    SQ_TRY(expect_column(r, IDS, &tensor, error));
    r->count = tensor->shape[0];
    for (int32_t i = SLOTS; i < COLUMNS; i++)
        if (wants(r, i)) SQ_TRY(expect_column(r, i, &tensor, error));
    for (int32_t i = 0; i < r->layout.count; i++) SQ_TRY(expect_parameter(r, &r->layout.parameters[i], &tensor, error));
    for (int64_t i = 0; (tensor = sq_tensor_file_at(r->file, i)) != NULL; i++)
        SQ_CHECK(is_known(r, tensor->name), error, SEQREC_E_FORMAT, "tensor '%.80s' has no place in this model",
                 tensor->name);
    return SEQREC_OK;
}

/* ---- Parameters. ---- */

/* `first`: index of values[0] in the tensor. */
static int32_t check_finite(const char *name, const float *values, size_t n, int64_t first, seqrec_error *error)
{
    for (size_t i = 0; i < n; i++)
        SQ_CHECK(isfinite(values[i]), error, SEQREC_E_FORMAT, "tensor '%.80s': element %lld is not finite", name,
                 (long long)first + (long long)i);
    return SEQREC_OK;
}

static int32_t read_parameter(reading *r, const sq_parameter *p, float *flat, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    SQ_TRY(expect_parameter(r, p, &tensor, error));
    SQ_TRY(sq_tensor_read(r->file, tensor, flat, error));
    SQ_TRY(check_finite(p->name, flat, (size_t)(p->rows * p->cols), 0, error));
    sq_parameter_import(p, flat, r->weights->at);
    return SEQREC_OK;
}

static int32_t read_parameters(reading *r, seqrec_error *error)
{
    const sq_memory *memory = &r->context->memory;
    int64_t most = 0;
    for (int32_t i = 0; i < r->layout.count; i++) {
        int64_t elements = r->layout.parameters[i].rows * r->layout.parameters[i].cols;
        if (elements > most) most = elements;
    }
    r->weights = sq_weights_create(memory, r->layout.floats);
    float *flat = sq_alloc(memory, (size_t)most, sizeof *flat);
    int32_t status = SEQREC_OK;
    if (!r->weights || !flat)
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for %zu parameters", r->layout.floats);
    for (int32_t i = 0; i < r->layout.count && status == SEQREC_OK; i++)
        status = read_parameter(r, &r->layout.parameters[i], flat, error);
    sq_free(memory, flat);
    return status;
}

/* ---- Items. ---- */

/* A whole column in new memory. */
static int32_t read_column(reading *r, int32_t column, void **out, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    SQ_TRY(expect_column(r, column, &tensor, error));
    *out = sq_alloc(&r->context->memory, (size_t)tensor->bytes, 1);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for tensor '%.80s' of %lld bytes", tensor->name,
             (long long)tensor->bytes);
    return sq_tensor_read(r->file, tensor, *out, error);
}

static int32_t read_places(reading *r, seqrec_error *error)
{
    void *ids = NULL, *slots = NULL, *generations = NULL;
    int32_t status = read_column(r, IDS, &ids, error);
    if (status == SEQREC_OK) status = read_column(r, SLOTS, &slots, error);
    if (status == SEQREC_OK) status = read_column(r, GENERATIONS, &generations, error);
    r->ids = ids;
    r->slots = slots;
    r->generations = generations;
    SQ_TRY(status);
    for (int64_t i = 0; i < r->count; i++)
        SQ_CHECK(r->slots[i] < sq_slots_most(r->count), error, SEQREC_E_FORMAT,
                 "tensor 'items.slot': slot %d is not below %lld, the most for %lld items", (int)r->slots[i],
                 (long long)sq_slots_most(r->count), (long long)r->count);
    return SEQREC_OK;
}

/* Rows of one tensor straight into the chunks, which nobody else sees yet. */
static int32_t read_rows(reading *r, int32_t column, size_t at, float *block, size_t rows, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    sq_tensor_cursor cursor;
    size_t dim = (size_t)r->layout.d;
    SQ_TRY(expect_column(r, column, &tensor, error));
    sq_tensor_start(&cursor, r->file, tensor);
    for (int64_t item = 0; item < r->count;) {
        size_t n = (size_t)(r->count - item) < rows ? (size_t)(r->count - item) : rows;
        SQ_TRY(sq_tensor_next(&cursor, block, n * dim * sizeof *block, error));
        SQ_TRY(check_finite(tensor->name, block, n * dim, item * r->layout.d, error));
        for (size_t i = 0; i < n; i++, item++)
            memcpy(sq_catalogue_row(r->catalogue, r->slots[item]) + at, block + i * dim, dim * sizeof *block);
    }
    return SEQREC_OK;
}

static int32_t read_vectors(reading *r, seqrec_error *error)
{
    size_t row_bytes = (size_t)r->layout.d * sizeof(float), rows = BLOCK_BYTES / row_bytes;
    float *block = sq_alloc(&r->context->memory, rows, row_bytes);
    SQ_CHECK(block, error, SEQREC_E_MEMORY, "no memory for a block of item vectors");
    int32_t status = read_rows(r, WEIGHT, 0, block, rows, error);
    if (status == SEQREC_OK && wants(r, OUTPUT))
        status = read_rows(r, OUTPUT, sq_output_offset(r->catalogue), block, rows, error);
    sq_free(&r->context->memory, block);
    return status;
}

static int32_t read_items(reading *r, seqrec_error *error)
{
    seqrec_error inner;
    SQ_TRY(read_places(r, error));
    if (sq_catalogue_restore(r->context, r->layout.d, r->options.tied_output ? 1 : 2, r->ids, r->slots, r->generations,
                             r->count, NULL, &r->catalogue, &inner) != SEQREC_OK)
        return blame("tensors", "items.*", &inner, error);
    return read_vectors(r, error);
}

/* ---- Names. ---- */

static int32_t check_offsets(const reading *r, const int64_t *offsets, int64_t bytes, seqrec_error *error)
{
    for (int64_t i = 0; i <= r->count; i++) {
        int64_t floor = i ? offsets[i - 1] : 0;
        SQ_CHECK(offsets[i] >= floor && offsets[i] <= (i ? bytes : 0), error, SEQREC_E_FORMAT,
                 "tensor 'items.name.offsets': element %lld is %lld, not in %lld..%lld", (long long)i,
                 (long long)offsets[i], (long long)floor, (long long)(i ? bytes : 0));
    }
    SQ_CHECK(offsets[r->count] == bytes, error, SEQREC_E_FORMAT,
             "tensor 'items.name.offsets' ends at %lld, but there are %lld bytes of names",
             (long long)offsets[r->count], (long long)bytes);
    return SEQREC_OK;
}

/* The names as terminated texts in `texts`, listed with their ids; returns how many there are. */
static int64_t split_names(const reading *r, const int64_t *offsets, const char *bytes, char *texts, const char **names,
                           int64_t *ids)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->count; i++) {
        size_t length = (size_t)(offsets[i + 1] - offsets[i]);
        if (length == 0) continue;
        memcpy(texts, bytes + offsets[i], length);
        texts[length] = '\0';
        names[n] = texts;
        ids[n++] = r->ids[i];
        texts += length + 1;
    }
    return n;
}

static int32_t enter_names(reading *r, const int64_t *offsets, const char *bytes, int64_t total, seqrec_error *error)
{
    const sq_memory *memory = &r->context->memory;
    size_t count = (size_t)r->count;
    char *texts = sq_alloc(memory, (size_t)total + count, 1);
    const char **names = sq_alloc(memory, count, sizeof *names);
    int64_t *ids = sq_alloc(memory, count, sizeof *ids);
    sq_item_names *empty = NULL;
    seqrec_error inner;
    int32_t status = SEQREC_OK;
    if (!texts || !names || !ids)
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for the names of %lld items", (long long)r->count);
    if (status == SEQREC_OK) status = sq_item_names_create(r->context, &empty, error);
    if (status == SEQREC_OK) {
        int64_t n = split_names(r, offsets, bytes, texts, names, ids);
        if (sq_item_names_with(empty, ids, names, n, &r->names, &inner) != SEQREC_OK)
            status = blame("tensor", "items.name.bytes", &inner, error);
    }
    sq_item_names_release(empty);
    sq_free(memory, texts);
    sq_free(memory, (void *)names);
    sq_free(memory, ids);
    return status;
}

static int32_t take_names(reading *r, const int64_t *offsets, const char *bytes, seqrec_error *error)
{
    int64_t total = (int64_t)sq_block_bytes(bytes);
    SQ_TRY(check_offsets(r, offsets, total, error));
    const char *zero = memchr(bytes, 0, (size_t)total);
    SQ_CHECK(!zero, error, SEQREC_E_FORMAT, "tensor 'items.name.bytes': byte %lld is 0",
             (long long)(zero ? zero - bytes : 0));
    return enter_names(r, offsets, bytes, total, error);
}

static int32_t read_names(reading *r, seqrec_error *error)
{
    void *offsets = NULL, *bytes = NULL;
    if (!has_names(r)) return SEQREC_OK;
    int32_t status = read_column(r, NAME_OFFSETS, &offsets, error);
    if (status == SEQREC_OK) status = read_column(r, NAME_BYTES, &bytes, error);
    if (status == SEQREC_OK) status = take_names(r, offsets, bytes, error);
    sq_free(&r->context->memory, offsets);
    sq_free(&r->context->memory, bytes);
    return status;
}

/* ---- The whole. ---- */

static int32_t read_all(reading *r, seqrec_error *error)
{
    SQ_TRY(read_texts(r, error));
    SQ_TRY(sq_layout_create(&r->context->memory, &r->options, &r->layout, error));
    SQ_TRY(check_tensors(r, error));
    SQ_TRY(read_parameters(r, error));
    SQ_TRY(read_items(r, error));
    return read_names(r, error);
}

/* Frees what was not handed over. */
static void drop(reading *r)
{
    const sq_memory *memory = &r->context->memory;
    sq_layout_free(memory, &r->layout);
    sq_free(memory, r->ids);
    sq_free(memory, r->slots);
    sq_free(memory, r->generations);
    sq_notes_release(r->foreign);
    sq_notes_release(r->notes);
    sq_weights_release(memory, r->weights);
    sq_catalogue_release(r->catalogue);
    sq_item_names_release(r->names);
}

static int32_t assemble(reading *r, seqrec_model **out, seqrec_error *error)
{
    const sq_change parts = {r->weights, r->catalogue, r->names, r->notes};
    seqrec_model *made = NULL;
    r->weights = NULL;
    r->catalogue = NULL;
    r->names = NULL;
    r->notes = NULL;
    SQ_TRY(sq_model_assemble(r->context, &r->options, r->preset, parts, &made, error));
    made->foreign = r->foreign;
    r->foreign = NULL;
    *out = made;
    return SEQREC_OK;
}

int32_t sq_model_file_read(seqrec_context *context, const sq_tensor_file *file, seqrec_model **out, seqrec_error *error)
{
    reading r = {.context = context, .file = file};
    int32_t status = read_all(&r, error);
    if (status == SEQREC_OK) status = assemble(&r, out, error);
    drop(&r);
    return status;
}

int32_t sq_model_load(seqrec_context *context, const char *path, seqrec_model **out, seqrec_error *error)
{
    sq_tensor_file *file = NULL;
    SQ_TRY(sq_tensor_file_open(&context->memory, path, &file, error));
    int32_t status = sq_model_file_read(context, file, out, error);
    if (status == SEQREC_OK && !sq_tensor_file_summed(file))
        sq_log(context, 1, "the model file has no checksums: damage to its values would not be seen");
    sq_tensor_file_close(file);
    return status;
}
