/* data: a copy of a dataset in which training events are replaced at random, for studies of noise. */
#include "base/rng.h"
#include "data/content_hash.h"
#include "data/dataset.h"

/* Event e has counters 2 e, whether, and 2 e + 1, by what: a greater share replaces what a smaller one does and more. */
static void replace(seqrec_dataset *d, double share, const sq_division *division, uint64_t seed)
{
    const uint64_t key = sq_random_key(seed, SQ_STREAM_NOISE, 0);
    for (int64_t u = 0; u < d->users; u++) {
        int64_t train, valid;
        sq_division_user(division, d, u, &train, &valid);
        for (int64_t e = d->offsets[u]; e < d->offsets[u] + train; e++) {
            if (!(sq_random_unit(key, 2 * (uint64_t)e) < share)) continue;
            const int32_t other = (int32_t)sq_random_below(key, 2 * (uint64_t)e + 1, (uint64_t)d->items - 1);
            d->sequence[e] = other + (other >= d->sequence[e]);
        }
    }
}

int32_t sq_dataset_corrupt(const seqrec_dataset *dataset, double share, const char *split, uint64_t seed,
                           seqrec_dataset **out, seqrec_error *error)
{
    sq_division division;
    SQ_TRY(sq_division_parse(split, &division, error));
    SQ_TRY(sq_division_check(&division, dataset, error));
    SQ_CHECK(dataset->items > 1 || share == 0, error, SEQREC_E_ARGUMENT,
             "a dataset of %lld items has none to replace one by", (long long)dataset->items);
    seqrec_dataset *made = NULL;
    SQ_TRY(sq_dataset_copy(dataset, &made, error));
    replace(made, share, &division, seed);
    made->hash = sq_dataset_hash(made);
    *out = made;
    return SEQREC_OK;
}
