/* serve: passes through the network for sessions. */
#include "serve/sessionpass.h"
#include "serve/sessionwindow.h"

#define MOST_ROWS 64 /* of one pass */

/* ---- working memory ----------------------------------------------------------------------------------------------- */

static void carve(const sq_session_view *v, int32_t kind, sq_arena *arena, sq_desk *d)
{
    const sq_layout *l = &v->model->layout;
    const int64_t span = sq_session_span(v->model);
    const size_t tokens = (size_t)d->rows + (v->model->options.user_embedding == SQ_USER_PREFIX);
    d->user = SQ_TAKE(arena, float, (size_t)l->vp);
    d->slots = SQ_TAKE(arena, int32_t, kind == SQ_DESK_WINDOWS ? (size_t)l->length + 1 : (size_t)d->rows);
    if (kind == SQ_DESK_WINDOWS) {
        d->times = SQ_TAKE(arena, int64_t, l->dated ? (size_t)l->length + 1 : 0);
        sq_encode_scratch_take(arena, v->model, l->length, &d->whole);
        return;
    }
    d->vectors = SQ_TAKE(arena, const float *, (size_t)d->rows);
    d->states = SQ_TAKE(arena, float, (size_t)d->rows *(size_t)l->dp);
    sq_workspace_take(arena, l, &v->model->options, (int32_t)tokens, (int32_t)tokens, 0, &d->work);
    sq_extension_take(arena, l, span, (int32_t)tokens, &d->extension);
    if (kind == SQ_DESK_SPARE) d->spare = SQ_TAKE(arena, float, sq_token_cache_floats(l, span));
}

int32_t sq_desk_take(const sq_session_view *v, int32_t kind, int64_t rows, sq_desk *d, seqrec_error *error)
{
    sq_arena measured = {0};
    *d = (sq_desk){.rows = (int32_t)(rows < MOST_ROWS ? rows : MOST_ROWS)};
    if (d->rows == 0) d->rows = 1;
    carve(v, kind, &measured, d);
    SQ_TRY(sq_model_borrow(v->model, measured.peak, &d->arena, error));
    carve(v, kind, &d->arena, d);
    return SEQREC_OK;
}

void sq_desk_give(const sq_session_view *v, sq_desk *d) { sq_model_return(v->model, &d->arena); }

/* ---- passes ------------------------------------------------------------------------------------------------------- */

void sq_session_list(const sq_session_cache *cache, int64_t first, int64_t n, int32_t *out)
{
    int64_t index = cache->known;
    for (int64_t e = cache->events - 1; n > 0 && index > first; e--) {
        if (cache->slots[e] < 0) continue;
        if (--index < first + n) out[index - first] = cache->slots[e];
    }
}

/* Times of the known events first .. first + n - 1 of cache->known, to out. */
static void list_times(const sq_session_view *v, const sq_session_cache *cache, int64_t first, int64_t n, int64_t *out)
{
    int64_t index = cache->known;
    for (int64_t e = cache->events - 1; n > 0 && index > first; e--) {
        if (cache->slots[e] < 0) continue;
        if (--index < first + n) out[index - first] = v->events[e].time;
    }
}

void sq_session_window(const sq_session_view *v, const sq_session_cache *cache, int64_t first, int64_t n, sq_desk *d)
{
    sq_session_list(cache, first, n, d->slots);
    if (v->model->layout.dated) list_times(v, cache, first, n, d->times);
}

int64_t sq_session_asked(const sq_session_view *v, const sq_session_cache *cache)
{
    if (!v->model->layout.dated) return 0;
    if (v->ask != SQ_NO_TIME) return v->ask;
    for (int64_t e = cache->events - 1; e >= 0; e--)
        if (cache->slots[e] >= 0) return v->events[e].time;
    return 0;
}

void sq_session_encode_window(const sq_session_view *v, int32_t user, int64_t n, int64_t ask, sq_desk *d, float *out)
{
    const sq_history history = {.slots = d->slots, .times = d->times, .n = n, .ask = ask, .user = user};
    sq_encode(&v->encoder, &history, &d->whole, out);
}

static const float *row_of(const sq_session_view *v, int32_t slot) { return sq_catalogue_row(v->snapshot->parts.catalogue, slot); }

/* The embedding of events whose first token has this place; a user's own token stands in front of the first alone. */
static sq_embedding embedding_at(const sq_session_view *v, int32_t user, int64_t place)
{
    sq_embedding e = v->encoder.embedding;
    if (e.place != SQ_EMBED_PLAIN && user >= 0) e.user = sq_catalogue_row(v->snapshot->parts.users, user);
    if (e.place == SQ_EMBED_PREFIX_USER && place > 0) {
        e.place = SQ_EMBED_PLAIN;
        place--;
    }
    if (e.positions != NULL && v->model->options.position == SQ_POSITION_START) e.positions += (size_t)place * e.width;
    return e;
}

/* The times of a pass of n rows, and of what their queries see: the token at place p is known event p + base, or one that may come. */
static void put_times(const sq_session_view *v, const sq_session_cache *cache, int64_t base, int32_t n, sq_desk *d)
{
    sq_extension *x = &d->extension;
    const int64_t first = sq_extension_place(x, 0), last = sq_extension_place(x, n - 1), start = sq_session_asked(v, cache);
    int64_t from = first - x->span + 1, known = cache->known - base;
    if (v->model->layout.dated == 0) return;
    if (from < x->cache->first) from = x->cache->first;
    if (known > last + 2) known = last + 2;
    if (known > from) list_times(v, cache, from + base, known - from, x->times);
    for (int64_t p = known > from ? known : from; p <= last + 1; p++) x->times[p - from] = start + (p - known) * d->interval;
    x->timed_from = from;
    for (int32_t i = 0; i < n; i++)
        x->asks[i] = x->times[sq_extension_place(x, i) + (v->model->options.time_request != 0) - from];
}

void sq_session_take_in(const sq_session_view *v, const sq_session_cache *cache, int64_t from, int64_t to,
                        sq_token_cache *tokens, sq_desk *d)
{
    const int32_t prefix = v->model->options.user_embedding == SQ_USER_PREFIX;
    d->extension.cache = tokens;
    d->extension.apart = 0;
    while (from < to || (prefix && tokens->next == 0)) {
        const int32_t n = (int32_t)(to - from < d->rows ? to - from : d->rows);
        sq_embedding e = embedding_at(v, cache->user, tokens->next);
        sq_session_list(cache, from, n, d->slots);
        for (int32_t i = 0; i < n; i++) d->vectors[i] = row_of(v, d->slots[i]);
        put_times(v, cache, from - tokens->next, n, d);
        e.dates = d->extension.asks;
        sq_embed_fwd(&e, d->vectors, n, 0, &d->work.embedded, d->work.x[0]);
        sq_network_extend(&v->encoder.network, sq_embed_tokens(&e, n), &d->extension, &d->work, d->states);
        from += n;
    }
}

void sq_session_look_ahead(const sq_session_view *v, const sq_session_cache *cache, const int32_t *slots, int32_t n, sq_token_cache *tokens,
                           const sq_branches *branches, sq_desk *d)
{
    d->extension.cache = tokens;
    d->extension.apart = 1;
    d->extension.branches = branches;
    sq_embedding e = embedding_at(v, cache->user, sq_extension_place(&d->extension, 0));
    put_times(v, cache, cache->known - tokens->next, n, d);
    for (int32_t i = 0; i < n; i++) {
        const float *vector = row_of(v, slots[i]);
        if (e.calendar) e.dates = d->extension.asks + i;
        sq_embed_fwd(&e, &vector, 1, 0, &d->work.embedded, d->work.x[0] + (size_t)i * e.width);
    }
    sq_network_extend(&v->encoder.network, n, &d->extension, &d->work, d->states);
}

void sq_session_finish(const sq_session_view *v, float *state, sq_workspace *work, float *out)
{
    sq_network_read(&v->encoder.network, 1, state, work, state);
    sq_encode_finish(&v->encoder, state, out);
}
