/* seqrec/datasets.h: events to train on and to evaluate by. */
/** @file
 * Events to train on and to evaluate by. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_DATASETS_H
#define SEQREC_DATASETS_H

#include "seqrec/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Datasets
 * @{ */

/** Events grouped by user in time order, with the catalogue of all items. Immutable; reference counted. */
typedef struct seqrec_dataset seqrec_dataset;

/** How to read a text file. Zero the struct and set struct_size; NULL strings mean "detect" or "by the header": where that has no
 * usual name of times, a warning in the context's log names the columns that are not read. Without a header columns are user, item, value,
 * timestamp; of three the third is a timestamp where all are 1e8 and above, a value where all are within 10,000 of 0. Where neither
 * header nor number tells which column is which, they have to be named: E_ARGUMENT. */
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
 * timestamps they are sorted by (time, input order); a user given twice is joined, one without events is left out. Copies ids,
 * timestamps and values. E_ARGUMENT: batch->weights, which a dataset does not keep (option event_weights = values makes weights of values). Rule R. */
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
 * inside a cluster, Zipf popularity. Users come back to items, but not in their last event where one that they had not is drawn within 64 tries. Zero the struct and set struct_size; zero means the default in brackets, so that none at all is
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

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* SEQREC_DATASETS_H */
