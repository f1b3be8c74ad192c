/* seqrec.h: the public interface of libseqrec, self-attentive sequential recommendation. */
/** @file
 * The public interface of libseqrec, self-attentive sequential recommendation.
 *
 * Conventions that hold for every function:
 *   - Fallible calls return a status: SEQREC_OK (0) or a negative SEQREC_E_* code. The optional last parameter
 *     `error` (may be NULL) receives the code and a sentence naming the value and the rule; it is written only on failure.
 *   - A failed call changes nothing: handles stay usable, outputs of multi-item calls are all or nothing.
 *   - Handles are opaque. Every *_release accepts NULL.
 *   - Thread rule, stated per function: R = any number of threads at once, also beside one W call on the same handle;
 *     W = one thread at a time per handle; C = one thread at a time, alone on that handle; S, of sessions = W on the session, R on its pool.
 *   - What comes through an `**out` is the caller's to release, with the function of its kind; on failure *out is as it was.
 *   - A struct that begins with `struct_size` may be of another release of this header. The host zeroes it and sets struct_size to
 *     sizeof it: E_ARGUMENT when that is less than the struct had in its first release, E_UNSUPPORTED when bytes this library does
 *     not know are not 0; of a longer struct that is filled in, what this library does not know stays as it was. In structs that
 *     the library passes to callbacks it sets struct_size itself: a field behind that is not there.
 *   - Ids are the host's own int64 values; no value is reserved for padding or "none".
 *   - Shapes are row-major. B sequences, N events in all, V items, d = option `dim`, k list length.
 *   - Nothing is printed, no environment is read, no thread is created unless asked for; callbacks run on the calling thread
 *     unless said otherwise and must not unwind through the library.
 */
#ifndef SEQREC_H
#define SEQREC_H

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

/** @}
 * @name Host services
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

/** @}
 * @name Options
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

/** @}
 * @name Batches
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
    const int32_t *actions;       /**< [offsets[B]] kinds of event, or NULL */
    const int64_t *users;         /**< [B] user ids, or NULL; models with option user_embedding train and serve by them */
    const int64_t *request_times; /**< [B] seconds, not before the newest event, or NULL: that of the newest event the model knows; read by models with time
                                       = bias or `calendar`, and as the time of what comes next with mask = bidirectional */
} seqrec_batch;

/** @}
 * @name Model
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
/** A text the model carries (e.g. "split", "data_hash", "preset", "epochs"), as seqrec_config_get; E_NOT_FOUND if unset. R. */
SEQREC_API int32_t seqrec_model_note(const seqrec_model *model, const char *key, char *out, size_t out_bytes,
                                     size_t *needed, seqrec_error *error);
/** Sets such a text (key and value at most 255 bytes, at most 64 keys), or removes it with value NULL. Keys that a training
 * writes do not count: "data_hash", "epochs", "kcore", "min_value", "split". Rule W. */
SEQREC_API int32_t seqrec_model_set_note(seqrec_model *model, const char *key, const char *value, seqrec_error *error);

/** @}
 * @name Items
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

/** @}
 * @name Serving
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

/* ======================================================================================================================
 * EXPERIMENTAL from here on: exported under the symbol version SEQREC_EXPERIMENTAL, outside the ABI promise for now.
 * ====================================================================================================================== */

/** @}
 * @name Retrieval at scale (experimental)
 * @{ */

/** What a model keeps of its item vectors beside float32, for seqrec_topk to scan. */
enum {
    SEQREC_TABLE_FLOAT32 = 0, /**< nothing: all scores from float32 */
    SEQREC_TABLE_BF16 = 1,    /**< the upper 16 bits of each float, rounded: half the bytes */
    SEQREC_TABLE_INT8 = 2     /**< 8 bits and one scale a vector: a quarter */
};

/** Makes copies of the item vectors in few bits (SEQREC_TABLE_*), or drops them (SEQREC_TABLE_FLOAT32). From then on seqrec_topk
 * without an allow list scans the copies for 2 k + 32 candidates a sequence, scores these from float32, and returns the best k.
 * Scores are therefore those of seqrec_score, bit for bit; an item can only be missing when more than k + 32 others look better in
 * the copies: at k = 10 and vectors of 64 floats tests hold int8 to a recall of .99 against float32, bf16 to .999. Every
 * change of items or weights keeps the copies in step, in the snapshot that it publishes: readers never wait, and see row and copy
 * change together. Costs width + 4 (int8) or 2 width (bf16) bytes an item, width rounded up to 16, and on a change of items
 * copies of the 1,024 rows around each. Not stored by seqrec_model_save. E_RANGE: another number. Rule W. */
SEQREC_API int32_t seqrec_model_quantise(seqrec_model *model, int32_t table, seqrec_error *error);
/** Writes a file for serving: no optimiser state, and copies of the item vectors (SEQREC_TABLE_*) that seqrec_topk scans once it is
 * loaded. rows = 1: the float32 vectors are there too, as they lie in memory, so that seqrec_model_map can leave them in the
 * file; items are numbered without gaps then, under a new generation when there were any. rows = 0: vectors are kept in few bits only
 * (E_ARGUMENT with SEQREC_TABLE_FLOAT32), in a half or a quarter of the bytes; loading makes float32 of them, and scores are those of
 * what is left. Its metadata say what the file lost; whatever is loaded from it serves and takes changes of items, but cannot be
 * trained (E_STATE), and says so again when it is saved. Atomic as seqrec_model_save; read by seqrec_model_load. Rule R. */
SEQREC_API int32_t seqrec_model_export(const seqrec_model *model, const char *path, int32_t table, int32_t rows, seqrec_error *error);

enum { SEQREC_MAP_VERIFY = 1 /**< reads the whole file first and checks all sums */ };

/** Loads a file of seqrec_model_export with rows so that the float32 vectors and their copies stay in the file, mapped read-only:
 * processes that map one file share its pages, and vectors of which only a few are scored from float32 are paged in as they are asked
 * for. Changes of items copy the 1,024 rows around each into memory. E_UNSUPPORTED: a file without rows. Header, sizes, places,
 * options, parameters, ids and names are checked as by seqrec_model_load. Not checked without SEQREC_MAP_VERIFY: the sums of vectors
 * and copies, and in no case whether vectors are finite; a wrong value can only make wrong scores. The file must not be changed in
 * place or cut short while a model maps it: the system then ends the process with a signal. Replace it by renaming another over it,
 * as all writers of this library do. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_map(seqrec_context *context, const char *path, int32_t flags, seqrec_model **out,
                                                      seqrec_error *error);
/** As seqrec_model_load, for a model that shall read longer histories than it was trained on: max_length events instead of its own (E_RANGE:
 * fewer). It is a model of that max_length from then on. Nothing in it changes what a history within the old window gives: an HSTU normaliser and a
 * spectral window that stood for max_length keep their number, and distances beyond the trained ones are read as the farthest of these
 * (Shaw's terms, HSTU's bias, position = reversed; T5's last bucket has no end, ALiBi and rotary go on by their formula). E_UNSUPPORTED:
 * positions counted from the window's end or start and gates by position, which have parameters for each place. Whether it is any good there is for an evaluation to say. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_load_longer(seqrec_context *context, const char *path, int64_t max_length,
                                                              seqrec_model **out, seqrec_error *error);

/** @}
 * @name Indexes (experimental)
 * An approximate index, made by the host or by libseqrec-ann (seqrec_ann.h), behind seqrec_topk and seqrec_session_topk. It only names
 * candidates: scores, filters and what an item is now are the library's.
 * @{ */

/** The vectors that scores are made of, of all items at one moment: what an index is built of. Immutable; reference counted. */
typedef struct seqrec_vectors seqrec_vectors;

/** Facts about such vectors. Set struct_size first. */
typedef struct seqrec_vectors_info {
    size_t struct_size;
    int64_t items; /**< with a vector */
    int64_t slots; /**< places there are: every item has a slot in 0 .. slots - 1 (seqrec_items_locate) */
    int64_t width; /**< floats of a vector: option `dim`, one more with option `item_bias` */
    int32_t cosine; /**< 1: vectors are read with length 1, so that an inner product is what score = cosine ranks by */
    int32_t reserved;
} seqrec_vectors_info;

/** The vectors of now; later changes of the model do not show in them. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_vectors_open(const seqrec_model *model, seqrec_vectors **out, seqrec_error *error);
/** Adds a reference and returns the same handle. Rule R. */
SEQREC_API seqrec_vectors *seqrec_vectors_retain(seqrec_vectors *vectors);
/** Drops a reference. Rule R. */
SEQREC_API void seqrec_vectors_release(seqrec_vectors *vectors);
/** Fills *out with facts about the vectors. Rule R. */
SEQREC_API int32_t seqrec_vectors_describe(const seqrec_vectors *vectors, seqrec_vectors_info *out, seqrec_error *error);
/** Copies the vectors of slots first .. first + n - 1 (E_RANGE: outside 0 .. slots) to out [n][width]; live [n] (may be NULL) gets 1
 * where an item lives and 0 where none does, whose vector is zero. The score of an item for a user is the inner product of its vector
 * with the one that seqrec_index.search is given, up to rounding. Rule R. */
SEQREC_API int32_t seqrec_vectors_read(const seqrec_vectors *vectors, int64_t first, int64_t n, float *out, uint8_t *live,
                                       seqrec_error *error);
/** What changed in these slots since `before` was opened: changes [n] gets 0 where nothing did, 1 where an item is new or has another
 * vector, and 2 where one is gone and none has come. E_ARGUMENT: vectors of different widths. Rule R. */
SEQREC_API int32_t seqrec_vectors_compare(const seqrec_vectors *vectors, const seqrec_vectors *before, int64_t first, int64_t n,
                                          uint8_t *changes, seqrec_error *error);
/** XXH3 of slot, id and vector of every item, to *out: equal for a model and the file it was saved to, unless saving had to close gaps
 * of its table: the last slot of n items was 4 n + 1,000,000 or more. Reads all vectors. Rule R. */
SEQREC_API int32_t seqrec_vectors_checksum(const seqrec_vectors *vectors, uint64_t *out, seqrec_error *error);

/** An index of vectors that were opened, as functions. Zero the struct and set struct_size. */
typedef struct seqrec_index {
    size_t struct_size;
    void *context;   /**< of the host, for the functions; NULL is allowed */
    int64_t breadth; /**< the fewest candidates a search is asked for: 1 .. 65,536; more find better lists more slowly */
    /** Writes about `want` (never more) slots of items with the greatest inner products with query [width], in any order, each once, and
     * *found, how many they are: fewer than `want` means that there are no more to be had. A status other than SEQREC_OK lets the library
     * score all items instead. Any number of threads at once, those of the context among them; it must neither call the library for this
     * model nor unwind. The same query must always get the same answer if lists are to be the same. */
    int32_t (*search)(void *context, const float *query, int64_t want, int32_t *slots, int64_t *found);
    /** Called once, when no call can use the index any more, by whichever thread ends its use, with the same rules; may be NULL. */
    void (*release)(void *context);
} seqrec_index;

/** Facts about the index of a model. Set struct_size first. */
typedef struct seqrec_index_info {
    size_t struct_size;
    int32_t attached; /**< 0: there is none, and all else is 0 */
    int32_t reserved;
    int64_t covered;  /**< items that it knows as they are */
    int64_t beside;   /**< items that came or changed since, which every search scores one by one */
    int64_t searched; /**< lists that it gave, since it was attached */
    int64_t scanned;  /**< lists made by scoring all items instead */
    int64_t failed;   /**< of these, because a search failed */
} seqrec_index_info;

/** Puts an index of `vectors` behind seqrec_topk and seqrec_session_topk of `model`, in the place of the one before it; index NULL: takes
 * it away (vectors are not looked at then). From then on lists without an allow list are approximate: the index names candidates, at least
 * `breadth` and 2 k + 32 of them and more where filters let through fewer, whose scores are those of seqrec_score bit for bit. Items put or
 * updated after `vectors` were opened are scored one by one beside it, removed ones never recommended, so that changes of items cost what
 * they did. All items are scored, as without an index, where it cannot find enough: users without a history, a list too long, filters that
 * let too few through, a search that fails. Decoding, scores and evaluations do not use it; it is not saved with the model. When more than a
 * quarter of the items are beside the index, or a quarter of its items are gone (a training that publishes other weights for all), it is
 * dropped; E_STATE: that is so already. E_ARGUMENT: vectors of another shape than the model's. On failure index->context stays the
 * caller's. A reader never waits for a search or for a change of index. Rule W. */
SEQREC_API int32_t seqrec_model_set_index(seqrec_model *model, const seqrec_vectors *vectors, const seqrec_index *index,
                                          seqrec_error *error);
/** Fills *out with facts about the model's index. Rule R. */
SEQREC_API int32_t seqrec_model_describe_index(const seqrec_model *model, seqrec_index_info *out, seqrec_error *error);

/** @}
 * @name Users (experimental)
 * The vectors of users by the host's user ids, on a live model whose option `user_embedding` is not none (SSE-PT, Wu et al.,
 * RecSys 2020). Rows behave as those of items do. A vector has seqrec_users_width() floats: `dim`, or `user_dim` when
 * concatenated. Whoever has no row, or comes without an id, gets the model's default vector, which training learns
 * where `user_default_share` is above 0 and leaves at zero where it is 0, as in preset `sse-pt`, but for the events of users without a row
 * that a fit meets (who were forgotten). seqrec_topk, seqrec_score and seqrec_encode take the users from batch->users. With user_embedding
 * = concatenated their scores leave out the user's own part, which is the same for every item.
 * @{ */

/** Adds n users. vectors [n][width], or NULL to start them as training does, from (seed, id). All or nothing: E_EXISTS names the
 * first id that is there already, E_ARGUMENT one that occurs twice, a vector that is not finite, or a model without users. W. */
SEQREC_API int32_t seqrec_users_put(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                    seqrec_error *error);
/** Overwrites the vectors of n users that exist (E_NOT_FOUND otherwise); optimiser state of the rows starts anew. W. */
SEQREC_API int32_t seqrec_users_update(seqrec_model *model, const int64_t *ids, int64_t n, const float *vectors,
                                       seqrec_error *error);
/** Forgets n users (E_NOT_FOUND otherwise; all or nothing): vector and name are gone from what readers see from now on, and from
 * files written from now on. A call that runs meanwhile may still use the old rows; their memory is zeroed when the last such
 * call ends. A trainer of the model drops its own rows, optimiser state and kept weights of them at its next call (step, fit,
 * publish, save) or with seqrec_trainer_release; a fit that runs in another thread does so before its next epoch. Not undone:
 * files written before, what the weights that all users share have learned from them, and what calls left in working memory,
 * which later calls overwrite. W. */
SEQREC_API int32_t seqrec_users_forget(seqrec_model *model, const int64_t *ids, int64_t n, seqrec_error *error);
/** Copies the vectors of n users to out [n][width]. E_NOT_FOUND names the first missing id. Rule R. */
SEQREC_API int32_t seqrec_users_get(const seqrec_model *model, const int64_t *ids, int64_t n, float *out,
                                    seqrec_error *error);
/** Where a user lives: slot (int32) and generation, which changes when a slot is reused. Rule R. */
SEQREC_API int32_t seqrec_users_locate(const seqrec_model *model, int64_t id, int32_t *slot, int32_t *generation,
                                       seqrec_error *error);
/** Number of users with a row; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_users_count(const seqrec_model *model);
/** Floats per user vector; -1 for a NULL model. Rule R. */
SEQREC_API int64_t seqrec_users_width(const seqrec_model *model);
/** Iterates over ids in slot order, as seqrec_items_next. Rule R. */
SEQREC_API int32_t seqrec_users_next(const seqrec_model *model, int64_t *cursor, int64_t *ids, int64_t capacity,
                                     int64_t *n, seqrec_error *error);
/** What a dataset of texts calls a user, as seqrec_items_name gives it; E_NOT_FOUND if the model was not told by name. Rule R. */
SEQREC_API int32_t seqrec_users_name(const seqrec_model *model, int64_t id, char *out, size_t out_bytes, size_t *needed,
                                     seqrec_error *error);
/** The id of the user whom a dataset of texts calls `name`; E_NOT_FOUND. Rule R. */
SEQREC_API int32_t seqrec_users_find(const seqrec_model *model, const char *name, int64_t *id, seqrec_error *error);

/** @}
 * @name Sessions (experimental)
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

/** @}
 * @name Datasets (experimental)
 * @{ */

/** Events grouped by user in time order, with the catalogue of all items. Immutable; reference counted. */
typedef struct seqrec_dataset seqrec_dataset;

/** How to read a text file. Zero the struct and set struct_size; NULL strings mean "detect" or "by the header": where that has no
 * usual name of times, a warning in the context's log names the columns that are not read. Without a header columns are user, item, value,
 * timestamp; of three the third is a timestamp where all are 1e8 and above, a value where all are within 10,000 of 0, else E_FORMAT. */
typedef struct seqrec_reader {
    size_t struct_size;
    const char *format;    /**< "auto", "pairs" (user item), "movielens" (u::i::r::t), "csv", "tsv", "inter", "sequences", "udata" */
    const char *user;      /**< column by header name or by number from 1 */
    const char *item;
    const char *value;     /**< "" = none */
    const char *timestamp; /**< "" = none; seconds, of which a fraction is cut off: events of one second stay in the order of the file */
    const char *separator; /**< one or several bytes */
    int32_t header;        /**< 0 = detect, 1 = the first line is a header, -1 = it is not */
    int32_t has_minimum;   /**< 1: keep only events whose value is at least minimum_value */
    double minimum_value;
    seqrec_progress_fn progress; /**< may be NULL; counts bytes, and is asked when a signal ends a wait for them */
    void *progress_context;
} seqrec_reader;

/** Facts about a dataset. Set struct_size first. */
typedef struct seqrec_dataset_stats {
    size_t struct_size;
    int64_t users, items, events;
    int64_t shortest, longest;
    double length_quantiles[5]; /**< 5, 25, 50, 75, 95 % of the events per user */
    double density;             /**< events / (users * items) */
    int64_t repeats;            /**< events whose (user, item) occurred before */
    int64_t ties;               /**< events at the same instant as the user's event before */
    int32_t has_timestamps, has_values, has_names, reserved;
    uint64_t hash; /**< XXH3 of ids, order and, where ids are texts, these; what a model file records */
    uint64_t values_hash; /**< XXH3 of the values of the events in their order; 0 where has_values is 0 */
} seqrec_dataset_stats;

/** Makes a dataset of a host's arrays: batch->users are the user ids (NULL: 0..B-1), events in order within a user. With
 * timestamps they are sorted by (time, input order); a user given twice is joined, one without events is left out. Copies everything. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_create(seqrec_context *context, const seqrec_batch *batch,
                                                           seqrec_dataset **out, seqrec_error *error);
/** Reads a text file; errors name line and rule. Ids that are all integers are kept as they are; otherwise all get ids in the
 * order of first appearance from 1 and their text is kept as name. Sorted by (user's first appearance, time, input order). Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_read(seqrec_context *context, const char *path,
                                                         const seqrec_reader *reader, seqrec_dataset **out,
                                                         seqrec_error *error);
/** Adds a reference and returns the same handle. Rule R. */
SEQREC_API seqrec_dataset *seqrec_dataset_retain(seqrec_dataset *dataset);
/** Drops a reference. Rule R. */
SEQREC_API void seqrec_dataset_release(seqrec_dataset *dataset);
/** Iterated k-core: drops users with fewer than user_min and items with fewer than item_min events until nothing changes. R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_kcore(const seqrec_dataset *dataset, int64_t user_min,
                                                          int64_t item_min, seqrec_dataset **out, seqrec_error *error);
/** A copy with noise, for studies of what it does: each training event (under `split`, as in seqrec_fit; NULL: leave-one-out)
 * is replaced with probability `share` (in [0, 1], else E_RANGE) by another item, uniform over the dataset's catalogue. Held-out
 * events, users, times and the catalogue stay as they are. A function of (dataset, share, split, seed), where a greater share
 * replaces what a smaller one does, by the same items, and more. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_corrupt(const seqrec_dataset *dataset, double share,
                                                            const char *split, uint64_t seed, seqrec_dataset **out,
                                                            seqrec_error *error);
/** A copy in which the events of a user at the same instant stand in an order drawn anew, with their values: what is known of
 * their order is often that of a list on a screen or of the file, and a result that hangs on it is none. A function of (dataset,
 * seed). E_ARGUMENT without timestamps. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_shuffle_ties(const seqrec_dataset *dataset, uint64_t seed,
                                                                 seqrec_dataset **out, seqrec_error *error);
/** Joins `count` (at least 1) datasets into a new one, in the order given, in the context of parts[0]. Items are matched by id,
 * or by name where the parts have names; so are users, unless users_apart is 1: then each part's users are users of their own,
 * numbered 1, 2, ... in the order of the parts, with their names. Two of them may have one name, so a model tells such users by number
 * alone, also those of a part of the join (seqrec_dataset_kcore and its like); a row whose user the model knows by name is none of
 * theirs. The result, its hash included, is that of one file with the lines of all: events of a user sorted by (time, part, order in
 * the part), named ids given anew from 1. Values are kept when all parts have them. E_ARGUMENT: some parts have names (of items, of
 * users) or timestamps and others not, or users_apart is 0 and a part's users are apart already. The caller releases *out; the parts
 * stay as they are. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_join(const seqrec_dataset *const *parts, int64_t count,
                                                         int32_t users_apart, seqrec_dataset **out,
                                                         seqrec_error *error);
/** Fills *out with facts about the dataset. Rule R. */
SEQREC_API int32_t seqrec_dataset_describe(const seqrec_dataset *dataset, seqrec_dataset_stats *out,
                                           seqrec_error *error);
/** Borrowed view of sequence `index` (in [0, users), else E_RANGE): lives as long as the dataset. Pointers may be NULL. E_MEMORY: the
 * ids of the events are made at the first call that asks for items. Rule R. */
SEQREC_API int32_t seqrec_dataset_sequence(const seqrec_dataset *dataset, int64_t index, int64_t *user,
                                           const int64_t **items, const int64_t **timestamps, int64_t *count,
                                           seqrec_error *error);
/** The values of the events of sequence `index` (ratings or the like), in step with its items, or NULL where the events have none: a
 * borrowed view as that of seqrec_dataset_sequence. E_RANGE as there. Rule R. */
SEQREC_API int32_t seqrec_dataset_values(const seqrec_dataset *dataset, int64_t index, const float **values, seqrec_error *error);
/** How `split` (as seqrec_fit.split; NULL: leave-one-out) divides sequence `index`, whose events a fit takes so: [0, *train_end) are
 * training, [*train_end, *valid_end) validation, and what is behind them test; a part may be empty. Both pointers may be NULL. E_RANGE:
 * an index that seqrec_dataset_sequence refuses; E_FORMAT, E_ARGUMENT, E_UNSUPPORTED: a split that a fit on this dataset refuses. Rule R. */
SEQREC_API int32_t seqrec_dataset_division(const seqrec_dataset *dataset, const char *split, int64_t index, int64_t *train_end,
                                           int64_t *valid_end, seqrec_error *error);
/** Copies the ids of all items of the dataset (its catalogue, in the order of their ids) to ids[items]; *count (may be NULL) gets
 * their number. ids may be NULL for capacity 0, which asks for the number alone; E_RANGE when capacity is smaller. Rule R. */
SEQREC_API int32_t seqrec_dataset_items(const seqrec_dataset *dataset, int64_t *ids, int64_t capacity, int64_t *count,
                                        seqrec_error *error);
/** Name of an item or user when the file had texts, else E_NOT_FOUND; the pointer lives as long as the dataset. Rule R. */
SEQREC_API int32_t seqrec_dataset_item_name(const seqrec_dataset *dataset, int64_t id, const char **name,
                                            seqrec_error *error);
/** The same for a user. Rule R. */
SEQREC_API int32_t seqrec_dataset_user_name(const seqrec_dataset *dataset, int64_t id, const char **name,
                                            seqrec_error *error);
/** Which items of the model the dataset's items ids[n] are, as a fit and an evaluation tell them: texts by name, numbers by id, unless more of
 * the dataset's numbers are names of the model's items than ids of such as have a name. known[i] is 1 and out[i] the id in the model, or known[i] 0 and out[i]
 * what it was. E_NOT_FOUND for an id that is not the dataset's; E_ARGUMENT for texts where no item of the model has a name. Rule R. */
SEQREC_API int32_t seqrec_dataset_match_items(const seqrec_dataset *dataset, const seqrec_model *model, const int64_t *ids, int64_t n,
                                              int64_t *out, uint8_t *known, seqrec_error *error);

/** The synthetic generator: users with a hidden taste that drifts, items in taste clusters, first-order Markov transitions
 * inside a cluster, Zipf popularity. Users come back to items, but never in their last event. Zero the struct and set struct_size; zero means the default in brackets, so that none at all is
 * asked for by a number next to it, such as 1e-12. Outside its bounds a number is E_RANGE. */
typedef struct seqrec_synth {
    size_t struct_size;
    int64_t users;        /**< [2,000] */
    int64_t items;        /**< [500] */
    int64_t clusters;     /**< [10] hidden tastes */
    int64_t shortest;     /**< [10] events per user, uniform in shortest..longest */
    int64_t longest;      /**< [50] */
    double drift;         /**< [0.05] in [0, 1]: probability that a user's taste changes before an event */
    double markov;        /**< [0.6] in [0, 1]: probability that the next item follows the item before it */
    double zipf;          /**< [1.0] in [0, 10]: exponent of popularity inside a cluster */
    int64_t successors;   /**< [3] items that may follow an item */
    uint64_t seed;
} seqrec_synth;

/** Best possible next-item ranking given only the visible history (forward filtering over the hidden taste), over the last
 * event of every user, history filtered as in protocol E4. Set struct_size first. */
typedef struct seqrec_ceiling {
    size_t struct_size;
    int64_t users;
    double hit10, ndcg10;
} seqrec_ceiling;

/** Generates a dataset (`synth` NULL: the default one), and its ceiling when `ceiling` is not NULL. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_dataset_synthesize(seqrec_context *context, const seqrec_synth *synth,
                                                               seqrec_dataset **out, seqrec_ceiling *ceiling,
                                                               seqrec_error *error);

/** @}
 * @name Training (experimental)
 * @{ */

/** Optimiser state, gradients and working memory of one model under training. Holds its own copy of the weights: readers of
 * the model see them at seqrec_trainer_publish (fit publishes by itself). */
typedef struct seqrec_trainer seqrec_trainer;

/** Figures of one step. Set struct_size first. */
typedef struct seqrec_step_stats {
    size_t struct_size;
    int64_t step;     /**< steps committed so far, this one included */
    int64_t targets;  /**< positions with a loss: of a weight above 0 */
    double loss;      /**< weighted mean over the targets */
    double grad_norm; /**< of all gradients before clipping; 0 unless option clip_norm is set */
    double learning_rate;
    int64_t waiting; /**< batches that wait for the step (option accumulate); 0 after a step */
} seqrec_step_stats;

/** Creates a trainer for `model`, which it retains, with the training-scope options of `config` (model scope must agree: E_ARGUMENT).
 * The model's file says these options from then on. Rule W on the model. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_trainer_create(seqrec_model *model, const seqrec_config *config,
                                                           seqrec_trainer **out, seqrec_error *error);
/** Frees the trainer, not its model: what it trained and did not publish is lost. Rule C. */
SEQREC_API void seqrec_trainer_release(seqrec_trainer *trainer);
/** One optimiser step on whole sequences. Each is cut and prepared here: to its last max_length + 1 events, shifted by one, or
 * with objective = cloze to its last max_length events, of which mask_probability are masked (one masking a call). Unknown ids
 * are E_NOT_FOUND unless option unknown_items is skip. A model with users needs batch->users (E_ARGUMENT); an unknown user is
 * E_NOT_FOUND unless option unknown_users is default. batch->weights (or with event_weights = values batch->values) weigh the
 * events as targets: the loss is the weighted mean (with several targets over positions, each of which weighs what the heaviest of
 * its targets does; within it they count in proportion to their weights); a weight that is negative, not finite or above 1e15, and
 * weights of all targets that add up to less than FLT_MIN, are E_ARGUMENT. With option accumulate = n the batch waits (its loss is
 * NaN, stats->waiting says how many do) until n are there, and the n-th call makes one step of them all; events whose items were
 * removed meanwhile, and sequences whose users were forgotten, are passed over. A model that reads times needs
 * batch->timestamps, in order (E_ARGUMENT); option known_items is for fits (E_UNSUPPORTED). E_NUMERIC leaves weights and optimiser
 * untouched. A step no larger than an earlier one allocates nothing. Rule C. */
SEQREC_API int32_t seqrec_trainer_step(seqrec_trainer *trainer, const seqrec_batch *batch, seqrec_step_stats *stats,
                                       seqrec_error *error);
/** Makes the trained weights what readers of the model see. Rule C, and W on the model. */
SEQREC_API int32_t seqrec_trainer_publish(seqrec_trainer *trainer, seqrec_error *error);
/** Makes the best weights so far what readers of the model see: those of the best validation, without validation the running
 * mean (option average_epochs), else the weights as they are. A fit that ends well has done so; after one that failed in the
 * middle, this is how its best weights are kept. E_STATE: no step was taken yet. Rule C, and W on the model. */
SEQREC_API int32_t seqrec_trainer_publish_best(seqrec_trainer *trainer, seqrec_error *error);
/** Changes a training-scope option between steps (e.g. learning_rate), as seqrec_config_set; E_ARGUMENT: another value of an option of the
 * model, or one that does not go with the others. Rule C, and W on the model, whose file says it. */
SEQREC_API int32_t seqrec_trainer_set(seqrec_trainer *trainer, const char *name, const char *value, seqrec_error *error);

/** Weights of n items (0 .. 1e15; items not named have 0; counts NULL: 1 each, a fixed list): training counts for the samplers
 * popularity and log_uniform, and for logq of in_batch and mixed, on batches the host brings (seqrec_trainer_fit counts by
 * itself); the weights themselves for sampler = weights. E_NOT_FOUND names an unknown id; E_ARGUMENT: an id is there twice. Rule C. */
SEQREC_API int32_t seqrec_trainer_set_popularity(seqrec_trainer *trainer, const int64_t *ids, const double *counts,
                                                 int64_t n, seqrec_error *error);

/** Asks the host for the negatives of one step (sampler = host), which it writes over what the two last arrays hold: on entry the
 * first target everywhere, and logarithm 0 or, with logq, NaN, which is refused where it is left. */
typedef struct seqrec_negatives {
    size_t struct_size;
    int64_t tokens;           /**< targets of the batch, sequence by sequence */
    int64_t rows;             /**< tokens, or 1 with negative_sharing = batch */
    int64_t k;                /**< negatives a row: option hard_pool, else negatives */
    const int64_t *targets;   /**< [tokens] item ids; for this call only */
    int64_t *items;           /**< [rows][k] item ids of the model, to be filled in */
    float *log_probabilities; /**< [rows][k] log of the probability of each in one draw, for option logq; else ignored */
} seqrec_negatives;

/** Runs on the thread that called the step, once for each step; a return other than 0 refuses the step (E_CANCELLED). */
typedef int32_t (*seqrec_negatives_fn)(void *context, const seqrec_negatives *request);

/** Sets the function for sampler = host (NULL: none). Option `seen` leaves out what it forbids of what the function brings; an
 * item the model lacks (E_NOT_FOUND) or a number that is no logarithm of a probability (E_ARGUMENT) refuses the step, with
 * weights and optimiser untouched. Not part of a checkpoint. Rule C. */
SEQREC_API int32_t seqrec_trainer_set_negatives(seqrec_trainer *trainer, seqrec_negatives_fn negatives, void *context,
                                                seqrec_error *error);

/** What one epoch gave, told to the callback of seqrec_trainer_fit. */
typedef struct seqrec_epoch_stats {
    size_t struct_size;
    int64_t epoch; /**< from 1 */
    int64_t targets;
    double loss;         /**< weighted mean over the epoch's targets */
    double seconds;      /**< training only */
    double metric;       /**< validation metric, NaN when this epoch was not validated */
    int32_t improved;    /**< 1: the best so far */
    int32_t reserved;
    double learning_rate;
} seqrec_epoch_stats;

/** Called after each epoch; a return other than 0 ends the training in good order (SEQREC_OK, best weights kept). */
typedef int32_t (*seqrec_epoch_fn)(void *context, const seqrec_epoch_stats *stats);

/** How to fit. Zero the struct and set struct_size. Options epochs, batch, valid_every, patience, metric, ... come from config. */
typedef struct seqrec_fit {
    size_t struct_size;
    const char *split;          /**< "leave-one-out" (default), "none", "time:SECONDS:SECONDS" (train < first <= valid < second <= test), or
                                     "last:N:M": of users with at least M events the last N are test, the one before them
                                     validation (M >= N + 2); leave-one-out is last:1:3 */
    const char *checkpoint;     /**< path, or NULL: written every checkpoint_every epochs and at the end */
    int64_t checkpoint_every;   /**< epochs; 0 = 1 */
    seqrec_epoch_fn epoch;      /**< may be NULL */
    void *epoch_context;
    seqrec_progress_fn progress; /**< may be NULL; a non-zero return ends the training after the step, with everything saved */
    void *progress_context;
} seqrec_fit;

/** What a fit gave. Set struct_size first. */
typedef struct seqrec_fit_stats {
    size_t struct_size;
    int64_t epochs;       /**< completed, a resumed run's earlier ones included */
    int64_t best_epoch;
    double best_metric;   /**< NaN without validation */
    double seconds_per_epoch; /**< median, training only */
    double tokens_per_second; /**< targets per second of training */
    int32_t cancelled;    /**< 1: the progress or epoch callback ended it */
    int32_t reserved;
} seqrec_fit_stats;

/** Trains on the training part of `dataset`, validates, stops early, publishes the best weights, and records split and data
 * hash in the model's notes. Items of the dataset the model lacks are added first; in a model with users also users with two
 * training events, unless the trainer was fitted before (who was forgotten since stays so). Users whom a join kept apart get rows under
 * their numbers, without names; E_ARGUMENT where such a number is that of a user with a name. Continues where a resumed trainer was.
 * When it fails in the middle (E_NUMERIC, E_IO, E_MEMORY), readers of the model see nothing of it but rows that were added. The
 * steps committed so far and the best weights stay in the trainer: seqrec_trainer_publish_best shows those weights to readers,
 * seqrec_trainer_save keeps everything, and another call goes on from where this one stopped. E_STATE: the trainer was fitted to other data
 * or under another split before. Callbacks must not call functions of this trainer. C. */
SEQREC_API int32_t seqrec_trainer_fit(seqrec_trainer *trainer, const seqrec_dataset *dataset, const seqrec_fit *fit,
                                      seqrec_fit_stats *stats, seqrec_error *error);
/** Saves model, optimiser state, counters and best weights so far; atomic as seqrec_model_save. Batches that wait for their step
 * (option accumulate) and functions of the host are not in it. Rule C. */
SEQREC_API int32_t seqrec_trainer_save(seqrec_trainer *trainer, const char *path, seqrec_error *error);
/** Restores a trainer and its model from such a file: training goes on bit for bit as if it had not stopped.
 * The caller releases both handles. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_trainer_load(seqrec_context *context, const char *path,
                                                         seqrec_trainer **out, seqrec_model **model,
                                                         seqrec_error *error);

/** Sparsity of learned gates (option `gates` = position): *blocks (may be NULL) gets the number of blocks with gates, 0 for a
 * model without, and open[0 .. *blocks) the share of each block's gates that are not 0 when the model is used, among those of
 * keys not after the query. open may be NULL for capacity 0, which asks for *blocks alone; E_RANGE when capacity is smaller.
 * E_UNSUPPORTED for gates = content, which depend on the history: see seqrec_model_gates_on(). Rule R. */
SEQREC_API int32_t seqrec_model_gates(const seqrec_model *model, double *open, int64_t capacity, int64_t *blocks,
                                      seqrec_error *error);
/** The same for `gates` = content, on the histories of a batch: the share of gates that are not 0 on the way to their user vectors, over all
 * pairs of events of a window, in the last block of the newest event alone; NaN where there are no events. E_UNSUPPORTED for gates = position,
 * which are the same for all. Unknown items are skipped. Rule R. */
SEQREC_API int32_t seqrec_model_gates_on(const seqrec_model *model, const seqrec_batch *batch, double *open, int64_t capacity,
                                         int64_t *blocks, seqrec_error *error);

/** @}
 * @name Evaluation (experimental)
 * @{ */

/** What to evaluate. Zero the struct and set struct_size. */
typedef struct seqrec_evaluation {
    size_t struct_size;
    const char *protocol; /**< "E1" .. "E5", "E9" (docs/RESULTS.md); default "E4" */
    const char *split;    /**< "test" (default) or "valid" */
    const char *division; /**< as seqrec_fit.split; NULL = what the model's notes say, else leave-one-out */
    const int64_t *cutoffs;
    int64_t cutoff_count;      /**< 0 = {1, 5, 10, 20} */
    int64_t bootstrap;         /**< resamples for the 95 % intervals; 0 = 1,000; -1 = none */
    int32_t baselines;         /**< 1: popularity and first-order Markov rows too */
    int32_t allow_trained;     /**< 1: do not refuse events the model was trained on */
    uint64_t seed;             /**< of sampled negatives and the bootstrap */
    seqrec_progress_fn progress;
    void *progress_context;
    const int64_t *users; /**< rank for these users of the dataset only, by id; NULL: for all. What is counted in training stays */
    int64_t user_count;
    int32_t beyond;       /**< 1: metrics beyond ranking too (full rankings only: E4, E5, E9) */
    int32_t breakdown;    /**< 1: rows by popularity of the target, length of the history and cold targets too */
    int64_t cold_events;  /**< a target with at most so many training events is cold; default 0 */
    int64_t last_items;   /**< differ_last1 .. differ_lastN and its like; 0 = 3 */
    int32_t hide_request_time; /**< 1: a model with option `time` or `calendar` is not told the time of the target (as HSTU's published program
                                    tells it), but asked at the time of the newest event */
    int32_t instant_sets;      /**< 1: held-out events at the target's instant are a set: the history ends before the first of them, and
                                    the place is that of the best ranked. Full rankings, without `beyond` and `breakdown` */
} seqrec_evaluation;

/** The figures of one evaluation. */
typedef struct seqrec_report seqrec_report;

/** Evaluates `model` (NULL: baselines only) on `dataset`. E_STATE when the events were trained on: told by the hash of the whole
 * dataset in the model's notes. Where that is another one, the report has a warning. E_NOT_FOUND names an id of `users` that the
 * dataset lacks; E_UNSUPPORTED: `beyond` with sampled candidates. Metrics are defined in docs/RESULTS.md. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_evaluate(seqrec_context *context, const seqrec_model *model,
                                                     const seqrec_dataset *dataset,
                                                     const seqrec_evaluation *evaluation, seqrec_report **out,
                                                     seqrec_error *error);
/** Compares two models on `dataset`: the same users, negatives and candidates, and one resampling of the users for both
 * (`bootstrap` 0 = 10,000). Rows: "a" and "b"; "difference", a - b with its 95 % interval (0 of equal infinities, as two nll can
 * be); "p", two-sided, of the difference being 0; "wins", "losses" and "ties", the users for whom a is better than, worse than or
 * as good as b by the metric (larger is better, of nll smaller); with `breakdown` the same of each group of users ("a/decile-1",
 * "difference/cold", ...), whose users are drawn anew among themselves. Diversity is measured with a's item vectors for both. The
 * division is the one asked for, else the one that a notes, else the one that b notes, else leave-one-out; a note that holds nothing
 * out is passed over. Where the data is not that of a model's training, the report has a warning: one for both models where theirs
 * is the same. E_STATE, unless allow_trained: the models were trained on different data or under different divisions, or one of them
 * says what it was trained on and the other does not, or either was trained on events that are ranked. E_ARGUMENT: baselines.
 * Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_compare(seqrec_context *context, const seqrec_model *a,
                                                    const seqrec_model *b, const seqrec_dataset *dataset,
                                                    const seqrec_evaluation *evaluation, seqrec_report **out,
                                                    seqrec_error *error);
/** Frees the report. Rule C. */
SEQREC_API void seqrec_report_release(seqrec_report *report);
/** One figure: row "model", "popularity" or "markov"; metric "hr@10", "ndcg@10", "mrr", "coverage@10", "gini@10", "users"; with
 * `beyond` also "nll", "confidence", "ece", "ece_mass", "novelty@10", "diversity@10" (with a model), "differ_last1", "apart_last1",
 * "pairs_last1", "apart_popular"; with `breakdown` also rows "model/decile-1" .. "-10", "model/quintile-1" .. "-5", "model/cold"
 * and "model/warm" (and of the other rows) with "users", "hr@10", "ndcg@10", "mrr", "least" and "most". low and high (95 %
 * bootstrap interval) may be NULL and are NaN where there is none. E_NOT_FOUND lists what there is. R. */
SEQREC_API int32_t seqrec_report_get(const seqrec_report *report, const char *row, const char *metric, double *value,
                                     double *low, double *high, seqrec_error *error);
/** Name of figure `index` of `row` ("hr@1", ...), NULL past the last. Rule R. */
SEQREC_API const char *seqrec_report_metric(const seqrec_report *report, const char *row, int32_t index);
/** The protocol in one sentence, e.g. "E4: full ranking, history filtered, ties by expectation". Never NULL. Rule R. */
SEQREC_API const char *seqrec_report_protocol(const seqrec_report *report);
/** Warning `index` (0, 1, ...), a sentence that belongs beside the figures, NULL past the last: that a model was trained on
 * other data than this, so that events it saw in training may be among those ranked. Lives as long as the report. Rule R. */
SEQREC_API const char *seqrec_report_warning(const seqrec_report *report, int32_t index);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_H */
