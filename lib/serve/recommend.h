/* serve: the three reads of a model for raw histories: user vectors, scores of listed items, the best of all. The callers have
 * checked the arguments; filters are as in seqrec.h, never NULL, and of this build's size; ready is NULL, or as in request.h. On
 * failure nothing is written. */
#ifndef SQ_RECOMMEND_H
#define SQ_RECOMMEND_H
#include "serve/request.h"

/* out [sequences][d] */
int32_t sq_encode_batch(const seqrec_model *model, const seqrec_batch *batch, const seqrec_filter *filter, float *out,
                        seqrec_error *error);

/* Of content gates, by block: counts [blocks][2] get, added, how many are open on the way to the user vectors, and how many there are. */
int32_t sq_count_gates(const seqrec_model *model, const seqrec_batch *batch, _Atomic int64_t *counts, seqrec_error *error);

/* Sequence b gets candidates[offsets[b] .. offsets[b + 1]), or with offsets NULL all n of them; scores has the same layout. */
int32_t sq_score_candidates(const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready,
                            const int64_t *candidates, const int64_t *offsets, int64_t n, const seqrec_filter *filter,
                            float *scores, seqrec_error *error);

/* items [sequences][k], scores [sequences][k] or NULL, found [sequences]; places from found on are not written. */
int32_t sq_recommend(const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready, int64_t k,
                     const seqrec_filter *filter, int64_t *items, float *scores, int64_t *found, seqrec_error *error);
#endif
