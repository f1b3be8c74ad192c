/* eval: the figures of one evaluation, by row and metric. */
#ifndef SQ_REPORT_H
#define SQ_REPORT_H
#include "base/context.h"
#include "eval/figures.h"

enum { SQ_REPORT_SENTENCE = 512, SQ_REPORT_WARNINGS = 4, SQ_REPORT_WARNING = 256 };

typedef struct sq_figure {
    double value, low, high; /* low and high NaN: no interval */
} sq_figure;

/* What a row is about, and so which figures it has. */
enum {
    SQ_ROW_WHOLE, /* all users: what sq_figures says */
    SQ_ROW_GROUP, /* some of them: users, hr@ by cut-off, ndcg@ by cut-off, mrr, least, most */
    SQ_ROW_KINDS
};

typedef struct sq_report_row {
    char name[SQ_FIGURE_NAME];
    int32_t kind;
} sq_report_row;

struct seqrec_report {
    seqrec_context *context; /* retained */
    int32_t rows, most_rows;
    sq_report_row *row;                          /* [most_rows] */
    int64_t figures[SQ_ROW_KINDS];               /* of a row */
    char (*names[SQ_ROW_KINDS])[SQ_FIGURE_NAME]; /* [figures] */
    int64_t stride;                              /* the more of the two */
    sq_figure *at;                               /* [most_rows][stride] */
    char protocol[SQ_REPORT_SENTENCE];
    int32_t warning_count;
    char warnings[SQ_REPORT_WARNINGS][SQ_REPORT_WARNING];
};

int32_t sq_report_create(seqrec_context *context, const sq_figures *figures, int32_t most_rows, seqrec_report **out,
                         seqrec_error *error);
void sq_report_release(seqrec_report *report);
/* Begins a row (at most most_rows of them), its name as printf makes it, and returns its figures, all NaN. */
sq_figure *sq_report_add(seqrec_report *report, int32_t kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
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
