/* train: the running mean of the weights over epochs. */
#ifndef SQ_AVERAGE_H
#define SQ_AVERAGE_H
#include "train/trainer.h"

/* The mean that the end of an epoch gives: fit.average moved towards the weights as they are by
 * 1 / min(epochs so far, average_epochs) (stochastic weight averaging, Izmailov et al. 2018, with a window that forgets). Of an item or a
 * user that came later, epochs count from there.
 * fit.average stays; the caller releases *out. Nothing to do when average_epochs is 0. */
int32_t sq_trainer_average(sq_trainer *trainer, sq_snapshot **out, seqrec_error *error);
#endif
