/* train: a keyed table under training: following its catalogue, own copies of row chunks. */
#include "train/trainedtable.h"
#include <string.h>

/* ---- row state ---------------------------------------------------------------------------------------------------- */

/* wiped: nothing of it stays in free memory. */
static void free_state(const sq_memory *memory, int32_t wiped, sq_row_state *s)
{
    if (!s) return;
    if (wiped && s->m) memset(s->m, 0, sq_block_bytes(s->m));
    if (wiped && s->v) memset(s->v, 0, sq_block_bytes(s->v));
    sq_free(memory, s->m);
    sq_free(memory, s->v);
    sq_free(memory, s);
}

static void set_came(sq_row_state *s, int32_t r, sq_moment now)
{
    s->last[r] = now.step;
    s->came[r] = now.averaged;
}

/* Fresh state of rows that came now. */
static sq_row_state *create_state(const sq_memory *memory, int32_t stride, sq_moment now)
{
    sq_row_state *s = sq_alloc_zero(memory, 1, sizeof *s);
    if (!s) return NULL;
    s->m = sq_alloc_zero(memory, SQ_CHUNK_ROWS * (size_t)stride, sizeof *s->m);
    s->v = sq_alloc_zero(memory, SQ_CHUNK_ROWS * (size_t)stride, sizeof *s->v);
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) set_came(s, r, now);
    if (s->m && s->v) return s;
    free_state(memory, 0, s);
    return NULL;
}

/* ---- following the catalogue ---------------------------------------------------------------------------------------- */

/* Rows and state of one chunk: the table's where nothing changed, a copy where rows did, fresh where it is new. */
static int32_t draft_chunk(const sq_trained *t, sq_moment now, int32_t c, sq_trained *d, seqrec_error *error)
{
    const sq_catalogue *next = d->catalogue;
    const sq_memory *memory = &next->context->memory;
    int fresh = c >= t->chunks;
    if (fresh)
        d->rows[c] = sq_rows_retain(next->rows[c]);
    else if (t->catalogue->slots[c] == next->slots[c])
        d->rows[c] = sq_rows_retain(t->rows[c]);
    else
        d->rows[c] = sq_rows_create(memory, next->stride, t->rows[c]);
    d->state[c] = fresh ? create_state(memory, next->stride, now) : t->state[c];
    SQ_CHECK(d->rows[c] && d->state[c], error, SEQREC_E_MEMORY, "no memory for the optimiser state of %d rows",
             SQ_CHUNK_ROWS);
    return SEQREC_OK;
}

static void list_live(sq_trained *d)
{
    const sq_catalogue *c = d->catalogue;
    int32_t n = 0;
    for (int32_t k = 0; k < c->chunks; k++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) {
            int32_t slot = k * SQ_CHUNK_ROWS + r;
            d->compact[slot] = c->slots[k]->live[r] ? n : -1;
            if (c->slots[k]->live[r]) d->live[n++] = slot;
        }
    d->live_count = n;
}

static int32_t make_draft(const sq_trained *t, sq_moment now, sq_trained *d, seqrec_error *error)
{
    const sq_catalogue *next = d->catalogue;
    const sq_memory *memory = &next->context->memory;
    d->rows = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *d->rows);
    d->state = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *d->state);
    d->live = sq_alloc(memory, (size_t)next->count, sizeof *d->live);
    d->compact = sq_alloc(memory, (size_t)next->chunks * SQ_CHUNK_ROWS, sizeof *d->compact);
    SQ_CHECK(d->rows && d->state && d->live && d->compact, error, SEQREC_E_MEMORY,
             "no memory to follow a table of %lld rows", (long long)next->count);
    while (d->chunks < next->chunks) SQ_TRY(draft_chunk(t, now, d->chunks++, d, error));
    list_live(d);
    return SEQREC_OK;
}

int32_t sq_trained_draft(const sq_trained *table, sq_catalogue *next, sq_moment now, sq_trained *draft,
                         seqrec_error *error)
{
    *draft = (sq_trained){.catalogue = sq_catalogue_retain(next)};
    int32_t status = make_draft(table, now, draft, error);
    if (status != SEQREC_OK) sq_trained_drop(table, draft);
    return status;
}

/* Releases everything but the state of the first `kept_state` chunks. */
static void release(sq_trained *t, int32_t kept_state)
{
    if (!t->catalogue) return;
    const sq_memory *memory = &t->catalogue->context->memory;
    for (int32_t c = 0; t->rows && t->state && c < t->chunks; c++) {
        sq_rows_release(memory, t->rows[c]);
        if (c >= kept_state) free_state(memory, t->catalogue->kind->wiped, t->state[c]);
    }
    sq_free(memory, t->rows);
    sq_free(memory, t->state);
    sq_free(memory, t->live);
    sq_free(memory, t->compact);
    sq_catalogue_release(t->catalogue);
    *t = (sq_trained){0};
}

void sq_trained_drop(const sq_trained *table, sq_trained *draft) { release(draft, table->chunks); }

void sq_trained_free(sq_trained *table) { release(table, 0); }

/* Writes the rows that others put, updated or removed over the trained ones, with fresh state. */
static void adopt_rows(const sq_trained *t, sq_trained *d, int32_t c, sq_moment now)
{
    const sq_catalogue *next = d->catalogue;
    size_t stride = (size_t)next->stride;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) {
        size_t at = (size_t)r * stride;
        if (!sq_row_changed(t->catalogue->slots[c], next->slots[c], r)) continue;
        memcpy(d->rows[c]->at + at, next->rows[c]->at + at, stride * sizeof(float));
        memset(d->state[c]->m + at, 0, stride * sizeof(float));
        memset(d->state[c]->v + at, 0, stride * sizeof(float));
        set_came(d->state[c], r, now);
    }
}

void sq_trained_take(sq_trained *table, sq_trained *draft, sq_moment now)
{
    for (int32_t c = 0; c < table->chunks; c++)
        if (table->catalogue->slots[c] != draft->catalogue->slots[c]) adopt_rows(table, draft, c, now);
    release(table, table->chunks);
    *table = *draft;
    *draft = (sq_trained){0};
}

/* ---- rows of before under the membership of now -------------------------------------------------------------------- */

static int32_t merge_chunk(const sq_catalogue *from, const sq_catalogue *next, int32_t c, sq_rows **out,
                           seqrec_error *error)
{
    if (c >= from->chunks || from->slots[c] == next->slots[c]) {
        *out = sq_rows_retain(c < from->chunks ? from->rows[c] : next->rows[c]);
        return SEQREC_OK;
    }
    *out = sq_rows_create(&next->context->memory, next->stride, from->rows[c]);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory to publish %d rows", SQ_CHUNK_ROWS);
    size_t stride = (size_t)next->stride;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
        if (sq_row_changed(from->slots[c], next->slots[c], r))
            memcpy((*out)->at + (size_t)r * stride, next->rows[c]->at + (size_t)r * stride, stride * sizeof(float));
    return SEQREC_OK;
}

int32_t sq_trained_merge(const sq_catalogue *from, const sq_catalogue *next, sq_catalogue **out, seqrec_error *error)
{
    const sq_memory *memory = &next->context->memory;
    sq_rows **rows = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *rows);
    SQ_CHECK(rows, error, SEQREC_E_MEMORY, "no memory to publish %lld rows", (long long)next->count);
    int32_t status = SEQREC_OK, c = 0;
    while (c < next->chunks && status == SEQREC_OK) {
        status = merge_chunk(from, next, c, &rows[c], error);
        c += status == SEQREC_OK;
    }
    if (status == SEQREC_OK) status = sq_catalogue_with_rows(next, rows, out, error);
    while (c > 0) sq_rows_release(memory, rows[--c]);
    sq_free(memory, rows);
    return status;
}

/* ---- copies --------------------------------------------------------------------------------------------------------- */

int32_t sq_trained_own_rows(sq_trained *t, seqrec_error *error)
{
    const sq_memory *memory = &t->catalogue->context->memory;
    for (int32_t c = 0; c < t->chunks; c++) {
        if (atomic_load_explicit(&t->rows[c]->references, memory_order_acquire) == 1) continue;
        sq_rows *own = sq_rows_create(memory, t->catalogue->stride, t->rows[c]);
        SQ_CHECK(own, error, SEQREC_E_MEMORY, "no memory for the trainer's copy of %d rows", SQ_CHUNK_ROWS);
        sq_rows_release(memory, t->rows[c]);
        t->rows[c] = own;
    }
    return SEQREC_OK;
}

void sq_trained_set_current(sq_trained *t, int64_t step)
{
    for (int32_t c = 0; c < t->chunks; c++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) t->state[c]->last[r] = step;
}

void sq_trained_set_came(sq_trained *t)
{
    for (int32_t c = 0; c < t->chunks; c++) memset(t->state[c]->came, 0, sizeof t->state[c]->came);
}
