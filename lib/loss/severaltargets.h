/* loss: a softmax with several targets, from their scores and the normaliser of all other candidates. */
#ifndef SQ_SEVERALTARGETS_H
#define SQ_SEVERALTARGETS_H
#include <stddef.h>
#include <stdint.h>

/* With N = others * exp(top) over the candidates that are no target (top their largest score, finite; others 0 when there are none):
 * joined, log(sum_p a_p exp x_p + N) - log sum_p a_p exp x_p; else the sum over p of a_p (log(exp x_p + N) - x_p): LogIn-CE and LogOut-CE
 * of RePlay, where all a_p are 1. counts [m]: a_p, or NULL: 1.
 * targets [m]: the scores x_p, -Inf for none (not all), become weight * dL / dx_p. *share: what exp(x - top) of another candidate is
 * multiplied by for weight * dL / dx. Returns the loss without the weight. */
double sq_several_targets(int32_t joined, float weight, size_t m, const float *counts, float *targets, float top, float others,
                          float *share);
#endif
