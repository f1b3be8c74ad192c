/* api: training: steps on the host's batches and fits to datasets. */
#include "api/checks.h"
#include "api/structs.h"
#include "train/checkpoint.h"
#include "train/fit.h"
#include <float.h>
#include <math.h>
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

/* Weights of the batch's events as targets, or NULL: all 1. */
static int32_t event_weights(const seqrec_trainer *t, const seqrec_batch *batch, const float **out, seqrec_error *error)
{
    int64_t n = batch->sequences > 0 ? batch->offsets[batch->sequences] : 0;
    int values = t->options.event_weights == SQ_EVENT_WEIGHTS_VALUES && !batch->weights;
    const float *weights = values ? batch->values : batch->weights;
    SQ_CHECK(weights || !values || n == 0, error, SEQREC_E_ARGUMENT,
             "event_weights = values needs batch.values or batch.weights");
    for (int64_t i = 0; weights && i < n; i++)
        SQ_CHECK(weights[i] >= 0 && weights[i] <= 1e15f, error, SEQREC_E_ARGUMENT,
                 "batch.%s[%lld] = %g is not a weight in 0 .. 1e15", values ? "values" : "weights", (long long)i,
                 (double)weights[i]);
    *out = weights;
    return SEQREC_OK;
}

static int32_t check_items(const seqrec_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    for (int64_t b = 0; b < batch->sequences; b++)
        for (int64_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++)
            SQ_CHECK(sq_catalogue_find(t->items.catalogue, batch->items[i]) >= 0, error, SEQREC_E_NOT_FOUND,
                     "event %lld of sequence %lld: the model has no item %lld", (long long)(i - batch->offsets[b]),
                     (long long)b, (long long)batch->items[i]);
    return SEQREC_OK;
}

/* Which row has an id: slot and generation, -1 for none. */
static int64_t place_of(const sq_catalogue *catalogue, int64_t id)
{
    const int32_t slot = sq_catalogue_find(catalogue, id);
    if (slot < 0) return -1;
    return (int64_t)slot << 32 | sq_catalogue_generation(catalogue, slot);
}

/* Whether an id had a row, `before`, when it came, and has it no more, though another may have the id by now. */
static int is_gone(const sq_catalogue *catalogue, int64_t before, int64_t id)
{
    return before >= 0 && before != place_of(catalogue, id);
}

/* Slots, weights and times of one sequence in the trainer's own memory; items the model does not have are passed over, and with `waited`,
 * where the batch waited, those that were removed meanwhile. */
static int32_t read_sequence(seqrec_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, int64_t b,
                             sq_plan_sequence *out, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t n = (size_t)(batch->offsets[b + 1] - batch->offsets[b]);
    SQ_TRY(SQ_GROW(memory, t->sequence, t->sequence_capacity, 0, n, error));
    SQ_TRY(SQ_GROW(memory, t->sequence_weights, t->sequence_weights_capacity, 0, n, error));
    SQ_TRY(SQ_GROW(memory, t->sequence_times, t->sequence_times_capacity, 0, n, error));
    *out = (sq_plan_sequence){t->sequence, weights ? t->sequence_weights : NULL, batch->timestamps ? t->sequence_times : NULL, 0, 0, 0};
    for (int64_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++) {
        int32_t slot = sq_catalogue_find(t->items.catalogue, batch->items[i]);
        if (slot < 0 || (waited && is_gone(t->items.catalogue, waited->places[i], batch->items[i]))) continue;
        if (weights) t->sequence_weights[out->n] = weights[i];
        if (out->times) t->sequence_times[out->n] = batch->timestamps[i];
        t->sequence[out->n++] = slot;
    }
    return SEQREC_OK;
}

static int needs_user(const seqrec_trainer *t)
{
    return sq_trainer_personal(t) && t->options.unknown_users != SQ_UNKNOWN_USER_DEFAULT;
}

static int32_t check_users(const seqrec_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    for (int64_t b = 0; needs_user(t) && b < batch->sequences; b++)
        SQ_CHECK(sq_catalogue_find(t->users.catalogue, batch->users[b]) >= 0, error, SEQREC_E_NOT_FOUND,
                 "sequence %lld: the model has no user %lld", (long long)b, (long long)batch->users[b]);
    return SEQREC_OK;
}

/* Slot of the user of sequence b, -1 for the default vector. */
static int32_t user_of(const seqrec_trainer *t, const seqrec_batch *batch, int64_t b)
{
    return sq_trainer_personal(t) ? sq_catalogue_find(t->users.catalogue, batch->users[b]) : -1;
}

/* Sequences whose user was forgotten while they waited are passed over; waited NULL: they came just now. */
static int32_t plan(seqrec_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_plan_sequence sequence;
    sq_plan_clear(&t->plan);
    for (int64_t b = 0; b < batch->sequences; b++) {
        t->plan.user = user_of(t, batch, b);
        if (t->plan.user < 0 && needs_user(t)) continue;
        if (waited && sq_trainer_personal(t) && is_gone(t->users.catalogue, waited->rows[b], batch->users[b])) continue;
        SQ_TRY(read_sequence(t, batch, weights, waited, b, &sequence, error));
        SQ_TRY(sq_trainer_plan_add(t, &sequence, error));
    }
    return sq_plan_finish(&t->plan, memory, t->options.micro_batch, error);
}

static int32_t run(seqrec_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, seqrec_step_stats *stats,
                   seqrec_error *error)
{
    SQ_TRY(plan(t, batch, weights, waited, error));
    return sq_trainer_run(t, stats, error);
}

/* Adds the batch to those that wait; when enough are there, makes one step of them. */
static int32_t accumulate(seqrec_trainer *t, const seqrec_batch *batch, const float *weights, seqrec_step_stats *stats,
                          seqrec_error *error)
{
    sq_waiting *w = &t->waiting, before = *w;
    SQ_TRY(sq_waiting_add(w, &t->context->memory, batch, weights, error));
    for (int64_t b = 0; sq_trainer_personal(t) && b < batch->sequences; b++)
        w->rows[before.sequences + b] = place_of(t->users.catalogue, batch->users[b]);
    for (int64_t i = before.events; i < w->events; i++) w->places[i] = place_of(t->items.catalogue, w->items[i]);
    stats->step = t->step;
    stats->loss = NAN;
    stats->waiting = w->batches;
    if (w->batches < t->options.accumulate) return SEQREC_OK;
    seqrec_batch all = {.struct_size = sizeof all, .sequences = w->sequences, .offsets = w->offsets, .items = w->items, .users = w->users};
    all.timestamps = w->times;
    int32_t status = run(t, &all, w->weights, w, stats, error);
    sq_waiting_rewind(w, status == SEQREC_OK ? &(sq_waiting){0} : &before);
    stats->waiting = 0;
    return status;
}

int32_t seqrec_trainer_step(seqrec_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats,
                            seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_step_stats s = {.struct_size = sizeof s};
    const float *weights = NULL;
    SQ_TRY(usable(trainer, error));
    SQ_TRY(sq_batch_read(&b, batch, error));
    SQ_TRY(event_weights(trainer, &b, &weights, error));
    SQ_TRY(sq_batch_times_check(trainer->model, &b, error));
    SQ_CHECK(trainer->options.known_items == SQ_KNOWN_NONE, error, SEQREC_E_UNSUPPORTED,
             "known_items weighs the events of a fit by what its epochs found: on batches of the host bring batch.weights");
    SQ_CHECK(b.users || !sq_trainer_personal(trainer) || b.sequences == 0, error, SEQREC_E_ARGUMENT,
             "batch.users is NULL: a model with users trains their vectors");
    if (stats) SQ_TRY(sq_struct_check(stats, SQ_STEP_STATS_FIRST, "stats", error));
    SQ_TRY(sq_trainer_sync(trainer, error));
    if (trainer->options.unknown_items == SQ_UNKNOWN_ITEM_ERROR) SQ_TRY(check_items(trainer, &b, error));
    SQ_TRY(check_users(trainer, &b, error));
    if (trainer->options.accumulate > 1 || trainer->waiting.batches > 0)
        SQ_TRY(accumulate(trainer, &b, weights, &s, error));
    else
        SQ_TRY(run(trainer, &b, weights, NULL, &s, error));
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
            status = sq_fail(error, SEQREC_E_ARGUMENT, "counts[%lld] of item %lld is not in 0 .. 1e15", (long long)i,
                             (long long)ids[i]);
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
