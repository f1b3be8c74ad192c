/* seqrec/sessions.h: users who are there now, and how their sessions go on. */
/** @file
 * Users who are there now, and how their sessions go on. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_SESSIONS_H
#define SEQREC_SESSIONS_H

#include "seqrec/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Sessions
 * Users who are there now. A session keeps a user's events, and with them the keys and values of attention, so that an event more
 * costs one token and not a pass over the whole history. Its answers are a function of its events, the weights and the item table:
 * the same bits whether the events came one by one, at once, or back from a snapshot, and whether its cache was dropped meanwhile.
 * When the weights or the vectors of its items or its user change (seqrec_trainer_publish, seqrec_items_update, _put, _remove,
 * seqrec_users_forget, seqrec_sessions_swap), the next read makes the cache again from the events; a read that runs meanwhile ends
 * with what it began with. Items that the model does not have (any more) are passed over, as in seqrec_topk.
 *
 * What a session sees of more events than max_length depends on the model; seqrec_session_info.rule says it:
 *   - SEQREC_SESSION_SLIDES, where only distances matter (position = none or reversed, any `relative`): every event sees the
 *     max_length newest (attention_span, where that is less) up to itself in every block, over the whole history. This is not what a new pass over the last max_length
 *     events gives (seqrec_topk), whose first events have seen nothing before them.
 *   - SEQREC_SESSION_HALVES, where places are counted from a start (position = start, or user_embedding = prefix): the window grows
 *     to max_length events. The next one drops the older half, rounded up, and the rest is taken in anew: one event in max_length / 2
 *     costs a pass over as many.
 *   - SEQREC_SESSION_RECOMPUTES, where every event moves all places or is seen by all (position = end, mask = bidirectional, mixer =
 *     spectral, gates, channels = apart, time = intervals, position_place = attention, time = bias or calendar with user_embedding = prefix): the first
 *     read after an event is a pass over the last max_length events, bit for bit that of seqrec_topk.
 * With time = bias and calendar the newest event's token hangs on when the session is asked; it is made again when that is another time.
 * Up to max_length events all three agree with seqrec_encode to rounding.
 *
 * Any number of threads may use different sessions of one pool at once, beside writers of the model; one thread at a time a
 * session (E_STATE when the library sees another call at work on it). Rule S below: W on the session, R on its pool.
 * @{ */

/** Sessions that share a model and a budget of bytes for their caches. */
typedef struct seqrec_sessions seqrec_sessions;
/** The events of one user, in order. */
typedef struct seqrec_session seqrec_session;

/** What becomes of a session's cache when an event comes, see above. */
enum { SEQREC_SESSION_SLIDES = 0, SEQREC_SESSION_HALVES = 1, SEQREC_SESSION_RECOMPUTES = 2 };

/** Facts about a pool. Set struct_size first. */
typedef struct seqrec_sessions_info {
    size_t struct_size;
    int64_t sessions; /**< not yet released */
    int64_t cached;   /**< of these, with a cache */
    int64_t dropped;  /**< caches that the budget has cost so far */
    size_t cache_bytes, event_bytes; /**< as of the end of each session's latest call */
    size_t budget;
} seqrec_sessions_info;

/** Facts about a session. Set struct_size first. */
typedef struct seqrec_session_info {
    size_t struct_size;
    int32_t rule;     /**< SEQREC_SESSION_* */
    int32_t has_user; /**< 1: opened for `user` */
    int64_t user;
    int64_t events;  /**< appended so far; all are kept, 16 bytes each */
    int64_t cached;  /**< tokens with keys and values (of which a user's own may be one) */
    int64_t waiting; /**< events that no read has looked at yet, or all after the cache was dropped */
    size_t cache_bytes, event_bytes;
    const char *reason; /**< SEQREC_SESSION_RECOMPUTES: the option that leaves nothing to keep, and why; else "". Never freed */
} seqrec_session_info;

/** Creates a pool of sessions on `model`, which it retains. cache_bytes: when the caches of all sessions are larger, those that were
 * not used for longest lose theirs, never their events, and make it again at their next read; 0 keeps no cache between calls,
 * SIZE_MAX keeps all. Events are not part of it: each of a session costs 16 bytes until that is evicted or released, so that a host
 * whose sessions go on for ever saves and opens them anew from their newest events. What a process has resident can be a third more than
 * caches and events together, where caches come and go and leave holes in the heap. A cache has max_length (or attention_span) * heads * the width of a head * blocks * 8 bytes (more where heads are padded) when a
 * session is that long. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_sessions_create(seqrec_model *model, size_t cache_bytes, seqrec_sessions **out,
                                                            seqrec_error *error);
/** Drops the caller's reference; sessions that are open keep the pool. R. */
SEQREC_API void seqrec_sessions_release(seqrec_sessions *sessions);
/** Reads that begin from now on are answered by `model`, in the same context (else E_ARGUMENT), from the sessions' events; those that
 * run end with the model before, which is released with the last of them. Rule R. */
SEQREC_API int32_t seqrec_sessions_swap(seqrec_sessions *sessions, seqrec_model *model, seqrec_error *error);
/** Fills *out with facts about the pool. Rule R. */
SEQREC_API int32_t seqrec_sessions_describe(seqrec_sessions *sessions, seqrec_sessions_info *out, seqrec_error *error);

/** Opens a session. user: whose vector a model with users takes (NULL, or one without a row: the default vector). The other
 * arguments are its first events, as for seqrec_session_append; n may be 0. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_session_open(seqrec_sessions *sessions, const int64_t *user, const int64_t *items,
                                                         const int64_t *timestamps, int64_t n, int32_t unknown_items,
                                                         seqrec_session **out, seqrec_error *error);
/** Ends a session, and frees it. NULL is allowed. Rule S. */
SEQREC_API void seqrec_session_release(seqrec_session *session);
/** Appends n events, oldest first. timestamps [n] in seconds, or NULL: kept with the events. A model with option `time` or `calendar` needs them,
 * none before the one before it (E_ARGUMENT; E_STATE in a read, of events that an earlier model took without); others do not look.
 * unknown_items: SEQREC_UNKNOWN_ERROR refuses all when the model lacks an item (E_NOT_FOUND names it); SEQREC_UNKNOWN_SKIP keeps such
 * an event and passes over it until the model has the item. The next read takes the events in. Rule S. */
SEQREC_API int32_t seqrec_session_append(seqrec_session *session, const int64_t *items, const int64_t *timestamps, int64_t n,
                                         int32_t unknown_items, seqrec_error *error);
/** Says when the session is asked, in seconds, until the next event comes: models with option `time` or `calendar` look back from then. Not
 * told, that is the time of the newest event that the model knows. Not kept by seqrec_session_save. E_ARGUMENT: `time` is before the
 * newest event; E_RANGE: INT64_MIN, which stands for no time here and in timestamps. Rule S. */
SEQREC_API int32_t seqrec_session_ask_at(seqrec_session *session, int64_t time, seqrec_error *error);
/** The best k items: items [k] by falling score (equal scores by rising slot), scores [k] or NULL, *found of them. filter (may be
 * NULL) as in seqrec_topk. Unlike there, k above the number of items is E_RANGE, a filter that leaves no item E_ARGUMENT, and a history whose vector is
 * not finite, of items with vectors of extreme length, E_NUMERIC (seqrec_topk finds none then, and scores are not numbers). Rule S. */
SEQREC_API int32_t seqrec_session_topk(seqrec_session *session, int64_t k, const seqrec_filter *filter, int64_t *items,
                                       float *scores, int64_t *found, seqrec_error *error);
/** Scores n candidates (an unknown one is E_NOT_FOUND) as next items, to scores [n], as seqrec_score does. Rule S. */
SEQREC_API int32_t seqrec_session_score(seqrec_session *session, const int64_t *candidates, int64_t n, float *scores,
                                        seqrec_error *error);
/** The user vector, to out [d], as seqrec_encode gives it. Without events it is zero. Rule S. */
SEQREC_API int32_t seqrec_session_encode(seqrec_session *session, float *out, seqrec_error *error);
/** The user vector as it would be after each of n candidates (an unknown one is E_NOT_FOUND), to out [n][d]: those that appending
 * each by itself would give, in one pass in which every candidate sees the history and itself but no other (M-FALCON, Zhai et al.
 * 2024, section 3.3). Models with SEQREC_SESSION_RECOMPUTES need a pass over the window for each candidate. Nothing is appended. S. */
SEQREC_API int32_t seqrec_session_ahead(seqrec_session *session, const int64_t *candidates, int64_t n, float *out,
                                        seqrec_error *error);
/** How paths are found behind a session. */
enum {
    SEQREC_DECODE_GREEDY = 0, /**< the best item of each step */
    SEQREC_DECODE_BEAM = 1,   /**< of all ways on from `width` paths the `width` most probable ones, in every step */
    SEQREC_DECODE_SAMPLE = 2  /**< `width` paths whose items are drawn */
};

/** What may not come next in one path, asked of the host (seqrec_decode.mask). The fields from `deny` on are the answer; on entry they
 * are zero, which bars nothing. */
typedef struct seqrec_decode_mask {
    size_t struct_size;
    int64_t session;      /**< its number in seqrec_sessions_decode, else 0 */
    int64_t path;         /**< number among the paths of this step, from 0 */
    int64_t step;         /**< items of the path so far */
    const int64_t *items; /**< [step] these, oldest first; for this call only */
    const int64_t *deny;  /**< [deny_count] ids that may not come next, in any order, or NULL; those the model lacks bar nothing. Read
                               before the function is called again */
    int64_t deny_count;
    const uint64_t *bits; /**< NULL, or marks as in seqrec_filter: only marked items may come next. Read until the function is called for
                               the session's next step or the decode returns, so that paths may share them and nothing is copied */
    int64_t bits_first, bits_count;
} seqrec_decode_mask;

/** Runs on the thread that called the decode, before each step, once for each path in order; a return other than 0 ends the decode
 * (E_CANCELLED). It must not use the session. */
typedef int32_t (*seqrec_mask_fn)(void *context, seqrec_decode_mask *mask);

/** An item that a decode has settled on while it goes on (seqrec_decode.told). */
typedef struct seqrec_decoded {
    size_t struct_size;
    int64_t session; /**< its number in seqrec_sessions_decode, else 0 */
    int64_t path;    /**< number of the path; -1: all paths of a beam have it */
    int64_t step;    /**< its place in the path, from 0 */
    int64_t item;
    double log_probability; /**< natural logarithm, of the item behind those before it; a path's is the sum over its items */
} seqrec_decoded;

/** Runs on the thread that called the decode; a return other than 0 ends it in good order, with what is found so far. It must not use
 * the session. */
typedef int32_t (*seqrec_decoded_fn)(void *context, const seqrec_decoded *item);

/** How a session is gone on with. Zero the struct and set struct_size; zero means the value in brackets. */
typedef struct seqrec_decode {
    size_t struct_size;
    int32_t method;     /**< SEQREC_DECODE_* */
    int32_t repeats;    /**< 1: an item may come several times in a path */
    int64_t steps;      /**< items of a path: 1 .. 4,096 [1] */
    int64_t width;      /**< paths: 1 .. 4,096 [1]; greedy has one. All paths have `steps` items, so that a beam ranked by log
                             probability per item ranks them the same */
    int64_t top_k;      /**< sample: draw from this many best items of a step only; 0: from all */
    double temperature; /**< divides the scores: 1e-4 .. 1e4 [1] */
    uint64_t seed;      /**< of what is drawn */
    int64_t interval;   /**< models with option `time` or `calendar`: seconds from an item of a path to the next; the first comes when the session
                             is asked [0] */
    double top_p;       /**< sample: draw from the nucleus of a step only, the smallest set of best items whose probabilities reach
                             this sum (Holtzman et al. 2020), among the top_k where both are given: above 0, at most 1 [1: all] */
    seqrec_mask_fn mask; /**< NULL, or the host's rule for every place of every path, on top of the filter: e.g. no more than two items
                              of a kind in a path */
    void *mask_context;
    seqrec_decoded_fn told; /**< NULL, or told of items as soon as they are settled, before the pass that takes them in: greedy and
                                 drawn paths of each step, path by path. A beam may drop any of its paths until the end, so what is
                                 settled is only what all its paths begin with: told when that grows, as path -1, often late and seldom
                                 all of it, unless width is 1. Items told in a decode that fails after all were never found */
    void *told_context;
    int64_t *done; /**< out, may be NULL: items of each path that was found (for each session in seqrec_sessions_decode): steps, or
                        fewer when `told` ended the decode; then all paths have those of the step at hand, also those not told any
                        more, and what is behind them in items stays */
    int64_t groups;   /**< beam: diverse beam search (Vijayakumar et al. 2018, "Diverse Beam Search for Improved Description of Complex
                           Scenes", Hamming diversity): so many beams of width / groups paths each, which choose one after another in
                           each step; width is a multiple [1: one beam] */
    double diversity; /**< beam of several groups: an item loses this much of its log probability for each earlier group that chose it
                           in the step at hand, once a group (the paper counts the group's paths: the same where each has one). It weighs
                           in that choice alone; log probabilities of paths are the model's. 0 .. 1e6 [0: groups find the same] */
    double *step_log_probabilities; /**< out, may be NULL: [width][steps] ([n][width][steps] in seqrec_sessions_decode), natural logarithm
                                         of each item's probability behind those before it; a path's is their sum. As with items, only
                                         what was found is written */
} seqrec_decode;

/** Goes on with a session: paths of `steps` items, each item by its probability behind the session and the items of its path before
 * it, a softmax of scores / temperature over the items that may follow: those that the filter (may be NULL) and decode->mask leave, and
 * unless decode->repeats is 1 not those of the path; of drawn paths, over the top_k of these, and over the nucleus of what is left then.
 * items [width][steps]: *found paths (fewer than width where there are no more), of a beam by falling probability (of all its groups
 * together; two groups may have found the same path), of drawn ones in the order of their numbers; log_probabilities [width] or NULL:
 * of each whole path.
 * All paths go through the network together, a token each in a step, as far as the session's rule leaves its cache as it is;
 * beyond, and with SEQREC_SESSION_RECOMPUTES, a step is a pass over the window for each path. The result is that of appending
 * each item and reading, to rounding, and does not depend on threads; path i of a sample depends on seed and i, not on `width`.
 * E_ARGUMENT: the filter leaves fewer items than a path needs, or the mask leaves a drawn path, or all paths of a beam, none (a beam
 * drops paths that cannot go on). E_NUMERIC: a score is +infinite or no number, or all are -infinite. On failure nothing is written. Nothing is appended. Rule S. */
SEQREC_API int32_t seqrec_session_decode(seqrec_session *session, const seqrec_decode *decode, const seqrec_filter *filter,
                                         int64_t *items, double *log_probabilities, int64_t *found, seqrec_error *error);
/** Goes on with n sessions of one pool, of[n], each as seqrec_session_decode does by itself, with the same bits: items
 * [n][width][steps], log_probabilities [n][width] or NULL, found [n], and decode->done [n]. The threads of the context take a session
 * each; drawn paths have the same `seed` in every session. The paths of a session share its keys and values; sessions share nothing but
 * weights. decode->mask and decode->told are called on the calling thread, for some sessions at a time, step by step, session by
 * session; `told` ends its session alone. filter->skipped and strangers count over all sessions. All or nothing: what fails in a session
 * says its number first. E_ARGUMENT: one is NULL or of another pool; E_STATE: one is named twice. With n = 0 items and
 * found may be NULL. Rule S on each. */
SEQREC_API int32_t seqrec_sessions_decode(seqrec_sessions *sessions, seqrec_session *const *of, int64_t n, const seqrec_decode *decode,
                                          const seqrec_filter *filter, int64_t *items, double *log_probabilities, int64_t *found,
                                          seqrec_error *error);
/** How probable a given way on is: log_probabilities [n], natural logarithms, of items [n <= 4,096], each as the next item behind the
 * session and the items before it, by the softmax over all items of the model (temperature 1, no filter, repeats allowed): what
 * seqrec_session_decode says of the paths it finds under the same terms, and what appending item by item and reading gives, to
 * rounding. interval: as in seqrec_decode. E_NOT_FOUND names an item that the model lacks; E_NUMERIC: a score is not a number.
 * Nothing is appended, and on failure nothing written. Rule S. */
SEQREC_API int32_t seqrec_session_follow(seqrec_session *session, const int64_t *items, int64_t n, int64_t interval,
                                         double *log_probabilities, seqrec_error *error);

/** How paths are made one list: the score of an item is the sum, over the paths that have it, of the path's weight times ... */
enum {
    SEQREC_AGGREGATE_RANK = 0, /**< 1 / its place in the path, the first being 1 */
    SEQREC_AGGREGATE_COUNT = 1, /**< 1 */
    SEQREC_AGGREGATE_RELEVANCE = 2 /**< its probability there, behind the items before it: log_probabilities are [width][steps], as
                                        seqrec_decode.step_log_probabilities has them, and all paths weigh alike */
};

/** One list of several paths, as seqrec_session_decode writes them: paths [width][steps]. Drawn rollouts added up like this can be a
 * better forecast of the next many items than any one of them (Volodkevich et al. 2024, "Autoregressive Generation Strategies for
 * Top-K Sequential Recommendations", arXiv 2409.17730, whose reciprocal rank aggregation is SEQREC_AGGREGATE_RANK with equal
 * weights; it also names an aggregation of relevances, of which SEQREC_AGGREGATE_RELEVANCE is our form). log_probabilities [width]: a
 * path weighs exp of its own; NULL (not with RELEVANCE): 1 each, as is right for drawn paths, which come by their probabilities. how:
 * SEQREC_AGGREGATE_*. items [k]: the best of all items in the paths, scores [k] or NULL, *found of them; equal
 * ones in the order in which they first come, path by path. An item that a path has several times counts once, where it comes first.
 * Weights are compared relative to the largest, so that paths too improbable for a double keep their order (their scores are 0 then).
 * width and steps: 0 .. 2^31 - 1 items in all. E_RANGE: a log probability that is NaN or above 0 (by
 * more than 1e-3, which rounding may leave). allocator (NULL: the C library's) is
 * for this call alone. Rule R. */
SEQREC_API int32_t seqrec_aggregate(const seqrec_allocator *allocator, const int64_t *paths, int64_t width, int64_t steps,
                                    const double *log_probabilities, int32_t how, int64_t k, int64_t *items, double *scores,
                                    int64_t *found, seqrec_error *error);
/** Puts a list in an order in which what is alike stands apart, by maximal marginal relevance (Carbonell and Goldstein 1998, "The Use of
 * MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries"): the next item is the one with the largest
 * lambda * relevance - (1 - lambda) * s, where s is the largest cosine of its vector, the one that is scored (with its bias), with those
 * of the items placed before it, 0 for the first. items [n] and relevance [n]: any list, e.g. that of seqrec_topk with more items than
 * are to be shown, or of seqrec_aggregate. Cosines are in -1 .. 1 and relevance is taken as it is: bring it to a like scale, e.g. 0 .. 1
 * over the list. lambda: 0 .. 1; with 1 the order is that of relevance, equal ones as they came. order [least of k and n]: places in the
 * list, the first to show first; values, as long, or NULL: what each had when it was placed. Neither may overlap the list. An item
 * without length is like none; one that is listed twice is as much like itself as can be. Costs k * n inner products. E_NOT_FOUND names
 * an item that the model lacks; E_RANGE: lambda outside its bounds, a relevance that is not finite. Rule R. */
SEQREC_API int32_t seqrec_rerank_mmr(const seqrec_model *model, const int64_t *items, const double *relevance, int64_t n, double lambda,
                                     int64_t k, int64_t *order, double *values, seqrec_error *error);
/** Fills *out with facts about the session. Rule S. */
SEQREC_API int32_t seqrec_session_describe(seqrec_session *session, seqrec_session_info *out, seqrec_error *error);
/** Writes user, events and times as bytes to out[out_bytes]; *needed (may be NULL) gets their number (48 + 16 for each event)
 * whether they fit or not (E_RANGE; out may be NULL for out_bytes 0). Neither weights nor caches are in them. Rule S. */
SEQREC_API int32_t seqrec_session_save(seqrec_session *session, void *out, size_t out_bytes, size_t *needed,
                                       seqrec_error *error);
/** A session of such bytes, that goes on as the saved one would. E_FORMAT names the byte that is wrong; E_ARGUMENT: the pool's model
 * has other options of model scope than the one of the saved session. A model of the same options with other weights or items is
 * welcome: events outlive both, as in seqrec_sessions_swap. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_session_restore(seqrec_sessions *sessions, const void *bytes, size_t count,
                                                            seqrec_session **out, seqrec_error *error);
/** Gives back the session's events and cache, e.g. when its bytes have been saved elsewhere. From then on every call but
 * seqrec_session_release is E_STATE. Rule S. */
SEQREC_API int32_t seqrec_session_evict(seqrec_session *session, seqrec_error *error);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_SESSIONS_H */
