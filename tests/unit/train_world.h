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

static const char *const world_usual[] = {
    "dim",           "8",    "blocks",         "1", "heads",    "2", "max_length",  "8",  "batch",     "10",
    "epochs",        "3",    "valid_every",    "1", "patience", "0", "micro_batch", "32", "negatives", "3",
    "learning_rate", "0.01", "average_epochs", "0", NULL};

static inline void world_set(const train_world *w, const char *const *pairs)
{
    for (; pairs != NULL && *pairs != NULL; pairs += 2)
        EXPECT(SEQREC_OK, seqrec_config_set(w->config, pairs[0], pairs[1], &api.error));
}

/* 48 users with 4 to 14 events on 40 items. */
static inline seqrec_synth world_synth(void)
{
    return (seqrec_synth){.struct_size = sizeof(seqrec_synth),
                          .users = 48,
                          .items = 40,
                          .clusters = 4,
                          .shortest = 4,
                          .longest = 14,
                          .seed = 5};
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
    const seqrec_fit how = {.struct_size = sizeof how, .progress = world_stop_progress, .progress_context = &stopper};
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

/* ---- Batches of the host. ---- */

enum { SEQUENCES = 8, EVENTS = 12, ITEMS = 20 };

typedef struct host_batch {
    int64_t offsets[SEQUENCES + 1], items[SEQUENCES * EVENTS], users[SEQUENCES];
    seqrec_batch view;
} host_batch;

/* Sequences that walk round the items 1 to 20 in steps of one, of the users 1 to 8. */
static inline seqrec_batch *walk(host_batch *b)
{
    for (int64_t s = 0; s < SEQUENCES; s++) {
        b->offsets[s + 1] = (s + 1) * EVENTS;
        b->users[s] = s + 1;
        for (int64_t e = 0; e < EVENTS; e++) b->items[s * EVENTS + e] = (s * 5 + e) % ITEMS + 1;
    }
    b->offsets[0] = 0;
    b->view = (seqrec_batch){.struct_size = sizeof b->view,
                             .sequences = SEQUENCES,
                             .offsets = b->offsets,
                             .items = b->items,
                             .users = b->users};
    return &b->view;
}

static inline int has_users(const train_world *w)
{
    char how[16];
    EXPECT(SEQREC_OK, seqrec_config_get(w->config, "user_embedding", how, sizeof how, NULL, &api.error));
    return strcmp(how, "none") != 0;
}

static inline train_world open_with_items(const char *const *changes)
{
    train_world w = world_open(changes, 0);
    int64_t ids[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i + 1;
    EXPECT(SEQREC_OK, seqrec_items_put(w.model, ids, ITEMS, NULL, &api.error));
    if (has_users(&w)) EXPECT(SEQREC_OK, seqrec_users_put(w.model, ids, SEQUENCES, NULL, &api.error));
    return w;
}

static inline seqrec_step_stats step(const train_world *w, const seqrec_batch *batch)
{
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    EXPECT(SEQREC_OK, seqrec_trainer_step(w->trainer, batch, &stats, &api.error));
    return stats;
}

static inline void set(const train_world *w, const char *name, const char *value)
{
    EXPECT(SEQREC_OK, seqrec_trainer_set(w->trainer, name, value, &api.error));
}

/* Item 20, which no sequence has, is the only one that was counted. */
static inline void count_one(const train_world *w)
{
    EXPECT(SEQREC_OK, seqrec_trainer_set_popularity(w->trainer, (int64_t[]){20}, (double[]){3}, 1, &api.error));
}

/* ---- Evaluations. ---- */

/* The events of `w`, the n-th of each user in second 100 n: the first five are before 550, the next two before 750. */
static inline seqrec_dataset *in_step(const train_world *w)
{
    enum { MOST = 4096 };
    static int64_t offsets[MOST], ids[MOST], times[MOST];
    seqrec_dataset *made = NULL;
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    EXPECT(SEQREC_OK, seqrec_dataset_describe(w->data, &facts, &api.error));
    ck_assert(facts.users < MOST && facts.events < MOST);
    for (int64_t u = 0; u < facts.users; u++) {
        const int64_t *items;
        int64_t count;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(w->data, u, NULL, &items, NULL, &count, &api.error));
        offsets[u + 1] = offsets[u] + count;
        for (int64_t e = 0; e < count; e++) {
            ids[offsets[u] + e] = items[e];
            times[offsets[u] + e] = 100 * (e + 1);
        }
    }
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = facts.users, .offsets = offsets, .items = ids, .timestamps = times};
    EXPECT(SEQREC_OK, seqrec_dataset_create(w->context, &batch, &made, &api.error));
    return made;
}

#define BY_TIME "time:550:750"

/* Both reports have the row, with the same bits of all its figures and their intervals. */
static inline void expect_same_row(const seqrec_report *one, const seqrec_report *other, const char *row)
{
    const char *metric;
    int32_t i = 0;
    for (; (metric = seqrec_report_metric(one, row, i)) != NULL; i++) {
        double a[3], b[3];
        EXPECT(SEQREC_OK, seqrec_report_get(one, row, metric, &a[0], &a[1], &a[2], &api.error));
        EXPECT(SEQREC_OK, seqrec_report_get(other, row, metric, &b[0], &b[1], &b[2], &api.error));
        ck_assert_msg(memcmp(a, b, sizeof a) == 0, "%s %s: %g and %g", row, metric, a[0], b[0]);
    }
    ck_assert_msg(i > 0 && seqrec_report_metric(other, row, i) == NULL, "row %s has %d figures", row, (int)i);
}

/* ---- Ways to train. ---- */

static const char *const *const recipes[] = {
    (world_options){"loss", "bce", "item_updates", "exact"},
    (world_options){"loss", "bce", "item_updates", "lazy", "weight_decay", "0.01"},
    (world_options){"loss", "softmax", "item_updates", "exact"},
    (world_options){"loss", "softmax", "item_updates", "lazy", "tied_output", "false"},
    (world_options){"loss", "sampled_softmax", "item_updates", "exact", "sampler", "popularity"},
    (world_options){"loss", "sampled_softmax", "item_updates", "lazy", "score", "cosine", "clip_norm", "1"},
    (world_options){"loss", "bce", "negative_sharing", "batch", "optimizer", "adamw", "weight_decay", "0.01"},
    (world_options){"loss", "bce", "average_epochs", "2", "item_updates", "exact"},
    (world_options){"loss", "bce", "average_epochs", "5", "item_updates", "lazy", "schedule", "cosine",
                    "schedule_steps", "15", "warmup_steps", "4"},
    (world_options){"loss", "softmax", "average_epochs", "2", "valid_every", "2"},
    (world_options){"loss", "softmax", "average_epochs", "3", "item_updates", "lazy", "valid_every", "0"},
    (world_options){"loss", "sampled_softmax", "schedule", "cosine", "item_updates", "exact"},
    (world_options){"loss", "sampled_softmax", "average_epochs", "2", "item_updates", "lazy"},
    (world_options){"loss", "gbce", "negatives", "2", "hard_pool", "6", "seen", "keep"},
    (world_options){"loss", "sampled_softmax", "sampler", "log_uniform", "logq", "corrected", "targets", "1"},
    (world_options){"loss", "sampled_softmax", "sampler", "in_batch", "negative_sharing", "batch"},
    (world_options){"loss", "sampled_softmax", "sampler", "mixed", "logq", "corrected", "targets", "3",
                    "target_form", "separate"},
    (world_options){"loss", "bpr_max", "position_decay", "0.9", "sampler", "mixed", "negative_sharing", "batch"},
    (world_options){"loss", "top1_max", "score", "cosine", "item_updates", "exact"},
    (world_options){"loss", "bpr", "sampler", "in_batch"},
    (world_options){"loss", "softmax", "targets", "3", "target_form", "separate"},
    (world_options){"loss", "bce", "user_embedding", "added", "average_epochs", "2", "sse_user", "0.2"},
    (world_options){"loss", "bce", "user_embedding", "concatenated", "user_dim", "6", "sse_item", "0.1"},
    (world_options){"loss", "softmax", "user_embedding", "prefix", "average_epochs", "3", "valid_every", "2"},
    (world_options){"loss", "sampled_softmax", "user_embedding", "concatenated", "item_updates", "lazy"},
    (world_options){"loss", "softmax", "mask", "bidirectional", "objective", "cloze", "mask_last_share", "0.3", "maskings", "2"},
    (world_options){"loss", "sampled_softmax", "mask", "bidirectional", "objective", "cloze", "embedding_norm", "true",
                    "final_norm", "false", "head", "transform", "optimizer", "adamw", "weight_decay", "0.01", "decayed",
                    "matrices", "bias_correction", "false", "schedule", "linear"},
    (world_options){"loss", "bce", "item_bias", "true", "tied_output", "false", "average_epochs", "2"},
    (world_options){"loss", "softmax", "item_bias", "true", "user_embedding", "concatenated"},
    (world_options){"loss", "softmax", "mask", "bidirectional", "objective", "cloze", "item_bias", "true"},
    (world_options){"window_step", "3", "user_embedding", "added", "position_decay", "0.9", "batch", "19"},
    (world_options){"loss", "softmax", "mask", "bidirectional", "objective", "cloze", "window_step", "2", "maskings", "2",
                    "batch", "25"},
    (world_options){"mixer", "spectral", "heads", "1", "average_epochs", "2", "optimizer", "adamw", "weight_decay", "0.01"},
    (world_options){"mixer", "spectral", "heads", "1", "spectral_window", "5", "loss", "softmax", "mask", "bidirectional",
                    "objective", "cloze", "clip_norm", "0.5", "wiring", "pre_norm"},
    (world_options){"gates", "position", "gate_l0", "0.001"},
    (world_options){"gates", "position", "gate_estimator", "hard_concrete", "average_epochs", "2", "position", "start"},
    (world_options){"gates", "content", "gate_estimator", "hard_concrete", "loss", "softmax"},
    (world_options){"loss", "gbce", "targets", "2", "gates", "position", "user_embedding", "concatenated"},
    (world_options){"loss", "sce", "sce_bucket_items", "12", "position_decay", "0.9", "label_smoothing", "0.1"},
    (world_options){"loss", "sce", "sce_bucket_items", "9", "item_updates", "exact", "sce_mix", "false", "score", "cosine",
                    "temperature_learned", "true", "tied_output", "false", "average_epochs", "2"},
    (world_options){"loss", "sce", "user_embedding", "concatenated", "user_dim", "6", "sce_buckets", "3", "sse_item", "0.1"},
    (world_options){"loss", "sce", "mask", "bidirectional", "objective", "cloze", "head", "transform", "clip_norm", "1"},
    (world_options){"loss", "sce", "gates", "position", "user_embedding", "added", "sce_bucket_items", "5", "negatives", "1"},
    (world_options){"loss", "softmax", "known_items", "predicted", "known_power", "0.5", "window_step", "3"},
    (world_options){"known_items", "surprising", "score", "cosine", "user_embedding", "prefix", "length_alpha", "1.5",
                    "gates", "none", "average_epochs", "2"},
    (world_options){"known_items", "predicted", "user_embedding", "concatenated", "loss", "sampled_softmax", "head_dim", "6",
                    "attention_span", "3"},
};
enum { RECIPES = sizeof recipes / sizeof *recipes, STEPS = 15 /* of three epochs */ };

/* Leaves the model in "whole" and the trainer in "whole.state". */
static inline void fit_whole(const char *const *changes)
{
    train_world w = world_open(changes, 0);
    ck_assert_int_eq(world_fit(&w, NULL).epochs, 3);
    world_save(&w, "whole");
    world_checkpoint(&w, "whole.state");
    world_close(&w);
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
