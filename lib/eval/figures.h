/* eval: which figures a row of a report has, and in which order. */
#ifndef SQ_FIGURES_H
#define SQ_FIGURES_H
#include <stdint.h>

enum { SQ_FIGURE_NAME = 32 };

/* In the order of a row, behind "users". Those from SQ_USERS_SHORT on are counts without a value of each user. */
enum {
    SQ_HIT,           /* hr@k */
    SQ_GAIN,          /* ndcg@k */
    SQ_RECIPROCAL,    /* mrr */
    SQ_COVERAGE,      /* coverage@k */
    SQ_GINI,          /* gini@k */
    SQ_NLL,           /* nll */
    SQ_CONFIDENCE,    /* confidence */
    SQ_ECE,           /* ece: bins of equal width */
    SQ_ECE_MASS,      /* ece_mass: bins of equally many users */
    SQ_NOVELTY,       /* novelty@k */
    SQ_DIVERSITY,     /* diversity@k, k > 1 */
    SQ_DIFFER,        /* differ_last1, ... */
    SQ_APART,         /* apart_last1, ... */
    SQ_APART_POPULAR, /* apart_popular */
    SQ_USERS_SHORT,   /* users_short */
    SQ_PAIRS,         /* pairs_last1, ... */
    SQ_FIGURE_KINDS
};

/* What a row has beside hit rate, NDCG and MRR. */
enum {
    SQ_PART_EXPOSURE = 1, /* of full rankings */
    SQ_PART_SHORT = 2,    /* of sampled ones: users with fewer negatives than the protocol wants */
    SQ_PART_BEYOND = 4,   /* of full rankings: probabilities, novelty, personalization */
    SQ_PART_DIVERSITY = 8 /* the same where there are item vectors */
};

typedef struct sq_figures {
    const int64_t *cutoffs; /* borrowed, rising */
    int64_t cutoff_count;
    int64_t first[SQ_FIGURE_KINDS]; /* the kind's first figure, not counting "users" */
    int64_t count[SQ_FIGURE_KINDS]; /* 0: the row has none */
    int64_t columns;                /* figures that come from one value of each user: the first behind "users" */
    int64_t total;                  /* "users" included */
} sq_figures;

/* last: the most last items that users have in common in differ_last and apart_last. */
sq_figures sq_figures_of(const int64_t *cutoffs, int64_t cutoff_count, int32_t parts, int64_t last);
/* Kind of figure `index` >= 1, and which of its kind it is. */
int32_t sq_figures_kind(const sq_figures *figures, int64_t index, int64_t *which);
/* "users" for index 0. */
void sq_figures_name(const sq_figures *figures, int64_t index, char out[SQ_FIGURE_NAME]);

/* Cut-off of the first diversity@k: a list of one has none. */
static inline int64_t sq_figures_diverse_from(const sq_figures *figures)
{
    return figures->cutoff_count > 0 && figures->cutoffs[0] < 2 ? 1 : 0;
}
#endif
