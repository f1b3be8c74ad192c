/* seqrec tool: `recommend`, the items that should follow a history. */
#include "commands.h"
#include "history_source.h"
#include "index_file.h"
#include "item_filter.h"
#include "model_clock.h"
#include "ranked_items.h"
#include "recommend_batch.h"
#include "serving_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 1024 };

static const command_text text = {
    "recommend", "--model MODEL (--history A,B,... | --data FILE --user U | --batch FILE) [OPTIONS]",
    "Lists the items with the highest scores after a history, oldest event first. Items of the\n"
    "history itself are left out unless --keep-seen is given. --batch does so for each line of a file."};

enum { LIST = 10 }; /* items, where --k says nothing */

typedef struct recommend_run {
    history_source history;
    item_filter filter;
    const char *model_path, *candidate_text, *batch_path, *index_path;
    int64_t k, threads, pool, block, breadth;
    double lambda; /* below 0: the list stays by score */
    int mapped, as_json;
    seqrec_context *context;
    seqrec_model *model;
    id_list candidates;
    int64_t *items;
    float *scores;
    int64_t found;
} recommend_run;

static int parse(recommend_run *run, int argc, char **argv)
{
    const argument table[] = {
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        HISTORY_ARGUMENTS(run->history),
        {"batch", ARGUMENT_TEXT, &run->batch_path, "FILE",
         "a history on each line: user, then items, oldest first; -: standard input", 0, 0},
        {"block", ARGUMENT_COUNT, &run->block, "N", "--batch: lines that are held and scored at a time (default: 1024)", 1, 1e6},
        {"k", ARGUMENT_COUNT, &run->k, "N", "length of the list (default: 10; with --candidates: all)", 1, 1e9},
        {"mmr", ARGUMENT_REAL, &run->lambda, "L", "re-rank: L times the score less 1 - L times the likeness to what stands before", 0, 1},
        {"mmr-pool", ARGUMENT_COUNT, &run->pool, "N", "re-rank so many best items (default: 10 times the list)", 1, 1e9},
        FILTER_ARGUMENTS(run->filter),
        {"candidates", ARGUMENT_TEXT, &run->candidate_text, "A,B,...",
         "score exactly these items, seen or not, or @FILE", 0, 0},
        {"map", ARGUMENT_FLAG, &run->mapped, NULL, "leave the vectors of a file for serving in the file", 0, 0},
        {"index", ARGUMENT_TEXT, &run->index_path, "INDEX", "search by this file of `index`, not by all items", 0, 0},
        {"breadth", ARGUMENT_COUNT, &run->breadth, "N", "candidates of the index, at least (default: 128)", 1, 65536},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: 1)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object; --batch: one for each line", 0, 0},
        {"quiet", ARGUMENT_FLAG, &run->history.bar.quiet, NULL, "no progress", 0, 0},
        DATA_ARGUMENTS(run->history.source, "user-column"),
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_batch(recommend_run *run)
{
    const history_source *h = &run->history;
    data_source *s = &run->history.source;
    data_source others = *s;
    if (h->history_text || h->times_text || h->request_text || h->user || s->files.count || run->candidate_text)
        return usage_error(text.name, "--batch excludes --history, --times, --request-time, --data, --user and --candidates");
    if (run->lambda >= 0) return usage_error(text.name, "--batch excludes --mmr: lists of many users are by score");
    others.separator = NULL;
    if (s->format && !strcmp(s->format, "sequences")) others.format = NULL;
    if (data_option_given(&others, "user-column"))
        return usage_error(text.name, "--batch reads the format sequences: of the options of data it takes --separator only");
    return check_data_source(text.name, s);
}

static int check_arguments(recommend_run *run)
{
    if (!run->model_path) return usage_error(text.name, "--model MODEL is needed");
    if (run->candidate_text && (run->filter.allow_text || run->filter.deny_text || run->filter.keep_seen))
        return usage_error(text.name,
                           "--candidates excludes --allow, --deny and --keep-seen: it scores exactly what it names");
    if (run->index_path && run->candidate_text) return usage_error(text.name, "--candidates excludes --index: all of them are scored");
    if (run->breadth && !run->index_path) return usage_error(text.name, "--breadth goes with --index");
    if (run->pool && run->lambda < 0) return usage_error(text.name, "--mmr-pool is of --mmr");
    if (run->pool && run->pool < (run->k ? run->k : LIST))
        return usage_error(text.name, "--mmr-pool %lld: is below the %lld of the list", (long long)run->pool, (long long)(run->k ? run->k : LIST));
    if (run->pool && run->candidate_text) return usage_error(text.name, "--mmr-pool: --candidates are re-ranked all");
    if (run->batch_path) return check_batch(run);
    if (run->block) return usage_error(text.name, "--block N goes with --batch FILE");
    return check_history_source(text.name, &run->history);
}

static int read_lists(recommend_run *run)
{
    int outcome = read_history(text.name, run->context, run->model, &run->history);
    if (!outcome) outcome = read_item_filter(text.name, run->model, &run->filter);
    if (!outcome && run->candidate_text)
        outcome = read_known_ids(run->model, text.name, "candidates", run->candidate_text, &run->candidates);
    return outcome;
}

typedef struct scored {
    int64_t item, order;
    float score;
} scored;

/* By falling score, those that are no numbers last; equal scores as they were given. */
static int compare_scored(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    const int x_is_none = isnan(x->score) != 0, y_is_none = isnan(y->score) != 0;
    if (x_is_none != y_is_none) return x_is_none ? 1 : -1;
    if (!x_is_none && x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int score_candidates(recommend_run *run, const seqrec_batch *batch, const seqrec_filter *filter)
{
    seqrec_error error = {0};
    int64_t count = run->candidates.count;
    if (seqrec_score(run->model, batch, run->candidates.ids, NULL, count, filter, run->scores, &error) != SEQREC_OK)
        return fail_library("scoring", &error);
    scored *sorted = malloc((size_t)count * sizeof *sorted);
    if (!sorted) return fail("out of memory");
    for (int64_t i = 0; i < count; i++) sorted[i] = (scored){run->candidates.ids[i], i, run->scores[i]};
    qsort(sorted, (size_t)count, sizeof *sorted, compare_scored);
    for (int64_t i = 0; i < count; i++) {
        run->items[i] = sorted[i].item;
        run->scores[i] = sorted[i].score;
    }
    free(sorted);
    run->found = run->lambda < 0 && run->k && run->k < count ? run->k : count;
    return 0;
}

/* Scores of the list, from the best, 1, to the worst, 0. */
static void scale_scores(const recommend_run *run, double *relevance)
{
    float low = run->scores[0], high = low;
    for (int64_t i = 1; i < run->found; i++) {
        low = run->scores[i] < low ? run->scores[i] : low;
        high = run->scores[i] > high ? run->scores[i] : high;
    }
    for (int64_t i = 0; i < run->found; i++)
        relevance[i] = high > low ? ((double)run->scores[i] - (double)low) / ((double)high - (double)low) : 1;
}

/* The items of the list in the places of `order`, the first k of them. */
static void take_order(recommend_run *run, const int64_t *order, int64_t k, scored *to)
{
    for (int64_t i = 0; i < k; i++) to[i] = (scored){run->items[order[i]], i, run->scores[order[i]]};
    for (int64_t i = 0; i < k; i++) {
        run->items[i] = to[i].item;
        run->scores[i] = to[i].score;
    }
    run->found = k;
}

static int rerank(recommend_run *run, int64_t k)
{
    seqrec_error error = {0};
    size_t n = (size_t)run->found;
    if (k > run->found) k = run->found;
    double *relevance = malloc(n * sizeof *relevance);
    int64_t *order = malloc(n * sizeof *order);
    scored *to = malloc(n * sizeof *to);
    int outcome = relevance && order && to ? 0 : fail("out of memory");
    if (!outcome) scale_scores(run, relevance);
    if (!outcome && seqrec_rerank_mmr(run->model, run->items, relevance, run->found, run->lambda, k, order, NULL, &error) != SEQREC_OK)
        outcome = fail_library("re-ranking", &error);
    if (!outcome) take_order(run, order, k, to);
    free(to);
    free(order);
    free(relevance);
    return outcome;
}

static int rank_items(recommend_run *run)
{
    seqrec_error error = {0};
    const history_source *history = &run->history;
    int64_t offsets[2] = {0, history->items.count}, skipped = 0;
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history->items.ids};
    const seqrec_filter filter = library_filter(&run->filter, &skipped);
    const int64_t shown = run->k ? run->k : run->candidate_text ? run->candidates.count : LIST, count = seqrec_items_count(run->model);
    int64_t k = run->lambda < 0 ? shown : run->pool ? run->pool : 10 * shown;
    k = run->candidate_text ? run->candidates.count : k < count ? k : count > 0 ? count : 1;
    batch.timestamps = history->times.count ? history->times.ids : NULL;
    batch.request_times = asks_at(history, run->model) ? &history->request_time : NULL;
    batch.users = history->knows_user ? &history->who : NULL;
    run->items = malloc((size_t)k * sizeof *run->items);
    run->scores = malloc((size_t)k * sizeof *run->scores);
    if (!run->items || !run->scores) return fail("out of memory");
    int outcome = 0;
    if (run->candidate_text)
        outcome = score_candidates(run, &batch, &filter);
    else if (seqrec_topk(run->model, &batch, k, &filter, run->items, run->scores, &run->found, &error) != SEQREC_OK)
        outcome = fail_library("ranking", &error);
    if (!outcome && run->lambda >= 0 && run->found > 0) outcome = rerank(run, shown);
    run->history.skipped += skipped;
    return outcome;
}

static void print_json(const recommend_run *run)
{
    json_writer json = {.to = stdout};
    emit_object(&json, NULL);
    emit_items(&json, run->model, run->items, run->scores, run->found);
    emit_count(&json, "skipped", run->history.skipped);
    emit_end(&json, '}');
}

static void print_text(const recommend_run *run)
{
    char name[NAME_BYTES];
    printf("%s%5s  %12s  %10s  %s%s\n", bold(), "rank", "item", "score", "name", plain());
    for (int64_t i = 0; i < run->found; i++) {
        item_name(run->model, run->items[i], name);
        printf("%5lld  %12lld  %10.4f%s", (long long)i + 1, (long long)run->items[i], (double)run->scores[i], name[0] ? "  " : "");
        print_name(name);
        putchar('\n');
    }
}

static int recommend_one(recommend_run *run)
{
    int outcome = read_lists(run);
    if (!outcome) outcome = check_history(run->model, &run->history);
    if (!outcome) outcome = rank_items(run);
    if (outcome) return outcome;
    tell_skipped(&run->history);
    if (run->as_json)
        print_json(run);
    else
        print_text(run);
    return 0;
}

static int recommend_batch(recommend_run *run)
{
    const batch_settings how = {.path = run->batch_path,
                                .separator = data_separator(&run->history.source),
                                .k = run->k,
                                .block = run->block ? run->block : LINES,
                                .as_json = run->as_json,
                                .bar = &run->history.bar};
    char option[DATED_BY_BYTES];
    if (*dated_by(run->model, option))
        return usage_error(text.name, "--batch: its lines have no times, and a model with %s reads them: ask with --history and --times", option);
    const int outcome = read_item_filter(text.name, run->model, &run->filter);
    if (outcome) return outcome;
    catch_signals();
    return recommend_lines(run->model, &run->filter, &how);
}

static int recommend(recommend_run *run)
{
    int outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = load_model(run->context, run->model_path, run->mapped, &run->model);
    if (!outcome && run->index_path) outcome = attach_index(run->model, run->index_path, run->breadth);
    if (outcome) return outcome;
    return run->batch_path ? recommend_batch(run) : recommend_one(run);
}

int run_recommend(int argc, char **argv)
{
    recommend_run run = {.threads = 1, .lambda = -1};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome == PARSED) outcome = recommend(&run);
    free(run.items);
    free(run.scores);
    free(run.candidates.ids);
    free_item_filter(&run.filter);
    free_history(&run.history);
    seqrec_model_release(run.model);
    seqrec_context_release(run.context);
    return outcome;
}
