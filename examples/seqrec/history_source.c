/* seqrec tool: one history, typed or of a user of a file. */
#include "history_source.h"
#include "data_users.h"
#include "model_clock.h"
#include <stdio.h>
#include <stdlib.h>

int check_history_source(const char *command, history_source *h)
{
    if (!h->history_text && !(h->source.files.count && h->user))
        return usage_error(command, "--history A,B,... is needed, or --data FILE with --user U");
    if (h->history_text && (h->source.files.count || h->user))
        return usage_error(command, "--history excludes --data and --user: one history at a time");
    const char *option = h->history_text ? data_option_given(&h->source, "user-column") : NULL;
    if (option) return usage_error(command, "--%s is of --data FILE", option);
    if (h->times_text && !h->history_text)
        return usage_error(command, "--times are those of --history: a file of --data has its own");
    if (h->request_text && !read_count(h->request_text, &h->request_time))
        return usage_error(command, "--request-time %s: must be a whole number of seconds", h->request_text);
    return check_data_source(command, &h->source);
}

/* Items are those that an evaluation takes them for; what the model does not have is skipped. */
static int append_events(history_source *h, const seqrec_model *model, const seqrec_dataset *dataset, const int64_t *items, const int64_t *times,
                         int64_t count)
{
    seqrec_error error = {0};
    int64_t *ids = malloc((size_t)count * sizeof *ids + 1);
    uint8_t *known = malloc((size_t)count + 1);
    int outcome = ids && known ? 0 : fail("out of memory");
    if (!outcome && seqrec_dataset_match_items(dataset, model, items, count, ids, known, &error) != SEQREC_OK)
        outcome = fail_library("matching", &error);
    for (int64_t i = 0; !outcome && i < count; i++) {
        h->skipped += !known[i];
        if (known[i] && (!append_id(&h->items, ids[i]) || (times && !append_id(&h->times, times[i])))) outcome = EXIT_WORK;
    }
    free(ids);
    free(known);
    return outcome;
}

/* Which row of the model the user has, as an evaluation takes it: the one whose name is the user's text or number, else of a number
 * the one that has it for an id and has no name; of who is kept apart the latter alone. */
static void recognise(history_source *h, const seqrec_model *model, const seqrec_dataset *dataset, int64_t user)
{
    const char *name = NULL;
    char number[24];
    int named = !h->source.users_apart;
    h->who = user;
    snprintf(number, sizeof number, "%lld", (long long)user);
    if (named && seqrec_dataset_user_name(dataset, user, &name, NULL) != SEQREC_OK) name = number;
    h->knows_user = named && seqrec_users_find(model, name, &h->who, NULL) == SEQREC_OK;
    if (!h->knows_user && (!named || name == number))
        h->knows_user = seqrec_users_name(model, user, NULL, 0, NULL, NULL) == SEQREC_E_NOT_FOUND;
}

static int find_user(const history_source *h, const seqrec_dataset *dataset, int64_t *user)
{
    data_users users = {0};
    char data[256], numbers[NAMESAKES_BYTES];
    int outcome = open_data_users(&users, dataset, h->source.users_apart);
    const int found = outcome ? USER_FOUND : find_data_user(&users, h->user, user);
    if (found == USER_UNKNOWN) outcome = fail("%s: has no user %s", data_title(&h->source, data, sizeof data), h->user);
    if (found == USER_AMBIGUOUS)
        outcome = fail("%s: '%s' is the name of several users: give one of the numbers %s",
                       data_title(&h->source, data, sizeof data), h->user, namesakes(&users, h->user, numbers));
    close_data_users(&users);
    return outcome;
}

static int take_history(history_source *h, const seqrec_model *model, const seqrec_dataset *dataset)
{
    int64_t wanted = 0, user = 0, count = 0;
    const int64_t *items = NULL, *times = NULL;
    seqrec_error error = {0};
    const int outcome = find_user(h, dataset, &wanted);
    if (outcome) return outcome;
    for (int64_t at = 0; at == 0 || user != wanted; at++)
        if (seqrec_dataset_sequence(dataset, at, &user, &items, &times, &count, &error) != SEQREC_OK)
            return fail_library("reading", &error);
    recognise(h, model, dataset, user);
    return append_events(h, model, dataset, items, times, count);
}

static int read_typed_history(const char *command, const seqrec_model *model, history_source *h)
{
    int outcome = read_ids(model, command, "history", h->history_text, &h->items);
    if (!outcome && h->times_text) outcome = read_numbers(command, "times", h->times_text, &h->times);
    if (!outcome && h->times_text && h->times.count != h->items.count)
        return usage_error(command, "--times: %lld of them, and --history has %lld events", (long long)h->times.count,
                           (long long)h->items.count);
    return outcome;
}

static int read_data_history(const char *command, seqrec_context *context, const seqrec_model *model, history_source *h)
{
    seqrec_dataset *dataset = NULL;
    int outcome = read_data(command, context, &h->source, &h->bar, &dataset);
    if (!outcome) outcome = check_timed(model, dataset, &h->source);
    if (!outcome) outcome = take_history(h, model, dataset);
    seqrec_dataset_release(dataset);
    return outcome;
}

int asks_at(const history_source *h, const seqrec_model *model) { return h->request_text && reads_request_time(model); }

/* The times that the model reads are there; of others that were given it is told that they count for nothing. */
static int check_times(const char *command, const seqrec_model *model, const history_source *h)
{
    char option[DATED_BY_BYTES];
    if (h->request_text && !reads_request_time(model)) remark("--request-time: not used: the model does not read when it is asked");
    if (!*dated_by(model, option)) {
        if (h->times_text) remark("--times: not used: the model reads no times");
        return 0;
    }
    if (!h->history_text || h->times.count || !h->items.count) return 0;
    return usage_error(command, "--times T,... is needed: a model with %s reads when the events of --history were", option);
}

int read_history(const char *command, seqrec_context *context, const seqrec_model *model, history_source *h)
{
    const int outcome = h->history_text ? read_typed_history(command, model, h) : read_data_history(command, context, model, h);
    return outcome ? outcome : check_times(command, model, h);
}

int check_history(const seqrec_model *model, const history_source *h)
{
    int32_t slot, generation;
    int64_t wanted = h->items.count + h->skipped;
    for (int64_t i = 0; i < h->items.count; i++)
        if (seqrec_items_locate(model, h->items.ids[i], &slot, &generation, NULL) == SEQREC_OK) return 0;
    return wanted > 0 ? fail("none of the %lld items of the history is in the model", (long long)wanted) : 0;
}

void tell_skipped(const history_source *h)
{
    if (h->skipped) remark("%lld items are not in the model and were skipped", (long long)h->skipped);
}

void free_history(history_source *h)
{
    free(h->items.ids);
    free(h->times.ids);
    free(h->source.files.at);
}
