/* serve: scores of a block of items for many users at once, by a matrix product. A product adds in another order than the `dot`
 * kernels, so its scores only say who may be among the best: whoever is not below a floor that allows for all rounding is scored
 * again. So the result has the bits of scores taken one by one. */
#ifndef SQ_SCREEN_H
#define SQ_SCREEN_H
#include "serve/scoring.h"
#include "serve/topheap.h"

/* Fewer users are scored one by one. */
#define SQ_SCREEN_USERS 16
/* Items of one product: with the most users their scores stay in the second-level cache. */
#define SQ_SCREEN_ITEMS 256

/* Working memory of one thread. */
typedef struct sq_screen {
    size_t count, ld; /* users of the group, rounded up to 16 */
    float *columns;   /* [width][ld] user vectors, a column each */
    float *lengths;   /* [ld] no less than those of the user vectors */
    float *floors;    /* [ld] */
    float *scores;    /* [SQ_SCREEN_ITEMS][ld] */
    int32_t *reached; /* [SQ_SCREEN_ITEMS] items with a user whose floor they reach */
} sq_screen;

void sq_screen_take(sq_arena *arena, size_t width, size_t users, sq_screen *out);
/* Takes a group of users [count][width]. */
void sq_screen_begin(sq_screen *screen, const sq_scoring *scoring, const float *users, size_t count);
/* How far below a score one-by-one a product's may lie, for a user of length 1, in this chunk; infinite when rounding cannot be
 * bounded for one of the users. */
float sq_screen_margin(const sq_screen *screen, const sq_scoring *scoring, int32_t chunk);
/* Scores the n <= SQ_SCREEN_ITEMS slots from `first` on, of one chunk. The floor of user q is the worst score that heaps[q * step],
 * which is full, keeps, less margin. Returns how many of screen->reached are filled. */
size_t sq_screen_run(sq_screen *screen, const sq_scoring *scoring, const sq_topk *heaps, size_t step, float margin, int32_t first, size_t n,
                     sq_scoring_scratch *scratch);
/* Whether user q may rank item i of the run. */
static inline int32_t sq_screen_reaches(const sq_screen *screen, size_t i, size_t q)
{
    return !(screen->scores[i * screen->ld + q] < screen->floors[q]);
}
#endif
