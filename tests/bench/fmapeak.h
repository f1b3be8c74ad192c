/* bench: the most float32 arithmetic the cores do: independent multiply-adds that never leave the registers. */
#ifndef FMAPEAK_H
#define FMAPEAK_H
#include <pthread.h>
#include <stdint.h>
#include "benchtool.h"

/* Twelve chains hide the latency of every processor with two units of five cycles, and fit in sixteen registers. */
#define FMA_EACH(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11)
#define FMA_CHAINS 12
#define FMA_SUM(i) +a##i

typedef struct fma_isa {
    const char *name;
    int32_t lanes;
    float (*loop)(int64_t rounds, float factor, float term); /* rounds * FMA_CHAINS * lanes * 2 operations */
} fma_isa;

typedef float fma_four __attribute__((vector_size(16)));

/* Every processor: a product and a sum (the project forbids the compiler to contract them). */
static float fma_loop_base(int64_t rounds, float factor, float term)
{
    fma_four f = {factor, factor, factor, factor}, t = {term, term, term, term};
#define FMA_BEGIN(i) fma_four a##i = t * (float)(i + 1);
#define FMA_STEP(i) a##i = a##i * f + t;
    FMA_EACH(FMA_BEGIN)
    for (int64_t r = 0; r < rounds; r++) {
        FMA_EACH(FMA_STEP)
    }
    fma_four sum = t FMA_EACH(FMA_SUM);
    return sum[0] + sum[3];
}
#undef FMA_BEGIN
#undef FMA_STEP

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float fma_loop_avx2(int64_t rounds, float factor, float term)
{
    __m256 f = _mm256_set1_ps(factor), t = _mm256_set1_ps(term);
#define FMA_BEGIN(i) __m256 a##i = _mm256_set1_ps(term * (float)(i + 1));
#define FMA_STEP(i) a##i = _mm256_fmadd_ps(a##i, f, t);
    FMA_EACH(FMA_BEGIN)
    for (int64_t r = 0; r < rounds; r++) {
        FMA_EACH(FMA_STEP)
    }
    return _mm256_cvtss_f32(t FMA_EACH(FMA_SUM));
}
#undef FMA_BEGIN
#undef FMA_STEP

__attribute__((target("avx512f"))) static float fma_loop_avx512(int64_t rounds, float factor, float term)
{
    __m512 f = _mm512_set1_ps(factor), t = _mm512_set1_ps(term);
#define FMA_BEGIN(i) __m512 a##i = _mm512_set1_ps(term * (float)(i + 1));
#define FMA_STEP(i) a##i = _mm512_fmadd_ps(a##i, f, t);
    FMA_EACH(FMA_BEGIN)
    for (int64_t r = 0; r < rounds; r++) {
        FMA_EACH(FMA_STEP)
    }
    return _mm512_cvtss_f32(t FMA_EACH(FMA_SUM));
}
#undef FMA_BEGIN
#undef FMA_STEP
#endif

#if defined(__aarch64__)
#include <arm_neon.h>

static float fma_loop_neon(int64_t rounds, float factor, float term)
{
    float32x4_t f = vdupq_n_f32(factor), t = vdupq_n_f32(term);
#define FMA_BEGIN(i) float32x4_t a##i = vdupq_n_f32(term * (float)(i + 1));
#define FMA_STEP(i) a##i = vfmaq_f32(t, a##i, f);
    FMA_EACH(FMA_BEGIN)
    for (int64_t r = 0; r < rounds; r++) {
        FMA_EACH(FMA_STEP)
    }
    return vgetq_lane_f32(t FMA_EACH(FMA_SUM), 0);
}
#undef FMA_BEGIN
#undef FMA_STEP
#endif

#define FMA_ISAS 3
/* Fills out[FMA_ISAS] with what this processor has; returns how many. */
static inline int32_t fma_isas(fma_isa *out)
{
    int32_t n = 0;
    out[n++] = (fma_isa){"base", 4, fma_loop_base};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[n++] = (fma_isa){"avx2", 8, fma_loop_avx2};
    if (__builtin_cpu_supports("avx512f")) out[n++] = (fma_isa){"avx512", 16, fma_loop_avx512};
#elif defined(__aarch64__)
    out[n++] = (fma_isa){"neon", 4, fma_loop_neon};
#endif
    return n;
}

typedef struct fma_thread {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const fma_isa *isa;
    int64_t rounds;
    double start, end;
    volatile float result;
} fma_thread;

static inline void *fma_run(void *arg)
{
    fma_thread *t = arg;
    volatile float factor = 0.999f, term = 0.001f; /* unknown to the compiler */
    pthread_barrier_wait(t->barrier);
    t->start = bench_now();
    t->result = t->isa->loop(t->rounds, factor, term);
    t->end = bench_now();
    return NULL;
}

#define FMA_THREADS 64
/* One burst on all threads at once; floating-point operations per second. */
static inline double fma_burst(const fma_isa *isa, int32_t threads, int64_t rounds)
{
    static fma_thread team[FMA_THREADS];
    pthread_barrier_t barrier;
    double start = 1e300, end = 0;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int32_t i = 0; i < threads; i++) {
        team[i] = (fma_thread){.barrier = &barrier, .isa = isa, .rounds = rounds};
        if (pthread_create(&team[i].thread, NULL, fma_run, &team[i]) != 0) exit(EXIT_FAILURE);
    }
    for (int32_t i = 0; i < threads; i++) {
        pthread_join(team[i].thread, NULL);
        if (team[i].start < start) start = team[i].start;
        if (team[i].end > end) end = team[i].end;
    }
    pthread_barrier_destroy(&barrier);
    return (double)threads * (double)rounds * FMA_CHAINS * isa->lanes * 2 / (end - start);
}

/* The best of several bursts of some milliseconds: what the machine can do when nothing disturbs it. */
static inline double fma_peak(const fma_isa *isa, int32_t threads)
{
    double best = 0;
    if (threads > FMA_THREADS) threads = FMA_THREADS;
    for (int32_t i = 0; i < 15; i++) {
        double rate = fma_burst(isa, threads, 4000000);
        if (rate > best) best = rate;
    }
    return best;
}

/* The peak of the instruction set that is fastest here. */
static inline double fma_best_peak(int32_t threads)
{
    fma_isa isas[FMA_ISAS];
    int32_t n = fma_isas(isas);
    double best = 0;
    for (int32_t i = 0; i < n; i++) {
        double rate = fma_peak(&isas[i], threads);
        if (rate > best) best = rate;
    }
    return best;
}
#endif
