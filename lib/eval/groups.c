/* eval: the users of an evaluation in groups: by popularity of the target, by length of the history, by whether it is cold. */
#include "eval/groups.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/heap.h"

/* Values of a population with their running weight. */
typedef struct ladder {
    const uint64_t *sorted; /* [n] rising */
    uint64_t *running;      /* [n + 1] weight of the values before */
    int64_t n;
} ladder;

/* First place with a value of at least (above 1: more than) `value`. */
static int64_t place_of(const ladder *l, uint64_t value, int32_t above)
{
    int64_t low = 0, high = l->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (l->sorted[middle] < value || (above && l->sorted[middle] == value)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* floor(groups * F) of the rising order, or of the falling one. */
static uint8_t group_of(const ladder *l, uint64_t value, uint64_t groups, int32_t falling)
{
    const uint64_t below = l->running[place_of(l, value, 0)], total = l->running[l->n];
    const uint64_t through = l->running[place_of(l, value, 1)];
    const uint64_t twice = falling ? 2 * total - below - through : below + through;
    const uint64_t group = total > 0 ? twice * groups / (2 * total) : 0;
    return (uint8_t)(group < groups ? group : groups - 1);
}

/* `sorted` gets values[n] in order; each weighs 1, or as much as itself. */
static ladder build_ladder(const uint64_t *values, int64_t n, int32_t by_value, uint64_t *sorted, uint64_t *running)
{
    memcpy(sorted, values, (size_t)n * sizeof(uint64_t));
    sq_heap_sort(sorted, n);
    running[0] = 0;
    for (int64_t i = 0; i < n; i++) running[i + 1] = running[i] + (by_value ? sorted[i] : 1);
    return (ladder){sorted, running, n};
}

static void assign(const sq_groups *g, const sq_popularity *popularity, int64_t cold, uint64_t *sorted,
                   uint64_t *running)
{
    const ladder items = build_ladder(popularity->counts, popularity->items, 1, sorted, running);
    for (int64_t u = 0; u < g->cases; u++) {
        g->of[SQ_BY_DECILE][u] = group_of(&items, g->trained[u], SQ_DECILES, 1);
        g->of[SQ_BY_COLD][u] = g->trained[u] > (uint64_t)cold;
    }
    const ladder lengths = build_ladder(g->length, g->cases, 0, sorted, running);
    for (int64_t u = 0; u < g->cases; u++) g->of[SQ_BY_QUINTILE][u] = group_of(&lengths, g->length[u], SQ_QUINTILES, 0);
}

int32_t sq_groups_create(const sq_memory *memory, const sq_cases *cases, const sq_popularity *popularity, int64_t cold,
                         sq_groups *out, seqrec_error *error)
{
    sq_groups g = {.cases = cases->count};
    const size_t users = (size_t)cases->count, items = (size_t)popularity->items, most = users > items ? users : items;
    uint64_t *sorted = sq_alloc(memory, most, sizeof(uint64_t));
    uint64_t *running = sq_alloc(memory, most + 1, sizeof(uint64_t));
    g.trained = sq_alloc(memory, users, sizeof(uint64_t));
    g.length = sq_alloc(memory, users, sizeof(uint64_t));
    int32_t whole = sorted != NULL && running != NULL && g.trained != NULL && g.length != NULL;
    for (int32_t i = 0; i < SQ_GROUPINGS; i++) {
        g.of[i] = sq_alloc(memory, users, 1);
        g.value[i] = i == SQ_BY_QUINTILE ? g.length : g.trained;
        whole = whole && g.of[i] != NULL;
    }
    for (int64_t u = 0; whole && u < g.cases; u++) {
        g.trained[u] = popularity->counts[sq_case_target(cases, &cases->at[u])];
        g.length[u] = (uint64_t)cases->at[u].history;
    }
    if (whole) {
        assign(&g, popularity, cold, sorted, running);
        *out = g;
    } else {
        sq_groups_free(&g, memory);
    }
    sq_free(memory, running);
    sq_free(memory, sorted);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory to group %" PRId64 " users", cases->count);
    return SEQREC_OK;
}

void sq_groups_free(sq_groups *groups, const sq_memory *memory)
{
    for (int32_t i = 0; i < SQ_GROUPINGS; i++) sq_free(memory, groups->of[i]);
    sq_free(memory, groups->length);
    sq_free(memory, groups->trained);
    *groups = (sq_groups){0};
}

int32_t sq_groups_count(int32_t grouping)
{
    static const int32_t counts[SQ_GROUPINGS] = {SQ_DECILES, SQ_QUINTILES, 2};
    return counts[grouping];
}

int64_t sq_groups_members(const sq_groups *g, int32_t grouping, int32_t group, sq_figure *users, sq_figure *least_most)
{
    int64_t members = 0;
    for (int64_t u = 0; u < g->cases; u++) {
        const double own = (double)g->value[grouping][u];
        if (g->of[grouping][u] != group) continue;
        if (members == 0 || own < least_most[0].value) least_most[0].value = own;
        if (members == 0 || own > least_most[1].value) least_most[1].value = own;
        members++;
    }
    users->value = (double)members;
    return members;
}

void sq_groups_gather(const sq_groups *g, int32_t grouping, int32_t group, const double *values, int64_t columns, double *part)
{
    for (int64_t c = 0; c < columns; c++)
        for (int64_t u = 0; u < g->cases; u++)
            if (g->of[grouping][u] == group) *part++ = values[c * g->cases + u];
}

void sq_groups_name(int32_t grouping, int32_t group, char out[SQ_FIGURE_NAME])
{
    if (grouping == SQ_BY_COLD) {
        (void)snprintf(out, SQ_FIGURE_NAME, "%s", group == 0 ? "cold" : "warm");
    } else {
        (void)snprintf(out, SQ_FIGURE_NAME, "%s-%" PRId32, grouping == SQ_BY_DECILE ? "decile" : "quintile", group + 1);
    }
}
