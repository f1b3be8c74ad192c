/* eval: what is asked of an evaluation, whom it ranks for, and the figures of one scorer. */
#include "eval/job.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "eval/bootstrap.h"
#include "eval/calibration.h"
#include "eval/exposure.h"
#include "eval/personal.h"
#include "eval/ranking.h"
#include "tensor/length.h"

enum { MOST_CUTOFFS = 1000, MOST_RESAMPLES = 1000000 };

void sq_job_close(sq_job *j)
{
    const sq_memory *memory = &j->context->memory;
    sq_report_release(j->report);
    sq_free(memory, j->pass.lists.items);
    sq_free(memory, j->pass.places);
    sq_free(memory, j->inverse_norms);
    sq_free(memory, j->by_popularity);
    sq_free(memory, j->information);
    sq_popularity_free(&j->popularity, memory);
    sq_candidates_free(&j->candidates, memory);
    sq_cases_free(&j->cases, memory);
    sq_free(memory, j->cutoffs);
}

/* ---- options ---- */

static int32_t read_split(const char *split, int32_t *valid, seqrec_error *error)
{
    SQ_CHECK(split == NULL || strcmp(split, "test") == 0 || strcmp(split, "valid") == 0, error, SEQREC_E_UNSUPPORTED,
             "split \"%.40s\" is neither test nor valid", split);
    *valid = split != NULL && strcmp(split, "valid") == 0;
    return SEQREC_OK;
}

static int32_t read_cutoffs(sq_job *j, seqrec_error *error)
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

static int32_t check_flags(const seqrec_evaluation *o, seqrec_error *error)
{
    const struct {
        const char *name;
        int32_t value;
    } flags[] = {{"baselines", o->baselines}, {"beyond", o->beyond}, {"breakdown", o->breakdown}, {"allow_trained", o->allow_trained},
                 {"hide_request_time", o->hide_request_time}, {"instant_sets", o->instant_sets}};
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
        SQ_CHECK(flags[f].value == 0 || flags[f].value == 1, error, SEQREC_E_RANGE, "%s = %d is neither 0 nor 1", flags[f].name,
                 (int)flags[f].value);
    return SEQREC_OK;
}

static int32_t read_extras(sq_job *j, seqrec_error *error)
{
    const seqrec_evaluation *o = j->options;
    SQ_TRY(check_flags(o, error));
    SQ_CHECK(o->user_count >= 0, error, SEQREC_E_RANGE, "user_count = %" PRId64 " is negative", o->user_count);
    SQ_CHECK(o->user_count <= INT32_MAX, error, SEQREC_E_RANGE, "user_count = %" PRId64 " is above %d", o->user_count,
             INT32_MAX);
    SQ_CHECK((o->users == NULL) == (o->user_count == 0), error, SEQREC_E_ARGUMENT,
             "users is %s but user_count is %" PRId64, o->users == NULL ? "NULL" : "given", o->user_count);
    SQ_CHECK(o->cold_events >= 0, error, SEQREC_E_RANGE, "cold_events = %" PRId64 " is negative", o->cold_events);
    SQ_CHECK(o->last_items >= 0 && o->last_items <= SQ_PERSONAL_MOST, error, SEQREC_E_RANGE,
             "last_items = %" PRId64 " is not in 0..%d", o->last_items, SQ_PERSONAL_MOST);
    SQ_CHECK(!o->beyond || j->protocol->against == SQ_AGAINST_ALL, error, SEQREC_E_UNSUPPORTED,
             "metrics beyond ranking need a full ranking (E4, E5 or E9), and protocol %s samples", j->protocol->name);
    SQ_CHECK(!o->instant_sets || j->protocol->against == SQ_AGAINST_ALL, error, SEQREC_E_UNSUPPORTED,
             "instant_sets needs a full ranking (E4, E5 or E9), and protocol %s samples", j->protocol->name);
    SQ_CHECK(!o->instant_sets || (!o->beyond && !o->breakdown), error, SEQREC_E_UNSUPPORTED,
             "instant_sets gives a user several targets, and %s is of one", o->beyond ? "beyond" : "breakdown");
    j->last = o->last_items == 0 ? SQ_PERSONAL_LAST : o->last_items;
    return SEQREC_OK;
}

static int32_t read_options(sq_job *j, const sq_job_plan *plan, seqrec_error *error)
{
    const int64_t bootstrap = j->options->bootstrap;
    SQ_TRY(sq_protocol_find(j->options->protocol, &j->protocol, error));
    SQ_TRY(read_split(j->options->split, &j->valid, error));
    SQ_CHECK(bootstrap >= -1 && bootstrap <= MOST_RESAMPLES, error, SEQREC_E_RANGE,
             "bootstrap = %" PRId64 " is not in -1..%d", bootstrap, MOST_RESAMPLES);
    j->resamples = bootstrap == 0 ? plan->resamples : bootstrap < 0 ? 0 : bootstrap;
    SQ_TRY(read_extras(j, error));
    return read_cutoffs(j, error);
}

/* ---- preparation ---- */

static int32_t collect_cases(sq_job *j, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const seqrec_evaluation *o = j->options;
    uint8_t *chosen = NULL;
    if (o->users != NULL) SQ_TRY(sq_users_choose(memory, j->dataset, o->users, o->user_count, &chosen, error));
    const int32_t status =
        sq_cases_collect(memory, j->dataset, &j->division, j->protocol, chosen, j->valid, o->seed, &j->cases, error);
    sq_free(memory, chosen);
    if (status != SEQREC_OK || !o->instant_sets) return status;
    return sq_cases_join_instants(&j->cases, j->dataset, &j->division, j->valid, error);
}

/* -log2 of the share of training events; items that training never had count as if it had them once. */
static void inform(const sq_popularity *popularity, double *information)
{
    for (int64_t i = 0; i < popularity->items; i++) {
        const uint64_t count = popularity->counts[i] > 0 ? popularity->counts[i] : 1;
        const uint64_t events = popularity->events > 0 ? popularity->events : 1;
        information[i] = log2((double)events / (double)count);
    }
}

static int32_t order_by_popularity(sq_job *j, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const int64_t items = j->dataset->items;
    int32_t *keys = sq_alloc(memory, (size_t)items, sizeof(int32_t));
    sq_ranked *ranked = sq_alloc(memory, (size_t)items, sizeof(sq_ranked));
    const int32_t whole = keys != NULL && ranked != NULL;
    if (whole) {
        sq_ranking_keys(j->popularity.score, items, keys);
        (void)sq_ranking_top(keys, items, items, ranked);
        for (int64_t i = 0; i < items; i++) j->by_popularity[i] = sq_ranked_item(ranked[i]);
    }
    sq_free(memory, ranked);
    sq_free(memory, keys);
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory to order %" PRId64 " items", items);
    return SEQREC_OK;
}

static void invert_norms(const sq_item_vectors *vectors, int64_t items, float *inverse_norms)
{
    for (int64_t i = 0; i < items; i++) inverse_norms[i] = sq_inverse_length(vectors->kernels, vectors->width, vectors->rows[i]);
}

static int32_t prepare_beyond(sq_job *j, const sq_item_vectors *vectors, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const size_t items = (size_t)j->dataset->items;
    j->information = sq_alloc(memory, items, sizeof(double));
    j->by_popularity = sq_alloc(memory, items, sizeof(int32_t));
    if (vectors != NULL) j->inverse_norms = sq_alloc(memory, items, sizeof(float));
    SQ_CHECK(j->information != NULL && j->by_popularity != NULL && (vectors == NULL || j->inverse_norms != NULL), error,
             SEQREC_E_MEMORY, "no memory for the popularity and lengths of %" PRId64 " items", j->dataset->items);
    inform(&j->popularity, j->information);
    if (vectors != NULL) invert_norms(vectors, j->dataset->items, j->inverse_norms);
    return order_by_popularity(j, error);
}

static int32_t prepare_pass(sq_job *j, const sq_job_plan *plan, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const int32_t sampled = j->protocol->against != SQ_AGAINST_ALL;
    const size_t cases = (size_t)j->cases.count;
    sq_pass *pass = &j->pass;
    pass->context = j->context;
    pass->dataset = j->dataset;
    pass->protocol = j->protocol;
    pass->cases = &j->cases;
    pass->candidates = sampled ? &j->candidates : NULL;
    pass->hide_request_time = j->options->hide_request_time;
    pass->progress = j->options->progress;
    pass->progress_context = j->options->progress_context;
    pass->total = plan->passes * j->cases.count;
    pass->places = sq_alloc(memory, cases, sizeof(sq_place));
    int32_t whole = pass->places != NULL;
    if (!sampled) {
        int64_t length = j->cutoffs[j->cutoff_count - 1];
        if (j->options->beyond && length < SQ_PERSONAL_LIST) length = SQ_PERSONAL_LIST;
        if (length > j->dataset->items) length = j->dataset->items;
        pass->lists = (sq_lists){.count = j->cases.count, .length = length};
        pass->lists.items = sq_alloc(memory, cases * (size_t)length, sizeof(int32_t));
        whole = whole && pass->lists.items != NULL;
    }
    SQ_CHECK(whole, error, SEQREC_E_MEMORY, "no memory for the lists of %" PRId64 " users", j->cases.count);
    return SEQREC_OK;
}

static int32_t prepare(sq_job *j, const sq_job_plan *plan, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    const seqrec_evaluation *o = j->options;
    const int32_t sampled = j->protocol->against != SQ_AGAINST_ALL;
    int32_t parts = sampled ? SQ_PART_SHORT : SQ_PART_EXPOSURE;
    if (o->beyond) parts |= SQ_PART_BEYOND | (plan->vectors != NULL ? SQ_PART_DIVERSITY : 0);
    j->figures = sq_figures_of(j->cutoffs, j->cutoff_count, parts, j->last);
    SQ_TRY(collect_cases(j, error));
    if (sampled) SQ_TRY(sq_candidates_create(memory, j->dataset, j->protocol->against, o->seed, &j->candidates, error));
    SQ_TRY(sq_report_create(j->context, &j->figures, plan->rows, &j->report, error));
    SQ_TRY(prepare_pass(j, plan, error));
    if (plan->popularity || o->beyond || o->breakdown)
        SQ_TRY(sq_popularity_create(memory, j->dataset, &j->division, &j->popularity, error));
    return o->beyond ? prepare_beyond(j, plan->vectors, error) : SEQREC_OK;
}

int32_t sq_job_open(sq_job *j, seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                    const seqrec_evaluation *options, const sq_job_plan *plan, seqrec_error *error)
{
    *j = (sq_job){.context = context, .dataset = dataset, .options = options};
    j->division = division != NULL ? *division : (sq_division){.kind = SQ_DIVISION_LEAVE_ONE_OUT};
    j->pass.beyond.vectors = plan->vectors;
    SQ_TRY(sq_pool_check(context->pool, error));
    SQ_TRY(read_options(j, plan, error));
    return prepare(j, plan, error);
}

double *sq_job_values(const sq_job *j, int64_t sheets, seqrec_error *error)
{
    const size_t columns = (size_t)sheets * (size_t)j->figures.columns;
    double *values = sq_alloc(&j->context->memory, (size_t)j->cases.count * columns, sizeof(double));
    if (values == NULL)
        (void)sq_fail(error, SEQREC_E_MEMORY, "no memory for the metrics of %" PRId64 " users", j->cases.count);
    return values;
}

/* ---- figures ---- */

/* Values of the first figure of a kind; NULL when rows have none. */
static double *column(const sq_job *j, double *values, int32_t kind)
{
    return j->figures.count[kind] > 0 ? values + j->figures.first[kind] * j->cases.count : NULL;
}

/* The same where they only serve an interval. */
static double *spread(const sq_job *j, double *values, int32_t kind)
{
    return j->resamples > 0 ? column(j, values, kind) : NULL;
}

static void fill_ranks(const sq_job *j, double *values)
{
    const int64_t n = j->cases.count;
    const sq_place *places = j->pass.places;
    double *hits = column(j, values, SQ_HIT), *gains = column(j, values, SQ_GAIN);
    for (int64_t c = 0; c < j->cutoff_count; c++) {
        for (int64_t u = 0; u < n; u++) {
            hits[c * n + u] = sq_metric_hit(places[u], j->cutoffs[c]);
            gains[c * n + u] = sq_metric_ndcg(places[u], j->cutoffs[c]);
        }
    }
    double *reciprocals = column(j, values, SQ_RECIPROCAL);
    for (int64_t u = 0; u < n; u++) reciprocals[u] = sq_metric_reciprocal(places[u]);
}

/* Mean information of each list's first k items; 0 for an empty list. */
static void fill_novelty(const sq_job *j, double *values)
{
    const int64_t n = j->cases.count;
    double *novelty = column(j, values, SQ_NOVELTY);
    for (int64_t u = 0; u < n; u++) {
        const int32_t *list = sq_list(&j->pass.lists, u);
        double bits = 0.0;
        int64_t at = 0;
        for (int64_t c = 0; c < j->cutoff_count; c++) {
            const int64_t entries = sq_list_entries(&j->pass.lists, u, j->cutoffs[c]);
            for (; at < entries; at++) bits += j->information[list[at]];
            novelty[c * n + u] = entries > 0 ? bits / (double)entries : 0.0;
        }
    }
}

static sq_figure *figure_of(const sq_job *j, sq_figure *row, int32_t kind)
{
    return row + 1 + j->figures.first[kind];
}

static int32_t fill_exposure(const sq_job *j, double *values, sq_figure *row, seqrec_error *error)
{
    const sq_memory *memory = &j->context->memory;
    double *shares = sq_alloc(memory, 2 * (size_t)j->cutoff_count, sizeof(double));
    SQ_CHECK(shares != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " cut-offs", j->cutoff_count);
    const sq_exposure out = {shares, shares + j->cutoff_count, spread(j, values, SQ_COVERAGE),
                             spread(j, values, SQ_GINI)};
    const int32_t status =
        sq_exposure_measure(memory, &j->pass.lists, j->dataset->items, j->cutoffs, j->cutoff_count, &out, error);
    for (int64_t c = 0; c < j->cutoff_count && status == SEQREC_OK; c++) {
        figure_of(j, row, SQ_COVERAGE)[c].value = out.coverage[c];
        figure_of(j, row, SQ_GINI)[c].value = out.gini[c];
    }
    sq_free(memory, shares);
    return status;
}

static void fill_unknown(double *values, int64_t n)
{
    for (int64_t i = 0; values != NULL && i < n; i++) values[i] = NAN;
}

static int32_t fill_calibration(const sq_job *j, const sq_scorer *scorer, double *values, sq_figure *row,
                                seqrec_error *error)
{
    const int64_t n = j->cases.count;
    sq_calibration out = {NAN, NAN, spread(j, values, SQ_ECE), spread(j, values, SQ_ECE_MASS)};
    if (scorer->vectors == NULL) {
        fill_unknown(out.width_of, n);
        fill_unknown(out.mass_of, n);
        return SEQREC_OK;
    }
    SQ_TRY(sq_calibrate(&j->context->memory, column(j, values, SQ_CONFIDENCE), j->pass.places, n, &out, error));
    figure_of(j, row, SQ_ECE)->value = out.width;
    figure_of(j, row, SQ_ECE_MASS)->value = out.mass;
    return SEQREC_OK;
}

static int32_t fill_personal(const sq_job *j, double *values, sq_figure *row, seqrec_error *error)
{
    double figures[3 * SQ_PERSONAL_MOST];
    const int64_t depth = j->dataset->items < SQ_PERSONAL_LIST ? j->dataset->items : SQ_PERSONAL_LIST;
    const sq_personal out = {figures, figures + j->last, figures + 2 * j->last, spread(j, values, SQ_DIFFER),
                             spread(j, values, SQ_APART)};
    SQ_TRY(sq_personal_measure(&j->context->memory, &j->cases, &j->pass.lists, depth, j->dataset->items, j->last, &out,
                               error));
    for (int64_t k = 0; k < j->last; k++) {
        figure_of(j, row, SQ_PAIRS)[k].value = out.pairs[k];
        figure_of(j, row, SQ_DIFFER)[k].value = out.differ[k];
        figure_of(j, row, SQ_APART)[k].value = out.apart[k];
    }
    return SEQREC_OK;
}

/* Points the pass at the columns that it fills itself. */
static void aim(sq_job *j, double *values)
{
    sq_beyond *beyond = &j->pass.beyond;
    const int64_t from = sq_figures_diverse_from(&j->figures);
    beyond->nll = column(j, values, SQ_NLL);
    beyond->confidence = column(j, values, SQ_CONFIDENCE);
    beyond->inverse_norms = j->inverse_norms;
    beyond->cutoffs = j->cutoffs + from;
    beyond->cutoff_count = j->cutoff_count - from;
    beyond->diversity = column(j, values, SQ_DIVERSITY);
    beyond->by_popularity = j->by_popularity;
    beyond->depth = j->dataset->items < SQ_PERSONAL_LIST ? j->dataset->items : SQ_PERSONAL_LIST;
    beyond->apart_popular = column(j, values, SQ_APART_POPULAR);
}

int32_t sq_job_is_share(int32_t kind)
{
    return kind == SQ_COVERAGE || kind == SQ_GINI || kind == SQ_ECE || kind == SQ_ECE_MASS || kind == SQ_DIFFER ||
           kind == SQ_APART;
}

int32_t sq_job_measure(sq_job *j, const sq_scorer *scorer, double *values, sq_figure *row, seqrec_error *error)
{
    const int64_t n = j->cases.count;
    aim(j, values);
    j->pass.users_short = 0;
    SQ_TRY(sq_pass_run(&j->pass, scorer, error));
    row[0].value = (double)n;
    fill_ranks(j, values);
    if (j->figures.count[SQ_COVERAGE] > 0) SQ_TRY(fill_exposure(j, values, row, error));
    if (j->options->beyond) {
        fill_novelty(j, values);
        SQ_TRY(fill_calibration(j, scorer, values, row, error));
        SQ_TRY(fill_personal(j, values, row, error));
    }
    if (j->figures.count[SQ_USERS_SHORT] > 0) figure_of(j, row, SQ_USERS_SHORT)->value = (double)j->pass.users_short;
    for (int64_t c = 0, which; c < j->figures.columns; c++) {
        if (!sq_job_is_share(sq_figures_kind(&j->figures, c + 1, &which)))
            row[1 + c].value = sq_mean(values + c * n, n);
    }
    return SEQREC_OK;
}

/* The numbers of a division that has some, as it is written. */
static void describe_division(seqrec_report *report, const sq_division *d)
{
    if (d->kind == SQ_DIVISION_TIME) sq_report_say(report, " (time:%" PRId64 ":%" PRId64 ")", d->valid_from, d->test_from);
    if (d->kind == SQ_DIVISION_LAST) sq_report_say(report, " (last:%" PRId64 ":%" PRId64 ")", d->last, d->least);
}

void sq_job_describe(sq_job *j)
{
    static const char *const divisions[] = {"nothing held out", "leave-one-out", "division by time", "last events held out"};
    seqrec_report *report = j->report;
    sq_report_say(report, "%s: %s, ties by expectation; %s split, %s", j->protocol->name, j->protocol->sentence,
                  j->valid ? "validation" : "test", divisions[j->division.kind]);
    describe_division(report, &j->division);
    const int64_t ranked = j->cases.targets - j->cases.newcomers;
    if (j->options->instant_sets) sq_report_say(report, "; held-out events at the target's instant as a set, the best ranked counts");
    if (j->options->hide_request_time) sq_report_say(report, "; the time of the request hidden from models");
    if (j->cases.chosen >= 0) sq_report_say(report, "; only %" PRId64 " chosen users", j->cases.chosen);
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

int32_t sq_job_stop(void *job)
{
    const sq_pass *pass = &((const sq_job *)job)->pass;
    if (pass->progress == NULL) return 0;
    return pass->progress(pass->progress_context, "evaluate", pass->done, pass->total);
}
