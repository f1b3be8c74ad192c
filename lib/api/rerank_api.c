/* api: lists in another order. */
#include "api/checks.h"
#include <math.h>
#include "serve/rerank.h"

int32_t seqrec_rerank_mmr(const seqrec_model *model, const int64_t *items, const double *relevance, int64_t n, double lambda, int64_t k,
                          int64_t *order, double *values, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    SQ_CHECK(items != NULL || n == 0, error, SEQREC_E_ARGUMENT, "items is NULL for n = %lld", (long long)n);
    SQ_CHECK(relevance != NULL || n == 0, error, SEQREC_E_ARGUMENT, "relevance is NULL for n = %lld", (long long)n);
    SQ_CHECK(lambda >= 0 && lambda <= 1, error, SEQREC_E_RANGE, "lambda = %g is not in 0 .. 1", lambda); /* NaN is not */
    SQ_CHECK(k >= 0, error, SEQREC_E_ARGUMENT, "k = %lld is negative", (long long)k);
    SQ_CHECK(order != NULL || k == 0 || n == 0, error, SEQREC_E_ARGUMENT, "order is NULL for k = %lld", (long long)k);
    for (int64_t i = 0; i < n; i++)
        SQ_CHECK(isfinite(relevance[i]), error, SEQREC_E_RANGE, "relevance[%lld] = %g is not finite", (long long)i, relevance[i]);
    return sq_rerank_mmr(model, items, relevance, n, lambda, k, order, values, error);
}
