/* tensor: what each instruction set's build of product.c, adam.c, kernels.c and scan.c gives to dispatch.c. */
#ifndef SQ_ISA_H
#define SQ_ISA_H
#include "tensor/kernels.h"
#include "tensor/scankernels.h"

#define SQ_DECLARE_ISA(isa)                                                                                            \
    extern const sq_kernels sq_kernels_##isa;                                                                          \
    extern const sq_scan_kernels sq_scan_##isa;                                                                        \
    void sq_product_##isa(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B,          \
                          size_t ldb, float *C, size_t ldc, int accumulate);                                             \
    void sq_product_from_##isa(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B,     \
                               size_t ldb, const float *start, float *C, size_t ldc);                                  \
    void sq_adam_step_##isa(size_t n, const sq_adam *rule, const float *g, float *w, float *m, float *v);              \
    void sq_adam_idle_##isa(size_t n, size_t count, const sq_adam *rules, float *w, float *m, float *v);               \
    void sq_fade_##isa(size_t n, int64_t count, float factor, float *x);

SQ_DECLARE_ISA(base)
SQ_DECLARE_ISA(v3)
SQ_DECLARE_ISA(v4)
extern const sq_scan_kernels sq_scan_vnni; /* v4 with byte products: scans alone */
#endif
