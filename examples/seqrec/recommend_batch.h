/* seqrec tool: `recommend --batch`, a list for each history of a file, as the file is read. */
#ifndef SEQREC_TOOL_RECOMMEND_BATCH_H
#define SEQREC_TOOL_RECOMMEND_BATCH_H
#include "item_filter.h"
#include "terminal.h"

typedef struct batch_settings {
    const char *path;      /* one history a line: the user, then the items, oldest first; "-": standard input */
    const char *separator; /* between them; NULL: blanks and tabs */
    int64_t k;
    int64_t block; /* lines that are scored at a time, the bound of the memory */
    int as_json;
    progress *bar;
} batch_settings;

/* Writes a line for each history, in their order. A line that cannot be read ends it behind the lines before; a signal, behind a whole
 * line. Returns 0 or the exit code, with the reason told. */
int recommend_lines(const seqrec_model *model, const item_filter *filter, const batch_settings *how);
#endif
