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

int32_t sq_plan_add(sq_plan *p, const sq_memory *memory, const int32_t *slots, int64_t n, int64_t max_length,
                    seqrec_error *error)
{
    int64_t window = n < max_length + 1 ? n : max_length + 1, t = window - 1;
    if (n < 2) return SEQREC_OK;
    SQ_TRY(GROW(starts, p->sequences ? p->sequences + 1 : 0, p->sequences + 2));
    SQ_TRY(GROW(seen_starts, p->sequences ? p->sequences + 1 : 0, p->sequences + 2));
    SQ_TRY(GROW(inputs, p->tokens, p->tokens + t));
    SQ_TRY(GROW(targets, p->tokens, p->tokens + t));
    SQ_TRY(GROW(seen, p->seen_count, p->seen_count + n));
    SQ_TRY(GROW(users, p->sequences, p->sequences + 1));
    memcpy(p->inputs + p->tokens, slots + n - window, (size_t)t * sizeof *slots);
    memcpy(p->targets + p->tokens, slots + n - t, (size_t)t * sizeof *slots);
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

int32_t sq_plan_finish(sq_plan *p, const sq_memory *memory, int64_t micro_tokens, seqrec_error *error)
{
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
    sq_free(memory, p->seen);
    sq_free(memory, p->users);
    sq_free(memory, p->micro);
    memset(p, 0, sizeof *p);
}
