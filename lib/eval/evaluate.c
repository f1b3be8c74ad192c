/* eval: an evaluation from its description to its report. */
#include "eval/evaluate.h"
#include <inttypes.h>
#include <string.h>
#include "eval/baselines.h"
#include "eval/bootstrap.h"
#include "eval/pass.h"

enum { MOST_CUTOFFS = 1000, MOST_RESAMPLES = 1000000, RESAMPLES = 1000 };

typedef struct job {
    seqrec_context *context;
    const seqrec_dataset *dataset;
    sq_division division;
    const seqrec_evaluation *options;
    const sq_protocol *protocol;
    int32_t valid;     /* 1: rank validation targets */
    int64_t resamples; /* 0 = no intervals */
    int64_t *cutoffs;
    int64_t cutoff_count;
    sq_cases cases;
    sq_candidates candidates;
    sq_pass pass;
    double *values;     /* [2 * cutoff_count + 1][cases]: hit rates, NDCGs, reciprocal rank */
    uint64_t *exposure; /* [items], one cut-off's, on its way to coverage and Gini */
    seqrec_report *report;
} job;

static void end_job(job *j)
{
    const sq_memory *memory = &j->context->memory;
    sq_report_release(j->report);
    sq_free(memory, j->exposure);
    sq_free(memory, j->values);
    sq_free(memory, (void *)j->pass.exposure);
    sq_free(memory, j->pass.places);
    sq_candidates_free(&j->candidates, memory);
    sq_cases_free(&j->cases, memory);
    sq_free(memory, j->cutoffs);
}

static int32_t read_split(const char *split, int32_t *valid, seqrec_error *error)
{
    SQ_CHECK(split == NULL || strcmp(split, "test") == 0 || strcmp(split, "valid") == 0, error, SEQREC_E_UNSUPPORTED,
             "split \"%.40s\" is neither test nor valid", split);
    *valid = split != NULL && strcmp(split, "valid") == 0;
    return SEQREC_OK;
}

static int32_t read_cutoffs(job *j, seqrec_error *error)
{
    static const int64_t usual[] = {1, 5, 10, 20};
    const int64_t asked = j->options->cutoff_count, count = asked == 0 ? 4 : asked;
    const int64_t *from = asked == 0 ? usual : j->options->cutoffs;
    SQ_CHECK(asked >= 0 && asked <= MOST_CUTOFFS, error, SEQREC_E_RANGE, "%" PRId64 " cut-offs are not in 0..%d", asked,
             MOST_CUTOFFS);
    SQ_CHECK(from != NULL, error, SEQREC_E_ARGUMENT, "cutoffs is NULL but cutoff_count is %" PRId64, asked);
    for (int64_t c = 0; c < count; c++) {
        SQ_CHECK(from[c] >= 1, error, SEQREC_E_RANGE, "cut-off %" PRId64 " is below 1", from[c]);
    }
    j->cutoffs = sq_alloc(&j->context->memory, (size_t)count, sizeof(int64_t));
    SQ_CHECK(j->cutoffs != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " cut-offs", count);
    for (int64_t c = 0; c < count; c++) {
        int64_t at = 0;
        while (at < j->cutoff_count && j->cutoffs[at] < from[c]) at++;
        if (at < j->cutoff_count && j->cutoffs[at] == from[c]) continue;
        memmove(j->cutoffs + at + 1, j->cutoffs + at, (size_t)(j->cutoff_count - at) * sizeof(int64_t));
        j->cutoffs[at] = from[c];
        j->cutoff_count++;
    }
    return SEQREC_OK;
}

static int32_t read_options(job *j, seqrec_error *error)
{
    const int64_t bootstrap = j->options->bootstrap;
    SQ_TRY(sq_protocol_find(j->options->protocol, &j->protocol, error));
    SQ_TRY(read_split(j->options->split, &j->valid, error));
    SQ_CHECK(bootstrap >= -1 && bootstrap <= MOST_RESAMPLES, error, SEQREC_E_RANGE,
             "bootstrap = %" PRId64 " is not in -1..%d", bootstrap, MOST_RESAMPLES);
    j->resamples = bootstrap == 0 ? RESAMPLES : bootstrap < 0 ? 0 : bootstrap;
    return read_cutoffs(j, error);
}

static int32_t prepare(job *j, int64_t rows, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const int32_t sampled = j->protocol->against != SQ_AGAINST_ALL;
    SQ_TRY(
        sq_cases_collect(memory, j->dataset, &j->division, j->protocol, j->valid, j->options->seed, &j->cases, error));
    if (sampled) {
        SQ_TRY(sq_candidates_create(memory, j->dataset, j->protocol->against, j->options->seed, &j->candidates, error));
    }
    SQ_TRY(sq_report_create(j->context, j->cutoffs, (int32_t)j->cutoff_count,
                            sampled ? SQ_REPORT_SHORT : SQ_REPORT_EXPOSURE, &j->report, error));
    const size_t cases = (size_t)j->cases.count, items = (size_t)j->dataset->items;
    const size_t columns = 2 * (size_t)j->cutoff_count + 1;
    sq_pass *pass = &j->pass;
    pass->context = j->context;
    pass->dataset = j->dataset;
    pass->protocol = j->protocol;
    pass->cases = &j->cases;
    pass->candidates = sampled ? &j->candidates : NULL;
    pass->cutoffs = j->cutoffs;
    pass->cutoff_count = j->cutoff_count;
    pass->progress = j->options->progress;
    pass->progress_context = j->options->progress_context;
    pass->total = rows * j->cases.count;
    pass->places = sq_alloc(memory, cases, sizeof(sq_place));
    j->values = sq_alloc(memory, cases * columns, sizeof(double));
    int32_t whole = pass->places != NULL && j->values != NULL;
    if (!sampled) {
        pass->exposure = sq_alloc(memory, (size_t)j->cutoff_count * items, sizeof *pass->exposure);
        j->exposure = sq_alloc(memory, items, sizeof(uint64_t));
        whole = whole && pass->exposure != NULL && j->exposure != NULL;
    }
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory for the metrics of %" PRId64 " users", j->cases.count);
    return SEQREC_OK;
}

static void describe(job *j)
{
    static const char *const divisions[] = {"nothing held out", "leave-one-out", "division by time"};
    seqrec_report *report = j->report;
    sq_report_say(report, "%s: %s, ties by expectation; %s split, %s", j->protocol->name, j->protocol->sentence,
                  j->valid ? "validation" : "test", divisions[j->division.kind]);
    const int64_t ranked = j->cases.targets - j->cases.newcomers;
    if (j->cases.newcomers > 0) {
        sq_report_say(report, "; %" PRId64 " users with nothing to rank from left out", j->cases.newcomers);
    }
    if (j->cases.count < ranked) {
        sq_report_say(report, "; %" PRId64 " of %" PRId64 " users drawn at random", j->cases.count, ranked);
    }
    if (j->pass.users_short > 0) {
        sq_report_say(report, "; %" PRId64 " users had fewer than %d eligible negatives", j->pass.users_short,
                      SQ_CANDIDATES);
    }
}

static void fill_values(job *j)
{
    const int64_t n = j->cases.count, cutoffs = j->cutoff_count;
    for (int64_t c = 0; c < cutoffs; c++) {
        double *hits = j->values + c * n, *gains = j->values + (cutoffs + c) * n;
        for (int64_t u = 0; u < n; u++) {
            hits[u] = sq_metric_hit(j->pass.places[u], j->cutoffs[c]);
            gains[u] = sq_metric_ndcg(j->pass.places[u], j->cutoffs[c]);
        }
    }
    double *reciprocals = j->values + 2 * cutoffs * n;
    for (int64_t u = 0; u < n; u++) reciprocals[u] = sq_metric_reciprocal(j->pass.places[u]);
}

static int32_t ask_progress(void *arg)
{
    const sq_pass *pass = arg;
    if (pass->progress == NULL) return 0;
    return pass->progress(pass->progress_context, "evaluate", pass->done, pass->total);
}

static int32_t fill_intervals(job *j, sq_figure *figures, int64_t columns, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    sq_interval *intervals = sq_alloc(memory, (size_t)columns, sizeof(sq_interval));
    SQ_CHECK(intervals != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " intervals", columns);
    const int32_t status = sq_bootstrap(j->context, j->values, columns, j->cases.count, j->resamples, j->options->seed,
                                        ask_progress, &j->pass, intervals, error);
    for (int64_t c = 0; c < columns && status == SEQREC_OK; c++) {
        figures[c].low = intervals[c].low;
        figures[c].high = intervals[c].high;
    }
    sq_free(memory, intervals);
    return status;
}

/* figures: coverage by cut-off, then Gini by cut-off. The lists of a cut-off contain those of the cut-offs before it. */
static void fill_exposure(job *j, sq_figure *figures)
{
    const int64_t items = j->dataset->items, cutoffs = j->cutoff_count;
    _Atomic uint64_t *shown = j->pass.exposure;
    for (int64_t c = 0; c < cutoffs; c++, shown += items) {
        for (int64_t i = 0; i < items; i++) {
            if (c > 0) shown[i] += shown[i - items];
            j->exposure[i] = shown[i];
        }
        figures[c].value = sq_metric_coverage(j->exposure, items);
        sq_heap_sort(j->exposure, items);
        figures[cutoffs + c].value = sq_metric_gini(j->exposure, items);
    }
}

static void clear_counters(job *j)
{
    j->pass.users_short = 0;
    if (j->pass.exposure == NULL) return;
    const int64_t count = j->cutoff_count * j->dataset->items;
    for (int64_t i = 0; i < count; i++) atomic_init(&j->pass.exposure[i], 0);
}

static int32_t evaluate_row(job *j, const char *name, const sq_scorer *scorer, seqrec_error *error)
{
    const int64_t columns = 2 * j->cutoff_count + 1, n = j->cases.count;
    clear_counters(j);
    SQ_TRY(sq_pass_run(&j->pass, scorer, error));
    sq_figure *figures = sq_report_add(j->report, name);
    fill_values(j);
    figures[0].value = (double)n;
    for (int64_t c = 0; c < columns; c++) figures[1 + c].value = sq_mean(j->values + c * n, n);
    if (j->resamples > 0) SQ_TRY(fill_intervals(j, figures + 1, columns, error));
    if (j->pass.exposure != NULL) {
        fill_exposure(j, figures + 1 + columns);
    } else {
        figures[1 + columns].value = (double)j->pass.users_short;
    }
    return SEQREC_OK;
}

static int32_t evaluate_markov(job *j, const sq_popularity *popularity, seqrec_error *error)
{
    sq_markov markov;
    SQ_TRY(sq_markov_create(&j->context->memory, j->dataset, &j->division, popularity, &markov, error));
    const sq_scorer scorer = sq_markov_scorer(&markov);
    const int32_t status = evaluate_row(j, "markov", &scorer, error);
    sq_markov_free(&markov, &j->context->memory);
    return status;
}

static int32_t evaluate_baselines(job *j, seqrec_error *error)
{
    sq_popularity popularity;
    SQ_TRY(sq_popularity_create(&j->context->memory, j->dataset, &j->division, &popularity, error));
    const sq_scorer scorer = sq_popularity_scorer(&popularity);
    int32_t status = evaluate_row(j, "popularity", &scorer, error);
    if (status == SEQREC_OK) status = evaluate_markov(j, &popularity, error);
    sq_popularity_free(&popularity, &j->context->memory);
    return status;
}

static int32_t run_job(job *j, const sq_scorer *scorer, seqrec_error *error)
{
    const int32_t baselines = j->options->baselines != 0 || scorer == NULL;
    SQ_TRY(sq_pool_check(j->context->pool, error));
    SQ_TRY(read_options(j, error));
    SQ_TRY(prepare(j, (scorer != NULL) + 2 * baselines, error));
    if (scorer != NULL) SQ_TRY(evaluate_row(j, "model", scorer, error));
    if (baselines) SQ_TRY(evaluate_baselines(j, error));
    describe(j);
    return SEQREC_OK;
}

int32_t sq_evaluate(seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                    const seqrec_evaluation *options, const sq_scorer *scorer, seqrec_report **out, seqrec_error *error)
{
    static const seqrec_evaluation defaults = {.struct_size = sizeof defaults};
    job j = {.context = context, .dataset = dataset, .options = options != NULL ? options : &defaults};
    j.division = division != NULL ? *division : (sq_division){.kind = SQ_DIVISION_LEAVE_ONE_OUT};
    const int32_t status = run_job(&j, scorer, error);
    if (status == SEQREC_OK) {
        *out = j.report;
        j.report = NULL;
    }
    end_job(&j);
    return status;
}
