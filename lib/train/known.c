/* train: probabilities of known events under the weights at hand. */
#include "train/known.h"
#include "serve/encode.h"
#include <float.h>
#include <math.h>

#define LEAST 1e-6f
#define MOST_TASKS 65536

/* Working memory of one worker. */
typedef struct bench {
    sq_encode_scratch encode;
    float *states, *u;  /* [tokens][dp], [window][vp] */
    float *loss;        /* [window] */
    int32_t *targets;   /* [window] */
    int32_t *slots;     /* [longest] of the events whose items are there */
    int64_t *places;    /* [longest] which events these are */
    int64_t *times;     /* [longest] of these, in a model that is dated */
    float *softmax;
} bench;

typedef struct known {
    sq_trainer *t;
    const sq_known_events *events;
    sq_encoder encoder;
    int64_t longest;
    float *rows, *panels; /* [items padded to a panel][vp], and in panels */
    bench *benches;       /* [threads] */
    float *out;           /* [events] */
    int32_t tasks;
} known;

/* At least one, as if there were: all may have been removed. */
static size_t items_of(const sq_trainer *t) { return t->items.live_count > 0 ? (size_t)t->items.live_count : 1; }

static size_t padded_items(const sq_trainer *t) { return sq_softmax_padded(items_of(t)); }

static void carve(known *k, sq_arena *arena)
{
    const sq_trainer *t = k->t;
    const sq_layout *l = &t->model->layout;
    size_t longest = (size_t)k->longest, window = (size_t)sq_encode_window(t->model, k->longest), vp = (size_t)l->vp;
    k->rows = SQ_TAKE(arena, float, padded_items(t) * vp);
    k->panels = SQ_TAKE(arena, float, padded_items(t) * vp);
    k->benches = SQ_TAKE(arena, bench, (size_t)sq_pool_width(t->context->pool));
    for (int32_t w = 0; w < sq_pool_width(t->context->pool); w++) {
        bench measured, *b = arena->base ? &k->benches[w] : &measured;
        sq_encode_scratch_take(arena, t->model, (int32_t)window, &b->encode);
        b->states = SQ_TAKE(arena, float, (window + 1) * (size_t)l->dp);
        b->u = SQ_TAKE(arena, float, window * vp);
        b->loss = SQ_TAKE(arena, float, window);
        b->targets = SQ_TAKE(arena, int32_t, window);
        b->slots = SQ_TAKE(arena, int32_t, longest);
        b->places = SQ_TAKE(arena, int64_t, longest);
        b->times = SQ_TAKE(arena, int64_t, l->dated ? longest : 0);
        b->softmax = SQ_TAKE(arena, float, sq_softmax_scratch(items_of(t), vp, 1));
    }
}

static void fill_panel(void *arg, int32_t panel, int32_t worker)
{
    known *k = arg;
    (void)worker;
    sq_step_output_panel(k->t, (size_t)panel, k->rows, k->panels);
}

/* ---- one window ------------------------------------------------------------------------------------------------------- */

/* The first `end` events of a user, without items that are not there: appends those from event `from` on; returns how many. */
static int64_t map_events(const known *k, int64_t user, int64_t from, int64_t end, int64_t kept, bench *b)
{
    const seqrec_dataset *data = k->events->data;
    const int32_t *items = data->sequence + data->offsets[user];
    for (int64_t i = from; i < end; i++) {
        int32_t slot = k->events->slot_of[items[i]];
        if (slot < 0) continue;
        b->slots[kept] = slot;
        if (k->t->model->layout.dated) b->times[kept] = data->timestamps[data->offsets[user] + i];
        b->places[kept++] = i;
    }
    return kept;
}

/* The first target of a window of n events. */
static int64_t first_target(const known *k, int64_t n)
{
    int64_t length = k->t->model->layout.length;
    return n - length > 1 ? n - length : 1;
}

/* Log probabilities of events first .. last - 1 of the n that stand in the bench; the pass is that of the whole window. */
static void predict(const known *k, bench *b, int64_t user, int64_t n, int64_t first, int64_t last)
{
    const sq_trainer *t = k->t;
    size_t vp = (size_t)t->model->layout.vp, targets = (size_t)(last - first);
    int64_t begin = first_target(k, n) - 1;
    sq_history history = {.slots = b->slots + begin, .n = n - 1 - begin, .user = k->events->user_of ? k->events->user_of[user] : -1};
    if (t->model->layout.dated) history.times = b->times + begin;
    if (t->model->layout.dated) history.ask = b->times[n - 1];
    sq_encode_each(&k->encoder, &history, &b->encode, b->states, b->u);
    for (int64_t i = first; i < last; i++) b->targets[i - first] = t->items.compact[b->slots[i]];
    sq_softmax o = {.kernels = t->kernels, .n = targets, .width = vp, .d = (size_t)t->model->layout.vd};
    o.items = (size_t)t->items.live_count;
    o.u = b->u + (size_t)(first - 1 - begin) * vp;
    o.target = b->targets;
    o.rows = k->rows;
    o.panels = k->panels;
    o.scratch = b->softmax;
    sq_softmax_losses(&o, b->loss);
    float *out = k->out + k->events->data->offsets[user];
    for (int64_t i = first; i < last; i++) /* a loss that is not finite is the largest there is */
        out[b->places[i]] = b->loss[i - first] < FLT_MAX ? -b->loss[i - first] : -FLT_MAX;
}

/* Of a window, the targets that the later one before it in the list does not have. */
static void run_window(const known *k, int64_t at, bench *b)
{
    const sq_window *w = &k->events->windows[at];
    int64_t n = map_events(k, w->user, 0, w->end, 0, b), last = n;
    if (at > 0 && w[-1].user == w->user) {
        int64_t later = first_target(k, map_events(k, w->user, w->end, w[-1].end, n, b));
        if (later < last) last = later;
    }
    if (first_target(k, n) < last) predict(k, b, w->user, n, first_target(k, n), last);
}

static void run_task(void *arg, int32_t task, int32_t worker)
{
    const known *k = arg;
    int64_t from = k->events->count * task / k->tasks, to = k->events->count * (task + 1) / k->tasks;
    for (int64_t i = from; i < to; i++) run_window(k, i, &k->benches[worker]);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

static int64_t longest_of(const sq_known_events *events)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < events->count; i++)
        if (events->windows[i].end > longest) longest = events->windows[i].end;
    return longest;
}

static void run(known *k, const sq_snapshot *snapshot)
{
    sq_pool *pool = k->t->context->pool;
    int64_t events = k->events->data->events;
    k->encoder = sq_encoder_of(k->t->model, snapshot);
    k->tasks = k->events->count < MOST_TASKS ? (int32_t)k->events->count : MOST_TASKS;
    for (int64_t i = 0; i < events; i++) k->out[i] = -logf((float)items_of(k->t));
    sq_parallel(pool, (int32_t)(padded_items(k->t) / SQ_SOFTMAX_PANEL), fill_panel, k);
    sq_parallel(pool, k->tasks, run_task, k);
}

int32_t sq_known_refresh(sq_trainer *t, const sq_known_events *events, seqrec_error *error)
{
    const sq_memory *memory = &t->context->memory;
    known k = {.t = t, .events = events, .longest = longest_of(events)};
    sq_arena arena = {0};
    sq_snapshot *now = NULL;
    SQ_TRY(sq_trainer_snapshot(t, &now, error));
    int32_t status = sq_weights_settle(t->model, now->parts.weights, error);
    carve(&k, &arena);
    if (status == SEQREC_OK) status = sq_arena_reserve(&arena, memory, arena.peak, error);
    if (status == SEQREC_OK) {
        k.out = sq_alloc(memory, (size_t)events->data->events, sizeof *k.out);
        if (!k.out)
            status = sq_fail(error, SEQREC_E_MEMORY, "no memory for the probabilities of %lld events", (long long)events->data->events);
    }
    if (status == SEQREC_OK) {
        carve(&k, &arena);
        run(&k, now);
        sq_free(memory, t->known);
        t->known = k.out;
        t->known_count = events->data->events;
        t->known_epoch = t->fit.epoch;
    }
    sq_arena_free(&arena, memory);
    sq_snapshot_release(t->model, now);
    return status;
}

float sq_known_weight(const sq_options *o, float log_probability)
{
    double p = log_probability < 0 ? exp((double)log_probability) : 1;
    float weight = (float)pow(o->known_items == SQ_KNOWN_PREDICTED ? p : 1 - p, o->known_power);
    return weight > LEAST ? weight : LEAST;
}
