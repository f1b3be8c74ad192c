/* model: what the passes through one block share: where its tensors are, its linear layers, and its attention. */
#ifndef SQ_BLOCKPASS_H
#define SQ_BLOCKPASS_H
#include "model/network.h"

typedef const float *weight;

/* Everything the pieces of one block's pass need. */
typedef struct sq_block_pass {
    const sq_network *net;
    const sq_kernels *k;
    const sq_layout *l;
    const sq_block_at *offset;
    const sq_micro_batch *batch;
    sq_workspace *work;
    sq_extension *extension; /* tokens that join a cached sequence; NULL: whole sequences */
    sq_saved *s;
    int32_t block, wiring, newest; /* newest: attention has one query for each sequence, its last row's */
    size_t n, d, dp, hp, m, mp, f, fp;
    float *x, *next; /* input and output of the block */
} sq_block_pass;

static inline weight sq_param(const sq_block_pass *a, size_t offset) { return a->net->weights + offset; }

/* The mask of a place in this block: places get keys of their own. */
static inline sq_dropout sq_block_mask(sq_dropout base, int32_t block, uint32_t place)
{
    base.key += ((uint64_t)(uint32_t)block * 4 + place) * 0x9e3779b97f4a7c15u;
    return base;
}

/* y = x W + b for `rows` rows; W [d inputs][cols]; b NULL: none. */
static inline void sq_linear(const sq_block_pass *a, size_t rows, const float *x, size_t ldx, size_t inputs, weight w, size_t ldw,
                             weight b, float *y, size_t cols, size_t ldy)
{
    if (!b)
        sq_gemm(a->k, rows, cols, inputs, x, ldx, 1, w, ldw, y, ldy, 0);
    else
        sq_gemm_from(a->k, rows, cols, inputs, x, ldx, 1, w, ldw, b, y, ldy);
}

/* The weights' share of a linear layer's gradient: dW += x^T dy, db += column sums of dy. */
static inline void sq_linear_bwd(const sq_block_pass *a, const float *x, size_t ldx, size_t inputs, const float *dy, size_t ldy,
                                 size_t cols, float *dw, size_t ldw, float *db)
{
    sq_gemm(a->k, inputs, cols, a->n, x, 1, ldx, dy, ldy, dw, ldw, 1);
    if (db) a->k->column_sums(a->n, cols, dy, ldy, db);
}

/* blockattend.c: s->heads, rows `from` on, from s->qkv; and dqkv from dheads. With newest: their newest rows. */
void sq_block_attend(const sq_block_pass *pass, size_t from);
void sq_block_attend_bwd(const sq_block_pass *pass, float *grads);
/* Of a head, or NULL; grads: for the backward pass, or NULL. */
const sq_relation *sq_block_relation(const sq_block_pass *pass, const sq_relations *relations, int32_t head, float *grads,
                                     sq_relation *to);
/* cachedattend.c: s->heads, rows `from` on, of a pass with an extension, whose queries and keys have been turned. */
void sq_cached_attend(const sq_block_pass *pass, const sq_relations *relations, size_t from);
/* Between [channels][heads][dhp] and [m], rows mp apart: rows row .. row + rows - 1. */
void sq_join_heads(const sq_block_pass *pass, size_t row, size_t rows, const float *from, float *to);
void sq_part_heads(const sq_block_pass *pass, const float *from, float *to);

/* dx (+)= dqkv[first .. first + slices) W^T: head slices of the true width when heads are padded. */
void sq_qkv_input_bwd(const sq_block_pass *pass, size_t first, size_t slices, float *dx, int accumulate);

/* blockffn.c: y = dropout(layers of x), rows row .. row + rows - 1; dx (+)= from dy, the gradient of y. */
void sq_block_ffn(const sq_block_pass *pass, const float *x, size_t row, size_t rows, float *y);
void sq_block_ffn_bwd(const sq_block_pass *pass, const float *x, const float *dy, float *dx, int accumulate, float *grads);

/* block.c: rows `from` .. n - 1 of the block's output; keys and values of all rows (from > 0: one sequence, inference). dx = gradient
 * of its output on entry, of its input on exit. */
void sq_block_fwd(const sq_block_pass *pass, size_t from);
void sq_block_bwd(const sq_block_pass *pass, float *dx, float *grads);
/* The same of the last block of a pass whose batch wants the newest rows: next and the dx of entry are theirs, one behind the other. */
void sq_block_newest_fwd(const sq_block_pass *pass);
void sq_block_newest_bwd(const sq_block_pass *pass, float *dx, float *grads);

/* hstublock.c: the same of HSTU's layer. */
void sq_hstu_fwd(const sq_block_pass *pass, size_t from);
void sq_hstu_bwd(const sq_block_pass *pass, float *dx, float *grads);
#endif
