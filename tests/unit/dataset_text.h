/* unit: a dataset as one line of text, for comparing whole datasets at a glance. */
#ifndef DATASET_TEXT_H
#define DATASET_TEXT_H
#include <stdarg.h>
#include <stdio.h>
#include "data/dataset.h"
#include "data/names.h"

static inline void append_text(char *out, size_t room, size_t *used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(out + *used, room - *used, format, arguments);
    va_end(arguments);
    if (written > 0) *used += (size_t)written;
    if (*used >= room) *used = room - 1;
}

/* "USER: ITEM@TIME*VALUE ITEM ...; USER: ..." with names in brackets behind ids: "1(anna): 5@100*2.5 6; 2(bob): 5". */
static inline const char *dataset_text(const seqrec_dataset *dataset)
{
    static char out[1 << 16];
    size_t used = 0;
    out[0] = 0;
    for (int64_t u = 0; u < dataset->users; u++) {
        const char *name = sq_names_at(&dataset->user_names, u);
        append_text(out, sizeof out, &used, "%s%lld", u > 0 ? "; " : "", (long long)dataset->user_ids[u]);
        if (name != NULL) append_text(out, sizeof out, &used, "(%s)", name);
        append_text(out, sizeof out, &used, ":");
        for (int64_t e = dataset->offsets[u]; e < dataset->offsets[u + 1]; e++) {
            int32_t item = dataset->sequence[e];
            name = sq_names_at(&dataset->item_names, item);
            append_text(out, sizeof out, &used, " %lld", (long long)dataset->item_ids[item]);
            if (name != NULL) append_text(out, sizeof out, &used, "(%s)", name);
            if (dataset->timestamps != NULL)
                append_text(out, sizeof out, &used, "@%lld", (long long)dataset->timestamps[e]);
            if (dataset->values != NULL) append_text(out, sizeof out, &used, "*%g", (double)dataset->values[e]);
        }
    }
    return out;
}
#endif
