/* attention: gates that the two events decide, on one sequence, forward and backward. */
#ifndef SQ_CONTENTGATES_H
#define SQ_CONTENTGATES_H
#include "attention/gates.h"
#include "base/arena.h"

/* Hard concrete gates with the logits phi_tj = bias + <query side of t, key side of j> / sqrt(rank), j <= t. The sides are
 * projections of the vectors that keys are made of; the bias is common to all. */
typedef struct sq_content_gates {
    size_t length, rank, padded;
    const float *sides; /* [length][2 * padded]: query side, key side, zero behind `rank` */
    float bias;
    int32_t drawn; /* 1: with noise, that of (key, row + t, j); 0: as outside training */
    uint64_t key, row;
} sq_content_gates;

/* Working memory of one thread for sequences of up to `longest` tokens; ld = round16(longest). */
typedef struct sq_content_scratch {
    float *keys;       /* [padded][ld] key sides transposed */
    float *z, *phi;    /* [longest][ld] */
    float *slope, *dz; /* [longest][ld], in training */
    float *u, *work;   /* [ld] */
    uint64_t *open;    /* [longest] */
} sq_content_scratch;
void sq_content_scratch_take(sq_arena *arena, size_t longest, size_t padded, int32_t training, sq_content_scratch *out);

/* The gates of tokens from .. length - 1, in the scratch until the next call. */
sq_gates sq_content_gates_fwd(const sq_kernels *kernels, const sq_content_gates *gates, size_t from,
                              sq_content_scratch *scratch);
/* Of those gates: how many are not 0. */
int64_t sq_content_gates_open(const sq_content_gates *gates, size_t from, const sq_content_scratch *scratch);
/* The gates of all tokens once more, with a gradient that starts at zero; drawn ones only. */
sq_gates sq_content_gates_again(const sq_kernels *kernels, const sq_content_gates *gates, sq_content_scratch *scratch);
/* After the heads have added to that gradient: dsides [length][2 * padded] is overwritten, *dbias +=. l0: weight of the
 * probability that a gate is open, summed over the gates. */
void sq_content_gates_bwd(const sq_kernels *kernels, const sq_content_gates *gates, float l0,
                          sq_content_scratch *scratch, float *dsides, float *dbias);
#endif
