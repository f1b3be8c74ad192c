/* api: the user table of a live model. */
#include "api/keyedtable.h"

int32_t seqrec_users_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors, seqrec_error *error)
{
    SQ_TRY(sq_model_usable(model, error));
    SQ_CHECK(model->options.user_embedding != SQ_USER_NONE, error, SEQREC_E_ARGUMENT,
             "the model has user_embedding = none: its users have no vectors");
    return sq_keyed_put(model, SQ_OF_USERS, ids, n, vectors, error);
}

int32_t seqrec_users_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                            seqrec_error *error)
{
    return sq_keyed_update(model, SQ_OF_USERS, ids, n, vectors, error);
}

int32_t seqrec_users_forget(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error)
{
    return sq_keyed_remove(model, SQ_OF_USERS, ids, n, error);
}

int32_t seqrec_users_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out, seqrec_error *error)
{
    return sq_keyed_get(model, SQ_OF_USERS, ids, n, out, error);
}

int32_t seqrec_users_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                            seqrec_error *error)
{
    return sq_keyed_locate(model, SQ_OF_USERS, id, slot, generation, error);
}

int64_t seqrec_users_count(const seqrec_model *model)
{
    return sq_keyed_count(model, SQ_OF_USERS);
}

int64_t seqrec_users_width(const seqrec_model *model)
{
    return sq_keyed_width(model, SQ_OF_USERS);
}

int32_t seqrec_users_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity, int64_t *n,
                          seqrec_error *error)
{
    return sq_keyed_next(model, SQ_OF_USERS, cursor, ids, capacity, n, error);
}

int32_t seqrec_users_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                          seqrec_error *error)
{
    return sq_keyed_name(model, SQ_OF_USERS, id, out, out_bytes, needed, error);
}

int32_t seqrec_users_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error)
{
    return sq_keyed_find(model, SQ_OF_USERS, name, id, error);
}
