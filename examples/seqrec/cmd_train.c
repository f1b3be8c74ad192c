/* seqrec tool: `train`, from a file of events to a model file, with checkpoints and a clean end on Ctrl-C. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include "model_clock.h"
#include "option_needs.h"
#include "output_check.h"
#include "train_batches.h"
#include "train_journal.h"
#include "train_options.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GATED = 1000 }; /* users on whose histories gates of content are counted */

static const command_text text = {
    "train", "--data FILE --out MODEL [OPTIONS]",
    "Trains a model. Every user's last two events are held out unless --split says otherwise.\n"
    "Ctrl-C finishes the step and saves; a second Ctrl-C ends at once."};

typedef struct train_run {
    data_source source;
    train_options options;
    const char *split, *out, *checkpoint, *resume, *log, *curve;
    int64_t threads;
    int as_json;
    seqrec_context *context;
    seqrec_dataset *dataset;
    seqrec_config *config; /* what the model was made with; of the loaded model when resumed */
    seqrec_model *model;
    seqrec_trainer *trainer;
    seqrec_fit_stats stats;
    train_journal journal;
    double seconds;
} train_run;

static int parse(train_run *run, int argc, char **argv)
{
    train_options *o = &run->options;
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        {"out", ARGUMENT_TEXT, &run->out, "MODEL", "model file to write", 0, 0},
        OPTION_ARGUMENTS(*o),
        FIT_ARGUMENTS(*o),
        {"split", ARGUMENT_TEXT, &run->split, "HOW", "leave-one-out (default), none, time:A:B (seconds) or last:N:M (events)", 0, 0},
        NOISE_ARGUMENTS(run->source),
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"checkpoint", ARGUMENT_TEXT, &run->checkpoint, "FILE", "write a checkpoint after each epoch and at the end", 0,
         0},
        {"resume", ARGUMENT_TEXT, &run->resume, "FILE", "go on from this checkpoint", 0, 0},
        {"log", ARGUMENT_TEXT, &run->log, "FILE", "write one JSON object per epoch (goes on with --resume)", 0, 0},
        {"curve", ARGUMENT_TEXT, &run->curve, "FILE", "draw loss and validation metric as SVG", 0, 0},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->journal.bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_files(const train_run *run)
{
    const named_file inputs[] = {{"resume", run->resume}, {"config", run->options.file}, {0}};
    const named_output outputs[] = {{"out", run->out, OUTPUT_WHOLE, NULL},
                                    {"checkpoint", run->checkpoint, OUTPUT_WHOLE, "resume"},
                                    {"log", run->log, OUTPUT_LINES, NULL},
                                    {"curve", run->curve, OUTPUT_WHOLE, NULL},
                                    {0}};
    return check_outputs(text.name, outputs, inputs, &run->source.files);
}

static int validates(const train_run *run)
{
    return !run->split || strcmp(run->split, "none") != 0;
}

/* What asks for a validation that the split leaves no events for. */
static int check_validation(const train_run *run)
{
    const train_options *o = &run->options;
    int64_t every = 0;
    if (validates(run)) return 0;
    if (o->metric) return usage_error(text.name, "--metric %s: --split none holds no events out to validate on", o->metric);
    if (o->valid_every && read_count(o->valid_every, &every) && every > 0)
        return usage_error(text.name, "--valid-every %s: --split none holds no events out to validate on", o->valid_every);
    return 0;
}

static int check_arguments(train_run *run)
{
    if (!run->source.files.count) return usage_error(text.name, "--data FILE is needed");
    if (!run->out) return usage_error(text.name, "--out MODEL is needed");
    if (check_validation(run)) return EXIT_USAGE;
    int outcome = run->resume ? check_resumed_options(text.name, &run->options) : 0;
    if (outcome) return outcome;
    outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? check_files(run) : outcome;
}

static int start_fresh(train_run *run)
{
    seqrec_error error = {0};
    if (seqrec_model_create(run->context, run->config, &run->model, &error) != SEQREC_OK ||
        seqrec_trainer_create(run->model, run->config, &run->trainer, &error) != SEQREC_OK)
        return fail_value(text.name, "starting", &error);
    return 0;
}

static int32_t set_trainer(void *target, const char *name, const char *value, seqrec_error *error)
{
    return seqrec_trainer_set(target, name, value, error);
}

static int check_options(const train_run *run)
{
    const int outcome = refuse_host_sampler(text.name, run->config);
    if (!outcome) remark_unread(&run->options, (seqrec_config *const *)&run->config, 1, validates(run));
    return outcome;
}

static int start_resumed(train_run *run)
{
    seqrec_error error = {0};
    if (seqrec_trainer_load(run->context, run->resume, &run->trainer, &run->model, &error) != SEQREC_OK)
        return fail_file(run->resume, "loading", &error);
    int outcome = apply_options(text.name, &run->options, set_trainer, run->trainer);
    if (!outcome && seqrec_model_config(run->model, &run->config, &error) != SEQREC_OK)
        outcome = fail_library("loading", &error);
    return outcome ? outcome : check_options(run);
}

static void prepare_journal(train_run *run)
{
    train_journal *journal = &run->journal;
    char metric[sizeof journal->metric];
    int64_t asked = 0;
    journal->planned =
        run->options.epochs && read_count(run->options.epochs, &asked) ? asked : option_count(run->config, "epochs");
    journal->by_epoch = !run->options.epochs;
    name_metric(run->config, metric, sizeof metric);
    journal_name_metric(journal, metric);
    journal_label(journal, journal->count ? journal->epochs[journal->count - 1].epoch + 1 : 1);
}

static int fit(train_run *run, int32_t *status)
{
    seqrec_error error = {0};
    seqrec_fit how = {.struct_size = sizeof how};
    how.split = run->split;
    how.checkpoint = run->checkpoint;
    how.epoch = journal_epoch;
    how.epoch_context = &run->journal;
    how.progress = journal_tick;
    how.progress_context = &run->journal;
    run->stats = (seqrec_fit_stats){.struct_size = sizeof run->stats};
    prepare_journal(run);
    double start = now_seconds();
    *status = seqrec_trainer_fit(run->trainer, run->dataset, &how, &run->stats, &error);
    run->seconds = now_seconds() - start;
    progress_clear();
    return *status == SEQREC_OK ? 0 : fail_value(text.name, "training", &error);
}

/* Names that the data has and the model lacks go with the model, so that it can be asked in the words of the data. */
static int carry_names(const train_run *run)
{
    seqrec_error error = {0};
    seqrec_dataset_stats data = {.struct_size = sizeof data};
    if (seqrec_dataset_describe(run->dataset, &data, &error) != SEQREC_OK) return fail_library("describing", &error);
    int64_t *ids = malloc((size_t)data.items * sizeof *ids + 1), items = 0, count = 0;
    const char **names = malloc((size_t)data.items * sizeof *names + 1);
    int outcome = ids && names ? 0 : fail("out of memory");
    if (!outcome && seqrec_dataset_items(run->dataset, ids, data.items, &items, &error) != SEQREC_OK)
        outcome = fail_library("describing", &error);
    for (int64_t i = 0; i < items && !outcome; i++) {
        size_t bytes = 0;
        if (seqrec_items_name(run->model, ids[i], NULL, 0, &bytes, NULL) != SEQREC_E_NOT_FOUND) continue;
        if (seqrec_dataset_item_name(run->dataset, ids[i], &names[count], NULL) == SEQREC_OK) ids[count++] = ids[i];
    }
    if (!outcome && count && seqrec_items_set_names(run->model, ids, names, count, &error) != SEQREC_OK)
        outcome = fail_library("naming", &error);
    free(ids);
    free(names);
    return outcome;
}

static int save(train_run *run)
{
    seqrec_error error = {0};
    char title[160], data[61], preset[64] = "";
    if (seqrec_model_save(run->model, run->out, &error) != SEQREC_OK) return fail_file(run->out, "saving", &error);
    seqrec_model_note(run->model, "preset", preset, sizeof preset, NULL, NULL);
    snprintf(title, sizeof title, "%s on %s", preset, data_title(&run->source, data, sizeof data));
    if (run->curve && !run->journal.count) remark("%s: not written: there are no epochs to draw", run->curve);
    return run->curve && run->journal.count ? journal_curve(&run->journal, run->curve, title) : 0;
}

/* Refused before the first step, or broken off later. */
static int in_the_middle(const train_run *run, int32_t status)
{
    return run->journal.begun || status == SEQREC_E_NUMERIC || status == SEQREC_E_IO || status == SEQREC_E_MEMORY;
}

/* A training that broke off leaves its best weights in the model file all the same, if an epoch was over; the exit status tells of the failure. */
static void rescue(train_run *run)
{
    seqrec_error error = {0};
    if (!run->resume && !run->journal.count) {
        remark("%s: not written: the training broke off before its first epoch was over", run->out);
        return;
    }
    int32_t status = seqrec_trainer_publish_best(run->trainer, &error);
    if (status == SEQREC_E_STATE) return;
    if (status != SEQREC_OK)
        fail("%s: not written: %s", run->out, error.message);
    else if (carry_names(run) == 0 && save(run) == 0)
        remark("%s: the training did not end well; its %s so far are saved", run->out, run->journal.best_epoch ? "best weights" : "weights");
}

/* Those of content: on the training histories of GATED users. */
static int64_t open_content_gates(const train_run *run, double open[64])
{
    train_batches histories = {0};
    int64_t blocks = 0;
    if (batches_open(text.name, &histories, run->dataset, run->split, GATED, 1) ||
        seqrec_model_gates_on(run->model, batches_next(&histories), open, 64, &blocks, NULL) != SEQREC_OK)
        blocks = 0;
    batches_close(&histories);
    return blocks;
}

/* Share of open gates in each block; returns the blocks with gates. */
static int64_t open_gates(const train_run *run, double open[64])
{
    int64_t blocks = 0;
    int32_t status = seqrec_model_gates(run->model, open, 64, &blocks, NULL);
    if (status == SEQREC_E_UNSUPPORTED) return open_content_gates(run, open);
    return status == SEQREC_OK ? blocks : 0;
}

static void emit_gates(json_writer *json, const train_run *run)
{
    double open[64];
    int64_t blocks = open_gates(run, open);
    if (!blocks) return;
    emit_array(json, "gates_open");
    for (int64_t b = 0; b < blocks; b++) emit_real(json, NULL, open[b]);
    emit_end(json, ']');
}

/* A model that may be there is worth more: nothing is written. */
static int untrained(const train_run *run) { return run->stats.cancelled && run->stats.epochs == 0; }

static void print_json(const train_run *run, const char *preset, const seqrec_dataset_stats *data)
{
    json_writer json = {.to = stdout};
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, data->hash);
    emit_object(&json, NULL);
    emit_text(&json, "model", untrained(run) ? NULL : run->out);
    emit_text(&json, "preset", preset);
    emit_count(&json, "epochs", run->stats.epochs);
    emit_real(&json, "seconds_per_epoch", run->stats.seconds_per_epoch);
    emit_real(&json, "tokens_per_second", run->stats.tokens_per_second);
    emit_real(&json, "seconds", run->seconds);
    emit_count(&json, "peak_rss_bytes", peak_resident_bytes());
    emit_text(&json, "metric", run->journal.metric);
    emit_real(&json, "best_valid", run->stats.best_metric);
    emit_count(&json, "best_epoch", run->stats.best_epoch);
    emit_count(&json, "seed", option_count(run->config, "seed"));
    emit_count(&json, "threads", run->threads ? run->threads : online_processors());
    emit_text(&json, "split", run->split ? run->split : "leave-one-out");
    emit_text(&json, "data_hash", hash);
    emit_count(&json, "users", data->users);
    emit_count(&json, "items", seqrec_items_count(run->model));
    if (run->source.noise > 0) emit_real(&json, "noise", run->source.noise);
    emit_gates(&json, run);
    emit_truth(&json, "interrupted", run->stats.cancelled);
    emit_end(&json, '}');
}

static void print_text(const train_run *run, const char *preset)
{
    char number[32];
    printf("%s%s: %s, %lld epochs%s, %.1f s%s\n", bold(), run->out, preset, (long long)run->stats.epochs,
           run->stats.cancelled ? " (interrupted)" : "", run->seconds, plain());
    if (!isnan(run->stats.best_metric))
        printf("best validation %s %.4f at epoch %lld\n", run->journal.metric, run->stats.best_metric,
               (long long)run->stats.best_epoch);
    double open[64];
    const int64_t blocks = open_gates(run, open);
    for (int64_t b = 0; b < blocks; b++)
        printf("%s%.1f %%%s", b ? ", " : "open gates by block: ", 100 * open[b], b + 1 == blocks ? "\n" : "");
    if (isnan(run->stats.seconds_per_epoch)) {
        printf("no epoch was left to train\n");
        return;
    }
    printf("%.3f s per epoch, %s targets/s, peak memory %s MB\n", run->stats.seconds_per_epoch,
           grouped((int64_t)(isfinite(run->stats.tokens_per_second) ? run->stats.tokens_per_second : 0), number),
           grouped(peak_resident_bytes() / 1000000, (char[32]){0}));
}

static int print_result(const train_run *run)
{
    char preset[64] = "";
    seqrec_error error = {0};
    seqrec_dataset_stats data = {.struct_size = sizeof data};
    if (seqrec_dataset_describe(run->dataset, &data, &error) != SEQREC_OK) return fail_library("describing", &error);
    seqrec_model_note(run->model, "preset", preset, sizeof preset, NULL, NULL);
    if (run->as_json)
        print_json(run, preset, &data);
    else
        print_text(run, preset);
    return 0;
}

static int train(train_run *run)
{
    int outcome = run->resume ? 0 : build_config(text.name, &run->options, &run->config);
    if (!outcome && run->config) outcome = check_options(run);
    if (!outcome) outcome = journal_log(&run->journal, run->log, run->resume != NULL);
    if (!outcome) outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->journal.bar, &run->dataset);
    if (!outcome) outcome = add_noise(text.name, &run->source, run->split, &run->dataset);
    if (!outcome) outcome = run->resume ? start_resumed(run) : start_fresh(run);
    if (!outcome) outcome = check_timed(run->model, run->dataset, &run->source);
    if (!outcome) outcome = note_selection(run->model, &run->source);
    if (outcome) return outcome;
    int32_t status = SEQREC_OK;
    outcome = fit(run, &status);
    if (status != SEQREC_OK && in_the_middle(run, status)) rescue(run);
    if (!outcome) outcome = carry_names(run);
    if (!outcome && !untrained(run)) outcome = save(run);
    if (!outcome && (!untrained(run) || run->as_json)) outcome = print_result(run);
    int log_outcome = journal_end_log(&run->journal);
    if (!outcome && untrained(run))
        remark("interrupted before the first epoch was over; %s is not written", run->out);
    else if (!outcome && run->stats.cancelled && interrupted())
        remark("interrupted after epoch %lld; the model is saved", (long long)run->stats.epochs);
    if (!outcome && run->stats.cancelled) outcome = interrupted();
    return outcome ? outcome : log_outcome;
}

int run_train(int argc, char **argv)
{
    train_run run = {0};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) {
        catch_signals(); /* also to remove the files that check_arguments tries */
        outcome = check_arguments(&run);
    }
    if (outcome == PARSED) {
        outlive_pipes();
        outcome = train(&run);
    }
    journal_close(&run.journal);
    seqrec_trainer_release(run.trainer);
    seqrec_model_release(run.model);
    seqrec_config_release(run.config);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.context);
    free_train_options(&run.options);
    free(run.source.files.at);
    return outcome;
}
