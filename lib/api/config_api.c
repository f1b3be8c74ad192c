/* api: options: setting, reading and describing them. */
#include "api/structs.h"
#include "api/textout.h"
#include "model/options.h"

/* Room for any value of an option, terminator included: a number or one of the table's choices. */
#define VALUE_BYTES 64

int32_t seqrec_config_create(const seqrec_allocator *allocator, seqrec_config **out, seqrec_error *error)
{
    sq_memory memory;
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_host_memory(allocator, &memory, error));
    return sq_config_create(&memory, out, error);
}

void seqrec_config_release(seqrec_config *config)
{
    sq_config_release(config);
}

int32_t seqrec_config_preset(seqrec_config *config, const char *preset, seqrec_error *error)
{
    SQ_CHECK(config != NULL, error, SEQREC_E_ARGUMENT, "config is NULL");
    SQ_CHECK(preset != NULL, error, SEQREC_E_ARGUMENT, "preset is NULL");
    return sq_config_preset(config, preset, error);
}

int32_t seqrec_config_set(seqrec_config *config, const char *name, const char *value, seqrec_error *error)
{
    SQ_CHECK(config != NULL, error, SEQREC_E_ARGUMENT, "config is NULL");
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    SQ_CHECK(value != NULL, error, SEQREC_E_ARGUMENT, "the value of option \"%.60s\" is NULL", name);
    return sq_options_set(&config->options, name, value, error);
}

int32_t seqrec_config_get(const seqrec_config *config, const char *name, char *out, size_t out_bytes, size_t *needed,
                          seqrec_error *error)
{
    char value[VALUE_BYTES];
    const sq_option *option = NULL;
    SQ_CHECK(config != NULL, error, SEQREC_E_ARGUMENT, "config is NULL");
    SQ_CHECK(name != NULL, error, SEQREC_E_ARGUMENT, "name is NULL");
    SQ_TRY(sq_option_known(name, &option, error));
    return sq_text_out(value, sq_option_text(&config->options, option, value, sizeof value), option->name, out,
                       out_bytes, needed, error);
}

static const char *scope_name(int32_t scope)
{
    return scope == SQ_SCOPE_MODEL ? "model" : "training";
}

static const char *kind_name(int32_t kind)
{
    static const char *const names[] = {[SQ_KIND_INTEGER] = "integer",
                                        [SQ_KIND_REAL] = "real",
                                        [SQ_KIND_BOOLEAN] = "boolean",
                                        [SQ_KIND_CHOICE] = "choice"};
    return names[kind];
}

int32_t seqrec_option_describe(int32_t index, seqrec_option_info *out)
{
    if (out == NULL) return SEQREC_E_ARGUMENT;
    SQ_TRY(sq_struct_check(out, SQ_OPTION_INFO_FIRST, "out", NULL));
    if (index < 0 || index >= sq_option_count) return SEQREC_E_NOT_FOUND;
    const sq_option *option = &sq_option_table[index];
    const seqrec_option_info info = {
        .struct_size = sizeof info,
        .name = option->name,
        .scope = scope_name(option->scope),
        .kind = kind_name(option->kind),
        .initial = option->initial,
        .choices = option->choices,
        .lowest = option->lowest,
        .highest = option->highest,
        .since = option->since,
        .help = option->help,
        .needs = sq_option_needs(option->name),
    };
    sq_struct_write(out, &info, sizeof info);
    return SEQREC_OK;
}

const char *seqrec_preset_name(int32_t index)
{
    return sq_preset_name(index);
}
