/* seqrec/trainers.h: steps, fits and what is learned of a model while it trains. */
/** @file
 * Steps, fits and what is learned of a model while it trains. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_TRAINERS_H
#define SEQREC_TRAINERS_H

#include "seqrec/datasets.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Training
 * @{ */

/** Optimiser state, gradients and working memory of one model under training. Holds its own copy of the weights: readers of
 * the model see them at seqrec_trainer_publish (fit publishes by itself). */
typedef struct seqrec_trainer seqrec_trainer;

/** Figures of one step. Set struct_size first. */
typedef struct seqrec_step_stats {
    size_t struct_size;
    int64_t step;     /**< steps committed so far, this one included */
    int64_t targets;  /**< positions with a loss: of a weight above 0 */
    double loss;      /**< weighted mean over the targets */
    double grad_norm; /**< of all gradients before clipping; 0 unless option clip_norm is set */
    double learning_rate;
    int64_t waiting; /**< batches that wait for the step (option accumulate); 0 after a step */
} seqrec_step_stats;

/** Creates a trainer for `model`, which it retains, with the training-scope options of `config` (model scope must agree: E_ARGUMENT).
 * The model's file says these options from then on. Rule W on the model. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_trainer_create(seqrec_model *model, const seqrec_config *config,
                                                           seqrec_trainer **out, seqrec_error *error);
/** Frees the trainer, not its model: what it trained and did not publish is lost. Rule C. */
SEQREC_API void seqrec_trainer_release(seqrec_trainer *trainer);
/** One optimiser step on whole sequences. Each is cut and prepared here: to its last max_length + 1 events, shifted by one, or
 * with objective = cloze to its last max_length events, of which mask_probability are masked (one masking a call). Unknown ids
 * are E_NOT_FOUND unless option unknown_items is skip. A model with users needs batch->users (E_ARGUMENT); an unknown user is
 * E_NOT_FOUND unless option unknown_users is default. batch->weights (or with event_weights = values batch->values) weigh the
 * events as targets: the loss is the weighted mean (with several targets over positions, each of which weighs what the heaviest of
 * its targets does; within it they count in proportion to their weights); a weight that is negative, not finite or above 1e15, and
 * weights of all targets that add up to less than FLT_MIN, are E_ARGUMENT. With option accumulate = n the batch waits (its loss is
 * NaN, stats->waiting says how many do) until n are there, and the n-th call makes one step of them all; events whose items were
 * removed meanwhile, and sequences whose users were forgotten, are passed over. A model that reads times needs
 * batch->timestamps, in order (E_ARGUMENT); option known_items is for fits (E_UNSUPPORTED). E_NUMERIC leaves weights and optimiser
 * untouched. A step no larger than an earlier one allocates nothing. Rule C. */
SEQREC_API int32_t seqrec_trainer_step(seqrec_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats,
                                       seqrec_error *error);
/** Makes the trained weights what readers of the model see. Rule C, and W on the model. */
SEQREC_API int32_t seqrec_trainer_publish(seqrec_trainer *trainer, seqrec_error *error);
/** Makes the best weights so far what readers of the model see: those of the best validation, without validation the running
 * mean (option average_epochs), else the weights as they are. A fit that ends well has done so; after one that failed in the
 * middle, this is how its best weights are kept. E_STATE: no step was taken yet. Rule C, and W on the model. */
SEQREC_API int32_t seqrec_trainer_publish_best(seqrec_trainer *trainer, seqrec_error *error);
/** Changes a training-scope option between steps (e.g. learning_rate), as seqrec_config_set; E_ARGUMENT: another value of an option of the
 * model, or one that does not go with the others. Rule C, and W on the model, whose file says it. */
SEQREC_API int32_t seqrec_trainer_set(seqrec_trainer *trainer, const char *name, const char *value, seqrec_error *error);

/** Weights of n items (0 .. 1e15; items not named have 0; counts NULL: 1 each, a fixed list): training counts for the samplers
 * popularity and log_uniform, and for logq of in_batch and mixed, on batches the host brings (seqrec_trainer_fit counts by
 * itself); the weights themselves for sampler = weights. E_NOT_FOUND names an unknown id; E_ARGUMENT: an id is there twice. Rule C. */
SEQREC_API int32_t seqrec_trainer_set_popularity(seqrec_trainer *trainer, const int64_t *ids, const double *counts,
                                                 int64_t n, seqrec_error *error);

/** Asks the host for the negatives of one step (sampler = host), which it writes over what the two last arrays hold: on entry the
 * first target everywhere, and logarithm 0 or, with logq, NaN, which is refused where it is left. */
typedef struct seqrec_negatives {
    size_t struct_size;
    int64_t tokens;           /**< targets of the batch, sequence by sequence */
    int64_t rows;             /**< tokens, or 1 with negative_sharing = batch */
    int64_t k;                /**< negatives a row: option hard_pool, else negatives */
    const int64_t *targets;   /**< [tokens] item ids; for this call only */
    int64_t *items;           /**< [rows][k] item ids of the model, to be filled in */
    float *log_probabilities; /**< [rows][k] log of the probability of each in one draw, for option logq; else ignored */
} seqrec_negatives;

/** Runs on the thread that called the step, once for each step; a return other than 0 refuses the step (E_CANCELLED). */
typedef int32_t (*seqrec_negatives_fn)(void *context, const seqrec_negatives *request);

/** Sets the function for sampler = host (NULL: none). Option `seen` leaves out what it forbids of what the function brings; an
 * item the model lacks (E_NOT_FOUND) or a number that is no logarithm of a probability (E_ARGUMENT) refuses the step, with
 * weights and optimiser untouched. Not part of a checkpoint. Rule C. */
SEQREC_API int32_t seqrec_trainer_set_negatives(seqrec_trainer *trainer, seqrec_negatives_fn negatives, void *context,
                                                seqrec_error *error);

/** What one epoch gave, told to the callback of seqrec_trainer_fit. */
typedef struct seqrec_epoch_stats {
    size_t struct_size;
    int64_t epoch; /**< from 1 */
    int64_t targets;
    double loss;         /**< weighted mean over the epoch's targets */
    double seconds;      /**< training only */
    double metric;       /**< validation metric, NaN when this epoch was not validated */
    int32_t improved;    /**< 1: the best so far */
    int32_t reserved;
    double learning_rate;
} seqrec_epoch_stats;

/** Called after each epoch; a return other than 0 ends the training in good order (SEQREC_OK, best weights kept). */
typedef int32_t (*seqrec_epoch_fn)(void *context, const seqrec_epoch_stats *stats);

/** How to fit. Zero the struct and set struct_size. Options epochs, batch, valid_every, patience, metric, ... come from config. */
typedef struct seqrec_fit {
    size_t struct_size;
    const char *split;          /**< "leave-one-out" (default), "none", "time:SECONDS:SECONDS" (train < first <= valid < second <= test), or
                                     "last:N:M": of users with at least M events the last N are test, the one before them
                                     validation (M >= N + 2); leave-one-out is last:1:3 */
    const char *checkpoint;     /**< path, or NULL: written every checkpoint_every epochs and at the end */
    int64_t checkpoint_every;   /**< epochs; 0 = 1 */
    seqrec_epoch_fn epoch;      /**< may be NULL */
    void *epoch_context;
    seqrec_progress_fn progress; /**< may be NULL; a non-zero return ends the training after the step, with everything saved */
    void *progress_context;
} seqrec_fit;

/** What a fit gave. Set struct_size first. */
typedef struct seqrec_fit_stats {
    size_t struct_size;
    int64_t epochs;       /**< completed, a resumed run's earlier ones included */
    int64_t best_epoch;
    double best_metric;   /**< NaN without validation */
    double seconds_per_epoch; /**< median, training only */
    double tokens_per_second; /**< targets per second of training */
    int32_t cancelled;    /**< 1: the progress or epoch callback ended it */
    int32_t reserved;
} seqrec_fit_stats;

/** Trains on the training part of `dataset`, validates, stops early, publishes the best weights, and records split and data
 * hash in the model's notes. Items of the dataset the model lacks are added first; in a model with users also users with two
 * training events, unless the trainer was fitted before (who was forgotten since stays so). Users whom a join kept apart get rows under
 * their numbers, without names; E_ARGUMENT where such a number is that of a user with a name. Continues where a resumed trainer was.
 * When it fails in the middle (E_NUMERIC, E_IO, E_MEMORY), readers of the model see nothing of it but rows that were added. The
 * steps committed so far and the best weights stay in the trainer: seqrec_trainer_publish_best shows those weights to readers,
 * seqrec_trainer_save keeps everything, and another call goes on from where this one stopped. E_STATE: the trainer was fitted to other data
 * or under another split before. Callbacks must not call functions of this trainer. C. */
SEQREC_API int32_t seqrec_trainer_fit(seqrec_trainer *trainer, const seqrec_dataset *dataset, const seqrec_fit *fit,
                                      seqrec_fit_stats *stats, seqrec_error *error);
/** Saves model, optimiser state, counters and best weights so far; atomic as seqrec_model_save. Batches that wait for their step
 * (option accumulate) and functions of the host are not in it. Rule C. */
SEQREC_API int32_t seqrec_trainer_save(seqrec_trainer *trainer, const char *path, seqrec_error *error);
/** Restores a trainer and its model from such a file: training goes on bit for bit as if it had not stopped.
 * The caller releases both handles. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_trainer_load(seqrec_context *context, const char *path,
                                                         seqrec_trainer **out, seqrec_model **model,
                                                         seqrec_error *error);

/** Sparsity of learned gates (option `gates` = position): *blocks (may be NULL) gets the number of blocks with gates, 0 for a
 * model without, and open[0 .. *blocks) the share of each block's gates that are not 0 when the model is used, among those of
 * keys not after the query. open may be NULL for capacity 0, which asks for *blocks alone; E_RANGE when capacity is smaller.
 * E_UNSUPPORTED for gates = content, which depend on the history: see seqrec_model_gates_on(). Rule R. */
SEQREC_API int32_t seqrec_model_gates(const seqrec_model *model, double *open, int64_t capacity, int64_t *blocks,
                                      seqrec_error *error);
/** The same for `gates` = content, on the histories of a batch: the share of gates that are not 0 on the way to their user vectors, over all
 * pairs of events of a window, in the last block of the newest event alone; NaN where there are no events. E_UNSUPPORTED for gates = position,
 * which are the same for all. Unknown items are skipped. Rule R. */
SEQREC_API int32_t seqrec_model_gates_on(const seqrec_model *model, const seqrec_batch *batch, double *open, int64_t capacity,
                                         int64_t *blocks, seqrec_error *error);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_TRAINERS_H */
