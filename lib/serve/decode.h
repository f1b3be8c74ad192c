/* serve: how a session may go on: paths of items, each drawn from, or best by, what the model says behind the ones before it. */
#ifndef SQ_DECODE_H
#define SQ_DECODE_H
#include "serve/session.h"

#define SQ_DECODE_MOST 4096 /* paths, and items of a path */

/* decode is complete (no zero stands for another value) and in its bounds; filter never NULL and of this build's size. items
 * [width][steps], log_probabilities [width] or NULL, found: as in seqrec.h. */
int32_t sq_session_decode(seqrec_session *session, const seqrec_decode *decode, const seqrec_filter *filter, int64_t *items,
                          double *log_probabilities, int64_t *found, seqrec_error *error);
/* Of n distinct sessions of one pool (E_STATE), all or nothing: items [n][width][steps], log_probabilities [n][width] or NULL, found [n],
 * decode->done [n] or NULL. */
int32_t sq_sessions_decode(seqrec_session *const *sessions, int64_t n, const seqrec_decode *decode, const seqrec_filter *filter,
                           int64_t *items, double *log_probabilities, int64_t *found, seqrec_error *error);
/* The log probability of each of items[n] as the next one behind those before it, n and interval in their bounds. */
int32_t sq_session_follow(seqrec_session *session, const int64_t *items, int64_t n, int64_t interval, double *log_probabilities,
                          seqrec_error *error);
#endif
