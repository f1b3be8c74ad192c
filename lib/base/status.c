/* base: filling the caller's error. */
#include "base/status.h"
#include <stdarg.h>
#include "base/text.h"

int32_t sq_fail(seqrec_error *error, int32_t status, const char *format, ...)
{
    if (error == NULL) return status;
    va_list arguments;
    va_start(arguments, format);
    sq_format_text(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->status = status;
    error->reserved = 0;
    return status;
}
