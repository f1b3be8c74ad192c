/* model: the changes of a keyed table: put, update, remove, restore, other rows or copies; each makes a new catalogue or nothing. */
#include <inttypes.h>
#include <string.h>
#include "model/itemdraft.h"
#include "model/shards.h"

/* How far ahead of the insertion the cells of the id map are asked for: a large table misses the cache each time. */
#define AHEAD 12

static int32_t twice(const char *what, int64_t id, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_ARGUMENT, "%s %" PRId64 " occurs twice in one call: ids must be distinct", what, id);
}

/* Finite means an exponent that is not all ones; without a branch, so that it vectorises. */
static int32_t all_finite(const float *values, int64_t n)
{
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bad |= (uint32_t)((bits & 0x7f800000u) == 0x7f800000u);
    }
    return !bad;
}

/* Copies a vector [dim * tables] into a row [stride]. */
static int32_t write_vector(const sq_catalogue *made, int64_t id, const float *vector, float *row, seqrec_error *error)
{
    SQ_CHECK(all_finite(vector, (int64_t)made->dim * made->tables), error, SEQREC_E_ARGUMENT,
             "the vector of %s %" PRId64 " holds a value that is not finite", made->kind->name, id);
    for (int32_t table = 0; table < made->tables; table++) {
        memcpy(row + (size_t)table * (size_t)made->padded, vector + (size_t)table * (size_t)made->dim,
               (size_t)made->dim * sizeof(float));
    }
    return SEQREC_OK;
}

/* Puts id into a slot of a chunk whose slots the draft owns. */
static void enter(sq_catalogue *made, int64_t id, int32_t slot, int32_t generation)
{
    sq_slots *slots = made->slots[slot / SQ_CHUNK_ROWS];
    int32_t row = slot % SQ_CHUNK_ROWS;
    slots->id[row] = id;
    slots->generation[row] = generation;
    if (slots->stamps) slots->stamps[row] = made->version;
    slots->live[row] = 1;
    slots->live_count++;
    made->count++;
}

/* The same where it owns the rows too; the row is left zero. */
static float *settle(sq_catalogue *made, int64_t id, int32_t slot, int32_t generation)
{
    enter(made, id, slot, generation);
    float *at = sq_catalogue_row(made, slot);
    memset(at, 0, (size_t)made->stride * sizeof(float));
    return at;
}

/* Lowest slot at or above `from` that is free in base; past its chunks every slot is. */
static int32_t next_free(const sq_catalogue *base, int32_t from)
{
    int32_t row = from % SQ_CHUNK_ROWS;
    for (int32_t chunk = from / SQ_CHUNK_ROWS; chunk < base->chunks; chunk++, row = 0) {
        const sq_slots *slots = base->slots[chunk];
        if (slots->live_count == SQ_CHUNK_ROWS) continue;
        const uint8_t *free_at = memchr(slots->live + row, 0, (size_t)(SQ_CHUNK_ROWS - row));
        if (free_at) return chunk * SQ_CHUNK_ROWS + (int32_t)(free_at - slots->live);
    }
    int32_t end = base->chunks * SQ_CHUNK_ROWS;
    return from > end ? from : end;
}

static void look_ahead(const sq_catalogue *made, const int64_t *ids, int64_t i, int64_t n)
{
    if (i + AHEAD >= n) return;
    uint64_t hash = sq_hash_id(&made->context->memory, ids[i + AHEAD]);
    sq_shard_prefetch(made->shards[sq_shard_index(hash, made->shard_bits)], hash);
}

static int32_t put_all(sq_draft *draft, const sq_catalogue *base, const int64_t *ids, int64_t n, const float *vectors,
                       sq_row_fill fill, void *arg, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    size_t width = (size_t)made->dim * (size_t)made->tables;
    int32_t from = 0, found;
    for (int64_t i = 0; i < n; i++) {
        int32_t slot = next_free(base, from);
        from = slot + 1;
        look_ahead(made, ids, i, n);
        SQ_TRY(sq_draft_link(draft, ids[i], slot, &found, error));
        if (found != slot) return twice(made->kind->name, ids[i], error);
        SQ_TRY(sq_draft_own_chunk(draft, slot / SQ_CHUNK_ROWS, error));
        int32_t last = sq_catalogue_generation(made, slot);
        float *row = settle(made, ids[i], slot, last == INT32_MAX ? 1 : last + 1);
        if (vectors) {
            SQ_TRY(write_vector(made, ids[i], vectors + (size_t)i * width, row, error));
        } else if (fill) {
            fill(arg, ids[i], row);
        }
    }
    return SEQREC_OK;
}

int32_t sq_catalogue_put(const sq_catalogue *base, const int64_t *ids, int64_t n, const float *vectors,
                         sq_row_fill fill, void *arg, sq_catalogue **out, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n=%" PRId64 " must not be negative", n);
    SQ_CHECK(n <= SQ_SLOT_LIMIT - base->count, error, SEQREC_E_RANGE,
             "%" PRId64 " %ss and %" PRId64 " more: a table holds at most %" PRId64, base->count, base->kind->name, n,
             SQ_SLOT_LIMIT);
    for (int64_t i = 0; i < n; i++) {
        look_ahead(base, ids, i, n);
        SQ_CHECK(sq_catalogue_find(base, ids[i]) < 0, error, SEQREC_E_EXISTS,
                 "%s %" PRId64 " is there already: put takes new %ss only", base->kind->name, ids[i], base->kind->name);
    }
    sq_draft draft;
    int32_t chunks = (int32_t)((base->count + n + SQ_CHUNK_ROWS - 1) / SQ_CHUNK_ROWS);
    SQ_TRY(sq_draft_begin(&draft, base, chunks, n, error));
    draft.made->version += n > 0;
    return sq_draft_end(&draft, put_all(&draft, base, ids, n, vectors, fill, arg, error), out, error);
}

/* The first id that base lacks. */
static int32_t check_present(const sq_catalogue *base, const int64_t *ids, int64_t n, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n=%" PRId64 " must not be negative", n);
    for (int64_t i = 0; i < n; i++) {
        look_ahead(base, ids, i, n);
        SQ_CHECK(sq_catalogue_find(base, ids[i]) >= 0, error, SEQREC_E_NOT_FOUND, "there is no %s %" PRId64, base->kind->name,
                 ids[i]);
    }
    return SEQREC_OK;
}

static int32_t update_all(sq_draft *draft, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    size_t width = (size_t)made->dim * (size_t)made->tables;
    for (int64_t i = 0; i < n; i++) {
        int32_t slot = sq_catalogue_find(made, ids[i]);
        SQ_TRY(sq_draft_own_chunk(draft, slot / SQ_CHUNK_ROWS, error));
        uint64_t *stamp = &made->slots[slot / SQ_CHUNK_ROWS]->stamps[slot % SQ_CHUNK_ROWS]; /* the slots are a copy */
        if (*stamp == made->version) return twice(made->kind->name, ids[i], error);
        *stamp = made->version;
        SQ_TRY(write_vector(made, ids[i], vectors + (size_t)i * width, sq_catalogue_row(made, slot), error));
    }
    return SEQREC_OK;
}

int32_t sq_catalogue_update(const sq_catalogue *base, const int64_t *ids, int64_t n, const float *vectors,
                            sq_catalogue **out, seqrec_error *error)
{
    SQ_TRY(check_present(base, ids, n, error));
    sq_draft draft;
    SQ_TRY(sq_draft_begin(&draft, base, 0, 0, error));
    draft.made->version += n > 0;
    return sq_draft_end(&draft, update_all(&draft, ids, n, vectors, error), out, error);
}

static int32_t remove_all(sq_draft *draft, const sq_catalogue *base, const int64_t *ids, int64_t n, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    for (int64_t i = 0; i < n; i++) {
        int32_t slot = sq_catalogue_find(base, ids[i]), row = slot % SQ_CHUNK_ROWS;
        SQ_TRY(sq_draft_own_chunk(draft, slot / SQ_CHUNK_ROWS, error));
        sq_slots *slots = made->slots[slot / SQ_CHUNK_ROWS];
        if (!slots->live[row]) return twice(made->kind->name, ids[i], error);
        SQ_TRY(sq_draft_unlink(draft, ids[i], error));
        slots->live[row] = 0;
        slots->id[row] = 0;
        slots->live_count--;
        made->count--;
        memset(sq_catalogue_row(made, slot), 0, (size_t)made->stride * sizeof(float));
    }
    return SEQREC_OK;
}

int32_t sq_catalogue_remove(const sq_catalogue *base, const int64_t *ids, int64_t n, sq_catalogue **out,
                            seqrec_error *error)
{
    SQ_TRY(check_present(base, ids, n, error));
    sq_draft draft;
    SQ_TRY(sq_draft_begin(&draft, base, 0, 0, error));
    draft.made->version += n > 0;
    return sq_draft_end(&draft, remove_all(&draft, base, ids, n, error), out, error);
}

int32_t sq_catalogue_with_rows(const sq_catalogue *base, sq_rows *const *rows, sq_catalogue **out, seqrec_error *error)
{
    sq_draft draft;
    SQ_TRY(sq_draft_begin(&draft, base, 0, 0, error));
    for (int32_t i = 0; i < base->chunks; i++) {
        sq_rows_release(&base->context->memory, draft.made->rows[i]);
        draft.made->rows[i] = sq_rows_retain(rows[i]);
    }
    return sq_draft_end(&draft, sq_draft_follow(&draft, (sq_coarse_rule){SQ_TABLE_FLOAT32, 0}, error), out, error);
}

int32_t sq_catalogue_with_copies(const sq_catalogue *base, sq_coarse_rule rule, sq_catalogue **out, seqrec_error *error)
{
    sq_draft draft;
    SQ_TRY(sq_draft_begin(&draft, base, 0, 0, error));
    return sq_draft_end(&draft, sq_draft_follow(&draft, rule, error), out, error);
}

/* The places of a stored table: slots rising, generations positive. *greatest gets the highest generation. */
static int32_t check_places(const char *what, const int32_t *slots, const int32_t *generations, int64_t n,
                            int32_t *greatest, seqrec_error *error)
{
    *greatest = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t floor = i ? slots[i - 1] : -1;
        SQ_CHECK(slots[i] > floor && slots[i] < SQ_SLOT_LIMIT, error, SEQREC_E_FORMAT,
                 "slot %d of stored %s %" PRId64 " must lie in %d..%" PRId64 ": slots rise", (int)slots[i], what, i,
                 (int)floor + 1, SQ_SLOT_LIMIT - 1);
        SQ_CHECK(generations[i] > 0, error, SEQREC_E_FORMAT,
                 "generation %d of stored %s %" PRId64 " must be positive", (int)generations[i], what, i);
        if (generations[i] > *greatest) *greatest = generations[i];
    }
    return SEQREC_OK;
}

static int32_t restore_all(sq_draft *draft, const int64_t *ids, const int32_t *slots, const int32_t *generations,
                           int64_t n, const sq_stored *stored, int32_t greatest, seqrec_error *error)
{
    sq_catalogue *made = draft->made;
    for (int64_t i = 0; i < n; i++) {
        int32_t chunk = slots[i] / SQ_CHUNK_ROWS, found;
        look_ahead(made, ids, i, n);
        SQ_TRY(sq_draft_link(draft, ids[i], slots[i], &found, error));
        SQ_CHECK(found == slots[i], error, SEQREC_E_FORMAT, "%s %" PRId64 " is stored twice: ids must be distinct",
                 made->kind->name, ids[i]);
        int32_t fresh = !made->slots[chunk];
        SQ_TRY(stored ? sq_draft_own_slots(draft, chunk, error) : sq_draft_own_chunk(draft, chunk, error));
        for (int32_t row = 0; fresh && row < SQ_CHUNK_ROWS; row++) made->slots[chunk]->generation[row] = greatest;
        if (stored)
            enter(made, ids[i], slots[i], generations[i]);
        else
            settle(made, ids[i], slots[i], generations[i]);
    }
    return sq_draft_fill_gaps(draft, greatest, error);
}

/* A file does not say how often its gaps were used: they start from the highest generation of the table, so that a slot and
 * generation kept from before the file was written does not soon name another item. */
int32_t sq_catalogue_restore(seqrec_context *context, const sq_kind *kind, int32_t dim, int32_t tables, const int64_t *ids,
                             const int32_t *slots, const int32_t *generations, int64_t n, const sq_stored *stored, sq_catalogue **out,
                             seqrec_error *error)
{
    SQ_CHECK(n >= 0 && n <= SQ_SLOT_LIMIT, error, SEQREC_E_FORMAT, "%" PRId64 " stored %ss: must lie in 0..%" PRId64,
             n, kind->name, SQ_SLOT_LIMIT);
    int32_t greatest;
    SQ_TRY(check_places(kind->name, slots, generations, n, &greatest, error));
    sq_catalogue *empty;
    SQ_TRY(sq_catalogue_create(context, kind, dim, tables, &empty, error));
    sq_draft draft;
    int32_t status = sq_draft_begin(&draft, empty, n ? slots[n - 1] / SQ_CHUNK_ROWS + 1 : 0, n, error);
    if (status == SEQREC_OK) {
        draft.made->version += n > 0;
        if (stored) status = sq_draft_store(&draft, stored, error);
        if (status == SEQREC_OK) status = restore_all(&draft, ids, slots, generations, n, stored, greatest, error);
        status = sq_draft_end(&draft, status, out, error);
    }
    sq_catalogue_release(empty);
    return status;
}
