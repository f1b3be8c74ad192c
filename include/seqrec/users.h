/* seqrec/users.h: the vectors of users. */
/** @file
 * The vectors of users. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_USERS_H
#define SEQREC_USERS_H

#include "seqrec/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Users
 * The vectors of users by the host's user ids, on a live model whose option `user_embedding` is not none (SSE-PT, Wu et al.,
 * RecSys 2020). Rows behave as those of items do. A vector has seqrec_users_width() floats: `dim`, or `user_dim` when
 * concatenated. Whoever has no row, or comes without an id, gets the model's default vector, which training learns
 * where `user_default_share` is above 0 and leaves at zero where it is 0, as in preset `sse-pt`, but for the events of users without a row
 * that a fit meets (who were forgotten). seqrec_topk, seqrec_score and seqrec_encode take the users from batch->users. With user_embedding
 * = concatenated their scores leave out the user's own part, which is the same for every item.
 * @{ */

/** Adds n users. vectors [n][width], or NULL to start them as training does, from (seed, id). All or nothing: E_EXISTS names the
 * first id that is there already, E_ARGUMENT one that occurs twice, a vector that is not finite, or a model without users. W. */
SEQREC_API int32_t seqrec_users_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                    seqrec_error *error);
/** Overwrites the vectors of n users that exist (E_NOT_FOUND otherwise); optimiser state of the rows starts anew. W. */
SEQREC_API int32_t seqrec_users_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                       seqrec_error *error);
/** Forgets n users (E_NOT_FOUND otherwise; all or nothing): vector and name are gone from what readers see from now on, and from
 * files written from now on. A call that runs meanwhile may still use the old rows; their memory is zeroed when the last such
 * call ends. A trainer of the model drops its own rows, optimiser state and kept weights of them at its next call (step, fit,
 * publish, save) or with seqrec_trainer_release; a fit that runs in another thread does so before its next epoch. Not undone:
 * files written before, what the weights that all users share have learned from them, and what calls left in working memory,
 * which later calls overwrite. W. */
SEQREC_API int32_t seqrec_users_forget(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error);
/** Copies the vectors of n users to out [n][width]. E_NOT_FOUND names the first missing id. Rule R. */
SEQREC_API int32_t seqrec_users_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out,
                                    seqrec_error *error);
/** Where a user lives: slot (int32) and generation, which changes when a slot is reused. Rule R. */
SEQREC_API int32_t seqrec_users_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                                       seqrec_error *error);
/** Number of users with a row; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_users_count(const seqrec_model *model);
/** Floats per user vector; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_users_width(const seqrec_model *model);
/** Iterates over ids in slot order, as seqrec_items_next. Rule R. */
SEQREC_API int32_t seqrec_users_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity,
                                     int64_t *n, seqrec_error *error);
/** What a dataset of texts calls a user, as seqrec_items_name gives it; E_NOT_FOUND if the model was not told by name. Rule R. */
SEQREC_API int32_t seqrec_users_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                                     seqrec_error *error);
/** The id of the user whom a dataset of texts calls `name`; E_NOT_FOUND. Rule R. */
SEQREC_API int32_t seqrec_users_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_USERS_H */
