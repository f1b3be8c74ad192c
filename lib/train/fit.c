/* train: epochs over a dataset, with validation, early stop and checkpoints. */
#include "train/fit.h"
#include "base/clock.h"
#include "base/rng.h"
#include "eval/evaluate.h"
#include "eval/model_scorer.h"
#include "model/match.h"
#include "train/average.h"
#include "train/checkpoint.h"
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
    int64_t *users;    /* [count] users with a target */
    int64_t *order;    /* [samples] this epoch's order of them */
    int64_t count, samples; /* objective = cloze has a user more than once in an epoch */
    int32_t *sequence; /* [longest] slots of one user */
    double *seconds;   /* of this call's epochs */
    size_t seconds_capacity;
    int64_t epochs, targets;
    int64_t partial; /* targets of the epoch under way */
    int32_t cancelled;
} job;

/* ---- preparing ------------------------------------------------------------------------------------------------------ */

/* Follows the model's items; where they changed, looks up those of the dataset again. */
static int32_t map_items(job *j, seqrec_error *error)
{
    SQ_TRY(sq_trainer_sync(j->t, error));
    if (j->slot_of && j->mapped == j->t->catalogue->version) return SEQREC_OK;
    if (!j->slot_of) j->slot_of = sq_alloc(&j->t->context->memory, (size_t)j->data->items, sizeof *j->slot_of);
    SQ_CHECK(j->slot_of, error, SEQREC_E_MEMORY, "no memory for %lld items", (long long)j->data->items);
    sq_snapshot *now = sq_snapshot_acquire(j->t->model);
    for (int64_t i = 0; i < j->data->items; i++)
        j->slot_of[i] = sq_match_item(j->t->catalogue, now->names, j->data, i);
    sq_snapshot_release(j->t->model, now);
    j->mapped = j->t->catalogue->version;
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

static int32_t due(const job *j, int64_t epoch)
{
    const sq_options *o = &j->t->options;
    if (j->division.kind == SQ_DIVISION_NONE || o->valid_every == 0) return 0;
    return epoch % o->valid_every == 0 || epoch == o->epochs;
}

/* Users with a target, the longest sequence, and the training counts of the items. */
static int32_t list_users(job *j, seqrec_error *error)
{
    const sq_memory *memory = &j->t->context->memory;
    int64_t train, valid, longest = 0, validated = 0;
    double *counts = sq_alloc_zero(memory, (size_t)sq_trainer_slots(j->t), sizeof *counts);
    j->users = sq_alloc(memory, (size_t)j->data->users, sizeof *j->users);
    for (int64_t u = 0; counts && j->users && u < j->data->users; u++) {
        sq_division_user(&j->division, j->data, u, &train, &valid);
        if (train > longest) longest = train;
        if (train >= 2) j->users[j->count++] = u;
        validated += train > 0 && train < valid;
    }
    j->samples = j->count * (j->t->options.objective == SQ_OBJECTIVE_CLOZE ? j->t->options.maskings : 1);
    j->order = sq_alloc(memory, (size_t)j->samples, sizeof *j->order);
    j->sequence = sq_alloc(memory, (size_t)longest, sizeof *j->sequence);
    for (int64_t u = 0; counts && j->sequence && u < j->data->users; u++) {
        sq_division_user(&j->division, j->data, u, &train, &valid);
        train = slots_of(j, u, train, j->sequence);
        for (int64_t i = 0; i < train; i++) counts[j->sequence[i]]++;
    }
    int32_t status = SEQREC_OK;
    if (!counts || !j->users || !j->order || !j->sequence)
        status = sq_fail(error, SEQREC_E_MEMORY, "no memory for %lld users", (long long)j->data->users);
    else if (j->count == 0)
        status = sq_fail(error, SEQREC_E_ARGUMENT, "no user has two training events under this division");
    else if (validated == 0 && due(j, j->t->options.epochs))
        status = sq_fail(error, SEQREC_E_ARGUMENT,
                         "no user has a validation event under this division: valid_every = 0 trains without");
    else if (j->t->options.sampler == SQ_SAMPLER_POPULARITY)
        status = sq_trainer_set_popularity(j->t, counts, error);
    sq_free(memory, counts);
    return status;
}

/* A trainer stays with its data and division: resuming with others would be neither run. */
static int32_t check_same(const job *j, const char *split, seqrec_error *error)
{
    const sq_progress_state *f = &j->t->fit;
    SQ_CHECK(strlen(split) < sizeof f->split, error, SEQREC_E_ARGUMENT, "the split \"%.80s\" is too long", split);
    if (f->data_hash == 0) return SEQREC_OK;
    SQ_CHECK(f->data_hash == j->data->hash, error, SEQREC_E_STATE, "this trainer was fitted to data %016llx, not %016llx",
             (unsigned long long)f->data_hash, (unsigned long long)j->data->hash);
    SQ_CHECK(strcmp(f->split, split) == 0, error, SEQREC_E_STATE,
             "this trainer was fitted under split \"%s\", not \"%s\"", f->split, split);
    return SEQREC_OK;
}

/* A schedule without an end of its own ends with the fit: from the first fit on that is part of the run. */
static int32_t set_schedule(const job *j, seqrec_error *error)
{
    sq_options *o = &j->t->options;
    if (o->schedule == SQ_SCHEDULE_CONSTANT || o->schedule_steps > 0) return SEQREC_OK;
    int64_t steps = o->epochs * ((j->samples + o->batch - 1) / o->batch);
    SQ_CHECK(steps > o->warmup_steps, error, SEQREC_E_ARGUMENT,
             "%lld epochs are %lld steps: not more than warmup_steps = %lld", (long long)o->epochs, (long long)steps,
             (long long)o->warmup_steps);
    o->schedule_steps = steps;
    return SEQREC_OK;
}

static int32_t prepare(job *j, seqrec_error *error)
{
    const char *split = j->fit->split ? j->fit->split : "leave-one-out";
    SQ_TRY(sq_division_parse(j->fit->split, &j->division, error));
    SQ_TRY(sq_division_check(&j->division, j->data, error));
    SQ_TRY(check_same(j, split, error));
    SQ_TRY(sq_match_add(j->t->model, j->data, error));
    SQ_TRY(map_items(j, error));
    SQ_TRY(list_users(j, error));
    SQ_TRY(set_schedule(j, error));
    j->t->fit.data_hash = j->data->hash;
    snprintf(j->t->fit.split, sizeof j->t->fit.split, "%s", split);
    return SEQREC_OK;
}

static void drop(job *j)
{
    const sq_memory *memory = &j->t->context->memory;
    sq_free(memory, j->slot_of);
    sq_free(memory, j->users);
    sq_free(memory, j->order);
    sq_free(memory, j->sequence);
    sq_free(memory, j->seconds);
}

/* ---- an epoch --------------------------------------------------------------------------------------------------------- */

/* The order of samples in epoch e is a function of (seed, e): Fisher and Yates on counters. */
static void shuffle(job *j)
{
    uint64_t key = sq_random_key((uint64_t)j->t->options.seed, SQ_STREAM_SHUFFLE, (uint64_t)j->t->fit.epoch);
    for (int64_t i = 0; i < j->samples; i++) j->order[i] = j->users[i % j->count];
    for (int64_t i = j->samples - 1; i > 0; i--) {
        int64_t k = (int64_t)sq_random_below(key, (uint64_t)i, (uint64_t)i + 1), swap = j->order[i];
        j->order[i] = j->order[k];
        j->order[k] = swap;
    }
}

static int32_t plan_batch(job *j, int64_t first, int64_t last, seqrec_error *error)
{
    sq_trainer *t = j->t;
    sq_plan_clear(&t->plan);
    for (int64_t i = first; i < last; i++) {
        int64_t u = j->order[i], train, valid;
        sq_division_user(&j->division, j->data, u, &train, &valid);
        train = slots_of(j, u, train, j->sequence);
        SQ_TRY(sq_trainer_plan_add(t, j->sequence, train, error));
    }
    return sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error);
}

static void report_progress(job *j, int64_t done, int64_t total)
{
    if (j->fit->progress && j->fit->progress(j->fit->progress_context, "train", done, total)) j->cancelled = 1;
}

/* The rest of the epoch under way; stops between steps when the host asks. A batch whose items all went is passed over. */
static int32_t run_epoch(job *j, double *seconds, seqrec_error *error)
{
    sq_trainer *t = j->t;
    sq_progress_state *f = &t->fit;
    int64_t batches = (j->samples + t->options.batch - 1) / t->options.batch;
    SQ_TRY(map_items(j, error));
    shuffle(j);
    j->partial = 0;
    for (double start = sq_seconds(); f->batch < batches && !j->cancelled; start = sq_seconds()) {
        int64_t first = f->batch * t->options.batch, last = first + t->options.batch;
        seqrec_step_stats stats = {.struct_size = sizeof stats};
        SQ_TRY(plan_batch(j, first, last < j->samples ? last : j->samples, error));
        if (t->plan.tokens > 0) SQ_TRY(sq_trainer_run(t, &stats, error));
        f->loss += stats.loss * (double)stats.targets;
        f->targets += stats.targets;
        j->partial += stats.targets;
        f->batch++;
        *seconds += sq_seconds() - start;
        report_progress(j, f->epoch * batches + f->batch, t->options.epochs * batches);
    }
    return SEQREC_OK;
}

/* ---- validation --------------------------------------------------------------------------------------------------------- */

static void metric_name(const sq_options *o, char out[32])
{
    static const char *const kinds[] = {"ndcg", "hr", "mrr"};
    if (o->metric_kind == 2)
        snprintf(out, 32, "mrr");
    else
        snprintf(out, 32, "%s@%lld", kinds[o->metric_kind], (long long)o->metric_cutoff);
}

static int32_t measure(const job *j, const sq_scorer *scorer, double *metric, seqrec_error *error)
{
    char name[32];
    seqrec_evaluation e = {.struct_size = sizeof e, .protocol = "E4", .split = "valid", .bootstrap = -1};
    seqrec_report *report = NULL;
    e.cutoffs = &j->t->options.metric_cutoff;
    e.cutoff_count = 1;
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
    atomic_fetch_add_explicit(&average->references, 1, memory_order_relaxed);
    *out = average;
    return SEQREC_OK;
}

/* Validation metric of epoch e->epoch; keeps the weights when they are the best so far. */
static int32_t validate(job *j, sq_snapshot *average, seqrec_epoch_stats *e, seqrec_error *error)
{
    sq_progress_state *f = &j->t->fit;
    sq_snapshot *now = NULL;
    sq_scorer scorer;
    SQ_TRY(candidate(j, average, &now, error));
    int32_t status = sq_model_scorer_create(j->t->model, now, j->data, &scorer, error);
    if (status == SEQREC_OK) {
        status = measure(j, &scorer, &e->metric, error);
        sq_model_scorer_free(&scorer);
    }
    if (status == SEQREC_OK && !(e->metric <= f->best_metric) && !isnan(e->metric)) {
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
    f->batch = f->targets = 0;
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
    e.loss = f->loss / (double)f->targets;
    e.epoch = f->epoch + 1;
    e.learning_rate = sq_schedule_rate(&schedule, t->step);
    SQ_TRY(sq_grow(&t->context->memory, (void **)&j->seconds, &j->seconds_capacity, (size_t)j->epochs,
                   (size_t)j->epochs + 1, sizeof *j->seconds, error));
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
        if (j->cancelled && t->fit.batch * t->options.batch < j->samples) break;
        SQ_TRY(end_epoch(j, seconds, &stop, error));
        if (j->fit->checkpoint && t->fit.epoch % every == 0 && !stop)
            SQ_TRY(sq_checkpoint_save(t, j->fit->checkpoint, error));
    }
    return SEQREC_OK;
}

/* Publishes the best weights, without validation the last; the model's file says what schedule they had. */
static int32_t publish(job *j, seqrec_error *error)
{
    seqrec_model *model = j->t->model;
    sq_snapshot *kept = j->t->fit.best ? j->t->fit.best : j->t->fit.average;
    SQ_TRY(kept ? sq_trainer_publish_snapshot(j->t, kept, error) : sq_trainer_publish(j->t, error));
    sq_lock_take(&model->writing);
    model->options.schedule_steps = j->t->options.schedule_steps;
    sq_lock_give(&model->writing);
    return SEQREC_OK;
}

static double median(double *values, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        for (int64_t k = i; k > 0 && values[k - 1] > values[k]; k--) {
            double swap = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swap;
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
    if (status == SEQREC_OK) status = publish(&j, error);
    if (status == SEQREC_OK && stats) summarise(&j, stats);
    drop(&j);
    return status;
}
