/* position: schemes by the distance of two events; a scheme is one file and one row of the table in schemes.c. */
#ifndef SQ_SCHEME_H
#define SQ_SCHEME_H
#include <stddef.h>
#include "tensor/kernels.h"

/* What a scheme is told of a model. */
typedef struct sq_scheme_shape {
    int32_t both_ways; /* keys may stand behind the query */
    int32_t buckets;   /* of biases by bucket, and the distance from which on all share the last */
    int64_t farthest;
} sq_scheme_shape;

/* What attention adds for a query and a key `offset` events behind it (before it: negative): attention/relation.h has the terms. */
typedef struct sq_scheme {
    const char *name; /* the choice of option relative; "reversed": of option position */
    int32_t tables;   /* 1: vectors to keys and values */
    int32_t made;     /* of these: 0: learned, the same for all heads; 1: each head's own, made of other parameters (sq_reversed_fwd) */
    int32_t clips;    /* 1: distances from relative_clip on can share what the farthest has */
    int32_t rotates;  /* 1: queries and keys are turned by the angles of their places */
    int32_t biases;   /* 1: numbers to scores */
    /* Row of the learned table [buckets][heads] of biases. NULL: one for each distance, the same for all heads; or see fixed. */
    int32_t (*bucket)(const sq_scheme_shape *shape, int64_t offset);
    double (*fixed)(int32_t head, int32_t heads, int64_t offset); /* the bias itself, which nobody learns; or NULL */
} sq_scheme;

extern const sq_scheme sq_scheme_shaw, sq_scheme_bias, sq_scheme_t5, sq_scheme_alibi, sq_scheme_rotary, sq_scheme_reversed;

/* The choices of option relative in their order; NULL past the last. */
const sq_scheme *sq_scheme_at(int64_t index);

/* Angle by which rotary positions turn pair `pair` of `half` of the event at place t. */
double sq_rotary_angle(int64_t t, int32_t pair, int32_t half, double base);

/* Tables of a block under position = reversed, [rows][2 * hp], keys before values: row rows - 1 - c has (p[c] - p[0]) W. positions: p
 * [rows][dp]; weights: W [dp][ld]. */
void sq_reversed_fwd(const sq_kernels *kernels, size_t rows, size_t dp, size_t hp, const float *positions, const float *weights,
                     size_t ld, float *table);
/* dtable is used up; transposed: W^T [2 * hp][dp]; dpositions and dweights are added to. */
void sq_reversed_bwd(const sq_kernels *kernels, size_t rows, size_t dp, size_t hp, const float *positions, const float *transposed,
                     size_t ld, float *dtable, float *dpositions, float *dweights);
#endif
