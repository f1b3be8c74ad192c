/* serve: what a session keeps between reads: the slots of its events, keys and values, its user vector. All of it can be made again
 * from the events, with the same bits. */
#ifndef SQ_SESSIONCACHE_H
#define SQ_SESSIONCACHE_H
#include "serve/encode.h"

/* A time that an event does not have, or a request. */
#define SQ_NO_TIME INT64_MIN

typedef struct sq_event {
    int64_t item, time;
} sq_event;

/* Zeroed: empty. */
typedef struct sq_session_cache {
    float *at;      /* the user vector [padded length of an item's], then the tokens */
    int32_t *slots; /* of the events, -1: an item that the model does not have */
    int32_t *seen;  /* the slots of the events' items, rising, each once */
    /* what it was made with */
    uint64_t model, trained, items, users; /* model: the pool's count of models; the others as a snapshot has them */
    int32_t user;                          /* slot, -1: the default one */
    /* how far it has come */
    int64_t events; /* with slots */
    int64_t known;  /* of these, of items that the model has: below, events are counted among them alone */
    int64_t distinct; /* of seen */
    int64_t first;  /* taken in were first .. taken - 1 */
    int64_t taken;
    int64_t encoded; /* events behind the user vector; meaningless without has_vector */
    int32_t has_vector;
    int64_t asked;   /* the view's, when the vector was made */
    int32_t newest_is_open; /* 1: the last token was made for a request at that time, and is made again for another or with an event */
    sq_token_cache tokens;
} sq_session_cache;

/* What a read of a session sees; borrowed. */
typedef struct sq_session_view {
    seqrec_model *model;
    sq_snapshot *snapshot;
    uint64_t model_count; /* of the pool */
    sq_encoder encoder;
    const sq_event *events;
    int64_t count;
    int32_t has_user;
    int64_t user;
    int64_t ask; /* when the session is asked, in a model that is dated; SQ_NO_TIME: at its newest event */
} sq_session_view;

/* Brings the cache up to the view: drops what was made of other weights, items or users, takes in events that came since, makes the
 * user vector, which is at cache->at then. On failure the cache is as good as before. */
int32_t sq_session_cache_update(sq_session_cache *cache, const sq_session_view *view, seqrec_error *error);
/* out [n][d]: the user vector after each of the items in slots[n] as the next event, by itself; the cache is up to date and stays. */
int32_t sq_session_cache_ahead(const sq_session_cache *cache, const sq_session_view *view, const int32_t *slots, int64_t n,
                               float *out, seqrec_error *error);
size_t sq_session_cache_bytes(const sq_session_cache *cache);
/* Leaves it empty. */
void sq_session_cache_free(sq_session_cache *cache, const sq_memory *memory);
#endif
