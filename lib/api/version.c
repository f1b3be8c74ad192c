/* api: which library this is. */
#include "seqrec.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define VERSION_TEXT TEXT(SEQREC_VERSION_MAJOR) "." TEXT(SEQREC_VERSION_MINOR) "." TEXT(SEQREC_VERSION_PATCH)

#if defined(__clang__)
#define COMPILER_TEXT "clang-" __clang_version__
#elif defined(__GNUC__)
#define COMPILER_TEXT "gcc-" __VERSION__
#else
#define COMPILER_TEXT "unknown"
#endif

/* "0.9.0 openmp": the BLIS found when the build was set up. */
#ifndef SQ_BLIS_TEXT
#define SQ_BLIS_TEXT "unknown"
#endif

#if defined(__x86_64__)
#define ISA_TEXT "x86-64,x86-64-v3,x86-64-v4"
#else
#define ISA_TEXT "portable"
#endif

int32_t seqrec_version(void)
{
    return SEQREC_VERSION_NUMBER;
}

const char *seqrec_build_info(void)
{
    return VERSION_TEXT " (compiler " COMPILER_TEXT ", BLIS " SQ_BLIS_TEXT ", instruction sets " ISA_TEXT ")";
}

const char *seqrec_status_name(int32_t status)
{
    static const char *const names[] = {
        "SEQREC_OK",          "SEQREC_E_ARGUMENT", "SEQREC_E_RANGE",      "SEQREC_E_UNSUPPORTED", "SEQREC_E_MEMORY",
        "SEQREC_E_NOT_FOUND", "SEQREC_E_EXISTS",   "SEQREC_E_STATE",      "SEQREC_E_FORMAT",      "SEQREC_E_IO",
        "SEQREC_E_CANCELLED", "SEQREC_E_NUMERIC",  "SEQREC_E_DEPENDENCY",
    };
    const int32_t count = (int32_t)(sizeof names / sizeof names[0]);
    if (status > 0 || status <= -count) return "SEQREC_E_UNKNOWN";
    return names[-status];
}
