/* fuzz: the bytes of a model file, as they are and with the header's checksum put right. What loads must hold together; what
 * does not must say why and leave nothing. Memory is bounded: a file may ask for more than it brings, and gets E_MEMORY. */
#include <math.h>
#include "hostile_bytes.h"
#include "model/modelfile.h"

#define MOST_BYTES ((size_t)256 << 20)

static void check_item(const seqrec_model *model, int64_t id, int32_t *last)
{
    static float vector[2 * 4096];
    static char name[SQ_NAME_BYTES + 1];
    int32_t slot, generation;
    int64_t width = seqrec_items_width(model), found;
    demand(seqrec_items_locate(model, id, &slot, &generation, NULL) == SEQREC_OK);
    demand(slot > *last && generation > 0);
    *last = slot;
    demand(seqrec_items_get(model, &id, 1, vector, NULL) == SEQREC_OK);
    for (int64_t i = 0; i < width; i++) demand(isfinite(vector[i]));
    int32_t status = seqrec_items_name(model, id, name, sizeof name, NULL, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_NOT_FOUND);
    if (status == SEQREC_OK) demand(seqrec_items_find(model, name, &found, NULL) == SEQREC_OK && found == id);
}

static void check_model(seqrec_model *model)
{
    int64_t cursor = 0, total = 0, ids[16], n;
    int32_t last = -1;
    seqrec_config *config = NULL;
    do {
        demand(seqrec_items_next(model, &cursor, ids, 16, &n, NULL) == SEQREC_OK);
        for (int64_t i = 0; i < n; i++) check_item(model, ids[i], &last);
        total += n;
    } while (n > 0);
    demand(total == seqrec_items_count(model));
    int32_t status = seqrec_model_config(model, &config, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
    seqrec_config_release(config);
}

/* Describing a loaded model for a file must work: what was read can be written. */
static void check_describe(const seqrec_context *context, const seqrec_model *model)
{
    sq_tensor_writer *writer;
    sq_model_source *source = NULL;
    sq_options options;
    if (sq_tensor_writer_create(&context->memory, &writer, NULL) != SEQREC_OK) return;
    sq_model_options(model, &options);
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    int32_t status = sq_model_file_describe(writer, model, snapshot, &options, (sq_file_form){.form = SQ_FORM_PLAIN}, &source, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
    sq_tensor_writer_free(writer);
    sq_model_source_free(source);
    sq_snapshot_release(model, snapshot);
}

static void load(seqrec_context *context, const uint8_t *bytes, size_t size)
{
    seqrec_error error = {0};
    sq_tensor_file *file = NULL;
    seqrec_model *model = NULL;
    int32_t status = sq_tensor_file_open_memory(&context->memory, bytes, size, &file, &error);
    if (status == SEQREC_OK) status = sq_model_file_read(context, file, &model, &error);
    sq_tensor_file_close(file);
    demand((status == SEQREC_OK) == (model != NULL));
    if (status == SEQREC_OK) {
        check_model(model);
        check_describe(context, model);
    } else {
        demand(error.status == status && error.message[0] != '\0');
        demand(status == SEQREC_E_FORMAT || status == SEQREC_E_UNSUPPORTED || status == SEQREC_E_MEMORY || size == 0);
    }
    seqrec_model_release(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bounded state;
    const seqrec_allocator host = bounded_allocator(&state, MOST_BYTES);
    seqrec_context *context = NULL;
    demand(seqrec_context_create(&host, NULL, 0, NULL, NULL, &context, NULL) == SEQREC_OK);
    load(context, bytes, size);
    uint8_t *copy = signed_copy(bytes, size);
    if (copy != NULL) load(context, copy, size);
    free(copy);
    seqrec_context_release(context);
    demand(state.blocks == 0 && state.bytes == 0);
    return 0;
}
