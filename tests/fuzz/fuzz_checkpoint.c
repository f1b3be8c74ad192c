/* fuzz: the bytes of a checkpoint, as they are and with the header's checksum put right. What loads must be able to train a step
 * and to publish; what does not must say why and leave nothing. */
#include "hostile_bytes.h"
#include "seqrec.h"
#include "train/checkpoint.h"

#define MOST_BYTES ((size_t)64 << 20)

/* A sequence of the first items of the model. What a step may say no to: options of the file. */
static void train(seqrec_trainer *trainer, const seqrec_model *model)
{
    int64_t items[4], n = 0, cursor = 0;
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    demand(seqrec_items_next(model, &cursor, items, 4, &n, NULL) == SEQREC_OK);
    const int64_t before = trainer->step, offsets[] = {0, n};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items};
    int32_t status = seqrec_trainer_set(trainer, "known_items", "none", NULL); /* they need a fit */
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
    if (status == SEQREC_OK) status = seqrec_trainer_step(trainer, &batch, &stats, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY || status == SEQREC_E_NUMERIC || status == SEQREC_E_STATE ||
           (status == SEQREC_E_RANGE && trainer->options.negatives > trainer->items.live_count) || (status == SEQREC_E_ARGUMENT && n < 2));
    demand(trainer->step == before + (status == SEQREC_OK));
}

static void check_trainer(seqrec_trainer *trainer, const seqrec_model *model)
{
    demand(trainer->model == model && seqrec_items_count(model) == trainer->items.live_count);
    demand(trainer->step >= 0 && trainer->fit.epoch >= 0 && trainer->fit.done >= 0);
    train(trainer, model);
    int32_t status = seqrec_trainer_publish(trainer, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
    status = seqrec_trainer_publish_best(trainer, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY || (status == SEQREC_E_STATE && trainer->step == 0));
}

static void load(seqrec_context *context, const uint8_t *bytes, size_t size)
{
    seqrec_error error = {0};
    sq_tensor_file *file = NULL;
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    int32_t status = sq_tensor_file_open_memory(&context->memory, bytes, size, &file, &error);
    if (status == SEQREC_OK) status = sq_checkpoint_read(context, file, &trainer, &model, &error);
    sq_tensor_file_close(file);
    demand((status == SEQREC_OK) == (model != NULL) && (model != NULL) == (trainer != NULL));
    if (status == SEQREC_OK) {
        check_trainer(trainer, model);
    } else {
        demand(error.status == status && error.message[0] != '\0');
        demand(status == SEQREC_E_FORMAT || status == SEQREC_E_UNSUPPORTED || status == SEQREC_E_MEMORY || size == 0);
    }
    seqrec_trainer_release(trainer);
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
