/* train: the running mean of the weights over epochs. */
#ifndef SQ_AVERAGE_H
#define SQ_AVERAGE_H
#include "train/trainer.h"

/* At the end of an epoch: fit.average moves towards the weights as they are by 1 / min(epochs so far, average_epochs)
 * (stochastic weight averaging, Izmailov et al. 2018, with a window that forgets). Nothing to do when average_epochs is 0. */
int32_t sq_trainer_average(sq_trainer *trainer, seqrec_error *error);
#endif
