/* train: a keyed table under training: the trainer's rows, their Adam state, and the membership they belong to. */
#ifndef SQ_TRAINEDTABLE_H
#define SQ_TRAINEDTABLE_H
#include "model/catalogue.h"
#include "tensor/kernels.h"

/* Adam state of one chunk of rows. */
typedef struct sq_row_state {
    float *m, *v;                 /* [SQ_CHUNK_ROWS][stride] */
    int64_t last[SQ_CHUNK_ROWS];  /* step up to which the row is current */
    int64_t came[SQ_CHUNK_ROWS];  /* epochs that were in the running mean when the row came */
    float inverse_norm[SQ_CHUNK_ROWS]; /* score = cosine: 1 / length of the output vector, or 0, of the rows of this step */
} sq_row_state;

/* Blank before its first draft is taken. */
typedef struct sq_trained {
    sq_catalogue *catalogue; /* membership the rows belong to; retained */
    sq_rows **rows;          /* [catalogue->chunks] own references */
    sq_row_state **state;    /* [catalogue->chunks] */
    int32_t chunks;
    int32_t *live;    /* [live_count] live slots, rising */
    int32_t *compact; /* [slots] index in live, or -1 */
    int64_t live_count;
} sq_trained;

static inline float *sq_trained_row(const sq_trained *table, int32_t slot)
{
    return table->rows[slot / SQ_CHUNK_ROWS]->at +
           (size_t)(slot % SQ_CHUNK_ROWS) * (size_t)table->catalogue->stride;
}
/* Epochs that were in the running mean when its row came. */
static inline int64_t *sq_trained_came(const sq_trained *table, int32_t slot)
{
    return &table->state[slot / SQ_CHUNK_ROWS]->came[slot % SQ_CHUNK_ROWS];
}
static inline int64_t sq_trained_slots(const sq_trained *table) { return (int64_t)table->chunks * SQ_CHUNK_ROWS; }
/* Slots up to the last live one: how many there are in a file. */
static inline int32_t sq_trained_end(const sq_trained *table)
{
    return table->live_count > 0 ? table->live[table->live_count - 1] + 1 : 0;
}

/* Following the model, in two halves so that several tables change together or not at all. The draft has the membership of
 * `next`: new and updated rows are those of `next` with fresh state, which came at `now`; removed ones are zero; all others stay
 * as trained. The table is not touched until the draft is taken, which cannot fail. */
typedef struct sq_moment {
    int64_t step;     /* committed */
    int64_t averaged; /* epochs in the running mean */
} sq_moment;
int32_t sq_trained_draft(const sq_trained *table, sq_catalogue *next, sq_moment now, sq_trained *draft,
                         seqrec_error *error);
void sq_trained_take(sq_trained *table, sq_trained *draft, sq_moment now);
void sq_trained_drop(const sq_trained *table, sq_trained *draft);
void sq_trained_free(sq_trained *table);

/* Whether another item came to row r of a chunk between a and b. */
static inline int sq_item_changed(const sq_slots *a, const sq_slots *b, int32_t r)
{
    return a->live[r] != b->live[r] || a->generation[r] != b->generation[r];
}
/* Whether another item or vector came to it. */
static inline int sq_row_changed(const sq_slots *a, const sq_slots *b, int32_t r)
{
    return sq_item_changed(a, b, r) || sq_slots_stamp(a, r) != sq_slots_stamp(b, r);
}
/* Rows of `from` under the membership of `next`, which came later: where rows changed since, those of `next`. */
int32_t sq_trained_merge(const sq_catalogue *from, const sq_catalogue *next, sq_catalogue **out, seqrec_error *error);

/* Copies row chunks that a snapshot shares, so that they may be written. */
int32_t sq_trained_own_rows(sq_trained *table, seqrec_error *error);
/* One Adam step of a row of one vector, with gradient g, which makes it current at `step`. */
static inline void sq_trained_update(sq_trained *table, const sq_kernels *kernels, const sq_adam *rule, int32_t slot,
                                     const float *g, int64_t step)
{
    sq_row_state *state = table->state[slot / SQ_CHUNK_ROWS];
    size_t width = (size_t)table->catalogue->padded, at = (size_t)(slot % SQ_CHUNK_ROWS) * width;
    kernels->adam(width, rule, g, sq_trained_row(table, slot), state->m + at, state->v + at);
    state->last[slot % SQ_CHUNK_ROWS] = step;
}
/* Every row counts as current at `step`. */
void sq_trained_set_current(sq_trained *table, int64_t step);
/* The running mean begins: every row is in it from the first epoch on. */
void sq_trained_set_came(sq_trained *table);
#endif
