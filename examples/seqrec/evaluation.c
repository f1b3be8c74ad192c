/* seqrec tool: the options that say what is evaluated, shared by the commands that do, and how figures are written. */
#include "evaluation.h"
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

/* A user as a line may call it: by name where the data has names, else by id. */
typedef struct known_user {
    const char *name;
    int64_t id;
} known_user;

static int compare_users(const void *a, const void *b)
{
    const known_user *x = a, *y = b;
    if (x->name && y->name) return strcmp(x->name, y->name);
    return x->id < y->id ? -1 : x->id > y->id;
}

/* All users in order; NULL when memory ran out. */
static known_user *sort_users(const seqrec_dataset *dataset, int64_t *count)
{
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    if (seqrec_dataset_describe(dataset, &facts, NULL) != SEQREC_OK) return NULL;
    known_user *users = malloc((size_t)(facts.users + 1) * sizeof *users);
    for (int64_t i = 0; users && i < facts.users; i++) {
        users[i].name = NULL;
        if (seqrec_dataset_sequence(dataset, i, &users[i].id, NULL, NULL, NULL, NULL) == SEQREC_OK)
            seqrec_dataset_user_name(dataset, users[i].id, &users[i].name, NULL);
    }
    if (users) qsort(users, (size_t)facts.users, sizeof *users, compare_users);
    *count = facts.users;
    return users;
}

/* --users on their way in. */
typedef struct user_reading {
    evaluation_arguments *e;
    known_user *known;
    int64_t count;
    const char *data; /* whose users they are, for messages */
} user_reading;

static int take_user(void *context, char *line, int64_t number)
{
    const user_reading *r = context;
    const int named = r->count > 0 && r->known[0].name;
    known_user wanted = {named ? line : NULL, 0};
    const known_user *found = NULL;
    if (!*line) return 0;
    if (named || read_count(line, &wanted.id))
        found = bsearch(&wanted, r->known, (size_t)r->count, sizeof *r->known, compare_users);
    if (!found)
        return fail("--users: %s: line %lld: '%s' is no user of %s", r->e->users_path, (long long)number, line, r->data);
    return append_id(&r->e->users, found->id) ? 0 : EXIT_WORK;
}

int read_users(evaluation_arguments *e, const seqrec_dataset *dataset, const data_source *source)
{
    char data[256];
    user_reading r = {.e = e, .data = data_title(source, data, sizeof data)};
    if (!e->users_path) return 0;
    r.known = sort_users(dataset, &r.count);
    int outcome = r.known ? read_text_lines(e->users_path, take_user, &r) : fail("out of memory");
    if (!outcome && !e->users.count) outcome = fail("--users: %s: names no user", e->users_path);
    free(r.known);
    return outcome;
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
    emit_data(json, source);
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
