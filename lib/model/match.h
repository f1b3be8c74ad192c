/* model: which item or user of a model one of a dataset is. */
#ifndef SQ_MATCH_H
#define SQ_MATCH_H
#include "data/dataset.h"
#include "model/model.h"

/* Slot of item `index` of the dataset, or -1: by name when the dataset and the model have names (ids of texts are numbers by
 * first appearance and differ from file to file), else by id. */
int32_t sq_match_item(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index);
/* Slot of user `index` of the dataset, or -1: by name when the dataset has names, else by id. Users kept apart are matched by id
 * whatever their names, and with rows that have none. */
int32_t sq_match_user(const sq_catalogue *users, const sq_item_names *names, const seqrec_dataset *dataset,
                      int64_t index);
/* E_ARGUMENT when the data's items are texts and the model's have no names: their numbers would meet by chance. */
int32_t sq_match_check(const sq_catalogue *catalogue, const sq_item_names *names, const seqrec_dataset *dataset,
                       seqrec_error *error);
/* E_ARGUMENT when the model's attention knows of time and the dataset has none. */
int32_t sq_match_times(const seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error);
/* Adds the dataset's items that the model lacks, with their names; an id that another name has already is replaced by the next
 * one above all of the model's and the dataset's. Takes model->writing. */
int32_t sq_match_add(seqrec_model *model, const seqrec_dataset *dataset, seqrec_error *error);
/* The same for the n users of the dataset whose indices are in users[]; those kept apart get no names, and E_ARGUMENT where a name has
 * their id. */
int32_t sq_match_add_users(seqrec_model *model, const seqrec_dataset *dataset, const int64_t *users, int64_t n,
                           seqrec_error *error);
#endif
