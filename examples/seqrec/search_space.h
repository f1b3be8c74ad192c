/* seqrec tool: the options that a search varies, their ranges checked against the option table, and the draws from them. */
#ifndef SEQREC_TOOL_SEARCH_SPACE_H
#define SEQREC_TOOL_SEARCH_SPACE_H
#include "arguments.h"
#include <seqrec.h>

enum { VALUE_BYTES = 64 };

/* One option. A range has low < high; a choice its values one behind the other, each ended by a 0. */
typedef struct space_axis {
    char *text; /* as given: "learning_rate=1e-4:1e-2:log"; owned */
    char name[VALUE_BYTES];
    char *values;
    int64_t value_count; /* 0: a range */
    double low, high;
    int64_t step; /* of a range of whole numbers: low, low + step, ...; 0: real numbers */
    int log;      /* 1: uniform in the logarithm */
} space_axis;

/* Zero it before use. */
typedef struct search_space {
    space_axis *at;
    int64_t count;
    seqrec_config *scratch; /* where values are tried */
} search_space;

/* Adds the --space file (NULL: none), the --range and the --choice options. Returns 0 or the exit code, with the reason told. */
int fill_space(const char *command, search_space *space, const char *file, const text_list *ranges,
               const text_list *choices);
/* The axis's value in trial `trial` (from 1): a function of (seed, trial, name of the option). */
void draw_value(const space_axis *axis, uint64_t seed, int64_t trial, char out[VALUE_BYTES]);
void free_space(search_space *space);
#endif
