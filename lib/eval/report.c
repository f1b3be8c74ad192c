/* eval: the figures of one evaluation, by row and metric. */
#include "eval/report.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int32_t name_by_cutoff(seqrec_report *report, int32_t at, const char *metric, const int64_t *cutoffs)
{
    for (int32_t c = 0; c < report->cutoffs; c++) {
        (void)snprintf(report->names[at + c], SQ_REPORT_NAME, "%s@%" PRId64, metric, cutoffs[c]);
    }
    return at + report->cutoffs;
}

static void name_figures(seqrec_report *report, const int64_t *cutoffs, int32_t parts)
{
    (void)strcpy(report->names[0], "users");
    int32_t at = name_by_cutoff(report, 1, "hr", cutoffs);
    at = name_by_cutoff(report, at, "ndcg", cutoffs);
    (void)strcpy(report->names[at++], "mrr");
    if ((parts & SQ_REPORT_EXPOSURE) != 0) {
        at = name_by_cutoff(report, at, "coverage", cutoffs);
        at = name_by_cutoff(report, at, "gini", cutoffs);
    }
    if ((parts & SQ_REPORT_SHORT) != 0) (void)strcpy(report->names[at], "users_short");
}

int32_t sq_report_create(seqrec_context *context, const int64_t *cutoffs, int32_t count, int32_t parts,
                         seqrec_report **out, seqrec_error *error)
{
    const sq_memory *memory = &context->memory;
    seqrec_report *report = sq_alloc_zero(memory, 1, sizeof *report);
    SQ_CHECK(report != NULL, error, SEQREC_E_MEMORY, "no memory for a report");
    report->cutoffs = count;
    report->figures =
        2 + 2 * count + ((parts & SQ_REPORT_EXPOSURE) != 0 ? 2 * count : 0) + ((parts & SQ_REPORT_SHORT) != 0 ? 1 : 0);
    report->context = sq_context_retain(context);
    report->names = sq_alloc_zero(memory, (size_t)report->figures, SQ_REPORT_NAME);
    report->at = sq_alloc(memory, (size_t)SQ_REPORT_ROWS * (size_t)report->figures, sizeof(sq_figure));
    if (report->names == NULL || report->at == NULL) {
        const int32_t figures = report->figures;
        sq_report_release(report);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for a report of %" PRId32 " figures", figures);
    }
    name_figures(report, cutoffs, parts);
    *out = report;
    return SEQREC_OK;
}

void sq_report_release(seqrec_report *report)
{
    if (report == NULL) return;
    seqrec_context *context = report->context;
    sq_free(&context->memory, report->at);
    sq_free(&context->memory, report->names);
    sq_free(&context->memory, report);
    sq_context_release(context);
}

sq_figure *sq_report_add(seqrec_report *report, const char *name)
{
    sq_figure *figures = report->at + (size_t)report->rows * (size_t)report->figures;
    report->row_names[report->rows++] = name;
    for (int32_t i = 0; i < report->figures; i++) figures[i] = (sq_figure){NAN, NAN, NAN};
    return figures;
}

void sq_report_say(seqrec_report *report, const char *format, ...)
{
    const size_t used = strlen(report->protocol);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->protocol + used, sizeof report->protocol - used, format, arguments);
    va_end(arguments);
}

void sq_report_warn(seqrec_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->warnings[report->warning_count++], SQ_REPORT_WARNING, format, arguments);
    va_end(arguments);
}

const char *sq_report_warning(const seqrec_report *report, int32_t index)
{
    return index >= 0 && index < report->warning_count ? report->warnings[index] : NULL;
}

static int32_t find_row(const seqrec_report *report, const char *row)
{
    for (int32_t r = 0; r < report->rows; r++) {
        if (strcmp(report->row_names[r], row) == 0) return r;
    }
    return -1;
}

/* "a, b, c" of what fits. */
static void list_names(char *out, size_t bytes, const char *name)
{
    const size_t used = strlen(out);
    (void)snprintf(out + used, bytes - used, "%s%s", used > 0 ? ", " : "", name);
}

static int32_t no_row(const seqrec_report *report, const char *row, seqrec_error *error)
{
    char list[64] = "";
    for (int32_t r = 0; r < report->rows; r++) list_names(list, sizeof list, report->row_names[r]);
    return sq_fail(error, SEQREC_E_NOT_FOUND, "the report has no row \"%.40s\"; it has %s", row, list);
}

static int32_t no_metric(const seqrec_report *report, const char *metric, seqrec_error *error)
{
    char list[160] = "";
    for (int32_t i = 0; i < report->figures; i++) list_names(list, sizeof list, report->names[i]);
    return sq_fail(error, SEQREC_E_NOT_FOUND, "the report has no metric \"%.40s\"; it has %s", metric, list);
}

int32_t sq_report_get(const seqrec_report *report, const char *row, const char *metric, const sq_figure **out,
                      seqrec_error *error)
{
    const int32_t r = find_row(report, row);
    if (r < 0) return no_row(report, row, error);
    for (int32_t i = 0; i < report->figures; i++) {
        if (strcmp(report->names[i], metric) == 0) {
            *out = report->at + (size_t)r * (size_t)report->figures + i;
            return SEQREC_OK;
        }
    }
    return no_metric(report, metric, error);
}

const char *sq_report_metric(const seqrec_report *report, const char *row, int32_t index)
{
    if (index < 0 || index >= report->figures || find_row(report, row) < 0) return NULL;
    return report->names[index];
}
