/* unit: a trainer follows the items of its model: added, updated, removed or put in a freed slot between steps. */
#include "counting_allocator.h"
#include "run_suite.h"
#include "trainer_state.h"

#define ITEMS 50
#define WIDTH 48

static sq_options follow_options(int kind)
{
    sq_options o = small_options("sasrec");
    training_kind(kind, &o);
    o.dim = 14;
    o.heads = 2;
    o.max_length = 20;
    o.micro_batch = 40;
    o.learning_rate = 0.01;
    return o;
}

/* A trainer that has seen every item a few times; its rows are current. */
static small_model warm(const seqrec_allocator *host, const sq_options *o)
{
    small_model s = small_open_with(host, o, host ? 0 : 2, ITEMS);
    small_train(&s, o);
    for (uint64_t i = 0; i < 4; i++) {
        small_batch b;
        small_draw(&b, i, 20, 10, 30, ITEMS);
        small_step(s.trainer, &b);
    }
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    return s;
}

static void sync(small_model *s)
{
    EXPECT_OK(sq_trainer_sync(s->trainer, error));
}

static void batch_of(const sq_trainer *t, small_batch *b, uint64_t seed)
{
    small_draw(b, seed, 20, 10, 30, (int32_t)t->items.live_count);
    for (int64_t i = 0; i < b->offsets[b->sequences]; i++) b->slots[i] = t->items.live[b->slots[i]];
}

static const float *moments(const sq_trainer *t, int32_t slot, int second)
{
    const sq_row_state *s = t->items.state[slot / SQ_CHUNK_ROWS];
    return (second ? s->v : s->m) + (size_t)(slot % SQ_CHUNK_ROWS) * (size_t)t->items.catalogue->stride;
}

/* The row is the model's and its state that of a new one. */
static void expect_fresh(const small_model *s, int32_t slot)
{
    const sq_trainer *t = s->trainer;
    size_t stride = (size_t)t->items.catalogue->stride;
    const float zero[128] = {0};
    same_floats("vectors", sq_trainer_row(t, slot), sq_catalogue_row(s->model->current->parts.catalogue, slot), stride);
    same_floats("first moments", moments(t, slot, 0), zero, stride);
    same_floats("second moments", moments(t, slot, 1), zero, stride);
    ck_assert_int_eq(t->items.state[slot / SQ_CHUNK_ROWS]->last[slot % SQ_CHUNK_ROWS], t->step);
}

/* The row and its state are what they were in `before`. */
static void expect_kept(const small_model *s, const trainer_state *before, int32_t slot)
{
    const sq_trainer *t = s->trainer;
    size_t stride = (size_t)t->items.catalogue->stride, at = (size_t)slot * stride;
    same_floats("vectors", sq_trainer_row(t, slot), before->rows + at, stride);
    same_floats("first moments", moments(t, slot, 0), before->row_m + at, stride);
    same_floats("second moments", moments(t, slot, 1), before->row_v + at, stride);
    ck_assert_int_eq(t->items.state[slot / SQ_CHUNK_ROWS]->last[slot % SQ_CHUNK_ROWS], before->last[slot]);
}

static void vector_of(const sq_options *o, float *vector, int32_t seed)
{
    for (int i = 0; i < o->dim * (o->tied_output ? 1 : 2); i++) vector[i] = wave((uint64_t)seed, i);
}

/* Steps with the present items, in which each has a part. */
static void train_on(small_model *s)
{
    for (uint64_t i = 0; i < 3; i++) {
        small_batch b;
        batch_of(s->trainer, &b, 70 + i);
        ck_assert(isfinite(small_step(s->trainer, &b)));
    }
}

START_TEST(added_items_start_fresh_and_the_others_stay_as_trained)
{
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    trainer_state before = state_of(s.trainer);
    small_put(&s, 1000, 10, NULL);
    sync(&s);
    ck_assert_int_eq(s.trainer->items.live_count, ITEMS + 10);
    for (int32_t slot = 0; slot < ITEMS; slot++) expect_kept(&s, &before, slot);
    for (int32_t slot = ITEMS; slot < ITEMS + 10; slot++) expect_fresh(&s, slot);
    train_on(&s);
    state_free(&before);
    small_close(&s);
}
END_TEST

START_TEST(added_items_may_need_new_chunks)
{
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    trainer_state before = state_of(s.trainer);
    small_put(&s, 1000, 2 * SQ_CHUNK_ROWS, NULL);
    sync(&s);
    ck_assert_int_eq(s.trainer->items.chunks, 3);
    for (int32_t slot = 0; slot < ITEMS; slot++) expect_kept(&s, &before, slot);
    for (int32_t slot = ITEMS; slot < ITEMS + 2 * SQ_CHUNK_ROWS; slot++) expect_fresh(&s, slot);
    train_on(&s);
    state_free(&before);
    small_close(&s);
}
END_TEST

START_TEST(an_updated_item_starts_anew_from_the_given_vector)
{
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    trainer_state before = state_of(s.trainer);
    float vector[WIDTH];
    vector_of(&o, vector, 3);
    small_update(&s, 7, vector);
    sync(&s);
    ck_assert_mem_eq(sq_trainer_row(s.trainer, 7), vector, (size_t)o.dim * sizeof *vector);
    for (int32_t slot = 0; slot < ITEMS; slot++)
        if (slot == 7)
            expect_fresh(&s, slot);
        else
            expect_kept(&s, &before, slot);
    train_on(&s);
    state_free(&before);
    small_close(&s);
}
END_TEST

START_TEST(removed_items_never_come_back)
{
    static const int64_t gone[] = {0, 7, 31, 49};
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    trainer_state before = state_of(s.trainer);
    small_remove(&s, gone, 4);
    sync(&s);
    ck_assert_int_eq(s.trainer->items.live_count, ITEMS - 4);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(s.trainer->items.compact[gone[i]], -1);
    for (int32_t slot = 0; slot < ITEMS; slot++)
        if (s.trainer->items.compact[slot] >= 0) expect_kept(&s, &before, slot);
    for (uint64_t step = 0; step < 10; step++) {
        small_batch b;
        batch_of(s.trainer, &b, step);
        small_step(s.trainer, &b);
        for (size_t e = 0; e < s.trainer->entries.count; e++)
            for (int i = 0; i < 4; i++)
                if (s.trainer->entries.slots[e] == gone[i]) ck_abort_msg("slot %d is drawn", (int)gone[i]);
    }
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(sq_catalogue_find(s.model->current->parts.catalogue, gone[i]), -1);
        for (int32_t j = 0; j < s.trainer->items.catalogue->stride; j++)
            ck_assert(sq_catalogue_row(s.model->current->parts.catalogue, (int32_t)gone[i])[j] == 0);
    }
    state_free(&before);
    small_close(&s);
}
END_TEST

START_TEST(an_item_in_a_freed_slot_starts_fresh)
{
    const int64_t gone = 12;
    sq_options o = follow_options(_i);
    for (int together = 0; together < 2; together++) {
        small_model s = warm(NULL, &o);
        trainer_state before = state_of(s.trainer);
        small_remove(&s, &gone, 1);
        if (!together) sync(&s);
        small_put(&s, 2000, 1, NULL);
        sync(&s);
        ck_assert_int_eq(sq_catalogue_find(s.trainer->items.catalogue, 2000), 12);
        expect_fresh(&s, 12);
        ck_assert(memcmp(sq_trainer_row(s.trainer, 12), before.rows + 12 * s.trainer->items.catalogue->stride, 8) != 0);
        train_on(&s);
        state_free(&before);
        small_close(&s);
    }
}
END_TEST

START_TEST(a_removed_item_put_again_starts_fresh)
{
    const int64_t gone = 12;
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    small_remove(&s, &gone, 1);
    small_put(&s, 12, 1, NULL);
    sync(&s);
    expect_fresh(&s, 12);
    small_close(&s);
}
END_TEST

START_TEST(training_counts_follow_the_items)
{
    const int64_t gone = 12;
    sq_options o = follow_options(0);
    o.sampler = SQ_SAMPLER_POPULARITY;
    small_model s = small_open(&o, 0, ITEMS);
    small_train(&s, &o);
    double counts[SQ_CHUNK_ROWS] = {0};
    for (int i = 0; i < ITEMS; i++) counts[i] = i + 1;
    EXPECT_OK(sq_trainer_set_popularity(s.trainer, counts, error));
    small_remove(&s, &gone, 1);
    small_put(&s, 2000, 1, NULL); /* in slot 12 */
    sync(&s);
    for (int i = 0; i < ITEMS; i++) ck_assert(s.trainer->popularity[i] == (i == 12 ? 0 : i + 1));
    small_close(&s);
}
END_TEST

START_TEST(publishing_shows_the_trained_rows_and_keeps_what_others_changed)
{
    const int64_t gone = 5;
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o);
    sq_snapshot *reader = sq_snapshot_acquire(s.model);
    float vector[WIDTH], first = sq_catalogue_row(reader->parts.catalogue, 3)[0];
    vector_of(&o, vector, 4);
    small_update(&s, 7, vector);
    small_remove(&s, &gone, 1);
    small_put(&s, 3000, 2, NULL);
    EXPECT_OK(sq_trainer_publish(s.trainer, error));
    const sq_catalogue *now = s.model->current->parts.catalogue;
    ck_assert_int_eq(now->count, ITEMS + 1);
    ck_assert_mem_eq(sq_catalogue_row(now, 7), vector, (size_t)o.dim * sizeof *vector);
    same_floats("weights", s.model->current->parts.weights->at, s.trainer->weights, s.model->layout.floats);
    for (int64_t i = 0; i < s.trainer->items.live_count; i++)
        same_floats("rows", sq_catalogue_row(now, s.trainer->items.live[i]), sq_trainer_row(s.trainer, s.trainer->items.live[i]),
                    (size_t)now->stride);
    sq_snapshot *published = sq_snapshot_acquire(s.model);
    float *copy = malloc((size_t)now->stride * SQ_CHUNK_ROWS * sizeof *copy);
    memcpy(copy, published->parts.catalogue->rows[0]->at, (size_t)now->stride * SQ_CHUNK_ROWS * sizeof *copy);
    train_on(&s); /* readers' rows stay as they are */
    same_floats("rows of a reader", copy, published->parts.catalogue->rows[0]->at, (size_t)now->stride * SQ_CHUNK_ROWS);
    ck_assert(sq_catalogue_row(reader->parts.catalogue, 3)[0] == first);
    free(copy);
    sq_snapshot_release(s.model, published);
    sq_snapshot_release(s.model, reader);
    small_close(&s);
}
END_TEST

START_TEST(publishing_between_steps_does_not_change_training)
{
    sq_options o = follow_options(_i);
    small_model s = warm(NULL, &o), t = warm(NULL, &o);
    for (uint64_t i = 0; i < 4; i++) {
        small_batch b;
        batch_of(s.trainer, &b, i);
        small_step(s.trainer, &b);
        EXPECT_OK(sq_trainer_publish(s.trainer, error));
        small_step(t.trainer, &b);
    }
    EXPECT_OK(sq_trainer_catch_up(t.trainer, error));
    trainer_state one = state_of(s.trainer), other = state_of(t.trainer);
    same_state(&one, &other);
    state_free(&one);
    state_free(&other);
    small_close(&s);
    small_close(&t);
}
END_TEST

START_TEST(a_sync_whose_memory_fails_changes_nothing)
{
    counting_allocator counted = {0};
    seqrec_allocator host = counting_host(&counted);
    const int64_t gone = 5;
    sq_options o = follow_options(_i);
    small_model s = warm(&host, &o);
    small_remove(&s, &gone, 1);
    small_put(&s, 1000, SQ_CHUNK_ROWS, NULL);
    trainer_state before = state_of(s.trainer);
    int failures = 0;
    for (;; failures++) {
        seqrec_error refused = {0};
        int64_t blocks = counted.blocks;
        counted.fail_at = counted.requests + 1 + failures;
        int32_t status = sq_trainer_sync(s.trainer, &refused);
        counted.fail_at = 0;
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_int_eq(counted.blocks, blocks);
        ck_assert_int_eq(s.trainer->items.live_count, ITEMS);
        trainer_state after = state_of(s.trainer);
        same_state(&before, &after);
        state_free(&after);
    }
    ck_assert_int_gt(failures, 5);
    state_free(&before);
    train_on(&s);
    small_close(&s);
    ck_assert_int_eq(counted.blocks, 0);
}
END_TEST

START_TEST(rows_that_were_lazy_are_not_replayed_after_a_change_to_exact)
{
    sq_options o = follow_options(8);
    small_model s = small_open(&o, 0, 1000);
    small_train(&s, &o);
    small_batch b;
    small_draw(&b, 1, 10, 10, 20, 1000);
    small_step(s.trainer, &b);
    for (int i = 0; i < 5; i++) {
        small_batch other;
        small_draw(&other, 2, 2, 5, 5, 1000);
        small_step(s.trainer, &other);
    }
    trainer_state before = state_of(s.trainer);
    EXPECT_OK(sq_trainer_set(s.trainer, "item_updates", "exact", error));
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    trainer_state after = state_of(s.trainer);
    same_floats("rows", before.rows, after.rows, before.row_floats);
    same_floats("rows' first moments", before.row_m, after.row_m, before.row_floats);
    state_free(&before);
    state_free(&after);
    small_close(&s);
}
END_TEST

START_TEST(a_change_of_rate_leaves_earlier_steps_of_waiting_rows_as_they_were)
{
    sq_options o = follow_options(0);
    small_model s = warm(NULL, &o), t = warm(NULL, &o);
    small_batch b;
    small_draw(&b, 1, 2, 4, 4, ITEMS);
    for (int i = 0; i < 3; i++) {
        small_step(s.trainer, &b);
        small_step(t.trainer, &b);
    }
    EXPECT_OK(sq_trainer_catch_up(t.trainer, error));
    EXPECT_OK(sq_trainer_set(s.trainer, "learning_rate", "0.5", error));
    EXPECT_OK(sq_trainer_catch_up(s.trainer, error));
    trainer_state one = state_of(s.trainer), other = state_of(t.trainer);
    same_state(&one, &other);
    state_free(&one);
    state_free(&other);
    small_close(&s);
    small_close(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow");
    TCase *tests = tcase_create("follow");
    tcase_add_loop_test(tests, added_items_start_fresh_and_the_others_stay_as_trained, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, added_items_may_need_new_chunks, 0, TRAINING_KINDS / 12);
    tcase_add_loop_test(tests, an_updated_item_starts_anew_from_the_given_vector, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, removed_items_never_come_back, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, an_item_in_a_freed_slot_starts_fresh, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, a_removed_item_put_again_starts_fresh, 0, 2);
    tcase_add_test(tests, training_counts_follow_the_items);
    tcase_add_loop_test(tests, publishing_shows_the_trained_rows_and_keeps_what_others_changed, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, publishing_between_steps_does_not_change_training, 0, TRAINING_KINDS);
    tcase_add_loop_test(tests, a_sync_whose_memory_fails_changes_nothing, 0, 2);
    tcase_add_test(tests, rows_that_were_lazy_are_not_replayed_after_a_change_to_exact);
    tcase_add_test(tests, a_change_of_rate_leaves_earlier_steps_of_waiting_rows_as_they_were);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
