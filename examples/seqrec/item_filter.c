/* seqrec tool: the options that say which items may follow a history. */
#include "item_filter.h"
#include <stdlib.h>

int read_item_filter(const char *command, const seqrec_model *model, item_filter *filter)
{
    int outcome = 0;
    if (filter->allow_text) outcome = read_ids(model, command, "allow", filter->allow_text, &filter->allow);
    if (!outcome && filter->deny_text) outcome = read_ids(model, command, "deny", filter->deny_text, &filter->deny);
    return outcome;
}

seqrec_filter library_filter(const item_filter *filter, int64_t *skipped)
{
    return (seqrec_filter){.struct_size = sizeof(seqrec_filter),
                           .exclude_seen = !filter->keep_seen,
                           .allow = filter->allow.count ? filter->allow.ids : NULL,
                           .allow_count = filter->allow.count,
                           .deny = filter->deny.count ? filter->deny.ids : NULL,
                           .deny_count = filter->deny.count,
                           .skipped = skipped};
}

void free_item_filter(item_filter *filter)
{
    free(filter->allow.ids);
    free(filter->deny.ids);
}
