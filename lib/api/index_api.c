/* api: the vectors that an index is built of, and the index of a model. */
#include "api/checks.h"
#include "model/itemvectors.h"

static int32_t check_vectors(const seqrec_vectors *vectors, seqrec_error *error)
{
    SQ_CHECK(vectors != NULL, error, SEQREC_E_ARGUMENT, "vectors is NULL");
    return sq_pool_check(vectors->catalogue->context->pool, error);
}

static int64_t slots_of(const seqrec_vectors *vectors)
{
    return (int64_t)vectors->catalogue->chunks * SQ_CHUNK_ROWS;
}

static int32_t check_slots(const seqrec_vectors *vectors, int64_t first, int64_t n, const char *name, const void *out, seqrec_error *error)
{
    const int64_t slots = slots_of(vectors);
    SQ_CHECK(n >= 0, error, SEQREC_E_ARGUMENT, "n = %lld is negative", (long long)n);
    SQ_CHECK(first >= 0 && first <= slots && n <= slots - first, error, SEQREC_E_RANGE,
             "%lld slots from %lld on are not all among the %lld of the vectors", (long long)n, (long long)first, (long long)slots);
    SQ_CHECK(out != NULL || n == 0, error, SEQREC_E_ARGUMENT, "%s is NULL for n = %lld", name, (long long)n);
    return SEQREC_OK;
}

int32_t seqrec_vectors_open(const seqrec_model *model, seqrec_vectors **out, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    return sq_vectors_open(model, out, error);
}

seqrec_vectors *seqrec_vectors_retain(seqrec_vectors *vectors)
{
    if (vectors != NULL) atomic_fetch_add_explicit(&vectors->references, 1, memory_order_relaxed);
    return vectors;
}

void seqrec_vectors_release(seqrec_vectors *vectors)
{
    sq_vectors_release(vectors);
}

int32_t seqrec_vectors_describe(const seqrec_vectors *vectors, seqrec_vectors_info *out, seqrec_error *error)
{
    SQ_TRY(check_vectors(vectors, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_struct_check(out, SQ_VECTORS_INFO_FIRST, "info", error));
    const seqrec_vectors_info info = {.struct_size = sizeof info,
                                      .items = vectors->catalogue->count,
                                      .slots = slots_of(vectors),
                                      .width = vectors->catalogue->dim,
                                      .cosine = vectors->cosine};
    sq_struct_write(out, &info, sizeof info);
    return SEQREC_OK;
}

int32_t seqrec_vectors_read(const seqrec_vectors *vectors, int64_t first, int64_t n, float *out, uint8_t *live, seqrec_error *error)
{
    SQ_TRY(check_vectors(vectors, error));
    SQ_TRY(check_slots(vectors, first, n, "out", out, error));
    sq_vectors_read(vectors, first, n, out, live);
    return SEQREC_OK;
}

static int32_t is_live(const sq_catalogue *catalogue, int32_t slot)
{
    return slot / SQ_CHUNK_ROWS < catalogue->chunks && sq_catalogue_live(catalogue, slot);
}

int32_t seqrec_vectors_compare(const seqrec_vectors *vectors, const seqrec_vectors *before, int64_t first, int64_t n, uint8_t *changes,
                               seqrec_error *error)
{
    SQ_TRY(check_vectors(vectors, error));
    SQ_TRY(check_vectors(before, error));
    SQ_TRY(check_slots(vectors, first, n, "changes", changes, error));
    const sq_catalogue *now = vectors->catalogue, *base = before->catalogue;
    SQ_CHECK(now->dim == base->dim && now->tables == base->tables && vectors->cosine == before->cosine, error, SEQREC_E_ARGUMENT,
             "the vectors are of models of different shapes");
    for (int64_t i = 0; i < n; i++) {
        const int32_t slot = (int32_t)(first + i);
        if (sq_chunk_same(now, base, slot / SQ_CHUNK_ROWS))
            changes[i] = 0;
        else if (is_live(now, slot))
            changes[i] = !sq_item_same(now, base, slot);
        else
            changes[i] = is_live(base, slot) ? 2 : 0;
    }
    return SEQREC_OK;
}

int32_t seqrec_vectors_checksum(const seqrec_vectors *vectors, uint64_t *out, seqrec_error *error)
{
    SQ_TRY(check_vectors(vectors, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    *out = sq_vectors_checksum(vectors);
    return SEQREC_OK;
}

/* ---- the index of a model ------------------------------------------------------------------------------------------- */

static int32_t read_index(seqrec_index *out, const seqrec_index *index, seqrec_error *error)
{
    SQ_TRY(sq_struct_read(out, sizeof *out, index, SQ_INDEX_FIRST, "index", error));
    SQ_CHECK(out->search != NULL, error, SEQREC_E_ARGUMENT, "index.search is NULL");
    SQ_CHECK(out->breadth >= 1 && out->breadth <= SQ_INDEX_BREADTH_MOST, error, SEQREC_E_RANGE, "index.breadth = %lld is not in 1 .. %d",
             (long long)out->breadth, SQ_INDEX_BREADTH_MOST);
    return SEQREC_OK;
}

/* Vectors that may be those of the model's items. */
static int32_t check_shape(const seqrec_model *model, const seqrec_vectors *vectors, seqrec_error *error)
{
    const sq_catalogue *c = vectors->catalogue;
    const int32_t tables = model->options.tied_output ? 1 : 2, cosine = model->options.score == SQ_SCORE_COSINE;
    SQ_CHECK(c->context == model->context, error, SEQREC_E_ARGUMENT, "the vectors are of another context than the model");
    SQ_CHECK(c->dim == model->layout.vd && c->tables == tables && vectors->cosine == cosine, error, SEQREC_E_ARGUMENT,
             "the vectors are of a model of another shape: %d floats%s, not %d%s", (int)c->dim, vectors->cosine ? " of length 1" : "",
             (int)model->layout.vd, cosine ? " of length 1" : "");
    return SEQREC_OK;
}

int32_t seqrec_model_set_index(seqrec_model *model, const seqrec_vectors *vectors, const seqrec_index *index, seqrec_error *error)
{
    seqrec_index read = {0};
    SQ_TRY(sq_model_usable(model, error));
    if (index == NULL) return sq_model_set_index(model, NULL, NULL, error);
    SQ_TRY(check_vectors(vectors, error));
    SQ_TRY(read_index(&read, index, error));
    SQ_TRY(check_shape(model, vectors, error));
    return sq_model_set_index(model, vectors->catalogue, &read, error);
}

int32_t seqrec_model_describe_index(const seqrec_model *model, seqrec_index_info *out, seqrec_error *error)
{
    seqrec_index_info info = {.struct_size = sizeof info};
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_struct_check(out, SQ_INDEX_INFO_FIRST, "info", error));
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const sq_cover *cover = snapshot->parts.cover;
    if (cover != NULL) {
        info.attached = 1;
        info.beside = cover->side_count;
        info.covered = snapshot->parts.catalogue->count - cover->side_count;
        info.searched = atomic_load_explicit(&cover->index->searched, memory_order_relaxed);
        info.scanned = atomic_load_explicit(&cover->index->scanned, memory_order_relaxed);
        info.failed = atomic_load_explicit(&cover->index->failed, memory_order_relaxed);
    }
    sq_snapshot_release(model, snapshot);
    sq_struct_write(out, &info, sizeof info);
    return SEQREC_OK;
}
