/* unit: Adam of every instruction set, one step and many without gradient. */
#include "kernel_check.h"
#include "optim/idle.h"
#include "run_suite.h"

static const sq_adam rules[] = {
    {1e-3f, 3.2f, 0.9f, 0.999f, 1e-8f, 1, 0, 1},          {1e-3f, 1.0f, 0.9f, 0.98f, 1e-8f, 0.9999f, 0, 0.5f},
    {2e-2f, 31.6f, 0.0f, 0.999f, 1e-4f, 1, 1e-3f, 1e-3f}, {0, 1, 0.9f, 0.999f, 1e-8f, 0.99f, 0, 1},
    {1e-3f, 2, 0.9f, 0.999f, 1e-8f, 0.5f, 0.5f, 1}, /* both decays: L2 sees the decayed weight */
};

typedef struct adam_state {
    matrix g, w, m, v;
} adam_state;

static adam_state adam_open(size_t n, uint64_t key)
{
    adam_state s = {matrix_of(1, n, n, key), matrix_of(1, n, n, key + 1), matrix_of(1, n, n, key + 2),
                    matrix_of(1, n, n, key + 3)};
    for (size_t i = 0; i < n; i++) {
        s.v.at[i] = fabsf(s.v.at[i]);
        if (i % 11 == 3) s.w.at[i] = -0.0f;
        if (i % 13 == 4) s.m.at[i] = i % 2 ? -0.0f : 1e-40f;
        if (i % 17 == 5) s.v.at[i] = 0;
        if (i % 17 == 6) s.v.at[i] = 1e-42f;
    }
    return s;
}

static void adam_close(adam_state *s)
{
    matrix *all[] = {&s->w, &s->m, &s->v, &s->g};
    for (size_t i = 0; i < 4; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
}

/* In double: what the step should come to. */
static double plain_adam(const sq_adam *a, double g, double w, double m, double v)
{
    w *= a->decay;
    g = g * a->clip + a->l2 * w;
    m = a->beta1 * m + (1 - a->beta1) * g;
    v = a->beta2 * v + (1 - a->beta2) * g * g;
    return w - a->rate * m / (sqrt(v) * a->root + a->epsilon);
}

static void adam_case(const sq_kernels *k, const sq_adam *rule, size_t n)
{
    adam_state s = adam_open(n, n), before = adam_open(n, n);
    k->adam(n, rule, s.g.at, s.w.at, s.m.at, s.v.at);
    for (size_t i = 0; i < n; i++) {
        double expected = plain_adam(rule, s.g.at[i], before.w.at[i], before.m.at[i], before.v.at[i]);
        double step = fabs(expected - before.w.at[i]) + 1e-3 * rule->rate;
        MUST(fabs(s.w.at[i] - expected) < 1e-5 * step + 2e-7 * fabs(expected) + 1e-12, "n %zu at %zu: %g not %g", n, i,
             (double)s.w.at[i], expected);
        HOLDS(same_bits(s.g.at[i], before.g.at[i]));
    }
    adam_close(&s);
    adam_close(&before);
}

static void adam_body(const sq_kernels *k)
{
    EACH(sq_adam, rule, rules)
    for (size_t n = 0; n < 80; n += n < 40 ? 1 : 13) adam_case(k, rule, n);
}

START_TEST(adam_agrees_with_double)
{
    each_variant(adam_body);
}
END_TEST

static void adam_zero_body(const sq_kernels *k)
{
    EACH(sq_adam, rule, rules)
    for (size_t n = 0; n < 120; n += n < 40 ? 1 : 13) {
        adam_state none = adam_open(n, 5), zeros = adam_open(n, 5);
        for (size_t i = 0; i < n; i++) zeros.g.at[i] = 0;
        k->adam(n, rule, NULL, none.w.at, none.m.at, none.v.at);
        k->adam(n, rule, zeros.g.at, zeros.w.at, zeros.m.at, zeros.v.at);
        HOLDS(n == 0 || memcmp(none.w.at, zeros.w.at, n * sizeof(float)) == 0);
        HOLDS(n == 0 || memcmp(none.m.at, zeros.m.at, n * sizeof(float)) == 0);
        HOLDS(n == 0 || memcmp(none.v.at, zeros.v.at, n * sizeof(float)) == 0);
        adam_close(&none);
        adam_close(&zeros);
    }
}

START_TEST(adam_without_a_gradient_is_adam_with_zeros_bit_for_bit)
{
    each_variant(adam_zero_body);
}
END_TEST

/* Row-wise state relies on it: an element's step does not depend on where a call cuts the array. */
static void adam_cut_body(const sq_kernels *k)
{
    adam_state whole = adam_open(101, 6), cut = adam_open(101, 6);
    k->adam(101, rules, whole.g.at, whole.w.at, whole.m.at, whole.v.at);
    for (size_t i = 0, n = 1; i < 101; i += n, n += 2) {
        size_t here = n < 101 - i ? n : 101 - i;
        k->adam(here, rules, cut.g.at + i, cut.w.at + i, cut.m.at + i, cut.v.at + i);
    }
    HOLDS(memcmp(whole.w.at, cut.w.at, 101 * sizeof(float)) == 0);
    HOLDS(memcmp(whole.m.at, cut.m.at, 101 * sizeof(float)) == 0);
    HOLDS(memcmp(whole.v.at, cut.v.at, 101 * sizeof(float)) == 0);
    adam_close(&whole);
    adam_close(&cut);
}

START_TEST(adam_of_an_element_does_not_depend_on_where_the_array_is_cut)
{
    each_variant(adam_cut_body);
}
END_TEST

static int same_state(const adam_state *a, const adam_state *b, size_t n)
{
    return memcmp(a->w.at, b->w.at, n * sizeof(float)) == 0 && memcmp(a->m.at, b->m.at, n * sizeof(float)) == 0 &&
           memcmp(a->v.at, b->v.at, n * sizeof(float)) == 0;
}

static void adam_idle_body(const sq_kernels *k)
{
    sq_adam passing[90];
    for (size_t s = 0; s < 90; s++)
        passing[s] = (sq_adam){1e-3f / (float)(s + 1), 1.0f + 1.0f / (float)(s + 1), 0.9f, 0.999f, 1e-8f, 1, 0, 1};
    for (size_t count = 0; count <= 90; count += count < 3 ? 1 : 29)
        for (size_t n = 0; n < 200; n += n < 70 ? 1 : 17) {
            adam_state once = adam_open(n, 8), each = adam_open(n, 8);
            k->adam_idle(n, count, passing, once.w.at, once.m.at, once.v.at);
            for (size_t s = 0; s < count; s++) k->adam(n, passing + s, NULL, each.w.at, each.m.at, each.v.at);
            HOLDS(n == 0 || same_state(&once, &each, n));
            adam_close(&once);
            adam_close(&each);
        }
}

START_TEST(idle_steps_at_once_are_the_steps_one_by_one_bit_for_bit)
{
    each_variant(adam_idle_body);
}
END_TEST

/* Down to where a denormal times the factor is itself, and past it. */
static void fade_body(const sq_kernels *k)
{
    const float factors[] = {0, 0.5f, 0.9f, 0.98f};
    const int64_t counts[] = {0, 1, 2, 31, 32, 33, 700, 6000};
    EACH(float, factor, factors)
    EACH(int64_t, count, counts)
    for (size_t n = 16; n <= 144; n += 64) {
        adam_state faded = adam_open(n, 9), stepped = adam_open(n, 9);
        k->fade(n, *count, *factor, faded.m.at);
        k->fade(n, *count, *factor, faded.v.at);
        for (int64_t s = 0; s < *count; s++)
            for (size_t i = 0; i < n; i++) {
                stepped.m.at[i] = *factor * stepped.m.at[i] + 0.0f;
                stepped.v.at[i] = *factor * stepped.v.at[i] + 0.0f;
            }
        HOLDS(same_state(&faded, &stepped, n));
        adam_close(&faded);
        adam_close(&stepped);
    }
}

START_TEST(moments_fade_as_one_multiplication_after_another)
{
    each_variant(fade_body);
}
END_TEST

static const sq_schedule idle_schedules[] = {
    {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
    {.learning_rate = 1e-2, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-8, .uncorrected = 1},
    {.learning_rate = 1, .beta1 = 0.5, .beta2 = 0.9, .epsilon = 1e-12},
    {.learning_rate = 1e-3, .beta1 = 0.99, .beta2 = 0.95, .epsilon = 1e-6},
};

/* Steps without gradient up to the first at which the row has settled (at most 4,000), then on to 20,000: the weights must stay. */
static int64_t settles(const sq_kernels *k, const sq_schedule *schedule, adam_state *s, size_t n)
{
    int64_t step = 3;
    while (step < 4000 && !sq_idle_settled(schedule, step, n, s->w.at, s->m.at, s->v.at)) {
        sq_adam rule = sq_schedule_rule(schedule, ++step, 1);
        k->adam(n, &rule, NULL, s->w.at, s->m.at, s->v.at);
    }
    const int64_t settled = step;
    matrix w = matrix_of(1, n, n, 1);
    memcpy(w.at, s->w.at, n * sizeof(float));
    while (step < 20000) {
        sq_adam rule = sq_schedule_rule(schedule, ++step, 1);
        k->adam(n, &rule, NULL, s->w.at, s->m.at, s->v.at);
        if (settled < 4000 && step % 100 == 0) HOLDS(memcmp(w.at, s->w.at, n * sizeof(float)) == 0);
    }
    matrix_close(&w);
    return settled;
}

static void settled_body(const sq_kernels *k)
{
    enum { N = 64 };
    EACH(sq_schedule, schedule, idle_schedules)
    {
        adam_state s = adam_open(N, 10), held = adam_open(N, 10);
        for (size_t i = 0; i < N; i++) {
            s.v.at[i] = fabsf(s.m.at[i]) * 0.1f * (i % 5 ? 1 : 1e-6f);
            if (s.w.at[i] == 0) s.m.at[i] = 0; /* a weight of 0 is moved by anything */
        }
        held.w.at[7] = 0, held.m.at[7] = 1e-40f; /* moves of less than 1e-25 in all */
        int falls = schedule->beta1 * schedule->beta1 < schedule->beta2;
        HOLDS(!falls || settles(k, schedule, &s, N) < 500);
        HOLDS(!falls || sq_idle_settled(schedule, 3, N, s.w.at, s.m.at, s.v.at));
        HOLDS(falls || settles(k, schedule, &s, N) == 4000);
        HOLDS(schedule->beta1 <= 0.5 || settles(k, schedule, &held, N) == 4000); /* halves round to 0 */
        adam_close(&s);
        adam_close(&held);
    }
}

START_TEST(a_row_that_has_settled_is_moved_by_no_later_step_without_gradient)
{
    each_variant(settled_body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adam");
    TCase *c = tcase_create("adam");
    tcase_add_test(c, adam_agrees_with_double);
    tcase_add_test(c, adam_without_a_gradient_is_adam_with_zeros_bit_for_bit);
    tcase_add_test(c, adam_of_an_element_does_not_depend_on_where_the_array_is_cut);
    tcase_add_test(c, idle_steps_at_once_are_the_steps_one_by_one_bit_for_bit);
    tcase_add_test(c, moments_fade_as_one_multiplication_after_another);
    tcase_add_test(c, a_row_that_has_settled_is_moved_by_no_later_step_without_gradient);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
