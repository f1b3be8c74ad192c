/* model: writing safetensors files in two passes: the first sums every tensor, the second writes behind the finished header. */
#include "model/safetensors.h"
#include "base/text.h"
#include "model/filewrite.h"

#include <jansson.h>
#include <string.h>

#define WRITE_RANK 4
#define WRITE_BLOCK ((int64_t)256 << 10)
#define LENGTH_BYTES 8
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII)

typedef struct entry {
    char *name;
    int32_t dtype, rank;
    int64_t shape[WRITE_RANK];
    int64_t row_count, row_bytes; /* bytes of the tensor: their product */
    int64_t begin;                /* in the data section; set by arrange */
    const unsigned char *data;
    sq_tensor_rows rows; /* NULL: the bytes lie at data */
    void *source;
    uint64_t sum;
} entry;

typedef struct pair {
    char *key, *value;
} pair;

struct sq_tensor_writer {
    sq_memory memory;
    pair *texts;
    size_t text_count;
    entry *entries;
    size_t count;
    size_t *order; /* entries in the order of the data; during save */
    unsigned char *block;
};

/* ---- What the file will hold. ---- */

int32_t sq_tensor_writer_create(const sq_memory *memory, sq_tensor_writer **out, seqrec_error *error)
{
    sq_tensor_writer *writer = sq_alloc_zero(memory, 1, sizeof *writer);
    SQ_CHECK(writer != NULL, error, SEQREC_E_MEMORY, "no memory for a file to write");
    writer->memory = *memory;
    *out = writer;
    return SEQREC_OK;
}

void sq_tensor_writer_free(sq_tensor_writer *writer)
{
    if (writer == NULL) return;
    sq_memory memory = writer->memory;
    for (size_t i = 0; i < writer->text_count; i++) {
        sq_free(&memory, writer->texts[i].key);
        sq_free(&memory, writer->texts[i].value);
    }
    for (size_t i = 0; i < writer->count; i++) sq_free(&memory, writer->entries[i].name);
    sq_free(&memory, writer->texts);
    sq_free(&memory, writer->entries);
    sq_free(&memory, writer);
}

static int32_t is_utf8(const char *text)
{
    return text[sq_utf8_prefix(text)] == '\0';
}

static int32_t check_text(const sq_tensor_writer *writer, const char *key, const char *value, seqrec_error *error)
{
    SQ_CHECK(key != NULL && value != NULL, error, SEQREC_E_ARGUMENT, "metadata needs a key and a value");
    SQ_CHECK(is_utf8(key) && is_utf8(value), error, SEQREC_E_ARGUMENT, "metadata '%.80s' is not UTF-8", key);
    SQ_CHECK(strncmp(key, SQ_SUM_KEY, sizeof SQ_SUM_KEY - 1) != 0, error, SEQREC_E_ARGUMENT,
             "metadata '%.80s' begins with '%s', which checksums are kept under", key, SQ_SUM_KEY);
    for (size_t i = 0; i < writer->text_count; i++)
        SQ_CHECK(strcmp(writer->texts[i].key, key) != 0, error, SEQREC_E_EXISTS, "metadata '%.80s' is there already",
                 key);
    return SEQREC_OK;
}

int32_t sq_tensor_writer_text(sq_tensor_writer *writer, const char *key, const char *value, seqrec_error *error)
{
    SQ_TRY(check_text(writer, key, value, error));
    SQ_TRY(SQ_GROW(&writer->memory, writer->texts, writer->text_count, writer->text_count + 1, error));
    pair added = {.key = sq_copy_text(&writer->memory, key, strlen(key)),
                  .value = sq_copy_text(&writer->memory, value, strlen(value))};
    if (added.key == NULL || added.value == NULL) {
        sq_free(&writer->memory, added.key);
        sq_free(&writer->memory, added.value);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for metadata of %lld bytes", (long long)strlen(value));
    }
    writer->texts[writer->text_count++] = added;
    return SEQREC_OK;
}

static int32_t check_name(const sq_tensor_writer *writer, const char *name, seqrec_error *error)
{
    SQ_CHECK(name != NULL && name[0] != '\0' && strlen(name) <= SQ_TENSOR_NAME && is_utf8(name), error,
             SEQREC_E_ARGUMENT, "the name of a tensor is 1 to %d bytes of UTF-8", SQ_TENSOR_NAME);
    SQ_CHECK(strcmp(name, "__metadata__") != 0, error, SEQREC_E_ARGUMENT,
             "'__metadata__' is no name for a tensor: the format keeps it for texts");
    SQ_CHECK(writer->count < SQ_TENSOR_COUNT - 1, error, SEQREC_E_RANGE,
             "tensor '%.80s' is one more than the %d of a file", name, SQ_TENSOR_COUNT - 1);
    for (size_t i = 0; i < writer->count; i++)
        SQ_CHECK(strcmp(writer->entries[i].name, name) != 0, error, SEQREC_E_EXISTS, "tensor '%.80s' is there already",
                 name);
    return SEQREC_OK;
}

/* Fills type, shape and sizes. */
static int32_t describe(entry *out, const char *name, int32_t dtype, int32_t rank, const int64_t *shape,
                        seqrec_error *error)
{
    SQ_CHECK(sq_dtype_bytes(dtype) > 0, error, SEQREC_E_ARGUMENT, "tensor '%.80s': %d is no element type", name,
             (int)dtype);
    SQ_CHECK(rank >= 0 && rank <= WRITE_RANK && (rank == 0 || shape != NULL), error, SEQREC_E_ARGUMENT,
             "tensor '%.80s' has %d dimensions; 0 to %d can be written", name, (int)rank, WRITE_RANK);
    out->dtype = dtype;
    out->rank = rank;
    out->row_count = rank > 0 ? shape[0] : 1;
    out->row_bytes = (int64_t)sq_dtype_bytes(dtype);
    int64_t bytes = out->row_bytes;
    for (int32_t i = 0; i < rank; i++) {
        out->shape[i] = shape[i];
        SQ_CHECK(shape[i] >= 0, error, SEQREC_E_ARGUMENT, "tensor '%.80s': dimension %d is %lld, below 0", name, (int)i,
                 (long long)shape[i]);
        SQ_CHECK(!__builtin_mul_overflow(bytes, shape[i], &bytes) &&
                     (i == 0 || !__builtin_mul_overflow(out->row_bytes, shape[i], &out->row_bytes)),
                 error, SEQREC_E_ARGUMENT, "tensor '%.80s' has a shape of more than 2^63 bytes", name);
    }
    return SEQREC_OK;
}

static int32_t add(sq_tensor_writer *writer, entry *added, const char *name, int32_t dtype, int32_t rank,
                   const int64_t *shape, seqrec_error *error)
{
    SQ_TRY(check_name(writer, name, error));
    SQ_TRY(describe(added, name, dtype, rank, shape, error));
    SQ_CHECK(added->rows != NULL || added->data != NULL || added->row_count * added->row_bytes == 0, error,
             SEQREC_E_ARGUMENT, "tensor '%.80s' has no data", name);
    SQ_TRY(SQ_GROW(&writer->memory, writer->entries, writer->count, writer->count + 1, error));
    added->name = sq_copy_text(&writer->memory, name, strlen(name));
    SQ_CHECK(added->name != NULL, error, SEQREC_E_MEMORY, "no memory for the name of a tensor");
    writer->entries[writer->count++] = *added;
    return SEQREC_OK;
}

int32_t sq_tensor_writer_add(sq_tensor_writer *writer, const char *name, int32_t dtype, int32_t rank,
                             const int64_t *shape, const void *data, seqrec_error *error)
{
    entry added = {.data = data};
    return add(writer, &added, name, dtype, rank, shape, error);
}

int32_t sq_tensor_writer_add_rows(sq_tensor_writer *writer, const char *name, int32_t dtype, int32_t rank,
                                  const int64_t *shape, sq_tensor_rows rows, void *source, seqrec_error *error)
{
    entry added = {.rows = rows, .source = source};
    return add(writer, &added, name, dtype, rank, shape, error);
}

/* ---- Layout. ---- */

/* The largest power of two, at most SQ_TENSOR_ALIGNMENT, that divides the size of a tensor. */
static int64_t evenness(const entry *tensor)
{
    int64_t bytes = tensor->row_count * tensor->row_bytes, power = SQ_TENSOR_ALIGNMENT;
    while (bytes % power != 0) power /= 2;
    return power;
}

/* By falling evenness, equal ones as they were added: every tensor then begins at a multiple of its own, without holes. */
static int32_t arrange(sq_tensor_writer *writer, seqrec_error *error)
{
    size_t placed = 0;
    int64_t end = 0;
    for (int64_t power = SQ_TENSOR_ALIGNMENT; power > 0; power /= 2) {
        for (size_t i = 0; i < writer->count; i++) {
            entry *tensor = &writer->entries[i];
            if (evenness(tensor) != power) continue;
            tensor->begin = end;
            SQ_CHECK(!__builtin_add_overflow(end, tensor->row_count * tensor->row_bytes, &end) &&
                         end <= INT64_MAX - 2 * (int64_t)SQ_HEADER_BYTES,
                     error, SEQREC_E_RANGE, "the tensors make a file of more than 2^63 bytes");
            writer->order[placed++] = i;
        }
    }
    return SEQREC_OK;
}

/* ---- Passes over the data. ---- */

static int64_t rows_per_block(const entry *tensor)
{
    int64_t rows = tensor->row_bytes > 0 ? WRITE_BLOCK / tensor->row_bytes : 1;
    return rows > 0 ? rows : 1;
}

/* Sums one tensor block by block and writes it too when `file` is not NULL. */
static int32_t pass(sq_tensor_writer *writer, const entry *tensor, sq_filewrite *file, uint64_t *sum,
                    seqrec_error *error)
{
    sq_checksum running;
    sq_checksum_start(&running);
    int64_t step = rows_per_block(tensor);
    for (int64_t first = 0; first < tensor->row_count && tensor->row_bytes > 0; first += step) {
        int64_t count = tensor->row_count - first < step ? tensor->row_count - first : step;
        const unsigned char *bytes = writer->block;
        if (tensor->rows != NULL)
            SQ_TRY(tensor->rows(tensor->source, first, count, writer->block, error));
        else
            bytes = tensor->data + first * tensor->row_bytes;
        sq_checksum_add(&running, bytes, (size_t)(count * tensor->row_bytes));
        if (file != NULL) SQ_TRY(sq_filewrite_put(file, bytes, (size_t)(count * tensor->row_bytes), error));
    }
    *sum = sq_checksum_value(&running);
    return SEQREC_OK;
}

static int32_t sum_all(sq_tensor_writer *writer, seqrec_error *error)
{
    for (size_t i = 0; i < writer->count; i++)
        SQ_TRY(pass(writer, &writer->entries[i], NULL, &writer->entries[i].sum, error));
    return SEQREC_OK;
}

static int32_t write_all(sq_tensor_writer *writer, sq_filewrite *file, seqrec_error *error)
{
    for (size_t i = 0; i < writer->count; i++) {
        const entry *tensor = &writer->entries[writer->order[i]];
        uint64_t sum;
        SQ_TRY(pass(writer, tensor, file, &sum, error));
        SQ_CHECK(sum == tensor->sum, error, SEQREC_E_STATE, "tensor '%.80s' changed while it was written",
                 tensor->name);
    }
    return SEQREC_OK;
}

/* ---- The header. Each function returns 0, or -1 when memory fails: names and texts were checked when they were added. ---- */

static int put_sum(json_t *metadata, const char *key, uint64_t sum)
{
    char digits[SQ_CHECKSUM_DIGITS];
    sq_checksum_write(sum, digits);
    return json_object_set_new(metadata, key, json_stringn(digits, sizeof digits));
}

static int put_metadata(json_t *root, const sq_tensor_writer *writer)
{
    json_t *metadata = json_object();
    if (json_object_set_new(root, "__metadata__", metadata) != 0) return -1;
    if (put_sum(metadata, SQ_SUM_KEY, 0) != 0) return -1;
    for (size_t i = 0; i < writer->text_count; i++)
        if (json_object_set_new(metadata, writer->texts[i].key, json_string(writer->texts[i].value)) != 0) return -1;
    for (size_t i = 0; i < writer->count; i++) {
        const entry *tensor = &writer->entries[writer->order[i]];
        char key[sizeof SQ_SUM_NAME + SQ_TENSOR_NAME];
        memcpy(key, SQ_SUM_NAME, sizeof SQ_SUM_NAME - 1);
        memcpy(key + sizeof SQ_SUM_NAME - 1, tensor->name, strlen(tensor->name) + 1);
        if (put_sum(metadata, key, tensor->sum) != 0) return -1;
    }
    return 0;
}

static int put_tensor(json_t *root, const entry *tensor)
{
    json_t *described = json_object();
    if (json_object_set_new(root, tensor->name, described) != 0) return -1;
    if (json_object_set_new(described, "dtype", json_string(sq_dtype_name(tensor->dtype))) != 0) return -1;
    json_t *shape = json_array();
    if (json_object_set_new(described, "shape", shape) != 0) return -1;
    for (int32_t i = 0; i < tensor->rank; i++)
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) return -1;
    json_t *offsets = json_array();
    if (json_object_set_new(described, "data_offsets", offsets) != 0) return -1;
    if (json_array_append_new(offsets, json_integer(tensor->begin)) != 0) return -1;
    return json_array_append_new(offsets, json_integer(tensor->begin + tensor->row_count * tensor->row_bytes));
}

static json_t *build_tree(const sq_tensor_writer *writer)
{
    json_t *root = json_object();
    int failed = root == NULL || put_metadata(root, writer) != 0;
    for (size_t i = 0; i < writer->count && !failed; i++)
        failed = put_tensor(root, &writer->entries[writer->order[i]]) != 0;
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

/* Length, text, spaces up to the alignment, and the sum of all that in its place. */
static int32_t print_header(const sq_memory *memory, const json_t *root, char **out, size_t *bytes, seqrec_error *error)
{
    char nothing[1];
    size_t text = json_dumpb(root, nothing, 0, DUMP_FLAGS);
    SQ_CHECK(text > 0, error, SEQREC_E_MEMORY, "no memory for the header of the file");
    *bytes = (LENGTH_BYTES + text + SQ_TENSOR_ALIGNMENT - 1) / SQ_TENSOR_ALIGNMENT * SQ_TENSOR_ALIGNMENT;
    SQ_CHECK(*bytes - LENGTH_BYTES <= SQ_HEADER_BYTES, error, SEQREC_E_RANGE,
             "names and metadata make a header of %lld bytes; the format allows %d", (long long)*bytes,
             SQ_HEADER_BYTES);
    char *head = sq_alloc(memory, *bytes, 1);
    SQ_CHECK(head != NULL, error, SEQREC_E_MEMORY, "no memory for the header of %lld bytes", (long long)*bytes);
    memset(head + LENGTH_BYTES, ' ', *bytes - LENGTH_BYTES);
    if (json_dumpb(root, head + LENGTH_BYTES, text, DUMP_FLAGS) != text) {
        sq_free(memory, head);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for the header of %lld bytes", (long long)*bytes);
    }
    uint64_t length = *bytes - LENGTH_BYTES;
    for (int32_t i = 0; i < LENGTH_BYTES; i++, length >>= 8) head[i] = (char)(unsigned char)(length & 255);
    sq_checksum_write(sq_checksum_of(head, *bytes), head + LENGTH_BYTES + sizeof SQ_SUM_PREFIX - 1);
    *out = head;
    return SEQREC_OK;
}

static int32_t make_header(const sq_tensor_writer *writer, char **out, size_t *bytes, seqrec_error *error)
{
    json_t *root = build_tree(writer);
    SQ_CHECK(root != NULL, error, SEQREC_E_MEMORY, "no memory for the header of %lld tensors",
             (long long)writer->count);
    int32_t status = print_header(&writer->memory, root, out, bytes, error);
    json_decref(root);
    return status;
}

/* ---- Saving. ---- */

static int32_t write_file(sq_tensor_writer *writer, const char *path, const char *head, size_t bytes,
                          seqrec_error *error)
{
    sq_filewrite file;
    SQ_TRY(sq_filewrite_open(&file, &writer->memory, path, error));
    int32_t status = sq_filewrite_put(&file, head, bytes, error);
    if (status == SEQREC_OK) status = write_all(writer, &file, error);
    if (status == SEQREC_OK) status = sq_filewrite_commit(&file, error);
    sq_filewrite_close(&file);
    return status;
}

/* The block rows are brought in: the largest any callback is asked for. */
static size_t block_bytes(const sq_tensor_writer *writer)
{
    int64_t most = 0;
    for (size_t i = 0; i < writer->count; i++) {
        const entry *tensor = &writer->entries[i];
        int64_t bytes = rows_per_block(tensor) * tensor->row_bytes;
        if (tensor->rows != NULL && bytes > most) most = bytes;
    }
    return (size_t)most;
}

static int32_t save(sq_tensor_writer *writer, const char *path, seqrec_error *error)
{
    char *head = NULL;
    size_t bytes = 0;
    SQ_CHECK(writer->order != NULL && writer->block != NULL, error, SEQREC_E_MEMORY,
             "no memory for writing %lld tensors", (long long)writer->count);
    SQ_TRY(arrange(writer, error));
    SQ_TRY(sum_all(writer, error));
    SQ_TRY(make_header(writer, &head, &bytes, error));
    int32_t status = write_file(writer, path, head, bytes, error);
    sq_free(&writer->memory, head);
    return status;
}

int32_t sq_tensor_writer_save(sq_tensor_writer *writer, const char *path, seqrec_error *error)
{
    writer->order = sq_alloc(&writer->memory, writer->count, sizeof *writer->order);
    writer->block = sq_alloc(&writer->memory, block_bytes(writer), 1);
    int32_t status = save(writer, path, error);
    sq_free(&writer->memory, writer->order);
    sq_free(&writer->memory, writer->block);
    writer->order = NULL;
    writer->block = NULL;
    return status;
}
