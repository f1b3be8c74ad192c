/* data: a copy of a dataset in which training events are replaced at random, for studies of noise. */
#include <string.h>
#include "base/rng.h"
#include "data/content_hash.h"
#include "data/dataset.h"

/* A block of the same bytes; an absent one stays absent. */
static int32_t copy_block(const sq_memory *memory, const void *from, size_t count, size_t size, void **to,
                          seqrec_error *error)
{
    if (from == NULL) return SEQREC_OK;
    *to = sq_alloc(memory, count, size);
    SQ_CHECK(*to != NULL, error, SEQREC_E_MEMORY, "no memory for a copy of %zu elements", count);
    memcpy(*to, from, count * size);
    return SEQREC_OK;
}

#define COPY(field, count)                                                                                             \
    SQ_TRY(copy_block(memory, from->field, (size_t)(count), sizeof *from->field, (void **)&to->field, error))

static int32_t copy_names(const sq_memory *memory, const sq_names *from, sq_names *to, seqrec_error *error)
{
    if (from->offsets == NULL) return SEQREC_OK;
    COPY(offsets, from->count + 1);
    COPY(bytes, from->offsets[from->count]);
    to->count = from->count;
    return SEQREC_OK;
}

static int32_t copy_index(const seqrec_dataset *from, seqrec_dataset *to, seqrec_error *error)
{
    const sq_memory *memory = &from->context->memory;
    SQ_TRY(sq_idmap_reserve(&to->item_index, memory, (size_t)from->items, error));
    for (int64_t i = 0; i < from->items; i++) {
        int32_t found;
        SQ_TRY(sq_idmap_insert(&to->item_index, memory, from->item_ids[i], (int32_t)i, &found, error));
    }
    return SEQREC_OK;
}

static int32_t copy(const seqrec_dataset *from, seqrec_dataset *to, seqrec_error *error)
{
    const sq_memory *memory = &from->context->memory;
    to->users = from->users;
    to->items = from->items;
    to->events = from->events;
    COPY(user_ids, from->users);
    COPY(item_ids, from->items);
    COPY(offsets, from->users + 1);
    COPY(sequence, from->events);
    COPY(timestamps, from->events);
    COPY(values, from->events);
    SQ_TRY(copy_names(memory, &from->item_names, &to->item_names, error));
    SQ_TRY(copy_names(memory, &from->user_names, &to->user_names, error));
    return copy_index(from, to, error);
}

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
    seqrec_dataset *made = sq_alloc_zero(&dataset->context->memory, 1, sizeof *made);
    SQ_CHECK(made != NULL, error, SEQREC_E_MEMORY, "no memory for a dataset");
    made->context = sq_context_retain(dataset->context);
    atomic_init(&made->references, 1);
    const int32_t status = copy(dataset, made, error);
    if (status != SEQREC_OK) {
        sq_dataset_release(made);
        return status;
    }
    replace(made, share, &division, seed);
    made->hash = sq_dataset_hash(made);
    *out = made;
    return SEQREC_OK;
}
