/* model: a catalogue under construction: shares its base's parts and copies those it touches. */
#include "model/itemdraft.h"
#include <string.h>
#include "model/shards.h"

/* Mean entries of a shard above which the map gets twice as many: copying one shard stays a matter of microseconds. */
#define SHARD_MEAN 4096
#define SHARD_BITS_MOST 24

static int32_t no_memory(const char *what, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_MEMORY, "no memory for the %s table", what);
}

static const sq_memory *memory_of(const sq_draft *draft)
{
    return &draft->made->context->memory;
}

/* Moves the entries of one shard of the base to the `fan` shards that take its place. */
static int32_t split_shard(const sq_memory *memory, const sq_shard *from, sq_catalogue *made)
{
    int64_t id;
    int32_t slot, found;
    for (size_t cell = 0; sq_shard_next(from, &cell, &id, &slot);) {
        sq_shard **to = &made->shards[sq_shard_index(sq_hash_id(memory, id), made->shard_bits)];
        if (!sq_shard_insert(memory, to, id, slot, &found)) return 0;
    }
    return 1;
}

static int32_t split_shards(const sq_catalogue *base, sq_catalogue *made, int64_t total)
{
    const sq_memory *memory = &made->context->memory;
    int64_t mean = total >> made->shard_bits;
    for (size_t i = 0; i < (size_t)1 << made->shard_bits; i++) {
        made->shards[i] = sq_shard_create(memory, mean + mean / 16 + 4);
        if (!made->shards[i]) return 0;
    }
    for (size_t i = 0; i < (size_t)1 << base->shard_bits; i++) {
        if (!split_shard(memory, base->shards[i], made)) return 0;
    }
    return 1;
}

static int32_t share_shards(const sq_catalogue *base, sq_catalogue *made, int64_t total)
{
    while (made->shard_bits < SHARD_BITS_MOST && total >> made->shard_bits > SHARD_MEAN) made->shard_bits++;
    size_t count = (size_t)1 << made->shard_bits;
    made->shards = sq_alloc_zero(&made->context->memory, count, sizeof(sq_shard *));
    if (!made->shards) return 0;
    if (made->shard_bits != base->shard_bits) return split_shards(base, made, total);
    for (size_t i = 0; i < count; i++) made->shards[i] = sq_shard_retain(base->shards[i]);
    return 1;
}

static int32_t share_chunks(const sq_catalogue *base, sq_catalogue *made, int32_t chunks)
{
    const sq_memory *memory = &made->context->memory;
    made->slots = sq_alloc_zero(memory, (size_t)chunks, sizeof(sq_slots *));
    made->rows = sq_alloc_zero(memory, (size_t)chunks, sizeof(sq_rows *));
    if (base->coarse) made->coarse = sq_alloc_zero(memory, (size_t)chunks, sizeof(sq_coarse *));
    if (!made->slots || !made->rows || (base->coarse && !made->coarse)) return 0;
    made->chunks = chunks;
    for (int32_t i = 0; i < base->chunks; i++) {
        atomic_fetch_add_explicit(&base->slots[i]->references, 1, memory_order_relaxed);
        made->slots[i] = base->slots[i];
        made->rows[i] = sq_rows_retain(base->rows[i]);
        if (base->coarse && base->coarse[i]) made->coarse[i] = sq_coarse_retain(base->coarse[i]);
    }
    return 1;
}

int32_t sq_draft_begin(sq_draft *draft, const sq_catalogue *base, int32_t chunks, int64_t adding, seqrec_error *error)
{
    sq_catalogue *made = sq_alloc_zero(&base->context->memory, 1, sizeof *made);
    if (!made) return no_memory(base->kind->name, error);
    made->context = sq_context_retain(base->context);
    atomic_init(&made->references, 1);
    made->kind = base->kind;
    made->dim = base->dim;
    made->padded = base->padded;
    made->tables = base->tables;
    made->stride = base->stride;
    made->rule = base->rule;
    made->count = base->count;
    made->version = base->version;
    made->shard_bits = base->shard_bits;
    if (chunks < base->chunks) chunks = base->chunks;
    if (!share_chunks(base, made, chunks) || !share_shards(base, made, base->count + adding)) {
        sq_catalogue_release(made);
        return no_memory(base->kind->name, error);
    }
    draft->made = made;
    draft->shard_growth = (adding >> made->shard_bits) * 9 / 8 + (adding > 0);
    return SEQREC_OK;
}

/* Slots that somebody had may get rows of another version than theirs. */
static sq_slots *copy_slots(const sq_memory *memory, const sq_slots *like)
{
    sq_slots *slots = sq_alloc(memory, 1, sizeof *slots);
    uint64_t *stamps = slots ? sq_alloc(memory, SQ_CHUNK_ROWS, sizeof *stamps) : NULL;
    if (!stamps) {
        sq_free(memory, slots);
        return NULL;
    }
    size_t head = offsetof(sq_slots, live_count); /* the count of references is not part of the copy */
    memcpy((char *)slots + head, (const char *)like + head, sizeof *slots - head);
    for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) stamps[row] = sq_slots_stamp(like, row);
    slots->stamps = stamps;
    return slots;
}

static int32_t own_slots(const sq_memory *memory, uint64_t version, sq_slots **at)
{
    sq_slots *old = *at;
    if (old && atomic_load_explicit(&old->references, memory_order_acquire) == 1) return 1;
    sq_slots *own = old ? copy_slots(memory, old) : sq_alloc_zero(memory, 1, sizeof *own);
    if (!own) return 0;
    if (!old) own->stamp = version;
    atomic_init(&own->references, 1);
    *at = own;
    sq_slots_release(memory, old);
    return 1;
}

static int32_t own_rows(const sq_memory *memory, const sq_catalogue *made, sq_rows **at)
{
    sq_rows *old = *at;
    if (old && !old->mapping && atomic_load_explicit(&old->references, memory_order_acquire) == 1) return 1;
    sq_rows *own = sq_rows_create(memory, made->stride, old);
    if (!own) return 0;
    own->wiped = made->kind->wiped;
    *at = own;
    sq_rows_release(memory, old);
    return 1;
}

static void drop_copy(const sq_memory *memory, sq_coarse **at)
{
    sq_coarse_release(memory, *at);
    *at = NULL;
}

int32_t sq_draft_own_chunk(sq_draft *draft, int32_t chunk, seqrec_error *error)
{
    const sq_memory *memory = memory_of(draft);
    sq_catalogue *made = draft->made;
    if (!own_slots(memory, made->version, &made->slots[chunk]) || !own_rows(memory, made, &made->rows[chunk])) {
        return no_memory(draft->made->kind->name, error);
    }
    if (made->coarse) drop_copy(memory, &made->coarse[chunk]);
    return SEQREC_OK;
}

int32_t sq_draft_own_slots(sq_draft *draft, int32_t chunk, seqrec_error *error)
{
    return own_slots(memory_of(draft), draft->made->version, &draft->made->slots[chunk]) ? SEQREC_OK : no_memory(draft->made->kind->name, error);
}

int32_t sq_draft_store(sq_draft *draft, const sq_stored *stored, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    for (int32_t i = 0; i < made->chunks; i++) made->rows[i] = sq_rows_retain(stored->rows[i]);
    made->rule = stored->rule;
    if (stored->rule.kind == SQ_TABLE_FLOAT32) return SEQREC_OK;
    made->coarse = sq_alloc_zero(memory_of(draft), (size_t)made->chunks, sizeof(sq_coarse *));
    if (!made->coarse) return no_memory(made->kind->name, error);
    for (int32_t i = 0; i < made->chunks; i++) made->coarse[i] = sq_coarse_retain(stored->coarse[i]);
    return SEQREC_OK;
}

int32_t sq_draft_follow(sq_draft *draft, sq_coarse_rule rule, seqrec_error *error)
{
    const sq_memory *memory = memory_of(draft);
    sq_catalogue *made = draft->made;
    for (int32_t i = 0; made->coarse && i < made->chunks; i++) drop_copy(memory, &made->coarse[i]);
    made->rule = rule;
    if (rule.kind == SQ_TABLE_FLOAT32) {
        sq_free(memory, made->coarse);
        made->coarse = NULL;
        return SEQREC_OK;
    }
    if (!made->coarse) made->coarse = sq_alloc_zero(memory, (size_t)made->chunks, sizeof(sq_coarse *));
    return made->coarse ? SEQREC_OK : no_memory(made->kind->name, error);
}

int32_t sq_draft_fill_gaps(sq_draft *draft, int32_t generation, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    int32_t first = -1;
    for (int32_t i = 0; i < made->chunks; i++) {
        if (made->slots[i]) continue;
        if (first < 0) {
            first = i;
            SQ_TRY(sq_draft_own_chunk(draft, i, error));
            for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) made->slots[i]->generation[row] = generation;
            continue;
        }
        atomic_fetch_add_explicit(&made->slots[first]->references, 1, memory_order_relaxed);
        made->slots[i] = made->slots[first];
        made->rows[i] = sq_rows_retain(made->rows[first]);
    }
    return SEQREC_OK;
}

static int32_t own_shard(const sq_memory *memory, sq_shard **at, int64_t growth)
{
    if (!sq_shard_shared(*at)) return 1;
    sq_shard *own = sq_shard_copy(memory, *at, growth + sq_shard_count(*at) / 16); /* as much room as a new map has */
    if (!own) return 0;
    sq_shard_release(memory, *at);
    *at = own;
    return 1;
}

int32_t sq_draft_link(sq_draft *draft, int64_t id, int32_t slot, int32_t *found, seqrec_error *error)
{
    const sq_memory *memory = memory_of(draft);
    sq_shard **at = &draft->made->shards[sq_shard_index(sq_hash_id(memory_of(draft), id), draft->made->shard_bits)];
    if (!own_shard(memory, at, draft->shard_growth) || !sq_shard_insert(memory, at, id, slot, found)) {
        return no_memory(draft->made->kind->name, error);
    }
    return SEQREC_OK;
}

int32_t sq_draft_unlink(sq_draft *draft, int64_t id, seqrec_error *error)
{
    sq_shard **at = &draft->made->shards[sq_shard_index(sq_hash_id(memory_of(draft), id), draft->made->shard_bits)];
    if (!own_shard(memory_of(draft), at, 0)) return no_memory(draft->made->kind->name, error);
    sq_shard_erase(memory_of(draft), *at, id);
    return SEQREC_OK;
}

static int32_t make_copies(sq_draft *draft, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    for (int32_t i = 0; made->coarse && i < made->chunks; i++) {
        if (made->coarse[i] || made->slots[i]->live_count == 0) continue;
        const float *scored = made->rows[i]->at + (size_t)(made->stride - made->padded);
        made->coarse[i] = sq_coarse_create(memory_of(draft), made->rule, SQ_CHUNK_ROWS, (size_t)made->padded, (size_t)made->stride, scored);
        if (!made->coarse[i]) return no_memory(made->kind->name, error);
    }
    return SEQREC_OK;
}

int32_t sq_draft_end(sq_draft *draft, int32_t status, sq_catalogue **out, seqrec_error *error)
{
    if (status == SEQREC_OK) status = make_copies(draft, error);
    if (status == SEQREC_OK)
        *out = draft->made;
    else
        sq_catalogue_release(draft->made);
    draft->made = NULL;
    return status;
}
