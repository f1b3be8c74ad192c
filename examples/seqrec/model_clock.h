/* seqrec tool: whether a model reads times, and events have them. */
#ifndef SEQREC_TOOL_MODEL_CLOCK_H
#define SEQREC_TOOL_MODEL_CLOCK_H
#include "data_source.h"
#include <seqrec.h>

enum { DATED_BY_BYTES = 48 };

/* The option by which a model reads the times of events, as "time = bias"; "" where it reads none. Returns out. */
const char *dated_by(const seqrec_model *model, char out[DATED_BY_BYTES]);
/* The same of a model to be. */
const char *config_dated_by(const seqrec_config *config, char out[DATED_BY_BYTES]);
/* Whether it also reads when it is asked: what time = intervals and time_request = false know is of events alone, but for a model that sees both ways,
 * for which that is the time of what comes next. */
int reads_request_time(const seqrec_model *model);
/* Fails, in terms of the files, where the model (NULL: none) reads times and the events have none. */
int check_timed(const seqrec_model *model, const seqrec_dataset *dataset, const data_source *source);
#endif
