/* unit: the k best of a stream of scores, against sorting everything. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "run_suite.h"
#include "serve/topheap.h"

#define MOST 700

typedef struct pair {
    float score;
    int32_t slot;
} pair;

static int by_rank(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Sorts what may enter of scores[n] and compares the first k with the heap's answer. */
static void check_against_sort(const float *scores, const uint8_t *allowed, int32_t n, int32_t k, int32_t block)
{
    static pair all[MOST];
    float kept[MOST];
    int32_t slots[MOST], count = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!isnan(scores[i]) && (!allowed || allowed[i])) all[count++] = (pair){scores[i], i};
    }
    qsort(all, (size_t)count, sizeof *all, by_rank);
    sq_topk heap;
    sq_topk_init(&heap, k, kept, slots);
    for (int32_t from = 0; from < n; from += block) {
        int32_t length = n - from < block ? n - from : block;
        sq_topk_push_block(&heap, scores + from, from, length, allowed ? allowed + from : NULL);
    }
    ck_assert_int_eq(sq_topk_finish(&heap), count < k ? count : k);
    for (int32_t i = 0; i < heap.count; i++) {
        ck_assert_int_eq(slots[i], all[i].slot);
        ck_assert_msg(kept[i] == all[i].score, "rank %d", (int)i);
    }
}

START_TEST(the_best_come_first_in_order)
{
    const float scores[] = {1, 5, 3, 4, 2};
    float kept[3];
    int32_t slots[3];
    sq_topk heap;
    sq_topk_init(&heap, 3, kept, slots);
    sq_topk_push_block(&heap, scores, 100, 5, NULL);
    ck_assert_int_eq(sq_topk_finish(&heap), 3);
    const int32_t expected[] = {101, 103, 102};
    ck_assert_mem_eq(slots, expected, sizeof expected);
    ck_assert(kept[0] == 5 && kept[1] == 4 && kept[2] == 3);
}
END_TEST

START_TEST(random_streams_agree_with_sorting)
{
    static const int32_t ks[] = {1, 2, 7, 10, 64, MOST}, blocks[] = {1, 15, 16, 17, 100, MOST};
    float scores[MOST];
    uint8_t allowed[MOST];
    for (uint64_t round = 0; round < 200; round++) {
        uint64_t key = sq_random_key(11, 0, round);
        int32_t n = (int32_t)sq_random_below(key, 0, MOST + 1);
        uint64_t levels = round % 3 ? 1000000 : 5; /* few levels: many equal scores */
        for (int32_t i = 0; i < n; i++) {
            scores[i] = (float)sq_random_below(key, (uint64_t)i + 1, levels) - (float)levels / 2;
            uint64_t odd = sq_random_below(key, (uint64_t)i + 10001, 40);
            if (odd == 0) scores[i] = NAN;
            if (odd == 1) scores[i] = -INFINITY;
            if (odd == 2) scores[i] = INFINITY;
            allowed[i] = sq_random_below(key, (uint64_t)i + 20001, 3) != 0;
        }
        int32_t k = ks[round % 6], block = blocks[round / 6 % 6];
        check_against_sort(scores, round % 2 ? allowed : NULL, n, k, block);
    }
}
END_TEST

START_TEST(equal_scores_are_ordered_by_slot_whatever_the_order_of_blocks)
{
    float zeros[64] = {0}, kept[4];
    int32_t slots[4];
    sq_topk heap;
    zeros[5] = -0.0f;
    sq_topk_init(&heap, 4, kept, slots);
    for (int32_t block = 3; block >= 0; block--) sq_topk_push_block(&heap, zeros, 64 * block, 64, NULL);
    ck_assert_int_eq(sq_topk_finish(&heap), 4);
    for (int32_t i = 0; i < 4; i++) ck_assert_int_eq(slots[i], i);
}
END_TEST

START_TEST(nan_never_enters_even_when_there_is_room)
{
    float scores[40], kept[8];
    int32_t slots[8];
    for (int32_t i = 0; i < 40; i++) scores[i] = NAN;
    scores[33] = -INFINITY;
    sq_topk heap;
    sq_topk_init(&heap, 8, kept, slots);
    sq_topk_push_block(&heap, scores, 0, 40, NULL);
    ck_assert_int_eq(sq_topk_finish(&heap), 1);
    ck_assert_int_eq(slots[0], 33);
}
END_TEST

START_TEST(what_is_not_allowed_never_enters)
{
    float scores[20], kept[20];
    uint8_t allowed[20] = {0};
    int32_t slots[20];
    for (int32_t i = 0; i < 20; i++) scores[i] = (float)i;
    allowed[3] = allowed[18] = 1;
    sq_topk heap;
    sq_topk_init(&heap, 20, kept, slots);
    sq_topk_push_block(&heap, scores, 0, 20, allowed);
    ck_assert_int_eq(sq_topk_finish(&heap), 2);
    ck_assert_int_eq(slots[0], 18);
    ck_assert_int_eq(slots[1], 3);
}
END_TEST

START_TEST(a_list_of_length_zero_takes_nothing)
{
    float scores[20] = {0};
    sq_topk heap;
    sq_topk_init(&heap, 0, NULL, NULL);
    sq_topk_push_block(&heap, scores, 0, 20, NULL);
    sq_topk_push(&heap, 1, 1);
    ck_assert_int_eq(sq_topk_finish(&heap), 0);
}
END_TEST

START_TEST(buffers_are_not_written_past_k)
{
    float scores[100], kept[6];
    int32_t slots[6];
    for (int32_t i = 0; i < 100; i++) scores[i] = (float)i;
    kept[5] = 77;
    slots[5] = 77;
    sq_topk heap;
    sq_topk_init(&heap, 5, kept, slots);
    sq_topk_push_block(&heap, scores, 0, 100, NULL);
    ck_assert_int_eq(sq_topk_finish(&heap), 5);
    ck_assert_int_eq(slots[0], 99);
    ck_assert_int_eq(slots[5], 77);
    ck_assert(kept[5] == 77);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("topheap");
    tcase_add_test(tests, the_best_come_first_in_order);
    tcase_add_test(tests, random_streams_agree_with_sorting);
    tcase_add_test(tests, equal_scores_are_ordered_by_slot_whatever_the_order_of_blocks);
    tcase_add_test(tests, nan_never_enters_even_when_there_is_room);
    tcase_add_test(tests, what_is_not_allowed_never_enters);
    tcase_add_test(tests, a_list_of_length_zero_takes_nothing);
    tcase_add_test(tests, buffers_are_not_written_past_k);
    Suite *suite = suite_create("topheap");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
