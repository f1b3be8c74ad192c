/* serve: the nucleus of a distribution: the smallest set of heaviest items that holds a share of the whole weight. */
#ifndef SQ_NUCLEUS_H
#define SQ_NUCLEUS_H
#include <stdint.h>

/* weights[n], none negative or NaN, their sum above 0; share in (0, 1]. Those outside the nucleus become 0; of equal ones the first
 * are in it. Returns the sum of those inside, at least one. Source: Holtzman et al. 2020, "The Curious Case of Neural Text
 * Degeneration". */
double sq_nucleus_keep(float *weights, int64_t n, double share);
#endif
