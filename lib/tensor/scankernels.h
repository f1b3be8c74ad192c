/* tensor: the kernels of scans over a table of items, one table per instruction set: scores from low-precision copies of its
 * rows, and which rows of a block of scores are worth a second look.
 *
 * Rows of 8 bits come in blocks of 16, columns in groups of 4 (the width is a multiple of 16): byte ((block * width / 4 + group)
 * * 16 + row) * 4 + column holds a whole number from -127 to 127, plus 128. Rows of 16 bits are the upper halves of floats, one
 * row behind the other. Sums of whole numbers are exact, so every table gives the same scores of 8-bit rows; those of 16-bit rows
 * are the bits of `dot` in kernels.h on the rows as floats. Nothing is read or written outside the extents given. */
#ifndef SQ_SCANKERNELS_H
#define SQ_SCANKERNELS_H
#include <stddef.h>
#include <stdint.h>

/* Rows of a block of 8-bit rows. */
#define SQ_INT8_ROWS 16

/* A vector as whole numbers: its element i is about step * v(i). */
typedef struct sq_int8_query {
    int32_t (*words)[4]; /* [width / 4] of each group: v0 v2 and v1 v3 as halves, then all four as low and as high bytes */
    int32_t bias;        /* 128 times the sum of all v */
    float step;
} sq_int8_query;

/* Fills query->words [width / 4] and the rest from u [width]. The numbers are as fine as 16 bits, and sums of 32, allow. A vector
 * that is not finite counts as zero. */
void sq_int8_query_set(sq_int8_query *query, size_t width, const float *u);

typedef struct sq_scan_kernels {
    const char *name;
    /* out[r] = scales[r] * step * sum of v * row r, r < 16 * blocks. next: the rows that will be wanted after these, to be asked
     * for early; any address will do. */
    void (*int8_scores)(size_t blocks, size_t width, const sq_int8_query *query, const uint8_t *rows, const uint8_t *next,
                        const float *scales, float *out);
    /* out[r] = <u, row r>, r < n. */
    void (*bf16_dots)(size_t n, size_t width, const float *u, const uint16_t *rows, float *out);
    /* Lists the rows r < n of scores [n][ld] that hold a score, among the first `width` (a multiple of 16), that is not below
     * floors[its column]; NaN is not. Returns how many they are. */
    size_t (*reach)(size_t n, size_t width, size_t ld, const float *scores, const float *floors, int32_t *out);
} sq_scan_kernels;

/* The best table for this processor; variant i for tests (0 base, 1 v3, 2 v4, 3 vnni), NULL when the processor lacks it. */
const sq_scan_kernels *sq_scan_kernels_best(void);
const sq_scan_kernels *sq_scan_kernels_variant(int32_t index);
#define SQ_SCAN_VARIANTS 4
#endif
