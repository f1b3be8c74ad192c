/* unit: atomic file writing: the old file or the new one, never less, and nothing left behind. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "counting_allocator.h"
#include "model/filewrite.h"
#include "run_suite.h"
#include "scratch_folder.h"

#define NOBODY 65534

static counting_allocator host;
static sq_memory memory;
static seqrec_error error;
static char content[4096];

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

static int32_t write_whole(const char *path, const void *bytes, size_t count)
{
    sq_filewrite file;
    SQ_TRY(sq_filewrite_open(&file, &memory, path, &error));
    int32_t status = sq_filewrite_put(&file, bytes, count, &error);
    if (status == SEQREC_OK) status = sq_filewrite_commit(&file, &error);
    sq_filewrite_close(&file);
    return status;
}

static void assert_holds(const char *name, const char *text)
{
    size_t count = scratch_read(name, content, sizeof content);
    ck_assert_uint_eq(count, strlen(text));
    ck_assert_mem_eq(content, text, count);
}

START_TEST(a_committed_file_holds_what_was_put_and_nothing_else_is_there)
{
    sq_filewrite file;
    ck_assert_int_eq(sq_filewrite_open(&file, &memory, scratch_path("new"), &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&file, "first ", 6, &error), SEQREC_OK);
    ck_assert_int_eq(access(scratch_path("new"), F_OK), -1);
    ck_assert_int_eq(sq_filewrite_put(&file, "", 0, &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&file, "second", 6, &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_commit(&file, &error), SEQREC_OK);
    sq_filewrite_close(&file);
    sq_filewrite_close(&file);
    assert_holds("new", "first second");
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_file_closed_without_commit_leaves_the_old_one)
{
    scratch_write("kept", "old", 3);
    sq_filewrite file;
    ck_assert_int_eq(sq_filewrite_open(&file, &memory, scratch_path("kept"), &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&file, "new", 3, &error), SEQREC_OK);
    sq_filewrite_close(&file);
    assert_holds("kept", "old");
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_path_without_a_folder_is_taken_from_where_the_process_is)
{
    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(write_whole("plain", "text", 4), SEQREC_OK);
    ck_assert_int_eq(chdir("/"), 0);
    assert_holds("plain", "text");
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_link_stays_and_the_file_it_names_is_replaced)
{
    scratch_write("target", "old", 3);
    ck_assert_int_eq(symlink("target", scratch_path("link")), 0);
    ck_assert_int_eq(write_whole(scratch_path("link"), "new", 3), SEQREC_OK);
    struct stat status;
    ck_assert_int_eq(lstat(scratch_path("link"), &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    assert_holds("target", "new");
}
END_TEST

START_TEST(a_link_to_nowhere_is_refused)
{
    ck_assert_int_eq(symlink("missing", scratch_path("link")), 0);
    ck_assert_int_eq(write_whole(scratch_path("link"), "new", 3), SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "link"));
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(permissions_of_the_old_file_are_kept)
{
    scratch_write("private", "old", 3);
    ck_assert_int_eq(chmod(scratch_path("private"), 0640), 0);
    ck_assert_int_eq(write_whole(scratch_path("private"), "new", 3), SEQREC_OK);
    struct stat status;
    ck_assert_int_eq(stat(scratch_path("private"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0640);
}
END_TEST

START_TEST(a_new_file_has_the_permissions_of_any_new_file)
{
    mode_t mask = umask(0027);
    ck_assert_int_eq(write_whole(scratch_path("fresh"), "x", 1), SEQREC_OK);
    umask(mask);
    struct stat status;
    ck_assert_int_eq(stat(scratch_path("fresh"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0640);
}
END_TEST

/* Where the system has files without names, as ext4, XFS, btrfs and tmpfs do. */
START_TEST(a_process_killed_while_it_writes_leaves_nothing)
{
    int nameless = open(scratch, O_WRONLY | O_TMPFILE, 0600), pipes[2];
    char byte;
    if (nameless < 0) return;
    close(nameless);
    scratch_write("model", "old", 3);
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        sq_filewrite file;
        int good = sq_filewrite_open(&file, &memory, scratch_path("model"), &error) == SEQREC_OK &&
                   sq_filewrite_put(&file, "half", 4, &error) == SEQREC_OK;
        if (write(pipes[1], good ? "1" : "0", 1) == 1)
            for (;;) pause();
        _exit(1);
    }
    ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
    ck_assert_int_eq(byte, '1');
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    assert_holds("model", "old");
    ck_assert_int_eq(scratch_count(0), 1);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(names_left_by_a_killed_process_are_passed_over)
{
    char left[64];
    snprintf(left, sizeof left, ".seqrec-%lld-0.tmp", (long long)getpid());
    scratch_write(left, "half", 4);
    ck_assert_int_eq(write_whole(scratch_path("whole"), "new", 3), SEQREC_OK);
    assert_holds("whole", "new");
    assert_holds(left, "half");
}
END_TEST

START_TEST(two_writers_of_one_path_do_not_mix)
{
    sq_filewrite first, second;
    ck_assert_int_eq(sq_filewrite_open(&first, &memory, scratch_path("both"), &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_open(&second, &memory, scratch_path("both"), &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&first, "111", 3, &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&second, "22", 2, &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_commit(&first, &error), SEQREC_OK);
    assert_holds("both", "111");
    ck_assert_int_eq(sq_filewrite_commit(&second, &error), SEQREC_OK);
    assert_holds("both", "22");
    sq_filewrite_close(&first);
    sq_filewrite_close(&second);
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(what_is_not_a_file_is_refused_and_stays)
{
    ck_assert_int_eq(write_whole(NULL, "x", 1), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(write_whole("", "x", 1), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(write_whole(scratch, "x", 1), SEQREC_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "not a regular file"));
    ck_assert_int_eq(write_whole(scratch_path("folder/"), "x", 1), SEQREC_E_ARGUMENT);
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    ck_assert_int_eq(write_whole(scratch_path("pipe"), "x", 1), SEQREC_E_ARGUMENT);
    struct stat status;
    ck_assert_int_eq(stat(scratch_path("pipe"), &status), 0);
    ck_assert(S_ISFIFO(status.st_mode));
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_missing_folder_is_an_error_that_says_so)
{
    ck_assert_int_eq(write_whole(scratch_path("none/file"), "x", 1), SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "no such file or directory"));
    scratch_write("file", "old", 3);
    ck_assert_int_eq(write_whole(scratch_path("file/below"), "x", 1), SEQREC_E_IO);
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

/* Root may write anywhere, so root plays nobody for as long as it takes. */
START_TEST(a_folder_that_may_not_be_written_is_an_error_and_keeps_its_file)
{
    scratch_write("file", "old", 3);
    ck_assert_int_eq(chmod(scratch_path("file"), 0644), 0);
    ck_assert_int_eq(chmod(scratch, 0555), 0);
    int root = geteuid() == 0;
    if (root) ck_assert_int_eq(seteuid(NOBODY), 0);
    int32_t status = write_whole(scratch_path("file"), "new", 3);
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(scratch, 0755), 0);
    ck_assert_int_eq(status, SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "permission denied"));
    assert_holds("file", "old");
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_folder_that_may_be_written_but_not_read_is_good_enough)
{
    int root = geteuid() == 0;
    ck_assert_int_eq(chmod(scratch, 0333), 0);
    if (root) ck_assert_int_eq(seteuid(NOBODY), 0);
    int32_t status = write_whole(scratch_path("file"), "new", 3);
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(scratch, 0755), 0);
    ck_assert_msg(status == SEQREC_OK, "%s", error.message);
    assert_holds("file", "new");
}
END_TEST

/* A disk that fills up, played by the limit on the size of files. */
START_TEST(a_full_disk_keeps_the_old_file_and_leaves_nothing)
{
    static char large[1 << 16];
    scratch_write("model", "old", 3);
    struct rlimit before, small;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int32_t status = write_whole(scratch_path("model"), large, sizeof large);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(status, SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "larger than allowed"));
    assert_holds("model", "old");
    ck_assert_int_eq(scratch_count(0), 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_put_in_place_leaves_nothing)
{
    sq_filewrite file;
    ck_assert_int_eq(sq_filewrite_open(&file, &memory, scratch_path("name"), &error), SEQREC_OK);
    ck_assert_int_eq(sq_filewrite_put(&file, "new", 3, &error), SEQREC_OK);
    ck_assert_int_eq(mkdir(scratch_path("name"), 0755), 0);
    ck_assert_int_eq(sq_filewrite_commit(&file, &error), SEQREC_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "it is a directory"));
    sq_filewrite_close(&file);
    ck_assert_int_eq(rmdir(scratch_path("name")), 0);
    ck_assert_int_eq(scratch_count(0), 0);
}
END_TEST

START_TEST(any_failing_allocation_is_reported_and_leaves_nothing)
{
    scratch_write("target", "old", 3);
    ck_assert_int_eq(symlink("target", scratch_path("link")), 0);
    for (int64_t n = 1;; n++) {
        host.requests = 0;
        host.fail_at = n;
        int32_t status = write_whole(scratch_path("link"), "new", 3);
        ck_assert_int_eq(host.blocks, 0);
        ck_assert_int_eq(scratch_count(0), 2);
        if (status == SEQREC_OK) {
            ck_assert_int_gt(n, 3);
            break;
        }
        ck_assert_int_eq(status, SEQREC_E_MEMORY);
        assert_holds("target", "old");
    }
    assert_holds("target", "new");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("filewrite");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_committed_file_holds_what_was_put_and_nothing_else_is_there);
    tcase_add_test(tests, a_file_closed_without_commit_leaves_the_old_one);
    tcase_add_test(tests, a_path_without_a_folder_is_taken_from_where_the_process_is);
    tcase_add_test(tests, a_link_stays_and_the_file_it_names_is_replaced);
    tcase_add_test(tests, a_link_to_nowhere_is_refused);
    tcase_add_test(tests, permissions_of_the_old_file_are_kept);
    tcase_add_test(tests, a_new_file_has_the_permissions_of_any_new_file);
    tcase_add_test(tests, a_process_killed_while_it_writes_leaves_nothing);
    tcase_add_test(tests, names_left_by_a_killed_process_are_passed_over);
    tcase_add_test(tests, two_writers_of_one_path_do_not_mix);
    tcase_add_test(tests, what_is_not_a_file_is_refused_and_stays);
    tcase_add_test(tests, a_missing_folder_is_an_error_that_says_so);
    tcase_add_test(tests, a_folder_that_may_not_be_written_is_an_error_and_keeps_its_file);
    tcase_add_test(tests, a_folder_that_may_be_written_but_not_read_is_good_enough);
    tcase_add_test(tests, a_full_disk_keeps_the_old_file_and_leaves_nothing);
    tcase_add_test(tests, a_file_that_cannot_be_put_in_place_leaves_nothing);
    tcase_add_test(tests, any_failing_allocation_is_reported_and_leaves_nothing);
    Suite *suite = suite_create("filewrite");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
