/* model: lifetime and look-up of a keyed table; itemedit.c makes new ones. */
#include "model/catalogue.h"
#include <string.h>
#include "model/shards.h"
#include "tensor/kernels.h"

#define DIM_MOST 65536

const sq_kind sq_kind_item = {"item", 0}, sq_kind_user = {"user", 1};

sq_rows *sq_rows_create(const sq_memory *memory, int32_t stride, const sq_rows *like)
{
    size_t floats = (size_t)SQ_CHUNK_ROWS * (size_t)stride;
    sq_rows *rows = sq_alloc_zero(memory, 1, sizeof *rows);
    if (!rows) return NULL;
    atomic_init(&rows->references, 1);
    rows->at = like ? sq_alloc(memory, floats, sizeof(float)) : sq_alloc_zero(memory, floats, sizeof(float));
    if (!rows->at) {
        sq_free(memory, rows);
        return NULL;
    }
    rows->wiped = like && like->wiped;
    if (like) memcpy(rows->at, like->at, floats * sizeof(float));
    return rows;
}

sq_rows *sq_rows_map(const sq_memory *memory, sq_mapping *mapping, const float *at)
{
    sq_rows *rows = sq_alloc_zero(memory, 1, sizeof *rows);
    if (!rows) return NULL;
    atomic_init(&rows->references, 1);
    rows->at = (float *)at;
    rows->mapping = sq_mapping_retain(mapping);
    return rows;
}

sq_rows *sq_rows_retain(sq_rows *rows)
{
    atomic_fetch_add_explicit(&rows->references, 1, memory_order_relaxed);
    return rows;
}

void sq_rows_release(const sq_memory *memory, sq_rows *rows)
{
    if (!rows || atomic_fetch_sub_explicit(&rows->references, 1, memory_order_acq_rel) != 1) return;
    if (rows->wiped) memset(rows->at, 0, sq_block_bytes(rows->at));
    if (rows->mapping)
        sq_mapping_release(rows->mapping);
    else
        sq_free(memory, rows->at);
    sq_free(memory, rows);
}

void sq_slots_release(const sq_memory *memory, sq_slots *slots)
{
    if (!slots || atomic_fetch_sub_explicit(&slots->references, 1, memory_order_acq_rel) != 1) return;
    sq_free(memory, slots->stamps);
    sq_free(memory, slots);
}

int32_t sq_catalogue_create(seqrec_context *context, const sq_kind *kind, int32_t dim, int32_t tables,
                            sq_catalogue **out, seqrec_error *error)
{
    SQ_CHECK(dim >= 1 && dim <= DIM_MOST, error, SEQREC_E_RANGE, "dim=%d must lie in 1..%d", (int)dim, DIM_MOST);
    SQ_CHECK(tables == 1 || tables == 2, error, SEQREC_E_RANGE, "%d vectors for one %s: it must be 1 or 2",
             (int)tables, kind->name);
    const sq_memory *memory = &context->memory;
    sq_catalogue *made = sq_alloc_zero(memory, 1, sizeof *made);
    SQ_CHECK(made, error, SEQREC_E_MEMORY, "no memory for the %s table", kind->name);
    made->context = sq_context_retain(context);
    atomic_init(&made->references, 1);
    made->kind = kind;
    made->dim = dim;
    made->padded = (int32_t)sq_round16((size_t)dim);
    made->tables = tables;
    made->stride = tables * made->padded;
    made->slots = sq_alloc(memory, 0, sizeof(sq_slots *));
    made->rows = sq_alloc(memory, 0, sizeof(sq_rows *));
    made->shards = sq_alloc_zero(memory, 1, sizeof(sq_shard *));
    if (made->shards) made->shards[0] = sq_shard_create(memory, 0);
    if (!made->slots || !made->rows || !made->shards || !made->shards[0]) {
        sq_catalogue_release(made);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for the %s table", kind->name);
    }
    *out = made;
    return SEQREC_OK;
}

sq_catalogue *sq_catalogue_retain(sq_catalogue *catalogue)
{
    atomic_fetch_add_explicit(&catalogue->references, 1, memory_order_relaxed);
    return catalogue;
}

/* Also takes down what a failed construction left: arrays and parts may be absent. */
void sq_catalogue_release(sq_catalogue *catalogue)
{
    if (!catalogue || atomic_fetch_sub_explicit(&catalogue->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = catalogue->context;
    const sq_memory *memory = &context->memory;
    for (int32_t i = 0; i < catalogue->chunks; i++) {
        sq_slots_release(memory, catalogue->slots[i]);
        sq_rows_release(memory, catalogue->rows[i]);
        if (catalogue->coarse) sq_coarse_release(memory, catalogue->coarse[i]);
    }
    size_t shards = catalogue->shards ? (size_t)1 << catalogue->shard_bits : 0;
    for (size_t i = 0; i < shards; i++) sq_shard_release(memory, catalogue->shards[i]);
    sq_free(memory, catalogue->slots);
    sq_free(memory, catalogue->rows);
    sq_free(memory, catalogue->coarse);
    sq_free(memory, catalogue->shards);
    sq_free(memory, catalogue);
    sq_context_release(context);
}

int32_t sq_catalogue_find(const sq_catalogue *catalogue, int64_t id)
{
    uint64_t hash = sq_hash_id(&catalogue->context->memory, id);
    return sq_shard_find(catalogue->shards[sq_shard_index(hash, catalogue->shard_bits)], hash, id);
}
