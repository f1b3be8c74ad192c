/* train: a trainer as a file: a model file with optimiser state, counters and the best weights so far. */
#ifndef SQ_CHECKPOINT_H
#define SQ_CHECKPOINT_H
#include "model/safetensors.h"
#include "train/trainer.h"

int32_t sq_checkpoint_save(sq_trainer *trainer, const char *path, seqrec_error *error);
/* The trainer and the model it trains; the caller releases both. */
int32_t sq_checkpoint_load(seqrec_context *context, const char *path, sq_trainer **out, seqrec_model **model,
                           seqrec_error *error);
/* The same from a file that is open. */
int32_t sq_checkpoint_read(seqrec_context *context, const sq_tensor_file *file, sq_trainer **out, seqrec_model **model,
                           seqrec_error *error);
#endif
