/* serve: which paths go on, and by which items: the best, drawn ones, or a given one. */
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "serve/decoding.h"
#include "serve/nucleus.h"

/* The next path `to` is path `from` and the item in `slot`. */
static void go_on(sq_decoding *c, int64_t to, int64_t from, int32_t slot, double log_probability)
{
    const sq_path *p = &c->now[from];
    sq_path *q = &c->next[to];
    const size_t bytes = (size_t)c->step * sizeof *p->slots;
    if (bytes > 0) memcpy(q->slots, p->slots, bytes);
    if (bytes > 0) memcpy(q->tokens, p->tokens, bytes);
    if (bytes > 0 && q->shares != NULL) memcpy(q->shares, p->shares, (size_t)c->step * sizeof *p->shares);
    if (q->shares != NULL) q->shares[c->step] = log_probability;
    q->slots[c->step] = slot;
    q->log_probability = p->log_probability + log_probability;
}

static double log_share(const sq_prospect *o, double score) { return score - o->log_sum; }

static double next_of(const sq_decoding *c, int64_t i)
{
    const sq_prospect *o = &c->prospects[i];
    return c->now[i].log_probability + log_share(o, (double)o->best.scores[c->heads[i]]);
}

/* The best of all paths that go on, of equal ones that of the better path; how many there are. */
static int64_t choose_best(sq_decoding *c)
{
    int64_t made = 0;
    memset(c->heads, 0, (size_t)c->count * sizeof *c->heads);
    for (; made < c->how->width; made++) {
        int64_t best = -1;
        for (int64_t i = 0; i < c->count; i++) {
            if (c->heads[i] == c->prospects[i].best.count) continue;
            if (best < 0 || next_of(c, i) > next_of(c, best)) best = i;
        }
        if (best < 0) break;
        const sq_prospect *o = &c->prospects[best];
        const int32_t head = c->heads[best]++;
        go_on(c, made, best, o->best.slots[head], log_share(o, (double)o->best.scores[head]));
    }
    return made;
}

/* One of the best that were kept, or of their nucleus, by their shares of one another. */
static void draw_of_best(const sq_decoding *c, int64_t i, sq_prospect *o)
{
    double sum = 0;
    for (int32_t b = o->best.count - 1; b >= 0; b--) {
        o->best.scores[b] = (float)exp((double)o->best.scores[b] - o->largest);
        sum += (double)o->best.scores[b];
    }
    if (c->how->top_p < 1) sum = sq_nucleus_keep(o->best.scores, o->best.count, c->how->top_p);
    const int32_t b = sq_decoding_pick(o->best.scores, o->best.count, sum, sq_random_unit(sq_decoding_key(c, i), 0));
    o->drawn = o->best.slots[b];
    o->drawn_score = o->largest + log((double)o->best.scores[b]);
    o->log_sum = o->largest + log(sum);
}

static int64_t choose_drawn(sq_decoding *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        sq_prospect *o = &c->prospects[i];
        if (c->kept > 0 && o->best.count > 0) draw_of_best(c, i, o);
        if (o->drawn < 0) return 0;
        go_on(c, i, i, o->drawn, log_share(o, o->drawn_score));
    }
    return c->count;
}

/* 0: its score, or that of every item, is not a number. */
static int64_t follow(sq_decoding *c)
{
    const sq_prospect *o = &c->prospects[0];
    const double share = log_share(o, o->drawn_score);
    if (isnan(share)) return 0;
    go_on(c, 0, 0, o->drawn, share);
    return 1;
}

int64_t sq_decoding_choose(sq_decoding *c)
{
    return c->given != NULL ? follow(c) : sq_decoding_draws(c) ? choose_drawn(c) : choose_best(c);
}
