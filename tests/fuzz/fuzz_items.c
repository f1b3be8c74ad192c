/* fuzz: bytes as calls on an item table and its names, held against a naive model; every allocation may fail. */
#include <stdio.h>
#include <string.h>
#include "item_table.h"
#include "model/itemnames.h"

enum { KEYS = 64, BATCH = 8, DIM = 2 };

typedef struct naive {
    int32_t live[KEYS], name[KEYS]; /* name -1: none */
    float vector[KEYS][DIM];
    int64_t count;
} naive;

typedef struct run {
    item_table table;
    sq_item_names *names;
    naive model;
    sq_catalogue *old; /* a reader's table, or NULL */
    sq_item_names *old_names;
    naive old_model;
    const uint8_t *at, *end;
} run;

/* One call as the bytes describe it. */
typedef struct request {
    int64_t n, ids[BATCH];
    int32_t keys[BATCH], texts[BATCH];
    float vectors[BATCH][DIM];
} request;

static uint8_t next(run *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

static void require(int32_t holds)
{
    if (!holds) __builtin_trap();
}

/* Extremes first, then ids that look alike. */
static int64_t id_of(int32_t key)
{
    static const int64_t odd[] = {INT64_MIN, INT64_MAX, -1, 0, 1, INT32_MIN, INT32_MAX, INT64_MIN + 1};
    return key < 8 ? odd[key] : (int64_t)key << (key % 48);
}

static const char *text_of(char *text, int32_t number)
{
    snprintf(text, 64, number % 2 ? "%d" : "a name that is rather longer, number %d", (int)number);
    return text;
}

static request read_request(run *r)
{
    request q = {0};
    q.n = next(r) % (BATCH + 1);
    for (int64_t i = 0; i < q.n; i++) {
        uint8_t value = next(r);
        q.keys[i] = next(r) % KEYS;
        q.ids[i] = id_of(q.keys[i]);
        q.texts[i] = value % 32;
        q.vectors[i][0] = (float)value;
        q.vectors[i][1] = value == 255 ? __builtin_nanf("") : -(float)value;
    }
    return q;
}

static int32_t some_id_twice(const request *q)
{
    for (int64_t i = 0; i < q->n; i++) {
        for (int64_t j = 0; j < i; j++) {
            if (q->keys[i] == q->keys[j]) return 1;
        }
    }
    return 0;
}

static int32_t expected_of(const naive *model, const request *q, int32_t wanted_live, int32_t missing)
{
    int32_t status = some_id_twice(q) ? SEQREC_E_ARGUMENT : SEQREC_OK;
    for (int64_t i = 0; i < q->n; i++) {
        if (model->live[q->keys[i]] != wanted_live) return missing;
        if (q->vectors[i][1] != q->vectors[i][1]) status = SEQREC_E_ARGUMENT;
    }
    return status;
}

/* True when the call went well and the model has to follow; a failure must be the expected one, or lack of memory. */
static int32_t went_well(int32_t status, int32_t expected, int32_t starved)
{
    if (starved && status == SEQREC_E_MEMORY) return 0;
    require(status == expected);
    return status == SEQREC_OK;
}

static void set_vectors(naive *model, const request *q)
{
    for (int64_t i = 0; i < q->n; i++) memcpy(model->vector[q->keys[i]], q->vectors[i], sizeof q->vectors[i]);
}

static void set_live(naive *model, const request *q, int32_t live)
{
    for (int64_t i = 0; i < q->n; i++) {
        model->live[q->keys[i]] = live;
        if (!live) model->name[q->keys[i]] = -1;
    }
    model->count += live ? q->n : -q->n;
}

static void do_put(run *r, const request *q, int32_t starved)
{
    int32_t expected = expected_of(&r->model, q, 0, SEQREC_E_EXISTS);
    if (!went_well(table_put(&r->table, q->ids, q->n, q->vectors[0]), expected, starved)) return;
    set_live(&r->model, q, 1);
    set_vectors(&r->model, q);
}

static void do_update(run *r, const request *q, int32_t starved)
{
    int32_t expected = expected_of(&r->model, q, 1, SEQREC_E_NOT_FOUND);
    if (went_well(table_update(&r->table, q->ids, q->n, q->vectors[0]), expected, starved)) set_vectors(&r->model, q);
}

/* Both parts or neither, as a model does it. */
static void do_remove(run *r, request *q, int32_t starved)
{
    sq_item_names *names = NULL;
    for (int64_t i = 0; i < q->n; i++) q->vectors[i][1] = 0;
    int32_t expected = expected_of(&r->model, q, 1, SEQREC_E_NOT_FOUND);
    if (sq_item_names_without(r->names, q->ids, q->n, &names, NULL) != SEQREC_OK) {
        require(starved);
        return;
    }
    if (!went_well(table_remove(&r->table, q->ids, q->n), expected, starved)) {
        sq_item_names_release(names);
        return;
    }
    sq_item_names_release(r->names);
    r->names = names;
    set_live(&r->model, q, 0);
}

static int32_t expected_of_names(const naive *model, const request *q)
{
    naive after = *model;
    int32_t status = SEQREC_OK;
    for (int64_t i = 0; i < q->n; i++) after.name[q->keys[i]] = -1;
    for (int64_t i = 0; i < q->n && status == SEQREC_OK; i++) {
        if (after.name[q->keys[i]] >= 0) return SEQREC_E_ARGUMENT;
        for (int32_t key = 0; key < KEYS; key++) {
            if (after.name[key] == q->texts[i]) status = SEQREC_E_EXISTS;
        }
        after.name[q->keys[i]] = q->texts[i];
    }
    return status;
}

static void do_name(run *r, const request *q, int32_t starved)
{
    char texts[BATCH][64];
    const char *names[BATCH];
    sq_item_names *made = NULL;
    for (int64_t i = 0; i < q->n; i++) names[i] = text_of(texts[i], q->texts[i]);
    int32_t status = sq_item_names_with(r->names, q->ids, names, q->n, &made, NULL);
    if (!went_well(status, expected_of_names(&r->model, q), starved)) return;
    sq_item_names_release(r->names);
    r->names = made;
    for (int64_t i = 0; i < q->n; i++) r->model.name[q->keys[i]] = q->texts[i];
}

static void check_key(const sq_catalogue *items, const sq_item_names *names, const naive *model, int32_t key)
{
    char text[64];
    int64_t id = id_of(key), found = ~id;
    int32_t slot = sq_catalogue_find(items, id);
    require((slot >= 0) == model->live[key]);
    if (slot >= 0) require(memcmp(sq_catalogue_row(items, slot), model->vector[key], sizeof model->vector[key]) == 0);
    const char *name = sq_item_names_get(names, id);
    require((name != NULL) == (model->name[key] >= 0));
    if (!name) return;
    require(strcmp(name, text_of(text, model->name[key])) == 0);
    require(sq_item_names_find(names, name, &found) && found == id);
}

static void check(const sq_catalogue *items, const sq_item_names *names, const naive *model)
{
    require(items->count == model->count);
    for (int32_t key = 0; key < KEYS; key++) check_key(items, names, model, key);
}

static void drop_old(run *r)
{
    sq_catalogue_release(r->old);
    sq_item_names_release(r->old_names);
    r->old = NULL;
    r->old_names = NULL;
}

static void keep_old(run *r)
{
    if (r->old) check(r->old, r->old_names, &r->old_model);
    drop_old(r);
    r->old = sq_catalogue_retain(r->table.now);
    r->old_names = sq_item_names_retain(r->names);
    r->old_model = r->model;
}

static void step(run *r)
{
    uint8_t kind = next(r);
    int32_t starved = kind >= 200;
    request q = read_request(r);
    if (starved) atomic_store(&r->table.memory.to_fail, kind - 200);
    switch (kind % 5) {
    case 0:
        do_put(r, &q, starved);
        break;
    case 1:
        do_update(r, &q, starved);
        break;
    case 2:
        do_remove(r, &q, starved);
        break;
    case 3:
        do_name(r, &q, starved);
        break;
    default:
        keep_old(r);
    }
    atomic_store(&r->table.memory.to_fail, -1);
    for (int64_t i = 0; i < q.n; i++) check_key(r->table.now, r->names, &r->model, q.keys[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run r;
    memset(&r, 0, sizeof r);
    for (int32_t key = 0; key < KEYS; key++) r.model.name[key] = -1;
    r.at = data;
    r.end = data + size;
    require(table_open(&r.table, DIM, 1) == SEQREC_OK);
    require(sq_item_names_create(r.table.context, &r.names, NULL) == SEQREC_OK);
    while (r.at < r.end) step(&r);
    keep_old(&r);
    check(r.table.now, r.names, &r.model);
    require(!table_fault(r.table.now));
    drop_old(&r);
    sq_item_names_release(r.names);
    require(table_close(&r.table) == 0);
    return 0;
}
