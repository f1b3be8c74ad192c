/* serve: maximal marginal relevance: the next item is the one that adds most to those that stand in front of it. */
#include "serve/rerank.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct ranking {
    sq_scoring scoring;
    const double *relevance;
    double lambda;
    int64_t n;
    const float **rows;   /* [n] item vectors */
    float *inverse_norms; /* [n] */
    int32_t plain;        /* 1: some vector's square does not fit a float, and cosines are taken in double */
    float *products;      /* [n] with the item that was placed last, over the length of each */
    double *nearest;      /* [n] largest cosine with an item that was placed */
    uint8_t *placed;      /* [n] */
} ranking;

static void carve(ranking *r, sq_arena *arena)
{
    const size_t n = (size_t)r->n;
    r->rows = SQ_TAKE(arena, const float *, n);
    r->inverse_norms = SQ_TAKE(arena, float, n);
    r->products = SQ_TAKE(arena, float, n);
    r->nearest = SQ_TAKE(arena, double, n);
    r->placed = SQ_TAKE(arena, uint8_t, n);
}

static int32_t find_rows(ranking *r, const int64_t *items, seqrec_error *error)
{
    for (int64_t i = 0; i < r->n; i++) {
        const int32_t slot = sq_catalogue_find(r->scoring.catalogue, items[i]);
        SQ_CHECK(slot >= 0, error, SEQREC_E_NOT_FOUND, "item %" PRId64 " (items[%" PRId64 "]) is not in the model", items[i], i);
        r->rows[i] = sq_scoring_row(&r->scoring, slot);
        r->nearest[i] = 0; /* of none */
    }
    sq_inverse_norms(&r->scoring, r->rows, (size_t)r->n, r->inverse_norms);
    r->plain = 0; /* without a length, or with one that products of two could overflow by */
    for (int64_t i = 0; i < r->n; i++)
        r->plain |= !(r->inverse_norms[i] > 1e-18f) && r->scoring.kernels->max_abs(r->scoring.width, r->rows[i]) > 0;
    memset(r->placed, 0, (size_t)r->n);
    return SEQREC_OK;
}

static double value_of(const ranking *r, int64_t i) { return r->lambda * r->relevance[i] - (1 - r->lambda) * r->nearest[i]; }

/* Of equal ones the first. */
static int64_t best_of(const ranking *r)
{
    int64_t best = -1;
    for (int64_t i = 0; i < r->n; i++)
        if (!r->placed[i] && (best < 0 || value_of(r, i) > value_of(r, best))) best = i;
    return best;
}

/* 0 of a vector without length. */
static double plain_cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? ab / (sqrt(aa) * sqrt(bb)) : 0;
}

static double cosine_of(const ranking *r, int64_t i, int64_t one)
{
    if (r->plain) return plain_cosine(r->rows[i], r->rows[one], r->scoring.width);
    return (double)r->products[i] * (double)r->inverse_norms[one];
}

static void place(ranking *r, int64_t one, int64_t place)
{
    r->placed[one] = 1;
    if (!r->plain) sq_score_rows(&r->scoring, r->rows[one], 1, r->rows, r->inverse_norms, (size_t)r->n, r->products, 0);
    for (int64_t i = 0; i < r->n; i++) {
        const double cosine = cosine_of(r, i, one);
        if (place == 0 || cosine > r->nearest[i]) r->nearest[i] = cosine;
    }
}

static int32_t rank(ranking *r, const int64_t *items, int64_t k, int64_t *order, double *values, seqrec_error *error)
{
    SQ_TRY(find_rows(r, items, error));
    for (int64_t at = 0; at < k && at < r->n; at++) {
        order[at] = best_of(r);
        if (values != NULL) values[at] = value_of(r, order[at]);
        place(r, order[at], at);
    }
    return SEQREC_OK;
}

int32_t sq_rerank_mmr(const seqrec_model *model, const int64_t *items, const double *relevance, int64_t n, double lambda, int64_t k,
                      int64_t *order, double *values, seqrec_error *error)
{
    seqrec_model *lender = (seqrec_model *)model; /* idle arenas are not part of the model's value */
    sq_arena arena, measured = {0};
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    ranking r = {.scoring = sq_scoring_of(model, snapshot->parts.catalogue), .relevance = relevance, .lambda = lambda, .n = n};
    carve(&r, &measured);
    int32_t status = sq_model_borrow(lender, measured.peak, &arena, error);
    if (status == SEQREC_OK) {
        carve(&r, &arena);
        status = rank(&r, items, k, order, values, error);
        sq_model_return(lender, &arena);
    }
    sq_snapshot_release(model, snapshot);
    return status;
}
