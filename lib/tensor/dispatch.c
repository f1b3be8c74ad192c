/* tensor: which build of the kernels this processor gets. */
#include "tensor/isa.h"

static int has_v3(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return 0;
#endif
}

static int has_v4(void)
{
#if defined(__x86_64__)
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

static int has_vnni(void)
{
#if defined(__x86_64__)
    return has_v4() && __builtin_cpu_supports("avx512vnni");
#else
    return 0;
#endif
}

const sq_kernels *sq_kernels_variant(int32_t index)
{
    if (index == 0) return &sq_kernels_base;
#if defined(__x86_64__)
    if (index == 1 && has_v3()) return &sq_kernels_v3;
    if (index == 2 && has_v4()) return &sq_kernels_v4;
#endif
    return 0;
}

const sq_kernels *sq_kernels_best(void)
{
    int32_t index = has_v4() ? 2 : has_v3() ? 1 : 0;
    return sq_kernels_variant(index);
}

const sq_scan_kernels *sq_scan_kernels_variant(int32_t index)
{
    if (index == 0) return &sq_scan_base;
#if defined(__x86_64__)
    if (index == 1 && has_v3()) return &sq_scan_v3;
    if (index == 2 && has_v4()) return &sq_scan_v4;
    if (index == 3 && has_vnni()) return &sq_scan_vnni;
#endif
    return 0;
}

const sq_scan_kernels *sq_scan_kernels_best(void)
{
    int32_t index = has_vnni() ? 3 : has_v4() ? 2 : has_v3() ? 1 : 0;
    return sq_scan_kernels_variant(index);
}
