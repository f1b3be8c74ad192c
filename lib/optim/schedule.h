/* optim: learning rate and Adam constants of a step. */
#ifndef SQ_SCHEDULE_H
#define SQ_SCHEDULE_H
#include "tensor/kernels.h"

typedef struct sq_schedule {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    int32_t decoupled; /* AdamW */
    int32_t uncorrected; /* moments as they are, without bias correction */
    int32_t cosine, linear;
    int64_t warmup, steps; /* linear warm-up, then constant, or to 0 at `steps` by a cosine or a line */
    int64_t passed; /* steps ahead of the counted ones that the rate is */
} sq_schedule;

/* Learning rate of step 1, 2, ... */
double sq_schedule_rate(const sq_schedule *schedule, int64_t step);
/* Constants of that step; clip = factor on the gradient. */
sq_adam sq_schedule_rule(const sq_schedule *schedule, int64_t step, double clip);
#endif
