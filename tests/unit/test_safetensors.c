/* unit: the safetensors container: what is written comes back, and whatever is damaged or hostile is refused. */
#include <check.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "counting_allocator.h"
#include "model/safetensors.h"
#include "run_suite.h"
#include "scratch_folder.h"

#define ROOM (1 << 16)
#define DIGITS_AT (8 + sizeof SQ_SUM_PREFIX - 1)

static counting_allocator host;
static sq_memory memory;
static seqrec_error error;
static unsigned char bytes[ROOM], damaged[ROOM];

static void set_up(void)
{
    host = (counting_allocator){0};
    memory = counting_memory(&host);
    memset(&error, 0, sizeof error);
    scratch_create();
}

static void tear_down(void)
{
    scratch_remove();
    ck_assert_int_eq(host.blocks, 0);
}

/* ---- helpers ---- */

static const float weights[16] = {0, 1, -2, 3.5f, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, -15};
static const int64_t ids[3] = {INT64_MIN, 7, INT64_MAX};
static const uint8_t names[13] = "name of item";
static const int32_t few[2] = {-1, 2};
static const uint64_t seed = UINT64_MAX;

/* Row r of the callback's tensor holds 5 floats r, r + 1/8, ... */
static int32_t bring_rows(void *source, int64_t first, int64_t count, void *out, seqrec_error *unused)
{
    (void)unused;
    (*(int64_t *)source)++;
    for (int64_t i = 0; i < count * 5; i++) ((float *)out)[i] = (float)(first + i / 5) + (float)(i % 5) / 8;
    return SEQREC_OK;
}

static void add_small(sq_tensor_writer *writer)
{
    ck_assert_int_eq(sq_tensor_writer_text(writer, "format", "test \"1\" \xc3\xa9", &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "names", SQ_U8, 1, (int64_t[]){13}, names, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "ids", SQ_I64, 1, (int64_t[]){3}, ids, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "w\xc3\xa4rme.weight", SQ_F32, 2, (int64_t[]){4, 4}, weights, &error),
                     SEQREC_OK);
}

/* Saves the small file under a name and reads its bytes; returns how many. */
static size_t save_small(const char *name)
{
    sq_tensor_writer *writer;
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    add_small(writer);
    ck_assert_msg(sq_tensor_writer_save(writer, scratch_path(name), &error) == SEQREC_OK, "%s", error.message);
    sq_tensor_writer_free(writer);
    return scratch_read(name, bytes, sizeof bytes);
}

/* Opens, checks all sums and closes. */
static int32_t check_bytes(const void *content, size_t count, int32_t *summed)
{
    sq_tensor_file *file;
    *summed = -1;
    SQ_TRY(sq_tensor_file_open_memory(&memory, content, count, &file, &error));
    *summed = sq_tensor_file_summed(file);
    int32_t status = sq_tensor_file_verify(file, &error);
    sq_tensor_file_close(file);
    return status;
}

/* A file of a header and zeroed data, in bytes[]; returns its size. */
static size_t make_file(const char *header, size_t length, size_t data)
{
    memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    ck_assert_uint_lt(8 + length + data, sizeof bytes);
    return 8 + length + data;
}

/* Gives the file in bytes[] the right header sum again. */
static void sign_header(void)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    memset(bytes + DIGITS_AT, '0', SQ_CHECKSUM_DIGITS);
    sq_checksum_write(sq_checksum_of(bytes, 8 + length), (char *)bytes + DIGITS_AT);
}

/* Replaces one text of the header by another as long. */
static void replace(const char *from, const char *to, size_t count)
{
    ck_assert_uint_eq(strlen(from), strlen(to));
    unsigned char *place = memmem(bytes, count, from, strlen(from));
    ck_assert_msg(place != NULL, "%s is not in the file", from);
    memcpy(place, to, strlen(to));
}

/* ---- checksums ---- */

START_TEST(sums_in_pieces_equal_sums_in_one_go)
{
    for (size_t i = 0; i < sizeof damaged; i++) damaged[i] = (unsigned char)(i * 131 + (i >> 8));
    for (size_t count = 0; count < 3000; count += 1 + count / 7) {
        sq_checksum sum;
        sq_checksum_start(&sum);
        for (size_t done = 0, piece = 0; done < count; done += piece) {
            piece = 1 + done % 300 < count - done ? 1 + done % 300 : count - done;
            sq_checksum_add(&sum, damaged + done, piece);
        }
        ck_assert_uint_eq(sq_checksum_value(&sum), sq_checksum_of(damaged, count));
    }
    ck_assert_uint_eq(sq_checksum_of(NULL, 0), 0x2d06800538d394c2u); /* published with XXH3 for the empty input */
}
END_TEST

START_TEST(digits_of_a_sum_read_back_and_other_digits_do_not)
{
    char digits[17] = {0};
    uint64_t value = 1;
    sq_checksum_write(0x0123456789abcdefu, digits);
    ck_assert_str_eq(digits, "0123456789abcdef");
    ck_assert_int_eq(sq_checksum_parse(digits, &value), 1);
    ck_assert_uint_eq(value, 0x0123456789abcdefu);
    ck_assert_int_eq(sq_checksum_parse("0123456789ABCDEF", &value), 0);
    ck_assert_int_eq(sq_checksum_parse("0123456789abcde", &value), 0);
    ck_assert_int_eq(sq_checksum_parse("0123456789abcdeg", &value), 0);
    ck_assert_uint_eq(value, 0x0123456789abcdefu);
}
END_TEST

/* ---- round trip ---- */

START_TEST(tensors_of_every_rank_and_type_come_back)
{
    sq_tensor_writer *writer;
    sq_tensor_file *file;
    const sq_tensor *tensor;
    int64_t calls = 0;
    const int64_t many = 60000;
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    add_small(writer);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "scalar", SQ_U64, 0, NULL, &seed, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "four", SQ_I32, 4, (int64_t[]){1, 2, 1, 1}, few, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "empty", SQ_F32, 2, (int64_t[]){0, 50}, NULL, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "thin", SQ_F32, 2, (int64_t[]){50, 0}, NULL, &error), SEQREC_OK);
    ck_assert_int_eq(
        sq_tensor_writer_add_rows(writer, "rows", SQ_F32, 2, (int64_t[]){many, 5}, bring_rows, &calls, &error),
        SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("all"), &error), SEQREC_OK);
    sq_tensor_writer_free(writer);
    ck_assert_int_ge(calls, 4); /* two passes of more than one block */
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("all"), &file, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_file_summed(file), 1);
    ck_assert_int_eq(sq_tensor_file_count(file), 8);
    ck_assert_int_eq(sq_tensor_file_verify(file, &error), SEQREC_OK);

    float read_weights[16];
    ck_assert_int_eq(sq_tensor_file_expect(file, "w\xc3\xa4rme.weight", SQ_F32, 2, (int64_t[]){4, 4}, &tensor, &error),
                     SEQREC_OK);
    ck_assert_int_eq(sq_tensor_read(file, tensor, read_weights, &error), SEQREC_OK);
    ck_assert_mem_eq(read_weights, weights, sizeof weights);
    int64_t read_ids[3];
    ck_assert_int_eq(sq_tensor_file_expect(file, "ids", SQ_I64, 1, (int64_t[]){-1}, &tensor, &error), SEQREC_OK);
    ck_assert_int_eq(tensor->shape[0], 3);
    ck_assert_int_eq(sq_tensor_read(file, tensor, read_ids, &error), SEQREC_OK);
    ck_assert_mem_eq(read_ids, ids, sizeof ids);
    uint64_t read_seed;
    ck_assert_int_eq(sq_tensor_file_expect(file, "scalar", SQ_U64, 0, NULL, &tensor, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_read(file, tensor, &read_seed, &error), SEQREC_OK);
    ck_assert_uint_eq(read_seed, seed);
    ck_assert_int_eq(sq_tensor_file_expect(file, "empty", SQ_F32, 2, (int64_t[]){0, 50}, &tensor, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_read(file, tensor, NULL, &error), SEQREC_OK);
    ck_assert_ptr_null(sq_tensor_file_find(file, "name"));

    float *rows = malloc((size_t)many * 5 * sizeof *rows);
    ck_assert_int_eq(sq_tensor_file_expect(file, "rows", SQ_F32, 2, (int64_t[]){many, 5}, &tensor, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_read(file, tensor, rows, &error), SEQREC_OK);
    for (int64_t i = 0; i < many * 5; i++) ck_assert(rows[i] == (float)(i / 5) + (float)(i % 5) / 8);
    free(rows);
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(texts_come_back_and_checksums_are_not_among_them)
{
    size_t count = save_small("small");
    sq_tensor_file *file;
    const char *key, *value;
    ck_assert_int_eq(sq_tensor_file_open_memory(&memory, bytes, count, &file, &error), SEQREC_OK);
    ck_assert_str_eq(sq_tensor_file_text(file, "format"), "test \"1\" \xc3\xa9");
    ck_assert_ptr_null(sq_tensor_file_text(file, "xxh3"));
    ck_assert_int_eq(sq_tensor_file_text_at(file, 0, &key, &value), 1);
    ck_assert_str_eq(key, "format");
    ck_assert_int_eq(sq_tensor_file_text_at(file, 1, &key, &value), 0);
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(data_is_aligned_and_has_no_holes)
{
    sq_tensor_writer *writer;
    sq_tensor_file *file;
    int64_t calls = 0;
    char name[8];
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    for (int64_t i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "b%d", (int)i);
        ck_assert_int_eq(sq_tensor_writer_add(writer, name, SQ_U8, 1, (int64_t[]){i * 5}, damaged, &error), SEQREC_OK);
        snprintf(name, sizeof name, "r%d", (int)i);
        ck_assert_int_eq(
            sq_tensor_writer_add_rows(writer, name, SQ_F32, 2, (int64_t[]){i, 5}, bring_rows, &calls, &error),
            SEQREC_OK);
    }
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("mixed"), &error), SEQREC_OK);
    sq_tensor_writer_free(writer);
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("mixed"), &file, &error), SEQREC_OK);
    int64_t end = sq_tensor_file_at(file, 0)->begin;
    int32_t odd = 0;
    ck_assert_int_eq(end % SQ_TENSOR_ALIGNMENT, 0);
    for (int64_t i = 0; i < sq_tensor_file_count(file); i++) {
        const sq_tensor *tensor = sq_tensor_file_at(file, i);
        ck_assert_int_eq(tensor->begin, end);
        if (tensor->bytes % 64 != 0) odd = 1;
        ck_assert(!odd || tensor->bytes % 64 != 0);
        ck_assert_int_eq(tensor->begin % (int64_t)sq_dtype_bytes(tensor->dtype), 0);
        end += tensor->bytes;
    }
    ck_assert_int_eq(odd, 1);
    ck_assert_ptr_null(sq_tensor_file_at(file, 80));
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(the_same_content_makes_the_same_bytes)
{
    size_t count = save_small("one");
    memcpy(damaged, bytes, count);
    ck_assert_uint_eq(save_small("two"), count);
    ck_assert_mem_eq(bytes, damaged, count);
}
END_TEST

START_TEST(a_file_without_tensors_is_a_file)
{
    sq_tensor_writer *writer;
    int32_t summed;
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("none"), &error), SEQREC_OK);
    sq_tensor_writer_free(writer);
    size_t count = scratch_read("none", bytes, sizeof bytes);
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_OK);
    ck_assert_int_eq(summed, 1);
}
END_TEST

START_TEST(every_type_has_its_name_and_size)
{
    for (int32_t i = 0; i < SQ_DTYPES; i++) {
        ck_assert_int_eq(sq_dtype_find(sq_dtype_name(i)), i);
        ck_assert_uint_ge(sq_dtype_bytes(i), 1);
    }
    ck_assert_uint_eq(sq_dtype_bytes(SQ_F32), 4);
    ck_assert_str_eq(sq_dtype_name(SQ_U64), "U64");
    ck_assert_int_eq(sq_dtype_find("f32"), -1);
    ck_assert_str_eq(sq_dtype_name(-1), "?");
    ck_assert_uint_eq(sq_dtype_bytes(SQ_DTYPES), 0);
}
END_TEST

/* ---- reading in pieces ---- */

START_TEST(pieces_make_the_whole_and_no_more)
{
    size_t count = save_small("small");
    sq_tensor_file *file;
    sq_tensor_cursor cursor;
    unsigned char read[64];
    ck_assert_int_eq(sq_tensor_file_open_memory(&memory, bytes, count, &file, &error), SEQREC_OK);
    sq_tensor_start(&cursor, file, sq_tensor_file_find(file, "w\xc3\xa4rme.weight"));
    ck_assert_int_eq(sq_tensor_next(&cursor, read, 20, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_next(&cursor, read + 20, 0, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_next(&cursor, read + 20, 45, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_next(&cursor, read + 20, 44, &error), SEQREC_OK);
    ck_assert_mem_eq(read, weights, sizeof weights);
    ck_assert_int_eq(sq_tensor_next(&cursor, read, 1, &error), SEQREC_E_ARGUMENT);
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(the_last_piece_of_a_damaged_tensor_is_refused)
{
    size_t count = save_small("small");
    sq_tensor_file *file;
    sq_tensor_cursor cursor;
    int64_t read[3];
    ck_assert_int_eq(sq_tensor_file_open_memory(&memory, bytes, count, &file, &error), SEQREC_OK);
    const sq_tensor *tensor = sq_tensor_file_find(file, "ids");
    bytes[tensor->begin] ^= 1;
    sq_tensor_start(&cursor, file, tensor);
    ck_assert_int_eq(sq_tensor_next(&cursor, read, 8, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_next(&cursor, read + 1, 16, &error), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "tensor 'ids' is damaged"));
    ck_assert_int_eq(sq_tensor_read(file, tensor, read, &error), SEQREC_E_FORMAT);
    ck_assert_int_eq(sq_tensor_file_verify(file, &error), SEQREC_E_FORMAT);
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(what_does_not_match_is_told_by_name)
{
    size_t count = save_small("small");
    sq_tensor_file *file;
    const sq_tensor *tensor = NULL;
    ck_assert_int_eq(sq_tensor_file_open_memory(&memory, bytes, count, &file, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_file_expect(file, "bias", SQ_F32, 1, (int64_t[]){4}, &tensor, &error), SEQREC_E_FORMAT);
    ck_assert_str_eq(error.message, "tensor 'bias' is missing");
    ck_assert_int_eq(sq_tensor_file_expect(file, "ids", SQ_F32, 1, (int64_t[]){3}, &tensor, &error), SEQREC_E_FORMAT);
    ck_assert_str_eq(error.message, "tensor 'ids' has dtype I64 where F32 belongs");
    ck_assert_int_eq(sq_tensor_file_expect(file, "ids", SQ_I64, 2, (int64_t[]){3, 1}, &tensor, &error),
                     SEQREC_E_FORMAT);
    ck_assert_str_eq(error.message, "tensor 'ids' has 1 dimensions where 2 belong");
    ck_assert_int_eq(sq_tensor_file_expect(file, "ids", SQ_I64, 1, (int64_t[]){4}, &tensor, &error), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "has 3 in dimension 0"));
    ck_assert_ptr_null(tensor);
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(a_file_cut_while_it_is_open_is_an_error_not_a_crash)
{
    size_t count = save_small("small");
    sq_tensor_file *file;
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("small"), &file, &error), SEQREC_OK);
    ck_assert_int_eq(truncate(scratch_path("small"), (off_t)count - 1), 0);
    ck_assert_int_eq(sq_tensor_file_verify(file, &error), SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "the file ends at byte"));
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(a_file_replaced_while_it_is_open_is_read_as_it_was)
{
    save_small("small");
    sq_tensor_file *file;
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("small"), &file, &error), SEQREC_OK);
    sq_tensor_writer *writer;
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("small"), &error), SEQREC_OK);
    sq_tensor_writer_free(writer);
    ck_assert_int_eq(sq_tensor_file_verify(file, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_file_count(file), 3);
    sq_tensor_file_close(file);
}
END_TEST

/* ---- damage ---- */

START_TEST(every_flipped_bit_is_found)
{
    size_t count = save_small("small");
    int32_t summed;
    for (size_t i = 0; i < count; i++) {
        memcpy(damaged, bytes, count);
        for (int32_t bit = 0; bit <= 8; bit++) {
            damaged[i] = (unsigned char)(bit < 8 ? bytes[i] ^ 1 << bit : ~bytes[i]);
            int32_t status = check_bytes(damaged, count, &summed);
            ck_assert_msg(status == SEQREC_E_FORMAT, "byte %zu, bit %d: status %d", i, (int)bit, (int)status);
        }
    }
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_OK);
    ck_assert_int_eq(summed, 1);
}
END_TEST

START_TEST(every_shorter_or_longer_file_is_refused)
{
    size_t count = save_small("small");
    int32_t summed;
    for (size_t shorter = 0; shorter < count; shorter++) {
        unsigned char *exact = malloc(shorter + 1); /* so that a read past the end is seen by the sanitizers */
        memcpy(exact, bytes, shorter);
        ck_assert_msg(check_bytes(exact, shorter, &summed) == SEQREC_E_FORMAT, "cut to %zu bytes", shorter);
        free(exact);
    }
    bytes[count] = 0;
    ck_assert_int_eq(check_bytes(bytes, count + 1, &summed), SEQREC_E_FORMAT);
}
END_TEST

START_TEST(sums_that_do_not_fit_the_tensors_are_refused)
{
    int32_t summed;
    size_t count = save_small("small");
    replace("xxh3.ids", "xxh3.idx", count);
    sign_header();
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_E_FORMAT);
    ck_assert_str_eq(error.message, "tensor 'ids' has no checksum, but the header has one");

    count = save_small("small");
    replace("\"format\"", "\"xxh3.f\"", count);
    sign_header();
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_E_FORMAT);
    ck_assert_str_eq(error.message, "the file has 4 checksums for 3 tensors");

    count = save_small("small");
    char *digits = memmem(bytes, count, "xxh3.ids\":\"", 11);
    ck_assert_ptr_nonnull(digits);
    digits[11] = 'X';
    sign_header();
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "tensor 'ids' is not 16 hexadecimal digits"));
}
END_TEST

START_TEST(sums_kept_by_a_program_that_moved_them_are_refused)
{
    static const char header[] = "{\"__metadata__\":{\"a\":\"b\",\"xxh3\":\"0123456789abcdef\"}}";
    int32_t summed;
    ck_assert_int_eq(check_bytes(bytes, make_file(header, sizeof header - 1, 0), &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "drops the keys 'xxh3*'"));
}
END_TEST

/* ---- files of other programs, good and bad ---- */

START_TEST(a_plain_file_is_read_and_reported_as_without_sums)
{
    static const char header[] = "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},\n\t"
                                 "\"a\":{\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4],\"dtype\":\"I32\"},"
                                 "\"h\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[12,14]},"
                                 "\"z\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[4,4]}}  ";
    sq_tensor_file *file;
    size_t count = make_file(header, sizeof header - 1, 14);
    ck_assert_msg(sq_tensor_file_open_memory(&memory, bytes, count, &file, &error) == SEQREC_OK, "%s", error.message);
    ck_assert_int_eq(sq_tensor_file_summed(file), 0);
    ck_assert_int_eq(sq_tensor_file_verify(file, &error), SEQREC_OK);
    const char *order = "azbh";
    for (int64_t i = 0; i < 4; i++) ck_assert_int_eq(sq_tensor_file_at(file, i)->name[0], order[i]);
    float read[2] = {1, 1};
    ck_assert_int_eq(sq_tensor_read(file, sq_tensor_file_find(file, "b"), read, &error), SEQREC_OK);
    ck_assert(read[0] == 0 && read[1] == 0);
    ck_assert_int_eq(sq_tensor_file_find(file, "a")->rank, 5);
    sq_tensor_file_close(file);
}
END_TEST

static const struct {
    const char *header;
    size_t data;
    const char *message;
} hostile[] = {
    {"", 0, "header's length is 0"},
    {" {}", 0, "does not begin with '{'"},
    {"[]", 0, "does not begin with '{'"},
    {"{}", 1, "the tensors end at byte 10, but the file has 11 bytes"},
    {"{} x", 0, "not JSON"},
    {"{\"a\":}", 0, "not JSON"},
    {"{\"a\":[[[[]]]]}", 0, "nested more than 3 deep"},
    {"{\"a\\u0000b\":1}", 0, "not JSON"},
    {"{\"\xff\":1}", 0, "not JSON"},
    {"{\"\xed\xa0\x80\":1}", 0, "not JSON"},
    {"{\"a\":1}", 0, "tensor 'a' is not described"},
    {"{\"a\":{}}", 0, "tensor 'a' is not described"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":1}}", 1,
     "exactly dtype, shape and data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"offsets\":[0,1]}}", 1, "exactly dtype, shape and data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "duplicate"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[],"
     "\"data_offsets\":[1,2]}}",
     2, "duplicate"},
    {"{\"a\":{\"dtype\":\"F12\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'F12'"},
    {"{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "has no dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":{},\"data_offsets\":[0,1]}}", 1, "has no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "dimension 0 is -1, below 0"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1,-1],\"data_offsets\":[0,1]}}", 1, "below 0"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1,
     "dimension 0 of the shape is not an integer"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[\"1\"],\"data_offsets\":[0,1]}}", 1, "is not an integer"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[true],\"data_offsets\":[0,1]}}", 1, "is not an integer"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "9 dimensions"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "more than 2^63 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "more than 2^63 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}", 0, "not JSON"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1,
     "has 1 bytes of data where its shape makes 2"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[-1,1]}}", 1, "are no range"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,0]}}", 2, "are no range"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, "ends at byte 2 of the data, which has 1"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9223372036854775805,9223372036854775807]}}", 2,
     "ends at byte 9223372036854775807 of the data"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2,2]}}", 2, "not a pair of integers"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0]}}", 2, "not a pair of integers"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":\"0,2\"}}", 2, "not a pair of integers"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2.0]}}", 2, "not a pair of integers"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "begins at byte 1 of the data, but the one"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
     "\"data_offsets\":[3,5]}}",
     5, "tensor 'b' begins at byte 3 of the data, but the one before ends at 2"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
     "\"data_offsets\":[1,3]}}",
     3, "tensor 'b' begins at byte 1 of the data, inside another that ends at 2"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
     "\"data_offsets\":[0,2]}}",
     2, "inside another"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[1,1]}}",
     2, "tensor 'b' begins at byte 1"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 3, "the tensors end at byte"},
    {"{\"__metadata__\":[]}", 0, "'__metadata__' is not a JSON object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "metadata 'a' is not a string"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "metadata 'a' is not a string"},
    {"{\"__metadata__\":{\"xxh3\":\"0123456789abcdef\"}}", 0, "the header is damaged"},
    {"{\"__metadata__\":{\"xxh3\":\"0123456789abcdeF\"}}", 0, "byte 33: the header's checksum is not 16"},
    {"{\"__metadata__\":{\"xxh3.a\":\"0123456789abcdef\"}}", 0, "is a checksum, but the header does not begin"},
};

START_TEST(a_hostile_header_is_refused_for_its_reason)
{
    int32_t summed;
    size_t count = make_file(hostile[_i].header, strlen(hostile[_i].header), hostile[_i].data);
    unsigned char *exact = malloc(count);
    memcpy(exact, bytes, count);
    ck_assert_msg(check_bytes(exact, count, &summed) == SEQREC_E_FORMAT, "taken: %s", hostile[_i].header);
    ck_assert_msg(strstr(error.message, hostile[_i].message) != NULL, "%s: %s", hostile[_i].header, error.message);
    free(exact);
}
END_TEST

START_TEST(a_length_beyond_the_file_or_the_limit_is_refused)
{
    int32_t summed;
    size_t count = make_file("{}", 2, 0);
    memset(bytes, 0xff, 8);
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "the header's length is 18446744073709551615"));
    memcpy(bytes, "\x03\0\0\0\0\0\0\0", 8);
    ck_assert_int_eq(check_bytes(bytes, count, &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "the header ends at byte 11, but the file has 10"));
    ck_assert_int_eq(check_bytes(bytes, 7, &summed), SEQREC_E_FORMAT);
    ck_assert_int_eq(check_bytes(NULL, 0, &summed), SEQREC_E_ARGUMENT);
}
END_TEST

START_TEST(a_raw_zero_byte_in_the_header_is_refused)
{
    static const char header[] = "{\"a\0b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}";
    int32_t summed;
    ck_assert_int_eq(check_bytes(bytes, make_file(header, sizeof header - 1, 1), &summed), SEQREC_E_FORMAT);
    ck_assert_int_eq(check_bytes(bytes, make_file("{}\0", 3, 0), &summed), SEQREC_E_FORMAT);
}
END_TEST

/* A few megabytes of header must not become gigabytes of tree. */
START_TEST(a_header_of_too_many_values_is_refused_before_it_is_parsed)
{
    const size_t length = (size_t)3 << 20;
    unsigned char *content = malloc(8 + length);
    int32_t summed;
    for (size_t i = 0; i < 8; i++) content[i] = (unsigned char)(length >> 8 * i);
    for (size_t i = 0; i < length; i++) content[8 + i] = "1,"[i % 2];
    memcpy(content + 8, "{\"a\":[", 6);
    ck_assert_int_eq(check_bytes(content, 8 + length, &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "more values than 65536 tensors need"));
    for (size_t i = 0; i < length; i++) content[8 + i] = "[],"[i % 3];
    memcpy(content + 8, "{\"a\":[", 6);
    ck_assert_int_eq(check_bytes(content, 8 + length, &summed), SEQREC_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "more values than 65536 tensors need"));
    free(content);
}
END_TEST

START_TEST(what_is_not_a_file_is_not_opened)
{
    sq_tensor_file *file;
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("none"), &file, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "none': no such file"));
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch, &file, &error), SEQREC_E_IO);
    ck_assert_int_eq(sq_tensor_file_open(&memory, "", &file, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_file_open(&memory, NULL, &file, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("pipe"), &file, &error), SEQREC_E_IO);
    scratch_write("empty", "", 0);
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("empty"), &file, &error), SEQREC_E_FORMAT);
    sq_tensor_file_close(NULL);
}
END_TEST

/* ---- what the writer refuses ---- */

START_TEST(descriptions_that_break_a_rule_are_refused_and_change_nothing)
{
    sq_tensor_writer *writer;
    char longest[SQ_TENSOR_NAME + 2];
    int64_t one[5] = {1, 1, 1, 1, 1};
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    ck_assert_int_eq(sq_tensor_writer_add(writer, longest, SQ_U8, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "", SQ_U8, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, NULL, SQ_U8, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "\xff", SQ_U8, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "__metadata__", SQ_U8, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_DTYPES, 1, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 5, one, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, NULL, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, one, NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, (int64_t[]){-1}, names, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(
        sq_tensor_writer_add(writer, "a", SQ_F32, 2, (int64_t[]){INT64_C(1) << 31, INT64_C(1) << 31}, names, &error),
        SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, one, names, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, one, names, &error), SEQREC_E_EXISTS);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "xxh3", "x", &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "xxh3.a", "x", &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "k", "\xff", &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "k", NULL, &error), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "k", "v", &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_text(writer, "k", "w", &error), SEQREC_E_EXISTS);
    longest[sizeof longest - 2] = 0;
    ck_assert_int_eq(sq_tensor_writer_add(writer, longest, SQ_U8, 1, one, names, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("file"), &error), SEQREC_OK);
    sq_tensor_writer_free(writer);
    sq_tensor_writer_free(NULL);
    sq_tensor_file *file;
    ck_assert_int_eq(sq_tensor_file_open(&memory, scratch_path("file"), &file, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_file_count(file), 2);
    ck_assert_str_eq(sq_tensor_file_text(file, "k"), "v");
    ck_assert_ptr_nonnull(sq_tensor_file_find(file, longest));
    sq_tensor_file_close(file);
}
END_TEST

START_TEST(tensors_of_too_many_bytes_together_are_refused)
{
    sq_tensor_writer *writer;
    const int64_t huge[1] = {INT64_C(1) << 62};
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "a", SQ_U8, 1, huge, names, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_add(writer, "b", SQ_U8, 1, huge, names, &error), SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("file"), &error), SEQREC_E_RANGE);
    ck_assert_int_eq(scratch_count(0), 0);
    sq_tensor_writer_free(writer);
}
END_TEST

/* Other bytes each time. */
static int32_t bring_changing(void *source, int64_t first, int64_t count, void *out, seqrec_error *unused)
{
    (void)first;
    (void)unused;
    memset(out, (int)++*(int64_t *)source, (size_t)count);
    return SEQREC_OK;
}

START_TEST(a_tensor_that_changes_between_the_passes_is_refused_and_the_old_file_stays)
{
    sq_tensor_writer *writer;
    int64_t calls = 0;
    scratch_write("file", "old", 3);
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
    ck_assert_int_eq(
        sq_tensor_writer_add_rows(writer, "moving", SQ_U8, 1, (int64_t[]){9}, bring_changing, &calls, &error),
        SEQREC_OK);
    ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("file"), &error), SEQREC_E_STATE);
    ck_assert_str_eq(error.message, "tensor 'moving' changed while it was written");
    ck_assert_uint_eq(scratch_read("file", bytes, sizeof bytes), 3);
    ck_assert_int_eq(scratch_count(0), 1);
    sq_tensor_writer_free(writer);
}
END_TEST

/* Fails at the call that source counts down to. */
static int32_t bring_failing(void *source, int64_t first, int64_t count, void *out, seqrec_error *told)
{
    (void)first;
    memset(out, 1, (size_t)count);
    return --*(int64_t *)source == 0 ? sq_fail(told, SEQREC_E_CANCELLED, "enough") : SEQREC_OK;
}

START_TEST(the_failure_of_a_callback_is_passed_on_and_leaves_nothing)
{
    for (int64_t at = 1; at <= 2; at++) {
        sq_tensor_writer *writer;
        int64_t left = at;
        ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
        ck_assert_int_eq(sq_tensor_writer_add_rows(writer, "t", SQ_U8, 1, (int64_t[]){9}, bring_failing, &left, &error),
                         SEQREC_OK);
        ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("file"), &error), SEQREC_E_CANCELLED);
        ck_assert_str_eq(error.message, "enough");
        ck_assert_int_eq(scratch_count(0), 0);
        sq_tensor_writer_free(writer);
    }
}
END_TEST

START_TEST(a_full_disk_at_any_point_keeps_the_old_file)
{
    size_t count = save_small("small");
    struct rlimit before, small;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    scratch_write("model", "old", 3);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t limit = 0; limit < count; limit += 41) {
        sq_tensor_writer *writer;
        ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, &error), SEQREC_OK);
        add_small(writer);
        small = before;
        small.rlim_cur = limit;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        int32_t status = sq_tensor_writer_save(writer, scratch_path("model"), &error);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_int_eq(status, SEQREC_E_IO);
        ck_assert_uint_eq(scratch_read("model", bytes, sizeof bytes), 3);
        ck_assert_int_eq(scratch_count(0), 2);
        ck_assert_int_eq(sq_tensor_writer_save(writer, scratch_path("again"), &error), SEQREC_OK);
        sq_tensor_writer_free(writer);
        ck_assert_int_eq(unlink(scratch_path("again")), 0);
    }
    signal(SIGXFSZ, handler);
}
END_TEST

/* ---- failing memory ---- */

static int32_t write_and_read(void)
{
    sq_tensor_writer *writer;
    sq_tensor_file *file;
    int64_t calls = 0;
    SQ_TRY(sq_tensor_writer_create(&memory, &writer, &error));
    int32_t status = sq_tensor_writer_text(writer, "key", "value", &error);
    if (status == SEQREC_OK) status = sq_tensor_writer_add(writer, "w", SQ_F32, 1, (int64_t[]){16}, weights, &error);
    if (status == SEQREC_OK)
        status = sq_tensor_writer_add_rows(writer, "r", SQ_F32, 2, (int64_t[]){3, 5}, bring_rows, &calls, &error);
    if (status == SEQREC_OK) status = sq_tensor_writer_save(writer, scratch_path("file"), &error);
    sq_tensor_writer_free(writer);
    SQ_TRY(status);
    SQ_TRY(sq_tensor_file_open(&memory, scratch_path("file"), &file, &error));
    status = sq_tensor_file_verify(file, &error);
    sq_tensor_file_close(file);
    return status;
}

START_TEST(any_failing_allocation_is_reported_and_nothing_leaks)
{
    int64_t n = 0;
    for (int32_t status = -1; status != SEQREC_OK;) {
        host.requests = 0;
        host.fail_at = ++n;
        status = write_and_read();
        ck_assert_int_eq(host.blocks, 0);
        int whole = access(scratch_path("file"), F_OK) == 0;
        ck_assert_int_eq(scratch_count(1), whole);
        ck_assert_msg(status == SEQREC_OK || status == SEQREC_E_MEMORY, "request %" PRId64 ": %s", n, error.message);
    }
    ck_assert_int_gt(n, 15);
}
END_TEST

static int64_t json_requests, json_fail_at, json_blocks;

static void *failing_malloc(size_t size)
{
    if (++json_requests == json_fail_at) return NULL;
    json_blocks++;
    return malloc(size);
}

static void counting_free(void *block)
{
    if (block != NULL) json_blocks--;
    free(block);
}

/* jansson's allocator is global: this test's process may change it, the library may not. */
START_TEST(any_failing_allocation_of_the_json_library_is_an_error_and_nothing_leaks)
{
    int64_t n = 0;
    json_set_alloc_funcs(failing_malloc, counting_free);
    for (int32_t status = -1; status != SEQREC_OK;) {
        json_requests = 0;
        json_fail_at = ++n;
        status = write_and_read();
        ck_assert_int_eq(json_blocks, 0);
        ck_assert_int_eq(host.blocks, 0);
        ck_assert_msg(status == SEQREC_OK || status == SEQREC_E_MEMORY, "request %" PRId64 ": %s", n, error.message);
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(n, 50);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, sums_in_pieces_equal_sums_in_one_go);
    tcase_add_test(tests, digits_of_a_sum_read_back_and_other_digits_do_not);
    tcase_add_test(tests, tensors_of_every_rank_and_type_come_back);
    tcase_add_test(tests, texts_come_back_and_checksums_are_not_among_them);
    tcase_add_test(tests, data_is_aligned_and_has_no_holes);
    tcase_add_test(tests, the_same_content_makes_the_same_bytes);
    tcase_add_test(tests, a_file_without_tensors_is_a_file);
    tcase_add_test(tests, every_type_has_its_name_and_size);
    tcase_add_test(tests, pieces_make_the_whole_and_no_more);
    tcase_add_test(tests, the_last_piece_of_a_damaged_tensor_is_refused);
    tcase_add_test(tests, what_does_not_match_is_told_by_name);
    tcase_add_test(tests, a_file_cut_while_it_is_open_is_an_error_not_a_crash);
    tcase_add_test(tests, a_file_replaced_while_it_is_open_is_read_as_it_was);
    tcase_add_test(tests, every_flipped_bit_is_found);
    tcase_add_test(tests, every_shorter_or_longer_file_is_refused);
    tcase_add_test(tests, sums_that_do_not_fit_the_tensors_are_refused);
    tcase_add_test(tests, sums_kept_by_a_program_that_moved_them_are_refused);
    tcase_add_test(tests, a_plain_file_is_read_and_reported_as_without_sums);
    tcase_add_loop_test(tests, a_hostile_header_is_refused_for_its_reason, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tests, a_length_beyond_the_file_or_the_limit_is_refused);
    tcase_add_test(tests, a_raw_zero_byte_in_the_header_is_refused);
    tcase_add_test(tests, a_header_of_too_many_values_is_refused_before_it_is_parsed);
    tcase_add_test(tests, what_is_not_a_file_is_not_opened);
    tcase_add_test(tests, descriptions_that_break_a_rule_are_refused_and_change_nothing);
    tcase_add_test(tests, tensors_of_too_many_bytes_together_are_refused);
    tcase_add_test(tests, a_tensor_that_changes_between_the_passes_is_refused_and_the_old_file_stays);
    tcase_add_test(tests, the_failure_of_a_callback_is_passed_on_and_leaves_nothing);
    tcase_add_test(tests, a_full_disk_at_any_point_keeps_the_old_file);
    tcase_add_test(tests, any_failing_allocation_is_reported_and_nothing_leaks);
    tcase_add_test(tests, any_failing_allocation_of_the_json_library_is_an_error_and_nothing_leaks);
}

int main(void)
{
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    add_tests(tests);
    Suite *suite = suite_create("safetensors");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
