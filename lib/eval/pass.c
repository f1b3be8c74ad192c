/* eval: one scorer over all cases of a protocol. */
#include "eval/pass.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "eval/calibration.h"
#include "eval/ranking.h"

#define SCORE_BYTES ((int64_t)32 << 20) /* most bytes of scores per worker, while a block has several users */
#define BLOCKS_PER_WORKER 4             /* in one wave; between waves progress is told */

/* Scratch of one worker. */
typedef struct bench {
    float *scores;    /* [block][items] */
    int32_t *keys;    /* [items] */
    sq_ranked *top;   /* [length of a list] */
    float *weights;   /* [items] and up to a multiple of 16, for probabilities */
    double *direction; /* [width] sum of the list's unit vectors */
    int64_t *users, *offsets;
    int32_t *items;
    int64_t *times, *asks;
    sq_candidate_scratch draw;
} bench;

typedef struct outcome {
    int32_t status;
    seqrec_error error;
} outcome;

typedef struct run {
    sq_pass *pass;
    const sq_scorer *scorer;
    int64_t block;   /* cases per block */
    int64_t longest; /* most history events of a block */
    int32_t width;
    int64_t first;     /* block of task 0 */
    bench *benches;    /* [width] */
    outcome *outcomes; /* [blocks of a wave] */
} run;

static int64_t block_count(const run *r)
{
    return (r->pass->cases->count + r->block - 1) / r->block;
}

/* Cases of a block: from .. *end. */
static int64_t block_from(const run *r, int64_t block, int64_t *end)
{
    const int64_t from = block * r->block, count = r->pass->cases->count;
    *end = from + r->block < count ? from + r->block : count;
    return from;
}

static void measure(run *r)
{
    const sq_pass *pass = r->pass;
    const int64_t fit = SCORE_BYTES / (pass->dataset->items * (int64_t)sizeof(float));
    r->block = r->scorer->block < fit ? r->scorer->block : fit;
    if (r->block < 1) r->block = 1;
    if (r->block > pass->cases->count) r->block = pass->cases->count;
    for (int64_t b = 0; b < block_count(r); b++) {
        int64_t end, events = 0;
        for (int64_t c = block_from(r, b, &end); c < end; c++) events += pass->cases->at[c].history;
        if (events > r->longest) r->longest = events;
    }
    r->width = sq_pool_width(pass->context->pool);
}

static int32_t furnish(bench *b, const run *r)
{
    const sq_memory *memory = &r->pass->context->memory;
    const sq_beyond *beyond = &r->pass->beyond;
    const size_t items = (size_t)r->pass->dataset->items, block = (size_t)r->block, longest = (size_t)r->longest;
    b->scores = sq_alloc(memory, block * items, sizeof(float));
    b->keys = sq_alloc(memory, items, sizeof(int32_t));
    b->top = sq_alloc(memory, (size_t)r->pass->lists.length, sizeof(sq_ranked));
    b->weights = sq_alloc(memory, beyond->nll != NULL ? sq_round16(items) : 0, sizeof(float));
    b->direction = sq_alloc(memory, beyond->diversity != NULL ? beyond->vectors->width : 0, sizeof(double));
    b->users = sq_alloc(memory, block, sizeof(int64_t));
    b->offsets = sq_alloc(memory, block + 1, sizeof(int64_t));
    b->items = sq_alloc(memory, longest, sizeof(int32_t));
    b->times = sq_alloc(memory, r->pass->dataset->timestamps != NULL ? longest : 0, sizeof(int64_t));
    b->asks = sq_alloc(memory, block, sizeof(int64_t));
    b->draw.mark = sq_alloc_zero(memory, r->pass->candidates != NULL ? items : 0, sizeof(uint32_t));
    b->draw.pool = b->keys;
    return b->scores != NULL && b->keys != NULL && b->top != NULL && b->users != NULL && b->offsets != NULL &&
           b->items != NULL && b->times != NULL && b->asks != NULL && b->draw.mark != NULL && b->weights != NULL && b->direction != NULL;
}

static void clear(bench *b, const sq_memory *memory)
{
    sq_free(memory, b->draw.mark);
    sq_free(memory, b->asks);
    sq_free(memory, b->times);
    sq_free(memory, b->items);
    sq_free(memory, b->offsets);
    sq_free(memory, b->users);
    sq_free(memory, b->direction);
    sq_free(memory, b->weights);
    sq_free(memory, b->top);
    sq_free(memory, b->keys);
    sq_free(memory, b->scores);
}

static sq_histories gather(const run *r, bench *b, int64_t from, int64_t end)
{
    const sq_pass *pass = r->pass;
    const int64_t *timestamps = pass->dataset->timestamps;
    b->offsets[0] = 0;
    for (int64_t c = from; c < end; c++) {
        const sq_case *one = &pass->cases->at[c];
        const int64_t at = b->offsets[c - from];
        memcpy(b->items + at, sq_case_items(pass->cases, one), (size_t)one->history * sizeof(int32_t));
        if (timestamps != NULL) {
            const int64_t *times = timestamps + pass->dataset->offsets[one->user];
            memcpy(b->times + at, times, (size_t)one->history * sizeof(int64_t));
            b->asks[c - from] = times[one->history - pass->hide_request_time];
        }
        b->users[c - from] = one->user;
        b->offsets[c - from + 1] = at + one->history;
    }
    return (sq_histories){end - from,
                          b->users,
                          b->offsets,
                          b->items,
                          timestamps != NULL ? b->times : NULL,
                          timestamps != NULL ? b->asks : NULL};
}

static void keep_list(const run *r, bench *b, int64_t at)
{
    const sq_lists *lists = &r->pass->lists;
    const int64_t found = sq_ranking_top(b->keys, r->pass->dataset->items, lists->length, b->top);
    int32_t *list = lists->items + at * lists->length;
    for (int64_t rank = 0; rank < lists->length; rank++) list[rank] = rank < found ? sq_ranked_item(b->top[rank]) : -1;
}

/* <v, sum> of the unit vector v of row, which is added to sum behind that. */
static double add_unit(size_t width, float inverse, const float *row, double *sum)
{
    double cosine = 0.0;
    for (size_t i = 0; i < width; i++) {
        const double unit = (double)inverse * (double)row[i];
        cosine += unit * sum[i];
        sum[i] += unit;
    }
    return cosine;
}

/* The sum of cosines over the pairs of a growing list is the sum of <v_j, v_1 + .. + v_(j-1)> over unit vectors v. */
static void spread(const run *r, bench *b, int64_t at)
{
    const sq_beyond *beyond = &r->pass->beyond;
    const sq_item_vectors *vectors = beyond->vectors;
    const int32_t *list = sq_list(&r->pass->lists, at);
    double cosines = 0.0, spread_so_far = 0.0;
    int64_t length = 0;
    for (size_t i = 0; i < vectors->width; i++) b->direction[i] = 0.0;
    for (int64_t c = 0; c < beyond->cutoff_count; c++) {
        const int64_t end = sq_list_entries(&r->pass->lists, at, beyond->cutoffs[c]);
        for (; length < end; length++) {
            const int32_t item = list[length];
            cosines += add_unit(vectors->width, beyond->inverse_norms[item], vectors->rows[item], b->direction);
        }
        if (length > 1) spread_so_far = 1.0 - 2.0 * cosines / ((double)length * (double)(length - 1));
        beyond->diversity[c * r->pass->cases->count + at] = spread_so_far;
    }
}

/* Against the most popular candidates, as the popularity ranker lists them for this user. */
static double apart_popular(const run *r, const bench *b, int64_t at)
{
    const sq_beyond *beyond = &r->pass->beyond;
    const int32_t *list = sq_list(&r->pass->lists, at);
    const int64_t entries = sq_list_entries(&r->pass->lists, at, beyond->depth), items = r->pass->dataset->items;
    int64_t shown = 0, common = 0;
    for (int64_t i = 0; i < items && shown < beyond->depth; i++) {
        const int32_t item = beyond->by_popularity[i];
        if (b->keys[item] == SQ_KEY_EXCLUDED) continue;
        shown++;
        for (int64_t rank = 0; rank < entries; rank++) common += list[rank] == item;
    }
    return 1.0 - (double)common / (double)beyond->depth;
}

static void look_beyond(const run *r, bench *b, const sq_case *one, int64_t at, const float *scores)
{
    const sq_beyond *beyond = &r->pass->beyond;
    const sq_item_vectors *logits = r->scorer->vectors;
    if (beyond->nll != NULL) {
        sq_outlook outlook = {NAN, NAN};
        if (logits != NULL) {
            outlook = sq_outlook_of(logits->kernels, scores, b->keys, r->pass->dataset->items,
                                    sq_case_target(r->pass->cases, one), b->weights);
        }
        beyond->nll[at] = outlook.nll;
        beyond->confidence[at] = outlook.confidence;
    }
    if (beyond->diversity != NULL) spread(r, b, at);
    if (beyond->apart_popular != NULL) beyond->apart_popular[at] = apart_popular(r, b, at);
}

/* No candidates are what the history has, but for the targets. */
static void filter(const sq_pass *pass, bench *b, const sq_case *one, const float *scores)
{
    const int32_t *items = sq_case_items(pass->cases, one);
    for (int64_t e = 0; e < one->history; e++) b->keys[items[e]] = SQ_KEY_EXCLUDED;
    for (int64_t e = 0; e < one->targets; e++)
        b->keys[items[one->history + e]] = sq_ranking_key(scores[items[one->history + e]]);
}

/* Of the targets the best ranked; those that score the same are beside it, each item once: its key is gone when it has been counted. */
static sq_place best_place(const sq_pass *pass, bench *b, const sq_case *one)
{
    const int32_t *targets = sq_case_items(pass->cases, one) + one->history;
    int32_t best = targets[0];
    for (int64_t e = 1; e < one->targets; e++)
        if (b->keys[targets[e]] > b->keys[best]) best = targets[e];
    sq_place place = sq_ranking_place(b->keys, pass->dataset->items, best);
    const int32_t key = b->keys[best];
    b->keys[best] = SQ_KEY_EXCLUDED;
    for (int64_t e = 0; e < one->targets; e++) {
        place.beside += b->keys[targets[e]] == key;
        if (b->keys[targets[e]] == key) b->keys[targets[e]] = SQ_KEY_EXCLUDED;
    }
    place.equal -= place.beside;
    return place;
}

static sq_place place_in_full(const run *r, bench *b, int64_t at, const float *scores)
{
    const sq_pass *pass = r->pass;
    const sq_case *one = &pass->cases->at[at];
    sq_ranking_keys(scores, pass->dataset->items, b->keys);
    if (pass->protocol->filter) filter(pass, b, one, scores);
    if (pass->lists.items != NULL) {
        keep_list(r, b, at);
        look_beyond(r, b, one, at, scores);
    }
    return best_place(pass, b, one);
}

static sq_place place_in_sample(const run *r, bench *b, const sq_case *one, const float *scores)
{
    int32_t negatives[SQ_CANDIDATES];
    const int32_t key = sq_ranking_key(scores[sq_case_target(r->pass->cases, one)]);
    const int32_t count = sq_candidates_draw(r->pass->candidates, r->pass->cases, one, &b->draw, negatives);
    sq_place place = {0, 0, 0};
    if (count < SQ_CANDIDATES) (void)atomic_fetch_add_explicit(&r->pass->users_short, 1, memory_order_relaxed);
    for (int32_t j = 0; j < count; j++) {
        const int32_t other = sq_ranking_key(scores[negatives[j]]);
        place.better += other > key;
        place.equal += other == key;
    }
    return place;
}

static void rank_block(void *arg, int32_t task, int32_t worker)
{
    const run *r = arg;
    const sq_pass *pass = r->pass;
    bench *b = &r->benches[worker];
    outcome *result = &r->outcomes[task];
    int64_t end;
    const int64_t from = block_from(r, r->first + task, &end);
    const sq_histories histories = gather(r, b, from, end);
    result->status = r->scorer->score(r->scorer->context, worker, &histories, b->scores, &result->error);
    if (result->status != SEQREC_OK) return;
    for (int64_t c = from; c < end; c++) {
        const float *scores = b->scores + (c - from) * pass->dataset->items;
        pass->places[c] = pass->candidates != NULL ? place_in_sample(r, b, &pass->cases->at[c], scores)
                                                   : place_in_full(r, b, c, scores);
    }
}

/* The failure of the first block that failed. */
static int32_t first_failure(const outcome *outcomes, int32_t count, seqrec_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        if (outcomes[i].status == SEQREC_OK) continue;
        if (error != NULL) *error = outcomes[i].error;
        return outcomes[i].status;
    }
    return SEQREC_OK;
}

static int32_t run_waves(run *r, int64_t wave, seqrec_error *error)
{
    sq_pass *pass = r->pass;
    const int64_t blocks = block_count(r), before = pass->done;
    for (r->first = 0; r->first < blocks; r->first += wave) {
        const int32_t count = (int32_t)(blocks - r->first < wave ? blocks - r->first : wave);
        int64_t end;
        memset(r->outcomes, 0, (size_t)count * sizeof(outcome));
        sq_parallel(pass->context->pool, count, rank_block, r);
        SQ_TRY(first_failure(r->outcomes, count, error));
        (void)block_from(r, r->first + count - 1, &end);
        pass->done = before + end;
        if (pass->progress == NULL) continue;
        SQ_CHECK(pass->progress(pass->progress_context, "evaluate", pass->done, pass->total) == 0, error,
                 SEQREC_E_CANCELLED, "progress stopped the evaluation after %" PRId64 " of %" PRId64 " rankings",
                 pass->done, pass->total);
    }
    return SEQREC_OK;
}

int32_t sq_pass_run(sq_pass *pass, const sq_scorer *scorer, seqrec_error *error)
{
    const sq_memory *memory = &pass->context->memory;
    run r = {.pass = pass, .scorer = scorer};
    measure(&r);
    const int64_t wave = (int64_t)BLOCKS_PER_WORKER * r.width;
    int32_t status = SEQREC_E_MEMORY, furnished = 0;
    r.benches = sq_alloc_zero(memory, (size_t)r.width, sizeof(bench));
    r.outcomes = sq_alloc(memory, (size_t)wave, sizeof(outcome));
    int32_t whole = r.benches != NULL && r.outcomes != NULL;
    while (whole && furnished < r.width) whole = furnish(&r.benches[furnished++], &r);
    if (whole) {
        status = run_waves(&r, wave, error);
    } else {
        (void)sq_fail(error, status, "no memory to rank %" PRId64 " users at a time on %" PRId32 " threads", r.block,
                      r.width);
    }
    for (int32_t w = 0; w < furnished; w++) clear(&r.benches[w], memory);
    sq_free(memory, r.outcomes);
    sq_free(memory, r.benches);
    return status;
}
