/* unit: everything a trainer has learned, copied and compared bit for bit. */
#ifndef TRAINER_STATE_H
#define TRAINER_STATE_H
#include "small_model.h"

typedef struct trainer_state {
    size_t floats, row_floats;
    int32_t chunks;
    int64_t step;
    float *weights, *m, *v;
    float *rows, *row_m, *row_v; /* [chunks][SQ_CHUNK_ROWS][stride] */
    int64_t *last;
} trainer_state;

static inline trainer_state state_of(const sq_trainer *t)
{
    trainer_state s = {.floats = t->model->layout.floats, .chunks = t->items.chunks, .step = t->step};
    size_t each = (size_t)SQ_CHUNK_ROWS * (size_t)t->items.catalogue->stride, bytes = each * sizeof(float);
    s.row_floats = each * (size_t)t->items.chunks;
    float **dense[] = {&s.weights, &s.m, &s.v};
    const float *from[] = {t->weights, t->m, t->v};
    for (int i = 0; i < 3; i++) {
        *dense[i] = malloc(s.floats * sizeof(float));
        memcpy(*dense[i], from[i], s.floats * sizeof(float));
    }
    s.rows = malloc(s.row_floats * sizeof(float));
    s.row_m = malloc(s.row_floats * sizeof(float));
    s.row_v = malloc(s.row_floats * sizeof(float));
    s.last = malloc((size_t)t->items.chunks * SQ_CHUNK_ROWS * sizeof *s.last);
    for (int32_t c = 0; c < t->items.chunks; c++) {
        memcpy(s.rows + each * (size_t)c, t->items.rows[c]->at, bytes);
        memcpy(s.row_m + each * (size_t)c, t->items.state[c]->m, bytes);
        memcpy(s.row_v + each * (size_t)c, t->items.state[c]->v, bytes);
        memcpy(s.last + SQ_CHUNK_ROWS * c, t->items.state[c]->last, sizeof t->items.state[c]->last);
    }
    return s;
}

static inline void state_free(trainer_state *s)
{
    void *blocks[] = {s->weights, s->m, s->v, s->rows, s->row_m, s->row_v, s->last};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    memset(s, 0, sizeof *s);
}

static inline void same_floats(const char *what, const float *a, const float *b, size_t n)
{
    size_t i = 0;
    while (i < n && memcmp(a + i, b + i, sizeof *a) == 0) i++; /* one assertion: each writes to a pipe */
    ck_assert_msg(i == n, "%s differ at %zu: %.9g and %.9g", what, i, (double)a[i < n ? i : 0],
                  (double)b[i < n ? i : 0]);
}

static inline void same_state(const trainer_state *a, const trainer_state *b)
{
    ck_assert_int_eq(a->chunks, b->chunks);
    ck_assert_int_eq(a->step, b->step);
    same_floats("weights", a->weights, b->weights, a->floats);
    same_floats("first moments", a->m, b->m, a->floats);
    same_floats("second moments", a->v, b->v, a->floats);
    same_floats("rows", a->rows, b->rows, a->row_floats);
    same_floats("rows' first moments", a->row_m, b->row_m, a->row_floats);
    same_floats("rows' second moments", a->row_v, b->row_v, a->row_floats);
    ck_assert_mem_eq(a->last, b->last, (size_t)a->chunks * SQ_CHUNK_ROWS * sizeof *a->last);
}

/* One of the kinds of training that differ in how they compute: `index` in 0 .. TRAINING_KINDS - 1. */
#define TRAINING_KINDS 64
static inline void training_kind(int index, sq_options *o)
{
    static const int64_t losses[] = {SQ_LOSS_BCE, SQ_LOSS_SOFTMAX, SQ_LOSS_SAMPLED_SOFTMAX, SQ_LOSS_SCE};
    o->tied_output = index & 1;
    o->score = index & 2 ? SQ_SCORE_COSINE : SQ_SCORE_DOT;
    o->temperature = 0.3;
    o->negative_sharing = index & 4 ? SQ_SHARE_BATCH : SQ_SHARE_POSITION;
    o->item_updates = index & 8 ? SQ_ROWS_LAZY : SQ_ROWS_EXACT;
    o->loss = losses[index / 16];
    o->negatives = 7;
    o->sce_bucket_items = 24;
    o->sce_mix = index & 4 ? 1 : 0;
}
#endif
