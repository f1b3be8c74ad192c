/* api: creating and releasing contexts. */
#include "api/structs.h"
#include "base/context.h"
#include "tensor/gemm.h"

int32_t seqrec_context_create(const seqrec_allocator *allocator, const seqrec_executor *executor, int32_t threads,
                              seqrec_log_fn log, void *log_context, seqrec_context **out, seqrec_error *error)
{
    seqrec_allocator memory = {0};
    seqrec_executor pool = {0};
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    if (allocator != NULL) SQ_TRY(sq_struct_read(&memory, sizeof memory, allocator, SQ_ALLOCATOR_FIRST, "allocator", error));
    if (executor != NULL) SQ_TRY(sq_struct_read(&pool, sizeof pool, executor, SQ_EXECUTOR_FIRST, "executor", error));
    SQ_CHECK(pool.reserved == 0, error, SEQREC_E_ARGUMENT, "executor.reserved is %d; it must be 0", (int)pool.reserved);
    SQ_TRY(sq_gemm_check(error));
    SQ_TRY(sq_context_create(allocator == NULL ? NULL : &memory, executor == NULL ? NULL : &pool, threads, log,
                             log_context, out, error));
    sq_log(*out, 1, "seqrec %s; running BLIS %s with %s kernels, instruction set %s, width %d", seqrec_build_info(),
           sq_blis_version(), sq_blis_kernels(), sq_kernels_best()->name, (int)sq_pool_width((*out)->pool));
    return SEQREC_OK;
}

void seqrec_context_release(seqrec_context *context)
{
    sq_context_release(context);
}
