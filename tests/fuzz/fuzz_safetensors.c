/* fuzz: the bytes of a safetensors file, as they are and with the header's checksum put right, so that checks behind it are
 * reached too. Whatever opens is read to the last byte, and what it says of itself must hold. */
#include "hostile_bytes.h"

static void read_tensor(const sq_tensor_file *file, const sq_tensor *tensor, size_t size)
{
    seqrec_error error;
    sq_tensor_cursor cursor;
    unsigned char piece[61];
    demand(tensor->begin >= 8 && tensor->bytes >= 0 && (size_t)tensor->begin + (size_t)tensor->bytes <= size);
    demand(tensor->rank >= 0 && tensor->rank <= SQ_TENSOR_RANK && sq_dtype_bytes(tensor->dtype) > 0);
    sq_tensor_start(&cursor, file, tensor);
    int32_t status = SEQREC_OK;
    while (status == SEQREC_OK && cursor.done < tensor->bytes) {
        size_t left = (size_t)(tensor->bytes - cursor.done);
        status = sq_tensor_next(&cursor, piece, left < sizeof piece ? left : sizeof piece, &error);
    }
    demand(status == SEQREC_OK || (status == SEQREC_E_FORMAT && sq_tensor_file_summed(file)));
    void *whole = malloc((size_t)tensor->bytes + 1);
    demand(whole != NULL && sq_tensor_read(file, tensor, whole, &error) == status);
    free(whole);
}

static void read_all(const sq_memory *memory, const uint8_t *bytes, size_t size)
{
    seqrec_error error = {0};
    sq_tensor_file *file = NULL;
    int32_t status = sq_tensor_file_open_memory(memory, bytes, size, &file, &error);
    if (status != SEQREC_OK) {
        demand(file == NULL && error.status == status && error.message[0] != '\0');
        return;
    }
    int64_t covered = 0;
    for (int64_t i = 0; i < sq_tensor_file_count(file); i++) {
        const sq_tensor *tensor = sq_tensor_file_at(file, i);
        demand(sq_tensor_file_find(file, tensor->name) != NULL);
        covered += tensor->bytes;
        if (i < 64) read_tensor(file, tensor, size);
    }
    demand(covered <= (int64_t)size - 8);
    const char *key, *value;
    for (int64_t i = 0; i < 64 && sq_tensor_file_text_at(file, i, &key, &value); i++)
        demand(strcmp(sq_tensor_file_text(file, key), value) == 0);
    (void)sq_tensor_file_verify(file, &error);
    sq_tensor_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    sq_memory memory;
    demand(sq_memory_init(&memory, NULL, NULL) == SEQREC_OK);
    read_all(&memory, bytes, size);
    uint8_t *copy = signed_copy(bytes, size);
    if (copy != NULL) read_all(&memory, copy, size);
    free(copy);
    return 0;
}
