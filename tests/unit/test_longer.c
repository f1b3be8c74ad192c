/* api: models that read longer histories than they were trained on. */
#include <math.h>
#include <stdio.h>
#include "api_fixture.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { SHORT = 6, LONG = 15, ITEMS = 40, DIM = 8 };

static const char *const none[] = {NULL};
static const char *const t5[] = {"relative", "t5", NULL};
static const char *const rotary[] = {"relative", "rotary", NULL};
static const char *const alibi[] = {"relative", "alibi", NULL};
static const char *const shaw[] = {"relative", "shaw", NULL};
static const char *const shaw_clipped[] = {"relative", "shaw", "relative_clip", "3", NULL};
static const char *const shaw_prefix[] = {"relative", "shaw", "user_embedding", "prefix", NULL};
static const char *const shaw_banded[] = {"relative", "shaw", "attention_span", "4", NULL};
static const char *const both_ways[] = {"relative", "shaw", "mask", "bidirectional", "objective", "cloze", NULL};
static const char *const reversed[] = {"position", "reversed", NULL};
static const char *const reversed_clipped[] = {"position", "reversed", "relative_clip", "2", NULL};
static const char *const hstu[] = {"attention", "hstu", "relative", "bias", "wiring", "pre_norm", NULL};
static const char *const spectral[] = {"mixer", "spectral", NULL};
static const char *const *const schemes[] = {none, t5, rotary, alibi, shaw, shaw_clipped, shaw_prefix, shaw_banded, both_ways, hstu, spectral,
                                             reversed, reversed_clipped};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

static void open_model(const char *const *settings)
{
    int64_t ids[ITEMS];
    api.allocator = failing_allocator_of(&api.memory);
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, 0, NULL, NULL, &api.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &api.config, &api.error));
    api_set("dim", "8");
    api_set("blocks", "2");
    api_set("max_length", "6");
    api_set("position", "none");
    api_set("init", "normal");
    api_set("init_std", "0.3");
    for (; *settings != NULL; settings += 2) api_set(settings[0], settings[1]);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, ITEMS, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("model"), &api.error));
}

/* The vector behind the last n of the items 1, 8, 15, ..., of which the oldest is `oldest`. */
static void encode(const seqrec_model *model, int64_t n, int64_t oldest, float *out)
{
    int64_t items[LONG];
    const int64_t offsets[] = {0, n};
    for (int64_t i = 0; i < n; i++) items[i] = (1 + 7 * (LONG - n + i)) % ITEMS;
    items[0] = oldest;
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items};
    EXPECT(SEQREC_OK, seqrec_encode(model, &batch, NULL, out, &api.error));
}

static int differ(const float *a, const float *b) { return memcmp(a, b, DIM * sizeof *a) != 0; }

static void expect_option(const seqrec_model *model, const char *name, const char *wanted)
{
    char value[32];
    seqrec_config *config = NULL;
    EXPECT(SEQREC_OK, seqrec_model_config(model, &config, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_get(config, name, value, sizeof value, NULL, &api.error));
    ck_assert_str_eq(value, wanted);
    seqrec_config_release(config);
}

/* Within the old window nothing changes, in bits; beyond it what lies there is read, unless a band of attention keeps it out. */
START_TEST(a_longer_window_reads_more_and_changes_nothing_before)
{
    const char *const *settings = schemes[_i];
    float now[DIM], then[DIM], other[DIM];
    seqrec_model *longer = NULL, *again = NULL;
    scratch_create();
    open_model(settings);
    EXPECT(SEQREC_OK, seqrec_model_load_longer(api.context, scratch_path("model"), LONG, &longer, &api.error));
    expect_option(longer, "max_length", "15");
    for (int64_t n = 1; n <= SHORT; n++) {
        if (settings == both_ways && n == SHORT) continue; /* [MASK] has a place of the window too */
        encode(api.model, n, 3, then);
        encode(longer, n, 3, now);
        ck_assert_msg(!differ(now, then), "%lld events", (long long)n);
    }
    for (int64_t n = SHORT + 1; n < LONG; n++) {
        encode(api.model, n, 3, then);
        encode(api.model, n, 4, other);
        ck_assert(!differ(then, other));
        encode(longer, n, 3, now);
        encode(longer, n, 4, other);
        const int64_t reach = settings == shaw_banded ? 2 * 3 + 1 : settings == spectral ? 2 * 5 + 1 : LONG;
        ck_assert_msg(differ(now, other) == (n <= reach), "%lld events", (long long)n);
        for (int32_t i = 0; i < DIM; i++) ck_assert(isfinite(now[i]));
    }
    EXPECT(SEQREC_OK, seqrec_model_save(longer, scratch_path("longer"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path("longer"), &again, &api.error));
    encode(longer, LONG - 1, 3, now);
    encode(again, LONG - 1, 3, then);
    ck_assert(!differ(now, then));
    seqrec_model_release(again);
    seqrec_model_release(longer);
    api_close();
    scratch_remove();
}
END_TEST

/* Shaw's rows beyond the trained distances: as a model with the same rows and relative_clip reads them. */
START_TEST(what_stood_for_the_old_window_keeps_its_number)
{
    seqrec_model *longer = NULL;
    scratch_create();
    open_model(_i == 0 ? shaw : _i == 1 ? shaw_clipped : _i == 2 ? shaw_prefix : _i == 3 ? shaw_banded : _i == 4 ? hstu : _i == 5 ? spectral : _i == 6 ? reversed : reversed_clipped);
    EXPECT(SEQREC_OK, seqrec_model_load_longer(api.context, scratch_path("model"), LONG, &longer, &api.error));
    static const char *const clips[] = {"5", "3", "6", "3", "5", "0", "5", "2"};
    expect_option(longer, "relative_clip", clips[_i]);
    expect_option(longer, "hstu_length", _i == 4 ? "6" : "0");
    expect_option(longer, "spectral_window", _i == 5 ? "6" : "0");
    seqrec_model_release(longer);
    api_close();
    scratch_remove();
}
END_TEST

START_TEST(what_has_no_parameters_for_more_places_is_refused)
{
    static const char *const end[] = {"position", "end", NULL}, *const start[] = {"position", "start", NULL};
    static const char *const band[] = {"position", "reversed", "attention_span", "3", NULL}, *const gates[] = {"gates", "position", NULL};
    static const char *const *const refused[] = {end, start, band, gates};
    static const char *const reasons[] = {"position is neither none nor reversed", "position is neither none nor reversed",
                                          "position = reversed with attention_span = 3 and relative_clip = 0", "gates = position"};
    seqrec_model *longer = NULL;
    scratch_create();
    open_model(refused[_i]);
    REFUSED(SEQREC_E_UNSUPPORTED, reasons[_i],
            seqrec_model_load_longer(api.context, scratch_path("model"), LONG, &longer, &api.error));
    ck_assert_ptr_null(longer);
    EXPECT(SEQREC_OK, seqrec_model_load_longer(api.context, scratch_path("model"), SHORT, &longer, &api.error));
    seqrec_model_release(longer);
    api_close();
    scratch_remove();
}
END_TEST

START_TEST(wrong_lengths_are_refused)
{
    seqrec_model *longer = NULL;
    scratch_create();
    open_model(none);
    const char *path = scratch_path("model");
    REFUSED(SEQREC_E_RANGE, "max_length = 5 is below the model's 6", seqrec_model_load_longer(api.context, path, 5, &longer, &api.error));
    REFUSED(SEQREC_E_RANGE, "max_length = 0", seqrec_model_load_longer(api.context, path, 0, &longer, &api.error));
    REFUSED(SEQREC_E_RANGE, "max_length = -6", seqrec_model_load_longer(api.context, path, -6, &longer, &api.error));
    REFUSED(SEQREC_E_RANGE, "max_length", seqrec_model_load_longer(api.context, path, (int64_t)1 << 40, &longer, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_load_longer(api.context, NULL, LONG, &longer, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_load_longer(api.context, path, LONG, NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "nothing", seqrec_model_load_longer(api.context, scratch_path("nothing"), LONG, &longer, &api.error));
    EACH_ALLOCATION_FAILS(seqrec_model_load_longer(api.context, path, LONG, &longer, &api.error), (void)0, seqrec_model_release(longer));
    api_close();
    scratch_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("longer");
    TCase *tests = tcase_create("longer");
    tcase_add_loop_test(tests, a_longer_window_reads_more_and_changes_nothing_before, 0, SCHEMES);
    tcase_add_loop_test(tests, what_stood_for_the_old_window_keeps_its_number, 0, 8);
    tcase_add_loop_test(tests, what_has_no_parameters_for_more_places_is_refused, 0, 4);
    tcase_add_test(tests, wrong_lengths_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
