/* train: what stands between a micro-batch's events and the network's tokens: the embedding with its users, the part of the
 * output that scores items, and both ways back. */
#include "train/trainer.h"
#include <string.h>

static int32_t prefixed(const sq_trainer *t) { return t->options.user_embedding == SQ_USER_PREFIX; }

/* Whether the network's output is the user vectors as it is. */
static int32_t is_plain(const sq_trainer *t)
{
    const sq_options *o = &t->options;
    return !o->item_bias && (o->user_embedding == SQ_USER_NONE || o->user_embedding == SQ_USER_ADDED);
}

void sq_step_input_take(sq_arena *arena, const sq_trainer *t, sq_step_scratch *out)
{
    const sq_layout *l = &t->model->layout;
    size_t n = (size_t)t->plan.most_tokens, tokens = prefixed(t) ? 2 * n : n; /* a sequence has at least one event */
    size_t states = tokens * (size_t)l->dp, joined = is_plain(t) ? 0 : states, bias = l->d > l->part ? n : 0;
    size_t dated = prefixed(t) && l->dated ? tokens : 0;
    out->times = SQ_TAKE(arena, int64_t, dated);
    out->asks = SQ_TAKE(arena, int64_t, dated);
    out->direct = is_plain(t) && !l->transform && t->options.objective == SQ_OBJECTIVE_NEXT;
    out->states = out->direct ? NULL : SQ_TAKE(arena, float, states);
    out->dstates = out->direct ? NULL : SQ_TAKE(arena, float, states);
    out->chosen = SQ_TAKE(arena, float, t->options.objective != SQ_OBJECTIVE_NEXT ? n * (size_t)l->dp : 0);
    out->out = joined ? SQ_TAKE(arena, float, joined) : NULL;
    out->dout = joined ? SQ_TAKE(arena, float, joined) : NULL;
    out->bias = bias ? SQ_TAKE(arena, float, bias) : NULL;
    out->dbias = bias ? SQ_TAKE(arena, float, bias) : NULL;
    sq_workspace_take(arena, l, &t->options, (int32_t)tokens, (int32_t)t->plan.longest + prefixed(t), 1, &out->work);
}

/* ---- input ---------------------------------------------------------------------------------------------------------- */

static const float *user_of(const sq_trainer *t, int64_t sequence)
{
    int32_t slot = t->plan.users[sequence];
    return slot >= 0 ? sq_trained_row(&t->users, slot) : t->weights + t->model->layout.user_default;
}

/* Events of sequence i of the micro-batch, the first of them there. */
static int32_t events_of(const sq_trainer *t, const sq_micro *m, int32_t i, int32_t *first)
{
    const int64_t *starts = t->plan.starts + m->first_sequence;
    *first = (int32_t)(starts[i] - m->first_token);
    return (int32_t)(starts[i + 1] - starts[i]);
}

/* The times of the tokens; a token of a user has that of its first event. */
static void step_times(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s, sq_micro_batch *batch)
{
    const sq_plan *p = &t->plan;
    const int64_t *asks = t->options.time_request ? p->asks : p->times;
    int32_t first;
    if (!t->model->layout.dated) return;
    batch->times = p->times + m->first_token;
    batch->asks = asks + m->first_token;
    for (int32_t i = 0, to = 0; i < m->sequences && prefixed(t); i++) {
        int32_t n = events_of(t, m, i, &first);
        for (int32_t k = 0; k <= n; k++, to++) {
            int64_t from = m->first_token + first + (k ? k - 1 : 0);
            s->times[to] = p->times[from];
            s->asks[to] = k ? asks[from] : p->times[from];
        }
        batch->times = s->times;
        batch->asks = s->asks;
    }
}

/* The times at which the events of sequence i stand, for a calendar. */
static const int64_t *dates_of(const sq_trainer *t, const sq_micro *m, const sq_step_scratch *s, int32_t i)
{
    if (!t->options.calendar) return NULL;
    if (prefixed(t)) return s->asks + s->starts[i] + 1;
    return (t->options.time_request ? t->plan.asks : t->plan.times) + m->first_token + s->starts[i];
}

sq_micro_batch sq_step_embed(sq_trainer *t, const sq_micro *m, sq_embedding *e, sq_step_scratch *s)
{
    const sq_plan *p = &t->plan;
    int32_t extra = prefixed(t), first;
    sq_micro_batch batch = {.tokens = m->tokens + extra * m->sequences,
                            .sequences = m->sequences,
                            .longest = m->longest + extra,
                            .starts = s->starts,
                            .first = m->first_token + extra * (int64_t)m->first_sequence,
                            .newest = sq_network_newest(&t->model->layout, &t->options),
                            .first_sequence = m->first_sequence};
    for (int32_t i = 0; i < m->tokens; i++) {
        int32_t slot = p->inputs[m->first_token + i];
        s->items[i] = slot < 0 ? t->weights + t->model->layout.mask : sq_trainer_row(t, slot);
    }
    s->starts[m->sequences] = batch.tokens;
    step_times(t, m, s, &batch);
    for (int32_t i = 0; i < m->sequences; i++) {
        int32_t n = events_of(t, m, i, &first);
        s->starts[i] = first + extra * i;
        if (e->place != SQ_EMBED_PLAIN) e->user = user_of(t, m->first_sequence + i);
        e->dates = dates_of(t, m, s, i);
        sq_embedding_saved saved = sq_embedding_saved_at(e, &s->work.embedded, s->starts[i]);
        sq_embed_fwd(e, s->items + first, n, (uint64_t)(batch.first + s->starts[i]), &saved,
                     s->work.x[0] + (size_t)s->starts[i] * e->width);
    }
    return batch;
}

/* ---- output --------------------------------------------------------------------------------------------------------- */

/* Targets of sequence i of the micro-batch, the first of them there. Their rows of the network's output follow each other:
 * behind a token of its user, or chosen from its events. */
static int32_t targets_of(const sq_trainer *t, const sq_micro *m, int32_t i, int32_t *first)
{
    const int64_t *starts = t->plan.target_starts + m->first_sequence;
    *first = (int32_t)(starts[i] - m->first_target);
    return (int32_t)(starts[i + 1] - starts[i]);
}

/* Score of SSE-PT: <h, [E[i]; user_scale * U]> = <u, E[i]> + bias, u = the first floats of h. */
void sq_step_split(const sq_trainer *t, const sq_micro *m, const sq_embedding *e, sq_step_scratch *s, float *u)
{
    const sq_layout *l = &t->model->layout;
    size_t dp = (size_t)l->dp, part = (size_t)l->part, vp = (size_t)l->vp;
    int32_t first;
    for (int32_t i = 0; i < m->sequences; i++) {
        int32_t n = targets_of(t, m, i, &first);
        const float *user = s->bias ? user_of(t, m->first_sequence + i) : NULL;
        for (int32_t k = 0; k < n; k++) {
            const float *h = s->out + (size_t)(first + k + prefixed(t) * (i + 1)) * dp;
            float sum = 0;
            sq_layout_item_part(l, h, u + (size_t)(first + k) * vp);
            for (size_t j = 0; user && j < e->user_width; j++) sum += h[part + j] * user[j];
            if (user) s->bias[first + k] = e->user_scale * sum;
            if (user) s->dbias[first + k] = 0; /* a loss over the whole catalogue leaves it alone */
        }
    }
}

/* dout of one sequence from du and dbias; its user's share of the score to duser (+=). */
static void join_sequence(const sq_trainer *t, const sq_micro *m, const sq_embedding *e, sq_step_scratch *s, int32_t i,
                          float *duser)
{
    const sq_layout *l = &t->model->layout;
    size_t dp = (size_t)l->dp, part = (size_t)l->part;
    const float *user = s->bias ? user_of(t, m->first_sequence + i) : NULL;
    int32_t first, n = targets_of(t, m, i, &first);
    size_t at = (size_t)(first + prefixed(t) * i);
    memset(s->dout + at * dp, 0, (size_t)(n + prefixed(t)) * dp * sizeof *s->dout);
    at += (size_t)prefixed(t);
    for (int32_t k = 0; k < n; k++) {
        const float *h = s->out + (at + (size_t)k) * dp + part;
        float *to = s->dout + (at + (size_t)k) * dp;
        memcpy(to, s->du + (size_t)(first + k) * (size_t)l->vp, part * sizeof *to);
        float g = user ? s->dbias[first + k] * e->user_scale : 0;
        for (size_t j = 0; user && j < e->user_width; j++) {
            to[part + j] = g * user[j];
            duser[j] += g * h[j];
        }
    }
}

void sq_step_join(sq_trainer *t, const sq_micro *m, const sq_embedding *e, sq_step_scratch *s)
{
    size_t up = (size_t)t->model->layout.up, sequences = (size_t)m->sequences;
    float *duser = sq_trainer_personal(t) ? t->duser + (size_t)m->first_sequence * up : NULL;
    if (duser) memset(duser, 0, sequences * up * sizeof *duser);
    for (size_t i = 0; i < sequences; i++) join_sequence(t, m, e, s, (int32_t)i, duser ? duser + i * up : NULL);
}

/* ---- the way back through the input --------------------------------------------------------------------------------- */

/* Gradient of the items' part of the sums; the rows of a window lie one behind the other. */
static void keep_items(const sq_trainer *t, const sq_embedding *e, int32_t n, const float *d, float *dx)
{
    const sq_layout *l = &t->model->layout;
    size_t vp = (size_t)l->vp, part = (size_t)l->part;
    if (l->d == l->vd && !l->bias) {
        if (dx != d) memcpy(dx, d, (size_t)n * vp * sizeof *dx);
        return;
    }
    for (size_t k = 0; k < (size_t)n; k++, dx += vp, d += e->width) {
        memcpy(dx, d, part * sizeof *dx);
        memset(dx + part, 0, (vp - part) * sizeof *dx);
    }
}

/* The user's gradient: its part of the input and, where sq_step_join left it, of the score. */
static void keep_user(sq_trainer *t, const sq_embedding *e, int64_t sequence, int32_t n, const float *d, float *grads)
{
    float input[SQ_MOST_DIM + 16], *duser = t->duser + (size_t)sequence * (size_t)t->model->layout.up;
    size_t up = (size_t)t->model->layout.up;
    sq_embed_user_bwd(e, n, d, input);
    if (is_plain(t))
        memcpy(duser, input, up * sizeof *duser);
    else
        t->kernels->add(up, input, duser);
    if (t->plan.users[sequence] < 0) t->kernels->add(up, duser, grads + t->model->layout.user_default);
}

void sq_step_embed_bwd(sq_trainer *t, const sq_micro *m, sq_embedding *e, sq_step_scratch *s, float *grads)
{
    sq_embedding_grads g = sq_embedding_grads_of(t->model, grads);
    int32_t first;
    for (int32_t i = 0; i < m->sequences; i++) {
        int32_t n = events_of(t, m, i, &first);
        int64_t sequence = m->first_sequence + i;
        float *d = s->dstates + (size_t)s->starts[i] * e->width;
        sq_embedding_saved saved = sq_embedding_saved_at(e, &s->work.embedded, s->starts[i]);
        uint64_t mask = (uint64_t)(m->first_token + (prefixed(t) ? m->first_sequence : 0) + s->starts[i]);
        e->dates = dates_of(t, m, s, i);
        sq_embed_bwd(e, n, mask, &saved, d, &g);
        if (e->place != SQ_EMBED_PLAIN) keep_user(t, e, sequence, n, d, grads);
        keep_items(t, e, n, d + (size_t)sq_embed_first(e) * e->width,
                   t->dx + (size_t)(m->first_token + first) * (size_t)t->model->layout.vp);
    }
    for (int32_t i = 0; i < m->tokens; i++)
        if (t->plan.inputs[m->first_token + i] < 0)
            t->kernels->axpy(e->width, e->scale, s->dstates + (size_t)i * e->width, grads + t->model->layout.mask);
}
