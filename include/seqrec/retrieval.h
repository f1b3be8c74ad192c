/* seqrec/retrieval.h: top-k over large tables: item vectors in few bits, files to serve from, indexes. */
/** @file
 * Top-k over large tables: item vectors in few bits, files to serve from, indexes. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_RETRIEVAL_H
#define SEQREC_RETRIEVAL_H

#include "seqrec/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Retrieval at scale
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
 * positions counted from the window's end or start, reversed ones with attention_span and without relative_clip, and gates by position, which have
 * parameters for each place. Whether it is any good there is for an evaluation to say. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_model_load_longer(seqrec_context *context, const char *path, int64_t max_length,
                                                              seqrec_model **out, seqrec_error *error);

/** @} */

/** @name Indexes
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

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_RETRIEVAL_H */
