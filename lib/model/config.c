/* model: a set of options as a handle. */
#include <string.h>
#include "model/options.h"

int32_t sq_config_create(const sq_memory *memory, seqrec_config **out, seqrec_error *error)
{
    seqrec_config *config = sq_alloc_zero(memory, 1, sizeof *config);
    SQ_CHECK(config != NULL, error, SEQREC_E_MEMORY, "no memory for a set of options");
    config->memory = *memory;
    const int32_t status = sq_config_preset(config, sq_preset_name(0), error);
    if (status != SEQREC_OK) {
        sq_config_release(config);
        return status;
    }
    *out = config;
    return SEQREC_OK;
}

void sq_config_release(seqrec_config *config)
{
    if (config == NULL) return;
    const sq_memory memory = config->memory;
    sq_free(&memory, config);
}

int32_t sq_config_preset(seqrec_config *config, const char *preset, seqrec_error *error)
{
    SQ_TRY(sq_options_preset(&config->options, preset, error));
    memset(config->preset, 0, sizeof config->preset);
    memcpy(config->preset, preset, strnlen(preset, sizeof config->preset - 1));
    return SEQREC_OK;
}
