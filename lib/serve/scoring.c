/* serve: scores of items for user vectors, by blocks of item vectors that stay in the first-level cache. */
#include "serve/scoring.h"
#include "tensor/length.h"

#define BLOCK_FLOATS 4096 /* 16 KiB of item vectors */

sq_scoring sq_scoring_of(const seqrec_model *model, const sq_catalogue *catalogue)
{
    return (sq_scoring){.kernels = model->kernels,
                        .scan = sq_scan_kernels_best(),
                        .catalogue = catalogue,
                        .width = (size_t)catalogue->padded,
                        .offset = sq_output_offset(catalogue),
                        .cosine = model->options.score == SQ_SCORE_COSINE};
}

void sq_scoring_scratch_take(sq_arena *arena, sq_scoring_scratch *out)
{
    out->rows = SQ_TAKE(arena, const float *, SQ_SCORED_ITEMS);
    out->inverse_norms = SQ_TAKE(arena, float, SQ_SCORED_ITEMS);
}

/* Items of a block: all of them for one user, for whom nothing is read twice. */
static size_t block_of(const sq_scoring *scoring, size_t users, size_t n)
{
    const size_t fit = BLOCK_FLOATS / scoring->width;
    return users <= 1 ? n : fit < 4 ? 4 : fit;
}

static void multiply(size_t n, const float *factors, float *scores)
{
    for (size_t i = 0; i < n; i++) scores[i] *= factors[i];
}

void sq_inverse_norms(const sq_scoring *scoring, const float *const *rows, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = sq_inverse_length(scoring->kernels, scoring->width, rows[i]);
}

void sq_score_rows(const sq_scoring *scoring, const float *users, size_t count, const float *const *rows,
                   const float *inverse_norms, size_t n, float *scores, size_t ld)
{
    const size_t block = block_of(scoring, count, n), width = scoring->width;
    for (size_t i = 0; i < n; i += block) {
        const size_t some = n - i < block ? n - i : block;
        for (size_t q = 0; q < count; q++) {
            float *to = scores + q * ld + i;
            scoring->kernels->gather_dots(some, width, users + q * width, rows + i, to);
            if (inverse_norms != NULL) multiply(some, inverse_norms + i, to);
        }
    }
}

void sq_score_slots(const sq_scoring *scoring, const float *users, size_t count, const int32_t *slots, size_t n,
                    sq_scoring_scratch *scratch, float *scores, size_t ld)
{
    for (size_t i = 0; i < n; i++) scratch->rows[i] = sq_scoring_row(scoring, slots[i]);
    if (scoring->cosine) sq_inverse_norms(scoring, scratch->rows, n, scratch->inverse_norms);
    sq_score_rows(scoring, users, count, scratch->rows, scoring->cosine ? scratch->inverse_norms : NULL, n, scores, ld);
}

void sq_score_run(const sq_scoring *scoring, const float *users, size_t count, int32_t first, size_t n,
                  sq_scoring_scratch *scratch, float *scores, size_t ld)
{
    const size_t block = block_of(scoring, count, n), width = scoring->width;
    const size_t stride = (size_t)scoring->catalogue->stride;
    const float *rows = sq_scoring_row(scoring, first);
    for (size_t i = 0; scoring->cosine && i < n; i++)
        scratch->inverse_norms[i] = sq_inverse_length(scoring->kernels, scoring->width, rows + i * stride);
    for (size_t i = 0; i < n; i += block) {
        const size_t some = n - i < block ? n - i : block;
        for (size_t q = 0; q < count; q++) {
            float *to = scores + q * ld + i;
            scoring->kernels->dots(some, width, users + q * width, rows + i * stride, stride, to);
            if (scoring->cosine) multiply(some, scratch->inverse_norms + i, to);
        }
    }
}
