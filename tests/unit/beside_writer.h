/* unit: readers in threads of their own beside a writer, and things that come and go meanwhile, each in its turn. */
#ifndef BESIDE_WRITER_H
#define BESIDE_WRITER_H
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "seqrec.h"

enum { PASSING = 30, READS = 20 };

/* A thing's turn tells how often it was put (odd: it is there); it moves before a put and after a removal. */
static struct {
    _Atomic int64_t turn[PASSING];
    atomic_int writing;
} crowd;

/* ---- readers ---------------------------------------------------------------------------------------------------------- */

/* own: what a reader has for itself. Round after round until the writer is done, READS rounds at least; the sum of what each returns
 * are its faults. */
typedef struct beside_reader {
    int64_t (*round)(void *own, int64_t number);
    void *own;
    int64_t rounds, faults;
    pthread_t thread;
} beside_reader;

static inline void *beside_rounds(void *arg)
{
    beside_reader *r = arg;
    do {
        r->faults += r->round(r->own, r->rounds++);
    } while (r->rounds < READS || atomic_load(&crowd.writing));
    return NULL;
}

/* Runs `write` on this thread beside the n readers; returns their faults. */
static inline int64_t read_beside(beside_reader *readers, int32_t n, void (*write)(void))
{
    int64_t faults = 0;
    atomic_store(&crowd.writing, 1);
    for (int32_t i = 0; i < n; i++)
        if (pthread_create(&readers[i].thread, NULL, beside_rounds, &readers[i]) != 0) abort();
    write();
    atomic_store(&crowd.writing, 0);
    for (int32_t i = 0; i < n; i++) {
        if (pthread_join(readers[i].thread, NULL) != 0) abort();
        faults += readers[i].faults;
    }
    return faults;
}

/* The same with n readers that have nothing for themselves. */
static inline int64_t alike_beside(int32_t n, int64_t (*round)(void *own, int64_t number), void (*write)(void))
{
    beside_reader readers[8] = {{0}};
    if (n > 8) abort();
    for (int32_t i = 0; i < n; i++) readers[i].round = round;
    return read_beside(readers, n, write);
}

/* ---- what comes and goes ---------------------------------------------------------------------------------------------- */

static inline void turns_begin(void)
{
    for (int64_t i = 0; i < PASSING; i++) atomic_store(&crowd.turn[i], 0);
}

static inline void turns_read(int64_t *now)
{
    for (int64_t i = 0; i < PASSING; i++) now[i] = atomic_load(&crowd.turn[i]);
}

/* Whether thing i was gone when its turn was read, and has not been put again: nothing that began since may know it. */
static inline int is_gone(int64_t i, int64_t turn) { return turn % 2 == 0 && atomic_load(&crowd.turn[i]) == turn; }

/* In step s thing s % PASSING comes, and the one that came PASSING / 2 steps before goes. */
static inline void pass_by(int64_t step, void (*put)(int64_t i), void (*drop)(int64_t i))
{
    const int64_t coming = step % PASSING, going = (step + PASSING / 2) % PASSING;
    atomic_fetch_add(&crowd.turn[coming], 1);
    put(coming);
    if (step < PASSING / 2) return;
    drop(going);
    atomic_fetch_add(&crowd.turn[going], 1);
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

/* Of the items 0 .. all - 1 those from `steady` on pass, PASSING of them. before: their turns when the call began. */
static inline int64_t faults_of_items(const int64_t *items, int64_t n, int64_t steady, int64_t all, const int64_t *before)
{
    int64_t faults = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t passing = items[i] - steady;
        faults += items[i] < 0 || items[i] >= all;
        if (passing >= 0 && passing < PASSING) faults += is_gone(passing, before[passing]);
    }
    return faults;
}

/* The same of a list by falling score. */
static inline int64_t faults_of_list(const int64_t *items, const float *scores, int64_t n, int64_t steady, int64_t all,
                                     const int64_t *before)
{
    int64_t faults = faults_of_items(items, n, steady, all, before);
    for (int64_t i = 0; i < n; i++) faults += isnan(scores[i]) || (i > 0 && scores[i] > scores[i - 1]);
    return faults;
}

/* ---- a trainer -------------------------------------------------------------------------------------------------------- */

/* A step on three sequences of the items 0 .. steady - 1, which readers see. users: [3], or NULL. */
static inline int32_t step_and_publish(seqrec_trainer *trainer, int64_t steady, const int64_t *users)
{
    int64_t items[64], offsets[] = {0, 20, 40, 64};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = items, .users = users};
    for (int64_t e = 0; e < 64; e++) items[e] = e * 7 % steady;
    const int32_t status = seqrec_trainer_step(trainer, &batch, NULL, NULL);
    return status == SEQREC_OK ? seqrec_trainer_publish(trainer, NULL) : status;
}
#endif
