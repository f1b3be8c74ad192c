/* seqrec tool: how the rows of groups of users are written. */
#ifndef SEQREC_TOOL_BREAKDOWN_H
#define SEQREC_TOOL_BREAKDOWN_H
#include "evaluation.h"

/* A member `row` with its groups, the members of each written by `members`. */
void emit_groups(json_writer *json, const seqrec_report *report, const char *row,
                 void (*members)(json_writer *json, const seqrec_report *report, const char *row));
/* Hit rate and NDCG of each group of a row, at 10 where that is a cut-off, else at the longest. */
void print_groups(const seqrec_report *report, const evaluation_arguments *e, const char *row);
/* NDCG of each group by the rows of a comparison. */
void print_compared_groups(const seqrec_report *report, const evaluation_arguments *e);
#endif
