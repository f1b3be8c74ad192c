/* serve: sessions that share a model and a budget of bytes for their caches. Those that were used last keep theirs. */
#ifndef SQ_SESSIONPOOL_H
#define SQ_SESSIONPOOL_H
#include "serve/sessioncache.h"

struct seqrec_sessions {
    seqrec_context *context; /* retained */
    _Atomic int64_t references;
    size_t budget;
    sq_lock lock; /* of what follows and of `place` in every session; held while pointers and counts change, never longer */
    seqrec_model *model; /* retained */
    uint64_t model_count;
    seqrec_session *newest, *oldest; /* those that are idle and have a cache, by their last use */
    size_t cache_bytes, event_bytes;
    int64_t sessions, cached, dropped;
};

/* What a pool knows of a session. */
typedef struct sq_session_place {
    seqrec_session *newer, *older;
    int32_t listed, busy;
    size_t cache_bytes, event_bytes;
} sq_session_place;

struct seqrec_session {
    sq_session_place place;
    seqrec_sessions *pool; /* retained */
    int32_t has_user, evicted;
    int64_t user;
    int64_t ask; /* when it is asked, until an event comes; SQ_NO_TIME: not told */
    sq_event *events;
    int64_t count;
    sq_session_cache cache; /* of the call at hand, or of the pool while there is none */
};

int32_t sq_sessions_create(seqrec_model *model, size_t budget, seqrec_sessions **out, seqrec_error *error);
void sq_sessions_release(seqrec_sessions *pool);
/* Calls that begin from now on go by this model, of the same context; those that run end with the old one. */
void sq_sessions_swap(seqrec_sessions *pool, seqrec_model *model);
void sq_sessions_describe(seqrec_sessions *pool, seqrec_sessions_info *out);

int32_t sq_session_create(seqrec_sessions *pool, const int64_t *user, seqrec_session **out, seqrec_error *error);
void sq_session_release(seqrec_session *session);

/* Tells the pool what a session holds that no call has told of. */
void sq_session_counted(seqrec_session *session);

/* One call on a session: it takes the session out of the budget's reach, and a snapshot of the pool's model. E_STATE when the
 * session was evicted, or when another call is at work on it. Leave if it succeeded. */
int32_t sq_session_enter(seqrec_session *session, sq_session_view *out, seqrec_error *error);
/* The session is the one that was used last; caches of the others go, the longest unused first, until the budget holds. */
void sq_session_leave(seqrec_session *session, sq_session_view *view);
#endif
