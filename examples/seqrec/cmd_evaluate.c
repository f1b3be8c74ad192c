/* seqrec tool: `evaluate`, held-out events ranked by a model and by the baselines. */
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
    "evaluate", "--data FILE [--model MODEL] [OPTIONS]",
    "Ranks every user's held-out event and reports hit rate, NDCG and MRR with 95 % intervals,\n"
    "beside the popularity and first-order Markov rankings; without --model those two alone."};

typedef struct evaluate_run {
    data_source source;
    evaluation_arguments what;
    const char *model_path;
    int64_t threads;
    int baselines, as_json;
    progress bar;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_model *model;
    seqrec_report *report;
    evaluation_warnings warnings;
} evaluate_run;

static int parse(evaluate_run *run, int argc, char **argv)
{
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        NOISE_ARGUMENTS(run->source),
        EVALUATION_ARGUMENTS(run->what, "1000"),
        {"no-baselines", ARGUMENT_OFF, &run->baselines, NULL, "leave popularity and Markov out", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_arguments(evaluate_run *run)
{
    if (!run->source.files.count) return usage_error(text.name, "--data FILE is needed");
    if (!run->model_path && !run->baselines)
        return usage_error(text.name, "--no-baselines without --model leaves nothing to evaluate");
    int outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? check_evaluation(text.name, &run->what) : outcome;
}

static int rank_events(evaluate_run *run)
{
    seqrec_error error = {0};
    seqrec_evaluation what = evaluation_of(&run->what, &run->bar);
    remark_unused(&run->what, &run->model, 1);
    what.baselines = run->baselines;
    int32_t status = seqrec_evaluate(run->context, run->model, run->dataset, &what, &run->report, &error);
    progress_clear();
    return status == SEQREC_OK ? 0 : fail_value(text.name, "evaluating", &error);
}

/* The report's rows of all users; returns how many. */
static int list_rows(const evaluate_run *run, const char *rows[3])
{
    int count = 0;
    if (run->model) rows[count++] = "model";
    if (run->baselines) {
        rows[count++] = "popularity";
        rows[count++] = "markov";
    }
    return count;
}

static void print_json(const evaluate_run *run)
{
    const char *rows[3];
    const int count = list_rows(run, rows);
    json_writer json = {.to = stdout};
    double low, high;
    emit_object(&json, NULL);
    emit_evaluation(&json, &run->what, run->report, &run->source);
    emit_text(&json, "model", run->model_path);
    emit_warnings(&json, &run->warnings);
    if (run->model)
        emit_row(&json, run->report, "model");
    else
        emit_count(&json, "users", (int64_t)report_figure(run->report, "popularity", "users", &low, &high));
    if (run->baselines) {
        emit_object(&json, "baselines");
        for (int i = count - 2; i < count; i++) {
            emit_object(&json, rows[i]);
            emit_row(&json, run->report, rows[i]);
            emit_end(&json, '}');
        }
        emit_end(&json, '}');
    }
    if (run->what.breakdown) {
        emit_object(&json, "breakdown");
        for (int i = 0; i < count; i++) emit_groups(&json, run->report, rows[i], emit_row);
        emit_end(&json, '}');
    }
    emit_end(&json, '}');
}

static void print_text(const evaluate_run *run)
{
    const char *rows[3];
    const char *metric;
    const int count = list_rows(run, rows);
    double low, high;
    char users[32];
    print_evaluation(&run->what, run->report, &run->source);
    printf("%s users%s\n\n", grouped((int64_t)report_figure(run->report, rows[0], "users", &low, &high), users),
           run->what.bootstrap ? "; 95 % bootstrap intervals in brackets" : "");
    printf("%s%-14s", bold(), "");
    for (int i = 0; i < count; i++) printf("  %-24s", rows[i]);
    printf("%s\n", plain());
    for (int32_t i = 1; (metric = seqrec_report_metric(run->report, rows[0], i)); i++) {
        printf("%-14s", metric);
        for (int j = 0; j < count; j++) print_figure(run->report, rows[j], metric, 1, 24);
        putchar('\n');
    }
    for (int j = 0; j < count && run->what.breakdown; j++) print_groups(run->report, &run->what, rows[j]);
}

static int evaluate(evaluate_run *run)
{
    int outcome = open_context(run->threads, &run->context);
    if (!outcome && run->model_path) outcome = load_model(run->context, run->model_path, 0, &run->model);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->bar, &run->dataset);
    if (!outcome) outcome = check_timed(run->model, run->dataset, &run->source);
    if (!outcome) outcome = add_training_noise(text.name, &run->what, &run->source, &run->model, 1, &run->dataset);
    if (!outcome) outcome = read_users(&run->what, run->dataset, &run->source);
    if (!outcome) outcome = rank_events(run);
    if (!outcome) tell_warnings(&run->warnings, run->report, &run->model, 1, &run->source);
    if (!outcome && run->as_json)
        print_json(run);
    else if (!outcome)
        print_text(run);
    return outcome;
}

int run_evaluate(int argc, char **argv)
{
    evaluate_run run = {.baselines = 1, .what.bootstrap = 1000};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome == PARSED) {
        catch_signals();
        outcome = evaluate(&run);
    }
    seqrec_report_release(run.report);
    seqrec_model_release(run.model);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.context);
    free_evaluation(&run.what);
    free(run.source.files.at);
    return outcome;
}
