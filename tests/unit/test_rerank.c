/* unit: maximal marginal relevance against a computation that knows nothing but items and their vectors. */
#include "failing_allocator.h"
#include "run_suite.h"
#include "session_world.h"

enum { LISTED = 40 };

static double cosine_of(const float *a, const float *b, int64_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* A list with relevance in no order. */
static void make_list(int64_t *items, double *relevance)
{
    for (int64_t i = 0; i < LISTED; i++) {
        items[i] = (i * 37 + 5) % ITEMS;
        relevance[i] = (double)wave(77, i);
    }
}

/* Every value anew for every place. */
static void plain_mmr(const float (*vectors)[WIDEST], int64_t from, int64_t width, const double *relevance, double lambda, int64_t k,
                      int64_t *order, double *values)
{
    for (int64_t at = 0; at < k; at++) {
        values[at] = -INFINITY;
        for (int64_t i = 0; i < LISTED; i++) {
            double nearest = at == 0 ? 0 : -INFINITY;
            int32_t placed = 0;
            for (int64_t j = 0; j < at; j++) {
                placed |= order[j] == i;
                nearest = fmax(nearest, cosine_of(vectors[i] + from, vectors[order[j]] + from, width));
            }
            const double value = lambda * relevance[i] - (1 - lambda) * nearest;
            if (placed || value <= values[at]) continue;
            values[at] = value;
            order[at] = i;
        }
    }
}

START_TEST(the_order_is_that_of_a_plain_computation)
{
    static const char *const settings[] = {"position=none", "position=none tied_output=false", "position=none item_bias=true",
                                           "position=none item_bias=true tied_output=false", "position=none score=cosine"};
    static const double lambdas[] = {0, 0.1, 0.5, 0.9, 1};
    small_model s = open_model(settings[_i], NULL);
    int64_t items[LISTED], order[LISTED], plain[LISTED], moved = 0;
    double relevance[LISTED], values[LISTED], plain_values[LISTED];
    float vectors[LISTED][WIDEST], packed[LISTED * WIDEST];
    const int64_t all = seqrec_items_width(s.model), part = s.model->layout.part;
    const int64_t width = _i == 2 ? all : _i == 3 ? all - part : part, from = all - width;
    make_list(items, relevance);
    good(seqrec_items_get(s.model, items, LISTED, packed, &failure));
    for (int64_t i = 0; i < LISTED; i++) memcpy(vectors[i], packed + i * all, (size_t)all * sizeof *packed);
    for (int32_t l = 0; l < 5; l++) {
        plain_mmr((const float(*)[WIDEST])vectors, from, width, relevance, lambdas[l], LISTED, plain, plain_values);
        good(seqrec_rerank_mmr(s.model, items, relevance, LISTED, lambdas[l], LISTED + 3, order, values, &failure));
        for (int64_t i = 0; i < LISTED; i++) {
            ck_assert_int_eq(order[i], plain[i]);
            ck_assert_double_eq_tol(values[i], plain_values[i], 1e-5);
            moved += l < 4 && i > 0 && relevance[order[i]] > relevance[order[i - 1]];
        }
        int64_t few[5];
        good(seqrec_rerank_mmr(s.model, items, relevance, LISTED, lambdas[l], 5, few, NULL, &failure));
        ck_assert_mem_eq(few, order, sizeof few);
    }
    ck_assert_int_gt(moved, 5);
    small_close(&s);
}
END_TEST

/* With lambda = 1 a list by falling relevance stays, equal ones too; with 0 the first of all begins. */
START_TEST(relevance_alone_keeps_the_order)
{
    small_model s = open_model("position=none", NULL);
    int64_t items[LISTED], order[LISTED];
    double relevance[LISTED], values[LISTED];
    make_list(items, relevance);
    for (int64_t i = 0; i < LISTED; i++) relevance[i] = (double)-(i / 3);
    good(seqrec_rerank_mmr(s.model, items, relevance, LISTED, 1, LISTED, order, values, &failure));
    for (int64_t i = 0; i < LISTED; i++) ck_assert(order[i] == i && values[i] == relevance[i]);
    good(seqrec_rerank_mmr(s.model, items, relevance, LISTED, 0, 1, order, values, &failure));
    ck_assert(order[0] == 0 && values[0] == 0);
    small_close(&s);
}
END_TEST

/* b is a again with less relevance, c stands across: c comes before b. An item without length is like none, one listed twice is as
 * near as can be. */
START_TEST(what_is_alike_stands_apart)
{
    small_model s = open_model("position=none", NULL);
    const int64_t items[] = {1, 2, 3, 1, 4}, ids[] = {1, 2, 3, 4};
    const double relevance[] = {1, 0.9, 0.5, 1, 0.2};
    float vectors[4 * 20] = {[0] = 2, [20] = 0.5f, [41] = 3};
    int64_t order[5];
    double values[5];
    good(seqrec_items_update(s.model, ids, 4, vectors, &failure));
    good(seqrec_rerank_mmr(s.model, items, relevance, 5, 0.5, 9, order, values, &failure));
    ck_assert_mem_eq(order, ((int64_t[]){0, 2, 4, 3, 1}), sizeof order);
    const double expected[] = {0.5, 0.25, 0.1, 0, -0.05};
    for (int32_t i = 0; i < 5; i++) ck_assert_double_eq_tol(values[i], expected[i], 1e-7);
    small_close(&s);
}
END_TEST

/* Squares of these lengths are beyond a float, or vanish in one; cosines are what they are. */
START_TEST(very_long_and_very_short_vectors_are_as_alike_as_any)
{
    const float lengths[] = {3e19f, 1e38f, 1e-30f};
    small_model s = open_model("position=none", NULL);
    const int64_t items[] = {1, 2, 3, 1, 4}, ids[] = {1, 2, 3, 4};
    const double relevance[] = {1, 0.9, 0.5, 1, 0.2}, expected[] = {0.5, 0.25, 0.1, 0, -0.05};
    int64_t order[5];
    double values[5];
    for (int32_t shift = 0; shift < 4; shift++) {
        float vectors[4 * 20] = {0};
        vectors[0] = 2 * lengths[shift % 3];
        vectors[20] = 0.5f * lengths[(shift + shift / 3) % 3]; /* in the last round another length than the first */
        vectors[41] = 3;
        good(seqrec_items_update(s.model, ids, 4, vectors, &failure));
        good(seqrec_rerank_mmr(s.model, items, relevance, 5, 0.5, 9, order, values, &failure));
        ck_assert_mem_eq(order, ((int64_t[]){0, 2, 4, 3, 1}), sizeof order);
        for (int32_t i = 0; i < 5; i++) ck_assert_double_eq_tol(values[i], expected[i], 1e-7);
        good(seqrec_rerank_mmr(s.model, items, relevance, 5, 1, 9, order, values, &failure));
        ck_assert_mem_eq(order, ((int64_t[]){0, 3, 1, 2, 4}), sizeof order);
    }
    small_close(&s);
}
END_TEST

#define REFUSED(code, hint, call)                                                                                      \
    do {                                                                                                               \
        ck_assert_int_eq(call, code);                                                                                  \
        ck_assert_msg(strstr(failure.message, hint) != NULL, "%s", failure.message);                                   \
    } while (0)

START_TEST(bad_arguments_name_the_value_and_the_rule)
{
    small_model s = open_model("position=none", NULL);
    const int64_t items[] = {1, 2, 777};
    const double relevance[] = {1, 2, 3}, bad[] = {1, NAN, INFINITY};
    int64_t order[3] = {-7};
    seqrec_error *e = &failure;
    REFUSED(SEQREC_E_ARGUMENT, "model is NULL", seqrec_rerank_mmr(NULL, items, relevance, 2, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "n = -1", seqrec_rerank_mmr(s.model, items, relevance, -1, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "items is NULL for n = 2", seqrec_rerank_mmr(s.model, NULL, relevance, 2, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "relevance is NULL for n = 2", seqrec_rerank_mmr(s.model, items, NULL, 2, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "k = -2", seqrec_rerank_mmr(s.model, items, relevance, 2, 0.5, -2, order, NULL, e));
    REFUSED(SEQREC_E_ARGUMENT, "order is NULL for k = 2", seqrec_rerank_mmr(s.model, items, relevance, 2, 0.5, 2, NULL, NULL, e));
    REFUSED(SEQREC_E_RANGE, "lambda = -0.1", seqrec_rerank_mmr(s.model, items, relevance, 2, -0.1, 2, order, NULL, e));
    REFUSED(SEQREC_E_RANGE, "lambda = 1.5", seqrec_rerank_mmr(s.model, items, relevance, 2, 1.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_RANGE, "lambda = ", seqrec_rerank_mmr(s.model, items, relevance, 2, NAN, 2, order, NULL, e));
    REFUSED(SEQREC_E_RANGE, "relevance[1] = ", seqrec_rerank_mmr(s.model, items, bad, 2, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_RANGE, "relevance[0] = inf", seqrec_rerank_mmr(s.model, items, bad + 2, 1, 0.5, 2, order, NULL, e));
    REFUSED(SEQREC_E_NOT_FOUND, "item 777 (items[2])", seqrec_rerank_mmr(s.model, items, relevance, 3, 0.5, 2, order, NULL, e));
    ck_assert_int_eq(order[0], -7);
    good(seqrec_rerank_mmr(s.model, NULL, NULL, 0, 0.5, 2, NULL, NULL, e));
    good(seqrec_rerank_mmr(s.model, items, relevance, 2, 0.5, 0, NULL, NULL, e));
    small_close(&s);
}
END_TEST

/* A list longer than what any arena holds by now. */
START_TEST(without_memory_nothing_is_written_or_left)
{
    enum { LONG = 30000 };
    static int64_t items[LONG], order[LONG];
    static double relevance[LONG];
    failing_allocator memory;
    const seqrec_allocator host = failing_allocator_of(&memory);
    small_model s = open_model("position=none", &host);
    for (int64_t i = 0; i < LONG; i++) items[i] = i % ITEMS;
    order[0] = -7;
    atomic_store(&memory.to_fail, 0);
    REFUSED(SEQREC_E_MEMORY, "", seqrec_rerank_mmr(s.model, items, relevance, LONG, 0.5, 3, order, NULL, &failure));
    ck_assert_int_eq(order[0], -7);
    atomic_store(&memory.to_fail, -1);
    good(seqrec_rerank_mmr(s.model, items, relevance, LONG, 0.5, 3, order, NULL, &failure));
    small_close(&s);
    ck_assert_int_eq(atomic_load(&memory.blocks), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("rerank");
    tcase_add_loop_test(tests, the_order_is_that_of_a_plain_computation, 0, 5);
    tcase_add_test(tests, relevance_alone_keeps_the_order);
    tcase_add_test(tests, what_is_alike_stands_apart);
    tcase_add_test(tests, very_long_and_very_short_vectors_are_as_alike_as_any);
    tcase_add_test(tests, bad_arguments_name_the_value_and_the_rule);
    tcase_add_test(tests, without_memory_nothing_is_written_or_left);
    Suite *suite = suite_create("rerank");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
