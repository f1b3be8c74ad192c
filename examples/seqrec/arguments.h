/* seqrec tool: command line options of one command, from a table that also prints its help. */
#ifndef SEQREC_TOOL_ARGUMENTS_H
#define SEQREC_TOOL_ARGUMENTS_H
#include <stdint.h>

/* Repeated or listed texts; `at` is owned, the texts are borrowed from argv. */
typedef struct text_list {
    const char **at;
    int64_t count;
} text_list;

/* What follows an option on the command line, and the type of its target. */
enum {
    ARGUMENT_FLAG,  /* nothing; int, set to 1 */
    ARGUMENT_OFF,   /* nothing; int, set to 0 */
    ARGUMENT_NO,    /* nothing; int, set to -1 */
    ARGUMENT_TEXT,  /* const char * */
    ARGUMENT_COUNT, /* int64_t within [lowest, highest] */
    ARGUMENT_REAL,  /* double within [lowest, highest] */
    ARGUMENT_LIST   /* text_list, one entry for each use of the option */
};

/* One row; a table ends with a row whose name is NULL. */
typedef struct argument {
    const char *name; /* without the dashes */
    int kind;
    void *target;
    const char *value; /* what stands for the value in the help */
    const char *help;
    double lowest, highest; /* both 0: no bounds */
} argument;

/* A command as its help shows it. */
typedef struct command_text {
    const char *name;
    const char *usage;   /* what follows "seqrec NAME" */
    const char *purpose; /* one or two sentences */
} command_text;

enum { PARSED = -1, REAL_BYTES = 32 };

/* Reads argv[0..argc) (behind the command's name) into the targets. Returns PARSED, or the exit code: 0 after --help, 1 when
 * memory ran out, 2 after an error, which has been told. */
int parse_arguments(const command_text *command, const argument *table, int argc, char **argv);
/* The word of `words` (ends with NULL) that looks most like `word`; NULL when none is near. */
const char *nearest_word(const char *word, const char *const *words);
/* Whole text as a number of the C locale; 0 when it is not one or overflows. */
int read_count(const char *text, int64_t *out);
int read_real(const char *text, double *out);
/* The value in the fewest digits from 9 on that read_real takes for the same; returns out. */
const char *write_real(double value, char out[REAL_BYTES]);
#endif
