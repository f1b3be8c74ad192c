/* unit: the item table of a live model through the public interface. */
#include <math.h>
#include <stdio.h>
#include "api_fixture.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { DIM = 3 };

static void put(const int64_t *ids, int64_t n, const float *vectors)
{
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, n, vectors, &api.error));
}

static const float *vector_of(int64_t id)
{
    static float out[2 * DIM];
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, out, &api.error));
    return out;
}

static int32_t slot_of(int64_t id, int32_t *generation)
{
    int32_t slot = -1, ignored;
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, id, &slot, generation ? generation : &ignored, &api.error));
    return slot;
}

static int has(int64_t id)
{
    int32_t slot, generation, status = seqrec_items_locate(api.model, id, &slot, &generation, NULL);
    ck_assert(status == SEQREC_OK || status == SEQREC_E_NOT_FOUND);
    return status == SEQREC_OK;
}

static const char *name_of(int64_t id)
{
    static char out[64];
    EXPECT(SEQREC_OK, seqrec_items_name(api.model, id, out, sizeof out, NULL, &api.error));
    return out;
}

/* Items 10, 20 and 30 with vectors 1..9, the first two called "ten" and "twenty". */
static void three_items(void)
{
    const float vectors[3 * DIM] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    api_open_tied();
    put((int64_t[]){10, 20, 30}, 3, vectors);
    EXPECT(SEQREC_OK,
           seqrec_items_set_names(api.model, (int64_t[]){10, 20}, (const char *[]){"ten", "twenty"}, 2, &api.error));
}

/* The table is as three_items left it. */
static void expect_three(void)
{
    const float vectors[3 * DIM] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    float out[3 * DIM];
    int32_t generation;
    ck_assert_int_eq(seqrec_items_count(api.model), 3);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, (int64_t[]){10, 20, 30}, 3, out, &api.error));
    ck_assert_mem_eq(out, vectors, sizeof out);
    for (int32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(slot_of(10 * (i + 1), &generation), i);
        ck_assert_int_eq(generation, 1);
    }
    ck_assert_str_eq(name_of(10), "ten");
    ck_assert_str_eq(name_of(20), "twenty");
    ck_assert(!has(40));
}

START_TEST(any_id_can_be_an_item)
{
    const int64_t ids[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    const float vectors[5 * DIM] = {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5};
    put(ids, 5, vectors);
    for (int i = 0; i < 5; i++) ck_assert_mem_eq(vector_of(ids[i]), vectors + i * DIM, DIM * sizeof(float));
}
END_TEST

START_TEST(a_started_vector_depends_on_seed_and_id_alone)
{
    float first[DIM], second[DIM];
    put((int64_t[]){5, 6}, 2, NULL);
    memcpy(first, vector_of(5), sizeof first);
    memcpy(second, vector_of(6), sizeof second);
    ck_assert_mem_ne(first, second, sizeof first);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, (int64_t[]){5, 6}, 2, &api.error));
    put((int64_t[]){6, 5}, 2, NULL);
    ck_assert_mem_eq(vector_of(5), first, sizeof first);
    ck_assert_mem_eq(vector_of(6), second, sizeof second);
    ck_assert_int_eq(slot_of(6, NULL), 0);
}
END_TEST

START_TEST(another_seed_starts_another_vector)
{
    float first[DIM];
    seqrec_model *other = NULL;
    put((int64_t[]){5}, 1, NULL);
    memcpy(first, vector_of(5), sizeof first);
    api_set("seed", "43");
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &other, &api.error));
    seqrec_model_release(api.model);
    api.model = other;
    put((int64_t[]){5}, 1, NULL);
    ck_assert_mem_ne(vector_of(5), first, sizeof first);
}
END_TEST

/* The fourth float of a vector of 3 dimensions, 0 at first; scores of a saved and loaded model too are products and biases. */
START_TEST(a_bias_is_the_last_float_of_a_vector)
{
    float vector[DIM + 1], started[DIM + 1], u[DIM], scores[2];
    const int64_t ids[] = {5, 6}, history[] = {5, 6, 5}, offsets[] = {0, 3};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    const seqrec_batch none = {.struct_size = sizeof none, .sequences = 1, .offsets = (int64_t[]){0, 0}, .items = history};
    seqrec_model *model = NULL;
    api_set("item_bias", "true");
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &model, &api.error));
    ck_assert_int_eq(seqrec_items_width(model), DIM + 1);
    EXPECT(SEQREC_OK, seqrec_items_put(model, ids, 2, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(model, ids, 1, started, &api.error));
    ck_assert(started[DIM] == 0);
    started[DIM] = 2.5f;
    EXPECT(SEQREC_OK, seqrec_items_update(model, ids, 1, started, &api.error));
    scratch_create();
    EXPECT(SEQREC_OK, seqrec_model_save(model, scratch_path("biased"), &api.error));
    seqrec_model_release(model);
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path("biased"), &model, &api.error));
    scratch_remove();
    EXPECT(SEQREC_OK, seqrec_items_get(model, ids, 1, vector, &api.error));
    ck_assert_mem_eq(vector, started, sizeof vector);
    EXPECT(SEQREC_OK, seqrec_encode(model, &batch, NULL, u, &api.error));
    EXPECT(SEQREC_OK, seqrec_score(model, &batch, ids, NULL, 2, NULL, scores, &api.error));
    float product = u[0] * vector[0] + u[1] * vector[1] + u[2] * vector[2];
    ck_assert_msg(fabsf(scores[0] - product - 2.5f) < 1e-5f, "%g, not %g + 2.5", (double)scores[0], (double)product);
    EXPECT(SEQREC_OK, seqrec_score(model, &none, ids, NULL, 2, NULL, scores, &api.error));
    ck_assert(scores[0] == 0 && scores[1] == 0);
    seqrec_model_release(model);
}
END_TEST

START_TEST(an_untied_model_has_an_input_and_an_output_vector)
{
    const float vectors[2 * 2 * DIM] = {1, 2, 3, -1, -2, -3, 4, 5, 6, -4, -5, -6};
    float out[2 * DIM];
    ck_assert_int_eq(seqrec_items_width(api.model), 2 * DIM);
    put((int64_t[]){1, 2}, 2, vectors);
    ck_assert_mem_eq(vector_of(1), vectors, sizeof out);
    ck_assert_mem_eq(vector_of(2), vectors + 2 * DIM, sizeof out);
    put((int64_t[]){3}, 1, NULL);
    memcpy(out, vector_of(3), sizeof out);
    ck_assert_mem_ne(out, out + DIM, DIM * sizeof *out);
    for (int i = 0; i < 2 * DIM; i++) ck_assert(out[i] != 0 && isfinite(out[i]));
}
END_TEST

START_TEST(put_refuses_items_that_are_there_and_adds_none)
{
    const float vectors[2 * DIM] = {0};
    REFUSED(SEQREC_E_EXISTS, "20", seqrec_items_put(api.model, (int64_t[]){40, 20}, 2, vectors, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "40", seqrec_items_put(api.model, (int64_t[]){40, 40}, 2, vectors, &api.error));
    expect_three();
}
END_TEST

START_TEST(vectors_that_are_not_finite_are_refused)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float vectors[2 * DIM] = {0};
        vectors[4] = bad[i];
        REFUSED(SEQREC_E_ARGUMENT, "50", seqrec_items_put(api.model, (int64_t[]){40, 50}, 2, vectors, &api.error));
        REFUSED(SEQREC_E_ARGUMENT, "20", seqrec_items_update(api.model, (int64_t[]){10, 20}, 2, vectors, &api.error));
    }
    expect_three();
}
END_TEST

START_TEST(update_overwrites_and_keeps_the_place)
{
    const float fresh[DIM] = {-1, 0, 1};
    int32_t generation;
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, (int64_t[]){20}, 1, fresh, &api.error));
    ck_assert_mem_eq(vector_of(20), fresh, sizeof fresh);
    ck_assert_int_eq(slot_of(20, &generation), 1);
    ck_assert_int_eq(generation, 1);
    ck_assert_str_eq(name_of(20), "twenty");
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, (int64_t[]){20}, 1, (float[]){4, 5, 6}, &api.error));
    expect_three();
}
END_TEST

START_TEST(changes_of_missing_or_repeated_items_change_nothing)
{
    const float vectors[2 * DIM] = {0};
    REFUSED(SEQREC_E_NOT_FOUND, "40", seqrec_items_update(api.model, (int64_t[]){10, 40}, 2, vectors, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "10", seqrec_items_update(api.model, (int64_t[]){10, 10}, 2, vectors, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "40", seqrec_items_remove(api.model, (int64_t[]){10, 40}, 2, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "10", seqrec_items_remove(api.model, (int64_t[]){10, 10}, 2, &api.error));
    expect_three();
}
END_TEST

START_TEST(a_freed_slot_is_reused_under_a_new_generation)
{
    int32_t generation;
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, (int64_t[]){20}, 1, &api.error));
    ck_assert_int_eq(seqrec_items_count(api.model), 2);
    ck_assert(!has(20));
    put((int64_t[]){99}, 1, NULL);
    ck_assert_int_eq(slot_of(99, &generation), 1);
    ck_assert_int_gt(generation, 1);
}
END_TEST

START_TEST(removing_an_item_removes_its_name)
{
    char out[16];
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, (int64_t[]){20, 30}, 2, &api.error));
    int64_t id = 7;
    REFUSED(SEQREC_E_NOT_FOUND, "twenty", seqrec_items_find(api.model, "twenty", &id, &api.error));
    ck_assert_int_eq(id, 7);
    put((int64_t[]){20}, 1, NULL);
    REFUSED(SEQREC_E_NOT_FOUND, "no name", seqrec_items_name(api.model, 20, out, sizeof out, NULL, &api.error));
    ck_assert_str_eq(name_of(10), "ten");
}
END_TEST

START_TEST(get_gives_all_vectors_or_none)
{
    float out[2 * DIM] = {-7, -7, -7, -7, -7, -7};
    REFUSED(SEQREC_E_NOT_FOUND, "41", seqrec_items_get(api.model, (int64_t[]){10, 41}, 2, out, &api.error));
    for (int i = 0; i < 2 * DIM; i++) ck_assert(out[i] == -7);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, (int64_t[]){30, 30}, 2, out, &api.error));
    ck_assert_mem_eq(out, out + DIM, DIM * sizeof *out);
}
END_TEST

START_TEST(locate_fails_without_writing)
{
    int32_t slot = 77, generation = 78;
    REFUSED(SEQREC_E_NOT_FOUND, "11", seqrec_items_locate(api.model, 11, &slot, &generation, &api.error));
    ck_assert(slot == 77 && generation == 78);
}
END_TEST

/* All ids by steps of `capacity`. */
static int64_t walk(int64_t capacity, int64_t *ids)
{
    int64_t cursor = 0, total = 0, n;
    do {
        EXPECT(SEQREC_OK, seqrec_items_next(api.model, &cursor, ids + total, capacity, &n, &api.error));
        ck_assert(n >= 0 && n <= capacity);
        total += n;
    } while (n > 0);
    EXPECT(SEQREC_OK, seqrec_items_next(api.model, &cursor, ids, capacity, &n, &api.error));
    ck_assert_int_eq(n, 0);
    return total;
}

START_TEST(a_walk_visits_every_item_in_the_order_of_slots)
{
    enum { MANY = 3000 };
    static int64_t ids[MANY], removed[MANY], seen[MANY + 64];
    for (int64_t i = 0; i < MANY; i++) ids[i] = (i * 7919) % 100003;
    put(ids, MANY, NULL);
    int64_t gone = 0;
    for (int64_t i = 0; i < MANY; i++)
        if (i % 3 == 0 || (i >= 1000 && i < 2100)) removed[gone++] = ids[i];
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, removed, gone, &api.error));
    static const int64_t capacities[] = {1, 7, MANY};
    for (size_t c = 0; c < 3; c++) {
        ck_assert_int_eq(walk(capacities[c], seen), MANY - gone);
        int64_t at = 0;
        for (int64_t i = 0; i < MANY; i++)
            if (!(i % 3 == 0 || (i >= 1000 && i < 2100))) ck_assert_int_eq(seen[at++], ids[i]);
    }
    ck_assert_int_eq(seqrec_items_count(api.model), MANY - gone);
}
END_TEST

START_TEST(an_empty_table_has_nothing_to_visit)
{
    int64_t ids[4];
    ck_assert_int_eq(walk(4, ids), 0);
    ck_assert_int_eq(seqrec_items_count(api.model), 0);
}
END_TEST

START_TEST(names_lead_to_items_and_back)
{
    int64_t id = 0;
    EXPECT(SEQREC_OK, seqrec_items_find(api.model, "twenty", &id, &api.error));
    ck_assert_int_eq(id, 20);
    EXPECT(SEQREC_OK,
           seqrec_items_set_names(api.model, (int64_t[]){10, 20}, (const char *[]){"twenty", "ten"}, 2, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_find(api.model, "twenty", &id, &api.error));
    ck_assert_int_eq(id, 10);
    ck_assert_str_eq(name_of(20), "ten");
}
END_TEST

START_TEST(names_that_cannot_be_are_refused_together)
{
    static char longest[4098];
    memset(longest, 'n', 4097);
    const int64_t ids[] = {30, 10};
    const struct {
        int32_t status;
        const char *first, *second, *part;
    } rows[] = {
        {SEQREC_E_EXISTS, "thirty", "twenty", "twenty"},    {SEQREC_E_EXISTS, "same", "same", "same"},
        {SEQREC_E_ARGUMENT, "thirty", "", "empty"},         {SEQREC_E_ARGUMENT, "thirty", NULL, "NULL"},
        {SEQREC_E_ARGUMENT, "thirty", longest, "long"},     {SEQREC_E_ARGUMENT, "thirty", "\xff", "UTF-8"},
        {SEQREC_E_ARGUMENT, "thirty", "\xc0\xaf", "UTF-8"},
    };
    char out[16];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        REFUSED(rows[i].status, rows[i].part,
                seqrec_items_set_names(api.model, ids, (const char *[]){rows[i].first, rows[i].second}, 2, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "30",
            seqrec_items_set_names(api.model, (int64_t[]){30, 30}, (const char *[]){"a", "b"}, 2, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "44",
            seqrec_items_set_names(api.model, (int64_t[]){30, 44}, (const char *[]){"a", "b"}, 2, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "30", seqrec_items_name(api.model, 30, out, sizeof out, NULL, &api.error));
    expect_three();
    longest[4096] = 0;
    EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, ids, (const char *[]){longest, "ten"}, 2, &api.error));
}
END_TEST

START_TEST(a_name_is_copied_as_far_as_there_is_room)
{
    char out[8] = "unused";
    size_t needed = 0;
    EXPECT(SEQREC_E_RANGE, seqrec_items_name(api.model, 20, NULL, 0, &needed, &api.error));
    ck_assert_uint_eq(needed, 7);
    REFUSED(SEQREC_E_RANGE, "7", seqrec_items_name(api.model, 20, out, 6, &needed, &api.error));
    ck_assert_str_eq(out, "unused");
    EXPECT(SEQREC_OK, seqrec_items_name(api.model, 20, out, 7, NULL, &api.error));
    ck_assert_str_eq(out, "twenty");
    REFUSED(SEQREC_E_NOT_FOUND, "no item 21", seqrec_items_name(api.model, 21, out, 8, NULL, &api.error));
}
END_TEST

START_TEST(wrong_arguments_are_refused_by_name)
{
    const int64_t id = 10;
    const float vector[DIM] = {0};
    const char *const name = "x";
    float out[DIM];
    char text[8];
    int32_t slot, generation;
    int64_t found, cursor = 0, ids[2], n;
    seqrec_model *m = api.model;
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_put(NULL, &id, 1, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_put(m, NULL, 1, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_items_put(m, &id, -1, vector, &api.error));
    REFUSED(SEQREC_E_RANGE, "items", seqrec_items_put(m, &id, INT64_MAX - 3, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_update(NULL, &id, 1, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_update(m, NULL, 1, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "vectors", seqrec_items_update(m, &id, 1, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_items_update(m, &id, -1, vector, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_remove(NULL, &id, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_remove(m, NULL, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -9223372036854775808", seqrec_items_remove(m, &id, INT64_MIN, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_get(NULL, &id, 1, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_get(m, NULL, 1, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_items_get(m, &id, 1, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_items_get(m, &id, -1, out, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_locate(NULL, id, &slot, &generation, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "slot", seqrec_items_locate(m, id, NULL, &generation, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "generation", seqrec_items_locate(m, id, &slot, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_next(NULL, &cursor, ids, 2, &n, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "cursor", seqrec_items_next(m, NULL, ids, 2, &n, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_next(m, &cursor, NULL, 2, &n, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n ", seqrec_items_next(m, &cursor, ids, 2, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "capacity = 0", seqrec_items_next(m, &cursor, ids, 0, &n, &api.error));
    cursor = -1;
    REFUSED(SEQREC_E_ARGUMENT, "-1", seqrec_items_next(m, &cursor, ids, 2, &n, &api.error));
    cursor = INT64_MAX;
    EXPECT(SEQREC_OK, seqrec_items_next(m, &cursor, ids, 2, &n, &api.error));
    ck_assert_int_eq(n, 0);
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_set_names(NULL, &id, &name, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "ids", seqrec_items_set_names(m, NULL, &name, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "names", seqrec_items_set_names(m, &id, NULL, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_items_set_names(m, &id, &name, -1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_name(NULL, id, text, 8, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_items_name(m, id, NULL, 8, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_items_find(NULL, "ten", &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "name", seqrec_items_find(m, NULL, &found, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "id", seqrec_items_find(m, "ten", NULL, &api.error));
    ck_assert_int_eq(seqrec_items_count(NULL), -1);
    ck_assert_int_eq(seqrec_items_width(NULL), -1);
    ck_assert_int_eq(seqrec_items_put(NULL, NULL, -1, NULL, NULL), SEQREC_E_ARGUMENT);
    expect_three();
}
END_TEST

START_TEST(no_items_is_a_valid_number_of_items)
{
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, NULL, 0, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, NULL, 0, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, NULL, 0, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, NULL, 0, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, NULL, NULL, 0, &api.error));
    expect_three();
}
END_TEST

START_TEST(changes_survive_failing_allocations)
{
    const int64_t id = 10, fresh = 40;
    const float vector[DIM] = {1, 2, 3}, other[DIM] = {0, 0, 1};
    const char *const old = "ten", *const name = "zehn";
    EACH_ALLOCATION_FAILS(seqrec_items_put(api.model, &fresh, 1, other, &api.error), expect_three(),
                          EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &fresh, 1, &api.error)));
    EACH_ALLOCATION_FAILS(seqrec_items_put(api.model, &fresh, 1, NULL, &api.error), expect_three(),
                          EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &fresh, 1, &api.error)));
    EACH_ALLOCATION_FAILS(seqrec_items_update(api.model, &id, 1, other, &api.error), expect_three(),
                          EXPECT(SEQREC_OK, seqrec_items_update(api.model, &id, 1, vector, &api.error)));
    EACH_ALLOCATION_FAILS(seqrec_items_set_names(api.model, &id, &name, 1, &api.error), expect_three(),
                          EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, &id, &old, 1, &api.error)));
    EACH_ALLOCATION_FAILS(seqrec_items_remove(api.model, &id, 1, &api.error), expect_three(), (void)0);
    ck_assert(!has(10));
}
END_TEST

START_TEST(reads_allocate_nothing)
{
    float out[DIM];
    char text[8];
    int32_t slot, generation;
    int64_t cursor = 0, ids[8], n, id = 20;
    atomic_store(&api.memory.to_fail, 0);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, out, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, id, &slot, &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_next(api.model, &cursor, ids, 8, &n, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_name(api.model, id, text, sizeof text, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_find(api.model, text, &id, &api.error));
    ck_assert_int_eq(seqrec_items_count(api.model), 3);
    ck_assert_int_eq(atomic_load(&api.memory.to_fail), 0);
    atomic_store(&api.memory.to_fail, -1);
}
END_TEST

/* The number of the first call that is not refused as it must be, or 0. */
static int calls_of_a_child(void)
{
    const int64_t id = 10;
    const float vector[DIM] = {0};
    const char *const name = "x";
    float out[DIM];
    char text[8];
    int32_t slot, generation;
    int64_t found, cursor = 0, ids[2], n;
    const int32_t statuses[] = {
        seqrec_items_put(api.model, &(int64_t){44}, 1, vector, NULL),
        seqrec_items_update(api.model, &id, 1, vector, NULL),
        seqrec_items_remove(api.model, &id, 1, NULL),
        seqrec_items_get(api.model, &id, 1, out, NULL),
        seqrec_items_locate(api.model, id, &slot, &generation, NULL),
        seqrec_items_next(api.model, &cursor, ids, 2, &n, NULL),
        seqrec_items_set_names(api.model, &id, &name, 1, NULL),
        seqrec_items_name(api.model, id, text, 8, NULL, NULL),
        seqrec_items_find(api.model, "ten", &found, NULL),
    };
    if (seqrec_items_count(api.model) != -1 || seqrec_items_width(api.model) != -1) return 100;
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

START_TEST(a_forked_child_is_refused)
{
    ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
    expect_three();
}
END_TEST

static void add_three(Suite *suite)
{
    TCase *tests = tcase_create("three items");
    tcase_add_checked_fixture(tests, three_items, api_close);
    tcase_add_test(tests, put_refuses_items_that_are_there_and_adds_none);
    tcase_add_test(tests, vectors_that_are_not_finite_are_refused);
    tcase_add_test(tests, update_overwrites_and_keeps_the_place);
    tcase_add_test(tests, changes_of_missing_or_repeated_items_change_nothing);
    tcase_add_test(tests, a_freed_slot_is_reused_under_a_new_generation);
    tcase_add_test(tests, removing_an_item_removes_its_name);
    tcase_add_test(tests, get_gives_all_vectors_or_none);
    tcase_add_test(tests, locate_fails_without_writing);
    tcase_add_test(tests, names_lead_to_items_and_back);
    tcase_add_test(tests, names_that_cannot_be_are_refused_together);
    tcase_add_test(tests, a_name_is_copied_as_far_as_there_is_room);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_test(tests, no_items_is_a_valid_number_of_items);
    tcase_add_test(tests, changes_survive_failing_allocations);
    tcase_add_test(tests, reads_allocate_nothing);
    tcase_add_test(tests, a_forked_child_is_refused);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_items");
    TCase *empty = tcase_create("empty");
    tcase_add_checked_fixture(empty, api_open_tied, api_close);
    tcase_add_test(empty, any_id_can_be_an_item);
    tcase_add_test(empty, a_started_vector_depends_on_seed_and_id_alone);
    tcase_add_test(empty, another_seed_starts_another_vector);
    tcase_add_test(empty, a_bias_is_the_last_float_of_a_vector);
    tcase_add_test(empty, a_walk_visits_every_item_in_the_order_of_slots);
    tcase_add_test(empty, an_empty_table_has_nothing_to_visit);
    suite_add_tcase(suite, empty);
    TCase *untied = tcase_create("untied");
    tcase_add_checked_fixture(untied, api_open_untied, api_close);
    tcase_add_test(untied, an_untied_model_has_an_input_and_an_output_vector);
    suite_add_tcase(suite, untied);
    add_three(suite);
    return run_suite(suite);
}
