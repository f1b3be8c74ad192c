/* seqrec tool: the options of a training run, from preset, configuration file and --set, in that order. */
#ifndef SEQREC_TOOL_TRAIN_OPTIONS_H
#define SEQREC_TOOL_TRAIN_OPTIONS_H
#include "arguments.h"
#include <seqrec.h>

/* "name = value", of the file or of --set. */
typedef struct option_setting {
    char *name; /* owned; the value is in the same block */
    const char *value;
    int64_t line; /* of the file */
} option_setting;

/* Zero it before parsing, and free it at the end. */
typedef struct train_options {
    const char *preset, *file;
    text_list sets;
    const char *epochs, *seed, *valid_every,
        *metric; /* as text: they are options of the library with a flag of their own */
    option_setting *lines; /* of the file, which is read once: it may be a pipe, and change between the trials of a search */
    int64_t line_count;
    int has_read;
} train_options;

/* Rows of an argument table: the options of a model and its training, */
#define OPTION_ARGUMENTS(o)                                                                                            \
    {                                                                                                                  \
        "preset",                                                                                                      \
        ARGUMENT_TEXT,                                                                                                 \
        &(o).preset,                                                                                                   \
        "NAME",                                                                                                        \
        "start from this preset (default: sasrec; see 'seqrec options')",                                              \
        0,                                                                                                             \
        0},                                                                                                            \
        {"config", ARGUMENT_TEXT, &(o).file, "FILE", "options, one 'name = value' a line, # begins a comment", 0, 0},  \
        {"set", ARGUMENT_LIST, &(o).sets, "NAME=VALUE", "set an option of the library; may be repeated", 0, 0},        \
    {                                                                                                                  \
        "seed", ARGUMENT_TEXT, &(o).seed, "N", "seed of everything random", 0, 0                                       \
    }

/* and how long it goes and how it validates. */
#define FIT_ARGUMENTS(o)                                                                                               \
    {"epochs", ARGUMENT_TEXT, &(o).epochs, "N", "train N epochs (default: to the preset's early stop)", 0, 0},         \
        {"valid-every", ARGUMENT_TEXT, &(o).valid_every, "N", "validate every N epochs", 0, 0},                        \
    {                                                                                                                  \
        "metric", ARGUMENT_TEXT, &(o).metric, "NAME", "validate by ndcg@K, hr@K, mrr, loss, ...: option metric_kind", 0, 0      \
    }

/* Tells one option of the run to whoever keeps it: a config or a trainer. Returns a status. */
typedef int32_t (*option_sink)(void *target, const char *name, const char *value, seqrec_error *error);

/* A config of preset, file and flags. Returns 0 or the exit code, with the reason told. */
int build_config(const char *command, train_options *options, seqrec_config **out);
/* Whether --set names the option. */
int is_set(const train_options *options, const char *name);
/* The file's and flags' options only, each given to `sink`; for a resumed trainer. */
int apply_options(const char *command, train_options *options, option_sink sink, void *target);
/* Refuses what such a trainer has from its checkpoint, preset and seed. Returns 0 or the exit code. */
int check_resumed_options(const char *command, train_options *options);
void free_train_options(train_options *options);
/* Name of the validation metric: "ndcg@10", "mrr", ... */
void name_metric(const seqrec_config *config, char *out, size_t bytes);
/* 1 when the lowest value of it is the best. */
int metric_falls(const seqrec_config *config);
/* The row of the option in *out; 0: there is none of that name. */
int find_option(const char *name, seqrec_option_info *out);
/* Value of an option as text, "" when it is not there. */
void option_text(const seqrec_config *config, const char *name, char *out, size_t bytes);
int64_t option_count(const seqrec_config *config, const char *name);
#endif
