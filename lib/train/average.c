/* train: the running mean of the weights over epochs. */
#include "train/average.h"

/* to += part * (from - to) */
static void move(float *to, const float *from, size_t n, float part)
{
    for (size_t i = 0; i < n; i++) to[i] += part * (from[i] - to[i]);
}

/* Rows of chunk c: the mean where the chunk's members are the same as before, else as they are. */
static int32_t mean_chunk(const sq_trainer *t, const sq_catalogue *mean, const sq_catalogue *now, int32_t c, float part,
                          sq_rows **out, seqrec_error *error)
{
    int same = c < mean->chunks && mean->slots[c] == now->slots[c];
    *out = sq_rows_create(&t->context->memory, now->stride, same ? mean->rows[c] : now->rows[c]);
    SQ_CHECK(*out, error, SEQREC_E_MEMORY, "no memory for the mean of %d rows", SQ_CHUNK_ROWS);
    if (same) move((*out)->at, now->rows[c]->at, (size_t)SQ_CHUNK_ROWS * (size_t)now->stride, part);
    return SEQREC_OK;
}

/* Puts the mean of two tables in place of *now. */
static int32_t blend_table(const sq_trainer *t, const sq_catalogue *mean, sq_catalogue **now, float part,
                           seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    sq_catalogue *blended = NULL;
    int32_t status = SEQREC_OK, c = 0, chunks = (*now)->chunks;
    sq_rows **rows = sq_alloc_zero(memory, (size_t)chunks, sizeof *rows);
    SQ_CHECK(rows, error, SEQREC_E_MEMORY, "no memory for the mean of the weights");
    while (c < chunks && status == SEQREC_OK) {
        status = mean_chunk(t, mean, *now, c, part, &rows[c], error);
        c += status == SEQREC_OK;
    }
    if (status == SEQREC_OK) status = sq_catalogue_with_rows(*now, rows, &blended, error);
    while (c > 0) sq_rows_release(memory, rows[--c]);
    sq_free(memory, rows);
    if (status != SEQREC_OK) return status;
    sq_catalogue_release(*now);
    *now = blended;
    return SEQREC_OK;
}

/* Puts the mean of `mean` and `now` in place of `now`, whose weights are its own. */
static int32_t blend(const sq_trainer *t, const sq_snapshot *mean, sq_snapshot *now, float part, seqrec_error *error)
{
    SQ_TRY(blend_table(t, mean->catalogue, &now->catalogue, part, error));
    SQ_TRY(blend_table(t, mean->users, &now->users, part, error));
    move(now->weights->at, mean->weights->at, t->model->layout.floats, 1 - part);
    return SEQREC_OK;
}

int32_t sq_trainer_average(sq_trainer *t, sq_snapshot **out, seqrec_error *error)
{
    const sq_progress_state *f = &t->fit;
    sq_snapshot *now = NULL;
    if (t->options.average_epochs == 0) return SEQREC_OK;
    int64_t window = f->averaged + 1 < t->options.average_epochs ? f->averaged + 1 : t->options.average_epochs;
    SQ_TRY(sq_trainer_snapshot(t, &now, error));
    int32_t status = f->average ? blend(t, f->average, now, 1.0f / (float)window, error) : SEQREC_OK;
    if (status == SEQREC_OK)
        *out = now;
    else
        sq_snapshot_release(t->model, now);
    return status;
}
