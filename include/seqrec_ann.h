/* seqrec_ann.h: the public interface of libseqrec-ann, approximate search behind libseqrec's top-k. */
/** @file
 * The public interface of libseqrec-ann, approximate search behind libseqrec's top-k.
 *
 * A graph of the item vectors of a model (hierarchical navigable small worlds, Malkov and Yashunin 2018, arXiv 1603.09320, built by
 * hnswlib) names candidates for seqrec_topk and seqrec_session_topk, for tables of about a million items and more. A search begins at
 * the best of the longest tenth of the vectors (at most 131,072), which it looks at one by one in seven bits a number: a long vector has a
 * large inner product with what is not near it, and a walk alone misses it. What
 * seqrec_model_set_index says of indexes holds: filters are kept, scores are exact, items that came or changed since are found, removed
 * ones are not. Statuses, errors, rules R, W and C, and struct_size are as in seqrec.h. No function throws, prints, or reads the
 * environment. Memory of a graph does not come from the host's allocator.
 *
 * EXPERIMENTAL: exported under the symbol version SEQREC_ANN_EXPERIMENTAL, outside the ABI promise for now.
 */
#ifndef SEQREC_ANN_H
#define SEQREC_ANN_H

#include "seqrec.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A graph of the item vectors of one moment. Immutable; reference counted. */
typedef struct seqrec_ann seqrec_ann;

/** How a graph is built. Zero the struct and set struct_size; zero means the value in brackets. */
typedef struct seqrec_ann_options {
    size_t struct_size;
    int64_t links;          /**< [16] of an item to others, twice as many in the lowest layer: 2 .. 100 */
    int64_t build_breadth;  /**< [200] candidates kept while an item's links are chosen: links .. 10,000 */
    int64_t search_breadth; /**< [128] seqrec_index.breadth: the fewest candidates of a search: 1 .. 65,536 */
    uint64_t seed;          /**< of the layers of items */
    int32_t threads;        /**< [1] threads that insert at once, made for the call: 1 .. 256 */
    int32_t reserved;
} seqrec_ann_options;

/** Facts about a graph. Set struct_size first. */
typedef struct seqrec_ann_info {
    size_t struct_size;
    int64_t items;   /**< that it can name */
    int64_t removed; /**< that seqrec_ann_update took out: they cost memory and time until the next build */
    int64_t links, build_breadth, search_breadth;
    size_t bytes;    /**< of vectors, links and the copies of the longest */
} seqrec_ann_info;

/** SEQREC_VERSION_NUMBER of the library actually loaded. Rule R. */
SEQREC_API int32_t seqrec_ann_version(void);

/** Builds a graph of the item vectors that the model has now; the model is read only and goes on serving and changing meanwhile. With
 * one thread the graph, and so every list, is a function of vectors, slots and options on one kind of processor; with more it depends on which thread
 * came first. options may be NULL. E_STATE: a model without items. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_ann_build(const seqrec_model *model, const seqrec_ann_options *options, seqrec_ann **out,
                                                      seqrec_error *error);
/** A copy of `ann` brought up to the items that the model has now: new ones inserted, changed ones linked anew, those that are gone marked as
 * removed. One thread; costs a copy of the graph and, for an item, some times what building did: after changes of a tenth of the items
 * a build is as good. E_ARGUMENT: the model has another shape than the one that `ann` was built of; E_STATE: it has fewer
 * slots, or nothing of what the graph knows. `ann` stays as it is. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_ann_update(const seqrec_ann *ann, const seqrec_model *model, seqrec_ann **out,
                                                       seqrec_error *error);
/** Puts the graph behind the model's lists, in the place of the index before it, by seqrec_model_set_index (whose statuses these are): the
 * model keeps a reference. seqrec_model_set_index(model, NULL, NULL, error) takes it away. Rule W on the model. */
SEQREC_API int32_t seqrec_ann_attach(seqrec_ann *ann, seqrec_model *model, seqrec_error *error);
/** Adds a reference and returns the same handle. Rule R. */
SEQREC_API seqrec_ann *seqrec_ann_retain(seqrec_ann *ann);
/** Drops a reference. Rule R. */
SEQREC_API void seqrec_ann_release(seqrec_ann *ann);
/** Fills *out with facts about the graph. Rule R. */
SEQREC_API int32_t seqrec_ann_describe(const seqrec_ann *ann, seqrec_ann_info *out, seqrec_error *error);

/** Writes the graph, with its vectors and the sum of the table that it was built of (seqrec_vectors_checksum), to `path` through a
 * temporary name, fsync and rename. Links are followed, and the file that is there, which must be a regular one, keeps its permissions.
 * Rule R. */
SEQREC_API int32_t seqrec_ann_save(const seqrec_ann *ann, const char *path, seqrec_error *error);
/** Reads such a file for a model whose items are those that the graph was built of (E_STATE otherwise: told by the sum): the model
 * itself, or one loaded from its file, unless that closed gaps of the table (seqrec_vectors_checksum). Length, sums and every link are checked before anything is used (E_FORMAT names what is wrong);
 * E_NOT_FOUND: no such file. search_breadth: 0 as stored, or another. The caller releases *out. Rule R. */
SEQREC_API SEQREC_MUST_CHECK int32_t seqrec_ann_load(const seqrec_model *model, const char *path, int64_t search_breadth,
                                                     seqrec_ann **out, seqrec_error *error);

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_ANN_H */
