/* train: how often each event of a sequence is a target, on average over all that a plan draws. */
#ifndef SQ_EXPECTATION_H
#define SQ_EXPECTATION_H
#include "model/options.h"

/* Of a sequence with n events before those behind, given to sq_trainer_plan_add once. Adds to steps [n + 1]: steps[0] + .. + steps[i] is
 * the number of event i, where it is 0 to the bit for an event that can be no target. */
void sq_expect_targets(const sq_options *options, int64_t n, double *steps);
#endif
