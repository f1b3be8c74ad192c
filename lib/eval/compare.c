/* eval: two scorers on the same users. */
#include "eval/compare.h"
#include <inttypes.h>
#include <math.h>
#include "base/sort.h"
#include "eval/bootstrap.h"
#include "eval/groups.h"
#include "eval/job.h"

enum { RESAMPLES = 10000 };
enum { ROW_A, ROW_B, ROW_DIFFERENCE, ROW_P, ROW_WINS, ROW_LOSSES, ROW_TIES, ROWS };

/* Figures by row of the report, the values they are means of, and how many there are of each model. */
typedef struct sheet {
    const double *values; /* [2][columns][users] */
    int64_t columns, users;
    sq_figure *rows[ROWS];
} sheet;

typedef struct pair {
    sq_job job;
    sq_groups groups; /* where a breakdown is asked for */
    double *values;   /* [2][columns][cases] */
    double *part;     /* [2][columns of a group][cases] */
    uint64_t *means;  /* [2][columns][resamples] codes, and [resamples] differences */
} pair;

static const char *const row_names[ROWS] = {"a", "b", "difference", "p", "wins", "losses", "ties"};

static void end_pair(pair *p)
{
    const sq_memory *memory = &p->job.context->memory;
    sq_free(memory, p->means);
    sq_free(memory, p->part);
    sq_free(memory, p->values);
    sq_groups_free(&p->groups, memory);
    sq_job_close(&p->job);
}

#define ROUNDING 1e-12 /* of values that are equal but for the order in which they were summed */

/* Equal infinities do not differ: a model's nll is infinite where it lacks a target. */
static double difference_of(double a, double b)
{
    const double difference = isinf(a) && a == b ? 0.0 : a - b;
    return isfinite(difference) && fabs(difference) <= ROUNDING * fmax(fabs(a), fabs(b)) ? 0.0 : difference;
}

/* Differences of the resampled means, to those of a. */
static void subtract(uint64_t *a, const uint64_t *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) a[i] = sq_code_of(difference_of(sq_value_of(a[i]), sq_value_of(b[i])));
}

static double chance_of(const uint64_t *differences, int64_t n)
{
    int64_t down = 1, up = 1;
    for (int64_t i = 0; i < n; i++) {
        const double difference = sq_value_of(differences[i]);
        if (isnan(difference)) return NAN;
        down += difference <= 0.0;
        up += difference >= 0.0;
    }
    const double p = 2.0 * (double)(down < up ? down : up) / (double)(n + 1);
    return p < 1.0 ? p : 1.0;
}

static void set_interval(sq_figure *figure, uint64_t *means, int64_t resamples, double least, double most)
{
    const sq_interval interval = sq_interval_of(means, resamples);
    figure->low = interval.low < least ? least : interval.low;
    figure->high = interval.high > most ? most : interval.high;
}

/* Differences are taken before the means of either are sorted. */
static void fill_chances(const pair *p, const sheet *s, int64_t c)
{
    const int64_t n = p->job.resamples;
    uint64_t *a = p->means + c * n, *b = p->means + (s->columns + c) * n, *differences = p->means + 2 * s->columns * n;
    int64_t which = 0;
    const int32_t share = sq_job_is_share(sq_figures_kind(&p->job.figures, c + 1, &which));
    for (int64_t i = 0; i < n; i++) differences[i] = a[i];
    subtract(differences, b, n);
    s->rows[ROW_P][1 + c].value = chance_of(differences, n);
    set_interval(&s->rows[ROW_DIFFERENCE][1 + c], differences, n, share ? -1.0 : -INFINITY, share ? 1.0 : INFINITY);
    set_interval(&s->rows[ROW_A][1 + c], a, n, share ? 0.0 : -INFINITY, share ? 1.0 : INFINITY);
    set_interval(&s->rows[ROW_B][1 + c], b, n, share ? 0.0 : -INFINITY, share ? 1.0 : INFINITY);
}

static void fill_wins(const pair *p, const sheet *s, int64_t c)
{
    const double *a = s->values + c * s->users, *b = s->values + (s->columns + c) * s->users;
    int64_t which = 0, larger = 0, smaller = 0, counted = 0;
    const int32_t kind = sq_figures_kind(&p->job.figures, c + 1, &which);
    if (sq_job_is_share(kind)) return;
    for (int64_t u = 0; u < s->users; u++) {
        const double difference = difference_of(a[u], b[u]);
        larger += difference > 0;
        smaller += difference < 0;
        counted += !isnan(difference);
    }
    s->rows[ROW_WINS][1 + c].value = (double)(kind == SQ_NLL ? smaller : larger);
    s->rows[ROW_LOSSES][1 + c].value = (double)(kind == SQ_NLL ? larger : smaller);
    s->rows[ROW_TIES][1 + c].value = (double)(counted - larger - smaller);
}

/* What follows from the figures of both and their values; `figures`: of a row, users first. */
static int32_t fill_sheet(pair *p, const sheet *s, int64_t figures, seqrec_error *error)
{
    sq_job *j = &p->job;
    s->rows[ROW_DIFFERENCE][0].value = (double)s->users;
    for (int64_t i = 1; i < figures; i++) s->rows[ROW_DIFFERENCE][i].value = difference_of(s->rows[ROW_A][i].value, s->rows[ROW_B][i].value);
    for (int64_t c = 0; c < s->columns; c++) fill_wins(p, s, c);
    if (j->resamples == 0) return SEQREC_OK;
    SQ_TRY(sq_resample(j->context, s->values, 2 * s->columns, s->users, j->resamples, j->options->seed, sq_job_stop, j, p->means,
                       error));
    for (int64_t c = 0; c < s->columns; c++) fill_chances(p, s, c);
    return SEQREC_OK;
}

static int32_t measure_both(pair *p, const sq_scorer *a, const sq_scorer *b, seqrec_error *error)
{
    sq_job *j = &p->job;
    sheet s = {.values = p->values, .columns = j->figures.columns, .users = j->cases.count};
    for (int32_t r = 0; r < ROWS; r++) s.rows[r] = sq_report_add(j->report, SQ_ROW_WHOLE, "%s", row_names[r]);
    SQ_TRY(sq_job_measure(j, a, p->values, s.rows[ROW_A], error));
    SQ_TRY(sq_job_measure(j, b, p->values + s.columns * s.users, s.rows[ROW_B], error));
    return fill_sheet(p, &s, j->figures.total, error);
}

/* ---- groups of users ------------------------------------------------------------------------------------------------- */

static int64_t group_columns(const sq_job *j) { return 2 * j->cutoff_count + 1; }

static int32_t compare_group(pair *p, int32_t grouping, int32_t group, seqrec_error *error)
{
    sq_job *j = &p->job;
    sheet s = {.values = p->part, .columns = group_columns(j)};
    const int64_t whole = j->figures.columns * j->cases.count;
    char name[SQ_FIGURE_NAME];
    sq_groups_name(grouping, group, name);
    for (int32_t r = 0; r < ROWS; r++) s.rows[r] = sq_report_add(j->report, SQ_ROW_GROUP, "%s/%s", row_names[r], name);
    for (int32_t r = 0; r <= ROW_DIFFERENCE; r++)
        s.users = sq_groups_members(&p->groups, grouping, group, &s.rows[r][0], s.rows[r] + 1 + s.columns);
    if (s.users == 0) return SEQREC_OK;
    for (int32_t r = ROW_A; r <= ROW_B; r++) {
        double *part = p->part + r * s.columns * s.users;
        sq_groups_gather(&p->groups, grouping, group, p->values + r * whole, s.columns, part);
        for (int64_t c = 0; c < s.columns; c++) s.rows[r][1 + c].value = sq_mean(part + c * s.users, s.users);
    }
    return fill_sheet(p, &s, 1 + s.columns, error);
}

static int32_t compare_groups(pair *p, seqrec_error *error)
{
    const sq_job *j = &p->job;
    const sq_memory *memory = &j->context->memory;
    const size_t floats = 2 * (size_t)group_columns(j) * (size_t)j->cases.count;
    SQ_TRY(sq_groups_create(memory, &j->cases, &j->popularity, j->options->cold_events, &p->groups, error));
    p->part = sq_alloc(memory, floats, sizeof(double));
    SQ_CHECK(p->part != NULL, error, SEQREC_E_MEMORY, "no memory to group %" PRId64 " users", j->cases.count);
    for (int32_t grouping = 0; grouping < SQ_GROUPINGS; grouping++) {
        const int32_t count = sq_groups_count(grouping);
        for (int32_t group = 0; group < count; group++) SQ_TRY(compare_group(p, grouping, group, error));
    }
    return SEQREC_OK;
}

static int32_t run_pair(pair *p, const sq_scorer *a, const sq_scorer *b, seqrec_error *error)
{
    sq_job *j = &p->job;
    const int64_t columns = j->figures.columns;
    p->values = sq_job_values(j, 2, error);
    if (p->values == NULL) return SEQREC_E_MEMORY;
    p->means = sq_alloc(&j->context->memory, (2 * (size_t)columns + 1) * (size_t)j->resamples, sizeof(uint64_t));
    SQ_CHECK(p->means != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " resamples of %" PRId64 " figures",
             j->resamples, 2 * columns);
    SQ_TRY(measure_both(p, a, b, error));
    if (j->options->breakdown) SQ_TRY(compare_groups(p, error));
    sq_job_describe(j);
    return SEQREC_OK;
}

int32_t sq_compare(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                   const seqrec_evaluation *options, const sq_scorer *a, const sq_scorer *b, seqrec_report **out,
                   seqrec_error *error)
{
    const int32_t groups = options != NULL && options->breakdown ? SQ_GROUPS_ALL : 0;
    const sq_job_plan plan = {.vectors = a->vectors, .passes = 2, .resamples = RESAMPLES, .rows = ROWS * (1 + groups)};
    pair p = {0};
    SQ_CHECK(!options->baselines, error, SEQREC_E_ARGUMENT, "a comparison of two models has no baselines");
    int32_t status = sq_job_open(&p.job, context, dataset, division, options, &plan, error);
    if (status == SEQREC_OK) status = run_pair(&p, a, b, error);
    if (status == SEQREC_OK) {
        *out = p.job.report;
        p.job.report = NULL;
    }
    end_pair(&p);
    return status;
}
