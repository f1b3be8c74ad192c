/* attention: gates on the probabilities of a sequence, their values, and what a closed one saves. */
#ifndef SQ_GATES_H
#define SQ_GATES_H
#include "tensor/gemm.h"

#define SQ_GATE_PANEL 16
#define SQ_GATED_LENGTH 1024 /* longest gated sequence: a word has one bit for each panel of a row */

/* Gates of one sequence (Rec-Denoiser, Chen et al. 2022): token t takes z[t * ld + j] times its probability of key j. What is
 * left is not normalised again. Rows are read, and rows of dz written, up to round16(length) columns. */
typedef struct sq_gates {
    const float *z;
    float *dz; /* gradient, += , as z; NULL: not wanted */
    size_t ld;
    const uint64_t
        *open;    /* [length] as sq_gate_panels gives it, from panel 0 of the window on; NULL: nothing is skipped */
    size_t first; /* column of the window at which key 0 stands */
} sq_gates;

/* Bit p: one of the gates 16 p .. 16 p + 15 of z[n] is not 0. */
uint64_t sq_gate_panels(size_t n, const float *z);

/* Rows i .. i + rows - 1: s *= z over `width` columns; s [rows][width]. */
void sq_gates_fwd(const sq_kernels *kernels, const sq_gates *gates, size_t i, size_t rows, size_t width, float *s);
/* d = gradient of the gated probabilities on entry, of the probabilities on exit; kept as attend_fwd leaves it. */
void sq_gates_bwd(const sq_kernels *kernels, const sq_gates *gates, size_t i, size_t rows, size_t width,
                  float keep_scale, const float *kept, float *d);
/* 1: no gate of these rows is open. */
int sq_gates_closed(const sq_gates *gates, size_t i, size_t rows);
/* out [rows][padded] = s [rows][width] times rows 0 .. end - 1 of v, over open panels only. */
void sq_gates_values(const sq_kernels *kernels, const sq_gates *gates, size_t i, size_t rows, size_t end,
                     const float *s, size_t width, const float *v, size_t ld_v, size_t padded, float *out,
                     size_t ld_out);

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* g(phi) = 1 / (1 + exp(-phi)): the probability that a binary gate is open. */
double sq_gate_logistic(double phi);
/* What a binary gate is outside training: its probability, or 0 when that is not above 1/2. */
float sq_gate_settled(float phi);

/* Hard concrete gates (Louizos, Welling, Kingma 2018): a logistic variable of temperature 2/3, stretched to (-0.1, 1.1) and cut
 * to [0, 1]. u in (0, 1). slope: dz / dphi, or NULL. work [n]. */
void sq_gates_concrete(const sq_kernels *kernels, size_t n, const float *phi, const float *u, float *z, float *slope,
                       float *work);
/* The same without noise, as it is outside training. */
void sq_gates_concrete_settled(const sq_kernels *kernels, size_t n, const float *phi, float *z, float *work);
/* The logit of the probability that such a gate is not 0 is phi + this. */
#define SQ_CONCRETE_SHIFT 1.5985968487f /* -2/3 log(0.1 / 1.1) */

/* Uniform in (0, 1) on a grid of 2^-24, for the counter generator's 64 bits. */
static inline float sq_gate_uniform(uint64_t bits)
{
    return ((float)(bits >> 41) + 0.5f) * 0x1p-23f;
}
#endif
