/* train: the gradients of item rows, each the sum of what a step's entries add to it. */
#include "tensor/length.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

#define PIECE 64   /* contributions added at a time */
#define EARLIER 24 /* entries between asking for one and reading it */

/* What own candidates add is summed for a group of rows side by side, a block of positions at a time, so that both stay in a
 * second-level cache: */
#define GROUP_FLOATS 16384  /* of the sums */
#define GROUP_ROWS 512      /* at most */
#define BLOCK_FLOATS 65536  /* of the user vectors */
#define BLOCK_ENTRIES 16    /* a row has in a block, or blocks are larger */

/* ---- sums ------------------------------------------------------------------------------------------------------------- */

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

/* Entries of a row: inputs from .. own - 1, its own candidates' from there on, and what is shared behind those. */
typedef struct row_entries {
    int32_t slot;
    size_t from, own, next, end; /* next: the first that was not summed yet */
} row_entries;

/* A worker's. */
typedef struct row_group {
    size_t count, most;
    row_entries *rows;            /* [most] */
    float *own;                   /* [most][vp] sums of what own candidates add */
    float *input, *output, *table; /* [vp] working vectors of one row */
} row_group;

static size_t group_rows(const sq_trainer *t)
{
    const size_t most = GROUP_FLOATS / (size_t)t->model->layout.vp;
    return most < 1 ? 1 : most < GROUP_ROWS ? most : GROUP_ROWS;
}

static void group_take(sq_arena *arena, const sq_trainer *t, row_group *g)
{
    const size_t vp = (size_t)t->model->layout.vp;
    g->count = 0;
    g->most = group_rows(t);
    g->rows = SQ_TAKE(arena, row_entries, g->most);
    g->own = SQ_TAKE(arena, float, g->most * vp);
    g->input = SQ_TAKE(arena, float, vp);
    g->output = SQ_TAKE(arena, float, vp);
    g->table = SQ_TAKE(arena, float, vp);
}

void sq_row_gradients_take(sq_arena *arena, const sq_trainer *t)
{
    row_group g;
    group_take(arena, t, &g);
}

/* Which of the groups of 1 / `share` entry e is in, without a division of 64 bits: exact, since both are below 2^32. */
static size_t position_of(size_t e, double share) { return (size_t)(int64_t)(((double)(int64_t)e + 0.5) * share); }

/* Adds what entries numbered below `limit` add to the row's sum. */
static void add_own(const sq_trainer *t, row_entries *r, size_t limit, double share, float *sum)
{
    const size_t vp = (size_t)t->model->layout.vp, tokens = (size_t)t->plan.tokens;
    pending own;
    own.n = 0;
    for (; r->next < r->end; r->next++) {
        const sq_row_entry *entry = sq_row_entry_at(&t->entries, r->next);
        if (entry->number >= limit) break;
        if (r->next + EARLIER < r->end) __builtin_prefetch(sq_row_entry_at(&t->entries, r->next + EARLIER));
        push(t, &own, entry->factor, t->u + position_of(entry->number - tokens, share) * vp, sum);
    }
    flush(t, &own, sum);
}

/* In the order of the entries, whatever the blocks. */
static void sum_own(const sq_trainer *t, row_group *g)
{
    const size_t vp = (size_t)t->model->layout.vp, tokens = (size_t)t->plan.tokens, positions = (size_t)t->plan.target_count;
    size_t entries = 0, blocks = positions * vp / BLOCK_FLOATS, most;
    if (t->candidates == 0 || t->dense || g->count == 0) return;
    const double share = 1 / (double)t->candidates;
    for (size_t r = 0; r < g->count; r++) entries += g->rows[r].end - g->rows[r].own;
    most = entries / (g->count * BLOCK_ENTRIES);
    if (blocks > most) blocks = most;
    if (blocks < 1) blocks = 1;
    const size_t block = (positions + blocks - 1) / blocks * t->candidates;
    for (size_t limit = tokens + block;; limit += block) {
        if (limit > sq_trainer_own_end(t)) limit = sq_trainer_own_end(t);
        for (size_t r = 0; r < g->count; r++) add_own(t, &g->rows[r], limit, share, g->own + r * vp);
        if (limit == sq_trainer_own_end(t)) return;
    }
}

/* sum over the gradient slots of row j of the shared table; of the buckets' items there is one row each. */
static void push_table(const sq_trainer *t, pending *p, size_t row, float *sum)
{
    size_t vp = (size_t)t->model->layout.vp;
    if (sq_trainer_at_batch(t)) {
        push(t, p, 1, t->buckets.drows + row * vp, sum);
        return;
    }
    for (size_t s = 0; s < SQ_GRADIENT_SLOTS; s++)
        if (t->plan.slot_starts[s] < t->plan.slot_starts[s + 1])
            push(t, p, 1, t->dtable + (s * t->table_rows + row) * vp, sum);
}

static void cosine_project(const sq_trainer *t, const float *vector, int from_unit, float *g)
{
    size_t vp = (size_t)t->model->layout.vp;
    float square = t->kernels->dot(vp, vector, vector);
    if (square < SQ_NO_SQUARE) {
        memset(g, 0, vp * sizeof *g);
        return;
    }
    t->kernels->axpy(vp, -t->kernels->dot(vp, g, vector) / square, vector, g);
    if (from_unit) t->kernels->scale(vp, 1.0f / sqrtf(square), g, g);
}

/* input, output = gradient of the row's input vector and output vector; tied: both in input. own: the sum over its own candidates. */
static void row_gradient(const sq_trainer *t, const row_entries *r, const float *own, row_group *g)
{
    size_t vp = (size_t)t->model->layout.vp;
    float scale = t->options.scale_embeddings ? sqrtf((float)t->options.dim) : 1.0f;
    pending p;
    p.n = 0;
    memset(g->input, 0, vp * sizeof *g->input);
    memset(g->table, 0, vp * sizeof *g->table);
    memcpy(g->output, own, vp * sizeof *own);
    for (size_t i = r->from; i < r->own; i++)
        push(t, &p, scale, t->dx + (size_t)sq_row_entry_at(&t->entries, i)->number * vp, g->input);
    flush(t, &p, g->input);
    for (size_t i = r->next; i < r->end; i++)
        push_table(t, &p, (size_t)sq_row_entry_at(&t->entries, i)->number - sq_trainer_own_end(t), g->table);
    if (sq_trainer_is_full(t)) push_table(t, &p, (size_t)t->items.compact[r->slot], g->table);
    flush(t, &p, g->table);
    if (t->options.score == SQ_SCORE_COSINE) {
        const float *vector = sq_trainer_row(t, r->slot) + sq_output_offset(t->items.catalogue);
        cosine_project(t, vector, 0, g->output);
        cosine_project(t, vector, 1, g->table);
    }
    t->kernels->add(vp, g->table, g->output);
    if (t->items.catalogue->tables == 1) t->kernels->add(vp, g->output, g->input);
}

/* ---- walking over the rows of a step ------------------------------------------------------------------------------------ */

typedef struct gradients_job {
    sq_trainer *trainer;
    sq_row_visit visit;
    const void *arg;
    int32_t parts; /* of a task */
} gradients_job;

/* Whether a row that was drawn into a pool of negatives was used. */
static int takes_part(const sq_trainer *t, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        const sq_row_entry *entry = sq_row_entry_at(&t->entries, i);
        if (entry->number < (size_t)t->plan.tokens || entry->factor != 0) return 1;
    }
    return 0;
}

static void add_row(const sq_trainer *t, row_group *g, int32_t slot, size_t from, size_t end)
{
    size_t vp = (size_t)t->model->layout.vp, own = from;
    while (own < end && sq_row_entry_at(&t->entries, own)->number < (size_t)t->plan.tokens) own++;
    memset(g->own + g->count * vp, 0, vp * sizeof *g->own);
    g->rows[g->count++] = (row_entries){slot, from, own, own, end};
}

static void visit_group(const gradients_job *job, row_group *g)
{
    const size_t vp = (size_t)job->trainer->model->layout.vp;
    sum_own(job->trainer, g);
    for (size_t r = 0; r < g->count; r++) {
        row_gradient(job->trainer, &g->rows[r], g->own + r * vp, g);
        job->visit(job->trainer, g->rows[r].slot, g->input, g->output, job->arg);
    }
    g->count = 0;
}

static void visit_parts(void *arg, int32_t task, int32_t worker)
{
    const gradients_job *job = arg;
    sq_trainer *t = job->trainer;
    const sq_row_entries *e = &t->entries;
    const int32_t first = task * job->parts, behind = first + job->parts < e->parts ? first + job->parts : e->parts;
    const int32_t all = sq_trainer_is_full(t), pool = t->options.hard_pool > 0;
    size_t i = e->part_starts[first], end = e->part_starts[behind];
    int64_t slot = (int64_t)first << e->shift, last = (int64_t)behind << e->shift;
    row_group g;
    t->arenas[worker].used = 0;
    group_take(&t->arenas[worker], t, &g);
    if (last > sq_trainer_slots(t)) last = sq_trainer_slots(t);
    while (all ? slot < last : i < end) {
        if (!all) slot = sq_row_slot(e, i);
        size_t from = i;
        while (i < end && sq_row_slot(e, i) == slot) i++;
        if (all ? t->items.compact[slot] >= 0 : !pool || takes_part(t, from, i)) add_row(t, &g, (int32_t)slot, from, i);
        if (g.count == g.most) visit_group(job, &g);
        slot++;
    }
    visit_group(job, &g);
}

void sq_row_gradients(sq_trainer *t, sq_row_visit visit, const void *arg)
{
    const int32_t inhabited = (int32_t)(t->items.live_count >> t->entries.shift), even = inhabited / (4 * t->workers);
    const int32_t together = (int32_t)group_rows(t) >> t->entries.shift;
    gradients_job job = {t, visit, arg, together < even ? together : even};
    if (job.parts < 1) job.parts = 1;
    sq_parallel(t->context->pool, (t->entries.parts + job.parts - 1) / job.parts, visit_parts, &job);
}
