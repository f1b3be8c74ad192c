/* seqrec tool: before any work, whether the files a command will write can be written and are files of their own. */
#ifndef SEQREC_TOOL_OUTPUT_CHECK_H
#define SEQREC_TOOL_OUTPUT_CHECK_H
#include "arguments.h"

enum {
    OUTPUT_WHOLE,  /* by output_file.h or the library, which replace regular files only */
    OUTPUT_LINES,  /* line by line in its place, which may be a pipe or a device */
    OUTPUT_UNTRIED /* the command itself tells early that it cannot be written */
};

/* Files by the options that name them. */
typedef struct named_file {
    const char *option; /* without the dashes; NULL ends a list */
    const char *path;   /* NULL: not given */
} named_file;

typedef struct named_output {
    const char *option, *path; /* as above */
    int kind;
    const char *renews; /* option of the input that it may be, because that one is read whole before; or NULL */
} named_output;

/* Refuses outputs that cannot be written, and outputs that are an input or another output; `data` are the files of --data, or
 * NULL. Writes nothing that stays. Returns PARSED or the exit code, with the reason told. */
int check_outputs(const char *command, const named_output *outputs, const named_file *inputs, const text_list *data);
#endif
