/* data: texts by index, and the tables that give ids of a file their indices. */
#include "data/names.h"
#include "data/number.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

const char *sq_names_at(const sq_names *names, int64_t index)
{
    if (names->offsets == NULL || index < 0 || index >= names->count) return NULL;
    return names->bytes + names->offsets[index];
}

void sq_names_free(sq_names *names, const sq_memory *memory)
{
    sq_free(memory, names->bytes);
    sq_free(memory, names->offsets);
    *names = (sq_names){0};
}

int32_t sq_names_select(const sq_memory *memory, const sq_names *from, const int32_t *chosen, int64_t count,
                        sq_names *out, seqrec_error *error)
{
    size_t total = 0;
    for (int64_t i = 0; i < count; i++) total += (size_t)(from->offsets[chosen[i] + 1] - from->offsets[chosen[i]]);
    sq_names made = {sq_alloc(memory, total, 1), sq_alloc(memory, (size_t)count + 1, sizeof(int64_t)), count};
    if (made.bytes == NULL || made.offsets == NULL) {
        sq_names_free(&made, memory);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for %lld names", (long long)count);
    }
    made.offsets[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t start = from->offsets[chosen[i]], bytes = from->offsets[chosen[i] + 1] - start;
        memcpy(made.bytes + made.offsets[i], from->bytes + start, (size_t)bytes);
        made.offsets[i + 1] = made.offsets[i] + bytes;
    }
    *out = made;
    return SEQREC_OK;
}

static int32_t count_one(sq_interner *interner, int32_t *index, seqrec_error *error)
{
    SQ_CHECK(interner->count < INT32_MAX, error, SEQREC_E_RANGE, "more than %d different ids", INT32_MAX);
    *index = (int32_t)interner->count;
    return SEQREC_OK;
}

static int32_t add_id(sq_interner *interner, int64_t id, int32_t *index, seqrec_error *error)
{
    SQ_TRY(count_one(interner, index, error));
    SQ_TRY(SQ_GROW(interner->memory, interner->ids, interner->count, interner->count + 1, error));
    int32_t found;
    SQ_TRY(sq_idmap_insert(&interner->numbers, interner->memory, id, *index, &found, error));
    interner->ids[interner->count++] = id;
    return SEQREC_OK;
}

static sq_text_slot *find_slot(const sq_interner *interner, uint32_t tag, const char *text, size_t bytes)
{
    size_t mask = interner->slot_count - 1, at = tag & mask;
    for (;; at = (at + 1) & mask) {
        sq_text_slot *slot = &interner->slots[at];
        if (slot->index < 0) return slot;
        if (slot->tag != tag) continue;
        int64_t start = interner->names.offsets[slot->index];
        size_t length = (size_t)(interner->names.offsets[slot->index + 1] - start - 1);
        if (length == bytes && memcmp(interner->names.bytes + start, text, bytes) == 0) return slot;
    }
}

static void clear_slots(sq_text_slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) slots[i] = (sq_text_slot){0, -1};
}

static int32_t widen_slots(sq_interner *interner, seqrec_error *error)
{
    size_t count = interner->slot_count == 0 ? 64 : interner->slot_count * 2, mask = count - 1;
    sq_text_slot *slots = sq_alloc(interner->memory, count, sizeof *slots);
    SQ_CHECK(slots != NULL, error, SEQREC_E_MEMORY, "no memory for a table of %zu names", count);
    clear_slots(slots, count);
    for (size_t i = 0; i < interner->slot_count; i++) {
        if (interner->slots[i].index < 0) continue;
        size_t at = interner->slots[i].tag & mask;
        while (slots[at].index >= 0) at = (at + 1) & mask;
        slots[at] = interner->slots[i];
    }
    sq_free(interner->memory, interner->slots);
    interner->slots = slots;
    interner->slot_count = count;
    return SEQREC_OK;
}

/* Room for one more text of `bytes` bytes and its terminator. */
static int32_t make_room(sq_interner *interner, size_t bytes, seqrec_error *error)
{
    const size_t count = (size_t)interner->names.count, used = interner->bytes_used;
    SQ_TRY(SQ_GROW(interner->memory, interner->names.bytes, used, used + bytes + 1, error));
    SQ_TRY(SQ_GROW(interner->memory, interner->names.offsets, interner->names.offsets == NULL ? 0 : count + 1,
                   count + 2, error));
    interner->names.offsets[count] = (int64_t)used; /* the first of an empty list; of any other it is there */
    if ((count + 1) * 2 > interner->slot_count) SQ_TRY(widen_slots(interner, error));
    return SEQREC_OK;
}

static int32_t put_text(sq_interner *interner, const char *text, size_t bytes, int32_t *index, seqrec_error *error)
{
    SQ_TRY(make_room(interner, bytes, error));
    uint32_t tag = (uint32_t)XXH3_64bits_withSeed(text, bytes, interner->memory->secret);
    sq_text_slot *slot = find_slot(interner, tag, text, bytes);
    if (slot->index >= 0) {
        *index = slot->index;
        return SEQREC_OK;
    }
    SQ_CHECK(interner->names.count < INT32_MAX, error, SEQREC_E_RANGE, "more than %d different ids", INT32_MAX);
    *index = (int32_t)interner->names.count;
    *slot = (sq_text_slot){tag, *index};
    memcpy(interner->names.bytes + interner->bytes_used, text, bytes);
    interner->names.bytes[interner->bytes_used + bytes] = 0;
    interner->bytes_used += bytes + 1;
    interner->names.offsets[++interner->names.count] = (int64_t)interner->bytes_used;
    return SEQREC_OK;
}

/* Canonical integers and their texts are one to one, so what was interned so far keeps its indices. */
static int32_t become_textual(sq_interner *interner, seqrec_error *error)
{
    for (int64_t i = 0; i < interner->count; i++) {
        char text[24];
        int32_t index;
        SQ_TRY(put_text(interner, text, sq_write_integer(text, interner->ids[i]), &index, error));
    }
    sq_free(interner->memory, interner->ids);
    interner->ids = NULL;
    sq_idmap_free(&interner->numbers, interner->memory);
    interner->textual = 1;
    return SEQREC_OK;
}

int32_t sq_intern_id(sq_interner *interner, int64_t id, int32_t *index, seqrec_error *error)
{
    if (interner->count > 0 && interner->last_id == id) {
        *index = interner->last_index;
        return SEQREC_OK;
    }
    *index = sq_idmap_find(&interner->numbers, id);
    if (*index < 0) SQ_TRY(add_id(interner, id, index, error));
    interner->last_id = id;
    interner->last_index = *index;
    return SEQREC_OK;
}

int32_t sq_intern_text(sq_interner *interner, const char *text, size_t bytes, int32_t *index, seqrec_error *error)
{
    int64_t id;
    if (!interner->textual) {
        if (sq_scan_id(text, bytes, &id)) return sq_intern_id(interner, id, index, error);
        SQ_TRY(become_textual(interner, error));
    }
    SQ_TRY(put_text(interner, text, bytes, index, error));
    interner->count = interner->names.count;
    return SEQREC_OK;
}

void sq_interner_free(sq_interner *interner)
{
    sq_idmap_free(&interner->numbers, interner->memory);
    sq_free(interner->memory, interner->ids);
    sq_names_free(&interner->names, interner->memory);
    sq_free(interner->memory, interner->slots);
    *interner = (sq_interner){.memory = interner->memory};
}
