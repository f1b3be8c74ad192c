/* seqrec tool: the options that say which items may follow a history. */
#ifndef SEQREC_TOOL_ITEM_FILTER_H
#define SEQREC_TOOL_ITEM_FILTER_H
#include "arguments.h"
#include "id_list.h"

/* Zero it before parsing. */
typedef struct item_filter {
    const char *allow_text, *deny_text;
    int keep_seen;
    id_list allow, deny;
} item_filter;

/* Rows of an argument table. */
#define FILTER_ARGUMENTS(f)                                                                                            \
    {"keep-seen", ARGUMENT_FLAG, &(f).keep_seen, NULL, "items of the history may come again", 0, 0},                   \
        {"allow", ARGUMENT_TEXT, &(f).allow_text, "A,B,...", "only these items, or @FILE", 0, 0},                      \
    {                                                                                                                  \
        "deny", ARGUMENT_TEXT, &(f).deny_text, "A,B,...", "never these items, or @FILE", 0, 0                          \
    }

/* Reads the lists that were given. Returns 0 or the exit code, with the reason told. */
int read_item_filter(const char *command, const seqrec_model *model, item_filter *filter);
/* What the library is told; it borrows the lists, and counts unknown items in *skipped. */
seqrec_filter library_filter(const item_filter *filter, int64_t *skipped);
void free_item_filter(item_filter *filter);
#endif
