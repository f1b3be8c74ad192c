/* unit: paths behind a session against sessions that the same items are appended to, and against every path there is. */
#include "run_suite.h"
#include "session_world.h"

enum { STEPS = 6, FEW = 9 };

static seqrec_decode how_of(int32_t method, int64_t width, int64_t steps)
{
    return (seqrec_decode){.struct_size = sizeof(seqrec_decode), .method = method, .width = width, .steps = steps};
}

/* Log probabilities of all items behind a session; those that may not follow have -Inf. */
static void outlook_of(seqrec_session *session, const uint8_t *barred, int64_t items, double temperature, double *out)
{
    int64_t all[ITEMS] = {0};
    float scores[ITEMS];
    double sum = 0, most = -INFINITY;
    for (int64_t i = 0; i < items; i++) all[i] = i;
    good(seqrec_session_score(session, all, items, scores, &failure));
    for (int64_t i = 0; i < items; i++)
        if (!barred[i]) most = fmax(most, (double)scores[i] / temperature);
    for (int64_t i = 0; i < items; i++)
        if (!barred[i]) sum += exp((double)scores[i] / temperature - most);
    for (int64_t i = 0; i < items; i++)
        out[i] = barred[i] ? -INFINITY : (double)scores[i] / temperature - most - log(sum);
}

/* Walks a path item by item on a copy of the session; its log probability. Each item is to be the best when `best`. */
static double walk(seqrec_sessions *pool, seqrec_session *session, const int64_t *path, int64_t steps, int32_t repeats,
                   double temperature, int32_t best)
{
    seqrec_session *copy = copy_of(pool, session);
    uint8_t barred[ITEMS] = {0};
    double total = 0, out[ITEMS];
    for (int64_t h = 0; h < steps; h++) {
        outlook_of(copy, barred, ITEMS, temperature, out);
        total += out[path[h]];
        for (int64_t i = 0; best && i < ITEMS; i++) ck_assert_double_ge(out[path[h]] + 1e-4, out[i]);
        if (!repeats) barred[path[h]] = 1;
        append(copy, path + h, 1);
    }
    seqrec_session_release(copy);
    return total;
}

/* From short histories, and across the place where windows drop their older half. */
START_TEST(paths_are_what_appending_their_items_gives)
{
    static const int64_t lengths[] = {0, 1, 5, 8, 9, 12};
    small_model s = open_model(schemes[_i].settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[7 * STEPS], found;
    double log_probabilities[7];
    fill_items(items);
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        seqrec_session *session = session_of(pool, items, lengths[n]);
        seqrec_decode how = how_of(SEQREC_DECODE_GREEDY, 0, STEPS);
        good(seqrec_session_decode(session, &how, NULL, paths, log_probabilities, &found, &failure));
        ck_assert_int_eq(found, 1);
        const double alone = walk(pool, session, paths, STEPS, 0, 1, 1);
        ck_assert_double_eq_tol(log_probabilities[0], alone, 1e-4);
        how = how_of(SEQREC_DECODE_BEAM, 7, STEPS);
        how.repeats = 1;
        good(seqrec_session_decode(session, &how, NULL, paths, log_probabilities, &found, &failure));
        ck_assert_int_eq(found, 7);
        for (int64_t i = 0; i < 7; i++) {
            ck_assert(i == 0 || log_probabilities[i] <= log_probabilities[i - 1]);
            ck_assert_double_eq_tol(log_probabilities[i], walk(pool, session, paths + i * STEPS, STEPS, 1, 1, 0), 1e-4);
        }
        how = how_of(SEQREC_DECODE_SAMPLE, 7, STEPS);
        how.temperature = 1.5;
        good(seqrec_session_decode(session, &how, NULL, paths, log_probabilities, &found, &failure));
        ck_assert_int_eq(found, 7);
        for (int64_t i = 0; i < 7; i += 3)
            ck_assert_double_eq_tol(log_probabilities[i], walk(pool, session, paths + i * STEPS, STEPS, 0, 1.5, 0), 1e-4);
        seqrec_session_release(session);
    }
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* The path that greedy finds has what greedy says of it, any path what appending its items and reading says, item by item. */
START_TEST(following_a_path_is_appending_its_items)
{
    enum { FAR = 12 };
    static const int64_t lengths[] = {0, 5, 8, 12};
    small_model s = open_model(schemes[_i].settings, NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], path[FAR], found;
    double total, shares[FAR], out[ITEMS];
    float before[WIDEST], after[WIDEST];
    const uint8_t barred[ITEMS] = {0};
    fill_items(items);
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        seqrec_session *session = session_of(pool, items, lengths[n]);
        seqrec_decode how = how_of(SEQREC_DECODE_GREEDY, 1, STEPS);
        how.repeats = 1;
        encode(session, before);
        good(seqrec_session_decode(session, &how, NULL, path, &total, &found, &failure));
        good(seqrec_session_follow(session, path, STEPS, 0, shares, &failure));
        for (int64_t h = 0; h < STEPS; h++) total -= shares[h];
        ck_assert_double_eq_tol(total, 0, 1e-9);
        for (int64_t h = 0; h < FAR; h++) path[h] = (h * 31 + 7 * h * h + 4) % ITEMS;
        path[FAR - 1] = path[FAR - 2];
        good(seqrec_session_follow(session, path, FAR, 0, shares, &failure));
        encode(session, after);
        ck_assert_mem_eq(before, after, (size_t)dim_of(&s) * sizeof *after);
        seqrec_session *copy = copy_of(pool, session);
        for (int64_t h = 0; h < FAR; h++) {
            outlook_of(copy, barred, ITEMS, 1, out);
            ck_assert_double_eq_tol(shares[h], out[path[h]], 1e-4);
            append(copy, path + h, 1);
        }
        seqrec_session_release(copy);
        seqrec_session_release(session);
    }
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* With an allow list of FEW items every path of three can be tried: a beam as wide as the paths of two steps finds the best. */
START_TEST(a_beam_that_is_wide_enough_finds_the_best_of_all_paths)
{
    small_model s = open_model("position=none relative=alibi", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], allowed[FEW], paths[FEW * FEW * 3], found;
    double log_probabilities[FEW * FEW], out[ITEMS], best = -INFINITY;
    uint8_t barred[ITEMS];
    fill_items(items);
    for (int64_t i = 0; i < FEW; i++) allowed[i] = 10 * i;
    const seqrec_filter filter = {.struct_size = sizeof filter, .allow = allowed, .allow_count = FEW};
    seqrec_session *session = session_of(pool, items, 6);
    const seqrec_decode how = how_of(SEQREC_DECODE_BEAM, FEW * FEW, 3);
    good(seqrec_session_decode(session, &how, &filter, paths, log_probabilities, &found, &failure));
    ck_assert_int_eq(found, FEW * FEW);
    for (int64_t a = 0; a < FEW; a++)
        for (int64_t b = 0; b < FEW; b++) {
            if (a == b) continue;
            seqrec_session *copy = copy_of(pool, session);
            const int64_t two[] = {allowed[a], allowed[b]};
            double total = 0;
            for (int64_t i = 0; i < ITEMS; i++) barred[i] = i % 10 != 0;
            for (int64_t h = 0; h < 2; h++) {
                outlook_of(copy, barred, ITEMS, 1, out);
                total += out[two[h]];
                barred[two[h]] = 1;
                append(copy, two + h, 1);
            }
            outlook_of(copy, barred, ITEMS, 1, out);
            for (int64_t i = 0; i < FEW; i++) best = fmax(best, total + out[allowed[i]]);
            seqrec_session_release(copy);
        }
    ck_assert_double_eq_tol(log_probabilities[0], best, 1e-4);
    for (int64_t i = 0; i < found; i++) /* no two are the same */
        for (int64_t j = 0; j < i; j++) ck_assert(memcmp(paths + 3 * i, paths + 3 * j, 3 * sizeof *paths) != 0);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* The lowest of the k best of log probabilities, or of the fewest best whose probabilities reach `share` of them. */
static double bar_of(const double *out, int64_t k, double share)
{
    double lowest = INFINITY, total = 0, upto = 0;
    for (int64_t i = 0; i < ITEMS; i++) total += exp(out[i]);
    for (int64_t taken = 0; taken < k && upto < share * total; taken++) {
        double next = -INFINITY;
        for (int64_t i = 0; i < ITEMS; i++)
            if (out[i] < lowest) next = fmax(next, out[i]);
        lowest = next;
        upto += exp(next);
    }
    return lowest;
}

/* Leaves the k best of log probabilities (0: all), and of these the nucleus (0: all of them); the sum of what is left. */
static double leave(double *out, int64_t top_k, double top_p)
{
    double kept = 0;
    for (int32_t filter = 0; filter < 2; filter++) {
        const double lowest = filter == 0 ? bar_of(out, top_k == 0 ? ITEMS : top_k, INFINITY) : bar_of(out, ITEMS, top_p == 0 ? INFINITY : top_p);
        for (int64_t i = 0; i < ITEMS; i++)
            if (out[i] < lowest) out[i] = -INFINITY;
    }
    for (int64_t i = 0; i < ITEMS; i++) kept += exp(out[i]);
    return kept;
}

/* Chi-square of how often each of n things was drawn: its mean is the degrees of freedom, its deviation the root of twice them. Things
 * of share 0 never are. Returns the degrees of freedom. */
static int64_t expect_counts(const int64_t *counts, const double *shares, int64_t n, int64_t draws)
{
    int64_t freedom = -1;
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        const double expected = (double)draws * shares[i];
        if (shares[i] == 0) ck_assert_int_eq(counts[i], 0);
        if (expected < 5) continue;
        square += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
        freedom++;
    }
    ck_assert_int_gt(freedom, 3);
    ck_assert_msg(square < (double)freedom + 5 * sqrt(2.0 * (double)freedom), "chi-square %g of %d", square, (int)freedom);
    return freedom;
}

static seqrec_decode draws_of(int64_t paths, int64_t steps, int64_t top_k, double top_p, double temperature)
{
    seqrec_decode how = how_of(SEQREC_DECODE_SAMPLE, paths, steps);
    how.top_k = top_k;
    how.top_p = top_p;
    how.temperature = temperature;
    how.seed = 7;
    return how;
}

/* The first items of 4,096 paths. Returns how many items may be drawn. */
static int64_t expect_frequencies(int64_t top_k, double top_p, double temperature)
{
    enum { PATHS = 4096 };
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    static int64_t paths[PATHS], items[MOST];
    int64_t found, counts[ITEMS] = {0}, some = 0;
    double out[ITEMS], shares[ITEMS], logs[PATHS];
    uint8_t barred[ITEMS] = {0};
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 6);
    const seqrec_decode how = draws_of(PATHS, 1, top_k, top_p, temperature);
    good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
    for (int64_t i = 0; i < PATHS; i++) counts[paths[i]]++;
    outlook_of(session, barred, ITEMS, temperature, out);
    const double kept = leave(out, top_k, top_p);
    for (int64_t i = 0; i < PATHS; i++) ck_assert_double_eq_tol(logs[i], out[paths[i]] - log(kept), 1e-4);
    for (int64_t i = 0; i < ITEMS; i++) {
        shares[i] = exp(out[i]) / kept;
        some += shares[i] > 0;
    }
    expect_counts(counts, shares, ITEMS, PATHS);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
    return some;
}

/* The probabilities of the items 0, 10, 20, ... behind a session, the one of `path` and all others left out, that may be drawn. */
static void shares_of(seqrec_session *session, const int64_t *path, const seqrec_decode *how, double shares[FEW])
{
    double out[ITEMS];
    uint8_t barred[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) barred[i] = i % 10 != 0 || (path && i == *path);
    outlook_of(session, barred, ITEMS, how->temperature, out);
    const double kept = leave(out, how->top_k, how->top_p);
    for (int64_t i = 0; i < FEW; i++) shares[i] = exp(out[10 * i]) / kept;
}

/* All of a path's items: 4,096 pairs over an allow list of FEW items, which are 72 ordered pairs. */
START_TEST(pairs_of_items_are_drawn_by_their_probabilities)
{
    enum { PATHS = 4096, PAIRS = FEW * FEW };
    static const char *const settings[] = {"position=none relative=t5", "position=start max_length=8", "position=end max_length=6"};
    static const struct {
        int64_t top_k;
        double top_p, temperature;
        int64_t pairs;
    } ways[] = {{0, 0, 4, 72}, {4, 0, 4, 16}, {0, 0.7, 6, 0}};
    small_model s = open_model(settings[_i], NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    static int64_t paths[2 * PATHS];
    static double logs[PATHS];
    int64_t items[MOST], allowed[FEW], found;
    fill_items(items);
    for (int64_t i = 0; i < FEW; i++) allowed[i] = 10 * i;
    const seqrec_filter filter = {.struct_size = sizeof filter, .allow = allowed, .allow_count = FEW};
    seqrec_session *session = session_of(pool, items, 6);
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        const seqrec_decode how = draws_of(PATHS, 2, ways[way].top_k, ways[way].top_p, ways[way].temperature);
        int64_t counts[PAIRS] = {0}, some = 0;
        double first[FEW], shares[PAIRS];
        shares_of(session, NULL, &how, first);
        for (int64_t a = 0; a < FEW; a++) {
            seqrec_session *copy = copy_of(pool, session);
            append(copy, allowed + a, 1);
            shares_of(copy, allowed + a, &how, shares + a * FEW);
            for (int64_t b = 0; b < FEW; b++) some += (shares[a * FEW + b] *= first[a]) > 0;
            seqrec_session_release(copy);
        }
        good(seqrec_session_decode(session, &how, &filter, paths, logs, &found, &failure));
        ck_assert_int_eq(found, PATHS);
        for (int64_t i = 0; i < PATHS; i++) {
            const int64_t pair = paths[2 * i] / 10 * FEW + paths[2 * i + 1] / 10;
            counts[pair]++;
            ck_assert_double_eq_tol(logs[i], log(shares[pair]), 1e-4);
        }
        if (ways[way].pairs) ck_assert_int_eq(some, ways[way].pairs);
        const int64_t freedom = expect_counts(counts, shares, PAIRS, PATHS);
        ck_assert_msg(way > 0 || freedom > 60, "only %d of 71 pairs are often enough", (int)freedom);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

START_TEST(items_are_drawn_by_their_probabilities)
{
    expect_frequencies(0, 0, 3);
    expect_frequencies(0, 0, 0.8);
    ck_assert_int_eq(expect_frequencies(6, 0, 4), 6);
}
END_TEST

START_TEST(items_of_the_nucleus_are_drawn_by_their_probabilities)
{
    ck_assert_int_eq(expect_frequencies(0, 1, 4), ITEMS);
    const int64_t half = expect_frequencies(0, 0.5, 4), most = expect_frequencies(0, 0.9, 4), warm = expect_frequencies(0, 0.5, 8);
    ck_assert(half > 4 && half < most && half < warm && most < ITEMS);
    const int64_t both = expect_frequencies(20, 0.5, 4);
    ck_assert(both < 20 && both <= half);
}
END_TEST

/* However little of the sum is asked for, there is the best item: the path is the greedy one. */
START_TEST(the_smallest_nucleus_is_the_best_item)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], best[STEPS], drawn[3 * STEPS], found;
    double logs[3];
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 6);
    seqrec_decode how = how_of(SEQREC_DECODE_GREEDY, 1, STEPS);
    good(seqrec_session_decode(session, &how, NULL, best, NULL, &found, &failure));
    how = how_of(SEQREC_DECODE_SAMPLE, 3, STEPS);
    for (how.top_k = 0; how.top_k <= 5; how.top_k += 5) {
        how.top_p = 1e-300;
        good(seqrec_session_decode(session, &how, NULL, drawn, logs, &found, &failure));
        for (int64_t i = 0; i < 3; i++) {
            ck_assert_mem_eq(drawn + i * STEPS, best, sizeof best);
            ck_assert_double_eq_tol(logs[i], 0, 1e-6);
        }
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* A table of three chunks, by bins of fifty slots. */
START_TEST(items_of_all_chunks_are_drawn_by_their_probabilities)
{
    enum { MANY = 2600, PATHS = 4096, BIN = 50 };
    const sq_options o = options_of("position=none");
    small_model s = small_open(&o, 0, MANY);
    small_weights(&s);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    static int64_t paths[PATHS], all[MANY];
    static float scores[MANY];
    static double logs[PATHS];
    int64_t items[MOST], found, counts[MANY / BIN] = {0};
    double weights[MANY / BIN] = {0}, sum = 0, square = 0, inside = 0, outside = 0;
    fill_items(items);
    for (int64_t i = 0; i < MANY; i++) all[i] = i;
    seqrec_session *session = session_of(pool, items, 6);
    seqrec_decode how = how_of(SEQREC_DECODE_SAMPLE, PATHS, 1);
    how.temperature = 2;
    good(seqrec_session_decode(session, &how, NULL, paths, NULL, &found, &failure));
    good(seqrec_session_score(session, all, MANY, scores, &failure));
    for (int64_t i = 0; i < PATHS; i++) counts[paths[i] / BIN]++;
    for (int64_t i = 0; i < MANY; i++) {
        weights[i / BIN] += exp((double)scores[i] / 2);
        sum += exp((double)scores[i] / 2);
    }
    for (int64_t b = 0; b < MANY / BIN; b++) {
        const double expected = PATHS * weights[b] / sum;
        square += ((double)counts[b] - expected) * ((double)counts[b] - expected) / expected;
    }
    const double freedom = MANY / BIN - 1;
    ck_assert_msg(square < freedom + 5 * sqrt(2 * freedom), "chi-square %g of %g", square, freedom);
    how.top_p = 0.6;
    good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
    for (int64_t i = 0; i < PATHS; i++) { /* what is better than a drawn item is below 0.6 of all */
        inside = 0;
        for (int64_t j = 0; j < MANY; j++)
            if (scores[j] > scores[paths[i]]) inside += exp((double)scores[j] / 2) / sum;
        outside = fmax(outside, inside);
        const double kept = exp((double)scores[paths[i]] / 2) / sum / exp(logs[i]);
        ck_assert(kept > 0.6 - 1e-5 && kept < 0.63);
    }
    ck_assert(outside > 0.5 && outside < 0.6);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* The same paths whatever the threads and however many are asked for; other seeds give others. */
START_TEST(drawn_paths_depend_on_seed_and_number_alone)
{
    static int64_t first[40 * STEPS], paths[40 * STEPS];
    static double first_log[40], logs[40];
    int64_t items[MOST], found;
    fill_items(items);
    for (int32_t threads = 0; threads <= 3; threads++) {
        const sq_options o = options_of("position=start max_length=12 relative=t5");
        small_model s = small_open(&o, threads, ITEMS);
        small_weights(&s);
        seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
        seqrec_session *session = session_of(pool, items, 9);
        for (int32_t method = SEQREC_DECODE_SAMPLE + 1; method >= 0; method--) { /* one more: of nuclei; none is greedy: of groups */
            seqrec_decode how = how_of(method <= SEQREC_DECODE_SAMPLE ? method : SEQREC_DECODE_SAMPLE, 40, STEPS);
            static int64_t kept[4][40 * STEPS];
            how.top_p = method <= SEQREC_DECODE_SAMPLE ? 0 : 0.8;
            if (method == 0) {
                how.method = SEQREC_DECODE_BEAM;
                how.groups = 4;
                how.diversity = 1;
            }
            good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
            if (threads == 0) memcpy(kept[method], paths, sizeof paths);
            ck_assert_mem_eq(kept[method], paths, sizeof paths);
        }
        const seqrec_decode drawn = how_of(SEQREC_DECODE_SAMPLE, 40, STEPS);
        good(seqrec_session_decode(session, &drawn, NULL, paths, logs, &found, &failure));
        if (threads == 0) {
            memcpy(first, paths, sizeof paths);
            memcpy(first_log, logs, sizeof logs);
        }
        ck_assert_mem_eq(first_log, logs, sizeof logs);
        seqrec_decode fewer = how_of(SEQREC_DECODE_SAMPLE, 5, STEPS);
        good(seqrec_session_decode(session, &fewer, NULL, paths, NULL, &found, &failure));
        ck_assert_mem_eq(first, paths, 5 * STEPS * sizeof *paths);
        fewer.seed = 1;
        good(seqrec_session_decode(session, &fewer, NULL, paths, NULL, &found, &failure));
        ck_assert(memcmp(first, paths, 5 * STEPS * sizeof *paths) != 0);
        seqrec_session_release(session);
        seqrec_sessions_release(pool);
        small_close(&s);
    }
}
END_TEST

START_TEST(filters_hold_in_every_step_and_items_come_once)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], deny[ITEMS], paths[20 * 30], found, skipped = -1, copies = 0;
    float before[WIDEST], after[WIDEST];
    fill_items(items);
    for (int64_t i = 0; i < 40; i++) deny[i] = i;
    deny[40] = 12345;
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1, .deny = deny, .deny_count = 41, .skipped = &skipped};
    seqrec_session *session = session_of(pool, items, 8);
    encode(session, before);
    for (int32_t method = 0; method <= SEQREC_DECODE_SAMPLE; method++) {
        seqrec_decode how = how_of(method, method == 0 ? 1 : 20, 30);
        good(seqrec_session_decode(session, &how, &filter, paths, NULL, &found, &failure));
        ck_assert_int_eq(skipped, 1);
        for (int64_t i = 0; i < found * 30; i++) {
            ck_assert_int_ge(paths[i], 40);
            for (int64_t e = 0; e < 8; e++) ck_assert_int_ne(paths[i], items[e]);
            for (int64_t j = i / 30 * 30; j < i; j++) ck_assert_int_ne(paths[i], paths[j]);
        }
        how.repeats = 1;
        good(seqrec_session_decode(session, &how, &filter, paths, NULL, &found, &failure));
        for (int64_t i = 0; i < found * 30; i++)
            for (int64_t j = i / 30 * 30; j < i; j++) copies += paths[i] == paths[j];
    }
    ck_assert_int_gt(copies, 0);
    const uint64_t marks[] = {(uint64_t)1 << 50 | (uint64_t)1 << 61, 1}; /* items 50, 61, 64 */
    seqrec_filter marked = {.struct_size = sizeof marked, .bits = marks, .bits_count = 65};
    seqrec_decode few = how_of(SEQREC_DECODE_SAMPLE, 10, 3);
    good(seqrec_session_decode(session, &few, &marked, paths, NULL, &found, &failure));
    for (int64_t i = 0; i < found * 3; i++) ck_assert(paths[i] == 50 || paths[i] == 61 || paths[i] == 64);
    few.steps = 4;
    ck_assert_int_eq(seqrec_session_decode(session, &few, &marked, paths, NULL, &found, &failure), SEQREC_E_ARGUMENT);
    encode(session, after);
    ck_assert_mem_eq(before, after, 20 * sizeof *after);
    seqrec_decode how = how_of(SEQREC_DECODE_GREEDY, 1, 60);
    found = -7;
    ck_assert_int_eq(seqrec_session_decode(session, &how, &filter, paths, NULL, &found, &failure), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(failure.message, "a path of 60 steps without repeats needs 60"));
    ck_assert_int_eq(found, -7);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* ---- beams of several groups -------------------------------------------------------------------------------------------- */

enum { BEAMS = 6, DEEP = 4 };

typedef struct plain_path {
    int64_t items[DEEP], group;
    double log_probability;
} plain_path;

/* What is best for the next place of a group among all (path, item), each tried. */
typedef struct plain_choice {
    int64_t path, item;
    double value, log_probability;
} plain_choice;

static plain_choice plain_best(const double (*outs)[ITEMS], const plain_path *paths, int64_t first, int64_t end, double strength,
                               const int64_t *chosen, const uint8_t (*used)[ITEMS])
{
    plain_choice best = {-1, -1, -INFINITY, 0};
    for (int64_t i = first; i < end; i++)
        for (int64_t item = 0; item < ITEMS; item++) {
            const double total = paths[i].log_probability + outs[i][item];
            const double value = total - strength * (double)chosen[item];
            if (outs[i][item] > -INFINITY && !used[i][item] && value > best.value) best = (plain_choice){i, item, value, total};
        }
    return best;
}

/* Diverse beam search as the paper has it: a beam for each group, everything tried, nothing remembered. */
static int64_t plain_diverse(seqrec_sessions *pool, seqrec_session *session, int64_t groups, double strength, plain_path *out)
{
    static double outs[BEAMS][ITEMS];
    static uint8_t used[BEAMS][ITEMS];
    plain_path now[BEAMS] = {0}, next[BEAMS];
    int64_t firsts[BEAMS + 1] = {0};
    for (int64_t h = 0; h < DEEP; h++) {
        int64_t chosen[ITEMS] = {0}, made = 0, from[BEAMS + 1];
        for (int64_t i = 0; i < (h == 0 ? 1 : BEAMS); i++) {
            uint8_t barred[ITEMS] = {0};
            seqrec_session *copy = copy_of(pool, session);
            append(copy, now[i].items, h);
            for (int64_t e = 0; e < h; e++) barred[now[i].items[e]] = 1;
            outlook_of(copy, barred, ITEMS, 1, outs[i]);
            seqrec_session_release(copy);
        }
        for (int64_t g = 0; g < groups; g++) {
            const int64_t first = h == 0 ? 0 : firsts[g], end = h == 0 ? 1 : first + BEAMS / groups;
            uint8_t here[ITEMS] = {0};
            memset(used, 0, sizeof used);
            from[g] = made;
            for (int64_t b = 0; b < BEAMS / groups; b++) {
                const plain_choice c = plain_best((const double(*)[ITEMS])outs, now, first, end, strength, chosen, (const uint8_t(*)[ITEMS])used);
                used[c.path][c.item] = here[c.item] = 1;
                next[made] = now[c.path];
                next[made].items[h] = c.item;
                next[made].log_probability = c.log_probability;
                next[made++].group = g;
            }
            for (int64_t i = 0; i < ITEMS; i++) chosen[i] += here[i];
        }
        memcpy(firsts, from, (size_t)groups * sizeof *from);
        memcpy(now, next, sizeof now);
    }
    for (int64_t i = 0; i < BEAMS; i++) { /* by falling probability, stable */
        int64_t at = 0;
        for (int64_t j = 0; j < BEAMS; j++)
            at += now[j].log_probability > now[i].log_probability || (now[j].log_probability == now[i].log_probability && j < i);
        out[at] = now[i];
    }
    return BEAMS;
}

/* 0 in strength: every group finds the beam of its width. */
START_TEST(groups_of_a_beam_find_what_trying_everything_finds)
{
    static const char *const settings[] = {"position=none relative=t5", "position=start", "position=end"};
    static const double strengths[] = {0, 0.3, 1.5, 1e6};
    small_model s = open_model(settings[_i], NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[BEAMS * DEEP], found, apart = 0;
    double logs[BEAMS];
    fill_items(items);
    for (int64_t n = 3; n < 12; n += 4) {
        seqrec_session *session = session_of(pool, items, n);
        for (int64_t groups = 1; groups <= BEAMS; groups++)
            for (int32_t t = 0; BEAMS % groups == 0 && t < (groups == 1 ? 1 : 4); t++) {
                plain_path plain[BEAMS];
                int64_t firsts = 0;
                seqrec_decode how = how_of(SEQREC_DECODE_BEAM, BEAMS, DEEP);
                how.groups = groups;
                how.diversity = strengths[t];
                good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
                ck_assert_int_eq(found, plain_diverse(pool, session, groups, strengths[t], plain));
                for (int64_t i = 0; i < BEAMS; i++) {
                    ck_assert_double_eq_tol(logs[i], plain[i].log_probability, 1e-4);
                    ck_assert_mem_eq(paths + i * DEEP, plain[i].items, sizeof plain[i].items);
                    int64_t same = 0;
                    for (int64_t j = 0; j < i; j++) same += paths[j * DEEP] == paths[i * DEEP];
                    firsts += same == 0;
                }
                apart += firsts;
                if (groups == BEAMS && strengths[t] == 1e6) ck_assert_int_eq(firsts, BEAMS);
                if (strengths[t] == 0 && groups > 1)
                    for (int64_t i = 0; i < BEAMS; i++)
                        ck_assert_mem_eq(paths + i * DEEP, paths + i / groups * groups * DEEP, DEEP * sizeof *paths);
            }
        seqrec_session_release(session);
    }
    ck_assert_int_gt(apart, 0);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* Few items: groups run out of them as one beam does, and paths in all are those there are. */
START_TEST(groups_run_out_of_items_by_themselves)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[12 * 2], found;
    double logs[12];
    const int64_t allow[] = {5, 6, 7};
    fill_items(items);
    const seqrec_filter filter = {.struct_size = sizeof filter, .allow = allow, .allow_count = 3};
    seqrec_session *session = session_of(pool, items, 6);
    seqrec_decode how = how_of(SEQREC_DECODE_BEAM, 12, 2);
    how.groups = 2;
    how.diversity = 0.5;
    good(seqrec_session_decode(session, &how, &filter, paths, logs, &found, &failure));
    ck_assert_int_eq(found, 12); /* six paths of two of three items in each group */
    for (int64_t i = 0; i < 12; i += 2) {
        ck_assert_mem_eq(paths + 2 * i, paths + 2 * (i + 1), 2 * sizeof *paths);
        ck_assert(i == 0 || logs[i] <= logs[i - 1]);
    }
    how.repeats = 1;
    how.steps = 1;
    good(seqrec_session_decode(session, &how, &filter, paths, logs, &found, &failure));
    ck_assert_int_eq(found, 6);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* ---- functions of the host ---------------------------------------------------------------------------------------- */

/* No item of the last one's kind (modulo 3) may come next, none below 10, and what is asked is what is in the path. */
typedef struct kinds {
    int64_t asked, fails_at, next_step, next_path;
    int64_t deny[2 * ITEMS + 1];
    uint64_t bits[2];
} kinds;

static int barred_by_kind(int64_t item, int64_t last) { return item < 10 || (last >= 0 && item % 3 == last % 3); }

static int32_t bar_kinds(void *context, seqrec_decode_mask *m)
{
    kinds *k = context;
    ck_assert_uint_ge(m->struct_size, sizeof *m);
    ck_assert(m->deny == NULL && m->deny_count == 0 && m->bits == NULL && m->bits_first == 0 && m->bits_count == 0);
    if (m->step != k->next_step) k->next_path = 0;
    ck_assert(m->step == k->next_step || m->step == k->next_step + 1);
    ck_assert_int_eq(m->path, k->next_path++);
    k->next_step = m->step;
    if (++k->asked == k->fails_at) return 7;
    for (int64_t h = 1; h < m->step; h++) ck_assert(!barred_by_kind(m->items[h], m->items[h - 1]));
    if (m->step > 0) { /* one list for all paths, in no order, with repeats and an item that the model does not have */
        for (int64_t i = ITEMS - 1; i >= 0; i--)
            if (i % 3 == m->items[m->step - 1] % 3) k->deny[m->deny_count++] = i;
        for (int64_t i = m->deny_count - 1; i >= 0; i -= 2) k->deny[m->deny_count++] = k->deny[i];
        k->deny[m->deny_count++] = 12345;
        m->deny = k->deny;
    }
    m->bits = k->bits;
    m->bits_first = 10;
    m->bits_count = ITEMS - 10;
    m->path = m->step = -5; /* the host's copy */
    return 0;
}

static kinds all_kinds(void) { return (kinds){.bits = {UINT64_MAX, UINT64_MAX}}; }

/* As walk, by the rule above. */
static double walk_by_kinds(seqrec_sessions *pool, seqrec_session *session, const int64_t *path, int64_t steps, double temperature, int32_t best)
{
    seqrec_session *copy = copy_of(pool, session);
    double total = 0, out[ITEMS];
    for (int64_t h = 0; h < steps; h++) {
        uint8_t barred[ITEMS] = {0};
        for (int64_t i = 0; i < ITEMS; i++) barred[i] = (uint8_t)barred_by_kind(i, h > 0 ? path[h - 1] : -1);
        for (int64_t e = 0; e < h; e++) barred[path[e]] = 1;
        ck_assert(!barred[path[h]]);
        outlook_of(copy, barred, ITEMS, temperature, out);
        total += out[path[h]];
        for (int64_t i = 0; best && i < ITEMS; i++) ck_assert_double_ge(out[path[h]] + 1e-4, out[i]);
        append(copy, path + h, 1);
    }
    seqrec_session_release(copy);
    return total;
}

START_TEST(the_hosts_mask_bars_items_of_each_place)
{
    static const char *const settings[] = {"position=none relative=t5", "position=start", "position=end"};
    small_model s = open_model(settings[_i], NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[7 * STEPS], found;
    double logs[7];
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 8);
    for (int32_t method = 0; method <= SEQREC_DECODE_SAMPLE + 2; method++) { /* two more: of the best, of nuclei */
        kinds k = all_kinds();
        seqrec_decode how = how_of(method > SEQREC_DECODE_SAMPLE ? SEQREC_DECODE_SAMPLE : method, method == 0 ? 1 : 7, STEPS);
        how.mask = bar_kinds;
        how.mask_context = &k;
        how.temperature = 1.5;
        how.top_k = method == SEQREC_DECODE_SAMPLE + 1 ? 5 : 0;
        how.top_p = method == SEQREC_DECODE_SAMPLE + 2 ? 0.5 : 0;
        good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
        ck_assert_int_eq(found, how.width);
        ck_assert_int_eq(k.asked, method == SEQREC_DECODE_BEAM ? 1 + 7 * (STEPS - 1) : found * STEPS);
        for (int64_t i = 0; i < found; i++) {
            const double alone = walk_by_kinds(pool, session, paths + i * STEPS, STEPS, 1.5, method == 0);
            if (how.top_k == 0 && how.top_p == 0)
                ck_assert_double_eq_tol(logs[i], alone, 1e-4);
            else
                ck_assert_double_gt(logs[i], alone);
        }
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* A mask that says of every path what the filter says gives its bits. */
static int32_t bar_as_filter(void *context, seqrec_decode_mask *m)
{
    const seqrec_filter *filter = context;
    m->deny = filter->deny;
    m->deny_count = filter->deny_count;
    return 0;
}

START_TEST(a_mask_that_says_what_the_filter_says_gives_the_same_bits)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[2][9 * STEPS], found;
    double logs[2][9];
    fill_items(items);
    seqrec_filter filter = {.struct_size = sizeof filter, .deny = items, .deny_count = 20};
    seqrec_session *session = session_of(pool, items, 8);
    for (int32_t method = SEQREC_DECODE_BEAM; method <= SEQREC_DECODE_SAMPLE; method++) {
        seqrec_decode how = how_of(method, 9, STEPS);
        good(seqrec_session_decode(session, &how, &filter, paths[0], logs[0], &found, &failure));
        how.mask = bar_as_filter;
        how.mask_context = &filter;
        good(seqrec_session_decode(session, &how, NULL, paths[1], logs[1], &found, &failure));
        ck_assert_mem_eq(paths[0], paths[1], sizeof paths[0]);
        ck_assert_mem_eq(logs[0], logs[1], sizeof logs[0]);
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* Bars all items behind an odd one, or everything where context says so. */
static int32_t bar_behind_odd(void *context, seqrec_decode_mask *m)
{
    static const uint64_t none[] = {0, 0};
    if (*(const int32_t *)context || (m->step > 0 && m->items[m->step - 1] % 2 == 1)) {
        m->bits = none;
        m->bits_count = ITEMS;
    }
    return 0;
}

START_TEST(paths_that_a_mask_leaves_nothing_end_a_draw_and_leave_a_beam)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[9 * STEPS] = {-7}, found = -7;
    double logs[9];
    int32_t all = 0;
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 8);
    seqrec_decode how = how_of(SEQREC_DECODE_SAMPLE, 9, STEPS);
    how.mask = bar_behind_odd;
    how.mask_context = &all;
    ck_assert_int_eq(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(failure.message, "the mask leaves path "));
    all = 1;
    how.method = SEQREC_DECODE_BEAM;
    ck_assert_int_eq(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(failure.message, "the mask leaves no path an item in step 1"));
    kinds k = all_kinds();
    k.fails_at = 12;
    how.mask = bar_kinds;
    how.mask_context = &k;
    ck_assert_int_eq(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure), SEQREC_E_CANCELLED);
    ck_assert_ptr_nonnull(strstr(failure.message, "the mask of path 1 in step 3 answered 7"));
    ck_assert(found == -7 && paths[0] == -7);
    all = 0;
    how.mask = bar_behind_odd;
    how.mask_context = &all;
    good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
    for (int64_t i = 0; i < found; i++)
        for (int64_t h = 0; h + 1 < STEPS; h++) ck_assert_int_eq(paths[i * STEPS + h] % 2, 0);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* What was told, and after how many items it is enough. */
typedef struct story {
    int64_t count, enough;
    seqrec_decoded items[8 * STEPS];
} story;

static int32_t listen(void *context, const seqrec_decoded *item)
{
    story *t = context;
    ck_assert_uint_ge(item->struct_size, sizeof *item);
    ck_assert_int_lt(t->count, 8 * STEPS);
    t->items[t->count++] = *item;
    return t->count == t->enough ? -3 : 0;
}

/* Greedy and drawn paths: every item, step by step; the log probabilities add up to those of the paths. Ended after any item, all paths
 * have those of that step, which are the ones of a decode of as many steps. */
START_TEST(items_are_told_as_they_are_settled)
{
    static const char *const settings[] = {"position=none relative=t5", "position=start", "position=end"};
    small_model s = open_model(settings[_i], NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], alone[5 * STEPS], paths[5 * STEPS], found, done = -1;
    double alone_logs[5], logs[5];
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 8);
    for (int32_t method = 0; method <= SEQREC_DECODE_SAMPLE; method += SEQREC_DECODE_SAMPLE) {
        const int64_t width = method == 0 ? 1 : 5;
        seqrec_decode how = how_of(method, width, STEPS);
        how.temperature = 2;
        good(seqrec_session_decode(session, &how, NULL, alone, alone_logs, &found, &failure));
        for (int64_t enough = 0; enough <= width * STEPS; enough++) {
            story t = {.enough = enough};
            double sums[5] = {0};
            seqrec_decode told = how;
            told.told = listen;
            told.told_context = &t;
            told.done = &done;
            for (int64_t i = 0; i < width * STEPS; i++) paths[i] = -9;
            good(seqrec_session_decode(session, &told, NULL, paths, logs, &found, &failure));
            ck_assert_int_eq(t.count, enough == 0 ? width * STEPS : enough);
            ck_assert_int_eq(done, enough == 0 ? STEPS : (enough + width - 1) / width);
            ck_assert_int_eq(found, width);
            for (int64_t n = 0; n < t.count; n++) {
                ck_assert(t.items[n].path == n % width && t.items[n].step == n / width);
                ck_assert_int_eq(t.items[n].item, alone[n % width * STEPS + n / width]);
                sums[n % width] += t.items[n].log_probability;
            }
            for (int64_t i = 0; i < width; i++)
                for (int64_t h = 0; h < STEPS; h++)
                    ck_assert_int_eq(paths[i * STEPS + h], h < done ? alone[i * STEPS + h] : -9);
            for (int64_t i = 0; t.count == width * done && i < width; i++) ck_assert_double_eq_tol(sums[i], logs[i], 1e-9);
            if (done == STEPS) ck_assert_mem_eq(logs, alone_logs, (size_t)width * sizeof *logs);
        }
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* Of every method, also of several beams: what appending the items of a path one by one says of each. */
START_TEST(probabilities_of_items_are_those_of_single_steps)
{
    small_model s = open_model("position=none relative=t5", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[6 * STEPS], found;
    double logs[6], shares[6 * STEPS], each[ITEMS];
    const uint8_t barred[ITEMS] = {0};
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 8);
    for (int32_t method = SEQREC_DECODE_GREEDY; method <= SEQREC_DECODE_SAMPLE; method++) {
        seqrec_decode how = how_of(method, method == SEQREC_DECODE_GREEDY ? 1 : 6, STEPS);
        how.repeats = 1;
        how.groups = method == SEQREC_DECODE_BEAM ? 3 : 1;
        how.step_log_probabilities = shares;
        good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
        ck_assert_int_eq(found, how.width);
        for (int64_t i = 0; i < found; i++) {
            seqrec_session *copy = copy_of(pool, session);
            double sum = 0;
            for (int64_t h = i * STEPS; h < (i + 1) * STEPS; h++) {
                outlook_of(copy, barred, ITEMS, 1, each);
                ck_assert_double_eq_tol(shares[h], each[paths[h]], 2e-5);
                sum += shares[h];
                append(copy, paths + h, 1);
            }
            ck_assert_double_eq_tol(sum, logs[i], 1e-9);
            seqrec_session_release(copy);
        }
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* How many items all of n paths begin with. */
static int64_t common_of(const int64_t *paths, int64_t n, int64_t steps)
{
    for (int64_t h = 0; h < steps; h++)
        for (int64_t i = 1; i < n; i++)
            if (paths[i * STEPS + h] != paths[h]) return h;
    return steps;
}

/* What a beam has told by step t is what the paths of a beam of t steps have in common, or of any shorter one. */
START_TEST(a_beam_tells_what_all_its_paths_begin_with)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[4 * STEPS], found, done = 0, early = 0;
    double logs[4], shares[STEPS];
    fill_items(items);
    for (int64_t n = 1; n < 24; n++) {
        seqrec_session *session = session_of(pool, items, n);
        for (int64_t width = 1; width <= 4; width++) {
            int64_t told_by[STEPS + 1] = {0};
            for (int64_t steps = 1; steps <= STEPS; steps++) {
                story t = {0};
                seqrec_decode how = how_of(SEQREC_DECODE_BEAM, width, steps);
                how.temperature = 0.3;
                how.told = listen;
                how.told_context = &t;
                good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
                for (int64_t i = found - 1; i > 0; i--) memmove(paths + i * STEPS, paths + i * steps, (size_t)steps * sizeof *paths);
                const int64_t common = common_of(paths, found, steps);
                told_by[steps] = common > told_by[steps - 1] ? common : told_by[steps - 1];
                ck_assert_int_eq(t.count, told_by[steps]);
                ck_assert_int_eq(t.count, common);
                ck_assert(width > 1 || t.count == steps);
                for (int64_t h = 0; h < t.count; h++)
                    ck_assert(t.items[h].path == -1 && t.items[h].step == h && t.items[h].item == paths[h]);
                how.temperature = 1; /* follow's */
                t = (story){.enough = 2};
                how.done = &done;
                good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
                if (t.count == 2 && done < steps) early++;
                good(seqrec_session_follow(session, paths, done, 0, shares, &failure));
                how.repeats = 1;
                t = (story){0};
                good(seqrec_session_decode(session, &how, NULL, paths, logs, &found, &failure));
                good(seqrec_session_follow(session, paths, steps, 0, shares, &failure));
                for (int64_t h = 0; h < t.count; h++) ck_assert_double_eq_tol(t.items[h].log_probability, shares[h], 1e-6);
            }
        }
        seqrec_session_release(session);
    }
    ck_assert_int_gt(early, 0);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* ---- many sessions in one call ---------------------------------------------------------------------------------------- */

enum { MANY_SESSIONS = 9, WIDE = 5 };

/* What the host saw of each session. `base` is added to the number of a session that is decoded by itself. */
typedef struct hearing {
    story of[MANY_SESSIONS];
    int64_t masks[MANY_SESSIONS], base, quits, fails;
} hearing;

static int32_t bar_by_session(void *context, seqrec_decode_mask *m)
{
    static int64_t deny[2];
    hearing *h = context;
    const int64_t session = h->base + m->session;
    h->masks[session]++;
    deny[0] = (session * 11 + m->path + m->step) % ITEMS;
    deny[1] = m->step > 0 ? (m->items[m->step - 1] + 1) % ITEMS : 0;
    m->deny = deny;
    m->deny_count = 2;
    return h->fails == session && m->step == 2;
}

static int32_t hear(void *context, const seqrec_decoded *item)
{
    hearing *h = context;
    story *t = &h->of[h->base + item->session];
    t->enough = h->quits == h->base + item->session ? 2 : 0;
    return listen(t, item);
}

static seqrec_decode way_of(int32_t way, hearing *h, int64_t *done)
{
    const int32_t method = way == 0 ? SEQREC_DECODE_GREEDY : way < 3 ? SEQREC_DECODE_BEAM : SEQREC_DECODE_SAMPLE;
    seqrec_decode how = how_of(method, way == 0 ? 1 : WIDE, STEPS);
    how.groups = way == 2 ? WIDE : 1;
    how.diversity = way == 2 ? 0.7 : 0;
    how.top_p = way == 4 ? 0.7 : 0;
    how.top_k = way == 5 ? 6 : 0;
    how.mask = bar_by_session;
    how.told = hear;
    how.mask_context = how.told_context = h;
    how.done = done;
    return how;
}

static void expect_same_story(const story *a, const story *b)
{
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        const seqrec_decoded *x = &a->items[i], *y = &b->items[i];
        ck_assert(x->path == y->path && x->step == y->step && x->item == y->item);
        ck_assert_mem_eq(&x->log_probability, &y->log_probability, sizeof x->log_probability);
    }
}

typedef struct outcome {
    int64_t items[MANY_SESSIONS * WIDE * STEPS], found[MANY_SESSIONS], done[MANY_SESSIONS], skipped, strangers;
    double logs[MANY_SESSIONS * WIDE], shares[MANY_SESSIONS * WIDE * STEPS];
    hearing heard;
} outcome;

static void decode_together(seqrec_sessions *pool, seqrec_session *const *sessions, int32_t way, outcome *out)
{
    *out = (outcome){.heard = {.quits = 4, .fails = -1}};
    seqrec_decode how = way_of(way, &out->heard, out->done);
    how.step_log_probabilities = out->shares;
    const seqrec_filter filter = {
        .struct_size = sizeof filter, .exclude_seen = 1, .skipped = &out->skipped, .strangers = &out->strangers};
    good(seqrec_sessions_decode(pool, sessions, MANY_SESSIONS, &how, &filter, out->items, out->logs, out->found, &failure));
}

static void decode_one_by_one(seqrec_session *const *sessions, int32_t way, outcome *out)
{
    *out = (outcome){.heard = {.quits = 4, .fails = -1}};
    for (int64_t n = 0; n < MANY_SESSIONS; n++) {
        int64_t skipped = 0, strangers = 0;
        seqrec_decode how = way_of(way, &out->heard, out->done + n);
        how.step_log_probabilities = out->shares + n * how.width * STEPS;
        const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1, .skipped = &skipped, .strangers = &strangers};
        out->heard.base = n;
        good(seqrec_session_decode(sessions[n], &how, &filter, out->items + n * how.width * STEPS, out->logs + n * how.width,
                                   out->found + n, &failure));
        out->skipped += skipped;
        out->strangers += strangers;
    }
}

/* Results, and what the host saw of each session, which ended the fifth early. */
START_TEST(many_sessions_give_the_bits_of_one_at_a_time)
{
    static const char *const settings[] = {"position=none relative=t5", "position=start max_length=12", "position=end",
                                           "position=none user_embedding=added", "position=none score=cosine"};
    static outcome alone, together;
    int64_t items[MOST];
    const sq_options o = options_of(settings[_i / 3]);
    small_model s = small_open(&o, _i % 3 + 1, ITEMS);
    small_weights(&s);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    seqrec_session *sessions[MANY_SESSIONS];
    fill_items(items);
    items[3] = 12345; /* not in the model */
    for (int64_t n = 0; n < MANY_SESSIONS; n++) sessions[n] = session_of(pool, items, n * n % 13);
    for (int32_t way = 0; way < 6; way++) {
        decode_together(pool, sessions, way, &together);
        decode_one_by_one(sessions, way, &alone);
        ck_assert_mem_eq(alone.items, together.items, sizeof alone.items);
        ck_assert_mem_eq(alone.logs, together.logs, sizeof alone.logs);
        ck_assert_mem_eq(alone.shares, together.shares, sizeof alone.shares);
        ck_assert_mem_eq(alone.found, together.found, sizeof alone.found);
        ck_assert_mem_eq(alone.done, together.done, sizeof alone.done);
        ck_assert(alone.skipped == together.skipped && alone.skipped > 0 && alone.strangers == together.strangers);
        ck_assert_mem_eq(alone.heard.masks, together.heard.masks, sizeof alone.heard.masks);
        for (int64_t n = 0; n < MANY_SESSIONS; n++) expect_same_story(&alone.heard.of[n], &together.heard.of[n]);
        ck_assert(way == 1 || way == 2 || together.done[4] < STEPS);
        ck_assert_int_eq(together.done[5], STEPS);
    }
    for (int64_t n = 0; n < MANY_SESSIONS; n++) seqrec_session_release(sessions[n]);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* With one thread a wave is two sessions: those before the one that fails had been decoded. */
START_TEST(one_session_that_fails_fails_all)
{
    static outcome out, before;
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, 0), *other = pool_on(&s, 0);
    seqrec_session *sessions[MANY_SESSIONS];
    int64_t items[MOST];
    fill_items(items);
    for (int64_t n = 0; n < MANY_SESSIONS; n++) sessions[n] = session_of(pool, items, n + 1);
    memset(&out, 7, sizeof out);
    out.heard = (hearing){.quits = -1, .fails = 6};
    before = out;
    seqrec_decode how = way_of(3, &out.heard, out.done);
    const seqrec_filter filter = {.struct_size = sizeof filter, .skipped = &out.skipped, .strangers = &out.strangers};
#define FAILS(code, hint, pool, n)                                                                                     \
    do {                                                                                                               \
        ck_assert_int_eq(seqrec_sessions_decode(pool, sessions, n, &how, &filter, out.items, out.logs, out.found, &failure), code); \
        ck_assert_msg(strstr(failure.message, hint) != NULL, "%s", failure.message);                                   \
        before.heard = out.heard;                                                                                      \
        ck_assert_mem_eq(&out, &before, sizeof out);                                                                   \
    } while (0)
    FAILS(SEQREC_E_CANCELLED, "session 6: the mask of path 0 in step 3 answered 1", pool, MANY_SESSIONS);
    how.mask = NULL;
    how.told = NULL;
    seqrec_session *kept = sessions[8];
    sessions[8] = sessions[1];
    FAILS(SEQREC_E_STATE, "session 8 is session 1 once more", pool, MANY_SESSIONS);
    sessions[8] = NULL;
    FAILS(SEQREC_E_ARGUMENT, "session 8 is NULL", pool, MANY_SESSIONS);
    sessions[8] = kept;
    FAILS(SEQREC_E_ARGUMENT, "session 0 is of another pool", other, MANY_SESSIONS);
    FAILS(SEQREC_E_RANGE, "n = -1", pool, -1);
    FAILS(SEQREC_E_ARGUMENT, "sessions is NULL", NULL, MANY_SESSIONS);
    good(seqrec_session_evict(sessions[7], &failure));
    FAILS(SEQREC_E_STATE, "session 7: the session was evicted", pool, MANY_SESSIONS);
    good(seqrec_sessions_decode(pool, sessions, 7, &how, &filter, out.items, out.logs, out.found, &failure));
    out.skipped = out.strangers = 7;
    good(seqrec_sessions_decode(pool, NULL, 0, &how, &filter, NULL, NULL, NULL, &failure));
    ck_assert(out.skipped == 0 && out.strangers == 0);
    ck_assert_int_eq(out.found[6], WIDE);
    for (int64_t n = 0; n < MANY_SESSIONS; n++) seqrec_session_release(sessions[n]);
    seqrec_sessions_release(pool);
    seqrec_sessions_release(other);
    small_close(&s);
}
END_TEST

/* A vector may be so long that its score is infinite: then nothing is probable, and no path comes of it. */
START_TEST(infinite_scores_are_refused_whatever_the_method)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[4 * 2], found = -1;
    const int64_t id = 70;
    float user[WIDEST], vector[WIDEST];
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 6);
    encode(session, user);
    for (int64_t i = 0; i < dim_of(&s); i++) vector[i] = user[i] < 0 ? -3e38f : 3e38f;
    good(seqrec_items_update(s.model, &id, 1, vector, &failure));
    for (int32_t way = 0; way < 6; way++) {
        seqrec_decode how = how_of(way == 0 ? SEQREC_DECODE_GREEDY : way == 1 ? SEQREC_DECODE_BEAM : SEQREC_DECODE_SAMPLE, way ? 4 : 0, 2);
        if (way == 3 || way == 5) how.top_k = 5;
        if (way > 3) how.top_p = 0.8;
        memset(paths, 7, sizeof paths);
        const int64_t before = paths[0];
        ck_assert_int_eq(seqrec_session_decode(session, &how, NULL, paths, NULL, &found, &failure), SEQREC_E_NUMERIC);
        ck_assert_msg(strstr(failure.message, "in step 1 the scores of items are not numbers") != NULL, "%s", failure.message);
        ck_assert(found == -1 && paths[0] == before);
        const seqrec_filter without = {.struct_size = sizeof without, .deny = &id, .deny_count = 1};
        good(seqrec_session_decode(session, &how, &without, paths, NULL, &found, &failure));
        found = -1;
    }
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* Of what may follow alone: a score of -Inf, and one that is not a number beside others. */
START_TEST(scores_that_are_no_numbers_or_all_minus_infinite_are_refused_whatever_the_method)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[4 * 2], found = -1;
    const int64_t id = 70, beside[] = {70, 71, 72, 73, 74, 75};
    float user[WIDEST], vector[WIDEST], score;
    fill_items(items);
    seqrec_session *session = session_of(pool, items, 6);
    encode(session, user);
    for (int64_t i = 0; i < dim_of(&s); i++) vector[i] = (user[i] < 0) == (_i == 0 || i % 2) ? 3e38f : -3e38f;
    good(seqrec_items_update(s.model, &id, 1, vector, &failure));
    good(seqrec_session_score(session, &id, 1, &score, &failure));
    ck_assert(_i == 0 ? score == -INFINITY : isnan(score));
    for (int32_t way = 0; way < 6; way++) {
        seqrec_decode how = how_of(way == 0 ? SEQREC_DECODE_GREEDY : way == 1 ? SEQREC_DECODE_BEAM : SEQREC_DECODE_SAMPLE, way ? 4 : 0, 1);
        if (way == 3 || way == 5) how.top_k = 5;
        if (way > 3) how.top_p = 0.8;
        const seqrec_filter only = {.struct_size = sizeof only, .allow = beside, .allow_count = _i == 0 ? 1 : 6};
        ck_assert_int_eq(seqrec_session_decode(session, &how, &only, paths, NULL, &found, &failure), SEQREC_E_NUMERIC);
        ck_assert_msg(strstr(failure.message, "in step 1 the scores of items are not numbers") != NULL, "%s", failure.message);
        ck_assert_int_eq(found, -1);
    }
    double probability;
    ck_assert_int_eq(seqrec_session_follow(session, beside + 1, 1, 0, &probability, &failure), _i == 0 ? SEQREC_OK : SEQREC_E_NUMERIC);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

/* An id in a list that the model lacks is one, of however many sessions. */
START_TEST(unknown_ids_of_lists_count_once_for_many_sessions)
{
    small_model s = open_model("position=none", NULL);
    seqrec_sessions *pool = pool_on(&s, SIZE_MAX);
    int64_t items[MOST], paths[3], found[3], skipped = -1;
    const int64_t stranger = 12345;
    fill_items(items);
    items[2] = stranger;
    seqrec_session *sessions[3];
    for (int n = 0; n < 3; n++) sessions[n] = session_of(pool, items, n + 1); /* the third has it */
    const seqrec_decode how = how_of(SEQREC_DECODE_GREEDY, 0, 1);
    const seqrec_filter without = {.struct_size = sizeof without, .deny = &stranger, .deny_count = 1, .skipped = &skipped};
    good(seqrec_sessions_decode(pool, sessions, 3, &how, &without, paths, NULL, found, &failure));
    ck_assert_int_eq(skipped, 2);
    for (int n = 0; n < 3; n++) seqrec_session_release(sessions[n]);
    seqrec_sessions_release(pool);
    small_close(&s);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("decode");
    tcase_add_loop_test(tests, paths_are_what_appending_their_items_gives, 0, SCHEMES);
    tcase_add_loop_test(tests, following_a_path_is_appending_its_items, 0, SCHEMES);
    tcase_add_test(tests, a_beam_that_is_wide_enough_finds_the_best_of_all_paths);
    tcase_add_test(tests, items_are_drawn_by_their_probabilities);
    tcase_add_loop_test(tests, pairs_of_items_are_drawn_by_their_probabilities, 0, 3);
    tcase_add_test(tests, items_of_the_nucleus_are_drawn_by_their_probabilities);
    tcase_add_test(tests, the_smallest_nucleus_is_the_best_item);
    tcase_add_test(tests, items_of_all_chunks_are_drawn_by_their_probabilities);
    tcase_add_test(tests, drawn_paths_depend_on_seed_and_number_alone);
    tcase_add_test(tests, filters_hold_in_every_step_and_items_come_once);
    tcase_add_loop_test(tests, the_hosts_mask_bars_items_of_each_place, 0, 3);
    tcase_add_test(tests, a_mask_that_says_what_the_filter_says_gives_the_same_bits);
    tcase_add_test(tests, paths_that_a_mask_leaves_nothing_end_a_draw_and_leave_a_beam);
    tcase_add_loop_test(tests, items_are_told_as_they_are_settled, 0, 3);
    tcase_add_test(tests, probabilities_of_items_are_those_of_single_steps);
    tcase_add_test(tests, a_beam_tells_what_all_its_paths_begin_with);
    tcase_add_loop_test(tests, groups_of_a_beam_find_what_trying_everything_finds, 0, 3);
    tcase_add_test(tests, groups_run_out_of_items_by_themselves);
    tcase_add_loop_test(tests, many_sessions_give_the_bits_of_one_at_a_time, 0, 15);
    tcase_add_test(tests, one_session_that_fails_fails_all);
    tcase_add_test(tests, infinite_scores_are_refused_whatever_the_method);
    tcase_add_loop_test(tests, scores_that_are_no_numbers_or_all_minus_infinite_are_refused_whatever_the_method, 0, 2);
    tcase_add_test(tests, unknown_ids_of_lists_count_once_for_many_sessions);
    Suite *suite = suite_create("decode");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
