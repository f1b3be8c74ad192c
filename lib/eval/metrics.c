/* eval: ranking metrics of one target, and of how lists spread over the catalogue. */
#include "eval/metrics.h"
#include <math.h>

#define NOTHING 1e-18 /* a chance that changes no sum of those before it */

/* Ranks of the best of several tied targets, from `better` on: each has its chance, and `left` is that of it and all behind. */
typedef struct best_rank {
    int64_t offset, others, targets;
    double left, chance;
} best_rank;

static void find_chance(best_rank *at)
{
    at->chance = at->left * (double)at->targets / (double)(at->others + at->targets - at->offset);
}

static best_rank first_rank(sq_place place)
{
    best_rank at = {.others = place.equal, .targets = (int64_t)place.beside + 1, .left = 1.0};
    find_chance(&at);
    return at;
}

/* 0: what follows has no chance, or none that counts. */
static int32_t next_rank(best_rank *at)
{
    at->left *= (double)(at->others - at->offset) / (double)(at->others + at->targets - at->offset);
    if (++at->offset > at->others || at->left < NOTHING) return 0;
    find_chance(at);
    return 1;
}

static double hit_of_best(sq_place place, int64_t room)
{
    best_rank at = first_rank(place);
    double sum = 0.0;
    if (room > place.equal) return 1.0;
    do {
        sum += at.chance;
    } while (next_rank(&at) && at.offset < room);
    return sum < 1.0 ? sum : 1.0;
}

double sq_metric_hit(sq_place place, int64_t k)
{
    const int64_t room = k - place.better, tied = (int64_t)place.equal + 1;
    if (room <= 0) return 0.0;
    if (place.beside > 0) return hit_of_best(place, room);
    return room >= tied ? 1.0 : (double)room / (double)tied;
}

static double ndcg_of_best(sq_place place, int64_t k)
{
    best_rank at = first_rank(place);
    double sum = 0.0;
    if (k <= place.better) return 0.0;
    do {
        sum += at.chance / log2((double)(place.better + at.offset) + 2.0);
    } while (next_rank(&at) && place.better + at.offset < k);
    return sum;
}

double sq_metric_ndcg(sq_place place, int64_t k)
{
    const int64_t tied = (int64_t)place.equal + 1, end = place.better + tied;
    double sum = 0.0;
    if (place.beside > 0) return ndcg_of_best(place, k);
    for (int64_t r = place.better; r < k && r < end; r++) sum += 1.0 / log2((double)r + 2.0);
    return sum / (double)tied;
}

/* 1 + 1/2 + ... + 1/n by its expansion; exact to rounding for n > 30. */
static double harmonic(double n)
{
    const double square = 1.0 / (n * n);
    return log(n) + 0.57721566490153286061 + 0.5 / n -
           square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)));
}

static double reciprocal_of_one(sq_place place)
{
    const int64_t tied = (int64_t)place.equal + 1, first = (int64_t)place.better + 1;
    int64_t head = tied <= 64 ? tied : (first < 64 ? 64 - first : 0);
    double sum = 0.0;
    for (int64_t j = 0; j < head; j++) sum += 1.0 / (double)(first + j);
    if (head < tied) {
        /* The rest, from rank first + head on: a difference of two expansions. */
        sum += harmonic((double)(first + tied - 1)) - harmonic((double)(first + head - 1));
    }
    return sum / (double)tied;
}

/* From the mean M of t - 1 targets among e others, the first rank being f, that of t is ((e + t - 1 + f) M - 1) t / ((t - 1) (e + t)).
 * While f t <= e little cancels; else the chances fall off within some f ranks, and their sum is short. */
double sq_metric_reciprocal(sq_place place)
{
    const double others = (double)place.equal, first = (double)place.better + 1.0;
    double mean = 0.0;
    if (place.beside == 0 || first * ((double)place.beside + 1.0) <= others) {
        mean = reciprocal_of_one(place);
        for (double t = 2.0; t <= (double)place.beside + 1.0; t += 1.0)
            mean = ((others + t - 1.0 + first) * mean - 1.0) * t / ((t - 1.0) * (others + t));
        return mean;
    }
    best_rank at = first_rank(place);
    do {
        mean += at.chance / (first + (double)at.offset);
    } while (next_rank(&at));
    return mean;
}

double sq_metric_coverage(const uint64_t *exposure, int64_t n)
{
    int64_t shown = 0;
    for (int64_t i = 0; i < n; i++) shown += exposure[i] > 0;
    return n > 0 ? (double)shown / (double)n : NAN;
}

double sq_metric_gini(const uint64_t *sorted, int64_t n)
{
    double weighted = 0.0, total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        weighted += (double)(2 * i + 1 - n) * (double)sorted[i];
        total += (double)sorted[i];
    }
    return total > 0.0 ? weighted / ((double)n * total) : NAN;
}
