/* model: which item or user of a model one of a dataset is. */
#include "model/match.h"
#include "data/names.h"
#include "data/number.h"

/* 1 and *id when a row has the number `id` for its name. */
static int32_t find_number(const sq_item_names *names, int64_t *id)
{
    char text[24];
    text[sq_write_integer(text, *id)] = 0;
    return sq_item_names_find(names, text, id);
}

static int32_t match(const sq_catalogue *catalogue, const sq_item_names *names, int64_t id, const char *name)
{
    if (name && sq_item_names_count(names) > 0 && !sq_item_names_find(names, name, &id)) return -1;
    return sq_catalogue_find(catalogue, id);
}

/* What has a number in the data and is told by names: the row whose name is the number, else one that has it for an id and has no name. */
static int32_t match_number(const sq_catalogue *catalogue, const sq_item_names *names, int64_t id)
{
    if (sq_item_names_numbers(names) > 0 && find_number(names, &id)) return sq_catalogue_find(catalogue, id);
    return sq_item_names_get(names, id) ? -1 : sq_catalogue_find(catalogue, id);
}

/* Titles are given to items of any ids, and some title may be a number ("1984"); texts that were read have ids by their order. Of which
 * kind the names are is told by what more of the data's numbers are, names or ids of items with a name, and when as many, by what most
 * names are. An item without a name is met by id either way. */
static int32_t numbers_are_names(const sq_item_names *names, const seqrec_dataset *dataset)
{
    const int64_t numbers = sq_item_names_numbers(names);
    int64_t more = 0;
    for (int64_t i = 0; numbers > 0 && i < dataset->items; i++) {
        int64_t id = dataset->item_ids[i];
        more -= sq_item_names_get(names, id) != NULL;
        more += find_number(names, &id);
    }
    return numbers > 0 && (more > 0 || (more == 0 && numbers * 2 >= sq_item_names_count(names)));
}

sq_item_match sq_match_items(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset)
{
    const int textual = dataset->items > 0 && sq_names_at(&dataset->item_names, 0) != NULL;
    return (sq_item_match){catalogue, names, dataset, !textual && numbers_are_names(names, dataset)};
}

int32_t sq_match_item(const sq_item_match *m, int64_t index)
{
    const int64_t id = m->dataset->item_ids[index];
    if (m->numbers_are_names) return match_number(m->catalogue, m->names, id);
    return match(m->catalogue, m->names, id, sq_names_at(&m->dataset->item_names, index));
}

/* What the dataset's users are told by; no names where two may have the same one. */
static const sq_names *telling_names(const seqrec_dataset *dataset)
{
    static const sq_names none;
    return dataset->users_apart ? &none : &dataset->user_names;
}

/* Numbers of texts that nobody named in the model would meet its users by chance; and so would numbers meet those whom the model was
 * told by name, as all are who have one. The numbers of users kept apart are nobody's names. */
int32_t sq_match_user(const sq_catalogue *users, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index)
{
    const char *name = sq_names_at(telling_names(dataset), index);
    if (name && sq_item_names_count(names) == 0) return -1;
    if (name) return match(users, names, dataset->user_ids[index], name);
    if (!dataset->users_apart) return match_number(users, names, dataset->user_ids[index]);
    return sq_item_names_get(names, dataset->user_ids[index]) ? -1 : sq_catalogue_find(users, dataset->user_ids[index]);
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

int32_t sq_match_times(const seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error)
{
    SQ_CHECK(!model->layout.dated || dataset->timestamps != NULL, error, SEQREC_E_ARGUMENT,
             "%s needs the times of the events: this dataset has no times", sq_layout_dated_by(&model->layout));
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

/* Puts the listed rows; with names when the first has one. A failure may leave the names in the hands of the caller. */
static int32_t put(const sq_catalogue *catalogue, const sq_item_names *names, const additions *a, sq_item_start start,
                   sq_catalogue **out, sq_item_names **out_names, seqrec_error *error)
{
    if (a->names[0]) SQ_TRY(sq_item_names_with(names, a->ids, a->names, a->count, out_names, error));
    return sq_catalogue_put(catalogue, a->ids, a->count, NULL, sq_item_start_fill, &start, out, error);
}

/* What the data has by number is found by number alone, so no other number will do. */
static int32_t check_number(const char *what, const char *held, int64_t id, seqrec_error *error)
{
    SQ_CHECK(!held, error, SEQREC_E_ARGUMENT,
             "%s %lld of the data has the number of the model's %s \"%.40s\": the data tells them by number, the model by name", what,
             (long long)id, what, held);
    return SEQREC_OK;
}

static int32_t add_items(seqrec_model *model, const seqrec_dataset *dataset, additions *a, sq_parts *made, seqrec_error *error)
{
    const sq_parts *now = &model->current->parts;
    const sq_item_match match = sq_match_items(now->catalogue, now->names, dataset);
    SQ_TRY(sq_match_check(now->catalogue, now->names, dataset, error));
    for (int64_t i = 0; i < dataset->items; i++) {
        if (sq_match_item(&match, i) >= 0) continue;
        if (match.numbers_are_names)
            SQ_TRY(check_number("item", sq_item_names_get(now->names, dataset->item_ids[i]), dataset->item_ids[i], error));
        SQ_TRY(list(now->catalogue, dataset->item_ids, dataset->items, &dataset->item_names, i, a, error));
    }
    if (a->count == 0) return SEQREC_OK;
    return put(now->catalogue, now->names, a, sq_item_start_of(model, now->catalogue->count + a->count), &made->catalogue, &made->names,
               error);
}

static int32_t add_users(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n, additions *a,
                         sq_parts *made, seqrec_error *error)
{
    const sq_parts *now = &model->current->parts;
    for (int64_t i = 0; i < n; i++) {
        const int64_t u = users[i];
        if (sq_match_user(now->users, now->user_names, dataset, u) >= 0) continue;
        if (!sq_names_at(telling_names(dataset), u))
            SQ_TRY(check_number("user", sq_item_names_get(now->user_names, dataset->user_ids[u]), dataset->user_ids[u], error));
        SQ_TRY(list(now->users, dataset->user_ids, dataset->users, telling_names(dataset), u, a, error));
    }
    if (a->count == 0) return SEQREC_OK;
    return put(now->users, now->user_names, a, sq_user_start_of(model, now->users->count + a->count), &made->users, &made->user_names,
               error);
}

static int32_t add_both(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n, additions *items,
                        additions *more, seqrec_error *error)
{
    sq_change change = {0};
    int32_t status = add_items(model, dataset, items, &change.parts, error);
    if (status == SEQREC_OK) status = add_users(model, dataset, users, n, more, &change.parts, error);
    if (status == SEQREC_OK && (change.parts.catalogue || change.parts.users)) return sq_model_publish(model, change, error);
    sq_parts_drop(&model->context->memory, &change.parts);
    return status;
}

static int32_t additions_open(const sq_memory *memory, int64_t n, additions *a, seqrec_error *error)
{
    *a = (additions){.ids = sq_alloc(memory, (size_t)n, sizeof *a->ids), .names = sq_alloc(memory, (size_t)n, sizeof *a->names), .highest = -1};
    SQ_CHECK(a->ids && a->names, error, SEQREC_E_MEMORY, "no memory for %lld ids", (long long)n);
    return SEQREC_OK;
}

static void additions_close(const sq_memory *memory, additions *a)
{
    sq_free(memory, a->ids);
    sq_free(memory, a->names);
}

int32_t sq_match_add(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n, seqrec_error *error)
{
    const sq_memory *memory = &model->context->memory;
    additions items = {0}, more = {0};
    int32_t status = additions_open(memory, dataset->items, &items, error);
    if (status == SEQREC_OK) status = additions_open(memory, n, &more, error);
    if (status == SEQREC_OK) {
        sq_lock_take(&model->writing);
        status = add_both(model, dataset, users, n, &items, &more, error);
        sq_lock_give(&model->writing);
    }
    additions_close(memory, &items);
    additions_close(memory, &more);
    return status;
}
