/* train: epochs over a dataset, with validation, early stop and checkpoints. */
#include "train/fit.h"
#include "base/clock.h"
#include "base/rng.h"
#include "data/content_hash.h"
#include "eval/evaluate.h"
#include "eval/model_scorer.h"
#include "model/match.h"
#include "train/average.h"
#include "train/checkpoint.h"
#include "train/expectation.h"
#include "train/known.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One call's view of the data. */
typedef struct job {
    sq_trainer *t;
    const seqrec_dataset *data;
    const seqrec_fit *fit;
    sq_division division;
    int32_t *slot_of;  /* [items] slot of each dense item; -1: it was removed meanwhile */
    uint64_t mapped;   /* version of the catalogue that slot_of belongs to */
    int32_t *user_of;  /* [users] slot of each user; -1: the default vector */
    uint64_t users_mapped;
    int64_t *users;    /* [count] users with a target */
    sq_window *windows; /* [window_count] of these users */
    int64_t *order;    /* [samples] this epoch's order of the windows */
    int64_t count, window_count, samples; /* objective = cloze has a window more than once in an epoch */
    int32_t *sequence; /* [longest] slots of one user */
    float *weights;    /* [longest] of its events as targets */
    double *expected;  /* [longest + 1] see sq_expect_targets */
    int64_t *times;    /* [longest] of its events */
    double *seconds;   /* of this call's epochs */
    int64_t epochs, targets;
    int64_t partial; /* targets of the epoch under way */
    int32_t cancelled;
} job;

/* ---- preparing ------------------------------------------------------------------------------------------------------ */

/* Follows the model's items; where they changed, looks up those of the dataset again. */
static int32_t map_items(job *j, seqrec_error *error)
{
    SQ_TRY(sq_trainer_sync(j->t, error));
    if (j->slot_of && j->mapped == j->t->items.catalogue->version) return SEQREC_OK;
    if (!j->slot_of) j->slot_of = sq_alloc(&j->t->context->memory, (size_t)j->data->items, sizeof *j->slot_of);
    SQ_CHECK(j->slot_of, error, SEQREC_E_MEMORY, "no memory for %lld items", (long long)j->data->items);
    sq_snapshot *now = sq_snapshot_acquire(j->t->model);
    const sq_item_match match = sq_match_items(j->t->items.catalogue, now->parts.names, j->data);
    for (int64_t i = 0; i < j->data->items; i++) j->slot_of[i] = sq_match_item(&match, i);
    sq_snapshot_release(j->t->model, now);
    j->mapped = j->t->items.catalogue->version;
    return SEQREC_OK;
}

/* Slots of the first n events of a user, without items that are no longer there; returns how many. */
static int64_t slots_of(const job *j, int64_t user, int64_t n, int32_t *slots)
{
    const int32_t *items = j->data->sequence + j->data->offsets[user];
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (j->slot_of[items[i]] >= 0) slots[kept++] = j->slot_of[items[i]];
    return kept;
}

/* Events of a whole window, targets included. */
static int64_t span_of(const sq_options *o) { return o->max_length + (o->objective != SQ_OBJECTIVE_CLOZE); }

/* The first of a user's n training events that can be a target. */
static int64_t first_target(const sq_options *o, int64_t n)
{
    const int64_t before = o->objective != SQ_OBJECTIVE_CLOZE, window = o->window_step > 0 || o->random_end > 0 ? n : span_of(o);
    return (n > window ? n - window : 0) + before;
}

/* How often each item can be expected to be a target, where a sampler draws from the batch. */
static void count_targets(job *j, double *counts)
{
    for (int64_t w = 0; w < j->window_count; w++) {
        const int64_t n = slots_of(j, j->windows[w].user, j->windows[w].end, j->sequence);
        double times = 0;
        memset(j->expected, 0, ((size_t)n + 1) * sizeof *j->expected);
        sq_expect_targets(&j->t->options, n, j->expected);
        for (int64_t i = 0; i < n; i++) {
            times += j->expected[i];
            counts[j->sequence[i]] += times;
        }
    }
}

/* How often each item occurs. */
static void count_events(job *j, double *counts)
{
    int64_t train, valid;
    for (int64_t u = 0; u < j->data->users; u++) {
        sq_division_user(&j->division, j->data, u, &train, &valid);
        train = slots_of(j, u, train, j->sequence);
        for (int64_t i = 0; i < train; i++) counts[j->sequence[i]]++;
    }
}

/* The training counts of the items, for a sampler that has them. */
static int32_t count_items(job *j, seqrec_error *error)
{
    const sq_memory *memory = &j->t->context->memory;
    const sq_sampler_kind *sampler = sq_sampler_kind_at(j->t->options.sampler);
    if (!sampler->trained) return SEQREC_OK;
    double *counts = sq_alloc_zero(memory, (size_t)sq_trainer_slots(j->t), sizeof *counts);
    SQ_CHECK(counts, error, SEQREC_E_MEMORY, "no memory for the counts of %lld items", (long long)j->t->items.live_count);
    (sampler->from_batch ? count_targets : count_events)(j, counts);
    int32_t status = sq_trainer_set_popularity(j->t, counts, error);
    sq_free(memory, counts);
    return status;
}

/* The same for users, in a model that has some. */
static int32_t map_users(job *j, seqrec_error *error)
{
    const sq_catalogue *users = j->t->users.catalogue;
    if (!sq_trainer_personal(j->t) || (j->user_of && j->users_mapped == users->version)) return SEQREC_OK;
    if (!j->user_of) j->user_of = sq_alloc(&j->t->context->memory, (size_t)j->data->users, sizeof *j->user_of);
    SQ_CHECK(j->user_of, error, SEQREC_E_MEMORY, "no memory for %lld users", (long long)j->data->users);
    sq_snapshot *now = sq_snapshot_acquire(j->t->model);
    for (int64_t u = 0; u < j->data->users; u++)
        j->user_of[u] = sq_match_user(users, now->parts.user_names, j->data, u);
    sq_snapshot_release(j->t->model, now);
    j->users_mapped = users->version;
    return SEQREC_OK;
}

/* Follows the model's tables. Items that came have events, and where items went, windows reach back to others, which are targets then. */
static int32_t follow(job *j, seqrec_error *error)
{
    const uint64_t mapped = j->mapped;
    SQ_TRY(map_items(j, error));
    if (j->mapped != mapped) SQ_TRY(count_items(j, error));
    return map_users(j, error);
}

static int32_t due(const job *j, int64_t epoch)
{
    const sq_options *o = &j->t->options;
    if (j->division.kind == SQ_DIVISION_NONE || o->valid_every == 0) return 0;
    return epoch % o->valid_every == 0 || epoch == o->epochs;
}

/* Users with a target, and room for the longest sequence. */
static int32_t list_users(job *j, seqrec_error *error)
{
    const sq_memory *memory = &j->t->context->memory;
    int64_t train, valid, longest = 0, validated = 0;
    j->users = sq_alloc(memory, (size_t)j->data->users, sizeof *j->users);
    for (int64_t u = 0; j->users && u < j->data->users; u++) {
        sq_division_user(&j->division, j->data, u, &train, &valid);
        if (train > longest) longest = train;
        if (train >= 2) j->users[j->count++] = u;
        validated += train > 0 && train < valid;
    }
    j->sequence = sq_alloc(memory, (size_t)longest, sizeof *j->sequence);
    j->weights = sq_alloc(memory, (size_t)longest, sizeof *j->weights);
    j->times = sq_alloc(memory, (size_t)longest, sizeof *j->times);
    j->expected = sq_alloc(memory, (size_t)longest + 1, sizeof *j->expected);
    SQ_CHECK(j->users && j->sequence && j->weights && j->times && j->expected, error, SEQREC_E_MEMORY, "no memory for %lld users", (long long)j->data->users);
    SQ_CHECK(j->count > 0, error, SEQREC_E_ARGUMENT, "no user has two training events under this division");
    SQ_CHECK(validated > 0 || !due(j, j->t->options.epochs), error, SEQREC_E_ARGUMENT,
             "no user has a validation event under this division: valid_every = 0 trains without");
    SQ_CHECK(j->t->options.metric_kind != SQ_METRIC_DIVERSITY || j->t->options.metric_cutoff > 1 || !due(j, j->t->options.epochs),
             error, SEQREC_E_ARGUMENT, "metric_kind = diversity needs metric_cutoff of at least 2, not %lld: it is of the pairs of a list",
             (long long)j->t->options.metric_cutoff);
    return SEQREC_OK;
}

/* Windows of a user with n events, `step` events apart: the latest, and with a step those before it, the first from the first event on. */
static int64_t windows_of(const sq_options *o, int64_t step, int64_t n)
{
    int64_t more = n - span_of(o);
    return step == 0 || more <= 0 ? 1 : 1 + (more + step - 1) / step;
}

static int32_t list_windows(const job *j, int64_t step, sq_window **out, int64_t *count, seqrec_error *error)
{
    const sq_options *o = &j->t->options;
    int64_t train, valid;
    *count = 0;
    for (int64_t i = 0; i < j->count; i++) {
        sq_division_user(&j->division, j->data, j->users[i], &train, &valid);
        *count += windows_of(o, step, train);
    }
    sq_window *to = *out = sq_alloc(&j->t->context->memory, (size_t)*count, sizeof **out);
    SQ_CHECK(to, error, SEQREC_E_MEMORY, "no memory for %lld windows", (long long)*count);
    for (int64_t i = 0; i < j->count; i++) {
        sq_division_user(&j->division, j->data, j->users[i], &train, &valid);
        for (int64_t k = 0; k < windows_of(o, step, train); k++, to++) {
            int64_t end = train - k * step;
            *to = (sq_window){j->users[i], k > 0 && end < span_of(o) ? span_of(o) : end};
        }
    }
    return SEQREC_OK;
}

static int32_t list_samples(job *j, seqrec_error *error)
{
    const sq_options *o = &j->t->options;
    SQ_TRY(list_windows(j, o->window_step, &j->windows, &j->window_count, error));
    j->samples = j->window_count * (o->objective == SQ_OBJECTIVE_CLOZE ? o->maskings : 1);
    j->order = sq_alloc(&j->t->context->memory, (size_t)j->samples, sizeof *j->order);
    SQ_CHECK(j->order, error, SEQREC_E_MEMORY, "no memory for %lld samples", (long long)j->samples);
    return SEQREC_OK;
}

/* Of the values that weigh events, 0 where none do. */
static uint64_t values_of(const job *j)
{
    return j->t->options.event_weights == SQ_EVENT_WEIGHTS_NONE ? 0 : sq_dataset_values_hash(j->data);
}

/* A trainer stays with its data and division: resuming with others would be neither run. */
static int32_t check_same(const job *j, const char *split, uint64_t values, seqrec_error *error)
{
    const sq_progress_state *f = &j->t->fit;
    SQ_CHECK(strlen(split) < sizeof f->split, error, SEQREC_E_ARGUMENT, "the split \"%.80s\" has %zu bytes: at most %zu",
             split, strlen(split), sizeof f->split - 1);
    if (f->data_hash == 0) return SEQREC_OK;
    SQ_CHECK(f->data_hash == j->data->hash, error, SEQREC_E_STATE, "this trainer was fitted to data %016llx, not %016llx",
             (unsigned long long)f->data_hash, (unsigned long long)j->data->hash);
    SQ_CHECK(f->values_hash == 0 || values == 0 || f->values_hash == values, error, SEQREC_E_STATE,
             "this trainer was fitted to events weighed by values %016llx, not %016llx", (unsigned long long)f->values_hash,
             (unsigned long long)values);
    sq_division before;
    SQ_CHECK(sq_division_parse(f->split, &before, NULL) == SEQREC_OK && sq_division_same(&before, &j->division), error, SEQREC_E_STATE,
             "this trainer was fitted under split \"%s\", not \"%s\"", f->split, split);
    return SEQREC_OK;
}

/* Windows of a step, each as often as it has maskings. Gradients of several batches make one step: in packed micro-batches that is one
 * larger batch. */
static int64_t samples_of_step(const job *j) { return j->t->options.batch * j->t->options.accumulate; }

static int64_t batches_of(const job *j, int64_t samples) { return (samples + samples_of_step(j) - 1) / samples_of_step(j); }

/* Steps until the last epoch is over. */
static int64_t steps_left(const job *j)
{
    const sq_progress_state *f = &j->t->fit;
    int64_t epochs = j->t->options.epochs - f->epoch;
    if (epochs <= 0) return 0;
    return (epochs - 1) * batches_of(j, j->samples) + (f->done < j->samples ? batches_of(j, j->samples - f->done) : 0);
}

/* Steps beyond the end of a schedule would have rate 0, and are refused before the first. A schedule without an end of its own ends with
 * the fit, *ends_at then: from the first fit on that is part of the run. Which batches will be passed over is not known yet: it may be
 * drawn. */
static int32_t check_schedule(const job *j, int64_t *ends_at, seqrec_error *error)
{
    const sq_options *o = &j->t->options;
    int64_t left = steps_left(j), last = j->t->step + j->t->passed + left;
    *ends_at = o->schedule_steps;
    if (o->schedule == SQ_SCHEDULE_CONSTANT || left == 0) return SEQREC_OK;
    SQ_CHECK(o->schedule_steps == 0 || last <= o->schedule_steps, error, SEQREC_E_ARGUMENT,
             "%lld epochs end with step %lld, but the rate is 0 from step schedule_steps = %lld on: set schedule_steps to "
             "where the schedule shall end (0: with the last epoch), or epochs to fewer",
             (long long)o->epochs, (long long)last, (long long)o->schedule_steps);
    SQ_CHECK(o->schedule_steps > 0 || last > o->warmup_steps, error, SEQREC_E_ARGUMENT,
             "%lld epochs are %lld steps: not more than warmup_steps = %lld", (long long)o->epochs, (long long)last,
             (long long)o->warmup_steps);
    if (o->schedule_steps == 0) *ends_at = last;
    return SEQREC_OK;
}

/* The largest value of an event that can be a target. */
static float largest_value(const job *j)
{
    float largest = 0;
    int64_t train, valid;
    for (int64_t u = 0; u < j->data->users; u++) {
        const float *values = j->data->values + j->data->offsets[u];
        sq_division_user(&j->division, j->data, u, &train, &valid);
        for (int64_t i = first_target(&j->t->options, train); i < train; i++)
            if (values[i] > largest) largest = values[i];
    }
    return largest;
}

static int32_t check_values(const job *j, seqrec_error *error)
{
    const float *values = j->data->values;
    if (j->t->options.event_weights == SQ_EVENT_WEIGHTS_NONE) return SEQREC_OK;
    SQ_CHECK(values, error, SEQREC_E_ARGUMENT, "event_weights = values: the events of this dataset have no values");
    for (int64_t i = 0; i < j->data->events; i++)
        SQ_CHECK(values[i] >= 0 && values[i] <= 1e15f, error, SEQREC_E_ARGUMENT,
                 "event_weights = values: the value %g of event %lld is not in 0 .. 1e15", (double)values[i], (long long)i);
    SQ_CHECK(largest_value(j) >= FLT_MIN, error, SEQREC_E_ARGUMENT,
             "event_weights = values: no event that is learned has a value above 0 under this division");
    return SEQREC_OK;
}

/* Items get rows; and when the trainer is new to the data, users who have something to train on: who comes without is served better by
 * the default vector, and who was forgotten since the first fit stays forgotten. */
static int32_t add_rows(job *j, seqrec_error *error)
{
    const int personal = sq_trainer_personal(j->t) && j->t->fit.data_hash == 0;
    return sq_match_add(j->t->model, j->data, j->users, personal ? j->count : 0, error);
}

/* Whether the items can be matched, and negatives drawn from what there will be. */
static int32_t check_items(const job *j, seqrec_error *error)
{
    sq_snapshot *now = sq_snapshot_acquire(j->t->model);
    int32_t status = sq_match_check(now->parts.catalogue, now->parts.names, j->data, error);
    const sq_item_match match = sq_match_items(now->parts.catalogue, now->parts.names, j->data);
    int64_t items = now->parts.catalogue->count;
    for (int64_t i = 0; i < j->data->items; i++) items += sq_match_item(&match, i) < 0;
    sq_snapshot_release(j->t->model, now);
    return status == SEQREC_OK ? sq_trainer_check_sampler(j->t, items, 1, error) : status;
}

/* What refuses a fit stands before what changes something. */
static int32_t prepare(job *j, seqrec_error *error)
{
    int64_t ends_at;
    const uint64_t values = values_of(j);
    const char *split = j->fit->split ? j->fit->split : "leave-one-out";
    SQ_TRY(sq_division_parse(j->fit->split, &j->division, error));
    SQ_TRY(sq_division_check(&j->division, j->data, error));
    SQ_TRY(check_same(j, split, values, error));
    SQ_TRY(check_values(j, error));
    SQ_TRY(sq_match_times(j->t->model, j->data, error));
    SQ_TRY(check_items(j, error));
    SQ_TRY(list_users(j, error));
    SQ_TRY(list_samples(j, error));
    SQ_TRY(check_schedule(j, &ends_at, error));
    SQ_TRY(add_rows(j, error));
    SQ_TRY(map_items(j, error));
    SQ_TRY(count_items(j, error));
    SQ_TRY(map_users(j, error));
    j->t->options.schedule_steps = ends_at;
    j->t->fit.data_hash = j->data->hash;
    if (values != 0) j->t->fit.values_hash = values;
    snprintf(j->t->fit.split, sizeof j->t->fit.split, "%s", split);
    return SEQREC_OK;
}

static void drop(job *j)
{
    const sq_memory *memory = &j->t->context->memory;
    sq_free(memory, j->slot_of);
    sq_free(memory, j->user_of);
    sq_free(memory, j->users);
    sq_free(memory, j->windows);
    sq_free(memory, j->order);
    sq_free(memory, j->sequence);
    sq_free(memory, j->weights);
    sq_free(memory, j->times);
    sq_free(memory, j->expected);
    sq_free(memory, j->seconds);
}

/* ---- an epoch --------------------------------------------------------------------------------------------------------- */

/* The order of samples in epoch e is a function of (seed, e): Fisher and Yates on counters. */
static void shuffle(job *j)
{
    uint64_t key = sq_random_key((uint64_t)j->t->options.seed, SQ_STREAM_SHUFFLE, (uint64_t)j->t->fit.epoch);
    for (int64_t i = 0; i < j->samples; i++) j->order[i] = i % j->window_count;
    for (int64_t i = j->samples - 1; i > 0; i--) {
        int64_t k = (int64_t)sq_random_below(key, (uint64_t)i, (uint64_t)i + 1), swap = j->order[i];
        j->order[i] = j->order[k];
        j->order[k] = swap;
    }
}

/* Own probabilities of the events, once an epoch: those of its start also for the rest of an epoch that was interrupted. Of a sequence
 * with a random end any event may be a target, also where one window a user is trained on. */
static int32_t refresh_known(job *j, seqrec_error *error)
{
    const sq_options *o = &j->t->options;
    sq_known_events events = {j->data, j->slot_of, j->user_of, j->windows, j->window_count};
    sq_window *all = NULL;
    if (o->known_items == SQ_KNOWN_NONE) return SEQREC_OK;
    if (j->t->fit.done > 0 && j->t->known_count == j->data->events && j->t->known_epoch == j->t->fit.epoch)
        return SEQREC_OK;
    if (o->random_end > 0 && o->window_step == 0) {
        SQ_TRY(list_windows(j, o->max_length, &all, &events.count, error));
        events.windows = all;
    }
    int32_t status = sq_known_refresh(j->t, &events, error);
    sq_free(&j->t->context->memory, all);
    return status;
}

/* The first n events of a user, without items that are no longer there; those from `end` on are only seen. */
static sq_plan_sequence read_events(job *j, int64_t user, int64_t end, int64_t n)
{
    const sq_options *o = &j->t->options;
    const int64_t at = j->data->offsets[user];
    const float *values = o->event_weights == SQ_EVENT_WEIGHTS_NONE ? NULL : j->data->values + at;
    const float *known = o->known_items == SQ_KNOWN_NONE ? NULL : j->t->known + at;
    const int64_t *times = j->t->model->layout.dated ? j->data->timestamps + at : NULL;
    sq_plan_sequence s = {.slots = j->sequence, .weights = values || known ? j->weights : NULL, .times = times ? j->times : NULL};
    for (int64_t i = 0; i < n; i++) {
        const int32_t slot = j->slot_of[j->data->sequence[at + i]];
        if (slot < 0) continue;
        j->sequence[s.n] = slot;
        if (s.weights) j->weights[s.n] = (values ? values[i] : 1) * (known ? sq_known_weight(o, known[i]) : 1);
        if (times) j->times[s.n] = times[i];
        s.behind += i >= end;
        s.n++;
    }
    return s;
}

static int32_t plan_batch(job *j, int64_t first, int64_t last, seqrec_error *error)
{
    sq_trainer *t = j->t;
    sq_plan_clear(&t->plan);
    for (int64_t i = first; i < last; i++) {
        int64_t u = j->windows[j->order[i]].user, end = j->windows[j->order[i]].end, train, valid;
        sq_division_user(&j->division, j->data, u, &train, &valid);
        const sq_plan_sequence s = read_events(j, u, end, train);
        if (j->user_of) t->plan.user = j->user_of[u];
        SQ_TRY(sq_trainer_plan_add(t, &s, error));
    }
    if (sq_plan_weighs_nothing(&t->plan)) sq_plan_clear(&t->plan);
    return sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error);
}

static void report_progress(job *j, int64_t done, int64_t total)
{
    if (j->fit->progress && j->fit->progress(j->fit->progress_context, "train", done, total)) j->cancelled = 1;
}

/* The rest of the epoch under way; stops between steps when the host asks. A batch whose items all went, or whose
 * targets weigh nothing, is passed over. */
static int32_t run_epoch(job *j, double *seconds, seqrec_error *error)
{
    sq_trainer *t = j->t;
    sq_progress_state *f = &t->fit;
    int64_t batches = batches_of(j, j->samples);
    SQ_TRY(follow(j, error));
    SQ_TRY(refresh_known(j, error));
    shuffle(j);
    j->partial = 0;
    for (double start = sq_seconds(); f->done < j->samples && !j->cancelled; start = sq_seconds()) {
        int64_t last = f->done + samples_of_step(j) < j->samples ? f->done + samples_of_step(j) : j->samples;
        seqrec_step_stats stats = {.struct_size = sizeof stats};
        SQ_TRY(plan_batch(j, f->done, last, error));
        SQ_TRY(t->plan.tokens > 0 ? sq_trainer_run(t, &stats, error) : sq_trainer_pass(t, error));
        if (stats.targets > 0) f->loss += stats.loss * t->plan.weight, f->weight += t->plan.weight;
        f->targets += stats.targets;
        j->partial += stats.targets;
        f->done = last;
        *seconds += sq_seconds() - start;
        report_progress(j, f->epoch * batches + batches_of(j, f->done), t->options.epochs * batches);
    }
    return SEQREC_OK;
}

/* ---- validation --------------------------------------------------------------------------------------------------------- */

/* Figures of the report by option metric_kind. */
static const struct {
    const char *name;
    int32_t has_cutoff, falls, beyond; /* falls: 1, lower is better; beyond: only a report beyond ranking has it */
} metrics[] = {{"ndcg", 1, 0, 0}, {"hr", 1, 0, 0},       {"mrr", 0, 0, 0},      {"coverage", 1, 0, 0}, {"gini", 1, 1, 0},         {"nll", 0, 1, 1},
               {"ece", 0, 1, 1},  {"ece_mass", 0, 1, 1}, {"novelty", 1, 0, 1}, {"diversity", 1, 0, 1}, {"apart_popular", 0, 0, 1}};

int32_t sq_metric_has_cutoff(int64_t kind) { return metrics[kind].has_cutoff; }

static void metric_name(const sq_options *o, char out[32])
{
    if (sq_metric_has_cutoff(o->metric_kind))
        snprintf(out, 32, "%s@%lld", metrics[o->metric_kind].name, (long long)o->metric_cutoff);
    else
        snprintf(out, 32, "%s", metrics[o->metric_kind].name);
}

/* Whether `metric` is better than the best so far (NaN: none yet); what is not finite never is. */
static int32_t improves(const job *j, double metric)
{
    double best = j->t->fit.best_metric;
    if (!isfinite(metric) || isnan(best)) return isfinite(metric);
    return metrics[j->t->options.metric_kind].falls ? metric < best : metric > best;
}

static int32_t measure(const job *j, const sq_scorer *scorer, double *metric, seqrec_error *error)
{
    char name[32];
    seqrec_evaluation e = {.struct_size = sizeof e, .protocol = "E4", .split = "valid", .bootstrap = -1};
    seqrec_report *report = NULL;
    e.cutoffs = &j->t->options.metric_cutoff;
    e.cutoff_count = 1;
    e.beyond = metrics[j->t->options.metric_kind].beyond;
    metric_name(&j->t->options, name);
    SQ_TRY(sq_evaluate(j->t->context, j->data, &j->division, &e, scorer, &report, error));
    const sq_figure *figure = NULL;
    int32_t status = sq_report_get(report, "model", name, &figure, error);
    if (status == SEQREC_OK) *metric = figure->value;
    sq_report_release(report);
    return status;
}

/* The weights that count: the running mean if there is one, else as they are. */
static int32_t candidate(job *j, sq_snapshot *average, sq_snapshot **out, seqrec_error *error)
{
    if (!average) return sq_trainer_snapshot(j->t, out, error);
    *out = sq_snapshot_retain(average);
    return SEQREC_OK;
}

/* Validation metric of epoch e->epoch; keeps the weights when they are the best so far. */
static int32_t validate(job *j, sq_snapshot *average, seqrec_epoch_stats *e, seqrec_error *error)
{
    sq_progress_state *f = &j->t->fit;
    sq_snapshot *now = NULL;
    sq_scorer scorer;
    SQ_TRY(candidate(j, average, &now, error));
    int32_t status = sq_model_scorer_create(j->t->model->context, j->t->model, now, j->data, &scorer, error);
    if (status == SEQREC_OK) {
        status = measure(j, &scorer, &e->metric, error);
        sq_model_scorer_free(&scorer);
    }
    if (status == SEQREC_OK && improves(j, e->metric)) {
        sq_snapshot *old = f->best;
        f->best = now;
        now = old;
        f->best_metric = e->metric;
        f->best_epoch = e->epoch;
        f->stale = 0;
        e->improved = 1;
    } else if (status == SEQREC_OK) {
        f->stale++;
    }
    sq_snapshot_release(j->t->model, now);
    return status;
}

/* ---- the fit -------------------------------------------------------------------------------------------------------------- */

/* Counts the epoch as done; until then another fit ends it once more. */
static void commit_epoch(job *j, sq_snapshot *average, double seconds)
{
    sq_progress_state *f = &j->t->fit;
    j->seconds[j->epochs++] = seconds;
    j->targets += j->partial;
    f->epoch++;
    f->done = f->targets = 0;
    f->weight = 0;
    f->loss = 0;
    sq_snapshot_release(j->t->model, f->average);
    f->average = average;
    f->averaged = average ? f->averaged + 1 : 0;
}

static int32_t end_epoch(job *j, double seconds, int32_t *stop, seqrec_error *error)
{
    sq_trainer *t = j->t;
    sq_progress_state *f = &t->fit;
    sq_schedule schedule = sq_trainer_schedule(t);
    sq_snapshot *average = NULL;
    seqrec_epoch_stats e = {.struct_size = sizeof e, .metric = NAN, .seconds = seconds, .targets = f->targets};
    e.loss = f->loss / f->weight;
    e.epoch = f->epoch + 1;
    e.learning_rate = sq_schedule_rate(&schedule, t->step);
    SQ_TRY(SQ_GROW(&t->context->memory, j->seconds, j->epochs, j->epochs + 1, error));
    SQ_TRY(sq_trainer_average(t, &average, error));
    if (due(j, e.epoch)) {
        int32_t status = validate(j, average, &e, error);
        if (status != SEQREC_OK) sq_snapshot_release(t->model, average);
        SQ_TRY(status);
    }
    commit_epoch(j, average, seconds);
    *stop = t->options.patience > 0 && f->stale >= t->options.patience;
    if (j->fit->epoch && j->fit->epoch(j->fit->epoch_context, &e)) j->cancelled = 1;
    return SEQREC_OK;
}

static int32_t run_epochs(job *j, seqrec_error *error)
{
    sq_trainer *t = j->t;
    int64_t every = j->fit->checkpoint_every > 0 ? j->fit->checkpoint_every : 1;
    int32_t stop = t->options.patience > 0 && t->fit.stale >= t->options.patience;
    while (t->fit.epoch < t->options.epochs && !stop && !j->cancelled) {
        double seconds = 0;
        SQ_TRY(run_epoch(j, &seconds, error));
        if (j->cancelled && t->fit.done < j->samples) break;
        SQ_TRY(end_epoch(j, seconds, &stop, error));
        const int32_t last = stop || j->cancelled || t->fit.epoch >= t->options.epochs; /* whose checkpoint is the fit's */
        if (j->fit->checkpoint && t->fit.epoch % every == 0 && !last)
            SQ_TRY(sq_checkpoint_save(t, j->fit->checkpoint, error));
    }
    return SEQREC_OK;
}

int32_t sq_trainer_publish_best(sq_trainer *t, seqrec_error *error)
{
    SQ_TRY(sq_trainer_sync(t, error));
    sq_snapshot *kept = t->fit.best ? t->fit.best : t->fit.average;
    SQ_TRY(kept ? sq_trainer_publish_snapshot(t, kept, error) : sq_trainer_publish(t, error));
    sq_model_take_training(t->model, &t->options);
    return SEQREC_OK;
}

/* Shell's sort: a fit may have very many epochs. */
static double median(double *values, int64_t n)
{
    for (int64_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int64_t i = gap; i < n; i++) {
            const double value = values[i];
            int64_t k = i;
            for (; k >= gap && values[k - gap] > value; k -= gap) values[k] = values[k - gap];
            values[k] = value;
        }
    return n == 0 ? NAN : n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static void summarise(job *j, seqrec_fit_stats *out)
{
    const sq_progress_state *f = &j->t->fit;
    double total = 0;
    for (int64_t i = 0; i < j->epochs; i++) total += j->seconds[i];
    out->epochs = f->epoch;
    out->best_epoch = f->best_epoch;
    out->best_metric = f->best_metric;
    out->tokens_per_second = total > 0 ? (double)j->targets / total : NAN;
    out->seconds_per_epoch = median(j->seconds, j->epochs);
    out->cancelled = j->cancelled;
}

int32_t sq_trainer_fit(sq_trainer *t, const seqrec_dataset *dataset, const seqrec_fit *fit, seqrec_fit_stats *stats,
                       seqrec_error *error)
{
    job j = {.t = t, .data = dataset, .fit = fit};
    int32_t status = prepare(&j, error);
    if (status == SEQREC_OK) status = run_epochs(&j, error);
    if (status == SEQREC_OK && fit->checkpoint) status = sq_checkpoint_save(t, fit->checkpoint, error);
    if (status == SEQREC_OK) status = sq_trainer_publish_best(t, error);
    if (status == SEQREC_OK && stats) summarise(&j, stats);
    drop(&j);
    return status;
}
