/* seqrec tool: which options are read under the others, and what of them the program cannot bring. */
#ifndef SEQREC_TOOL_OPTION_NEEDS_H
#define SEQREC_TOOL_OPTION_NEEDS_H
#include "train_options.h"

/* Whether the option is read under the others, by what seqrec_option_info.needs says. */
int option_is_read(const seqrec_config *config, const char *name);
/* Refuses a sampler whose weights or negatives only a host brings. Returns 0 or EXIT_USAGE. */
int refuse_host_sampler(const char *command, const seqrec_config *config);
/* Remarks on each option of the file and of --set that is read in none of the configurations, or for want of a validation. */
void remark_unread(const train_options *options, seqrec_config *const *configs, int64_t count, int validates);
/* The same of one option, which is there. */
void remark_unread_option(const char *name, seqrec_config *const *configs, int64_t count);
#endif
