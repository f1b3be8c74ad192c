/* serve: passes through the network for sessions: of whole windows, of events that join a cache, of branches behind it. */
#ifndef SQ_SESSIONPASS_H
#define SQ_SESSIONPASS_H
#include "serve/sessioncache.h"

enum {
    SQ_DESK_ROWS,    /* events that join a cache */
    SQ_DESK_WINDOWS, /* whole windows */
    SQ_DESK_SPARE    /* as the first, with a cache for this call alone */
};

/* Working memory of a call. */
typedef struct sq_desk {
    sq_arena arena;
    int32_t rows;          /* most of one pass */
    int32_t *slots;        /* [rows], or of a window */
    int64_t *times;        /* of a window, in a model that is dated */
    const float **vectors; /* [rows] */
    float *states;         /* [rows][padded d of the network] */
    float *user;           /* [padded length of an item's vector] */
    sq_workspace work;
    sq_extension extension;
    sq_encode_scratch whole;
    int64_t interval; /* time = bias: seconds from an item that may come to the next */
    float *spare; /* room of a cache of sq_session_span tokens */
} sq_desk;

/* For passes of up to `rows` rows, or as many as one pass takes. Give it back; a zeroed one may be given, too. */
int32_t sq_desk_take(const sq_session_view *view, int32_t kind, int64_t rows, sq_desk *out, seqrec_error *error);
void sq_desk_give(const sq_session_view *view, sq_desk *desk);

/* Slots of the known events first .. first + n - 1 of cache->known, to out. */
void sq_session_list(const sq_session_cache *cache, int64_t first, int64_t n, int32_t *out);
/* The same with their times, to the desk. */
void sq_session_window(const sq_session_view *view, const sq_session_cache *cache, int64_t first, int64_t n, sq_desk *desk);
/* When a session of a dated model is asked; of others 0. */
int64_t sq_session_asked(const sq_session_view *view, const sq_session_cache *cache);
/* out: the user vector of the n events of a window on the desk. */
void sq_session_encode_window(const sq_session_view *view, int32_t user, int64_t n, int64_t ask, sq_desk *desk, float *out);
/* Takes the known events from .. to - 1 into the tokens; at least the user's own token if the model has one. The state of the last is
 * at desk->states then. */
void sq_session_take_in(const sq_session_view *view, const sq_session_cache *cache, int64_t from, int64_t to,
                        sq_token_cache *tokens, sq_desk *desk);
/* desk->states [n] of the items in slots[n <= desk->rows], each as the next event of its branch (branches NULL: of the session), in a
 * dated model at the time of the request and desk->interval seconds for each of the branch before it. The tokens are all of the cache's
 * known events. */
void sq_session_look_ahead(const sq_session_view *view, const sq_session_cache *cache, const int32_t *slots, int32_t n, sq_token_cache *tokens,
                           const sq_branches *branches, sq_desk *desk);
/* The user vector of a state, which is overwritten. */
void sq_session_finish(const sq_session_view *view, float *state, sq_workspace *work, float *out);
#endif
