/* unit: options through the public interface. */
#include <stdio.h>
#include "api_fixture.h"
#include "made_locale.h"
#include "run_suite.h"

static const char *value_of(const char *name)
{
    static char value[64];
    EXPECT(SEQREC_OK, seqrec_config_get(api.config, name, value, sizeof value, NULL, &api.error));
    return value;
}

static int describe(int32_t index, seqrec_option_info *info)
{
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    int32_t status = seqrec_option_describe(index, info);
    ck_assert(status == SEQREC_OK || status == SEQREC_E_NOT_FOUND);
    return status == SEQREC_OK;
}

static int has_value(const char *name, const char *value)
{
    char before[64], numeral[64];
    EXPECT(SEQREC_OK, seqrec_config_get(api.config, name, before, sizeof before, NULL, &api.error));
    if (seqrec_config_set(api.config, name, value, &api.error) != SEQREC_OK) return 0;
    EXPECT(SEQREC_OK, seqrec_config_get(api.config, name, numeral, sizeof numeral, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_set(api.config, name, before, &api.error));
    return strcmp(numeral, value) == 0;
}

/* "name=a|b" or "name!=a|b", with " or " between several: names and values are those of the table. */
static void check_needs(const char *needs)
{
    char copy[256], *next = copy;
    snprintf(copy, sizeof copy, "%s", needs);
    while (next) {
        char *term = next, *values = strchr(term, '=') + 1;
        next = strstr(term, " or ");
        if (next) *next = 0, next += 4;
        values[values[-2] == '!' ? -2 : -1] = 0;
        for (char *value = strtok(values, "|"); value; value = strtok(NULL, "|"))
            ck_assert_msg(has_value(term, value), "%s: %s cannot be %s", needs, term, value);
    }
}

START_TEST(every_option_describes_itself)
{
    seqrec_option_info info;
    int32_t count = 0;
    for (; describe(count, &info); count++) {
        ck_assert_uint_eq(info.struct_size, sizeof info);
        ck_assert(strcmp(info.scope, "model") == 0 || strcmp(info.scope, "training") == 0 ||
                  strcmp(info.scope, "runtime") == 0);
        int choice = strcmp(info.kind, "choice") == 0, boolean = strcmp(info.kind, "boolean") == 0;
        ck_assert(choice || boolean || strcmp(info.kind, "integer") == 0 || strcmp(info.kind, "real") == 0);
        ck_assert_int_eq(choice, info.choices != NULL);
        if (!choice) ck_assert(info.lowest < info.highest);
        ck_assert(info.since[0] != 0 && info.help[strlen(info.help) - 1] == '.');
        if (info.needs) check_needs(info.needs);
    }
    ck_assert_int_gt(count, 40);
    ck_assert(!describe(-1, &info) && !describe(INT32_MIN, &info) && !describe(INT32_MAX, &info));
}
END_TEST

START_TEST(a_new_config_has_the_initial_values)
{
    seqrec_option_info info;
    for (int32_t i = 0; describe(i, &info); i++) {
        seqrec_config *fresh = NULL;
        char value[64];
        EXPECT(SEQREC_OK, seqrec_config_create(NULL, &fresh, &api.error));
        EXPECT(SEQREC_OK, seqrec_config_get(fresh, info.name, value, sizeof value, NULL, &api.error));
        ck_assert_msg(strcmp(value, info.initial) == 0, "%s starts as %s, not %s", info.name, value, info.initial);
        seqrec_config_release(fresh);
    }
}
END_TEST

START_TEST(the_fixed_options_have_their_names_and_defaults)
{
    static const struct {
        const char *preset, *name, *value;
    } rows[] = {
        {"sasrec", "dim", "50"},
        {"sasrec", "dropout", "0.2"},
        {"sasrec", "loss", "bce"},
        {"sasrec", "negatives", "1"},
        {"sasrec", "blocks", "2"},
        {"sasrec", "heads", "1"},
        {"sasrec", "max_length", "200"},
        {"sasrec", "batch", "128"},
        {"sasrec", "wiring", "post_norm"},
        {"sasrec", "learning_rate", "0.001"},
        {"sasrec-original", "wiring", "original"},
        {"sasrec-original", "dim", "50"},
        {"sasrec-softmax", "loss", "softmax"},
        {"sasrec-softmax", "dim", "64"},
        {"sasrec-sampled-softmax", "loss", "sampled_softmax"},
        {"sasrec-sampled-softmax", "negatives", "256"},
        {"sasrec-sampled-softmax", "dim", "64"},
        {"sse-pt", "user_embedding", "concatenated"},
        {"sse-pt", "wiring", "original"},
        {"sse-pt", "dim", "50"},
        {"sse-pt", "sse_user", "0.92"},
        {"sse-pt", "sse_item", "0.1"},
        {"sse-pt", "user_default_share", "0"},
        {"gsasrec", "beta2", "0.999"},
        {"gsasrec", "batch", "32"},
        {"gsasrec", "scale_embeddings", "true"},
        {"gsasrec", "patience", "30"},
        {"sse-pt", "loss", "bce"},
        {"sasrec", "user_embedding", "none"},
        {"bert4rec", "mask", "bidirectional"},
        {"bert4rec", "objective", "cloze"},
        {"bert4rec", "dim", "64"},
        {"bert4rec", "heads", "2"},
        {"bert4rec", "mask_probability", "0.2"},
        {"bert4rec", "batch", "32"},
        {"bert4rec-original", "mask_probability", "0.2"},
        {"bert4rec-original", "learning_rate", "0.0001"},
        {"bert4rec-original", "optimizer", "adamw"},
        {"bert4rec-original", "clip_norm", "5"},
        {"bert4rec-original", "maskings", "11"},
        {"bert4rec-original", "batch", "256"},
        {"sasrec-sampled-3000", "negatives", "3000"},
        {"sasrec-sampled-3000", "negative_sharing", "batch"},
        {"sasrec-sampled-3000", "seen", "exclude_history"},
        {"sasrec-beauty", "dim", "128"},
        {"sasrec-beauty", "blocks", "3"},
        {"sasrec-beauty", "max_length", "50"},
        {"sasrec-beauty", "wiring", "original"},
        {"sasrec-beauty", "position", "start"},
        {"sasrec-beauty", "score", "cosine"},
        {"sasrec-beauty", "loss", "sampled_softmax"},
        {"sasrec-beauty", "negatives", "4096"},
        {"sasrec-beauty", "negative_sharing", "batch"},
        {"sasrec-beauty", "seen", "exclude_target"},
        {"sasrec-beauty", "label_smoothing", "0.1"},
        {"sasrec-beauty", "dropout", "0.548791"},
        {"sasrec-beauty", "learning_rate", "0.00114296"},
        {"gsasrec", "loss", "gbce"},
        {"gsasrec", "negatives", "256"},
        {"gsasrec", "tied_output", "false"},
        {"gsasrec", "dim", "128"},
        {"rec-denoiser", "gates", "position"},
        {"rec-denoiser", "max_length", "50"},
        {"rec-denoiser", "heads", "2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT(SEQREC_OK, seqrec_config_preset(api.config, rows[i].preset, &api.error));
        ck_assert_msg(strcmp(value_of(rows[i].name), rows[i].value) == 0, "%s: %s is %s", rows[i].preset, rows[i].name,
                      value_of(rows[i].name));
    }
}
END_TEST

START_TEST(a_preset_resets_every_option)
{
    seqrec_option_info info;
    api_set("epochs", "7");
    api_set("micro_batch", "64");
    EXPECT(SEQREC_OK, seqrec_config_preset(api.config, seqrec_preset_name(0), &api.error));
    for (int32_t i = 0; describe(i, &info); i++) ck_assert_str_eq(value_of(info.name), info.initial);
}
END_TEST

START_TEST(presets_are_listed_and_each_can_be_chosen)
{
    int32_t count = 0;
    for (const char *name; (name = seqrec_preset_name(count)) != NULL; count++)
        EXPECT(SEQREC_OK, seqrec_config_preset(api.config, name, &api.error));
    ck_assert_int_ge(count, 5);
    ck_assert_ptr_null(seqrec_preset_name(-1));
    ck_assert_ptr_null(seqrec_preset_name(INT32_MAX));
}
END_TEST

START_TEST(an_unknown_preset_changes_nothing_and_names_the_nearest)
{
    api_set("epochs", "7");
    REFUSED(SEQREC_E_UNSUPPORTED, "sasrec-softmax", seqrec_config_preset(api.config, "sasrec-softmx", &api.error));
    REFUSED(SEQREC_E_UNSUPPORTED, "\"\"", seqrec_config_preset(api.config, "", &api.error));
    ck_assert_str_eq(value_of("epochs"), "7");
}
END_TEST

START_TEST(bounds_of_numbers_are_inclusive)
{
    seqrec_option_info info;
    char value[64];
    for (int32_t i = 0; describe(i, &info); i++) {
        int integer = strcmp(info.kind, "integer") == 0;
        if (!integer && strcmp(info.kind, "real") != 0) continue;
        const double ends[2] = {info.lowest, info.highest};
        for (int end = 0; end < 2; end++) {
            snprintf(value, sizeof value, integer ? "%.0f" : "%.17g", ends[end]);
            EXPECT(SEQREC_OK, seqrec_config_set(api.config, info.name, value, &api.error));
            double beyond = end ? ends[1] * 1.5 + 1 : ends[0] - 1;
            char outside[64];
            snprintf(outside, sizeof outside, integer ? "%.0f" : "%.17g", beyond);
            REFUSED(SEQREC_E_RANGE, info.name, seqrec_config_set(api.config, info.name, outside, &api.error));
            REFUSED(SEQREC_E_RANGE, outside, seqrec_config_set(api.config, info.name, outside, &api.error));
            double back = strtod(value_of(info.name), NULL);
            ck_assert_msg(back == ends[end], "%s was set to %s and is %s", info.name, value, value_of(info.name));
        }
    }
}
END_TEST

START_TEST(every_choice_can_be_set_and_read_back)
{
    seqrec_option_info info;
    for (int32_t i = 0; describe(i, &info); i++) {
        char choices[256];
        snprintf(choices, sizeof choices, "%s", info.choices != NULL ? info.choices : "");
        char *rest = choices;
        for (char *choice; info.choices != NULL && (choice = strsep(&rest, "|")) != NULL;) {
            EXPECT(SEQREC_OK, seqrec_config_set(api.config, info.name, choice, &api.error));
            ck_assert_str_eq(value_of(info.name), choice);
        }
    }
}
END_TEST

START_TEST(what_an_option_cannot_be_is_refused_and_leaves_it)
{
    static const struct {
        int32_t status;
        const char *name, *value, *part;
    } rows[] = {
        {SEQREC_E_UNSUPPORTED, "learning_rat", "1", "learning_rate"},
        {SEQREC_E_UNSUPPORTED, "LOSS ", "bce", "loss"},
        {SEQREC_E_UNSUPPORTED, "", "bce", "\"\""},
        {SEQREC_E_UNSUPPORTED, "loss", "bc", "bce"},
        {SEQREC_E_UNSUPPORTED, "loss", "", "bce"},
        {SEQREC_E_UNSUPPORTED, "loss", "bce|softmax", "sampled_softmax"},
        {SEQREC_E_UNSUPPORTED, "loss", "softmax ", "sampled_softmax"},
        {SEQREC_E_FORMAT, "dim", "", "integer"},
        {SEQREC_E_FORMAT, "dim", "5.5", "integer"},
        {SEQREC_E_FORMAT, "dim", "1e2", "integer"},
        {SEQREC_E_FORMAT, "dim", " 5", "integer"},
        {SEQREC_E_FORMAT, "dim", "5 ", "integer"},
        {SEQREC_E_FORMAT, "dim", "0x10", "integer"},
        {SEQREC_E_RANGE, "dim", "99999999999999999999999", "4096"},
        {SEQREC_E_RANGE, "dim", "-9223372036854775808", "4096"},
        {SEQREC_E_FORMAT, "dropout", "0,1", "number"},
        {SEQREC_E_FORMAT, "dropout", "nan", "number"},
        {SEQREC_E_FORMAT, "dropout", "inf", "number"},
        {SEQREC_E_FORMAT, "dropout", "0.1f", "number"},
        {SEQREC_E_RANGE, "dropout", "1e999", "0.99"},
        {SEQREC_E_RANGE, "beta2", "0.999999", "0.99999"},
        {SEQREC_E_FORMAT, "tied_output", "yes", "true"},
        {SEQREC_E_FORMAT, "tied_output", "TRUE", "true"},
        {SEQREC_E_FORMAT, "tied_output", "", "true"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        REFUSED(rows[i].status, rows[i].part, seqrec_config_set(api.config, rows[i].name, rows[i].value, &api.error));
    ck_assert_str_eq(value_of("dim"), "3");
    ck_assert_str_eq(value_of("dropout"), "0.2");
    ck_assert_str_eq(value_of("loss"), "bce");
    ck_assert_str_eq(value_of("tied_output"), "true");
}
END_TEST

START_TEST(a_long_name_or_value_gives_a_message_that_is_cut)
{
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    EXPECT(SEQREC_E_UNSUPPORTED, seqrec_config_set(api.config, text, text, &api.error));
    EXPECT(SEQREC_E_UNSUPPORTED, seqrec_config_set(api.config, "loss", text, &api.error));
    EXPECT(SEQREC_E_FORMAT, seqrec_config_set(api.config, "dim", text, &api.error));
    EXPECT(SEQREC_E_UNSUPPORTED, seqrec_config_preset(api.config, text, &api.error));
    memset(text, '9', sizeof text - 1);
    EXPECT(SEQREC_E_RANGE, seqrec_config_set(api.config, "dim", text, &api.error));
    EXPECT(SEQREC_E_RANGE, seqrec_config_set(api.config, "dropout", text, &api.error));
    ck_assert_uint_lt(strlen(api.error.message), sizeof api.error.message);
}
END_TEST

START_TEST(booleans_may_be_digits_and_read_as_words)
{
    api_set("tied_output", "0");
    ck_assert_str_eq(value_of("tied_output"), "false");
    api_set("tied_output", "1");
    ck_assert_str_eq(value_of("tied_output"), "true");
}
END_TEST

START_TEST(get_says_how_much_room_it_needs)
{
    char out[8] = "1234567";
    size_t needed = 0;
    EXPECT(SEQREC_E_RANGE, seqrec_config_get(api.config, "loss", NULL, 0, &needed, &api.error));
    ck_assert_uint_eq(needed, 4);
    needed = 0;
    REFUSED(SEQREC_E_RANGE, "loss", seqrec_config_get(api.config, "loss", out, 3, &needed, &api.error));
    ck_assert_uint_eq(needed, 4);
    ck_assert_str_eq(out, "1234567");
    EXPECT(SEQREC_OK, seqrec_config_get(api.config, "loss", out, 4, NULL, &api.error));
    ck_assert_mem_eq(out, "bce\000567", 8);
}
END_TEST

START_TEST(numbers_do_not_depend_on_the_locale)
{
    char text[16];
    if (!use_locale("de_DE")) {
        printf("# skipped: no locale de_DE and no way to make one\n");
        return;
    }
    snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5");
    api_set("dropout", "0.35");
    ck_assert_str_eq(value_of("dropout"), "0.35");
    ck_assert_str_eq(value_of("learning_rate"), "0.001");
    EXPECT(SEQREC_E_FORMAT, seqrec_config_set(api.config, "dropout", "0,35", &api.error));
    REFUSED(SEQREC_E_RANGE, "0 .. 0.99", seqrec_config_set(api.config, "dropout", "1.5", &api.error));
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(null_arguments_are_refused_by_name)
{
    char out[8];
    seqrec_allocator broken = api.allocator;
    seqrec_config *made = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_config_create(NULL, NULL, &api.error));
    broken.allocate = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "allocate", seqrec_config_create(&broken, &made, &api.error));
    broken = api.allocator;
    broken.release = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "release", seqrec_config_create(&broken, &made, &api.error));
    broken = api.allocator;
    broken.struct_size = 8;
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_config_create(&broken, &made, &api.error));
    ck_assert_ptr_null(made);
    REFUSED(SEQREC_E_ARGUMENT, "config", seqrec_config_preset(NULL, "sasrec", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "preset", seqrec_config_preset(api.config, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "config", seqrec_config_set(NULL, "dim", "1", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "name", seqrec_config_set(api.config, NULL, "1", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "dim", seqrec_config_set(api.config, "dim", NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "config", seqrec_config_get(NULL, "dim", out, sizeof out, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "name", seqrec_config_get(api.config, NULL, out, sizeof out, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_config_get(api.config, "dim", NULL, 8, NULL, &api.error));
    REFUSED(SEQREC_E_UNSUPPORTED, "dim", seqrec_config_get(api.config, "dum", out, sizeof out, NULL, &api.error));
    ck_assert_int_eq(seqrec_config_set(NULL, NULL, NULL, NULL), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(seqrec_option_describe(0, NULL), SEQREC_E_ARGUMENT);
    seqrec_config_release(NULL);
}
END_TEST

START_TEST(describe_keeps_to_the_size_it_is_told)
{
    struct {
        seqrec_option_info info;
        char behind[16];
    } wide;
    memset(&wide, 0x55, sizeof wide);
    wide.info.struct_size = offsetof(seqrec_option_info, needs) - 1; /* a byte less than the first release had */
    ck_assert_int_eq(seqrec_option_describe(0, &wide.info), SEQREC_E_ARGUMENT);
    wide.info.struct_size = offsetof(seqrec_option_info, needs);
    ck_assert_int_eq(seqrec_option_describe(0, &wide.info), SEQREC_OK);
    ck_assert_int_eq(((const char *)&wide.info.needs)[0], 0x55);
    wide.info.struct_size = sizeof wide;
    ck_assert_int_eq(seqrec_option_describe(0, &wide.info), SEQREC_OK);
    ck_assert_uint_eq(wide.info.struct_size, sizeof wide);
    ck_assert_str_eq(wide.info.name, "dim");
    for (size_t i = 0; i < sizeof wide.behind; i++) ck_assert_int_eq(wide.behind[i], 0x55);
}
END_TEST

START_TEST(an_allocator_of_a_newer_header_must_leave_its_new_fields_zero)
{
    struct {
        seqrec_allocator known;
        void *added;
    } newer = {api.allocator, NULL};
    seqrec_config *made = NULL;
    newer.known.struct_size = sizeof newer;
    EXPECT(SEQREC_OK, seqrec_config_create(&newer.known, &made, &api.error));
    seqrec_config_release(made);
    made = NULL;
    newer.added = &newer;
    REFUSED(SEQREC_E_UNSUPPORTED, "allocator", seqrec_config_create(&newer.known, &made, &api.error));
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(creating_a_config_survives_failing_allocations)
{
    seqrec_config *made = NULL;
    EACH_ALLOCATION_FAILS(seqrec_config_create(&api.allocator, &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_config_release(made));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, api_open_tied, api_close);
    tcase_add_test(tests, every_option_describes_itself);
    tcase_add_test(tests, a_new_config_has_the_initial_values);
    tcase_add_test(tests, the_fixed_options_have_their_names_and_defaults);
    tcase_add_test(tests, a_preset_resets_every_option);
    tcase_add_test(tests, presets_are_listed_and_each_can_be_chosen);
    tcase_add_test(tests, an_unknown_preset_changes_nothing_and_names_the_nearest);
    tcase_add_test(tests, bounds_of_numbers_are_inclusive);
    tcase_add_test(tests, every_choice_can_be_set_and_read_back);
    tcase_add_test(tests, what_an_option_cannot_be_is_refused_and_leaves_it);
    tcase_add_test(tests, a_long_name_or_value_gives_a_message_that_is_cut);
    tcase_add_test(tests, booleans_may_be_digits_and_read_as_words);
    tcase_add_test(tests, get_says_how_much_room_it_needs);
    tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
    tcase_add_test(tests, null_arguments_are_refused_by_name);
    tcase_add_test(tests, describe_keeps_to_the_size_it_is_told);
    tcase_add_test(tests, an_allocator_of_a_newer_header_must_leave_its_new_fields_zero);
    tcase_add_test(tests, creating_a_config_survives_failing_allocations);
    Suite *suite = suite_create("api_config");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
