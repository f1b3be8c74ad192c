/* eval: a model as the scorer of an evaluation. */
#ifndef SQ_MODEL_SCORER_H
#define SQ_MODEL_SCORER_H
#include "eval/scorer.h"
#include "model/model.h"

/* Scores the items of `dataset` after histories of its users with one snapshot of the model, NULL: the current one. Items that
 * the model lacks score NaN, and histories skip them. The scorer keeps references to snapshot, model and dataset, and takes all
 * its memory here: for the pool of `context`, on which the evaluation must run. */
int32_t sq_model_scorer_create(seqrec_context *context, const seqrec_model *model, sq_snapshot *snapshot,
                               const seqrec_dataset *dataset, sq_scorer *out, seqrec_error *error);
/* How many of the dataset's items the model lacks. */
int64_t sq_model_scorer_unknown(const sq_scorer *scorer);
void sq_model_scorer_free(sq_scorer *scorer);
#endif
