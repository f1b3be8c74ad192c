/* train: working memory, user vectors and loss of one micro-batch. */
#include "tensor/length.h"
#include "train/trainer.h"
#include <string.h>

static size_t shared_width(const sq_trainer *t) { return sq_round16((size_t)t->options.negatives); }

/* Candidates' vectors are asked for and used a piece of the targets at a time, whose list of them stays in a second-level cache; with
 * shared negatives, where targets have none of their own, at once. */
enum { PIECE = 64 };
static size_t piece_of(const sq_trainer *t, size_t tokens) { return tokens < PIECE || sq_trainer_shares(t) ? tokens : PIECE; }

static size_t loss_floats(const sq_trainer *t, size_t tokens)
{
    if (sq_trainer_at_batch(t)) return 0;
    if (sq_trainer_is_full(t)) return sq_softmax_scratch((size_t)t->items.live_count, (size_t)t->model->layout.vp, (size_t)t->options.targets);
    if (sq_trainer_shares(t)) return tokens * shared_width(t);
    return sq_sampled_scratch((size_t)t->options.targets, (size_t)sq_trainer_draws(t));
}

void sq_step_scratch_take(sq_arena *arena, const sq_trainer *t, sq_step_scratch *out)
{
    size_t n = (size_t)t->plan.most_tokens, vp = (size_t)t->model->layout.vp, listed = piece_of(t, n) * t->candidates;
    const size_t draws = sq_round16(sq_step_run_draws(t) + (size_t)t->options.targets);
    int cosine = t->options.score == SQ_SCORE_COSINE, logq = t->options.logq != SQ_LOGQ_NONE;
    out->bits = SQ_TAKE(arena, uint64_t, (size_t)sq_trainer_slots(t) / 64 + 1);
    out->drawn = SQ_TAKE(arena, int32_t, draws);
    out->places = SQ_TAKE(arena, int32_t, draws);
    out->again = SQ_TAKE(arena, int32_t, draws);
    out->which = SQ_TAKE(arena, int32_t, draws);
    out->du = SQ_TAKE(arena, float, n * vp);
    out->unit = SQ_TAKE(arena, float, cosine ? n : 0);
    out->items = SQ_TAKE(arena, const float *, n);
    out->rows = SQ_TAKE(arena, const float *, listed);
    out->inverse_norm = SQ_TAKE(arena, float, cosine ? listed : 0);
    out->expected = SQ_TAKE(arena, float, logq ? listed : 0);
    out->own = SQ_TAKE(arena, int32_t, t->dense ? n * t->candidates : 0);
    out->coefficient = SQ_TAKE(arena, float, t->dense ? n * t->candidates : 0);
    out->target = SQ_TAKE(arena, int32_t, n * (size_t)t->options.targets);
    out->share = SQ_TAKE(arena, float, t->options.targets > 1 ? n * (size_t)t->options.targets : 0);
    out->loss = SQ_TAKE(arena, float, loss_floats(t, n));
    out->masked = SQ_TAKE(arena, uint8_t, sq_trainer_shares(t) ? n * shared_width(t) : 0);
    out->history = SQ_TAKE(arena, uint8_t, sq_trainer_shares(t) ? shared_width(t) : 0);
    out->starts = SQ_TAKE(arena, int32_t, n + 1);
    sq_step_input_take(arena, t, out);
}

/* ---- cosine: u becomes u / (|u| temperature) ---------------------------------------------------------------------- */

static float *vectors_of(const sq_trainer *t, const sq_micro *m)
{
    return t->u + (size_t)m->first_target * (size_t)t->model->layout.vp;
}

void sq_step_normalise(sq_trainer *t, const sq_micro *m, sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp;
    float temperature = sq_temperature(&t->model->layout, &t->options, t->weights), *u = vectors_of(t, m);
    if (t->options.score != SQ_SCORE_COSINE) return;
    for (size_t i = 0; i < (size_t)m->targets; i++) {
        float norm = sq_length(t->kernels, vp, u + i * vp);
        s->unit[i] = norm > 0 ? 1.0f / (norm * temperature) : 0;
        t->kernels->scale(vp, s->unit[i], u + i * vp, u + i * vp);
    }
}

/* unit * (du - v <v, du>), v = u of length one; the gradient of log(1 / temperature) is sum <u, du>. */
void sq_step_normalise_bwd(sq_trainer *t, const sq_micro *m, int32_t slot, sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp;
    float temperature = sq_temperature(&t->model->layout, &t->options, t->weights), *u = vectors_of(t, m), sum = 0;
    if (t->options.score != SQ_SCORE_COSINE) return;
    for (size_t i = 0; i < (size_t)m->targets; i++) {
        float along = t->kernels->dot(vp, u + i * vp, s->du + i * vp);
        sum += along;
        t->kernels->axpy(vp, -along * (temperature * temperature), u + i * vp, s->du + i * vp);
        t->kernels->scale(vp, s->unit[i], s->du + i * vp, s->du + i * vp);
    }
    if (t->options.temperature_learned)
        t->grads[(size_t)slot * t->model->layout.floats + t->model->layout.log_scale] += sum;
}

int32_t sq_step_temperature_held(const sq_trainer *t, const float *grads)
{
    if (!t->options.temperature_learned || sq_temperature(&t->model->layout, &t->options, t->weights) > (float)t->options.temperature_lowest) return 0;
    return grads[t->model->layout.log_scale] < 0;
}

/* ---- the losses --------------------------------------------------------------------------------------------------- */

/* The targets of a micro-batch as places in the table of all items. */
static void place_targets(const sq_trainer *t, const sq_micro *m, int32_t *out)
{
    const sq_plan *p = &t->plan;
    for (int64_t q = m->first_sequence; q < m->first_sequence + m->sequences; q++)
        for (int64_t i = p->target_starts[q]; i < p->target_starts[q + 1]; i++)
            for (int64_t at = 0; at < t->options.targets; at++) {
                int32_t slot = sq_plan_target(p, i, at, p->target_starts[q + 1]);
                *out++ = slot < 0 ? -1 : t->items.compact[slot];
            }
}

/* What they count for; NULL: there is one. */
static const float *shares_of(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s)
{
    const sq_plan *p = &t->plan;
    float *out = s->share;
    if (t->options.targets == 1) return NULL;
    for (int64_t q = m->first_sequence; q < m->first_sequence + m->sequences; q++)
        for (int64_t i = p->target_starts[q]; i < p->target_starts[q + 1]; i++)
            for (int64_t at = 0; at < t->options.targets; at++)
                *out++ = i + at < p->target_starts[q + 1] ? sq_plan_share(p, i, at) : 0;
    return s->share;
}

static double softmax_loss(sq_trainer *t, const sq_micro *m, int32_t slot, float *u, sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp;
    place_targets(t, m, s->target);
    sq_softmax o = {.kernels = t->kernels, .n = (size_t)m->targets, .width = vp, .d = (size_t)t->model->layout.vd};
    o.items = (size_t)t->items.live_count;
    o.smoothing = (float)t->options.label_smoothing;
    o.weight = t->plan.weights + m->first_target;
    o.u = u;
    o.target = s->target;
    o.rows = t->table;
    o.panels = t->panels;
    o.du = s->du;
    o.drows = t->dtable + (size_t)slot * t->table_rows * vp;
    o.scratch = s->loss;
    o.targets = (size_t)t->options.targets;
    o.share = shares_of(t, m, s);
    o.joint = t->options.target_form == SQ_TARGETS_JOINT;
    return sq_softmax_loss(&o);
}

static const int32_t *own_of(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s)
{
    return t->dense ? s->own : t->own + m->first_target * (int64_t)t->candidates;
}

/* Vectors of the candidates `slots` of n targets, and what depends on them one by one. */
static void candidate_rows(const sq_trainer *t, const int32_t *slots, size_t n, sq_step_scratch *s)
{
    size_t offset = sq_output_offset(t->items.catalogue);
    int cosine = t->options.score == SQ_SCORE_COSINE;
    for (size_t i = 0; i < n * t->candidates; i++) {
        s->rows[i] = slots[i] < 0 ? NULL : sq_trainer_row(t, slots[i]) + offset;
        if (cosine) s->inverse_norm[i] = slots[i] < 0 ? 0 : t->items.state[slots[i] / SQ_CHUNK_ROWS]->inverse_norm[slots[i] % SQ_CHUNK_ROWS];
    }
}

/* The same of a dense step, whose vectors are as scores take them. */
static void rows_of_table(const sq_trainer *t, const int32_t *own, size_t n, sq_step_scratch *s)
{
    const size_t width = (size_t)t->model->layout.vp, count = n * t->candidates;
    const float *table = t->table;
    for (size_t i = 0; i < count; i++) s->rows[i] = own[i] < 0 ? NULL : table + (size_t)own[i] * width;
}

/* `first` is the first of the n targets in the step. */
static void candidate_expected(const sq_trainer *t, const int32_t *own, int64_t first, size_t n, sq_step_scratch *s)
{
    int64_t c = (int64_t)t->candidates, targets = t->options.targets;
    if (t->options.logq == SQ_LOGQ_NONE) return;
    for (int64_t i = 0; i < (int64_t)n; i++)
        for (int64_t j = 0; j < c; j++) {
            const int32_t target = j < targets, at = own[i * c + j], slot = t->dense && at >= 0 ? t->items.live[at] : at;
            s->expected[i * c + j] = target && !t->log_expected ? 0 : sq_step_expected(t, slot, first + i, target ? 0 : j - targets);
            if (!target && t->redraws) s->expected[i * c + j] += t->redrawn[first + i];
        }
}

/* Shared negatives that no target of a sequence may have: with seen = exclude_history its items. */
static void mask_history(const sq_trainer *t, int64_t sequence, const int32_t *negatives, uint64_t *bits, uint8_t *masked)
{
    const sq_plan *p = &t->plan;
    size_t live = (size_t)t->options.negatives;
    memset(masked, 0, live);
    if (t->options.seen != SQ_SEEN_EXCLUDE_HISTORY) return;
    for (int64_t i = p->seen_starts[sequence]; i < p->seen_ends[sequence]; i++)
        bits[p->seen[i] / 64] |= (uint64_t)1 << (p->seen[i] % 64);
    for (size_t j = 0; j < live; j++) masked[j] = (uint8_t)(bits[negatives[j] / 64] >> (negatives[j] % 64) & 1);
    for (int64_t i = p->seen_starts[sequence]; i < p->seen_ends[sequence]; i++) bits[p->seen[i] / 64] = 0;
}

/* And those that a target must not have: itself and its like. */
static void mask_shared(const sq_trainer *t, const sq_micro *m, sq_step_scratch *s)
{
    const sq_plan *p = &t->plan;
    const int32_t *negatives = t->entries.slots + sq_trainer_own_end(t);
    size_t k = shared_width(t), live = (size_t)t->options.negatives, c = t->candidates;
    const int own = sq_trainer_excludes_targets(t);
    for (int64_t q = m->first_sequence; q < m->first_sequence + m->sequences; q++) {
        mask_history(t, q, negatives, s->bits, s->history);
        for (int64_t i = p->target_starts[q]; i < p->target_starts[q + 1]; i++) {
            const int32_t *targets = t->own + i * (int64_t)c;
            uint8_t *masked = s->masked + (size_t)(i - m->first_target) * k;
            memcpy(masked, s->history, live);
            for (size_t a = 0; a < c && own; a++)
                for (size_t j = 0; j < live; j++) masked[j] |= negatives[j] == targets[a];
        }
    }
}

static double shared_loss(sq_trainer *t, const sq_micro *m, int32_t slot, const sq_sampled *o, sq_step_scratch *s)
{
    size_t vp = (size_t)t->model->layout.vp;
    mask_shared(t, m, s);
    sq_shared shared = {.negatives = t->table, .transposed = t->panels, .k = shared_width(t)};
    shared.live = (size_t)t->options.negatives;
    shared.masked = s->masked;
    shared.log_expected = t->options.logq == SQ_LOGQ_NONE ? NULL : t->log_draws;
    shared.dnegatives = t->dtable + (size_t)slot * t->table_rows * vp;
    shared.logits = s->loss;
    return sq_shared_negatives(o, &shared);
}

/* gBCE, eq. 14: beta = alpha (t (1 - 1 / alpha) + 1 / alpha), alpha = k / (V - 1). */
static double calibrated(const sq_trainer *t)
{
    double alpha = (double)t->options.negatives / (double)(t->items.live_count > 1 ? t->items.live_count - 1 : 1);
    return t->options.calibration * (alpha - 1) + 1;
}

sq_loss_rule sq_step_rule(const sq_trainer *t)
{
    const sq_options *o = &t->options;
    sq_loss_rule rule = {.kernels = t->kernels, .beta = calibrated(t), .corrects = (int32_t)o->logq};
    rule.smoothing = (float)o->label_smoothing;
    rule.penalty = (float)o->score_penalty;
    rule.joint = o->target_form == SQ_TARGETS_JOINT;
    return rule;
}

/* Adds what a micro-batch's candidates add to their rows to the slot's table: behind all of its scores, since a second-level cache holds
 * this table or the one that they are read from. */
static void spread(sq_trainer *t, const sq_micro *m, int32_t slot, const sq_step_scratch *s)
{
    const size_t width = (size_t)t->model->layout.vp, c = t->candidates;
    const float *u = vectors_of(t, m);
    float *table = t->dtable + (size_t)slot * t->table_rows * width;
    for (size_t i = 0; i < (size_t)m->targets; i++)
        t->kernels->spread_axpy(c, width, s->coefficient + i * c, u + i * width, s->own + i * c, table);
}

/* Of n targets of a micro-batch, from `first` of it on; added to sum. */
static double piece_loss(sq_trainer *t, const sq_micro *m, int32_t slot, size_t first, size_t n, double sum, sq_step_scratch *s)
{
    const size_t width = (size_t)t->model->layout.vp, at = (size_t)m->first_target + first;
    sq_loss_rule rule = sq_step_rule(t);
    sq_sampled o = {.rule = &rule, .loss = sq_loss_kind_at(t->options.loss)->scores, .n = n, .width = width, .sum = sum};
    const int32_t *own = own_of(t, m, s) + first * t->candidates;
    (t->dense ? rows_of_table : candidate_rows)(t, own, n, s);
    candidate_expected(t, own, (int64_t)at, n, s);
    o.m = (size_t)t->options.targets;
    o.k = t->candidates - o.m;
    o.weight = t->plan.weights + at;
    if (o.m > 1) o.share = s->share + first * o.m;
    o.u = t->u + at * width;
    o.rows = s->rows;
    o.coefficient = sq_step_coefficients(t, m, s) + first * t->candidates;
    o.du = s->du + first * width;
    o.scratch = s->loss;
    if (t->options.hard_pool) o.hardest = (size_t)t->options.negatives;
    if (t->options.score == SQ_SCORE_COSINE && !t->dense) o.inverse_norm = s->inverse_norm;
    if (s->bias) o.bias = s->bias + first, o.dbias = s->dbias + first;
    if (t->options.logq != SQ_LOGQ_NONE) o.log_expected = s->expected;
    return sq_trainer_shares(t) ? shared_loss(t, m, slot, &o, s) : sq_sampled_loss(&o);
}

static double sampled_loss(sq_trainer *t, const sq_micro *m, int32_t slot, sq_step_scratch *s)
{
    const size_t targets = (size_t)m->targets, piece = piece_of(t, targets);
    double sum = 0;
    (void)shares_of(t, m, s);
    if (t->dense) sq_step_draw(t, m, slot, s);
    for (size_t first = 0; first < targets; first += piece)
        sum = piece_loss(t, m, slot, first, targets - first < piece ? targets - first : piece, sum, s);
    if (t->dense) spread(t, m, slot, s);
    return sum;
}

double sq_step_loss(sq_trainer *t, const sq_micro *m, int32_t slot, sq_step_scratch *s)
{
    float *u = vectors_of(t, m);
    return sq_trainer_is_full(t) ? softmax_loss(t, m, slot, u, s) : sampled_loss(t, m, slot, s);
}

/* ---- output vectors in one piece ------------------------------------------------------------------------------------ */

void sq_step_output_row(const sq_trainer *t, int32_t slot, float *to)
{
    size_t vp = (size_t)t->model->layout.vp;
    const float *from = sq_trainer_row(t, slot) + sq_output_offset(t->items.catalogue);
    if (t->options.score == SQ_SCORE_COSINE) {
        t->kernels->scale(vp, sq_inverse_length(t->kernels, vp, from), from, to);
        return;
    }
    memcpy(to, from, vp * sizeof *to);
}

void sq_step_output_panel(const sq_trainer *t, size_t panel, float *rows, float *panels)
{
    const size_t vp = (size_t)t->model->layout.vp, items = (size_t)t->items.live_count, end = (panel + 1) * SQ_SOFTMAX_PANEL;
    size_t r = panel * SQ_SOFTMAX_PANEL;
    for (; r < end && r < items; r++) sq_step_output_row(t, t->items.live[r], rows + r * vp);
    memset(rows + r * vp, 0, (end - r) * vp * sizeof *rows);
    sq_softmax_panel(t->kernels, rows, vp, (size_t)t->model->layout.vd, panel, panels);
}

static void table_panel(void *arg, int32_t panel, int32_t worker)
{
    sq_trainer *t = arg;
    (void)worker;
    sq_step_output_panel(t, (size_t)panel, t->table, t->panels);
}

/* table [rows][vp], its transpose where products need it, and the gradient slots. */
static int32_t reserve_table(sq_trainer *t, size_t rows, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    const size_t floats = rows * (size_t)t->model->layout.vp, transposed = t->dense ? 0 : floats;
    if (t->table && t->table_rows == rows && sq_block_bytes(t->panels) >= transposed * sizeof *t->panels) return SEQREC_OK;
    float *table = sq_alloc_zero(memory, floats, sizeof *table);
    float *panels = sq_alloc_zero(memory, transposed, sizeof *panels);
    float *dtable = sq_alloc_zero(memory, floats * SQ_GRADIENT_SLOTS, sizeof *dtable);
    if (!table || !panels || !dtable) {
        sq_free(memory, table);
        sq_free(memory, panels);
        sq_free(memory, dtable);
        return sq_fail(error, SEQREC_E_MEMORY, "no memory for the output vectors of %zu items", rows);
    }
    sq_free(memory, t->table);
    sq_free(memory, t->panels);
    sq_free(memory, t->dtable);
    t->table = table;
    t->panels = panels;
    t->dtable = dtable;
    t->table_rows = rows;
    return SEQREC_OK;
}

/* Log of the expected draws of each shared negative; the host's own are there already. */
static int32_t shared_expected(sq_trainer *t, const int32_t *negatives, seqrec_error *error)
{
    if (!t->log_expected) return SEQREC_OK;
    SQ_TRY(SQ_GROW(&t->context->memory, t->log_draws, 0, t->options.negatives, error));
    for (int64_t j = 0; j < t->options.negatives; j++) t->log_draws[j] = t->log_expected[negatives[j]];
    return SEQREC_OK;
}

static int32_t shared_table(sq_trainer *t, seqrec_error *error)
{
    size_t vp = (size_t)t->model->layout.vp, k = shared_width(t);
    const int32_t *negatives = t->entries.slots + sq_trainer_own_end(t);
    SQ_TRY(reserve_table(t, k, error));
    SQ_TRY(shared_expected(t, negatives, error));
    for (int64_t j = 0; j < t->options.negatives; j++)
        sq_step_output_row(t, negatives[j], t->table + (size_t)j * (size_t)t->model->layout.vp);
    t->kernels->transpose(k, vp, t->table, vp, t->panels, k);
    return SEQREC_OK;
}

static int32_t dense_table(sq_trainer *t, seqrec_error *error)
{
    const size_t vp = (size_t)t->model->layout.vp, rows = (size_t)t->items.live_count;
    SQ_TRY(reserve_table(t, rows, error));
    for (size_t r = 0; r < rows; r++) sq_step_output_row(t, t->items.live[r], t->table + r * vp);
    return SEQREC_OK;
}

int32_t sq_step_table(sq_trainer *t, seqrec_error *error)
{
    if (sq_trainer_shares(t)) return shared_table(t, error);
    if (t->dense) return dense_table(t, error);
    if (!sq_trainer_is_full(t)) return SEQREC_OK;
    size_t rows = sq_softmax_padded((size_t)t->items.live_count);
    SQ_TRY(reserve_table(t, rows, error));
    sq_parallel(t->context->pool, (int32_t)(rows / SQ_SOFTMAX_PANEL), table_panel, t);
    return SEQREC_OK;
}
