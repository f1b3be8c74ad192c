/* seqrec tool: the training curve as an SVG. */
#ifndef SEQREC_TOOL_SVG_CURVE_H
#define SEQREC_TOOL_SVG_CURVE_H
#include <seqrec.h>

/* Draws the loss of each epoch, and the validation metric called `metric` (its own axis) where it is not NaN.
 * Returns 0 or the exit code, with the reason told. */
int write_curve(const char *path, const seqrec_epoch_stats *epochs, int64_t count, const char *metric,
                const char *title);
#endif
