/* seqrec tool: `tune`, a search over the option table: at random, or by successive halving. Only validation decides. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include "option_needs.h"
#include "output_check.h"
#include "search_space.h"
#include "shell_words.h"
#include "train_options.h"
#include "tune_record.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const command_text text = {
    "tune", "--data FILE --out DIR (--range ... | --choice ... | --space FILE) [OPTIONS]",
    "Trains models with options drawn from ranges and choices, and tells which are best by validation.\n"
    "The test part is not read. The same line goes on where an interrupted search was."};

enum { RUNGS = 64, SHOWN = 10, LOOKED_AT = 500 };

#define VALUES_NOTE "data_values" /* of a checkpoint whose trial may weigh events by their values */

typedef struct tune_run {
    data_source source;
    train_options options;
    const char *split, *out, *method, *space_file;
    text_list ranges, choices;
    int64_t trials, eta, threads;
    int as_json;
    progress bar;
    search_space space;
    seqrec_context *context;
    seqrec_dataset *dataset;
    char data_hash[20], data_values[20]; /* data_values "": no trial learns by the values of the events */
    seqrec_config *config; /* what all trials have in common */
    tune_record record;
    char metric[32];
    int falls; /* 1: the lowest metric is the best */
    int64_t rungs;
    int64_t budgets[RUNGS]; /* epochs in all at the end of each rung; INT64_MAX: as the options say */
    int64_t sizes[RUNGS];   /* trials in it */
    int64_t *alive;         /* [trials] those of the rung at hand, rising */
    int64_t alive_count;
} tune_run;

/* One training of one trial. */
typedef struct trial_run {
    tune_run *run;
    int64_t trial, budget;
    seqrec_config *config;
    seqrec_model *model;
    seqrec_trainer *trainer;
    json_t *options; /* drawn, by name */
    char checkpoint[4200];
} trial_run;

/* ---- arguments ---- */

static int parse(tune_run *run, int argc, char **argv)
{
    const argument table[] = {
        DATA_ARGUMENTS(run->source, "user"),
        {"out", ARGUMENT_TEXT, &run->out, "DIR", "folder for the record of the search; made if needed", 0, 0},
        {"range", ARGUMENT_LIST, &run->ranges, "NAME=LOW:HIGH",
         "vary an option; :log, :int or :int:STEP may follow; may be repeated", 0, 0},
        {"choice", ARGUMENT_LIST, &run->choices, "NAME=A,B,...", "vary an option over values; may be repeated", 0, 0},
        {"space", ARGUMENT_TEXT, &run->space_file, "FILE", "lines 'range NAME=...' and 'choice NAME=...'", 0, 0},
        {"trials", ARGUMENT_COUNT, &run->trials, "N", "options to try (default: 20)", 1, 1e6},
        {"method", ARGUMENT_TEXT, &run->method, "NAME", "random (default) or halving, which needs --epochs", 0, 0},
        {"eta", ARGUMENT_COUNT, &run->eta, "N", "halving: one of N trials goes on (default: 3)", 2, 1000},
        OPTION_ARGUMENTS(run->options),
        FIT_ARGUMENTS(run->options),
        {"split", ARGUMENT_TEXT, &run->split, "HOW", "leave-one-out (default), time:A:B (seconds) or last:N:M (events)", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: one for each processor)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->bar.quiet, NULL, "no progress", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int halves(const tune_run *run)
{
    return run->method && !strcmp(run->method, "halving");
}

static int check_files(const tune_run *run)
{
    char record[RECORD_PATH];
    const named_file inputs[] = {{"config", run->options.file}, {"space", run->space_file}, {0}};
    const named_output outputs[] = {{"out", record, OUTPUT_UNTRIED, NULL}, {0}};
    if (name_record(run->out, record)) return EXIT_WORK;
    return check_outputs(text.name, outputs, inputs, &run->source.files);
}

static int check_arguments(tune_run *run)
{
    if (!run->source.files.count) return usage_error(text.name, "--data FILE is needed");
    if (!run->out || !*run->out) return usage_error(text.name, "--out DIR is needed");
    if (run->method && strcmp(run->method, "random") && !halves(run))
        return usage_error(text.name, "--method %s: must be random or halving", run->method);
    if (halves(run) && !run->options.epochs)
        return usage_error(text.name, "--method halving needs --epochs N, the epochs of the last rung");
    if (run->eta && !halves(run)) remark("--eta: not used: --method is not halving");
    if (!run->eta) run->eta = 3;
    if (run->split && !strcmp(run->split, "none"))
        return usage_error(text.name, "--split none leaves no validation to select by");
    int outcome = check_data_source(text.name, &run->source);
    return outcome == PARSED ? check_files(run) : outcome;
}

/* ---- the plan ---- */

/* Successive halving (Jamieson and Talwalkar 2016): rung k of K ends after epochs / eta^(K-k) epochs, cut to a multiple of
 * valid_every so that a rung ends with a validation; of its trials one in eta goes on. */
static void plan_rungs(tune_run *run, int64_t epochs, int64_t every)
{
    int64_t share = 1, eta = run->eta;
    run->rungs = 1;
    for (; halves(run) && run->rungs < RUNGS && share * eta <= run->trials && epochs / (share * eta) >= every;
         run->rungs++)
        share *= eta;
    for (int64_t k = 0, size = run->trials; k < run->rungs; k++, size /= eta, share /= eta) {
        run->sizes[k] = size;
        run->budgets[k] = epochs / share / every * every;
    }
    run->budgets[run->rungs - 1] = halves(run) ? epochs : INT64_MAX;
}

static void tell_plan(const tune_run *run)
{
    if (run->bar.quiet || !halves(run)) return;
    if (run->rungs == 1)
        remark("one rung: %lld trials of %lld epochs cannot be halved by %lld, with a validation every %lld", (long long)run->trials,
               (long long)run->budgets[0], (long long)run->eta, (long long)option_count(run->config, "valid_every"));
    for (int64_t k = 0; k < run->rungs; k++)
        remark("rung %lld: %lld trials to epoch %lld", (long long)k + 1, (long long)run->sizes[k],
               (long long)run->budgets[k]);
}

static int plan(tune_run *run)
{
    int outcome = fill_space(text.name, &run->space, run->space_file, &run->ranges, &run->choices);
    for (int64_t i = 0; i < run->space.count && !outcome; i++)
        if (is_set(&run->options, run->space.at[i].name))
            outcome = usage_error(text.name, "%s is varied and set by --set: one of them", run->space.at[i].name);
    if (!outcome) outcome = build_config(text.name, &run->options, &run->config);
    if (outcome) return outcome;
    int64_t every = option_count(run->config, "valid_every");
    if (!every) return usage_error(text.name, "valid_every = 0 leaves no validation to select by");
    if (refuse_host_sampler(text.name, run->config)) return EXIT_USAGE;
    name_metric(run->config, run->metric, sizeof run->metric);
    run->falls = metric_falls(run->config);
    plan_rungs(run, option_count(run->config, "epochs"), every);
    run->alive_count = run->trials;
    run->alive = malloc((size_t)run->trials * sizeof *run->alive);
    if (!run->alive) return fail("out of memory");
    for (int64_t i = 0; i < run->trials; i++) run->alive[i] = i + 1;
    return 0;
}

/* ---- what is searched, as the record keeps it ---- */

static void describe_text(json_t *search, const char *key, const char *value)
{
    json_object_set_new(search, key, json_string(value));
}

static void describe_count(json_t *search, const char *key, int64_t value)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, value);
    describe_text(search, key, number);
}

static void describe_space(json_t *search, const search_space *space)
{
    char key[VALUE_BYTES + 8];
    for (int64_t i = 0; i < space->count; i++) {
        snprintf(key, sizeof key, "space.%s", space->at[i].name);
        describe_text(search, key, space->at[i].text);
    }
}

static void describe_options(json_t *search, const seqrec_config *config)
{
    char value[256];
    seqrec_option_info option = {.struct_size = sizeof option};
    for (int32_t i = 0; seqrec_option_describe(i, &option) == SEQREC_OK; i++) {
        option_text(config, option.name, value, sizeof value);
        describe_text(search, option.name, value);
    }
}

/* All that a result depends on. More trials at random are the same trials and more. */
static json_t *describe_search(const tune_run *run)
{
    json_t *search = json_object();
    describe_text(search, "method", halves(run) ? "halving" : "random");
    describe_text(search, "split", run->split ? run->split : "leave-one-out");
    describe_text(search, "data_hash", run->data_hash);
    if (run->data_values[0]) describe_text(search, "data_values", run->data_values);
    if (halves(run)) {
        describe_count(search, "trials", run->trials);
        describe_count(search, "eta", run->eta);
    }
    describe_space(search, &run->space);
    describe_options(search, run->config);
    return search;
}

/* Whether a trial may weigh events by their values. */
static int learns_by_values(const tune_run *run)
{
    char weights[32];
    for (int64_t i = 0; i < run->space.count; i++)
        if (!strcmp(run->space.at[i].name, "event_weights")) return 1;
    option_text(run->config, "event_weights", weights, sizeof weights);
    return strcmp(weights, "none") != 0;
}

static int open_record(tune_run *run)
{
    seqrec_error error = {0};
    seqrec_dataset_stats data = {.struct_size = sizeof data};
    if (seqrec_dataset_describe(run->dataset, &data, &error) != SEQREC_OK) return fail_library("describing", &error);
    snprintf(run->data_hash, sizeof run->data_hash, "%016" PRIx64, data.hash);
    if (learns_by_values(run)) snprintf(run->data_values, sizeof run->data_values, "%016" PRIx64, data.values_hash);
    json_t *search = describe_search(run);
    int outcome = record_open(&run->record, text.name, run->out, search);
    json_decref(search);
    return outcome;
}

/* ---- one training ---- */

static void name_checkpoint(const tune_run *run, int64_t trial, char *out, size_t bytes)
{
    snprintf(out, bytes, "%.4000s/trial-%lld.ckpt", run->out, (long long)trial);
}

static void drop_checkpoint(const tune_run *run, int64_t trial)
{
    char path[4200];
    name_checkpoint(run, trial, path, sizeof path);
    unlink(path);
}

/* The common options with the trial's own over them; its own also into `drawn`, by name, unless that is NULL. */
static int make_config(const tune_run *run, int64_t trial, seqrec_config **out, json_t *drawn)
{
    seqrec_error error = {0};
    train_options options = run->options;
    char value[VALUE_BYTES];
    uint64_t seed = (uint64_t)option_count(run->config, "seed");
    int outcome = build_config(text.name, &options, out);
    for (int64_t i = 0; i < run->space.count && !outcome; i++) {
        draw_value(&run->space.at[i], seed, trial, value);
        if (drawn) json_object_set_new(drawn, run->space.at[i].name, json_string(value));
        if (seqrec_config_set(*out, run->space.at[i].name, value, &error) != SEQREC_OK)
            outcome = fail_library("drawing", &error);
    }
    return outcome;
}

/* Refuses samplers of a host, and remarks on options that no trial reads, among them those that are varied. */
static int look_at_trials(const tune_run *run)
{
    const int64_t count = run->trials < LOOKED_AT ? run->trials : LOOKED_AT;
    seqrec_config **configs = calloc((size_t)count, sizeof(seqrec_config *));
    int outcome = configs ? 0 : fail("out of memory");
    for (int64_t i = 0; i < count && !outcome; i++) {
        outcome = make_config(run, i + 1, &configs[i], NULL);
        if (!outcome) outcome = refuse_host_sampler(text.name, configs[i]);
    }
    if (!outcome) remark_unread(&run->options, configs, count, 1);
    for (int64_t i = 0; i < run->space.count && !outcome; i++) remark_unread_option(run->space.at[i].name, configs, count);
    for (int64_t i = 0; i < count && configs; i++) seqrec_config_release(configs[i]);
    free(configs);
    return outcome;
}

/* Epochs that the loaded trainer has completed. */
static int64_t epochs_done(const trial_run *t)
{
    char number[32];
    int64_t epochs = 0;
    if (seqrec_model_note(t->model, "epochs", number, sizeof number, NULL, NULL) != SEQREC_OK) return 0;
    return read_count(number, &epochs) ? epochs : 0;
}

static void drop_trainer(trial_run *t)
{
    seqrec_trainer_release(t->trainer);
    seqrec_model_release(t->model);
    t->trainer = NULL;
    t->model = NULL;
}

/* Whether the trainer that was loaded is this trial's, of this search, and not beyond the rung. */
static int is_own(const trial_run *t)
{
    char hash[32] = "", values[32] = "", loaded[256], drawn[256];
    seqrec_config *config = NULL;
    seqrec_option_info option = {.struct_size = sizeof option};
    if (seqrec_model_note(t->model, "data_hash", hash, sizeof hash, NULL, NULL) != SEQREC_OK ||
        strcmp(hash, t->run->data_hash) != 0 || epochs_done(t) > t->budget ||
        seqrec_model_config(t->model, &config, NULL) != SEQREC_OK)
        return 0;
    (void)seqrec_model_note(t->model, VALUES_NOTE, values, sizeof values, NULL, NULL);
    int same = !strcmp(values, t->run->data_values);
    for (int32_t i = 0; same && seqrec_option_describe(i, &option) == SEQREC_OK; i++) {
        option_text(config, option.name, loaded, sizeof loaded);
        option_text(t->config, option.name, drawn, sizeof drawn);
        same = !strcmp(loaded, drawn) || !strcmp(option.name, "schedule_steps"); /* which a fit fills in */
    }
    seqrec_config_release(config);
    return same;
}

/* Takes up the trial's checkpoint; without one that is of use it starts from the beginning, which gives the same. */
static int32_t start(trial_run *t, seqrec_error *error)
{
    if (access(t->checkpoint, F_OK) == 0) {
        if (seqrec_trainer_load(t->run->context, t->checkpoint, &t->trainer, &t->model, error) == SEQREC_OK &&
            is_own(t))
            return SEQREC_OK;
        remark("%s: is of no use; the trial is trained again", t->checkpoint);
        drop_trainer(t);
    }
    int32_t status = seqrec_model_create(t->run->context, t->config, &t->model, error);
    if (status == SEQREC_OK && t->run->data_values[0])
        status = seqrec_model_set_note(t->model, VALUES_NOTE, t->run->data_values, error);
    return status == SEQREC_OK ? seqrec_trainer_create(t->model, t->config, &t->trainer, error) : status;
}

static int32_t end_at_budget(void *context, const seqrec_epoch_stats *stats)
{
    const trial_run *t = context;
    return stats->epoch >= t->budget || interrupted();
}

static int32_t fit(trial_run *t, seqrec_fit_stats *stats, seqrec_error *error)
{
    seqrec_fit how = {.struct_size = sizeof how, .split = t->run->split, .checkpoint = t->checkpoint};
    how.epoch = end_at_budget;
    how.epoch_context = t;
    how.progress = progress_tick;
    how.progress_context = &t->run->bar;
    if (epochs_done(t) >=
        t->budget) { /* it was killed between its checkpoint and its record: nothing is left to train */
        char epochs[32];
        snprintf(epochs, sizeof epochs, "%" PRId64, t->budget);
        int32_t status = seqrec_trainer_set(t->trainer, "epochs", epochs, error);
        if (status != SEQREC_OK) return status;
        how.checkpoint = NULL;
    }
    return seqrec_trainer_fit(t->trainer, t->run->dataset, &how, stats, error);
}

/* Options that do not go together and losses that explode are results; all else ends the search. */
static int is_result(int32_t status)
{
    return status == SEQREC_OK || status == SEQREC_E_ARGUMENT || status == SEQREC_E_RANGE || status == SEQREC_E_NUMERIC;
}

static int train_trial(trial_run *t, int64_t rung)
{
    seqrec_error error = {0};
    seqrec_fit_stats stats = {.struct_size = sizeof stats, .best_metric = NAN};
    double began = now_seconds();
    t->options = json_object();
    int outcome = make_config(t->run, t->trial, &t->config, t->options);
    if (outcome) return outcome;
    int32_t status = start(t, &error);
    if (status == SEQREC_OK) status = fit(t, &stats, &error);
    progress_clear();
    if (!is_result(status)) return fail_library("training", &error);
    if (status == SEQREC_OK && stats.cancelled && stats.epochs < t->budget) return interrupted();
    tune_result result = {.trial = t->trial, .rung = rung, .epochs = stats.epochs, .best_epoch = stats.best_epoch};
    result.metric = status == SEQREC_OK ? stats.best_metric : NAN;
    result.seconds = now_seconds() - began;
    if (status != SEQREC_OK) snprintf(result.error, sizeof result.error, "%s", error.message);
    if (status == SEQREC_OK)
        progress_line(&t->run->bar, 1, "trial %lld, epoch %lld: %s %.4f", (long long)t->trial, (long long)result.epochs, t->run->metric,
                      result.metric);
    else
        progress_line(&t->run->bar, 1, "trial %lld failed: %s", (long long)t->trial, result.error);
    return record_add(&t->run->record, &result, t->options);
}

static int run_trial(tune_run *run, int64_t trial, int64_t rung)
{
    trial_run t = {.run = run, .trial = trial, .budget = run->budgets[rung - 1]};
    name_checkpoint(run, trial, t.checkpoint, sizeof t.checkpoint);
    snprintf(run->bar.label, sizeof run->bar.label, "rung %lld/%lld, trial %lld", (long long)rung,
             (long long)run->rungs, (long long)trial);
    int outcome = train_trial(&t, rung);
    drop_trainer(&t);
    seqrec_config_release(t.config);
    json_decref(t.options);
    return outcome;
}

/* ---- the search ---- */

/* Whether a is before b: failures last, then the later rung, the better metric, the earlier trial. */
static int is_before(const tune_run *run, const tune_result *a, const tune_result *b)
{
    if (isnan(a->metric) != isnan(b->metric)) return isnan(b->metric);
    if (a->rung != b->rung) return a->rung > b->rung;
    if (!isnan(a->metric) && a->metric != b->metric) return (a->metric < b->metric) == run->falls;
    return a->trial < b->trial;
}

/* Takes the trials that do not go on out of `alive`. */
static void select_trials(tune_run *run, int64_t rung)
{
    int64_t places = rung < run->rungs ? run->sizes[rung] : 0, kept = 0;
    const tune_record *record = &run->record;
    for (int64_t i = 0; i < run->alive_count; i++) {
        const tune_result *mine = record_find(record, run->alive[i], rung);
        int64_t before = 0;
        for (int64_t r = 0; r < record->count; r++)
            before += record->at[r].rung == rung && is_before(run, &record->at[r], mine);
        if (before < places && !isnan(mine->metric))
            run->alive[kept++] = run->alive[i];
        else
            drop_checkpoint(run, run->alive[i]);
    }
    run->alive_count = kept;
}

static int search(tune_run *run)
{
    for (int64_t rung = 1; rung <= run->rungs; rung++) {
        for (int64_t i = 0; i < run->alive_count; i++) {
            if (record_find(&run->record, run->alive[i], rung)) continue;
            int outcome = interrupted() ? interrupted() : run_trial(run, run->alive[i], rung);
            if (outcome) return outcome;
            if (rung == run->rungs) drop_checkpoint(run, run->alive[i]);
        }
        select_trials(run, rung);
    }
    return 0;
}

/* ---- the result ---- */

/* The latest result of each trial, the best first. Returns how many; the caller frees *out. */
static int64_t rank_trials(const tune_run *run, const tune_result ***out)
{
    const tune_record *record = &run->record;
    const tune_result **best = malloc((size_t)record->count * sizeof *best + 1);
    int64_t count = 0;
    *out = best;
    for (int64_t i = 0; best && i < record->count; i++) {
        const tune_result *result = &record->at[i];
        if (record_find(record, result->trial, result->rung + 1) || result->trial > run->trials) continue;
        int64_t at = count++;
        for (; at > 0 && is_before(run, result, best[at - 1]); at--) best[at] = best[at - 1];
        best[at] = result;
    }
    return count;
}

/* The command that trains the trial as the search did, to the end of its options. */
static void write_train_line(FILE *to, const tune_run *run, int64_t trial)
{
    const train_options *o = &run->options;
    char value[VALUE_BYTES], setting[2 * VALUE_BYTES];
    fputs("seqrec train", to);
    write_data_options(to, &run->source);
    write_option(to, "preset", o->preset);
    write_option(to, "config", o->file);
    for (int64_t i = 0; i < o->sets.count; i++) write_option(to, "set", o->sets.at[i]);
    for (int64_t i = 0; i < run->space.count; i++) {
        draw_value(&run->space.at[i], (uint64_t)option_count(run->config, "seed"), trial, value);
        snprintf(setting, sizeof setting, "%s=%s", run->space.at[i].name, value);
        write_option(to, "set", setting);
    }
    write_option(to, "epochs", o->epochs);
    write_option(to, "seed", o->seed);
    write_option(to, "valid-every", o->valid_every);
    write_option(to, "metric", o->metric);
    write_option(to, "split", run->split);
    snprintf(value, sizeof value, "/trial-%lld.safetensors", (long long)trial);
    char *model = malloc(strlen(run->out) + strlen(value) + 1);
    if (model) {
        memcpy(model, run->out, strlen(run->out));
        memcpy(model + strlen(run->out), value, strlen(value) + 1);
        write_option(to, "out", model);
    }
    free(model);
}

static void print_json_result(json_writer *json, const tune_run *run, const tune_result *result)
{
    char value[VALUE_BYTES];
    emit_object(json, NULL);
    emit_count(json, "trial", result->trial);
    emit_count(json, "rung", result->rung);
    emit_count(json, "epochs", result->epochs);
    emit_real(json, "metric", result->metric);
    emit_count(json, "best_epoch", result->best_epoch);
    emit_text(json, "error", result->error[0] ? result->error : NULL);
    emit_object(json, "options");
    for (int64_t i = 0; i < run->space.count; i++) {
        draw_value(&run->space.at[i], (uint64_t)option_count(run->config, "seed"), result->trial, value);
        emit_text(json, run->space.at[i].name, value);
    }
    emit_end(json, '}');
    emit_end(json, '}');
}

static void print_json(const tune_run *run, const tune_result *const *best, int64_t count, const char *line)
{
    json_writer json = {.to = stdout};
    emit_object(&json, NULL);
    emit_text(&json, "method", halves(run) ? "halving" : "random");
    emit_text(&json, "metric", run->metric);
    emit_count(&json, "trials", run->trials);
    emit_count(&json, "trainings", run->record.count);
    emit_truth(&json, "interrupted", interrupted() != 0);
    emit_text(&json, "train", line);
    emit_array(&json, "results");
    for (int64_t i = 0; i < count; i++) print_json_result(&json, run, best[i]);
    emit_end(&json, ']');
    emit_end(&json, '}');
}

static void print_text(const tune_run *run, const tune_result *const *best, int64_t count, const char *line)
{
    char value[VALUE_BYTES];
    printf("%s%-6s %-6s %-6s %-12s options%s\n", bold(), "trial", "rung", "epochs", run->metric, plain());
    for (int64_t i = 0; i < count && i < SHOWN; i++) {
        printf("%-6lld %-6lld %-6lld ", (long long)best[i]->trial, (long long)best[i]->rung,
               (long long)best[i]->epochs);
        if (isnan(best[i]->metric))
            printf("%-12s", "failed");
        else
            printf("%-12.4f", best[i]->metric);
        for (int64_t a = 0; a < run->space.count; a++) {
            draw_value(&run->space.at[a], (uint64_t)option_count(run->config, "seed"), best[i]->trial, value);
            printf(" %s=%s", run->space.at[a].name, value);
        }
        printf("%s%s\n", best[i]->error[0] ? ": " : "", best[i]->error);
    }
    if (count > SHOWN) printf("and %lld more in %s\n", (long long)(count - SHOWN), run->record.path);
    if (line) printf("\n%s\n", line);
}

static int print_result(const tune_run *run)
{
    const tune_result **best = NULL;
    char *line = NULL;
    size_t bytes = 0;
    int64_t count = rank_trials(run, &best);
    int found = count && !isnan(best[0]->metric);
    FILE *to = found ? open_memstream(&line, &bytes) : NULL;
    if (to) {
        write_train_line(to, run, best[0]->trial);
        fclose(to);
    }
    if (run->as_json)
        print_json(run, best, count, line);
    else
        print_text(run, best, count, line);
    int outcome = found || interrupted() ? 0
                                         : fail("no trial succeeded; the first failed with: %s",
                                                count ? best[0]->error : "nothing was trained");
    free(line);
    free(best);
    return outcome;
}

/* Before the record says that the search was begun with it. */
static int check_split(const tune_run *run)
{
    seqrec_error error = {0};
    return seqrec_dataset_division(run->dataset, run->split, 0, NULL, NULL, &error) == SEQREC_OK ? 0 : fail_value(text.name, "dividing", &error);
}

static int tune(tune_run *run)
{
    int outcome = plan(run);
    if (!outcome) outcome = look_at_trials(run);
    if (!outcome) outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = read_data(text.name, run->context, &run->source, &run->bar, &run->dataset);
    if (!outcome) outcome = check_split(run);
    if (!outcome) outcome = open_record(run);
    if (outcome) return outcome;
    tell_plan(run);
    outcome = search(run);
    if (outcome && outcome != interrupted()) return outcome;
    int printed = print_result(run);
    if (outcome)
        remark("interrupted; %lld trainings are recorded, and the same line goes on", (long long)run->record.count);
    return outcome ? outcome : printed;
}

int run_tune(int argc, char **argv)
{
    tune_run run = {.trials = 20};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) {
        catch_signals(); /* also to remove the files that check_arguments tries */
        outcome = check_arguments(&run);
    }
    if (outcome == PARSED) {
        outlive_pipes();
        outcome = tune(&run);
    }
    record_close(&run.record);
    free_space(&run.space);
    free(run.alive);
    seqrec_config_release(run.config);
    seqrec_dataset_release(run.dataset);
    seqrec_context_release(run.context);
    free(run.ranges.at);
    free(run.choices.at);
    free_train_options(&run.options);
    free(run.source.files.at);
    return outcome;
}
