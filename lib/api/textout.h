/* api: handing a text to the host's own room. */
#ifndef SQ_TEXTOUT_H
#define SQ_TEXTOUT_H
#include <string.h>
#include "base/status.h"

/* Copies text[length] and a terminator to out[out_bytes]; *needed (may be NULL) gets length + 1 whether it fits or not.
 * out may be NULL when out_bytes is 0, to ask for the size. `what` names the text in messages. */
static inline int32_t sq_text_out(const char *text, size_t length, const char *what, char *out, size_t out_bytes,
                                  size_t *needed, seqrec_error *error)
{
    SQ_CHECK(out != NULL || out_bytes == 0, error, SEQREC_E_ARGUMENT, "out is NULL for %zu bytes", out_bytes);
    if (needed != NULL) *needed = length + 1;
    SQ_CHECK(length < out_bytes, error, SEQREC_E_RANGE, "%.60s needs %zu bytes; out has %zu", what, length + 1,
             out_bytes);
    memcpy(out, text, length);
    out[length] = '\0';
    return SEQREC_OK;
}
#endif
