/* tensor: the one door to a matrix product; chooses between BLIS and the register-tiled kernel. */
#ifndef SQ_GEMM_H
#define SQ_GEMM_H
#include "base/status.h"
#include "tensor/kernels.h"

/* C [M][N] (= or += with accumulate) A [M][K] * B [K][N]. A(i,k) at i * rs + k * cs (one of them 1); B, C by rows; N, ldb and
 * ldc multiples of 16. Single-threaded; a row of C depends on its row of A and on B alone. */
void sq_gemm(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
             const float *B, size_t ldb, float *C, size_t ldc, int accumulate);

/* C = A * B + start, a row [N] that every row of C begins with. */
void sq_gemm_from(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
                  const float *B, size_t ldb, const float *start, float *C, size_t ldc);

/* The BLIS path by itself, for tests and benchmarks. */
void sq_gemm_blis(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                  float *C, size_t ldc, int accumulate);

/* E_DEPENDENCY when the loaded BLIS is on the other side of 1.0 from the one compiled against (rntm_t changed there under the
 * same SONAME); runs one small product so that BLIS takes its memory now. */
int32_t sq_gemm_check(seqrec_error *error);

/* "0.9.0 zen3": version of the loaded BLIS and the kernel set it chose; static text pieces. */
const char *sq_blis_version(void);
const char *sq_blis_kernels(void);
#endif
