/* bench: attention of one head with closed gates, as a ratio to attention without gates in the same process. Closed gates keep
 * their share of the softmax, so that only their values are spared, and scores where a whole block of rows is closed.
 * One JSON object per line on stdout. */
#include <string.h>
#include "attention/attention.h"
#include "benchtool.h"

enum { LONGEST = 200, WIDTH = 64, LD = 208, BURSTS = 60 };

typedef struct bench {
    const sq_kernels *kernels;
    size_t length;
    float q[LONGEST * WIDTH], k[LONGEST * WIDTH], v[LONGEST * WIDTH], out[LONGEST * WIDTH];
    float z[LONGEST * LD + 16];
    uint64_t open[LONGEST];
    sq_gates gates;
    sq_head_scratch scratch;
} bench;

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Closes `closed` of the gates: those of the oldest keys, or any. Returns the share that is closed. */
static double close_gates(bench *b, double closed, int old)
{
    uint32_t state = 7;
    int64_t shut = 0, all = 0;
    for (size_t i = 0; i < b->length; i++) {
        for (size_t j = 0; j <= i; j++) {
            double place = old ? (double)j / (double)(i + 1) : (double)draw(&state) / (1 << 24);
            b->z[i * LD + j] = place < closed ? 0 : 1;
            shut += b->z[i * LD + j] == 0;
            all++;
        }
        b->open[i] = sq_gate_panels(i + 1, b->z + i * LD);
    }
    return (double)shut / (double)all;
}

static double seconds_of(bench *b, const sq_gates *gates, int64_t times)
{
    sq_head head = {.length = b->length, .width = WIDTH, .padded = WIDTH, .ld = WIDTH, .q = b->q, .k = b->k, .v = b->v};
    head.dropout.scale = 1;
    head.gates = gates;
    const double start = bench_now();
    for (int64_t i = 0; i < times; i++) sq_head_fwd(b->kernels, &head, 0, b->out, WIDTH, NULL, &b->scratch);
    return (bench_now() - start) / (double)times;
}

/* The best of short bursts that take turns: what the core does when nothing disturbs it. */
static void report(bench *b, const char *name, double closed)
{
    double with = 1e300, without = 1e300;
    const int64_t times = 1 + (int64_t)(3e-4 / (seconds_of(b, NULL, 3) + 1e-9));
    for (int i = 0; i < BURSTS; i++) {
        const double plain = seconds_of(b, NULL, times), gated = seconds_of(b, &b->gates, times);
        if (plain < without) without = plain;
        if (gated < with) with = gated;
    }
    printf("{\"bench\":\"gates\",\"name\":\"%s\",\"length\":%d,\"dim\":%d,\"closed\":%.3f,\"ratio\":%.3f}\n", name,
           (int)b->length, WIDTH, closed, with / without);
    fflush(stdout);
}

int main(void)
{
    static bench b;
    static const size_t lengths[] = {50, LONGEST};
    static const double shares[] = {0, 0.5, 0.75, 0.9, 1};
    sq_memory memory;
    sq_arena arena = {0};
    uint32_t state = 1;
    bench_must(sq_memory_init(&memory, NULL, &bench_failure));
    b.kernels = sq_kernels_best();
    for (size_t i = 0; i < LONGEST * WIDTH; i++) {
        b.q[i] = (float)draw(&state) / (1 << 23) - 1;
        b.k[i] = (float)draw(&state) / (1 << 23) - 1;
        b.v[i] = (float)draw(&state) / (1 << 23) - 1;
    }
    b.gates = (sq_gates){.z = b.z, .ld = LD, .open = b.open};
    sq_head_scratch_take(&arena, LONGEST, WIDTH, 0, 0, &b.scratch);
    bench_must(sq_arena_reserve(&arena, &memory, arena.peak, &bench_failure));
    arena.used = 0;
    sq_head_scratch_take(&arena, LONGEST, WIDTH, 0, 0, &b.scratch);
    for (size_t l = 0; l < 2; l++) {
        b.length = lengths[l];
        for (size_t s = 0; s < 5; s++) {
            double closed = close_gates(&b, shares[s], 1);
            report(&b, "oldest keys closed", closed);
            closed = close_gates(&b, shares[s], 0);
            if (shares[s] > 0 && shares[s] < 1) report(&b, "scattered gates closed", closed);
        }
    }
    sq_arena_free(&arena, &memory);
    return EXIT_SUCCESS;
}
