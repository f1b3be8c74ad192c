/* train: the directions of a step's buckets: drawn anew in each step, functions of (seed, step, bucket, element). */
#include "base/rng.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

/* A pivot below this part of its diagonal element is rounding. */
#define SINGULAR 1e-5f

void sq_bucket_factor(const sq_kernels *kernels, size_t n, size_t ld, float *gram, float *diagonal)
{
    for (size_t i = 0; i < n; i++) diagonal[i] = gram[i * ld + i];
    for (size_t i = 0; i < n; i++) {
        float *row = gram + i * ld, pivot = row[i];
        memset(row, 0, i * sizeof *row);
        if (!(pivot > SINGULAR * diagonal[i])) {
            memset(row, 0, ld * sizeof *row);
            continue;
        }
        kernels->scale(ld, 1.0f / sqrtf(pivot), row, row);
        for (size_t j = i + 1; j < n; j++) kernels->axpy(ld, -row[j], row, gram + j * ld);
    }
}

/* Standard normal numbers times dim^-1/4. */
static void draw(void *arg, int32_t bucket, int32_t worker)
{
    sq_trainer *t = arg;
    sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp, vd = (size_t)t->model->layout.vd;
    float *to = (t->options.sce_mix ? b->drawn : b->directions) + (size_t)bucket * vp;
    uint64_t key = sq_random_key((uint64_t)t->options.seed, SQ_STREAM_BUCKETS, (uint64_t)t->step);
    double scale = 1 / sqrt(sqrt((double)vd));
    (void)worker;
    memset(to, 0, vp * sizeof *to);
    for (size_t i = 0; i < vd; i++)
        to[i] = (float)(scale * sq_random_normal(key, (uint64_t)bucket * (uint64_t)vd + (uint64_t)i));
}

/* 16 rows of the outputs' inner products by element, sum_i u_i u_i^T. */
static void gram_rows(void *arg, int32_t task, int32_t worker)
{
    sq_trainer *t = arg;
    size_t vp = (size_t)t->model->layout.vp, first = (size_t)task * 16;
    (void)worker;
    sq_gemm(t->kernels, 16, vp, (size_t)t->plan.target_count, t->u + first, 1, vp, t->u, vp,
            t->buckets.factor + first * vp, vp, 0);
}

/* A mixture of the outputs X with standard normal weights w is X^T w, which is normal with the covariance X^T X = U^T U:
 * so is U^T z, z a standard normal vector as short as an output. */
static void mix(sq_trainer *t)
{
    sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp, vd = (size_t)t->model->layout.vd;
    sq_parallel(t->context->pool, (int32_t)(vp / 16), gram_rows, t);
    sq_bucket_factor(t->kernels, vd, vp, b->factor, b->best);
    sq_gemm(t->kernels, b->count, vp, vd, b->drawn, vp, 1, b->factor, vp, b->directions, vp, 0);
}

void sq_step_bucket_directions(sq_trainer *t)
{
    sq_buckets *b = &t->buckets;
    size_t vp = (size_t)t->model->layout.vp;
    sq_parallel(t->context->pool, (int32_t)b->count, draw, t);
    if (t->options.sce_mix) mix(t);
    t->kernels->transpose(b->count, vp, b->directions, vp, b->across, b->padded);
}
