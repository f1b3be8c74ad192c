/* model: a file in memory, read-only. */
#include "model/mapping.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

int32_t sq_mapping_create(const sq_memory *memory, int fd, size_t count, sq_mapping **out, seqrec_error *error)
{
    sq_mapping *made = sq_alloc_zero(memory, 1, sizeof *made);
    SQ_CHECK(made != NULL, error, SEQREC_E_MEMORY, "no memory for a mapped file");
    void *bytes = mmap(NULL, count, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        const int code = errno;
        sq_free(memory, made);
        return sq_fail(error, code == ENOMEM ? SEQREC_E_MEMORY : SEQREC_E_IO, "cannot map the file's %zu bytes: %s (errno %d)", count,
                       sq_errno_text(code), code);
    }
    made->memory = *memory;
    atomic_init(&made->references, 1);
    made->bytes = bytes;
    made->count = count;
    *out = made;
    return SEQREC_OK;
}

sq_mapping *sq_mapping_retain(sq_mapping *mapping)
{
    atomic_fetch_add_explicit(&mapping->references, 1, memory_order_relaxed);
    return mapping;
}

void sq_mapping_release(sq_mapping *mapping)
{
    if (mapping == NULL || atomic_fetch_sub_explicit(&mapping->references, 1, memory_order_acq_rel) != 1) return;
    (void)munmap(mapping->bytes, mapping->count);
    const sq_memory memory = mapping->memory;
    sq_free(&memory, mapping);
}

/* Advice is given for whole pages; that it is refused does not matter. */
void sq_mapping_scattered(const sq_mapping *mapping, size_t begin, size_t count)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), first = (begin + page - 1) / page * page, end = (begin + count) / page * page;
    const int kept = errno;
    if (end > first) (void)madvise(mapping->bytes + first, end - first, MADV_RANDOM);
    errno = kept;
}
