/* model: copies of one chunk of rows in few bits, which a scan for the best items reads instead of the floats. They hold the
 * vectors that are scored: of a row of two vectors the second, and with score = cosine divided by their length. */
#ifndef SQ_COARSE_H
#define SQ_COARSE_H
#include "model/mapping.h"

/* What a table has beside its floats; public, as SEQREC_TABLE_*. */
enum { SQ_TABLE_FLOAT32, SQ_TABLE_BF16, SQ_TABLE_INT8, SQ_TABLE_KINDS };

/* How the copies of a table are made. */
typedef struct sq_coarse_rule {
    int32_t kind;   /* SQ_TABLE_*; FLOAT32: there are none */
    int32_t cosine; /* 1: of vectors of length 1 */
} sq_coarse_rule;

/* One chunk, reference counted and never changed. Layout of `at`: lib/tensor/scankernels.h. */
typedef struct sq_coarse {
    _Atomic int32_t references;
    uint8_t *at;   /* bytes or halves of SQ_CHUNK_ROWS rows, as wide as a padded vector */
    float *scales; /* [SQ_CHUNK_ROWS]; NULL unless SQ_TABLE_INT8. In the block of `at`, behind it, or in the mapping */
    sq_mapping *mapping; /* NULL, or the file that both lie in */
} sq_coarse;

/* The copy of `count` vectors (a multiple of 16) of `width` floats (a multiple of 16), `stride` apart. NULL when memory fails. */
sq_coarse *sq_coarse_create(const sq_memory *memory, sq_coarse_rule rule, size_t count, size_t width, size_t stride,
                            const float *vectors);
/* A blank copy of `count` vectors, to be filled before anybody else sees it. */
sq_coarse *sq_coarse_blank(const sq_memory *memory, int32_t kind, size_t count, size_t width);
/* A copy that lies in a mapped file; adds a reference to the mapping. */
sq_coarse *sq_coarse_map(const sq_memory *memory, sq_mapping *mapping, const uint8_t *at, const float *scales);
/* What sq_coarse_create makes, to memory of the caller. scales: with SQ_TABLE_INT8. */
void sq_coarse_fill(sq_coarse_rule rule, size_t count, size_t width, size_t stride, const float *vectors, uint8_t *at, float *scales);
/* One vector of any length in whole numbers, one behind the other; returns its scale. */
float sq_coarse_wholes(const float *x, size_t width, int8_t *to);
uint16_t sq_coarse_half(float x);
sq_coarse *sq_coarse_retain(sq_coarse *coarse);
void sq_coarse_release(const sq_memory *memory, sq_coarse *coarse);

/* Bytes of the copy of one vector, without its scale. */
static inline size_t sq_coarse_bytes(int32_t kind, size_t width) { return kind == SQ_TABLE_INT8 ? width : 2 * width; }
#endif
