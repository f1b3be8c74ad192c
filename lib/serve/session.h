/* serve: the calls on a session. Arguments have been checked; a call that fails leaves session and results as they were. */
#ifndef SQ_SESSION_H
#define SQ_SESSION_H
#include "serve/request.h"
#include "serve/sessionpool.h"

/* session.c: times NULL: 0 each. unknown_items: SEQREC_UNKNOWN_*; an event of an unknown item stays and is seen once the model has
 * the item. */
int32_t sq_session_append(seqrec_session *session, const int64_t *items, const int64_t *times, int64_t n, int32_t unknown_items,
                          seqrec_error *error);
int32_t sq_session_ask_at(seqrec_session *session, int64_t time, seqrec_error *error);
int32_t sq_session_describe(seqrec_session *session, seqrec_session_info *out, seqrec_error *error);
/* Gives back events and cache. */
int32_t sq_session_evict(seqrec_session *session, seqrec_error *error);

/* sessionread.c: what a request gets of a session whose cache is up to date; excludes: 1 for a read that leaves out what was seen. */
sq_ready sq_session_ready(const seqrec_session *session, const sq_session_view *view, int32_t excludes);
/* Filters are as in seqrec.h, never NULL and of this build's size. */
int32_t sq_session_topk(seqrec_session *session, int64_t k, const seqrec_filter *filter, int64_t *items, float *scores,
                        int64_t *found, seqrec_error *error);
int32_t sq_session_score(seqrec_session *session, const int64_t *candidates, int64_t n, float *scores, seqrec_error *error);
int32_t sq_session_encode(seqrec_session *session, float *out, seqrec_error *error);
int32_t sq_session_ahead(seqrec_session *session, const int64_t *candidates, int64_t n, float *out, seqrec_error *error);

/* sessionbytes.c */
int32_t sq_session_save(seqrec_session *session, void *out, size_t out_bytes, size_t *needed, seqrec_error *error);
int32_t sq_session_restore(seqrec_sessions *pool, const void *bytes, size_t count, seqrec_session **out, seqrec_error *error);
#endif
