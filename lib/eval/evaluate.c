/* eval: an evaluation from its description to its report. */
#include "eval/evaluate.h"
#include <inttypes.h>
#include "eval/bootstrap.h"
#include "eval/groups.h"
#include "eval/job.h"

enum { RESAMPLES = 1000, BASELINES = 2 };

typedef struct evaluation {
    sq_job job;
    sq_groups groups; /* where a breakdown is asked for */
    double *values;   /* [columns][cases] */
    double *part;     /* [2 * cut-offs + 1][cases of a group], on their way to the figures of a group */
} evaluation;

static void end_evaluation(evaluation *e)
{
    const sq_memory *memory = &e->job.context->memory;
    sq_free(memory, e->part);
    sq_free(memory, e->values);
    sq_groups_free(&e->groups, memory);
    sq_job_close(&e->job);
}

static int32_t fill_intervals(sq_job *j, const double *values, int64_t columns, int64_t n, sq_figure *figures,
                              seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    sq_interval *intervals = sq_alloc(memory, (size_t)columns, sizeof(sq_interval));
    SQ_CHECK(intervals != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " intervals", columns);
    const int32_t status =
        sq_bootstrap(j->context, values, columns, n, j->resamples, j->options->seed, sq_job_stop, j, intervals, error);
    for (int64_t c = 0; c < columns && status == SEQREC_OK; c++) {
        int64_t which = 0;
        const int32_t share = sq_job_is_share(sq_figures_kind(&j->figures, c + 1, &which));
        figures[c].low = share && intervals[c].low < 0.0 ? 0.0 : intervals[c].low;
        figures[c].high = share && intervals[c].high > 1.0 ? 1.0 : intervals[c].high;
    }
    sq_free(memory, intervals);
    return status;
}

static int32_t evaluate_group(evaluation *e, const char *row, int32_t grouping, int32_t group, seqrec_error *error)
{
    const int64_t columns = 2 * e->job.cutoff_count + 1;
    char name[SQ_FIGURE_NAME];
    sq_groups_name(grouping, group, name);
    sq_figure *figures = sq_report_add(e->job.report, SQ_ROW_GROUP, "%s/%s", row, name);
    const int64_t members = sq_groups_members(&e->groups, grouping, group, &figures[0], figures + 1 + columns);
    if (members == 0) return SEQREC_OK;
    sq_groups_gather(&e->groups, grouping, group, e->values, columns, e->part);
    for (int64_t c = 0; c < columns; c++) figures[1 + c].value = sq_mean(e->part + c * members, members);
    if (e->job.resamples == 0) return SEQREC_OK;
    return fill_intervals(&e->job, e->part, columns, members, figures + 1, error);
}

static int32_t evaluate_groups(evaluation *e, const char *row, seqrec_error *error)
{
    for (int32_t grouping = 0; grouping < SQ_GROUPINGS; grouping++) {
        const int32_t count = sq_groups_count(grouping);
        for (int32_t group = 0; group < count; group++) SQ_TRY(evaluate_group(e, row, grouping, group, error));
    }
    return SEQREC_OK;
}

static int32_t evaluate_row(evaluation *e, const char *name, const sq_scorer *scorer, seqrec_error *error)
{
    sq_job *j = &e->job;
    sq_figure *figures = sq_report_add(j->report, SQ_ROW_WHOLE, "%s", name);
    SQ_TRY(sq_job_measure(j, scorer, e->values, figures, error));
    if (j->resamples > 0) SQ_TRY(fill_intervals(j, e->values, j->figures.columns, j->cases.count, figures + 1, error));
    return j->options->breakdown ? evaluate_groups(e, name, error) : SEQREC_OK;
}

static int32_t evaluate_markov(evaluation *e, seqrec_error *error)
{
    const sq_job *j = &e->job;
    sq_markov markov;
    SQ_TRY(sq_markov_create(&j->context->memory, j->dataset, &j->division, &j->popularity, &markov, error));
    const sq_scorer scorer = sq_markov_scorer(&markov);
    const int32_t status = evaluate_row(e, "markov", &scorer, error);
    sq_markov_free(&markov, &j->context->memory);
    return status;
}

static int32_t evaluate_baselines(evaluation *e, seqrec_error *error)
{
    const sq_scorer scorer = sq_popularity_scorer(&e->job.popularity);
    SQ_TRY(evaluate_row(e, "popularity", &scorer, error));
    return evaluate_markov(e, error);
}

static int32_t prepare_groups(evaluation *e, seqrec_error *error)
{
    const sq_job *j = &e->job;
    const sq_memory *memory = &j->context->memory;
    const size_t columns = 2 * (size_t)j->cutoff_count + 1;
    SQ_TRY(sq_groups_create(memory, &j->cases, &j->popularity, j->options->cold_events, &e->groups, error));
    e->part = sq_alloc(memory, columns * (size_t)j->cases.count, sizeof(double));
    SQ_CHECK(e->part != NULL, error, SEQREC_E_MEMORY, "no memory to group %" PRId64 " users", j->cases.count);
    return SEQREC_OK;
}

static int32_t run_evaluation(evaluation *e, const sq_scorer *scorer, int32_t baselines, seqrec_error *error)
{
    sq_job *j = &e->job;
    e->values = sq_job_values(j, 1, error);
    if (e->values == NULL) return SEQREC_E_MEMORY;
    if (j->options->breakdown) SQ_TRY(prepare_groups(e, error));
    if (scorer != NULL) SQ_TRY(evaluate_row(e, "model", scorer, error));
    if (baselines) SQ_TRY(evaluate_baselines(e, error));
    sq_job_describe(j);
    return SEQREC_OK;
}

int32_t sq_evaluate(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                    const seqrec_evaluation *options, const sq_scorer *scorer, seqrec_report **out, seqrec_error *error)
{
    const int32_t baselines = scorer == NULL || (options != NULL && options->baselines != 0);
    const int32_t rows = (scorer != NULL) + BASELINES * baselines;
    const int32_t groups = options != NULL && options->breakdown ? SQ_GROUPS_ALL : 0;
    const sq_job_plan plan = {.vectors = scorer != NULL ? scorer->vectors : NULL,
                              .passes = rows,
                              .resamples = RESAMPLES,
                              .rows = rows * (1 + groups),
                              .popularity = baselines};
    evaluation e = {0};
    int32_t status = sq_job_open(&e.job, context, dataset, division, options, &plan, error);
    if (status == SEQREC_OK) status = run_evaluation(&e, scorer, baselines, error);
    if (status == SEQREC_OK) {
        *out = e.job.report;
        e.job.report = NULL;
    }
    end_evaluation(&e);
    return status;
}
