/* seqrec tool: outputs are compared with inputs and with each other, and tried. */
#include "output_check.h"
#include "output_file.h"
#include "terminal.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the last part of a path lies in; returns that part, or NULL when it cannot be told. */
static const char *look_at_folder(const char *path, struct stat *folder)
{
    char name[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 1;
    if (length >= sizeof name) return NULL;
    memcpy(name, slash ? path : ".", length);
    name[length] = 0;
    return stat(name, folder) ? NULL : slash ? slash + 1 : path;
}

static int is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* By any names and links. Terminals and /dev/null lose nothing by being named twice. */
static int same_file(const char *a, const char *b)
{
    struct stat first, second;
    int first_there = !stat(a, &first), second_there = !stat(b, &second);
    if (first_there || second_there)
        return first_there && second_there && !S_ISCHR(first.st_mode) && is_same(&first, &second);
    const char *first_name = look_at_folder(a, &first), *second_name = look_at_folder(b, &second);
    return first_name && second_name && is_same(&first, &second) && !strcmp(first_name, second_name);
}

static int keep_apart(const char *command, const named_output *output, const char *option, const char *path)
{
    if (!output->path || !path || !same_file(output->path, path)) return PARSED;
    return usage_error(command, "--%s %s: is the same file as --%s %s; it must be another", output->option,
                       output->path, option, path);
}

static int spare_inputs(const char *command, const named_output *output, const named_file *inputs, const text_list *data)
{
    int outcome = PARSED;
    for (; inputs->option && outcome == PARSED; inputs++)
        if (!output->renews || strcmp(output->renews, inputs->option))
            outcome = keep_apart(command, output, inputs->option, inputs->path);
    for (int64_t i = 0; data && i < data->count && outcome == PARSED; i++)
        outcome = keep_apart(command, output, "data", data->at[i]);
    return outcome;
}

/* A file that is begun and thrown away: whatever is wrong with folder, name or permissions shows now. */
static int try_whole(const char *path)
{
    output_file file = {0};
    int outcome = output_open(&file, path);
    output_close(&file);
    return outcome ? outcome : PARSED;
}

/* What is there is not opened, which would wait at a pipe without a reader. */
static int try_lines(const char *path)
{
    struct stat status;
    if (stat(path, &status) || S_ISDIR(status.st_mode)) return try_whole(path);
    return access(path, W_OK) ? fail("%s: cannot be written: %s", path, strerror(errno)) : PARSED;
}

static int try_output(const char *command, const named_output *output)
{
    const char *path = output->path;
    if (!path || output->kind == OUTPUT_UNTRIED) return PARSED;
    if (!*path) return usage_error(command, "--%s: must not be empty", output->option);
    return output->kind == OUTPUT_LINES ? try_lines(path) : try_whole(path);
}

int check_outputs(const char *command, const named_output *outputs, const named_file *inputs, const text_list *data)
{
    int outcome = PARSED;
    for (const named_output *o = outputs; o->option && outcome == PARSED; o++) {
        outcome = spare_inputs(command, o, inputs, data);
        for (const named_output *other = outputs; other < o && outcome == PARSED; other++)
            outcome = keep_apart(command, o, other->option, other->path);
    }
    for (; outputs->option && outcome == PARSED; outputs++) outcome = try_output(command, outputs);
    return outcome;
}
