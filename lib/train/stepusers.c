/* train: the users' share of a step: who counts as somebody else, and their rows' gradient and update. */
#include "base/rng.h"
#include "train/trainer.h"

/* ---- stochastic shared embeddings (SSE-PT, Wu et al., RecSys 2020) ---------------------------------------------------- */

static int32_t random_row(const sq_trained *table, uint64_t key, uint64_t counter)
{
    return table->live[sq_random_below(key, counter, (uint64_t)table->live_count)];
}

/* From the newest event backwards, as the paper's sampler: an event that is replaced becomes one random item as input and
 * another as its own target; the event before it then predicts the new one. */
static void share_items(sq_trainer *t, uint64_t key)
{
    sq_plan *p = &t->plan;
    for (int64_t s = 0; s < p->sequences; s++) {
        int32_t next = p->targets[p->starts[s + 1] - 1];
        for (int64_t i = p->starts[s + 1] - 1; i >= p->starts[s]; i--) {
            uint64_t at = 4 * (uint64_t)i;
            if (sq_random_unit(key, at) < t->options.sse_item) {
                p->inputs[i] = random_row(&t->items, key, at + 1);
                next = random_row(&t->items, key, at + 2);
            }
            p->targets[i] = next;
            next = p->inputs[i];
        }
    }
}

static void share_users(sq_trainer *t, uint64_t key)
{
    sq_plan *p = &t->plan;
    for (int64_t s = 0; s < p->sequences; s++) {
        uint64_t at = 4 * (uint64_t)p->tokens + 3 * (uint64_t)s;
        if (t->users.live_count > 0 && sq_random_unit(key, at) < t->options.sse_user)
            p->users[s] = random_row(&t->users, key, at + 1);
        if (sq_random_unit(key, at + 2) < t->options.user_default_share) p->users[s] = -1;
    }
}

/* Counters of the step's stream: four for each token, and behind them three for each sequence. */
void sq_step_share(sq_trainer *t)
{
    uint64_t key = sq_random_key((uint64_t)t->options.seed, SQ_STREAM_SHARE, (uint64_t)t->step);
    if (t->options.sse_item > 0) share_items(t, key);
    if (sq_trainer_personal(t)) share_users(t, key);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

int32_t sq_step_users(sq_trainer *t, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    size_t sequences = (size_t)t->plan.sequences, up = (size_t)t->model->layout.up;
    if (!sq_trainer_personal(t)) return SEQREC_OK;
    SQ_TRY(SQ_GROW(memory, t->duser, 0, sequences * up, error));
    SQ_TRY(sq_row_entries_reserve(&t->user_entries, memory, sequences, error));
    t->user_entries.count = sequences;
    for (size_t s = 0; s < sequences; s++) t->user_entries.slots[s] = t->plan.users[s];
    sq_row_entries_sort(&t->user_entries, t->context->pool, sq_trained_end(&t->users));
    sq_row_entries_carry(&t->user_entries, t->context->pool, NULL, 0, 0);
    return SEQREC_OK;
}

typedef struct user_job {
    sq_trainer *trainer;
    const sq_adam *rule; /* NULL: norms only */
} user_job;

/* Sums the gradients of each user's sequences, in order, and spends them. */
static void user_part(void *arg, int32_t part, int32_t worker)
{
    const user_job *job = arg;
    sq_trainer *t = job->trainer;
    const sq_row_entries *e = &t->user_entries;
    size_t up = (size_t)t->model->layout.up, end = e->part_starts[part + 1];
    float g[SQ_MOST_DIM + 16];
    (void)worker;
    t->part_norm[part] = 0;
    for (size_t i = e->part_starts[part]; i < end;) {
        int32_t slot = sq_row_slot(e, i);
        t->kernels->scale(up, 1, t->duser + (size_t)sq_row_entry_at(e, i)->number * up, g);
        for (i++; i < end && sq_row_slot(e, i) == slot; i++)
            t->kernels->add(up, t->duser + (size_t)sq_row_entry_at(e, i)->number * up, g);
        if (job->rule)
            sq_trained_update(&t->users, t->kernels, job->rule, slot, g, t->step + 1);
        else
            t->part_norm[part] += (double)t->kernels->dot(up, g, g);
    }
}

static void walk_users(sq_trainer *t, const sq_adam *rule)
{
    user_job job = {t, rule};
    sq_parallel(t->context->pool, t->user_entries.parts, user_part, &job);
}

double sq_step_user_norm(sq_trainer *t)
{
    double sum = 0;
    if (!sq_trainer_personal(t)) return 0;
    walk_users(t, NULL);
    for (int32_t p = 0; p < t->user_entries.parts; p++) sum += t->part_norm[p];
    return sum;
}

void sq_step_update_users(sq_trainer *t, const sq_adam *rule)
{
    if (sq_trainer_personal(t)) walk_users(t, rule);
}
