/* unit: contexts, models, notes and model files through the public interface. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include "api_fixture.h"
#include "made_locale.h"
#include "model/modelfile.h"
#include "rewritten_file.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { DIM = 3, FILE_ROOM = 1 << 16 };

static char file_bytes[FILE_ROOM], other_bytes[FILE_ROOM];

static void save(const seqrec_model *model, const char *name)
{
    EXPECT(SEQREC_OK, seqrec_model_save(model, scratch_path(name), &api.error));
}

static seqrec_model *load(const char *name)
{
    seqrec_model *made = NULL;
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path(name), &made, &api.error));
    return made;
}

static void expect_same_files(const char *a, const char *b)
{
    size_t size = scratch_read(a, file_bytes, FILE_ROOM);
    ck_assert_uint_eq(scratch_read(b, other_bytes, FILE_ROOM), size);
    ck_assert_mem_eq(file_bytes, other_bytes, size);
}

static const char *note_of(const seqrec_model *model, const char *key)
{
    static char out[256];
    EXPECT(SEQREC_OK, seqrec_model_note(model, key, out, sizeof out, NULL, &api.error));
    return out;
}

static const char *option_of(const seqrec_model *model, const char *name)
{
    static char out[64];
    seqrec_config *config = NULL;
    EXPECT(SEQREC_OK, seqrec_model_config(model, &config, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_get(config, name, out, sizeof out, NULL, &api.error));
    seqrec_config_release(config);
    return out;
}

/* Items 10, 20, 40 in slots 0, 1 and 3 (2 is free), 20 under a later generation, 10 and 40 with names; a note. */
static void some_content(void)
{
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, (int64_t[]){10, 99, 30, 40}, 4, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, (int64_t[]){99}, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, (int64_t[]){20}, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, (int64_t[]){30}, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, (int64_t[]){40, 10}, (const char *[]){"vierzig", "z\xc3\xa4hn"},
                                             2, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "split", "leave-one-out", &api.error));
}

static void with_folder(void)
{
    api_open_tied();
    some_content();
    scratch_create();
}

static void without_folder(void)
{
    api_close();
    scratch_remove();
}

/* ---- Contexts. ---- */

static void run_in_order(void *context, int32_t tasks, void (*body)(void *arg, int32_t task), void *arg)
{
    (void)context;
    for (int32_t i = 0; i < tasks; i++) body(arg, i);
}

START_TEST(wrong_host_services_are_refused)
{
    seqrec_executor executor = {.struct_size = sizeof executor, .width = 2, .run = run_in_order};
    seqrec_allocator allocator = api.allocator;
    seqrec_context *made = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_context_create(NULL, NULL, 0, NULL, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "-1", seqrec_context_create(NULL, NULL, -1, NULL, NULL, &made, &api.error));
    REFUSED(SEQREC_E_RANGE, "257", seqrec_context_create(NULL, NULL, 257, NULL, NULL, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "threads", seqrec_context_create(NULL, &executor, 2, NULL, NULL, &made, &api.error));
    allocator.struct_size = 0;
    REFUSED(SEQREC_E_ARGUMENT, "allocator.struct_size",
            seqrec_context_create(&allocator, NULL, 0, NULL, NULL, &made, &api.error));
    allocator = api.allocator;
    allocator.release = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "release", seqrec_context_create(&allocator, NULL, 0, NULL, NULL, &made, &api.error));
    executor.struct_size = 8;
    REFUSED(SEQREC_E_ARGUMENT, "executor.struct_size",
            seqrec_context_create(NULL, &executor, 0, NULL, NULL, &made, &api.error));
    executor.struct_size = sizeof executor;
    executor.width = 0;
    REFUSED(SEQREC_E_RANGE, "width", seqrec_context_create(NULL, &executor, 0, NULL, NULL, &made, &api.error));
    executor.width = 2;
    executor.reserved = 1;
    REFUSED(SEQREC_E_ARGUMENT, "reserved", seqrec_context_create(NULL, &executor, 0, NULL, NULL, &made, &api.error));
    executor.reserved = 0;
    executor.run = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "run", seqrec_context_create(NULL, &executor, 0, NULL, NULL, &made, &api.error));
    ck_assert_ptr_null(made);
    seqrec_context_release(NULL);
}
END_TEST

static void keep_line(void *context, int32_t level, const char *line)
{
    ck_assert_int_eq(level, 1);
    snprintf(context, 512, "%s", line);
}

START_TEST(a_new_context_logs_what_it_runs_on)
{
    char line[512] = "";
    seqrec_context *made = NULL;
    EXPECT(SEQREC_OK, seqrec_context_create(NULL, NULL, 3, keep_line, line, &made, &api.error));
    ck_assert_ptr_nonnull(strstr(line, "seqrec 0."));
    ck_assert_ptr_nonnull(strstr(line, "BLIS"));
    ck_assert_ptr_nonnull(strstr(line, "width 3"));
    seqrec_context_release(made);
}
END_TEST

START_TEST(creating_a_context_survives_failing_allocations)
{
    seqrec_context *made = NULL;
    EACH_ALLOCATION_FAILS(seqrec_context_create(&api.allocator, NULL, 2, NULL, NULL, &made, &api.error),
                          ck_assert_ptr_null(made), seqrec_context_release(made));
}
END_TEST

/* ---- Models. ---- */

START_TEST(wrong_arguments_are_refused_by_name)
{
    char out[8];
    seqrec_model *made = NULL;
    seqrec_config *config = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_model_create(NULL, api.config, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "config", seqrec_model_create(api.context, NULL, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_create(api.context, api.config, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_save(NULL, "x", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_save(api.model, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_save(api.model, "", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_model_load(NULL, "x", &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_load(api.context, NULL, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_load(api.context, "", &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_load(api.context, "x", NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_config(NULL, &config, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_config(api.model, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_note(NULL, "split", out, 8, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "key", seqrec_model_note(api.model, NULL, out, 8, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_note(api.model, "split", NULL, 8, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_set_note(NULL, "split", "x", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "key", seqrec_model_set_note(api.model, NULL, "x", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "key", seqrec_model_set_note(api.model, "", "x", &api.error));
    ck_assert_ptr_null(seqrec_model_retain(NULL));
    seqrec_model_release(NULL);
    ck_assert(made == NULL && config == NULL);
    ck_assert_int_eq(seqrec_model_save(NULL, NULL, NULL), SEQREC_E_ARGUMENT);
}
END_TEST

START_TEST(options_that_contradict_one_another_make_no_model)
{
    seqrec_model *made = NULL;
    api_set("heads", "2");
    REFUSED(SEQREC_E_ARGUMENT, "heads", seqrec_model_create(api.context, api.config, &made, &api.error));
    api_set("heads", "3");
    api_set("warmup_steps", "10");
    api_set("schedule_steps", "10");
    REFUSED(SEQREC_E_ARGUMENT, "schedule_steps", seqrec_model_create(api.context, api.config, &made, &api.error));
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(a_model_outlives_the_handles_it_was_made_from)
{
    seqrec_context *context = NULL;
    seqrec_model *made = NULL;
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, 2, NULL, NULL, &context, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_create(context, api.config, &made, &api.error));
    seqrec_context_release(context);
    ck_assert_ptr_eq(seqrec_model_retain(made), made);
    seqrec_model_release(made);
    EXPECT(SEQREC_OK, seqrec_items_put(made, (int64_t[]){1}, 1, NULL, &api.error));
    seqrec_model_release(made);
}
END_TEST

START_TEST(the_config_of_a_model_has_its_stored_options)
{
    seqrec_model *made = NULL;
    api_set("epochs", "17");
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &made, &api.error));
    ck_assert_str_eq(option_of(made, "dim"), "3");
    ck_assert_str_eq(option_of(made, "epochs"), "17");
    ck_assert_str_eq(option_of(made, "heads"), "1");
    seqrec_model_release(made);
}
END_TEST

START_TEST(notes_are_kept_replaced_and_removed)
{
    char out[8] = "old";
    size_t needed = 0;
    ck_assert_str_eq(note_of(api.model, "preset"), "sasrec");
    ck_assert_str_eq(note_of(api.model, "split"), "leave-one-out");
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "split", "none", &api.error));
    ck_assert_str_eq(note_of(api.model, "split"), "none");
    EXPECT(SEQREC_E_RANGE, seqrec_model_note(api.model, "split", out, 4, &needed, &api.error));
    ck_assert_str_eq(out, "old");
    ck_assert_uint_eq(needed, 5);
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "split", NULL, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "split", seqrec_model_note(api.model, "split", out, 8, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "split", NULL, &api.error));
}
END_TEST

START_TEST(notes_have_limits)
{
    char text[257], key[16];
    memset(text, 'k', 256);
    text[256] = 0;
    REFUSED(SEQREC_E_ARGUMENT, "255", seqrec_model_set_note(api.model, text, "v", &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "255", seqrec_model_set_note(api.model, "key", text, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "UTF-8", seqrec_model_set_note(api.model, "key", "\xff", &api.error));
    text[255] = 0;
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, text, text, &api.error));
    for (int i = 0; i < 63; i++) {
        snprintf(key, sizeof key, "%d", i);
        EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, key, "", &api.error));
    }
    REFUSED(SEQREC_E_RANGE, "64", seqrec_model_set_note(api.model, "another", "", &api.error));
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "7", "changed", &api.error));
    scratch_create();
    save(api.model, "full");
    seqrec_model *back = load("full");
    ck_assert_str_eq(note_of(back, text), text);
    ck_assert_str_eq(note_of(back, "7"), "changed");
    seqrec_model_release(back);
    scratch_remove();
}
END_TEST

START_TEST(models_and_notes_survive_failing_allocations)
{
    seqrec_model *made = NULL;
    seqrec_config *config = NULL;
    EACH_ALLOCATION_FAILS(seqrec_model_create(api.context, api.config, &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_model_release(made));
    EACH_ALLOCATION_FAILS(seqrec_model_config(api.model, &config, &api.error), ck_assert_ptr_null(config),
                          seqrec_config_release(config));
    EACH_ALLOCATION_FAILS(seqrec_model_set_note(api.model, "split", "none", &api.error),
                          ck_assert_str_eq(note_of(api.model, "split"), "leave-one-out"), (void)0);
    ck_assert_str_eq(note_of(api.model, "split"), "none");
}
END_TEST

/* The number of the first call that is not refused, or 0. */
static int calls_of_a_child(void)
{
    char out[64];
    seqrec_model *made = NULL;
    seqrec_config *config = NULL;
    const int64_t ids[] = {10, 20}, offsets[] = {0, 2};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = ids};
    const double relevance[] = {1, 0};
    float floats[DIM];
    double open[1];
    int64_t places[2], found;
    const int32_t statuses[] = {
        seqrec_model_create(api.context, api.config, &made, NULL),
        seqrec_model_save(api.model, "/dev/null", NULL),
        seqrec_model_load(api.context, "/dev/null", &made, NULL),
        seqrec_model_config(api.model, &config, NULL),
        seqrec_model_note(api.model, "split", out, sizeof out, NULL, NULL),
        seqrec_model_set_note(api.model, "split", "x", NULL),
        seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, NULL),
        seqrec_model_export(api.model, "/dev/null", SEQREC_TABLE_INT8, 1, NULL),
        seqrec_model_map(api.context, "/dev/null", 0, &made, NULL),
        seqrec_model_load_longer(api.context, "/dev/null", 100, &made, NULL),
        seqrec_model_gates(api.model, open, 1, NULL, NULL),
        seqrec_score(api.model, &batch, ids, NULL, 2, NULL, floats, NULL),
        seqrec_topk(api.model, &batch, 2, NULL, places, NULL, &found, NULL),
        seqrec_encode(api.model, &batch, NULL, floats, NULL),
        seqrec_rerank_mmr(api.model, ids, relevance, 2, 0.5, 2, places, NULL, NULL),
    };
    seqrec_model_release(seqrec_model_retain(api.model));
    seqrec_model_release(api.model);
    seqrec_context_release(api.context);
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

START_TEST(a_forked_child_is_refused_but_may_release)
{
    api_open_on(2 * _i, "true");
    some_content();
    ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
    ck_assert_str_eq(note_of(api.model, "split"), "leave-one-out");
    api_close();
}
END_TEST

/* ---- Files. ---- */

START_TEST(a_loaded_model_is_the_saved_one)
{
    float before[3 * DIM], after[3 * DIM];
    const int64_t ids[] = {10, 20, 40};
    int64_t cursor = 0, walked[4], n, id;
    char name[16];
    save(api.model, "model");
    seqrec_model *back = load("model");
    EXPECT(SEQREC_OK, seqrec_items_next(back, &cursor, walked, 4, &n, &api.error));
    ck_assert_int_eq(n, 3);
    ck_assert_mem_eq(walked, ids, sizeof ids);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, ids, 3, before, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_get(back, ids, 3, after, &api.error));
    ck_assert_mem_eq(before, after, sizeof before);
    for (int i = 0; i < 3; i++) {
        int32_t slot[2], generation[2];
        EXPECT(SEQREC_OK, seqrec_items_locate(api.model, ids[i], &slot[0], &generation[0], &api.error));
        EXPECT(SEQREC_OK, seqrec_items_locate(back, ids[i], &slot[1], &generation[1], &api.error));
        ck_assert(slot[0] == slot[1] && generation[0] == generation[1]);
    }
    EXPECT(SEQREC_OK, seqrec_items_name(back, 10, name, sizeof name, NULL, &api.error));
    ck_assert_str_eq(name, "z\xc3\xa4hn");
    EXPECT(SEQREC_OK, seqrec_items_find(back, "vierzig", &id, &api.error));
    ck_assert_int_eq(id, 40);
    EXPECT(SEQREC_E_NOT_FOUND, seqrec_items_name(back, 20, name, sizeof name, NULL, &api.error));
    ck_assert_str_eq(note_of(back, "split"), "leave-one-out");
    ck_assert_str_eq(note_of(back, "preset"), "sasrec");
    ck_assert_str_eq(option_of(back, "max_length"), "4");
    seqrec_model_release(back);
}
END_TEST

START_TEST(saving_and_loading_repeat_byte_for_byte)
{
    save(api.model, "first");
    save(api.model, "second");
    expect_same_files("first", "second");
    seqrec_model *back = load("first");
    save(back, "third");
    seqrec_model_release(back);
    expect_same_files("first", "third");
    ck_assert_int_eq(scratch_count(0), 3);
}
END_TEST

/* Options that change what a file holds. */
static const char *const variants[][8] = {
    {"tied_output", "false"},
    {"attention_output", "false", "wiring", "original", "position", "start"},
    {"position", "none", "score", "cosine", "ffn_dim", "5"},
    {"heads", "3", "wiring", "pre_norm", "activation", "gelu"},
    {"blocks", "0"},
    {"dim", "17", "blocks", "3", "init", "normal"},
    {"dropout", "0.1", "learning_rate", "0.0123", "schedule", "cosine", "schedule_steps", "1000"},
    {"gates", "position", "max_length", "9"},
    {"gates", "content", "gate_estimator", "hard_concrete", "gate_rank", "3"},
    {"gates", "position", "blocks", "0"},
    {"score", "cosine", "temperature_learned", "true", "temperature_lowest", "0.02"},
    {"mask", "bidirectional", "objective", "cloze", "embedding_norm", "true", "head", "transform"},
    {"final_norm", "false", "init", "truncated_normal", "mask_probability", "0.4", "decayed", "matrices"},
};

START_TEST(every_shape_of_model_makes_the_round_trip)
{
    seqrec_model *made = NULL;
    for (int i = 0; i < 8 && variants[_i][i] != NULL; i += 2) api_set(variants[_i][i], variants[_i][i + 1]);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &made, &api.error));
    save(made, "empty");
    EXPECT(SEQREC_OK, seqrec_items_put(made, (int64_t[]){5, -6, 7}, 3, NULL, &api.error));
    save(made, "first");
    seqrec_model_release(made);
    static const char *const names[] = {"empty", "first"};
    for (int n = 0; n < 2; n++) {
        seqrec_model *back = load(names[n]);
        ck_assert_int_eq(seqrec_items_count(back), 3 * n);
        for (int i = 0; i < 8 && variants[_i][i] != NULL; i += 2)
            ck_assert_str_eq(option_of(back, variants[_i][i]), variants[_i][i + 1]);
        save(back, "again");
        seqrec_model_release(back);
        expect_same_files(names[n], "again");
    }
}
END_TEST

START_TEST(many_items_with_names_make_the_round_trip)
{
    enum { MANY = 20000 };
    static int64_t ids[MANY], found;
    static char texts[MANY][24], out[64];
    static const char *names[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        ids[i] = i * 1000003 - 5;
        snprintf(texts[i], sizeof texts[i], "item %lld of %d", (long long)i, MANY);
        names[i] = texts[i];
    }
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, MANY, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, ids, names, MANY, &api.error));
    save(api.model, "many");
    seqrec_model *back = load("many");
    ck_assert_int_eq(seqrec_items_count(back), MANY + 3);
    for (int64_t i = 0; i < MANY; i += 97) {
        float before[DIM], after[DIM];
        EXPECT(SEQREC_OK, seqrec_items_get(api.model, &ids[i], 1, before, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_get(back, &ids[i], 1, after, &api.error));
        ck_assert_mem_eq(before, after, sizeof before);
        EXPECT(SEQREC_OK, seqrec_items_name(back, ids[i], out, sizeof out, NULL, &api.error));
        ck_assert_str_eq(out, names[i]);
        EXPECT(SEQREC_OK, seqrec_items_find(back, names[i], &found, &api.error));
        ck_assert_int_eq(found, ids[i]);
    }
    seqrec_model_release(back);
}
END_TEST

START_TEST(a_file_does_not_depend_on_the_locale)
{
    save(api.model, "plain");
    if (!use_locale("de_DE")) {
        printf("# skipped: no locale de_DE and no way to make one\n");
        return;
    }
    save(api.model, "german");
    seqrec_model *back = load("plain");
    save(back, "again");
    seqrec_model_release(back);
    setlocale(LC_ALL, "C");
    expect_same_files("plain", "german");
    expect_same_files("plain", "again");
}
END_TEST

/* What loading makes of these bytes, from memory and, `through_file`, from a file; nothing is left behind. */
static int32_t outcome_of(const char *bytes, size_t size, int32_t through_file)
{
    seqrec_model *made = NULL;
    sq_tensor_file *file = NULL;
    int64_t blocks = atomic_load(&api.memory.blocks);
    const sq_memory memory = {.host = api.allocator};
    int32_t status = sq_tensor_file_open_memory(&memory, bytes, size, &file, &api.error);
    if (status == SEQREC_OK) status = sq_model_file_read(api.context, file, &made, &api.error);
    sq_tensor_file_close(file);
    seqrec_model_release(made);
    ck_assert_int_eq(atomic_load(&api.memory.blocks), blocks);
    if (!through_file) return status;
    made = NULL;
    scratch_write("bytes", bytes, size);
    ck_assert_int_eq(seqrec_model_load(api.context, scratch_path("bytes"), &made, &api.error), status);
    ck_assert_int_eq(made != NULL, status == SEQREC_OK);
    seqrec_model_release(made);
    ck_assert_int_eq(atomic_load(&api.memory.blocks), blocks);
    return status;
}

START_TEST(a_file_cut_anywhere_is_refused)
{
    save(api.model, "whole");
    size_t size = scratch_read("whole", file_bytes, FILE_ROOM);
    ck_assert_int_eq(outcome_of(file_bytes, size, 1), SEQREC_OK);
    for (size_t cut = 0; cut < size; cut++) {
        EXPECT(SEQREC_E_FORMAT, outcome_of(file_bytes, cut, cut % 101 == 0));
        ck_assert(api.error.message[0] != 0);
    }
    ck_assert_int_eq(outcome_of(file_bytes, size + 1, 1), SEQREC_E_FORMAT);
}
END_TEST

START_TEST(a_file_with_any_bit_flipped_is_refused)
{
    save(api.model, "whole");
    size_t size = scratch_read("whole", file_bytes, FILE_ROOM);
    for (size_t bit = 0; bit < size * 8; bit += bit < 512 ? 1 : 5) {
        file_bytes[bit / 8] = (char)(file_bytes[bit / 8] ^ 1 << bit % 8);
        int32_t status = outcome_of(file_bytes, size, bit % 1009 == 0);
        ck_assert_msg(status == SEQREC_E_FORMAT, "bit %zu: %s", bit, seqrec_status_name(status));
        file_bytes[bit / 8] = (char)(file_bytes[bit / 8] ^ 1 << bit % 8);
    }
    ck_assert_int_eq(outcome_of(file_bytes, size, 0), SEQREC_OK);
}
END_TEST

START_TEST(what_is_no_file_cannot_be_loaded)
{
    seqrec_model *made = NULL;
    REFUSED(SEQREC_E_NOT_FOUND, "absent", seqrec_model_load(api.context, scratch_path("absent"), &made, &api.error));
    REFUSED(SEQREC_E_IO, "regular", seqrec_model_load(api.context, scratch, &made, &api.error));
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(a_failed_save_leaves_the_old_file)
{
    save(api.model, "kept");
    size_t size = scratch_read("kept", file_bytes, FILE_ROOM);
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "split", "none", &api.error));
    EACH_ALLOCATION_FAILS(seqrec_model_save(api.model, scratch_path("kept"), &api.error),
                          ck_assert_uint_eq(scratch_read("kept", other_bytes, FILE_ROOM), size);
                          ck_assert_mem_eq(file_bytes, other_bytes, size);
                          ck_assert_int_eq(scratch_count(0), 1), (void)0);
    scratch_read("kept", other_bytes, FILE_ROOM);
    ck_assert_mem_ne(file_bytes, other_bytes, size);
    REFUSED(SEQREC_E_IO, "such", seqrec_model_save(api.model, scratch_path("no/such/folder"), &api.error));
}
END_TEST

START_TEST(loading_survives_failing_allocations)
{
    seqrec_model *made = NULL;
    save(api.model, "model");
    EACH_ALLOCATION_FAILS(seqrec_model_load(api.context, scratch_path("model"), &made, &api.error),
                          ck_assert_ptr_null(made), seqrec_model_release(made));
}
END_TEST

/* ---- Files with right checksums and wrong content. ---- */

START_TEST(a_file_without_checksums_loads)
{
    save(api.model, "model");
    rewrite_plain(scratch_path("model"), scratch_path("plain"));
    seqrec_model *back = load("plain");
    save(back, "again");
    seqrec_model_release(back);
    expect_same_files("model", "again");
}
END_TEST

START_TEST(metadata_that_contradict_the_model_are_refused)
{
    static const struct {
        int32_t status;
        const char *key, *value, *part; /* value NULL: the key is left out */
    } rows[] = {
        {SEQREC_E_FORMAT, "format", NULL, "format"},
        {SEQREC_E_FORMAT, "format", "pt", "pt"},
        {SEQREC_E_FORMAT, "format_version", NULL, "format_version"},
        {SEQREC_E_FORMAT, "format_version", "0", "format_version"},
        {SEQREC_E_FORMAT, "format_version", "one", "one"},
        {SEQREC_E_UNSUPPORTED, "format_version", "3", "format_version 3"},
        {SEQREC_E_UNSUPPORTED, "model.gates", "4", "model.gates"},
        {SEQREC_E_UNSUPPORTED, "model.", "4", "model."},
        {SEQREC_E_FORMAT, "model.learning_rate", "0.1", "no option of a model"},
        {SEQREC_E_FORMAT, "model.micro_batch", "64", "no option of a model"},
        {SEQREC_E_FORMAT, "training.dim", "3", "no option of a training"},
        {SEQREC_E_FORMAT, "model.dim", "0", "0 is outside"},
        {SEQREC_E_FORMAT, "model.dim", "x", "model.dim"},
        {SEQREC_E_FORMAT, "model.dim", "4", "position.weight"},
        {SEQREC_E_FORMAT, "model.dim", NULL, "items.weight"}, /* the default is 50 */
        {SEQREC_E_FORMAT, "model.heads", "2", "heads"},
        {SEQREC_E_FORMAT, "model.blocks", "2", "blocks.1."},
        {SEQREC_E_FORMAT, "model.blocks", "0", "blocks.0."},
        {SEQREC_E_FORMAT, "model.max_length", "65536", "position.weight"},
        {SEQREC_E_FORMAT, "model.tied_output", "false", "items.output"},
        {SEQREC_E_UNSUPPORTED, "model.wiring", "sideways", "sideways"},
        {SEQREC_E_FORMAT, "training.epochs", "0", "training.epochs"},
        {SEQREC_E_UNSUPPORTED, "training.loss", "hinge", "hinge"},
        {SEQREC_E_FORMAT, "training.", "4", "training."},
        {SEQREC_E_FORMAT, "note.", "x", "note."},
        {SEQREC_E_FORMAT, "preset", "a name of more than thirty-one bytes", "preset"},
    };
    seqrec_model *made = NULL;
    save(api.model, "model");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rewrite_text(scratch_path("model"), scratch_path("wrong"), rows[i].key, rows[i].value);
        if (strcmp(rows[i].part, "position.weight") == 0 || strcmp(rows[i].part, "items.weight") == 0) {
            REFUSED(rows[i].status, "weight", seqrec_model_load(api.context, scratch_path("wrong"), &made, &api.error));
            continue;
        }
        REFUSED(rows[i].status, rows[i].part, seqrec_model_load(api.context, scratch_path("wrong"), &made, &api.error));
    }
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(a_training_option_of_another_version_is_kept)
{
    save(api.model, "model");
    rewrite_text(scratch_path("model"), scratch_path("newer"), "training.mixup", "0.25");
    seqrec_model *back = load("newer");
    save(back, "again");
    seqrec_model_release(back);
    char out[16];
    text_in(scratch_path("again"), "training.mixup", out, sizeof out);
    ck_assert_str_eq(out, "0.25");
    rewrite_text(scratch_path("again"), scratch_path("without"), "training.mixup", NULL);
    back = load("without");
    save(back, "plain");
    seqrec_model_release(back);
    expect_same_files("model", "plain");
}
END_TEST

START_TEST(metadata_of_others_is_left_alone)
{
    save(api.model, "model");
    rewrite_text(scratch_path("model"), scratch_path("with"), "train.step", "17");
    rewrite_text(scratch_path("with"), scratch_path("with"), "author", "somebody");
    seqrec_model *back = load("with");
    save(back, "again");
    seqrec_model_release(back);
    expect_same_files("model", "again");
}
END_TEST

/* A header of a few bytes can speak of the largest of models: what it promises is looked for before anything is made of its size. */
START_TEST(a_file_that_promises_more_than_it_holds_is_refused_before_memory_is_taken)
{
    char header[512] = "";
    seqrec_model *model = NULL;
    const int bytes = snprintf(header + 8, sizeof header - 8,
                               "{\"__metadata__\":{\"format\":\"seqrec-model\",\"format_version\":\"1\",\"model.dim\":\"4096\","
                               "\"model.blocks\":\"16\",\"model.ffn_dim\":\"16384\",\"model.heads\":\"1\"}}");
    const size_t padded = ((size_t)bytes + 8 + 63) / 64 * 64 - 8;
    memset(header + 8 + bytes, ' ', padded - (size_t)bytes);
    for (int i = 0; i < 8; i++) header[i] = (char)(padded >> 8 * i & 255);
    scratch_write("promise", header, padded + 8);
    atomic_store(&api.memory.largest, 0);
    REFUSED(SEQREC_E_FORMAT, "tensor 'items.id' is missing", seqrec_model_load(api.context, scratch_path("promise"), &model, &api.error));
    ck_assert_int_lt(atomic_load(&api.memory.largest), 1 << 17);
}
END_TEST

START_TEST(a_missing_option_has_its_initial_value)
{
    save(api.model, "model");
    rewrite_text(scratch_path("model"), scratch_path("without"), "model.temperature", NULL);
    rewrite_text(scratch_path("without"), scratch_path("without"), "preset", NULL);
    seqrec_model *back = load("without");
    char out[8];
    ck_assert_str_eq(option_of(back, "temperature"), "0.05");
    EXPECT(SEQREC_E_NOT_FOUND, seqrec_model_note(back, "preset", out, sizeof out, NULL, &api.error));
    seqrec_model_release(back);
}
END_TEST

START_TEST(tensors_with_wrong_values_are_refused)
{
    static const float nan_value[] = {NAN}, infinite[] = {-INFINITY};
    static const int64_t twin[] = {20}, far_end[] = {11}, below[] = {-1};
    static const int32_t minus[] = {-1}, zero[] = {0}, distant[] = {1000012}, huge[] = {INT32_MAX};
    static const unsigned char nul[] = {0}, stray[] = {0xff};
    static const struct {
        const char *tensor;
        int64_t element;
        const void *value;
        size_t bytes;
        const char *part;
    } rows[] = {
        {"items.weight", 4, nan_value, 4, "element 4"},
        {"items.weight", 8, infinite, 4, "items.weight"},
        {"blocks.0.query.weight", 2, nan_value, 4, "blocks.0.query.weight"},
        {"final_norm.bias", 0, infinite, 4, "final_norm.bias"},
        {"items.id", 0, twin, 8, "item 20"},
        {"items.slot", 0, minus, 4, "items"},
        {"items.slot", 2, zero, 4, "slot 0"},
        {"items.slot", 2, distant, 4, "slot 1000012"},
        {"items.slot", 2, huge, 4, "slot 2147483647"},
        {"items.generation", 1, zero, 4, "generation 0"},
        {"items.generation", 1, minus, 4, "generation -1"},
        {"items.name.offsets", 0, twin, 8, "items.name.offsets"},
        {"items.name.offsets", 1, far_end, 8, "items.name"},
        {"items.name.offsets", 1, below, 8, "items.name.offsets"},
        {"items.name.offsets", 3, far_end, 8, "items.name.offsets"},
        {"items.name.bytes", 2, nul, 1, "byte 2"},
        {"items.name.bytes", 2, stray, 1, "UTF-8"},
    };
    seqrec_model *made = NULL;
    int64_t blocks = atomic_load(&api.memory.blocks);
    save(api.model, "model");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rewrite_values(scratch_path("model"), scratch_path("wrong"), rows[i].tensor, rows[i].element, rows[i].value,
                       rows[i].bytes);
        REFUSED(SEQREC_E_FORMAT, rows[i].part,
                seqrec_model_load(api.context, scratch_path("wrong"), &made, &api.error));
        ck_assert_int_eq(atomic_load(&api.memory.blocks), blocks);
    }
    ck_assert_ptr_null(made);
}
END_TEST

START_TEST(a_tensor_that_is_missing_or_too_many_is_refused)
{
    static const char *const needed[] = {"items.id",        "items.slot",         "items.generation",
                                         "items.weight",    "items.name.offsets", "items.name.bytes",
                                         "position.weight", "final_norm.weight"};
    seqrec_model *made = NULL;
    save(api.model, "model");
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        rewrite_without(scratch_path("model"), scratch_path("wrong"), needed[i]);
        REFUSED(SEQREC_E_FORMAT, needed[i], seqrec_model_load(api.context, scratch_path("wrong"), &made, &api.error));
    }
    static const char *const added[] = {"items.output", "gates.weight", "blocks.1.ffn_in.weight", "trained"};
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        rewrite_with(scratch_path("model"), scratch_path("wrong"), added[i]);
        REFUSED(SEQREC_E_FORMAT, added[i], seqrec_model_load(api.context, scratch_path("wrong"), &made, &api.error));
    }
    ck_assert_ptr_null(made);
    rewrite_with(scratch_path("model"), scratch_path("with"), "train.moment");
    rewrite_with(scratch_path("with"), scratch_path("with"), "opt.moment");
    seqrec_model_release(load("with"));
}
END_TEST

START_TEST(a_distant_slot_below_the_limit_is_believed)
{
    const int32_t slot = 1000011;
    int32_t found, generation;
    save(api.model, "model");
    rewrite_values(scratch_path("model"), scratch_path("far"), "items.slot", 2, &slot, sizeof slot);
    seqrec_model *back = load("far");
    EXPECT(SEQREC_OK, seqrec_items_locate(back, 40, &found, &generation, &api.error));
    ck_assert_int_eq(found, slot);
    EXPECT(SEQREC_OK, seqrec_items_put(back, (int64_t[]){1}, 1, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(back, 1, &found, &generation, &api.error));
    ck_assert_int_eq(found, 2);
    save(back, "again");
    seqrec_model_release(back);
    seqrec_model_release(load("again"));
}
END_TEST

/* Fewer items than the limit believes of the distant slot: the file numbers them anew. */
START_TEST(a_table_that_shrank_far_is_renumbered_in_its_file)
{
    const int32_t slot = 1000011;
    int32_t found, generation, before;
    save(api.model, "model");
    rewrite_values(scratch_path("model"), scratch_path("far"), "items.slot", 2, &slot, sizeof slot);
    seqrec_model *back = load("far");
    EXPECT(SEQREC_OK, seqrec_items_remove(back, (int64_t[]){10, 20}, 2, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(back, 40, &found, &before, &api.error));
    save(back, "shrunk");
    seqrec_model_release(back);
    back = load("shrunk");
    EXPECT(SEQREC_OK, seqrec_items_locate(back, 40, &found, &generation, &api.error));
    ck_assert_int_eq(found, 0);
    ck_assert_int_gt(generation, before);
    save(back, "again");
    seqrec_model_release(back);
    expect_same_files("shrunk", "again");
}
END_TEST

static void add_handles(Suite *suite)
{
    TCase *tests = tcase_create("handles");
    tcase_add_checked_fixture(tests, api_open_tied, api_close);
    tcase_add_checked_fixture(tests, some_content, NULL);
    tcase_add_test(tests, wrong_host_services_are_refused);
    tcase_add_test(tests, a_new_context_logs_what_it_runs_on);
    tcase_add_test(tests, creating_a_context_survives_failing_allocations);
    tcase_add_test(tests, wrong_arguments_are_refused_by_name);
    tcase_add_test(tests, options_that_contradict_one_another_make_no_model);
    tcase_add_test(tests, a_model_outlives_the_handles_it_was_made_from);
    tcase_add_test(tests, the_config_of_a_model_has_its_stored_options);
    tcase_add_test(tests, notes_are_kept_replaced_and_removed);
    tcase_add_test(tests, notes_have_limits);
    tcase_add_test(tests, models_and_notes_survive_failing_allocations);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("api_model");
    add_handles(suite);
    TCase *forked = tcase_create("forked");
    tcase_add_loop_test(forked, a_forked_child_is_refused_but_may_release, 0, 2);
    suite_add_tcase(suite, forked);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, with_folder, without_folder);
    tcase_add_test(files, a_loaded_model_is_the_saved_one);
    tcase_add_test(files, saving_and_loading_repeat_byte_for_byte);
    tcase_add_loop_test(files, every_shape_of_model_makes_the_round_trip, 0, sizeof variants / sizeof *variants);
    tcase_add_test(files, many_items_with_names_make_the_round_trip);
    tcase_add_test(files, a_file_does_not_depend_on_the_locale);
    tcase_add_test(files, a_file_cut_anywhere_is_refused);
    tcase_add_test(files, a_file_with_any_bit_flipped_is_refused);
    tcase_add_test(files, what_is_no_file_cannot_be_loaded);
    tcase_add_test(files, a_failed_save_leaves_the_old_file);
    tcase_add_test(files, loading_survives_failing_allocations);
    tcase_add_test(files, a_file_without_checksums_loads);
    tcase_add_test(files, metadata_that_contradict_the_model_are_refused);
    tcase_add_test(files, a_training_option_of_another_version_is_kept);
    tcase_add_test(files, metadata_of_others_is_left_alone);
    tcase_add_test(files, a_file_that_promises_more_than_it_holds_is_refused_before_memory_is_taken);
    tcase_add_test(files, a_missing_option_has_its_initial_value);
    tcase_add_test(files, tensors_with_wrong_values_are_refused);
    tcase_add_test(files, a_tensor_that_is_missing_or_too_many_is_refused);
    tcase_add_test(files, a_distant_slot_below_the_limit_is_believed);
    tcase_add_test(files, a_table_that_shrank_far_is_renumbered_in_its_file);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}
