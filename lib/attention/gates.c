/* attention: gates on the probabilities of a sequence. */
#include "attention/gates.h"
#include <math.h>
#include <string.h>

uint64_t sq_gate_panels(size_t n, const float *z)
{
    uint64_t open = 0;
    for (size_t j = 0; j < n; j++) open |= (uint64_t)(z[j] != 0) << (j / SQ_GATE_PANEL);
    return open;
}

static const float *row_of(const sq_gates *g, size_t i)
{
    return g->z + i * g->ld;
}

void sq_gates_fwd(const sq_kernels *k, const sq_gates *g, size_t i, size_t rows, size_t width, float *s)
{
    k->gate_fwd(rows, width, width, g->ld, row_of(g, i), s);
}

void sq_gates_bwd(const sq_kernels *k, const sq_gates *g, size_t i, size_t rows, size_t width, float keep_scale,
                  const float *kept, float *d)
{
    k->gate_bwd(rows, width, width, g->ld, keep_scale, kept, row_of(g, i), g->dz ? g->dz + i * g->ld : NULL, d);
}

static uint64_t open_panels(const sq_gates *g, size_t i, size_t rows)
{
    uint64_t open = 0;
    if (!g->open) return ~open;
    for (size_t r = 0; r < rows; r++) open |= g->open[i + r];
    return open;
}

int sq_gates_closed(const sq_gates *g, size_t i, size_t rows)
{
    return open_panels(g, i, rows) == 0;
}

/* One product for each run of open panels: the chain over the keys goes on from one to the next. */
void sq_gates_values(const sq_kernels *k, const sq_gates *g, size_t i, size_t rows, size_t end, const float *s,
                     size_t width, const float *v, size_t ld_v, size_t padded, float *out, size_t ld_out)
{
    const uint64_t open = open_panels(g, i, rows);
    const size_t last = (g->first + end - 1) / SQ_GATE_PANEL;
    int begun = 0;
    for (size_t p = g->first / SQ_GATE_PANEL; p <= last; p++) {
        size_t from = p * SQ_GATE_PANEL;
        if (!(open >> p & 1)) continue;
        while (p < last && open >> (p + 1) & 1) p++;
        size_t to = (p + 1) * SQ_GATE_PANEL - g->first;
        from = from > g->first ? from - g->first : 0;
        if (to > end) to = end;
        sq_gemm(k, rows, padded, to - from, s + from, width, 1, v + from * ld_v, ld_v, out, ld_out, begun);
        begun = 1;
    }
    for (size_t r = 0; !begun && r < rows; r++) memset(out + r * ld_out, 0, padded * sizeof *out);
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

double sq_gate_logistic(double phi)
{
    return 1.0 / (1.0 + exp(-phi));
}

float sq_gate_settled(float phi)
{
    double g = sq_gate_logistic(phi);
    return g > 0.5 ? (float)g : 0;
}

#define LOW -0.1f
#define STRETCH 1.2f
#define SHARPNESS 1.5f /* 1 / temperature */

static float cut(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* s = 1 / (1 + ((1 - u) / u)^1.5 exp(-1.5 phi)) is the logistic of (log u - log(1 - u) + phi) * 1.5. */
void sq_gates_concrete(const sq_kernels *k, size_t n, const float *phi, const float *u, float *z, float *slope,
                       float *work)
{
    for (size_t j = 0; j < n; j++) work[j] = -SHARPNESS * phi[j];
    k->exp(n, work, work);
    for (size_t j = 0; j < n; j++) {
        float odds = (1.0f - u[j]) / u[j], s = 1.0f / (1.0f + odds * sqrtf(odds) * work[j]);
        float stretched = s * STRETCH + LOW;
        z[j] = cut(stretched);
        if (slope) slope[j] = stretched > 0 && stretched < 1 ? STRETCH * SHARPNESS * s * (1.0f - s) : 0;
    }
}

void sq_gates_concrete_settled(const sq_kernels *k, size_t n, const float *phi, float *z, float *work)
{
    for (size_t j = 0; j < n; j++) work[j] = -phi[j];
    k->exp(n, work, work);
    for (size_t j = 0; j < n; j++) z[j] = cut(STRETCH / (1.0f + work[j]) + LOW);
}
