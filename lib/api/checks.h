/* api: checks that many functions begin with. */
#ifndef SQ_CHECKS_H
#define SQ_CHECKS_H
#include "api/structs.h"
#include "model/model.h"

/* A model that may be used in this process: E_STATE in a forked child, where a lock may be held for ever. */
static inline int32_t sq_model_usable(const seqrec_model *model, seqrec_error *error)
{
    SQ_CHECK(model != NULL, error, SEQREC_E_ARGUMENT, "model is NULL");
    return sq_pool_check(model->context->pool, error);
}

static inline int32_t sq_ids_check(const int64_t *ids, int64_t n, seqrec_error *error)
{
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    SQ_CHECK(ids != NULL || n == 0, error, SEQREC_E_ARGUMENT, "ids is NULL for n = %lld", (long long)n);
    return SEQREC_OK;
}

/* offsets [n + 1]: from 0, never falling. name: of the argument. */
static inline int32_t sq_offsets_check(const char *name, const int64_t *offsets, int64_t n, seqrec_error *error)
{
    SQ_CHECK(offsets[0] == 0, error, SEQREC_E_ARGUMENT, "%s[0] = %lld; offsets start at 0", name, (long long)offsets[0]);
    for (int64_t b = 0; b < n; b++)
        SQ_CHECK(offsets[b] <= offsets[b + 1], error, SEQREC_E_ARGUMENT, "%s[%lld] = %lld is below %s[%lld] = %lld", name,
                 (long long)(b + 1), (long long)offsets[b + 1], name, (long long)b, (long long)offsets[b]);
    return SEQREC_OK;
}

static inline int32_t sq_batch_offsets_check(const seqrec_batch *batch, seqrec_error *error)
{
    SQ_CHECK(batch->offsets != NULL, error, SEQREC_E_ARGUMENT, "batch.offsets is NULL for %lld sequences",
             (long long)batch->sequences);
    SQ_TRY(sq_offsets_check("batch.offsets", batch->offsets, batch->sequences, error));
    SQ_CHECK(batch->items != NULL || batch->offsets[batch->sequences] == 0, error, SEQREC_E_ARGUMENT,
             "batch.items is NULL for %lld events", (long long)batch->offsets[batch->sequences]);
    return SEQREC_OK;
}

/* The host's batch as a struct of this build, with offsets that hold together. What else it carries is the caller's to check. */
static inline int32_t sq_batch_read(seqrec_batch *out, const seqrec_batch *batch, seqrec_error *error)
{
    SQ_CHECK(batch != NULL, error, SEQREC_E_ARGUMENT, "batch is NULL");
    SQ_TRY(sq_struct_read(out, sizeof *out, batch, SQ_BATCH_FIRST, "batch", error));
    SQ_CHECK(out->sequences >= 0, error, SEQREC_E_ARGUMENT, "batch.sequences = %lld is negative",
             (long long)out->sequences);
    return out->sequences == 0 ? SEQREC_OK : sq_batch_offsets_check(out, error);
}

/* Models that know of time need the events', in order; other models do not read them. */
static inline int32_t sq_batch_times_check(const seqrec_model *model, const seqrec_batch *batch, seqrec_error *error)
{
    if (!model->layout.dated || batch->sequences == 0) return SEQREC_OK;
    const int64_t *times = batch->timestamps, *offsets = batch->offsets;
    SQ_CHECK(times != NULL || offsets[batch->sequences] == 0, error, SEQREC_E_ARGUMENT,
             "batch.timestamps is NULL: a model with %s needs the times of the events", sq_layout_dated_by(&model->layout));
    for (int64_t b = 0; b < batch->sequences; b++) {
        for (int64_t e = offsets[b] + 1; e < offsets[b + 1]; e++)
            SQ_CHECK(times[e - 1] <= times[e], error, SEQREC_E_ARGUMENT,
                     "batch.timestamps: event %lld of sequence %lld is at %lld, before the one before it at %lld",
                     (long long)(e - offsets[b]), (long long)b, (long long)times[e], (long long)times[e - 1]);
        if (batch->request_times == NULL || offsets[b] == offsets[b + 1]) continue;
        SQ_CHECK(batch->request_times[b] >= times[offsets[b + 1] - 1], error, SEQREC_E_ARGUMENT,
                 "batch.request_times[%lld] = %lld is before the sequence's last event at %lld", (long long)b,
                 (long long)batch->request_times[b], (long long)times[offsets[b + 1] - 1]);
    }
    return SEQREC_OK;
}

static inline int32_t sq_list_check(const char *name, const int64_t *ids, int64_t count, seqrec_error *error)
{
    SQ_CHECK(count >= 0, error, SEQREC_E_ARGUMENT, "filter.%s_count = %lld is negative", name, (long long)count);
    SQ_CHECK(ids != NULL || count == 0, error, SEQREC_E_ARGUMENT, "filter.%s is NULL but filter.%s_count is %lld", name,
             name, (long long)count);
    return SEQREC_OK;
}

/* filter NULL: a zeroed one. */
static inline int32_t sq_filter_read(seqrec_filter *out, const seqrec_filter *filter, seqrec_error *error)
{
    out->struct_size = sizeof *out;
    if (filter == NULL) return SEQREC_OK;
    SQ_TRY(sq_struct_read(out, sizeof *out, filter, SQ_FILTER_FIRST, "filter", error));
    SQ_CHECK(out->exclude_seen == 0 || out->exclude_seen == 1, error, SEQREC_E_RANGE,
             "filter.exclude_seen = %d is neither 0 nor 1", (int)out->exclude_seen);
    SQ_CHECK(out->unknown_items == SEQREC_UNKNOWN_SKIP || out->unknown_items == SEQREC_UNKNOWN_ERROR, error,
             SEQREC_E_RANGE, "filter.unknown_items = %d is neither SEQREC_UNKNOWN_SKIP nor SEQREC_UNKNOWN_ERROR",
             (int)out->unknown_items);
    SQ_CHECK(out->bits_count >= 0, error, SEQREC_E_ARGUMENT, "filter.bits_count = %lld is negative", (long long)out->bits_count);
    SQ_CHECK(out->bits != NULL || out->bits_count == 0, error, SEQREC_E_ARGUMENT, "filter.bits is NULL but filter.bits_count is %lld",
             (long long)out->bits_count);
    SQ_TRY(sq_list_check("allow", out->allow, out->allow_count, error));
    return sq_list_check("deny", out->deny, out->deny_count, error);
}
#endif
