/* model: which item of a model an item of a dataset is. */
#include "model/match.h"
#include "data/names.h"

int32_t sq_match_item(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index)
{
    int64_t id = dataset->item_ids[index];
    const char *name = sq_names_at(&dataset->item_names, index);
    if (name && sq_item_names_count(names) > 0 && !sq_item_names_find(names, name, &id)) return -1;
    return sq_catalogue_find(catalogue, id);
}

int32_t sq_match_check(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                       seqrec_error *error)
{
    int textual = dataset->items > 0 && sq_names_at(&dataset->item_names, 0) != NULL;
    SQ_CHECK(!textual || catalogue->count == 0 || sq_item_names_count(names) > 0, error, SEQREC_E_ARGUMENT,
             "the data's items are texts (\"%.40s\"), the model's have ids without names: they cannot be matched",
             sq_names_at(&dataset->item_names, 0));
    return SEQREC_OK;
}

/* The items to add. */
typedef struct additions {
    int64_t *ids;
    const char **names;
    int64_t count;
} additions;

static int64_t highest_id(const sq_catalogue *c)
{
    int64_t highest = 0;
    for (int32_t k = 0; k < c->chunks; k++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
            if (c->slots[k]->live[r] && c->slots[k]->id[r] > highest) highest = c->slots[k]->id[r];
    return highest;
}

static int32_t list(const sq_snapshot *now, const seqrec_dataset *dataset, additions *a, seqrec_error *error)
{
    int64_t next = -1;
    for (int64_t i = 0; i < dataset->items; i++) {
        int64_t id = dataset->item_ids[i];
        if (sq_match_item(now->catalogue, now->names, dataset, i) >= 0) continue;
        if (sq_catalogue_find(now->catalogue, id) >= 0) {
            int64_t highest = next < 0 ? highest_id(now->catalogue) : next;
            SQ_CHECK(highest < INT64_MAX - dataset->items, error, SEQREC_E_RANGE,
                     "no ids above %lld are left for new names", (long long)highest);
            id = next < 0 ? highest + dataset->items : next;
            next = id + 1;
        }
        a->ids[a->count] = id;
        a->names[a->count++] = sq_names_at(&dataset->item_names, i);
    }
    return SEQREC_OK;
}

static int32_t add(seqrec_model *model, const seqrec_dataset *dataset, additions *a, seqrec_error *error)
{
    sq_snapshot *now = model->current;
    sq_change change = {0};
    SQ_TRY(sq_match_check(now->catalogue, now->names, dataset, error));
    SQ_TRY(list(now, dataset, a, error));
    if (a->count == 0) return SEQREC_OK;
    if (sq_names_at(&dataset->item_names, 0))
        SQ_TRY(sq_item_names_with(now->names, a->ids, a->names, a->count, &change.names, error));
    sq_item_start start = sq_item_start_of(model, now->catalogue->count + a->count);
    int32_t status =
        sq_catalogue_put(now->catalogue, a->ids, a->count, NULL, sq_item_start_fill, &start, &change.catalogue, error);
    if (status == SEQREC_OK) return sq_model_publish(model, change, error);
    sq_item_names_release(change.names);
    return status;
}

int32_t sq_match_add(seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error)
{
    const sq_memory *memory = &model->context->memory;
    additions a = {.ids = sq_alloc(memory, (size_t)dataset->items, sizeof *a.ids),
                   .names = sq_alloc(memory, (size_t)dataset->items, sizeof *a.names)};
    int32_t status = SEQREC_OK;
    sq_lock_take(&model->writing);
    if (a.ids && a.names)
        status = add(model, dataset, &a, error);
    else
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for %lld ids", (long long)dataset->items);
    sq_lock_give(&model->writing);
    sq_free(memory, a.ids);
    sq_free(memory, a.names);
    return status;
}
