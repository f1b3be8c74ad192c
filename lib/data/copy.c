/* data: a copy of a dataset, to be changed before anybody sees it. */
#include <string.h>
#include "data/dataset.h"

/* A block of the same bytes, or NULL. */
static void *copy_of(const sq_memory *memory, const void *from, size_t count, size_t size)
{
    void *made = sq_alloc(memory, count, size);
    if (made != NULL) memcpy(made, from, count * size);
    return made;
}

/* An absent block stays absent. */
#define COPY(field, elements)                                                                                          \
    do {                                                                                                               \
        const size_t count_ = (size_t)(elements);                                                                      \
        if (from->field != NULL) to->field = copy_of(memory, from->field, count_, sizeof *from->field);                \
        SQ_CHECK(from->field == NULL || to->field != NULL, error, SEQREC_E_MEMORY, "no memory for a copy of %zu elements", count_); \
    } while (0)

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

static int32_t fill(const seqrec_dataset *from, seqrec_dataset *to, seqrec_error *error)
{
    const sq_memory *memory = &from->context->memory;
    to->users = from->users;
    to->items = from->items;
    to->events = from->events;
    to->users_apart = from->users_apart;
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

int32_t sq_dataset_copy(const seqrec_dataset *dataset, seqrec_dataset **out, seqrec_error *error)
{
    seqrec_dataset *made = sq_alloc_zero(&dataset->context->memory, 1, sizeof *made);
    SQ_CHECK(made != NULL, error, SEQREC_E_MEMORY, "no memory for a dataset");
    made->context = sq_context_retain(dataset->context);
    atomic_init(&made->references, 1);
    const int32_t status = fill(dataset, made, error);
    if (status == SEQREC_OK)
        *out = made;
    else
        sq_dataset_release(made);
    return status;
}
