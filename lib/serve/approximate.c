/* serve: scores of a chunk of items from its copy in few bits, by blocks that stay in the first-level cache. */
#include "serve/approximate.h"

#define BLOCK_BYTES 16384

/* Rows of a block, whole blocks of 16: all of them for one user, for whom nothing is read twice. */
static size_t block_of(size_t users, size_t row_bytes)
{
    const size_t fit = BLOCK_BYTES / row_bytes / SQ_INT8_ROWS * SQ_INT8_ROWS;
    if (users <= 1 || fit > SQ_CHUNK_ROWS) return SQ_CHUNK_ROWS;
    return fit < SQ_INT8_ROWS ? SQ_INT8_ROWS : fit;
}

/* The copy behind this chunk's, or this one's again where there is none: a chunk without live items has no copy. */
static const uint8_t *following(const sq_catalogue *catalogue, int32_t chunk)
{
    const sq_coarse *next = chunk + 1 < catalogue->chunks ? catalogue->coarse[chunk + 1] : NULL;
    return (next ? next : catalogue->coarse[chunk])->at;
}

void sq_approximate_run(const sq_scoring *scoring, const float *users, const sq_int8_query *queries, size_t count, int32_t chunk,
                        float *scores, size_t ld)
{
    const sq_coarse *copy = scoring->catalogue->coarse[chunk];
    const int32_t kind = scoring->catalogue->rule.kind;
    const size_t width = scoring->width, row_bytes = sq_coarse_bytes(kind, width), block = block_of(count, row_bytes);
    for (size_t i = 0; i < SQ_CHUNK_ROWS; i += block) {
        const size_t some = SQ_CHUNK_ROWS - i < block ? SQ_CHUNK_ROWS - i : block;
        const uint8_t *rows = copy->at + i * row_bytes;
        const uint8_t *next = i + some < SQ_CHUNK_ROWS ? rows + some * row_bytes : following(scoring->catalogue, chunk);
        for (size_t q = 0; q < count; q++) {
            float *to = scores + q * ld + i;
            if (kind == SQ_TABLE_INT8)
                scoring->scan->int8_scores(some / SQ_INT8_ROWS, width, &queries[q], rows, next, copy->scales + i, to);
            else
                scoring->scan->bf16_dots(some, width, users + q * width, (const uint16_t *)(const void *)rows, to);
        }
    }
}
