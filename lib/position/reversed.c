/* position: the position of an item counted back from each prediction, in one pass ("Revisiting Self-Attentive Sequential
 * Recommendation", section 4.1): every event has p[0] at the input, and the rest of its position is a term of keys and values by
 * distance, whose tables are the positions' own projections. */
#include "position/scheme.h"
#include "tensor/gemm.h"
#include <string.h>

/* Turns rows 0 .. n - 1 round. */
static void reverse_rows(size_t n, size_t ld, float *x)
{
    for (size_t i = 0; i < n / 2; i++)
        for (size_t c = 0; c < ld; c++) {
            float *a = x + i * ld + c, *b = x + (n - 1 - i) * ld + c, kept = *a;
            *a = *b;
            *b = kept;
        }
}

void sq_reversed_fwd(const sq_kernels *k, size_t rows, size_t dp, size_t hp, const float *positions, const float *weights, size_t ld,
                     float *table)
{
    size_t width = 2 * hp;
    sq_gemm(k, rows, width, dp, positions, dp, 1, weights, ld, table, width, 0);
    for (size_t c = 1; c < rows; c++) k->axpy(width, -1, table, table + c * width);
    memset(table, 0, width * sizeof *table);
    reverse_rows(rows, width, table);
}

void sq_reversed_bwd(const sq_kernels *k, size_t rows, size_t dp, size_t hp, const float *positions, const float *transposed, size_t ld,
                     float *dtable, float *dpositions, float *dweights)
{
    size_t width = 2 * hp;
    reverse_rows(rows, width, dtable);
    memset(dtable, 0, width * sizeof *dtable);
    for (size_t c = 1; c < rows; c++) k->axpy(width, -1, dtable + c * width, dtable);
    sq_gemm(k, dp, width, rows, positions, 1, dp, dtable, width, dweights, ld, 1);
    sq_gemm(k, rows, dp, width, dtable, width, 1, transposed, dp, dpositions, dp, 1);
    memset(dtable, 0, rows * width * sizeof *dtable);
}

const sq_scheme sq_scheme_reversed = {.name = "reversed", .tables = 1, .made = 1, .clips = 1};
