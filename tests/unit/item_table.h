/* unit: an item table as a test sees it: a catalogue, the context it lives in, and a check of everything it promises. */
#ifndef ITEM_TABLE_H
#define ITEM_TABLE_H
#include "failing_allocator.h"
#include "model/catalogue.h"

typedef struct item_table {
    failing_allocator memory;
    seqrec_context *context;
    sq_catalogue *now;
    seqrec_error error; /* of the last failed change */
} item_table;

static inline int32_t table_open(item_table *table, int32_t dim, int32_t tables)
{
    seqrec_allocator allocator = failing_allocator_of(&table->memory);
    table->context = NULL;
    table->now = NULL;
    int32_t status = sq_context_create(&allocator, NULL, 0, NULL, NULL, &table->context, &table->error);
    return status ? status : sq_catalogue_create(table->context, &sq_kind_item, dim, tables, &table->now, &table->error);
}

/* Blocks still outstanding after everything was given back: 0. */
static inline int64_t table_close(item_table *table)
{
    sq_catalogue_release(table->now);
    sq_context_release(table->context);
    return atomic_load(&table->memory.blocks);
}

/* What a change made replaces what was; a failure leaves it. */
static inline int32_t table_take(item_table *table, int32_t status, sq_catalogue *made)
{
    if (status == SEQREC_OK) {
        sq_catalogue_release(table->now);
        table->now = made;
    }
    return status;
}

static inline int32_t table_put(item_table *table, const int64_t *ids, int64_t n, const float *vectors)
{
    sq_catalogue *made = NULL;
    int32_t status = sq_catalogue_put(table->now, ids, n, vectors, NULL, NULL, &made, &table->error);
    return table_take(table, status, made);
}

static inline int32_t table_update(item_table *table, const int64_t *ids, int64_t n, const float *vectors)
{
    sq_catalogue *made = NULL;
    int32_t status = sq_catalogue_update(table->now, ids, n, vectors, &made, &table->error);
    return table_take(table, status, made);
}

static inline int32_t table_remove(item_table *table, const int64_t *ids, int64_t n)
{
    sq_catalogue *made = NULL;
    int32_t status = sq_catalogue_remove(table->now, ids, n, &made, &table->error);
    return table_take(table, status, made);
}

static inline uint64_t stamp_of(const sq_catalogue *table, int32_t slot)
{
    return sq_slots_stamp(table->slots[slot / SQ_CHUNK_ROWS], slot % SQ_CHUNK_ROWS);
}

static inline int32_t row_is_zero(const sq_catalogue *table, int32_t slot, int32_t from, int32_t to)
{
    for (int32_t i = from; i < to; i++) {
        if (sq_catalogue_row(table, slot)[i] != 0) return 0;
    }
    return 1;
}

/* NULL, or what about the table does not hold together. */
static inline const char *table_fault(const sq_catalogue *table)
{
    int64_t live = 0;
    for (int32_t chunk = 0; chunk < table->chunks; chunk++) {
        const sq_slots *slots = table->slots[chunk];
        int32_t in_chunk = 0;
        for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) {
            int32_t slot = chunk * SQ_CHUNK_ROWS + row;
            in_chunk += slots->live[row] != 0;
            if (!slots->live[row] && !row_is_zero(table, slot, 0, table->stride)) return "a free row is not zero";
            if (!slots->live[row]) continue;
            if (sq_catalogue_find(table, slots->id[row]) != slot) return "an item is not found where it lives";
            if (slots->generation[row] < 1) return "an item has no generation";
            if (sq_slots_stamp(slots, row) > table->version) return "a stamp is ahead of the version";
            for (int32_t i = 0; i < table->tables; i++) {
                int32_t end = (i + 1) * table->padded;
                if (!row_is_zero(table, slot, end - table->padded + table->dim, end)) return "padding is not zero";
            }
        }
        if (in_chunk != slots->live_count) return "a chunk miscounts";
        live += in_chunk;
    }
    return live == table->count ? NULL : "the table miscounts";
}
#endif
