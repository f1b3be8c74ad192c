/* serve: the cache of a session, and what follows from it. */
#include "serve/sessioncache.h"
#include <string.h>
#include "serve/sessionwindow.h"
#include "serve/slotlist.h"

#define MOST_ROWS 64 /* of one pass through the network */

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
                                .room = cache->room,
                                .seen = cache->seen,
                                .seen_room = cache->seen_room,
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
    if (capacity < tokens) capacity = 2 * capacity > tokens ? 2 * capacity : (tokens + 15) / 16 * 16;
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
    return slots->live[row] && slots->id[row] == id && slots->stamp[row] <= since;
}

static int32_t has_its_items(sq_session_cache *cache, const sq_session_view *v)
{
    const sq_catalogue *items = v->snapshot->catalogue;
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
    return v->has_user ? sq_catalogue_find(v->snapshot->users, v->user) : -1;
}

static int32_t has_its_user(sq_session_cache *cache, const sq_session_view *v)
{
    const sq_catalogue *users = v->snapshot->users;
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
    cache->items = v->snapshot->catalogue->version;
    cache->users = v->snapshot->users->version;
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

static int32_t find_slots(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    const sq_memory *memory = &v->model->context->memory;
    const int64_t first = cache->events;
    SQ_TRY(sq_grow(memory, (void **)&cache->slots, &cache->room, (size_t)first, (size_t)v->count, sizeof *cache->slots, error));
    SQ_TRY(sq_grow(memory, (void **)&cache->seen, &cache->seen_room, (size_t)cache->distinct, (size_t)v->count,
                   sizeof *cache->seen, error));
    for (; cache->events < v->count; cache->events++) {
        const int32_t slot = sq_catalogue_find(v->snapshot->catalogue, v->events[cache->events].item);
        cache->slots[cache->events] = slot;
        cache->known += slot >= 0;
    }
    see_from(cache, first);
    return SEQREC_OK;
}

/* Slots of the known events first .. first + n - 1 of `known`, to out; first + n is not beyond `known`. */
static void list_known(const sq_session_cache *cache, int64_t first, int64_t n, int32_t *out)
{
    int64_t index = cache->known;
    for (int64_t e = cache->events - 1; n > 0 && index > first; e--) {
        if (cache->slots[e] < 0) continue;
        if (--index < first + n) out[index - first] = cache->slots[e];
    }
}

/* ---- passes through the network ----------------------------------------------------------------------------------- */

/* Working memory of a call; recompute: for whole windows instead of a few rows that join a cache. */
typedef struct desk {
    sq_arena arena;
    int32_t rows;
    int32_t *slots;         /* [rows] or of a window and an event more */
    const float **vectors;  /* [rows] */
    float *states;          /* [rows][dp] */
    float *user;            /* [vp] */
    sq_workspace work;
    sq_extension extension;
    sq_encode_scratch whole;
    float *spare; /* [tokens of a window] of a cache for this call */
} desk;

enum { EXTEND, RECOMPUTE, SPARE };

static void carve(const sq_session_view *v, int32_t kind, sq_arena *arena, desk *d)
{
    const sq_layout *l = &v->model->layout;
    const int64_t span = sq_session_span(v->model);
    const size_t tokens = (size_t)d->rows + (v->model->options.user_embedding == SQ_USER_PREFIX);
    d->user = SQ_TAKE(arena, float, (size_t)l->vp);
    d->slots = SQ_TAKE(arena, int32_t, kind == RECOMPUTE ? (size_t)l->length + 1 : (size_t)d->rows);
    if (kind == RECOMPUTE) {
        sq_encode_scratch_take(arena, v->model, l->length, &d->whole);
        return;
    }
    d->vectors = SQ_TAKE(arena, const float *, (size_t)d->rows);
    d->states = SQ_TAKE(arena, float, (size_t)d->rows *(size_t)l->dp);
    sq_workspace_take(arena, l, &v->model->options, (int32_t)tokens, (int32_t)tokens, 0, &d->work);
    sq_extension_take(arena, l, span, (int32_t)tokens, &d->extension);
    if (kind == SPARE) d->spare = SQ_TAKE(arena, float, sq_token_cache_floats(l, span));
}

static int32_t borrow(const sq_session_view *v, int32_t kind, int64_t rows, desk *d, seqrec_error *error)
{
    sq_arena measured = {0};
    *d = (desk){.rows = (int32_t)(rows < MOST_ROWS ? rows : MOST_ROWS)};
    if (d->rows == 0) d->rows = 1;
    carve(v, kind, &measured, d);
    SQ_TRY(sq_model_borrow(v->model, measured.peak, &d->arena, error));
    carve(v, kind, &d->arena, d);
    return SEQREC_OK;
}

static const float *row_of(const sq_session_view *v, int32_t slot) { return sq_catalogue_row(v->snapshot->catalogue, slot); }

/* The embedding of events that come behind the tokens; a user's own token stands in front of the first alone. */
static sq_embedding embedding_at(const sq_session_view *v, const sq_session_cache *cache, const sq_token_cache *tokens)
{
    sq_embedding e = v->encoder.embedding;
    int64_t place = tokens->next;
    if (e.place != SQ_EMBED_PLAIN && cache->user >= 0) e.user = sq_catalogue_row(v->snapshot->users, cache->user);
    if (e.place == SQ_EMBED_PREFIX_USER && tokens->next > 0) {
        e.place = SQ_EMBED_PLAIN;
        place--;
    }
    if (e.positions != NULL && v->model->options.position == SQ_POSITION_START) e.positions += (size_t)place * e.width;
    return e;
}

/* Takes the known events from .. to - 1 into the tokens; at least the user's own token if the model has one. */
static void take_in(const sq_session_view *v, const sq_session_cache *cache, int64_t from, int64_t to, sq_token_cache *tokens,
                    desk *d)
{
    const int32_t prefix = v->model->options.user_embedding == SQ_USER_PREFIX;
    d->extension.cache = tokens;
    d->extension.apart = 0;
    while (from < to || (prefix && tokens->next == 0)) {
        const int32_t n = (int32_t)(to - from < d->rows ? to - from : d->rows);
        sq_embedding e = embedding_at(v, cache, tokens);
        list_known(cache, from, n, d->slots);
        for (int32_t i = 0; i < n; i++) d->vectors[i] = row_of(v, d->slots[i]);
        sq_embed_fwd(&e, d->vectors, n, 0, &d->work.embedded, d->work.x[0]);
        sq_network_extend(&v->encoder.network, sq_embed_tokens(&e, n), &d->extension, &d->work, d->states);
        from += n;
    }
}

/* states [n][dp] of the events in slots[n], each as the next one by itself. */
static void look_ahead(const sq_session_view *v, const sq_session_cache *cache, const int32_t *slots, int32_t n,
                       sq_token_cache *tokens, desk *d)
{
    const sq_embedding e = embedding_at(v, cache, tokens);
    d->extension.cache = tokens;
    d->extension.apart = 1;
    for (int32_t i = 0; i < n; i++) {
        const float *vector = row_of(v, slots[i]);
        sq_embed_fwd(&e, &vector, 1, 0, &d->work.embedded, d->work.x[0] + (size_t)i * e.width);
    }
    sq_network_extend(&v->encoder.network, n, &d->extension, &d->work, d->states);
}

/* The user vector of a state, which is overwritten. */
static void finish(const sq_session_view *v, float *state, sq_workspace *work, float *out)
{
    sq_network_read(&v->encoder.network, 1, state, work, state);
    sq_encode_finish(&v->encoder, state, out);
}

/* ---- bringing it up to date --------------------------------------------------------------------------------------- */

/* Whole windows: nothing stays but the vector. */
static int32_t recompute(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    const int64_t first = sq_session_first(v->model, cache->known);
    desk d;
    SQ_TRY(reserve(cache, v, 0, error));
    SQ_TRY(borrow(v, RECOMPUTE, 1, &d, error));
    list_known(cache, first, cache->known - first, d.slots);
    sq_encode(&v->encoder, d.slots, cache->known - first, cache->user, &d.whole, cache->at);
    sq_model_return(v->model, &d.arena);
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
    desk d;
    begin_window(cache, v);
    const int64_t more = cache->known - cache->taken, prefix = v->model->options.user_embedding == SQ_USER_PREFIX;
    SQ_TRY(reserve(cache, v, cache->tokens.next - cache->tokens.first + more + prefix, error));
    SQ_TRY(borrow(v, EXTEND, more, &d, error));
    take_in(v, cache, cache->taken, cache->known, &cache->tokens, &d);
    cache->taken = cache->known;
    if (cache->known > 0) finish(v, d.states, &d.work, cache->at);
    sq_model_return(v->model, &d.arena);
    return SEQREC_OK;
}

int32_t sq_session_cache_update(sq_session_cache *cache, const sq_session_view *v, seqrec_error *error)
{
    settle(cache, v);
    SQ_TRY(find_slots(cache, v, error));
    if (cache->has_vector && cache->encoded == cache->known) return SEQREC_OK;
    const int32_t caches = sq_session_rule(v->model) != SEQREC_SESSION_RECOMPUTES;
    cache->has_vector = 0;
    SQ_TRY(caches ? extend(cache, v, error) : recompute(cache, v, error));
    if (cache->known == 0) memset(cache->at, 0, (size_t)v->model->layout.vp * sizeof *cache->at);
    cache->encoded = cache->known;
    cache->has_vector = 1;
    return SEQREC_OK;
}

/* ---- looking ahead ------------------------------------------------------------------------------------------------ */

static void ahead_by_windows(const sq_session_cache *cache, const sq_session_view *v, const int32_t *slots, int64_t n, desk *d,
                             float *out)
{
    const int64_t first = sq_session_first(v->model, cache->known + 1), events = cache->known - first;
    const size_t part = (size_t)v->model->layout.part;
    list_known(cache, first, events, d->slots);
    for (int64_t i = 0; i < n; i++) {
        d->slots[events] = slots[i];
        sq_encode(&v->encoder, d->slots, events + 1, cache->user, &d->whole, d->user);
        memcpy(out + (size_t)i * part, d->user, part * sizeof *out);
    }
}

static void ahead_of_tokens(const sq_session_cache *cache, const sq_session_view *v, const int32_t *slots, int64_t n,
                            sq_token_cache *tokens, desk *d, float *out)
{
    const size_t part = (size_t)v->model->layout.part, dp = (size_t)v->model->layout.dp;
    for (int64_t i = 0; i < n; i += d->rows) {
        const int32_t some = (int32_t)(n - i < d->rows ? n - i : d->rows);
        look_ahead(v, cache, slots + i, some, tokens, d);
        for (int32_t r = 0; r < some; r++) {
            finish(v, d->states + (size_t)r * dp, &d->work, d->user);
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
    desk d;
    if (n == 0) return SEQREC_OK;
    const int32_t caches = sq_session_rule(v->model) != SEQREC_SESSION_RECOMPUTES, spare = needs_spare(cache, v);
    sq_token_cache tokens = cache->tokens;
    SQ_TRY(borrow(v, !caches ? RECOMPUTE : spare ? SPARE : EXTEND, n, &d, error));
    if (caches && spare) {
        tokens = (sq_token_cache){.at = d.spare, .capacity = sq_session_span(v->model)};
        take_in(v, cache, sq_session_first(v->model, cache->known + 1), cache->known, &tokens, &d);
    }
    if (caches)
        ahead_of_tokens(cache, v, slots, n, &tokens, &d, out);
    else
        ahead_by_windows(cache, v, slots, n, &d, out);
    sq_model_return(v->model, &d.arena);
    return SEQREC_OK;
}
