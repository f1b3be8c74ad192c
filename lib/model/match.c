/* model: which item or user of a model one of a dataset is. */
#include "model/match.h"
#include "data/names.h"

static int32_t match(const sq_catalogue *catalogue, const sq_item_names *names, int64_t id, const char *name)
{
    if (name && sq_item_names_count(names) > 0 && !sq_item_names_find(names, name, &id)) return -1;
    return sq_catalogue_find(catalogue, id);
}

int32_t sq_match_item(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index)
{
    return match(catalogue, names, dataset->item_ids[index], sq_names_at(&dataset->item_names, index));
}

/* What the dataset's users are told by; no names where two may have the same one. */
static const sq_names *telling_names(const seqrec_dataset *dataset)
{
    static const sq_names none;
    return dataset->users_apart ? &none : &dataset->user_names;
}

/* Numbers of texts that nobody named in the model would meet its users by chance; and so would numbers of users kept apart meet those
 * whom the model was told by name. */
int32_t sq_match_user(const sq_catalogue *users, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index)
{
    const char *name = sq_names_at(telling_names(dataset), index);
    if (name && sq_item_names_count(names) == 0) return -1;
    if (dataset->users_apart && sq_item_names_get(names, dataset->user_ids[index])) return -1;
    return match(users, names, dataset->user_ids[index], name);
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

/* ---- adding what the model lacks ------------------------------------------------------------------------------------ */

/* The rows to add to a table. */
typedef struct additions {
    int64_t *ids;
    const char **names;
    int64_t count;
    int64_t highest; /* id that the table, the dataset or a listed row uses; -1: not looked for yet */
} additions;

/* At least `least`. */
static int64_t highest_of(const int64_t *ids, int64_t n, int64_t least)
{
    for (int64_t i = 0; i < n; i++)
        if (ids[i] > least) least = ids[i];
    return least;
}

static int64_t highest_in(const sq_catalogue *c)
{
    int64_t highest = 0;
    for (int32_t k = 0; k < c->chunks; k++)
        for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
            if (c->slots[k]->live[r] && c->slots[k]->id[r] > highest) highest = c->slots[k]->id[r];
    return highest;
}

/* Lists row `at` of the dataset's n, under an id above all where its own is taken: not one of the dataset's either, which may be
 * far above their number. */
static int32_t list(const sq_catalogue *catalogue, const int64_t *ids, int64_t n, const sq_names *names, int64_t at,
                    additions *a, seqrec_error *error)
{
    int64_t id = ids[at];
    if (sq_catalogue_find(catalogue, id) >= 0) {
        if (a->highest < 0) a->highest = highest_of(ids, n, highest_in(catalogue));
        SQ_CHECK(a->highest < INT64_MAX, error, SEQREC_E_RANGE, "no ids above %lld are left for new names",
                 (long long)a->highest);
        id = ++a->highest;
    }
    a->ids[a->count] = id;
    a->names[a->count++] = sq_names_at(names, at);
    return SEQREC_OK;
}

/* Puts the listed rows; with names when the first has one. */
static int32_t put(const sq_catalogue *catalogue, const sq_item_names *names, const additions *a, sq_item_start start,
                   sq_catalogue **out, sq_item_names **out_names, seqrec_error *error)
{
    if (a->names[0]) SQ_TRY(sq_item_names_with(names, a->ids, a->names, a->count, out_names, error));
    int32_t status = sq_catalogue_put(catalogue, a->ids, a->count, NULL, sq_item_start_fill, &start, out, error);
    if (status != SEQREC_OK) sq_item_names_release(*out_names);
    return status;
}

static int32_t add_items(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *which, int64_t n,
                         additions *a, seqrec_error *error)
{
    const sq_snapshot *now = model->current;
    sq_change change = {0};
    (void)which;
    SQ_TRY(sq_match_check(now->catalogue, now->names, dataset, error));
    for (int64_t i = 0; i < n; i++)
        if (sq_match_item(now->catalogue, now->names, dataset, i) < 0)
            SQ_TRY(list(now->catalogue, dataset->item_ids, n, &dataset->item_names, i, a, error));
    if (a->count == 0) return SEQREC_OK;
    SQ_TRY(put(now->catalogue, now->names, a, sq_item_start_of(model, now->catalogue->count + a->count),
               &change.catalogue, &change.names, error));
    return sq_model_publish(model, change, error);
}

/* A user kept apart is found by number alone, so no other number will do. */
static int32_t check_number(const sq_item_names *names, const seqrec_dataset *dataset, int64_t user, seqrec_error *error)
{
    const char *held = dataset->users_apart ? sq_item_names_get(names, dataset->user_ids[user]) : NULL;
    SQ_CHECK(!held, error, SEQREC_E_ARGUMENT,
             "user %lld of the data has the number of the model's user \"%.40s\": users kept apart are told by number",
             (long long)dataset->user_ids[user], held);
    return SEQREC_OK;
}

static int32_t add_users(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *which, int64_t n,
                         additions *a, seqrec_error *error)
{
    const sq_snapshot *now = model->current;
    sq_change change = {0};
    for (int64_t i = 0; i < n; i++) {
        if (sq_match_user(now->users, now->user_names, dataset, which[i]) >= 0) continue;
        SQ_TRY(check_number(now->user_names, dataset, which[i], error));
        SQ_TRY(list(now->users, dataset->user_ids, dataset->users, telling_names(dataset), which[i], a, error));
    }
    if (a->count == 0) return SEQREC_OK;
    SQ_TRY(put(now->users, now->user_names, a, sq_user_start_of(model, now->users->count + a->count), &change.users,
               &change.user_names, error));
    return sq_model_publish(model, change, error);
}

/* Runs one of the two under the writers' lock with room for n additions. */
static int32_t add(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *which, int64_t n,
                   int32_t (*how)(seqrec_model *, const seqrec_dataset *, const int64_t *, int64_t, additions *,
                                  seqrec_error *),
                   seqrec_error *error)
{
    const sq_memory *memory = &model->context->memory;
    additions a = {.ids = sq_alloc(memory, (size_t)n, sizeof *a.ids),
                   .names = sq_alloc(memory, (size_t)n, sizeof *a.names),
                   .highest = -1};
    int32_t status = SEQREC_OK;
    sq_lock_take(&model->writing);
    if (a.ids && a.names)
        status = how(model, dataset, which, n, &a, error);
    else
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for %lld ids", (long long)n);
    sq_lock_give(&model->writing);
    sq_free(memory, a.ids);
    sq_free(memory, a.names);
    return status;
}

int32_t sq_match_times(const seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error)
{
    SQ_CHECK(!model->layout.dated || dataset->timestamps != NULL, error, SEQREC_E_ARGUMENT,
             "%s needs the times of the events: this dataset has no times", sq_layout_dated_by(&model->layout));
    return SEQREC_OK;
}

int32_t sq_match_add(seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error)
{
    return add(model, dataset, NULL, dataset->items, add_items, error);
}

int32_t sq_match_add_users(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n,
                           seqrec_error *error)
{
    return add(model, dataset, users, n, add_users, error);
}
