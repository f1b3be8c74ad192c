/* eval: probabilities of the next item, and how well they hold. */
#ifndef SQ_CALIBRATION_H
#define SQ_CALIBRATION_H
#include "base/memory.h"
#include "eval/metrics.h"
#include "tensor/kernels.h"

/* The softmax of scores over the candidates of one user. */
typedef struct sq_outlook {
    double nll;        /* -log of the target's probability; infinite when its score is no number */
    double confidence; /* the greatest probability; 0 when no score is a number */
} sq_outlook;

/* keys[items] as sq_ranking_keys makes them, excluded where an item is no candidate; scores that are no numbers have
 * probability 0, and items with the greatest score, if that is infinite, share it all. `weights` is scratch, [items] rounded up
 * to 16. */
sq_outlook sq_outlook_of(const sq_kernels *kernels, const float *scores, const int32_t *keys, int64_t items,
                         int64_t target, float *weights);

enum { SQ_CALIBRATION_BINS = 15 };

/* Expected calibration error of the first place (Guo et al. 2017): sum over bins of |sum over its users of (hit@1 -
 * confidence)| / n. In `width` bins are 15 equal intervals of confidence, open at their left end; in `mass` they are 15 runs of
 * users by rising confidence of sizes that differ by at most one (Nguyen and O'Connor 2015). Columns as in sq_exposure, bins of
 * `mass` held fixed. */
typedef struct sq_calibration {
    double width, mass;
    double *width_of, *mass_of; /* [n] or NULL */
} sq_calibration;

int32_t sq_calibrate(const sq_memory *memory, const double *confidence, const sq_place *places, int64_t n,
                     sq_calibration *out, seqrec_error *error);
#endif
