/* data: the two places text is read from: files and memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/reader.h"

typedef struct file_source {
    int descriptor;
    const char *path;
} file_source;

static int32_t read_descriptor(void *context, char *into, size_t room, size_t *got, seqrec_error *error)
{
    file_source *file = context;
    ssize_t count;
    do {
        count = read(file->descriptor, into, room);
    } while (count < 0 && errno == EINTR);
    SQ_CHECK(count >= 0, error, SEQREC_E_IO, "cannot read %.150s: %s", file->path, strerror(errno));
    *got = (size_t)count;
    return SEQREC_OK;
}

int32_t sq_read_file(seqrec_context *context, const char *path, const seqrec_reader *reader, seqrec_dataset **out,
                     seqrec_error *error)
{
    file_source file = {-1, path};
    sq_source source = {read_descriptor, &file, 0};
    struct stat facts;
    do {
        file.descriptor = open(path, O_RDONLY | O_CLOEXEC);
    } while (file.descriptor < 0 && errno == EINTR);
    SQ_CHECK(file.descriptor >= 0, error, errno == ENOENT ? SEQREC_E_NOT_FOUND : SEQREC_E_IO, "cannot open %.150s: %s",
             path, strerror(errno));
    if (fstat(file.descriptor, &facts) == 0 && S_ISREG(facts.st_mode)) source.total = (int64_t)facts.st_size;
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
