/* eval: what an evaluation ranks with: a model, or a counting baseline. */
#ifndef SQ_SCORER_H
#define SQ_SCORER_H
#include "data/dataset.h"
#include "tensor/kernels.h"

/* Histories of a block of users as dense item indices of the dataset. */
typedef struct sq_histories {
    int64_t count;          /* users in the block */
    const int64_t *users;   /* [count] user index in the dataset */
    const int64_t *offsets; /* [count + 1] into items */
    const int32_t *items;   /* dense indices, oldest first */
    const int64_t *times;   /* same layout, or NULL */
    const int64_t *asks;    /* [count] when each is asked, or NULL */
} sq_histories;

/* The vectors of a model's items. */
typedef struct sq_item_vectors {
    const sq_kernels *kernels;
    size_t width;             /* padded as kernels want it */
    const float *const *rows; /* [items of the dataset] output vectors, zero for an item that the model lacks */
} sq_item_vectors;

/* score writes scores[count][items of the dataset] (dense order, higher is better; NaN counts as worst). It is called from the
 * pool's workers at once, with distinct `worker` indices below the pool's width; it must not allocate. */
typedef struct sq_scorer {
    void *context;
    int32_t (*score)(void *context, int32_t worker, const sq_histories *histories, float *scores, seqrec_error *error);
    int64_t block; /* most users per call */
    const sq_item_vectors
        *vectors; /* of a model, whose scores are logits; NULL: scores are places of a counting ranker */
} sq_scorer;
#endif
