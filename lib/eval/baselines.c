/* eval: the two counting rankers every figure is shown beside. */
#include "eval/baselines.h"
#include <inttypes.h>
#include <string.h>
#include "base/heap.h"

#define BLOCK 64

static int64_t train_events(const sq_division *division, const seqrec_dataset *dataset, int64_t user)
{
    int64_t train, valid;
    sq_division_user(division, dataset, user, &train, &valid);
    return train;
}

/* Sorts and drops repeats. */
static int64_t distinct(uint64_t *keys, int64_t n)
{
    int64_t kept = 0;
    sq_heap_sort(keys, n);
    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || keys[kept - 1] != keys[i]) keys[kept++] = keys[i];
    }
    return kept;
}

static int64_t place_of(const uint64_t *sorted, int64_t n, uint64_t key)
{
    int64_t low = 0;
    while (n > 1) {
        const int64_t half = n / 2;
        if (sorted[low + half] <= key) low += half;
        n -= half;
    }
    return low;
}

static void count_items(const seqrec_dataset *dataset, const sq_division *division, uint64_t *counts)
{
    for (int64_t user = 0; user < dataset->users; user++) {
        const int32_t *items = dataset->sequence + dataset->offsets[user];
        const int64_t train = train_events(division, dataset, user);
        for (int64_t e = 0; e < train; e++) counts[items[e]]++;
    }
}

int32_t sq_popularity_create(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                             sq_popularity *out, seqrec_error *error)
{
    const size_t items = (size_t)dataset->items;
    sq_popularity popularity = {.items = dataset->items};
    popularity.counts = sq_alloc_zero(memory, items, sizeof(uint64_t));
    uint64_t *sorted = sq_alloc(memory, items, sizeof(uint64_t));
    popularity.score = sq_alloc(memory, items, sizeof(float));
    const int32_t whole = popularity.counts != NULL && sorted != NULL && popularity.score != NULL;
    if (whole) {
        count_items(dataset, division, popularity.counts);
        memcpy(sorted, popularity.counts, items * sizeof(uint64_t));
        popularity.levels = distinct(sorted, dataset->items);
        for (size_t i = 0; i < items; i++) {
            popularity.score[i] = (float)place_of(sorted, popularity.levels, popularity.counts[i]);
            popularity.events += popularity.counts[i];
        }
        *out = popularity;
    } else {
        sq_popularity_free(&popularity, memory);
    }
    sq_free(memory, sorted);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory for the popularity of %" PRId64 " items", dataset->items);
    return SEQREC_OK;
}

void sq_popularity_free(sq_popularity *popularity, const sq_memory *memory)
{
    sq_free(memory, popularity->counts);
    sq_free(memory, popularity->score);
    *popularity = (sq_popularity){0};
}

static int32_t score_popularity(void *context, int32_t worker, const sq_histories *histories, float *scores,
                                seqrec_error *error)
{
    const sq_popularity *popularity = context;
    (void)worker;
    (void)error;
    for (int64_t b = 0; b < histories->count; b++) {
        memcpy(scores + b * popularity->items, popularity->score, (size_t)popularity->items * sizeof(float));
    }
    return SEQREC_OK;
}

sq_scorer sq_popularity_scorer(sq_popularity *popularity)
{
    return (sq_scorer){popularity, score_popularity, BLOCK, NULL};
}

/* Every training transition, grouped by the item it leaves: offsets[i] .. offsets[i + 1] of next. */
static void group_transitions(const seqrec_dataset *dataset, const sq_division *division, int64_t *offsets,
                              int32_t *next)
{
    const int64_t items = dataset->items;
    for (int64_t user = 0; user < dataset->users; user++) {
        const int32_t *at = dataset->sequence + dataset->offsets[user];
        const int64_t train = train_events(division, dataset, user);
        for (int64_t e = 0; e + 1 < train; e++) offsets[at[e] + 1]++;
    }
    for (int64_t i = 0; i < items; i++) offsets[i + 1] += offsets[i];
    for (int64_t user = 0; user < dataset->users; user++) {
        const int32_t *at = dataset->sequence + dataset->offsets[user];
        const int64_t train = train_events(division, dataset, user);
        for (int64_t e = 0; e + 1 < train; e++) next[offsets[at[e]]++] = at[e + 1];
    }
    for (int64_t i = items; i > 0; i--) offsets[i] = offsets[i - 1];
    offsets[0] = 0;
}

/* Keeps each follower of next[n] once, at `kept`, with its score; `count` [items] is zero before and after. */
static int64_t rank_followers(const sq_popularity *popularity, const int32_t *next, int64_t n, uint32_t *count,
                              uint64_t *keys, int32_t *kept, float *score)
{
    int64_t followers = 0;
    for (int64_t e = 0; e < n; e++) count[next[e]]++;
    for (int64_t e = 0; e < n; e++) {
        const int32_t item = next[e];
        if (count[item] == 0) continue;
        keys[followers] = (uint64_t)count[item] << 32 | (uint64_t)popularity->score[item];
        keys[n + followers] = keys[followers];
        count[item] = 0;
        kept[followers++] = item;
    }
    const int64_t places = distinct(keys, followers);
    for (int64_t j = 0; j < followers; j++) {
        score[j] = (float)(popularity->levels + place_of(keys, places, keys[n + j]));
    }
    return followers;
}

static int64_t most_followers(const int64_t *offsets, int64_t items)
{
    int64_t most = 0;
    for (int64_t i = 0; i < items; i++) {
        if (offsets[i + 1] - offsets[i] > most) most = offsets[i + 1] - offsets[i];
    }
    return most;
}

static void compress(sq_markov *markov, int64_t items, uint32_t *count, uint64_t *keys)
{
    int64_t from = 0, end = 0;
    for (int64_t i = 0; i < items; i++) {
        const int64_t n = markov->offsets[i + 1] - from;
        const int64_t kept = rank_followers(markov->popularity, markov->next + from, n, count, keys, markov->next + end,
                                            markov->score + end);
        from += n;
        end += kept;
        markov->offsets[i + 1] = end;
    }
}

int32_t sq_markov_create(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                         const sq_popularity *popularity, sq_markov *out, seqrec_error *error)
{
    const size_t items = (size_t)dataset->items, events = (size_t)dataset->events;
    sq_markov markov = {.popularity = popularity};
    uint64_t *keys = NULL;
    uint32_t *count = sq_alloc_zero(memory, items, sizeof(uint32_t));
    markov.offsets = sq_alloc_zero(memory, items + 1, sizeof(int64_t));
    markov.next = sq_alloc(memory, events, sizeof(int32_t));
    markov.score = sq_alloc(memory, events, sizeof(float));
    int32_t whole = count != NULL && markov.offsets != NULL && markov.next != NULL && markov.score != NULL;
    if (whole) {
        group_transitions(dataset, division, markov.offsets, markov.next);
        keys = sq_alloc(memory, 2 * (size_t)most_followers(markov.offsets, dataset->items), sizeof(uint64_t));
        whole = keys != NULL;
    }
    if (whole) {
        compress(&markov, dataset->items, count, keys);
        *out = markov;
    } else {
        sq_markov_free(&markov, memory);
    }
    sq_free(memory, keys);
    sq_free(memory, count);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory for the transitions of %" PRId64 " events", dataset->events);
    return SEQREC_OK;
}

void sq_markov_free(sq_markov *markov, const sq_memory *memory)
{
    sq_free(memory, markov->score);
    sq_free(memory, markov->next);
    sq_free(memory, markov->offsets);
    *markov = (sq_markov){0};
}

static int32_t score_markov(void *context, int32_t worker, const sq_histories *histories, float *scores,
                            seqrec_error *error)
{
    const sq_markov *markov = context;
    const int64_t items = markov->popularity->items;
    (void)worker;
    (void)error;
    for (int64_t b = 0; b < histories->count; b++) {
        float *row = scores + b * items;
        const int64_t end = histories->offsets[b + 1];
        memcpy(row, markov->popularity->score, (size_t)items * sizeof(float));
        if (end == histories->offsets[b]) continue;
        const int32_t last = histories->items[end - 1];
        for (int64_t j = markov->offsets[last]; j < markov->offsets[last + 1]; j++) {
            row[markov->next[j]] = markov->score[j];
        }
    }
    return SEQREC_OK;
}

sq_scorer sq_markov_scorer(sq_markov *markov)
{
    return (sq_scorer){markov, score_markov, BLOCK, NULL};
}
