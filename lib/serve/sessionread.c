/* serve: what a session is asked for. Its user vector takes the place that a history has in other requests. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "serve/recommend.h"
#include "serve/session.h"

static int64_t first_missing(const seqrec_session *s, const sq_session_view *v)
{
    int64_t i = 0;
    if (s->cache.events == s->cache.known) return 0;
    while (s->cache.slots[i] >= 0) i++;
    return v->events[i].item;
}

sq_ready sq_session_ready(const seqrec_session *s, const sq_session_view *v, int32_t excludes)
{
    return (sq_ready){.snapshot = v->snapshot,
                      .user = s->cache.at,
                      .seen = s->cache.seen,
                      .n = excludes ? s->cache.distinct : 0,
                      .unknown = s->cache.events - s->cache.known,
                      .missing = first_missing(s, v),
                      .stranger = v->model->options.user_embedding != SQ_USER_NONE && s->cache.user < 0};
}

/* One sequence of as many events; offsets: room for two. */
static seqrec_batch batch_of(const sq_ready *ready, int64_t *offsets)
{
    offsets[0] = 0;
    offsets[1] = ready->n;
    return (seqrec_batch){.struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = offsets};
}

/* ---- the best items ----------------------------------------------------------------------------------------------- */

static int32_t is_finite(const float *vector, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!isfinite(vector[i])) return 0;
    return 1;
}

static int32_t topk(seqrec_session *s, const sq_session_view *v, int64_t k, const seqrec_filter *filter, int64_t *items,
                    float *scores, int64_t *found, seqrec_error *error)
{
    int64_t offsets[2], some = 0;
    const int64_t count = v->snapshot->parts.catalogue->count;
    SQ_CHECK(k <= count, error, SEQREC_E_RANGE, "k = %" PRId64 " is above the %" PRId64 " items of the model", k, count);
    SQ_TRY(sq_session_cache_update(&s->cache, v, error));
    const sq_ready ready = sq_session_ready(s, v, filter->exclude_seen);
    const seqrec_batch batch = batch_of(&ready, offsets);
    int64_t skipped = 0, strangers = 0;
    seqrec_filter counting = *filter;
    counting.skipped = &skipped;
    counting.strangers = &strangers;
    SQ_CHECK(is_finite(s->cache.at, v->model->layout.part), error, SEQREC_E_NUMERIC,
             "the vector of this history is not finite: an item in it has a vector that is too large");
    SQ_TRY(sq_recommend(v->model, &batch, &ready, k, &counting, items, scores, &some, error));
    SQ_CHECK(some > 0 || k == 0, error, SEQREC_E_ARGUMENT,
             "the filter leaves none of the %" PRId64 " items of the model whose score is a number", count);
    if (filter->skipped != NULL) *filter->skipped = skipped;
    if (filter->strangers != NULL) *filter->strangers = strangers;
    *found = some;
    return SEQREC_OK;
}

int32_t sq_session_topk(seqrec_session *s, int64_t k, const seqrec_filter *filter, int64_t *items, float *scores,
                        int64_t *found, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = topk(s, &v, k, filter, items, scores, found, error);
    sq_session_leave(s, &v);
    return status;
}

/* ---- scores and vectors ------------------------------------------------------------------------------------------- */

static int32_t score(seqrec_session *s, const sq_session_view *v, const int64_t *candidates, int64_t n, float *scores,
                     seqrec_error *error)
{
    int64_t offsets[2];
    const seqrec_filter filter = {.struct_size = sizeof filter};
    SQ_TRY(sq_session_cache_update(&s->cache, v, error));
    const sq_ready ready = sq_session_ready(s, v, 0);
    const seqrec_batch batch = batch_of(&ready, offsets);
    return sq_score_candidates(v->model, &batch, &ready, candidates, NULL, n, &filter, scores, error);
}

int32_t sq_session_score(seqrec_session *s, const int64_t *candidates, int64_t n, float *scores, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = score(s, &v, candidates, n, scores, error);
    sq_session_leave(s, &v);
    return status;
}

int32_t sq_session_encode(seqrec_session *s, float *out, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = sq_session_cache_update(&s->cache, &v, error);
    if (status == SEQREC_OK) memcpy(out, s->cache.at, (size_t)v.model->layout.part * sizeof *out);
    sq_session_leave(s, &v);
    return status;
}

/* ---- one event further -------------------------------------------------------------------------------------------- */

static int32_t ahead(seqrec_session *s, const sq_session_view *v, const int64_t *candidates, int64_t n, float *out,
                     seqrec_error *error)
{
    sq_arena arena, measured = {0};
    (void)SQ_TAKE(&measured, int32_t, (size_t)n);
    SQ_TRY(sq_model_borrow(v->model, measured.peak, &arena, error));
    int32_t *slots = SQ_TAKE(&arena, int32_t, (size_t)n);
    int32_t status = sq_find_items(v->snapshot->parts.catalogue, "candidates", candidates, n, slots, error);
    if (status == SEQREC_OK) status = sq_session_cache_update(&s->cache, v, error);
    if (status == SEQREC_OK) status = sq_session_cache_ahead(&s->cache, v, slots, n, out, error);
    sq_model_return(v->model, &arena);
    return status;
}

int32_t sq_session_ahead(seqrec_session *s, const int64_t *candidates, int64_t n, float *out, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = ahead(s, &v, candidates, n, out, error);
    sq_session_leave(s, &v);
    return status;
}
