/* seqrec tool: batches of the training part of a dataset, for stepping a trainer by hand. */
#ifndef SEQREC_TOOL_TRAIN_BATCHES_H
#define SEQREC_TOOL_TRAIN_BATCHES_H
#include <seqrec.h>

/* Zero it before opening. */
typedef struct train_batches {
    const seqrec_dataset *dataset; /* borrowed */
    int64_t *users, *lengths;      /* [count] sequences with a target, and their training events */
    int64_t count, at, epoch;      /* at: of the next one in this epoch */
    int64_t size;                  /* sequences a batch */
    uint64_t seed;
    int64_t *offsets, *items; /* [size + 1], [size * longest] of the batch at hand */
    int64_t *times, *ids;     /* [size * longest], [size]: of its events, and its users; times are in use where the events have any */
    int has_times;
    float *values; /* [size * longest] of its events; in use where the events have any */
    int has_values;
    double *counts;           /* [catalogue] training events of each item */
    int64_t *catalogue;       /* [catalogue_count] ids, rising */
    int64_t catalogue_count;
    seqrec_batch view;
} train_batches;

/* split: as seqrec_fit.split. Returns 0 or the exit code, with the reason told. */
int batches_open(const char *command, train_batches *batches, const seqrec_dataset *dataset, const char *split,
                 int64_t size, uint64_t seed);
/* The next batch of this epoch, or the first of the next, in an order that follows from the seed. It is borrowed. */
const seqrec_batch *batches_next(train_batches *batches);
/* Ids of the users with a target, [count]. The caller frees them; NULL: no memory. */
int64_t *batches_user_ids(const train_batches *batches);
void batches_close(train_batches *batches);
#endif
