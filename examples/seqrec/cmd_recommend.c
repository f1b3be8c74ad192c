/* seqrec tool: `recommend`, the items that should follow a history. */
#include "commands.h"
#include "data_source.h"
#include "id_list.h"
#include "json_writer.h"
#include "serving_file.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 4100 };

static const command_text text = {
    "recommend", "--model MODEL (--history A,B,... | --data FILE --user U) [OPTIONS]",
    "Lists the items with the highest scores after a history, oldest event first. Items of the\n"
    "history itself are left out unless --keep-seen is given."};

typedef struct recommend_run {
    data_source source;
    const char *model_path, *history_text, *times_text, *request_text, *user, *allow_text, *deny_text, *candidate_text;
    int64_t k, threads;
    int keep_seen, mapped, as_json;
    progress bar;
    seqrec_context *context;
    seqrec_model *model;
    id_list history, times, allow, deny, candidates;
    int64_t *items;
    float *scores;
    int64_t found, skipped, request_time;
    int64_t who; /* the user's id in a model with users */
    int knows_user;
} recommend_run;

static int parse(recommend_run *run, int argc, char **argv)
{
    const argument table[] = {
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        {"history", ARGUMENT_TEXT, &run->history_text, "A,B,...", "items by id or name, or @FILE with one on each line",
         0, 0},
        {"times", ARGUMENT_TEXT, &run->times_text, "T,...", "models with time: seconds of each event of --history, or @FILE", 0, 0},
        {"request-time", ARGUMENT_TEXT, &run->request_text, "T", "models with time: when they are asked (default: at the newest event)",
         0, 0},
        {"user", ARGUMENT_TEXT, &run->user, "U", "take the history of this user of --data, and the vector in a model with users", 0, 0},
        {"k", ARGUMENT_COUNT, &run->k, "N", "length of the list (default: 10; with --candidates: all)", 1, 1e9},
        {"keep-seen", ARGUMENT_FLAG, &run->keep_seen, NULL, "items of the history may be recommended", 0, 0},
        {"allow", ARGUMENT_TEXT, &run->allow_text, "A,B,...", "only these items, or @FILE", 0, 0},
        {"deny", ARGUMENT_TEXT, &run->deny_text, "A,B,...", "never these items, or @FILE", 0, 0},
        {"candidates", ARGUMENT_TEXT, &run->candidate_text, "A,B,...",
         "score exactly these items, seen or not, or @FILE", 0, 0},
        {"map", ARGUMENT_FLAG, &run->mapped, NULL, "leave the vectors of a file for serving in the file", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->threads, "N", "threads (default: 1)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        DATA_ARGUMENTS(run->source, "user-column"),
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_arguments(recommend_run *run)
{
    if (!run->model_path) return usage_error(text.name, "--model MODEL is needed");
    if (!run->history_text && !(run->source.files.count && run->user))
        return usage_error(text.name, "--history A,B,... is needed, or --data FILE with --user U");
    if (run->history_text && (run->source.files.count || run->user))
        return usage_error(text.name, "--history excludes --data and --user: one history at a time");
    if (run->candidate_text && (run->allow_text || run->deny_text || run->keep_seen))
        return usage_error(text.name,
                           "--candidates excludes --allow, --deny and --keep-seen: it scores exactly what it names");
    if (run->times_text && !run->history_text)
        return usage_error(text.name, "--times are those of --history: a file of --data has its own");
    if (run->request_text && !read_count(run->request_text, &run->request_time))
        return usage_error(text.name, "--request-time %s: must be a whole number of seconds", run->request_text);
    return check_data_source(text.name, &run->source);
}

/* Ids of a file with texts are the file's own; the model knows the items by name. */
static int append_event(recommend_run *run, const seqrec_dataset *dataset, int64_t id, const int64_t *time)
{
    const char *name = NULL;
    int64_t known = id;
    if (seqrec_dataset_item_name(dataset, id, &name, NULL) == SEQREC_OK &&
        seqrec_items_find(run->model, name, &known, NULL) != SEQREC_OK) {
        run->skipped++;
        return 1;
    }
    return append_id(&run->history, known) && (!time || append_id(&run->times, *time));
}

static int is_user(const seqrec_dataset *dataset, int64_t user, const char *wanted)
{
    const char *name = NULL;
    int64_t number = 0;
    if (seqrec_dataset_user_name(dataset, user, &name, NULL) == SEQREC_OK) return !strcmp(name, wanted);
    return read_count(wanted, &number) && number == user;
}

/* Models with users know those of a file with texts by name, as they know items. */
static void recognise(recommend_run *run, const seqrec_dataset *dataset, int64_t user)
{
    const char *name = NULL;
    run->who = user;
    run->knows_user = seqrec_dataset_user_name(dataset, user, &name, NULL) != SEQREC_OK ||
                      seqrec_users_find(run->model, name, &run->who, NULL) == SEQREC_OK;
}

static int take_history(recommend_run *run, const seqrec_dataset *dataset)
{
    int64_t user = 0, count = 0;
    const int64_t *items = NULL, *times = NULL;
    char data[256];
    for (int64_t at = 0;; at++) {
        if (seqrec_dataset_sequence(dataset, at, &user, &items, &times, &count, NULL) != SEQREC_OK)
            return fail("%s: has no user %s", data_title(&run->source, data, sizeof data), run->user);
        if (is_user(dataset, user, run->user)) break;
    }
    recognise(run, dataset, user);
    for (int64_t i = 0; i < count; i++)
        if (!append_event(run, dataset, items[i], times ? &times[i] : NULL)) return EXIT_WORK;
    return 0;
}

static int read_typed_history(recommend_run *run)
{
    int outcome = read_ids(run->model, text.name, "history", run->history_text, &run->history);
    if (!outcome && run->times_text) outcome = read_numbers(text.name, "times", run->times_text, &run->times);
    if (!outcome && run->times_text && run->times.count != run->history.count)
        return usage_error(text.name, "--times: %lld of them, and --history has %lld events", (long long)run->times.count,
                           (long long)run->history.count);
    return outcome;
}

static int read_history(recommend_run *run)
{
    seqrec_dataset *dataset = NULL;
    if (run->history_text) return read_typed_history(run);
    int outcome = read_data(text.name, run->context, &run->source, &run->bar, &dataset);
    if (!outcome) outcome = take_history(run, dataset);
    seqrec_dataset_release(dataset);
    return outcome;
}

static int read_lists(recommend_run *run)
{
    const struct {
        const char *option, *value;
        id_list *list;
    } lists[] = {{"allow", run->allow_text, &run->allow},
                 {"deny", run->deny_text, &run->deny},
                 {"candidates", run->candidate_text, &run->candidates}};
    int outcome = read_history(run);
    for (int i = 0; i < 3 && !outcome; i++)
        if (lists[i].value) outcome = read_ids(run->model, text.name, lists[i].option, lists[i].value, lists[i].list);
    return outcome;
}

typedef struct scored {
    int64_t item, order;
    float score;
} scored;

/* By falling score, equal scores as they were given. */
static int compare_scored(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
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
    run->found = run->k && run->k < count ? run->k : count;
    return 0;
}

static int rank_items(recommend_run *run)
{
    seqrec_error error = {0};
    int64_t offsets[2] = {0, run->history.count}, skipped = 0;
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = run->history.ids};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = !run->keep_seen, .skipped = &skipped};
    int64_t k = run->k ? run->k : 10, count = seqrec_items_count(run->model);
    k = run->candidate_text ? run->candidates.count : k < count ? k : count > 0 ? count : 1;
    batch.timestamps = run->times.count ? run->times.ids : NULL;
    batch.request_times = run->request_text ? &run->request_time : NULL;
    batch.users = run->knows_user ? &run->who : NULL;
    filter.allow = run->allow.count ? run->allow.ids : NULL;
    filter.allow_count = run->allow.count;
    filter.deny = run->deny.count ? run->deny.ids : NULL;
    filter.deny_count = run->deny.count;
    run->items = malloc((size_t)k * sizeof *run->items);
    run->scores = malloc((size_t)k * sizeof *run->scores);
    if (!run->items || !run->scores) return fail("out of memory");
    int outcome = 0;
    if (run->candidate_text)
        outcome = score_candidates(run, &batch, &filter);
    else if (seqrec_topk(run->model, &batch, k, &filter, run->items, run->scores, &run->found, &error) != SEQREC_OK)
        outcome = fail_library("ranking", &error);
    run->skipped += skipped;
    return outcome;
}

/* With no known item every score would be 0, which looks like an answer. */
static int check_history(const recommend_run *run)
{
    int32_t slot, generation;
    int64_t wanted = run->history.count + run->skipped;
    for (int64_t i = 0; i < run->history.count; i++)
        if (seqrec_items_locate(run->model, run->history.ids[i], &slot, &generation, NULL) == SEQREC_OK) return 0;
    return wanted > 0 ? fail("none of the %lld items of the history is in the model", (long long)wanted) : 0;
}

static void print_json(const recommend_run *run)
{
    json_writer json = {.to = stdout};
    char name[NAME_BYTES];
    emit_object(&json, NULL);
    emit_array(&json, "items");
    for (int64_t i = 0; i < run->found; i++) {
        emit_object(&json, NULL);
        emit_count(&json, "id", run->items[i]);
        emit_real(&json, "score", (double)run->scores[i]);
        if (seqrec_items_name(run->model, run->items[i], name, sizeof name, NULL, NULL) == SEQREC_OK)
            emit_text(&json, "name", name);
        emit_end(&json, '}');
    }
    emit_end(&json, ']');
    emit_count(&json, "skipped", run->skipped);
    emit_end(&json, '}');
}

static void print_text(const recommend_run *run)
{
    char name[NAME_BYTES];
    printf("%s%5s  %12s  %10s  %s%s\n", bold(), "rank", "item", "score", "name", plain());
    for (int64_t i = 0; i < run->found; i++) {
        if (seqrec_items_name(run->model, run->items[i], name, sizeof name, NULL, NULL) != SEQREC_OK) name[0] = 0;
        printf("%5lld  %12lld  %10.4f%s%s\n", (long long)i + 1, (long long)run->items[i], (double)run->scores[i],
               name[0] ? "  " : "", name);
    }
}

static int recommend(recommend_run *run)
{
    int outcome = open_context(run->threads, &run->context);
    if (!outcome) outcome = load_model(run->context, run->model_path, run->mapped, &run->model);
    if (!outcome) outcome = read_lists(run);
    if (!outcome) outcome = check_history(run);
    if (!outcome) outcome = rank_items(run);
    if (outcome) return outcome;
    if (run->skipped) remark("%lld items are not in the model and were skipped", (long long)run->skipped);
    if (run->as_json)
        print_json(run);
    else
        print_text(run);
    return 0;
}

int run_recommend(int argc, char **argv)
{
    recommend_run run = {.threads = 1};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome == PARSED) outcome = recommend(&run);
    free(run.items);
    free(run.scores);
    free(run.history.ids);
    free(run.times.ids);
    free(run.allow.ids);
    free(run.deny.ids);
    free(run.candidates.ids);
    free(run.source.files.at);
    seqrec_model_release(run.model);
    seqrec_context_release(run.context);
    return outcome;
}
