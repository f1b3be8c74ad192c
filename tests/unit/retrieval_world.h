/* unit: a model of many items through the public interface, histories over them, and answers to compare. */
#ifndef RETRIEVAL_WORLD_H
#define RETRIEVAL_WORLD_H
#include <math.h>
#include <stdio.h>
#include "api_fixture.h"

enum { DIM = 64, ITEMS = 20000, USERS = 60, EVENTS = 5, BEST = 10, SOME = 3000 };

/* The model of the fixture, with `items` items of DIM floats, ids 1000, 1003, ... */
static inline int64_t id_of(int64_t i) { return 1000 + 3 * i; }

static inline void open_model(int32_t threads, int64_t items, const char *const *settings)
{
    int64_t *ids = malloc((size_t)items * sizeof *ids);
    api.allocator = failing_allocator_of(&api.memory);
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, threads, NULL, NULL, &api.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &api.config, &api.error));
    api_set("dim", "64");
    api_set("blocks", "1");
    api_set("max_length", "8");
    api_set("init", "normal");
    api_set("init_std", "0.2");
    for (; *settings != NULL; settings += 2) api_set(settings[0], settings[1]);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
    for (int64_t i = 0; i < items; i++) ids[i] = id_of(i);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, items, NULL, &api.error));
    free(ids);
}

static const char *const tied[] = {NULL};
static const char *const untied[] = {"tied_output", "false", "item_bias", "true", NULL};
static const char *const cosine[] = {"score", "cosine", "temperature", "0.1", NULL};
static const char *const *const kinds[] = {tied, untied, cosine};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct asked {
    int64_t offsets[USERS + 1], events[USERS * EVENTS];
    seqrec_batch batch;
} asked;

/* The first history is empty: its vector is zero. */
static inline asked *ask(int64_t items)
{
    static asked a;
    uint32_t state = 7;
    for (int64_t b = 0; b <= USERS; b++) a.offsets[b] = b == 0 ? 0 : (b - 1) * EVENTS;
    for (int64_t e = 0; e < USERS * EVENTS; e++) {
        state = state * 1664525u + 1013904223u;
        a.events[e] = id_of((int64_t)(state >> 8) % items);
    }
    a.batch = (seqrec_batch){.struct_size = sizeof a.batch, .sequences = USERS, .offsets = a.offsets, .items = a.events};
    return &a;
}

typedef struct answer {
    int64_t items[USERS * BEST], found[USERS];
    float scores[USERS * BEST];
} answer;

static inline void answer_all(const seqrec_batch *batch, const seqrec_filter *filter, answer *out)
{
    memset(out, 0, sizeof *out);
    EXPECT(SEQREC_OK, seqrec_topk(api.model, batch, BEST, filter, out->items, out->scores, out->found, &api.error));
}

static inline void expect_same(const answer *a, const answer *b)
{
    ck_assert_mem_eq(a->found, b->found, sizeof a->found);
    ck_assert_mem_eq(a->items, b->items, sizeof a->items);
    ck_assert_mem_eq(a->scores, b->scores, sizeof a->scores);
}

/* Users one by one: these are too few for products. */
static inline void answer_singly(const asked *a, const seqrec_filter *filter, answer *out)
{
    memset(out, 0, sizeof *out);
    for (int64_t b = 0; b < USERS; b++) {
        const int64_t offsets[] = {0, a->offsets[b + 1] - a->offsets[b]};
        const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events + a->offsets[b]};
        EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, filter, out->items + b * BEST, out->scores + b * BEST, out->found + b,
                                      &api.error));
    }
}

/* Share of a's items that b has too, of all users with a history. */
static inline double recall_of(const answer *a, const answer *b)
{
    int64_t shared = 0, all = 0;
    for (int64_t u = 1; u < USERS; u++)
        for (int64_t i = 0; i < a->found[u]; i++, all++)
            for (int64_t j = 0; j < b->found[u]; j++) shared += a->items[u * BEST + i] == b->items[u * BEST + j];
    return (double)shared / (double)all;
}

/* Every score is the one that seqrec_score gives, best first. */
static inline void expect_exact_scores(const asked *a, const answer *got)
{
    for (int64_t b = 0; b < USERS; b++) {
        float scores[BEST];
        const int64_t offsets[] = {0, a->offsets[b + 1] - a->offsets[b]};
        const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events + a->offsets[b]};
        EXPECT(SEQREC_OK, seqrec_score(api.model, &one, got->items + b * BEST, NULL, got->found[b], NULL, scores, &api.error));
        ck_assert_mem_eq(scores, got->scores + b * BEST, (size_t)got->found[b] * sizeof *scores);
        for (int64_t i = 1; i < got->found[b]; i++) ck_assert(scores[i] <= scores[i - 1]);
    }
}
#endif
