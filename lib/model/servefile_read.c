/* model: reading the item vectors of a file for serving, chunk by chunk, or leaving them in the file. */
#include <math.h>
#include <string.h>
#include "model/servefile.h"
#include "tensor/scankernels.h"

/* The tensors, NULL where the kind of copies has none. */
typedef struct tensors {
    const sq_tensor *rows, *copies, *scales;
} tensors;

static const char *copies_name(int32_t table)
{
    return table == SQ_TABLE_INT8 ? "items.int8" : table == SQ_TABLE_BF16 ? "items.bf16" : NULL;
}

int32_t sq_serving_is_known(const char *name, int32_t table)
{
    const char *copies = copies_name(table);
    if (strcmp(name, "items.rows") == 0 || (copies && strcmp(name, copies) == 0)) return 1;
    return table == SQ_TABLE_INT8 && strcmp(name, "items.int8.scale") == 0;
}

static int32_t find(const sq_tensor_file *file, int32_t table, int32_t padded, int32_t stride, int32_t chunks, tensors *out,
                    seqrec_error *error)
{
    const int64_t rows = (int64_t)chunks * SQ_CHUNK_ROWS;
    const int64_t shape[] = {rows, stride}, halves[] = {rows, padded};
    const int64_t bytes[] = {rows / SQ_INT8_ROWS, padded / 4, SQ_INT8_ROWS, 4}, scales[] = {rows / SQ_INT8_ROWS, SQ_INT8_ROWS};
    *out = (tensors){0};
    SQ_TRY(sq_tensor_file_expect(file, "items.rows", SQ_F32, 2, shape, &out->rows, error));
    if (table == SQ_TABLE_BF16) return sq_tensor_file_expect(file, copies_name(table), SQ_BF16, 2, halves, &out->copies, error);
    if (table != SQ_TABLE_INT8) return SEQREC_OK;
    SQ_TRY(sq_tensor_file_expect(file, copies_name(table), SQ_U8, 4, bytes, &out->copies, error));
    return sq_tensor_file_expect(file, "items.int8.scale", SQ_F32, 2, scales, &out->scales, error);
}

void sq_serving_drop(const sq_memory *memory, sq_serving_chunks *chunks)
{
    for (int32_t i = 0; i < chunks->count; i++) {
        if (chunks->rows) sq_rows_release(memory, chunks->rows[i]);
        if (chunks->coarse) sq_coarse_release(memory, chunks->coarse[i]);
    }
    sq_free(memory, chunks->rows);
    sq_free(memory, chunks->coarse);
    *chunks = (sq_serving_chunks){0};
}

/* ---- Leaving them in the file. ---- */

static int32_t check_place(const sq_tensor *tensor, seqrec_error *error)
{
    SQ_CHECK(!tensor || tensor->begin % SQ_TENSOR_ALIGNMENT == 0, error, SEQREC_E_FORMAT,
             "tensor '%.80s' begins at byte %lld: what is mapped begins at a multiple of %d", tensor->name, (long long)tensor->begin,
             SQ_TENSOR_ALIGNMENT);
    return SEQREC_OK;
}

static const void *place_of(const sq_mapping *mapping, const sq_tensor *tensor, int32_t chunk, int32_t chunks)
{
    return mapping->bytes + tensor->begin + tensor->bytes / chunks * chunk;
}

static int32_t map_chunk(const sq_memory *memory, sq_mapping *mapping, const tensors *t, int32_t chunk, sq_serving_chunks *out)
{
    out->rows[chunk] = sq_rows_map(memory, mapping, place_of(mapping, t->rows, chunk, out->count));
    if (!out->rows[chunk]) return 0;
    if (!t->copies) return 1;
    out->coarse[chunk] = sq_coarse_map(memory, mapping, place_of(mapping, t->copies, chunk, out->count),
                                       t->scales ? place_of(mapping, t->scales, chunk, out->count) : NULL);
    return out->coarse[chunk] != NULL;
}

static int32_t map_all(const sq_memory *memory, sq_mapping *mapping, const tensors *t, sq_serving_chunks *out, seqrec_error *error)
{
    SQ_TRY(check_place(t->rows, error));
    SQ_TRY(check_place(t->copies, error));
    SQ_TRY(check_place(t->scales, error));
    for (int32_t i = 0; i < out->count; i++)
        SQ_CHECK(map_chunk(memory, mapping, t, i, out), error, SEQREC_E_MEMORY, "no memory for %d mapped chunks", (int)out->count);
    sq_mapping_scattered(mapping, (size_t)t->rows->begin, (size_t)t->rows->bytes);
    return SEQREC_OK;
}

/* ---- Reading them. ---- */

/* Vectors are finite, and what pads them is 0. */
static int32_t check_rows(const float *at, int32_t dim, int32_t padded, int32_t stride, int32_t chunk, seqrec_error *error)
{
    for (int64_t i = 0; i < (int64_t)SQ_CHUNK_ROWS * stride; i++) {
        const int32_t column = (int32_t)(i % stride % padded);
        SQ_CHECK(isfinite(at[i]) && (column < dim || at[i] == 0), error, SEQREC_E_FORMAT, "tensor 'items.rows': element %lld is not %s",
                 (long long)((int64_t)chunk * SQ_CHUNK_ROWS * stride + i), column < dim ? "finite" : "0, as padding is");
    }
    return SEQREC_OK;
}

static int32_t check_scales(const float *scales, int32_t chunk, seqrec_error *error)
{
    for (int32_t i = 0; i < SQ_CHUNK_ROWS; i++)
        SQ_CHECK(isfinite(scales[i]), error, SEQREC_E_FORMAT, "tensor 'items.int8.scale': element %lld is not finite",
                 (long long)chunk * SQ_CHUNK_ROWS + i);
    return SEQREC_OK;
}

typedef struct reading {
    const sq_memory *memory;
    int32_t table, dim, padded, stride;
    sq_tensor_cursor rows, copies, scales;
} reading;

static int32_t read_chunk(reading *r, const tensors *t, int32_t chunk, sq_serving_chunks *out, seqrec_error *error)
{
    sq_rows *rows = out->rows[chunk] = sq_rows_create(r->memory, r->stride, NULL);
    SQ_CHECK(rows, error, SEQREC_E_MEMORY, "no memory for %d rows", SQ_CHUNK_ROWS);
    SQ_TRY(sq_tensor_next(&r->rows, rows->at, SQ_CHUNK_ROWS * (size_t)r->stride * sizeof(float), error));
    SQ_TRY(check_rows(rows->at, r->dim, r->padded, r->stride, chunk, error));
    if (!t->copies) return SEQREC_OK;
    sq_coarse *copy = out->coarse[chunk] = sq_coarse_blank(r->memory, r->table, SQ_CHUNK_ROWS, (size_t)r->padded);
    SQ_CHECK(copy, error, SEQREC_E_MEMORY, "no memory for copies of %d rows", SQ_CHUNK_ROWS);
    SQ_TRY(sq_tensor_next(&r->copies, copy->at, SQ_CHUNK_ROWS * sq_coarse_bytes(r->table, (size_t)r->padded), error));
    if (!t->scales) return SEQREC_OK;
    SQ_TRY(sq_tensor_next(&r->scales, copy->scales, SQ_CHUNK_ROWS * sizeof(float), error));
    return check_scales(copy->scales, chunk, error);
}

static int32_t read_all(reading *r, const sq_tensor_file *file, const tensors *t, sq_serving_chunks *out, seqrec_error *error)
{
    sq_tensor_start(&r->rows, file, t->rows);
    if (t->copies) sq_tensor_start(&r->copies, file, t->copies);
    if (t->scales) sq_tensor_start(&r->scales, file, t->scales);
    for (int32_t i = 0; i < out->count; i++) SQ_TRY(read_chunk(r, t, i, out, error));
    return SEQREC_OK;
}

int32_t sq_serving_read(const sq_memory *memory, const sq_tensor_file *file, int32_t table, int32_t dim, int32_t padded, int32_t stride,
                        int32_t chunks, sq_serving_chunks *out, seqrec_error *error)
{
    tensors t;
    reading r = {.memory = memory, .table = table, .dim = dim, .padded = padded, .stride = stride};
    SQ_TRY(find(file, table, padded, stride, chunks, &t, error));
    out->rows = sq_alloc_zero(memory, (size_t)chunks, sizeof *out->rows);
    if (t.copies) out->coarse = sq_alloc_zero(memory, (size_t)chunks, sizeof *out->coarse);
    SQ_CHECK(out->rows && (!t.copies || out->coarse), error, SEQREC_E_MEMORY, "no memory for a list of %d chunks", (int)chunks);
    out->count = chunks;
    sq_mapping *mapping = sq_tensor_file_mapping(file);
    return mapping ? map_all(memory, mapping, &t, out, error) : read_all(&r, file, &t, out, error);
}
