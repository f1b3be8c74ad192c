/* train: this step's inputs, targets and negatives as row entries. */
#include "base/rng.h"
#include "train/trainer.h"
#include <string.h>

#define ATTEMPTS 64 /* draws before a negative is left out */

static uint64_t stream(const sq_trainer *t) { return sq_random_key((uint64_t)t->options.seed, SQ_STREAM_NEGATIVES, (uint64_t)t->step); }

static int32_t refused(const sq_trainer *t, int32_t slot, int32_t target, const uint64_t *seen)
{
    if (t->options.seen == SQ_SEEN_KEEP) return 0;
    if (slot == target) return 1;
    return t->options.seen == SQ_SEEN_EXCLUDE_HISTORY && (seen[slot / 64] >> (slot % 64) & 1);
}

/* A negative for `target`, or -1. Under seen = keep a softmax leaves out a negative that is the target: as a second copy of
 * it in the sum it would only push the target down. */
static int32_t draw(const sq_trainer *t, uint64_t key, uint64_t counter, int32_t target, const uint64_t *seen)
{
    for (uint64_t i = 0; i < ATTEMPTS; i++) {
        int32_t slot = sq_sampler_draw(&t->sampler, key, counter * ATTEMPTS + i);
        if (refused(t, slot, target, seen)) continue;
        return slot == target && t->options.loss != SQ_LOSS_BCE ? -1 : slot;
    }
    return -1;
}

static void mark(const sq_plan *p, int64_t sequence, uint64_t *bits, int on)
{
    for (int64_t i = p->seen_starts[sequence]; i < p->seen_starts[sequence + 1]; i++) {
        if (on)
            bits[p->seen[i] / 64] |= (uint64_t)1 << (p->seen[i] % 64);
        else
            bits[p->seen[i] / 64] = 0;
    }
}

static void draw_micro(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    const sq_plan *p = &t->plan;
    const sq_micro *m = &p->micro[task];
    uint64_t key = stream(t), *bits;
    size_t c = t->candidates;
    sq_step_scratch scratch;
    t->arenas[worker].used = 0;
    sq_step_scratch_take(&t->arenas[worker], t, &scratch);
    bits = scratch.bits;
    int exclude = t->options.seen == SQ_SEEN_EXCLUDE_HISTORY;
    for (int64_t s = m->first_sequence; s < m->first_sequence + m->sequences; s++) {
        if (exclude) mark(p, s, bits, 1);
        for (int64_t i = p->target_starts[s]; i < p->target_starts[s + 1]; i++) {
            int32_t *out = t->entries.slots + p->tokens + i * (int64_t)c;
            out[0] = p->targets[i];
            for (size_t j = 1; j < c; j++)
                out[j] = draw(t, key, (uint64_t)i * (c - 1) + (j - 1), p->targets[i], bits);
        }
        if (exclude) mark(p, s, bits, 0);
    }
}

/* One set for the batch, behind the targets. */
static void draw_shared(sq_trainer *t)
{
    int32_t *out = t->entries.slots + t->plan.tokens + t->plan.target_count;
    for (int64_t j = 0; j < t->options.negatives; j++)
        out[j] = sq_sampler_draw(&t->sampler, stream(t), (uint64_t)j * ATTEMPTS);
}

int32_t sq_step_negatives(sq_trainer *t, seqrec_error *error)
{
    int64_t n = t->plan.tokens, targets = t->plan.target_count, shared = sq_trainer_shares(t) ? t->options.negatives : 0;
    t->candidates = t->options.loss == SQ_LOSS_SOFTMAX ? 0 : shared ? 1 : 1 + (size_t)t->options.negatives;
    size_t most = (size_t)t->plan.most_targets * t->candidates;
    SQ_TRY(sq_row_entries_reserve(&t->entries, &t->context->memory, (size_t)n + most + (size_t)shared, error));
    SQ_TRY(sq_grow(&t->context->memory, (void **)&t->coefficient, &t->coefficient_capacity, 0,
                   most + 16, sizeof *t->coefficient, error));
    t->entries.count = (size_t)n + (size_t)targets * t->candidates + (size_t)shared;
    memcpy(t->entries.slots, t->plan.inputs, (size_t)n * sizeof *t->plan.inputs);
    if (shared) {
        memcpy(t->entries.slots + n, t->plan.targets, (size_t)targets * sizeof *t->plan.targets);
        draw_shared(t);
    } else if (t->candidates) {
        sq_parallel(t->context->pool, (int32_t)t->plan.micro_count, draw_micro, t);
    }
    sq_row_entries_sort(&t->entries, t->context->pool, (int32_t)sq_trainer_slots(t));
    return SEQREC_OK;
}
