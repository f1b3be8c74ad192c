/* unit: readers of item tables and of names beside the one writer that goes on making new ones. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "item_table.h"
#include "model/itemnames.h"
#include "run_suite.h"

enum { READERS = 3, KNOWN = 64, STEPS = 400 };

/* What readers take from and the writer replaces, as a model does with its snapshot. */
static struct {
    pthread_mutex_t lock;
    sq_catalogue *items;
    sq_item_names *names;
    atomic_int writing;
} shelf = {PTHREAD_MUTEX_INITIALIZER, NULL, NULL, 0};

static item_table table;

static void take(sq_catalogue **items, sq_item_names **names)
{
    pthread_mutex_lock(&shelf.lock);
    *items = sq_catalogue_retain(shelf.items);
    *names = sq_item_names_retain(shelf.names);
    pthread_mutex_unlock(&shelf.lock);
}

static void publish(sq_catalogue *items, sq_item_names *names)
{
    pthread_mutex_lock(&shelf.lock);
    sq_catalogue *old_items = shelf.items;
    sq_item_names *old_names = shelf.names;
    shelf.items = items;
    shelf.names = names;
    pthread_mutex_unlock(&shelf.lock);
    sq_catalogue_release(old_items);
    sq_item_names_release(old_names);
}

/* Row and name of a known item always carry the same number: the step that wrote both. */
static int64_t faults_of(const sq_catalogue *items, const sq_item_names *names)
{
    int64_t faults = table_fault(items) != NULL;
    for (int64_t id = 0; id < KNOWN; id++) {
        int32_t slot = sq_catalogue_find(items, id);
        const char *name = sq_item_names_get(names, id);
        char expected[32];
        if (slot < 0 || !name) return faults + 1;
        snprintf(expected, sizeof expected, "%d of %d", (int)id, (int)sq_catalogue_row(items, slot)[0]);
        for (size_t i = 0; i == 0 || expected[i - 1]; i++) {
            if (expected[i] == name[i]) continue;
            faults++;
            break;
        }
    }
    return faults;
}

static void *read_on(void *arg)
{
    int64_t *faults = arg;
    sq_catalogue *oldest, *items;
    sq_item_names *oldest_names, *names;
    take(&oldest, &oldest_names);
    do {
        take(&items, &names);
        *faults += faults_of(items, names) + faults_of(oldest, oldest_names);
        sq_catalogue_release(items);
        sq_item_names_release(names);
    } while (atomic_load(&shelf.writing));
    sq_catalogue_release(oldest);
    sq_item_names_release(oldest_names);
    return NULL;
}

/* Step s rewrites a known item and its name, and puts another one or removes the one put before. */
static void write_on(int64_t step)
{
    int64_t known = step % KNOWN, other = 1000 + step / 2;
    float vector[2] = {(float)step, 1};
    char text[32];
    const char *name = text;
    snprintf(text, sizeof text, "%d of %d", (int)known, (int)step);
    sq_catalogue *updated = NULL, *made = NULL;
    sq_item_names *names = NULL;
    ck_assert_int_eq(sq_catalogue_update(shelf.items, &known, 1, vector, &updated, NULL), SEQREC_OK);
    int32_t status = step % 2 ? sq_catalogue_remove(updated, &other, 1, &made, NULL)
                              : sq_catalogue_put(updated, &other, 1, vector, NULL, NULL, &made, NULL);
    ck_assert_int_eq(status, SEQREC_OK);
    sq_catalogue_release(updated);
    ck_assert_int_eq(sq_item_names_with(shelf.names, &known, &name, 1, &names, NULL), SEQREC_OK);
    publish(made, names);
}

static void fill_shelf(void)
{
    ck_assert_int_eq(table_open(&table, 2, 1), SEQREC_OK);
    ck_assert_int_eq(sq_item_names_create(table.context, &shelf.names, NULL), SEQREC_OK);
    shelf.items = table.now;
    table.now = NULL;
    for (int64_t id = 0; id < KNOWN; id++) {
        char text[32];
        const char *name = text;
        sq_catalogue *items = NULL;
        sq_item_names *names = NULL;
        snprintf(text, sizeof text, "%d of 0", (int)id);
        ck_assert_int_eq(sq_catalogue_put(shelf.items, &id, 1, NULL, NULL, NULL, &items, NULL), SEQREC_OK);
        ck_assert_int_eq(sq_item_names_with(shelf.names, &id, &name, 1, &names, NULL), SEQREC_OK);
        publish(items, names);
    }
}

START_TEST(readers_of_an_old_table_are_not_disturbed_by_a_writer)
{
    pthread_t readers[READERS];
    int64_t faults[READERS] = {0};
    fill_shelf();
    atomic_store(&shelf.writing, 1);
    for (int32_t i = 0; i < READERS; i++) ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, &faults[i]), 0);
    for (int64_t step = 0; step < STEPS; step++) write_on(step);
    atomic_store(&shelf.writing, 0);
    for (int32_t i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
        ck_assert_int_eq(faults[i], 0);
    }
    ck_assert_int_eq(faults_of(shelf.items, shelf.names), 0);
    publish(NULL, NULL);
    ck_assert_int_eq(table_close(&table), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("itemreaders");
    tcase_add_test(tests, readers_of_an_old_table_are_not_disturbed_by_a_writer);
    Suite *suite = suite_create("itemreaders");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
