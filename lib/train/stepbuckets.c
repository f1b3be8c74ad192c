/* train: a loss of batch scope: the user vectors of all targets are there; buckets of them and of items give the loss,
 * the gradient of each user vector, and the item rows' entries. */
#include "tensor/length.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* As many buckets as each takes outputs, so that an output is in four on average. */
static size_t or_derived(int64_t option, size_t n)
{
    if (option > 0) return (size_t)option;
    size_t root = (size_t)(2 * sqrt((double)n));
    return root > 0 ? root : 1;
}

/* The shape for n targets, which does not shrink as n grows. */
static void shape(sq_trainer *t, size_t n)
{
    sq_buckets *b = &t->buckets;
    size_t live = (size_t)t->items.live_count, outputs = or_derived(t->options.sce_bucket_outputs, n);
    b->count = or_derived(t->options.sce_buckets, n);
    b->padded = sq_round16(b->count);
    b->parts = t->workers < SQ_GRADIENT_SLOTS ? (size_t)t->workers : SQ_GRADIENT_SLOTS;
    b->outputs.most = outputs < n ? outputs : n;
    b->items.most = (size_t)t->options.sce_bucket_items < live ? (size_t)t->options.sce_bucket_items : live;
}

static sq_bucket_choice take_choice(sq_arena *arena, size_t count, size_t most)
{
    sq_bucket_choice c = {.most = most};
    c.at = SQ_TAKE(arena, int32_t, count * most);
    c.found = SQ_TAKE(arena, int32_t, count);
    return c;
}

/* All arrays for n targets, in the shape for them. */
static void take(sq_arena *arena, sq_trainer *t, size_t n)
{
    sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp, mixes = t->options.sce_mix ? 1 : 0, most = b->outputs.most;
    size_t heap = sq_step_bucket_heap(t, n, b->outputs.most),
           other = sq_step_bucket_heap(t, (size_t)sq_trainer_slots(t), b->items.most);
    if (heap < other) heap = other;
    if (most < b->items.most) most = b->items.most;
    size_t best = b->count * most < vp ? vp : b->count * most; /* also the factor's scratch */
    b->directions = SQ_TAKE(arena, float, b->padded *vp);
    b->across = SQ_TAKE(arena, float, b->padded *vp);
    b->factor = SQ_TAKE(arena, float, mixes *vp *vp);
    b->drawn = SQ_TAKE(arena, float, mixes * b->padded * vp);
    b->outputs = take_choice(arena, b->count, b->outputs.most);
    b->items = take_choice(arena, b->count, b->items.most);
    b->heap_scores = SQ_TAKE(arena, float, b->parts * b->count * heap);
    b->heap_at = SQ_TAKE(arena, int32_t, b->parts * b->count * heap);
    b->heap_found = SQ_TAKE(arena, int32_t, b->parts * b->count);
    b->best = SQ_TAKE(arena, float, best);
    b->losses = SQ_TAKE(arena, double, b->count * b->outputs.most);
    b->takes_part = SQ_TAKE(arena, uint8_t, n);
    b->bucket = SQ_TAKE(arena, int32_t, n);
    b->loss = SQ_TAKE(arena, double, n);
    b->weight = SQ_TAKE(arena, float, n);
    b->score = SQ_TAKE(arena, float, n);
    b->du = SQ_TAKE(arena, float, n *vp);
    b->drows = SQ_TAKE(arena, float, b->count * b->items.most * vp);
}

/* What one bucket is computed with. */
typedef struct scratch {
    float *rows, *transposed; /* [round16(items)][vp], [vp][round16(items)] */
    float *loss;
    int32_t *winners; /* [outputs] */
} scratch;

static scratch take_scratch(sq_arena *arena, const sq_trainer *t)
{
    const sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp, items = sq_round16(b->items.most);
    scratch s;
    s.rows = SQ_TAKE(arena, float, items *vp);
    s.transposed = SQ_TAKE(arena, float, items *vp);
    s.loss = SQ_TAKE(arena, float, sq_bucket_scratch(b->items.most, vp));
    s.winners = SQ_TAKE(arena, int32_t, b->outputs.most);
    return s;
}

/* A worker's memory for the buckets in their shape. */
static size_t measure_worker(const sq_trainer *t)
{
    sq_arena arena = {0};
    sq_step_bucket_select_take(&arena, t);
    sq_rewind(&arena, 0);
    take_scratch(&arena, t);
    return arena.peak;
}

int32_t sq_step_buckets_reserve(sq_trainer *t, seqrec_error *error)
{
    sq_arena measure = {0};
    size_t n = (size_t)t->plan.most_targets;
    if (!sq_trainer_at_batch(t)) return SEQREC_OK;
    shape(t, n);
    take(&measure, t, n);
    t->buckets.worker_bytes = measure_worker(t);
    SQ_TRY(sq_arena_reserve(&t->buckets.arena, &t->context->memory, measure.used, error));
    t->buckets.arena.used = 0;
    t->buckets.most_count = t->buckets.count;
    shape(t, (size_t)t->plan.target_count);
    take(&t->buckets.arena, t, n);
    return SEQREC_OK;
}

/* ---- value ------------------------------------------------------------------------------------------------------------ */

/* The factor that makes of an output vector what scores take: 1, or for cosine 1 / its length. */
static float unit_of(const sq_trainer *t, const float *row)
{
    return t->options.score == SQ_SCORE_COSINE ? sq_inverse_length(t->kernels, (size_t)t->model->layout.vp, row) : 1;
}

static const float *output_row(const sq_trainer *t, int32_t slot)
{
    return sq_trainer_row(t, slot) + sq_output_offset(t->items.catalogue);
}

static void score_targets(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_micro *m = &t->plan.micro[task];
    size_t vp = (size_t)t->model->layout.vp;
    (void)worker;
    for (int64_t i = m->first_target; i < m->first_target + m->targets; i++) {
        const float *row = output_row(t, t->plan.targets[i]);
        t->buckets.score[i] = t->kernels->dot(vp, t->u + (size_t)i * vp, row) * unit_of(t, row);
    }
}

static sq_bucket bucket_of(const sq_trainer *t, const sq_loss_rule *rule, size_t index, scratch *s)
{
    const sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp, k = (size_t)b->items.found[index], padded = sq_round16(k);
    sq_bucket o = {.rule = rule, .loss = sq_loss_kind_at(t->options.loss)->scores, .k = k, .width = vp};
    o.items = b->items.at + index * b->items.most;
    o.rows = s->rows;
    o.transposed = s->transposed;
    o.u = t->u;
    o.target = t->plan.targets;
    o.score = b->score;
    o.scratch = s->loss;
    for (size_t j = 0; j < k; j++) {
        const float *row = output_row(t, o.items[j]);
        t->kernels->scale(vp, unit_of(t, row), row, s->rows + j * vp);
    }
    memset(s->rows + k * vp, 0, (padded - k) * vp * sizeof *s->rows);
    t->kernels->transpose(padded, vp, s->rows, vp, s->transposed, padded);
    return o;
}

static void weigh_bucket(void *arg, int32_t index, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_buckets *b = &t->buckets;
    sq_loss_rule rule = sq_step_rule(t);
    t->arenas[worker].used = 0;
    scratch s = take_scratch(&t->arenas[worker], t);
    sq_bucket o = bucket_of(t, &rule, (size_t)index, &s);
    o.n = (size_t)b->outputs.found[index];
    o.outputs = b->outputs.at + (size_t)index * b->outputs.most;
    sq_bucket_losses(&o, b->losses + (size_t)index * b->outputs.most);
}

/* Of the buckets that an output is in the one with the largest loss counts, the first of equals; a loss that is no
 * number stays, so that the step is refused. */
static void keep_largest(sq_buckets *b, size_t targets)
{
    for (size_t i = 0; i < targets; i++) b->bucket[i] = -1, b->loss[i] = 0;
    for (size_t k = 0; k < b->count; k++)
        for (size_t j = 0; j < (size_t)b->outputs.found[k]; j++) {
            int32_t i = b->outputs.at[k * b->outputs.most + j];
            double loss = b->losses[k * b->outputs.most + j];
            if (b->bucket[i] >= 0 && !(loss > b->loss[i]) && !isnan(loss)) continue;
            b->bucket[i] = (int32_t)k;
            b->loss[i] = loss;
        }
}

/* The plan's weights over their sum over the outputs that are in a bucket. */
static void share_out(sq_trainer *t)
{
    sq_buckets *b = &t->buckets;
    const sq_plan *p = &t->plan;
    double sum = 0;
    for (int64_t i = 0; i < p->target_count; i++) sum += b->bucket[i] < 0 ? 0 : (double)p->weights[i];
    for (int64_t i = 0; i < p->target_count; i++)
        b->weight[i] = b->bucket[i] < 0 ? 0 : (float)((double)p->weights[i] / sum);
    for (int64_t m = 0; m < p->micro_count; m++) {
        t->losses[m] = 0;
        for (int64_t i = p->micro[m].first_target; i < p->micro[m].first_target + p->micro[m].targets; i++)
            t->losses[m] += (double)b->weight[i] * b->loss[i];
    }
}

/* ---- gradient --------------------------------------------------------------------------------------------------------- */

/* Entries of the bucket's items; a bucket that no loss is taken from has none. */
static void enter_items(sq_trainer *t, size_t index, int32_t used)
{
    const sq_buckets *b = &t->buckets;
    int32_t *to = t->entries.slots + t->plan.tokens + t->plan.target_count + (int64_t)(index * b->items.most);
    const int32_t *items = b->items.at + index * b->items.most;
    for (size_t j = 0; j < b->items.most; j++) to[j] = used && j < (size_t)b->items.found[index] ? items[j] : -1;
}

static void learn_bucket(void *arg, int32_t index, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_buckets *b = &t->buckets;
    const int32_t *outputs = b->outputs.at + (size_t)index * b->outputs.most;
    sq_loss_rule rule = sq_step_rule(t);
    size_t n = 0, vp = (size_t)t->model->layout.vp;
    t->arenas[worker].used = 0;
    scratch s = take_scratch(&t->arenas[worker], t);
    for (int32_t j = 0; j < b->outputs.found[index]; j++)
        if (b->bucket[outputs[j]] == index) s.winners[n++] = outputs[j];
    enter_items(t, (size_t)index, n > 0);
    if (n == 0) return;
    sq_bucket o = bucket_of(t, &rule, (size_t)index, &s);
    o.n = n;
    o.outputs = s.winners;
    sq_bucket_gradients(&o, b->weight, t->coefficient, b->du, b->drows + (size_t)index * b->items.most * vp);
}

/* The target's own share, and its entry. */
static void learn_targets(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_buckets *b = &t->buckets;
    const sq_micro *m = &t->plan.micro[task];
    size_t vp = (size_t)t->model->layout.vp;
    (void)worker;
    for (int64_t i = m->first_target; i < m->first_target + m->targets; i++) {
        const float *row = output_row(t, t->plan.targets[i]);
        float *du = b->du + (size_t)i * vp;
        int in = b->bucket[i] >= 0;
        t->entries.slots[t->plan.tokens + i] = in ? t->plan.targets[i] : -1;
        if (!in) memset(du, 0, vp * sizeof *du);
        t->coefficient[i] = in ? t->coefficient[i] * unit_of(t, row) : 0;
        t->kernels->axpy(vp, t->coefficient[i], row, du);
    }
}

void sq_step_buckets(sq_trainer *t, int32_t learns)
{
    sq_pool *pool = t->context->pool;
    sq_buckets *b = &t->buckets;
    size_t n = (size_t)t->plan.target_count;
    for (size_t i = 0; i < n; i++) b->takes_part[i] = t->plan.weights[i] > 0;
    sq_step_bucket_directions(t);
    sq_step_bucket_select(t);
    sq_parallel(pool, (int32_t)t->plan.micro_count, score_targets, t);
    sq_parallel(pool, (int32_t)b->count, weigh_bucket, t);
    keep_largest(b, n);
    share_out(t);
    if (!learns) return;
    sq_parallel(pool, (int32_t)b->count, learn_bucket, t);
    sq_parallel(pool, (int32_t)t->plan.micro_count, learn_targets, t);
    sq_row_entries_sort(&t->entries, pool, sq_trained_end(&t->items));
}
