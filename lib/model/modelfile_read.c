/* model: reading a model file: nothing is made before every tensor is known to be there in its size. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "model/servefile.h"

#define BLOCK_BYTES ((size_t)256 << 10)

/* A keyed table of the file. */
typedef struct table {
    const char *name; /* first part of its tensors' names; NULL: the options ask for none */
    const sq_kind *kind;
    int32_t dim, tables;
    int64_t count;
    int32_t packed; /* 1: its vectors are whole chunks, of a file for serving */
    int32_t dtype;  /* of its vectors otherwise; in a file for serving also BF16 and I8, the latter with scales */
    int64_t *ids;
    int32_t *slots, *generations;
    sq_catalogue *catalogue;
    sq_item_names *names;
} table;

/* What was read so far. */
typedef struct reading {
    seqrec_context *context;
    const sq_tensor_file *file;
    int64_t longest; /* 0, or the max_length that is asked for */
    sq_options options;
    char preset[32];
    sq_layout layout;
    sq_notes *foreign, *notes;
    char lost[SQ_LOST_BYTES]; /* "": a model file */
    int32_t copies;           /* SQ_TABLE_* */
    table items, users;
    sq_weights *weights;
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
    SQ_CHECK(!option || option->scope == scope, error, SEQREC_E_FORMAT, "it is no option of a %s",
             scope == SQ_SCOPE_MODEL ? "model" : "training");
    return sq_options_set(&r->options, name, value, error);
}

static int32_t take_serving(reading *r, const char *name, const char *value, seqrec_error *error)
{
    if (strcmp(name, "lost") == 0) {
        SQ_CHECK(value[0] && strlen(value) < sizeof r->lost, error, SEQREC_E_FORMAT, "not 1 to %zu bytes", sizeof r->lost - 1);
        memcpy(r->lost, value, strlen(value) + 1);
    }
    if (strcmp(name, "table") == 0) {
        r->copies = sq_table_find(value);
        SQ_CHECK(r->copies >= 0, error, SEQREC_E_UNSUPPORTED, "\"%.40s\" is no table that this build knows", value);
    }
    return SEQREC_OK;
}

static int32_t take_text(reading *r, const char *key, const char *value, seqrec_error *error)
{
    const char *name;
    if ((name = behind(key, "serving.")) != NULL) return take_serving(r, name, value, error);
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

/* Tensors of a table: name behind the table's, type, dimensions (0 = count, 1 = dim, 2 = count + 1, -1 = any). */
static const struct {
    const char *name;
    int32_t dtype, rank, first, second;
} columns[] = {
    {".id", SQ_I64, 1, -1, 0},        {".slot", SQ_I32, 1, 0, 0},   {".generation", SQ_I32, 1, 0, 0},
    {".weight", SQ_F32, 2, 0, 1},     {".output", SQ_F32, 2, 0, 1}, {".name.offsets", SQ_I64, 1, 2, 0},
    {".name.bytes", SQ_U8, 1, -1, 0}, {".weight.scale", SQ_F32, 1, 0, 0}, {".output.scale", SQ_F32, 1, 0, 0},
};
#define COLUMNS ((int32_t)(sizeof columns / sizeof *columns))
enum { IDS, SLOTS, GENERATIONS, WEIGHT, OUTPUT, NAME_OFFSETS, NAME_BYTES, WEIGHT_SCALE, OUTPUT_SCALE };

typedef struct column_name {
    char text[32];
} column_name;

static column_name name_of(const table *t, int32_t column)
{
    column_name name;
    snprintf(name.text, sizeof name.text, "%.8s%s", t->name, columns[column].name);
    return name;
}

static int32_t has_names(const reading *r, const table *t)
{
    return sq_tensor_file_find(r->file, name_of(t, NAME_OFFSETS).text) != NULL ||
           sq_tensor_file_find(r->file, name_of(t, NAME_BYTES).text) != NULL;
}

static int32_t wants(const reading *r, const table *t, int32_t column)
{
    if (!t->name) return 0;
    if (t->packed && column != NAME_OFFSETS && column != NAME_BYTES) return column < WEIGHT;
    if (column >= WEIGHT_SCALE && t->dtype != SQ_I8) return 0;
    if (column == OUTPUT || column == OUTPUT_SCALE) return t->tables == 2;
    return column < OUTPUT || column == WEIGHT_SCALE || has_names(r, t);
}

static int32_t expect_column(const reading *r, const table *t, int32_t column, const sq_tensor **out,
                             seqrec_error *error)
{
    const int64_t sizes[3] = {t->count, t->dim, t->count + 1};
    int64_t shape[2];
    shape[0] = columns[column].first < 0 ? -1 : sizes[columns[column].first];
    shape[1] = sizes[columns[column].second];
    const int32_t dtype = column == WEIGHT || column == OUTPUT ? t->dtype : columns[column].dtype;
    return sq_tensor_file_expect(r->file, name_of(t, column).text, dtype, columns[column].rank, shape,
                                 out, error);
}

static int32_t is_column(const reading *r, const table *t, const char *name)
{
    for (int32_t i = 0; i < COLUMNS; i++)
        if (wants(r, t, i) && strcmp(name, name_of(t, i).text) == 0) return 1;
    return 0;
}

static int32_t check_table(const reading *r, table *t, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    if (!t->name) return SEQREC_OK;
    SQ_TRY(expect_column(r, t, IDS, &tensor, error));
    t->count = tensor->shape[0];
    for (int32_t i = SLOTS; i < COLUMNS; i++)
        if (wants(r, t, i)) SQ_TRY(expect_column(r, t, i, &tensor, error));
    return SEQREC_OK;
}

static int32_t expect_parameter(const reading *r, const sq_parameter *p, const sq_tensor **out, seqrec_error *error)
{
    int64_t shape[2];
    sq_parameter_shape(p, shape);
    return sq_tensor_file_expect(r->file, p->name, SQ_F32, p->rank, shape, out, error);
}

static int32_t is_known(const reading *r, const char *name)
{
    if (r->items.packed && sq_serving_is_known(name, r->copies)) return 1;
    if (behind(name, "train.") || behind(name, "opt.")) return 1;
    if (is_column(r, &r->items, name) || is_column(r, &r->users, name)) return 1;
    for (int32_t i = 0; i < r->layout.count; i++)
        if (strcmp(name, r->layout.parameters[i].name) == 0) return 1;
    return 0;
}

static int32_t check_tensors(reading *r, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    SQ_TRY(check_table(r, &r->items, error));
    SQ_TRY(check_table(r, &r->users, error));
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
    SQ_TRY(check_finite(p->name, flat, (size_t)sq_parameter_elements(p), 0, error));
    sq_parameter_import(p, flat, r->weights->at);
    return SEQREC_OK;
}

static int32_t read_parameters(reading *r, seqrec_error *error)
{
    const sq_memory *memory = &r->context->memory;
    int64_t most = 0;
    for (int32_t i = 0; i < r->layout.count; i++) {
        int64_t elements = sq_parameter_elements(&r->layout.parameters[i]);
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

/* ---- Items and users. ---- */

/* A whole column in new memory. */
static int32_t read_column(const reading *r, const table *t, int32_t column, void **out, seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    SQ_TRY(expect_column(r, t, column, &tensor, error));
    *out = sq_alloc(&r->context->memory, (size_t)tensor->bytes, 1);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for tensor '%.80s' of %lld bytes", tensor->name,
             (long long)tensor->bytes);
    return sq_tensor_read(r->file, tensor, *out, error);
}

static int32_t read_places(const reading *r, table *t, seqrec_error *error)
{
    void *ids = NULL, *slots = NULL, *generations = NULL;
    int32_t status = read_column(r, t, IDS, &ids, error);
    if (status == SEQREC_OK) status = read_column(r, t, SLOTS, &slots, error);
    if (status == SEQREC_OK) status = read_column(r, t, GENERATIONS, &generations, error);
    t->ids = ids;
    t->slots = slots;
    t->generations = generations;
    SQ_TRY(status);
    for (int64_t i = 0; i < t->count; i++)
        SQ_CHECK(t->slots[i] < sq_slots_most(t->count), error, SEQREC_E_FORMAT,
                 "tensor '%s.slot': slot %d is not below %lld, the most for %lld %s", t->name, (int)t->slots[i],
                 (long long)sq_slots_most(t->count), (long long)t->count, t->name);
    return SEQREC_OK;
}

/* Vectors of few bits, `n` of dim elements each at the end of the room at `block`, as floats from its beginning on. */
static void widen(const table *t, const float *scales, size_t n, float *block, const void *few)
{
    for (size_t i = 0; i < n * (size_t)t->dim; i++) {
        if (t->dtype == SQ_I8) {
            block[i] = scales[i / (size_t)t->dim] * (float)((const int8_t *)few)[i];
        } else {
            const uint32_t bits = (uint32_t)((const uint16_t *)few)[i] << 16;
            memcpy(&block[i], &bits, sizeof bits);
        }
    }
}

/* The next n vectors of a tensor as floats. Those of few bits are read into the end of the room: widening goes upwards, and stays
 * behind what it reads. */
static int32_t next_vectors(sq_tensor_cursor *cursor, const table *t, const float *scales, size_t n, float *block, seqrec_error *error)
{
    const size_t elements = n * (size_t)t->dim, bytes = elements * sq_dtype_bytes(t->dtype);
    char *at = (char *)(block + elements) - bytes;
    SQ_TRY(sq_tensor_next(cursor, at, bytes, error));
    if (t->dtype != SQ_F32) widen(t, scales, n, block, at);
    return SEQREC_OK;
}

/* Rows of one tensor straight into the chunks, which nobody else sees yet. scales: of all its rows, with whole numbers. */
static int32_t read_rows(const reading *r, table *t, int32_t column, size_t at, const float *scales, float *block, size_t rows,
                         seqrec_error *error)
{
    const sq_tensor *tensor = NULL;
    sq_tensor_cursor cursor;
    size_t dim = (size_t)t->dim;
    SQ_TRY(expect_column(r, t, column, &tensor, error));
    sq_tensor_start(&cursor, r->file, tensor);
    for (int64_t item = 0; item < t->count;) {
        size_t n = (size_t)(t->count - item) < rows ? (size_t)(t->count - item) : rows;
        SQ_TRY(next_vectors(&cursor, t, scales ? scales + item : NULL, n, block, error));
        SQ_TRY(check_finite(tensor->name, block, n * dim, item * t->dim, error));
        for (size_t i = 0; i < n; i++, item++)
            memcpy(sq_catalogue_row(t->catalogue, t->slots[item]) + at, block + i * dim, dim * sizeof *block);
    }
    return SEQREC_OK;
}

static int32_t read_scaled(const reading *r, table *t, int32_t column, size_t at, float *block, size_t rows, seqrec_error *error)
{
    void *scales = NULL;
    int32_t status = t->dtype == SQ_I8 ? read_column(r, t, column == WEIGHT ? WEIGHT_SCALE : OUTPUT_SCALE, &scales, error) : SEQREC_OK;
    if (status == SEQREC_OK) status = read_rows(r, t, column, at, scales, block, rows, error);
    sq_free(&r->context->memory, scales);
    return status;
}

static int32_t read_vectors(const reading *r, table *t, seqrec_error *error)
{
    size_t row_bytes = (size_t)t->dim * sizeof(float), rows = BLOCK_BYTES / row_bytes;
    float *block = sq_alloc(&r->context->memory, rows, row_bytes);
    SQ_CHECK(block, error, SEQREC_E_MEMORY, "no memory for a block of %s vectors", t->kind->name);
    int32_t status = read_scaled(r, t, WEIGHT, 0, block, rows, error);
    if (status == SEQREC_OK && wants(r, t, OUTPUT))
        status = read_scaled(r, t, OUTPUT, sq_output_offset(t->catalogue), block, rows, error);
    sq_free(&r->context->memory, block);
    return status;
}

/* Whole chunks, in memory or left in the file. */
static int32_t restore_packed(const reading *r, table *t, const sq_serving_chunks *chunks, seqrec_error *error)
{
    const sq_stored stored = {chunks->rows, chunks->coarse, {r->copies, r->options.score == SQ_SCORE_COSINE}};
    seqrec_error inner;
    if (sq_catalogue_restore(r->context, t->kind, t->dim, t->tables, t->ids, t->slots, t->generations, t->count, &stored,
                             &t->catalogue, &inner) != SEQREC_OK)
        return blame("tensors", "items.*", &inner, error);
    return SEQREC_OK;
}

static int32_t read_packed(const reading *r, table *t, seqrec_error *error)
{
    const sq_memory *memory = &r->context->memory;
    const int32_t padded = (int32_t)sq_round16((size_t)t->dim), last = t->count ? t->slots[t->count - 1] : -1;
    const int32_t count = last < 0 ? 0 : last / SQ_CHUNK_ROWS + 1;
    sq_serving_chunks chunks = {0};
    for (int64_t i = 0; i < t->count; i++)
        SQ_CHECK(t->slots[i] == i, error, SEQREC_E_FORMAT, "tensor '%s.slot': item %lld has slot %d; in a file for serving there are no gaps",
                 t->name, (long long)i, (int)t->slots[i]);
    int32_t status = sq_serving_read(memory, r->file, r->copies, t->dim, padded, t->tables * padded, count, &chunks, error);
    if (status == SEQREC_OK) status = restore_packed(r, t, &chunks, error);
    sq_serving_drop(memory, &chunks);
    return status;
}

static int32_t read_members(const reading *r, table *t, seqrec_error *error)
{
    char which[16];
    seqrec_error inner;
    SQ_TRY(read_places(r, t, error));
    if (t->packed) return read_packed(r, t, error);
    snprintf(which, sizeof which, "%.8s.*", t->name);
    if (sq_catalogue_restore(r->context, t->kind, t->dim, t->tables, t->ids, t->slots, t->generations, t->count, NULL,
                             &t->catalogue, &inner) != SEQREC_OK)
        return blame("tensors", which, &inner, error);
    return read_vectors(r, t, error);
}

/* ---- Names. ---- */

static int32_t check_offsets(const table *t, const int64_t *offsets, int64_t bytes, seqrec_error *error)
{
    for (int64_t i = 0; i <= t->count; i++) {
        int64_t floor = i ? offsets[i - 1] : 0;
        SQ_CHECK(offsets[i] >= floor && offsets[i] <= (i ? bytes : 0), error, SEQREC_E_FORMAT,
                 "tensor '%s.name.offsets': element %lld is %lld, not in %lld..%lld", t->name, (long long)i,
                 (long long)offsets[i], (long long)floor, (long long)(i ? bytes : 0));
    }
    SQ_CHECK(offsets[t->count] == bytes, error, SEQREC_E_FORMAT,
             "tensor '%s.name.offsets' ends at %lld, but there are %lld bytes of names", t->name,
             (long long)offsets[t->count], (long long)bytes);
    return SEQREC_OK;
}

/* The names as terminated texts in `texts`, listed with their ids; returns how many there are. */
static int64_t split_names(const table *t, const int64_t *offsets, const char *bytes, char *texts, const char **names,
                           int64_t *ids)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; i++) {
        size_t length = (size_t)(offsets[i + 1] - offsets[i]);
        if (length == 0) continue;
        memcpy(texts, bytes + offsets[i], length);
        texts[length] = '\0';
        names[n] = texts;
        ids[n++] = t->ids[i];
        texts += length + 1;
    }
    return n;
}

static int32_t enter_names(const reading *r, table *t, const int64_t *offsets, const char *bytes, int64_t total,
                           seqrec_error *error)
{
    const sq_memory *memory = &r->context->memory;
    size_t count = (size_t)t->count;
    char *texts = sq_alloc(memory, (size_t)total + count, 1);
    const char **names = sq_alloc(memory, count, sizeof *names);
    int64_t *ids = sq_alloc(memory, count, sizeof *ids);
    sq_item_names *empty = NULL;
    seqrec_error inner;
    int32_t status = SEQREC_OK;
    if (!texts || !names || !ids)
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for the names of %lld %s", (long long)t->count, t->name);
    if (status == SEQREC_OK) status = sq_item_names_create(r->context, &empty, error);
    if (status == SEQREC_OK) {
        int64_t n = split_names(t, offsets, bytes, texts, names, ids);
        if (sq_item_names_with(empty, ids, names, n, &t->names, &inner) != SEQREC_OK)
            status = blame("tensor", name_of(t, NAME_BYTES).text, &inner, error);
    }
    sq_item_names_release(empty);
    sq_free(memory, texts);
    sq_free(memory, (void *)names);
    sq_free(memory, ids);
    return status;
}

static int32_t take_names(const reading *r, table *t, const int64_t *offsets, const char *bytes, seqrec_error *error)
{
    int64_t total = (int64_t)sq_block_bytes(bytes);
    SQ_TRY(check_offsets(t, offsets, total, error));
    const char *zero = memchr(bytes, 0, (size_t)total);
    SQ_CHECK(!zero, error, SEQREC_E_FORMAT, "tensor '%s.name.bytes': byte %lld is 0", t->name,
             (long long)(zero ? zero - bytes : 0));
    return enter_names(r, t, offsets, bytes, total, error);
}

static int32_t read_names(const reading *r, table *t, seqrec_error *error)
{
    void *offsets = NULL, *bytes = NULL;
    if (!has_names(r, t)) return SEQREC_OK;
    int32_t status = read_column(r, t, NAME_OFFSETS, &offsets, error);
    if (status == SEQREC_OK) status = read_column(r, t, NAME_BYTES, &bytes, error);
    if (status == SEQREC_OK) status = take_names(r, t, offsets, bytes, error);
    sq_free(&r->context->memory, offsets);
    sq_free(&r->context->memory, bytes);
    return status;
}

/* ---- The whole. ---- */

/* Of files for serving what is there tells how vectors are kept. */
static void choose_tables(reading *r)
{
    r->items = (table){.name = "items", .kind = &sq_kind_item, .dim = r->layout.vd, .tables = r->options.tied_output ? 1 : 2, .dtype = SQ_F32};
    if (r->options.user_embedding != SQ_USER_NONE)
        r->users = (table){.name = "users", .kind = &sq_kind_user, .dim = r->layout.ud, .tables = 1, .dtype = SQ_F32};
    const sq_tensor *weight = sq_tensor_file_find(r->file, "items.weight");
    if (r->lost[0] == '\0') return;
    r->items.packed = sq_tensor_file_find(r->file, "items.rows") != NULL;
    if (weight && (weight->dtype == SQ_BF16 || weight->dtype == SQ_I8)) r->items.dtype = weight->dtype;
}

static int32_t check_mapped(const reading *r, seqrec_error *error)
{
    SQ_CHECK(!sq_tensor_file_mapping(r->file) || r->items.packed, error, SEQREC_E_UNSUPPORTED,
             "the file has no rows to map: seqrec_model_export with rows writes one that has");
    return SEQREC_OK;
}

static int32_t read_table(const reading *r, table *t, seqrec_error *error)
{
    if (!t->name) return SEQREC_OK;
    SQ_TRY(read_members(r, t, error));
    return read_names(r, t, error);
}

static int32_t read_all(reading *r, seqrec_error *error)
{
    SQ_TRY(read_texts(r, error));
    if (r->longest) SQ_TRY(sq_options_lengthen(&r->options, r->longest, error));
    SQ_TRY(sq_layout_outline(&r->context->memory, &r->options, &r->layout, error)); /* the rest once all tensors are known to be there */
    choose_tables(r);
    SQ_TRY(check_mapped(r, error));
    SQ_TRY(check_tensors(r, error));
    SQ_TRY(read_parameters(r, error));
    SQ_TRY(read_table(r, &r->items, error));
    return read_table(r, &r->users, error);
}

static void drop_table(const sq_memory *memory, table *t)
{
    sq_free(memory, t->ids);
    sq_free(memory, t->slots);
    sq_free(memory, t->generations);
    sq_catalogue_release(t->catalogue);
    sq_item_names_release(t->names);
}

/* Frees what was not handed over. */
static void drop(reading *r)
{
    const sq_memory *memory = &r->context->memory;
    sq_layout_free(memory, &r->layout);
    drop_table(memory, &r->items);
    drop_table(memory, &r->users);
    sq_notes_release(r->foreign);
    sq_notes_release(r->notes);
    sq_weights_release(memory, r->weights);
}

/* Copies that the file speaks of and does not hold are made. */
static int32_t follow_file(const reading *r, seqrec_model *made, seqrec_error *error)
{
    memcpy(made->lost, r->lost, sizeof made->lost);
    if (!r->items.packed) return sq_model_quantise(made, r->copies, error);
    made->table = r->copies;
    return SEQREC_OK;
}

static int32_t assemble(reading *r, seqrec_model **out, seqrec_error *error)
{
    const sq_parts parts = {.weights = r->weights,        .catalogue = r->items.catalogue,
                            .names = r->items.names,      .users = r->users.catalogue,
                            .user_names = r->users.names, .notes = r->notes};
    seqrec_model *made = NULL;
    r->weights = NULL;
    r->items.catalogue = r->users.catalogue = NULL;
    r->items.names = r->users.names = NULL;
    r->notes = NULL;
    SQ_TRY(sq_model_assemble(r->context, &r->options, r->preset, parts, &made, error));
    made->foreign = r->foreign;
    r->foreign = NULL;
    int32_t status = follow_file(r, made, error);
    if (status == SEQREC_OK)
        *out = made;
    else
        sq_model_release(made);
    return status;
}

static int32_t read_file(seqrec_context *context, const sq_tensor_file *file, int64_t longest, seqrec_model **out, seqrec_error *error)
{
    reading r = {.context = context, .file = file, .longest = longest};
    int32_t status = read_all(&r, error);
    if (status == SEQREC_OK) status = assemble(&r, out, error);
    drop(&r);
    return status;
}

int32_t sq_model_file_read(seqrec_context *context, const sq_tensor_file *file, seqrec_model **out, seqrec_error *error)
{
    return read_file(context, file, 0, out, error);
}

static int32_t read_open(seqrec_context *context, sq_tensor_file *file, int64_t longest, seqrec_model **out, seqrec_error *error)
{
    int32_t status = read_file(context, file, longest, out, error);
    if (status == SEQREC_OK && !sq_tensor_file_summed(file))
        sq_log(context, 2, "the model file has no checksums: damage to its values would not be seen");
    return status;
}

int32_t sq_model_load(seqrec_context *context, const char *path, int64_t longest, seqrec_model **out, seqrec_error *error)
{
    sq_tensor_file *file = NULL;
    SQ_TRY(sq_tensor_file_open(&context->memory, path, &file, error));
    int32_t status = read_open(context, file, longest, out, error);
    sq_tensor_file_close(file);
    return status;
}

int32_t sq_model_map(seqrec_context *context, const char *path, int32_t verify, seqrec_model **out, seqrec_error *error)
{
    sq_tensor_file *file = NULL;
    SQ_TRY(sq_tensor_file_open_mapped(&context->memory, path, &file, error));
    int32_t status = verify ? sq_tensor_file_verify(file, error) : SEQREC_OK;
    if (status == SEQREC_OK) status = read_open(context, file, 0, out, error);
    sq_tensor_file_close(file);
    return status;
}
