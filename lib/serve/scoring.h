/* serve: scores of items for user vectors. A score is one dot product in sixteen fixed lanes wherever it is asked for (a list,
 * a batch, the whole catalogue), so its bits depend on the two vectors alone; with score = cosine it is multiplied by the
 * inverse length of the item's vector. */
#ifndef SQ_SCORING_H
#define SQ_SCORING_H
#include "model/model.h"
#include "tensor/scankernels.h"

typedef struct sq_scoring {
    const sq_kernels *kernels;
    const sq_scan_kernels *scan;
    const sq_catalogue *catalogue;
    size_t width;  /* padded d */
    size_t offset; /* of the output vector in a row */
    int32_t cosine;
} sq_scoring;

sq_scoring sq_scoring_of(const seqrec_model *model, const sq_catalogue *catalogue);

static inline const float *sq_scoring_row(const sq_scoring *scoring, int32_t slot)
{
    return sq_catalogue_row(scoring->catalogue, slot) + scoring->offset;
}

/* Most items of one call below; the scratch of a thread. */
#define SQ_SCORED_ITEMS SQ_CHUNK_ROWS
typedef struct sq_scoring_scratch {
    const float **rows;   /* [SQ_SCORED_ITEMS] */
    float *inverse_norms; /* [SQ_SCORED_ITEMS], cosine */
} sq_scoring_scratch;
void sq_scoring_scratch_take(sq_arena *arena, sq_scoring_scratch *out);

/* 1 / length of the vector behind each of rows[n], 0 for a zero vector. */
void sq_inverse_norms(const sq_scoring *scoring, const float *const *rows, size_t n, float *out);

/* scores[q * ld + i] of the vector behind rows[i] for user vector q, users [count][width]. inverse_norms [n]: NULL unless
 * cosine. */
void sq_score_rows(const sq_scoring *scoring, const float *users, size_t count, const float *const *rows,
                   const float *inverse_norms, size_t n, float *scores, size_t ld);
/* The same for the items in slots[n], n <= SQ_SCORED_ITEMS. */
void sq_score_slots(const sq_scoring *scoring, const float *users, size_t count, const int32_t *slots, size_t n,
                    sq_scoring_scratch *scratch, float *scores, size_t ld);
/* The same for the n slots from `first` on, which lie in one chunk; free slots get some score. */
void sq_score_run(const sq_scoring *scoring, const float *users, size_t count, int32_t first, size_t n,
                  sq_scoring_scratch *scratch, float *scores, size_t ld);
#endif
