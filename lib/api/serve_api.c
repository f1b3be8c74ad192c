/* api: user vectors, scores and recommendations from raw histories. */
#include "api/checks.h"
#include "serve/recommend.h"

/* What the three calls have in common. */
static int32_t begin(const seqrec_model *model, const seqrec_batch *batch, const seqrec_filter *filter,
                     seqrec_batch *read_batch, seqrec_filter *read_filter_to, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_batch_read(read_batch, batch, error));
    SQ_TRY(sq_batch_times_check(model, read_batch, error));
    return sq_filter_read(read_filter_to, filter, error);
}

int32_t seqrec_score(const seqrec_model *model, const seqrec_batch *batch, const int64_t *candidates,
                     const int64_t *candidate_offsets, int64_t n, const seqrec_filter *filter, float *scores,
                     seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_filter f = {0};
    SQ_TRY(begin(model, batch, filter, &b, &f, error));
    if (candidate_offsets != NULL) SQ_TRY(sq_offsets_check("candidate_offsets", candidate_offsets, b.sequences, error));
    SQ_CHECK(candidate_offsets != NULL || n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    const int64_t listed = candidate_offsets != NULL ? candidate_offsets[b.sequences] : n;
    SQ_CHECK(candidates != NULL || listed == 0, error, SEQREC_E_ARGUMENT, "candidates is NULL for %lld candidates",
             (long long)listed);
    SQ_CHECK(scores != NULL || listed == 0 || b.sequences == 0, error, SEQREC_E_ARGUMENT,
             "scores is NULL for %lld candidates", (long long)listed);
    return sq_score_candidates(model, &b, NULL, candidates, candidate_offsets, n, &f, scores, error);
}

int32_t seqrec_topk(const seqrec_model *model, const seqrec_batch *batch, int64_t k, const seqrec_filter *filter,
                    int64_t *items, float *scores, int64_t *found, seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_filter f = {0};
    SQ_TRY(begin(model, batch, filter, &b, &f, error));
    SQ_CHECK(k >= 0, error, SEQREC_E_ARGUMENT, "k = %lld is negative", (long long)k);
    SQ_CHECK(items != NULL || k == 0 || b.sequences == 0, error, SEQREC_E_ARGUMENT, "items is NULL for k = %lld",
             (long long)k);
    SQ_CHECK(found != NULL || b.sequences == 0, error, SEQREC_E_ARGUMENT, "found is NULL for %lld sequences",
             (long long)b.sequences);
    return sq_recommend(model, &b, NULL, k, &f, items, scores, found, error);
}

int32_t seqrec_encode(const seqrec_model *model, const seqrec_batch *batch, const seqrec_filter *filter, float *out,
                      seqrec_error *error)
{
    seqrec_batch b = {0};
    seqrec_filter f = {0};
    SQ_TRY(begin(model, batch, filter, &b, &f, error));
    SQ_CHECK(out != NULL || b.sequences == 0, error, SEQREC_E_ARGUMENT, "out is NULL for %lld sequences",
             (long long)b.sequences);
    return sq_encode_batch(model, &b, &f, out, error);
}
