/* data: a dataset's life: retain, release, hash, lookups, and making one of a host's arrays. */
#include "data/dataset.h"
#include "data/names.h"

seqrec_dataset *sq_dataset_retain(seqrec_dataset *dataset)
{
    if (dataset != NULL) atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
    return dataset;
}

void sq_dataset_release(seqrec_dataset *dataset)
{
    if (dataset == NULL) return;
    if (atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = dataset->context;
    const sq_memory *memory = &context->memory;
    sq_free(memory, dataset->user_ids);
    sq_free(memory, dataset->item_ids);
    sq_idmap_free(&dataset->item_index, memory);
    sq_free(memory, dataset->offsets);
    sq_free(memory, dataset->sequence);
    sq_free(memory, dataset->timestamps);
    sq_free(memory, dataset->values);
    sq_names_free(&dataset->item_names, memory);
    sq_names_free(&dataset->user_names, memory);
    sq_free(memory, atomic_load_explicit(&dataset->event_ids, memory_order_relaxed));
    sq_free(memory, dataset);
    sq_context_release(context);
}

const int64_t *sq_dataset_event_ids(const seqrec_dataset *dataset)
{
    /* The one part that is made late; no dataset is a const object, so the cast is sound. */
    _Atomic(int64_t *) *place = (_Atomic(int64_t *) *)&dataset->event_ids;
    int64_t *ids = atomic_load_explicit(place, memory_order_acquire);
    if (ids != NULL) return ids;
    int64_t *made = sq_alloc(&dataset->context->memory, (size_t)dataset->events, sizeof *made);
    if (made == NULL) return NULL;
    for (int64_t e = 0; e < dataset->events; e++) made[e] = dataset->item_ids[dataset->sequence[e]];
    if (atomic_compare_exchange_strong_explicit(place, &ids, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    sq_free(&dataset->context->memory, made);
    return ids;
}

const char *sq_dataset_item_name(const seqrec_dataset *dataset, int64_t id)
{
    return sq_names_at(&dataset->item_names, sq_idmap_find(&dataset->item_index, id));
}

/* Where there are names, ids were given in the order of first appearance: user_ids rise. */
const char *sq_dataset_user_name(const seqrec_dataset *dataset, int64_t id)
{
    int64_t low = 0, high = dataset->users;
    if (dataset->user_names.offsets == NULL) return NULL;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (dataset->user_ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < dataset->users && dataset->user_ids[low] == id ? sq_names_at(&dataset->user_names, low) : NULL;
}

/* What a batch's sequences are turned into before the build. */
typedef struct expansion {
    sq_interner users, items;
    int32_t *user, *item;
} expansion;

static int32_t expand(expansion *into, const seqrec_batch *batch, seqrec_error *error)
{
    for (int64_t b = 0; b < batch->sequences; b++) {
        int32_t user;
        SQ_TRY(sq_intern_id(&into->users, batch->users == NULL ? b : batch->users[b], &user, error));
        for (int64_t e = batch->offsets[b]; e < batch->offsets[b + 1]; e++) {
            into->user[e] = user;
            SQ_TRY(sq_intern_id(&into->items, batch->items[e], &into->item[e], error));
        }
    }
    return SEQREC_OK;
}

static int32_t build_expanded(seqrec_context *context, expansion *with, const seqrec_batch *batch, seqrec_dataset **out,
                              seqrec_error *error)
{
    int64_t events = batch->sequences == 0 ? 0 : batch->offsets[batch->sequences];
    with->user = sq_alloc(&context->memory, (size_t)events, sizeof *with->user);
    with->item = sq_alloc(&context->memory, (size_t)events, sizeof *with->item);
    SQ_CHECK(with->user != NULL && with->item != NULL, error, SEQREC_E_MEMORY, "no memory for %lld events",
             (long long)events);
    SQ_TRY(expand(with, batch, error));
    sq_build build = {.users = with->users.count,
                      .items = with->items.count,
                      .events = events,
                      .user_ids = with->users.ids,
                      .item_ids = with->items.ids,
                      .user = with->user,
                      .item = with->item,
                      .timestamps = batch->timestamps,
                      .values = batch->values};
    return sq_dataset_build(context, &build, out, error);
}

int32_t sq_dataset_create(seqrec_context *context, const seqrec_batch *batch, seqrec_dataset **out, seqrec_error *error)
{
    const sq_memory *memory = &context->memory;
    expansion with = {{.memory = memory}, {.memory = memory}, NULL, NULL};
    int32_t status = build_expanded(context, &with, batch, out, error);
    sq_interner_free(&with.users);
    sq_interner_free(&with.items);
    sq_free(memory, with.user);
    sq_free(memory, with.item);
    return status;
}
