/* base: the allocator: a size header in front of every block, readable slack behind it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/memory.h"
#include "base/rng.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __linux__
#include <sys/mman.h>
#include <sys/random.h>
#endif

#define ALIGNMENT 64
#define HEADER ((size_t)ALIGNMENT) /* keeps the block behind it aligned */
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_BLOCK (2 * HUGE_PAGE) /* from here on blocks ask for huge pages */

/* Large blocks are read here and there, by row numbers: with pages of 4 KB much of that time would be spent on finding pages. */
static void *default_allocate(void *context, size_t bytes, size_t alignment)
{
    void *block = NULL;
    (void)context;
    if (posix_memalign(&block, bytes >= HUGE_BLOCK ? HUGE_PAGE : alignment, bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BLOCK) (void)madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return block;
}

static void default_release(void *context, void *block, size_t bytes, size_t alignment)
{
    (void)context;
    (void)bytes;
    (void)alignment;
    free(block);
}

/* From the system where it has some at once, else from where the stack is and the time. */
static uint64_t draw_secret(void)
{
    uint64_t secret = 0;
    struct timespec now = {0};
    const int kept = errno;
#ifdef GRND_NONBLOCK
    if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) == (ssize_t)sizeof secret) return secret;
#endif
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    errno = kept;
    return sq_mix64((uint64_t)(uintptr_t)&secret ^ sq_mix64((uint64_t)now.tv_nsec + (uint64_t)now.tv_sec * 1000000007u));
}

int32_t sq_memory_init(sq_memory *memory, const seqrec_allocator *host, seqrec_error *error)
{
    seqrec_allocator chosen = {sizeof chosen, NULL, default_allocate, default_release};
    if (host != NULL) {
        const size_t least = offsetof(seqrec_allocator, release) + sizeof host->release;
        SQ_CHECK(host->struct_size >= least, error, SEQREC_E_ARGUMENT,
                 "allocator.struct_size is %zu; it must be at least %zu", host->struct_size, least);
        SQ_CHECK(host->allocate != NULL && host->release != NULL, error, SEQREC_E_ARGUMENT,
                 "allocator.%s is NULL; both functions are needed", host->allocate == NULL ? "allocate" : "release");
        chosen.context = host->context;
        chosen.allocate = host->allocate;
        chosen.release = host->release;
    }
    memory->host = chosen;
    memory->secret = draw_secret();
    return SEQREC_OK;
}

/* Bytes to ask the host for, or 0 when count * size does not fit. */
static size_t whole_bytes(size_t count, size_t size)
{
    const size_t most = (size_t)PTRDIFF_MAX - HEADER - SQ_SLACK;
    if (size != 0 && count > most / size) return 0;
    return HEADER + count * size + SQ_SLACK;
}

void *sq_alloc(const sq_memory *memory, size_t count, size_t size)
{
    const size_t whole = whole_bytes(count, size);
    if (whole == 0) return NULL;
    const int kept = errno;
    char *raw = memory->host.allocate(memory->host.context, whole, ALIGNMENT);
    errno = kept;
    if (raw == NULL) return NULL;
    if ((uintptr_t)raw % ALIGNMENT != 0) { /* a host that ignores the alignment would crash vector code later */
        memory->host.release(memory->host.context, raw, whole, ALIGNMENT);
        return NULL;
    }
    const size_t bytes = count * size;
    memcpy(raw, &bytes, sizeof bytes);
    memset(raw + HEADER + bytes, 0, SQ_SLACK);
    return raw + HEADER;
}

void *sq_alloc_zero(const sq_memory *memory, size_t count, size_t size)
{
    void *block = sq_alloc(memory, count, size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

size_t sq_block_bytes(const void *block)
{
    size_t bytes;
    memcpy(&bytes, (const char *)block - HEADER, sizeof bytes);
    return bytes;
}

void sq_free(const sq_memory *memory, void *block)
{
    if (block == NULL) return;
    const int kept = errno;
    memory->host.release(memory->host.context, (char *)block - HEADER, HEADER + sq_block_bytes(block) + SQ_SLACK,
                         ALIGNMENT);
    errno = kept;
}

int32_t sq_grow(const sq_memory *memory, void *block, size_t used, size_t count, size_t size, seqrec_error *error)
{
    void *old;
    memcpy(&old, block, sizeof old);
    size_t room = sq_block_room(old, size);
    if (count <= room) return SEQREC_OK;
    room += room / 2;
    if (room < 16) room = 16;
    if (room < count) room = count;
    void *larger = sq_alloc(memory, room, size);
    SQ_CHECK(larger != NULL, error, SEQREC_E_MEMORY, "cannot allocate %zu elements of %zu bytes", room, size);
    if (used > 0) memcpy(larger, old, used * size);
    sq_free(memory, old);
    memcpy(block, &larger, sizeof larger);
    return SEQREC_OK;
}

char *sq_copy_text(const sq_memory *memory, const char *text, size_t bytes)
{
    if (bytes == SIZE_MAX) return NULL;
    char *copy = sq_alloc(memory, bytes + 1, 1);
    if (copy == NULL) return NULL;
    if (bytes > 0) memcpy(copy, text, bytes);
    copy[bytes] = 0;
    return copy;
}
