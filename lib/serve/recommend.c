/* serve: the best k items of the whole catalogue, or of a list, for each sequence of a batch. Sequences are taken in waves; in a
 * wave they are encoded first, then tasks of (users, part of the catalogue) push the scores of blocks of items into heaps of
 * their own, and the heaps of a user are merged. Slots order equal scores, so the result does not depend on the cut. A table with
 * copies in few bits is scanned by these: the heaps then keep candidates, and the best of them by their floats are delivered. Where
 * the model has an index it is asked first, user by user; only those are scanned for whom it has no list. */
#include "serve/recommend.h"
#include <math.h>
#include <string.h>
#include "serve/approximate.h"
#include "serve/indexed.h"
#include "serve/slotlist.h"
#include "serve/topheap.h"

enum {
    MOST_USERS = 128, /* scored together by a task */
    PART_BLOCKS = 16, /* least blocks of a part: 16,384 items */
    LONG_LIST = 16384 /* a longer k leaves the catalogue in one part */
};
#define HEAP_BYTES ((int64_t)16 << 20) /* of a wave, while it has several users */

typedef struct call {
    sq_request request;
    const seqrec_filter *filter;
    int64_t k;      /* as asked for: row length of the results */
    int32_t kept;   /* by a heap: the most results there can be, or more candidates */
    int32_t approximate; /* 1: scanned by copies in few bits */
    int64_t listed; /* length of the allow list, tidied */
    int64_t denied; /* of the deny list */
    int32_t *allow, *deny;
    int64_t blocks;       /* of the catalogue or the allow list */
    int64_t wave;         /* sequences per wave */
    int64_t parts;        /* of the blocks */
    int64_t group;        /* users per task */
    int64_t first, count; /* the present wave */
    float *users;         /* [wave][padded d] */
    sq_int8_query *queries; /* [wave] the same in whole numbers, for copies of 8 bits */
    int32_t *words;         /* [wave][padded d] theirs */
    int64_t *seen;        /* [wave] items of each history, tidied; 0 when they may be recommended */
    float *heap_scores;   /* [wave][parts][kept] */
    int32_t *heap_slots;
    sq_topk *heaps; /* [wave][parts] */
    sq_indexed indexed;
    int32_t *named;     /* [threads][indexed.most] what the index names */
    int32_t *answered;  /* [wave] 1: the index gave the list */
    int64_t *unanswered; /* [wave] the users left, in order */
    int64_t left;        /* how many they are */
    int64_t *items, *found;
    float *scores;
} call;

/* ---- the cut ------------------------------------------------------------------------------------------------------ */

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void plan(call *c)
{
    const sq_catalogue *catalogue = c->request.snapshot->parts.catalogue;
    const int64_t threads = sq_pool_width(c->request.model->context->pool);
    const int64_t sequences = c->request.batch->sequences;
    const int64_t eligible = c->filter->allow != NULL ? c->filter->allow_count : catalogue->count;
    const int64_t most = least(c->k, least(eligible, catalogue->count));
    c->approximate = catalogue->rule.kind != SQ_TABLE_FLOAT32 && c->filter->allow == NULL;
    c->kept = (int32_t)(c->approximate && most > 0 ? sq_approximate_kept(most, catalogue->count) : most);
    c->indexed = sq_indexed_plan(c->request.snapshot->parts.cover, &c->request.scoring, c->filter, most);
    c->blocks = c->filter->allow != NULL ? ceiling(eligible, SQ_SCORED_ITEMS) : catalogue->chunks;
    c->parts = c->kept > LONG_LIST ? 1 : least(threads, c->blocks / PART_BLOCKS);
    if (c->parts < 1) c->parts = 1;
    c->wave = least(sequences, least(threads * MOST_USERS, HEAP_BYTES / (8 * c->parts * (c->kept + 1))));
    if (c->wave < 1) c->wave = 1;
    c->group = least(MOST_USERS, ceiling(c->wave, ceiling(threads, c->parts)));
}

static void carve(void *arg, sq_arena *arena)
{
    call *c = arg;
    const size_t lists = (size_t)(c->wave * c->parts), kept = (size_t)c->kept;
    c->allow = SQ_TAKE(arena, int32_t, (size_t)(c->filter->allow != NULL ? c->filter->allow_count : 0));
    c->deny = SQ_TAKE(arena, int32_t, (size_t)c->filter->deny_count);
    c->users = SQ_TAKE(arena, float, (size_t)c->wave *(size_t)c->request.model->layout.vp);
    c->queries = SQ_TAKE(arena, sq_int8_query, (size_t)(c->approximate ? c->wave : 0));
    c->words = SQ_TAKE(arena, int32_t, (size_t)(c->approximate ? c->wave : 0) * (size_t)c->request.model->layout.vp);
    c->seen = SQ_TAKE(arena, int64_t, (size_t)c->wave);
    c->heap_scores = SQ_TAKE(arena, float, lists *kept);
    c->heap_slots = SQ_TAKE(arena, int32_t, lists * kept);
    c->heaps = SQ_TAKE(arena, sq_topk, lists);
    if (c->indexed.cover == NULL) return;
    c->named = SQ_TAKE(arena, int32_t, (size_t)sq_pool_width(c->request.model->context->pool) * (size_t)c->indexed.most);
    c->answered = SQ_TAKE(arena, int32_t, (size_t)c->wave);
    c->unanswered = SQ_TAKE(arena, int64_t, (size_t)c->wave);
}

static int64_t id_in(const call *c, int32_t slot)
{
    return sq_catalogue_id(c->request.snapshot->parts.catalogue, slot);
}

/* Drops listed items without a mark. */
static void read_marks(call *c)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < c->listed; i++)
        if (sq_filter_marks(c->filter, id_in(c, c->allow[i]))) c->allow[kept++] = c->allow[i];
    c->listed = kept;
}

static int32_t read_lists(call *c, seqrec_error *error)
{
    const seqrec_filter *f = c->filter;
    SQ_TRY(sq_request_find(&c->request, "deny", f->deny, f->deny_count, f->unknown_items, c->deny, &c->denied, error));
    c->denied = sq_slots_tidy(c->deny, c->denied);
    c->indexed.deny = c->deny;
    c->indexed.denied = c->denied;
    if (f->allow == NULL) return SEQREC_OK;
    SQ_TRY(
        sq_request_find(&c->request, "allow", f->allow, f->allow_count, f->unknown_items, c->allow, &c->listed, error));
    c->listed = sq_slots_without(c->allow, sq_slots_tidy(c->allow, c->listed), c->deny, c->denied);
    if (f->bits != NULL) read_marks(c);
    c->blocks = ceiling(c->listed, SQ_SCORED_ITEMS);
    return SEQREC_OK;
}

/* ---- a wave ------------------------------------------------------------------------------------------------------- */

static void encode_one(void *arg, int64_t task, sq_seat *seat)
{
    call *c = arg;
    const int64_t b = c->first + task;
    const size_t width = c->request.scoring.width;
    float *user = c->users + (size_t)task * width;
    sq_request_encode(&c->request, b, seat, user);
    if (c->approximate) {
        c->queries[task].words = (int32_t(*)[4])(void *)(c->words + (size_t)task * width);
        sq_int8_query_set(&c->queries[task], width, user);
    }
    c->seen[task] = 0;
    if (c->filter->exclude_seen && c->request.ready != NULL)
        c->seen[task] = c->request.known[b];
    else if (c->filter->exclude_seen)
        c->seen[task] = sq_slots_tidy(c->request.slots + c->request.batch->offsets[b], c->request.known[b]);
    for (int64_t p = 0; p < c->parts; p++) {
        const size_t list = (size_t)(task * c->parts + p), at = list * (size_t)c->kept;
        sq_topk_init(&c->heaps[list], c->kept, c->heap_scores + at, c->heap_slots + at);
    }
}

/* Rising slots that user `task` of the wave may not get, from `slot` on; *n is how many. */
static const int32_t *seen_from(const call *c, int64_t task, int32_t slot, int64_t *n)
{
    const int32_t *seen = c->request.slots + c->request.batch->offsets[c->first + task];
    const int64_t skip = sq_slots_from(seen, c->seen[task], slot);
    *n = c->seen[task] - skip;
    return seen + skip;
}

/* Which rows of a chunk may be recommended at all, but for the host's marks. */
static const uint8_t *allowed_in(const call *c, int32_t chunk, sq_seat *seat)
{
    const sq_slots *slots = c->request.snapshot->parts.catalogue->slots[chunk];
    const int32_t first = chunk * SQ_CHUNK_ROWS;
    int64_t at = sq_slots_from(c->deny, c->denied, first);
    if (at == c->denied || c->deny[at] - first >= SQ_CHUNK_ROWS) return slots->live;
    memcpy(seat->allowed, slots->live, SQ_CHUNK_ROWS);
    for (; at < c->denied && c->deny[at] - first < SQ_CHUNK_ROWS; at++) seat->allowed[c->deny[at] - first] = 0;
    return seat->allowed;
}

/* The same with the marks: they are read for chunks in which somebody's score asks for it. */
static const uint8_t *marked_in(const call *c, int32_t chunk, const uint8_t *allowed, sq_seat *seat)
{
    const int64_t *ids = c->request.snapshot->parts.catalogue->slots[chunk]->id;
    for (int32_t row = 0; row < SQ_CHUNK_ROWS; row++) seat->allowed[row] = allowed[row] && sq_filter_marks(c->filter, ids[row]);
    return seat->allowed;
}

/* A score that is not a number is never recommended: it marks what a user has seen. */
static void push_chunk(const call *c, int64_t part, int64_t user, int32_t chunk, const uint8_t *allowed, float *scores)
{
    const int32_t first = chunk * SQ_CHUNK_ROWS;
    int64_t n;
    const int32_t *seen = seen_from(c, user, first, &n);
    for (int64_t i = 0; i < n && seen[i] - first < SQ_CHUNK_ROWS; i++) scores[seen[i] - first] = NAN;
    sq_topk_push_block(&c->heaps[user * c->parts + part], scores, first, SQ_CHUNK_ROWS, allowed);
}

static void push_listed(const call *c, int64_t part, int64_t user, const int32_t *slots, int64_t n, const float *scores)
{
    sq_topk *heap = &c->heaps[user * c->parts + part];
    int64_t others, j = 0;
    const int32_t *seen = seen_from(c, user, slots[0], &others);
    for (int64_t i = 0; i < n; i++) {
        while (j < others && seen[j] < slots[i]) j++;
        if (j == others || seen[j] != slots[i]) sq_topk_push(heap, scores[i], slots[i]);
    }
}

/* Whether a group is scored by products: all its heaps are full, so that there are floors. */
static int32_t screens(const call *c, int64_t part, int64_t from, int64_t count)
{
    if (c->approximate || count < SQ_SCREEN_USERS) return 0;
    for (int64_t q = from; q < from + count; q++)
        if (c->heaps[q * c->parts + part].count < c->kept) return 0;
    return 1;
}

/* Scores one item for one user anew and offers it. */
static void offer(const call *c, int64_t part, int64_t user, int32_t slot, sq_seat *seat)
{
    const sq_scoring *scoring = &c->request.scoring;
    int64_t n;
    const int32_t *seen = seen_from(c, user, slot, &n);
    if ((n > 0 && seen[0] == slot) || (c->filter->bits != NULL && !sq_filter_marks(c->filter, id_in(c, slot)))) return;
    sq_score_slots(scoring, c->users + (size_t)user * scoring->width, 1, &slot, 1, &seat->scoring, seat->scores, 0);
    sq_topk_push(&c->heaps[user * c->parts + part], seat->scores[0], slot);
}

static void screen_chunk(const call *c, int64_t part, int64_t from, int64_t count, int32_t chunk, float margin, const uint8_t *allowed,
                         sq_seat *seat)
{
    sq_screen *screen = &seat->screen;
    const sq_topk *heaps = &c->heaps[from * c->parts + part];
    for (int32_t row = 0; row < SQ_CHUNK_ROWS; row += SQ_SCREEN_ITEMS) {
        const int32_t first = chunk * SQ_CHUNK_ROWS + row;
        const size_t reached = sq_screen_run(screen, &c->request.scoring, heaps, (size_t)c->parts, margin, first, SQ_SCREEN_ITEMS, &seat->scoring);
        for (size_t r = 0; r < reached; r++) {
            const int32_t i = screen->reached[r];
            for (int64_t q = 0; allowed[row + i] && q < count; q++)
                if (sq_screen_reaches(screen, (size_t)i, (size_t)q)) offer(c, part, from + q, first + i, seat);
        }
    }
}

static void score_chunk(const call *c, int64_t part, int64_t from, int64_t count, int32_t chunk, sq_seat *seat)
{
    const sq_scoring *scoring = &c->request.scoring;
    const float *users = c->users + (size_t)from * scoring->width;
    if (scoring->catalogue->slots[chunk]->live_count == 0) return;
    const uint8_t *allowed = allowed_in(c, chunk, seat);
    const float margin = screens(c, part, from, count) ? sq_screen_margin(&seat->screen, scoring, chunk) : INFINITY;
    if (margin < INFINITY) {
        screen_chunk(c, part, from, count, chunk, margin, allowed, seat);
        return;
    }
    if (c->approximate)
        sq_approximate_run(scoring, users, c->queries + from, (size_t)count, chunk, seat->scores, SQ_SCORED_ITEMS);
    else
        sq_score_run(scoring, users, (size_t)count, chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS, &seat->scoring, seat->scores, SQ_SCORED_ITEMS);
    int32_t unmarked = c->filter->bits != NULL;
    for (int64_t q = 0; q < count; q++) {
        float *scores = seat->scores + q * SQ_SCORED_ITEMS;
        if (unmarked) {
            if (!sq_topk_reached(&c->heaps[(from + q) * c->parts + part], scores, SQ_CHUNK_ROWS)) continue;
            allowed = marked_in(c, chunk, allowed, seat);
            unmarked = 0;
        }
        push_chunk(c, part, from + q, chunk, allowed, scores);
    }
}

static void score_listed(const call *c, int64_t part, int64_t from, int64_t count, int64_t block, sq_seat *seat)
{
    const sq_scoring *scoring = &c->request.scoring;
    const int32_t *slots = c->allow + block * SQ_SCORED_ITEMS;
    const int64_t n = least(SQ_SCORED_ITEMS, c->listed - block * SQ_SCORED_ITEMS);
    sq_score_slots(scoring, c->users + (size_t)from * scoring->width, (size_t)count, slots, (size_t)n, &seat->scoring,
                   seat->scores, SQ_SCORED_ITEMS);
    for (int64_t q = 0; q < count; q++) push_listed(c, part, from + q, slots, n, seat->scores + q * SQ_SCORED_ITEMS);
}

static void score_users(const call *c, int64_t part, int64_t from, int64_t count, sq_seat *seat)
{
    const int64_t end = c->blocks * (part + 1) / c->parts;
    const sq_scoring *scoring = &c->request.scoring;
    if (!c->approximate && c->filter->allow == NULL && count >= SQ_SCREEN_USERS)
        sq_screen_begin(&seat->screen, scoring, c->users + (size_t)from * scoring->width, (size_t)count);
    for (int64_t block = c->blocks * part / c->parts; block < end; block++) {
        if (c->filter->allow != NULL)
            score_listed(c, part, from, count, block, seat);
        else
            score_chunk(c, part, from, count, (int32_t)block, seat);
    }
}

/* Task: users of one group times one part of the blocks. */
static void score_part(void *arg, int64_t task, sq_seat *seat)
{
    const call *c = arg;
    const int64_t part = task % c->parts, from = task / c->parts * c->group;
    score_users(c, part, from, least(c->group, c->count - from), seat);
}

/* ---- by the index -------------------------------------------------------------------------------------------------- */

static void ask_index(void *arg, int64_t user, sq_seat *seat)
{
    const call *c = arg;
    int64_t n;
    const int32_t *seen = seen_from(c, user, 0, &n);
    int32_t *named = c->named + (seat - c->request.seats) * c->indexed.most;
    c->answered[user] = sq_indexed_fill(&c->indexed, c->users + (size_t)user * c->request.scoring.width, seen, n, seat, named,
                                        &c->heaps[user * c->parts]);
}

/* Task: a user without a list times one part of the blocks. */
static void score_left(void *arg, int64_t task, sq_seat *seat)
{
    const call *c = arg;
    score_users(c, task % c->parts, c->unanswered[task / c->parts], 1, seat);
}

static void score_wave(call *c)
{
    if (c->indexed.cover == NULL) {
        sq_indexed_pass(c->request.snapshot->parts.cover, c->filter, c->count);
        sq_request_run(&c->request, ceiling(c->count, c->group) * c->parts, score_part, c);
        return;
    }
    sq_request_run(&c->request, c->count, ask_index, c);
    c->left = 0;
    for (int64_t user = 0; user < c->count; user++)
        if (!c->answered[user]) c->unanswered[c->left++] = user;
    if (c->left == c->count)
        sq_request_run(&c->request, ceiling(c->count, c->group) * c->parts, score_part, c);
    else if (c->left > 0)
        sq_request_run(&c->request, c->left * c->parts, score_left, c);
}

/* Candidates get the scores of their floats. A place is read before it is written: those in front of it hold no more. */
static void score_again(const call *c, int64_t user, sq_topk *best, sq_seat *seat)
{
    const sq_scoring *scoring = &c->request.scoring;
    const int32_t n = best->count;
    for (int32_t i = 0; i < n; i += SQ_SCORED_ITEMS)
        sq_score_slots(scoring, c->users + (size_t)user * scoring->width, 1, best->slots + i, (size_t)least(SQ_SCORED_ITEMS, n - i),
                       &seat->scoring, best->scores + i, 0);
    best->count = 0;
    for (int32_t i = 0; i < n; i++) sq_topk_push(best, best->scores[i], best->slots[i]);
}

static void deliver(void *arg, int64_t user, sq_seat *seat)
{
    const call *c = arg;
    const int64_t b = c->first + user;
    sq_topk *best = &c->heaps[user * c->parts];
    for (int64_t p = 1; p < c->parts; p++)
        for (int32_t i = 0; i < best[p].count; i++) sq_topk_push(best, best[p].scores[i], best[p].slots[i]);
    if (c->approximate) score_again(c, user, best, seat);
    const int64_t count = least(sq_topk_finish(best), c->k);
    for (int64_t i = 0; i < count; i++) c->items[b * c->k + i] = id_in(c, best->slots[i]);
    if (c->scores != NULL && count > 0) memcpy(c->scores + b * c->k, best->scores, (size_t)count * sizeof(float));
    c->found[b] = count;
}

static int32_t recommend_all(call *c, seqrec_error *error)
{
    plan(c);
    SQ_TRY(sq_request_prepare(&c->request, c->filter->unknown_items, carve, c, error));
    SQ_TRY(read_lists(c, error));
    SQ_TRY(sq_request_seat(&c->request, c->wave * c->parts, (size_t)c->group, error));
    for (c->first = 0; c->first < c->request.batch->sequences; c->first += c->wave) {
        c->count = least(c->wave, c->request.batch->sequences - c->first);
        sq_request_run(&c->request, c->count, encode_one, c);
        if (c->kept > 0) score_wave(c);
        sq_request_run(&c->request, c->count, deliver, c);
    }
    return SEQREC_OK;
}

int32_t sq_recommend(const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready, int64_t k,
                     const seqrec_filter *filter, int64_t *items, float *scores, int64_t *found, seqrec_error *error)
{
    call c = {.filter = filter, .k = k, .items = items, .scores = scores, .found = found};
    int32_t status = sq_request_open(&c.request, model, batch, ready, error);
    if (status == SEQREC_OK) status = recommend_all(&c, error);
    if (status == SEQREC_OK) sq_request_count(&c.request, filter);
    sq_request_end(&c.request);
    return status;
}
