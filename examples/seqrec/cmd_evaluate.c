/* seqrec tool: `evaluate`, held-out events ranked by a model and by the baselines. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CUTOFFS = 32 };

static const command_text text = {
    "evaluate", "--data FILE [--model MODEL] [OPTIONS]",
    "Ranks every user's held-out event and reports hit rate, NDCG and MRR with 95 % intervals,\n"
    "beside the popularity and first-order Markov rankings; without --model those two alone."};

typedef struct evaluate_run {
    data_source source;
    const char *model_path, *protocol, *split, *division, *cutoff_text;
    int64_t cutoffs[CUTOFFS], cutoff_count, seed, threads, bootstrap;
    int baselines, allow_trained, as_json;
    progress bar;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_model *model;
    seqrec_report *report;
} evaluate_run;

static int parse(evaluate_run *run, int argc, char **argv)
{
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        {"protocol", ARGUMENT_TEXT, &run->protocol, "NAME", "E1, E2, E3, E4 (default), E5 or E9", 0, 0},
        {"split", ARGUMENT_TEXT, &run->split, "PART", "test (default) or valid", 0, 0},
        {"division", ARGUMENT_TEXT, &run->division, "HOW", "leave-one-out, none or time:A:B (default: the model's)", 0,
         0},
        NOISE_ARGUMENTS(run->source),
        {"cutoffs", ARGUMENT_TEXT, &run->cutoff_text, "K,...", "list lengths (default: 1,5,10,20)", 0, 0},
        {"bootstrap", ARGUMENT_COUNT, &run->bootstrap, "N", "resamples for the intervals, 0 for none (default: 1000)",
         0, 1e6},
        {"seed", ARGUMENT_COUNT, &run->seed, "N", "seed of sampled negatives and resamples (default: 0)", 0, 9e15},
        {"no-baselines", ARGUMENT_OFF, &run->baselines, NULL, "leave popularity and Markov out", 0, 0},
        {"allow-trained", ARGUMENT_FLAG, &run->allow_trained, NULL, "score events the model was trained on", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int parse_cutoffs(evaluate_run *run)
{
    char copy[256];
    if (!run->cutoff_text) return PARSED;
    if (strlen(run->cutoff_text) >= sizeof copy)
        return usage_error(text.name, "--cutoffs: at most %d list lengths", CUTOFFS);
    snprintf(copy, sizeof copy, "%s", run->cutoff_text);
    for (char *at = copy, *next = copy; next; at = next) {
        next = strchr(at, ',');
        if (next) *next++ = 0;
        if (run->cutoff_count == CUTOFFS) return usage_error(text.name, "--cutoffs: at most %d list lengths", CUTOFFS);
        if (!read_count(at, &run->cutoffs[run->cutoff_count]) || run->cutoffs[run->cutoff_count] < 1)
            return usage_error(text.name, "--cutoffs %s: must be whole numbers from 1 with commas between",
                               run->cutoff_text);
        run->cutoff_count++;
    }
    return PARSED;
}

static int check_arguments(evaluate_run *run)
{
    if (!run->source.path) return usage_error(text.name, "--data FILE is needed");
    if (!run->model_path && !run->baselines)
        return usage_error(text.name, "--no-baselines without --model leaves nothing to evaluate");
    int outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? parse_cutoffs(run) : outcome;
}

static int rank_events(evaluate_run *run)
{
    seqrec_error error = {0};
    seqrec_evaluation what = {.struct_size = sizeof what};
    what.protocol = run->protocol;
    what.split = run->split;
    what.division = run->division;
    what.cutoffs = run->cutoff_count ? run->cutoffs : NULL;
    what.cutoff_count = run->cutoff_count;
    what.bootstrap = run->bootstrap ? run->bootstrap : -1;
    what.baselines = run->baselines;
    what.allow_trained = run->allow_trained;
    what.seed = (uint64_t)run->seed;
    what.progress = progress_tick;
    what.progress_context = &run->bar;
    int32_t status = seqrec_evaluate(run->context, run->model, run->dataset, &what, &run->report, &error);
    progress_clear();
    return status == SEQREC_OK ? 0 : fail_value(text.name, "evaluating", &error);
}

static double figure(const evaluate_run *run, const char *row, const char *metric, double *low, double *high)
{
    double value = NAN;
    *low = *high = NAN;
    seqrec_report_get(run->report, row, metric, &value, low, high, NULL);
    return value;
}

/* Members of `row` into the open object; intervals in a member "ci". */
static void write_row(json_writer *json, const evaluate_run *run, const char *row)
{
    double low, high;
    const char *metric;
    emit_count(json, "users", (int64_t)figure(run, row, "users", &low, &high));
    for (int32_t i = 0; (metric = seqrec_report_metric(run->report, row, i)); i++)
        if (strcmp(metric, "users") != 0) emit_real(json, metric, figure(run, row, metric, &low, &high));
    emit_object(json, "ci");
    for (int32_t i = 0; (metric = seqrec_report_metric(run->report, row, i)); i++) {
        figure(run, row, metric, &low, &high);
        if (isnan(low) || !strcmp(metric, "users")) continue;
        emit_array(json, metric);
        emit_real(json, NULL, low);
        emit_real(json, NULL, high);
        emit_end(json, ']');
    }
    emit_end(json, '}');
}

static void print_json(const evaluate_run *run)
{
    static const char *const baselines[] = {"popularity", "markov"};
    json_writer json = {.to = stdout};
    double low, high;
    emit_object(&json, NULL);
    emit_text(&json, "protocol", run->protocol ? run->protocol : "E4");
    emit_text(&json, "description", seqrec_report_protocol(run->report));
    emit_text(&json, "split", run->split ? run->split : "test");
    emit_text(&json, "data", run->source.path);
    emit_text(&json, "model", run->model_path);
    if (run->model)
        write_row(&json, run, "model");
    else
        emit_count(&json, "users", (int64_t)figure(run, "popularity", "users", &low, &high));
    if (run->baselines) {
        emit_object(&json, "baselines");
        for (int i = 0; i < 2; i++) {
            emit_object(&json, baselines[i]);
            write_row(&json, run, baselines[i]);
            emit_end(&json, '}');
        }
        emit_end(&json, '}');
    }
    emit_end(&json, '}');
}

static void print_cell(const evaluate_run *run, const char *row, const char *metric)
{
    double low, high, value = figure(run, row, metric, &low, &high);
    char cell[64];
    if (isnan(value))
        snprintf(cell, sizeof cell, "-");
    else if (isnan(low))
        snprintf(cell, sizeof cell, "%.4f", value);
    else
        snprintf(cell, sizeof cell, "%.4f [%.4f, %.4f]", value, low, high);
    printf("  %-24s", cell);
}

static void print_text(const evaluate_run *run)
{
    const char *rows[3] = {"popularity"};
    const char *metric;
    int count = 0;
    double low, high;
    char users[32];
    if (run->model) rows[count++] = "model";
    if (run->baselines) {
        rows[count++] = "popularity";
        rows[count++] = "markov";
    }
    printf("%s\n", seqrec_report_protocol(run->report));
    printf("%s users%s\n\n", grouped((int64_t)figure(run, rows[0], "users", &low, &high), users),
           run->bootstrap ? "; 95 % bootstrap intervals in brackets" : "");
    printf("%s%-12s", bold(), "");
    for (int i = 0; i < count; i++) printf("  %-24s", rows[i]);
    printf("%s\n", plain());
    for (int32_t i = 0; (metric = seqrec_report_metric(run->report, rows[0], i)); i++) {
        if (!strcmp(metric, "users")) continue;
        printf("%-12s", metric);
        for (int j = 0; j < count; j++) print_cell(run, rows[j], metric);
        putchar('\n');
    }
}

/* The noise of a training under the same division. */
static int noise(evaluate_run *run)
{
    char split[64] = "";
    if (!run->division && run->model) (void)seqrec_model_note(run->model, "split", split, sizeof split, NULL, NULL);
    return add_noise(&run->source, run->division ? run->division : *split ? split : NULL, &run->dataset);
}

static int evaluate(evaluate_run *run)
{
    seqrec_error error = {0};
    int outcome = open_context(run->threads, &run->context);
    if (!outcome && run->model_path &&
        seqrec_model_load(run->context, run->model_path, &run->model, &error) != SEQREC_OK)
        outcome = fail_file(run->model_path, "loading", &error);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->bar, &run->dataset);
    if (!outcome) outcome = noise(run);
    if (!outcome) outcome = rank_events(run);
    if (!outcome && run->as_json)
        print_json(run);
    else if (!outcome)
        print_text(run);
    return outcome;
}

int run_evaluate(int argc, char **argv)
{
    evaluate_run run = {.baselines = 1, .bootstrap = 1000};
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
    return outcome;
}
