/* serve: what one call on a model works with: a snapshot, the resolved histories, and working memory by thread. Everything that
 * can fail happens before the first result is written. */
#ifndef SQ_REQUEST_H
#define SQ_REQUEST_H
#include "serve/encode.h"
#include "serve/screen.h"

/* Working memory of one thread. */
typedef struct sq_seat {
    sq_arena arena;
    sq_encode_scratch encode;
    float *user; /* [padded length of an item's vector] */
    sq_scoring_scratch scoring;
    float *scores;    /* [users][SQ_SCORED_ITEMS] */
    uint8_t *allowed; /* [SQ_SCORED_ITEMS] */
    sq_screen screen; /* for at least SQ_SCREEN_USERS users */
} sq_seat;

/* A user vector that is there already, what it was made with, and what its history was: in the place of one sequence. */
typedef struct sq_ready {
    sq_snapshot *snapshot;
    const float *user;   /* [padded length of an item's vector] */
    const int32_t *seen; /* [n] slots of its items, rising */
    int64_t n;
    int64_t unknown;  /* events of items that the model does not have */
    int64_t missing;  /* where there are, the item of the first */
    int32_t stranger; /* 1: its user has no row in a model with users */
} sq_ready;

typedef struct sq_request sq_request;
/* Carves further memory of a call; run once to measure and once to take. */
typedef void (*sq_request_layout)(void *arg, sq_arena *arena);
/* One task of a loop; the seat belongs to this body alone while it runs. */
typedef void (*sq_request_body)(void *arg, int64_t task, sq_seat *seat);

struct sq_request {
    seqrec_model *model;
    sq_snapshot *snapshot;
    const seqrec_batch *batch;
    const sq_ready *ready; /* NULL: vectors are made of the batch */
    sq_encoder encoder;
    sq_scoring scoring;
    sq_arena arena;
    int32_t *slots;  /* [events] known events of sequence b, from batch->offsets[b] on */
    int64_t *times;  /* [events] of these, in a model that is dated */
    int64_t *known;  /* [sequences] how many they are */
    int64_t longest; /* most of known */
    int64_t skipped; /* unknown ids so far */
    int32_t *users;  /* [sequences] slots of the user table, -1: the default; NULL: all the default */
    int64_t strangers; /* sequences of a model with users that got the default */
    sq_seat *seats;  /* [threads of the pool], the first seat_count with memory */
    int32_t seat_count;
    int32_t *seat_of; /* [threads of the pool] seat that a worker took, or -1 */
    _Atomic int32_t seated;
    sq_request_body body;
    void *arg;
};

/* Takes a snapshot; the batch is well-formed. With `ready` its snapshot is used, and the batch is one sequence of ready->n events
 * of which nobody reads more. End the request whatever this and the next two answer. */
int32_t sq_request_open(sq_request *request, const seqrec_model *model, const seqrec_batch *batch, const sq_ready *ready,
                        seqrec_error *error);
/* Takes the memory of the call (layout may be NULL) and resolves the histories. unknown_items = SEQREC_UNKNOWN_ERROR:
 * E_NOT_FOUND names the first unknown id. */
int32_t sq_request_prepare(sq_request *request, int32_t unknown_items, sq_request_layout layout, void *arg,
                           seqrec_error *error);
/* Takes the memory of the threads for at most `tasks` tasks at once, each scoring up to `users` users together (0: none). */
int32_t sq_request_seat(sq_request *request, int64_t tasks, size_t users, seqrec_error *error);
/* Runs body(arg, task, seat) for the tasks 0 .. tasks - 1 in parallel. */
void sq_request_run(sq_request *request, int64_t tasks, sq_request_body body, void *arg);
void sq_request_end(sq_request *request);

/* The user vector of sequence b to out [padded length of an item's vector]. */
void sq_request_encode(const sq_request *request, int64_t b, sq_seat *seat, float *out);
/* Slots of ids[n], to slots[n] or nowhere (NULL): E_NOT_FOUND names an unknown one as a member of `list`. */
int32_t sq_find_items(const sq_catalogue *catalogue, const char *list, const int64_t *ids, int64_t n, int32_t *slots, seqrec_error *error);
/* The same, where unknown_items says so without unknown ones, which are counted. *found of slots[n] are filled. */
int32_t sq_request_find(sq_request *request, const char *list, const int64_t *ids, int64_t n, int32_t unknown_items,
                        int32_t *slots, int64_t *found, seqrec_error *error);

/* Whether the host's marks, as in seqrec_filter, let the item in; bits is not NULL. */
static inline int32_t sq_marks_have(const uint64_t *bits, int64_t first, int64_t count, int64_t id)
{
    const uint64_t bit = (uint64_t)id - (uint64_t)first;
    return id >= first && bit < (uint64_t)count && (bits[bit / 64] >> bit % 64 & 1);
}

static inline int32_t sq_filter_marks(const seqrec_filter *filter, int64_t id)
{
    return sq_marks_have(filter->bits, filter->bits_first, filter->bits_count, id);
}

/* What a call that succeeded tells of the ids it met. */
static inline void sq_request_count(const sq_request *request, const seqrec_filter *filter)
{
    if (filter->skipped != NULL) *filter->skipped = request->skipped;
    if (filter->strangers != NULL) *filter->strangers = request->strangers;
}

static inline int64_t sq_batch_events(const seqrec_batch *batch)
{
    return batch->sequences == 0 ? 0 : batch->offsets[batch->sequences];
}
#endif
