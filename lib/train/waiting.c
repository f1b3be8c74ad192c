/* train: batches of the host that wait for their step (option accumulate). */
#include "train/waiting.h"
#include <string.h>

#define GROW(array, used, count) SQ_GROW(memory, w->array, used, count, error)

/* Which row has an id: slot and generation, -1 for none. */
static int64_t place_of(const sq_catalogue *catalogue, int64_t id)
{
    const int32_t slot = sq_catalogue_find(catalogue, id);
    if (slot < 0) return -1;
    return (int64_t)slot << 32 | sq_catalogue_generation(catalogue, slot);
}

int32_t sq_waiting_is_gone(const sq_catalogue *catalogue, int64_t place, int64_t id)
{
    return place >= 0 && place != place_of(catalogue, id);
}

static int32_t reserve(sq_waiting *w, const sq_memory *memory, const seqrec_batch *batch, int64_t n, seqrec_error *error)
{
    SQ_TRY(GROW(offsets, w->sequences ? w->sequences + 1 : 0, w->sequences + batch->sequences + 1));
    SQ_TRY(GROW(users, w->sequences, w->sequences + batch->sequences));
    SQ_TRY(GROW(rows, w->sequences, w->sequences + batch->sequences));
    SQ_TRY(GROW(items, w->events, w->events + n));
    SQ_TRY(GROW(places, w->events, w->events + n));
    SQ_TRY(GROW(weights, w->events, w->events + n));
    return GROW(times, w->events, w->events + n);
}

int32_t sq_waiting_add(sq_waiting *w, const sq_memory *memory, const seqrec_batch *batch, const float *weights,
                       const sq_catalogue *items, const sq_catalogue *users, seqrec_error *error)
{
    int64_t n = batch->sequences > 0 ? batch->offsets[batch->sequences] : 0;
    SQ_TRY(reserve(w, memory, batch, n, error));
    w->offsets[w->sequences] = w->events;
    for (int64_t b = 0; b < batch->sequences; b++) w->offsets[w->sequences + b + 1] = w->events + batch->offsets[b + 1];
    for (int64_t b = 0; b < batch->sequences; b++) w->users[w->sequences + b] = batch->users ? batch->users[b] : 0;
    for (int64_t b = 0; b < batch->sequences; b++) w->rows[w->sequences + b] = users ? place_of(users, batch->users[b]) : -1;
    if (n > 0) memcpy(w->items + w->events, batch->items, (size_t)n * sizeof *w->items);
    for (int64_t i = 0; i < n; i++) w->places[w->events + i] = place_of(items, batch->items[i]);
    for (int64_t i = 0; i < n; i++) w->weights[w->events + i] = weights ? weights[i] : 1;
    for (int64_t i = 0; i < n; i++) w->times[w->events + i] = batch->timestamps ? batch->timestamps[i] : 0;
    w->sequences += batch->sequences;
    w->events += n;
    w->batches++;
    return SEQREC_OK;
}

void sq_waiting_free(sq_waiting *w, const sq_memory *memory)
{
    sq_free(memory, w->offsets);
    sq_free(memory, w->items);
    sq_free(memory, w->weights);
    sq_free(memory, w->times);
    sq_free(memory, w->users);
    sq_free(memory, w->rows);
    sq_free(memory, w->places);
    *w = (sq_waiting){0};
}
