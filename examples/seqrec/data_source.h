/* seqrec tool: the options that say which data files to read and how, shared by the commands. */
#ifndef SEQREC_TOOL_DATA_SOURCE_H
#define SEQREC_TOOL_DATA_SOURCE_H
#include "arguments.h"
#include "json_writer.h"
#include "terminal.h"

/* Zero it before parsing, and free files.at at the end. */
typedef struct data_source {
    text_list files; /* in the order in which they are joined */
    const char *format, *user, *item, *value, *time, *separator;
    const char *kcore, *minimum, *ties; /* as they were given, NULL: they were not; what they say is below */
    int64_t core[2], ties_seed;         /* by check_data_source */
    double minimum_value;               /* the same */
    int header, users_apart;
    double noise;
    int64_t noise_seed;
} data_source;

/* Rows of an argument table; `user_column` is the name of the option for the user column. */
#define DATA_ARGUMENTS(s, user_column)                                                                                 \
    {"data", ARGUMENT_LIST, &(s).files, "FILE", "events to read; given again, the files are joined", 0, 0},            \
        {"users-apart", ARGUMENT_FLAG, &(s).users_apart, NULL, "a user of one file is none of another", 0, 0},         \
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
    },                                                                                                                 \
    {                                                                                                                  \
        "shuffle-ties", ARGUMENT_TEXT, &(s).ties, "SEED", "draw the order of a user's events at the same instant anew", 0, 0 \
    }

/* Rows for the commands that may add noise. */
#define NOISE_ARGUMENTS(s)                                                                                             \
    {"noise", ARGUMENT_REAL, &(s).noise, "SHARE", "replace this share of the training events at random", 0, 1},        \
    {                                                                                                                  \
        "noise-seed", ARGUMENT_COUNT, &(s).noise_seed, "N", "seed of the noise (default: 0)", 0, 9e15                  \
    }

/* Reads the texts that are numbers, which everything below takes as read. Returns PARSED or the exit code. */
int check_data_source(const char *command, data_source *source);
/* The name of an option beside --data that was given, NULL: none was. user_column: the name of that option. */
const char *data_option_given(const data_source *source, const char *user_column);
/* What --separator stands for; NULL: it was not given. */
const char *data_separator(const data_source *source);
/* Reads the files, joins them, and cuts the whole to its k-core if asked. Returns 0 or the exit code, with the reason told. */
int read_data(const char *command, seqrec_context *context, const data_source *source, progress *bar,
              seqrec_dataset **out);
/* Replaces the dataset by one with the noise that was asked for in its training part under `split`. */
int add_noise(const char *command, const data_source *source, const char *split, seqrec_dataset **dataset);
/* Notes in the model how the events were selected: "kcore" and "min_value", absent where all were taken. Returns 0 or the exit
 * code. */
int note_selection(seqrec_model *model, const data_source *source);
/* Writes into out how the selection that the model notes differs from that of `source`, "" if it does not. */
void compare_selection(const seqrec_model *model, const data_source *source, char *out, size_t bytes);
/* The files for people: "events.csv", "events.csv and 2 more", cut between characters to fit; returns out. */
const char *data_title(const data_source *source, char *out, size_t bytes);
/* The file as a text, or the files as an array. */
void emit_data(json_writer *json, const data_source *source);
/* The options that read the same data again, each with a blank before it, for a shell. */
void write_data_options(FILE *to, const data_source *source);
/* Options of reading that change what the events are, for a shell, "" where there are none; for the caller to free, NULL without memory. */
char *reading_text(const data_source *source);
/* A context with `threads` threads (0: one for each processor). Returns 0 or the exit code. */
int open_context(int64_t threads, seqrec_context **out);
#endif
