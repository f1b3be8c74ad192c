/* train: packing a batch and dealing it into micro-batches. */
#include "train/plan.h"
#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <string.h>

void sq_plan_clear(sq_plan *p)
{
    p->tokens = p->sequences = p->target_count = p->most_targets = p->seen_count = p->micro_count = 0;
    p->longest = p->most_tokens = 0;
    p->user = -1;
    p->together = 1;
}

#define GROW(array, used, count) SQ_GROW(memory, p->array, used, count, error)

/* Room for a sequence of `tokens` inputs and up to `targets` targets, of n events in all. */
static int32_t reserve(sq_plan *p, const sq_memory *memory, int64_t tokens, int64_t targets, int64_t n, seqrec_error *error)
{
    int64_t starts = p->sequences ? p->sequences + 1 : 0;
    SQ_TRY(GROW(starts, starts, p->sequences + 2));
    SQ_TRY(GROW(seen_starts, p->sequences, p->sequences + 1));
    SQ_TRY(GROW(seen_ends, p->sequences, p->sequences + 1));
    SQ_TRY(GROW(target_starts, starts, p->sequences + 2));
    SQ_TRY(GROW(inputs, p->tokens, p->tokens + tokens));
    SQ_TRY(GROW(times, p->tokens, p->tokens + tokens));
    SQ_TRY(GROW(asks, p->tokens, p->tokens + tokens));
    SQ_TRY(GROW(targets, p->target_count, p->most_targets + targets));
    SQ_TRY(GROW(target_tokens, p->target_count, p->most_targets + targets));
    SQ_TRY(GROW(weights, p->target_count, p->most_targets + targets));
    SQ_TRY(GROW(users, p->sequences, p->sequences + 1));
    return GROW(seen, p->seen_count, p->seen_count + n);
}

/* Notes what the next sequence to be entered has seen. */
static void note_seen(sq_plan *p, const sq_plan_sequence *s)
{
    memcpy(p->seen + p->seen_count, s->slots, (size_t)s->n * sizeof *s->slots);
    p->seen_starts[p->sequences] = p->seen_count;
    p->seen_ends[p->sequences] = p->seen_count += s->n;
}

/* Makes n events from `from` on the tokens from `to` on, which look back from the times of the events `ahead` of them. */
static void put_events(sq_plan *p, int64_t to, const sq_plan_sequence *s, int64_t from, int64_t n, int64_t ahead)
{
    memcpy(p->inputs + to, s->slots + from, (size_t)n * sizeof *s->slots);
    if (!s->times) return;
    memcpy(p->times + to, s->times + from, (size_t)n * sizeof *s->times);
    memcpy(p->asks + to, s->times + from + ahead, (size_t)n * sizeof *s->times);
}

/* Enters the sequence whose inputs and `targets` targets stand behind those of the others. */
static void enter(sq_plan *p, int64_t tokens, int64_t targets, int64_t most)
{
    p->users[p->sequences] = p->user;
    p->starts[p->sequences] = p->tokens;
    p->target_starts[p->sequences] = p->target_count;
    p->sequences++;
    p->starts[p->sequences] = p->tokens += tokens;
    p->target_starts[p->sequences] = p->target_count += targets;
    p->most_targets += most;
    if (tokens > p->longest) p->longest = tokens;
}

/* Weight of event `at` of a sequence as a target: its own times decay^age. */
static float weight_of(const sq_plan_sequence *s, int64_t at, double decay)
{
    double own = s->weights ? (double)s->weights[at] : 1;
    return (float)(decay == 1 ? own : own * pow(decay, (double)(s->n - s->cut - 1 - at)));
}

int32_t sq_plan_add(sq_plan *p, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length, double decay,
                    seqrec_error *error)
{
    const int32_t *slots = sequence->slots;
    int64_t n = sequence->n - sequence->behind, window = n < max_length + 1 ? n : max_length + 1, t = window - 1;
    if (n < 2) return SEQREC_OK;
    SQ_TRY(reserve(p, memory, t, t, sequence->n, error));
    note_seen(p, sequence);
    put_events(p, p->tokens, sequence, n - window, t, 1);
    memcpy(p->targets + p->target_count, slots + n - t, (size_t)t * sizeof *slots);
    for (int64_t i = 0; i < t; i++) {
        p->target_tokens[p->target_count + i] = p->tokens + i;
        p->weights[p->target_count + i] = weight_of(sequence, n - t + i, decay);
    }
    enter(p, t, t, t);
    return SEQREC_OK;
}

/* ---- stochastic length ------------------------------------------------------------------------------------------------ */

#define DRAWS ((uint64_t)1 << 20) /* counters of one sequence; the last is for the choice between all and some */

int64_t sq_length_kept(double alpha, int64_t max_length, int64_t n, double *whole)
{
    const double pairs = pow((double)max_length, alpha);
    const int64_t kept = (int64_t)sqrt(pairs);
    *whole = n <= kept ? 1 : pairs / ((double)n * (double)n);
    return n <= kept ? n : kept;
}

static int64_t inputs_kept(const sq_stochastic_length *l, uint64_t counter, int64_t n, int64_t max_length)
{
    double whole;
    const int64_t kept = sq_length_kept(l->alpha, max_length, n, &whole);
    return sq_random_unit(l->key, counter + DRAWS - 1) < whole ? n : kept;
}

int32_t sq_plan_add_some(sq_plan *p, const sq_memory *memory, const sq_plan_sequence *s, int64_t max_length, double decay,
                         const sq_stochastic_length *l, seqrec_error *error)
{
    int64_t n = s->n - s->behind, inputs = n - 1 < max_length ? n - 1 : max_length, first = n - 1 - inputs, entered = 0;
    uint64_t counter = (uint64_t)p->sequences * DRAWS;
    if (n < 2) return SEQREC_OK;
    SQ_TRY(reserve(p, memory, inputs, inputs, s->n, error));
    note_seen(p, s);
    int64_t kept = inputs_kept(l, counter, inputs, max_length);
    for (int64_t i = l->newest ? inputs - kept : 0; entered < kept; i++) { /* Knuth, algorithm 3.4.2 S */
        uint64_t left = (uint64_t)(kept - entered);
        if (!l->newest && sq_random_below(l->key, counter + (uint64_t)i, (uint64_t)(inputs - i)) >= left) continue;
        put_events(p, p->tokens + entered, s, first + i, 1, 1);
        p->targets[p->target_count + entered] = s->slots[first + i + 1];
        p->target_tokens[p->target_count + entered] = p->tokens + entered;
        p->weights[p->target_count + entered++] = weight_of(s, first + i + 1, decay);
    }
    enter(p, kept, kept, inputs);
    return SEQREC_OK;
}

/* ---- prefixes --------------------------------------------------------------------------------------------------------- */

/* The events before event `at`, which is the target. */
static void add_prefix(sq_plan *p, const sq_plan_sequence *s, int64_t at, int64_t tokens, double decay)
{
    put_events(p, p->tokens, s, at - tokens, tokens, 1);
    p->targets[p->target_count] = s->slots[at];
    p->target_tokens[p->target_count] = p->tokens + tokens - 1;
    p->weights[p->target_count] = weight_of(s, at, decay);
    enter(p, tokens, 1, 1);
}

int32_t sq_plan_add_prefixes(sq_plan *p, const sq_memory *memory, const sq_plan_sequence *s, int64_t max_length, double decay,
                             int64_t stride, double phase, seqrec_error *error)
{
    int64_t n = s->n - s->behind, first = n - max_length > 1 ? n - max_length : 1, seen = s->n;
    if (n < 2) return SEQREC_OK;
    const int64_t newest = n - 1 - (int64_t)(phase * (double)(n - first < stride ? n - first : stride));
    for (int64_t at = newest; at >= first; at -= stride, seen = 0) {
        int64_t tokens = at < max_length ? at : max_length;
        SQ_TRY(reserve(p, memory, tokens, 1, seen, error));
        if (seen) note_seen(p, s);
        p->seen_starts[p->sequences] = p->seen_count - s->n;
        p->seen_ends[p->sequences] = p->seen_count;
        add_prefix(p, s, at, tokens, decay);
    }
    return SEQREC_OK;
}

/* ---- Cloze ------------------------------------------------------------------------------------------------------------ */

int64_t sq_cloze_masked(double probability, int64_t window)
{
    const int64_t masked = (int64_t)(probability * (double)window + 0.5);
    return masked < 1 ? 1 : masked;
}

/* How many of the window are masked, and from which place on they are chosen. */
static int64_t masked_of(const sq_cloze *c, uint64_t counter, int64_t window, int64_t most, int64_t *first)
{
    int last = sq_random_unit(c->key, counter + DRAWS - 1) < c->last_share;
    *first = last ? window - 1 : 0;
    return last ? 1 : most;
}

/* Of the window behind `before` events: takes each of the places from `first` on with the probability that fills what is missing (Knuth, algorithm 3.4.2 S). */
static void mask_places(sq_plan *p, const sq_cloze *c, const sq_plan_sequence *s, uint64_t counter, int64_t before,
                        int64_t window, int64_t first, int64_t count, double decay)
{
    int64_t to = p->target_count;
    for (int64_t i = first; count > 0; i++) {
        if (sq_random_below(c->key, counter + (uint64_t)i, (uint64_t)(window - i)) >= (uint64_t)count) continue;
        p->targets[to] = p->inputs[p->tokens + i];
        p->weights[to] = weight_of(s, before + i, decay);
        p->target_tokens[to++] = p->tokens + i;
        p->inputs[p->tokens + i] = -1;
        count--;
    }
}

int32_t sq_plan_add_cloze(sq_plan *p, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length,
                          double decay, const sq_cloze *c, seqrec_error *error)
{
    int64_t n = sequence->n - sequence->behind;
    int64_t window = n < max_length ? n : max_length, most = sq_cloze_masked(c->probability, window), first;
    uint64_t counter = (uint64_t)p->sequences * DRAWS;
    if (n < 2) return SEQREC_OK;
    SQ_TRY(reserve(p, memory, window, most, sequence->n, error));
    note_seen(p, sequence);
    put_events(p, p->tokens, sequence, n - window, window, 0);
    int64_t count = masked_of(c, counter, window, most, &first);
    mask_places(p, c, sequence, counter, n - window, window, first, count, decay);
    enter(p, window, count, most);
    return SEQREC_OK;
}

/* ---- micro-batches -------------------------------------------------------------------------------------------------------- */

/* Runs of micro-batches whose tokens are an even share each. */
static void deal_slots(sq_plan *p)
{
    int64_t m = 0;
    for (int32_t s = 0; s < SQ_GRADIENT_SLOTS; s++) {
        p->slot_starts[s] = m;
        while (m < p->micro_count && p->micro[m].first_token + p->micro[m].tokens / 2 <
                                         p->tokens * (s + 1) / SQ_GRADIENT_SLOTS)
            m++;
    }
    p->slot_starts[SQ_GRADIENT_SLOTS] = p->micro_count;
}

static double weight_sum(const sq_plan *p)
{
    double sum = 0;
    for (int64_t i = 0; i < p->target_count; i++) sum += (double)p->weights[i];
    return sum;
}

int sq_plan_weighs_nothing(const sq_plan *p) { return weight_sum(p) < FLT_MIN; }

/* Largest of what targets i .. i + together - 1 weigh, as far as they are before `end`. */
static float heaviest(const sq_plan *p, int64_t i, int64_t end)
{
    float most = 0;
    for (int64_t at = i; at < end && at < i + p->together; at++) most = p->own[at] > most ? p->own[at] : most;
    return most;
}

/* Weights of targets become those of positions with several. */
static int32_t weigh_positions(sq_plan *p, const sq_memory *memory, seqrec_error *error)
{
    if (p->together <= 1) return SEQREC_OK;
    SQ_TRY(GROW(own, 0, p->most_targets));
    for (int64_t i = 0; i < p->target_count; i++) p->own[i] = p->weights[i];
    for (int64_t s = 0; s < p->sequences; s++)
        for (int64_t i = p->target_starts[s]; i < p->target_starts[s + 1]; i++) p->weights[i] = heaviest(p, i, p->target_starts[s + 1]);
    return SEQREC_OK;
}

/* Makes the weights add up to 1. */
static int32_t share_out(sq_plan *p, seqrec_error *error)
{
    double sum = weight_sum(p);
    SQ_CHECK(p->target_count == 0 || sum >= FLT_MIN, error, SEQREC_E_ARGUMENT, "the weights of the %lld targets of the batch add up to %g: at least %g is needed",
             (long long)p->target_count, sum, (double)FLT_MIN);
    float one = 1.0f / (float)sum;
    p->weight = sum;
    p->weighing = 0;
    for (int64_t i = 0; i < p->target_count; i++) p->weighing += p->weights[i] > 0;
    for (int64_t i = 0; i < p->target_count; i++) p->weights[i] *= one;
    for (int64_t i = 0; i < p->target_count && p->together > 1; i++) p->own[i] *= one;
    return SEQREC_OK;
}

int32_t sq_plan_finish(sq_plan *p, const sq_memory *memory, int64_t micro_tokens, seqrec_error *error)
{
    SQ_TRY(weigh_positions(p, memory, error));
    SQ_TRY(share_out(p, error));
    SQ_TRY(GROW(micro, 0, p->sequences));
    p->most_tokens = (int32_t)micro_tokens;
    for (int64_t s = 0; s < p->sequences;) {
        sq_micro m = {.first_sequence = (int32_t)s, .first_token = p->starts[s]};
        m.first_target = p->target_starts[s];
        do {
            int32_t length = (int32_t)(p->starts[s + 1] - p->starts[s]);
            m.tokens += length;
            if (length > m.longest) m.longest = length;
            s++;
        } while (s < p->sequences && m.tokens + (p->starts[s + 1] - p->starts[s]) <= micro_tokens);
        m.sequences = (int32_t)s - m.first_sequence;
        m.targets = (int32_t)(p->target_starts[s] - m.first_target);
        if (m.tokens > p->most_tokens) p->most_tokens = m.tokens;
        p->micro[p->micro_count++] = m;
    }
    deal_slots(p);
    return SEQREC_OK;
}

void sq_plan_free(sq_plan *p, const sq_memory *memory)
{
    sq_free(memory, p->starts);
    sq_free(memory, p->seen_starts);
    sq_free(memory, p->seen_ends);
    sq_free(memory, p->inputs);
    sq_free(memory, p->times);
    sq_free(memory, p->asks);
    sq_free(memory, p->target_starts);
    sq_free(memory, p->targets);
    sq_free(memory, p->weights);
    sq_free(memory, p->own);
    sq_free(memory, p->target_tokens);
    sq_free(memory, p->seen);
    sq_free(memory, p->users);
    sq_free(memory, p->micro);
    memset(p, 0, sizeof *p);
}
