/* unit: the spectral filter: against the transform by its definition, what it may see, where its spectrum lies. */
#include "layer/filter.h"
#include "network_pass.h"
#include "run_suite.h"

enum { WIDTH = 16, LONGEST = 40, FLOATS = 64 * WIDTH };

/* Causal windows of even, odd and no length to speak of, wider than the sequence, and windows to either side. */
static const struct {
    size_t window, ahead;
} windows[] = {{1, 0}, {2, 0}, {5, 0}, {8, 0}, {40, 0}, {57, 0}, {1, 0}, {2, 1}, {5, 2}, {8, 4}, {57, 28}, {62, 31}};
#define WINDOWS ((int)(sizeof windows / sizeof *windows))

typedef struct filtered {
    sq_filter filter;
    float spectrum[FLOATS], taps[FLOATS], x[FLOATS], y[FLOATS];
} filtered;

static void open_filter(filtered *f, int index, const sq_kernels *k)
{
    memset(f, 0, sizeof *f);
    for (int64_t i = 0; i < FLOATS; i++) {
        f->spectrum[i] = wave(1, i);
        f->x[i] = wave(2, i);
    }
    f->filter = (sq_filter){k, windows[index].window, windows[index].ahead, WIDTH, f->taps};
    sq_filter_taps_fwd(k, f->filter.window, f->filter.ahead, WIDTH, f->spectrum, f->taps);
}

/* ---- the transform by its definition ----------------------------------------------------------------------------- */

/* y of row t and one channel: the events of its window are laid round a circle of K places, event t at place 0 and older ones
 * backwards, what is not there 0; Y_f = W_f X_f for the frequencies of a real sequence, W_(K - f) the conjugate of W_f, and y is
 * place 0 of the inverse transform. */
static double by_definition(const filtered *f, size_t n, size_t t, size_t channel)
{
    const size_t K = f->filter.window, frequencies = K / 2 + 1;
    double y = 0;
    for (size_t k = 0; k < K; k++) {
        size_t own = k < frequencies ? k : K - k;
        double re = (double)f->spectrum[own * WIDTH + channel], X[2] = {0, 0};
        double im = (double)f->spectrum[(frequencies + own) * WIDTH + channel];
        if (own == 0 || 2 * own == K) im = 0;
        if (k >= frequencies) im = -im;
        for (ptrdiff_t lag = -(ptrdiff_t)f->filter.ahead; lag < (ptrdiff_t)(K - f->filter.ahead); lag++) {
            ptrdiff_t row = (ptrdiff_t)t - lag;
            if (row < 0 || row >= (ptrdiff_t)n) continue;
            double angle = 2 * M_PI * (double)k * (double)lag / (double)K, x = (double)f->x[(size_t)row * WIDTH + channel];
            X[0] += x * cos(angle); /* exp(-2 pi i k place / K) with place = -lag */
            X[1] += x * sin(angle);
        }
        y += (re * X[0] - im * X[1]) / (double)K;
    }
    return y;
}

START_TEST(a_filter_multiplies_the_transform_of_its_window)
{
    const sq_kernels *k = sq_kernels_variant(_i / WINDOWS);
    static filtered f;
    if (!k) return;
    open_filter(&f, _i % WINDOWS, k);
    for (size_t n = 1; n <= LONGEST; n += n < 12 ? 1 : 9) {
        sq_filter_fwd(&f.filter, n, 0, f.x, f.y);
        for (size_t t = 0; t < n; t++)
            for (size_t c = 0; c < WIDTH; c++) {
                double y = by_definition(&f, n, t, c);
                ck_assert_msg(fabs((double)f.y[t * WIDTH + c] - y) < 2e-6, "%zu events, row %zu, channel %zu: %.9g, not %.9g",
                              n, t, c, (double)f.y[t * WIDTH + c], y);
            }
    }
}
END_TEST

/* <dy, filter(x)> is linear in x and in the spectrum: each side's derivative times it is the product itself. */
START_TEST(derivatives_of_a_filter_are_its_adjoints)
{
    static filtered f;
    static float dy[FLOATS], dx[FLOATS], dtaps[FLOATS], dspectrum[FLOATS];
    const sq_kernels *k = sq_kernels_best();
    open_filter(&f, _i, k);
    for (size_t n = 1; n <= LONGEST; n += 3) {
        double product = 0, by_x = 0, by_spectrum = 0;
        memset(dx, 0, sizeof dx);
        memset(dtaps, 0, sizeof dtaps);
        memset(dspectrum, 0, sizeof dspectrum);
        for (int64_t i = 0; i < FLOATS; i++) dy[i] = wave(3, i);
        sq_filter_fwd(&f.filter, n, 0, f.x, f.y);
        sq_filter_bwd(&f.filter, n, f.x, dy, dx, dtaps);
        sq_filter_taps_bwd(k, f.filter.window, f.filter.ahead, WIDTH, dtaps, dspectrum);
        for (size_t i = 0; i < n * WIDTH; i++) product += (double)dy[i] * (double)f.y[i];
        for (size_t i = 0; i < n * WIDTH; i++) by_x += (double)dx[i] * (double)f.x[i];
        for (size_t i = 0; i < FLOATS; i++) by_spectrum += (double)dspectrum[i] * (double)f.spectrum[i];
        ck_assert_msg(fabs(by_x - product) < 1e-4, "%zu events: %.9g by x, not %.9g", n, by_x, product);
        ck_assert_msg(fabs(by_spectrum - product) < 1e-4, "%zu events: %.9g by W, not %.9g", n, by_spectrum, product);
        for (size_t i = n * WIDTH; i < FLOATS; i++) ck_assert(dx[i] == 0);
    }
}
END_TEST

START_TEST(the_ends_of_a_spectrum_are_real)
{
    static filtered f, other;
    const size_t K = windows[_i].window, frequencies = K / 2 + 1;
    open_filter(&f, _i, sq_kernels_best());
    other = f;
    for (size_t c = 0; c < WIDTH; c++) {
        other.spectrum[frequencies * WIDTH + c] += 5;
        if (K % 2 == 0) other.spectrum[(frequencies + K / 2) * WIDTH + c] += 5;
    }
    sq_filter_taps_fwd(f.filter.kernels, K, f.filter.ahead, WIDTH, other.spectrum, other.taps);
    ck_assert_mem_eq(f.taps, other.taps, K * WIDTH * sizeof *f.taps);
}
END_TEST

/* ---- what a row sees ------------------------------------------------------------------------------------------------- */

START_TEST(a_row_is_that_of_its_window_wherever_the_window_lies)
{
    static filtered f;
    float moved[FLOATS], few[FLOATS];
    open_filter(&f, _i, sq_kernels_best());
    size_t before = f.filter.window - 1 - f.filter.ahead, n = 30;
    sq_filter_fwd(&f.filter, n, 0, f.x, f.y);
    sq_filter_fwd(&f.filter, n - 10, 0, f.x + 10 * WIDTH, moved);
    for (size_t t = 10 + before; t < n; t++)
        ck_assert_mem_eq(f.y + t * WIDTH, moved + (t - 10) * WIDTH, WIDTH * sizeof *moved);
    sq_filter_fwd(&f.filter, n, n - 3, f.x, few);
    ck_assert_mem_eq(f.y + (n - 3) * WIDTH, few + (n - 3) * WIDTH, 3 * WIDTH * sizeof *few);
    for (size_t change = 0; change < n; change++) {
        f.x[change * WIDTH] += 1;
        sq_filter_fwd(&f.filter, n, 0, f.x, moved);
        f.x[change * WIDTH] -= 1;
        for (size_t t = 0; t < n; t++) {
            int sees = change + before >= t && change <= t + f.filter.ahead;
            int differs = memcmp(f.y + t * WIDTH, moved + t * WIDTH, WIDTH * sizeof *moved) != 0;
            ck_assert_msg(sees || !differs, "row %zu sees event %zu", t, change);
            ck_assert_msg(!sees || differs, "row %zu does not see event %zu", t, change);
        }
    }
}
END_TEST

static sq_options options_of(int64_t mask)
{
    sq_options o = small_options("sasrec");
    o.dim = 14;
    o.position = SQ_POSITION_NONE;
    o.mixer = SQ_MIXER_SPECTRAL;
    o.spectral_window = 6;
    o.max_length = 60;
    o.mask = mask;
    o.objective = mask == SQ_MASK_BIDIRECTIONAL ? SQ_OBJECTIVE_CLOZE : SQ_OBJECTIVE_NEXT;
    return o;
}

/* Two blocks of six taps reach eleven events: older ones, and where in the history these are, do not matter. */
START_TEST(a_network_without_positions_sees_the_latest_events_alone)
{
    sq_options o = options_of(SQ_MASK_CAUSAL);
    small_model s = small_open(&o, 0, 90);
    small_weights(&s);
    small_batch b, tail = {.sequences = 1, .offsets = {0, 11}};
    small_draw(&b, 3, 1, 50, 50, 90);
    memcpy(tail.slots, b.slots + 39, 11 * sizeof *b.slots);
    network_pass *whole = pass_open(s.model, &b, 0, 0, 1), *end = pass_open(s.model, &tail, 0, 0, 1);
    const float *u = pass_forward(whole) + 49 * 16;
    ck_assert_mem_eq(u, pass_forward(end) + 10 * 16, 16 * sizeof *u);
    pass_close(end);
    tail.slots[0] = (tail.slots[0] + 1) % 90;
    end = pass_open(s.model, &tail, 0, 0, 1);
    ck_assert_mem_ne(u, pass_forward(end) + 10 * 16, 16 * sizeof *u);
    pass_close(end);
    pass_close(whole);
    small_close(&s);
}
END_TEST

/* ---- the model ------------------------------------------------------------------------------------------------------- */

START_TEST(a_spectrum_is_two_tables_that_begin_as_small_noise)
{
    sq_options o = options_of(SQ_MASK_CAUSAL);
    o.dim = 50;
    o.spectral_window = 200;
    small_model s = small_open(&o, 0, 5);
    const sq_layout *l = &s.model->layout;
    int found = 0;
    for (int32_t i = 0; i < l->count; i++) {
        const sq_parameter *p = &l->parameters[i];
        double square = 0;
        ck_assert_msg(!strstr(p->name, "query") && !strstr(p->name, "attention"), "%s", p->name);
        if (strcmp(p->name, "blocks.1.filter.real") != 0 && strcmp(p->name, "blocks.1.filter.imaginary") != 0) continue;
        ck_assert_int_eq(p->rows, 101);
        ck_assert_int_eq(p->cols, 50);
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++) {
                double x = (double)s.model->current->parts.weights->at[sq_parameter_index(p, r, c)];
                square += x * x;
            }
        ck_assert_msg(fabs(sqrt(square / 5050) - 0.02) < 0.001, "deviation %g", sqrt(square / 5050));
        found++;
    }
    ck_assert_int_eq(found, 2);
    small_close(&s);
}
END_TEST

START_TEST(steps_of_filters_lower_the_loss)
{
    sq_options o = options_of(_i ? SQ_MASK_BIDIRECTIONAL : SQ_MASK_CAUSAL);
    o.learning_rate = 0.01;
    small_model s = small_open(&o, 0, 60);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 5, 10, 4, 12, 60);
    const sq_layout *l = &s.model->layout;
    float before[WIDTH];
    memcpy(before, s.trainer->weights + l->block[0].spectrum, sizeof before);
    double first = small_step(s.trainer, &b), last = 0;
    for (int i = 0; i < 120; i++) last = i < 110 ? small_step(s.trainer, &b), 0 : last + small_step(s.trainer, &b) / 10;
    ck_assert_msg(last < 0.85 * first, "from %g to %g", first, last);
    ck_assert_mem_ne(before, s.trainer->weights + l->block[0].spectrum, sizeof before);
    small_close(&s);
}
END_TEST

START_TEST(options_of_attention_are_refused)
{
    sq_options o = options_of(SQ_MASK_CAUSAL), usual = o;
    seqrec_error error = {0};
    static const struct {
        const char *name, *value, *rule;
    } rows[] = {
        {"heads", "2", "mixer = spectral has none"},
        {"gates", "position", "gates are those of attention"},
        {"wiring", "original", "normalises queries"},
        {"dropout_attention", "0.1", "has no probabilities"},
        {"user_embedding", "prefix", "would not see their user"},
        {"mixer", "attention", "spectral_window = 6 is that of mixer = spectral"},
    };
    ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        o = usual;
        ck_assert_int_eq(sq_options_set(&o, rows[i].name, rows[i].value, &error), SEQREC_OK);
        ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_E_ARGUMENT);
        ck_assert_msg(strstr(error.message, rows[i].rule) != NULL, "%s", error.message);
    }
    o = usual;
    o.spectral_window = 0;
    o.max_length = 1025;
    ck_assert_int_eq(sq_options_check(&o, &error), SEQREC_E_ARGUMENT);
    ck_assert_msg(strstr(error.message, "max_length = 1025; a filter covers at most 1024") != NULL, "%s", error.message);
    ck_assert_int_eq(sq_options_set(&o, "spectral_window", "1025", &error), SEQREC_E_RANGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tests = tcase_create("filter");
    tcase_add_loop_test(tests, a_filter_multiplies_the_transform_of_its_window, 0, 3 * WINDOWS);
    tcase_add_loop_test(tests, derivatives_of_a_filter_are_its_adjoints, 0, WINDOWS);
    tcase_add_loop_test(tests, the_ends_of_a_spectrum_are_real, 0, WINDOWS);
    tcase_add_loop_test(tests, a_row_is_that_of_its_window_wherever_the_window_lies, 0, WINDOWS);
    tcase_add_test(tests, a_network_without_positions_sees_the_latest_events_alone);
    tcase_add_test(tests, a_spectrum_is_two_tables_that_begin_as_small_noise);
    tcase_add_loop_test(tests, steps_of_filters_lower_the_loss, 0, 2);
    tcase_add_test(tests, options_of_attention_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
