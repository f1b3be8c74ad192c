/* serve: user vectors, and scores of listed items, for a batch of raw histories. */
#include <string.h>
#include "serve/recommend.h"

#define TASKS_MOST 65536

/* Sequences of one task. */
static int64_t run_of(int64_t sequences)
{
    return sequences <= TASKS_MOST ? 1 : (sequences + TASKS_MOST - 1) / TASKS_MOST;
}

typedef struct call {
    sq_request request;
    const seqrec_filter *filter;
    int64_t run, tasks;
    const int64_t *candidates, *offsets;
    int64_t n;      /* candidates that all sequences share; 0 with offsets */
    int32_t *slots; /* of the candidates */
    float *out;                   /* NULL: user vectors are not wanted */
    _Atomic int64_t *gate_counts; /* see sq_count_gates, or NULL */
} call;

static void begin(call *c, const seqrec_batch *batch)
{
    c->run = run_of(batch->sequences);
    c->tasks = (batch->sequences + c->run - 1) / c->run;
}

static int64_t last_of(const call *c, int64_t task)
{
    const int64_t last = (task + 1) * c->run, sequences = c->request.batch->sequences;
    return last < sequences ? last : sequences;
}

static void end(call *c, int32_t status)
{
    if (status == SEQREC_OK) sq_request_count(&c->request, c->filter);
    sq_request_end(&c->request);
}

/* ---- user vectors ------------------------------------------------------------------------------------------------- */

static void encode_run(void *arg, int64_t task, sq_seat *seat)
{
    const call *c = arg;
    const size_t d = (size_t)c->request.model->layout.part;
    for (int64_t b = task * c->run; b < last_of(c, task); b++) {
        sq_request_encode(&c->request, b, seat, seat->user);
        if (c->out) memcpy(c->out + (size_t)b * d, seat->user, d * sizeof *c->out);
    }
}

static int32_t encode_all(call *c, seqrec_error *error)
{
    SQ_TRY(sq_request_prepare(&c->request, c->filter->unknown_items, NULL, NULL, error));
    SQ_TRY(sq_request_seat(&c->request, c->tasks, 0, error));
    c->request.encoder.network.gate_counts = c->gate_counts;
    sq_request_run(&c->request, c->tasks, encode_run, c);
    return SEQREC_OK;
}

static int32_t encode(call *c, const seqrec_model *model, const seqrec_batch *batch, seqrec_error *error)
{
    begin(c, batch);
    int32_t status = sq_request_open(&c->request, model, batch, NULL, error);
    if (status == SEQREC_OK) status = encode_all(c, error);
    end(c, status);
    return status;
}

int32_t sq_encode_batch(const seqrec_model *model, const seqrec_batch *batch, const seqrec_filter *filter, float *out,
                        seqrec_error *error)
{
    call c = {.filter = filter, .out = out};
    return encode(&c, model, batch, error);
}

int32_t sq_count_gates(const seqrec_model *model, const seqrec_batch *batch, _Atomic int64_t *counts, seqrec_error *error)
{
    const seqrec_filter filter = {.struct_size = sizeof filter};
    call c = {.filter = &filter, .gate_counts = counts};
    return encode(&c, model, batch, error);
}

/* ---- scores of lists ---------------------------------------------------------------------------------------------- */

static void score_list(const call *c, sq_seat *seat, const int32_t *slots, int64_t n, float *to)
{
    for (int64_t i = 0; i < n; i += SQ_SCORED_ITEMS) {
        const int64_t some = n - i < SQ_SCORED_ITEMS ? n - i : SQ_SCORED_ITEMS;
        sq_score_slots(&c->request.scoring, seat->user, 1, slots + i, (size_t)some, &seat->scoring, to + i, 0);
    }
}

static void score_run(void *arg, int64_t task, sq_seat *seat)
{
    const call *c = arg;
    for (int64_t b = task * c->run; b < last_of(c, task); b++) {
        const int64_t first = c->offsets == NULL ? 0 : c->offsets[b];
        const int64_t n = c->offsets == NULL ? c->n : c->offsets[b + 1] - first;
        sq_request_encode(&c->request, b, seat, seat->user);
        score_list(c, seat, c->slots + first, n, c->out + (c->offsets == NULL ? b * c->n : first));
    }
}

static int64_t listed(const call *c)
{
    const int64_t sequences = c->request.batch->sequences;
    return c->offsets == NULL ? c->n : sequences == 0 ? 0 : c->offsets[sequences];
}

static void take_slots(void *arg, sq_arena *arena)
{
    call *c = arg;
    c->slots = SQ_TAKE(arena, int32_t, (size_t)listed(c));
}

static int32_t score_all(call *c, seqrec_error *error)
{
    SQ_TRY(sq_request_prepare(&c->request, c->filter->unknown_items, take_slots, c, error));
    SQ_TRY(sq_find_items(c->request.snapshot->parts.catalogue, "candidates", c->candidates, listed(c), c->slots, error));
    SQ_TRY(sq_request_seat(&c->request, c->tasks, 1, error));
    sq_request_run(&c->request, c->tasks, score_run, c);
    return SEQREC_OK;
}

int32_t sq_score_candidates(const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready,
                            const int64_t *candidates, const int64_t *offsets, int64_t n, const seqrec_filter *filter,
                            float *scores, seqrec_error *error)
{
    call c = {.filter = filter, .candidates = candidates, .offsets = offsets, .n = n, .out = scores};
    begin(&c, batch);
    int32_t status = sq_request_open(&c.request, model, batch, ready, error);
    if (status == SEQREC_OK) status = score_all(&c, error);
    end(&c, status);
    return status;
}
