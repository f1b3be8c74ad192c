/* eval: a model as the scorer of an evaluation. */
#include "eval/model_scorer.h"
#include <inttypes.h>
#include <math.h>
#include "model/match.h"
#include "serve/encode.h"
#include "serve/scoring.h"

#define USERS 32 /* per call: so often a block of item vectors is used while it is in the cache */

/* Working memory of one worker. */
typedef struct bench {
    sq_encode_scratch encode;
    int32_t *slots; /* [longest history] */
    int64_t *times; /* [longest history] of a model that is dated */
    float *users;   /* [USERS][padded d] */
} bench;

typedef struct model_scorer {
    seqrec_context *context;
    seqrec_model *model;
    sq_snapshot *snapshot;
    seqrec_dataset *dataset;
    sq_encoder encoder;
    sq_scoring scoring;
    sq_arena arena;
    int32_t *slot_of; /* [items] by dense index, -1: not in the model */
    int32_t *user_of; /* [users] slots of the user table, -1: without a row */
    int64_t *unknown; /* dense indices of these */
    int64_t unknown_count;
    const float **rows;   /* [items] */
    float *inverse_norms; /* [items], NULL unless cosine */
    float *zero;          /* [padded d]: row of an unknown item */
    bench *benches;       /* [threads of the pool] */
    sq_item_vectors vectors;
} model_scorer;

static int32_t score(void *context, int32_t worker, const sq_histories *histories, float *scores, seqrec_error *error)
{
    const model_scorer *s = context;
    bench *b = &s->benches[worker];
    const size_t items = (size_t)s->dataset->items, users = (size_t)histories->count;
    (void)error;
    for (size_t q = 0; q < users; q++) {
        int64_t known = 0;
        for (int64_t e = histories->offsets[q]; e < histories->offsets[q + 1]; e++) {
            const int32_t slot = s->slot_of[histories->items[e]];
            if (slot < 0) continue;
            if (s->model->layout.dated) b->times[known] = histories->times[e];
            b->slots[known++] = slot;
        }
        const sq_history history = {.slots = b->slots, .times = b->times, .n = known, .user = s->user_of[histories->users[q]],
                                    .ask = histories->asks != NULL ? histories->asks[q] : 0};
        sq_encode(&s->encoder, &history, &b->encode, b->users + q * s->scoring.width);
    }
    sq_score_rows(&s->scoring, b->users, users, s->rows, s->inverse_norms, items, scores, items);
    for (size_t q = 0; q < users; q++)
        for (int64_t i = 0; i < s->unknown_count; i++) scores[q * items + (size_t)s->unknown[i]] = NAN;
    return SEQREC_OK;
}

static int64_t longest_history(const seqrec_dataset *dataset)
{
    int64_t longest = 0;
    for (int64_t u = 0; u < dataset->users; u++) {
        const int64_t n = dataset->offsets[u + 1] - dataset->offsets[u];
        if (n > longest) longest = n;
    }
    return longest;
}

static void carve(model_scorer *s, sq_arena *arena, int64_t longest)
{
    const size_t items = (size_t)s->dataset->items, threads = (size_t)sq_pool_width(s->context->pool);
    const size_t width = s->scoring.width, floats = USERS * width;
    s->slot_of = SQ_TAKE(arena, int32_t, items);
    s->user_of = SQ_TAKE(arena, int32_t, (size_t)s->dataset->users);
    s->unknown = SQ_TAKE(arena, int64_t, items);
    s->rows = SQ_TAKE(arena, const float *, items);
    s->inverse_norms = s->scoring.cosine ? SQ_TAKE(arena, float, items) : NULL;
    s->zero = SQ_TAKE(arena, float, width);
    s->benches = SQ_TAKE(arena, bench, threads);
    for (size_t i = 0; i < threads; i++) {
        bench measured, *b = arena->base == NULL ? &measured : &s->benches[i];
        sq_encode_scratch_take(arena, s->model, sq_encode_window(s->model, longest), &b->encode);
        b->slots = SQ_TAKE(arena, int32_t, (size_t)longest);
        b->times = SQ_TAKE(arena, int64_t, s->model->layout.dated ? (size_t)longest : 0);
        b->users = SQ_TAKE(arena, float, floats);
    }
}

static void map_items(model_scorer *s)
{
    const sq_item_match match = sq_match_items(s->scoring.catalogue, s->snapshot->parts.names, s->dataset);
    for (size_t i = 0; i < s->scoring.width; i++) s->zero[i] = 0;
    for (int64_t i = 0; i < s->dataset->items; i++) {
        const int32_t slot = sq_match_item(&match, i);
        s->slot_of[i] = slot;
        s->rows[i] = slot < 0 ? s->zero : sq_scoring_row(&s->scoring, slot);
        if (slot < 0) s->unknown[s->unknown_count++] = i;
    }
    if (s->scoring.cosine) sq_inverse_norms(&s->scoring, s->rows, (size_t)s->dataset->items, s->inverse_norms);
}

static int32_t furnish(model_scorer *s, seqrec_error *error)
{
    const int64_t longest = longest_history(s->dataset);
    SQ_TRY(sq_match_times(s->model, s->dataset, error));
    sq_arena measured = {0};
    carve(s, &measured, longest);
    SQ_TRY(sq_weights_settle(s->model, s->snapshot->parts.weights, error));
    s->encoder = sq_encoder_of(s->model, s->snapshot);
    SQ_TRY(sq_match_check(s->scoring.catalogue, s->snapshot->parts.names, s->dataset, error));
    SQ_TRY(sq_arena_reserve(&s->arena, &s->context->memory, measured.peak, error));
    carve(s, &s->arena, longest);
    map_items(s);
    s->vectors = (sq_item_vectors){s->scoring.kernels, s->scoring.width, s->rows};
    for (int64_t u = 0; u < s->dataset->users; u++)
        s->user_of[u] = sq_match_user(s->snapshot->parts.users, s->snapshot->parts.user_names, s->dataset, u);
    return SEQREC_OK;
}

static sq_snapshot *take(const seqrec_model *model, sq_snapshot *snapshot)
{
    return snapshot == NULL ? sq_snapshot_acquire(model) : sq_snapshot_retain(snapshot);
}

int32_t sq_model_scorer_create(seqrec_context *context, const seqrec_model *model, sq_snapshot *snapshot,
                               const seqrec_dataset *dataset, sq_scorer *out, seqrec_error *error)
{
    model_scorer *s = sq_alloc_zero(&context->memory, 1, sizeof *s);
    SQ_CHECK(s != NULL, error, SEQREC_E_MEMORY, "no memory to score with a model");
    s->context = sq_context_retain(context);
    s->model = sq_model_retain((seqrec_model *)model); /* a reference count is not part of the value */
    s->snapshot = take(model, snapshot);
    s->dataset = sq_dataset_retain((seqrec_dataset *)dataset);
    s->scoring = sq_scoring_of(model, s->snapshot->parts.catalogue);
    sq_scorer made = {s, score, USERS, &s->vectors};
    const int32_t status = furnish(s, error);
    if (status == SEQREC_OK)
        *out = made;
    else
        sq_model_scorer_free(&made);
    return status;
}

int64_t sq_model_scorer_unknown(const sq_scorer *scorer) { return ((const model_scorer *)scorer->context)->unknown_count; }

void sq_model_scorer_free(sq_scorer *scorer)
{
    model_scorer *s = scorer->context;
    seqrec_context *context = s->context;
    sq_arena_free(&s->arena, &context->memory);
    sq_snapshot_release(s->model, s->snapshot);
    sq_dataset_release(s->dataset);
    sq_model_release(s->model);
    sq_free(&context->memory, s);
    sq_context_release(context);
    *scorer = (sq_scorer){0};
}
