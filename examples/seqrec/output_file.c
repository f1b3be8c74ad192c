/* seqrec tool: files that are replaced at once or not at all, by a temporary one, fsync and rename. */
#include "output_file.h"
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_TRIES = 10000 }; /* names left behind by killed processes of the same number are passed over */

static int refuse(const output_file *file, int code)
{
    return fail("%s: cannot be written: %s", file->name, strerror(code));
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Length of the part of a path up to and with the last slash. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static const char *folder_of(const output_file *file, char out[PATH_MAX])
{
    const size_t length = folder_length(file->path);
    memcpy(out, file->path, length);
    out[length] = 0;
    return length ? out : ".";
}

/* In a folder like /tmp nobody else replaces a file. */
static int is_kept(const output_file *file, const struct stat *there)
{
    struct stat folder;
    char path[PATH_MAX];
    const uid_t user = geteuid();
    if (stat(folder_of(file, path), &folder)) return 0;
    return (folder.st_mode & S_ISVTX) && user != 0 && folder.st_uid != user && there->st_uid != user;
}

/* The path with links followed, and the permissions of the file there (-1: none yet). */
static int resolve(output_file *file, int64_t *mode)
{
    struct stat status;
    size_t length = strlen(file->name);
    *mode = -1;
    if (length >= sizeof file->path) return refuse(file, ENAMETOOLONG);
    if (!length || file->name[length - 1] == '/')
        return fail("'%s': cannot be written: a file needs a name", file->name);
    memcpy(file->path, file->name, length + 1);
    if (lstat(file->name, &status)) return errno == ENOENT ? 0 : refuse(file, errno);
    int link = S_ISLNK(status.st_mode);
    if (link && stat(file->name, &status))
        return fail("%s: cannot be written: the link cannot be followed: %s", file->name, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail("%s: cannot be written: it is %s, not a regular file", file->name, kind_of(status.st_mode));
    if (link && !realpath(file->name, file->path)) return refuse(file, errno);
    if (is_kept(file, &status)) return refuse(file, EPERM);
    *mode = status.st_mode & 0777;
    return 0;
}

static int create_temporary(output_file *file)
{
    size_t length = folder_length(file->path);
    int descriptor = -1;
    memcpy(file->temporary, file->path, length);
    errno = EEXIST;
    for (int i = 0; i < TEMPORARY_TRIES && descriptor < 0 && errno == EEXIST; i++) {
        snprintf(file->temporary + length, TEMPORARY_ROOM, ".seqrec-%lld-%d.tmp", (long long)getpid(), i);
        descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (descriptor >= 0 && (file->to = fdopen(descriptor, "w"))) return 0;
    int code = errno;
    if (descriptor >= 0) {
        close(descriptor);
        unlink(file->temporary);
    }
    file->temporary[0] = 0;
    return refuse(file, code);
}

int output_open(output_file *file, const char *path)
{
    int64_t mode;
    *file = (output_file){.name = path};
    int outcome = resolve(file, &mode);
    if (!outcome) outcome = create_temporary(file);
    if (!outcome && mode >= 0 && fchmod(fileno(file->to), (mode_t)mode)) outcome = refuse(file, errno);
    return outcome;
}

/* 0, or why not all could be written. Of a failure before this one the reason is lost; writing again tells it. */
static int flush(FILE *to)
{
    if (fflush(to)) return errno;
    if (!ferror(to)) return 0;
    return write(fileno(to), "", 1) < 0 ? errno : EIO;
}

int output_seal(output_file *file)
{
    int code = flush(file->to);
    if (!code && fsync(fileno(file->to))) code = errno;
    if (fclose(file->to) && !code) code = errno;
    file->to = NULL;
    return code ? refuse(file, code) : 0;
}

/* The new name outlives a crash of the machine where the folder can be synced; where not, the file is in its place all the same. */
static void sync_folder(const output_file *file)
{
    char path[PATH_MAX];
    int folder = open(folder_of(file, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    (void)fsync(folder);
    close(folder);
}

int output_commit(output_file *file)
{
    if (file->to && output_seal(file)) return EXIT_WORK;
    if (rename(file->temporary, file->path)) return refuse(file, errno);
    file->temporary[0] = 0;
    sync_folder(file);
    return 0;
}

int output_commit_both(output_file *first, output_file *second)
{
    char aside[sizeof first->temporary + 4]; /* what the first replaces */
    snprintf(aside, sizeof aside, "%s.old", first->temporary);
    const int kept = !link(first->path, aside), none = !kept && errno == ENOENT;
    int outcome = output_commit(first);
    if (!outcome && output_commit(second)) {
        outcome = EXIT_WORK;
        if (kept ? rename(aside, first->path) : none ? unlink(first->path) : 1) fail("%s: is new, and %s is not", first->name, second->name);
    }
    if (kept) unlink(aside);
    return outcome;
}

void output_close(output_file *file)
{
    if (file->to) fclose(file->to);
    if (file->temporary[0]) unlink(file->temporary);
    file->to = NULL;
    file->temporary[0] = 0;
}
