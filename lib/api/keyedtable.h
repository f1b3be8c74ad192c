/* api: what the calls on items and on users have in common. */
#ifndef SQ_KEYEDTABLE_H
#define SQ_KEYEDTABLE_H
#include "api/checks.h"

enum { SQ_OF_ITEMS, SQ_OF_USERS };

/* Each checks every argument; changes are published under the writers' lock, all or nothing, reads come from one snapshot. The
 * contracts are those of seqrec_items_* and seqrec_users_*. */
int32_t sq_keyed_put(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                     seqrec_error *error);
int32_t sq_keyed_update(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, const float *vectors,
                        seqrec_error *error);
int32_t sq_keyed_remove(seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, seqrec_error *error);
int32_t sq_keyed_get(const seqrec_model *model, int32_t of, const int64_t *ids, int64_t n, float *out,
                     seqrec_error *error);
int32_t sq_keyed_locate(const seqrec_model *model, int32_t of, int64_t id, int32_t *slot, int32_t *generation,
                        seqrec_error *error);
int64_t sq_keyed_count(const seqrec_model *model, int32_t of);
int64_t sq_keyed_width(const seqrec_model *model, int32_t of);
int32_t sq_keyed_next(const seqrec_model *model, int32_t of, int64_t *cursor, int64_t *ids, int64_t capacity,
                      int64_t *n, seqrec_error *error);
/* Of items: users have the names that data brought. */
int32_t sq_keyed_set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n, seqrec_error *error);
int32_t sq_keyed_name(const seqrec_model *model, int32_t of, int64_t id, char *out, size_t out_bytes, size_t *needed,
                      seqrec_error *error);
int32_t sq_keyed_find(const seqrec_model *model, int32_t of, const char *name, int64_t *id, seqrec_error *error);
#endif
