/* data: the k-core of a dataset: the largest part where every user and every item has events enough. */
#include "data/dataset.h"

/* Users and items as one set of vertices (users first), each event an edge; every vertex is taken out at most once. */
typedef struct peeling {
    const seqrec_dataset *of;
    int64_t minimum[2]; /* events a user, an item needs */
    int64_t *left;      /* [users + items] edges left */
    uint8_t *gone;      /* [users + items] */
    int64_t *queue;     /* [users + items] */
    int64_t queued;
    int64_t *item_starts; /* [items + 1] into item_users */
    int32_t *item_users;  /* [events] */
    int32_t *user, *item; /* [events] columns of what is left */
    int64_t *times;
    float *values;
} peeling;

static int32_t reserve(peeling *work, const sq_memory *memory, seqrec_error *error)
{
    const seqrec_dataset *of = work->of;
    size_t vertices = (size_t)(of->users + of->items), events = (size_t)of->events;
    work->left = sq_alloc_zero(memory, vertices, sizeof *work->left);
    work->gone = sq_alloc_zero(memory, vertices, 1);
    work->queue = sq_alloc(memory, vertices, sizeof *work->queue);
    work->item_starts = sq_alloc_zero(memory, (size_t)of->items + 1, sizeof *work->item_starts);
    work->item_users = sq_alloc(memory, events, sizeof *work->item_users);
    work->user = sq_alloc(memory, events, sizeof *work->user);
    work->item = sq_alloc(memory, events, sizeof *work->item);
    work->times = sq_alloc(memory, of->timestamps == NULL ? 0 : events, sizeof *work->times);
    work->values = sq_alloc(memory, of->values == NULL ? 0 : events, sizeof *work->values);
    SQ_CHECK(work->left != NULL && work->gone != NULL && work->queue != NULL && work->item_starts != NULL &&
                 work->item_users != NULL && work->user != NULL && work->item != NULL && work->times != NULL &&
                 work->values != NULL,
             error, SEQREC_E_MEMORY, "no memory for the k-core of %lld events", (long long)of->events);
    return SEQREC_OK;
}

static void invert(peeling *work)
{
    const seqrec_dataset *of = work->of;
    int64_t *starts = work->item_starts;
    for (int64_t e = 0; e < of->events; e++) starts[of->sequence[e] + 1]++;
    for (int64_t i = 0; i < of->items; i++) starts[i + 1] += starts[i];
    for (int64_t u = 0; u < of->users; u++) {
        for (int64_t e = of->offsets[u]; e < of->offsets[u + 1]; e++)
            work->item_users[starts[of->sequence[e]]++] = (int32_t)u;
    }
    for (int64_t i = of->items; i > 0; i--) starts[i] = starts[i - 1];
    starts[0] = 0;
}

static void drop_when_poor(peeling *work, int64_t vertex)
{
    if (work->gone[vertex] || work->left[vertex] >= work->minimum[vertex >= work->of->users]) return;
    work->gone[vertex] = 1;
    work->queue[work->queued++] = vertex;
}

static void take_edge(peeling *work, int64_t vertex)
{
    work->left[vertex]--;
    drop_when_poor(work, vertex);
}

static void peel(peeling *work)
{
    const seqrec_dataset *of = work->of;
    for (int64_t u = 0; u < of->users; u++) work->left[u] = of->offsets[u + 1] - of->offsets[u];
    for (int64_t i = 0; i < of->items; i++) work->left[of->users + i] = work->item_starts[i + 1] - work->item_starts[i];
    for (int64_t v = 0; v < of->users + of->items; v++) drop_when_poor(work, v);
    for (int64_t next = 0; next < work->queued; next++) {
        int64_t vertex = work->queue[next];
        if (vertex < of->users) {
            for (int64_t e = of->offsets[vertex]; e < of->offsets[vertex + 1]; e++)
                take_edge(work, of->users + of->sequence[e]);
        } else {
            int64_t item = vertex - of->users;
            for (int64_t e = work->item_starts[item]; e < work->item_starts[item + 1]; e++)
                take_edge(work, work->item_users[e]);
        }
    }
}

static int64_t collect(peeling *work)
{
    const seqrec_dataset *of = work->of;
    int64_t kept = 0;
    for (int64_t u = 0; u < of->users; u++) {
        if (work->gone[u]) continue;
        for (int64_t e = of->offsets[u]; e < of->offsets[u + 1]; e++) {
            if (work->gone[of->users + of->sequence[e]]) continue;
            work->user[kept] = (int32_t)u;
            work->item[kept] = of->sequence[e];
            if (of->timestamps != NULL) work->times[kept] = of->timestamps[e];
            if (of->values != NULL) work->values[kept] = of->values[e];
            kept++;
        }
    }
    return kept;
}

static int32_t build_core(peeling *work, seqrec_dataset **out, seqrec_error *error)
{
    const seqrec_dataset *of = work->of;
    SQ_TRY(reserve(work, &of->context->memory, error));
    invert(work);
    peel(work);
    sq_build build = {.users = of->users,
                      .items = of->items,
                      .events = collect(work),
                      .user_ids = of->user_ids,
                      .item_ids = of->item_ids,
                      .user_names = &of->user_names,
                      .item_names = &of->item_names,
                      .users_apart = of->users_apart,
                      .user = work->user,
                      .item = work->item,
                      .timestamps = of->timestamps == NULL ? NULL : work->times,
                      .values = of->values == NULL ? NULL : work->values};
    return sq_dataset_build(of->context, &build, out, error);
}

int32_t sq_dataset_kcore(const seqrec_dataset *dataset, int64_t user_min, int64_t item_min, seqrec_dataset **out,
                         seqrec_error *error)
{
    const sq_memory *memory = &dataset->context->memory;
    peeling work = {.of = dataset, .minimum = {user_min, item_min}};
    int32_t status = build_core(&work, out, error);
    sq_free(memory, work.left);
    sq_free(memory, work.gone);
    sq_free(memory, work.queue);
    sq_free(memory, work.item_starts);
    sq_free(memory, work.item_users);
    sq_free(memory, work.user);
    sq_free(memory, work.item);
    sq_free(memory, work.times);
    sq_free(memory, work.values);
    return status;
}
