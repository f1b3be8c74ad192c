/* train: a step on a batch of the host: its ids become the plan's slots, at once or, with option accumulate, after a wait. */
#include "train/trainer.h"
#include <math.h>

const float *sq_trainer_event_weights(const sq_trainer *t, const seqrec_batch *batch)
{
    return t->options.event_weights == SQ_EVENT_WEIGHTS_VALUES && !batch->weights ? batch->values : batch->weights;
}

/* ---- checks that need the rows of this step ---------------------------------------------------------------------------- */

static int32_t check_items(const sq_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    for (int64_t b = 0; b < batch->sequences; b++)
        for (int64_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++)
            SQ_CHECK(sq_catalogue_find(t->items.catalogue, batch->items[i]) >= 0, error, SEQREC_E_NOT_FOUND,
                     "event %lld of sequence %lld: the model has no item %lld", (long long)(i - batch->offsets[b]),
                     (long long)b, (long long)batch->items[i]);
    return SEQREC_OK;
}

static int needs_user(const sq_trainer *t)
{
    return sq_trainer_personal(t) && t->options.unknown_users != SQ_UNKNOWN_USER_DEFAULT;
}

static int32_t check_users(const sq_trainer *t, const seqrec_batch *batch, seqrec_error *error)
{
    for (int64_t b = 0; needs_user(t) && b < batch->sequences; b++)
        SQ_CHECK(sq_catalogue_find(t->users.catalogue, batch->users[b]) >= 0, error, SEQREC_E_NOT_FOUND,
                 "sequence %lld: the model has no user %lld", (long long)b, (long long)batch->users[b]);
    return SEQREC_OK;
}

/* ---- from the batch to the plan ---------------------------------------------------------------------------------------- */

/* Slots, weights and times of one sequence in the trainer's own memory; items the model does not have are passed over, and with `waited`,
 * where the batch waited, those that were removed meanwhile. */
static int32_t read_sequence(sq_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, int64_t b,
                             sq_plan_sequence *out, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t n = (size_t)(batch->offsets[b + 1] - batch->offsets[b]);
    SQ_TRY(SQ_GROW(memory, t->sequence, 0, n, error));
    SQ_TRY(SQ_GROW(memory, t->sequence_weights, 0, n, error));
    SQ_TRY(SQ_GROW(memory, t->sequence_times, 0, n, error));
    *out = (sq_plan_sequence){t->sequence, weights ? t->sequence_weights : NULL, batch->timestamps ? t->sequence_times : NULL, 0, 0, 0};
    for (int64_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++) {
        int32_t slot = sq_catalogue_find(t->items.catalogue, batch->items[i]);
        if (slot < 0 || (waited && sq_waiting_is_gone(t->items.catalogue, waited->places[i], batch->items[i]))) continue;
        if (weights) t->sequence_weights[out->n] = weights[i];
        if (out->times) t->sequence_times[out->n] = batch->timestamps[i];
        t->sequence[out->n++] = slot;
    }
    return SEQREC_OK;
}

/* Slot of the user of sequence b, -1 for the default vector. */
static int32_t user_of(const sq_trainer *t, const seqrec_batch *batch, int64_t b)
{
    return sq_trainer_personal(t) ? sq_catalogue_find(t->users.catalogue, batch->users[b]) : -1;
}

/* Sequences whose user was forgotten while they waited are passed over; waited NULL: they came just now. */
static int32_t plan(sq_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, seqrec_error *error)
{
    sq_plan_sequence sequence;
    sq_plan_clear(&t->plan);
    for (int64_t b = 0; b < batch->sequences; b++) {
        t->plan.user = user_of(t, batch, b);
        if (t->plan.user < 0 && needs_user(t)) continue;
        if (waited && sq_trainer_personal(t) && sq_waiting_is_gone(t->users.catalogue, waited->rows[b], batch->users[b])) continue;
        SQ_TRY(read_sequence(t, batch, weights, waited, b, &sequence, error));
        SQ_TRY(sq_trainer_plan_add(t, &sequence, error));
    }
    return sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error);
}

static int32_t run(sq_trainer *t, const seqrec_batch *batch, const float *weights, const sq_waiting *waited, seqrec_step_stats *stats,
                   seqrec_error *error)
{
    SQ_TRY(plan(t, batch, weights, waited, error));
    return sq_trainer_run(t, stats, error);
}

/* Adds the batch to those that wait; when enough are there, makes one step of them. */
static int32_t accumulate(sq_trainer *t, const seqrec_batch *batch, const float *weights, seqrec_step_stats *stats, seqrec_error *error)
{
    sq_waiting *w = &t->waiting, before = *w;
    const sq_catalogue *users = sq_trainer_personal(t) ? t->users.catalogue : NULL;
    SQ_TRY(sq_waiting_add(w, &t->context->memory, batch, weights, t->items.catalogue, users, error));
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

int32_t sq_trainer_step(sq_trainer *t, const seqrec_batch *batch, seqrec_step_stats *stats, seqrec_error *error)
{
    const float *weights = sq_trainer_event_weights(t, batch);
    SQ_TRY(sq_trainer_sync(t, error));
    if (t->options.unknown_items == SQ_UNKNOWN_ITEM_ERROR) SQ_TRY(check_items(t, batch, error));
    SQ_TRY(check_users(t, batch, error));
    if (t->options.accumulate > 1 || t->waiting.batches > 0) return accumulate(t, batch, weights, stats, error);
    return run(t, batch, weights, NULL, stats, error);
}
