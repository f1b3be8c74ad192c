/* serve: what may follow each path: tasks of (some paths, the whole catalogue) sum up the softmax of every path and find its best
 * items or draw one. */
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "serve/decoding.h"
#include "serve/nucleus.h"
#include "serve/slotlist.h"

#define MOST_USERS 64         /* scored together by a task */
#define MOST_SCORES (1 << 22) /* that a task keeps, unless one path has more */

int64_t sq_decoding_most_group(const sq_decoding *c)
{
    const int64_t most = c->how->width < MOST_USERS ? c->how->width : MOST_USERS, slots = (int64_t)sq_decoding_slots(c);
    if (!sq_decoding_keeps_scores(c) || most * slots <= MOST_SCORES) return most;
    const int64_t fit = MOST_SCORES / slots;
    return fit > 0 ? fit : 1;
}

/* ---- what may follow a path --------------------------------------------------------------------------------------- */

/* Takes what the host bars behind a path out of a chunk. */
static void bar(const sq_decoding *c, const sq_ban *ban, int32_t chunk, uint8_t *allowed)
{
    const int32_t *slots = c->banned + ban->first, first = chunk * SQ_CHUNK_ROWS;
    for (int64_t i = sq_slots_from(slots, ban->count, first); i < ban->count && slots[i] < first + SQ_CHUNK_ROWS; i++)
        allowed[slots[i] - first] = 0;
    for (int32_t i = 0; ban->bits != NULL && i < SQ_CHUNK_ROWS; i++)
        if (allowed[i]) allowed[i] = (uint8_t)sq_marks_have(ban->bits, ban->bits_first, ban->bits_count, sq_decoding_id(c, first + i));
}

/* Scores of a chunk: divided by the temperature, -Inf where the item may not follow, which allowed [SQ_CHUNK_ROWS] says then. */
static void mask(const sq_decoding *c, int64_t index, int32_t chunk, uint8_t *allowed, float *scores)
{
    const int32_t *slots = c->now[index].slots;
    memcpy(allowed, c->allowed + (size_t)chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS);
    for (int64_t h = 0; h < c->step && !c->how->repeats; h++)
        if (slots[h] / SQ_CHUNK_ROWS == chunk) allowed[slots[h] % SQ_CHUNK_ROWS] = 0;
    if (c->bans != NULL) {
        bar(c, &c->bans[index], chunk, allowed);
        for (int32_t i = 0; i < SQ_CHUNK_ROWS; i++) c->prospects[index].open += allowed[i] != 0;
    }
    c->request.scoring.kernels->scale(SQ_CHUNK_ROWS, (float)(1 / c->how->temperature), scores, scores);
    for (int32_t i = 0; i < SQ_CHUNK_ROWS; i++)
        if (!allowed[i]) scores[i] = -INFINITY;
}

/* ---- the softmax, and what is best or drawn ----------------------------------------------------------------------- */

uint64_t sq_decoding_key(const sq_decoding *c, int64_t rollout)
{
    return sq_mix64(sq_random_key(c->how->seed, SQ_STREAM_DECODE, (uint64_t)rollout) + (uint64_t)c->step);
}

int32_t sq_decoding_pick(const float *weights, int32_t n, double sum, double unit)
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
static void draw(const sq_decoding *c, int64_t rollout, int32_t chunk, const float *weights, double sum, sq_prospect *o)
{
    const uint64_t key = sq_decoding_key(c, rollout);
    if (sq_random_unit(key, 2 * (uint64_t)chunk) * o->sum >= sum) return;
    const int32_t i = sq_decoding_pick(weights, SQ_CHUNK_ROWS, sum, sq_random_unit(key, 2 * (uint64_t)chunk + 1));
    o->drawn = chunk * SQ_CHUNK_ROWS + i;
    o->drawn_score = o->largest + log((double)weights[i]);
}

/* The largest score of a chunk that is a number. */
static double largest_of(const sq_decoding *c, const float *scores) { return (double)c->request.scoring.kernels->max(SQ_CHUNK_ROWS, scores); }

/* Scores of a chunk become weights, exp(score - largest), or 0 where that is -Inf; returns their sum. Of a score that is not a number
 * neither its weight nor the sum is one. */
static double make_weights(const sq_decoding *c, double largest, float *scores, sq_prospect *o)
{
    const double sum = (double)c->request.scoring.kernels->exp_shift(SQ_CHUNK_ROWS, largest > -INFINITY ? (float)largest : 0, scores);
    o->unfit |= isnan(sum);
    return sum;
}

/* The best so far, and the running sum; scores become weights. */
static void weigh(const sq_decoding *c, int64_t index, int32_t chunk, const uint8_t *allowed, float *scores)
{
    sq_prospect *o = &c->prospects[index];
    sq_topk_push_block(&o->best, scores, chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS, allowed);
    if (c->given != NULL && c->followed[c->step] / SQ_CHUNK_ROWS == chunk) {
        o->drawn = c->followed[c->step];
        o->drawn_score = (double)scores[o->drawn % SQ_CHUNK_ROWS];
    }
    const double largest = fmax(largest_of(c, scores), o->largest), sum = make_weights(c, largest, scores, o);
    if (!(sum > 0)) return;
    o->sum = (o->sum > 0 ? o->sum * exp(o->largest - largest) : 0) + sum;
    o->largest = largest;
    if (sq_decoding_draws(c) && c->kept == 0) draw(c, index, chunk, scores, sum, o);
}

/* Where a task puts the scores of its paths: of a chunk each, or of all items. */
typedef struct sheet {
    float *at;
    size_t row, chunk; /* floats from a path's to the next one's, from a chunk's to the next one's */
} sheet;

static sheet sheet_of(const sq_decoding *c, const sq_seat *seat)
{
    const size_t slots = sq_decoding_slots(c);
    if (!sq_decoding_keeps_scores(c)) return (sheet){seat->scores, SQ_SCORED_ITEMS, 0};
    return (sheet){c->whole + (size_t)(seat - c->request.seats) * (size_t)sq_decoding_most_group(c) * slots, slots, SQ_CHUNK_ROWS};
}

/* One item of the nucleus of a path; all its scores become weights. */
static void draw_of_nucleus(const sq_decoding *c, int64_t index, float *scores)
{
    const int32_t n = (int32_t)sq_decoding_slots(c);
    sq_prospect *o = &c->prospects[index];
    for (int32_t at = 0; at < n; at += SQ_CHUNK_ROWS) o->largest = fmax(o->largest, largest_of(c, scores + at));
    for (int32_t at = 0; at < n; at += SQ_CHUNK_ROWS) (void)make_weights(c, o->largest, scores + at, o);
    if (o->unfit || o->largest == -INFINITY) return;
    o->sum = sq_nucleus_keep(scores, n, c->how->top_p);
    o->drawn = sq_decoding_pick(scores, n, o->sum, sq_random_unit(sq_decoding_key(c, index), 0));
    o->drawn_score = o->largest + log((double)scores[o->drawn]);
}

static void look_out(void *arg, int64_t task, sq_seat *seat)
{
    sq_decoding *c = arg;
    const sq_scoring *scoring = &c->request.scoring;
    const sheet s = sheet_of(c, seat);
    const int64_t from = task * c->group, some = c->count - from < c->group ? c->count - from : c->group;
    for (int64_t i = from; i < from + some; i++) {
        sq_prospect *o = &c->prospects[i];
        *o = (sq_prospect){.largest = -INFINITY, .best = o->best, .drawn = -1};
        sq_topk_init(&o->best, c->kept, o->best.scores, o->best.slots);
    }
    for (int32_t chunk = 0; chunk < scoring->catalogue->chunks; chunk++) {
        if (scoring->catalogue->slots[chunk]->live_count == 0 && s.chunk == 0) continue;
        float *scores = s.at + (size_t)chunk * s.chunk;
        sq_score_run(scoring, c->now[from].user, (size_t)some, chunk * SQ_CHUNK_ROWS, SQ_CHUNK_ROWS, &seat->scoring, scores, s.row);
        for (int64_t i = 0; i < some; i++) {
            mask(c, from + i, chunk, seat->allowed, scores + (size_t)i * s.row);
            if (s.chunk == 0) weigh(c, from + i, chunk, seat->allowed, scores + (size_t)i * s.row);
        }
    }
    for (int64_t i = from; i < from + some; i++) {
        if (s.chunk > 0) draw_of_nucleus(c, i, s.at + (size_t)(i - from) * s.row);
        (void)sq_topk_finish(&c->prospects[i].best);
        c->prospects[i].log_sum = c->prospects[i].largest + log(c->prospects[i].sum);
    }
}

void sq_decoding_look(sq_decoding *c)
{
    const int64_t most = sq_decoding_most_group(c);
    c->group = (c->count + c->threads - 1) / c->threads;
    if (c->group > most) c->group = most;
    const int64_t tasks = (c->count + c->group - 1) / c->group;
    if (c->threads > 1) sq_request_run(&c->request, tasks, look_out, c);
    for (int64_t task = 0; c->threads == 1 && task < tasks; task++) look_out(c, task, &c->request.seats[0]);
}
