/* seqrec tool: whether a model reads times. */
#include "model_clock.h"
#include "train_options.h"
#include <stdio.h>
#include <string.h>

const char *dated_by(const seqrec_model *model, char out[DATED_BY_BYTES])
{
    char time[32] = "none", calendar[8] = "false";
    seqrec_config *config = NULL;
    seqrec_error error = {0};
    out[0] = 0;
    if (seqrec_model_config(model, &config, &error) != SEQREC_OK) return out;
    option_text(config, "time", time, sizeof time);
    option_text(config, "calendar", calendar, sizeof calendar);
    seqrec_config_release(config);
    if (strcmp(time, "none") != 0)
        snprintf(out, DATED_BY_BYTES, "time = %s", time);
    else if (!strcmp(calendar, "true"))
        snprintf(out, DATED_BY_BYTES, "calendar");
    return out;
}

int reads_request_time(const seqrec_model *model)
{
    char time[32] = "none", calendar[8] = "false", asked[8] = "true", mask[32] = "causal";
    seqrec_config *config = NULL;
    seqrec_error error = {0};
    if (seqrec_model_config(model, &config, &error) != SEQREC_OK) return 1;
    option_text(config, "time", time, sizeof time);
    option_text(config, "calendar", calendar, sizeof calendar);
    option_text(config, "time_request", asked, sizeof asked);
    option_text(config, "mask", mask, sizeof mask);
    seqrec_config_release(config);
    const int dated = strcmp(time, "none") != 0 || !strcmp(calendar, "true");
    if (!strcmp(mask, "bidirectional")) return dated;
    return !strcmp(asked, "true") && (!strcmp(time, "bias") || !strcmp(calendar, "true"));
}
