/* serve: a list in another order, so that what is near in it stands apart. */
#ifndef SQ_RERANK_H
#define SQ_RERANK_H
#include "serve/scoring.h"

/* items [n] of the model, relevance [n] finite, lambda in 0 .. 1. order [least of k and n], values as long or NULL: as in seqrec.h. */
int32_t sq_rerank_mmr(const seqrec_model *model, const int64_t *items, const double *relevance, int64_t n, double lambda, int64_t k,
                      int64_t *order, double *values, seqrec_error *error);
#endif
