/* api: the item table of a live model. */
#include <string.h>
#include "api/checks.h"
#include "api/textout.h"

/* ---- Changes: each builds the next table from the published one and publishes it, under the writers' lock. ---- */

static int32_t put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    const sq_catalogue *base = model->current->catalogue;
    sq_item_start start = sq_item_start_of(model, base->count + n);
    sq_catalogue *made = NULL;
    SQ_TRY(sq_catalogue_put(base, ids, n, vectors, sq_item_start_fill, &start, &made, error));
    return sq_model_publish(model, (sq_change){.catalogue = made}, error);
}

int32_t seqrec_items_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = put(model, ids, n, vectors, error);
    sq_lock_give(&model->writing);
    return status;
}

static int32_t update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    sq_catalogue *made = NULL;
    SQ_TRY(sq_catalogue_update(model->current->catalogue, ids, n, vectors, &made, error));
    return sq_model_publish(model, (sq_change){.catalogue = made}, error);
}

int32_t seqrec_items_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                            seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(vectors != NULL || n == 0, error, SEQREC_E_ARGUMENT, "vectors is NULL for n = %lld", (long long)n);
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = update(model, ids, n, vectors, error);
    sq_lock_give(&model->writing);
    return status;
}

/* Names go with their items. */
static int32_t remove_items(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error)
{
    const sq_item_names *names = model->current->names;
    sq_change change = {0};
    SQ_TRY(sq_catalogue_remove(model->current->catalogue, ids, n, &change.catalogue, error));
    if (sq_item_names_count(names) > 0) {
        int32_t status = sq_item_names_without(names, ids, n, &change.names, error);
        if (status != SEQREC_OK) {
            sq_catalogue_release(change.catalogue);
            return status;
        }
    }
    return sq_model_publish(model, change, error);
}

int32_t seqrec_items_remove(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = remove_items(model, ids, n, error);
    sq_lock_give(&model->writing);
    return status;
}

static int32_t missing(int64_t id, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_NOT_FOUND, "there is no item %lld", (long long)id);
}

static int32_t check_present(const sq_catalogue *catalogue, const int64_t *ids, int64_t n, seqrec_error *error)
{
    for (int64_t i = 0; i < n; i++)
        if (sq_catalogue_find(catalogue, ids[i]) < 0) return missing(ids[i], error);
    return SEQREC_OK;
}

static int32_t set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n,
                         seqrec_error *error)
{
    sq_item_names *made = NULL;
    SQ_TRY(check_present(model->current->catalogue, ids, n, error));
    SQ_TRY(sq_item_names_with(model->current->names, ids, names, n, &made, error));
    return sq_model_publish(model, (sq_change){.names = made}, error);
}

int32_t seqrec_items_set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n,
                               seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(names != NULL || n == 0, error, SEQREC_E_ARGUMENT, "names is NULL for n = %lld", (long long)n);
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = set_names(model, ids, names, n, error);
    sq_lock_give(&model->writing);
    return status;
}

/* ---- Reads: each from one snapshot. ---- */

static int32_t get(const sq_catalogue *catalogue, const int64_t *ids, int64_t n, float *out, seqrec_error *error)
{
    size_t dim = (size_t)catalogue->dim;
    SQ_TRY(check_present(catalogue, ids, n, error));
    for (int64_t i = 0; i < n; i++) {
        const float *row = sq_catalogue_row(catalogue, sq_catalogue_find(catalogue, ids[i]));
        for (int32_t table = 0; table < catalogue->tables; table++, out += dim)
            memcpy(out, row + (size_t)table * (size_t)catalogue->padded, dim * sizeof *out);
    }
    return SEQREC_OK;
}

int32_t seqrec_items_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(out != NULL || n == 0, error, SEQREC_E_ARGUMENT, "out is NULL for n = %lld", (long long)n);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = get(snapshot->catalogue, ids, n, out, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t seqrec_items_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                            seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(slot != NULL, error, SEQREC_E_ARGUMENT, "slot is NULL");
    SQ_CHECK(generation != NULL, error, SEQREC_E_ARGUMENT, "generation is NULL");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const sq_catalogue *catalogue = snapshot->catalogue;
    int32_t found = sq_catalogue_find(catalogue, id);
    if (found >= 0) {
        *slot = found;
        *generation = catalogue->slots[found / SQ_CHUNK_ROWS]->generation[found % SQ_CHUNK_ROWS];
    }
    sq_snapshot_release(model, snapshot);
    return found >= 0 ? SEQREC_OK : missing(id, error);
}

int64_t seqrec_items_count(const seqrec_model *model)
{
    if (sq_model_usable(model, NULL) != SEQREC_OK) return -1;
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int64_t count = snapshot->catalogue->count;
    sq_snapshot_release(model, snapshot);
    return count;
}

int64_t seqrec_items_width(const seqrec_model *model)
{
    if (sq_model_usable(model, NULL) != SEQREC_OK) return -1;
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int64_t width = (int64_t)snapshot->catalogue->dim * snapshot->catalogue->tables;
    sq_snapshot_release(model, snapshot);
    return width;
}

/* Ids of live slots from *slot on, at most `capacity`; *slot moves behind the last slot looked at. */
static int64_t walk(const sq_catalogue *catalogue, int64_t *slot, int64_t *ids, int64_t capacity)
{
    int64_t n = 0, end = (int64_t)catalogue->chunks * SQ_CHUNK_ROWS;
    while (*slot < end && n < capacity) {
        const sq_slots *slots = catalogue->slots[*slot / SQ_CHUNK_ROWS];
        int64_t row = *slot % SQ_CHUNK_ROWS;
        if (row == 0 && slots->live_count == 0) {
            *slot += SQ_CHUNK_ROWS;
            continue;
        }
        if (slots->live[row]) ids[n++] = slots->id[row];
        ++*slot;
    }
    return n;
}

int32_t seqrec_items_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity, int64_t *n,
                          seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(cursor != NULL, error, SEQREC_E_ARGUMENT, "cursor is NULL");
    SQ_CHECK(ids != NULL, error, SEQREC_E_ARGUMENT, "ids is NULL");
    SQ_CHECK(n != NULL, error, SEQREC_E_ARGUMENT, "n is NULL");
    SQ_CHECK(capacity >= 1, error, SEQREC_E_ARGUMENT, "capacity = %lld; it must be at least 1", (long long)capacity);
    SQ_CHECK(*cursor >= 0, error, SEQREC_E_ARGUMENT, "*cursor = %lld; a walk starts at 0", (long long)*cursor);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    *n = walk(snapshot->catalogue, cursor, ids, capacity);
    sq_snapshot_release(model, snapshot);
    return SEQREC_OK;
}

static int32_t give_name(const sq_snapshot *snapshot, int64_t id, char *out, size_t out_bytes, size_t *needed,
                         seqrec_error *error)
{
    const char *name = sq_item_names_get(snapshot->names, id);
    if (name == NULL && sq_catalogue_find(snapshot->catalogue, id) < 0) return missing(id, error);
    SQ_CHECK(name != NULL, error, SEQREC_E_NOT_FOUND, "item %lld has no name", (long long)id);
    return sq_text_out(name, strlen(name), "the name of the item", out, out_bytes, needed, error);
}

int32_t seqrec_items_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                          seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = give_name(snapshot, id, out, out_bytes, needed, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t seqrec_items_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    SQ_CHECK(id != NULL, error, SEQREC_E_ARGUMENT, "id is NULL");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t found = sq_item_names_find(snapshot->names, name, id);
    sq_snapshot_release(model, snapshot);
    SQ_CHECK(found, error, SEQREC_E_NOT_FOUND, "no item is called \"%.100s\"", name);
    return SEQREC_OK;
}
