/* seqrec tool: the options that say which data file to read and how, shared by the commands. */
#ifndef SEQREC_TOOL_DATA_SOURCE_H
#define SEQREC_TOOL_DATA_SOURCE_H
#include "arguments.h"
#include "terminal.h"

/* Zero it before parsing. */
typedef struct data_source {
    const char *path, *format, *user, *item, *value, *time, *separator, *kcore;
    const char *minimum;
    int header;
    double noise;
    int64_t noise_seed;
} data_source;

/* Rows of an argument table; `user_column` is the name of the option for the user column. */
#define DATA_ARGUMENTS(s, user_column)                                                                                 \
    {"data", ARGUMENT_TEXT, &(s).path, "FILE", "events to read", 0, 0},                                                \
        {"format",                                                                                                     \
         ARGUMENT_TEXT,                                                                                                \
         &(s).format,                                                                                                  \
         "NAME",                                                                                                       \
         "auto, pairs, movielens, csv, tsv, inter, sequences or udata (default: auto)",                                \
         0,                                                                                                            \
         0},                                                                                                           \
        {user_column, ARGUMENT_TEXT, &(s).user, "COLUMN", "user column, by name or number from 1", 0, 0},              \
        {"item", ARGUMENT_TEXT, &(s).item, "COLUMN", "item column", 0, 0},                                             \
        {"value", ARGUMENT_TEXT, &(s).value, "COLUMN", "value (rating) column, \"\" for none", 0, 0},                  \
        {"time", ARGUMENT_TEXT, &(s).time, "COLUMN", "timestamp column, \"\" for none", 0, 0},                         \
        {"separator", ARGUMENT_TEXT, &(s).separator, "TEXT", "what stands between columns; \\t is a tab", 0, 0},       \
        {"min-value", ARGUMENT_TEXT, &(s).minimum, "V", "keep only events of at least this value", 0, 0},              \
        {"header", ARGUMENT_FLAG, &(s).header, NULL, "the first line is a header (default: detect)", 0, 0},            \
        {"no-header", ARGUMENT_NO, &(s).header, NULL, "the first line is not a header", 0, 0},                         \
    {                                                                                                                  \
        "kcore", ARGUMENT_TEXT, &(s).kcore, "U,I",                                                                     \
            "drop users with fewer than U and items with fewer than I events, repeatedly", 0, 0                        \
    }

/* Rows for the commands that may add noise. */
#define NOISE_ARGUMENTS(s)                                                                                             \
    {"noise", ARGUMENT_REAL, &(s).noise, "SHARE", "replace this share of the training events at random", 0, 1},        \
    {                                                                                                                  \
        "noise-seed", ARGUMENT_COUNT, &(s).noise_seed, "N", "seed of the noise (default: 0)", 0, 9e15                  \
    }

/* Checks the texts that are numbers. Returns PARSED or the exit code. */
int check_data_source(const char *command, const data_source *source);
/* Reads the file, and cuts it to its k-core if asked. Returns 0 or the exit code, with the reason told. */
int read_data(const char *command, seqrec_context *context, const data_source *source, progress *bar,
              seqrec_dataset **out);
/* Replaces the dataset by one with the noise that was asked for in its training part under `split`. */
int add_noise(const data_source *source, const char *split, seqrec_dataset **dataset);
/* A context with `threads` threads (0: one for each processor). Returns 0 or the exit code. */
int open_context(int64_t threads, seqrec_context **out);
#endif
