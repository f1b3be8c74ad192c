/* train: negatives that a function of the host brings, once for each step. */
#include "train/trainer.h"
#include <math.h>
#include <string.h>

static int32_t reserve(sq_trainer *t, size_t draws, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t tokens = (size_t)t->plan.target_count;
    SQ_TRY(SQ_GROW(memory, t->host_items, 0, draws, error));
    SQ_TRY(SQ_GROW(memory, t->log_draws, 0, draws, error));
    return SQ_GROW(memory, t->host_targets, 0, tokens, error);
}

/* Log probabilities become the log of expected draws. */
static int32_t check_probabilities(sq_trainer *t, size_t draws, seqrec_error *error)
{
    float k = logf((float)sq_trainer_draws(t));
    for (size_t i = 0; i < draws; i++) {
        SQ_CHECK(isfinite(t->log_draws[i]) && t->log_draws[i] <= 0, error, SEQREC_E_ARGUMENT,
                 "log_probabilities[%zu] = %g of the host's negatives is not the logarithm of a probability", i,
                 (double)t->log_draws[i]);
        t->log_draws[i] += k;
    }
    return SEQREC_OK;
}

static int32_t check_items(const sq_trainer *t, size_t draws, seqrec_error *error)
{
    for (size_t i = 0; i < draws; i++)
        SQ_CHECK(sq_catalogue_find(t->items.catalogue, t->host_items[i]) >= 0, error, SEQREC_E_NOT_FOUND,
                 "items[%zu] of the host's negatives: the model has no item %lld", i, (long long)t->host_items[i]);
    return SEQREC_OK;
}

int32_t sq_step_ask_host(sq_trainer *t, seqrec_error *error)
{
    int64_t rows = sq_trainer_shares(t) ? 1 : t->plan.target_count, k = sq_trainer_draws(t);
    size_t draws = (size_t)(rows * k);
    SQ_TRY(reserve(t, draws, error));
    for (int64_t i = 0; i < t->plan.target_count; i++) t->host_targets[i] = sq_catalogue_id(t->items.catalogue, t->plan.targets[i]);
    for (size_t i = 0; i < draws; i++) t->host_items[i] = t->host_targets[0];
    for (size_t i = 0; i < draws; i++) t->log_draws[i] = t->options.logq == SQ_LOGQ_NONE ? 0 : NAN;
    seqrec_negatives request = {.struct_size = sizeof request, .tokens = t->plan.target_count, .rows = rows, .k = k};
    request.targets = t->host_targets;
    request.items = t->host_items;
    request.log_probabilities = t->log_draws;
    SQ_CHECK(t->host_negatives(t->host_context, &request) == 0, error, SEQREC_E_CANCELLED,
             "the host's function for negatives asked to stop");
    SQ_TRY(check_items(t, draws, error));
    return t->options.logq == SQ_LOGQ_NONE ? SEQREC_OK : check_probabilities(t, draws, error);
}
