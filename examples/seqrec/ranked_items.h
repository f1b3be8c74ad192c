/* seqrec tool: a list of recommended items as JSON. */
#ifndef SEQREC_TOOL_RANKED_ITEMS_H
#define SEQREC_TOOL_RANKED_ITEMS_H
#include "json_writer.h"
#include <seqrec.h>

enum { NAME_BYTES = 4100 }; /* of the longest name of an item, with its end */

/* The name of an item in `name`, "" where it has none; returns name. */
const char *item_name(const seqrec_model *model, int64_t item, char name[NAME_BYTES]);
/* A name to stdout as a column of text: control characters in it, which would begin other columns or lines or command the terminal, are blanks. */
void print_name(const char *name);
/* Member "items" of the object that is open: id, score and, where it has one, name of each. */
void emit_items(json_writer *json, const seqrec_model *model, const int64_t *items, const float *scores, int64_t count);
#endif
