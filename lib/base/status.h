/* base: filling the caller's error, and the two macros that pass failures on. */
#ifndef SQ_STATUS_H
#define SQ_STATUS_H
#include "seqrec.h"

/* Writes status and the formatted message to error (may be NULL) and returns status. */
int32_t sq_fail(seqrec_error *error, int32_t status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define SQ_TRY(call)                                                                                                   \
    do {                                                                                                               \
        int32_t sq_status_ = (call);                                                                                   \
        if (sq_status_ != SEQREC_OK) return sq_status_;                                                                \
    } while (0)

#define SQ_CHECK(condition, error, status, ...)                                                                        \
    do {                                                                                                               \
        if (!(condition)) return sq_fail((error), (status), __VA_ARGS__);                                              \
    } while (0)
#endif
