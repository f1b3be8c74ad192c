/* data: several datasets as one: items matched by id or name, users too unless they are kept apart. */
#include "data/dataset.h"
#include "data/names.h"
#include <string.h>

/* Working memory of one join; columns are filled part after part. */
typedef struct joining {
    const seqrec_dataset *const *parts;
    int64_t count;
    int32_t apart; /* 1: a user of one part is none of another */
    sq_interner users, items;
    sq_names stacked; /* apart: the parts' user names one after another */
    int64_t all_users, all_events;
    int32_t *user, *item; /* [all_events] */
    int64_t *times;       /* [all_events], used where all parts have times */
    float *values;        /* the same for values */
    int32_t timed, valued;
    int32_t *item_index; /* [items of the largest part] */
} joining;

static const sq_names *names_of(const seqrec_dataset *part, int32_t items)
{
    return items ? &part->item_names : &part->user_names;
}

/* A name is matched with names only; parts without events are neither. */
static int32_t check_names(joining *j, int32_t items, seqrec_error *error)
{
    int64_t named = -1, unnamed = -1;
    for (int64_t p = 0; p < j->count; p++) {
        if (j->parts[p]->events == 0) continue;
        *(names_of(j->parts[p], items)->offsets != NULL ? &named : &unnamed) = p;
    }
    SQ_CHECK(named < 0 || unnamed < 0, error, SEQREC_E_ARGUMENT,
             "parts[%lld] has names of %s and parts[%lld] has numbers: they cannot be matched", (long long)named,
             items ? "items" : "users", (long long)unnamed);
    (items ? &j->items : &j->users)->textual = named >= 0; /* also where all names that are left look like numbers */
    return SEQREC_OK;
}

/* Users of a part that are apart already have nothing to be matched by. */
static int32_t check_apart(const joining *j, seqrec_error *error)
{
    for (int64_t p = 0; p < j->count && !j->apart; p++)
        SQ_CHECK(!j->parts[p]->users_apart || j->parts[p]->events == 0, error, SEQREC_E_ARGUMENT,
                 "the users of parts[%lld] are apart: they can only be joined apart", (long long)p);
    return SEQREC_OK;
}

/* Events that some parts have a time of and others not have no common order. */
static int32_t check_times(joining *j, seqrec_error *error)
{
    int64_t timed = -1, untimed = -1;
    j->valued = 1;
    for (int64_t p = 0; p < j->count; p++) {
        if (j->parts[p]->events == 0) continue;
        *(j->parts[p]->timestamps != NULL ? &timed : &untimed) = p;
        if (j->parts[p]->values == NULL) j->valued = 0;
    }
    SQ_CHECK(timed < 0 || untimed < 0, error, SEQREC_E_ARGUMENT,
             "parts[%lld] has timestamps and parts[%lld] has none: their events have no common order", (long long)timed,
             (long long)untimed);
    j->timed = timed >= 0;
    return SEQREC_OK;
}

static int32_t reserve(joining *j, const sq_memory *memory, seqrec_error *error)
{
    int64_t most = 0;
    for (int64_t p = 0; p < j->count; p++) {
        j->all_users += j->parts[p]->users;
        j->all_events += j->parts[p]->events;
        if (j->parts[p]->items > most) most = j->parts[p]->items;
        SQ_CHECK(j->all_events <= INT32_MAX, error, SEQREC_E_RANGE,
                 "the parts up to parts[%lld] have %lld events, more than %d", (long long)p, (long long)j->all_events,
                 INT32_MAX);
    }
    j->user = sq_alloc(memory, (size_t)j->all_events, sizeof *j->user);
    j->item = sq_alloc(memory, (size_t)j->all_events, sizeof *j->item);
    j->times = sq_alloc(memory, j->timed ? (size_t)j->all_events : 0, sizeof *j->times);
    j->values = sq_alloc(memory, j->valued ? (size_t)j->all_events : 0, sizeof *j->values);
    j->item_index = sq_alloc(memory, (size_t)most, sizeof *j->item_index);
    SQ_CHECK(j->user != NULL && j->item != NULL && j->times != NULL && j->values != NULL && j->item_index != NULL,
             error, SEQREC_E_MEMORY, "no memory for joining %lld events", (long long)j->all_events);
    return SEQREC_OK;
}

/* Index of what the part calls `at`: by name where it has names, else by id. */
static int32_t intern(sq_interner *interner, const sq_names *names, int64_t at, int64_t id, int32_t *index,
                      seqrec_error *error)
{
    if (names->offsets == NULL) return sq_intern_id(interner, id, index, error);
    size_t bytes = (size_t)(names->offsets[at + 1] - names->offsets[at] - 1);
    return sq_intern_text(interner, names->bytes + names->offsets[at], bytes, index, error);
}

/* One part's events behind those at `*used`. Its catalogue is walked by rising id: of named items that is the order in which
 * its file named them, so that the joined ids are those of one file with all lines. */
static int32_t add_part(joining *j, const seqrec_dataset *part, int64_t users_before, int64_t *used,
                        seqrec_error *error)
{
    for (int64_t i = 0; i < part->items; i++)
        SQ_TRY(intern(&j->items, &part->item_names, i, part->item_ids[i], &j->item_index[i], error));
    for (int64_t u = 0; u < part->users; u++) {
        int32_t user = (int32_t)(users_before + u);
        if (!j->apart) SQ_TRY(intern(&j->users, &part->user_names, u, part->user_ids[u], &user, error));
        for (int64_t e = part->offsets[u]; e < part->offsets[u + 1]; e++) {
            j->user[*used] = user;
            j->item[*used] = j->item_index[part->sequence[e]];
            if (j->timed) j->times[*used] = part->timestamps[e];
            if (j->valued) j->values[*used] = part->values[e];
            ++*used;
        }
    }
    return SEQREC_OK;
}

/* Names of users that are kept apart, in their new order; none where the parts have none. */
static int32_t stack_names(joining *j, const sq_memory *memory, seqrec_error *error)
{
    int64_t bytes = 0, user = 0;
    for (int64_t p = 0; p < j->count; p++)
        if (j->parts[p]->user_names.offsets != NULL) bytes += j->parts[p]->user_names.offsets[j->parts[p]->users];
    if (bytes == 0) return SEQREC_OK;
    j->stacked.bytes = sq_alloc(memory, (size_t)bytes, 1);
    j->stacked.offsets = sq_alloc(memory, (size_t)j->all_users + 1, sizeof *j->stacked.offsets);
    SQ_CHECK(j->stacked.bytes != NULL && j->stacked.offsets != NULL, error, SEQREC_E_MEMORY, "no memory for %lld names",
             (long long)j->all_users);
    j->stacked.count = j->all_users;
    j->stacked.offsets[0] = 0;
    for (int64_t p = 0; p < j->count; p++) {
        const sq_names *names = &j->parts[p]->user_names;
        int64_t base = j->stacked.offsets[user];
        if (j->parts[p]->users == 0) continue;
        memcpy(j->stacked.bytes + base, names->bytes, (size_t)names->offsets[j->parts[p]->users]);
        for (int64_t u = 0; u < j->parts[p]->users; u++) j->stacked.offsets[++user] = base + names->offsets[u + 1];
    }
    return SEQREC_OK;
}

static int32_t build_joined(joining *j, seqrec_context *context, seqrec_dataset **out, seqrec_error *error)
{
    int64_t used = 0, users = 0;
    SQ_TRY(check_names(j, 1, error));
    SQ_TRY(check_names(j, 0, error));
    SQ_TRY(check_apart(j, error));
    SQ_TRY(check_times(j, error));
    SQ_TRY(reserve(j, &context->memory, error));
    for (int64_t p = 0; p < j->count; users += j->parts[p++]->users)
        SQ_TRY(add_part(j, j->parts[p], users, &used, error));
    if (j->apart) SQ_TRY(stack_names(j, &context->memory, error));
    sq_build build = {.users = j->apart ? users : j->users.count,
                      .items = j->items.count,
                      .events = used,
                      .user_ids = j->users.ids, /* NULL where users have names or are apart: numbered from 1 */
                      .item_ids = j->items.ids,
                      .user_names = j->apart ? &j->stacked : &j->users.names,
                      .item_names = &j->items.names,
                      .users_apart = j->apart,
                      .user = j->user,
                      .item = j->item,
                      .timestamps = j->timed ? j->times : NULL,
                      .values = j->valued ? j->values : NULL};
    return sq_dataset_build(context, &build, out, error);
}

int32_t sq_dataset_join(const seqrec_dataset *const *parts, int64_t count, int32_t apart, seqrec_dataset **out,
                        seqrec_error *error)
{
    seqrec_context *context = parts[0]->context;
    const sq_memory *memory = &context->memory;
    joining j = {
        .parts = parts, .count = count, .apart = apart, .users = {.memory = memory}, .items = {.memory = memory}};
    int32_t status = build_joined(&j, context, out, error);
    sq_interner_free(&j.users);
    sq_interner_free(&j.items);
    sq_names_free(&j.stacked, memory);
    sq_free(memory, j.user);
    sq_free(memory, j.item);
    sq_free(memory, j.times);
    sq_free(memory, j.values);
    sq_free(memory, j.item_index);
    return status;
}
