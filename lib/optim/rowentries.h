/* optim: which contributions each row of a table gets in a step, sorted by row in a fixed order. */
#ifndef SQ_ROWENTRIES_H
#define SQ_ROWENTRIES_H
#include "base/pool.h"

/* An entry, and the factor it carries. */
typedef struct sq_row_entry {
    uint32_t number;
    float factor;
} sq_row_entry;

/* Entries are numbered 0 .. count - 1; entry e goes to row slots[e], or nowhere when that is negative. Sorting tells which rows there
 * are; what goes to a row, at[place] of the places beside its slot, is there once the entries have been told their factors, and until they
 * are sorted anew. */
typedef struct sq_row_entries {
    size_t capacity;
    size_t count;
    int32_t *slots;   /* [capacity] filled by the caller */
    uint64_t *sorted; /* [capacity] slot << 32 | place, rising within a part; the places of a row are in the order of its entries */
    sq_row_entry *at; /* [capacity] part by part, rising within a part, so that those of a part fit in a cache; in the scratch */
    uint64_t *scratch;
    int32_t shift;        /* part of a slot = slot >> shift */
    int32_t parts;
    size_t *part_starts;  /* [SQ_ROW_PARTS + 1] */
    size_t *counts;       /* [SQ_ROW_CHUNKS][SQ_ROW_PARTS] after sorting: where a chunk's entries of a part end */
} sq_row_entries;

#define SQ_ROW_PARTS 256
#define SQ_ROW_CHUNKS 16

static inline int32_t sq_row_slot(const sq_row_entries *e, size_t i) { return (int32_t)(e->sorted[i] >> 32); }
static inline const sq_row_entry *sq_row_entry_at(const sq_row_entries *e, size_t i) { return &e->at[(uint32_t)e->sorted[i]]; }

/* Room for `count` entries; on failure nothing changes. */
int32_t sq_row_entries_reserve(sq_row_entries *entries, const sq_memory *memory, size_t count, seqrec_error *error);
/* Sorts entries 0 .. count - 1, whose slots are below slot_count. The result does not depend on the number of threads. */
void sq_row_entries_sort(sq_row_entries *entries, sq_pool *pool, int32_t slot_count);
/* After sorting: entry e carries factors[e - first] where first <= e < last, else 0. factors may be NULL where last is 0. */
void sq_row_entries_carry(sq_row_entries *entries, sq_pool *pool, const float *factors, size_t first, size_t last);
void sq_row_entries_free(sq_row_entries *entries, const sq_memory *memory);
#endif
