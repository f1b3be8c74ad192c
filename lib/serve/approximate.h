/* serve: scores of a chunk of items from its copy in few bits: near those of the floats, and good enough to choose who is scored
 * again with these. */
#ifndef SQ_APPROXIMATE_H
#define SQ_APPROXIMATE_H
#include "serve/scoring.h"

/* How many candidates a scan of copies keeps for the best k of n, all of which are then scored from floats. */
static inline int64_t sq_approximate_kept(int64_t k, int64_t n)
{
    return k > (n - 32) / 2 ? n : 2 * k + 32;
}

/* scores[q * ld + row] of all rows of the chunk, which has a copy, for user vectors users [count][width]; queries [count] are those
 * of the users when the copies have 8 bits. */
void sq_approximate_run(const sq_scoring *scoring, const float *users, const sq_int8_query *queries, size_t count, int32_t chunk,
                        float *scores, size_t ld);
#endif
