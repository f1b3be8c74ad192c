/* seqrec/core.h: statuses, contexts, options, batches, models, items and their serving. */
/** @file
 * Statuses, contexts, options, batches, models, items and their serving. Conventions are those of seqrec.h.
 */
#ifndef SEQREC_CORE_H
#define SEQREC_CORE_H

#include <stddef.h>
#include <stdint.h>

#define SEQREC_VERSION_MAJOR 0
#define SEQREC_VERSION_MINOR 1
#define SEQREC_VERSION_PATCH 0
#define SEQREC_VERSION_NUMBER (SEQREC_VERSION_MAJOR * 10000 + SEQREC_VERSION_MINOR * 100 + SEQREC_VERSION_PATCH)

#if defined(__GNUC__)
#define SEQREC_API __attribute__((visibility("default")))
#define SEQREC_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SEQREC_API
#define SEQREC_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** @name Status
 * @{ */

/** Status codes; signatures use int32_t. */
enum {
    SEQREC_OK = 0,
    SEQREC_E_ARGUMENT = -1,    /**< NULL, negative count, offsets that decrease, a wrong combination */
    SEQREC_E_RANGE = -2,       /**< an option or parameter outside its documented bounds */
    SEQREC_E_UNSUPPORTED = -3, /**< an option, preset, format or protocol this build does not know */
    SEQREC_E_MEMORY = -4,      /**< the allocator returned NULL */
    SEQREC_E_NOT_FOUND = -5,   /**< an item, user, file or name that is not there */
    SEQREC_E_EXISTS = -6,      /**< an item id that is already there */
    SEQREC_E_STATE = -7,       /**< wrong call order, or a context used in a forked child */
    SEQREC_E_FORMAT = -8,      /**< a file that breaks its format; the message has the line or byte */
    SEQREC_E_IO = -9,          /**< the operating system refused to read or write */
    SEQREC_E_CANCELLED = -10,  /**< a callback asked to stop */
    SEQREC_E_NUMERIC = -11,    /**< a loss or gradient is not finite; nothing was changed */
    SEQREC_E_DEPENDENCY = -12  /**< the linked BLIS differs from the one compiled against */
};

/** Caller-owned description of one failure; 256 bytes, frozen. */
typedef struct seqrec_error {
    int32_t status;
    int32_t reserved;
    char message[248]; /**< UTF-8, always terminated */
} seqrec_error;

/** Name of a status code, e.g. "SEQREC_E_RANGE"; never NULL. Rule R. */
SEQREC_API const char *seqrec_status_name(int32_t status);

/** SEQREC_VERSION_NUMBER of the library actually loaded. Rule R. */
SEQREC_API int32_t seqrec_version(void);

/** One line on this build: version, compiler, BLIS version and flavour, instruction sets. Never NULL. Rule R. */
SEQREC_API const char *seqrec_build_info(void);

/** @} */

/** @name Host services
 * @{ */

/** The host's allocator. `allocate` returns a block of `bytes` at `alignment` (a power of two), or NULL;
 * `release` gets the same bytes and alignment back. `bytes` is never 0. Called from any thread the context uses. */
typedef struct seqrec_allocator {
    size_t struct_size;
    void *context;
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    void (*release)(void *context, void *block, size_t bytes, size_t alignment);
} seqrec_allocator;

/** The host's thread pool: `run` calls body(arg, task) once for each task in [0, tasks), at most `width` at a time,
 * and returns when all have returned. Bodies may run on any thread and never block on one another. One context never calls `run`
 * from inside a body, nor from two threads at once: a call that comes meanwhile runs its loops on its own thread. Contexts that
 * share an executor know nothing of one another, and may. */
typedef struct seqrec_executor {
    size_t struct_size;
    void *context;
    int32_t width;
    int32_t reserved;
    void (*run)(void *context, int32_t tasks, void (*body)(void *arg, int32_t task), void *arg);
} seqrec_executor;

/** A finished line of text; level 0 = debug, 1 = information, 2 = warning. */
typedef void (*seqrec_log_fn)(void *context, int32_t level, const char *utf8_line);

/** Progress of a long call; a return other than 0 asks it to stop (SEQREC_E_CANCELLED).
 * `stage` is one of "read", "train", "evaluate", "synthesize". Runs on the calling thread. */
typedef int32_t (*seqrec_progress_fn)(void *context, const char *stage, int64_t done, int64_t total);

/** Threads, allocator and log shared by datasets, models and trainers; they retain it. */
typedef struct seqrec_context seqrec_context;

/** Creates a context. `threads` 0 and 1 create no thread; n > 1 creates n - 1 workers (at most 256). With `executor`, its
 * threads are used instead and `threads` must be 0. All pointers but `out` may be NULL. The BLIS version is checked here
 * (SEQREC_E_DEPENDENCY) and its buffers are warmed up; memory inside BLIS does not go through `allocator`.
 * In a forked child the context, and models, trainers and sessions on it, answer SEQREC_E_STATE; they may be released there, and
 * datasets and reports read. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_context_create(const seqrec_allocator *allocator,
                                                           const seqrec_executor *executor, int32_t threads,
                                                           seqrec_log_fn log, void *log_context,
                                                           seqrec_context **out, seqrec_error *error);
/** Drops the caller's reference; workers end when the last user of the context is gone. Rule C. */
SEQREC_API void seqrec_context_release(seqrec_context *context);

/** @} */

/** @name Options
 * One table of named options drives the setter, the checks, the reference page and what a model file stores.
 * @{ */

/** A set of options; created with the defaults of preset "sasrec". */
typedef struct seqrec_config seqrec_config;

/** One row of the option table. Strings are static. */
typedef struct seqrec_option_info {
    size_t struct_size;
    const char *name;
    const char *scope;      /**< "model" (stored, fixed), "training" (stored, free), "runtime" (never stored; none at present) */
    const char *kind;       /**< "integer", "real", "boolean", "choice" */
    const char *initial;    /**< default as text */
    const char *choices;    /**< for a choice: "a|b|c"; else NULL */
    double lowest, highest; /**< bounds of numbers, inclusive */
    const char *since;      /**< version that introduced it */
    const char *help;       /**< one sentence */
    const char *needs;      /**< "gates=position|content": not read unless gates is one of these ("!=": none of them); several, with
                                 " or " between, of which one must hold; what these need must hold too. NULL: nothing is known to
                                 leave it unread, though it may be refused */
} seqrec_option_info;

/** Creates a set of options; `allocator` may be NULL. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_config_create(const seqrec_allocator *allocator, seqrec_config **out,
                                                          seqrec_error *error);
/** Frees a set of options; models and trainers made with it keep their own copy. Rule C. */
SEQREC_API void seqrec_config_release(seqrec_config *config);
/** Resets every option to the preset's value. Presets: seqrec_preset_name(). E_UNSUPPORTED names the nearest. Rule C. */
SEQREC_API int32_t seqrec_config_preset(seqrec_config *config, const char *preset, seqrec_error *error);
/** Sets one option from text (numbers in the C locale whatever the process has). E_UNSUPPORTED: unknown name or choice, with
 * the nearest valid one; E_RANGE: out of bounds; E_FORMAT: not a number. Rule C. */
SEQREC_API int32_t seqrec_config_set(seqrec_config *config, const char *name, const char *value, seqrec_error *error);
/** Copies the option's value as text into out[out_bytes] (terminated); *needed (may be NULL) gets the bytes wanted with the
 * terminator. E_RANGE when it did not fit. Rule R. */
SEQREC_API int32_t seqrec_config_get(const seqrec_config *config, const char *name, char *out, size_t out_bytes,
                                     size_t *needed, seqrec_error *error);
/** Describes option `index` (0, 1, ...); E_NOT_FOUND past the last. Set out->struct_size first. Rule R. */
SEQREC_API int32_t seqrec_option_describe(int32_t index, seqrec_option_info *out);
/** Name of preset `index`, NULL past the last. Rule R. */
SEQREC_API const char *seqrec_preset_name(int32_t index);

/** @} */

/** @name Batches
 * @{ */

/** Borrowed view of B sequences in compressed rows; nothing is kept after the call. Zero the struct, set struct_size.
 * Events of a sequence are in time order, oldest first. */
typedef struct seqrec_batch {
    size_t struct_size;
    int64_t sequences;            /**< B >= 0 */
    const int64_t *offsets;       /**< [B+1], offsets[0] = 0, non-decreasing */
    const int64_t *items;         /**< [offsets[B]] item ids */
    const int64_t *timestamps;    /**< [offsets[B]] seconds, or NULL; models with option `time` or `calendar` need them, non-decreasing in a sequence */
    const float *values;          /**< [offsets[B]] ratings or the like, or NULL */
    const float *weights;         /**< [offsets[B]] 0 .. 1e15, or NULL: of each event as a target of training; of weight 0 it is none */
    const int32_t *actions;       /**< [offsets[B]] kinds of event, or NULL; no release reads them so far */
    const int64_t *users;         /**< [B] user ids, or NULL; models with option user_embedding train and serve by them */
    const int64_t *request_times; /**< [B] seconds, not before the newest event, or NULL: that of the newest event the model knows; read by models with time
                                       = bias or `calendar`, and as the time of what comes next with mask = bidirectional */
} seqrec_batch;

/** @} */

/** @name Model
 * @{ */

/** Weights and item table. Reads take a consistent snapshot; a writer publishes the next one. Reference counted. */
typedef struct seqrec_model seqrec_model;

/** Creates an untrained model without items from the model-scope options of `config` (seed: option `seed`). Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_create(seqrec_context *context, const seqrec_config *config,
                                                         seqrec_model **out, seqrec_error *error);
/** Adds a reference and returns the same handle. Rule R. */
SEQREC_API seqrec_model *seqrec_model_retain(seqrec_model *model);
/** Drops a reference. Rule R. */
SEQREC_API void seqrec_model_release(seqrec_model *model);
/** Writes the model to `path` through a temporary name, fsync and rename: the old file stays until the new one is whole. R. */
SEQREC_API int32_t seqrec_model_save(const seqrec_model *model, const char *path, seqrec_error *error);
/** Loads a model file. Everything in it is checked first: E_FORMAT with byte or tensor name; nothing is half loaded. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_load(seqrec_context *context, const char *path, seqrec_model **out,
                                                       seqrec_error *error);
/** A new config with the options stored in the model; the caller releases it. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_config(const seqrec_model *model, seqrec_config **out,
                                                         seqrec_error *error);
/** A text the model carries (e.g. "split", "data_hash", "preset", "epochs"; "lost": what its file had lost, where that was written to serve
 * from), as seqrec_config_get; E_NOT_FOUND if unset. R. */
SEQREC_API int32_t seqrec_model_note(const seqrec_model *model, const char *key, char *out, size_t out_bytes,
                                     size_t *needed, seqrec_error *error);
/** Sets such a text (key and value at most 255 bytes, at most 64 keys), or removes it with value NULL. Keys that a training
 * writes do not count: "data_hash", "epochs", "kcore", "min_value", "split". Rule W. */
SEQREC_API int32_t seqrec_model_set_note(seqrec_model *model, const char *key, const char *value, seqrec_error *error);

/** @} */

/** @name Items
 * The embedding table by item id, on a live model. Vectors have seqrec_items_width() floats: the item's vector of d floats,
 * and behind it, when option `tied_output` is false, its output vector of d floats. With option `item_bias` each of the two has
 * d + 1: the last of the one that is scored is the item's bias, which begins at 0.
 * @{ */

/** Adds n items. vectors [n][width], or NULL to initialise them as training does, from (seed, id). All or nothing:
 * E_EXISTS names the first id that is there already, E_ARGUMENT one that occurs twice or a vector that is not finite. W. */
SEQREC_API int32_t seqrec_items_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                    seqrec_error *error);
/** Overwrites the vectors of n items that exist (E_NOT_FOUND otherwise); optimiser state of the rows starts anew. W. */
SEQREC_API int32_t seqrec_items_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                       seqrec_error *error);
/** Removes n items; they are never recommended again and their slots are reused under a new generation. W. */
SEQREC_API int32_t seqrec_items_remove(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error);
/** Copies the vectors of n items to out [n][width]. E_NOT_FOUND names the first missing id. Rule R. */
SEQREC_API int32_t seqrec_items_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out,
                                    seqrec_error *error);
/** Where an item lives: slot (int32) and generation, which changes when a slot is reused. Rule R. */
SEQREC_API int32_t seqrec_items_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                                       seqrec_error *error);
/** Number of items; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_items_count(const seqrec_model *model);
/** Floats per item vector; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_items_width(const seqrec_model *model);
/** Iterates over ids in slot order: start with *cursor = 0; fills ids[capacity] (capacity >= 1, else E_ARGUMENT), sets *n; the walk is over when *n is 0.
 * Items changed between calls may or may not be seen. Rule R. */
SEQREC_API int32_t seqrec_items_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity,
                                     int64_t *n, seqrec_error *error);
/** Names n items (UTF-8, at most 4,096 bytes each, unique), as readers do for ids that are not numbers. Rule W. */
SEQREC_API int32_t seqrec_items_set_names(seqrec_model *model, const int64_t *ids, const char *const *names, int64_t n,
                                          seqrec_error *error);
/** The name of an item as seqrec_config_get copies text; E_NOT_FOUND if it has none. Rule R. */
SEQREC_API int32_t seqrec_items_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                                     seqrec_error *error);
/** The id of the item called `name`. Rule R. */
SEQREC_API int32_t seqrec_items_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error);

/** @} */

/** @name Serving
 * @{ */

/** What happens to ids in a history that the model does not have. */
enum { SEQREC_UNKNOWN_SKIP = 0, SEQREC_UNKNOWN_ERROR = 1 };

/** Filters of a top-k call. Zero the struct and set struct_size; zero means: keep seen items, no lists, skip unknown ids. */
typedef struct seqrec_filter {
    size_t struct_size;
    int32_t exclude_seen;  /**< 1: items of the sequence itself (all of it, not only the window) are not recommended */
    int32_t unknown_items; /**< SEQREC_UNKNOWN_* for histories and lists */
    const int64_t *allow;  /**< only these ids, or NULL for all */
    int64_t allow_count;
    const int64_t *deny; /**< never these ids, or NULL */
    int64_t deny_count;
    int64_t *skipped; /**< out, may be NULL: how many ids of histories and lists were unknown and skipped */
    int64_t *strangers; /**< out, may be NULL: sequences whose user has no row in a model with users (0 in others) */
    const uint64_t *bits; /**< NULL, or the host's own marks: the item with id bits_first + i may be recommended when bit i % 64 of word
                           * i / 64 is set, i < bits_count; other ids may not */
    int64_t bits_first;   /**< any id */
    int64_t bits_count;   /**< bits, not words */
} seqrec_filter;

/** Scores candidates for each sequence from its raw history (users need not have been trained, and batch->users may be NULL).
 * With candidate_offsets NULL, all B sequences get the same `n` candidates and scores is [B][n]; otherwise sequence b gets
 * candidates[candidate_offsets[b]..candidate_offsets[b+1]) and scores has the same layout (n is ignored).
 * An unknown candidate is E_NOT_FOUND. An empty history scores with the zero vector: every score is 0.
 * filter may be NULL; only its unknown_items, skipped and strangers are used. Rule R. */
SEQREC_API int32_t seqrec_score(const seqrec_model *model, const seqrec_batch *batch, const int64_t *candidates,
                                const int64_t *candidate_offsets, int64_t n, const seqrec_filter *filter, float *scores,
                                seqrec_error *error);
/** Exact top-k over the whole catalogue for each sequence (but see seqrec_model_quantise and seqrec_model_set_index): items [B][k] by falling score (equal scores by rising slot),
 * scores [B][k] or NULL, found [B]: how many of the k are filled: fewer, down to none, where the model or its filters have fewer. Rule R. */
SEQREC_API int32_t seqrec_topk(const seqrec_model *model, const seqrec_batch *batch, int64_t k,
                               const seqrec_filter *filter, int64_t *items, float *scores, int64_t *found,
                               seqrec_error *error);
/** Writes the user vector of each sequence to out [B][d] (d = option `dim`): score = <vector, output vector of item>, and with
 * option score = cosine the same divided by the length of the output vector; with option `item_bias` plus the item's. R. */
SEQREC_API int32_t seqrec_encode(const seqrec_model *model, const seqrec_batch *batch, const seqrec_filter *filter,
                                 float *out, seqrec_error *error);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_CORE_H */
