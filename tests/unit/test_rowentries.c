/* unit: what goes to each row in a step, against going through all entries for each row. */
#include <check.h>
#include <stdlib.h>
#include "base/rng.h"
#include "counting_allocator.h"
#include "optim/rowentries.h"
#include "run_suite.h"

static counting_allocator host;
static sq_memory memory;

static void fill(sq_row_entries *e, int32_t slots)
{
    for (size_t i = 0; i < e->count; i++) {
        int32_t slot = (int32_t)sq_random_below(e->count, 2 * i, (uint64_t)slots);
        e->slots[i] = sq_random_below(e->count, 2 * i + 1, 9) == 0 ? -1 : slot;
    }
}

/* Every row, in rising order, with all its entries in theirs; nothing else. */
static void check_rows(const sq_row_entries *e, int32_t slots, const float *factors, size_t first, size_t last)
{
    size_t i = 0;
    for (int32_t slot = 0; slot < slots; slot++)
        for (size_t n = 0; n < e->count; n++) {
            if (e->slots[n] != slot) continue;
            ck_assert_int_eq(sq_row_slot(e, i), slot);
            ck_assert_uint_eq(sq_row_entry_at(e, i)->number, n);
            ck_assert(sq_row_entry_at(e, i)->factor == (n >= first && n < last ? factors[n - first] : 0.0f));
            i++;
        }
    ck_assert_uint_eq(i, e->part_starts[e->parts]);
}

static void check_case(sq_pool *pool, size_t count, int32_t slots)
{
    static float factors[3000];
    sq_row_entries e = {0};
    size_t first = count / 5, last = count - count / 3;
    ck_assert_int_eq(sq_row_entries_reserve(&e, &memory, count, NULL), SEQREC_OK);
    e.count = count;
    fill(&e, slots);
    for (size_t i = 0; i < count; i++) factors[i] = (float)(i + 1);
    sq_row_entries_sort(&e, pool, slots);
    sq_row_entries_carry(&e, pool, factors, first, last);
    check_rows(&e, slots, factors, first, last);
    sq_row_entries_carry(&e, pool, NULL, 0, 0);
    check_rows(&e, slots, NULL, 0, 0);
    sq_row_entries_free(&e, &memory);
}

/* Parts of one row, of a byte of rows, of two bytes. */
START_TEST(rows_get_their_entries_in_order_at_any_number_of_rows_and_threads)
{
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, 300, 3000};
    static const int32_t slots[] = {1, 2, 255, 256, 257, 3416};
    memory = counting_memory(&host);
    for (int32_t threads = 0; threads <= 3; threads += 3) {
        sq_pool *pool;
        ck_assert_int_eq(sq_pool_create(&memory, threads, NULL, &pool, NULL), SEQREC_OK);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (size_t s = 0; s < sizeof slots / sizeof slots[0]; s++) check_case(pool, counts[c], slots[s]);
        check_case(pool, 40, 100000);
        check_case(pool, 20, 1000000);
        sq_pool_destroy(pool);
    }
    ck_assert_int_eq(host.blocks, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("rowentries");
    tcase_add_test(tests, rows_get_their_entries_in_order_at_any_number_of_rows_and_threads);
    Suite *suite = suite_create("rowentries");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
