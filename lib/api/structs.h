/* api: structs of the host that may be shorter or longer than this build's. */
#ifndef SQ_STRUCTS_H
#define SQ_STRUCTS_H
#include <string.h>
#include "base/status.h"

/* Copies a struct the host filled in over `to` (bytes of this build, zeroed or holding defaults), whose own first field is the
 * size. first: bytes of the first release. Fields this build does not know must be zero (E_UNSUPPORTED). */
static inline int32_t sq_struct_read(void *to, size_t bytes, const void *from, size_t first, const char *name,
                                     seqrec_error *error)
{
    size_t given;
    memcpy(&given, from, sizeof given);
    SQ_CHECK(given >= first, error, SEQREC_E_ARGUMENT, "%s.struct_size is %zu; it is at least %zu", name, given, first);
    for (size_t i = bytes; i < given; i++) {
        SQ_CHECK(((const char *)from)[i] == 0, error, SEQREC_E_UNSUPPORTED,
                 "%s has a field at byte %zu that this build does not know", name, i);
    }
    memcpy(to, from, given < bytes ? given : bytes);
    memcpy(to, &bytes, sizeof bytes);
    return SEQREC_OK;
}

/* Checks the size of a struct the host wants filled. */
static inline int32_t sq_struct_check(const void *to, size_t first, const char *name, seqrec_error *error)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    SQ_CHECK(given >= first, error, SEQREC_E_ARGUMENT, "%s.struct_size is %zu; it is at least %zu", name, given, first);
    return SEQREC_OK;
}

/* Fills such a struct, whose size has been checked, from this build's; its struct_size stays. */
static inline void sq_struct_write(void *to, const void *from, size_t bytes)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    memcpy((char *)to + sizeof given, (const char *)from + sizeof given,
           (given < bytes ? given : bytes) - sizeof given);
}
#endif
