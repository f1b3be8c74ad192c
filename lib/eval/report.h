/* eval: the figures of one evaluation, by row and metric. */
#ifndef SQ_REPORT_H
#define SQ_REPORT_H
#include "base/context.h"

enum { SQ_REPORT_ROWS = 3, SQ_REPORT_NAME = 32, SQ_REPORT_SENTENCE = 512, SQ_REPORT_WARNINGS = 4, SQ_REPORT_WARNING = 256 };

typedef struct sq_figure {
    double value, low, high; /* low and high NaN: no interval */
} sq_figure;

/* What else a report has beside users, hit rate, NDCG and MRR. */
enum {
    SQ_REPORT_EXPOSURE = 1, /* full rankings: coverage and Gini */
    SQ_REPORT_SHORT = 2     /* sampled ones: "users_short", users with fewer negatives than the protocol wants */
};

/* Order of the figures of a row: users, hr@ by cut-off, ndcg@ by cut-off, mrr, then coverage@ and gini@ by cut-off, or
 * users_short. */
struct seqrec_report {
    seqrec_context *context; /* retained */
    int32_t rows;
    const char *row_names[SQ_REPORT_ROWS]; /* static */
    int32_t cutoffs, figures;
    char (*names)[SQ_REPORT_NAME]; /* [figures] */
    sq_figure *at;                 /* [SQ_REPORT_ROWS][figures] */
    char protocol[SQ_REPORT_SENTENCE];
    int32_t warning_count;
    char warnings[SQ_REPORT_WARNINGS][SQ_REPORT_WARNING];
};

int32_t sq_report_create(seqrec_context *context, const int64_t *cutoffs, int32_t count, int32_t parts,
                         seqrec_report **out, seqrec_error *error);
void sq_report_release(seqrec_report *report);
/* Begins a row (`name` static, at most SQ_REPORT_ROWS of them) and returns its figures, all NaN. */
sq_figure *sq_report_add(seqrec_report *report, const char *name);
/* Appends to the protocol sentence, cut where it is full. */
void sq_report_say(seqrec_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds what a reader of the figures must know beside them; at most SQ_REPORT_WARNINGS. */
void sq_report_warn(seqrec_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the public getters do. */
int32_t sq_report_get(const seqrec_report *report, const char *row, const char *metric, const sq_figure **out,
                      seqrec_error *error);
const char *sq_report_metric(const seqrec_report *report, const char *row, int32_t index);
const char *sq_report_warning(const seqrec_report *report, int32_t index);
#endif
