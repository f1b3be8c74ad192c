/* seqrec tool: the options that say what is evaluated, shared by the commands that do, and how figures are written. */
#ifndef SEQREC_TOOL_EVALUATION_H
#define SEQREC_TOOL_EVALUATION_H
#include "data_source.h"
#include "id_list.h"

enum { EVALUATION_CUTOFFS = 32 };

/* Zero it before parsing; bootstrap is the command's to set. */
typedef struct evaluation_arguments {
    const char *protocol, *split, *division, *cutoff_text, *users_path;
    int64_t cutoffs[EVALUATION_CUTOFFS], cutoff_count, seed, bootstrap, last, cold;
    int beyond, breakdown, allow_trained, hide_request_time, instant_sets;
    id_list users; /* owned */
} evaluation_arguments;

/* Rows of an argument table. */
#define EVALUATION_ARGUMENTS(e, resamples)                                                                               \
    {"protocol", ARGUMENT_TEXT, &(e).protocol, "NAME", "E1, E2, E3, E4 (default), E5 or E9", 0, 0},                      \
        {"split", ARGUMENT_TEXT, &(e).split, "PART", "test (default) or valid", 0, 0},                                   \
        {"division", ARGUMENT_TEXT, &(e).division, "HOW", "leave-one-out, none, time:A:B or last:N:M (default: the model's)", 0,   \
         0},                                                                                                             \
        {"cutoffs", ARGUMENT_TEXT, &(e).cutoff_text, "K,...", "list lengths (default: 1,5,10,20)", 0, 0},                \
        {"users", ARGUMENT_TEXT, &(e).users_path, "FILE", "rank for these users only, by id or name, one a line", 0, 0}, \
        {"beyond", ARGUMENT_FLAG, &(e).beyond, NULL, "calibration, novelty, diversity, personalization too", 0, 0},      \
        {"hide-request-time", ARGUMENT_FLAG, &(e).hide_request_time, NULL,                                               \
         "models with time: ask at the newest event's time, not at the target's", 0, 0},                                 \
        {"instant-sets", ARGUMENT_FLAG, &(e).instant_sets, NULL,                                                         \
         "held-out events at the target's instant are a set; the best ranked counts", 0, 0},                             \
        {"last", ARGUMENT_COUNT, &(e).last, "N", "--beyond: most last items in common (default: 3)", 1, 100},            \
        {"breakdown", ARGUMENT_FLAG, &(e).breakdown, NULL,                                                               \
         "by popularity of the target, length of the history, cold targets", 0, 0},                                      \
        {"cold", ARGUMENT_COUNT, &(e).cold, "M",                                                                         \
         "--breakdown: targets with at most M training events are cold (default: 0)", 0, 9e15},                          \
        {"bootstrap",                                                                                                    \
         ARGUMENT_COUNT,                                                                                                 \
         &(e).bootstrap,                                                                                                 \
         "N",                                                                                                            \
         "resamples for the intervals, 0 for none (default: " resamples ")",                                             \
         0,                                                                                                              \
         1e6},                                                                                                           \
        {"seed", ARGUMENT_COUNT, &(e).seed, "N", "seed of sampled negatives and resamples (default: 0)", 0, 9e15},       \
    {                                                                                                                    \
        "allow-trained", ARGUMENT_FLAG, &(e).allow_trained, NULL, "score events the model was trained on", 0, 0          \
    }

/* Checks the texts that are numbers. Returns PARSED or the exit code. */
int check_evaluation(const char *command, evaluation_arguments *e);
/* Reads --users against the data of `source`. Returns 0 or the exit code, with the reason told. */
int read_users(evaluation_arguments *e, const seqrec_dataset *dataset, const data_source *source);
/* Tells of options that nothing reads: of figures that are not asked for, of a time that none of the models (NULL: no model) reads. */
void remark_unused(const evaluation_arguments *e, seqrec_model *const *models, int count);
/* The noise of a training under the division that is asked for, or the first that a model (NULL: none) notes. Returns 0 or the exit
 * code. */
int add_training_noise(const char *command, const evaluation_arguments *e, const data_source *source, seqrec_model *const *models,
                       int count, seqrec_dataset **dataset);
/* What the library is asked; borrows from `e` and `bar`. */
seqrec_evaluation evaluation_of(const evaluation_arguments *e, progress *bar);
void free_evaluation(evaluation_arguments *e);

/* What belongs beside the figures: of the report, then how the models' data was selected otherwise, which only matters where the
 * data is another. */
typedef struct evaluation_warnings {
    const seqrec_report *report; /* borrowed */
    char selection[256];
} evaluation_warnings;

/* Finds them, and tells each on stderr. A model that is NULL is none. */
void tell_warnings(evaluation_warnings *out, const seqrec_report *report, seqrec_model *const *models, int count,
                   const data_source *source);
/* The member "warnings". */
void emit_warnings(json_writer *json, const evaluation_warnings *warnings);

/* NaN where there is none. */
double report_figure(const seqrec_report *report, const char *row, const char *metric, double *low, double *high);
/* What comes before the figures: protocol, description, split, seed, data and how it was read. */
void emit_evaluation(json_writer *json, const evaluation_arguments *e, const seqrec_report *report,
                     const data_source *source);
/* The same for people. */
void print_evaluation(const evaluation_arguments *e, const seqrec_report *report, const data_source *source);
/* Members of `row` into the open object, intervals in a member "ci". */
void emit_row(json_writer *json, const seqrec_report *report, const char *row);
/* "value [low, high]", "value" (a count without decimals), or "-", padded to `width`; interval 0 leaves the interval out. */
void print_figure(const seqrec_report *report, const char *row, const char *metric, int interval, int width);
#endif
