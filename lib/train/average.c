/* train: the running mean of the weights over epochs. */
#include "train/average.h"
#include <string.h>

/* to += part * (from - to), which at 1 is from without rounding. */
static void move(float *to, const float *from, size_t n, float part)
{
    if (part == 1) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    for (size_t i = 0; i < n; i++) to[i] += part * (from[i] - to[i]);
}

/* What the weights now count in the mean of those that came when `came` epochs were in it. */
static float part_of(const sq_trainer *t, int64_t came)
{
    const int64_t epochs = t->fit.averaged - came + 1;
    return 1.0f / (float)(epochs < t->options.average_epochs ? epochs : t->options.average_epochs);
}

/* Rows of chunk c, each in the mean since it came; sq_trainer_sync has brought the mean under today's membership. */
static int32_t mean_chunk(const sq_trainer *t, const sq_catalogue *mean, const sq_trained *now, int32_t c, sq_rows **out,
                          seqrec_error *error)
{
    const size_t stride = (size_t)now->catalogue->stride;
    *out = sq_rows_create(&t->context->memory, (int32_t)stride, mean->rows[c]);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for the mean of %d rows", SQ_CHUNK_ROWS);
    for (size_t r = 0; r < SQ_CHUNK_ROWS; r++)
        move((*out)->at + r * stride, now->rows[c]->at + r * stride, stride, part_of(t, now->state[c]->came[r]));
    return SEQREC_OK;
}

/* Puts the mean of the rows in place of *out. */
static int32_t blend_table(const sq_trainer *t, const sq_catalogue *mean, const sq_trained *now, sq_catalogue **out,
                           seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_catalogue *blended = NULL;
    int32_t status = SEQREC_OK, c = 0, chunks = now->chunks;
    sq_rows **rows = sq_alloc_zero(memory, (size_t)chunks, sizeof *rows);
    SQ_CHECK(rows, error, SEQREC_E_MEMORY, "no memory for the mean of the weights");
    while (c < chunks && status == SEQREC_OK) {
        status = mean_chunk(t, mean, now, c, &rows[c], error);
        c += status == SEQREC_OK;
    }
    if (status == SEQREC_OK) status = sq_catalogue_with_rows(now->catalogue, rows, &blended, error);
    while (c > 0) sq_rows_release(memory, rows[--c]);
    sq_free(memory, rows);
    if (status != SEQREC_OK) return status;
    sq_catalogue_release(*out);
    *out = blended;
    return SEQREC_OK;
}

/* Puts the mean of `mean` and `now` in place of `now`, whose weights are its own. */
static int32_t blend(const sq_trainer *t, const sq_snapshot *mean, sq_snapshot *now, seqrec_error *error)
{
    SQ_TRY(blend_table(t, mean->parts.catalogue, &t->items, &now->parts.catalogue, error));
    SQ_TRY(blend_table(t, mean->parts.users, &t->users, &now->parts.users, error));
    move(now->parts.weights->at, mean->parts.weights->at, t->model->layout.floats, 1 - part_of(t, 0));
    return SEQREC_OK;
}

int32_t sq_trainer_average(sq_trainer *t, sq_snapshot **out, seqrec_error *error)
{
    const sq_progress_state *f = &t->fit;
    sq_snapshot *now = NULL;
    if (t->options.average_epochs == 0) return SEQREC_OK;
    SQ_TRY(sq_trainer_snapshot(t, &now, error));
    if (!f->average) {
        sq_trained_set_came(&t->items);
        sq_trained_set_came(&t->users);
    }
    int32_t status = f->average ? blend(t, f->average, now, error) : SEQREC_OK;
    if (status == SEQREC_OK)
        *out = now;
    else
        sq_snapshot_release(t->model, now);
    return status;
}
