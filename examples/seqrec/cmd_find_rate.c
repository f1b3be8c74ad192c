/* seqrec tool: `find-rate`, the learning-rate range test: steps at a rising rate, and where the loss falls fastest. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include "model_clock.h"
#include "option_needs.h"
#include "output_check.h"
#include "svg_curve.h"
#include "train_batches.h"
#include "train_options.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const command_text text = {
    "find-rate", "--data FILE [OPTIONS]",
    "Trains a throw-away model at a learning rate that rises from step to step (the range test of\n"
    "Smith 2017), and suggests the rate at which the smoothed loss falls fastest. Warm-up, schedule and\n"
    "known_items are left out."};

enum {
    WARM_SHARE = 10,
    WINDOW_SHARE = 20
};                                   /* 1/10 of the steps is left out at the start, 1/20 lies to each side of a slope */
static const double smoothing = 0.9; /* weight of the past in the running mean of the losses */
static const double divergence = 4;  /* times the lowest smoothed loss */

typedef struct find_run {
    data_source source;
    train_options options;
    const char *split, *curve;
    int64_t threads, steps;
    double from, to;
    int as_json;
    progress bar;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_config *config;
    seqrec_model *model;
    seqrec_trainer *trainer;
    train_batches batches;
    double *rates, *losses, *smoothed; /* [steps] */
    int64_t done;
    const char *stopped; /* why before the last step, or NULL */
    int64_t suggested;   /* index, -1: the loss never falls */
} find_run;

static int parse(find_run *run, int argc, char **argv)
{
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        OPTION_ARGUMENTS(run->options),
        {"from", ARGUMENT_REAL, &run->from, "RATE", "rate of the first step (default: 1e-6)", 1e-12, 10},
        {"to", ARGUMENT_REAL, &run->to, "RATE", "rate of the last step (default: 1)", 1e-12, 10},
        {"steps", ARGUMENT_COUNT, &run->steps, "N", "steps, one batch each (default: 200)", 20, 1e6},
        {"split", ARGUMENT_TEXT, &run->split, "HOW", "leave-one-out (default), none, time:A:B (seconds) or last:N:M (events)", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"curve", ARGUMENT_TEXT, &run->curve, "FILE", "draw the smoothed loss over the rate as SVG", 0, 0},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_arguments(find_run *run)
{
    if (!run->source.files.count) return usage_error(text.name, "--data FILE is needed");
    if (!(run->from < run->to))
        return usage_error(text.name, "--from %.9g: must be below --to %.9g", run->from, run->to);
    const named_file inputs[] = {{"config", run->options.file}, {0}};
    const named_output outputs[] = {{"curve", run->curve, OUTPUT_WHOLE, NULL}, {0}};
    int outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? check_outputs(text.name, outputs, inputs, &run->source.files) : outcome;
}

/* The rate is the test's own: no warm-up, no schedule. Known items are asked about by a fit alone. */
static int make_config(find_run *run)
{
    static const char *const own[][2] = {{"schedule", "constant"}, {"schedule_steps", "0"}, {"warmup_steps", "0"}, {"known_items", "none"}};
    seqrec_error error = {0};
    int outcome = build_config(text.name, &run->options, &run->config);
    if (!outcome) remark_unread(&run->options, &run->config, 1, 1);
    for (size_t i = 0; i < sizeof own / sizeof *own && !outcome; i++)
        if (seqrec_config_set(run->config, own[i][0], own[i][1], &error) != SEQREC_OK)
            outcome = fail_library("starting", &error);
    return outcome ? outcome : refuse_host_sampler(text.name, run->config);
}

static int check_values(const find_run *run)
{
    char weights[32], data[256];
    option_text(run->config, "event_weights", weights, sizeof weights);
    if (run->batches.has_values || strcmp(weights, "values") != 0) return 0;
    return fail("%s: the events have no values, and event_weights = values weighs by them", data_title(&run->source, data, sizeof data));
}

static int put_users(const find_run *run)
{
    char kind[32];
    seqrec_error error = {0};
    option_text(run->config, "user_embedding", kind, sizeof kind);
    if (!strcmp(kind, "none")) return 0;
    int64_t *ids = batches_user_ids(&run->batches);
    if (!ids) return fail("out of memory");
    int32_t status = seqrec_users_put(run->model, ids, run->batches.count, NULL, &error);
    free(ids);
    return status == SEQREC_OK ? 0 : fail_value(text.name, "starting", &error);
}

static int start(find_run *run)
{
    seqrec_error error = {0};
    const train_batches *b = &run->batches;
    int32_t status = seqrec_model_create(run->context, run->config, &run->model, &error);
    if (status == SEQREC_OK) status = seqrec_items_put(run->model, b->catalogue, b->catalogue_count, NULL, &error);
    if (status == SEQREC_OK) status = seqrec_trainer_create(run->model, run->config, &run->trainer, &error);
    if (status == SEQREC_OK)
        status = seqrec_trainer_set_popularity(run->trainer, b->catalogue, b->counts, b->catalogue_count, &error);
    return status == SEQREC_OK ? put_users(run) : fail_value(text.name, "starting", &error);
}

/* One step at the rate of step i: of as many batches as it accumulates. Returns a status. */
static int32_t step(find_run *run, int64_t i, seqrec_error *error)
{
    char rate[32];
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    run->rates[i] = run->from * pow(run->to / run->from, (double)i / (double)(run->steps - 1));
    snprintf(rate, sizeof rate, "%.17g", run->rates[i] < run->to ? run->rates[i] : run->to);
    int32_t status = seqrec_trainer_set(run->trainer, "learning_rate", rate, error);
    do {
        if (status == SEQREC_OK) status = seqrec_trainer_step(run->trainer, batches_next(&run->batches), &stats, error);
    } while (status == SEQREC_OK && stats.waiting > 0);
    run->losses[i] = stats.loss;
    return status;
}

static int raise_rate(find_run *run)
{
    seqrec_error error = {0};
    double mean = 0, lowest = INFINITY;
    for (; run->done < run->steps && !run->stopped; run->done++) {
        int64_t i = run->done;
        int32_t status = step(run, i, &error);
        if (status == SEQREC_E_NUMERIC) {
            run->stopped = "not finite";
            break;
        }
        if (status != SEQREC_OK) return fail_value(text.name, "training", &error);
        mean = smoothing * mean + (1 - smoothing) * run->losses[i];
        run->smoothed[i] = mean / (1 - pow(smoothing, (double)i + 1));
        lowest = fmin(lowest, run->smoothed[i]);
        if (i >= run->steps / WARM_SHARE && run->smoothed[i] > divergence * lowest) run->stopped = "diverged";
        if (progress_tick(&run->bar, "train", i + 1, run->steps)) run->stopped = "interrupted";
    }
    progress_clear();
    return 0;
}

/* The steepest descent of the smoothed loss over the logarithm of the rate, between the warm-up and the lowest loss. */
static int64_t steepest(const find_run *run)
{
    int64_t window = run->steps / WINDOW_SHARE, first = run->steps / WARM_SHARE, lowest = first, best = -1;
    double steepest_slope = 0;
    for (int64_t i = first; i < run->done; i++)
        if (run->smoothed[i] < run->smoothed[lowest]) lowest = i;
    for (int64_t i = first + window; i + window < run->done && i <= lowest; i++) {
        double slope = (run->smoothed[i + window] - run->smoothed[i - window]) /
                       log(run->rates[i + window] / run->rates[i - window]);
        if (slope >= steepest_slope) continue;
        steepest_slope = slope;
        best = i;
    }
    return best;
}

static int draw(const find_run *run)
{
    char title[160], data[61];
    snprintf(title, sizeof title, "learning rate on %s", data_title(&run->source, data, sizeof data));
    curve of = {.title = title, .x_name = "learning rate", .count = run->done, .x = run->rates, .x_log = 1};
    of.left = (curve_series){"smoothed loss", run->smoothed, NULL};
    of.has_mark = run->suggested >= 0;
    of.mark = of.has_mark ? run->rates[run->suggested] : 0;
    return write_curve(run->curve, &of);
}

static double suggestion(const find_run *run)
{
    return run->suggested < 0 ? NAN : run->rates[run->suggested];
}

static void print_json(const find_run *run)
{
    json_writer json = {.to = stdout};
    emit_object(&json, NULL);
    emit_data(&json, &run->source);
    emit_count(&json, "steps", run->done);
    emit_text(&json, "stopped", run->stopped);
    emit_real(&json, "suggestion", suggestion(run));
    emit_array(&json, "points");
    for (int64_t i = 0; i < run->done; i++) {
        emit_object(&json, NULL);
        emit_real(&json, "rate", run->rates[i]);
        emit_real(&json, "loss", run->losses[i]);
        emit_real(&json, "smoothed", run->smoothed[i]);
        emit_end(&json, '}');
    }
    emit_end(&json, ']');
    emit_end(&json, '}');
}

static void print_text(const find_run *run)
{
    printf("%s%-14s %s%s\n", bold(), "rate", "smoothed loss", plain());
    for (int64_t i = 0; i < run->done; i++)
        printf("%-14.4g %.5f%s\n", run->rates[i], run->smoothed[i], i == run->suggested ? "  <- falls fastest" : "");
    if (run->stopped) printf("stopped after %lld steps: %s\n", (long long)run->done, run->stopped);
    if (run->suggested >= 0)
        printf("suggestion: --set learning_rate=%.2g\n", suggestion(run));
    else
        printf("no suggestion: the loss did not fall; try other bounds or more steps\n");
}

static int find_rate(find_run *run)
{
    size_t bytes = (size_t)run->steps * sizeof(double);
    run->rates = malloc(bytes);
    run->losses = malloc(bytes);
    run->smoothed = malloc(bytes);
    int outcome = run->rates && run->losses && run->smoothed ? make_config(run) : fail("out of memory");
    if (!outcome) outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->bar, &run->dataset);
    if (!outcome)
        outcome = batches_open(text.name, &run->batches, run->dataset, run->split, option_count(run->config, "batch"),
                               (uint64_t)option_count(run->config, "seed"));
    if (!outcome) outcome = check_values(run);
    if (!outcome) outcome = start(run);
    if (!outcome) outcome = check_timed(run->model, run->dataset, &run->source);
    if (!outcome) outcome = raise_rate(run);
    if (outcome) return outcome;
    run->suggested = steepest(run);
    if (run->as_json)
        print_json(run);
    else
        print_text(run);
    outcome = run->curve ? draw(run) : 0;
    return outcome ? outcome : interrupted();
}

int run_find_rate(int argc, char **argv)
{
    find_run run = {.from = 1e-6, .to = 1, .steps = 200};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) {
        catch_signals(); /* also to remove the files that check_arguments tries */
        outcome = check_arguments(&run);
    }
    if (outcome == PARSED) outcome = find_rate(&run);
    free(run.rates);
    free(run.losses);
    free(run.smoothed);
    batches_close(&run.batches);
    seqrec_trainer_release(run.trainer);
    seqrec_model_release(run.model);
    seqrec_config_release(run.config);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.context);
    free_train_options(&run.options);
    free(run.source.files.at);
    return outcome;
}
