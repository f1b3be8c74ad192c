/* unit: readers that ask a graph of libseqrec-ann while items come and go and graphs are brought up to date and exchanged. */
#include <check.h>
#include "beside_writer.h"
#include "failing_new.h"
#include "run_suite.h"
#include "seqrec_ann.h"

enum { READERS = 3, STEADY = 600, STEPS = 90, BEST = 10 };

/* Item STEADY + i is put, and removed later. */
static struct {
    seqrec_context *context;
    seqrec_model *model;
    seqrec_ann *ann;
} stage;

/* ThreadSanitizer asks for this. hnswlib takes the lock of a new element before that of the entry, and the other way round those of elements
 * that are linked; a new element is not linked yet. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "deadlock:hnswlib::HierarchicalNSW";
}

/* An item that was gone when the call began and not put again before it ended must not be in its answer. */
static int64_t recommend(void *unused, int64_t round)
{
    int64_t before[PASSING], items[2 * BEST], found[2], faults = 0;
    const int64_t history[] = {round % STEADY, STEADY + round % PASSING, 3, STEADY + 7 * round % PASSING, 5};
    const int64_t offsets[] = {0, 2, 5};
    float scores[2 * BEST];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 2, .offsets = offsets, .items = history};
    (void)unused;
    turns_read(before);
    if (seqrec_topk(stage.model, &batch, BEST, NULL, items, scores, found, NULL) != SEQREC_OK) return 1;
    for (int64_t b = 0; b < 2; b++) {
        const int64_t at = b * BEST;
        faults += (found[b] != BEST) + faults_of_list(items + at, scores + at, found[b], STEADY, STEADY + PASSING, before);
    }
    return faults;
}

static void set_stage(int32_t threads, int32_t builders)
{
    seqrec_config *config = NULL;
    int64_t ids[STEADY];
    const seqrec_ann_options options = {.struct_size = sizeof options, .links = 6, .build_breadth = 30, .search_breadth = 40, .threads = builders};
    ck_assert_int_eq(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &stage.context, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_create(NULL, &config, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_config_set(config, "dim", "8", NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_model_create(stage.context, config, &stage.model, NULL), SEQREC_OK);
    seqrec_config_release(config);
    turns_begin();
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    ck_assert_int_eq(seqrec_items_put(stage.model, ids, STEADY, NULL, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_ann_build(stage.model, &options, &stage.ann, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_ann_attach(stage.ann, stage.model, NULL), SEQREC_OK);
}

static void bring_up_to_date(void)
{
    seqrec_ann *next = NULL;
    ck_assert_int_eq(seqrec_ann_update(stage.ann, stage.model, &next, NULL), SEQREC_OK);
    ck_assert_int_eq(seqrec_ann_attach(next, stage.model, NULL), SEQREC_OK);
    seqrec_ann_release(stage.ann);
    stage.ann = next;
}

static void put_item(int64_t i) { ck_assert_int_eq(seqrec_items_put(stage.model, (int64_t[]){STEADY + i}, 1, NULL, NULL), SEQREC_OK); }

static void remove_item(int64_t i) { ck_assert_int_eq(seqrec_items_remove(stage.model, (int64_t[]){STEADY + i}, 1, NULL), SEQREC_OK); }

static void write_on(void)
{
    for (int64_t step = 0; step < STEPS; step++) {
        pass_by(step, put_item, remove_item);
        if (step % 10 == 9) bring_up_to_date();
    }
}

START_TEST(lists_of_a_graph_beside_a_writer_never_name_what_was_removed)
{
    seqrec_index_info info = {.struct_size = sizeof info};
    set_stage(_i ? 2 : 0, _i ? 4 : 1);
    ck_assert_int_eq(alike_beside(READERS, recommend, write_on), 0);
    ck_assert_int_eq(seqrec_model_describe_index(stage.model, &info, NULL), SEQREC_OK);
    ck_assert_int_eq(info.attached, 1);
    ck_assert_int_eq(info.failed, 0);
    seqrec_ann_release(stage.ann);
    seqrec_model_release(stage.model);
    seqrec_context_release(stage.context);
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("annreaders");
    tcase_add_loop_test(tests, lists_of_a_graph_beside_a_writer_never_name_what_was_removed, 0, 2);
    Suite *suite = suite_create("annreaders");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
