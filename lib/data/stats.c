/* data: facts about a dataset. */
#include "data/dataset.h"
#include "base/sort.h"
#include "data/content_hash.h"

/* Quantile of sorted numbers, linear between neighbours. */
static double quantile(const uint64_t *sorted, int64_t n, double share)
{
    double place = share * (double)(n - 1);
    int64_t below = (int64_t)place, above = below + 1 < n ? below + 1 : below;
    double low = (double)sorted[below], high = (double)sorted[above];
    return low + (high - low) * (place - (double)below);
}

static int32_t measure_lengths(const seqrec_dataset *dataset, seqrec_dataset_stats *out, seqrec_error *error)
{
    static const double shares[5] = {0.05, 0.25, 0.5, 0.75, 0.95};
    const sq_memory *memory = &dataset->context->memory;
    int64_t n = dataset->users;
    uint64_t *lengths = sq_alloc(memory, (size_t)n, 2 * sizeof *lengths);
    uint32_t *payload = sq_alloc_zero(memory, (size_t)n, 2 * sizeof *payload);
    if (lengths == NULL || payload == NULL) {
        sq_free(memory, lengths);
        sq_free(memory, payload);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for the lengths of %lld users", (long long)n);
    }
    for (int64_t u = 0; u < n; u++) lengths[u] = (uint64_t)(dataset->offsets[u + 1] - dataset->offsets[u]);
    if (n > 0) {
        sq_sort_keys(lengths, payload, (size_t)n, lengths + n, payload + n, 64);
        out->shortest = (int64_t)lengths[0];
        out->longest = (int64_t)lengths[n - 1];
        for (int q = 0; q < 5; q++) out->length_quantiles[q] = quantile(lengths, n, shares[q]);
        out->density = (double)dataset->events / ((double)n * (double)dataset->items);
    }
    sq_free(memory, lengths);
    sq_free(memory, payload);
    return SEQREC_OK;
}

static int32_t count_repeats(const seqrec_dataset *dataset, seqrec_dataset_stats *out, seqrec_error *error)
{
    const sq_memory *memory = &dataset->context->memory;
    int32_t *seen_by = sq_alloc(memory, (size_t)dataset->items, sizeof *seen_by);
    SQ_CHECK(seen_by != NULL, error, SEQREC_E_MEMORY, "no memory for %lld items", (long long)dataset->items);
    for (int64_t i = 0; i < dataset->items; i++) seen_by[i] = -1;
    for (int64_t u = 0; u < dataset->users; u++) {
        for (int64_t e = dataset->offsets[u]; e < dataset->offsets[u + 1]; e++) {
            out->repeats += seen_by[dataset->sequence[e]] == u;
            seen_by[dataset->sequence[e]] = (int32_t)u;
        }
    }
    sq_free(memory, seen_by);
    return SEQREC_OK;
}

static int64_t count_ties(const seqrec_dataset *dataset)
{
    int64_t ties = 0;
    if (dataset->timestamps == NULL) return 0;
    for (int64_t u = 0; u < dataset->users; u++) {
        for (int64_t e = dataset->offsets[u] + 1; e < dataset->offsets[u + 1]; e++)
            ties += dataset->timestamps[e] == dataset->timestamps[e - 1];
    }
    return ties;
}

int32_t sq_dataset_describe(const seqrec_dataset *dataset, seqrec_dataset_stats *out, seqrec_error *error)
{
    seqrec_dataset_stats made = {.struct_size = out->struct_size,
                                 .users = dataset->users,
                                 .items = dataset->items,
                                 .events = dataset->events,
                                 .has_timestamps = dataset->timestamps != NULL,
                                 .has_values = dataset->values != NULL,
                                 .has_names =
                                     dataset->item_names.offsets != NULL || dataset->user_names.offsets != NULL,
                                 .hash = dataset->hash,
                                 .values_hash = sq_dataset_values_hash(dataset)};
    SQ_TRY(measure_lengths(dataset, &made, error));
    SQ_TRY(count_repeats(dataset, &made, error));
    made.ties = count_ties(dataset);
    *out = made;
    return SEQREC_OK;
}
