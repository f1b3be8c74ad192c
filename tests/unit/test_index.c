/* api: an index of the host behind top-k, held against the scores of all items. The index here is a plain scan that can also be wrong. */
#include "retrieval_world.h"
#include "run_suite.h"
#include "scratch_folder.h"

enum { BREADTH = 128, WORST = 4096 };

/* How an index misbehaves. */
enum { SOUND = 0, FAILS, BLURTS, MISCOUNTS, KNOWS_NOTHING };

typedef struct plain_index {
    seqrec_vectors *vectors;
    seqrec_vectors_info info;
    float *rows; /* [slots][width] */
    uint8_t *live;
    int32_t manner;
    _Atomic int64_t asked, released;
} plain_index;

static plain_index *made_of(seqrec_vectors *vectors)
{
    plain_index *p = calloc(1, sizeof *p);
    p->vectors = vectors;
    p->info.struct_size = sizeof p->info;
    EXPECT(SEQREC_OK, seqrec_vectors_describe(vectors, &p->info, &api.error));
    p->rows = malloc((size_t)(p->info.slots * p->info.width) * sizeof *p->rows);
    p->live = malloc((size_t)p->info.slots);
    EXPECT(SEQREC_OK, seqrec_vectors_read(vectors, 0, p->info.slots, p->rows, p->live, &api.error));
    return p;
}

static plain_index *made_now(void)
{
    seqrec_vectors *vectors = NULL;
    EXPECT(SEQREC_OK, seqrec_vectors_open(api.model, &vectors, &api.error));
    return made_of(vectors);
}

static void throw_away(plain_index *p)
{
    seqrec_vectors_release(p->vectors);
    free(p->rows);
    free(p->live);
    free(p);
}

static float product(const plain_index *p, const float *query, int64_t slot)
{
    double sum = 0;
    for (int64_t i = 0; i < p->info.width; i++) sum += (double)query[i] * (double)p->rows[slot * p->info.width + i];
    return (float)sum;
}

/* The best `want`, kept sorted by insertion. */
static int32_t scan_plainly(void *context, const float *query, int64_t want, int32_t *slots, int64_t *found)
{
    plain_index *p = context;
    float best[WORST];
    int64_t n = 0;
    atomic_fetch_add(&p->asked, 1);
    if (p->manner == FAILS) return SEQREC_E_MEMORY;
    for (int64_t slot = 0; slot < p->info.slots && p->manner != KNOWS_NOTHING; slot++) {
        if (!p->live[slot]) continue;
        const float score = product(p, query, slot);
        if (n == want && !(score > best[n - 1])) continue;
        int64_t at = n < want ? n++ : n - 1;
        for (; at > 0 && best[at - 1] < score; at--) {
            best[at] = best[at - 1];
            slots[at] = slots[at - 1];
        }
        best[at] = score;
        slots[at] = (int32_t)slot;
    }
    if (p->manner == BLURTS && n > 40) {
        for (int64_t i = 0; i < 10; i++) slots[n - 1 - i] = slots[0];
        slots[n - 11] = -1;
        slots[n - 12] = INT32_MAX;
        slots[n - 13] = (int32_t)p->info.slots;
    }
    *found = p->manner == MISCOUNTS ? want + 1 : n;
    return SEQREC_OK;
}

static void count_release(void *context)
{
    atomic_fetch_add(&((plain_index *)context)->released, 1);
}

static seqrec_index index_of(plain_index *p)
{
    return (seqrec_index){.struct_size = sizeof(seqrec_index), .context = p, .breadth = BREADTH, .search = scan_plainly, .release = count_release};
}

static void attach(plain_index *p)
{
    const seqrec_index index = index_of(p);
    EXPECT(SEQREC_OK, seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
}

static void detach(void)
{
    EXPECT(SEQREC_OK, seqrec_model_set_index(api.model, NULL, NULL, &api.error));
}

static seqrec_index_info facts(void)
{
    seqrec_index_info info = {.struct_size = sizeof info};
    EXPECT(SEQREC_OK, seqrec_model_describe_index(api.model, &info, &api.error));
    return info;
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

START_TEST(lists_of_an_index_that_finds_all_are_those_of_a_scan)
{
    static answer plain, indexed, singly;
    open_model(_i % 2 ? 2 : 0, SOME, kinds[_i % KINDS]);
    const asked *a = ask(SOME);
    answer_all(&a->batch, NULL, &plain);
    plain_index *p = made_now();
    attach(p);
    answer_all(&a->batch, NULL, &indexed);
    expect_same(&plain, &indexed);
    answer_singly(a, NULL, &singly);
    expect_same(&plain, &singly);
    expect_exact_scores(a, &indexed);
    const seqrec_index_info info = facts();
    ck_assert_int_eq(info.attached, 1);
    ck_assert_int_eq(info.covered, SOME);
    ck_assert_int_eq(info.beside, 0);
    ck_assert_int_eq(info.searched, 2 * (USERS - 1));
    ck_assert_int_eq(info.scanned, 2); /* the history without events */
    ck_assert_int_eq(info.failed, 0);
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_INT8, &api.error));
    answer_all(&a->batch, NULL, &indexed);
    ck_assert_int_eq(facts().searched, 3 * (USERS - 1));
    EXPECT(SEQREC_OK, seqrec_model_quantise(api.model, SEQREC_TABLE_FLOAT32, &api.error));
    ck_assert_double_eq(recall_of(&plain, &indexed), 1);
    detach();
    ck_assert_int_eq(atomic_load(&p->released), 1);
    throw_away(p);
    api_close();
}
END_TEST

/* Marks for every third item, for one in fifty, and for none. */
START_TEST(filters_hold_for_an_index_too)
{
    static answer plain, indexed;
    static uint64_t marks[3 * SOME / 64 + 20];
    static int64_t deny[100], allow[40];
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    answer_singly(a, NULL, &plain);
    for (int64_t i = 0; i < 100; i++) deny[i] = plain.items[BEST + 5 * i];
    for (int64_t i = 0; i < 40; i++) allow[i] = id_of(70 * i);
    const int64_t steps[] = {0, 3, 50, SOME};
    for (int64_t i = 0; _i > 0 && _i < 4 && i < SOME; i += steps[_i % 4]) marks[3 * i / 64] |= (uint64_t)1 << 3 * i % 64;
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1, .deny = deny, .deny_count = 100};
    if (_i > 0 && _i < 4) {
        filter.bits = marks;
        filter.bits_first = id_of(0);
        filter.bits_count = _i == 3 ? 0 : 3 * SOME;
    }
    if (_i == 4) {
        filter.allow = allow;
        filter.allow_count = 40;
    }
    answer_all(&a->batch, &filter, &plain);
    plain_index *p = made_now();
    attach(p);
    answer_all(&a->batch, &filter, &indexed);
    expect_same(&plain, &indexed);
    ck_assert_int_eq(facts().searched, _i <= 1 ? USERS - 1 : 0);
    ck_assert(_i <= 1 || atomic_load(&p->asked) == 0);
    for (int64_t i = 0; i < SOME * 3 / 64 + 20; i++) marks[i] = 0;
    detach();
    throw_away(p);
    api_close();
}
END_TEST

/* The marks let only those items in that the user likes least: the index is asked for more and more, and then all are scored. */
START_TEST(a_search_is_widened_until_the_list_is_full)
{
    static uint64_t marks[3 * SOME / 64 + 20];
    int64_t items[BEST], plain[BEST], found, all[SOME];
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    seqrec_filter filter = {.struct_size = sizeof filter, .bits = marks, .bits_first = id_of(0), .bits_count = 3 * SOME};
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, SOME, NULL, all, NULL, &found, &api.error));
    const int64_t from = _i == 0 ? 200 : SOME / 2;
    for (int64_t i = from; i < SOME; i++) marks[(all[i] - id_of(0)) / 64] |= (uint64_t)1 << (all[i] - id_of(0)) % 64;
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, &filter, plain, NULL, &found, &api.error));
    ck_assert_int_eq(plain[0], all[from]);
    plain_index *p = made_now();
    attach(p);
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, BEST, &filter, items, NULL, &found, &api.error));
    ck_assert_mem_eq(items, plain, sizeof items);
    ck_assert_int_eq(atomic_load(&p->asked), 2);
    ck_assert_int_eq(facts().searched, _i == 0);
    ck_assert_int_eq(facts().scanned, _i == 1);
    EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, SOME, NULL, all, NULL, &found, &api.error)); /* too long to ask for */
    ck_assert_int_eq(facts().scanned, 1 + (_i == 1));
    memset(marks, 0, sizeof marks);
    detach();
    throw_away(p);
    api_close();
}
END_TEST

/* What it says is out of range, the same item several times, or more than was asked for; or it says nothing. */
START_TEST(a_wrong_index_cannot_make_a_wrong_list)
{
    static answer plain, indexed;
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    answer_all(&a->batch, NULL, &plain);
    plain_index *p = made_now();
    p->manner = 1 + _i;
    attach(p);
    answer_all(&a->batch, NULL, &indexed);
    expect_same(&plain, &indexed);
    const seqrec_index_info info = facts();
    ck_assert_int_eq(info.searched, p->manner == BLURTS ? USERS - 1 : 0);
    ck_assert_int_eq(info.failed, p->manner == FAILS || p->manner == MISCOUNTS ? USERS - 1 : 0);
    detach();
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(sessions_ask_the_index_too)
{
    int64_t plain[BEST], indexed[BEST], found;
    seqrec_sessions *pool = NULL;
    seqrec_session *session = NULL;
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    EXPECT(SEQREC_OK, seqrec_sessions_create(api.model, SIZE_MAX, &pool, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_open(pool, NULL, a->events, NULL, 5, SEQREC_UNKNOWN_ERROR, &session, &api.error));
    EXPECT(SEQREC_OK, seqrec_session_topk(session, BEST, &filter, plain, NULL, &found, &api.error));
    plain_index *p = made_now();
    attach(p);
    EXPECT(SEQREC_OK, seqrec_session_topk(session, BEST, &filter, indexed, NULL, &found, &api.error));
    ck_assert_mem_eq(plain, indexed, sizeof plain);
    ck_assert_int_eq(facts().searched, 1);
    seqrec_session_release(session);
    seqrec_sessions_release(pool);
    seqrec_model_release(api.model);
    api.model = NULL;
    ck_assert_int_eq(atomic_load(&p->released), 1);
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(threads_do_not_change_lists_of_an_index)
{
    static answer one, more;
    for (int32_t threads = 1; threads <= 4; threads += threads) {
        open_model(threads, SOME, tied);
        plain_index *p = made_now();
        attach(p);
        answer_all(&ask(SOME)->batch, NULL, threads == 1 ? &one : &more);
        if (threads > 1) expect_same(&one, &more);
        detach();
        throw_away(p);
        api_close();
    }
}
END_TEST

/* ---- changes of items --------------------------------------------------------------------------------------------- */

/* The lists now, those of a scan, and those of the index attached afresh to what it was made of, are one; returns how many items are
 * beside the index. */
static int64_t expect_in_step(plain_index *p, const asked *a)
{
    static answer carried, plain, afresh;
    const int64_t beside = facts().beside, searched = facts().searched;
    answer_all(&a->batch, NULL, &carried);
    ck_assert_int_gt(facts().searched, searched);
    detach();
    answer_all(&a->batch, NULL, &plain);
    expect_same(&plain, &carried);
    attach(p);
    ck_assert_int_eq(facts().beside, beside);
    answer_all(&a->batch, NULL, &afresh);
    expect_same(&plain, &afresh);
    return beside;
}

/* Items that come, change, go, and come again in the slot of one that went. */
START_TEST(an_index_stays_in_step_with_changes_of_items)
{
    float user[DIM], vector[2 * (DIM + 1)] = {0};
    int32_t slot, generation, other;
    int64_t best, found, newcomer = 5, successor = 6, old = id_of(2047);
    open_model(0, SOME, _i ? untied : tied);
    asked *a = ask(SOME);
    const int64_t offsets[] = {0, 5}, first_output = _i ? DIM + 1 : 0;
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    plain_index *p = made_now();
    attach(p);
#define SET_BEST(factor)                                                                                               \
    do {                                                                                                               \
        EXPECT(SEQREC_OK, seqrec_encode(api.model, &one, NULL, user, &api.error));                                     \
        for (int64_t i = 0; i < DIM; i++) vector[first_output + i] = (factor) * user[i];                               \
    } while (0)
#define IS_BEST(id)                                                                                                    \
    do {                                                                                                               \
        EXPECT(SEQREC_OK, seqrec_topk(api.model, &one, 1, NULL, &best, NULL, &found, &api.error));                     \
        ck_assert_int_eq(best, (id));                                                                                  \
    } while (0)
    SET_BEST(3);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &newcomer, 1, vector, &api.error));
    IS_BEST(newcomer);
    ck_assert_int_eq(expect_in_step(p, a), 1);
    SET_BEST(4);
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &old, 1, vector, &api.error));
    IS_BEST(old);
    ck_assert_int_eq(expect_in_step(p, a), 2);
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, old, &slot, &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &old, 1, &api.error));
    IS_BEST(newcomer);
    ck_assert_int_eq(expect_in_step(p, a), 1);
    SET_BEST(5);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &successor, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, successor, &other, &generation, &api.error));
    ck_assert_int_eq(other, slot);
    IS_BEST(successor);
    ck_assert_int_eq(expect_in_step(p, a), 2);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &newcomer, 1, &api.error));
    ck_assert_int_eq(expect_in_step(p, a), 1);
    ck_assert_int_eq(facts().covered, SOME - 1);
    detach();
    throw_away(p);
    api_close();
}
END_TEST

/* The same item with the same vector in the same slot, but put again: it is another to whoever kept the slot and generation. */
START_TEST(what_was_put_again_is_beside_the_index)
{
    float vector[DIM];
    const int64_t id = id_of(17);
    open_model(0, SOME, tied);
    plain_index *p = made_now();
    attach(p);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &id, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &id, 1, vector, &api.error));
    ck_assert_int_eq(expect_in_step(p, ask(SOME)), 1);
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &(int64_t){id_of(18)}, 1, vector, &api.error));
    ck_assert_int_eq(expect_in_step(p, ask(SOME)), 2);
    detach();
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(an_index_that_covers_too_little_is_dropped)
{
    enum { MANY = SOME / 2 };
    static int64_t ids[MANY];
    open_model(0, SOME, tied);
    plain_index *p = made_now();
    attach(p);
    for (int64_t i = 0; i < MANY; i++) ids[i] = _i ? 10 * SOME + i : id_of(i);
    if (_i)
        EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids, SOME / 8, NULL, &api.error));
    else
        EXPECT(SEQREC_OK, seqrec_items_remove(api.model, ids, SOME / 8, &api.error));
    ck_assert_int_eq(facts().attached, 1);
    ck_assert_int_eq(facts().beside, _i ? SOME / 8 : 0);
    if (_i)
        EXPECT(SEQREC_OK, seqrec_items_put(api.model, ids + SOME / 8, MANY - SOME / 8, NULL, &api.error));
    else
        EXPECT(SEQREC_OK, seqrec_items_remove(api.model, ids + SOME / 8, MANY - SOME / 8, &api.error));
    const seqrec_index_info none = facts();
    ck_assert_int_eq(none.attached, 0);
    ck_assert_int_eq(none.covered + none.beside + none.searched, 0);
    ck_assert_int_eq(atomic_load(&p->released), 1);
    const seqrec_index index = index_of(p);
    REFUSED(SEQREC_E_STATE, "build one of now", seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
    ck_assert_int_eq(atomic_load(&p->released), 1);
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(training_ends_an_index_and_a_new_one_takes_its_place)
{
    static answer plain, indexed;
    seqrec_trainer *trainer = NULL;
    open_model(0, SOME, tied);
    asked *a = ask(SOME);
    plain_index *first = made_now(), *second = NULL;
    attach(first);
    EXPECT(SEQREC_OK, seqrec_trainer_create(api.model, api.config, &trainer, &api.error));
    const seqrec_batch taught = {.struct_size = sizeof taught, .sequences = USERS - 1, .offsets = a->offsets + 1, .items = a->events};
    EXPECT(SEQREC_OK, seqrec_trainer_publish(trainer, &api.error));
    ck_assert_int_eq(facts().attached, 1); /* the same weights */
    for (int32_t i = 0; i < 20; i++) EXPECT(SEQREC_OK, seqrec_trainer_step(trainer, &taught, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_trainer_publish(trainer, &api.error));
    answer_all(&a->batch, NULL, &plain);
    second = made_now();
    attach(second);
    answer_all(&a->batch, NULL, &indexed);
    expect_same(&plain, &indexed);
    ck_assert_int_eq(facts().beside, 0);
    ck_assert_int_eq(atomic_load(&first->released), 1);
    seqrec_trainer_release(trainer);
    detach();
    throw_away(first);
    throw_away(second);
    api_close();
}
END_TEST

/* ---- vectors ------------------------------------------------------------------------------------------------------ */

/* An item's vector as an index sees it is the one that scores are made of. */
START_TEST(vectors_score_as_the_library_does)
{
    const int64_t candidates[] = {id_of(0), id_of(7), id_of(1023), id_of(1024), id_of(SOME - 1)};
    float user[DIM + 1] = {0}, scores[5];
    int32_t slot, generation;
    open_model(0, SOME, kinds[_i]);
    const asked *a = ask(SOME);
    const int64_t offsets[] = {0, 5};
    const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = a->events};
    plain_index *p = made_now();
    ck_assert_int_eq(p->info.items, SOME);
    ck_assert_int_eq(p->info.width, DIM + (_i == 1));
    ck_assert_int_eq(p->info.cosine, _i == 2);
    EXPECT(SEQREC_OK, seqrec_encode(api.model, &one, NULL, user, &api.error));
    if (_i == 1) user[DIM] = 1;
    EXPECT(SEQREC_OK, seqrec_score(api.model, &one, candidates, NULL, 5, NULL, scores, &api.error));
    for (int32_t i = 0; i < 5; i++) {
        EXPECT(SEQREC_OK, seqrec_items_locate(api.model, candidates[i], &slot, &generation, &api.error));
        ck_assert_int_eq(p->live[slot], 1);
        ck_assert_float_eq_tol(product(p, user, slot), scores[i], 1e-5f);
    }
    ck_assert_int_eq(p->live[p->info.slots - 1], 0);
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(compared_vectors_say_what_changed)
{
    uint8_t changes[4096];
    float vector[DIM] = {1};
    int32_t slot[3], generation;
    seqrec_vectors *before = NULL, *now = NULL;
    const int64_t updated = id_of(3), removed = id_of(2000), newcomers[] = {1, 2};
    open_model(0, SOME, tied);
    EXPECT(SEQREC_OK, seqrec_vectors_open(api.model, &before, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, updated, &slot[0], &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &updated, 1, vector, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, removed, &slot[1], &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, newcomers, 2, NULL, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_locate(api.model, newcomers[1], &slot[2], &generation, &api.error));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &removed, 1, &api.error));
    EXPECT(SEQREC_OK, seqrec_vectors_open(api.model, &now, &api.error));
    EXPECT(SEQREC_OK, seqrec_vectors_compare(now, before, 0, 3072, changes, &api.error));
    int64_t other = 0, gone = 0;
    for (int64_t i = 0; i < 3072; i++) {
        other += changes[i] == 1;
        gone += changes[i] == 2;
    }
    ck_assert_int_eq(other, 3);
    ck_assert_int_eq(gone, 1);
    ck_assert_int_eq(changes[slot[0]], 1);
    ck_assert_int_eq(changes[slot[1]], 2);
    ck_assert_int_eq(changes[slot[2]], 1);
    EXPECT(SEQREC_OK, seqrec_vectors_compare(before, before, 5, 9, changes, &api.error));
    for (int64_t i = 0; i < 9; i++) ck_assert_int_eq(changes[i], 0);
    seqrec_vectors_release(before);
    seqrec_vectors_release(seqrec_vectors_retain(now));
    seqrec_vectors_release(now);
    api_close();
}
END_TEST

static uint64_t sum_of(const seqrec_model *model)
{
    seqrec_vectors *vectors = NULL;
    uint64_t sum = 0;
    EXPECT(SEQREC_OK, seqrec_vectors_open(model, &vectors, &api.error));
    EXPECT(SEQREC_OK, seqrec_vectors_checksum(vectors, &sum, &api.error));
    seqrec_vectors_release(vectors);
    return sum;
}

START_TEST(the_sum_of_vectors_is_that_of_the_file)
{
    float vector[2 * (DIM + 1)];
    seqrec_model *loaded = NULL;
    const int64_t id = id_of(5), gone = id_of(9);
    scratch_create();
    open_model(0, SOME, kinds[_i]);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &gone, 1, &api.error));
    const uint64_t sum = sum_of(api.model);
    EXPECT(SEQREC_OK, seqrec_model_save(api.model, scratch_path("model"), &api.error));
    EXPECT(SEQREC_OK, seqrec_model_load(api.context, scratch_path("model"), &loaded, &api.error));
    ck_assert_uint_eq(sum_of(loaded), sum);
    EXPECT(SEQREC_OK, seqrec_items_get(api.model, &id, 1, vector, &api.error));
    vector[_i == 1 ? DIM + 1 : 0] += 0.5f;
    EXPECT(SEQREC_OK, seqrec_items_update(api.model, &id, 1, vector, &api.error));
    ck_assert_uint_ne(sum_of(api.model), sum);
    seqrec_model_release(loaded);
    api_close();
    scratch_remove();
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------------------------------ */

START_TEST(wrong_arguments_are_refused)
{
    float row[DIM];
    uint8_t changes[4];
    seqrec_model *other = NULL;
    seqrec_vectors *vectors = NULL, *foreign = NULL;
    open_model(0, SOME, tied);
    plain_index *p = made_now();
    seqrec_index index = index_of(p);
    seqrec_index_info info = {.struct_size = 8};
    seqrec_vectors_info about = {.struct_size = 8};
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_vectors_open(NULL, &vectors, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_vectors_open(api.model, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "vectors", seqrec_vectors_describe(NULL, &about, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_vectors_describe(p->vectors, &about, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_vectors_describe(p->vectors, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "3072", seqrec_vectors_read(p->vectors, 3072, 1, row, NULL, &api.error));
    REFUSED(SEQREC_E_RANGE, "-1", seqrec_vectors_read(p->vectors, -1, 1, row, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "negative", seqrec_vectors_read(p->vectors, 0, -1, row, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out is NULL", seqrec_vectors_read(p->vectors, 0, 1, NULL, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "vectors", seqrec_vectors_compare(p->vectors, NULL, 0, 4, changes, &api.error));
    REFUSED(SEQREC_E_RANGE, "4 slots", seqrec_vectors_compare(p->vectors, p->vectors, INT64_MAX, 4, changes, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_vectors_checksum(p->vectors, NULL, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_set_index(NULL, p->vectors, &index, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "vectors", seqrec_model_set_index(api.model, NULL, &index, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "model", seqrec_model_describe_index(NULL, &info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_model_describe_index(api.model, &info, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "out", seqrec_model_describe_index(api.model, NULL, &api.error));
    index.breadth = 0;
    REFUSED(SEQREC_E_RANGE, "65536", seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
    index.breadth = 65537;
    REFUSED(SEQREC_E_RANGE, "65537", seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
    index = index_of(p);
    index.search = NULL;
    REFUSED(SEQREC_E_ARGUMENT, "search", seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
    index = index_of(p);
    index.struct_size = 16;
    REFUSED(SEQREC_E_ARGUMENT, "struct_size", seqrec_model_set_index(api.model, p->vectors, &index, &api.error));
    index = index_of(p);
    api_set("score", "cosine");
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &other, &api.error));
    EXPECT(SEQREC_OK, seqrec_vectors_open(other, &foreign, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "another shape", seqrec_model_set_index(other, p->vectors, &index, &api.error));
    REFUSED(SEQREC_E_ARGUMENT, "different shapes", seqrec_vectors_compare(p->vectors, foreign, 0, 4, changes, &api.error));
    index.context = NULL;
    REFUSED(SEQREC_E_STATE, "too few of the 0 items", seqrec_model_set_index(other, foreign, &index, &api.error));
    ck_assert_int_eq(atomic_load(&p->released), 0);
    seqrec_vectors_release(foreign);
    seqrec_vectors_release(NULL);
    seqrec_model_release(other);
    throw_away(p);
    api_close();
}
END_TEST

START_TEST(a_refused_allocation_changes_no_index)
{
    static answer before, after;
    const int64_t id = 5;
    seqrec_vectors *vectors = NULL;
    open_model(0, SOME, tied);
    const asked *a = ask(SOME);
    answer_all(&a->batch, NULL, &before);
    EACH_ALLOCATION_FAILS(seqrec_vectors_open(api.model, &vectors, &api.error), ck_assert_ptr_null(vectors), seqrec_vectors_release(vectors));
    plain_index *p = made_now();
    const seqrec_index index = index_of(p);
    EXPECT(SEQREC_OK, seqrec_items_put(api.model, &id, 1, NULL, &api.error));
    EACH_ALLOCATION_FAILS(seqrec_model_set_index(api.model, p->vectors, &index, &api.error), ck_assert_int_eq(facts().attached, 0), detach());
    ck_assert_int_eq(atomic_load(&p->released), 1);
    attach(p);
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &id, 1, &api.error));
    EACH_ALLOCATION_FAILS(seqrec_items_put(api.model, &id, 1, NULL, &api.error), ck_assert_int_eq(facts().beside, 0),
                          ck_assert_int_eq(facts().beside, 1));
    EXPECT(SEQREC_OK, seqrec_items_remove(api.model, &id, 1, &api.error));
    answer_all(&a->batch, NULL, &after);
    expect_same(&before, &after);
    ck_assert_int_eq(facts().searched, USERS - 1);
    detach();
    throw_away(p);
    api_close();
}
END_TEST

static plain_index *parents;

static int calls_of_a_child(void)
{
    const seqrec_index index = index_of(parents);
    seqrec_vectors *vectors = NULL;
    seqrec_vectors_info info = {.struct_size = sizeof info};
    seqrec_index_info facts_of_index = {.struct_size = sizeof facts_of_index};
    float row[DIM];
    uint8_t change;
    uint64_t sum;
    const int32_t statuses[] = {
        seqrec_vectors_open(api.model, &vectors, NULL),
        seqrec_vectors_describe(parents->vectors, &info, NULL),
        seqrec_vectors_read(parents->vectors, 0, 1, row, NULL, NULL),
        seqrec_vectors_compare(parents->vectors, parents->vectors, 0, 1, &change, NULL),
        seqrec_vectors_checksum(parents->vectors, &sum, NULL),
        seqrec_model_set_index(api.model, parents->vectors, &index, NULL),
        seqrec_model_set_index(api.model, NULL, NULL, NULL),
        seqrec_model_describe_index(api.model, &facts_of_index, NULL),
    };
    seqrec_vectors_release(seqrec_vectors_retain(parents->vectors));
    if (atomic_load(&parents->released) != 0) return 100;
    seqrec_model_release(api.model);
    if (atomic_load(&parents->released) != 1) return 101;
    throw_away(parents);
    seqrec_context_release(api.context);
    return FIRST_OTHER(statuses, SEQREC_E_STATE);
}

START_TEST(a_forked_child_is_refused_but_may_release)
{
    open_model(2 * _i, SOME, tied);
    parents = made_now();
    attach(parents);
    ck_assert_int_eq(api_in_child(calls_of_a_child), 0);
    ck_assert_int_eq(facts().attached, 1);
    detach();
    throw_away(parents);
    api_close();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("index");
    tcase_add_loop_test(tests, lists_of_an_index_that_finds_all_are_those_of_a_scan, 0, 2 * KINDS);
    tcase_add_loop_test(tests, filters_hold_for_an_index_too, 0, 5);
    tcase_add_loop_test(tests, a_search_is_widened_until_the_list_is_full, 0, 2);
    tcase_add_loop_test(tests, a_wrong_index_cannot_make_a_wrong_list, 0, 4);
    tcase_add_test(tests, sessions_ask_the_index_too);
    tcase_add_test(tests, threads_do_not_change_lists_of_an_index);
    tcase_add_loop_test(tests, an_index_stays_in_step_with_changes_of_items, 0, 2);
    tcase_add_test(tests, what_was_put_again_is_beside_the_index);
    tcase_add_loop_test(tests, an_index_that_covers_too_little_is_dropped, 0, 2);
    tcase_add_test(tests, training_ends_an_index_and_a_new_one_takes_its_place);
    tcase_add_loop_test(tests, vectors_score_as_the_library_does, 0, KINDS);
    tcase_add_test(tests, compared_vectors_say_what_changed);
    tcase_add_loop_test(tests, the_sum_of_vectors_is_that_of_the_file, 0, KINDS);
    tcase_add_test(tests, wrong_arguments_are_refused);
    tcase_add_test(tests, a_refused_allocation_changes_no_index);
    tcase_add_loop_test(tests, a_forked_child_is_refused_but_may_release, 0, 2);
    Suite *suite = suite_create("index");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
