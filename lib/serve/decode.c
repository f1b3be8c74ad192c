/* serve: paths behind a session. In each step tasks of (some paths, the whole catalogue) sum up the softmax of every path and find
 * its best items or draw one; then paths are chosen, and one pass through the network takes all of them a token further. */
#include "serve/decode.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "serve/nucleus.h"
#include "serve/recommend.h"
#include "serve/sessionpass.h"
#include "serve/sessionwindow.h"
#include "serve/topheap.h"

#define MOST_USERS 64          /* scored together by a task */
#define MOST_SCORES (1 << 22)  /* that a task keeps, unless one path has more */

typedef struct path {
    float *user;     /* [padded length of an item's vector] */
    int32_t *slots;  /* [steps] */
    int32_t *tokens; /* [steps] of its items, in the store */
    double log_probability;
} path;

/* What one step says of one path: a softmax over the items that may follow, of scores / temperature. */
typedef struct outlook {
    double largest, sum; /* sum of exp(score - largest) */
    double log_sum;      /* of exp(score), when the step is over */
    sq_topk best;
    int32_t drawn; /* slot */
    double drawn_score;
} outlook;

typedef struct call {
    sq_request request;
    const sq_session_view *view;
    const sq_session_cache *cache;
    const seqrec_decode *how;
    const seqrec_filter *filter;
    const int64_t *given;   /* [steps] ids of the one path there is, or NULL: paths are to be found */
    int32_t *followed;      /* [steps] their slots */
    double *shares;         /* [steps] their log probabilities */
    int32_t kept;     /* best items of a path that a step looks at */
    int64_t eligible; /* items that may follow the session */
    int64_t group;    /* paths of a task */
    int64_t step, count;
    uint8_t *allowed; /* [chunks][SQ_CHUNK_ROWS] */
    float *whole;     /* [threads][most_group][chunks][SQ_CHUNK_ROWS] where nuclei are drawn from */
    int32_t *listed;  /* of an allow or deny list */
    path *now, *next; /* [width] */
    outlook *outlooks; /* [width] */
    int32_t *heads;    /* [width] of each path's best items, the one to take next */
    const int32_t **trails; /* [width] */
    float *floats;          /* users of both, then the scores of the heaps, then the store */
    int32_t *ints;          /* slots and tokens of both, then the slots of the heaps */
    sq_branches branches;
    sq_token_cache behind; /* the session's tokens */
    sq_desk rows, windows; /* taken as they are needed */
} call;

static int32_t draws(const call *c) { return c->how->method == SEQREC_DECODE_SAMPLE; }

/* Whether a step looks at the scores of all items at once. */
static int32_t keeps_scores(const call *c) { return draws(c) && c->kept == 0 && c->how->top_p < 1; }

static size_t slots_of(const call *c) { return (size_t)c->request.snapshot->catalogue->chunks * SQ_CHUNK_ROWS; }

static int64_t most_group(const call *c)
{
    const int64_t most = c->how->width < MOST_USERS ? c->how->width : MOST_USERS;
    if (!keeps_scores(c) || most * (int64_t)slots_of(c) <= MOST_SCORES) return most;
    const int64_t fit = MOST_SCORES / (int64_t)slots_of(c);
    return fit > 0 ? fit : 1;
}

static size_t width_of(const call *c) { return (size_t)c->request.model->layout.vp; }

/* Whether a path of n known events in all goes by the session's tokens: they are kept, and the window begins where it began. */
static int32_t joins(const call *c, int64_t n)
{
    if (sq_session_rule(c->view->model) == SEQREC_SESSION_RECOMPUTES) return 0;
    return sq_session_rule(c->view->model) == SEQREC_SESSION_SLIDES || sq_session_first(c->view->model, n) == c->cache->first;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

static void carve(void *arg, sq_arena *arena)
{
    call *c = arg;
    const size_t width = (size_t)c->how->width, steps = (size_t)c->how->steps, kept = (size_t)c->kept;
    const size_t threads = keeps_scores(c) ? (size_t)sq_pool_width(c->view->model->context->pool) : 0;
    const int64_t longest = c->filter->allow_count > c->filter->deny_count ? c->filter->allow_count : c->filter->deny_count;
    const size_t rows = joins(c, c->cache->known + 1) ? width * (steps - 1) : 0; /* nothing is read behind the last */
    const size_t store = sq_token_cache_floats(&c->view->model->layout, (int64_t)rows);
    c->allowed = SQ_TAKE(arena, uint8_t, slots_of(c));
    c->whole = SQ_TAKE(arena, float, threads * (size_t)most_group(c) * slots_of(c));
    c->listed = SQ_TAKE(arena, int32_t, (size_t)longest);
    c->followed = SQ_TAKE(arena, int32_t, c->given != NULL ? steps : 0);
    c->shares = SQ_TAKE(arena, double, c->given != NULL ? steps : 0);
    c->now = SQ_TAKE(arena, path, width);
    c->next = SQ_TAKE(arena, path, width);
    c->outlooks = SQ_TAKE(arena, outlook, width);
    c->heads = SQ_TAKE(arena, int32_t, width);
    c->trails = SQ_TAKE(arena, const int32_t *, width);
    c->floats = SQ_TAKE(arena, float, 2 * width * width_of(c) + width * kept);
    c->ints = SQ_TAKE(arena, int32_t, 4 * width * steps + width * kept);
    c->branches.store.at = SQ_TAKE(arena, float, store);
}

static void lay_out(call *c)
{
    const size_t width = (size_t)c->how->width, steps = (size_t)c->how->steps, kept = (size_t)c->kept, vp = width_of(c);
    for (size_t i = 0; i < width; i++) {
        c->now[i] = (path){c->floats + i * vp, c->ints + 2 * i * steps, c->ints + (2 * i + 1) * steps, 0};
        const size_t j = width + i;
        c->next[i] = (path){c->floats + j * vp, c->ints + 2 * j * steps, c->ints + (2 * j + 1) * steps, 0};
        c->outlooks[i].best.scores = c->floats + 2 * width * vp + i * kept;
        c->outlooks[i].best.slots = c->ints + 4 * width * steps + i * kept;
    }
    c->branches.store.capacity = (int64_t)(width * (steps - 1));
}

/* ---- what may follow the session ---------------------------------------------------------------------------------- */

static int32_t read_list(call *c, const char *name, const int64_t *ids, int64_t n, int64_t *found, seqrec_error *error)
{
    return sq_request_find(&c->request, name, ids, n, c->filter->unknown_items, c->listed, found, error);
}

static int32_t read_allowed(call *c, seqrec_error *error)
{
    const sq_catalogue *items = c->request.snapshot->catalogue;
    int64_t n;
    if (c->filter->allow == NULL) {
        for (int32_t k = 0; k < items->chunks; k++)
            memcpy(c->allowed + (size_t)k * SQ_CHUNK_ROWS, items->slots[k]->live, SQ_CHUNK_ROWS);
    } else {
        SQ_TRY(read_list(c, "allow", c->filter->allow, c->filter->allow_count, &n, error));
        memset(c->allowed, 0, slots_of(c));
        for (int64_t i = 0; i < n; i++) c->allowed[c->listed[i]] = 1;
    }
    SQ_TRY(read_list(c, "deny", c->filter->deny, c->filter->deny_count, &n, error));
    for (int64_t i = 0; i < n; i++) c->allowed[c->listed[i]] = 0;
    for (int64_t i = 0; i < c->request.known[0]; i++) c->allowed[c->request.slots[i]] = 0;
    for (int64_t i = 0; c->filter->bits != NULL && i < (int64_t)items->chunks * SQ_CHUNK_ROWS; i++)
        c->allowed[i] &= (uint8_t)sq_filter_marks(c->filter, items->slots[i / SQ_CHUNK_ROWS]->id[i % SQ_CHUNK_ROWS]);
    c->eligible = 0;
    for (size_t i = 0; i < slots_of(c); i++) c->eligible += c->allowed[i] != 0;
    const int64_t needed = c->how->repeats ? 1 : c->how->steps;
    SQ_CHECK(c->eligible >= needed, error, SEQREC_E_ARGUMENT,
             "the filter leaves %" PRId64 " items; a path of %" PRId64 " steps%s needs %" PRId64, c->eligible, c->how->steps,
             c->how->repeats ? "" : " without repeats", needed);
    return SEQREC_OK;
}

/* ---- one step: the outlook of each path --------------------------------------------------------------------------- */

/* Scores of a chunk: divided by the temperature, not a number where the item may not follow. */
static void mask(const call *c, const path *p, int32_t chunk, float *scores)
{
    const uint8_t *allowed = c->allowed + (size_t)chunk * SQ_CHUNK_ROWS;
    c->request.scoring.kernels->scale(SQ_CHUNK_ROWS, (float)(1 / c->how->temperature), scores, scores);
    for (int32_t i = 0; i < SQ_CHUNK_ROWS; i++)
        if (!allowed[i]) scores[i] = NAN;
    for (int64_t h = 0; h < c->step && !c->how->repeats; h++)
        if (p->slots[h] / SQ_CHUNK_ROWS == chunk) scores[p->slots[h] % SQ_CHUNK_ROWS] = NAN;
}

static uint64_t key_of(const call *c, int64_t rollout)
{
    return sq_mix64(sq_random_key(c->how->seed, SQ_STREAM_DECODE, (uint64_t)rollout) + (uint64_t)c->step);
}

/* The item at share `unit` of `sum`, the sum of weights. */
static int32_t draw_from(const float *weights, int32_t n, double sum, double unit)
{
    double upto = 0;
    int32_t last = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!(weights[i] > 0)) continue;
        last = i;
        upto += (double)weights[i];
        if (upto > unit * sum) break;
    }
    return last;
}

/* The chunk's item takes the place of the one drawn so far with the probability that it has by now. */
static void draw(const call *c, int64_t rollout, int32_t chunk, const float *weights, double sum, outlook *o)
{
    const uint64_t key = key_of(c, rollout);
    if (sq_random_unit(key, 2 * (uint64_t)chunk) * o->sum >= sum) return;
    const int32_t i = draw_from(weights, SQ_CHUNK_ROWS, sum, sq_random_unit(key, 2 * (uint64_t)chunk + 1));
    o->drawn = chunk * SQ_CHUNK_ROWS + i;
    o->drawn_score = o->largest + log((double)weights[i]);
}

/* The largest score of a chunk; what is not a number becomes -Inf. */
static double settle(const call *c, float *scores)
{
    for (int32_t i = 0; i < SQ_CHUNK_ROWS; i++)
        if (isnan(scores[i])) scores[i] = -INFINITY;
    return (double)c->request.scoring.kernels->max(SQ_CHUNK_ROWS, scores);
}

/* The best so far, and the running sum; scores become weights. */
static void weigh(const call *c, int64_t index, int32_t chunk, float *scores)
{
    outlook *o = &c->outlooks[index];
    sq_topk_push_block(&o->best, scores, chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS, NULL);
    if (c->given != NULL && c->followed[c->step] / SQ_CHUNK_ROWS == chunk) {
        o->drawn = c->followed[c->step];
        o->drawn_score = (double)scores[o->drawn % SQ_CHUNK_ROWS];
    }
    const double most = settle(c, scores);
    if (most == -INFINITY) return;
    const double largest = most > o->largest ? most : o->largest;
    const double sum = (double)c->request.scoring.kernels->exp_shift(SQ_CHUNK_ROWS, (float)largest, scores);
    o->sum = (o->sum > 0 ? o->sum * exp(o->largest - largest) : 0) + sum;
    o->largest = largest;
    if (draws(c) && c->kept == 0) draw(c, index, chunk, scores, sum, o);
}

/* Where a task puts the scores of its paths: of a chunk each, or of all items. */
typedef struct sheet {
    float *at;
    size_t row, chunk; /* floats from a path's to the next one's, from a chunk's to the next one's */
} sheet;

static sheet sheet_of(const call *c, const sq_seat *seat)
{
    const size_t slots = slots_of(c);
    if (!keeps_scores(c)) return (sheet){seat->scores, SQ_SCORED_ITEMS, 0};
    return (sheet){c->whole + (size_t)(seat - c->request.seats) * (size_t)most_group(c) * slots, slots, SQ_CHUNK_ROWS};
}

/* One item of the nucleus of a path; all its scores become weights. */
static void draw_of_nucleus(const call *c, int64_t index, float *scores)
{
    const int32_t n = (int32_t)slots_of(c);
    outlook *o = &c->outlooks[index];
    for (int32_t at = 0; at < n; at += SQ_CHUNK_ROWS) o->largest = fmax(o->largest, settle(c, scores + at));
    if (o->largest == -INFINITY) return;
    for (int32_t at = 0; at < n; at += SQ_CHUNK_ROWS)
        (void)c->request.scoring.kernels->exp_shift(SQ_CHUNK_ROWS, (float)o->largest, scores + at);
    o->sum = sq_nucleus_keep(scores, n, c->how->top_p);
    o->drawn = draw_from(scores, n, o->sum, sq_random_unit(key_of(c, index), 0));
    o->drawn_score = o->largest + log((double)scores[o->drawn]);
}

static void look_out(void *arg, int64_t task, sq_seat *seat)
{
    call *c = arg;
    const sq_scoring *scoring = &c->request.scoring;
    const sheet s = sheet_of(c, seat);
    const int64_t from = task * c->group, some = c->count - from < c->group ? c->count - from : c->group;
    for (int64_t i = from; i < from + some; i++) {
        outlook *o = &c->outlooks[i];
        *o = (outlook){.largest = -INFINITY, .best = o->best, .drawn = -1};
        sq_topk_init(&o->best, c->kept, o->best.scores, o->best.slots);
    }
    for (int32_t chunk = 0; chunk < scoring->catalogue->chunks; chunk++) {
        if (scoring->catalogue->slots[chunk]->live_count == 0 && s.chunk == 0) continue;
        float *scores = s.at + (size_t)chunk * s.chunk;
        sq_score_run(scoring, c->now[from].user, (size_t)some, chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS, &seat->scoring, scores, s.row);
        for (int64_t i = 0; i < some; i++) {
            mask(c, &c->now[from + i], chunk, scores + (size_t)i * s.row);
            if (s.chunk == 0) weigh(c, from + i, chunk, scores + (size_t)i * s.row);
        }
    }
    for (int64_t i = from; i < from + some; i++) {
        if (s.chunk > 0) draw_of_nucleus(c, i, s.at + (size_t)(i - from) * s.row);
        (void)sq_topk_finish(&c->outlooks[i].best);
        c->outlooks[i].log_sum = c->outlooks[i].largest + log(c->outlooks[i].sum);
    }
}

/* ---- one step: which paths go on ---------------------------------------------------------------------------------- */

/* The next path `to` is path `from` and the item in `slot`. */
static void go_on(call *c, int64_t to, int64_t from, int32_t slot, double log_probability)
{
    const path *p = &c->now[from];
    path *q = &c->next[to];
    const size_t bytes = (size_t)c->step * sizeof *p->slots;
    if (bytes > 0) memcpy(q->slots, p->slots, bytes);
    if (bytes > 0) memcpy(q->tokens, p->tokens, bytes);
    q->slots[c->step] = slot;
    q->log_probability = p->log_probability + log_probability;
}

static double log_share(const outlook *o, double score) { return score - o->log_sum; }

static double next_of(const call *c, int64_t i)
{
    const outlook *o = &c->outlooks[i];
    return c->now[i].log_probability + log_share(o, (double)o->best.scores[c->heads[i]]);
}

/* The best of all paths that go on, of equal ones that of the better path; how many there are. */
static int64_t choose_best(call *c)
{
    int64_t made = 0;
    memset(c->heads, 0, (size_t)c->count * sizeof *c->heads);
    for (; made < c->how->width; made++) {
        int64_t best = -1;
        for (int64_t i = 0; i < c->count; i++) {
            if (c->heads[i] == c->outlooks[i].best.count) continue;
            if (best < 0 || next_of(c, i) > next_of(c, best)) best = i;
        }
        if (best < 0) break;
        const outlook *o = &c->outlooks[best];
        const int32_t head = c->heads[best]++;
        go_on(c, made, best, o->best.slots[head], log_share(o, (double)o->best.scores[head]));
    }
    return made;
}

/* One of the best that were kept, or of their nucleus, by their shares of one another. */
static void draw_of_best(const call *c, int64_t i, outlook *o)
{
    double sum = 0;
    for (int32_t b = o->best.count - 1; b >= 0; b--) {
        o->best.scores[b] = (float)exp((double)o->best.scores[b] - o->largest);
        sum += (double)o->best.scores[b];
    }
    if (c->how->top_p < 1) sum = sq_nucleus_keep(o->best.scores, o->best.count, c->how->top_p);
    const int32_t b = draw_from(o->best.scores, o->best.count, sum, sq_random_unit(key_of(c, i), 0));
    o->drawn = o->best.slots[b];
    o->drawn_score = o->largest + log((double)o->best.scores[b]);
    o->log_sum = o->largest + log(sum);
}

static int64_t choose_drawn(call *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        outlook *o = &c->outlooks[i];
        if (c->kept > 0 && o->best.count > 0) draw_of_best(c, i, o);
        if (o->drawn < 0) return 0;
        go_on(c, i, i, o->drawn, log_share(o, o->drawn_score));
    }
    return c->count;
}

/* 0: its score, or that of every item, is not a number. */
static int64_t follow(call *c)
{
    const outlook *o = &c->outlooks[0];
    const double share = log_share(o, o->drawn_score);
    if (isnan(share)) return 0;
    c->shares[c->step] = share;
    go_on(c, 0, 0, o->drawn, share);
    return 1;
}

/* ---- one step: the vectors of the paths --------------------------------------------------------------------------- */

static void take_rows(call *c)
{
    const size_t dp = (size_t)c->view->model->layout.dp;
    sq_desk *d = &c->rows;
    d->interval = c->how->interval;
    c->branches.depth = (int32_t)c->step;
    c->branches.trails = c->trails;
    for (int64_t from = 0; from < c->count; from += d->rows) {
        const int32_t n = (int32_t)(c->count - from < d->rows ? c->count - from : d->rows);
        path *paths = c->now + from;
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
static int64_t put_own_times(call *c, int64_t events, int64_t skip, int64_t own)
{
    sq_desk *d = &c->windows;
    const int64_t start = sq_session_asked(c->view, c->cache);
    for (int64_t i = 0; i < own && c->view->model->layout.dated; i++) d->times[events + i] = start + (skip + i) * c->how->interval;
    return start + (skip + own) * c->how->interval;
}

static void take_windows(call *c)
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

static int32_t take_desks(call *c, seqrec_error *error)
{
    const int64_t last = c->cache->known + c->how->steps - 1; /* events of the longest pass */
    if (joins(c, c->cache->known + 1)) SQ_TRY(sq_desk_take(c->view, SQ_DESK_ROWS, c->how->width, &c->rows, error));
    return joins(c, last) ? SEQREC_OK : sq_desk_take(c->view, SQ_DESK_WINDOWS, 1, &c->windows, error);
}

static int32_t step(call *c, seqrec_error *error)
{
    const int64_t threads = sq_pool_width(c->view->model->context->pool);
    c->group = (c->count + threads - 1) / threads;
    if (c->group > most_group(c)) c->group = most_group(c);
    sq_request_run(&c->request, (c->count + c->group - 1) / c->group, look_out, c);
    const int64_t made = c->given != NULL ? follow(c) : draws(c) ? choose_drawn(c) : choose_best(c);
    SQ_CHECK(made > 0, error, SEQREC_E_NUMERIC, "in step %" PRId64 " the scores of items are not numbers", c->step + 1);
    path *old = c->now;
    c->now = c->next;
    c->next = old;
    c->count = made;
    if (c->step + 1 == c->how->steps) return SEQREC_OK;
    if (joins(c, c->cache->known + c->step + 1))
        take_rows(c);
    else
        take_windows(c);
    return SEQREC_OK;
}

static int32_t all_steps(call *c, seqrec_error *error)
{
    int64_t n;
    SQ_TRY(sq_request_prepare(&c->request, c->filter->unknown_items, carve, c, error));
    lay_out(c);
    if (c->given != NULL)
        SQ_TRY(sq_request_find(&c->request, "items", c->given, c->how->steps, SEQREC_UNKNOWN_ERROR, c->followed, &n, error));
    SQ_TRY(read_allowed(c, error));
    SQ_TRY(sq_request_seat(&c->request, c->how->width, (size_t)most_group(c), error));
    SQ_TRY(take_desks(c, error));
    c->count = draws(c) ? c->how->width : 1;
    for (int64_t i = 0; i < c->count; i++) memcpy(c->now[i].user, c->cache->at, width_of(c) * sizeof(float));
    for (c->step = 0; c->step < c->how->steps; c->step++) SQ_TRY(step(c, error));
    return SEQREC_OK;
}

static void deliver(const call *c, int64_t *items, double *log_probabilities, int64_t *found)
{
    const sq_catalogue *catalogue = c->request.snapshot->catalogue;
    for (int64_t i = 0; i < c->count; i++) {
        for (int64_t h = 0; h < c->how->steps; h++) {
            const int32_t slot = c->now[i].slots[h];
            items[i * c->how->steps + h] = catalogue->slots[slot / SQ_CHUNK_ROWS]->id[slot % SQ_CHUNK_ROWS];
        }
        if (log_probabilities != NULL) log_probabilities[i] = c->now[i].log_probability;
    }
    *found = c->count;
}

static int32_t most_kept(const call *c)
{
    const int64_t wanted = c->given != NULL ? 0 : draws(c) ? c->how->top_k : c->how->width, count = c->request.snapshot->catalogue->count;
    return (int32_t)(wanted < count ? wanted : count);
}

/* items NULL: of the path that is given the log probabilities are delivered, item by item. */
static int32_t check_interval(const sq_session_view *v, const sq_session_cache *cache, int64_t steps, int64_t interval, seqrec_error *error)
{
    const int64_t start = sq_session_asked(v, cache);
    SQ_CHECK(start <= INT64_MAX - steps * interval, error, SEQREC_E_RANGE,
             "interval = %" PRId64 ": %" PRId64 " steps of it from %" PRId64 " on are beyond what a time can be", interval, steps, start);
    return SEQREC_OK;
}

static int32_t decode(seqrec_session *s, call *c, int64_t *items, double *log_probabilities, int64_t *found, seqrec_error *error)
{
    const sq_session_view *v = c->view;
    SQ_TRY(sq_session_cache_update(&s->cache, v, error));
    SQ_TRY(check_interval(v, &s->cache, c->how->steps, c->how->interval, error));
    const sq_ready ready = sq_session_ready(s, v, c->filter->exclude_seen);
    const int64_t offsets[] = {0, ready.n};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets};
    int32_t status = sq_request_open(&c->request, v->model, &batch, &ready, error);
    c->cache = &s->cache;
    c->behind = s->cache.tokens;
    c->kept = status == SEQREC_OK ? most_kept(c) : 0;
    if (status == SEQREC_OK) status = all_steps(c, error);
    if (status == SEQREC_OK && items != NULL) deliver(c, items, log_probabilities, found);
    if (status == SEQREC_OK && items == NULL) memcpy(log_probabilities, c->shares, (size_t)c->how->steps * sizeof *c->shares);
    if (status == SEQREC_OK) sq_request_count(&c->request, c->filter);
    sq_desk_give(v, &c->windows);
    sq_desk_give(v, &c->rows);
    sq_request_end(&c->request);
    return status;
}

int32_t sq_session_decode(seqrec_session *s, const seqrec_decode *how, const seqrec_filter *filter, int64_t *items,
                          double *log_probabilities, int64_t *found, seqrec_error *error)
{
    sq_session_view v;
    call c = {.view = &v, .how = how, .filter = filter};
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = decode(s, &c, items, log_probabilities, found, error);
    sq_session_leave(s, &v);
    return status;
}

int32_t sq_session_follow(seqrec_session *s, const int64_t *items, int64_t n, int64_t interval, double *log_probabilities,
                          seqrec_error *error)
{
    sq_session_view v;
    const seqrec_filter filter = {.struct_size = sizeof filter};
    const seqrec_decode how = {
        .struct_size = sizeof how, .repeats = 1, .steps = n, .width = 1, .temperature = 1, .top_p = 1, .interval = interval};
    call c = {.view = &v, .how = &how, .filter = &filter, .given = items};
    SQ_TRY(sq_session_enter(s, &v, error));
    const int32_t status = n == 0 ? SEQREC_OK : decode(s, &c, NULL, log_probabilities, NULL, error);
    sq_session_leave(s, &v);
    return status;
}
