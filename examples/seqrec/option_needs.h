/* seqrec tool: options that were set and that other options leave unread. */
#ifndef SEQREC_TOOL_OPTION_NEEDS_H
#define SEQREC_TOOL_OPTION_NEEDS_H
#include "train_options.h"

/* Whether what an option needs, as seqrec_option_info.needs says it, holds in `config`; of NULL it does. */
int needs_are_met(const seqrec_config *config, const char *needs);
/* Remarks on each option of the file and of --set that is not read under the others. */
void remark_unread(const train_options *options, const seqrec_config *config);
#endif
