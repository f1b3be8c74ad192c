/* model: names of items in two sharded tables: by id with the texts, by the text's hash with the ids. */
#include "model/itemnames.h"
#include <inttypes.h>
#include <string.h>
#include "base/rng.h"
#include "base/text.h"
#include "data/number.h"
#include "model/nameshard.h"

/* Mean entries of a shard above which the tables get twice as many. */
#define SHARD_MEAN 1024
#define SHARD_BITS_MOST 24

struct sq_item_names {
    seqrec_context *context; /* retained */
    _Atomic int32_t references;
    int32_t shard_bits;
    int64_t count, numbers; /* names, and of these numbers */
    sq_name_shard **by_id;   /* [1 << shard_bits], with texts */
    sq_name_shard **by_text; /* [1 << shard_bits], ids only */
};

static int32_t no_memory(seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_MEMORY, "no memory for the names of items");
}

static uint64_t hash_id(const sq_item_names *names, int64_t id)
{
    return sq_mix64((uint64_t)id ^ names->context->memory.secret);
}

static uint64_t hash_text(const sq_item_names *names, const char *text, size_t bytes)
{
    uint64_t hash = sq_mix64(((uint64_t)bytes + 0x9e3779b97f4a7c15u) ^ names->context->memory.secret), word;
    for (; bytes >= sizeof word; text += sizeof word, bytes -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = sq_mix64((hash ^ word) + 0x9e3779b97f4a7c15u);
    }
    word = 0;
    memcpy(&word, text, bytes);
    return sq_mix64((hash ^ word) + 0x9e3779b97f4a7c15u);
}

static sq_name_shard **shard_at(sq_name_shard **shards, uint64_t hash, int32_t bits)
{
    return &shards[(hash >> 1) >> (63 - bits)];
}

static const sq_memory *memory_of(const sq_item_names *names)
{
    return &names->context->memory;
}

static void release_shards(const sq_memory *memory, sq_name_shard **shards, size_t count)
{
    for (size_t i = 0; shards && i < count; i++) sq_name_shard_release(memory, shards[i]);
    sq_free(memory, shards);
}

sq_item_names *sq_item_names_retain(sq_item_names *names)
{
    atomic_fetch_add_explicit(&names->references, 1, memory_order_relaxed);
    return names;
}

/* Also takes down what a failed construction left. */
void sq_item_names_release(sq_item_names *names)
{
    if (!names || atomic_fetch_sub_explicit(&names->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = names->context;
    size_t shards = (size_t)1 << names->shard_bits;
    release_shards(&context->memory, names->by_id, shards);
    release_shards(&context->memory, names->by_text, shards);
    sq_free(&context->memory, names);
    sq_context_release(context);
}

/* A table of absent shards. */
static sq_item_names *frame(seqrec_context *context, int32_t bits)
{
    sq_item_names *made = sq_alloc_zero(&context->memory, 1, sizeof *made);
    if (!made) return NULL;
    made->context = sq_context_retain(context);
    atomic_init(&made->references, 1);
    made->shard_bits = bits;
    made->by_id = sq_alloc_zero(&context->memory, (size_t)1 << bits, sizeof(sq_name_shard *));
    made->by_text = sq_alloc_zero(&context->memory, (size_t)1 << bits, sizeof(sq_name_shard *));
    if (made->by_id && made->by_text) return made;
    sq_item_names_release(made);
    return NULL;
}

static int32_t fill_empty(sq_item_names *made, int64_t total)
{
    const sq_memory *memory = memory_of(made);
    int64_t mean = (total >> made->shard_bits) * 9 / 8;
    for (size_t i = 0; i < (size_t)1 << made->shard_bits; i++) {
        made->by_id[i] = sq_name_shard_create(memory, mean, 1);
        made->by_text[i] = sq_name_shard_create(memory, mean, 0);
        if (!made->by_id[i] || !made->by_text[i]) return 0;
    }
    return 1;
}

int32_t sq_item_names_create(seqrec_context *context, sq_item_names **out, seqrec_error *error)
{
    sq_item_names *made = frame(context, 0);
    if (!made || !fill_empty(made, 0)) {
        sq_item_names_release(made);
        return no_memory(error);
    }
    *out = made;
    return SEQREC_OK;
}

static int32_t own(const sq_memory *memory, sq_name_shard **at)
{
    if (!sq_name_shard_shared(*at)) return 1;
    sq_name_shard *copy = sq_name_shard_copy(memory, *at, 1);
    if (!copy) return 0;
    sq_name_shard_release(memory, *at);
    *at = copy;
    return 1;
}

static int is_number(const char *name, size_t bytes)
{
    int64_t number;
    return sq_scan_id(name, bytes, &number);
}

/* Enters a name that is new for an id that has none. */
static int32_t enter(sq_item_names *made, int64_t id, const char *name)
{
    const sq_memory *memory = memory_of(made);
    size_t bytes = strlen(name);
    uint64_t by_id = hash_id(made, id), by_text = hash_text(made, name, bytes);
    sq_name_shard **ids = shard_at(made->by_id, by_id, made->shard_bits);
    sq_name_shard **texts = shard_at(made->by_text, by_text, made->shard_bits);
    if (!own(memory, ids) || !own(memory, texts)) return 0;
    if (!sq_name_shard_add(memory, *ids, by_id, id, name, bytes)) return 0;
    if (!sq_name_shard_add(memory, *texts, by_text, id, NULL, 0)) return 0;
    made->count++;
    made->numbers += is_number(name, bytes);
    return 1;
}

static int32_t leave(sq_item_names *made, int64_t id)
{
    const char *name = sq_item_names_get(made, id);
    if (!name) return 1;
    const sq_memory *memory = memory_of(made);
    const size_t bytes = strlen(name);
    const int number = is_number(name, bytes);
    uint64_t by_id = hash_id(made, id), by_text = hash_text(made, name, bytes);
    sq_name_shard **ids = shard_at(made->by_id, by_id, made->shard_bits);
    sq_name_shard **texts = shard_at(made->by_text, by_text, made->shard_bits);
    if (!own(memory, ids) || !own(memory, texts)) return 0;
    made->numbers -= number;
    sq_name_shard_erase(*ids, by_id, id);
    sq_name_shard_erase(*texts, by_text, id);
    made->count--;
    return 1;
}

static int32_t enter_all(sq_item_names *made, const sq_item_names *base)
{
    sq_name_cursor cursor = {0, 0};
    int64_t id;
    const char *name;
    if (!fill_empty(made, base->count)) return 0;
    while (sq_item_names_next(base, &cursor, &id, &name)) {
        if (!enter(made, id, name)) return 0;
    }
    return 1;
}

/* A new table with the same names and room for `adding` more: it shares the shards, or has more of them. */
static int32_t begin(const sq_item_names *base, int64_t adding, sq_item_names **out, seqrec_error *error)
{
    int32_t bits = base->shard_bits;
    while (bits < SHARD_BITS_MOST && (base->count + adding) >> bits > SHARD_MEAN) bits++;
    sq_item_names *made = frame(base->context, bits);
    if (!made) return no_memory(error);
    if (bits != base->shard_bits && !enter_all(made, base)) {
        sq_item_names_release(made);
        return no_memory(error);
    }
    *out = made;
    if (bits != base->shard_bits) return SEQREC_OK;
    made->count = base->count;
    made->numbers = base->numbers;
    for (size_t i = 0; i < (size_t)1 << bits; i++) {
        made->by_id[i] = sq_name_shard_retain(base->by_id[i]);
        made->by_text[i] = sq_name_shard_retain(base->by_text[i]);
    }
    return SEQREC_OK;
}

static int32_t end(sq_item_names *made, int32_t status, sq_item_names **out)
{
    if (status == SEQREC_OK)
        *out = made;
    else
        sq_item_names_release(made);
    return status;
}

static int32_t check_name(int64_t id, const char *name, seqrec_error *error)
{
    SQ_CHECK(name, error, SEQREC_E_ARGUMENT, "the name of item %" PRId64 " is NULL", id);
    size_t bytes = strnlen(name, SQ_NAME_BYTES + 1);
    SQ_CHECK(bytes >= 1 && bytes <= SQ_NAME_BYTES, error, SEQREC_E_ARGUMENT,
             "the name of item %" PRId64 " is %s: a name has 1 to %d bytes", id, bytes ? "too long" : "empty",
             SQ_NAME_BYTES);
    size_t good = sq_utf8_prefix(name);
    SQ_CHECK(good == bytes, error, SEQREC_E_ARGUMENT, "the name of item %" PRId64 " is not UTF-8 at byte %zu", id,
             good);
    return SEQREC_OK;
}

static int32_t rename_all(sq_item_names *made, const int64_t *ids, const char *const *names, int64_t n,
                          seqrec_error *error)
{
    int64_t other;
    for (int64_t i = 0; i < n; i++) {
        if (!leave(made, ids[i])) return no_memory(error);
    }
    for (int64_t i = 0; i < n; i++) {
        SQ_CHECK(!sq_item_names_get(made, ids[i]), error, SEQREC_E_ARGUMENT,
                 "item %" PRId64 " occurs twice in one call: ids must be distinct", ids[i]);
        SQ_CHECK(!sq_item_names_find(made, names[i], &other), error, SEQREC_E_EXISTS,
                 "name \"%.80s\" for item %" PRId64 " is the name of item %" PRId64 ": names are unique", names[i],
                 ids[i], other);
        if (!enter(made, ids[i], names[i])) return no_memory(error);
    }
    return SEQREC_OK;
}

int32_t sq_item_names_with(const sq_item_names *base, const int64_t *ids, const char *const *names, int64_t n,
                           sq_item_names **out, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n=%" PRId64 " must not be negative", n);
    for (int64_t i = 0; i < n; i++) SQ_TRY(check_name(ids[i], names[i], error));
    sq_item_names *made;
    SQ_TRY(begin(base, n, &made, error));
    return end(made, rename_all(made, ids, names, n, error), out);
}

int32_t sq_item_names_without(const sq_item_names *base, const int64_t *ids, int64_t n, sq_item_names **out,
                              seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n=%" PRId64 " must not be negative", n);
    sq_item_names *made;
    SQ_TRY(begin(base, 0, &made, error));
    int32_t status = SEQREC_OK;
    for (int64_t i = 0; i < n && status == SEQREC_OK; i++) {
        if (!leave(made, ids[i])) status = no_memory(error);
    }
    return end(made, status, out);
}

const char *sq_item_names_get(const sq_item_names *names, int64_t id)
{
    uint64_t hash = hash_id(names, id);
    const sq_name_shard *shard = *shard_at(names->by_id, hash, names->shard_bits);
    const sq_name_cell *cell = sq_name_shard_find(shard, hash, id);
    return cell ? shard->text + cell->at : NULL;
}

int32_t sq_item_names_find(const sq_item_names *names, const char *name, int64_t *id)
{
    uint64_t hash = hash_text(names, name, strlen(name));
    const sq_name_shard *shard = *shard_at(names->by_text, hash, names->shard_bits);
    size_t at = (size_t)(uint32_t)hash & shard->mask;
    for (; shard->cells[at].at != SQ_NAME_FREE; at = (at + 1) & shard->mask) {
        if (shard->cells[at].tag != (uint32_t)hash) continue;
        const char *other = sq_item_names_get(names, shard->cells[at].id);
        if (!other || strcmp(other, name) != 0) continue;
        *id = shard->cells[at].id;
        return 1;
    }
    return 0;
}

int64_t sq_item_names_count(const sq_item_names *names)
{
    return names->count;
}

int64_t sq_item_names_numbers(const sq_item_names *names)
{
    return names->numbers;
}

int32_t sq_item_names_next(const sq_item_names *names, sq_name_cursor *cursor, int64_t *id, const char **name)
{
    for (; cursor->shard < (size_t)1 << names->shard_bits; cursor->shard++, cursor->cell = 0) {
        const sq_name_shard *shard = names->by_id[cursor->shard];
        while (cursor->cell <= shard->mask) {
            const sq_name_cell *cell = &shard->cells[cursor->cell++];
            if (cell->at == SQ_NAME_FREE) continue;
            *id = cell->id;
            *name = shard->text + cell->at;
            return 1;
        }
    }
    return 0;
}
