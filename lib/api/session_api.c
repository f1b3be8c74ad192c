/* api: sessions. */
#include "api/checks.h"
#include <math.h>
#include "serve/decode.h"

static int32_t check_pool(const seqrec_sessions *sessions, seqrec_error *error)
{
    SQ_CHECK(sessions != NULL, error, SEQREC_E_ARGUMENT, "sessions is NULL");
    return sq_pool_check(sessions->context->pool, error);
}

static int32_t check_session(const seqrec_session *session, seqrec_error *error)
{
    SQ_CHECK(session != NULL, error, SEQREC_E_ARGUMENT, "session is NULL");
    return sq_pool_check(session->pool->context->pool, error);
}

/* ---- the pool ----------------------------------------------------------------------------------------------------- */

int32_t seqrec_sessions_create(seqrec_model *model, size_t cache_bytes, seqrec_sessions **out, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    return sq_sessions_create(model, cache_bytes, out, error);
}

void seqrec_sessions_release(seqrec_sessions *sessions)
{
    sq_sessions_release(sessions);
}

int32_t seqrec_sessions_swap(seqrec_sessions *sessions, seqrec_model *model, seqrec_error *error)
{
    SQ_TRY(check_pool(sessions, error));
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(model->context == sessions->context, error, SEQREC_E_ARGUMENT,
             "the model is of another context than the sessions: they share memory and threads");
    sq_sessions_swap(sessions, model);
    return SEQREC_OK;
}

int32_t seqrec_sessions_describe(seqrec_sessions *sessions, seqrec_sessions_info *out, seqrec_error *error)
{
    seqrec_sessions_info info;
    SQ_TRY(check_pool(sessions, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_struct_check(out, SQ_SESSIONS_INFO_FIRST, "info", error));
    sq_sessions_describe(sessions, &info);
    sq_struct_write(out, &info, sizeof info);
    return SEQREC_OK;
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

static int32_t check_events(const int64_t *items, int64_t n, int32_t unknown_items, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    SQ_CHECK(items != NULL || n == 0, error, SEQREC_E_ARGUMENT, "items is NULL for %lld events", (long long)n);
    SQ_CHECK(unknown_items == SEQREC_UNKNOWN_SKIP || unknown_items == SEQREC_UNKNOWN_ERROR, error, SEQREC_E_RANGE,
             "unknown_items = %d is neither SEQREC_UNKNOWN_SKIP nor SEQREC_UNKNOWN_ERROR", (int)unknown_items);
    return SEQREC_OK;
}

int32_t seqrec_session_open(seqrec_sessions *sessions, const int64_t *user, const int64_t *items, const int64_t *timestamps,
                            int64_t n, int32_t unknown_items, seqrec_session **out, seqrec_error *error)
{
    seqrec_session *made = NULL;
    SQ_TRY(check_pool(sessions, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(check_events(items, n, unknown_items, error));
    SQ_TRY(sq_session_create(sessions, user, &made, error));
    const int32_t status = sq_session_append(made, items, timestamps, n, unknown_items, error);
    if (status == SEQREC_OK)
        *out = made;
    else
        sq_session_release(made);
    return status;
}

void seqrec_session_release(seqrec_session *session)
{
    sq_session_release(session);
}

int32_t seqrec_session_append(seqrec_session *session, const int64_t *items, const int64_t *timestamps, int64_t n,
                              int32_t unknown_items, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_TRY(check_events(items, n, unknown_items, error));
    return sq_session_append(session, items, timestamps, n, unknown_items, error);
}

int32_t seqrec_session_ask_at(seqrec_session *session, int64_t time, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    return sq_session_ask_at(session, time, error);
}

int32_t seqrec_session_evict(seqrec_session *session, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    return sq_session_evict(session, error);
}

int32_t seqrec_session_describe(seqrec_session *session, seqrec_session_info *out, seqrec_error *error)
{
    seqrec_session_info info;
    SQ_TRY(check_session(session, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_struct_check(out, SQ_SESSION_INFO_FIRST, "info", error));
    SQ_TRY(sq_session_describe(session, &info, error));
    sq_struct_write(out, &info, sizeof info);
    return SEQREC_OK;
}

/* ---- reads -------------------------------------------------------------------------------------------------------- */

int32_t seqrec_session_topk(seqrec_session *session, int64_t k, const seqrec_filter *filter, int64_t *items, float *scores,
                            int64_t *found, seqrec_error *error)
{
    seqrec_filter f = {0};
    SQ_TRY(check_session(session, error));
    SQ_TRY(sq_filter_read(&f, filter, error));
    SQ_CHECK(k >= 0, error, SEQREC_E_ARGUMENT, "k = %lld is negative", (long long)k);
    SQ_CHECK(items != NULL || k == 0, error, SEQREC_E_ARGUMENT, "items is NULL for k = %lld", (long long)k);
    SQ_CHECK(found != NULL, error, SEQREC_E_ARGUMENT, "found is NULL");
    return sq_session_topk(session, k, &f, items, scores, found, error);
}

static int32_t check_candidates(const int64_t *candidates, int64_t n, const void *out, const char *name, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    SQ_CHECK(candidates != NULL || n == 0, error, SEQREC_E_ARGUMENT, "candidates is NULL for n = %lld", (long long)n);
    SQ_CHECK(out != NULL || n == 0, error, SEQREC_E_ARGUMENT, "%s is NULL for n = %lld", name, (long long)n);
    return SEQREC_OK;
}

int32_t seqrec_session_score(seqrec_session *session, const int64_t *candidates, int64_t n, float *scores, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_TRY(check_candidates(candidates, n, scores, "scores", error));
    return sq_session_score(session, candidates, n, scores, error);
}

int32_t seqrec_session_encode(seqrec_session *session, float *out, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    return sq_session_encode(session, out, error);
}

int32_t seqrec_session_ahead(seqrec_session *session, const int64_t *candidates, int64_t n, float *out, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_TRY(check_candidates(candidates, n, out, "out", error));
    return sq_session_ahead(session, candidates, n, out, error);
}

static int32_t check_interval(const char *name, int64_t interval, seqrec_error *error)
{
    const int64_t most = INT64_MAX / 2 / SQ_DECODE_MOST;
    SQ_CHECK(interval >= 0 && interval <= most, error, SEQREC_E_RANGE, "%s = %lld seconds is not in 0 .. %lld", name,
             (long long)interval, (long long)most);
    return SEQREC_OK;
}

static int32_t check_groups(const seqrec_decode *d, seqrec_error *error)
{
    SQ_CHECK(d->groups >= 1 && d->groups <= d->width, error, SEQREC_E_RANGE, "decode.groups = %lld is not in 1 .. decode.width = %lld",
             (long long)d->groups, (long long)d->width);
    SQ_CHECK(d->groups == 1 || d->method == SEQREC_DECODE_BEAM, error, SEQREC_E_ARGUMENT, "decode.groups = %lld are of beams alone",
             (long long)d->groups);
    SQ_CHECK(d->width % d->groups == 0, error, SEQREC_E_ARGUMENT, "decode.width = %lld is no multiple of decode.groups = %lld",
             (long long)d->width, (long long)d->groups);
    SQ_CHECK(isfinite(d->diversity) && d->diversity >= 0 && d->diversity <= 1e6, error, SEQREC_E_RANGE,
             "decode.diversity = %g is not in 0 .. 1e6", d->diversity);
    SQ_CHECK(d->diversity == 0 || d->groups > 1, error, SEQREC_E_ARGUMENT, "decode.diversity = %g is of several groups alone",
             d->diversity);
    return SEQREC_OK;
}

/* Zeros become what they stand for. */
static int32_t read_decode(seqrec_decode *out, const seqrec_decode *decode, seqrec_error *error)
{
    SQ_CHECK(decode != NULL, error, SEQREC_E_ARGUMENT, "decode is NULL");
    SQ_TRY(sq_struct_read(out, sizeof *out, decode, SQ_DECODE_FIRST, "decode", error));
    SQ_CHECK(out->method >= SEQREC_DECODE_GREEDY && out->method <= SEQREC_DECODE_SAMPLE, error, SEQREC_E_RANGE,
             "decode.method = %d is no SEQREC_DECODE_*", (int)out->method);
    SQ_CHECK(out->repeats == 0 || out->repeats == 1, error, SEQREC_E_RANGE, "decode.repeats = %d is neither 0 nor 1",
             (int)out->repeats);
    if (out->steps == 0) out->steps = 1;
    if (out->width == 0) out->width = 1;
    if (out->groups == 0) out->groups = 1;
    if (out->temperature == 0) out->temperature = 1;
    if (out->top_p == 0) out->top_p = 1;
    SQ_CHECK(out->steps >= 1 && out->steps <= SQ_DECODE_MOST, error, SEQREC_E_RANGE, "decode.steps = %lld is not in 1 .. %d",
             (long long)out->steps, SQ_DECODE_MOST);
    SQ_CHECK(out->width >= 1 && out->width <= SQ_DECODE_MOST, error, SEQREC_E_RANGE, "decode.width = %lld is not in 1 .. %d",
             (long long)out->width, SQ_DECODE_MOST);
    SQ_CHECK(out->width == 1 || out->method != SEQREC_DECODE_GREEDY, error, SEQREC_E_ARGUMENT,
             "decode.width = %lld: the best item of each step is one path", (long long)out->width);
    SQ_CHECK(out->top_k >= 0, error, SEQREC_E_RANGE, "decode.top_k = %lld is negative", (long long)out->top_k);
    SQ_CHECK(out->top_k == 0 || out->method == SEQREC_DECODE_SAMPLE, error, SEQREC_E_ARGUMENT,
             "decode.top_k = %lld is of drawn paths alone", (long long)out->top_k);
    SQ_CHECK(out->top_p > 0 && out->top_p <= 1, error, SEQREC_E_RANGE, "decode.top_p = %g is not above 0 and at most 1", out->top_p);
    SQ_CHECK(out->top_p == 1 || out->method == SEQREC_DECODE_SAMPLE, error, SEQREC_E_ARGUMENT,
             "decode.top_p = %g is of drawn paths alone", out->top_p);
    SQ_TRY(check_groups(out, error));
    SQ_TRY(check_interval("decode.interval", out->interval, error));
    SQ_CHECK(isfinite(out->temperature) && out->temperature >= 1e-4 && out->temperature <= 1e4, error, SEQREC_E_RANGE,
             "decode.temperature = %g is not in 1e-4 .. 1e4", out->temperature);
    return SEQREC_OK;
}

static int32_t read_terms(const seqrec_decode *decode, const seqrec_filter *filter, const int64_t *items, const int64_t *found,
                          seqrec_decode *read_decode_to, seqrec_filter *read_filter_to, seqrec_error *error)
{
    SQ_TRY(read_decode(read_decode_to, decode, error));
    SQ_TRY(sq_filter_read(read_filter_to, filter, error));
    SQ_CHECK(items != NULL, error, SEQREC_E_ARGUMENT, "items is NULL");
    SQ_CHECK(found != NULL, error, SEQREC_E_ARGUMENT, "found is NULL");
    return SEQREC_OK;
}

int32_t seqrec_session_decode(seqrec_session *session, const seqrec_decode *decode, const seqrec_filter *filter, int64_t *items,
                              double *log_probabilities, int64_t *found, seqrec_error *error)
{
    seqrec_filter f = {0};
    seqrec_decode d = {0};
    SQ_TRY(check_session(session, error));
    SQ_TRY(read_terms(decode, filter, items, found, &d, &f, error));
    return sq_session_decode(session, &d, &f, items, log_probabilities, found, error);
}

static int32_t check_sessions(const seqrec_sessions *sessions, seqrec_session *const *of, int64_t n, seqrec_error *error)
{
    SQ_TRY(check_pool(sessions, error));
    SQ_CHECK(n >= 0 && n <= INT32_MAX, error, SEQREC_E_RANGE, "n = %lld is not in 0 .. %d", (long long)n, INT32_MAX);
    SQ_CHECK(of != NULL || n == 0, error, SEQREC_E_ARGUMENT, "of is NULL for n = %lld", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        SQ_CHECK(of[i] != NULL, error, SEQREC_E_ARGUMENT, "session %lld is NULL", (long long)i);
        SQ_CHECK(of[i]->pool == sessions, error, SEQREC_E_ARGUMENT, "session %lld is of another pool", (long long)i);
    }
    return SEQREC_OK;
}

int32_t seqrec_sessions_decode(seqrec_sessions *sessions, seqrec_session *const *of, int64_t n, const seqrec_decode *decode,
                               const seqrec_filter *filter, int64_t *items, double *log_probabilities, int64_t *found,
                               seqrec_error *error)
{
    seqrec_filter f = {0};
    seqrec_decode d = {0};
    SQ_TRY(check_sessions(sessions, of, n, error));
    int64_t none = 0;
    SQ_TRY(read_terms(decode, filter, n == 0 ? &none : items, n == 0 ? &none : found, &d, &f, error));
    if (n > 0) return sq_sessions_decode(of, n, &d, &f, items, log_probabilities, found, error);
    if (f.skipped != NULL) *f.skipped = 0;
    if (f.strangers != NULL) *f.strangers = 0;
    return SEQREC_OK;
}

int32_t seqrec_session_follow(seqrec_session *session, const int64_t *items, int64_t n, int64_t interval,
                              double *log_probabilities, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_CHECK(n >= 0 && n <= SQ_DECODE_MOST, error, SEQREC_E_RANGE, "n = %lld is not in 0 .. %d", (long long)n, SQ_DECODE_MOST);
    SQ_CHECK(items != NULL || n == 0, error, SEQREC_E_ARGUMENT, "items is NULL for n = %lld", (long long)n);
    SQ_CHECK(log_probabilities != NULL || n == 0, error, SEQREC_E_ARGUMENT, "log_probabilities is NULL for n = %lld", (long long)n);
    SQ_TRY(check_interval("interval", interval, error));
    return sq_session_follow(session, items, n, interval, log_probabilities, error);
}

/* ---- bytes -------------------------------------------------------------------------------------------------------- */

int32_t seqrec_session_save(seqrec_session *session, void *out, size_t out_bytes, size_t *needed, seqrec_error *error)
{
    SQ_TRY(check_session(session, error));
    SQ_CHECK(out != NULL || out_bytes == 0, error, SEQREC_E_ARGUMENT, "out is NULL for %zu bytes", out_bytes);
    return sq_session_save(session, out, out_bytes, needed, error);
}

int32_t seqrec_session_restore(seqrec_sessions *sessions, const void *bytes, size_t count, seqrec_session **out,
                               seqrec_error *error)
{
    SQ_TRY(check_pool(sessions, error));
    SQ_CHECK(bytes != NULL, error, SEQREC_E_ARGUMENT, "bytes is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    return sq_session_restore(sessions, bytes, count, out, error);
}
