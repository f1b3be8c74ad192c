/* optim: when Adam steps without gradient no longer move a weight. */
#ifndef SQ_IDLE_H
#define SQ_IDLE_H
#include "optim/schedule.h"

/* Whether no step after `step` that brings no gradient can change w [n] in a single bit, so that fading m and v [n] is all that is
 * left of such steps: at once where m is zero, else some hundred steps after the last gradient. May say 0 where it is so; weight
 * decay must be 0. Later rates of the schedule stay at or below its learning rate. */
int32_t sq_idle_settled(const sq_schedule *schedule, int64_t step, size_t n, const float *w, const float *m, const float *v);
#endif
