/* data: the two places text is read from: files and memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/text.h"
#include "data/reader.h"

typedef struct file_source {
    int descriptor;
    const char *path;
    const seqrec_reader *reader; /* NULL or whose progress is asked */
    int64_t done, total;
} file_source;

/* A signal that ends a wait (for a pipe, say) may be the host's wish to stop, which its progress function tells. */
static int32_t go_on(const file_source *file, seqrec_error *error)
{
    return sq_report_bytes(file->reader, file->done, file->total, error);
}

static int32_t open_file(file_source *file, seqrec_error *error)
{
    struct stat facts;
    while ((file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC)) < 0 && errno == EINTR)
        SQ_TRY(go_on(file, error));
    const int code = errno;
    SQ_CHECK(file->descriptor >= 0, error, code == ENOENT ? SEQREC_E_NOT_FOUND : SEQREC_E_IO, "cannot open '%s': %s (errno %d)",
             sq_path_tail(file->path), sq_errno_text(code), code);
    if (fstat(file->descriptor, &facts) == 0 && S_ISREG(facts.st_mode)) file->total = (int64_t)facts.st_size;
    return SEQREC_OK;
}

static int32_t read_descriptor(void *context, char *into, size_t room, size_t *got, seqrec_error *error)
{
    file_source *file = context;
    ssize_t count;
    while ((count = read(file->descriptor, into, room)) < 0 && errno == EINTR) SQ_TRY(go_on(file, error));
    const int code = errno;
    SQ_CHECK(count >= 0, error, SEQREC_E_IO, "cannot read '%s': %s (errno %d)", sq_path_tail(file->path), sq_errno_text(code), code);
    *got = (size_t)count;
    file->done += count;
    return SEQREC_OK;
}

int32_t sq_read_file(seqrec_context *context, const char *path, const seqrec_reader *reader, seqrec_dataset **out,
                     seqrec_error *error)
{
    file_source file = {.descriptor = -1, .path = path, .reader = reader};
    SQ_TRY(open_file(&file, error));
    const sq_source source = {read_descriptor, &file, file.total};
    int32_t status = sq_read_source(context, &source, reader, SQ_BLOCK_BYTES, out, error);
    (void)close(file.descriptor);
    return status;
}

typedef struct memory_source {
    const char *at;
    size_t left;
} memory_source;

static int32_t read_bytes(void *context, char *into, size_t room, size_t *got, seqrec_error *error)
{
    memory_source *memory = context;
    (void)error;
    *got = memory->left < room ? memory->left : room;
    if (*got > 0) memcpy(into, memory->at, *got);
    memory->at += *got;
    memory->left -= *got;
    return SEQREC_OK;
}

int32_t sq_read_memory(seqrec_context *context, const void *bytes, size_t n, const seqrec_reader *reader, size_t block,
                       seqrec_dataset **out, seqrec_error *error)
{
    memory_source memory = {bytes, n};
    sq_source source = {read_bytes, &memory, (int64_t)n};
    return sq_read_source(context, &source, reader, block, out, error);
}
