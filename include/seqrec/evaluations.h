/* seqrec/evaluations.h: protocols, metrics and comparisons. */
/** @file
 * Protocols, metrics and comparisons. Conventions are those of seqrec.h.
 * EXPERIMENTAL: outside the ABI promise for now.
 */
#ifndef SEQREC_EVALUATIONS_H
#define SEQREC_EVALUATIONS_H

#include "seqrec/datasets.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Evaluation
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
                                    the place is that of the best ranked. A validation does not look at the test events. Full rankings, without `beyond` and `breakdown` */
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
 * bootstrap interval) may be NULL and are NaN where there is none. E_NOT_FOUND lists what there is, as far as it goes in. R. */
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
#endif /* SEQREC_EVALUATIONS_H */
