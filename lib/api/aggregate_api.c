/* api: paths made one list. */
#include "api/checks.h"
#include "serve/aggregate.h"

#define MOST_LOG 1e-3 /* rounding may leave a little above 0 */

static int32_t check_paths(const sq_paths *p, int32_t how, seqrec_error *error)
{
    SQ_CHECK(p->width >= 0, error, SEQREC_E_ARGUMENT, "width = %lld is negative", (long long)p->width);
    SQ_CHECK(p->steps >= 0, error, SEQREC_E_ARGUMENT, "steps = %lld is negative", (long long)p->steps);
    SQ_CHECK(p->width == 0 || p->steps <= INT32_MAX / p->width, error, SEQREC_E_RANGE,
             "width = %lld paths of steps = %lld are more than %d items", (long long)p->width, (long long)p->steps, INT32_MAX);
    SQ_CHECK(p->items != NULL || p->width * p->steps == 0, error, SEQREC_E_ARGUMENT, "paths is NULL for %lld items",
             (long long)(p->width * p->steps));
    SQ_CHECK(how != SEQREC_AGGREGATE_RELEVANCE || p->log_probabilities != NULL || p->width * p->steps == 0, error, SEQREC_E_ARGUMENT,
             "log_probabilities is NULL: relevance needs that of each of the %lld items", (long long)(p->width * p->steps));
    const int64_t logs = how == SEQREC_AGGREGATE_RELEVANCE ? p->width * p->steps : p->width;
    for (int64_t i = 0; p->log_probabilities != NULL && i < logs; i++)
        SQ_CHECK(p->log_probabilities[i] <= MOST_LOG, error, SEQREC_E_RANGE, /* NaN is not */
                 "log_probabilities[%lld] = %g is not the logarithm of a probability", (long long)i, p->log_probabilities[i]);
    return SEQREC_OK;
}

int32_t seqrec_aggregate(const seqrec_allocator *allocator, const int64_t *paths, int64_t width, int64_t steps,
                         const double *log_probabilities, int32_t how, int64_t k, int64_t *items, double *scores, int64_t *found,
                         seqrec_error *error)
{
    const sq_paths p = {.items = paths, .width = width, .steps = steps, .log_probabilities = log_probabilities};
    sq_memory memory;
    SQ_TRY(sq_host_memory(allocator, &memory, error));
    SQ_CHECK(how >= SEQREC_AGGREGATE_RANK && how <= SEQREC_AGGREGATE_RELEVANCE, error, SEQREC_E_RANGE,
             "how = %d is no SEQREC_AGGREGATE_*", (int)how);
    SQ_TRY(check_paths(&p, how, error));
    SQ_CHECK(k >= 0, error, SEQREC_E_ARGUMENT, "k = %lld is negative", (long long)k);
    SQ_CHECK(items != NULL || k == 0, error, SEQREC_E_ARGUMENT, "items is NULL for k = %lld", (long long)k);
    SQ_CHECK(found != NULL, error, SEQREC_E_ARGUMENT, "found is NULL");
    return sq_aggregate(&memory, &p, how, k, items, scores, found, error);
}
