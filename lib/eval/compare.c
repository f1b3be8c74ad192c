/* eval: two scorers on the same users. */
#include "eval/compare.h"
#include <inttypes.h>
#include <math.h>
#include "eval/bootstrap.h"
#include "eval/job.h"

enum { RESAMPLES = 10000 };
enum { ROW_A, ROW_B, ROW_DIFFERENCE, ROW_P, ROW_WINS, ROW_LOSSES, ROW_TIES, ROWS };

typedef struct pair {
    sq_job job;
    double *values;  /* [2][columns][cases] */
    uint64_t *means; /* [2][columns][resamples] codes */
    sq_figure *rows[ROWS];
} pair;

static void end_pair(pair *p)
{
    const sq_memory *memory = &p->job.context->memory;
    sq_free(memory, p->means);
    sq_free(memory, p->values);
    sq_job_close(&p->job);
}

/* Equal infinities do not differ: a model's nll is infinite where it lacks a target. */
static double difference_of(double a, double b)
{
    return isinf(a) && a == b ? 0.0 : a - b;
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
static void fill_chances(const pair *p, int64_t c, uint64_t *differences)
{
    const int64_t n = p->job.resamples;
    uint64_t *a = p->means + c * n, *b = p->means + (p->job.figures.columns + c) * n;
    int64_t which = 0;
    const int32_t share = sq_job_is_share(sq_figures_kind(&p->job.figures, c + 1, &which));
    for (int64_t i = 0; i < n; i++) differences[i] = a[i];
    subtract(differences, b, n);
    p->rows[ROW_P][1 + c].value = chance_of(differences, n);
    set_interval(&p->rows[ROW_DIFFERENCE][1 + c], differences, n, share ? -1.0 : -INFINITY, share ? 1.0 : INFINITY);
    set_interval(&p->rows[ROW_A][1 + c], a, n, share ? 0.0 : -INFINITY, share ? 1.0 : INFINITY);
    set_interval(&p->rows[ROW_B][1 + c], b, n, share ? 0.0 : -INFINITY, share ? 1.0 : INFINITY);
}

static void fill_wins(const pair *p, int64_t c)
{
    const int64_t n = p->job.cases.count;
    const double *a = p->values + c * n, *b = p->values + (p->job.figures.columns + c) * n;
    int64_t which = 0, larger = 0, smaller = 0, counted = 0;
    const int32_t kind = sq_figures_kind(&p->job.figures, c + 1, &which);
    if (sq_job_is_share(kind)) return;
    for (int64_t u = 0; u < n; u++) {
        larger += a[u] > b[u];
        smaller += a[u] < b[u];
        counted += a[u] >= b[u] || a[u] < b[u];
    }
    p->rows[ROW_WINS][1 + c].value = (double)(kind == SQ_NLL ? smaller : larger);
    p->rows[ROW_LOSSES][1 + c].value = (double)(kind == SQ_NLL ? larger : smaller);
    p->rows[ROW_TIES][1 + c].value = (double)(counted - larger - smaller);
}

static int32_t resample_both(pair *p, seqrec_error *error)
{
    sq_job *j = &p->job;
    const sq_memory *memory = &j->context->memory;
    const int64_t columns = j->figures.columns;
    p->means = sq_alloc(memory, (2 * (size_t)columns + 1) * (size_t)j->resamples, sizeof(uint64_t));
    SQ_CHECK(p->means != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " resamples of %" PRId64 " figures",
             j->resamples, 2 * columns);
    SQ_TRY(sq_resample(j->context, p->values, 2 * columns, j->cases.count, j->resamples, j->options->seed, sq_job_stop,
                       j, p->means, error));
    for (int64_t c = 0; c < columns; c++) fill_chances(p, c, p->means + 2 * columns * j->resamples);
    return SEQREC_OK;
}

static int32_t run_pair(pair *p, const sq_scorer *a, const sq_scorer *b, seqrec_error *error)
{
    static const char *const names[ROWS] = {"a", "b", "difference", "p", "wins", "losses", "ties"};
    sq_job *j = &p->job;
    const int64_t columns = j->figures.columns;
    p->values = sq_job_values(j, 2, error);
    if (p->values == NULL) return SEQREC_E_MEMORY;
    for (int32_t r = 0; r < ROWS; r++) p->rows[r] = sq_report_add(j->report, SQ_ROW_WHOLE, "%s", names[r]);
    SQ_TRY(sq_job_measure(j, a, p->values, p->rows[ROW_A], error));
    SQ_TRY(sq_job_measure(j, b, p->values + columns * j->cases.count, p->rows[ROW_B], error));
    for (int64_t i = 1; i < j->figures.total; i++)
        p->rows[ROW_DIFFERENCE][i].value = difference_of(p->rows[ROW_A][i].value, p->rows[ROW_B][i].value);
    p->rows[ROW_DIFFERENCE][0].value = (double)j->cases.count;
    for (int64_t c = 0; c < columns; c++) fill_wins(p, c);
    if (j->resamples > 0) SQ_TRY(resample_both(p, error));
    sq_job_describe(j);
    return SEQREC_OK;
}

int32_t sq_compare(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                   const seqrec_evaluation *options, const sq_scorer *a, const sq_scorer *b, seqrec_report **out,
                   seqrec_error *error)
{
    const sq_job_plan plan = {.vectors = a->vectors, .passes = 2, .resamples = RESAMPLES, .rows = ROWS};
    pair p = {0};
    SQ_CHECK(options == NULL || (!options->baselines && !options->breakdown), error, SEQREC_E_ARGUMENT,
             "a comparison of two models has neither baselines nor a breakdown");
    int32_t status = sq_job_open(&p.job, context, dataset, division, options, &plan, error);
    if (status == SEQREC_OK) status = run_pair(&p, a, b, error);
    if (status == SEQREC_OK) {
        *out = p.job.report;
        p.job.report = NULL;
    }
    end_pair(&p);
    return status;
}
