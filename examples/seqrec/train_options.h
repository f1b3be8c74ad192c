/* seqrec tool: the options of a training run, from preset, configuration file and --set, in that order. */
#ifndef SEQREC_TOOL_TRAIN_OPTIONS_H
#define SEQREC_TOOL_TRAIN_OPTIONS_H
#include "arguments.h"
#include <seqrec.h>

/* Zero it before parsing. */
typedef struct train_options {
    const char *preset, *file;
    text_list sets;
    const char *epochs, *seed, *valid_every; /* as text: they are options of the library with a flag of their own */
    char file_preset[64];                    /* preset named in the file */
} train_options;

/* Tells one option of the run to whoever keeps it: a config or a trainer. Returns a status. */
typedef int32_t (*option_sink)(void *target, const char *name, const char *value, seqrec_error *error);

/* A config of preset, file and flags. Returns 0 or the exit code, with the reason told. */
int build_config(const char *command, train_options *options, seqrec_config **out);
/* The file's and flags' options only, each given to `sink`; for a resumed trainer. */
int apply_options(const char *command, train_options *options, option_sink sink, void *target);
/* Value of an option as text, "" when it is not there. */
void option_text(const seqrec_config *config, const char *name, char *out, size_t bytes);
int64_t option_count(const seqrec_config *config, const char *name);
#endif
