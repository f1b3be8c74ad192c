/* serve: paths behind many sessions. Some at a time, a wave, take their steps together: the threads find and go on, each with a session,
 * and the caller's thread asks and tells the host in between. */
#include <inttypes.h>
#include <string.h>
#include "serve/decode.h"
#include "serve/decoding.h"

#define SESSIONS_PER_THREAD 2 /* of a wave: working memory is that of so many decodes */

typedef int32_t (*phase)(sq_decoding *c, seqrec_error *error);

typedef struct batch {
    seqrec_session *const *sessions; /* [n] */
    int64_t n;
    const seqrec_decode *how;
    const seqrec_filter *filter;
    sq_pool *pool;
    sq_arena arena;
    sq_session_view *views; /* [n], those of entered .. left in use */
    int64_t left, entered;
    int64_t most;           /* sessions of a wave */
    int64_t first, count;   /* the wave at hand */
    sq_decoding *wave;      /* [most] */
    int32_t *statuses;      /* [most] */
    seqrec_error *errors;   /* [most] */
    phase run;
    int64_t skipped, strangers;
    /* results wait until nothing can fail any more */
    int64_t *items; /* [n][width][steps] */
    double *logs;   /* [n][width] */
    double *shares; /* [n][width][steps], or NULL: nobody asks */
    int64_t *found; /* [n] */
    int64_t *done;  /* [n] */
} batch;

static void carve(batch *b, sq_arena *arena)
{
    const size_t n = (size_t)b->n, most = (size_t)b->most, paths = n * (size_t)b->how->width;
    b->views = SQ_TAKE(arena, sq_session_view, n);
    b->wave = SQ_TAKE(arena, sq_decoding, most);
    b->statuses = SQ_TAKE(arena, int32_t, most);
    b->errors = SQ_TAKE(arena, seqrec_error, most);
    b->items = SQ_TAKE(arena, int64_t, paths * (size_t)b->how->steps);
    b->logs = SQ_TAKE(arena, double, paths);
    b->shares = b->how->step_log_probabilities != NULL ? SQ_TAKE(arena, double, paths *(size_t)b->how->steps) : NULL;
    b->found = SQ_TAKE(arena, int64_t, n);
    b->done = SQ_TAKE(arena, int64_t, n);
}

static int32_t blame(int64_t session, int32_t status, const seqrec_error *own, seqrec_error *error)
{
    return sq_fail(error, status, "session %" PRId64 ": %s", session, own->message);
}

/* ---- what the threads do ------------------------------------------------------------------------------------------ */

static void run_one(void *arg, int32_t task, int32_t worker)
{
    batch *b = arg;
    sq_decoding *c = &b->wave[task];
    (void)worker;
    b->statuses[task] = sq_decoding_over(c) ? SEQREC_OK : b->run(c, &b->errors[task]);
}

/* With each session of the wave that is not over. */
static int32_t run_all(batch *b, phase run, seqrec_error *error)
{
    b->run = run;
    sq_parallel(b->pool, (int32_t)b->count, run_one, b);
    for (int64_t i = 0; i < b->count; i++)
        if (b->statuses[i] != SEQREC_OK) return blame(b->first + i, b->statuses[i], &b->errors[i], error);
    return SEQREC_OK;
}

static int32_t go_on(sq_decoding *c, seqrec_error *error)
{
    (void)error;
    sq_decoding_go_on(c);
    return SEQREC_OK;
}

/* ---- what the caller's thread does -------------------------------------------------------------------------------- */

static int32_t ask_all(batch *b, seqrec_error *error)
{
    for (int64_t i = 0; i < b->count; i++) {
        const int32_t status = sq_decoding_over(&b->wave[i]) ? SEQREC_OK : sq_decoding_ask(&b->wave[i], &b->errors[i]);
        if (status != SEQREC_OK) return blame(b->first + i, status, &b->errors[i], error);
    }
    return SEQREC_OK;
}

/* Returns whether a session is not over. */
static int32_t tell_all(batch *b)
{
    int32_t more = 0;
    for (int64_t i = 0; i < b->count; i++) {
        if (!b->wave[i].stopped) b->wave[i].stopped = sq_decoding_tell(&b->wave[i]);
        more |= !sq_decoding_over(&b->wave[i]);
    }
    return more;
}

static int32_t take_steps(batch *b, seqrec_error *error)
{
    for (;;) {
        SQ_TRY(ask_all(b, error));
        SQ_TRY(run_all(b, sq_decoding_find, error));
        if (!tell_all(b)) return SEQREC_OK;
        SQ_TRY(run_all(b, go_on, error));
    }
}

static void keep_results(batch *b)
{
    const int64_t width = b->how->width, steps = b->how->steps;
    for (int64_t i = 0; i < b->count; i++) {
        sq_decoding *c = &b->wave[i];
        const int64_t at = b->first + i;
        double *shares = b->shares != NULL ? b->shares + at * width * steps : NULL;
        sq_decoding_deliver(c, b->items + at * width * steps, b->logs + at * width, shares, &b->found[at]);
        b->done[at] = c->done;
        b->skipped += at == 0 ? c->request.skipped : c->ready.unknown; /* the filter's lists are the same for all */
        b->strangers += c->request.strangers;
    }
}

static int32_t run_wave(batch *b, seqrec_error *error)
{
    for (int64_t i = 0; i < b->count; i++) {
        const int64_t at = b->first + i;
        b->wave[i] = (sq_decoding){.session = b->sessions[at],
                                   .number = at,
                                   .view = &b->views[at],
                                   .how = b->how,
                                   .filter = b->filter,
                                   .threads = b->n == 1 ? sq_pool_width(b->pool) : 1};
    }
    int32_t status = run_all(b, sq_decoding_begin, error);
    if (status == SEQREC_OK) status = take_steps(b, error);
    if (status == SEQREC_OK) keep_results(b);
    for (int64_t i = 0; i < b->count; i++) sq_decoding_end(&b->wave[i]);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* All before the first wave: a session that is named twice is found by that. */
static int32_t enter_all(batch *b, seqrec_error *error)
{
    seqrec_error own = {0};
    for (; b->entered < b->n; b->entered++) {
        const int32_t status = sq_session_enter(b->sessions[b->entered], &b->views[b->entered], &own);
        for (int64_t i = 0; status == SEQREC_E_STATE && i < b->entered; i++)
            SQ_CHECK(b->sessions[i] != b->sessions[b->entered], error, status, "session %" PRId64 " is session %" PRId64 " once more",
                     b->entered, i);
        if (status != SEQREC_OK) return blame(b->entered, status, &own, error);
    }
    return SEQREC_OK;
}

static void leave_until(batch *b, int64_t end)
{
    for (; b->left < end; b->left++) sq_session_leave(b->sessions[b->left], &b->views[b->left]);
}

static int32_t decode_all(batch *b, seqrec_error *error)
{
    SQ_TRY(enter_all(b, error));
    for (b->first = 0; b->first < b->n; b->first += b->count) {
        b->count = b->n - b->first < b->most ? b->n - b->first : b->most;
        SQ_TRY(run_wave(b, error));
        leave_until(b, b->first + b->count);
    }
    return SEQREC_OK;
}

static void deliver(const batch *b, int64_t *items, double *log_probabilities, int64_t *found)
{
    const int64_t width = b->how->width, steps = b->how->steps;
    for (int64_t s = 0; s < b->n; s++) {
        for (int64_t i = s * width; i < s * width + b->found[s]; i++) {
            memcpy(items + i * steps, b->items + i * steps, (size_t)b->done[s] * sizeof *items);
            if (b->shares != NULL) memcpy(b->how->step_log_probabilities + i * steps, b->shares + i * steps, (size_t)b->done[s] * sizeof(double));
            if (log_probabilities != NULL) log_probabilities[i] = b->logs[i];
        }
        found[s] = b->found[s];
        if (b->how->done != NULL) b->how->done[s] = b->done[s];
    }
    if (b->filter->skipped != NULL) *b->filter->skipped = b->skipped;
    if (b->filter->strangers != NULL) *b->filter->strangers = b->strangers;
}

int32_t sq_sessions_decode(seqrec_session *const *sessions, int64_t n, const seqrec_decode *how, const seqrec_filter *filter,
                           int64_t *items, double *log_probabilities, int64_t *found, seqrec_error *error)
{
    const seqrec_context *context = sessions[0]->pool->context;
    batch b = {.sessions = sessions, .n = n, .how = how, .filter = filter, .pool = context->pool};
    sq_arena measured = {0};
    b.most = SESSIONS_PER_THREAD * (int64_t)sq_pool_width(b.pool);
    if (b.most > n) b.most = n;
    carve(&b, &measured);
    SQ_TRY(sq_arena_reserve(&b.arena, &context->memory, measured.peak, error));
    carve(&b, &b.arena);
    const int32_t status = decode_all(&b, error);
    leave_until(&b, b.entered);
    if (status == SEQREC_OK) deliver(&b, items, log_probabilities, found);
    sq_arena_free(&b.arena, &context->memory);
    return status;
}
