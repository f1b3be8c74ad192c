/* seqrec tool: the options that say what is evaluated, shared by the commands that do, and how figures are written. */
#include "evaluation.h"
#include "data_users.h"
#include "model_clock.h"
#include "text_lines.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int check_evaluation(const char *command, evaluation_arguments *e)
{
    char copy[256];
    if (!e->cutoff_text) return PARSED;
    if (strlen(e->cutoff_text) >= sizeof copy)
        return usage_error(command, "--cutoffs: at most %d list lengths", EVALUATION_CUTOFFS);
    snprintf(copy, sizeof copy, "%s", e->cutoff_text);
    for (char *at = copy, *next = copy; next; at = next) {
        next = strchr(at, ',');
        if (next) *next++ = 0;
        if (e->cutoff_count == EVALUATION_CUTOFFS)
            return usage_error(command, "--cutoffs: at most %d list lengths", EVALUATION_CUTOFFS);
        if (!read_count(at, &e->cutoffs[e->cutoff_count]) || e->cutoffs[e->cutoff_count] < 1)
            return usage_error(command, "--cutoffs %s: must be whole numbers from 1 with commas between",
                               e->cutoff_text);
        e->cutoff_count++;
    }
    return PARSED;
}

/* --users on their way in. */
typedef struct user_reading {
    evaluation_arguments *e;
    data_users known;
    const char *data; /* whose users they are, for messages */
} user_reading;

static int take_user(void *context, char *line, int64_t number)
{
    const user_reading *r = context;
    int64_t id = 0;
    char numbers[NAMESAKES_BYTES];
    if (!*line) return 0;
    const int found = find_data_user(&r->known, line, &id);
    if (found == USER_UNKNOWN)
        return fail("--users: %s: line %lld: '%s' is no user of %s", r->e->users_path, (long long)number, line, r->data);
    if (found == USER_AMBIGUOUS)
        return fail("--users: %s: line %lld: '%s' is the name of several users: give one of the numbers %s", r->e->users_path,
                    (long long)number, line, namesakes(&r->known, line, numbers));
    return append_id(&r->e->users, id) ? 0 : EXIT_WORK;
}

int read_users(evaluation_arguments *e, const seqrec_dataset *dataset, const data_source *source)
{
    char data[256];
    user_reading r = {.e = e, .data = data_title(source, data, sizeof data)};
    if (!e->users_path) return 0;
    int outcome = open_data_users(&r.known, dataset, source->users_apart);
    if (!outcome) outcome = read_text_lines(e->users_path, take_user, &r);
    if (!outcome && !e->users.count) outcome = fail("--users: %s: names no user", e->users_path);
    close_data_users(&r.known);
    return outcome;
}

void remark_unused(const evaluation_arguments *e, seqrec_model *const *models, int count)
{
    if (e->last && !e->beyond) remark("--last: not used: there is no --beyond");
    if (e->cold && !e->breakdown) remark("--cold: not used: there is no --breakdown");
    for (int i = 0; i < count; i++)
        if (models[i] && reads_request_time(models[i])) return;
    if (e->hide_request_time) remark("--hide-request-time: not used: no model reads when it is asked");
}

int add_training_noise(const char *command, const evaluation_arguments *e, const data_source *source, seqrec_model *const *models,
                       int count, seqrec_dataset **dataset)
{
    char split[64] = "";
    for (int i = 0; i < count && !*split; i++)
        if (models[i]) (void)seqrec_model_note(models[i], "split", split, sizeof split, NULL, NULL);
    return add_noise(command, source, e->division ? e->division : *split ? split : NULL, dataset);
}

seqrec_evaluation evaluation_of(const evaluation_arguments *e, progress *bar)
{
    seqrec_evaluation what = {.struct_size = sizeof what};
    what.protocol = e->protocol;
    what.split = e->split;
    what.division = e->division;
    what.cutoffs = e->cutoff_count ? e->cutoffs : NULL;
    what.cutoff_count = e->cutoff_count;
    what.bootstrap = e->bootstrap ? e->bootstrap : -1;
    what.allow_trained = e->allow_trained;
    what.hide_request_time = e->hide_request_time;
    what.instant_sets = e->instant_sets;
    what.seed = (uint64_t)e->seed;
    what.users = e->users.count ? e->users.ids : NULL;
    what.user_count = e->users.count;
    what.beyond = e->beyond;
    what.last_items = e->last;
    what.breakdown = e->breakdown;
    what.cold_events = e->cold;
    what.progress = progress_tick;
    what.progress_context = bar;
    return what;
}

void free_evaluation(evaluation_arguments *e)
{
    free(e->users.ids);
}

static const char *warning_at(const evaluation_warnings *w, int32_t index)
{
    const char *told = seqrec_report_warning(w->report, index);
    if (told || !index || !w->selection[0] || !seqrec_report_warning(w->report, index - 1)) return told;
    return w->selection;
}

void tell_warnings(evaluation_warnings *out, const seqrec_report *report, seqrec_model *const *models, int count,
                   const data_source *source)
{
    const char *told;
    *out = (evaluation_warnings){.report = report};
    for (int i = 0; i < count && !out->selection[0]; i++)
        if (models[i]) compare_selection(models[i], source, out->selection, sizeof out->selection);
    for (int32_t i = 0; (told = warning_at(out, i)); i++) remark("warning: %s", told);
}

void emit_warnings(json_writer *json, const evaluation_warnings *warnings)
{
    const char *told;
    emit_array(json, "warnings");
    for (int32_t i = 0; (told = warning_at(warnings, i)); i++) emit_text(json, NULL, told);
    emit_end(json, ']');
}

double report_figure(const seqrec_report *report, const char *row, const char *metric, double *low, double *high)
{
    double value = NAN;
    *low = *high = NAN;
    seqrec_report_get(report, row, metric, &value, low, high, NULL);
    return value;
}

void emit_evaluation(json_writer *json, const evaluation_arguments *e, const seqrec_report *report,
                     const data_source *source)
{
    emit_text(json, "protocol", e->protocol ? e->protocol : "E4");
    emit_text(json, "description", seqrec_report_protocol(report));
    emit_text(json, "split", e->split ? e->split : "test");
    emit_count(json, "seed", e->seed);
    emit_data(json, source);
    char *reading = reading_text(source);
    emit_text(json, "reading", reading ? reading : "");
    free(reading);
}

void print_evaluation(const evaluation_arguments *e, const seqrec_report *report, const data_source *source)
{
    char title[256], *reading = reading_text(source);
    printf("%s\n%s%s%s; seed %lld\n", seqrec_report_protocol(report), data_title(source, title, sizeof title), reading && *reading ? " " : "",
           reading ? reading : "", (long long)e->seed);
    free(reading);
}

void emit_row(json_writer *json, const seqrec_report *report, const char *row)
{
    double low, high;
    const char *metric;
    emit_count(json, "users", (int64_t)report_figure(report, row, "users", &low, &high));
    for (int32_t i = 0; (metric = seqrec_report_metric(report, row, i)); i++)
        if (strcmp(metric, "users") != 0) emit_real(json, metric, report_figure(report, row, metric, &low, &high));
    emit_object(json, "ci");
    for (int32_t i = 0; (metric = seqrec_report_metric(report, row, i)); i++) {
        report_figure(report, row, metric, &low, &high);
        if (isnan(low)) continue;
        emit_array(json, metric);
        emit_real(json, NULL, low);
        emit_real(json, NULL, high);
        emit_end(json, ']');
    }
    emit_end(json, '}');
}

static int is_count(const char *metric)
{
    return !strncmp(metric, "pairs_", 6) || !strncmp(metric, "users", 5);
}

void print_figure(const seqrec_report *report, const char *row, const char *metric, int interval, int width)
{
    double low, high, value = report_figure(report, row, metric, &low, &high);
    char cell[64];
    if (isnan(value))
        snprintf(cell, sizeof cell, "-");
    else if (isnan(low) || !interval)
        snprintf(cell, sizeof cell, "%.*f", is_count(metric) ? 0 : 4, value);
    else
        snprintf(cell, sizeof cell, "%.4f [%.4f, %.4f]", value, low, high);
    printf("  %-*s", width, cell);
}
