/* train: saving and restoring a trainer. The file's model is the trainer's own weights; what readers of the model saw (the best
 * so far, when there was validation) is kept beside them. Random numbers need no state: they are functions of seed and step. */
#include "train/checkpoint.h"
#include "base/text.h"
#include "model/checksum.h"
#include "model/modelfile.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- rows in the order of the file ------------------------------------------------------------------------------------- */

/* The padded row at a slot of a table of some kind. */
typedef float *row_at(const void *table, int32_t slot);

static float *catalogue_row(const void *table, int32_t slot)
{
    return sq_catalogue_row(table, slot);
}

static float *moment_row(const sq_trained *table, float *chunk, int32_t slot)
{
    return chunk + (size_t)(slot % SQ_CHUNK_ROWS) * (size_t)table->catalogue->stride;
}

static float *m_row(const void *table, int32_t slot)
{
    return moment_row(table, ((const sq_trained *)table)->state[slot / SQ_CHUNK_ROWS]->m, slot);
}

static float *v_row(const void *table, int32_t slot)
{
    return moment_row(table, ((const sq_trained *)table)->state[slot / SQ_CHUNK_ROWS]->v, slot);
}

/* One column of row data: [items][tables * d], of the live rows. */
typedef struct column {
    const sq_trained *members; /* which rows there are, and how wide */
    const void *table;
    row_at *row;
} column;

static int32_t bring_rows(void *from, int64_t first, int64_t count, void *out, seqrec_error *error)
{
    const column *c = from;
    const sq_catalogue *k = c->members->catalogue;
    size_t d = (size_t)k->dim, dp = (size_t)k->padded, tables = (size_t)k->tables;
    float *to = out;
    (void)error;
    for (int64_t i = first; i < first + count; i++) {
        const float *row = c->row(c->table, c->members->live[i]);
        for (size_t t = 0; t < tables; t++, to += d) memcpy(to, row + t * dp, d * sizeof *to);
    }
    return SEQREC_OK;
}

/* Floats of a tensor: finite and at least `lowest`. */
static int32_t check_floats(const char *name, const float *values, size_t n, float lowest, seqrec_error *error)
{
    for (size_t i = 0; i < n; i++)
        SQ_CHECK(isfinite(values[i]) && values[i] >= lowest, error, SEQREC_E_FORMAT, "tensor '%s' holds the value %g, which is not a number from %g on", name,
                 (double)values[i], (double)lowest);
    return SEQREC_OK;
}

static int32_t read_rows(const sq_tensor_file *file, const char *name, column c, float lowest, seqrec_error *error)
{
    const sq_catalogue *k = c.members->catalogue;
    size_t d = (size_t)k->dim, dp = (size_t)k->padded, tables = (size_t)k->tables;
    int64_t shape[2] = {k->count, (int64_t)(tables * d)};
    const sq_tensor *tensor;
    sq_tensor_cursor cursor;
    SQ_TRY(sq_tensor_file_expect(file, name, SQ_F32, 2, shape, &tensor, error));
    sq_tensor_start(&cursor, file, tensor);
    for (int64_t i = 0; i < k->count; i++) {
        float *row = c.row(c.table, c.members->live[i]);
        for (size_t t = 0; t < tables; t++) {
            SQ_TRY(sq_tensor_next(&cursor, row + t * dp, d * sizeof *row, error));
            SQ_TRY(check_floats(name, row + t * dp, d, lowest, error));
        }
    }
    return SEQREC_OK;
}

/* ---- parameters in the order of the file -------------------------------------------------------------------------------- */

static void flatten(const sq_layout *l, const float *values, float *flat)
{
    for (int32_t i = 0; i < l->count; i++) {
        sq_parameter_export(&l->parameters[i], values, flat);
        flat += sq_parameter_elements(&l->parameters[i]);
    }
}

static int32_t read_parameters(const sq_memory *memory, const sq_tensor_file *file, const char *name, const sq_layout *l,
                               float *values, float lowest, seqrec_error *error)
{
    int64_t n = sq_layout_elements(l);
    const sq_tensor *tensor;
    SQ_TRY(sq_tensor_file_expect(file, name, SQ_F32, 1, &n, &tensor, error));
    float *flat = sq_alloc(memory, (size_t)n, sizeof *flat), *at = flat;
    SQ_CHECK(flat, error, SEQREC_E_MEMORY, "no memory for tensor %s", name);
    int32_t status = sq_tensor_read(file, tensor, flat, error);
    if (status == SEQREC_OK) status = check_floats(name, flat, (size_t)n, lowest, error);
    for (int32_t i = 0; status == SEQREC_OK && i < l->count; i++) {
        sq_parameter_import(&l->parameters[i], at, values);
        at += sq_parameter_elements(&l->parameters[i]);
    }
    sq_free(memory, flat);
    return status;
}

/* ---- counters --------------------------------------------------------------------------------------------------------------- */

static int32_t add_integer(sq_tensor_writer *w, const char *key, int64_t value, seqrec_error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return sq_tensor_writer_text(w, key, text, error);
}

static int32_t add_real(sq_tensor_writer *w, const char *key, double value, seqrec_error *error)
{
    char text[SQ_NUMBER_BYTES];
    sq_format_double(value, text);
    return sq_tensor_writer_text(w, key, text, error);
}

static int32_t add_hash(sq_tensor_writer *w, const char *key, uint64_t hash, seqrec_error *error)
{
    char text[SQ_CHECKSUM_DIGITS + 1] = {0};
    sq_checksum_write(hash, text);
    return sq_tensor_writer_text(w, key, text, error);
}

static int32_t add_counters(sq_tensor_writer *w, const sq_trainer *t, seqrec_error *error)
{
    const sq_progress_state *f = &t->fit;
    SQ_TRY(add_integer(w, "train.step", t->step, error));
    if (t->passed > 0) SQ_TRY(add_integer(w, "train.passed", t->passed, error));
    SQ_TRY(add_integer(w, "train.epoch", f->epoch, error));
    SQ_TRY(add_integer(w, "train.users", f->done, error));
    SQ_TRY(add_integer(w, "train.targets", f->targets, error));
    SQ_TRY(add_real(w, "train.loss", f->loss, error));
    if (f->weight != (double)f->targets) SQ_TRY(add_real(w, "train.weight", f->weight, error));
    SQ_TRY(add_integer(w, "train.best_epoch", f->best_epoch, error));
    SQ_TRY(add_integer(w, "train.stale", f->stale, error));
    SQ_TRY(add_integer(w, "train.averaged", f->averaged, error));
    if (f->best) SQ_TRY(add_real(w, "train.best_metric", f->best_metric, error));
    SQ_TRY(sq_tensor_writer_text(w, "train.split", f->split, error));
    if (f->values_hash) SQ_TRY(add_hash(w, "train.values_hash", f->values_hash, error));
    return add_hash(w, "train.data_hash", f->data_hash, error);
}

static int32_t text_of(const sq_tensor_file *file, const char *key, const char **out, seqrec_error *error)
{
    *out = sq_tensor_file_text(file, key);
    SQ_CHECK(*out, error, SEQREC_E_FORMAT, "metadata %s is missing: a model, not a checkpoint", key);
    return SEQREC_OK;
}

#define MOST_COUNTED 9007199254740992 /* sums and products of counters stay far from overflow */

/* A count: not negative. */
static int32_t read_count(const sq_tensor_file *file, const char *key, int64_t *out, seqrec_error *error)
{
    const char *text;
    SQ_TRY(text_of(file, key, &text, error));
    SQ_CHECK(sq_parse_int64(text, strlen(text), out) == SEQREC_OK && *out >= 0 && *out <= MOST_COUNTED, error,
             SEQREC_E_FORMAT, "metadata %s = \"%.40s\" is not a count", key, text);
    return SEQREC_OK;
}

static int32_t read_real(const sq_tensor_file *file, const char *key, double *out, seqrec_error *error)
{
    const char *text;
    SQ_TRY(text_of(file, key, &text, error));
    SQ_CHECK(sq_parse_double(text, strlen(text), out) == SEQREC_OK && isfinite(*out), error, SEQREC_E_FORMAT,
             "metadata %s = \"%.40s\" is not a finite number", key, text);
    return SEQREC_OK;
}

static int32_t read_hash(const sq_tensor_file *file, const char *key, uint64_t *out, seqrec_error *error)
{
    const char *text;
    SQ_TRY(text_of(file, key, &text, error));
    SQ_CHECK(strlen(text) == SQ_CHECKSUM_DIGITS && sq_checksum_parse(text, out), error, SEQREC_E_FORMAT,
             "metadata %s = \"%.40s\" is not 16 hex digits", key, text);
    return SEQREC_OK;
}

static int32_t read_counters(const sq_tensor_file *file, sq_trainer *t, int32_t has_best, seqrec_error *error)
{
    sq_progress_state *f = &t->fit;
    const char *split;
    SQ_TRY(read_count(file, "train.step", &t->step, error));
    if (sq_tensor_file_text(file, "train.passed")) SQ_TRY(read_count(file, "train.passed", &t->passed, error));
    SQ_TRY(read_count(file, "train.epoch", &f->epoch, error));
    SQ_TRY(read_count(file, "train.users", &f->done, error));
    SQ_TRY(read_count(file, "train.targets", &f->targets, error));
    SQ_TRY(read_real(file, "train.loss", &f->loss, error));
    f->weight = (double)f->targets;
    if (sq_tensor_file_text(file, "train.weight")) SQ_TRY(read_real(file, "train.weight", &f->weight, error));
    SQ_TRY(read_count(file, "train.best_epoch", &f->best_epoch, error));
    SQ_TRY(read_count(file, "train.stale", &f->stale, error));
    SQ_TRY(read_count(file, "train.averaged", &f->averaged, error));
    if (has_best) SQ_TRY(read_real(file, "train.best_metric", &f->best_metric, error));
    SQ_TRY(text_of(file, "train.split", &split, error));
    SQ_CHECK(strlen(split) < sizeof f->split, error, SEQREC_E_FORMAT, "metadata train.split has %zu bytes: at most %zu",
             strlen(split), sizeof f->split - 1);
    memcpy(f->split, split, strlen(split) + 1);
    if (sq_tensor_file_text(file, "train.values_hash")) SQ_TRY(read_hash(file, "train.values_hash", &f->values_hash, error));
    return read_hash(file, "train.data_hash", &f->data_hash, error);
}

/* ---- saving ------------------------------------------------------------------------------------------------------------------ */

/* A snapshot that is kept beside the weights: the best so far, or the running mean. */
typedef struct kept {
    const char *parameters, *items, *users; /* names of its tensors */
    sq_snapshot *snapshot;                  /* NULL: not there */
    float *flat;
} kept;

#define COLUMNS 8 /* two moments of both tables, and two kept snapshots of both */

/* What the writer points into. */
typedef struct save_job {
    sq_trainer *t;
    sq_snapshot *now;
    sq_model_source *source;
    sq_tensor_writer *writer;
    float *m, *v; /* flat parameters */
    kept kept[2];
    column columns[COLUMNS];
    int32_t filled; /* of the columns */
    int64_t *items_came, *users_came; /* of the live rows, for the running mean */
    double *counts; /* of the live items */
} save_job;

#define OPT_ITEMS "opt.items.m", "opt.items.v"
#define OPT_USERS "opt.users.m", "opt.users.v"
#define COUNTS "train.popularity"

static int32_t gather_kept(const save_job *j, kept *k, seqrec_error *error)
{
    const sq_memory *memory = &j->t->context->memory;
    if (!k->snapshot) return SEQREC_OK;
    k->flat = sq_alloc(memory, (size_t)sq_layout_elements(&j->t->model->layout), sizeof *k->flat);
    SQ_CHECK(k->flat, error, SEQREC_E_MEMORY, "no memory for writing a checkpoint");
    flatten(&j->t->model->layout, k->snapshot->parts.weights->at, k->flat);
    return SEQREC_OK;
}

static int32_t gather(save_job *j, seqrec_error *error)
{
    sq_trainer *t = j->t;
    const sq_memory *memory = &t->context->memory;
    const sq_layout *l = &t->model->layout;
    size_t n = (size_t)sq_layout_elements(l);
    j->m = sq_alloc(memory, n, sizeof *j->m);
    j->v = sq_alloc(memory, n, sizeof *j->v);
    SQ_CHECK(j->m && j->v, error, SEQREC_E_MEMORY, "no memory for writing a checkpoint");
    flatten(l, t->m, j->m);
    flatten(l, t->v, j->v);
    for (int i = 0; i < 2; i++) SQ_TRY(gather_kept(j, &j->kept[i], error));
    return SEQREC_OK;
}

static int32_t add_column(save_job *j, const char *name, column c, seqrec_error *error)
{
    const sq_catalogue *k = c.members->catalogue;
    int64_t shape[2] = {k->count, (int64_t)k->dim * k->tables};
    column *stays = &j->columns[j->filled++];
    *stays = c;
    return sq_tensor_writer_add_rows(j->writer, name, SQ_F32, 2, shape, bring_rows, stays, error);
}

static int32_t add_moments(save_job *j, const char *m, const char *v, const sq_trained *table, seqrec_error *error)
{
    SQ_TRY(add_column(j, m, (column){table, table, m_row}, error));
    return add_column(j, v, (column){table, table, v_row}, error);
}

/* Its rows have the trainer's membership: sq_trainer_sync has brought it under today's. */
static int32_t add_kept(save_job *j, const kept *k, seqrec_error *error)
{
    const sq_trainer *t = j->t;
    int64_t n = sq_layout_elements(&t->model->layout);
    if (!k->snapshot) return SEQREC_OK;
    SQ_TRY(sq_tensor_writer_add(j->writer, k->parameters, SQ_F32, 1, &n, k->flat, error));
    SQ_TRY(add_column(j, k->items, (column){&t->items, k->snapshot->parts.catalogue, catalogue_row}, error));
    if (!sq_trainer_personal(t)) return SEQREC_OK;
    return add_column(j, k->users, (column){&t->users, k->snapshot->parts.users, catalogue_row}, error);
}

/* The file is a model too, and says what it was trained on even before the fit publishes. */
static int32_t note_fit(save_job *j, seqrec_error *error)
{
    sq_notes *notes = NULL;
    SQ_TRY(sq_trainer_notes(j->t, j->now->parts.notes, &notes, error));
    if (!notes) return SEQREC_OK;
    sq_notes_release(j->now->parts.notes);
    j->now->parts.notes = notes;
    return SEQREC_OK;
}

/* Of an epoch that is under way: the next one makes its own. */
#define KNOWN "train.known"

/* Training counts, when there are any. */
static int32_t add_counts(save_job *j, seqrec_error *error)
{
    const sq_trainer *t = j->t;
    double sum = 0;
    j->counts = sq_alloc(&t->context->memory, (size_t)t->items.live_count, sizeof *j->counts);
    SQ_CHECK(j->counts, error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)t->items.live_count);
    for (int64_t i = 0; i < t->items.live_count; i++) sum += j->counts[i] = t->popularity[t->items.live[i]];
    if (sum == 0) return SEQREC_OK;
    return sq_tensor_writer_add(j->writer, COUNTS, SQ_F64, 1, &t->items.live_count, j->counts, error);
}

#define ITEMS_CAME "train.average.items.came"
#define USERS_CAME "train.average.users.came"

/* When rows came into the running mean, if some came later than others. */
static int32_t add_came(save_job *j, const char *name, const sq_trained *table, int64_t **came, seqrec_error *error)
{
    int64_t latest = 0;
    *came = sq_alloc(&j->t->context->memory, (size_t)table->live_count, sizeof **came);
    SQ_CHECK(*came, error, SEQREC_E_MEMORY, "no memory for writing a checkpoint");
    for (int64_t i = 0; i < table->live_count; i++) {
        (*came)[i] = *sq_trained_came(table, table->live[i]);
        if (latest < (*came)[i]) latest = (*came)[i];
    }
    return latest == 0 ? SEQREC_OK : sq_tensor_writer_add(j->writer, name, SQ_I64, 1, &table->live_count, *came, error);
}

static int32_t add_all_came(save_job *j, seqrec_error *error)
{
    if (!j->t->fit.average) return SEQREC_OK;
    SQ_TRY(add_came(j, ITEMS_CAME, &j->t->items, &j->items_came, error));
    return add_came(j, USERS_CAME, &j->t->users, &j->users_came, error);
}

static int32_t describe(save_job *j, seqrec_error *error)
{
    sq_trainer *t = j->t;
    int64_t n = sq_layout_elements(&t->model->layout);
    SQ_TRY(sq_trainer_sync(t, error));
    j->kept[0].snapshot = t->fit.best;
    j->kept[1].snapshot = t->fit.average;
    SQ_TRY(sq_trainer_snapshot(t, &j->now, error));
    SQ_TRY(note_fit(j, error));
    SQ_TRY(sq_tensor_writer_create(&t->context->memory, &j->writer, error));
    SQ_TRY(sq_model_file_describe(j->writer, t->model, j->now, &t->options, (sq_file_form){SQ_FORM_PLAIN, 0}, &j->source, error));
    SQ_TRY(gather(j, error));
    SQ_TRY(add_counters(j->writer, t, error));
    SQ_TRY(sq_tensor_writer_add(j->writer, "opt.m", SQ_F32, 1, &n, j->m, error));
    SQ_TRY(sq_tensor_writer_add(j->writer, "opt.v", SQ_F32, 1, &n, j->v, error));
    SQ_TRY(add_moments(j, OPT_ITEMS, &t->items, error));
    if (sq_trainer_personal(t)) SQ_TRY(add_moments(j, OPT_USERS, &t->users, error));
    SQ_TRY(add_counts(j, error));
    if (t->known && t->fit.done > 0 && t->known_epoch == t->fit.epoch)
        SQ_TRY(sq_tensor_writer_add(j->writer, KNOWN, SQ_F32, 1, &t->known_count, t->known, error));
    for (int i = 0; i < 2; i++) SQ_TRY(add_kept(j, &j->kept[i], error));
    return add_all_came(j, error);
}

#define BEST "train.best.parameters", "train.best.items", "train.best.users"
#define AVERAGE "train.average.parameters", "train.average.items", "train.average.users"

int32_t sq_checkpoint_save(sq_trainer *t, const char *path, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    save_job j = {.t = t};
    j.kept[0] = (kept){BEST, NULL, NULL};
    j.kept[1] = (kept){AVERAGE, NULL, NULL};
    int32_t status = describe(&j, error);
    if (status == SEQREC_OK) status = sq_tensor_writer_save(j.writer, path, error);
    sq_tensor_writer_free(j.writer);
    sq_model_source_free(j.source);
    sq_snapshot_release(t->model, j.now);
    void *blocks[] = {j.m, j.v, j.kept[0].flat, j.kept[1].flat, j.counts, j.items_came, j.users_came};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) sq_free(memory, blocks[i]);
    return status;
}

/* ---- restoring ---------------------------------------------------------------------------------------------------------------- */

/* Moments of a table, whose rows are all current. */
static int32_t read_moments(const sq_tensor_file *file, const char *m, const char *v, sq_trained *table, int64_t step,
                            seqrec_error *error)
{
    SQ_TRY(read_rows(file, m, (column){table, table, m_row}, -FLT_MAX, error));
    SQ_TRY(read_rows(file, v, (column){table, table, v_row}, 0, error));
    sq_trained_set_current(table, step);
    return SEQREC_OK;
}

static int32_t read_state(const sq_tensor_file *file, sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    SQ_TRY(read_parameters(memory, file, "opt.m", &t->model->layout, t->m, -FLT_MAX, error));
    SQ_TRY(read_parameters(memory, file, "opt.v", &t->model->layout, t->v, 0, error));
    SQ_TRY(read_moments(file, OPT_ITEMS, &t->items, t->step, error));
    if (!sq_trainer_personal(t)) return SEQREC_OK;
    return read_moments(file, OPT_USERS, &t->users, t->step, error);
}

static int32_t own_rows(sq_trainer *t, seqrec_error *error)
{
    SQ_TRY(sq_trained_own_rows(&t->items, error));
    return sq_trained_own_rows(&t->users, error);
}

/* A kept snapshot: copies of the trainer's rows, overwritten with those of the file. NULL when the file has none. */
static int32_t read_kept(const sq_tensor_file *file, sq_trainer *t, const char *parameters, const char *items,
                         const char *users, sq_snapshot **out, seqrec_error *error)
{
    if (!sq_tensor_file_find(file, items) && !sq_tensor_file_find(file, parameters)) return SEQREC_OK;
    SQ_TRY(own_rows(t, error)); /* what the trainer still shares with the model is not the snapshot's to write */
    SQ_TRY(sq_trainer_snapshot(t, out, error));
    SQ_TRY(own_rows(t, error)); /* from here on the snapshot's rows are its own */
    SQ_TRY(read_parameters(&t->context->memory, file, parameters, &t->model->layout, (*out)->parts.weights->at, -FLT_MAX,
                           error));
    SQ_TRY(read_rows(file, items, (column){&t->items, (*out)->parts.catalogue, catalogue_row}, -FLT_MAX, error));
    if (!sq_trainer_personal(t)) return SEQREC_OK;
    return read_rows(file, users, (column){&t->users, (*out)->parts.users, catalogue_row}, -FLT_MAX, error);
}

static int32_t read_came(const sq_tensor_file *file, const char *name, int64_t averaged, const sq_trained *table, seqrec_error *error)
{
    const sq_tensor *tensor;
    sq_tensor_cursor cursor;
    if (!sq_tensor_file_find(file, name)) return SEQREC_OK;
    SQ_TRY(sq_tensor_file_expect(file, name, SQ_I64, 1, &table->live_count, &tensor, error));
    sq_tensor_start(&cursor, file, tensor);
    for (int64_t i = 0; i < table->live_count; i++) {
        int64_t *came = sq_trained_came(table, table->live[i]);
        SQ_TRY(sq_tensor_next(&cursor, came, sizeof *came, error));
        SQ_CHECK(*came >= 0 && *came <= averaged, error, SEQREC_E_FORMAT, "tensor '%s' holds the value %lld, which is not in 0 .. %lld",
                 name, (long long)*came, (long long)averaged);
    }
    return SEQREC_OK;
}

static int32_t check_counts(const double *counts, int64_t n, seqrec_error *error)
{
    for (int64_t i = 0; i < n; i++)
        SQ_CHECK(counts[i] >= 0 && counts[i] <= DBL_MAX, error, SEQREC_E_FORMAT, "tensor '" COUNTS "' holds the value %g, which is not a number from 0 on",
                 counts[i]);
    return SEQREC_OK;
}

static int32_t read_counts(const sq_tensor_file *file, sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    const sq_tensor *tensor;
    if (!sq_tensor_file_find(file, COUNTS)) return SEQREC_OK;
    SQ_TRY(sq_tensor_file_expect(file, COUNTS, SQ_F64, 1, &t->items.live_count, &tensor, error));
    double *counts = sq_alloc(memory, (size_t)t->items.live_count, sizeof *counts);
    double *by_slot = sq_alloc_zero(memory, (size_t)sq_trainer_slots(t), sizeof *by_slot);
    int32_t status = SEQREC_OK;
    if (!counts || !by_slot)
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)t->items.live_count);
    if (status == SEQREC_OK) status = sq_tensor_read(file, tensor, counts, error);
    if (status == SEQREC_OK) status = check_counts(counts, t->items.live_count, error);
    for (int64_t i = 0; status == SEQREC_OK && i < t->items.live_count; i++) by_slot[t->items.live[i]] = counts[i];
    if (status == SEQREC_OK) status = sq_trainer_set_popularity(t, by_slot, error);
    sq_free(memory, counts);
    sq_free(memory, by_slot);
    return status;
}

static int32_t read_known(const sq_tensor_file *file, sq_trainer *t, seqrec_error *error)
{
    const int64_t any = -1;
    const sq_tensor *tensor;
    if (!sq_tensor_file_find(file, KNOWN)) return SEQREC_OK;
    SQ_TRY(sq_tensor_file_expect(file, KNOWN, SQ_F32, 1, &any, &tensor, error));
    t->known_count = tensor->shape[0];
    t->known_epoch = t->fit.epoch;
    t->known = sq_alloc(&t->context->memory, (size_t)t->known_count, sizeof *t->known);
    SQ_CHECK(t->known, error, SEQREC_E_MEMORY, "no memory for the probabilities of %lld events", (long long)t->known_count);
    SQ_TRY(sq_tensor_read(file, tensor, t->known, error));
    return check_floats(KNOWN, t->known, (size_t)t->known_count, -FLT_MAX, error);
}

static int32_t restore(const sq_tensor_file *file, sq_trainer *t, seqrec_error *error)
{
    int32_t has_best = sq_tensor_file_find(file, "train.best.items") != NULL;
    SQ_TRY(read_counters(file, t, has_best, error));
    SQ_TRY(read_state(file, t, error));
    SQ_TRY(read_kept(file, t, BEST, &t->fit.best, error));
    SQ_TRY(read_kept(file, t, AVERAGE, &t->fit.average, error));
    SQ_TRY(read_came(file, ITEMS_CAME, t->fit.averaged, &t->items, error));
    SQ_TRY(read_came(file, USERS_CAME, t->fit.averaged, &t->users, error));
    SQ_TRY(read_counts(file, t, error));
    return read_known(file, t, error);
}

int32_t sq_checkpoint_read(seqrec_context *context, const sq_tensor_file *file, sq_trainer **out, seqrec_model **out_model,
                           seqrec_error *error)
{
    seqrec_model *model = NULL;
    sq_trainer *t = NULL;
    SQ_TRY(sq_model_file_read(context, file, &model, error));
    int32_t status = sq_trainer_create(model, &model->options, &t, error);
    if (status == SEQREC_OK) status = restore(file, t, error);
    if (status == SEQREC_OK) {
        *out = t;
        *out_model = model;
        return SEQREC_OK;
    }
    sq_trainer_free(t);
    sq_model_release(model);
    return status;
}

int32_t sq_checkpoint_load(seqrec_context *context, const char *path, sq_trainer **out, seqrec_model **model,
                           seqrec_error *error)
{
    sq_tensor_file *file = NULL;
    SQ_TRY(sq_tensor_file_open(&context->memory, path, &file, error));
    int32_t status = sq_checkpoint_read(context, file, out, model, error);
    sq_tensor_file_close(file);
    return status;
}
