/* eval: the figures of one evaluation, by row and metric. */
#include "eval/report.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void name_figures(seqrec_report *report, const sq_figures *figures)
{
    const int64_t group = report->figures[SQ_ROW_GROUP];
    for (int64_t i = 0; i < figures->total; i++) sq_figures_name(figures, i, report->names[SQ_ROW_WHOLE][i]);
    for (int64_t i = 0; i < group - 2; i++) sq_figures_name(figures, i, report->names[SQ_ROW_GROUP][i]);
    (void)strcpy(report->names[SQ_ROW_GROUP][group - 2], "least");
    (void)strcpy(report->names[SQ_ROW_GROUP][group - 1], "most");
}

int32_t sq_report_create(seqrec_context *context, const sq_figures *figures, int32_t most_rows, seqrec_report **out,
                         seqrec_error *error)
{
    const sq_memory *memory = &context->memory;
    seqrec_report *report = sq_alloc_zero(memory, 1, sizeof *report);
    SQ_CHECK(report != NULL, error, SEQREC_E_MEMORY, "no memory for a report");
    report->context = sq_context_retain(context);
    report->most_rows = most_rows;
    report->figures[SQ_ROW_WHOLE] = figures->total;
    report->figures[SQ_ROW_GROUP] = 2 * figures->cutoff_count + 4;
    report->row = sq_alloc_zero(memory, (size_t)most_rows, sizeof(sq_report_row));
    int32_t whole = report->row != NULL;
    for (int32_t kind = 0; kind < SQ_ROW_KINDS; kind++) {
        const int64_t count = report->figures[kind];
        if (count > report->stride) report->stride = count;
        report->names[kind] = sq_alloc_zero(memory, (size_t)count, SQ_FIGURE_NAME);
        whole = whole && report->names[kind] != NULL;
    }
    report->at = sq_alloc(memory, (size_t)most_rows * (size_t)report->stride, sizeof(sq_figure));
    if (!whole || report->at == NULL) {
        sq_report_release(report);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for a report of %" PRId64 " figures", figures->total);
    }
    name_figures(report, figures);
    *out = report;
    return SEQREC_OK;
}

void sq_report_release(seqrec_report *report)
{
    if (report == NULL) return;
    seqrec_context *context = report->context;
    const sq_memory *memory = &context->memory;
    sq_free(memory, report->at);
    for (int32_t kind = 0; kind < SQ_ROW_KINDS; kind++) sq_free(memory, report->names[kind]);
    sq_free(memory, report->row);
    sq_free(memory, report);
    sq_context_release(context);
}

sq_figure *sq_report_add(seqrec_report *report, int32_t kind, const char *format, ...)
{
    sq_figure *figures = report->at + report->rows * report->stride;
    sq_report_row *row = &report->row[report->rows++];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(row->name, sizeof row->name, format, arguments);
    va_end(arguments);
    row->kind = kind;
    for (int64_t i = 0; i < report->stride; i++) figures[i] = (sq_figure){NAN, NAN, NAN};
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
        if (strcmp(report->row[r].name, row) == 0) return r;
    }
    return -1;
}

/* Whole names alone; "..." where one has no room. */
static void list_names(char *out, size_t bytes, const char *name)
{
    static const char more[] = ", ...";
    const size_t used = strlen(out), wanted = strlen(name) + 2;
    if (used >= sizeof more && strcmp(out + used + 1 - sizeof more, more) == 0) return;
    (void)snprintf(out + used, bytes - used, "%s%s", used > 0 ? ", " : "", used + wanted + sizeof more <= bytes ? name : "...");
}

/* Rows of groups behind those of all users. */
static int32_t no_row(const seqrec_report *report, const char *row, seqrec_error *error)
{
    char list[168] = "";
    for (int32_t r = 0; r < report->rows; r++)
        if (strchr(report->row[r].name, '/') == NULL) list_names(list, sizeof list, report->row[r].name);
    for (int32_t r = 0; r < report->rows; r++)
        if (strchr(report->row[r].name, '/') != NULL) list_names(list, sizeof list, report->row[r].name);
    return sq_fail(error, SEQREC_E_NOT_FOUND, "the report has no row \"%.40s\"; it has %s", row, list);
}

static int32_t no_metric(const seqrec_report *report, int32_t kind, const char *metric, seqrec_error *error)
{
    char list[168] = "";
    for (int64_t i = 0; i < report->figures[kind]; i++) list_names(list, sizeof list, report->names[kind][i]);
    return sq_fail(error, SEQREC_E_NOT_FOUND, "the report has no metric \"%.40s\"; it has %s", metric, list);
}

int32_t sq_report_get(const seqrec_report *report, const char *row, const char *metric, const sq_figure **out,
                      seqrec_error *error)
{
    const int32_t r = find_row(report, row);
    if (r < 0) return no_row(report, row, error);
    const int32_t kind = report->row[r].kind;
    for (int64_t i = 0; i < report->figures[kind]; i++) {
        if (strcmp(report->names[kind][i], metric) == 0) {
            *out = report->at + r * report->stride + i;
            return SEQREC_OK;
        }
    }
    return no_metric(report, kind, metric, error);
}

const char *sq_report_metric(const seqrec_report *report, const char *row, int32_t index)
{
    const int32_t r = find_row(report, row);
    if (r < 0 || index < 0 || index >= report->figures[report->row[r].kind]) return NULL;
    return report->names[report->row[r].kind][index];
}
