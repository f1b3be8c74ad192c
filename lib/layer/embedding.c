/* layer: input embedding, forward and backward. */
#include "layer/embedding.h"
#include "position/calendar.h"
#include <string.h>

static void join(const sq_embedding *e, const float *item, float *row)
{
    size_t i = 0;
    for (; i < e->item_width; i++) row[i] = e->scale * item[i];
    for (size_t k = 0; k < e->user_width; k++) row[i++] = e->user_scale * e->user[k];
    for (; i < e->width; i++) row[i] = 0;
}

static void event(const sq_embedding *e, const float *item, float *row)
{
    if (e->place == SQ_EMBED_JOIN_USER)
        join(e, item, row);
    else if (e->scale == 1.0f)
        memcpy(row, item, e->width * sizeof *row);
    else
        e->kernels->scale(e->width, e->scale, item, row);
    if (e->biased && e->place != SQ_EMBED_JOIN_USER && e->item_width < e->width) row[e->item_width] = 0;
    if (e->place == SQ_EMBED_ADD_USER) e->kernels->axpy(e->width, e->user_scale, e->user, row);
}

/* Adds the rows of an event's time to `row`; or `row` to these rows of `grads`. */
static void add_date(const sq_embedding *e, int32_t t, float *grads, float *row)
{
    size_t rows[SQ_CALENDAR_OF];
    sq_calendar_rows(e->dates[t], rows);
    for (size_t i = 0; i < SQ_CALENDAR_OF; i++) {
        if (grads)
            e->kernels->add(e->width, row, grads + rows[i] * e->width);
        else
            e->kernels->add(e->width, e->calendar + rows[i] * e->width, row);
    }
}

static void sum_rows(const sq_embedding *e, const float *const *items, int32_t n, float *x)
{
    float *events = x + (size_t)sq_embed_first(e) * e->width;
    if (e->place == SQ_EMBED_PREFIX_USER) e->kernels->scale(e->width, e->user_scale, e->user, x);
    for (int32_t t = 0; t < n; t++) {
        float *row = events + (size_t)t * e->width;
        event(e, items[t], row);
        if (e->positions) e->kernels->add(e->width, e->positions + (size_t)e->rule(t, n) * e->width, row);
        if (e->calendar) add_date(e, t, NULL, row);
    }
}

void sq_embed_fwd(const sq_embedding *e, const float *const *items, int32_t n, uint64_t first,
                  const sq_embedding_saved *saved, float *x)
{
    const size_t tokens = (size_t)sq_embed_tokens(e, n);
    float *sum = e->gain && saved->sum ? saved->sum : x;
    sum_rows(e, items, n, sum);
    if (e->gain)
        e->kernels->norm_fwd(tokens, e->d, e->width, e->epsilon, sum, e->gain, e->bias, x, saved->mean, saved->rstd);
    e->kernels->dropout(tokens, e->width, e->width, &e->dropout, first, x);
}

void sq_embed_bwd(const sq_embedding *e, int32_t n, uint64_t first, const sq_embedding_saved *saved, float *dx,
                  const sq_embedding_grads *grads)
{
    const size_t tokens = (size_t)sq_embed_tokens(e, n);
    float *events = dx + (size_t)sq_embed_first(e) * e->width;
    e->kernels->dropout(tokens, e->width, e->width, &e->dropout, first, dx);
    if (e->gain)
        e->kernels->norm_bwd(tokens, e->d, e->width, saved->sum, e->gain, saved->mean, saved->rstd, dx, dx, 0, grads->gain,
                             grads->bias);
    for (int32_t t = 0; t < n && grads->positions; t++)
        e->kernels->add(e->width, events + (size_t)t * e->width, grads->positions + (size_t)e->rule(t, n) * e->width);
    for (int32_t t = 0; t < n && grads->calendar; t++) add_date(e, t, grads->calendar, events + (size_t)t * e->width);
}

void sq_embed_user_bwd(const sq_embedding *e, int32_t n, const float *dx, float *du)
{
    const size_t padded = sq_round16(e->user_width), at = e->place == SQ_EMBED_JOIN_USER ? e->item_width : 0;
    const int32_t rows = e->place == SQ_EMBED_PREFIX_USER ? 1 : n;
    memset(du, 0, padded * sizeof *du);
    for (int32_t t = 0; t < rows; t++)
        for (size_t i = 0; i < e->user_width; i++) du[i] += dx[(size_t)t * e->width + at + i];
    e->kernels->scale(padded, e->user_scale, du, du);
}
