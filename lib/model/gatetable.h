/* model: the values of all position gates at once, drawn for a step or settled for reading. */
#ifndef SQ_GATETABLE_H
#define SQ_GATETABLE_H
#include "attention/gates.h"
#include "base/memory.h"
#include "model/parameters.h"

/* Gates by slot of the window, [blocks][length][lp] and 16 floats behind each block; zero where the key is after the query. */
typedef struct sq_gate_table {
    float *z;       /* NULL: the model has no position gates */
    uint64_t *open; /* [blocks][length] open panels of each row */
} sq_gate_table;

/* All zero; nothing is allocated for a model without position gates. */
int32_t sq_gate_table_create(const sq_memory *memory, const sq_layout *layout, sq_gate_table *out, seqrec_error *error);
void sq_gate_table_free(const sq_memory *memory, sq_gate_table *table);

static inline float *sq_gate_row(const sq_gate_table *t, const sq_layout *l, int32_t block, int32_t row)
{
    return t->z + (size_t)block * ((size_t)l->length * (size_t)l->lp + 16) + (size_t)row * (size_t)l->lp;
}
/* To be called when row `row` of a block has its values. */
static inline void sq_gate_row_done(sq_gate_table *t, const sq_layout *l, int32_t block, int32_t row)
{
    t->open[block * l->length + row] = sq_gate_panels((size_t)row + 1, sq_gate_row(t, l, block, row));
}

/* Slot of the window at which a sequence of `length` events begins: sequences end with the window, unless positions are counted
 * from its start. */
static inline int32_t sq_gate_first(const sq_layout *l, const sq_options *o, int32_t length)
{
    return o->position == SQ_POSITION_START ? 0 : l->length - length;
}
/* The gates of a sequence of `length` events. grads: the parameter block that takes their gradient, or NULL. */
sq_gates sq_gate_table_view(const sq_gate_table *table, const sq_layout *layout, const sq_options *options,
                            int32_t block, int32_t length, float *grads);

/* The values without noise, which all reads use. */
void sq_gate_table_settle(const sq_kernels *kernels, const sq_layout *layout, const sq_options *options,
                          const float *weights, sq_gate_table *table);
/* Open gates of a block of such a table, among the length * (length + 1) / 2 that are used. */
int64_t sq_gate_table_open(const sq_gate_table *table, const sq_layout *layout, int32_t block);
#endif
