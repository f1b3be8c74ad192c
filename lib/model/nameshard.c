/* model: one bucket of the tables of names: linear probing by the low half of the hash, texts in one growing block. */
#include "model/nameshard.h"
#include <string.h>

static size_t capacity_for(int64_t expected)
{
    size_t capacity = 8;
    while (capacity / 4 * 3 < (size_t)expected) capacity *= 2;
    return capacity;
}

static sq_name_cell *free_cells(const sq_memory *memory, size_t capacity)
{
    sq_name_cell *cells = sq_alloc(memory, capacity, sizeof *cells);
    for (size_t i = 0; cells && i < capacity; i++) cells[i] = (sq_name_cell){0, 0, SQ_NAME_FREE};
    return cells;
}

sq_name_shard *sq_name_shard_create(const sq_memory *memory, int64_t expected, int32_t with_text)
{
    sq_name_shard *shard = sq_alloc_zero(memory, 1, sizeof *shard);
    if (!shard) return NULL;
    atomic_init(&shard->references, 1);
    shard->mask = capacity_for(expected) - 1;
    shard->cells = free_cells(memory, shard->mask + 1);
    if (with_text) shard->text = sq_alloc(memory, 0, 1);
    if (shard->cells && (!with_text || shard->text)) return shard;
    sq_name_shard_release(memory, shard);
    return NULL;
}

sq_name_shard *sq_name_shard_copy(const sq_memory *memory, const sq_name_shard *like, int64_t extra)
{
    sq_name_shard *copy = sq_name_shard_create(memory, like->count + extra, like->text != NULL);
    for (size_t i = 0; copy && i <= like->mask; i++) {
        const sq_name_cell *cell = &like->cells[i];
        if (cell->at == SQ_NAME_FREE) continue;
        const char *text = like->text ? like->text + cell->at : NULL;
        if (sq_name_shard_add(memory, copy, cell->tag, cell->id, text, text ? strlen(text) : 0)) continue;
        sq_name_shard_release(memory, copy);
        return NULL;
    }
    return copy;
}

sq_name_shard *sq_name_shard_retain(sq_name_shard *shard)
{
    atomic_fetch_add_explicit(&shard->references, 1, memory_order_relaxed);
    return shard;
}

void sq_name_shard_release(const sq_memory *memory, sq_name_shard *shard)
{
    if (!shard || atomic_fetch_sub_explicit(&shard->references, 1, memory_order_acq_rel) != 1) return;
    sq_free(memory, shard->cells);
    sq_free(memory, shard->text);
    sq_free(memory, shard);
}

int32_t sq_name_shard_shared(const sq_name_shard *shard)
{
    return atomic_load_explicit(&shard->references, memory_order_acquire) > 1;
}

static size_t cell_of(const sq_name_shard *shard, uint64_t hash, int64_t id)
{
    size_t cell = (size_t)(uint32_t)hash & shard->mask;
    while (shard->cells[cell].at != SQ_NAME_FREE && shard->cells[cell].id != id) cell = (cell + 1) & shard->mask;
    return cell;
}

const sq_name_cell *sq_name_shard_find(const sq_name_shard *shard, uint64_t hash, int64_t id)
{
    const sq_name_cell *cell = &shard->cells[cell_of(shard, hash, id)];
    return cell->at == SQ_NAME_FREE ? NULL : cell;
}

static int32_t widen(const sq_memory *memory, sq_name_shard *shard)
{
    size_t old_mask = shard->mask;
    if ((size_t)shard->count + 1 <= (old_mask + 1) / 4 * 3) return 1;
    sq_name_cell *old = shard->cells, *wider = free_cells(memory, (old_mask + 1) * 2);
    if (!wider) return 0;
    shard->cells = wider;
    shard->mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++) {
        if (old[i].at != SQ_NAME_FREE) wider[cell_of(shard, old[i].tag, old[i].id)] = old[i];
    }
    sq_free(memory, old);
    return 1;
}

/* Appends the text; *at gets its place. */
static int32_t keep_text(const sq_memory *memory, sq_name_shard *shard, const char *text, size_t bytes, uint32_t *at)
{
    size_t wanted = shard->used + bytes + 1;
    if (wanted >= SQ_NAME_FREE) return 0;
    if (SQ_GROW(memory, shard->text, shard->used, wanted, NULL) != SEQREC_OK) return 0;
    memcpy(shard->text + shard->used, text, bytes);
    shard->text[wanted - 1] = 0;
    *at = (uint32_t)shard->used;
    shard->used = wanted;
    return 1;
}

int32_t sq_name_shard_add(const sq_memory *memory, sq_name_shard *shard, uint64_t hash, int64_t id, const char *text,
                          size_t bytes)
{
    uint32_t at = 0;
    if (!widen(memory, shard) || (text && !keep_text(memory, shard, text, bytes, &at))) return 0;
    shard->cells[cell_of(shard, hash, id)] = (sq_name_cell){id, (uint32_t)hash, at};
    shard->count++;
    return 1;
}

void sq_name_shard_erase(sq_name_shard *shard, uint64_t hash, int64_t id)
{
    sq_name_cell *cells = shard->cells;
    size_t hole = cell_of(shard, hash, id), mask = shard->mask;
    if (cells[hole].at == SQ_NAME_FREE) return;
    for (size_t next = (hole + 1) & mask; cells[next].at != SQ_NAME_FREE; next = (next + 1) & mask) {
        size_t home = cells[next].tag & mask;
        if (((next - home) & mask) < ((next - hole) & mask)) continue;
        cells[hole] = cells[next];
        hole = next;
    }
    cells[hole] = (sq_name_cell){0, 0, SQ_NAME_FREE};
    shard->count--;
}
