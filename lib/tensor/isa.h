/* tensor: what each instruction set's build of product.c and kernels.c gives to dispatch.c. */
#ifndef SQ_ISA_H
#define SQ_ISA_H
#include "tensor/kernels.h"

#define SQ_DECLARE_ISA(isa)                                                                                            \
    extern const sq_kernels sq_kernels_##isa;                                                                          \
    void sq_product_##isa(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B,          \
                          size_t ldb, float *C, size_t ldc, int accumulate);                                             \
    void sq_product_from_##isa(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B,     \
                               size_t ldb, const float *start, float *C, size_t ldc);

SQ_DECLARE_ISA(base)
SQ_DECLARE_ISA(v3)
SQ_DECLARE_ISA(v4)
#endif
