/* api: lists by a graph of libseqrec-ann, held against exact ones. */
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "failing_new.h"
#include "retrieval_world.h"
#include "run_suite.h"
#include "scratch_folder.h"
#include "seqrec_ann.h"

enum { FEW = 300, MOST_BYTES = 8 << 20, HEADER = 104, BODY_SUM = 88, HEADER_SUM = 96 };

static seqrec_ann *built(const seqrec_ann_options *options)
{
    seqrec_ann *ann = NULL;
    EXPECT(SEQREC_OK, seqrec_ann_build(api.model, options, &ann, &api.error));
    return ann;
}

static void attach(seqrec_ann *ann)
{
    EXPECT(SEQREC_OK, seqrec_ann_attach(ann, api.model, &api.error));
}

static void detach(void)
{
    EXPECT(SEQREC_OK, seqrec_model_set_index(api.model, NULL, NULL, &api.error));
}

static seqrec_index_info facts(void)
{
    seqrec_index_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_model_describe_index(api.model, &info, &api.error));
    return info;
}

static seqrec_ann_info about(const seqrec_ann *ann)
{
    seqrec_ann_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_ann_describe(ann, &info, &api.error));
    return info;
}

/* ---- recall --------------------------------------------------------------------------------------------------------- */

/* Histories of the generator's users, and a model trained on them. */
static seqrec_dataset *train_world(const char *const *settings, seqrec_batch *histories, int64_t *offsets, int64_t *events)
{
    const seqrec_synth synth = {.struct_size = sizeof synth, .users = 1500, .items = 4000, .clusters = 40, .shortest = 10, .longest = 20, .seed = 3};
    const seqrec_fit fit = {.struct_size = sizeof fit, .split = "none"};
    seqrec_dataset *dataset = NULL;
    seqrec_trainer *trainer = NULL;
    EXPECT(SEQREC_OK, seqrec_context_create(NULL, NULL, 0, NULL, NULL, &api.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(NULL, &api.config, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_preset(api.config, "sasrec-sampled-softmax", &api.error));
    api_set("dim", "32");
    api_set("blocks", "1");
    api_set("max_length", "10");
    api_set("epochs", "6");
    api_set("negatives", "64");
    api_set("learning_rate", "0.005");
    for (; *settings != NULL; settings += 2) api_set(settings[0], settings[1]);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
    EXPECT(SEQREC_OK, seqrec_dataset_synthesize(api.context, &synth, &dataset, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_create(api.model, api.config, &trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_fit(trainer, dataset, &fit, NULL, &api.error));
    seqrec_trainer_release(trainer);
    offsets[0] = 0;
    for (int64_t b = 0; b < USERS; b++) {
        const int64_t *items;
        int64_t n;
        EXPECT(SEQREC_OK, seqrec_dataset_sequence(dataset, 7 * b, NULL, &items, NULL, &n, &api.error));
        memcpy(events + offsets[b], items, (size_t)n * sizeof *items);
        offsets[b + 1] = offsets[b] + n;
    }
    *histories = (seqrec_batch){.struct_size = sizeof *histories, .sequences = USERS, .offsets = offsets, .items = events};
    return dataset;
}

static const char *const by_product[] = {NULL};
static const char *const by_bias[] = {"tied_output", "false", "item_bias", "true", NULL};
static const char *const by_cosine[] = {"score", "cosine", "temperature", "0.1", NULL};
static const char *const *const scores[] = {by_product, by_bias, by_cosine};

/* A table that was trained, and a quarter of its items by marks. */
START_TEST(recall_on_a_trained_table)
{
    static answer exact, found;
    static int64_t offsets[USERS + 1], events[USERS * 20];
    static uint64_t marks[4096 / 64];
    seqrec_batch histories;
    seqrec_dataset *dataset = train_world(scores[_i % 3], &histories, offsets, events);
    const seqrec_ann_options options = {.struct_size = sizeof options, .threads = _i / 3 ? 3 : 0};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    seqrec_ann *ann = built(&options);
    for (int32_t marked = 0; marked < 2; marked++) {
        for (int64_t i = 0; i < 4096; i += 4) marks[i / 64] |= (uint64_t)1 << i % 64;
        filter.bits = marked ? marks : NULL;
        filter.bits_count = marked ? 4096 : 0;
        detach();
        answer_all(&histories, &filter, &exact);
        attach(ann);
        answer_all(&histories, &filter, &found);
        ck_assert_double_ge(recall_of(&exact, &found), 0.97);
        ck_assert_int_ge(facts().searched, USERS - 5);
        ck_assert_int_eq(facts().failed, 0);
        for (int64_t b = 0; b < USERS; b++) {
            ck_assert_int_eq(found.found[b], BEST);
            for (int64_t i = 0; i < BEST; i++) {
                const int64_t item = found.items[b * BEST + i];
                ck_assert(!marked || item % 4 == 0);
                for (int64_t e = offsets[b]; e < offsets[b + 1]; e++) ck_assert_int_ne(item, events[e]);
            }
        }
    }
    ck_assert_int_eq(about(ann).items, seqrec_items_count(api.model));
    seqrec_ann_release(ann);
    seqrec_dataset_release(dataset);
    seqrec_model_release(api.model);
    seqrec_config_release(api.config);
    seqrec_context_release(api.context);
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

/* Directions without any structure, and lengths that differ: what scores best is far from where a walk looks. */
START_TEST(long_items_that_a_walk_misses_are_found)
{
    enum { MANY = 8000 };
    static answer exact, found;
    static int64_t ids[MANY];
    static float vectors[MANY * DIM];
    const seqrec_ann_options options = {.struct_size = sizeof options, .links = 8, .build_breadth = 40, .search_breadth = 40};
    open_model(0, MANY, tied);
    for (int64_t i = 0; i < MANY; i++) ids[i] = id_of(i);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, ids, MANY, vectors, &api.error));
    for (int64_t i = 0; i < MANY; i++) {
        const float u = (float)(i * 7919 % 1000) / 1000, factor = 1 + 2 * u * u * u * u;
        for (int64_t j = 0; j < DIM; j++) vectors[i * DIM + j] *= factor;
    }
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, ids, MANY, vectors, &api.error));
    const asked *a = ask(MANY);
    answer_all(&a->batch, NULL, &exact);
    seqrec_ann *ann = built(&options);
    attach(ann);
    seqrec_ann_release(ann);
    answer_all(&a->batch, NULL, &found);
    ck_assert_int_eq(facts().searched, USERS - 1);
    ck_assert_double_ge(recall_of(&exact, &found), 0.93);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

START_TEST(scores_are_exact_and_one_by_one_is_as_in_a_batch)
{
    static answer plain, all, singly;
    const seqrec_ann_options options = {.struct_size = sizeof options, .search_breadth = 400};
    open_model(_i % 2 ? 3 : 0, SOME, kinds[_i % KINDS]);
    const asked *a = ask(SOME);
    answer_all(&a->batch, NULL, &plain);
    seqrec_ann *ann = built(&options);
    attach(ann);
    seqrec_ann_release(ann);
    answer_all(&a->batch, NULL, &all);
    answer_singly(a, NULL, &singly);
    expect_same(&all, &singly);
    expect_exact_scores(a, &all);
    ck_assert_double_ge(recall_of(&plain, &all), 0.95);
    ck_assert_int_eq(facts().searched, 2 * (USERS - 1));
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

START_TEST(one_thread_builds_the_same_graph_again)
{
    static char once[MOST_BYTES], again[MOST_BYTES];
    scratch_create();
    open_model(0, SOME, tied);
    size_t count = 0;
    for (int32_t round = 0; round < 2; round++) {
        const seqrec_ann_options options = {.struct_size = sizeof options, .links = 8, .build_breadth = 40, .seed = 5};
        seqrec_ann *ann = built(&options);
        EXPECT(SEQREC_OK, seqrec_ann_save(ann, scratch_path("graph"), &api.error));
        const size_t bytes = scratch_read("graph", round ? again : once, MOST_BYTES);
        ck_assert(round == 0 || bytes == count);
        count = bytes;
        seqrec_ann_release(ann);
    }
    ck_assert_mem_eq(once, again, count);
    ck_assert_int_eq(scratch_count(0), 1);
    api_close();
    scratch_remove();
}
END_TEST

/* ---- changes of items ----------------------------------------------------------------------------------------------- */

static int64_t best_now(const seqrec_batch *one)
{
    int64_t best, found;
    EXPECT(SEQREC_OK, seqrec_topk(api.model, one, 1, NULL, &best, NULL, &found, &api.error));
    ck_assert_int_eq(found, 1);
    return best;
}

static void point_at(const seqrec_batch *one, float factor, float *vector)
{
    EXPECT(SEQREC_OK, seqrec_encode(api.model, one, NULL, vector, &api.error));
    for (int32_t i = 0; i < DIM; i++) vector[i] *= factor;
}

/* Items come, change and go beside the graph; then a graph brought up to date takes its place, knows all of it, and goes on so. */
START_TEST(an_updated_graph_takes_the_place_of_the_old_one)
{
    float vector[DIM];
    seqrec_ann *next = NULL, *third = NULL;
    const int64_t newcomer = 5, changed = id_of(77), gone = id_of(1500);
    static int64_t many[100];
    open_model(0, SOME, tied);
    asked *a = ask(SOME);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    const seqrec_batch other = {.struct_size = sizeof other, .sequences = 1, .offsets = offsets, .items = a->events + 5};
    seqrec_ann *first = built(NULL);
    attach(first);
    for (int64_t i = 0; i < 100; i++) many[i] = 100000 + i;
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, many, 100, NULL, &api.error));
    point_at(&one, 3, vector);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &newcomer, 1, vector, &api.error));
    point_at(&other, 3, vector);
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &changed, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &gone, 1, &api.error));
    ck_assert_int_eq(facts().beside, 102);
    ck_assert_int_eq(best_now(&one), newcomer);
    ck_assert_int_eq(best_now(&other), changed);
    EXPECT(SEQREC_OK, seqrec_ann_update(first, api.model, &next, &api.error));
    attach(next);
    seqrec_ann_release(first);
    ck_assert_int_eq(facts().beside, 0);
    ck_assert_int_eq(about(next).items, SOME + 100);
    ck_assert_int_eq(about(next).removed, 1);
    ck_assert_int_eq(best_now(&one), newcomer);
    ck_assert_int_eq(best_now(&other), changed);
    ck_assert_int_eq(facts().searched, 2);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &newcomer, 1, &api.error));
    point_at(&one, 2, vector);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &gone, 1, vector, &api.error)); /* into the slot of one of both that went */
    EXPECT(SEQREC_OK, seqrec_ann_update(next, api.model, &third, &api.error));
    attach(third);
    seqrec_ann_release(next);
    ck_assert_int_eq(about(third).items, SOME + 100);
    ck_assert_int_eq(about(third).removed, 1);
    ck_assert_int_eq(best_now(&one), gone);
    ck_assert_int_eq(best_now(&other), changed);
    ck_assert_int_eq(facts().searched, 2);
    seqrec_ann_release(third);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_graph_comes_back_from_its_file)
{
    static answer before, after;
    seqrec_ann *ann = NULL, *loaded = NULL;
    seqrec_model *copy = NULL;
    const int64_t id = id_of(9);
    scratch_create();
    open_model(0, SOME, kinds[_i % KINDS]);
    const asked *a = ask(SOME);
    ann = built(NULL);
    if (_i >= KINDS) {
        seqrec_ann *updated = NULL;
        EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &id, 1, &api.error));
        EXPECT(SEQREC_OK, seqrec_ann_update(ann, api.model, &updated, &api.error));
        seqrec_ann_release(ann);
        ann = updated;
        ck_assert_int_eq(about(ann).removed, 1);
    }
    attach(ann);
    answer_all(&a->batch, NULL, &before);
    EXPECT(SEQREC_OK, seqrec_ann_save(ann, scratch_path("graph"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("model"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path("model"), &copy, &api.error));
    EXPECT(SEQREC_OK, seqrec_ann_load(copy, scratch_path("graph"), 0, &loaded, &api.error));
    ck_assert_int_eq(about(loaded).items, about(ann).items);
    ck_assert_int_eq(about(loaded).removed, about(ann).removed);
    ck_assert_int_eq(about(loaded).search_breadth, 128);
    ck_assert_uint_eq(about(loaded).bytes, about(ann).bytes);
    detach();
    EXPECT(SEQREC_OK, seqrec_ann_attach(loaded, copy, &api.error));
    seqrec_model_release(api.model);
    api.model = copy;
    answer_all(&a->batch, NULL, &after);
    expect_same(&before, &after);
    ck_assert_int_eq(facts().searched, USERS - 1);
    seqrec_ann_release(loaded);
    EXPECT(SEQREC_OK, seqrec_ann_load(copy, scratch_path("graph"), 77, &loaded, &api.error));
    ck_assert_int_eq(about(loaded).search_breadth, 77);
    seqrec_ann_release(loaded);
    const int64_t more = id_of(8);
    EXPECT(SEQREC_OK, seqrec_items_remove(copy, &more, 1, &api.error));
    REFUSED(SEQREC_E_STATE, "other items", seqrec_ann_load(copy, scratch_path("graph"), 0, &loaded, &api.error));
    seqrec_ann_release(ann);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
    scratch_remove();
}
END_TEST

/* A table that is read has no slots behind its last item; what the graph removed keeps its own. Items of later go into them. */
START_TEST(a_graph_whose_last_items_went_comes_back_for_a_model_from_its_file)
{
    enum { ALL = 1100, GONE = 80, KEPT = ALL - GONE }; /* a chunk of the table has 1024 slots */
    static answer lists[2][2];
    static int64_t ids[GONE], later[GONE];
    static float vectors[GONE * DIM];
    seqrec_model *models[2] = {NULL};
    seqrec_ann *graphs[2] = {NULL}, *first, *next = NULL;
    scratch_create();
    open_model(0, ALL, tied);
    const asked *a = ask(KEPT);
    models[0] = api.model;
    first = built(NULL);
    for (int64_t i = 0; i < GONE; i++) ids[i] = id_of(KEPT + i), later[i] = 100000 + i;
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, ids, GONE, vectors, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, ids, GONE, &api.error));
    EXPECT(SEQREC_OK, seqrec_ann_update(first, api.model, &graphs[0], &api.error));
    seqrec_ann_release(first);
    EXPECT(SEQREC_OK, seqrec_ann_save(graphs[0], scratch_path("graph"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("model"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path("model"), &models[1], &api.error));
    EXPECT(SEQREC_OK, seqrec_ann_load(models[1], scratch_path("graph"), 0, &graphs[1], &api.error));
    ck_assert_int_eq(about(graphs[1]).items, KEPT);
    ck_assert_int_eq(about(graphs[1]).removed, GONE);
    for (int m = 0; m < 2; m++) {
        api.model = models[m];
        attach(graphs[m]);
        answer_all(&a->batch, NULL, &lists[0][m]);
        EXPECT(SEQREC_OK, seqrec_items_put(api.model, later, GONE, vectors, &api.error));
        EXPECT(SEQREC_OK, seqrec_ann_update(graphs[m], api.model, &next, &api.error));
        ck_assert_int_eq(about(next).items, ALL);
        ck_assert_int_eq(about(next).removed, 0);
        attach(next);
        answer_all(&a->batch, NULL, &lists[1][m]);
        ck_assert_int_eq(facts().searched, USERS - 1);
        seqrec_ann_release(next);
        seqrec_ann_release(graphs[m]);
    }
    for (int later_too = 0; later_too < 2; later_too++) expect_same(&lists[later_too][0], &lists[later_too][1]);
    seqrec_model_release(models[0]);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
    scratch_remove();
}
END_TEST

static int32_t load_bytes(const void *bytes, size_t count)
{
    seqrec_ann *loaded = NULL;
    scratch_write("broken", bytes, count);
    memset(&api.error, 0, sizeof api.error);
    const int32_t status = seqrec_ann_load(api.model, scratch_path("broken"), 0, &loaded, &api.error);
    ck_assert(status == SEQREC_OK || (loaded == NULL && api.error.status == status && api.error.message[0] != 0));
    seqrec_ann_release(loaded);
    return status;
}

static void sign(char *bytes, size_t count)
{
    const uint64_t body = XXH3_64bits(bytes + HEADER, count - HEADER);
    memcpy(bytes + BODY_SUM, &body, sizeof body);
    const uint64_t header = XXH3_64bits(bytes, HEADER_SUM);
    memcpy(bytes + HEADER_SUM, &header, sizeof header);
}

/* A small graph, and the bytes of its file. */
static seqrec_ann *small_graph(char bytes[MOST_BYTES], size_t *count)
{
    const seqrec_ann_options options = {.struct_size = sizeof options, .links = 4, .build_breadth = 20};
    scratch_create();
    open_model(0, FEW, tied);
    seqrec_ann *ann = built(&options);
    EXPECT(SEQREC_OK, seqrec_ann_save(ann, scratch_path("graph"), &api.error));
    *count = scratch_read("graph", bytes, MOST_BYTES);
    return ann;
}

enum { ELEMENT = 4 + 4 * 8 + 4 * DIM + 8 }; /* bytes of one, lists of up to 8 */

/* Cut short anywhere, with a bit turned over anywhere, or longer than it was. */
START_TEST(a_broken_file_is_refused)
{
    static char bytes[MOST_BYTES];
    size_t count;
    seqrec_ann *ann = small_graph(bytes, &count);
    ck_assert_int_eq(load_bytes(bytes, count), SEQREC_OK);
    for (size_t n = 0; n < count; n += n < 2 * HEADER ? 1 : 997) ck_assert_int_eq(load_bytes(bytes, n), SEQREC_E_FORMAT);
    ck_assert_int_eq(load_bytes(bytes, count + 1), SEQREC_E_FORMAT);
    for (size_t bit = 0; bit < 8 * count; bit += bit < 8 * HEADER ? 1 : 7919) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        const int32_t status = load_bytes(bytes, count);
        ck_assert_msg(status == SEQREC_E_FORMAT || (status == SEQREC_E_UNSUPPORTED && bit / 8 >= 8 && bit / 8 < 12), "bit %zu: %d", bit, (int)status);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    ck_assert_int_eq(load_bytes(bytes, count), SEQREC_OK);
    seqrec_ann_release(ann);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
    scratch_remove();
}
END_TEST

/* Its sums are right, but what it says is not a graph: every word of links, levels and slots is set to values of ill will. */
START_TEST(a_file_of_ill_will_is_refused_or_harmless)
{
    static char bytes[MOST_BYTES];
    static const uint32_t evil[] = {0xffffffff, 0x0000ffff, FEW, 0x7fffffff, 33, 1};
    int64_t refused = 0, tried = 0;
    size_t count;
    seqrec_ann *ann = small_graph(bytes, &count), *loaded = NULL;
    const asked *a = ask(FEW);
    for (size_t at = 12; at + 4 <= count; at += 4) {
        const size_t inside = at < HEADER ? 0 : (at - HEADER) % ELEMENT;
        if (at >= HEADER + 16 * ELEMENT && at < HEADER + (FEW - 3) * ELEMENT) continue; /* elements are alike */
        if (at >= HEADER && at < HEADER + FEW * ELEMENT && inside >= 36 && inside < 36 + 4 * DIM) continue; /* vectors may be any */
        for (size_t e = 0; e < sizeof evil / sizeof *evil; e += at < HEADER ? 1 : 5 - (at / 4 % 4)) {
            uint32_t was;
            memcpy(&was, bytes + at, 4);
            memcpy(bytes + at, &evil[e], 4);
            sign(bytes, count);
            scratch_write("broken", bytes, count);
            const int32_t status = seqrec_ann_load(api.model, scratch_path("broken"), 0, &loaded, NULL);
            if (status == SEQREC_OK) {
                static answer harmless;
                EXPECT(SEQREC_OK, seqrec_ann_attach(loaded, api.model, &api.error));
                answer_all(&a->batch, NULL, &harmless);
                detach();
                seqrec_ann_release(loaded);
                loaded = NULL;
            }
            tried++;
            refused += status != SEQREC_OK;
            ck_assert(status == SEQREC_OK || status == SEQREC_E_FORMAT || status == SEQREC_E_STATE);
            memcpy(bytes + at, &was, 4);
        }
    }
    ck_assert_int_gt(refused, tried / 3);
    seqrec_ann_release(ann);
    api_close();
    scratch_remove();
}
END_TEST

/* What the file says of the slot of its last element, and whether that one is removed, with the sums of what it says. */
static int32_t load_with(char *bytes, size_t count, uint64_t slot, int32_t removed)
{
    char *last = bytes + HEADER + (FEW - 1) * ELEMENT;
    memcpy(last + ELEMENT - sizeof slot, &slot, sizeof slot);
    last[2] = (char)removed;
    sign(bytes, count);
    return load_bytes(bytes, count);
}

START_TEST(only_removed_elements_may_have_slots_behind_the_table)
{
    static char bytes[MOST_BYTES];
    size_t count;
    uint64_t own;
    seqrec_ann *ann = small_graph(bytes, &count);
    memcpy(&own, bytes + HEADER + FEW * ELEMENT - sizeof own, sizeof own);
    for (int32_t removed = 0; removed < 2; removed++) {
        const int32_t behind = removed ? SEQREC_OK : SEQREC_E_FORMAT;
        ck_assert_int_eq(load_with(bytes, count, own, removed), SEQREC_OK);
        ck_assert_int_eq(load_with(bytes, count, 5000, removed), behind);
        ck_assert_int_eq(load_with(bytes, count, INT32_MAX, removed), behind);
        ck_assert_int_eq(load_with(bytes, count, (uint64_t)INT32_MAX + 1, removed), SEQREC_E_FORMAT);
        ck_assert_int_eq(load_with(bytes, count, UINT64_MAX, removed), SEQREC_E_FORMAT);
        ck_assert_int_eq(load_with(bytes, count, 0, removed), SEQREC_E_FORMAT); /* the first one's */
    }
    for (size_t e = FEW - 2; e < FEW; e++) {
        const uint64_t slot = 5000;
        memcpy(bytes + HEADER + (e + 1) * ELEMENT - sizeof slot, &slot, sizeof slot);
        bytes[HEADER + e * ELEMENT + 2] = 1;
    }
    sign(bytes, count);
    ck_assert_int_eq(load_bytes(bytes, count), SEQREC_E_FORMAT);
    seqrec_ann_release(ann);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
    scratch_remove();
}
END_TEST

START_TEST(a_file_that_cannot_be_written_or_read_is_said_to)
{
    struct stat facts;
    seqrec_ann *loaded = NULL;
    scratch_create();
    open_model(0, FEW, tied);
    seqrec_ann *ann = built(NULL);
    REFUSED(SEQREC_E_IO, "cannot be created", seqrec_ann_save(ann, scratch_path("none/graph"), &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "no such file", seqrec_ann_load(api.model, scratch_path("none"), 0, &loaded, &api.error));
    REFUSED(SEQREC_E_IO, "not a file", seqrec_ann_load(api.model, scratch, 0, &loaded, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "not a regular file", seqrec_ann_save(ann, scratch, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "empty", seqrec_ann_save(ann, "", &api.error));
    ck_assert_int_eq(scratch_count(0), 0);
    ck_assert_int_eq(symlink("missing", scratch_path("link")), 0);
    REFUSED(SEQREC_E_IO, "link cannot be followed", seqrec_ann_save(ann, scratch_path("link"), &api.error));
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0); /* nobody writes to it, or reads it */
    REFUSED(SEQREC_E_IO, "not a file", seqrec_ann_load(api.model, scratch_path("pipe"), 0, &loaded, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "not a regular file", seqrec_ann_save(ann, scratch_path("pipe"), &api.error));
    ck_assert_int_eq(stat(scratch_path("pipe"), &facts), 0);
    ck_assert(S_ISFIFO(facts.st_mode));
    ck_assert_int_eq(scratch_count(0), 2);
    seqrec_ann_release(ann);
    api_close();
    scratch_remove();
}
END_TEST

START_TEST(a_saved_file_keeps_links_and_permissions)
{
    char left[64];
    struct stat facts;
    scratch_create();
    open_model(0, FEW, tied);
    seqrec_ann *ann = built(NULL);
    scratch_write("target", "old", 3);
    ck_assert_int_eq(chmod(scratch_path("target"), 0600), 0);
    ck_assert_int_eq(symlink("target", scratch_path("link")), 0);
    snprintf(left, sizeof left, ".seqrec-%lld-0.tmp", (long long)getpid());
    scratch_write(left, "half", 4); /* as a process that was killed leaves it */
    EXPECT(SEQREC_OK, seqrec_ann_save(ann, scratch_path("link"), &api.error));
    ck_assert_int_eq(lstat(scratch_path("link"), &facts), 0);
    ck_assert(S_ISLNK(facts.st_mode));
    ck_assert_int_eq(stat(scratch_path("target"), &facts), 0);
    ck_assert_int_eq(facts.st_mode & 0777, 0600);
    ck_assert_int_gt(facts.st_size, 104);
    mode_t mask = umask(0027);
    EXPECT(SEQREC_OK, seqrec_ann_save(ann, scratch_path("fresh"), &api.error));
    ck_assert_int_eq(umask(mask), 0027);
    ck_assert_int_eq(stat(scratch_path("fresh"), &facts), 0);
    ck_assert_int_eq(facts.st_mode & 0777, 0640);
    ck_assert_int_eq(scratch_count(0), 4);
    seqrec_ann_release(ann);
    api_close();
    scratch_remove();
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------------------------------ */

START_TEST(wrong_arguments_are_refused)
{
    seqrec_ann *ann = NULL, *next = NULL;
    seqrec_ann_options o = {.struct_size = sizeof o};
    seqrec_ann_info info = {.struct_size = 8};
    seqrec_model *other = NULL;
    open_model(0, FEW, tied);
    ck_assert_int_eq(seqrec_ann_version(), SEQREC_VERSION_NUMBER);
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_ann_build(NULL, NULL, &ann, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_ann_build(api.model, NULL, NULL, &api.error));
#define OPTION(field, value, hint)                                                                                     \
    do {                                                                                                               \
        o = (seqrec_ann_options){.struct_size = sizeof o};                                                             \
        o.field = (value);                                                                                             \
        REFUSED(SEQREC_E_RANGE, hint, seqrec_ann_build(api.model, &o, &ann, &api.error));                              \
    } while (0)
    OPTION(links, 1, "2 .. 100");
    OPTION(links, 101, "101");
    OPTION(links, -1, "-1");
    OPTION(build_breadth, 15, "15");
    OPTION(build_breadth, 10001, "10000");
    OPTION(search_breadth, 65537, "65536");
    OPTION(search_breadth, -1, "-1");
    OPTION(threads, 257, "257");
    OPTION(threads, -1, "-1");
    o = (seqrec_ann_options){.struct_size = 8};
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_ann_build(api.model, &o, &ann, &api.error));
    o = (seqrec_ann_options){.struct_size = sizeof o, .reserved = 1};
    REFUSED(SEQREC_E_ARGUMENT, "reserved", seqrec_ann_build(api.model, &o, &ann, &api.error));
    ck_assert_ptr_null(ann);
    ann = built(NULL);
    REFUSED(SEQREC_E_ARGUMENT, "ann", seqrec_ann_attach(NULL, api.model, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_ann_attach(ann, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ann", seqrec_ann_update(NULL, api.model, &next, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_ann_update(ann, NULL, &next, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_ann_update(ann, api.model, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ann", seqrec_ann_describe(NULL, &info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_ann_describe(ann, &info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_ann_save(ann, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ann", seqrec_ann_save(NULL, "x", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_ann_load(api.model, NULL, 0, &next, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_ann_load(NULL, "x", 0, &next, &api.error));
    REFUSED(SEQREC_E_RANGE, "-1", seqrec_ann_load(api.model, "x", -1, &next, &api.error));
    api_set("dim", "32");
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &other, &api.error));
    REFUSED(SEQREC_E_STATE, "no items", seqrec_ann_build(other, NULL, &next, &api.error));
    REFUSED(SEQREC_E_STATE, "fewer slots", seqrec_ann_update(ann, other, &next, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "another shape", seqrec_ann_attach(ann, other, &api.error));
    seqrec_model_release(other);
    seqrec_ann_release(seqrec_ann_retain(ann));
    seqrec_ann_release(ann);
    seqrec_ann_release(NULL);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

/* The n-th request of C++ fails, for n = 0, 1, ... in growing steps, until the call makes fewer: each failure is a status and leaves no
 * block behind. */
#define EACH_NEW_FAILS(call, undo)                                                                                     \
    do {                                                                                                               \
        int64_t n_ = 0, failures_ = 0;                                                                                 \
        for (;; n_ += 1 + n_ / 6) {                                                                                    \
            const int64_t blocks_ = failing_new_blocks();                                                              \
            memset(&api.error, 0, sizeof api.error);                                                                   \
            failing_new_after(n_);                                                                                     \
            const int32_t status_ = (call);                                                                            \
            const int32_t reached_ = failing_new_reached();                                                            \
            failing_new_after(-1);                                                                                     \
            if (!reached_) {                                                                                           \
                ck_assert_int_eq(status_, SEQREC_OK);                                                                  \
                undo;                                                                                                  \
                break;                                                                                                 \
            }                                                                                                          \
            failures_++;                                                                                               \
            ck_assert_msg(status_ == SEQREC_E_MEMORY && api.error.message[0] != 0, "%s: request %lld: %d", #call, (long long)n_, (int)status_); \
            ck_assert_msg(failing_new_blocks() == blocks_, "%s: request %lld left blocks", #call, (long long)n_);      \
        }                                                                                                              \
        ck_assert_int_gt(failures_, 0);                                                                                \
    } while (0)

START_TEST(a_failing_new_is_a_status)
{
    static const int64_t ids[] = {1, 2, 3};
    const seqrec_ann_options options = {.struct_size = sizeof options, .threads = _i ? 3 : 1};
    seqrec_ann *ann = NULL, *other = NULL;
    scratch_create();
    open_model(0, FEW, tied);
    EACH_NEW_FAILS(seqrec_ann_build(api.model, &options, &ann, &api.error), (void)0);
    EACH_NEW_FAILS(seqrec_ann_save(ann, scratch_path("graph"), &api.error), (void)0);
    ck_assert_int_eq(scratch_count(0), 1);
    EACH_NEW_FAILS(seqrec_ann_load(api.model, scratch_path("graph"), 0, &other, &api.error), seqrec_ann_release(other));
    const int64_t gone = id_of(4), changed = id_of(5);
    float vector[DIM] = {1};
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, 3, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &gone, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &changed, 1, vector, &api.error));
    EACH_NEW_FAILS(seqrec_ann_update(ann, api.model, &other, &api.error), seqrec_ann_release(other));
    seqrec_ann_release(ann);
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
    scratch_remove();
}
END_TEST

/* A search without memory lets the library score all items. */
START_TEST(a_search_that_fails_makes_no_difference_to_the_list)
{
    int64_t plain[BEST], items[BEST], found;
    open_model(0, FEW, tied);
    const asked *a = ask(FEW);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, NULL, plain, NULL, &found, &api.error));
    int64_t failed = 0;
    for (int64_t n = 0;; n++) {
        seqrec_ann *ann = built(NULL);
        attach(ann);
        seqrec_ann_release(ann);
        failing_new_after(n);
        EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, NULL, items, NULL, &found, &api.error));
        const int32_t reached = failing_new_reached();
        failing_new_after(-1);
        ck_assert_mem_eq(items, plain, sizeof items);
        ck_assert_int_eq(facts().failed, reached);
        ck_assert_int_eq(facts().searched, !reached);
        if (!reached) break;
        failed++;
    }
    ck_assert_int_gt(failed, 3);
    const int64_t requests = failing_new_requests();
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, NULL, items, NULL, &found, &api.error));
    ck_assert_int_eq(failing_new_requests(), requests); /* a second search needs no more memory */
    api_close();
    ck_assert_int_eq(failing_new_blocks(), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ann");
    tcase_add_loop_test(tests, recall_on_a_trained_table, 0, 4);
    tcase_add_test(tests, long_items_that_a_walk_misses_are_found);
    tcase_add_loop_test(tests, scores_are_exact_and_one_by_one_is_as_in_a_batch, 0, KINDS);
    tcase_add_test(tests, one_thread_builds_the_same_graph_again);
    tcase_add_test(tests, an_updated_graph_takes_the_place_of_the_old_one);
    tcase_add_loop_test(tests, a_graph_comes_back_from_its_file, 0, KINDS + 1);
    tcase_add_test(tests, a_graph_whose_last_items_went_comes_back_for_a_model_from_its_file);
    tcase_add_test(tests, a_broken_file_is_refused);
    tcase_add_test(tests, only_removed_elements_may_have_slots_behind_the_table);
    tcase_add_test(tests, a_file_of_ill_will_is_refused_or_harmless);
    tcase_add_test(tests, a_file_that_cannot_be_written_or_read_is_said_to);
    tcase_add_test(tests, a_saved_file_keeps_links_and_permissions);
    tcase_add_test(tests, wrong_arguments_are_refused);
    tcase_add_loop_test(tests, a_failing_new_is_a_status, 0, 2);
    tcase_add_test(tests, a_search_that_fails_makes_no_difference_to_the_list);
    Suite *suite = suite_create("ann");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
