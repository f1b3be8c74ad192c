/* unit: every text format, what is found out from the text, and every way a text can be wrong. */
#include <check.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include "base/rng.h"
#include "base/text.h"
#include "counting_allocator.h"
#include "data/number.h"
#include "data/reader.h"
#include "dataset_text.h"
#include "run_suite.h"
#include "scratch_folder.h"

static counting_allocator host;
static seqrec_context *context;
static seqrec_error error;
static seqrec_dataset *dataset;

static void set_up(void)
{
    host = (counting_allocator){0};
    seqrec_allocator allocator = counting_host(&host);
    memset(&error, 0, sizeof error);
    dataset = NULL;
    ck_assert_int_eq(sq_context_create(&allocator, NULL, 0, NULL, NULL, &context, &error), SEQREC_OK);
}

static void tear_down(void)
{
    sq_dataset_release(dataset);
    sq_context_release(context);
    ck_assert_int_eq(host.blocks, 0);
}

#define READER(...) (&(seqrec_reader){.struct_size = sizeof(seqrec_reader), __VA_ARGS__})

static int32_t read_bytes(const char *text, size_t bytes, const seqrec_reader *reader, size_t block)
{
    sq_dataset_release(dataset);
    dataset = NULL;
    memset(&error, 0, sizeof error);
    return sq_read_memory(context, text, bytes, reader, block, &dataset, &error);
}

/* Reads the text and compares it; with a format named, again in blocks of every small size. */
static void expect_bytes(const char *text, size_t bytes, const seqrec_reader *reader, const char *expected)
{
    ck_assert_msg(read_bytes(text, bytes, reader, SQ_BLOCK_BYTES) == SEQREC_OK, "%s", error.message);
    ck_assert_str_eq(dataset_text(dataset), expected);
    for (size_t block = 1; reader != NULL && reader->format != NULL && block < 20; block++) {
        ck_assert_msg(read_bytes(text, bytes, reader, block) == SEQREC_OK, "block %zu: %s", block, error.message);
        ck_assert_str_eq(dataset_text(dataset), expected);
    }
}

static void expect(const char *text, const seqrec_reader *reader, const char *expected)
{
    expect_bytes(text, strlen(text), reader, expected);
}

/* The text is refused with this status and a message that holds `part`; nothing is left behind. */
static void refuse_bytes(const char *text, size_t bytes, const seqrec_reader *reader, int32_t status, const char *part)
{
    int64_t blocks = host.blocks;
    ck_assert_int_eq(read_bytes(text, bytes, reader, SQ_BLOCK_BYTES), status);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, part) != NULL, "\"%s\" does not hold \"%s\"", error.message, part);
    ck_assert_ptr_null(dataset);
    ck_assert_int_le(host.blocks, blocks);
}

static void refuse(const char *text, const seqrec_reader *reader, int32_t status, const char *part)
{
    refuse_bytes(text, strlen(text), reader, status, part);
}

/* ---- formats, found out and named ---- */

START_TEST(two_fields_on_every_line_are_pairs)
{
    expect("7 3\n7 9\n2 3\n", NULL, "7: 3 9; 2: 3");
    expect("7 3\n7 9\n2 3\n", READER(.format = "pairs"), "7: 3 9; 2: 3");
    expect("7 3\n7 9\n2 3\n", READER(.format = "auto"), "7: 3 9; 2: 3");
    expect("  7\t 3 \n7  9\n2\t3", READER(.format = "pairs"), "7: 3 9; 2: 3");
    expect("user item\n1 2\n", NULL, "1: 2");
    expect("3 7\n9 7\n", READER(.format = "pairs", .user = "2", .item = "1"), "7: 3 9");
}
END_TEST

START_TEST(lines_of_different_lengths_are_sequences)
{
    expect("5 1 2 3\n6 2\n5 9\n", NULL, "5: 1 2 3 9; 6: 2");
    expect("5 1 2 3\n6 2\n5 9\n", READER(.format = "sequences"), "5: 1 2 3 9; 6: 2");
    expect("5 1 2\n6 2 3\n", READER(.format = "sequences"), "5: 1 2; 6: 2 3");
    expect("5 1\n6 2\n", READER(.format = "sequences"), "5: 1; 6: 2");
    expect("5\t1\t2\n6\t2\n", NULL, "5: 1 2; 6: 2");
}
END_TEST

START_TEST(movielens_double_colons_are_read)
{
    const char *text = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::5\n";
    const char *expected = "1: 1193@978300760*5 661@978302109*3; 2: 1193@5*4";
    expect(text, NULL, expected);
    expect(text, READER(.format = "movielens"), expected);
    expect("1::2\n1::3\n", NULL, "1: 2 3");
    expect("1::2::3.5\n", READER(.format = "movielens"), "1: 2*3.5");
}
END_TEST

START_TEST(csv_goes_by_its_header)
{
    const char *text = "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n";
    const char *expected = "1: 306@1147868817*3.5 296@1147880044*5";
    expect(text, NULL, expected);
    expect(text, READER(.format = "csv"), expected);
    expect("rating,item_id,User\n2,5,7\n", NULL, "7: 5*2");
    expect("a;ITEM ID;user-id\nx;5;7\n", NULL, "7: 5");
    expect("who,what\n7,5\n", READER(.user = "who", .item = "what"), "7: 5");
    expect("who,what,x\n7,5,1\n", READER(.format = "csv", .user = "who", .item = "2", .value = "x"), "7: 5*1");
    expect("user,item\n3,4\n", READER(.format = "csv", .header = -1), "1(user): 1(item); 2(3): 2(4)");
    expect("3,4\n5,6\n", READER(.format = "csv", .header = 1, .user = "1", .item = "2"), "5: 6");
}
END_TEST

static char warned[512];

static void keep_warning(void *unused, int32_t level, const char *line)
{
    (void)unused;
    ck_assert_int_eq(level, 2);
    snprintf(warned, sizeof warned, "%s", line);
}

/* Of a file whose times are called otherwise the order would be silently that of its lines. */
START_TEST(columns_that_may_be_times_and_are_not_read_are_warned_of)
{
    static const struct {
        const char *text, *time, *names; /* names NULL: no warning */
    } cases[] = {{"user,item,created_at,title\n1,2,3,x\n", NULL, "created_at, title"},
                 {"created_at,user,rating,item\n3,1,5,2\n", NULL, "created_at"},
                 {"user,item,created_at\n1,2,3\n", "created_at", NULL},
                 {"user,item,created_at\n1,2,3\n", "", NULL},
                 {"user,item,time,title\n1,2,3,x\n", NULL, NULL},
                 {"user,item,rating\n1,2,3\n", NULL, NULL},
                 {"1,2,4.5,200\n", NULL, NULL}};
    context->log = keep_warning;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const seqrec_reader reader = {.struct_size = sizeof reader, .timestamp = cases[i].time};
        const char *const text = cases[i].text, *const names = cases[i].names;
        warned[0] = 0;
        ck_assert_msg(read_bytes(text, strlen(text), &reader, SQ_BLOCK_BYTES) == SEQREC_OK, "%s", error.message);
        const size_t end = strlen(warned) - (names ? strlen(names) : 0);
        ck_assert_msg(names ? strlen(warned) > strlen(names) && strcmp(warned + end, names) == 0 : warned[0] == 0, "case %zu: %s", i, warned);
    }
}
END_TEST

START_TEST(csv_without_a_header_has_the_usual_columns)
{
    expect("1,2\n1,3\n", NULL, "1: 2 3");
    expect("1,2,4.5\n1,3,2\n", NULL, "1: 2*4.5 3*2");
    expect("1,2,1147880045\n1,3,1147880044\n", NULL, "1: 3@1147880044 2@1147880045");
    expect("1,2,4.5,200\n1,3,2,100\n", NULL, "1: 3@100*2 2@200*4.5");
    expect("9,9,9,1,2\n", READER(.user = "4", .item = "5"), "1: 2");
    expect("9,3,9,1,2\n", READER(.user = "4", .item = "5", .value = "2"), "1: 2*3");
    expect("1,2,4.5,200\n", READER(.value = "", .timestamp = ""), "1: 2");
    expect("1,2,4.5,200\n", READER(.value = ""), "1: 2@200");
    expect("1 , 2\n", NULL, "1: 2");
}
END_TEST

START_TEST(csv_quotes_follow_rfc_4180)
{
    expect("user,item\r\n\"1\",\"a,b\"\r\n\"1\",\"say \"\"hi\"\"\"\r\n", READER(.format = "csv"),
           "1: 1(a,b) 2(say \"hi\")");
    expect("user,item,note\n1,5,\"two\nlines, \"\"\n\"\n2,6,x\n", READER(.format = "csv"), "1: 5; 2: 6");
    expect("\"User-ID\";\"ISBN\";\"Book-Rating\"\n\"276725\";\"034545104X\";\"0\"\n", NULL, "276725: 1(034545104X)*0");
    expect("user,item\n1,a\"b\n", READER(.format = "csv"), "1: 1(a\"b)");
    expect("user,item\n1 , \"5\" \n", READER(.format = "csv"), "1: 5");
    expect("user,item\n1,\" 5\"\n", READER(.format = "csv"), "1: 1( 5)");
}
END_TEST

START_TEST(tsv_and_other_separators_are_read)
{
    expect("user\titem\n1\t2\n", NULL, "1: 2");
    expect("John Smith\tThe Item\nJohn Smith\tOther\n", NULL, "1(John Smith): 1(The Item) 2(Other)");
    expect("1\t2\n", READER(.format = "tsv"), "1: 2");
    expect("1\t2\t9\n", READER(.user = "1", .item = "3"), "1: 9");
    expect("1<|>2<|>3\n4<|>5<|>6\n", READER(.separator = "<|>", .value = "3", .timestamp = ""), "1: 2*3; 4: 5*6");
    expect("1|2|3\n", READER(.format = "csv", .separator = "|", .user = "3", .item = "1"), "3: 1");
    expect("1 2 3\n", READER(.separator = " ", .value = "3"), "1: 2*3");
    expect("::1::2\n", READER(.format = "tsv", .separator = "::", .user = "2", .item = "3"), "1: 2");
}
END_TEST

START_TEST(recbole_inter_goes_by_typed_names)
{
    const char *text = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
                       "196\t242\t3\t881250949\n196\t302\t3.5\t881250940.0\n";
    const char *expected = "196: 302@881250940*3.5 242@881250949*3";
    expect(text, NULL, expected);
    expect(text, READER(.format = "inter"), expected);
    expect(text, READER(.format = "inter", .value = "", .timestamp = ""), "196: 242 302");
    expect(text, READER(.format = "inter", .user = "item_id", .item = "user_id:token", .value = "", .timestamp = ""),
           "242: 196; 302: 196");
}
END_TEST

START_TEST(udata_is_told_from_sequences_by_its_numbers)
{
    const char *text = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t1\t5\t881250940\n";
    const char *expected = "196: 1@881250940*5 242@881250949*3; 186: 302@891717742*3";
    expect(text, NULL, expected);
    expect(text, READER(.format = "udata"), expected);
    refuse("1\t2\t3\t4\n5\t6\t7\t8\n", NULL, SEQREC_E_FORMAT, "\"sequences\"");
}
END_TEST

/* However long they are; one long line among columns is a broken one. */
START_TEST(long_lines_of_different_lengths_are_sequences)
{
    static char text[1 << 16];
    size_t used = 0;
    for (int u = 0; u < 20; u++)
        for (int i = 0; i < 300 + u; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d%c", i == 0 ? 1000 + u : i, i < 299 + u ? ' ' : '\n');
    ck_assert_int_eq(read_bytes(text, used, NULL, 1 << 16), SEQREC_OK);
    ck_assert_int_eq(dataset->users, 20);
    used = 0;
    for (int i = 0; i < 100; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d 7\n", i);
    for (int i = 0; i < 300; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d%c", i, i < 299 ? ' ' : '\n');
    refuse_bytes(text, used, NULL, SEQREC_E_FORMAT, "line 101: 300 fields where 100 of the first 101 lines have 2");
}
END_TEST

START_TEST(each_column_is_of_one_kind_and_told_by_a_name_of_its_own)
{
    static const char twice[] = "user_id,item_id,item_id,timestamp\n1,2,3,4\n1,5,6,7\n";
    refuse("user,item,rating,time\n1,2,3,4\n", READER(.item = "2", .timestamp = "2"), SEQREC_E_ARGUMENT, "item and timestamp are both column 2");
    refuse("user,item,rating,time\n1,2,3,4\n", READER(.value = "item"), SEQREC_E_ARGUMENT, "item and value are both column 2");
    refuse("user,item,rating,time\n1,2,3,4\n", READER(.user = "1", .item = "1"), SEQREC_E_ARGUMENT, "user and item are both column 1");
    refuse(twice, NULL, SEQREC_E_ARGUMENT, "columns 2 and 3 are both called \"item_id\": name the item by its number");
    refuse(twice, READER(.item = "item_id"), SEQREC_E_ARGUMENT, "columns 2 and 3");
    expect(twice, READER(.item = "3"), "1: 3@4 6@7");
}
END_TEST

/* What a column would have been taken for gives way to what it is asked for as. */
START_TEST(a_column_that_is_asked_for_is_not_guessed_as_well)
{
    expect("1,1,2\n1,3,4\n", READER(.timestamp = "3"), "1: 1@2 3@4");
    expect("1,1,978300760\n1,3,978300761\n", READER(.value = "3"), "1: 1*9.78301e+08 3*9.78301e+08");
    expect("1,1,2,978300760\n1,3,4,978300761\n", READER(.timestamp = "3"), "1: 1@2 3@4");
    expect("1::2::3\n1::3::4\n", READER(.timestamp = "3"), "1: 2@3 3@4");
    expect("user,item,rating\n1,2,3\n", READER(.item = "rating"), "1: 3");
}
END_TEST

/* The first 2,000 lines tell what a third column is, and all others bear it out or are refused. */
START_TEST(a_third_column_is_what_all_of_its_numbers_can_be)
{
    static char text[1 << 17];
    size_t used = 0;
    for (int i = 0; i < 6000; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d,%d\n", i % 90, i % 80, 5 * i);
    refuse_bytes(text, used, NULL, SEQREC_E_ARGUMENT, "line 2002: \"10005\" is no value within 10,000 of 0");
    used = 0;
    for (int i = 0; i < 3000; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d,%d\n", i % 90, i % 80, i == 2500 ? 7 : 978300760 + i);
    refuse_bytes(text, used, NULL, SEQREC_E_ARGUMENT, "line 2501: \"7\" is no time since 1970");
    ck_assert_int_eq(read_bytes(text, used, READER(.timestamp = "3"), 1 << 16), SEQREC_OK);
    ck_assert_int_eq(read_bytes(text, used, READER(.timestamp = "", .value = "3"), 1 << 16), SEQREC_OK);
}
END_TEST

START_TEST(lines_that_end_in_cr_alone_are_told)
{
    refuse("user,item\r1,2\r", NULL, SEQREC_E_FORMAT, "line 1: a CR at byte 10 and no LF");
    expect("user,item\r\n1,2\r\n", NULL, "1: 2");
    expect("1,2\r", NULL, "1: 2");
}
END_TEST

START_TEST(a_broken_line_of_columns_makes_no_sequences)
{
    static char text[1 << 16];
    size_t used = 0;
    for (int i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, i == 499 ? "%d\t%d\t3\n" : "%d\t%d\t3\t%d\n", i * 7 % 90, i * 11 % 80, 881250949 + i);
    refuse_bytes(text, used, NULL, SEQREC_E_FORMAT, "line 500: 3 fields where 999 of the first 1000 lines have 4");
    refuse("1 2\n1 3\n1 4 9\n", NULL, SEQREC_E_FORMAT, "line 3: 3 fields where 2 of the first 3 lines have 2");
    refuse("1\t2\t3\t881250949\n2\t3\t3\t881250950\n1\t4\t3\n", NULL, SEQREC_E_FORMAT, "line 3: 3 fields where 2 of the first 3 lines have 4");
    refuse("1\t2\t3\n2\t3\t3\t881250950\n1\t4\t3\t881250951\n", NULL, SEQREC_E_FORMAT, "line 1: 3 fields");
    expect("1 2\n1 3\n1 4 9\n", READER(.format = "sequences"), "1: 2 3 4 9");
}
END_TEST

START_TEST(what_fits_two_formats_is_refused_with_the_choices)
{
    refuse("1 2 3\n4 5 6\n", NULL, SEQREC_E_FORMAT, "\"sequences\"");
    refuse("\n1\t2\t3\n", NULL, SEQREC_E_FORMAT, "line 2: 3 fields between tabs");
    refuse("1,2,3,4,5\n", NULL, SEQREC_E_ARGUMENT, "say which columns");
    refuse("1,2,50000\n", NULL, SEQREC_E_ARGUMENT, "say which columns");
    refuse("1\n2\n", NULL, SEQREC_E_FORMAT, "line 1: one field");
}
END_TEST

/* ---- ids ---- */

START_TEST(ids_of_any_int64_are_kept)
{
    expect("-9223372036854775808 9223372036854775807\n0 -1\n", READER(.format = "pairs"),
           "-9223372036854775808: 9223372036854775807; 0: -1");
}
END_TEST

START_TEST(one_text_makes_all_ids_of_its_kind_texts)
{
    expect("30 5\n10 x\n30 7\n", READER(.format = "pairs"), "30: 1(5) 3(7); 10: 2(x)");
    expect("30 5\nanna 6\n10 5\n", READER(.format = "pairs"), "1(30): 5; 2(anna): 6; 3(10): 5");
    expect("1 9223372036854775808\n", READER(.format = "pairs"), "1: 1(9223372036854775808)");
    expect("a 5\nb 5\na 6\n5 5\n", READER(.format = "sequences"), "1(a): 5 6; 2(b): 5; 3(5): 5");
}
END_TEST

START_TEST(numbers_that_would_not_come_back_as_written_are_texts)
{
    expect("1 7\n1 007\n1 +7\n1 -0\n1 7.0\n", READER(.format = "pairs"), "1: 1(7) 2(007) 3(+7) 4(-0) 5(7.0)");
}
END_TEST

START_TEST(many_texts_keep_their_indices)
{
    enum { IDS = 5000 };
    static char text[IDS * 40];
    size_t used = 0;
    for (int i = 0; i < 2 * IDS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "u%d item-%d\n", i % IDS / 7, i * 7 % IDS);
    ck_assert_int_eq(read_bytes(text, used, NULL, 4096), SEQREC_OK);
    ck_assert_int_eq(dataset->items, IDS);
    ck_assert_int_eq(dataset->events, 2 * IDS);
    for (int i = 0; i < IDS; i++) {
        char name[32];
        snprintf(name, sizeof name, "item-%d", i * 7 % IDS);
        ck_assert_str_eq(sq_dataset_item_name(dataset, i + 1), name);
        snprintf(name, sizeof name, "u%d", i / 7);
        ck_assert_str_eq(sq_dataset_user_name(dataset, i / 7 + 1), name);
    }
    ck_assert_ptr_null(sq_dataset_item_name(dataset, 0));
    ck_assert_ptr_null(sq_dataset_item_name(dataset, IDS + 1));
    ck_assert_ptr_null(sq_dataset_user_name(dataset, 0));
    ck_assert_ptr_null(sq_dataset_user_name(dataset, IDS));
}
END_TEST

/* No model could name them: that is told where they stand. */
START_TEST(names_that_are_not_utf_8_are_refused_with_their_line)
{
    static const char latin[] = "caf\xc3\xa9 1\n1 2\ncaf\xe9 3\n", item[] = "1 1\n2 a\xff\n";
    refuse_bytes(latin, sizeof latin - 1, READER(.format = "pairs"), SEQREC_E_FORMAT, "line 3: the user is not UTF-8 at its byte 4");
    refuse_bytes(item, sizeof item - 1, READER(.format = "pairs"), SEQREC_E_FORMAT, "line 2: the item is not UTF-8 at its byte 2");
}
END_TEST

static uint64_t hash_of(const char *text)
{
    ck_assert_int_eq(read_bytes(text, strlen(text), READER(.format = "pairs"), SQ_BLOCK_BYTES), SEQREC_OK);
    return dataset->hash;
}

/* Texts are numbered by their order: without them, renamed data would be the same data. */
START_TEST(the_hash_tells_texts_apart)
{
    const uint64_t hash = hash_of("anna a\nanna b\nbert a\n");
    ck_assert(hash == hash_of("anna a\nanna b\nbert a\n"));
    ck_assert(hash != hash_of("anna a\nanna c\nbert a\n"));
    ck_assert(hash != hash_of("anna a\nanna b\ncarl a\n"));
    ck_assert(hash != hash_of("0 1\n0 2\n1 1\n"));
    ck_assert(hash_of("anna ab\nanna c\n") != hash_of("anna a\nanna bc\n"));
}
END_TEST

START_TEST(ids_of_4096_bytes_fit_and_longer_ones_do_not)
{
    static char text[10000];
    memset(text, 'x', sizeof text);
    memcpy(text, "1 2\n1 ", 6);
    text[6 + 4096] = '\n';
    ck_assert_int_eq(read_bytes(text, 6 + 4097, NULL, SQ_BLOCK_BYTES), SEQREC_OK);
    ck_assert_uint_eq(strlen(sq_dataset_item_name(dataset, 2)), 4096);
    text[6 + 4096] = 'x';
    text[6 + 4097] = '\n';
    refuse_bytes(text, 6 + 4098, NULL, SEQREC_E_FORMAT, "line 2: the item has more than 4096 bytes");
    memcpy(text, "1,2\n1,\"", 7);
    memset(text + 7, '"', 8200);
    memcpy(text + 7 + 8200, "\"\n", 2);
    refuse_bytes(text, 7 + 8202, READER(.format = "csv"), SEQREC_E_FORMAT, "line 2: the item has more than 4096 bytes");
    ck_assert_int_eq(read_bytes(text, 7, NULL, SQ_BLOCK_BYTES), SEQREC_E_FORMAT);
    text[7 + 8192] = '"';
    text[7 + 8193] = '\n';
    ck_assert_msg(read_bytes(text, 7 + 8194, READER(.format = "csv"), SQ_BLOCK_BYTES) == SEQREC_OK, "%s",
                  error.message);
    ck_assert_uint_eq(strlen(sq_dataset_item_name(dataset, 2)), 4096);
}
END_TEST

/* ---- lines ---- */

START_TEST(line_ends_and_blank_lines_do_not_matter)
{
    expect("1 2\r\n\r\n1 3\r\n", READER(.format = "pairs"), "1: 2 3");
    expect("\n\n1 2\n   \n\t\n1 3", READER(.format = "pairs"), "1: 2 3");
    expect("\xef\xbb\xbf"
           "1 2\n",
           READER(.format = "pairs"), "1: 2");
    expect("\xef\xbb\xbfuser,item\n1,2\n", NULL, "1: 2");
    expect("\n5 1 2\n\n6 2\n\n", READER(.format = "sequences"), "5: 1 2; 6: 2");
    expect("\nuser,item\n\n1,2\n\n", READER(.format = "csv"), "1: 2");
}
END_TEST

START_TEST(texts_without_events_are_refused)
{
    refuse("", NULL, SEQREC_E_FORMAT, "no events");
    refuse("\n \n\t\r\n", NULL, SEQREC_E_FORMAT, "no events");
    refuse("\xef\xbb\xbf", NULL, SEQREC_E_FORMAT, "no events");
    refuse("user,item\n", NULL, SEQREC_E_FORMAT, "none of 1 lines holds an event");
}
END_TEST

START_TEST(a_line_longer_than_any_block_is_read)
{
    enum { ITEMS = 30000 };
    static char text[ITEMS * 6 + 16];
    size_t used = (size_t)snprintf(text, sizeof text, "42");
    for (int i = 0; i < ITEMS; i++) used += (size_t)snprintf(text + used, sizeof text - used, " %d", i % 1000);
    ck_assert_int_eq(read_bytes(text, used, READER(.format = "sequences"), 100), SEQREC_OK);
    ck_assert_int_eq(dataset->events, ITEMS);
    ck_assert_int_eq(dataset->users, 1);
    for (int64_t e = 0; e < ITEMS; e++) ck_assert_int_eq(dataset->item_ids[dataset->sequence[e]], e % 1000);
}
END_TEST

/* Both would take minutes if the time grew with the square of the line. */
START_TEST(a_line_of_millions_of_quoted_fields_is_refused_in_time)
{
    enum { FIELDS = 2500000, BEFORE = 14 };
    static char text[BEFORE + 3 * FIELDS + 2] = "user,item\n1,2\n";
    for (int f = 0; f < FIELDS; f++) memcpy(text + BEFORE + 3 * f, "\"\",", 3);
    text[BEFORE + 3 * FIELDS] = '\n';
    refuse_bytes(text, sizeof text - 1, NULL, SEQREC_E_FORMAT, "line 3: 2500001 fields where format \"csv\" has 2");
    refuse_bytes(text + BEFORE, sizeof text - 1 - BEFORE, NULL, SEQREC_E_ARGUMENT, "line 1: 2500001 fields without a header");
}
END_TEST

START_TEST(a_record_of_many_blocks_and_lines_is_read_in_time)
{
    enum { LINES = 4000000 };
    static const char before[] = "user,item,x\n1,2,\"", after[] = "\"\n3,4,y\n5\n";
    static char text[sizeof before + LINES + sizeof after - 2];
    memcpy(text, before, sizeof before - 1);
    memset(text + sizeof before - 1, '\n', LINES);
    memcpy(text + sizeof before - 1 + LINES, after, sizeof after - 1);
    const size_t whole = sizeof text - 2;
    ck_assert_int_eq(read_bytes(text, whole, READER(.format = "csv"), 16), SEQREC_OK);
    ck_assert_str_eq(dataset_text(dataset), "1: 2; 3: 4");
    ck_assert_int_eq(read_bytes(text, whole + 2, READER(.format = "csv"), 16), SEQREC_E_FORMAT);
    ck_assert_msg(strstr(error.message, "line 4000004: 1 field where") != NULL, "%s", error.message);
}
END_TEST

/* ---- values and times ---- */

START_TEST(events_sort_by_time_and_equal_times_keep_their_order)
{
    expect("1,9,1,300000000\n2,8,1,5\n1,7,1,100000000\n1,6,1,300000000\n1,5,1,-4\n1,9,1,300000000\n",
           READER(.format = "csv", .value = ""), "1: 5@-4 7@100000000 9@300000000 6@300000000 9@300000000; 2: 8@5");
}
END_TEST

START_TEST(times_are_floored_seconds)
{
    const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"978300760.0", 978300760},
                 {"978300760.99", 978300760},
                 {"-1.5", -2},
                 {"-1.0", -1},
                 {"1e9", 1000000000},
                 {"1.5E1", 15},
                 {"-25e-1", -3},
                 {"+7", 7},
                 {"007", 7},
                 {"1147880044123", 1147880044123},
                 {"9223372036854775807.9", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN},
                 {".5", 0},
                 {"5.", 5}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t seconds = 77;
        ck_assert_msg(sq_scan_seconds(cases[c].text, strlen(cases[c].text), &seconds), "%s", cases[c].text);
        ck_assert_msg(seconds == cases[c].seconds, "%s gives %lld", cases[c].text, (long long)seconds);
    }
    static const char *const wrong[] = {"",
                                        "-",
                                        ".",
                                        "1.2.3",
                                        "1e",
                                        "0x10",
                                        "nan",
                                        "inf",
                                        "1e19",
                                        "1 2",
                                        "2014-01-01",
                                        "9223372036854775808",
                                        "-9223372036854775808.5",
                                        "1e400"};
    for (size_t c = 0; c < sizeof wrong / sizeof *wrong; c++) {
        int64_t seconds;
        ck_assert_msg(!sq_scan_seconds(wrong[c], strlen(wrong[c]), &seconds), "%s", wrong[c]);
    }
}
END_TEST

START_TEST(integers_are_written_as_they_are_read)
{
    const uint64_t key = sq_random_key(5, 0, 0);
    for (uint64_t i = 0; i < 20000; i++) {
        char text[20];
        int64_t value = (int64_t)(sq_random64(key, i) >> (i % 64)), back;
        if (i % 3 == 0) value = (int64_t)(0 - (uint64_t)value);
        ck_assert(sq_scan_id(text, sq_write_integer(text, value), &back));
        ck_assert_int_eq(back, value);
    }
}
END_TEST

START_TEST(values_are_read_and_filtered_by_the_minimum)
{
    const char *text = "user,item,rating\n1,5,4\n1,6,3.5\n2,5,1\n1,7,4.0\n";
    expect(text, READER(.format = "csv", .has_minimum = 1, .minimum_value = 3.5), "1: 5*4 6*3.5 7*4");
    expect(text, READER(.format = "csv", .has_minimum = 1, .minimum_value = 4), "1: 5*4 7*4");
    expect(text, READER(.format = "csv", .has_minimum = 1, .minimum_value = -1e30), "1: 5*4 6*3.5 7*4; 2: 5*1");
    refuse(text, READER(.has_minimum = 1, .minimum_value = 9), SEQREC_E_FORMAT, "minimum value");
    refuse("1 2\n", READER(.has_minimum = 1), SEQREC_E_ARGUMENT, "needs a value column");
    refuse("1 2\n", READER(.format = "sequences", .has_minimum = 1), SEQREC_E_ARGUMENT, "needs values");
}
END_TEST

START_TEST(numbers_do_not_depend_on_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        if (setlocale(LC_ALL, names[n]) != NULL) break;
    }
    expect("1::2::3.75::1000000000.5\n", READER(.format = "movielens"), "1: 2@1000000000*3.75");
    setlocale(LC_ALL, "C");
}
END_TEST

/* ---- what is wrong, and where ---- */

START_TEST(a_first_record_that_cannot_be_split_is_named_and_not_read_as_another_format)
{
    enum { LINES = 150000 };
    static char text[LINES * 8 + 16];
    size_t used = (size_t)snprintf(text, sizeof text, "\"12 a,7\n");
    refuse("\"user,item\n1,2\n", NULL, SEQREC_E_FORMAT, "line 1: a quote is opened and never closed");
    refuse("\"12 a,7\n13 b,8\n14 c,9\n", NULL, SEQREC_E_FORMAT, "line 1: a quote is opened and never closed");
    refuse("\n12 a;\"7\n13 b;8\n", NULL, SEQREC_E_FORMAT, "line 2: a quote is opened and never closed");
    refuse("\n\"12 a,7\n13 b,8\n", READER(.format = "csv"), SEQREC_E_FORMAT, "line 2: a quote is opened and never closed");
    refuse("\"12\" a,7\n13 b,8\n", NULL, SEQREC_E_FORMAT, "line 1: text between a closing quote and the separator");
    for (int i = 0; i < LINES; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d b,8\n", i % 1000);
    ck_assert_uint_gt(used, SQ_BLOCK_BYTES);
    refuse_bytes(text, used, NULL, SEQREC_E_FORMAT, "line 1: a quote is opened, and its record does not end within 1048576 bytes");
}
END_TEST

START_TEST(a_quote_that_is_text_between_semicolons_opens_nothing)
{
    expect("1;x, \"y\n1;z\n", NULL, "1: 1(x, \"y) 2(z)");
    expect("1;x, \"y\" w\n1;z\n", NULL, "1: 1(x, \"y\" w) 2(z)");
}
END_TEST

START_TEST(errors_name_the_line)
{
    refuse("1 2\n1 3\n1\n", NULL, SEQREC_E_FORMAT, "line 3: 1 field where format \"pairs\" has 2");
    refuse("1 2\n1 3 4\n1\n", NULL, SEQREC_E_FORMAT, "line 3: a user without items");
    refuse("1 2\n1 3\n1 4 5\n", READER(.format = "pairs"), SEQREC_E_FORMAT, "line 3: 3 fields where format \"pairs\"");
    refuse("1 2\n1\n", READER(.format = "pairs"), SEQREC_E_FORMAT, "line 2: 1 field where");
    refuse("1 2 3\n", READER(.format = "pairs"), SEQREC_E_FORMAT, "line 1: 3 fields");
    refuse("\n\n1::2::x::4\n", NULL, SEQREC_E_FORMAT, "line 3: the value \"x\"");
    refuse("1::2::1e39::4\n", NULL, SEQREC_E_FORMAT, "line 1: the value \"1e39\"");
    refuse("1::2::nan::4\n", NULL, SEQREC_E_FORMAT, "line 1: the value \"nan\"");
    refuse("1::2::3::4\n1::2::3::\n", NULL, SEQREC_E_FORMAT, "line 2: the timestamp \"\"");
    refuse("1::2::3::4\n1::2::3\n", NULL, SEQREC_E_FORMAT, "line 2: 3 fields where format \"movielens\" has 4");
    refuse("user,item\n1,2\n1,\n", NULL, SEQREC_E_FORMAT, "line 3: the item is empty");
    refuse("user,item\n1,2\n,2\n", NULL, SEQREC_E_FORMAT, "line 3: the user is empty");
    refuse("user,item,x\n1,2,\"a\nb\"\n1,\"2,3\n\n", NULL, SEQREC_E_FORMAT, "line 4: a quote is opened");
    refuse("user,item\n1,2\n1,\"2\"3\n", NULL, SEQREC_E_FORMAT, "line 3: text between a closing quote");
    refuse("user,item,x\n1,2,\"a\n\nb\"\n1,2\n", NULL, SEQREC_E_FORMAT, "line 5: 2 fields where");
    refuse("1\t2\t3\n", READER(.format = "udata"), SEQREC_E_FORMAT, "line 1: 3 fields; format \"udata\" has 4");
    refuse("5 1 2\n6\n", READER(.format = "sequences"), SEQREC_E_FORMAT, "line 2: a user without items");
}
END_TEST

START_TEST(pairs_that_become_sequences_late_get_a_hint)
{
    static char text[1 << 22];
    size_t used = 0;
    while (used < sizeof text - 64) used += (size_t)snprintf(text + used, sizeof text - used, "12345 67890\n");
    int64_t line = (int64_t)used / 12 + 1;
    char expected[64];
    used += (size_t)snprintf(text + used, sizeof text - used, "1 2 3\n");
    snprintf(expected, sizeof expected, "line %lld: 3 fields", (long long)line);
    refuse_bytes(text, used, NULL, SEQREC_E_FORMAT, expected);
    ck_assert_ptr_nonnull(strstr(error.message, "\"sequences\""));
}
END_TEST

START_TEST(nul_bytes_in_ids_are_refused)
{
    refuse_bytes("1 2\n1 a\0b\n", 10, NULL, SEQREC_E_FORMAT, "line 2: the item holds a NUL byte");
    refuse_bytes("1 2\n\0 3\n", 8, NULL, SEQREC_E_FORMAT, "line 2: the user holds a NUL byte");
    refuse_bytes("1,2,3,\0\n", 8, NULL, SEQREC_E_FORMAT, "line 1");
    expect_bytes("user,item,x\n1,2,\0\n", 18, READER(.format = "csv"), "1: 2");
}
END_TEST

START_TEST(files_that_are_not_text_are_named)
{
    refuse_bytes("\xff\xfe"
                 "1\0 \0",
                 6, NULL, SEQREC_E_FORMAT, "UTF-16");
    refuse_bytes("\x1f\x8b\x08\x00\x00", 5, NULL, SEQREC_E_FORMAT, "gzip");
    refuse_bytes("PK\x03\x04zip", 7, NULL, SEQREC_E_FORMAT, "zip");
    /* as a program is: nearly all lines of one field */
    char program[100] = "\x7f" "ELF\0 \1 \2\n\3 \4 \5\n";
    memset(program + 16, 6, sizeof program - 16);
    for (size_t i = 17; i < sizeof program; i += 2) program[i] = '\n';
    refuse_bytes(program, sizeof program, NULL, SEQREC_E_FORMAT, "line 1: the user holds a NUL byte");
}
END_TEST

START_TEST(wrong_reader_settings_are_refused)
{
    refuse("1 2\n", READER(.format = "xml"), SEQREC_E_UNSUPPORTED, "\"xml\" is none of auto, pairs");
    refuse("1 2\n", READER(.separator = ""), SEQREC_E_ARGUMENT, "separator of 0 bytes");
    refuse("1 2\n", READER(.separator = "0123456789abcdef"), SEQREC_E_ARGUMENT, "separator of 16 bytes");
    refuse("1 2\n", READER(.separator = "\n"), SEQREC_E_ARGUMENT, "no line end");
    refuse("1 2\n", READER(.format = "sequences", .separator = ","), SEQREC_E_ARGUMENT, "separated by blanks");
    refuse("1 2\n", READER(.format = "sequences", .user = "1"), SEQREC_E_ARGUMENT, "neither columns");
    refuse("1,2\n", READER(.user = ""), SEQREC_E_ARGUMENT, "user column is \"\"");
    refuse("1,2\n", READER(.item = ""), SEQREC_E_ARGUMENT, "item column is \"\"");
    refuse("1,2\n", READER(.user = "1", .item = "1"), SEQREC_E_ARGUMENT, "both column 1");
    refuse("1,2\n", READER(.user = "0", .item = "1"), SEQREC_E_RANGE, "user column 0: columns go from 1 to 2");
    refuse("1,2\n", READER(.user = "1", .item = "3"), SEQREC_E_RANGE, "item column 3");
    refuse("1,2\n", READER(.user = "who", .item = "2"), SEQREC_E_NOT_FOUND, "\"who\" is not in the header: 1, 2");
    refuse("1,2\n", READER(.user = "who", .item = "2", .header = -1), SEQREC_E_ARGUMENT, "has no header");
    refuse("a,b\n1,2\n", NULL, SEQREC_E_ARGUMENT, "line 1: which column is the user? name it, or its number: a, b");
    refuse("user,b\n1,2\n", NULL, SEQREC_E_ARGUMENT, "which column is the item");
    refuse("user,item\n1,2\n", READER(.value = "stars"), SEQREC_E_NOT_FOUND, "value column \"stars\"");
    refuse("user,item\n1,2\n", READER(.timestamp = "9"), SEQREC_E_RANGE, "timestamp column 9");
}
END_TEST

/* ---- files, progress, memory ---- */

START_TEST(files_are_read_and_missing_ones_are_named)
{
    static const char text[] = "7 3\n7 9\n2 3\n";
    scratch_create();
    scratch_write("pairs.txt", text, sizeof text - 1);
    ck_assert_int_eq(sq_read_file(context, scratch_path("pairs.txt"), NULL, &dataset, &error), SEQREC_OK);
    ck_assert_str_eq(dataset_text(dataset), "7: 3 9; 2: 3");
    seqrec_dataset *none = NULL;
    ck_assert_int_eq(sq_read_file(context, scratch_path("none.txt"), NULL, &none, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "none.txt"));
    ck_assert_int_eq(sq_read_file(context, scratch, NULL, &none, &error), SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "': it is a directory (errno "));
    ck_assert_ptr_null(none);
    scratch_remove();
}
END_TEST

START_TEST(a_long_path_and_the_reason_are_told_in_words_of_no_locale)
{
    char name[220];
    seqrec_dataset *none = NULL;
    scratch_create();
    memset(name, 'a', sizeof name);
    memcpy(name + sizeof name - 9, "none.txt", 9);
    ck_assert_int_eq(sq_read_file(context, scratch_path(name), NULL, &none, &error), SEQREC_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "aanone.txt': no such file or directory (errno "));
    scratch_remove();
}
END_TEST

typedef struct watch {
    int64_t calls, last, stop_at;
} watch;

static int32_t count_progress(void *at, const char *stage, int64_t done, int64_t total)
{
    watch *seen = at;
    ck_assert_str_eq(stage, "read");
    ck_assert_int_ge(done, seen->last);
    ck_assert_int_eq(total, 12);
    seen->last = done;
    return ++seen->calls == seen->stop_at;
}

START_TEST(progress_counts_bytes_and_can_stop_the_reading)
{
    watch seen = {0, 0, 0};
    seqrec_reader reader = {
        .struct_size = sizeof reader, .format = "pairs", .progress = count_progress, .progress_context = &seen};
    ck_assert_int_eq(read_bytes("7 3\n7 9\n2 3\n", 12, &reader, 5), SEQREC_OK);
    ck_assert_int_eq(seen.last, 12);
    int64_t calls = seen.calls;
    ck_assert_int_ge(calls, 3);
    for (int64_t stop = 1; stop <= calls; stop++) {
        seen = (watch){0, 0, stop};
        ck_assert_int_eq(read_bytes("7 3\n7 9\n2 3\n", 12, &reader, 5), SEQREC_E_CANCELLED);
        ck_assert_ptr_null(dataset);
        ck_assert_int_eq(seen.calls, stop);
    }
}
END_TEST

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms = alarms + 1;
}

static int32_t stop_at_alarm(void *at, const char *stage, int64_t done, int64_t total)
{
    (void)stage;
    (void)total;
    *(int64_t *)at = done;
    return alarms > 0;
}

/* Reads a pipe, whose writer has written `text` and may write more; NULL: there is none. */
static int32_t read_until_alarm(const char *path, const char *text, int64_t *done)
{
    seqrec_reader reader = {
        .struct_size = sizeof reader, .format = "pairs", .progress = stop_at_alarm, .progress_context = done};
    struct sigaction action = {.sa_handler = count_alarm}, before;
    const struct itimerval soon = {.it_value = {.tv_usec = 100000}, .it_interval = {.tv_usec = 100000}}, never = {0};
    int writer = text == NULL ? -1 : open(path, O_RDWR);
    if (text != NULL) ck_assert_int_eq(write(writer, text, strlen(text)), (int)strlen(text));
    alarms = 0;
    ck_assert_int_eq(sigaction(SIGALRM, &action, &before), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    int32_t status = sq_read_file(context, path, &reader, &dataset, &error);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &before, NULL), 0);
    if (writer >= 0) close(writer);
    return status;
}

START_TEST(a_signal_ends_the_wait_for_a_pipe_when_progress_says_so)
{
    int64_t done = -1;
    scratch_create();
    const char *path = scratch_path("pipe");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(read_until_alarm(path, NULL, &done), SEQREC_E_CANCELLED);
    ck_assert_int_eq(done, 0);
    ck_assert_int_eq(read_until_alarm(path, "7 3\n", &done), SEQREC_E_CANCELLED);
    ck_assert_int_eq(done, 4);
    ck_assert_ptr_null(dataset);
    scratch_remove();
}
END_TEST

START_TEST(any_failing_allocation_leaves_nothing_behind)
{
    const char *text = "user,item,rating,timestamp\n1,a,5,30\n2,b,4,20\n1,c,3,10\nx,a,2,5\n";
    int64_t blocks = host.blocks, failed = 0;
    for (int64_t n = 1;; n++, failed++) {
        host.requests = 0;
        host.fail_at = n;
        int32_t status = read_bytes(text, strlen(text), NULL, SQ_BLOCK_BYTES);
        host.fail_at = 0;
        if (status == SEQREC_OK) break;
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        ck_assert_int_eq(error.status, SEQREC_E_MEMORY);
        ck_assert_ptr_null(dataset);
        ck_assert_int_eq(host.blocks, blocks);
    }
    ck_assert_int_ge(failed, 20);
    ck_assert_str_eq(dataset_text(dataset), "1(1): 3(c)@10*3 1(a)@30*5; 2(2): 2(b)@20*4; 3(x): 1(a)@5*2");
}
END_TEST

START_TEST(random_bytes_are_read_or_refused)
{
    static const char alphabet[] = "0123456789\n\n \t,:;\"-.ae\r\0\xff";
    static const char *const formats[] = {NULL, "pairs", "movielens", "csv", "tsv", "inter", "sequences", "udata"};
    const uint64_t key = sq_random_key(11, 0, 0);
    char text[64];
    for (uint64_t i = 0, draw = 0; i < 20000; i++) {
        size_t bytes = (size_t)sq_random_below(key, draw++, sizeof text);
        for (size_t b = 0; b < bytes; b++) text[b] = alphabet[sq_random_below(key, draw++, sizeof alphabet - 1)];
        const char *format = formats[i % (sizeof formats / sizeof *formats)];
        int32_t status = read_bytes(text, bytes, READER(.format = format), 1 + i % 40);
        ck_assert_int_eq(status == SEQREC_OK, dataset != NULL);
        ck_assert_int_eq(error.status, status);
    }
}
END_TEST

/* ---- the public data sets, where they are at hand ---- */

static int find_file(const char *name, char *path, size_t bytes)
{
    const char *folder = getenv("SEQREC_DATA");
    for (int up = 0; up < 5; up++) {
        static const char *const places[] = {"shared/data", "../shared/data", "../../shared/data",
                                             "../../../shared/data"};
        if (up == 0 && folder == NULL) continue;
        snprintf(path, bytes, "%s/%s", up == 0 ? folder : places[up - 1], name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) continue;
        fclose(file);
        return 1;
    }
    printf("# %s is not at hand (../shared/data or $SEQREC_DATA): skipped\n", name);
    return 0;
}

START_TEST(public_data_sets_have_their_known_sizes)
{
    const struct {
        const char *name;
        int64_t users, items, events, shortest, longest;
        int32_t has_times;
    } files[] = {{"ml-1m.txt", 6040, 3416, 999611, 18, 2277, 0},
                 {"beauty.txt", 22363, 12101, 198502, 5, 204, 0},
                 {"ml-100k.u.data", 943, 1682, 100000, 20, 737, 1}};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[512];
        seqrec_dataset_stats stats = {.struct_size = sizeof stats};
        if (!find_file(files[f].name, path, sizeof path)) continue;
        ck_assert_msg(sq_read_file(context, path, NULL, &dataset, &error) == SEQREC_OK, "%s", error.message);
        ck_assert_int_eq(sq_dataset_describe(dataset, &stats, &error), SEQREC_OK);
        ck_assert_int_eq(stats.users, files[f].users);
        ck_assert_int_eq(stats.items, files[f].items);
        ck_assert_int_eq(stats.events, files[f].events);
        ck_assert_int_eq(stats.shortest, files[f].shortest);
        ck_assert_int_eq(stats.longest, files[f].longest);
        ck_assert_int_eq(stats.has_timestamps, files[f].has_times);
        sq_dataset_release(dataset);
        dataset = NULL;
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("reader");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, two_fields_on_every_line_are_pairs);
    tcase_add_test(tests, lines_of_different_lengths_are_sequences);
    tcase_add_test(tests, movielens_double_colons_are_read);
    tcase_add_test(tests, csv_goes_by_its_header);
    tcase_add_test(tests, columns_that_may_be_times_and_are_not_read_are_warned_of);
    tcase_add_test(tests, csv_without_a_header_has_the_usual_columns);
    tcase_add_test(tests, csv_quotes_follow_rfc_4180);
    tcase_add_test(tests, tsv_and_other_separators_are_read);
    tcase_add_test(tests, recbole_inter_goes_by_typed_names);
    tcase_add_test(tests, long_lines_of_different_lengths_are_sequences);
    tcase_add_test(tests, each_column_is_of_one_kind_and_told_by_a_name_of_its_own);
    tcase_add_test(tests, a_third_column_is_what_all_of_its_numbers_can_be);
    tcase_add_test(tests, a_column_that_is_asked_for_is_not_guessed_as_well);
    tcase_add_test(tests, lines_that_end_in_cr_alone_are_told);
    tcase_add_test(tests, a_broken_line_of_columns_makes_no_sequences);
    tcase_add_test(tests, udata_is_told_from_sequences_by_its_numbers);
    tcase_add_test(tests, what_fits_two_formats_is_refused_with_the_choices);
    tcase_add_test(tests, ids_of_any_int64_are_kept);
    tcase_add_test(tests, one_text_makes_all_ids_of_its_kind_texts);
    tcase_add_test(tests, numbers_that_would_not_come_back_as_written_are_texts);
    tcase_add_test(tests, many_texts_keep_their_indices);
    tcase_add_test(tests, names_that_are_not_utf_8_are_refused_with_their_line);
    tcase_add_test(tests, the_hash_tells_texts_apart);
    tcase_add_test(tests, ids_of_4096_bytes_fit_and_longer_ones_do_not);
    tcase_add_test(tests, line_ends_and_blank_lines_do_not_matter);
    tcase_add_test(tests, texts_without_events_are_refused);
    tcase_add_test(tests, a_line_longer_than_any_block_is_read);
    tcase_add_test(tests, a_line_of_millions_of_quoted_fields_is_refused_in_time);
    tcase_add_test(tests, a_record_of_many_blocks_and_lines_is_read_in_time);
    tcase_add_test(tests, events_sort_by_time_and_equal_times_keep_their_order);
    tcase_add_test(tests, times_are_floored_seconds);
    tcase_add_test(tests, integers_are_written_as_they_are_read);
    tcase_add_test(tests, values_are_read_and_filtered_by_the_minimum);
    tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
    tcase_add_test(tests, a_first_record_that_cannot_be_split_is_named_and_not_read_as_another_format);
    tcase_add_test(tests, a_quote_that_is_text_between_semicolons_opens_nothing);
    tcase_add_test(tests, errors_name_the_line);
    tcase_add_test(tests, pairs_that_become_sequences_late_get_a_hint);
    tcase_add_test(tests, nul_bytes_in_ids_are_refused);
    tcase_add_test(tests, files_that_are_not_text_are_named);
    tcase_add_test(tests, wrong_reader_settings_are_refused);
    tcase_add_test(tests, files_are_read_and_missing_ones_are_named);
    tcase_add_test(tests, a_long_path_and_the_reason_are_told_in_words_of_no_locale);
    tcase_add_test(tests, progress_counts_bytes_and_can_stop_the_reading);
    tcase_add_test(tests, a_signal_ends_the_wait_for_a_pipe_when_progress_says_so);
    tcase_add_test(tests, any_failing_allocation_leaves_nothing_behind);
    tcase_add_test(tests, random_bytes_are_read_or_refused);
    tcase_add_test(tests, public_data_sets_have_their_known_sizes);
    Suite *suite = suite_create("reader");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
