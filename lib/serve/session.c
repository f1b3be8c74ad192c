/* serve: a session's events. */
#include "serve/session.h"
#include <inttypes.h>
#include "serve/sessionwindow.h"

/* Models that read times have them from every event, in order. */
static int32_t check_times(const seqrec_session *s, const sq_layout *l, const int64_t *times, int64_t n, seqrec_error *error)
{
    int64_t before = s->count > 0 ? s->events[s->count - 1].time : SQ_NO_TIME;
    SQ_CHECK(times != NULL || n == 0, error, SEQREC_E_ARGUMENT, "timestamps is NULL: a model with %s needs those of events",
             sq_layout_dated_by(l));
    for (int64_t i = 0; i < n; i++)
        SQ_CHECK(times[i] != SQ_NO_TIME, error, SEQREC_E_RANGE, "timestamps[%" PRId64 "] = INT64_MIN stands for no time", i);
    for (int64_t i = 0; i < n; before = times[i++])
        SQ_CHECK(times[i] >= before, error, SEQREC_E_ARGUMENT,
                 "timestamps[%" PRId64 "] = %" PRId64 " is before the event before it at %" PRId64, i, times[i], before);
    return SEQREC_OK;
}

static int32_t append(seqrec_session *s, const sq_session_view *v, const int64_t *items, const int64_t *times, int64_t n,
                      int32_t unknown_items, seqrec_error *error)
{
    if (unknown_items == SEQREC_UNKNOWN_ERROR) SQ_TRY(sq_find_items(v->snapshot->parts.catalogue, "items", items, n, NULL, error));
    if (v->model->layout.dated) SQ_TRY(check_times(s, &v->model->layout, times, n, error));
    SQ_TRY(SQ_GROW(&s->pool->context->memory, s->events, s->count, (size_t)s->count + (size_t)n, error));
    for (int64_t i = 0; i < n; i++) s->events[s->count++] = (sq_event){items[i], times != NULL ? times[i] : SQ_NO_TIME};
    if (n > 0) s->ask = SQ_NO_TIME;
    return SEQREC_OK;
}

int32_t sq_session_append(seqrec_session *s, const int64_t *items, const int64_t *times, int64_t n, int32_t unknown_items,
                          seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = append(s, &v, items, times, n, unknown_items, error);
    sq_session_leave(s, &v);
    return status;
}

static int32_t ask_at(seqrec_session *s, int64_t time, seqrec_error *error)
{
    const int64_t newest = s->count > 0 ? s->events[s->count - 1].time : SQ_NO_TIME;
    SQ_CHECK(time != SQ_NO_TIME, error, SEQREC_E_RANGE, "time = INT64_MIN stands for no time");
    SQ_CHECK(time >= newest, error, SEQREC_E_ARGUMENT, "time = %" PRId64 " is before the session's newest event at %" PRId64, time,
             newest);
    s->ask = time;
    return SEQREC_OK;
}

int32_t sq_session_ask_at(seqrec_session *s, int64_t time, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = ask_at(s, time, error);
    sq_session_leave(s, &v);
    return status;
}

int32_t sq_session_describe(seqrec_session *s, seqrec_session_info *out, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int64_t tokens = s->cache.tokens.next - s->cache.tokens.first, span = sq_session_span(v.model);
    *out = (seqrec_session_info){.struct_size = sizeof *out,
                                 .rule = sq_session_rule(v.model),
                                 .has_user = s->has_user,
                                 .user = s->user,
                                 .events = s->count,
                                 .cached = tokens < span ? tokens : span,
                                 .waiting = s->count - s->cache.events,
                                 .cache_bytes = sq_session_cache_bytes(&s->cache),
                                 .event_bytes = (size_t)s->count * sizeof(sq_event),
                                 .reason = sq_session_hindrance(v.model)};
    sq_session_leave(s, &v);
    return SEQREC_OK;
}

int32_t sq_session_evict(seqrec_session *s, seqrec_error *error)
{
    const sq_memory *memory = &s->pool->context->memory;
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    sq_session_cache_free(&s->cache, memory);
    sq_free(memory, s->events);
    s->events = NULL;
    s->count = 0;
    s->evicted = 1;
    sq_session_leave(s, &v);
    return SEQREC_OK;
}
