/* api: user vectors, scores and recommendations from raw histories. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "failing_allocator.h"
#include "run_suite.h"
#include "seqrec.h"

enum { MOST_SEQUENCES = 80, MOST_EVENTS = 3000, WIDE = 40000 };

static seqrec_error failure;

static void good(int32_t status)
{
    if (status != SEQREC_OK) ck_abort_msg("%s: %s", seqrec_status_name(status), failure.message);
}

/* ---- a model with items, and histories over them ------------------------------------------------------------------ */

typedef struct world {
    failing_allocator memory;
    seqrec_context *context;
    seqrec_model *model;
    int64_t items, dim;
    int64_t *ids; /* in the order of their slots */
} world;

/* Ids that are neither dense nor sorted, some of them negative. */
static int64_t id_of(int64_t index)
{
    return (index % 2 ? -1 : 1) * (index * 7919 + 13);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* settings: "name=value" texts ended by NULL. */
static void open_world(world *w, int32_t threads, int64_t dim, int64_t items, const char *const *settings)
{
    char text[64];
    seqrec_config *config = NULL;
    const seqrec_allocator allocator = failing_allocator_of(&w->memory);
    good(seqrec_context_create(&allocator, NULL, threads, NULL, NULL, &w->context, &failure));
    good(seqrec_config_create(&allocator, &config, &failure));
    snprintf(text, sizeof text, "%d", (int)dim);
    good(seqrec_config_set(config, "dim", text, &failure));
    good(seqrec_config_set(config, "max_length", "12", &failure));
    good(seqrec_config_set(config, "init", "normal", &failure)); /* scores well apart from 0 */
    good(seqrec_config_set(config, "init_std", "0.3", &failure));
    for (; *settings != NULL; settings++) {
        const char *equals = strchr(*settings, '=');
        snprintf(text, sizeof text, "%.*s", (int)(equals - *settings), *settings);
        good(seqrec_config_set(config, text, equals + 1, &failure));
    }
    good(seqrec_model_create(w->context, config, &w->model, &failure));
    seqrec_config_release(config);
    w->items = items;
    w->dim = dim;
    w->ids = malloc((size_t)items * sizeof *w->ids + 1);
    for (int64_t i = 0; i < items; i++) w->ids[i] = id_of(i);
    good(seqrec_items_put(w->model, w->ids, items, NULL, &failure));
}

static void close_world(world *w)
{
    free(w->ids);
    seqrec_model_release(w->model);
    seqrec_context_release(w->context);
    ck_assert_int_eq(atomic_load(&w->memory.blocks), 0);
}

static const char *const plain[] = {"heads=2", NULL};
static const char *const untied[] = {"tied_output=false", "wiring=pre_norm", "position=start", NULL};
static const char *const cosine[] = {"score=cosine", "temperature=0.1", "blocks=1", NULL};
static const char *const blockless[] = {"blocks=0", "position=none", "tied_output=false", "score=cosine", NULL};
static const char *const *const kinds[] = {plain, untied, cosine, blockless};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct histories {
    seqrec_batch batch;
    int64_t offsets[MOST_SEQUENCES + 1], items[MOST_EVENTS];
} histories;

static uint32_t state;

static int64_t draw(int64_t below)
{
    state = state * 1664525u + 1013904223u;
    return (int64_t)(state >> 8) % below;
}

/* Lengths 0, 1, 2, ... up to beyond the window, then random ones. */
static void fill_histories(histories *h, const world *w, int64_t sequences)
{
    memset(h, 0, sizeof *h);
    state = 5;
    for (int64_t b = 0; b < sequences; b++) {
        const int64_t length = b < 20 ? b : draw(45);
        h->offsets[b + 1] = h->offsets[b] + length;
        ck_assert_int_le(h->offsets[b + 1], MOST_EVENTS);
        for (int64_t e = h->offsets[b]; e < h->offsets[b + 1]; e++) h->items[e] = w->ids[draw(w->items)];
    }
    h->batch = (seqrec_batch){
        .struct_size = sizeof h->batch, .sequences = sequences, .offsets = h->offsets, .items = h->items};
}

/* Sequence b alone; offsets is room for two. */
static seqrec_batch alone(const histories *h, int64_t b, int64_t *offsets)
{
    offsets[0] = 0;
    offsets[1] = h->offsets[b + 1] - h->offsets[b];
    return (seqrec_batch){
        .struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = offsets, .items = h->items + h->offsets[b]};
}

static seqrec_batch one_history(const int64_t *items, int64_t n, int64_t *offsets)
{
    offsets[0] = 0;
    offsets[1] = n;
    return (seqrec_batch){.struct_size = sizeof(seqrec_batch), .sequences = 1, .offsets = offsets, .items = items};
}

static seqrec_filter no_filter(void)
{
    return (seqrec_filter){.struct_size = sizeof(seqrec_filter)};
}

#define SAME(a, b, n) ck_assert_mem_eq((a), (b), (size_t)(n) * sizeof *(a))

/* ---- what the best items must be, from the scores of all items -------------------------------------------------------- */

typedef struct ranked {
    int64_t id;
    float score;
    int32_t slot;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static int32_t contains(const int64_t *ids, int64_t n, int64_t id)
{
    for (int64_t i = 0; i < n; i++)
        if (ids[i] == id) return 1;
    return 0;
}

static int32_t passes(const seqrec_filter *f, const seqrec_batch *batch, int64_t id)
{
    if (f->exclude_seen && contains(batch->items, batch->offsets[1], id)) return 0;
    if (f->allow != NULL && !contains(f->allow, f->allow_count, id)) return 0;
    return !contains(f->deny, f->deny_count, id);
}

/* All items that may be recommended for the one sequence of `batch`, best first; returns how many. */
static int64_t rank_plainly(const world *w, const seqrec_batch *batch, const seqrec_filter *f, ranked *out)
{
    int64_t count = 0;
    float *scores = malloc((size_t)w->items * sizeof *scores);
    good(seqrec_score(w->model, batch, w->ids, NULL, w->items, NULL, scores, &failure));
    for (int64_t i = 0; i < w->items; i++) {
        int32_t generation;
        if (isnan(scores[i]) || !passes(f, batch, w->ids[i])) continue;
        out[count] = (ranked){w->ids[i], scores[i], 0};
        good(seqrec_items_locate(w->model, w->ids[i], &out[count++].slot, &generation, &failure));
    }
    free(scores);
    qsort(out, (size_t)count, sizeof *out, by_rank);
    return count;
}

static void expect_plain_ranking(const world *w, const seqrec_batch *batch, const seqrec_filter *f, int64_t k)
{
    ranked *expected = malloc((size_t)w->items * sizeof *expected);
    int64_t *items = malloc((size_t)k * sizeof *items), found = -1;
    float *scores = malloc((size_t)k * sizeof *scores);
    const int64_t eligible = rank_plainly(w, batch, f, expected);
    good(seqrec_topk(w->model, batch, k, f, items, scores, &found, &failure));
    ck_assert_int_eq(found, least(k, eligible));
    for (int64_t i = 0; i < found; i++) {
        ck_assert_int_eq(items[i], expected[i].id);
        SAME(&scores[i], &expected[i].score, 1);
    }
    free(expected);
    free(items);
    free(scores);
}

/* ---- what a score is ---------------------------------------------------------------------------------------------- */

static double length_of(const float *x, int64_t n)
{
    double square = 0;
    for (int64_t i = 0; i < n; i++) square += (double)x[i] * x[i];
    return sqrt(square);
}

static double product(const float *x, const float *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * y[i];
    return sum;
}

START_TEST(a_score_is_the_product_of_user_vector_and_output_vector)
{
    world w;
    histories h;
    float user[30 * 20], item[2 * 20], score[30];
    open_world(&w, 0, 20, 50, kinds[_i]);
    fill_histories(&h, &w, 30);
    const int64_t width = seqrec_items_width(w.model);
    good(seqrec_encode(w.model, &h.batch, NULL, user, &failure));
    for (int64_t i = 0; i < w.items; i++) {
        good(seqrec_items_get(w.model, &w.ids[i], 1, item, &failure));
        good(seqrec_score(w.model, &h.batch, &w.ids[i], NULL, 1, NULL, score, &failure));
        const float *output = item + width - w.dim;
        const double divisor = kinds[_i] == cosine || kinds[_i] == blockless ? length_of(output, w.dim) : 1;
        for (int64_t b = 0; b < 30; b++) {
            const double expected = product(user + b * w.dim, output, w.dim) / divisor;
            ck_assert_double_le(fabs((double)score[b] - expected), 2e-6 * (1 + length_of(user + b * w.dim, w.dim)));
        }
    }
    close_world(&w);
}
END_TEST

START_TEST(a_cosine_is_one_over_the_temperature_at_most)
{
    world w;
    histories h;
    float user[30 * 20];
    open_world(&w, 0, 20, 50, cosine);
    fill_histories(&h, &w, 30);
    good(seqrec_encode(w.model, &h.batch, NULL, user, &failure));
    ck_assert_double_eq(length_of(user, w.dim), 0);
    for (int64_t b = 1; b < 30; b++) ck_assert_double_le(fabs(length_of(user + b * w.dim, w.dim) - 10), 1e-4);
    close_world(&w);
}
END_TEST

static void scale_output(const world *w, int64_t id, double factor)
{
    float item[2 * 20];
    const int64_t width = seqrec_items_width(w->model);
    good(seqrec_items_get(w->model, &id, 1, item, &failure));
    for (int64_t i = width - w->dim; i < width; i++) item[i] = (float)(item[i] * factor);
    good(seqrec_items_update(w->model, &id, 1, item, &failure));
}

/* Also where the square of the length is beyond float; a vector shorter than 1e-12 has no direction. */
START_TEST(a_cosine_does_not_ask_for_the_length_of_the_vector)
{
    static const double factors[] = {1e-9, 1e9, 1e18, 1e30, 1e3, 1e-15};
    world w;
    histories h;
    float before[50], after[50];
    open_world(&w, 0, 20, 50, blockless);
    fill_histories(&h, &w, 1);
    int64_t offsets[2];
    const seqrec_batch batch = one_history(&w.ids[7], 1, offsets);
    good(seqrec_score(w.model, &batch, w.ids, NULL, 50, NULL, before, &failure));
    for (int64_t i = 0; i < 6; i++) scale_output(&w, w.ids[i], factors[i]);
    good(seqrec_score(w.model, &batch, w.ids, NULL, 50, NULL, after, &failure));
    for (int64_t i = 0; i < 5; i++) ck_assert_double_le(fabs((double)after[i] - (double)before[i]), 2e-5);
    ck_assert(after[5] == 0 && before[5] != 0);
    const seqrec_filter all = no_filter();
    expect_plain_ranking(&w, &batch, &all, 50);
    close_world(&w);
}
END_TEST

START_TEST(only_the_last_events_of_a_history_count)
{
    world w;
    int64_t offsets[2], items[40];
    float before[20], after[20];
    open_world(&w, 0, 20, 50, kinds[_i]);
    for (int64_t e = 0; e < 40; e++) items[e] = w.ids[e];
    seqrec_batch batch = one_history(items, 40, offsets);
    good(seqrec_encode(w.model, &batch, NULL, before, &failure));
    items[27] = w.ids[49];
    good(seqrec_encode(w.model, &batch, NULL, after, &failure));
    SAME(before, after, 20);
    items[28] = w.ids[49];
    good(seqrec_encode(w.model, &batch, NULL, after, &failure));
    if (kinds[_i] != blockless) ck_assert_mem_ne(before, after, sizeof before);
    batch = one_history(items + 28, 12, offsets);
    good(seqrec_encode(w.model, &batch, NULL, before, &failure));
    SAME(before, after, 20);
    close_world(&w);
}
END_TEST

START_TEST(an_empty_history_scores_zero_and_gets_the_first_slots)
{
    world w;
    int64_t offsets[2], best[10], found;
    float user[20], scores[50];
    open_world(&w, 0, 20, 50, kinds[_i]);
    const seqrec_batch batch = one_history(NULL, 0, offsets);
    good(seqrec_encode(w.model, &batch, NULL, user, &failure));
    for (int64_t i = 0; i < 20; i++) ck_assert_float_eq(user[i], 0);
    good(seqrec_score(w.model, &batch, w.ids, NULL, 50, NULL, scores, &failure));
    for (int64_t i = 0; i < 50; i++) ck_assert_float_eq(scores[i], 0);
    good(seqrec_topk(w.model, &batch, 10, NULL, best, scores, &found, &failure));
    ck_assert_int_eq(found, 10);
    SAME(best, w.ids, 10);
    close_world(&w);
}
END_TEST

/* ---- the same bits however it is asked ------------------------------------------------------------------------------ */

enum { K = 15, LISTED = 33 };

typedef struct answers {
    float users[MOST_SEQUENCES * 20], scores[MOST_SEQUENCES * LISTED], best_scores[MOST_SEQUENCES * K];
    int64_t best[MOST_SEQUENCES * K], found[MOST_SEQUENCES];
} answers;

static void ask(const world *w, const seqrec_batch *batch, int64_t at, answers *out)
{
    seqrec_filter filter = no_filter();
    filter.exclude_seen = 1;
    good(seqrec_encode(w->model, batch, NULL, out->users + at * w->dim, &failure));
    good(seqrec_score(w->model, batch, w->ids, NULL, LISTED, NULL, out->scores + at * LISTED, &failure));
    good(seqrec_topk(w->model, batch, K, &filter, out->best + at * K, out->best_scores + at * K, out->found + at,
                     &failure));
}

static void expect_same(const answers *a, const answers *b, const world *w, int64_t sequences)
{
    SAME(a->users, b->users, sequences * w->dim);
    SAME(a->scores, b->scores, sequences * LISTED);
    SAME(a->found, b->found, sequences);
    SAME(a->best, b->best, sequences * K);
    SAME(a->best_scores, b->best_scores, sequences * K);
}

START_TEST(a_batch_gives_each_sequence_what_it_gets_alone)
{
    static answers together, apart;
    world w;
    histories h;
    open_world(&w, 0, 20, 2500, kinds[_i]);
    fill_histories(&h, &w, MOST_SEQUENCES);
    ask(&w, &h.batch, 0, &together);
    for (int64_t b = 0; b < MOST_SEQUENCES; b++) {
        int64_t offsets[2];
        const seqrec_batch one = alone(&h, b, offsets);
        ask(&w, &one, b, &apart);
    }
    expect_same(&together, &apart, &w, MOST_SEQUENCES);
    close_world(&w);
}
END_TEST

/* With 40,000 items and several threads the catalogue is searched in parts. */
START_TEST(the_number_of_threads_does_not_show)
{
    static answers with[4];
    static const int32_t threads[] = {0, 2, 4, 7};
    static const int64_t sizes[] = {1, 3, MOST_SEQUENCES};
    histories h;
    for (int32_t s = 0; s < 3; s++)
        for (int32_t t = 0; t < 4; t++) {
            world w;
            open_world(&w, threads[t], 8, WIDE, plain);
            fill_histories(&h, &w, MOST_SEQUENCES);
            h.batch.sequences = sizes[s];
            if (sizes[s] < MOST_SEQUENCES) { /* the long ones */
                memmove(h.offsets, h.offsets + 15, 4 * sizeof *h.offsets);
                memmove(h.items, h.items + h.offsets[0], 100 * sizeof *h.items);
                for (int64_t b = 3; b >= 0; b--) h.offsets[b] -= h.offsets[0];
            }
            ask(&w, &h.batch, 0, &with[t]);
            expect_same(&with[0], &with[t], &w, sizes[s]);
            close_world(&w);
        }
}
END_TEST

static void run_backwards(void *context, int32_t tasks, void (*body)(void *arg, int32_t task), void *arg)
{
    (void)context;
    for (int32_t task = tasks - 1; task >= 0; task--) body(arg, task);
}

START_TEST(the_hosts_executor_gives_the_same_bits)
{
    static answers here, there;
    world w;
    histories h;
    seqrec_context *context = NULL;
    const seqrec_executor executor = {.struct_size = sizeof executor, .width = 3, .run = run_backwards};
    open_world(&w, 0, 20, 2500, plain);
    fill_histories(&h, &w, MOST_SEQUENCES);
    ask(&w, &h.batch, 0, &here);
    world other = w;
    seqrec_config *config = NULL;
    good(seqrec_context_create(NULL, &executor, 0, NULL, NULL, &context, &failure));
    good(seqrec_model_config(w.model, &config, &failure));
    good(seqrec_model_create(context, config, &other.model, &failure));
    good(seqrec_items_put(other.model, w.ids, w.items, NULL, &failure));
    ask(&other, &h.batch, 0, &there);
    expect_same(&here, &there, &w, MOST_SEQUENCES);
    seqrec_model_release(other.model);
    seqrec_config_release(config);
    seqrec_context_release(context);
    close_world(&w);
}
END_TEST

START_TEST(lists_by_sequence_score_as_one_list_does)
{
    world w;
    histories h;
    int64_t offsets[21], candidates[400];
    float scores[400], expected[50];
    open_world(&w, 2, 20, 50, kinds[_i]);
    fill_histories(&h, &w, 20);
    offsets[0] = 0;
    for (int64_t b = 0; b < 20; b++) {
        offsets[b + 1] = offsets[b] + b;
        for (int64_t i = 0; i < b; i++) candidates[offsets[b] + i] = w.ids[(b * 3 + i) % 50];
    }
    good(seqrec_score(w.model, &h.batch, candidates, offsets, -7, NULL, scores, &failure));
    for (int64_t b = 0; b < 20; b++) {
        int64_t own[2];
        const seqrec_batch one = alone(&h, b, own);
        good(seqrec_score(w.model, &one, w.ids, NULL, 50, NULL, expected, &failure));
        for (int64_t i = 0; i < b; i++) SAME(&scores[offsets[b] + i], &expected[(b * 3 + i) % 50], 1);
    }
    close_world(&w);
}
END_TEST

START_TEST(a_list_may_be_longer_than_a_block)
{
    world w;
    histories h;
    open_world(&w, 0, 20, 5000, kinds[_i]);
    fill_histories(&h, &w, 3);
    float *all = malloc(3 * 5000 * sizeof *all), one[3];
    good(seqrec_score(w.model, &h.batch, w.ids, NULL, 5000, NULL, all, &failure));
    for (int64_t i = 0; i < 5000; i += 499) {
        good(seqrec_score(w.model, &h.batch, w.ids + i, NULL, 1, NULL, one, &failure));
        for (int64_t b = 0; b < 3; b++) SAME(&one[b], &all[b * 5000 + i], 1);
    }
    free(all);
    close_world(&w);
}
END_TEST

/* ---- the best -------------------------------------------------------------------------------------------------------- */

START_TEST(the_best_are_those_that_rank_first_among_all)
{
    static const int64_t lengths[] = {1, 10, 2499, 2500, 4000};
    world w;
    histories h;
    const seqrec_filter filter = no_filter();
    open_world(&w, 2, 20, 2500, kinds[_i]);
    fill_histories(&h, &w, 30);
    for (int64_t b = 0; b < 30; b += 4) {
        int64_t offsets[2];
        const seqrec_batch one = alone(&h, b, offsets);
        for (int64_t i = 0; i < 5; i++) expect_plain_ranking(&w, &one, &filter, lengths[i]);
    }
    close_world(&w);
}
END_TEST

START_TEST(equal_scores_come_by_rising_slot)
{
    world w;
    int64_t offsets[2], best[2500], found;
    float vectors[100 * 20];
    open_world(&w, 4, 20, 2500, plain);
    for (int64_t i = 0; i < 100 * 20; i++) vectors[i] = (float)(i % 20) / 10 - 0.7f;
    for (int64_t i = 0; i < 100; i++) /* the same vector all over the catalogue */
        good(seqrec_items_update(w.model, &w.ids[2499 - i * 24], 1, vectors, &failure));
    const seqrec_batch batch = one_history(w.ids, 5, offsets);
    const seqrec_filter filter = no_filter();
    expect_plain_ranking(&w, &batch, &filter, 2500);
    good(seqrec_topk(w.model, &batch, 2500, NULL, best, NULL, &found, &failure));
    int64_t first = 0;
    while (best[first] != w.ids[2499 - 99 * 24]) first++;
    for (int64_t i = 0; i < 100; i++) ck_assert_int_eq(best[first + i], w.ids[2499 - (99 - i) * 24]);
    close_world(&w);
}
END_TEST

START_TEST(a_score_that_is_not_a_number_is_never_recommended)
{
    world w;
    int64_t offsets[2], best[50], found;
    float vector[20], score;
    open_world(&w, 0, 20, 50, plain);
    const int64_t history[] = {w.ids[1], w.ids[2]};
    const seqrec_batch batch = one_history(history, 2, offsets);
    float users[20];
    good(seqrec_encode(w.model, &batch, NULL, users, &failure));
    for (int64_t i = 0; i < 20; i++)
        vector[i] = (users[i] > 0) == (i % 16 < 8) ? 3e38f : -3e38f; /* +inf and -inf meet */
    good(seqrec_items_update(w.model, &w.ids[7], 1, vector, &failure));
    good(seqrec_score(w.model, &batch, &w.ids[7], NULL, 1, NULL, &score, &failure));
    ck_assert_float_nan(score);
    good(seqrec_topk(w.model, &batch, 50, NULL, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 49);
    ck_assert(!contains(best, found, w.ids[7]));
    close_world(&w);
}
END_TEST

START_TEST(places_beyond_those_found_are_not_written)
{
    world w;
    int64_t offsets[2], best[60], found;
    float scores[60];
    open_world(&w, 0, 20, 50, plain);
    for (int64_t i = 0; i < 60; i++) {
        best[i] = 12345;
        scores[i] = -77;
    }
    seqrec_filter filter = no_filter();
    filter.exclude_seen = 1;
    const seqrec_batch batch = one_history(w.ids, 5, offsets);
    good(seqrec_topk(w.model, &batch, 60, &filter, best, scores, &found, &failure));
    ck_assert_int_eq(found, 45);
    for (int64_t i = 45; i < 60; i++) {
        ck_assert_int_eq(best[i], 12345);
        ck_assert_float_eq(scores[i], -77);
    }
    close_world(&w);
}
END_TEST

START_TEST(nothing_asked_is_nothing_answered)
{
    world w;
    int64_t offsets[2], found = -1;
    open_world(&w, 2, 20, 50, plain);
    const seqrec_batch none = {.struct_size = sizeof none};
    good(seqrec_topk(w.model, &none, 10, NULL, NULL, NULL, NULL, &failure));
    good(seqrec_score(w.model, &none, w.ids, NULL, 3, NULL, NULL, &failure));
    good(seqrec_encode(w.model, &none, NULL, NULL, &failure));
    const seqrec_batch batch = one_history(w.ids, 5, offsets);
    good(seqrec_topk(w.model, &batch, 0, NULL, NULL, NULL, &found, &failure));
    ck_assert_int_eq(found, 0);
    good(seqrec_score(w.model, &batch, NULL, NULL, 0, NULL, NULL, &failure));
    close_world(&w);
}
END_TEST

START_TEST(a_model_without_items_recommends_nothing)
{
    world w;
    int64_t offsets[2], found = -1, best[3], id = 4, skipped = 0;
    float user[20];
    open_world(&w, 2, 20, 0, plain);
    const seqrec_batch batch = one_history(&id, 1, offsets);
    seqrec_filter filter = no_filter();
    filter.skipped = &skipped;
    good(seqrec_topk(w.model, &batch, 3, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 0);
    ck_assert_int_eq(skipped, 1);
    good(seqrec_encode(w.model, &batch, NULL, user, &failure));
    ck_assert_float_eq(user[0], 0);
    close_world(&w);
}
END_TEST

/* ---- filters ---------------------------------------------------------------------------------------------------------- */

START_TEST(seen_items_are_left_out_also_beyond_the_window)
{
    world w;
    int64_t offsets[2], best[50], found, history[40];
    open_world(&w, 0, 20, 50, plain);
    for (int64_t e = 0; e < 40; e++) history[e] = w.ids[e / 2 * 2 + 1]; /* odd ones, twice each */
    const seqrec_batch batch = one_history(history, 40, offsets);
    seqrec_filter filter = no_filter();
    filter.exclude_seen = 1;
    good(seqrec_topk(w.model, &batch, 50, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 30);
    for (int64_t i = 0; i < found; i++) ck_assert(!contains(history, 40, best[i]));
    expect_plain_ranking(&w, &batch, &filter, 50);
    close_world(&w);
}
END_TEST

START_TEST(filters_together_leave_what_each_leaves)
{
    static int64_t allow[3000], deny[500];
    world w;
    histories h;
    open_world(&w, 4, 20, 2500, kinds[_i / 8 % KINDS]);
    fill_histories(&h, &w, 30);
    for (int64_t i = 0; i < 3000; i++) allow[i] = w.ids[draw(2500)];
    for (int64_t i = 0; i < 500; i++) deny[i] = w.ids[draw(2500)];
    seqrec_filter filter = no_filter();
    filter.exclude_seen = _i & 1;
    filter.allow = _i & 2 ? allow : NULL;
    filter.allow_count = _i & 2 ? 3000 : 0;
    filter.deny = _i & 4 ? deny : NULL;
    filter.deny_count = _i & 4 ? 500 : 0;
    for (int64_t b = 0; b < 30; b += 7) {
        int64_t offsets[2];
        const seqrec_batch one = alone(&h, b, offsets);
        expect_plain_ranking(&w, &one, &filter, 20);
        expect_plain_ranking(&w, &one, &filter, 2500);
    }
    close_world(&w);
}
END_TEST

START_TEST(an_empty_allow_list_allows_nothing)
{
    world w;
    int64_t offsets[2], best[5], found = -1;
    open_world(&w, 0, 20, 50, plain);
    const seqrec_batch batch = one_history(w.ids, 3, offsets);
    seqrec_filter filter = no_filter();
    filter.allow = w.ids;
    good(seqrec_topk(w.model, &batch, 5, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 0);
    filter.allow_count = 2;
    filter.deny = w.ids;
    filter.deny_count = 50;
    good(seqrec_topk(w.model, &batch, 5, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 0);
    close_world(&w);
}
END_TEST

START_TEST(unknown_ids_are_skipped_and_counted)
{
    world w;
    const int64_t known[] = {id_of(3), id_of(4), id_of(9)}, mixed[] = {77, id_of(3), id_of(4), 78, 79, id_of(9)};
    const int64_t allow[] = {id_of(1), 80, id_of(2)}, deny[] = {81, id_of(2), 82};
    int64_t offsets[2], other[2], best[5], found, skipped = -1;
    float a[20], b[20];
    open_world(&w, 0, 20, 50, plain);
    const seqrec_batch clean = one_history(known, 3, offsets), dirty = one_history(mixed, 6, other);
    seqrec_filter filter = no_filter();
    filter.skipped = &skipped;
    good(seqrec_encode(w.model, &clean, &filter, a, &failure));
    ck_assert_int_eq(skipped, 0);
    good(seqrec_encode(w.model, &dirty, &filter, b, &failure));
    ck_assert_int_eq(skipped, 3);
    SAME(a, b, 20);
    good(seqrec_score(w.model, &clean, known, NULL, 3, NULL, a, &failure));
    good(seqrec_score(w.model, &dirty, known, NULL, 3, &filter, b, &failure));
    ck_assert_int_eq(skipped, 3);
    SAME(a, b, 3);
    filter.allow = allow;
    filter.allow_count = 3;
    filter.deny = deny;
    filter.deny_count = 3;
    good(seqrec_topk(w.model, &dirty, 5, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(skipped, 6);
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(best[0], id_of(1));
    close_world(&w);
}
END_TEST

START_TEST(unknown_ids_are_errors_when_asked_for)
{
    world w;
    const int64_t known[] = {id_of(3), id_of(4)}, mixed[] = {id_of(3), 778899};
    int64_t offsets[2], other[2], best[5] = {5, 5, 5, 5, 5}, found = 6, skipped = 7;
    float out[20] = {8};
    open_world(&w, 0, 20, 50, plain);
    const seqrec_batch clean = one_history(known, 2, offsets), dirty = one_history(mixed, 2, other);
    seqrec_filter filter = no_filter();
    filter.skipped = &skipped;
    filter.unknown_items = SEQREC_UNKNOWN_ERROR;
    ck_assert_int_eq(seqrec_encode(w.model, &dirty, &filter, out, &failure), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(failure.message, "778899"));
    ck_assert_int_eq(seqrec_score(w.model, &dirty, known, NULL, 2, &filter, out, NULL), SEQREC_E_NOT_FOUND);
    ck_assert_int_eq(seqrec_topk(w.model, &dirty, 5, &filter, best, NULL, &found, NULL), SEQREC_E_NOT_FOUND);
    filter.allow = mixed;
    filter.allow_count = 2;
    ck_assert_int_eq(seqrec_topk(w.model, &clean, 5, &filter, best, NULL, &found, NULL), SEQREC_E_NOT_FOUND);
    filter.allow = NULL;
    filter.allow_count = 0;
    filter.deny = mixed;
    filter.deny_count = 2;
    ck_assert_int_eq(seqrec_topk(w.model, &clean, 5, &filter, best, NULL, &found, &failure), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(failure.message, "deny[1]"));
    filter = no_filter(); /* candidates must be known whatever the filter says */
    ck_assert_int_eq(seqrec_score(w.model, &clean, mixed, NULL, 2, &filter, out, &failure), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(failure.message, "candidates[1]"));
    ck_assert_int_eq(best[0], 5);
    ck_assert_int_eq(found, 6);
    ck_assert_int_eq(skipped, 7);
    ck_assert_float_eq(out[0], 8);
    close_world(&w);
}
END_TEST

START_TEST(a_removed_item_is_never_recommended_again)
{
    world w;
    int64_t offsets[2], best[2500], found, skipped;
    open_world(&w, 2, 20, 2500, plain);
    const seqrec_batch batch = one_history(w.ids, 6, offsets);
    good(seqrec_items_remove(w.model, w.ids + 4, 2000, &failure));
    seqrec_filter filter = no_filter();
    filter.skipped = &skipped;
    good(seqrec_topk(w.model, &batch, 2500, &filter, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 500);
    ck_assert_int_eq(skipped, 2);
    for (int64_t i = 0; i < found; i++) ck_assert(!contains(w.ids + 4, 2000, best[i]));
    const int64_t newcomer = 424242; /* takes the first free slot */
    good(seqrec_items_put(w.model, &newcomer, 1, NULL, &failure));
    good(seqrec_topk(w.model, &batch, 2500, NULL, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 501);
    ck_assert(contains(best, found, newcomer));
    ck_assert(!contains(best, found, w.ids[4]));
    close_world(&w);
}
END_TEST

/* ---- failures ----------------------------------------------------------------------------------------------------------- */

enum { ENCODE, SCORE, TOPK, CALLS };

static int32_t call(const world *w, const seqrec_batch *batch, int32_t which, answers *out)
{
    seqrec_filter filter = no_filter();
    filter.deny = w->ids;
    filter.deny_count = 2;
    switch (which) {
    case ENCODE:
        return seqrec_encode(w->model, batch, NULL, out->users, &failure);
    case SCORE:
        return seqrec_score(w->model, batch, w->ids, NULL, LISTED, NULL, out->scores, &failure);
    default:
        return seqrec_topk(w->model, batch, K, &filter, out->best, out->best_scores, out->found, &failure);
    }
}

START_TEST(a_refused_allocation_changes_nothing)
{
    static answers out, untouched;
    int32_t status = SEQREC_E_MEMORY;
    int64_t refused = 0;
    memset(&untouched, 0x5a, sizeof out);
    for (; status != SEQREC_OK; refused++) {
        world w; /* a new one each time: nothing is kept from the call before */
        histories h;
        open_world(&w, 2, 20, 1500, plain);
        fill_histories(&h, &w, MOST_SEQUENCES);
        memset(&out, 0x5a, sizeof out);
        atomic_store(&w.memory.to_fail, refused);
        status = call(&w, &h.batch, _i, &out);
        atomic_store(&w.memory.to_fail, -1);
        if (status != SEQREC_OK) {
            ck_assert_int_eq(status, SEQREC_E_MEMORY);
            ck_assert_mem_eq(&out, &untouched, sizeof out);
        }
        close_world(&w);
    }
    ck_assert_int_ge(refused, 3);
}
END_TEST

START_TEST(a_warm_call_allocates_nothing)
{
    static answers out;
    world w;
    histories h;
    open_world(&w, _i / CALLS == 0 ? 0 : 2, 20, 2500, plain);
    fill_histories(&h, &w, MOST_SEQUENCES);
    for (int32_t i = 0; i < 4; i++) good(call(&w, &h.batch, _i % CALLS, &out));
    atomic_store(&w.memory.to_fail, 0);
    good(call(&w, &h.batch, _i % CALLS, &out));
    int64_t offsets[2];
    const seqrec_batch one = alone(&h, 3, offsets);
    good(call(&w, &one, _i % CALLS, &out));
    ck_assert_int_eq(atomic_load(&w.memory.to_fail), 0);
    atomic_store(&w.memory.to_fail, -1);
    close_world(&w);
}
END_TEST

/* Each case changes one thing of a call that would succeed. */
START_TEST(wrong_arguments_are_refused)
{
    static answers out;
    world w;
    int64_t offsets[] = {0, 2, 3}, lists[] = {0, 1, 3};
    open_world(&w, 0, 20, 50, plain);
    const seqrec_batch right = {.struct_size = sizeof right, .sequences = 2, .offsets = offsets, .items = w.ids};
    seqrec_batch b = right;
    seqrec_filter f = no_filter();
#define REFUSED(expected, f)                                                                                           \
    do {                                                                                                               \
        ck_assert_int_eq(seqrec_encode(w.model, &b, (f), out.users, &failure), (expected));                            \
        ck_assert_int_eq(failure.status, (expected));                                                                  \
        ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, NULL, 3, (f), out.scores, NULL), (expected));                \
        ck_assert_int_eq(seqrec_topk(w.model, &b, 5, (f), out.best, NULL, out.found, NULL), (expected));               \
        b = right;                                                                                                     \
    } while (0)
    b.struct_size = 8;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    b.sequences = -1;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    b.offsets = NULL;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    b.items = NULL;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    int64_t late[] = {1, 2, 3}, falling[] = {0, 3, 2};
    b.offsets = late;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    b.offsets = falling;
    REFUSED(SEQREC_E_ARGUMENT, NULL);
    f.struct_size = 4;
    REFUSED(SEQREC_E_ARGUMENT, &f);
    f = no_filter();
    f.exclude_seen = 2;
    REFUSED(SEQREC_E_RANGE, &f);
    f = no_filter();
    f.unknown_items = -1;
    REFUSED(SEQREC_E_RANGE, &f);
    f = no_filter();
    f.allow_count = 1;
    REFUSED(SEQREC_E_ARGUMENT, &f);
    f = no_filter();
    f.deny = w.ids;
    f.deny_count = -1;
    REFUSED(SEQREC_E_ARGUMENT, &f);
#undef REFUSED
    ck_assert_int_eq(seqrec_encode(NULL, &b, NULL, out.users, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_encode(w.model, NULL, NULL, out.users, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_encode(w.model, &b, NULL, NULL, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(NULL, &b, w.ids, NULL, 3, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, NULL, w.ids, NULL, 3, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, NULL, NULL, 3, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, NULL, -1, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, NULL, 3, NULL, NULL, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, late, 3, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, falling, 3, NULL, out.scores, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_score(w.model, &b, w.ids, lists, 0, NULL, out.scores, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_topk(NULL, &b, 5, NULL, out.best, NULL, out.found, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_topk(w.model, NULL, 5, NULL, out.best, NULL, out.found, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_topk(w.model, &b, -1, NULL, out.best, NULL, out.found, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_topk(w.model, &b, 5, NULL, NULL, NULL, out.found, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_topk(w.model, &b, 5, NULL, out.best, NULL, NULL, NULL), SEQREC_E_ARGUMENT);
    close_world(&w);
}
END_TEST

START_TEST(a_huge_k_asks_for_no_more_memory_than_the_items_need)
{
    world w;
    int64_t offsets[2], best[50], found;
    open_world(&w, 0, 20, 50, plain);
    const seqrec_batch batch = one_history(w.ids, 3, offsets);
    good(seqrec_topk(w.model, &batch, INT64_MAX / 16, NULL, best, NULL, &found, &failure));
    ck_assert_int_eq(found, 50);
    close_world(&w);
}
END_TEST

/* Squares of 1e-25 are no numbers above 0: a batch may not take such a vector for none, whose scores are all 0. Items are nearly alike, so that
 * rounding shows. */
START_TEST(a_batch_of_tiny_vectors_gives_each_sequence_what_it_gets_alone)
{
    enum { MANY = 8000, TOGETHER = 32, SHORT = 5, D = 16 };
    static const char *const settings[] = {"blocks=0", "position=none", "final_norm=false", "tied_output=false", NULL};
    static float vectors[MANY][2 * D];
    static int64_t ids[MANY];
    int64_t offsets[TOGETHER + 1], events[TOGETHER], lists[TOGETHER][SHORT], list[SHORT], found[TOGETHER];
    world w;
    open_world(&w, 1, D, MANY, settings);
    for (int64_t i = 0; i < MANY; i++) {
        ids[i] = id_of(i);
        for (int64_t d = 0; d < D; d++) {
            const float base = 0.3f + 0.04f * (float)(d * 7 % D);
            vectors[i][d] = (d % 3 ? 1e-25f : -1e-25f) * base;
            vectors[i][D + d] = base * (1 + 6e-8f * (float)(draw(9) - 4));
        }
    }
    good(seqrec_items_update(w.model, ids, MANY, vectors[0], &failure));
    for (int64_t b = 0; b <= TOGETHER; b++) offsets[b] = b;
    for (int64_t b = 0; b < TOGETHER; b++) events[b] = ids[1];
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = TOGETHER, .offsets = offsets, .items = events};
    good(seqrec_topk(w.model, &batch, SHORT, NULL, lists[0], NULL, found, &failure));
    batch.sequences = 1;
    good(seqrec_topk(w.model, &batch, SHORT, NULL, list, NULL, found, &failure));
    for (int64_t b = 0; b < TOGETHER; b++) ck_assert_mem_eq(lists[b], list, sizeof list);
    close_world(&w);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("serve");
    tcase_add_loop_test(tests, a_score_is_the_product_of_user_vector_and_output_vector, 0, KINDS);
    tcase_add_test(tests, a_cosine_is_one_over_the_temperature_at_most);
    tcase_add_test(tests, a_cosine_does_not_ask_for_the_length_of_the_vector);
    tcase_add_loop_test(tests, only_the_last_events_of_a_history_count, 0, KINDS);
    tcase_add_loop_test(tests, an_empty_history_scores_zero_and_gets_the_first_slots, 0, KINDS);
    tcase_add_loop_test(tests, a_batch_gives_each_sequence_what_it_gets_alone, 0, KINDS);
    tcase_add_test(tests, a_batch_of_tiny_vectors_gives_each_sequence_what_it_gets_alone);
    tcase_add_test(tests, the_number_of_threads_does_not_show);
    tcase_add_test(tests, the_hosts_executor_gives_the_same_bits);
    tcase_add_loop_test(tests, lists_by_sequence_score_as_one_list_does, 0, KINDS);
    tcase_add_loop_test(tests, a_list_may_be_longer_than_a_block, 0, KINDS);
    tcase_add_loop_test(tests, the_best_are_those_that_rank_first_among_all, 0, KINDS);
    tcase_add_test(tests, equal_scores_come_by_rising_slot);
    tcase_add_test(tests, a_score_that_is_not_a_number_is_never_recommended);
    tcase_add_test(tests, places_beyond_those_found_are_not_written);
    tcase_add_test(tests, nothing_asked_is_nothing_answered);
    tcase_add_test(tests, a_model_without_items_recommends_nothing);
    tcase_add_test(tests, seen_items_are_left_out_also_beyond_the_window);
    tcase_add_loop_test(tests, filters_together_leave_what_each_leaves, 0, 8 * KINDS);
    tcase_add_test(tests, an_empty_allow_list_allows_nothing);
    tcase_add_test(tests, unknown_ids_are_skipped_and_counted);
    tcase_add_test(tests, unknown_ids_are_errors_when_asked_for);
    tcase_add_test(tests, a_removed_item_is_never_recommended_again);
    tcase_add_loop_test(tests, a_refused_allocation_changes_nothing, 0, CALLS);
    tcase_add_loop_test(tests, a_warm_call_allocates_nothing, 0, 2 * CALLS);
    tcase_add_test(tests, wrong_arguments_are_refused);
    tcase_add_test(tests, a_huge_k_asks_for_no_more_memory_than_the_items_need);
    Suite *suite = suite_create("serve");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
