/* attention: terms of scores and values that depend on how far apart query and key are, in events or in time. */
#ifndef SQ_RELATION_H
#define SQ_RELATION_H
#include <stdint.h>
#include "position/interval.h"
#include "tensor/gemm.h"

/* Relative terms of one head: the pair of query i and key j has row x = j - i + past of each table, cut to 0 .. columns - 1
 * (Shaw, Uszkoreit, Vaswani 2018, whose w_clip(j - i, -k, k) these are; T5, ALiBi and HSTU have the bias alone), or that of
 * the time between them (TiSASRec, HSTU):
 *     score_ij = (<q_i, k_j + keys_x> + bias_x) / sqrt(width),  out_i = sum_j a_ij (v_j + values_x)
 * Any of the three may be NULL. Rows of keys and values are `ld` apart, as wide as the head's; a bias is read up to round16. */
typedef struct sq_relation {
    size_t past, columns, ld;
    const sq_intervals *intervals;      /* NULL: by distance, or by an index that is there */
    const uint16_t *index;              /* rows ld_index apart, one for each query of the block at hand, for the keys that it sees */
    size_t ld_index;
    const float *bias;                  /* [columns] */
    const float *keys, *values;         /* [columns][ld] */
    const float *keys_t, *values_t;     /* [width][ld_t], for whoever multiplies by them */
    size_t ld_t;                        /* at least round16(columns) */
    float *dbias, *dkeys, *dvalues;     /* gradients, += , laid out as what they are of; dbias up to round16(columns) */
} sq_relation;

/* The columns that queries up to `last` of a sequence can need: those of larger distances are cut off, 16 at a time. Without an
 * index. */
static inline sq_relation sq_relation_within(const sq_relation *relation, size_t last)
{
    sq_relation r = *relation;
    size_t skip = r.past > last ? (r.past - last) / 16 * 16 : 0;
    r.past -= skip;
    r.columns -= skip;
    if (r.bias) r.bias += skip;
    if (r.keys) r.keys += skip * r.ld;
    if (r.values) r.values += skip * r.ld;
    if (r.keys_t) r.keys_t += skip;
    if (r.values_t) r.values_t += skip;
    if (r.dbias) r.dbias += skip;
    if (r.dkeys) r.dkeys += skip * r.ld;
    if (r.dvalues) r.dvalues += skip * r.ld;
    return r;
}
#endif
