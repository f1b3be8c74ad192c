/* train: working memory, user vectors and loss of one micro-batch. */
#include "train/trainer.h"
#include <math.h>
#include <string.h>

static size_t shared_width(const sq_trainer *t) { return ((size_t)t->options.negatives + 15) / 16 * 16; }

static size_t loss_floats(const sq_trainer *t, size_t tokens)
{
    size_t dp = (size_t)t->model->layout.dp;
    if (t->options.loss == SQ_LOSS_SOFTMAX) return sq_softmax_scratch((size_t)t->live_count, dp);
    return sq_trainer_shares(t) ? tokens * shared_width(t) : 0;
}

void sq_step_scratch_take(sq_arena *arena, const sq_trainer *t, sq_step_scratch *out)
{
    size_t n = (size_t)t->plan.most_tokens, dp = (size_t)t->model->layout.dp, c = t->candidates ? t->candidates : 1;
    int cosine = t->options.score == SQ_SCORE_COSINE;
    out->bits = SQ_TAKE(arena, uint64_t, (size_t)sq_trainer_slots(t) / 64 + 1);
    out->states = SQ_TAKE(arena, float, n * dp);
    out->dstates = SQ_TAKE(arena, float, n * dp);
    out->chosen = SQ_TAKE(arena, float, n * dp);
    out->du = SQ_TAKE(arena, float, n * dp);
    out->unit = SQ_TAKE(arena, float, cosine ? n : 0);
    out->items = SQ_TAKE(arena, const float *, n);
    out->rows = SQ_TAKE(arena, const float *, n * c);
    out->inverse_norm = SQ_TAKE(arena, float, cosine ? n * c : 0);
    out->target = SQ_TAKE(arena, int32_t, n);
    out->loss = SQ_TAKE(arena, float, loss_floats(t, n));
    out->masked = SQ_TAKE(arena, uint8_t, sq_trainer_shares(t) ? n * shared_width(t) : 0);
    out->starts = SQ_TAKE(arena, int32_t, n + 1);
    sq_workspace_take(arena, &t->model->layout, &t->options, (int32_t)n, (int32_t)t->plan.longest, 1, &out->work);
}

/* ---- cosine: u becomes u / (|u| temperature) ---------------------------------------------------------------------- */

static void normalise_users(const sq_trainer *t, size_t n, float *u, float *unit)
{
    size_t dp = (size_t)t->model->layout.dp;
    for (size_t i = 0; i < n; i++) {
        float norm = sqrtf(t->kernels->dot(dp, u + i * dp, u + i * dp));
        unit[i] = norm > 0 ? 1.0f / (norm * (float)t->options.temperature) : 0;
        t->kernels->scale(dp, unit[i], u + i * dp, u + i * dp);
    }
}

/* du of the normalised vector becomes that of the vector: unit * (du - v <v, du>), v = u of length one. */
static void normalise_users_bwd(const sq_trainer *t, size_t n, const float *u, const float *unit, float *du)
{
    size_t dp = (size_t)t->model->layout.dp;
    float square = (float)(t->options.temperature * t->options.temperature);
    for (size_t i = 0; i < n; i++) {
        float along = t->kernels->dot(dp, u + i * dp, du + i * dp) * square;
        t->kernels->axpy(dp, -along, u + i * dp, du + i * dp);
        t->kernels->scale(dp, unit[i], du + i * dp, du + i * dp);
    }
}

/* ---- the losses --------------------------------------------------------------------------------------------------- */

static double softmax_loss(sq_trainer *t, const sq_micro *m, int32_t slot, float *u, sq_step_scratch *s)
{
    size_t dp = (size_t)t->model->layout.dp;
    for (int32_t i = 0; i < m->targets; i++) s->target[i] = t->compact[t->plan.targets[m->first_target + i]];
    sq_softmax o = {.kernels = t->kernels, .n = (size_t)m->targets, .width = dp, .d = (size_t)t->model->layout.d};
    o.items = (size_t)t->live_count;
    o.weight = 1.0f / (float)t->plan.target_count;
    o.u = u;
    o.target = s->target;
    o.rows = t->table;
    o.panels = t->panels;
    o.du = s->du;
    o.drows = t->dtable + (size_t)slot * t->table_rows * dp;
    o.scratch = s->loss;
    return sq_softmax_loss(&o);
}

static void candidate_rows(const sq_trainer *t, const sq_micro *m, sq_step_scratch *s)
{
    size_t c = t->candidates, count = (size_t)m->targets * c, dp = (size_t)t->model->layout.dp;
    const int32_t *slots = t->entries.slots + t->plan.tokens + m->first_target * (int64_t)c;
    size_t offset = sq_output_offset(t->catalogue);
    for (size_t i = 0; i < count; i++) {
        s->rows[i] = slots[i] < 0 ? NULL : sq_trainer_row(t, slots[i]) + offset;
        if (t->options.score != SQ_SCORE_COSINE) continue;
        float norm = s->rows[i] ? sqrtf(t->kernels->dot(dp, s->rows[i], s->rows[i])) : 0;
        s->inverse_norm[i] = norm > 0 ? 1.0f / norm : 0;
    }
}

/* Shared negatives that a token must not have: its target, and with seen = exclude_history its sequence's items. */
static void mask_shared(const sq_trainer *t, const sq_micro *m, sq_step_scratch *s)
{
    const sq_plan *p = &t->plan;
    const int32_t *negatives = t->entries.slots + p->tokens + p->target_count;
    size_t k = shared_width(t), live = (size_t)t->options.negatives;
    int history = t->options.seen == SQ_SEEN_EXCLUDE_HISTORY;
    int target = t->options.seen != SQ_SEEN_KEEP || t->options.loss != SQ_LOSS_BCE;
    for (int64_t q = m->first_sequence; q < m->first_sequence + m->sequences; q++) {
        for (int64_t i = p->seen_starts[q]; history && i < p->seen_starts[q + 1]; i++)
            s->bits[p->seen[i] / 64] |= (uint64_t)1 << (p->seen[i] % 64);
        for (int64_t i = p->target_starts[q]; i < p->target_starts[q + 1]; i++) {
            uint8_t *masked = s->masked + (size_t)(i - m->first_target) * k;
            for (size_t j = 0; j < live; j++)
                masked[j] = (target && negatives[j] == p->targets[i]) |
                            (uint8_t)(s->bits[negatives[j] / 64] >> (negatives[j] % 64) & 1);
        }
        for (int64_t i = p->seen_starts[q]; history && i < p->seen_starts[q + 1]; i++) s->bits[p->seen[i] / 64] = 0;
    }
}

static double shared_loss(sq_trainer *t, const sq_micro *m, int32_t slot, const sq_sampled *o, sq_step_scratch *s)
{
    size_t dp = (size_t)t->model->layout.dp;
    mask_shared(t, m, s);
    sq_shared shared = {.negatives = t->table, .transposed = t->panels, .k = shared_width(t)};
    shared.live = (size_t)t->options.negatives;
    shared.masked = s->masked;
    shared.dnegatives = t->dtable + (size_t)slot * t->table_rows * dp;
    shared.logits = s->loss;
    shared.bce = t->options.loss == SQ_LOSS_BCE;
    return sq_shared_negatives(o, &shared);
}

static double sampled_loss(sq_trainer *t, const sq_micro *m, int32_t slot, float *u, sq_step_scratch *s)
{
    candidate_rows(t, m, s);
    sq_sampled o = {.kernels = t->kernels, .n = (size_t)m->targets, .k = t->candidates - 1};
    o.width = (size_t)t->model->layout.dp;
    o.weight = 1.0f / (float)t->plan.target_count;
    o.u = u;
    o.rows = s->rows;
    o.coefficient = t->coefficient + (size_t)m->first_target * t->candidates;
    o.du = s->du;
    if (t->options.score == SQ_SCORE_COSINE) o.inverse_norm = s->inverse_norm;
    if (sq_trainer_shares(t)) return shared_loss(t, m, slot, &o, s);
    return t->options.loss == SQ_LOSS_BCE ? sq_bce(&o) : sq_sampled_softmax(&o);
}

double sq_step_loss(sq_trainer *t, const sq_micro *m, int32_t slot, sq_step_scratch *s)
{
    float *u = t->u + (size_t)m->first_target * (size_t)t->model->layout.dp;
    int cosine = t->options.score == SQ_SCORE_COSINE;
    if (cosine) normalise_users(t, (size_t)m->targets, u, s->unit);
    double loss = t->options.loss == SQ_LOSS_SOFTMAX ? softmax_loss(t, m, slot, u, s) : sampled_loss(t, m, slot, u, s);
    if (cosine) normalise_users_bwd(t, (size_t)m->targets, u, s->unit, s->du);
    return loss;
}

/* ---- output vectors in one piece ------------------------------------------------------------------------------------ */

static void table_row(sq_trainer *t, size_t row, int32_t slot)
{
    size_t dp = (size_t)t->model->layout.dp;
    float *to = t->table + row * dp;
    const float *from = sq_trainer_row(t, slot) + sq_output_offset(t->catalogue);
    if (t->options.score == SQ_SCORE_COSINE) {
        float norm = sqrtf(t->kernels->dot(dp, from, from));
        t->kernels->scale(dp, norm > 0 ? 1.0f / norm : 0, from, to);
        return;
    }
    memcpy(to, from, dp * sizeof *to);
}

static void table_panel(void *arg, int32_t panel, int32_t worker)
{
    sq_trainer *t = arg;
    size_t first = (size_t)panel * 64, dp = (size_t)t->model->layout.dp;
    (void)worker;
    for (size_t r = first; r < first + 64 && r < (size_t)t->live_count; r++) table_row(t, r, t->live[r]);
    sq_softmax_panel(t->kernels, t->table, dp, (size_t)t->model->layout.d, (size_t)panel, t->panels);
}

/* table [rows][dp], its transpose, and the gradient slots. */
static int32_t reserve_table(sq_trainer *t, size_t rows, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t floats = rows * (size_t)t->model->layout.dp;
    if (t->table && t->table_rows == rows) return SEQREC_OK;
    float *table = sq_alloc_zero(memory, floats, sizeof *table);
    float *panels = sq_alloc_zero(memory, floats, sizeof *panels);
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

int32_t sq_step_table(sq_trainer *t, seqrec_error *error)
{
    size_t dp = (size_t)t->model->layout.dp, k = shared_width(t);
    if (t->options.loss == SQ_LOSS_SOFTMAX) {
        size_t rows = ((size_t)t->live_count + 63) / 64 * 64;
        SQ_TRY(reserve_table(t, rows, error));
        sq_parallel(t->context->pool, (int32_t)(rows / 64), table_panel, t);
    } else if (sq_trainer_shares(t)) {
        SQ_TRY(reserve_table(t, k, error));
        const int32_t *negatives = t->entries.slots + t->plan.tokens + t->plan.target_count;
        for (int64_t j = 0; j < t->options.negatives; j++) table_row(t, (size_t)j, negatives[j]);
        t->kernels->transpose(k, dp, t->table, dp, t->panels, k);
    }
    return SEQREC_OK;
}
