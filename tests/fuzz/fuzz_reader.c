/* fuzz: bytes as a text file of events: the first byte chooses format and settings, the second the size of blocks. */
#include <math.h>
#include <stdlib.h>
#include "data/reader.h"

static void demand(int holds)
{
    if (!holds) abort();
}

static void check_dataset(const seqrec_dataset *dataset)
{
    demand(dataset->users > 0 && dataset->items > 0 && dataset->events >= dataset->users);
    demand(dataset->offsets[0] == 0 && dataset->offsets[dataset->users] == dataset->events);
    for (int64_t i = 1; i < dataset->items; i++) demand(dataset->item_ids[i - 1] < dataset->item_ids[i]);
    for (int64_t u = 0; u < dataset->users; u++) {
        demand(dataset->offsets[u] < dataset->offsets[u + 1]);
        for (int64_t e = dataset->offsets[u]; e < dataset->offsets[u + 1]; e++) {
            demand(dataset->sequence[e] >= 0 && dataset->sequence[e] < dataset->items);
            demand(dataset->values == NULL || isfinite(dataset->values[e]));
            demand(dataset->timestamps == NULL || e == dataset->offsets[u] ||
                   dataset->timestamps[e - 1] <= dataset->timestamps[e]);
        }
        demand(dataset->user_names.offsets == NULL || sq_dataset_user_name(dataset, dataset->user_ids[u]) != NULL);
    }
    for (int64_t i = 0; i < dataset->items && dataset->item_names.offsets != NULL; i++)
        demand(sq_dataset_item_name(dataset, dataset->item_ids[i])[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const formats[] = {NULL, "pairs", "movielens", "csv", "tsv", "inter", "sequences", "udata"};
    static const seqrec_reader settings[] = {{0},
                                             {.value = "", .timestamp = ""},
                                             {.user = "2", .item = "1"},
                                             {.user = "user", .item = "1"},
                                             {.separator = "ab", .header = -1},
                                             {.separator = ",", .has_minimum = 1, .minimum_value = 3},
                                             {.header = 1, .user = "1", .item = "2", .timestamp = "3"},
                                             {.header = -1}};
    seqrec_context *context = NULL;
    seqrec_dataset *dataset = NULL;
    seqrec_error error = {0};
    if (size < 2) return 0;
    seqrec_reader reader = settings[bytes[0] / 8 % 8];
    reader.struct_size = sizeof reader;
    reader.format = formats[bytes[0] % 8];
    size_t block = bytes[0] & 64 ? SQ_BLOCK_BYTES : (size_t)bytes[1] + 1;
    demand(sq_context_create(NULL, NULL, 0, NULL, NULL, &context, NULL) == SEQREC_OK);
    int32_t status = sq_read_memory(context, bytes + 2, size - 2, &reader, block, &dataset, &error);
    demand((status == SEQREC_OK) == (dataset != NULL) && error.status == status);
    demand(status == SEQREC_OK || error.message[0] != 0);
    if (dataset != NULL) check_dataset(dataset);
    sq_dataset_release(dataset);
    sq_context_release(context);
    return 0;
}
