/* api: training: steps on the host's batches and fits to datasets. */
#include "api/checks.h"
#include "api/structs.h"
#include "train/checkpoint.h"
#include "train/fit.h"
#include <float.h>
#include <string.h>

/* Options of the model's scope must be the model's own. */
static int32_t same_model_scope(const seqrec_model *model, const sq_options *options, seqrec_error *error)
{
    char own[64], other[64];
    for (int32_t i = 0; i < sq_option_count; i++) {
        const sq_option *o = &sq_option_table[i];
        if (o->scope != SQ_SCOPE_MODEL) continue;
        sq_option_text(&model->options, o, own, sizeof own);
        sq_option_text(options, o, other, sizeof other);
        SQ_CHECK(strcmp(own, other) == 0, error, SEQREC_E_ARGUMENT, "the model has %s = %s, the config %s", o->name, own,
                 other);
    }
    return SEQREC_OK;
}

int32_t seqrec_trainer_create(seqrec_model *model, const seqrec_config *config, seqrec_trainer **out,
                              seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(config && out, error, SEQREC_E_ARGUMENT, "%s is NULL", config ? "out" : "config");
    SQ_TRY(same_model_scope(model, &config->options, error));
    SQ_TRY(sq_trainer_create(model, &config->options, out, error));
    sq_lock_take(&model->writing);
    sq_options_take_training(&model->options, &config->options);
    sq_lock_give(&model->writing);
    return SEQREC_OK;
}

void seqrec_trainer_release(seqrec_trainer *trainer) { sq_trainer_free(trainer); }

static int32_t usable(const seqrec_trainer *trainer, seqrec_error *error)
{
    SQ_CHECK(trainer, error, SEQREC_E_ARGUMENT, "trainer is NULL");
    return sq_pool_check(trainer->context->pool, error);
}

/* ---- a step --------------------------------------------------------------------------------------------------------- */

/* Slots of one sequence into the trainer's own memory; *n counts those kept. */
static int32_t slots_of(seqrec_trainer *t, const seqrec_batch *batch, int64_t b, int64_t *n, seqrec_error *error)
{
    *n = 0;
    for (int64_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++) {
        int32_t slot = sq_catalogue_find(t->catalogue, batch->items[i]);
        SQ_CHECK(slot >= 0 || t->options.unknown_items == SQ_UNKNOWN_ITEM_SKIP, error, SEQREC_E_NOT_FOUND,
                 "event %lld of sequence %lld: the model has no item %lld", (long long)(i - batch->offsets[b]), (long long)b,
                 (long long)batch->items[i]);
        if (slot >= 0) t->sequence[(*n)++] = slot;
    }
    return SEQREC_OK;
}

static int32_t plan(seqrec_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_plan_clear(&t->plan);
    for (int64_t b = 0; b < batch->sequences; b++) {
        int64_t n = batch->offsets[b + 1] - batch->offsets[b];
        SQ_TRY(sq_grow(memory, (void **)&t->sequence, &t->sequence_capacity, 0, (size_t)n, sizeof *t->sequence, error));
        SQ_TRY(slots_of(t, batch, b, &n, error));
        SQ_TRY(sq_trainer_plan_add(t, t->sequence, n, error));
    }
    return sq_plan_finish(&t->plan, memory, t->options.micro_batch, error);
}

int32_t seqrec_trainer_step(seqrec_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats,
                            seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_step_stats s = {.struct_size = sizeof s};
    SQ_TRY(usable(trainer, error));
    SQ_TRY(sq_batch_read(&b, batch, error));
    SQ_CHECK(!b.weights, error, SEQREC_E_UNSUPPORTED, "batch.weights: no loss of this version uses weights of events");
    if (stats) SQ_TRY(sq_struct_check(stats, SQ_STEP_STATS_FIRST, "stats", error));
    SQ_TRY(sq_trainer_sync(trainer, error));
    SQ_TRY(plan(trainer, &b, error));
    SQ_TRY(sq_trainer_run(trainer, &s, error));
    if (stats) sq_struct_write(stats, &s, sizeof s);
    return SEQREC_OK;
}

int32_t seqrec_trainer_publish(seqrec_trainer *trainer, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    return sq_trainer_publish(trainer, error);
}

int32_t seqrec_trainer_set(seqrec_trainer *trainer, const char *name, const char *value, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    SQ_CHECK(name && value, error, SEQREC_E_ARGUMENT, "%s is NULL", name ? "value" : "name");
    const sq_option *option = sq_option_find(name);
    SQ_CHECK(!option || option->scope != SQ_SCOPE_MODEL, error, SEQREC_E_ARGUMENT,
             "%s belongs to the model and cannot change in training", name);
    SQ_TRY(sq_trainer_set(trainer, name, value, error));
    /* The model's file says what it was trained with; only this field is written, beside readers of the others. */
    sq_lock_take(&trainer->model->writing);
    int32_t status = sq_options_set(&trainer->model->options, name, value, error);
    sq_lock_give(&trainer->model->writing);
    return status;
}

int32_t seqrec_trainer_set_popularity(seqrec_trainer *trainer, const int64_t *ids, const double *counts, int64_t n,
                                      seqrec_error *error)
{
    int32_t status = SEQREC_OK;
    SQ_TRY(usable(trainer, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(counts || n == 0, error, SEQREC_E_ARGUMENT, "counts is NULL for n = %lld", (long long)n);
    SQ_TRY(sq_trainer_sync(trainer, error));
    double *by_slot = sq_alloc_zero(&trainer->context->memory, (size_t)sq_trainer_slots(trainer), sizeof *by_slot);
    SQ_CHECK(by_slot, error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)trainer->live_count);
    for (int64_t i = 0; i < n && status == SEQREC_OK; i++) {
        int32_t slot = sq_catalogue_find(trainer->catalogue, ids[i]);
        if (slot < 0)
            status = sq_fail(error, SEQREC_E_NOT_FOUND, "counts[%lld]: the model has no item %lld", (long long)i, (long long)ids[i]);
        else if (!(counts[i] >= 0 && counts[i] <= 1e15))
            status = sq_fail(error, SEQREC_E_ARGUMENT, "counts[%lld] of item %lld is not in 0 .. 1e15", (long long)i,
                             (long long)ids[i]);
        else
            by_slot[slot] = counts[i];
    }
    if (status == SEQREC_OK) status = sq_trainer_set_popularity(trainer, by_slot, error);
    sq_free(&trainer->context->memory, by_slot);
    return status;
}

/* ---- a fit ------------------------------------------------------------------------------------------------------------ */

int32_t seqrec_trainer_fit(seqrec_trainer *trainer, const seqrec_dataset *dataset, const seqrec_fit *fit,
                           seqrec_fit_stats *stats, seqrec_error *error)
{
    seqrec_fit f = {.struct_size = sizeof f};
    seqrec_fit_stats s = {.struct_size = sizeof s};
    SQ_TRY(usable(trainer, error));
    SQ_CHECK(dataset, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    if (fit) SQ_TRY(sq_struct_read(&f, sizeof f, fit, SQ_FIT_FIRST, "fit", error));
    if (stats) SQ_TRY(sq_struct_check(stats, SQ_FIT_STATS_FIRST, "stats", error));
    SQ_CHECK(f.checkpoint_every >= 0, error, SEQREC_E_RANGE, "fit.checkpoint_every = %lld is negative",
             (long long)f.checkpoint_every);
    SQ_TRY(sq_trainer_fit(trainer, dataset, &f, &s, error));
    if (stats) sq_struct_write(stats, &s, sizeof s);
    return SEQREC_OK;
}

int32_t seqrec_trainer_save(seqrec_trainer *trainer, const char *path, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    SQ_CHECK(path, error, SEQREC_E_ARGUMENT, "path is NULL");
    return sq_checkpoint_save(trainer, path, error);
}

int32_t seqrec_trainer_load(seqrec_context *context, const char *path, seqrec_trainer **out, seqrec_model **model,
                            seqrec_error *error)
{
    SQ_CHECK(context, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    SQ_CHECK(path && out && model, error, SEQREC_E_ARGUMENT, "%s is NULL", !path ? "path" : !out ? "out" : "model");
    return sq_checkpoint_load(context, path, out, model, error);
}
