/* data: a copy of a dataset in which events of a user at the same instant stand in another order. */
#include "base/rng.h"
#include "data/content_hash.h"
#include "data/dataset.h"

static void swap(seqrec_dataset *d, int64_t a, int64_t b)
{
    const int32_t item = d->sequence[a];
    d->sequence[a] = d->sequence[b];
    d->sequence[b] = item;
    if (d->values == NULL) return;
    const float value = d->values[a];
    d->values[a] = d->values[b];
    d->values[b] = value;
}

/* Fisher and Yates over each run of equal times; event e draws with counter e. */
static void shuffle_user(seqrec_dataset *d, int64_t user, uint64_t key)
{
    for (int64_t e = d->offsets[user], first = e; e < d->offsets[user + 1]; e++) {
        if (d->timestamps[e] != d->timestamps[first]) first = e;
        swap(d, e, first + (int64_t)sq_random_below(key, (uint64_t)e, (uint64_t)(e - first) + 1));
    }
}

int32_t sq_dataset_shuffle_ties(const seqrec_dataset *dataset, uint64_t seed, seqrec_dataset **out, seqrec_error *error)
{
    const uint64_t key = sq_random_key(seed, SQ_STREAM_TIES, 0);
    seqrec_dataset *made = NULL;
    SQ_CHECK(dataset->timestamps != NULL, error, SEQREC_E_ARGUMENT,
             "events at the same instant are told by their times, and this dataset has none");
    SQ_TRY(sq_dataset_copy(dataset, &made, error));
    for (int64_t u = 0; u < made->users; u++) shuffle_user(made, u, key);
    made->hash = sq_dataset_hash(made);
    *out = made;
    return SEQREC_OK;
}
