/* serve: which paths go on, and by which items: the best, drawn ones, or a given one. */
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/sort.h"
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

/* ---- beams -------------------------------------------------------------------------------------------------------- */

/* What the groups in front of the one at hand take from an item. */
static double penalty_of(const sq_decoding *c, int32_t slot) { return c->chosen == NULL ? 0 : c->how->diversity * (double)c->chosen[slot]; }

/* Which of its best items path i of a group takes next. */
static int32_t head_of(const sq_decoding *c, const sq_group *group, int64_t i)
{
    const int32_t head = c->heads[i];
    return c->orders == NULL ? head : (int32_t)c->orders[(i - group->first) * c->kept + head];
}

static double next_of(const sq_decoding *c, const sq_group *group, int64_t i)
{
    const sq_prospect *o = &c->prospects[i];
    const int32_t head = head_of(c, group, i);
    return c->now[i].log_probability + log_share(o, (double)o->best.scores[head]) - penalty_of(c, o->best.slots[head]);
}

/* A key that rises as values fall; one zero. */
static uint64_t falling(double value) { return ~sq_code_of(value + 0.0); }

/* The best items of each path of a group by falling score less penalty, equal ones as they were. As many as there are paths in all are
 * kept of each: those that earlier groups took, which alone may fall behind, and those that this group may need. */
static void order_items(const sq_decoding *c, const sq_group *group)
{
    for (int64_t i = 0; c->orders != NULL && i < group->count; i++) {
        const sq_topk *best = &c->prospects[group->first + i].best;
        uint32_t *order = c->orders + i * c->kept;
        for (int32_t b = 0; b < best->count; b++) {
            c->keys[b] = falling((double)best->scores[b] - penalty_of(c, best->slots[b]));
            order[b] = (uint32_t)b;
        }
        sq_sort_keys(c->keys, order, (size_t)best->count, c->keys + c->kept, c->order_scratch, 64);
    }
}

/* The best of all paths of a group that go on, of equal ones that of the better path, from place `made` on; how many are made then. */
static int64_t choose_of_group(sq_decoding *c, const sq_group *group, int64_t made)
{
    const int64_t last = made + c->how->width / c->how->groups, end = group->first + group->count;
    for (int64_t i = group->first; i < end; i++) c->heads[i] = 0;
    for (; made < last; made++) {
        int64_t best = -1;
        for (int64_t i = group->first; i < end; i++) {
            if (c->heads[i] == c->prospects[i].best.count) continue;
            if (best < 0 || next_of(c, group, i) > next_of(c, group, best)) best = i;
        }
        if (best < 0) break;
        const sq_prospect *o = &c->prospects[best];
        const int32_t head = head_of(c, group, best);
        c->heads[best]++;
        go_on(c, made, best, o->best.slots[head], log_share(o, (double)o->best.scores[head]));
    }
    return made;
}

/* Counts the group among those that chose the last items of these paths, once for each item. */
static void count_group(sq_decoding *c, const sq_path *paths, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = 0;
        while (paths[j].slots[c->step] != paths[i].slots[c->step]) j++;
        if (j == i) c->chosen[paths[i].slots[c->step]]++;
    }
}

/* Groups one after another: each chooses from its own paths, knowing what those in front chose. */
static int64_t choose_best(sq_decoding *c)
{
    int64_t made = 0;
    for (int64_t g = 0; g < c->how->groups; g++) {
        sq_group *group = &c->groups[g];
        const int64_t first = made;
        order_items(c, group);
        made = choose_of_group(c, group, first);
        *group = (sq_group){first, made - first};
        if (c->chosen != NULL) count_group(c, c->next + first, made - first);
    }
    for (int64_t i = 0; c->chosen != NULL && i < made; i++) c->chosen[c->next[i].slots[c->step]] = 0;
    return made;
}

/* An insertion sort: what comes is a few runs in order. */
void sq_decoding_sort(sq_decoding *c)
{
    for (int64_t i = 1; i < c->count; i++) {
        const sq_path path = c->now[i];
        int64_t j = i;
        for (; j > 0 && c->now[j - 1].log_probability < path.log_probability; j--) c->now[j] = c->now[j - 1];
        c->now[j] = path;
    }
}

/* ---- drawn and given paths ---------------------------------------------------------------------------------------- */

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
