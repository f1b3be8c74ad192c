/* eval: two scorers on the same users. */
#ifndef SQ_COMPARE_H
#define SQ_COMPARE_H
#include "eval/report.h"
#include "eval/scorer.h"

/* Ranks with a and b for the users of options->protocol, with the same negatives, and resamples the users of both together.
 * Rows: "a", "b", "difference" (a - b; 0 of equal infinities), "p" (two-sided: twice the smaller share of resampled differences that
 * are not above, or not below, 0, each counted with one more resample that is), "wins", "losses" and "ties" (users for whom a's value
 * is better than, worse than, or the bits of b's; better is larger, of nll smaller; absent where a figure is no mean over users).
 * Item vectors, for diversity@k, are a's for both. With a breakdown also rows "a/decile-1", "difference/cold" and so on, of the
 * users of each group. E_ARGUMENT: baselines are asked for. On failure *out is as before. */
int32_t sq_compare(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                   const seqrec_evaluation *options, const sq_scorer *a, const sq_scorer *b, seqrec_report **out,
                   seqrec_error *error);
#endif
