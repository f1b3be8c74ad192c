/* seqrec tool: a curve as an SVG. */
#ifndef SEQREC_TOOL_SVG_CURVE_H
#define SEQREC_TOOL_SVG_CURVE_H
#include <stdint.h>

/* One line of the curve; it has gaps where y is not finite. */
typedef struct curve_series {
    const char *name;
    const double *y;     /* [count]; NULL: there is no such series */
    const int32_t *best; /* [count] or NULL; given: values get dots, larger ones where it is not 0 */
} curve_series;

typedef struct curve {
    const char *title, *x_name;
    int64_t count;
    const double *x; /* [count], rising */
    int x_log;       /* 1: by powers of ten; x is above 0 */
    int has_mark;    /* 1: a dashed line at x = mark */
    double mark;
    curve_series left, right; /* each with an axis of its own */
} curve;

/* Returns 0 or the exit code, with the reason told. */
int write_curve(const char *path, const curve *of);
#endif
