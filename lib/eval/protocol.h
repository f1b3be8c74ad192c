/* eval: the protocols by name, and the users each of them ranks for. */
#ifndef SQ_PROTOCOL_H
#define SQ_PROTOCOL_H
#include "data/dataset.h"

/* Whom the target competes with. */
enum {
    SQ_AGAINST_ALL,     /* every item of the catalogue */
    SQ_AGAINST_TRAIN,   /* 100 uniform draws with replacement that are not training items of the user (E1) */
    SQ_AGAINST_POPULAR, /* 100 draws by item count without replacement outside history and target (E2) */
    SQ_AGAINST_UNIFORM  /* 100 uniform draws without replacement outside history and target (E3) */
};

typedef struct sq_protocol {
    const char *name;
    const char *sentence;
    int32_t against;
    int32_t filter;     /* 1: items of the history are no candidates (the target always is) */
    int32_t by_time;    /* 1: needs a time division */
    int64_t most_users; /* a random subset of this size when there are more; 0 = no limit */
} sq_protocol;

/* NULL = "E4". E_UNSUPPORTED names the protocols there are. */
int32_t sq_protocol_find(const char *name, const sq_protocol **out, seqrec_error *error);

/* One ranking: the target is event `history` of the user's sequence, given the events before it; of several targets, which follow
 * each other, the best ranked counts. */
typedef struct sq_case {
    int64_t user;
    int64_t train;   /* leading events that are training */
    int64_t history; /* leading events the ranking may see; at least 1 */
    int64_t targets; /* at least 1 */
} sq_case;

typedef struct sq_cases {
    sq_case *at; /* [count], by rising user */
    int64_t count;
    int64_t targets;         /* users with a target; count is smaller after a draw or where there is no history */
    int64_t newcomers;       /* of these, users without an event to rank from: not counted */
    int64_t chosen;          /* users asked for, -1: all */
    const int32_t *sequence; /* borrowed from the dataset */
    const int64_t *offsets;
} sq_cases;

static inline const int32_t *sq_case_items(const sq_cases *cases, const sq_case *one)
{
    return cases->sequence + cases->offsets[one->user];
}

static inline int32_t sq_case_target(const sq_cases *cases, const sq_case *one)
{
    return sq_case_items(cases, one)[one->history];
}

/* Marks the users with these ids (repeats are one) in *out [users], to be freed. E_NOT_FOUND names an id that no user has. */
int32_t sq_users_choose(const sq_memory *memory, const seqrec_dataset *dataset, const int64_t *ids, int64_t count,
                        uint8_t **out, seqrec_error *error);

/* The cases of `protocol`: a user counts when chosen[user] (NULL: all are) and the held-out part (valid 1: validation, else test)
 * has an event, which is the target, and there is an event before it (E1: a training event). E_ARGUMENT when nobody does. */
int32_t sq_cases_collect(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                         const sq_protocol *protocol, const uint8_t *chosen, int32_t valid, uint64_t seed,
                         sq_cases *out, seqrec_error *error);
/* Makes the held-out events at the instant of each target its targets. Users without an event before them become newcomers;
 * E_ARGUMENT when nobody is left, or for a dataset without times. */
int32_t sq_cases_join_instants(sq_cases *cases, const seqrec_dataset *dataset, const sq_division *division, int32_t valid,
                               seqrec_error *error);
void sq_cases_free(sq_cases *cases, const sq_memory *memory);
#endif
