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

/* Events of the batch, and the tokens of users in front of them. */
static int64_t network_tokens(const sq_trainer *t)
{
    return t->plan.tokens + (t->options.user_embedding == SQ_USER_PREFIX ? t->plan.sequences : 0);
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
    n.jacobian = (float)(o->gate_jacobian / (double)(network_tokens(t) * t->model->layout.d));
    n.jacobian_key = sq_random_key((uint64_t)o->seed, SQ_STREAM_JACOBIAN, (uint64_t)t->step);
    n.gate_l0 = (float)(o->gate_l0 / (double)t->plan.sequences);
    n.embedding = dropout_of(o->dropout_embedding, o->dropout, sq_mix64(key ^ 1));
    n.attention = dropout_of(o->dropout_attention, o->dropout, sq_mix64(key ^ 2));
    n.ffn = n.ffn_output = dropout_of(o->dropout_ffn, o->dropout, sq_mix64(key ^ 3));
    n.attention_output = dropout_of(o->mixer == SQ_MIXER_SPECTRAL ? o->dropout : 0, 0, sq_mix64(key ^ 4));
    if (o->dropout_residual >= 0)
        n.attention_output = n.ffn_output = dropout_of(o->dropout_residual, 0, sq_mix64(key ^ 4));
    return n;
}

/* States of the tokens that have a target: all of them in next-item training, and where the newest alone have one. */
static const float *chosen(const sq_trainer *t, const sq_micro *m, const sq_micro_batch *batch, sq_step_scratch *s)
{
    const int64_t *tokens = t->plan.target_tokens + m->first_target;
    size_t dp = (size_t)t->model->layout.dp;
    if (m->targets == m->tokens || batch->newest) return s->states;
    for (int32_t i = 0; i < m->targets; i++)
        memcpy(s->chosen + (size_t)i * dp, s->states + (size_t)(tokens[i] - m->first_token) * dp, dp * sizeof *s->chosen);
    return s->chosen;
}

static int32_t not_fit(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp, n = (size_t)m->tokens * vp, targets = (size_t)m->targets;
    size_t up = sq_trainer_personal(t) ? (size_t)t->model->layout.up : 0;
    size_t c = targets * t->candidates, first = (size_t)m->first_target;
    const float *coefficient = c ? sq_step_coefficients(t, m, s) : NULL;
    int32_t bad = !(t->kernels->max_abs(targets * vp, t->u + first * vp) < LARGEST) ||
                  !(t->kernels->max_abs(n, t->dx + (size_t)m->first_token * vp) < LARGEST);
    bad |= up && !(t->kernels->max_abs((size_t)m->sequences * up, t->duser + (size_t)m->first_sequence * up) < LARGEST);
    for (size_t i = 0; i < c; i++) bad |= !(fabsf(coefficient[i]) < LARGEST);
    for (size_t i = 0; i < targets && sq_trainer_at_batch(t); i++) bad |= !(fabsf(t->buckets.score[first + i]) < LARGEST);
    return bad;
}

/* What one micro-batch goes through. */
typedef struct pass {
    sq_network net;
    sq_micro_batch batch;
    sq_embedding embedding;
    const float *read; /* [tokens or targets][dp] what user vectors are read from */
    float *grads;
} pass;

/* Where the loss leaves du, and what the network's output and its gradient are where they are the user vectors'. */
static void place(const sq_trainer *t, const sq_micro *m, sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp, first = (size_t)m->first_target * vp;
    if (s->direct) s->states = t->u + first;
    if (s->direct) s->du = t->dx + (size_t)m->first_token * vp;
    if (sq_trainer_at_batch(t)) s->du = t->buckets.du + first;
    if (s->direct) s->dstates = s->du;
}

/* Rows that user vectors are read from: all of the network's, or those with a target. */
static size_t read_rows(const sq_micro *m, const sq_step_scratch *s, const pass *p)
{
    return p->read == s->states ? sq_micro_batch_states(&p->batch) : (size_t)m->targets;
}

/* Forward, up to the user vectors in t->u as scores take them; the scratch has what the way back needs. Where the network's output is
 * more or less than the user vectors (a prefix, a user's part behind the item's, biases of items), they are split off it. */
static void run_forward(sq_trainer *t, int64_t index, int32_t slot, sq_step_scratch *s, pass *p)
{
    const sq_micro *m = &t->plan.micro[index];
    float *u = t->u + (size_t)m->first_target * (size_t)t->model->layout.vp;
    p->net = network_of(t);
    p->grads = t->grads + (size_t)slot * t->model->layout.floats;
    p->embedding = sq_embedding_of(t->model, t->weights);
    p->embedding.dropout = p->net.embedding;
    p->batch = sq_step_embed(t, m, &p->embedding, s);
    place(t, m, s);
    sq_network_fwd(&p->net, &p->batch, &s->work, s->states);
    p->read = chosen(t, m, &p->batch, s);
    sq_network_read(&p->net, read_rows(m, s, p), p->read, &s->work, s->out ? s->out : u);
    if (s->out) sq_step_split(t, m, &p->embedding, s, u);
    sq_step_normalise(t, m, s);
}

/* From s->du to the gradient of the states, s->dstates. */
static void read_back(sq_trainer *t, const sq_micro *m, sq_step_scratch *s, pass *p)
{
    const int64_t *tokens = t->plan.target_tokens + m->first_target;
    size_t dp = (size_t)t->model->layout.dp, n = read_rows(m, s, p);
    float *dx = p->read == s->states ? s->dstates : s->states;
    if (s->out) sq_step_join(t, m, &p->embedding, s);
    sq_network_read_bwd(&p->net, n, p->read, &s->work, s->out ? s->dout : s->du, dx, p->grads);
    if (dx == s->dstates) return;
    memset(s->dstates, 0, (size_t)m->tokens * dp * sizeof *s->dstates);
    for (size_t i = 0; i < n; i++)
        memcpy(s->dstates + (size_t)(tokens[i] - m->first_token) * dp, dx + i * dp, dp * sizeof *dx);
}

static void run_micro(sq_trainer *t, int64_t index, int32_t slot, sq_step_scratch *s)
{
    const sq_micro *m = &t->plan.micro[index];
    pass p;
    run_forward(t, index, slot, s, &p);
    if (!sq_trainer_at_batch(t)) t->losses[index] = sq_step_loss(t, m, slot, s);
    sq_step_normalise_bwd(t, m, slot, s);
    read_back(t, m, s, &p);
    sq_network_bwd(&p.net, &p.batch, &s->work, s->dstates, p.grads);
    sq_step_embed_bwd(t, m, &p.embedding, s, p.grads);
    t->unfit[index] = not_fit(t, m, s);
}

/* The user vectors and, at token scope, the losses alone; what else it writes, run_slot writes anew. */
static void forward_slot(void *arg, int32_t slot, int32_t worker)
{
    sq_trainer *t = arg;
    sq_step_scratch scratch;
    pass p;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    for (int64_t i = t->plan.slot_starts[slot]; i < t->plan.slot_starts[slot + 1]; i++) {
        run_forward(t, i, slot, &scratch, &p);
        if (!sq_trainer_at_batch(t)) t->losses[i] = sq_step_loss(t, &t->plan.micro[i], slot, &scratch);
    }
}

static void run_slot(void *arg, int32_t slot, int32_t worker)
{
    sq_trainer *t = arg;
    int64_t from = t->plan.slot_starts[slot], to = t->plan.slot_starts[slot + 1];
    size_t floats = t->model->layout.floats, vp = (size_t)t->model->layout.vp;
    sq_step_scratch scratch;
    if (from == to) return;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    memset(t->grads + (size_t)slot * floats, 0, floats * sizeof *t->grads);
    if (t->dense) memset(t->touched + (size_t)slot * t->table_rows, 0, t->table_rows);
    if (sq_trainer_tabled(t)) memset(t->dtable + (size_t)slot * t->table_rows * vp, 0, t->table_rows * vp * sizeof *t->dtable);
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

/* Where the run of decayed, or not decayed, lines of 16 parameters that begins at `from` ends. */
static size_t run_end(const sq_trainer *t, size_t from, size_t end)
{
    const uint8_t *is_matrix = t->model->layout.is_matrix;
    size_t to = from + 16;
    if (t->options.decayed == SQ_DECAYED_ALL) return end;
    while (to < end && is_matrix[to / 16] == is_matrix[from / 16]) to += 16;
    return to;
}

static void commit_piece(void *arg, int32_t piece, int32_t worker)
{
    commit_job *job = arg;
    sq_trainer *t = job->trainer;
    const int all = t->options.decayed == SQ_DECAYED_ALL;
    sq_adam undecayed = *job->rule;
    undecayed.decay = 1;
    undecayed.l2 = 0;
    (void)worker;
    for (size_t at = piece_start(t, piece), end = piece_end(t, piece), to; at < end; at = to) {
        const sq_adam *rule = all || t->model->layout.is_matrix[at / 16] ? job->rule : &undecayed;
        to = run_end(t, at, end);
        t->kernels->adam(to - at, rule, summed(t) + at, t->weights + at, t->m + at, t->v + at);
    }
}

/* ---- the plan ------------------------------------------------------------------------------------------------------- */

/* The sequence, or with probability `random_end` its first 2 .. n events: as if it had ended there. */
static sq_plan_sequence cut(const sq_trainer *t, const sq_plan_sequence *s)
{
    uint64_t key = sq_random_key((uint64_t)t->options.seed, SQ_STREAM_CUT, (uint64_t)t->step);
    uint64_t counter = 3 * (uint64_t)t->plan.sequences;
    sq_plan_sequence c = *s;
    int64_t n = s->n - s->behind;
    if (n < 3 || sq_random_unit(key, counter) >= t->options.random_end) return c;
    c.behind = s->n - 2 - (int64_t)sq_random_below(key, counter + 1, (uint64_t)n - 1);
    c.cut = c.behind - s->behind;
    return c;
}

static int32_t add_prefixes(sq_trainer *t, const sq_plan_sequence *sequence, seqrec_error *error)
{
    const sq_options *o = &t->options;
    uint64_t key = sq_random_key((uint64_t)o->seed, SQ_STREAM_CUT, (uint64_t)t->step);
    double phase = sq_random_unit(key, 3 * (uint64_t)t->plan.sequences + 2);
    return sq_plan_add_prefixes(&t->plan, &t->context->memory, sequence, o->max_length, o->position_decay, o->prefix_stride, phase,
                                error);
}

int32_t sq_trainer_plan_add(sq_trainer *t, const sq_plan_sequence *whole, seqrec_error *error)
{
    const sq_options *o = &t->options;
    const sq_memory *memory = &t->context->memory;
    const sq_plan_sequence kept = cut(t, whole), *sequence = &kept;
    t->plan.together = o->targets;
    if (o->objective == SQ_OBJECTIVE_NEXT && o->length_alpha < 2) {
        sq_stochastic_length length = {.alpha = o->length_alpha, .newest = o->length_choice == SQ_LENGTH_NEWEST};
        length.key = sq_random_key((uint64_t)o->seed, SQ_STREAM_LENGTH, (uint64_t)t->step);
        return sq_plan_add_some(&t->plan, memory, sequence, o->max_length, o->position_decay, &length, error);
    }
    if (o->objective == SQ_OBJECTIVE_NEXT)
        return sq_plan_add(&t->plan, memory, sequence, o->max_length, o->position_decay, error);
    if (o->objective == SQ_OBJECTIVE_PREFIX) return add_prefixes(t, sequence, error);
    sq_cloze cloze = {.probability = o->mask_probability, .last_share = o->mask_last_share};
    cloze.key = sq_random_key((uint64_t)o->seed, SQ_STREAM_CLOZE, (uint64_t)t->step);
    return sq_plan_add_cloze(&t->plan, memory, sequence, o->max_length, o->position_decay, &cloze, error);
}

/* ---- the step ------------------------------------------------------------------------------------------------------- */

static int32_t reserve(sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t vp = (size_t)t->model->layout.vp, n = (size_t)t->plan.tokens * vp, micro = (size_t)t->plan.micro_count;
    size_t targets = (size_t)t->plan.most_targets * vp;
    SQ_TRY(SQ_GROW(memory, t->u, 0, targets, error));
    SQ_TRY(SQ_GROW(memory, t->dx, 0, n, error));
    SQ_TRY(SQ_GROW(memory, t->losses, 0, micro, error));
    SQ_TRY(SQ_GROW(memory, t->unfit, 0, micro, error));
    return SEQREC_OK;
}

/* Worker memory for this plan; the bits of seen items are zero between uses. */
static int32_t reserve_workers(sq_trainer *t, seqrec_error *error)
{
    sq_arena measure = {0};
    sq_step_scratch scratch = {0};
    sq_step_scratch_take(&measure, t, &scratch);
    sq_rewind(&measure, 0);
    sq_row_gradients_take(&measure, t);
    if (sq_trainer_at_batch(t) && measure.peak < t->buckets.worker_bytes) measure.peak = t->buckets.worker_bytes;
    for (int32_t w = 0; w < t->workers; w++) {
        SQ_TRY(sq_arena_reserve(&t->arenas[w], &t->context->memory, measure.peak, error));
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
    sq_step_rows(t);
    sq_parallel(t->context->pool, PIECES, reduce_piece, t);
    if (t->gates.z) sq_step_gate_gradient(t, *loss, other, summed(t));
    if (sq_step_temperature_held(t, summed(t))) summed(t)[t->model->layout.log_scale] = 0;
    sq_derive_bwd(t->kernels, &t->model->layout, t->weights, t->transposed, summed(t));
    SQ_CHECK(t->kernels->max_abs(t->model->layout.floats, summed(t)) < LARGEST, error, SEQREC_E_NUMERIC,
             "step %lld: a gradient is not finite, or above %g; weights are unchanged", (long long)t->step + 1, (double)LARGEST);
    if (t->options.clip_norm > 0) {
        float *g = summed(t);
        for (int32_t p = 0; p < PIECES; p++) {
            size_t from = piece_start(t, p), n = piece_end(t, p) - from;
            *norm += (double)t->kernels->dot(n, g + from, g + from);
        }
        *norm += sq_step_user_norm(t);
        *norm = sqrt(*norm + sq_step_row_norm(t));
        SQ_CHECK(isfinite(*norm), error, SEQREC_E_NUMERIC, "step %lld: the norm of the gradient is not finite; weights are unchanged",
                 (long long)t->step + 1);
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
    sq_step_update_users(t, &rule);
    sq_parallel(t->context->pool, PIECES, commit_piece, &job);
    t->step++;
    rule.clip = 1;
    t->rules[t->step % SQ_RULES] = rule;
}

static int32_t has_weights(const sq_trainer *t)
{
    for (int64_t i = 0; i < t->items.live_count; i++)
        if (t->popularity[t->items.live[i]] > 0) return 1;
    return 0;
}

/* Without counts every weight is zero, and a uniform sampler in its place would be a silent change of the recipe. */
int32_t sq_trainer_check_sampler(const sq_trainer *t, int64_t items, int32_t counts_come, seqrec_error *error)
{
    const sq_sampler_kind *kind = sq_sampler_kind_at(t->options.sampler);
    int needed = kind->counts || (kind->from_batch && t->options.logq != SQ_LOGQ_NONE);
    if (!sq_trainer_samples(t)) return SEQREC_OK;
    SQ_CHECK(sq_trainer_draws(t) <= items, error, SEQREC_E_RANGE, "%s = %lld are more than the %lld items there are to draw from",
             t->options.hard_pool > 0 ? "hard_pool" : "negatives", (long long)sq_trainer_draws(t), (long long)items);
    SQ_CHECK(!needed || (counts_come && kind->trained) || has_weights(t), error, SEQREC_E_STATE,
             "sampler = %s needs %s: %s call seqrec_trainer_set_popularity", kind->name,
             kind->trained ? "training counts" : "weights", kind->trained ? "fit to a dataset or" : "first");
    SQ_CHECK(!kind->host || t->host_negatives, error, SEQREC_E_STATE,
             "sampler = host needs a function: call seqrec_trainer_set_negatives first");
    return SEQREC_OK;
}

int32_t sq_trainer_run(sq_trainer *t, seqrec_step_stats *stats, seqrec_error *error)
{
    double loss = 0, other = 0, norm = 0;
    SQ_CHECK(t->plan.target_count > 0, error, SEQREC_E_ARGUMENT, "no sequence of the batch has two events: nothing to train on");
    SQ_TRY(sq_trainer_check_sampler(t, t->items.live_count, 0, error));
    SQ_CHECK(t->options.schedule == SQ_SCHEDULE_CONSTANT || t->options.schedule_steps > 0, error, SEQREC_E_STATE,
             "schedule = %s on the host's batches needs schedule_steps: only a fit knows how many there will be",
             t->options.schedule == SQ_SCHEDULE_COSINE ? "cosine" : "linear");
    SQ_TRY(sq_trained_own_rows(&t->items, error));
    SQ_TRY(sq_trained_own_rows(&t->users, error));
    SQ_TRY(reserve(t, error));
    SQ_TRY(sq_step_buckets_reserve(t, error));
    sq_step_share(t);
    t->candidates = sq_trainer_candidates(t);
    t->dense = sq_step_is_dense(t);
    SQ_TRY(reserve_workers(t, error));
    SQ_TRY(sq_step_negatives(t, error));
    SQ_TRY(sq_step_users(t, error));
    sq_step_replay(t);
    sq_step_lengths(t);
    SQ_TRY(sq_step_table(t, error));
    sq_derive(t->kernels, &t->model->layout, t->weights);
    sq_network_transpose(t->kernels, &t->model->layout, &t->options, t->weights, t->transposed);
    if (sq_trainer_gates_twice(t)) {
        sq_step_gates(t, 1);
        sq_parallel(t->context->pool, SQ_GRADIENT_SLOTS, forward_slot, t);
        if (sq_trainer_at_batch(t)) sq_step_buckets(t, 0);
        other = total_loss(t);
    }
    sq_step_gates(t, 0);
    if (sq_trainer_at_batch(t)) {
        sq_parallel(t->context->pool, SQ_GRADIENT_SLOTS, forward_slot, t);
        sq_step_buckets(t, 1);
    }
    sq_parallel(t->context->pool, SQ_GRADIENT_SLOTS, run_slot, t);
    SQ_TRY(check(t, other, &loss, &norm, error));
    commit(t, norm);
    if (stats) {
        stats->step = t->step;
        stats->targets = t->plan.weighing;
        stats->loss = loss;
        stats->grad_norm = norm;
        sq_schedule schedule = sq_trainer_schedule(t);
        stats->learning_rate = sq_schedule_rate(&schedule, t->step);
    }
    return SEQREC_OK;
}
