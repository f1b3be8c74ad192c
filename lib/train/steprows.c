/* train: the item rows' share of a step: replay, gradient, update. */
#include "train/trainer.h"
#include <math.h>
#include <string.h>

#define PIECE 64   /* contributions added at a time */
#define EARLIER 24 /* entries between asking for one and reading it */

/* ---- constants of a step ------------------------------------------------------------------------------------------ */

sq_schedule sq_trainer_schedule(const sq_trainer *t)
{
    const sq_options *o = &t->options;
    return (sq_schedule){.learning_rate = o->learning_rate, .beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon,
                         .weight_decay = o->weight_decay, .decoupled = o->optimizer == SQ_OPTIMIZER_ADAMW,
                         .uncorrected = !o->bias_correction, .cosine = o->schedule == SQ_SCHEDULE_COSINE,
                         .linear = o->schedule == SQ_SCHEDULE_LINEAR, .warmup = o->warmup_steps, .steps = o->schedule_steps,
                         .passed = t->passed};
}

/* The constants that step had (no clipping: a replayed gradient is zero). */
sq_adam sq_trainer_rule(const sq_trainer *t, int64_t step)
{
    if (step > t->step - SQ_RULES && step <= t->step) return t->rules[step % SQ_RULES];
    sq_schedule schedule = sq_trainer_schedule(t);
    return sq_schedule_rule(&schedule, step, 1);
}

/* ---- replay --------------------------------------------------------------------------------------------------------- */

/* A table whose rows are to be brought up to t->step: those of the entries, or all. */
typedef struct replay_job {
    const sq_trainer *t;
    sq_trained *table;
    const sq_row_entries *entries;
} replay_job;

/* Takes a row through the steps it missed, up to t->step, with a zero gradient. Without decay a row whose first moment is zero
 * everywhere and whose second is too stays as it is: the replay stops there. */
static void replay_row(const replay_job *job, int32_t slot)
{
    const sq_trainer *t = job->t;
    sq_row_state *state = job->table->state[slot / SQ_CHUNK_ROWS];
    int32_t r = slot % SQ_CHUNK_ROWS;
    size_t stride = (size_t)job->table->catalogue->stride, at = (size_t)r * stride;
    int decays = t->options.weight_decay > 0;
    for (int64_t step = state->last[r] + 1; step <= t->step; step++) {
        if (!decays && t->kernels->max_abs(stride, state->m + at) == 0 && t->kernels->max_abs(stride, state->v + at) == 0)
            break;
        sq_adam rule = sq_trainer_rule(t, step);
        t->kernels->adam(stride, &rule, NULL, sq_trained_row(job->table, slot), state->m + at, state->v + at);
    }
    state->last[r] = t->step;
}

static void replay_part(void *arg, int32_t part, int32_t worker)
{
    const replay_job *job = arg;
    const sq_row_entries *e = job->entries;
    (void)worker;
    for (size_t i = e->part_starts[part]; i < e->part_starts[part + 1]; i++)
        if (i == e->part_starts[part] || sq_row_slot(e, i) != sq_row_slot(e, i - 1)) replay_row(job, sq_row_slot(e, i));
}

static void replay_chunk(void *arg, int32_t chunk, int32_t worker)
{
    const replay_job *job = arg;
    (void)worker;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
        if (job->table->catalogue->slots[chunk]->live[r]) replay_row(job, chunk * SQ_CHUNK_ROWS + r);
}

void sq_step_replay(sq_trainer *t)
{
    replay_job items = {t, &t->items, &t->entries}, users = {t, &t->users, &t->user_entries};
    if (!sq_trainer_exact(t)) return;
    if (sq_trainer_at_batch(t))
        sq_parallel(t->context->pool, t->items.chunks, replay_chunk, &items); /* it looks at all of them */
    else if (!sq_trainer_is_full(t))
        sq_parallel(t->context->pool, t->entries.parts, replay_part, &items);
    if (sq_trainer_personal(t)) sq_parallel(t->context->pool, t->user_entries.parts, replay_part, &users);
}

static int32_t catch_up(sq_trainer *t, sq_trained *table, seqrec_error *error)
{
    replay_job job = {t, table, NULL};
    SQ_TRY(sq_trained_own_rows(table, error));
    sq_parallel(t->context->pool, table->chunks, replay_chunk, &job);
    return SEQREC_OK;
}

int32_t sq_trainer_catch_up(sq_trainer *t, seqrec_error *error)
{
    if (!sq_trainer_exact(t)) return SEQREC_OK;
    SQ_TRY(catch_up(t, &t->items, error));
    return catch_up(t, &t->users, error);
}

/* Rows that wait are replayed under the rates of their own steps first: those of old steps are computed again, from what is passed now. */
int32_t sq_trainer_pass(sq_trainer *t, seqrec_error *error)
{
    if (t->options.schedule == SQ_SCHEDULE_CONSTANT) return SEQREC_OK;
    SQ_TRY(sq_trainer_catch_up(t, error));
    t->passed++;
    return SEQREC_OK;
}

/* ---- lengths, for cosines -------------------------------------------------------------------------------------------- */

static void lengths_of_part(void *arg, int32_t part, int32_t worker)
{
    const sq_trainer *t = arg;
    const sq_row_entries *e = &t->entries;
    const size_t dp = (size_t)t->model->layout.vp, offset = sq_output_offset(t->items.catalogue);
    (void)worker;
    for (size_t i = e->part_starts[part]; i < e->part_starts[part + 1]; i++) {
        if (i > e->part_starts[part] && sq_row_slot(e, i) == sq_row_slot(e, i - 1)) continue;
        const int32_t slot = sq_row_slot(e, i);
        const float *row = sq_trainer_row(t, slot) + offset, norm = sqrtf(t->kernels->dot(dp, row, row));
        t->items.state[slot / SQ_CHUNK_ROWS]->inverse_norm[slot % SQ_CHUNK_ROWS] = norm > 0 ? 1.0f / norm : 0;
    }
}

void sq_step_lengths(sq_trainer *t)
{
    if (t->options.score == SQ_SCORE_COSINE && sq_trainer_samples(t)) /* a loss of batch scope sorts its entries later */
        sq_parallel(t->context->pool, t->entries.parts, lengths_of_part, t);
}

/* ---- gradient ----------------------------------------------------------------------------------------------------------- */

/* Contributions waiting to be added to one sum. */
typedef struct pending {
    size_t n;
    float factor[PIECE];
    const float *row[PIECE];
} pending;

static void flush(const sq_trainer *t, pending *p, float *sum)
{
    if (p->n) t->kernels->gather_axpy(p->n, (size_t)t->model->layout.vp, p->factor, p->row, sum);
    p->n = 0;
}

/* The row is asked for now and read when the piece is full. */
static void push(const sq_trainer *t, pending *p, float factor, const float *row, float *sum)
{
    if (p->n == PIECE) flush(t, p, sum);
    for (int32_t line = 0; line < 4; line++) __builtin_prefetch(row + 16 * line);
    p->factor[p->n] = factor;
    p->row[p->n++] = row;
}

/* sum over the gradient slots of row j of the shared table; of the buckets' items there is one row each. */
static void push_table(const sq_trainer *t, pending *p, size_t row, float *sum)
{
    size_t dp = (size_t)t->model->layout.vp;
    if (sq_trainer_at_batch(t)) {
        push(t, p, 1, t->buckets.drows + row * dp, sum);
        return;
    }
    for (size_t s = 0; s < SQ_GRADIENT_SLOTS; s++)
        if (t->plan.slot_starts[s] < t->plan.slot_starts[s + 1])
            push(t, p, 1, t->dtable + (s * t->table_rows + row) * dp, sum);
}

static void cosine_project(const sq_trainer *t, const float *vector, int from_unit, float *g)
{
    size_t dp = (size_t)t->model->layout.vp;
    float square = t->kernels->dot(dp, vector, vector);
    if (square <= 0) {
        memset(g, 0, dp * sizeof *g);
        return;
    }
    t->kernels->axpy(dp, -t->kernels->dot(dp, g, vector) / square, vector, g);
    if (from_unit) t->kernels->scale(dp, 1.0f / sqrtf(square), g, g);
}

/* Working vectors of one row. */
typedef struct row_sums {
    float input[4096 + 16], output[4096 + 16], table[4096 + 16];
} row_sums;

/* Which of the groups of 1 / `share` entry e is in, without a division of 64 bits: exact, since both are below 2^32. */
static size_t group_of(size_t e, double share) { return (size_t)(int64_t)(((double)(int64_t)e + 0.5) * share); }

/* Entries are those of the tokens, of the targets' own candidates, and behind this number of what is shared. */
static size_t own_end(const sq_trainer *t) { return (size_t)t->plan.tokens + (size_t)t->plan.target_count * t->candidates; }

void sq_step_rows(sq_trainer *t)
{
    sq_row_entries_carry(&t->entries, t->context->pool, t->coefficient, (size_t)t->plan.tokens, own_end(t));
}

/* Gradient of the row's input vector and output vector; tied: both in `input`. Its entries are from .. end - 1. */
static void row_gradient(const sq_trainer *t, int32_t slot, size_t from, size_t end, row_sums *g)
{
    size_t dp = (size_t)t->model->layout.vp, tokens = (size_t)t->plan.tokens, own = own_end(t);
    float scale = t->options.scale_embeddings ? sqrtf((float)t->options.dim) : 1.0f;
    const double share = t->candidates > 0 ? 1 / (double)t->candidates : 0;
    int cosine = t->options.score == SQ_SCORE_COSINE, tied = t->items.catalogue->tables == 1;
    pending in = {0}, out = {0}, table = {0};
    memset(g->input, 0, dp * sizeof(float));
    memset(g->output, 0, dp * sizeof(float));
    memset(g->table, 0, dp * sizeof(float));
    for (size_t i = from; i < end; i++) {
        const sq_row_entry *entry = sq_row_entry_at(&t->entries, i);
        const size_t e = entry->number;
        if (i + EARLIER < end) __builtin_prefetch(sq_row_entry_at(&t->entries, i + EARLIER));
        if (e < tokens) {
            push(t, &in, scale, t->dx + e * dp, g->input);
        } else if (e < own) {
            push(t, &out, entry->factor, t->u + group_of(e - tokens, share) * dp, g->output);
        } else {
            push_table(t, &table, e - own, g->table);
        }
    }
    if (sq_trainer_is_full(t)) push_table(t, &table, (size_t)t->items.compact[slot], g->table);
    flush(t, &in, g->input);
    flush(t, &out, g->output);
    flush(t, &table, g->table);
    if (cosine) {
        const float *vector = sq_trainer_row(t, slot) + sq_output_offset(t->items.catalogue);
        cosine_project(t, vector, 0, g->output);
        cosine_project(t, vector, 1, g->table);
    }
    t->kernels->add(dp, g->table, g->output);
    if (tied) t->kernels->add(dp, g->output, g->input);
}

/* ---- walking over the rows of a step ------------------------------------------------------------------------------------ */

typedef void (*visit)(sq_trainer *t, int32_t slot, row_sums *g, const void *arg, double *norm);

/* Whether a row that was drawn into a pool of negatives was used. */
static int takes_part(const sq_trainer *t, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        const sq_row_entry *entry = sq_row_entry_at(&t->entries, i);
        if (entry->number < (size_t)t->plan.tokens || entry->factor != 0) return 1;
    }
    return 0;
}

/* Calls visit for each row of a part that has a gradient, in rising order; with softmax these are all live rows. */
static void walk_part(sq_trainer *t, int32_t part, visit call, const void *arg, double *norm)
{
    const sq_row_entries *e = &t->entries;
    size_t i = e->part_starts[part], end = e->part_starts[part + 1];
    int64_t slot = (int64_t)part << e->shift, last = (int64_t)(part + 1) << e->shift;
    int all = sq_trainer_is_full(t);
    row_sums g;
    if (last > sq_trainer_slots(t)) last = sq_trainer_slots(t);
    int32_t pool = t->options.hard_pool > 0;
    while (all ? slot < last : i < end) {
        if (!all) slot = sq_row_slot(e, i);
        size_t from = i;
        while (i < end && sq_row_slot(e, i) == slot) i++;
        if (all ? t->items.compact[slot] >= 0 : !pool || takes_part(t, from, i)) {
            row_gradient(t, (int32_t)slot, from, i, &g);
            call(t, (int32_t)slot, &g, arg, norm);
        }
        slot++;
    }
}

static void add_norm(sq_trainer *t, int32_t slot, row_sums *g, const void *arg, double *norm)
{
    size_t dp = (size_t)t->model->layout.vp;
    (void)slot;
    (void)arg;
    *norm += (double)t->kernels->dot(dp, g->input, g->input);
    if (t->items.catalogue->tables == 2) *norm += (double)t->kernels->dot(dp, g->output, g->output);
}

static void norm_part(void *arg, int32_t part, int32_t worker)
{
    sq_trainer *t = arg;
    (void)worker;
    t->part_norm[part] = 0;
    walk_part(t, part, add_norm, NULL, &t->part_norm[part]);
}

double sq_step_row_norm(sq_trainer *t)
{
    double sum = 0;
    sq_parallel(t->context->pool, t->entries.parts, norm_part, t);
    for (int32_t p = 0; p < t->entries.parts; p++) sum += t->part_norm[p];
    return sum;
}

static void update(sq_trainer *t, int32_t slot, row_sums *g, const void *arg, double *norm)
{
    const sq_adam *rule = arg;
    sq_row_state *state = t->items.state[slot / SQ_CHUNK_ROWS];
    size_t dp = (size_t)t->model->layout.vp, r = (size_t)(slot % SQ_CHUNK_ROWS), at = r * (size_t)t->items.catalogue->stride;
    float *row = sq_trainer_row(t, slot);
    (void)norm;
    t->kernels->adam(dp, rule, g->input, row, state->m + at, state->v + at);
    if (t->items.catalogue->tables == 2) t->kernels->adam(dp, rule, g->output, row + dp, state->m + at + dp, state->v + at + dp);
    state->last[r] = t->step + 1;
}

typedef struct update_job {
    sq_trainer *trainer;
    const sq_adam *rule;
} update_job;

static void update_part(void *arg, int32_t part, int32_t worker)
{
    update_job *job = arg;
    (void)worker;
    walk_part(job->trainer, part, update, job->rule, NULL);
}

void sq_step_update_rows(sq_trainer *t, const sq_adam *rule)
{
    update_job job = {t, rule};
    sq_parallel(t->context->pool, t->entries.parts, update_part, &job);
}
