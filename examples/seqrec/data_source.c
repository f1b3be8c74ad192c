/* seqrec tool: reads the data file that the options name. */
#include "data_source.h"
#include <stdio.h>
#include <string.h>

static int read_core(const char *text, int64_t core[2])
{
    char first[24];
    const char *comma = text ? strchr(text, ',') : NULL;
    if (!comma || (size_t)(comma - text) >= sizeof first) return 0;
    snprintf(first, sizeof first, "%.*s", (int)(comma - text), text);
    return read_count(first, &core[0]) && read_count(comma + 1, &core[1]) && core[0] >= 0 && core[1] >= 0;
}

int check_data_source(const char *command, const data_source *source)
{
    int64_t core[2];
    double minimum = 0;
    if (source->kcore && !read_core(source->kcore, core))
        return usage_error(command, "--kcore %s: must be two whole numbers, e.g. 5,5", source->kcore);
    if (source->minimum && !read_real(source->minimum, &minimum))
        return usage_error(command, "--min-value %s: must be a number", source->minimum);
    if (source->separator && !*source->separator) return usage_error(command, "--separator: must not be empty");
    return PARSED;
}

static int cut_to_core(const data_source *source, seqrec_dataset **dataset)
{
    int64_t core[2] = {0, 0};
    seqrec_error error = {0};
    seqrec_dataset *smaller = NULL;
    read_core(source->kcore, core);
    if (seqrec_dataset_kcore(*dataset, core[0], core[1], &smaller, &error) != SEQREC_OK)
        return fail_library("filtering", &error);
    seqrec_dataset_release(*dataset);
    *dataset = smaller;
    return 0;
}

int read_data(const char *command, seqrec_context *context, const data_source *source, progress *bar,
              seqrec_dataset **out)
{
    seqrec_error error = {0};
    seqrec_reader reader = {.struct_size = sizeof reader};
    reader.format = source->format;
    reader.user = source->user;
    reader.item = source->item;
    reader.value = source->value;
    reader.timestamp = source->time;
    reader.separator = source->separator && !strcmp(source->separator, "\\t") ? "\t" : source->separator;
    reader.header = source->header;
    reader.has_minimum = source->minimum && read_real(source->minimum, &reader.minimum_value);
    reader.progress = progress_tick;
    reader.progress_context = bar;
    int32_t status = seqrec_dataset_read(context, source->path, &reader, out, &error);
    if (status == SEQREC_E_FORMAT) return fail_file(source->path, "reading", &error);
    if (status != SEQREC_OK) return fail_value(command, "reading", &error);
    progress_clear();
    if (!source->kcore) return 0;
    int outcome = cut_to_core(source, out);
    if (outcome) {
        seqrec_dataset_release(*out);
        *out = NULL;
    }
    return outcome;
}

int add_noise(const data_source *source, const char *split, seqrec_dataset **dataset)
{
    seqrec_error error = {0};
    seqrec_dataset *noisy = NULL;
    if (!(source->noise > 0)) return 0;
    if (seqrec_dataset_corrupt(*dataset, source->noise, split, (uint64_t)source->noise_seed, &noisy, &error) !=
        SEQREC_OK)
        return fail_library("adding noise", &error);
    seqrec_dataset_release(*dataset);
    *dataset = noisy;
    return 0;
}

int open_context(int64_t threads, seqrec_context **out)
{
    seqrec_error error = {0};
    int32_t count = (int32_t)(threads ? threads : online_processors());
    if (seqrec_context_create(NULL, NULL, count, NULL, NULL, out, &error) != SEQREC_OK)
        return fail_library("starting", &error);
    return 0;
}
