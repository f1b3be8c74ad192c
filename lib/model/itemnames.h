/* model: names of items, id -> text and text -> id; immutable and reference counted, a change makes a new table that shares
 * what it did not touch. */
#ifndef SQ_ITEMNAMES_H
#define SQ_ITEMNAMES_H
#include "base/context.h"

#define SQ_NAME_BYTES 4096 /* longest name, without its terminator */

typedef struct sq_item_names sq_item_names;

/* An empty table. */
int32_t sq_item_names_create(seqrec_context *context, sq_item_names **out, seqrec_error *error);
sq_item_names *sq_item_names_retain(sq_item_names *names);
void sq_item_names_release(sq_item_names *names);

/* Each makes a new table, all or nothing; `base` is not touched.
 * with: names[n] become the names of ids[n] in place of older ones. A name is UTF-8 of 1..SQ_NAME_BYTES bytes (E_ARGUMENT);
 * ids are distinct (E_ARGUMENT); after the call no two items may have the same name (E_EXISTS), so names can be swapped.
 * without: ids that have no name are left out. */
int32_t sq_item_names_with(const sq_item_names *base, const int64_t *ids, const char *const *names, int64_t n,
                           sq_item_names **out, seqrec_error *error);
int32_t sq_item_names_without(const sq_item_names *base, const int64_t *ids, int64_t n, sq_item_names **out,
                              seqrec_error *error);

/* Name of id, or NULL; lives as long as the table. */
const char *sq_item_names_get(const sq_item_names *names, int64_t id);
/* 1 and *id when an item has this name, else 0. */
int32_t sq_item_names_find(const sq_item_names *names, const char *name, int64_t *id);
int64_t sq_item_names_count(const sq_item_names *names);
/* How many of them are whole numbers, as ids are written. */
int64_t sq_item_names_numbers(const sq_item_names *names);
/* Walks all entries: start with a zeroed cursor; returns 0 past the last. The order depends on the table's history: a file
 * that is to repeat byte for byte asks for the names of the catalogue's slots instead. */
typedef struct sq_name_cursor {
    size_t shard, cell;
} sq_name_cursor;
int32_t sq_item_names_next(const sq_item_names *names, sq_name_cursor *cursor, int64_t *id, const char **name);
#endif
