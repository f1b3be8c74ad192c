/* loss: value and gradient together. A loss of candidates is one file and one row of the table in losstable.c. */
#ifndef SQ_LOSSES_H
#define SQ_LOSSES_H
#include "base/arena.h"
#include "tensor/gemm.h"

/* What losses know beside the scores. */
typedef struct sq_loss_rule {
    const sq_kernels *kernels;
    double beta;      /* gbce: exponent of the target's probability */
    float smoothing;  /* softmax losses: share of the target's mass that all candidates get alike */
    float penalty;    /* bpr_max: weight of the squared scores */
    int32_t joint;    /* softmax losses with several targets: 1 = one logarithm of their sum, 0 = a sum of logarithms */
    int32_t corrects; /* sq_logq_* : what sq_sampled.log_expected is subtracted from */
    const float *share; /* several targets: [m] what each counts for in this position, the heaviest 1: its part of a sum of losses, or
                           a factor of its exponential where they are summed (joint); NULL: 1 each */
} sq_loss_rule;

enum { SQ_LOGQ_NONE, SQ_LOGQ_CLASSIC, SQ_LOGQ_CORRECTED };

/* Loss of one position from the scores of m targets and n negatives; scores become weight * dL / dscore. A score of -Inf is a
 * candidate that is left out: it adds nothing, and its gradient is 0 (one of the targets is always there). negatives has room up to
 * round16(n), which is scratch. Returns the loss without the weight. */
typedef double (*sq_score_loss)(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);

double sq_bce(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);
double sq_gbce(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);
double sq_bpr(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);
double sq_bpr_max(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);
double sq_top1_max(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);
double sq_sampled_softmax(const sq_loss_rule *rule, float weight, size_t m, float *targets, size_t n, float *negatives);

/* A row of the table; its index is the value of option `loss`. */
typedef struct sq_loss_kind {
    const char *name;
    sq_score_loss scores; /* NULL: the whole catalogue competes (sq_softmax_loss) */
    int32_t softmax;      /* 1: a softmax over candidates: the target as a negative is left out; logq, smoothing and several
                             targets as the rule says */
    int32_t several;      /* 1: takes several targets */
    int32_t lazy;         /* item_updates = auto is lazy */
    int32_t batch;        /* 1: batch scope: the user vectors of the whole batch say who the candidates are (sq_bucket) */
} sq_loss_kind;
/* NULL past the last. */
const sq_loss_kind *sq_loss_kind_at(int64_t index);

/* Sampled losses over tokens. rows[t * (m + k)] are the m targets' vectors, the k behind them negatives; a NULL row is left
 * out. Writes coefficient [tokens][m + k] = dL / d<u, row>, du [tokens][width], and returns sum + that of weight * loss. */
typedef struct sq_sampled {
    const sq_loss_rule *rule;
    sq_score_loss loss;
    size_t n, m, k, width;    /* tokens, targets, negatives of a token's own */
    const float *weight;      /* [n] share of each token in the loss of the batch */
    const float *share;       /* NULL, or [n][m]: sq_loss_rule.share of each token */
    const float *u;           /* [n][width] */
    const float *const *rows; /* [n][m + k] */
    float *coefficient;       /* [n][m + k] */
    float *du;                /* [n][width] */
    const float *inverse_norm; /* NULL, or [n][m + k]: scores are <u, row> * inverse_norm (cosine) */
    const float *bias;         /* NULL, or [n]: added to all scores of a token (what its user adds whatever the item) */
    float *dbias;              /* [n], with bias: its gradient */
    const float *log_expected; /* NULL, or [n][m + k]: log of how often the proposal draws the candidate (logQ) */
    size_t hardest;            /* 0, or: of the k only so many with the highest scores take part */
    double sum;                /* what the loss is added to: of the tokens before */
    float *scratch;            /* sq_sampled_scratch floats */
} sq_sampled;
size_t sq_sampled_scratch(size_t m, size_t k);
double sq_sampled_loss(const sq_sampled *o);

/* The same with one set of k negatives for all tokens beside each token's m targets: negatives [k][width] (k a multiple of 16; rows
 * from `live` on are padding), their transpose [width][k]; masked[t * k + j] != 0 leaves a negative out; dnegatives [k][width]
 * +=. */
typedef struct sq_shared {
    const float *negatives, *transposed;
    size_t k, live;
    const uint8_t *masked;
    const float *log_expected; /* NULL, or [k] */
    float *dnegatives;
    float *logits; /* scratch [n][k] */
} sq_shared;
double sq_shared_negatives(const sq_sampled *o, const sq_shared *shared);

/* A bucket of a loss of batch scope: n of the batch's user vectors against the same k items and a target each. */
typedef struct sq_bucket {
    const sq_loss_rule *rule;
    sq_score_loss loss;
    size_t n, k, width;
    const int32_t *outputs;   /* [n] which user vectors, each once */
    const int32_t *items;     /* [k] what target[] names */
    const float *rows;        /* [round16(k)][width] their vectors, zero behind k */
    const float *transposed;  /* [width][round16(k)] */
    const float *u;           /* [batch][width] */
    const int32_t *target;    /* [batch] left out of the items */
    const float *score;       /* [batch] its score */
    float *scratch;           /* sq_bucket_scratch floats */
} sq_bucket;
size_t sq_bucket_scratch(size_t k, size_t width);
/* loss [n], without weights. */
void sq_bucket_losses(const sq_bucket *o, double *loss);
/* With weight [batch]: slope [batch] = dL / dscore and du [batch][width] of these outputs, du without the target's share;
 * drows [k][width]. */
void sq_bucket_gradients(const sq_bucket *o, const float *weight, float *slope, float *du, float *drows);

#define SQ_SOFTMAX_PANEL 64 /* items of a panel */
static inline size_t sq_softmax_padded(size_t items) { return (items + SQ_SOFTMAX_PANEL - 1) / SQ_SOFTMAX_PANEL * SQ_SOFTMAX_PANEL; }

/* Full softmax cross-entropy over V items, tiled: logits exist for one tile of tokens and, for large V, a block of items. */
typedef struct sq_softmax {
    const sq_kernels *kernels;
    size_t n, width, d, items; /* items = V */
    float smoothing;           /* label smoothing: target 1 - smoothing, and smoothing / V for every item */
    const float *weight;       /* [n] */
    const float *u;            /* [n][width] */
    const int32_t *target;     /* [n] in 0 .. V - 1; [n][targets], -1: none */
    const float *rows;         /* [V padded][width], zero behind V */
    const float *panels;       /* [V padded / panel][d][panel]: the same transposed in panels */
    float *du;                 /* [n][width] */
    float *drows;              /* [V padded][width] += */
    float *scratch;            /* sq_softmax_scratch floats */
    size_t targets;            /* of a token; 0: one. Without label smoothing */
    int32_t joint;             /* several: as sq_loss_rule has it, with all items that are no target of the token as negatives */
    const float *share;        /* NULL, or [n][targets]: sq_loss_rule.share of each token */
} sq_softmax;
size_t sq_softmax_scratch(size_t items, size_t width, size_t targets);
/* Sum of weight * loss. */
double sq_softmax_loss(const sq_softmax *o);
/* loss [n], without weights, smoothing and gradients, which are not looked at. */
void sq_softmax_losses(const sq_softmax *o, float *loss);
/* Builds one panel from its rows. */
void sq_softmax_panel(const sq_kernels *kernels, const float *rows, size_t width, size_t d, size_t panel, float *panels);
#endif
