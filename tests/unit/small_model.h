/* unit: a small model with items, its trainer, and batches given as slots. */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "train/trainer.h"

#define EXPECT_OK(call)                                                                                                \
    do {                                                                                                               \
        seqrec_error why_ = {0};                                                                                       \
        seqrec_error *error = &why_;                                                                                   \
        int32_t status_ = (call);                                                                                      \
        ck_assert_msg(status_ == SEQREC_OK, "%s: %d %s", #call, (int)status_, why_.message);                           \
    } while (0)

typedef struct small_model {
    seqrec_context *context;
    seqrec_model *model;
    sq_trainer *trainer;
} small_model;

/* The preset without dropout. */
static inline sq_options small_options(const char *preset)
{
    sq_options options;
    EXPECT_OK(sq_options_preset(&options, preset, error));
    options.dropout = 0;
    return options;
}

/* A pattern that fills parameters with values of moderate size, different everywhere. */
static inline float wave(uint64_t stream, int64_t j)
{
    uint64_t x = (stream + 1) * 0x9e3779b97f4a7c15u + (uint64_t)j * 0xd1342543de82ef95u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (float)((double)(x >> 40) / 8388608.0 - 1.0);
}

/* Publishes items base .. base + n - 1 with vectors [n][dim * tables] or, for NULL, their start values. */
static inline void small_put(small_model *s, int64_t base, int64_t n, const float *vectors)
{
    int64_t *ids = malloc((size_t)n * sizeof *ids);
    for (int64_t i = 0; i < n; i++) ids[i] = base + i;
    sq_item_start start = sq_item_start_of(s->model, n);
    sq_change change = {0};
    EXPECT_OK(sq_catalogue_put(s->model->current->parts.catalogue, ids, n, vectors, sq_item_start_fill, &start,
                               &change.parts.catalogue, error));
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
    free(ids);
}

static inline void small_remove(small_model *s, const int64_t *ids, int64_t n)
{
    sq_change change = {0};
    EXPECT_OK(sq_catalogue_remove(s->model->current->parts.catalogue, ids, n, &change.parts.catalogue, error));
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}

static inline void small_update(small_model *s, int64_t id, const float *vector)
{
    sq_change change = {0};
    EXPECT_OK(sq_catalogue_update(s->model->current->parts.catalogue, &id, 1, vector, &change.parts.catalogue, error));
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}

/* Items 0 .. items - 1 live in slots of the same number. */
static inline small_model small_open_with(const seqrec_allocator *host, const sq_options *options, int32_t threads,
                                          int64_t items)
{
    small_model s = {0};
    EXPECT_OK(sq_context_create(host, NULL, threads, NULL, NULL, &s.context, error));
    EXPECT_OK(sq_model_create(s.context, options, "sasrec", &s.model, error));
    if (items > 0) small_put(&s, 0, items, NULL);
    return s;
}

static inline small_model small_open(const sq_options *options, int32_t threads, int64_t items)
{
    return small_open_with(NULL, options, threads, items);
}

static inline void small_train(small_model *s, const sq_options *options)
{
    EXPECT_OK(sq_trainer_create(s->model, options, &s->trainer, error));
}

static inline void small_close(small_model *s)
{
    sq_trainer_free(s->trainer);
    sq_model_release(s->model);
    sq_context_release(s->context);
    memset(s, 0, sizeof *s);
}

/* Sequences as slots in compressed rows. */
typedef struct small_batch {
    int64_t sequences;
    int64_t offsets[65];
    int32_t slots[4096];
    int64_t times[4096], asks[4096]; /* seconds apart and years apart, and the same; asks: of the next event, or a while later */
} small_batch;

/* 1: bias, 2: intervals, 3: and positions beside them, 4: a calendar. */
static inline void small_time(sq_options *o, int64_t time)
{
    o->calendar = time == 4;
    if (time == 4) time = 0;
    o->time_unit = time == 5 ? SQ_UNIT_SEEN : SQ_UNIT_WINDOW;
    o->time = time == 1 ? SQ_TIME_BIAS : time ? SQ_TIME_INTERVALS : SQ_TIME_NONE;
    o->time_span = 18;
    o->position_place = time == 3 ? SQ_PLACE_ATTENTION : SQ_PLACE_INPUT;
}

static inline void small_plan(sq_trainer *t, const small_batch *batch)
{
    sq_plan_clear(&t->plan);
    for (int64_t s = 0; s < batch->sequences; s++)
        EXPECT_OK(sq_trainer_plan_add(t,
                                      &(sq_plan_sequence){.slots = batch->slots + batch->offsets[s],
                                                          .times = batch->times + batch->offsets[s],
                                                          .n = batch->offsets[s + 1] - batch->offsets[s]},
                                      error));
    EXPECT_OK(sq_plan_finish(&t->plan, &t->context->memory, t->options.micro_batch, error));
}

static inline void small_times(small_batch *batch, int64_t at, int64_t n)
{
    int64_t time = 978300760;
    for (int64_t i = 0; i < n; i++) {
        batch->times[at + i] = time;
        time += (int64_t)exp(8 + 10 * (double)wave(77, at + i));
        batch->asks[at + i] = time;
    }
}

/* Sequences of shortest .. longest slots below `items`, no item twice in a row. */
static inline void small_draw(small_batch *batch, uint64_t seed, int64_t sequences, int64_t shortest, int64_t longest,
                              int32_t items)
{
    batch->sequences = sequences;
    batch->offsets[0] = 0;
    for (int64_t s = 0; s < sequences; s++) {
        int64_t n = shortest + (int64_t)((double)(longest - shortest + 1) * 0.49999 * (1.0 + (double)wave(seed, s)));
        int64_t at = batch->offsets[s];
        ck_assert_int_le(at + n, 4096);
        for (int64_t i = 0; i < n; i++) {
            int32_t slot = (int32_t)((double)items * 0.49999 * (1.0 + (double)wave(seed + 1000, at + i)));
            if (i > 0 && slot == batch->slots[at + i - 1]) slot = (slot + 1) % items;
            batch->slots[at + i] = slot;
        }
        small_times(batch, at, n);
        batch->offsets[s + 1] = at + n;
    }
}

/* Slots of the own candidates of the latest step, [targets][candidates], -1 for one that was left out; a dense step's are drawn again. The
 * caller frees them. */
static inline int32_t *small_candidates(sq_trainer *t)
{
    const size_t c = t->candidates, count = (size_t)t->plan.target_count * c;
    int32_t *slots = malloc(count * sizeof *slots);
    if (!t->dense) return memcpy(slots, t->own, count * sizeof *slots);
    t->step--; /* which draws are a function of */
    for (int64_t i = 0; i < t->plan.micro_count; i++) {
        const sq_micro *m = &t->plan.micro[i];
        sq_step_scratch s;
        t->arenas[0].used = 0;
        sq_step_scratch_take(&t->arenas[0], t, &s);
        memset(s.bits, 0, ((size_t)sq_trainer_slots(t) / 64 + 1) * sizeof *s.bits);
        sq_step_draw(t, m, 0, &s);
        for (size_t j = 0; j < (size_t)m->targets * c; j++)
            slots[(size_t)m->first_target * c + j] = s.own[j] < 0 ? -1 : t->items.live[s.own[j]];
    }
    t->step++;
    return slots;
}

/* Plan, run; returns the mean loss. */
static inline double small_step(sq_trainer *t, const small_batch *batch)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    small_plan(t, batch);
    EXPECT_OK(sq_trainer_run(t, &stats, error));
    return stats.loss;
}

/* ---- options in words, and recipes ------------------------------------------------------------------------------------ */

/* "name=value name=value" */
static inline void small_set(sq_options *o, const char *settings)
{
    char text[256], *word, *rest = text;
    snprintf(text, sizeof text, "%s", settings);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        *value++ = 0;
        EXPECT_OK(sq_options_set(o, word, value, error));
    }
}

/* On top of preset sasrec, with a message that holds `why`. */
static inline void small_refused(const char *settings, const char *why)
{
    sq_options o = small_options("sasrec");
    seqrec_error e = {0};
    small_set(&o, settings);
    ck_assert_msg(sq_options_check(&o, &e) == SEQREC_E_ARGUMENT, "%s is allowed", settings);
    ck_assert_msg(strstr(e.message, why), "%s: %s", settings, e.message);
}

/* Weights after a few steps on many micro-batches, and their number; the caller frees them. */
static inline float *small_trained(sq_options o, int32_t threads, const char *what, size_t *floats)
{
    small_batch b;
    o.micro_batch = 64;
    if (o.negatives > 90) o.negatives = 90; /* there are no more items */
    EXPECT_OK(sq_options_check(&o, error));
    small_model s = small_open(&o, threads, 90);
    small_train(&s, &o);
    small_draw(&b, 4, 20, 2, 61, 90);
    double first = small_step(s.trainer, &b), last = 0;
    for (int i = 0; i < 30; i++) last = small_step(s.trainer, &b);
    ck_assert_msg(last < first - 0.05, "%s: loss %g and %g", what, first, last);
    *floats = s.model->layout.floats;
    float *w = malloc(*floats * sizeof *w);
    memcpy(w, s.trainer->weights, *floats * sizeof *w);
    small_close(&s);
    return w;
}

/* Options a without threads and b with them train to the same bits. */
static inline void small_same(sq_options a, sq_options b, int32_t threads, const char *what)
{
    size_t n, m;
    float *one = small_trained(a, 0, what, &n), *other = small_trained(b, threads, what, &m);
    ck_assert_msg(n == m && memcmp(one, other, n * sizeof *one) == 0, "%s", what);
    free(one);
    free(other);
}
#endif
