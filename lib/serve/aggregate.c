/* serve: several paths made one list: sums by item, then a sort that keeps the order in which equal ones came. */
#include "serve/aggregate.h"
#include <math.h>
#include "base/idmap.h"
#include "base/sort.h"

typedef struct entry {
    int64_t item;
    int64_t path; /* that it was counted in last */
    double score;
} entry;

typedef struct tally {
    sq_idmap index; /* of an item's entry */
    entry *entries; /* in the order in which items first came */
    int64_t count;
} tally;

/* Over n logarithms, or none. */
static double largest_of(const double *logs, int64_t n)
{
    double largest = logs != NULL ? -INFINITY : 0;
    for (int64_t i = 0; logs != NULL && i < n; i++) largest = fmax(largest, logs[i]);
    return largest;
}

static double weight_of(const double *logs, int64_t i, double largest)
{
    if (logs == NULL) return 1;
    return logs[i] == -INFINITY ? 0 : exp(logs[i] - largest);
}

static int32_t entry_of(tally *t, const sq_memory *memory, int64_t item, entry **out, seqrec_error *error)
{
    int32_t at;
    SQ_TRY(sq_idmap_insert(&t->index, memory, item, (int32_t)t->count, &at, error));
    if (at == t->count) {
        SQ_TRY(SQ_GROW(memory, t->entries, t->count, t->count + 1, error));
        t->entries[t->count++] = (entry){.item = item, .path = -1};
    }
    *out = &t->entries[at];
    return SEQREC_OK;
}

static int32_t add_up(tally *t, const sq_memory *memory, const sq_paths *p, int32_t how, double largest, seqrec_error *error)
{
    for (int64_t i = 0; i < p->width; i++) {
        for (int64_t h = 0; h < p->steps; h++) {
            entry *e;
            SQ_TRY(entry_of(t, memory, p->items[i * p->steps + h], &e, error));
            if (e->path == i) continue;
            e->path = i;
            const int64_t at = how == SEQREC_AGGREGATE_RELEVANCE ? i * p->steps + h : i;
            const double weight = weight_of(p->log_probabilities, at, largest);
            e->score += how == SEQREC_AGGREGATE_RANK ? weight / (double)(h + 1) : weight;
        }
    }
    return SEQREC_OK;
}

/* order [count]: of the entries, the best first. */
static void sort(const tally *t, uint64_t *keys, uint32_t *order)
{
    const size_t n = (size_t)t->count;
    for (size_t i = 0; i < n; i++) {
        keys[i] = ~sq_code_of(t->entries[i].score);
        order[i] = (uint32_t)i;
    }
    sq_sort_keys(keys, order, n, keys + n, order + n, 64);
}

static int32_t rank(const tally *t, const sq_memory *memory, double scale, int64_t k, int64_t *items, double *scores, int64_t *found,
                    seqrec_error *error)
{
    uint64_t *keys = sq_alloc(memory, 2 * (size_t)t->count, sizeof *keys);
    uint32_t *order = sq_alloc(memory, 2 * (size_t)t->count, sizeof *order);
    const int32_t fits = keys != NULL && order != NULL;
    if (fits) {
        sort(t, keys, order);
        *found = k < t->count ? k : t->count;
        for (int64_t i = 0; i < *found; i++) {
            items[i] = t->entries[order[i]].item;
            if (scores != NULL) scores[i] = t->entries[order[i]].score * scale;
        }
    }
    sq_free(memory, order);
    sq_free(memory, keys);
    SQ_CHECK(fits, error, SEQREC_E_MEMORY, "no memory for the order of %lld items", (long long)t->count);
    return SEQREC_OK;
}

int32_t sq_aggregate(const sq_memory *memory, const sq_paths *paths, int32_t how, int64_t k, int64_t *items, double *scores,
                     int64_t *found, seqrec_error *error)
{
    tally t = {0};
    const int64_t logs = how == SEQREC_AGGREGATE_RELEVANCE ? paths->width * paths->steps : paths->width;
    const double largest = largest_of(paths->log_probabilities, logs);
    int32_t status = add_up(&t, memory, paths, how, largest, error);
    if (status == SEQREC_OK) status = rank(&t, memory, exp(largest), k, items, scores, found, error);
    sq_free(memory, t.entries);
    sq_idmap_free(&t.index, memory);
    return status;
}
