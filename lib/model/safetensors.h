/* model: the safetensors container: named tensors and texts in one file, every byte of it checked before it is believed.
 * docs/FILE-FORMAT.md has the layout and the rules for checksums. */
#ifndef SQ_SAFETENSORS_H
#define SQ_SAFETENSORS_H
#include "base/memory.h"
#include "model/checksum.h"
#include "model/mapping.h"

#define SQ_TENSOR_RANK 8          /* most dimensions of a tensor read; written files use at most 4 */
#define SQ_TENSOR_COUNT 65536     /* most tensors of a file */
#define SQ_TENSOR_NAME 255        /* most bytes of a name written */
#define SQ_TENSOR_ALIGNMENT 64    /* the data section of a written file begins at a multiple of this */
#define SQ_HEADER_BYTES 100000000 /* most bytes of a header, the limit of the format itself */
/* The first bytes of a header with checksums; the 16 digits of its own sum follow. */
#define SQ_SUM_PREFIX "{\"__metadata__\":{\"xxh3\":\""
#define SQ_SUM_KEY "xxh3"   /* metadata key of the header's sum */
#define SQ_SUM_NAME "xxh3." /* metadata keys of the tensors' sums: this and the tensor's name */

/* Element types; internal numbers, never in a file. */
enum {
    SQ_F32 = 0,
    SQ_I64,
    SQ_I32,
    SQ_U64,
    SQ_U8,
    /* The rest is known so that other programs' files can be opened. */
    SQ_F64,
    SQ_F16,
    SQ_BF16,
    SQ_U32,
    SQ_I16,
    SQ_U16,
    SQ_I8,
    SQ_BOOL,
    SQ_F8_E4M3,
    SQ_F8_E5M2,
    SQ_DTYPES
};

/* Name in files ("F32"), or "?"; bytes of an element, or 0; number of a name, or -1. */
const char *sq_dtype_name(int32_t dtype);
size_t sq_dtype_bytes(int32_t dtype);
int32_t sq_dtype_find(const char *name);

/* ---- Reading. An open file is immutable: any number of threads may read it. ---- */

typedef struct sq_tensor {
    const char *name; /* lives as long as the file */
    int32_t dtype;
    int32_t rank;
    int64_t shape[SQ_TENSOR_RANK]; /* row-major; 1 beyond rank */
    int64_t begin;                 /* byte of the file where it starts */
    int64_t bytes;
    uint64_t sum; /* of its bytes, when the file has checksums */
} sq_tensor;

typedef struct sq_tensor_file sq_tensor_file;

/* Opens a regular file and checks all of it but the tensors' bytes: sizes, JSON, types, offsets, the header's sum. E_NOT_FOUND,
 * E_IO, E_FORMAT (names the tensor or the byte), E_MEMORY. The file must not be changed in place while it is open (replacing
 * it by rename is fine): a changed tensor is found by its sum, where there is one. */
int32_t sq_tensor_file_open(const sq_memory *memory, const char *path, sq_tensor_file **out, seqrec_error *error);
/* The same with the file mapped too: sq_tensor_file_mapping, else NULL. Tensors are read as from any file. */
int32_t sq_tensor_file_open_mapped(const sq_memory *memory, const char *path, sq_tensor_file **out, seqrec_error *error);
sq_mapping *sq_tensor_file_mapping(const sq_tensor_file *file);
/* The same from memory that the caller keeps as long as the file is open. */
int32_t sq_tensor_file_open_memory(const sq_memory *memory, const void *bytes, size_t count, sq_tensor_file **out,
                                   seqrec_error *error);
void sq_tensor_file_close(sq_tensor_file *file);

/* 1: the header and every tensor have a checksum, and the header's is right; 0: the file has none (another program wrote it). */
int32_t sq_tensor_file_summed(const sq_tensor_file *file);
int64_t sq_tensor_file_count(const sq_tensor_file *file);
/* Tensor `index` in the order of the data; NULL past the last. */
const sq_tensor *sq_tensor_file_at(const sq_tensor_file *file, int64_t index);
const sq_tensor *sq_tensor_file_find(const sq_tensor_file *file, const char *name);
/* Finds a tensor and checks its type and shape (a -1 in shape takes any size there). E_FORMAT says what belongs there. */
int32_t sq_tensor_file_expect(const sq_tensor_file *file, const char *name, int32_t dtype, int32_t rank,
                              const int64_t *shape, const sq_tensor **out, seqrec_error *error);
/* Metadata by key, NULL if absent; by index in file order, 0 past the last. Keys of checksums are not shown. */
const char *sq_tensor_file_text(const sq_tensor_file *file, const char *key);
int32_t sq_tensor_file_text_at(const sq_tensor_file *file, int64_t index, const char **key, const char **value);

/* Reads a whole tensor, tensor->bytes long, and checks its sum; on failure what is in out is not to be used. */
int32_t sq_tensor_read(const sq_tensor_file *file, const sq_tensor *tensor, void *out, seqrec_error *error);
/* Checks the sums of all tensors, streaming; nothing to do for a file without checksums. */
int32_t sq_tensor_file_verify(const sq_tensor_file *file, seqrec_error *error);

/* Reads a tensor in pieces, front to back. */
typedef struct sq_tensor_cursor {
    const sq_tensor_file *file;
    const sq_tensor *tensor;
    int64_t done; /* bytes */
    sq_checksum sum;
} sq_tensor_cursor;

void sq_tensor_start(sq_tensor_cursor *cursor, const sq_tensor_file *file, const sq_tensor *tensor);
/* The next `bytes` (E_ARGUMENT beyond the end). The call that reaches the end checks the sum: only then may what was read
 * before be believed. */
int32_t sq_tensor_next(sq_tensor_cursor *cursor, void *out, size_t bytes, seqrec_error *error);

/* ---- Writing. ---- */

typedef struct sq_tensor_writer sq_tensor_writer;

/* Writes rows [first, first + count) of a tensor to out; a row is one index of the first dimension (rank 0: one row). Called
 * front to back, twice over the whole tensor, and must give the same bytes both times. */
typedef int32_t (*sq_tensor_rows)(void *source, int64_t first, int64_t count, void *out, seqrec_error *error);

int32_t sq_tensor_writer_create(const sq_memory *memory, sq_tensor_writer **out, seqrec_error *error);
void sq_tensor_writer_free(sq_tensor_writer *writer);
/* Adds a metadata pair; copies both. Keys are unique and do not begin with "xxh3"; both are UTF-8. */
int32_t sq_tensor_writer_text(sq_tensor_writer *writer, const char *key, const char *value, seqrec_error *error);
/* Adds a tensor whose bytes lie at `data`, which stays until save is over (NULL is allowed when it is empty). Rank <= 4;
 * names are unique, 1 to 255 bytes of UTF-8, and copied. */
int32_t sq_tensor_writer_add(sq_tensor_writer *writer, const char *name, int32_t dtype, int32_t rank,
                             const int64_t *shape, const void *data, seqrec_error *error);
/* Adds a tensor whose rows a callback brings during save. Memory: one row or 256 KiB, whichever is more. */
int32_t sq_tensor_writer_add_rows(sq_tensor_writer *writer, const char *name, int32_t dtype, int32_t rank,
                                  const int64_t *shape, sq_tensor_rows rows, void *source, seqrec_error *error);
/* Writes the file, whole or not at all. E_STATE when a tensor changed between the two passes over it. May be called again. */
int32_t sq_tensor_writer_save(sq_tensor_writer *writer, const char *path, seqrec_error *error);
#endif
