/* train: what each bucket takes: the outputs and the items with the largest projections on its direction. Projections
 * exist for a panel of vectors by all directions; the rest is heaps. */
#include "serve/topheap.h"
#include "tensor/length.h"
#include "train/trainer.h"

#define PANEL 64 /* vectors projected at a time; divides a chunk */

/* Vectors to choose from. */
typedef struct source {
    sq_trainer *t;
    sq_bucket_choice *choice;
    size_t n, room; /* vectors; length of a part's heap */
    /* Those from `first` on, `stride` floats apart; which of them may be taken. */
    const float *(*at)(const sq_trainer *t, size_t first, size_t *stride, const uint8_t **allowed);
    int32_t by_length; /* 1: projections of vectors of length one */
} source;

static const float *outputs_at(const sq_trainer *t, size_t first, size_t *stride, const uint8_t **allowed)
{
    *stride = (size_t)t->model->layout.vp;
    *allowed = t->buckets.takes_part + first;
    return t->u + first * *stride;
}

static const float *items_at(const sq_trainer *t, size_t first, size_t *stride, const uint8_t **allowed)
{
    *stride = (size_t)t->items.catalogue->stride;
    *allowed = t->items.catalogue->slots[first / SQ_CHUNK_ROWS]->live + first % SQ_CHUNK_ROWS;
    return sq_trainer_row(t, (int32_t)first) + sq_output_offset(t->items.catalogue);
}

/* Working memory of one part. */
typedef struct scratch {
    float *rows, *columns; /* [PANEL][padded] projections and [padded][PANEL] their transpose */
    sq_topk *heaps;        /* [count] */
} scratch;

static scratch take(sq_arena *arena, const sq_buckets *b)
{
    scratch s;
    s.rows = SQ_TAKE(arena, float, PANEL * b->padded);
    s.columns = SQ_TAKE(arena, float, PANEL * b->padded);
    s.heaps = SQ_TAKE(arena, sq_topk, b->count);
    return s;
}

void sq_step_bucket_select_take(sq_arena *arena, const sq_trainer *t)
{
    take(arena, &t->buckets);
}

static size_t panels_of(size_t n)
{
    return (n + PANEL - 1) / PANEL;
}

size_t sq_step_bucket_heap(const sq_trainer *t, size_t n, size_t most)
{
    size_t parts = t->buckets.parts, largest = (panels_of(n) + parts - 1) / parts * PANEL;
    return most < largest ? most : largest;
}

static void project(const source *s, size_t first, size_t n, scratch *w)
{
    const sq_trainer *t = s->t;
    const sq_buckets *b = &t->buckets;
    size_t stride, vp = (size_t)t->model->layout.vp;
    const uint8_t *allowed;
    const float *vectors = s->at(t, first, &stride, &allowed);
    sq_gemm(t->kernels, n, b->padded, (size_t)t->model->layout.vd, vectors, stride, 1, b->across, b->padded, w->rows,
            b->padded, 0);
    for (size_t r = 0; r < n && s->by_length; r++) {
        const float factor = sq_inverse_length(t->kernels, vp, vectors + r * stride);
        t->kernels->scale(b->padded, factor, w->rows + r * b->padded, w->rows + r * b->padded);
    }
    t->kernels->transpose(n, b->padded, w->rows, b->padded, w->columns, PANEL);
    for (size_t i = 0; i < b->count; i++)
        sq_topk_push_block(&w->heaps[i], w->columns + i * PANEL, (int32_t)first, (int32_t)n, allowed);
}

static void select_part(void *arg, int32_t part, int32_t worker)
{
    const source *s = arg;
    const sq_buckets *b = &s->t->buckets;
    size_t panels = panels_of(s->n), own = (size_t)part * b->count;
    s->t->arenas[worker].used = 0;
    scratch w = take(&s->t->arenas[worker], b);
    for (size_t i = 0; i < b->count; i++)
        sq_topk_init(&w.heaps[i], (int32_t)s->room, b->heap_scores + (own + i) * s->room,
                     b->heap_at + (own + i) * s->room);
    for (size_t p = panels * (size_t)part / b->parts; p < panels * ((size_t)part + 1) / b->parts; p++) {
        size_t first = p * PANEL;
        project(s, first, s->n - first < PANEL ? s->n - first : PANEL, &w);
    }
    for (size_t i = 0; i < b->count; i++) b->heap_found[own + i] = w.heaps[i].count;
}

static void merge(void *arg, int32_t bucket, int32_t worker)
{
    const source *s = arg;
    const sq_buckets *b = &s->t->buckets;
    sq_bucket_choice *c = s->choice;
    sq_topk heap;
    (void)worker;
    sq_topk_init(&heap, (int32_t)c->most, b->best + (size_t)bucket * c->most, c->at + (size_t)bucket * c->most);
    for (size_t part = 0; part < b->parts; part++) {
        size_t at = part * b->count + (size_t)bucket;
        for (size_t j = 0; j < (size_t)b->heap_found[at]; j++)
            sq_topk_push(&heap, b->heap_scores[at * s->room + j], b->heap_at[at * s->room + j]);
    }
    c->found[bucket] = sq_topk_finish(&heap);
}

static void choose(sq_trainer *t, source *s)
{
    s->t = t;
    s->room = sq_step_bucket_heap(t, s->n, s->choice->most);
    sq_parallel(t->context->pool, (int32_t)t->buckets.parts, select_part, s);
    sq_parallel(t->context->pool, (int32_t)t->buckets.count, merge, s);
}

void sq_step_bucket_select(sq_trainer *t)
{
    source outputs = {.choice = &t->buckets.outputs, .n = (size_t)t->plan.target_count, .at = outputs_at};
    source items = {.choice = &t->buckets.items, .n = (size_t)sq_trainer_slots(t), .at = items_at};
    items.by_length = t->options.score == SQ_SCORE_COSINE;
    choose(t, &outputs);
    choose(t, &items);
}
