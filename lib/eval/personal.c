/* eval: how much lists depend on more than the last items of a history. */
#include "eval/personal.h"
#include <inttypes.h>
#include <math.h>
#include "base/arena.h"
#include "base/sort.h"
#include "eval/bootstrap.h"

enum { ABSENT = -2 };

typedef struct comparison {
    const sq_cases *cases;
    const sq_lists *lists;
    int64_t depth;
    uint32_t *group; /* [cases] equal for equal last items */
    uint32_t *list;  /* [cases] equal for equal lists */
    uint32_t *order; /* [cases] users by group; scratch while lists are told apart */
    uint64_t *keys, *key_scratch;
    uint32_t *order_scratch;
    uint32_t *same;         /* [cases] users of a group by list; zero between groups */
    uint32_t *shown;        /* [items] users of a group by item; zero between groups */
    double *partners;       /* [cases] others of the group */
    double *differ, *apart; /* [cases] sums over these partners */
} comparison;

/* Splits the classes of order[0 .. n) by the values in the keys' lower half; the keys' upper half is the class. Leaves users of
 * one new class side by side. */
static void refine(comparison *c, int64_t n, uint32_t *class)
{
    uint32_t next = 0;
    sq_sort_keys(c->keys, c->order, (size_t)n, c->key_scratch, c->order_scratch, 64);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && c->keys[i] != c->keys[i - 1]) next++;
        class[c->order[i]] = next;
    }
}

static uint64_t key_of(uint32_t class, int32_t value)
{
    return (uint64_t) class << 32 | (uint32_t)value;
}

static void tell_lists_apart(comparison *c)
{
    const int64_t n = c->cases->count;
    for (int64_t u = 0; u < n; u++) {
        c->list[u] = 0;
        c->order[u] = (uint32_t)u;
    }
    for (int64_t r = 0; r < c->depth; r++) {
        for (int64_t i = 0; i < n; i++) {
            const uint32_t u = c->order[i];
            c->keys[i] = key_of(c->list[u], sq_list(c->lists, u)[r]);
        }
        refine(c, n, c->list);
    }
}

/* Item k (from 1) from the end of a history. */
static int32_t item_from_end(const comparison *c, int64_t user, int64_t k)
{
    const sq_case *one = &c->cases->at[user];
    return one->history < k ? ABSENT : sq_case_items(c->cases, one)[one->history - k];
}

/* Users that have a k-th last item, by group; their classes are those of k - 1 before and those of k after. */
static int64_t group_users(comparison *c, int64_t k)
{
    int64_t members = 0;
    for (int64_t u = 0; u < c->cases->count; u++) {
        const int32_t item = item_from_end(c, u, k);
        if (item == ABSENT) continue;
        c->keys[members] = key_of(c->group[u], item);
        c->order[members++] = (uint32_t)u;
    }
    refine(c, members, c->group);
    return members;
}

/* Sums over the other users of a group, by what the group has in common. */
static void compare_group(comparison *c, const uint32_t *users, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t *list = sq_list(c->lists, users[i]);
        const int64_t entries = sq_list_entries(c->lists, users[i], c->depth);
        c->same[c->list[users[i]]]++;
        for (int64_t r = 0; r < entries; r++) c->shown[list[r]]++;
    }
    for (int64_t i = 0; i < n; i++) {
        const uint32_t u = users[i];
        const int32_t *list = sq_list(c->lists, u);
        const int64_t entries = sq_list_entries(c->lists, u, c->depth);
        uint64_t common = 0;
        for (int64_t r = 0; r < entries; r++) common += c->shown[list[r]] - 1;
        c->partners[u] = (double)(n - 1);
        c->differ[u] = (double)(n - (int64_t)c->same[c->list[u]]);
        c->apart[u] = (double)(n - 1) - (double)common / (double)c->depth;
    }
    for (int64_t i = 0; i < n; i++) {
        const int32_t *list = sq_list(c->lists, users[i]);
        const int64_t entries = sq_list_entries(c->lists, users[i], c->depth);
        c->same[c->list[users[i]]] = 0;
        for (int64_t r = 0; r < entries; r++) c->shown[list[r]] = 0;
    }
}

static void compare_groups(comparison *c, int64_t members)
{
    for (int64_t u = 0; u < c->cases->count; u++) c->partners[u] = c->differ[u] = c->apart[u] = 0.0;
    for (int64_t from = 0, end; from < members; from = end) {
        end = from + 1;
        while (end < members && c->group[c->order[end]] == c->group[c->order[from]]) end++;
        if (end > from + 1) compare_group(c, c->order + from, end - from);
    }
}

static double sum_of(const double *values, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += values[i];
    return sum;
}

/* Mean over pairs of what `of` sums over partners; every pair is in the sums of both of its users. */
static double mean_over_pairs(const comparison *c, const double *of, double *column)
{
    const int64_t n = c->cases->count;
    const double sum = sum_of(of, n) / 2.0, pairs = sum_of(c->partners, n) / 2.0;
    const double mean = pairs > 0.0 ? sum / pairs : NAN;
    if (column == NULL) return mean;
    for (int64_t u = 0; u < n; u++) {
        const double left = pairs - c->partners[u];
        column[u] = left > 0.0 ? (sum - of[u]) / left : mean;
    }
    sq_spread_of(column, n, mean);
    return mean;
}

static void measure(comparison *c, int64_t last, const sq_personal *out)
{
    const int64_t n = c->cases->count;
    tell_lists_apart(c);
    for (int64_t u = 0; u < n; u++) c->group[u] = 0;
    for (int64_t k = 1; k <= last; k++) {
        const int64_t column = (k - 1) * n;
        compare_groups(c, group_users(c, k));
        out->pairs[k - 1] = sum_of(c->partners, n) / 2.0;
        out->differ[k - 1] = mean_over_pairs(c, c->differ, out->differ_of != NULL ? out->differ_of + column : NULL);
        out->apart[k - 1] = mean_over_pairs(c, c->apart, out->apart_of != NULL ? out->apart_of + column : NULL);
    }
}

static int32_t carve(comparison *c, const sq_memory *memory, size_t items, sq_arena *arena, seqrec_error *error)
{
    const size_t n = (size_t)c->cases->count;
    for (int32_t pass = 0; pass < 2; pass++) {
        c->group = SQ_TAKE(arena, uint32_t, n);
        c->list = SQ_TAKE(arena, uint32_t, n);
        c->order = SQ_TAKE(arena, uint32_t, n);
        c->order_scratch = SQ_TAKE(arena, uint32_t, n);
        c->same = SQ_TAKE(arena, uint32_t, n);
        c->shown = SQ_TAKE(arena, uint32_t, items);
        c->keys = SQ_TAKE(arena, uint64_t, n);
        c->key_scratch = SQ_TAKE(arena, uint64_t, n);
        c->partners = SQ_TAKE(arena, double, n);
        c->differ = SQ_TAKE(arena, double, n);
        c->apart = SQ_TAKE(arena, double, n);
        if (pass == 0) SQ_TRY(sq_arena_reserve(arena, memory, arena->peak, error));
    }
    for (size_t i = 0; i < n; i++) c->same[i] = 0;
    for (size_t i = 0; i < items; i++) c->shown[i] = 0;
    return SEQREC_OK;
}

int32_t sq_personal_measure(const sq_memory *memory, const sq_cases *cases, const sq_lists *lists, int64_t depth,
                            int64_t items, int64_t last, const sq_personal *out, seqrec_error *error)
{
    comparison c = {.cases = cases, .lists = lists, .depth = depth};
    sq_arena arena = {0};
    SQ_TRY(carve(&c, memory, (size_t)items, &arena, error));
    measure(&c, last, out);
    sq_arena_free(&arena, memory);
    return SEQREC_OK;
}
