/* api: the best of a table that has copies in few bits, and of many users at once, held against the scores of all items. */
#include "retrieval_world.h"
#include "run_suite.h"

/* ---- copies in few bits ------------------------------------------------------------------------------------------- */

START_TEST(copies_find_the_best_and_give_them_their_scores)
{
    static answer plain, copied, again;
    static const double least[] = {1, 0.999, 0.99};
    open_model(_i % 2 ? 2 : 0, ITEMS, kinds[_i % KINDS]);
    const asked *a = ask(ITEMS);
    answer_singly(a, NULL, &plain);
    for (int32_t table = SEQREC_TABLE_BF16; table <= SEQREC_TABLE_INT8; table++) {
        EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, table, &api.error));
        answer_all(&a->batch, NULL, &copied);
        expect_exact_scores(a, &copied);
        ck_assert_double_ge(recall_of(&plain, &copied), least[table]);
        answer_singly(a, NULL, &again);
        expect_same(&copied, &again);
    }
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
    answer_singly(a, NULL, &again);
    expect_same(&plain, &again);
    api_close();
}
END_TEST

/* With as many candidates as there are items nothing can be missing. */
START_TEST(a_list_as_long_as_the_table_is_exact)
{
    enum { FEW = 90 };
    int64_t plain[FEW], copied[FEW], found;
    open_model(0, FEW, kinds[_i % KINDS]);
    const asked *a = ask(FEW);
    const int64_t offsets[] = {0, 4};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, FEW, NULL, plain, NULL, &found, &api.error));
    ck_assert_int_eq(found, FEW);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, 1 + _i / KINDS, &api.error));
    static const int64_t lengths[] = {0, 1, 29, 30, 89, FEW};
    for (int32_t i = 0; i < 6; i++) {
        EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, lengths[i], NULL, copied, NULL, &found, &api.error));
        ck_assert_int_eq(found, lengths[i]);
        ck_assert_mem_eq(plain, copied, (size_t)found * sizeof *plain);
    }
    api_close();
}
END_TEST

START_TEST(filters_hold_for_copies_too)
{
    static answer plain, copied;
    int64_t deny[50], allow[40];
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    open_model(2, SOME, tied);
    const asked *a = ask(SOME);
    answer_singly(a, NULL, &plain);
    for (int64_t i = 0; i < 50; i++) deny[i] = plain.items[(i + 1) * BEST];
    for (int64_t i = 0; i < 40; i++) allow[i] = id_of(70 * i);
    filter.deny = deny;
    filter.deny_count = 50;
    for (int32_t listed = 0; listed < 2; listed++) {
        filter.allow = listed ? allow : NULL;
        filter.allow_count = listed ? 40 : 0;
        answer_singly(a, &filter, &plain);
        EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error));
        answer_all(&a->batch, &filter, &copied);
        EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
        ck_assert_double_ge(recall_of(&plain, &copied), listed ? 1 : 0.99);
        for (int64_t u = 1; u < USERS; u++)
            for (int64_t i = 0; i < copied.found[u]; i++) {
                for (int64_t j = 0; j < 50; j++) ck_assert_int_ne(copied.items[u * BEST + i], deny[j]);
                for (int64_t e = a->offsets[u]; e < a->offsets[u + 1]; e++) ck_assert_int_ne(copied.items[u * BEST + i], a->events[e]);
            }
    }
    api_close();
}
END_TEST

/* Put, update and remove, each seen by the next call: the copies follow. */
START_TEST(copies_follow_every_change)
{
    int64_t best, found, newcomer = 5, old = id_of(2047);
    float user[DIM], vector[DIM];
    open_model(0, SOME, tied);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, 1 + _i, &api.error));
    const asked *a = ask(SOME);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    EXPECT(SEQREC_OK, seqrec_encode(api.model, &one, NULL, user, &api.error));
#define IS_BEST(id)                                                                                                    \
    do {                                                                                                               \
        EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 1, NULL, &best, NULL, &found, &api.error));                     \
        ck_assert_int_eq(best, (id));                                                                                  \
    } while (0)
    for (int32_t i = 0; i < DIM; i++) vector[i] = 3 * user[i];
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &newcomer, 1, vector, &api.error));
    IS_BEST(newcomer);
    for (int32_t i = 0; i < DIM; i++) vector[i] = 4 * user[i];
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &old, 1, vector, &api.error));
    IS_BEST(old);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &old, 1, &api.error));
    IS_BEST(newcomer);
    for (int32_t i = 0; i < DIM; i++) vector[i] = -user[i];
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &newcomer, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 1, NULL, &best, NULL, &found, &api.error));
    ck_assert_int_ne(best, newcomer);
    api_close();
}
END_TEST

/* Rows are held by 1,024: what a removal empties whole has no copy, in the middle, at the end or in front. */
START_TEST(copies_find_the_best_beside_rows_that_are_all_removed)
{
    enum { ROWS = 1024 };
    static answer plain, copied, again;
    int64_t gone[ROWS];
    const int64_t first = ROWS * (_i % 3), count = first + ROWS < SOME ? ROWS : SOME - first;
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    for (int64_t i = 0; i < count; i++) gone[i] = id_of(first + i);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, 1 + _i / 3, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, gone, count, &api.error));
    answer_all(&a->batch, NULL, &copied);
    answer_singly(a, NULL, &again);
    expect_same(&copied, &again);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
    answer_singly(a, NULL, &plain);
    ck_assert_double_ge(recall_of(&plain, &copied), 0.99);
    api_close();
}
END_TEST

/* What a trainer publishes has copies as well, also when it began before them. */
START_TEST(copies_follow_training)
{
    static answer plain, copied;
    seqrec_trainer *trainer = NULL;
    open_model(0, SOME, tied);
    asked *a = ask(SOME);
    EXPECT(SEQREC_OK, seqrec_trainer_create(api.model, api.config, &trainer, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error));
    const seqrec_batch taught = {.struct_size = sizeof taught, .sequences = USERS - 1, .offsets = a->offsets + 1, .items = a->events};
    for (int32_t i = 0; i < 3; i++) EXPECT(SEQREC_OK, seqrec_trainer_step(trainer, &taught, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(trainer, &api.error));
    answer_all(&a->batch, NULL, &copied);
    expect_exact_scores(a, &copied);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
    answer_singly(a, NULL, &plain);
    ck_assert_double_ge(recall_of(&plain, &copied), 0.99);
    seqrec_trainer_release(trainer);
    api_close();
}
END_TEST

START_TEST(threads_do_not_change_what_copies_find)
{
    static answer one, more;
    for (int32_t threads = 1; threads <= 4; threads += threads) {
        open_model(threads, ITEMS, cosine);
        EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error));
        answer_all(&ask(ITEMS)->batch, NULL, threads == 1 ? &one : &more);
        if (threads > 1) expect_same(&one, &more);
        api_close();
    }
}
END_TEST

START_TEST(a_refused_allocation_leaves_the_table_as_it_was)
{
    static answer before, after;
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    answer_all(&a->batch, NULL, &before);
    EACH_ALLOCATION_FAILS(seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error), (void)0, (void)0);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
    answer_all(&a->batch, NULL, &after);
    expect_same(&before, &after);
    const int64_t id = 5;
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_BF16, &api.error));
    EACH_ALLOCATION_FAILS(seqrec_items_put(api.model, &id, 1, NULL, &api.error), ck_assert_int_eq(seqrec_items_count(api.model), SOME), (void)0);
    ck_assert_int_eq(seqrec_items_count(api.model), SOME + 1);
    api_close();
}
END_TEST

START_TEST(a_warm_call_on_copies_allocates_nothing)
{
    static answer out;
    open_model(2, SOME, tied);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, 1 + _i, &api.error));
    const asked *a = ask(SOME);
    for (int32_t i = 0; i < 4; i++) answer_all(&a->batch, NULL, &out);
    atomic_store(&api.memory.to_fail, 0);
    answer_all(&a->batch, NULL, &out);
    ck_assert_int_eq(atomic_load(&api.memory.to_fail), 0);
    atomic_store(&api.memory.to_fail, -1);
    api_close();
}
END_TEST

START_TEST(wrong_arguments_of_copies_are_refused)
{
    open_model(0, 10, tied);
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_quantise(NULL, SEQREC_TABLE_INT8, &api.error));
    REFUSED(SEQREC_E_RANGE, "3", seqrec_model_quantise(api.model, 3, &api.error));
    REFUSED(SEQREC_E_RANGE, "-1", seqrec_model_quantise(api.model, -1, &api.error));
    api_close();
}
END_TEST

/* ---- many users at once: products choose, and the bits are those of dots ----------------------------------------------- */

/* Vectors in which rounding decides: three of them, and all others a few units in the last place beside one of these. */
static void crowd(int64_t items, float size)
{
    float vector[2 * (DIM + 1)];
    const int64_t width = seqrec_items_width(api.model);
    uint32_t state = 3;
    for (int64_t i = 0; i < items; i++) {
        const int64_t id = id_of(i);
        for (int64_t c = 0; c < width; c++) {
            const uint32_t x = (uint32_t)(i % 3 * 977 + c * 131) * 2654435761u;
            state = state * 1664525u + 1013904223u;
            vector[c] = size * ((float)(x >> 8) / 8388608.0f - 1);
            vector[c] *= 1 + (float)(state >> 29) * 6e-8f;
        }
        EXPECT(SEQREC_OK, seqrec_items_update(api.model, &id, 1, vector, &api.error));
    }
}

START_TEST(many_users_at_once_get_what_each_gets_alone)
{
    static answer together, alone;
    static const float sizes[] = {1e-30f, 1, 3e18f, 1e38f};
    open_model(_i % 2 ? 2 : 0, SOME, kinds[_i % KINDS]);
    const asked *a = ask(SOME);
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = _i % 2, .deny = a->events, .deny_count = 9};
    answer_singly(a, &filter, &alone);
    answer_all(&a->batch, &filter, &together);
    expect_same(&alone, &together);
    crowd(SOME, sizes[_i / KINDS]);
    answer_singly(a, &filter, &alone);
    answer_all(&a->batch, &filter, &together);
    expect_same(&alone, &together);
    api_close();
}
END_TEST

/* ---- the host's marks ------------------------------------------------------------------------------------------------ */

enum { FIRST = 1000 - 77, BITS = 3 * SOME - 2000, WORDS = (BITS + 63) / 64 };

/* Marks `share` of 64 items in the range; the ids that have none go to deny; returns how many. */
static int64_t mark_some(uint64_t *bits, int64_t share, int64_t *deny)
{
    int64_t denied = 0;
    memset(bits, 0, WORDS * sizeof *bits);
    for (int64_t i = 0; i < SOME; i++) {
        const int64_t bit = id_of(i) - FIRST;
        const int64_t marked = bit < BITS && i * 2654435761 % 64 < share;
        if (marked) bits[bit / 64] |= (uint64_t)1 << bit % 64;
        if (!marked) deny[denied++] = id_of(i);
    }
    for (int64_t bit = BITS; bit < 64 * WORDS; bit++) bits[bit / 64] |= (uint64_t)1 << bit % 64; /* beyond the count: nothing */
    return denied;
}

/* Marks do what a deny list of all others does. */
START_TEST(items_without_a_mark_are_not_recommended)
{
    static answer denied, marked, alone;
    static uint64_t bits[WORDS];
    static int64_t deny[SOME], allow[SOME];
    static const int64_t shares[] = {0, 1, 60};
    open_model(_i % 2 ? 2 : 0, SOME, kinds[_i % KINDS]);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, _i / KINDS, &api.error));
    const asked *a = ask(SOME);
    for (int64_t i = 0; i < SOME; i++) allow[i] = id_of(i / 2 * 2);
    for (int32_t round = 0; round < 6; round++) {
        seqrec_filter by_list = {.struct_size = sizeof by_list, .exclude_seen = round % 2}, by_marks = by_list;
        by_list.deny = deny;
        by_list.deny_count = mark_some(bits, shares[round / 2], deny);
        by_marks.bits = bits;
        by_marks.bits_first = FIRST;
        by_marks.bits_count = BITS;
        by_list.allow = by_marks.allow = round == 3 ? allow : NULL;
        by_list.allow_count = by_marks.allow_count = round == 3 ? SOME : 0;
        answer_all(&a->batch, &by_list, &denied);
        answer_all(&a->batch, &by_marks, &marked);
        expect_same(&denied, &marked);
        answer_singly(a, &by_marks, &alone);
        expect_same(&denied, &alone);
    }
    api_close();
}
END_TEST

START_TEST(marks_begin_at_any_id)
{
    int64_t best[4], found;
    const int64_t ids[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, 0}, offsets[] = {0, 1};
    const uint64_t bits[] = {2};
    seqrec_filter filter = {.struct_size = sizeof filter, .bits = bits, .bits_first = INT64_MIN, .bits_count = 64};
    open_model(0, 0, tied);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, 4, NULL, &api.error));
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = ids};
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    ck_assert(found == 1 && best[0] == INT64_MIN + 1);
    filter.bits_first = INT64_MAX - 1;
    filter.bits_count = 2;
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    ck_assert(found == 1 && best[0] == INT64_MAX);
    filter.bits_first = INT64_MAX; /* the marks behind it are of no id */
    filter.bits_count = 64;
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    ck_assert_int_eq(found, 0);
    filter.bits_count = 0;
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    ck_assert_int_eq(found, 0);
    filter.struct_size = offsetof(seqrec_filter, bits); /* of a host that knows nothing of marks */
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    ck_assert_int_eq(found, 4);
    filter.struct_size = sizeof filter;
    filter.bits_count = -1;
    REFUSED(SEQREC_E_ARGUMENT, "bits_count", seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    filter.bits_count = 1;
    filter.bits = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "bits", seqrec_topk(api.model, &one, 4, &filter, best, NULL, &found, &api.error));
    api_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retrieval");
    TCase *tests = tcase_create("retrieval");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, copies_find_the_best_and_give_them_their_scores, 0, KINDS);
    tcase_add_loop_test(tests, a_list_as_long_as_the_table_is_exact, 0, 2 * KINDS);
    tcase_add_test(tests, filters_hold_for_copies_too);
    tcase_add_loop_test(tests, copies_follow_every_change, 0, 2);
    tcase_add_loop_test(tests, copies_find_the_best_beside_rows_that_are_all_removed, 0, 6);
    tcase_add_test(tests, copies_follow_training);
    tcase_add_test(tests, threads_do_not_change_what_copies_find);
    tcase_add_test(tests, a_refused_allocation_leaves_the_table_as_it_was);
    tcase_add_loop_test(tests, a_warm_call_on_copies_allocates_nothing, 0, 2);
    tcase_add_test(tests, wrong_arguments_of_copies_are_refused);
    tcase_add_loop_test(tests, many_users_at_once_get_what_each_gets_alone, 0, 4 * KINDS);
    tcase_add_loop_test(tests, items_without_a_mark_are_not_recommended, 0, 3 * KINDS);
    tcase_add_test(tests, marks_begin_at_any_id);
    return run_suite(suite);
}
