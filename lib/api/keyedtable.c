/* api: the calls on a keyed table of a live model, for items and for users. */
#include "api/keyedtable.h"
#include <string.h>
#include "api/textout.h"

static const sq_catalogue *table_of(const sq_snapshot *snapshot, int32_t of)
{
    return of == SQ_OF_USERS ? snapshot->parts.users : snapshot->parts.catalogue;
}

static const sq_item_names *names_of(const sq_snapshot *snapshot, int32_t of)
{
    return of == SQ_OF_USERS ? snapshot->parts.user_names : snapshot->parts.names;
}

/* A change of one table; NULL parts stay. */
static sq_change change_of(int32_t of, sq_catalogue *table, sq_item_names *names)
{
    if (of == SQ_OF_USERS) return (sq_change){.parts.users = table, .parts.user_names = names};
    return (sq_change){.parts.catalogue = table, .parts.names = names};
}

/* ---- Changes: each builds the next table from the published one. ---- */

static int32_t put(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                   seqrec_error *error)
{
    const sq_catalogue *base = table_of(model->current, of);
    const int64_t total = n < INT32_MAX ? base->count + n : n; /* put refuses more than there is room for */
    sq_item_start start = of == SQ_OF_USERS ? sq_user_start_of(model, total) : sq_item_start_of(model, total);
    sq_catalogue *made = NULL;
    SQ_TRY(sq_catalogue_put(base, ids, n, vectors, sq_item_start_fill, &start, &made, error));
    return sq_model_publish(model, change_of(of, made, NULL), error);
}

int32_t sq_keyed_put(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                     seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = put(model, of, ids, n, vectors, error);
    sq_lock_give(&model->writing);
    return status;
}

static int32_t update(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                      seqrec_error *error)
{
    sq_catalogue *made = NULL;
    SQ_TRY(sq_catalogue_update(table_of(model->current, of), ids, n, vectors, &made, error));
    return sq_model_publish(model, change_of(of, made, NULL), error);
}

int32_t sq_keyed_update(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                        seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(vectors != NULL || n == 0, error, SEQREC_E_ARGUMENT, "vectors is NULL for n = %lld", (long long)n);
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = update(model, of, ids, n, vectors, error);
    sq_lock_give(&model->writing);
    return status;
}

/* Names go with their rows. */
static int32_t remove_rows(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, seqrec_error *error)
{
    const sq_item_names *names = names_of(model->current, of);
    sq_catalogue *table = NULL;
    sq_item_names *fewer = NULL;
    SQ_TRY(sq_catalogue_remove(table_of(model->current, of), ids, n, &table, error));
    if (sq_item_names_count(names) > 0) {
        int32_t status = sq_item_names_without(names, ids, n, &fewer, error);
        if (status != SEQREC_OK) {
            sq_catalogue_release(table);
            return status;
        }
    }
    return sq_model_publish(model, change_of(of, table, fewer), error);
}

int32_t sq_keyed_remove(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    if (n == 0) return SEQREC_OK;
    sq_lock_take(&model->writing);
    int32_t status = remove_rows(model, of, ids, n, error);
    sq_lock_give(&model->writing);
    return status;
}

static int32_t missing(const sq_catalogue *table, int64_t id, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_NOT_FOUND, "there is no %s %lld", table->kind->name, (long long)id);
}

static int32_t check_present(const sq_catalogue *table, const int64_t *ids, int64_t n, seqrec_error *error)
{
    for (int64_t i = 0; i < n; i++)
        if (sq_catalogue_find(table, ids[i]) < 0) return missing(table, ids[i], error);
    return SEQREC_OK;
}

static int32_t set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n, seqrec_error *error)
{
    sq_item_names *made = NULL;
    SQ_TRY(check_present(model->current->parts.catalogue, ids, n, error));
    SQ_TRY(sq_item_names_with(model->current->parts.names, ids, names, n, &made, error));
    return sq_model_publish(model, (sq_change){.parts.names = made}, error);
}

int32_t sq_keyed_set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n, seqrec_error *error)
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

/* ---- Reads. ---- */

static int32_t get(const sq_catalogue *table, const int64_t *ids, int64_t n, float *out, seqrec_error *error)
{
    size_t dim = (size_t)table->dim;
    SQ_TRY(check_present(table, ids, n, error));
    for (int64_t i = 0; i < n; i++) {
        const float *row = sq_catalogue_row(table, sq_catalogue_find(table, ids[i]));
        for (int32_t t = 0; t < table->tables; t++, out += dim)
            memcpy(out, row + (size_t)t * (size_t)table->padded, dim * sizeof *out);
    }
    return SEQREC_OK;
}

int32_t sq_keyed_get(const seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, float *out,
                     seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(out != NULL || n == 0, error, SEQREC_E_ARGUMENT, "out is NULL for n = %lld", (long long)n);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = get(table_of(snapshot, of), ids, n, out, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t sq_keyed_locate(const seqrec_model *model, int32_t of, int64_t id, int32_t *slot, int32_t *generation,
                        seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(slot != NULL, error, SEQREC_E_ARGUMENT, "slot is NULL");
    SQ_CHECK(generation != NULL, error, SEQREC_E_ARGUMENT, "generation is NULL");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const sq_catalogue *table = table_of(snapshot, of);
    int32_t found = sq_catalogue_find(table, id);
    int32_t status = found >= 0 ? SEQREC_OK : missing(table, id, error);
    if (found >= 0) {
        *slot = found;
        *generation = sq_catalogue_generation(table, found);
    }
    sq_snapshot_release(model, snapshot);
    return status;
}

int64_t sq_keyed_count(const seqrec_model *model, int32_t of)
{
    if (sq_model_usable(model, NULL) != SEQREC_OK) return -1;
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int64_t count = table_of(snapshot, of)->count;
    sq_snapshot_release(model, snapshot);
    return count;
}

int64_t sq_keyed_width(const seqrec_model *model, int32_t of)
{
    if (sq_model_usable(model, NULL) != SEQREC_OK) return -1;
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int64_t width = (int64_t)table_of(snapshot, of)->dim * table_of(snapshot, of)->tables;
    sq_snapshot_release(model, snapshot);
    return width;
}

/* Ids of live slots from *slot on, at most `capacity`; *slot moves behind the last slot looked at. */
static int64_t walk(const sq_catalogue *table, int64_t *slot, int64_t *ids, int64_t capacity)
{
    int64_t n = 0, end = (int64_t)table->chunks * SQ_CHUNK_ROWS;
    while (*slot < end && n < capacity) {
        const sq_slots *slots = table->slots[*slot / SQ_CHUNK_ROWS];
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

int32_t sq_keyed_next(const seqrec_model *model, int32_t of, int64_t *cursor, int64_t *ids, int64_t capacity,
                      int64_t *n, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(cursor != NULL, error, SEQREC_E_ARGUMENT, "cursor is NULL");
    SQ_CHECK(ids != NULL, error, SEQREC_E_ARGUMENT, "ids is NULL");
    SQ_CHECK(n != NULL, error, SEQREC_E_ARGUMENT, "n is NULL");
    SQ_CHECK(capacity >= 1, error, SEQREC_E_ARGUMENT, "capacity = %lld; it must be at least 1", (long long)capacity);
    SQ_CHECK(*cursor >= 0, error, SEQREC_E_ARGUMENT, "*cursor = %lld; a walk starts at 0", (long long)*cursor);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    *n = walk(table_of(snapshot, of), cursor, ids, capacity);
    sq_snapshot_release(model, snapshot);
    return SEQREC_OK;
}

static int32_t give_name(const sq_snapshot *snapshot, int32_t of, int64_t id, char *out, size_t out_bytes,
                         size_t *needed, seqrec_error *error)
{
    const sq_catalogue *table = table_of(snapshot, of);
    const char *name = sq_item_names_get(names_of(snapshot, of), id);
    if (name == NULL && sq_catalogue_find(table, id) < 0) return missing(table, id, error);
    SQ_CHECK(name != NULL, error, SEQREC_E_NOT_FOUND, "%s %lld has no name", table->kind->name, (long long)id);
    return sq_text_out(name, strlen(name), of == SQ_OF_USERS ? "the name of the user" : "the name of the item", out,
                       out_bytes, needed, error);
}

int32_t sq_keyed_name(const seqrec_model *model, int32_t of, int64_t id, char *out, size_t out_bytes, size_t *needed,
                      seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = give_name(snapshot, of, id, out, out_bytes, needed, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t sq_keyed_find(const seqrec_model *model, int32_t of, const char *name, int64_t *id, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    SQ_CHECK(id != NULL, error, SEQREC_E_ARGUMENT, "id is NULL");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t found = sq_item_names_find(names_of(snapshot, of), name, id);
    sq_snapshot_release(model, snapshot);
    SQ_CHECK(found, error, SEQREC_E_NOT_FOUND, "no %s is called \"%.100s\"", of == SQ_OF_USERS ? "user" : "item", name);
    return SEQREC_OK;
}
