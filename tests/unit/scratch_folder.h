/* unit: a folder of a test's own under the system's temporary folder, removed with what is in it. */
#ifndef SCRATCH_FOLDER_H
#define SCRATCH_FOLDER_H
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch[256];

static void scratch_create(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/seqrec-test-XXXXXX", parent != NULL && parent[0] != 0 ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

/* Path of a file in the folder; good until four calls later. */
static const char *scratch_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/* How many files the folder has; removes them too when asked. */
static int scratch_count(int remove_them)
{
    int count = 0;
    DIR *folder = opendir(scratch);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count++;
        if (remove_them) unlink(scratch_path(entry->d_name));
    }
    closedir(folder);
    return count;
}

static void scratch_remove(void)
{
    scratch_count(1);
    rmdir(scratch);
}

/* Writes a file the plain way. */
static inline void scratch_write(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(scratch_path(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

/* Reads a whole file into room; returns its size. */
static inline size_t scratch_read(const char *name, void *room, size_t most)
{
    FILE *file = fopen(scratch_path(name), "rb");
    ck_assert_msg(file != NULL, "%s is not there", name);
    size_t count = fread(room, 1, most, file);
    ck_assert_msg(count < most, "%s does not fit", name);
    fclose(file);
    return count;
}
#endif
