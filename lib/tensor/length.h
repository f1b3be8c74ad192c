/* tensor: the length of a vector that is divided by it. */
#ifndef SQ_LENGTH_H
#define SQ_LENGTH_H
#include "tensor/kernels.h"

/* Vectors whose squared length is below this have no direction: a length of 0 (1e-12, as torch.nn.functional.normalize has it). */
#define SQ_NO_SQUARE 1e-24f

/* Of x [width], zero behind its true width; 0 without a direction, NaN or infinite where x or the length itself is. */
float sq_length(const sq_kernels *kernels, size_t width, const float *x);
/* 1 over it: what a vector is multiplied by for a cosine; 0 without a direction, and where x is NaN. */
float sq_inverse_length(const sq_kernels *kernels, size_t width, const float *x);
#endif
