/* serve: the cache of a session, and what follows from it. */
#include "serve/sessioncache.h"
#include <string.h>
#include "serve/sessionpass.h"
#include "serve/sessionwindow.h"
#include "serve/slotlist.h"

/* ---- memory ------------------------------------------------------------------------------------------------------- */

static size_t bytes_of(const void *block)
{
    return block == NULL ? 0 : sq_block_bytes(block) + SQ_SLACK;
}

size_t sq_session_cache_bytes(const sq_session_cache *cache)
{
    return bytes_of(cache->at) + bytes_of(cache->slots) + bytes_of(cache->seen);
}

void sq_session_cache_free(sq_session_cache *cache, const sq_memory *memory)
{
    sq_free(memory, cache->at);
    sq_free(memory, cache->slots);
    sq_free(memory, cache->seen);
    *cache = (sq_session_cache){0};
}

/* What is left when everything that was made is wrong: memory. */
static void forget(sq_session_cache *cache)
{
    *cache = (sq_session_cache){.at = cache->at,
                                .slots = cache->slots,
                                .seen = cache->seen,
                                .tokens = {.at = cache->tokens.at, .capacity = cache->tokens.capacity}};
}

/* Room for the vector and for `tokens` tokens of the ring, which has been round only when it has its full length. */
static int32_t reserve(sq_session_cache *cache, const sq_session_view *v, int64_t tokens, seqrec_error *error)
{
    const sq_layout *l = &v->model->layout;
    const sq_memory *memory = &v->model->context->memory;
    const int64_t span = sq_session_span(v->model);
    int64_t capacity = cache->tokens.capacity;
    if (tokens > span) tokens = span;
    if (cache->at != NULL && tokens <= capacity) return SEQREC_OK;
    if (capacity < tokens) capacity = 2 * capacity > tokens ? 2 * capacity : (int64_t)sq_round16((size_t)tokens);
    if (capacity > span) capacity = span;
    const size_t vector = (size_t)l->vp, floats = vector + sq_token_cache_floats(l, capacity);
    float *at = sq_alloc(memory, floats, sizeof *at);
    SQ_CHECK(at != NULL, error, SEQREC_E_MEMORY, "no memory for the %lld tokens of a session", (long long)capacity);
    if (cache->at != NULL) memcpy(at, cache->at, vector * sizeof *at);
    sq_token_cache_move(&cache->tokens, l, at + vector, capacity);
    sq_free(memory, cache->at);
    cache->at = at;
    return SEQREC_OK;
}

/* ---- what it was made with ---------------------------------------------------------------------------------------- */

static int32_t is_unchanged(const sq_catalogue *table, int32_t slot, int64_t id, uint64_t since)
{
    const sq_slots *slots = table->slots[slot / SQ_CHUNK_ROWS];
    const int32_t row = slot % SQ_CHUNK_ROWS;
    return slots->live[row] && slots->id[row] == id && sq_slots_stamp(slots, row) <= since;
}

static int32_t has_its_items(sq_session_cache *cache, const sq_session_view *v)
{
    const sq_catalogue *items = v->snapshot->parts.catalogue;
    for (int64_t e = 0; items->version != cache->items && e < cache->events; e++) {
        const int32_t slot = cache->slots[e];
        if (slot < 0 ? sq_catalogue_find(items, v->events[e].item) >= 0
                     : !is_unchanged(items, slot, v->events[e].item, cache->items))
            return 0;
    }
    cache->items = items->version;
    return 1;
}

static int32_t find_user(const sq_session_view *v)
{
    return v->has_user ? sq_catalogue_find(v->snapshot->parts.users, v->user) : -1;
}

static int32_t has_its_user(sq_session_cache *cache, const sq_session_view *v)
{
    const sq_catalogue *users = v->snapshot->parts.users;
    if (users->version == cache->users) return 1;
    if (find_user(v) != cache->user) return 0;
    if (cache->user >= 0 && !is_unchanged(users, cache->user, v->user, cache->users)) return 0;
    cache->users = users->version;
    return 1;
}

static void settle(sq_session_cache *cache, const sq_session_view *v)
{
    if (cache->model != v->model_count) sq_session_cache_free(cache, &v->model->context->memory); /* other widths */
    if (cache->model == v->model_count && cache->trained == v->snapshot->trained && has_its_items(cache, v) &&
        has_its_user(cache, v))
        return;
    forget(cache);
    cache->model = v->model_count;
    cache->trained = v->snapshot->trained;
    cache->items = v->snapshot->parts.catalogue->version;
    cache->users = v->snapshot->parts.users->version;
    cache->user = find_user(v);
}

static void see(sq_session_cache *cache, int32_t slot)
{
    const int64_t at = sq_slots_from(cache->seen, cache->distinct, slot);
    if (at < cache->distinct && cache->seen[at] == slot) return;
    memmove(cache->seen + at + 1, cache->seen + at, (size_t)(cache->distinct - at) * sizeof *cache->seen);
    cache->seen[at] = slot;
    cache->distinct++;
}

/* Of the events from `first` on: a few find their places, many are sorted. */
static void see_from(sq_session_cache *cache, int64_t first)
{
    const int32_t few = cache->events - first <= 16;
    for (int64_t e = first; e < cache->events; e++) {
        if (cache->slots[e] < 0) continue;
        if (few)
            see(cache, cache->slots[e]);
        else
            cache->seen[cache->distinct++] = cache->slots[e];
    }
    if (!few) cache->distinct = sq_slots_tidy(cache->seen, cache->distinct);
}

/* Of the events from `first` on, which an earlier model may have taken as they were. */
static int32_t check_times(const sq_session_view *v, int64_t first, seqrec_error *error)
{
    for (int64_t e = first; e < v->count && v->model->layout.dated; e++) {
        SQ_CHECK(v->events[e].time != SQ_NO_TIME, error, SEQREC_E_STATE,
                 "event %lld of the session has no time, which the model's %s needs", (long long)e, sq_layout_dated_by(&v->model->layout));
        SQ_CHECK(e == 0 || v->events[e - 1].time <= v->events[e].time, error, SEQREC_E_STATE,
                 "event %lld of the session is at %lld, before the event before it at %lld", (long long)e,
                 (long long)v->events[e].time, (long long)v->events[e - 1].time);
    }
    return SEQREC_OK;
}

static int32_t find_slots(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    const sq_memory *memory = &v->model->context->memory;
    const int64_t first = cache->events;
    SQ_TRY(SQ_GROW(memory, cache->slots, first, v->count, error));
    SQ_TRY(SQ_GROW(memory, cache->seen, cache->distinct, v->count, error));
    SQ_TRY(check_times(v, first, error));
    for (; cache->events < v->count; cache->events++) {
        const int32_t slot = sq_catalogue_find(v->snapshot->parts.catalogue, v->events[cache->events].item);
        cache->slots[cache->events] = slot;
        cache->known += slot >= 0;
    }
    see_from(cache, first);
    return SEQREC_OK;
}

/* ---- bringing it up to date --------------------------------------------------------------------------------------- */

/* Whole windows: nothing stays but the vector. */
static int32_t recompute(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    const int64_t first = sq_session_first(v->model, cache->known);
    sq_desk d;
    SQ_TRY(reserve(cache, v, 0, error));
    SQ_TRY(sq_desk_take(v, SQ_DESK_WINDOWS, 1, &d, error));
    const int64_t n = cache->known - first;
    sq_session_window(v, cache, first, n, &d);
    sq_session_encode_window(v, cache->user, n, sq_session_asked(v, cache), &d, cache->at);
    sq_desk_give(v, &d);
    return SEQREC_OK;
}

/* Whether what was taken in is where the window begins now. */
static void begin_window(sq_session_cache *cache, const sq_session_view *v)
{
    const int64_t first = sq_session_first(v->model, cache->known);
    const int32_t slides = sq_session_rule(v->model) == SEQREC_SESSION_SLIDES;
    if (slides ? cache->taken >= first : cache->first == first) return;
    cache->first = cache->taken = first;
    cache->tokens.first = cache->tokens.next = slides ? first : 0;
}

static int32_t extend(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    sq_desk d;
    if (cache->newest_is_open) {
        cache->newest_is_open = 0;
        cache->taken--;
        cache->tokens.next--;
    }
    begin_window(cache, v);
    const int64_t more = cache->known - cache->taken, prefix = v->model->options.user_embedding == SQ_USER_PREFIX;
    SQ_TRY(reserve(cache, v, cache->tokens.next - cache->tokens.first + more + prefix, error));
    SQ_TRY(sq_desk_take(v, SQ_DESK_ROWS, more, &d, error));
    sq_session_take_in(v, cache, cache->taken, cache->known, &cache->tokens, &d);
    cache->taken = cache->known;
    cache->newest_is_open = sq_session_redoes(v->model) && cache->known > 0;
    if (cache->known > 0) sq_session_finish(v, d.states, &d.work, cache->at);
    sq_desk_give(v, &d);
    return SEQREC_OK;
}

int32_t sq_session_cache_update(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    settle(cache, v);
    SQ_TRY(find_slots(cache, v, error));
    if (cache->has_vector && cache->encoded == cache->known && (cache->asked == v->ask || !sq_session_redoes(v->model)))
        return SEQREC_OK;
    const int32_t caches = sq_session_rule(v->model) != SEQREC_SESSION_RECOMPUTES;
    cache->has_vector = 0;
    SQ_TRY(caches ? extend(cache, v, error) : recompute(cache, v, error));
    if (cache->known == 0) memset(cache->at, 0, (size_t)v->model->layout.vp * sizeof *cache->at);
    cache->encoded = cache->known;
    cache->asked = v->ask;
    cache->has_vector = 1;
    return SEQREC_OK;
}

/* ---- looking ahead ------------------------------------------------------------------------------------------------ */

/* The event that may come does so at the time of the request, and the one behind it is asked for then. */
static void ahead_by_windows(const sq_session_cache *cache, const sq_session_view *v, const int32_t *slots, int64_t n, sq_desk *d,
                             float *out)
{
    const int64_t first = sq_session_first(v->model, cache->known + 1), events = cache->known - first;
    const size_t part = (size_t)v->model->layout.part;
    sq_session_window(v, cache, first, events, d);
    const int64_t ask = sq_session_asked(v, cache);
    if (v->model->layout.dated) d->times[events] = ask;
    for (int64_t i = 0; i < n; i++) {
        d->slots[events] = slots[i];
        sq_session_encode_window(v, cache->user, events + 1, ask, d, d->user);
        memcpy(out + (size_t)i * part, d->user, part * sizeof *out);
    }
}

static void ahead_of_tokens(const sq_session_cache *cache, const sq_session_view *v, const int32_t *slots, int64_t n,
                            sq_token_cache *tokens, sq_desk *d, float *out)
{
    const size_t part = (size_t)v->model->layout.part, dp = (size_t)v->model->layout.dp;
    for (int64_t i = 0; i < n; i += d->rows) {
        const int32_t some = (int32_t)(n - i < d->rows ? n - i : d->rows);
        sq_session_look_ahead(v, cache, slots + i, some, tokens, NULL, d);
        for (int32_t r = 0; r < some; r++) {
            sq_session_finish(v, d->states + (size_t)r * dp, &d->work, d->user);
            memcpy(out + (size_t)(i + r) * part, d->user, part * sizeof *out);
        }
    }
}

/* Where one event more would make the window drop its older half, the window that is left is taken in for this call alone. */
static int32_t needs_spare(const sq_session_cache *cache, const sq_session_view *v)
{
    return sq_session_rule(v->model) == SEQREC_SESSION_HALVES && sq_session_first(v->model, cache->known + 1) != cache->first;
}

int32_t sq_session_cache_ahead(const sq_session_cache *cache, const sq_session_view *v, const int32_t *slots, int64_t n,
                               float *out, seqrec_error *error)
{
    sq_desk d;
    if (n == 0) return SEQREC_OK;
    const int32_t caches = sq_session_rule(v->model) != SEQREC_SESSION_RECOMPUTES, spare = needs_spare(cache, v);
    sq_token_cache tokens = cache->tokens;
    SQ_TRY(sq_desk_take(v, !caches ? SQ_DESK_WINDOWS : spare ? SQ_DESK_SPARE : SQ_DESK_ROWS, n, &d, error));
    if (caches && spare) {
        tokens = (sq_token_cache){.at = d.spare, .capacity = sq_session_span(v->model)};
        sq_session_take_in(v, cache, sq_session_first(v->model, cache->known + 1), cache->known, &tokens, &d);
    }
    if (caches)
        ahead_of_tokens(cache, v, slots, n, &tokens, &d, out);
    else
        ahead_by_windows(cache, v, slots, n, &d, out);
    sq_desk_give(v, &d);
    return SEQREC_OK;
}
