/* optim: sorting a step's contributions by row: a parallel partition, then a radix sort inside each part. */
#include "optim/rowentries.h"
#include "base/sort.h"
#include <string.h>

int32_t sq_row_entries_reserve(sq_row_entries *e, const sq_memory *memory, size_t count, seqrec_error *error)
{
    if (count <= e->capacity && e->part_starts) return SEQREC_OK;
    SQ_CHECK(count < UINT32_MAX, error, SEQREC_E_RANGE, "%zu row contributions in one step exceed 2^32", count);
    sq_row_entries n = {.capacity = count};
    n.slots = sq_alloc(memory, count, sizeof *n.slots);
    n.sorted = sq_alloc(memory, count, sizeof *n.sorted);
    n.scratch = sq_alloc(memory, count, sizeof *n.scratch);
    n.part_starts = sq_alloc(memory, SQ_ROW_PARTS + 1, sizeof *n.part_starts);
    n.counts = sq_alloc(memory, SQ_ROW_CHUNKS * SQ_ROW_PARTS, sizeof *n.counts);
    if (!n.slots || !n.sorted || !n.scratch || !n.part_starts || !n.counts) {
        sq_row_entries_free(&n, memory);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for %zu row contributions", count);
    }
    sq_row_entries_free(e, memory);
    *e = n;
    return SEQREC_OK;
}

void sq_row_entries_free(sq_row_entries *e, const sq_memory *memory)
{
    sq_free(memory, e->slots);
    sq_free(memory, e->sorted);
    sq_free(memory, e->scratch);
    sq_free(memory, e->part_starts);
    sq_free(memory, e->counts);
    memset(e, 0, sizeof *e);
}

static size_t chunk_start(const sq_row_entries *e, int32_t chunk) { return e->count * (size_t)chunk / SQ_ROW_CHUNKS; }

static void count_chunk(void *arg, int32_t chunk, int32_t worker)
{
    sq_row_entries *e = arg;
    size_t *counts = e->counts + (size_t)chunk * SQ_ROW_PARTS;
    (void)worker;
    memset(counts, 0, SQ_ROW_PARTS * sizeof *counts);
    for (size_t i = chunk_start(e, chunk); i < chunk_start(e, chunk + 1); i++)
        if (e->slots[i] >= 0) counts[e->slots[i] >> e->shift]++;
}

/* Turns the counts into where each chunk writes its entries of each part. */
static void place_parts(sq_row_entries *e)
{
    size_t at = 0;
    for (int32_t p = 0; p < SQ_ROW_PARTS; p++) {
        e->part_starts[p] = at;
        for (size_t c = 0; c < SQ_ROW_CHUNKS; c++) {
            size_t n = e->counts[c * SQ_ROW_PARTS + (size_t)p];
            e->counts[c * SQ_ROW_PARTS + (size_t)p] = at;
            at += n;
        }
    }
    e->part_starts[SQ_ROW_PARTS] = at;
}

static void scatter_chunk(void *arg, int32_t chunk, int32_t worker)
{
    sq_row_entries *e = arg;
    size_t *at = e->counts + (size_t)chunk * SQ_ROW_PARTS;
    uint64_t *packed = sq_sort_is_odd(e->shift) ? e->scratch : e->sorted;
    (void)worker;
    for (size_t i = chunk_start(e, chunk); i < chunk_start(e, chunk + 1); i++) {
        if (e->slots[i] < 0) continue;
        size_t to = at[e->slots[i] >> e->shift]++;
        packed[to] = (uint64_t)e->slots[i] << 32 | to;
    }
}

static void sort_part(void *arg, int32_t part, int32_t worker)
{
    sq_row_entries *e = arg;
    size_t from = e->part_starts[part], n = e->part_starts[part + 1] - from;
    (void)worker;
    sq_sort_packed(e->sorted + from, n, e->scratch + from, 32, e->shift);
}

void sq_row_entries_sort(sq_row_entries *e, sq_pool *pool, int32_t slot_count)
{
    int32_t top = slot_count > 0 ? slot_count - 1 : 0;
    e->shift = 0;
    while ((top >> e->shift) >= SQ_ROW_PARTS) e->shift++;
    e->parts = (top >> e->shift) + 1;
    sq_parallel(pool, SQ_ROW_CHUNKS, count_chunk, e);
    place_parts(e);
    sq_parallel(pool, SQ_ROW_CHUNKS, scatter_chunk, e);
    sq_parallel(pool, e->parts, sort_part, e);
}

typedef struct carry_job {
    sq_row_entries *entries;
    const float *factors;
    size_t first, last;
} carry_job;

static void carry_chunk(void *arg, int32_t chunk, int32_t worker)
{
    const carry_job *job = arg;
    sq_row_entries *e = job->entries;
    size_t at[SQ_ROW_PARTS];
    (void)worker;
    memcpy(at, chunk > 0 ? e->counts + (size_t)(chunk - 1) * SQ_ROW_PARTS : e->part_starts, sizeof at);
    for (size_t i = chunk_start(e, chunk); i < chunk_start(e, chunk + 1); i++) {
        if (e->slots[i] < 0) continue;
        const float factor = i >= job->first && i < job->last ? job->factors[i - job->first] : 0;
        e->at[at[e->slots[i] >> e->shift]++] = (sq_row_entry){(uint32_t)i, factor};
    }
}

void sq_row_entries_carry(sq_row_entries *e, sq_pool *pool, const float *factors, size_t first, size_t last)
{
    carry_job job = {e, factors, first, last};
    e->at = (sq_row_entry *)(void *)e->scratch;
    sq_parallel(pool, SQ_ROW_CHUNKS, carry_chunk, &job);
}
