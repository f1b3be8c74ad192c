/* data: events grouped by user with a dense catalogue of items; immutable once built. */
#ifndef SQ_DATASET_H
#define SQ_DATASET_H
#include "base/context.h"
#include "base/idmap.h"

/* Texts by dense index: text i is bytes[offsets[i] .. offsets[i+1]), terminated by 0 (the 0 is inside the range). */
typedef struct sq_names {
    char *bytes;
    int64_t *offsets; /* [count + 1], NULL when there are no names */
    int64_t count;
} sq_names;

struct seqrec_dataset {
    seqrec_context *context;
    _Atomic int64_t references;
    int64_t users, items, events;
    int64_t *user_ids;            /* [users] host ids, in order of first appearance */
    int64_t *item_ids;            /* [items] host ids, rising: dense item index -> id */
    sq_idmap item_index;          /* id -> dense index */
    int64_t *offsets;             /* [users + 1] */
    int32_t *sequence;            /* [events] dense item indices, oldest first */
    int64_t *timestamps;          /* [events] or NULL */
    float *values;                /* [events] or NULL */
    sq_names item_names;          /* by dense item index */
    sq_names user_names;          /* by user index */
    int32_t users_apart;          /* 1: users are told apart by number alone; two may have one name */
    uint64_t hash;                /* sq_dataset_hash */
    _Atomic(int64_t *) event_ids; /* [events] item ids of `sequence`, made when first asked for; else NULL */
};

/* Columns a dataset is built from. Indices may come in any order; users and items without an event are left out. */
typedef struct sq_build {
    int64_t users, items, events;
    const int64_t *user_ids, *item_ids;      /* by index, distinct; NULL: index + 1 */
    const sq_names *user_names, *item_names; /* by index, or NULL */
    int32_t users_apart;                     /* as in the dataset */
    const int32_t *user, *item;              /* [events] indices */
    const int64_t *timestamps;               /* [events] or NULL */
    const float *values;                     /* [events] or NULL */
} sq_build;

/* Groups by user in the order of user indices, sorts stably by time where there are timestamps, makes the catalogue. */
int32_t sq_dataset_build(seqrec_context *context, const sq_build *build, seqrec_dataset **out, seqrec_error *error);
/* The host's arrays; the batch has been checked. */
int32_t sq_dataset_create(seqrec_context *context, const seqrec_batch *batch, seqrec_dataset **out,
                          seqrec_error *error);
seqrec_dataset *sq_dataset_retain(seqrec_dataset *dataset);
void sq_dataset_release(seqrec_dataset *dataset);
/* Item ids of all events; the first call allocates, any thread may make it. NULL when memory fails. */
const int64_t *sq_dataset_event_ids(const seqrec_dataset *dataset);
/* Name by host id, or NULL. */
const char *sq_dataset_item_name(const seqrec_dataset *dataset, int64_t id);
const char *sq_dataset_user_name(const seqrec_dataset *dataset, int64_t id);

/* Largest subset where every user has at least user_min and every item at least item_min events; may be empty. */
int32_t sq_dataset_kcore(const seqrec_dataset *dataset, int64_t user_min, int64_t item_min, seqrec_dataset **out,
                         seqrec_error *error);
/* A copy, whole but for the hash; out of sight of others until its maker is done. */
int32_t sq_dataset_copy(const seqrec_dataset *dataset, seqrec_dataset **out, seqrec_error *error);
/* A copy with events of a user at the same instant in an order drawn anew. */
int32_t sq_dataset_shuffle_ties(const seqrec_dataset *dataset, uint64_t seed, seqrec_dataset **out, seqrec_error *error);
/* A copy whose training events under `split` are each replaced, with probability `share`, by another item of the catalogue. The
 * catalogue stays whole, also where an item is left without events. */
int32_t sq_dataset_corrupt(const seqrec_dataset *dataset, double share, const char *split, uint64_t seed,
                           seqrec_dataset **out, seqrec_error *error);
/* The parts (at least one) one behind the other, in the context of the first; apart: 1 keeps their users distinct, as those of a part
 * that is such a join have to be. */
int32_t sq_dataset_join(const seqrec_dataset *const *parts, int64_t count, int32_t apart, seqrec_dataset **out,
                        seqrec_error *error);
/* Fills every field but struct_size. */
int32_t sq_dataset_describe(const seqrec_dataset *dataset, seqrec_dataset_stats *out, seqrec_error *error);

/* The three parts of each user's sequence under a division of the events. */
enum { SQ_DIVISION_NONE, SQ_DIVISION_LEAVE_ONE_OUT, SQ_DIVISION_TIME, SQ_DIVISION_LAST };
typedef struct sq_division {
    int32_t kind;
    int64_t valid_from, test_from; /* SQ_DIVISION_TIME: events at or after these seconds */
    int64_t last, least;           /* SQ_DIVISION_LAST: so many events of users with at least so many */
} sq_division;

/* Parses "leave-one-out", "none", "time:SECONDS:SECONDS", "last:EVENTS:LEAST" (NULL = leave-one-out). */
int32_t sq_division_parse(const char *text, sq_division *out, seqrec_error *error);
/* Whether both are one: last:1:3 is leave-one-out. */
int32_t sq_division_same(const sq_division *a, const sq_division *b);
/* E_ARGUMENT when a time division meets a dataset without timestamps. */
int32_t sq_division_check(const sq_division *division, const seqrec_dataset *dataset, seqrec_error *error);
/* Events [0, train) of user u are training, [train, valid) validation, [valid, n) test. Leave-one-out: the last two events are
 * valid and test; users with fewer than three events are training whole. SQ_DIVISION_LAST: the last events are test, the one before
 * them valid; users with fewer than `least` are training whole. Leave-one-out is last = 1, least = 3. */
void sq_division_user(const sq_division *division, const seqrec_dataset *dataset, int64_t user, int64_t *train,
                      int64_t *valid);
#endif
