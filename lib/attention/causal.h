/* attention: causal softmax attention over one packed sequence and one head, blocked by rows. */
#ifndef SQ_CAUSAL_H
#define SQ_CAUSAL_H
#include "base/arena.h"
#include "attention/gates.h"

#define SQ_ATTENTION_ROWS 24 /* rows of a block; keys behind a block's last row are never touched */

/* One head of one sequence of `length` tokens. q, k, v: rows `ld` apart, `width` true columns, zero up to `padded` (16s). */
typedef struct sq_head {
    size_t length, width, padded, ld;
    const float *q, *k, *v;
    sq_dropout dropout; /* on the probabilities */
    uint64_t mask_row;  /* row of the mask that token 0 uses */
    const sq_gates *gates; /* of the sequence, or NULL: all open */
} sq_head;

/* Working memory of one thread for sequences of up to `longest` tokens. */
typedef struct sq_head_scratch {
    float *kt, *vt;          /* [padded][round16(longest)] */
    float *s, *p, *d, *kept; /* [SQ_ATTENTION_ROWS][round16(longest)] */
    float delta[SQ_ATTENTION_ROWS];
} sq_head_scratch;
void sq_head_scratch_take(sq_arena *arena, size_t longest, size_t padded, sq_head_scratch *out);

/* Floats that fwd writes to `kept` for bwd: linear in the number of blocks, length^2 / 2 in all. */
size_t sq_head_kept(size_t length);

/* out[t] = sum_j a_tj v_j for tokens from..length-1, a = dropout(softmax_{j<=t}(q_t k_j / sqrt(width))) (SASRec, eq. 2-4).
 * With gates: a_tj = z_tj dropout(..). out: rows `ld_out` apart. kept: NULL, or [sq_head_kept(length)] with from = 0. */
void sq_head_fwd(const sq_kernels *kernels, const sq_head *head, size_t from, float *out, size_t ld_out, float *kept,
                 sq_head_scratch *scratch);
/* dq, dk, dv (rows `ld` apart as q, k, v) are overwritten; out and dout as of fwd; kept NULL: probabilities are redone. */
void sq_head_bwd(const sq_kernels *kernels, const sq_head *head, const float *out, const float *dout, size_t ld_out,
                 const float *kept, float *dq, float *dk, float *dv, sq_head_scratch *scratch);
#endif
