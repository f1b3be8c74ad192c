/* model: the scored vectors of all items at one moment. */
#include "model/itemvectors.h"
#include <string.h>
#include "model/checksum.h"
#include "tensor/length.h"

int32_t sq_vectors_open(const seqrec_model *model, seqrec_vectors **out, seqrec_error *error)
{
    seqrec_vectors *made = sq_alloc_zero(&model->context->memory, 1, sizeof *made);
    SQ_CHECK(made, error, SEQREC_E_MEMORY, "no memory for a view of the item vectors");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    atomic_init(&made->references, 1);
    made->catalogue = sq_catalogue_retain(snapshot->parts.catalogue);
    made->cosine = model->options.score == SQ_SCORE_COSINE;
    sq_snapshot_release(model, snapshot);
    *out = made;
    return SEQREC_OK;
}

void sq_vectors_release(seqrec_vectors *vectors)
{
    if (!vectors || atomic_fetch_sub_explicit(&vectors->references, 1, memory_order_acq_rel) != 1) return;
    sq_catalogue *catalogue = vectors->catalogue;
    sq_free(&catalogue->context->memory, vectors);
    sq_catalogue_release(catalogue);
}

static const float *scored(const sq_catalogue *catalogue, int64_t slot)
{
    return sq_catalogue_row(catalogue, (int32_t)slot) + sq_output_offset(catalogue);
}

static void scale_to_one(const sq_kernels *kernels, const sq_catalogue *catalogue, const float *row, float *out)
{
    const float factor = sq_inverse_length(kernels, (size_t)catalogue->padded, row);
    for (int32_t i = 0; i < catalogue->dim; i++) out[i] = row[i] * factor;
}

void sq_vectors_read(const seqrec_vectors *vectors, int64_t first, int64_t n, float *out, uint8_t *live)
{
    const sq_catalogue *c = vectors->catalogue;
    const sq_kernels *kernels = sq_kernels_best();
    for (int64_t i = 0; i < n; i++) {
        const float *row = scored(c, first + i);
        float *to = out + (size_t)i * (size_t)c->dim;
        if (live) live[i] = sq_catalogue_live(c, (int32_t)(first + i));
        if (vectors->cosine)
            scale_to_one(kernels, c, row, to);
        else
            memcpy(to, row, (size_t)c->dim * sizeof *to);
    }
}

uint64_t sq_vectors_checksum(const seqrec_vectors *vectors)
{
    const sq_catalogue *c = vectors->catalogue;
    const int64_t shape[] = {c->dim, c->count, vectors->cosine};
    sq_checksum sum;
    sq_checksum_start(&sum);
    sq_checksum_add(&sum, shape, sizeof shape);
    for (int32_t chunk = 0; chunk < c->chunks; chunk++)
        for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) {
            const int64_t slot = (int64_t)chunk * SQ_CHUNK_ROWS + row, place[] = {slot, c->slots[chunk]->id[row]};
            if (!c->slots[chunk]->live[row]) continue;
            sq_checksum_add(&sum, place, sizeof place);
            sq_checksum_add(&sum, scored(c, slot), (size_t)c->dim * sizeof(float));
        }
    return sq_checksum_value(&sum);
}
