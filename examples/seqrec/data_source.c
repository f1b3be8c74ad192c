/* seqrec tool: reads the data files that the options name. */
#include "data_source.h"
#include "shell_words.h"
#include "utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_core(const char *text, int64_t core[2])
{
    char first[24];
    const char *comma = text ? strchr(text, ',') : NULL;
    if (!comma || (size_t)(comma - text) >= sizeof first) return 0;
    snprintf(first, sizeof first, "%.*s", (int)(comma - text), text);
    return read_count(first, &core[0]) && read_count(comma + 1, &core[1]) && core[0] >= 0 && core[1] >= 0;
}

int check_data_source(const char *command, data_source *source)
{
    if (source->ties && !read_count(source->ties, &source->ties_seed))
        return usage_error(command, "--shuffle-ties %s: the seed must be a whole number", source->ties);
    if (source->kcore && !read_core(source->kcore, source->core))
        return usage_error(command, "--kcore %s: must be two whole numbers, e.g. 5,5", source->kcore);
    if (source->minimum && !read_real(source->minimum, &source->minimum_value))
        return usage_error(command, "--min-value %s: must be a number", source->minimum);
    if (source->separator && !*source->separator) return usage_error(command, "--separator: must not be empty");
    return PARSED;
}

const char *data_option_given(const data_source *s, const char *user_column)
{
    const struct {
        const char *name;
        int given;
    } options[] = {{"users-apart", s->users_apart},
                   {"format", s->format != NULL},
                   {user_column, s->user != NULL},
                   {"item", s->item != NULL},
                   {"value", s->value != NULL},
                   {"time", s->time != NULL},
                   {"separator", s->separator != NULL},
                   {"min-value", s->minimum != NULL},
                   {"header", s->header > 0},
                   {"no-header", s->header < 0},
                   {"kcore", s->kcore != NULL},
                   {"shuffle-ties", s->ties != NULL}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given) return options[i].name;
    return NULL;
}

static int cut_to_core(const data_source *source, seqrec_dataset **dataset)
{
    char data[256];
    seqrec_error error = {0};
    seqrec_dataset *smaller = NULL;
    if (seqrec_dataset_kcore(*dataset, source->core[0], source->core[1], &smaller, &error) != SEQREC_OK)
        return fail_library("filtering", &error);
    seqrec_dataset_release(*dataset);
    *dataset = smaller;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    if (seqrec_dataset_describe(smaller, &stats, &error) != SEQREC_OK) return fail_library("filtering", &error);
    return stats.events ? 0 : fail("%s: --kcore %s leaves no events", data_title(source, data, sizeof data), source->kcore);
}

const char *data_separator(const data_source *source)
{
    return source->separator && !strcmp(source->separator, "\\t") ? "\t" : source->separator;
}

static int read_file(const char *command, seqrec_context *context, const data_source *source, const char *path,
                     progress *bar, seqrec_dataset **out)
{
    seqrec_error error = {0};
    seqrec_reader reader = {.struct_size = sizeof reader};
    reader.format = source->format;
    reader.user = source->user;
    reader.item = source->item;
    reader.value = source->value;
    reader.timestamp = source->time;
    reader.separator = data_separator(source);
    reader.header = source->header;
    reader.has_minimum = source->minimum != NULL;
    reader.minimum_value = source->minimum_value;
    reader.progress = progress_tick;
    reader.progress_context = bar;
    int32_t status = seqrec_dataset_read(context, path, &reader, out, &error);
    if (status != SEQREC_OK) return fail_file_value(command, path, "reading", &error);
    progress_clear();
    return 0;
}

/* The parts become one dataset; the first of one part is the whole. */
static int join_parts(const char *command, const data_source *source, seqrec_dataset **parts, seqrec_dataset **out)
{
    seqrec_error error = {0};
    if (source->files.count == 1 && !source->users_apart) {
        *out = seqrec_dataset_retain(parts[0]);
        return 0;
    }
    if (seqrec_dataset_join((const seqrec_dataset *const *)parts, source->files.count, source->users_apart, out,
                            &error) == SEQREC_OK)
        return 0;
    if (error.status == SEQREC_E_ARGUMENT)
        return usage_error(command, "--data: %s (parts[0] is the first file)", error.message);
    return fail_library("joining", &error);
}

static int read_parts(const char *command, seqrec_context *context, const data_source *source, progress *bar,
                      seqrec_dataset **out)
{
    int outcome = 0;
    seqrec_dataset **parts = calloc((size_t)source->files.count, sizeof *parts);
    if (!parts) return fail("out of memory");
    let_signals_end_waits(1);
    for (int64_t i = 0; i < source->files.count && !outcome; i++)
        outcome = read_file(command, context, source, source->files.at[i], bar, &parts[i]);
    let_signals_end_waits(0);
    if (!outcome) outcome = join_parts(command, source, parts, out);
    for (int64_t i = 0; i < source->files.count; i++) seqrec_dataset_release(parts[i]);
    free(parts);
    return outcome;
}

static int shuffle_ties(const data_source *source, seqrec_dataset **dataset)
{
    seqrec_error error = {0};
    seqrec_dataset *shuffled = NULL;
    if (seqrec_dataset_shuffle_ties(*dataset, (uint64_t)source->ties_seed, &shuffled, &error) != SEQREC_OK)
        return fail_library("shuffling ties", &error);
    seqrec_dataset_release(*dataset);
    *dataset = shuffled;
    return 0;
}

int read_data(const char *command, seqrec_context *context, const data_source *source, progress *bar,
              seqrec_dataset **out)
{
    int outcome = read_parts(command, context, source, bar, out);
    if (outcome) return outcome;
    if (source->kcore) outcome = cut_to_core(source, out);
    if (!outcome && source->ties) outcome = shuffle_ties(source, out);
    if (outcome) {
        seqrec_dataset_release(*out);
        *out = NULL;
    }
    return outcome;
}

int add_noise(const char *command, const data_source *source, const char *split, seqrec_dataset **dataset)
{
    seqrec_error error = {0};
    seqrec_dataset *noisy = NULL;
    if (!(source->noise > 0)) {
        if (source->noise_seed > 0) remark("--noise-seed: not used: there is no --noise");
        return 0;
    }
    if (seqrec_dataset_corrupt(*dataset, source->noise, split, (uint64_t)source->noise_seed, &noisy, &error) !=
        SEQREC_OK)
        return fail_value(command, "adding noise", &error);
    seqrec_dataset_release(*dataset);
    *dataset = noisy;
    return 0;
}

enum { SELECTION_BYTES = 64 };

/* How a source selects, by the keys of the notes; "" where it does not. */
static void describe_selection(const data_source *source, char out[2][SELECTION_BYTES])
{
    out[0][0] = out[1][0] = 0;
    if (source->kcore)
        snprintf(out[0], SELECTION_BYTES, "%lld,%lld", (long long)source->core[0], (long long)source->core[1]);
    if (source->minimum) snprintf(out[1], SELECTION_BYTES, "%.15g", source->minimum_value);
}

static const char *const selection_keys[2] = {"kcore", "min_value"};

int note_selection(seqrec_model *model, const data_source *source)
{
    char values[2][SELECTION_BYTES];
    seqrec_error error = {0};
    describe_selection(source, values);
    for (int i = 0; i < 2; i++)
        if (seqrec_model_set_note(model, selection_keys[i], values[i][0] ? values[i] : NULL, &error) != SEQREC_OK)
            return fail_library("noting", &error);
    return 0;
}

void compare_selection(const seqrec_model *model, const data_source *source, char *out, size_t bytes)
{
    static const char *const options[2] = {"--kcore", "--min-value"};
    char values[2][SELECTION_BYTES];
    size_t used = 0;
    describe_selection(source, values);
    out[0] = 0;
    for (int i = 0; i < 2 && used < bytes; i++) {
        char noted[SELECTION_BYTES] = "";
        seqrec_model_note(model, selection_keys[i], noted, sizeof noted, NULL, NULL);
        if (!strcmp(noted, values[i])) continue;
        int wrote = snprintf(out + used, bytes - used, "%s%s %s in training, %s here",
                             used ? "; " : "the events are selected otherwise: ", options[i],
                             *noted ? noted : "not given", *values[i] ? values[i] : "not given");
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

const char *data_title(const data_source *source, char *out, size_t bytes)
{
    if (source->files.count > 1)
        snprintf(out, bytes, "%s and %lld more", source->files.at[0], (long long)source->files.count - 1);
    else
        snprintf(out, bytes, "%s", source->files.count ? source->files.at[0] : "generated events");
    utf8_mend_end(out);
    return out;
}

void emit_data(json_writer *json, const data_source *source)
{
    if (source->files.count == 1) {
        emit_text(json, "data", source->files.at[0]);
        return;
    }
    emit_array(json, "data");
    for (int64_t i = 0; i < source->files.count; i++) emit_text(json, NULL, source->files.at[i]);
    emit_end(json, ']');
}

static void write_reading(FILE *to, const data_source *source)
{
    if (source->users_apart) fputs(" --users-apart", to);
    write_option(to, "format", source->format);
    write_option(to, "user", source->user);
    write_option(to, "item", source->item);
    write_option(to, "value", source->value);
    write_option(to, "time", source->time);
    write_option(to, "separator", source->separator);
    write_option(to, "min-value", source->minimum);
    if (source->header) fputs(source->header > 0 ? " --header" : " --no-header", to);
    write_option(to, "kcore", source->kcore);
    write_option(to, "shuffle-ties", source->ties);
    if (source->noise > 0) fprintf(to, " --noise %.9g --noise-seed %lld", source->noise, (long long)source->noise_seed);
}

void write_data_options(FILE *to, const data_source *source)
{
    for (int64_t i = 0; i < source->files.count; i++) write_option(to, "data", source->files.at[i]);
    write_reading(to, source);
}

char *reading_text(const data_source *source)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    if (!to) return NULL;
    write_reading(to, source);
    fclose(to);
    if (text && *text == ' ') memmove(text, text + 1, strlen(text));
    return text;
}

static void tell_warning(void *context, int32_t level, const char *line)
{
    (void)context;
    if (level >= 2) remark("warning: %s", line);
}

int open_context(int64_t threads, seqrec_context **out)
{
    seqrec_error error = {0};
    int32_t count = (int32_t)(threads ? threads : online_processors());
    if (seqrec_context_create(NULL, NULL, count, tell_warning, NULL, out, &error) != SEQREC_OK)
        return fail_library("starting", &error);
    return 0;
}
