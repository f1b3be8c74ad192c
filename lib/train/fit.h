/* train: epochs over a dataset, with validation, early stop and checkpoints. */
#ifndef SQ_FIT_H
#define SQ_FIT_H
#include "data/dataset.h"
#include "train/trainer.h"

/* Trains up to options.epochs epochs in all, continuing where trainer->fit is. See seqrec_trainer_fit. */
int32_t sq_trainer_fit(sq_trainer *trainer, const seqrec_dataset *dataset, const seqrec_fit *fit,
                       seqrec_fit_stats *stats, seqrec_error *error);
/* See seqrec_trainer_publish_best; the model's file says what schedule the weights had. */
int32_t sq_trainer_publish_best(sq_trainer *trainer, seqrec_error *error);
/* Whether the metric of option metric_kind reads metric_cutoff. */
int32_t sq_metric_has_cutoff(int64_t kind);
#endif
