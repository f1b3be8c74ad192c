/* base: the context that datasets, models and trainers share. */
#include "base/context.h"
#include <stdarg.h>
#include "base/text.h"

int32_t sq_context_create(const seqrec_allocator *allocator, const seqrec_executor *executor, int32_t threads,
                          seqrec_log_fn log, void *log_context, seqrec_context **out, seqrec_error *error)
{
    sq_memory memory;
    SQ_TRY(sq_memory_init(&memory, allocator, error));
    seqrec_context *context = sq_alloc_zero(&memory, 1, sizeof *context);
    SQ_CHECK(context != NULL, error, SEQREC_E_MEMORY, "cannot allocate the context");
    context->memory = memory;
    context->log = log;
    context->log_context = log_context;
    atomic_init(&context->references, 1);
    const int32_t status = sq_pool_create(&context->memory, threads, executor, &context->pool, error);
    if (status != SEQREC_OK) {
        sq_free(&memory, context);
        return status;
    }
    *out = context;
    return SEQREC_OK;
}

seqrec_context *sq_context_retain(seqrec_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void sq_context_release(seqrec_context *context)
{
    if (context == NULL) return;
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1) return;
    const sq_memory memory = context->memory;
    sq_pool_destroy(context->pool);
    sq_free(&memory, context);
}

void sq_log(const seqrec_context *context, int32_t level, const char *format, ...)
{
    if (context->log == NULL) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    sq_format_text(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_context, level, line);
}
