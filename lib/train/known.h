/* train: how well the model predicts the events that it is trained on, and what that makes them weigh. */
#ifndef SQ_KNOWN_H
#define SQ_KNOWN_H
#include "data/dataset.h"
#include "train/trainer.h"

/* What is trained on together: a user's events before `end`, of which the plan takes the last. */
typedef struct sq_window {
    int64_t user, end;
} sq_window;

/* The training events of a fit. */
typedef struct sq_known_events {
    const seqrec_dataset *data;
    const int32_t *slot_of;   /* [data->items] */
    const int32_t *user_of;   /* [data->users] slots of the user table, or NULL */
    const sq_window *windows; /* [count] those of a user follow each other, the latest first */
    int64_t count;
} sq_known_events;

/* Fills trainer->known: of each event of the dataset the logarithm of the probability that a softmax over the items gives it after
 * the up to max_length events before it, with the trainer's weights as they are and without anything drawn. An event in several
 * windows has that of the latest; one that is no target in any, that of items all alike. No gradient goes through it. */
int32_t sq_known_refresh(sq_trainer *trainer, const sq_known_events *events, seqrec_error *error);

/* p^power or (1 - p)^power (option known_items), but at least 1e-6: no batch loses all its weight, and no event its place. */
float sq_known_weight(const sq_options *options, float log_probability);
#endif
