/* serve: the pool of sessions. */
#include "serve/sessionpool.h"
#include <string.h>

/* ---- the pool ----------------------------------------------------------------------------------------------------- */

int32_t sq_sessions_create(seqrec_model *model, size_t budget, seqrec_sessions **out, seqrec_error *error)
{
    const sq_memory *memory = &model->context->memory;
    seqrec_sessions *pool = sq_alloc_zero(memory, 1, sizeof *pool);
    SQ_CHECK(pool != NULL, error, SEQREC_E_MEMORY, "no memory for a pool of sessions");
    const int32_t status = sq_lock_init(&pool->lock, error);
    if (status != SEQREC_OK) {
        sq_free(memory, pool);
        return status;
    }
    pool->context = sq_context_retain(model->context);
    pool->references = 1;
    pool->budget = budget;
    pool->model = sq_model_retain(model);
    pool->model_count = 1;
    *out = pool;
    return SEQREC_OK;
}

void sq_sessions_release(seqrec_sessions *pool)
{
    if (pool == NULL || atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = pool->context;
    sq_model_release(pool->model);
    sq_lock_destroy(&pool->lock);
    sq_free(&context->memory, pool);
    sq_context_release(context);
}

void sq_sessions_swap(seqrec_sessions *pool, seqrec_model *model)
{
    (void)sq_model_retain(model);
    sq_lock_take(&pool->lock);
    seqrec_model *old = pool->model;
    pool->model = model;
    pool->model_count++;
    sq_lock_give(&pool->lock);
    sq_model_release(old);
}

void sq_sessions_describe(seqrec_sessions *pool, seqrec_sessions_info *out)
{
    sq_lock_take(&pool->lock);
    *out = (seqrec_sessions_info){.struct_size = sizeof *out,
                                  .sessions = pool->sessions,
                                  .cached = pool->cached,
                                  .dropped = pool->dropped,
                                  .cache_bytes = pool->cache_bytes,
                                  .event_bytes = pool->event_bytes,
                                  .budget = pool->budget};
    sq_lock_give(&pool->lock);
}

/* ---- the list of idle sessions, under the lock -------------------------------------------------------------------- */

static void unlist(seqrec_sessions *pool, seqrec_session *s)
{
    if (!s->place.listed) return;
    *(s->place.newer != NULL ? &s->place.newer->place.older : &pool->newest) = s->place.older;
    *(s->place.older != NULL ? &s->place.older->place.newer : &pool->oldest) = s->place.newer;
    s->place.newer = s->place.older = NULL;
    s->place.listed = 0;
}

static void list_newest(seqrec_sessions *pool, seqrec_session *s)
{
    s->place.older = pool->newest;
    *(pool->newest != NULL ? &pool->newest->place.newer : &pool->oldest) = s;
    pool->newest = s;
    s->place.listed = 1;
}

/* The pool's counts follow what a session holds now. */
static void count(seqrec_sessions *pool, seqrec_session *s, size_t cache_bytes, size_t event_bytes)
{
    pool->cached += (cache_bytes > 0) - (s->place.cache_bytes > 0);
    pool->cache_bytes += cache_bytes - s->place.cache_bytes; /* wraps back where it falls */
    pool->event_bytes += event_bytes - s->place.event_bytes;
    s->place.cache_bytes = cache_bytes;
    s->place.event_bytes = event_bytes;
}

static size_t event_bytes(const seqrec_session *s)
{
    return s->events == NULL ? 0 : sq_block_bytes(s->events) + SQ_SLACK;
}

/* The cache of the session that was idle longest, when the budget does not hold; 0: it holds. */
static int32_t take_oldest(seqrec_sessions *pool, sq_session_cache *out)
{
    sq_lock_take(&pool->lock);
    seqrec_session *s = pool->cache_bytes > pool->budget ? pool->oldest : NULL;
    if (s != NULL) {
        *out = s->cache;
        s->cache = (sq_session_cache){0};
        unlist(pool, s);
        count(pool, s, 0, s->place.event_bytes);
        pool->dropped++;
    }
    sq_lock_give(&pool->lock);
    return s != NULL;
}

/* ---- a session ---------------------------------------------------------------------------------------------------- */

int32_t sq_session_create(seqrec_sessions *pool, const int64_t *user, seqrec_session **out, seqrec_error *error)
{
    seqrec_session *s = sq_alloc_zero(&pool->context->memory, 1, sizeof *s);
    SQ_CHECK(s != NULL, error, SEQREC_E_MEMORY, "no memory for a session");
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
    s->pool = pool;
    s->has_user = user != NULL;
    s->ask = SQ_NO_TIME;
    s->user = user != NULL ? *user : 0;
    sq_lock_take(&pool->lock);
    pool->sessions++;
    sq_lock_give(&pool->lock);
    *out = s;
    return SEQREC_OK;
}

void sq_session_release(seqrec_session *s)
{
    if (s == NULL) return;
    seqrec_sessions *pool = s->pool;
    const sq_memory *memory = &pool->context->memory;
    /* In a forked child a thread that is not there may hold the lock, half way through the list: nobody there needs either. */
    if (sq_pool_check(pool->context->pool, NULL) == SEQREC_OK) {
        sq_lock_take(&pool->lock);
        unlist(pool, s);
        count(pool, s, 0, 0);
        pool->sessions--;
        sq_lock_give(&pool->lock);
    }
    sq_session_cache_free(&s->cache, memory);
    sq_free(memory, s->events);
    sq_free(memory, s);
    sq_sessions_release(pool);
}

void sq_session_counted(seqrec_session *s)
{
    sq_lock_take(&s->pool->lock);
    count(s->pool, s, s->place.cache_bytes, event_bytes(s));
    sq_lock_give(&s->pool->lock);
}

static int32_t occupy(seqrec_session *s, sq_session_view *out, seqrec_error *error)
{
    SQ_CHECK(!s->place.busy, error, SEQREC_E_STATE, "another call is at work on this session: one thread at a time may use it");
    SQ_CHECK(!s->evicted, error, SEQREC_E_STATE, "the session was evicted: it has no events any more and can only be released");
    unlist(s->pool, s);
    s->place.busy = 1;
    out->model = sq_model_retain(s->pool->model);
    out->model_count = s->pool->model_count;
    return SEQREC_OK;
}

int32_t sq_session_enter(seqrec_session *s, sq_session_view *out, seqrec_error *error)
{
    sq_lock_take(&s->pool->lock);
    const int32_t status = occupy(s, out, error);
    sq_lock_give(&s->pool->lock);
    if (status != SEQREC_OK) return status;
    out->snapshot = sq_snapshot_acquire(out->model);
    out->encoder = sq_encoder_of(out->model, out->snapshot);
    out->events = s->events;
    out->count = s->count;
    out->has_user = s->has_user;
    out->user = s->user;
    out->ask = out->model->layout.dated ? s->ask : SQ_NO_TIME;
    return SEQREC_OK;
}

void sq_session_leave(seqrec_session *s, sq_session_view *view)
{
    seqrec_sessions *pool = s->pool;
    const size_t bytes = sq_session_cache_bytes(&s->cache);
    sq_session_cache dropped;
    sq_snapshot_release(view->model, view->snapshot);
    sq_lock_take(&pool->lock);
    count(pool, s, bytes, event_bytes(s));
    if (bytes > 0) list_newest(pool, s);
    s->place.busy = 0;
    const int32_t over = pool->cache_bytes > pool->budget;
    sq_lock_give(&pool->lock);
    while (over && take_oldest(pool, &dropped)) sq_session_cache_free(&dropped, &pool->context->memory);
    sq_model_release(view->model);
}
