/* seqrec tool: lists of items as they are typed: numbers or names with commas between, or @FILE with one on each line. */
#ifndef SEQREC_TOOL_ID_LIST_H
#define SEQREC_TOOL_ID_LIST_H
#include <seqrec.h>

typedef struct id_list {
    int64_t *ids; /* owned */
    int64_t count, capacity;
} id_list;

/* Appends; 0 when memory ran out, which has been told. */
int append_id(id_list *list, int64_t id);
/* How the words for a model's items are read. */
typedef struct item_words {
    const seqrec_model *model;
    int looked, numbers_are_names; /* whether some item has a number for its name, found out when it is asked first */
} item_words;

/* The item that a word means: looked up among the model's names first, then read as a number. 0: it is neither. Where some item
 * has a number for its name, numbers are names and the ids of named items are the library's own: a number that is no name then
 * gives an id that no item has. */
int read_item(item_words *words, const char *word, int64_t *id);
/* Reads `value` of --option. Returns 0 or the exit code, with the reason told. */
int read_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out);
/* The same, but items that the model does not have are refused. */
int read_known_ids(const seqrec_model *model, const char *command, const char *option, const char *value, id_list *out);
/* Reads whole numbers with commas between, as read_ids reads items. */
int read_numbers(const char *command, const char *option, const char *value, id_list *out);
#endif
