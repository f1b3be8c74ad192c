/* tensor: matrix products; the only file that knows BLIS. */
#include "tensor/gemm.h"
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wfloat-conversion" /* from here on: headers of 1.0 and later */
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <blis.h>
#pragma GCC diagnostic pop

/* rntm_t is zeroed, filled by BLIS itself and pinned to one thread: the host's settings and environment do not matter. The
 * small-matrix path is off: whether it is used depends on M, and its last bits differ. */
static void pin(rntm_t *rntm)
{
    memset(rntm, 0, sizeof *rntm);
    bli_rntm_init_from_global(rntm);
    bli_rntm_set_num_threads(1, rntm);
    bli_rntm_disable_l3_sup(rntm);
}

void sq_gemm_blis(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                  float *C, size_t ldc, int accumulate)
{
    rntm_t rntm;
    float one = 1.0f, beta = accumulate ? 1.0f : 0.0f;
    if (M == 0 || N == 0) return;
    pin(&rntm);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t)M, (dim_t)N, (dim_t)K, &one, (float *)A, (inc_t)rs,
                 (inc_t)cs, (float *)B, (inc_t)ldb, 1, &beta, C, (inc_t)ldc, 1, NULL, &rntm);
}

void sq_gemm(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
             const float *B, size_t ldb, float *C, size_t ldc, int accumulate)
{
    if (kernels->fused)
        kernels->product(M, N, K, A, rs, cs, B, ldb, C, ldc, accumulate);
    else
        sq_gemm_blis(M, N, K, A, rs, cs, B, ldb, C, ldc, accumulate);
}

void sq_gemm_from(const sq_kernels *kernels, size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs,
                  const float *B, size_t ldb, const float *start, float *C, size_t ldc)
{
    if (kernels->fused) {
        kernels->product_from(M, N, K, A, rs, cs, B, ldb, start, C, ldc);
        return;
    }
    kernels->fill_rows(M, N, start, C, ldc);
    sq_gemm_blis(M, N, K, A, rs, cs, B, ldb, C, ldc, 1);
}

const char *sq_blis_version(void) { return bli_info_get_version_str(); }

const char *sq_blis_kernels(void)
{
    bli_init();
    return bli_arch_string(bli_arch_query_id());
}

int32_t sq_gemm_check(seqrec_error *error)
{
    const char *version = sq_blis_version();
    int loaded_old = version[0] == '0';
#ifdef SQ_BLIS_AFTER_1
    int compiled_old = 0;
#else
    int compiled_old = 1;
#endif
    SQ_CHECK(loaded_old == compiled_old, error, SEQREC_E_DEPENDENCY,
             "loaded BLIS %s, compiled against a version %s 1.0: their call structures differ", version,
             compiled_old ? "before" : "from");
    float a[64 + 144] = {0}, c[64 + 144] = {0};
    sq_gemm_blis(4, 16, 4, a, 4, 1, a, 16, c, 16, 0);
    return SEQREC_OK;
}
