/* train: one step: draw, forward and backward by micro-batch, check, commit. */
#include "base/rng.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

/* Values beyond this are refused: sums of products of smaller ones stay finite. */
#define LARGEST 1e15f

#define PIECES 64 /* of the parameter block, for reductions in parallel */

/* ---- one micro-batch ------------------------------------------------------------------------------------------------ */

static sq_dropout dropout_of(double own, double common, uint64_t key)
{
    double p = own >= 0 ? own : common;
    sq_dropout d = {.key = key, .threshold = (uint32_t)(p * 65536.0 + 0.5)};
    d.scale = 65536.0f / (float)(65536 - d.threshold);
    return d;
}

static sq_network network_of(const sq_trainer *t)
{
    const sq_options *o = &t->options;
    uint64_t key = sq_random_key((uint64_t)o->seed, SQ_STREAM_DROPOUT, (uint64_t)t->step);
    sq_network n = {.kernels = t->kernels, .layout = &t->model->layout, .options = &t->options};
    n.weights = t->weights;
    n.transposed = t->transposed;
    n.gates = t->gates.z ? &t->gates : NULL;
    n.learns_gates = o->gate_estimator == SQ_GATES_BY_HARD_CONCRETE;
    n.draws_gates = 1;
    n.gate_key = sq_random_key((uint64_t)o->seed, SQ_STREAM_GATES, (uint64_t)t->step);
    n.jacobian = (float)(o->gate_jacobian / (double)(t->plan.tokens * o->dim));
    n.jacobian_key = sq_random_key((uint64_t)o->seed, SQ_STREAM_JACOBIAN, (uint64_t)t->step);
    n.gate_l0 = (float)(o->gate_l0 / (double)t->plan.sequences);
    n.embedding = dropout_of(o->dropout_embedding, o->dropout, sq_mix64(key ^ 1));
    n.attention = dropout_of(o->dropout_attention, o->dropout, sq_mix64(key ^ 2));
    n.ffn = dropout_of(o->dropout_ffn, o->dropout, sq_mix64(key ^ 3));
    return n;
}

/* Embeds every sequence of the micro-batch into x[0]. */
static void embed(sq_trainer *t, const sq_micro *m, const sq_embedding *e, sq_step_scratch *s)
{
    const sq_plan *p = &t->plan;
    for (int32_t i = 0; i < m->tokens; i++) s->items[i] = sq_trainer_row(t, p->inputs[m->first_token + i]);
    for (int32_t i = 0; i <= m->sequences; i++)
        s->starts[i] = (int32_t)(p->starts[m->first_sequence + i] - m->first_token);
    for (int32_t i = 0; i < m->sequences; i++)
        sq_embed_fwd(e, s->items + s->starts[i], s->starts[i + 1] - s->starts[i],
                     (uint64_t)(m->first_token + s->starts[i]), s->work.x[0] + (size_t)s->starts[i] * e->width);
}

static void embed_bwd(sq_trainer *t, const sq_micro *m, const sq_embedding *e, sq_step_scratch *s, float *grads)
{
    float *dpositions = e->positions ? grads + t->model->layout.position : NULL;
    for (int32_t i = 0; i < m->sequences; i++)
        sq_embed_bwd(e, s->starts[i + 1] - s->starts[i], (uint64_t)(m->first_token + s->starts[i]),
                     s->du + (size_t)s->starts[i] * e->width, dpositions);
    memcpy(t->dx + (size_t)m->first_token * e->width, s->du, (size_t)m->tokens * e->width * sizeof *s->du);
}

static int32_t not_fit(const sq_trainer *t, const sq_micro *m)
{
    size_t dp = (size_t)t->model->layout.dp, n = (size_t)m->tokens * dp, first = (size_t)m->first_token * dp;
    size_t c = (size_t)m->tokens * t->candidates;
    int32_t bad = !(t->kernels->max_abs(n, t->u + first) < LARGEST) || !(t->kernels->max_abs(n, t->dx + first) < LARGEST);
    for (size_t i = 0; i < c; i++) bad |= !(fabsf(t->coefficient[(size_t)m->first_token * t->candidates + i]) < LARGEST);
    return bad;
}

/* What one micro-batch goes through. */
typedef struct pass {
    sq_network net;
    sq_micro_batch batch;
    sq_embedding embedding;
} pass;

/* Forward and loss; the scratch has what the way back needs. */
static void run_forward(sq_trainer *t, int64_t index, int32_t slot, sq_step_scratch *s, pass *p)
{
    const sq_micro *m = &t->plan.micro[index];
    p->net = network_of(t);
    p->batch = (sq_micro_batch){m->tokens, m->sequences, m->longest, s->starts, m->first_token};
    p->embedding = sq_embedding_of(t->model, t->weights);
    p->embedding.dropout = p->net.embedding;
    embed(t, m, &p->embedding, s);
    sq_network_fwd(&p->net, &p->batch, &s->work, t->u + (size_t)m->first_token * (size_t)t->model->layout.dp);
    t->losses[index] = sq_step_loss(t, m, slot, s);
}

static void run_micro(sq_trainer *t, int64_t index, int32_t slot, sq_step_scratch *s)
{
    const sq_micro *m = &t->plan.micro[index];
    float *grads = t->grads + (size_t)slot * t->model->layout.floats;
    pass p;
    run_forward(t, index, slot, s, &p);
    sq_network_bwd(&p.net, &p.batch, &s->work, s->du, grads);
    embed_bwd(t, m, &p.embedding, s, grads);
    t->unfit[index] = not_fit(t, m);
}

/* The losses alone, of gates that are not learned from; what else it writes, run_slot writes anew. */
static void weigh_slot(void *arg, int32_t slot, int32_t worker)
{
    sq_trainer *t = arg;
    sq_step_scratch scratch;
    pass p;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    for (int64_t i = t->plan.slot_starts[slot]; i < t->plan.slot_starts[slot + 1]; i++)
        run_forward(t, i, slot, &scratch, &p);
}

static void run_slot(void *arg, int32_t slot, int32_t worker)
{
    sq_trainer *t = arg;
    int64_t from = t->plan.slot_starts[slot], to = t->plan.slot_starts[slot + 1];
    size_t floats = t->model->layout.floats, dp = (size_t)t->model->layout.dp;
    sq_step_scratch scratch;
    if (from == to) return;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    memset(t->grads + (size_t)slot * floats, 0, floats * sizeof *t->grads);
    if (t->dtable) memset(t->dtable + (size_t)slot * t->table_rows * dp, 0, t->table_rows * dp * sizeof *t->dtable);
    for (int64_t i = from; i < to; i++) run_micro(t, i, slot, &scratch);
}

/* ---- dense parameters ----------------------------------------------------------------------------------------------- */

static size_t piece_start(const sq_trainer *t, int32_t piece)
{
    return t->model->layout.floats / 16 * (size_t)piece / PIECES * 16;
}

static size_t piece_end(const sq_trainer *t, int32_t piece)
{
    return piece + 1 == PIECES ? t->model->layout.floats : piece_start(t, piece + 1);
}

/* Adds the slots, in order, into the first one that was used. */
static void reduce_piece(void *arg, int32_t piece, int32_t worker)
{
    sq_trainer *t = arg;
    size_t from = piece_start(t, piece), n = piece_end(t, piece) - from, floats = t->model->layout.floats;
    float *sum = NULL;
    (void)worker;
    if (n == 0) return;
    for (size_t s = 0; s < SQ_GRADIENT_SLOTS; s++) {
        float *g = t->grads + s * floats + from;
        if (t->plan.slot_starts[s] == t->plan.slot_starts[s + 1]) continue;
        if (sum)
            t->kernels->add(n, g, sum);
        else
            sum = g;
    }
}

static float *summed(const sq_trainer *t)
{
    size_t s = 0;
    while (t->plan.slot_starts[s] == t->plan.slot_starts[s + 1]) s++;
    return t->grads + s * t->model->layout.floats;
}

typedef struct commit_job {
    sq_trainer *trainer;
    const sq_adam *rule;
} commit_job;

static void commit_piece(void *arg, int32_t piece, int32_t worker)
{
    commit_job *job = arg;
    sq_trainer *t = job->trainer;
    size_t from = piece_start(t, piece), n = piece_end(t, piece) - from;
    (void)worker;
    t->kernels->adam(n, job->rule, summed(t) + from, t->weights + from, t->m + from, t->v + from);
}

/* ---- the step ------------------------------------------------------------------------------------------------------- */

static int32_t reserve(sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t n = (size_t)t->plan.tokens * (size_t)t->model->layout.dp, micro = (size_t)t->plan.micro_count;
    SQ_TRY(sq_grow(memory, (void **)&t->u, &t->u_capacity, 0, n, sizeof *t->u, error));
    SQ_TRY(sq_grow(memory, (void **)&t->dx, &t->dx_capacity, 0, n, sizeof *t->dx, error));
    SQ_TRY(sq_grow(memory, (void **)&t->losses, &t->losses_capacity, 0, micro, sizeof *t->losses, error));
    SQ_TRY(sq_grow(memory, (void **)&t->unfit, &t->unfit_capacity, 0, micro, sizeof *t->unfit, error));
    return SEQREC_OK;
}

/* Worker memory for this plan; the bits of seen items are zero between uses. */
static int32_t reserve_workers(sq_trainer *t, seqrec_error *error)
{
    sq_arena measure = {0};
    sq_step_scratch scratch = {0};
    sq_step_scratch_take(&measure, t, &scratch);
    for (int32_t w = 0; w < t->workers; w++) {
        SQ_TRY(sq_arena_reserve(&t->arenas[w], &t->context->memory, measure.used, error));
        t->arenas[w].used = 0;
        sq_step_scratch_take(&t->arenas[w], t, &scratch);
        memset(scratch.bits, 0, ((size_t)sq_trainer_slots(t) / 64 + 1) * sizeof *scratch.bits);
    }
    return SEQREC_OK;
}

static double total_loss(const sq_trainer *t)
{
    double loss = 0;
    for (int64_t i = 0; i < t->plan.micro_count; i++) loss += t->losses[i];
    return loss;
}

/* Sums the gradients and refuses them when anything is not finite. */
static int32_t check(sq_trainer *t, double other, double *loss, double *norm, seqrec_error *error)
{
    int32_t unfit = !isfinite(other);
    *loss = total_loss(t);
    for (int64_t i = 0; i < t->plan.micro_count; i++) unfit |= t->unfit[i];
    SQ_CHECK(isfinite(*loss) && !unfit, error, SEQREC_E_NUMERIC,
             "step %lld: a loss or gradient is not finite (loss %g); weights are unchanged", (long long)t->step + 1, *loss);
    sq_parallel(t->context->pool, PIECES, reduce_piece, t);
    if (t->gates.z) sq_step_gate_gradient(t, *loss / (double)t->plan.tokens, other / (double)t->plan.tokens, summed(t));
    SQ_CHECK(t->kernels->max_abs(t->model->layout.floats, summed(t)) < LARGEST, error, SEQREC_E_NUMERIC,
             "step %lld: a gradient is not finite; weights are unchanged", (long long)t->step + 1);
    if (t->options.clip_norm > 0) {
        float *g = summed(t);
        for (int32_t p = 0; p < PIECES; p++) {
            size_t from = piece_start(t, p), n = piece_end(t, p) - from;
            *norm += (double)t->kernels->dot(n, g + from, g + from);
        }
        *norm = sqrt(*norm + sq_step_row_norm(t));
    }
    return SEQREC_OK;
}

static void commit(sq_trainer *t, double norm)
{
    double clip = norm > t->options.clip_norm && t->options.clip_norm > 0 ? t->options.clip_norm / norm : 1;
    sq_schedule schedule = sq_trainer_schedule(t);
    sq_adam rule = sq_schedule_rule(&schedule, t->step + 1, clip);
    commit_job job = {t, &rule};
    sq_step_update_rows(t, &rule);
    sq_parallel(t->context->pool, PIECES, commit_piece, &job);
    t->step++;
    rule.clip = 1;
    t->rules[t->step % SQ_RULES] = rule;
}

/* Without counts every weight is zero, and a uniform sampler in its place would be a silent change of the recipe. */
static int32_t check_sampler(const sq_trainer *t, seqrec_error *error)
{
    if (t->options.sampler != SQ_SAMPLER_POPULARITY || t->options.loss == SQ_LOSS_SOFTMAX) return SEQREC_OK;
    for (int64_t i = 0; i < t->live_count; i++)
        if (t->popularity[t->live[i]] > 0) return SEQREC_OK;
    return sq_fail(error, SEQREC_E_STATE,
                   "sampler = popularity needs training counts: fit to a dataset or call seqrec_trainer_set_popularity");
}

int32_t sq_trainer_run(sq_trainer *t, seqrec_step_stats *stats, seqrec_error *error)
{
    double loss = 0, other = 0, norm = 0;
    int64_t tokens = t->plan.tokens;
    SQ_CHECK(tokens > 0, error, SEQREC_E_ARGUMENT, "no sequence of the batch has two events: nothing to train on");
    SQ_TRY(check_sampler(t, error));
    SQ_CHECK(t->options.schedule != SQ_SCHEDULE_COSINE || t->options.schedule_steps > 0, error, SEQREC_E_STATE,
             "schedule = cosine on the host's batches needs schedule_steps: only a fit knows how many there will be");
    SQ_TRY(sq_step_own_rows(t, error));
    SQ_TRY(reserve(t, error));
    t->candidates = t->options.loss == SQ_LOSS_SOFTMAX ? 0 : sq_trainer_shares(t) ? 1 : 1 + (size_t)t->options.negatives;
    SQ_TRY(reserve_workers(t, error));
    SQ_TRY(sq_step_negatives(t, error));
    sq_step_replay(t);
    SQ_TRY(sq_step_table(t, error));
    sq_network_transpose(t->kernels, &t->model->layout, &t->options, t->weights, t->transposed);
    if (sq_trainer_gates_twice(t)) {
        sq_step_gates(t, 1);
        sq_parallel(t->context->pool, SQ_GRADIENT_SLOTS, weigh_slot, t);
        other = total_loss(t);
    }
    sq_step_gates(t, 0);
    sq_parallel(t->context->pool, SQ_GRADIENT_SLOTS, run_slot, t);
    SQ_TRY(check(t, other, &loss, &norm, error));
    commit(t, norm);
    if (stats) {
        stats->step = t->step;
        stats->targets = tokens;
        stats->loss = loss / (double)tokens;
        stats->grad_norm = norm;
        sq_schedule schedule = sq_trainer_schedule(t);
        stats->learning_rate = sq_schedule_rate(&schedule, t->step);
    }
    return SEQREC_OK;
}
