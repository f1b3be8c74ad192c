/* train: the item rows' share of a step: replay, norm, update. */
#include "train/trainer.h"
#include "optim/idle.h"
#include "tensor/length.h"
#include <string.h>

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

/* ---- walking over rows ------------------------------------------------------------------------------------------------- */

/* Rows of a table that something is done to: those of the entries, or all. */
typedef struct row_walk {
    const sq_trainer *t;
    sq_trained *table;
    const sq_row_entries *entries;
    void (*visit)(const struct row_walk *walk, int32_t slot);
} row_walk;

static void walk_part(void *arg, int32_t part, int32_t worker)
{
    const row_walk *walk = arg;
    const sq_row_entries *e = walk->entries;
    (void)worker;
    for (size_t i = e->part_starts[part]; i < e->part_starts[part + 1]; i++)
        if (i == e->part_starts[part] || sq_row_slot(e, i) != sq_row_slot(e, i - 1)) walk->visit(walk, sq_row_slot(e, i));
}

static void walk_chunk(void *arg, int32_t chunk, int32_t worker)
{
    const row_walk *walk = arg;
    (void)worker;
    for (int32_t r = 0; r < SQ_CHUNK_ROWS; r++)
        if (walk->table->catalogue->slots[chunk]->live[r]) walk->visit(walk, chunk * SQ_CHUNK_ROWS + r);
}

static void walk_entries(row_walk *walk) { sq_parallel(walk->t->context->pool, walk->entries->parts, walk_part, walk); }
static void walk_all(row_walk *walk) { sq_parallel(walk->t->context->pool, walk->table->chunks, walk_chunk, walk); }

/* ---- replay --------------------------------------------------------------------------------------------------------- */

enum { RUN = 64 }; /* steps that are replayed at once; fewer are not worth the question whether the row has settled */

/* The constants of `count` <= RUN steps from `step` on: a piece of the ring, or `own`. */
static const sq_adam *rules_from(const sq_trainer *t, int64_t step, int64_t count, sq_adam own[RUN])
{
    if (step > t->step - SQ_RULES && step % SQ_RULES + count <= SQ_RULES) return t->rules + step % SQ_RULES;
    for (int64_t i = 0; i < count; i++) own[i] = sq_trainer_rule(t, step + i);
    return own;
}

/* A row [n] of weights, and its moments, on its way through steps with a zero gradient. */
typedef struct idle_row {
    size_t n;
    float *w, *m, *v;
} idle_row;

/* Under decay every step moves the weights. */
static void replay_decay(const sq_trainer *t, int64_t last, const idle_row *row)
{
    for (int64_t step = last + 1; step <= t->step; step++) {
        sq_adam rule = sq_trainer_rule(t, step);
        t->kernels->adam(row->n, &rule, NULL, row->w, row->m, row->v);
    }
}

/* Without it they move until they have settled; from there on the moments alone fade. */
static void replay_moments(const sq_trainer *t, int64_t last, const idle_row *row)
{
    const sq_schedule schedule = sq_trainer_schedule(t);
    sq_adam own[RUN];
    while (last < t->step) {
        int64_t missed = t->step - last, count = missed < RUN ? missed : RUN;
        if ((missed >= RUN || t->kernels->max_abs(row->n, row->m) == 0) &&
            sq_idle_settled(&schedule, last, row->n, row->w, row->m, row->v)) {
            t->kernels->fade(row->n, missed, (float)schedule.beta1, row->m);
            t->kernels->fade(row->n, missed, (float)schedule.beta2, row->v);
            return;
        }
        t->kernels->adam_idle(row->n, (size_t)count, rules_from(t, last + 1, count, own), row->w, row->m, row->v);
        last += count;
    }
}

/* Takes a row through the steps it missed, up to t->step, with a zero gradient. */
static void replay_row(const row_walk *walk, int32_t slot)
{
    const sq_trainer *t = walk->t;
    sq_row_state *state = walk->table->state[slot / SQ_CHUNK_ROWS];
    const int32_t r = slot % SQ_CHUNK_ROWS;
    const size_t stride = (size_t)walk->table->catalogue->stride, at = (size_t)r * stride;
    const idle_row row = {stride, sq_trained_row(walk->table, slot), state->m + at, state->v + at};
    (t->options.weight_decay > 0 ? replay_decay : replay_moments)(t, state->last[r], &row);
    state->last[r] = t->step;
}

void sq_step_replay(sq_trainer *t)
{
    row_walk items = {t, &t->items, &t->entries, replay_row}, users = {t, &t->users, &t->user_entries, replay_row};
    if (!sq_trainer_exact(t)) return;
    if (sq_trainer_at_batch(t) || t->dense)
        walk_all(&items); /* it looks at all of them, or nearly */
    else if (!sq_trainer_is_full(t))
        walk_entries(&items);
    if (sq_trainer_personal(t)) walk_entries(&users);
}

static int32_t catch_up(sq_trainer *t, sq_trained *table, seqrec_error *error)
{
    row_walk rows = {t, table, NULL, replay_row};
    SQ_TRY(sq_trained_own_rows(table, error));
    walk_all(&rows);
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

static void note_length(const row_walk *walk, int32_t slot)
{
    const sq_trainer *t = walk->t;
    walk->table->state[slot / SQ_CHUNK_ROWS]->inverse_norm[slot % SQ_CHUNK_ROWS] =
        sq_inverse_length(t->kernels, (size_t)t->model->layout.vp, sq_trainer_row(t, slot) + sq_output_offset(t->items.catalogue));
}

void sq_step_lengths(sq_trainer *t)
{
    row_walk items = {t, &t->items, &t->entries, note_length};
    if (t->options.score != SQ_SCORE_COSINE || !sq_trainer_samples(t) || t->dense) return; /* a loss of batch scope sorts its entries later */
    walk_entries(&items);
}

/* ---- norm and update ------------------------------------------------------------------------------------------------ */

/* An entry for each row of dtable that something was added to. */
static void enter_touched(sq_trainer *t)
{
    int32_t *out = t->entries.slots + sq_trainer_own_end(t);
    for (size_t c = 0; c < t->table_rows; c++) {
        uint8_t touched = 0;
        for (size_t s = 0; s < SQ_GRADIENT_SLOTS; s++)
            if (t->plan.slot_starts[s] < t->plan.slot_starts[s + 1]) touched |= t->touched[s * t->table_rows + c];
        out[c] = touched ? t->items.live[c] : -1;
    }
}

void sq_step_rows(sq_trainer *t)
{
    const size_t tokens = (size_t)t->plan.tokens;
    if (t->dense) {
        enter_touched(t);
        sq_row_entries_sort(&t->entries, t->context->pool, sq_trained_end(&t->items));
    }
    sq_row_entries_carry(&t->entries, t->context->pool, t->coefficient, tokens, sq_trainer_own_end(t));
}

static void add_norm(sq_trainer *t, int32_t slot, const float *input, const float *output, const void *arg)
{
    size_t vp = (size_t)t->model->layout.vp;
    double *norm = &t->part_norm[slot >> t->entries.shift];
    (void)arg;
    *norm += (double)t->kernels->dot(vp, input, input);
    if (t->items.catalogue->tables == 2) *norm += (double)t->kernels->dot(vp, output, output);
}

double sq_step_row_norm(sq_trainer *t)
{
    double sum = 0;
    memset(t->part_norm, 0, sizeof t->part_norm);
    sq_row_gradients(t, add_norm, NULL);
    for (int32_t p = 0; p < t->entries.parts; p++) sum += t->part_norm[p];
    return sum;
}

static void update(sq_trainer *t, int32_t slot, const float *input, const float *output, const void *arg)
{
    const sq_adam *rule = arg;
    sq_row_state *state = t->items.state[slot / SQ_CHUNK_ROWS];
    size_t vp = (size_t)t->model->layout.vp, r = (size_t)(slot % SQ_CHUNK_ROWS), at = r * (size_t)t->items.catalogue->stride;
    float *row = sq_trainer_row(t, slot);
    t->kernels->adam(vp, rule, input, row, state->m + at, state->v + at);
    if (t->items.catalogue->tables == 2) t->kernels->adam(vp, rule, output, row + vp, state->m + at + vp, state->v + at + vp);
    state->last[r] = t->step + 1;
}

void sq_step_update_rows(sq_trainer *t, const sq_adam *rule) { sq_row_gradients(t, update, rule); }
