/* serve: what one call on a model works with. */
#include "serve/request.h"
#include <inttypes.h>
#include <string.h>

#define TASKS_MOST 65536              /* of one loop: a task takes several sequences when there are more */
#define EVENTS_PER_TASK 4096          /* ids looked up by one task */

int32_t sq_request_open(sq_request *request, const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready,
                        seqrec_error *error)
{
    memset(request, 0, sizeof *request);
    request->model = (seqrec_model *)model; /* idle arenas are not part of the model's value */
    request->batch = batch;
    request->ready = ready;
    SQ_TRY(sq_pool_check(model->context->pool, error));
    request->snapshot = ready != NULL ? sq_snapshot_retain(ready->snapshot) : sq_snapshot_acquire(model);
    request->encoder = sq_encoder_of(model, request->snapshot);
    request->scoring = sq_scoring_of(model, request->snapshot->parts.catalogue);
    return SEQREC_OK;
}

/* The call's own arena goes back last: it is the first that the next call takes. */
void sq_request_end(sq_request *request)
{
    for (int32_t i = request->seat_count - 1; i >= 0; i--) sq_model_return(request->model, &request->seats[i].arena);
    sq_model_return(request->model, &request->arena);
    if (request->snapshot != NULL) sq_snapshot_release(request->model, request->snapshot);
}

/* ---- histories ---------------------------------------------------------------------------------------------------- */

/* A loop over runs of sequences. */
typedef struct lookup {
    sq_request *request;
    int64_t run;
} lookup;

static void look_up_run(void *arg, int32_t task, int32_t worker)
{
    const lookup *l = arg;
    const seqrec_batch *batch = l->request->batch;
    const sq_catalogue *catalogue = l->request->snapshot->parts.catalogue;
    const int64_t first = task * l->run, last = first + l->run < batch->sequences ? first + l->run : batch->sequences;
    (void)worker;
    for (int64_t b = first; b < last; b++) {
        int64_t known = batch->offsets[b];
        for (int64_t e = batch->offsets[b]; e < batch->offsets[b + 1]; e++) {
            const int32_t slot = sq_catalogue_find(catalogue, batch->items[e]);
            if (slot < 0) continue;
            if (l->request->times != NULL) l->request->times[known] = batch->timestamps[e];
            l->request->slots[known++] = slot;
        }
        l->request->known[b] = known - batch->offsets[b];
    }
}

static void copy_ready(sq_request *request)
{
    const sq_ready *ready = request->ready;
    if (ready->n > 0) memcpy(request->slots, ready->seen, (size_t)ready->n * sizeof *request->slots);
    request->known[0] = ready->n;
    request->strangers = ready->stranger;
}

static void look_up(sq_request *request)
{
    const int64_t sequences = request->batch->sequences;
    int64_t tasks = 1 + sq_batch_events(request->batch) / EVENTS_PER_TASK;
    if (tasks > TASKS_MOST) tasks = TASKS_MOST;
    lookup l = {request, (sequences + tasks - 1) / tasks};
    if (sequences == 0) return;
    tasks = (sequences + l.run - 1) / l.run;
    sq_parallel(request->model->context->pool, (int32_t)tasks, look_up_run, &l);
}

static int32_t refuse_unknown(const sq_request *request, int64_t b, seqrec_error *error)
{
    const seqrec_batch *batch = request->batch;
    int64_t e = batch->offsets[b];
    if (request->ready != NULL)
        return sq_fail(error, SEQREC_E_NOT_FOUND,
                       "item %" PRId64 " of the session is not in the model; events of such items: %" PRId64, request->ready->missing,
                       request->ready->unknown);
    while (sq_catalogue_find(request->snapshot->parts.catalogue, batch->items[e]) >= 0) e++;
    return sq_fail(error, SEQREC_E_NOT_FOUND,
                   "item %" PRId64 " of sequence %" PRId64 " (event %" PRId64 ") is not in the model", batch->items[e],
                   b, e - batch->offsets[b]);
}

static int32_t count_known(sq_request *request, int32_t unknown_items, seqrec_error *error)
{
    const int64_t *offsets = request->batch->offsets;
    for (int64_t b = 0; b < request->batch->sequences; b++) {
        const int64_t unknown =
            request->ready != NULL ? request->ready->unknown : offsets[b + 1] - offsets[b] - request->known[b];
        if (unknown > 0 && unknown_items == SEQREC_UNKNOWN_ERROR) return refuse_unknown(request, b, error);
        request->skipped += unknown;
        if (request->known[b] > request->longest) request->longest = request->known[b];
    }
    return SEQREC_OK;
}

/* ---- users ---------------------------------------------------------------------------------------------------------- */

static int32_t finds_users(const sq_request *request)
{
    return request->model->options.user_embedding != SQ_USER_NONE && request->ready == NULL && request->batch->users != NULL;
}

/* Slots of the users; without a row, or an id, a user is the default one. */
static void look_up_users(sq_request *request)
{
    const seqrec_batch *batch = request->batch;
    if (request->model->options.user_embedding == SQ_USER_NONE || request->ready != NULL) return;
    if (batch->users == NULL) request->strangers = batch->sequences;
    for (int64_t b = 0; batch->users != NULL && b < batch->sequences; b++) {
        request->users[b] = sq_catalogue_find(request->snapshot->parts.users, batch->users[b]);
        request->strangers += request->users[b] < 0;
    }
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

int32_t sq_find_items(const sq_catalogue *catalogue, const char *list, const int64_t *ids, int64_t n, int32_t *slots, seqrec_error *error)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t slot = sq_catalogue_find(catalogue, ids[i]);
        SQ_CHECK(slot >= 0, error, SEQREC_E_NOT_FOUND, "item %" PRId64 " (%s[%" PRId64 "]) is not in the model", ids[i], list, i);
        if (slots != NULL) slots[i] = slot;
    }
    return SEQREC_OK;
}

int32_t sq_request_find(sq_request *request, const char *list, const int64_t *ids, int64_t n, int32_t unknown_items,
                        int32_t *slots, int64_t *found, seqrec_error *error)
{
    const sq_catalogue *catalogue = request->snapshot->parts.catalogue;
    int64_t known = 0;
    *found = n;
    if (unknown_items == SEQREC_UNKNOWN_ERROR) return sq_find_items(catalogue, list, ids, n, slots, error);
    for (int64_t i = 0; i < n; i++) {
        const int32_t slot = sq_catalogue_find(catalogue, ids[i]);
        if (slot >= 0) slots[known++] = slot;
    }
    request->skipped += n - known;
    *found = known;
    return SEQREC_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

static void carve(sq_request *request, sq_arena *arena, sq_request_layout layout, void *arg)
{
    const size_t threads = (size_t)sq_pool_width(request->model->context->pool);
    request->seats = SQ_TAKE(arena, sq_seat, threads);
    request->seat_of = SQ_TAKE(arena, int32_t, threads);
    request->slots = SQ_TAKE(arena, int32_t, (size_t)sq_batch_events(request->batch));
    if (request->model->layout.dated) request->times = SQ_TAKE(arena, int64_t, (size_t)sq_batch_events(request->batch));
    request->known = SQ_TAKE(arena, int64_t, (size_t)request->batch->sequences);
    if (finds_users(request)) request->users = SQ_TAKE(arena, int32_t, (size_t)request->batch->sequences);
    if (layout != NULL) layout(arg, arena);
}

int32_t sq_request_prepare(sq_request *request, int32_t unknown_items, sq_request_layout layout, void *arg,
                           seqrec_error *error)
{
    sq_arena measured = {0};
    carve(request, &measured, layout, arg);
    SQ_TRY(sq_model_borrow(request->model, measured.peak, &request->arena, error));
    carve(request, &request->arena, layout, arg);
    if (request->ready != NULL)
        copy_ready(request);
    else
        look_up(request);
    look_up_users(request);
    return count_known(request, unknown_items, error);
}

static void carve_seat(const sq_request *request, sq_arena *arena, size_t users, sq_seat *seat)
{
    const size_t width = (size_t)request->model->layout.vp, floats = users * SQ_SCORED_ITEMS;
    const int64_t longest = request->ready != NULL ? 0 : request->longest;
    sq_encode_scratch_take(arena, request->model, sq_encode_window(request->model, longest), &seat->encode);
    seat->user = SQ_TAKE(arena, float, width);
    if (users == 0) return;
    sq_scoring_scratch_take(arena, &seat->scoring);
    seat->scores = SQ_TAKE(arena, float, floats);
    seat->allowed = SQ_TAKE(arena, uint8_t, SQ_SCORED_ITEMS);
    if (users >= SQ_SCREEN_USERS) sq_screen_take(arena, width, users, &seat->screen);
}

int32_t sq_request_seat(sq_request *request, int64_t tasks, size_t users, seqrec_error *error)
{
    const int32_t threads = sq_pool_width(request->model->context->pool);
    const int32_t wanted = tasks < threads ? (int32_t)tasks : threads;
    sq_arena measured = {0};
    sq_seat unused;
    carve_seat(request, &measured, users, &unused);
    while (request->seat_count < wanted) {
        sq_seat *seat = &request->seats[request->seat_count];
        SQ_TRY(sq_model_borrow(request->model, measured.peak, &seat->arena, error));
        request->seat_count++;
        carve_seat(request, &seat->arena, users, seat);
    }
    return SEQREC_OK;
}

/* ---- loops -------------------------------------------------------------------------------------------------------- */

/* A worker keeps the seat it takes with its first task. There are enough: bodies that run at once are at most the tasks, and a
 * worker without a task takes none. */
static void run_body(void *arg, int32_t task, int32_t worker)
{
    sq_request *request = arg;
    int32_t *seat = &request->seat_of[worker];
    if (*seat < 0) *seat = atomic_fetch_add_explicit(&request->seated, 1, memory_order_relaxed);
    request->body(request->arg, task, &request->seats[*seat]);
}

void sq_request_run(sq_request *request, int64_t tasks, sq_request_body body, void *arg)
{
    const int32_t threads = sq_pool_width(request->model->context->pool);
    request->body = body;
    request->arg = arg;
    for (int32_t i = 0; i < threads; i++) request->seat_of[i] = -1;
    atomic_store_explicit(&request->seated, 0, memory_order_relaxed);
    sq_parallel(request->model->context->pool, (int32_t)tasks, run_body, request);
}

void sq_request_encode(const sq_request *request, int64_t b, sq_seat *seat, float *out)
{
    if (request->ready != NULL) {
        memcpy(out, request->ready->user, (size_t)request->model->layout.vp * sizeof *out);
        return;
    }
    const int64_t at = request->batch->offsets[b], n = request->known[b], *asks = request->batch->request_times;
    sq_history history = {.slots = request->slots + at, .n = n, .user = request->users != NULL ? request->users[b] : -1};
    if (request->times != NULL && n > 0) {
        history.times = request->times + at;
        history.ask = asks != NULL ? asks[b] : history.times[n - 1];
    }
    sq_encode(&request->encoder, &history, &seat->encode, out);
}
