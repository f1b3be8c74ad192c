/* seqrec tool: `bench`, how fast this machine trains each preset and scores one user. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include "model_clock.h"
#include "train_options.h"
#include <stdlib.h>
#include <string.h>

enum { CALLS = 200, HISTORY = 200, LIST = 10 };

static const command_text text = {
    "bench", "[--preset NAME] [--data FILE] [OPTIONS]",
    "Trains one epoch of each preset, on generated events unless --data names a file, and times\n"
    "the scores of one user on one thread: all items, and the best ten."};

typedef struct bench_run {
    data_source source;
    const char *preset;
    int64_t threads, epochs;
    int as_json;
    progress bar;
    seqrec_context *context, *single; /* with the threads asked for, and without any */
    seqrec_dataset *dataset;
    seqrec_dataset_stats data;
    int64_t *items;         /* ids of the catalogue */
    const int64_t *history; /* the longest sequence, its last HISTORY events */
    const int64_t *times;   /* of these, or NULL */
    int64_t history_count;
} bench_run;

/* Milliseconds. */
typedef struct latency {
    double p50, p99;
} latency;

typedef struct bench_result {
    const char *preset;
    seqrec_fit_stats fit;
    latency score, top;
    char needs[DATED_BY_BYTES]; /* the option that reads times which are not there: not measured; "": measured */
} bench_result;

static int generate(bench_run *run)
{
    seqrec_error error = {0};
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 400, .items = 3416, .clusters = 40};
    synth.shortest = 100;
    synth.longest = 250;
    synth.seed = 1;
    if (seqrec_dataset_synthesize(run->context, &synth, &run->dataset, NULL, &error) != SEQREC_OK)
        return fail_library("generating", &error);
    return 0;
}

static int choose_history(bench_run *run)
{
    seqrec_error error = {0};
    int64_t user = 0, count = 0, longest = 0;
    const int64_t *items = NULL, *times = NULL;
    for (int64_t i = 0; i < run->data.users; i++) {
        if (seqrec_dataset_sequence(run->dataset, i, &user, &items, &times, &count, &error) != SEQREC_OK)
            return fail_library("reading", &error);
        if (count <= longest) continue;
        longest = count;
        run->history_count = count < HISTORY ? count : HISTORY;
        run->history = items + count - run->history_count;
        run->times = times ? times + count - run->history_count : NULL;
    }
    return 0;
}

static int prepare(bench_run *run)
{
    seqrec_error error = {0};
    int64_t count = 0;
    int outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = open_context(1, &run->single);
    if (!outcome)
        outcome = run->source.files.count ? read_data(text.name, run->context, &run->source, &run->bar, &run->dataset)
                                   : generate(run);
    if (outcome) return outcome;
    run->data.struct_size = sizeof run->data;
    if (seqrec_dataset_describe(run->dataset, &run->data, &error) != SEQREC_OK)
        return fail_library("describing", &error);
    run->items = malloc((size_t)run->data.items * sizeof *run->items + 1);
    if (!run->items) return fail("out of memory");
    if (seqrec_dataset_items(run->dataset, run->items, run->data.items, &count, &error) != SEQREC_OK)
        return fail_library("describing", &error);
    return choose_history(run);
}

static int train_epochs(bench_run *run, const seqrec_config *config, seqrec_fit_stats *out)
{
    seqrec_error error = {0};
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    seqrec_fit how = {.struct_size = sizeof how, .split = "none", .progress = progress_tick};
    how.progress_context = &run->bar;
    out->struct_size = sizeof *out;
    int32_t status = seqrec_model_create(run->context, config, &model, &error);
    if (status == SEQREC_OK) status = seqrec_trainer_create(model, config, &trainer, &error);
    if (status == SEQREC_OK) status = seqrec_trainer_fit(trainer, run->dataset, &how, out, &error);
    progress_clear();
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    if (interrupted()) return interrupted();
    return status == SEQREC_OK ? 0 : fail_library("training", &error);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static latency summarize(double *seconds)
{
    qsort(seconds, CALLS, sizeof *seconds, compare_doubles);
    return (latency){1e3 * seconds[CALLS / 2], 1e3 * seconds[CALLS * 99 / 100]};
}

static int time_calls(const bench_run *run, const seqrec_model *model, float *scores, bench_result *out)
{
    double score[CALLS], top[CALLS];
    int64_t offsets[2] = {0, run->history_count}, best[LIST], found = 0;
    int64_t length = run->data.items < LIST ? run->data.items : LIST;
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = run->history,
                          .timestamps = run->times};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    seqrec_error error = {0};
    for (int i = -10; i < CALLS; i++) { /* the first ten warm up */
        double start = now_seconds();
        if (seqrec_score(model, &batch, run->items, NULL, run->data.items, NULL, scores, &error) != SEQREC_OK)
            return fail_library("scoring", &error);
        double middle = now_seconds();
        if (seqrec_topk(model, &batch, length, &filter, best, NULL, &found, &error) != SEQREC_OK)
            return fail_library("scoring", &error);
        if (i >= 0) {
            score[i] = middle - start;
            top[i] = now_seconds() - middle;
        }
    }
    out->score = summarize(score);
    out->top = summarize(top);
    return 0;
}

/* An untrained model costs as much to ask as a trained one. */
static int time_serving(const bench_run *run, const seqrec_config *config, bench_result *out)
{
    seqrec_error error = {0};
    seqrec_model *model = NULL;
    float *scores = malloc((size_t)run->data.items * sizeof *scores + 1);
    int outcome = scores ? 0 : fail("out of memory");
    if (!outcome && (seqrec_model_create(run->single, config, &model, &error) != SEQREC_OK ||
                     seqrec_items_put(model, run->items, run->data.items, NULL, &error) != SEQREC_OK))
        outcome = fail_library("starting", &error);
    if (!outcome) outcome = time_calls(run, model, scores, out);
    seqrec_model_release(model);
    free(scores);
    return outcome;
}

/* The preset for a few epochs of this data: without a schedule, which may be longer than they are, and with no more negatives than there
 * are items. */
static int32_t configure(const bench_run *run, const char *preset, seqrec_config **config, seqrec_error *error)
{
    char number[24];
    int32_t status = seqrec_config_create(NULL, config, error);
    if (status == SEQREC_OK) status = seqrec_config_preset(*config, preset, error);
    snprintf(number, sizeof number, "%lld", (long long)run->epochs);
    if (status == SEQREC_OK) status = seqrec_config_set(*config, "epochs", number, error);
    if (status == SEQREC_OK) status = seqrec_config_set(*config, "schedule", "constant", error);
    if (status == SEQREC_OK) status = seqrec_config_set(*config, "warmup_steps", "0", error);
    if (status != SEQREC_OK || option_count(*config, "negatives") <= run->data.items) return status;
    snprintf(number, sizeof number, "%lld", (long long)run->data.items);
    return seqrec_config_set(*config, "negatives", number, error);
}

static int measure(bench_run *run, const char *preset, bench_result *out)
{
    seqrec_error error = {0};
    seqrec_config *config = NULL;
    int outcome = 0;
    memset(out, 0, sizeof *out);
    out->preset = preset;
    snprintf(run->bar.label, sizeof run->bar.label, "%s", preset);
    if (configure(run, preset, &config, &error) != SEQREC_OK)
        outcome = fail_value(text.name, "starting", &error);
    if (!outcome && !run->data.has_timestamps) config_dated_by(config, out->needs);
    if (!outcome && !*out->needs) outcome = train_epochs(run, config, &out->fit);
    if (!outcome && !*out->needs) outcome = time_serving(run, config, out);
    seqrec_config_release(config);
    return outcome;
}

static void begin_output(const bench_run *run, json_writer *json)
{
    char users[32], items[32], events[32], data[256];
    int64_t threads = run->threads ? run->threads : online_processors();
    if (!run->as_json) {
        printf("%s\n%s: %s users, %s items, %s events; %lld threads\n\n", seqrec_build_info(),
               data_title(&run->source, data, sizeof data), grouped(run->data.users, users),
               grouped(run->data.items, items), grouped(run->data.events, events), (long long)threads);
        printf("%s%-24s %12s %10s %24s %24s%s\n%-24s %12s %10s %24s %24s\n", bold(), "", "training", "",
               "score all items", "best ten", plain(), "preset", "targets/s", "s/epoch", "p50 / p99 ms",
               "p50 / p99 ms");
        return;
    }
    emit_object(json, NULL);
    emit_text(json, "build", seqrec_build_info());
    emit_count(json, "threads", threads);
    if (run->source.files.count)
        emit_data(json, &run->source);
    else
        emit_text(json, "data", "generated");
    emit_count(json, "users", run->data.users);
    emit_count(json, "items", run->data.items);
    emit_count(json, "events", run->data.events);
    emit_count(json, "history", run->history_count);
    emit_object(json, "presets");
}

static void print_result(const bench_run *run, json_writer *json, const bench_result *result)
{
    char rate[32], score[32], top[32];
    if (*result->needs && !run->as_json) {
        printf("%-24s %12s  %s needs times, which these events do not have\n", result->preset, "-", result->needs);
        return;
    }
    if (!run->as_json) {
        snprintf(score, sizeof score, "%.3f / %.3f", result->score.p50, result->score.p99);
        snprintf(top, sizeof top, "%.3f / %.3f", result->top.p50, result->top.p99);
        printf("%-24s %12s %10.3f %24s %24s\n", result->preset, grouped((int64_t)result->fit.tokens_per_second, rate),
               result->fit.seconds_per_epoch, score, top);
        fflush(stdout);
        return;
    }
    emit_object(json, result->preset);
    if (*result->needs) {
        emit_text(json, "skipped", "the events have no times");
        emit_end(json, '}');
        return;
    }
    emit_real(json, "tokens_per_second", result->fit.tokens_per_second);
    emit_real(json, "seconds_per_epoch", result->fit.seconds_per_epoch);
    emit_real(json, "score_ms_p50", result->score.p50);
    emit_real(json, "score_ms_p99", result->score.p99);
    emit_real(json, "top10_ms_p50", result->top.p50);
    emit_real(json, "top10_ms_p99", result->top.p99);
    emit_end(json, '}');
}

static int bench(bench_run *run)
{
    json_writer json = {.to = stdout};
    bench_result result;
    const char *preset;
    int outcome = prepare(run);
    if (outcome) return outcome;
    if (run->preset) {
        outcome = measure(run, run->preset, &result);
        if (!outcome) {
            begin_output(run, &json);
            print_result(run, &json, &result);
        }
    } else {
        begin_output(run, &json);
        for (int32_t i = 0; !outcome && (preset = seqrec_preset_name(i)); i++) {
            outcome = measure(run, preset, &result);
            if (!outcome) print_result(run, &json, &result);
        }
    }
    if (run->as_json && (!outcome || !run->preset)) {
        emit_end(&json, '}');
        emit_count(&json, "peak_rss_bytes", peak_resident_bytes());
        emit_truth(&json, "interrupted", interrupted() != 0);
        emit_end(&json, '}');
    }
    return outcome;
}

int run_bench(int argc, char **argv)
{
    bench_run run = {.epochs = 1};
    const argument table[] = {
        DATA_ARGUMENTS(run.source, "user"),
        {"preset", ARGUMENT_TEXT, &run.preset, "NAME", "measure this preset only", 0, 0},
        {"epochs", ARGUMENT_COUNT, &run.epochs, "N", "epochs of training; the median counts (default: 1)", 1, 1000},
        {"threads", ARGUMENT_COUNT, &run.threads, "N", "threads of training (default: one for each processor)", 1, 256},
        {"json", ARGUMENT_FLAG, &run.as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run.bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    const char *option = run.source.files.count ? NULL : data_option_given(&run.source, "user");
    if (outcome == PARSED && option) outcome = usage_error(text.name, "--%s is of --data FILE", option);
    if (outcome == PARSED) outcome = check_data_source(text.name, &run.source);
    if (outcome == PARSED) {
        catch_signals();
        outcome = bench(&run);
    }
    free(run.items);
    free(run.source.files.at);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.single);
    seqrec_context_release(run.context);
    return outcome;
}
