/* train: creating a trainer, following the model's catalogue, publishing. */
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- row state -------------------------------------------------------------------------------------------------------- */

static void free_state(const sq_memory *memory, sq_row_state *s)
{
    if (!s) return;
    sq_free(memory, s->m);
    sq_free(memory, s->v);
    sq_free(memory, s);
}

/* Fresh state, current at `step`. */
static sq_row_state *create_state(const sq_memory *memory, int32_t stride, int64_t step)
{
    sq_row_state *s = sq_alloc_zero(memory, 1, sizeof *s);
    if (!s) return NULL;
    s->m = sq_alloc_zero(memory, SQ_CHUNK_ROWS * (size_t)stride, sizeof *s->m);
    s->v = sq_alloc_zero(memory, SQ_CHUNK_ROWS * (size_t)stride, sizeof *s->v);
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) s->last[r] = step;
    if (s->m && s->v) return s;
    free_state(memory, s);
    return NULL;
}

/* ---- following the catalogue -------------------------------------------------------------------------------------------- */

/* What a sync makes before it touches the trainer. */
typedef struct draft {
    sq_rows **rows;
    sq_row_state **state;
    int32_t *live, *compact;
    double *popularity;
    sq_sampler sampler;
    int32_t chunks;
    sq_snapshot *best, *average;
} draft;

static int row_changed(const sq_slots *a, const sq_slots *b, int32_t r)
{
    return a->live[r] != b->live[r] || a->generation[r] != b->generation[r] || a->stamp[r] != b->stamp[r];
}

/* Rows and state of one chunk: the trainer's where nothing changed, a copy where rows did, fresh where it is new. */
static int32_t draft_chunk(const sq_trainer *t, const sq_catalogue *next, int32_t c, draft *d, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    int fresh = c >= t->chunks;
    if (fresh)
        d->rows[c] = sq_rows_retain(next->rows[c]);
    else if (t->catalogue->slots[c] == next->slots[c])
        d->rows[c] = sq_rows_retain(t->rows[c]);
    else
        d->rows[c] = sq_rows_create(memory, next->stride, t->rows[c]);
    d->state[c] = fresh ? create_state(memory, next->stride, t->step) : t->state[c];
    SQ_CHECK(d->rows[c] && d->state[c], error, SEQREC_E_MEMORY, "no memory for the optimiser state of %d items", SQ_CHUNK_ROWS);
    return SEQREC_OK;
}

static void list_live(const sq_catalogue *c, draft *d)
{
    int32_t n = 0;
    for (int32_t k = 0; k < c->chunks; k++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) {
            int32_t slot = k * SQ_CHUNK_ROWS + r;
            d->compact[slot] = c->slots[k]->live[r] ? n : -1;
            if (c->slots[k]->live[r]) d->live[n++] = slot;
        }
}

static int32_t draft_sampler(const sq_trainer *t, const sq_catalogue *next, draft *d, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    if (t->options.sampler != SQ_SAMPLER_POPULARITY)
        return sq_sampler_build(&d->sampler, memory, SQ_SAMPLER_UNIFORM, d->live, next->count, NULL, error);
    double *weights = sq_alloc(memory, (size_t)next->count, sizeof *weights);
    SQ_CHECK(weights, error, SEQREC_E_MEMORY, "no memory for the weights of %lld items", (long long)next->count);
    for (int64_t i = 0; i < next->count; i++) weights[i] = pow(d->popularity[d->live[i]], t->options.sampler_alpha);
    int32_t status = sq_sampler_build(&d->sampler, memory, SQ_SAMPLER_POPULARITY, d->live, next->count, weights, error);
    sq_free(memory, weights);
    return status;
}

static int32_t make_draft(const sq_trainer *t, const sq_catalogue *next, draft *d, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t slots = (size_t)next->chunks * SQ_CHUNK_ROWS;
    d->rows = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *d->rows);
    d->state = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *d->state);
    d->live = sq_alloc(memory, (size_t)next->count, sizeof *d->live);
    d->compact = sq_alloc(memory, slots, sizeof *d->compact);
    d->popularity = sq_alloc_zero(memory, slots, sizeof *d->popularity);
    SQ_CHECK(d->rows && d->state && d->live && d->compact && d->popularity, error, SEQREC_E_MEMORY,
             "no memory to follow a catalogue of %lld items", (long long)next->count);
    while (d->chunks < next->chunks) SQ_TRY(draft_chunk(t, next, d->chunks++, d, error));
    list_live(next, d);
    for (int64_t i = 0; t->popularity && i < (int64_t)t->chunks * SQ_CHUNK_ROWS && i < (int64_t)slots; i++)
        if (!row_changed(t->catalogue->slots[i / SQ_CHUNK_ROWS], next->slots[i / SQ_CHUNK_ROWS], (int32_t)(i % SQ_CHUNK_ROWS)))
            d->popularity[i] = t->popularity[i];
    return draft_sampler(t, next, d, error);
}

static void drop_draft(const sq_trainer *t, draft *d)
{
    const sq_memory *memory = &t->context->memory;
    for (int32_t c = 0; d->rows && d->state && c < d->chunks; c++) {
        if (d->rows[c]) sq_rows_release(memory, d->rows[c]);
        if (c >= t->chunks) free_state(memory, d->state[c]);
    }
    sq_free(memory, d->rows);
    sq_free(memory, d->state);
    sq_free(memory, d->live);
    sq_free(memory, d->compact);
    sq_free(memory, d->popularity);
    sq_sampler_free(&d->sampler, memory);
    sq_snapshot_release(t->model, d->best);
    sq_snapshot_release(t->model, d->average);
}

/* Writes the rows that others put or updated over the trainer's, with fresh state. */
static void adopt_rows(const sq_trainer *t, const sq_catalogue *next, draft *d, int32_t c)
{
    size_t stride = (size_t)next->stride;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) {
        size_t at = (size_t)r * stride;
        if (!row_changed(t->catalogue->slots[c], next->slots[c], r)) continue;
        memcpy(d->rows[c]->at + at, next->rows[c]->at + at, stride * sizeof(float));
        memset(d->state[c]->m + at, 0, stride * sizeof(float));
        memset(d->state[c]->v + at, 0, stride * sizeof(float));
        d->state[c]->last[r] = t->step;
    }
}

static void free_rows(sq_trainer *t, int with_state)
{
    const sq_memory *memory = &t->context->memory;
    for (int32_t c = 0; c < t->chunks; c++) {
        sq_rows_release(memory, t->rows[c]);
        if (with_state) free_state(memory, t->state[c]);
    }
    sq_free(memory, t->rows);
    sq_free(memory, t->state);
    sq_free(memory, t->live);
    sq_free(memory, t->compact);
    sq_free(memory, t->popularity);
    sq_sampler_free(&t->sampler, memory);
    sq_catalogue_release(t->catalogue);
}

/* Row chunks of `from` under the membership of `next`: where rows changed since, those of `next`. */
static int32_t merge_chunk(const sq_trainer *t, const sq_catalogue *from, const sq_catalogue *next, int32_t c, sq_rows **out,
                           seqrec_error *error)
{
    if (c >= from->chunks || from->slots[c] == next->slots[c]) {
        *out = sq_rows_retain(c < from->chunks ? from->rows[c] : next->rows[c]);
        return SEQREC_OK;
    }
    *out = sq_rows_create(&t->context->memory, next->stride, from->rows[c]);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory to publish %d rows", SQ_CHUNK_ROWS);
    size_t stride = (size_t)next->stride;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
        if (row_changed(from->slots[c], next->slots[c], r))
            memcpy((*out)->at + (size_t)r * stride, next->rows[c]->at + (size_t)r * stride, stride * sizeof(float));
    return SEQREC_OK;
}

static int32_t merge_rows(const sq_trainer *t, const sq_catalogue *from, const sq_catalogue *next, sq_catalogue **out,
                          seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_rows **rows = sq_alloc_zero(memory, (size_t)next->chunks, sizeof *rows);
    SQ_CHECK(rows, error, SEQREC_E_MEMORY, "no memory to publish %lld items", (long long)next->count);
    int32_t status = SEQREC_OK, c = 0;
    while (c < next->chunks && status == SEQREC_OK) {
        status = merge_chunk(t, from, next, c, &rows[c], error);
        c += status == SEQREC_OK;
    }
    if (status == SEQREC_OK) status = sq_catalogue_with_rows(next, rows, out, error);
    while (c > 0) sq_rows_release(memory, rows[--c]);
    sq_free(memory, rows);
    return status;
}

/* A snapshot that is kept beside the weights, under the membership of `next`. */
static int32_t rebase(const sq_trainer *t, const sq_snapshot *kept, const sq_catalogue *next, sq_snapshot **out,
                      seqrec_error *error)
{
    if (!kept) return SEQREC_OK;
    sq_snapshot *s = sq_alloc_zero(&t->context->memory, 1, sizeof *s);
    SQ_CHECK(s, error, SEQREC_E_MEMORY, "no memory for the best weights so far");
    s->references = 1;
    s->weights = sq_weights_retain(kept->weights);
    s->names = sq_item_names_retain(kept->names);
    s->notes = sq_notes_retain(kept->notes);
    *out = s;
    return merge_rows(t, kept->catalogue, next, &s->catalogue, error);
}

static int32_t follow(sq_trainer *t, sq_catalogue *next, seqrec_error *error)
{
    draft d = {0};
    int32_t status = make_draft(t, next, &d, error);
    if (status == SEQREC_OK) status = rebase(t, t->fit.best, next, &d.best, error);
    if (status == SEQREC_OK) status = rebase(t, t->fit.average, next, &d.average, error);
    if (status != SEQREC_OK) {
        drop_draft(t, &d);
        return status;
    }
    for (int32_t c = 0; c < t->chunks; c++)
        if (t->catalogue->slots[c] != next->slots[c]) adopt_rows(t, next, &d, c);
    free_rows(t, 0);
    t->rows = d.rows;
    t->state = d.state;
    t->live = d.live;
    t->compact = d.compact;
    t->popularity = d.popularity;
    t->sampler = d.sampler;
    t->chunks = next->chunks;
    t->live_count = next->count;
    t->catalogue = sq_catalogue_retain(next);
    sq_snapshot_release(t->model, t->fit.best);
    sq_snapshot_release(t->model, t->fit.average);
    t->fit.best = d.best;
    t->fit.average = d.average;
    return SEQREC_OK;
}

int32_t sq_trainer_sync(sq_trainer *t, seqrec_error *error)
{
    sq_snapshot *s = sq_snapshot_acquire(t->model);
    int32_t status = SEQREC_OK;
    if (!t->catalogue || s->catalogue->version != t->catalogue->version) status = follow(t, s->catalogue, error);
    sq_snapshot_release(t->model, s);
    return status;
}

/* ---- the handle ----------------------------------------------------------------------------------------------------------- */

static int32_t build(sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t floats = t->model->layout.floats;
    t->workers = sq_pool_width(t->context->pool);
    t->weights = sq_alloc_zero(memory, floats, sizeof(float));
    t->transposed = sq_alloc_zero(memory, floats, sizeof(float));
    t->m = sq_alloc_zero(memory, floats, sizeof(float));
    t->v = sq_alloc_zero(memory, floats, sizeof(float));
    t->grads = sq_alloc_zero(memory, SQ_GRADIENT_SLOTS * floats, sizeof(float));
    t->arenas = sq_alloc_zero(memory, (size_t)t->workers, sizeof *t->arenas);
    SQ_CHECK(t->weights && t->transposed && t->m && t->v && t->grads && t->arenas, error, SEQREC_E_MEMORY,
             "no memory for the optimiser state of %zu parameters", floats);
    SQ_TRY(sq_gate_table_create(memory, &t->model->layout, &t->gates, error));
    sq_snapshot *s = sq_snapshot_acquire(t->model);
    memcpy(t->weights, s->weights->at, floats * sizeof(float));
    sq_snapshot_release(t->model, s);
    return sq_trainer_sync(t, error);
}

int32_t sq_trainer_create(seqrec_model *model, const sq_options *options, sq_trainer **out, seqrec_error *error)
{
    SQ_TRY(sq_options_check(options, error));
    sq_trainer *t = sq_alloc_zero(&model->context->memory, 1, sizeof *t);
    SQ_CHECK(t, error, SEQREC_E_MEMORY, "no memory for a trainer");
    t->model = sq_model_retain(model);
    t->context = model->context;
    t->kernels = model->kernels;
    t->options = *options;
    t->fit.best_metric = NAN;
    int32_t status = build(t, error);
    if (status != SEQREC_OK) {
        sq_trainer_free(t);
        return status;
    }
    *out = t;
    return SEQREC_OK;
}

/* Rows that lazy updates left behind count as current: exact updates replay the steps from now on only. */
static void skip_waiting(sq_trainer *t)
{
    for (int32_t c = 0; c < t->chunks; c++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++) t->state[c]->last[r] = t->step;
}

int32_t sq_trainer_set(sq_trainer *t, const char *name, const char *value, seqrec_error *error)
{
    sq_options changed = t->options;
    SQ_TRY(sq_options_set(&changed, name, value, error));
    SQ_TRY(sq_options_check(&changed, error));
    SQ_TRY(sq_trainer_catch_up(t, error)); /* rows that wait are replayed under the rates of their own steps */
    draft d = {.live = t->live, .popularity = t->popularity};
    sq_options old = t->options;
    int32_t exact = sq_trainer_exact(t);
    t->options = changed;
    int32_t status = draft_sampler(t, t->catalogue, &d, error);
    if (status != SEQREC_OK) {
        t->options = old;
        return status;
    }
    if (!exact && sq_trainer_exact(t)) skip_waiting(t);
    sq_sampler_free(&t->sampler, &t->context->memory);
    t->sampler = d.sampler;
    return SEQREC_OK;
}

void sq_trainer_free(sq_trainer *t)
{
    if (!t) return;
    const sq_memory *memory = &t->context->memory;
    seqrec_model *model = t->model;
    free_rows(t, 1);
    sq_snapshot_release(model, t->fit.best);
    sq_snapshot_release(model, t->fit.average);
    for (int32_t w = 0; t->arenas && w < t->workers; w++) sq_arena_free(&t->arenas[w], memory);
    sq_gate_table_free(memory, &t->gates);
    sq_plan_free(&t->plan, memory);
    sq_row_entries_free(&t->entries, memory);
    void *blocks[] = {t->weights, t->transposed, t->m,  t->v,  t->grads,       t->table,  t->panels,
                      t->dtable,  t->arenas,     t->u,  t->dx, t->coefficient, t->losses, t->unfit,
                      t->sequence};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) sq_free(memory, blocks[i]);
    sq_free(memory, t);
    sq_model_release(model);
}

int32_t sq_trainer_set_popularity(sq_trainer *t, const double *counts, seqrec_error *error)
{
    draft d = {.live = t->live, .popularity = (double *)counts};
    SQ_TRY(draft_sampler(t, t->catalogue, &d, error));
    sq_sampler_free(&t->sampler, &t->context->memory);
    t->sampler = d.sampler;
    memcpy(t->popularity, counts, (size_t)sq_trainer_slots(t) * sizeof *counts);
    return SEQREC_OK;
}

/* ---- publishing ----------------------------------------------------------------------------------------------------------- */

int32_t sq_trainer_snapshot(sq_trainer *t, sq_snapshot **out, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    SQ_TRY(sq_trainer_catch_up(t, error));
    sq_snapshot *now = sq_snapshot_acquire(t->model), *s = sq_alloc_zero(memory, 1, sizeof *s);
    if (s) {
        s->references = 1;
        s->names = sq_item_names_retain(now->names);
        s->notes = sq_notes_retain(now->notes);
        s->weights = sq_weights_create(memory, t->model->layout.floats);
    }
    sq_snapshot_release(t->model, now);
    if (!s || !s->weights) {
        sq_snapshot_release(t->model, s);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for a copy of the weights");
    }
    memcpy(s->weights->at, t->weights, t->model->layout.floats * sizeof(float));
    int32_t status = sq_catalogue_with_rows(t->catalogue, t->rows, &s->catalogue, error);
    if (status == SEQREC_OK)
        *out = s;
    else
        sq_snapshot_release(t->model, s);
    return status;
}

int32_t sq_trainer_notes(const sq_trainer *t, const sq_notes *base, sq_notes **out, seqrec_error *error)
{
    char hash[32], epochs[32];
    const char *notes[][2] = {{"data_hash", hash}, {"split", t->fit.split}, {"epochs", epochs}};
    sq_notes *made = NULL;
    if (t->fit.data_hash == 0) return SEQREC_OK;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)t->fit.data_hash);
    snprintf(epochs, sizeof epochs, "%lld", (long long)t->fit.epoch);
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        sq_notes *next = NULL;
        int32_t status = sq_notes_with(made ? made : base, notes[i][0], notes[i][1], &next, error);
        sq_notes_release(made);
        if (status != SEQREC_OK) return status;
        made = next;
    }
    *out = made;
    return SEQREC_OK;
}

int32_t sq_trainer_publish_snapshot(sq_trainer *t, sq_snapshot *snapshot, seqrec_error *error)
{
    sq_change change = {0};
    sq_lock_take(&t->model->writing);
    int32_t status = merge_rows(t, snapshot->catalogue, t->model->current->catalogue, &change.catalogue, error);
    if (status == SEQREC_OK) status = sq_trainer_notes(t, t->model->current->notes, &change.notes, error);
    if (status == SEQREC_OK) {
        change.weights = sq_weights_retain(snapshot->weights);
        status = sq_model_publish(t->model, change, error);
    } else {
        sq_catalogue_release(change.catalogue);
    }
    sq_lock_give(&t->model->writing);
    return status;
}

int32_t sq_trainer_publish(sq_trainer *t, seqrec_error *error)
{
    sq_snapshot *s = NULL;
    SQ_TRY(sq_trainer_sync(t, error));
    SQ_TRY(sq_trainer_snapshot(t, &s, error));
    int32_t status = sq_trainer_publish_snapshot(t, s, error);
    sq_snapshot_release(t->model, s);
    return status;
}
