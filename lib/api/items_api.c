/* api: the item table of a live model. */
#include "api/keyedtable.h"

int32_t seqrec_items_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    return sq_keyed_put(model, SQ_OF_ITEMS, ids, n, vectors, error);
}

int32_t seqrec_items_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                            seqrec_error *error)
{
    return sq_keyed_update(model, SQ_OF_ITEMS, ids, n, vectors, error);
}

int32_t seqrec_items_remove(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error)
{
    return sq_keyed_remove(model, SQ_OF_ITEMS, ids, n, error);
}

int32_t seqrec_items_set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n,
                               seqrec_error *error)
{
    return sq_keyed_set_names(model, ids, names, n, error);
}

int32_t seqrec_items_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out, seqrec_error *error)
{
    return sq_keyed_get(model, SQ_OF_ITEMS, ids, n, out, error);
}

int32_t seqrec_items_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                            seqrec_error *error)
{
    return sq_keyed_locate(model, SQ_OF_ITEMS, id, slot, generation, error);
}

int64_t seqrec_items_count(const seqrec_model *model)
{
    return sq_keyed_count(model, SQ_OF_ITEMS);
}

int64_t seqrec_items_width(const seqrec_model *model)
{
    return sq_keyed_width(model, SQ_OF_ITEMS);
}

int32_t seqrec_items_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity, int64_t *n,
                          seqrec_error *error)
{
    return sq_keyed_next(model, SQ_OF_ITEMS, cursor, ids, capacity, n, error);
}

int32_t seqrec_items_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                          seqrec_error *error)
{
    return sq_keyed_name(model, SQ_OF_ITEMS, id, out, out_bytes, needed, error);
}

int32_t seqrec_items_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error)
{
    return sq_keyed_find(model, SQ_OF_ITEMS, name, id, error);
}
