/* train: the trainer: its own copy of the weights, optimiser state, and the memory of a step. */
#ifndef SQ_TRAINER_H
#define SQ_TRAINER_H
#include "loss/losses.h"
#include "model/model.h"
#include "optim/rowentries.h"
#include "optim/schedule.h"
#include "sampler/sampler.h"
#include "train/buckets.h"
#include "train/plan.h"
#include "train/trainedtable.h"
#include "train/waiting.h"

#define SQ_RULES 1024 /* Adam constants of the latest steps, kept for replays */

/* Where a fit is: what a checkpoint needs beside weights and optimiser state to go on as if nothing had happened. */
typedef struct sq_progress_state {
    int64_t epoch;        /* completed */
    int64_t done;         /* samples done of the epoch that is under way, in its order: option batch may change between them */
    double loss;          /* summed over its targets so far, each times its weight */
    double weight;        /* of these */
    int64_t targets;
    int64_t best_epoch, stale; /* stale: validations since the best */
    double best_metric;        /* NaN: none yet */
    uint64_t data_hash;        /* of the dataset, 0 before the first fit */
    uint64_t values_hash;      /* of the values that weighed its events, 0: none have */
    char split[64];
    sq_snapshot *best; /* weights and rows of the best epoch, or NULL */
    int64_t averaged;     /* epochs in the mean */
    sq_snapshot *average; /* running mean of the weights, or NULL */
} sq_progress_state;

struct seqrec_trainer {
    seqrec_model *model;     /* retained */
    seqrec_context *context; /* the model's */
    const sq_kernels *kernels;
    sq_options options;
    int64_t step; /* committed */
    int64_t passed; /* batches passed over, which the rate of a schedule with an end counts as steps; Adam and random numbers do not */

    float *weights, *transposed, *m, *v; /* parameter blocks */
    float *grads;                        /* [SQ_GRADIENT_SLOTS][layout.floats] */
    sq_gate_table gates;                 /* position gates as drawn for this step */

    sq_trained items, users; /* users: empty with user_embedding = none */
    sq_sampler sampler;
    double *popularity; /* [slots] training counts, or the host's weights, for samplers that have them */
    float *log_expected; /* [slots] log of the draws expected of each item for one target; NULL without logq */
    seqrec_negatives_fn host_negatives; /* sampler = host */
    void *host_context;
    int64_t *host_items;  /* [rows][draws] what it filled in */
    float *log_draws;     /* [rows][draws] logarithm of the expected draws: the host's, or those of shared negatives */
    int64_t *host_targets; /* [tokens] */
    sq_adam rules[SQ_RULES];

    /* full softmax, shared negatives and `dense`: the output vectors in one piece */
    float *table, *panels; /* [padded live][vp] and its transpose in panels, which `dense` has none of */
    float *dtable;                      /* [SQ_GRADIENT_SLOTS][padded live][vp] */
    size_t table_rows;

    sq_plan plan;
    sq_waiting waiting;
    int32_t *sequence;       /* slots of one sequence of the host's batch */
    float *sequence_weights; /* of its events as targets */
    int64_t *sequence_times;
    sq_row_entries entries;
    size_t candidates; /* of each position: targets and the draws of its own; 0 in a full softmax */
    int32_t dense;     /* 1: own candidates are rows of table, drawn for a micro-batch at a time, and what they add to them is summed in dtable, of
                          whose rows there are entries; 0: they are entries themselves */
    int32_t *own;      /* [targets][candidates] their slots among those of the entries, or -1; NULL with `dense` */
    uint8_t *touched;  /* [SQ_GRADIENT_SLOTS][live] dense: which rows of table were drawn */
    float *u, *dx;     /* [targets][vp], [tokens][vp] of the batch */
    float *coefficient; /* [targets][candidates], without `dense` */
    int32_t redraws;    /* 1: with logq, the rule of seen items has negatives drawn again */
    float *redrawn;     /* [targets] log of how much more often it makes the others come */
    sq_buckets buckets; /* loss = sce */
    sq_row_entries user_entries; /* entry s: the user of sequence s */
    float *duser;                /* [sequences][up] gradient of their vectors */
    double *losses;    /* [micro-batches] */
    int32_t *unfit;    /* [micro-batches] 1: something was not finite */
    sq_arena *arenas;  /* [workers] */
    int32_t workers;
    double part_norm[SQ_ROW_PARTS]; /* squared gradient norm of each part */

    sq_progress_state fit;
    float *known; /* known_items: [known_count] of the dataset's events, as of the start of the epoch, see known.h; NULL before */
    int64_t known_count;
    int64_t known_epoch;
};

typedef struct seqrec_trainer sq_trainer;

int32_t sq_trainer_create(seqrec_model *model, const sq_options *options, sq_trainer **out, seqrec_error *error);
void sq_trainer_free(sq_trainer *trainer);
/* Takes over what changed in the model's catalogue: new and updated rows replace the trainer's and start with fresh state;
 * removed ones are dropped; all others stay as trained. The best weights and the mean follow too. On failure nothing changes. */
int32_t sq_trainer_sync(sq_trainer *trainer, seqrec_error *error);
/* Changes an option of training scope. */
int32_t sq_trainer_set(sq_trainer *trainer, const char *name, const char *value, seqrec_error *error);
/* Adds a sequence to trainer->plan, shifted or masked as `objective` says; masks follow (seed, step, place in plan). */
int32_t sq_trainer_plan_add(sq_trainer *trainer, const sq_plan_sequence *sequence, seqrec_error *error);
/* One step on trainer->plan. */
int32_t sq_trainer_run(sq_trainer *trainer, seqrec_step_stats *stats, seqrec_error *error);
/* hoststep.c: a step on a batch whose arguments have been checked, or with option accumulate a batch more that waits for it. Ids are looked
 * up, and refused, behind the sync of here, which says what rows there are. On failure the batch does not wait either. */
int32_t sq_trainer_step(sq_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats, seqrec_error *error);
/* What the batch's events weigh as targets in it; NULL: 1 each, or with event_weights = values that the batch has neither. */
const float *sq_trainer_event_weights(const sq_trainer *trainer, const seqrec_batch *batch);
/* What sq_trainer_run asks of the sampler, where there will be `items` of them; counts_come: a fit will bring the training counts. */
int32_t sq_trainer_check_sampler(const sq_trainer *trainer, int64_t items, int32_t counts_come, seqrec_error *error);
/* Brings all rows up to the current step (item_updates = exact). */
int32_t sq_trainer_catch_up(sq_trainer *trainer, seqrec_error *error);
/* A batch without anything to learn: only the schedule goes on. */
int32_t sq_trainer_pass(sq_trainer *trainer, seqrec_error *error);
int32_t sq_trainer_publish(sq_trainer *trainer, seqrec_error *error);
/* The trainer's weights and rows as they are, as a snapshot of its own; the caller releases it. */
int32_t sq_trainer_snapshot(sq_trainer *trainer, sq_snapshot **out, seqrec_error *error);
/* Publishes such a snapshot (taken of this trainer): items put or updated since keep what the model has. With it come the notes
 * of the fit; all at once or nothing. */
int32_t sq_trainer_publish_snapshot(sq_trainer *trainer, sq_snapshot *snapshot, seqrec_error *error);
/* `base` with what a fit saw so far (data_hash, split, epochs), or NULL before the first fit. */
int32_t sq_trainer_notes(const sq_trainer *trainer, const sq_notes *base, sq_notes **out, seqrec_error *error);
/* Training counts by slot, for sampler = popularity; counts [slots] is copied. */
int32_t sq_trainer_set_popularity(sq_trainer *trainer, const double *counts, seqrec_error *error);

static inline float *sq_trainer_row(const sq_trainer *t, int32_t slot) { return sq_trained_row(&t->items, slot); }
static inline int32_t sq_trainer_exact(const sq_trainer *t)
{
    if (t->options.item_updates != SQ_ROWS_AUTO) return t->options.item_updates == SQ_ROWS_EXACT;
    return !sq_loss_kind_at(t->options.loss)->lazy;
}
static inline int64_t sq_trainer_slots(const sq_trainer *t) { return sq_trained_slots(&t->items); }

static inline int32_t sq_trainer_is_full(const sq_trainer *t) { return sq_loss_kind_at(t->options.loss)->scores == NULL; }
/* Whether the loss needs the user vectors of the whole batch before it has a value. */
static inline int32_t sq_trainer_at_batch(const sq_trainer *t) { return sq_loss_kind_at(t->options.loss)->batch; }
/* Whether negatives are drawn. */
static inline int32_t sq_trainer_samples(const sq_trainer *t) { return !sq_trainer_is_full(t) && !sq_trainer_at_batch(t); }
static inline int32_t sq_trainer_shares(const sq_trainer *t)
{
    return sq_trainer_samples(t) && t->options.negative_sharing == SQ_SHARE_BATCH;
}
/* Whether no negative of a target is that target: under seen = keep too for a softmax, whose sum a second copy of it would only
 * push down. */
static inline int32_t sq_trainer_excludes_targets(const sq_trainer *t)
{
    return t->options.seen != SQ_SEEN_KEEP || sq_loss_kind_at(t->options.loss)->softmax;
}
/* Draws for one target, or for the batch when it shares them. */
static inline int64_t sq_trainer_draws(const sq_trainer *t)
{
    return t->options.hard_pool ? t->options.hard_pool : t->options.negatives;
}
/* Those of a target's own. */
static inline int64_t sq_trainer_own_draws(const sq_trainer *t)
{
    return sq_trainer_samples(t) && !sq_trainer_shares(t) ? sq_trainer_draws(t) : 0;
}
static inline size_t sq_trainer_candidates(const sq_trainer *t)
{
    return sq_trainer_is_full(t) ? 0 : (size_t)(t->options.targets + sq_trainer_own_draws(t));
}

/* Entries are those of the tokens, of the positions' own candidates up to this number, and behind it of rows of dtable. */
static inline size_t sq_trainer_own_end(const sq_trainer *t)
{
    return (size_t)t->plan.tokens + (t->dense ? 0 : (size_t)t->plan.target_count * t->candidates);
}
static inline int32_t sq_trainer_tabled(const sq_trainer *t) { return t->dense || sq_trainer_is_full(t) || sq_trainer_shares(t); }

/* rowgradients.c: calls visit for each row that has a gradient in this step, with softmax for all live rows, in rising order within a part of
 * the entries; parts run side by side. input, output [vp]: gradient of its vectors; of a tied table input has both. The last takes a
 * worker's memory for it. */
typedef void (*sq_row_visit)(sq_trainer *trainer, int32_t slot, const float *input, const float *output, const void *arg);
void sq_row_gradients(sq_trainer *trainer, sq_row_visit visit, const void *arg);
void sq_row_gradients_take(sq_arena *arena, const sq_trainer *trainer);

/* steprows.c: the item rows' share of a step. */
void sq_step_replay(sq_trainer *trainer);                           /* exact: rows of this step, before they are read */
void sq_step_lengths(sq_trainer *trainer);                          /* score = cosine: inverse_norm of the rows of this step */
void sq_step_rows(sq_trainer *trainer);                             /* row entries get their coefficients; of a dense step they are made here */
double sq_step_row_norm(sq_trainer *trainer);                       /* squared norm of all row gradients */
void sq_step_update_rows(sq_trainer *trainer, const sq_adam *rule);
sq_adam sq_trainer_rule(const sq_trainer *trainer, int64_t step);
sq_schedule sq_trainer_schedule(const sq_trainer *trainer);

/* stepgates.c: draws this step's position gates; antithetic: the other ones that the arm estimator compares them with. */
void sq_step_gates(sq_trainer *trainer, int32_t antithetic);
/* Puts the gradient of the gates' parameters in their place in grads, the summed parameter block. loss: mean loss of the step;
 * other: that of the antithetic gates. */
void sq_step_gate_gradient(sq_trainer *trainer, double loss, double other, float *grads);
static inline int32_t sq_trainer_gates_twice(const sq_trainer *t)
{
    return t->gates.z && t->options.gate_estimator == SQ_GATES_BY_ARM;
}
static inline int32_t sq_trainer_personal(const sq_trainer *t)
{
    return t->options.user_embedding != SQ_USER_NONE;
}
/* stepusers.c */
void sq_step_share(sq_trainer *trainer);                          /* stochastic shared embeddings, on the plan */
int32_t sq_step_users(sq_trainer *trainer, seqrec_error *error); /* this step's users as row entries */
double sq_step_user_norm(sq_trainer *trainer);                    /* squared norm of the users' gradients */
void sq_step_update_users(sq_trainer *trainer, const sq_adam *rule);

/* stepnegatives.c: whether own candidates are read from a table of all items, and what they add to rows is summed in another: where a row has
 * many of them in a step, and a second-level cache holds such a table or nearly. */
int32_t sq_step_is_dense(const sq_trainer *trainer);
/* Draws this step's candidates into entries, but for those of a dense step, which makes entries of them later. */
int32_t sq_step_negatives(sq_trainer *trainer, seqrec_error *error);
/* The most own negatives that it draws at a time: of consecutive positions together. */
size_t sq_step_run_draws(const sq_trainer *trainer);
/* hostnegatives.c: asks the host for this step's negatives and checks them. */
int32_t sq_step_ask_host(sq_trainer *trainer, seqrec_error *error);
/* Log of the draws expected of negative `draw` of token `token`, which is `slot`. */
static inline float sq_step_expected(const sq_trainer *t, int32_t slot, int64_t token, int64_t draw)
{
    if (slot < 0) return 0;
    return t->log_expected ? t->log_expected[slot] : t->log_draws[token * sq_trainer_draws(t) + draw];
}
/* stepbuckets.c: losses of batch scope. Memory for the plan; then, with the user vectors of all targets in u, the losses of the
 * micro-batches and, if it learns, buckets.du, coefficient, and the entries behind the inputs, which it sorts. */
int32_t sq_step_buckets_reserve(sq_trainer *trainer, seqrec_error *error);
void sq_step_buckets(sq_trainer *trainer, int32_t learns);
/* bucketdirections.c, bucketselect.c: directions of this step, and what they choose. */
void sq_step_bucket_directions(sq_trainer *trainer);
void sq_step_bucket_select(sq_trainer *trainer);
void sq_step_bucket_select_take(sq_arena *arena, const sq_trainer *trainer);
/* Length of a part's heap for `most` of n vectors. */
size_t sq_step_bucket_heap(const sq_trainer *trainer, size_t n, size_t most);

/* steploss.c: loss and gradient of one micro-batch; u, du in the trainer's and the worker's memory. */
typedef struct sq_step_scratch {
    sq_workspace work;
    int32_t direct;          /* 1: the network's output is the user vectors: states lie in the trainer's u, gradients where du does,
                                in its dx or, with a loss of batch scope, in buckets.du */
    float *states, *dstates; /* [tokens of the network][dp]: its output before the readout */
    float *chosen;       /* [targets][dp]: those of its rows that have a target */
    float *du;           /* [targets][vp], from the loss; batch scope: a part of buckets.du */
    float *out, *dout;   /* [tokens of the network][dp] behind the readout; NULL where it goes to u and comes from du */
    float *bias, *dbias; /* [targets] a concatenated user's part of all scores, else NULL */
    float *unit;         /* cosine: 1 / (norm * temperature) of each user vector */
    const float **items; /* [tokens] */
    int64_t *times, *asks; /* [tokens of the network] of a layout that is dated, with tokens of users */
    const float **rows;  /* [targets of a piece][candidates] */
    float *inverse_norm; /* cosine: the same */
    float *expected;     /* logq: the same */
    int32_t *own;        /* [targets][candidates] of a dense step: their rows in the trainer's table, or -1 */
    float *coefficient;  /* the same */
    int32_t *target;     /* softmax: [targets] compact */
    float *share;        /* several targets: [targets][several] what each counts for in its position, the heaviest 1 */
    float *loss;         /* scratch of the loss */
    uint8_t *masked, *history; /* shared negatives: of each target, of its sequence */
    int32_t *starts;     /* [sequences + 1] within the micro-batch */
    uint64_t *bits;      /* [slots / 64 + 1], zero between uses */
    /* [round16(sq_step_run_draws + targets)] own negatives of a run: what was drawn, where that is refused, what was drawn there instead, what of
     * this is refused too */
    int32_t *drawn, *places, *again, *which;
} sq_step_scratch;
void sq_step_scratch_take(sq_arena *arena, const sq_trainer *trainer, sq_step_scratch *out);
/* Those of the loss of a micro-batch that has been through it. */
static inline float *sq_step_coefficients(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s)
{
    return t->dense ? s->coefficient : t->coefficient + m->first_target * (int64_t)t->candidates;
}
/* stepnegatives.c: draws a dense step's candidates of a micro-batch to s->own, and marks their rows in the gradient slot's `touched`. */
void sq_step_draw(sq_trainer *trainer, const sq_micro *micro, int32_t slot, const sq_step_scratch *scratch);
sq_loss_rule sq_step_rule(const sq_trainer *trainer);
/* to [vp] = the output vector of an item as scores take it: with score = cosine of length one. */
void sq_step_output_row(const sq_trainer *trainer, int32_t slot, float *to);
/* The same of all items of one panel into its rows of rows [padded live][vp], zero behind the last item, and into panels. */
void sq_step_output_panel(const sq_trainer *trainer, size_t panel, float *rows, float *panels);
/* In the order of their use. Cosine scores: u becomes what scores take; */
void sq_step_normalise(sq_trainer *trainer, const sq_micro *micro, sq_step_scratch *scratch);
/* the loss, and du by that (token scope); */
double sq_step_loss(sq_trainer *trainer, const sq_micro *micro, int32_t slot, sq_step_scratch *scratch);
/* Whether the learned temperature is at its lowest and these gradients would lower it further. */
int32_t sq_step_temperature_held(const sq_trainer *trainer, const float *grads);
/* du by the user vectors as they were. */
void sq_step_normalise_bwd(sq_trainer *trainer, const sq_micro *micro, int32_t slot, sq_step_scratch *scratch);
/* stepinput.c, in the order of their use; e is the embedding of the step. */
void sq_step_input_take(sq_arena *arena, const sq_trainer *trainer, sq_step_scratch *out); /* what lies between input and loss */
sq_micro_batch sq_step_embed(sq_trainer *trainer, const sq_micro *micro, sq_embedding *e, sq_step_scratch *scratch);
/* Where scratch->out is there: user vectors u [tokens][vp] and bias out of it, and dout out of du and dbias. */
void sq_step_split(const sq_trainer *trainer, const sq_micro *micro, const sq_embedding *e, sq_step_scratch *scratch,
                   float *u);
void sq_step_join(sq_trainer *trainer, const sq_micro *micro, const sq_embedding *e, sq_step_scratch *scratch);
/* From dout: gradients of positions and the default user to grads, of items to dx, of users to duser. */
void sq_step_embed_bwd(sq_trainer *trainer, const sq_micro *micro, sq_embedding *e, sq_step_scratch *scratch,
                       float *grads);
/* Materialises the output vectors for softmax and shared negatives. */
int32_t sq_step_table(sq_trainer *trainer, seqrec_error *error);
#endif
