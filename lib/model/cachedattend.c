/* model: attention of one block where its tokens join a cached sequence. */
#include "model/blockpass.h"
#include "position/interval.h"
#include <string.h>

typedef struct rows {
    const float **keys, **values;
    size_t count;
} rows;

static void add(rows *r, const float *key, const float *value)
{
    r->keys[r->count] = key;
    r->values[r->count++] = value;
}

/* Tokens from .. to - 1 of a ring. */
static void add_cached(const sq_block_pass *a, const sq_token_cache *cache, int64_t from, int64_t to, rows *r)
{
    const float *keys = sq_token_cache_rows(cache, a->l, a->block, 0), *values = sq_token_cache_rows(cache, a->l, a->block, 1);
    int64_t row = from < to ? (from - cache->first) % cache->capacity : 0;
    for (int64_t t = from; t < to; t++, row = row + 1 == cache->capacity ? 0 : row + 1)
        add(r, keys + (size_t)row * a->hp, values + (size_t)row * a->hp);
}

static void add_own(const sq_block_pass *a, size_t row, rows *r)
{
    const float *own = a->s->qkv + row * 3 * a->hp;
    add(r, own + a->hp, own + 2 * a->hp);
}

/* What stands between the cached tokens and row `row`, from place `from` on. */
static void add_between(const sq_block_pass *a, size_t row, int64_t from, int64_t to, rows *r)
{
    const sq_extension *x = a->extension;
    for (int64_t t = from; t < to; t++) {
        const int64_t i = t - x->cache->next;
        if (!x->apart)
            add_own(a, (size_t)i, r);
        else
            add_cached(a, &x->branches->store, x->branches->trails[row][i], x->branches->trails[row][i] + 1, r);
    }
}

/* What row `row` of the pass sees, oldest first, as the first head has it. */
static size_t seen_by(const sq_block_pass *a, size_t row)
{
    const sq_extension *x = a->extension;
    const int64_t next = x->cache->next, t = sq_extension_place(x, (int64_t)row);
    const int64_t oldest = t - x->span + 1 > x->cache->first ? t - x->span + 1 : x->cache->first;
    rows seen = {x->keys, x->values, 0};
    add_cached(a, x->cache, oldest, t < next ? t : next, &seen);
    add_between(a, row, oldest > next ? oldest : next, t, &seen);
    add_own(a, row, &seen);
    return seen.count;
}

static void next_head(const sq_block_pass *a, size_t seen)
{
    for (size_t j = 0; j < seen; j++) {
        a->extension->keys[j] += a->l->dhp;
        a->extension->values[j] += a->l->dhp;
    }
}

/* The terms by time of the keys that row `row` sees; NULL: the model has none. */
static const sq_relation *timed_of(const sq_block_pass *a, const sq_relations *relations, size_t row, size_t seen, sq_relation *to)
{
    sq_extension *x = a->extension;
    if (!a->l->timed) return NULL;
    const int64_t oldest = sq_extension_place(x, (int64_t)row) + 1 - (int64_t)seen;
    sq_time_buckets(x->times + (oldest - x->timed_from), seen, x->asks[row], x->index);
    *to = sq_timed_relation_of_head(a->l, a->net->weights, 0, relations, NULL);
    to->index = x->index;
    return to;
}

static void attend(const sq_block_pass *a, const sq_relations *relations, size_t row)
{
    sq_extension *x = a->extension;
    const size_t seen = seen_by(a, row), dhp = (size_t)a->l->dhp;
    sq_relation by_time;
    const sq_relation *timed = timed_of(a, relations, row, seen, &by_time);
    for (int32_t h = 0; h < a->l->heads; h++) {
        sq_relation relation;
        sq_head head = {.width = (size_t)a->l->dh, .padded = dhp, .pointwise = a->l->pointwise, .dropout.scale = 1};
        head.q = a->s->qkv + row * 3 * a->hp + (size_t)h * dhp;
        head.relation = sq_block_relation(a, relations, h, NULL, &relation);
        head.timed = timed; /* a bias that all heads share */
        sq_head_row(a->k, &head, x->keys, x->values, seen, a->s->heads + row * a->hp + (size_t)h * dhp, &x->head);
        if (h + 1 < a->l->heads) next_head(a, seen);
    }
}

/* The rows become tokens first, first + 1, ... of the ring. */
static void keep(const sq_block_pass *a, const sq_token_cache *cache, int64_t first)
{
    for (int32_t which = 0; which < 2; which++) {
        float *to = sq_token_cache_rows(cache, a->l, a->block, which);
        const float *from = a->s->qkv + (size_t)(1 + which) * a->hp;
        for (size_t i = 0; i < a->n; i++) {
            const size_t row = (size_t)((first + (int64_t)i - cache->first) % cache->capacity);
            memcpy(to + row * a->hp, from + i * 3 * a->hp, a->hp * sizeof *to);
        }
    }
}

void sq_cached_attend(const sq_block_pass *a, const sq_relations *relations, size_t from)
{
    const sq_extension *x = a->extension;
    for (size_t row = from; row < a->n; row++) attend(a, relations, row);
    if (!x->apart) keep(a, x->cache, x->cache->next);
    if (x->apart && x->branches) keep(a, &x->branches->store, x->branches->kept);
}
