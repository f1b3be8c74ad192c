/* train: position gates of a step: drawing them, and the gradient of their parameters. One draw holds for the whole batch. */
#include "base/rng.h"
#include "train/trainer.h"

/* Rows of all blocks, one task each. */
typedef struct gate_job {
    sq_trainer *trainer;
    int32_t antithetic;
    double loss, other;
    float *grads;
} gate_job;

/* Uniform numbers of gates 0 .. row of a row, from (seed, step, block, entry). */
static void uniforms(const sq_trainer *t, int32_t task, float *u)
{
    uint64_t key = sq_random_key((uint64_t)t->options.seed, SQ_STREAM_GATES, (uint64_t)t->step);
    uint64_t first = (uint64_t)task * (uint64_t)t->model->layout.length;
    int32_t row = task % t->model->layout.length;
    for (int32_t j = 0; j <= row; j++) u[j] = sq_gate_uniform(sq_random64(key, first + (uint64_t)j));
}

static size_t place_of(const sq_layout *l, int32_t task)
{
    return l->block[task / l->length].gates + (size_t)(task % l->length) * (size_t)l->lp;
}

static void draw_row(void *arg, int32_t task, int32_t worker)
{
    const gate_job *job = arg;
    sq_trainer *t = job->trainer;
    const sq_layout *l = &t->model->layout;
    int32_t block = task / l->length, row = task % l->length;
    const float *phi = t->weights + place_of(l, task);
    float u[SQ_GATED_LENGTH], work[SQ_GATED_LENGTH], *z = sq_gate_row(&t->gates, l, block, row);
    (void)worker;
    uniforms(t, task, u);
    if (t->options.gate_estimator == SQ_GATES_BY_HARD_CONCRETE)
        sq_gates_concrete(t->kernels, (size_t)row + 1, phi, u, z, NULL, work);
    else
        for (int32_t j = 0; j <= row; j++)
            z[j] = job->antithetic ? u[j] > sq_gate_logistic(-(double)phi[j]) : u[j] < sq_gate_logistic((double)phi[j]);
    sq_gate_row_done(&t->gates, l, block, row);
}

/* Derivative of the expected number of open gates by the logit of one. */
static float opening(double logit)
{
    double open = sq_gate_logistic(logit);
    return (float)(open * (1 - open));
}

/* dz in g becomes the gradient by phi. */
static void concrete_row(const sq_trainer *t, int32_t task, int32_t n, const float *u, float *g)
{
    const float *phi = t->weights + place_of(&t->model->layout, task);
    float z[SQ_GATED_LENGTH], slope[SQ_GATED_LENGTH], work[SQ_GATED_LENGTH], l0 = (float)t->options.gate_l0;
    sq_gates_concrete(t->kernels, (size_t)n, phi, u, z, slope, work);
    for (int32_t j = 0; j < n; j++) g[j] = g[j] * slope[j] + l0 * opening((double)(phi[j] + SQ_CONCRETE_SHIFT));
}

/* ARM: (L(u > g(-phi)) - L(u < g(phi))) (u - 1/2) (Yin and Zhou 2019); AR: L(u < g(phi)) (1 - 2 u). Gates that no sequence of
 * the batch reaches do not move the loss: their share is zero, not noise around it. */
static void binary_row(const gate_job *job, int32_t task, int32_t n, const float *u, float *g)
{
    const sq_trainer *t = job->trainer;
    const sq_layout *l = &t->model->layout;
    const float *phi = t->weights + place_of(l, task);
    int32_t longest = (int32_t)t->plan.longest, first = sq_gate_first(l, &t->options, longest);
    double by_u = t->options.gate_estimator == SQ_GATES_BY_ARM ? job->other - job->loss : -2 * job->loss;
    for (int32_t j = 0; j < n; j++) {
        int used = j >= first && n <= first + longest;
        g[j] = (used ? (float)(by_u * ((double)u[j] - 0.5)) : 0) + (float)t->options.gate_l0 * opening((double)phi[j]);
    }
}

static void gradient_row(void *arg, int32_t task, int32_t worker)
{
    const gate_job *job = arg;
    sq_trainer *t = job->trainer;
    const sq_layout *l = &t->model->layout;
    int32_t n = task % l->length + 1;
    float u[SQ_GATED_LENGTH], *g = job->grads + place_of(l, task);
    (void)worker;
    uniforms(t, task, u);
    if (t->options.gate_estimator == SQ_GATES_BY_HARD_CONCRETE)
        concrete_row(t, task, n, u, g);
    else
        binary_row(job, task, n, u, g);
}

static void for_each_row(sq_trainer *t, void (*body)(void *arg, int32_t task, int32_t worker), gate_job *job)
{
    const sq_layout *l = &t->model->layout;
    if (t->gates.z) sq_parallel(t->context->pool, l->blocks * l->length, body, job);
}

void sq_step_gates(sq_trainer *t, int32_t antithetic)
{
    gate_job job = {.trainer = t, .antithetic = antithetic};
    for_each_row(t, draw_row, &job);
}

void sq_step_gate_gradient(sq_trainer *t, double loss, double other, float *grads)
{
    gate_job job = {.trainer = t, .loss = loss, .other = other, .grads = grads};
    for_each_row(t, gradient_row, &job);
}
