/* model: reading safetensors files; every byte is taken for hostile until it is checked. */
#include "model/safetensors.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensor data is little-endian and is read and written without conversion"
#endif
_Static_assert(sizeof(off_t) == 8, "files larger than 2 GiB need 64-bit offsets (-D_FILE_OFFSET_BITS=64)");

#define LENGTH_BYTES 8          /* the header's length, at the start of the file */
#define HEADER_DEPTH 3          /* header, tensor or metadata, shape or offsets */
#define HEADER_COMMAS (1 << 20) /* what a header of SQ_TENSOR_COUNT tensors needs; bounds the memory of the JSON tree */
#define HEADER_BRACKETS (4 * SQ_TENSOR_COUNT)
#define VERIFY_BLOCK ((size_t)256 << 10)
#define LARGEST_READ ((size_t)1 << 30)

typedef struct text_pair {
    const char *key, *value;
} text_pair;

struct sq_tensor_file {
    sq_memory memory;
    const unsigned char *bytes; /* NULL: read from fd */
    sq_mapping *mapping;        /* NULL, or all of it; reading goes by fd, so that a file cut short is an error and no signal */
    int fd;
    int64_t size;
    int64_t data; /* byte where the data section begins */
    int32_t summed;
    int64_t count;
    sq_tensor *tensors; /* by begin */
    int64_t text_count;
    text_pair *texts;
    char *pool; /* names and texts: each is shorter here than in the header, so the header's length is enough */
    size_t pool_used;
};

/* ---- Element types. ---- */

static const struct {
    const char *name;
    size_t bytes;
} dtypes[SQ_DTYPES] = {
    [SQ_F32] = {"F32", 4},   [SQ_I64] = {"I64", 8},         [SQ_I32] = {"I32", 4},         [SQ_U64] = {"U64", 8},
    [SQ_U8] = {"U8", 1},     [SQ_F64] = {"F64", 8},         [SQ_F16] = {"F16", 2},         [SQ_BF16] = {"BF16", 2},
    [SQ_U32] = {"U32", 4},   [SQ_I16] = {"I16", 2},         [SQ_U16] = {"U16", 2},         [SQ_I8] = {"I8", 1},
    [SQ_BOOL] = {"BOOL", 1}, [SQ_F8_E4M3] = {"F8_E4M3", 1}, [SQ_F8_E5M2] = {"F8_E5M2", 1},
};

const char *sq_dtype_name(int32_t dtype)
{
    return dtype >= 0 && dtype < SQ_DTYPES ? dtypes[dtype].name : "?";
}

size_t sq_dtype_bytes(int32_t dtype)
{
    return dtype >= 0 && dtype < SQ_DTYPES ? dtypes[dtype].bytes : 0;
}

int32_t sq_dtype_find(const char *name)
{
    for (int32_t i = 0; i < SQ_DTYPES; i++)
        if (strcmp(name, dtypes[i].name) == 0) return i;
    return -1;
}

/* ---- Bytes of the file. ---- */

static int32_t read_at(const sq_tensor_file *file, int64_t offset, void *out, size_t count, seqrec_error *error)
{
    if (file->bytes != NULL) {
        if (count > 0) memcpy(out, file->bytes + offset, count);
        return SEQREC_OK;
    }
    char *next = out;
    while (count > 0) {
        ssize_t got = pread(file->fd, next, count < LARGEST_READ ? count : LARGEST_READ, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        int code = errno;
        SQ_CHECK(got >= 0, error, SEQREC_E_IO, "cannot read byte %lld of the file: %s (errno %d)", (long long)offset,
                 sq_errno_text(code), code);
        SQ_CHECK(got > 0, error, SEQREC_E_IO, "the file ends at byte %lld; it was longer when it was opened",
                 (long long)offset);
        next += got;
        offset += got;
        count -= (size_t)got;
    }
    return SEQREC_OK;
}

/* Copies a text into the pool. */
static const char *keep_text(sq_tensor_file *file, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = file->pool + file->pool_used;
    memcpy(kept, text, bytes);
    file->pool_used += bytes;
    return kept;
}

/* ---- The header as bytes. ---- */

/* Depth and number of values before a tree is built of them: a small file must not make a large tree. */
static int32_t check_nesting(const unsigned char *text, size_t bytes, seqrec_error *error)
{
    int32_t depth = 0, commas = 0, brackets = 0, quoted = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = 0;
            continue;
        }
        if (c == '"')
            quoted = 1;
        else if (c == ',')
            commas++;
        else if (c == '}' || c == ']')
            depth--;
        else if (c == '{' || c == '[')
            depth++, brackets++;
        SQ_CHECK(depth <= HEADER_DEPTH, error, SEQREC_E_FORMAT, "byte %lld: the header is nested more than %d deep",
                 (long long)i + LENGTH_BYTES, HEADER_DEPTH);
        SQ_CHECK(commas <= HEADER_COMMAS && brackets <= HEADER_BRACKETS, error, SEQREC_E_FORMAT,
                 "byte %lld: the header has more values than %d tensors need", (long long)i + LENGTH_BYTES,
                 SQ_TENSOR_COUNT);
    }
    return SEQREC_OK;
}

/* The sum of the header, over the length's bytes and all of the header with the digits of the sum taken as '0'. They are
 * left so in `head`: the JSON reader has no use for them. A header that does not begin with the prefix has no sum. */
static int32_t check_header_sum(sq_tensor_file *file, char *head, size_t bytes, seqrec_error *error)
{
    size_t prefix = sizeof SQ_SUM_PREFIX - 1;
    if (bytes < LENGTH_BYTES + prefix + SQ_CHECKSUM_DIGITS) return SEQREC_OK;
    if (memcmp(head + LENGTH_BYTES, SQ_SUM_PREFIX, prefix) != 0) return SEQREC_OK;
    char *digits = head + LENGTH_BYTES + prefix;
    uint64_t stored;
    SQ_CHECK(sq_checksum_parse(digits, &stored), error, SEQREC_E_FORMAT,
             "byte %lld: the header's checksum is not %d hexadecimal digits", (long long)(LENGTH_BYTES + prefix),
             SQ_CHECKSUM_DIGITS);
    memset(digits, '0', SQ_CHECKSUM_DIGITS);
    uint64_t found = sq_checksum_of(head, bytes);
    SQ_CHECK(found == stored, error, SEQREC_E_FORMAT,
             "the header is damaged: its checksum is %016llx, the file says %016llx", (unsigned long long)found,
             (unsigned long long)stored);
    file->summed = 1;
    return SEQREC_OK;
}

/* Why there is no tree. Where memory fails in the middle of a text, jansson sees a token that is none and calls it wrong
 * syntax: in a header whose checksum is right that is the likelier reason, in others it cannot be told. */
static int32_t refuse_json(const sq_tensor_file *file, const json_error_t *problem, seqrec_error *error)
{
    enum json_error_code code = json_error_code(problem);
    if (problem->text[0] == '\0' || code == json_error_out_of_memory)
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for reading the header");
    if (file->summed && code == json_error_invalid_syntax)
        return sq_fail(error, SEQREC_E_MEMORY,
                       "no memory for reading the header, or it is not JSON though its checksum "
                       "is right");
    return sq_fail(error, SEQREC_E_FORMAT, "byte %lld: the header is not JSON: %.100s",
                   (long long)problem->position + LENGTH_BYTES, problem->text);
}

/* ---- The header as a tree. ---- */

static int32_t is_sum_key(const char *key)
{
    return strcmp(key, SQ_SUM_KEY) == 0 || strncmp(key, SQ_SUM_NAME, sizeof SQ_SUM_NAME - 1) == 0;
}

static int32_t check_text(const sq_tensor_file *file, const char *key, const json_t *value, seqrec_error *error)
{
    SQ_CHECK(json_is_string(value), error, SEQREC_E_FORMAT, "metadata '%.80s' is not a string", key);
    SQ_CHECK(
        file->summed || !is_sum_key(key), error, SEQREC_E_FORMAT,
        "metadata '%.80s' is a checksum, but the header does not begin with its own: a program that rewrites a file "
        "drops the keys '%s*'",
        key, SQ_SUM_KEY);
    return SEQREC_OK;
}

/* Keeps the texts, without those of the checksums; *sums counts the latter. */
static int32_t take_metadata(sq_tensor_file *file, json_t *metadata, int64_t *sums, seqrec_error *error)
{
    const char *key;
    json_t *value;
    *sums = 0;
    if (metadata == NULL) return SEQREC_OK;
    SQ_CHECK(json_is_object(metadata), error, SEQREC_E_FORMAT, "'__metadata__' is not a JSON object");
    file->texts = sq_alloc(&file->memory, json_object_size(metadata), sizeof *file->texts);
    SQ_CHECK(file->texts != NULL, error, SEQREC_E_MEMORY, "no memory for the file's metadata");
    json_object_foreach(metadata, key, value)
    {
        SQ_TRY(check_text(file, key, value, error));
        if (strncmp(key, SQ_SUM_NAME, sizeof SQ_SUM_NAME - 1) == 0) (*sums)++;
        if (is_sum_key(key)) continue;
        text_pair *pair = &file->texts[file->text_count++];
        pair->key = keep_text(file, key);
        pair->value = keep_text(file, json_string_value(value));
    }
    return SEQREC_OK;
}

/* Type and shape, and *bytes: what they make. */
static int32_t take_shape(sq_tensor *tensor, const json_t *dtype, const json_t *shape, int64_t *bytes,
                          seqrec_error *error)
{
    const char *name = tensor->name;
    SQ_CHECK(json_is_string(dtype), error, SEQREC_E_FORMAT, "tensor '%.80s' has no dtype", name);
    tensor->dtype = sq_dtype_find(json_string_value(dtype));
    SQ_CHECK(tensor->dtype >= 0, error, SEQREC_E_FORMAT, "tensor '%.80s' has the unknown dtype '%.80s'", name,
             json_string_value(dtype));
    SQ_CHECK(json_is_array(shape), error, SEQREC_E_FORMAT, "tensor '%.80s' has no shape", name);
    SQ_CHECK(json_array_size(shape) <= SQ_TENSOR_RANK, error, SEQREC_E_FORMAT,
             "tensor '%.80s' has %lld dimensions; at most %d are known", name, (long long)json_array_size(shape),
             SQ_TENSOR_RANK);
    tensor->rank = (int32_t)json_array_size(shape);
    *bytes = (int64_t)sq_dtype_bytes(tensor->dtype);
    for (int32_t i = 0; i < SQ_TENSOR_RANK; i++) {
        const json_t *size = i < tensor->rank ? json_array_get(shape, (size_t)i) : NULL;
        SQ_CHECK(i >= tensor->rank || json_is_integer(size), error, SEQREC_E_FORMAT,
                 "tensor '%.80s': dimension %d of the shape is not an integer", name, (int)i);
        tensor->shape[i] = i < tensor->rank ? (int64_t)json_integer_value(size) : 1;
        SQ_CHECK(tensor->shape[i] >= 0, error, SEQREC_E_FORMAT, "tensor '%.80s': dimension %d is %lld, below 0", name,
                 (int)i, (long long)tensor->shape[i]);
        SQ_CHECK(!__builtin_mul_overflow(*bytes, tensor->shape[i], bytes), error, SEQREC_E_FORMAT,
                 "tensor '%.80s' has a shape of more than 2^63 bytes", name);
    }
    return SEQREC_OK;
}

/* begin is taken relative to the data section here. */
static int32_t take_offsets(const sq_tensor_file *file, sq_tensor *tensor, const json_t *offsets, int64_t bytes,
                            seqrec_error *error)
{
    const char *name = tensor->name;
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    SQ_CHECK(json_array_size(offsets) == 2 && json_is_integer(first) && json_is_integer(last), error, SEQREC_E_FORMAT,
             "tensor '%.80s': data_offsets is not a pair of integers", name);
    int64_t begin = (int64_t)json_integer_value(first), end = (int64_t)json_integer_value(last);
    SQ_CHECK(begin >= 0 && begin <= end, error, SEQREC_E_FORMAT,
             "tensor '%.80s': data_offsets %lld to %lld are no range", name, (long long)begin, (long long)end);
    SQ_CHECK(end <= file->size - file->data, error, SEQREC_E_FORMAT,
             "tensor '%.80s' ends at byte %lld of the data, which has %lld", name, (long long)end,
             (long long)(file->size - file->data));
    SQ_CHECK(end - begin == bytes, error, SEQREC_E_FORMAT,
             "tensor '%.80s' has %lld bytes of data where its shape makes %lld", name, (long long)(end - begin),
             (long long)bytes);
    tensor->begin = begin;
    tensor->bytes = bytes;
    return SEQREC_OK;
}

static int32_t take_tensor(sq_tensor_file *file, const char *name, const json_t *entry, seqrec_error *error)
{
    sq_tensor *tensor = &file->tensors[file->count];
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    SQ_CHECK(json_object_size(entry) == 3 && dtype != NULL && shape != NULL && offsets != NULL, error, SEQREC_E_FORMAT,
             "tensor '%.80s' is not described by exactly dtype, shape and data_offsets", name);
    *tensor = (sq_tensor){.name = keep_text(file, name)};
    int64_t bytes = 0;
    SQ_TRY(take_shape(tensor, dtype, shape, &bytes, error));
    SQ_TRY(take_offsets(file, tensor, offsets, bytes, error));
    file->count++;
    return SEQREC_OK;
}

static int32_t take_tensors(sq_tensor_file *file, json_t *root, seqrec_error *error)
{
    const char *name;
    json_t *entry;
    SQ_CHECK(json_object_size(root) <= SQ_TENSOR_COUNT, error, SEQREC_E_FORMAT,
             "the file has %lld tensors; at most %d are taken", (long long)json_object_size(root), SQ_TENSOR_COUNT);
    file->tensors = sq_alloc(&file->memory, json_object_size(root), sizeof *file->tensors);
    SQ_CHECK(file->tensors != NULL, error, SEQREC_E_MEMORY, "no memory for the list of tensors");
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0) SQ_TRY(take_tensor(file, name, entry, error));
    }
    return SEQREC_OK;
}

/* ---- What the tensors make together. ---- */

/* Order of the data; an empty tensor comes before what begins at its place. */
static int32_t precedes(const sq_tensor *a, const sq_tensor *b)
{
    return a->begin != b->begin ? a->begin < b->begin : a->bytes < b->bytes;
}

static void sift_down(sq_tensor *heap, int64_t root, int64_t count)
{
    for (int64_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && precedes(&heap[child], &heap[child + 1])) child++;
        if (!precedes(&heap[root], &heap[child])) return;
        sq_tensor swapped = heap[root];
        heap[root] = heap[child];
        heap[child] = swapped;
    }
}

/* Heap sort: the C library's qsort may allocate. */
static void sort_tensors(sq_tensor *tensors, int64_t count)
{
    for (int64_t i = count / 2 - 1; i >= 0; i--) sift_down(tensors, i, count);
    for (int64_t last = count - 1; last > 0; last--) {
        sq_tensor swapped = tensors[0];
        tensors[0] = tensors[last];
        tensors[last] = swapped;
        sift_down(tensors, 0, last);
    }
}

/* One tensor begins where the one before ends, the first at 0, and the last ends with the file. Makes begins absolute. */
static int32_t check_cover(sq_tensor_file *file, seqrec_error *error)
{
    int64_t end = 0;
    for (int64_t i = 0; i < file->count; i++) {
        sq_tensor *tensor = &file->tensors[i];
        SQ_CHECK(tensor->begin == end, error, SEQREC_E_FORMAT,
                 tensor->begin < end
                     ? "tensor '%.80s' begins at byte %lld of the data, inside another that ends at %lld"
                     : "tensor '%.80s' begins at byte %lld of the data, but the one before ends at %lld",
                 tensor->name, (long long)tensor->begin, (long long)end);
        end += tensor->bytes;
        tensor->begin += file->data;
    }
    SQ_CHECK(file->data + end == file->size, error, SEQREC_E_FORMAT,
             "the tensors end at byte %lld, but the file has %lld bytes", (long long)(file->data + end),
             (long long)file->size);
    return SEQREC_OK;
}

/* The sum of one tensor, from metadata "xxh3.<name>"; `room` holds the longest key. */
static int32_t take_sum(sq_tensor *tensor, const json_t *metadata, char *room, seqrec_error *error)
{
    size_t prefix = sizeof SQ_SUM_NAME - 1;
    memcpy(room, SQ_SUM_NAME, prefix);
    memcpy(room + prefix, tensor->name, strlen(tensor->name) + 1);
    const json_t *text = json_object_get(metadata, room);
    SQ_CHECK(text != NULL, error, SEQREC_E_FORMAT, "tensor '%.80s' has no checksum, but the header has one",
             tensor->name);
    SQ_CHECK(json_string_length(text) == SQ_CHECKSUM_DIGITS && sq_checksum_parse(json_string_value(text), &tensor->sum),
             error, SEQREC_E_FORMAT, "the checksum of tensor '%.80s' is not %d hexadecimal digits", tensor->name,
             SQ_CHECKSUM_DIGITS);
    SQ_CHECK(tensor->bytes > 0 || tensor->sum == sq_checksum_of("", 0), error, SEQREC_E_FORMAT,
             "the checksum of tensor '%.80s' is not that of an empty tensor", tensor->name);
    return SEQREC_OK;
}

static int32_t take_sums(sq_tensor_file *file, const json_t *metadata, int64_t sums, seqrec_error *error)
{
    if (!file->summed) return SEQREC_OK;
    char *room = sq_alloc(&file->memory, (size_t)(file->data + 1) + sizeof SQ_SUM_NAME, 1);
    SQ_CHECK(room != NULL, error, SEQREC_E_MEMORY, "no memory for the checksums of the tensors");
    int32_t status = SEQREC_OK;
    for (int64_t i = 0; i < file->count && status == SEQREC_OK; i++)
        status = take_sum(&file->tensors[i], metadata, room, error);
    sq_free(&file->memory, room);
    SQ_TRY(status);
    SQ_CHECK(sums == file->count, error, SEQREC_E_FORMAT, "the file has %lld checksums for %lld tensors",
             (long long)sums, (long long)file->count);
    return SEQREC_OK;
}

/* ---- Opening. ---- */

static int32_t take_tree(sq_tensor_file *file, json_t *root, seqrec_error *error)
{
    int64_t sums;
    json_t *metadata = json_object_get(root, "__metadata__");
    SQ_TRY(take_metadata(file, metadata, &sums, error));
    SQ_TRY(take_tensors(file, root, error));
    sort_tensors(file->tensors, file->count);
    SQ_TRY(check_cover(file, error));
    return take_sums(file, metadata, sums, error);
}

/* head: room for length and header, `bytes` in all. */
static int32_t take_header(sq_tensor_file *file, char *head, size_t bytes, seqrec_error *error)
{
    SQ_TRY(read_at(file, 0, head, bytes, error));
    SQ_CHECK(head[LENGTH_BYTES] == '{', error, SEQREC_E_FORMAT, "byte %d: the header does not begin with '{'",
             LENGTH_BYTES);
    SQ_TRY(check_header_sum(file, head, bytes, error));
    SQ_TRY(check_nesting((const unsigned char *)head + LENGTH_BYTES, bytes - LENGTH_BYTES, error));
    json_error_t problem;
    json_t *root = json_loadb(head + LENGTH_BYTES, bytes - LENGTH_BYTES, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) return refuse_json(file, &problem, error);
    int32_t status = take_tree(file, root, error);
    json_decref(root);
    return status;
}

static int32_t take_file(sq_tensor_file *file, seqrec_error *error)
{
    unsigned char raw[LENGTH_BYTES];
    SQ_CHECK(file->size >= LENGTH_BYTES, error, SEQREC_E_FORMAT,
             "the file has %lld bytes, fewer than the %d that give the header's length", (long long)file->size,
             LENGTH_BYTES);
    SQ_TRY(read_at(file, 0, raw, sizeof raw, error));
    uint64_t length = 0;
    for (int32_t i = LENGTH_BYTES - 1; i >= 0; i--) length = length << 8 | raw[i];
    SQ_CHECK(length >= 2 && length <= SQ_HEADER_BYTES, error, SEQREC_E_FORMAT,
             "byte 0: the header's length is %llu; it is 2 to %d", (unsigned long long)length, SQ_HEADER_BYTES);
    file->data = LENGTH_BYTES + (int64_t)length;
    SQ_CHECK(file->data <= file->size, error, SEQREC_E_FORMAT,
             "the header ends at byte %lld, but the file has %lld bytes", (long long)file->data, (long long)file->size);
    char *head = sq_alloc(&file->memory, (size_t)file->data, 1);
    file->pool = sq_alloc(&file->memory, (size_t)file->data, 1);
    int32_t status =
        head != NULL && file->pool != NULL
            ? take_header(file, head, (size_t)file->data, error)
            : sq_fail(error, SEQREC_E_MEMORY, "no memory for the header of %llu bytes", (unsigned long long)length);
    sq_free(&file->memory, head);
    return status;
}

static int32_t open_path(sq_tensor_file *file, const char *path, seqrec_error *error)
{
    struct stat status;
    /* Without O_NONBLOCK a pipe would block here until somebody writes. */
    do file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (file->fd < 0 && errno == EINTR);
    int code = file->fd < 0 || fstat(file->fd, &status) != 0 ? errno : 0;
    SQ_CHECK(code == 0, error, code == ENOENT ? SEQREC_E_NOT_FOUND : SEQREC_E_IO, "cannot open '%s': %s (errno %d)",
             sq_path_tail(path), sq_errno_text(code), code);
    SQ_CHECK(S_ISREG(status.st_mode), error, SEQREC_E_IO, "cannot open '%s': it is not a regular file",
             sq_path_tail(path));
    file->size = (int64_t)status.st_size;
    return SEQREC_OK;
}

static int32_t new_file(const sq_memory *memory, sq_tensor_file **out, seqrec_error *error)
{
    *out = sq_alloc_zero(memory, 1, sizeof **out);
    SQ_CHECK(*out != NULL, error, SEQREC_E_MEMORY, "no memory for an open file");
    (*out)->memory = *memory;
    (*out)->fd = -1;
    return SEQREC_OK;
}

/* Hands the file out, or closes it. */
static int32_t finish_open(int32_t status, sq_tensor_file *file, sq_tensor_file **out)
{
    if (status == SEQREC_OK)
        *out = file;
    else
        sq_tensor_file_close(file);
    return status;
}

int32_t sq_tensor_file_open(const sq_memory *memory, const char *path, sq_tensor_file **out, seqrec_error *error)
{
    sq_tensor_file *file;
    SQ_CHECK(path != NULL && path[0] != '\0', error, SEQREC_E_ARGUMENT, "the path of a file to open is empty");
    SQ_TRY(new_file(memory, &file, error));
    int32_t status = open_path(file, path, error);
    if (status == SEQREC_OK) status = take_file(file, error);
    return finish_open(status, file, out);
}

static int32_t map_file(sq_tensor_file *file, seqrec_error *error)
{
    SQ_CHECK(file->size > 0, error, SEQREC_E_FORMAT, "the file is empty");
    return sq_mapping_create(&file->memory, file->fd, (size_t)file->size, &file->mapping, error);
}

int32_t sq_tensor_file_open_mapped(const sq_memory *memory, const char *path, sq_tensor_file **out, seqrec_error *error)
{
    sq_tensor_file *file;
    SQ_CHECK(path != NULL && path[0] != '\0', error, SEQREC_E_ARGUMENT, "the path of a file to open is empty");
    SQ_TRY(new_file(memory, &file, error));
    int32_t status = open_path(file, path, error);
    if (status == SEQREC_OK) status = map_file(file, error);
    if (status == SEQREC_OK) status = take_file(file, error);
    return finish_open(status, file, out);
}

sq_mapping *sq_tensor_file_mapping(const sq_tensor_file *file)
{
    return file->mapping;
}

int32_t sq_tensor_file_open_memory(const sq_memory *memory, const void *bytes, size_t count, sq_tensor_file **out,
                                   seqrec_error *error)
{
    sq_tensor_file *file;
    SQ_CHECK(bytes != NULL && count <= INT64_MAX, error, SEQREC_E_ARGUMENT, "no bytes to open as a file");
    SQ_TRY(new_file(memory, &file, error));
    file->bytes = bytes;
    file->size = (int64_t)count;
    return finish_open(take_file(file, error), file, out);
}

void sq_tensor_file_close(sq_tensor_file *file)
{
    if (file == NULL) return;
    sq_memory memory = file->memory;
    if (file->fd >= 0) (void)close(file->fd);
    sq_mapping_release(file->mapping);
    sq_free(&memory, file->tensors);
    sq_free(&memory, file->texts);
    sq_free(&memory, file->pool);
    sq_free(&memory, file);
}

/* ---- Looking up. ---- */

int32_t sq_tensor_file_summed(const sq_tensor_file *file)
{
    return file->summed;
}

int64_t sq_tensor_file_count(const sq_tensor_file *file)
{
    return file->count;
}

const sq_tensor *sq_tensor_file_at(const sq_tensor_file *file, int64_t index)
{
    return index >= 0 && index < file->count ? &file->tensors[index] : NULL;
}

const sq_tensor *sq_tensor_file_find(const sq_tensor_file *file, const char *name)
{
    for (int64_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

int32_t sq_tensor_file_expect(const sq_tensor_file *file, const char *name, int32_t dtype, int32_t rank,
                              const int64_t *shape, const sq_tensor **out, seqrec_error *error)
{
    const sq_tensor *tensor = sq_tensor_file_find(file, name);
    SQ_CHECK(tensor != NULL, error, SEQREC_E_FORMAT, "tensor '%.80s' is missing", name);
    SQ_CHECK(tensor->dtype == dtype, error, SEQREC_E_FORMAT, "tensor '%.80s' has dtype %s where %s belongs", name,
             sq_dtype_name(tensor->dtype), sq_dtype_name(dtype));
    SQ_CHECK(tensor->rank == rank, error, SEQREC_E_FORMAT, "tensor '%.80s' has %d dimensions where %d belong", name,
             (int)tensor->rank, (int)rank);
    for (int32_t i = 0; i < rank; i++)
        SQ_CHECK(shape[i] == -1 || tensor->shape[i] == shape[i], error, SEQREC_E_FORMAT,
                 "tensor '%.80s' has %lld in dimension %d (of 0 to %d) where %lld belongs", name,
                 (long long)tensor->shape[i], (int)i, (int)(rank - 1), (long long)shape[i]);
    *out = tensor;
    return SEQREC_OK;
}

const char *sq_tensor_file_text(const sq_tensor_file *file, const char *key)
{
    for (int64_t i = 0; i < file->text_count; i++)
        if (strcmp(file->texts[i].key, key) == 0) return file->texts[i].value;
    return NULL;
}

int32_t sq_tensor_file_text_at(const sq_tensor_file *file, int64_t index, const char **key, const char **value)
{
    if (index < 0 || index >= file->text_count) return 0;
    *key = file->texts[index].key;
    *value = file->texts[index].value;
    return 1;
}

/* ---- Reading data. ---- */

static int32_t check_sum(const sq_tensor_file *file, const sq_tensor *tensor, uint64_t found, seqrec_error *error)
{
    SQ_CHECK(!file->summed || found == tensor->sum, error, SEQREC_E_FORMAT,
             "tensor '%.80s' is damaged: its checksum is %016llx, the file says %016llx", tensor->name,
             (unsigned long long)found, (unsigned long long)tensor->sum);
    return SEQREC_OK;
}

int32_t sq_tensor_read(const sq_tensor_file *file, const sq_tensor *tensor, void *out, seqrec_error *error)
{
    SQ_TRY(read_at(file, tensor->begin, out, (size_t)tensor->bytes, error));
    return file->summed ? check_sum(file, tensor, sq_checksum_of(out, (size_t)tensor->bytes), error) : SEQREC_OK;
}

void sq_tensor_start(sq_tensor_cursor *cursor, const sq_tensor_file *file, const sq_tensor *tensor)
{
    cursor->file = file;
    cursor->tensor = tensor;
    cursor->done = 0;
    sq_checksum_start(&cursor->sum);
}

int32_t sq_tensor_next(sq_tensor_cursor *cursor, void *out, size_t bytes, seqrec_error *error)
{
    const sq_tensor *tensor = cursor->tensor;
    SQ_CHECK(bytes <= (size_t)(tensor->bytes - cursor->done), error, SEQREC_E_ARGUMENT,
             "%llu bytes asked for of tensor '%.80s', which has %lld left", (unsigned long long)bytes, tensor->name,
             (long long)(tensor->bytes - cursor->done));
    SQ_TRY(read_at(cursor->file, tensor->begin + cursor->done, out, bytes, error));
    cursor->done += (int64_t)bytes;
    if (!cursor->file->summed) return SEQREC_OK;
    sq_checksum_add(&cursor->sum, out, bytes);
    if (cursor->done < tensor->bytes) return SEQREC_OK;
    return check_sum(cursor->file, tensor, sq_checksum_value(&cursor->sum), error);
}

static int32_t verify_one(const sq_tensor_file *file, const sq_tensor *tensor, void *block, seqrec_error *error)
{
    sq_tensor_cursor cursor;
    sq_tensor_start(&cursor, file, tensor);
    while (cursor.done < tensor->bytes) {
        size_t left = (size_t)(tensor->bytes - cursor.done);
        SQ_TRY(sq_tensor_next(&cursor, block, left < VERIFY_BLOCK ? left : VERIFY_BLOCK, error));
    }
    return SEQREC_OK;
}

int32_t sq_tensor_file_verify(const sq_tensor_file *file, seqrec_error *error)
{
    if (!file->summed) return SEQREC_OK;
    void *block = sq_alloc(&file->memory, VERIFY_BLOCK, 1);
    SQ_CHECK(block != NULL, error, SEQREC_E_MEMORY, "no memory for a block of %llu bytes",
             (unsigned long long)VERIFY_BLOCK);
    int32_t status = SEQREC_OK;
    for (int64_t i = 0; i < file->count && status == SEQREC_OK; i++)
        status = verify_one(file, &file->tensors[i], block, error);
    sq_free(&file->memory, block);
    return status;
}
