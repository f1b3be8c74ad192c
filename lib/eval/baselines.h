/* eval: the two counting rankers every figure is shown beside. */
#ifndef SQ_BASELINES_H
#define SQ_BASELINES_H
#include "eval/scorer.h"

/* Items by how often they occur in the training part. Scores are places among the distinct counts (0 = rarest), which single
 * precision holds exactly whatever the counts are. */
typedef struct sq_popularity {
    int64_t items;
    int64_t levels;   /* distinct counts */
    float *score;     /* [items] */
    uint64_t *counts; /* [items] training events */
    uint64_t events;  /* of all items */
} sq_popularity;

int32_t sq_popularity_create(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                             sq_popularity *out, seqrec_error *error);
void sq_popularity_free(sq_popularity *popularity, const sq_memory *memory);
sq_scorer sq_popularity_scorer(sq_popularity *popularity);

/* Items by how often they follow the last item of the history in the training part, then by popularity. The score of a
 * follower is levels + its place among the distinct (count, popularity) pairs behind that item, again exact. */
typedef struct sq_markov {
    const sq_popularity *popularity; /* borrowed */
    int64_t *offsets;                /* [items + 1] */
    int32_t *next;                   /* followers, distinct per item */
    float *score;
} sq_markov;

int32_t sq_markov_create(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                         const sq_popularity *popularity, sq_markov *out, seqrec_error *error);
void sq_markov_free(sq_markov *markov, const sq_memory *memory);
sq_scorer sq_markov_scorer(sq_markov *markov);
#endif
