/* model: the blocks, of self-attention or of spectral filters, over one micro-batch of packed sequences, forward and backward. */
#ifndef SQ_NETWORK_H
#define SQ_NETWORK_H
#include "attention/attention.h"
#include "attention/contentgates.h"
#include "layer/embedding.h"
#include "model/derived.h"
#include "layer/filter.h"
#include "model/gatetable.h"
#include "model/readout.h"
#include "model/relationtable.h"
#include "model/tokencache.h"

/* What a pass computes with. */
typedef struct sq_network {
    const sq_kernels *kernels;
    const sq_layout *layout;
    const sq_options *options;
    const float *weights;    /* parameter block, with its taps */
    const float *transposed; /* the matrices transposed, at the same offsets; for the backward pass */
    /* Of block 0; block b and place p derive their keys from these. The outputs: what is added to a residual. */
    sq_dropout embedding, attention, attention_output, ffn, ffn_output;
    const sq_gate_table *gates; /* of position gates: their values */
    const sq_relations *relations; /* [blocks] made before; NULL: every pass makes its own */
    int32_t learns_gates; /* 1: the backward pass leaves dz of position gates in the place of their parameters */
    int32_t draws_gates;  /* 1: content gates have noise, from gate_key */
    uint64_t gate_key;
    _Atomic int64_t *gate_counts; /* [blocks][2], or NULL: forward passes add how many content gates are open there, and how many there are */
    float gate_l0;  /* of content gates, for each sequence; position gates get theirs from the trainer */
    float jacobian; /* weight of the Jacobian term, see sq_network_bwd */
    uint64_t jacobian_key;
} sq_network;

/* Packed sequences: sequence s has tokens starts[s] .. starts[s + 1] - 1. */
typedef struct sq_micro_batch {
    int32_t tokens, sequences, longest;
    const int32_t *starts; /* [sequences + 1] */
    int64_t first;         /* index of token 0 in the whole batch: row of its dropout masks */
    const int64_t *times;  /* [tokens], in order within a sequence, for a layout that is timed; else not read */
    const int64_t *asks;   /* [tokens] the times that they look back from (time = bias) */
    int32_t newest;         /* 1: the states of each sequence's last token alone are wanted, see sq_network_newest */
    int64_t first_sequence; /* with newest: index of sequence 0 in the whole batch, row of the last block's dropout masks */
} sq_micro_batch;

/* Rows of a pass's states. */
static inline size_t sq_micro_batch_states(const sq_micro_batch *b) { return (size_t)(b->newest ? b->sequences : b->tokens); }

/* A branch and the logits of the gate on it. */
typedef struct sq_gated {
    float *z, *branch;
} sq_gated;

/* Per-block activations kept for the backward pass. */
typedef struct sq_saved {
    float *norm1, *qkv, *heads, *middle, *norm2, *hidden, *before; /* before: input of GELU or SwiGLU */
    sq_gated gated[2];             /* with residual_gate: of attention and of the feed-forward layers */
    float *unit, *units, *product; /* HSTU: u and qkv before SiLU, and what the output layer gets */
    float *stream, *norm3, *mean3, *rstd3; /* HSTU with feed-forward layers: what they are added to, and its norm */
    float *mean1, *rstd1, *mean2, *rstd2;
    float *kept; /* attention probabilities of short sequences */
    float *sides; /* content gates: [tokens][2 * rp] */
} sq_saved;

/* The last block where newest rows alone are wanted: what it has of these rows apart from what it has of all tokens. */
typedef struct sq_newest {
    sq_micro_batch batch;
    sq_saved saved;
    float *x, *dx;
} sq_newest;

/* All working memory of one micro-batch. */
typedef struct sq_workspace {
    float **x;       /* [blocks + 1]: input of each block, [tokens][dp] */
    sq_saved *saved; /* [blocks]; without training all blocks share one */
    float *mean, *rstd;
    sq_embedding_saved embedded; /* with embedding_norm */
    sq_readout readout;          /* training: of all tokens; else of one */
    float *t1, *t2, *dqkv, *dheads, *dhidden, *dz, *dbranch; /* backward */
    sq_head_scratch head;
    sq_relations relations;   /* of the block at hand */
    double *tau;              /* time = intervals: [tokens]; with time_unit = seen the units */
    sq_content_scratch gates; /* content gates */
    float *dsides;            /* [tokens][2 * rp] */
    sq_saved near;            /* Jacobian term: a block beside its own input, [tokens][dp] each */
    float *near_x, *near_y, *near_dx;
    sq_newest newest;         /* sq_network_newest */
    double stretch; /* the term of the latest backward pass, without its weight */
} sq_workspace;

/* Whether training of these options needs the newest states alone and a pass can have them so (micro-batch.newest): objective = prefix
 * with softmax attention, no gates, no Jacobian term. The last block then projects keys and values of all tokens, and all else of the
 * newest. */
int32_t sq_network_newest(const sq_layout *layout, const sq_options *options);
/* Carves a workspace for micro-batches of up to `tokens` tokens with sequences up to `longest`. */
void sq_workspace_take(sq_arena *arena, const sq_layout *layout, const sq_options *options, int32_t tokens,
                       int32_t longest, int32_t training, sq_workspace *out);

/* x[0] holds the input embeddings (see sq_embed_fwd in layer/); out [states][dp] gets the states: the last block's
 * output, behind the final norm if there is one, of all tokens or of each sequence's last (sq_micro_batch_states). */
void sq_network_fwd(const sq_network *network, const sq_micro_batch *batch, sq_workspace *work, float *out);
/* dout [tokens][dp] = gradient of out on entry ([states][dp] of it), of x[0] on exit; grads (a parameter block) += . With jacobian > 0 (and options'
 * gate_jacobian when the workspace was taken) they are those of what dout comes from, plus jacobian times
 * sum_b |f_b(x + e s) - f_b(x)|^2 / e^2: f_b a block under the masks and gates of this pass, x its input, s signs at random from
 * jacobian_key, e = 1/32. Its mean over the signs is the sum of the squared norms of the blocks' Jacobians, but for terms of
 * order e (Hutchinson 1990; Hoffman, Roberts, Yaida 2019). A pass goes back once: some of what it kept gives its place to gradients. */
void sq_network_bwd(const sq_network *network, const sq_micro_batch *batch, sq_workspace *work, float *dout,
                    float *grads);
/* Inference on one sequence of `length` tokens already in x[0], which is overwritten, with times and asks as a micro-batch has them: only the last token's
 * user vector, to out [dp]. Same bits as sq_network_fwd and sq_network_read give it without dropout. */
void sq_network_last(const sq_network *network, int32_t length, const int64_t *times, const int64_t *asks, sq_workspace *work,
                     float *out);

/* Inference on n tokens in x[0] that join a cached sequence of a causal model without gates and filters: the state of the last to
 * out [dp], or with extension->apart those of all to out [n][dp]. A token's bits depend on the tokens it goes back to and its place
 * alone, not on how they are dealt over passes; they are within rounding of what sq_network_fwd gives. work: taken for n tokens. */
void sq_network_extend(const sq_network *network, int32_t n, sq_extension *extension, sq_workspace *work, float *out);

/* u [n][dp]: user vectors of n states x (one at a time without training), and the way back, as in readout.h. */
void sq_network_read(const sq_network *network, size_t n, const float *x, sq_workspace *work, float *u);
void sq_network_read_bwd(const sq_network *network, size_t n, const float *x, sq_workspace *work, const float *du, float *dx,
                         float *grads);

/* Floats of the kept probabilities of a sequence in one block; 0 when it is too long to keep. */
size_t sq_kept_floats(const sq_layout *layout, int32_t length);
/* Fills `to` (a parameter block) with the transposed matrices. */
void sq_network_transpose(const sq_kernels *kernels, const sq_layout *layout, const sq_options *options,
                          const float *weights, float *to);
#endif
