/* train: this step's inputs, targets and negatives as row entries. */
#include "base/rng.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

#define ATTEMPTS 64 /* draws before a negative is left out */

enum { TOGETHER = 64 }; /* random numbers that are made at a time */

static uint64_t stream(const sq_trainer *t) { return sq_random_key((uint64_t)t->options.seed, SQ_STREAM_NEGATIVES, (uint64_t)t->step); }

/* Positions of one sequence whose negatives are drawn together. */
typedef struct run {
    sq_trainer *t;
    uint64_t key;
    int64_t first; /* position of the plan */
    size_t n, m, draws; /* positions, targets and own negatives of each */
    int32_t *out; /* [n][m + draws] the targets, and behind them the negatives */
    uint8_t *touched; /* of a dense step: the gradient slot's */
    const sq_step_scratch *s; /* bits are those of the history, where it is excluded */
} run;

enum { RUN = 4096 }; /* draws of a run, or those of one position */

static size_t run_of(const sq_trainer *t)
{
    const size_t draws = (size_t)sq_trainer_own_draws(t);
    return draws > 0 && draws < RUN ? RUN / draws : 1;
}

size_t sq_step_run_draws(const sq_trainer *t) { return run_of(t) * (size_t)sq_trainer_own_draws(t); }

static int32_t is_marked(const uint64_t *bits, int32_t slot) { return bits[slot / 64] >> (slot % 64) & 1; }

static int excludes_history(const sq_trainer *t) { return t->options.seen == SQ_SEEN_EXCLUDE_HISTORY; }

/* Whether the bits of a history say all: targets are of it unless they were exchanged. */
static int bits_say_all(const sq_trainer *t) { return excludes_history(t) && !(t->options.sse_item > 0); }

static const int32_t *targets_of(const run *o, size_t i) { return o->out + i * (o->m + o->draws); }

static int32_t is_target(const run *o, size_t i, int32_t slot)
{
    int32_t found = 0;
    for (size_t p = 0; p < o->m; p++) found |= slot == targets_of(o, i)[p];
    return found;
}

static int32_t is_refused(const run *o, size_t i, int32_t slot)
{
    return (excludes_history(o->t) && is_marked(o->s->bits, slot)) || (sq_trainer_excludes_targets(o->t) && is_target(o, i, slot));
}

static void mark(const sq_plan *p, int64_t sequence, uint64_t *bits, int on)
{
    for (int64_t i = p->seen_starts[sequence]; i < p->seen_ends[sequence]; i++) {
        if (on)
            bits[p->seen[i] / 64] |= (uint64_t)1 << (p->seen[i] % 64);
        else
            bits[p->seen[i] / 64] = 0;
    }
}

/* Targets of position i of a sequence that ends before `end`: the next events; -1 behind the last, and for one that counts for nothing. */
static void list_targets(const sq_trainer *t, int64_t i, int64_t end, int32_t *out)
{
    for (int64_t p = 0; p < t->options.targets; p++) out[p] = sq_plan_target(&t->plan, i, p, end);
}

/* Which of `slots` [draws] of position i are its targets. Returns how many. */
static size_t find_targets(const run *o, size_t i, const int32_t *slots, int32_t *places)
{
    const sq_kernels *k = o->t->kernels;
    const int32_t *targets = targets_of(o, i);
    uint64_t *bits = o->s->bits;
    if (o->m == 1) return k->find(o->draws, slots, targets[0], places);
    for (size_t p = 0; p < o->m; p++)
        if (targets[p] >= 0) bits[targets[p] / 64] |= (uint64_t)1 << (targets[p] % 64);
    const size_t count = k->find_marked(o->draws, slots, bits, places);
    for (size_t p = 0; p < o->m; p++)
        if (targets[p] >= 0) bits[targets[p] / 64] = 0;
    return count;
}

/* Which draws of the run are refused, to s->places. Returns how many. */
static size_t list_refused(const run *o)
{
    const sq_step_scratch *s = o->s;
    size_t count = 0;
    if (bits_say_all(o->t)) return o->t->kernels->find_marked(o->n * o->draws, s->drawn, s->bits, s->places);
    if (excludes_history(o->t)) {
        for (size_t j = 0; j < o->n * o->draws; j++)
            if (is_refused(o, j / o->draws, s->drawn[j])) s->places[count++] = (int32_t)j;
        return count;
    }
    for (size_t i = 0; i < o->n && sq_trainer_excludes_targets(o->t); i++) {
        const size_t more = find_targets(o, i, s->drawn + i * o->draws, s->places + count);
        for (size_t end = count + more; count < end; count++) s->places[count] += (int32_t)(i * o->draws);
    }
    return count;
}

/* Attempt number `attempt` of the draws at s->places [n], each of which has ATTEMPTS numbers of its own, to s->again. */
static void attempt_again(const run *o, uint64_t attempt, size_t n)
{
    const uint64_t first = (uint64_t)o->first * o->draws * ATTEMPTS;
    uint64_t random[TOGETHER];
    for (size_t i = 0; i < n; i += TOGETHER) {
        const size_t more = n - i < TOGETHER ? n - i : TOGETHER;
        o->t->kernels->random_at(more, o->key, first + attempt, ATTEMPTS, o->s->places + i, random);
        sq_sampler_kind_at(o->t->sampler.kind)->draw(&o->t->sampler, more, random, o->s->again + i);
    }
}

/* Which of s->again [n] are refused as well, to s->which. Returns how many. */
static size_t list_refused_again(const run *o, size_t n)
{
    const sq_step_scratch *s = o->s;
    size_t count = 0;
    if (bits_say_all(o->t)) return o->t->kernels->find_marked(n, s->again, s->bits, s->which);
    for (size_t i = 0; i < n; i++)
        if (is_refused(o, (size_t)s->places[i] / o->draws, s->again[i])) s->which[count++] = (int32_t)i;
    return count;
}

/* Draws those at s->places [n] again, all at once, until none is refused. Returns how many are refused after so many attempts. */
static size_t redraw(const run *o, size_t n)
{
    const sq_step_scratch *s = o->s;
    for (uint64_t attempt = 1; n > 0 && attempt < ATTEMPTS; attempt++) {
        attempt_again(o, attempt, n);
        for (size_t i = 0; i < n; i++) s->drawn[s->places[i]] = s->again[i];
        n = list_refused_again(o, n);
        for (size_t i = 0; i < n; i++) s->places[i] = s->places[s->which[i]];
    }
    return n;
}

/* What the host brought; it is not asked again. */
static void take_brought(const run *o)
{
    for (size_t j = 0; j < o->n * o->draws; j++) {
        const int32_t slot = sq_catalogue_find(o->t->items.catalogue, o->t->host_items[(size_t)o->first * o->draws + j]);
        o->s->drawn[j] = is_refused(o, j / o->draws, slot) ? -1 : slot;
    }
}

/* Negatives of the run, -1 for those that are left out, to s->drawn. */
static void draw_run(const run *o)
{
    if (sq_sampler_kind_at(o->t->options.sampler)->host) {
        take_brought(o);
        return;
    }
    sq_sampler_draw_many(&o->t->sampler, o->t->kernels, o->key, (uint64_t)o->first * o->draws * ATTEMPTS, ATTEMPTS, o->n * o->draws, o->s->drawn);
    size_t refused = list_refused(o);
    if (o->t->options.seen != SQ_SEEN_KEEP) refused = redraw(o, refused);
    for (size_t i = 0; i < refused; i++) o->s->drawn[o->s->places[i]] = -1;
}

/* Share of one draw that falls on an item. */
static double share_of(const sq_trainer *t, int32_t slot) { return exp((double)t->log_expected[slot]) / (double)sq_trainer_draws(t); }

/* A marked history's share of one draw. */
static double marked_share(const sq_trainer *t, int64_t sequence, uint64_t *bits)
{
    const sq_plan *p = &t->plan;
    double sum = 0;
    mark(p, sequence, bits, 0);
    for (int64_t i = p->seen_starts[sequence]; i < p->seen_ends[sequence]; i++) {
        uint64_t *word = &bits[p->seen[i] / 64], bit = (uint64_t)1 << (p->seen[i] % 64);
        if (!(*word & bit)) sum += share_of(t, p->seen[i]);
        *word |= bit;
    }
    return sum;
}

/* What the rule of seen items turns away is drawn again, so that all others come 1 / (1 - its share) times as often: the logarithm of that. */
static float redrawn(const run *o, size_t i, double history)
{
    const int32_t *targets = targets_of(o, i);
    double turned = history;
    for (size_t p = 0; p < o->m; p++) {
        int counted = targets[p] < 0 || (excludes_history(o->t) && is_marked(o->s->bits, targets[p]));
        for (size_t before = 0; before < p; before++) counted |= targets[before] == targets[p];
        if (!counted) turned += share_of(o->t, targets[p]);
    }
    return turned < 1 ? -(float)log1p(-turned) : 0;
}

/* The run's candidates, slots so far, become rows of the table. */
static void find_rows(const run *o)
{
    const int32_t *compact = o->t->items.compact;
    uint8_t *touched = o->touched;
    const size_t count = o->n * (o->m + o->draws);
    for (size_t i = 0; i < count; i++) {
        if (o->out[i] < 0) continue;
        o->out[i] = compact[o->out[i]];
        touched[o->out[i]] = 1;
    }
}

/* Candidates of a run of positions; `history` is the marked history's share of one draw, where it is wanted. */
static void fill_run(const run *o, int64_t end, double history)
{
    sq_trainer *t = o->t;
    const size_t stride = o->m + o->draws;
    for (size_t i = 0; i < o->n; i++) list_targets(t, o->first + (int64_t)i, end, o->out + i * stride);
    if (o->draws == 0) return;
    draw_run(o);
    for (size_t i = 0; i < o->n; i++) memcpy(o->out + i * stride + o->m, o->s->drawn + i * o->draws, o->draws * sizeof *o->out);
    for (size_t i = 0; i < o->n && t->redraws; i++) t->redrawn[o->first + (int64_t)i] = redrawn(o, i, history);
    if (t->dense) find_rows(o);
}

/* A micro-batch's, to own [its targets][candidates]; `touched` is a dense step's. */
static void draw_candidates(sq_trainer *t, const sq_micro *m, const sq_step_scratch *scratch, int32_t *own, uint8_t *touched)
{
    const sq_plan *p = &t->plan;
    const int64_t most = (int64_t)run_of(t);
    run o = {.t = t, .key = stream(t), .m = (size_t)t->options.targets, .draws = (size_t)sq_trainer_own_draws(t), .touched = touched, .s = scratch};
    for (int64_t s = m->first_sequence; s < m->first_sequence + m->sequences; s++) {
        if (excludes_history(t)) mark(p, s, scratch->bits, 1);
        const double history = excludes_history(t) && t->redraws ? marked_share(t, s, scratch->bits) : 0;
        const int64_t end = p->target_starts[s + 1];
        for (o.first = p->target_starts[s]; o.first < end; o.first += most) {
            o.n = (size_t)(end - o.first < most ? end - o.first : most);
            o.out = own + (o.first - m->first_target) * (int64_t)t->candidates;
            fill_run(&o, end, history);
        }
        if (excludes_history(t)) mark(p, s, scratch->bits, 0);
    }
}

static void draw_micro(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_micro *m = &t->plan.micro[task];
    sq_step_scratch scratch;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    draw_candidates(t, m, &scratch, t->own + m->first_target * (int64_t)t->candidates, NULL);
}

void sq_step_draw(sq_trainer *t, const sq_micro *m, int32_t slot, const sq_step_scratch *s)
{
    draw_candidates(t, m, s, s->own, t->touched + (size_t)slot * (size_t)t->items.live_count);
}

/* One set for the batch, behind the candidates of the tokens; what a token may not have of it is masked later. */
static void draw_shared(sq_trainer *t)
{
    int32_t *out = t->entries.slots + sq_trainer_own_end(t);
    int host = sq_sampler_kind_at(t->options.sampler)->host;
    for (int64_t j = 0; j < t->options.negatives; j++)
        out[j] = host ? sq_catalogue_find(t->items.catalogue, t->host_items[j])
                      : sq_sampler_draw(&t->sampler, stream(t), (uint64_t)j * ATTEMPTS);
}

/* A correction of all candidates needs a proposal that can draw the targets, and so does one of draws from among them. */
static int32_t check_targets(const sq_trainer *t, seqrec_error *error)
{
    int needed = t->options.logq == SQ_LOGQ_CLASSIC || sq_sampler_kind_at(t->options.sampler)->from_batch;
    if (!needed || !t->log_expected) return SEQREC_OK;
    for (int64_t i = 0; i < t->plan.target_count; i++) {
        int32_t slot = t->plan.targets[i];
        SQ_CHECK(t->log_expected[slot] > -INFINITY, error, SEQREC_E_STATE,
                 "logq: by its counts the sampler never draws item %lld, which is a target of the batch",
                 (long long)sq_catalogue_id(t->items.catalogue, slot));
    }
    return SEQREC_OK;
}

#define DENSE_SHARE 64      /* candidates of a step for each item */
#define DENSE_FLOATS 524288 /* of a table of all items: 2 MiB */

int32_t sq_step_is_dense(const sq_trainer *t)
{
    const int64_t own = t->plan.target_count * (int64_t)t->candidates, live = t->items.live_count;
    if (sq_trainer_own_draws(t) == 0 || t->options.hard_pool || sq_trainer_at_batch(t)) return 0;
    return own >= DENSE_SHARE * live && live * t->model->layout.vp <= DENSE_FLOATS;
}

int32_t sq_step_negatives(sq_trainer *t, seqrec_error *error)
{
    int64_t n = t->plan.tokens, targets = t->plan.target_count, shared = sq_trainer_shares(t) ? t->options.negatives : 0;
    const size_t most = (size_t)t->plan.most_targets * t->candidates, items = sq_trainer_at_batch(t) ? t->buckets.items.most : 0;
    const size_t live = (size_t)t->items.live_count, own = t->dense ? DENSE_SHARE * live : most; /* also what a smaller step without it has */
    const size_t entries = (size_t)n + own + (size_t)shared + t->buckets.most_count * items;
    SQ_TRY(check_targets(t, error));
    SQ_TRY(sq_row_entries_reserve(&t->entries, &t->context->memory, entries, error));
    SQ_TRY(SQ_GROW(&t->context->memory, t->coefficient, 0, own, error));
    t->redraws = t->log_expected && t->options.seen != SQ_SEEN_KEEP && sq_trainer_own_draws(t) > 0;
    if (t->redraws) SQ_TRY(SQ_GROW(&t->context->memory, t->redrawn, 0, t->plan.most_targets, error));
    if (sq_trainer_samples(t) && sq_sampler_kind_at(t->options.sampler)->host) SQ_TRY(sq_step_ask_host(t, error));
    t->sampler.batch = t->plan.targets;
    t->sampler.batch_count = targets;
    if (t->dense) SQ_TRY(SQ_GROW(&t->context->memory, t->touched, 0, SQ_GRADIENT_SLOTS * live, error));
    t->own = t->dense ? NULL : t->entries.slots + n;
    t->entries.count = sq_trainer_own_end(t) + (t->dense ? live : 0) + (size_t)shared + t->buckets.count * items;
    memcpy(t->entries.slots, t->plan.inputs, (size_t)n * sizeof *t->plan.inputs);
    if (sq_trainer_at_batch(t)) return SEQREC_OK; /* sq_step_buckets has the rest */
    if (t->dense) return SEQREC_OK;               /* sq_step_draw and sq_step_rows have it */
    if (t->candidates) sq_parallel(t->context->pool, (int32_t)t->plan.micro_count, draw_micro, t);
    if (shared) draw_shared(t);
    sq_row_entries_sort(&t->entries, t->context->pool, sq_trained_end(&t->items));
    return SEQREC_OK;
}
