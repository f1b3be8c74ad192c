/* seqrec tool: batches of the training part of a dataset, for stepping a trainer by hand. */
#include "train_batches.h"
#include "random_draw.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void count_items(train_batches *batches, const int64_t *items, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t *found =
            bsearch(&items[i], batches->catalogue, (size_t)batches->catalogue_count, sizeof *found, compare_ids);
        if (found) batches->counts[found - batches->catalogue]++;
    }
}

/* Lists the sequences with a target, and counts the training events of each item. */
static int list_sequences(const char *command, train_batches *batches, const char *split, int64_t users, int64_t *longest)
{
    seqrec_error error = {0};
    const int64_t *items = NULL, *times = NULL;
    int64_t count = 0;
    for (int64_t u = 0; u < users; u++) {
        if (seqrec_dataset_sequence(batches->dataset, u, NULL, &items, &times, NULL, &error) != SEQREC_OK)
            return fail_library("reading", &error);
        if (seqrec_dataset_division(batches->dataset, split, u, &count, NULL, &error) != SEQREC_OK)
            return fail_value(command, "dividing", &error);
        batches->has_times = times != NULL; /* all have times, or none */
        count_items(batches, items, count);
        if (count < 2) continue;
        batches->users[batches->count] = u;
        batches->lengths[batches->count++] = count;
        if (count > *longest) *longest = count;
    }
    return batches->count ? 0 : fail("no user has two training events under this division");
}

static int describe(train_batches *batches, seqrec_dataset_stats *stats)
{
    seqrec_error error = {0};
    if (seqrec_dataset_describe(batches->dataset, stats, &error) != SEQREC_OK)
        return fail_library("describing", &error);
    batches->has_values = stats->has_values;
    batches->users = malloc((size_t)stats->users * sizeof *batches->users + 1);
    batches->lengths = malloc((size_t)stats->users * sizeof *batches->lengths + 1);
    batches->catalogue = malloc((size_t)stats->items * sizeof *batches->catalogue + 1);
    batches->counts = calloc((size_t)stats->items + 1, sizeof *batches->counts);
    if (!batches->users || !batches->lengths || !batches->catalogue || !batches->counts) return fail("out of memory");
    if (seqrec_dataset_items(batches->dataset, batches->catalogue, stats->items, &batches->catalogue_count, &error) !=
        SEQREC_OK)
        return fail_library("describing", &error);
    return 0;
}

/* Fisher and Yates; each epoch shuffles the order of the one before. */
static void shuffle(train_batches *batches)
{
    uint64_t key = draw_key(batches->seed, (uint64_t)batches->epoch++);
    for (int64_t i = batches->count - 1; i > 0; i--) {
        int64_t k = draw_below(key, (uint64_t)i, i + 1), user = batches->users[i], length = batches->lengths[i];
        batches->users[i] = batches->users[k];
        batches->lengths[i] = batches->lengths[k];
        batches->users[k] = user;
        batches->lengths[k] = length;
    }
}

int batches_open(const char *command, train_batches *batches, const seqrec_dataset *dataset, const char *split,
                 int64_t size, uint64_t seed)
{
    int64_t longest = 0;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    batches->dataset = dataset;
    batches->seed = seed;
    int outcome = describe(batches, &stats);
    if (!outcome) outcome = list_sequences(command, batches, split, stats.users, &longest);
    if (outcome) return outcome;
    batches->size = size < batches->count ? size : batches->count;
    batches->offsets = malloc((size_t)(batches->size + 1) * sizeof *batches->offsets);
    batches->items = malloc((size_t)(batches->size * longest) * sizeof *batches->items);
    batches->times = malloc((size_t)(batches->size * longest) * sizeof *batches->times);
    batches->values = malloc((size_t)(batches->size * longest) * sizeof *batches->values);
    batches->ids = malloc((size_t)batches->size * sizeof *batches->ids);
    if (!batches->offsets || !batches->items || !batches->times || !batches->values || !batches->ids) return fail("out of memory");
    batches->offsets[0] = 0;
    shuffle(batches);
    return 0;
}

const seqrec_batch *batches_next(train_batches *batches)
{
    if (batches->at == batches->count) {
        shuffle(batches);
        batches->at = 0;
    }
    int64_t rows = 0, end = 0;
    for (; rows < batches->size && batches->at < batches->count; rows++, batches->at++) {
        const int64_t *items = NULL, *times = NULL;
        const float *values = NULL;
        int64_t length = batches->lengths[batches->at];
        /* Cannot fail: every sequence was asked for when they were listed. */
        (void)seqrec_dataset_sequence(batches->dataset, batches->users[batches->at], &batches->ids[rows], &items, &times, NULL, NULL);
        memcpy(batches->items + end, items, (size_t)length * sizeof *items);
        (void)seqrec_dataset_values(batches->dataset, batches->users[batches->at], &values, NULL);
        if (times) memcpy(batches->times + end, times, (size_t)length * sizeof *times);
        if (values) memcpy(batches->values + end, values, (size_t)length * sizeof *values);
        end += length;
        batches->offsets[rows + 1] = end;
    }
    batches->view = (seqrec_batch){.struct_size = sizeof batches->view,
                                   .sequences = rows,
                                   .offsets = batches->offsets,
                                   .items = batches->items,
                                   .timestamps = batches->has_times ? batches->times : NULL,
                                   .values = batches->has_values ? batches->values : NULL,
                                   .users = batches->ids};
    return &batches->view;
}

int64_t *batches_user_ids(const train_batches *batches)
{
    int64_t *ids = malloc((size_t)batches->count * sizeof *ids);
    for (int64_t i = 0; ids && i < batches->count; i++)
        (void)seqrec_dataset_sequence(batches->dataset, batches->users[i], &ids[i], NULL, NULL, NULL, NULL);
    return ids;
}

void batches_close(train_batches *batches)
{
    free(batches->users);
    free(batches->lengths);
    free(batches->offsets);
    free(batches->items);
    free(batches->times);
    free(batches->values);
    free(batches->ids);
    free(batches->catalogue);
    free(batches->counts);
}
