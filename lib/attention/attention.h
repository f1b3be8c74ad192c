/* attention: softmax or pointwise attention over one packed sequence and one head, causal or bidirectional, blocked by rows. */
#ifndef SQ_ATTENTION_H
#define SQ_ATTENTION_H
#include "base/arena.h"
#include "attention/gates.h"
#include "attention/relation.h"

#define SQ_ATTENTION_ROWS 24 /* rows of a block; causal: keys behind a block's last row, and those that none of its rows sees any
                              * more, are never touched */

/* One head of one sequence of `length` tokens. q, k, v: rows `ld` apart, `width` true columns, zero up to `padded` (16s). */
typedef struct sq_head {
    size_t length, width, padded, ld;
    int32_t bidirectional; /* 0: token t sees keys 0 .. t; 1: all keys of its sequence */
    size_t span; /* 0: all of these; causal, without gates: only the last `span` of them, itself included */
    const float *q, *k, *v;
    float pointwise;    /* 0: softmax; else a_tj = pointwise * silu(score), not divided by a root, without dropout (HSTU) */
    sq_dropout dropout; /* on the probabilities */
    uint64_t mask_row;  /* row of the mask that token 0 uses */
    const sq_gates *gates; /* of the sequence, or NULL: all open */
    const sq_relation *relation; /* by distance; NULL: none; one with values goes without gates */
    const sq_relation *timed;    /* by time, the same */
} sq_head;

/* Working memory of one thread for sequences of up to `longest` tokens. */
typedef struct sq_head_scratch {
    float *kt, *vt;          /* [padded][round16(longest)] */
    float *s, *p, *d, *kept; /* [SQ_ATTENTION_ROWS][round16(longest)] */
    float delta[SQ_ATTENTION_ROWS];
    float *r;        /* [SQ_ATTENTION_ROWS][round16(columns)], with a relation */
    uint16_t *index; /* [SQ_ATTENTION_ROWS][round16(longest)], with one by time */
} sq_head_scratch;
/* columns: of the longer relation, or 0; timed: whether there is one by time. */
void sq_head_scratch_take(sq_arena *arena, size_t longest, size_t padded, size_t columns, int32_t timed, sq_head_scratch *out);

/* Floats that fwd writes to `kept` for bwd: about length^2 / 2, bidirectional length^2, with a span length * span. */
size_t sq_head_kept(size_t length, int32_t bidirectional, size_t span);

/* out[t] = sum_j a_tj v_j for tokens from..length-1, a = dropout(softmax_j(q_t k_j / sqrt(width))) over the keys that t sees
 * (SASRec, eq. 2-4; BERT4Rec, eq. 1-3). With gates (causal only): a_tj = z_tj dropout(..). With a relation: relation.h has the
 * terms. out: rows `ld_out` apart.
 * kept: NULL, or [sq_head_kept(...)] with from = 0. */
void sq_head_fwd(const sq_kernels *kernels, const sq_head *head, size_t from, float *out, size_t ld_out, float *kept,
                 sq_head_scratch *scratch);
/* One query beside a cache: q of the head is its row, keys[seen] and values[seen] are the rows of the tokens that it sees, oldest
 * first and its own last (length, ld, k and v do not count; no gates, no dropout). out [padded]. Its bits depend on these rows
 * and their order alone, wherever they lie. scratch: of sq_head_row_take. */
void sq_head_row(const sq_kernels *kernels, const sq_head *head, const float *const *keys, const float *const *values,
                 size_t seen, float *out, sq_head_scratch *scratch);
void sq_head_row_take(sq_arena *arena, size_t most_seen, size_t columns, sq_head_scratch *out);
/* Of queries `from` on: dk, dv (rows `ld` apart as q, k, v) and these rows of dq are overwritten, the relation's gradients added to;
 * out, dout and kept as of fwd; kept NULL: probabilities are redone. */
void sq_head_bwd(const sq_kernels *kernels, const sq_head *head, size_t from, const float *out, const float *dout, size_t ld_out,
                 const float *kept, float *dq, float *dk, float *dv, sq_head_scratch *scratch);

/* A channel of its own (FuXi, Ye et al. 2025): out[t] = sum_j bias_tj v_j over the keys that t sees, the biases those of the head's
 * relation and timed, which have no keys and values here. q, k, pointwise and dropout do not count. */
void sq_channel_fwd(const sq_kernels *kernels, const sq_head *head, size_t from, float *out, size_t ld_out, sq_head_scratch *scratch);
/* dv and the biases' gradients are added to. */
void sq_channel_bwd(const sq_kernels *kernels, const sq_head *head, const float *dout, size_t ld_out, float *dv,
                    sq_head_scratch *scratch);
#endif
