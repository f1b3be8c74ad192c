/* optim: which contributions each row of a table gets in a step, sorted by row in a fixed order. */
#ifndef SQ_ROWENTRIES_H
#define SQ_ROWENTRIES_H
#include "base/pool.h"

/* Entries are numbered 0 .. count - 1; entry e goes to row slots[e], or nowhere when that is negative. */
typedef struct sq_row_entries {
    size_t capacity;
    size_t count;
    int32_t *slots;       /* [capacity] filled by the caller */
    uint64_t *keys;       /* [capacity] after sorting: slots, rising within a part */
    uint32_t *order;      /* [capacity] entry of each key; entries of one row stay in order */
    uint64_t *key_scratch;
    uint32_t *order_scratch;
    int32_t shift;        /* part of a slot = slot >> shift */
    int32_t parts;
    size_t *part_starts;  /* [SQ_ROW_PARTS + 1] */
    size_t *counts;       /* [SQ_ROW_CHUNKS][SQ_ROW_PARTS] */
} sq_row_entries;

#define SQ_ROW_PARTS 256
#define SQ_ROW_CHUNKS 16

/* Room for `count` entries; on failure nothing changes. */
int32_t sq_row_entries_reserve(sq_row_entries *entries, const sq_memory *memory, size_t count, seqrec_error *error);
/* Sorts entries 0 .. count - 1, whose slots are below slot_count. The result does not depend on the number of threads. */
void sq_row_entries_sort(sq_row_entries *entries, sq_pool *pool, int32_t slot_count);
void sq_row_entries_free(sq_row_entries *entries, const sq_memory *memory);
#endif
