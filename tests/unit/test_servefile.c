/* api: files for serving, loaded and mapped: what they give, what they lost, what is refused. */
#include <float.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "counting_allocator.h"
#include "retrieval_world.h"
#include "rewritten_file.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { ROOM = 1 << 22, FEW = 2500 };

static char bytes[ROOM], other[ROOM];

static void open_world(void) { scratch_create(); }
static void close_world(void) { scratch_remove(); }

static const char *export_to(const char *name, int32_t table, int32_t rows)
{
    EXPECT(SEQREC_OK, seqrec_model_export(api.model, scratch_path(name), table, rows, &api.error));
    return scratch_path(name);
}

/* The model of a file in the place of the fixture's. */
static void take_model(const char *name, int32_t mapped)
{
    seqrec_model *made = NULL;
    if (mapped)
        EXPECT(SEQREC_OK, seqrec_model_map(api.context, scratch_path(name), mapped - 1, &made, &api.error));
    else
        EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path(name), &made, &api.error));
    seqrec_model_release(api.model);
    api.model = made;
}

static void expect_same_files(const char *a, const char *b)
{
    const size_t size = scratch_read(a, bytes, ROOM);
    ck_assert_uint_lt(size, ROOM);
    ck_assert_uint_eq(scratch_read(b, other, ROOM), size);
    ck_assert_mem_eq(bytes, other, size);
}

/* Loaded, mapped, mapped and verified: each gives what the model gave, and the same file again. */
START_TEST(a_file_with_rows_serves_as_its_model_did)
{
    static answer before, after;
    const int32_t table = _i / KINDS;
    open_model(_i % 2 ? 2 : 0, FEW, kinds[_i % KINDS]);
    const asked *a = ask(FEW);
    export_to("first", table, 1);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, table, &api.error));
    answer_all(&a->batch, NULL, &before);
    for (int32_t mapped = 0; mapped < 3; mapped++) {
        take_model("first", mapped);
        ck_assert_int_eq(seqrec_items_count(api.model), FEW);
        answer_all(&a->batch, NULL, &after);
        expect_same(&before, &after);
        expect_exact_scores(a, &after);
        export_to("again", table, 1);
        expect_same_files("first", "again");
    }
    api_close();
}
END_TEST

/* Users and names go with the file. */
START_TEST(users_and_names_are_in_a_file_for_serving)
{
    static const char *const personal[] = {"user_embedding", "added", NULL};
    static answer before, after;
    static int64_t users[USERS];
    const int64_t id = id_of(3);
    const char *name = "third";
    char text[16];
    open_model(0, SOME, personal);
    asked *a = ask(SOME);
    for (int64_t u = 0; u < USERS; u++) users[u] = 100 - u;
    EXPECT(SEQREC_OK, seqrec_users_put(api.model, users, USERS / 2, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_set_names(api.model, &id, &name, 1, &api.error));
    a->batch.users = users;
    export_to("file", SEQREC_TABLE_INT8, 1);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error));
    answer_all(&a->batch, NULL, &before);
    for (int32_t mapped = 0; mapped < 2; mapped++) {
        take_model("file", mapped);
        ck_assert_int_eq(seqrec_users_count(api.model), USERS / 2);
        answer_all(&a->batch, NULL, &after);
        expect_same(&before, &after);
        EXPECT(SEQREC_OK, seqrec_items_name(api.model, id, text, sizeof text, NULL, &api.error));
        ck_assert_str_eq(text, "third");
    }
    api_close();
}
END_TEST

START_TEST(gaps_are_closed_under_a_new_generation)
{
    static answer before, after;
    int64_t gone[900];
    int32_t slot, generation;
    open_model(0, FEW, tied);
    const asked *a = ask(FEW);
    for (int64_t i = 0; i < 900; i++) gone[i] = id_of(2 * i);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, gone, 900, &api.error));
    answer_all(&a->batch, NULL, &before);
    export_to("dense", SEQREC_TABLE_FLOAT32, 1);
    take_model("dense", 1);
    answer_all(&a->batch, NULL, &after);
    expect_same(&before, &after);
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, id_of(FEW - 1), &slot, &generation, &api.error));
    ck_assert(slot == FEW - 900 - 1 && generation == 2);
    api_close();
}
END_TEST

/* Vectors within half a unit of their scale, and scores that are those of what is left. */
START_TEST(a_file_without_rows_keeps_what_its_bits_hold)
{
    static answer before, after;
    static float kept[2 * (DIM + 1)], was[2 * (DIM + 1)];
    struct stat file;
    const int32_t table = 1 + _i / KINDS;
    open_model(0, FEW, kinds[_i % KINDS]);
    const int64_t id = id_of(1234), width = seqrec_items_width(api.model);
    const asked *a = ask(FEW);
    answer_singly(a, NULL, &before);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, was, &api.error));
    ck_assert_int_eq(stat(export_to("few", table, 0), &file), 0);
    ck_assert_int_lt(file.st_size, FEW * width * (table == SEQREC_TABLE_INT8 ? 1 : 2) + FEW * 24 + 200000);
    take_model("few", 0);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, kept, &api.error));
    float most = 0;
    for (int64_t i = 0; i < width; i++) most = fmaxf(most, fabsf(was[i]));
    for (int64_t i = 0; i < width; i++)
        ck_assert_float_le(fabsf(kept[i] - was[i]), table == SEQREC_TABLE_INT8 ? most / 254 * 1.001f : fabsf(was[i]) / 256);
    answer_all(&a->batch, NULL, &after);
    expect_exact_scores(a, &after);
    ck_assert_double_ge(recall_of(&before, &after), 0.9);
    REFUSED(SEQREC_E_UNSUPPORTED, "rows", seqrec_model_map(api.context, scratch_path("few"), 0, &(seqrec_model *){NULL}, &api.error));
    api_close();
}
END_TEST

START_TEST(a_file_says_what_it_lost_and_is_not_trained)
{
    char text[128];
    seqrec_trainer *trainer = NULL;
    seqrec_model *made = NULL;
    open_model(0, FEW, tied);
    export_to("rows", SEQREC_TABLE_INT8, 1);
    export_to("few", SEQREC_TABLE_INT8, 0);
    text_in(scratch_path("rows"), "serving.lost", text, sizeof text);
    ck_assert_str_eq(text, "optimiser state");
    text_in(scratch_path("rows"), "serving.table", text, sizeof text);
    ck_assert_str_eq(text, "int8");
    text_in(scratch_path("rows"), "format_version", text, sizeof text);
    ck_assert_str_eq(text, "2");
    text_in(scratch_path("few"), "serving.lost", text, sizeof text);
    ck_assert_str_eq(text, "optimiser state, float32 item vectors (int8)");
    for (int32_t round = 0; round < 3; round++) {
        take_model(round == 2 ? "few" : "rows", round % 2);
        REFUSED(SEQREC_E_STATE, "optimiser state", seqrec_trainer_create(api.model, api.config, &trainer, &api.error));
        REFUSED(SEQREC_E_STATE, "serving",
                seqrec_trainer_load(api.context, scratch_path(round == 2 ? "few" : "rows"), &trainer, &made, &api.error));
    }
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("saved"), &api.error)); /* saving does not make up for it */
    text_in(scratch_path("saved"), "serving.lost", text, sizeof text);
    ck_assert_str_eq(text, "optimiser state, float32 item vectors (int8)");
    export_to("rows", SEQREC_TABLE_BF16, 1);
    text_in(scratch_path("rows"), "serving.lost", text, sizeof text);
    ck_assert_str_eq(text, "optimiser state, float32 item vectors (int8)");
    for (int32_t again = 0; again < 40; again++) { /* what is said stays short */
        take_model(again ? "worse" : "saved", 0);
        export_to("worse", again % 2 ? SEQREC_TABLE_INT8 : SEQREC_TABLE_BF16, 0);
        text_in(scratch_path("worse"), "serving.lost", text, sizeof text);
        if (again == 0) ck_assert_str_eq(text, "optimiser state, float32 item vectors (int8, then bf16)");
        ck_assert_ptr_nonnull(strstr(text, "(int8, then bf16"));
    }
    take_model("saved", 0);
    REFUSED(SEQREC_E_STATE, "int8", seqrec_trainer_create(api.model, api.config, &trainer, &api.error));
    api_close();
}
END_TEST

/* A float of 16 bits that is nearest to them would be infinite, and such a file could not be read. */
START_TEST(the_longest_vectors_are_exported_as_finite_ones)
{
    float vector[DIM + 1], kept[DIM + 1];
    open_model(0, FEW, tied);
    const int64_t id = id_of(77), width = seqrec_items_width(api.model);
    for (int64_t i = 0; i < width; i++) vector[i] = i % 2 ? -FLT_MAX : 3.397e38f;
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &id, 1, vector, &api.error));
    export_to("long", SEQREC_TABLE_BF16, 0);
    take_model("long", 0);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, kept, &api.error));
    for (int64_t i = 0; i < width; i++) ck_assert(kept[i] == (i % 2 ? -0x1.fep127f : 0x1.fep127f));
    api_close();
}
END_TEST

/* The scale of the whole numbers is a rounded quotient: 127 times it is not to be infinite. */
START_TEST(the_longest_vectors_are_exported_as_finite_whole_numbers)
{
    float vector[DIM + 1], kept[DIM + 1];
    open_model(0, FEW, tied);
    const int64_t id = id_of(77), width = seqrec_items_width(api.model);
    for (int64_t i = 0; i < width; i++) vector[i] = i % 2 ? -FLT_MAX : FLT_MAX;
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &id, 1, vector, &api.error));
    export_to("long", SEQREC_TABLE_INT8, 0);
    take_model("long", 0);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, kept, &api.error));
    for (int64_t i = 0; i < width; i++) ck_assert(fabsf(kept[i]) <= FLT_MAX && fabsf(kept[i]) > 0.999f * FLT_MAX && (kept[i] < 0) == (i % 2));
    api_close();
}
END_TEST

/* Edits stay in memory: the file, and another model on it, are as they were. Nor does the model need the file's name. */
START_TEST(a_mapped_model_is_edited_beside_its_file)
{
    static answer before, after, copied;
    seqrec_model *steady = NULL;
    float user[DIM], vector[DIM];
    int64_t best, found;
    const int64_t newcomer = 5, old = id_of(FEW - 3), gone = id_of(1500);
    open_model(0, FEW, tied);
    const asked *a = ask(FEW);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    export_to("file", _i, 1);
    const size_t size = scratch_read("file", bytes, ROOM);
    EXPECT(SEQREC_OK, seqrec_model_map(api.context, scratch_path("file"), 0, &steady, &api.error));
    take_model("file", 1);
    answer_all(&a->batch, NULL, &before);
    EXPECT(SEQREC_OK, seqrec_encode(api.model, &one, NULL, user, &api.error));
    for (int32_t i = 0; i < DIM; i++) vector[i] = 3 * user[i];
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &newcomer, 1, vector, &api.error));
    for (int32_t i = 0; i < DIM; i++) vector[i] = 4 * user[i];
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &old, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 1, NULL, &best, NULL, &found, &api.error));
    ck_assert_int_eq(best, old);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &old, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &gone, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 1, NULL, &best, NULL, &found, &api.error));
    ck_assert_int_eq(best, newcomer);
    ck_assert_uint_eq(scratch_read("file", other, ROOM), size);
    ck_assert_mem_eq(bytes, other, size);
    ck_assert_int_eq(unlink(scratch_path("file")), 0);
    answer_all(&a->batch, NULL, &copied);
    expect_exact_scores(a, &copied);
    seqrec_model_release(api.model);
    api.model = steady;
    answer_all(&a->batch, NULL, &after);
    expect_same(&before, &after);
    api_close();
}
END_TEST

/* ---- one file in several processes ------------------------------------------------------------------------------------- */

/* Bytes of pages that other processes have mapped, too, and of those that none has. */
typedef struct pages {
    size_t common, own;
} pages;

/* Of this process's mappings of files whose name holds `name`, or of all for "". 0: there are none, or the system does not say. */
static int32_t count_pages(const char *name, pages *out)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[1024];
    int32_t counts = 0, counted = 0;
    *out = (pages){0};
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long from, to;
        size_t kib;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) counts = strstr(line, name) != NULL;
        if (!counts) continue;
        if (sscanf(line, "Shared_%*[^:]: %zu kB", &kib) == 1) out->common += kib << 10;
        if (sscanf(line, "Private_%*[^:]: %zu kB", &kib) == 1) {
            out->own += kib << 10;
            counted = 1;
        }
    }
    if (file != NULL) fclose(file);
    return counted;
}

/* The sum of all floats of the items, each of which is read. */
static double sum_of_rows(const seqrec_model *model)
{
    static float rows[100 * DIM];
    int64_t ids[100];
    double sum = 0;
    for (int64_t first = 0; first < ITEMS; first += 100) {
        for (int64_t i = 0; i < 100; i++) ids[i] = id_of(first + i);
        if (seqrec_items_get(model, ids, 100, rows, NULL) != SEQREC_OK) return NAN;
        for (int64_t i = 0; i < 100 * DIM; i++) sum += (double)rows[i];
    }
    return sum;
}

typedef struct report {
    double sum;
    pages file;
    size_t allocated; /* what the library holds beside the file */
    int64_t found;
    int32_t counted;
} report;

/* A process of its own: maps the file and reads all of it, says so, and counts when it is told that the other has, too. */
static int read_mapped(int line, const asked *a)
{
    static answer best;
    counting_allocator memory = {0};
    const seqrec_allocator host = counting_host(&memory);
    seqrec_context *context = NULL;
    seqrec_model *model = NULL;
    report r = {0};
    pages all;
    char word = 'r';
    if (seqrec_context_create(&host, NULL, 0, NULL, NULL, &context, NULL) != SEQREC_OK) return 1;
    if (seqrec_model_map(context, scratch_path("shared"), 0, &model, NULL) != SEQREC_OK) return 2;
    if (seqrec_topk(model, &a->batch, BEST, NULL, best.items, best.scores, best.found, NULL) != SEQREC_OK) return 3;
    r.sum = sum_of_rows(model);
    r.found = best.found[1];
    if (write(line, &word, 1) != 1 || read(line, &word, 1) != 1) return 4;
    (void)count_pages(scratch_path("shared"), &r.file);
    r.counted = count_pages("", &all);
    r.allocated = memory.bytes;
    if (write(line, &r, sizeof r) != (ssize_t)sizeof r || read(line, &word, 1) != 1) return 5;
    seqrec_model_release(model);
    seqrec_context_release(context);
    return 0;
}

/* Rows and tables of a mapped file lie in memory once, however many processes serve from it. */
START_TEST(processes_that_map_a_file_share_its_pages)
{
    const size_t bytes_of_rows = (size_t)ITEMS * DIM * sizeof(float);
    int lines[2][2], status;
    pid_t children[2];
    report r[2];
    char word;
    open_model(0, ITEMS, tied);
    const asked *a = ask(ITEMS);
    const double sum = sum_of_rows(api.model);
    export_to("shared", _i, 1);
    api_close();
    for (int32_t c = 0; c < 2; c++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, lines[c]), 0);
        children[c] = fork();
        ck_assert(children[c] >= 0);
        if (children[c] > 0) continue;
        for (int32_t o = 0; o <= c; o++) close(lines[o][0]);
        _exit(read_mapped(lines[c][1], a));
    }
    for (int32_t c = 0; c < 2; c++) close(lines[c][1]);
    for (int32_t c = 0; c < 2; c++) ck_assert_int_eq(read(lines[c][0], &word, 1), 1);
    for (int32_t c = 0; c < 2; c++) ck_assert_int_eq(write(lines[c][0], "c", 1), 1);
    for (int32_t c = 0; c < 2; c++) ck_assert_int_eq(recv(lines[c][0], &r[c], sizeof r[c], MSG_WAITALL), sizeof r[c]);
    for (int32_t c = 0; c < 2; c++) {
        ck_assert_int_eq(write(lines[c][0], "e", 1), 1);
        ck_assert(waitpid(children[c], &status, 0) == children[c] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(lines[c][0]);
        ck_assert(r[c].sum == sum && r[c].found == BEST);
        ck_assert_uint_le(r[c].allocated, bytes_of_rows / 4); /* nor does any of them have a copy */
        if (!r[c].counted) continue; /* a system without /proc/self/smaps */
        ck_assert_uint_ge(r[c].file.common, bytes_of_rows);
        ck_assert_uint_le(r[c].file.own, r[c].file.common / 20);
    }
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------------------------------------ */

static void refuse_both(const char *name, int32_t status, const char *hint)
{
    seqrec_model *made = NULL;
    REFUSED(status, hint, seqrec_model_load(api.context, scratch_path(name), &made, &api.error));
    REFUSED(status, hint, seqrec_model_map(api.context, scratch_path(name), 0, &made, &api.error));
    ck_assert_ptr_null(made);
}

/* The byte of the file where a tensor begins. */
static size_t place_of(const char *name, const char *tensor)
{
    sq_tensor_file *file = opened(scratch_path(name));
    const size_t at = (size_t)sq_tensor_file_find(file, tensor)->begin;
    sq_tensor_file_close(file);
    return at;
}

START_TEST(a_file_that_was_cut_or_changed_is_refused)
{
    seqrec_model *made = NULL;
    open_model(0, FEW, tied);
    export_to("file", SEQREC_TABLE_INT8, 1);
    const size_t size = scratch_read("file", bytes, ROOM);
    static const int32_t parts[] = {0, 1, 10, 500, 999};
    for (int32_t i = 0; i < 5; i++) {
        scratch_write("cut", bytes, i == 4 ? size - 1 : size * (size_t)parts[i] / 1000);
        refuse_both("cut", SEQREC_E_FORMAT, "");
    }
    static const char *const checked[] = {"items.id", "items.slot", "items.generation", "blocks.0.query.weight"};
    for (int32_t i = 0; i < 4; i++) {
        memcpy(other, bytes, size);
        other[place_of("file", checked[i]) + 5] ^= 1;
        scratch_write("changed", other, size);
        refuse_both("changed", SEQREC_E_FORMAT, checked[i]);
    }
    static const char *const mapped[] = {"items.rows", "items.int8", "items.int8.scale"};
    for (int32_t i = 0; i < 3; i++) { /* only seen by who reads them */
        memcpy(other, bytes, size);
        other[place_of("file", mapped[i]) + 5] ^= 1;
        scratch_write("changed", other, size);
        REFUSED(SEQREC_E_FORMAT, mapped[i], seqrec_model_load(api.context, scratch_path("changed"), &made, &api.error));
        REFUSED(SEQREC_E_FORMAT, mapped[i], seqrec_model_map(api.context, scratch_path("changed"), SEQREC_MAP_VERIFY, &made, &api.error));
        EXPECT(SEQREC_OK, seqrec_model_map(api.context, scratch_path("changed"), 0, &made, &api.error));
        seqrec_model_release(made);
        made = NULL;
    }
    api_close();
}
END_TEST

START_TEST(a_file_that_does_not_hold_together_is_refused)
{
    const float bad[] = {NAN};
    const int32_t far[] = {5000}, negative[] = {-1};
    char from[512];
    open_model(0, 100, untied);
    snprintf(from, sizeof from, "%s", export_to("file", SEQREC_TABLE_INT8, 1));
    static const char *const tensors[] = {"items.int8", "items.int8.scale", "items.id", "items.slot"};
    for (int32_t i = 0; i < 4; i++) {
        rewrite_without(from, scratch_path("other"), tensors[i]);
        refuse_both("other", SEQREC_E_FORMAT, tensors[i]);
    }
    rewrite_without(from, scratch_path("other"), "items.rows");
    REFUSED(SEQREC_E_FORMAT, "items.weight", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    rewrite_with(from, scratch_path("other"), "items.weight");
    refuse_both("other", SEQREC_E_FORMAT, "items.weight");
    rewrite_text(from, scratch_path("other"), "serving.table", "bf16");
    refuse_both("other", SEQREC_E_FORMAT, "items.int8");
    rewrite_text(from, scratch_path("other"), "serving.table", "int3");
    refuse_both("other", SEQREC_E_UNSUPPORTED, "int3");
    rewrite_text(from, scratch_path("other"), "serving.lost", "");
    refuse_both("other", SEQREC_E_FORMAT, "serving.lost");
    rewrite_text(from, scratch_path("other"), "serving.lost", NULL);
    REFUSED(SEQREC_E_FORMAT, "items.weight", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    rewrite_text(from, scratch_path("other"), "format_version", "3");
    refuse_both("other", SEQREC_E_UNSUPPORTED, "3");
    rewrite_values(from, scratch_path("other"), "items.slot", 99, far, sizeof far);
    refuse_both("other", SEQREC_E_FORMAT, "there are no gaps");
    rewrite_values(from, scratch_path("other"), "items.slot", 99, negative, sizeof negative);
    refuse_both("other", SEQREC_E_FORMAT, "items");
    rewrite_values(from, scratch_path("other"), "items.rows", 3, bad, sizeof bad);
    REFUSED(SEQREC_E_FORMAT, "element 3", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    rewrite_values(from, scratch_path("other"), "items.rows", DIM + 1, &(float){1}, sizeof(float)); /* padding behind the bias */
    REFUSED(SEQREC_E_FORMAT, "padding", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    rewrite_values(from, scratch_path("other"), "items.int8.scale", 7, bad, sizeof bad);
    REFUSED(SEQREC_E_FORMAT, "element 7", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    snprintf(from, sizeof from, "%s", export_to("few", SEQREC_TABLE_INT8, 0));
    rewrite_without(from, scratch_path("other"), "items.output.scale");
    REFUSED(SEQREC_E_FORMAT, "items.output.scale", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    rewrite_values(from, scratch_path("other"), "items.weight.scale", 7, bad, sizeof bad);
    REFUSED(SEQREC_E_FORMAT, "items.weight", seqrec_model_load(api.context, scratch_path("other"), &(seqrec_model *){NULL}, &api.error));
    api_close();
}
END_TEST

START_TEST(a_plain_file_is_not_mapped)
{
    seqrec_model *made = NULL;
    open_model(0, 10, tied);
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("plain"), &api.error));
    REFUSED(SEQREC_E_UNSUPPORTED, "seqrec_model_export", seqrec_model_map(api.context, scratch_path("plain"), 0, &made, &api.error));
    REFUSED(SEQREC_E_NOT_FOUND, "none", seqrec_model_map(api.context, scratch_path("none"), 0, &made, &api.error));
    api_close();
}
END_TEST

START_TEST(a_model_without_items_is_served_too)
{
    static const int32_t forms[][2] = {{SEQREC_TABLE_FLOAT32, 1}, {SEQREC_TABLE_INT8, 1}, {SEQREC_TABLE_BF16, 0}};
    open_model(0, 0, tied);
    for (int32_t i = 0; i < 3; i++) {
        export_to("empty", forms[i][0], forms[i][1]);
        take_model("empty", 0);
        if (forms[i][1]) take_model("empty", 1);
        ck_assert_int_eq(seqrec_items_count(api.model), 0);
        const int64_t id = 7;
        EXPECT(SEQREC_OK, seqrec_items_put(api.model, &id, 1, NULL, &api.error));
        EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &id, 1, &api.error));
    }
    api_close();
}
END_TEST

START_TEST(a_refused_allocation_leaves_nothing_behind)
{
    seqrec_model *made = NULL;
    open_model(0, 1100, tied);
    EACH_ALLOCATION_FAILS(seqrec_model_export(api.model, scratch_path("file"), SEQREC_TABLE_INT8, 1, &api.error),
                          ck_assert_int_eq(scratch_count(0), 0), (void)0);
    EACH_ALLOCATION_FAILS(seqrec_model_map(api.context, scratch_path("file"), 0, &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_model_release(made));
    made = NULL;
    EACH_ALLOCATION_FAILS(seqrec_model_load(api.context, scratch_path("file"), &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_model_release(made));
    made = NULL;
    export_to("file", SEQREC_TABLE_INT8, 0);
    EACH_ALLOCATION_FAILS(seqrec_model_load(api.context, scratch_path("file"), &made, &api.error), ck_assert_ptr_null(made),
                          seqrec_model_release(made));
    api_close();
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    seqrec_model *made = NULL;
    open_model(0, 10, tied);
    const char *path = scratch_path("file");
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_export(NULL, path, SEQREC_TABLE_INT8, 1, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_export(api.model, NULL, SEQREC_TABLE_INT8, 1, &api.error));
    REFUSED(SEQREC_E_RANGE, "3", seqrec_model_export(api.model, path, 3, 1, &api.error));
    REFUSED(SEQREC_E_RANGE, "rows = 2", seqrec_model_export(api.model, path, SEQREC_TABLE_INT8, 2, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "rows = 0", seqrec_model_export(api.model, path, SEQREC_TABLE_FLOAT32, 0, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "context", seqrec_model_map(NULL, path, 0, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "path", seqrec_model_map(api.context, NULL, 0, &made, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_map(api.context, path, 0, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "flags = 2", seqrec_model_map(api.context, path, 2, &made, &api.error));
    ck_assert_int_eq(scratch_count(0), 0);
    api_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("servefile");
    TCase *tests = tcase_create("servefile");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, open_world, close_world);
    tcase_add_loop_test(tests, a_file_with_rows_serves_as_its_model_did, 0, 3 * KINDS);
    tcase_add_test(tests, users_and_names_are_in_a_file_for_serving);
    tcase_add_test(tests, gaps_are_closed_under_a_new_generation);
    tcase_add_loop_test(tests, a_file_without_rows_keeps_what_its_bits_hold, 0, 2 * KINDS);
    tcase_add_test(tests, a_file_says_what_it_lost_and_is_not_trained);
    tcase_add_test(tests, the_longest_vectors_are_exported_as_finite_ones);
    tcase_add_test(tests, the_longest_vectors_are_exported_as_finite_whole_numbers);
    tcase_add_loop_test(tests, a_mapped_model_is_edited_beside_its_file, 0, 3);
    tcase_add_loop_test(tests, processes_that_map_a_file_share_its_pages, 0, 3);
    tcase_add_test(tests, a_file_that_was_cut_or_changed_is_refused);
    tcase_add_test(tests, a_file_that_does_not_hold_together_is_refused);
    tcase_add_test(tests, a_plain_file_is_not_mapped);
    tcase_add_test(tests, a_model_without_items_is_served_too);
    tcase_add_test(tests, a_refused_allocation_leaves_nothing_behind);
    tcase_add_test(tests, wrong_arguments_are_refused);
    return run_suite(suite);
}
