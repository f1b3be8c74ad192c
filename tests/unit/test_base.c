/* unit: allocator, arena, id map, sorting, failures and the context. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/context.h"
#include "base/idmap.h"
#include "base/rng.h"
#include "base/sort.h"
#include "counting_allocator.h"
#include "run_suite.h"

static counting_allocator host;
static sq_memory memory;
static seqrec_error error;

static void set_up(void)
{
    host = (counting_allocator){0};
    memory = counting_memory(&host);
    memset(&error, 0, sizeof error);
}

static void nothing_is_left(void)
{
    ck_assert_int_eq(host.blocks, 0);
    ck_assert_uint_eq(host.bytes, 0);
}

/* ---- status ---- */

START_TEST(a_failure_fills_the_error_and_returns_its_status)
{
    ck_assert_int_eq(sq_fail(&error, SEQREC_E_RANGE, "k is %d; it must be in [%d, %d]", 7, 1, 5), SEQREC_E_RANGE);
    ck_assert_int_eq(error.status, SEQREC_E_RANGE);
    ck_assert_str_eq(error.message, "k is 7; it must be in [1, 5]");
    ck_assert_int_eq(sq_fail(NULL, SEQREC_E_IO, "%s", "nobody listens"), SEQREC_E_IO);
}
END_TEST

START_TEST(a_long_message_ends_at_a_whole_character)
{
    char text[400];
    memset(text, 'x', sizeof text);
    for (size_t cut = 1; cut <= 4;
         cut++) { /* a character of four bytes of which `cut` fit, all of it in the last round */
        memcpy(text + 247 - cut, "\xf0\x9f\x8e\xb5", 4);
        text[399] = 0;
        (void)sq_fail(&error, SEQREC_E_FORMAT, "%s", text);
        ck_assert_uint_eq(strlen(error.message), cut == 4 ? 247 : 247 - cut);
        memset(text, 'x', sizeof text);
    }
}
END_TEST

START_TEST(bytes_of_a_hostile_file_come_out_as_printable_text)
{
    (void)sq_fail(&error, SEQREC_E_FORMAT, "got '%s'", "a\xff\n\x1b[0m\xc0\xaf\xed\xa0\x80 \xc3\xa4\xe2\x82");
    ck_assert_str_eq(error.message, "got 'a???[0m????? \xc3\xa4\?\?'");
}
END_TEST

START_TEST(a_failure_leaves_errno)
{
    errno = ENOENT;
    (void)sq_fail(&error, SEQREC_E_IO, "cannot read %s", "m.safetensors");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* ---- memory ---- */

START_TEST(blocks_are_aligned_sized_and_end_in_zeroed_slack)
{
    static const size_t counts[] = {0, 1, 3, 63, 64, 65, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char *block = sq_alloc(&memory, counts[i], 3);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        ck_assert_uint_eq(sq_block_bytes(block), counts[i] * 3);
        for (size_t k = 0; k < SQ_SLACK; k++) ck_assert_int_eq(block[counts[i] * 3 + k], 0);
        sq_free(&memory, block);
    }
    nothing_is_left();
}
END_TEST

START_TEST(zeroed_blocks_are_zero)
{
    char *block = sq_alloc_zero(&memory, 1000, 7);
    for (size_t i = 0; i < 7000 + SQ_SLACK; i++) ck_assert_int_eq(block[i], 0);
    sq_free(&memory, block);
}
END_TEST

START_TEST(sizes_that_overflow_never_reach_the_host)
{
    static const struct {
        size_t count, size;
    } rows[] = {{SIZE_MAX, 1},         {SIZE_MAX, 2},
                {SIZE_MAX / 2 + 1, 2}, {2, SIZE_MAX / 2 + 1},
                {SIZE_MAX - 64, 1},    {(size_t)PTRDIFF_MAX, 1},
                {SIZE_MAX / 4, 8},     {(size_t)1 << 32, (size_t)1 << 32}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_ptr_null(sq_alloc(&memory, rows[i].count, rows[i].size));
        ck_assert_ptr_null(sq_alloc_zero(&memory, rows[i].count, rows[i].size));
    }
    ck_assert_ptr_null(sq_copy_text(&memory, "", SIZE_MAX));
    ck_assert_int_eq(host.requests, 0);
}
END_TEST

START_TEST(an_allocator_that_lacks_something_is_refused)
{
    sq_memory other = memory;
    seqrec_allocator bad = counting_host(&host);
    bad.struct_size = offsetof(seqrec_allocator, release);
    ck_assert_int_eq(sq_memory_init(&other, &bad, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "struct_size is 24"));
    bad = counting_host(&host);
    bad.allocate = NULL;
    ck_assert_int_eq(sq_memory_init(&other, &bad, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "allocator.allocate is NULL"));
    bad = counting_host(&host);
    bad.release = NULL;
    ck_assert_int_eq(sq_memory_init(&other, &bad, &error), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "allocator.release is NULL"));
    ck_assert_mem_eq(&other, &memory, sizeof other);
    bad = counting_host(&host);
    bad.struct_size = 4096; /* a later, larger struct */
    ck_assert_int_eq(sq_memory_init(&other, &bad, &error), SEQREC_OK);
}
END_TEST

START_TEST(a_misaligned_block_of_the_host_is_given_back)
{
    host.offset = 32;
    ck_assert_ptr_null(sq_alloc(&memory, 10, 1));
    ck_assert_int_eq(host.requests, 1);
    nothing_is_left();
}
END_TEST

START_TEST(the_default_allocator_works_and_keeps_errno)
{
    sq_memory plain;
    ck_assert_int_eq(sq_memory_init(&plain, NULL, NULL), SEQREC_OK);
    errno = 77;
    char *block = sq_alloc(&plain, 5000000, 1);
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
    memset(block, 1, 5000000);
    sq_free(&plain, block);
    sq_free(&plain, NULL);
    ck_assert_int_eq(errno, 77);
}
END_TEST

static void *rude_allocate(void *context, size_t bytes, size_t alignment)
{
    errno = 1;
    return counting_allocate(context, bytes, alignment);
}

static void rude_release(void *context, void *block, size_t bytes, size_t alignment)
{
    errno = 2;
    counting_release(context, block, bytes, alignment);
}

START_TEST(an_allocator_that_changes_errno_is_not_noticed)
{
    seqrec_allocator rude = {sizeof rude, &host, rude_allocate, rude_release};
    ck_assert_int_eq(sq_memory_init(&memory, &rude, NULL), SEQREC_OK);
    errno = 77;
    void *block = sq_alloc(&memory, 10, 10);
    ck_assert_int_eq(errno, 77);
    sq_free(&memory, block);
    ck_assert_int_eq(errno, 77);
}
END_TEST

START_TEST(growing_keeps_what_was_used)
{
    void *block = NULL;
    for (size_t used = 0; used < 10000; used++) {
        ck_assert_int_eq(sq_grow(&memory, &block, used, used + 1, sizeof(int32_t), &error), SEQREC_OK);
        ck_assert_uint_gt(sq_block_room(block, sizeof(int32_t)), used);
        ((int32_t *)block)[used] = (int32_t)used;
    }
    for (int32_t i = 0; i < 10000; i++) ck_assert_int_eq(((int32_t *)block)[i], i);
    ck_assert_int_lt(host.requests, 30);
    sq_free(&memory, block);
    nothing_is_left();
}
END_TEST

START_TEST(growing_that_fails_changes_nothing)
{
    void *block = NULL;
    ck_assert_int_eq(sq_grow(&memory, &block, 0, 20, 1, &error), SEQREC_OK);
    memcpy(block, "keep this", 10);
    void *before = block;
    const size_t room = sq_block_room(block, 1);
    ck_assert_int_eq(sq_grow(&memory, &block, 10, SIZE_MAX, 8, &error), SEQREC_E_MEMORY);
    host.fail_at = host.requests + 1;
    ck_assert_int_eq(sq_grow(&memory, &block, 10, room + 1, 1, &error), SEQREC_E_MEMORY);
    ck_assert_ptr_eq(block, before);
    ck_assert_uint_eq(sq_block_room(block, 1), room);
    ck_assert_str_eq(block, "keep this");
    sq_free(&memory, block);
    nothing_is_left();
}
END_TEST

START_TEST(copied_text_is_terminated)
{
    char *copy = sq_copy_text(&memory, "matrix", 3), *empty = sq_copy_text(&memory, NULL, 0);
    ck_assert_str_eq(copy, "mat");
    ck_assert_str_eq(empty, "");
    sq_free(&memory, copy);
    sq_free(&memory, empty);
}
END_TEST

/* ---- arena ---- */

enum { PIECES = 6 };
static const size_t piece_counts[PIECES] = {1, 0, 64, 17, 1000, 3};
static const size_t piece_sizes[PIECES] = {1, 8, 1, 4, 12, 64};

static void carve(sq_arena *arena, char **pieces)
{
    for (size_t i = 0; i < PIECES; i++) pieces[i] = sq_take(arena, piece_counts[i], piece_sizes[i]);
}

START_TEST(an_arena_of_the_measured_size_is_carved_to_the_last_byte)
{
    sq_arena measure = {0}, arena = {0};
    char *pieces[PIECES];
    carve(&measure, pieces);
    for (size_t i = 0; i < PIECES; i++) ck_assert_ptr_null(pieces[i]);
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, measure.peak, &error), SEQREC_OK);
    carve(&arena, pieces);
    ck_assert_uint_eq(arena.used, measure.used);
    ck_assert_uint_eq(arena.peak, measure.peak);
    ck_assert_uint_eq(arena.used, arena.capacity);
    for (size_t i = 0; i < PIECES; i++) {
        const size_t bytes = piece_counts[i] * piece_sizes[i];
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 64, 0);
        memset(pieces[i], (int)i, bytes);
        const char *end = i + 1 < PIECES ? pieces[i + 1] : arena.base + arena.capacity;
        ck_assert_int_ge(end - (pieces[i] + bytes), 64);
    }
    const size_t full = arena.used;
    ck_assert_ptr_null(sq_take(&arena, 0, 1));
    ck_assert_uint_eq(arena.used, full);
    sq_arena_free(&arena, &memory);
    nothing_is_left();
}
END_TEST

START_TEST(measuring_with_marks_counts_the_highest_use)
{
    sq_arena arena = {0};
    (void)SQ_TAKE(&arena, float, 100);
    const size_t mark = sq_mark(&arena);
    (void)SQ_TAKE(&arena, double, 1000);
    sq_rewind(&arena, mark);
    (void)SQ_TAKE(&arena, double, 10);
    ck_assert_uint_eq(mark, 512);
    ck_assert_uint_eq(arena.used, 512 + 192);
    ck_assert_uint_eq(arena.peak, 512 + 8064);
}
END_TEST

START_TEST(a_rewound_place_can_be_taken_and_written_again)
{
    sq_arena arena = {0};
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, 1024, &error), SEQREC_OK);
    const size_t mark = sq_mark(&arena);
    char *first = sq_take(&arena, 100, 1), *second = sq_take(&arena, 100, 1);
    ck_assert_ptr_ne(first, second);
    sq_rewind(&arena, mark);
    char *whole = sq_take(&arena, 960, 1);
    ck_assert_ptr_eq(whole, first);
    memset(whole, 3, 960);
    sq_arena_free(&arena, &memory);
    ck_assert_ptr_null(arena.base);
    nothing_is_left();
}
END_TEST

START_TEST(a_measure_that_overflows_cannot_be_reserved)
{
    sq_arena arena = {0};
    (void)sq_take(&arena, SIZE_MAX / 2, 4);
    (void)sq_take(&arena, 1, 1);
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, arena.peak, &error), SEQREC_E_MEMORY);
    sq_arena sum = {0};
    for (int i = 0; i < 5; i++) (void)sq_take(&sum, SIZE_MAX / 4, 1);
    ck_assert_int_eq(sq_arena_reserve(&sum, &memory, sum.peak, &error), SEQREC_E_MEMORY);
    ck_assert_int_eq(host.requests, 0);
}
END_TEST

START_TEST(an_arena_grows_and_a_failed_growth_leaves_it)
{
    sq_arena arena = {0};
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, 1000, &error), SEQREC_OK);
    char *piece = sq_take(&arena, 10, 1);
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, 900, &error), SEQREC_OK);
    ck_assert_int_eq(host.requests, 1);
    host.fail_at = 2;
    const sq_arena before = arena;
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, 2000, &error), SEQREC_E_MEMORY);
    ck_assert_mem_eq(&arena, &before, sizeof arena);
    memset(piece, 1, 10);
    ck_assert_int_eq(sq_arena_reserve(&arena, &memory, 2000, &error), SEQREC_OK);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_int_eq(host.blocks, 1);
    sq_arena_free(&arena, &memory);
    nothing_is_left();
}
END_TEST

/* ---- id map ---- */

START_TEST(ids_of_any_value_are_found_again)
{
    static const int64_t ids[] = {INT64_MIN, INT64_MIN + 1, -2, -1, 0, 1, INT64_MAX - 1, INT64_MAX, (int64_t)1 << 32};
    const size_t n = sizeof ids / sizeof ids[0];
    sq_idmap map = {0};
    int32_t found = -5;
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(sq_idmap_find(&map, ids[i]), -1);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(sq_idmap_find(&map, ids[i]), -1);
        ck_assert_int_eq(sq_idmap_insert(&map, &memory, ids[i], (int32_t)i, &found, &error), SEQREC_OK);
        ck_assert_int_eq(found, (int32_t)i);
    }
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(sq_idmap_find(&map, ids[i]), (int32_t)i);
    ck_assert_uint_eq(map.count, n);
    sq_idmap_free(&map, &memory);
    nothing_is_left();
}
END_TEST

static uint64_t unshift(uint64_t x, int32_t by) { return x ^ (x >> by) ^ (by * 2 < 64 ? x >> 2 * by : 0); }

/* Which x sq_mix64 turns into y. */
static uint64_t unmix(uint64_t y)
{
    uint64_t x = unshift(y, 31) * 0x319642b2d24d8ec3u;
    return unshift(unshift(x, 27) * 0x96de1b173f119089u, 30);
}

/* Ids whose hashes agree in the low half, which is public knowledge but for the secret: all would meet in one cell. */
START_TEST(ids_chosen_to_meet_in_one_cell_do_not)
{
    enum { CHOSEN = 20000 };
    sq_idmap map = {0};
    size_t run = 0, longest = 0;
    for (int32_t i = 0; i < CHOSEN; i++) {
        int32_t found;
        const uint64_t id = unmix((uint64_t)i << 32);
        ck_assert_uint_eq(sq_mix64(id), (uint64_t)i << 32);
        ck_assert_int_eq(sq_idmap_insert(&map, &memory, (int64_t)id, i, &found, &error), SEQREC_OK);
    }
    for (size_t at = 0; at < map.capacity; at++) {
        run = map.values[at] < 0 ? 0 : run + 1;
        if (run > longest) longest = run;
    }
    ck_assert_msg(longest < CHOSEN / 20, "%zu ids in a row", longest);
    sq_idmap_free(&map, &memory);
}
END_TEST

START_TEST(the_first_index_of_an_id_stays)
{
    sq_idmap map = {0};
    int32_t found = -5;
    ck_assert_int_eq(sq_idmap_insert(&map, &memory, -1, 4, &found, &error), SEQREC_OK);
    ck_assert_int_eq(sq_idmap_insert(&map, &memory, -1, 9, &found, &error), SEQREC_OK);
    ck_assert_int_eq(found, 4);
    ck_assert_int_eq(sq_idmap_find(&map, -1), 4);
    ck_assert_uint_eq(map.count, 1);
    ck_assert_int_eq(sq_idmap_insert(&map, &memory, 5, -1, &found, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_idmap_find(&map, 5), -1);
    sq_idmap_free(&map, &memory);
}
END_TEST

/* Strides that share all low, or all high, bits. */
START_TEST(many_regular_ids_are_found_and_their_neighbours_are_not)
{
    static const int64_t strides[] = {1, 2, 1000, (int64_t)1 << 20, (int64_t)1 << 32, (int64_t)1 << 46};
    for (size_t s = 0; s < sizeof strides / sizeof strides[0]; s++) {
        sq_idmap map = {0};
        int32_t found;
        for (int32_t i = 0; i < 50000; i++) {
            const int64_t id = (i - 25000) * strides[s];
            ck_assert_int_eq(sq_idmap_insert(&map, &memory, id, i, &found, &error), SEQREC_OK);
        }
        ck_assert_uint_eq(map.count, 50000);
        ck_assert_uint_le(map.count * 3, map.capacity * 2);
        for (int32_t i = 0; i < 50000; i++) {
            const int64_t id = (i - 25000) * strides[s];
            if (sq_idmap_find(&map, id) != i) ck_abort_msg("id %lld is lost", (long long)id);
            if (strides[s] > 1 && sq_idmap_find(&map, id + 1) != -1)
                ck_abort_msg("id %lld + 1 is there", (long long)id);
        }
        sq_idmap_free(&map, &memory);
    }
    nothing_is_left();
}
END_TEST

START_TEST(a_reserved_map_does_not_allocate_again)
{
    for (size_t n = 1; n < 300; n++) {
        sq_idmap map = {0};
        int32_t found;
        ck_assert_int_eq(sq_idmap_reserve(&map, &memory, n, &error), SEQREC_OK);
        const int64_t requests = host.requests;
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(sq_idmap_insert(&map, &memory, (int64_t)i, 0, &found, &error), SEQREC_OK);
        ck_assert_int_eq(host.requests, requests);
        sq_idmap_free(&map, &memory);
    }
}
END_TEST

START_TEST(a_map_that_cannot_grow_keeps_its_ids)
{
    for (int64_t step = 1; step <= 2; step++) {
        sq_idmap map = {0};
        int32_t found;
        int64_t id = 0;
        host.fail_at = 0;
        while (map.count < 100) (void)sq_idmap_insert(&map, &memory, id++, 7, &found, &error);
        host.fail_at = host.requests + step;
        int32_t status = SEQREC_OK;
        while (status == SEQREC_OK) status = sq_idmap_insert(&map, &memory, id++, 7, &found, &error);
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_uint_eq(map.count, (size_t)id - 1);
        for (int64_t i = 0; i < id - 1; i++) ck_assert_int_eq(sq_idmap_find(&map, i), 7);
        ck_assert_int_eq(sq_idmap_find(&map, id - 1), -1);
        ck_assert_int_eq(sq_idmap_insert(&map, &memory, id - 1, 8, &found, &error), SEQREC_OK);
        ck_assert_int_eq(sq_idmap_reserve(&map, &memory, SIZE_MAX, &error), SEQREC_E_MEMORY);
        sq_idmap_free(&map, &memory);
        nothing_is_left();
    }
}
END_TEST

/* ---- sort ---- */

enum { SORTED = 5000 };

static void check_sorting(size_t n, int32_t bits)
{
    static uint64_t keys[SORTED], original[SORTED], key_scratch[SORTED];
    static uint32_t payload[SORTED], payload_scratch[SORTED];
    for (size_t i = 0; i < n; i++) {
        keys[i] = bits == 0 ? 0 : sq_random64(n, i) >> (64 - bits);
        original[i] = keys[i];
        payload[i] = (uint32_t)i;
    }
    sq_sort_keys(keys, payload, n, key_scratch, payload_scratch, bits);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(payload[i], n);
        ck_assert_uint_eq(keys[i], original[payload[i]]);
        if (i == 0) continue;
        ck_assert(keys[i - 1] < keys[i] || (keys[i - 1] == keys[i] && payload[i - 1] < payload[i]));
    }
}

START_TEST(keys_are_sorted_and_equal_keys_keep_their_order)
{
    static const size_t sizes[] = {0, 1, 2, 47, 48, 49, 50, 1000, SORTED};
    static const int32_t bits[] = {0, 1, 7, 8, 9, 16, 23, 32, 63, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++) check_sorting(sizes[i], bits[k]);
    }
}
END_TEST

static void check_packed_sorting(size_t n, int32_t low, int32_t bits)
{
    static uint64_t packed[SORTED], scratch[SORTED];
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint64_t *from = sq_sort_is_odd(bits) ? scratch : packed, sum = 0, found = 0;
    for (size_t i = 0; i < n; i++) {
        from[i] = (sq_random64(n, i) & mask) << low | (low ? i : 0);
        sum += from[i] * from[i];
    }
    sq_sort_packed(packed, n, scratch, low, bits);
    for (size_t i = 0; i < n; i++) {
        found += packed[i] * packed[i];
        ck_assert(i == 0 || packed[i - 1] < packed[i] || (low == 0 && packed[i - 1] == packed[i]));
    }
    ck_assert_uint_eq(found, sum);
}

START_TEST(packed_keys_are_sorted_by_their_upper_bits_and_equal_ones_keep_their_order)
{
    static const size_t sizes[] = {0, 1, 2, 24, 25, 300, SORTED};
    static const int32_t bits[] = {0, 1, 7, 8, 9, 16, 23, 31};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++) {
            check_packed_sorting(sizes[i], 32, bits[k]);
            check_packed_sorting(sizes[i], 0, bits[k]);
        }
}
END_TEST

START_TEST(bits_of_a_key_are_counted)
{
    ck_assert_int_eq(sq_key_bits(0), 0);
    ck_assert_int_eq(sq_key_bits(1), 1);
    ck_assert_int_eq(sq_key_bits(255), 8);
    ck_assert_int_eq(sq_key_bits(256), 9);
    ck_assert_int_eq(sq_key_bits(UINT64_MAX), 64);
}
END_TEST

/* ---- context ---- */

static char logged[600];
static int32_t logged_level;

static void keep_line(void *context, int32_t level, const char *line)
{
    ck_assert_ptr_eq(context, logged);
    logged_level = level;
    (void)snprintf(logged, sizeof logged, "%s", line);
}

START_TEST(a_context_lives_as_long_as_its_last_reference)
{
    seqrec_allocator allocator = counting_host(&host);
    seqrec_context *context = NULL;
    ck_assert_int_eq(sq_context_create(&allocator, NULL, 3, NULL, NULL, &context, &error), SEQREC_OK);
    ck_assert_int_eq(sq_pool_width(context->pool), 3);
    ck_assert_ptr_eq(sq_context_retain(context), context);
    sq_context_release(context);
    ck_assert_int_gt(host.blocks, 0);
    sq_log(context, 1, "no log is set");
    sq_context_release(context);
    sq_context_release(NULL);
    nothing_is_left();
}
END_TEST

START_TEST(a_context_that_cannot_be_made_leaves_nothing)
{
    seqrec_allocator allocator = counting_host(&host);
    seqrec_context *context = NULL;
    int64_t n = 1;
    for (;; n++) {
        host.requests = 0;
        host.fail_at = n;
        const int32_t status = sq_context_create(&allocator, NULL, 2, NULL, NULL, &context, &error);
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_ptr_null(context);
        nothing_is_left();
    }
    ck_assert_int_eq(n, 4); /* context, pool, workers */
    sq_context_release(context);
    context = NULL;
    host.fail_at = 0;
    ck_assert_int_eq(sq_context_create(&allocator, NULL, -1, NULL, NULL, &context, &error), SEQREC_E_RANGE);
    ck_assert_str_eq(error.message, "threads is -1; it must be in [0, 256]");
    ck_assert_ptr_null(context);
    nothing_is_left();
}
END_TEST

START_TEST(a_log_line_is_formatted_and_cut_to_its_buffer)
{
    seqrec_context *context = NULL;
    ck_assert_int_eq(sq_context_create(NULL, NULL, 0, keep_line, logged, &context, &error), SEQREC_OK);
    sq_log(context, 2, "epoch %d: loss %.3f", 4, 0.25);
    ck_assert_int_eq(logged_level, 2);
    ck_assert_str_eq(logged, "epoch 4: loss 0.250");
    sq_log(context, 0, "%1000d", 1);
    ck_assert_uint_eq(strlen(logged), 511);
    sq_context_release(context);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("base");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, a_failure_fills_the_error_and_returns_its_status);
    tcase_add_test(tests, a_long_message_ends_at_a_whole_character);
    tcase_add_test(tests, bytes_of_a_hostile_file_come_out_as_printable_text);
    tcase_add_test(tests, a_failure_leaves_errno);
    tcase_add_test(tests, blocks_are_aligned_sized_and_end_in_zeroed_slack);
    tcase_add_test(tests, zeroed_blocks_are_zero);
    tcase_add_test(tests, sizes_that_overflow_never_reach_the_host);
    tcase_add_test(tests, an_allocator_that_lacks_something_is_refused);
    tcase_add_test(tests, a_misaligned_block_of_the_host_is_given_back);
    tcase_add_test(tests, the_default_allocator_works_and_keeps_errno);
    tcase_add_test(tests, an_allocator_that_changes_errno_is_not_noticed);
    tcase_add_test(tests, growing_keeps_what_was_used);
    tcase_add_test(tests, growing_that_fails_changes_nothing);
    tcase_add_test(tests, copied_text_is_terminated);
    tcase_add_test(tests, an_arena_of_the_measured_size_is_carved_to_the_last_byte);
    tcase_add_test(tests, measuring_with_marks_counts_the_highest_use);
    tcase_add_test(tests, a_rewound_place_can_be_taken_and_written_again);
    tcase_add_test(tests, a_measure_that_overflows_cannot_be_reserved);
    tcase_add_test(tests, an_arena_grows_and_a_failed_growth_leaves_it);
    tcase_add_test(tests, ids_of_any_value_are_found_again);
    tcase_add_test(tests, ids_chosen_to_meet_in_one_cell_do_not);
    tcase_add_test(tests, the_first_index_of_an_id_stays);
    tcase_add_test(tests, many_regular_ids_are_found_and_their_neighbours_are_not);
    tcase_add_test(tests, a_reserved_map_does_not_allocate_again);
    tcase_add_test(tests, a_map_that_cannot_grow_keeps_its_ids);
    tcase_add_test(tests, keys_are_sorted_and_equal_keys_keep_their_order);
    tcase_add_test(tests, packed_keys_are_sorted_by_their_upper_bits_and_equal_ones_keep_their_order);
    tcase_add_test(tests, bits_of_a_key_are_counted);
    tcase_add_test(tests, a_context_lives_as_long_as_its_last_reference);
    tcase_add_test(tests, a_context_that_cannot_be_made_leaves_nothing);
    tcase_add_test(tests, a_log_line_is_formatted_and_cut_to_its_buffer);
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
