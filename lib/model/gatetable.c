/* model: the values of all position gates at once. */
#include "model/gatetable.h"
#include <string.h>

int32_t sq_gate_table_create(const sq_memory *memory, const sq_layout *l, sq_gate_table *out, seqrec_error *error)
{
    size_t blocks = (size_t)l->blocks, length = (size_t)l->length;
    memset(out, 0, sizeof *out);
    if (!l->lp) return SEQREC_OK;
    out->z = sq_alloc_zero(memory, blocks * (length * (size_t)l->lp + 16), sizeof *out->z);
    out->open = sq_alloc_zero(memory, blocks * length, sizeof *out->open);
    if (out->z && out->open) return SEQREC_OK;
    sq_gate_table_free(memory, out);
    return sq_fail(error, SEQREC_E_MEMORY, "no memory for the gates of %d blocks", (int)l->blocks);
}

void sq_gate_table_free(const sq_memory *memory, sq_gate_table *t)
{
    sq_free(memory, t->z);
    sq_free(memory, t->open);
    memset(t, 0, sizeof *t);
}

sq_gates sq_gate_table_view(const sq_gate_table *t, const sq_layout *l, const sq_options *o, int32_t block,
                            int32_t length, float *grads)
{
    size_t first = (size_t)sq_gate_first(l, o, length), place = first * (size_t)l->lp + first;
    sq_gates g = {.z = sq_gate_row(t, l, block, 0) + place, .ld = (size_t)l->lp, .first = first};
    g.open = t->open + (size_t)block * (size_t)l->length + first;
    if (grads) g.dz = grads + l->block[block].gates + place;
    return g;
}

static void settle_row(const sq_kernels *k, const sq_options *o, size_t n, const float *phi, float *z)
{
    float work[SQ_GATED_LENGTH];
    if (o->gate_estimator == SQ_GATES_BY_HARD_CONCRETE) {
        sq_gates_concrete_settled(k, n, phi, z, work);
        return;
    }
    for (size_t j = 0; j < n; j++) z[j] = sq_gate_settled(phi[j]);
}

void sq_gate_table_settle(const sq_kernels *k, const sq_layout *l, const sq_options *o, const float *weights,
                          sq_gate_table *t)
{
    for (int32_t b = 0; t->z && b < l->blocks; b++)
        for (int32_t i = 0; i < l->length; i++) {
            const float *phi = weights + l->block[b].gates + (size_t)i * (size_t)l->lp;
            settle_row(k, o, (size_t)i + 1, phi, sq_gate_row(t, l, b, i));
            sq_gate_row_done(t, l, b, i);
        }
}

int64_t sq_gate_table_open(const sq_gate_table *t, const sq_layout *l, int32_t block)
{
    int64_t open = 0;
    for (int32_t i = 0; i < l->length; i++)
        for (int32_t j = 0; j <= i; j++) open += sq_gate_row(t, l, block, i)[j] != 0;
    return open;
}
