/* data: texts by index, and the tables that give ids of a file their indices. */
#ifndef SQ_NAMES_H
#define SQ_NAMES_H
#include "data/dataset.h"

#define SQ_NAME_BYTES 4096 /* longest text of an id */

/* Text of `index`; NULL when there are no names. */
const char *sq_names_at(const sq_names *names, int64_t index);
/* Copies the texts chosen[0 .. count) of `from`. */
int32_t sq_names_select(const sq_memory *memory, const sq_names *from, const int32_t *chosen, int64_t count,
                        sq_names *out, seqrec_error *error);
void sq_names_free(sq_names *names, const sq_memory *memory);

/* One place of the text table: position = tag & mask, so the table grows without looking at the texts. */
typedef struct sq_text_slot {
    uint32_t tag;
    int32_t index; /* -1 = free */
} sq_text_slot;

/* Indices 0, 1, ... by first appearance: of int64 ids as long as every id is a canonical integer, from the first other id
 * on of texts, the integers before it included. Zero the struct and set memory. */
typedef struct sq_interner {
    const sq_memory *memory;
    int64_t count;
    int32_t textual;
    int32_t last_index; /* of last_id, valid while count > 0 and not textual */
    int64_t last_id;
    sq_idmap numbers;
    int64_t *ids; /* [count] while not textual */
    sq_names names; /* [count] when textual */
    size_t bytes_used;
    sq_text_slot *slots;
    size_t slot_count; /* power of two, or 0 */
} sq_interner;

int32_t sq_intern_id(sq_interner *interner, int64_t id, int32_t *index, seqrec_error *error);
/* text: 1 .. SQ_NAME_BYTES bytes without a 0. */
int32_t sq_intern_text(sq_interner *interner, const char *text, size_t bytes, int32_t *index, seqrec_error *error);
void sq_interner_free(sq_interner *interner);
#endif
