/* unit: the time between events in attention: kernels against plain C, buckets and intervals against their formulas, attention
 * with them against double precision, and what the newest event knows of the request. */
#include "kernel_check.h"
#include "network_pass.h"
#include "position/calendar.h"
#include "position/interval.h"
#include "run_suite.h"
#include "serve/encode.h"
#include <time.h>

/* ---- kernels ------------------------------------------------------------------------------------------------------ */

typedef struct pairs {
    size_t n, seen, more, columns;
} pairs;
static const pairs cases[] = {{1, 1, 1, 1}, {24, 25, 1, 129}, {7, 40, 0, 17}, {24, 1, 1, 257}, {3, 16, 1, 16}, {9, 33, 0, 129}};

static uint16_t pair_of(const pairs *c, size_t r, size_t j)
{
    return (uint16_t)((double)c->columns * 0.49999 * (1 + (double)wave(r, (int64_t)j)));
}

static void pairs_case(const sq_kernels *k, const pairs *c, int shared)
{
    size_t most = c->seen + (c->n - 1) * c->more, width = (most + 15) / 16 * 16, padded = (c->columns + 15) / 16 * 16;
    matrix s = matrix_of(c->n, width, width + 16, 3), before = matrix_copy(&s);
    matrix terms = matrix_of(shared ? 1 : c->n, padded, padded, 4), sums = matrix_of(c->n, padded, padded, 5);
    uint16_t *index = malloc(c->n * most * sizeof *index);
    for (size_t r = 0; r < c->n; r++)
        for (size_t j = 0; j < most; j++) index[r * most + j] = pair_of(c, r, j);
    k->pick(c->n, c->seen, c->more, s.ld, most, index, shared ? 0 : terms.ld, terms.at, s.at);
    k->tally(c->n, c->seen, c->more, s.ld, most, index, sums.ld, before.at, sums.at);
    for (size_t r = 0; r < c->n; r++) {
        double expected[272] = {0};
        for (size_t j = 0; j < width; j++) {
            float x = row_of(&before, r)[j];
            int sees = j < c->seen + r * c->more;
            if (sees) expected[pair_of(c, r, j)] += x;
            HOLDS(same_bits(row_of(&s, r)[j], sees ? x + row_of(&terms, shared ? 0 : r)[pair_of(c, r, j)] : x));
        }
        for (size_t x = 0; x < padded; x++) HOLDS(fabs(row_of(&sums, r)[x] - expected[x]) < 1e-5);
    }
    matrix *all[] = {&s, &before, &terms, &sums};
    for (size_t i = 0; i < 4; i++) {
        matrix_note(all[i]);
        matrix_close(all[i]);
    }
    free(index);
}

static void pairs_body(const sq_kernels *k)
{
    EACH(pairs, c, cases)
    for (int shared = 0; shared < 2; shared++) pairs_case(k, c, shared);
}

START_TEST(terms_by_index_are_picked_and_tallied)
{
    each_variant(pairs_body);
}
END_TEST

/* ---- the schemes' own values -------------------------------------------------------------------------------------- */

static int formula(uint64_t seconds)
{
    double bucket = floor(log(seconds > 1 ? (double)seconds : 1) / 0.301);
    return bucket < 128 ? (int)bucket : 128;
}

static int bucket_of(uint64_t seconds)
{
    int64_t time = INT64_MIN;
    uint16_t bucket;
    sq_time_buckets(&time, 1, (int64_t)(seconds + ((uint64_t)1 << 63)), &bucket);
    return bucket;
}

START_TEST(buckets_of_time_are_the_published_ones)
{
    for (uint64_t s = 0; s < 100000; s++) MUST(bucket_of(s) == formula(s), "%d s: %d", (int)s, bucket_of(s));
    for (int b = 38; b < 128; b++) { /* a hundred millionth to both sides of each edge */
        double edge = exp(0.301 * b);
        MUST(bucket_of((uint64_t)(edge * (1 + 1e-8)) + 1) == b, "above edge %d", b);
        MUST(bucket_of((uint64_t)(edge * (1 - 1e-8)) - 1) == b - 1, "below edge %d", b);
    }
    ck_assert_int_eq(bucket_of(100000000), 61);
    ck_assert_int_eq(bucket_of(UINT64_MAX), 128);
}
END_TEST

START_TEST(buckets_do_not_depend_on_the_order_of_times)
{
    static const int64_t times[] = {5, 900, 3, 1000000, 77, INT64_MIN, INT64_MAX, 0, 78, 77};
    uint16_t together[10];
    sq_time_buckets(times, 10, 77, together);
    for (size_t j = 0; j < 10; j++) {
        uint64_t apart = times[j] > 77 ? (uint64_t)times[j] - 77u : 77u - (uint64_t)times[j];
        ck_assert_int_eq(together[j], bucket_of(apart));
    }
}
END_TEST

START_TEST(intervals_are_multiples_of_the_smallest_gap)
{
    static const int64_t times[] = {100, 103, 103, 110, 230};
    static const uint16_t expected[] = {20, 20, 20, 20, 0}, before[] = {3, 2, 2, 0, 20};
    uint16_t got[5];
    double tau[5];
    const sq_intervals intervals = {.times = times, .tau = tau, .span = 20};
    ck_assert_double_eq(sq_time_unit(times, 5), 3);
    ck_assert_double_eq(sq_time_unit(times + 1, 2), 1);
    ck_assert_double_eq(sq_time_unit(times, 1), 1);
    sq_time_places(times, 5, 3, tau); /* 0, 1, 1, 3, 43 */
    sq_interval_row(&intervals, 4, 0, 5, got);
    ck_assert(memcmp(got, expected, sizeof got) == 0);
    sq_interval_row(&intervals, 3, 0, 5, got);
    ck_assert(memcmp(got, before, sizeof got) == 0);
    static const double units[] = {1, 3, 3, 3, 3}, falling[] = {1, 50, 50, 7, 7};
    static const int64_t shrinking[] = {0, 50, 50, 57, 200};
    const sq_intervals seen = {.times = shrinking, .unit = tau, .span = 20};
    sq_interval_row(&intervals, 3, 2, 5, got);
    ck_assert(memcmp(got, before + 2, 3 * sizeof *got) == 0);
    sq_time_units(times, 5, tau);
    ck_assert(memcmp(tau, units, sizeof tau) == 0);
    sq_time_units(shrinking, 5, tau);
    ck_assert(memcmp(tau, falling, sizeof tau) == 0);
    sq_interval_row(&seen, 2, 0, 3, got); /* in fifties */
    ck_assert(got[0] == 1 && got[1] == 0 && got[2] == 0);
    sq_interval_row(&seen, 3, 0, 4, got); /* in sevens: 0, 7, 7, 8 */
    ck_assert(got[0] == 8 && got[1] == 1 && got[2] == 1 && got[3] == 0);
}
END_TEST

/* ---- attention ---------------------------------------------------------------------------------------------------- */

#define LENGTH 70
#define WIDTH 10
#define PADDED 16
#define COLUMNS 40

static double product(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* What relation.h says of one query, term by term: m has q, k, v and the tables of keys and values. */
static void plain_attention(const matrix *m, const float *bias, const uint16_t *index, size_t t, double pointwise, double *out)
{
    double weights[LENGTH], sum = pointwise > 0 ? 1 : 0;
    for (size_t i = 0; i < WIDTH; i++) out[i] = 0;
    for (size_t j = 0; j <= t; j++) {
        double score = product(row_of(&m[0], t), row_of(&m[1], j)) + product(row_of(&m[0], t), row_of(&m[3], index[j])) +
                       (double)bias[index[j]];
        weights[j] = pointwise > 0 ? pointwise * score / (1 + exp(-score)) : exp(score / sqrt(WIDTH));
        if (pointwise <= 0) sum += weights[j];
    }
    for (size_t j = 0; j <= t; j++)
        for (size_t i = 0; i < WIDTH; i++)
            out[i] += weights[j] / sum * ((double)row_of(&m[2], j)[i] + (double)row_of(&m[4], index[j])[i]);
}

static void attention_body(const sq_kernels *k)
{
    size_t padded = (COLUMNS + 15) / 16 * 16, ld = (LENGTH + 15) / 16 * 16;
    static uint16_t index[LENGTH][LENGTH], block[SQ_ATTENTION_ROWS * 128];
    double tau[LENGTH];
    const sq_intervals intervals = {.tau = tau, .span = COLUMNS - 1};
    matrix m[5], transposed = matrix_open(PADDED, padded, padded), bias = matrix_of(1, padded, padded, 40);
    for (size_t i = 0; i < 5; i++) {
        m[i] = matrix_open_slack(i < 3 ? LENGTH : COLUMNS, PADDED, PADDED, 256);
        matrix_random(&m[i], 30 + i, WIDTH);
    }
    for (size_t i = 0; i < LENGTH; i++) tau[i] = floor(60 * (double)wave(9, (int64_t)i));
    for (size_t i = 0; i < LENGTH * LENGTH; i++)
        index[i / LENGTH][i % LENGTH] = (uint16_t)fmin(COLUMNS - 1, fabs(tau[i / LENGTH] - tau[i % LENGTH]));
    float *scratch[6], out[LENGTH * PADDED];
    for (size_t i = 0; i < 6; i++) scratch[i] = calloc((i < 2 ? PADDED : SQ_ATTENTION_ROWS) * ld + 64, sizeof(float));
    float *r = calloc(SQ_ATTENTION_ROWS * padded + 64, sizeof *r);
    sq_head_scratch s = {scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], {0}, r, block};
    k->transpose(COLUMNS, PADDED, m[3].at, PADDED, transposed.at, padded);
    sq_relation timed = {.columns = COLUMNS, .ld = PADDED, .bias = bias.at, .keys = m[3].at, .values = m[4].at, .ld_t = padded};
    timed.keys_t = transposed.at;
    timed.intervals = &intervals;
    sq_head head = {.length = LENGTH, .width = WIDTH, .padded = PADDED, .ld = PADDED, .q = m[0].at, .k = m[1].at, .v = m[2].at};
    head.dropout.scale = 1;
    head.timed = &timed;
    for (int pointwise = 0; pointwise < 2; pointwise++) {
        head.pointwise = pointwise ? 0.02f : 0;
        sq_head_fwd(k, &head, 0, out, PADDED, NULL, &s);
        for (size_t t = 0; t < LENGTH; t++) {
            double expected[WIDTH];
            plain_attention(m, bias.at, index[t], t, (double)head.pointwise, expected);
            for (size_t i = 0; i < WIDTH; i++)
                MUST(fabs((double)out[t * PADDED + i] - expected[i]) < 1e-5, "token %zu: %g and %g", t,
                     (double)out[t * PADDED + i], expected[i]);
        }
    }
    for (size_t i = 0; i < 5; i++) matrix_close(&m[i]);
    matrix_close(&transposed);
    matrix_close(&bias);
    for (size_t i = 0; i < 6; i++) free(scratch[i]);
    free(r);
}

START_TEST(attention_adds_keys_values_and_biases_by_index)
{
    for (int v = 0; v < 3; v++)
        if (sq_kernels_variant(v)) attention_body(sq_kernels_variant(v));
}
END_TEST

/* ---- the newest event --------------------------------------------------------------------------------------------- */

static void vector_at(const small_model *s, const small_batch *b, int64_t n, int64_t ask, float *out)
{
    sq_encoder encoder = sq_encoder_of(s->model, s->model->current);
    sq_arena arena = {0};
    sq_encode_scratch scratch;
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, n), &scratch);
    EXPECT_OK(sq_arena_reserve(&arena, &s->context->memory, arena.peak, error));
    sq_encode_scratch_take(&arena, s->model, sq_encode_window(s->model, n), &scratch);
    sq_encode(&encoder, &(sq_history){.slots = b->slots, .times = b->times, .n = n, .ask = ask, .user = -1}, &scratch, out);
    sq_arena_free(&arena, &s->context->memory);
}

static int same(const float *a, const float *b) { return memcmp(a, b, 64 * sizeof *a) == 0; }

/* What training computes for the target at time t is what serving computes when asked at t; only the newest row knows. */
START_TEST(serving_at_the_time_of_the_next_event_is_what_training_computed)
{
    sq_options o = small_options(_i == 1 ? "sasrec" : _i == 4 ? "fuxi" : "hstu");
    o.dim = 64;
    o.time = SQ_TIME_BIAS;
    o.calendar = _i == 3;
    o.time_request = _i != 2;
    o.score = SQ_SCORE_DOT;
    small_model s = small_open(&o, 0, 90);
    small_batch b;
    float u[64], later[64];
    small_weights(&s);
    small_draw(&b, 4, 1, 40, 40, 90);
    if (!o.time_request) memcpy(b.asks, b.times, sizeof b.asks);
    network_pass *p = pass_open(s.model, &b, 0, 0, 1);
    pass_forward(p);
    for (int64_t n = 4; n <= 40; n += 3) { /* of one event alone HSTU norms the weight away */
        const float *trained = p->u + (size_t)(n - 1) * (size_t)s.model->layout.dp;
        if (s.model->options.position == SQ_POSITION_END && n < 40) continue; /* counts from the window's end */
        vector_at(&s, &b, n, b.asks[n - 1], u);
        ck_assert_msg(same(u, trained), "after %d events", (int)n);
        vector_at(&s, &b, n, b.asks[n - 1] + 5000000, later);
        ck_assert_msg(same(u, later) == !o.time_request, "after %d events, asked later", (int)n);
    }
    pass_close(p);
    small_close(&s);
}
END_TEST

/* The order of magnitude is that of seconds, whatever the date: a bias sees differences only. */
START_TEST(a_bias_by_time_does_not_depend_on_the_date)
{
    sq_options o = small_options("hstu");
    o.time = SQ_TIME_BIAS;
    o.dim = 64;
    small_model s = small_open(&o, 0, 90);
    small_batch b;
    float now[64], then[64];
    small_weights(&s);
    small_draw(&b, 4, 1, 40, 40, 90);
    vector_at(&s, &b, 40, b.asks[39], now);
    for (int i = 0; i < 40; i++) b.times[i] -= 900000000;
    vector_at(&s, &b, 40, b.asks[39] - 900000000, then);
    ck_assert(same(now, then));
    b.times[20] = b.times[19];
    vector_at(&s, &b, 40, b.asks[39] - 900000000, then);
    ck_assert(!same(now, then));
    small_close(&s);
}
END_TEST

/* ---- the calendar ------------------------------------------------------------------------------------------------- */

static void expect_date(int64_t seconds, int hour, int weekday, int month)
{
    size_t rows[SQ_CALENDAR_OF];
    sq_calendar_rows(seconds, rows);
    ck_assert_msg(rows[0] == (size_t)hour && rows[1] == (size_t)(24 + weekday) && rows[2] == (size_t)(31 + month),
                  "%lld: hour %zu, weekday %zu, month %zu", (long long)seconds, rows[0], rows[1] - 24, rows[2] - 31);
}

START_TEST(hours_weekdays_and_months_are_those_of_the_calendar)
{
    for (int64_t t = -9000000000; t < 9000000000; t += 86399 * 7 + 3600) {
        time_t at = (time_t)t;
        struct tm date;
        ck_assert_ptr_nonnull(gmtime_r(&at, &date));
        expect_date(t, date.tm_hour, (date.tm_wday + 6) % 7, date.tm_mon);
    }
    expect_date(951868799, 23, 1, 1);  /* 2000-02-29 23:59:59, a Tuesday */
    expect_date(951868800, 0, 2, 2);   /* a second later */
    expect_date(4107542399, 23, 6, 1); /* 2100-02-28 23:59:59, a Sunday: that year has no leap day */
    expect_date(4107542400, 0, 0, 2);
    expect_date(-1, 23, 2, 11);
    expect_date(INT64_MAX, 15, 6, 11); /* 292277026596-12-04 15:30:07 */
    expect_date(INT64_MIN, 8, 6, 0);   /* -292277022657-01-27 08:29:52 */
}
END_TEST

/* The times at which events stand say what is added to them. */
START_TEST(a_calendar_adds_the_vectors_of_an_event_s_time)
{
    sq_options o = small_options("sasrec");
    o.dim = 64;
    o.calendar = 1;
    small_model s = small_open(&o, 0, 90);
    small_batch b;
    float at_nine[64], a_day_later[64], a_week_later[64], at_ten[64];
    const int64_t nine = 1700000000 / 3600 * 3600 + 11 * 3600, day = 86400;
    small_weights(&s);
    small_draw(&b, 4, 1, 20, 20, 90);
    for (int i = 0; i < 20; i++) b.times[i] = nine - day * (20 - i);
    vector_at(&s, &b, 20, nine, at_nine);
    vector_at(&s, &b, 20, nine + 3599, at_ten);
    ck_assert(same(at_nine, at_ten)); /* the hour is the same */
    vector_at(&s, &b, 20, nine + 3600, at_ten);
    ck_assert(!same(at_nine, at_ten));
    vector_at(&s, &b, 20, nine + day, a_day_later);
    ck_assert(!same(at_nine, a_day_later));
    vector_at(&s, &b, 20, nine + 7 * day, a_week_later);
    ck_assert(same(at_nine, a_week_later)); /* and the month: November */
    small_close(&s);
}
END_TEST

/* ---- training ----------------------------------------------------------------------------------------------------- */

static const struct {
    int64_t time;
    const char *preset, *users;
} trainings[] = {{1, "hstu", "none"},        {1, "sasrec", "prefix"}, {3, "sasrec-original", "none"},
                 {2, "sasrec-softmax", "added"}, {1, "bert4rec", "none"}, {4, "sasrec", "prefix"},  {4, "bert4rec", "none"}, {1, "fuxi", "none"}};
#define TRAININGS ((int)(sizeof trainings / sizeof *trainings))

START_TEST(every_scheme_trains_to_the_same_bits_on_any_number_of_threads)
{
    sq_options o = small_options(trainings[_i].preset);
    EXPECT_OK(sq_options_set(&o, "user_embedding", trainings[_i].users, error));
    o.dim = 50;
    small_time(&o, trainings[_i].time);
    small_same(o, o, 4, trainings[_i].preset);
}
END_TEST

START_TEST(the_plan_gives_every_token_its_time_and_that_of_the_next_event)
{
    static const int32_t slots[] = {1, 2, 3, 4, 5};
    static const int64_t times[] = {10, 20, 20, 40, 50};
    sq_options o = small_options("sasrec");
    small_model s = small_open(&o, 0, 90);
    sq_plan p = {0};
    const sq_plan_sequence whole = {.slots = slots, .times = times, .n = 5, .behind = 1};
    EXPECT_OK(sq_plan_add(&p, &s.context->memory, &whole, 2, 1, error));
    EXPECT_OK(sq_plan_add_prefixes(&p, &s.context->memory, &whole, 2, 1, 2, 0, error));
    sq_cloze cloze = {.key = 3, .probability = 0.5};
    EXPECT_OK(sq_plan_add_cloze(&p, &s.context->memory, &whole, 3, 1, &cloze, error));
    static const int64_t expected[][2] = {{20, 20}, {20, 40}, {20, 20}, {20, 40}, {20, 20}, {20, 20}, {40, 40}};
    ck_assert_int_eq(p.tokens, 7);
    for (int i = 0; i < 7; i++) ck_assert_msg(p.times[i] == expected[i][0] && p.asks[i] == expected[i][1], "token %d", i);
    sq_plan_free(&p, &s.context->memory);
    small_close(&s);
}
END_TEST

START_TEST(a_unit_of_each_event_needs_intervals_and_a_past)
{
    small_refused("time_unit=seen", "it needs time = intervals and mask = causal");
    small_refused("time_unit=seen time=bias", "it needs time = intervals and mask = causal");
    small_refused("time_unit=seen time=intervals mask=bidirectional objective=cloze", "it needs time = intervals and mask = causal");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("time");
    TCase *tests = tcase_create("time");
    tcase_add_test(tests, terms_by_index_are_picked_and_tallied);
    tcase_add_test(tests, buckets_of_time_are_the_published_ones);
    tcase_add_test(tests, buckets_do_not_depend_on_the_order_of_times);
    tcase_add_test(tests, intervals_are_multiples_of_the_smallest_gap);
    tcase_add_test(tests, attention_adds_keys_values_and_biases_by_index);
    tcase_add_loop_test(tests, serving_at_the_time_of_the_next_event_is_what_training_computed, 0, 5);
    tcase_add_test(tests, a_bias_by_time_does_not_depend_on_the_date);
    tcase_add_test(tests, hours_weekdays_and_months_are_those_of_the_calendar);
    tcase_add_test(tests, a_calendar_adds_the_vectors_of_an_event_s_time);
    tcase_add_loop_test(tests, every_scheme_trains_to_the_same_bits_on_any_number_of_threads, 0, TRAININGS);
    tcase_add_test(tests, the_plan_gives_every_token_its_time_and_that_of_the_next_event);
    tcase_add_test(tests, a_unit_of_each_event_needs_intervals_and_a_past);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
