/* api: the getters of an evaluation's report. */
#include "eval/report.h"

void seqrec_report_release(seqrec_report *report)
{
    sq_report_release(report);
}

int32_t seqrec_report_get(const seqrec_report *report, const char *row, const char *metric, double *value, double *low,
                          double *high, seqrec_error *error)
{
    const sq_figure *figure = NULL;
    SQ_CHECK(report != NULL && row != NULL && metric != NULL && value != NULL, error, SEQREC_E_ARGUMENT,
             "%s must not be NULL",
             report == NULL   ? "report"
             : row == NULL    ? "row"
             : metric == NULL ? "metric"
                              : "value");
    SQ_TRY(sq_report_get(report, row, metric, &figure, error));
    *value = figure->value;
    if (low != NULL) *low = figure->low;
    if (high != NULL) *high = figure->high;
    return SEQREC_OK;
}

const char *seqrec_report_metric(const seqrec_report *report, const char *row, int32_t index)
{
    return report == NULL || row == NULL ? NULL : sq_report_metric(report, row, index);
}

const char *seqrec_report_protocol(const seqrec_report *report)
{
    return report == NULL ? "" : report->protocol;
}

const char *seqrec_report_warning(const seqrec_report *report, int32_t index)
{
    return report == NULL ? NULL : sq_report_warning(report, index);
}
