/* unit: readers of a model beside one writer: every read sees one whole state. */
#include <pthread.h>
#include <stdio.h>
#include "api_fixture.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { DIM = 3, PAIRS = 40, READERS = 3, ROUNDS = 300 };

static _Atomic int32_t finished;
static _Atomic int64_t faults;

static void open_model(void)
{
    api_open_tied();
    atomic_store(&finished, 0); /* the tests may share a process */
    atomic_store(&faults, 0);
}

static void expect(int holds)
{
    if (!holds) atomic_fetch_add(&faults, 1);
}

/* Items 2p and 2p + 1 come, change and go together, with equal vectors. */
static void write_pair(int64_t pair, float value)
{
    const int64_t ids[] = {2 * pair, 2 * pair + 1};
    float vectors[2 * DIM];
    int32_t slot, generation;
    for (int i = 0; i < 2 * DIM; i++) vectors[i] = value;
    if (seqrec_items_locate(api.model, ids[0], &slot, &generation, NULL) == SEQREC_OK) {
        if ((int64_t)value % 3 == 0)
            expect(seqrec_items_remove(api.model, ids, 2, NULL) == SEQREC_OK);
        else
            expect(seqrec_items_update(api.model, ids, 2, vectors, NULL) == SEQREC_OK);
        return;
    }
    char names[2][24];
    snprintf(names[0], sizeof names[0], "first %d", (int)pair);
    snprintf(names[1], sizeof names[1], "second %d", (int)pair);
    expect(seqrec_items_put(api.model, ids, 2, vectors, NULL) == SEQREC_OK);
    expect(seqrec_items_set_names(api.model, ids, (const char *[]){names[0], names[1]}, 2, NULL) == SEQREC_OK);
}

static void read_pair(int64_t pair)
{
    const int64_t ids[] = {2 * pair, 2 * pair + 1};
    float out[2 * DIM];
    char name[24];
    int64_t found;
    int32_t status = seqrec_items_get(api.model, ids, 2, out, NULL);
    expect(status == SEQREC_OK || status == SEQREC_E_NOT_FOUND);
    for (int i = 1; status == SEQREC_OK && i < 2 * DIM; i++) expect(out[i] == out[0]);
    status = seqrec_items_name(api.model, ids[1], name, sizeof name, NULL, NULL);
    expect(status == SEQREC_OK || status == SEQREC_E_NOT_FOUND);
    if (status == SEQREC_OK && seqrec_items_find(api.model, name, &found, NULL) == SEQREC_OK) expect(found == ids[1]);
    expect(seqrec_items_count(api.model) % 2 == 0);
}

static void *read_all(void *arg)
{
    int64_t turn = 0;
    (void)arg;
    while (!atomic_load(&finished)) {
        char note[16];
        seqrec_config *config = NULL;
        read_pair(turn++ % PAIRS);
        expect(seqrec_model_note(api.model, "round", note, sizeof note, NULL, NULL) == SEQREC_OK);
        if (turn % 16 != 0) continue;
        expect(seqrec_model_config(api.model, &config, NULL) == SEQREC_OK);
        seqrec_config_release(config);
        seqrec_model_release(seqrec_model_retain(api.model));
    }
    return NULL;
}

START_TEST(reads_beside_a_writer_see_whole_states)
{
    pthread_t readers[READERS];
    EXPECT(SEQREC_OK, seqrec_model_set_note(api.model, "round", "0", &api.error));
    for (int i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&readers[i], NULL, read_all, NULL), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        char text[16];
        for (int64_t pair = round % 4; pair < PAIRS; pair += 4) write_pair(pair, (float)(round + pair));
        snprintf(text, sizeof text, "%d", round);
        expect(seqrec_model_set_note(api.model, "round", text, NULL) == SEQREC_OK);
    }
    atomic_store(&finished, 1);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    ck_assert_int_eq(atomic_load(&faults), 0);
}
END_TEST

static void *save_often(void *arg)
{
    char path[512];
    (void)arg;
    snprintf(path, sizeof path, "%s/beside", scratch);
    while (!atomic_load(&finished)) {
        seqrec_model *back = NULL;
        expect(seqrec_model_save(api.model, path, NULL) == SEQREC_OK);
        expect(seqrec_model_load(api.context, path, &back, NULL) == SEQREC_OK);
        expect(seqrec_items_count(back) % 2 == 0);
        seqrec_model_release(back);
    }
    return NULL;
}

START_TEST(a_model_saved_beside_a_writer_is_whole)
{
    pthread_t saver;
    scratch_create();
    ck_assert_int_eq(pthread_create(&saver, NULL, save_often, NULL), 0);
    for (int round = 1; round <= ROUNDS; round++)
        for (int64_t pair = round % 4; pair < PAIRS; pair += 4) write_pair(pair, (float)(round + pair));
    atomic_store(&finished, 1);
    pthread_join(saver, NULL);
    scratch_remove();
    ck_assert_int_eq(atomic_load(&faults), 0);
}
END_TEST

/* Two options that every trainer is made with at one value. */
static void *read_options(void *arg)
{
    (void)arg;
    while (!atomic_load(&finished)) {
        char rate[32] = "", dropout[32] = "-";
        seqrec_config *config = NULL;
        expect(seqrec_model_config(api.model, &config, NULL) == SEQREC_OK);
        expect(seqrec_config_get(config, "learning_rate", rate, sizeof rate, NULL, NULL) == SEQREC_OK);
        expect(seqrec_config_get(config, "dropout", dropout, sizeof dropout, NULL, NULL) == SEQREC_OK);
        expect(strcmp(rate, dropout) == 0);
        seqrec_config_release(config);
    }
    return NULL;
}

static void make_trainer(const char *value)
{
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    expect(seqrec_model_config(api.model, &config, NULL) == SEQREC_OK);
    expect(seqrec_config_set(config, "learning_rate", value, NULL) == SEQREC_OK);
    expect(seqrec_config_set(config, "dropout", value, NULL) == SEQREC_OK);
    expect(seqrec_trainer_create(api.model, config, &trainer, NULL) == SEQREC_OK);
    expect(seqrec_trainer_set(trainer, "seed", value[2] == '1' ? "1" : "2", NULL) == SEQREC_OK);
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
}

static void *put_often(void *arg)
{
    (void)arg;
    for (int64_t round = 0; !atomic_load(&finished); round++) write_pair(round % PAIRS, (float)round);
    return NULL;
}

START_TEST(options_read_beside_trainers_that_are_made_are_those_of_one)
{
    pthread_t reader, putter;
    make_trainer("0.1");
    ck_assert_int_eq(pthread_create(&reader, NULL, read_options, NULL), 0);
    ck_assert_int_eq(pthread_create(&putter, NULL, put_often, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) make_trainer(round % 2 ? "0.1" : "0.2");
    atomic_store(&finished, 1);
    pthread_join(reader, NULL);
    pthread_join(putter, NULL);
    ck_assert_int_eq(atomic_load(&faults), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("modelreaders");
    TCase *tests = tcase_create("modelreaders");
    tcase_add_checked_fixture(tests, open_model, api_close);
    tcase_add_test(tests, reads_beside_a_writer_see_whole_states);
    tcase_add_test(tests, a_model_saved_beside_a_writer_is_whole);
    tcase_add_test(tests, options_read_beside_trainers_that_are_made_are_those_of_one);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
