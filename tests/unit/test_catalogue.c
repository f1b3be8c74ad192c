/* unit: the item table: what put, update, remove and restore do to it and leave of an older one. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "item_table.h"
#include "model/shards.h"
#include "run_suite.h"

#define DIM 3

static item_table table;

static void open_table(void)
{
    ck_assert_int_eq(table_open(&table, DIM, 1), SEQREC_OK);
}

static void close_table(void)
{
    const char *fault = table_fault(table.now);
    ck_assert_msg(!fault, "%s", fault);
    ck_assert_int_eq(table_close(&table), 0);
}

static void fill_vector(float *vector, int64_t id, int64_t salt)
{
    for (int32_t i = 0; i < DIM; i++) {
        vector[i] = (float)(sq_random_unit(sq_random_key((uint64_t)id, (uint64_t)salt, 0), (uint64_t)i) + 0.5);
    }
}

static int32_t put_one(int64_t id, int64_t salt)
{
    float vector[DIM];
    fill_vector(vector, id, salt);
    return table_put(&table, &id, 1, vector);
}

static int32_t remove_one(int64_t id)
{
    return table_remove(&table, &id, 1);
}

static int32_t holds(const sq_catalogue *catalogue, int64_t id, int64_t salt)
{
    float vector[DIM];
    fill_vector(vector, id, salt);
    int32_t slot = sq_catalogue_find(catalogue, id);
    return slot >= 0 && memcmp(sq_catalogue_row(catalogue, slot), vector, sizeof vector) == 0;
}

static int64_t *range(int64_t from, int64_t n)
{
    int64_t *ids = malloc((size_t)n * sizeof *ids);
    for (int64_t i = 0; i < n; i++) ids[i] = from + i;
    return ids;
}

/* Puts from, from + 1, ... as zero vectors. */
static void put_range(int64_t from, int64_t n)
{
    int64_t *ids = range(from, n);
    ck_assert_int_eq(table_put(&table, ids, n, NULL), SEQREC_OK);
    free(ids);
}

static void remove_range(int64_t from, int64_t n)
{
    int64_t *ids = range(from, n);
    ck_assert_int_eq(table_remove(&table, ids, n), SEQREC_OK);
    free(ids);
}

/* A refused change leaves the very same table, and says which id. */
static void assert_refused(int32_t status, int32_t expected, const sq_catalogue *before, const char *named)
{
    ck_assert_int_eq(status, expected);
    ck_assert_int_eq(table.error.status, expected);
    ck_assert_ptr_eq(table.now, before);
    ck_assert_msg(strstr(table.error.message, named) != NULL, "%s", table.error.message);
}

START_TEST(a_new_table_is_empty)
{
    ck_assert_int_eq(table.now->count, 0);
    ck_assert_int_eq(sq_catalogue_find(table.now, 0), -1);
    ck_assert_int_eq(table.now->padded, 16);
}
END_TEST

START_TEST(a_dimension_out_of_bounds_is_refused)
{
    sq_catalogue *made = NULL;
    ck_assert_int_eq(sq_catalogue_create(table.context, &sq_kind_item, 0, 1, &made, NULL), SEQREC_E_RANGE);
    ck_assert_int_eq(sq_catalogue_create(table.context, &sq_kind_item, INT32_MAX, 1, &made, NULL), SEQREC_E_RANGE);
    ck_assert_int_eq(sq_catalogue_create(table.context, &sq_kind_item, 8, 3, &made, NULL), SEQREC_E_RANGE);
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(items_that_were_put_are_found_with_their_vectors)
{
    ck_assert_int_eq(put_one(42, 0), SEQREC_OK);
    ck_assert_int_eq(put_one(-7, 0), SEQREC_OK);
    ck_assert(holds(table.now, 42, 0) && holds(table.now, -7, 0));
    ck_assert_int_eq(table.now->count, 2);
    ck_assert_int_eq(sq_catalogue_find(table.now, 7), -1);
}
END_TEST

START_TEST(extreme_ids_are_ids_like_others)
{
    const int64_t ids[] = {INT64_MIN, INT64_MAX, -1, 0, 1, INT64_MIN + 1};
    float vectors[6 * DIM];
    for (int32_t i = 0; i < 6; i++) fill_vector(vectors + i * DIM, ids[i], 0);
    ck_assert_int_eq(table_put(&table, ids, 6, vectors), SEQREC_OK);
    for (int32_t i = 0; i < 6; i++) ck_assert(holds(table.now, ids[i], 0));
    ck_assert_int_eq(table_remove(&table, ids, 3), SEQREC_OK);
    for (int32_t i = 0; i < 6; i++) ck_assert_int_eq(sq_catalogue_find(table.now, ids[i]) >= 0, i >= 3);
}
END_TEST

START_TEST(an_item_with_two_vectors_keeps_both_at_their_places)
{
    const int64_t id = 9;
    const float vector[6] = {1, 2, 3, 4, 5, 6};
    item_table two;
    ck_assert_int_eq(table_open(&two, 3, 2), SEQREC_OK);
    ck_assert_int_eq(table_put(&two, &id, 1, vector), SEQREC_OK);
    const float *row = sq_catalogue_row(two.now, sq_catalogue_find(two.now, id));
    ck_assert_mem_eq(row, vector, 3 * sizeof(float));
    ck_assert_mem_eq(row + two.now->padded, vector + 3, 3 * sizeof(float));
    ck_assert_ptr_null(table_fault(two.now));
    ck_assert_int_eq(table_close(&two), 0);
}
END_TEST

static void fill_with_id(void *arg, int64_t id, float *row)
{
    ck_assert(row[0] == 0);
    row[0] = (float)id;
    ++*(int64_t *)arg;
}

START_TEST(rows_without_vectors_are_filled_by_the_callback)
{
    const int64_t ids[] = {5, 6};
    int64_t calls = 0;
    sq_catalogue *made = NULL;
    int32_t status = sq_catalogue_put(table.now, ids, 2, NULL, fill_with_id, &calls, &made, &table.error);
    ck_assert_int_eq(table_take(&table, status, made), SEQREC_OK);
    ck_assert_int_eq(calls, 2);
    for (int32_t i = 0; i < 2; i++) {
        ck_assert(sq_catalogue_row(table.now, sq_catalogue_find(table.now, ids[i]))[0] == (float)ids[i]);
    }
}
END_TEST

START_TEST(a_removed_id_is_not_found)
{
    put_range(0, 3000);
    remove_range(1000, 500);
    for (int64_t id = 0; id < 3000; id++) {
        ck_assert_int_eq(sq_catalogue_find(table.now, id) >= 0, id < 1000 || id >= 1500);
    }
    ck_assert_int_eq(table.now->count, 2500);
}
END_TEST

START_TEST(a_reused_slot_has_a_new_generation)
{
    put_range(0, 10);
    int32_t slot = sq_catalogue_find(table.now, 4), generation = sq_catalogue_generation(table.now, slot);
    ck_assert_int_eq(remove_one(4), SEQREC_OK);
    ck_assert_int_eq(put_one(99, 0), SEQREC_OK);
    ck_assert_int_eq(sq_catalogue_find(table.now, 99), slot);
    ck_assert_int_gt(sq_catalogue_generation(table.now, slot), generation);
    ck_assert_int_eq(remove_one(99), SEQREC_OK);
    ck_assert_int_eq(put_one(4, 0), SEQREC_OK);
    ck_assert_int_eq(sq_catalogue_find(table.now, 4), slot);
    ck_assert_int_gt(sq_catalogue_generation(table.now, slot), generation + 1);
}
END_TEST

START_TEST(freed_slots_are_reused_lowest_first)
{
    const int64_t gone[] = {2100, 3, 1023, 1024}, come[] = {-1, -2, -3, -4, -5};
    const int32_t expected[] = {3, 1023, 1024, 2100, 2500};
    put_range(0, 2500);
    ck_assert_int_eq(table_remove(&table, gone, 4), SEQREC_OK);
    ck_assert_int_eq(table_put(&table, come, 5, NULL), SEQREC_OK);
    for (int32_t i = 0; i < 5; i++) ck_assert_int_eq(sq_catalogue_find(table.now, come[i]), expected[i]);
}
END_TEST

START_TEST(a_table_emptied_and_filled_again_does_not_grow)
{
    for (int32_t round = 1; round <= 3; round++) {
        put_range(round * 10000, 3 * SQ_CHUNK_ROWS);
        ck_assert_int_eq(table.now->chunks, 3);
        ck_assert_int_eq(sq_catalogue_generation(table.now, 2 * SQ_CHUNK_ROWS), round);
        remove_range(round * 10000, 3 * SQ_CHUNK_ROWS);
        ck_assert_int_eq(table.now->count, 0);
    }
}
END_TEST

START_TEST(an_old_catalogue_keeps_its_rows)
{
    ck_assert_int_eq(put_one(1, 0), SEQREC_OK);
    ck_assert_int_eq(put_one(2, 0), SEQREC_OK);
    ck_assert_int_eq(put_one(3, 0), SEQREC_OK);
    sq_catalogue *old = sq_catalogue_retain(table.now);
    const int64_t changed = 2;
    float vector[DIM];
    fill_vector(vector, changed, 1);
    ck_assert_int_eq(table_update(&table, &changed, 1, vector), SEQREC_OK);
    ck_assert_int_eq(remove_one(1), SEQREC_OK);
    ck_assert_int_eq(put_one(4, 0), SEQREC_OK);
    ck_assert(holds(old, 1, 0) && holds(old, 2, 0) && holds(old, 3, 0));
    ck_assert_int_eq(sq_catalogue_find(old, 4), -1);
    ck_assert_int_eq(old->count, 3);
    ck_assert_ptr_null(table_fault(old));
    ck_assert(holds(table.now, 2, 1) && holds(table.now, 3, 0) && holds(table.now, 4, 0));
    ck_assert_int_eq(sq_catalogue_find(table.now, 1), -1);
    sq_catalogue_release(old);
}
END_TEST

START_TEST(a_change_copies_only_the_chunks_it_touches)
{
    put_range(0, 4 * SQ_CHUNK_ROWS);
    sq_catalogue *old = sq_catalogue_retain(table.now);
    const int64_t id = SQ_CHUNK_ROWS + 5;
    const float vector[DIM] = {1, 1, 1};
    ck_assert_int_eq(table_update(&table, &id, 1, vector), SEQREC_OK);
    for (int32_t chunk = 0; chunk < 4; chunk++) {
        ck_assert_int_eq(old->rows[chunk] == table.now->rows[chunk], chunk != 1);
        ck_assert_int_eq(old->slots[chunk] == table.now->slots[chunk], chunk != 1);
    }
    ck_assert_ptr_eq(old->shards[0], table.now->shards[0]);
    sq_catalogue_release(old);
}
END_TEST

START_TEST(the_map_grows_and_a_put_copies_one_shard_of_it)
{
    put_range(0, 5000);
    ck_assert_int_ge(table.now->shard_bits, 1);
    put_range(5000, 20000);
    ck_assert_int_ge(table.now->shard_bits, 3);
    for (int64_t id = 0; id < 25000; id++) ck_assert_int_eq(sq_catalogue_find(table.now, id), id);
    sq_catalogue *old = sq_catalogue_retain(table.now);
    ck_assert_int_eq(put_one(-1, 0), SEQREC_OK);
    int32_t copied = 0;
    for (int32_t i = 0; i < 1 << old->shard_bits; i++) copied += old->shards[i] != table.now->shards[i];
    ck_assert_int_eq(copied, 1);
    sq_catalogue_release(old);
}
END_TEST

START_TEST(put_is_all_or_nothing_when_one_id_exists)
{
    const int64_t ids[] = {10, 11, 3, 12};
    put_range(0, 5);
    const sq_catalogue *before = table.now;
    assert_refused(table_put(&table, ids, 4, NULL), SEQREC_E_EXISTS, before, "item 3 ");
    ck_assert_int_eq(sq_catalogue_find(table.now, 10), -1);
    ck_assert_int_eq(table.now->count, 5);
}
END_TEST

START_TEST(an_id_twice_in_one_call_is_refused)
{
    const int64_t fresh[] = {10, 11, 10}, known[] = {1, 2, 1};
    const float vectors[3 * DIM] = {0};
    put_range(0, 5);
    const sq_catalogue *before = table.now;
    assert_refused(table_put(&table, fresh, 3, NULL), SEQREC_E_ARGUMENT, before, "item 10 ");
    assert_refused(table_update(&table, known, 3, vectors), SEQREC_E_ARGUMENT, before, "item 1 ");
    assert_refused(table_remove(&table, known, 3), SEQREC_E_ARGUMENT, before, "item 1 ");
    ck_assert_int_eq(table.now->count, 5);
}
END_TEST

START_TEST(a_missing_id_refuses_update_and_remove)
{
    const int64_t ids[] = {1, -5};
    const float vectors[2 * DIM] = {0};
    put_range(0, 5);
    const sq_catalogue *before = table.now;
    assert_refused(table_update(&table, ids, 2, vectors), SEQREC_E_NOT_FOUND, before, "item -5");
    assert_refused(table_remove(&table, ids, 2), SEQREC_E_NOT_FOUND, before, "item -5");
    ck_assert_int_ge(sq_catalogue_find(table.now, 1), 0);
}
END_TEST

START_TEST(vectors_that_are_not_finite_are_refused_by_name)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    put_range(0, 5);
    const sq_catalogue *before = table.now;
    for (int32_t i = 0; i < 3; i++) {
        float vectors[2 * DIM] = {0};
        const int64_t fresh[] = {20, 21}, known[] = {3, 4};
        vectors[DIM + i] = bad[i];
        assert_refused(table_put(&table, fresh, 2, vectors), SEQREC_E_ARGUMENT, before, "item 21 ");
        assert_refused(table_update(&table, known, 2, vectors), SEQREC_E_ARGUMENT, before, "item 4 ");
    }
}
END_TEST

START_TEST(the_largest_finite_values_are_accepted)
{
    const int64_t id = 1;
    const float vector[DIM] = {3.402823466e38f, -3.402823466e38f, 1e-45f};
    ck_assert_int_eq(table_put(&table, &id, 1, vector), SEQREC_OK);
    ck_assert_mem_eq(sq_catalogue_row(table.now, sq_catalogue_find(table.now, id)), vector, sizeof vector);
}
END_TEST

START_TEST(counts_out_of_bounds_are_refused_before_ids_are_read)
{
    const sq_catalogue *before = table.now;
    assert_refused(table_put(&table, NULL, -1, NULL), SEQREC_E_ARGUMENT, before, "n=-1");
    assert_refused(table_put(&table, NULL, INT64_MAX, NULL), SEQREC_E_RANGE, before, "9223372036854775807");
    assert_refused(table_update(&table, NULL, -1, NULL), SEQREC_E_ARGUMENT, before, "n=-1");
    assert_refused(table_remove(&table, NULL, INT64_MIN), SEQREC_E_ARGUMENT, before, "n=-9223372036854775808");
}
END_TEST

START_TEST(a_change_of_nothing_keeps_the_version)
{
    put_range(0, 5);
    uint64_t version = table.now->version;
    ck_assert_int_eq(table_put(&table, NULL, 0, NULL), SEQREC_OK);
    ck_assert_int_eq(table_update(&table, NULL, 0, NULL), SEQREC_OK);
    ck_assert_int_eq(table_remove(&table, NULL, 0), SEQREC_OK);
    ck_assert_uint_eq(table.now->version, version);
    ck_assert_int_eq(table.now->count, 5);
}
END_TEST

START_TEST(stamps_tell_which_rows_changed_since_a_version)
{
    put_range(0, 5);
    uint64_t seen = table.now->version;
    const int64_t id = 3;
    const float vector[DIM] = {1, 2, 3};
    ck_assert_int_eq(table_update(&table, &id, 1, vector), SEQREC_OK);
    ck_assert_int_eq(put_one(77, 0), SEQREC_OK);
    for (int32_t slot = 0; slot < 6; slot++) ck_assert_int_eq(stamp_of(table.now, slot) > seen, slot == 3 || slot == 5);
    ck_assert_uint_gt(table.now->version, seen + 1);
    seen = table.now->version;
    put_range(1000, 2 * SQ_CHUNK_ROWS); /* the rest of this chunk and whole ones */
    for (int32_t slot = 0; slot < 2 * SQ_CHUNK_ROWS; slot++) ck_assert_int_eq(stamp_of(table.now, slot) > seen, slot > 5);
    seen = table.now->version;
    const int64_t late = 1000 + SQ_CHUNK_ROWS;
    ck_assert_int_eq(table_update(&table, &late, 1, vector), SEQREC_OK);
    for (int32_t slot = 0; slot < 2 * SQ_CHUNK_ROWS; slot++)
        ck_assert_int_eq(stamp_of(table.now, slot) > seen, slot == sq_catalogue_find(table.now, late));
}
END_TEST

START_TEST(with_rows_shares_membership)
{
    put_range(0, 1500);
    const sq_catalogue *base = table.now;
    const sq_memory *memory = &table.context->memory;
    sq_rows *rows[2] = {sq_rows_create(memory, base->stride, base->rows[0]), sq_rows_retain(base->rows[1])};
    rows[0]->at[0] = 8;
    sq_catalogue *made = NULL;
    ck_assert_int_eq(sq_catalogue_with_rows(base, rows, &made, NULL), SEQREC_OK);
    for (int32_t i = 0; i < 2; i++) sq_rows_release(memory, rows[i]);
    ck_assert_ptr_eq(made->slots[0], base->slots[0]);
    ck_assert_ptr_eq(made->slots[1], base->slots[1]);
    ck_assert_ptr_eq(made->shards[0], base->shards[0]);
    ck_assert_uint_eq(made->version, base->version);
    ck_assert_int_eq(made->count, 1500);
    ck_assert_int_eq(sq_catalogue_find(made, 1400), 1400);
    ck_assert(sq_catalogue_row(made, 0)[0] == 8);
    ck_assert(sq_catalogue_row(base, 0)[0] == 0);
    ck_assert_int_eq(table_take(&table, SEQREC_OK, made), SEQREC_OK);
}
END_TEST

/* Everything that lives, in slot order, as a file holds it. */
typedef struct stored {
    int64_t n, *ids;
    int32_t *slots, *generations;
    float *vectors;
} stored;

static stored store_table(const sq_catalogue *from)
{
    size_t room = (size_t)from->count + 1;
    stored all = {0, malloc(room * sizeof(int64_t)), malloc(room * sizeof(int32_t)), malloc(room * sizeof(int32_t)),
                  malloc(room * DIM * sizeof(float))};
    for (int32_t slot = 0; slot < from->chunks * SQ_CHUNK_ROWS; slot++) {
        const sq_slots *slots = from->slots[slot / SQ_CHUNK_ROWS];
        if (!slots->live[slot % SQ_CHUNK_ROWS]) continue;
        all.ids[all.n] = slots->id[slot % SQ_CHUNK_ROWS];
        all.slots[all.n] = slot;
        all.generations[all.n] = slots->generation[slot % SQ_CHUNK_ROWS];
        memcpy(all.vectors + all.n * DIM, sq_catalogue_row(from, slot), DIM * sizeof(float));
        all.n++;
    }
    return all;
}

static void drop_stored(stored *all)
{
    free(all->ids);
    free(all->slots);
    free(all->generations);
    free(all->vectors);
}

static int32_t restore(const stored *all, sq_catalogue **made)
{
    const int32_t status = sq_catalogue_restore(table.context, &sq_kind_item, DIM, 1, all->ids, all->slots, all->generations, all->n, NULL,
                                                made, &table.error);
    for (int64_t i = 0; status == SEQREC_OK && i < all->n; i++)
        memcpy(sq_catalogue_row(*made, all->slots[i]), all->vectors + i * DIM, DIM * sizeof(float));
    return status;
}

START_TEST(restore_brings_back_a_table_with_gaps)
{
    for (int64_t id = 0; id < 40; id++) ck_assert_int_eq(put_one(id, 0), SEQREC_OK);
    put_range(100, 6000);
    remove_range(10, 10);
    remove_range(1500, 4000); /* chunks without an item */
    for (int64_t id = 200; id < 204; id++) ck_assert_int_eq(put_one(id + 100000, 0), SEQREC_OK);
    stored all = store_table(table.now);
    sq_catalogue *made = NULL;
    ck_assert_int_eq(restore(&all, &made), SEQREC_OK);
    ck_assert_int_eq(made->count, table.now->count);
    const char *fault = table_fault(made);
    ck_assert_msg(!fault, "%s", fault);
    for (int64_t i = 0; i < all.n; i++) {
        ck_assert_int_eq(sq_catalogue_find(made, all.ids[i]), all.slots[i]);
        ck_assert_int_eq(sq_catalogue_generation(made, all.slots[i]), all.generations[i]);
        ck_assert_mem_eq(sq_catalogue_row(made, all.slots[i]), all.vectors + i * DIM, DIM * sizeof(float));
    }
    drop_stored(&all);
    ck_assert_int_eq(table_take(&table, SEQREC_OK, made), SEQREC_OK);
}
END_TEST

START_TEST(gaps_of_a_restored_table_are_reused_under_new_generations)
{
    int64_t ids[] = {7, 8};
    int32_t slots[] = {1, 5000}, generations[] = {1, 6};
    float vectors[2 * DIM] = {0};
    stored all = {2, ids, slots, generations, vectors};
    sq_catalogue *made = NULL;
    ck_assert_int_eq(restore(&all, &made), SEQREC_OK);
    ck_assert_int_eq(table_take(&table, SEQREC_OK, made), SEQREC_OK);
    put_range(100, 4 * SQ_CHUNK_ROWS);
    ck_assert_int_eq(sq_catalogue_find(table.now, 100), 0);
    ck_assert_int_eq(sq_catalogue_find(table.now, 101), 2);
    ck_assert_int_gt(sq_catalogue_generation(table.now, 0), 6);
    ck_assert_int_gt(sq_catalogue_generation(table.now, 2 * SQ_CHUNK_ROWS + 1), 6);
    ck_assert_int_eq(sq_catalogue_find(table.now, 8), 5000);
}
END_TEST

START_TEST(an_empty_table_can_be_restored)
{
    stored all = {0, NULL, NULL, NULL, NULL};
    sq_catalogue *made = NULL;
    ck_assert_int_eq(restore(&all, &made), SEQREC_OK);
    ck_assert_int_eq(table_take(&table, SEQREC_OK, made), SEQREC_OK);
    ck_assert_int_eq(put_one(1, 0), SEQREC_OK);
}
END_TEST

START_TEST(what_a_broken_file_says_is_refused)
{
    static const struct {
        int64_t ids[2];
        int32_t slots[2], generations[2];
    } rows[] = {
        {{1, 2}, {3, 3}, {1, 1}},         /* one slot twice */
        {{1, 2}, {4, 3}, {1, 1}},         /* falling slots */
        {{1, 2}, {-1, 3}, {1, 1}},        /* no slot */
        {{1, 2}, {3, INT32_MAX}, {1, 1}}, /* past the last slot there can be */
        {{1, 2}, {0, 1}, {1, 0}},         /* never used, yet live */
        {{1, 1}, {0, 1}, {1, 1}},         /* one id twice */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stored all = {2, malloc(16), malloc(8), malloc(8), calloc(2 * DIM, sizeof(float))};
        memcpy(all.ids, rows[i].ids, 16);
        memcpy(all.slots, rows[i].slots, 8);
        memcpy(all.generations, rows[i].generations, 8);
        sq_catalogue *made = NULL;
        ck_assert_int_eq(restore(&all, &made), SEQREC_E_FORMAT);
        ck_assert_ptr_null(made);
        drop_stored(&all);
    }
}
END_TEST

/* The naive model: for each of a few ids, whether it lives and the salt of its vector. */
enum { KEYS = 3000 };

static int64_t key_of(uint64_t i)
{
    return (int64_t)(i * 0x9e3779b97f4a7c15u);
}

static int32_t random_change(uint64_t step, int64_t *salts)
{
    uint64_t key = sq_random_key(5, 0, step), n = 1 + sq_random_below(key, 0, step % 50 == 0 ? 1500 : 8);
    int64_t kind = (int64_t)sq_random_below(key, 1, 3), *ids = malloc(n * sizeof *ids);
    float *vectors = malloc(n * DIM * sizeof *vectors);
    uint64_t first = sq_random_below(key, 2, KEYS - n);
    int32_t expected = SEQREC_OK, status;
    for (uint64_t i = 0; i < n; i++) {
        ids[i] = key_of(first + i);
        fill_vector(vectors + i * DIM, ids[i], (int64_t)step);
        if (kind == 0 && salts[first + i] >= 0) expected = SEQREC_E_EXISTS;
        if (kind != 0 && salts[first + i] < 0) expected = SEQREC_E_NOT_FOUND;
    }
    if (kind == 0)
        status = table_put(&table, ids, (int64_t)n, vectors);
    else if (kind == 1)
        status = table_update(&table, ids, (int64_t)n, vectors);
    else
        status = table_remove(&table, ids, (int64_t)n);
    ck_assert_int_eq(status, expected);
    for (uint64_t i = 0; i < n && status == SEQREC_OK; i++) salts[first + i] = kind == 2 ? -1 : (int64_t)step;
    free(ids);
    free(vectors);
    return status;
}

START_TEST(random_operations_agree_with_a_simple_model)
{
    int64_t salts[KEYS], changes = 0;
    for (int32_t i = 0; i < KEYS; i++) salts[i] = -1;
    for (uint64_t step = 0; step < 3000; step++) {
        changes += random_change(step, salts) == SEQREC_OK;
        if (step % 500 != 499) continue;
        int64_t live = 0;
        for (uint64_t i = 0; i < KEYS; i++) {
            live += salts[i] >= 0;
            if (salts[i] >= 0)
                ck_assert(holds(table.now, key_of(i), salts[i]));
            else
                ck_assert_int_eq(sq_catalogue_find(table.now, key_of(i)), -1);
        }
        ck_assert_int_eq(table.now->count, live);
        ck_assert_ptr_null(table_fault(table.now));
    }
    ck_assert_int_gt(changes, 300);
}
END_TEST

typedef int32_t (*change_fn)(void);

static int32_t change_put(void)
{
    int64_t *ids = range(-3000, 3000);
    int32_t status = table_put(&table, ids, 3000, NULL);
    free(ids);
    return status;
}

static int32_t change_update(void)
{
    const int64_t ids[] = {0, 2000};
    const float vectors[2 * DIM] = {1};
    return table_update(&table, ids, 2, vectors);
}

static int32_t change_remove(void)
{
    const int64_t ids[] = {0, 2000};
    return table_remove(&table, ids, 2);
}

static int32_t change_rows(void)
{
    sq_catalogue *made = NULL;
    int32_t status = sq_catalogue_with_rows(table.now, table.now->rows, &made, &table.error);
    return table_take(&table, status, made);
}

static int32_t change_restore(void)
{
    int64_t ids[] = {1, 2};
    int32_t slots[] = {7, 9000}, generations[] = {1, 2};
    float vectors[2 * DIM] = {0};
    stored all = {2, ids, slots, generations, vectors};
    sq_catalogue *made = NULL;
    int32_t status = restore(&all, &made);
    return table_take(&table, status, made);
}

START_TEST(a_change_that_runs_out_of_memory_changes_nothing_and_leaks_nothing)
{
    const change_fn changes[] = {change_put, change_update, change_remove, change_rows, change_restore};
    put_range(0, 3000);
    int64_t failures = 0, n = 0;
    for (int64_t blocks = atomic_load(&table.memory.blocks);; n++, failures++) {
        const sq_catalogue *before = table.now;
        atomic_store(&table.memory.to_fail, n);
        int32_t status = changes[_i]();
        atomic_store(&table.memory.to_fail, -1);
        if (status == SEQREC_OK) break;
        assert_refused(status, SEQREC_E_MEMORY, before, "memory");
        ck_assert_int_eq(atomic_load(&table.memory.blocks), blocks);
        ck_assert_ptr_null(table_fault(before));
    }
    ck_assert_int_gt(failures, 2);
}
END_TEST

START_TEST(creation_that_runs_out_of_memory_leaks_nothing)
{
    int64_t blocks = atomic_load(&table.memory.blocks), n = 0;
    sq_catalogue *made = NULL;
    for (;; n++) {
        atomic_store(&table.memory.to_fail, n);
        int32_t status = sq_catalogue_create(table.context, &sq_kind_item, DIM, 2, &made, NULL);
        atomic_store(&table.memory.to_fail, -1);
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_int_eq(atomic_load(&table.memory.blocks), blocks);
    }
    ck_assert_int_ge(n, 4);
    sq_catalogue_release(made);
}
END_TEST

START_TEST(erasing_keeps_every_other_entry_of_a_crowded_shard)
{
    const sq_memory *memory = &table.context->memory;
    sq_shard *shard = sq_shard_create(memory, 0);
    int32_t found;
    for (int32_t i = 0; i < 500; i++) ck_assert_int_eq(sq_shard_insert(memory, &shard, i, i, &found), 1);
    for (int32_t gone = 0; gone < 500; gone++) {
        int64_t id = gone * 7 % 500;
        sq_shard_erase(memory, shard, id);
        sq_shard_erase(memory, shard, id); /* what is not there is left out */
        ck_assert_int_eq(sq_shard_count(shard), 499 - gone);
        for (int32_t i = gone + 1; i < 500; i++) {
            int64_t other = i * 7 % 500;
            ck_assert_int_eq(sq_shard_find(shard, sq_hash_id(memory, other), other), other);
        }
    }
    sq_shard_release(memory, shard);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("catalogue");
    tcase_add_checked_fixture(tests, open_table, close_table);
    tcase_add_test(tests, a_new_table_is_empty);
    tcase_add_test(tests, a_dimension_out_of_bounds_is_refused);
    tcase_add_test(tests, items_that_were_put_are_found_with_their_vectors);
    tcase_add_test(tests, extreme_ids_are_ids_like_others);
    tcase_add_test(tests, an_item_with_two_vectors_keeps_both_at_their_places);
    tcase_add_test(tests, rows_without_vectors_are_filled_by_the_callback);
    tcase_add_test(tests, a_removed_id_is_not_found);
    tcase_add_test(tests, a_reused_slot_has_a_new_generation);
    tcase_add_test(tests, freed_slots_are_reused_lowest_first);
    tcase_add_test(tests, a_table_emptied_and_filled_again_does_not_grow);
    tcase_add_test(tests, an_old_catalogue_keeps_its_rows);
    tcase_add_test(tests, a_change_copies_only_the_chunks_it_touches);
    tcase_add_test(tests, the_map_grows_and_a_put_copies_one_shard_of_it);
    tcase_add_test(tests, put_is_all_or_nothing_when_one_id_exists);
    tcase_add_test(tests, an_id_twice_in_one_call_is_refused);
    tcase_add_test(tests, a_missing_id_refuses_update_and_remove);
    tcase_add_test(tests, vectors_that_are_not_finite_are_refused_by_name);
    tcase_add_test(tests, the_largest_finite_values_are_accepted);
    tcase_add_test(tests, counts_out_of_bounds_are_refused_before_ids_are_read);
    tcase_add_test(tests, a_change_of_nothing_keeps_the_version);
    tcase_add_test(tests, stamps_tell_which_rows_changed_since_a_version);
    tcase_add_test(tests, with_rows_shares_membership);
    tcase_add_test(tests, restore_brings_back_a_table_with_gaps);
    tcase_add_test(tests, gaps_of_a_restored_table_are_reused_under_new_generations);
    tcase_add_test(tests, an_empty_table_can_be_restored);
    tcase_add_test(tests, what_a_broken_file_says_is_refused);
    tcase_add_test(tests, random_operations_agree_with_a_simple_model);
    tcase_add_loop_test(tests, a_change_that_runs_out_of_memory_changes_nothing_and_leaks_nothing, 0, 5);
    tcase_add_test(tests, creation_that_runs_out_of_memory_leaks_nothing);
    tcase_add_test(tests, erasing_keeps_every_other_entry_of_a_crowded_shard);
    Suite *suite = suite_create("catalogue");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
