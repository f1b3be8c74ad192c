/* seqrec tool: whether a model reads times, and events have them. */
#include "model_clock.h"
#include "terminal.h"
#include "train_options.h"
#include <stdio.h>
#include <string.h>

typedef struct model_clock {
    char time[32], calendar[8], asked[8], mask[32];
} model_clock;

/* Values of the options that have to do with time; those of a model without, where config is NULL. */
static model_clock clock_in(const seqrec_config *config)
{
    model_clock c = {"none", "false", "true", "causal"};
    if (!config) return c;
    option_text(config, "time", c.time, sizeof c.time);
    option_text(config, "calendar", c.calendar, sizeof c.calendar);
    option_text(config, "time_request", c.asked, sizeof c.asked);
    option_text(config, "mask", c.mask, sizeof c.mask);
    return c;
}

/* Where memory runs out it is that of a model without. */
static model_clock clock_of(const seqrec_model *model)
{
    seqrec_config *config = NULL;
    seqrec_error error = {0};
    if (seqrec_model_config(model, &config, &error) != SEQREC_OK) config = NULL;
    const model_clock c = clock_in(config);
    seqrec_config_release(config);
    return c;
}

static const char *name_clock(const model_clock *c, char out[DATED_BY_BYTES])
{
    out[0] = 0;
    if (strcmp(c->time, "none") != 0)
        snprintf(out, DATED_BY_BYTES, "time = %s", c->time);
    else if (!strcmp(c->calendar, "true"))
        snprintf(out, DATED_BY_BYTES, "calendar");
    return out;
}

const char *dated_by(const seqrec_model *model, char out[DATED_BY_BYTES])
{
    const model_clock c = clock_of(model);
    return name_clock(&c, out);
}

const char *config_dated_by(const seqrec_config *config, char out[DATED_BY_BYTES])
{
    const model_clock c = clock_in(config);
    return name_clock(&c, out);
}

int reads_request_time(const seqrec_model *model)
{
    char option[DATED_BY_BYTES];
    const model_clock c = clock_of(model);
    if (!strcmp(c.mask, "bidirectional")) return *dated_by(model, option) != 0;
    return !strcmp(c.asked, "true") && (!strcmp(c.time, "bias") || !strcmp(c.calendar, "true"));
}

int check_timed(const seqrec_model *model, const seqrec_dataset *dataset, const data_source *source)
{
    char option[DATED_BY_BYTES], data[256];
    seqrec_error error = {0};
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    if (!model || !*dated_by(model, option)) return 0;
    if (seqrec_dataset_describe(dataset, &stats, &error) != SEQREC_OK) return fail_library("describing", &error);
    if (stats.has_timestamps) return 0;
    return fail("%s: the events have no times, and a model with %s reads them", data_title(source, data, sizeof data), option);
}
