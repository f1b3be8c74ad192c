/* train: one batch cut for training: shifted, cut to the window, packed, and dealt into micro-batches. */
#ifndef SQ_PLAN_H
#define SQ_PLAN_H
#include "base/memory.h"

/* Gradients are summed in this many slots, each over a run of micro-batches in order, then slot by slot: the shape of every
 * reduction depends on the batch alone. Also the most workers that one step can use. */
#define SQ_GRADIENT_SLOTS 8

typedef struct sq_micro {
    int32_t first_sequence, sequences, tokens, longest;
    int64_t first_token;
} sq_micro;

typedef struct sq_plan {
    int64_t tokens, sequences, seen_count, micro_count;
    int64_t longest;
    int32_t most_tokens;   /* of a micro-batch, and at least what one may have: working memory does not grow with luck */
    int64_t *starts;       /* [sequences + 1] first token of each sequence */
    int64_t *seen_starts;  /* [sequences + 1] into seen */
    int32_t *inputs;       /* [tokens] slots */
    int32_t *targets;      /* [tokens] slots */
    float *weights;        /* [tokens] share of each target in the loss; after sq_plan_finish they add up to 1 */
    int32_t *seen;         /* slots of whole histories */
    int32_t user;          /* of the sequences added from here on: a slot of the user table, or -1 */
    int32_t *users;        /* [sequences] */
    sq_micro *micro;       /* [micro_count] */
    int64_t slot_starts[SQ_GRADIENT_SLOTS + 1]; /* micro-batches of each gradient slot */
    size_t starts_capacity, seen_starts_capacity, inputs_capacity, targets_capacity, weights_capacity, seen_capacity,
        users_capacity, micro_capacity;
} sq_plan;

void sq_plan_clear(sq_plan *plan);
/* A sequence of n events in time order. */
typedef struct sq_plan_sequence {
    const int32_t *slots; /* [n] */
    const float *weights; /* [n] of each event as a target, or NULL: 1 */
    int64_t n;
} sq_plan_sequence;
/* Adds a sequence; its last max_length + 1 events become inputs and targets. The target of age a (0 = newest) gets its weight times
 * decay^a. Fewer than two events: not added. */
int32_t sq_plan_add(sq_plan *plan, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length, double decay,
                    seqrec_error *error);
/* Deals the sequences into micro-batches of about micro_tokens tokens. E_ARGUMENT when there are targets and all weigh nothing. */
int32_t sq_plan_finish(sq_plan *plan, const sq_memory *memory, int64_t micro_tokens, seqrec_error *error);
void sq_plan_free(sq_plan *plan, const sq_memory *memory);
#endif
