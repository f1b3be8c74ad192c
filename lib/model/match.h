/* model: which item or user of a model one of a dataset is. */
#ifndef SQ_MATCH_H
#define SQ_MATCH_H
#include "data/dataset.h"
#include "model/model.h"

/* The items of a dataset beside those of a model. */
typedef struct sq_item_match {
    const sq_catalogue *catalogue;
    const sq_item_names *names;
    const seqrec_dataset *dataset;
    int32_t numbers_are_names; /* 1: the data's items are numbers, and these are names of the model's items: an item with a name is meant by it alone */
} sq_item_match;
sq_item_match sq_match_items(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset);
/* Slot of item `index` of the dataset, or -1: by name when the dataset and the model have names (ids of texts are numbers by
 * first appearance and differ from file to file), else by id. */
int32_t sq_match_item(const sq_item_match *match, int64_t index);
/* Slot of user `index` of the dataset, or -1: by name when the dataset has names, else by the name that is the number, or by
 * id; users kept apart are matched by id whatever their names. Whoever is matched by id is matched with a row that has no name. */
int32_t sq_match_user(const sq_catalogue *users, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index);
/* E_ARGUMENT when the data's items are texts and the model's have no names: their numbers would meet by chance. */
int32_t sq_match_check(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                       seqrec_error *error);
/* E_ARGUMENT when the model's attention knows of time and the dataset has none. */
int32_t sq_match_times(const seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error);
/* Adds what the model lacks, all or nothing: the dataset's items, and the n of its users whose indices are in users[] (those kept apart
 * without names). An id that another name has already is replaced by the next one above all of the model's and the dataset's; E_ARGUMENT
 * where the data tells by number what has another's id. Takes model->writing. */
int32_t sq_match_add(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n, seqrec_error *error);
#endif
