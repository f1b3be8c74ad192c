/* model: atomic file writing: in the same directory, put in place only when it is whole and on disk. */
#ifndef SQ_FILEWRITE_H
#define SQ_FILEWRITE_H
#include "base/memory.h"

/* One file under way. Private but for its size. */
typedef struct sq_filewrite {
    sq_memory memory;
    char *path;      /* where it will be, links followed */
    char *temporary; /* where it is now; NULL when it has no name yet, or is in place */
    int fd;          /* -1: closed */
    int directory;   /* -1: cannot be opened for reading; it is not synced then */
} sq_filewrite;

/* Creates a file without a name in the folder of `path`, or, where the system has none such (or the folder may not be read), the
 * temporary file ".seqrec-PID-N.tmp": that one alone stays behind when the process is killed. A path that names something other than a regular file is
 * E_ARGUMENT; a link is followed, so that the file it names is the one replaced; permissions of an old file are kept.
 * On failure there is nothing to close. */
int32_t sq_filewrite_open(sq_filewrite *file, const sq_memory *memory, const char *path, seqrec_error *error);
/* Appends bytes. After a failure only close is useful. */
int32_t sq_filewrite_put(sq_filewrite *file, const void *bytes, size_t count, seqrec_error *error);
/* fsync, the temporary name if there is none yet, rename over `path`, fsync of the directory. When this fails before the rename the old file is as it was; when the
 * directory alone could not be synced, the new file is in place and the message says so. Call close in either case. */
int32_t sq_filewrite_commit(sq_filewrite *file, seqrec_error *error);
/* Frees everything; removes the temporary file unless it was committed. May be called twice. */
void sq_filewrite_close(sq_filewrite *file);
#endif
