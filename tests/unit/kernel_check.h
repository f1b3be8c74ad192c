/* unit: what the tests of vector kernels and matrix products share: memory that ends at an unreadable page and has canaries
 * everywhere else, random operands, and the loop over the instruction sets that compares their bits. */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/rng.h"
#include "tensor/kernels.h"

#define CANARY 0x7fe5a5a5u /* a NaN: whoever reads it shows it */
#define IN_FRONT 64        /* canaries before the first row */

/* ck_assert for loops over elements: Check writes to a pipe for every assertion that holds. */
#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                                   \
    } while (0)
#define HOLDS(condition) MUST(condition, "not true: %s", #condition)

/* A matrix [rows][width] with rows `ld` apart. Between rows, in front and in the slack there are canaries; behind the slack,
 * and behind the last row's last element when there is none, the page cannot be read. */
typedef struct matrix {
    size_t rows, width, ld;
    float *at;
    size_t slack;
    char *map;
    size_t bytes;
} matrix;

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* All NaN count as the same. */
static inline int same_bits(float a, float b)
{
    return (isnan(a) && isnan(b)) || bits_of(a) == bits_of(b);
}

static inline size_t matrix_floats(const matrix *m)
{
    return m->rows && m->width ? (m->rows - 1) * m->ld + m->width : 0;
}

/* Maps are kept for the next matrix of their size: making one costs more than a kernel's run. */
typedef struct kept_map {
    char *map;
    size_t bytes;
} kept_map;
static kept_map kept_maps[64];
#define EACH_MAP(name) for (kept_map *name = kept_maps; name < kept_maps + 64; name++)

static inline char *map_take(size_t bytes, size_t page)
{
    EACH_MAP(m) if (m->map && m->bytes == bytes)
    {
        char *map = m->map;
        m->map = NULL;
        return map;
    }
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(mprotect(map + bytes - page, page, PROT_NONE), 0);
    return map;
}

static inline void map_give(char *map, size_t bytes)
{
    EACH_MAP(m) if (!m->map)
    {
        *m = (kept_map){map, bytes};
        return;
    }
    munmap(map, bytes);
}

static inline matrix matrix_open_slack(size_t rows, size_t width, size_t ld, size_t slack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    matrix m = {.rows = rows, .width = width, .ld = ld, .slack = slack};
    size_t used = (IN_FRONT + matrix_floats(&m)) * sizeof(float) + slack;
    m.bytes = (used + page - 1) / page * page + page;
    m.map = map_take(m.bytes, page);
    char *end = m.map + m.bytes - page;
    m.at = (float *)(end - slack) - matrix_floats(&m);
    for (float *x = m.at - IN_FRONT; (char *)x < end; x++) *x = float_of(CANARY);
    return m;
}

static inline matrix matrix_open(size_t rows, size_t width, size_t ld)
{
    return matrix_open_slack(rows, width, ld, 0);
}
static inline matrix row_open(size_t width)
{
    return matrix_open(1, width, width);
}
static inline float *row_of(const matrix *m, size_t r)
{
    return m->at + r * m->ld;
}

/* What lies around the elements is as it was. */
static inline void matrix_check(const matrix *m)
{
    for (const float *x = m->at - IN_FRONT; x < m->at; x++)
        MUST(bits_of(*x) == CANARY, "written in front of a matrix, %td floats", m->at - x);
    for (size_t r = 0; m->width && r + 1 < m->rows; r++)
        for (size_t c = m->width; c < m->ld; c++)
            MUST(bits_of(row_of(m, r)[c]) == CANARY, "written behind row %zu, at %zu", r, c - m->width);
    for (size_t i = 0; i < m->slack / sizeof(float); i++)
        MUST(bits_of(m->at[matrix_floats(m) + i]) == CANARY, "written %zu floats behind a matrix", i);
}

static inline void matrix_close(matrix *m)
{
    matrix_check(m);
    map_give(m->map, m->bytes);
}

static inline float uniform(uint64_t key, uint64_t i)
{
    return (float)(2 * sq_random_unit(key, i) - 1);
}

/* Uniform in [-1, 1) in the first d columns, 0 behind. */
static inline void matrix_random(matrix *m, uint64_t key, size_t d)
{
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->width; c++) row_of(m, r)[c] = c < d ? uniform(key, r * m->width + c) : 0;
}

static inline matrix matrix_of(size_t rows, size_t width, size_t ld, uint64_t key)
{
    matrix m = matrix_open(rows, width, ld);
    matrix_random(&m, key, width);
    return m;
}

static inline matrix matrix_copy(const matrix *from)
{
    matrix m = matrix_open(from->rows, from->width, from->ld);
    for (size_t r = 0; r < m.rows; r++) memcpy(row_of(&m, r), row_of(from, r), m.width * sizeof(float));
    return m;
}

/* Values a kernel may meet at the worst of times. */
static const float hard_values[] = {0.0f,     -0.0f,    1e-45f,    -1e-45f, 1.1754942e-38f, -1e-39f, 1.0f, 3.0e38f,
                                    -3.4e38f, INFINITY, -INFINITY, NAN,     1e-30f,         1e30f,   -2.5f};
#define HARD_VALUES (sizeof hard_values / sizeof *hard_values)

/* Random, one element in four hard. */
static inline void matrix_hard(matrix *m, uint64_t key)
{
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->width; c++) {
            uint64_t x = sq_random64(key, r * m->width + c);
            row_of(m, r)[c] = x % 4 ? (float)((double)(x >> 11) * 0x1p-52 - 1) : hard_values[(x >> 8) % HARD_VALUES];
        }
}

/* One step of a product's chain: rounded once where the table says so. */
static inline float chain(const sq_kernels *k, float a, float b, float c)
{
    float product = a * b;
    return k->fused ? fmaf(a, b, c) : product + c;
}

/* A digest of everything the kernels put out; each_variant compares that of v3 with that of v4. */
static uint64_t digest;

static inline void note(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) digest = sq_mix64(digest * 31 + (isnan(x[i]) ? CANARY : bits_of(x[i])));
}

static inline void matrix_note(const matrix *m)
{
    for (size_t r = 0; r < m->rows; r++) note(row_of(m, r), m->width);
}

/* Runs body for every instruction set of this processor; v3 and v4 must put out the same bits. */
static inline void each_variant(void (*body)(const sq_kernels *kernels))
{
    uint64_t digests[3] = {0};
    for (int32_t i = 0; i < 3; i++) {
        const sq_kernels *kernels = sq_kernels_variant(i);
        digest = 1;
        if (kernels) body(kernels);
        digests[i] = digest;
    }
    if (sq_kernels_variant(1) && sq_kernels_variant(2)) ck_assert_msg(digests[1] == digests[2], "v3 and v4 differ");
}

static const size_t some_widths[] = {16, 32, 48, 64, 80, 112, 128, 144, 256};
static const size_t some_counts[] = {0, 1, 2, 3, 7, 8, 9, 17, 33};
#define EACH(type, name, list) for (const type *name = (list); name < (list) + sizeof(list) / sizeof *(list); name++)
#endif
