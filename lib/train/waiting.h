/* train: batches of the host that wait for their step (option accumulate). */
#ifndef SQ_WAITING_H
#define SQ_WAITING_H
#include "base/memory.h"
#include "model/catalogue.h"

/* Copies by item id: an item may go before the step. */
typedef struct sq_waiting {
    int64_t batches, sequences, events;
    int64_t *offsets; /* [sequences + 1] */
    int64_t *items;   /* [events] */
    float *weights;   /* [events] */
    int64_t *times;   /* [events]; 0 where the batch had none */
    int64_t *users;   /* [sequences]; 0 where the batch had none */
    int64_t *rows;    /* [sequences] of the users when the batch came: slot << 32 | generation, or -1 */
    int64_t *places;  /* [events] of the items, likewise */
} sq_waiting;

/* Adds a batch that has been checked; weights NULL: 1; users NULL: the model has none. On failure nothing changes. */
int32_t sq_waiting_add(sq_waiting *waiting, const sq_memory *memory, const seqrec_batch *batch, const float *weights,
                       const sq_catalogue *items, const sq_catalogue *users, seqrec_error *error);
/* Whether an id had a row, `place`, when its batch came, and has it no more, though another may have the id by now. */
int32_t sq_waiting_is_gone(const sq_catalogue *catalogue, int64_t place, int64_t id);
/* Takes the counts back to what they were; what is behind them is forgotten. */
static inline void sq_waiting_rewind(sq_waiting *waiting, const sq_waiting *before)
{
    waiting->batches = before->batches;
    waiting->sequences = before->sequences;
    waiting->events = before->events;
}
void sq_waiting_free(sq_waiting *waiting, const sq_memory *memory);
#endif
