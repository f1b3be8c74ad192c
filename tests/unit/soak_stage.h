/* unit: what the soak plays on: three models, a pool of sessions, readers' sessions with what they are to answer, and dice: what a thread
 * does in a round is a function of seed, thread and round. */
#ifndef SOAK_STAGE_H
#define SOAK_STAGE_H
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"
#include "beside_writer.h"

enum { READERS = 8, EACH = 4, STEADY = 40, PAIR = STEADY + PASSING, ALL = PAIR + 2, DIM = 8, HISTORY = 12, LONGEST = 100 };

/* Items 0 .. STEADY - 1 stay, STEADY + i is thing i of those that come and go, PAIR and PAIR + 1 change together. Sessions are answered
 * by models[0] and models[1] in turn, whose weights and steady items stay, and where all floats of every other item are equal at any
 * time; models[2] is trained. */
static struct {
    seqrec_context *context;
    seqrec_model *models[3];
    seqrec_sessions *pool;
    seqrec_trainer *trainer;
    uint64_t seed;
    double ends;
    int64_t changes, publishes, swaps, tables;
} stage;

typedef struct reader {
    int64_t index;
    seqrec_session *steady[EACH], *growing[EACH]; /* nothing is appended to the first */
    int64_t grown[EACH];                          /* events */
    float vectors[2][EACH][DIM], scores[2][EACH][STEADY]; /* what models[0] and models[1] say of the steady ones */
    int64_t *done;        /* rounds by kind */
    int64_t first_fault; /* the round; -1: none */
} reader;

static seqrec_error failure;

static inline void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "soak: seed %llu: %s: %s\n", (unsigned long long)stage.seed, seqrec_status_name(status), failure.message);
    exit(2);
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- dice --------------------------------------------------------------------------------------------------------------- */

typedef struct dice {
    uint64_t key, thrown;
} dice;

static inline dice dice_of(int64_t thread, int64_t round)
{
    return (dice){.key = sq_random_key(stage.seed, (uint64_t)thread, (uint64_t)round)};
}

/* 0 .. n - 1 */
static inline int64_t throw_of(dice *d, int64_t n) { return (int64_t)sq_random_below(d->key, d->thrown++, (uint64_t)n); }

/* ---- models ------------------------------------------------------------------------------------------------------------- */

static inline seqrec_model *new_model(const char *position)
{
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    int64_t ids[STEADY + 2];
    must(seqrec_config_create(NULL, &config, &failure));
    must(seqrec_config_set(config, "dim", "8", &failure));
    must(seqrec_config_set(config, "max_length", "6", &failure));
    must(seqrec_config_set(config, "relative", "t5", &failure));
    must(seqrec_config_set(config, "position", position, &failure));
    must(seqrec_model_create(stage.context, config, &model, &failure));
    seqrec_config_release(config);
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    ids[STEADY] = PAIR;
    ids[STEADY + 1] = PAIR + 1;
    must(seqrec_items_put(model, ids, STEADY + 2, NULL, &failure));
    return model;
}

static inline void fill_rows(float value, float rows[2 * DIM])
{
    for (int64_t i = 0; i < 2 * DIM; i++) rows[i] = value;
}

static inline void change_pair(float value)
{
    float rows[2 * DIM];
    fill_rows(value, rows);
    for (int32_t m = 0; m < 2; m++) must(seqrec_items_update(stage.models[m], (int64_t[]){PAIR, PAIR + 1}, 2, rows, &failure));
}

static inline void set_stage(uint64_t seed)
{
    seqrec_config *config = NULL;
    stage.seed = seed;
    must(seqrec_context_create(NULL, NULL, 2, NULL, NULL, &stage.context, &failure));
    stage.models[0] = new_model("none");
    stage.models[1] = new_model("start");
    stage.models[2] = new_model("end");
    change_pair(0);
    must(seqrec_sessions_create(stage.models[0], 20000, &stage.pool, &failure));
    must(seqrec_model_config(stage.models[2], &config, &failure));
    must(seqrec_trainer_create(stage.models[2], config, &stage.trainer, &failure));
    seqrec_config_release(config);
    turns_begin();
}

static inline void clear_stage(void)
{
    seqrec_trainer_release(stage.trainer);
    seqrec_sessions_release(stage.pool);
    for (int32_t m = 0; m < 3; m++) seqrec_model_release(stage.models[m]);
    seqrec_context_release(stage.context);
}

/* ---- sessions ----------------------------------------------------------------------------------------------------------- */

/* What session i of a reader begins with, steady or growing. */
static inline void history_of(const reader *r, int64_t i, int64_t history[HISTORY])
{
    for (int64_t e = 0; e < HISTORY; e++) history[e] = (r->index * 5 + i * 3 + e * 7) % STEADY;
}

static inline int32_t open_session(const reader *r, int64_t i, seqrec_session **out)
{
    int64_t history[HISTORY];
    history_of(r, i, history);
    return seqrec_session_open(stage.pool, NULL, history, NULL, HISTORY, SEQREC_UNKNOWN_ERROR, out, NULL);
}

static inline void open_sessions(reader *r, int64_t index, int64_t *done)
{
    int64_t all[STEADY];
    *r = (reader){.index = index, .done = done, .first_fault = -1};
    for (int64_t i = 0; i < STEADY; i++) all[i] = i;
    for (int64_t i = 0; i < EACH; i++) {
        must(open_session(r, i, &r->steady[i]));
        must(open_session(r, i, &r->growing[i]));
        r->grown[i] = HISTORY;
    }
    for (int32_t m = 1; m >= 0; m--) {
        must(seqrec_sessions_swap(stage.pool, stage.models[m], &failure));
        for (int64_t i = 0; i < EACH; i++) {
            must(seqrec_session_encode(r->steady[i], r->vectors[m][i], &failure));
            must(seqrec_session_score(r->steady[i], all, STEADY, r->scores[m][i], &failure));
        }
    }
}

static inline void close_sessions(reader *r)
{
    for (int64_t i = 0; i < EACH; i++) {
        seqrec_session_release(r->steady[i]);
        seqrec_session_release(r->growing[i]);
    }
}

/* The pool has the readers' sessions, and those that at most `more` of them have for a moment. */
static inline int64_t faults_of_pool(int64_t sessions, int64_t more)
{
    seqrec_sessions_info info = {.struct_size = sizeof info};
    if (seqrec_sessions_describe(stage.pool, &info, NULL) != SEQREC_OK) return 1;
    const int64_t empty = info.cached == 0 && info.cache_bytes == 0 && info.event_bytes == 0;
    return (info.sessions < sessions || info.sessions > sessions + more) + (info.cached < 0 || info.cached > info.sessions) +
           (info.sessions == 0 && !empty);
}
#endif
