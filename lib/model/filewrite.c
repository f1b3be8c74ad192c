/* model: atomic file writing: a file without a name, or with a temporary one, then fsync and rename. */
#include "model/filewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/text.h"

#define TEMPORARY_TRIES 10000 /* names left behind by killed processes of the same number are passed over */
#define TEMPORARY_ROOM 64     /* bytes of ".seqrec-PID-N.tmp" */
#define LINK_ROOM 64
#define LARGEST_WRITE ((size_t)1 << 30) /* systems cap one call below 2 GiB */

static int32_t refuse(const char *what, const char *path, int code, seqrec_error *error)
{
    return sq_fail(error, SEQREC_E_IO, "cannot %s '%s': %s (errno %d)", what, sq_path_tail(path), sq_errno_text(code),
                   code);
}

/* The path with links followed, and the permissions of the file there (-1: no file yet). */
static int32_t resolve(sq_filewrite *file, const char *path, int64_t *mode, seqrec_error *error)
{
    struct stat status;
    *mode = -1;
    file->path = sq_copy_text(&file->memory, path, strlen(path));
    SQ_CHECK(file->path != NULL, error, SEQREC_E_MEMORY, "no memory for the path of a file to write");
    if (lstat(path, &status) != 0) return errno == ENOENT ? SEQREC_OK : refuse("write", path, errno, error);
    if (S_ISLNK(status.st_mode)) {
        sq_free(&file->memory, file->path);
        file->path = sq_alloc(&file->memory, PATH_MAX, 1);
        SQ_CHECK(file->path != NULL, error, SEQREC_E_MEMORY, "no memory for the path of a file to write");
        if (realpath(path, file->path) == NULL || stat(file->path, &status) != 0)
            return refuse("follow the link", path, errno, error);
    }
    SQ_CHECK(S_ISREG(status.st_mode), error, SEQREC_E_ARGUMENT, "cannot write '%s': it is not a regular file",
             sq_path_tail(path));
    *mode = (int64_t)(status.st_mode & 0777);
    return SEQREC_OK;
}

/* Length of the part of a path up to and with the last slash. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* A directory one may write but not read cannot be opened, and so not synced: that is no reason to refuse. */
static int32_t open_directory(sq_filewrite *file, seqrec_error *error)
{
    size_t length = directory_length(file->path);
    char *name = length == 0 ? sq_copy_text(&file->memory, ".", 1) : sq_copy_text(&file->memory, file->path, length);
    SQ_CHECK(name != NULL, error, SEQREC_E_MEMORY, "no memory for the path of a directory");
    file->directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = errno;
    int32_t status = file->directory >= 0 || code == EACCES ? SEQREC_OK : refuse("open directory", name, code, error);
    sq_free(&file->memory, name);
    return status;
}

/* Where the system lists an open file. */
static const char *link_of(int fd, char link[LINK_ROOM])
{
    (void)snprintf(link, LINK_ROOM, "/proc/self/fd/%d", fd);
    return link;
}

/* A file in the folder that has no name yet, of which nothing is left when the process ends; -1 where the system has none such, or
 * could not name it later. */
static int open_nameless(const sq_filewrite *file)
{
#ifdef O_TMPFILE
    char link[LINK_ROOM];
    int fd = file->directory < 0 ? -1 : openat(file->directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    if (fd < 0 || access(link_of(fd, link), F_OK) == 0) return fd;
    (void)close(fd);
#else
    (void)file;
#endif
    return -1;
}

/* Takes the first free temporary name: for the file without a name that is open, or else for a new one. Returns 0 or an errno. */
static int take_name(sq_filewrite *file, char *name, size_t length)
{
    char link[LINK_ROOM];
    int code = EEXIST;
    for (int32_t i = 0; i < TEMPORARY_TRIES && (code == EEXIST || code == EINTR); i++) {
        (void)snprintf(name + length, TEMPORARY_ROOM, ".seqrec-%lld-%d.tmp", (long long)getpid(), (int)i);
        int result = file->fd >= 0 ? linkat(AT_FDCWD, link_of(file->fd, link), AT_FDCWD, name, AT_SYMLINK_FOLLOW)
                                   : (file->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
        code = result < 0 ? errno : 0;
    }
    return code;
}

static int32_t create_temporary(sq_filewrite *file, seqrec_error *error)
{
    size_t length = directory_length(file->path);
    char *name = sq_alloc(&file->memory, length + TEMPORARY_ROOM, 1);
    SQ_CHECK(name != NULL, error, SEQREC_E_MEMORY, "no memory for the name of a temporary file");
    memcpy(name, file->path, length);
    int code = take_name(file, name, length);
    if (code == 0) {
        file->temporary = name;
        return SEQREC_OK;
    }
    sq_free(&file->memory, name);
    return refuse("create a file beside", file->path, code, error);
}

static int32_t open_all(sq_filewrite *file, const char *path, seqrec_error *error)
{
    int64_t mode;
    SQ_TRY(resolve(file, path, &mode, error));
    SQ_TRY(open_directory(file, error));
    file->fd = open_nameless(file);
    if (file->fd < 0) SQ_TRY(create_temporary(file, error));
    if (mode >= 0 && fchmod(file->fd, (mode_t)mode) != 0)
        return refuse("keep the permissions of", file->path, errno, error);
    return SEQREC_OK;
}

int32_t sq_filewrite_open(sq_filewrite *file, const sq_memory *memory, const char *path, seqrec_error *error)
{
    SQ_CHECK(path != NULL && path[0] != '\0', error, SEQREC_E_ARGUMENT, "the path of a file to write is empty");
    SQ_CHECK(path[strlen(path) - 1] != '/', error, SEQREC_E_ARGUMENT, "cannot write '%s': it names a directory",
             sq_path_tail(path));
    *file = (sq_filewrite){.memory = *memory, .fd = -1, .directory = -1};
    int32_t status = open_all(file, path, error);
    if (status != SEQREC_OK) sq_filewrite_close(file);
    return status;
}

int32_t sq_filewrite_put(sq_filewrite *file, const void *bytes, size_t count, seqrec_error *error)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(file->fd, next, count < LARGEST_WRITE ? count : LARGEST_WRITE);
        if (written < 0 && errno == EINTR) continue;
        /* 0 for a positive count does not happen on a regular file; taken as a full disk it cannot loop. */
        if (written <= 0) return refuse("write", file->path, written < 0 ? errno : ENOSPC, error);
        next += written;
        count -= (size_t)written;
    }
    return SEQREC_OK;
}

static int sync_retrying(int fd)
{
    int result;
    do result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Some file systems cannot sync a directory and say EINVAL: then the rename is as durable as they make it. */
static int32_t sync_directory(const sq_filewrite *file, seqrec_error *error)
{
    if (file->directory < 0 || sync_retrying(file->directory) == 0 || errno == EINVAL) return SEQREC_OK;
    int code = errno;
    return sq_fail(error, SEQREC_E_IO, "'%s' is written, but its directory cannot be synced: %s (errno %d)",
                   sq_path_tail(file->path), sq_errno_text(code), code);
}

int32_t sq_filewrite_commit(sq_filewrite *file, seqrec_error *error)
{
    if (sync_retrying(file->fd) != 0) return refuse("sync", file->path, errno, error);
    if (file->temporary == NULL) SQ_TRY(create_temporary(file, error));
    int closed = close(file->fd);
    file->fd = -1;
    if (closed != 0 && errno != EINTR) return refuse("close", file->path, errno, error);
    if (rename(file->temporary, file->path) != 0) return refuse("replace", file->path, errno, error);
    sq_free(&file->memory, file->temporary);
    file->temporary = NULL;
    return sync_directory(file, error);
}

void sq_filewrite_close(sq_filewrite *file)
{
    if (file->fd >= 0) (void)close(file->fd);
    if (file->temporary != NULL) (void)unlink(file->temporary);
    if (file->directory >= 0) (void)close(file->directory);
    sq_free(&file->memory, file->temporary);
    sq_free(&file->memory, file->path);
    *file = (sq_filewrite){.memory = file->memory, .fd = -1, .directory = -1};
}
