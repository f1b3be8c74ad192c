/* model: writing the item vectors of a file for serving. Each function of type sq_tensor_rows brings one tensor. */
#include <stdio.h>
#include <string.h>
#include "model/servefile.h"
#include "tensor/scankernels.h"

const char *const sq_table_names[SQ_TABLE_KINDS] = {"float32", "bf16", "int8"};

int32_t sq_table_find(const char *name)
{
    for (int32_t i = 0; i < SQ_TABLE_KINDS; i++)
        if (strcmp(name, sq_table_names[i]) == 0) return i;
    return -1;
}

int32_t sq_serving_prepare(sq_table_source *items, seqrec_error *error)
{
    const sq_memory *memory = &items->catalogue->context->memory;
    const size_t floats = SQ_INT8_ROWS * (size_t)items->catalogue->padded;
    items->gathered = sq_alloc(memory, floats, sizeof *items->gathered);
    items->copied = sq_alloc(memory, floats, sizeof(uint16_t));
    SQ_CHECK(items->gathered && items->copied, error, SEQREC_E_MEMORY, "no memory for writing copies of vectors");
    return SEQREC_OK;
}

/* Row `index` of the file, NULL behind the last item. */
static const float *row_at(const sq_table_source *source, int64_t index)
{
    return index < source->count ? sq_catalogue_row(source->catalogue, source->slots[index]) : NULL;
}

static int32_t bring_rows(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    const size_t stride = (size_t)source->catalogue->stride;
    float *to = out;
    (void)error;
    for (int64_t i = first; i < first + count; i++, to += stride) {
        const float *row = row_at(source, i);
        if (row)
            memcpy(to, row, stride * sizeof *to);
        else
            memset(to, 0, stride * sizeof *to);
    }
    return SEQREC_OK;
}

/* The scored vectors of `count` <= SQ_INT8_ROWS rows from `first` on, one behind the other. */
static const float *gather(const sq_table_source *source, int64_t first, int64_t count)
{
    const size_t width = (size_t)source->catalogue->padded;
    for (int64_t i = 0; i < count; i++) {
        const float *row = row_at(source, first + i);
        float *to = source->gathered + (size_t)i * width;
        if (row)
            memcpy(to, row + sq_output_offset(source->catalogue), width * sizeof *to);
        else
            memset(to, 0, width * sizeof *to);
    }
    return source->gathered;
}

static int32_t bring_halves(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    const size_t width = (size_t)source->catalogue->padded;
    (void)error;
    for (int64_t i = 0; i < count; i++)
        sq_coarse_fill(source->rule, 1, width, width, gather(source, first + i, 1), (uint8_t *)out + (size_t)i * width * 2, NULL);
    return SEQREC_OK;
}

/* Blocks of 16 rows: their bytes, and their scales. */
static int32_t bring_bytes(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    const size_t width = (size_t)source->catalogue->padded;
    float scales[SQ_INT8_ROWS];
    (void)error;
    for (int64_t b = 0; b < count; b++)
        sq_coarse_fill(source->rule, SQ_INT8_ROWS, width, width, gather(source, (first + b) * SQ_INT8_ROWS, SQ_INT8_ROWS),
                       (uint8_t *)out + (size_t)b * width * SQ_INT8_ROWS, scales);
    return SEQREC_OK;
}

static int32_t bring_scales(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const sq_table_source *source = from;
    const size_t width = (size_t)source->catalogue->padded;
    (void)error;
    for (int64_t b = 0; b < count; b++)
        sq_coarse_fill(source->rule, SQ_INT8_ROWS, width, width, gather(source, (first + b) * SQ_INT8_ROWS, SQ_INT8_ROWS), source->copied,
                       (float *)out + b * SQ_INT8_ROWS);
    return SEQREC_OK;
}

/* What would be infinite is the longest there is. */
static uint16_t finite_half(float x)
{
    const uint16_t half = sq_coarse_half(x);
    return (half & 0x7f80) == 0x7f80 ? (uint16_t)(half - 1) : half;
}

/* Vectors of one item, row by row: halves, or whole numbers and their scale; `behind`: where the vector begins in a row. */
static void bring_lossy(const sq_table_source *source, int64_t first, int64_t count, size_t behind, void *out, float *scales)
{
    const size_t dim = (size_t)source->catalogue->dim;
    for (int64_t i = 0; i < count; i++) {
        const float *x = row_at(source, first + i) + behind;
        if (source->rule.kind == SQ_TABLE_BF16)
            for (size_t c = 0; c < dim; c++) ((uint16_t *)out)[(size_t)i * dim + c] = finite_half(x[c]);
        else if (scales)
            scales[i] = sq_coarse_wholes(x, dim, (int8_t *)source->copied);
        else
            (void)sq_coarse_wholes(x, dim, (int8_t *)out + (size_t)i * dim);
    }
}

#define BRING_LOSSY(name, behind, out, scales)                                                                         \
    static int32_t name(void *from, int64_t first, int64_t count, void *to, seqrec_error *error)                       \
    {                                                                                                                  \
        const sq_table_source *source = from;                                                                          \
        (void)error;                                                                                                   \
        bring_lossy(source, first, count, behind, out, scales);                                                        \
        return SEQREC_OK;                                                                                              \
    }

BRING_LOSSY(bring_lossy_inputs, 0, to, NULL)
BRING_LOSSY(bring_lossy_outputs, sq_output_offset(source->catalogue), to, NULL)
BRING_LOSSY(bring_input_scales, 0, NULL, to)
BRING_LOSSY(bring_output_scales, sq_output_offset(source->catalogue), NULL, to)

static int32_t add_rows(sq_tensor_writer *writer, sq_table_source *items, seqrec_error *error)
{
    const int64_t rows = (items->count + SQ_CHUNK_ROWS - 1) / SQ_CHUNK_ROWS * SQ_CHUNK_ROWS, width = items->catalogue->padded;
    const int64_t shape[] = {rows, items->catalogue->stride}, halves[] = {rows, width};
    const int64_t bytes[] = {rows / SQ_INT8_ROWS, width / 4, SQ_INT8_ROWS, 4}, scales[] = {rows / SQ_INT8_ROWS, SQ_INT8_ROWS};
    SQ_TRY(sq_tensor_writer_add_rows(writer, "items.rows", SQ_F32, 2, shape, bring_rows, items, error));
    if (items->rule.kind == SQ_TABLE_BF16)
        return sq_tensor_writer_add_rows(writer, "items.bf16", SQ_BF16, 2, halves, bring_halves, items, error);
    if (items->rule.kind != SQ_TABLE_INT8) return SEQREC_OK;
    SQ_TRY(sq_tensor_writer_add_rows(writer, "items.int8", SQ_U8, 4, bytes, bring_bytes, items, error));
    return sq_tensor_writer_add_rows(writer, "items.int8.scale", SQ_F32, 2, scales, bring_scales, items, error);
}

static int32_t add_lossy(sq_tensor_writer *writer, sq_table_source *items, seqrec_error *error)
{
    const int64_t shape[] = {items->count, items->catalogue->dim};
    const int32_t scaled = items->rule.kind == SQ_TABLE_INT8, dtype = scaled ? SQ_I8 : SQ_BF16, two = items->catalogue->tables == 2;
    SQ_TRY(sq_tensor_writer_add_rows(writer, "items.weight", dtype, 2, shape, bring_lossy_inputs, items, error));
    if (scaled) SQ_TRY(sq_tensor_writer_add_rows(writer, "items.weight.scale", SQ_F32, 1, shape, bring_input_scales, items, error));
    if (two) SQ_TRY(sq_tensor_writer_add_rows(writer, "items.output", dtype, 2, shape, bring_lossy_outputs, items, error));
    if (two && scaled)
        SQ_TRY(sq_tensor_writer_add_rows(writer, "items.output.scale", SQ_F32, 1, shape, bring_output_scales, items, error));
    return SEQREC_OK;
}

int32_t sq_serving_add(sq_tensor_writer *writer, sq_table_source *items, seqrec_error *error)
{
    return items->form == SQ_FORM_ROWS ? add_rows(writer, items, error) : add_lossy(writer, items, error);
}

/* Vectors that were in few bits before are named with what they were in, the latest last, while there is room. */
static void say_few_bits(char lost[SQ_LOST_BYTES], const char *before, const char *table)
{
    static const char vectors[] = "float32 item vectors (";
    const char *said = strstr(before, vectors), *end = said ? strchr(said, ')') : NULL;
    const size_t bytes = end ? (size_t)(end - before) : 0, own = strlen(table);
    if (!end)
        snprintf(lost, SQ_LOST_BYTES, "optimiser state, %s%s)", vectors, table);
    else if (bytes >= own && memcmp(end - own, table, own) != 0 && bytes + own + sizeof ", then )" <= SQ_LOST_BYTES)
        snprintf(lost, SQ_LOST_BYTES, "%.*s, then %s)", (int)bytes, before, table);
    else
        snprintf(lost, SQ_LOST_BYTES, "%s", before);
}

/* What was lost before is not found again. */
int32_t sq_serving_add_texts(sq_tensor_writer *writer, const seqrec_model *model, sq_file_form form, seqrec_error *error)
{
    char lost[SQ_LOST_BYTES];
    if (form.form == SQ_FORM_PLAIN) return model->lost[0] ? sq_tensor_writer_text(writer, "serving.lost", model->lost, error) : SEQREC_OK;
    if (form.form == SQ_FORM_COPIES)
        say_few_bits(lost, model->lost, sq_table_names[form.table]);
    else
        snprintf(lost, sizeof lost, "%s", model->lost[0] ? model->lost : "optimiser state");
    SQ_TRY(sq_tensor_writer_text(writer, "serving.lost", lost, error));
    return sq_tensor_writer_text(writer, "serving.table", sq_table_names[form.table], error);
}
