/* train: this step's inputs, targets and negatives as row entries. */
#include "base/rng.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

#define ATTEMPTS 64 /* draws before a negative is left out */

enum { TOGETHER = 64 }; /* random numbers that are made at a time */

static uint64_t stream(const sq_trainer *t) { return sq_random_key((uint64_t)t->options.seed, SQ_STREAM_NEGATIVES, (uint64_t)t->step); }

/* One token on its way. */
typedef struct token {
    const sq_trainer *t;
    const int32_t *targets; /* [m] */
    size_t m;
    uint64_t *seen; /* bits of slots: the history's, where it is excluded */
} token;

static int32_t is_marked(const uint64_t *bits, int32_t slot) { return bits[slot / 64] >> (slot % 64) & 1; }

static int32_t is_target(const token *o, int32_t slot)
{
    int32_t found = 0;
    for (size_t p = 0; p < o->m; p++) found |= slot == o->targets[p];
    return found;
}

static int32_t refused(const token *o, int32_t slot)
{
    int64_t rule = o->t->options.seen;
    if (rule == SQ_SEEN_KEEP) return 0;
    if (is_target(o, slot)) return 1;
    return rule == SQ_SEEN_EXCLUDE_HISTORY && is_marked(o->seen, slot);
}

/* Under seen = keep a softmax leaves out a negative that is a target: as a second copy of it in the sum it would only push the
 * target down. */
static int32_t kept(const token *o, int32_t slot)
{
    return sq_loss_kind_at(o->t->options.loss)->softmax && is_target(o, slot) ? -1 : slot;
}

/* What the host brought, or -1 where the rules forbid it: it is not asked again. */
static int32_t brought(const token *o, int64_t at)
{
    int32_t slot = sq_catalogue_find(o->t->items.catalogue, o->t->host_items[at]);
    return refused(o, slot) ? -1 : kept(o, slot);
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

/* Targets of token i of a sequence that ends before `end`: the next events; -1 behind the last, and for one that counts for nothing. */
static void list_targets(const sq_trainer *t, int64_t i, int64_t end, int32_t *out)
{
    for (int64_t p = 0; p < t->options.targets; p++) out[p] = sq_plan_target(&t->plan, i, p, end);
}

/* Which of `slots` [n] hold a target or something seen. Returns how many. */
static size_t list_refused(const token *o, const int32_t *slots, size_t n, int32_t *places)
{
    const sq_kernels *k = o->t->kernels;
    uint64_t fresh = 0; /* targets that only this call marks; there are at most 64 */
    if (o->m == 1 && o->t->options.seen != SQ_SEEN_EXCLUDE_HISTORY) return k->find(n, slots, o->targets[0], places);
    for (size_t p = 0; p < o->m; p++) {
        const int32_t slot = o->targets[p];
        if (slot < 0 || is_marked(o->seen, slot)) continue;
        o->seen[slot / 64] |= (uint64_t)1 << (slot % 64);
        fresh |= (uint64_t)1 << p;
    }
    const size_t count = k->find_marked(n, slots, o->seen, places);
    for (size_t p = 0; p < o->m; p++)
        if (fresh >> p & 1) o->seen[o->targets[p] / 64] &= ~((uint64_t)1 << (o->targets[p] % 64));
    return count;
}

/* Attempt number `attempt` of the draws at `places` [n] behind draw `first`, each of which has ATTEMPTS numbers of its own. */
static void attempt_again(const token *o, uint64_t key, uint64_t first, uint64_t attempt, const int32_t *places, size_t n, int32_t *out)
{
    uint64_t random[TOGETHER];
    for (size_t i = 0; i < n; i += TOGETHER) {
        const size_t more = n - i < TOGETHER ? n - i : TOGETHER;
        o->t->kernels->random_at(more, key, first * ATTEMPTS + attempt, ATTEMPTS, places + i, random);
        sq_sampler_kind_at(o->t->sampler.kind)->draw(&o->t->sampler, more, random, out + i);
    }
}

/* Draws those at s->places [n] again, all at once, until none is refused; what is after so many attempts is left out. */
static void redraw(const token *o, uint64_t key, uint64_t first, size_t n, const sq_step_scratch *s, int32_t *out)
{
    for (uint64_t attempt = 1; n > 0 && attempt < ATTEMPTS; attempt++) {
        attempt_again(o, key, first, attempt, s->places, n, s->drawn);
        for (size_t i = 0; i < n; i++) out[s->places[i]] = s->drawn[i];
        n = list_refused(o, s->drawn, n, s->which);
        for (size_t i = 0; i < n; i++) s->places[i] = s->places[s->which[i]];
    }
    for (size_t i = 0; i < n; i++) out[s->places[i]] = -1;
}

static void draw_token(const token *o, uint64_t key, int64_t i, const sq_step_scratch *s, int32_t *out)
{
    int64_t draws = sq_trainer_own_draws(o->t);
    const uint64_t first = (uint64_t)(i * draws);
    if (sq_sampler_kind_at(o->t->options.sampler)->host) {
        for (int64_t j = 0; j < draws; j++) out[j] = brought(o, i * draws + j);
        return;
    }
    sq_sampler_draw_many(&o->t->sampler, o->t->kernels, key, first * ATTEMPTS, ATTEMPTS, (size_t)draws, out);
    const size_t count = list_refused(o, out, (size_t)draws, s->places);
    if (o->t->options.seen != SQ_SEEN_KEEP)
        redraw(o, key, first, count, s, out);
    else if (sq_loss_kind_at(o->t->options.loss)->softmax)
        for (size_t r = 0; r < count; r++) out[s->places[r]] = -1;
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
static float redrawn(const token *o, double history)
{
    const int exclude = o->t->options.seen == SQ_SEEN_EXCLUDE_HISTORY;
    double turned = history;
    for (size_t p = 0; p < o->m; p++) {
        int counted = o->targets[p] < 0 || (exclude && is_marked(o->seen, o->targets[p]));
        for (size_t before = 0; before < p; before++) counted |= o->targets[before] == o->targets[p];
        if (!counted) turned += share_of(o->t, o->targets[p]);
    }
    return turned < 1 ? -(float)log1p(-turned) : 0;
}

static void draw_micro(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_plan *p = &t->plan;
    const sq_micro *m = &p->micro[task];
    uint64_t key = stream(t);
    sq_step_scratch scratch;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    int exclude = t->options.seen == SQ_SEEN_EXCLUDE_HISTORY;
    for (int64_t s = m->first_sequence; s < m->first_sequence + m->sequences; s++) {
        if (exclude) mark(p, s, scratch.bits, 1);
        const double history = exclude && t->redraws ? marked_share(t, s, scratch.bits) : 0;
        for (int64_t i = p->target_starts[s]; i < p->target_starts[s + 1]; i++) {
            int32_t *out = t->entries.slots + p->tokens + i * (int64_t)t->candidates;
            token o = {t, out, (size_t)t->options.targets, scratch.bits};
            list_targets(t, i, p->target_starts[s + 1], out);
            draw_token(&o, key, i, &scratch, out + o.m);
            if (t->redraws) t->redrawn[i] = redrawn(&o, history);
        }
        if (exclude) mark(p, s, scratch.bits, 0);
    }
}

/* One set for the batch, behind the candidates of the tokens; what a token may not have of it is masked later. */
static void draw_shared(sq_trainer *t)
{
    int32_t *out = t->entries.slots + t->plan.tokens + t->plan.target_count * (int64_t)t->candidates;
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
                 (long long)t->items.catalogue->slots[slot / SQ_CHUNK_ROWS]->id[slot % SQ_CHUNK_ROWS]);
    }
    return SEQREC_OK;
}

int32_t sq_step_negatives(sq_trainer *t, seqrec_error *error)
{
    int64_t n = t->plan.tokens, targets = t->plan.target_count, shared = sq_trainer_shares(t) ? t->options.negatives : 0;
    t->candidates = sq_trainer_candidates(t);
    size_t most = (size_t)t->plan.most_targets * t->candidates, items = sq_trainer_at_batch(t) ? t->buckets.items.most : 0;
    size_t entries = (size_t)n + most + (size_t)shared + t->buckets.most_count * items;
    SQ_TRY(check_targets(t, error));
    SQ_TRY(sq_row_entries_reserve(&t->entries, &t->context->memory, entries, error));
    SQ_TRY(sq_grow(&t->context->memory, (void **)&t->coefficient, &t->coefficient_capacity, 0, most, sizeof *t->coefficient,
                   error));
    t->redraws = t->log_expected && t->options.seen != SQ_SEEN_KEEP && sq_trainer_own_draws(t) > 0;
    if (t->redraws) SQ_TRY(sq_grow(&t->context->memory, (void **)&t->redrawn, &t->redrawn_capacity, 0, (size_t)t->plan.most_targets, sizeof *t->redrawn, error));
    if (sq_trainer_samples(t) && sq_sampler_kind_at(t->options.sampler)->host) SQ_TRY(sq_step_ask_host(t, error));
    t->sampler.batch = t->plan.targets;
    t->sampler.batch_count = targets;
    t->entries.count = (size_t)n + (size_t)targets * t->candidates + (size_t)shared + t->buckets.count * items;
    memcpy(t->entries.slots, t->plan.inputs, (size_t)n * sizeof *t->plan.inputs);
    if (sq_trainer_at_batch(t)) return SEQREC_OK; /* sq_step_buckets has the rest */
    if (t->candidates) sq_parallel(t->context->pool, (int32_t)t->plan.micro_count, draw_micro, t);
    if (shared) draw_shared(t);
    sq_row_entries_sort(&t->entries, t->context->pool, (int32_t)sq_trainer_slots(t));
    return SEQREC_OK;
}
