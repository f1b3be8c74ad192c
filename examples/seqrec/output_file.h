/* seqrec tool: a file that is written beside its place and takes it when it is whole; until then the old one stays. */
#ifndef SEQREC_TOOL_OUTPUT_FILE_H
#define SEQREC_TOOL_OUTPUT_FILE_H
#include <limits.h>
#include <stdio.h>

enum { TEMPORARY_ROOM = 64 }; /* bytes of ".seqrec-PID-N.tmp" */

/* Zero it. What is put into `to` is the file once it was committed. */
typedef struct output_file {
    FILE *to;
    const char *name;                          /* as it was given */
    char path[PATH_MAX];                       /* with links followed */
    char temporary[PATH_MAX + TEMPORARY_ROOM]; /* "": there is none */
} output_file;

/* Begins a file, where there is none or a regular one, whose permissions it takes. This and the two behind it return 0 or the
 * exit code, with the reason told; output_close comes after them in any case. */
int output_open(output_file *file, const char *path);
/* Ends the writing: all of it is on the disk, and only the name is missing. */
int output_seal(output_file *file);
/* Seals what is not sealed yet and puts it in its place. */
int output_commit(output_file *file);
/* Two files that belong together, sealed: both in their places, or the first as it was before. */
int output_commit_both(output_file *first, output_file *second);
/* Removes what was not committed. */
void output_close(output_file *file);
#endif
