/* attention: gates that the two events decide. */
#include "attention/contentgates.h"
#include "base/rng.h"
#include <math.h>
#include <string.h>

void sq_content_scratch_take(sq_arena *arena, size_t longest, size_t padded, int32_t training, sq_content_scratch *out)
{
    size_t ld = sq_round16(longest), square = longest * ld;
    out->keys = SQ_TAKE(arena, float, padded *ld);
    out->z = SQ_TAKE(arena, float, square);
    out->phi = SQ_TAKE(arena, float, square);
    out->slope = SQ_TAKE(arena, float, training ? square : 0);
    out->dz = SQ_TAKE(arena, float, training ? square : 0);
    out->u = SQ_TAKE(arena, float, ld);
    out->work = SQ_TAKE(arena, float, ld);
    out->open = SQ_TAKE(arena, uint64_t, longest);
}

static float inverse_root(const sq_content_gates *g)
{
    return 1.0f / sqrtf((float)g->rank);
}

/* Gates of token t from the inner products in its row of phi, which become logits. */
static void gate_row(const sq_kernels *k, const sq_content_gates *g, size_t t, sq_content_scratch *s, float *slope)
{
    size_t n = t + 1, ld = sq_round16(g->length);
    float *phi = s->phi + t * ld, *z = s->z + t * ld;
    for (size_t j = 0; j < n; j++) phi[j] = g->bias + phi[j] * inverse_root(g);
    if (g->drawn) {
        for (size_t j = 0; j < n; j++)
            s->u[j] = sq_gate_uniform(sq_random64(g->key, (g->row + t) * SQ_GATED_LENGTH + j));
        sq_gates_concrete(k, n, phi, s->u, z, slope, s->work);
    } else {
        sq_gates_concrete_settled(k, n, phi, z, s->work);
    }
    memset(z + n, 0, (ld - n) * sizeof *z);
    s->open[t] = sq_gate_panels(n, z);
}

static void gate_rows(const sq_kernels *k, const sq_content_gates *g, size_t from, sq_content_scratch *s, float *slope)
{
    size_t ld = sq_round16(g->length), both = 2 * g->padded;
    k->transpose(g->length, g->padded, g->sides + g->padded, both, s->keys, ld);
    sq_gemm(k, g->length - from, ld, g->rank, g->sides + from * both, both, 1, s->keys, ld, s->phi + from * ld, ld, 0);
    for (size_t t = from; t < g->length; t++) gate_row(k, g, t, s, slope ? slope + t * ld : NULL);
}

sq_gates sq_content_gates_fwd(const sq_kernels *k, const sq_content_gates *g, size_t from, sq_content_scratch *s)
{
    gate_rows(k, g, from, s, NULL);
    return (sq_gates){.z = s->z, .ld = sq_round16(g->length), .open = s->open};
}

int64_t sq_content_gates_open(const sq_content_gates *g, size_t from, const sq_content_scratch *s)
{
    int64_t open = 0;
    for (size_t t = from; t < g->length; t++)
        for (size_t j = 0; j <= t; j++) open += s->z[t * sq_round16(g->length) + j] != 0;
    return open;
}

sq_gates sq_content_gates_again(const sq_kernels *k, const sq_content_gates *g, sq_content_scratch *s)
{
    size_t ld = sq_round16(g->length);
    gate_rows(k, g, 0, s, s->slope);
    memset(s->dz, 0, g->length * ld * sizeof *s->dz);
    return (sq_gates){.z = s->z, .dz = s->dz, .ld = ld, .open = s->open};
}

/* dz of token t becomes dphi / sqrt(rank); returns the sum of dphi. */
static double slope_row(const sq_content_gates *g, float l0, size_t t, sq_content_scratch *s)
{
    size_t ld = sq_round16(g->length), at = t * ld;
    double sum = 0;
    for (size_t j = 0; j <= t; j++) {
        double open = l0 > 0 ? sq_gate_logistic((double)(s->phi[at + j] + SQ_CONCRETE_SHIFT)) : 0;
        float dphi = s->dz[at + j] * s->slope[at + j] + l0 * (float)(open * (1 - open));
        s->dz[at + j] = dphi * inverse_root(g);
        sum += (double)dphi;
    }
    memset(s->dz + at + t + 1, 0, (ld - t - 1) * sizeof *s->dz);
    return sum;
}

void sq_content_gates_bwd(const sq_kernels *k, const sq_content_gates *g, float l0, sq_content_scratch *s,
                          float *dsides, float *dbias)
{
    size_t n = g->length, ld = sq_round16(n), p = g->padded;
    double sum = 0;
    for (size_t t = 0; t < n; t++) sum += slope_row(g, l0, t, s);
    *dbias += (float)sum;
    sq_gemm(k, n, p, n, s->dz, ld, 1, g->sides + p, 2 * p, dsides, 2 * p, 0);
    sq_gemm(k, n, p, n, s->dz, 1, ld, g->sides, 2 * p, dsides + p, 2 * p, 0);
}
