/* seqrec tool: `compare`, two models on the same users and data. */
#include "breakdown.h"
#include "commands.h"
#include "data_source.h"
#include "evaluation.h"
#include "model_clock.h"
#include "serving_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const command_text text = {
    "compare", "--model A --model B --data FILE [OPTIONS]",
    "Ranks every user's held-out event with two models and reports the difference of every metric,\n"
    "A less B, with its 95 % interval, a two-sided p, and for how many users either is better.\n"
    "Both meet the same users and candidates, and one resampling of the users serves both."};

typedef struct compare_run {
    data_source source;
    evaluation_arguments what;
    text_list paths;
    int64_t threads;
    int as_json;
    progress bar;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_model *models[2];
    seqrec_report *report;
    evaluation_warnings warnings;
} compare_run;

static int parse(compare_run *run, int argc, char **argv)
{
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        {"model", ARGUMENT_LIST, &run->paths, "MODEL", "model file; twice, A and then B", 0, 0},
        NOISE_ARGUMENTS(run->source),
        EVALUATION_ARGUMENTS(run->what, "10000"),
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_arguments(compare_run *run)
{
    if (!run->source.files.count) return usage_error(text.name, "--data FILE is needed");
    if (run->paths.count != 2)
        return usage_error(text.name, "--model MODEL is needed twice, and is given %lld times",
                           (long long)run->paths.count);
    int outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? check_evaluation(text.name, &run->what) : outcome;
}

static const char *const figures[] = {"a", "b", "difference"}, *const counts[] = {"p", "wins", "losses", "ties"};

/* What there is of a row of counts. */
static void emit_counts(json_writer *json, const seqrec_report *report, const char *row)
{
    const char *metric;
    double low, high;
    for (int32_t i = 1; (metric = seqrec_report_metric(report, row, i)); i++) {
        const double value = report_figure(report, row, metric, &low, &high);
        if (!isnan(value)) emit_real(json, metric, value);
    }
}

static void print_json(const compare_run *run)
{
    json_writer json = {.to = stdout};
    double low, high;
    emit_object(&json, NULL);
    emit_evaluation(&json, &run->what, run->report, &run->source);
    emit_array(&json, "models");
    for (int i = 0; i < 2; i++) emit_text(&json, NULL, run->paths.at[i]);
    emit_end(&json, ']');
    emit_warnings(&json, &run->warnings);
    emit_count(&json, "users", (int64_t)report_figure(run->report, "a", "users", &low, &high));
    for (int r = 0; r < 3; r++) {
        emit_object(&json, figures[r]);
        emit_row(&json, run->report, figures[r]);
        emit_end(&json, '}');
    }
    for (int r = 0; r < 4; r++) {
        emit_object(&json, counts[r]);
        emit_counts(&json, run->report, counts[r]);
        emit_end(&json, '}');
    }
    if (run->what.breakdown) {
        emit_object(&json, "breakdown");
        for (int r = 0; r < 3; r++) emit_groups(&json, run->report, figures[r], emit_row);
        for (int r = 0; r < 4; r++) emit_groups(&json, run->report, counts[r], emit_counts);
        emit_end(&json, '}');
    }
    emit_end(&json, '}');
}

static void print_count(const compare_run *run, const char *row, const char *metric)
{
    double low, high, value = report_figure(run->report, row, metric, &low, &high);
    if (isnan(value))
        printf("  %7s", "-");
    else
        printf("  %7.0f", value);
}

static void print_text(const compare_run *run)
{
    const char *metric;
    double low, high;
    char users[32];
    print_evaluation(&run->what, run->report, &run->source);
    printf("a = %s\nb = %s\n", run->paths.at[0], run->paths.at[1]);
    printf("%s users%s\n\n", grouped((int64_t)report_figure(run->report, "a", "users", &low, &high), users),
           run->what.bootstrap ? "; 95 % bootstrap intervals in brackets" : "");
    printf("%s%-14s  %-8s  %-8s  %-26s  %-8s  %7s  %7s  %7s%s\n", bold(), "", "a", "b", "a - b", "p", "wins", "losses",
           "ties", plain());
    for (int32_t i = 1; (metric = seqrec_report_metric(run->report, "a", i)); i++) {
        printf("%-14s", metric);
        print_figure(run->report, "a", metric, 0, 8);
        print_figure(run->report, "b", metric, 0, 8);
        print_figure(run->report, "difference", metric, 1, 26);
        print_figure(run->report, "p", metric, 0, 8);
        print_count(run, "wins", metric);
        print_count(run, "losses", metric);
        print_count(run, "ties", metric);
        putchar('\n');
    }
    if (run->what.breakdown) print_compared_groups(run->report, &run->what);
}

static int compare_models(compare_run *run)
{
    seqrec_error error = {0};
    const seqrec_evaluation what = evaluation_of(&run->what, &run->bar);
    remark_unused(&run->what, run->models, 2);
    const int32_t status =
        seqrec_compare(run->context, run->models[0], run->models[1], run->dataset, &what, &run->report, &error);
    progress_clear();
    return status == SEQREC_OK ? 0 : fail_value(text.name, "comparing", &error);
}

static int compare(compare_run *run)
{
    int outcome = open_context(run->threads, &run->context);
    for (int i = 0; i < 2 && !outcome; i++) outcome = load_model(run->context, run->paths.at[i], 0, &run->models[i]);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->bar, &run->dataset);
    for (int i = 0; i < 2 && !outcome; i++) outcome = check_timed(run->models[i], run->dataset, &run->source);
    if (!outcome) outcome = add_training_noise(text.name, &run->what, &run->source, run->models, 2, &run->dataset);
    if (!outcome) outcome = read_users(&run->what, run->dataset, &run->source);
    if (!outcome) outcome = compare_models(run);
    if (!outcome) tell_warnings(&run->warnings, run->report, run->models, 2, &run->source);
    if (!outcome && run->as_json)
        print_json(run);
    else if (!outcome)
        print_text(run);
    return outcome;
}

int run_compare(int argc, char **argv)
{
    compare_run run = {.what.bootstrap = 10000};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome == PARSED) {
        catch_signals();
        outcome = compare(&run);
    }
    seqrec_report_release(run.report);
    for (int i = 0; i < 2; i++) seqrec_model_release(run.models[i]);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.context);
    free_evaluation(&run.what);
    free(run.paths.at);
    free(run.source.files.at);
    return outcome;
}
