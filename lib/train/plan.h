/* train: one batch cut for training: shifted or masked, cut to the window, packed, and dealt into micro-batches. */
#ifndef SQ_PLAN_H
#define SQ_PLAN_H
#include "base/memory.h"

/* Gradients are summed in this many slots, each over a run of micro-batches in order, then slot by slot: the shape of every
 * reduction depends on the batch alone. Also the most workers that one step can use. */
#define SQ_GRADIENT_SLOTS 8

typedef struct sq_micro {
    int32_t first_sequence, sequences, tokens, longest, targets;
    int64_t first_token, first_target;
} sq_micro;

typedef struct sq_plan {
    int64_t tokens, sequences, target_count, seen_count, micro_count;
    int64_t most_targets;  /* that these sequences can have, whatever is drawn */
    int64_t longest;
    int32_t most_tokens;   /* of a micro-batch, and at least what one may have: working memory does not grow with luck */
    int64_t *starts;       /* [sequences + 1] first token of each sequence */
    int64_t *seen_starts, *seen_ends; /* [sequences] into seen; prefixes of one history share it */
    int32_t *inputs;       /* [tokens] slots; -1: [MASK] */
    int64_t *times, *asks; /* [tokens] of the events, and the times they look back from: of what comes next, in a masked sequence their
                              own; undefined for sequences without times */
    int64_t *target_starts; /* [sequences + 1] first target of each sequence */
    int32_t *targets;       /* [target_count] slots */
    float *weights;         /* [target_count] before sq_plan_finish what each weighs as a target; then the share of its position in the loss:
                               that of the heaviest target of the position, such that they add up to 1 */
    int64_t together;       /* targets of a position: its own and the next ones of the sequence; 1 after sq_plan_clear */
    double weight;          /* after sq_plan_finish: what the weights of all positions added up to before */
    int64_t weighing;       /* and how many of them weigh more than nothing */
    float *own;             /* [target_count] with several together, after sq_plan_finish: what each weighs as a target, on the scale of weights */
    int64_t *target_tokens; /* [target_count] the token that predicts each, rising */
    int32_t *seen;         /* slots of whole histories */
    int32_t user;          /* of the sequences added from here on: a slot of the user table, or -1 */
    int32_t *users;        /* [sequences] */
    sq_micro *micro;       /* [micro_count] */
    int64_t slot_starts[SQ_GRADIENT_SLOTS + 1]; /* micro-batches of each gradient slot */
} sq_plan;

void sq_plan_clear(sq_plan *plan);
/* A sequence of n events in time order. */
typedef struct sq_plan_sequence {
    const int32_t *slots; /* [n] */
    const float *weights; /* [n] of each event as a target, or NULL: 1 */
    const int64_t *times; /* [n], or NULL: the sequence has none */
    int64_t n;
    int64_t behind; /* events at the end that are neither inputs nor targets, only seen */
    int64_t cut;    /* of these, those behind a drawn end: the sequence is as if it had ended there, and ages count from it */
} sq_plan_sequence;
/* Adds a sequence; the last max_length + 1 events before those behind become inputs and targets. The target of age a (0 = newest)
 * gets its weight times decay^a. Fewer than two such events: not added. */
int32_t sq_plan_add(sq_plan *plan, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length, double decay,
                    seqrec_error *error);
/* Adds each of the last max_length events before those behind, every stride-th, as the one target of a sequence of its own, from one of the stride
 * newest on (or of all, where they are fewer), the one at share `phase` of these, in [0, 1):
 * the up to max_length events before it (the literal rule of section 4.1 of "Revisiting Self-Attentive Sequential Recommendation"). With
 * stride 1 targets and weights are those of sq_plan_add. At least one target is added. */
int32_t sq_plan_add_prefixes(sq_plan *plan, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length,
                             double decay, int64_t stride, double phase, seqrec_error *error);
/* Stochastic length (HSTU, Zhai et al. 2024, section 3.2, equation 4): of a sequence with n inputs, n > N^(alpha / 2), only
 * N^(alpha / 2), rounded down, are kept, but with probability N^alpha / n^2 all. N = max_length. */
typedef struct sq_stochastic_length {
    uint64_t key; /* the draws of sequence s of a plan are functions of (key, s) */
    double alpha;
    int32_t newest; /* 1: the latest are kept; 0: every choice is equally likely */
} sq_stochastic_length;
/* How many of n inputs are kept where not all are, and with what probability all are: n and 1 of few. */
int64_t sq_length_kept(double alpha, int64_t max_length, int64_t n, double *whole);
/* As sq_plan_add, with inputs left out; those that are kept stay in order, and each keeps its target: the event behind it in the
 * whole sequence, kept as an input or not, with the weight of its age there. */
int32_t sq_plan_add_some(sq_plan *plan, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length, double decay,
                         const sq_stochastic_length *length, seqrec_error *error);
/* How a sequence is masked (BERT4Rec, section 3.6): a share of its window, or its last event alone as inference has it. */
typedef struct sq_cloze {
    uint64_t key;       /* the draws of sequence s of a plan are functions of (key, s) */
    double probability; /* max(1, round(probability * window)) events are masked, every choice of them equally likely */
    double last_share;  /* probability that only the last one is */
} sq_cloze;
int64_t sq_cloze_masked(double probability, int64_t window);
/* Adds the last max_length events before those behind; the masked ones become targets of their own places. Fewer than two: not added. */
int32_t sq_plan_add_cloze(sq_plan *plan, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length,
                          double decay, const sq_cloze *cloze, seqrec_error *error);
/* What the target `ahead` events behind that of position i counts for in it, the heaviest 1. Where none weighs anything all count alike. */
static inline float sq_plan_share(const sq_plan *plan, int64_t i, int64_t ahead)
{
    return plan->together > 1 && plan->weights[i] > 0 ? plan->own[i + ahead] / plan->weights[i] : 1;
}
/* That target, or -1: the sequence, whose targets end before `end`, does not have it, or it counts for nothing. */
static inline int32_t sq_plan_target(const sq_plan *plan, int64_t i, int64_t ahead, int64_t end)
{
    return i + ahead < end && sq_plan_share(plan, i, ahead) > 0 ? plan->targets[i + ahead] : -1;
}
/* Whether the weights of all targets together are 0, or too small to divide by: such a plan cannot be finished. */
int sq_plan_weighs_nothing(const sq_plan *plan);
/* Deals the sequences into micro-batches of about micro_tokens tokens. E_ARGUMENT when there are targets and all weigh nothing. */
int32_t sq_plan_finish(sq_plan *plan, const sq_memory *memory, int64_t micro_tokens, seqrec_error *error);
void sq_plan_free(sq_plan *plan, const sq_memory *memory);
#endif
