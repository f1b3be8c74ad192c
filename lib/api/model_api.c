/* api: models: creating, sharing, files, options and notes. */
#include "api/checks.h"
#include "api/textout.h"
#include "model/modelfile.h"
#include "serve/recommend.h"

int32_t seqrec_model_create(seqrec_context *context, const seqrec_config *config, seqrec_model **out,
                            seqrec_error *error)
{
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(config != NULL, error, SEQREC_E_ARGUMENT, "config is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    return sq_model_create(context, &config->options, config->preset, out, error);
}

seqrec_model *seqrec_model_retain(seqrec_model *model)
{
    return model == NULL ? NULL : sq_model_retain(model);
}

void seqrec_model_release(seqrec_model *model)
{
    sq_model_release(model);
}

int32_t seqrec_model_save(const seqrec_model *model, const char *path, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(path != NULL, error, SEQREC_E_ARGUMENT, "path is NULL");
    return sq_model_save(model, path, error);
}

static int32_t load(seqrec_context *context, const char *path, int64_t longest, seqrec_model **out, seqrec_error *error)
{
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(path != NULL, error, SEQREC_E_ARGUMENT, "path is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    return sq_model_load(context, path, longest, out, error);
}

int32_t seqrec_model_load(seqrec_context *context, const char *path, seqrec_model **out, seqrec_error *error)
{
    return load(context, path, 0, out, error);
}

int32_t seqrec_model_load_longer(seqrec_context *context, const char *path, int64_t max_length, seqrec_model **out, seqrec_error *error)
{
    SQ_CHECK(max_length > 0, error, SEQREC_E_RANGE, "max_length = %lld is not above 0", (long long)max_length);
    return load(context, path, max_length, out, error);
}

int32_t seqrec_model_config(const seqrec_model *model, seqrec_config **out, seqrec_error *error)
{
    seqrec_config *made = NULL;
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_config_create(&model->context->memory, &made, error));
    sq_model_options(model, &made->options);
    memcpy(made->preset, model->preset, sizeof made->preset);
    *out = made;
    return SEQREC_OK;
}

int32_t seqrec_model_note(const seqrec_model *model, const char *key, char *out, size_t out_bytes, size_t *needed,
                          seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(key != NULL, error, SEQREC_E_ARGUMENT, "key is NULL");
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const char *value = sq_notes_get(snapshot->parts.notes, key);
    if (value == NULL && strcmp(key, "preset") == 0 && model->preset[0] != '\0') value = model->preset;
    if (value == NULL && strcmp(key, "lost") == 0 && model->lost[0] != '\0') value = model->lost;
    int32_t status = value == NULL ? sq_fail(error, SEQREC_E_NOT_FOUND, "the model has no note \"%.100s\"", key)
                                   : sq_text_out(value, strlen(value), key, out, out_bytes, needed, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

int32_t seqrec_model_set_note(seqrec_model *model, const char *key, const char *value, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(key != NULL, error, SEQREC_E_ARGUMENT, "key is NULL");
    return sq_model_note(model, key, value, error);
}

_Static_assert(SEQREC_TABLE_FLOAT32 == (int)SQ_TABLE_FLOAT32 && SEQREC_TABLE_BF16 == (int)SQ_TABLE_BF16 &&
                   SEQREC_TABLE_INT8 == (int)SQ_TABLE_INT8,
               "kinds of tables are numbered as the interface numbers them");

int32_t seqrec_model_quantise(seqrec_model *model, int32_t table, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(table >= 0 && table < SQ_TABLE_KINDS, error, SEQREC_E_RANGE, "table = %d is none of SEQREC_TABLE_*", (int)table);
    return sq_model_quantise(model, table, error);
}

int32_t seqrec_model_export(const seqrec_model *model, const char *path, int32_t table, int32_t rows, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(path != NULL, error, SEQREC_E_ARGUMENT, "path is NULL");
    SQ_CHECK(table >= 0 && table < SQ_TABLE_KINDS, error, SEQREC_E_RANGE, "table = %d is none of SEQREC_TABLE_*", (int)table);
    SQ_CHECK(rows == 0 || rows == 1, error, SEQREC_E_RANGE, "rows = %d is neither 0 nor 1", (int)rows);
    SQ_CHECK(rows || table != SQ_TABLE_FLOAT32, error, SEQREC_E_ARGUMENT, "rows = 0 leaves no vectors with SEQREC_TABLE_FLOAT32");
    return sq_model_export(model, path, table, rows, error);
}

int32_t seqrec_model_map(seqrec_context *context, const char *path, int32_t flags, seqrec_model **out, seqrec_error *error)
{
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(path != NULL, error, SEQREC_E_ARGUMENT, "path is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_CHECK(flags == 0 || flags == SEQREC_MAP_VERIFY, error, SEQREC_E_RANGE, "flags = %d is neither 0 nor SEQREC_MAP_VERIFY", (int)flags);
    SQ_TRY(sq_pool_check(context->pool, error));
    return sq_model_map(context, path, flags == SEQREC_MAP_VERIFY, out, error);
}

static int32_t check_gates(const double *open, int64_t capacity, int64_t gated, seqrec_error *error)
{
    SQ_CHECK(open != NULL || capacity == 0, error, SEQREC_E_ARGUMENT, "open is NULL for capacity = %lld", (long long)capacity);
    SQ_CHECK(open == NULL || capacity >= gated, error, SEQREC_E_RANGE, "capacity %lld is below the %lld blocks", (long long)capacity,
             (long long)gated);
    return SEQREC_OK;
}

int32_t seqrec_model_gates(const seqrec_model *model, double *open, int64_t capacity, int64_t *blocks,
                           seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    const sq_layout *l = &model->layout;
    const int64_t gated = model->options.gates == SQ_GATES_POSITION ? l->blocks : 0;
    SQ_CHECK(model->options.gates != SQ_GATES_CONTENT, error, SEQREC_E_UNSUPPORTED,
             "gates = content depend on the history: there is no share that holds for all, see seqrec_model_gates_on");
    SQ_TRY(check_gates(open, capacity, gated, error));
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const double all = 0.5 * (double)l->length * (double)(l->length + 1);
    for (int32_t b = 0; open != NULL && b < gated; b++)
        open[b] = (double)sq_gate_table_open(&snapshot->parts.weights->gates, l, b) / all;
    sq_snapshot_release(model, snapshot);
    if (blocks != NULL) *blocks = gated;
    return SEQREC_OK;
}

int32_t seqrec_model_gates_on(const seqrec_model *model, const seqrec_batch *batch, double *open, int64_t capacity, int64_t *blocks,
                              seqrec_error *error)
{
    seqrec_batch b = {0};
    _Atomic int64_t counts[2 * SQ_MOST_BLOCKS] = {0};
    SQ_TRY(sq_model_usable(model, error));
    const int64_t gated = model->options.gates == SQ_GATES_CONTENT ? model->layout.blocks : 0;
    SQ_CHECK(model->options.gates != SQ_GATES_POSITION, error, SEQREC_E_UNSUPPORTED,
             "gates = position are the same for every history: see seqrec_model_gates");
    SQ_TRY(check_gates(open, capacity, gated, error));
    SQ_TRY(sq_batch_read(&b, batch, error));
    SQ_TRY(sq_batch_times_check(model, &b, error));
    if (open != NULL && gated > 0) SQ_TRY(sq_count_gates(model, &b, counts, error));
    for (int64_t i = 0; open != NULL && i < gated; i++) open[i] = (double)counts[2 * i] / (double)counts[2 * i + 1];
    if (blocks != NULL) *blocks = gated;
    return SEQREC_OK;
}
