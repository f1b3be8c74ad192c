/* train: creating a trainer, following the model's catalogue, publishing. */
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "train/fit.h"

/* ---- following the catalogue -------------------------------------------------------------------------------------------- */

/* What a sync makes before it touches the trainer. */
typedef struct draft {
    sq_trained items, users;
    double *popularity;
    float *log_expected;
    sq_sampler sampler;
    sq_snapshot *best, *average;
} draft;

/* log(draws * probability) by slot; -Inf for what is never drawn. */
static int32_t draft_expected(const sq_trainer *t, const sq_trained *items, const sq_sampler *sampler, float **out,
                              seqrec_error *error)
{
    const sq_sampler_kind *kind = sq_sampler_kind_at(t->options.sampler);
    if (t->options.logq == SQ_LOGQ_NONE || !kind->probability) return SEQREC_OK;
    *out = sq_alloc_zero(&t->context->memory, (size_t)sq_trained_slots(items), sizeof **out);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for the probabilities of %lld items", (long long)items->live_count);
    for (int64_t i = 0; i < items->live_count; i++)
        (*out)[items->live[i]] = (float)log((double)sq_trainer_draws(t) * kind->probability(sampler, i));
    return SEQREC_OK;
}

/* What counts are divided by before they are raised to alpha: 1, or where their powers would all be as good as 0 the largest. */
static double scale_of(const sq_trained *items, const double *popularity, double alpha)
{
    double largest = 0;
    for (int64_t i = 0; i < items->live_count; i++) largest = fmax(largest, popularity[items->live[i]]);
    return largest > 0 && pow(largest, alpha) < 1e-200 ? largest : 1;
}

/* The sampler over these items and, with logq, what it expects; on failure neither. */
static int32_t draft_sampler(const sq_trainer *t, const sq_trained *items, const double *popularity, sq_sampler *out,
                             float **expected, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    int32_t kind = (int32_t)t->options.sampler, weighted = sq_sampler_kind_at(kind)->prepare != NULL;
    double alpha = kind == SQ_SAMPLER_POPULARITY ? t->options.sampler_alpha : 1;
    double *weights = sq_alloc(memory, weighted ? (size_t)items->live_count : 0, sizeof *weights);
    SQ_CHECK(weights, error, SEQREC_E_MEMORY, "no memory for the weights of %lld items", (long long)items->live_count);
    const double scale = weighted ? scale_of(items, popularity, alpha) : 1;
    for (int64_t i = 0; weighted && i < items->live_count; i++) weights[i] = pow(popularity[items->live[i]] / scale, alpha);
    out->share = t->options.mixed_share;
    int32_t status = sq_sampler_build(out, memory, kind, items->live, items->live_count, weights, error);
    sq_free(memory, weights);
    if (status == SEQREC_OK) status = draft_expected(t, items, out, expected, error);
    if (status != SEQREC_OK) sq_sampler_free(out, memory);
    return status;
}

/* Training counts of the items that stayed; 0 for the others. */
static int32_t draft_popularity(const sq_trainer *t, const sq_trained *items, double **out, seqrec_error *error)
{
    int64_t slots = sq_trained_slots(items), old = t->popularity ? sq_trainer_slots(t) : 0;
    *out = sq_alloc_zero(&t->context->memory, (size_t)slots, sizeof **out);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)items->live_count);
    for (int64_t i = 0; i < old && i < slots; i++)
        if (!sq_item_changed(t->items.catalogue->slots[i / SQ_CHUNK_ROWS], items->catalogue->slots[i / SQ_CHUNK_ROWS],
                             (int32_t)(i % SQ_CHUNK_ROWS)))
            (*out)[i] = t->popularity[i];
    return SEQREC_OK;
}

static void drop_draft(const sq_trainer *t, draft *d)
{
    const sq_memory *memory = &t->context->memory;
    sq_trained_drop(&t->items, &d->items);
    sq_trained_drop(&t->users, &d->users);
    sq_free(memory, d->popularity);
    sq_free(memory, d->log_expected);
    sq_sampler_free(&d->sampler, memory);
    sq_snapshot_release(t->model, d->best);
    sq_snapshot_release(t->model, d->average);
}

/* A snapshot that is kept beside the weights, under the membership of `next`. */
static int32_t rebase(const sq_trainer *t, const sq_snapshot *kept, const sq_snapshot *next, sq_snapshot **out,
                      seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    if (!kept) return SEQREC_OK;
    sq_parts parts = {.user_names = sq_item_names_retain(next->parts.user_names)}; /* not kept's: nobody forgotten stays in it */
    int32_t status = sq_trained_merge(kept->parts.users, next->parts.users, &parts.users, error);
    if (status == SEQREC_OK) status = sq_trained_merge(kept->parts.catalogue, next->parts.catalogue, &parts.catalogue, error);
    if (status != SEQREC_OK) {
        sq_parts_drop(memory, &parts);
        return status;
    }
    sq_parts_inherit(&parts, &kept->parts);
    *out = sq_snapshot_create(memory, parts);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for the best weights so far");
    return SEQREC_OK;
}

static int32_t make_draft(const sq_trainer *t, const sq_snapshot *next, sq_moment now, draft *d, seqrec_error *error)
{
    SQ_TRY(sq_trained_draft(&t->items, next->parts.catalogue, now, &d->items, error));
    SQ_TRY(sq_trained_draft(&t->users, next->parts.users, now, &d->users, error));
    SQ_TRY(draft_popularity(t, &d->items, &d->popularity, error));
    SQ_TRY(draft_sampler(t, &d->items, d->popularity, &d->sampler, &d->log_expected, error));
    SQ_TRY(rebase(t, t->fit.best, next, &d->best, error));
    return rebase(t, t->fit.average, next, &d->average, error);
}

static void take_sampler(sq_trainer *t, const sq_sampler *sampler, float *expected)
{
    sq_sampler_free(&t->sampler, &t->context->memory);
    sq_free(&t->context->memory, t->log_expected);
    t->sampler = *sampler;
    t->log_expected = expected;
}

static void take_draft(sq_trainer *t, sq_moment now, draft *d)
{
    const sq_memory *memory = &t->context->memory;
    sq_trained_take(&t->items, &d->items, now);
    sq_trained_take(&t->users, &d->users, now);
    sq_free(memory, t->popularity);
    t->popularity = d->popularity;
    take_sampler(t, &d->sampler, d->log_expected);
    sq_snapshot_release(t->model, t->fit.best);
    sq_snapshot_release(t->model, t->fit.average);
    t->fit.best = d->best;
    t->fit.average = d->average;
}

static int32_t follow(sq_trainer *t, const sq_snapshot *next, seqrec_error *error)
{
    const sq_moment now = {t->step, t->fit.averaged};
    draft d = {0};
    int32_t status = make_draft(t, next, now, &d, error);
    if (status == SEQREC_OK)
        take_draft(t, now, &d);
    else
        drop_draft(t, &d);
    return status;
}

int32_t sq_trainer_sync(sq_trainer *t, seqrec_error *error)
{
    sq_snapshot *s = sq_snapshot_acquire(t->model);
    int32_t status = SEQREC_OK;
    if (!t->items.catalogue || s->parts.catalogue->version != t->items.catalogue->version ||
        s->parts.users->version != t->users.catalogue->version)
        status = follow(t, s, error);
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
    memcpy(t->weights, s->parts.weights->at, floats * sizeof(float));
    sq_snapshot_release(t->model, s);
    return sq_trainer_sync(t, error);
}

int32_t sq_trainer_create(seqrec_model *model, const sq_options *options, sq_trainer **out, seqrec_error *error)
{
    SQ_CHECK(model->lost[0] == '\0', error, SEQREC_E_STATE,
             "the model is from a file for serving, which lost: %s; train the model that the file was exported from", model->lost);
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

/* Whether the best so far is no longer what is looked for: by another metric it may be another, and where nothing is validated any more
 * the last weights count. */
static int32_t best_is_void(const sq_options *now, const sq_options *before)
{
    return now->metric_kind != before->metric_kind || (now->metric_cutoff != before->metric_cutoff && sq_metric_has_cutoff(now->metric_kind)) ||
           (now->valid_every == 0 && before->valid_every > 0);
}

static void forget_best(sq_trainer *t)
{
    sq_snapshot_release(t->model, t->fit.best);
    t->fit.best = NULL;
    t->fit.best_metric = NAN;
    t->fit.best_epoch = t->fit.stale = 0;
}

int32_t sq_trainer_set(sq_trainer *t, const char *name, const char *value, seqrec_error *error)
{
    sq_options changed = t->options;
    SQ_TRY(sq_options_set(&changed, name, value, error));
    SQ_TRY(sq_options_check(&changed, error));
    SQ_TRY(sq_trainer_catch_up(t, error)); /* rows that wait are replayed under the rates of their own steps */
    sq_options old = t->options;
    sq_sampler sampler = {0};
    float *expected = NULL;
    int32_t exact = sq_trainer_exact(t);
    t->options = changed;
    int32_t status = draft_sampler(t, &t->items, t->popularity, &sampler, &expected, error);
    if (status != SEQREC_OK) {
        t->options = old;
        return status;
    }
    /* Rows that lazy updates left behind count as current: exact updates replay the steps from now on only. */
    if (!exact && sq_trainer_exact(t)) {
        sq_trained_set_current(&t->items, t->step);
        sq_trained_set_current(&t->users, t->step);
    }
    if (best_is_void(&changed, &old)) forget_best(t);
    take_sampler(t, &sampler, expected);
    return SEQREC_OK;
}

void sq_trainer_free(sq_trainer *t)
{
    if (!t) return;
    const sq_memory *memory = &t->context->memory;
    seqrec_model *model = t->model;
    sq_trained_free(&t->items);
    sq_trained_free(&t->users);
    sq_free(memory, t->popularity);
    sq_free(memory, t->log_expected);
    sq_sampler_free(&t->sampler, memory);
    sq_snapshot_release(model, t->fit.best);
    sq_snapshot_release(model, t->fit.average);
    for (int32_t w = 0; t->arenas && w < t->workers; w++) sq_arena_free(&t->arenas[w], memory);
    sq_arena_free(&t->buckets.arena, memory);
    sq_gate_table_free(memory, &t->gates);
    sq_plan_free(&t->plan, memory);
    sq_waiting_free(&t->waiting, memory);
    sq_row_entries_free(&t->entries, memory);
    sq_row_entries_free(&t->user_entries, memory);
    void *blocks[] = {t->weights, t->transposed, t->m,  t->v,  t->grads,       t->table,  t->panels,
                      t->dtable,  t->arenas,     t->host_items, t->log_draws, t->host_targets, t->u,  t->dx, t->coefficient, t->touched, t->redrawn, t->losses, t->unfit,
                      t->sequence, t->sequence_weights, t->sequence_times, t->duser, t->known};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) sq_free(memory, blocks[i]);
    sq_free(memory, t);
    sq_model_release(model);
}

int32_t sq_trainer_set_popularity(sq_trainer *t, const double *counts, seqrec_error *error)
{
    sq_sampler sampler = {0};
    float *expected = NULL;
    SQ_TRY(draft_sampler(t, &t->items, counts, &sampler, &expected, error));
    take_sampler(t, &sampler, expected);
    memcpy(t->popularity, counts, (size_t)sq_trainer_slots(t) * sizeof *counts);
    return SEQREC_OK;
}

/* ---- publishing ----------------------------------------------------------------------------------------------------------- */

/* Copies of what is trained. */
static int32_t copy_trained(const sq_trainer *t, sq_parts *out, seqrec_error *error)
{
    out->weights = sq_weights_create(&t->context->memory, t->model->layout.floats);
    SQ_CHECK(out->weights, error, SEQREC_E_MEMORY, "no memory for a copy of the weights");
    memcpy(out->weights->at, t->weights, t->model->layout.floats * sizeof(float));
    SQ_TRY(sq_catalogue_with_rows(t->items.catalogue, t->items.rows, &out->catalogue, error));
    return sq_catalogue_with_rows(t->users.catalogue, t->users.rows, &out->users, error);
}

int32_t sq_trainer_snapshot(sq_trainer *t, sq_snapshot **out, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_parts parts = {0};
    SQ_TRY(sq_trainer_catch_up(t, error));
    sq_snapshot *now = sq_snapshot_acquire(t->model), *made = NULL;
    int32_t status = copy_trained(t, &parts, error);
    if (status == SEQREC_OK) {
        sq_parts_inherit(&parts, &now->parts);
        made = sq_snapshot_create(memory, parts);
        if (!made) status = sq_fail(error, SEQREC_E_MEMORY, "no memory for a copy of the weights");
    } else {
        sq_parts_drop(memory, &parts);
    }
    sq_snapshot_release(t->model, now);
    if (made) *out = made;
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
    sq_parts *parts = &change.parts;
    sq_lock_take(&t->model->writing);
    const sq_parts *now = &t->model->current->parts;
    int32_t status = sq_trained_merge(snapshot->parts.catalogue, now->catalogue, &parts->catalogue, error);
    if (status == SEQREC_OK) status = sq_trained_merge(snapshot->parts.users, now->users, &parts->users, error);
    if (status == SEQREC_OK) status = sq_trainer_notes(t, now->notes, &parts->notes, error);
    if (status == SEQREC_OK) {
        parts->weights = sq_weights_retain(snapshot->parts.weights);
        status = sq_model_publish(t->model, change, error);
    } else {
        sq_parts_drop(&t->context->memory, parts);
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
