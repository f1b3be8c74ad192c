/* unit: readers that ask an index while items come and go and the index is exchanged. */
#include <check.h>
#include "beside_writer.h"
#include "run_suite.h"

enum { READERS = 3, STEADY = 400, STEPS = 120, DIM = 8, BEST = 10, SLOTS = 2048 };

/* Item STEADY + i is put, and removed later. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
    atomic_int alive;
} stage;

/* An index that names the first `want` items it knows: what it lacks is widened for, and scanned in the end. */
typedef struct first_items {
    seqrec_vectors *vectors;
    int32_t slots[SLOTS];
    int64_t count;
} first_items;

static int32_t name_first(void *context, const float *query, int64_t want, int32_t *slots, int64_t *found)
{
    const first_items *f = context;
    const int64_t shift = query[0] > 0 ? f->count / 3 : 0;
    for (*found = 0; *found < want && *found < f->count; (*found)++) slots[*found] = f->slots[(shift + *found) % f->count];
    return SEQREC_OK;
}

static void forget(void *context)
{
    first_items *f = context;
    seqrec_vectors_release(f->vectors);
    free(f);
    atomic_fetch_sub(&stage.alive, 1);
}

static void exchange_index(void)
{
    static float rows[SLOTS * DIM];
    static uint8_t live[SLOTS];
    first_items *f = calloc(1, sizeof *f);
    seqrec_vectors_info info = {.struct_size = sizeof info};
    const seqrec_index index = {.struct_size = sizeof index, .context = f, .breadth = 40, .search = name_first, .release = forget};
    ck_assert_int_eq(seqrec_vectors_open(stage.model, &f->vectors, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_vectors_describe(f->vectors, &info, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_vectors_read(f->vectors, 0, info.slots, rows, live, NULL), SEQREC_OK);
    for (int32_t slot = 0; slot < info.slots; slot++)
        if (live[slot]) f->slots[f->count++] = slot;
    atomic_fetch_add(&stage.alive, 1);
    ck_assert_int_eq(seqrec_model_set_index(stage.model, f->vectors, &index, NULL), SEQREC_OK);
}

/* An item that was gone when the call began and not put again before it ended must not be in its answer. */
static int64_t recommend(void *unused, int64_t round)
{
    int64_t before[PASSING], items[2 * BEST], found[2], faults = 0;
    const int64_t history[] = {round % STEADY, STEADY + round % PASSING, 3, STEADY + 7 * round % PASSING, 5};
    const int64_t offsets[] = {0, 2, 5};
    float scores[2 * BEST];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history};
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    (void)unused;
    turns_read(before);
    if (seqrec_topk(stage.model, &batch, BEST, &filter, items, scores, found, NULL) != SEQREC_OK) return 1;
    for (int64_t b = 0; b < 2; b++) {
        const int64_t at = b * BEST;
        faults += (found[b] != BEST) + faults_of_list(items + at, scores + at, found[b], STEADY, STEADY + PASSING, before);
        for (int64_t i = 0; i < found[b]; i++) faults += items[at + i] == history[offsets[b]];
    }
    return faults;
}

static void set_stage(int32_t threads)
{
    seqrec_config *config = NULL;
    int64_t ids[STEADY];
    ck_assert_int_eq(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_create(NULL, &config, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "dim", "8", NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_model_create(stage.context, config, &stage.model, NULL), SEQREC_OK);
    seqrec_config_release(config);
    turns_begin();
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    ck_assert_int_eq(seqrec_items_put(stage.model, ids, STEADY, NULL, NULL), SEQREC_OK);
    exchange_index();
}

static void put_item(int64_t i) { ck_assert_int_eq(seqrec_items_put(stage.model, (int64_t[]){STEADY + i}, 1, NULL, NULL), SEQREC_OK); }

static void remove_item(int64_t i) { ck_assert_int_eq(seqrec_items_remove(stage.model, (int64_t[]){STEADY + i}, 1, NULL), SEQREC_OK); }

static void write_on(void)
{
    for (int64_t step = 0; step < STEPS; step++) {
        pass_by(step, put_item, remove_item);
        if (step % 20 == 19) exchange_index();
    }
}

START_TEST(lists_of_an_index_beside_a_writer_never_name_what_was_removed)
{
    seqrec_index_info info = {.struct_size = sizeof info};
    set_stage(_i ? 2 : 0);
    ck_assert_int_eq(alike_beside(READERS, recommend, write_on), 0);
    ck_assert_int_eq(seqrec_model_describe_index(stage.model, &info, NULL), SEQREC_OK);
    ck_assert_int_eq(info.attached, 1);
    ck_assert_int_eq(atomic_load(&stage.alive), 1);
    seqrec_model_release(stage.model);
    ck_assert_int_eq(atomic_load(&stage.alive), 0);
    seqrec_context_release(stage.context);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("indexreaders");
    tcase_add_loop_test(tests, lists_of_an_index_beside_a_writer_never_name_what_was_removed, 0, 2);
    Suite *suite = suite_create("indexreaders");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
