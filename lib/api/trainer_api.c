/* api: training: steps on the host's batches and fits to datasets. */
#include "api/checks.h"
#include "api/structs.h"
#include "train/checkpoint.h"
#include "train/fit.h"
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
    sq_model_take_training(model, &config->options);
    return SEQREC_OK;
}

void seqrec_trainer_release(seqrec_trainer *trainer) { sq_trainer_free(trainer); }

static int32_t usable(const seqrec_trainer *trainer, seqrec_error *error)
{
    SQ_CHECK(trainer, error, SEQREC_E_ARGUMENT, "trainer is NULL");
    return sq_pool_check(trainer->context->pool, error);
}

/* ---- a step --------------------------------------------------------------------------------------------------------- */

static int32_t check_weights(const seqrec_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    int64_t n = batch->sequences > 0 ? batch->offsets[batch->sequences] : 0;
    const float *weights = sq_trainer_event_weights(t, batch);
    SQ_CHECK(weights || t->options.event_weights != SQ_EVENT_WEIGHTS_VALUES || n == 0, error, SEQREC_E_ARGUMENT,
             "event_weights = values needs batch.values or batch.weights");
    for (int64_t i = 0; weights && i < n; i++)
        SQ_CHECK(weights[i] >= 0 && weights[i] <= 1e15f, error, SEQREC_E_ARGUMENT,
                 "batch.%s[%lld] = %g is not a weight in 0 .. 1e15", batch->weights ? "weights" : "values", (long long)i,
                 (double)weights[i]);
    return SEQREC_OK;
}

int32_t seqrec_trainer_step(seqrec_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats,
                            seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_step_stats s = {.struct_size = sizeof s};
    SQ_TRY(usable(trainer, error));
    SQ_TRY(sq_batch_read(&b, batch, error));
    SQ_TRY(check_weights(trainer, &b, error));
    SQ_TRY(sq_batch_times_check(trainer->model, &b, error));
    SQ_CHECK(trainer->options.known_items == SQ_KNOWN_NONE, error, SEQREC_E_UNSUPPORTED,
             "known_items weighs the events of a fit by what its epochs found: on batches of the host bring batch.weights");
    SQ_CHECK(b.users || !sq_trainer_personal(trainer) || b.sequences == 0, error, SEQREC_E_ARGUMENT,
             "batch.users is NULL: a model with users trains their vectors");
    if (stats) SQ_TRY(sq_struct_check(stats, SQ_STEP_STATS_FIRST, "stats", error));
    SQ_TRY(sq_trainer_step(trainer, &b, &s, error));
    if (stats) sq_struct_write(stats, &s, sizeof s);
    return SEQREC_OK;
}

int32_t seqrec_trainer_publish(seqrec_trainer *trainer, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    return sq_trainer_publish(trainer, error);
}

int32_t seqrec_trainer_publish_best(seqrec_trainer *trainer, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    SQ_CHECK(trainer->step > 0, error, SEQREC_E_STATE, "no step was taken yet: there are no trained weights to publish");
    return sq_trainer_publish_best(trainer, error);
}

/* Of an option of the model: only the value that it has. */
static int32_t check_kept(const seqrec_trainer *trainer, const sq_option *option, const char *value, seqrec_error *error)
{
    char now[64], asked[64];
    sq_options changed = trainer->options;
    SQ_TRY(sq_options_set(&changed, option->name, value, error));
    sq_option_text(&trainer->options, option, now, sizeof now);
    sq_option_text(&changed, option, asked, sizeof asked);
    SQ_CHECK(!strcmp(now, asked), error, SEQREC_E_ARGUMENT, "%s belongs to the model and cannot change in training: it is %s, not %s",
             option->name, now, asked);
    return SEQREC_OK;
}

int32_t seqrec_trainer_set(seqrec_trainer *trainer, const char *name, const char *value, seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    SQ_CHECK(name && value, error, SEQREC_E_ARGUMENT, "%s is NULL", name ? "value" : "name");
    const sq_option *option = sq_option_find(name);
    if (option && option->scope == SQ_SCOPE_MODEL) return check_kept(trainer, option, value, error);
    SQ_TRY(sq_trainer_set(trainer, name, value, error));
    sq_model_take_training(trainer->model, &trainer->options); /* the model's file says what it was trained with */
    return SEQREC_OK;
}

int32_t seqrec_trainer_set_popularity(seqrec_trainer *trainer, const int64_t *ids, const double *counts, int64_t n,
                                      seqrec_error *error)
{
    int32_t status = SEQREC_OK;
    SQ_TRY(usable(trainer, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_TRY(sq_trainer_sync(trainer, error));
    double *by_slot = sq_alloc_zero(&trainer->context->memory, (size_t)sq_trainer_slots(trainer), sizeof *by_slot);
    SQ_CHECK(by_slot, error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)trainer->items.live_count);
    for (int64_t s = 0; s < sq_trainer_slots(trainer); s++) by_slot[s] = -1; /* not named so far */
    for (int64_t i = 0; i < n && status == SEQREC_OK; i++) {
        int32_t slot = sq_catalogue_find(trainer->items.catalogue, ids[i]);
        if (slot < 0)
            status = sq_fail(error, SEQREC_E_NOT_FOUND, "counts[%lld]: the model has no item %lld", (long long)i, (long long)ids[i]);
        else if (counts && !(counts[i] >= 0 && counts[i] <= 1e15))
            status = sq_fail(error, SEQREC_E_ARGUMENT, "counts[%lld] of item %lld is %g: it must lie in 0 .. 1e15", (long long)i,
                             (long long)ids[i], counts[i]);
        else if (by_slot[slot] >= 0)
            status = sq_fail(error, SEQREC_E_ARGUMENT, "ids[%lld]: item %lld is there twice", (long long)i, (long long)ids[i]);
        else
            by_slot[slot] = counts ? counts[i] : 1;
    }
    for (int64_t s = 0; s < sq_trainer_slots(trainer); s++)
        if (by_slot[s] < 0) by_slot[s] = 0;
    if (status == SEQREC_OK) status = sq_trainer_set_popularity(trainer, by_slot, error);
    sq_free(&trainer->context->memory, by_slot);
    return status;
}

int32_t seqrec_trainer_set_negatives(seqrec_trainer *trainer, seqrec_negatives_fn negatives, void *context,
                                     seqrec_error *error)
{
    SQ_TRY(usable(trainer, error));
    trainer->host_negatives = negatives;
    trainer->host_context = context;
    return SEQREC_OK;
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
