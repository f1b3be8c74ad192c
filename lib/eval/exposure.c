/* eval: how the lists of a pass spread over the catalogue. */
#include "eval/exposure.h"
#include <inttypes.h>
#include <string.h>
#include "base/heap.h"
#include "eval/bootstrap.h"
#include "eval/metrics.h"

typedef struct tally {
    const sq_lists *lists;
    int64_t items;
    uint64_t *shown;  /* [items] lists that show the item */
    uint64_t *sorted; /* [items] the same, rising */
    int64_t *rank;    /* [items] items shown less often */
    int64_t *taken;   /* [items] zero between uses */
    double total;     /* entries of all lists */
} tally;

/* Lists of the cut-off before are counted already. */
static void count_entries(tally *t, int64_t from, int64_t k)
{
    for (int64_t u = 0; u < t->lists->count; u++) {
        const int32_t *list = sq_list(t->lists, u);
        const int64_t n = sq_list_entries(t->lists, u, k);
        for (int64_t r = from; r < n; r++) t->shown[list[r]]++;
        if (n > from) t->total += (double)(n - from);
    }
    memcpy(t->sorted, t->shown, (size_t)t->items * sizeof(uint64_t));
    sq_heap_sort(t->sorted, t->items);
}

static int64_t below(const tally *t, uint64_t count)
{
    int64_t low = 0, high = t->items;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (t->sorted[middle] < count) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Coverage without each user: less the items that nobody else is shown. */
static void coverage_without(const tally *t, int64_t k, double coverage, double *out)
{
    for (int64_t u = 0; u < t->lists->count; u++) {
        const int32_t *list = sq_list(t->lists, u);
        const int64_t n = sq_list_entries(t->lists, u, k);
        int64_t alone = 0;
        for (int64_t r = 0; r < n; r++) alone += t->shown[list[r]] == 1;
        out[u] = coverage - (double)alone / (double)t->items;
    }
    sq_spread_of(out, t->lists->count, coverage);
}

/* Gini = sum_i (2 i + 1 - n) s_i / (n sum_i s_i) over rising s. Taking one from an item leaves the order as it is when the item
 * is the first of its equals; the next of the same equals is the second, and so on. */
static void gini_without(const tally *t, int64_t k, double gini, double *out)
{
    const double catalogue = (double)t->items, weighted = gini * catalogue * t->total;
    for (int64_t i = 0; i < t->items; i++) t->rank[i] = below(t, t->shown[i]);
    for (int64_t u = 0; u < t->lists->count; u++) {
        const int32_t *list = sq_list(t->lists, u);
        const int64_t n = sq_list_entries(t->lists, u, k);
        double less = 0.0;
        for (int64_t r = 0; r < n; r++) {
            const int64_t rank = t->rank[list[r]];
            less += (double)(2 * (rank + t->taken[rank]++) + 1) - catalogue;
        }
        for (int64_t r = 0; r < n; r++) t->taken[t->rank[list[r]]] = 0;
        const double left = t->total - (double)n;
        out[u] = left > 0.0 ? (weighted - less) / (catalogue * left) : gini;
    }
    sq_spread_of(out, t->lists->count, gini);
}

static void measure(tally *t, const int64_t *cutoffs, int64_t cutoff_count, const sq_exposure *out)
{
    const int64_t users = t->lists->count;
    for (int64_t c = 0; c < cutoff_count; c++) {
        count_entries(t, c > 0 ? cutoffs[c - 1] : 0, cutoffs[c]);
        out->coverage[c] = sq_metric_coverage(t->shown, t->items);
        out->gini[c] = sq_metric_gini(t->sorted, t->items);
        if (out->coverage_of != NULL) coverage_without(t, cutoffs[c], out->coverage[c], out->coverage_of + c * users);
        if (out->gini_of != NULL) gini_without(t, cutoffs[c], out->gini[c], out->gini_of + c * users);
    }
}

int32_t sq_exposure_measure(const sq_memory *memory, const sq_lists *lists, int64_t items, const int64_t *cutoffs,
                            int64_t cutoff_count, const sq_exposure *out, seqrec_error *error)
{
    tally t = {.lists = lists, .items = items};
    t.shown = sq_alloc_zero(memory, (size_t)items, sizeof(uint64_t));
    t.sorted = sq_alloc(memory, (size_t)items, sizeof(uint64_t));
    t.rank = sq_alloc(memory, (size_t)items, sizeof(int64_t));
    t.taken = sq_alloc_zero(memory, (size_t)items, sizeof(int64_t));
    const int32_t whole = t.shown != NULL && t.sorted != NULL && t.rank != NULL && t.taken != NULL;
    if (whole) measure(&t, cutoffs, cutoff_count, out);
    sq_free(memory, t.taken);
    sq_free(memory, t.rank);
    sq_free(memory, t.sorted);
    sq_free(memory, t.shown);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory to count how often %" PRId64 " items are shown", items);
    return SEQREC_OK;
}
