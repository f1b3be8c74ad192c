/* api: structs of the host that may be shorter or longer than this build's. */
#ifndef SQ_STRUCTS_H
#define SQ_STRUCTS_H
#include <stddef.h>
#include <string.h>
#include "base/memory.h"

/* Bytes of each struct in its first release, through its last field of then: a host compiled against that release sends so
 * many for ever. Never changed when fields are added behind. */
#define SQ_THROUGH(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))
#define SQ_ALLOCATOR_FIRST SQ_THROUGH(seqrec_allocator, release)
#define SQ_EXECUTOR_FIRST SQ_THROUGH(seqrec_executor, run)
#define SQ_OPTION_INFO_FIRST SQ_THROUGH(seqrec_option_info, help)
#define SQ_BATCH_FIRST SQ_THROUGH(seqrec_batch, request_times)
#define SQ_FILTER_FIRST SQ_THROUGH(seqrec_filter, skipped)
#define SQ_READER_FIRST SQ_THROUGH(seqrec_reader, progress_context)
#define SQ_DATASET_STATS_FIRST SQ_THROUGH(seqrec_dataset_stats, hash)
#define SQ_SYNTH_FIRST SQ_THROUGH(seqrec_synth, seed)
#define SQ_CEILING_FIRST SQ_THROUGH(seqrec_ceiling, ndcg10)
#define SQ_STEP_STATS_FIRST SQ_THROUGH(seqrec_step_stats, learning_rate)
#define SQ_FIT_FIRST SQ_THROUGH(seqrec_fit, progress_context)
#define SQ_FIT_STATS_FIRST SQ_THROUGH(seqrec_fit_stats, reserved)
#define SQ_SESSIONS_INFO_FIRST SQ_THROUGH(seqrec_sessions_info, budget)
#define SQ_SESSION_INFO_FIRST SQ_THROUGH(seqrec_session_info, event_bytes)
#define SQ_DECODE_FIRST SQ_THROUGH(seqrec_decode, seed)
#define SQ_VECTORS_INFO_FIRST SQ_THROUGH(seqrec_vectors_info, reserved)
#define SQ_INDEX_FIRST SQ_THROUGH(seqrec_index, release)
#define SQ_INDEX_INFO_FIRST SQ_THROUGH(seqrec_index_info, failed)
#define SQ_EVALUATION_FIRST SQ_THROUGH(seqrec_evaluation, progress_context)

/* Copies a struct the host filled in over `to` (bytes of this build, zeroed or holding defaults), whose own first field is the
 * size. first: bytes of the first release. Fields this build does not know must be zero (E_UNSUPPORTED). */
static inline int32_t sq_struct_read(void *to, size_t bytes, const void *from, size_t first, const char *name,
                                     seqrec_error *error)
{
    size_t given;
    memcpy(&given, from, sizeof given);
    SQ_CHECK(given >= first, error, SEQREC_E_ARGUMENT, "%s.struct_size is %zu; it is at least %zu", name, given, first);
    for (size_t i = bytes; i < given; i++) {
        SQ_CHECK(((const char *)from)[i] == 0, error, SEQREC_E_UNSUPPORTED,
                 "%s has a field at byte %zu that this build does not know", name, i);
    }
    memcpy(to, from, given < bytes ? given : bytes);
    memcpy(to, &bytes, sizeof bytes);
    return SEQREC_OK;
}

/* Checks the size of a struct the host wants filled. */
static inline int32_t sq_struct_check(const void *to, size_t first, const char *name, seqrec_error *error)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    SQ_CHECK(given >= first, error, SEQREC_E_ARGUMENT, "%s.struct_size is %zu; it is at least %zu", name, given, first);
    return SEQREC_OK;
}

/* The memory of a call with an allocator of the host (NULL: the C library's). */
static inline int32_t sq_host_memory(const seqrec_allocator *allocator, sq_memory *out, seqrec_error *error)
{
    seqrec_allocator host = {0};
    if (allocator != NULL) SQ_TRY(sq_struct_read(&host, sizeof host, allocator, SQ_ALLOCATOR_FIRST, "allocator", error));
    return sq_memory_init(out, allocator == NULL ? NULL : &host, error);
}

/* Fills such a struct, whose size has been checked, from this build's; its struct_size stays. */
static inline void sq_struct_write(void *to, const void *from, size_t bytes)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    memcpy((char *)to + sizeof given, (const char *)from + sizeof given,
           (given < bytes ? given : bytes) - sizeof given);
}
#endif
