/* serve: paths behind a session, step by step: one pass through the network takes all paths a token further. */
#include "serve/decode.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "serve/decoding.h"
#include "serve/sessionwindow.h"

static size_t width_of(const sq_decoding *c) { return (size_t)c->request.model->layout.vp; }

/* Whether a path of n known events in all goes by the session's tokens: they are kept, and the window begins where it began. */
static int32_t joins(const sq_decoding *c, int64_t n)
{
    if (sq_session_rule(c->view->model) == SEQREC_SESSION_RECOMPUTES) return 0;
    return sq_session_rule(c->view->model) == SEQREC_SESSION_SLIDES || sq_session_first(c->view->model, n) == c->cache->first;
}

/* Whether somebody asks how probable the items of a path are one by one. */
static int32_t keeps_shares(const sq_decoding *c)
{
    return c->given != NULL || c->how->told != NULL || c->how->step_log_probabilities != NULL;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

static void carve_groups(sq_decoding *c, sq_arena *arena)
{
    const size_t groups = (size_t)c->how->groups, width = (size_t)c->how->width, kept = (size_t)c->kept;
    c->groups = SQ_TAKE(arena, sq_group, groups);
    if (groups == 1) return;
    c->chosen = SQ_TAKE(arena, uint16_t, sq_decoding_slots(c));
    c->orders = SQ_TAKE(arena, uint32_t, width / groups * kept);
    c->order_scratch = SQ_TAKE(arena, uint32_t, kept);
    c->keys = SQ_TAKE(arena, uint64_t, 2 * kept);
}

static void carve(void *arg, sq_arena *arena)
{
    sq_decoding *c = arg;
    const size_t width = (size_t)c->how->width, steps = (size_t)c->how->steps, kept = (size_t)c->kept;
    const size_t threads = sq_decoding_keeps_scores(c) ? (size_t)c->threads : 0;
    const int64_t longest = c->filter->allow_count > c->filter->deny_count ? c->filter->allow_count : c->filter->deny_count;
    const size_t rows = joins(c, c->cache->known + 1) ? width * (steps - 1) : 0; /* nothing is read behind the last */
    const size_t store = sq_token_cache_floats(&c->view->model->layout, (int64_t)rows);
    c->allowed = SQ_TAKE(arena, uint8_t, sq_decoding_slots(c));
    c->whole = SQ_TAKE(arena, float, threads * (size_t)sq_decoding_most_group(c) * sq_decoding_slots(c));
    c->listed = SQ_TAKE(arena, int32_t, (size_t)longest);
    c->followed = SQ_TAKE(arena, int32_t, c->given != NULL ? steps : 0);
    c->now = SQ_TAKE(arena, sq_path, width);
    c->next = SQ_TAKE(arena, sq_path, width);
    c->prospects = SQ_TAKE(arena, sq_prospect, width);
    c->heads = SQ_TAKE(arena, int32_t, width);
    carve_groups(c, arena);
    c->trails = SQ_TAKE(arena, const int32_t *, width);
    c->floats = SQ_TAKE(arena, float, 2 * width * width_of(c) + width * kept);
    c->ints = SQ_TAKE(arena, int32_t, 4 * width * steps + width * kept);
    c->doubles = SQ_TAKE(arena, double, keeps_shares(c) ? 2 * width * steps : 0);
    c->bans = c->how->mask != NULL ? SQ_TAKE(arena, sq_ban, width) : NULL;
    c->ids = SQ_TAKE(arena, int64_t, c->how->mask != NULL ? steps : 0);
    c->branches.store.at = SQ_TAKE(arena, float, store);
}

/* Path i of both arrays of paths. */
static sq_path path_at(const sq_decoding *c, size_t i)
{
    const size_t steps = (size_t)c->how->steps;
    return (sq_path){.user = c->floats + i * width_of(c),
                     .slots = c->ints + 2 * i * steps,
                     .tokens = c->ints + (2 * i + 1) * steps,
                     .shares = keeps_shares(c) ? c->doubles + i * steps : NULL};
}

static void lay_out(sq_decoding *c)
{
    const size_t width = (size_t)c->how->width, steps = (size_t)c->how->steps, kept = (size_t)c->kept;
    for (size_t i = 0; i < width; i++) {
        c->now[i] = path_at(c, i);
        c->next[i] = path_at(c, width + i);
        c->prospects[i].best.scores = c->floats + 2 * width * width_of(c) + i * kept;
        c->prospects[i].best.slots = c->ints + 4 * width * steps + i * kept;
    }
    for (int64_t g = 0; g < c->how->groups; g++) c->groups[g] = (sq_group){0, 1};
    if (c->chosen != NULL) memset(c->chosen, 0, sq_decoding_slots(c) * sizeof *c->chosen);
    c->branches.store.capacity = (int64_t)(width * (steps - 1));
}

/* ---- what may follow the session ---------------------------------------------------------------------------------- */

static int32_t read_list(sq_decoding *c, const char *name, const int64_t *ids, int64_t n, int64_t *found, seqrec_error *error)
{
    return sq_request_find(&c->request, name, ids, n, c->filter->unknown_items, c->listed, found, error);
}

static int32_t read_allowed(sq_decoding *c, seqrec_error *error)
{
    const sq_catalogue *items = c->request.snapshot->parts.catalogue;
    int64_t n;
    if (c->filter->allow == NULL) {
        for (int32_t k = 0; k < items->chunks; k++)
            memcpy(c->allowed + (size_t)k * SQ_CHUNK_ROWS, items->slots[k]->live, SQ_CHUNK_ROWS);
    } else {
        SQ_TRY(read_list(c, "allow", c->filter->allow, c->filter->allow_count, &n, error));
        memset(c->allowed, 0, sq_decoding_slots(c));
        for (int64_t i = 0; i < n; i++) c->allowed[c->listed[i]] = 1;
    }
    SQ_TRY(read_list(c, "deny", c->filter->deny, c->filter->deny_count, &n, error));
    for (int64_t i = 0; i < n; i++) c->allowed[c->listed[i]] = 0;
    for (int64_t i = 0; i < c->request.known[0]; i++) c->allowed[c->request.slots[i]] = 0;
    for (int64_t i = 0; c->filter->bits != NULL && i < (int64_t)items->chunks * SQ_CHUNK_ROWS; i++)
        c->allowed[i] &= (uint8_t)sq_filter_marks(c->filter, sq_catalogue_id(items, (int32_t)i));
    c->eligible = 0;
    for (size_t i = 0; i < sq_decoding_slots(c); i++) c->eligible += c->allowed[i] != 0;
    const int64_t needed = c->how->repeats ? 1 : c->how->steps;
    SQ_CHECK(c->eligible >= needed, error, SEQREC_E_ARGUMENT,
             "the filter leaves %" PRId64 " items; a path of %" PRId64 " steps%s needs %" PRId64, c->eligible, c->how->steps,
             c->how->repeats ? "" : " without repeats", needed);
    return SEQREC_OK;
}

/* ---- one step: the vectors of the paths --------------------------------------------------------------------------- */

static void take_rows(sq_decoding *c)
{
    const size_t dp = (size_t)c->view->model->layout.dp;
    sq_desk *d = &c->rows;
    d->interval = c->how->interval;
    c->branches.depth = (int32_t)c->step;
    c->branches.trails = c->trails;
    for (int64_t from = 0; from < c->count; from += d->rows) {
        const int32_t n = (int32_t)(c->count - from < d->rows ? c->count - from : d->rows);
        sq_path *paths = c->now + from;
        c->branches.kept = c->step * c->how->width + from;
        for (int32_t r = 0; r < n; r++) {
            c->trails[r] = paths[r].tokens;
            d->slots[r] = paths[r].slots[c->step];
        }
        sq_session_look_ahead(c->view, c->cache, d->slots, n, &c->behind, &c->branches, d);
        for (int32_t r = 0; r < n; r++) {
            sq_session_finish(c->view, d->states + (size_t)r * dp, &d->work, paths[r].user);
            paths[r].tokens[c->step] = (int32_t)(c->branches.kept + r);
        }
    }
}

/* The items of a path come at the time of the request and `interval` seconds apart; returns when the next one is asked for. */
static int64_t put_own_times(sq_decoding *c, int64_t events, int64_t skip, int64_t own)
{
    sq_desk *d = &c->windows;
    const int64_t start = sq_session_asked(c->view, c->cache);
    for (int64_t i = 0; i < own && c->view->model->layout.dated; i++) d->times[events + i] = start + (skip + i) * c->how->interval;
    return start + (skip + own) * c->how->interval;
}

static void take_windows(sq_decoding *c)
{
    const int64_t known = c->cache->known, first = sq_session_first(c->view->model, known + c->step + 1);
    const int64_t events = first < known ? known - first : 0, skip = first > known ? first - known : 0;
    const int64_t own = c->step + 1 - skip;
    sq_desk *d = &c->windows;
    sq_session_window(c->view, c->cache, known - events, events, d);
    const int64_t ask = put_own_times(c, events, skip, own);
    for (int64_t i = 0; i < c->count; i++) {
        memcpy(d->slots + events, c->now[i].slots + skip, (size_t)own * sizeof *d->slots);
        sq_session_encode_window(c->view, c->cache->user, events + own, ask, d, c->now[i].user);
    }
}

/* ---- all steps ---------------------------------------------------------------------------------------------------- */

static int32_t take_desks(sq_decoding *c, seqrec_error *error)
{
    const int64_t last = c->cache->known + c->how->steps - 1; /* events of the longest pass */
    if (joins(c, c->cache->known + 1)) SQ_TRY(sq_desk_take(c->view, SQ_DESK_ROWS, c->how->width, &c->rows, error));
    return joins(c, last) ? SEQREC_OK : sq_desk_take(c->view, SQ_DESK_WINDOWS, 1, &c->windows, error);
}

static int32_t fail_numbers(const sq_decoding *c, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_NUMERIC, "in step %" PRId64 " the scores of items are not numbers", c->step + 1);
}

/* An infinite score would leave the others no probability, and itself none that is a number; so would -Inf alone. */
static int32_t check_numbers(const sq_decoding *c, seqrec_error *error)
{
    for (int64_t i = 0; i < c->count; i++) {
        const sq_prospect *o = &c->prospects[i];
        if (o->unfit || !(o->log_sum < INFINITY) || (o->best.count > 0 && o->largest == -INFINITY)) return fail_numbers(c, error);
    }
    return SEQREC_OK;
}

/* Why no path can go on. */
static int32_t fail_step(const sq_decoding *c, seqrec_error *error)
{
    int64_t open = c->bans == NULL;
    for (int64_t i = 0; i < c->count && c->bans != NULL; i++) {
        open += c->prospects[i].open;
        SQ_CHECK(c->prospects[i].open > 0 || !sq_decoding_draws(c), error, SEQREC_E_ARGUMENT,
                 "the mask leaves path %" PRId64 " no item in step %" PRId64, i, c->step + 1);
    }
    SQ_CHECK(open > 0, error, SEQREC_E_ARGUMENT, "the mask leaves no path an item in step %" PRId64, c->step + 1);
    return fail_numbers(c, error);
}

int32_t sq_decoding_find(sq_decoding *c, seqrec_error *error)
{
    sq_decoding_look(c);
    SQ_TRY(check_numbers(c, error));
    const int64_t made = sq_decoding_choose(c);
    if (made == 0) return fail_step(c, error);
    sq_path *old = c->now;
    c->now = c->next;
    c->next = old;
    c->count = made;
    c->done = c->step + 1;
    return SEQREC_OK;
}

void sq_decoding_go_on(sq_decoding *c)
{
    if (joins(c, c->cache->known + c->step + 1))
        take_rows(c);
    else
        take_windows(c);
    c->step++;
}

static int32_t all_steps(sq_decoding *c, seqrec_error *error)
{
    while (!sq_decoding_over(c)) {
        SQ_TRY(sq_decoding_ask(c, error));
        SQ_TRY(sq_decoding_find(c, error));
        c->stopped = sq_decoding_tell(c);
        if (!sq_decoding_over(c)) sq_decoding_go_on(c);
    }
    return SEQREC_OK;
}

void sq_decoding_deliver(sq_decoding *c, int64_t *items, double *log_probabilities, double *shares, int64_t *found)
{
    if (c->how->groups > 1) sq_decoding_sort(c);
    for (int64_t i = 0; i < c->count; i++) {
        if (shares != NULL) memcpy(shares + i * c->how->steps, c->now[i].shares, (size_t)c->done * sizeof *shares);
        for (int64_t h = 0; h < c->done; h++) items[i * c->how->steps + h] = sq_decoding_id(c, c->now[i].slots[h]);
        if (log_probabilities != NULL) log_probabilities[i] = c->now[i].log_probability;
    }
    *found = c->count;
}

/* ---- from the beginning to the end -------------------------------------------------------------------------------- */

static int32_t most_kept(const sq_decoding *c)
{
    const int64_t wanted = c->given != NULL ? 0 : sq_decoding_draws(c) ? c->how->top_k : c->how->width;
    const int64_t count = c->request.snapshot->parts.catalogue->count;
    return (int32_t)(wanted < count ? wanted : count);
}

static int32_t check_interval(const sq_session_view *v, const sq_session_cache *cache, int64_t steps, int64_t interval, seqrec_error *error)
{
    const int64_t start = sq_session_asked(v, cache);
    SQ_CHECK(start <= INT64_MAX - steps * interval, error, SEQREC_E_RANGE,
             "interval = %" PRId64 ": %" PRId64 " steps of it from %" PRId64 " on are beyond what a time can be", interval, steps, start);
    return SEQREC_OK;
}

static int32_t prepare(sq_decoding *c, seqrec_error *error)
{
    SQ_TRY(sq_request_prepare(&c->request, c->filter->unknown_items, carve, c, error));
    lay_out(c);
    if (c->given != NULL)
        SQ_TRY(sq_find_items(c->request.snapshot->parts.catalogue, "items", c->given, c->how->steps, c->followed, error));
    SQ_TRY(read_allowed(c, error));
    SQ_TRY(sq_request_seat(&c->request, c->threads < c->how->width ? c->threads : c->how->width, (size_t)sq_decoding_most_group(c), error));
    SQ_TRY(take_desks(c, error));
    c->count = sq_decoding_draws(c) ? c->how->width : 1;
    for (int64_t i = 0; i < c->count; i++) memcpy(c->now[i].user, c->cache->at, width_of(c) * sizeof(float));
    return SEQREC_OK;
}

int32_t sq_decoding_begin(sq_decoding *c, seqrec_error *error)
{
    const sq_session_view *v = c->view;
    sq_session_cache *cache = &c->session->cache;
    SQ_TRY(sq_session_cache_update(cache, v, error));
    SQ_TRY(check_interval(v, cache, c->how->steps, c->how->interval, error));
    c->ready = sq_session_ready(c->session, v, c->filter->exclude_seen);
    c->offsets[1] = c->ready.n;
    c->batch = (seqrec_batch){.struct_size = sizeof c->batch, .sequences = 1, .offsets = c->offsets};
    SQ_TRY(sq_request_open(&c->request, v->model, &c->batch, &c->ready, error));
    c->cache = cache;
    c->behind = cache->tokens;
    c->kept = most_kept(c);
    return prepare(c, error);
}

void sq_decoding_end(sq_decoding *c)
{
    sq_desk_give(c->view, &c->windows);
    sq_desk_give(c->view, &c->rows);
    sq_free(&c->view->model->context->memory, c->banned);
    sq_request_end(&c->request);
}

/* Of a session that was entered. */
static int32_t decode(sq_decoding *c, seqrec_error *error)
{
    c->threads = sq_pool_width(c->view->model->context->pool);
    const int32_t status = sq_decoding_begin(c, error);
    return status == SEQREC_OK ? all_steps(c, error) : status;
}

int32_t sq_session_decode(seqrec_session *s, const seqrec_decode *how, const seqrec_filter *filter, int64_t *items,
                          double *log_probabilities, int64_t *found, seqrec_error *error)
{
    sq_session_view v;
    sq_decoding c = {.session = s, .view = &v, .how = how, .filter = filter};
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = decode(&c, error);
    if (status == SEQREC_OK) {
        sq_decoding_deliver(&c, items, log_probabilities, how->step_log_probabilities, found);
        if (how->done != NULL) *how->done = c.done;
        sq_request_count(&c.request, filter);
    }
    sq_decoding_end(&c);
    sq_session_leave(s, &v);
    return status;
}

int32_t sq_session_follow(seqrec_session *s, const int64_t *items, int64_t n, int64_t interval, double *log_probabilities,
                          seqrec_error *error)
{
    sq_session_view v;
    const seqrec_filter filter = {.struct_size = sizeof filter};
    const seqrec_decode how = {
        .struct_size = sizeof how, .repeats = 1, .steps = n, .width = 1, .groups = 1, .temperature = 1, .top_p = 1, .interval = interval};
    sq_decoding c = {.session = s, .view = &v, .how = &how, .filter = &filter, .given = items};
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = n == 0 ? SEQREC_OK : decode(&c, error);
    if (status == SEQREC_OK && n > 0) memcpy(log_probabilities, c.now[0].shares, (size_t)n * sizeof *log_probabilities);
    sq_decoding_end(&c);
    sq_session_leave(s, &v);
    return status;
}
