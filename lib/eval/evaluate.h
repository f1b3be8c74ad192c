/* eval: an evaluation from its description to its report. */
#ifndef SQ_EVALUATE_H
#define SQ_EVALUATE_H
#include "eval/report.h"
#include "eval/scorer.h"

/* Ranks for the users of options->protocol under `division` (options->division is the caller's to parse; NULL: leave-one-out).
 * Rows: "model" for `scorer` (may be NULL), then popularity and Markov when options->baselines says so or there is no scorer;
 * with options->breakdown each is followed by its groups, "model/decile-1" and so on (groups.h).
 * Cut-offs are sorted and repeats dropped. On failure *out is as before. */
int32_t sq_evaluate(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                    const seqrec_evaluation *options, const sq_scorer *scorer, seqrec_report **out,
                    seqrec_error *error);
#endif
