/* model: the short texts a model carries by key; immutable and reference counted, a change makes a new set. */
#ifndef SQ_NOTES_H
#define SQ_NOTES_H
#include "base/context.h"

#define SQ_NOTE_BYTES 255 /* longest key or value, without its terminator */
#define SQ_NOTES_MOST 64  /* the host's; those that a training writes (notes.c) always have room */

typedef struct sq_notes sq_notes;

/* An empty set. */
int32_t sq_notes_create(seqrec_context *context, sq_notes **out, seqrec_error *error);
sq_notes *sq_notes_retain(sq_notes *notes);
void sq_notes_release(sq_notes *notes);

/* A new set in which key has this value, or none when value is NULL; `base` is not touched. E_ARGUMENT: an empty key, or text
 * that is too long or not UTF-8; E_RANGE: more than SQ_NOTES_MOST keys of the host. Removing a key that is not there is no failure. */
int32_t sq_notes_with(const sq_notes *base, const char *key, const char *value, sq_notes **out, seqrec_error *error);

/* Value of key, or NULL; lives as long as the set. */
const char *sq_notes_get(const sq_notes *notes, const char *key);
int32_t sq_notes_count(const sq_notes *notes);
/* Note `index` in 0..count-1, in the byte order of the keys. */
const char *sq_notes_at(const sq_notes *notes, int32_t index, const char **value);
#endif
