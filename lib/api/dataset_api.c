/* api: datasets: made of arrays, files and the synthetic generator; facts and lookups. */
#include <math.h>
#include "api/checks.h"
#include "api/structs.h"
#include "data/names.h"
#include "data/reader.h"
#include "data/synth.h"
#include "model/match.h"

static int32_t check_values(const seqrec_batch *batch, seqrec_error *error)
{
    const int64_t events = batch->sequences > 0 && batch->values != NULL ? batch->offsets[batch->sequences] : 0;
    for (int64_t e = 0; e < events; e++)
        SQ_CHECK(isfinite(batch->values[e]), error, SEQREC_E_ARGUMENT, "batch.values[%lld] is not finite", (long long)e);
    return SEQREC_OK;
}

int32_t seqrec_dataset_create(seqrec_context *context, const seqrec_batch *batch, seqrec_dataset **out,
                              seqrec_error *error)
{
    seqrec_batch read = {0};
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    SQ_TRY(sq_batch_read(&read, batch, error));
    SQ_TRY(check_values(&read, error));
    SQ_CHECK(read.weights == NULL, error, SEQREC_E_ARGUMENT,
             "batch.weights is not NULL: a dataset keeps values; option event_weights = values makes weights of them");
    return sq_dataset_create(context, &read, out, error);
}

int32_t seqrec_dataset_read(seqrec_context *context, const char *path, const seqrec_reader *reader,
                            seqrec_dataset **out, seqrec_error *error)
{
    seqrec_reader how = {0};
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(path != NULL, error, SEQREC_E_ARGUMENT, "path is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    if (reader != NULL) SQ_TRY(sq_struct_read(&how, sizeof how, reader, SQ_READER_FIRST, "reader", error));
    SQ_CHECK(how.header >= -1 && how.header <= 1, error, SEQREC_E_RANGE, "reader.header = %d is none of -1, 0, 1",
             how.header);
    SQ_CHECK(how.has_minimum == 0 || how.has_minimum == 1, error, SEQREC_E_RANGE,
             "reader.has_minimum = %d is none of 0, 1", how.has_minimum);
    SQ_CHECK(!how.has_minimum || !isnan(how.minimum_value), error, SEQREC_E_RANGE, "reader.minimum_value is NaN");
    return sq_read_file(context, path, &how, out, error);
}

seqrec_dataset *seqrec_dataset_retain(seqrec_dataset *dataset)
{
    return sq_dataset_retain(dataset);
}

void seqrec_dataset_release(seqrec_dataset *dataset)
{
    sq_dataset_release(dataset);
}

int32_t seqrec_dataset_kcore(const seqrec_dataset *dataset, int64_t user_min, int64_t item_min, seqrec_dataset **out,
                             seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_CHECK(user_min >= 0, error, SEQREC_E_RANGE, "user_min = %lld is negative", (long long)user_min);
    SQ_CHECK(item_min >= 0, error, SEQREC_E_RANGE, "item_min = %lld is negative", (long long)item_min);
    return sq_dataset_kcore(dataset, user_min, item_min, out, error);
}

int32_t seqrec_dataset_shuffle_ties(const seqrec_dataset *dataset, uint64_t seed, seqrec_dataset **out, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    return sq_dataset_shuffle_ties(dataset, seed, out, error);
}

int32_t seqrec_dataset_corrupt(const seqrec_dataset *dataset, double share, const char *split, uint64_t seed,
                               seqrec_dataset **out, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_CHECK(share >= 0 && share <= 1, error, SEQREC_E_RANGE, "share = %g is not in [0, 1]", share);
    return sq_dataset_corrupt(dataset, share, split, seed, out, error);
}

int32_t seqrec_dataset_join(const seqrec_dataset *const *parts, int64_t count, int32_t users_apart, seqrec_dataset **out,
                            seqrec_error *error)
{
    SQ_CHECK(parts != NULL, error, SEQREC_E_ARGUMENT, "parts is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_CHECK(count >= 1, error, SEQREC_E_ARGUMENT, "count = %lld; at least one dataset is joined", (long long)count);
    SQ_CHECK(users_apart == 0 || users_apart == 1, error, SEQREC_E_RANGE, "users_apart = %d is none of 0, 1", users_apart);
    for (int64_t p = 0; p < count; p++)
        SQ_CHECK(parts[p] != NULL, error, SEQREC_E_ARGUMENT, "parts[%lld] is NULL", (long long)p);
    return sq_dataset_join(parts, count, users_apart, out, error);
}

int32_t seqrec_dataset_describe(const seqrec_dataset *dataset, seqrec_dataset_stats *out, seqrec_error *error)
{
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_struct_check(out, SQ_DATASET_STATS_FIRST, "stats", error));
    SQ_TRY(sq_dataset_describe(dataset, &stats, error));
    sq_struct_write(out, &stats, sizeof stats);
    return SEQREC_OK;
}

static int32_t check_index(const seqrec_dataset *dataset, int64_t index, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(index >= 0 && index < dataset->users, error, SEQREC_E_RANGE, "sequence %lld is not in [0, %lld)",
             (long long)index, (long long)dataset->users);
    return SEQREC_OK;
}

int32_t seqrec_dataset_values(const seqrec_dataset *dataset, int64_t index, const float **values, seqrec_error *error)
{
    SQ_TRY(check_index(dataset, index, error));
    SQ_CHECK(values != NULL, error, SEQREC_E_ARGUMENT, "values is NULL");
    *values = dataset->values == NULL ? NULL : dataset->values + dataset->offsets[index];
    return SEQREC_OK;
}

int32_t seqrec_dataset_sequence(const seqrec_dataset *dataset, int64_t index, int64_t *user, const int64_t **items,
                                const int64_t **timestamps, int64_t *count, seqrec_error *error)
{
    const int64_t *ids = NULL;
    SQ_TRY(check_index(dataset, index, error));
    if (items != NULL) {
        ids = sq_dataset_event_ids(dataset);
        SQ_CHECK(ids != NULL, error, SEQREC_E_MEMORY, "no memory for the ids of %lld events",
                 (long long)dataset->events);
        *items = ids + dataset->offsets[index];
    }
    if (user != NULL) *user = dataset->user_ids[index];
    if (timestamps != NULL)
        *timestamps = dataset->timestamps == NULL ? NULL : dataset->timestamps + dataset->offsets[index];
    if (count != NULL) *count = dataset->offsets[index + 1] - dataset->offsets[index];
    return SEQREC_OK;
}

int32_t seqrec_dataset_division(const seqrec_dataset *dataset, const char *split, int64_t index, int64_t *train_end,
                                int64_t *valid_end, seqrec_error *error)
{
    sq_division division;
    int64_t train = 0, valid = 0;
    SQ_TRY(check_index(dataset, index, error));
    SQ_TRY(sq_division_parse(split, &division, error));
    SQ_TRY(sq_division_check(&division, dataset, error));
    sq_division_user(&division, dataset, index, &train, &valid);
    if (train_end != NULL) *train_end = train;
    if (valid_end != NULL) *valid_end = valid;
    return SEQREC_OK;
}

int32_t seqrec_dataset_items(const seqrec_dataset *dataset, int64_t *ids, int64_t capacity, int64_t *count,
                             seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(ids != NULL || capacity == 0, error, SEQREC_E_ARGUMENT, "ids is NULL");
    if (ids != NULL) {
        SQ_CHECK(capacity >= dataset->items, error, SEQREC_E_RANGE, "capacity %lld is below the %lld items",
                 (long long)capacity, (long long)dataset->items);
        memcpy(ids, dataset->item_ids, (size_t)dataset->items * sizeof *ids);
    }
    if (count != NULL) *count = dataset->items;
    return SEQREC_OK;
}

static int32_t give_name(const char *found, const char *what, int64_t id, const char **name, seqrec_error *error)
{
    SQ_CHECK(found != NULL, error, SEQREC_E_NOT_FOUND, "%s %lld has no name", what, (long long)id);
    *name = found;
    return SEQREC_OK;
}

int32_t seqrec_dataset_item_name(const seqrec_dataset *dataset, int64_t id, const char **name, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    return give_name(sq_dataset_item_name(dataset, id), "item", id, name, error);
}

static int32_t match_items(const seqrec_dataset *dataset, const sq_snapshot *now, const int64_t *ids, int64_t n, int64_t *out, uint8_t *known,
                           seqrec_error *error)
{
    const sq_item_match match = sq_match_items(now->parts.catalogue, now->parts.names, dataset);
    SQ_TRY(sq_match_check(now->parts.catalogue, now->parts.names, dataset, error));
    for (int64_t i = 0; i < n; i++)
        SQ_CHECK(sq_idmap_find(&dataset->item_index, ids[i]) >= 0, error, SEQREC_E_NOT_FOUND, "ids[%lld]: the dataset has no item %lld",
                 (long long)i, (long long)ids[i]);
    for (int64_t i = 0; i < n; i++) {
        const int32_t slot = sq_match_item(&match, sq_idmap_find(&dataset->item_index, ids[i]));
        known[i] = slot >= 0;
        if (slot >= 0) out[i] = sq_catalogue_id(now->parts.catalogue, slot);
    }
    return SEQREC_OK;
}

int32_t seqrec_dataset_match_items(const seqrec_dataset *dataset, const seqrec_model *model, const int64_t *ids, int64_t n, int64_t *out,
                                   uint8_t *known, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_TRY(sq_model_usable(model, error));
    SQ_TRY(sq_ids_check(ids, n, error));
    SQ_CHECK(n == 0 || (out != NULL && known != NULL), error, SEQREC_E_ARGUMENT, "%s is NULL", out == NULL ? "out" : "known");
    sq_snapshot *now = sq_snapshot_acquire(model);
    const int32_t status = match_items(dataset, now, ids, n, out, known, error);
    sq_snapshot_release(model, now);
    return status;
}

int32_t seqrec_dataset_user_name(const seqrec_dataset *dataset, int64_t id, const char **name, seqrec_error *error)
{
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    return give_name(sq_dataset_user_name(dataset, id), "user", id, name, error);
}

int32_t seqrec_dataset_synthesize(seqrec_context *context, const seqrec_synth *synth, seqrec_dataset **out,
                                  seqrec_ceiling *ceiling, seqrec_error *error)
{
    seqrec_synth with = {0};
    seqrec_ceiling best = {.struct_size = sizeof best};
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    if (synth != NULL) SQ_TRY(sq_struct_read(&with, sizeof with, synth, SQ_SYNTH_FIRST, "synth", error));
    if (ceiling != NULL) SQ_TRY(sq_struct_check(ceiling, SQ_CEILING_FIRST, "ceiling", error));
    SQ_TRY(sq_dataset_synthesize(context, &with, out, ceiling == NULL ? NULL : &best, error));
    if (ceiling != NULL) sq_struct_write(ceiling, &best, sizeof best);
    return SEQREC_OK;
}
