/* model: creating, sharing and publishing. */
#include "model/model.h"
#include "base/rng.h"
#include "position/absolute.h"
#include <math.h>
#include <string.h>

/* ---- weights and snapshots -------------------------------------------------------------------------------------- */

sq_weights *sq_weights_create(const sq_memory *memory, size_t floats)
{
    sq_weights *w = sq_alloc_zero(memory, 1, sizeof *w);
    if (!w) return NULL;
    w->references = 1;
    w->at = sq_alloc_zero(memory, floats, sizeof *w->at);
    if (w->at) return w;
    sq_free(memory, w);
    return NULL;
}

sq_weights *sq_weights_retain(sq_weights *weights)
{
    atomic_fetch_add_explicit(&weights->references, 1, memory_order_relaxed);
    return weights;
}

void sq_weights_release(const sq_memory *memory, sq_weights *weights)
{
    if (!weights || atomic_fetch_sub_explicit(&weights->references, 1, memory_order_acq_rel) != 1) return;
    sq_gate_table_free(memory, &weights->gates);
    sq_arena_free(&weights->relations_at, memory);
    sq_free(memory, weights->at);
    sq_free(memory, weights);
}

static sq_relations *take_relations(sq_arena *arena, const sq_layout *l)
{
    sq_relations *all = SQ_TAKE(arena, sq_relations, (size_t)l->blocks), measured;
    for (int32_t b = 0; b < l->blocks; b++) sq_relations_take(arena, l, 0, arena->base ? &all[b] : &measured);
    return all;
}

static int32_t reserve_relations(const seqrec_model *m, sq_weights *weights, seqrec_error *error)
{
    sq_arena measured = {0};
    if (m->layout.columns == 0) return SEQREC_OK;
    (void)take_relations(&measured, &m->layout);
    return sq_arena_reserve(&weights->relations_at, &m->context->memory, measured.peak, error);
}

static void settle_relations(const seqrec_model *m, sq_weights *weights)
{
    if (m->layout.columns == 0) return;
    weights->relations_at.used = 0;
    weights->relations = take_relations(&weights->relations_at, &m->layout);
    for (int32_t b = 0; b < m->layout.blocks; b++)
        sq_relations_open(m->kernels, &m->layout, &m->options, weights->at, b, INT32_MAX, NULL, &weights->relations[b]);
}

int32_t sq_weights_settle(const seqrec_model *m, sq_weights *weights, seqrec_error *error)
{
    if (weights->settled) return SEQREC_OK;
    SQ_TRY(reserve_relations(m, weights, error));
    SQ_TRY(sq_gate_table_create(&m->context->memory, &m->layout, &weights->gates, error));
    sq_gate_table_settle(m->kernels, &m->layout, &m->options, weights->at, &weights->gates);
    sq_derive(m->kernels, &m->layout, weights->at);
    settle_relations(m, weights);
    weights->settled = 1;
    return SEQREC_OK;
}

void sq_parts_drop(const sq_memory *memory, sq_parts *p)
{
    sq_weights_release(memory, p->weights);
    sq_catalogue_release(p->catalogue);
    sq_item_names_release(p->names);
    sq_catalogue_release(p->users);
    sq_item_names_release(p->user_names);
    sq_notes_release(p->notes);
    sq_cover_release(p->cover);
}

void sq_parts_inherit(sq_parts *p, const sq_parts *from)
{
    if (!p->weights) p->weights = sq_weights_retain(from->weights);
    if (!p->catalogue) p->catalogue = sq_catalogue_retain(from->catalogue);
    if (!p->names) p->names = sq_item_names_retain(from->names);
    if (!p->users) p->users = sq_catalogue_retain(from->users);
    if (!p->user_names) p->user_names = sq_item_names_retain(from->user_names);
    if (!p->notes) p->notes = sq_notes_retain(from->notes);
}

sq_snapshot *sq_snapshot_create(const sq_memory *memory, sq_parts parts)
{
    sq_snapshot *s = sq_alloc_zero(memory, 1, sizeof *s);
    if (!s) {
        sq_parts_drop(memory, &parts);
        return NULL;
    }
    s->references = 1;
    s->parts = parts;
    return s;
}

sq_snapshot *sq_snapshot_acquire(const seqrec_model *model)
{
    sq_lock *lock = (sq_lock *)&model->reading; /* the lock is not part of the model's value */
    sq_lock_take(lock);
    sq_snapshot *snapshot = sq_snapshot_retain(model->current);
    sq_lock_give(lock);
    return snapshot;
}

sq_snapshot *sq_snapshot_retain(sq_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void sq_snapshot_release(const seqrec_model *model, sq_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1) return;
    sq_parts_drop(&model->context->memory, &s->parts);
    sq_free(&model->context->memory, s);
}

/* Items of the model have the copies in few bits that it asks for. */
static int32_t settle_copies(const seqrec_model *model, sq_catalogue **items, seqrec_error *error)
{
    const sq_coarse_rule rule = {model->table, model->options.score == SQ_SCORE_COSINE};
    sq_catalogue *made = NULL;
    if (!*items || (*items)->rule.kind == rule.kind) return SEQREC_OK;
    SQ_TRY(sq_catalogue_with_copies(*items, rule, &made, error));
    sq_catalogue_release(*items);
    *items = made;
    return SEQREC_OK;
}

/* The index stays beside the items that are there from now on. */
static int32_t settle_cover(const sq_parts *old, sq_change *change, seqrec_error *error)
{
    sq_parts *next = &change->parts;
    if (next->cover || change->uncovered || !old->cover) return SEQREC_OK;
    if (next->catalogue)
        return sq_cover_create(old->cover->index, old->cover, old->catalogue, next->catalogue, &next->cover, error);
    next->cover = sq_cover_retain(old->cover);
    return SEQREC_OK;
}

/* All that a change asks of its parts before anybody sees them. */
static int32_t settle(const seqrec_model *model, const sq_parts *old, sq_change *change, seqrec_error *error)
{
    if (change->parts.weights) SQ_TRY(sq_weights_settle(model, change->parts.weights, error));
    SQ_TRY(settle_copies(model, &change->parts.catalogue, error));
    return settle_cover(old, change, error);
}

int32_t sq_model_publish(seqrec_model *model, sq_change change, seqrec_error *error)
{
    const sq_memory *memory = &model->context->memory;
    sq_snapshot *old = model->current;
    const uint64_t trained = old->trained + (change.parts.weights != NULL);
    int32_t status = settle(model, &old->parts, &change, error);
    if (status != SEQREC_OK) {
        sq_parts_drop(memory, &change.parts);
        return status;
    }
    sq_parts_inherit(&change.parts, &old->parts);
    sq_snapshot *next = sq_snapshot_create(memory, change.parts);
    SQ_CHECK(next, error, SEQREC_E_MEMORY, "no memory for a snapshot");
    next->trained = trained;
    sq_lock_take(&model->reading);
    model->current = next;
    sq_lock_give(&model->reading);
    sq_snapshot_release(model, old);
    return SEQREC_OK;
}

int32_t sq_model_quantise(seqrec_model *model, int32_t kind, seqrec_error *error)
{
    sq_lock_take(&model->writing);
    const int32_t before = model->table;
    int32_t status = SEQREC_OK;
    model->table = kind;
    if (kind != before)
        status = sq_model_publish(model, (sq_change){.parts.catalogue = sq_catalogue_retain(model->current->parts.catalogue)}, error);
    if (status != SEQREC_OK) model->table = before;
    sq_lock_give(&model->writing);
    return status;
}

/* A new index beside what readers see, published. The caller holds model->writing. */
static int32_t attach(seqrec_model *model, sq_index *made, seqrec_error *error)
{
    sq_change change = {0};
    const sq_catalogue *now = model->current->parts.catalogue;
    SQ_TRY(sq_cover_create(made, NULL, NULL, now, &change.parts.cover, error));
    SQ_CHECK(change.parts.cover, error, SEQREC_E_STATE, "the index covers too few of the %lld items of the model: build one of now",
             (long long)now->count);
    return sq_model_publish(model, change, error);
}

int32_t sq_model_set_index(seqrec_model *model, sq_catalogue *base, const seqrec_index *index, seqrec_error *error)
{
    sq_index *made = NULL;
    if (index) SQ_TRY(sq_index_create(base, index, &made, error));
    sq_lock_take(&model->writing);
    const int32_t status = made ? attach(model, made, error) : sq_model_publish(model, (sq_change){.uncovered = 1}, error);
    sq_lock_give(&model->writing);
    if (made && status != SEQREC_OK) made->host.release = NULL;
    sq_index_release(made);
    return status;
}

int32_t sq_model_note(seqrec_model *model, const char *key, const char *value, seqrec_error *error)
{
    sq_change change = {0};
    sq_lock_take(&model->writing);
    int32_t status = sq_notes_with(model->current->parts.notes, key, value, &change.parts.notes, error);
    if (status == SEQREC_OK) status = sq_model_publish(model, change, error);
    sq_lock_give(&model->writing);
    return status;
}

/* ---- the handle ------------------------------------------------------------------------------------------------- */

static int32_t fresh_weights(const seqrec_model *m, sq_weights **out, seqrec_error *error)
{
    *out = sq_weights_create(&m->context->memory, m->layout.floats);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for %zu parameters", m->layout.floats);
    sq_layout_initialise(&m->layout, &m->options, (*out)->at);
    return SEQREC_OK;
}

/* Fills the parts that are absent. */
static int32_t first_snapshot(seqrec_model *m, seqrec_error *error)
{
    sq_parts *first = &m->current->parts;
    int32_t tables = m->options.tied_output ? 1 : 2;
    if (!first->weights) SQ_TRY(fresh_weights(m, &first->weights, error));
    SQ_TRY(sq_weights_settle(m, first->weights, error));
    if (!first->catalogue) SQ_TRY(sq_catalogue_create(m->context, &sq_kind_item, m->layout.vd, tables, &first->catalogue, error));
    if (!first->names) SQ_TRY(sq_item_names_create(m->context, &first->names, error));
    if (!first->users) SQ_TRY(sq_catalogue_create(m->context, &sq_kind_user, m->layout.ud, 1, &first->users, error));
    if (!first->user_names) SQ_TRY(sq_item_names_create(m->context, &first->user_names, error));
    return first->notes ? SEQREC_OK : sq_notes_create(m->context, &first->notes, error);
}

static int32_t build(seqrec_model *m, seqrec_error *error)
{
    SQ_TRY(sq_lock_init(&m->writing, error));
    SQ_TRY(sq_lock_init(&m->reading, error));
    SQ_TRY(sq_lock_init(&m->arenas_lock, error));
    SQ_TRY(sq_layout_create(&m->context->memory, &m->options, &m->layout, error));
    return first_snapshot(m, error);
}

/* A model, blank but for the parts of its first snapshot, whose references it takes over, also on failure. */
static seqrec_model *blank(seqrec_context *context, sq_parts parts)
{
    const sq_memory *memory = &context->memory;
    seqrec_model *m = sq_alloc_zero(memory, 1, sizeof *m);
    if (!m) {
        sq_parts_drop(memory, &parts);
        return NULL;
    }
    m->context = sq_context_retain(context);
    m->references = 1;
    m->current = sq_snapshot_create(memory, parts);
    if (m->current) return m;
    sq_free(memory, m);
    sq_context_release(context);
    return NULL;
}

int32_t sq_model_assemble(seqrec_context *context, const sq_options *options, const char *preset, sq_parts parts,
                          seqrec_model **out, seqrec_error *error)
{
    seqrec_model *m = blank(context, parts);
    SQ_CHECK(m, error, SEQREC_E_MEMORY, "no memory for a model");
    m->options = *options;
    memcpy(m->preset, preset, strnlen(preset, sizeof m->preset - 1));
    m->kernels = sq_kernels_best();
    int32_t status = sq_options_check(options, error);
    if (status == SEQREC_OK) status = build(m, error);
    if (status != SEQREC_OK) {
        sq_model_release(m);
        return status;
    }
    *out = m;
    return SEQREC_OK;
}

int32_t sq_model_create(seqrec_context *context, const sq_options *options, const char *preset, seqrec_model **out,
                        seqrec_error *error)
{
    return sq_model_assemble(context, options, preset, (sq_parts){0}, out, error);
}

void sq_model_options(const seqrec_model *model, sq_options *out)
{
    sq_lock *lock = (sq_lock *)&model->reading; /* the lock is not part of the model's value */
    sq_lock_take(lock);
    *out = model->options;
    sq_lock_give(lock);
}

/* Readers copy the options under `reading`; writers, who take `writing`, read the seed. */
static void lock_options(seqrec_model *model)
{
    sq_lock_take(&model->writing);
    sq_lock_take(&model->reading);
}

static void unlock_options(seqrec_model *model)
{
    sq_lock_give(&model->reading);
    sq_lock_give(&model->writing);
}

void sq_model_take_training(seqrec_model *model, const sq_options *options)
{
    lock_options(model);
    sq_options_take_training(&model->options, options);
    unlock_options(model);
}

seqrec_model *sq_model_retain(seqrec_model *model)
{
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void sq_model_release(seqrec_model *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = m->context;
    sq_snapshot_release(m, m->current);
    sq_notes_release(m->foreign);
    for (int32_t i = 0; i < m->idle; i++) sq_arena_free(&m->arenas[i], &context->memory);
    sq_layout_free(&context->memory, &m->layout);
    sq_lock_destroy(&m->writing);
    sq_lock_destroy(&m->reading);
    sq_lock_destroy(&m->arenas_lock);
    sq_free(&context->memory, m);
    sq_context_release(context);
}

/* ---- working memory --------------------------------------------------------------------------------------------- */

int32_t sq_model_borrow(seqrec_model *model, size_t bytes, sq_arena *out, seqrec_error *error)
{
    *out = (sq_arena){0};
    sq_lock_take(&model->arenas_lock);
    if (model->idle > 0) *out = model->arenas[--model->idle];
    sq_lock_give(&model->arenas_lock);
    out->used = 0;
    int32_t status = sq_arena_reserve(out, &model->context->memory, bytes, error);
    if (status != SEQREC_OK) sq_model_return(model, out);
    return status;
}

#define IDLE_BYTES ((size_t)64 << 20)

void sq_model_return(seqrec_model *model, sq_arena *arena)
{
    if (arena->base == NULL) return;
    sq_lock_take(&model->arenas_lock);
    int32_t kept = arena->capacity <= IDLE_BYTES && model->idle < SQ_IDLE_ARENAS;
    if (kept) model->arenas[model->idle++] = *arena;
    sq_lock_give(&model->arenas_lock);
    if (!kept) sq_arena_free(arena, &model->context->memory);
    *arena = (sq_arena){0};
}

/* ---- what options choose ---------------------------------------------------------------------------------------- */

static double start_deviation(const seqrec_model *model, int64_t rows, int32_t columns)
{
    if (model->options.init != SQ_INIT_XAVIER) return model->options.init_std;
    return sqrt(2.0 / ((double)rows + (double)columns));
}

sq_item_start sq_item_start_of(const seqrec_model *model, int64_t items_after)
{
    const sq_layout *l = &model->layout;
    return (sq_item_start){(uint64_t)model->options.seed, SQ_STREAM_INIT, start_deviation(model, items_after, l->part),
                           model->options.tied_output ? 1 : 2, l->part, l->vp, model->options.init};
}

sq_item_start sq_user_start_of(const seqrec_model *model, int64_t users_after)
{
    const sq_layout *l = &model->layout;
    return (sq_item_start){(uint64_t)model->options.seed, SQ_STREAM_USER_INIT,
                           start_deviation(model, users_after, l->ud), 1, l->ud, l->up, model->options.init};
}

void sq_item_start_fill(void *start, int64_t id, float *row)
{
    const sq_item_start *s = start;
    uint64_t key = sq_random_key(s->seed, s->stream, sq_mix64((uint64_t)id) | 1);
    for (int32_t t = 0; t < s->tables; t++)
        for (int32_t i = 0; i < s->dim; i++)
            row[t * s->padded + i] = (float)sq_start_value(s->init, s->deviation, key, (uint64_t)(t * s->dim + i));
}

sq_embedding sq_embedding_of(const seqrec_model *model, const float *weights)
{
    const sq_options *o = &model->options;
    sq_embedding e = {.kernels = model->kernels, .scale = 1, .d = (size_t)model->layout.d};
    e.width = (size_t)model->layout.dp;
    e.item_width = (size_t)model->layout.part;
    e.biased = model->layout.bias;
    if (o->scale_embeddings) e.scale = sqrtf((float)o->dim);
    if (sq_options_input_positions(o)) e.positions = weights + model->layout.position;
    if (o->calendar) e.calendar = weights + model->layout.calendar;
    e.rule = o->position == SQ_POSITION_START      ? sq_position_from_start
             : o->position == SQ_POSITION_REVERSED ? sq_position_newest
                                                   : sq_position_from_end;
    if (o->embedding_norm) e.gain = weights + model->layout.embedding_gain;
    if (o->embedding_norm) e.bias = weights + model->layout.embedding_bias;
    e.epsilon = (float)o->norm_epsilon;
    e.dropout.scale = 1;
    e.place = (int32_t)o->user_embedding; /* the choices stand in the same order */
    if (o->user_embedding == SQ_USER_NONE) return e;
    e.user = weights + model->layout.user_default;
    e.user_scale = o->scale_embeddings ? sqrtf((float)model->layout.ud) : 1;
    e.user_width = (size_t)model->layout.ud;
    return e;
}

sq_embedding_grads sq_embedding_grads_of(const seqrec_model *model, float *grads)
{
    const sq_options *o = &model->options;
    sq_embedding_grads g = {0};
    if (sq_options_input_positions(o)) g.positions = grads + model->layout.position;
    if (o->calendar) g.calendar = grads + model->layout.calendar;
    if (o->embedding_norm) g.gain = grads + model->layout.embedding_gain;
    if (o->embedding_norm) g.bias = grads + model->layout.embedding_bias;
    return g;
}
