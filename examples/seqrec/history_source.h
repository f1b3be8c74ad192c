/* seqrec tool: the options that give one history, typed or of a user of a file, shared by the commands that go on from it. */
#ifndef SEQREC_TOOL_HISTORY_SOURCE_H
#define SEQREC_TOOL_HISTORY_SOURCE_H
#include "data_source.h"
#include "id_list.h"

/* Zero it before parsing. */
typedef struct history_source {
    data_source source;
    const char *history_text, *times_text, *request_text, *user;
    progress bar;
    id_list items, times; /* oldest first; no times: none were given */
    int64_t skipped;      /* items that the model does not have */
    int64_t request_time;
    int64_t who; /* the user's id in a model with users */
    int knows_user;
} history_source;

/* Rows of an argument table, beside DATA_ARGUMENTS((h).source, "user-column"). */
#define HISTORY_ARGUMENTS(h)                                                                                           \
    {"history", ARGUMENT_TEXT, &(h).history_text, "A,B,...", "items by id or name, or @FILE with one on each line", 0, 0}, \
        {"times", ARGUMENT_TEXT, &(h).times_text, "T,...", "models with time: seconds of each event of --history, or @FILE", 0, 0}, \
        {"request-time",                                                                                               \
         ARGUMENT_TEXT,                                                                                                \
         &(h).request_text,                                                                                            \
         "T",                                                                                                          \
         "models with time: when they are asked (default: at the newest event)",                                       \
         0,                                                                                                            \
         0},                                                                                                           \
    {                                                                                                                  \
        "user", ARGUMENT_TEXT, &(h).user, "U", "take the history of this user of --data, and the vector in a model with users", 0, 0 \
    }

/* Checks that there is one history. Returns PARSED or the exit code. */
int check_history_source(const char *command, history_source *history);
/* Reads it, with times where the model reads them. Returns 0 or the exit code, with the reason told. */
int read_history(const char *command, seqrec_context *context, const seqrec_model *model, history_source *history);
/* Refuses a history without any item of the model: every score would be 0, which looks like an answer. Returns 0 or the exit code. */
int check_history(const seqrec_model *model, const history_source *history);
/* Whether --request-time is given, and read by the model. */
int asks_at(const history_source *history, const seqrec_model *model);
/* Remarks on how many items were skipped, if any. */
void tell_skipped(const history_source *history);
void free_history(history_source *history);
#endif
