/* unit: a context, synthetic events, a model and its trainer through the public interface, opened and closed as often as a
 * test wants. */
#ifndef TRAIN_WORLD_H
#define TRAIN_WORLD_H
#include "api_fixture.h"
#include "scratch_folder.h"

enum { WORLD_FILE = 1 << 19, WORLD_WIDTH = 8 };

typedef struct train_world {
    seqrec_context *context;
    seqrec_config *config;
    seqrec_dataset *data;
    seqrec_model *model;
    seqrec_trainer *trainer;
} train_world;

/* Names and values of options, ended by NULL. */
typedef const char *const world_options[24];

static const char *const world_usual[] = {"dim", "8",           "blocks",     "1",           "heads",       "2",
                                          "max_length", "8",    "batch",      "10",          "epochs",      "3",
                                          "valid_every", "1",   "patience",   "0",           "micro_batch", "32",
                                          "negatives", "3",     "learning_rate", "0.01",     NULL};

static inline void world_set(const train_world *w, const char *const *pairs)
{
    for (; pairs != NULL && *pairs != NULL; pairs += 2)
        EXPECT(SEQREC_OK, seqrec_config_set(w->config, pairs[0], pairs[1], &api.error));
}

/* 48 users with 4 to 14 events on 40 items. */
static inline seqrec_synth world_synth(void)
{
    return (seqrec_synth){
        .struct_size = sizeof(seqrec_synth), .users = 48, .items = 40, .clusters = 4, .shortest = 4, .longest = 14, .seed = 5};
}

static inline train_world world_open_without_trainer(const char *const *changes, int32_t threads)
{
    train_world w = {0};
    const seqrec_synth synth = world_synth();
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, threads, NULL, NULL, &w.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &w.config, &api.error));
    world_set(&w, world_usual);
    world_set(&w, changes);
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(w.context, &synth, &w.data, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_create(w.context, w.config, &w.model, &api.error));
    return w;
}

static inline train_world world_open(const char *const *changes, int32_t threads)
{
    train_world w = world_open_without_trainer(changes, threads);
    EXPECT(SEQREC_OK, seqrec_trainer_create(w.model, w.config, &w.trainer, &api.error));
    return w;
}

static inline void world_close(train_world *w)
{
    seqrec_trainer_release(w->trainer);
    seqrec_model_release(w->model);
    seqrec_dataset_release(w->data);
    seqrec_config_release(w->config);
    seqrec_context_release(w->context);
    *w = (train_world){0};
}

/* Puts what the file has in place of the trainer and its model. */
static inline void world_load(train_world *w, const char *name)
{
    seqrec_trainer_release(w->trainer);
    seqrec_model_release(w->model);
    EXPECT(SEQREC_OK, seqrec_trainer_load(w->context, scratch_path(name), &w->trainer, &w->model, &api.error));
}

static inline void world_checkpoint(const train_world *w, const char *name)
{
    EXPECT(SEQREC_OK, seqrec_trainer_save(w->trainer, scratch_path(name), &api.error));
}

static inline void world_save(const train_world *w, const char *name)
{
    EXPECT(SEQREC_OK, seqrec_model_save(w->model, scratch_path(name), &api.error));
}

static inline seqrec_fit_stats world_fit(const train_world *w, const seqrec_fit *how)
{
    seqrec_fit_stats stats = {.struct_size = sizeof stats};
    EXPECT(SEQREC_OK, seqrec_trainer_fit(w->trainer, w->data, how, &stats, &api.error));
    return stats;
}

static char world_bytes[2][WORLD_FILE];

static inline int world_same(const char *a, const char *b)
{
    const size_t size = scratch_read(a, world_bytes[0], WORLD_FILE);
    return scratch_read(b, world_bytes[1], WORLD_FILE) == size && memcmp(world_bytes[0], world_bytes[1], size) == 0;
}

/* A call back that asks to stop the `stop_at`-th time it is called; 0: never. */
typedef struct world_stopper {
    int64_t calls, stop_at;
} world_stopper;

static inline int32_t world_stop_progress(void *context, const char *stage, int64_t done, int64_t total)
{
    world_stopper *stopper = context;
    ck_assert_str_eq(stage, "train");
    ck_assert(done > 0 && done <= total);
    return ++stopper->calls == stopper->stop_at;
}

static inline int32_t world_stop_epoch(void *context, const seqrec_epoch_stats *stats)
{
    world_stopper *stopper = context;
    ck_assert_uint_eq(stats->struct_size, sizeof *stats);
    return ++stopper->calls == stopper->stop_at;
}

/* Ends after `steps` steps. */
static inline void world_fit_steps(const train_world *w, int64_t steps)
{
    world_stopper stopper = {.stop_at = steps};
    const seqrec_fit how = {
        .struct_size = sizeof how, .progress = world_stop_progress, .progress_context = &stopper};
    const seqrec_fit_stats stats = world_fit(w, &how);
    ck_assert_int_eq(stats.cancelled, 1);
    ck_assert_int_eq(stopper.calls, steps);
}

/* The vector of one item as readers see it. */
static inline void world_vector(const train_world *w, int64_t id, float out[WORLD_WIDTH])
{
    ck_assert_int_eq(seqrec_items_width(w->model), WORLD_WIDTH);
    EXPECT(SEQREC_OK, seqrec_items_get(w->model, &id, 1, out, &api.error));
}

/* Files go where syncing them costs nothing, if there is such a place. */
static inline void worlds_begin(void)
{
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
    api.allocator = failing_allocator_of(&api.memory);
    scratch_create();
}

/* Everything that was allocated has been given back. */
static inline void worlds_end(void)
{
    scratch_remove();
    ck_assert_int_eq(atomic_load(&api.memory.blocks), 0);
}
#endif
