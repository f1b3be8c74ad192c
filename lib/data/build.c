/* data: from columns of events in any order to the immutable dataset: catalogue, order, compressed rows. */
#include "data/dataset.h"
#include "data/content_hash.h"
#include "data/names.h"
#include "base/sort.h"

/* Working memory of one build. */
typedef struct assembly {
    const sq_build *from;
    seqrec_dataset *to;
    int32_t *user_place; /* [from->users] index in the dataset, -1 = no event */
    int32_t *item_place; /* [from->items] the same */
    int32_t *kept_users; /* [to->users] index in `from` */
    int32_t *kept_items; /* [to->items] the same, by rising id */
    uint32_t *order;     /* [events] by time, or NULL: as they come */
    uint64_t *keys;      /* for sorting, with scratch of the same length behind it */
    uint32_t *payload;   /* the same */
} assembly;

static int32_t no_memory(seqrec_error *error, int64_t count, const char *what)
{
    return sq_fail(error, SEQREC_E_MEMORY, "no memory for %lld %s", (long long)count, what);
}

static int32_t reserve_sort(assembly *work, const sq_memory *memory, int64_t n, seqrec_error *error)
{
    sq_free(memory, work->keys);
    sq_free(memory, work->payload);
    work->keys = sq_alloc(memory, (size_t)n, 2 * sizeof *work->keys);
    work->payload = sq_alloc(memory, (size_t)n, 2 * sizeof *work->payload);
    return work->keys == NULL || work->payload == NULL ? no_memory(error, n, "sorting keys") : SEQREC_OK;
}

/* Sorts signed numbers as unsigned distances from the lowest, so that few passes suffice; payload[n] gets the order. */
static void sort_numbers(assembly *work, const int64_t *numbers, int64_t n)
{
    if (n == 0) return;
    int64_t lowest = numbers[0], highest = numbers[0];
    for (int64_t i = 1; i < n; i++) {
        if (numbers[i] < lowest) lowest = numbers[i];
        if (numbers[i] > highest) highest = numbers[i];
    }
    for (int64_t i = 0; i < n; i++) {
        work->keys[i] = (uint64_t)numbers[i] - (uint64_t)lowest;
        work->payload[i] = (uint32_t)i;
    }
    sq_sort_keys(work->keys, work->payload, (size_t)n, work->keys + n, work->payload + n,
                 sq_key_bits((uint64_t)highest - (uint64_t)lowest));
}

/* place[i] = 0 where index i has an event, else -1; returns how many have one. */
static int64_t mark_used(int32_t *place, int64_t count, const int32_t *indices, int64_t events)
{
    int64_t used = 0;
    for (int64_t i = 0; i < count; i++) place[i] = -1;
    for (int64_t e = 0; e < events; e++) {
        used += place[indices[e]] < 0;
        place[indices[e]] = 0;
    }
    return used;
}

static int32_t collect_users(assembly *work, const sq_memory *memory, seqrec_error *error)
{
    const sq_build *from = work->from;
    seqrec_dataset *to = work->to;
    work->user_place = sq_alloc(memory, (size_t)from->users, sizeof(int32_t));
    if (work->user_place == NULL) return no_memory(error, from->users, "users");
    to->users = mark_used(work->user_place, from->users, from->user, from->events);
    work->kept_users = sq_alloc(memory, (size_t)to->users, sizeof(int32_t));
    to->user_ids = sq_alloc(memory, (size_t)to->users, sizeof(int64_t));
    if (work->kept_users == NULL || to->user_ids == NULL) return no_memory(error, to->users, "users");
    int32_t next = 0;
    for (int64_t u = 0; u < from->users; u++) {
        if (work->user_place[u] < 0) continue;
        to->user_ids[next] = from->user_ids == NULL ? u + 1 : from->user_ids[u];
        work->kept_users[next] = (int32_t)u;
        work->user_place[u] = next++;
    }
    return SEQREC_OK;
}

/* The used items, in the order of their indices, as item_ids and kept_items. */
static int32_t collect_items(assembly *work, const sq_memory *memory, seqrec_error *error)
{
    const sq_build *from = work->from;
    seqrec_dataset *to = work->to;
    work->item_place = sq_alloc(memory, (size_t)from->items, sizeof(int32_t));
    if (work->item_place == NULL) return no_memory(error, from->items, "items");
    to->items = mark_used(work->item_place, from->items, from->item, from->events);
    work->kept_items = sq_alloc(memory, (size_t)to->items, sizeof(int32_t));
    to->item_ids = sq_alloc(memory, (size_t)to->items, sizeof(int64_t));
    if (work->kept_items == NULL || to->item_ids == NULL) return no_memory(error, to->items, "items");
    int64_t next = 0;
    for (int64_t i = 0; i < from->items; i++) {
        if (work->item_place[i] < 0) continue;
        to->item_ids[next] = from->item_ids == NULL ? i + 1 : from->item_ids[i];
        work->kept_items[next++] = (int32_t)i;
    }
    return SEQREC_OK;
}

static int32_t order_items(assembly *work, const sq_memory *memory, seqrec_error *error)
{
    seqrec_dataset *to = work->to;
    SQ_TRY(reserve_sort(work, memory, to->items, error));
    sort_numbers(work, to->item_ids, to->items);
    for (int64_t i = 0; i < to->items; i++) {
        uint32_t from = work->payload[i];
        work->payload[to->items + i] = (uint32_t)work->kept_items[from];
        work->keys[i] = (uint64_t)to->item_ids[from];
    }
    SQ_TRY(sq_idmap_reserve(&to->item_index, memory, (size_t)to->items, error));
    for (int64_t i = 0; i < to->items; i++) {
        int32_t found;
        to->item_ids[i] = (int64_t)work->keys[i];
        work->kept_items[i] = (int32_t)work->payload[to->items + i];
        work->item_place[work->kept_items[i]] = (int32_t)i;
        SQ_TRY(sq_idmap_insert(&to->item_index, memory, to->item_ids[i], (int32_t)i, &found, error));
    }
    return SEQREC_OK;
}

static int32_t copy_names(assembly *work, const sq_memory *memory, seqrec_error *error)
{
    const sq_build *from = work->from;
    seqrec_dataset *to = work->to;
    if (from->user_names != NULL && from->user_names->offsets != NULL)
        SQ_TRY(sq_names_select(memory, from->user_names, work->kept_users, to->users, &to->user_names, error));
    if (from->item_names != NULL && from->item_names->offsets != NULL)
        SQ_TRY(sq_names_select(memory, from->item_names, work->kept_items, to->items, &to->item_names, error));
    return SEQREC_OK;
}

/* 1 when no user's events go back in time; latest is working memory for all users. */
static int32_t in_time_order(const assembly *work, int64_t *latest)
{
    const sq_build *from = work->from;
    for (int64_t u = 0; u < work->to->users; u++) latest[u] = INT64_MIN;
    for (int64_t e = 0; e < from->events; e++) {
        int64_t *last = &latest[work->user_place[from->user[e]]];
        if (from->timestamps[e] < *last) return 0;
        *last = from->timestamps[e];
    }
    return 1;
}

static int32_t order_events(assembly *work, const sq_memory *memory, seqrec_error *error)
{
    int64_t events = work->from->events;
    if (work->from->timestamps == NULL || in_time_order(work, work->to->offsets)) return SEQREC_OK;
    SQ_TRY(reserve_sort(work, memory, events, error));
    sort_numbers(work, work->from->timestamps, events);
    work->order = work->payload;
    return SEQREC_OK;
}

static int32_t reserve_events(seqrec_dataset *to, const sq_build *from, seqrec_error *error)
{
    const sq_memory *memory = &to->context->memory;
    size_t events = (size_t)from->events;
    to->events = from->events;
    to->offsets = sq_alloc(memory, (size_t)to->users + 1, sizeof *to->offsets);
    to->sequence = sq_alloc(memory, events, sizeof *to->sequence);
    if (from->timestamps != NULL) to->timestamps = sq_alloc(memory, events, sizeof *to->timestamps);
    if (from->values != NULL) to->values = sq_alloc(memory, events, sizeof *to->values);
    if (to->offsets == NULL || to->sequence == NULL || (from->timestamps != NULL && to->timestamps == NULL) ||
        (from->values != NULL && to->values == NULL))
        return no_memory(error, from->events, "events");
    return SEQREC_OK;
}

/* A counting sort by user: stable, so each user's events keep the order they come in. */
static void scatter(const assembly *work)
{
    const sq_build *from = work->from;
    seqrec_dataset *to = work->to;
    for (int64_t u = 0; u <= to->users; u++) to->offsets[u] = 0;
    for (int64_t e = 0; e < from->events; e++) to->offsets[work->user_place[from->user[e]] + 1]++;
    for (int64_t u = 0; u < to->users; u++) to->offsets[u + 1] += to->offsets[u];
    for (int64_t i = 0; i < from->events; i++) {
        int64_t e = work->order == NULL ? i : (int64_t)work->order[i];
        int64_t place = to->offsets[work->user_place[from->user[e]]]++;
        to->sequence[place] = work->item_place[from->item[e]];
        if (to->timestamps != NULL) to->timestamps[place] = from->timestamps[e];
        if (to->values != NULL) to->values[place] = from->values[e];
    }
    for (int64_t u = to->users; u > 0; u--) to->offsets[u] = to->offsets[u - 1];
    to->offsets[0] = 0;
}

static int32_t assemble(assembly *work, seqrec_error *error)
{
    const sq_memory *memory = &work->to->context->memory;
    SQ_TRY(collect_users(work, memory, error));
    SQ_TRY(collect_items(work, memory, error));
    SQ_TRY(order_items(work, memory, error));
    SQ_TRY(copy_names(work, memory, error));
    SQ_TRY(reserve_events(work->to, work->from, error));
    SQ_TRY(order_events(work, memory, error));
    scatter(work);
    work->to->users_apart = work->from->users_apart;
    work->to->hash = sq_dataset_hash(work->to);
    return SEQREC_OK;
}

int32_t sq_dataset_build(seqrec_context *context, const sq_build *build, seqrec_dataset **out, seqrec_error *error)
{
    const sq_memory *memory = &context->memory;
    SQ_CHECK(build->events <= INT32_MAX, error, SEQREC_E_RANGE, "%lld events are more than %d",
             (long long)build->events, INT32_MAX);
    seqrec_dataset *made = sq_alloc_zero(memory, 1, sizeof *made);
    SQ_CHECK(made != NULL, error, SEQREC_E_MEMORY, "no memory for a dataset");
    made->context = sq_context_retain(context);
    atomic_init(&made->references, 1);
    assembly work = {.from = build, .to = made};
    int32_t status = assemble(&work, error);
    sq_free(memory, work.user_place);
    sq_free(memory, work.item_place);
    sq_free(memory, work.kept_users);
    sq_free(memory, work.kept_items);
    sq_free(memory, work.keys);
    sq_free(memory, work.payload);
    if (status != SEQREC_OK) {
        sq_dataset_release(made);
        return status;
    }
    *out = made;
    return SEQREC_OK;
}
