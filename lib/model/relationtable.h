/* model: the relative terms of a block's heads, made of its parameters for a pass. */
#ifndef SQ_RELATIONTABLE_H
#define SQ_RELATIONTABLE_H
#include "attention/relation.h"
#include "base/arena.h"
#include "model/parameters.h"

/* Working memory of one pass through one block. */
typedef struct sq_relations {
    size_t first;              /* columns before it belong to distances that no sequence of the pass has; they are not filled */
    float *bias, *dbias;       /* [heads][padded columns]; NULL: the scheme has none */
    float *keys_t, *values_t;  /* [heads, or 1 where they share][dhp][padded columns] */
    float *time_bias, *dtime_bias;     /* time = bias: [padded columns] */
    float *time_keys_t, *time_values_t; /* time = intervals: [heads][dhp][padded columns] */
} sq_relations;
void sq_relations_take(sq_arena *arena, const sq_layout *layout, int32_t training, sq_relations *out);

/* Of block `block`, before its attention over sequences up to `longest`; grads NULL: the forward pass. */
void sq_relations_open(const sq_kernels *kernels, const sq_layout *layout, const sq_options *options, const float *weights,
                       int32_t block, int32_t longest, const float *grads, sq_relations *relations);
/* What a head adds by distance; grads: a parameter block, or NULL. */
sq_relation sq_relation_of_head(const sq_layout *layout, const float *weights, int32_t block, int32_t head,
                                const sq_relations *relations, float *grads);
/* What a head adds by time, without its intervals; the same grads. */
sq_relation sq_timed_relation_of_head(const sq_layout *layout, const float *weights, int32_t head, const sq_relations *relations,
                                      float *grads);
/* After the backward pass of all heads: gradients of biases go to their parameters. */
void sq_relations_close(const sq_layout *layout, const sq_options *options, int32_t block, const sq_relations *relations,
                        float *grads);
#endif
