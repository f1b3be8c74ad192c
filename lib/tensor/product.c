/* tensor: the register-tiled product, compiled once per instruction set. Nothing is packed: A is read by broadcast at any
 * strides, B by rows; a tile of C lives in registers over the whole of K, so each element is one chain over k in order and
 * its bits depend on its row of A and column of B alone. */
#include "tensor/isa.h"
#include "tensor/vec.h"

#if LANES == 16
#define VECTORS 4 /* columns of a tile, in vectors */
#define ROWS 6    /* 24 accumulators + 4 of B + 1 broadcast of 32 registers */
#elif LANES == 8
#define VECTORS 2
#define ROWS 6 /* 12 + 2 + 1 of 16 registers */
#else
#define VECTORS 2
#define ROWS 4
#endif

#define PIECE 128 /* rows of B: 128 x 64 floats are 32 KiB */

/* Where the chains over k begin: at 0, at what C holds, or, each row, at row 0 of `start`. */
typedef struct operands {
    size_t K, rs, cs, ldb, ldc;
    int accumulate;
    const float *start; /* NULL, or the columns of a tile on their way */
} operands;

/* rows and vectors are constants at every call: the loops unroll and c stays in registers. */
SQ_INLINE void tile(int rows, int vectors, const operands *o, const float *A, const float *B, float *C)
{
    vec c[ROWS][VECTORS];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) {
            c[i][j] = (vec){0};
            if (o->start) c[i][j] = load(o->start + j * LANES);
            if (o->accumulate) c[i][j] = load(C + (size_t)i * o->ldc + j * LANES);
        }
    for (size_t k = 0; k < o->K; k++) {
        vec b[VECTORS];
        for (int j = 0; j < vectors; j++) b[j] = load(B + k * o->ldb + j * LANES);
        for (int i = 0; i < rows; i++) {
            vec a = splat(A[(size_t)i * o->rs + k * o->cs]);
            for (int j = 0; j < vectors; j++) c[i][j] = fused(a, b[j], c[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) store(C + (size_t)i * o->ldc + j * LANES, c[i][j]);
}

#define TILE_OF(vectors)                                                                                               \
    static void tile_##vectors(int rows, const operands *o, const float *A, const float *B, float *C)                  \
    {                                                                                                                  \
        switch (rows) {                                                                                                \
        case 1: tile(1, vectors, o, A, B, C); break;                                                                   \
        case 2: tile(2, vectors, o, A, B, C); break;                                                                   \
        case 3: tile(3, vectors, o, A, B, C); break;                                                                   \
        case 4: tile(4, vectors, o, A, B, C); break;                                                                   \
        case 5: tile(ROWS > 4 ? 5 : 1, vectors, o, A, B, C); break;                                                    \
        default: tile(ROWS, vectors, o, A, B, C); break;                                                               \
        }                                                                                                              \
    }

TILE_OF(1)
TILE_OF(2)
#if VECTORS == 4
TILE_OF(3)
TILE_OF(4)
static void (*const tiles[])(int, const operands *, const float *, const float *, float *) = {tile_1, tile_2, tile_3,
                                                                                               tile_4};
#else
static void (*const tiles[])(int, const operands *, const float *, const float *, float *) = {tile_1, tile_2};
#endif

/* One piece of K. The rows are dealt evenly over the tiles: 32 rows are 6 6 5 5 5 5, not 6 6 6 6 6 2. */
static void piece(size_t M, size_t N, const operands *o, const float *A, const float *B, float *C)
{
    size_t count = (M + ROWS - 1) / ROWS, rows = M / count, larger_tiles = M % count;
    for (size_t n = 0; n < N;) {
        size_t vectors = (N - n) / LANES < VECTORS ? (N - n) / LANES : VECTORS;
        operands at = *o;
        if (o->start) at.start = o->start + n;
        for (size_t t = 0, i = 0; t < count; t++) {
            size_t m = rows + (t < larger_tiles);
            tiles[vectors - 1]((int)m, &at, A + i * o->rs, B + n, C + i * o->ldc + n);
            i += m;
        }
        n += vectors * LANES;
    }
}

/* K is taken in pieces whose panel of B stays in the first-level cache; the chains over k go on where they were. */
static void multiply(size_t M, size_t N, operands o, const float *A, const float *B, float *C)
{
    size_t K = o.K;
    if (M == 0 || N == 0) return;
    for (size_t k = 0; k < K || k == 0; k += PIECE) {
        o.K = K - k < PIECE ? K - k : PIECE;
        piece(M, N, &o, A + k * o.cs, B + k * o.ldb, C);
        o.accumulate = 1;
        o.start = NULL;
    }
}

void SQ_NAME(sq_product)(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                         float *C, size_t ldc, int accumulate)
{
    multiply(M, N, (operands){K, rs, cs, ldb, ldc, accumulate, NULL}, A, B, C);
}

void SQ_NAME(sq_product_from)(size_t M, size_t N, size_t K, const float *A, size_t rs, size_t cs, const float *B, size_t ldb,
                              const float *start, float *C, size_t ldc)
{
    multiply(M, N, (operands){K, rs, cs, ldb, ldc, 0, start}, A, B, C);
}
