/* model: the short texts a model carries: a sorted array in one block, copied whole at each change. */
#include "model/notes.h"
#include <string.h>
#include "base/text.h"

typedef struct note {
    char key[SQ_NOTE_BYTES + 1], value[SQ_NOTE_BYTES + 1];
} note;

struct sq_notes {
    seqrec_context *context; /* retained */
    _Atomic int32_t references;
    int32_t count;
    note at[];
};

static sq_notes *create(seqrec_context *context, int32_t count)
{
    sq_notes *notes = sq_alloc_zero(&context->memory, 1, sizeof *notes + (size_t)count * sizeof(note));
    if (!notes) return NULL;
    notes->context = sq_context_retain(context);
    atomic_init(&notes->references, 1);
    notes->count = count;
    return notes;
}

int32_t sq_notes_create(seqrec_context *context, sq_notes **out, seqrec_error *error)
{
    sq_notes *notes = create(context, 0);
    SQ_CHECK(notes, error, SEQREC_E_MEMORY, "no memory for the notes of a model");
    *out = notes;
    return SEQREC_OK;
}

sq_notes *sq_notes_retain(sq_notes *notes)
{
    atomic_fetch_add_explicit(&notes->references, 1, memory_order_relaxed);
    return notes;
}

void sq_notes_release(sq_notes *notes)
{
    if (!notes || atomic_fetch_sub_explicit(&notes->references, 1, memory_order_acq_rel) != 1) return;
    seqrec_context *context = notes->context;
    sq_free(&context->memory, notes);
    sq_context_release(context);
}

/* Index of the first key that is not below `key`; *found: it is that key. */
static int32_t place_of(const sq_notes *notes, const char *key, int32_t *found)
{
    int32_t at = 0;
    while (at < notes->count && strcmp(notes->at[at].key, key) < 0) at++;
    *found = at < notes->count && strcmp(notes->at[at].key, key) == 0;
    return at;
}

/* Keys that a training writes, and that no host may crowd out: a fit must not fail at its end for want of room. */
static int32_t is_reserved(const char *key)
{
    static const char *const keys[] = {"data_hash", "epochs", "kcore", "min_value", "split"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0) return 1;
    return 0;
}

static int32_t count_hosts(const sq_notes *notes)
{
    int32_t count = 0;
    for (int32_t i = 0; i < notes->count; i++) count += !is_reserved(notes->at[i].key);
    return count;
}

static int32_t check_text(const char *what, const char *text, seqrec_error *error)
{
    size_t bytes = strnlen(text, SQ_NOTE_BYTES + 1);
    SQ_CHECK(bytes <= SQ_NOTE_BYTES, error, SEQREC_E_ARGUMENT, "the %s \"%.40s...\" of a note has more than %d bytes",
             what, text, SQ_NOTE_BYTES);
    SQ_CHECK(sq_utf8_prefix(text) == bytes, error, SEQREC_E_ARGUMENT, "the %s \"%.40s\" of a note is not UTF-8", what,
             text);
    return SEQREC_OK;
}

int32_t sq_notes_with(const sq_notes *base, const char *key, const char *value, sq_notes **out, seqrec_error *error)
{
    SQ_CHECK(key && *key, error, SEQREC_E_ARGUMENT, "the key of a note is %s", key ? "empty" : "NULL");
    SQ_TRY(check_text("key", key, error));
    if (value) SQ_TRY(check_text("value", value, error));
    int32_t found, at = place_of(base, key, &found);
    int32_t count = base->count - found + (value != NULL);
    SQ_CHECK(!value || found || is_reserved(key) || count_hosts(base) < SQ_NOTES_MOST, error, SEQREC_E_RANGE,
             "no room for note \"%s\": a model has at most %d of the host", key, SQ_NOTES_MOST);
    sq_notes *made = create(base->context, count);
    SQ_CHECK(made, error, SEQREC_E_MEMORY, "no memory for the notes of a model");
    int32_t behind = at + found, to = at + (value != NULL);
    memcpy(made->at, base->at, (size_t)at * sizeof(note));
    memcpy(made->at + to, base->at + behind, (size_t)(base->count - behind) * sizeof(note));
    if (value) {
        memcpy(made->at[at].key, key, strlen(key) + 1);
        memcpy(made->at[at].value, value, strlen(value) + 1);
    }
    *out = made;
    return SEQREC_OK;
}

const char *sq_notes_get(const sq_notes *notes, const char *key)
{
    int32_t found, at = place_of(notes, key, &found);
    return found ? notes->at[at].value : NULL;
}

int32_t sq_notes_count(const sq_notes *notes)
{
    return notes->count;
}

const char *sq_notes_at(const sq_notes *notes, int32_t index, const char **value)
{
    *value = notes->at[index].value;
    return notes->at[index].key;
}
