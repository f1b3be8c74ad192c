/* seqrec tool: `decode`, how a history may go on: paths of several items. */
#include "commands.h"
#include "history_source.h"
#include "item_filter.h"
#include "json_writer.h"
#include "model_clock.h"
#include "ranked_items.h"
#include "serving_file.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, PATHS = 10 };

static const command_text text = {
    "decode", "--model MODEL (--history A,B,... | --data FILE --user U) --steps N [OPTIONS]",
    "Goes on with a history, oldest event first, by paths of N items, each item by its probability\n"
    "behind the ones before it. Items of the history are left out unless --keep-seen is given."};

typedef struct decode_run {
    history_source history;
    item_filter filter;
    const char *model_path, *method, *aggregation;
    int64_t threads, seed, best;
    double top_p; /* -1: not given */
    int mapped, as_json, repeats, streams;
    seqrec_decode how;
    seqrec_context *context;
    seqrec_model *model;
    int64_t *items;
    double *log_probabilities, *step_log_probabilities;
    int64_t found;
    int64_t *list; /* --aggregate: [best] */
    double *scores;
    int64_t listed;
} decode_run;

static int parse(decode_run *run, int argc, char **argv)
{
    const argument table[] = {
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        HISTORY_ARGUMENTS(run->history),
        {"steps", ARGUMENT_COUNT, &run->how.steps, "N", "items of a path", 1, MOST},
        {"method", ARGUMENT_TEXT, &run->method, "NAME", "greedy, beam or sample (default: greedy)", 0, 0},
        {"width", ARGUMENT_COUNT, &run->how.width, "W", "paths of beam and sample (default: 10)", 1, MOST},
        {"groups", ARGUMENT_COUNT, &run->how.groups, "G", "beam: so many beams of W / G paths each (default: 1)", 1, MOST},
        {"diversity", ARGUMENT_REAL, &run->how.diversity, "D",
         "beam: what an item loses for each earlier group that chose it in a step (default: 0)", 0, 1e6},
        {"temperature", ARGUMENT_REAL, &run->how.temperature, "T", "divides the scores (default: 1)", 1e-4, 1e4},
        {"top-k", ARGUMENT_COUNT, &run->how.top_k, "K", "sample: draw from the K best items of a step (default: from all)", 1, 1e9},
        {"top-p", ARGUMENT_REAL, &run->top_p, "P",
         "sample: draw from the fewest best items of a step whose probabilities reach P (default: 1, all)", 0, 1},
        {"seed", ARGUMENT_COUNT, &run->seed, "N", "seed of what is drawn (default: 0)", 0, 9e15},
        {"repeats", ARGUMENT_FLAG, &run->repeats, NULL, "an item may come several times in a path", 0, 0},
        {"interval", ARGUMENT_COUNT, &run->how.interval, "T", "models with time: seconds between items of a path (default: 0)", 0, 1e12},
        {"aggregate", ARGUMENT_TEXT, &run->aggregation, "NAME", "one list of the paths: by rank, count or relevance", 0, 0},
        {"best", ARGUMENT_COUNT, &run->best, "K", "--aggregate: items of the list (default: N)", 1, 1e6},
        FILTER_ARGUMENTS(run->filter),
        {"stream", ARGUMENT_FLAG, &run->streams, NULL, "print items as soon as they are settled, then the paths", 0, 0},
        {"map", ARGUMENT_FLAG, &run->mapped, NULL, "leave the vectors of a file for serving in the file", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: 1)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        DATA_ARGUMENTS(run->history.source, "user-column"),
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static const char *const methods[] = {"greedy", "beam", "sample"};        /* by SEQREC_DECODE_* */
static const char *const aggregations[] = {"rank", "count", "relevance"}; /* by SEQREC_AGGREGATE_* */

static int find_name(const char *const names[3], const char *name)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

static int check_arguments(decode_run *run)
{
    const int method = run->method ? find_name(methods, run->method) : SEQREC_DECODE_GREEDY;
    if (!run->model_path) return usage_error(text.name, "--model MODEL is needed");
    if (!run->how.steps) return usage_error(text.name, "--steps N is needed");
    if (method < 0) return usage_error(text.name, "--method %s: must be greedy, beam or sample", run->method);
    if (method == SEQREC_DECODE_GREEDY && run->how.width > 1)
        return usage_error(text.name, "--width %lld: greedy has one path", (long long)run->how.width);
    if (method != SEQREC_DECODE_SAMPLE && (run->how.top_k || run->top_p >= 0))
        return usage_error(text.name, "--top-k and --top-p are of --method sample");
    if (run->top_p == 0) return usage_error(text.name, "--top-p 0: must be above 0");
    if (run->how.groups > 1 && method != SEQREC_DECODE_BEAM) return usage_error(text.name, "--groups is of --method beam");
    if (run->how.diversity > 0 && run->how.groups <= 1) return usage_error(text.name, "--diversity is of several --groups");
    if (run->aggregation && find_name(aggregations, run->aggregation) < 0)
        return usage_error(text.name, "--aggregate %s: must be rank, count or relevance", run->aggregation);
    if (run->best && !run->aggregation) return usage_error(text.name, "--best is of --aggregate");
    if (!run->best) run->best = run->how.steps;
    if (!run->how.width) run->how.width = method == SEQREC_DECODE_GREEDY ? 1 : PATHS;
    if (run->how.groups > 1 && run->how.width % run->how.groups)
        return usage_error(text.name, "--width %lld is no multiple of --groups %lld", (long long)run->how.width, (long long)run->how.groups);
    if (run->seed && method != SEQREC_DECODE_SAMPLE) remark("--seed: not used: nothing is drawn");
    run->how.struct_size = sizeof run->how;
    run->how.method = method;
    run->how.top_p = run->top_p < 0 ? 0 : run->top_p; /* 0 is the library's default */
    run->how.repeats = run->repeats;
    run->how.seed = (uint64_t)run->seed;
    return check_history_source(text.name, &run->history);
}

static int open_session(const decode_run *run, seqrec_sessions *pool, seqrec_session **out)
{
    const history_source *h = &run->history;
    seqrec_error error = {0};
    int32_t status = seqrec_session_open(pool, h->knows_user ? &h->who : NULL, h->items.ids, h->times.count ? h->times.ids : NULL,
                                         h->items.count, SEQREC_UNKNOWN_SKIP, out, &error);
    if (status == SEQREC_OK && asks_at(h, run->model)) status = seqrec_session_ask_at(*out, h->request_time, &error);
    return status == SEQREC_OK ? 0 : fail_library("decoding", &error);
}

static void emit_item(json_writer *json, const decode_run *run, int64_t item)
{
    char name[NAME_BYTES];
    emit_count(json, "id", item);
    if (item_name(run->model, item, name)[0]) emit_text(json, "name", name);
}

static void print_item(const decode_run *run, int64_t item)
{
    char name[NAME_BYTES];
    printf(" %lld%s", (long long)item, item_name(run->model, item, name)[0] ? " (" : "");
    print_name(name);
    if (name[0]) putchar(')');
}

/* A line for each item that is settled. Paths and places are counted from 1; path 0: all paths of a beam. */
static int32_t print_settled(void *context, const seqrec_decoded *settled)
{
    const decode_run *run = context;
    json_writer json = {.to = stdout};
    if (run->as_json) {
        emit_object(&json, NULL);
        emit_count(&json, "path", settled->path + 1);
        emit_count(&json, "place", settled->step + 1);
        emit_item(&json, run, settled->item);
        emit_real(&json, "log_probability", settled->log_probability);
        emit_end(&json, '}');
    } else {
        if (settled->path < 0) printf("all paths");
        if (settled->path >= 0) printf("path %lld", (long long)settled->path + 1);
        printf(", item %lld:", (long long)settled->step + 1);
        print_item(run, settled->item);
        printf(" at %.4f\n", settled->log_probability);
    }
    fflush(stdout);
    return 0;
}

/* One list of the paths. A beam's paths weigh by their probabilities; drawn ones come by theirs. */
static int make_list(decode_run *run)
{
    const int how = find_name(aggregations, run->aggregation);
    const double *weights = run->how.method == SEQREC_DECODE_SAMPLE ? NULL : run->log_probabilities;
    seqrec_error error = {0};
    run->list = malloc((size_t)run->best * sizeof *run->list);
    run->scores = malloc((size_t)run->best * sizeof *run->scores);
    if (!run->list || !run->scores) return fail("out of memory");
    if (seqrec_aggregate(NULL, run->items, run->found, run->how.steps, how == SEQREC_AGGREGATE_RELEVANCE ? run->step_log_probabilities : weights,
                         how, run->best, run->list, run->scores, &run->listed, &error) != SEQREC_OK)
        return fail_library("aggregation", &error);
    return 0;
}

static int find_paths(decode_run *run, seqrec_session *session)
{
    seqrec_error error = {0};
    int64_t skipped = 0;
    const size_t places = (size_t)(run->how.width * run->how.steps);
    const seqrec_filter filter = library_filter(&run->filter, &skipped);
    run->items = malloc(places * sizeof *run->items);
    run->log_probabilities = malloc((size_t)run->how.width * sizeof *run->log_probabilities);
    run->step_log_probabilities = run->how.step_log_probabilities = malloc(places * sizeof *run->step_log_probabilities);
    run->how.told = run->streams ? print_settled : NULL;
    run->how.told_context = run;
    if (!run->items || !run->log_probabilities || !run->step_log_probabilities) return fail("out of memory");
    if (seqrec_session_decode(session, &run->how, &filter, run->items, run->log_probabilities, &run->found, &error) != SEQREC_OK)
        return fail_library("decoding", &error);
    run->history.skipped += skipped;
    return run->aggregation ? make_list(run) : 0;
}

static int go_on(decode_run *run)
{
    seqrec_error error = {0};
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    if (seqrec_sessions_create(run->model, 0, &pool, &error) != SEQREC_OK) return fail_library("decoding", &error);
    int outcome = open_session(run, pool, &session);
    if (!outcome) outcome = find_paths(run, session);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    return outcome;
}

static void emit_list(json_writer *json, const decode_run *run)
{
    emit_array(json, "list");
    for (int64_t i = 0; i < run->listed; i++) {
        emit_object(json, NULL);
        emit_item(json, run, run->list[i]);
        emit_real(json, "score", run->scores[i]);
        emit_end(json, '}');
    }
    emit_end(json, ']');
}

static void print_list(const decode_run *run)
{
    printf("%s%12s  %s%s\n", bold(), "score", "item", plain());
    for (int64_t i = 0; i < run->listed; i++) {
        printf("%12.6g ", run->scores[i]);
        print_item(run, run->list[i]);
        putchar('\n');
    }
}

static void print_json(const decode_run *run)
{
    json_writer json = {.to = stdout};
    emit_object(&json, NULL);
    emit_array(&json, "paths");
    for (int64_t i = 0; i < run->found; i++) {
        emit_object(&json, NULL);
        emit_real(&json, "log_probability", run->log_probabilities[i]);
        emit_array(&json, "items");
        for (int64_t h = 0; h < run->how.steps; h++) {
            emit_object(&json, NULL);
            emit_item(&json, run, run->items[i * run->how.steps + h]);
            emit_real(&json, "log_probability", run->step_log_probabilities[i * run->how.steps + h]);
            emit_end(&json, '}');
        }
        emit_end(&json, ']');
        emit_end(&json, '}');
    }
    emit_end(&json, ']');
    if (run->aggregation) emit_list(&json, run);
    emit_count(&json, "skipped", run->history.skipped);
    emit_end(&json, '}');
}

static void print_text(const decode_run *run)
{
    printf("%s%5s  %15s  %s%s\n", bold(), "path", "log probability", "items", plain());
    for (int64_t i = 0; i < run->found; i++) {
        printf("%5lld  %15.4f ", (long long)i + 1, run->log_probabilities[i]);
        for (int64_t h = 0; h < run->how.steps; h++) print_item(run, run->items[i * run->how.steps + h]);
        putchar('\n');
    }
}

static int decode(decode_run *run)
{
    char option[DATED_BY_BYTES];
    int outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = load_model(run->context, run->model_path, run->mapped, &run->model);
    if (!outcome) outcome = read_history(text.name, run->context, run->model, &run->history);
    if (!outcome && run->how.interval && !*dated_by(run->model, option)) remark("--interval: not used: the model reads no times");
    if (!outcome) outcome = read_item_filter(text.name, run->model, &run->filter);
    if (!outcome) outcome = check_history(run->model, &run->history);
    if (!outcome) outcome = go_on(run);
    if (outcome) return outcome;
    tell_skipped(&run->history);
    if (run->as_json)
        print_json(run);
    else if (run->aggregation)
        print_list(run);
    else
        print_text(run);
    return 0;
}

int run_decode(int argc, char **argv)
{
    decode_run run = {.threads = 1, .top_p = -1};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome == PARSED) outcome = decode(&run);
    free(run.items);
    free(run.log_probabilities);
    free(run.step_log_probabilities);
    free(run.list);
    free(run.scores);
    free_item_filter(&run.filter);
    free_history(&run.history);
    seqrec_model_release(run.model);
    seqrec_context_release(run.context);
    return outcome;
}
