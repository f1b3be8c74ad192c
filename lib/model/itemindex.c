/* model: an index of the host, and what of a table it does not know. */
#include "model/itemindex.h"
#include <string.h>

#define SHARE 4 /* one item in so many may be outside the index, or gone from it */

int32_t sq_index_create(sq_catalogue *base, const seqrec_index *host, sq_index **out, seqrec_error *error)
{
    sq_index *made = sq_alloc_zero(&base->context->memory, 1, sizeof *made);
    SQ_CHECK(made, error, SEQREC_E_MEMORY, "no memory for an index");
    atomic_init(&made->references, 1);
    made->host = *host;
    made->base = sq_catalogue_retain(base);
    *out = made;
    return SEQREC_OK;
}

void sq_index_release(sq_index *index)
{
    if (!index || atomic_fetch_sub_explicit(&index->references, 1, memory_order_acq_rel) != 1) return;
    sq_catalogue *base = index->base;
    if (index->host.release) index->host.release(index->host.context);
    sq_free(&base->context->memory, index);
    sq_catalogue_release(base);
}

/* ---- comparing ---------------------------------------------------------------------------------------------------- */

int32_t sq_chunk_same(const sq_catalogue *now, const sq_catalogue *base, int32_t chunk)
{
    return chunk < base->chunks && now->slots[chunk] == base->slots[chunk] && now->rows[chunk] == base->rows[chunk];
}

int32_t sq_item_same(const sq_catalogue *now, const sq_catalogue *base, int32_t slot)
{
    const size_t output = now->tables == 2 ? (size_t)now->padded : 0;
    if (slot / SQ_CHUNK_ROWS >= base->chunks || !sq_catalogue_live(base, slot)) return 0;
    if (sq_catalogue_generation(now, slot) != sq_catalogue_generation(base, slot)) return 0;
    return memcmp(sq_catalogue_row(now, slot) + output, sq_catalogue_row(base, slot) + output, (size_t)now->padded * sizeof(float)) == 0;
}

/* ---- the side list -------------------------------------------------------------------------------------------------- */

typedef struct side_list {
    const sq_memory *memory;
    int32_t *slots;
    int64_t count, most;
} side_list;

static int32_t add(side_list *side, int32_t slot, seqrec_error *error)
{
    SQ_TRY(SQ_GROW(side->memory, side->slots, side->count, side->count + 1, error));
    side->slots[side->count++] = slot;
    return SEQREC_OK;
}

static int32_t add_changed(side_list *side, const sq_catalogue *now, const sq_catalogue *base, int32_t chunk, seqrec_error *error)
{
    for (int32_t row = 0; row < SQ_CHUNK_ROWS && side->count <= side->most; row++) {
        const int32_t slot = chunk * SQ_CHUNK_ROWS + row;
        if (now->slots[chunk]->live[row] && !sq_item_same(now, base, slot)) SQ_TRY(add(side, slot, error));
    }
    return SEQREC_OK;
}

static int32_t add_all(side_list *side, const sq_index *index, const sq_cover *before, const sq_catalogue *table, const sq_catalogue *now,
                       seqrec_error *error)
{
    int64_t at = 0;
    for (int32_t chunk = 0; chunk < now->chunks && side->count <= side->most; chunk++) {
        const int32_t end = (chunk + 1) * SQ_CHUNK_ROWS - 1; /* its last slot; one more may not be an int32 */
        const int64_t from = at;
        while (before && at < before->side_count && before->side[at] <= end) at++;
        if (sq_chunk_same(now, index->base, chunk)) continue;
        if (!before || !sq_chunk_same(now, table, chunk)) {
            SQ_TRY(add_changed(side, now, index->base, chunk, error));
            continue;
        }
        for (int64_t i = from; i < at; i++) SQ_TRY(add(side, before->side[i], error));
    }
    return SEQREC_OK;
}

static int32_t finish(side_list *side, sq_index *index, const sq_catalogue *now, sq_cover **out, seqrec_error *error)
{
    const int64_t covered = now->count - side->count;
    if (side->count > side->most || SHARE * covered < (SHARE - 1) * index->base->count || covered == 0) return SEQREC_OK;
    sq_cover *made = sq_alloc_zero(side->memory, 1, sizeof *made);
    SQ_CHECK(made, error, SEQREC_E_MEMORY, "no memory for the cover of an index");
    atomic_init(&made->references, 1);
    atomic_fetch_add_explicit(&index->references, 1, memory_order_relaxed);
    made->index = index;
    made->side = side->slots;
    made->side_count = side->count;
    side->slots = NULL;
    *out = made;
    return SEQREC_OK;
}

int32_t sq_cover_create(sq_index *index, const sq_cover *before, const sq_catalogue *table, const sq_catalogue *now, sq_cover **out,
                        seqrec_error *error)
{
    side_list side = {.memory = &index->base->context->memory, .most = now->count / SHARE};
    *out = NULL;
    int32_t status = add_all(&side, index, before, table, now, error);
    if (status == SEQREC_OK) status = finish(&side, index, now, out, error);
    sq_free(side.memory, side.slots);
    return status;
}

sq_cover *sq_cover_retain(sq_cover *cover)
{
    if (cover) atomic_fetch_add_explicit(&cover->references, 1, memory_order_relaxed);
    return cover;
}

void sq_cover_release(sq_cover *cover)
{
    if (!cover || atomic_fetch_sub_explicit(&cover->references, 1, memory_order_acq_rel) != 1) return;
    sq_index *index = cover->index;
    seqrec_context *context = sq_context_retain(index->base->context);
    sq_free(&context->memory, cover->side);
    sq_free(&context->memory, cover);
    sq_index_release(index);
    sq_context_release(context);
}
