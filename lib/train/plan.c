/* train: packing a batch and dealing it into micro-batches. */
#include "train/plan.h"
#include <string.h>

void sq_plan_clear(sq_plan *p)
{
    p->tokens = p->sequences = p->seen_count = p->micro_count = p->longest = p->most_tokens = 0;
    p->user = -1;
}

#define GROW(array, used, count)                                                                                       \
    sq_grow(memory, (void **)&p->array, &p->array##_capacity, (size_t)(used), (size_t)(count), sizeof *p->array, error)

/* Weights of the targets of the last t events. */
static void weigh(const sq_plan_sequence *s, int64_t t, double decay, float *weights)
{
    double factor = 1;
    for (int64_t a = 0; a < t; a++, factor *= decay)
        weights[t - 1 - a] = (float)((s->weights ? (double)s->weights[s->n - 1 - a] : 1) * factor);
}

int32_t sq_plan_add(sq_plan *p, const sq_memory *memory, const sq_plan_sequence *sequence, int64_t max_length, double decay,
                    seqrec_error *error)
{
    const int32_t *slots = sequence->slots;
    int64_t n = sequence->n, window = n < max_length + 1 ? n : max_length + 1, t = window - 1;
    if (n < 2) return SEQREC_OK;
    SQ_TRY(GROW(starts, p->sequences ? p->sequences + 1 : 0, p->sequences + 2));
    SQ_TRY(GROW(seen_starts, p->sequences ? p->sequences + 1 : 0, p->sequences + 2));
    SQ_TRY(GROW(inputs, p->tokens, p->tokens + t));
    SQ_TRY(GROW(targets, p->tokens, p->tokens + t));
    SQ_TRY(GROW(weights, p->tokens, p->tokens + t));
    SQ_TRY(GROW(seen, p->seen_count, p->seen_count + n));
    SQ_TRY(GROW(users, p->sequences, p->sequences + 1));
    memcpy(p->inputs + p->tokens, slots + n - window, (size_t)t * sizeof *slots);
    memcpy(p->targets + p->tokens, slots + n - t, (size_t)t * sizeof *slots);
    weigh(sequence, t, decay, p->weights + p->tokens);
    memcpy(p->seen + p->seen_count, slots, (size_t)n * sizeof *slots);
    p->users[p->sequences] = p->user;
    p->starts[p->sequences] = p->tokens;
    p->seen_starts[p->sequences] = p->seen_count;
    p->sequences++;
    p->starts[p->sequences] = p->tokens += t;
    p->seen_starts[p->sequences] = p->seen_count += n;
    if (t > p->longest) p->longest = t;
    return SEQREC_OK;
}

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

/* Makes the weights add up to 1. */
static int32_t share_out(sq_plan *p, seqrec_error *error)
{
    double sum = 0;
    for (int64_t i = 0; i < p->tokens; i++) sum += (double)p->weights[i];
    SQ_CHECK(p->tokens == 0 || sum > 0, error, SEQREC_E_ARGUMENT, "all %lld targets of the batch have weight 0",
             (long long)p->tokens);
    float one = 1.0f / (float)sum;
    for (int64_t i = 0; i < p->tokens; i++) p->weights[i] *= one;
    return SEQREC_OK;
}

int32_t sq_plan_finish(sq_plan *p, const sq_memory *memory, int64_t micro_tokens, seqrec_error *error)
{
    SQ_TRY(share_out(p, error));
    SQ_TRY(GROW(micro, 0, p->sequences));
    p->most_tokens = (int32_t)micro_tokens;
    for (int64_t s = 0; s < p->sequences;) {
        sq_micro m = {.first_sequence = (int32_t)s, .first_token = p->starts[s]};
        do {
            int32_t length = (int32_t)(p->starts[s + 1] - p->starts[s]);
            m.tokens += length;
            if (length > m.longest) m.longest = length;
            s++;
        } while (s < p->sequences && m.tokens + (p->starts[s + 1] - p->starts[s]) <= micro_tokens);
        m.sequences = (int32_t)s - m.first_sequence;
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
    sq_free(memory, p->inputs);
    sq_free(memory, p->targets);
    sq_free(memory, p->weights);
    sq_free(memory, p->seen);
    sq_free(memory, p->users);
    sq_free(memory, p->micro);
    memset(p, 0, sizeof *p);
}
